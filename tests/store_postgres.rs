//! A PostgreSQL server that does not fit is refused with words that help, and what it acknowledged it keeps.

#![cfg(feature = "daemon")]
#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

#[path = "kit/place.rs"]
mod place;
#[path = "kit/postgres.rs"]
mod postgres;
#[path = "kit/said.rs"]
mod said;

use std::sync::Arc;

use invited::domain::{CopyId, Handed, ShopId, Timestamp};
use invited::store::{self, HeldFilter, NewCopy, Role, SqlStore, Store as _, StoreError};
use place::database_at;
use postgres::{Cluster, ROLE, Setup, server};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

const NOW: Timestamp = Timestamp(1_795_251_600_000);

/// A database of a test's own on the shared server.
struct House {
    place: postgres::Place<'static>,
}

impl House {
    fn empty() -> Option<Self> {
        Some(Self { place: server()?.database() })
    }

    async fn with_a_queue() -> Option<Self> {
        let house = Self::empty()?;
        assert_eq!(create(&house.place.url()).await, Ok(true));
        Some(house)
    }

    /// Something that an administrator does.
    async fn run(&self, text: &str) {
        let mut conn = PgConnection::connect(&self.place.url()).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
    }

    async fn open(&self, role: Role) -> Result<SqlStore, StoreError> {
        open(&self.place.url(), role).await
    }

    /// Refused in both roles, with the same words.
    async fn refused(&self) -> StoreError {
        let refused = self.open(Role::Daemon).await.unwrap_err();
        assert_eq!(self.open(Role::Desk).await.unwrap_err(), refused);
        refused
    }
}

async fn open(url: &str, role: Role) -> Result<SqlStore, StoreError> {
    let (database, password) = database_at(url);
    store::open(&database, password.as_deref(), role).await
}

async fn create(url: &str) -> Result<bool, StoreError> {
    let (database, password) = database_at(url);
    store::create_if_missing(&database, password.as_deref()).await
}

/// That it is for a person to put right, and what they are told.
#[track_caller]
fn is_told(error: &StoreError, words: &[&str]) {
    let text = error.to_string();
    assert!(matches!(error, StoreError::Unusable { .. }), "{error:?}");
    assert!(!error.is_passing());
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
    assert!(!text.contains("sesame") && !format!("{error:?}").contains("sesame"), "{text}");
}

fn mail(text: &str) -> NewCopy {
    NewCopy {
        shop: ShopId::parse("nord").unwrap(),
        mail_from: String::new(),
        rcpt_to: "nord@afs.example".to_owned(),
        handed: Handed { client: None, hello: "mx".to_owned(), tls: false, ..Handed::default() },
        answers: None,
        message: Arc::from(text.as_bytes()),
        received_at: NOW,
    }
}

#[tokio::test]
async fn an_empty_database_is_missing_until_it_is_made_and_then_it_is_not_made_again() {
    let Some(house) = House::empty() else { return };
    let StoreError::Missing(place) = house.refused().await else { panic!("not missing") };
    assert!(place.starts_with("postgres://") && place.ends_with(house.place.name()), "{place}");
    let url = house.place.url();
    // Two who make it at the same moment both find it made.
    let (one, other) = tokio::join!(create(&url), create(&url));
    assert!(one.unwrap() | other.unwrap());
    assert_eq!(create(&url).await, Ok(false));
    for role in [Role::Daemon, Role::Daemon, Role::Desk] {
        house.open(role).await.unwrap().ready().await.unwrap();
    }
}

