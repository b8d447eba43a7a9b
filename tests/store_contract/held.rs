//! Held copies: looked for, completed, read again, and discarded.

use std::sync::Arc;

use invited::domain::{
    CopyId, EmailAddress, EventKind, InvitationId, OrderReference, Outcome, Reading, Rule, State, Timestamp,
};
use invited::store::{CopyState, DeskAct, DeskFiling, Discarded, FiledReading, HeldCount, HeldFilter, Store, Subject};

use super::{Place, T0, after, filing, mail, order, person, policies, shop, tell};

/// What the reader made of one copy.
struct Told<'a> {
    shop: &'a str,
    template: &'a str,
    reason: &'a str,
    reference: &'a str,
    email: &'a str,
    day: u32,
}

const TOLD: [Told<'_>; 6] = [
    Told {
        shop: "nord",
        template: "own",
        reason: "two customers: a@x.se, b@x.se",
        reference: "A-1",
        email: "anna@example.com",
        day: 0,
    },
    Told {
        shop: "doubles",
        template: "own",
        reason: "it does not say what happened",
        reference: "A-1",
        email: "bo@example.com",
        day: 1,
    },
    Told {
        shop: "nord",
        template: "magento2",
        reason: "two customers: c@x.se, d@x.se",
        reference: "A-2",
        email: "anna@example.com",
        day: 2,
    },
    Told {
        shop: "nord",
        template: "own",
        reason: "it does not say what happened",
        reference: "A-3",
        email: "bo@example.com",
        day: 3,
    },
    Told {
        shop: "doubles",
        template: "magento2",
        reason: "two customers: a@x.se, b@x.se",
        reference: "A-4",
        email: "bo@example.com",
        day: 4,
    },
    Told {
        shop: "nord",
        template: "own",
        reason: "it says \"50%\" of nothing",
        reference: "A-5",
        email: "cy@example.com",
        day: 5,
    },
];

fn held(told: &Told<'_>) -> Reading {
    Reading {
        outcome: Outcome::Held,
        reason: Some(told.reason.to_owned()),
        template: Some(told.template.to_owned()),
        ..order(EventKind::Placed, told.reference, told.email)
    }
}

/// Copies 1 to 6 as above, an ignored one, one that told of an order, and one that nobody has read.
async fn filled(store: &dyn Store) {
    for told in &TOLD {
        let copy = store.spool(vec![mail(told.shop, "a mail", after(told.day))]).await.unwrap()[0];
        let readings = Arc::new([filing(copy, told.shop, held(told))]);
        store.file_readings(readings, policies(), after(told.day)).await.unwrap();
    }
    let ignored = store.spool(vec![mail("nord", "a newsletter", after(6))]).await.unwrap()[0];
    let reading =
        Reading { template: Some("own".to_owned()), ..Reading::without_findings(Outcome::Ignored, "a newsletter") };
    store.file_readings(Arc::new([filing(ignored, "nord", reading)]), policies(), after(6)).await.unwrap();
    tell(store, "nord", EventKind::Placed, "B-1", "anna@example.com", after(7)).await;
    store.spool(vec![mail("nord", "unread", after(8))]).await.unwrap();
}

async fn ids(store: &dyn Store, filter: &HeldFilter, before: Option<i64>, limit: usize) -> Vec<i64> {
    let page = store.held_copies(filter, before.map(CopyId), limit).await.unwrap();
    page.iter().map(|copy| copy.id.0).collect()
}

