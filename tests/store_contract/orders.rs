//! What copies and persons do to an invitation, and what is written down of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use invited::domain::{
    Attempt, CopyId, DeskOrder, EmailAddress, EventKind, InvitationId, LetterKind, OrderReference, PersonName, Rule,
    State,
};
use invited::store::{CopyState, LetterPhase, Subject};

use super::{Place, T0, after, by_hand, claim, filing, mail, order, person, policies, shop, tell};

async fn an_order_goes_from_its_mail_to_both_letters(place: Place) {
    let store = place.daemon().await;
    assert_eq!(
        tell(&*store, "nord", EventKind::Placed, "#A-1", "Anna@example.com", T0).await,
        [(InvitationId(1), State::Queued, Rule::TriggerStartsDelay)]
    );
    assert_eq!(store.next_due().await.unwrap(), [(shop("nord"), after(7))]);
    assert_eq!(claim(&*store, "one", T0).await, []);

    let letters = claim(&*store, "one", after(7)).await;
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].kind, letters[0].message_id.as_deref()), (LetterKind::Invitation, None));
    assert_eq!(letters[0].invitation.progress.state, State::Sending);
    assert_eq!(letters[0].invitation.customer.email.as_str(), "Anna@example.com");
    assert_eq!(store.next_due().await.unwrap(), []);
    assert!(store.mark_on_the_wire(&letters[0].claim, "<1@x.example>", after(7)).await.unwrap());
    let settled =
        store.settle(&letters[0].claim, Attempt::Accepted, "250 2.0.0 queued\r\n", policies(), after(7)).await.unwrap();
    let settled = settled.unwrap();
    assert_eq!((settled.decision.rule, settled.decision.progress.state), (Rule::LetterAccepted, State::Sent));

    let reminders = claim(&*store, "one", after(14)).await;
    assert_eq!((reminders[0].kind, reminders[0].message_id.as_deref()), (LetterKind::Reminder, None));
    assert!(store.mark_on_the_wire(&reminders[0].claim, "<2@x.example>", after(14)).await.unwrap());
    store.settle(&reminders[0].claim, Attempt::Accepted, "250 ok", policies(), after(14)).await.unwrap();

    let story = store.story(&Subject::Email(EmailAddress::parse("anna@EXAMPLE.com").unwrap().key())).await.unwrap();
    assert_eq!(story.invitations[0].progress.state, State::Done);
    assert_eq!(story.copies[0].invitation, Some(InvitationId(1)));
    assert_eq!(story.copies[0].state, CopyState::Event);
    let decisions = story.decisions.iter().map(|d| (d.event.as_str(), d.from, d.to)).collect::<Vec<_>>();
    assert_eq!(
        decisions,
        [
            ("order placed", None, State::Queued),
            ("due", Some(State::Queued), State::Sending),
            ("attempt accepted", Some(State::Sending), State::Sent),
            ("due", Some(State::Sent), State::Sending),
            ("attempt accepted", Some(State::Sending), State::Done),
        ]
    );
    assert_eq!((story.decisions[0].copy, story.decisions[0].actor.as_str()), (Some(CopyId(1)), "daemon"));
    assert_eq!(story.decisions[0].due_at, Some(after(7)));
    assert_eq!(story.decisions[2].note.as_deref(), Some("250 2.0.0 queued"));
    let letters = story.letters.iter().map(|l| (l.kind, l.phase, l.attempts, l.message_id.as_deref().unwrap()));
    assert_eq!(
        letters.collect::<Vec<_>>(),
        [
            (LetterKind::Invitation, LetterPhase::Accepted, 1, "<1@x.example>"),
            (LetterKind::Reminder, LetterPhase::Accepted, 1, "<2@x.example>"),
        ]
    );
    assert_eq!(story.letters[0].on_the_wire_at, Some(after(7)));
    assert_eq!(store.counts().await.unwrap().invitations, BTreeMap::from([(State::Done, 1)]));
}

async fn filing_a_copy_again_changes_nothing(place: Place) {
    let store = place.daemon().await;
    let copy = store.spool(vec![mail("nord", "x", T0)]).await.unwrap()[0];
    let filing = filing(copy, "nord", order(EventKind::Placed, "A-1", "anna@example.com"));
    let first = store.file_readings(Arc::new([filing.clone(), filing.clone()]), policies(), T0).await.unwrap();
    assert_eq!(first.iter().map(|filed| filed.moved.len()).collect::<Vec<_>>(), [1, 0]);
    let story = store.story(&Subject::Invitation(InvitationId(1))).await.unwrap();
    let second = store.file_readings(Arc::new([filing]), policies(), after(3)).await.unwrap();
    assert_eq!((second[0].copy, second[0].moved.len()), (copy, 0));
    assert_eq!(store.story(&Subject::Invitation(InvitationId(1))).await.unwrap(), story);
}

