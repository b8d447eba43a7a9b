//! What only this engine can get wrong: plans, pragmas, shared commits, and the faults of a disk and of other processes.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sqlx::ConnectOptions;

use super::open::{self, BUSY_TIMEOUT};
use super::{File, newest_schema};
use crate::config::Database;
use crate::domain::{
    CopyId, EmailAddress, EventKind, Handed, InvitationId, OrderNews, OrderReference, Outcome, Reading, ShopId, State,
    Timestamp,
};
use crate::store::sql::connection::Connection;
use crate::store::sql::desk_statements as look;
use crate::store::sql::fault::Fault;
use crate::store::sql::person_statements as persons;
use crate::store::sql::sender_statements as senders;
use crate::store::sql::statements::{self as sql};
use crate::store::sql::writer::Work;
use crate::store::sql::{answers, views};
use crate::store::{
    CopyState, Credence, DaemonLock, FiledReading, Filter, FreeText, HeldFilter, NewCopy, Role, SqlStore, Store,
    StoreError, create_if_missing, open as open_store, open_file,
};

const NOW: Timestamp = Timestamp(1_795_251_600_000);

struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("invited.db");
        create_if_missing(&Database::Sqlite(path.clone()), None).await.unwrap();
        Self { _folder: folder, path }
    }

    fn database(&self) -> Database {
        Database::Sqlite(self.path.clone())
    }

    async fn open(&self) -> SqlStore {
        open_store(&self.database(), None, Role::Desk).await.unwrap()
    }

    async fn open_impatiently(&self) -> SqlStore {
        open_file(File::patient(&self.path, Duration::from_millis(50)), None).await.unwrap()
    }

    async fn daemon(&self) -> Result<SqlStore, StoreError> {
        // Another test of this process may just be starting a program: between its fork and its exec the child holds a copy of
        // every lock of ours, also of one that was given up in that moment.
        let mut pulse = tokio::time::interval(Duration::from_millis(1));
        let mut opened = open_store(&self.database(), None, Role::Daemon).await;
        for _ in 0..50 {
            if !matches!(opened, Err(StoreError::Taken { .. })) {
                break;
            }
            pulse.tick().await;
            opened = open_store(&self.database(), None, Role::Daemon).await;
        }
        opened
    }

    /// Another process's connection.
    async fn other(&self) -> sqlx::SqliteConnection {
        sqlx::sqlite::SqliteConnectOptions::new().filename(&self.path).connect().await.unwrap()
    }

    async fn run(&self, sql: &'static str) {
        sqlx::raw_sql(sql).execute(&mut self.other().await).await.unwrap();
    }
}

fn mail(shop: &str, message: &[u8]) -> NewCopy {
    NewCopy {
        shop: ShopId::parse(shop).unwrap(),
        mail_from: String::new(),
        rcpt_to: "nord+secret@afs.example".to_owned(),
        handed: Handed { client: None, hello: "mx.example".to_owned(), tls: false, ..Handed::default() },
        answers: None,
        message: Arc::from(message),
        received_at: NOW,
    }
}

/// Bytes that cannot be packed.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

