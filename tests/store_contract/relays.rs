//! Rounds: which shops they ask for, and how daemons share a relay's connections.

use std::collections::HashSet;

use invited::domain::{Attempt, EventKind, Timestamp};
use invited::store::{ClaimAsk, ClaimedLetter, RelayShare, Store};

use super::{Place, T0, after, policies, shop, tell};

fn ask(owner: &str, relay: Option<(&str, usize)>, shops: &[&str], limit: usize) -> ClaimAsk {
    let relay = relay.map(|(name, connections)| RelayShare::new(name, connections));
    ClaimAsk { owner: owner.to_owned(), relay, shops: shops.iter().map(|name| shop(name)).collect(), limit }
}

async fn orders(store: &dyn Store, shop: &str, references: std::ops::Range<u32>) {
    for n in references {
        tell(store, shop, EventKind::Placed, &format!("A-{n}"), "anna@example.com", T0).await;
    }
}

async fn letters(store: &dyn Store, ask: ClaimAsk) -> Vec<ClaimedLetter> {
    let claimed = store.claim_due(ask, policies(), after(7)).await.unwrap();
    assert_eq!(claimed.dealt_with, claimed.letters.len());
    claimed.letters
}

async fn settle(store: &dyn Store, letter: &ClaimedLetter, attempt: Attempt) {
    store.settle(&letter.claim, attempt, "", policies(), after(7)).await.unwrap();
}

async fn a_relays_connections_are_shared_by_all_owners_and_free_again_when_a_letter_is_settled(place: Place) {
    let store = place.desk().await;
    orders(&*store, "nord", 0..8).await;
    for owner in ["one", "two", "three"] {
        store.beat(owner, after(8), after(7)).await.unwrap();
    }
    let claim = async |owner, limit| letters(&*store, ask(owner, Some(("default", 3)), &["nord"], limit)).await;
    let first = claim("one", 2).await;
    let second = claim("two", 10).await;
    assert_eq!((first.len(), second.len()), (2, 1));
    assert!(store.mark_on_the_wire(&first[0].claim, "<1@x>", after(7)).await.unwrap());
    assert_eq!(claim("three", 10).await, [], "a letter on the wire takes a connection as well");
    settle(&*store, &first[0], Attempt::Accepted).await;
    assert_eq!(claim("three", 10).await.len(), 1);
    // Whatever the end, and whoever asks next.
    settle(&*store, &second[0], Attempt::Deferred { retry_at: after(30) }).await;
    settle(&*store, &first[1], Attempt::Refused).await;
    assert_eq!(claim("one", 10).await.len(), 2);
    assert_eq!(claim("one", 10).await, []);
    // Another relay has connections of its own, and this claim asks for fewer of them.
    assert_eq!(letters(&*store, ask("one", Some(("other", 1)), &["nord"], 10)).await.len(), 1);
    assert_eq!(claim("one", 10).await, []);
    // None at all: what the configuration shrank to below what is in hand.
    assert_eq!(letters(&*store, ask("one", Some(("default", 1)), &["nord"], 10)).await, []);
}

async fn owners_who_claim_at_the_same_moment_never_have_more_than_the_relays_connections(place: Place) {
    let stores = [place.desk().await, place.desk().await];
    orders(&*stores[0], "nord", 0..30).await;
    for n in 0..8 {
        stores[0].beat(&format!("owner {n}"), after(8), after(7)).await.unwrap();
    }
    let mut sent = HashSet::new();
    for _ in 0..5 {
        let claims = (0..8).map(|n| {
            let (store, owner) = (&stores[n % 2], format!("owner {n}"));
            async move { letters(&**store, ask(&owner, Some(("default", 5)), &["nord"], 3)).await }
        });
        let claimed = futures_util::future::join_all(claims).await.into_iter().flatten().collect::<Vec<_>>();
        assert_eq!(claimed.len(), 5);
        for letter in &claimed {
            assert!(sent.insert(letter.claim.letter), "claimed twice");
            settle(&*stores[1], letter, Attempt::Refused).await;
        }
    }
}

async fn a_daemon_that_is_alone_is_given_as_many_again_ahead_until_a_second_one_lives(place: Place) {
    let store = place.desk().await;
    orders(&*store, "nord", 0..20).await;
    let claim = async |owner| letters(&*store, ask(owner, Some(("default", 3)), &["nord"], 20)).await;
    store.beat("one", after(8), after(7)).await.unwrap();
    let ahead = claim("one").await;
    assert_eq!(ahead.len(), 6);
    store.beat("two", after(8), after(7)).await.unwrap();
    assert_eq!(claim("two").await, []);
    for letter in &ahead[..4] {
        settle(&*store, letter, Attempt::Refused).await;
    }
    assert_eq!(claim("one").await.len(), 1, "a letter in hand is a connection in use by now");
    store.leave("two").await.unwrap();
    assert_eq!(claim("one").await.len(), 3);
}

