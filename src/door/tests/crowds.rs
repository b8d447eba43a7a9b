//! Crowds at the door: what is asked of sessions while places are scarce, and who comes too often.

use arc_swap::ArcSwap;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::task::TaskTracker;

use super::*;
use crate::config::ListenerTls;
use crate::door::listener::{Arrival, Arrivals, take_in};
use crate::door::tls::load_tls;
use crate::door::{Listening, certificate_ends};

/// A house of ten places of which strangers hold nine.
fn crowded() -> (House, Vec<crate::crowd::Slot>) {
    let house = House::new(Limits { sessions: 10, ..Limits::default() }, SlowIntake::default());
    let places = house.door.places();
    let slots = (1..=9).filter_map(|host| house.door.slots().take(IpAddr::from([192, 0, 2, host]), places)).collect();
    (house, slots)
}

#[tokio::test(start_paused = true)]
async fn the_first_error_is_the_last_while_places_are_scarce() {
    let (house, slots) = crowded();
    let mut guest = house.enter().await;
    guest.say("HELO client.example", "250 ").await;
    guest.send("XYZZY\r\n").await;
    guest.dismissed("421 4.7.0").await;
    drop(slots);
    let mut guest = house.enter().await;
    guest.say("XYZZY", "500 ").await;
    guest.say("NOOP", "250 ").await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_trickles_in_ends_soon_while_places_are_scarce() {
    let (house, _slots) = crowded();
    let mut guest = house.enter().await;
    guest.open_message().await;
    close_to(guest.trickle(b'x', Duration::from_secs(2)).await, SCARCE);
    guest.dismissed("421 4.4.2").await;

    // Whoever keeps to the least pace is let finish.
    let mut guest = house.enter().await;
    guest.open_message().await;
    for _ in 0..6 {
        guest.send(&"0123456789abcdef\r\n".repeat(200)).await;
        sleep(Duration::from_secs(5)).await;
    }
    guest.say(".", "250 2.0.0").await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_take_the_replies_is_dropped_soon_while_places_are_scarce() {
    let (house, _slots) = crowded();
    let start = Instant::now();
    let guest = house.knock(LOOPBACK);
    let (_reading, mut writing) = tokio::io::split(guest.stream);
    let writer = tokio::spawn(async move { while writing.write_all(&b"HELP\r\n".repeat(100)).await.is_ok() {} });
    guest.session.await.unwrap();
    writer.await.unwrap();
    close_to(start.elapsed(), SCARCE);
}

const SCARCE: Duration = Duration::from_secs(10);

struct Pair {
    folder: tempfile::TempDir,
    files: config::TlsFiles,
}

impl Pair {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files =
            config::TlsFiles { certificate: folder.path().join("chain.pem"), key: folder.path().join("key.pem") };
        Self { folder, files }
    }

    /// Puts a new pair in place of the old one, as ACME clients do: another file by the same name.
    fn renew(&self, ends: (i32, u8, u8)) -> rustls_pki_types::CertificateDer<'static> {
        let mut asked = rcgen::CertificateParams::new(vec!["mail.example.com".to_owned()]).unwrap();
        asked.not_after = rcgen::date_time_ymd(ends.0, ends.1, ends.2);
        let key = rcgen::KeyPair::generate().unwrap();
        let made = asked.self_signed(&key).unwrap();
        for (path, text) in [(&self.files.certificate, made.pem()), (&self.files.key, key.serialize_pem())] {
            let beside = self.folder.path().join("new");
            std::fs::write(&beside, text).unwrap();
            std::fs::rename(beside, path).unwrap();
        }
        made.der().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_does_not_come_is_waited_for_as_for_a_command_and_less_while_places_are_scarce() {
    let pair = Pair::new();
    pair.renew((2030, 1, 1));
    let (house, slots) = crowded();
    house.door.set_tls(Some(load_tls(&pair.files).unwrap()));
    let listener = || Listener { tls: ListenerTls::Implicit, ..Listener::plain(SocketAddr::from(([127, 0, 0, 1], 0))) };
    let start = Instant::now();
    let silent = house.knock_at(listener(), LOOPBACK);
    silent.session.await.unwrap();
    close_to(start.elapsed(), SCARCE);
    drop(slots);
    let start = Instant::now();
    let silent = house.knock_at(listener(), LOOPBACK);
    silent.session.await.unwrap();
    close_to(start.elapsed(), Limits::default().command_timeout);
}

#[tokio::test(start_paused = true)]
async fn a_certificate_that_changes_on_disk_is_read_within_a_minute_and_a_broken_one_changes_nothing() {
    let pair = Pair::new();
    pair.renew((2030, 1, 1));
    let house = House::plain();
    house.door.set_tls(Some(load_tls(&pair.files).unwrap()));
    let keeping = tokio::spawn(crate::door::keep_certificate(Arc::clone(&house.door), house.stop.clone()));
    let until = || certificate_ends(&house.door.tls().unwrap()).to_string();
    sleep(Duration::from_secs(61)).await;
    assert_eq!(until(), "2030-01-01T00:00:00Z");
    pair.renew((2031, 2, 2));
    sleep(Duration::from_secs(61)).await;
    assert_eq!(until(), "2031-02-02T00:00:00Z");
    std::fs::write(&pair.files.key, "no key").unwrap();
    sleep(Duration::from_secs(121)).await;
    assert_eq!(until(), "2031-02-02T00:00:00Z");
    pair.renew((2032, 3, 3));
    sleep(Duration::from_secs(61)).await;
    assert_eq!(until(), "2032-03-03T00:00:00Z");
    house.stop.cancel();
    keeping.await.unwrap();
}

/// The listener is in force as it was at the beginning of each session.
fn listening(socket: TcpListener, proxy: &str) -> Listening {
    let listening = Listening::from(socket);
    let listener = Listener { proxy: vec![proxy.parse().unwrap()], ..Listener::clone(&listening.in_force().load()) };
    listening.in_force().store(Arc::new(listener));
    listening
}

async fn through_a_proxy(address: SocketAddr, client: [u8; 4]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend(client);
    header.extend([127, 0, 0, 1, 200, 0, 0, 25]);
    stream.write_all(&header).await.unwrap();
    let mut begin = [0; 30];
    stream.read_exact(&mut begin).await.unwrap();
    String::from_utf8_lossy(&begin).into_owned()
}

#[tokio::test]
async fn who_connects_too_often_is_told_to_come_back_and_others_are_not() {
    let house = House::new(Limits { connections_per_minute: 5, ..Limits::default() }, SlowIntake::default());
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let running = tokio::spawn(serve(Arc::clone(&house.door), listening(socket, "127.0.0.0/8"), house.stop.clone()));
    let greetings = futures_util::future::join_all((0..8).map(|_| through_a_proxy(address, [192, 0, 2, 1]))).await;
    let (greeted, refused) = greetings.iter().partition::<Vec<_>, _>(|line| line.starts_with("220 mail."));
    assert_eq!((greeted.len(), refused.len()), (5, 3), "{greetings:?}");
    assert!(refused.iter().all(|line| line.starts_with("421 4.7.0 too many connections")), "{refused:?}");
    assert!(through_a_proxy(address, [192, 0, 2, 2]).await.starts_with("220 "));
    house.stop.cancel();
    running.await.unwrap();
}

/// A listener at which accepting fails, as it does when there are no descriptors: it is ready all the time, and never has anybody.
#[derive(Default)]
struct NoDescriptors(std::sync::atomic::AtomicUsize);

impl Arrivals for NoDescriptors {
    async fn next(&self) -> std::io::Result<Arrival> {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Err(std::io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error()))
    }
}

#[tokio::test(start_paused = true)]
async fn accepting_rests_while_there_are_no_descriptors() {
    let house = House::plain();
    let (arrivals, sessions) = (NoDescriptors::default(), TaskTracker::new());
    let in_force = Arc::new(ArcSwap::from_pointee(Listener::plain(SocketAddr::from(([127, 0, 0, 1], 0)))));
    let serving = take_in(&house.door, &arrivals, &in_force, &house.stop, &sessions);
    assert!(timeout(Duration::from_secs(10), serving).await.is_err(), "it goes on trying");
    let tries = arrivals.0.load(std::sync::atomic::Ordering::Relaxed);
    assert!((190..=210).contains(&tries), "{tries} tries in ten seconds");
    house.stop.cancel();
    take_in(&house.door, &arrivals, &in_force, &house.stop, &sessions).await;
}

/// Thousands may wait at the same time: what each of them holds is counted here, in the clear and during a handshake.
#[tokio::test]
async fn a_session_that_waits_is_small() {
    let house = House::plain();
    let listener = Listener::plain(SocketAddr::from(([127, 0, 0, 1], 0)));
    let (_ours, theirs) = duplex(1);
    let client = Client::at(LOOPBACK.parse().unwrap());
    let session = size_of_val(&attend(&house.door, &listener, theirs, client, &house.stop));
    assert!(session <= 3 * 1024, "{session} bytes");
}

#[tokio::test]
async fn a_listener_with_tls_from_the_first_octet_greets_inside_it() {
    let pair = Pair::new();
    let trusted = pair.renew((2030, 1, 1));
    let house = House::plain();
    house.door.set_tls(Some(load_tls(&pair.files).unwrap()));
    let listener = Listener { tls: ListenerTls::Implicit, ..Listener::plain(SocketAddr::from(([127, 0, 0, 1], 0))) };
    let guest = house.knock_at(listener, LOOPBACK);
    let mut roots = RootCertStore::empty();
    roots.add(trusted).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let name = "mail.example.com".try_into().unwrap();
    let mut stream = TlsConnector::from(config).connect(name, guest.stream).await.unwrap();
    stream.write_all(b"EHLO client.example\r\nSTARTTLS\r\nQUIT\r\n").await.unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.unwrap();
    let said = String::from_utf8(said).unwrap();
    assert!(said.starts_with("220 mail.example.com"), "{said}");
    assert!(!said.contains("250-STARTTLS") && said.contains("\r\n503 5.5.1 TLS is active already"), "{said}");
    guest.session.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_requires_tls_takes_nothing_before_it() {
    let pair = Pair::new();
    pair.renew((2030, 1, 1));
    let house = House::plain();
    house.door.set_tls(Some(load_tls(&pair.files).unwrap()));
    let listener = Listener { tls: ListenerTls::Required, ..Listener::plain(SocketAddr::from(([127, 0, 0, 1], 0))) };
    let mut guest = house.knock_at(listener, LOOPBACK);
    guest.hear("220 ").await;
    guest.say("HELO client.example", "250 ").await;
    guest.say("MAIL FROM:<>", "530 5.7.0").await;
    guest.say("NOOP", "250 ").await;
    guest.say("QUIT", "221 ").await;
}
