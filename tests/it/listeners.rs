//! The real daemon's listeners: unix sockets, TLS from the first octet and certificates of clients, load balancers, sockets that
//! systemd hands over, a certificate that is renewed under a running session, and crowds.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsConnector, rustls};

use crate::kit::{crlf, make_private, order_mail, say, until};
use crate::monitoring::{free, page};
use crate::program::{BCC, Dialog, Site, command_by, has, is_root, not_run};
use crate::relay::{Act, TestRelay};

/// A site that keeps its letters, with more in its configuration.
pub(crate) async fn site(extra: &[(&str, &str)], listeners: &str) -> Site {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let extra = [&[("hold_all", "true")], extra].concat();
    let site = Site::new(relay.address, &extra).await;
    let text = std::fs::read_to_string(site.config()).unwrap();
    std::fs::write(site.config(), text + listeners).unwrap();
    site
}

fn order(reference: &str) -> Vec<u8> {
    order_mail(reference, "Anna Example", "anna@customer.example.net")
}

/// The places that the daemon listens on, in the order of its configuration.
fn places(site: &Site) -> Vec<String> {
    std::fs::read_to_string(site.path("addresses")).unwrap().lines().map(str::to_owned).collect()
}

/// A client over whatever carries octets.
struct Peer<S>(BufReader<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    async fn reply(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if !matches!(self.0.read_line(&mut line).await, Ok(1..)) {
                return None;
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Some(line.trim_end().to_owned());
            }
        }
    }

    async fn say(&mut self, line: &str, begin: &str) {
        self.0.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
        let reply = self.reply().await.unwrap_or_default();
        assert!(reply.starts_with(begin), "{line:?} is answered by {reply:?}");
    }

    async fn hand_in(&mut self, mail: &[u8]) {
        self.say("EHLO mta.shop.example.com", "250 ").await;
        self.say("MAIL FROM:<orders@shop.example.com>", "250 ").await;
        self.say(&format!("RCPT TO:<{BCC}>"), "250 ").await;
        self.say("DATA", "354 ").await;
        self.0.write_all(&crlf(mail)).await.unwrap();
        self.say(".", "250 2.0.0 kept as copy").await;
    }
}

fn peer<S: AsyncRead + AsyncWrite + Unpin>(stream: S) -> Peer<S> {
    Peer(BufReader::new(stream))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unix_socket_takes_mail_and_is_gone_when_the_daemon_is() {
    let site = site(&[], "\n[[listener]]\non = \"unix:door.sock\"\nsocket_mode = \"0600\"\n").await;
    let path = site.path("door.sock");
    let service = site.serve().await;
    assert_eq!(places(&site)[1], format!("unix:{}", path.display()));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut client = peer(UnixStream::connect(&path).await.unwrap());
    assert!(client.reply().await.unwrap().starts_with("220 "));
    client.hand_in(&order("UNIX-1")).await;
    assert_eq!(site.number("SELECT count(*) FROM copy WHERE client IS NULL OR client = ''").await, 1);

    // A daemon that was killed leaves the file; the next one takes its place.
    service.kill().await;
    assert!(path.exists());
    let service = site.serve().await;
    let mut client = peer(UnixStream::connect(&path).await.unwrap());
    assert!(client.reply().await.unwrap().starts_with("220 "));
    client.hand_in(&order("UNIX-2")).await;
    service.signal("TERM");
    assert!(client.reply().await.unwrap().starts_with("421 4.3.2"));
    assert_eq!(service.code().await, Some(0), "{}", service.log());
    assert!(!path.exists());
}

/// A certificate of the test's own making, in the site's files.
pub(crate) fn renew(site: &Site) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["in.invited.example".to_owned()]).unwrap();
    std::fs::write(site.path("chain.pem"), made.cert.pem()).unwrap();
    std::fs::write(site.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    make_private(&site.path("key.pem"));
    made.cert.der().clone()
}

pub(crate) const TLS: (&str, &str) = ("tls", "{ certificate = \"chain.pem\", key = \"key.pem\" }");

pub(crate) type Shown = Option<(CertificateDer<'static>, PrivateKeyDer<'static>)>;

/// Shakes hands with a server of whose certificate `trusted` is the only root.
pub(crate) async fn secured(tcp: TcpStream, trusted: &CertificateDer<'static>, shown: Shown) -> TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots);
    let config = match shown {
        Some((certificate, key)) => config.with_client_auth_cert(vec![certificate], key).unwrap(),
        None => config.with_no_client_auth(),
    };
    let name = "in.invited.example".try_into().unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap()
}

