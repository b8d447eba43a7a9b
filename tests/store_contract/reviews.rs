//! What customers write, change, delete and ask for, and what that does to their letters.

use std::sync::Arc;

use invited::domain::{
    Collected, CustomerNews, Draft, EmailAddress, EventKind, InvitationId, ListReason, OrderReference, Planned, Review,
    ReviewId, ReviewKind, Rule, Stars, State, SuppressionEntry, Timestamp,
};
use invited::store::{
    Erasure, NewEntry, NewReviews, PersonTable, ReviewFilter, ReviewsOf, ReviewsWritten, Role, Store, StoreError,
    Subject,
};

use super::flaky::FlakyStore;
use super::{Place, T0, after, person, policies, shop, state_of, tell};

const ANNA: &str = "anna@customer.example";

fn draft(stars: &str, text: &str) -> Draft {
    Draft::parse(stars, "A title", text, "Anna").unwrap()
}

fn key(address: &str) -> invited::domain::AddressKey {
    EmailAddress::parse(address).unwrap().key()
}

fn reference(text: &str) -> OrderReference {
    OrderReference::parse(text).unwrap()
}

fn theirs(order: &str) -> ReviewsOf {
    ReviewsOf::Order { shop: shop("nord"), reference: reference(order), author: key(ANNA) }
}

fn new(order: &str, invitation: Option<InvitationId>, drafts: &[Draft]) -> NewReviews {
    let kinds = [(ReviewKind::Service, None), (ReviewKind::Product, Some("Lamp".to_owned()))];
    NewReviews {
        shop: shop("nord"),
        order: Some((reference(order), key(ANNA))),
        claimed: None,
        invitation,
        changes: None,
        collected: if invitation.is_some() { Collected::Automatic } else { Collected::Link },
        drafts: kinds.into_iter().zip(drafts).map(|((kind, product), draft)| (kind, product, draft.clone())).collect(),
        language: "de".to_owned(),
    }
}

fn anybodys(text: &str) -> NewReviews {
    NewReviews {
        order: None,
        claimed: Some(reference("A-9")),
        collected: Collected::Basic,
        ..new("A-9", None, &[draft("2", text)])
    }
}

async fn write(store: &dyn Store, new: NewReviews, now: Timestamp) -> ReviewsWritten {
    store.write_reviews(new, policies(), now).await.unwrap()
}

fn entry(shop_name: Option<&str>, at: Timestamp) -> NewEntry {
    let entry = SuppressionEntry {
        key: invited::domain::ListKey::of(&key(ANNA)),
        shop: shop_name.map(shop),
        reason: ListReason::Unsubscribed,
        note: None,
        actor: "customer".to_owned(),
        at,
    };
    NewEntry::new(entry, policies().list_key(), false)
}

/// An invitation whose first letter is out and whose reminder is due.
async fn invited(store: &dyn Store, order: &str) -> InvitationId {
    let id = tell(store, "nord", EventKind::Placed, order, ANNA, T0).await[0].0;
    let claimed = store.claim_due(super::ask("one", 10), policies(), after(7)).await.unwrap().letters;
    let claim = &claimed.iter().find(|letter| letter.invitation.id == id).unwrap().claim;
    assert!(store.mark_on_the_wire(claim, "<1@afs.example>", after(7)).await.unwrap());
    let accepted = invited::domain::Attempt::Accepted;
    store.settle(claim, accepted, "250 ok", policies(), after(7)).await.unwrap().unwrap();
    id
}