fn why(error: &StoreError) -> &str {
    match error {
        StoreError::Unusable { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

/// The steps of all statements that go over a whole table that grows, each with its statement's name.
async fn walks(conn: &mut Connection) -> Vec<String> {
    let mut walks = Vec::new();
    for statement in sql::ALL
        .iter()
        .chain(look::ALL)
        .chain(persons::ALL)
        .chain(senders::ALL)
        .chain(views::ALL)
        .chain(answers::ALL)
        .chain(&persons::NAMING)
        .filter(|statement| !statement.sqlite.is_empty())
    {
        for step in conn.plan(*statement).await {
            // A partial index holds only the rows that are asked for.
            let is_partial =
                ["copy_unread", "copy_held", "copy_held_by_reason", "copy_in_hand", "letter_in_hand", "copy_again"];
            if [
                "copy",
                "copy_body",
                "invitation",
                "due",
                "earlier",
                "letter",
                "answer",
                "past",
                "decision",
                "tally",
                "figure",
                "suppression",
            ]
            .iter()
            .any(|table| step == format!("SCAN {table}") || step.starts_with(&format!("SCAN {table} ")))
                && !is_partial.iter().any(|index| step.ends_with(index))
            {
                walks.push(format!("{}: {step}", statement.name));
            }
        }
    }
    walks
}

#[tokio::test]
async fn no_statement_walks_over_a_whole_table() {
    let place = Place::new().await;
    let mut conn = Connection::from(place.other().await);
    let walks = walks(&mut conn).await;
    assert!(walks.is_empty(), "{}", walks.join("\n"));
    assert!(sql::ALL.len() > 40);
}

/// Nothing of ours gathers statistics, but a person may, and SQLite goes by them from then on.
#[tokio::test]
async fn no_statement_walks_over_a_large_table_though_somebody_gathered_statistics() {
    let place = Place::new().await;
    place.run(YEARS).await;
    let mut conn = Connection::from(place.other().await);
    let walks = walks(&mut conn).await;
    assert!(walks.is_empty(), "{}", walks.join("\n"));
}

/// Two years of a few shops, of which most is done, a customer who orders often, and statistics of it.
const YEARS: &str = "
    CREATE TEMP TABLE numbers AS WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 20000)
        SELECT n, CASE WHEN n % 10 = 0 THEN 'old' ELSE n % 5000 || '' END || '@example.com' AS email FROM numbers;
    INSERT INTO invitation (shop, reference, reference_key, email, email_key, details, state, due_at, letters_sent, attempts,
        created_at, updated_at)
    SELECT 'shop' || (n % 20), 'A-' || n, 'a-' || n, email, email, '{}', CASE WHEN n > 18000 THEN 'queued' ELSE 'done' END,
        CASE WHEN n > 18000 THEN n END, 1, 0, n, n FROM numbers;
    INSERT INTO copy (shop, mail_from, rcpt_to, hello, tls, size, received_at, state, email_key, reference_key, template, reason)
    SELECT 'shop' || (n % 20), 'o@shop.example', 'x@afs.example', 'mx', 1, 1, n,
        CASE WHEN n > 19900 THEN 'unread' WHEN n % 37 = 0 THEN 'held' ELSE 'event' END, email, 'a-' || n, 'template' || (n % 7),
        CASE WHEN n % 37 = 0 THEN 'reason ' || (n % 3) END FROM numbers;
    INSERT INTO copy_body (copy_id, received_at, body) SELECT n, n, X'00' FROM numbers;
    INSERT INTO letter (invitation_id, ordinal, kind, phase, attempts, claimed_at, owner, relay, shop, email_key)
    SELECT n, 1, 'invitation', CASE WHEN n > 19950 THEN 'claimed' ELSE 'accepted' END, 1, n, 'one', 'default', 'shop' || (n % 20),
        email FROM numbers;
    INSERT INTO decision (invitation_id, at, event, to_state, rule, actor)
    SELECT n, n, 'due', 'sending', 'due-letter-claimed', 'daemon' FROM numbers;
    INSERT INTO suppression (shop, kind, subject, reason, actor, at)
    SELECT '', 'address', n || '@example.com', 'unsubscribed', 'customer', n FROM numbers;
    INSERT INTO figure (shop, day, name, n) SELECT 'shop' || (n % 20), n, 'begun', 1 FROM numbers;
    INSERT INTO tally (shop, hour, event, ignored, held) SELECT 'shop' || (n % 20), n, 1, 1, 1 FROM numbers;
    DROP TABLE numbers; ANALYZE";

#[tokio::test]
async fn pages_come_in_order_without_sorting() {
    let place = Place::new().await;
    let mut conn = Connection::from(place.other().await);
    for statement in [
        sql::UNREAD,
        look::LIST_ALL,
        look::IDS_STATE,
        look::IDS_SHOP_STATE,
        look::LIST_EMAIL,
        look::LIST_REFERENCE,
        look::IDS_EMAIL,
        look::IDS_REFERENCE,
        look::STEP_DOWN,
        look::WALK,
        look::FIRST_SINCE,
        look::LAST_BEFORE,
        look::HELD_COPIES,
        look::HELD_OF_SHOP,
        look::HELD_OF_TEMPLATE,
        look::HELD_OF_REFERENCE,
        look::HELD_OF_EMAIL,
        look::HELD_OF_REASON,
        look::KEPT,
        look::HELD_KINDS,
        sql::HOURS_OF,
        sql::NEXT_DUE,
        sql::STANDING,
        sql::FIGURES_OF_SHOP,
        sql::FIGURES_OF_ALL,
        sql::PAUSES,
        sql::CLAIMED_LATELY,
        sql::PAST_LETTERS,
        sql::SUPPRESSED,
    ] {
        for step in conn.plan(statement).await {
            assert!(!step.contains("TEMP B-TREE"), "{}: {step}", statement.name);
        }
    }
}

/// Invitations of many days, of which few are meant.
const MANY_ENDED: &str = "WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 230000) \
    INSERT INTO invitation (shop, reference, reference_key, email, email_key, name, details, state, letters_sent, attempts, \
        created_at, updated_at) \
    SELECT 'shop' || n % 2, 'A-' || n, 'a-' || n, n || '@example.com', n || '@example.com', \
        CASE WHEN n = 5 THEN 'Needle' ELSE 'Anna' END, '{}', 'done', 1, 0, n, n FROM counted";

#[tokio::test]
async fn a_list_looks_at_so_many_and_says_how_far_it_came() {
    let place = Place::new().await;
    place.run(MANY_ENDED).await;
    let store = place.open().await;
    let text = |text: &str| Filter { text: FreeText::parse(text), ..Filter::default() };
    let shop = ShopId::parse("shop0").ok();
    for (filter, down_to, found) in [
        (text("needle"), Some(30_001), Some(5)),
        // The engine cannot tell these from names that are as long, so fewer are looked at.
        (text("\u{447}\u{430}\u{439}"), Some(210_001), None),
        (Filter { template: Some("own".to_owned()), ..Filter::default() }, Some(30_001), None),
        (Filter { shop: shop.clone(), ..text("needle") }, None, None),
        (Filter { begun_before: Timestamp(100), ..text("needle") }, Some(30_001), Some(5)),
    ] {
        let first = store.list(&filter, None, 50).await.unwrap();
        assert_eq!(first.looked_down_to.map(|id| id.0), down_to, "{filter:?}");
        assert_eq!(first.invitations, [], "{filter:?}");
        let rest = store.list(&filter, Some(InvitationId(30_001)), 50).await.unwrap();
        assert_eq!(rest.invitations.first().map(|one| one.id.0), found, "{filter:?}");
    }
    let one = store.list(&text("anna"), None, 3).await.unwrap();
    assert_eq!(one.invitations.iter().map(|one| one.id.0).collect::<Vec<_>>(), [230_000, 229_999, 229_998]);
    assert_eq!(one.looked_down_to, Some(InvitationId(229_998)));
}

#[tokio::test]
async fn a_commit_survives_a_power_cut_or_the_store_does_not_open() {
    let place = Place::new().await;
    let mut conn = File::new(&place.path).connect_to_write().await.unwrap();
    for (pragma, expected) in [("synchronous", 2), ("foreign_keys", 1), ("secure_delete", 1), ("busy_timeout", 5000)] {
        let found: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(format!("PRAGMA {pragma}"))).fetch_one(&mut conn).await.unwrap();
        assert_eq!(found, expected, "{pragma}");
    }
    for weaker in ["PRAGMA synchronous = NORMAL", "PRAGMA foreign_keys = OFF", "PRAGMA secure_delete = OFF"] {
        let mut conn = File::new(&place.path).connect_to_write().await.unwrap();
        sqlx::query(weaker).execute(&mut conn).await.unwrap();
        assert!(open::assert_durable(&mut conn, BUSY_TIMEOUT).await.is_err(), "{weaker}");
    }
}

#[tokio::test]
async fn without_its_log_a_file_is_not_used() {
    let place = Place::new().await;
    let mut conn = place.other().await;
    sqlx::raw_sql("PRAGMA journal_mode = DELETE; PRAGMA secure_delete = ON").execute(&mut conn).await.unwrap();
    let refused = open::assert_durable(&mut conn, BUSY_TIMEOUT).await.unwrap_err();
    assert!(refused.to_string().contains("write-ahead log"), "{refused}");
}

#[tokio::test]
async fn readers_cannot_write() {
    let place = Place::new().await;
    let mut conn = File::new(&place.path).connect_to_read().await.unwrap();
    assert!(sqlx::query("DELETE FROM copy").execute(&mut conn).await.is_err());
}

#[tokio::test]
async fn a_new_file_is_its_owners_alone_and_an_old_one_is_left_alone() {
    let place = Place::new().await;
    let store = place.open().await;
    store.spool(vec![mail("nord", b"x")]).await.unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let path = format!("{}{suffix}", place.path.display());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{path}");
    }
    let refused = File::new(&place.path).create().await.unwrap_err();
    assert!(why(&refused).contains("exists already"));
    assert_eq!(store.counts().await.unwrap().unread, 1);
    let nowhere = File::new(Path::new("/nowhere/at/all.db")).create().await.unwrap_err();
    assert!(why(&nowhere).contains("cannot be created"));
}

