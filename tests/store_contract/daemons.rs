//! Several daemons: leases, what a dead one leaves behind, and claims that are over.

use std::sync::Arc;

use invited::domain::{Attempt, CopyId, DeskOrder, EventKind, Outcome, Reading, Rule, State};
use invited::store::{Claim, CopyState, LetterPhase, PROBE, Recovered, Report, Subject};

use super::{Place, T0, after, by_hand, claim, filing, mail, person, policies, state_of, tell};

async fn what_a_dead_daemon_left_is_cleared_up_when_its_lease_is_over(place: Place) {
    let store = place.desk().await;
    for n in 1..=3 {
        tell(&*store, "nord", EventKind::Placed, &format!("A-{n}"), "anna@example.com", T0).await;
    }
    store.beat("dead", after(8), after(7)).await.unwrap();
    let letters = claim(&*store, "dead", after(7)).await;
    assert!(store.mark_on_the_wire(&letters[1].claim, "<2@x>", after(7)).await.unwrap());
    let cancelled = letters[2].invitation.id;
    by_hand::order(&*store, cancelled, DeskOrder::Cancel, &person(""), &policies(), after(7)).await.unwrap();

    let recover = async |owner: &str, now| store.recover(owner, policies(), now).await.unwrap();
    assert_eq!(recover("new", after(7)).await, Recovered::default(), "the lease is not over");
    assert_eq!(recover("dead", after(8)).await, Recovered::default(), "its own claims are its own business");
    assert_eq!(recover("new", after(8)).await, Recovered { requeued: 1, in_doubt: 1 });
    assert_eq!(recover("new", after(8)).await, Recovered::default());

    assert_eq!(state_of(&*store, letters[0].invitation.id).await, State::Queued);
    assert_eq!(state_of(&*store, letters[1].invitation.id).await, State::InDoubt);
    assert_eq!(state_of(&*store, cancelled).await, State::Cancelled);
    assert!(!store.mark_on_the_wire(&letters[0].claim, "<1@x>", after(8)).await.unwrap());
    assert_eq!(claim(&*store, "new", after(8)).await.len(), 1);
}

#[tokio::test]
async fn the_holder_of_a_files_lock_need_not_wait_for_leases() {
    let place = Place::file();
    let store = place.daemon().await;
    tell(&*store, "nord", EventKind::Placed, "A-1", "anna@example.com", T0).await;
    claim(&*store, "dead", after(7)).await;
    assert_eq!(store.recover("new", policies(), after(7)).await.unwrap(), Recovered { requeued: 1, in_doubt: 0 });
}

async fn copies_of_a_dead_daemon_are_handed_to_another(place: Place) {
    let store = place.desk().await;
    store.spool((0..4).map(|n| mail("nord", &format!("mail {n}"), T0)).collect()).await.unwrap();
    let ids = async |owner: &str, limit, now| {
        let copies = store.claim_copies(limit, 9, owner, now).await.unwrap();
        copies.into_iter().map(|copy| (copy.id, copy.attempts)).collect::<Vec<_>>()
    };
    store.beat("dead", after(1), T0).await.unwrap();
    assert_eq!(ids("dead", 2, T0).await, [(CopyId(1), 1), (CopyId(2), 1)]);
    assert_eq!(ids("new", 1, T0).await, [(CopyId(3), 1)], "what another reads is passed over");
    store.recover("new", policies(), T0).await.unwrap();
    assert_eq!(ids("third", 9, T0).await, [(CopyId(4), 1)], "the lease is not over");
    assert_eq!(ids("third", 9, T0).await, [(CopyId(4), 2)], "a reader's own come back to it");

    store.beat("third", after(9), T0).await.unwrap();
    store.recover("new", policies(), after(1)).await.unwrap();
    assert_eq!(ids("third", 9, after(1)).await, [(CopyId(1), 2)], "one that was out before comes alone");
    assert_eq!(ids("new", 9, after(1)).await, [(CopyId(2), 2)]);
}

async fn a_daemon_that_comes_back_after_its_lease_has_no_claims_any_more(place: Place) {
    let store = place.desk().await;
    for n in 1..=4 {
        tell(&*store, "doubles", EventKind::Placed, &format!("A-{n}"), "anna@example.com", T0).await;
    }
    store.beat("slept", after(8), after(7)).await.unwrap();
    let letters = claim(&*store, "slept", after(7)).await;
    for letter in &letters[1..] {
        assert!(store.mark_on_the_wire(&letter.claim, "<1@x>", after(7)).await.unwrap());
    }
    assert_eq!(
        store.recover("new", policies(), after(8)).await.unwrap(),
        Recovered { requeued: 1, in_doubt: 3 },
        "this shop would rather write twice than not at all"
    );
    assert!(!store.mark_on_the_wire(&letters[0].claim, "<0@x>", after(8)).await.unwrap());
    let settle = async |claim: &Claim, attempt| {
        store.settle(claim, attempt, "late", policies(), after(8)).await.unwrap().unwrap()
    };
    for attempt in [Attempt::Refused, Attempt::Unsendable, Attempt::Interrupted] {
        let settled = settle(&letters[1].claim, attempt).await;
        assert_eq!(
            (settled.decision.rule, settled.decision.progress.state),
            (Rule::OutcomeWithoutSending, State::Queued)
        );
    }
    // That a letter went out is the truth, whoever says so.
    assert_eq!(settle(&letters[2].claim, Attempt::Accepted).await.decision.progress.state, State::Sent);
    let again = claim(&*store, "new", after(8).plus(invited::domain::DAY)).await;
    assert_eq!(again.len(), 3);
    let third = again.iter().find(|letter| letter.claim.letter == letters[3].claim.letter).unwrap();
    assert_eq!((third.claim.attempt, third.message_id.as_deref()), (2, Some("<1@x>")));
    assert_eq!(settle(&letters[3].claim, Attempt::Refused).await.decision.rule, Rule::OutcomeWithoutSending);
    assert_eq!(settle(&letters[3].claim, Attempt::Accepted).await.decision.rule, Rule::LetterAccepted);
    assert!(!store.mark_on_the_wire(&third.claim, "<2@x>", after(9)).await.unwrap());
}