async fn a_review_ends_the_reminder_and_the_same_form_again_changes_nothing(place: Place) {
    let store = place.open(Role::Desk).await;
    let id = invited(&store, "A-1").await;
    assert_eq!(state_of(&store, id).await, State::Sent);
    let form = new("a-1", Some(id), &[draft("5", "Good\nand fast"), draft("3", "Dim")]);
    let ids = vec![ReviewId(1), ReviewId(2)];
    assert_eq!(write(&store, form.clone(), after(8)).await, ReviewsWritten::Stored(ids.clone()));
    assert_eq!(write(&store, form, after(9)).await, ReviewsWritten::Unchanged(ids));
    let story = store.story(&Subject::Invitation(id)).await.unwrap();
    let told = story.decisions.iter().filter(|one| one.rule == Rule::Reviewed).collect::<Vec<_>>();
    assert_eq!(told.len(), 1, "told once");
    assert_eq!((told[0].actor.as_str(), told[0].note.as_deref()), ("customer", Some("review 1")));
    assert_eq!((state_of(&store, id).await, story.invitations[0].progress.planned), (State::Done, Planned::Declined));
    let there = store.reviews_of(&theirs("A-1")).await.unwrap();
    let service = &there[0];
    assert_eq!((service.kind, service.product.as_deref(), service.stars.get()), (ReviewKind::Service, None, 5));
    assert_eq!((service.words.title(), service.words.text()), ("A title", "Good\nand fast"));
    assert_eq!((service.collected, service.verified, service.invitation), (Collected::Automatic, true, Some(id)));
    assert_eq!((service.written_at, service.edited_at, service.language.as_str()), (after(8), None, "de"));
    assert_eq!(there[1].product.as_deref(), Some("Lamp"));
    assert_eq!(store.review_history(ReviewId(1)).await.unwrap(), []);
    store.close().await;
}

async fn a_review_is_written_changed_deleted_and_written_again(place: Place) {
    let store = place.open(Role::Desk).await;
    let id = invited(&store, "A-1").await;
    let form = |stars: &str, text: &str| new("A-1", Some(id), &[draft(stars, text)]);
    write(&store, form("1", "Where is it?"), after(8)).await;
    assert_eq!(write(&store, form("4", "It came"), after(9)).await, ReviewsWritten::Stored(vec![ReviewId(1)]));
    let history = store.review_history(ReviewId(1)).await.unwrap();
    assert_eq!((history.len(), history[0].stars.get(), history[0].words.text()), (1, 1, "Where is it?"));
    assert_eq!(history[0].at, after(9));

    assert_eq!(store.delete_reviews(&theirs("A-1"), None, after(10)).await.unwrap(), [ReviewId(1)]);
    assert_eq!(store.delete_reviews(&theirs("A-1"), None, after(11)).await.unwrap(), [], "once");
    let gone = &store.reviews_of(&theirs("A-1")).await.unwrap()[0];
    assert_eq!((gone.words.title(), gone.words.text(), gone.words.name()), ("", "", ""));
    assert_eq!((gone.stars.get(), gone.deleted_at, gone.deleted_by.as_deref()), (4, Some(after(10)), None));
    assert_eq!(store.review_history(ReviewId(1)).await.unwrap(), [], "its history has words, too");
    assert_eq!(state_of(&store, id).await, State::Done, "no reminder begins again");

    assert_eq!(write(&store, form("5", "All well"), after(12)).await, ReviewsWritten::Stored(vec![ReviewId(1)]));
    let again = &store.reviews_of(&theirs("A-1")).await.unwrap()[0];
    assert_eq!((again.deleted_at, again.words.text(), again.written_at), (None, "All well", after(8)));

    let staff = person("unlawful");
    store.delete_reviews(&ReviewsOf::One(ReviewId(1)), Some(&staff), after(13)).await.unwrap();
    let removed = &store.reviews_of(&ReviewsOf::One(ReviewId(1))).await.unwrap()[0];
    assert_eq!((removed.deleted_by.as_ref(), &removed.delete_reason), (Some(&staff.name), &staff.reason));
    let counts = store.review_counts(&shop("nord")).await.unwrap();
    assert_eq!((counts[0].standing, counts[0].withdrawn, counts[0].removed), (0, 0, 1));
    let figures = store.figures(1, Some(&shop("nord"))).await.unwrap();
    let figure = |name: &str| figures.iter().filter(|one| one.name == name).map(|one| one.n).sum::<u64>();
    assert_eq!(["review automatic", "review changed", "review deleted", "review removed"].map(figure), [1, 2, 1, 1]);
    store.close().await;
}

