//! One client's connection: reads octets for the [`Session`], does what it asks for, sends its replies, and keeps every wait
//! within its bounds. A step that has begun to store a message is never cut short; only waits for the client are.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::client::Client;
use super::listener::Door;
use super::session::{Addressee, Effect, Goodbye, Incoming, LoginAnswer, Profile, Session};
use super::tls::fingerprint;
use super::trace::Trace;
use crate::config::{Limits, Listener, ListenerTls, Role};
use crate::domain::{CopyId, Handed, Way};
use crate::ops::accept::{NewCopy, NotNow};

/// Octets of commands that are read in one go; pipelined commands fit.
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

/// Serves one client until it is gone, or until TLS begins: then what is left to do is returned. `stop` ends the session at the next
/// command, or after the message that is being read.
pub async fn attend<S>(
    door: &Arc<Door>,
    listener: &Listener,
    mut stream: S,
    client: Client,
    stop: &CancellationToken,
) -> Option<Inside<S>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let tls = door.handshake(listener);
    let mut connection = Connection::new(door, listener, client, stop, tls.is_some());
    if listener.tls == ListenerTls::Implicit {
        if tls.is_none() {
            warn!(%client, "a listener with tls = \"implicit\" has no certificate any more; the connection was closed");
        }
        return Some(Inside { connection: Box::new(connection), tls: tls?, stream, greets: true });
    }
    let ended = match connection.greet(&mut stream).await {
        Ended::Open => connection.converse(&mut stream).await,
        ended => ended,
    };
    match (ended, tls) {
        (Ended::StartTls, Some(tls)) => Some(Inside { connection: Box::new(connection), tls, stream, greets: false }),
        (ended, _) => {
            connection.leave(&mut stream, &ended).await;
            None
        }
    }
}

