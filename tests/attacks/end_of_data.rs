//! What ends a message. The same octets go to invited, in the clear and inside TLS, and to the servers of others that are there:
//! Postfix in each of its modes for bare newlines, and aiosmtpd. And second mails behind false ends, after the model of the public
//! scanners for SMTP smuggling (CVE-2023-51764 and its kin).

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::client::{Client, certificate};
use crate::kit::{say, until};
use crate::postfix::{Postfix, can_run_postfix, free_address};
use crate::program::{BCC, Dialog, Site, not_run, run};
use crate::relay::{Act, TestRelay};

/// What some server or other takes for the end of a message, with its name; the last one is the true end.
const ENDS: [(&str, &str); 13] = [
    ("LF . LF", "\n.\n"),
    ("LF . CRLF", "\n.\r\n"),
    ("CRLF . LF", "\r\n.\n"),
    ("CR . CR", "\r.\r"),
    ("CR . CRLF", "\r.\r\n"),
    ("CRLF . CR", "\r\n.\r"),
    ("CR . LF", "\r.\n"),
    ("LF . CR", "\n.\r"),
    ("CRLF NUL . CRLF", "\r\n\0.\r\n"),
    ("CRLF . NUL CRLF", "\r\n.\0\r\n"),
    ("CRLF . CR CRLF", "\r\n.\r\r\n"),
    ("CR CRLF . CR CRLF", "\r\r\n.\r\r\n"),
    ("CRLF . CRLF (the true end)", "\r\n.\r\n"),
];

/// What a server makes of a sequence: `E` it ends the message, `-` the message goes on and is taken, `R` it is refused at its end.
///
/// All goes out at once, with a line behind the sequence that is a command only if the message has ended, so that the replies tell
/// and no clock is asked.
fn verdict(client: &mut Client, to: &str, sequence: &str) -> char {
    client.begin("a@shop.example.com", to);
    client.send(format!("Subject: one\r\n\r\none{sequence}NOOP\r\n\r\n.\r\nQUIT\r\n").as_bytes());
    let replies =
        std::iter::from_fn(|| Some(client.reply()).filter(|reply| !reply.is_empty() && !reply.starts_with("221")));
    match replies.collect::<Vec<_>>().as_slice() {
        [one] if one.starts_with('2') => '-',
        [one] if one.starts_with('5') => 'R',
        [one, _, ..] if one.starts_with('2') => 'E',
        other => panic!("{sequence:?}: {other:?}"),
    }
}

fn column(open: impl Fn() -> Client, to: &str) -> Vec<char> {
    ENDS.iter().map(|(_, sequence)| verdict(&mut open(), to, sequence)).collect()
}

/// A server of Python, ended with the test.
struct Aiosmtpd(Child, SocketAddr);

impl Drop for Aiosmtpd {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// With its version, where a Python has it.
async fn aiosmtpd(folder: &Path) -> Option<(Aiosmtpd, String)> {
    let version = |python: &&str| {
        run(Command::new(python).args(["-c", "import aiosmtpd; print(aiosmtpd.__version__)"])).code == 0
    };
    let python = ["python3", "/usr/bin/python3"].into_iter().find(version)?;
    let told = run(Command::new(python).args(["-c", "import aiosmtpd; print(aiosmtpd.__version__)"]));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/side_by_side/peers/aiosmtpd_server.py");
    let address = free_address();
    let mut command = Command::new(python);
    command.arg(script).arg(address.port().to_string()).arg(folder.join("aiosmtpd.db")).stderr(Stdio::null());
    let server = Aiosmtpd(command.spawn().unwrap(), address);
    until("aiosmtpd listens", async || Dialog::open(address).await.ok()).await;
    Some((server, told.out.trim().to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_the_true_end_ends_a_message_here_and_elsewhere_other_things_do() {
    let test = "nothing_but_the_true_end_ends_a_message_here_and_elsewhere_other_things_do";
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[("hold_all", "true")]).await;
    let (chain, line) = certificate(&site);
    site.configure(relay.address, &[("hold_all", "true"), ("tls", &line)]);
    let service = site.serve().await;
    let door = service.address;
    let mut table = vec![
        ("invited".to_owned(), column(|| Client::open(door), BCC)),
        ("invited, TLS".to_owned(), column(|| Client::secured(door, &chain), BCC)),
    ];
    for (_, column) in &table {
        let shown = column.iter().collect::<String>();
        assert_eq!(shown, "RRRRRRRRRRRRE");
    }
    assert_eq!(site.number("SELECT count(*) FROM copy").await, 2, "the two true ends, and nothing else");

    if can_run_postfix(test) {
        for mode in ["no", "normalize", "reject"] {
            let main = format!(
                "smtpd_forbid_bare_newline = {mode}\nsmtpd_forbid_bare_newline_exclusions =\ndefault_transport = discard:\n"
            );
            let postfix = Postfix::start(&main, "").await;
            table.push((format!("Postfix {mode}"), column(|| Client::open(postfix.address), "b@example.net")));
        }
        // That the matrix can see what it looks for.
        assert_eq!(table[2].1[0], 'E', "Postfix of old takes LF.LF for the end");
    }
    match aiosmtpd(&site.path("")).await {
        Some((server, version)) => {
            table.push((format!("aiosmtpd {version}"), column(|| Client::open(server.1), "b@example.net")));
        }
        None => not_run(test, "python3-aiosmtpd"),
    }
    let mut text = format!("{:28}", "ends a message?");
    table.iter().for_each(|(name, _)| write!(text, "{name:>19}").unwrap());
    for (number, (name, _)) in ENDS.iter().enumerate() {
        write!(text, "\n{name:28}").unwrap();
        table.iter().for_each(|(_, column)| write!(text, "{:>19}", column[number]).unwrap());
    }
    say(&format!("{text}\nE: ends it; -: goes on and is taken; R: refused at its true end"));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_smuggled_mail_arrives() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[("hold_all", "true")]).await;
    let (chain, line) = certificate(&site);
    site.configure(relay.address, &[("hold_all", "true"), ("tls", &line)]);
    let service = site.serve().await;
    let mut sent = 0;
    for (name, sequence) in &ENDS[..12] {
        for tls in [false, true] {
            let door = service.address;
            let mut client = if tls { Client::secured(door, &chain) } else { Client::open(door) };
            client.begin("outer@shop.example.com", BCC);
            let smuggled = format!(
                "Subject: outer\r\n\r\nouter{sequence}MAIL FROM:<smuggled@example.com>\r\nRCPT TO:<{BCC}>\r\nDATA\r\n\
                 Subject: smuggled\r\n\r\nsmuggled\r\n.\r\n"
            );
            client.send(smuggled.as_bytes());
            let reply = client.reply();
            assert!(reply.starts_with("550 5.5.2"), "{name}: {reply}");
            assert!(client.say("NOOP").starts_with("250 "), "{name}: the session is in step");
            assert!(client.say("QUIT").starts_with("221 "), "{name}");
            sent += 1;
        }
    }
    let mut client = Client::open(service.address);
    client.begin("control@shop.example.com", BCC);
    assert!(client.say("Subject: control\r\n\r\n.").starts_with("250 2.0.0"));
    let smuggled = site.number("SELECT count(*) FROM copy WHERE mail_from LIKE 'smuggled@%'").await;
    let all = site.number("SELECT count(*) FROM copy").await;
    say(&format!("smuggling: {sent} attempts, {smuggled} smuggled, {all} kept (the control)"));
    assert_eq!((sent, smuggled, all), (24, 0, 1));
    service.stop().await;
}
