//! One connection, whichever engine it leads to. Everything above speaks [`Statement`]s and [`Value`]s and never learns which one
//! it is, so that what the store promises is written once.

use sqlx::postgres::{PgArguments, PgConnection, PgRow, Postgres};
use sqlx::query::{Query, QueryAs};
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Connection as _, FromRow};

use super::fault::Fault;
use super::figures::Figures;
use super::statements::{self as sql, Statement};
use crate::domain::Timestamp;

/// A connection of its own; dropping it in the middle of a transaction undoes that.
#[derive(Debug)]
pub(in crate::store) struct Connection {
    link: Link,
    /// What the transaction changed in the counts, to be written at its end.
    pub(super) figures: Figures,
}

/// The engine's own connection.
#[derive(Debug)]
enum Link {
    /// To a SQLite file.
    Sqlite(SqliteConnection),
    /// To a PostgreSQL server.
    Postgres(PgConnection),
}

impl From<SqliteConnection> for Connection {
    fn from(conn: SqliteConnection) -> Self {
        Self { link: Link::Sqlite(conn), figures: Figures::default() }
    }
}

impl From<PgConnection> for Connection {
    fn from(conn: PgConnection) -> Self {
        Self { link: Link::Postgres(conn), figures: Figures::default() }
    }
}

/// What a statement is given. Owned, so that a large body moves to the engine without another copy.
#[derive(Debug)]
pub(in crate::store) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Vec<u8>),
}

/// A row of either engine as a value.
pub(in crate::store) trait Record:
    for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin
{
}

impl<T> Record for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Int(Some(i64::try_from(value).unwrap_or(i64::MAX)))
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::Int(Some(value.0))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.to_owned()))
    }
}

impl From<Option<&str>> for Value {
    fn from(value: Option<&str>) -> Self {
        Self::Text(value.map(str::to_owned))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(Some(value))
    }
}

