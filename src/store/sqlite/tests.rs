//! What only this engine can get wrong: plans, pragmas, shared commits, and the faults of a disk and of other processes.

mod migrations;
mod plans;
mod processes;

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
use crate::store::sql::every_statement;
use crate::store::sql::fault::Fault;
use crate::store::sql::statements::{self as sql};
use crate::store::sql::writer::Work;
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