async fn a_shops_own_link_and_its_generic_one_need_no_invitation(place: Place) {
    let store = place.open(Role::Desk).await;
    let form = new("B-1", None, &[draft("4", "Fine")]);
    assert_eq!(write(&store, form.clone(), after(1)).await, ReviewsWritten::Stored(vec![ReviewId(1)]));
    assert_eq!(write(&store, form, after(2)).await, ReviewsWritten::Unchanged(vec![ReviewId(1)]));
    assert_eq!(write(&store, anybodys("Bad"), after(3)).await, ReviewsWritten::Stored(vec![ReviewId(2)]));
    assert_eq!(write(&store, anybodys("Bad"), after(3)).await, ReviewsWritten::Unchanged(vec![ReviewId(2)]));
    assert_eq!(write(&store, anybodys("Worse"), after(3)).await, ReviewsWritten::Stored(vec![ReviewId(3)]));
    let change = NewReviews { changes: Some(ReviewId(2)), ..anybodys("Not so bad") };
    assert_eq!(write(&store, change.clone(), after(4)).await, ReviewsWritten::Stored(vec![ReviewId(2)]));
    let elsewhere = NewReviews { shop: shop("doubles"), ..change.clone() };
    assert_eq!(write(&store, elsewhere, after(4)).await, ReviewsWritten::Gone, "another shop's");
    let nothing = NewReviews { changes: Some(ReviewId(99)), ..change };
    assert_eq!(write(&store, nothing, after(4)).await, ReviewsWritten::Gone);

    let all = ReviewFilter::default();
    let ids = |page: Vec<Review>| page.iter().map(|one| one.id.0).collect::<Vec<_>>();
    for (filter, expected) in [
        (all.clone(), vec![3, 2, 1]),
        (ReviewFilter { shop: Some(shop("doubles")), ..all.clone() }, vec![]),
        (ReviewFilter { shop: Some(shop("nord")), ..all.clone() }, vec![3, 2, 1]),
        (ReviewFilter { stars: Stars::new(4), ..all.clone() }, vec![1]),
        (ReviewFilter { collected: Some(Collected::Basic), ..all.clone() }, vec![3, 2]),
        (ReviewFilter { since: after(3), ..all.clone() }, vec![3, 2]),
    ] {
        assert_eq!(ids(store.list_reviews(&filter, None, 10).await.unwrap()), expected, "{filter:?}");
    }
    assert_eq!(ids(store.list_reviews(&all, Some(ReviewId(3)), 1).await.unwrap()), [2]);
    store.close().await;
}

async fn a_review_and_its_decision_are_kept_both_or_not_at_all(place: Place) {
    let store = Arc::new(place.open(Role::Desk).await);
    let id = invited(&*store, "A-1").await;
    let flaky = FlakyStore::new(Arc::clone(&store) as Arc<dyn Store>);
    flaky.fail("write_reviews", StoreError::Busy, 0..1);
    let form = new("A-1", Some(id), &[draft("5", "Good")]);
    assert_eq!(flaky.write_reviews(form.clone(), policies(), after(8)).await, Err(StoreError::Busy));
    assert_eq!(store.reviews_of(&theirs("A-1")).await.unwrap(), []);
    assert_eq!(state_of(&*store, id).await, State::Sent);
    // What fails within: two reviews of one product break the rule of the table after the first of them was written.
    let mut twice = new("A-1", Some(id), &[draft("5", "Good"), draft("5", "Good")]);
    twice.drafts.push(twice.drafts[1].clone());
    assert!(store.write_reviews(twice, policies(), after(8)).await.is_err());
    assert_eq!(store.reviews_of(&theirs("A-1")).await.unwrap(), []);
    assert_eq!(state_of(&*store, id).await, State::Sent);
    flaky.write_reviews(form, policies(), after(8)).await.unwrap();
    assert_eq!(state_of(&*store, id).await, State::Done);
    store.close().await;
}

