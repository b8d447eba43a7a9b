//! One client's connection: reads octets for the [`Session`], does what it asks for, sends its replies, and keeps every wait
//! within its bounds. A step that has begun to store a message is never cut short; only waits for the client are.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::listener::Door;
use super::session::{Addressee, Effect, Goodbye, Incoming, Profile, Session};
use super::trace::Trace;
use crate::config::Limits;
use crate::domain::Handed;
use crate::ops::accept::NewCopy;

/// What an idle session needs for reading; pipelined commands fit.
const COMMAND_BUFFER: usize = 2 * 1024;
/// While a message is read: one TLS record.
const DATA_BUFFER: usize = 16 * 1024;
/// A client that speaks before the greeting is no mail server. Loopback is not made to wait.
const GREETING_PAUSE: Duration = Duration::from_millis(200);
/// How slow a message may come in, octets a second, once [`Limits::data_timeout`] has passed.
const SLOWEST: u32 = 500;
/// How long the door waits for a client while places are scarce (Postfix: `smtpd_timeout` under stress).
const SCARCE_PATIENCE: Duration = Duration::from_secs(10);
/// How long a message that has begun may take when the service stops.
const DRAIN: Duration = Duration::from_secs(30);
/// How long and how much is read and dropped after the last reply, since closing with unread octets resets the connection and can
/// take the reply with it.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_OCTETS: usize = 1024 * 1024;

/// Serves one client until it is gone. `stop` ends the session at the next command, or after the message that is being read.
pub async fn attend<S>(door: &Door, mut stream: S, client: IpAddr, stop: &CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let client = client.to_canonical();
    let tls = door.tls();
    let mut connection = Connection::new(door, client, stop, tls.is_some());
    let ended = match connection.greet(&mut stream).await {
        Ended::Open => connection.converse(&mut stream).await,
        ended => ended,
    };
    match (ended, tls) {
        (Ended::StartTls, Some(config)) => {
            let handshake = TlsAcceptor::from(config).accept(stream);
            let patience = connection.limits.command_timeout;
            let secured = tokio::select! {
                () = stop.cancelled() => return,
                secured = timeout(patience, handshake) => secured,
            };
            match secured {
                Ok(Ok(mut stream)) => {
                    door.meter().shook_hands(stream.get_ref().1.protocol_version());
                    connection.session.secured();
                    let ended = connection.converse(&mut stream).await;
                    connection.leave(&mut stream, &ended).await;
                }
                Ok(Err(error)) => {
                    door.meter().shook_hands(None);
                    info!(%client, %error, "the TLS handshake failed");
                }
                Err(_) => {
                    door.meter().shook_hands(None);
                    info!(%client, "the TLS handshake took too long");
                }
            }
        }
        (ended, _) => connection.leave(&mut stream, &ended).await,
    }
}

/// How far a conversation came.
enum Ended {
    /// It goes on.
    Open,
    /// We said the last word.
    Closed,
    /// The client hung up, or does not take our replies.
    Gone,
    /// The handshake is next.
    StartTls,
}

struct Connection<'d> {
    door: &'d Door,
    client: IpAddr,
    stop: &'d CancellationToken,
    limits: Arc<Limits>,
    session: Session,
    input: Vec<u8>,
    used: usize,
    filled: usize,
    /// When the session is over whatever happens.
    ends: Instant,
    /// Since when a command, or the message, is waited for.
    since: Instant,
    /// Octets that came since then.
    heard: u32,
    /// When a message must be complete, once the service stops.
    drained: Option<Instant>,
}

impl<'d> Connection<'d> {
    fn new(door: &'d Door, client: IpAddr, stop: &'d CancellationToken, offers_tls: bool) -> Self {
        let limits = door.limits();
        let now = Instant::now();
        let profile = Profile { hostname: door.hostname(), limits: Arc::clone(&limits), offers_tls };
        Self {
            door,
            client,
            stop,
            ends: now + limits.session_timeout,
            limits,
            session: Session::new(profile),
            input: Vec::new(),
            used: 0,
            filled: 0,
            since: now,
            heard: 0,
            drained: None,
        }
    }

