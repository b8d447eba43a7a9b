//! What was found about letters sent, in tables, and whether it reaches what was aimed at.

use std::fmt::Write;

use comfy_table::Table;
use serde::Serialize;

use crate::out::{FAR, Far, OURS, Out, Row};
use crate::out_peers::{FLUSH, NODEMAILER, POOL, SMTPLIB};
use crate::out_postfix;
use crate::report::{mebibytes, table};

/// A figure that was aimed at, and what was found.
#[derive(Debug, Serialize)]
pub(crate) struct Aim {
    what: String,
    at_least: f64,
    /// `None` when a peer was not measured.
    found: Option<f64>,
    /// Whether it is reached.
    is_reached: Option<bool>,
}

/// For people.
pub(crate) fn text(out: &Out) -> String {
    let mut text = format!("\nOut: letters sent and settled\n{}\n", rows(&out.rows));
    for missing in &out.not_measured {
        let _ = writeln!(text, "{}: NOT MEASURED, {}", missing.name, missing.why);
    }
    let _ = writeln!(text, "\nOut: to a relay that answers after {} ms\n{}", FAR.as_millis(), far(&out.far));
    let _ = writeln!(text, "\nOut: figures to reach\n{}", aims(&to_reach(out)));
    text
}

fn rows(rows: &[Row]) -> Table {
    let mut table = table(&[
        "sender",
        "connections",
        "letters",
        "marks",
        "letters/s",
        "range",
        "CPU s/1000",
        "fsyncs a letter",
        "peak MiB",
        "octets a letter",
    ]);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    for row in rows {
        table.add_row([
            row.sender.to_owned(),
            row.connections.to_string(),
            row.letters.to_string(),
            row.marks.clone(),
            format!("{:.0}", row.letters_per_second),
            format!("{:.0}–{:.0}", row.range.0, row.range.1),
            or_dash(row.cpu_seconds_per_1000.map(|cpu| format!("{cpu:.3}"))),
            or_dash(row.fsyncs_per_letter.map(|fsyncs| format!("{fsyncs:.3}"))),
            or_dash(row.peak_resident.map(mebibytes)),
            or_dash(row.octets.map(|octets| octets.to_string())),
        ]);
    }
    table
}

fn far(far: &[Far]) -> Table {
    let mut table = table(&[
        "connections",
        "letters",
        "letters/s",
        "round trips a letter",
        "ms a round trip",
        "these allow/s",
        "of that",
        "two round trips would allow/s",
    ]);
    for row in far {
        table.add_row([
            row.connections.to_string(),
            row.letters.to_string(),
            format!("{:.1}", row.letters_per_second),
            format!("{:.2}", row.round_trips_per_letter),
            format!("{:.2}", row.round_trip_ms),
            format!("{:.1}", row.allowed_per_second),
            format!("{:.3}", row.letters_per_second / row.allowed_per_second),
            format!("{:.1}", row.allowed_in_two),
        ]);
    }
    table
}

/// Each peer is compared with ours at as many connections as it has itself, smtplib with its one at nodemailer's number.
pub(crate) fn to_reach(out: &Out) -> Vec<Aim> {
    let rate = |sender: &str, connections: Option<usize>| {
        let found = out.rows.iter().filter(|row| row.sender == sender);
        let found = found.filter(|row| connections.is_none_or(|connections| row.connections == connections));
        found.map(|row| row.letters_per_second).reduce(f64::max)
    };
    let ours = |connections: usize| rate(OURS, Some(connections));
    let aim = |what: String, at_least: f64, found: Option<f64>| Aim {
        what,
        at_least,
        found,
        is_reached: found.map(|found| found >= at_least),
    };
    let mut aims = vec![aim("letters a second, the best number of connections".to_owned(), 3000.0, rate(OURS, None))];
    for (peer, connections, at_least) in
        [(NODEMAILER, POOL, 10.0), (SMTPLIB, POOL, 10.0), (FLUSH, out_postfix::CONNECTIONS, 6.0)]
    {
        let times = ours(connections).zip(rate(peer, None)).map(|(ours, theirs)| ours / theirs);
        aims.push(aim(
            format!("times {peer}, ours over {connections} connections and both with marks"),
            at_least,
            times,
        ));
    }
    for row in &out.far {
        let what = format!("of what {} connections to the far relay allow", row.connections);
        aims.push(aim(what, 0.9, Some(row.letters_per_second / row.allowed_per_second)));
    }
    aims
}

fn aims(aims: &[Aim]) -> Table {
    let mut table = table(&["figure", "at least", "found", "reached"]);
    for aim in aims {
        table.add_row([
            aim.what.clone(),
            aim.at_least.to_string(),
            aim.found.map_or_else(|| "NOT MEASURED".to_owned(), |found| format!("{found:.2}")),
            aim.is_reached.map_or("–", |is_reached| if is_reached { "yes" } else { "no" }).to_owned(),
        ]);
    }
    table
}