async fn rounds_ask_only_for_their_shops(place: Place) {
    let store = place.desk().await;
    orders(&*store, "nord", 0..2).await;
    orders(&*store, "doubles", 0..2).await;
    assert_eq!(letters(&*store, ask("one", Some(("default", 9)), &[], 10)).await, []);
    assert_eq!(letters(&*store, ask("one", Some(("default", 9)), &["nowhere"], 10)).await, []);
    let theirs = letters(&*store, ask("one", Some(("default", 9)), &["doubles", "nowhere"], 10)).await;
    assert_eq!(theirs.iter().map(|letter| &letter.invitation.shop).collect::<Vec<_>>(), [&shop("doubles"); 2]);
    assert_eq!(letters(&*store, ask("one", Some(("default", 9)), &["nord", "doubles"], 10)).await.len(), 2);
}

async fn the_longest_due_come_first_over_all_shops_asked_for(place: Place) {
    let store = place.desk().await;
    for (n, name, day) in [(1, "nord", 3), (2, "doubles", 2), (3, "nord", 1), (4, "doubles", 0)] {
        tell(&*store, name, EventKind::Placed, &format!("A-{n}"), "anna@example.com", after(day)).await;
    }
    let claim = async |limit| {
        let asked = ask("one", Some(("default", 9)), &["nord", "doubles"], limit);
        let claimed = store.claim_due(asked, policies(), after(20)).await.unwrap().letters;
        claimed.into_iter().map(|letter| letter.invitation.id.0).collect::<Vec<_>>()
    };
    assert_eq!(claim(3).await, [4, 3, 2]);
    assert_eq!(claim(3).await, [1]);
}

async fn shops_without_a_relay_are_bound_by_the_limit_alone_and_take_no_connection(place: Place) {
    let store = place.desk().await;
    orders(&*store, "nord", 0..6).await;
    let without = letters(&*store, ask("one", None, &["nord"], 4)).await;
    assert_eq!(without.len(), 4);
    assert_eq!(letters(&*store, ask("one", Some(("default", 2)), &["nord"], 10)).await.len(), 2);
    settle(&*store, &without[0], Attempt::Unsendable).await;
    assert_eq!(store.counts().await.unwrap().invitations.values().sum::<u64>(), 6);
}

async fn each_shop_has_its_own_next_due_time(place: Place) {
    let store = place.desk().await;
    assert_eq!(store.next_due().await.unwrap(), []);
    for (n, name, day) in [(1, "nord", 3), (2, "doubles", 2), (3, "nord", 1), (4, "doubles", 5)] {
        tell(&*store, name, EventKind::Placed, &format!("A-{n}"), "anna@example.com", after(day)).await;
    }
    let next = async || {
        let mut due = store.next_due().await.unwrap();
        due.sort_unstable();
        due
    };
    assert_eq!(next().await, [(shop("doubles"), after(9)), (shop("nord"), after(8))]);
    let claimed = |day| store.claim_due(ask("one", Some(("default", 9)), &["nord"], 9), policies(), after(day));
    assert_eq!(claimed(8).await.unwrap().letters.len(), 1);
    assert_eq!(next().await, [(shop("doubles"), after(9)), (shop("nord"), after(10))]);
    assert_eq!(claimed(10).await.unwrap().letters.len(), 1);
    assert_eq!(next().await, [(shop("doubles"), after(9))], "what is in hand is not due");
    store.recover("two", policies(), Timestamp(after(11).0)).await.unwrap();
    assert_eq!(next().await.last(), Some(&(shop("nord"), after(11))));
}

on_each_engine!(
    a_relays_connections_are_shared_by_all_owners_and_free_again_when_a_letter_is_settled,
    owners_who_claim_at_the_same_moment_never_have_more_than_the_relays_connections,
    a_daemon_that_is_alone_is_given_as_many_again_ahead_until_a_second_one_lives,
    rounds_ask_only_for_their_shops,
    the_longest_due_come_first_over_all_shops_asked_for,
    shops_without_a_relay_are_bound_by_the_limit_alone_and_take_no_connection,
    each_shop_has_its_own_next_due_time,
);
