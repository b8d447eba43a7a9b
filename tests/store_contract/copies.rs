//! Copies as they are taken in, handed out and purged, and the store's own end.

use std::sync::Arc;

use invited::domain::{CopyId, Outcome, Reading};
use invited::store::{CopyState, HeldFilter, Role, Store as _, StoreError, UnreadCopy};

use super::{Place, T0, after, filing, flaky, mail, policies, shop};

async fn a_copy_comes_back_as_it_was_taken_in(place: Place) {
    let store = place.daemon().await;
    let texts = ["", "Subject: one\r\n\r\n\u{e5}\r\n", &"x".repeat(300_000)];
    let ids = store.spool(texts.map(|text| mail("nord", text, T0)).to_vec()).await.unwrap();
    assert_eq!(ids, [CopyId(1), CopyId(2), CopyId(3)]);
    assert_eq!(store.spool(vec![]).await.unwrap(), []);
    for (id, text) in ids.iter().zip(texts) {
        let (copy, message) = store.copy(*id).await.unwrap().unwrap();
        assert_eq!(message.as_deref(), Some(text.as_bytes()));
        assert_eq!((copy.size, copy.state, copy.received_at), (text.len() as u64, CopyState::Unread, T0));
        assert_eq!((copy.shop, copy.mail_from.as_str()), (shop("nord"), "orders@shop.example"));
        assert_eq!(copy.handed.client, Some("192.0.2.7".parse().unwrap()));
    }
    assert_eq!(store.copy(CopyId(4)).await.unwrap(), None);
    assert_eq!(store.counts().await.unwrap().unread, 3);
    store.ready().await.unwrap();
}

async fn copies_are_handed_out_oldest_first_and_those_that_stop_the_reader_alone_then_held(place: Place) {
    let store = place.daemon().await;
    store.spool((0..3).map(|n| mail("nord", &format!("mail {n}"), T0)).collect()).await.unwrap();
    let ids = |copies: Vec<UnreadCopy>| copies.iter().map(|copy| (copy.id.0, copy.attempts)).collect::<Vec<_>>();
    let first = store.claim_copies(2, 3, "one", T0).await.unwrap();
    assert_eq!(first[1].message, b"mail 1");
    assert_eq!(ids(first), [(1, 1), (2, 1)]);
    // The reader died on one of them.
    assert_eq!(ids(store.claim_copies(10, 3, "one", T0).await.unwrap()), [(1, 2)]);
    assert_eq!(ids(store.claim_copies(10, 3, "one", T0).await.unwrap()), [(1, 3)]);
    assert_eq!(ids(store.claim_copies(10, 3, "one", T0).await.unwrap()), [(2, 2)], "the first is spent and set aside");
    let ignored = Reading::without_findings(Outcome::Ignored, "a newsletter");
    store.file_readings(Arc::new([filing(CopyId(2), "nord", ignored)]), policies(), T0).await.unwrap();
    assert_eq!(ids(store.claim_copies(10, 3, "one", T0).await.unwrap()), [(3, 1)]);
    assert_eq!(ids(store.claim_copies(1, 1, "one", T0).await.unwrap()), [], "all that are left are spent");

    let held = store.held_copies(&HeldFilter::default(), None, 10).await.unwrap();
    assert_eq!(held.iter().map(|copy| copy.id.0).collect::<Vec<_>>(), [3, 1]);
    assert!(held[1].reading.as_ref().unwrap().reason.as_ref().unwrap().contains("3 times"));
    assert_eq!(store.held_copies(&HeldFilter::default(), Some(CopyId(3)), 10).await.unwrap().len(), 1);
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.unread, counts.held_copies), (0, 2));
}

async fn bytes_are_purged_by_age_but_never_before_they_are_read(place: Place) {
    let store = place.daemon().await;
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

async fn closing_waits_for_what_is_queued_and_ends_the_store(place: Place) {
    let store = place.daemon().await;
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
    let again = place.open(Role::Daemon).await;
    assert_eq!(again.counts().await.unwrap().unread, kept);
}

async fn a_flaky_store_fails_as_told_and_then_works(place: Place) {
    let inner = place.daemon().await;
    let store = flaky::FlakyStore::new(inner);
    store.fail("spool", StoreError::Full, 0..2);
    for expected in [Err(StoreError::Full), Err(StoreError::Full), Ok(vec![CopyId(1)])] {
        assert_eq!(store.spool(vec![mail("nord", "x", T0)]).await, expected);
    }
    assert_eq!(store.counts().await.unwrap().unread, 1);
}

on_each_engine!(
    a_copy_comes_back_as_it_was_taken_in,
    copies_are_handed_out_oldest_first_and_those_that_stop_the_reader_alone_then_held,
    bytes_are_purged_by_age_but_never_before_they_are_read,
    closing_waits_for_what_is_queued_and_ends_the_store,
    a_flaky_store_fails_as_told_and_then_works,
);
