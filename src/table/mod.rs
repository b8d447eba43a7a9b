//! Tables that people hand over as files: orders to be invited or reconciled, lists of addresses. From bytes to texts to rows to
//! columns with a meaning, with a place and a remedy for whatever is not as it should be. Pure: nothing here opens a file.
//!
//! Nobody says how such a file is written, so that is found out once for the whole of it, from what stands in it, and said.

mod columns;
mod encoding;
mod orders;
mod rows;
mod words;

pub use columns::{assign, key};
pub use encoding::{Encoding, decode};
pub use orders::{Need, OrderLine, Orders, Repeat, locale, orders};
pub use rows::{Row, Separator, Sheet, rows_of};

use std::fmt;

/// What a spreadsheet takes for the begin of a formula (OWASP ASVS 5.0, 1.2.10; some programs turn the full-width forms into the plain
/// ones), and what our own tables therefore put a `'` before, and before a `'` too. It is taken off again when a table is read.
pub const FORMULA: [char; 13] =
    ['=', '+', '-', '@', '\t', '\r', '\n', '\0', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '\''];

/// Something in a file that cannot be used: where, what, and what to do about it. It repeats nothing of a person's from the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line at which the row begins, from 1; `None` for the file as a whole.
    pub line: Option<u64>,
    /// The heading of its column.
    pub column: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
}

impl Fault {
    /// Something about the whole file.
    pub fn file(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { line: None, column: None, what: what.into(), remedy: remedy.into() }
    }

    /// Something about a row.
    pub fn row(line: u64, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { line: Some(line), ..Self::file(what, remedy) }
    }

    /// The same in this column.
    #[must_use]
    pub fn in_column(self, column: &str) -> Self {
        Self { column: Some(column.to_owned()), ..self }
    }
}

/// `line 7, Email: is no address; write name@domain`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}")?;
            if let Some(column) = &self.column {
                write!(f, ", {column}")?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{}; {}", self.what, self.remedy)
    }
}

#[cfg(test)]
mod tests;
