//! Postfix as the shop's server where it encrypts and logs in.

use std::net::SocketAddr;

use crate::counter::{Counter, How, LATER, NAME, PASSWORD, SENDER, USER, how};
use crate::kit::{say, until};
use crate::postfix::{Postfix, can_run_postfix};
use crate::program::{BCC, Dialog};

/// Gives Postfix a mail of the shop's, as an application does.
async fn take(postfix: &Postfix, from: &str, mail: &[u8]) {
    let mut shop = Dialog::open(postfix.address).await.unwrap();
    for command in [&format!("MAIL FROM:<{from}> BODY=8BITMIME"), &format!("RCPT TO:<{BCC}>"), "DATA"] {
        let reply = shop.say(command).await.unwrap();
        assert!(reply.starts_with(['2', '3']), "{command}: {reply}");
    }
    // Dots as the dialog sends them are dots of the protocol.
    let mail = String::from_utf8(mail.to_vec()).unwrap().replace("\r\n.", "\r\n..");
    let reply = shop.body(mail.as_bytes()).await.unwrap();
    assert!(reply.starts_with("250 "), "{reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn postfix_encrypts_logs_in_and_keeps_what_cannot_be_stored() {
    if !can_run_postfix("postfix_encrypts_logs_in_and_keeps_what_cannot_be_stored") {
        return;
    }
    let mut door = Counter::open().await;
    let chain = door.chain.display().to_string();
    let tls =
        format!("smtp_tls_security_level = secure\nsmtp_tls_CAfile = {chain}\nsmtp_tls_secure_cert_match = {NAME}\n");
    let login = |address: SocketAddr| {
        format!(
            "smtp_sasl_auth_enable = yes\nsmtp_sasl_security_options = noanonymous\n\
             smtp_sasl_password_maps = inline:{{ {{ [127.0.0.1]:{} = {USER}:{PASSWORD} }} }}\n",
            address.port()
        )
    };
    let wrapped = "smtp_tls_wrappermode = yes\n";
    let ways = [
        ("in the clear", door.smtp, String::new(), how("smtp", false, false)),
        ("STARTTLS", door.smtp, tls.clone(), how("smtp", true, false)),
        ("STARTTLS, reused", door.smtp, tls.clone() + "smtp_tls_connection_reuse = yes\n", how("smtp", true, false)),
        ("TLS", door.smtps, tls.clone() + wrapped, how("smtp", true, false)),
        ("submission", door.submission, tls.clone() + &login(door.submission), how("submission", true, true)),
        ("submissions", door.submissions, tls + wrapped + &login(door.submissions), how("submission", true, true)),
    ];
    let (mut copies, mut figures) = (0, Vec::new());
    for (name, address, main, expected) in &ways {
        let port = address.port();
        let main = format!(
            "transport_maps = inline:{{ {{{NAME}=smtp:[127.0.0.1]:{port}}} }}\ndebug_peer_list = 127.0.0.1\n\
             smtp_connection_cache_destinations = 127.0.0.1\n\
             smtp_connection_cache_time_limit = 60s\nconnection_cache_ttl_limit = 60s\n{main}"
        );
        let postfix = Postfix::start(&main, "tlsproxy unix - - n - 0 tlsproxy\n").await;
        let from = |from: &str| How { mail_from: from.to_owned(), ..expected.clone() };
        for sender in [SENDER, ""] {
            take(&postfix, sender, &door.order().0).await;
            until(&format!("{name}\n{}", postfix.log()), async || {
                (door.copies().await.len() > copies || postfix.log().contains("status=deferred")).then_some(())
            })
            .await;
            copies = door.took(&format!("{name}: {}", postfix.log()), copies, from(sender)).await;
        }
        door.refuse().await;
        take(&postfix, LATER, &door.order().0).await;
        until("it waits", async || postfix.log().contains("451 4.3.0").then_some(())).await;
        take(&postfix, SENDER, &door.order().0).await;
        copies = door.until_copies(copies + 1).await.len();
        door.relent().await;
        until("it goes", async || {
            postfix.control("flush");
            (door.copies().await.len() > copies).then_some(())
        })
        .await;
        copies = door.took(name, copies, from(LATER)).await;
        let log = postfix.log();
        assert!(log.contains("> MAIL FROM:<> SIZE=") || log.contains(": MAIL FROM:<> SIZE="), "{name}: {log}");
        assert!(log.contains(" BODY=8BITMIME"), "{name}: {log}");
        drop(postfix);
        let again = log.matches(" conn_use=").count();
        assert_eq!(again > 0, ["in the clear", "STARTTLS, reused"].contains(name), "{name}: {log}");
        figures.push(format!("{name} {again}"));
    }
    say(&format!(
        "Postfix: {copies} mails by {} ways, {} of them after a 451; of five deliveries over a connection that was there before: {}",
        ways.len(),
        ways.len(),
        figures.join(", ")
    ));
    door.close(copies).await;
}
