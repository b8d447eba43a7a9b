//! The letters of one person over all shops and daemons, and the suppression list.

use std::sync::Arc;

use futures_util::future::join_all;
use invited::domain::{
    Attempt, Cap, DAY, DeskOrder, EventKind, InvitationId, ListKey, Policies, Policy, Product, Reading, Rule, State,
    Timestamp,
};
use invited::store::{Claim, ClaimAsk, ClaimedLetter, DecisionRecord, RelayShare, Store, Subject};

use super::{Place, T0, after, by_hand, filing, free, mail, order, person, shop, tell};

/// Both shops with this policy.
fn both(policy: &Policy) -> Arc<Policies> {
    Arc::new(Policies::from_iter([(shop("nord"), policy.clone()), (shop("doubles"), policy.clone())]))
}

fn apart() -> Policy {
    Policy { person_apart: Some(DAY * 5), ..free() }
}

/// Letters of these shops. Each relay has a turn of its own, so that claims for different ones run side by side.
fn ask(owner: &str, relay: &str, shops: &[&str]) -> ClaimAsk {
    let relay = Some(RelayShare::new(relay, 100));
    ClaimAsk { owner: owner.to_owned(), relay, shops: shops.iter().map(|name| shop(name)).collect(), limit: 64 }
}

async fn claim(store: &dyn Store, policies: &Arc<Policies>, now: Timestamp) -> Vec<ClaimedLetter> {
    let asked = ask("one", "default", &["nord", "doubles"]);
    store.claim_due(asked, Arc::clone(policies), now).await.unwrap().letters
}

async fn last_decision(store: &dyn Store, id: InvitationId) -> (State, DecisionRecord) {
    let mut story = store.story(&Subject::Invitation(id)).await.unwrap();
    (story.invitations[0].progress.state, story.decisions.pop().unwrap())
}

async fn daemons_that_claim_one_persons_letters_at_the_same_moment_never_go_beyond_the_cap(place: Place) {
    let stores = [place.desk().await, place.desk().await];
    let policies = both(&Policy { person_cap: Some(Cap { letters: 3, within: DAY * 30 }), ..free() });
    for n in 0..4 {
        let email = format!("anna{n}@example.com");
        for (order, name) in (0..12).zip(["nord", "doubles"].into_iter().cycle()) {
            tell(&*stores[0], name, EventKind::Placed, &format!("A-{n}-{order}"), &email, T0).await;
        }
        // Each shop has a relay of its own: nothing but the person's turn is between the two.
        let claims = (0..6).map(|m| {
            let (store, policies) = (&stores[m % 2], Arc::clone(&policies));
            let asked = ask(&format!("owner {m}"), &format!("relay {}", m % 2), &[["nord", "doubles"][m % 2]]);
            async move { store.claim_due(asked, policies, after(7)).await.unwrap().letters }
        });
        let letters = join_all(claims).await.into_iter().flatten().collect::<Vec<_>>();
        assert_eq!(letters.len(), 3, "round {n}");
    }
    let counts = stores[0].counts().await.unwrap().invitations;
    assert_eq!((counts[&State::Sending], counts[&State::Queued]), (12, 36));
    // Over the cap is deferred to the first allowed moment, and both are said.
    let due = stores[0].next_due().await.unwrap();
    assert_eq!(due.iter().map(|(_, at)| *at).collect::<Vec<_>>(), [after(37); 2]);
}

async fn letters_of_one_batch_to_one_person_see_each_other(place: Place) {
    let store = place.daemon().await;
    for (n, name) in [(1, "nord"), (2, "doubles"), (3, "nord")] {
        tell(&*store, name, EventKind::Placed, &format!("A-{n}"), "anna@example.com", T0).await;
    }
    tell(&*store, "nord", EventKind::Placed, "A-4", "bo@example.com", T0).await;
    let policies = both(&apart());
    let letters = claim(&*store, &policies, after(7)).await;
    assert_eq!(letters.iter().map(|letter| letter.invitation.id.0).collect::<Vec<_>>(), [1, 4]);
    for id in [2, 3] {
        let (state, decision) = last_decision(&*store, InvitationId(id)).await;
        assert_eq!((state, decision.rule, decision.due_at), (State::Queued, Rule::PersonApart, Some(after(12))));
        assert_eq!(decision.inputs.get("apart_days"), Some("5"));
        assert_eq!(decision.inputs.instant("last"), Some(after(7)));
        assert_eq!((decision.from, decision.event.as_str()), (Some(State::Queued), "due"));
    }
    // And again: one goes, the other waits for it.
    assert_eq!(claim(&*store, &policies, after(12)).await.len(), 1);
    // At once is at once.
    let waits = InvitationId(3);
    by_hand::order(&*store, waits, DeskOrder::SendNow, &person("a call"), &policies, after(12)).await.unwrap();
    assert_eq!(claim(&*store, &policies, after(12)).await[0].invitation.id, waits);
}

