//! The door's figures as tables for people.

use std::fmt::Write;

use comfy_table::Table;

use crate::client::Waits;
use crate::client_check::Check;
use crate::door::{Cell, Fsyncs};
use crate::idle::Idle;
use crate::rate::AtRate;
use crate::report::{Report, mebibytes, table};
use crate::servers::Invited;
use crate::whole::Whole;

/// All that were measured.
pub(crate) fn tables(report: &Report) -> String {
    let mut text = String::new();
    let parts = [
        ("Door: messages taken in as fast as they are answered", report.door.is_empty(), cells(&report.door)),
        ("Fsyncs a message, 4 KB, 20 sessions, reused", report.fsyncs.is_empty(), fsyncs(&report.fsyncs)),
        ("At a fixed rate, 4 KB, 20 sessions", report.rate.is_empty(), rates(&report.rate)),
        (
            "The whole way, from DATA to the invitation on record, 4 KB, 20 sessions, reused",
            report.whole.is_empty(),
            whole(&report.whole),
        ),
        ("At rest: resident memory", report.idle.is_empty(), idle(&report.idle)),
        ("The client beside smtp-source, 4 KB, 20 sessions, reused", report.check.is_empty(), check(&report.check)),
    ];
    for (title, _, table) in parts.iter().filter(|(_, is_empty, _)| !is_empty) {
        let _ = writeln!(text, "\n{title}\n{table}");
    }
    text
}

fn way(reuse: bool) -> String {
    if reuse { "reused" } else { "one each" }.to_owned()
}

fn milliseconds(waits: Waits) -> [String; 3] {
    [waits.p50_ms, waits.p99_ms, waits.max_ms].map(|wait| format!("{wait:.2}"))
}

fn cells(cells: &[Cell]) -> Table {
    let mut table = table(&[
        "octets",
        "sessions",
        "connection",
        "server",
        "msg/s",
        "range",
        "ours ×",
        "p50 ms",
        "p99 ms",
        "worked off/s",
        "CPU s/1000",
        "until taken",
        "door alone",
        "peak MiB",
    ]);
    for cell in cells {
        let [p50, p99, _] = milliseconds(cell.waits);
        table.add_row([
            cell.octets.to_string(),
            cell.sessions.to_string(),
            way(cell.reuse),
            cell.server.to_owned(),
            format!("{:.0}", cell.messages_per_second),
            format!("{:.0}–{:.0}", cell.range.0, cell.range.1),
            beside(cells, cell)
                .map_or_else(String::new, |ours| format!("{:.2}", ours.messages_per_second / cell.messages_per_second)),
            p50,
            p99,
            format!("{:.0}", cell.worked_off_per_second),
            format!("{:.3}", cell.cpu_seconds_per_1000),
            format!("{:.3}", cell.cpu_seconds_per_1000_until_taken),
            cell.cpu_seconds_per_1000_door_alone.map_or_else(String::new, |alone| format!("{alone:.3}")),
            mebibytes(cell.peak_resident),
        ]);
    }
    table
}

/// Our cell of the same load, for a peer's.
fn beside<'c>(cells: &'c [Cell], cell: &Cell) -> Option<&'c Cell> {
    let is_same = |other: &&Cell| {
        (other.octets, other.sessions, other.reuse) == (cell.octets, cell.sessions, cell.reuse)
            && other.server == Invited::NAME
    };
    cells.iter().find(is_same).filter(|_| cell.server != Invited::NAME)
}

fn fsyncs(rows: &[Fsyncs]) -> Table {
    let mut table = table(&["server", "fsyncs a message"]);
    table.add_rows(rows.iter().map(|row| [row.server.to_owned(), format!("{:.3}", row.per_message)]));
    table
}

fn rates(rows: &[AtRate]) -> Table {
    let mut table = table(&["msg/s", "connection", "server", "p50 ms", "p99 ms", "longest ms", "CPU s/1000"]);
    for row in rows {
        let [p50, p99, max] = milliseconds(row.waits);
        let cpu = format!("{:.3}", row.cpu_seconds_per_1000);
        table.add_row([row.messages_per_second.to_string(), way(row.reuse), row.server.to_owned(), p50, p99, max, cpu]);
    }
    table
}

fn whole(rows: &[Whole]) -> Table {
    let mut table = table(&[
        "offered/s",
        "messages",
        "seconds",
        "msg/s",
        "taken/s",
        "unread at the end",
        "p99 ms",
        "CPU s/1000",
        "peak MiB",
    ]);
    for row in rows {
        table.add_row([
            row.offered_per_second.map_or_else(|| "all".to_owned(), |rate| rate.to_string()),
            row.messages.to_string(),
            format!("{:.1}", row.seconds),
            format!("{:.0}", row.messages_per_second),
            format!("{:.0}", row.taken_per_second),
            row.backlog.to_string(),
            format!("{:.2}", row.waits.p99_ms),
            format!("{:.3}", row.cpu_seconds_per_1000),
            mebibytes(row.peak_resident),
        ]);
    }
    table
}

fn idle(rows: &[Idle]) -> Table {
    let mut table = table(&["server", "after start, MiB", "sessions", "with them, MiB", "KiB a session"]);
    for row in rows {
        table.add_row([
            row.server.to_owned(),
            format!("{:.1}", row.after_start as f64 / 1024.0 / 1024.0),
            row.sessions.to_string(),
            format!("{:.1}", row.with_sessions as f64 / 1024.0 / 1024.0),
            format!("{:.1}", row.each_session() / 1024.0),
        ]);
    }
    table
}

fn check(rows: &[Check]) -> Table {
    let mut table = table(&["client", "server", "msg/s", "the client's CPU s/1000"]);
    for row in rows {
        let (rate, cpu) =
            (format!("{:.0}", row.messages_per_second), format!("{:.3}", row.client_cpu_seconds_per_1000));
        table.add_row([row.client.to_owned(), row.server.to_owned(), rate, cpu]);
    }
    table
}