async fn the_same_order_told_twice_is_one_invitation_and_learns(place: Place) {
    let store = place.daemon().await;
    tell(&*store, "nord", EventKind::Placed, "A-1", "anna@example.com", T0).await;
    let copy = store.spool(vec![mail("nord", "x", T0)]).await.unwrap()[0];
    let mut reading = order(EventKind::Placed, "a-1", "ANNA@example.com");
    reading.customer_name = PersonName::parse("Anna Ek");
    reading.locale = Some("sv".to_owned());
    let filed = store.file_readings(Arc::new([filing(copy, "nord", reading)]), policies(), after(1)).await.unwrap();
    assert_eq!(filed[0].moved[0].1.rule, Rule::RepeatChangesNothing);
    let story = store.story(&Subject::Reference(OrderReference::parse("A-1").unwrap())).await.unwrap();
    assert_eq!(story.invitations.len(), 1);
    let invitation = &story.invitations[0];
    assert_eq!(invitation.customer.name.as_ref().map(PersonName::as_str), Some("Anna Ek"));
    assert_eq!(invitation.order.locale.as_deref(), Some("sv"));
    assert_eq!((invitation.progress.due_at, invitation.created_at), (Some(after(7)), T0));
    assert_eq!((story.copies.len(), story.decisions.len()), (2, 2));
    // Another shop's order of the same number is another order.
    let other = tell(&*store, "doubles", EventKind::Placed, "A-1", "anna@example.com", T0).await;
    assert_eq!(other[0].0, InvitationId(2));
}

async fn a_cancellation_counts_for_all_addresses_and_before_the_order_too(place: Place) {
    let store = place.daemon().await;
    tell(&*store, "nord", EventKind::Placed, "A-1", "anna@example.com", T0).await;
    tell(&*store, "nord", EventKind::Placed, "A-1", "bo@example.com", T0).await;
    let moved = tell(&*store, "nord", EventKind::Refunded, "A-1", "cecilia@example.com", after(1)).await;
    assert_eq!(
        moved,
        [
            (InvitationId(1), State::Cancelled, Rule::OrderCancelled),
            (InvitationId(2), State::Cancelled, Rule::OrderCancelled),
        ]
    );
    let late = tell(&*store, "nord", EventKind::Shipped, "A-1", "dan@example.com", after(1)).await;
    assert_eq!(late, [(InvitationId(3), State::Cancelled, Rule::OrderWasCancelled)]);

    let early = tell(&*store, "nord", EventKind::Cancelled, "A-2", "anna@example.com", T0).await;
    assert_eq!(early, [(InvitationId(4), State::Cancelled, Rule::CancelledBeforeOrder)]);
    let order = tell(&*store, "nord", EventKind::Placed, "A-2", "anna@example.com", T0).await;
    assert_eq!(order, [(InvitationId(4), State::Cancelled, Rule::FinalStaysFinal)]);
    // Mails of one moment come in any order; one that was written a day later says that the order goes on.
    let after_all = tell(&*store, "nord", EventKind::Shipped, "A-2", "anna@example.com", after(1)).await;
    assert_eq!(after_all, [(InvitationId(4), State::Held, Rule::ReopenedAfterCancel)]);
    let story = store.story(&Subject::Invitation(InvitationId(4))).await.unwrap();
    assert_eq!(story.invitations[0].progress.cancelled_at, Some(T0));
    assert_eq!(story.decisions[2].inputs.instant("told_at"), Some(after(1)));
    assert_eq!(store.next_due().await.unwrap(), []);
    // The invitation's story has the copy that cancelled it, whatever address that one had.
    assert_eq!(store.story(&Subject::Invitation(InvitationId(1))).await.unwrap().copies.len(), 4);
}

async fn support_moves_and_stops_invitations_and_is_told_why_not(place: Place) {
    let store = place.daemon().await;
    tell(&*store, "nord", EventKind::Placed, "A-1", "anna@example.com", T0).await;
    let id = InvitationId(1);
    let desk =
        async |order| by_hand::order(&*store, id, order, &person("a call"), &policies(), after(1)).await.unwrap();
    assert_eq!(desk(DeskOrder::Reschedule(after(3))).await.progress.due_at, Some(after(3)));
    assert_eq!(desk(DeskOrder::SendNow).await.progress.due_at, Some(after(1)));
    assert_eq!(desk(DeskOrder::Cancel).await.rule, Rule::DeskCancels);
    assert_eq!(desk(DeskOrder::SendNow).await.rule, Rule::AlreadyEnded);
    let nobody = by_hand::order(&*store, InvitationId(99), DeskOrder::Cancel, &person(""), &policies(), T0).await;
    assert_eq!(nobody, None);
    let events = store.story(&Subject::Invitation(id)).await.unwrap().decisions;
    let events = events.iter().map(|decision| decision.event.as_str()).collect::<Vec<_>>();
    assert_eq!(events, ["order placed", "desk reschedule", "desk send now", "desk cancel", "desk send now"]);
}

async fn what_is_due_but_too_late_ends_without_a_letter(place: Place) {
    let store = place.daemon().await;
    tell(&*store, "nord", EventKind::Placed, "A-1", "anna@example.com", T0).await;
    assert_eq!(claim(&*store, "one", after(60)).await, []);
    let story = store.story(&Subject::Invitation(InvitationId(1))).await.unwrap();
    assert_eq!((story.invitations[0].progress.state, story.letters.len()), (State::Dropped, 0));
    assert_eq!(story.decisions[1].rule, Rule::EndOfLife);
    assert_eq!(story.decisions[1].inputs.instant("end_of_life"), Some(after(37)));
}

on_each_engine!(
    an_order_goes_from_its_mail_to_both_letters,
    filing_a_copy_again_changes_nothing,
    the_same_order_told_twice_is_one_invitation_and_learns,
    a_cancellation_counts_for_all_addresses_and_before_the_order_too,
    support_moves_and_stops_invitations_and_is_told_why_not,
    what_is_due_but_too_late_ends_without_a_letter,
);
