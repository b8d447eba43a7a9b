//! Exim as the shop's server: a router makes a copy of each mail for the door, which goes by each of its transports. The customer's own is
//! thrown away, so that the door's connections are the only ones.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::counter::{Counter, How, LATER, NAME, PASSWORD, SENDER, USER, how, open_to_all, run_with};
use crate::guest::{give_to, inside, unpacked};
use crate::kit::{crlf, say};
use crate::program::{BCC, Ran};

const CUSTOMER: &str = "anna@customer.example.net";

/// An Exim with a configuration and a queue of its own.
struct Exim {
    folder: TempDir,
    program: PathBuf,
}

impl Exim {
    /// Whose copies go by this transport.
    fn new(program: &Path, door: &Counter, transport: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("exim-").tempdir().unwrap();
        open_to_all(folder.path());
        for name in ["spool", "log"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            give_to("Debian-exim", &folder.path().join(name));
        }
        let mut text = format!(
            "exim_path = {program}\nspool_directory = {root}/spool\nlog_file_path = {root}/log/%slog\n\
             primary_hostname = mta.shop.example.com\nhost_lookup =\nnever_users =\ntls_advertise_hosts =\n\
             begin routers\n\
             copy:\n  driver = redirect\n  domains = ! {NAME}\n  data = {BCC}\n  unseen\n\
             door:\n  driver = manualroute\n  domains = {NAME}\n  route_list = * 127.0.0.1\n  self = send\n  transport = door\n\
             customers:\n  driver = redirect\n  data = :blackhole:\n\
             begin transports\n\
             door:\n",
            program = program.display(),
            root = folder.path().display(),
        );
        for line in transport.lines() {
            writeln!(text, "  {line}").unwrap();
        }
        write!(
            text,
            "begin retry\n* * F,1h,1s\nbegin authenticators\n\
             plain:\n  driver = plaintext\n  public_name = PLAIN\n  client_send = ^{USER}^{PASSWORD}\n"
        )
        .unwrap();
        let text = text.replace("CHAIN", &door.chain.display().to_string());
        std::fs::write(folder.path().join("exim.conf"), text).unwrap();
        Self { folder, program: program.to_owned() }
    }

    fn run(&self, words: &[&str], input: &[u8]) -> Ran {
        let mut command = inside(self.folder.path(), &self.program);
        run_with(command.arg("-C").arg(self.folder.path().join("exim.conf")).args(words), input)
    }

    /// Takes a mail of the shop's, as sendmail(1) does, and delivers it at once or leaves it in the queue.
    fn take(&self, when: &str, from: &str, mail: &[u8]) -> Ran {
        let ran = self.run(&["-v", when, "-oi", "-f", from, "--", CUSTOMER], &crlf(mail));
        assert_eq!(ran.code, 0, "{ran:?}\n{}", self.log());
        ran
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log/mainlog")).unwrap_or_default()
    }

    /// Mails in the queue.
    fn waiting(&self) -> usize {
        self.run(&["-bpc"], b"").ended(0).out.trim().parse().unwrap()
    }
}

/// What each transport says, and how its mails come.
fn transports(door: &Counter) -> Vec<(&'static str, String, How)> {
    let smtp = |port: u16, more: &str| {
        format!(
            "driver = smtp\nport = {port}\nallow_localhost\nhosts_try_dane =\nhelo_data = mta.shop.example.com\n{more}"
        )
    };
    let tls = format!(
        "hosts_require_tls = *\ntls_verify_certificates = CHAIN\ntls_verify_hosts = *\ntls_sni = {NAME}\n\
         tls_verify_cert_hostnames ="
    );
    let login = format!("{tls}\nhosts_require_auth = *");
    vec![
        ("in the clear", smtp(door.smtp.port(), "hosts_avoid_tls = *"), how("smtp", false, false)),
        ("STARTTLS", smtp(door.smtp.port(), &tls), how("smtp", true, false)),
        (
            "STARTTLS, ended between mails",
            smtp(door.smtp.port(), &format!("{tls}\nhosts_noproxy_tls = *")),
            how("smtp", true, false),
        ),
        ("TLS", smtp(door.smtps.port(), &format!("protocol = smtps\n{tls}")), how("smtp", true, false)),
        ("submission", smtp(door.submission.port(), &login), how("submission", true, true)),
        (
            "submissions",
            smtp(door.submissions.port(), &format!("protocol = smtps\n{login}")),
            how("submission", true, true),
        ),
        ("LMTP", smtp(door.lmtp.port(), "protocol = lmtp\nhosts_avoid_tls = *"), how("lmtp", false, false)),
        (
            "LMTP, socket",
            format!("driver = lmtp\nsocket = {}\nuser = Debian-exim", door.socket.display()),
            how("lmtp", false, false),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn exim_copies_its_mails_by_each_of_its_transports_and_keeps_what_cannot_be_stored() {
    let test = "exim_copies_its_mails_by_each_of_its_transports_and_keeps_what_cannot_be_stored";
    let Some(program) = unpacked(test, "usr/sbin/exim4") else { return };
    let mut door = Counter::open().await;
    let transports = transports(&door);
    let (mut copies, mut figures) = (0, Vec::new());
    for (name, transport, expected) in &transports {
        let exim = Exim::new(&program, &door, transport);
        let from = |from: &str| How { mail_from: from.to_owned(), ..expected.clone() };
        for sender in [SENDER, "<>"] {
            let (mail, _) = door.order();
            let ran = exim.take("-odf", sender, &mail);
            let expected = from(&sender.replace("<>", ""));
            if !transport.starts_with("driver = lmtp") {
                let envelope = format!("MAIL FROM:<{}> SIZE=", expected.mail_from);
                assert!(ran.err.contains(&envelope), "{name}: {ran:?}");
            }
            copies = door.took(&format!("{name}: {}", exim.log()), copies, expected).await;
        }

        // A queue of four, of which one cannot be stored now: the others go, over as few sessions as Exim cares for.
        door.refuse().await;
        for sender in [SENDER, LATER, SENDER, SENDER] {
            exim.take("-odqs", sender, &door.order().0);
        }
        exim.run(&["-qqff"], b"").ended(0);
        let all = door.copies().await;
        Counter::check(&format!("{name}: {}", exim.log()), &all, copies, &vec![expected.clone(); 3]);
        // Exim's log has a star behind a server's address where the connection was there before the mail.
        let log = exim.log();
        let again = log.lines().filter(|line| line.contains(" T=door ") && line.contains("]*")).count();
        figures.push(format!("{name} {again}"));
        // Exim may end TLS between two mails and go on in the clear. The door does not: such mails come over connections of their own.
        let alone = transport.starts_with("driver = lmtp") || transport.contains("hosts_noproxy_tls");
        assert_eq!(again == 0, alone, "{name}: {log}");
        assert!(exim.log().contains("451 4.3.0"), "{name}: {}", exim.log());
        assert_eq!(exim.waiting(), 1, "{name}: {}", exim.log());
        door.relent().await;
        exim.run(&["-qff"], b"").ended(0);
        copies = door.took(&format!("{name}: {}", exim.log()), all.len(), from(LATER)).await;
        assert_eq!(exim.waiting(), 0, "{name}: {}", exim.log());
    }
    say(&format!(
        "Exim: {copies} mails by {} ways, {} of them after a 451; mails over a connection that was there before: {}",
        transports.len(),
        transports.len(),
        figures.join(", ")
    ));
    door.close(copies).await;
}