#[tokio::test]
async fn a_file_that_is_missing_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.db");
    let missing = StoreError::Missing(path.display().to_string());
    assert_eq!(open_store(&Database::Sqlite(path.clone()), None, Role::Desk).await.unwrap_err(), missing);
    assert_eq!(DaemonLock::acquire(&path).unwrap_err(), missing);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn files_that_are_not_ours_are_refused_and_left_as_they_are() {
    let place = Place::new().await;
    let foreign = place.path.with_file_name("foreign.db");
    let other = sqlx::sqlite::SqliteConnectOptions::new().filename(&foreign).create_if_missing(true);
    let mut conn = other.connect().await.unwrap();
    sqlx::raw_sql("CREATE TABLE theirs (a)").execute(&mut conn).await.unwrap();
    let text = place.path.with_file_name("text.db");
    fs::write(&text, "no database ".repeat(100)).unwrap();
    let empty = place.path.with_file_name("empty.db");
    fs::write(&empty, "").unwrap();
    for (path, expected) in [
        (foreign, "of another program"),
        (text, "not a SQLite database"),
        (empty, "it is empty"),
        (place.path.parent().unwrap().to_owned(), "not a file"),
    ] {
        let before = fs::read(&path).ok();
        let refused = open_store(&Database::Sqlite(path.clone()), None, Role::Desk).await.unwrap_err();
        assert!(why(&refused).contains(expected), "{refused}");
        assert_eq!(fs::read(&path).ok(), before);
    }
}