#[tokio::test]
async fn a_wrong_password_and_a_missing_database_user_or_server_are_told_apart() {
    let setup = Setup { password: Some("opensesame"), ..Setup::default() };
    let Some(cluster) = Cluster::start_with(&setup) else { return };
    cluster.create_database("house");
    let url = cluster.url("house");
    assert_eq!(create(&url).await, Ok(true));
    let opened = open(&url, Role::Daemon).await.unwrap();
    assert!(!format!("{opened:?}").contains("sesame"), "{opened:?}");
    opened.close().await;

    let why = async |url: &str| {
        let refused = open(url, Role::Desk).await.unwrap_err();
        assert_eq!(create(url).await.unwrap_err(), refused);
        refused
    };
    let wrong = url.replace("opensesame", "closesesame");
    is_told(&why(&wrong).await, &["does not take this password", "see user and password", "postgres://invited@"]);
    is_told(&why(&url.replace(":opensesame", "")).await, &["see user and password"]);
    is_told(&why(&url.replace("invited:", "somebody:")).await, &["see user and password", "somebody@"]);
    is_told(&why(&cluster.url("nowhere")).await, &["no database of this name", "createdb"]);

    cluster.stop();
    let gone = why(&url).await;
    assert!(gone.is_passing(), "it may only be slower to start: {gone:?}");
    let text = gone.to_string();
    assert!(text.contains("cannot be reached") && text.contains("see that it runs"), "{text}");
    assert!(!text.contains("sesame"), "{text}");
}

#[tokio::test]
async fn a_server_that_is_not_whom_we_trust_or_does_not_encrypt_is_refused() {
    let setup = Setup { tls: true, password: Some("opensesame"), ..Setup::default() };
    let Some(cluster) = Cluster::start_with(&setup) else { return };
    cluster.create_database("house");
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, pem: &str| {
        std::fs::write(folder.path().join(name), pem).unwrap();
        folder.path().join(name).display().to_string()
    };
    let right = file("ca.pem", cluster.authority());
    let stranger = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap().cert.pem();
    let wrong = file("stranger.pem", &stranger);
    let at = |mode: &str, ca: &str| format!("{}?sslmode={mode}&sslrootcert={ca}", cluster.url("house"));
    let why = async |url: &str| create(url).await.unwrap_err();

    assert_eq!(create(&at("verify-full", &right)).await, Ok(true));
    open(&at("verify-ca", &right), Role::Daemon).await.unwrap().ready().await.unwrap();
    let by_number = at("verify-ca", &right).replace("localhost", "127.0.0.1");
    open(&by_number, Role::Daemon).await.unwrap().ready().await.unwrap();
    for mode in ["verify-ca", "verify-full"] {
        is_told(&why(&at(mode, &wrong)).await, &["TLS cannot be trusted", "invalid peer certificate", "sslrootcert"]);
    }
    let misnamed = at("verify-full", &right).replace("localhost", "127.0.0.1");
    is_told(&why(&misnamed).await, &["TLS cannot be trusted", "not valid for name"]);
    is_told(&why(&at("verify-full", "/nowhere/ca.pem")).await, &["sslrootcert /nowhere/ca.pem cannot be read"]);
    let plain = format!("{}?sslmode=disable", cluster.url("house"));
    is_told(&why(&plain).await, &["does not let this user in", "no encryption", "sslmode"]);

    let Some(plain) = Cluster::start(&[]) else { return };
    for mode in ["require", "verify-full"] {
        let url = format!("{}?sslmode={mode}", plain.url("postgres"));
        is_told(&why(&url).await, &["does not support TLS", "sslmode"]);
    }
}

#[tokio::test]
async fn who_may_not_make_or_use_the_tables_is_told_who_should_own_them() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    cluster.create_database("house");
    cluster.as_superuser("CREATE ROLE guest LOGIN");
    let owner = cluster.url("house");
    let guest = owner.replacen(ROLE, "guest", 1);
    let denied = create(&guest).await.unwrap_err();
    is_told(&denied, &["permission denied", "ALTER DATABASE", "OWNER TO"]);
    assert_eq!(create(&owner).await, Ok(true));
    is_told(&open(&guest, Role::Daemon).await.unwrap_err(), &["may not use it", "owner"]);

    let mut conn = PgConnection::connect(&owner).await.unwrap();
    sqlx::raw_sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO guest").execute(&mut conn).await.unwrap();
    is_told(&open(&guest, Role::Daemon).await.unwrap_err(), &["may not read and write", "copy_body", "owner"]);
    sqlx::raw_sql("REVOKE CONNECT ON DATABASE house FROM PUBLIC").execute(&mut conn).await.unwrap();
    is_told(&open(&guest, Role::Daemon).await.unwrap_err(), &["may not use it", "grant CONNECT"]);
}

