//! Orders that people bring: invitations by hand, past mails, and lists that are looked up.

use std::sync::Arc;

use invited::domain::{
    Customer, DAY, EmailAddress, EventKind, InvitationId, OrderDetails, OrderReference, Outcome, PersonName, Policies,
    Policy, Reading, Rule, State, Timestamp,
};
use invited::store::{
    Actor, Asked, CopyState, Foreseen, Invited, PastCopy, Role, SqlStore, Store as _, Subject, Wanted,
};

use super::{Place, T0, after, filing, mail, order, policies, shop, tell};

fn wanted(reference: &str, email: &str, due: Timestamp) -> Wanted {
    Wanted {
        shop: shop("nord"),
        reference: OrderReference::parse(reference).unwrap(),
        customer: Customer { email: EmailAddress::parse(email).unwrap(), name: PersonName::parse("Anna Ek") },
        order: OrderDetails { locale: Some("sv".to_owned()), ..OrderDetails::default() },
        due,
    }
}

fn maria() -> Actor {
    Actor { name: "maria".to_owned(), reason: Some("orders.csv".to_owned()) }
}

async fn invite(store: &SqlStore, wanted: &[Wanted], now: Timestamp) -> Vec<Invited> {
    store.invite(wanted.into(), &maria(), policies(), now).await.unwrap()
}

/// A policy under which a person gets a letter every ten days at most.
fn spaced() -> Arc<Policies> {
    Arc::new(Policies::from_iter([(shop("nord"), Policy { person_apart: Some(DAY * 10), ..Policy::default() })]))
}

