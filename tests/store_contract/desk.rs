//! What people do with invitations: filters and pages over many, orders about them as they were seen, and new rounds.

use invited::domain::{
    DAY, DeskOrder, EmailAddress, EventKind, InvitationId, PersonName, Product, Rule, State, Timestamp,
};
use invited::store::{DeskAsk, DeskOutcome, Filter, FreeText, Reinvited, Seen, Store, Subject};

use super::{Place, T0, after, by_hand, filing, mail, order, person, policies, shop, tell};

/// An order with everything that can be filtered by.
struct Told {
    shop: &'static str,
    name: &'static str,
    product: &'static str,
    template: &'static str,
    tag: Option<&'static str>,
    at: Timestamp,
}

/// Tells of order `A-{n}` by customer `c{n}@example.com`.
async fn told(store: &dyn Store, n: usize, told: &Told) {
    let copy = store.spool(vec![mail(told.shop, "a mail", told.at)]).await.unwrap()[0];
    let mut reading = order(EventKind::Placed, &format!("A-{n}"), &format!("c{n}@example.com"));
    reading.customer_name = PersonName::parse(told.name);
    reading.template = Some(told.template.to_owned());
    reading.tags = told.tag.iter().map(|tag| (*tag).to_owned()).collect();
    reading.products =
        vec![Product { name: told.product.to_owned(), sku: Some(format!("S-{n}")), ..Product::default() }];
    store.file_readings([filing(copy, told.shop, reading)].into(), policies(), told.at).await.unwrap();
}

async fn ids(store: &dyn Store, filter: &Filter, limit: usize) -> Vec<i64> {
    let (mut ids, mut before) = (Vec::new(), None);
    loop {
        let page = store.list(filter, before, limit).await.unwrap();
        assert!(page.invitations.len() <= limit);
        assert!(page.looked_down_to.is_some() || page.invitations.len() <= limit);
        ids.extend(page.invitations.iter().map(|one| one.id.0));
        match page.looked_down_to {
            Some(down_to) => before = Some(down_to),
            None => return ids,
        }
    }
}

async fn everything_that_a_filter_asks_for_must_hold(place: Place) {
    let store = place.daemon().await;
    let all = [
        Told { shop: "nord", name: "Anna Exempel", product: "Lamp", template: "shopify", tag: Some("B2B"), at: T0 },
        Told {
            shop: "nord",
            name: "Bo \u{d6}berg",
            product: "Oak table",
            template: "shopify",
            tag: None,
            at: after(10),
        },
        Told {
            shop: "doubles",
            name: "\u{c5}sa Lind",
            product: "100% _wool_",
            template: "own",
            tag: None,
            at: after(20),
        },
        Told {
            shop: "doubles",
            name: "\u{130}brahim",
            product: "5\" pipe",
            template: "own",
            tag: Some("vip"),
            at: after(30),
        },
        Told {
            shop: "nord",
            name: "\u{410}\u{43d}\u{43d}\u{430}",
            product: "Stra\u{df}enlampe",
            template: "o\"wn",
            tag: None,
            at: after(40),
        },
    ];
    for (n, one) in all.iter().enumerate() {
        told(&*store, n + 1, one).await;
    }
    let none = Filter::default();
    let text = |text: &str| Filter { text: FreeText::parse(text), ..Filter::default() };
    let nord = || Some(shop("nord"));
    for (filter, wanted) in [
        (none.clone(), vec![5, 4, 3, 2, 1]),
        (Filter { template: Some("shopify".to_owned()), ..none.clone() }, vec![2, 1]),
        (Filter { template: Some("o\"wn".to_owned()), ..none.clone() }, vec![5]),
        (Filter { template: Some("ow".to_owned()), ..none.clone() }, vec![]),
        (Filter { tag: Some("b2b".to_owned()), ..none.clone() }, vec![1]),
        (Filter { tag: Some("VIP".to_owned()), shop: nord(), ..none.clone() }, vec![]),
        (Filter { begun_from: after(10), begun_before: after(30), ..none.clone() }, vec![3, 2]),
        (Filter { begun_from: after(41), ..none.clone() }, vec![]),
        (Filter { begun_before: T0, ..none.clone() }, vec![]),
        (Filter { begun_from: after(15), shop: nord(), ..none.clone() }, vec![5]),
        (Filter { due_from: Some(after(10)), due_before: Some(after(31)), ..none.clone() }, vec![4, 3, 2]),
        (Filter { due_before: Some(after(8)), states: vec![State::Cancelled], ..none.clone() }, vec![]),
        (text("LAMP"), vec![5, 1]),
        (text("\u{f6}berg"), vec![2]),
        (text("\u{d6}BERG"), vec![2]),
        (text("\u{e5}SA"), vec![3]),
        (text("\u{130}brahim"), vec![4]),
        (text("\u{410}\u{41d}\u{41d}"), vec![5]),
        (text("stra\u{df}en"), vec![5]),
        (text("100% _w"), vec![3]),
        (text("5\" p"), vec![4]),
        (text("%"), vec![3]),
        (text("s-2"), vec![2]),
        (text("c4@"), vec![4]),
        (text("a-3"), vec![3]),
        (text("template"), vec![]),
        (Filter { states: vec![State::Queued], template: Some("own".to_owned()), ..text("a-") }, vec![4, 3]),
        (Filter { shop: nord(), template: Some("own".to_owned()), ..none.clone() }, vec![]),
    ] {
        assert_eq!(ids(&*store, &filter, 10).await, wanted, "{filter:?}");
        assert_eq!(ids(&*store, &filter, 1).await, wanted, "page by page: {filter:?}");
    }
}

