//! A place for a queue of a test's own, on either engine. A test binary includes `kit/postgres.rs` (as `postgres`) and
//! `kit/said.rs` (as `said`) beside this file.

#![expect(clippy::unwrap_used, reason = "a place that cannot be had fails its test")]
#![allow(dead_code, reason = "every test binary uses its own part of the kit")]

use std::path::Path;
use std::sync::Arc;

use invited::config::Database;
use invited::store::{self, Role, SqlStore, Store};
use url::Url;

use super::postgres;

/// Where a test's queue is kept. Dropping it removes the queue.
pub(crate) enum Place {
    /// A file in a folder of its own.
    File(tempfile::TempDir),
    /// A database of the tests' server.
    Server(postgres::Place<'static>),
}

impl Place {
    /// A file that is not there yet.
    pub(crate) fn file() -> Self {
        Self::File(tempfile::tempdir().unwrap())
    }

    /// An empty database; `None` when there is no server, which was said then.
    #[track_caller]
    pub(crate) fn server() -> Option<Self> {
        Some(Self::Server(postgres::server()?.database()))
    }

    /// What the configuration would say, and the password.
    pub(crate) fn database(&self) -> (Database, Option<String>) {
        match self {
            Self::File(folder) => (Database::Sqlite(folder.path().join("invited.db")), None),
            Self::Server(place) => database_at(&place.url()),
        }
    }

    /// A store; the queue is made when it is not there.
    pub(crate) async fn open(&self, role: Role) -> SqlStore {
        let (database, password) = self.database();
        store::create_if_missing(&database, password.as_deref()).await.unwrap();
        store::open(&database, password.as_deref(), role).await.unwrap()
    }

    /// Something that is done to the tables without a store.
    pub(crate) async fn run(&self, text: &str) {
        use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
        match self {
            Self::File(folder) => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("invited.db"));
                let mut conn = options.connect().await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut conn).await.unwrap();
            }
            Self::Server(place) => {
                let mut conn = sqlx::PgConnection::connect(&place.url()).await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut conn).await.unwrap();
            }
        }
    }

    /// The daemon's store. A file's daemon has its lock, so there is one at a time.
    pub(crate) async fn daemon(&self) -> Arc<dyn Store> {
        Arc::new(self.open(Role::Daemon).await)
    }

    /// A store that holds no lock: there may be several, and other owners are gone only when their lease says so.
    pub(crate) async fn desk(&self) -> Arc<dyn Store> {
        Arc::new(self.open(Role::Desk).await)
    }
}

/// The database that a URL names, and the password in it, which a configuration keeps apart.
pub(crate) fn database_at(url: &str) -> (Database, Option<String>) {
    let mut url = Url::parse(url).unwrap();
    let password = url.password().map(str::to_owned);
    url.set_password(None).unwrap();
    (Database::parse(url.as_str(), Path::new("/")).unwrap(), password)
}
