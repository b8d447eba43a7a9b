//! What becomes of orders: one invitation whatever comes twice, in whatever order; cancelled orders ask nobody; reminders.

use std::time::Duration;

use invited::domain::{DAY, DeskOrder, Rule, State};
use invited::store::{Actor, CopyState};

use crate::by_hand;
use crate::kit::{House, fixture, opened, order_mail};
use crate::relay::{Act, At, Moment};

const REFERENCE: &str = "10483-2026";

fn order() -> Vec<u8> {
    order_mail(REFERENCE, "Anna Example", "anna@customer.example.net")
}

/// The same order's cancellation in WooCommerce's shape, for a mail that no snippet explains.
fn cancellation() -> Vec<u8> {
    format!(
        "From: Shop <orders@shop.example.com>\r\nTo: Anna Example <anna@customer.example.net>\r\n\
         Subject: Order {REFERENCE} has been cancelled\r\nDate: Mon, 2 Mar 2026 10:00:00 +0000\r\n\
         Message-ID: <cancel@shop.example.com>\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
         <html><body><script type=\"application/ld+json\">{{\"@context\":\"https://schema.org/\",\"@type\":\"Order\",\
         \"orderNumber\":\"{REFERENCE}\",\"orderStatus\":\"https://schema.org/OrderCancelled\",\
         \"customer\":{{\"@type\":\"Person\",\"name\":\"Anna Example\"}},\
         \"billingAddress\":{{\"@type\":\"PostalAddress\",\"email\":\"anna@customer.example.net\"}}}}</script>\
         <p>Your order {REFERENCE} has been cancelled.</p></body></html>\r\n"
    )
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_becomes_a_letter_and_a_reminder_at_their_times() {
    let house = House::ordinary().await;
    house.hand_in(&order()).await;
    let invitation = house.invitation(REFERENCE).await;
    assert_eq!(invitation.progress.state, State::Queued);
    assert_eq!(invitation.progress.due_at, Some(house.clock.now().plus(DAY * 7)));

    house.pass(DAY * 7 - Duration::from_millis(1));
    assert_eq!(house.store().next_due().await.unwrap().first().map(|(_, due)| *due), invitation.progress.due_at);
    assert!(house.relay.taken().is_empty(), "nothing goes out before its time");

    house.pass(Duration::from_millis(1));
    house.until_state(REFERENCE, State::Sent).await;
    house.pass(DAY * 7);
    let done = house.until_state(REFERENCE, State::Done).await;
    assert_eq!(done.progress.letters_sent, 2);

    let letters = house.relay.taken();
    assert_eq!(letters.len(), 2);
    let kinds = letters.iter().map(|letter| {
        assert_eq!(letter.to, ["anna@customer.example.net"]);
        let message = opened(letter);
        assert!(message.body_text(0).unwrap().contains("Anna Example"));
        assert!(message.body_text(0).unwrap().contains(REFERENCE));
        message.header_raw("X-Invited-Letter").unwrap().trim().split(';').next().unwrap().to_owned()
    });
    assert_eq!(kinds.collect::<Vec<_>>(), ["invitation", "reminder"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_arrives_twice_asks_once() {
    let house = House::ordinary().await;
    for _ in 0..3 {
        house.hand_in(&order()).await;
    }
    let due = house.invitation(REFERENCE).await.progress.due_at;
    house.pass(DAY);
    house.hand_in(&order()).await;
    assert_eq!(house.invitation(REFERENCE).await.progress.due_at, due, "a repeat moves nothing");
    house.pass(DAY * 7);
    house.until_state(REFERENCE, State::Sent).await;
    house.hand_in(&order()).await;
    house.until_quiet().await;
    assert_eq!(house.relay.taken().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_order_asks_nobody() {
    let house = House::ordinary().await;
    house.hand_in(&order()).await;
    house.hand_in(&cancellation()).await;
    let invitation = house.invitation(REFERENCE).await;
    assert_eq!(invitation.progress.state, State::Cancelled);
    house.hand_in(&order()).await;
    house.pass(DAY * 30);
    house.until_quiet().await;
    assert_eq!(house.invitation(REFERENCE).await.progress.state, State::Cancelled, "a repeat does not open it again");
    assert!(house.relay.taken().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_that_comes_first_wins_as_well() {
    let house = House::ordinary().await;
    house.hand_in(&cancellation()).await;
    house.hand_in(&order()).await;
    house.pass(DAY * 30);
    house.until_quiet().await;
    assert_eq!(house.invitation(REFERENCE).await.progress.state, State::Cancelled);
    assert!(house.relay.taken().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_between_letter_and_reminder_stops_the_reminder() {
    let house = House::ordinary().await;
    house.hand_in(&order()).await;
    house.pass(DAY * 7);
    house.until_state(REFERENCE, State::Sent).await;
    house.hand_in(&cancellation()).await;
    house.pass(DAY * 30);
    house.until_state(REFERENCE, State::Cancelled).await;
    house.until_quiet().await;
    assert_eq!(house.relay.taken().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_counts_from_the_shipment_waits_for_it() {
    let house = House::open(&[("trigger", "\"shipment\"")], |_| Act::Ok).await;
    house.hand_in(&order()).await;
    assert_eq!(house.invitation(REFERENCE).await.progress.state, State::Waiting);
    house.pass(DAY * 61);
    house.until_state(REFERENCE, State::Dropped).await;
    assert!(house.relay.taken().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn support_cancels_moves_and_sends() {
    let house = House::ordinary().await;
    let actor = Actor { name: "sam".to_owned(), reason: Some("asked by telephone".to_owned()) };
    let policies = house.daemon.house().setup().policies.clone();
    let desk = async |reference: &str, order| {
        let id = house.invitation(reference).await.id;
        let now = house.clock.now();
        by_hand::order(house.store(), id, order, &actor, &policies, now).await.unwrap()
    };
    for reference in ["1001-AB", "1002-AB", "1003-AB"] {
        house.hand_in(&order_mail(reference, "Anna Example", "anna@customer.example.net")).await;
    }
    assert_eq!(desk("1001-AB", DeskOrder::Cancel).await.rule, Rule::DeskCancels);
    assert_eq!(desk("1001-AB", DeskOrder::SendNow).await.rule, Rule::AlreadyEnded);
    let later = house.clock.now().plus(DAY * 20);
    assert_eq!(desk("1002-AB", DeskOrder::Reschedule(later)).await.progress.due_at, Some(later));
    assert_eq!(desk("1003-AB", DeskOrder::SendNow).await.rule, Rule::DeskSendsNow);
    house.daemon.house().queue_moved.notify_one();
    house.until_state("1003-AB", State::Sent).await;
    assert_eq!(house.relay.taken().len(), 1);
    let story = house.story("1001-AB").await;
    let last = story.decisions.last().unwrap();
    assert_eq!((last.actor.as_str(), last.note.as_deref()), ("sam", Some("asked by telephone")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancellation_before_the_dot_stops_the_letter_on_its_way() {
    // The relay keeps the daemon waiting at RCPT until support has cancelled.
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let house = House::open(&[], move |moment: &Moment| {
        if moment.at == At::Rcpt {
            // Handing the thread's other tasks on: one of them may be what the test waits for.
            tokio::task::block_in_place(|| wait.lock().unwrap().recv().unwrap());
        }
        Act::Ok
    })
    .await;
    house.hand_in(&order()).await;
    house.pass(DAY * 7);
    let invitation = house.until_state(REFERENCE, State::Sending).await;
    let policies = house.daemon.house().setup().policies.clone();
    let actor = Actor { name: "sam".to_owned(), reason: None };
    let now = house.clock.now();
    let decision =
        by_hand::order(house.store(), invitation.id, DeskOrder::Cancel, &actor, &policies, now).await.unwrap();
    assert_eq!(decision.rule, Rule::DeskCancels);
    go.send(()).unwrap();
    house.relay.until(|seen| seen.open == 0 && seen.lines.iter().any(|(_, line)| line == "DATA")).await;
    assert!(house.relay.taken().is_empty(), "the cancellation won");
    assert_eq!(house.invitation(REFERENCE).await.progress.state, State::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_forgets_nothing() {
    let house = House::ordinary().await;
    house.hand_in(&order()).await;
    house.pass(DAY * 7);
    house.until_state(REFERENCE, State::Sent).await;
    let house = house.restart().await;
    house.pass(DAY * 7);
    house.until_state(REFERENCE, State::Done).await;
    assert_eq!(house.relay.taken().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mail_that_once_broke_a_sender_is_harmless() {
    let house = House::ordinary().await;
    let copy = house.hand_in(&fixture("hostile/crlf-in-name-en-1.eml")).await;
    house.hand_in(&order()).await;
    house.pass(DAY * 7);
    house.until_state(REFERENCE, State::Sent).await;
    house.until_quiet().await;
    for letter in house.relay.taken() {
        assert!(!letter.to.contains(&"v@x.test".to_owned()));
        assert!(opened(&letter).header("Bcc").is_none());
    }
    assert!(matches!(copy.state, CopyState::Event | CopyState::Held | CopyState::Ignored));
}

#[tokio::test(flavor = "multi_thread")]
async fn hold_all_queues_and_sends_nothing() {
    let house = House::open(&[("hold_all", "true")], |_| Act::Ok).await;
    house.hand_in(&order()).await;
    house.pass(DAY * 8);
    let house = house.restart().await;
    assert_eq!(house.invitation(REFERENCE).await.progress.state, State::Queued);
    assert_eq!(house.relay.seen().connections, 0);
}
