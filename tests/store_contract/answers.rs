//! What comes back to letters: kept beside them, and what follows for the customer, in one transaction.

use std::sync::Arc;

use invited::domain::{
    AnswerKind, Attempt, CopyId, EventKind, InvitationId, LetterId, ListReason, Outcome, Rule, State, Timestamp,
};
use invited::store::{
    AnswerFiled, DeskAct, DeskFiling, Erasure, FiledAnswer, HeldFilter, ListFilter, NewCopy, PersonTable, Role,
    SqlStore, Store, Subject,
};

use super::{Place, T0, after, claim, filing, mail, order, person, policies, shop, state_of, tell};

/// A letter to this address that the relay took.
async fn letter(store: &SqlStore, reference: &str, email: &str) -> LetterId {
    tell(store, "nord", EventKind::Placed, reference, email, T0).await;
    let letter = claim(store, "one", after(7)).await.remove(0);
    assert!(store.mark_on_the_wire(&letter.claim, &format!("{reference}@x"), after(7)).await.unwrap());
    store.settle(&letter.claim, Attempt::Accepted, "250 ok", policies(), after(7)).await.unwrap();
    letter.claim.letter
}

/// A mail to a letter's return address, taken in.
async fn mail_to(store: &SqlStore, letter: LetterId) -> CopyId {
    let copy = NewCopy { answers: Some(letter), ..mail("nord", "a notice", after(8)) };
    store.spool(vec![copy]).await.unwrap()[0]
}

async fn come_back(store: &SqlStore, letter: LetterId, kind: AnswerKind, now: Timestamp) -> AnswerFiled {
    let copy = mail_to(store, letter).await;
    let status = "5.1.1".parse().ok();
    let answer =
        FiledAnswer { copy, shop: shop("nord"), letter, kind, status, reason: Some("no_such_address".to_owned()) };
    store.file_answers(Arc::new([answer]), policies(), now).await.unwrap().remove(0)
}

async fn listed(store: &SqlStore) -> Vec<(Option<String>, ListReason)> {
    let entries = store.suppressions(&ListFilter::default(), None, 10).await.unwrap();
    entries.into_iter().map(|one| (one.entry.shop.map(|shop| shop.to_string()), one.entry.reason)).collect()
}

async fn a_letter_is_known_by_its_number(place: Place) {
    let store = place.open(Role::Daemon).await;
    let letter = letter(&store, "A-1", "Anna@example.com").await;
    let known = store.answered_letters(&[letter, LetterId(4711)]).await.unwrap();
    assert_eq!(known.len(), 1);
    assert_eq!((known[0].letter, known[0].customer.as_str()), (letter, "Anna@example.com"));
    assert_eq!(known[0].message_id.as_deref(), Some("A-1@x"));
}

async fn a_dead_address_gets_no_letter_of_any_shop(place: Place) {
    let store = place.open(Role::Daemon).await;
    let letter = letter(&store, "A-1", "anna@example.com").await;
    let other = tell(&store, "doubles", EventKind::Placed, "B-1", "anna@example.com", T0).await[0].0;
    let filed = come_back(&store, letter, AnswerKind::HardBounce, after(8)).await;
    let (id, decision) = filed.decided.clone().unwrap();
    assert_eq!((id, decision.rule, decision.progress.state), (InvitationId(1), Rule::Bounced, State::Failed));
    assert!(filed.is_done && filed.is_listed);
    assert_eq!(filed.stopped, [other]);
    assert_eq!(state_of(&store, other).await, State::Cancelled);
    assert_eq!(listed(&store).await, [(None, ListReason::Bounced)]);
    let story = store.story(&Subject::Invitation(InvitationId(1))).await.unwrap();
    let answer = &story.answers[0];
    assert_eq!((answer.letter, answer.kind, answer.status.as_deref()), (letter, AnswerKind::HardBounce, Some("5.1.1")));
    assert_eq!((answer.copy, answer.at), (Some(filed.copy), after(8)));
    assert_eq!(story.decisions.last().unwrap().copy, Some(filed.copy));
    assert!(claim(&store, "one", after(60)).await.is_empty());
    // A new order of the same person is not written to either.
    tell(&store, "nord", EventKind::Placed, "A-2", "anna@example.com", after(9)).await;
    assert!(claim(&store, "one", after(20)).await.is_empty());
    let figures = store.figures(1, Some(&shop("nord"))).await.unwrap();
    let of = |name: &str| figures.iter().filter(|figure| figure.name == name).map(|figure| figure.n).sum::<u64>();
    assert_eq!((of("answer hard_bounce"), of("bounced")), (1, 1));
}

