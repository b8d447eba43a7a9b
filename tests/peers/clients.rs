//! Clients that hand in one mail and go: swaks, curl and msmtp.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use crate::counter::{Counter, How, LATER, NAME, PASSWORD, SENDER, USER, how, run_with};
use crate::kit::say;
use crate::program::{BCC, Ran, has, not_run};

fn swaks(mail: &Path, from: &str, server: &[&str], more: &[&str]) -> Ran {
    let mut command = Command::new("swaks");
    command.args(server).args(["--to", BCC, "--from", from, "--helo", "mta.shop.example.com", "--data"]);
    run_with(command.arg(format!("@{}", mail.display())).args(more), b"")
}

#[tokio::test(flavor = "multi_thread")]
async fn swaks_logs_in_speaks_lmtp_and_begins_with_tls() {
    let test = "swaks_logs_in_speaks_lmtp_and_begins_with_tls";
    if !has("swaks") || !run_with(Command::new("swaks").arg("--support"), b"").out.contains("=== TLS supported") {
        return not_run(test, "swaks with libnet-ssleay-perl");
    }
    let mut door = Counter::open().await;
    let tcp = |address: SocketAddr| ["--server".to_owned(), address.to_string()];
    let socket = ["--socket".to_owned(), door.socket.display().to_string()];
    let plain = ["--auth", "PLAIN", "--auth-user", USER, "--auth-password", PASSWORD];
    let login = ["--auth", "LOGIN", "--auth-user", USER, "--auth-password", PASSWORD];
    let lmtp = ["--protocol", "LMTP"];
    let pipelined = ["--protocol", "LMTP", "--pipeline"];
    let mut ways = vec![
        ("SMTP", tcp(door.smtp), vec![], how("smtp", false, false)),
        ("SMTP, pipelined", tcp(door.smtp), vec!["--pipeline"], how("smtp", false, false)),
        ("STARTTLS", tcp(door.smtp), vec!["--tls"], how("smtp", true, false)),
        ("STARTTLS, AUTH PLAIN", tcp(door.smtp), [&["--tls"][..], &plain].concat(), how("smtp", true, true)),
        ("STARTTLS, pipelined", tcp(door.smtp), vec!["--tls", "--pipeline"], how("smtp", true, false)),
        ("TLS", tcp(door.smtps), vec!["--tlsc"], how("smtp", true, false)),
        ("submission, PLAIN", tcp(door.submission), [&["--tls"][..], &plain].concat(), how("submission", true, true)),
        ("submission, LOGIN", tcp(door.submission), [&["--tls"][..], &login].concat(), how("submission", true, true)),
        (
            "submissions, PLAIN",
            tcp(door.submissions),
            [&["--tlsc"][..], &plain].concat(),
            how("submission", true, true),
        ),
        (
            "submissions, LOGIN",
            tcp(door.submissions),
            [&["--tlsc"][..], &login].concat(),
            how("submission", true, true),
        ),
        ("LMTP", tcp(door.lmtp), lmtp.to_vec(), how("lmtp", false, false)),
        ("LMTP, socket", socket.clone(), lmtp.to_vec(), how("lmtp", false, false)),
        ("LMTP, socket, pipelined", socket, pipelined.to_vec(), how("lmtp", false, false)),
    ];
    let (chain, key, print) = door.identity();
    let shown = ["--tlsc", "--tls-cert", chain.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let certified = How { certificate: Some(print), ..how("smtp", true, false) };
    ways.push(("TLS with a certificate", tcp(door.smtps), shown.to_vec(), certified));
    let mut copies = 0;
    for (way, server, more, expected) in &ways {
        for from in [SENDER, "<>"] {
            let (_, mail) = door.order();
            let ran = swaks(&mail, from, &server.each_ref().map(String::as_str), more).ended(0);
            assert!(ran.out.contains("250 2.0.0 kept as copy"), "{way}: {ran:?}");
            let mail_from = from.replace("<>", "");
            copies = door.took(way, copies, How { mail_from, ..expected.clone() }).await;
        }
    }

    let (_, mail) = door.order();
    let server = ["--server", &door.submission.to_string()];
    let wrong = [&["--tls"][..], &plain[..5], &["open window"]].concat();
    let refused = swaks(&mail, SENDER, &server, &wrong);
    assert!(refused.code != 0 && refused.out.contains("535 5.7.8 "), "{refused:?}");
    let refused = swaks(&mail, SENDER, &server, &["--tls"]);
    assert!(refused.code != 0 && refused.out.contains("530 5.7.0 log in first"), "{refused:?}");
    let refused = swaks(&mail, SENDER, &server, &plain);
    assert!(refused.code != 0, "no password in the clear: {refused:?}");
    assert_eq!(door.copies().await.len(), copies);
    say(&format!(
        "swaks: {copies} mails by {} ways; a wrong login, none, and one in the clear were refused",
        ways.len()
    ));
    door.close(copies).await;
}

/// Has curl hand a mail in; it trusts no certificate but the door's.
fn curl(door: &Counter, scheme: &str, address: SocketAddr) -> Command {
    let mut command = Command::new("curl");
    let port = address.port();
    command.args(["--silent", "--show-error", "--verbose", "--resolve", &format!("{NAME}:{port}:127.0.0.1")]);
    command.arg("--cacert").arg(&door.chain);
    command.arg(format!("{scheme}://{NAME}:{port}/mta.shop.example.com"));
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_hands_mails_in_in_the_clear_inside_tls_and_logged_in() {
    if !has("curl") {
        return not_run("curl_hands_mails_in_in_the_clear_inside_tls_and_logged_in", "curl");
    }
    let mut door = Counter::open().await;
    let user = format!("{USER}:{PASSWORD}");
    let plain = ["--user", &user, "--login-options", "AUTH=PLAIN"];
    let login = ["--user", &user, "--login-options", "AUTH=LOGIN"];
    let mut ways = vec![
        ("smtp", door.smtp, vec![], how("smtp", false, false)),
        ("smtp", door.smtp, vec!["--ssl-reqd"], how("smtp", true, false)),
        ("smtp", door.smtp, vec!["--ssl-reqd", "--user", &user], how("smtp", true, true)),
        ("smtps", door.smtps, vec![], how("smtp", true, false)),
        ("smtp", door.submission, [&["--ssl-reqd"][..], &plain].concat(), how("submission", true, true)),
        ("smtp", door.submission, [&["--ssl-reqd"][..], &login].concat(), how("submission", true, true)),
        ("smtps", door.submissions, plain.to_vec(), how("submission", true, true)),
        ("smtps", door.submissions, [&login[..], &["--sasl-ir"]].concat(), how("submission", true, true)),
    ];
    let (chain, key, print) = door.identity();
    let shown = ["--cert", chain.to_str().unwrap(), "--key", key.to_str().unwrap()];
    let certified = How { certificate: Some(print), ..how("smtp", true, false) };
    ways.push(("smtps", door.smtps, shown.to_vec(), certified));
    let mut copies = 0;
    for (scheme, address, more, expected) in &ways {
        for from in [SENDER, ""] {
            let (bytes, mail) = door.order();
            let envelope = ["--mail-from", from, "--mail-rcpt", BCC, "--upload-file"];
            let ran = run_with(curl(&door, scheme, *address).args(envelope).arg(&mail).args(more), b"").ended(0);
            let what = format!("{scheme} {more:?}");
            assert!(ran.err.contains("250 2.0.0 kept as copy"), "{what}: {ran:?}");
            assert!(ran.err.contains(&format!("MAIL FROM:<{from}> SIZE={}", bytes.len())), "{what}: {ran:?}");
            copies = door.took(&what, copies, How { mail_from: from.to_owned(), ..expected.clone() }).await;
        }
    }

    let big = door.site.path("big.eml");
    std::fs::write(
        &big,
        b"Subject: big\r\n\r\n".iter().copied().chain(*b"0123456789abcd\r\n").cycle().take(6 << 20).collect::<Vec<_>>(),
    )
    .unwrap();
    let mut command = curl(&door, "smtp", door.smtp);
    let ran = run_with(command.args(["--mail-from", SENDER, "--mail-rcpt", BCC, "--upload-file"]).arg(big), b"");
    assert!(ran.code != 0 && ran.err.contains("552 5.3.4 ") && !ran.err.contains("> DATA"), "by its SIZE: {ran:?}");

    // Three mails of one run, the second of which cannot be stored now.
    door.refuse().await;
    let sessions = door.sessions();
    let mut command = curl(&door, "smtp", door.smtp);
    let chain = door.chain.clone();
    let again = format!("smtp://{NAME}:{}/mta.shop.example.com", door.smtp.port());
    for (number, from) in [SENDER, LATER, SENDER].into_iter().enumerate() {
        if number > 0 {
            command.args(["--next", "--silent", "--show-error", "--verbose", "--cacert"]).arg(&chain).arg(&again);
        }
        let (_, mail) = door.order();
        command.args(["--ssl-reqd", "--mail-from", from, "--mail-rcpt", BCC, "--upload-file"]).arg(mail);
    }
    let ran = run_with(&mut command, b"");
    assert!(ran.err.contains("451 4.3.0 "), "{ran:?}");
    let all = door.copies().await;
    Counter::check("three of one run", &all, copies, &[how("smtp", true, false), how("smtp", true, false)]);
    let sessions = door.until_sessions(sessions, 1).await;
    say(&format!(
        "curl: {} mails by {} ways; three mails, one of them 451, in {sessions} session(s)",
        all.len(),
        ways.len()
    ));
    door.close(all.len()).await;
}

/// Has msmtp hand a mail in.
fn msmtp(door: &Counter, settings: &str, from: &str, mail: &[u8]) -> Ran {
    let file = door.site.path("msmtprc");
    let chain = door.chain.display();
    let text = format!("account default\ndomain mta.shop.example.com\ntls_trust_file {chain}\n{settings}\n");
    std::fs::write(&file, text).unwrap();
    crate::kit::make_private(&file);
    run_with(Command::new("msmtp").arg("--debug").arg("--file").arg(file).args(["--from", from, "--", BCC]), mail)
}

#[tokio::test(flavor = "multi_thread")]
async fn msmtp_hands_mails_in_by_each_of_its_ways() {
    if !has("msmtp") {
        return not_run("msmtp_hands_mails_in_by_each_of_its_ways", "msmtp");
    }
    let mut door = Counter::open().await;
    let at = |address: SocketAddr| format!("host 127.0.0.1\nport {}\ntls_host_override {NAME}\n", address.port());
    let with = |auth: &str| format!("auth {auth}\nuser {USER}\npassword {PASSWORD}\n");
    let mut ways = vec![
        (at(door.smtp) + "tls off", how("smtp", false, false)),
        (at(door.smtp) + "tls on", how("smtp", true, false)),
        (at(door.smtp) + "tls on\n" + &with("plain"), how("smtp", true, true)),
        (at(door.smtps) + "tls on\ntls_starttls off", how("smtp", true, false)),
        (at(door.submission) + "tls on\n" + &with("on"), how("submission", true, true)),
        (at(door.submission) + "tls on\n" + &with("login"), how("submission", true, true)),
        (at(door.submissions) + "tls on\ntls_starttls off\n" + &with("plain"), how("submission", true, true)),
        (at(door.submissions) + "tls on\ntls_starttls off\n" + &with("login"), how("submission", true, true)),
        (at(door.lmtp) + "protocol lmtp", how("lmtp", false, false)),
        (
            format!("host localhost\nport 24\nsocket {}\nprotocol lmtp", door.socket.display()),
            how("lmtp", false, false),
        ),
    ];
    let (chain, key, print) = door.identity();
    let shown = format!("tls on\ntls_starttls off\ntls_cert_file {}\ntls_key_file {}", chain.display(), key.display());
    ways.push((at(door.smtps) + &shown, How { certificate: Some(print), ..how("smtp", true, false) }));
    let mut copies = 0;
    for (settings, expected) in &ways {
        for from in [SENDER, ""] {
            // As a shop's sendmail(1) gets it: with the system's line ends.
            let (mail, _) = door.order();
            let mail = mail.iter().copied().filter(|octet| *octet != b'\r').collect::<Vec<_>>();
            let ran = msmtp(&door, settings, from, &mail).ended(0);
            assert!(ran.out.contains("250 2.0.0 kept as copy"), "{settings}: {ran:?}");
            copies = door.took(settings, copies, How { mail_from: from.to_owned(), ..expected.clone() }).await;
        }
    }

    door.refuse().await;
    let (mail, _) = door.order();
    // 69: EX_UNAVAILABLE of sysexits(3). msmtp has no other code for a mail that was refused at its end, whether for good or for now.
    let ran = msmtp(&door, &ways[1].0, LATER, &mail).ended(69);
    assert!(ran.err.contains("451 4.3.0 "), "{ran:?}");
    door.relent().await;
    msmtp(&door, &ways[1].0, LATER, &mail).ended(0);
    let expected = How { mail_from: LATER.to_owned(), ..how("smtp", true, false) };
    copies = door.took("again", copies, expected).await;
    let wrong = ways[4].0.replace(PASSWORD, "open window");
    let ran = msmtp(&door, &wrong, SENDER, &mail);
    assert!(ran.code != 0 && ran.err.contains("535 5.7.8 "), "{ran:?}");
    say(&format!(
        "msmtp: {copies} mails by {} ways, one of them again after a 451; a wrong password was refused",
        ways.len()
    ));
    door.close(copies).await;
}
