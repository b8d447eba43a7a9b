//! What can go wrong with a store, by what the caller can do about it.

/// A store that could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no database at this place.
    #[error("there is no database at {0}")]
    Missing(String),
    /// The file is there but cannot be used: unreadable, read-only, no database, damaged, or its folder is not writable.
    #[error("the database {path} cannot be used: {why}")]
    Unusable {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// A newer version of the program wrote it.
    #[error("the database {path} has schema {found}, and this program knows schemas up to {known}")]
    NewerSchema {
        /// The file.
        path: String,
        /// Its schema.
        found: i64,
        /// The newest schema this program knows.
        known: i64,
    },
    /// Another daemon runs on it.
    #[error("another daemon (process {pid}) runs on this database")]
    Taken {
        /// Its process id as it wrote it down, 0 when it could not be read.
        pid: u32,
    },
    /// No room on disk. Passing: works again when there is room.
    #[error("there is no room left on the database's disk")]
    Full,
    /// Locked by another process for too long. Passing.
    #[error("the database was locked by another process for too long")]
    Busy,
    /// Anything else that a statement can meet: I/O errors, damage found while running.
    #[error("the database failed: {0}")]
    Failed(String),
}

impl StoreError {
    /// Whether the same call may succeed later without anybody changing anything in the program or its configuration.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Full | Self::Busy | Self::Failed(_))
    }
}