async fn a_complaint_ends_it_for_all_shops(place: Place) {
    let store = place.open(Role::Daemon).await;
    let letter = letter(&store, "A-1", "anna@example.com").await;
    let filed = come_back(&store, letter, AnswerKind::Complaint, after(8)).await;
    assert_eq!(filed.decided.unwrap().1.rule, Rule::Complained);
    assert_eq!(listed(&store).await, [(None, ListReason::Complained)]);
    // The same once more, and a bounce on top of it: nothing is listed twice.
    assert!(!come_back(&store, letter, AnswerKind::Complaint, after(9)).await.is_listed);
    assert!(!come_back(&store, letter, AnswerKind::HardBounce, after(9)).await.is_listed);
    assert_eq!(listed(&store).await.len(), 1);
}

async fn who_unsubscribes_by_mail_gets_no_more_letters_of_that_shop(place: Place) {
    let store = place.open(Role::Daemon).await;
    let letter = letter(&store, "A-1", "anna@example.com").await;
    let next = tell(&store, "nord", EventKind::Placed, "A-2", "anna@example.com", after(7)).await[0].0;
    let other = tell(&store, "doubles", EventKind::Placed, "B-1", "anna@example.com", after(7)).await[0].0;
    let filed = come_back(&store, letter, AnswerKind::Unsubscribed, after(8)).await;
    let (id, decision) = filed.decided.clone().unwrap();
    assert_eq!((id, decision.rule, decision.progress.state), (InvitationId(1), Rule::Unsubscribed, State::Cancelled));
    assert!(filed.is_done && filed.is_listed);
    assert_eq!(filed.stopped, [next], "another shop was not meant");
    assert_ne!(state_of(&store, other).await, State::Cancelled);
    assert_eq!(listed(&store).await, [(Some("nord".to_owned()), ListReason::Unsubscribed)]);
    // Once more, as mail programs do: nothing is listed twice.
    assert!(!come_back(&store, letter, AnswerKind::Unsubscribed, after(9)).await.is_listed);
    assert_eq!(listed(&store).await.len(), 1);
}

async fn complaints_are_told_by_shop_with_the_letters_of_a_month(place: Place) {
    let store = place.open(Role::Daemon).await;
    let today = |at: Timestamp| at.0.div_euclid(86_400_000);
    for n in 1..=3 {
        letter(&store, &format!("A-{n}"), &format!("{n}@example.com")).await;
    }
    for (letter, days) in [(1, 8), (2, 12)] {
        come_back(&store, LetterId(letter), AnswerKind::Complaint, after(days)).await;
    }
    come_back(&store, LetterId(3), AnswerKind::HardBounce, after(12)).await;
    let told = async |day: u32| {
        let told = store.complaints(today(after(day))).await.unwrap();
        told.into_iter()
            .map(|one| (one.shop.to_string(), [one.seen.week, one.seen.month, one.seen.letters]))
            .collect::<Vec<_>>()
    };
    assert_eq!(told(6).await, [], "nothing has happened yet");
    for (day, counts) in
        [(7, [0, 0, 3]), (8, [1, 1, 3]), (14, [2, 2, 3]), (15, [1, 2, 3]), (19, [0, 2, 3]), (37, [0, 2, 0])]
    {
        assert_eq!(told(day).await, [("nord".to_owned(), counts)], "day {day}");
    }
    assert_eq!(told(42).await, []);
}

async fn the_third_letter_that_comes_back_ends_its_invitation_alone(place: Place) {
    let store = place.open(Role::Daemon).await;
    let mut letters = Vec::new();
    for n in 1..=4 {
        letters.push(letter(&store, &format!("A-{n}"), "anna@example.com").await);
    }
    assert!(come_back(&store, letters[0], AnswerKind::SoftBounce, after(8)).await.decided.is_none());
    // The same letter twice is one letter.
    assert!(come_back(&store, letters[0], AnswerKind::SoftBounce, after(8)).await.decided.is_none());
    assert!(come_back(&store, letters[1], AnswerKind::UnclearBounce, after(8)).await.decided.is_none());
    let third = come_back(&store, letters[2], AnswerKind::SoftBounce, after(9)).await;
    assert_eq!(third.decided.unwrap().1.rule, Rule::Bounced);
    assert!(!third.is_listed && third.stopped.is_empty());
    assert_eq!(state_of(&store, InvitationId(4)).await, State::Sent);
    assert!(listed(&store).await.is_empty());
    // What came back long ago does not count.
    assert!(come_back(&store, letters[3], AnswerKind::SoftBounce, after(60)).await.decided.is_none());
}

async fn what_says_nothing_about_the_customer_is_noted_only(place: Place) {
    let store = place.open(Role::Daemon).await;
    let letter = letter(&store, "A-1", "anna@example.com").await;
    let kinds = [
        AnswerKind::Delayed,
        AnswerKind::Delivered,
        AnswerKind::Report,
        AnswerKind::AutoReply,
        AnswerKind::Written,
        AnswerKind::Unmatched,
    ];
    for kind in kinds {
        let filed = come_back(&store, letter, kind, after(8)).await;
        assert!(filed.is_done && filed.decided.is_none(), "{kind}");
    }
    let story = store.story(&Subject::Invitation(InvitationId(1))).await.unwrap();
    assert_eq!(story.answers.iter().map(|answer| answer.kind).collect::<Vec<_>>(), kinds);
    assert_eq!(story.invitations[0].progress.state, State::Sent);
    assert!(listed(&store).await.is_empty());
}

