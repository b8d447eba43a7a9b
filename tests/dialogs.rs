//! SMTP dialogs against the door. The scripts in `tests/fixtures/dialogs` are run twice: against the bare session, octet by octet
//! too, and through the listener over a socket. The end-of-data matrix is generated, in the clear and inside TLS.
//!
//! A script is a text file. `#` comments; `limits: name=value …`, `tls: yes` and `intake: ready=full,ok dot=unavailable` come
//! first. Then: `C:` a line that the client sends, with CRLF; `R:` raw octets without it; `S:` how the next reply line begins;
//! `TLS` the handshake; `CLOSED` the server hung up; `KEPT: n` copies taken in so far; `BODY:` the last message. In `C`, `R` and
//! `BODY` stand the escapes `\r \n \0 \\ \xHH` and `\{n}x`, n times the next character. Sends in a row go out as one write.
#![cfg(feature = "daemon")]
#![expect(clippy::unwrap_used, reason = "what a test does not expect is its failure")]

use std::collections::VecDeque;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use async_trait::async_trait;
use invited::config::{self, Limits, TlsFiles};
use invited::domain::{CopyId, ShopId, Timestamp};
use invited::door::{Door, Effect, Goodbye, Profile, Session, load_tls, serve};
use invited::ops::accept::{Intake, NewCopy, NotNow, Recipient};
use proptest::prelude::*;
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, client, rustls};
use tokio_util::sync::CancellationToken;

const HOSTNAME: &str = "mail.example.com";
const SHOP: &str = "shop1+0123456789abcdef@in.example.com";
const PATIENCE: Duration = Duration::from_secs(10);
/// What the bare session is given as its trace header.
const TRACE: &[u8] = b"Received: from a test\r\n\t; today\r\n";

// ---------------------------------------------------------------------------------------------------------------- the scripts

#[derive(Default)]
struct Script {
    limits: Limits,
    tls: bool,
    ready: VecDeque<Result<(), NotNow>>,
    dot: VecDeque<Result<(), NotNow>>,
    steps: Vec<(usize, Step)>,
}

#[derive(Clone)]
enum Step {
    Send(Vec<u8>),
    Expect(String),
    Tls,
    Closed,
    Kept(usize),
    Body(Vec<u8>),
}

impl Script {
    fn parse(text: &str) -> Self {
        let mut script =
            Self { limits: Limits { error_delay: Duration::ZERO, ..Limits::default() }, ..Self::default() };
        for (index, line) in text.lines().enumerate() {
            let (key, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            let step = match key {
                "" => continue,
                _ if key.starts_with('#') => continue,
                "limits" => {
                    value.split(' ').for_each(|limit| set(&mut script.limits, limit));
                    continue;
                }
                "tls" => {
                    script.tls = value == "yes";
                    continue;
                }
                "intake" => {
                    value.split(' ').for_each(|plan| script.plan(plan));
                    continue;
                }
                "C" => Step::Send([unescape(value), b"\r\n".to_vec()].concat()),
                "R" => Step::Send(unescape(value)),
                "S" => Step::Expect(value.to_owned()),
                "TLS" => Step::Tls,
                "CLOSED" => Step::Closed,
                "KEPT" => Step::Kept(value.parse().unwrap()),
                "BODY" => Step::Body(unescape(value)),
                _ => panic!("line {}: {line}", index + 1),
            };
            match (script.steps.last_mut(), step) {
                (Some((_, Step::Send(before))), Step::Send(more)) => before.extend(more),
                (_, step) => script.steps.push((index + 1, step)),
            }
        }
        script
    }

    fn plan(&mut self, plan: &str) {
        let (question, answers) = plan.split_once('=').unwrap();
        let queue = match question {
            "ready" => &mut self.ready,
            "dot" => &mut self.dot,
            _ => panic!("{plan}"),
        };
        queue.extend(answers.split(',').map(|answer| match answer {
            "ok" => Ok(()),
            "full" => Err(NotNow::Full),
            "unavailable" => Err(NotNow::Unavailable),
            _ => panic!("{plan}"),
        }));
    }

    fn intake(&self) -> Arc<FakeIntake> {
        let (ready, dot) = (self.ready.clone().into(), self.dot.clone().into());
        Arc::new(FakeIntake { ready, dot, kept: Mutex::default() })
    }
}

fn set(limits: &mut Limits, limit: &str) {
    let (name, value) = limit.split_once('=').unwrap();
    let value = value.parse::<u32>().unwrap();
    let number = usize::try_from(value).unwrap();
    match name {
        "command_line" => limits.command_line = number,
        "data_line" => limits.data_line = number,
        "message" => limits.message = number,
        "header" => limits.header = number,
        "received" => limits.received = number,
        "recipients" => limits.recipients = number,
        "errors" => limits.errors = value,
        "idle_commands" => limits.idle_commands = value,
        "error_delay_ms" => limits.error_delay = Duration::from_millis(value.into()),
        _ => panic!("{limit}"),
    }
}

fn unescape(text: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        octets.extend_from_slice(&rest.as_bytes()[..at]);
        let (escape, after) = rest[at + 1..].split_at(1);
        rest = after;
        match escape {
            "r" => octets.push(b'\r'),
            "n" => octets.push(b'\n'),
            "0" => octets.push(0),
            "\\" => octets.push(b'\\'),
            "x" => {
                octets.push(u8::from_str_radix(&rest[..2], 16).unwrap());
                rest = &rest[2..];
            }
            "{" => {
                let (times, after) = rest.split_once('}').unwrap();
                octets.extend(std::iter::repeat_n(after.as_bytes()[0], times.parse().unwrap()));
                rest = &after[1..];
            }
            _ => panic!("\\{escape}"),
        }
    }
    octets.extend_from_slice(rest.as_bytes());
    octets
}