async fn held_copies_are_found_by_every_filter_and_in_pages(place: Place) {
    let store = place.daemon().await;
    filled(&*store).await;
    let all = HeldFilter::default();
    let reason = |text: &str| HeldFilter { reason: Some(text.to_owned()), ..all.clone() };
    let anna = EmailAddress::parse("ANNA@example.com").unwrap().key();
    let nord = HeldFilter { shop: Some(shop("nord")), ..all.clone() };
    for (filter, expected) in [
        (all.clone(), vec![6, 5, 4, 3, 2, 1]),
        (nord.clone(), vec![6, 4, 3, 1]),
        (HeldFilter { template: Some("own".to_owned()), ..all.clone() }, vec![6, 4, 2, 1]),
        (HeldFilter { template: Some("own".to_owned()), ..nord.clone() }, vec![6, 4, 1]),
        (HeldFilter { template: Some("ow".to_owned()), ..all.clone() }, vec![]),
        (HeldFilter { since: after(2), ..all.clone() }, vec![6, 5, 4, 3]),
        (HeldFilter { until: after(2), ..all.clone() }, vec![2, 1]),
        (HeldFilter { since: after(1), until: after(4), ..nord.clone() }, vec![4, 3]),
        (HeldFilter { since: after(4), until: after(1), ..all.clone() }, vec![]),
        (reason("TWO customers"), vec![5, 3, 1]),
        // Whatever the values were.
        (reason("two customers: z@y.example"), vec![5, 3, 1]),
        (HeldFilter { since: after(1), ..reason("two customers") }, vec![5, 3]),
        (HeldFilter { shop: Some(shop("nord")), ..reason("two customers") }, vec![3, 1]),
        (HeldFilter { template: Some("own".to_owned()), ..reason("t") }, vec![6, 4, 2, 1]),
        (reason("of nothing"), vec![6]),
        (reason("no such reason"), vec![]),
        (HeldFilter { reference: Some("a-1".to_owned()), ..all.clone() }, vec![2, 1]),
        (HeldFilter { reference: Some("a-1".to_owned()), ..nord.clone() }, vec![1]),
        (HeldFilter { reference: Some("b-1".to_owned()), ..all.clone() }, vec![]),
        (HeldFilter { email: Some(anna.clone()), ..all.clone() }, vec![3, 1]),
        (HeldFilter { email: Some(anna.clone()), reference: Some("a-2".to_owned()), ..all.clone() }, vec![3]),
        (HeldFilter { email: Some(anna), ..reason("what happened") }, vec![]),
    ] {
        assert_eq!(ids(&*store, &filter, None, 10).await, expected, "{filter:?}");
        assert_eq!(
            ids(&*store, &filter, None, 1).await,
            expected.iter().take(1).copied().collect::<Vec<_>>(),
            "{filter:?}"
        );
        if let Some(first) = expected.first() {
            assert_eq!(ids(&*store, &filter, Some(*first), 10).await, expected[1..], "{filter:?}");
        }
        let counted = store.count_held(&filter).await.unwrap();
        let total = counted.iter().map(|count| count.copies).sum::<u64>();
        assert_eq!(total, expected.len() as u64, "{filter:?}");
        assert_eq!(counted.iter().map(|count| count.newest.0).max(), expected.first().copied(), "{filter:?}");
    }
    let count = |shop_name: &str, reason: &str, copies, newest| HeldCount {
        shop: shop(shop_name),
        reason: Some(reason.to_owned()),
        copies,
        newest: CopyId(newest),
    };
    assert_eq!(
        store.count_held(&all).await.unwrap(),
        [
            count("doubles", "it does not say what happened", 1, 2),
            count("doubles", "two customers: \u{2026}", 1, 5),
            count("nord", "it does not say what happened", 1, 4),
            count("nord", "it says \u{2026} of nothing", 1, 6),
            count("nord", "two customers: \u{2026}", 2, 3),
        ]
    );
}

async fn ignored_copies_are_found_while_their_bytes_are_kept(place: Place) {
    let store = place.daemon().await;
    filled(&*store).await;
    let all = HeldFilter::default();
    let ids = async |filter: &HeldFilter, before: Option<i64>, limit| {
        let page = store.ignored_copies(filter, before.map(CopyId), limit).await.unwrap();
        page.iter().map(|copy| copy.id.0).collect::<Vec<_>>()
    };
    store.discard(vec![CopyId(1)], &person("rubbish"), after(9)).await.unwrap();
    assert_eq!(ids(&all, None, 10).await, [7], "what a person discarded is no business of the reader");
    assert_eq!(ids(&all, Some(7), 10).await, [0; 0]);
    assert_eq!(ids(&HeldFilter { shop: Some(shop("doubles")), ..all.clone() }, None, 10).await, [0; 0]);
    assert_eq!(ids(&HeldFilter { template: Some("own".to_owned()), ..all.clone() }, None, 10).await, [7]);
    assert_eq!(ids(&HeldFilter { since: after(7), ..all.clone() }, None, 10).await, [0; 0]);
    store.purge(after(20), 100).await.unwrap();
    assert_eq!(ids(&all, None, 10).await, [0; 0]);
}

fn by_desk(act: DeskAct) -> DeskFiling {
    DeskFiling { act, actor: person("a call"), also_ignored: false, is_dry: false }
}

fn completed(copy: i64, reference: &str) -> Arc<[FiledReading]> {
    Arc::new([filing(CopyId(copy), "nord", order(EventKind::Placed, reference, "anna@example.com"))])
}

