//! An HTTP listener, for figures and health or for the customers' pages: opened, moved and closed as the configuration says, while the
//! daemon runs.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::Router;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::daemon::StartError;
use crate::http::{Bounds, Front, serve};

/// The listener, when there is one.
pub(super) struct Web {
    /// The key of the configuration that says where it is.
    key: &'static str,
    open: Mutex<Option<Open>>,
}

struct Open {
    place: Place,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

/// A socket that listens, and is not served yet.
pub(super) struct Place {
    asked: SocketAddr,
    address: SocketAddr,
    socket: TcpListener,
}

impl Place {
    /// The address that it has, port filled in.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Web {
    /// No listener yet; `key` is the one of the configuration that says where it is.
    pub(super) fn new(key: &'static str) -> Self {
        Self { key, open: Mutex::default() }
    }

    /// The socket where it is asked to listen: the one that it has, or another, which takes nobody in before [`Self::serve`]. The old
    /// listener goes on.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub(super) fn bind(&self, asked: Option<SocketAddr>) -> Result<Option<Place>, StartError> {
        let Some(asked) = asked else { return Ok(None) };
        let open = self.open();
        let present = open.as_ref().map(|open| &open.place).filter(|place| place.asked == asked);
        let socket = match present {
            Some(place) => place.socket.try_clone(),
            None => TcpListener::bind(asked),
        };
        let place = socket.and_then(|socket| {
            socket.set_nonblocking(true)?;
            Ok(Place { asked, address: socket.local_addr()?, socket })
        });
        place.map(Some).map_err(|error| StartError::Web { key: self.key, address: asked, error })
    }

    /// Serves there from now on. The old listener takes nobody in any more and answers what has begun.
    ///
    /// # Errors
    /// When the system lets no more sockets be made.
    pub(super) fn serve(
        &self,
        place: Option<Place>,
        router: Router,
        bounds: Bounds,
        front: Front,
    ) -> Result<(), StartError> {
        let new = place.map(|place| {
            let error = |error| StartError::Web { key: self.key, address: place.asked, error };
            let listener = place.socket.try_clone().and_then(tokio::net::TcpListener::from_std).map_err(error)?;
            let stop = CancellationToken::new();
            let served = tokio::spawn(serve(listener, router, bounds, front, stop.clone()));
            Ok::<_, StartError>(Open { place, stop, served })
        });
        let new = new.transpose()?;
        let mut open = self.open();
        let (before, now) = (open.as_ref().map(|open| open.place.address), new.as_ref().map(|open| open.place.address));
        if let Some(address) = now.filter(|_| now != before) {
            tracing::info!(%address, key = self.key, "HTTP is served here");
        }
        if let Some(old) = std::mem::replace(&mut *open, new) {
            old.stop.cancel();
        }
        Ok(())
    }

    /// The address that it has, port filled in.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.open().as_ref().map(|open| open.place.address)
    }

    /// Closes it and waits until the last request is answered.
    pub(super) async fn close(&self) {
        let open = self.open().take();
        if let Some(open) = open {
            open.stop.cancel();
            // Nothing is left to do for one that broke.
            let _ = open.served.await;
        }
    }

    fn open(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