fn scripts() -> Vec<(String, Script)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dialogs");
    let mut paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    paths.sort();
    assert!(paths.len() >= 30, "only {} scripts", paths.len());
    paths
        .iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(name.ends_with(".smtp"), "{name} is no script");
            (name, Script::parse(&fs::read_to_string(path).unwrap()))
        })
        .collect()
}

// ----------------------------------------------------------------------------------------------------------------- the intake

struct FakeIntake {
    ready: Mutex<VecDeque<Result<(), NotNow>>>,
    dot: Mutex<VecDeque<Result<(), NotNow>>>,
    kept: Mutex<Vec<NewCopy>>,
}

impl FakeIntake {
    fn whose(address: &str) -> Recipient {
        match address {
            SHOP | "shop1+fedcba9876543210@in.example.com" => Recipient::Shop(ShopId::parse("shop1").unwrap()),
            "shop2+0123456789abcdef@in.example.com" => Recipient::Shop(ShopId::parse("shop2").unwrap()),
            _ => Recipient::Unknown,
        }
    }

    fn keep(&self, copies: Vec<NewCopy>) -> Result<Vec<CopyId>, NotNow> {
        next(&self.dot)?;
        let mut kept = self.kept.lock().unwrap();
        let first = i64::try_from(kept.len()).unwrap() + 1;
        let ids = (first..).take(copies.len()).map(CopyId).collect();
        kept.extend(copies);
        Ok(ids)
    }

    fn count(&self) -> usize {
        self.kept.lock().unwrap().len()
    }

    /// The last message without its trace header.
    fn last_body(&self) -> Vec<u8> {
        let kept = self.kept.lock().unwrap();
        let message = &kept.last().expect("a copy").message;
        assert!(message.starts_with(b"Received: from "), "no trace header");
        let end = message.windows(3).position(|three| three[..2] == *b"\r\n" && three[2] != b'\t').map(|at| at + 2);
        message[end.unwrap_or(message.len())..].to_vec()
    }
}

fn next(queue: &Mutex<VecDeque<Result<(), NotNow>>>) -> Result<(), NotNow> {
    queue.lock().unwrap().pop_front().unwrap_or(Ok(()))
}

#[async_trait]
impl Intake for FakeIntake {
    fn recipient(&self, address: &str) -> Recipient {
        Self::whose(address)
    }

    async fn ready(&self) -> Result<(), NotNow> {
        next(&self.ready)
    }

    async fn accept(&self, copies: Vec<NewCopy>, _now: Timestamp) -> Result<Vec<CopyId>, NotNow> {
        self.keep(copies)
    }
}

// ------------------------------------------------------------------------------------------------------- (a) the bare session

/// Plays the shell's part for a session, without any I/O.
struct Bare {
    session: Session,
    intake: Arc<FakeIntake>,
    said: Vec<u8>,
    closed: bool,
    handshake: bool,
    /// Whether octets that wait behind DATA end the session, as they do in the shell.
    watchful: bool,
}

