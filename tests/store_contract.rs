//! What every store must do, written against `dyn Store`: the SQLite store stands under it here, another engine can be put there
//! by one more `maker`.

#![cfg(feature = "daemon")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "kit/flaky.rs"]
mod flaky;

use std::collections::BTreeMap;
use std::sync::Arc;

use invited::config::Database;
use invited::domain::{
    Attempt, CopyId, DAY, DeskOrder, EmailAddress, EventKind, InDoubt, InvitationId, LetterId, LetterKind, OrderNews,
    OrderReference, Outcome, PersonName, Policies, Policy, Reading, Rule, ShopId, State, Timestamp,
};
use invited::store::{
    self, Actor, Claim, CopyState, FiledReading, Filter, LetterPhase, NewCopy, Recovered, RelayShare, Role, Round,
    Store, StoreError, Subject,
};
use proptest::prelude::*;

const T0: Timestamp = Timestamp(1_795_251_600_000);

/// A fresh store and what keeps its place alive.
async fn fresh() -> (Arc<dyn Store>, tempfile::TempDir) {
    fresh_as(Role::Daemon).await
}

/// A store without the daemon's lock: other owners are gone only when their lease says so.
async fn fresh_without_lock() -> (Arc<dyn Store>, tempfile::TempDir) {
    fresh_as(Role::Desk).await
}

async fn fresh_as(role: Role) -> (Arc<dyn Store>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::Sqlite(folder.path().join("invited.db"));
    store::create_if_missing(&database, None).await.unwrap();
    (Arc::new(store::open(&database, None, role).await.unwrap()), folder)
}

fn after(days: u32) -> Timestamp {
    T0.plus(DAY * days)
}

fn shop(name: &str) -> ShopId {
    ShopId::parse(name).unwrap()
}

fn policies() -> Arc<Policies> {
    let doubles = Policy { in_doubt: InDoubt::Resend, ..Policy::default() };
    Arc::new(Policies::from_iter([(shop("nord"), Policy::default()), (shop("doubles"), doubles)]))
}

