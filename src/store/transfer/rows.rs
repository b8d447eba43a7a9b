//! Rows as values that know no engine: how they are read, compared and summed up.

use sha2::{Digest as _, Sha256};
use sqlx::{ColumnIndex, Decode, FromRow, Type, TypeInfo, ValueRef};

use super::Content;

/// Rows that are compared at one time, at most.
pub(super) const ROWS_AT_MOST: i64 = 1000;

/// About how many bytes they may have, unless one row alone has more. Both sides and what is written stand in memory together.
const BYTES_AT_MOST: i64 = 4 * 1024 * 1024;

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Its number.
    pub(super) id: i64,
    /// The values behind it.
    pub(super) cells: Vec<Cell>,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl<'r, R: sqlx::Row> FromRow<'r, R> for Row
where
    usize: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        let id = row.try_get(0)?;
        // The engine's own words would name a column, but not the row.
        let cells = (1..row.len()).map(|at| cell(row, at)).collect::<Result<_, _>>();
        Ok(Self { id, cells: cells.map_err(|why| sqlx::Error::Decode(format!("row {id}: {why}").into()))? })
    }
}

fn cell<'r, R: sqlx::Row>(row: &'r R, at: usize) -> Result<Cell, sqlx::Error>
where
    usize: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
    Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let value = row.try_get_raw(at)?;
    if value.is_null() {
        return Ok(Cell::Null);
    }
    let kind = value.type_info().into_owned();
    match kind.name() {
        "INTEGER" | "INT8" => row.try_get(at).map(Cell::Int),
        "TEXT" => row.try_get(at).map(Cell::Text),
        "BLOB" | "BYTEA" => row.try_get(at).map(Cell::Bytes),
        other => Err(sqlx::Error::Decode(format!("column {at} has the type {other}").into())),
    }
}

/// What can be compared at one time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Room {
    /// The last number that there is room for.
    pub(super) last: Option<i64>,
    /// Whether nothing comes behind it.
    pub(super) is_all: bool,
}

/// How far the weighed rows may be read at one time.
pub(super) fn room(weights: &[(i64, i64)]) -> Room {
    let mut bytes = 0;
    let fitting = weights.iter().take_while(|(_, weight)| {
        let is_first = bytes == 0;
        bytes += weight.max(&1);
        is_first || bytes <= BYTES_AT_MOST
    });
    let count = fitting.count();
    let last = count.checked_sub(1).map(|at| weights[at].0);
    Room { last, is_all: count == weights.len() && (count as i64) < ROWS_AT_MOST }
}

/// What must be done so that one side is like the other.
#[derive(Debug, Default)]
pub(super) struct Repair<'a> {
    /// Rows that are missing or differ.
    pub(super) write: Vec<&'a Row>,
    /// Numbers of rows that are too many.
    pub(super) remove: Vec<i64>,
}

impl<'a> Repair<'a> {
    /// What makes `target` like `source`; both are in the order of their numbers.
    pub(super) fn between(source: &'a [Row], target: &[Row]) -> Self {
        let mut repair = Self::default();
        let mut target = target.iter().peekable();
        for row in source {
            while let Some(extra) = target.next_if(|other| other.id < row.id) {
                repair.remove.push(extra.id);
            }
            match target.next_if(|other| other.id == row.id) {
                Some(other) if other == row => {}
                _ => repair.write.push(row),
            }
        }
        repair.remove.extend(target.map(|extra| extra.id));
        repair
    }

    pub(super) fn is_empty(&self) -> bool {
        self.write.is_empty() && self.remove.is_empty()
    }

    pub(super) fn count_removed(&self) -> u64 {
        self.remove.len() as u64
    }
}

/// Sums up a table. What goes into SHA-256: of each row its number and its cells, of each cell a letter for its kind (`n`, `i`, `t`,
/// `b`), and behind it an integer as eight bytes, highest first, or a length in the same form and the bytes.
#[derive(Debug, Default)]
pub(super) struct Digest {
    rows: u64,
    sum: Sha256,
}

impl Digest {
    /// Adds the next rows.
    pub(super) fn add(&mut self, rows: &[Row]) {
        self.rows += rows.len() as u64;
        for row in rows {
            self.number(b'i', row.id);
            for cell in &row.cells {
                match cell {
                    Cell::Null => self.sum.update(b"n"),
                    Cell::Int(number) => self.number(b'i', *number),
                    Cell::Text(text) => self.bytes(b't', text.as_bytes()),
                    Cell::Bytes(bytes) => self.bytes(b'b', bytes),
                }
            }
        }
    }

    fn number(&mut self, kind: u8, number: i64) {
        self.sum.update([kind]);
        self.sum.update(number.to_be_bytes());
    }

    fn bytes(&mut self, kind: u8, bytes: &[u8]) {
        self.sum.update([kind]);
        self.sum.update((bytes.len() as u64).to_be_bytes());
        self.sum.update(bytes);
    }

    /// What it came to.
    pub(super) fn end(self) -> Content {
        let checksum = crate::domain::hex(&self.sum.finalize());
        Content { rows: self.rows, checksum }
    }
}