#[tokio::test]
async fn another_programs_database_is_left_alone() {
    let Some(house) = House::empty() else { return };
    house.run("CREATE TABLE letter (sender text); INSERT INTO letter VALUES ('somebody')").await;
    assert!(matches!(house.refused().await, StoreError::Missing(_)));
    is_told(&create(&house.place.url()).await.unwrap_err(), &["another program", "createdb"]);
    house.run("SELECT sender FROM letter").await;

    let Some(house) = House::empty() else { return };
    let history = "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on \
        TIMESTAMPTZ NOT NULL DEFAULT now(), success BOOLEAN NOT NULL, checksum BYTEA NOT NULL, execution_time BIGINT NOT NULL)";
    house.run(history).await;
    for version in ["2", "20260101120000"] {
        house.run(&format!("INSERT INTO _sqlx_migrations VALUES ({version}, 'theirs', now(), true, '', 0)")).await;
        is_told(&house.refused().await, &["another program", "createdb"]);
        is_told(&create(&house.place.url()).await.unwrap_err(), &["another program"]);
    }
}

#[tokio::test]
async fn a_database_that_cannot_hold_every_letter_is_refused() {
    let Some(server) = server() else { return };
    for encoding in ["SQL_ASCII", "LATIN1"] {
        // The name is a place's, so that it is dropped with it.
        let place = server.database();
        let mut conn = PgConnection::connect(&server.entrance()).await.unwrap();
        let name = place.name();
        for text in [
            format!("DROP DATABASE {name}"),
            format!("CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"),
        ] {
            sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut conn).await.unwrap();
        }
        is_told(&create(&place.url()).await.unwrap_err(), &[encoding, "ENCODING 'UTF8'"]);
        is_told(&open(&place.url(), Role::Daemon).await.unwrap_err(), &[encoding, "ENCODING 'UTF8'"]);
    }
}

#[tokio::test]
async fn a_newer_schema_is_worked_with_as_long_as_it_says_so() {
    let Some(house) = House::with_a_queue().await else { return };
    house
        .run("INSERT INTO _sqlx_migrations VALUES (99, 'later', now(), true, '', 0); ALTER TABLE copy ADD later TEXT")
        .await;
    let store = house.open(Role::Daemon).await.unwrap();
    assert_eq!(store.spool(vec![mail("x")]).await, Ok(vec![CopyId(1)]));
    store.beat("one", NOW, NOW).await.unwrap();
    house.open(Role::Desk).await.unwrap().ready().await.unwrap();
    assert_eq!(create(&house.place.url()).await, Ok(false));

    house.run("UPDATE property SET value = '99' WHERE name = 'compatible_from'").await;
    for error in [house.refused().await, store.beat("one", NOW, NOW).await.unwrap_err()] {
        let StoreError::NewerSchema { found, known, .. } = error else { panic!("{error:?}") };
        assert_eq!((found, known), (99, 6));
    }
}

