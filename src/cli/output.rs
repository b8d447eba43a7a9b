//! Tables for people and JSON lines for programs, on standard output. What comes from outside cannot steer a terminal: whatever is
//! printed here is escaped, and styles are our own.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use anstream::ColorChoice;
use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, CellAlignment, Color, ContentArrangement, Table};
use serde::Serialize;

use super::Failure;
use super::pager::Pages;
use crate::domain::{Timestamp, Zone};

/// Columns of a terminal below which a table is not folded to fit.
const NARROW: u16 = 40;

/// Headings of columns whose values are texts even when all of them consist of digits.
const TEXTS: [&str; 8] = ["ORDER", "REFERENCE", "NAME", "ADDRESS", "SHOP", "VALUE", "SKU", "PRODUCT"];

/// The heading of a column of states, which are shown in colour.
const STATE: &str = "STATE";

/// Standard output for one command.
pub(super) struct Output {
    to: To,
    has_colours: bool,
    /// Whether it goes on when nothing can be written any more.
    goes_on: bool,
    /// Why nothing can be written any more.
    lost: Option<io::Error>,
}

enum To {
    Straight(io::StdoutLock<'static>),
    Pages(Pages),
}

/// How much of a person's attention a state asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// All is well.
    Calm,
    /// A person should look.
    Asks,
    /// Something went wrong.
    Wrong,
    /// It is over.
    Over,
}

impl Tone {
    /// The tone of an invitation's, a letter's or a copy's state.
    pub(super) fn of(state: &str) -> Option<Self> {
        Some(match state {
            "waiting" | "queued" | "sending" | "sent" | "done" | "event" | "delivered" => Self::Calm,
            "held" | "in_doubt" => Self::Asks,
            "failed" | "bounced" => Self::Wrong,
            "cancelled" | "dropped" | "discarded" | "ignored" => Self::Over,
            _ => return None,
        })
    }

    fn paint(self, cell: Cell) -> Cell {
        match self {
            Self::Calm => cell.fg(Color::DarkGreen),
            Self::Asks => cell.fg(Color::DarkYellow),
            Self::Wrong => cell.fg(Color::DarkRed),
            Self::Over => cell.add_attribute(Attribute::Dim),
        }
    }
}

impl Output {
    /// Standard output, line by line as it is written: for commands that do something, that ask, or that take their time.
    pub(super) fn new() -> Self {
        Self { to: To::Straight(io::stdout().lock()), has_colours: has_colours(), goes_on: false, lost: None }
    }

    /// The same for commands that change one thing after the other: a reader that goes away, or a full disk, does not stop them half
    /// way. Nothing more is said then, and [`Output::unsaid`] tells in the end.
    pub(super) fn of_changes() -> Self {
        Self { goes_on: true, ..Self::new() }
    }

    /// Why something could not be said, unless nobody wanted to hear it.
    pub(super) fn unsaid(&self) -> Option<String> {
        let error = self.lost.as_ref().filter(|error| error.kind() != io::ErrorKind::BrokenPipe)?;
        Some(error.to_string())
    }

    /// Standard output that goes through a pager when it is longer than the screen: for commands that only show. It stands on the
    /// screen when this is dropped; nothing may be asked before.
    pub(super) fn paged() -> Self {
        let straight = Self::new();
        match Pages::new() {
            Some(pages) => Self { to: To::Pages(pages), ..straight },
            None => straight,
        }
    }

    /// Whether colours are shown: on a terminal, unless `NO_COLOR` is set.
    pub(super) fn has_colours(&self) -> bool {
        self.has_colours
    }

    /// Fails when what was done could not be said.
    pub(super) fn heard(&self) -> Result<(), Failure> {
        self.unsaid().map_or(Ok(()), |why| {
            Err(Failure::Undone(format!("{why}; what was asked for was done as far as it could be")))
        })
    }

