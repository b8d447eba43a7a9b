//! The end that a queue moves to. From the first row to the last it bears a mark, with which no daemon and no desk opens it.

use serde_json::{Value as Json, json};

use super::rows::{Cell, Repair, Row};
use super::tables::{self, TABLES, Table};
use super::{Place, Range, check_schema, in_table, last_row, read, weigh};
use crate::config::Database;
use crate::domain::Timestamp;
use crate::store::sql::connection::{Connection, Value};
use crate::store::sql::engine::Engine;
use crate::store::sql::fault::Fault;
use crate::store::{DaemonLock, StoreError, create_if_missing};

/// A connection that writes.
pub(super) struct Target {
    engine: Engine,
    conn: Connection,
    /// The source, as the mark names it.
    source: String,
    /// Of a file: that neither a daemon nor another move is on it.
    _lock: Option<DaemonLock>,
}

impl Target {
    /// Opens the place for the queue of `source`, makes it if it is missing, and marks it.
    pub(super) async fn open(place: Place<'_>, source: &str, now: Timestamp) -> Result<Self, StoreError> {
        let engine = place.engine();
        if place.identity() == source {
            return Err(engine.refuse("the queue is there already; name another place to move it to"));
        }
        create_if_missing(place.database, place.password).await?;
        let mut lock = None;
        if let (Engine::Sqlite(file), Database::Sqlite(path)) = (&engine, place.database) {
            lock = Some(DaemonLock::acquire(path)?);
            file.prepare_to_fill().await?;
        }
        let mut conn = engine.connect_to_write().await.map_err(Fault::into_store_error)?;
        check_schema(&engine, &mut conn).await?;
        let mut target = Self { engine, conn, source: source.to_owned(), _lock: lock };
        target.mark(now).await?;
        Ok(target)
    }

    /// Marks a database that is empty, or sees that the mark is of the same source.
    async fn mark(&mut self, now: Timestamp) -> Result<(), StoreError> {
        self.conn.begin(false).await.map_err(Fault::into_store_error)?;
        match self.marked().await? {
            Some(source) if source == self.source => {}
            Some(source) => {
                return Err(self.engine.refuse(&format!(
                    "a move into it from {source} has not come to its end; finish that one, or drop this database and begin anew"
                )));
            }
            None => {
                self.check_empty(now).await?;
                let source = self.source.as_str().into();
                self.conn.execute(tables::SET_MARK, [source]).await.map_err(Fault::into_store_error)?;
            }
        }
        self.conn.command("COMMIT").await.map_err(Fault::into_store_error)
    }

    async fn marked(&mut self) -> Result<Option<String>, StoreError> {
        let mark: Option<(String,)> = self.conn.row(tables::MARK, []).await.map_err(Fault::into_store_error)?;
        Ok(mark.map(|(source,)| source))
    }

    async fn check_empty(&mut self, now: Timestamp) -> Result<(), StoreError> {
        for table in TABLES {
            if self.last_row(table).await? > 0 {
                return Err(self.engine.refuse("it holds another queue already; name an empty database"));
            }
        }
        match self.conn.number(tables::LIVING, [now.into()]).await.map_err(Fault::into_store_error)? {
            None | Some(0) => Ok(()),
            Some(_) => Err(self.engine.refuse("a daemon runs on it; stop that first")),
        }
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

    /// Puts a range right, durably, and says how many rows it wrote. A row whose parent came in after the pass was there is left to
    /// the next one.
    pub(super) async fn repair(&mut self, table: &Table, repair: &Repair<'_>) -> Result<u64, StoreError> {
        let (rows, bodies) = written(table, &repair.write).map_err(|why| self.engine.refuse(&why))?;
        self.begin().await?;
        let done = async {
            if !repair.remove.is_empty() {
                self.conn.execute(table.remove, [json!(repair.remove).to_string().into()]).await?;
            }
            let mut count = 0;
            if !repair.write.is_empty() {
                let values = [Some(rows.into()), bodies.map(Value::from)];
                count = self.conn.execute(table.write, values.into_iter().flatten()).await?;
            }
            self.conn.command("COMMIT").await?;
            Ok(count)
        };
        done.await.map_err(|fault| in_table(table, fault))
    }

    /// Begins to write, if the mark is still there: without it daemons may be at work, whose rows are no longer ours to put right.
    async fn begin(&mut self) -> Result<(), StoreError> {
        self.conn.begin(false).await.map_err(Fault::into_store_error)?;
        if self.marked().await?.as_ref() != Some(&self.source) {
            return Err(self.engine.refuse("somebody else finished or dropped the move into it meanwhile"));
        }
        Ok(())
    }

    /// Makes it a queue that can be opened, of which the same is known as of the source, and whose rows go on being numbered above all
    /// that the source ever gave.
    pub(super) async fn finish(
        &mut self,
        last_numbers: &[(&'static Table, i64)],
        properties: &[(&'static str, Option<String>)],
    ) -> Result<(), StoreError> {
        self.begin().await?;
        for (table, last) in last_numbers {
            self.go_on_above(table, *last).await.map_err(|fault| in_table(table, fault))?;
        }
        let done = async {
            for (name, value) in properties {
                match value {
                    Some(value) => {
                        self.conn.execute(tables::SET_PROPERTY, [(*name).into(), value.as_str().into()]).await?
                    }
                    None => self.conn.execute(tables::CLEAR_PROPERTY, [(*name).into()]).await?,
                };
            }
            self.conn.execute(tables::CLEAR_MARK, []).await?;
            self.conn.command("COMMIT").await
        };
        done.await.map_err(Fault::into_store_error)?;
        if self.conn.is_shared() {
            // Without statistics it would only be slower, until the server has made them by itself.
            let _ = self.conn.command(tables::ANALYZE).await;
        }
        Ok(())
    }

    async fn go_on_above(&mut self, table: &Table, last: i64) -> Result<(), Fault> {
        let own = self.conn.number(tables::LAST_NUMBER, [table.name.into()]).await?.unwrap_or(0);
        if own >= last {
            return Ok(());
        }
        let set = self.conn.number(tables::SET_LAST_NUMBER, [table.name.into(), last.into()]).await?;
        if set.is_none() {
            self.conn.execute(tables::BEGIN_NUMBERS, [table.name.into(), last.into()]).await?;
        }
        Ok(())
    }

    pub(super) async fn close(self) {
        self.engine.finish(self.conn).await;
    }
}

/// Rows as a write statement takes them, and their bodies one behind the other if the table has them.
fn written(table: &Table, rows: &[&Row]) -> Result<(String, Option<Vec<u8>>), String> {
    let mut bodies = Vec::new();
    let mut array = Vec::with_capacity(rows.len());
    for row in rows {
        let mut values = Vec::with_capacity(row.cells.len() + 2);
        values.push(Json::from(row.id));
        for cell in &row.cells {
            match cell {
                Cell::Null => values.push(Json::Null),
                Cell::Int(number) => values.push(Json::from(*number)),
                // PostgreSQL's text has no NUL.
                Cell::Text(text) if text.contains('\0') => {
                    return Err(format!(
                        "it cannot hold row {} of table {}, which has a NUL in a text",
                        row.id, table.name
                    ));
                }
                Cell::Text(text) => values.push(Json::from(text.as_str())),
                Cell::Bytes(bytes) => {
                    values.extend([Json::from(bodies.len() + 1), Json::from(bytes.len())]);
                    bodies.extend_from_slice(bytes);
                }
            }
        }
        array.push(Json::Array(values));
    }
    Ok((Json::Array(array).to_string(), table.has_body.then_some(bodies)))
}
