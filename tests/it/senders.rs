//! Whose copies are believed: held while nobody has decided, approved and blocked by `invited senders`, with the daemon beside it. And
//! a BCC address that somebody else has learned is changed without losing a mail.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use invited::domain::{AlarmKind, DAY, Doubt, EventKind, State};
use invited::ops::{read, watch};
use invited::store::CopyState;
use sqlx::Connection as _;

use crate::kit::{House, order_mail, until};
use crate::program::{BCC, Dialog, Service, Site};
use crate::relay::{Act, TestRelay};

fn order(reference: &str) -> Vec<u8> {
    order_mail(reference, "Anna Example", "anna@customer.example.net")
}

async fn hand_in(service: &Service, to: &str, mail: &[u8]) -> String {
    Dialog::open(service.address).await.unwrap().mail(to, mail).await.unwrap()
}

async fn until_read(site: &Site) {
    until("all is read", async || {
        (site.number("SELECT count(*) FROM copy WHERE state = 'unread'").await == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_copies_of_a_new_sender_wait_for_a_person() {
    let house = House::open(&[("address", "\"hold\"")], |_| Act::Ok).await;
    let copy = house.hand_in(&order("A-1")).await;
    assert_eq!((copy.state, copy.doubt), (CopyState::Held, Some(Doubt::NewSender)));
    assert_eq!(copy.sender.as_deref(), Some("shop.example.com 127.0.0.0/24"));
    let reading = copy.reading.unwrap();
    assert_eq!(reading.event, Some(EventKind::Placed), "what was read stays");
    assert!(reading.reason.unwrap().starts_with("new sender: "));
    let figures = watch::look(house.daemon.house(), &mut watch::Watch::default()).await.unwrap();
    assert_eq!(figures.alarms.iter().map(|alarm| alarm.kind).collect::<Vec<_>>(), [AlarmKind::Sender]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_the_dns_leaves_open_is_looked_at_again_and_held_for_good_in_the_end() {
    // Nobody answers there.
    let extra = [("dmarc", "\"shop.example.com\""), ("address", "\"refuse\""), ("servers", "\"127.0.0.1:1\"")];
    let house = House::open(&extra, |_| Act::Ok).await;
    let copy = house.hand_in(&order("A-1")).await;
    assert_eq!((copy.state, copy.doubt), (CopyState::Held, Some(Doubt::Dns)));
    assert!(copy.reading.unwrap().reason.unwrap().starts_with("DNS trouble: "));
    assert_eq!(read::look_again(house.daemon.house()).await.unwrap(), 0, "its time has not come");
    house.pass(Duration::from_secs(301));
    assert_eq!(read::look_again(house.daemon.house()).await.unwrap(), 1);
    assert_eq!(house.store().copy(copy.id).await.unwrap().unwrap().0.doubt, Some(Doubt::Dns));
    house.pass(DAY * 4);
    assert_eq!(read::look_again(house.daemon.house()).await.unwrap(), 1);
    let (copy, _) = house.store().copy(copy.id).await.unwrap().unwrap();
    assert_eq!((copy.state, copy.doubt), (CopyState::Held, Some(Doubt::Untrusted)));
    assert_eq!(read::look_again(house.daemon.house()).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_decide_whose_copies_are_believed() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[("address", "\"hold\""), ("apart", "false"), ("hold_all", "true")]).await;
    let service = site.serve().await;
    for reference in ["A-1", "A-2"] {
        hand_in(&service, BCC, &order(reference)).await;
    }
    until_read(&site).await;
    service.says("order mails of a new sender are held").await;
    let listed = site.run(&["senders", "list", "--json"]).ended(0).json();
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0]["state"], &listed[0]["held"]), (&"new".into(), &2.into()));
    let table = site.run(&["senders", "list"]).ended(0).out;
    assert!(table.contains("invited senders approve ID"), "{table}");
    let shown = site.run(&["held", "show", "1"]).ended(0).out;
    assert!(shown.contains("new sender: ") && shown.contains("known by the mark"), "{shown}");
    let told = site.run(&["explain", "A-1"]).ended(0).out;
    assert!(told.contains("its sender is known by the mark"), "{told}");

    // A replay is no way around the question; a release is a person's word for one copy.
    let again = site.run(&["held", "replay", "1", "--yes"]).ended(0).out;
    assert!(again.contains("new sender: ") && site.invitations().await.is_empty(), "{again}");
    site.run(&["held", "release", "1"]).ended(0);
    assert_eq!(site.invitations().await.len(), 1);

    let refused = site.run(&["senders", "approve", "1"]).ended(1).err;
    assert!(refused.contains("1 copy") && refused.contains("--replay or --no-replay"), "{refused}");
    let missing = site.run(&["senders", "approve", "1", "7", "--replay"]).ended(1).err;
    assert!(missing.contains("there is no sender 7; nothing was changed"), "{missing}");
    let approved = site.run(&["senders", "approve", "1", "--replay", "--reason", "ours"]).ended(0).out;
    assert!(approved.contains("1 copy read again: 1 event"), "{approved}");
    assert_eq!(site.invitations().await.len(), 2);
    hand_in(&service, BCC, &order("A-3")).await;
    until_read(&site).await;
    assert_eq!(site.invitations().await.len(), 3);

    site.run(&["senders", "block", "1"]).ended(0);
    hand_in(&service, BCC, &order("A-4")).await;
    until_read(&site).await;
    assert_eq!(site.number("SELECT count(*) FROM copy WHERE state = 'ignored'").await, 1);
    assert!(site.invitations().await.iter().all(|one| one.progress.state == State::Queued));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_address_is_taken_beside_the_old_one_until_that_goes() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[("hold_all", "true"), ("apart", "false")]).await;
    std::fs::set_permissions(site.config(), std::fs::Permissions::from_mode(0o640)).unwrap();
    let service = site.serve().await;
    let listed = site.run(&["shop", "address", "--json"]).ended(0).json();
    assert_eq!((&listed[0]["address"], &listed[0]["last_used"]), (&BCC.into(), &serde_json::Value::Null));
    let one = site.run(&["shop", "address", "--retire", "--yes"]).ended(1).err;
    assert!(one.contains("has one address only"), "{one}");

    let rotated = site.run(&["shop", "address", "--rotate", "--json"]).ended(0).json();
    let new = rotated[0]["address"].as_str().unwrap().to_owned();
    assert_ne!(new, BCC);
    assert_eq!(std::fs::metadata(site.config()).unwrap().permissions().mode() & 0o7777, 0o640);
    assert!(hand_in(&service, &new, &order("N-1")).await.starts_with("550 "), "the daemon does not know it yet");
    service.signal("HUP");
    service.says("the configuration was reloaded").await;
    for (to, reference) in [(BCC, "O-1"), (new.as_str(), "N-1")] {
        assert!(hand_in(&service, to, &order(reference)).await.starts_with("250 "), "{to}");
    }
    until_read(&site).await;
    let listed = site.run(&["shop", "address", "--json"]).ended(0).json();
    assert_eq!((&listed[0]["address"], &listed[0]["state"]), (&new.as_str().into(), &"current".into()));
    assert!(listed.iter().all(|one| one["last_used"].is_string()), "{listed:?}");
    // As after a restore.
    let ahead = "UPDATE sqlite_sequence SET seq = seq + 1000000 WHERE name = 'copy'";
    let mut conn = site.sql().await;
    sqlx::query(ahead).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    hand_in(&service, &new, &order("N-2")).await;
    until_read(&site).await;
    let listed = site.run(&["shop", "address", "--json"]).ended(0).json();
    assert!(listed.iter().all(|one| one["last_used"].is_string()), "whatever the numbers of copies: {listed:?}");

    let asked = site.run(&["shop", "address", "--retire"]).ended(1).err;
    assert!(asked.contains("last used 20") && asked.contains("--yes"), "{asked}");
    site.run(&["shop", "address", "--retire", "--yes"]).ended(0);
    service.signal("HUP");
    until("the old address is refused", async || {
        hand_in(&service, BCC, &order("O-2")).await.starts_with("550 ").then_some(())
    })
    .await;
    assert!(hand_in(&service, &new, &order("N-2")).await.starts_with("250 "));
    service.stop().await;
}
