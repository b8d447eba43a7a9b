//! The listening side: who is let in, what every session shares, and how all of them end in good order.

use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::connection::attend;
use super::meter::Meter;
use super::reply;
use super::slots::Slots;
use crate::config::{self, Limits};
use crate::domain::Timestamp;
use crate::ops::accept::Intake;

/// Where the present instant comes from.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How long accepting rests when the machine has no more file descriptors; retrying at once would burn the processor for nothing.
const REST: Duration = Duration::from_millis(50);
/// How often the log is told of it.
const COMPLAINT: Duration = Duration::from_secs(60);

/// What all sessions share. Limits and certificate can be changed while it serves; sessions that run keep theirs.
pub struct Door {
    hostname: Arc<str>,
    limits: ArcSwap<Limits>,
    tls: ArcSwapOption<ServerConfig>,
    slots: Arc<Slots>,
    intake: Arc<dyn Intake>,
    now: Now,
    meter: Arc<Meter>,
}

impl Door {
    /// A door by its configuration. `tls` comes from [`super::load_tls`]; without it STARTTLS is not offered.
    pub fn new(config: &config::Door, tls: Option<Arc<ServerConfig>>, intake: Arc<dyn Intake>, now: Now) -> Self {
        Self {
            hostname: config.hostname.as_str().into(),
            limits: ArcSwap::from_pointee(config.limits.clone()),
            tls: ArcSwapOption::new(tls),
            slots: Arc::default(),
            intake,
            now,
            meter: Arc::default(),
        }
    }

    /// Gives new sessions other limits.
    pub fn set_limits(&self, limits: Limits) {
        self.limits.store(Arc::new(limits));
    }

    /// Gives new sessions another certificate, or none.
    pub fn set_tls(&self, tls: Option<Arc<ServerConfig>>) {
        self.tls.store(tls);
    }

    pub(crate) fn hostname(&self) -> Arc<str> {
        Arc::clone(&self.hostname)
    }

    pub(crate) fn limits(&self) -> Arc<Limits> {
        self.limits.load_full()
    }

    /// The certificate that new sessions get.
    pub fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.tls.load_full()
    }

    pub(crate) fn intake(&self) -> &dyn Intake {
        self.intake.as_ref()
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// What it counts.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    #[cfg(test)]
    pub(crate) fn slots(&self) -> &Arc<Slots> {
        &self.slots
    }

    pub(crate) fn places_are_scarce(&self) -> bool {
        self.slots.scarce(&self.limits.load())
    }
}

/// Serves on one listening socket until `stop` is cancelled; then takes nobody in, lets a message that is being read come to its
/// end (for 30 s), tells everybody else 421 4.3.2, and returns when the last session is over. Several calls may share a door.
pub async fn serve(door: Arc<Door>, listener: TcpListener, stop: CancellationToken) {
    let sessions = TaskTracker::new();
    let mut complained = None::<Instant>;
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, client)) => admit(&door, stream, client.ip(), &stop, &sessions),
            Err(error) if is_the_clients_fault(&error) => {}
            Err(error) => {
                if complained.is_none_or(|last| last.elapsed() > COMPLAINT) {
                    complained = Some(Instant::now());
                    warn!(%error, "cannot accept connections for now; if it stays, raise LimitNOFILE or lower limits.sessions");
                }
                tokio::select! {
                    () = stop.cancelled() => break,
                    () = sleep(REST) => {}
                }
            }
        }
    }
    drop(listener);
    sessions.close();
    sessions.wait().await;
}

fn admit(door: &Arc<Door>, stream: TcpStream, client: IpAddr, stop: &CancellationToken, sessions: &TaskTracker) {
    let Some(slot) = door.slots.take(client, &door.limits.load()) else {
        info!(%client, "too many sessions, one more was turned away");
        door.meter.turned_away();
        turn_away(stream);
        return;
    };
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%client, %error, "the client was gone before it was greeted");
        return;
    }
    door.meter.let_in();
    let (door, stop) = (Arc::clone(door), stop.clone());
    sessions.spawn(async move {
        attend(&door, stream, client, &stop).await;
        drop(slot);
    });
}

/// Says 421 without waiting: the send buffer of a new connection has room, and a crowd must not cost a task each.
fn turn_away(stream: TcpStream) {
    let mut farewell = Vec::new();
    reply::write(&mut farewell, reply::TOO_MANY_SESSIONS);
    if let Ok(mut stream) = stream.into_std() {
        // Who is not there to read it needs no 421.
        let _ = stream.write_all(&farewell).and_then(|()| stream.shutdown(std::net::Shutdown::Write));
    }
}

/// Errors that belong to the connection that was to be accepted (accept(2)), not to the listener.
fn is_the_clients_fault(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
