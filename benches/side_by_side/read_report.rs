//! The reader's figures for people.

use std::fmt::Write;

use crate::figures::{Aim, Figure};
use crate::read::{NODE, PYTHON, Read};
use crate::read_curve::{BUDGET, Curve, SIZES};
use crate::report::table;

/// Beside programs that parse.
pub(crate) fn text(read: &Read) -> String {
    let mut table = table(&["reader", "mails/s", "range", "MB/s", "ours ×"]);
    for row in &read.rows {
        table.add_row([
            row.name.to_owned(),
            format!("{:.0}", row.mails_per_second),
            format!("{:.0}–{:.0}", row.range.0, row.range.1),
            format!("{:.1}", row.megabytes_per_second),
            format!("{:.2}", row.ours_times),
        ]);
    }
    let mut text = format!(
        "\nReading, one thread: {} of {}, {:.1} MB\n{table}\n",
        read.mails,
        read.source,
        read.octets as f64 / 1e6
    );
    for peer in &read.not_measured {
        let _ = writeln!(text, "{} NOT MEASURED: {}", peer.name, peer.why);
    }
    text
}

/// As the mail grows.
pub(crate) fn curve(curve: &Curve) -> String {
    let mut head = vec!["ms for a mail of".to_owned()];
    head.extend(SIZES.iter().map(|octets| match octets / 1_000_000 {
        0 => format!("{} KB", octets / 1000),
        _ => format!("{:.2} MB", *octets as f64 / 1e6),
    }));
    head.extend(["ms/MB at the end", "slope", "steepest"].map(str::to_owned));
    let mut table = table(&head.iter().map(String::as_str).collect::<Vec<_>>());
    for row in &curve.rows {
        let mut cells = vec![row.shape.to_owned()];
        cells.extend(row.milliseconds.iter().map(|time| format!("{time:.2}")));
        let end =
            row.milliseconds.last().zip(SIZES.last()).map_or(f64::NAN, |(time, octets)| time / *octets as f64 * 1e6);
        cells.extend([format!("{end:.2}"), format!("{:.2}", row.slope), format!("{:.2}", row.steepest)]);
        table.add_row(cells);
    }
    format!("\nReading mails that grow; slope 1 is linear, 2 quadratic\n{table}\n")
}

/// The figures to reach.
pub(crate) fn to_reach(read: &Read) -> Vec<Figure> {
    // mail-parser is a part of ours, so its figure has no aim.
    let aims = [(PYTHON, 10.0), (NODE, 6.0)];
    let figure = |(name, aim)| {
        let found = read.rows.iter().find(|row| row.name == name).map(|row| row.ours_times);
        Figure::new(format!("read, one thread: mails/s, times {name}"), Aim::AtLeast(aim), found)
    };
    aims.into_iter().map(figure).collect()
}

/// The figures to reach as mails grow.
pub(crate) fn bounds(curve: &Curve) -> Vec<Figure> {
    let most = |values: &mut dyn Iterator<Item = f64>| values.reduce(f64::max);
    let slope = most(&mut curve.rows.iter().map(|row| row.slope));
    let longest = most(&mut curve.rows.iter().flat_map(|row| row.milliseconds.iter().copied()));
    vec![
        Figure::new("read, growing mails: slope of the steepest shape", Aim::AtMost(1.1), slope),
        Figure::new("read, growing mails: ms for the costliest", Aim::AtMost(BUDGET), longest),
    ]
}
