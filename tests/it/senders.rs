//! Whose copies are believed: held while nobody has decided, approved and blocked by `invited senders`, with the daemon beside it.

use invited::domain::{AlarmKind, Doubt, EventKind};
use invited::ops::watch;
use invited::store::CopyState;

use crate::kit::{House, order_mail};
use crate::relay::Act;

#[tokio::test(flavor = "multi_thread")]
async fn the_copies_of_a_new_sender_wait_for_a_person() {
    let house = House::open(&[("address", "\"hold\"")], |_| Act::Ok).await;
    let copy = house.hand_in(&order_mail("A-1", "Anna Example", "anna@customer.example.net")).await;
    assert_eq!((copy.state, copy.doubt), (CopyState::Held, Some(Doubt::NewSender)));
    assert_eq!(copy.sender.as_deref(), Some("shop.example.com 127.0.0.0/24"));
    let reading = copy.reading.unwrap();
    assert_eq!(reading.event, Some(EventKind::Placed), "what was read stays");
    assert!(reading.reason.unwrap().starts_with("new sender: "));
    let figures = watch::look(house.daemon.house(), &mut watch::Watch::default()).await.unwrap();
    assert_eq!(figures.alarms.iter().map(|alarm| alarm.kind).collect::<Vec<_>>(), [AlarmKind::Sender]);
}
