//! Held copies from the mail to the letter: the real daemon, the real commands, and a template that is put right meanwhile. And
//! what is said when a shop's copies are not as usual.

use std::time::Duration;

use invited::domain::{AlarmKind, DAY, HOUR};
use invited::ops::watch::{Watch, look};
use serde_json::Value;

use crate::kit::{House, order_mail, until};
use crate::program::{BCC, Dialog, Service, Site};
use crate::relay::{Act, TestRelay};

/// A mail about order 20417 that names two customers.
const TWO_CUSTOMERS: &[u8] = include_bytes!("../fixtures/mail/negative/two-customers-en-1.eml");

/// A template that knows the shop's mails but none of their kinds.
const UNFINISHED: &str = "name = \"acme\"\ntitle = \"Acme\"\n[[match]]\nheader = \"X-Mailer: AcmeShop\"\n";

/// And what was missing.
const FINISHED: &str = "[[ignore]]\nname = \"tips\"\nwhy = \"it gives tips\"\nwhen = { subject = \"Tips\" }\n\
    [[mail]]\nname = \"case\"\nevent = \"placed\"\nwhen = { subject = \"Your case\" }\n\
    [[reference]]\ntext = '(?m)^Case (?P<value>\\S+)$'\n";

fn acme(subject: &str, case: &str) -> Vec<u8> {
    format!(
        "From: Acme <orders@shop.example.com>\r\nTo: Cleo Exemple <cleo@customer.example.net>\r\nX-Mailer: AcmeShop\r\n\
         Subject: {subject}\r\nDate: Mon, 2 Mar 2026 09:00:00 +0000\r\nMessage-ID: <{case}@shop.example.com>\r\n\
         Content-Type: text/plain; charset=utf-8\r\n\r\nHello Cleo\r\nCase {case}\r\n"
    )
    .into_bytes()
}

async fn hand_in(service: &Service, mail: &[u8]) {
    let mut dialog = Dialog::open(service.address).await.unwrap();
    let reply = dialog.mail(BCC, mail).await.unwrap();
    assert!(reply.starts_with("250 "), "{reply}");
}

/// A daemon with a template of the shop's own, and a way to write that anew.
async fn opened() -> (Site, TestRelay, Service) {
    let relay = TestRelay::start(|_| Act::Ok).await;
    // Its orders are all of one customer, who gets a letter about each here.
    let site = Site::new(relay.address, &[("templates", "\"templates\""), ("apart", "false")]).await;
    std::fs::create_dir(site.path("templates")).unwrap();
    std::fs::write(site.path("templates/acme.toml"), UNFINISHED).unwrap();
    let service = site.serve().await;
    (site, relay, service)
}

async fn until_held(site: &Site, copies: i64) {
    until("all is read", async || {
        let held = site.number("SELECT count(*) FROM copy WHERE state = 'held'").await;
        (held == copies).then_some(())
    })
    .await;
}

