//! One SMTP connection to a relay: from TCP to a login, one transaction after the other, each step against its own clock.
//!
//! A connection that failed in any way is dropped by its owner; nothing here tries to mend one. Since every method takes it by
//! `&mut` and the pool hands it out by value, a cancelled attempt takes its connection with it.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Rset, Starttls};
use lettre::transport::smtp::extension::{ClientId, Extension};
use lettre::transport::smtp::response::Response;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::Instant;

use super::envelope::{Envelope, Group, Mail, Rcpt};
use super::outcome::{Failure, Phase, Reply, Trouble};
use super::tls::{Handshake, bare};
use super::wire::{Io, Wire};
use crate::config::{self, Tls};

/// A connection is asked whether it is still there (with RSET) when it was idle for longer than this.
const TRUSTED_IDLE: Duration = Duration::from_secs(5);

/// How long a QUIT may take to be written; its answer is not waited for.
const FAREWELL: Duration = Duration::from_secs(2);

/// What a connection is made with.
pub(super) struct Access {
    pub(super) settings: config::Relay,
    pub(super) hello: ClientId,
    pub(super) credentials: Option<Credentials>,
    pub(super) handshake: Option<Handshake>,
}

/// A connection that is ready for a transaction.
pub(super) struct Connection {
    smtp: AsyncSmtpConnection,
    wire: Wire,
    peer: SocketAddr,
    tls: Option<String>,
    command_limit: Duration,
    /// MAIL, RCPT and DATA may leave together (RFC 2920).
    pipelining: bool,
    /// Transactions begun.
    pub(super) letters: u32,
    /// A transaction was left half-way: RSET before the next.
    half_way: bool,
    /// Not every reply to a group was read, or it ended in a 354 that will get no letter: whatever is said next could be
    /// misread on either side, so nothing is.
    pub(super) out_of_step: bool,
    /// When it was last of use.
    pub(super) used: Instant,
}

impl Connection {
    /// Connects, protects the connection as configured, says EHLO and logs in.
    pub(super) async fn open(access: &Access) -> Result<Self, Trouble> {
        let tcp = connect(&access.settings).await?;
        let peer = tcp.peer_addr().map_err(|error| trouble(Phase::Connect, error.to_string()))?;
        let mut connection = match access.settings.tls {
            Tls::None => Self::greet(access, Io::Plain(tcp), peer, None).await?,
            Tls::Implicit => {
                let (io, version) = protect(access, tcp).await?;
                Self::greet(access, io, peer, Some((version, b""))).await?
            }
            Tls::Opportunistic | Tls::Required => {
                let plain = Self::greet(access, Io::Plain(tcp), peer, None).await?;
                if plain.smtp.server_info().supports_feature(Extension::StartTls) {
                    plain.start_tls(access).await?
                } else if access.settings.tls == Tls::Required {
                    return Err(alarm(
                        Phase::Tls,
                        "the relay offers no STARTTLS, and tls = \"required\" sends nothing without it",
                    ));
                } else {
                    plain
                }
            }
        };
        if let Some(credentials) = &access.credentials {
            connection.log_in(access, credentials).await?;
        }
        connection.wire.settle();
        Ok(connection)
    }

    /// Reads the greeting and says EHLO. With TLS its version is given, and the bytes to take for the greeting.
    async fn greet(access: &Access, io: Io, peer: SocketAddr, tls: Option<(String, &[u8])>) -> Result<Self, Trouble> {
        let wire = Wire::new(io, peer, tls.as_ref().map_or(b"", |(_, greeting)| greeting));
        let limit = access.settings.timeouts.connect;
        let step = AsyncSmtpConnection::connect_with_transport(Box::new(wire.clone()), &access.hello);
        let result = match wire.watch(limit, limit, step).await {
            Ok(result) => result.map_err(|error| failure(&wire, &error)),
            Err(silent) => Err(Failure::Silent(silent.0)),
        };
        let phase = if wire.has_spoken() { Phase::Hello } else { Phase::Greeting };
        Ok(Self {
            smtp: result.map_err(|failure| failure.trouble(phase))?,
            pipelining: wire.offers_pipelining(),
            wire,
            peer,
            tls: tls.map(|(version, _)| version),
            command_limit: access.settings.timeouts.command,
            letters: 0,
            half_way: false,
            out_of_step: false,
            used: Instant::now(),
        })
    }

