//! Three daemons take in, read and send together, and one after the other is killed.

use std::time::{Duration, Instant};

use crate::crew::{Crew, judge, until_number};
use crate::kit::{Chance, say, setting};
use crate::postgres::Cluster;
use crate::relay::{Act, Kit, TestRelay};

/// Connections of the relay, which all daemons share.
const CONNECTIONS: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_one_daemon_after_the_other_loses_nothing_and_doubles_nothing() {
    let _machine = crate::MACHINE.lock().await;
    let Some(cluster) = Cluster::start(&[]) else { return };
    cluster.create_database("fleet");
    let span = Duration::from_secs(setting("INVITED_FLEET_SECONDS", 15));
    let seed = setting("INVITED_CRASH_SEED", 20_260_302);
    let mut chance = Chance(seed);
    let pipelining = Kit { offers: vec!["PIPELINING"], ..Kit::default() };
    let relay = TestRelay::start_with(pipelining, |_| Act::Ok).await;
    let connections = CONNECTIONS.to_string();
    let mut crew = Crew::start(&cluster.url("fleet"), &relay, &[("relay.connections", &connections)], 3, 3).await;
    let load = crew.load(6, &relay);
    let began = Instant::now();
    let mut kills = 0;
    while began.elapsed() < span {
        let moment = load.taken() + 10 + usize::try_from(chance.below(200)).unwrap();
        load.until_taken(moment).await;
        // Now and then two of them at one time.
        let first = usize::try_from(chance.below(3)).unwrap();
        let dead = if chance.below(4) == 0 { vec![first, (first + 1) % 3] } else { vec![first] };
        for member in &dead {
            crew.kill(*member).await;
        }
        kills += dead.len();
        for member in dead {
            crew.begin(member).await;
        }
    }
    let (acknowledged, refused) = load.end().await;
    let loaded = began.elapsed();
    crew.until_quiet().await;
    let settled = began.elapsed() - loaded;
    crew.stop().await;

    let verdict = judge(&crew.sites[0], &relay, &acknowledged).await;
    let busy = relay.seen().most_busy;
    say(&format!(
        "three daemons: seed {seed}, {kills} kills in {loaded:.0?}, at rest {settled:.1?} later, {refused} mails put off, at most \
         {busy} of {CONNECTIONS} sessions at one time, in doubt at most {}: {verdict:?}",
        kills * CONNECTIONS,
    ));
    verdict.is_clean();
    assert!(busy <= CONNECTIONS, "{busy} sessions of all daemons at one time");
    assert!(verdict.in_doubt <= kills * CONNECTIONS);
    assert!(verdict.held <= kills / 2, "one more at most for two kills");
    assert!(kills > 1 && verdict.delivered > 100, "there was something to be lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn daemons_that_sleep_beyond_their_lease_under_load_lose_nothing_and_double_nothing() {
    let _machine = crate::MACHINE.lock().await;
    let Some(cluster) = Cluster::start(&[]) else { return };
    cluster.create_database("fleet");
    let mut chance = Chance(setting("INVITED_CRASH_SEED", 20_260_302));
    let relay = TestRelay::start(|_| Act::Ok).await;
    let mut crew = Crew::start(&cluster.url("fleet"), &relay, &[], 2, 2).await;
    let mut conn = crew.sites[0].server().await;
    let load = crew.load(4, &relay);
    let began = Instant::now();
    for sleep in 0..4 {
        load.until_taken(load.taken() + 10 + usize::try_from(chance.below(100)).unwrap()).await;
        crew.service(sleep % 2).signal("STOP");
        // The other one has taken its work over; for that it may have to wait until the server ends the sleeper's transaction.
        until_number(&mut conn, "SELECT count(*) FROM daemon", 1).await;
        crew.service(sleep % 2).signal("CONT");
        until_number(&mut conn, "SELECT count(*) FROM daemon", 2).await;
    }
    let (acknowledged, refused) = load.end().await;
    crew.until_quiet().await;
    let took = began.elapsed();
    crew.stop().await;
    let verdict = judge(&crew.sites[0], &relay, &acknowledged).await;
    say(&format!("4 sleeps beyond the lease: at rest after {took:.0?}, {refused} mails put off: {verdict:?}"));
    verdict.is_clean();
    assert_eq!(verdict.in_doubt, 0, "who wakes up says what became of its letters");
}
