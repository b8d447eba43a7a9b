//! From text to rows: quotes as RFC 4180 has them, lines that end in any of the three ways, and a separator that is found out.

use std::fmt;

use super::encoding::{Encoding, decode};
use super::{FORMULA, Fault};

/// Rows that are looked at to find the separator.
const LOOKED_AT: usize = 50;

/// What stands between the values of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// `,`
    Comma,
    /// `;`, where the comma stands in numbers.
    Semicolon,
    /// A tab.
    Tab,
    /// `|`
    Bar,
}

impl Separator {
    const ALL: [Self; 4] = [Self::Comma, Self::Semicolon, Self::Tab, Self::Bar];

    const fn as_char(self) -> char {
        match self {
            Self::Comma => ',',
            Self::Semicolon => ';',
            Self::Tab => '\t',
            Self::Bar => '|',
        }
    }
}

/// As it is said to people.
impl fmt::Display for Separator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Comma => "commas",
            Self::Semicolon => "semicolons",
            Self::Tab => "tabs",
            Self::Bar => "vertical bars",
        })
    }
}

/// A row that is not empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    /// The line at which it begins, from 1. A value in quotes may go on over several.
    pub line: u64,
    /// Its values as they stand, without quotes, without blanks around them, and without the mark with which our own exports keep a
    /// spreadsheet from taking them for formulas.
    pub cells: Vec<String>,
    /// What is wrong with its quotes.
    pub fault: Option<Fault>,
}

/// Without the values: a debug print must not put a person into a log.
impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row").field("line", &self.line).field("cells", &self.cells.len()).finish_non_exhaustive()
    }
}

/// A file as rows.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// How it was encoded.
    pub encoding: Encoding,
    /// What separates its values.
    pub separator: Separator,
    /// Its rows, the heading among them.
    pub rows: Vec<Row>,
}

impl Sheet {
    /// Reads a whole file. `is_heading` says whether a value is a heading that the caller knows, which tells more about the separator
    /// than anything else does.
    ///
    /// # Errors
    /// When it is no text, is empty, or a quote is opened and never closed.
    pub fn read(bytes: &[u8], is_heading: impl Fn(&str) -> bool) -> Result<Self, Fault> {
        let (encoding, text) = decode(bytes)?;
        let (separator, rows) = rows_of(&text, is_heading)?;
        Ok(Self { encoding, separator, rows })
    }
}

/// The rows of a text, and what separates their values.
///
/// # Errors
/// When it is empty, or a quote is opened and never closed.
pub fn rows_of(text: &str, is_heading: impl Fn(&str) -> bool) -> Result<(Separator, Vec<Row>), Fault> {
    // Spreadsheets write the separator into a first line of its own.
    let (text, told, line) = match told_separator(text) {
        Some((separator, rest)) => (rest, Some(separator), 2),
        None => (text, None, 1),
    };
    let separator = told.unwrap_or_else(|| find_separator(text, &is_heading));
    let mut rows = Vec::new();
    for row in Rows::new(text, separator, line) {
        let row = row?;
        if row.fault.is_some() || row.cells.iter().any(|cell| !cell.is_empty()) {
            rows.push(row);
        }
    }
    if rows.is_empty() {
        return Err(Fault::file("the file is empty", "give one with a line for each entry"));
    }
    Ok((separator, rows))
}

/// `sep=;` on the first line, and what follows it.
fn told_separator(text: &str) -> Option<(Separator, &str)> {
    let (first, rest) = text.split_once('\n')?;
    let told = first.trim_end_matches('\r').trim_matches('"').strip_prefix("sep=")?;
    let separator = Separator::ALL.into_iter().find(|separator| told.chars().eq([separator.as_char()]))?;
    Some((separator, rest))
}

