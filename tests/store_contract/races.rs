//! Several daemons at the same moment: stores with connections of their own on one queue.

use std::sync::Arc;

use futures_util::future::join_all;
use invited::domain::{Attempt, DeskOrder, EventKind, OrderReference, State};
use invited::store::{DeskAsk, FiledReading, Filter, Seen, Store, Story, Subject};

use super::{Place, T0, after, claim, filing, mail, order, person, policies};

/// One more telling of an order, taken in but not filed.
async fn told(store: &dyn Store, kind: EventKind, reference: &str, email: &str) -> FiledReading {
    let copy = store.spool(vec![mail("nord", "a mail", T0)]).await.unwrap()[0];
    filing(copy, "nord", order(kind, reference, email))
}

async fn about(store: &dyn Store, reference: &str) -> Story {
    store.story(&Subject::Reference(OrderReference::parse(reference).unwrap())).await.unwrap()
}

async fn file(store: &Arc<dyn Store>, readings: Vec<FiledReading>) {
    let count = readings.len();
    let filed = store.file_readings(readings.into(), policies(), T0).await.unwrap();
    assert_eq!(filed.len(), count, "a reading could not be filed");
}

async fn an_order_that_two_daemons_file_at_the_same_moment_is_one_invitation_for_each_customer(place: Place) {
    let stores = [place.desk().await, place.desk().await];
    for round in 0..12 {
        let reference = format!("A-{round}");
        let mut readings = Vec::new();
        for n in 0..8 {
            let email = ["anna@example.com", "bo@example.com"][n / 4];
            readings.push(told(&*stores[0], EventKind::Placed, &reference, email).await);
        }
        let filings = readings.into_iter().enumerate().map(|(n, reading)| file(&stores[n % 2], vec![reading]));
        join_all(filings).await;
        let story = about(&*stores[0], &reference).await;
        assert_eq!((story.invitations.len(), story.decisions.len(), story.copies.len()), (2, 8, 8), "{reference}");
    }
    assert_eq!(stores[0].counts().await.unwrap().unread, 0);
}

async fn a_cancellation_that_races_with_an_order_of_another_address_stops_it(place: Place) {
    let stores = [place.desk().await, place.desk().await];
    for round in 0..40 {
        let reference = format!("A-{round}");
        let end = told(&*stores[0], EventKind::Cancelled, &reference, "anna@example.com").await;
        let begin = told(&*stores[1], EventKind::Placed, &reference, "bo@example.com").await;
        let (first, second) = if round % 2 == 0 { (end, begin) } else { (begin, end) };
        tokio::join!(file(&stores[0], vec![first]), file(&stores[1], vec![second]));
        let story = about(&*stores[0], &reference).await;
        let states = story.invitations.iter().map(|invitation| invitation.progress.state).collect::<Vec<_>>();
        assert!(states.iter().all(|state| *state == State::Cancelled), "{reference}: {states:?}");
    }
}

async fn a_copy_that_two_daemons_file_moves_its_order_once(place: Place) {
    let stores = [place.desk().await, place.desk().await];
    for round in 0..10 {
        let reference = format!("A-{round}");
        let reading = told(&*stores[0], EventKind::Placed, &reference, "anna@example.com").await;
        let filings = (0..4).map(|n| stores[n % 2].file_readings(Arc::new([reading.clone()]), policies(), T0));
        let filed = join_all(filings).await.into_iter().flat_map(Result::unwrap).collect::<Vec<_>>();
        assert_eq!(filed.iter().map(|filed| filed.moved.len()).sum::<usize>(), 1);
        assert_eq!(about(&*stores[0], &reference).await.decisions.len(), 1);
    }
}

async fn a_copy_is_handed_to_one_of_those_who_ask_at_the_same_moment(place: Place) {
    let stores = [place.desk().await, place.desk().await];
    stores[0].spool((0..60).map(|n| mail("nord", &format!("mail {n}"), T0)).collect()).await.unwrap();
    let claims = (0..6).map(|n| {
        let (store, owner) = (&stores[n % 2], format!("owner {n}"));
        async move { store.claim_copies(10, 3, &owner, T0).await.unwrap() }
    });
    let mut ids = join_all(claims).await.into_iter().flatten().map(|copy| copy.id.0).collect::<Vec<_>>();
    ids.sort_unstable();
    assert_eq!(ids, (1..=60).collect::<Vec<_>>());
}

/// Batches that name the same orders in opposite sequence, people and relays' answers in between: whoever stands in another's way
/// is begun anew, and nobody hears of it.
async fn daemons_that_stand_in_each_others_way_all_get_through(place: Place) {
    let stores = [place.desk().await, place.desk().await];
    let (orders, rounds) = (12, 3);
    let mut readings = Vec::new();
    for n in 0..orders {
        readings.push(told(&*stores[0], EventKind::Placed, &format!("A-{n}"), "anna@example.com").await);
    }
    file(&stores[0], readings).await;
    for round in 0..rounds {
        let mut batches = Vec::new();
        for batch in 0..4 {
            let mut readings = Vec::new();
            for n in 0..orders {
                let n = if batch % 2 == 0 { n } else { orders - 1 - n };
                readings.push(told(&*stores[0], EventKind::Shipped, &format!("A-{n}"), "anna@example.com").await);
            }
            batches.push(readings);
        }
        let letters = claim(&*stores[round % 2], "one", after(30)).await;
        let filings = batches.into_iter().enumerate().map(|(n, batch)| file(&stores[n % 2], batch));
        let listed = stores[0].list(&Filter::default(), None, 100).await.unwrap().invitations;
        // One store newest first, the other oldest first.
        let desk = listed.iter().map(|one| (&stores[0], one)).chain(listed.iter().rev().map(|one| (&stores[1], one)));
        let desk = desk.map(|(store, one)| async move {
            let ask = DeskAsk { seen: Seen::from(one), order: DeskOrder::Reschedule(after(29)) };
            store.desk_all(vec![ask], &person("a call"), policies(), after(28)).await.unwrap()
        });
        let settles = letters.iter().rev().enumerate().map(|(n, letter)| {
            let (store, attempt) = (&stores[n % 2], Attempt::Deferred { retry_at: after(29) });
            async move { store.settle(&letter.claim, attempt, "", policies(), after(30)).await.unwrap() }
        });
        tokio::join!(join_all(filings), join_all(desk), join_all(settles));
    }
}

on_each_engine!(
    an_order_that_two_daemons_file_at_the_same_moment_is_one_invitation_for_each_customer,
    a_cancellation_that_races_with_an_order_of_another_address_stops_it,
    a_copy_that_two_daemons_file_moves_its_order_once,
    a_copy_is_handed_to_one_of_those_who_ask_at_the_same_moment,
    daemons_that_stand_in_each_others_way_all_get_through,
);