async fn an_answer_is_filed_once_and_is_no_copy_of_the_shops(place: Place) {
    let store = place.open(Role::Daemon).await;
    let letter = letter(&store, "A-1", "anna@example.com").await;
    let before = store.watch_figures().await.unwrap().sums;
    let copy = mail_to(&store, letter).await;
    let answer =
        FiledAnswer { copy, shop: shop("nord"), letter, kind: AnswerKind::SoftBounce, status: None, reason: None };
    let answers: Arc<[FiledAnswer]> = Arc::new([answer]);
    assert!(store.file_answers(Arc::clone(&answers), policies(), after(8)).await.unwrap()[0].is_done);
    assert!(!store.file_answers(answers, policies(), after(8)).await.unwrap()[0].is_done);
    let story = store.story(&Subject::Invitation(InvitationId(1))).await.unwrap();
    assert_eq!(story.answers.len(), 1);
    assert_eq!(store.watch_figures().await.unwrap().sums, before, "whether a shop is silent is told by its own copies");
    // Nobody can read it as a shop's mail.
    let all = HeldFilter::default();
    assert!(store.ignored_copies(&all, None, 10).await.unwrap().is_empty());
    let desk = DeskFiling { actor: person("try"), act: DeskAct::Replayed, also_ignored: true, is_dry: false };
    let reading = filing(copy, "nord", order(EventKind::Placed, "X-1", "eve@example.com"));
    let filed = store.file_for_desk(Arc::new([reading]), &desk, policies(), after(9)).await.unwrap();
    assert!(!filed[0].is_done);
}

async fn an_answer_that_cannot_be_read_is_set_aside_without_a_person(place: Place) {
    let store = place.open(Role::Daemon).await;
    let letter = letter(&store, "A-1", "anna@example.com").await;
    mail_to(&store, letter).await;
    for _ in 0..2 {
        assert_eq!(store.claim_copies(10, 2, "one", after(8)).await.unwrap().len(), 1);
    }
    assert!(store.claim_copies(10, 2, "one", after(8)).await.unwrap().is_empty());
    assert!(store.held_copies(&HeldFilter::default(), None, 10).await.unwrap().is_empty());
}

async fn who_is_erased_takes_the_answers_along(place: Place) {
    let store = place.open(Role::Daemon).await;
    let letter = letter(&store, "A-1", "anna@example.com").await;
    let filed = come_back(&store, letter, AnswerKind::SoftBounce, after(8)).await;
    let late = mail_to(&store, letter).await;
    let key = invited::domain::EmailAddress::parse("anna@example.com").unwrap().key();
    let own = store.own_rows(&key).await.unwrap();
    assert_eq!(own.of(PersonTable::Answer), [1]);
    assert!(own.of(PersonTable::Copy).contains(&filed.copy.0));
    let rows = store.raw_rows(PersonTable::Answer, own.of(PersonTable::Answer)).await.unwrap();
    assert_eq!(rows[0]["kind"], "soft_bounce");
    store.erase(&key, Erasure::default(), None, "kim", policies(), after(9)).await.unwrap();
    assert!(store.copy(filed.copy).await.unwrap().is_none());
    assert!(store.raw_rows(PersonTable::Answer, &[1]).await.unwrap().is_empty());
    // One that comes after them is kept as nobody's.
    let answer = FiledAnswer {
        copy: late,
        shop: shop("nord"),
        letter,
        kind: AnswerKind::HardBounce,
        status: None,
        reason: None,
    };
    let filed = store.file_answers(Arc::new([answer]), policies(), after(9)).await.unwrap().remove(0);
    assert!(filed.is_done && filed.decided.is_none());
    let (copy, _) = store.copy(late).await.unwrap().unwrap();
    assert_eq!(copy.reading.unwrap().outcome, Outcome::Ignored);
    assert!(listed(&store).await.is_empty());
}

on_each_engine!(
    a_letter_is_known_by_its_number,
    a_dead_address_gets_no_letter_of_any_shop,
    a_complaint_ends_it_for_all_shops,
    who_unsubscribes_by_mail_gets_no_more_letters_of_that_shop,
    complaints_are_told_by_shop_with_the_letters_of_a_month,
    the_third_letter_that_comes_back_ends_its_invitation_alone,
    what_says_nothing_about_the_customer_is_noted_only,
    an_answer_is_filed_once_and_is_no_copy_of_the_shops,
    an_answer_that_cannot_be_read_is_set_aside_without_a_person,
    who_is_erased_takes_the_answers_along,
);
