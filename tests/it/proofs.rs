//! What proves a copy's sender, by the program itself: mails that are signed as shops sign them, over SMTP, and a DNS that answers as it is
//! told. What is proved becomes an invitation, what is not is held, and the desk says why.

use invited::clock::Clock;
use invited::domain::DAY;
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::dns::{Dns, Says};
use crate::kit::{order_mail, until};
use crate::program::{BCC, Dialog, Service, Site};
use crate::relay::{Act, TestRelay};
use crate::signer::{How, Key, sealed, signed};

const KEY: &str = "s1._domainkey.shop.example.com";

/// A `t=` of so many hours ago.
fn made_at(hours_ago: i64) -> String {
    format!("t={}; ", Clock::System.now().0 / 1000 - hours_ago * 3600)
}

fn well(tags: &str) -> How<'_> {
    How { domain: "shop.example.com", selector: "s1", fields: "from:to:subject:date:reply-to", tags, length: None }
}

fn order(reference: &str) -> String {
    String::from_utf8(order_mail(reference, "Anna Example", "anna@customer.example.net")).unwrap()
}

/// A DNS with the shop's key, and the configuration of a shop that takes these proofs alone.
async fn dns_with(key: &Key) -> Dns {
    let dns = Dns::start().await;
    dns.txt(KEY, &key.record());
    dns
}

async fn site(dns: &Dns, proofs: &[(&str, &str)]) -> Site {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let servers = format!("\"{}\"", dns.address);
    let mut extra =
        vec![("address", "\"refuse\""), ("servers", servers.as_str()), ("hold_all", "true"), ("apart", "false")];
    extra.extend(proofs);
    Site::new(relay.address, &extra).await
}

async fn enter(service: &Service) -> Dialog {
    Dialog::open(service.address).await.unwrap()
}

async fn hand_in(dialog: &mut Dialog, from: &str, mail: &str) {
    for command in [format!("MAIL FROM:<{from}>"), format!("RCPT TO:<{BCC}>"), "DATA".to_owned()] {
        let reply = dialog.say(&command).await.unwrap();
        assert!(reply.starts_with(['2', '3']), "{command}: {reply}");
    }
    let reply = dialog.body(mail.as_bytes()).await.unwrap();
    assert!(reply.starts_with("250 "), "nothing is refused for want of a proof: {reply}");
}

