//! Lists and stories.

use invited::domain::{CopyId, EmailAddress, EventKind, InvitationId, OrderReference, Outcome, Reading, State};
use invited::store::{Filter, Story, Subject};

use super::{Place, T0, filing, mail, order, policies, shop, tell};

async fn lists_hold_to_every_filter_and_are_read_in_pages(place: Place) {
    let store = place.daemon().await;
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
            page.invitations.into_iter().map(|invitation| invitation.id.0).collect::<Vec<_>>()
        };
        assert_eq!(page(None, 10).await, ids, "{filter:?}");
        assert_eq!(page(None, 1).await, ids.iter().take(1).copied().collect::<Vec<_>>(), "{filter:?}");
        if let Some(first) = ids.first() {
            assert_eq!(page(Some(InvitationId(*first)), 10).await, ids[1..], "{filter:?}");
        }
    }
}

async fn a_story_names_held_copies_too_and_is_bounded(place: Place) {
    let store = place.daemon().await;
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
    assert_eq!(store.story(&Subject::Invitation(InvitationId(1))).await.unwrap(), Story::default());
}

on_each_engine!(lists_hold_to_every_filter_and_are_read_in_pages, a_story_names_held_copies_too_and_is_bounded,);