/// The separator under which the first row has the most headings that are known; among equals, the one under which the rows are
/// most alike, and then the one that makes the most of them.
fn find_separator(text: &str, is_heading: &impl Fn(&str) -> bool) -> Separator {
    let score = |separator: Separator| {
        let rows = Rows::new(text, separator, 1).take(LOOKED_AT).map_while(Result::ok);
        let rows = rows.filter(|row| row.cells.iter().any(|cell| !cell.is_empty())).collect::<Vec<_>>();
        let Some(first) = rows.first() else { return (0, 0, 0) };
        let columns = first.cells.len();
        let known = first.cells.iter().filter(|cell| is_heading(cell)).count();
        let alike = rows.iter().filter(|row| row.cells.len() == columns && row.fault.is_none()).count();
        (known, if columns > 1 { alike * 100 / rows.len() } else { 0 }, columns)
    };
    // Of equals `max_by_key` takes the last; the comma should win.
    Separator::ALL.into_iter().rev().max_by_key(|separator| score(*separator)).unwrap_or(Separator::Comma)
}

/// The rows of a text one after another, empty ones too.
struct Rows<'t> {
    rest: std::iter::Peekable<std::str::Chars<'t>>,
    separator: char,
    line: u64,
    is_over: bool,
}

/// What ended a value.
enum End {
    Value,
    Row,
    File,
}

impl<'t> Rows<'t> {
    fn new(text: &'t str, separator: Separator, line: u64) -> Self {
        Self { rest: text.chars().peekable(), separator: separator.as_char(), line, is_over: text.is_empty() }
    }

    /// The next character, a line's end as `\n` in whatever way it is written.
    fn next_char(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c == '\r' {
            self.rest.next_if_eq(&'\n');
        }
        if matches!(c, '\r' | '\n') {
            self.line += 1;
            return Some('\n');
        }
        Some(c)
    }

    /// What is inside of quotes, the opening one being taken already. `None` when they are never closed.
    fn quoted(&mut self, value: &mut String) -> Option<()> {
        loop {
            match self.next_char()? {
                '"' if self.rest.next_if_eq(&'"').is_some() => value.push('"'),
                '"' => return Some(()),
                c => value.push(c),
            }
        }
    }

    /// The next value, what ended it, and whether more stood behind its closing quote.
    fn value(&mut self) -> Result<(String, End, bool), Fault> {
        let mut value = String::new();
        let began = self.line;
        // Some programs write a blank behind the separator.
        while self.rest.next_if_eq(&' ').is_some() {}
        let is_quoted = self.rest.next_if_eq(&'"').is_some();
        if is_quoted && self.quoted(&mut value).is_none() {
            let what = "a quote is opened here and never closed";
            return Err(Fault::row(began, what, "close it, or write a quote that belongs to the value as two"));
        }
        let mut has_more = false;
        let end = loop {
            match self.next_char() {
                None => break End::File,
                Some('\n') => break End::Row,
                Some(c) if c == self.separator => break End::Value,
                Some(c) => {
                    has_more |= is_quoted && !c.is_whitespace();
                    value.push(c);
                }
            }
        };
        Ok((without_mark(value.trim()), end, has_more))
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over || self.rest.peek().is_none() {
            return None;
        }
        let mut row = Row { line: self.line, cells: Vec::new(), fault: None };
        loop {
            let (value, end, has_more) = match self.value() {
                Ok(read) => read,
                Err(fault) => {
                    self.is_over = true;
                    return Some(Err(fault));
                }
            };
            if has_more {
                let what = format!("value {} goes on behind its closing quote", row.cells.len() + 1);
                let remedy = "write a quote that belongs to the value as two";
                row.fault.get_or_insert_with(|| Fault::row(row.line, what, remedy));
            }
            row.cells.push(value);
            if !matches!(end, End::Value) {
                return Some(Ok(row));
            }
        }
    }
}

/// A value without the `'` that an export of ours puts before what a spreadsheet would take for a formula.
fn without_mark(value: &str) -> String {
    let bare = value.strip_prefix('\'').filter(|rest| rest.starts_with(FORMULA));
    bare.unwrap_or(value).to_owned()
}
