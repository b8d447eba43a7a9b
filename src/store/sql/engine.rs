//! The engine under the queue: how connections are made, and what only one of them needs.

use super::connection::Connection;
use super::fault::Fault;
use crate::store::StoreError;
use crate::store::postgres::Server;
use crate::store::sqlite::File;

/// Which one it is.
#[derive(Debug, Clone)]
pub(in crate::store) enum Engine {
    /// A file of this machine.
    Sqlite(File),
    /// A server that several daemons share.
    Postgres(Server),
}

impl Engine {
    /// A connection of which it is certain that a commit on it survives a power cut.
    pub(super) async fn connect_to_write(&self) -> Result<Connection, Fault> {
        Ok(match self {
            Self::Sqlite(file) => Connection::Sqlite(file.connect_to_write().await?),
            Self::Postgres(server) => Connection::Postgres(server.connect().await?),
        })
    }

    /// A connection that cannot write.
    pub(super) async fn connect_to_read(&self) -> Result<Connection, Fault> {
        Ok(match self {
            Self::Sqlite(file) => Connection::Sqlite(file.connect_to_read().await?),
            Self::Postgres(server) => Connection::Postgres(server.connect().await?),
        })
    }

    /// Takes leave of the database after the last write.
    pub(super) async fn finish(&self, mut conn: Connection) {
        // Moves the log into the file, as far as that needs no waiting for others who have it open; the last one who closes it
        // does the rest, so that the file alone is whole.
        if matches!(self, Self::Sqlite(_)) {
            let _ = conn.command("PRAGMA wal_checkpoint(PASSIVE)").await;
        }
        conn.close().await;
    }

    /// Why the database cannot be used, with its place.
    pub(super) fn refuse(&self, why: &str) -> StoreError {
        match self {
            Self::Sqlite(file) => file.refuse(why),
            Self::Postgres(server) => server.refuse(why),
        }
    }
}
