//! Who hands in a shop's copies, and what is held for their sake.

use std::sync::Arc;

use invited::domain::{CopyId, DAY, Doubt, EventKind, SenderState, ShopId, State, Timestamp, Volume};
use invited::store::{
    Bound, CopyState, Credence, DeskAct, DeskFiling, Filed, FiledReading, HeldFilter, Role, Sender, SenderFilter, Store,
};

use super::{Place, T0, after, filing, mail, order, person, policies, shop};

/// Takes copies in that tell of these orders, and files them.
async fn told(store: &dyn Store, orders: &[&str], credence: &Credence, now: Timestamp) -> Vec<Filed> {
    let readings = readings(store, orders, credence, now).await;
    store.file_readings(readings, policies(), now).await.unwrap()
}

async fn readings(store: &dyn Store, orders: &[&str], credence: &Credence, now: Timestamp) -> Arc<[FiledReading]> {
    let copies = store.spool(vec![mail("nord", "a mail", now); orders.len()]).await.unwrap();
    let filed = copies.into_iter().zip(orders).map(|(copy, reference)| {
        let reading = order(EventKind::Placed, reference, "anna@example.com");
        FiledReading { credence: credence.clone(), ..filing(copy, "nord", reading) }
    });
    filed.collect()
}

fn of(mark: &str) -> Credence {
    Credence { mark: Some(mark.to_owned()), proof: Some("{\"a\":1}".to_owned()), ..Credence::default() }
}

fn at_most(most: u32) -> Credence {
    Credence { bound: Some(Bound { volume: Volume::AtMost(most), is_proven: true }), ..Credence::default() }
}

async fn state(store: &dyn Store, copy: CopyId) -> (CopyState, Option<Doubt>) {
    let (copy, _) = store.copy(copy).await.unwrap().unwrap();
    (copy.state, copy.doubt)
}

fn replay() -> DeskFiling {
    DeskFiling { act: DeskAct::Replayed, actor: person("again"), also_ignored: false, is_dry: false }
}

async fn copies_of_a_new_sender_are_held_until_a_person_approves_it(place: Place) {
    let store = place.daemon().await;
    let filed = told(&*store, &["A-1", "A-2"], &of("shop.example 192.0.2.0/24"), after(0)).await;
    assert_eq!(filed[0].first_seen.as_deref(), Some("shop.example 192.0.2.0/24"));
    assert_eq!(filed[1].first_seen, None);
    for one in &filed {
        assert!(one.is_done && one.moved.is_empty());
        assert!(one.instead.as_ref().unwrap().0.reason.as_ref().unwrap().starts_with("new sender: "));
        let (copy, _) = store.copy(one.copy).await.unwrap().unwrap();
        assert_eq!((copy.state, copy.doubt), (CopyState::Held, Some(Doubt::NewSender)));
        assert_eq!(copy.proof.as_deref(), Some("{\"a\":1}"));
        assert_eq!(copy.sender.as_deref(), Some("shop.example 192.0.2.0/24"));
    }
    // The layout of such mails is well known, so they count as read.
    let hours = store.watch_hours(&[shop("nord")], T0).await.unwrap();
    assert_eq!((hours[0].1.event, hours[0].1.held), (2, 0));
    assert_eq!(store.watch_figures().await.unwrap().sums[0].held, 2);

    let sql = place.open(Role::Desk).await;
    let page = sql.senders(&SenderFilter::default(), None, 10).await.unwrap();
    let [Sender { id, state: SenderState::New, copies: 2, held: 2, decided: None, .. }] = page[..] else { panic!() };
    let sender = (shop("nord"), "shop.example 192.0.2.0/24".to_owned());
    let decide = async |state, day| sql.decide_senders(vec![sender.clone()], state, &person("ours"), after(day)).await;
    assert_eq!(decide(SenderState::Approved, 1).await.unwrap(), [Some(SenderState::New)]);
    let sender = sql.senders_by_ids(vec![id]).await.unwrap().remove(0);
    assert_eq!((sender.state, sender.decided), (SenderState::Approved, Some((person("ours"), after(1)))));

    // What is held stays so until somebody has it read again; what comes now passes.
    assert_eq!(told(&*store, &["A-3"], &of("shop.example 192.0.2.0/24"), after(1)).await[0].moved.len(), 1);
    assert_eq!(state(&*store, filed[0].copy).await, (CopyState::Held, Some(Doubt::NewSender)));
    let held = sql.held_of_sender(&shop("nord"), "shop.example 192.0.2.0/24", CopyId(0), 10).await.unwrap();
    assert_eq!(held, [filed[0].copy, filed[1].copy]);
    let again = held.iter().zip(["A-1", "A-2"]).map(|(copy, reference)| {
        let reading = order(EventKind::Placed, reference, "anna@example.com");
        FiledReading { credence: of("shop.example 192.0.2.0/24"), ..filing(*copy, "nord", reading) }
    });
    let again = store.file_for_desk(again.collect(), &replay(), policies(), after(1)).await.unwrap();
    assert!(again.iter().all(|one| one.moved[0].1.progress.state == State::Waiting || !one.moved.is_empty()));
    assert_eq!(state(&*store, filed[0].copy).await, (CopyState::Event, None));
    let hours = store.watch_hours(&[shop("nord")], T0).await.unwrap();
    assert_eq!((hours[0].1.event, hours[0].1.held), (2, 0));
    assert_eq!(store.watch_figures().await.unwrap().sums[0].held, 0);

    assert_eq!(decide(SenderState::Blocked, 2).await.unwrap(), [Some(SenderState::Approved)]);
    let filed = told(&*store, &["A-4"], &of("shop.example 192.0.2.0/24"), after(2)).await;
    assert_eq!(state(&*store, filed[0].copy).await, (CopyState::Ignored, None));
    assert!(filed[0].instead.as_ref().unwrap().0.reason.as_ref().unwrap().starts_with("blocked sender: "));
}