    /// A line for people, or a few. Characters that would steer a terminal are shown, not sent.
    pub(super) fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        self.write(&format!("{}\n", printable(text.as_ref())))
    }

    /// A line with styles of our own; what comes from outside in it must have gone through [`printable`]. Where colours are not
    /// wanted they are taken out.
    pub(super) fn styled(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        let text = text.as_ref();
        match self.has_colours {
            true => self.write(&format!("{text}\n")),
            false => self.write(&format!("{}\n", anstream::adapter::strip_str(text))),
        }
    }

    /// One JSON object on a line of its own.
    pub(super) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let line = serde_json::to_string(value).map_err(io::Error::other)?;
        self.write(&format!("{}\n", ascii_controls(&line)))
    }

    /// A table with its heading. Columns of numbers are aligned to the right, and states are shown in colour: a column `STATE`, or
    /// in a table without a heading the row that begins with `state`.
    pub(super) fn table(&mut self, heading: &[&str], rows: Vec<Vec<String>>) -> io::Result<()> {
        self.write(&table_text(heading, &rows, self.has_colours))
    }

    /// Whole lines, as they are to stand.
    fn write(&mut self, text: &str) -> io::Result<()> {
        if self.lost.is_some() {
            return Ok(());
        }
        let written = match &mut self.to {
            To::Straight(out) => out.write_all(text.as_bytes()).and_then(|()| out.flush()),
            To::Pages(pages) => pages.write(text),
        };
        match written.map_err(unwritable) {
            Err(error) if self.goes_on => {
                self.lost = Some(error);
                Ok(())
            }
            written => written,
        }
    }
}

/// Says what it was that could not be written; that nobody reads any more is told by its kind alone.
fn unwritable(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe => error,
        kind => io::Error::new(kind, format!("standard output cannot be written: {error}")),
    }
}

/// The table as it is shown, whole lines.
fn table_text(heading: &[&str], rows: &[Vec<String>], has_colours: bool) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header(heading);
    // Some terminals say that they have no columns at all.
    if table.width().is_some_and(|columns| columns < NARROW) {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    if has_colours {
        table.enforce_styling();
    }
    let title = |column: usize| heading.get(column).map(|title| title.trim());
    let numbers = (0..heading.len()).map(|column| {
        let is_text = title(column).is_none_or(|title| title.is_empty() || TEXTS.contains(&title));
        !is_text && are_numbers(rows.iter().filter_map(|row| row.get(column)))
    });
    let numbers = numbers.collect::<Vec<_>>();
    for row in rows {
        let is_state_row = heading.is_empty() && row.first().is_some_and(|first| first == "state");
        let cells = row.iter().enumerate().map(|(column, value)| {
            let cell = Cell::new(one_line(value));
            let is_state = if heading.is_empty() { is_state_row && column == 1 } else { title(column) == Some(STATE) };
            match Tone::of(value).filter(|_| has_colours && is_state) {
                Some(tone) => tone.paint(cell),
                None => cell,
            }
        });
        table.add_row(cells.collect::<Vec<_>>());
    }
    for (column, _) in numbers.iter().enumerate().filter(|(_, are_numbers)| **are_numbers) {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = String::new();
    for line in table.to_string().lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn has_colours() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != ColorChoice::Never
}

/// Whether every value is a number, a share such as `12/34`, or nothing; and one of them is something.
fn are_numbers<'a>(values: impl Iterator<Item = &'a String>) -> bool {
    let mut values = values.map(|value| value.trim()).filter(|value| !matches!(*value, "" | "-")).peekable();
    let is_number = |value: &str| {
        value.starts_with(|c: char| c.is_ascii_digit())
            && value.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '/' | '%' | ' '))
    };
    values.peek().is_some() && values.all(is_number)
}

/// Whether a terminal would act on a character instead of showing it: C0 and C1 controls, and what turns the reading direction.
fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, is_bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_bad) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_bad(c) {
            true => out.extend(c.escape_default()),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Text that may be shown on a terminal whoever wrote it: what would steer the terminal is written out, `\u{1b}`. Lines stay lines.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, |c| steers(c) && c != '\n' && c != '\t')
}

/// The same for a text that is one line whatever is in it.
pub(super) fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, steers)
}