async fn who_is_asked_for_is_invited_once_and_it_is_written_down_who_asked(place: Place) {
    let store = place.open(Role::Daemon).await;
    let asked = [wanted("H-1", "anna@example.com", T0), wanted("H-2", "bo@example.com", after(3))];
    let foreseen = store.foresee(asked.clone().into(), policies(), T0).await.unwrap();
    assert!(
        matches!(foreseen[..], [Invited::Begins { id: None, .. }, Invited::Begins { id: None, .. }]),
        "{foreseen:?}"
    );
    assert_eq!(store.counts().await.unwrap().invitations.len(), 0, "asking changes nothing");

    let begun = invite(&store, &asked, T0).await;
    let ids = begun.iter().map(|one| match one {
        Invited::Begins { id: Some(id), .. } => *id,
        other => panic!("{other:?}"),
    });
    let ids = ids.collect::<Vec<_>>();
    let story = store.story(&Subject::Invitation(ids[1])).await.unwrap();
    let (invitation, decision) = (&story.invitations[0], &story.decisions[0]);
    assert_eq!((invitation.progress.state, invitation.progress.due_at), (State::Queued, Some(after(3))));
    assert_eq!((invitation.order.locale.as_deref(), invitation.round), (Some("sv"), 0));
    assert_eq!((decision.rule, decision.event.as_str()), (Rule::InvitedByHand, "desk invite"));
    assert_eq!((decision.actor.as_str(), decision.note.as_deref()), ("maria", Some("orders.csv")));

    // Again, in other letters, under another address, and twice in one call.
    let again = [
        wanted("h-1", "Anna@Example.com", T0),
        wanted("H-2", "other@example.com", T0),
        wanted("H-3", "cy@example.com", T0),
        wanted("H-3", "cy@example.com", T0),
    ];
    for round in 0..2 {
        let outcomes = invite(&store, &again, after(1)).await;
        let there = |outcome: &Invited| match outcome {
            Invited::There { id, is_same_address, .. } => Some((*id, *is_same_address)),
            _ => None,
        };
        assert_eq!(there(&outcomes[0]), Some((ids[0], true)));
        assert_eq!(there(&outcomes[1]), Some((ids[1], false)));
        assert_eq!(there(&outcomes[2]).is_some(), round == 1, "{outcomes:?}");
        let third = match (&outcomes[2], &outcomes[3]) {
            (Invited::Begins { id: Some(id), .. } | Invited::There { id, .. }, Invited::There { id: same, .. }) => {
                (*id, *same)
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(third.0, third.1);
        assert!(third.0.0 > 0);
    }
    assert_eq!(store.counts().await.unwrap().invitations[&State::Queued], 3);
    let begun: u64 =
        store.figures(1, None).await.unwrap().iter().filter(|one| one.name == "begun").map(|one| one.n).sum();
    assert_eq!(begun, 3);
}

async fn what_the_shops_rules_forbid_is_refused_and_leaves_nothing(place: Place) {
    let store = place.open(Role::Daemon).await;
    tell(&store, "nord", EventKind::Cancelled, "C-1", "anna@example.com", T0).await;
    let asked = [wanted("C-1", "anna@example.com", T0), wanted("R-1", "info@example.com", T0)];
    for outcomes in
        [store.foresee(asked.clone().into(), policies(), T0).await.unwrap(), invite(&store, &asked, T0).await]
    {
        assert!(matches!(&outcomes[0], Invited::There { state: State::Cancelled, .. }), "{outcomes:?}");
        assert!(matches!(&outcomes[1], Invited::Refused(ground) if ground.rule == Rule::AddressClass), "{outcomes:?}");
    }
    assert_eq!(store.counts().await.unwrap().invitations.values().sum::<u64>(), 1);
}

async fn letters_to_one_person_are_foreseen_one_after_another(place: Place) {
    let store = place.open(Role::Daemon).await;
    let asked = ["D-1", "D-2", "D-3"].map(|reference| wanted(reference, "anna@example.com", T0));
    let times = |outcomes: Vec<Invited>| {
        let times = outcomes.into_iter().map(|outcome| match outcome {
            Invited::Begins { foreseen: Foreseen::At(at, ground), .. } => (at, ground.map(|ground| ground.rule)),
            other => panic!("{other:?}"),
        });
        times.collect::<Vec<_>>()
    };
    let foreseen = times(store.foresee(asked.clone().into(), spaced(), T0).await.unwrap());
    assert!(foreseen[1].0 >= foreseen[0].0.plus(DAY * 10), "{foreseen:?}");
    assert!(foreseen[2].0 >= foreseen[1].0.plus(DAY * 10), "{foreseen:?}");
    assert_eq!(times(store.invite(asked.into(), &maria(), spaced(), T0).await.unwrap()), foreseen);
}

fn past(text: &str, marks: &[&str]) -> PastCopy {
    PastCopy { copy: mail("nord", text, T0), marks: marks.iter().map(|mark| (*mark).to_owned()).collect() }
}

async fn a_past_mail_is_taken_in_once(place: Place) {
    let store = place.open(Role::Daemon).await;
    let first = store
        .take_past(vec![
            past("one", &["bytes:1", "id:1"]),
            past("two", &["bytes:2"]),
            past("one", &["bytes:9", "id:1"]),
        ])
        .await
        .unwrap();
    assert!(first[0].is_some() && first[1].is_some() && first[2].is_none(), "{first:?}");
    let other_shop = PastCopy { copy: mail("doubles", "one", T0), ..past("one", &["bytes:1"]) };
    let second = store.take_past(vec![past("one", &["bytes:1"]), other_shop]).await.unwrap();
    assert!(second[0].is_none() && second[1].is_some(), "{second:?}");
    assert_eq!(store.take_past(vec![past("two", &["bytes:2"])]).await.unwrap(), [None]);

    let known = store.past_marks(&shop("nord"), vec!["bytes:1".into(), "bytes:3".into()]).await.unwrap();
    assert_eq!(known.into_iter().collect::<Vec<_>>(), ["bytes:1"]);
    let unread = store.claim_copies(10, 3, "one", after(1)).await.unwrap();
    assert_eq!(unread.len(), 3);
    assert_eq!((unread[0].message.as_slice(), unread[0].received_at), (&b"one"[..], T0));
}

async fn the_fate_of_orders_is_told_in_the_order_asked(place: Place) {
    let store = place.open(Role::Daemon).await;
    tell(&store, "nord", EventKind::Placed, "F-1", "anna@example.com", T0).await;
    tell(&store, "nord", EventKind::Cancelled, "F-2", "bo@example.com", T0).await;
    tell(&store, "doubles", EventKind::Placed, "F-3", "cy@example.com", T0).await;
    let copies = store.spool(vec![mail("nord", "x", T0), mail("nord", "y", T0)]).await.unwrap();
    let held = |copy| {
        let why = "which of two references?";
        let reading = Reading {
            outcome: Outcome::Held,
            reason: Some(why.into()),
            ..order(EventKind::Placed, "F-3", "cy@example.com")
        };
        filing(copy, "nord", reading)
    };
    store.file_readings(copies.into_iter().map(held).collect(), policies(), T0).await.unwrap();

    let asked = ["F-3", "f-1", "F-9", "F-2"].map(|reference| Asked {
        reference: OrderReference::parse(reference).unwrap(),
        email: EmailAddress::parse("anna@example.com").ok(),
    });
    let fates = store.fates(&shop("nord"), asked.into(), policies()).await.unwrap();
    let invitations = fates.iter().map(|fate| fate.invitations.len()).collect::<Vec<_>>();
    assert_eq!(invitations, [0, 1, 0, 1]);
    assert_eq!((fates[0].copies[0].state, fates[0].copies[0].copies), (CopyState::Held, 2));
    let reading = fates[0].copies[0].newest.reading.as_ref().unwrap();
    assert_eq!(reading.reason.as_deref(), Some("which of two references?"));
    assert_eq!(fates[3].ended_by[0].rule, Rule::CancelledBeforeOrder);
    assert!(fates[2].copies.is_empty() && fates[2].suppressed.is_none());
}

async fn the_invitations_of_a_span_come_page_by_page(place: Place) {
    let store = place.open(Role::Daemon).await;
    for day in 0..5 {
        tell(&store, "nord", EventKind::Placed, &format!("S-{day}"), "anna@example.com", after(day)).await;
        tell(&store, "nord", EventKind::Placed, &format!("T-{day}"), "bo@example.com", after(day)).await;
        tell(&store, "doubles", EventKind::Placed, &format!("S-{day}"), "anna@example.com", after(day)).await;
    }
    let (mut found, mut behind) = (Vec::new(), None::<(Timestamp, InvitationId)>);
    loop {
        let page = store.begun_between(&shop("nord"), after(1), after(4), behind, 4).await.unwrap();
        behind = page.last().map(|one| (one.created_at, one.id));
        found.extend(page.iter().map(|one| one.reference.to_string()));
        if page.len() < 4 {
            break;
        }
    }
    assert_eq!(found, ["S-1", "T-1", "S-2", "T-2", "S-3", "T-3"]);
}

on_each_engine!(
    who_is_asked_for_is_invited_once_and_it_is_written_down_who_asked,
    what_the_shops_rules_forbid_is_refused_and_leaves_nothing,
    letters_to_one_person_are_foreseen_one_after_another,
    a_past_mail_is_taken_in_once,
    the_fate_of_orders_is_told_in_the_order_asked,
    the_invitations_of_a_span_come_page_by_page,
);