fn mail(shop_name: &str, text: &str, received_at: Timestamp) -> NewCopy {
    NewCopy {
        shop: shop(shop_name),
        mail_from: "orders@shop.example".to_owned(),
        rcpt_to: format!("{shop_name}+secret@afs.example"),
        client: Some("192.0.2.7".parse().unwrap()),
        hello: "mx.shop.example".to_owned(),
        tls: true,
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
    let news = reading.event.map(|kind| OrderNews { kind, expected_by: None });
    FiledReading { copy, shop: shop(shop_name), reading, news }
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
    let reading = order(kind, reference, email);
    let filed = store.file_readings(vec![filing(copy, shop_name, reading)], policies(), now).await.unwrap();
    assert_eq!(filed.len(), 1);
    filed[0].moved.iter().map(|(id, decision)| (*id, decision.progress.state, decision.rule)).collect()
}

async fn state_of(store: &dyn Store, id: InvitationId) -> State {
    store.story(&Subject::Invitation(id)).await.unwrap().invitations[0].progress.state
}

async fn claim(store: &dyn Store, owner: &str, now: Timestamp) -> Vec<invited::store::ClaimedLetter> {
    store.claim_due(round(owner, 10), policies(), now).await.unwrap().letters
}

/// All shops' letters, to one relay.
fn round(owner: &str, limit: usize) -> Round {
    let relay = Some(RelayShare { name: "default".to_owned(), connections: 100 });
    Round { owner: owner.to_owned(), relay, shops: vec![shop("nord"), shop("doubles")], limit }
}

fn person(reason: &str) -> Actor {
    Actor { name: "support".to_owned(), reason: Some(reason.to_owned()) }
}

#[tokio::test]
async fn a_copy_comes_back_as_it_was_taken_in() {
    let (store, _folder) = fresh().await;
    let texts = ["", "Subject: one\r\n\r\n\u{e5}\r\n", &"x".repeat(300_000)];
    let ids = store.spool(texts.map(|text| mail("nord", text, T0)).to_vec()).await.unwrap();
    assert_eq!(ids, [CopyId(1), CopyId(2), CopyId(3)]);
    assert_eq!(store.spool(vec![]).await.unwrap(), []);
    for (id, text) in ids.iter().zip(texts) {
        let (copy, message) = store.copy(*id).await.unwrap().unwrap();
        assert_eq!(message.as_deref(), Some(text.as_bytes()));
        assert_eq!((copy.size, copy.state, copy.received_at), (text.len() as u64, CopyState::Unread, T0));
        assert_eq!((copy.shop, copy.mail_from.as_str()), (shop("nord"), "orders@shop.example"));
        assert_eq!(copy.client, Some("192.0.2.7".parse().unwrap()));
    }
    assert_eq!(store.copy(CopyId(4)).await.unwrap(), None);
    assert_eq!(store.counts().await.unwrap().unread, 3);
    store.ready().await.unwrap();
}

#[tokio::test]
async fn copies_are_handed_out_oldest_first_and_those_that_stop_the_reader_alone_then_held() {
    let (store, _folder) = fresh().await;
    store.spool((0..3).map(|n| mail("nord", &format!("mail {n}"), T0)).collect()).await.unwrap();
    let ids = |copies: Vec<invited::store::UnreadCopy>| {
        copies.iter().map(|copy| (copy.id.0, copy.attempts)).collect::<Vec<_>>()
    };
    let first = store.claim_copies(2, 3, "one", T0).await.unwrap();
    assert_eq!(first[1].message, b"mail 1");
    assert_eq!(ids(first), [(1, 1), (2, 1)]);
    // The reader died on one of them.
    assert_eq!(ids(store.claim_copies(10, 3, "one", T0).await.unwrap()), [(1, 2)]);
    assert_eq!(ids(store.claim_copies(10, 3, "one", T0).await.unwrap()), [(1, 3)]);
    assert_eq!(ids(store.claim_copies(10, 3, "one", T0).await.unwrap()), [(2, 2)], "the first is spent and set aside");
    let ignored = Reading::without_findings(Outcome::Ignored, "a newsletter");
    store.file_readings(vec![filing(CopyId(2), "nord", ignored)], policies(), T0).await.unwrap();
    assert_eq!(ids(store.claim_copies(10, 3, "one", T0).await.unwrap()), [(3, 1)]);
    assert_eq!(ids(store.claim_copies(1, 1, "one", T0).await.unwrap()), [], "all that are left are spent");

    let held = store.held_copies(None, 10).await.unwrap();
    assert_eq!(held.iter().map(|copy| copy.id.0).collect::<Vec<_>>(), [3, 1]);
    assert!(held[1].reading.as_ref().unwrap().reason.as_ref().unwrap().contains("3 times"));
    assert_eq!(store.held_copies(Some(CopyId(3)), 10).await.unwrap().len(), 1);
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.unread, counts.held_copies), (0, 2));
}

