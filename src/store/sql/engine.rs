//! The engine under the queue: how connections are made, and what only one of them needs.

use std::path::PathBuf;

use super::connection::Connection;
use super::fault::Fault;
use crate::store::postgres::{self, Server};
use crate::store::sqlite::{self, File};
use crate::store::{StoreError, schema};

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
    pub(in crate::store) async fn connect_to_write(&self) -> Result<Connection, Fault> {
        Ok(match self {
            Self::Sqlite(file) => file.connect_to_write().await?.into(),
            Self::Postgres(server) => server.connect_to_write().await?.into(),
        })
    }

    /// A connection that cannot write.
    pub(in crate::store) async fn connect_to_read(&self) -> Result<Connection, Fault> {
        Ok(match self {
            Self::Sqlite(file) => file.connect_to_read().await?.into(),
            Self::Postgres(server) => server.connect_to_read().await?.into(),
        })
    }

    /// Takes leave of the database after the last write.
    pub(in crate::store) async fn finish(&self, mut conn: Connection) {
        // Moves the log into the file, as far as that needs no waiting for others who have it open; the last one who closes it
        // does the rest, so that the file alone is whole.
        if matches!(self, Self::Sqlite(..)) {
            let _ = conn.command("PRAGMA wal_checkpoint(PASSIVE)").await;
        }
        conn.close().await;
    }

    /// The folder of a file, whose disk can be full.
    pub(super) fn folder(&self) -> Option<PathBuf> {
        match self {
            Self::Sqlite(file) => Some(file.folder().to_owned()),
            Self::Postgres(_) => None,
        }
    }

    /// Refuses to go on when `floor`, the oldest schema whose programs may work with the database, is above this program's.
    pub(super) fn check_floor(&self, floor: i64) -> Result<(), StoreError> {
        schema::check_floor(&self.place(), floor, floor, self.newest_schema())
    }

    /// Where it is, without a secret.
    pub(in crate::store) fn place(&self) -> String {
        match self {
            Self::Sqlite(file) => file.place(),
            Self::Postgres(server) => server.place(),
        }
    }

    /// The newest schema that this program knows for it.
    pub(in crate::store) fn newest_schema(&self) -> i64 {
        match self {
            Self::Sqlite(_) => sqlite::newest_schema(),
            Self::Postgres(_) => postgres::newest_schema(),
        }
    }

    /// Why the database cannot be used, with its place.
    pub(in crate::store) fn refuse(&self, why: &str) -> StoreError {
        match self {
            Self::Sqlite(file) => file.refuse(why),
            Self::Postgres(server) => server.refuse(why),
        }
    }
}
