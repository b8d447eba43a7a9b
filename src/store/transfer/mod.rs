//! A queue moves from one engine to another: every row, with its number, while daemons go on working on the source.
//!
//! A pass walks both databases table by table in ranges of numbers, reads each range on both sides and compares row by row. A
//! range that differs is put right and read once more. So a pass copies what is missing, changes what changed, removes what is
//! gone, and proves the rest; a move that was interrupted is the same thing begun again. The pass that ends a move is one in which
//! nobody worked on the source: see [`Source::hush`].

mod rows;
mod source;
mod tables;
mod target;

#[cfg(test)]
mod tests;

use std::ops::ControlFlow;

use self::rows::{Digest, Repair, Row, room};
use self::source::Source;
use self::tables::{TABLES, Table};
use self::target::Target;
use super::StoreError;
use super::postgres::Server;
use super::sql::connection::Connection;
use super::sql::engine::Engine;
use super::sql::fault::Fault;
use super::sqlite::File;
use crate::config::Database;
use crate::domain::Timestamp;

/// One end of a move.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Where it is.
    pub database: &'a Database,
    /// The password of its server, if that wants one.
    pub password: Option<&'a str>,
}

/// Who looks on while a queue moves, and knows the time.
pub trait Watch: Send {
    /// The present instant, against which the leases of daemons are held.
    fn now(&self) -> Timestamp;

    /// Told after each range, which is durable then. [`ControlFlow::Break`] ends the move here; it goes on where it was when it is
    /// run again.
    fn went_on(&mut self, step: &Step) -> ControlFlow<()>;
}

/// How far a pass is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Which pass, from 1.
    pub pass: u32,
    /// The table that it is in.
    pub table: &'static str,
    /// The number of the row that it has reached there.
    pub at: i64,
    /// The highest number in this table, on either side, when the pass came to it.
    pub last: i64,
    /// Rows that this pass has compared, in all tables.
    pub rows: u64,
}

/// What came of a move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Whether the target is the queue now.
    pub ending: Ending,
    /// The passes that were made, whole or not.
    pub passes: u32,
    /// Each table as the last whole pass found and left it; empty when there was none.
    pub tables: Vec<MovedTable>,
}

/// How a move ended. All but the first leave a target that no daemon opens; the same move run again goes on from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Both ends are equal, nobody worked on the source meanwhile, and the target is ready to be used.
    Finished,
    /// The target follows the source, on which a daemon works.
    InUse,
    /// The source was changed during the last pass although no daemon lives: by the desk.
    Changing,
    /// Whoever looked on stopped it.
    Stopped,
}

/// A table on both sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedTable {
    /// Its name.
    pub table: &'static str,
    /// What the source holds.
    pub source: Content,
    /// What the target holds after the pass.
    pub target: Content,
    /// Rows that the pass wrote into the target.
    pub written: u64,
    /// Rows that it removed from the target.
    pub removed: u64,
}

/// What a table holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content {
    /// How many rows.
    pub rows: u64,
    /// SHA-256, hexadecimal, over all values in the order of the rows' numbers, the same for every engine.
    pub checksum: String,
}

/// Moves the queue at `from` to `to`, where it is made if there is none. At most `passes` passes; one is enough when no daemon works
/// on the source. Nothing is written to the source: of a file no daemon's lock is taken from anybody, and a server's tables are
/// locked against writing only during a pass for which no daemon lives.
///
/// # Errors
/// [`StoreError::Unusable`] when either end cannot be used: above all a target that holds another queue, or another move's half.
/// [`StoreError::Missing`] when there is no source. [`StoreError::Taken`] when a daemon runs on the target.
pub async fn transfer(from: Place<'_>, to: Place<'_>, passes: u32, watch: &mut dyn Watch) -> Result<Moved, StoreError> {
    let mut source = Source::open(from).await?;
    let mut target = Target::open(to, source.identity(), watch.now()).await?;
    let mut moved = Moved { ending: Ending::Stopped, passes: 0, tables: Vec::new() };
    while moved.passes < passes {
        moved.passes += 1;
        let is_hushed = source.hush(watch.now()).await?;
        let pass = Pass { number: moved.passes, rows: 0, source: &mut source, target: &mut target, watch: &mut *watch };
        let Some(tables) = pass.run().await? else {
            moved.ending = Ending::Stopped;
            break;
        };
        moved.tables = tables;
        let is_still = is_hushed && source.is_unchanged().await?;
        if is_still && moved.tables.iter().all(|table| table.source == table.target) {
            target.finish(&source.last_numbers().await?, &source.properties().await?).await?;
            moved.ending = Ending::Finished;
            break;
        }
        if is_hushed {
            source.release().await?;
        }
        moved.ending = if is_hushed { Ending::Changing } else { Ending::InUse };
        // Whoever is at work on the source will be so in the next pass too.
        if !is_hushed && moved.tables.iter().all(|table| table.written == 0 && table.removed == 0) {
            break;
        }
    }
    source.close().await;
    target.close().await;
    Ok(moved)
}

