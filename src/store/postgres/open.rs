//! Opening a database of a PostgreSQL server. Nothing is assumed: what keeps the promise of durability is set on every connection
//! and read back, and a server or a database that does not fit is refused with words that help.

use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection};

use crate::config::{Postgres, PostgresHost, PostgresTls};
use crate::store::sql::fault::{Fault, postgres as state, sql_state, words};
use crate::store::{StoreError, schema};

/// The schema's history. A migration that was released is never edited.
static MIGRATIONS: Migrator = Migrator { ignore_missing: true, ..sqlx::migrate!("src/store/postgres/migrations") };

/// The oldest server: `DELETE … USING`, `FOR UPDATE … SKIP LOCKED`, identity columns and JSON operators are all older, but nothing
/// below is tried.
const OLDEST_SERVER: i64 = 130_000;

/// How long a connection may take to come about.
const CONNECT_TAKES: Duration = Duration::from_secs(10);

/// What each session is told. A statement and a lock are not waited for without end, a session that was forgotten in the middle of
/// a transaction gives its locks back, and a commit is durable when it is answered whatever the server's own setting.
const SESSION: [(&str, &str); 7] = [
    ("synchronous_commit", "on"),
    ("statement_timeout", "30s"),
    ("lock_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "15s"),
    ("client_min_messages", "warning"),
    // Compiling a statement takes longer than any of ours.
    ("jit", "off"),
    // A page is read along an index that has its order, and ends when it is full. A bitmap would first find all rows and sort them.
    ("enable_bitmapscan", "off"),
];

/// Who writes does the same few things over and over. A plan that is made for the values at hand costs more than most of them do,
/// and each goes along an index: a plan from the first minute, when the tables were empty, must not walk them when they are large.
const WRITING: [(&str, &str); 2] = [("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off")];

/// Who reads asks for what is rare and for what is common by the same words: which index is good depends on the values.
const READING: [(&str, &str); 2] = [("plan_cache_mode", "force_custom_plan"), ("default_transaction_read_only", "on")];

/// A database of a server, and how connections to it are made.
#[derive(Clone)]
pub(in crate::store) struct Server {
    options: Arc<PgConnectOptions>,
    place: String,
    ca: Option<PathBuf>,
}

/// Without the options, which would show the password.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Server {
    /// The database that the settings name.
    pub(in crate::store) fn new(settings: &Postgres, password: Option<&str>) -> Self {
        let options = PgConnectOptions::new_without_pgpass()
            .port(settings.port)
            .username(&settings.user)
            // Always said, since sqlx would take one from the environment otherwise.
            .password(password.unwrap_or(""))
            .database(&settings.name)
            .application_name("invited")
            .options(SESSION);
        let options = match &settings.host {
            PostgresHost::Tcp(host) => options.host(host),
            PostgresHost::Socket(folder) => options.socket(folder),
        };
        let options = options.ssl_mode(match settings.tls {
            PostgresTls::None => PgSslMode::Disable,
            PostgresTls::Opportunistic => PgSslMode::Prefer,
            PostgresTls::Encrypted => PgSslMode::Require,
            PostgresTls::VerifiedIssuer => PgSslMode::VerifyCa,
            PostgresTls::Verified => PgSslMode::VerifyFull,
        });
        let options = match &settings.ca {
            Some(file) => options.ssl_root_cert(file),
            None => options,
        };
        Self {
            options: Arc::new(options.disable_statement_logging()),
            place: settings.to_string(),
            ca: settings.ca.clone(),
        }
    }

    /// A connection of which it is certain that a commit on it is durable when it is answered.
    pub(in crate::store) async fn connect_to_write(&self) -> Result<PgConnection, sqlx::Error> {
        connect(PgConnectOptions::clone(&self.options).options(WRITING), true).await
    }

    /// A connection that cannot write.
    pub(in crate::store) async fn connect_to_read(&self) -> Result<PgConnection, sqlx::Error> {
        connect(PgConnectOptions::clone(&self.options).options(READING), false).await
    }

    /// Looks at the database and makes it ready: a daemon brings its schema up to date, the desk refuses one that is too old.
    pub(in crate::store) async fn prepare(&self, is_daemon: bool) -> Result<(), StoreError> {
        let mut conn = self.connect_to_write().await.map_err(|error| self.unusable(error))?;
        let prepared = self.prepare_on(&mut conn, is_daemon).await;
        let _ = conn.close().await;
        prepared
    }

    async fn prepare_on(&self, conn: &mut PgConnection, is_daemon: bool) -> Result<(), StoreError> {
        self.check_server(conn).await?;
        let Some(found) = self.schema(conn).await? else {
            return Err(StoreError::Missing(self.place.clone()));
        };
        let known = newest_schema();
        if found > known {
            let floor = self.floor(conn).await?;
            schema::check_floor(&self.place, floor, found, known)?;
        }
        if found >= schema::WITH_PROPERTIES
            && let Some(source) = self.property(conn, "moved_from").await?
        {
            return Err(self.refuse(&schema::half_moved(&source)));
        }
        if found < known {
            if !is_daemon {
                return Err(self.refuse(&schema::too_old(found, known)));
            }
            self.migrate(conn).await?;
        }
        self.check_rights(conn).await
    }

    /// Tables that belong to somebody else are of no use to a user who may only look at them.
    async fn check_rights(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        let closed: Option<String> = sqlx::query_scalar(
            "SELECT string_agg(name, ', ') \
             FROM unnest(ARRAY['alarm', 'copy', 'copy_body', 'daemon', 'decision', 'figure', 'invitation', 'letter', 'pause', 'shop_sum', 'suppression', \
             'tally']) AS name \
             WHERE NOT (has_table_privilege(name, 'SELECT') AND has_table_privilege(name, 'INSERT'))",
        )
        .fetch_one(conn)
        .await
        .map_err(|error| self.unusable(error))?;
        match closed {
            None => Ok(()),
            Some(tables) => Err(self.refuse(&format!(
                "this user may not read and write its tables ({tables}); make it the owner of the database and its tables"
            ))),
        }
    }

    /// Makes the tables in a database that has none. Whether it did.
    pub(in crate::store) async fn create_if_missing(&self) -> Result<bool, StoreError> {
        let mut conn = self.connect_to_write().await.map_err(|error| self.unusable(error))?;
        let made = self.fill_if_empty(&mut conn).await;
        let _ = conn.close().await;
        made
    }

    async fn fill_if_empty(&self, conn: &mut PgConnection) -> Result<bool, StoreError> {
        self.check_server(conn).await?;
        if self.schema(conn).await?.is_some() {
            return Ok(false);
        }
        self.migrate(conn).await.map(|()| true)
    }

    async fn check_server(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        let (version, encoding, fsync): (i64, String, String) = sqlx::query_as(
            "SELECT CAST(current_setting('server_version_num') AS BIGINT), current_setting('server_encoding'), \
             current_setting('fsync')",
        )
        .fetch_one(conn)
        .await
        .map_err(|error| self.unusable(error))?;
        if version < OLDEST_SERVER {
            return Err(self.refuse(&format!(
                "its server is PostgreSQL {}; version {} or newer is needed",
                version / 10_000,
                OLDEST_SERVER / 10_000
            )));
        }
        if encoding != "UTF8" {
            return Err(self.refuse(&format!("its encoding is {encoding}; create it with ENCODING 'UTF8'")));
        }
        if fsync != "on" {
            tracing::warn!(
                database = self.place,
                "the server runs with fsync off: a power cut can take what was promised"
            );
        }
        Ok(())
    }

    /// The schema's number, `None` when there is none.
    async fn schema(&self, conn: &mut PgConnection) -> Result<Option<i64>, StoreError> {
        let history: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
            .fetch_one(&mut *conn)
            .await
            .map_err(|error| self.unusable(error))?;
        if !history {
            return Ok(None);
        }
        let found: Option<i64> = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success")
            .fetch_one(&mut *conn)
            .await
            .map_err(|error| self.unusable(error))?;
        // Other programs count their schemas in a table of the same name. Ours is asked for last: a daemon that is just making the
        // tables may have done so between two looks.
        let ours: bool = sqlx::query_scalar("SELECT to_regclass('copy_body') IS NOT NULL")
            .fetch_one(conn)
            .await
            .map_err(|error| self.unusable(error))?;
        if found.is_some() && !ours { Err(self.refuse(ANOTHERS)) } else { Ok(found) }
    }

    /// The oldest schema whose programs may still work with this one.
    async fn floor(&self, conn: &mut PgConnection) -> Result<i64, StoreError> {
        let floor = self.property(conn, "compatible_from").await?;
        Ok(floor.and_then(|floor| floor.parse().ok()).unwrap_or(i64::MAX))
    }

    async fn property(&self, conn: &mut PgConnection, name: &'static str) -> Result<Option<String>, StoreError> {
        sqlx::query_scalar("SELECT value FROM property WHERE name = $1")
            .bind(name)
            .fetch_optional(conn)
            .await
            .map_err(|error| self.unusable(error))
    }

    /// Brings the schema up to date. Each migration is a transaction, and one daemon at a time makes them.
    async fn migrate(&self, conn: &mut PgConnection) -> Result<(), StoreError> {
        MIGRATIONS.run(conn).await.map_err(|error| match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => match sql_state(&error) {
                Some(code) if code == "42501" => self.refuse(
                    "its tables cannot be made (permission denied); make this user its owner: ALTER DATABASE … OWNER TO …",
                ),
                Some(code) if code == state::DUPLICATE_TABLE => self.refuse(ANOTHERS),
                _ => Fault::from(error).into_store_error(),
            },
            MigrateError::Dirty(version) => {
                self.refuse(&format!("its migration {version} was interrupted half-way; restore a backup"))
            }
            MigrateError::VersionMismatch(version) => self.refuse(&format!(
                "its migration {version} is not the one of this program; use the program version that made it"
            )),
            other => self.refuse(&other.to_string()),
        })
    }

    /// The refusal with its place.
    pub(in crate::store) fn refuse(&self, why: &str) -> StoreError {
        StoreError::Unusable { place: self.place.clone(), why: why.to_owned() }
    }

    /// Where it is, without a secret.
    pub(in crate::store) fn place(&self) -> String {
        self.place.clone()
    }

    fn distrust(&self, why: &impl fmt::Display) -> StoreError {
        self.refuse(&format!(
            "its server's TLS cannot be trusted or is not offered ({why}); see sslmode and sslrootcert in its URL"
        ))
    }

    /// The server's error while opening, in words that say what to do.
    fn unusable(&self, error: sqlx::Error) -> StoreError {
        match &error {
            sqlx::Error::Configuration(why) => return self.refuse(&why.to_string()),
            // What the handshake finds wrong comes in this kind.
            sqlx::Error::Io(why) if why.kind() == ErrorKind::InvalidData => return self.distrust(why),
            sqlx::Error::Io(why) => {
                if let Some(file) = &self.ca
                    && let Err(why) = std::fs::File::open(file)
                {
                    return self.refuse(&format!("its sslrootcert {} cannot be read ({why})", file.display()));
                }
                // Passing: at boot the server may only be slower than we are.
                let place = &self.place;
                return StoreError::Failed(format!(
                    "the server of {place} cannot be reached ({why}); see that it runs and listens there"
                ));
            }
            sqlx::Error::Tls(why) => return self.distrust(why),
            _ => {}
        }
        match sql_state(&error).as_deref() {
            Some("28P01") => self.refuse("its server does not take this password for this user; see user and password"),
            Some("28000") => self.refuse(&format!(
                "its server does not let this user in from here ({}); see user, host and sslmode, and the server's pg_hba.conf",
                words(&error)
            )),
            Some("3D000") => {
                self.refuse("there is no database of this name on the server; create it with: createdb --owner=USER NAME")
            }
            Some("42501") => self.refuse("this user may not use it; grant CONNECT and CREATE, or make it the owner"),
            Some(code) if code.starts_with(state::SHUTDOWN) || code == state::TOO_MANY_CONNECTIONS => {
                Fault::Sql(error).into_store_error()
            }
            _ => self.refuse(&words(&error)),
        }
    }
}