async fn whoever_is_erased_leaves_no_review_and_cannot_write_one(place: Place) {
    let store = place.open(Role::Desk).await;
    let id = invited(&store, "A-1").await;
    let form = new("A-1", Some(id), &[draft("5", "Good")]);
    write(&store, form.clone(), after(8)).await;
    write(&store, new("A-1", Some(id), &[draft("4", "Well")]), after(9)).await;
    store
        .ask_erasure(
            &shop("nord"),
            &EmailAddress::parse(ANNA).unwrap(),
            entry(None, after(9)),
            Some(id),
            policies(),
            after(9),
        )
        .await
        .unwrap();
    let asked = store.erasure_requests().await.unwrap();
    assert_eq!((asked.len(), asked[0].email.as_str(), asked[0].at), (1, ANNA, after(9)));
    let own = store.own_rows(&key(ANNA)).await.unwrap();
    assert_eq!(own.of(PersonTable::Review), [1]);
    assert_eq!(own.of(PersonTable::ReviewEdit), [1]);
    assert_eq!(own.of(PersonTable::ErasureRequest), [1]);
    let mark = SuppressionEntry {
        key: invited::domain::ListKey::of(&key(ANNA)).hashed(policies().list_key()),
        shop: None,
        reason: ListReason::Erased,
        note: None,
        actor: "support".to_owned(),
        at: after(10),
    };
    let erased =
        store.erase(&key(ANNA), Erasure::default(), Some(mark), "support", policies(), after(10)).await.unwrap();
    assert_eq!((erased.reviews, erased.invitations), (1, 1));
    for table in [PersonTable::Review, PersonTable::ReviewEdit, PersonTable::ErasureRequest] {
        assert!(store.raw_rows(table, &[1]).await.unwrap().is_empty(), "{table:?}");
    }
    assert_eq!(store.erasure_requests().await.unwrap(), []);
    assert_eq!(write(&store, form, after(11)).await, ReviewsWritten::Gone);
    let by_the_shops_link = new("A-1", None, &[draft("5", "Good")]);
    assert_eq!(write(&store, by_the_shops_link, after(11)).await, ReviewsWritten::Gone);
    assert_eq!(store.reviews_of(&theirs("A-1")).await.unwrap(), []);
    assert_eq!(store.customer_news(id, CustomerNews::AskLater, policies(), after(11)).await.unwrap(), None);
    store.close().await;
}

async fn a_letter_is_put_off_once_for_each_reason_within_the_cap(place: Place) {
    let store = place.open(Role::Desk).await;
    let id = invited(&store, "A-1").await;
    let put_off = async |news, now| {
        let decision = store.customer_news(id, news, policies(), now).await.unwrap().unwrap();
        (decision.rule, decision.progress.due_at)
    };
    assert_eq!(put_off(CustomerNews::NotArrived, after(10)).await, (Rule::NotArrived, Some(after(17))));
    assert_eq!(put_off(CustomerNews::NotArrived, after(11)).await, (Rule::AskedBefore, Some(after(17))));
    assert_eq!(put_off(CustomerNews::AskLater, after(12)).await, (Rule::AskedLater, Some(after(19))));
    assert_eq!(put_off(CustomerNews::AskLater, after(13)).await, (Rule::AskedBefore, Some(after(19))));
    let stored = &store.story(&Subject::Invitation(id)).await.unwrap().invitations[0];
    assert_eq!(stored.progress.put_off.number(), 3);
    assert!(store.claim_due(super::ask("one", 10), policies(), after(18)).await.unwrap().letters.is_empty());
    assert_eq!(store.claim_due(super::ask("one", 10), policies(), after(19)).await.unwrap().letters.len(), 1);
    assert_eq!(put_off(CustomerNews::AskLater, after(19)).await.0, Rule::AskedBefore);
    store.close().await;
}