impl Bare {
    fn new(limits: &Limits, tls: bool, intake: Arc<FakeIntake>, watchful: bool) -> Self {
        let profile = Profile { hostname: HOSTNAME.into(), limits: Arc::new(limits.clone()), offers_tls: tls };
        let mut session = Session::new(profile);
        session.greet();
        Self { session, intake, said: Vec::new(), closed: false, handshake: false, watchful }
    }

    fn send(&mut self, octets: &[u8]) {
        let mut used = 0;
        while !self.closed && !self.handshake {
            let fed = self.session.feed(&octets[used..]);
            used += fed.used;
            match fed.effect {
                None => {
                    assert_eq!(used, octets.len(), "octets were left without an effect");
                    break;
                }
                Some(Effect::AskReady) => self.session.ready(next(&self.intake.ready)),
                Some(Effect::AskRecipient(address)) => self.session.recipient(FakeIntake::whose(&address)),
                Some(Effect::StartData) if self.watchful && used < octets.len() => {
                    self.session.end(Goodbye::Hasty);
                    self.closed = true;
                }
                Some(Effect::StartData) => self.session.start_data(TRACE),
                Some(Effect::Accept(incoming)) => {
                    let message: Arc<[u8]> = incoming.message.into();
                    let copies = incoming.recipients.into_iter().map(|(shop, rcpt_to)| NewCopy {
                        shop,
                        rcpt_to,
                        mail_from: incoming.mail_from.clone(),
                        client: None,
                        hello: self.session.hello().to_owned(),
                        tls: self.session.is_secured(),
                        message: Arc::clone(&message),
                    });
                    let answer = self.intake.keep(copies.collect());
                    self.session.kept(answer.as_deref().map_err(Clone::clone));
                }
                Some(Effect::Delay(_)) => {}
                Some(Effect::StartTls) => self.handshake = true,
                Some(Effect::Close) => self.closed = true,
            }
        }
        self.said.append(self.session.replies());
    }

    fn line(&mut self) -> Option<String> {
        self.said.append(self.session.replies());
        let end = self.said.iter().position(|byte| *byte == b'\n')?;
        let line = self.said.drain(..=end).collect::<Vec<_>>();
        Some(String::from_utf8(line).unwrap().trim_end().to_owned())
    }

    fn play(&mut self, script: &Script, piece: usize) -> Result<(), String> {
        for (line, step) in &script.steps {
            let fault = |what: String| Err(format!("line {line}: {what}"));
            match step {
                Step::Send(octets) => octets.chunks(piece).for_each(|piece| self.send(piece)),
                Step::Expect(begin) => match self.line() {
                    Some(reply) if reply.starts_with(begin) => {}
                    other => return fault(format!("expected {begin:?}, got {other:?}")),
                },
                Step::Tls => {
                    if !std::mem::take(&mut self.handshake) {
                        return fault("no handshake is due".to_owned());
                    }
                    self.session.secured();
                }
                Step::Closed if !self.closed => return fault("not closed".to_owned()),
                Step::Closed => {}
                Step::Kept(count) if self.intake.count() != *count => {
                    return fault(format!("{} kept", self.intake.count()));
                }
                Step::Kept(_) => {}
                Step::Body(body) if self.intake.last_body() != *body => {
                    return fault(format!("the message is {:?}", String::from_utf8_lossy(&self.intake.last_body())));
                }
                Step::Body(_) => {}
            }
        }
        match self.line() {
            Some(more) => Err(format!("one reply too many: {more}")),
            None => Ok(()),
        }
    }
}

