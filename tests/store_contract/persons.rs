//! Persons: who is on the suppression list, what is kept about one, and what is left when they are erased.

use std::collections::BTreeMap;
use std::sync::Arc;

use invited::domain::{
    Attempt, CopyId, DeskOrder, EmailAddress, EventKind, InvitationId, ListKey, ListKind, ListReason, Outcome,
    Policies, Reading, Rule, State, SuppressionEntry, Timestamp, lookup_keys,
};
use invited::store::{
    CopyState, DeskAct, DeskFiling, Erasure, ListFilter, NewEntry, PersonTable, Reinvited, Role, SqlStore, Store,
    Subject,
};

use super::{Place, T0, after, by_hand, claim, filing, mail, order, person, policies, shop, state_of, tell};

const KEY: [u8; 32] = [7; 32];

fn with_key() -> Arc<Policies> {
    Arc::new(Policies::clone(&policies()).with_list_key(KEY))
}

fn entry(text: &str, shop_name: Option<&str>, at: Timestamp) -> SuppressionEntry {
    SuppressionEntry {
        key: ListKey::parse(text).unwrap(),
        shop: shop_name.map(shop),
        reason: ListReason::ByHand,
        note: Some("asked".to_owned()),
        actor: "support".to_owned(),
        at,
    }
}

fn new(text: &str, shop_name: Option<&str>, hashes: bool, at: Timestamp) -> NewEntry {
    let entry = entry(text, shop_name, at);
    let person = EmailAddress::parse(text).ok().map(|address| address.key());
    let (plain, hashed) = (entry.key.clone(), entry.key.hashed(&KEY));
    let (key, twin) = if hashes { (hashed, plain) } else { (plain, hashed) };
    NewEntry { entry: SuppressionEntry { key, ..entry }, twin: Some(twin), person }
}

async fn suppress(store: &SqlStore, entries: &[NewEntry], now: Timestamp) -> Vec<(bool, Vec<i64>)> {
    let listed = store.suppress(entries.into(), with_key(), now).await.unwrap();
    listed.into_iter().map(|one| (one.since.is_none(), one.stopped.into_iter().map(|id| id.0).collect())).collect()
}

async fn due(store: &dyn Store, now: Timestamp) -> usize {
    store.claim_due(super::ask("one", 10), with_key(), now).await.unwrap().letters.len()
}

fn key(address: &str) -> invited::domain::AddressKey {
    EmailAddress::parse(address).unwrap().key()
}

async fn an_address_on_the_list_ends_what_is_open_and_gets_no_letter_afterwards(place: Place) {
    for hashes in [false, true] {
        let address = format!("anna{hashes}@example.com");
        let store = place.open(Role::Desk).await;
        let first = tell(&store, "nord", EventKind::Placed, &format!("A-{hashes}"), &address, T0).await[0].0;
        let other = tell(&store, "doubles", EventKind::Placed, &format!("A-{hashes}"), &address, T0).await[0].0;
        let for_nord = new(&address, Some("nord"), hashes, after(1));
        assert_eq!(suppress(&store, std::slice::from_ref(&for_nord), after(1)).await, [(true, vec![first.0])]);
        assert_eq!(state_of(&store, first).await, State::Cancelled);
        assert_eq!(state_of(&store, other).await, State::Queued, "another shop's");
        let story = store.story(&Subject::Invitation(first)).await.unwrap();
        let last = story.decisions.last().unwrap();
        assert_eq!(
            (last.rule, last.actor.as_str(), last.note.as_deref()),
            (Rule::Suppressed, "support", Some("asked"))
        );
        assert_eq!(suppress(&store, &[for_nord], after(2)).await, [(false, vec![])], "it is there already");
        let twin = new(&address, Some("nord"), !hashes, after(2));
        assert_eq!(suppress(&store, &[twin], after(2)).await, [(false, vec![])], "in whichever form");

        let again = store.reinvite(first, after(2), &person("once more"), with_key(), after(2)).await.unwrap();
        assert_eq!(again, Reinvited::Refused(Rule::Suppressed), "nobody is invited anew past the list");

        // An order that comes later has no letter either: the claim looks at the list.
        let later = tell(&store, "nord", EventKind::Placed, &format!("B-{hashes}"), &address, after(1)).await[0].0;
        assert_eq!(due(&store, after(8)).await, 1, "only the other shop's");
        assert_eq!(state_of(&store, later).await, State::Cancelled);
        let both = vec![ListKey::parse(&address).unwrap(), ListKey::parse(&address).unwrap().hashed(&KEY)];
        assert_eq!(store.unsuppress(both.clone(), None).await.unwrap(), [], "it is for one shop");
        assert_eq!(store.unsuppress(both, Some(shop("nord"))).await.unwrap().len(), 1);
        store.close().await;
    }
}