/// One walk through all tables.
struct Pass<'a> {
    number: u32,
    rows: u64,
    source: &'a mut Source,
    target: &'a mut Target,
    watch: &'a mut dyn Watch,
}

impl Pass<'_> {
    /// `None` when it was stopped.
    async fn run(mut self) -> Result<Option<Vec<MovedTable>>, StoreError> {
        let mut tables = Vec::with_capacity(TABLES.len());
        for table in TABLES {
            match self.walk(table).await? {
                Some(moved) => tables.push(moved),
                None => return Ok(None),
            }
        }
        Ok(Some(tables))
    }

    async fn walk(&mut self, table: &'static Table) -> Result<Option<MovedTable>, StoreError> {
        // What comes in above while this walk goes on is the next one's, or a busy daemon would keep it going for ever.
        let last = self.source.last_row(table).await?.max(self.target.last_row(table).await?);
        let (mut here, mut there) = (Digest::default(), Digest::default());
        let (mut written, mut removed, mut after) = (0, 0, 0);
        while after < last
            && let Some(range) = self.next_range(table, after).await?
        {
            let rows = self.source.read(table, range).await?;
            let mut found = self.target.read(table, range).await?;
            let repair = Repair::between(&rows, &found);
            if !repair.is_empty() {
                written += self.target.repair(table, &repair).await?;
                removed += repair.count_removed();
                found = self.target.read(table, range).await?;
            }
            here.add(&rows);
            there.add(&found);
            self.rows += rows.len() as u64;
            after = range.upto;
            let step = Step { pass: self.number, table: table.name, at: after, last, rows: self.rows };
            if self.watch.went_on(&step).is_break() {
                return Ok(None);
            }
        }
        Ok(Some(MovedTable { table: table.name, source: here.end(), target: there.end(), written, removed }))
    }

    /// The next rows that are compared at one time: as many as there is room for on either side.
    async fn next_range(&mut self, table: &Table, after: i64) -> Result<Option<Range>, StoreError> {
        let here = room(&self.source.weigh(table, after).await?);
        let there = room(&self.target.weigh(table, after).await?);
        let upto = match (here.is_all, there.is_all) {
            (true, true) => here.last.max(there.last),
            (false, true) => here.last,
            (true, false) => there.last,
            (false, false) => here.last.min(there.last),
        };
        Ok(upto.map(|upto| Range { after, upto }))
    }
}

/// Rows by their numbers.
#[derive(Debug, Clone, Copy)]
struct Range {
    /// The last one before it.
    after: i64,
    /// The last one in it.
    upto: i64,
}

impl Place<'_> {
    fn engine(self) -> Engine {
        match self.database {
            Database::Sqlite(path) => Engine::Sqlite(File::new(path)),
            Database::Postgres(settings) => Engine::Postgres(Server::new(settings, self.password)),
        }
    }

    /// By which a source is known again.
    fn identity(self) -> String {
        match self.database {
            Database::Sqlite(path) => {
                std::fs::canonicalize(path).unwrap_or_else(|_| path.clone()).display().to_string()
            }
            Database::Postgres(settings) => settings.to_string(),
        }
    }
}

/// Only what this program knows whole can be moved: of a newer schema, columns would be left behind.
async fn check_schema(engine: &Engine, conn: &mut Connection) -> Result<(), StoreError> {
    let found = conn.number(tables::SCHEMA, []).await.map_err(Fault::into_store_error)?.unwrap_or(0);
    let known = engine.newest_schema();
    match found.cmp(&known) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(engine.refuse(&super::schema::too_old(found, known))),
        std::cmp::Ordering::Greater => Err(StoreError::NewerSchema { place: engine.place(), found, known }),
    }
}

/// The highest number that a row has now, 0 when there is none.
async fn last_row(conn: &mut Connection, table: &Table) -> Result<i64, StoreError> {
    Ok(conn.number(table.last, []).await.map_err(|fault| in_table(table, fault))?.unwrap_or(0))
}

async fn weigh(conn: &mut Connection, table: &Table, after: i64) -> Result<Vec<(i64, i64)>, StoreError> {
    let values = [after.into(), rows::ROWS_AT_MOST.into()];
    conn.rows(table.weigh, values).await.map_err(|fault| in_table(table, fault))
}

async fn read(conn: &mut Connection, table: &Table, range: Range) -> Result<Vec<Row>, StoreError> {
    conn.rows(table.read, [range.after.into(), range.upto.into()]).await.map_err(|fault| in_table(table, fault))
}

/// Names the table, since the engine often does not.
fn in_table(table: &Table, fault: Fault) -> StoreError {
    match fault.into_store_error() {
        StoreError::Failed(why) => StoreError::Failed(format!("table {}: {why}", table.name)),
        other => other,
    }
}
