//! The scripts through the listener over a socket, and what is logged meanwhile.

use std::fs;
use std::io::Write;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use invited::config::{self, Listener, ListenerTls, TlsFiles};
use invited::domain::Timestamp;
use invited::door::{Door, load_tls, open, serve};
use invited::ops::accept::Intake;
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, client, rustls};
use tokio_util::sync::CancellationToken;

use crate::intake::FakeIntake;
use crate::script::{Script, Step, scripts};
use crate::{HOSTNAME, SHOP};

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Server {
    pub(crate) door: Arc<Door>,
    pub(crate) intake: Arc<FakeIntake>,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) trusted: Option<CertificateDer<'static>>,
    pub(crate) stop: CancellationToken,
    pub(crate) running: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(script: &Script) -> Self {
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
        let tls_from = if script.requires_tls { ListenerTls::Required } else { ListenerTls::StartTls };
        let place = Listener::plain("127.0.0.1:0".parse().unwrap());
        let listener = Listener { role: script.role, tls: tls_from, ..place };
        let listening = open(&[listener]).await.unwrap().remove(0);
        let address = listening.address().unwrap();
        let config = config::Door {
            listeners: Vec::new(),
            hostname: HOSTNAME.to_owned(),
            tls: None,
            limits: script.limits.clone(),
        };
        let intake = script.intake();
        let shared: Arc<dyn Intake> = Arc::<FakeIntake>::clone(&intake);
        let door = Arc::new(Door::new(&config, tls, shared, Arc::new(|| Timestamp::from_seconds(1_795_251_600))));
        let stop = CancellationToken::new();
        let running = tokio::spawn(serve(Arc::clone(&door), listening, stop.clone()));
        Self { door, intake, address, trusted, stop, running }
    }

    pub(crate) async fn connect(&self) -> Client<TcpStream> {
        Client { stream: TcpStream::connect(self.address).await.unwrap(), heard: Vec::new() }
    }

    pub(crate) async fn secure(&self, plain: TcpStream) -> client::TlsStream<TcpStream> {
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

    pub(crate) async fn end(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.running).await.expect("the listener returns").unwrap();
    }
}

pub(crate) struct Client<S> {
    pub(crate) stream: S,
    pub(crate) heard: Vec<u8>,
}

pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire for S {}

impl<S: Wire> Client<S> {
    pub(crate) async fn send(&mut self, octets: &[u8]) {
        // The server may have hung up by now, which a later step tells.
        let _ = self.stream.write_all(octets).await;
        let _ = self.stream.flush().await;
    }

    /// The next reply line; `None` at the end.
    pub(crate) async fn line(&mut self) -> Option<String> {
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
    pub(crate) async fn hear(&mut self, begins: &[&str]) {
        for begin in begins {
            let reply = self.line().await.expect(begin);
            assert!(reply.starts_with(begin), "expected {begin:?}, got {reply:?}");
        }
    }

    /// Sends a line and expects a reply that begins like this.
    pub(crate) async fn say(&mut self, line: &str, begin: &str) {
        self.send(format!("{line}\r\n").as_bytes()).await;
        self.hear(&[begin]).await;
    }

    /// From EHLO to 354.
    pub(crate) async fn open_message(&mut self) {
        self.send(b"EHLO client.example\r\n").await;
        while !self.line().await.expect("EHLO is answered").starts_with("250 ") {}
        self.say("MAIL FROM:<a@example.com>", "250 ").await;
        self.say(&format!("RCPT TO:<{SHOP}>"), "250 ").await;
        self.say("DATA", "354 ").await;
    }
}

pub(crate) async fn play_on_a_socket(script: &Script) -> Result<(), String> {
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

pub(crate) async fn play_steps<S: Wire>(
    client: &mut Client<S>,
    steps: &[(usize, Step)],
    server: &Server,
) -> Result<(), String> {
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
pub(crate) async fn finish<S: Wire>(mut client: Client<S>) -> Result<(), String> {
    let _ = client.stream.shutdown().await;
    match client.line().await {
        Some(more) => Err(format!("one reply too many: {more}")),
        None => Ok(()),
    }
}

/// Everything that this program logs, at every level.
#[derive(Clone, Copy)]
pub(crate) struct Log;

pub(crate) static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());
pub(crate) static LOGGING: Once = Once::new();

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(crate) fn start_logging() {
    LOGGING.call_once(|| {
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
        tracing::subscriber::set_global_default(subscriber.with_writer(|| Log).finish()).unwrap();
    });
}

#[tokio::test]
async fn the_listener_keeps_to_every_script_and_logs_no_address() {
    start_logging();
    let mut faults = Vec::new();
    for (name, script) in scripts().into_iter().filter(|(_, script)| !script.local) {
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
