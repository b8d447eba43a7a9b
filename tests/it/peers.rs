//! Programs that we did not write: Postfix as the shop's MTA and as our relay, swaks as a client. They are run as they are
//! packaged; what is missing is said on standard error, and is a failure when `INVITED_REQUIRE_PEERS` is set.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use invited::domain::State;
use invited::store::CopyState;
use invited::store::Store as _;

use crate::kit::{fixture, make_private, opened, order_mail, say, until};
use crate::postfix::{Postfix, can_run_postfix, free_address};
use crate::program::{BCC, Dialog, Ran, Site, has, not_run, run};
use crate::relay::{Act, At, TestRelay};

/// `to_door` gets the mail for the ingest domain, `to_customers` every other.
fn routes(to_door: SocketAddr, to_customers: SocketAddr) -> String {
    format!(
        "always_bcc = {BCC}\n\
         transport_maps = inline:{{ {{in.invited.example=smtp:[{}]:{}}}, {{*=smtp:[{}]:{}}} }}\n",
        to_door.ip(),
        to_door.port(),
        to_customers.ip(),
        to_customers.port(),
    )
}

fn can_run_swaks(test: &str) -> bool {
    let there = has("swaks");
    if !there {
        not_run(test, "swaks");
    }
    there
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_loop_through_a_real_postfix_on_both_sides() {
    if !can_run_postfix("the_whole_loop_through_a_real_postfix_on_both_sides") {
        return;
    }
    let customers = TestRelay::start(|_| Act::Ok).await;
    // The daemon must know its relay before Postfix can know the daemon, so the relay's address comes with a reload.
    let site = Site::new(free_address(), &[("hold_all", "true")]).await;
    let service = site.serve().await;
    let postfix = Postfix::start(&routes(service.address, customers.address), "").await;
    site.configure(postfix.address, &[]);
    service.signal("HUP");
    service.says("the configuration was reloaded").await;

    let mut shop = Dialog::open(postfix.address).await.unwrap();
    let customer = "anna@customer.example.net";
    let reply = shop.mail(customer, &order_mail("PF-1001", "Anna Exempel", customer)).await.unwrap();
    assert!(reply.starts_with("250 "), "{reply}");
    let seen = customers.until(|seen| seen.taken.len() == 2).await;
    let letters = seen.taken.iter().filter(|one| opened(one).header_raw("X-Invited-Letter").is_some());
    let letters = letters.collect::<Vec<_>>();
    assert_eq!((letters.len(), &*letters[0].to), (1, &[customer.to_owned()][..]));
    let text = opened(letters[0]).body_text(0).unwrap().into_owned();
    assert!(text.contains("Anna Exempel") && text.contains("PF-1001"), "{text}");

    // always_bcc copies our own letter too; it must not become an order.
    let store = site.store().await;
    let own = until("the copy of our own letter is read", async || {
        let (copy, _) = store.copy(invited::domain::CopyId(2)).await.unwrap()?;
        copy.reading.is_some().then_some(copy)
    })
    .await;
    assert_eq!(own.state, CopyState::Ignored, "{:?}", own.reading);
    let invitations = until("the letter is settled", async || {
        let all = site.invitations().await;
        all.iter().all(|one| one.progress.state == State::Done).then_some(all)
    })
    .await;
    assert_eq!(invitations.len(), 1);

    // A mail of a real platform's shape, long lines and all, survives Postfix.
    let reply = shop.mail("customer@example.net", &fixture("woocommerce/placed-sv-1.eml")).await.unwrap();
    assert!(reply.starts_with("250 "), "{reply}");
    customers.until(|seen| seen.taken.len() == 4).await;
    let invitations = until("both are done", async || {
        let all = site.invitations().await;
        (all.len() == 2 && all.iter().all(|one| one.progress.state == State::Done)).then_some(all)
    })
    .await;
    say(&format!(
        "through Postfix: 2 orders, {} invitations, {} letters",
        invitations.len(),
        customers.taken().len() - 2
    ));
    drop(postfix);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_real_postfix_could_not_deliver_comes_back_and_stops_the_letters() {
    if !can_run_postfix("what_a_real_postfix_could_not_deliver_comes_back_and_stops_the_letters") {
        return;
    }
    let customer = "anna@customer.example.net";
    let customers = TestRelay::start(|moment| match moment.at {
        At::Rcpt if moment.rcpt.starts_with("anna@") => {
            Act::Reply("550 5.1.1 <anna@customer.example.net>: Recipient address rejected: User unknown")
        }
        _ => Act::Ok,
    })
    .await;
    let site = Site::new(free_address(), &[("hold_all", "true")]).await;
    let service = site.serve().await;
    let postfix = Postfix::start(&routes(service.address, customers.address), "").await;
    site.configure(postfix.address, &[("reminder", "\"7 days\"")]);
    service.signal("HUP");
    service.says("the configuration was reloaded").await;

    let mut shop = Dialog::open(service.address).await.unwrap();
    let reply = shop.mail(BCC, &order_mail("PF-2001", "Anna Exempel", customer)).await.unwrap();
    assert!(reply.starts_with("250 "), "{reply}");
    until("Postfix's notice is filed", async || {
        (site.number("SELECT count(*) FROM answer WHERE kind = 'hard_bounce' AND status = '5.1.1'").await == 1)
            .then_some(())
    })
    .await;
    let invitations = site.invitations().await;
    assert_eq!(invitations[0].progress.state, State::Failed);
    assert_eq!(site.number("SELECT count(*) FROM suppression WHERE reason = 'bounced'").await, 1);
    drop(postfix);
    service.stop().await;
}

/// A certificate of the test's own making.
fn certificate(site: &Site) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(["in.invited.example".to_owned()]).unwrap();
    let (chain, key) = (site.path("chain.pem"), site.path("key.pem"));
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    make_private(&key);
    (chain, key)
}

/// Has swaks hand a mail in.
fn swaks(door: SocketAddr, mail: &Path, more: &[&str]) -> Ran {
    run(Command::new("swaks")
        .args(["--server", &door.to_string(), "--to", BCC, "--helo", "mta.shop.example.com"])
        .arg("--data")
        .arg(format!("@{}", mail.display()))
        .args(more))
}

#[tokio::test(flavor = "multi_thread")]
async fn swaks_hands_mails_in_over_tls_pipelined_and_from_nobody() {
    if !can_run_swaks("swaks_hands_mails_in_over_tls_pipelined_and_from_nobody") {
        return;
    }
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[("hold_all", "true")]).await;
    let (chain, key) = certificate(&site);
    let tls = format!("{{ certificate = {chain:?}, key = {key:?} }}");
    site.configure(relay.address, &[("hold_all", "true"), ("tls", &tls)]);
    let service = site.serve().await;
    let sender = ["--from", "orders@shop.example.com"];
    let ways: [(&str, Vec<&str>); 4] = [
        ("plain", sender.to_vec()),
        ("tls", [&sender[..], &["--tls"]].concat()),
        ("pipelined", [&sender[..], &["--pipeline"]].concat()),
        ("null sender", vec!["--from", "<>"]),
    ];
    let mut copies = 0;
    for (number, (way, options)) in ways.iter().enumerate() {
        if *way == "tls" && !run(Command::new("swaks").arg("--support")).out.contains("=== TLS supported") {
            not_run("swaks --tls", "libnet-ssleay-perl");
            continue;
        }
        let mail = site.path("mail.eml");
        let customer = format!("anna{number}@customer.example.net");
        std::fs::write(&mail, order_mail(&format!("SW-{number}"), "Anna Exempel", &customer)).unwrap();
        let ran = swaks(service.address, &mail, options).ended(0);
        assert!(ran.out.contains("250 2.0.0 kept as copy"), "{way}: {ran:?}");
        assert_eq!(ran.out.contains("TLS started"), *way == "tls", "{way}: {ran:?}");
        copies += 1;
    }
    let refused =
        swaks(service.address, &site.path("mail.eml"), &["--from", "<>", "--to", "nobody@in.invited.example"]);
    assert!(refused.code != 0 && refused.out.contains("550 5.1.1 "), "{refused:?}");
    until("every mail is an invitation", async || (site.invitations().await.len() == copies).then_some(())).await;
    let encrypted = site.number("SELECT count(*) FROM copy WHERE tls = 1").await;
    let from_nobody = site.number("SELECT count(*) FROM copy WHERE mail_from = ''").await;
    say(&format!("swaks: {copies} mails, {encrypted} over TLS, {from_nobody} from nobody"));
    assert_eq!((encrypted, from_nobody), (i64::from(copies == 4), 1));
    service.stop().await;
}
