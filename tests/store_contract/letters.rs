//! One letter on its way: claimed, on the wire, settled.

use std::collections::HashSet;
use std::sync::Arc;

use invited::domain::{Attempt, DeskOrder, EventKind, InvitationId, Rule, State};
use invited::store::{Claim, LetterPhase, Subject};

use super::{Place, T0, after, ask, by_hand, claim, person, policies, state_of, tell};

async fn a_letter_is_claimed_by_one_owner_only(place: Place) {
    let store = place.daemon().await;
    for n in 0..40 {
        tell(&*store, "nord", EventKind::Placed, &format!("A-{n}"), "anna@example.com", T0).await;
    }
    let mut claims = tokio::task::JoinSet::new();
    for owner in ["one", "two", "three", "four", "five", "six"] {
        let store = Arc::clone(&store);
        claims.spawn(async move { claim(&*store, owner, after(7)).await });
    }
    let letters = claims.join_all().await.into_iter().flatten().map(|letter| letter.claim.letter).collect::<Vec<_>>();
    assert_eq!((letters.len(), letters.iter().collect::<HashSet<_>>().len()), (40, 40));
    // Which owner has which is not known here, but nobody else may send.
    assert!(
        !store
            .mark_on_the_wire(&Claim { letter: letters[0], owner: "seven".to_owned(), attempt: 1 }, "<1@x>", after(7))
            .await
            .unwrap()
    );
}

async fn an_invitation_that_is_stopped_after_its_claim_is_not_sent(place: Place) {
    let store = place.daemon().await;
    tell(&*store, "nord", EventKind::Placed, "A-1", "anna@example.com", T0).await;
    let letter = claim(&*store, "one", after(7)).await.remove(0);
    let stopped =
        by_hand::order(&*store, InvitationId(1), DeskOrder::Cancel, &person("asked for it"), &policies(), after(7))
            .await
            .unwrap();
    assert_eq!(stopped.rule, Rule::DeskCancels);
    assert!(!store.mark_on_the_wire(&letter.claim, "<1@x>", after(7)).await.unwrap());
    let story = store.story(&Subject::Invitation(InvitationId(1))).await.unwrap();
    assert_eq!(story.letters[0].phase, LetterPhase::Abandoned);
    assert_eq!(story.letters[0].message_id, None);
    let last = story.decisions.last().unwrap();
    assert_eq!((last.event.as_str(), last.actor.as_str()), ("desk cancel", "support"));
    assert_eq!(last.note.as_deref(), Some("asked for it"));
    // Nothing is left to settle, and whoever does so all the same changes nothing.
    store.settle(&letter.claim, Attempt::Interrupted, "", policies(), after(7)).await.unwrap();
    assert_eq!(store.story(&Subject::Invitation(InvitationId(1))).await.unwrap(), story);
}

async fn every_outcome_has_its_phase_and_a_second_telling_changes_nothing(place: Place) {
    let store = place.daemon().await;
    let retry_at = after(8);
    for (n, (shop, attempt, state, phase)) in (1..).zip([
        ("nord", Attempt::Accepted, State::Sent, LetterPhase::Accepted),
        ("nord", Attempt::Deferred { retry_at }, State::Queued, LetterPhase::Deferred),
        ("nord", Attempt::Deferred { retry_at: after(90) }, State::Failed, LetterPhase::Abandoned),
        ("nord", Attempt::RelayDown { retry_at }, State::Queued, LetterPhase::Deferred),
        ("nord", Attempt::Refused, State::Failed, LetterPhase::Refused),
        ("nord", Attempt::AnswerLost { retry_at }, State::InDoubt, LetterPhase::InDoubt),
        ("doubles", Attempt::AnswerLost { retry_at }, State::Queued, LetterPhase::Deferred),
        ("nord", Attempt::Unsendable, State::Held, LetterPhase::Abandoned),
        // The last, since it is due again at once.
        ("nord", Attempt::Interrupted, State::Queued, LetterPhase::Deferred),
    ]) {
        let id = tell(&*store, shop, EventKind::Placed, &format!("A-{n}"), "anna@example.com", T0).await[0].0;
        let letter = claim(&*store, "one", after(7)).await.remove(0);
        assert!(store.mark_on_the_wire(&letter.claim, "<1@x>", after(7)).await.unwrap());
        let words = format!("450 \u{1b}[31m{}", "x".repeat(600));
        let settled = store.settle(&letter.claim, attempt, &words, policies(), after(7)).await.unwrap().unwrap();
        assert_eq!(settled.decision.progress.state, state, "{attempt:?}");
        let story = store.story(&Subject::Invitation(id)).await.unwrap();
        assert_eq!(story.letters[0].phase, phase, "{attempt:?}");
        let reply = story.letters[0].reply.as_deref().unwrap();
        assert!(reply.starts_with("450 [31mx") && reply.chars().count() == 500, "{reply}");

        let again = store.settle(&letter.claim, attempt, "again", policies(), after(7)).await.unwrap().unwrap();
        assert_eq!(again.decision.rule, Rule::OutcomeWithoutSending, "{attempt:?}");
        assert_eq!(store.story(&Subject::Invitation(id)).await.unwrap(), story);
    }
}

async fn a_letter_that_was_on_the_wire_keeps_its_message_id(place: Place) {
    let store = place.daemon().await;
    tell(&*store, "doubles", EventKind::Placed, "A-1", "anna@example.com", T0).await;
    let letter = claim(&*store, "one", after(7)).await.remove(0);
    assert!(store.mark_on_the_wire(&letter.claim, "<1@x>", after(7)).await.unwrap());
    let lost = Attempt::AnswerLost { retry_at: after(8) };
    store.settle(&letter.claim, lost, "", policies(), after(7)).await.unwrap();
    let again = claim(&*store, "two", after(8)).await.remove(0);
    assert_eq!((again.claim.letter, again.message_id.as_deref()), (letter.claim.letter, Some("<1@x>")));
    // The first owner's answer comes after all: the letter is out, and the second owner must not send it.
    store.settle(&letter.claim, Attempt::Accepted, "250 ok", policies(), after(8)).await.unwrap();
    assert!(!store.mark_on_the_wire(&again.claim, "<1@x>", after(8)).await.unwrap());
    assert_eq!(state_of(&*store, InvitationId(1)).await, State::Sent);
}

async fn due_letters_come_oldest_first_and_no_more_than_asked_for(place: Place) {
    let store = place.daemon().await;
    for (n, day) in [(1, 3), (2, 1), (3, 2)] {
        tell(&*store, "nord", EventKind::Placed, &format!("A-{n}"), "anna@example.com", after(day)).await;
    }
    let first = store.claim_due(ask("one", 2), policies(), after(20)).await.unwrap().letters;
    assert_eq!(first.iter().map(|letter| letter.invitation.id.0).collect::<Vec<_>>(), [2, 3]);
}

on_each_engine!(
    a_letter_is_claimed_by_one_owner_only,
    an_invitation_that_is_stopped_after_its_claim_is_not_sent,
    every_outcome_has_its_phase_and_a_second_telling_changes_nothing,
    a_letter_that_was_on_the_wire_keeps_its_message_id,
    due_letters_come_oldest_first_and_no_more_than_asked_for,
);
