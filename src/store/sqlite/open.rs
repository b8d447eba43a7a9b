//! Opening and creating the file. Nothing is assumed: what keeps the promise of durability is set on every connection and read
//! back, and a file that is not ours, damaged, or of another version is refused with words that help.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access as Mode, AtFlags, CWD};
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::store::sql::fault::{Fault, result_code, sqlite as code, words};
use crate::store::{StoreError, schema};

/// The schema's history. A migration that was released is never edited.
pub(super) static MIGRATIONS: Migrator =
    Migrator { ignore_missing: true, ..sqlx::migrate!("src/store/sqlite/migrations") };

/// `invt` in the file's header, set by the first migration.
const APPLICATION_ID: i64 = 1_768_846_964;

/// How long a write waits for another process's.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Up to this size the whole file is checked at start; that takes a fraction of a second. Larger ones are checked by
/// [`crate::store::SqlStore::check`] when somebody asks.
const CHECK_AT_START_BYTES: u64 = 64 * 1024 * 1024;

/// The log is cut back to this after a large transaction or a long reader.
const LOG_SIZE_LIMIT: &str = "67108864";

/// A database file, and how connections to it are made.
#[derive(Debug, Clone)]
pub(in crate::store) struct File {
    path: PathBuf,
    busy_timeout: Duration,
}

impl File {
    /// The file at `path`.
    pub(in crate::store) fn new(path: &Path) -> Self {
        Self::patient(path, BUSY_TIMEOUT)
    }

    /// The file at `path`, with another patience for other processes' locks.
    pub(super) fn patient(path: &Path, busy_timeout: Duration) -> Self {
        Self { path: path.to_owned(), busy_timeout }
    }

    /// Looks at the file and makes it ready: the daemon brings its schema up to date, the desk refuses one that is not the newest.
    pub(in crate::store) async fn prepare(&self, is_daemon: bool) -> Result<(), StoreError> {
        let found = self.inspect(is_daemon).await?;
        self.check_whole(found).await?;
        let mut conn = self.connect_to_write().await.map_err(|error| self.unusable(error))?;
        if is_daemon {
            self.migrate(&mut conn).await?;
        } else if found < newest_schema() {
            return Err(self.refuse(&schema::too_old(found, newest_schema())));
        }
        let _ = conn.close().await;
        Ok(())
    }

    /// Looks at a file that a queue is to be moved into, or was in part.
    pub(in crate::store) async fn prepare_to_fill(&self) -> Result<(), StoreError> {
        self.inspect(false).await.map(drop)
    }

