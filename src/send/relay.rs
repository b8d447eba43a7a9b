//! A relay and the connections to it: how many, how long, and which letter gets which.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::extension::ClientId;
use tokio::sync::Semaphore;

use super::connection::{Access, Connection, Envelope, Greeting};
use super::outcome::{Failure, Outcome, Phase, Reply, Trouble};
use super::tls::{Handshake, RelayError};
use crate::config;
use crate::domain::EmailAddress;

/// A password, kept out of every debug print.
#[derive(Clone)]
pub struct Password(String);

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// One configured relay with its connections. Clones share them. An idle connection stays open until the relay closes it, which
/// the next letter notices without a round trip, or until [`Relay::close`].
#[derive(Clone)]
pub struct Relay(Arc<Pool>);

struct Pool {
    access: Access,
    /// One permit for each connection in use. Idle ones need none: a new one is opened only when none is idle.
    permits: Semaphore,
    /// Connections that wait for a letter, the last used on top.
    idle: Mutex<Vec<Connection>>,
}

impl Relay {
    /// Prepares a relay; connects to nothing. Reads the certificate authorities (`tls_ca`, or the system's), so it belongs to
    /// the start of the program.
    pub fn new(settings: &config::Relay, password: Option<Password>) -> Result<Self, RelayError> {
        let credentials = match (&settings.login, password) {
            (None, _) => None,
            (Some(login), Some(Password(password))) => Some(Credentials::new(login.user.clone(), password)),
            (Some(_), None) => return Err(RelayError::NoPassword { relay: settings.name.clone() }),
        };
        let access = Access {
            hello: ClientId::Domain(settings.hello_name.clone()),
            credentials,
            handshake: Handshake::new(settings)?,
            settings: settings.clone(),
        };
        let permits = Semaphore::new(settings.connections.clamp(1, Semaphore::MAX_PERMITS));
        Ok(Self(Arc::new(Pool { access, permits, idle: Mutex::new(Vec::new()) })))
    }

    /// The relay's name in the configuration.
    pub fn name(&self) -> &str {
        &self.0.access.settings.name
    }

    /// Hands one message (CRLF line ends) to one recipient; `mail_from` `None` is the null reverse-path `<>`.
    ///
    /// `before_dot` is awaited once, after the relay has said 354 and before it is sent a byte of the letter, and only then: it
    /// makes "on the wire" durable. If it fails, the connection is dropped, so the relay has nothing, and the outcome is
    /// [`Outcome::NotRecorded`].
    ///
    /// Waits for a free connection without limit; every other wait has its limit in the settings. Dropping the future drops the
    /// connection; whether a letter was sent is then as unknown as with [`Outcome::InDoubt`] if `before_dot` was begun.
    pub async fn send<F, Fut, E>(
        &self,
        mail_from: Option<&EmailAddress>,
        rcpt_to: &EmailAddress,
        message: &[u8],
        before_dot: F,
    ) -> Outcome<E>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<(), E>>,
    {
        if has_bare_line_end(message) {
            let reply = Reply::new(554, "5.6.0 not sent: the letter has a CR or LF alone (RFC 5321 2.3.8)");
            return Outcome::Refused { phase: Phase::Check, reply };
        }
        let Ok(_permit) = self.0.permits.acquire().await else {
            let reason = "the program is stopping".to_owned();
            return Outcome::Unavailable(Trouble { phase: Phase::Connect, reason, alarm: false });
        };
        let envelope = Envelope { mail_from, rcpt_to, eight_bit: !message.is_ascii() };
        let mut connection = match self.0.begin(&envelope).await {
            Ok(connection) => connection,
            Err(stop) => return stop.outcome(),
        };
        if let Err(error) = before_dot().await {
            return Outcome::NotRecorded(error);
        }
        match connection.letter(message, &self.0.access.settings.timeouts).await {
            Ok(reply) => {
                self.0.keep(connection).await;
                Outcome::Accepted { reply }
            }
            Err((phase, failure)) => {
                self.0.keep_after(connection, phase, &failure).await;
                failure.judge(phase)
            }
        }
    }

    /// Connects as a sending would (TLS, EHLO, login), then says QUIT: for the check of a configuration.
    pub async fn probe(&self) -> Result<Greeting, Trouble> {
        let connection = Connection::open(&self.0.access).await?;
        let greeting = connection.greeting(&self.0.access);
        connection.quit().await;
        Ok(greeting)
    }

    /// Says QUIT on every idle connection, and takes no more letters; those under way end as they would.
    pub async fn close(&self) {
        self.0.permits.close();
        let idle = std::mem::take(&mut *self.0.idle());
        for connection in idle {
            connection.quit().await;
        }
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Relay({})", self.name())
    }
}

/// Why there is no transaction.
enum Stop {
    /// The relay could not be reached as configured.
    Trouble(Trouble),
    /// It would not take this letter, or the connection failed, at a phase.
    Failure(Phase, Failure),
    /// It cannot carry this letter.
    CannotCarry(Reply),
}

impl Stop {
    fn outcome<E>(self) -> Outcome<E> {
        match self {
            Self::Trouble(trouble) => Outcome::Unavailable(trouble),
            Self::Failure(phase, failure) => failure.judge(phase),
            Self::CannotCarry(reply) => Outcome::Refused { phase: Phase::Check, reply },
        }
    }
}

impl Pool {
    /// A connection with the relay's 354. An idle one that turns out to be gone is replaced by a fresh one, once: up to here
    /// nothing was sent that could be sent twice.
    async fn begin(&self, envelope: &Envelope<'_>) -> Result<Connection, Stop> {
        if let Some(connection) = self.take_idle().await {
            match self.begin_on(connection, envelope).await {
                Err(Stop::Failure(_, failure)) if failure.is_stale() => {}
                other => return other,
            }
        }
        let connection = Connection::open(&self.access).await.map_err(Stop::Trouble)?;
        self.begin_on(connection, envelope).await
    }

    async fn begin_on(&self, mut connection: Connection, envelope: &Envelope<'_>) -> Result<Connection, Stop> {
        if let Some(reply) = connection.cannot_carry(envelope) {
            self.keep(connection).await;
            return Err(Stop::CannotCarry(reply));
        }
        match connection.begin(envelope).await {
            Ok(()) => Ok(connection),
            Err((phase, failure)) => {
                self.keep_after(connection, phase, &failure).await;
                Err(Stop::Failure(phase, failure))
            }
        }
    }

    async fn take_idle(&self) -> Option<Connection> {
        loop {
            let mut connection = self.idle().pop()?;
            if connection.is_fresh().await {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection if only the letter failed; drops every other.
    async fn keep_after(&self, connection: Connection, phase: Phase, failure: &Failure) {
        if failure.spares_connection(phase) {
            self.keep(connection).await;
        }
    }

    async fn keep(&self, connection: Connection) {
        if connection.letters < self.access.settings.letters_per_connection && !self.permits.is_closed() {
            self.idle().push(connection);
        } else {
            connection.quit().await;
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a line ends in anything but CRLF. Such a letter reads differently at different servers, down to where it ends (SMTP
/// smuggling), so it is not sent.
fn has_bare_line_end(message: &[u8]) -> bool {
    let mut next = 0;
    for at in memchr::memchr2_iter(b'\r', b'\n', message) {
        if at < next {
            continue;
        }
        if !message[at..].starts_with(b"\r\n") {
            return true;
        }
        next = at + 2;
    }
    false
}
