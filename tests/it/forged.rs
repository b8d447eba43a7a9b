//! Somebody has learned a shop's address and floods it with forged orders: whatever the shop takes for a proof, strangers get no
//! letters in its name, nothing is lost, and the shop's people hear of it once.

use std::time::{Duration, Instant};

use invited::domain::{AlarmKind, DAY, Doubt};
use invited::ops::{read, watch};
use invited::store::{CopyState, HeldFilter};

use crate::kit::{House, order_mail, say, setting, until};
use crate::program::{BCC, Dialog};
use crate::relay::{Act, Taken};

/// How many orders are forged where a proof is asked for, and a fifth of it elsewhere: ten thousand take half a minute.
fn flood() -> usize {
    usize::try_from(setting("FORGED_ORDERS", 10_000)).unwrap()
}

/// Every other one is about the same victim.
fn victim(number: usize) -> String {
    if number.is_multiple_of(2) { "victim@bombed.example".to_owned() } else { format!("victim{number}@bombed.example") }
}

fn forged(number: usize) -> Vec<u8> {
    order_mail(&format!("F-{number}"), "Eve Victim", &victim(number))
}

/// As many as one client may have at one time, but for a few.
const CONNECTIONS: usize = 16;

/// Takes the flood in by SMTP within ten minutes, and waits until all of it was read.
async fn take_the_flood(house: &House, flood: usize) {
    let began = Instant::now();
    let address = house.daemon.addresses()[0];
    let mut dialogs = Vec::new();
    for _ in 0..CONNECTIONS {
        dialogs.push(Dialog::open(address).await.unwrap());
    }
    let numbers = (0..flood).collect::<Vec<_>>();
    for some in numbers.chunks(flood.div_ceil(20)) {
        let shares = some.chunks(some.len().div_ceil(CONNECTIONS)).map(<[usize]>::to_vec);
        let sending =
            dialogs.into_iter().zip(shares.chain(std::iter::repeat(Vec::new()))).map(|(mut dialog, share)| {
                tokio::spawn(async move {
                    for number in share {
                        let reply = dialog.mail(BCC, &forged(number)).await.unwrap();
                        assert!(reply.starts_with("250 "), "nothing is refused: {reply}");
                    }
                    dialog
                })
            });
        let sending = sending.collect::<Vec<_>>();
        dialogs = Vec::new();
        for one in sending {
            dialogs.push(one.await.unwrap());
        }
        house.pass(Duration::from_secs(600) / 20);
    }
    until("the flood is read", async || (house.store().counts().await.unwrap().unread == 0).then_some(())).await;
    say(&format!("{flood} forged orders were taken in by SMTP and read in {:.1} s", began.elapsed().as_secs_f64()));
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
    // Half of the flood is about one victim, and the rest about one each; who came first is chance.
    let letters = to.len();
    assert!((1..=50).contains(&letters), "{letters}");
    to.sort_unstable();
    to.dedup();
    assert_eq!(to.len(), letters, "a victim got more than one letter");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_comes_a_hundred_times_is_one_invitation() {
    let house = House::open(&[("volume", "\"usual\"")], |_| Act::Ok).await;
    let mut ids = Vec::new();
    for _ in 0..100 {
        ids.push(house.take_in(&forged(1)).await);
    }
    until("all are read", async || (house.store().counts().await.unwrap().unread == 0).then_some(())).await;
    assert_eq!(house.invitations().await.len(), 1);
    for id in ids {
        assert_eq!(house.store().copy(id).await.unwrap().unwrap().0.state, CopyState::Event);
    }
    assert_eq!(read::look_again(house.daemon.house()).await.unwrap(), 0);
}