#[test]
fn the_bare_session_keeps_to_every_script() {
    let mut faults = Vec::new();
    for (name, script) in scripts() {
        // By single octets nothing can wait behind DATA, so the scripts about that make no sense then.
        let pieces: &[usize] = if name.starts_with("hasty") { &[usize::MAX] } else { &[usize::MAX, 1, 3] };
        for piece in pieces {
            let mut bare = Bare::new(&script.limits, script.tls, script.intake(), true);
            if let Err(fault) = bare.play(&script, *piece) {
                faults.push(format!("{name} by {piece}: {fault}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

// --------------------------------------------------------------------------------------------------- (b) the shell on a socket

struct Server {
    door: Arc<Door>,
    intake: Arc<FakeIntake>,
    address: std::net::SocketAddr,
    trusted: Option<CertificateDer<'static>>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn start(script: &Script) -> Self {
        let mut trusted = None;
        let tls = script.tls.then(|| {
            let folder = tempfile::tempdir().unwrap();
            let pair = rcgen::generate_simple_self_signed(vec![HOSTNAME.to_owned()]).unwrap();
            let files = TlsFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
            fs::write(&files.certificate, pair.cert.pem()).unwrap();
            fs::write(&files.key, pair.signing_key.serialize_pem()).unwrap();
            trusted = Some(pair.cert.der().clone());
            load_tls(&files).unwrap()
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = config::Door {
            listen: vec![address],
            hostname: HOSTNAME.to_owned(),
            tls: None,
            limits: script.limits.clone(),
        };
        let intake = script.intake();
        let shared: Arc<dyn Intake> = Arc::<FakeIntake>::clone(&intake);
        let door = Arc::new(Door::new(&config, tls, shared, Arc::new(|| Timestamp::from_seconds(1_795_251_600))));
        let stop = CancellationToken::new();
        let running = tokio::spawn(serve(Arc::clone(&door), listener, stop.clone()));
        Self { door, intake, address, trusted, stop, running }
    }

    async fn connect(&self) -> Client<TcpStream> {
        Client { stream: TcpStream::connect(self.address).await.unwrap(), heard: Vec::new() }
    }

    async fn secure(&self, plain: TcpStream) -> client::TlsStream<TcpStream> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.trusted.clone().expect("the script says tls")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config)).connect(HOSTNAME.try_into().unwrap(), plain).await.unwrap()
    }

    async fn end(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.running).await.expect("the listener returns").unwrap();
    }
}

struct Client<S> {
    stream: S,
    heard: Vec<u8>,
}

trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire for S {}

impl<S: Wire> Client<S> {
    async fn send(&mut self, octets: &[u8]) {
        // The server may have hung up by now, which a later step tells.
        let _ = self.stream.write_all(octets).await;
        let _ = self.stream.flush().await;
    }

    /// The next reply line; `None` at the end.
    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line = self.heard.drain(..=end).collect::<Vec<_>>();
                return Some(String::from_utf8(line).unwrap().trim_end().to_owned());
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.heard)).await.expect("a reply in time");
            if !matches!(read, Ok(1..)) {
                return None;
            }
        }
    }

    /// Expects reply lines that begin like this.
    async fn hear(&mut self, begins: &[&str]) {
        for begin in begins {
            let reply = self.line().await.expect(begin);
            assert!(reply.starts_with(begin), "expected {begin:?}, got {reply:?}");
        }
    }

    /// Sends a line and expects a reply that begins like this.
    async fn say(&mut self, line: &str, begin: &str) {
        self.send(format!("{line}\r\n").as_bytes()).await;
        self.hear(&[begin]).await;
    }

    /// From EHLO to 354.
    async fn open_message(&mut self) {
        self.send(b"EHLO client.example\r\n").await;
        while !self.line().await.expect("EHLO is answered").starts_with("250 ") {}
        self.say("MAIL FROM:<a@example.com>", "250 ").await;
        self.say(&format!("RCPT TO:<{SHOP}>"), "250 ").await;
        self.say("DATA", "354 ").await;
    }
}

async fn play_on_a_socket(script: &Script) -> Result<(), String> {
    let server = Server::start(script).await;
    let mut plain = server.connect().await;
    match script.steps.iter().position(|(_, step)| matches!(step, Step::Tls)) {
        None => {
            play_steps(&mut plain, &script.steps, &server).await?;
            finish(plain).await?;
        }
        Some(handshake) => {
            play_steps(&mut plain, &script.steps[..handshake], &server).await?;
            if !plain.heard.is_empty() {
                return Err("octets in the clear after the reply to STARTTLS".to_owned());
            }
            let mut secured = Client { stream: server.secure(plain.stream).await, heard: Vec::new() };
            play_steps(&mut secured, &script.steps[handshake + 1..], &server).await?;
            finish(secured).await?;
        }
    }
    server.end().await;
    Ok(())
}

