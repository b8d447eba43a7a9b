//! What was found, in tables, and what it shall be.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};

use crate::measure::{Found, Row};

/// How many times longer a thing may take on the larger queue.
const RATIO_AT_MOST: f64 = 3.0;

/// What a call and a command may take longer by the machine's noise alone, milliseconds.
const NOISE_OF_CALLS: f64 = 0.3;
const NOISE_OF_COMMANDS: f64 = 30.0;

/// "Well under a second", milliseconds: what a person may have to wait for a page.
const WAIT_AT_MOST: f64 = 500.0;

/// For people.
pub(crate) fn text(found: &[Found], with_plans: bool) -> String {
    let mut text = String::new();
    let mut failed = Vec::new();
    for one in found {
        for (what, rows) in [("through the store", &one.calls), ("whole commands", &one.commands)] {
            let _ =
                writeln!(text, "\n{}, {what}: ms, median (longest), by invitations\n{}", one.engine, times(one, rows));
            failed.extend(
                rows.iter().filter_map(|row| Some(format!("{}, {what}: {}: {}", one.engine, row.name, fault(row)?))),
            );
        }
        for row in &one.long {
            let seconds = |place: usize| row.median_ms[place] / 1000.0;
            let _ =
                writeln!(text, "{}, which goes through everything: {:.1} s, {:.1} s", row.name, seconds(0), seconds(1));
        }
        for export in &one.exports {
            let _ = writeln!(
                text,
                "queue export of {}: {:.1} s, {:.0} rows/s, {:.0} MB written, {:.0} MB resident at most",
                export.invitations,
                export.seconds,
                export.rows_per_second,
                export.bytes as f64 / 1e6,
                export.peak_resident as f64 / 1e6
            );
        }
        let _ = writeln!(text, "filled in {:?} s\n{}", one.filled_seconds, sizes(one));
        if with_plans {
            for row in &one.calls {
                let _ = writeln!(text, "{}\n  {}", row.name, row.plan.join("\n  "));
            }
        }
    }
    let statements = found.iter().flat_map(|one| &one.calls).map(|row| row.plan.len()).sum::<usize>();
    let _ = writeln!(text, "{statements} plans were looked at: none walks over a large table");
    if failed.is_empty() {
        let _ = writeln!(text, "All within {RATIO_AT_MOST} times the smaller queue's time and {WAIT_AT_MOST} ms");
    }
    for line in failed {
        let _ = writeln!(text, "NOT REACHED: {line}");
    }
    text
}

/// What is wrong with a thing's times.
fn fault(row: &Row) -> Option<String> {
    let (small, large) = (row.median_ms[0], row.median_ms[1]);
    if large > WAIT_AT_MOST {
        return Some(format!("{large:.0} ms, more than {WAIT_AT_MOST}"));
    }
    let noise = if row.plan.is_empty() { NOISE_OF_COMMANDS } else { NOISE_OF_CALLS };
    let is_long = large - RATIO_AT_MOST * small > noise;
    (!row.is_search && is_long).then(|| format!("{:.1} times as long, more than {RATIO_AT_MOST}", row.ratio()))
}

fn times(one: &Found, rows: &[Row]) -> Table {
    let mut head = vec!["".to_owned()];
    head.extend(one.sizes.iter().map(u64::to_string));
    head.extend(["times".to_owned(), "".to_owned()]);
    let mut table = table(&head);
    for row in rows {
        let mut line = vec![row.name.to_owned()];
        line.extend(
            row.median_ms.iter().zip(&row.longest_ms).map(|(median, longest)| format!("{median:.2} ({longest:.2})")),
        );
        line.push(format!("{:.2}", row.ratio()));
        line.push(match (fault(row), row.is_search) {
            (Some(_), _) => "NOT REACHED".to_owned(),
            (None, true) => "bounded search".to_owned(),
            (None, false) => String::new(),
        });
        table.add_row(line);
    }
    table
}

fn sizes(one: &Found) -> Table {
    let mut table = table(&["invitations", "table", "rows", "rows MB", "indexes MB"].map(str::to_owned));
    for size in &one.tables {
        table.add_row([
            size.invitations.to_string(),
            size.table.to_owned(),
            size.rows.to_string(),
            format!("{:.1}", size.table_bytes as f64 / 1e6),
            format!("{:.1}", size.index_bytes as f64 / 1e6),
        ]);
    }
    table
}

fn table(head: &[String]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(head);
    table.column_iter_mut().skip(1).for_each(|column| {
        column.set_cell_alignment(CellAlignment::Right);
    });
    table
}