async fn a_person_has_senders_approved_before_their_first_copy_and_a_replay_does_not_go_around_one(place: Place) {
    let store = place.daemon().await;
    let sql = place.open(Role::Desk).await;
    let known = vec![(shop("nord"), "known".to_owned())];
    assert_eq!(sql.decide_senders(known, SenderState::Approved, &person("x"), T0).await.unwrap(), [None]);
    assert_eq!(told(&*store, &["A-1"], &of("known"), T0).await[0].moved.len(), 1);
    // Of another shop the same sender is another one.
    let copy = store.spool(vec![mail("doubles", "a mail", T0)]).await.unwrap()[0];
    let reading = order(EventKind::Placed, "A-1", "anna@example.com");
    let theirs = FiledReading { credence: of("known"), ..filing(copy, "doubles", reading) };
    let filed = store.file_readings(Arc::new([theirs.clone()]), policies(), T0).await.unwrap();
    assert!(filed[0].moved.is_empty());

    let filed = store.file_for_desk(Arc::new([theirs.clone()]), &replay(), policies(), T0).await.unwrap();
    assert!(filed[0].is_done && filed[0].moved.is_empty());
    assert_eq!(state(&*store, copy).await, (CopyState::Held, Some(Doubt::NewSender)));
    let release = DeskFiling { act: DeskAct::Released, ..replay() };
    let vouched = FiledReading { credence: Credence::default(), ..theirs };
    assert_eq!(store.file_for_desk(Arc::new([vouched]), &release, policies(), T0).await.unwrap()[0].moved.len(), 1);
    let (copy, _) = store.copy(copy).await.unwrap().unwrap();
    assert_eq!((copy.sender.as_deref(), copy.doubt), (Some("known"), None), "what was found stays with it");
}

async fn whoever_invents_senders_fills_no_table(place: Place) {
    let store = place.daemon().await;
    let orders = (0..1200).map(|n| format!("N-{n}")).collect::<Vec<_>>();
    let orders = orders.iter().map(String::as_str).collect::<Vec<_>>();
    let readings = readings(&*store, &orders, &Credence::default(), T0).await;
    let readings =
        readings.iter().enumerate().map(|(n, one)| FiledReading { credence: of(&n.to_string()), ..one.clone() });
    let filed = store.file_readings(readings.collect(), policies(), T0).await.unwrap();
    assert!(filed.iter().all(|one| one.moved.is_empty() && one.instead.is_some()));
    assert_eq!(filed.iter().filter(|one| one.first_seen.is_some()).count(), 1000);
    let sql = place.open(Role::Desk).await;
    let nord = SenderFilter { shop: Some(shop("nord")), state: Some(SenderState::New) };
    let first = sql.senders(&nord, None, 600).await.unwrap();
    let second = sql.senders(&nord, first.last().map(|one| one.id), 600).await.unwrap();
    assert_eq!((first.len(), second.len()), (600, 400));
    let approved = SenderFilter { state: Some(SenderState::Approved), ..nord };
    assert!(sql.senders(&approved, None, 10).await.unwrap().is_empty());
}

async fn a_day_has_so_many_invitations_and_what_is_more_is_held(place: Place) {
    let store = place.daemon().await;
    let filed = told(&*store, &["A-1", "A-2", "A-1", "A-3"], &at_most(2), after(0)).await;
    let begun = filed.iter().map(|one| one.moved.len()).collect::<Vec<_>>();
    assert_eq!(begun, [1, 1, 1, 0], "news of an order that has its invitation begins none");
    assert_eq!(state(&*store, filed[3].copy).await, (CopyState::Held, Some(Doubt::Volume)));
    assert!(told(&*store, &["A-4"], &at_most(2), after(0)).await[0].moved.is_empty());
    assert_eq!(told(&*store, &["A-4"], &Credence::default(), after(0)).await[0].moved.len(), 1, "without a bound");
    assert_eq!(told(&*store, &["A-5"], &at_most(2), after(1)).await[0].moved.len(), 1, "another day");

    // A person has them read again, however many; that does not use up the day.
    let again = FiledReading {
        credence: at_most(2),
        ..filing(filed[3].copy, "nord", order(EventKind::Placed, "A-3", "anna@example.com"))
    };
    let again = store.file_for_desk(Arc::new([again]), &replay(), policies(), after(1)).await.unwrap();
    assert_eq!(again[0].moved.len(), 1);
    assert_eq!(told(&*store, &["A-6"], &at_most(2), after(1)).await[0].moved.len(), 1);
    assert_eq!(told(&*store, &["A-7"], &at_most(2), after(1)).await[0].moved.len(), 0);
}