async fn what_went_out_or_may_have_counts_and_nothing_else(place: Place) {
    let store = place.daemon().await;
    let policies = both(&apart());
    let retry_at = after(30);
    for (n, (marks, attempt, counts)) in [
        (false, None, true),
        (true, None, true),
        (true, Some(Attempt::Accepted), true),
        (true, Some(Attempt::AnswerLost { retry_at }), true),
        (true, Some(Attempt::Deferred { retry_at }), true),
        (false, Some(Attempt::Deferred { retry_at }), false),
        (false, Some(Attempt::RelayDown { retry_at }), false),
        (true, Some(Attempt::Refused), false),
        (false, Some(Attempt::Refused), false),
        (false, Some(Attempt::Unsendable), false),
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("anna{n}@example.com");
        tell(&*store, "nord", EventKind::Placed, &format!("A-{n}"), &email, T0).await;
        let letter: Claim = claim(&*store, &policies, after(7)).await.remove(0).claim;
        if marks {
            assert!(store.mark_on_the_wire(&letter, "<1@x>", after(7)).await.unwrap());
        }
        if let Some(attempt) = attempt {
            store.settle(&letter, attempt, "", Arc::clone(&policies), after(7)).await.unwrap();
        }
        let second = tell(&*store, "doubles", EventKind::Placed, &format!("B-{n}"), &email, T0).await[0].0;
        let next = claim(&*store, &policies, after(8)).await;
        let expected = if counts { vec![] } else { vec![second] };
        let claimed = next.iter().map(|letter| letter.invitation.id).collect::<Vec<_>>();
        assert_eq!(claimed, expected, "marked: {marks}, {attempt:?}");
    }
}

async fn an_earlier_attempt_at_a_letter_is_no_letter_before_it(place: Place) {
    let store = place.daemon().await;
    let policies = both(&apart());
    tell(&*store, "nord", EventKind::Placed, "A-1", "anna@example.com", T0).await;
    let first = claim(&*store, &policies, after(7)).await.remove(0).claim;
    assert!(store.mark_on_the_wire(&first, "<1@x>", after(7)).await.unwrap());
    let deferred = Attempt::Deferred { retry_at: after(8) };
    store.settle(&first, deferred, "450 later", Arc::clone(&policies), after(7)).await.unwrap();
    let again = claim(&*store, &policies, after(8)).await.remove(0).claim;
    assert_eq!((again.letter, again.attempt), (first.letter, 2));
    // Its reminder is another letter: of a shop that reminds after three days it waits for the rest of the five.
    store
        .settle(&again, Attempt::Accepted, "250 ok", both(&Policy { reminder: Some(DAY * 3), ..apart() }), after(8))
        .await
        .unwrap();
    assert_eq!(claim(&*store, &policies, after(11)).await, []);
    assert_eq!(last_decision(&*store, InvitationId(1)).await.1.due_at, Some(after(13)));
    assert_eq!(claim(&*store, &policies, after(13)).await.len(), 1);
}

