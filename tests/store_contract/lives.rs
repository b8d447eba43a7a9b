//! Random lives: whatever is done in whatever order, the records agree with each other.

use std::collections::HashSet;

use invited::domain::{Attempt, DAY, DeskOrder, EventKind, InvitationId, State, Timestamp};
use invited::store::{Filter, LetterPhase, Store, Subject};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestRunner};

use super::{Place, after, by_hand, claim, person, policies, tell};

/// One step of a random life.
#[derive(Debug, Clone)]
enum Step {
    Tell(EventKind, u8, u8),
    Send(u8),
    Desk(u8, u8),
    Recover,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (proptest::sample::select(&EventKind::ALL[..]), 0..2u8, 0..2u8).prop_map(|(k, r, e)| Step::Tell(k, r, e)),
        3 => (0..7u8).prop_map(Step::Send),
        2 => (1..4u8, 0..3u8).prop_map(|(i, o)| Step::Desk(i, o)),
        1 => Just(Step::Recover),
    ]
}

async fn take(store: &dyn Store, step: Step, now: Timestamp) {
    match step {
        Step::Tell(kind, reference, email) => {
            tell(store, "nord", kind, &format!("A-{reference}"), &format!("c{email}@example.com"), now).await;
        }
        Step::Send(outcome) => {
            let retry_at = now.plus(DAY);
            for letter in claim(store, "one", now).await {
                if outcome == 6 {
                    continue;
                }
                store.mark_on_the_wire(&letter.claim, "<1@x>", now).await.unwrap();
                let attempts = [
                    Attempt::Accepted,
                    Attempt::Deferred { retry_at },
                    Attempt::RelayDown { retry_at },
                    Attempt::Refused,
                    Attempt::AnswerLost { retry_at },
                    Attempt::Unsendable,
                ];
                store.settle(&letter.claim, attempts[usize::from(outcome)], "", policies(), now).await.unwrap();
            }
        }
        Step::Desk(id, order) => {
            let order =
                [DeskOrder::Cancel, DeskOrder::SendNow, DeskOrder::Reschedule(now.plus(DAY))][usize::from(order)];
            by_hand::order(store, InvitationId(id.into()), order, &person(""), &policies(), now).await;
        }
        Step::Recover => {
            store.recover("two", policies(), now).await.unwrap();
        }
    }
}

async fn live(place: &Place, steps: Vec<Step>) {
    let store = place.daemon().await;
    for (n, step) in (0..).zip(steps) {
        take(&*store, step, after(n * 3)).await;
    }
    let mut orders = HashSet::new();
    for invitation in store.list(&Filter::default(), None, 100).await.unwrap().invitations {
        let key = (invitation.reference.key(), invitation.customer.email.key());
        assert!(orders.insert(key), "two invitations to one order");
        let progress = &invitation.progress;
        let waits = matches!(progress.state, State::Waiting | State::Queued | State::Sent);
        assert_eq!(progress.due_at.is_some(), waits, "{progress:?}");
        let story = store.story(&Subject::Invitation(invitation.id)).await.unwrap();
        assert_eq!(story.decisions.last().unwrap().to, progress.state);
        assert!(story.decisions.windows(2).all(|two| two[1].from == Some(two[0].to)));
        let accepted = story.letters.iter().filter(|letter| letter.phase == LetterPhase::Accepted).count();
        assert_eq!(accepted, usize::try_from(progress.letters_sent).unwrap());
        let in_hand = story.letters.iter().any(|letter| letter.phase == LetterPhase::Claimed);
        assert!(progress.state != State::Sending || in_hand, "sending without a letter");
    }
    store.close().await;
}

fn lives(cases: u32, place: impl Fn() -> Option<Place>) {
    let mut runner = TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() });
    let lived = runner.run(&proptest::collection::vec(step(), 1..30), |steps| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let Some(place) = place() else {
            return Err(TestCaseError::reject("no server"));
        };
        runtime.block_on(live(&place, steps));
        Ok(())
    });
    lived.unwrap();
}

mod sqlite {
    #[test]
    fn each_customer_has_one_invitation_to_an_order_and_its_records_agree() {
        super::lives(24, || Some(super::Place::file()));
    }
}

mod postgres {
    #[test]
    fn each_customer_has_one_invitation_to_an_order_and_its_records_agree() {
        if crate::postgres::server().is_some() {
            super::lives(6, super::Place::server);
        }
    }
}