#[tokio::test]
async fn damage_is_found_at_the_daemons_start_or_on_demand() {
    let place = Place::new().await;
    let store = place.open().await;
    for _ in 0..50 {
        store.spool(vec![mail("nord", &noise(3000))]).await.unwrap();
    }
    store.check().await.unwrap();
    store.close().await;
    let whole = fs::read(&place.path).unwrap();

    fs::write(&place.path, &whole[..whole.len() / 2]).unwrap();
    assert!(why(&place.daemon().await.unwrap_err()).contains("damaged"));

    let pages = whole.len() / 4096;
    let mut noticed = 0;
    for page in 1..pages {
        let mut damaged = whole.clone();
        damaged[page * 4096..page * 4096 + 16].fill(0xA5);
        fs::write(&place.path, &damaged).unwrap();
        // A page of nothing but a body's bytes has no structure to check; the body's own checksum covers it.
        match place.daemon().await {
            Err(refused) => {
                assert!(why(&refused).contains("restore a backup"), "{refused}");
                noticed += 1;
            }
            Ok(store) => store.close().await,
        }
    }
    assert!(noticed > 20, "{noticed} of {pages} pages");
}

#[tokio::test]
async fn a_copy_whose_bytes_are_damaged_or_gone_is_held_and_the_next_is_read() {
    let place = Place::new().await;
    let store = place.open().await;
    store.spool(vec![mail("nord", &noise(100)); 3]).await.unwrap();
    place.run("UPDATE copy_body SET body = zeroblob(length(body)) WHERE copy_id = 1").await;
    place.run("DELETE FROM copy_body WHERE copy_id = 2").await;
    let read = store.claim_copies(2, 3, "one", NOW).await.unwrap();
    assert_eq!(read.iter().map(|copy| copy.id.0).collect::<Vec<_>>(), [3]);
    let held = store.held_copies(&HeldFilter::default(), None, 10).await.unwrap();
    assert_eq!(
        held.iter().map(|copy| (copy.id.0, copy.state)).collect::<Vec<_>>(),
        [(2, CopyState::Held), (1, CopyState::Held)]
    );
    assert!(held[1].reading.as_ref().unwrap().reason.as_ref().unwrap().contains("damaged"));
    assert!(matches!(store.copy(CopyId(1)).await, Err(StoreError::Failed(_))));
}

#[tokio::test]
async fn a_newer_schema_is_used_as_long_as_it_says_so_and_an_older_one_is_the_daemons_business() {
    let place = Place::new().await;
    place.run("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', 1, x'00', 0)").await;
    place.open().await.close().await;
    place.daemon().await.unwrap().close().await;
    place.run("UPDATE property SET value = '98' WHERE name = 'compatible_from'").await;
    for role in [Role::Desk, Role::Daemon] {
        let refused = open_store(&place.database(), None, role).await.unwrap_err();
        let StoreError::NewerSchema { found, known, .. } = refused else { panic!("{refused}") };
        assert_eq!((found, known), (99, newest_schema()));
    }
    place.run("DELETE FROM _sqlx_migrations").await;
    let refused = open_store(&place.database(), None, Role::Desk).await.unwrap_err();
    assert!(why(&refused).contains("start the daemon"));
}

/// As the first version made it, with what it had in hand when it stopped.
#[tokio::test]
async fn a_queue_of_the_first_schema_is_brought_up_to_date_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("invited.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut conn = options.connect().await.unwrap();
    open::MIGRATIONS.run_to(1, &mut conn).await.unwrap();
    sqlx::raw_sql(
        "PRAGMA journal_mode = WAL; \
         INSERT INTO invitation VALUES (7, 'nord', 'A-1', 'a-1', 'anna@example.com', 'anna@example.com', NULL, '{}', 'sending', \
            NULL, NULL, 0, 1, 1, 1), \
            (8, 'nord', 'A-2', 'a-2', 'bo@example.com', 'bo@example.com', NULL, '{}', 'queued', 5, NULL, 0, 0, 1, 1); \
         INSERT INTO letter VALUES (3, 7, 1, 'invitation', 'claimed', 1, NULL, 'dead', 9, 9, NULL, NULL, NULL); \
         INSERT INTO copy VALUES \
            (1, 'nord', '', 'x', NULL, 'mx', 0, 1, 7200001, 'held', 1, 1, '{\"template\": \"own\", \"reason\": \"unclear\"}', \
                NULL, NULL, NULL), \
            (2, 'nord', '', 'x', NULL, 'mx', 0, 1, 7200002, 'held', 1, 1, 'no JSON', NULL, NULL, NULL), \
            (3, 'nord', '', 'x', NULL, 'mx', 0, 1, 7200003, 'event', 1, 1, '{}', NULL, NULL, 7), \
            (4, 'nord', '', 'x', NULL, 'mx', 0, 1, 7200004, 'unread', 0, NULL, NULL, NULL, NULL, NULL);",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    sqlx::Connection::close(conn).await.unwrap();
    let store = open_store(&Database::Sqlite(path), None, Role::Daemon).await.unwrap();
    let recovered = store.recover("new", Arc::default(), NOW).await.unwrap();
    assert_eq!((recovered.requeued, recovered.in_doubt), (1, 0));
    assert_eq!(store.next_due().await.unwrap(), [(ShopId::parse("nord").unwrap(), Timestamp(5))]);
    assert_eq!(store.counts().await.unwrap().invitations, [(State::Queued, 2)].into());
    // What was held before can be found, and counts.
    for filter in [
        HeldFilter { template: Some("own".to_owned()), ..HeldFilter::default() },
        HeldFilter { reason: Some("unclear".to_owned()), ..HeldFilter::default() },
    ] {
        let found = store.held_copies(&filter, None, 9).await.unwrap();
        assert_eq!(found.iter().map(|copy| copy.id.0).collect::<Vec<_>>(), [1], "{filter:?}");
    }
    let sum = &store.watch_figures().await.unwrap().sums[0];
    assert_eq!((sum.event, sum.held, sum.ignored, sum.last_copy_at), (1, 2, 0, Timestamp(7_200_003)));
    let hours = store.watch_hours(std::slice::from_ref(&sum.shop), Timestamp(0)).await.unwrap();
    assert_eq!(hours.iter().map(|(_, hour)| (hour.begins.0, hour.held)).collect::<Vec<_>>(), [(7_200_000, 2)]);
}

/// Enough rows that there is a middle.
const MANY: &str = "
    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 2000)
    INSERT INTO invitation SELECT n, 'nord', 'A-' || n, 'a-' || n, n || '@example.com', n || '@example.com', NULL, '{}', 'done', NULL,
        NULL, 1, 0, n, n FROM number;
    INSERT INTO letter (invitation_id, ordinal, kind, phase, attempts, claimed_at)
        SELECT id, 1, 'invitation', 'accepted', 1, id FROM invitation;
    INSERT INTO decision (invitation_id, at, event, to_state, rule, actor)
        SELECT id, id, 'attempt accepted', 'done', 'last-letter-accepted', 'daemon' FROM invitation";