async fn who_takes_leave_frees_its_letters_and_copies_at_once(place: Place) {
    let store = place.desk().await;
    tell(&*store, "nord", EventKind::Placed, "A-1", "anna@example.com", T0).await;
    store.spool(vec![mail("nord", "unread", T0)]).await.unwrap();
    store.beat("one", after(99), after(7)).await.unwrap();
    assert_eq!(claim(&*store, "one", after(7)).await.len(), 1);
    assert_eq!(store.claim_copies(9, 9, "one", after(7)).await.unwrap().len(), 1);
    assert_eq!(store.recover("two", policies(), after(7)).await.unwrap(), Recovered::default());
    store.leave("one").await.unwrap();
    assert_eq!(store.claim_copies(9, 9, "two", after(7)).await.unwrap(), []);
    assert_eq!(store.recover("two", policies(), after(7)).await.unwrap(), Recovered { requeued: 1, in_doubt: 0 });
    assert_eq!(store.claim_copies(9, 9, "two", after(7)).await.unwrap().len(), 1);
    assert_eq!(claim(&*store, "two", after(7)).await.len(), 1);
}

async fn only_claims_that_their_owner_does_not_know_of_are_given_back(place: Place) {
    let store = place.desk().await;
    for n in 1..=5 {
        tell(&*store, "nord", EventKind::Placed, &format!("A-{n}"), "anna@example.com", T0).await;
    }
    let mine = store.claim_due(super::ask("one", 3), policies(), after(7)).await.unwrap().letters;
    let others = claim(&*store, "two", after(7)).await;
    assert_eq!((mine.len(), others.len()), (3, 2));
    assert!(store.mark_on_the_wire(&mine[2].claim, "<3@x>", after(7)).await.unwrap());
    let release = async |known: &[usize]| {
        let known = known.iter().map(|n| mine[*n].claim.clone()).collect();
        store.release("one", known, policies(), after(7)).await.unwrap()
    };
    assert_eq!(release(&[0, 1, 2]).await, Recovered::default());
    assert_eq!(release(&[0]).await, Recovered { requeued: 1, in_doubt: 1 });
    assert_eq!(release(&[]).await, Recovered { requeued: 1, in_doubt: 0 });
    for letter in &others {
        assert!(store.mark_on_the_wire(&letter.claim, "<x@x>", after(7)).await.unwrap(), "another's claims stand");
    }
    for letter in &mine {
        assert!(!store.mark_on_the_wire(&letter.claim, "<x@x>", after(7)).await.unwrap());
    }
}

async fn an_owners_older_claim_cannot_speak_for_its_newer_one(place: Place) {
    let store = place.desk().await;
    tell(&*store, "nord", EventKind::Placed, "A-1", "anna@example.com", T0).await;
    let older = claim(&*store, "one", after(7)).await.remove(0).claim;
    store.release("one", vec![], policies(), after(7)).await.unwrap();
    let unknown = claim(&*store, "one", after(7)).await.remove(0).claim;
    let given_back = store.release("one", vec![older.clone()], policies(), after(7)).await.unwrap();
    assert_eq!(given_back.requeued, 1, "whoever knows of the older claim knows nothing of the newer one");
    assert_eq!((older.attempt, unknown.attempt), (1, 2));
    let newer = claim(&*store, "one", after(7)).await.remove(0).claim;
    assert_eq!((newer.letter, newer.owner.as_str()), (older.letter, older.owner.as_str()));
    assert_eq!(newer.attempt, 3);

    assert!(!store.mark_on_the_wire(&older, "<1@x>", after(7)).await.unwrap());
    let refused = store.settle(&older, Attempt::Refused, "", policies(), after(7)).await.unwrap().unwrap();
    assert_eq!(refused.decision.rule, Rule::OutcomeWithoutSending);
    // Also when both are written by one statement.
    let (by_older, by_newer) = tokio::join!(
        store.mark_on_the_wire(&older, "<1@x>", after(7)),
        store.mark_on_the_wire(&newer, "<2@x>", after(7)),
    );
    assert_eq!((by_older, by_newer), (Ok(false), Ok(true)));
    let (by_older, by_newer) = tokio::join!(
        store.settle(&older, Attempt::Refused, "late", policies(), after(7)),
        store.settle(&newer, Attempt::Deferred { retry_at: after(8) }, "now", policies(), after(7)),
    );
    assert_eq!(by_older.unwrap().unwrap().decision.rule, Rule::OutcomeWithoutSending);
    assert_eq!(by_newer.unwrap().unwrap().decision.progress.due_at, Some(after(8)));
    let story = store.story(&Subject::Reference(invited::domain::OrderReference::parse("A-1").unwrap())).await.unwrap();
    let letter = &story.letters[0];
    assert_eq!((letter.phase, letter.message_id.as_deref()), (LetterPhase::Deferred, Some("<2@x>")));
    assert_eq!(letter.reply.as_deref(), Some("now"));
}

