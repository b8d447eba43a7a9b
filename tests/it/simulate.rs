//! `invited simulate` over a real database: what other rules would have made of the orders in it, and that nothing is changed.

use std::sync::Arc;

use invited::domain::{
    DAY, EmailAddress, EventKind, Handed, OrderNews, OrderReference, Outcome, Reading, ShopId, Timestamp,
};
use invited::store::{Credence, FiledReading, NewCopy, Store};

use crate::program::Site;

const BEGIN: Timestamp = Timestamp::from_seconds(1_795_251_600);

/// Files what a copy tells, as the daemon does by its own rules.
async fn tell(site: &Site, kind: EventKind, reference: &str, person: &str, at: Timestamp) {
    let store = site.store().await;
    let shop = ShopId::parse("shop").unwrap();
    let copy = NewCopy {
        shop: shop.clone(),
        mail_from: String::new(),
        rcpt_to: String::new(),
        handed: Handed { client: None, hello: String::new(), tls: false, ..Handed::default() },
        answers: None,
        message: Arc::from(&b"x"[..]),
        received_at: at,
    };
    let copy = store.spool(vec![copy]).await.unwrap()[0];
    let reading = Reading {
        event: Some(kind),
        customer_email: EmailAddress::parse(&format!("{person}@customer.example.net")).ok(),
        reference: OrderReference::parse(reference),
        ..Reading::without_findings(Outcome::Event, "")
    };
    let filing =
        FiledReading { copy, shop, reading, news: Some(OrderNews::new(kind, at)), credence: Credence::default() };
    let policies = Arc::new(invited::app::load_config(&site.config()).unwrap().policies());
    store.file_readings(Arc::new([filing]), policies, at).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn other_rules_are_tried_on_what_happened_and_nothing_is_changed() {
    let relay = "127.0.0.1:1".parse().unwrap();
    let site = Site::new(relay, &[("delay", "\"7 days\"")]).await;
    let after = |days: u32| BEGIN.plus(DAY * days);
    tell(&site, EventKind::Placed, "A-1", "anna", BEGIN).await;
    tell(&site, EventKind::Placed, "A-2", "bo", BEGIN).await;
    tell(&site, EventKind::Cancelled, "A-2", "bo", after(9)).await;
    tell(&site, EventKind::Placed, "A-3", "cia", after(1)).await;
    tell(&site, EventKind::Placed, "A-4", "cia", after(2)).await;

    // Fourteen days and a reminder: A-2 is cancelled in time.
    let trial = site.path("trial.toml");
    let text = std::fs::read_to_string(site.config()).unwrap();
    let text =
        text.replace("delay = \"7 days\"", "delay = \"14 days\"").replace("reminder = false", "reminder = \"7 days\"");
    std::fs::write(&trial, text).unwrap();
    let trial = trial.to_str().unwrap();
    let before = site.invitations().await;
    let words = ["simulate", "--policy", trial, "--since", "2026-11-01T00:00:00Z"];

    let told = site.run(&words).ended(0).out;
    let row = |begins: &str| {
        let row = told.lines().find(|line| line.trim_start().starts_with(begins));
        row.unwrap_or_else(|| panic!("{begins}: {told}")).split_whitespace().rev().take(3).collect::<Vec<_>>()
    };
    assert!(told.starts_with("4 invitations since 2026-11-01 00:00"), "{told}");
    assert_eq!(row("invited (a first letter goes)"), ["-1", "3", "4"]);
    assert_eq!(row("reminders"), ["+3", "3", "0"]);
    assert_eq!(row("no letter: cancelled"), ["+1", "1", "0"]);
    assert!(told.contains("deferred: person-apart"), "{told}");
    assert!(told.contains("4 orders fare differently."), "{told}");

    let json = site.run(&[&words[..], &["--json", "--list"]].concat()).ended(0).json();
    assert_eq!(json[0]["invitations"], 4);
    assert_eq!(json[0]["present"]["invited"], 4);
    assert_eq!(json[0]["tried"]["other"]["cancelled"], 1);
    assert_eq!(json[0]["present"]["deferred"]["person-apart"], 1);
    assert_eq!(json.len(), 1 + 4);
    let bo = json.iter().find(|one| one["reference"] == "A-2").unwrap();
    assert_eq!(bo["present"]["letters"][0], after(7).to_string());
    assert_eq!((&bo["tried"]["state"], &bo["tried"]["rule"]), (&"cancelled".into(), &"order-cancelled".into()));
    assert_eq!(site.invitations().await, before, "nothing is written");

    // By the rules as they are nothing differs.
    let config = site.config();
    let same =
        site.run(&["simulate", "--policy", config.to_str().unwrap(), "--since", "2026-11-01T00:00:00Z"]).ended(0);
    assert!(same.out.contains("0 orders fare differently."), "{}", same.out);

    site.run(&["simulate", "--policy", trial, "--shop", "nobodys"]).ended(1);
    site.run(&["simulate", "--policy", trial, "--since", "sometime"]).ended(2);
    std::fs::write(site.path("bad.toml"), "[policy]\nreminder = \"2 days\"\n").unwrap();
    let bad = site.run(&["simulate", "--policy", site.path("bad.toml").to_str().unwrap()]).ended(78);
    assert!(bad.err.contains("bad.toml"), "{}", bad.err);
}