async fn the_usual_day_is_learned_from_what_began(place: Place) {
    let store = place.daemon().await;
    let usual = Credence { bound: Some(Bound { volume: Volume::Usual, is_proven: true }), ..Credence::default() };
    for day in 0..9 {
        let orders = (0..20).map(|n| format!("D{day}-{n}")).collect::<Vec<_>>();
        let orders = orders.iter().map(String::as_str).collect::<Vec<_>>();
        assert!(told(&*store, &orders, &usual, after(day)).await.iter().all(|one| one.moved.len() == 1));
    }
    let orders = (0..70).map(|n| format!("F-{n}")).collect::<Vec<_>>();
    let orders = orders.iter().map(String::as_str).collect::<Vec<_>>();
    let filed = told(&*store, &orders, &usual, after(9)).await;
    assert_eq!(filed.iter().filter(|one| one.moved.len() == 1).count(), 60, "three times twenty");
}

async fn copies_in_doubt_are_found_by_their_shop_and_by_the_time_to_look_again(place: Place) {
    let store = place.daemon().await;
    let untrusted = |again_at| Credence { doubt: Some((Doubt::Dns, again_at)), ..Credence::default() };
    let held = async |reference: &str, again_at| {
        let readings = readings(&*store, &[reference], &untrusted(again_at), T0).await;
        let mut one = readings[0].clone();
        one.reading.outcome = invited::domain::Outcome::Held;
        one.reading.reason = Some(Doubt::Dns.reason("no answer"));
        store.file_readings(Arc::new([one.clone()]), policies(), T0).await.unwrap();
        one
    };
    let later = T0.plus(DAY / 24);
    let first = held("A-1", Some(later)).await;
    let second = held("A-2", Some(T0)).await;
    assert_eq!(store.copies_again(T0, 10).await.unwrap(), [second.copy]);
    assert_eq!(store.copies_again(later, 10).await.unwrap(), [second.copy, first.copy]);
    assert_eq!(store.copies_again(later, 1).await.unwrap(), [second.copy]);
    let asked = |doubt| vec![(shop("nord"), doubt), (shop("doubles"), doubt)];
    let in_doubt = async |doubt, since| store.in_doubt(&asked(doubt), since).await.unwrap();
    assert_eq!(in_doubt(Doubt::Dns, T0).await, [(shop("nord"), Doubt::Dns)]);
    assert_eq!(in_doubt(Doubt::Dns, after(1)).await, []);
    assert_eq!(in_doubt(Doubt::Volume, T0).await, []);

    // The DNS answers: it is filed without a person's hand.
    let reading = order(EventKind::Placed, "A-2", "anna@example.com");
    let good = FiledReading { credence: Credence::default(), ..filing(second.copy, "nord", reading) };
    let filed = store.file_again(Arc::new([good.clone()]), policies(), later).await.unwrap();
    assert_eq!(filed[0].moved.len(), 1);
    let (copy, _) = store.copy(second.copy).await.unwrap().unwrap();
    assert_eq!((copy.state, copy.desk, copy.doubt), (CopyState::Event, None, None));
    assert_eq!(store.copies_again(later, 10).await.unwrap(), [first.copy]);
    assert!(!store.file_again(Arc::new([good]), policies(), later).await.unwrap()[0].is_done, "once");

    let filter = HeldFilter { reason: Some("dns trouble".to_owned()), ..HeldFilter::default() };
    assert_eq!(store.held_copies(&filter, None, 10).await.unwrap().len(), 1);
    store.discard(vec![first.copy], &person("x"), later).await.unwrap();
    assert_eq!(store.copies_again(later, 10).await.unwrap(), []);
    assert_eq!(in_doubt(Doubt::Dns, T0).await, []);
}

async fn a_queue_that_is_new_has_no_senders_to_learn(place: Place) {
    let store = place.daemon().await;
    told(&*store, &["A-1"], &Credence::default(), T0).await;
    let sql = place.open(Role::Desk).await;
    assert_eq!(sql.past_hands(Timestamp(0)).await.unwrap(), None);
    let nobody: Vec<(ShopId, String)> = Vec::new();
    assert!(!sql.learn_senders(nobody, &person("x"), T0).await.unwrap());
}

on_each_engine!(
    copies_of_a_new_sender_are_held_until_a_person_approves_it,
    a_person_has_senders_approved_before_their_first_copy_and_a_replay_does_not_go_around_one,
    whoever_invents_senders_fills_no_table,
    a_day_has_so_many_invitations_and_what_is_more_is_held,
    the_usual_day_is_learned_from_what_began,
    copies_in_doubt_are_found_by_their_shop_and_by_the_time_to_look_again,
    a_queue_that_is_new_has_no_senders_to_learn,
);
