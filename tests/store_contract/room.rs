//! What a relay and the mailbox domains behind it get: so many letters an hour, so many at one time, whoever sends them; and that a
//! letter that waits for it is in nobody's way.

use std::time::Duration;

use futures_util::future::join_all;
use invited::config::MailboxDomain;
use invited::domain::{Attempt, EventKind, Rule, Timestamp};
use invited::store::{ClaimAsk, Claimed, ClaimedLetter, RelayShare, Store, Subject};

use super::{Place, T0, after, policies, shop, tell};

fn relay() -> RelayShare {
    RelayShare::new("main", 10_000)
}

fn domain(name: &str, connections: Option<usize>, rate: Option<u32>) -> MailboxDomain {
    MailboxDomain { name: name.to_owned(), connections, rate }
}

async fn claim(store: &dyn Store, owner: &str, relay: RelayShare, limit: usize, at: Timestamp) -> Claimed {
    let shops = vec![shop("nord"), shop("doubles")];
    let ask = ClaimAsk { owner: owner.to_owned(), relay: Some(relay), shops, limit };
    store.claim_due(ask, policies(), at).await.unwrap()
}

/// Orders of one shop, all due at the same time: so many of customers at each domain, one domain after the other.
async fn orders(store: &dyn Store, name: &str, domains: &[(&str, u32)]) {
    for (domain, count) in domains {
        for n in 0..*count {
            let (reference, email) = (format!("{domain}-{n}"), format!("c{n}@{domain}"));
            tell(store, name, EventKind::Placed, &reference, &email, T0).await;
        }
    }
}

fn seconds(count: u64) -> Timestamp {
    after(7).plus(Duration::from_secs(count))
}

/// How many letters of a claim go to a domain, and how many elsewhere.
fn to(claimed: &Claimed, domain: &str) -> (usize, usize) {
    let count = claimed.letters.iter().filter(|one| one.invitation.customer.email.domain() == domain).count();
    (count, claimed.letters.len() - count)
}

async fn accept(store: &dyn Store, letter: &ClaimedLetter, at: Timestamp) {
    assert!(store.mark_on_the_wire(&letter.claim, "<1@x>", at).await.unwrap());
    store.settle(&letter.claim, Attempt::Accepted, "", policies(), at).await.unwrap();
}

async fn a_relays_rate_holds_over_all_shops_and_daemons(place: Place) {
    let stores = [place.desk().await, place.desk().await];
    orders(&*stores[0], "nord", &[("a.example", 10)]).await;
    orders(&*stores[0], "doubles", &[("b.example", 10)]).await;
    let bound = RelayShare { rate: Some(300), ..relay() };
    let claims = (0..6).map(|n| {
        let (store, bound, owner) = (&stores[n % 2], bound.clone(), format!("owner {n}"));
        async move { claim(&**store, &owner, bound, 10, after(7)).await.letters.len() }
    });
    assert_eq!(join_all(claims).await.into_iter().sum::<usize>(), 5, "a minute's share");
    let none = claim(&*stores[0], "one", bound.clone(), 10, seconds(10)).await;
    assert_eq!((none.letters.len(), none.dealt_with, none.next), (0, 0, Some(seconds(60))));
    assert_eq!(claim(&*stores[0], "one", bound.clone(), 10, seconds(60)).await.letters.len(), 5);
    let other = RelayShare { rate: Some(300), ..RelayShare::new("other", 10_000) };
    assert_eq!(claim(&*stores[1], "one", other, 10, seconds(60)).await.letters.len(), 5, "another relay has its own");
}

async fn a_domain_has_so_many_letters_under_way_and_the_others_pass_it(place: Place) {
    let store = place.daemon().await;
    orders(&*store, "nord", &[("gmail.example", 30), ("other.example", 3)]).await;
    let bound = RelayShare { domains: vec![domain("gmail.example", Some(2), None)], ..relay() };
    let first = claim(&*store, "one", bound.clone(), 4, after(7)).await;
    assert_eq!(to(&first, "gmail.example"), (2, 2), "though thirty stand before them");
    let second = claim(&*store, "two", bound.clone(), 4, after(7)).await;
    assert_eq!(to(&second, "gmail.example"), (0, 1), "over all daemons");
    let third = claim(&*store, "one", bound.clone(), 4, after(7)).await;
    assert_eq!((third.letters.len(), third.dealt_with, third.next), (0, 0, Some(seconds(1))));
    // Those that were passed over stand as they stood: no decision, no attempt.
    let waiting = store.story(&Subject::Invitation(first.letters[1].invitation.id)).await.unwrap();
    assert_eq!(waiting.invitations[0].progress.attempts, 1);
    let passed_over = invited::domain::InvitationId(first.letters[1].invitation.id.0 + 1);
    let story = store.story(&Subject::Invitation(passed_over)).await.unwrap();
    assert_eq!((story.decisions.len(), story.invitations[0].progress.attempts), (1, 0));
    let gmail = first.letters.iter().find(|one| one.invitation.customer.email.domain() == "gmail.example").unwrap();
    accept(&*store, gmail, after(7)).await;
    assert_eq!(to(&claim(&*store, "one", bound, 4, after(7)).await, "gmail.example"), (1, 0));
}

async fn what_is_written_for_all_domains_holds_for_those_without_their_own(place: Place) {
    let store = place.daemon().await;
    orders(&*store, "nord", &[("a.example", 9), ("b.example", 9), ("c.example", 9)]).await;
    let domains = vec![domain("b.example", Some(4), None), domain("c.example", None, Some(3600))];
    let bound = RelayShare { per_domain: Some(2), domains, ..relay() };
    let claimed = claim(&*store, "one", bound, 100, after(7)).await;
    let of = |name| to(&claimed, name).0;
    assert_eq!((of("a.example"), of("b.example"), of("c.example")), (2, 4, 2));
}