async fn clocks_that_differ_hide_nothing_from_a_filter_by_age(place: Place) {
    let store = place.daemon().await;
    let late = T0.plus(DAY / 24);
    for (n, at) in [late, T0, late, T0].into_iter().enumerate() {
        let told_of = Told { shop: "nord", name: "Anna", product: "Lamp", template: "own", tag: None, at };
        told(&*store, n + 1, &told_of).await;
    }
    let from = Filter { begun_from: late, ..Filter::default() };
    let before = Filter { begun_before: late, ..Filter::default() };
    assert_eq!((ids(&*store, &from, 10).await, ids(&*store, &before, 10).await), (vec![3, 1], vec![4, 2]));
}

/// Three invitations as a person sees them.
async fn seen(store: &dyn Store) -> Vec<Seen> {
    for reference in ["A-1", "A-2", "A-3"] {
        tell(store, "nord", EventKind::Placed, reference, "anna@example.com", T0).await;
    }
    store.list(&Filter::default(), None, 10).await.unwrap().invitations.iter().map(Seen::from).collect()
}

async fn what_somebody_else_has_changed_is_left_alone(place: Place) {
    let store = place.daemon().await;
    let seen = seen(&*store).await;
    let other = place.desk().await;
    let moved = DeskAsk { seen: seen[1], order: DeskOrder::Reschedule(after(30)) };
    other.desk_all(vec![moved], &person("a call"), policies(), after(1)).await.unwrap();
    let stranger = Seen { id: InvitationId(99), ..seen[0] };
    let asks = seen.iter().chain([&stranger]).map(|seen| DeskAsk { seen: *seen, order: DeskOrder::Cancel }).collect();
    let outcomes = store.desk_all(asks, &person("all of them"), policies(), after(2)).await.unwrap();
    let rules = outcomes.iter().map(|outcome| match outcome {
        DeskOutcome::Decided(decision) => decision.rule.as_str(),
        DeskOutcome::Changed => "changed",
        DeskOutcome::Missing => "missing",
    });
    assert_eq!(rules.collect::<Vec<_>>(), ["desk-cancels", "changed", "desk-cancels", "missing"]);
    let states = store.list(&Filter::default(), None, 10).await.unwrap().invitations;
    let states = states.iter().map(|one| (one.progress.state, one.progress.due_at)).collect::<Vec<_>>();
    assert_eq!(states, [(State::Cancelled, None), (State::Queued, Some(after(30))), (State::Cancelled, None)]);
    let story = store.story(&Subject::Invitation(seen[1].id)).await.unwrap();
    let last = story.decisions.last().unwrap();
    assert_eq!((last.rule, last.note.as_deref()), (Rule::DeskReschedules, Some("a call")), "nothing was noted either");
}

async fn of_two_people_at_once_one_is_told_that_the_other_was_first(place: Place) {
    let stores = [place.daemon().await, place.desk().await];
    let seen = seen(&*stores[0]).await;
    let cancel = async |store: &dyn Store, name: &str| {
        let asks = seen.iter().map(|seen| DeskAsk { seen: *seen, order: DeskOrder::Cancel }).collect();
        store.desk_all(asks, &person(name), policies(), after(1)).await.unwrap()
    };
    let (one, two) = tokio::join!(cancel(&*stores[0], "one"), cancel(&*stores[1], "two"));
    for (one, two) in one.iter().zip(&two) {
        let is_done = |outcome: &DeskOutcome| matches!(outcome, DeskOutcome::Decided(_));
        assert_eq!(usize::from(is_done(one)) + usize::from(is_done(two)), 1, "{one:?} {two:?}");
    }
}