/// Steps of SQLite's machine between two looks.
const STEPS: i32 = 1000;

#[tokio::test]
async fn a_migration_that_is_killed_at_any_point_leaves_the_old_schema_whole() {
    if let Some(path) = childs_path() {
        let (path, last) = path.to_str().unwrap().rsplit_once('#').unwrap();
        let file = File::new(Path::new(path));
        let mut conn = file.connect_to_write().await.unwrap();
        let (last, looks) = (last.parse::<u64>().unwrap(), Arc::new(AtomicU64::new(0)));
        let seen = Arc::clone(&looks);
        conn.lock_handle().await.unwrap().set_progress_handler(STEPS, move || {
            // As a kill would: nothing is written, closed or unlocked any more.
            if seen.fetch_add(1, Ordering::Relaxed) == last {
                std::process::abort();
            }
            true
        });
        file.migrate(&mut conn).await.unwrap();
        println!("\nlooks {}", looks.load(Ordering::Relaxed));
        return;
    }
    let test = "a_migration_that_is_killed_at_any_point_leaves_the_old_schema_whole";
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old.db");
    crate::store::tests::old_file(&old, MANY).await;
    let run = |last: u64| {
        let path = folder.path().join(format!("{last}.db"));
        fs::copy(&old, &path).unwrap();
        let mut child = child(test, Path::new(&format!("{}#{last}", path.display())));
        let output = child.stderr(std::process::Stdio::null()).output().unwrap();
        (path, String::from_utf8(output.stdout).unwrap())
    };
    let (_, said) = run(u64::MAX);
    let looks = said.lines().find_map(|line| line.strip_prefix("looks ")).unwrap().parse::<u64>().unwrap();
    assert!(looks > 50, "{looks}");
    for part in 0..10 {
        let (path, said) = run(looks * part / 10);
        assert!(!said.contains("looks"), "it was killed");
        let mut conn = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
        let mut one = async |text| sqlx::query_scalar::<_, i64>(text).fetch_one(&mut conn).await;
        // Each schema on the way is whole, and has all that is its own and nothing of the next.
        let version = one("SELECT MAX(version) FROM _sqlx_migrations").await.unwrap();
        assert!([3, 4].contains(&version), "{part}: {version}");
        for (column, since) in [
            ("SELECT COUNT(round) FROM invitation", 4),
            ("SELECT COUNT(*) FROM figure", 4),
            ("SELECT COUNT(proof) FROM copy", 5),
            ("SELECT COUNT(*) FROM sender", 5),
        ] {
            assert_eq!(one(column).await.is_ok(), version >= since, "{part}: {column}");
        }
        let whole = "SELECT COUNT(*) FROM invitation JOIN letter ON letter.invitation_id = invitation.id \
            JOIN decision ON decision.invitation_id = invitation.id";
        assert_eq!(one(whole).await.unwrap(), 2000, "{part}");
        sqlx::Connection::close(conn).await.unwrap();
        let store = open_store(&Database::Sqlite(path), None, Role::Daemon).await.unwrap();
        assert_eq!(store.counts().await.unwrap().invitations, [(State::Done, 2000)].into());
        store.check().await.unwrap();
        store.close().await;
    }
}

