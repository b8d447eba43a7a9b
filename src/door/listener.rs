//! The listening side: who is let in, what every session shares, and how all of them end in good order.

use std::io::{self, Write};
use std::net::{IpAddr, Shutdown};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::client::Client;
use super::connection::attend;
use super::meter::Meter;
use super::proxy::{self, Origin};
use super::reply::{self, Reply};
use super::sockets::{InForce, Listening, Socket};
use super::tls::Certificate;
use crate::config::{self, Limits, Listener, ListenerTls};
use crate::crowd::{Places, Rates, Slot, Slots, places_by_descriptors};
use crate::domain::Timestamp;
use crate::ops::accept::Intake;

/// Where the present instant comes from.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How long accepting rests when the machine has no more file descriptors; retrying at once would burn the processor for nothing.
const REST: Duration = Duration::from_millis(50);
/// How often the log is told of it.
const COMPLAINT: Duration = Duration::from_secs(60);
/// Wrong passwords from one client in an hour; whoever has more must wait, right or wrong.
const WRONG_PASSWORDS: u32 = 10;
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// What all sessions share. Limits and certificate can be changed while it serves; sessions that run keep theirs.
pub struct Door {
    hostname: Arc<str>,
    limits: ArcSwap<Limits>,
    tls: ArcSwapOption<Certificate>,
    slots: Arc<Slots>,
    connections: Rates,
    wrong_passwords: Rates,
    /// Of whom the log has said lately that they were turned away.
    told_of: Rates,
    intake: Arc<dyn Intake>,
    now: Now,
    meter: Meter,
}

impl Door {
    /// A door by its configuration. `tls` comes from [`super::load_tls`]; without it there is no TLS.
    pub fn new(config: &config::Door, tls: Option<Arc<Certificate>>, intake: Arc<dyn Intake>, now: Now) -> Self {
        let places = places_by_descriptors();
        if places < config.limits.sessions {
            let sessions = config.limits.sessions;
            warn!(
                sessions,
                places, "fewer sessions are let in than limits.sessions says: raise LimitNOFILE in the unit"
            );
        }
        Self {
            hostname: config.hostname.as_str().into(),
            limits: ArcSwap::from_pointee(config.limits.clone()),
            tls: ArcSwapOption::new(tls),
            slots: Arc::new(Slots::new(places)),
            connections: Rates::new(MINUTE),
            wrong_passwords: Rates::new(HOUR),
            told_of: Rates::new(MINUTE),
            intake,
            now,
            meter: Meter::default(),
        }
    }

    /// Gives new sessions other limits.
    pub fn set_limits(&self, limits: Limits) {
        self.limits.store(Arc::new(limits));
    }

    /// Gives new sessions another certificate, or none.
    pub fn set_tls(&self, tls: Option<Arc<Certificate>>) {
        self.tls.store(tls);
    }

    /// What it counts.
    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    pub(crate) fn hostname(&self) -> Arc<str> {
        Arc::clone(&self.hostname)
    }

    pub(crate) fn limits(&self) -> Arc<Limits> {
        self.limits.load_full()
    }

    /// The certificate that new sessions get.
    pub fn tls(&self) -> Option<Arc<Certificate>> {
        self.tls.load_full()
    }

    /// The handshake of a listener's new sessions, when it has TLS.
    pub(crate) fn handshake(&self, listener: &Listener) -> Option<Arc<ServerConfig>> {
        let certificate = self.tls.load();
        let certificate = certificate.as_ref().filter(|_| listener.tls != ListenerTls::None)?;
        Some(certificate.for_handshake(listener.client_certificates))
    }

    /// Whether a client may try a password. After ten wrong ones in an hour it may not, from whichever session.
    pub fn may_try_password(&self, client: Client) -> bool {
        self.wrong_passwords.has_had_less(client.counted_as(), WRONG_PASSWORDS)
    }

    /// A client has given a wrong password.
    pub fn had_wrong_password(&self, client: Client) {
        self.wrong_passwords.count(client.counted_as());
    }

