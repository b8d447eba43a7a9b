//! That the tests' PostgreSQL is what tests take it for: databases of their own, a server that is killed and comes back, refusals,
//! and nothing left behind.

#![cfg(feature = "daemon")]
#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

#[path = "kit/postgres.rs"]
mod postgres;
#[path = "kit/said.rs"]
mod said;

use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use postgres::{Cluster, Server, Setup, server};
use said::say;
use sqlx::{Connection as _, PgConnection, PgPool};

/// Set in a copy of this program that is there to be killed.
const VICTIM: &str = "INVITED_KIT_VICTIM";

/// Waits for what other processes do.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "not within 30 s: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn listens(port: u16) -> bool {
    TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).is_ok()
}

fn port(url: &str) -> u16 {
    url::Url::parse(url).unwrap().port().unwrap()
}

/// Why a connection is refused: PostgreSQL's code and text, or what TLS says.
async fn refusal(url: &str) -> String {
    match PgConnection::connect(url).await {
        Ok(_) => panic!("{url} is let in"),
        Err(sqlx::Error::Database(error)) => format!("{} {}", error.code().unwrap_or_default(), error.message()),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn two_databases_know_nothing_of_each_other_and_belong_to_whom_connects() {
    let began = Instant::now();
    let Some(server) = server() else { return };
    let started = began.elapsed();
    let began = Instant::now();
    let (one, other) = (server.database(), server.database());
    let created = began.elapsed() / 2;
    let first = PgPool::connect(&one.url()).await.unwrap();
    let second = PgPool::connect(&other.url()).await.unwrap();
    sqlx::query("CREATE TABLE only_here (id bigint)").execute(&first).await.unwrap();
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    let counts = [
        sqlx::query_scalar::<_, i64>(tables).fetch_one(&first).await.unwrap(),
        sqlx::query_scalar::<_, i64>(tables).fetch_one(&second).await.unwrap(),
    ];
    assert_eq!(counts, [1, 0]);
    if let Server::Throwaway(_) = server {
        let is_superuser = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user";
        assert!(!sqlx::query_scalar::<_, bool>(is_superuser).fetch_one(&first).await.unwrap());
    }
    let began = Instant::now();
    drop((one, other));
    say(&format!("PostgreSQL: start {started:?}, a database {created:?}, its end {:?}", began.elapsed() / 2));
}

#[tokio::test]
async fn a_database_is_gone_when_its_place_is_dropped_whoever_is_connected() {
    let Some(server) = server() else { return };
    let place = server.database();
    let (url, name) = (place.url(), place.name().to_owned());
    let mut open = PgConnection::connect(&url).await.unwrap();
    drop(place);
    assert!(sqlx::query("SELECT 1").execute(&mut open).await.is_err(), "the session is ended");
    assert!(refusal(&url).await.starts_with("3D000 "), "invalid_catalog_name");
    let mut other = PgConnection::connect(&server.entrance()).await.unwrap();
    let names = sqlx::query_scalar::<_, String>("SELECT datname::text FROM pg_database").fetch_all(&mut other).await;
    assert!(!names.unwrap().contains(&name));
}

#[tokio::test]
async fn a_server_killed_in_a_transaction_comes_back_at_its_port_with_what_was_committed() {
    let Some(cluster) = Cluster::start(&[("log_checkpoints", "on")]) else { return };
    cluster.create_database("house");
    let url = cluster.url("house");
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let fsync = sqlx::query_scalar::<_, String>("SHOW fsync").fetch_one(&mut connection).await.unwrap();
    assert_eq!(fsync, "on");
    sqlx::query("CREATE TABLE row_of (id bigint)").execute(&mut connection).await.unwrap();
    sqlx::query("INSERT INTO row_of SELECT generate_series(1, 1000)").execute(&mut connection).await.unwrap();
    let mut open = connection.begin().await.unwrap();
    sqlx::query("INSERT INTO row_of VALUES (1001)").execute(&mut *open).await.unwrap();
    let began = Instant::now();
    cluster.restart_immediate();
    let restarted = began.elapsed();
    assert!(open.commit().await.is_err());
    for way in [url, cluster.socket_url("house")] {
        let mut connection = PgConnection::connect(&way).await.unwrap();
        let rows = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM row_of").fetch_one(&mut connection).await;
        assert_eq!(rows.unwrap(), 1000, "{way}");
    }
    let log = std::fs::read_to_string(cluster.folder().join("log")).unwrap();
    assert!(log.contains("was not properly shut down; automatic recovery in progress"), "{log}");
    say(&format!("PostgreSQL: killed and back in {restarted:?}"));
}

#[tokio::test]
async fn a_server_that_is_stopped_refuses_and_one_that_is_dropped_leaves_nothing() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    let url = cluster.url("postgres");
    assert!(listens(port(&url)));
    cluster.stop();
    assert!(!listens(port(&url)));
    cluster.resume();
    PgConnection::connect(&url).await.unwrap().close().await.unwrap();
    let folder = cluster.folder().to_owned();
    assert!(folder.join("data").is_dir());
    drop(cluster);
    assert!(!folder.exists() && !listens(port(&url)));
}

/// What else it may demand is told by the tests of the store.
#[tokio::test]
async fn nobody_is_superuser_by_tcp_and_a_password_that_is_demanded_is_in_the_url() {
    let setup = Setup { password: Some("right"), ..Setup::default() };
    let Some(cluster) = Cluster::start_with(&setup) else { return };
    let url = cluster.url("postgres");
    PgConnection::connect(&url).await.unwrap().close().await.unwrap();
    let superuser = refusal(&url.replace("invited:right@", "postgres@")).await;
    assert!(superuser.starts_with("28000 "), "{superuser}");
}

#[test]
fn a_process_that_is_killed_leaves_no_server_behind() {
    if std::env::var_os(VICTIM).is_some() {
        be_the_victim();
    }
    let Some(Server::Throwaway(_)) = server() else { return };
    let mut victim = Command::new(std::env::current_exe().unwrap());
    victim.args(["--exact", "a_process_that_is_killed_leaves_no_server_behind"]);
    let mut victim = victim.env(VICTIM, "1").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(victim.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find_map(|line| line.split_once("victim: ").map(|(_, rest)| rest.to_owned())).unwrap();
    let (url, folder) = line.split_once(' ').unwrap();
    assert!(listens(port(url)) && Path::new(folder).is_dir());
    victim.kill().unwrap();
    victim.wait().unwrap();
    let began = Instant::now();
    until("the server is gone", || !listens(port(url)) && !Path::new(folder).exists());
    say(&format!("PostgreSQL: gone {:?} after a kill -9 of its test", began.elapsed()));
}

/// Starts the shared server, says where it is, and waits for its end.
fn be_the_victim() -> ! {
    let Some(server @ Server::Throwaway(cluster)) = server() else { panic!("no server of its own") };
    say(&format!("victim: {} {}", server.entrance(), cluster.folder().display()));
    // Never ends in fact: the other side holds the pipe.
    let _ = std::io::stdin().lines().count();
    std::process::exit(1)
}