async fn unsubscribing_ends_what_is_open_and_can_be_taken_back(place: Place) {
    let store = place.open(Role::Desk).await;
    let id = invited(&store, "A-1").await;
    let other = tell(&store, "nord", EventKind::Placed, "A-2", ANNA, after(7)).await[0].0;
    let elsewhere = tell(&store, "doubles", EventKind::Placed, "A-3", ANNA, after(7)).await[0].0;
    let nord = entry(Some("nord"), after(8));
    let listed = store.unsubscribe(nord.clone(), Some(id), policies(), after(8)).await.unwrap();
    assert_eq!((listed.since, listed.stopped), (None, vec![id, other]));
    assert_eq!(state_of(&store, elsewhere).await, State::Queued, "another shop's");
    let again = store.unsubscribe(nord.clone(), Some(id), policies(), after(9)).await.unwrap();
    assert_eq!((again.since, again.stopped), (Some(after(8)), vec![]), "twice is once");
    let last = store.story(&Subject::Invitation(id)).await.unwrap().decisions.pop().unwrap();
    assert_eq!((last.rule, last.actor.as_str(), last.at), (Rule::Unsubscribed, "customer", after(8)));

    let keys = [&nord.entry.key].into_iter().chain(&nord.twin).cloned().collect::<Vec<_>>();
    assert_eq!(store.list_standing(&keys).await.unwrap().len(), 1);
    let all = store.unsubscribe(entry(None, after(9)), Some(id), policies(), after(9)).await.unwrap();
    assert_eq!(all.stopped, [elsewhere]);
    assert_eq!(store.resubscribe(keys.clone(), &shop("nord")).await.unwrap(), 2);
    assert_eq!(store.list_standing(&keys).await.unwrap(), []);
    assert_eq!(state_of(&store, id).await, State::Cancelled, "what has ended stays so");

    // What staff put there is theirs to take away.
    let by_hand = SuppressionEntry { reason: ListReason::ByHand, actor: "support".to_owned(), ..nord.entry.clone() };
    store.suppress([NewEntry { entry: by_hand, ..nord }].as_slice().into(), policies(), after(10)).await.unwrap();
    assert_eq!(store.resubscribe(keys.clone(), &shop("nord")).await.unwrap(), 0);
    assert_eq!(store.list_standing(&keys).await.unwrap().len(), 1);
    store.close().await;
}

async fn a_review_elsewhere_is_told_of_by_its_order(place: Place) {
    let store = place.open(Role::Desk).await;
    let id = invited(&store, "A-1").await;
    let other = tell(&store, "nord", EventKind::Placed, "A-1", "ben@customer.example", after(7)).await[0].0;
    let by = person("told by the shop");
    let told = |email: Option<&'static str>, now| {
        let (nord, one, by, store) = (shop("nord"), reference("a-1"), by.clone(), store.clone());
        async move { store.reviewed_by_reference(&nord, &one, email.map(key), &by, policies(), now).await.unwrap() }
    };
    let one = told(Some(ANNA), after(8)).await;
    assert_eq!(one.iter().map(|(id, decision)| (*id, decision.rule)).collect::<Vec<_>>(), [(id, Rule::Reviewed)]);
    assert_eq!(state_of(&store, other).await, State::Queued);
    let both = told(None, after(9)).await;
    let rules = both.iter().map(|(id, decision)| (*id, decision.rule)).collect::<Vec<_>>();
    assert_eq!(rules, [(id, Rule::FinalStaysFinal), (other, Rule::Reviewed)]);
    let nobody =
        store.reviewed_by_reference(&shop("doubles"), &reference("A-1"), None, &by, policies(), after(9)).await;
    assert_eq!(nobody.unwrap(), []);
    store.close().await;
}

async fn revoking_begins_another_series_of_links(place: Place) {
    let store = place.open(Role::Desk).await;
    let id = tell(&store, "nord", EventKind::Placed, "A-1", ANNA, T0).await[0].0;
    assert_eq!(store.story(&Subject::Invitation(id)).await.unwrap().invitations[0].link_series, 0);
    let by = person("went to her brother");
    for series in 1..3 {
        assert_eq!(store.revoke_links(id, &by, after(series.into())).await.unwrap(), Some(series));
    }
    let mut story = store.story(&Subject::Invitation(id)).await.unwrap();
    assert_eq!((story.invitations[0].link_series, story.invitations[0].progress.state), (2, State::Queued));
    let last = story.decisions.pop().unwrap();
    assert_eq!((last.rule, last.at, last.actor), (Rule::DeskRevokesLinks, after(2), by.name.clone()));
    assert_eq!(last.note, by.reason, "who did it and why is kept");
    assert_eq!(store.revoke_links(InvitationId(99), &by, after(3)).await.unwrap(), None);
    place.run("UPDATE invitation SET link_series = 255").await;
    assert_eq!(store.revoke_links(id, &by, after(3)).await.unwrap(), Some(255));
    let decisions = store.story(&Subject::Invitation(id)).await.unwrap().decisions;
    assert_eq!(decisions.last().unwrap().at, after(2), "what was not done is not recorded");
    store.close().await;
}

