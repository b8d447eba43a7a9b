//! Tables for people and JSON lines for programs, on standard output.

use std::io::{self, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

use crate::domain::{Timestamp, Zone};

/// Columns of a terminal below which a table is not folded to fit.
const NARROW: u16 = 40;

/// Standard output, locked for one command.
pub(super) struct Output {
    out: anstream::AutoStream<io::StdoutLock<'static>>,
}

impl Output {
    /// Standard output; colours and widths follow the terminal.
    pub(super) fn new() -> Self {
        Self { out: anstream::stdout().lock() }
    }

    /// Whether colours are shown: on a terminal, unless `NO_COLOR` is set.
    pub(super) fn has_colours(&self) -> bool {
        self.out.current_choice() != anstream::ColorChoice::Never
    }

    /// A line for people.
    pub(super) fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(self.out, "{}", text.as_ref())?;
        self.out.flush()
    }

    /// One JSON object on a line of its own.
    pub(super) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let line = serde_json::to_string(value).map_err(io::Error::other)?;
        writeln!(self.out, "{line}")
    }

    /// A table with its heading.
    pub(super) fn table(&mut self, heading: &[&str], rows: Vec<Vec<String>>) -> io::Result<()> {
        let mut table = Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header(heading);
        // Some terminals say that they have no columns at all.
        if table.width().is_some_and(|columns| columns < NARROW) {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
        for row in rows {
            table.add_row(row);
        }
        let text = table.to_string();
        for line in text.lines() {
            writeln!(self.out, "{}", line.trim_end())?;
        }
        self.out.flush()
    }
}

/// `1 letter`, `2 letters`.
pub(super) fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// An instant for people: local date and time with the zone's abbreviation, `2026-11-28 09:00 CET`.
pub(super) fn local(instant: Timestamp, zone: &Zone) -> String {
    instant.to_jiff().to_zoned(zone.to_jiff()).strftime("%Y-%m-%d %H:%M %Z").to_string()
}
