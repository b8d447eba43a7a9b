//! OpenSMTPD as the shop's server: it takes the shop's mails at its own listener and relays the copies to the door.

use std::fmt::Write as _;
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Stdio};

use tempfile::TempDir;

use crate::counter::{Counter, How, LATER, PASSWORD, SENDER, USER, how, open_to_all};
use crate::guest::{SMTPCTL, beside, inside, unpacked};
use crate::kit::{say, until};
use crate::program::{BCC, Dialog};

/// A running OpenSMTPD, whose copies go by one way.
struct OpenSmtpd {
    folder: TempDir,
    child: Child,
    address: SocketAddr,
}

impl OpenSmtpd {
    async fn start(program: &Path, relay: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("opensmtpd-").tempdir().unwrap();
        open_to_all(folder.path());
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut text = String::new();
        writeln!(text, "table logins {{ shop = \"{USER}:{PASSWORD}\" }}").unwrap();
        writeln!(text, "listen on 127.0.0.1 port {} hostname mta.shop.example.com", address.port()).unwrap();
        writeln!(text, "action \"door\" relay helo mta.shop.example.com {relay}").unwrap();
        writeln!(text, "match from any for any action \"door\"").unwrap();
        let file = folder.path().join("smtpd.conf");
        std::fs::write(&file, text).unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let mut command = inside(folder.path(), program);
        command.args(["-d", "-f"]).arg(&file);
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).stdin(Stdio::null()).spawn().unwrap();
        let smtpd = Self { folder, child, address };
        until("OpenSMTPD listens", async || Dialog::open(address).await.ok()).await;
        smtpd
    }

    async fn take(&self, from: &str, mail: &[u8]) {
        let mut shop = Dialog::open(self.address).await.unwrap();
        for command in [&format!("MAIL FROM:<{from}>"), &format!("RCPT TO:<{BCC}>"), "DATA"] {
            let reply = shop.say(command).await.unwrap();
            assert!(reply.starts_with(['2', '3']), "{command}: {reply}");
        }
        // Dots as the dialog sends them are dots of the protocol.
        let mail = String::from_utf8(mail.to_vec()).unwrap().replace("\r\n.", "\r\n..");
        let reply = shop.body(mail.as_bytes()).await.unwrap();
        assert!(reply.starts_with("250 "), "{reply}");
    }

    fn control(&self, words: &[&str]) {
        let ran = beside(self.child.id(), SMTPCTL, words);
        assert_eq!(ran.code, 0, "{ran:?}\n{}", self.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    async fn until_said(&self, text: &str, times: usize) {
        let what = format!("OpenSMTPD has said {text:?} {times} times");
        until(&what, async || (self.log().matches(text).count() >= times).then_some(())).await;
    }
}

impl Drop for OpenSmtpd {
    fn drop(&mut self) {
        // Its first process ends the others.
        let ended = std::process::Command::new("kill").arg(self.child.id().to_string()).status();
        let waited = self.child.wait();
        if std::thread::panicking() {
            say(&format!("{ended:?} {waited:?}\n{}", self.log()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn opensmtpd_relays_copies_by_each_of_its_ways_and_keeps_what_cannot_be_stored() {
    let test = "opensmtpd_relays_copies_by_each_of_its_ways_and_keeps_what_cannot_be_stored";
    let Some(program) = unpacked(test, "usr/sbin/smtpd") else { return };
    let mut door = Counter::open().await;
    let host = |scheme: &str, address: SocketAddr| format!("host {scheme}{address}");
    let login = "auth <logins> tls no-verify";
    let ways = [
        (host("smtp+notls://", door.smtp), how("smtp", false, false)),
        (host("smtp://", door.smtp) + " tls no-verify", how("smtp", true, false)),
        (host("smtp+tls://", door.smtp) + " tls no-verify", how("smtp", true, false)),
        (host("smtps://", door.smtps) + " tls no-verify", how("smtp", true, false)),
        (host("smtp+tls://shop@", door.submission) + " " + login, how("submission", true, true)),
        (host("smtps://shop@", door.submissions) + " " + login, how("submission", true, true)),
        (host("lmtp://", door.lmtp), how("lmtp", false, false)),
    ];
    let (mut copies, mut figures) = (0, Vec::new());
    for (relay, expected) in &ways {
        let smtpd = OpenSmtpd::start(&program, relay).await;
        let from = |from: &str| How { mail_from: from.to_owned(), ..expected.clone() };
        for sender in [SENDER, ""] {
            smtpd.take(sender, &door.order().0).await;
            door.until_copies(copies + 1).await;
            copies = door.took(relay, copies, from(sender)).await;
        }

        // Four that wait, of which one cannot be stored now: the others go.
        door.refuse().await;
        smtpd.until_said("result=\"Ok\"", 2).await;
        smtpd.control(&["pause", "mta"]);
        for sender in [SENDER, LATER, SENDER, SENDER] {
            smtpd.take(sender, &door.order().0).await;
        }
        let sessions = door.sessions();
        smtpd.control(&["resume", "mta"]);
        let all = door.until_copies(copies + 3).await;
        Counter::check(relay, &all, copies, &vec![expected.clone(); 3]);
        smtpd.until_said("result=\"TempFail\"", 1).await;
        smtpd.until_said("result=\"Ok\"", 5).await;
        assert!(smtpd.log().contains("stat=\"451 4.3.0"), "{}", smtpd.log());
        door.relent().await;
        smtpd.control(&["schedule", "all"]);
        let all = door.until_copies(copies + 4).await;
        Counter::check(relay, &all, copies + 3, &[from(LATER)]);
        copies = all.len();
        drop(smtpd);
        figures.push((door.sessions() - sessions).to_string());
    }
    say(&format!(
        "OpenSMTPD: {copies} mails by {} ways, {} of them after a 451; sessions for four mails, one of them twice: {}",
        ways.len(),
        ways.len(),
        figures.join(", ")
    ));
    door.close(copies).await;
}
