//! Counts that are kept while copies are filed, and alarms that are told once.

use std::sync::Arc;

use invited::domain::{AlarmKind, CopyId, DAY, EventKind, HOUR, Hour, Outcome, Reading, Timestamp};
use invited::store::{Alarm, DeskAct, DeskFiling, Store};

use super::{Place, T0, after, filing, mail, order, person, policies, shop};

/// Takes a copy in and files what was read from it.
async fn came(store: &dyn Store, shop_name: &str, outcome: Outcome, at: Timestamp) -> CopyId {
    let copy = store.spool(vec![mail(shop_name, "x", at)]).await.unwrap()[0];
    let reading = match outcome {
        Outcome::Event => order(EventKind::Placed, &format!("A-{copy}"), "anna@example.com"),
        other => Reading::without_findings(other, "a reason"),
    };
    store.file_readings(Arc::new([filing(copy, shop_name, reading)]), policies(), at).await.unwrap();
    copy
}

/// Event, ignored, held and discarded of a shop.
async fn sum(store: &dyn Store, shop_name: &str) -> [u64; 4] {
    let figures = store.watch_figures().await.unwrap();
    let sum = figures.sums.iter().find(|sum| sum.shop == shop(shop_name)).unwrap();
    [sum.event, sum.ignored, sum.held, sum.discarded]
}

/// Event, ignored and held of each hour of a shop.
async fn hours(store: &dyn Store, shop_name: &str) -> Vec<[u64; 3]> {
    let hours = store.watch_hours(&[shop(shop_name)], Timestamp(i64::MIN)).await.unwrap();
    hours.iter().map(|(_, hour)| [hour.event, hour.ignored, hour.held]).collect()
}

async fn copies_are_counted_by_shop_and_hour_when_they_are_filed(place: Place) {
    let store = place.desk().await;
    assert_eq!(store.watch_figures().await.unwrap().sums, []);
    let late = T0.plus(HOUR / 2);
    for (shop_name, outcome, at) in [
        ("nord", Outcome::Event, T0),
        ("nord", Outcome::Held, late),
        ("nord", Outcome::Held, after(1)),
        ("doubles", Outcome::Ignored, T0),
    ] {
        came(&*store, shop_name, outcome, at).await;
    }
    store.spool(vec![mail("nord", "x", after(2)); 2]).await.unwrap();
    let figures = store.watch_figures().await.unwrap();
    assert_eq!(figures.unread, [(shop("nord"), 2)]);
    let last = figures.sums.iter().map(|sum| (sum.shop.as_str(), sum.last_copy_at)).collect::<Vec<_>>();
    assert_eq!(last, [("doubles", T0), ("nord", after(1))]);
    assert_eq!((sum(&*store, "nord").await, sum(&*store, "doubles").await), ([1, 0, 2, 0], [0, 1, 0, 0]));
    let hour = |at, event, held| (shop("nord"), Hour { begins: Hour::of(at), event, ignored: 0, held });
    let all = [shop("nord"), shop("nowhere")];
    assert_eq!(store.watch_hours(&all, Timestamp(0)).await.unwrap(), [hour(T0, 1, 1), hour(after(1), 0, 1)],);
    assert_eq!(store.watch_hours(&all, after(1)).await.unwrap(), [hour(after(1), 0, 1)]);
    assert_eq!(store.watch_hours(&[], Timestamp(0)).await.unwrap(), []);

    // Filing again, and a reading that is filed twice in one batch, count once.
    let filed = filing(CopyId(1), "nord", Reading::without_findings(Outcome::Held, "x"));
    store.file_readings(Arc::new([filed.clone(), filed]), policies(), T0).await.unwrap();
    assert_eq!(sum(&*store, "nord").await, [1, 0, 2, 0]);
    // A copy that the reader does not get through is held too.
    store.claim_copies(1, 0, "one", T0).await.unwrap();
    assert_eq!(sum(&*store, "nord").await, [1, 0, 4, 0]);
    assert_eq!(store.purge_hours(after(1)).await.unwrap(), 2);
    assert_eq!(hours(&*store, "nord").await, [[0, 0, 1], [0, 0, 2]]);
}