async fn a_domains_rate_holds_and_says_when_it_is_worth_looking_again(place: Place) {
    let store = place.daemon().await;
    orders(&*store, "nord", &[("gmail.example", 9), ("other.example", 1)]).await;
    let bound = RelayShare { domains: vec![domain("gmail.example", None, Some(120))], ..relay() };
    let first = claim(&*store, "one", bound.clone(), 9, after(7)).await;
    assert_eq!(to(&first, "gmail.example"), (2, 1));
    let second = claim(&*store, "one", bound.clone(), 9, seconds(5)).await;
    assert_eq!((second.letters.len(), second.next), (0, Some(seconds(60))));
    assert_eq!(to(&claim(&*store, "one", bound, 9, seconds(60)).await, "gmail.example"), (2, 0));
}

async fn a_shops_rate_holds_too_where_letters_wait_for_their_domain(place: Place) {
    let store = place.daemon().await;
    orders(&*store, "nord", &[("gmail.example", 5), ("other.example", 5)]).await;
    let nord = invited::domain::Policy { rate: Some(120), ..super::free() };
    let rules = std::sync::Arc::new(invited::domain::Policies::from_iter([(shop("nord"), nord)]));
    let bound = RelayShare { domains: vec![domain("gmail.example", Some(1), None)], ..relay() };
    let ask =
        |limit| ClaimAsk { owner: "one".to_owned(), relay: Some(bound.clone()), shops: vec![shop("nord")], limit };
    let claimed = store.claim_due(ask(9), rules.clone(), after(7)).await.unwrap();
    assert_eq!(to(&claimed, "gmail.example"), (1, 1));
}

async fn a_great_many_letters_to_one_domain_are_put_off_so_that_others_are_reached(place: Place) {
    let store = place.daemon().await;
    orders(&*store, "nord", &[("gmail.example", 300), ("other.example", 2)]).await;
    let bound = RelayShare { domains: vec![domain("gmail.example", Some(1), None)], ..relay() };
    let first = claim(&*store, "one", bound.clone(), 4, after(7)).await;
    assert_eq!(to(&first, "gmail.example"), (1, 0));
    assert_eq!(first.dealt_with, 1 + (256 - 1 - 64), "64 stay in line, the rest of what was looked at goes later");
    let second = claim(&*store, "one", bound.clone(), 4, after(7)).await;
    assert_eq!(to(&second, "gmail.example"), (0, 2));
    let last = invited::domain::InvitationId(first.letters[0].invitation.id.0 + 255);
    let story = store.story(&Subject::Invitation(last)).await.unwrap();
    let (decision, progress) = (story.decisions.last().unwrap(), &story.invitations[0].progress);
    assert_eq!((decision.rule, progress.attempts), (Rule::DomainBusy, 0));
    let waits = progress.due_at.unwrap().since(after(7)).as_secs();
    assert!((300..=3600).contains(&waits), "{waits} seconds");
}

async fn what_one_relay_may_have_taken_never_goes_to_another(place: Place) {
    let store = place.daemon().await;
    orders(&*store, "doubles", &[("a.example", 3)]).await;
    let with = |name: &str, others: &[&str]| RelayShare {
        others: others.iter().map(|name| (*name).to_owned()).collect(),
        ..RelayShare::new(name, 100)
    };
    let main = || with("main", &["backup"]);
    let first = claim(&*store, "one", main(), 2, after(7)).await.letters;
    for letter in &first {
        assert!(store.mark_on_the_wire(&letter.claim, "<1@x>", after(7)).await.unwrap());
    }
    let lost = Attempt::AnswerLost { retry_at: after(7) };
    store.settle(&first[0].claim, lost, "", policies(), after(7)).await.unwrap();
    store.settle(&first[1].claim, Attempt::Deferred { retry_at: after(7) }, "451", policies(), after(7)).await.unwrap();
    let doubted = first[0].invitation.id;
    let backup = claim(&*store, "one", with("backup", &["main"]), 9, after(7)).await;
    assert_eq!(backup.letters.len(), 2, "the others go, the one that was refused for now among them");
    assert!(backup.letters.iter().all(|letter| letter.invitation.id != doubted));
    let idle = claim(&*store, "one", with("backup", &["main"]), 9, after(7)).await;
    assert_eq!((idle.dealt_with, idle.next), (0, Some(seconds(1))));
    // Not after a failure at its own relay either, which says nothing of the first attempt.
    let again = claim(&*store, "one", main(), 9, after(7)).await.letters;
    assert_eq!((again.len(), again[0].invitation.id), (1, doubted));
    assert_eq!(again[0].message_id.as_deref(), Some("<1@x>"));
    let down = Attempt::RelayDown { retry_at: after(7) };
    store.settle(&again[0].claim, down, "", policies(), after(7)).await.unwrap();
    assert_eq!(claim(&*store, "one", with("backup", &["main"]), 9, after(7)).await.letters, []);
    // It is not kept for a relay that the shop has no more.
    assert_eq!(claim(&*store, "one", with("backup", &["third"]), 9, after(7)).await.letters.len(), 1);
}

on_each_engine!(
    a_relays_rate_holds_over_all_shops_and_daemons,
    a_domain_has_so_many_letters_under_way_and_the_others_pass_it,
    what_is_written_for_all_domains_holds_for_those_without_their_own,
    a_domains_rate_holds_and_says_when_it_is_worth_looking_again,
    a_shops_rate_holds_too_where_letters_wait_for_their_domain,
    a_great_many_letters_to_one_domain_are_put_off_so_that_others_are_reached,
    what_one_relay_may_have_taken_never_goes_to_another,
);
