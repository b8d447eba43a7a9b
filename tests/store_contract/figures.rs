//! Counts that are kept while things happen are what a recount finds afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use invited::domain::{Attempt, DAY, DeskOrder, EmailAddress, EventKind, Outturn, Rule, ShopId, State, Timestamp};
use invited::ops::fairness::{Account, Part};
use invited::store::{DeskAct, DeskFiling, Erasure, Figure, Filter, Role, SqlStore, Store, Subject};

use super::{Place, T0, after, by_hand, claim, filing, mail, order, person, policies, shop, tell};

/// Milliseconds of a day.
const DAY_MS: i64 = DAY.as_millis() as i64;

/// Numbers that are the same in every run.
struct Lot(u64);

impl Lot {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

type Counts = BTreeMap<(String, i64, String), u64>;

fn counts(figures: Vec<Figure>) -> Counts {
    let count = figures.len();
    let counts = figures.into_iter().map(|one| ((one.shop.as_str().to_owned(), one.day, one.name), one.n));
    let counts = counts.collect::<Counts>();
    assert_eq!(counts.len(), count, "no count comes twice");
    counts
}

/// What the rows say.
async fn recount(store: &dyn Store) -> Counts {
    let mut counts = Counts::new();
    for invitation in store.list(&Filter::default(), None, 1000).await.unwrap().invitations {
        let shop = invitation.shop.as_str();
        let mut count = |day: i64, name: String| *counts.entry((shop.to_owned(), day, name)).or_default() += 1;
        count(0, format!("state {}", invitation.progress.state));
        let begun = invitation.created_at.0 / DAY_MS;
        count(begun, "begun".to_owned());
        count(begun, format!("became {}", Outturn::of(&invitation.progress).as_str()));
        let (mut letters, mut is_dropped) = (0, false);
        for decision in store.story(&Subject::Invitation(invitation.id)).await.unwrap().decisions {
            let day = decision.at.0 / DAY_MS;
            count(day, decision.rule.as_str().to_owned());
            if [Rule::LetterAccepted, Rule::LastLetterAccepted, Rule::AcceptedAfterStop].contains(&decision.rule) {
                count(day, if letters == 0 { "letter first" } else { "letter reminder" }.to_owned());
                letters += 1;
            }
            let was_dropped = is_dropped;
            is_dropped = letters == 0 && decision.to == State::Dropped;
            if is_dropped && !was_dropped {
                count(day, "letter dropped".to_owned());
                count(begun, format!("dropped {}", decision.rule));
            }
            if was_dropped && !is_dropped {
                count(begun, "dropped undone".to_owned());
            }
        }
        assert_eq!(letters, invitation.progress.letters_sent);
    }
    counts
}

/// One thing that may happen at this moment.
async fn something(store: &Arc<dyn Store>, lot: u64, now: Timestamp) {
    let mut lot = Lot(lot);
    let name = ["nord", "doubles"][lot.below(2) as usize];
    let reference = format!("A-{}", lot.below(12));
    let email = ["anna@example.com", "bo@example.com"][lot.below(2) as usize];
    match lot.below(10) {
        kind @ 0..=4 => {
            let kind =
                [EventKind::Placed, EventKind::Shipped, EventKind::Delayed, EventKind::Placed, EventKind::Cancelled]
                    [kind as usize];
            tell(&**store, name, kind, &reference, email, now).await;
        }
        5 => {
            let dry = DeskFiling { act: DeskAct::Released, actor: person("?"), also_ignored: true, is_dry: true };
            let copy = store.spool(vec![mail(name, "a mail", now)]).await.unwrap()[0];
            let held = invited::domain::Reading::without_findings(invited::domain::Outcome::Held, "unclear");
            store.file_readings(Arc::new([filing(copy, name, held)]), policies(), now).await.unwrap();
            let reading = filing(copy, name, order(EventKind::Placed, &reference, email));
            let would = store.file_for_desk(Arc::new([reading]), &dry, policies(), now).await.unwrap();
            assert!(would[0].is_done);
        }
        6 => {
            let listed = store.list(&Filter { shop: Some(shop(name)), ..Filter::default() }, None, 50).await.unwrap();
            let order = [DeskOrder::Cancel, DeskOrder::SendNow, DeskOrder::Reschedule(now.plus(DAY))];
            if let Some(one) = listed.invitations.get(lot.below(20) as usize) {
                let order = order[lot.below(3) as usize];
                by_hand::order(&**store, one.id, order, &person("a call"), &policies(), now).await;
            }
        }
        _ => {
            for letter in claim(&**store, &format!("owner {}", lot.below(9)), now).await {
                let retry_at = now.plus(DAY);
                let attempts = [
                    Attempt::Accepted,
                    Attempt::Deferred { retry_at },
                    Attempt::Refused,
                    Attempt::AnswerLost { retry_at },
                ];
                store.mark_on_the_wire(&letter.claim, "<1@x>", now).await.unwrap();
                let attempt = attempts[lot.below(4) as usize];
                store.settle(&letter.claim, attempt, "", policies(), now).await.unwrap();
            }
        }
    }
}

async fn counts_that_are_kept_are_what_a_recount_finds(place: Place) {
    let stores = [place.desk().await, place.desk().await];
    let mut lot = Lot(1);
    for day in 0..30 {
        // Some at the same moment, by two daemons, so that pieces of work share transactions and stand in each other's way.
        let lots = (0..6).map(|n| (n, lot.below(u64::MAX >> 33))).collect::<Vec<_>>();
        join_all(lots.iter().map(|(n, lot)| something(&stores[n % 2], *lot, after(day)))).await;
    }
    let store = &*stores[0];
    let expected = recount(store).await;
    assert!(expected.len() > 60, "{expected:?}");
    assert_eq!(counts(store.figures(0, None).await.unwrap()), expected);

    let standing = |state: State| {
        let name = format!("state {state}");
        expected.iter().filter(|((_, _, it), _)| *it == name).map(|(_, n)| *n).sum::<u64>()
    };
    let by_state = store.counts().await.unwrap().invitations;
    for state in State::ALL {
        assert_eq!(by_state.get(&state).copied().unwrap_or(0), standing(state), "{state}");
    }
    // One shop, and a part of the time.
    let since = T0.0 / DAY_MS + 9;
    let mut expected = expected;
    expected.retain(|(shop, day, _), _| shop == "nord" && (*day == 0 || *day >= since));
    assert_eq!(counts(store.figures(since, Some(&shop("nord"))).await.unwrap()), expected);
    assert_eq!(store.figures(0, Some(&shop("nowhere"))).await.unwrap(), []);
}

/// What every shop says became of its invitations, and what a look at each of them says.
async fn accounts(store: &SqlStore) -> Vec<Account> {
    let figures = store.figures(0, None).await.unwrap();
    let mut accounts = Vec::new();
    for name in ["nord", "doubles"] {
        let shop = shop(name);
        let stopped = store.stopped_by_people(Timestamp(0), Some(&shop)).await.unwrap();
        accounts.push(Account::of(&shop, &figures, 0, &stopped, None));
    }
    accounts
}

async fn an_account_of_all_invitations_adds_up_to_the_whole_whatever_happens(place: Place) {
    let store = Arc::new(place.open(Role::Daemon).await);
    let worked_on: Arc<dyn Store> = Arc::clone(&store) as _;
    let mut lot = Lot(7);
    for day in 0..25 {
        for _ in 0..6 {
            something(&worked_on, lot.below(u64::MAX >> 33), after(day)).await;
        }
    }
    // What waited for too long is given up by the shops' rules.
    claim(&*store, "late", after(400)).await;
    let listed = store.list(&Filter::default(), None, 1000).await.unwrap().invitations;
    let all = accounts(&store).await;
    for account in &all {
        let of_shop = listed.iter().filter(|one| one.shop == account.shop);
        assert_eq!(account.begun, of_shop.count() as u64);
        assert_eq!(account.parts.iter().map(|(_, n)| n).sum::<u64>(), account.begun, "{account:?}");
        assert_eq!(account.part(Part::Unaccounted), 0);
        let dropped = account.rules.iter().map(|(_, n)| n).sum::<u64>() - account.dropped_undone;
        assert_eq!(dropped, account.part(Part::Dropped), "{account:?}");
    }
    let (mut cancelled, mut without_letter, mut invited) = (0, 0, 0);
    for one in &listed {
        invited += u64::from(one.progress.letters_sent > 0);
        let decisions = store.story(&Subject::Invitation(one.id)).await.unwrap().decisions;
        let by_hand = decisions.iter().any(|decision| decision.rule == Rule::DeskCancels);
        cancelled += u64::from(by_hand);
        without_letter += u64::from(by_hand && one.progress.letters_sent == 0);
    }
    let sum = |number: &dyn Fn(&Account) -> u64| all.iter().map(number).sum::<u64>();
    assert_eq!(sum(&|one| one.part(Part::Invited)), invited);
    assert_eq!(sum(&|one| one.by_hand.iter().map(|hand| hand.invitations).sum()), cancelled);
    assert_eq!(sum(&Account::picked), without_letter);
    assert!(invited > 3 && without_letter > 0 && sum(&|one| one.part(Part::Dropped)) > 0, "{all:?}");
    let hand = &all.iter().find(|one| !one.by_hand.is_empty()).unwrap().by_hand[0];
    assert_eq!((hand.actor.as_str(), hand.reason.as_deref()), ("support", Some("a call")));

    // Whoever is erased still counts, and nobody can say as what.
    let key = EmailAddress::parse("anna@example.com").unwrap().key();
    let erased = store.erase(&key, Erasure::default(), None, "support", policies(), after(401)).await.unwrap();
    let before = all;
    let all = accounts(&store).await;
    for (account, before) in all.iter().zip(&before) {
        assert_eq!(account.begun, before.begun);
        assert_eq!(account.parts.iter().map(|(_, n)| n).sum::<u64>(), account.begun, "{account:?}");
    }
    let sum = |number: &dyn Fn(&Account) -> u64| all.iter().map(number).sum::<u64>();
    assert!(erased.invitations > 5, "{erased:?}");
    assert_eq!(sum(&|one| one.part(Part::Erased)), erased.invitations);
    let left = store.list(&Filter::default(), None, 1000).await.unwrap().invitations;
    assert_eq!(
        sum(&|one| one.part(Part::Invited)),
        left.iter().filter(|one| one.progress.letters_sent > 0).count() as u64
    );
}

async fn what_is_due_next_and_what_is_in_hand_is_seen_along_indexes(place: Place) {
    let store = place.open(Role::Daemon).await;
    let shops = [shop("nord"), shop("doubles")];
    assert_eq!(store.upcoming(&shops, 10).await.unwrap(), []);
    for (name, reference, day) in [("nord", "A-1", 0), ("doubles", "B-1", 1), ("nord", "A-2", 2)] {
        let email = format!("{}@example.com", reference.to_lowercase());
        tell(&store, name, EventKind::Delivered, reference, &email, after(day)).await;
    }
    let due = async |shops: &[ShopId], limit| {
        let found = store.upcoming(shops, limit).await.unwrap();
        found.iter().map(|one| one.reference.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(due(&shops, 10).await, ["A-1", "B-1", "A-2"], "the first due first, of all shops");
    assert_eq!(due(&shops, 2).await, ["A-1", "B-1"]);
    assert_eq!(due(&shops[..1], 10).await, ["A-1", "A-2"]);
    store.pause(None, &person("a holiday"), after(3)).await.unwrap();
    assert_eq!(due(&shops, 10).await.len(), 3, "also what rests");
    store.resume(None).await.unwrap();

    let now = after(9);
    let mut letters = claim(&store, "one", now).await;
    letters.sort_by_key(|letter| letter.invitation.id);
    assert_eq!(letters.len(), 3);
    store.mark_on_the_wire(&letters[0].claim, "<1@x>", now).await.unwrap();
    let hands = store.in_hand(None).await.unwrap();
    let seen = hands.iter().map(|one| (one.relay.as_str(), one.claimed, one.on_the_wire, one.oldest));
    assert_eq!(seen.collect::<Vec<_>>(), [("default", 2, 1, now)]);
    let hands = store.in_hand(Some(&shops[1])).await.unwrap();
    assert_eq!((hands.len(), hands[0].claimed, hands[0].on_the_wire), (1, 1, 0));
    assert_eq!(store.deferred_lately(&shops, 10).await.unwrap(), []);
    let later = Attempt::Deferred { retry_at: now.plus(DAY) };
    for (letter, reply) in letters.iter().zip(["451 one", "451 two"]) {
        store.settle(&letter.claim, later, reply, policies(), now).await.unwrap();
    }
    let mut said =
        store.deferred_lately(&shops, 10).await.unwrap().into_iter().map(|one| one.reply).collect::<Vec<_>>();
    said.sort();
    assert_eq!(said, ["451 one", "451 two"]);
    assert_eq!(store.deferred_lately(&shops, 1).await.unwrap().len(), 1);
}

on_each_engine!(
    counts_that_are_kept_are_what_a_recount_finds,
    an_account_of_all_invitations_adds_up_to_the_whole_whatever_happens,
    what_is_due_next_and_what_is_in_hand_is_seen_along_indexes,
);