    /// Refuses a file into which a queue was not moved to the end: the rest of it is still elsewhere.
    async fn check_whole(&self, schema: i64) -> Result<(), StoreError> {
        if schema < schema::WITH_PROPERTIES {
            return Ok(());
        }
        let mut conn = self.options().connect().await.map_err(|error| self.unusable(error))?;
        let source = property(&mut conn, "moved_from").await;
        let _ = conn.close().await;
        match source.map_err(|error| self.unusable(error))? {
            Some(source) => Err(self.refuse(&schema::half_moved(&source))),
            None => Ok(()),
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder that holds the file and its log.
    pub(in crate::store) fn folder(&self) -> &Path {
        match self.path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }

    pub(super) fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(false)
            .busy_timeout(self.busy_timeout)
            .foreign_keys(true)
            .disable_statement_logging()
    }

    fn durable_options(&self) -> SqliteConnectOptions {
        self.options()
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // Deleted mails must not stay readable in free pages.
            .pragma("secure_delete", "ON")
            .pragma("journal_size_limit", LOG_SIZE_LIMIT)
    }

    /// A connection of which it is certain that a commit on it survives a power cut.
    pub(in crate::store) async fn connect_to_write(&self) -> Result<SqliteConnection, sqlx::Error> {
        self.connect(self.durable_options()).await
    }

    /// A connection that cannot write.
    pub(in crate::store) async fn connect_to_read(&self) -> Result<SqliteConnection, sqlx::Error> {
        self.connect(self.durable_options().pragma("query_only", "ON")).await
    }

    async fn connect(&self, options: SqliteConnectOptions) -> Result<SqliteConnection, sqlx::Error> {
        let mut conn = options.connect().await?;
        assert_durable(&mut conn, self.busy_timeout).await?;
        Ok(conn)
    }

    /// Looks at the file without changing it, and returns its schema's number.
    async fn inspect(&self, whole_file: bool) -> Result<i64, StoreError> {
        let size = self.check_file()?;
        let mut conn = self.options().connect().await.map_err(|error| self.unusable(error))?;
        let found = self.look(&mut conn, whole_file && size <= CHECK_AT_START_BYTES).await;
        let _ = conn.close().await;
        found
    }

    async fn look(&self, conn: &mut SqliteConnection, whole_file: bool) -> Result<i64, StoreError> {
        let id: i64 = sqlx::query_scalar("PRAGMA application_id")
            .fetch_one(&mut *conn)
            .await
            .map_err(|error| self.unusable(error))?;
        if id != APPLICATION_ID {
            return Err(self.refuse("it is a SQLite database, but of another program, or its creation was interrupted"));
        }
        let found = schema(conn).await.map_err(|error| self.unusable(error))?;
        if found > newest_schema() {
            let floor = floor(conn).await.map_err(|error| self.unusable(error))?;
            schema::check_floor(&self.place(), floor, found, newest_schema())?;
        }
        if whole_file && let Some(why) = quick_check(conn).await.map_err(|error| self.unusable(error))? {
            return Err(self.refuse(&format!("it is damaged ({why}); restore a backup")));
        }
        Ok(found)
    }

    /// What the file system says before SQLite is asked; returns the file's size.
    fn check_file(&self) -> Result<u64, StoreError> {
        let found = match fs::metadata(&self.path) {
            Err(why) if why.kind() == ErrorKind::NotFound => {
                return Err(StoreError::Missing(self.path.display().to_string()));
            }
            Err(why) => return Err(self.unopened("it cannot be looked at", &why)),
            Ok(found) if !found.is_file() => return Err(self.refuse("it is not a file")),
            // SQLite takes an empty file for a new database.
            Ok(found) if found.len() == 0 => return Err(self.refuse("it is empty")),
            Ok(found) => found,
        };
        if let Err(why) = OpenOptions::new().read(true).write(true).open(&self.path) {
            return Err(self.unopened("it cannot be opened for writing", &why));
        }
        if let Err(why) = rustix::fs::accessat(CWD, self.folder(), Mode::WRITE_OK | Mode::EXEC_OK, AtFlags::EACCESS) {
            return Err(self.refuse(&format!(
                "its folder cannot be written ({why}), and the database keeps its log beside itself"
            )));
        }
        Ok(found.len())
    }

    /// Brings the schema up to date. Each migration is a transaction. One that makes a table anew drops the old one, which with foreign
    /// keys on would delete all rows that name one of its rows; they cannot be turned off within a transaction.
    pub(super) async fn migrate(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        use sqlx::migrate::MigrateError;
        // A file that was just made has no history.
        let before = schema(conn).await.unwrap_or(0);
        self.pragma(conn, "PRAGMA foreign_keys = OFF").await?;
        MIGRATIONS.run(&mut *conn).await.map_err(|error| match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                Fault::from(error).into_store_error()
            }
            other => self.refuse(&other.to_string()),
        })?;
        self.pragma(conn, "PRAGMA foreign_keys = ON").await?;
        if (1..newest_schema()).contains(&before) {
            self.look_for_orphans(conn).await?;
        }
        Ok(())
    }

    async fn pragma(&self, conn: &mut SqliteConnection, text: &'static str) -> Result<(), StoreError> {
        sqlx::raw_sql(text).execute(conn).await.map(drop).map_err(|error| Fault::from(error).into_store_error())
    }

    /// Says so when rows are left without the one that they belong to. The program uses none of them, so they are no reason to stand
    /// still; somebody else deleted what they belong to, or a migration is wrong.
    async fn look_for_orphans(&self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        let found: Vec<(String, i64)> =
            sqlx::query_as("SELECT \"table\", COUNT(*) FROM pragma_foreign_key_check GROUP BY 1 ORDER BY 1")
                .fetch_all(conn)
                .await
                .map_err(|error| Fault::from(error).into_store_error())?;
        for (table, rows) in found {
            tracing::error!(table, rows, "rows of the database belong to others that are not there; they are not used");
        }
        Ok(())
    }

    /// Makes a new file, readable by its owner only, with the newest schema, and makes its name durable too.
    pub(in crate::store) async fn create(&self) -> Result<(), StoreError> {
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path) {
            Ok(_) => {}
            Err(why) if why.kind() == ErrorKind::AlreadyExists => return Err(self.refuse("it exists already")),
            Err(why) => return Err(self.unopened("it cannot be created", &why)),
        }
        let made = self.fill().await;
        if made.is_err() {
            // Ours since a moment ago, and of no use half made.
            for suffix in ["", "-wal", "-shm"] {
                let mut name = self.path.as_os_str().to_owned();
                name.push(suffix);
                let _ = fs::remove_file(PathBuf::from(name));
            }
        }
        made
    }

    async fn fill(&self) -> Result<(), StoreError> {
        let mut conn = self.connect_to_write().await.map_err(|error| self.unusable(error))?;
        self.migrate(&mut conn).await?;
        conn.close().await.map_err(|error| self.unusable(error))?;
        fs::File::open(self.folder())
            .and_then(|folder| folder.sync_all())
            .map_err(|why| self.unopened("its folder cannot be written to disk", &why))
    }

    /// The refusal with its path.
    pub(in crate::store) fn refuse(&self, why: &str) -> StoreError {
        StoreError::Unusable { place: self.place(), why: why.to_owned() }
    }

    fn unopened(&self, what: &str, why: &std::io::Error) -> StoreError {
        StoreError::unopened(&self.place(), what, why)
    }

    /// SQLite does not say which of its files it could not open, nor why: what the system says when it is asked again.
    fn cannot_open(&self) -> StoreError {
        // SQLite's log is beside the file that a link leads to.
        let file = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        for suffix in ["", "-wal", "-shm"] {
            let mut name = file.as_os_str().to_owned();
            name.push(suffix);
            match OpenOptions::new().read(true).write(true).open(&name) {
                Ok(_) => {}
                Err(why) if why.kind() == ErrorKind::NotFound => {}
                Err(why) => {
                    let what = format!("{} cannot be opened for writing", PathBuf::from(name).display());
                    return self.unopened(&what, &why);
                }
            }
        }
        StoreError::Failed(format!("{}: it or its log could not be opened for writing", self.place()))
    }

    /// Where it is.
    pub(in crate::store) fn place(&self) -> String {
        self.path.display().to_string()
    }

    /// A fault while opening.
    pub(in crate::store) fn met(&self, fault: Fault) -> StoreError {
        match fault {
            Fault::Sql(error) => self.unusable(error),
            other => other.into_store_error(),
        }
    }

    /// An engine's error while opening, in words that say what to do.
    pub(in crate::store) fn unusable(&self, error: sqlx::Error) -> StoreError {
        if let sqlx::Error::Configuration(why) = &error {
            return self.refuse(&why.to_string());
        }
        if result_code(&error) == Some(code::IOERR_SHMSIZE) {
            return Fault::Sql(error).into_store_error();
        }
        match result_code(&error).map(|code| code & 0xff) {
            Some(code::NO_DATABASE) => {
                self.refuse("it is not a SQLite database, or its first page is damaged; restore a backup")
            }
            Some(code::CORRUPT) => self.refuse("it is damaged; restore a backup"),
            Some(code::CANNOT_OPEN | code::READ_ONLY) => self.cannot_open(),
            Some(code::BUSY | code::LOCKED | code::FULL) => Fault::Sql(error).into_store_error(),
            Some(code::IO) => StoreError::Failed(format!("{}: {}", self.place(), words(&error))),
            _ => self.refuse(&error.to_string()),
        }
    }
}

