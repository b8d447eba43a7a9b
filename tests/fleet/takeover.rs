//! What a daemon that died, or slept beyond its lease, leaves to the others: copies that it was reading, letters that it had
//! claimed, and letters that were on the wire.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::PgConnection;
use tokio::sync::watch;

use crate::crew::{Crew, until_number};
use crate::postgres;
use crate::relay::{Act, At, Moment, TestRelay};

/// Seconds.
const LEASE: u64 = 2;

/// Two connections, so that a few letters are enough to fill them.
const TWO: &[(&str, &str)] = &[("relay.connections", "2")];

async fn number(conn: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(conn).await.unwrap()
}

/// A relay that does `stuck` until it is told otherwise.
async fn stuck_at(stuck: impl Fn(&Moment) -> Option<Act> + Send + Sync + 'static) -> (TestRelay, Arc<AtomicBool>) {
    let works = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&works);
    let relay = TestRelay::start(move |moment| match stuck(moment) {
        Some(act) if !flag.load(Ordering::Relaxed) => act,
        _ => Act::Ok,
    })
    .await;
    (relay, works)
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_that_a_killed_daemon_was_reading_are_read_by_another_after_its_lease() {
    let Some(server) = postgres::server() else { return };
    let place = server.database();
    let relay = TestRelay::start(|_| Act::Ok).await;
    let mut crew = Crew::start(&place.url(), &relay, &[], 1, LEASE).await;
    let mut conn = crew.sites[0].server().await;
    // Whoever files a reading waits for the turn of its order first.
    let mut block = crew.sites[0].server().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE turn IN EXCLUSIVE MODE").execute(&mut block).await.unwrap();
    crew.hand_in(0, "READ-0").await;
    until_number(&mut conn, "SELECT count(*) FROM copy WHERE state = 'unread' AND owner IS NOT NULL", 1).await;
    for n in 1..5 {
        crew.hand_in(0, &format!("READ-{n}")).await;
    }
    crew.kill(0).await;
    assert_eq!(number(&mut conn, "SELECT count(*) FROM copy WHERE state = 'unread'").await, 5);
    let lease_until = number(&mut conn, "SELECT lease_until FROM daemon").await;
    sqlx::raw_sql("ROLLBACK").execute(&mut block).await.unwrap();

    crew.begin(0).await;
    crew.until_quiet().await;
    let early = sqlx::query_scalar::<_, i64>("SELECT id FROM copy WHERE read_at < $1 ORDER BY id").bind(lease_until);
    let early = early.fetch_all(&mut conn).await.unwrap();
    assert!(!early.contains(&1), "the first was the dead daemon's until {lease_until}: {early:?}");
    assert_eq!(number(&mut conn, "SELECT attempts FROM copy WHERE id = 1").await, 2);
    assert_eq!(number(&mut conn, "SELECT count(*) FROM invitation WHERE state = 'done'").await, 5);
    assert_eq!(relay.taken().len(), 5);
    crew.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_that_a_killed_daemon_had_claimed_are_sent_by_another_after_its_lease() {
    let Some(server) = postgres::server() else { return };
    let place = server.database();
    let (relay, works) = stuck_at(|moment| (moment.at == At::Data).then_some(Act::Silence)).await;
    let mut crew = Crew::start(&place.url(), &relay, TWO, 2, LEASE).await;
    let mut conn = crew.sites[0].server().await;
    for n in 0..6 {
        crew.hand_in(n % 2, &format!("CLAIMED-{n}")).await;
    }
    until_number(&mut conn, "SELECT count(*) FROM invitation WHERE state IN ('queued', 'sending')", 6).await;
    until_number(&mut conn, "SELECT count(*) FROM letter WHERE phase = 'claimed'", 2).await;
    relay.until(|seen| seen.busy == 2).await;
    // Both are killed, so that it is sure whose the letters were.
    crew.kill(0).await;
    crew.kill(1).await;
    works.store(true, Ordering::Relaxed);
    // Of the one that had them: the other's may be over a little later, which is nothing to wait for.
    let theirs = "SELECT min(lease_until) FROM daemon WHERE owner IN (SELECT owner FROM letter)";
    let lease_until = number(&mut conn, theirs).await;
    crew.begin(0).await;
    crew.until_quiet().await;
    // The dead ones' letters use up the relay's connections until then.
    let early = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM letter WHERE claimed_at < $1").bind(lease_until);
    assert_eq!(early.fetch_one(&mut conn).await.unwrap(), 0);
    assert_eq!(number(&mut conn, "SELECT count(*) FROM invitation WHERE state = 'done'").await, 6);
    assert_eq!(relay.taken().len(), 6);
    assert_eq!(relay.seen().most_busy, 2);
    crew.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_that_were_on_the_wire_when_their_daemon_was_killed_are_in_doubt_listed_and_not_sent_again() {
    let Some(server) = postgres::server() else { return };
    let place = server.database();
    let taken_in_silence = |moment: &Moment| (moment.at == At::Dot).then(|| Act::Kept(Box::new(Act::Silence)));
    let (relay, works) = stuck_at(taken_in_silence).await;
    let mut crew = Crew::start(&place.url(), &relay, TWO, 1, LEASE).await;
    let mut conn = crew.sites[0].server().await;
    crew.hand_in(0, "WIRE-1").await;
    crew.hand_in(0, "WIRE-2").await;
    relay.until(|seen| seen.dots == 2).await;
    assert_eq!(number(&mut conn, "SELECT count(*) FROM letter WHERE phase = 'on_the_wire'").await, 2);
    crew.kill(0).await;
    works.store(true, Ordering::Relaxed);
    crew.begin(0).await;
    until_number(&mut conn, "SELECT count(*) FROM invitation WHERE state = 'in_doubt'", 2).await;
    let listed = crew.sites[0].run(&["queue", "list", "--state", "in_doubt", "--json"]).ended(0).json();
    let listed = listed.iter().map(|row| row["reference"].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(listed, ["WIRE-2", "WIRE-1"]);
    // What comes after them goes out; they do not.
    crew.hand_in(0, "WIRE-3").await;
    crew.until_quiet().await;
    let to = relay.taken().into_iter().map(|letter| letter.to.join(",")).collect::<Vec<_>>();
    assert_eq!(to.iter().filter(|to| to.starts_with("wire-3@")).count(), 1);
    assert_eq!((to.len(), relay.seen().dots), (3, 3));
    assert_eq!(number(&mut conn, "SELECT count(*) FROM invitation WHERE state = 'in_doubt'").await, 2);
    crew.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_slept_beyond_its_lease_sends_nothing_of_what_it_had_claimed() {
    let Some(server) = postgres::server() else { return };
    let place = server.database();
    // The sleeper's two connections are the first; they hear 354 when it has slept.
    let (open, gate) = watch::channel(false);
    let relay = TestRelay::start(move |moment| match moment {
        Moment { at: At::Data, connection: 0 | 1, .. } => Act::When(gate.clone(), Box::new(Act::Ok)),
        _ => Act::Ok,
    })
    .await;
    let mut crew = Crew::start(&place.url(), &relay, TWO, 1, LEASE).await;
    let mut conn = crew.sites[0].server().await;
    crew.hand_in(0, "SLEEP-1").await;
    crew.hand_in(0, "SLEEP-2").await;
    relay.until(|seen| seen.lines.iter().filter(|(_, line)| line == "DATA").count() == 2).await;
    assert_eq!(number(&mut conn, "SELECT count(*) FROM letter WHERE phase = 'claimed'").await, 2);
    crew.service(0).signal("STOP");

    crew.join().await;
    relay.until(|seen| seen.taken.len() == 2).await;
    until_number(&mut conn, "SELECT count(*) FROM invitation WHERE state = 'done'", 2).await;
    open.send_replace(true);
    crew.service(0).signal("CONT");
    let sleeper = crew.service(0);
    crate::kit::until("the sleeper learns that its claims are over", async || {
        let stopped = sleeper.log().matches("a letter was stopped before it was on the wire").count();
        (stopped == 2).then_some(())
    })
    .await;
    // It takes part again, and no letter went out twice.
    crew.hand_in(0, "SLEEP-3").await;
    crew.until_quiet().await;
    assert_eq!((relay.taken().len(), relay.seen().dots), (3, 3));
    assert_eq!(number(&mut conn, "SELECT count(*) FROM invitation WHERE state = 'done'").await, 3);
    assert_eq!(number(&mut conn, "SELECT count(*) FROM daemon").await, 2);
    crew.stop().await;
    assert_eq!(number(&mut conn, "SELECT count(*) FROM daemon").await, 0, "who stops takes leave");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_stops_leaves_its_unread_copies_to_others_at_once() {
    let Some(server) = postgres::server() else { return };
    let place = server.database();
    let relay = TestRelay::start(|_| Act::Ok).await;
    // Nobody could wait for the end of such a lease.
    let mut crew = Crew::start(&place.url(), &relay, &[], 2, 3600).await;
    let mut conn = crew.sites[0].server().await;
    let mut block = crew.sites[0].server().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE turn IN EXCLUSIVE MODE").execute(&mut block).await.unwrap();
    crew.hand_in(0, "LEFT-1").await;
    until_number(&mut conn, "SELECT count(*) FROM copy WHERE state = 'unread' AND owner IS NOT NULL", 1).await;
    crew.service(0).signal("TERM");
    crew.service(1).signal("TERM");
    sqlx::raw_sql("ROLLBACK").execute(&mut block).await.unwrap();
    assert_eq!((crew.ended(0).await.0, crew.ended(1).await.0), (Some(0), Some(0)));
    crew.begin(1).await;
    crew.until_quiet().await;
    assert_eq!(relay.taken().len(), 1);
    crew.stop().await;
}