#[tokio::test]
async fn one_daemon_at_a_time_and_the_desk_beside_it() {
    let place = Place::new().await;
    let daemon = place.daemon().await.unwrap();
    assert_eq!(place.daemon().await.unwrap_err(), StoreError::Taken { pid: std::process::id() });
    let desk = place.open().await;
    let (one, two) = tokio::join!(daemon.spool(vec![mail("nord", b"1")]), desk.spool(vec![mail("nord", b"2")]));
    assert_ne!(one.unwrap(), two.unwrap());
    assert_eq!(daemon.counts().await.unwrap().unread, 2);
    daemon.close().await;
    place.daemon().await.unwrap().close().await;
}

const CHILD: &str = "INVITED_TEST_CHILD_DATABASE";

/// The path that a parent test gave to this process, when it is a child.
#[expect(
    clippy::disallowed_methods,
    reason = "a test that runs itself again in another process tells itself so by a variable"
)]
fn childs_path() -> Option<PathBuf> {
    std::env::var(CHILD).ok().map(PathBuf::from)
}

fn child(test: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("store::sqlite::tests::{test}"), "--nocapture"]).env(CHILD, path);
    command.stdout(std::process::Stdio::piped());
    command
}

/// Waits until the child has said a line that begins with `word`, and returns the rest of it.
fn heard(child: &mut std::process::Child, word: &str) -> String {
    use std::io::{BufRead, BufReader};
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
    lines.map(Result::unwrap).find_map(|line| Some(line.split_once(word)?.1.to_owned())).unwrap()
}

#[tokio::test]
async fn the_lock_ends_with_the_process_that_has_it() {
    if let Some(path) = childs_path() {
        let _lock = DaemonLock::acquire(&path).unwrap();
        println!("\nlocked.");
        std::thread::park();
    }
    let place = Place::new().await;
    let mut first = child("the_lock_ends_with_the_process_that_has_it", &place.path).spawn().unwrap();
    heard(&mut first, "locked");
    let link = place.path.with_file_name("link.db");
    std::os::unix::fs::symlink(&place.path, &link).unwrap();
    for path in [&place.path, &link] {
        assert_eq!(DaemonLock::acquire(path).unwrap_err(), StoreError::Taken { pid: first.id() });
    }
    first.kill().unwrap();
    first.wait().unwrap();
    DaemonLock::acquire(&place.path).unwrap();
}

#[tokio::test]
async fn a_killed_daemon_loses_nothing_that_it_acknowledged() {
    if let Some(path) = childs_path() {
        let store = open_store(&Database::Sqlite(path), None, Role::Desk).await.unwrap();
        for written in 1.. {
            let spooling = (0..20).map(|_| store.spool(vec![mail("nord", &noise(2000))]));
            futures_util::future::try_join_all(spooling).await.unwrap();
            println!("\nacknowledged {}", written * 20);
        }
    }
    let place = Place::new().await;
    let mut daemon = child("a_killed_daemon_loses_nothing_that_it_acknowledged", &place.path).spawn().unwrap();
    let mut acknowledged = 0;
    while acknowledged < 200 {
        acknowledged = heard(&mut daemon, "acknowledged ").parse().unwrap();
    }
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    let store = place.daemon().await.unwrap();
    assert!(store.counts().await.unwrap().unread >= acknowledged);
    store.check().await.unwrap();
}

#[tokio::test]
async fn what_this_user_may_not_write_is_refused_with_the_reason() {
    if let Some(path) = childs_path() {
        let refused = open_store(&Database::Sqlite(path.clone()), None, Role::Desk).await.unwrap_err();
        println!("\nrefused: {refused}");
        return;
    }
    // Root may write anywhere, so the test runs itself again as nobody.
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("skipped: needs root to become another user");
        return;
    }
    let place = Place::new().await;
    let folder = place.path.parent().unwrap();
    const NOBODY: u32 = 65534;
    let refused = |owner: u32, file: u32, dir: u32| {
        std::os::unix::fs::chown(&place.path, Some(owner), None).unwrap();
        fs::set_permissions(&place.path, fs::Permissions::from_mode(file)).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(dir)).unwrap();
        let mut command = child("what_this_user_may_not_write_is_refused_with_the_reason", &place.path);
        command.uid(NOBODY).gid(NOBODY).output().map(|output| String::from_utf8(output.stdout).unwrap())
    };
    for (owner, file, dir, expected) in [
        (NOBODY, 0o400, 0o777, "cannot be opened for writing"),
        (NOBODY, 0o600, 0o755, "folder cannot be written"),
        (0, 0o600, 0o777, "it is root's"),
        (0, 0o666, 0o777, "sudo -u root invited"),
    ] {
        let Ok(said) = refused(owner, file, dir) else {
            eprintln!("skipped: the test binary lies where nobody else may run it");
            return;
        };
        assert!(said.contains(expected), "{owner} {file:o} {dir:o}: {said}");
    }
}