/// The newest schema that this program knows.
pub(in crate::store) fn newest_schema() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

async fn schema(conn: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations WHERE success").fetch_one(conn).await
}

/// The oldest schema whose programs may still work with this one.
async fn floor(conn: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let floor = property(conn, "compatible_from").await?;
    Ok(floor.and_then(|floor| floor.parse().ok()).unwrap_or(i64::MAX))
}

pub(super) async fn property(conn: &mut SqliteConnection, name: &'static str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT value FROM property WHERE name = $1").bind(name).fetch_optional(conn).await
}

/// The first fault that SQLite's `quick_check` finds.
pub(in crate::store) async fn quick_check(conn: &mut SqliteConnection) -> Result<Option<String>, sqlx::Error> {
    let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(conn).await?;
    Ok((verdict != "ok").then_some(verdict))
}

/// Writes the log into the file and cuts it to nothing. `false` when others read or write for longer than is waited for.
pub(in crate::store) async fn empty_log(conn: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let (busy, _, _): (i64, i64, i64) = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(conn).await?;
    Ok(busy == 0)
}

/// Reads back what durability and integrity rest on. With WAL and synchronous NORMAL, a power cut took all of 300
/// acknowledged commits; with FULL none.
pub(super) async fn assert_durable(conn: &mut SqliteConnection, busy_timeout: Duration) -> Result<(), sqlx::Error> {
    let (journal, synchronous, foreign_keys, secure_delete, timeout): (String, i64, i64, i64, i64) = sqlx::query_as(
        "SELECT journal_mode, synchronous, foreign_keys, secure_delete, timeout FROM pragma_journal_mode, \
         pragma_synchronous, pragma_foreign_keys, pragma_secure_delete, pragma_busy_timeout",
    )
    .fetch_one(conn)
    .await?;
    let expected_timeout = i64::try_from(busy_timeout.as_millis()).unwrap_or(i64::MAX);
    let refuse = |why: String| Err(sqlx::Error::Configuration(why.into()));
    if journal != "wal" {
        return refuse(format!(
            "its write-ahead log cannot be used (journal mode {journal}); put it on a local disk, not a network share"
        ));
    }
    if (synchronous, foreign_keys, secure_delete, timeout) != (2, 1, 1, expected_timeout) {
        return refuse(format!(
            "its settings did not take: synchronous {synchronous}, foreign_keys {foreign_keys}, \
             secure_delete {secure_delete}, busy_timeout {timeout}"
        ));
    }
    Ok(())
}