    /// STARTTLS (RFC 3207). Whatever came with its answer was said before the handshake by nobody knows whom, so it ends the
    /// connection (CVE-2011-0411 seen from the client's side). A handshake that fails does too: even an opportunistic
    /// connection goes on in the clear only where TLS was not offered, since a relay that offers it and cannot do it is
    /// broken, and its operator should hear of it.
    async fn start_tls(mut self, access: &Access) -> Result<Self, Trouble> {
        self.command_limit = access.settings.timeouts.connect;
        self.command(220, Starttls).await.map_err(|failure| failure.trouble(Phase::Tls))?;
        if let Some(what) = self.wire.interruption() {
            let trouble = Failure::Broken(format!("between STARTTLS and TLS {what}")).trouble(Phase::Tls);
            return Err(Trouble { alarm: true, ..trouble });
        }
        let tcp = self.wire.take_tcp().ok_or_else(|| trouble(Phase::Tls, "TLS is already on".to_owned()))?;
        let (io, version) = protect(access, tcp).await?;
        // No greeting follows a handshake, but lettre begins with one: it gets it from us, and forgets by its new EHLO all it
        // was told in the clear.
        Self::greet(access, io, self.peer, Some((version, b"220 -\r\n"))).await
    }

    /// AUTH PLAIN or LOGIN, never over a connection that others can read.
    async fn log_in(&mut self, access: &Access, credentials: &Credentials) -> Result<(), Trouble> {
        if !may_send_password(self.tls.is_some(), self.peer) {
            return Err(alarm(Phase::Auth, "the password is not sent over an unprotected connection; use TLS"));
        }
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        if self.smtp.server_info().get_auth_mechanism(&mechanisms).is_none() {
            return Err(alarm(
                Phase::Auth,
                "the relay offers neither AUTH PLAIN nor AUTH LOGIN; is this its submission port?",
            ));
        }
        let limit = access.settings.timeouts.connect;
        let step = self.smtp.auth(&mechanisms, credentials);
        let answer = self.wire.watch(limit, limit, step).await;
        expect(&self.wire, 235, answer).map(drop).map_err(|failure| failure.trouble(Phase::Auth))
    }

    /// Why this relay cannot carry a letter that others could, if so.
    pub(super) fn cannot_carry(&self, envelope: &Envelope<'_>) -> Option<Reply> {
        let offered = self.smtp.server_info();
        if envelope.needs_utf8() && !offered.supports_feature(Extension::SmtpUtfEight) {
            let text = "5.6.7 not sent: an address has letters beyond ASCII, and the relay offers no SMTPUTF8";
            return Some(Reply::new(553, text));
        }
        if envelope.eight_bit && !offered.supports_feature(Extension::EightBitMime) {
            return Some(Reply::new(554, "5.6.3 not sent: the letter is 8-bit, and the relay offers no 8BITMIME"));
        }
        None
    }

    /// MAIL, RCPT and DATA up to the 354, each alone.
    pub(super) async fn begin(&mut self, envelope: &Envelope<'_>) -> Result<(), (Phase, Failure)> {
        self.letters += 1;
        if self.pipelining {
            return self.begin_at_once(envelope).await;
        }
        self.command(250, Mail(envelope)).await.map_err(|failure| (Phase::Mail, failure))?;
        self.half_way = true;
        self.command(250, Rcpt(envelope)).await.map_err(|failure| (Phase::Rcpt, failure))?;
        self.command(354, Data).await.map_err(|failure| (Phase::Data, failure))?;
        Ok(())
    }

    /// MAIL, RCPT and DATA in one write, then their replies one by one, each within its own time (RFC 2920 3.1): one round trip
    /// instead of three.
    ///
    /// After a refusal the replies behind it are read only if the connection can be used again, which a refused MAIL never
    /// leaves. A relay that gives its 354 though it refused the recipient waits for a letter. RFC 2920 would send it a lone dot;
    /// dropping the connection without another octet leaves no doubt that there was no letter.
    async fn begin_at_once(&mut self, envelope: &Envelope<'_>) -> Result<(), (Phase, Failure)> {
        self.out_of_step = true;
        self.command(250, Group(envelope)).await.map_err(|failure| (Phase::Mail, failure))?;
        self.half_way = true;
        if let Err(refusal) = self.reply(250).await {
            if refusal.spares_connection(Phase::Rcpt) {
                let data = self.reply(354).await;
                self.out_of_step = !matches!(data, Err(Failure::Negative(reply)) if reply.code != 421);
            }
            return Err((Phase::Rcpt, refusal));
        }
        let data = self.reply(354).await;
        self.out_of_step = false;
        data.map(drop).map_err(|failure| (Phase::Data, failure))
    }

