//! Counts that are kept while things happen are what a recount finds afterwards.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use invited::domain::{Attempt, DAY, DeskOrder, EventKind, State, Timestamp};
use invited::store::{DeskAct, DeskFiling, Figure, Filter, Store, Subject};

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
        count(invitation.created_at.0 / DAY_MS, "begun".to_owned());
        for decision in store.story(&Subject::Invitation(invitation.id)).await.unwrap().decisions {
            count(decision.at.0 / DAY_MS, decision.rule.as_str().to_owned());
        }
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

on_each_engine!(counts_that_are_kept_are_what_a_recount_finds);
