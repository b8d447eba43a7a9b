//! The figures as tables for people and as JSON for programs.

use std::fmt::Write;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use crate::door::{Cell, Door};
use crate::machine::Machine;
use crate::out::Out;
use crate::out_report;

/// What was measured.
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) door: Option<Door>,
    pub(crate) out: Option<Out>,
}

impl Report {
    /// For programs.
    pub(crate) fn json(&self) -> Value {
        json!({
            "machine": self.machine,
            "door": self.door,
            "out": self.out,
            "out_to_reach": self.out.as_ref().map(out_report::to_reach),
        })
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
        if let Some(out) = &self.out {
            text += &out_report::text(out);
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

pub(crate) fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(head);
    table.column_iter_mut().for_each(|column| {
        column.set_cell_alignment(CellAlignment::Right);
    });
    table
}

pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.0}", bytes as f64 / 1024.0 / 1024.0)
}
