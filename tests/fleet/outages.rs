//! A server that is restarted, away, or takes no writes: clients are asked to come back, nothing is lost or doubled, and the same
//! daemons go on afterwards.

use std::time::{Duration, Instant};

use crate::MACHINE;
use crate::crew::{Crew, judge, order, until_number};
use crate::kit::{Chance, say, setting, until};
use crate::postgres::Cluster;
use crate::program::{BCC, Dialog, Site};
use crate::relay::{Act, TestRelay};
use crate::systemd::Systemd;

/// Connections of the relay.
const CONNECTIONS: usize = 4;

/// Hands a mail in over one session, again as long as it is told to come back.
async fn until_taken(dialog: &mut Dialog, reference: &str) {
    until("the same session takes the mail", async || {
        let reply = dialog.mail(BCC, &order(reference)).await.unwrap();
        assert!(reply.starts_with("250 ") || reply.starts_with("45"), "{reply}");
        reply.starts_with("250 ").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_restarts_of_the_server_under_load_lose_nothing_and_double_nothing() {
    let _machine = MACHINE.lock().await;
    let Some(cluster) = Cluster::start(&[]) else { return };
    cluster.create_database("fleet");
    let seed = setting("INVITED_CRASH_SEED", 20_260_302);
    let mut chance = Chance(seed);
    let relay = TestRelay::start(|_| Act::Ok).await;
    let mut crew = Crew::start(&cluster.url("fleet"), &relay, &[], 2, 30).await;
    let load = crew.load(4, &relay);
    let began = Instant::now();
    for _ in 0..10 {
        load.until_taken(load.taken() + 20 + usize::try_from(chance.below(200)).unwrap()).await;
        cluster.restart_immediate();
    }
    load.until_taken(load.taken() + 50).await;
    let (acknowledged, refused) = load.end().await;
    let loaded = began.elapsed();
    crew.until_quiet().await;
    let settled = began.elapsed() - loaded;
    crew.stop().await;
    let verdict = judge(&crew.sites[0], &relay, &acknowledged).await;
    let busy = relay.seen().most_busy;
    say(&format!(
        "restarts of PostgreSQL: seed {seed}, 10 in {loaded:.0?}, at rest {settled:.1?} later, {refused} mails put off, at most \
         {busy} of {CONNECTIONS} sessions at one time: {verdict:?}"
    ));
    verdict.is_clean();
    assert!(refused > 0, "clients were asked to come back");
    assert!(busy <= CONNECTIONS, "{busy} sessions of both daemons at one time");
    assert_eq!((verdict.in_doubt, verdict.held), (0, 0), "the daemons lived, and knew");
}

/// Processor time that a process has used, in hundredths of a second.
fn used(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let numbers = stat.rsplit_once(')').unwrap().1.split_whitespace().collect::<Vec<_>>();
    numbers[11].parse::<u64>().unwrap() + numbers[12].parse::<u64>().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_waited_for_in_peace() {
    let _machine = MACHINE.lock().await;
    let Some(cluster) = Cluster::start(&[]) else { return };
    cluster.create_database("fleet");
    let relay = TestRelay::start(|_| Act::Ok).await;
    let mut crew = Crew::start(&cluster.url("fleet"), &relay, &[], 1, 6).await;
    crew.hand_in(0, "BEFORE-1").await;
    crew.until_quiet().await;

    let mut dialog = Dialog::open(crew.service(0).address).await.unwrap();
    for command in ["MAIL FROM:<orders@shop.example.com>", &format!("RCPT TO:<{BCC}>"), "DATA"] {
        dialog.say(command).await.unwrap();
    }
    cluster.stop();
    let reply = dialog.body(&order("AWAY-1")).await.unwrap();
    assert!(reply.starts_with("451 4.3.0 "), "at the dot: {reply}");
    let reply = dialog.mail(BCC, &order("AWAY-1")).await.unwrap();
    assert!(reply.starts_with("451 4.3.0 "), "and then at MAIL: {reply}");

    // A lease and more, in which nobody asks for anything.
    let (began, ticks, lines) = (Instant::now(), used(crew.service(0).pid), crew.service(0).log().lines().count());
    until("the server was away for eight seconds", async || (began.elapsed() > Duration::from_secs(8)).then_some(()))
        .await;
    let ticks = used(crew.service(0).pid) - ticks;
    let log = crew.service(0).log();
    let lines = log.lines().count() - lines;
    say(&format!(
        "a server away for {:.1?}: {ticks} hundredths of a second of processor, {lines} lines",
        began.elapsed()
    ));
    assert!(ticks < 100, "{ticks} hundredths of a second in eight: {log}");
    assert!(lines < 40, "{lines} lines in eight seconds: {log}");
    assert!(log.contains("Connection refused"), "{log}");

    cluster.resume();
    until_taken(&mut dialog, "AWAY-1").await;
    relay.until(|seen| seen.taken.len() == 2).await;
    crew.until_quiet().await;
    crew.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_while_nothing_is_done_fails_nobodys_mail() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    cluster.create_database("fleet");
    let relay = TestRelay::start(|_| Act::Ok).await;
    let mut crew = Crew::start(&cluster.url("fleet"), &relay, &[], 1, 3600).await;
    crew.hand_in(0, "BEFORE-1").await;
    crew.until_quiet().await;
    let began = Instant::now();
    cluster.restart_immediate();
    until("the connections have rested", async || (began.elapsed() > Duration::from_secs(1)).then_some(())).await;
    // Reading looks for work by itself and may meet the restart; the door is closed for a moment then.
    let mut dialog = Dialog::open(crew.service(0).address).await.unwrap();
    until_taken(&mut dialog, "AFTER-1").await;
    crew.until_quiet().await;
    let log = crew.service(0).log();
    assert!(!log.contains("a copy could not be kept"), "{log}");
    crew.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_can_be_stopped_while_its_server_is_away() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    cluster.create_database("fleet");
    let relay = TestRelay::start(|_| Act::Ok).await;
    let mut crew = Crew::start(&cluster.url("fleet"), &relay, &[], 1, 6).await;
    crew.hand_in(0, "BEFORE-1").await;
    crew.until_quiet().await;
    cluster.stop();
    let began = Instant::now();
    crew.service(0).signal("TERM");
    let (code, log) = crew.ended(0).await;
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("other daemons were not told"), "{log}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // And one that is started meanwhile says why it does not, and that another try may.
    let ran = crew.sites[0].run(&["serve"]).ended(1);
    assert!(ran.err.contains("cannot be reached") && ran.err.contains("see that it runs"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_whose_answer_comes_while_the_server_is_away_is_settled_afterwards() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    cluster.create_database("fleet");
    let (open, gate) = tokio::sync::watch::channel(false);
    let relay = TestRelay::start(move |moment| match moment.at {
        crate::relay::At::Dot => Act::When(gate.clone(), Box::new(Act::Ok)),
        _ => Act::Ok,
    })
    .await;
    let mut crew = Crew::start(&cluster.url("fleet"), &relay, &[], 2, 30).await;
    crew.hand_in(0, "ANSWER-1").await;
    relay.until(|seen| seen.dots == 1).await;
    cluster.stop();
    open.send_replace(true);
    until("the answer cannot be written down", async || {
        let logs = [crew.service(0).log(), crew.service(1).log()];
        logs.iter().any(|log| log.contains("the end of a letter's attempt could not be written down")).then_some(())
    })
    .await;
    cluster.resume();
    let mut conn = crew.sites[0].server().await;
    until_number(&mut conn, "SELECT count(*) FROM invitation WHERE state = 'done'", 1).await;
    assert_eq!(relay.taken().len(), 1);
    crew.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn daemons_that_were_away_together_do_not_take_each_other_for_dead() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    cluster.create_database("fleet");
    let (open, gate) = tokio::sync::watch::channel(false);
    let relay = TestRelay::start(move |moment| match moment.at {
        crate::relay::At::Dot => Act::When(gate.clone(), Box::new(Act::Ok)),
        _ => Act::Ok,
    })
    .await;
    let mut crew = Crew::start(&cluster.url("fleet"), &relay, &[("relay.connections", "6")], 3, 3).await;
    for n in 0..6 {
        crew.hand_in(n % 3, &format!("AWAY-{n}")).await;
    }
    relay.until(|seen| seen.dots == 6).await;
    cluster.stop();
    let began = Instant::now();
    until("every lease is over", async || (began.elapsed() > Duration::from_secs(4)).then_some(())).await;
    cluster.resume();
    let mut conn = crew.sites[0].server().await;
    let lives = "SELECT count(*) FROM daemon WHERE lease_until > extract(epoch FROM now()) * 1000 + 1500";
    until_number(&mut conn, lives, 3).await;
    // Another sign of life of each, by which it has judged.
    until_number(
        &mut conn,
        "SELECT count(*) FROM daemon WHERE lease_until < extract(epoch FROM now()) * 1000 + 2600",
        0,
    )
    .await;
    open.send_replace(true);
    until_number(&mut conn, "SELECT count(*) FROM invitation WHERE state = 'done'", 6).await;
    let doubted = "SELECT count(*) FROM decision WHERE to_state = 'in_doubt'";
    assert_eq!(sqlx::query_scalar::<_, i64>(doubted).fetch_one(&mut conn).await.unwrap(), 0);
    crew.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_that_were_being_read_when_the_server_was_restarted_are_not_counted_out() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    cluster.create_database("fleet");
    let relay = TestRelay::start(|_| Act::Ok).await;
    let mut crew = Crew::start(&cluster.url("fleet"), &relay, &[], 1, 30).await;
    let mut conn = crew.sites[0].server().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE turn IN EXCLUSIVE MODE").execute(&mut conn).await.unwrap();
    crew.hand_in(0, "READ-1").await;
    let mut look = crew.sites[0].server().await;
    until_number(&mut look, "SELECT count(*) FROM copy WHERE attempts = 1 AND owner IS NOT NULL", 1).await;
    cluster.restart_immediate();
    crew.until_quiet().await;
    let mut look = crew.sites[0].server().await;
    until_number(&mut look, "SELECT attempts FROM copy", 1).await;
    assert_eq!(relay.taken().len(), 1);
    crew.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_watchdog_does_not_end_a_daemon_whose_server_is_away() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    cluster.create_database("fleet");
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::on_server(&cluster.url("fleet"), relay.address, &[]).await;
    let mut systemd = Systemd::bind(site.path("notify"));
    let service = site.serve_with(&["--lease", "3"], &systemd.environment()).await;
    cluster.stop();
    service.says("Connection refused").await;
    systemd.forget();
    for _ in 0..3 {
        systemd.until("WATCHDOG=1").await;
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_no_writes_is_451_and_said_and_gone_when_it_does_again() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    cluster.create_database("fleet");
    let relay = TestRelay::start(|_| Act::Ok).await;
    let mut crew = Crew::start(&cluster.url("fleet"), &relay, &[], 2, 6).await;
    let mut dialog = Dialog::open(crew.service(0).address).await.unwrap();
    assert!(dialog.mail(BCC, &order("WRITE-1")).await.unwrap().starts_with("250 "));
    crew.until_quiet().await;

    cluster.as_superuser("ALTER SYSTEM SET default_transaction_read_only = on");
    cluster.as_superuser("SELECT pg_reload_conf()");
    let mut taken = 1;
    let reply = until("a mail is put off", async || {
        let reply = dialog.mail(BCC, &order(&format!("WRITE-{}", taken + 1))).await.unwrap();
        taken += usize::from(reply.starts_with("250 "));
        (!reply.starts_with("250 ")).then_some(reply)
    })
    .await;
    assert!(reply.starts_with("451 4.3.0 "), "{reply}");
    crew.service(0).says("read-only transaction").await;
    crew.service(1).says("read-only transaction").await;
    // A daemon that is started meanwhile does not begin to take in.
    let ran = crew.sites[0].run(&["serve"]);
    assert!(ran.code != 0 && ran.err.contains("it takes no writes"), "{ran:?}");

    // Whoever undoes it must say so, as it holds for him too.
    cluster.as_superuser("ALTER SYSTEM RESET default_transaction_read_only");
    cluster.as_superuser("SELECT pg_reload_conf()");
    until("the same session takes the mail", async || {
        let reply = dialog.mail(BCC, &order(&format!("WRITE-{}", taken + 1))).await.unwrap();
        assert!(reply.starts_with("250 ") || reply.starts_with("451 "), "{reply}");
        reply.starts_with("250 ").then_some(())
    })
    .await;
    relay.until(|seen| seen.taken.len() == taken + 1).await;
    crew.until_quiet().await;
    crew.stop().await;
}