async fn nobody_is_asked_about_the_same_product_twice_in_a_year(place: Place) {
    let store = place.daemon().await;
    let policies = both(&Policy { same_product: Some(DAY * 365), ..free() });
    let bought = async |name: &str, reference: &str, skus: &[&str], at: Timestamp| {
        let copy = store.spool(vec![mail(name, "a mail", at)]).await.unwrap()[0];
        let products = skus.iter().map(|sku| Product { sku: Some((*sku).to_owned()), ..Product::default() }).collect();
        let reading =
            Reading { sent_at: Some(at), products, ..order(EventKind::Placed, reference, "anna@example.com") };
        let filed = store.file_readings(Arc::new([filing(copy, name, reading)]), Arc::clone(&policies), at).await;
        filed.unwrap()[0].moved[0].0
    };
    bought("nord", "A-1", &["LAMP-1", "BULB"], T0).await;
    let letter = claim(&*store, &policies, after(7)).await.remove(0).claim;
    store.settle(&letter, Attempt::Accepted, "", both(&Policy { reminder: None, ..free() }), after(7)).await.unwrap();

    let same = bought("nord", "A-2", &["lamp-1"], after(100)).await;
    let more = bought("nord", "A-3", &["lamp-1", "SHADE"], after(100)).await;
    let others = bought("doubles", "A-4", &["lamp-1"], after(100)).await;
    let claimed = claim(&*store, &policies, after(107)).await;
    assert_eq!(claimed.iter().map(|letter| letter.invitation.id).collect::<Vec<_>>(), [more, others]);
    // The claimed one of the same batch asks about the lamp as well, so a year from then.
    let (state, decision) = last_decision(&*store, same).await;
    assert_eq!((state, decision.rule), (State::Dropped, Rule::SameProduct), "the first moment is past its end of life");
    assert_eq!(decision.inputs.instant("until"), Some(after(7 + 365)));
}

async fn who_is_on_the_list_gets_no_letter_by_address_domain_or_hash(place: Place) {
    let key = [7; 32];
    let policies =
        Arc::new(Policies::from_iter([(shop("nord"), free()), (shop("doubles"), free())]).with_list_key(key));
    let store = place.daemon().await;
    let hashed_by = |subject: &str, key| ListKey::parse(subject).unwrap().hashed(key).subject().to_owned();
    let hashed = |subject: &str| hashed_by(subject, &key);
    let list = [
        ("", "address", "anna@example.com".to_owned()),
        ("nord", "address", "bo@example.com".to_owned()),
        ("doubles", "address", "cecilia@example.com".to_owned()),
        ("", "domain", "gone.example".to_owned()),
        ("", "domain", hashed("secret.example")),
        ("", "address", hashed("dan@example.com")),
        // Of another key, of another kind, of a name that only ends alike.
        ("", "address", hashed_by("eva@example.com", &[8; 32])),
        ("", "domain", "eva@example.com".to_owned()),
        ("", "domain", "am.example".to_owned()),
    ];
    for (n, (shop, kind, subject)) in (1..).zip(list) {
        place
            .run(&format!(
                "INSERT INTO suppression (shop, kind, subject, reason, actor, at) \
                 VALUES ('{shop}', '{kind}', '{subject}', 'unsubscribed {n}', 'customer', {n})"
            ))
            .await;
    }
    for (n, (email, entry)) in [
        ("ANNA@example.com", Some(("address", "all", "unsubscribed 1"))),
        ("bo@example.com", Some(("address", "this one", "unsubscribed 2"))),
        ("cecilia@example.com", None),
        ("x@gone.example", Some(("domain", "all", "unsubscribed 4"))),
        ("x@mail.gone.example", Some(("domain", "all", "unsubscribed 4"))),
        ("x@secret.example", Some(("domain", "all", "unsubscribed 5"))),
        ("dan@example.com", Some(("address", "all", "unsubscribed 6"))),
        ("eva@example.com", None),
        ("x@team.example", None),
    ]
    .into_iter()
    .enumerate()
    {
        let id = tell(&*store, "nord", EventKind::Placed, &format!("A-{n}"), email, T0).await[0].0;
        // Not even at once.
        by_hand::order(&*store, id, DeskOrder::SendNow, &person(""), &policies, after(7)).await.unwrap();
        let claimed = claim(&*store, &policies, after(7)).await;
        assert_eq!(claimed.len(), usize::from(entry.is_none()), "{email}");
        let (state, decision) = last_decision(&*store, id).await;
        if let Some((kind, shops, reason)) = entry {
            assert_eq!((state, decision.rule), (State::Cancelled, Rule::Suppressed), "{email}");
            let inputs = ["entry", "shops", "reason"].map(|name| decision.inputs.get(name).unwrap());
            assert_eq!(inputs, [kind, shops, reason], "{email}");
        }
    }
}

on_each_engine!(
    daemons_that_claim_one_persons_letters_at_the_same_moment_never_go_beyond_the_cap,
    letters_of_one_batch_to_one_person_see_each_other,
    what_went_out_or_may_have_counts_and_nothing_else,
    an_earlier_attempt_at_a_letter_is_no_letter_before_it,
    nobody_is_asked_about_the_same_product_twice_in_a_year,
    who_is_on_the_list_gets_no_letter_by_address_domain_or_hash,
);