async fn a_released_copy_tells_of_its_order_once_and_says_who_did_it(place: Place) {
    let store = place.desk().await;
    filled(&*store).await;
    let release = by_desk(DeskAct::Released);
    let dry = DeskFiling { is_dry: true, ..release.clone() };
    let before = store.story(&Subject::Reference(OrderReference::parse("A-1").unwrap())).await.unwrap();
    let would = store.file_for_desk(completed(1, "A-1"), &dry, policies(), after(9)).await.unwrap();
    assert!(would[0].is_done);
    assert_eq!(
        (would[0].moved[0].1.rule, would[0].moved[0].1.progress.due_at),
        (Rule::TriggerStartsDelay, Some(after(9)))
    );
    let unchanged = store.story(&Subject::Reference(OrderReference::parse("A-1").unwrap())).await.unwrap();
    assert_eq!(unchanged, before, "dry");

    let filed = store.file_for_desk(completed(1, "A-1"), &release, policies(), after(9)).await.unwrap();
    let (id, decision) = &filed[0].moved[0];
    assert_eq!((decision.rule, decision.progress.due_at), (Rule::TriggerStartsDelay, Some(after(9))));
    let (copy, _) = store.copy(CopyId(1)).await.unwrap().unwrap();
    assert_eq!((copy.state, copy.invitation), (CopyState::Event, Some(*id)));
    let mark = copy.desk.unwrap();
    assert_eq!((mark.act, mark.actor, mark.at), (DeskAct::Released, person("a call"), after(9)));
    let story = store.story(&Subject::Invitation(*id)).await.unwrap();
    let begun = &story.decisions[0];
    assert_eq!((begun.event.as_str(), begun.actor.as_str(), begun.copy), ("order placed", "support", Some(CopyId(1))));
    assert_eq!((begun.note.as_deref(), begun.from), (Some("a call"), None));

    let again = store.file_for_desk(completed(1, "A-1"), &release, policies(), after(10)).await.unwrap();
    assert!(!again[0].is_done && again[0].moved.is_empty());
    assert_eq!(store.story(&Subject::Invitation(*id)).await.unwrap(), story);
    assert_eq!(ids(&*store, &HeldFilter::default(), None, 9).await, [6, 5, 4, 3, 2]);
}

async fn only_copies_that_nobody_has_dealt_with_are_filed_for_a_person(place: Place) {
    let store = place.desk().await;
    filled(&*store).await;
    let (release, replay) = (by_desk(DeskAct::Released), by_desk(DeskAct::Replayed));
    let also_ignored = DeskFiling { also_ignored: true, ..replay.clone() };
    store.discard(vec![CopyId(1)], &person("rubbish"), after(9)).await.unwrap();
    // 1 is discarded, 7 was ignored, 8 told of its order, 9 is unread, 10 is nowhere.
    for (copy, filing, is_done) in [
        (1, &release, false),
        (1, &also_ignored, false),
        (7, &release, false),
        (7, &replay, false),
        (8, &also_ignored, false),
        (9, &also_ignored, false),
        (10, &also_ignored, false),
        (7, &also_ignored, true),
        (7, &also_ignored, false),
        (2, &replay, true),
        (2, &release, false),
    ] {
        let filed =
            store.file_for_desk(completed(copy, &format!("C-{copy}")), filing, policies(), after(9)).await.unwrap();
        assert_eq!(filed[0].is_done, is_done, "copy {copy} by {filing:?}");
    }
    // The order of copy 8 is told of once.
    let story = store.story(&Subject::Reference(OrderReference::parse("B-1").unwrap())).await.unwrap();
    assert_eq!((story.invitations.len(), story.decisions.len()), (1, 1));
}

async fn a_copy_that_is_held_again_stands_as_if_nobody_had_looked_but_with_its_new_reason(place: Place) {
    let store = place.desk().await;
    filled(&*store).await;
    let other = Reading { reason: Some("it names 3 totals".to_owned()), ..held(&TOLD[0]) };
    let readings = Arc::new([filing(CopyId(1), "nord", other)]);
    let filed = store.file_for_desk(readings, &by_desk(DeskAct::Replayed), policies(), after(9)).await.unwrap();
    assert!(filed[0].is_done && filed[0].moved.is_empty());
    let (copy, _) = store.copy(CopyId(1)).await.unwrap().unwrap();
    assert_eq!((copy.state, copy.desk), (CopyState::Held, None));
    let reason = HeldFilter { reason: Some("totals".to_owned()), ..HeldFilter::default() };
    assert_eq!(ids(&*store, &reason, None, 9).await, [1]);
}