async fn a_domain_on_the_list_means_all_below_it_when_letters_are_claimed(place: Place) {
    let store = place.open(Role::Desk).await;
    let mut ids = Vec::new();
    for (n, address) in ["a@shop.example", "b@mail.shop.example", "c@myshop.example"].iter().enumerate() {
        ids.push(tell(&store, "nord", EventKind::Placed, &format!("A-{n}"), address, T0).await[0].0);
    }
    let entries = [new("shop.example", None, true, T0), new("nowhere.example", None, false, T0)];
    assert_eq!(suppress(&store, &entries, T0).await, [(true, vec![]), (true, vec![])]);
    assert_eq!(due(&store, after(7)).await, 1);
    let mut states = Vec::new();
    for id in ids {
        states.push(state_of(&store, id).await);
    }
    assert_eq!(states, [State::Cancelled, State::Cancelled, State::Sending]);
    let found = store.suppressed_by(&lookup_keys(&key("x@mail.shop.example"), &KEY)).await.unwrap();
    assert_eq!(found.iter().map(|one| one.entry.key.kind()).collect::<Vec<_>>(), [ListKind::Domain]);
}

async fn the_list_is_looked_at_in_pages_by_every_filter_and_both_ways(place: Place) {
    let store = place.open(Role::Desk).await;
    let entries = [
        new("a@x.test", None, false, after(1)),
        new("b@x.test", Some("nord"), true, after(2)),
        new("x.test", Some("doubles"), false, after(3)),
        NewEntry {
            entry: SuppressionEntry { reason: ListReason::Bounced, note: None, ..entry("c@x.test", None, after(4)) },
            twin: None,
            person: None,
        },
    ];
    suppress(&store, &entries, after(4)).await;
    let all = ListFilter::default();
    for (filter, expected) in [
        (all.clone(), vec![4, 3, 2, 1]),
        (ListFilter { shop: Some(None), ..all.clone() }, vec![4, 1]),
        (ListFilter { shop: Some(Some(shop("nord"))), ..all.clone() }, vec![2]),
        (ListFilter { kind: Some(ListKind::Domain), ..all.clone() }, vec![3]),
        (ListFilter { reason: Some(ListReason::Bounced), ..all.clone() }, vec![4]),
        (ListFilter { since: after(3), ..all.clone() }, vec![4, 3]),
    ] {
        let page = store.suppressions(&filter, None, 10).await.unwrap();
        assert_eq!(page.iter().map(|one| one.id).collect::<Vec<_>>(), expected, "{filter:?}");
        let upward = store.suppressions_after(&filter, 0, 10).await.unwrap();
        assert!(upward.iter().rev().eq(&page), "{filter:?}");
        let written = page.iter().map(|one| &one.entry);
        assert!(written.eq(expected.iter().map(|id| &entries[*id as usize - 1].entry)), "as they were put there");
    }
    let page = store.suppressions(&all, Some(3), 1).await.unwrap();
    assert_eq!(page.iter().map(|one| one.id).collect::<Vec<_>>(), [2]);
    let page = store.suppressions_after(&all, 1, 2).await.unwrap();
    assert_eq!(page.iter().map(|one| one.id).collect::<Vec<_>>(), [2, 3]);
}

/// Two people's orders. Copies 1 and 2 are Anna's, 3 is Bo's, 4 is held for naming both, 5 is ignored, its bytes name Anna.
async fn filled(store: &SqlStore) {
    tell(store, "nord", EventKind::Placed, "A-1", "Anna@example.com", T0).await;
    tell(store, "nord", EventKind::Shipped, "A-1", "anna@example.com", after(1)).await;
    tell(store, "nord", EventKind::Placed, "B-1", "bo@example.com", T0).await;
    let both = store.spool(vec![mail("nord", "anna@example.com and bo@example.com", after(2))]).await.unwrap()[0];
    let reading = Reading::without_findings(Outcome::Held, "two customers: ANNA@example.com, bo@example.com");
    store.file_readings(Arc::new([filing(both, "nord", reading)]), policies(), after(2)).await.unwrap();
    let other = store.spool(vec![mail("doubles", "To: anna@example.com", after(3))]).await.unwrap()[0];
    let reading = Reading::without_findings(Outcome::Ignored, "a newsletter");
    store.file_readings(Arc::new([filing(other, "doubles", reading)]), policies(), after(3)).await.unwrap();
}

