//! The end-of-data matrix, in the clear and inside TLS; what is said in the clear around STARTTLS; messages that are cut off.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::script::Script;
use crate::socket::{Client, PATIENCE, Server, Wire};
use crate::{HOSTNAME, SHOP};

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
        assert_eq!((kept[0].handed.tls, kept[0].handed.hello.as_str()), (tls, "client.example"));
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
        client.hear(&["250-"; 7]).await;
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