async fn connect(options: PgConnectOptions, writes: bool) -> Result<PgConnection, sqlx::Error> {
    let connecting = tokio::time::timeout(CONNECT_TAKES, async {
        let mut conn = options.connect().await?;
        assert_fit(&mut conn, writes).await?;
        Ok(conn)
    });
    connecting.await.unwrap_or_else(|_| {
        Err(sqlx::Error::Io(std::io::Error::new(ErrorKind::TimedOut, "the server does not answer")))
    })
}

/// Reads back what durability rests on, and whether writes are taken.
async fn assert_fit(conn: &mut PgConnection, writes: bool) -> Result<(), sqlx::Error> {
    let (commit, standby, read_only): (String, bool, String) = sqlx::query_as(
        "SELECT current_setting('synchronous_commit'), pg_is_in_recovery(), current_setting('transaction_read_only')",
    )
    .fetch_one(conn)
    .await?;
    let why = if standby {
        "it is a standby and takes no writes; name the primary server"
    } else if writes && read_only == "on" {
        "it takes no writes: default_transaction_read_only is on for this server, database or user; set it to off there"
    } else if commit != "on" {
        "its commits are not durable: synchronous_commit cannot be set to on; take it out of what stands between \
         (a connection pooler)"
    } else {
        return Ok(());
    };
    Err(sqlx::Error::Configuration(why.into()))
}

/// Why a database with tables that are not ours is left alone.
const ANOTHERS: &str = "it holds the tables of another program; name a database of its own, made with: createdb NAME";

/// The newest schema that this program knows.
pub(in crate::store) fn newest_schema() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}