#[tokio::test]
async fn root_leaves_a_queue_of_somebody_else_alone_and_makes_none_in_his_folder() {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        eprintln!("skipped: needs root to give a file to another user");
        return;
    }
    let place = Place::new().await;
    let folder = place.path.parent().unwrap();
    std::os::unix::fs::chown(&place.path, Some(4711), None).unwrap();
    for role in [Role::Desk, Role::Daemon] {
        let refused = open_store(&place.database(), None, role).await.unwrap_err();
        assert!(
            why(&refused).contains("it is user 4711's") && why(&refused).contains("sudo -u '#4711' invited"),
            "{refused}"
        );
    }
    let names = fs::read_dir(folder).unwrap().map(|one| one.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(names, ["invited.db"], "neither a lock nor a log is left behind");
    std::os::unix::fs::chown(folder, Some(4711), None).unwrap();
    let new = Database::Sqlite(folder.join("new.db"));
    assert!(why(&create_if_missing(&new, None).await.unwrap_err()).contains("sudo -u '#4711' invited"));
    assert!(!folder.join("new.db").exists());
}

#[tokio::test]
async fn those_who_wait_share_commits() {
    let place = Place::new().await;
    let store = place.open().await;
    let before = store.commits();
    let spooling = (0..20).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { store.spool(vec![mail("nord", format!("mail {n}").as_bytes()); 2]).await.unwrap() })
    });
    let mut ids = Vec::new();
    for (n, spooled) in spooling.collect::<Vec<_>>().into_iter().enumerate() {
        let spooled = spooled.await.unwrap();
        for id in &spooled {
            assert_eq!(store.copy(*id).await.unwrap().unwrap().1.unwrap(), format!("mail {n}").as_bytes());
        }
        ids.extend(spooled);
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=40).map(CopyId).collect::<Vec<_>>());
    assert!(store.commits() - before <= 5, "{} commits for 20 callers", store.commits() - before);
}

#[tokio::test]
async fn what_one_caller_brings_cannot_spoil_the_others() {
    let place = Place::new().await;
    // On the second of the two statements: the first is done by then and has to be undone.
    place
        .run(
            "CREATE TRIGGER poison BEFORE INSERT ON copy_body \
             WHEN (SELECT shop FROM copy WHERE id = NEW.copy_id) = 'poison' BEGIN SELECT RAISE(ABORT, 'poison'); END",
        )
        .await;
    let store = place.open().await;
    let before = store.commits();
    let (a, b, c, d) = tokio::join!(
        store.spool(vec![mail("nord", b"a")]),
        store.spool(vec![mail("nord", b"b"), mail("poison", b"b")]),
        store.purge(NOW, 1),
        store.spool(vec![mail("nord", b"d")]),
    );
    assert_eq!((a.unwrap(), c.unwrap(), d.unwrap()), (vec![CopyId(1)], 0, vec![CopyId(2)]));
    assert!(matches!(b, Err(StoreError::Failed(_))));
    assert_eq!((store.counts().await.unwrap().unread, store.commits() - before), (2, 1));
    assert_eq!(store.copy(CopyId(2)).await.unwrap().unwrap().1.unwrap(), b"d");
    // Alone in its transaction, too.
    assert!(store.spool(vec![mail("poison", b"x")]).await.is_err());
    assert_eq!(store.ready().await, Ok(()));
    assert_eq!(store.spool(vec![mail("nord", b"e")]).await.unwrap(), [CopyId(3)]);
}

#[tokio::test]
async fn a_reading_that_cannot_be_written_leaves_its_copy_unread_and_the_others_filed() {
    let place = Place::new().await;
    place.run("CREATE TRIGGER poison BEFORE INSERT ON decision WHEN NEW.copy_id = 2 BEGIN SELECT RAISE(ABORT, 'poison'); END").await;
    let store = place.open().await;
    let copies = store.spool(vec![mail("nord", b"x"); 3]).await.unwrap();
    let readings = copies.iter().map(|copy| FiledReading {
        copy: *copy,
        shop: ShopId::parse("nord").unwrap(),
        reading: Reading {
            event: Some(EventKind::Placed),
            customer_email: EmailAddress::parse("anna@example.com").ok(),
            reference: OrderReference::parse(&copy.to_string()),
            ..Reading::without_findings(Outcome::Event, "")
        },
        news: Some(OrderNews::new(EventKind::Placed, Timestamp(0))),
        credence: Credence::default(),
    });
    let filed = store.file_readings(readings.collect(), Arc::default(), NOW).await.unwrap();
    assert_eq!(filed.iter().map(|filed| filed.copy.0).collect::<Vec<_>>(), [1, 3]);
    let counts = store.counts().await.unwrap();
    assert_eq!((counts.unread, counts.invitations.get(&State::Queued)), (1, Some(&2)));
}

#[tokio::test]
async fn a_lock_that_ends_in_time_is_not_noticed() {
    let place = Place::new().await;
    let store = place.open().await;
    store.spool(vec![mail("nord", b"x")]).await.unwrap();
    let mut other = place.other().await;
    sqlx::raw_sql("BEGIN IMMEDIATE; UPDATE copy SET hello = 'changed'").execute(&mut other).await.unwrap();
    // This reads before it writes: a transaction that began with the old state could not go on after the other's commit.
    let queued = tokio::spawn({
        let store = store.clone();
        async move { store.claim_copies(1, 3, "one", NOW).await }
    });
    // Reading goes on meanwhile, and this gives the writer time to meet the lock.
    for _ in 0..100 {
        assert_eq!(store.counts().await.unwrap().unread, 1);
    }
    assert!(!queued.is_finished());
    sqlx::query("COMMIT").execute(&mut other).await.unwrap();
    assert_eq!(queued.await.unwrap().unwrap().len(), 1);
}

