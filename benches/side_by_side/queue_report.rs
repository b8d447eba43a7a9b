//! What was found about the queue, in tables, and what it shall be.

use std::fmt::Write;

use comfy_table::Table;

use crate::queue::{Queue, Row};
use crate::report::table;

pub(crate) const CLAIM: &str = "claim 10 letters of 20 shops";
pub(crate) const MARK: &str = "mark 10 letters";
pub(crate) const SETTLE: &str = "settle 10 letters";
pub(crate) const NEXT_DUE: &str = "next due of 20 shops";
/// Pages of 100.
pub(crate) const LISTS: [&str; 8] = [
    "list: newest",
    "list: from anywhere on",
    "list: queued",
    "list: done",
    "list: of a shop",
    "list: done of a shop",
    "list: of an address",
    "list: of a reference",
];
pub(crate) const EXPLAIN: [&str; 3] = ["explain an address", "explain a reference", "explain an invitation"];
pub(crate) const SPOOL: &str = "keep a copy";
pub(crate) const FILE_NEW: &str = "claim and file it: new order";
pub(crate) const FILE_KNOWN: &str = "claim and file it: known order";
pub(crate) const CANCEL: &str = "cancel one of a shop";
pub(crate) const COUNT: &str = "count";
pub(crate) const PURGE: &str = "purge 1000 copies";

/// How many times longer the largest queue takes than the smallest, for each engine: claiming, and the worst way to list.
pub(crate) fn growth(queue: &Queue) -> Vec<(String, f64)> {
    let mut all = Vec::new();
    for engine in engines(queue) {
        let rows = || queue.rows.iter().filter(|row| row.engine == engine);
        let of = |row: &Row| row.growth.last().copied().unwrap_or(f64::NAN);
        let claim = rows().filter(|row| row.operation == CLAIM).map(of).reduce(f64::max);
        let list = rows().filter(|row| LISTS.contains(&row.operation)).map(of).reduce(f64::max);
        all.extend(claim.map(|growth| (format!("queue on {engine}, largest to smallest: claim"), growth)));
        all.extend(list.map(|growth| (format!("queue on {engine}, largest to smallest: list, the worst way"), growth)));
    }
    all
}

fn engines(queue: &Queue) -> Vec<&'static str> {
    let mut engines = queue.rows.iter().map(|row| row.engine).collect::<Vec<_>>();
    engines.dedup();
    engines
}

/// For people.
pub(crate) fn text(queue: &Queue) -> String {
    let mut text = String::new();
    for engine in engines(queue) {
        let _ = writeln!(
            text,
            "\nThe queue on {engine}: ms a call, median (p99), by invitations\n{}",
            times(queue, engine)
        );
    }
    let _ = writeln!(text, "\nThe queue on disk, bytes a row\n{}", sizes(queue));
    for missing in &queue.not_measured {
        let _ = writeln!(text, "The queue on {}: NOT MEASURED, {}", missing.server, missing.why);
    }
    text
}

fn times(queue: &Queue, engine: &str) -> Table {
    let rows = queue.rows.iter().filter(|row| row.engine == engine).collect::<Vec<_>>();
    let at = || rows.iter().take(1).flat_map(|row| &row.at);
    let mut head = vec!["operation".to_owned(), "calls".to_owned()];
    head.extend(at().map(|at| at.invitations.to_string()));
    head.extend(at().skip(1).map(|at| format!("× at {}", at.invitations)));
    let mut table = table(&head.iter().map(String::as_str).collect::<Vec<_>>());
    for row in rows {
        let calls = row.at.iter().map(|at| at.calls).min().unwrap_or(0);
        let mut line = vec![row.operation.to_owned(), calls.to_string()];
        line.extend(row.at.iter().map(|at| format!("{:.2} ({:.2})", at.median_ms, at.p99_ms)));
        line.extend(row.growth.iter().skip(1).map(|growth| format!("{growth:.2}")));
        table.add_row(line);
    }
    table
}

fn sizes(queue: &Queue) -> Table {
    let mut table = table(&["engine", "invitations", "table", "rows", "rows MB", "indexes MB", "a row", "its indexes"]);
    for size in &queue.sizes {
        let each = |bytes: u64| format!("{:.0}", bytes as f64 / size.rows as f64);
        table.add_row([
            size.engine.to_owned(),
            size.invitations.to_string(),
            size.table.to_owned(),
            size.rows.to_string(),
            format!("{:.1}", size.table_bytes as f64 / 1e6),
            format!("{:.1}", size.index_bytes as f64 / 1e6),
            each(size.table_bytes),
            each(size.index_bytes),
        ]);
    }
    table
}
