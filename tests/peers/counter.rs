//! A daemon with a listener of every kind, and a look at what each mail was stored as.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use invited::domain::CopyId;
use invited::store::Store as _;
use sha2::{Digest as _, Sha256};
use sqlx::FromRow;

use crate::kit::{crlf, make_private, order_mail, until};
use crate::program::{Ran, Service, Site, command};
use crate::relay::{Act, TestRelay};

/// Who logs in, and the password.
pub(crate) const USER: &str = "shop";
pub(crate) const PASSWORD: &str = "open sesame";
/// The name in the door's certificate.
pub(crate) const NAME: &str = "in.invited.example";
/// The shop's envelope sender, and the one whose mails are not stored while [`Counter::refuse`] holds.
pub(crate) const SENDER: &str = "orders@shop.example.com";
pub(crate) const LATER: &str = "later@shop.example.com";

/// What each mail's body has in it: 8-bit text, and lines whose dots travel doubled (RFC 5321 4.5.2).
const BODY: &str = "..Tack för din beställning!\r\n.\r\n.";

/// How a copy was handed in, as the store has it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct How {
    pub(crate) way: String,
    pub(crate) tls: bool,
    pub(crate) login: Option<String>,
    pub(crate) mail_from: String,
    pub(crate) certificate: Option<String>,
}

/// What is expected of a mail by way, TLS and login, from [`SENDER`].
pub(crate) fn how(way: &str, tls: bool, login: bool) -> How {
    How {
        way: way.to_owned(),
        tls,
        login: login.then(|| USER.to_owned()),
        mail_from: SENDER.to_owned(),
        certificate: None,
    }
}

/// The daemon behind its listeners.
pub(crate) struct Counter {
    pub(crate) site: Site,
    service: Service,
    _relay: TestRelay,
    /// The certificate, which is its own root.
    pub(crate) chain: PathBuf,
    /// SMTP with STARTTLS; and with TLS from the first octet, which asks clients for a certificate.
    pub(crate) smtp: SocketAddr,
    pub(crate) smtps: SocketAddr,
    /// Submission with STARTTLS, and with TLS from the first octet.
    pub(crate) submission: SocketAddr,
    pub(crate) submissions: SocketAddr,
    /// LMTP over TCP, and over a unix socket.
    pub(crate) lmtp: SocketAddr,
    pub(crate) socket: PathBuf,
    orders: u32,
}