async fn outcomes_that_are_told_together_count_one_after_the_other(place: Place) {
    let store = place.desk().await;
    tell(&*store, "nord", EventKind::Placed, "A-1", "anna@example.com", T0).await;
    let claimed = claim(&*store, "one", after(7)).await.remove(0).claim;
    assert!(store.mark_on_the_wire(&claimed, "<1@x>", after(7)).await.unwrap());
    let lost = Attempt::AnswerLost { retry_at: after(8) };
    let (lost, accepted) = tokio::join!(
        store.settle(&claimed, lost, "", policies(), after(7)),
        store.settle(&claimed, Attempt::Accepted, "250 ok", policies(), after(7)),
    );
    assert_eq!(lost.unwrap().unwrap().decision.progress.state, State::InDoubt);
    let accepted = accepted.unwrap().unwrap();
    assert_eq!(accepted.decision.progress.state, State::Sent);
    let story = store.story(&Subject::Invitation(accepted.invitation)).await.unwrap();
    assert_eq!(story.letters[0].phase, LetterPhase::Accepted);
    assert_eq!(story.letters[0].reply.as_deref(), Some("250 ok"));
}

async fn what_daemons_say_of_themselves_stands_until_they_leave_or_for_a_day(place: Place) {
    let store = place.desk().await;
    let say = async |owner: &str, body: &str, at| {
        store.report(&Report { owner: owner.to_owned(), at, body: body.to_owned() }).await.unwrap();
    };
    let said = async || {
        let reports = store.reports().await.unwrap();
        reports.into_iter().map(|report| (report.owner, report.at, report.body)).collect::<Vec<_>>()
    };
    let told = |owner: &str, at, body: &str| (owner.to_owned(), at, body.to_owned());
    say("one", "{}", T0).await;
    say("two", "first", after(1)).await;
    say("two", "second", after(1)).await;
    assert_eq!(said().await, [told("one", T0, "{}"), told("two", after(1), "second")]);
    say("two", "third", after(2)).await;
    assert_eq!(said().await, [told("two", after(2), "third")], "after a day it is forgotten");
    store.leave("two").await.unwrap();
    assert_eq!(said().await, []);
}

async fn the_oldest_unread_copy_is_known(place: Place) {
    let store = place.desk().await;
    assert_eq!(store.counts().await.unwrap().oldest_unread, None);
    for day in [1, 2] {
        store.spool(vec![mail("nord", "a mail", after(day))]).await.unwrap();
    }
    assert_eq!(store.counts().await.unwrap().oldest_unread, Some(after(1)));
    assert_eq!(store.counts().await.unwrap().last_backup, None);
}

async fn a_probe_is_filed_and_counts_as_no_copy_of_its_shop(place: Place) {
    let store = place.desk().await;
    let copies = store.spool(vec![mail("nord", "a probe", T0), mail("nord", "a mail", T0)]).await.unwrap();
    let readings = [(copies[0], PROBE), (copies[1], "no order")]
        .map(|(copy, reason)| filing(copy, "nord", Reading::without_findings(Outcome::Ignored, reason)));
    store.file_readings(Arc::new(readings), policies(), T0).await.unwrap();
    let sums = store.watch_figures().await.unwrap().sums;
    assert_eq!(sums.iter().map(|sum| sum.ignored).sum::<u64>(), 1);
    assert_eq!(store.copy(copies[0]).await.unwrap().unwrap().0.state, CopyState::Ignored);
}

on_each_engine!(
    what_daemons_say_of_themselves_stands_until_they_leave_or_for_a_day,
    the_oldest_unread_copy_is_known,
    a_probe_is_filed_and_counts_as_no_copy_of_its_shop,
    what_a_dead_daemon_left_is_cleared_up_when_its_lease_is_over,
    copies_of_a_dead_daemon_are_handed_to_another,
    a_daemon_that_comes_back_after_its_lease_has_no_claims_any_more,
    who_takes_leave_frees_its_letters_and_copies_at_once,
    only_claims_that_their_owner_does_not_know_of_are_given_back,
    an_owners_older_claim_cannot_speak_for_its_newer_one,
    outcomes_that_are_told_together_count_one_after_the_other,
);