async fn what_names_a_person_is_found_by_keys_in_texts_and_in_bytes(place: Place) {
    let store = place.open(Role::Desk).await;
    filled(&store).await;
    let own = store.own_rows(&key("anna@example.com")).await.unwrap();
    assert_eq!(own.of(PersonTable::Copy), [1, 2]);
    assert_eq!(own.of(PersonTable::Invitation), [1]);
    assert_eq!(own.of(PersonTable::Decision).len(), 2);
    assert_eq!(own.spellings, ["Anna@example.com"]);

    let names = ["anna@example.com".to_owned()];
    let stretch = store.rows_naming(PersonTable::Copy, 0, &names).await.unwrap();
    assert_eq!(stretch.found.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [1, 2, 4]);
    assert_eq!((stretch.to, stretch.last), (5, 5));
    let stretch = store.rows_naming(PersonTable::Copy, 4, &names).await.unwrap();
    assert_eq!(stretch.found, []);
    let search = Arc::new(|mail: &[u8]| mail.windows(16).any(|bytes| bytes == b"anna@example.com"));
    let bodies = store.bodies_naming(CopyId(0), search.clone()).await.unwrap();
    assert_eq!((bodies.found, bodies.to), (vec![CopyId(4), CopyId(5)], Some(CopyId(5))));
    assert_eq!(store.bodies_naming(CopyId(5), search).await.unwrap().to, None);

    let rows = store.raw_rows(PersonTable::Invitation, &[1]).await.unwrap();
    assert_eq!((&rows[0]["email"], &rows[0]["created_at"]), (&"Anna@example.com".into(), &T0.0.into()));
    assert!(rows[0].contains_key("round") && rows[0]["name"].is_null(), "every column, whatever was added later");
}

async fn erasing_takes_what_is_theirs_and_leaves_what_is_others(place: Place) {
    let store = place.open(Role::Desk).await;
    filled(&store).await;
    // What support wrote beside another's order.
    let note = person("the same as anna@example.com");
    by_hand::order(&store, InvitationId(2), DeskOrder::Cancel, &note, &policies(), after(4)).await.unwrap();
    suppress(&store, &[new("anna@example.com", Some("nord"), false, after(5))], after(5)).await;
    let before = store.watch_figures().await.unwrap();

    let decision = store.rows_naming(PersonTable::Decision, 0, &["anna@example.com".to_owned()]).await.unwrap().found;
    let words = decision.iter().map(|(id, _)| *id).collect::<Vec<_>>();
    assert_eq!(words.len(), 1);
    let erasure = Erasure { copies: vec![CopyId(4), CopyId(5)], words: vec![(PersonTable::Decision, words)] };
    let plain = entry("anna@example.com", None, after(6));
    let mark = SuppressionEntry { key: plain.key.hashed(&KEY), reason: ListReason::Erased, note: None, ..plain };
    let anna = key("anna@example.com");
    let erased = store.erase(&anna, erasure, Some(mark.clone()), "support", with_key(), after(6)).await.unwrap();
    assert_eq!((erased.copies, erased.invitations, erased.letters, erased.words, erased.entries), (4, 1, 0, 1, 1));

    for table in PersonTable::ALL {
        let stretch = store.rows_naming(table, 0, &["anna@".to_owned()]).await.unwrap();
        assert_eq!(stretch.found, [], "{table:?}");
    }
    assert!(store.copy(CopyId(1)).await.unwrap().is_none());
    assert_eq!(store.copy(CopyId(3)).await.unwrap().unwrap().0.state, CopyState::Event);
    let bo = store.story(&Subject::Invitation(InvitationId(2))).await.unwrap();
    assert_eq!(bo.invitations[0].progress.state, State::Cancelled);
    assert_eq!(bo.decisions.last().unwrap().note, None, "the words are gone, the decision is there");

    // What stands is counted anew; what happened stays counted.
    let after_it = store.watch_figures().await.unwrap();
    let sums = |figures: &invited::store::WatchFigures| {
        let sums = figures.sums.iter().map(|sum| (sum.shop.to_string(), (sum.event, sum.ignored, sum.held)));
        sums.collect::<BTreeMap<_, _>>()
    };
    assert_eq!((sums(&before)["nord"], sums(&before)["doubles"]), ((3, 0, 1), (0, 1, 0)));
    assert_eq!((sums(&after_it)["nord"], sums(&after_it)["doubles"]), ((1, 0, 0), (0, 0, 0)));
    let counts = store.counts().await.unwrap();
    assert_eq!(counts.invitations, BTreeMap::from([(State::Cancelled, 1)]));

    // The entry that named her is a hash now, and so is the one for all shops.
    let entries = store.suppressions(&ListFilter::default(), None, 10).await.unwrap();
    assert_eq!(entries.len(), 2);
    assert!(entries.iter().all(|one| one.entry.key == mark.key));
    let again = tell(&store, "nord", EventKind::Placed, "A-2", "anna@example.com", after(10)).await[0].0;
    assert_eq!(due(&store, after(20)).await, 0);
    assert_eq!(state_of(&store, again).await, State::Cancelled);

    let erased = store.erase(&anna, Erasure::default(), None, "support", with_key(), after(21)).await.unwrap();
    assert_eq!((erased.invitations, erased.entries), (1, 2), "the list forgets too");
    tell(&store, "nord", EventKind::Placed, "A-3", "anna@example.com", after(30)).await;
    assert_eq!(due(&store, after(40)).await, 1);
    assert!(store.tidy().await.unwrap());
}

