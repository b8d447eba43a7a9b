//! What went wrong, while it is still known exactly; at the room's door it becomes a [`StoreError`].

use crate::store::StoreError;

/// SQLite's primary result codes that mean something of their own here (<https://www.sqlite.org/rescode.html>).
pub(in crate::store) mod sqlite {
    pub(in crate::store) const BUSY: i32 = 5;
    pub(in crate::store) const LOCKED: i32 = 6;
    pub(in crate::store) const READ_ONLY: i32 = 8;
    pub(in crate::store) const IO: i32 = 10;
    pub(in crate::store) const CORRUPT: i32 = 11;
    pub(in crate::store) const FULL: i32 = 13;
    pub(in crate::store) const CANNOT_OPEN: i32 = 14;
    pub(in crate::store) const TOO_BIG: i32 = 18;
    pub(in crate::store) const CONSTRAINT: i32 = 19;
    pub(in crate::store) const NO_DATABASE: i32 = 26;
    /// Extended: the shared-memory file could not grow, which is how a full disk shows itself there.
    pub(in crate::store) const IOERR_SHMSIZE: i32 = 4874;
}

/// PostgreSQL's SQLSTATEs that mean something of their own here
/// (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
pub(in crate::store) mod postgres {
    pub(in crate::store) const SERIALIZATION_FAILURE: &str = "40001";
    pub(in crate::store) const DEADLOCK_DETECTED: &str = "40P01";
    pub(in crate::store) const DISK_FULL: &str = "53100";
    pub(in crate::store) const TOO_MANY_CONNECTIONS: &str = "53300";
    pub(in crate::store) const DUPLICATE_TABLE: &str = "42P07";
    pub(in crate::store) const LOCK_NOT_AVAILABLE: &str = "55P03";
    pub(in crate::store) const QUERY_CANCELED: &str = "57014";
    /// A standby, or a server that was told to take no writes.
    pub(in crate::store) const READ_ONLY: &str = "25006";
    /// This process was stopped in the middle of a transaction, and the server ended the session that held locks.
    pub(in crate::store) const IDLE_IN_TRANSACTION: &str = "25P03";
    /// Class 22, data exceptions, and 23, integrity constraints: this statement's values are at fault.
    pub(in crate::store) const DATA: &str = "22";
    pub(in crate::store) const CONSTRAINT: &str = "23";
    /// Class 54, program limits: a value that is too large.
    pub(in crate::store) const TOO_LARGE: &str = "54";
    /// Class 08, connection exceptions, and 57P, the server goes down or comes up.
    pub(in crate::store) const CONNECTION: &str = "08";
    pub(in crate::store) const SHUTDOWN: &str = "57P";
}

/// A statement that failed, or a row that makes no sense.
#[derive(Debug)]
pub(in crate::store) enum Fault {
    /// The engine's answer.
    Sql(sqlx::Error),
    /// Nothing was heard for too long.
    TimedOut,
    /// Anything else, in words without personal data.
    Other(String),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// Which engine's code an error has.
enum Code {
    Sqlite(i32),
    Postgres(String),
    None,
}

impl Fault {
    /// A row that cannot be turned into a record.
    pub(in crate::store) fn row(what: &str, id: i64, why: impl std::fmt::Display) -> Self {
        Self::Other(format!("{what} {id} cannot be read: {why}"))
    }

    fn code(&self) -> Code {
        let Self::Sql(error) = self else { return Code::None };
        match (result_code(error), sql_state(error)) {
            (Some(code), _) => Code::Sqlite(code),
            (None, Some(state)) => Code::Postgres(state),
            (None, None) => Code::None,
        }
    }

    /// Whether the statement itself is at fault, so that others in the same transaction have no part in it.
    pub(in crate::store) fn is_the_statements_own(&self) -> bool {
        match self.code() {
            Code::Sqlite(code) => matches!(code & 0xff, sqlite::CONSTRAINT | sqlite::TOO_BIG),
            Code::Postgres(state) => {
                [postgres::DATA, postgres::CONSTRAINT, postgres::TOO_LARGE].iter().any(|class| state.starts_with(class))
            }
            Code::None => matches!(self, Self::Other(_)),
        }
    }

    /// Whether another transaction stood in the way, so that the same one may succeed when it is begun anew.
    pub(in crate::store) fn is_conflict(&self) -> bool {
        match self.code() {
            Code::Postgres(state) => {
                matches!(state.as_str(), postgres::SERIALIZATION_FAILURE | postgres::DEADLOCK_DETECTED)
            }
            Code::Sqlite(_) | Code::None => false,
        }
    }

    /// Whether the connection is of no use any more: it is gone, or what it remembers may not be so.
    pub(in crate::store) fn is_broken(&self) -> bool {
        match self.code() {
            Code::Sqlite(extended) => {
                let passing = [sqlite::FULL, sqlite::BUSY, sqlite::LOCKED, sqlite::CONSTRAINT, sqlite::TOO_BIG];
                extended != sqlite::IOERR_SHMSIZE && !passing.contains(&(extended & 0xff))
            }
            Code::Postgres(state) => {
                // A primary that became a standby is another server's business from now on.
                [postgres::READ_ONLY, postgres::IDLE_IN_TRANSACTION].contains(&state.as_str())
                    || [postgres::CONNECTION, postgres::SHUTDOWN].iter().any(|class| state.starts_with(class))
            }
            Code::None => !matches!(self, Self::Other(_)),
        }
    }

    /// The same for a caller outside of this room.
    pub(in crate::store) fn into_store_error(self) -> StoreError {
        let words = match &self {
            Self::Other(why) => return StoreError::Failed(why.clone()),
            Self::TimedOut => return StoreError::Failed("the database did not answer in time".to_owned()),
            Self::Sql(error) => words(error),
        };
        match self.code() {
            Code::Sqlite(sqlite::IOERR_SHMSIZE) => StoreError::Full,
            Code::Sqlite(extended) => match extended & 0xff {
                sqlite::FULL => StoreError::Full,
                sqlite::BUSY | sqlite::LOCKED => StoreError::Busy,
                _ => StoreError::Failed(words),
            },
            Code::Postgres(state) => match state.as_str() {
                postgres::DISK_FULL => StoreError::Full,
                postgres::TOO_MANY_CONNECTIONS
                | postgres::LOCK_NOT_AVAILABLE
                | postgres::QUERY_CANCELED
                | postgres::SERIALIZATION_FAILURE
                | postgres::DEADLOCK_DETECTED => StoreError::Busy,
                _ => StoreError::Failed(words),
            },
            Code::None => StoreError::Failed(words),
        }
    }
}

/// The engine's words. PostgreSQL's details are left out: they quote the row, and with it a person.
pub(in crate::store) fn words(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    }
}

/// SQLite's extended result code.
pub(in crate::store) fn result_code(error: &sqlx::Error) -> Option<i32> {
    let error = error.as_database_error()?.try_downcast_ref::<sqlx::sqlite::SqliteError>()?;
    sqlx::error::DatabaseError::code(error)?.parse().ok()
}

/// PostgreSQL's SQLSTATE.
pub(in crate::store) fn sql_state(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?.try_downcast_ref::<sqlx::postgres::PgDatabaseError>()?;
    Some(error.code().to_owned())
}