/// A session of which the rest is inside TLS.
pub struct Inside<S> {
    connection: Box<Connection>,
    tls: Arc<ServerConfig>,
    stream: S,
    /// It has not begun yet.
    greets: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Inside<S> {
    /// Shakes hands, and serves the client until it is gone.
    pub async fn attend(self) {
        let Self { mut connection, tls, stream, greets } = self;
        let Some(mut stream) = connection.shake_hands(tls, stream).await else { return };
        connection.session.secured();
        let mut ended = Ended::Open;
        if greets {
            ended = connection.greet(&mut stream).await;
        }
        if matches!(ended, Ended::Open) {
            ended = connection.converse(&mut stream).await;
        }
        connection.leave(&mut stream, &ended).await;
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

struct Connection {
    door: Arc<Door>,
    client: Client,
    role: Role,
    stop: CancellationToken,
    limits: Arc<Limits>,
    session: Session,
    /// What was read; holds no memory while the client is waited for.
    input: Vec<u8>,
    used: usize,
    /// The fingerprint of the client's certificate.
    certificate: Option<String>,
    /// When the session is over whatever happens.
    ends: Instant,
    /// Since when a command, or the message, is waited for.
    since: Instant,
    /// Octets that came since then.
    heard: u32,
    /// When a message must be complete, once the service stops.
    drained: Option<Instant>,
}

impl Connection {
    fn new(door: &Arc<Door>, listener: &Listener, client: Client, stop: &CancellationToken, offers_tls: bool) -> Self {
        let limits = door.limits();
        let now = Instant::now();
        let profile = Profile {
            hostname: door.hostname(),
            limits: Arc::clone(&limits),
            offers_tls,
            role: listener.role,
            requires_tls: listener.tls == ListenerTls::Required,
            offers_login: door.intake().has_logins(),
            is_local: client == Client::Beside,
        };
        Self {
            door: Arc::clone(door),
            client,
            role: listener.role,
            stop: stop.clone(),
            ends: now + limits.session_timeout,
            limits,
            session: Session::new(profile),
            input: Vec::new(),
            used: 0,
            certificate: None,
            since: now,
            heard: 0,
            drained: None,
        }
    }

    async fn shake_hands<S>(&mut self, tls: Arc<ServerConfig>, stream: S) -> Option<Box<TlsStream<S>>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let client = self.client;
        // In a box: it is larger than all that comes after it.
        let handshake = Box::pin(TlsAcceptor::from(tls).accept(stream));
        let secured = tokio::select! {
            () = self.stop.cancelled() => return None,
            secured = self.patiently(handshake) => secured,
        };
        match secured {
            Some(Ok(stream)) => {
                self.door.meter().shook_hands(stream.get_ref().1.protocol_version());
                let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
                self.certificate = shown.map(fingerprint);
                self.since = Instant::now();
                Some(Box::new(stream))
            }
            Some(Err(error)) => {
                self.door.meter().shook_hands(None);
                info!(%client, %error, "the TLS handshake failed");
                None
            }
            None => {
                self.door.meter().shook_hands(None);
                info!(%client, "the TLS handshake took too long");
                None
            }
        }
    }

    /// Waits for what is up to the client: as long as for a command, or [`SCARCE_PATIENCE`] while places are scarce.
    async fn patiently<F: Future>(&self, what: F) -> Option<F::Output> {
        let ends = Instant::now() + self.limits.command_timeout;
        let mut what = pin!(what);
        loop {
            let glance = ends.min(Instant::now() + SCARCE_PATIENCE);
            match timeout_at(glance, what.as_mut()).await {
                Ok(done) => return Some(done),
                Err(_) if glance >= ends || self.door.places_are_scarce() => return None,
                Err(_) => {}
            }
        }
    }

    async fn greet<S: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: &mut S) -> Ended {
        if !self.client.is_local() {
            let hasty = poll_fn(|cx| poll_input::<_, 1>(stream, cx, &mut self.input));
            match timeout(GREETING_PAUSE, hasty).await {
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
            self.session.press(self.door.places_are_scarce());
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
        let fed = self.session.feed(self.input.get(self.used..).unwrap_or_default());
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
            Effect::StartData if self.used < self.input.len() => return self.end(stream, Goodbye::Hasty).await,
            Effect::StartData => self.start_data(),
            Effect::Accept(incoming) => return self.accept(stream, incoming).await,
            Effect::Authenticate { user, password } => {
                let answer = self.authenticate(&user, &password).await;
                self.door.meter().login(&answer);
                self.session.logged_in(answer);
            }
            Effect::StartTls => {
                (self.input, self.used) = (Vec::new(), 0);
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
            client: self.client.address(),
            hostname: &hostname,
            protocol: self.session.protocol(),
        };
        let field = trace.field(self.door.now());
        self.session.start_data(&field);
    }

    async fn accept<S: AsyncWrite + Unpin>(&mut self, stream: &mut S, incoming: Incoming) -> Ended {
        let began = Instant::now();
        let Incoming { mail_from, recipients, message } = incoming;
        let message: Arc<[u8]> = message.into();
        let received_at = self.door.now();
        let copies = recipients.into_iter().map(|Addressee { shop, letter, rcpt_to }| NewCopy {
            shop,
            mail_from: mail_from.clone(),
            rcpt_to,
            handed: self.handed(),
            answers: letter,
            message: Arc::clone(&message),
            received_at,
        });
        let answers = self.keep(copies.collect()).await;
        self.session.kept(&answers);
        // The sender waits for this, and nobody for the line in the log.
        let sent = self.send(stream).await;
        let (client, tls, octets) = (self.client, self.session.is_secured(), message.len());
        let kept = answers.iter().filter_map(|answer| answer.as_ref().ok());
        self.door.meter().message(kept.clone().count(), octets, began.elapsed());
        if let Some(first) = kept.clone().next() {
            info!(%client, tls, octets, copy = first.0, copies = kept.count(), "copy kept");
        }
        if let Some(Err(error)) = answers.iter().find(|answer| answer.is_err()) {
            warn!(%client, tls, octets, %error, "a copy was not kept, the client was told to come back later");
        }
        if sent.is_ok() { Ended::Open } else { Ended::Gone }
    }

    /// Has the copies of one message kept, and says of each whether it was. Over SMTP all or none are; LMTP has an answer for each.
    async fn keep(&self, copies: Vec<NewCopy>) -> Vec<Result<CopyId, NotNow>> {
        let intake = self.door.intake();
        let alone = match self.role {
            Role::Lmtp => copies.into_iter().map(|copy| vec![copy]).collect(),
            Role::Smtp | Role::Submission => vec![copies],
        };
        let mut answers = Vec::new();
        for together in alone {
            let count = together.len();
            match intake.accept(together).await {
                Ok(ids) => answers.extend(ids.into_iter().map(Ok)),
                Err(error) => answers.extend(std::iter::repeat_n(Err(error), count)),
            }
        }
        answers
    }

    fn handed(&self) -> Handed {
        Handed {
            way: match self.role {
                Role::Smtp => Way::Smtp,
                Role::Submission => Way::Submission,
                Role::Lmtp => Way::Lmtp,
            },
            client: self.client.address(),
            hello: self.session.hello().to_owned(),
            tls: self.session.is_secured(),
            user: self.session.user().map(str::to_owned),
            certificate: self.certificate.clone(),
        }
    }

    /// Whether this is who it says, unless too many from its network were not.
    async fn authenticate(&self, user: &str, password: &[u8]) -> LoginAnswer {
        let client = self.client;
        if !self.door.may_try_password(client) {
            info!(%client, "a login was not looked at: too many from this network failed");
            return LoginAnswer::TooManyGuesses;
        }
        match self.door.intake().authenticate(user, password).await {
            Ok(true) => LoginAnswer::Right,
            Ok(false) => {
                self.door.had_wrong_password(client);
                info!(%client, "a login failed");
                LoginAnswer::Wrong
            }
            Err(error) => {
                warn!(%client, %error, "a login could not be checked");
                LoginAnswer::NotNow
            }
        }
    }

    async fn send<S: AsyncWrite + Unpin>(&mut self, stream: &mut S) -> io::Result<()> {
        // Taken out: while the client is waited for, they hold no memory.
        let replies = std::mem::take(self.session.replies());
        if replies.is_empty() {
            return Ok(());
        }
        let sending = async {
            stream.write_all(&replies).await?;
            stream.flush().await
        };
        self.patiently(sending).await.ok_or(io::ErrorKind::TimedOut)??;
        self.door.meter().replied(&replies);
        (self.since, self.heard) = (Instant::now(), 0);
        Ok(())
    }

    async fn hear<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> Heard {
        let (waiting, in_data, stop) = (Instant::now(), self.session.in_data(), &self.stop);
        loop {
            if stop.is_cancelled() {
                if !in_data {
                    return Heard::Enough(Goodbye::Stopping);
                }
                self.drained.get_or_insert(Instant::now() + DRAIN);
            }
            let now = Instant::now();
            let patience = self.until(waiting, in_data, SCARCE_PATIENCE, SCARCE_PATIENCE);
            if patience <= now && self.door.places_are_scarce() {
                return Heard::Enough(Goodbye::TimedOut);
            }
            let deadline = self.deadline(waiting, in_data);
            let glance = deadline.min(if patience > now { patience } else { now + SCARCE_PATIENCE });
            let octets = poll_fn(|cx| match in_data {
                true => poll_input::<_, DATA_BUFFER>(stream, cx, &mut self.input),
                false => poll_input::<_, COMMAND_BUFFER>(stream, cx, &mut self.input),
            });
            let read = tokio::select! {
                biased;
                () = stop.cancelled(), if self.drained.is_none() => continue,
                read = timeout_at(glance, octets) => read,
            };
            match read {
                Ok(Ok(0) | Err(_)) => return Heard::Nothing,
                Ok(Ok(octets)) => {
                    self.used = 0;
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

    fn deadline(&self, waiting: Instant, in_data: bool) -> Instant {
        let own = self.until(waiting, in_data, self.limits.command_timeout, self.limits.data_timeout);
        own.min(self.ends).min(self.drained.unwrap_or(own))
    }

    /// A command has its time from the last reply on, however its octets trickle in. A message may pause, but must not be slower
    /// than [`SLOWEST`] in all.
    fn until(&self, waiting: Instant, in_data: bool, command: Duration, data: Duration) -> Instant {
        if in_data {
            (waiting + data).min(self.since + data + Duration::from_secs(1) * self.heard / SLOWEST)
        } else {
            self.since + command
        }
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
            self.input.resize(COMMAND_BUFFER, 0);
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

/// Reads up to `N` octets in place of those of the last time. The room for them is on the stack of whoever polls, so that a session
/// that waits for its client, as nearly all do, holds no buffer.
fn poll_input<S, const N: usize>(stream: &mut S, cx: &mut Context<'_>, input: &mut Vec<u8>) -> Poll<io::Result<usize>>
where
    S: AsyncRead + Unpin,
{
    let mut room = [MaybeUninit::uninit(); N];
    let mut room = ReadBuf::uninit(&mut room);
    let polled = Pin::new(stream).poll_read(cx, &mut room);
    if polled.is_pending() {
        *input = Vec::new();
    }
    ready!(polled)?;
    input.clear();
    input.extend_from_slice(room.filled());
    Poll::Ready(Ok(input.len()))
}

/// What came of waiting for the client.
enum Heard {
    Octets,
    Nothing,
    Enough(Goodbye),
}
