//! The figures that the door is to reach, beside those that were found.

use serde::Serialize;

use crate::door::{Cell, LARGE, SMALL};
use crate::peers::MAILIN;
use crate::queue_report;
use crate::rate::AtRate;
use crate::read_report;
use crate::report::Report;
use crate::servers::{Invited, Postfix, Sink};
use crate::whole::TO_HOLD;

/// A figure to reach.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    what: String,
    /// With "at least" or "at most".
    pub(crate) aim: Aim,
    /// `None` when its run, or the peer it is a ratio to, was not measured.
    pub(crate) found: Option<f64>,
    pub(crate) reached: Option<bool>,
}

/// The side of a limit on which a figure shall be.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Aim {
    AtLeast(f64),
    AtMost(f64),
}

impl Figure {
    pub(crate) fn new(what: impl Into<String>, aim: Aim, found: Option<f64>) -> Self {
        let reached = found.map(|found| match aim {
            Aim::AtLeast(limit) => found >= limit,
            Aim::AtMost(limit) => found <= limit,
        });
        Self { what: what.into(), aim, found, reached }
    }

    /// A line for people: what, found, aim, whether it is reached.
    pub(crate) fn line(&self) -> [String; 4] {
        let aim = match self.aim {
            Aim::AtLeast(limit) => format!("≥ {}", number(limit)),
            Aim::AtMost(limit) => format!("≤ {}", number(limit)),
        };
        let reached = match self.reached {
            Some(true) => "reached",
            Some(false) => "NOT REACHED",
            None => "not measured",
        };
        [self.what.clone(), self.found.map_or_else(|| "–".to_owned(), number), aim, reached.to_owned()]
    }
}

/// As many digits as say anything.
fn number(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0..100.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The figures of all parts that were measured.
pub(crate) fn of(report: &Report) -> Vec<Figure> {
    let mut all = Vec::new();
    if !report.door.is_empty() {
        all.extend(ratios(&report.door));
        all.extend(costs(&report.door));
    }
    all.extend([true, false].into_iter().filter_map(|reuse| waits(&report.rate, reuse)));
    let flood = report.whole.iter().find(|whole| whole.offered_per_second.is_none());
    all.extend(flood.map(|flood| {
        let what = "whole way, 4 KB: msg/s until the spool is empty";
        Figure::new(what, Aim::AtLeast(TO_HOLD.into()), Some(flood.messages_per_second))
    }));
    let growth = report.queue.iter().flat_map(queue_report::growth);
    all.extend(growth.map(|(what, found)| Figure::new(what, Aim::AtMost(2.0), Some(found))));
    all.extend(report.read.iter().flat_map(read_report::to_reach));
    all.extend(report.curve.iter().flat_map(read_report::bounds));
    all
}

/// Messages a second beside the peers'.
fn ratios(cells: &[Cell]) -> Vec<Figure> {
    let (postfix, mailin, sink) = (Postfix::NAME, MAILIN, Sink::NAME);
    let all = [
        ("4 KB, 20 sessions, reused", (SMALL, 20, true), postfix, 8.0),
        ("4 KB, 20 sessions, reused", (SMALL, 20, true), mailin, 1.5),
        ("4 KB, 20 sessions, reused", (SMALL, 20, true), sink, 0.6),
        ("60 KB, 20 sessions, reused", (LARGE, 20, true), postfix, 5.0),
        ("60 KB, 20 sessions, reused", (LARGE, 20, true), mailin, 1.3),
        ("4 KB, 1 session, one each", (SMALL, 1, false), postfix, 4.0),
        ("4 KB, 1 session, one each", (SMALL, 1, false), mailin, 1.0),
    ];
    let figure = |(what, load, peer, factor)| {
        Figure::new(format!("door, {what}: msg/s, times {peer}"), Aim::AtLeast(factor), ratio(cells, load, peer))
    };
    all.into_iter().map(figure).collect()
}

/// Processor and memory.
fn costs(cells: &[Cell]) -> Vec<Figure> {
    let busy = find(cells, (SMALL, 20, true), Invited::NAME);
    let cpu = |what: &str, most, found| {
        Figure::new(format!("door, 4 KB, 20 sessions, reused: CPU s/1000, {what}"), Aim::AtMost(most), found)
    };
    let many = cells.iter().filter(|cell| cell.server == Invited::NAME && cell.sessions == 100);
    let peak = many.map(|cell| cell.peak_resident as f64 / 1e6).reduce(f64::max);
    vec![
        cpu("door alone, estimated", 0.12, busy.and_then(|cell| cell.cpu_seconds_per_1000_door_alone)),
        cpu("until the last 250", 0.12, busy.map(|cell| cell.cpu_seconds_per_1000_until_taken)),
        cpu("until all are read and filed", 0.5, busy.map(|cell| cell.cpu_seconds_per_1000)),
        Figure::new("door, 100 sessions: peak resident, MB", Aim::AtMost(64.0), peak),
    ]
}

fn find<'c>(cells: &'c [Cell], load: (usize, usize, bool), server: &str) -> Option<&'c Cell> {
    cells.iter().find(|cell| (cell.octets, cell.sessions, cell.reuse) == load && cell.server == server)
}

fn ratio(cells: &[Cell], load: (usize, usize, bool), peer: &str) -> Option<f64> {
    Some(find(cells, load, Invited::NAME)?.messages_per_second / find(cells, load, peer)?.messages_per_second)
}

/// Our p99 at the fixed rate, beside Postfix's.
fn waits(rate: &[AtRate], reuse: bool) -> Option<Figure> {
    let p99 = |server: &str| {
        let row = rate.iter().find(|row| row.reuse == reuse && row.server == server)?;
        Some(row.waits.p99_ms)
    };
    let way = if reuse { "reused" } else { "one each" };
    Some(Figure::new(
        format!("100 msg/s, {way}: p99 in ms, beside Postfix's"),
        Aim::AtMost(p99(Postfix::NAME)?),
        p99(Invited::NAME),
    ))
}