async fn reinvite(store: &dyn Store, id: i64, now: Timestamp) -> Reinvited {
    store.reinvite(InvitationId(id), now, &person("once more"), policies(), now).await.unwrap()
}

async fn a_new_round_follows_one_that_has_ended_and_takes_the_news(place: Place) {
    let store = place.daemon().await;
    tell(&*store, "nord", EventKind::Placed, "A-1", "anna@example.com", T0).await;
    assert_eq!(reinvite(&*store, 1, after(1)).await, Reinvited::Refused(Rule::StillUnderWay));
    assert_eq!(reinvite(&*store, 9, after(1)).await, Reinvited::Missing);
    cancel(&*store, 1, after(1)).await;
    let Reinvited::Opened { id, decision } = reinvite(&*store, 1, after(2)).await else { panic!() };
    assert_eq!((decision.rule, decision.progress.state), (Rule::DeskReinvites, State::Queued));
    assert_eq!(decision.progress.due_at, Some(after(2)));
    assert_eq!(reinvite(&*store, 1, after(2)).await, Reinvited::Followed(id));
    let story = store.story(&Subject::Invitation(id)).await.unwrap();
    let one = &story.invitations[0];
    assert_eq!((one.round, one.follows, one.customer.email.as_str()), (1, Some(InvitationId(1)), "anna@example.com"));
    let begun = &story.decisions[0];
    assert_eq!((begun.event.as_str(), begun.actor.as_str(), begun.from), ("desk reinvite", "support", None));
    assert_eq!(begun.note.as_deref(), Some("once more"));

    let moved = tell(&*store, "nord", EventKind::Delayed, "A-1", "anna@example.com", after(3)).await;
    assert_eq!(moved.iter().map(|(moved, ..)| *moved).collect::<Vec<_>>(), [id], "news are for the last round only");
    let moved = tell(&*store, "nord", EventKind::Cancelled, "A-1", "anna@example.com", after(4)).await;
    assert_eq!(moved.iter().map(|(moved, ..)| moved.0).collect::<Vec<_>>(), [1, id.0], "its end is told to all");
    assert_eq!(reinvite(&*store, id.0, after(5)).await, Reinvited::Refused(Rule::OrderIsCancelled));
}

async fn an_order_that_was_cancelled_under_another_address_gets_no_new_round(place: Place) {
    let store = place.daemon().await;
    tell(&*store, "nord", EventKind::Placed, "A-1", "anna@example.com", T0).await;
    cancel(&*store, 1, after(1)).await;
    tell(&*store, "nord", EventKind::Cancelled, "A-1", "bo@example.com", after(2)).await;
    assert_eq!(reinvite(&*store, 1, after(3)).await, Reinvited::Refused(Rule::OrderIsCancelled));
}

/// Somebody cancels.
async fn cancel(store: &dyn Store, id: i64, now: Timestamp) {
    by_hand::order(store, InvitationId(id), DeskOrder::Cancel, &person(""), &policies(), now).await.unwrap();
}

async fn two_people_begin_one_new_round_between_them(place: Place) {
    let stores = [place.daemon().await, place.desk().await];
    tell(&*stores[0], "nord", EventKind::Placed, "A-1", "anna@example.com", T0).await;
    cancel(&*stores[0], 1, after(1)).await;
    let (one, two) = tokio::join!(reinvite(&*stores[0], 1, after(2)), reinvite(&*stores[1], 1, after(2)));
    let opened = |answer: &Reinvited| matches!(answer, Reinvited::Opened { .. });
    assert!(opened(&one) != opened(&two), "{one:?} {two:?}");
    let email = EmailAddress::parse("anna@example.com").unwrap().key();
    let filter = Filter { email: Some(email), ..Filter::default() };
    assert_eq!(stores[0].list(&filter, None, 10).await.unwrap().invitations.len(), 2);
}

on_each_engine!(
    everything_that_a_filter_asks_for_must_hold,
    clocks_that_differ_hide_nothing_from_a_filter_by_age,
    what_somebody_else_has_changed_is_left_alone,
    of_two_people_at_once_one_is_told_that_the_other_was_first,
    a_new_round_follows_one_that_has_ended_and_takes_the_news,
    an_order_that_was_cancelled_under_another_address_gets_no_new_round,
    two_people_begin_one_new_round_between_them,
);