    /// The letter, its final dot and the answer. A failure is placed at [`Phase::Dot`] if the dot can have been sent.
    pub(super) async fn letter(
        &mut self,
        message: &[u8],
        timeouts: &config::RelayTimeouts,
    ) -> Result<Reply, (Phase, Failure)> {
        // A relay that grew tired of waiting has said so by now; a stray reply would be taken for the answer to the dot.
        if let Some(what) = self.wire.interruption() {
            return Err((Phase::Letter, Failure::Broken(what)));
        }
        // lettre puts a CRLF before the dot itself; without this every letter would end with an empty line more.
        let message = message.strip_suffix(b"\r\n").unwrap_or(message);
        self.wire.begin_letter();
        let answer = self.wire.watch(timeouts.data, timeouts.dot, self.smtp.message(message)).await;
        let result = expect(&self.wire, 250, answer);
        let phase = if self.wire.dot_sent() { Phase::Dot } else { Phase::Letter };
        self.wire.end_letter();
        self.used = Instant::now();
        self.half_way = result.is_err();
        result.map_err(|failure| (phase, failure))
    }

    /// Whether the connection can take another letter: asks with RSET if there is a reason to.
    pub(super) async fn is_fresh(&mut self) -> bool {
        if !self.half_way && self.used.elapsed() <= TRUSTED_IDLE {
            return true;
        }
        self.half_way = false;
        self.command(250, Rset).await.is_ok()
    }

    /// Says QUIT. Its answer could change nothing, so it is not waited for.
    pub(super) async fn quit(mut self) {
        // Whatever becomes of it, the connection is closed next.
        let _ = self.wire.watch(FAREWELL, FAREWELL, self.smtp.abort()).await;
    }

    /// What is known of the relay now.
    pub(super) fn greeting(&self, access: &Access) -> Greeting {
        let offered = self.smtp.server_info();
        Greeting {
            name: offered.name().to_ascii_lowercase(),
            peer: self.peer,
            tls: self.tls.clone(),
            logged_in: access.credentials.is_some(),
            smtputf8: offered.supports_feature(Extension::SmtpUtfEight),
        }
    }

    async fn command(&mut self, expected: u16, text: impl Display) -> Result<Reply, Failure> {
        if let Some(what) = self.wire.interruption() {
            return Err(Failure::Broken(what));
        }
        let answer = self.wire.watch(self.command_limit, self.command_limit, self.smtp.command(text)).await;
        self.used = Instant::now();
        expect(&self.wire, expected, answer)
    }

    /// The reply to a command that left in a group.
    async fn reply(&mut self, expected: u16) -> Result<Reply, Failure> {
        let answer = self.wire.watch(self.command_limit, self.command_limit, self.smtp.read_response()).await;
        self.used = Instant::now();
        expect(&self.wire, expected, answer)
    }
}

/// What a relay said of itself when it was probed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// The name in its EHLO reply, lower case.
    pub name: String,
    /// The address that was reached.
    pub peer: SocketAddr,
    /// The TLS version, such as `TLSv1_3`; `None` in the clear.
    pub tls: Option<String>,
    /// Whether we logged in.
    pub logged_in: bool,
    /// Whether it takes addresses beyond ASCII (RFC 6531).
    pub smtputf8: bool,
}

/// Connects to the first of the host's addresses that answers; each gets its share of the time, so that a dead IPv6 route does
/// not hide a living IPv4 one.
async fn connect(relay: &config::Relay) -> Result<TcpStream, Trouble> {
    let host = bare(&relay.host);
    let limit = relay.timeouts.connect;
    let found = tokio::time::timeout(limit, lookup_host((host, relay.port)))
        .await
        .map_err(|_| trouble(Phase::Connect, format!("the name {host} was not resolved within {limit:?}")))?
        .map_err(|error| trouble(Phase::Connect, format!("the name {host} cannot be resolved: {error}")))?;
    let addresses = found.collect::<Vec<_>>();
    let share = limit / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut last = format!("the name {host} has no addresses");
    for address in addresses {
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => {
                // Without it Nagle's algorithm and the relay's delayed ACK cost 40 ms a letter.
                tcp.set_nodelay(true).map_err(|error| trouble(Phase::Connect, error.to_string()))?;
                return Ok(tcp);
            }
            Ok(Err(error)) => last = format!("{address} cannot be reached: {error}"),
            Err(_) => last = format!("{address} did not answer within {share:?}"),
        }
    }
    Err(trouble(Phase::Connect, last))
}