impl Counter {
    pub(crate) async fn open() -> Self {
        let relay = TestRelay::start(|_| Act::Ok).await;
        let site = Site::new(relay.address, &[]).await;
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()]).unwrap();
        let (chain, key) = (site.path("chain.pem"), site.path("key.pem"));
        std::fs::write(&chain, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        make_private(&key);
        let tls = "{ certificate = \"chain.pem\", key = \"key.pem\" }";
        site.configure(relay.address, &[("hold_all", "true"), ("tls", tls)]);
        let socket = site.path("lmtp.sock");
        let more = [
            "role = \"smtp\"\ntls = \"implicit\"\nclient_certificates = \"ask\"",
            "role = \"submission\"",
            "role = \"submission\"\ntls = \"implicit\"",
            "role = \"lmtp\"\ntls = \"none\"",
        ]
        .map(|rest| format!("\n[[listener]]\non = \"127.0.0.1:0\"\n{rest}\n"))
        .concat();
        let text = std::fs::read_to_string(site.config()).unwrap();
        let text = format!(
            "{text}{more}\n[[listener]]\non = \"unix:lmtp.sock\"\nrole = \"lmtp\"\nsocket_mode = \"0666\"\n\n\
             [[login]]\nuser = \"{USER}\"\npassword = \"{}\"\n",
            hash(PASSWORD)
        );
        std::fs::write(site.config(), text).unwrap();
        // Other users' processes reach the socket and the certificate.
        open_to_all(&site.path(""));
        let service = site.serve_with(&["--log", "info,invited::door=debug"], &[]).await;
        let places = std::fs::read_to_string(site.path("addresses")).unwrap();
        let [smtp, smtps, submission, submissions, lmtp] =
            std::array::from_fn(|number| places.lines().nth(number).unwrap().parse().unwrap());
        Self { site, service, _relay: relay, chain, smtp, smtps, submission, submissions, lmtp, socket, orders: 0 }
    }

    /// The mail of another order, in 8-bit text with CRLF, and the file that it is in.
    pub(crate) fn order(&mut self) -> (Vec<u8>, PathBuf) {
        self.orders += 1;
        let number = self.orders;
        let mail = order_mail(&format!("PEER-{number}"), "Anna Exempel", &format!("anna{number}@customer.example.net"));
        let text = String::from_utf8(mail).unwrap();
        let text = text.replace("MIME-Version: 1.0\r\n", "MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n");
        let mail = crlf(text.replace("Thank you for your order.", BODY).as_bytes());
        let file = self.site.path(&format!("order-{number}.eml"));
        std::fs::write(&file, &mail).unwrap();
        (mail, file)
    }

    /// A client's own certificate and its key, and what the copies of who shows it have of it.
    pub(crate) fn identity(&self) -> (PathBuf, PathBuf, String) {
        let own = rcgen::generate_simple_self_signed(["mta.shop.example.com".to_owned()]).unwrap();
        let (chain, key) = (self.site.path("client.pem"), self.site.path("client.key"));
        std::fs::write(&chain, own.cert.pem()).unwrap();
        std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
        make_private(&key);
        let print = Sha256::digest(own.cert.der()).iter().map(|octet| format!("{octet:02x}")).collect();
        (chain, key, print)
    }

    /// How each copy was handed in, in their order.
    pub(crate) async fn copies(&self) -> Vec<How> {
        let mut conn = self.site.sql().await;
        let sql = "SELECT way, tls, login, mail_from, certificate FROM copy ORDER BY id";
        sqlx::query_as(sql).fetch_all(&mut conn).await.unwrap()
    }

    /// That there are these copies and no other since the first `before`.
    #[track_caller]
    pub(crate) fn check(what: &str, all: &[How], before: usize, expected: &[How]) {
        assert_eq!(&all[before..], expected, "{what}");
    }

    /// That the only copy since then is this one; how many there are now.
    pub(crate) async fn took(&self, what: &str, before: usize, expected: How) -> usize {
        let all = self.copies().await;
        Self::check(what, &all, before, &[expected]);
        all.len()
    }

    /// That many copies, once they are there.
    pub(crate) async fn until_copies(&self, count: usize) -> Vec<How> {
        until(&format!("{count} copies are stored\n{}", self.log()), async || {
            let all = self.copies().await;
            (all.len() >= count).then_some(all)
        })
        .await
    }

    /// From now on mails from [`LATER`] cannot be stored: 451.
    pub(crate) async fn refuse(&self) {
        let trigger = "CREATE TRIGGER refuse BEFORE INSERT ON copy WHEN NEW.mail_from = 'later@shop.example.com' \
                       BEGIN SELECT RAISE(ABORT, 'not now'); END";
        sqlx::query(trigger).execute(&mut self.site.sql().await).await.unwrap();
    }

    /// From now on they can.
    pub(crate) async fn relent(&self) {
        sqlx::query("DROP TRIGGER refuse").execute(&mut self.site.sql().await).await.unwrap();
    }

    /// Sessions that the door has ended.
    pub(crate) fn sessions(&self) -> usize {
        self.log().matches("session ended").count()
    }

    /// Waits until the door has ended this many more; says how many it were at last.
    pub(crate) async fn until_sessions(&self, before: usize, more: usize) -> usize {
        let what = format!("{more} sessions have ended");
        until(&what, async || Some(self.sessions() - before).filter(|ended| *ended >= more)).await
    }

    pub(crate) fn log(&self) -> String {
        self.service.log()
    }

    /// Waits until each of these orders is an invitation, looks whether each mail came to the last octet, and ends the daemon.
    pub(crate) async fn close(self, orders: usize) {
        let invitations = until("every order is an invitation", async || {
            let unread = self.site.number("SELECT count(*) FROM copy WHERE state = 'unread'").await;
            (unread == 0).then_some(self.site.invitations().await)
        })
        .await;
        assert_eq!(invitations.len(), orders, "{}", self.log());
        let store = self.site.store().await;
        for number in 1..=self.copies().await.len() {
            let (_, octets) = store.copy(CopyId(number.try_into().unwrap())).await.unwrap().unwrap();
            let octets = octets.unwrap();
            // Some clients end what they are given by a line end of their own.
            let octets = octets.trim_ascii_end();
            let has = |text: &str| octets.windows(text.len()).any(|part| part == text.as_bytes());
            let whole = has("\r\n\r\n<html><body><p>") && octets.ends_with(b"</script></body></html>");
            assert!(whole && (self.orders == 0 || has(BODY)), "{}", String::from_utf8_lossy(octets));
        }
        self.service.stop().await;
    }
}

/// What `invited login hash` makes of a password.
fn hash(password: &str) -> String {
    let mut command = command();
    let mut child = command.args(["login", "hash"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// Runs a program to its end with this on its standard input; whatever octets it says.
pub(crate) fn run_with(command: &mut Command, input: &[u8]) -> Ran {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Lets every user enter a folder.
pub(crate) fn open_to_all(folder: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}