async fn two_people_who_release_a_copy_at_once_make_one_invitation(place: Place) {
    let store = place.desk().await;
    filled(&*store).await;
    let other = place.desk().await;
    let release = by_desk(DeskAct::Released);
    for copy in [1, 3, 4, 6] {
        let reference = format!("R-{copy}");
        let (one, two) = tokio::join!(
            store.file_for_desk(completed(copy, &reference), &release, policies(), after(9)),
            other.file_for_desk(completed(copy, &reference), &release, policies(), after(9)),
        );
        assert!(one.unwrap()[0].is_done ^ two.unwrap()[0].is_done);
        let story = store.story(&Subject::Reference(OrderReference::parse(&reference).unwrap())).await.unwrap();
        assert_eq!((story.invitations.len(), story.decisions.len()), (1, 1), "{reference}");
    }
}

async fn discarding_is_final_and_told(place: Place) {
    let store = place.desk().await;
    filled(&*store).await;
    let discarded =
        store.discard([6, 7, 8, 9, 10, 2].map(CopyId).to_vec(), &person("rubbish"), after(9)).await.unwrap();
    assert_eq!(
        discarded,
        [
            Discarded::Done,
            Discarded::StandsAs(CopyState::Ignored),
            Discarded::StandsAs(CopyState::Event),
            Discarded::StandsAs(CopyState::Unread),
            Discarded::Missing,
            Discarded::Done,
        ]
    );
    let again = store.discard(vec![CopyId(6)], &person("twice"), after(10)).await.unwrap();
    assert_eq!(again, [Discarded::StandsAs(CopyState::Discarded)]);
    assert_eq!(store.discard(vec![], &person(""), after(10)).await.unwrap(), []);
    assert_eq!(ids(&*store, &HeldFilter::default(), None, 9).await, [5, 4, 3, 1]);
    let story = store.story(&Subject::Reference(OrderReference::parse("A-5").unwrap())).await.unwrap();
    let mark = story.copies[0].desk.as_ref().unwrap();
    assert_eq!((story.copies[0].state, mark.act), (CopyState::Discarded, DeskAct::Discarded));
    assert_eq!((&mark.actor, mark.at), (&person("rubbish"), after(9)));
    assert_eq!(story.copies[0].reading.as_ref().unwrap().outcome, Outcome::Held, "what was read stays");
    assert_eq!(store.counts().await.unwrap().held_copies, 4);
}

async fn an_order_that_was_cancelled_meanwhile_is_not_begun_by_a_release(place: Place) {
    let store = place.desk().await;
    filled(&*store).await;
    tell(&*store, "nord", EventKind::Cancelled, "A-1", "anna@example.com", after(8)).await;
    let filed =
        store.file_for_desk(completed(1, "A-1"), &by_desk(DeskAct::Released), policies(), after(9)).await.unwrap();
    let moved = filed[0].moved.iter().map(|(id, decision)| (*id, decision.rule, decision.progress.state));
    assert_eq!(moved.collect::<Vec<_>>(), [(InvitationId(2), Rule::FinalStaysFinal, State::Cancelled)]);
}

async fn a_mail_from_the_future_or_the_far_past_is_found_too(place: Place) {
    let store = place.desk().await;
    for at in [Timestamp(0), Timestamp(-1), Timestamp(i64::MAX / 2)] {
        let copy = store.spool(vec![mail("nord", "x", at)]).await.unwrap()[0];
        store.file_readings(Arc::new([filing(copy, "nord", held(&TOLD[0]))]), policies(), T0).await.unwrap();
    }
    assert_eq!(ids(&*store, &HeldFilter { until: Timestamp(1), ..HeldFilter::default() }, None, 9).await, [2, 1]);
    assert_eq!(ids(&*store, &HeldFilter { since: Timestamp(1), ..HeldFilter::default() }, None, 9).await, [3]);
}

on_each_engine!(
    held_copies_are_found_by_every_filter_and_in_pages,
    ignored_copies_are_found_while_their_bytes_are_kept,
    a_released_copy_tells_of_its_order_once_and_says_who_did_it,
    only_copies_that_nobody_has_dealt_with_are_filed_for_a_person,
    a_copy_that_is_held_again_stands_as_if_nobody_had_looked_but_with_its_new_reason,
    two_people_who_release_a_copy_at_once_make_one_invitation,
    discarding_is_final_and_told,
    an_order_that_was_cancelled_meanwhile_is_not_begun_by_a_release,
    a_mail_from_the_future_or_the_far_past_is_found_too,
);