async fn what_people_do_moves_the_sums_and_only_a_replay_what_the_reader_made_of_it(place: Place) {
    let store = place.desk().await;
    let mut held = Vec::new();
    for _ in 0..4 {
        held.push(came(&*store, "nord", Outcome::Held, T0).await);
    }
    let by = |act, is_dry| DeskFiling { act, actor: person(""), also_ignored: true, is_dry };
    let event = |copy: CopyId| Arc::new([filing(copy, "nord", order(EventKind::Placed, "A-1", "anna@example.com"))]);
    store.file_for_desk(event(held[0]), &by(DeskAct::Released, true), policies(), T0).await.unwrap();
    assert_eq!((sum(&*store, "nord").await, hours(&*store, "nord").await), ([0, 0, 4, 0], vec![[0, 0, 4]]));
    store.file_for_desk(event(held[0]), &by(DeskAct::Released, false), policies(), T0).await.unwrap();
    assert_eq!((sum(&*store, "nord").await, hours(&*store, "nord").await), ([1, 0, 3, 0], vec![[0, 0, 4]]));
    store.discard(vec![held[1], held[0]], &person(""), T0).await.unwrap();
    assert_eq!((sum(&*store, "nord").await, hours(&*store, "nord").await), ([1, 0, 2, 1], vec![[0, 0, 4]]));
    let replay = by(DeskAct::Replayed, false);
    let ignored = filing(held[2], "nord", Reading::without_findings(Outcome::Ignored, "a newsletter"));
    store.file_for_desk(Arc::new([ignored]), &replay, policies(), T0).await.unwrap();
    assert_eq!((sum(&*store, "nord").await, hours(&*store, "nord").await), ([1, 1, 1, 1], vec![[0, 1, 3]]));
    store.file_for_desk(event(held[2]), &replay, policies(), T0).await.unwrap();
    store.file_for_desk(event(held[3]), &replay, policies(), T0).await.unwrap();
    assert_eq!((sum(&*store, "nord").await, hours(&*store, "nord").await), ([3, 0, 0, 1], vec![[2, 0, 2]]));
}

async fn an_alarm_is_raised_once_and_ended_once_whoever_sees_it(place: Place) {
    let (one, two) = (place.desk().await, place.desk().await);
    let alarm = |since, kind| Alarm { shop: shop("nord"), kind, since, note: "9 of 10".to_owned() };
    let first = alarm(T0, AlarmKind::Held);
    let late = alarm(after(1), AlarmKind::Held);
    let (by_one, by_two) = tokio::join!(one.raise_alarm(&first), two.raise_alarm(&late));
    assert!(by_one.unwrap() ^ by_two.unwrap(), "one of them says so");
    assert!(one.raise_alarm(&alarm(after(2), AlarmKind::Silent)).await.unwrap(), "another kind is another alarm");
    let alarms = two.watch_figures().await.unwrap().alarms;
    assert_eq!(alarms.iter().map(|alarm| alarm.kind).collect::<Vec<_>>(), AlarmKind::COUNTED);
    let stands = &alarms[0];
    let gone = if *stands == first { &late } else { &first };
    assert!(!one.clear_alarm(gone).await.unwrap(), "an older look cannot end a newer alarm");
    let (by_one, by_two) = tokio::join!(one.clear_alarm(stands), two.clear_alarm(stands));
    assert!(by_one.unwrap() ^ by_two.unwrap());
    assert_eq!(one.watch_figures().await.unwrap().alarms.len(), 1);
}

async fn several_daemons_count_what_each_of_them_files(place: Place) {
    let stores = [place.desk().await, place.desk().await];
    let mut tasks = Vec::new();
    for (number, store) in stores.into_iter().enumerate() {
        tasks.push(tokio::spawn(async move {
            for n in 0..20 {
                let shop_name = if n % 2 == number { "nord" } else { "doubles" };
                let copies = [0, 1, 2].map(|day| mail(shop_name, "x", T0.plus(DAY * day)));
                let copies = store.spool(copies.to_vec()).await.unwrap();
                let readings = copies
                    .into_iter()
                    .rev()
                    .map(|copy| filing(copy, shop_name, Reading::without_findings(Outcome::Held, "a reason")));
                store.file_readings(readings.collect(), policies(), T0).await.unwrap();
            }
            store
        }));
    }
    let mut last = None;
    for task in tasks {
        last = Some(task.await.unwrap());
    }
    let store = last.unwrap();
    assert_eq!((sum(&*store, "nord").await[2], sum(&*store, "doubles").await[2]), (60, 60));
    assert_eq!(hours(&*store, "nord").await, [[0, 0, 20]; 3]);
}

on_each_engine!(
    copies_are_counted_by_shop_and_hour_when_they_are_filed,
    what_people_do_moves_the_sums_and_only_a_replay_what_the_reader_made_of_it,
    an_alarm_is_raised_once_and_ended_once_whoever_sees_it,
    several_daemons_count_what_each_of_them_files,
);