async fn play_steps<S: Wire>(client: &mut Client<S>, steps: &[(usize, Step)], server: &Server) -> Result<(), String> {
    for (line, step) in steps {
        let fault = |what: String| Err(format!("line {line}: {what}"));
        match step {
            Step::Send(octets) => client.send(octets).await,
            Step::Expect(begin) => match client.line().await {
                Some(reply) if reply.starts_with(begin) => {}
                other => return fault(format!("expected {begin:?}, got {other:?}")),
            },
            Step::Closed => {
                if let Some(more) = client.line().await {
                    return fault(format!("not closed but {more}"));
                }
            }
            Step::Kept(count) if server.intake.count() != *count => {
                return fault(format!("{} kept", server.intake.count()));
            }
            Step::Body(body) if server.intake.last_body() != *body => {
                return fault(format!("the message is {:?}", String::from_utf8_lossy(&server.intake.last_body())));
            }
            Step::Kept(_) | Step::Body(_) => {}
            Step::Tls => return fault("a second handshake".to_owned()),
        }
    }
    Ok(())
}

/// Hangs up and sees that nothing is left unread.
async fn finish<S: Wire>(mut client: Client<S>) -> Result<(), String> {
    let _ = client.stream.shutdown().await;
    match client.line().await {
        Some(more) => Err(format!("one reply too many: {more}")),
        None => Ok(()),
    }
}

/// Everything that this program logs, at every level.
#[derive(Clone, Copy)]
struct Log;

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static LOGGING: Once = Once::new();

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn start_logging() {
    LOGGING.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
        tracing::subscriber::set_global_default(subscriber.with_writer(|| Log).finish()).unwrap();
    });
}