async fn with_starttls(address: SocketAddr, trusted: &CertificateDer<'static>) -> Peer<TlsStream<TcpStream>> {
    let mut plain = peer(TcpStream::connect(address).await.unwrap());
    assert!(plain.reply().await.unwrap().starts_with("220 "));
    plain.say("EHLO mta.shop.example.com", "250 ").await;
    plain.say("STARTTLS", "220 ").await;
    peer(secured(plain.0.into_inner(), trusted, None).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_from_the_first_octet_tells_whose_certificate_the_client_has() {
    let listener = "\n[[listener]]\non = \"127.0.0.1:0\"\ntls = \"implicit\"\nclient_certificates = \"ask\"\n";
    let site = site(&[TLS], listener).await;
    let trusted = renew(&site);
    let service = site.serve().await;
    let address = places(&site)[1].parse::<SocketAddr>().unwrap();
    let own = rcgen::generate_simple_self_signed(["mta.shop.example.com".to_owned()]).unwrap();
    let print = Sha256::digest(own.cert.der()).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    for shown in [Some((own.cert.der().clone(), key)), None] {
        let mut client = peer(secured(TcpStream::connect(address).await.unwrap(), &trusted, shown).await);
        assert!(client.reply().await.unwrap().starts_with("220 "));
        client.hand_in(&order("TLS-1")).await;
    }
    let mut conn = site.sql().await;
    let seen = sqlx::query_as::<_, (bool, Option<String>)>("SELECT tls, certificate FROM copy ORDER BY id");
    let seen = seen.fetch_all(&mut conn).await.unwrap();
    assert_eq!(seen, [(true, Some(print)), (true, None)]);
    // In the clear it says nothing that could be taken for mail.
    let mut stray = peer(TcpStream::connect(address).await.unwrap());
    stray.0.write_all(b"EHLO mta.shop.example.com\r\n").await.unwrap();
    assert!(stray.reply().await.is_none_or(|octets| !octets.starts_with('2')));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_for_new_sessions_and_a_broken_one_for_nobody() {
    let site = site(&[TLS], "").await;
    let first = renew(&site);
    let service = site.serve().await;
    let mut running = with_starttls(service.address, &first).await;
    let second = renew(&site);
    service.signal("HUP");
    service.says("the configuration was reloaded").await;
    running.hand_in(&order("OLD-1")).await;
    with_starttls(service.address, &second).await.hand_in(&order("NEW-1")).await;

    std::fs::write(site.path("key.pem"), "-----BEGIN PRIVATE KEY-----\n").unwrap();
    service.signal("HUP");
    service.says("the configuration was not reloaded; the old one goes on").await;
    service.says("key.pem: cannot read the private key").await;
    running.hand_in(&order("OLD-2")).await;
    with_starttls(service.address, &second).await.hand_in(&order("NEW-2")).await;
    assert_eq!(site.number("SELECT count(*) FROM copy WHERE tls = 1").await, 4);
    service.stop().await;
}

/// A header of the PROXY protocol, version 2, for a client at this address.
fn header(client: [u8; 4]) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    header.extend(client);
    header.extend([127, 0, 0, 1, 200, 0, 0, 25]);
    header
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_balancer_says_whose_connection_it_is_and_nobody_else_can() {
    let site = site(&[], "\n[[listener]]\non = \"127.0.0.1:0\"\nproxy = [\"127.0.0.1\"]\n").await;
    let service = site.serve().await;
    let behind = places(&site)[1].parse::<SocketAddr>().unwrap();
    let mut client = peer(TcpStream::connect(behind).await.unwrap());
    client.0.write_all(&header([192, 0, 2, 7])).await.unwrap();
    assert!(client.reply().await.unwrap().starts_with("220 "));
    client.hand_in(&order("PROXY-1")).await;
    assert_eq!(site.number("SELECT count(*) FROM copy WHERE client = '192.0.2.7'").await, 1);

    let mut bare = peer(TcpStream::connect(behind).await.unwrap());
    bare.0.write_all(b"EHLO mta.shop.example.com\r\n").await.unwrap();
    assert_eq!(bare.reply().await, None, "no word to whoever leaves the header out");
    service.says("see the listener's key proxy").await;

    let mut forger = peer(TcpStream::connect(service.address).await.unwrap());
    forger.0.write_all(&header([192, 0, 2, 8])).await.unwrap();
    assert!(forger.reply().await.unwrap().starts_with("220 "));
    assert!(forger.reply().await.unwrap().starts_with("500 "), "to everybody else it is no command");
    drop(forger);
    assert_eq!(site.number("SELECT count(*) FROM copy WHERE client = '192.0.2.8'").await, 0);
    service.stop().await;
}

/// A port that needs a privilege, and that nobody had a moment ago.
fn low_port() -> u16 {
    (600..1024).rev().find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_below_1024_is_served_by_a_user_without_any_privilege() {
    let name = "a_port_below_1024_is_served_by_a_user_without_any_privilege";
    if !is_root() || !has("systemd-socket-activate") || !has("setpriv") {
        return not_run(name, "root, systemd-socket-activate and setpriv");
    }
    let site = site(&[], "\n[[listener]]\non = \"systemd:smtp\"\n").await;
    let text = std::fs::read_to_string(site.config()).unwrap();
    std::fs::write(
        site.config(),
        text.replace("listen = \"127.0.0.1:0\"", "listen = []").replace("listen = [\"127.0.0.1:0\"]", "listen = []"),
    )
    .unwrap();
    let folder = site.config().parent().unwrap().to_owned();
    let owned = std::process::Command::new("chown").args(["-R", "65534:65534"]).arg(&folder).status().unwrap();
    assert!(owned.success());
    let port = low_port();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listen = address.to_string();
    let launcher = ["systemd-socket-activate", "-l", &listen, "--fdname=smtp"];
    let user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all", "--no-new-privs"];
    let service = site.begin_by(command_by(&[&launcher[..], &user].concat()), &[], &[]);
    // The first connection starts the daemon, and waits for it.
    let stream = until("systemd listens", async || TcpStream::connect(address).await.ok()).await;
    let mut client = peer(stream);
    assert!(
        client.reply().await.unwrap_or_else(|| panic!("{}", service.log())).starts_with("220 "),
        "{}",
        service.log()
    );
    client.hand_in(&order("LOW-1")).await;
    assert_eq!(places(&site), [listen]);
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.pid)).unwrap();
    assert!(status.contains("CapEff:\t0000000000000000") && status.contains("Uid:\t65534"), "{status}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_was_not_handed_over_ends_the_start_with_what_to_do() {
    let site = site(&[], "\n[[listener]]\non = \"systemd:smtp\"\n").await;
    let service = site.begin(&[], &[]);
    assert_ne!(service.code().await, Some(0));
    assert!(
        service.log().contains("cannot listen on systemd:smtp: no socket was handed over; start"),
        "{}",
        service.log()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_names_the_listeners_that_need_a_restart_and_changes_the_others() {
    let site = site(&[TLS], "\n[[listener]]\non = \"unix:door.sock\"\n").await;
    renew(&site);
    let service = site.serve().await;
    let good = std::fs::read_to_string(site.config()).unwrap();
    let other = good.replace("\"unix:door.sock\"\n", "\"unix:door.sock\"\ntls = \"required\"\n");
    std::fs::write(site.config(), other).unwrap();
    service.signal("HUP");
    service.says("the configuration was reloaded").await;
    let mut client = peer(UnixStream::connect(site.path("door.sock")).await.unwrap());
    assert!(client.reply().await.unwrap().starts_with("220 "));
    client.say("EHLO mta.shop.example.com", "250 ").await;
    client.say("MAIL FROM:<>", "530 5.7.0").await;
    assert!(!service.log().contains("need a restart"), "{}", service.log());

    let moved = good.replace("\"unix:door.sock\"\n", "\"unix:door.sock\"\nsocket_mode = \"0666\"\n");
    std::fs::write(site.config(), moved + "\n[[listener]]\non = \"[::1]:2\"\n").unwrap();
    service.signal("HUP");
    service.says("need a restart").await;
    let places = format!("listener [::1]:2, listener unix:{}", site.path("door.sock").display());
    assert!(service.log().contains(&places), "{}", service.log());
    service.stop().await;
}

/// Connects to the door as one of many, each at an address of its own from 127.0.1.1 on.
async fn one_of_many(address: SocketAddr, number: usize) -> Peer<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    let [third, fourth] = [1 + number / 250, 1 + number % 250].map(|part| u8::try_from(part).unwrap());
    socket.bind(SocketAddr::from(([127, 0, third, fourth], 0))).unwrap();
    peer(socket.connect(address).await.unwrap())
}

/// Descriptors that a process has open.
fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

/// Lets a process have so many descriptors, of 64 at most.
fn limit_descriptors(pid: u32, most: usize) {
    let limit = format!("--nofile={most}:64");
    let set = std::process::Command::new("prlimit").args(["--pid", &pid.to_string(), &limit]).status().unwrap();
    assert!(set.success());
}

/// Of 64 descriptors 48 are the daemon's own (`LimitNOFILE=` in the unit).
const PLACES: usize = 16;

#[tokio::test(flavor = "multi_thread")]
async fn of_a_flood_with_few_descriptors_everybody_is_answered_and_nothing_is_lost() {
    const CROWD: usize = 500;
    if !has("prlimit") {
        return not_run("of_a_flood_with_few_descriptors_everybody_is_answered_and_nothing_is_lost", "prlimit");
    }
    let monitor = free();
    let listen = format!("\"{monitor}\"");
    let site = site(&[("sessions_per_client", "200"), ("metrics.listen", &listen)], "").await;
    let service = site.listens(site.begin_by(command_by(&["prlimit", "--nofile=64:64"]), &[], &[])).await;
    service.says("raise LimitNOFILE").await;
    let mut inside = Dialog::open(service.address).await.unwrap();
    let (mut crowd, mut turned_away, mut most) = (Vec::new(), 0, 0);
    for number in 0..CROWD {
        let mut one = one_of_many(service.address, number).await;
        match one.reply().await.unwrap_or_default() {
            greeting if greeting.starts_with("220 ") => crowd.push(one),
            refusal => {
                assert_eq!(refusal, "421 4.7.0 too many sessions, come back later");
                assert_eq!(one.reply().await, None, "and is hung up on");
                turned_away += 1;
            }
        }
        most = most.max(descriptors(service.pid));
        if number % 50 == 0 {
            let reply = inside.mail(BCC, &order(&format!("FLOOD-{number}"))).await.unwrap();
            assert!(reply.starts_with("250 "), "who is inside goes on: {reply}");
        }
    }
    let (_, figures) = page(monitor, "/metrics").await.unwrap();
    say(&format!(
        "64 descriptors: of {CROWD} {} let in, {turned_away} turned away, {most} descriptors at most",
        crowd.len()
    ));
    assert_eq!((crowd.len(), turned_away), (PLACES - 1, CROWD + 1 - PLACES));
    let counted = format!("\ninvited_smtp_turned_away_total{{reason=\"sessions\"}} {turned_away}\n");
    assert!(figures.contains(&counted), "{figures}");
    assert!(most < 64, "descriptors for sessions are counted, not run out of: {most}");
    assert!(!service.log().contains("cannot accept connections"));
    drop(crowd);
    let mut dialog = until("the door opens again", async || Dialog::open(service.address).await.ok()).await;
    assert!(dialog.mail(BCC, &order("AFTER-1")).await.unwrap().starts_with("250 "));
    assert_eq!(site.number("SELECT count(*) FROM copy").await, 11, "ten acknowledged meanwhile, and one afterwards");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_descriptor_nobody_is_accepted_and_with_one_those_who_waited_are() {
    if !has("prlimit") {
        return not_run("without_a_descriptor_nobody_is_accepted_and_with_one_those_who_waited_are", "prlimit");
    }
    let site = site(&[("sessions_per_client", "200")], "").await;
    let service = site.listens(site.begin_by(command_by(&["prlimit", "--nofile=64:64"]), &[], &[])).await;
    let mut inside = Dialog::open(service.address).await.unwrap();
    limit_descriptors(service.pid, descriptors(service.pid));
    let mut waiting = Vec::new();
    for number in 0..PLACES - 1 {
        waiting.push(one_of_many(service.address, number).await);
    }
    service.says("cannot accept connections for now").await;
    assert!(inside.say("NOOP").await.unwrap().starts_with("250 "), "who is inside goes on");
    limit_descriptors(service.pid, 64);
    for one in &mut waiting {
        assert!(one.reply().await.unwrap().starts_with("220 "));
    }
    waiting[0].hand_in(&order("WAITED-1")).await;
    // It was tried again and again, and said once a minute.
    assert_eq!(service.log().matches("cannot accept connections").count(), 1);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_slow_clients_do_not_keep_the_others_waiting() {
    let site = site(&[("sessions", "400")], "").await;
    let service = site.serve().await;
    let mut slow = Vec::new();
    for number in 0..200 {
        slow.push(one_of_many(service.address, number).await);
    }
    for one in &mut slow {
        assert!(one.reply().await.unwrap().starts_with("220 "));
    }
    let mut dialog = Dialog::open(service.address).await.unwrap();
    let command = "NOOP and so on and on\r\n";
    for number in 0..20 {
        for one in &mut slow {
            one.0.write_all(&command.as_bytes()[number..=number]).await.unwrap();
        }
        let reply = dialog.mail(BCC, &order(&format!("BESIDE-{number}"))).await.unwrap();
        assert!(reply.starts_with("250 "), "{reply}");
    }
    for one in &mut slow {
        one.0.write_all(&command.as_bytes()[20..]).await.unwrap();
        assert!(one.reply().await.unwrap().starts_with("250 "), "all were there the whole time");
    }
    assert_eq!(site.number("SELECT count(*) FROM copy").await, 20);
    service.stop().await;
}