/// What customers did between a backup and its restoration is taken over from the queue that is replaced.
#[tokio::test]
async fn a_backup_that_is_put_back_keeps_what_customers_wrote_and_asked_for_since() {
    const BO: &str = "bo@customer.example";
    let place = Place::file();
    let store = place.open(Role::Desk).await;
    let id = invited(&store, "A-1").await;
    write(&store, new("A-1", Some(id), &[draft("1", "Where is it?")]), after(8)).await;
    let later = tell(&store, "nord", EventKind::Placed, "A-2", ANNA, after(7)).await[0].0;
    let revoked = tell(&store, "nord", EventKind::Placed, "A-3", ANNA, after(7)).await[0].0;
    let of_bo = tell(&store, "nord", EventKind::Placed, "B-1", BO, after(7)).await[0].0;
    let (database, _) = place.database();
    let invited::config::Database::Sqlite(file) = database else { panic!("a file") };
    let kept = file.with_file_name("backup.db");
    invited::store::backup(&file, &kept, after(8)).await.unwrap();

    write(&store, new("A-1", Some(id), &[draft("4", "It came")]), after(9)).await;
    write(&store, new("A-4", None, &[draft("5", "By the shop's own link")]), after(9)).await;
    store.customer_news(later, CustomerNews::AskLater, policies(), after(10)).await.unwrap().unwrap();
    store.revoke_links(revoked, &person("went to her brother"), after(9)).await.unwrap();
    let left = SuppressionEntry { key: invited::domain::ListKey::of(&key(BO)), ..entry(None, after(9)).entry };
    let keys = [left.key.clone()];
    let left = NewEntry::new(left, policies().list_key(), false);
    let bo = EmailAddress::parse(BO).unwrap();
    store.ask_erasure(&shop("nord"), &bo, left, Some(of_bo), policies(), after(9)).await.unwrap();
    store.close().await;

    let order = invited::store::Restoration {
        backup: &kept,
        to: &file,
        replace: true,
        since: None,
        on_time: false,
        policies: policies(),
        actor: person("restored"),
        now: after(11),
    };
    let restored = invited::store::restore(&order).await.unwrap();
    assert_eq!(restored.held, [], "the queue that was there knew everything");
    let store = place.open(Role::Desk).await;
    let review = &store.reviews_of(&theirs("A-1")).await.unwrap()[0];
    assert_eq!((review.stars.get(), review.words.text(), review.edited_at), (4, "It came", Some(after(9))));
    let history = store.review_history(review.id).await.unwrap();
    assert_eq!(history.iter().map(|edit| edit.words.text()).collect::<Vec<_>>(), ["Where is it?"]);
    assert_eq!(store.reviews_of(&theirs("A-4")).await.unwrap().len(), 1);
    let story = store.story(&Subject::Invitation(later)).await.unwrap();
    assert_eq!(
        (story.invitations[0].progress.put_off.number(), story.invitations[0].progress.due_at),
        (2, Some(after(17)))
    );
    let story = store.story(&Subject::Invitation(revoked)).await.unwrap();
    assert_eq!((story.invitations[0].link_series, story.invitations[0].progress.state), (1, State::Queued));
    assert_eq!(story.decisions.last().unwrap().rule, Rule::DeskRevokesLinks);
    assert_eq!(state_of(&store, of_bo).await, State::Cancelled);
    assert_eq!(store.list_standing(&keys).await.unwrap().len(), 1);
    let asked = store.erasure_requests().await.unwrap();
    assert_eq!((asked.len(), asked[0].email.as_str(), asked[0].at), (1, BO, after(9)));
    store.close().await;
}

on_each_engine!(
    a_review_ends_the_reminder_and_the_same_form_again_changes_nothing,
    a_review_is_written_changed_deleted_and_written_again,
    a_shops_own_link_and_its_generic_one_need_no_invitation,
    a_review_and_its_decision_are_kept_both_or_not_at_all,
    whoever_is_erased_leaves_no_review_and_cannot_write_one,
    a_letter_is_put_off_once_for_each_reason_within_the_cap,
    unsubscribing_ends_what_is_open_and_can_be_taken_back,
    a_review_elsewhere_is_told_of_by_its_order,
    revoking_begins_another_series_of_links,
);
