//! The figures as tables for people and as JSON for programs.

use std::fmt::Write;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use crate::door::{Cell, Door};
use crate::machine::Machine;
use crate::out::Out;

/// What was measured.
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) door: Option<Door>,
    pub(crate) out: Vec<Out>,
}

impl Report {
    /// For programs.
    pub(crate) fn json(&self) -> Value {
        json!({ "machine": self.machine, "door": self.door, "out": self.out })
    }

    /// For people.
    pub(crate) fn table(&self) -> String {
        let machine = &self.machine;
        let mut text = format!(
            "\n{} cores ({}), Linux {}, write and fdatasync {:.2} ms, load before {}, Postfix {}\n",
            machine.cores,
            machine.processor,
            machine.kernel,
            machine.fdatasync_ms,
            machine.load_before,
            machine.postfix
        );
        if let Some(door) = &self.door {
            let _ = writeln!(text, "\nDoor: messages taken in\n{}", door_table(door));
            for (server, count) in &door.fsyncs_per_message {
                let _ = writeln!(text, "fsyncs a message at 20 sessions, {server}: {count:.3}");
            }
        }
        if !self.out.is_empty() {
            let _ = writeln!(text, "\nOut: letters sent and settled\n{}", out_table(&self.out));
        }
        text
    }
}

const DOOR_HEAD: [&str; 9] =
    ["octets", "sessions", "connection", "server", "msg/s", "range", "worked off/s", "CPU s/1000", "peak MiB"];

fn door_table(door: &Door) -> Table {
    let mut table = table(&DOOR_HEAD);
    for cell in &door.cells {
        table.add_row([
            cell.octets.to_string(),
            cell.sessions.to_string(),
            if cell.reuse { "reused" } else { "one each" }.to_owned(),
            cell.server.to_owned(),
            format!("{:.0}", cell.messages_per_second),
            format!("{:.0}–{:.0}", cell.range.0, cell.range.1),
            format!("{:.0}", cell.worked_off_per_second),
            format!("{:.3}", cell.cpu_seconds_per_1000),
            mebibytes(cell.peak_resident),
        ]);
        if let Some(ours) = beside(door, cell) {
            table.add_row([
                String::new(),
                String::new(),
                String::new(),
                "→ ratio".to_owned(),
                format!("× {:.1}", ours.messages_per_second / cell.messages_per_second),
                String::new(),
                format!("× {:.1}", ours.worked_off_per_second / cell.worked_off_per_second),
                format!("1/{:.1}", cell.cpu_seconds_per_1000 / ours.cpu_seconds_per_1000),
                String::new(),
            ]);
        }
    }
    table
}

/// Our cell of the same load, when `cell` is Postfix's.
fn beside<'d>(door: &'d Door, cell: &Cell) -> Option<&'d Cell> {
    let is_same = |other: &&Cell| {
        (other.octets, other.sessions, other.reuse) == (cell.octets, cell.sessions, cell.reuse)
            && other.server == "invited"
    };
    door.cells.iter().find(is_same).filter(|_| cell.server == "Postfix")
}

fn out_table(out: &[Out]) -> Table {
    let mut table = table(&[
        "connections",
        "letters/s",
        "range",
        "CPU s/1000",
        "fsyncs a letter",
        "peak MiB",
        "octets a letter",
        "smtp-source into the same sink/s",
    ]);
    for row in out {
        table.add_row([
            row.connections.to_string(),
            format!("{:.0}", row.letters_per_second),
            format!("{:.0}–{:.0}", row.range.0, row.range.1),
            format!("{:.3}", row.cpu_seconds_per_1000),
            format!("{:.3}", row.fsyncs_per_letter),
            mebibytes(row.peak_resident),
            row.octets.to_string(),
            format!("{:.0}", row.smtp_source_per_second),
        ]);
    }
    table
}

fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(head);
    table.column_iter_mut().for_each(|column| {
        column.set_cell_alignment(CellAlignment::Right);
    });
    table
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.0}", bytes as f64 / 1024.0 / 1024.0)
}
