//! Somebody has learned a shop's address and floods it with forged orders: whatever the shop takes for a proof, strangers get no
//! letters in its name, nothing is lost, and the shop's people hear of it once.

use std::sync::Arc;
use std::time::Duration;

use invited::domain::{AlarmKind, CopyId, DAY, Doubt, Handed};
use invited::ops::accept::{Accept, Intake as _};
use invited::ops::{read, watch};
use invited::store::{CopyState, HeldFilter, NewCopy};

use crate::kit::{House, order_mail, setting, until};
use crate::relay::{Act, Taken};

/// How many orders are forged where a proof is asked for, and a fifth of it elsewhere.
fn flood() -> usize {
    usize::try_from(setting("FORGED_ORDERS", 10_000)).unwrap()
}

/// Every other one is about the same victim.
fn victim(number: usize) -> String {
    if number.is_multiple_of(2) { "victim@bombed.example".to_owned() } else { format!("victim{number}@bombed.example") }
}

fn forged(house: &House, number: usize) -> NewCopy {
    let mail = order_mail(&format!("F-{number}"), "Eve Victim", &victim(number));
    NewCopy {
        shop: house.config.shops[0].id.clone(),
        mail_from: "orders@shop.example.com".to_owned(),
        rcpt_to: house.config.bcc_address(&house.config.shops[0]),
        handed: Handed { client: Some("203.0.113.66".parse().unwrap()), hello: "evil".to_owned(), ..Handed::default() },
        answers: None,
        message: Arc::from(mail),
        received_at: house.clock.now(),
    }
}

/// Takes the flood in within ten minutes, and waits until all of it was read.
async fn take_the_flood(house: &House, flood: usize) {
    let intake = Accept(Arc::clone(house.daemon.house()));
    let numbers = (0..flood).collect::<Vec<_>>();
    let mut last = CopyId(0);
    for some in numbers.chunks(500) {
        let copies = some.iter().map(|number| forged(house, *number)).collect();
        last = intake.accept(copies).await.unwrap().pop().unwrap();
        house.pass(Duration::from_secs(600) / 20);
    }
    until("the flood is read", async || {
        let (copy, _) = house.store().copy(last).await.unwrap().unwrap();
        (copy.state != CopyState::Unread && house.store().counts().await.unwrap().unread == 0).then_some(())
    })
    .await;
}

/// All letters that go out within two months.
async fn letters(house: &House) -> Vec<Taken> {
    for _ in 0..9 {
        house.pass(DAY * 7);
        house.until_quiet().await;
    }
    house.relay.taken()
}

async fn alarms(house: &House) -> Vec<AlarmKind> {
    let figures = watch::look(house.daemon.house(), &mut watch::Watch::default()).await.unwrap();
    figures.alarms.iter().map(|alarm| alarm.kind).collect()
}

async fn held(house: &House, why: &str) -> u64 {
    let filter = HeldFilter { reason: Some(why.to_owned()), ..HeldFilter::default() };
    house.store().count_held(&filter).await.unwrap().iter().map(|kind| kind.copies).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_signature_is_asked_for_a_flood_sends_nothing() {
    let extra = [("dkim", "\"shop.example.com\""), ("address", "\"refuse\""), ("servers", "\"127.0.0.1:1\"")];
    let house = House::open(&extra, |_| Act::Ok).await;
    take_the_flood(&house, flood()).await;
    assert_eq!(alarms(&house).await, [AlarmKind::Sender]);
    assert_eq!(held(&house, "untrusted sender").await, flood() as u64);
    assert!(house.invitations().await.is_empty());
    assert!(letters(&house).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_new_senders_are_held_a_flood_sends_nothing_and_is_one_sender() {
    let house = House::open(&[("address", "\"hold\""), ("volume", "\"usual\"")], |_| Act::Ok).await;
    take_the_flood(&house, flood() / 5).await;
    assert_eq!(alarms(&house).await, [AlarmKind::Sender]);
    assert_eq!(held(&house, "new sender").await, flood() as u64 / 5);
    assert!(letters(&house).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_address_is_enough_a_flood_is_one_day_at_most_and_one_letter_a_victim() {
    let house = House::open(&[("volume", "\"usual\"")], |_| Act::Ok).await;
    take_the_flood(&house, flood() / 5).await;
    assert_eq!(alarms(&house).await, [AlarmKind::Volume]);
    assert_eq!(held(&house, "volume").await, flood() as u64 / 5 - 50);
    let page = house.store().held_copies(&HeldFilter::default(), None, 1).await.unwrap();
    assert_eq!(page[0].doubt, Some(Doubt::Volume));

    // The shop's people have heard of it a week before the first letter. If they do nothing, each victim gets one then.
    house.pass(DAY * 7 + Duration::from_secs(600));
    house.until_quiet().await;
    let mut to = house.relay.taken().into_iter().flat_map(|letter| letter.to).collect::<Vec<_>>();
    assert_eq!(to.len(), 26, "25 victims, and the one that half of the flood is about");
    to.sort_unstable();
    to.dedup();
    assert_eq!(to.len(), 26, "a victim got more than one letter");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_comes_a_hundred_times_is_one_invitation() {
    let house = House::open(&[("volume", "\"usual\"")], |_| Act::Ok).await;
    let intake = Accept(Arc::clone(house.daemon.house()));
    let ids = intake.accept((0..100).map(|_| forged(&house, 1)).collect()).await.unwrap();
    until("all are read", async || (house.store().counts().await.unwrap().unread == 0).then_some(())).await;
    assert_eq!(house.invitations().await.len(), 1);
    for id in ids {
        assert_eq!(house.store().copy(id).await.unwrap().unwrap().0.state, CopyState::Event);
    }
    assert_eq!(read::look_again(house.daemon.house()).await.unwrap(), 0);
}