#[tokio::test]
async fn the_listener_keeps_to_every_script_and_logs_no_address() {
    start_logging();
    let mut faults = Vec::new();
    for (name, script) in scripts() {
        if let Err(fault) = play_on_a_socket(&script).await {
            faults.push(format!("{name}: {fault}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));

    let log = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
    for expected in ["client=127.0.0.1", "copy kept", "was not kept", "a sender was told", "550 5.1.1", "421 4.7.0"] {
        assert!(log.contains(expected), "{expected} is missing in:\n{log}");
    }
    let own = log.lines().filter(|line| line.contains("invited::"));
    for person in ["@", "shop1", "0123456789abcdef", "client.example", "Subject"] {
        assert!(own.clone().all(|line| !line.contains(person)), "{person} stands in:\n{log}");
    }
}

// ------------------------------------------------------------------------------------------------------------- smuggling, TLS

/// What some server or other takes for the end of a message; only the true end is one here.
const NO_ENDS: [&str; 12] = [
    "\n.\n",
    "\n.\r\n",
    "\r\n.\n",
    "\r.\r",
    "\r.\r\n",
    "\r\n.\r",
    "\r.\n",
    "\n.\r",
    "\r\n\0.\r\n",
    "\r\n.\0\r\n",
    "\r\n.\r\r\n",
    "\r\r\n.\r\r\n",
];

/// A message with `sequence` in it and behind that a second mail's commands; nothing of it may come in.
async fn smuggle<S: Wire>(mut client: Client<S>, server: &Server, sequence: &str) {
    client.open_message().await;
    let smuggled = format!(
        "Subject: one\r\n\r\none{sequence}MAIL FROM:<smuggled@example.com>\r\nRCPT TO:<{SHOP}>\r\nDATA\r\ntwo\r\n.\r\n"
    );
    client.send(smuggled.as_bytes()).await;
    client.say("NOOP", "550 5.5.2").await;
    client.hear(&["250 2.0.0"]).await;
    assert_eq!(server.intake.count(), 0, "{sequence:?}");
    // The session is in step and can deliver.
    client.open_message().await;
    client.send(b"Subject: two\r\n\r\n.\r\n").await;
    client.hear(&["250 2.0.0"]).await;
    assert_eq!(server.intake.count(), 1, "{sequence:?}");
    client.say("QUIT", "221").await;
    assert_eq!(client.line().await, None);
}

#[tokio::test]
async fn no_false_end_of_data_lets_a_second_mail_in() {
    let script = Script::parse("tls: yes");
    for sequence in NO_ENDS {
        let server = Server::start(&script).await;
        let mut client = server.connect().await;
        client.hear(&["220 "]).await;
        smuggle(client, &server, sequence).await;
        server.end().await;

        let server = Server::start(&script).await;
        let mut client = server.connect().await;
        client.hear(&["220 "]).await;
        client.send(b"EHLO client.example\r\n").await;
        while !client.line().await.unwrap().starts_with("250 ") {}
        client.say("STARTTLS", "220 2.0.0").await;
        let client = Client { stream: server.secure(client.stream).await, heard: Vec::new() };
        smuggle(client, &server, sequence).await;
        server.end().await;
    }
}

#[tokio::test]
async fn the_true_end_of_data_is_one() {
    let script = Script::parse("tls: yes");
    for tls in [false, true] {
        let server = Server::start(&script).await;
        let mut plain = server.connect().await;
        plain.hear(&["220 "]).await;
        let message = b"Subject: one\r\n\r\none\r\n.\r\n";
        if tls {
            plain.send(b"EHLO client.example\r\n").await;
            while !plain.line().await.unwrap().starts_with("250 ") {}
            plain.say("STARTTLS", "220 2.0.0").await;
            let mut client = Client { stream: server.secure(plain.stream).await, heard: Vec::new() };
            client.open_message().await;
            client.send(message).await;
            client.hear(&["250 2.0.0"]).await;
        } else {
            plain.open_message().await;
            plain.send(message).await;
            plain.hear(&["250 2.0.0"]).await;
        }
        let kept = server.intake.kept.lock().unwrap().clone();
        assert_eq!(kept.len(), 1);
        assert_eq!((kept[0].tls, kept[0].hello.as_str()), (tls, "client.example"));
        let text = String::from_utf8(kept[0].message.to_vec()).unwrap();
        let protocol = if tls { "ESMTPS" } else { "ESMTP" };
        assert_eq!(
            text,
            format!(
                "Received: from client.example ([127.0.0.1])\r\n\tby {HOSTNAME} with {protocol};\r\n\tSat, 21 Nov 2026 09:00:00 +0000\r\n\
                 Subject: one\r\n\r\none\r\n"
            )
        );
        server.end().await;
    }
}

#[tokio::test]
async fn octets_in_the_clear_instead_of_a_handshake_end_the_session() {
    let server = Server::start(&Script::parse("tls: yes")).await;
    let mut client = server.connect().await;
    client.hear(&["220 "]).await;
    client.send(b"EHLO client.example\r\n").await;
    while !client.line().await.unwrap().starts_with("250 ") {}
    client.say("STARTTLS", "220 2.0.0").await;
    client.send(b"EHLO client.example\r\nMAIL FROM:<a@example.com>\r\n").await;
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, client.stream.read_to_end(&mut rest)).await.expect("closed in time");
    assert!(!rest.windows(3).any(|octets| octets == b"250"), "{rest:?}");
    server.end().await;
}

#[tokio::test]
async fn a_certificate_can_come_and_go_while_the_listener_runs() {
    let server = Server::start(&Script::parse("tls: yes")).await;
    let certificate = server.door.tls();
    for offered in [true, false, true] {
        server.door.set_tls(certificate.clone().filter(|_| offered));
        let mut client = server.connect().await;
        client.hear(&["220 "]).await;
        client.send(b"EHLO client.example\r\n").await;
        client.hear(&["250-", "250-", "250-", "250-", "250-", "250-"]).await;
        client.hear(&[if offered { "250-STARTTLS" } else { "250 HELP" }]).await;
    }
    server.end().await;
}

#[tokio::test]
async fn a_message_cut_off_by_the_end_of_tls_is_no_message_even_with_a_dot_in_the_clear() {
    let server = Server::start(&Script::parse("tls: yes")).await;
    let mut plain = server.connect().await;
    plain.hear(&["220 "]).await;
    plain.send(b"EHLO client.example\r\n").await;
    while !plain.line().await.unwrap().starts_with("250 ") {}
    plain.say("STARTTLS", "220 2.0.0").await;
    let mut client = Client { stream: server.secure(plain.stream).await, heard: Vec::new() };
    client.open_message().await;
    client.send(b"Subject: one\r\n\r\none\r\n").await;
    client.stream.get_mut().1.send_close_notify();
    client.stream.flush().await.unwrap();
    let (mut socket, _) = client.stream.into_inner();
    let _ = socket.write_all(b".\r\n").await;
    let mut rest = Vec::new();
    let read = timeout(PATIENCE, socket.read_to_end(&mut rest)).await.expect("closed in time");
    assert!(read.is_err() || !rest.windows(3).any(|octets| octets == b"250"), "{rest:?}");
    assert_eq!(server.intake.count(), 0);
    server.end().await;
}

#[tokio::test]
async fn a_message_cut_off_by_the_end_of_the_connection_is_no_message() {
    let server = Server::start(&Script::parse("")).await;
    for cut in ["Subject: one\r\n\r\none\r\n", "one\r\n.", "one\r\n.\r"] {
        let mut client = server.connect().await;
        client.hear(&["220 "]).await;
        client.open_message().await;
        client.send(cut.as_bytes()).await;
        client.stream.shutdown().await.unwrap();
        assert_eq!(client.line().await, None);
    }
    assert_eq!(server.intake.count(), 0);
    server.end().await;
}

// ----------------------------------------------------------------------------------------------------- whatever the octets are

/// Octets that look enough like SMTP to get somewhere.
fn smtp_like() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        Just(b"EHLO x\r\n".to_vec()),
        Just(b"HELO x\r\n".to_vec()),
        Just(b"MAIL FROM:<>\r\n".to_vec()),
        Just(b"MAIL FROM:<a@example.com> SIZE=10\r\n".to_vec()),
        Just(format!("RCPT TO:<{SHOP}>\r\n").into_bytes()),
        Just(b"RCPT TO:<x@example.com>\r\n".to_vec()),
        Just(b"DATA\r\n".to_vec()),
        Just(b"Received: x\r\n".to_vec()),
        Just(b".\r\n".to_vec()),
        Just(b"RSET\r\nNOOP\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\n".to_vec()),
        Just(b".".to_vec()),
        Just(b"\0".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40),
        proptest::collection::vec(0x20_u8..0x7f, 0..90),
    ];
    proptest::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

fn small() -> Limits {
    Limits {
        command_line: 80,
        data_line: 70,
        message: 150,
        header: 60,
        received: 1,
        recipients: 2,
        errors: 8,
        idle_commands: 6,
        ..Limits::default()
    }
}

/// Everything that was replied and kept when the octets come in pieces of these lengths.
fn outcome(octets: &[u8], lengths: &[usize]) -> (String, Vec<NewCopy>) {
    let intake = Script::parse("intake: ready=ok,full,ok dot=ok,unavailable,ok").intake();
    let mut bare = Bare::new(&small(), false, Arc::clone(&intake), false);
    let mut rest = octets;
    let mut lengths = lengths.iter().cycle();
    while !rest.is_empty() {
        let length = lengths.next().map_or(rest.len(), |length| (*length).clamp(1, rest.len()));
        bare.send(&rest[..length]);
        rest = &rest[length..];
    }
    let kept = intake.kept.lock().unwrap().clone();
    (String::from_utf8(bare.said).unwrap(), kept)
}

proptest! {
    #[test]
    fn equal_octets_get_equal_replies_however_they_are_cut(
        octets in smtp_like(),
        lengths in proptest::collection::vec(1_usize..50, 1..10),
    ) {
        let whole = outcome(&octets, &[]);
        prop_assert_eq!(&whole, &outcome(&octets, &lengths));
        prop_assert_eq!(&whole, &outcome(&octets, &[1]));
        for line in whole.0.lines() {
            prop_assert!(line.len() <= 510 && line.as_bytes()[..3].iter().all(u8::is_ascii_digit), "{}", line);
        }
    }
}

#[test]
fn no_octet_in_a_command_does_harm() {
    for octet in 0..=u8::MAX {
        for command in
            ["EHLO x", "MAIL FROM:<a@example.com>", "RCPT TO:<x@example.com>", "DATA", "NOOP", "QUIT", "VRFY x"]
        {
            for at in 0..=command.len() {
                let mut bare = Bare::new(&Limits::default(), false, Script::default().intake(), false);
                bare.send(b"EHLO client.example\r\n");
                bare.said.clear();
                let mut line = command.as_bytes().to_vec();
                line.insert(at, octet);
                line.extend(b"\r\n");
                bare.send(&line);
                if octet < 0x20 || octet == 0x7f {
                    let said = String::from_utf8(bare.said.clone()).unwrap();
                    let own = if octet == b'\n' { "500 5.5.2 " } else { "500 5.5.2 a command is" };
                    assert!(said.starts_with(own), "{octet} at {at} in {command}: {said}");
                }
                let quits = bare.closed;
                bare.said.clear();
                bare.send(b"NOOP\r\n");
                assert!(quits || bare.said.starts_with(b"250 "), "{octet} at {at} in {command}");
            }
        }
    }
}
