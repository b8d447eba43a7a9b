//! A relay as the rest of the program sees it: slots for letters, and what becomes of each letter.

use std::fmt;
use std::sync::Arc;

use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::extension::ClientId;
use tokio::sync::OwnedSemaphorePermit;

use super::connection::{Access, Connection, Greeting};
use super::envelope::Envelope;
use super::outcome::{Outcome, Phase, Reply, Trouble};
use super::pool::Pool;
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

/// One configured relay with its connections. Clones share them. A connection stays open between letters; it is closed when it had
/// none for 10 seconds, when it had its number of letters, or by [`Relay::close`]. That the relay closed it is noticed by the next
/// letter without a round trip.
#[derive(Clone)]
pub struct Relay(Arc<Pool>);

/// The right to use one of a relay's connections for one letter. Dropping it gives it back.
#[derive(Debug)]
pub struct Slot {
    relay: Relay,
    _permit: OwnedSemaphorePermit,
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
        Ok(Self(Arc::new(Pool::new(access))))
    }

    /// The relay's name in the configuration.
    pub fn name(&self) -> &str {
        &self.0.access.settings.name
    }

    /// Waits, without limit and in the order of asking, until one of the relay's connections is free for a letter. Nothing is said
    /// to the relay before [`Slot::send`], so this is the place to ask whether the letter is still to be sent. `None` as soon as
    /// the relay is closed.
    pub async fn reserve(&self) -> Option<Slot> {
        let permit = self.0.permit().await?;
        Some(Slot { relay: self.clone(), _permit: permit })
    }

    /// Connects as a sending would (TLS, EHLO, login), then says QUIT: for the check of a configuration.
    pub async fn probe(&self) -> Result<Greeting, Trouble> {
        let connection = Connection::open(&self.0.access).await?;
        let greeting = connection.greeting(&self.0.access);
        connection.quit().await;
        Ok(greeting)
    }

    /// Says QUIT on every idle connection, and gives no more slots; letters that have one are sent as they would have been, and
    /// their connections closed after them.
    pub async fn close(&self) {
        self.0.close().await;
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Relay({})", self.name())
    }
}

impl Slot {
    /// Hands one message (CRLF line ends) to one recipient; `mail_from` `None` is the null reverse-path `<>`.
    ///
    /// `before_dot` is awaited once, after the relay has said 354 and before it is sent a byte of the letter, and only then: it
    /// makes "on the wire" durable. If it fails, the connection is dropped, so the relay has nothing, and the outcome is
    /// [`Outcome::NotRecorded`].
    ///
    /// Every wait has its limit in the settings. Dropping the future drops the connection; whether a letter was sent is then as
    /// unknown as with [`Outcome::InDoubt`] if `before_dot` was begun.
    pub async fn send<F, Fut, E>(
        self,
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
        let pool = &self.relay.0;
        let envelope = Envelope { mail_from, rcpt_to, eight_bit: !message.is_ascii() };
        let mut connection = match pool.begin(&envelope).await {
            Ok(connection) => connection,
            Err(stop) => return stop.outcome(),
        };
        if let Err(error) = before_dot().await {
            return Outcome::NotRecorded(error);
        }
        match connection.letter(message, &pool.access.settings.timeouts).await {
            Ok(reply) => {
                pool.keep(connection).await;
                Outcome::Accepted { reply }
            }
            Err((phase, failure)) => {
                pool.keep_after(connection, phase, &failure).await;
                failure.judge(phase)
            }
        }
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
