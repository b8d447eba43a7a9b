//! What every store must do, on each engine: written against `dyn Store`, run once on a file of SQLite and once on a database of
//! PostgreSQL. Numbers of rows begin with 1 in both, but a transaction that was begun anew leaves holes in PostgreSQL's.

#![cfg(feature = "daemon")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "../kit/by_hand.rs"]
mod by_hand;
#[path = "../kit/flaky.rs"]
mod flaky;
#[path = "../kit/place.rs"]
mod place;
#[path = "../kit/postgres.rs"]
mod postgres;
#[path = "../kit/said.rs"]
mod said;

/// Runs the tests of a topic on each engine.
macro_rules! on_each_engine {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::place::Place::file()).await;
            })*
        }

        mod postgres {
            $(#[tokio::test]
            async fn $test() {
                if let Some(place) = crate::place::Place::server() {
                    super::$test(place).await;
                }
            })*
        }
    };
}

mod answers;
mod copies;
mod daemons;
mod desk;
mod figures;
mod held;
mod imports;
mod letters;
mod lives;
mod looking;
mod orders;
mod pace;
mod people;
mod persons;
mod races;
mod relays;
mod reviews;
mod room;
mod senders;
mod watch;

use std::sync::Arc;

use invited::domain::{
    CopyId, DAY, EmailAddress, EventKind, Handed, Holidays, InDoubt, InvitationId, OrderNews, OrderReference, Outcome,
    Policies, Policy, Reading, Rule, SendWindow, ShopId, State, Timestamp, Weekdays,
};
use invited::store::{Actor, ClaimAsk, ClaimedLetter, Credence, FiledReading, NewCopy, RelayShare, Store, Subject};
use place::Place;

const T0: Timestamp = Timestamp(1_795_251_600_000);

fn after(days: u32) -> Timestamp {
    T0.plus(DAY * days)
}

fn shop(name: &str) -> ShopId {
    ShopId::parse(name).unwrap()
}

/// No rule about how often or at what hour, since most tests write to one person.
fn free() -> Policy {
    let window = SendWindow::new(None, Weekdays::ALL, Holidays::NONE);
    Policy { person_cap: None, person_apart: None, same_product: None, window, ..Policy::AFS }
}

fn policies() -> Arc<Policies> {
    let doubles = Policy { in_doubt: InDoubt::Resend, ..free() };
    Arc::new(Policies::from_iter([(shop("nord"), free()), (shop("doubles"), doubles)]))
}

fn mail(shop_name: &str, text: &str, received_at: Timestamp) -> NewCopy {
    NewCopy {
        shop: shop(shop_name),
        mail_from: "orders@shop.example".to_owned(),
        rcpt_to: format!("{shop_name}+secret@afs.example"),
        handed: Handed {
            client: Some("192.0.2.7".parse().unwrap()),
            hello: "mx.shop.example".to_owned(),
            tls: true,
            ..Handed::default()
        },
        answers: None,
        message: Arc::from(text.as_bytes()),
        received_at,
    }
}

fn order(kind: EventKind, reference: &str, email: &str) -> Reading {
    Reading {
        event: Some(kind),
        customer_email: Some(EmailAddress::parse(email).unwrap()),
        reference: OrderReference::parse(reference),
        reason: None,
        ..Reading::without_findings(Outcome::Event, "")
    }
}

fn filing(copy: CopyId, shop_name: &str, reading: Reading) -> FiledReading {
    let news = reading.event.map(|kind| OrderNews::new(kind, reading.sent_at.unwrap_or(T0)));
    FiledReading { copy, shop: shop(shop_name), reading, news, credence: Credence::default() }
}

/// Takes a copy in, reads it as told, and returns what it moved.
async fn tell(
    store: &dyn Store,
    shop_name: &str,
    kind: EventKind,
    reference: &str,
    email: &str,
    now: Timestamp,
) -> Vec<(InvitationId, State, Rule)> {
    let copy = store.spool(vec![mail(shop_name, "a mail", now)]).await.unwrap()[0];
    let reading = Reading { sent_at: Some(now), ..order(kind, reference, email) };
    let filed = store.file_readings(Arc::new([filing(copy, shop_name, reading)]), policies(), now).await.unwrap();
    assert_eq!(filed.len(), 1);
    filed[0].moved.iter().map(|(id, decision)| (*id, decision.progress.state, decision.rule)).collect()
}

async fn state_of(store: &dyn Store, id: InvitationId) -> State {
    store.story(&Subject::Invitation(id)).await.unwrap().invitations[0].progress.state
}

async fn claim(store: &dyn Store, owner: &str, now: Timestamp) -> Vec<ClaimedLetter> {
    store.claim_due(ask(owner, 10), policies(), now).await.unwrap().letters
}

/// All shops' letters, to one relay.
fn ask(owner: &str, limit: usize) -> ClaimAsk {
    let relay = Some(RelayShare::new("default", 100));
    ClaimAsk { owner: owner.to_owned(), relay, shops: vec![shop("nord"), shop("doubles")], limit }
}

fn person(reason: &str) -> Actor {
    Actor { name: "support".to_owned(), reason: Some(reason.to_owned()) }
}
