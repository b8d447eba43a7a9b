//! What went wrong, while it is still known exactly; at the room's door it becomes a [`StoreError`].

use crate::store::StoreError;

/// SQLite's primary result codes that mean something of their own here (<https://www.sqlite.org/rescode.html>).
pub(super) mod code {
    pub(in crate::store::sqlite) const BUSY: i32 = 5;
    pub(in crate::store::sqlite) const LOCKED: i32 = 6;
    pub(in crate::store::sqlite) const READ_ONLY: i32 = 8;
    pub(in crate::store::sqlite) const CORRUPT: i32 = 11;
    pub(in crate::store::sqlite) const FULL: i32 = 13;
    pub(in crate::store::sqlite) const CANNOT_OPEN: i32 = 14;
    pub(in crate::store::sqlite) const TOO_BIG: i32 = 18;
    pub(in crate::store::sqlite) const CONSTRAINT: i32 = 19;
    pub(in crate::store::sqlite) const NO_DATABASE: i32 = 26;
    /// Extended: the shared-memory file could not grow, which is how a full disk shows itself there.
    pub(in crate::store::sqlite) const IOERR_SHMSIZE: i32 = 4874;
}

/// A statement that failed, or a row that makes no sense.
#[derive(Debug)]
pub(super) enum Fault {
    /// The engine's answer.
    Sql(sqlx::Error),
    /// Anything else, in words without personal data.
    Other(String),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl Fault {
    /// A row that cannot be turned into a record.
    pub(super) fn row(what: &str, id: i64, why: impl std::fmt::Display) -> Self {
        Self::Other(format!("{what} {id} cannot be read: {why}"))
    }

    /// Whether the statement itself is at fault, so that others in the same transaction have no part in it.
    pub(super) fn is_the_statements_own(&self) -> bool {
        match self {
            Self::Other(_) => true,
            Self::Sql(error) => {
                matches!(result_code(error).map(|code| code & 0xff), Some(code::CONSTRAINT | code::TOO_BIG))
            }
        }
    }

    /// The same for a caller outside of this room.
    pub(super) fn into_store_error(self) -> StoreError {
        let error = match self {
            Self::Other(why) => return StoreError::Failed(why),
            Self::Sql(error) => error,
        };
        match result_code(&error) {
            Some(code::IOERR_SHMSIZE) => StoreError::Full,
            Some(extended) => match extended & 0xff {
                code::FULL => StoreError::Full,
                code::BUSY | code::LOCKED => StoreError::Busy,
                _ => StoreError::Failed(error.to_string()),
            },
            None if matches!(error, sqlx::Error::PoolTimedOut) => StoreError::Busy,
            None => StoreError::Failed(error.to_string()),
        }
    }
}

/// SQLite's extended result code.
pub(super) fn result_code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}