    pub(crate) fn intake(&self) -> &dyn Intake {
        self.intake.as_ref()
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.now)()
    }

    #[cfg(test)]
    pub(crate) fn slots(&self) -> &Arc<Slots> {
        &self.slots
    }

    /// How many sessions there may be.
    pub(crate) fn places(&self) -> Places {
        let limits = self.limits.load();
        Places { all: limits.sessions, each: limits.sessions_per_client }
    }

    pub(crate) fn places_are_scarce(&self) -> bool {
        self.slots.scarce(self.places())
    }
}

/// A connection that was accepted.
pub(super) enum Arrival {
    Tcp(TcpStream, IpAddr),
    Unix(UnixStream),
}

/// Serves on one listening socket until `stop` is cancelled; then takes nobody in, lets a message that is being read come to its
/// end (for 30 s), tells everybody else 421 4.3.2, and returns when the last session is over. Several calls may share a door.
pub async fn serve(door: Arc<Door>, listening: impl Into<Listening>, stop: CancellationToken) {
    let listening = listening.into();
    let sessions = TaskTracker::new();
    take_in(&door, &listening.socket, listening.in_force(), &stop, &sessions).await;
    drop(listening);
    sessions.close();
    sessions.wait().await;
}

/// Where connections come from.
pub(super) trait Arrivals {
    /// The next one.
    async fn next(&self) -> io::Result<Arrival>;
}

impl Arrivals for Socket {
    async fn next(&self) -> io::Result<Arrival> {
        match self {
            Self::Tcp(listener) => listener.accept().await.map(|(stream, from)| Arrival::Tcp(stream, from.ip())),
            Self::Unix(listener) => listener.accept().await.map(|(stream, _)| Arrival::Unix(stream)),
        }
    }
}

/// Gives everybody who comes a session, or turns them away, until `stop` is cancelled.
pub(super) async fn take_in(
    door: &Arc<Door>,
    arrivals: &impl Arrivals,
    in_force: &InForce,
    stop: &CancellationToken,
    sessions: &TaskTracker,
) {
    let mut complained = None::<Instant>;
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = arrivals.next() => accepted,
        };
        let entrance = || Entrance {
            door: Arc::clone(door),
            listener: in_force.load_full(),
            stop: stop.clone(),
            sessions: sessions.clone(),
        };
        match accepted {
            Ok(Arrival::Tcp(stream, address)) => entrance().admit(stream, Client::at(address)),
            Ok(Arrival::Unix(stream)) => entrance().admit(stream, Client::Beside),
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
}

/// What a new connection comes in by.
struct Entrance {
    door: Arc<Door>,
    listener: Arc<Listener>,
    stop: CancellationToken,
    sessions: TaskTracker,
}

impl Entrance {
    /// Lets it in or turns it away, without waiting: a crowd must not cost a task each.
    fn admit<S: Stream>(self, stream: S, client: Client) {
        let is_proxy = client.address().is_some_and(|ip| self.listener.proxy.iter().any(|net| net.contains(&ip)));
        let slot = match is_proxy {
            true => self.door.slots.take_unnamed(self.door.places()).ok_or(reply::TOO_MANY_SESSIONS),
            false => self.place(client),
        };
        let slot = match slot {
            Ok(slot) => slot,
            Err(refusal) => return self.turn_away(stream, client, refusal),
        };
        if let Err(error) = stream.make_ready() {
            debug!(%client, %error, "the client was gone before it was greeted");
            return;
        }
        let sessions = self.sessions.clone();
        if is_proxy {
            sessions.spawn(self.behind_proxy(stream, client.counted_as(), slot));
        } else {
            sessions.spawn(self.session(stream, client, slot));
        }
    }

    async fn session<S: Stream>(self, stream: S, client: Client, slot: Slot) {
        self.door.meter.let_in();
        let inside = attend(&self.door, &self.listener, stream, client, &self.stop).await;
        if let Some(inside) = inside {
            // As a task of its own: this one would keep the room that the session needed before TLS to its end.
            self.sessions.spawn(async move {
                inside.attend().await;
                drop(slot);
            });
        }
    }