    async fn greet<S: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: &mut S) -> Ended {
        self.input.resize(COMMAND_BUFFER, 0);
        if !self.client.is_loopback() {
            match timeout(GREETING_PAUSE, stream.read(&mut self.input)).await {
                Ok(Ok(0) | Err(_)) => return Ended::Gone,
                Ok(Ok(_)) => return self.end(stream, Goodbye::Hasty).await,
                Err(_) => {}
            }
        }
        self.session.greet();
        Ended::Open
    }

    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: &mut S) -> Ended {
        loop {
            while let Some(effect) = self.feed() {
                match self.act(stream, effect).await {
                    Ended::Open => {}
                    ended => return ended,
                }
            }
            if self.send(stream).await.is_err() {
                return Ended::Gone;
            }
            match self.hear(stream).await {
                Heard::Octets => {}
                Heard::Nothing => return Ended::Gone,
                Heard::Enough(why) => return self.end(stream, why).await,
            }
        }
    }

    /// Feeds what was read up to the next effect; `None` when more must be read.
    fn feed(&mut self) -> Option<Effect> {
        let fed = self.session.feed(&self.input[self.used..self.filled]);
        self.used += fed.used;
        fed.effect
    }

    async fn act<S: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: &mut S, effect: Effect) -> Ended {
        let intake = self.door.intake();
        match effect {
            Effect::AskReady => {
                let answer = intake.ready().await;
                if let Err(error) = &answer {
                    warn!(client = %self.client, %error, "a sender was told to come back later");
                }
                self.session.ready(answer);
            }
            Effect::AskRecipient(address) => self.session.recipient(intake.recipient(&address)),
            Effect::StartData if self.used < self.filled => return self.end(stream, Goodbye::Hasty).await,
            Effect::StartData => self.start_data(),
            Effect::Accept(incoming) => return self.accept(stream, incoming).await,
            Effect::StartTls => {
                (self.used, self.filled) = (0, 0);
                return if self.send(stream).await.is_ok() { Ended::StartTls } else { Ended::Gone };
            }
            Effect::Delay(delay) => {
                tokio::select! {
                    () = self.stop.cancelled() => {}
                    () = sleep(delay) => {}
                }
            }
            Effect::Close => return if self.send(stream).await.is_ok() { Ended::Closed } else { Ended::Gone },
        }
        Ended::Open
    }

    fn start_data(&mut self) {
        let hostname = self.door.hostname();
        let trace = Trace {
            hello: self.session.hello(),
            client: self.client,
            hostname: &hostname,
            protocol: self.session.protocol(),
        };
        let field = trace.field(self.door.now());
        self.session.start_data(&field);
        self.input.resize(DATA_BUFFER, 0);
    }

    async fn accept<S: AsyncWrite + Unpin>(&mut self, stream: &mut S, incoming: Incoming) -> Ended {
        let began = Instant::now();
        let Incoming { mail_from, recipients, message } = incoming;
        let message: Arc<[u8]> = message.into();
        let received_at = self.door.now();
        let copies = recipients
            .into_iter()
            .map(|Addressee { shop, letter, rcpt_to }| NewCopy {
                shop,
                mail_from: mail_from.clone(),
                rcpt_to,
                handed: Handed {
                    client: Some(self.client),
                    hello: self.session.hello().to_owned(),
                    tls: self.session.is_secured(),
                    ..Handed::default()
                },
                answers: letter,
                message: Arc::clone(&message),
                received_at,
            })
            .collect();
        let answer = self.door.intake().accept(copies).await;
        self.session.kept(answer.as_deref().map_err(Clone::clone));
        // The sender waits for this, and nobody for the line in the log.
        let sent = self.send(stream).await;
        self.door.meter().message(answer.as_ref().ok().map(Vec::len), message.len(), began.elapsed());
        let (client, tls, octets) = (self.client, self.session.is_secured(), message.len());
        match &answer {
            Ok(ids) => {
                info!(%client, tls, octets, copy = ids.first().map_or(0, |id| id.0), copies = ids.len(), "copy kept")
            }
            Err(error) => {
                warn!(%client, tls, octets, %error, "a copy was not kept, the client was told to come back later")
            }
        }
        if sent.is_ok() { Ended::Open } else { Ended::Gone }
    }

    async fn send<S: AsyncWrite + Unpin>(&mut self, stream: &mut S) -> io::Result<()> {
        let replies = self.session.replies();
        if replies.is_empty() {
            return Ok(());
        }
        let sending = async {
            stream.write_all(replies).await?;
            stream.flush().await
        };
        timeout(self.limits.command_timeout, sending).await.map_err(|_| io::ErrorKind::TimedOut)??;
        self.door.meter().replied(replies);
        replies.clear();
        (self.since, self.heard) = (Instant::now(), 0);
        Ok(())
    }

    async fn hear<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> Heard {
        let (waiting, in_data) = (Instant::now(), self.session.in_data());
        if !in_data && self.input.len() > COMMAND_BUFFER {
            self.input = vec![0; COMMAND_BUFFER];
        }
        loop {
            if self.stop.is_cancelled() {
                if !in_data {
                    return Heard::Enough(Goodbye::Stopping);
                }
                self.drained.get_or_insert(Instant::now() + DRAIN);
            }
            let now = Instant::now();
            let patience = if in_data { waiting } else { self.since } + SCARCE_PATIENCE;
            if patience <= now && self.door.places_are_scarce() {
                return Heard::Enough(Goodbye::TimedOut);
            }
            let deadline = self.deadline(waiting, in_data);
            let glance = deadline.min(if patience > now { patience } else { now + SCARCE_PATIENCE });
            let read = tokio::select! {
                biased;
                () = self.stop.cancelled(), if self.drained.is_none() => continue,
                read = timeout_at(glance, stream.read(&mut self.input)) => read,
            };
            match read {
                Ok(Ok(0) | Err(_)) => return Heard::Nothing,
                Ok(Ok(octets)) => {
                    (self.used, self.filled) = (0, octets);
                    self.heard = self.heard.saturating_add(u32::try_from(octets).unwrap_or(u32::MAX));
                    return Heard::Octets;
                }
                Err(_) if self.drained.is_some_and(|by| by <= Instant::now()) => {
                    return Heard::Enough(Goodbye::Stopping);
                }
                Err(_) if deadline <= Instant::now() => return Heard::Enough(Goodbye::TimedOut),
                Err(_) => {}
            }
        }
    }

    /// A command has its time from the last reply on, however its octets trickle in. A message may pause, but must not be slower
    /// than [`SLOWEST`] in all.
    fn deadline(&self, waiting: Instant, in_data: bool) -> Instant {
        let own = if in_data {
            let pause = waiting + self.limits.data_timeout;
            pause.min(self.since + self.limits.data_timeout + Duration::from_secs(1) * self.heard / SLOWEST)
        } else {
            self.since + self.limits.command_timeout
        };
        own.min(self.ends).min(self.drained.unwrap_or(own))
    }

    async fn end<S: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: &mut S, why: Goodbye) -> Ended {
        self.session.end(why);
        if self.send(stream).await.is_ok() { Ended::Closed } else { Ended::Gone }
    }

    /// Closes so that the client can read our last word.
    async fn leave<S: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: &mut S, ended: &Ended) {
        let client = self.client;
        match self.session.last_refusal() {
            Some(reply) => {
                info!(%client, tls = self.session.is_secured(), reply, "session ended; this was its last refusal")
            }
            None => debug!(%client, tls = self.session.is_secured(), "session ended"),
        }
        if !matches!(ended, Ended::Closed) {
            return;
        }
        let lingering = async {
            if stream.shutdown().await.is_err() {
                return;
            }
            let mut dropped = 0;
            while let Ok(octets @ 1..) = stream.read(&mut self.input).await {
                dropped += octets;
                if dropped > LINGER_OCTETS {
                    break;
                }
            }
        };
        // The outcome does not matter: all was said.
        let _ = timeout(LINGER, lingering).await;
    }
}

/// What came of waiting for the client.
enum Heard {
    Octets,
    Nothing,
    Enough(Goodbye),
}