#[tokio::test]
async fn an_order_goes_from_its_mail_to_both_letters() {
    let (store, _folder) = fresh().await;
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

#[tokio::test]
async fn filing_a_copy_again_changes_nothing() {
    let (store, _folder) = fresh().await;
    let copy = store.spool(vec![mail("nord", "x", T0)]).await.unwrap()[0];
    let filing = filing(copy, "nord", order(EventKind::Placed, "A-1", "anna@example.com"));
    let first = store.file_readings(vec![filing.clone(), filing.clone()], policies(), T0).await.unwrap();
    assert_eq!(first.iter().map(|filed| filed.moved.len()).collect::<Vec<_>>(), [1, 0]);
    let story = store.story(&Subject::Invitation(InvitationId(1))).await.unwrap();
    let second = store.file_readings(vec![filing], policies(), after(3)).await.unwrap();
    assert_eq!((second[0].copy, second[0].moved.len()), (copy, 0));
    assert_eq!(store.story(&Subject::Invitation(InvitationId(1))).await.unwrap(), story);
}

#[tokio::test]
async fn the_same_order_told_twice_is_one_invitation_and_learns() {
    let (store, _folder) = fresh().await;
    tell(&*store, "nord", EventKind::Placed, "A-1", "anna@example.com", T0).await;
    let copy = store.spool(vec![mail("nord", "x", T0)]).await.unwrap()[0];
    let mut reading = order(EventKind::Placed, "a-1", "ANNA@example.com");
    reading.customer_name = PersonName::parse("Anna Ek");
    reading.locale = Some("sv".to_owned());
    let filed = store.file_readings(vec![filing(copy, "nord", reading)], policies(), after(1)).await.unwrap();
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

#[tokio::test]
async fn a_cancellation_counts_for_all_addresses_and_before_the_order_too() {
    let (store, _folder) = fresh().await;
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
    let late = tell(&*store, "nord", EventKind::Shipped, "A-1", "dan@example.com", after(2)).await;
    assert_eq!(late, [(InvitationId(3), State::Cancelled, Rule::OrderWasCancelled)]);

    let early = tell(&*store, "nord", EventKind::Cancelled, "A-2", "anna@example.com", T0).await;
    assert_eq!(early, [(InvitationId(4), State::Cancelled, Rule::CancelledBeforeOrder)]);
    let order = tell(&*store, "nord", EventKind::Placed, "A-2", "anna@example.com", after(1)).await;
    assert_eq!(order, [(InvitationId(4), State::Cancelled, Rule::FinalStaysFinal)]);
    assert_eq!(store.next_due().await.unwrap(), []);
    // The invitation's story has the copy that cancelled it, whatever address that one had.
    assert_eq!(store.story(&Subject::Invitation(InvitationId(1))).await.unwrap().copies.len(), 4);
}

#[tokio::test]
async fn a_letter_is_claimed_by_one_owner_only() {
    let (store, _folder) = fresh().await;
    for n in 0..40 {
        tell(&*store, "nord", EventKind::Placed, &format!("A-{n}"), "anna@example.com", T0).await;
    }
    let mut claims = tokio::task::JoinSet::new();
    for owner in ["one", "two", "three", "four", "five", "six"] {
        let store = Arc::clone(&store);
        claims.spawn(async move { claim(&*store, owner, after(7)).await });
    }
    let mut ids = claims.join_all().await.into_iter().flatten().map(|letter| letter.claim.letter.0).collect::<Vec<_>>();
    ids.sort_unstable();
    assert_eq!(ids, (1..=40).collect::<Vec<_>>());
    // Which owner has which is not known here, but nobody else may send.
    assert!(
        !store
            .mark_on_the_wire(&Claim { letter: LetterId(1), owner: "seven".to_owned(), attempt: 1 }, "<1@x>", after(7))
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn an_invitation_that_is_stopped_after_its_claim_is_not_sent() {
    let (store, _folder) = fresh().await;
    tell(&*store, "nord", EventKind::Placed, "A-1", "anna@example.com", T0).await;
    let letter = claim(&*store, "one", after(7)).await.remove(0);
    let stopped = store
        .desk(InvitationId(1), DeskOrder::Cancel, &person("asked for it"), policies(), after(7))
        .await
        .unwrap()
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

#[tokio::test]
async fn every_outcome_has_its_phase_and_a_second_telling_changes_nothing() {
    let retry_at = after(8);
    for (shop, attempt, state, phase) in [
        ("nord", Attempt::Accepted, State::Sent, LetterPhase::Accepted),
        ("nord", Attempt::Deferred { retry_at }, State::Queued, LetterPhase::Deferred),
        ("nord", Attempt::Deferred { retry_at: after(90) }, State::Failed, LetterPhase::Abandoned),
        ("nord", Attempt::RelayDown { retry_at }, State::Queued, LetterPhase::Deferred),
        ("nord", Attempt::Refused, State::Failed, LetterPhase::Refused),
        ("nord", Attempt::AnswerLost { retry_at }, State::InDoubt, LetterPhase::InDoubt),
        ("doubles", Attempt::AnswerLost { retry_at }, State::Queued, LetterPhase::Deferred),
        ("nord", Attempt::Interrupted, State::Queued, LetterPhase::Deferred),
        ("nord", Attempt::Unsendable, State::Held, LetterPhase::Abandoned),
    ] {
        let (store, _folder) = fresh().await;
        tell(&*store, shop, EventKind::Placed, "A-1", "anna@example.com", T0).await;
        let letter = claim(&*store, "one", after(7)).await.remove(0);
        assert!(store.mark_on_the_wire(&letter.claim, "<1@x>", after(7)).await.unwrap());
        let words = format!("450 \u{1b}[31m{}", "x".repeat(600));
        let settled = store.settle(&letter.claim, attempt, &words, policies(), after(7)).await.unwrap();
        assert_eq!(settled.decision.progress.state, state, "{attempt:?}");
        let story = store.story(&Subject::Invitation(InvitationId(1))).await.unwrap();
        assert_eq!(story.letters[0].phase, phase, "{attempt:?}");
        let reply = story.letters[0].reply.as_deref().unwrap();
        assert!(reply.starts_with("450 [31mx") && reply.chars().count() == 500, "{reply}");

        let again = store.settle(&letter.claim, attempt, "again", policies(), after(7)).await.unwrap();
        assert_eq!(again.decision.rule, Rule::OutcomeWithoutSending, "{attempt:?}");
        assert_eq!(store.story(&Subject::Invitation(InvitationId(1))).await.unwrap(), story);
    }
}

#[tokio::test]
async fn a_letter_that_was_on_the_wire_keeps_its_message_id() {
    let (store, _folder) = fresh().await;
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

#[tokio::test]
async fn what_a_dead_daemon_left_is_cleared_up_when_its_lease_is_over() {
    let (store, _folder) = fresh_without_lock().await;
    for n in 1..=3 {
        tell(&*store, "nord", EventKind::Placed, &format!("A-{n}"), "anna@example.com", T0).await;
    }
    store.beat("dead", after(8), after(7)).await.unwrap();
    let letters = claim(&*store, "dead", after(7)).await;
    assert!(store.mark_on_the_wire(&letters[1].claim, "<2@x>", after(7)).await.unwrap());
    let cancelled = letters[2].invitation.id;
    store.desk(cancelled, DeskOrder::Cancel, &person(""), policies(), after(7)).await.unwrap();

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
async fn the_holder_of_the_lock_need_not_wait_for_leases() {
    let (store, _folder) = fresh().await;
    tell(&*store, "nord", EventKind::Placed, "A-1", "anna@example.com", T0).await;
    claim(&*store, "dead", after(7)).await;
    assert_eq!(store.recover("new", policies(), after(7)).await.unwrap(), Recovered { requeued: 1, in_doubt: 0 });
}

#[tokio::test]
async fn support_moves_and_stops_invitations_and_is_told_why_not() {
    let (store, _folder) = fresh().await;
    tell(&*store, "nord", EventKind::Placed, "A-1", "anna@example.com", T0).await;
    let id = InvitationId(1);
    let desk = async |order| store.desk(id, order, &person("a call"), policies(), after(1)).await.unwrap().unwrap();
    assert_eq!(desk(DeskOrder::Reschedule(after(3))).await.progress.due_at, Some(after(3)));
    assert_eq!(desk(DeskOrder::SendNow).await.progress.due_at, Some(after(1)));
    assert_eq!(desk(DeskOrder::Cancel).await.rule, Rule::DeskCancels);
    assert_eq!(desk(DeskOrder::SendNow).await.rule, Rule::AlreadyEnded);
    let nobody = store.desk(InvitationId(99), DeskOrder::Cancel, &person(""), policies(), T0).await.unwrap();
    assert_eq!(nobody, None);
    let events = store.story(&Subject::Invitation(id)).await.unwrap().decisions;
    let events = events.iter().map(|decision| decision.event.as_str()).collect::<Vec<_>>();
    assert_eq!(events, ["order placed", "desk reschedule", "desk send now", "desk cancel", "desk send now"]);
}

#[tokio::test]
async fn what_is_due_but_too_late_ends_without_a_letter() {
    let (store, _folder) = fresh().await;
    tell(&*store, "nord", EventKind::Placed, "A-1", "anna@example.com", T0).await;
    assert_eq!(claim(&*store, "one", after(60)).await, []);
    let story = store.story(&Subject::Invitation(InvitationId(1))).await.unwrap();
    assert_eq!((story.invitations[0].progress.state, story.letters.len()), (State::Done, 0));
    assert_eq!(story.decisions[1].rule, Rule::EndOfLife);
}

#[tokio::test]
async fn due_letters_come_oldest_first_and_no_more_than_asked_for() {
    let (store, _folder) = fresh().await;
    for (n, day) in [(1, 3), (2, 1), (3, 2)] {
        tell(&*store, "nord", EventKind::Placed, &format!("A-{n}"), "anna@example.com", after(day)).await;
    }
    let first = store.claim_due(round("one", 2), policies(), after(20)).await.unwrap().letters;
    assert_eq!(first.iter().map(|letter| letter.invitation.id.0).collect::<Vec<_>>(), [2, 3]);
}

#[tokio::test]
async fn lists_hold_to_every_filter_and_are_read_in_pages() {
    let (store, _folder) = fresh().await;
    for (n, shop_name) in ["nord", "nord", "doubles", "nord", "doubles"].into_iter().enumerate() {
        let email = if n % 2 == 0 { "anna@example.com" } else { "bo@example.com" };
        tell(&*store, shop_name, EventKind::Placed, &format!("A-{}", n / 2), email, T0).await;
    }
    tell(&*store, "nord", EventKind::Cancelled, "A-0", "anna@example.com", T0).await;
    let anna = EmailAddress::parse("anna@example.com").unwrap().key();
    let all = Filter::default();
    for (filter, ids) in [
        (all.clone(), vec![5, 4, 3, 2, 1]),
        (Filter { shop: Some(shop("nord")), ..all.clone() }, vec![4, 2, 1]),
        (Filter { states: vec![State::Cancelled], ..all.clone() }, vec![2, 1]),
        (Filter { states: vec![State::Queued, State::Cancelled, State::Queued], ..all.clone() }, vec![5, 4, 3, 2, 1]),
        (Filter { shop: Some(shop("nord")), states: vec![State::Queued], ..all.clone() }, vec![4]),
        (Filter { email: Some(anna.clone()), ..all.clone() }, vec![5, 3, 1]),
        (Filter { email: Some(anna.clone()), shop: Some(shop("doubles")), ..all.clone() }, vec![5, 3]),
        (Filter { email: Some(anna.clone()), states: vec![State::Cancelled], ..all.clone() }, vec![1]),
        (Filter { email: Some(anna), reference: Some("a-1".to_owned()), ..all.clone() }, vec![3]),
        (Filter { reference: Some("a-1".to_owned()), ..all.clone() }, vec![4, 3]),
        (Filter { reference: Some("a-1".to_owned()), shop: Some(shop("nord")), ..all.clone() }, vec![4]),
        (Filter { reference: Some("a-1".to_owned()), states: vec![State::Sent], ..all.clone() }, vec![]),
    ] {
        let page = async |before, limit| {
            let page = store.list(&filter, before, limit).await.unwrap();
            page.into_iter().map(|invitation| invitation.id.0).collect::<Vec<_>>()
        };
        assert_eq!(page(None, 10).await, ids, "{filter:?}");
        assert_eq!(page(None, 1).await, ids.iter().take(1).copied().collect::<Vec<_>>(), "{filter:?}");
        if let Some(first) = ids.first() {
            assert_eq!(page(Some(InvitationId(*first)), 10).await, ids[1..], "{filter:?}");
        }
    }
}

#[tokio::test]
async fn a_story_names_held_copies_too_and_is_bounded() {
    let (store, _folder) = fresh().await;
    let copies = store.spool(vec![mail("nord", "x", T0); 210]).await.unwrap();
    let held = Reading { outcome: Outcome::Held, ..order(EventKind::Placed, "A-1", "anna@example.com") };
    let filings = copies.iter().map(|copy| filing(*copy, "nord", held.clone())).collect();
    store.file_readings(filings, policies(), T0).await.unwrap();
    let reference = Subject::Reference(OrderReference::parse("a-1").unwrap());
    for subject in [Subject::Email(EmailAddress::parse("anna@example.com").unwrap().key()), reference] {
        let story = store.story(&subject).await.unwrap();
        assert_eq!((story.copies.len(), story.copies[0].id, story.copies[199].id), (200, CopyId(11), CopyId(210)));
        assert_eq!(story.invitations, []);
    }
    assert_eq!(store.story(&Subject::Invitation(InvitationId(1))).await.unwrap(), invited::store::Story::default());
}

#[tokio::test]
async fn bytes_are_purged_by_age_but_never_before_they_are_read() {
    let (store, _folder) = fresh().await;
    let copies = store.spool((0..4).map(|day| mail("nord", "x", after(day))).collect()).await.unwrap();
    let ignored = Reading::without_findings(Outcome::Ignored, "a newsletter");
    let filings = copies[1..].iter().map(|copy| filing(*copy, "nord", ignored.clone())).collect();
    store.file_readings(filings, policies(), T0).await.unwrap();
    assert_eq!(store.purge(after(3), 1).await.unwrap(), 1);
    assert_eq!(store.purge(after(3), 10).await.unwrap(), 1);
    assert_eq!(store.purge(after(3), 10).await.unwrap(), 0);
    let mut kept = Vec::new();
    for copy in copies {
        kept.push(store.copy(copy).await.unwrap().unwrap().1.is_some());
    }
    assert_eq!(kept, [true, false, false, true]);
}

#[tokio::test]
async fn closing_waits_for_what_is_queued_and_ends_the_store() {
    let (store, folder) = fresh().await;
    let spooling = (0..50).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.spool(vec![mail("nord", "x", T0)]).await })
    });
    let spooling = spooling.collect::<Vec<_>>();
    tokio::task::yield_now().await;
    store.close().await;
    let mut kept = 0;
    for spooled in spooling {
        kept += u64::from(spooled.await.unwrap().is_ok());
    }
    assert!(matches!(store.spool(vec![mail("nord", "x", T0)]).await, Err(StoreError::Failed(_))));
    assert!(store.counts().await.is_err());
    assert!(store.ready().await.is_err());
    let database = Database::Sqlite(folder.path().join("invited.db"));
    let again = store::open(&database, None, Role::Daemon).await.unwrap();
    assert_eq!(again.counts().await.unwrap().unread, kept);
}

#[tokio::test]
async fn a_flaky_store_fails_as_told_and_then_works() {
    let (inner, _folder) = fresh().await;
    let store = flaky::FlakyStore::new(inner);
    store.fail("spool", StoreError::Full, 2);
    for expected in [Err(StoreError::Full), Err(StoreError::Full), Ok(vec![CopyId(1)])] {
        assert_eq!(store.spool(vec![mail("nord", "x", T0)]).await, expected);
    }
    assert_eq!(store.counts().await.unwrap().unread, 1);
}

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
            store.desk(InvitationId(id.into()), order, &person(""), policies(), now).await.unwrap();
        }
        Step::Recover => {
            store.recover("two", policies(), now).await.unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_each_customer_has_one_invitation_to_an_order_and_its_records_agree(
        steps in proptest::collection::vec(step(), 1..30)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (store, _folder) = fresh().await;
            for (n, step) in (0..).zip(steps) {
                take(&*store, step, after(n * 3)).await;
            }
            let invitations = store.list(&Filter::default(), None, 100).await.unwrap();
            let mut orders = std::collections::HashSet::new();
            for invitation in invitations {
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
        });
    }
}