/// JSON escapes C0 itself; DEL and C1 may stand in it, but a terminal acts on them too. They occur in strings only.
fn ascii_controls(json: &str) -> Cow<'_, str> {
    if !json.chars().any(char::is_control) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        match c.is_control() {
            // Writing to a string does not fail.
            true => drop(write!(out, "\\u{:04x}", u32::from(c))),
            false => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// `1 letter`, `2 letters`.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// An instant for people: local date and time with the zone's abbreviation, `2026-11-28 09:00 CET`.
pub(super) fn local(instant: Timestamp, zone: &Zone) -> String {
    instant.to_jiff().to_zoned(zone.to_jiff()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{EmailAddress, OrderReference, PersonName, ShopId, State};

    const HOSTILE: [&str; 6] =
        ["a\x1b]0;owned\x07b", "a\x1b[2Jb", "a\u{9b}31mb", "a\r\nNext: nothing", "a\u{202e}b\u{2066}c", "a\x7f\x08b"];

    #[test]
    fn what_would_steer_a_terminal_is_written_out() {
        for text in HOSTILE {
            for shown in [printable(text), one_line(text)] {
                assert!(shown.chars().all(|c| !steers(c) || c == '\n'), "{text:?} became {shown:?}");
            }
            assert!(!one_line(text).contains('\n'));
        }
        assert_eq!(printable("a\x1b[2J\n\tb"), "a\\u{1b}[2J\n\tb");
        assert_eq!(one_line("a\n\tb"), "a\\n\\tb");
        for text in ["J\u{f6}rg \u{6ce8}\u{6587}", "\u{1f469}\u{200d}\u{1f4bb}", "\u{5d0}\u{5d1}"] {
            assert_eq!(printable(text), text, "letters and pictures stay");
        }
    }

    #[test]
    fn names_addresses_and_references_let_nothing_through_that_steers() {
        for text in HOSTILE {
            let values = [
                PersonName::parse(text).map(|one| one.to_string()),
                OrderReference::parse(text).map(|one| one.to_string()),
                ShopId::parse(text).ok().map(|one| one.to_string()),
                EmailAddress::parse(&format!("{text}@customer.example")).ok().map(|one| one.to_string()),
                EmailAddress::parse(&format!("\"{text}\"@customer.example")).ok().map(|one| one.to_string()),
            ];
            for value in values.into_iter().flatten() {
                assert!(!value.chars().any(steers), "{text:?} became {value:?}");
            }
        }
    }

    #[test]
    fn json_holds_no_control_and_means_the_same() {
        for text in HOSTILE {
            let json = serde_json::to_string(text).unwrap();
            let shown = ascii_controls(&json);
            assert!(!shown.chars().any(char::is_control), "{shown:?}");
            assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        }
    }

    #[test]
    fn a_column_is_one_of_numbers_when_all_of_it_is() {
        for (values, wanted) in [
            (&["1", "20"][..], true),
            (&["1.5", "98.7 %", "-", ""], true),
            (&["12/34"], true),
            (&["1", "A-2"], false),
            (&["2026-11-28 09:00 CET"], false),
            (&["", "-"], false),
            (&[], false),
        ] {
            let values = values.iter().map(|&value| value.to_owned()).collect::<Vec<_>>();
            assert_eq!(are_numbers(values.iter()), wanted, "{values:?}");
        }
    }

    #[test]
    fn a_table_escapes_what_it_is_given_and_paints_states_only() {
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        let rows = [row(["7", "1001", "held", "a\x1b[2J\nb"]), row(["12", "20", "queued", "sent"])];
        let heading = ["ID", "ORDER", "STATE", "WHY"];
        let plain = " ID  ORDER  STATE   WHY\n  7  1001   held    a\\u{1b}[2J\\nb\n 12  20     queued  sent\n";
        assert_eq!(table_text(&heading, &rows, false), plain);
        let painted = table_text(&heading, &rows, true);
        assert_eq!(anstream::adapter::strip_str(&painted).to_string(), plain);
        assert_eq!(painted.matches("\x1b[38;5;3m held").count(), 1, "{painted:?}");
        assert_eq!(painted.matches("\x1b[38;5;2m").count(), 1, "a state in another column is a word: {painted:?}");
        let facts = table_text(&[], &[vec!["state".to_owned(), "failed".to_owned()]], true);
        assert!(facts.contains("\x1b[38;5;1m failed"), "{facts:?}");
    }

    #[test]
    fn every_state_of_an_invitation_has_a_tone() {
        for state in State::ALL {
            assert!(Tone::of(state.as_str()).is_some(), "{state}");
        }
    }
}