#[tokio::test]
async fn a_lock_that_lasts_is_busy_for_all_who_wait_and_then_the_store_goes_on() {
    let place = Place::new().await;
    let store = place.open_impatiently().await;
    let mut other = place.other().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let (a, b) = tokio::join!(store.spool(vec![mail("nord", b"a")]), store.purge(NOW, 1));
    assert_eq!((a, b), (Err(StoreError::Busy), Err(StoreError::Busy)));
    assert_eq!(store.ready().await, Err(StoreError::Busy));
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    assert_eq!(store.spool(vec![mail("nord", b"a")]).await, Ok(vec![CopyId(1)]));
    assert_eq!(store.ready().await, Ok(()));
}

#[tokio::test]
async fn a_full_disk_is_full_and_works_again_when_there_is_room() {
    let place = Place::new().await;
    let store = place.open().await;
    // The limit is the connection's, so it is set by way of the writer itself.
    store.writers.spool.carry_out(PageLimit(40)).await.unwrap();
    let mut kept = 0;
    let full = loop {
        match store.spool(vec![mail("nord", &noise(3000)); 3]).await {
            Ok(ids) => kept += ids.len() as u64,
            Err(error) => break error,
        }
    };
    assert_eq!((full, store.ready().await), (StoreError::Full, Err(StoreError::Full)));
    let callers = [0; 5].map(|_| store.spool(vec![mail("nord", &noise(9000))]));
    for outcome in futures_util::future::join_all(callers).await {
        assert_eq!(outcome, Err(StoreError::Full), "nobody in the batch is told that it was kept");
    }
    assert_eq!(store.counts().await.unwrap().unread, kept);
    store.writers.spool.carry_out(PageLimit(100_000)).await.unwrap();
    store.spool(vec![mail("nord", &noise(3000))]).await.unwrap();
    assert_eq!((store.counts().await.unwrap().unread, store.ready().await), (kept + 1, Ok(())));
    store.check().await.unwrap();
}

struct PageLimit(u32);

#[async_trait]
impl Work for PageLimit {
    type Answer = ();

    async fn run(&self, conn: &mut Connection) -> Result<(), Fault> {
        let Some(conn) = conn.file() else { panic!("a file") };
        let pragma = sqlx::AssertSqlSafe(format!("PRAGMA max_page_count = {}", self.0));
        sqlx::query(pragma).execute(conn).await?;
        Ok(())
    }
}

#[tokio::test]
async fn what_is_queued_is_written_though_its_caller_goes_away() {
    let place = Place::new().await;
    let store = place.open().await;
    let mut other = place.other().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let mut spooling = Box::pin(store.spool(vec![mail("nord", b"x")]));
    assert!(futures_util::poll!(&mut spooling).is_pending());
    drop(spooling);
    sqlx::query("COMMIT").execute(&mut other).await.unwrap();
    assert_eq!(store.spool(vec![mail("nord", b"y")]).await, Ok(vec![CopyId(2)]));
    assert_eq!(store.counts().await.unwrap().unread, 2);
}

#[tokio::test]
async fn an_envelope_comes_back_letter_for_letter() {
    let place = Place::new().await;
    let store = place.open().await;
    for odd in
        ["", "\"o'b\\x\"@x.example", "\u{e5}\u{1F600}@x.example", "a\0b", "{\"a\": [1]}", "1e5", "null", "\u{7f}\u{1}"]
    {
        let id = store.spool(vec![NewCopy { mail_from: odd.to_owned(), ..mail("nord", b"x") }]).await.unwrap()[0];
        let kept = store.copy(id).await.unwrap().unwrap().0.mail_from;
        // The one character that not every engine can hold.
        assert_eq!(kept, odd.replace('\0', "\u{fffd}"));
    }
}

#[tokio::test]
async fn numbers_are_not_used_again() {
    let place = Place::new().await;
    let store = place.open().await;
    store.spool(vec![mail("nord", b"x"); 3]).await.unwrap();
    place.run("PRAGMA foreign_keys = ON; DELETE FROM copy").await;
    assert_eq!(store.spool(vec![mail("nord", b"x")]).await, Ok(vec![CopyId(4)]));
}

#[tokio::test]
async fn closing_leaves_one_file_and_the_lock() {
    let place = Place::new().await;
    let store = place.daemon().await.unwrap();
    store.spool(vec![mail("nord", b"x")]).await.unwrap();
    store.close().await;
    store.close().await;
    let mut names = fs::read_dir(place.path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect::<Vec<_>>();
    names.sort_unstable();
    assert_eq!(names, ["invited.db", "invited.db.lock"]);
}