impl From<Option<String>> for Value {
    fn from(value: Option<String>) -> Self {
        Self::Text(value)
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

type SqliteQuery = Query<'static, Sqlite, SqliteArguments>;
type PostgresQuery = Query<'static, Postgres, PgArguments>;
type SqliteQueryAs<R> = QueryAs<'static, Sqlite, R, SqliteArguments>;
type PostgresQueryAs<R> = QueryAs<'static, Postgres, R, PgArguments>;

macro_rules! bind_all {
    ($query:expr, $values:expr) => {
        $values.into_iter().fold($query, |query, value| match value {
            Value::Int(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
        })
    };
}

fn sqlite(statement: Statement, values: impl IntoIterator<Item = Value>) -> SqliteQuery {
    bind_all!(sqlx::query(statement.sqlite), values)
}

fn postgres(statement: Statement, values: impl IntoIterator<Item = Value>) -> PostgresQuery {
    bind_all!(sqlx::query(statement.postgres), values)
}

fn sqlite_as<R: Record>(statement: Statement, values: impl IntoIterator<Item = Value>) -> SqliteQueryAs<R> {
    bind_all!(sqlx::query_as(statement.sqlite), values)
}

fn postgres_as<R: Record>(statement: Statement, values: impl IntoIterator<Item = Value>) -> PostgresQueryAs<R> {
    bind_all!(sqlx::query_as(statement.postgres), values)
}

impl Connection {
    /// Carries a statement out and says how many rows it changed.
    pub(in crate::store) async fn execute(
        &mut self,
        statement: Statement,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<u64, Fault> {
        Ok(match &mut self.link {
            Link::Sqlite(conn) => sqlite(statement, values).execute(conn).await?.rows_affected(),
            Link::Postgres(conn) => postgres(statement, values).execute(conn).await?.rows_affected(),
        })
    }

    /// All rows that a statement yields.
    pub(in crate::store) async fn rows<R: Record>(
        &mut self,
        statement: Statement,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<R>, Fault> {
        Ok(match &mut self.link {
            Link::Sqlite(conn) => sqlite_as(statement, values).fetch_all(conn).await?,
            Link::Postgres(conn) => postgres_as(statement, values).fetch_all(conn).await?,
        })
    }

    /// The one row, if there is one.
    pub(in crate::store) async fn row<R: Record>(
        &mut self,
        statement: Statement,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Option<R>, Fault> {
        Ok(match &mut self.link {
            Link::Sqlite(conn) => sqlite_as(statement, values).fetch_optional(conn).await?,
            Link::Postgres(conn) => postgres_as(statement, values).fetch_optional(conn).await?,
        })
    }

    /// The one value of the one row of a statement that always has one.
    pub(in crate::store) async fn number(
        &mut self,
        statement: Statement,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Option<i64>, Fault> {
        let row: Option<(Option<i64>,)> = self.row(statement, values).await?;
        Ok(row.and_then(|(number,)| number))
    }

    /// Carries out commands that mean the same to both engines, several at once: `BEGIN; SAVEPOINT work`.
    pub(in crate::store) async fn command(&mut self, text: &'static str) -> Result<(), Fault> {
        match &mut self.link {
            Link::Sqlite(conn) => sqlx::raw_sql(text).execute(conn).await.map(drop)?,
            Link::Postgres(conn) => sqlx::raw_sql(text).execute(conn).await.map(drop)?,
        }
        Ok(())
    }

    /// Begins a transaction that will write. SQLite takes the lock at once: a transaction that begins by reading fails when somebody
    /// else wrote before it does, whatever the busy timeout. With a savepoint named `work` when `guarded`.
    pub(in crate::store) async fn begin(&mut self, guarded: bool) -> Result<(), Fault> {
        self.figures.clear();
        self.command(match (self.is_shared(), guarded) {
            (false, false) => "BEGIN IMMEDIATE",
            (false, true) => "BEGIN IMMEDIATE; SAVEPOINT work",
            (true, false) => "BEGIN",
            (true, true) => "BEGIN; SAVEPOINT work",
        })
        .await
    }

    /// Writes the counts that the transaction changed, and commits. Nothing else may be written after them: see [`Figures`].
    pub(in crate::store) async fn commit(&mut self) -> Result<(), Fault> {
        if let Some(rows) = self.figures.take_rows()? {
            self.execute(sql::COUNT_UP, [rows.into()]).await?;
        }
        self.command("COMMIT").await
    }

    /// The file behind it, when it is one.
    pub(in crate::store) fn file(&mut self) -> Option<&mut SqliteConnection> {
        match &mut self.link {
            Link::Sqlite(conn) => Some(conn),
            Link::Postgres(_) => None,
        }
    }

    /// Begins a transaction that reads one state of everything.
    pub(in crate::store) async fn begin_reading(&mut self) -> Result<(), Fault> {
        self.command(if self.is_shared() { "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY" } else { "BEGIN" }).await
    }

    /// Whether others write at the same time, so that rows must be locked before they are judged.
    pub(in crate::store) fn is_shared(&self) -> bool {
        matches!(self.link, Link::Postgres(_))
    }

    /// Whether the other side still answers. A file is always there.
    pub(in crate::store) async fn is_there(&mut self) -> bool {
        match &mut self.link {
            Link::Sqlite(_) => true,
            Link::Postgres(conn) => conn.ping().await.is_ok(),
        }
    }

    /// Says goodbye.
    pub(in crate::store) async fn close(self) {
        // Whoever closes has nothing left to say; the other side notices either way.
        let _ = match self.link {
            Link::Sqlite(conn) => conn.close().await,
            Link::Postgres(conn) => conn.close().await,
        };
    }

    /// How the engine would carry a statement out, whatever its values; nothing when it is never asked.
    #[cfg(test)]
    pub(in crate::store) async fn plan(&mut self, statement: Statement) -> Vec<String> {
        use sqlx::{AssertSqlSafe, Row};
        match &mut self.link {
            Link::Sqlite(_) if statement.sqlite.is_empty() => Vec::new(),
            Link::Sqlite(conn) => {
                let text = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", statement.sqlite));
                let steps = sqlx::raw_sql(text).fetch_all(conn).await.unwrap();
                steps.iter().map(|step| step.get("detail")).collect()
            }
            Link::Postgres(_) if statement.postgres.is_empty() => Vec::new(),
            Link::Postgres(conn) => {
                // The session makes generic plans, which is what our statements get: the NULLs are not looked at.
                let parameters = (1..).take_while(|n| statement.postgres.contains(&format!("${n}"))).count();
                let nulls =
                    if parameters == 0 { String::new() } else { format!("({})", vec!["NULL"; parameters].join(", ")) };
                sqlx::raw_sql(AssertSqlSafe(Self::prepare_text(statement))).execute(&mut *conn).await.unwrap();
                let explain = AssertSqlSafe(format!("EXPLAIN (COSTS OFF) EXECUTE looked_at{nulls}"));
                let steps = sqlx::raw_sql(explain).fetch_all(&mut *conn).await.unwrap();
                sqlx::raw_sql("DEALLOCATE looked_at").execute(conn).await.unwrap();
                steps.iter().map(|step| step.get(0)).collect()
            }
        }
    }

    /// Has PostgreSQL prepare a statement as `looked_at`.
    #[cfg(test)]
    pub(in crate::store) fn prepare_text(statement: Statement) -> String {
        let places = (1..).map(|n| format!("${n}")).take_while(|place| statement.postgres.contains(place));
        // Nothing else tells the type of what may be absent, and that is a text.
        let types = places.map(|place| {
            let may_be_absent = statement.postgres.contains(&format!("{place} IS NULL"));
            if may_be_absent { "text" } else { "unknown" }
        });
        let types = types.collect::<Vec<_>>().join(", ");
        let types = if types.is_empty() { types } else { format!("({types})") };
        format!("PREPARE looked_at {types} AS {}", statement.postgres)
    }
}
