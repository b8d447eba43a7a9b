//! The HTTP listener for figures and health: opened, moved and closed as the configuration says, while the daemon runs.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::daemon::StartError;
use crate::http::{Bounds, monitoring, serve};
use crate::ops::House;

/// The listener, when there is one.
#[derive(Default)]
pub(super) struct Monitor(Mutex<Option<Open>>);

struct Open {
    asked: SocketAddr,
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

impl Monitor {
    /// Listens where it is asked to, or nowhere. The old listener goes on until the new one is bound, and stays when that fails.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub(super) fn listen(&self, asked: Option<SocketAddr>, house: &Arc<House>) -> Result<(), StartError> {
        let mut open = self.open();
        if open.as_ref().map(|open| open.asked) == asked {
            return Ok(());
        }
        let new = asked.map(|address| bind(address, house)).transpose()?;
        if let Some(old) = std::mem::replace(&mut *open, new) {
            old.stop.cancel();
        }
        Ok(())
    }

    /// The address that it has, port filled in.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.open().as_ref().map(|open| open.address)
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bind(asked: SocketAddr, house: &Arc<House>) -> Result<Open, StartError> {
    let bound = TcpListener::bind(asked).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok((listener.local_addr()?, tokio::net::TcpListener::from_std(listener)?))
    });
    let (address, listener) = bound.map_err(|error| StartError::Monitor { address: asked, error })?;
    tracing::info!(%address, "figures and health are told here");
    let stop = CancellationToken::new();
    let served = tokio::spawn(serve(listener, monitoring(Arc::clone(house)), Bounds::monitoring(), stop.clone()));
    Ok(Open { asked, address, stop, served })
}