async fn until_read(site: &Site) {
    until("all is read", async || {
        (site.number("SELECT count(*) FROM copy WHERE state = 'unread'").await == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_mail_is_believed_and_the_desk_says_what_is_wrong_with_any_other() {
    let key = Key::rsa();
    let dns = dns_with(&key).await;
    dns.txt("s1._domainkey.forger.example", &key.record());
    let site = site(&dns, &[("dkim", "\"shop.example.com\"")]).await;
    let service = site.serve().await;
    let mut door = enter(&service).await;
    let (fresh, old) = (made_at(1), made_at(73));
    let sign = |reference: &str, how: How<'_>| signed(&order(reference), &key, how);
    let good = sign("G-1", well(&fresh));
    hand_in(&mut door, "orders@shop.example.com", &good).await;
    let other_author = order("B-9").replace("orders@shop.example.com", "orders@other.example");
    let held = [
        (
            "B-1",
            sign("B-1", well(&fresh)).replace("Subject: Your", "Subject: Our"),
            "as a field that it covers was changed",
        ),
        ("B-2", sign("B-2", How { fields: "from:to:date", ..well(&fresh) }), "leaves out a field \"Subject\""),
        ("B-3", sign("B-3", well(&old)), "is older than the shop's max_age"),
        ("B-4", sign("B-4", How { domain: "forger.example", ..well(&fresh) }), "signed it, but \"forger.example\""),
        ("B-5", sign("B-5", well(&fresh)).replace("Thank you", "No thank you"), "as the text was changed"),
        (
            "B-6",
            sign("B-6", How { selector: "gone", ..well(&fresh) }),
            "has no key \"gone._domainkey.shop.example.com\"",
        ),
        // The signed mail of an order again, for somebody else.
        (
            "B-7",
            sign("B-7", well(&fresh)).replace("To: Anna Example <anna@", "To: Eve <eve@"),
            "as a field that it covers was changed",
        ),
        ("B-8", order("B-8"), "it has no signature"),
        ("B-9", signed(&other_author, &key, well(&fresh)), "is of another domain than its author, \"other.example\""),
    ];
    for (_, mail, _) in &held {
        hand_in(&mut door, "orders@shop.example.com", mail).await;
    }
    // An order that is handed in again is known, and nobody is asked twice.
    hand_in(&mut door, "orders@shop.example.com", &good).await;
    until_read(&site).await;
    let invited = site.invitations().await;
    assert_eq!(invited.len(), 1, "{:?}", service.log());
    assert_eq!(invited[0].reference.to_string(), "G-1");
    let told = site.run(&["explain", "G-1"]).ended(0).out;
    assert!(told.contains("its sender is proved: the shop's domain signed it (DKIM)"), "{told}");
    for (number, (reference, _, why)) in held.iter().enumerate() {
        let id = (number + 2).to_string();
        let shown = site.run(&["held", "show", &id]).ended(0).out;
        assert!(shown.contains("untrusted sender: ") && shown.contains(why), "{reference}: {shown}");
        assert!(!shown.contains("untrusted sender: its sender"), "it says so twice: {shown}");
        assert!(
            shown.contains("[shop.trust] of shop") && shown.contains(&format!("held replay {id} --yes")),
            "{shown}"
        );
        let told = site.run(&["explain", reference]).ended(0).out;
        assert!(told.contains(why), "{reference}: {told}");
    }

    // The key is published, and a person has the copy read again.
    dns.txt("gone._domainkey.shop.example.com", &key.record());
    let again = site.run(&["held", "replay", "7", "--yes"]).ended(0).out;
    assert_eq!(site.invitations().await.len(), 2, "{again}");
    let again = site.run(&["held", "replay", "--why", "untrusted sender", "--yes"]).ended(0).out;
    assert_eq!(site.invitations().await.len(), 2, "a replay is no way around: {again}");
    service.stop().await;
}

/// A shop that believes its own signatures, and a DNS that keeps quiet about their key.
async fn house_with_a_silent_dns() -> (Key, Dns, Site) {
    let key = Key::ed25519();
    let dns = dns_with(&key).await;
    dns.say(KEY, Says::Silence);
    let site = site(&dns, &[("dkim", "\"shop.example.com\"")]).await;
    (key, dns, site)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_came_while_the_dns_was_dead_is_believed_when_it_is_back() {
    let (key, dns, site) = house_with_a_silent_dns().await;
    let service = site.serve().await;
    let mut door = enter(&service).await;
    let fresh = made_at(1);
    hand_in(&mut door, "orders@shop.example.com", &signed(&order("A-1"), &key, well(&fresh))).await;
    until_read(&site).await;
    let shown = site.run(&["held", "show", "1"]).ended(0).out;
    assert!(shown.contains("DNS trouble: the signature of \"shop.example.com\" could not be checked"), "{shown}");
    assert!(shown.contains("Nothing is to be done: it is looked at again by itself."), "{shown}");
    assert!(site.invitations().await.is_empty());
    service.stop().await;

    // Five minutes later, in which somebody mended the DNS.
    dns.txt(KEY, &key.record());
    let mut conn = site.sql().await;
    sqlx::query("UPDATE copy SET again_at = again_at - 300000").execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    let service = site.serve().await;
    until("it is believed by itself", async || (site.invitations().await.len() == 1).then_some(())).await;
    assert_eq!(site.number("SELECT count(*) FROM copy WHERE state = 'event' AND doubt IS NULL").await, 1);
    service.stop().await;
}

/// The DNS keeps quiet about one shop's keys. Its copies are held, after the first few at once, and what needs no DNS goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_dns_keeps_no_other_copies_waiting() {
    let (key, dns, site) = house_with_a_silent_dns().await;
    let service = site.serve().await;
    let mut door = enter(&service).await;
    let fresh = made_at(1);
    for number in 0..40 {
        hand_in(&mut door, "orders@shop.example.com", &signed(&order(&format!("A-{number}")), &key, well(&fresh)))
            .await;
    }
    until_read(&site).await;
    let asked = dns.asked().len();
    for number in 40..140 {
        hand_in(&mut door, "orders@shop.example.com", &signed(&order(&format!("A-{number}")), &key, well(&fresh)))
            .await;
    }
    hand_in(&mut door, "orders@shop.example.com", &order("A-140")).await;
    until_read(&site).await;
    assert_eq!(site.number("SELECT count(*) FROM copy WHERE doubt = 'dns'").await, 140);
    assert_eq!(site.number("SELECT count(*) FROM copy WHERE doubt = 'untrusted'").await, 1);
    // One may have tried meanwhile, twice.
    assert!(dns.asked().len() <= asked + 4, "{} questions, then {}", asked, dns.asked().len());
    assert!(service.log().contains("a place in the DNS gives no answers"), "{}", service.log());
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spf_dmarc_and_a_trusted_seal_prove_what_they_say_and_nothing_else() {
    let (key, sealer) = (Key::ed25519(), Key::rsa());
    let fresh = made_at(1);
    let good = |reference: &str| signed(&order(reference), &key, well(&fresh));
    // A list adds its name to the subject, which breaks the shop's signature.
    let sent_on = good("G-1").replace("Subject: Your", "Subject: [orders] Your");
    let way = How { domain: "sealer.example", ..well(&fresh) };
    let seal = |found: &str| sealed(&sent_on, &sealer, way, found);
    let of_other = |reference: &str| order(reference).replace("orders@shop.example.com", "orders@other.example");
    let (shop, other) = ("orders@shop.example.com", "orders@other.example");
    for (proofs, right, wrong, by, why) in [
        (
            vec![("spf", "[\"shop.example.com\", \"other.example\"]")],
            (shop, order("G-1")),
            (other, of_other("B-1")),
            "lets its client send (SPF)",
            "the domain \"other.example\" does not let its client send (SPF)",
        ),
        (
            vec![("dmarc", "\"shop.example.com\"")],
            ("bounce@sender.example", good("G-1")),
            ("bounce@sender.example", order("B-1")),
            "its author's domain authenticates it (DMARC)",
            "neither SPF nor a signature proves its author's domain \"shop.example.com\" (DMARC)",
        ),
        (
            vec![("dkim", "\"shop.example.com\""), ("arc", "\"sealer.example\"")],
            ("list@sealer.example", seal("dkim=pass header.d=shop.example.com header.s=s1")),
            ("list@sealer.example", seal("dkim=fail header.d=shop.example.com header.s=s1").replace("G-1", "B-1")),
            "a mail server that the shop trusts saw its signature (ARC)",
            "the seal of \"sealer.example\" does not hold (ARC)",
        ),
    ] {
        let dns = dns_with(&key).await;
        dns.txt("shop.example.com", "v=spf1 ip4:127.0.0.1 -all");
        dns.txt("other.example", "v=spf1 ip4:192.0.2.1 -all");
        dns.txt("_dmarc.shop.example.com", "v=DMARC1; p=reject");
        dns.txt("s1._domainkey.sealer.example", &sealer.record());
        let site = site(&dns, &proofs).await;
        let service = site.serve().await;
        let mut door = enter(&service).await;
        hand_in(&mut door, right.0, &right.1).await;
        hand_in(&mut door, wrong.0, &wrong.1).await;
        until_read(&site).await;
        assert_eq!(site.invitations().await.len(), 1, "{proofs:?}: {}", service.log());
        let told = site.run(&["explain", "G-1"]).ended(0).out;
        assert!(told.contains(by), "{proofs:?}: {told}");
        let shown = site.run(&["held", "show", "2"]).ended(0).out;
        assert!(shown.contains(why), "{proofs:?}: {shown}");
        service.stop().await;
    }
}

static MIGRATIONS: Migrator = sqlx::migrate!("src/store/sqlite/migrations");

/// A queue that a release before the look at senders has left, with a copy of a week ago that told of an order, one of long ago and a
/// newsletter.
async fn queue_of_schema_4(site: &Site) {
    use std::os::unix::fs::PermissionsExt as _;
    let file = site.file();
    let mut conn = SqliteConnectOptions::new().filename(&file).create_if_missing(true).connect().await.unwrap();
    sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut conn).await.unwrap();
    MIGRATIONS.run_to(4, &mut conn).await.unwrap();
    for (from, days, state) in [
        ("orders@shop.example.com", 7, "event"),
        ("orders@gone.example", 91, "event"),
        ("news@letters.example", 1, "ignored"),
    ] {
        let came = Clock::System.now().0 - i64::try_from((DAY * days).as_millis()).unwrap();
        sqlx::query(
            "INSERT INTO copy (shop, mail_from, rcpt_to, client, hello, tls, size, received_at, state) \
             VALUES ('shop', ?, ?, '127.0.0.9', 'mx', 0, 1, ?, ?)",
        )
        .bind(from)
        .bind(BCC)
        .bind(came)
        .bind(state)
        .execute(&mut conn)
        .await
        .unwrap();
    }
    conn.close().await.unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_goes_on_believing_those_whose_orders_were_believed_and_nobody_else() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::empty(None, relay.address, &[("address", "\"hold\""), ("hold_all", "true"), ("apart", "false")]);
    queue_of_schema_4(&site).await;
    let service = site.serve().await;
    let mut door = enter(&service).await;
    service.says("those whose copies were believed until now were approved").await;
    for (from, reference) in [
        ("orders@shop.example.com", "G-1"),
        ("news@letters.example", "B-1"),
        ("orders@gone.example", "B-2"),
        ("orders@forger.example", "B-3"),
    ] {
        hand_in(&mut door, from, &order(reference)).await;
    }
    until_read(&site).await;
    assert_eq!(site.invitations().await.len(), 1);
    assert_eq!(site.invitations().await[0].reference.to_string(), "G-1");
    assert_eq!(site.number("SELECT count(*) FROM copy WHERE doubt = 'new_sender'").await, 3);
    let listed = site.run(&["senders", "list", "--json"]).ended(0).json();
    let approved = listed.iter().filter(|one| one["state"] == "approved").collect::<Vec<_>>();
    assert_eq!(approved.len(), 1, "{listed:?}");
    assert_eq!(approved[0]["mark"], "shop.example.com 127.0.0.0/24");
    service.stop().await;

    // Learned once: who was let in meanwhile by a person's release is not approved by the next start.
    site.run(&["held", "release", "7"]).ended(0);
    let service = site.serve().await;
    let mut door = enter(&service).await;
    hand_in(&mut door, "orders@forger.example", &order("B-4")).await;
    until_read(&site).await;
    assert_eq!(site.number("SELECT count(*) FROM copy WHERE doubt = 'new_sender'").await, 3);
    service.stop().await;
    let shown = site.run(&["held", "show", "8"]).ended(0).out;
    let approve = "invited senders approve --shop shop --mark \"forger.example 127.0.0.0/24\" --replay";
    assert!(shown.contains(approve), "{shown}");
    site.run(&["senders", "approve", "--shop", "shop", "--mark", "forger.example 127.0.0.0/24", "--replay"]).ended(0);
    assert_eq!(site.number("SELECT count(*) FROM copy WHERE doubt = 'new_sender'").await, 2);
}