async fn a_letter_under_way_whose_person_is_erased_is_settled_without_an_error(place: Place) {
    let store = place.open(Role::Desk).await;
    for reference in ["A-1", "A-2"] {
        tell(&store, "nord", EventKind::Placed, reference, "anna@example.com", T0).await;
        tell(&store, "doubles", EventKind::Placed, reference, &format!("{reference}@example.com"), T0).await;
    }
    let anna = key("a-1@example.com");
    let letters = claim(&store, "one", after(7)).await;
    let letter = letters.iter().find(|one| one.invitation.customer.email.key() == anna).unwrap();
    assert!(store.mark_on_the_wire(&letter.claim, "<1@x>", after(7)).await.unwrap());
    assert_eq!(store.own_rows(&anna).await.unwrap().on_the_wire, 1);
    store.erase(&anna, Erasure::default(), None, "support", with_key(), after(7)).await.unwrap();
    assert_eq!(store.settle(&letter.claim, Attempt::Accepted, "250 ok", policies(), after(7)).await.unwrap(), None);

    // One that is not on the wire yet does not go there.
    let other = key("a-2@example.com");
    let letter = letters.iter().find(|one| one.invitation.customer.email.key() == other).unwrap();
    store.erase(&other, Erasure::default(), None, "support", with_key(), after(7)).await.unwrap();
    assert!(!store.mark_on_the_wire(&letter.claim, "<2@x>", after(7)).await.unwrap());
}

async fn a_copy_that_is_erased_while_it_is_read_moves_nothing(place: Place) {
    let store = place.open(Role::Desk).await;
    let copy = store.spool(vec![mail("nord", "for anna@example.com", T0)]).await.unwrap()[0];
    assert_eq!(store.claim_copies(1, 3, "one", T0).await.unwrap().len(), 1);
    let erasure = Erasure { copies: vec![copy], ..Erasure::default() };
    let anna = key("anna@example.com");
    assert_eq!(store.erase(&anna, erasure, None, "support", with_key(), T0).await.unwrap().copies, 1);
    let reading = order(EventKind::Placed, "A-1", "anna@example.com");
    let filed = store.file_readings(Arc::new([filing(copy, "nord", reading.clone())]), policies(), T0).await.unwrap();
    assert_eq!((filed.len(), filed[0].is_done), (1, false));
    let filing_by = DeskFiling { act: DeskAct::Replayed, actor: person(""), also_ignored: true, is_dry: false };
    let filed =
        store.file_for_desk(Arc::new([filing(copy, "nord", reading)]), &filing_by, policies(), T0).await.unwrap();
    assert!(!filed[0].is_done);
    assert!(store.story(&Subject::Email(anna)).await.unwrap().invitations.is_empty());
}

on_each_engine!(
    an_address_on_the_list_ends_what_is_open_and_gets_no_letter_afterwards,
    a_domain_on_the_list_means_all_below_it_when_letters_are_claimed,
    the_list_is_looked_at_in_pages_by_every_filter_and_both_ways,
    what_names_a_person_is_found_by_keys_in_texts_and_in_bytes,
    erasing_takes_what_is_theirs_and_leaves_what_is_others,
    a_letter_under_way_whose_person_is_erased_is_settled_without_an_error,
    a_copy_that_is_erased_while_it_is_read_moves_nothing,
);
