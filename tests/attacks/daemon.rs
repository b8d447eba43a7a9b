//! The daemon as a process: what octets without end cost it, what it says to who tries to use it for others' mail, and that it sends
//! nothing to anybody who hands mail in.

use std::path::Path;
use std::process::Command;

use invited::store::{CopyState, Store as _};

use crate::client::{Client, add, certificate, peak, resident};
use crate::kit::{order_mail, say, until};
use crate::program::{BCC, Dialog, Service, Site, has, not_run, run};
use crate::relay::{Act, TestRelay};

async fn held_site(extra: &[(&str, &str)]) -> (Site, Service, TestRelay) {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[&[("hold_all", "true")], extra].concat()).await;
    let service = site.serve().await;
    (site, service, relay)
}

/// The bytes that the files of a folder take.
fn size(folder: &Path) -> u64 {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_without_end_cost_no_memory() {
    const CLIENTS: usize = 20;
    const CHUNK: usize = 1024 * 1024;
    const CHUNKS: usize = 10;
    let (site, service, _relay) = held_site(&[]).await;
    let door = service.address;
    drop(Client::open(door));
    let before = resident(service.pid);
    let attack = |in_data: bool| {
        (0..CLIENTS).map(move |_| {
            std::thread::spawn(move || {
                let mut client = Client::open(door);
                if in_data {
                    client.begin("a@shop.example.com", BCC);
                }
                let chunk = vec![b'x'; CHUNK];
                if in_data {
                    assert!((0..CHUNKS).all(|_| client.send(&chunk)));
                    client.send(b"\r\n.\r\n");
                    let reply = client.reply();
                    assert!(reply.starts_with("552 5.3.4"), "{reply}");
                    assert!(client.say("NOOP").starts_with("250 "));
                } else {
                    client.send(&chunk[..4096]);
                    let reply = client.reply();
                    assert!(reply.starts_with("500 5.5.2"), "{reply}");
                    let taken = (0..CHUNKS).take_while(|_| client.send(&chunk)).count();
                    assert!(taken < CHUNKS, "the connection is closed");
                }
            })
        })
    };
    for in_data in [false, true] {
        attack(in_data).collect::<Vec<_>>().into_iter().for_each(|client| client.join().unwrap());
    }
    let most = peak(service.pid);
    say(&format!("endless lines: 2 x {CLIENTS} clients x {CHUNKS} MiB, {before:.1} MiB before, {most:.1} MiB at most"));
    assert!(most - before < 20.0, "{before} MiB before, {most} MiB at most");
    assert_eq!(site.number("SELECT count(*) FROM copy").await, 0);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_huge_mail_is_refused_once_however_small_it_says_it_is() {
    let (site, service, _relay) = held_site(&[]).await;
    let (size_before, memory_before) = (size(&site.path("")), resident(service.pid));
    let mut client = Client::open(service.address);
    assert!(client.say("EHLO client.example").starts_with("250 "));
    assert!(client.say("MAIL FROM:<a@shop.example.com> SIZE=1000000000000").starts_with("552 5.3.4"));
    assert!(client.say("MAIL FROM:<a@shop.example.com> SIZE=100").starts_with("250 "));
    assert!(client.say(&format!("RCPT TO:<{BCC}>")).starts_with("250 "));
    assert!(client.say("DATA").starts_with("354 "));
    let line = [&[b'x'; 998][..], b"\r\n"].concat();
    for _ in 0..50 {
        client.send(&line.repeat(1_000));
    }
    assert!(client.say(".").starts_with("552 5.3.4"));
    assert!(client.say("NOOP").starts_with("250 "), "one reply for 50,000 lines");
    let (grown, memory) = (size(&site.path("")).saturating_sub(size_before), peak(service.pid) - memory_before);
    say(&format!("a huge mail: 50 MB sent, {grown} bytes more on disk, {memory:.1} MiB more in memory at most"));
    // The log has some lines more.
    assert!(grown < 16 * 1024 && memory < 20.0, "{grown} bytes, {memory} MiB");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobodys_mail_is_relayed_in_whatever_form_it_is_asked() {
    let (site, service, relay) = held_site(&[("errors", "100"), ("error_delay", "\"0 s\"")]).await;
    let (domain, address) = ("in.invited.example", "[127.0.0.1]");
    let forms = [
        "MAIL FROM:<> RCPT TO:<relaytest@example.net>".to_owned(),
        "MAIL FROM:<spam@example.net> RCPT TO:<relaytest@example.net>".to_owned(),
        format!("MAIL FROM:<spam@{domain}> RCPT TO:<relaytest@example.net>"),
        format!("MAIL FROM:<spam@{address}> RCPT TO:<relaytest@example.net>"),
        format!("MAIL FROM:<a@b.example> RCPT TO:<relaytest%example.net@{domain}>"),
        format!("MAIL FROM:<a@b.example> RCPT TO:<relaytest%example.net@{address}>"),
        "MAIL FROM:<a@b.example> RCPT TO:<\"relaytest@example.net\">".to_owned(),
        "MAIL FROM:<a@b.example> RCPT TO:<\"relaytest%example.net\">".to_owned(),
        format!("MAIL FROM:<a@b.example> RCPT TO:<relaytest@example.net@{domain}>"),
        format!("MAIL FROM:<a@b.example> RCPT TO:<\"relaytest@example.net\"@{domain}>"),
        format!("MAIL FROM:<a@b.example> RCPT TO:<relaytest@example.net@{address}>"),
        format!("MAIL FROM:<a@b.example> RCPT TO:<@{domain}:relaytest@example.net>"),
        format!("MAIL FROM:<a@b.example> RCPT TO:<@{address}:relaytest@example.net>"),
        "MAIL FROM:<a@b.example> RCPT TO:<example.net!relaytest>".to_owned(),
        format!("MAIL FROM:<a@b.example> RCPT TO:<example.net!relaytest@{address}>"),
        format!("MAIL FROM:<a@b.example> RCPT TO:<example.net!relaytest@{domain}>"),
    ];
    let mut client = Client::open(service.address);
    client.say("EHLO client.example");
    for form in &forms {
        let (mail, rcpt) = form.split_once(" RCPT").unwrap();
        client.say(mail);
        let reply = client.say(&format!("RCPT{rcpt}"));
        assert!(reply.starts_with('5'), "{form}: {reply}");
        assert!(client.say("DATA").starts_with('5'), "{form}");
        client.say("RSET");
    }
    assert!(client.say(&format!("VRFY {BCC}")).starts_with("252 "));
    assert!(client.say("VRFY nobody").starts_with("252 "));
    assert!(client.say("EXPN staff").starts_with("502 "));
    say(&format!("open relay: 0 of {} forms taken", forms.len()));
    assert!(relay.seen().lines.is_empty());
    service.stop().await;
    drop(site);
}

#[tokio::test(flavor = "multi_thread")]
async fn nmap_finds_no_relay_and_no_name() {
    if !has("nmap") {
        return not_run("nmap_finds_no_relay_and_no_name", "nmap");
    }
    // Its probes are errors; a patient door lets it come to its end.
    let extra = [("hold_all", "true"), ("errors", "1000"), ("error_delay", "\"0 s\"")];
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &extra).await;
    let (_, line) = certificate(&site);
    site.configure(relay.address, &[&extra[..], &[("tls", &line)]].concat());
    add(&site, "[[listener]]\non = \"127.0.0.1:0\"\ntls = \"implicit\"");
    let service = site.serve().await;
    let port = service.address.port().to_string();
    let run_on = |port: &str, scripts: &str| {
        let ran = run(Command::new("nmap").args(["-Pn", "-n", "-sT", "-p", port, "--script", scripts, "127.0.0.1"]));
        let ran = ran.ended(0);
        say(&ran.out);
        ran.out
    };
    // With a plus they run though the port is none of SMTP's.
    let scripts = "+smtp-commands,+smtp-open-relay,+smtp-enum-users,+smtp-ntlm-info,+smtp-vuln-cve2010-4344,\
                   +smtp-vuln-cve2011-1720,+smtp-vuln-cve2011-1764";
    let out = run_on(&port, scripts);
    for said in [
        "smtp-commands: invited.shop.example.com, PIPELINING",
        "Server doesn't seem to be an open relay, all tests failed",
        "Couldn't find any accounts",
        "The SMTP server is not Exim: NOT VULNERABLE",
    ] {
        assert!(out.contains(said), "{said}: {out}");
    }
    assert!(!out.contains("State: VULNERABLE") && !out.contains("LIKELY VULNERABLE"), "{out}");
    assert!(!out.contains("smtp-ntlm-info"), "it has something to say only of servers that offer NTLM: {out}");

    let addresses = std::fs::read_to_string(site.path("addresses")).unwrap();
    let (_, inside) = addresses.lines().nth(1).unwrap().rsplit_once(':').unwrap();
    let out = run_on(inside, "+ssl-enum-ciphers");
    assert!(out.contains("TLSv1.2:") && out.contains("TLSv1.3:"), "{out}");
    assert!(!out.contains("TLSv1.0:") && !out.contains("TLSv1.1:") && !out.contains("SSLv3:"), "{out}");
    assert!(out.contains("least strength: A"), "{out}");
    assert_eq!(site.number("SELECT count(*) FROM copy").await, 0);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_ever_sent_back_to_who_hands_mail_in() {
    const CONNECTIONS: usize = 100;
    let (site, service, relay) = held_site(&[("hold_all", "false"), ("error_delay", "\"0 s\"")]).await;
    let bodies = [
        "no mail at all\r\n",
        "From: a@b.example\r\nFrom: c@d.example\r\nSubject: two authors\r\n\r\nx\r\n",
        "Auto-Submitted: auto-replied\r\nSubject: Out of office\r\n\r\nI am away\r\n",
        "Subject: \r\n\r\n\r\n",
        "Content-Type: multipart/mixed; boundary=\"\r\n\r\n--\r\n",
        "Disposition-Notification-To: victim@example.net\r\nReturn-Receipt-To: victim@example.net\r\nSubject: read me\r\n\r\nx\r\n",
        "Subject: =?utf-8?b?/////?=\r\n\r\n\u{7f}\r\n",
        "To: victim@example.net\r\nSubject: order\r\n\r\nYour order\r\n",
    ];
    let (mut kept, mut refused) = (0, 0);
    for number in 0..CONNECTIONS {
        let mut client = Client::open(service.address);
        for (mail, body) in bodies.iter().enumerate() {
            client.begin(&format!("victim{number}.{mail}@example.net"), BCC);
            client.send(body.as_bytes());
            assert!(client.say(".").starts_with("250 2.0.0"), "{body:?}");
            kept += 1;
        }
        client.say(&format!("MAIL FROM:<victim{number}@example.net>"));
        assert!(
            client.say("RCPT TO:<nobody@in.invited.example> NOTIFY=SUCCESS,FAILURE,DELAY").starts_with("550 5.1.1")
        );
        client.say("RSET");
        client.begin(&format!("victim{number}@example.net"), BCC);
        client.send(&b"Received: x\r\n".repeat(31));
        assert!(client.say("\r\n.").starts_with("554 5.4.6"));
        refused += 2;
    }
    until("all are read", async || {
        (site.number("SELECT count(*) FROM copy WHERE state IN ('new', 'reading')").await == 0).then_some(())
    })
    .await;
    let (copies, letters) =
        (site.number("SELECT count(*) FROM copy").await, site.number("SELECT count(*) FROM letter").await);
    say(&format!(
        "backscatter: {} forged senders, {kept} mails kept, {refused} refused, {letters} letters, {} lines at the relay",
        kept + refused,
        relay.seen().lines.len()
    ));
    assert_eq!((copies, kept + refused), (i64::from(kept), 1_000));
    assert!(letters == 0 && relay.seen().lines.is_empty(), "{:?}", relay.seen().lines);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_letter_that_comes_back_begins_nothing() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let service = site.serve().await;
    let mut shop = Dialog::open(service.address).await.unwrap();
    let customer = "anna@customer.example.net";
    shop.mail(BCC, &order_mail("LOOP-1", "Anna Exempel", customer)).await.unwrap();
    let letter = relay.until(|seen| seen.taken.len() == 1).await.taken.remove(0);
    let reply = shop.mail(BCC, &letter.data).await.unwrap();
    let copy = reply.rsplit(' ').next().unwrap().parse().unwrap();
    let store = site.store().await;
    let read = until("the letter is read", async || {
        let (copy, _) = store.copy(copy).await.unwrap().unwrap();
        copy.reading.is_some().then_some(copy)
    })
    .await;
    assert_eq!(read.state, CopyState::Ignored, "{:?}", read.reading);
    assert_eq!(site.invitations().await.len(), 1);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_tls_inside_a_message_ends_the_session_and_starttls_takes_nothing_along() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[("hold_all", "true")]).await;
    let (chain, line) = certificate(&site);
    site.configure(relay.address, &[("hold_all", "true"), ("tls", &line)]);
    let service = site.serve().await;
    let mut client = Client::secured(service.address, &chain);
    client.begin("a@shop.example.com", BCC);
    client.send(b"Subject: a\r\n\r\na\r\n");
    client.leave_tls();
    client.send(b".\r\n");
    assert_eq!(client.reply(), "", "closed, with no word in the clear");

    let mut client = Client::open(service.address);
    client.say("EHLO client.example");
    client.send(format!("STARTTLS\r\nEHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<{BCC}>\r\n").as_bytes());
    assert!(client.reply().starts_with("220 "));
    client.shake_hands(&chain);
    // The first reply inside TLS is to the first command inside it: there is none to what came in the clear.
    assert!(client.say("MAIL FROM:<a@b.example>").starts_with("503 "));
    assert!(client.say("STARTTLS").starts_with("503 "));
    assert!(client.say("QUIT").starts_with("221 "));
    assert_eq!(client.reply(), "");
    assert_eq!(site.number("SELECT count(*) FROM copy").await, 0);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_has_a_line_an_event_and_nothing_of_the_clients_in_it() {
    let (site, service, _relay) = held_site(&[("error_delay", "\"0 s\""), ("errors", "100")]).await;
    let mut client = Client::open(service.address);
    for line in [
        "EHLO x\u{1b}[2J",
        "EHLO x\u{85}2026-01-01 ERROR forged",
        "EHLO \u{202e}elpmaxe",
        "MAIL FROM:<\u{202e}forged@example.net> SMTPUTF8",
        "RCPT TO:<forged\u{9b}@in.invited.example>",
        "NOOP \u{1b}]0;forged\u{7}",
        "XYZZY forged",
    ] {
        client.say(line);
    }
    client.begin("forged@example.net", BCC);
    client.send(
        "Subject: a\u{1b}[31m\u{85}2026-01-01T00:00:00Z ERROR forged\r\n\tforged: too\r\n\r\nforged\r\n".as_bytes(),
    );
    assert!(client.say(".").starts_with("250 2.0.0"));
    assert!(client.say("QUIT").starts_with("221 "));
    service.says("session ended; this was its last refusal").await;
    until("it is read", async || {
        (site.number("SELECT count(*) FROM copy WHERE state IN ('new', 'reading')").await == 0).then_some(())
    })
    .await;
    let log = service.log();
    for line in log.lines() {
        assert!(line.starts_with("20"), "a line that is no event: {line:?}");
        let strange = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!line.contains(strange) && !line.contains("forged"), "{line:?}");
    }
    assert_eq!(log.matches("copy kept").count(), 1);
    service.stop().await;
}