fn ids(rows: &[Value]) -> Vec<i64> {
    rows.iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_copy_is_looked_at_completed_and_its_letter_goes_out() {
    let (site, relay, service) = opened().await;
    hand_in(&service, TWO_CUSTOMERS).await;
    until_held(&site, 1).await;

    let shown = site.run(&["held", "show", "1"]).ended(0).out;
    for part in [
        "Thank you for your order #[reference: 20417].",
        "Subject: Order confirmation #[reference: 20417]",
        "[customer_email? cressida.v@example.org]",
        "invited held release 1 --email ADDRESS",
        "invited held discard 1",
        "invited held show 1 --raw",
    ] {
        assert!(shown.contains(part), "{part:?} is not in: {shown}");
    }
    assert!(!shown.contains('\u{1b}'), "no colours in a pipe: {shown}");

    let missing = site.run(&["held", "release", "1", "99"]).ended(1);
    assert!(missing.out.contains("1: it does not say who the customer is; add --email ADDRESS"), "{missing:?}");
    assert!(missing.out.contains("99: there is no such copy") && missing.err.contains("2 copies not released"));
    let ours = site.run(&["held", "release", "1", "--email", "help@mail.shop.example.com"]).ended(1);
    assert!(ours.out.contains("is an address of the shop"), "{ours:?}");
    for words in [&["--email", "nobody"][..], &["--event", "eaten"], &["--reference", " # "], &["--name", "12"]] {
        site.run(&[&["held", "release", "1"], words].concat()).ended(2);
    }
    site.run(&["held", "release", "1", "2", "--reference", "A-1"]).ended(2);

    let words = ["held", "release", "1", "--email", "piet.oorthuys@example.nl", "--name", "Piet Oorthuys"];
    let words = [&words[..], &["--reason", "called the shop", "--actor", "maria"]].concat();
    let dry = site.run(&[&words[..], &["--dry-run"]].concat()).ended(0);
    assert!(dry.out.contains("would be released: order 20417 placed; queued, due "), "{dry:?}");
    assert_eq!(site.invitations().await, []);
    let done = site.run(&[&words[..], &["--json"]].concat()).ended(0).json().remove(0);
    assert_eq!((&done["done"], &done["event"], &done["reference"]), (&true.into(), &"placed".into(), &"20417".into()));
    assert_eq!((&done["rule"], &done["why"]), (&"trigger-starts-delay".into(), &Value::Null));

    let seen = relay.until(|seen| seen.taken.len() == 1).await;
    assert_eq!(seen.taken[0].to, ["piet.oorthuys@example.nl"]);
    let again = site.run(&words).ended(1);
    assert!(again.out.contains("it is not held: it was released by maria at "), "{again:?}");

    let story = site.run(&["explain", "20417"]).ended(0).out;
    for part in [
        "customer_email: piet.oorthuys@example.nl (desk release by maria)",
        "copy 1 was completed and released, by maria [called the shop]",
        "order placed by maria: begins as queued",
    ] {
        assert!(story.contains(part), "{part:?} is not in: {story}");
    }
    assert!(site.run(&["held", "list"]).ended(0).out.contains("No held copies."));
    let row = site.run(&["held", "show", "1", "--json"]).ended(0).json().remove(0);
    assert_eq!((&row["state"], &row["desk"]["act"]), (&"event".into(), &"released".into()));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_template_could_not_read_is_read_again_when_it_was_put_right() {
    let (site, relay, service) = opened().await;
    for mail in
        [acme("Your case", "A-1"), acme("Tips of the week", "-"), acme("Your case", "A-2"), acme("A riddle", "x")]
    {
        hand_in(&service, &mail).await;
    }
    hand_in(&service, TWO_CUSTOMERS).await;
    until_held(&site, 5).await;
    let counts = site.run(&["held", "list", "--count", "--json", "--template", "acme"]).ended(0).json();
    assert_eq!((counts.len(), &counts[0]["copies"], &counts[0]["newest"]), (1, &4.into(), &4.into()));
    let table = site.run(&["held", "list", "--count"]).ended(0).out;
    assert!(table.contains("acme") && table.contains("COPIES"), "{table}");

    let replay = ["held", "replay", "--json", "--template", "acme"];
    let before = site.run(&replay).ended(0).json();
    assert_eq!(before.last().unwrap()["totals"], serde_json::json!({ "same": 4 }));
    std::fs::write(site.path("templates/acme.toml"), format!("{UNFINISHED}{FINISHED}")).unwrap();
    service.signal("HUP");
    service.says("the configuration was reloaded").await;

    let rows = site.run(&replay).ended(0).json();
    let changes = rows.iter().filter_map(|row| row["change"].as_str()).collect::<Vec<_>>();
    assert_eq!(changes, ["held -> event", "held -> ignored", "held -> event", "same"], "oldest first");
    assert_eq!((&rows[0]["reference"], &rows[0]["rule"]), (&"A-1".into(), &"trigger-starts-delay".into()));
    let totals = serde_json::json!({ "held -> event": 2, "held -> ignored": 1, "same": 1 });
    assert_eq!((&rows[4]["totals"], &rows[4]["dry_run"]), (&totals, &true.into()));
    let table = site.run(&["held", "replay"]).ended(0).out;
    assert!(table.contains("5 copies: 2 held -> event") && table.contains("Nothing was changed"), "{table}");
    assert_eq!(site.invitations().await, []);

    let mut sql = site.sql().await;
    sqlx::query("DELETE FROM copy_body WHERE copy_id = 3").execute(&mut sql).await.unwrap();
    let words = [&replay[..], &["--yes", "--actor", "maria", "--reason", "the template was put right"]].concat();
    let rows = site.run(&words).ended(0).json();
    assert_eq!((&rows[0]["done"], &rows[0]["after"]), (&true.into(), &"event".into()));
    assert_eq!((&rows[2]["change"], &rows[2]["done"]), (&"no longer kept".into(), &false.into()));
    relay.until(|seen| seen.taken.len() == 1).await;
    let again = site.run(&words).ended(0).json();
    assert_eq!(ids(&again[..2]), [3, 4], "what is done is done");
    let left = site.run(&["held", "replay", "1", "2", "99", "--yes"]).ended(1);
    assert!(left.out.contains("left alone (event)") && left.out.contains("there is no such copy"), "{left:?}");
    let story = site.run(&["explain", "A-1"]).ended(0).out;
    assert!(story.contains("copy 1 was read again, by maria"), "{story}");
    assert!(story.contains("order placed by maria: begins as queued"), "{story}");

    // The daemon reads with the same templates now.
    hand_in(&service, &acme("Your case", "A-3")).await;
    let seen = relay.until(|seen| seen.taken.len() == 2).await;
    assert_eq!(seen.taken[1].to, ["cleo@customer.example.net"]);
    assert_eq!(site.invitations().await.len(), 2);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn discarded_copies_are_gone_from_the_list_and_explained() {
    let (site, _relay, service) = opened().await;
    for mail in [TWO_CUSTOMERS.to_vec(), acme("Your case", "A-1"), acme("Your case", "A-2"), acme("Your case", "A-3")] {
        hand_in(&service, &mail).await;
    }
    until_held(&site, 4).await;
    site.run(&["held", "discard"]).ended(2);
    site.run(&["held", "discard", "1", "--all"]).ended(2);
    site.run(&["held", "discard", "1", "--template", "acme"]).ended(2);
    let dry = site.run(&["held", "discard", "1", "77", "--dry-run"]).ended(1);
    assert!(dry.out.contains("1 copy would be discarded") && dry.out.contains("77: there is no such copy"), "{dry:?}");
    let ran = site.run(&["held", "discard", "1", "--reason", "a test order", "--actor", "maria"]).ended(0);
    assert!(ran.out.contains("1 copy discarded"), "{ran:?}");
    let again = site.run(&["held", "discard", "1"]).ended(1);
    assert!(again.out.contains("1: it is not held: it was discarded by maria at "), "{again:?}");
    let release = site.run(&["held", "release", "1", "--email", "piet.oorthuys@example.nl"]).ended(1);
    assert!(release.out.contains("it was discarded by maria"), "{release:?}");
    let story = site.run(&["explain", "20417"]).ended(0).out;
    assert!(story.contains("copy 1 was discarded: nothing is to come of it, by maria [a test order]"), "{story}");

    let rows = site.run(&["held", "list", "--json", "--limit", "2"]).ended(0).json();
    assert_eq!(ids(&rows), [4, 3]);
    let table = site.run(&["held", "list", "--limit", "2"]).ended(0).out;
    assert!(table.contains("More: --before 3"), "{table}");
    for (words, expected) in [
        (&["--before", "3"][..], vec![2]),
        (&["--address", "CLEO@customer.example.net"], vec![4, 3, 2]),
        (&["--shop", "shop", "--since", "1 hour"], vec![4, 3, 2]),
        (&["--until", "1 hour"], vec![]),
        (&["--reason", "kind that its template"], vec![4, 3, 2]),
        (&["--reason", "two customers"], vec![]),
        (&["--reference", "20417"], vec![]),
    ] {
        let rows = site.run(&[&["held", "list", "--json"], words].concat()).ended(0).json();
        assert_eq!(ids(&rows), expected, "{words:?}");
    }
    site.run(&["held", "list", "--since", "soon"]).ended(2);
    let rows = site.run(&["held", "discard", "--all", "--template", "acme", "--json"]).ended(0).json();
    assert!(rows.iter().all(|row| row["done"] == true));
    assert_eq!(ids(&rows), [4, 3, 2]);
    assert!(site.run(&["held", "list"]).ended(0).out.contains("No held copies."));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_whose_mails_are_held_is_reported_once_in_the_log_the_list_and_the_figures() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let extra = [("templates", "\"templates\""), ("textfile", "\"figures.prom\"")];
    let site = Site::new(relay.address, &extra).await;
    std::fs::create_dir(site.path("templates")).unwrap();
    std::fs::write(site.path("templates/acme.toml"), UNFINISHED).unwrap();
    let service = site.serve().await;
    let figures = || std::fs::read_to_string(site.path("figures.prom")).unwrap_or_default();
    until("the figures are written", async || figures().contains("invited_shop_alarm").then_some(())).await;
    assert!(figures().contains("invited_copies{shop=\"shop\",state=\"held\"} 0\n"), "{}", figures());
    for case in 0..12 {
        hand_in(&service, &acme("Your case", &format!("A-{case}"))).await;
    }
    until_held(&site, 12).await;
    service.stop().await;

    let warning = "far more copies of a shop are held than usual";
    let service = site.serve().await;
    service.says(warning).await;
    until("the figures are written", async || figures().contains("kind=\"held\"} 1\n").then_some(())).await;
    let text = figures();
    assert!(text.contains("state=\"held\"} 12\n") && text.contains("kind=\"silent\"} 0\n"), "{text}");
    let list = site.run(&["held", "list"]).ended(0).out;
    assert!(list.starts_with("! shop, since ") && list.contains("12 of the last 12 order mails are held"), "{list}");
    service.stop().await;

    // A restart says nothing again, and what the template reads by now ends it.
    std::fs::remove_file(site.path("figures.prom")).unwrap();
    let service = site.serve().await;
    until("the figures are written", async || figures().contains("kind=\"held\"} 1\n").then_some(())).await;
    assert!(!service.log().contains(warning), "{}", service.log());
    std::fs::write(site.path("templates/acme.toml"), format!("{UNFINISHED}{FINISHED}")).unwrap();
    site.run(&["held", "replay", "--yes"]).ended(0);
    service.stop().await;
    let service = site.serve().await;
    service.says("over: the copies of a shop are as usual again").await;
    until("the figures are written", async || figures().contains("kind=\"held\"} 0\n").then_some(())).await;
    assert!(!site.run(&["held", "list"]).ended(0).out.contains('!'));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_falls_silent_is_seen_by_its_own_gaps_and_heard_again() {
    let house = House::ordinary().await;
    let mut watch = Watch::default();
    let alarms = async |house: &House, watch: &mut Watch| {
        let figures = look(house.daemon.house(), watch).await.unwrap();
        figures.alarms.into_iter().map(|alarm| (alarm.kind, alarm.since)).collect::<Vec<_>>()
    };
    for n in 0..24 {
        house.hand_in(&order_mail(&format!("S-{n}"), "Anna Exempel", "anna@customer.example.net")).await;
        house.pass(HOUR);
    }
    assert_eq!(alarms(&house, &mut watch).await, []);
    house.pass(DAY - HOUR * 2);
    assert_eq!(alarms(&house, &mut watch).await, [], "a day is not long");
    house.pass(HOUR * 3);
    let since = house.clock.now();
    assert_eq!(alarms(&house, &mut watch).await, [(AlarmKind::Silent, since)]);
    house.pass(DAY * 100);
    assert_eq!(alarms(&house, &mut watch).await, [(AlarmKind::Silent, since)], "it stands as long as nothing comes");

    let house = house.restart().await;
    assert_eq!(alarms(&house, &mut Watch::default()).await, [(AlarmKind::Silent, since)]);
    house.hand_in(&order_mail("S-99", "Anna Exempel", "anna@customer.example.net")).await;
    house.pass(Duration::from_secs(60));
    assert_eq!(alarms(&house, &mut watch).await, []);
}