#[tokio::test]
async fn an_older_schema_is_brought_up_to_date_by_daemons_alone() {
    let Some(house) = House::empty() else { return };
    let folder = tempfile::tempdir().unwrap();
    let first = "0001_begin.sql";
    let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/src/store/postgres/migrations");
    std::fs::copy(format!("{migrations}/{first}"), folder.path().join(first)).unwrap();
    let mut conn = PgConnection::connect(&house.place.url()).await.unwrap();
    sqlx::migrate::Migrator::new(folder.path()).await.unwrap().run(&mut conn).await.unwrap();
    assert_eq!(create(&house.place.url()).await, Ok(false));
    is_told(&house.open(Role::Desk).await.unwrap_err(), &["schema 1", "needs 6", "start the daemon"]);

    sqlx::raw_sql("INSERT INTO _sqlx_migrations VALUES (2, 'half', now(), false, '', 0)")
        .execute(&mut conn)
        .await
        .unwrap();
    is_told(&house.open(Role::Daemon).await.unwrap_err(), &["migration 2", "half-way", "restore a backup"]);
    sqlx::raw_sql("DELETE FROM _sqlx_migrations WHERE version = 2").execute(&mut conn).await.unwrap();

    sqlx::raw_sql(
        "INSERT INTO copy VALUES \
            (101, 'nord', '', 'x', NULL, 'mx', 0, 1, 7200001, 'held', 1, 1, '{\"template\": \"own\", \"reason\": \"unclear\"}', \
                NULL, NULL, NULL), \
            (102, 'nord', '', 'x', NULL, 'mx', 0, 1, 7200002, 'held', 1, 1, '{\"reason\": \"\\u0000\"}', NULL, NULL, NULL), \
            (103, 'nord', '', 'x', NULL, 'mx', 0, 1, 7200003, 'event', 1, 1, '{}', NULL, NULL, 7)",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    // Both start at the same moment; one of them does the work.
    let (one, other) = tokio::join!(house.open(Role::Daemon), house.open(Role::Daemon));
    assert_eq!(one.unwrap().spool(vec![mail("x")]).await, Ok(vec![CopyId(1)]));
    assert_eq!(other.unwrap().spool(vec![mail("x")]).await, Ok(vec![CopyId(2)]));
    let desk = house.open(Role::Desk).await.unwrap();
    let by_template = HeldFilter { template: Some("own".to_owned()), ..HeldFilter::default() };
    assert_eq!(desk.held_copies(&by_template, None, 9).await.unwrap().len(), 1, "what was held before can be found");
    let sum = &desk.watch_figures().await.unwrap().sums[0];
    assert_eq!((sum.event, sum.held, sum.last_copy_at), (1, 2, Timestamp(7_200_003)));

    sqlx::raw_sql(
        "UPDATE _sqlx_migrations SET checksum = 'x'; \
        DELETE FROM _sqlx_migrations WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    is_told(&house.open(Role::Daemon).await.unwrap_err(), &["migration 1", "program version"]);
}

#[tokio::test]
async fn a_database_that_takes_no_writes_is_refused() {
    let Some(house) = House::with_a_queue().await else { return };
    let store = house.open(Role::Daemon).await.unwrap();
    let name = house.place.name();
    house.run(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    is_told(&house.refused().await, &["takes no writes", "default_transaction_read_only", "set it to off"]);
    // Those who were there before may go on.
    assert_eq!(store.spool(vec![mail("x")]).await, Ok(vec![CopyId(1)]));
    assert_eq!(store.counts().await.unwrap().unread, 1);
}

#[tokio::test]
async fn what_was_acknowledged_outlives_a_server_that_is_killed_whatever_its_settings_and_the_store_goes_on() {
    // What is not waited for would be written after ten seconds, and a kill would take it.
    let Some(cluster) = Cluster::start(&[("wal_writer_delay", "10s"), ("synchronous_commit", "off")]) else { return };
    cluster.as_superuser(&format!("ALTER ROLE {ROLE} SET synchronous_commit = off"));
    cluster.create_database("house");
    let url = cluster.url("house");
    assert_eq!(create(&url).await, Ok(true));
    let store = open(&url, Role::Daemon).await.unwrap();
    store.counts().await.unwrap();
    for n in 1..=20 {
        assert_eq!(store.spool(vec![mail("x")]).await, Ok(vec![CopyId(n)]));
    }
    cluster.restart_immediate();
    assert_eq!(store.counts().await.unwrap().unread, 20, "a reader does not notice");
    store.spool(vec![mail("x")]).await.expect("nor does a writer that has rested");
    assert_eq!((store.counts().await.unwrap().unread, store.ready().await), (21, Ok(())));

    cluster.stop();
    let lost = store.spool(vec![mail("x")]).await.unwrap_err();
    assert!(lost.is_passing() && store.ready().await.is_err(), "{lost:?}");
    assert!(store.spool(vec![mail("x")]).await.unwrap_err().is_passing());
    assert!(store.counts().await.unwrap_err().is_passing());
    cluster.resume();
    store.spool(vec![mail("x")]).await.unwrap();
    assert_eq!(store.counts().await.unwrap().unread, 22);
}