/// The TLS handshake; answers with the stream and the TLS version.
async fn protect(access: &Access, tcp: TcpStream) -> Result<(Io, String), Trouble> {
    let limit = access.settings.timeouts.connect;
    let handshake = access.handshake.as_ref().ok_or_else(|| alarm(Phase::Tls, "TLS is not set up"))?;
    let tls = tokio::time::timeout(limit, handshake.run(tcp))
        .await
        .map_err(|_| trouble(Phase::Tls, format!("no TLS within {limit:?}; is this a port for STARTTLS?")))??;
    let version = tls.get_ref().1.protocol_version().map_or_else(String::new, |version| format!("{version:?}"));
    Ok((Io::Tls(Box::new(tls)), version))
}

/// An answer is as expected, 4xx or 5xx, or none. Any 2xx will do for a 2xx (251 at RCPT) but 221, which says good-bye; a 354
/// must be a 354. Anything else means that we and the relay are out of step.
fn expect(
    wire: &Wire,
    expected: u16,
    answer: Result<Result<Response, Error>, super::wire::Silent>,
) -> Result<Reply, Failure> {
    let response = match answer {
        Err(silent) => return Err(Failure::Silent(silent.0)),
        Ok(Err(error)) => return Err(failure(wire, &error)),
        Ok(Ok(response)) => response,
    };
    let code = u16::from(response.code());
    if code != expected && (code / 100 != 2 || expected / 100 != 2 || code == 221) {
        return Err(Failure::Broken(format!("the relay answered {code} where {expected} belongs")));
    }
    Ok(Reply::new(code, &response.message().collect::<Vec<_>>().join(" ")))
}

/// Only over TLS, or where nobody is between us and the relay.
fn may_send_password(tls: bool, peer: SocketAddr) -> bool {
    tls || peer.ip().to_canonical().is_loopback()
}

fn failure(wire: &Wire, error: &Error) -> Failure {
    use std::error::Error as _;
    let source = || error.source().map(ToString::to_string).unwrap_or_default();
    match error.status() {
        Some(code) => Failure::Negative(Reply::new(code.into(), &source())),
        None if wire.has_ended() => Failure::Broken("the relay closed the connection".to_owned()),
        None if error.is_response() => Failure::Broken("what the relay answered is not SMTP".to_owned()),
        None => Failure::Broken(format!("the connection broke: {}", source())),
    }
}

fn trouble(phase: Phase, reason: String) -> Trouble {
    Trouble { phase, reason, alarm: false }
}

fn alarm(phase: Phase, reason: &str) -> Trouble {
    Trouble { phase, reason: reason.to_owned(), alarm: true }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn every_connection_has_tcp_nodelay() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            tcp.write_all(b"220 hello\r\n").await.unwrap();
            let _ = tcp.read(&mut [0; 100]).await.unwrap();
            tcp.write_all(b"250 hello\r\n").await.unwrap();
        });
        let settings = config::Relay::plain("main", "127.0.0.1", port, "shop.example.com");
        let hello = ClientId::Domain(settings.hello_name.clone());
        let access = Access { settings, hello, credentials: None, handshake: None };
        let connection = Connection::open(&access).await.unwrap_or_else(|trouble| panic!("{trouble}"));
        assert!(connection.wire.nodelay());
    }

    #[test]
    fn a_password_goes_over_tls_or_to_this_machine_only() {
        for (tls, peer, expected) in [
            (true, "192.0.2.1:25", true),
            (false, "192.0.2.1:25", false),
            (false, "[2001:db8::1]:25", false),
            (false, "127.0.0.1:25", true),
            (false, "[::1]:25", true),
            (false, "[::ffff:127.0.0.1]:25", true),
        ] {
            assert_eq!(may_send_password(tls, peer.parse().unwrap()), expected, "{peer}");
        }
    }
}