    /// The proxy says first whose connection it is.
    async fn behind_proxy<S: Stream>(self, mut stream: S, proxy: IpAddr, mut slot: Slot) {
        let origin = tokio::select! {
            () = self.stop.cancelled() => return,
            origin = proxy::origin(&mut stream) => origin,
        };
        let client = match origin {
            Ok(Origin::Balancer) => Client::at(proxy),
            Ok(Origin::Client(address)) => Client::at(address),
            Ok(Origin::Unknown) => Client::Behind(proxy),
            Err(error) => return warn!(%proxy, %error, "a connection was closed; see the listener's key proxy"),
        };
        if let Err(refusal) = self.fits(client, &mut slot) {
            return self.turn_away(stream, client, refusal);
        }
        Box::pin(self.session(stream, client, slot)).await;
    }

    fn place(&self, client: Client) -> Result<Slot, Reply> {
        let limits = self.door.limits.load();
        self.may_come(client, &limits)?;
        self.door.slots.take(client.counted_as(), self.door.places()).ok_or(reply::TOO_MANY_SESSIONS)
    }

    fn fits(&self, client: Client, slot: &mut Slot) -> Result<(), Reply> {
        let limits = self.door.limits.load();
        self.may_come(client, &limits)?;
        // A proxy that does not say whose connections they are would use up the share of one client.
        let named = matches!(client, Client::Behind(_)) || slot.name(client.counted_as(), self.door.places());
        if named { Ok(()) } else { Err(reply::TOO_MANY_SESSIONS) }
    }

    fn may_come(&self, client: Client, limits: &Limits) -> Result<(), Reply> {
        // Programs of this machine hand in a mail a connection, and strangers' floods must not reach them.
        let counted = !client.is_local() && !matches!(client, Client::Behind(_));
        let may = !counted || self.door.connections.allow(client.counted_as(), limits.connections_per_minute);
        if may { Ok(()) } else { Err(reply::TOO_MANY_CONNECTIONS) }
    }

    fn turn_away<S: Stream>(&self, stream: S, client: Client, refusal: Reply) {
        self.door.meter.turned_away(refusal);
        // Once a minute of each: whoever comes in a loop would fill the disk with it.
        if self.door.told_of.allow(client.counted_as(), 1) {
            info!(%client, refusal, "connections are turned away");
        }
        // Who expects TLS could not read it.
        stream.part(if self.listener.tls == ListenerTls::Implicit { None } else { Some(refusal) });
    }
}

/// A connection by TCP or a unix socket.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    fn make_ready(&self) -> io::Result<()>;

    /// Says it without waiting, since the send buffer of a new connection has room, and hangs up. Who is not there to read it needs
    /// no farewell.
    fn part(self, farewell: Option<Reply>);
}

impl Stream for TcpStream {
    fn make_ready(&self) -> io::Result<()> {
        self.set_nodelay(true)
    }

    fn part(self, farewell: Option<Reply>) {
        if let Ok(mut stream) = self.into_std() {
            let _ = stream.write_all(&written(farewell)).and_then(|()| stream.shutdown(Shutdown::Write));
        }
    }
}

impl Stream for UnixStream {
    fn make_ready(&self) -> io::Result<()> {
        Ok(())
    }

    fn part(self, farewell: Option<Reply>) {
        if let Ok(mut stream) = self.into_std() {
            let _ = stream.write_all(&written(farewell)).and_then(|()| stream.shutdown(Shutdown::Write));
        }
    }
}

fn written(farewell: Option<Reply>) -> Vec<u8> {
    let mut octets = Vec::new();
    farewell.iter().for_each(|text| reply::write(&mut octets, text));
    octets
}

/// Errors that belong to the connection that was to be accepted (accept(2)), not to the listener.
fn is_the_clients_fault(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}
