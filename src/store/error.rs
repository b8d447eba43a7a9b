//! What can go wrong with a store, by what the caller can do about it.

/// A store that could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no queue at this place.
    #[error("there is no queue at {0}")]
    Missing(String),
    /// It is there but cannot be used: a file that is unreadable, read-only, no database or damaged; a server that lets this
    /// user not in, is too old, or holds something else.
    #[error("the database {place} cannot be used: {why}")]
    Unusable {
        /// The file, or the server and the database's name.
        place: String,
        /// What is wrong with it.
        why: String,
    },
    /// A newer version of the program wrote it, and said that this one cannot work with it.
    #[error("the database {place} has schema {found}, and this program knows schemas up to {known}")]
    NewerSchema {
        /// The file, or the server and the database's name.
        place: String,
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
    /// Locked by others for too long, or too many of them. Passing.
    #[error("the database was busy with others for too long")]
    Busy,
    /// Anything else that a statement can meet: I/O errors, a server that is gone, damage found while running.
    #[error("the database failed: {0}")]
    Failed(String),
}

impl StoreError {
    /// A file that could not be opened. What a person has to put right is [`Self::Unusable`]; what may be over by itself, such as too
    /// many open files or a disk that fails, is [`Self::Failed`], so that whoever started the program tries again.
    pub(super) fn unopened(place: &str, what: &str, why: &std::io::Error) -> Self {
        use rustix::io::Errno;
        match Errno::from_io_error(why) {
            Some(Errno::NOSPC | Errno::DQUOT) => Self::Full,
            Some(Errno::IO | Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::INTR | Errno::AGAIN) => {
                Self::Failed(format!("{place}: {what} ({why})"))
            }
            _ => Self::Unusable { place: place.to_owned(), why: format!("{what} ({why})") },
        }
    }

    /// Whether the same call may succeed later without anybody changing anything in the program or its configuration.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Full | Self::Busy | Self::Failed(_))
    }
}
