//! The end that a queue moves from. Nothing is written to it.

use super::rows::Row;
use super::tables::{self, TABLES, Table};
use super::{Place, Range, check_schema, in_table, last_row, read, weigh};
use crate::config::Database;
use crate::domain::Timestamp;
use crate::store::sql::connection::Connection;
use crate::store::sql::engine::Engine;
use crate::store::sql::fault::Fault;
use crate::store::{DaemonLock, StoreError};

/// A connection that reads.
pub(super) struct Source {
    conn: Connection,
    database: Database,
    identity: String,
    /// Of a file: that no daemon is on it.
    lock: Option<DaemonLock>,
    /// What [`Self::hush`] found of a file's changes.
    changes: Option<i64>,
}

impl Source {
    /// Opens a queue to be read.
    pub(super) async fn open(place: Place<'_>) -> Result<Self, StoreError> {
        let engine = place.engine();
        match &engine {
            Engine::Sqlite(file) => file.prepare(false).await?,
            Engine::Postgres(server) => server.prepare(false).await?,
        }
        let mut conn = engine.connect_to_read().await.map_err(Fault::into_store_error)?;
        if conn.is_shared() {
            conn.command(tables::READ_ONLY).await.map_err(Fault::into_store_error)?;
        }
        check_schema(&engine, &mut conn).await?;
        Ok(Self { conn, database: place.database.clone(), identity: place.identity(), lock: None, changes: None })
    }

    /// By which it is known again.
    pub(super) fn identity(&self) -> &str {
        &self.identity
    }

    /// Sees to it that no daemon works on it until [`Self::release`], and remembers what else was changed in it. `false` when one
    /// does already. A file's lock, once had, is kept to the end; on a server nobody can write as long as the hush lasts.
    pub(super) async fn hush(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        match &self.database {
            Database::Sqlite(path) => {
                if self.lock.is_none() {
                    match DaemonLock::acquire(path) {
                        Ok(lock) => self.lock = Some(lock),
                        Err(StoreError::Taken { .. }) => return Ok(false),
                        Err(error) => return Err(error),
                    }
                }
                self.changes = self.changes().await?;
                Ok(true)
            }
            Database::Postgres(_) => {
                // Looked at before the lock too, which would keep those waiting who live.
                if self.is_alive(now).await? {
                    return Ok(false);
                }
                let began = async {
                    self.conn.command("BEGIN").await?;
                    self.conn.command(tables::HUSH).await
                };
                began.await.map_err(Fault::into_store_error)?;
                if self.is_alive(now).await? {
                    self.release().await?;
                    return Ok(false);
                }
                Ok(true)
            }
        }
    }

    async fn is_alive(&mut self, now: Timestamp) -> Result<bool, StoreError> {
        let living = self.conn.number(tables::LIVING, [now.into()]).await.map_err(Fault::into_store_error)?;
        Ok(living.unwrap_or(0) > 0)
    }

    /// Whether nothing was changed since the hush began: the desk of a file needs no lock.
    pub(super) async fn is_unchanged(&mut self) -> Result<bool, StoreError> {
        Ok(match self.database {
            Database::Sqlite(_) => self.changes().await? == self.changes,
            Database::Postgres(_) => true,
        })
    }

    async fn changes(&mut self) -> Result<Option<i64>, StoreError> {
        self.conn.number(tables::CHANGES, []).await.map_err(Fault::into_store_error)
    }

    /// Ends a hush: lets others write again.
    pub(super) async fn release(&mut self) -> Result<(), StoreError> {
        match self.database {
            Database::Sqlite(_) => Ok(()),
            Database::Postgres(_) => self.conn.command("ROLLBACK").await.map_err(Fault::into_store_error),
        }
    }

    /// The highest number that the rows of each numbered table were ever given.
    pub(super) async fn last_numbers(&mut self) -> Result<Vec<(&'static Table, i64)>, StoreError> {
        let mut numbers = Vec::new();
        for table in TABLES.iter().filter(|table| table.is_numbered) {
            let last = self.conn.number(tables::LAST_NUMBER, [table.name.into()]).await;
            numbers.push((table, last.map_err(|fault| in_table(table, fault))?.unwrap_or(0)));
        }
        Ok(numbers)
    }

    /// What is known of the whole queue.
    pub(super) async fn properties(&mut self) -> Result<Vec<(&'static str, Option<String>)>, StoreError> {
        let mut properties = Vec::new();
        for name in tables::PROPERTIES {
            let row: Result<Option<(String,)>, _> = self.conn.row(tables::PROPERTY, [name.into()]).await;
            properties.push((name, row.map_err(Fault::into_store_error)?.map(|(value,)| value)));
        }
        Ok(properties)
    }

    pub(super) async fn last_row(&mut self, table: &Table) -> Result<i64, StoreError> {
        last_row(&mut self.conn, table).await
    }

    pub(super) async fn weigh(&mut self, table: &Table, after: i64) -> Result<Vec<(i64, i64)>, StoreError> {
        weigh(&mut self.conn, table, after).await
    }

    pub(super) async fn read(&mut self, table: &Table, range: Range) -> Result<Vec<Row>, StoreError> {
        read(&mut self.conn, table, range).await
    }

    pub(super) async fn close(self) {
        self.conn.close().await;
    }
}
