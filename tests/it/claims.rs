//! Claims of several relays' letters while the store fails: what was claimed is sent, and what nobody knows of goes back in line.

use std::sync::Arc;

use invited::app::build_setup;
use invited::clock::Clock;
use invited::config::Config;
use invited::domain::{
    DAY, EmailAddress, EventKind, Handed, OrderNews, OrderReference, Outcome, Policies, Policy, Reading, ShopId, State,
};
use invited::ops::{House, dispatch};
use invited::store::{self, Credence, FiledReading, Filter, NewCopy, Role, Store, StoreError};

use crate::flaky::FlakyStore;
use crate::kit::{START, configuration, make_private};
use crate::relay::{Act, TestRelay};

/// Two shops, each with a relay of its own.
fn two_shops(folder: &std::path::Path, relay: &TestRelay) -> Config {
    let mut config = configuration(folder, &relay.address.to_string(), &[]);
    let (mut other, mut shop) = (config.relays[0].clone(), config.shops[0].clone());
    other.name = "other".to_owned();
    shop.id = ShopId::parse("second").unwrap();
    shop.relays = vec![other.name.clone()];
    config.relays.push(other);
    config.shops.push(shop);
    std::fs::write(folder.join("master.key"), "0123456789abcdef0123456789abcdef\n").unwrap();
    make_private(&folder.join("master.key"));
    config
}

/// An order of this shop, whose letter is due after a week.
async fn order(store: &dyn Store, shop: &ShopId) {
    let copy = NewCopy {
        shop: shop.clone(),
        mail_from: String::new(),
        rcpt_to: String::new(),
        handed: Handed { client: None, hello: String::new(), tls: false, ..Handed::default() },
        answers: None,
        message: Arc::from(&b"x"[..]),
        received_at: START,
    };
    let copy = store.spool(vec![copy]).await.unwrap()[0];
    let reading = Reading {
        event: Some(EventKind::Placed),
        // One person each: two letters to one within days would wait for each other.
        customer_email: EmailAddress::parse(&format!("anna.{shop}@customer.example.net")).ok(),
        reference: OrderReference::parse("A-1"),
        ..Reading::without_findings(Outcome::Event, "")
    };
    let news = Some(OrderNews::new(EventKind::Placed, START));
    let filing = FiledReading { copy, shop: shop.clone(), reading, news, credence: Credence::default() };
    let policies = Arc::new(Policies::from_iter([(shop.clone(), Policy::default())]));
    store.file_readings(Arc::new([filing]), policies, START).await.unwrap();
}

#[tokio::test]
async fn what_was_claimed_for_one_relay_is_sent_though_the_claim_for_another_failed() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let folder = tempfile::tempdir().unwrap();
    let config = two_shops(folder.path(), &relay);
    store::create_if_missing(&config.database, None).await.unwrap();
    let inner: Arc<dyn Store> = Arc::new(store::open(&config.database, None, Role::Daemon).await.unwrap());
    for shop in &config.shops {
        order(&*inner, &shop.id).await;
    }
    let flaky = Arc::new(FlakyStore::new(inner));
    let clock = Clock::manual(START.plus(DAY * 7));
    let house = House::new(flaky.clone(), clock, "one".to_owned(), dispatch::LEASE, build_setup(config).unwrap());

    flaky.fail("claim_due", StoreError::Busy, 1..2);
    let first = dispatch::look(&house).await.unwrap().letters;
    assert_eq!(first.len(), 1);
    let second = dispatch::look(&house).await.unwrap().letters;
    assert_eq!(second.len(), 1, "and the other one is claimed when the store works again");
    for letter in first.into_iter().chain(second) {
        dispatch::send(&house, letter).await;
    }
    assert_eq!(relay.taken().len(), 2);
    let invitations = flaky.list(&Filter::default(), None, 10).await.unwrap().invitations;
    assert!(invitations.iter().all(|one| one.progress.state == State::Sent), "{invitations:?}");

    // Alone, a claim that fails is the look's own failure.
    flaky.fail("next_due", StoreError::Busy, 0..1);
    assert_eq!(dispatch::look(&house).await.unwrap_err(), StoreError::Busy);
}
