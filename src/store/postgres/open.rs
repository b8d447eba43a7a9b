//! Opening a database of a PostgreSQL server. Nothing is assumed: what keeps the promise of durability is set on every connection
//! and read back, and a server or a database that does not fit is refused with words that help.

use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection};

use crate::config::{Postgres, PostgresHost, PostgresTls};
use crate::store::sql::fault::{Fault, postgres as state, sql_state};
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
const SESSION: [(&str, &str); 6] = [
    ("synchronous_commit", "on"),
    ("statement_timeout", "30s"),
    ("lock_timeout", "10s"),
    ("idle_in_transaction_session_timeout", "60s"),
    ("client_min_messages", "warning"),
    // Compiling a statement takes longer than any of ours.
    ("jit", "off"),
];

/// Who writes does the same few things over and over. A plan that is made for the values at hand costs more than most of them do,
/// and each goes along an index: a plan from the first minute, when the tables were empty, must not walk them when they are large.
const WRITING: [(&str, &str); 2] = [("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off")];

/// Who reads asks for what is rare and for what is common by the same words: which index is good depends on the values.
const READING: [(&str, &str); 2] = [("plan_cache_mode", "force_custom_plan"), ("default_transaction_read_only", "on")];

/// A database of a server, and how connections to it are made.
#[derive(Debug, Clone)]
pub(in crate::store) struct Server {
    options: Arc<PgConnectOptions>,
    place: String,
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
        Self { options: Arc::new(options.disable_statement_logging()), place: settings.to_string() }
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
        Ok(())
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
        let there: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
            .fetch_one(&mut *conn)
            .await
            .map_err(|error| self.unusable(error))?;
        if !there {
            return Ok(None);
        }
        let found: Option<i64> = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success")
            .fetch_one(conn)
            .await
            .map_err(|error| self.unusable(error))?;
        Ok(found)
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

    /// The server's error while opening, in words that say what to do.
    fn unusable(&self, error: sqlx::Error) -> StoreError {
        match &error {
            sqlx::Error::Configuration(why) => return self.refuse(&why.to_string()),
            sqlx::Error::Io(why) => {
                // Passing: at boot the server may only be slower than we are.
                let place = &self.place;
                return StoreError::Failed(format!(
                    "the server of {place} cannot be reached ({why}); see that it runs and listens there"
                ));
            }
            sqlx::Error::Tls(why) => {
                return self.refuse(&format!(
                    "its server's TLS cannot be trusted or is not offered ({why}); see sslmode and sslrootcert"
                ));
            }
            _ => {}
        }
        match sql_state(&error).as_deref() {
            Some("28P01" | "28000") => self.refuse(
                "its server does not let this user in (wrong password, or pg_hba.conf has no line for it); see user and password",
            ),
            Some("3D000") => {
                self.refuse("there is no database of this name on the server; create it with: createdb --owner=USER NAME")
            }
            Some("42501") => self.refuse("this user may not use it; grant CONNECT and CREATE, or make it the owner"),
            Some(code) if code.starts_with(state::SHUTDOWN) || code == state::TOO_MANY_CONNECTIONS => {
                Fault::Sql(error).into_store_error()
            }
            _ => self.refuse(&error.to_string()),
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
        Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "the server does not answer")))
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

/// The newest schema that this program knows.
pub(in crate::store) fn newest_schema() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}
