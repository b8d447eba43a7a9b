//! What a mail costs the reader as it grows, up to the largest that is read: nothing may grow faster than the mail.

use std::hint::black_box;
use std::time::Instant;

use invited::read::{Context, Reader, Templates};
use serde::Serialize;

use crate::Plan;
use crate::read::median;
use crate::read_shapes::{SHAPES, Shape};

/// Octets of the mails, each four times the one before; the last is just below the bound of 10 MiB.
pub(crate) const SIZES: [usize; 6] = [10_000, 40_000, 160_000, 640_000, 2_560_000, 10_240_000];
/// What the reader may need for any mail, in milliseconds.
pub(crate) const BUDGET: f64 = 250.0;

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct Curve {
    pub(crate) rows: Vec<Row>,
}

/// A shape at all sizes.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) shape: &'static str,
    /// Milliseconds for a mail of each size.
    pub(crate) milliseconds: Vec<f64>,
    /// By which power of the size the time grows between the smallest mail and the largest: 1 is linear, 2 quadratic.
    pub(crate) slope: f64,
    /// The same for the steepest two steps in a row (a mail 16 times as large), where that is 1 ms or more.
    pub(crate) steepest: f64,
}

/// Reads each shape at each size.
pub(crate) fn measure(plan: Plan) -> Curve {
    let reader = Reader::new(Templates::embedded());
    let repeats = if plan.quick { 3 } else { 9 };
    Curve { rows: SHAPES.iter().map(|shape| row(shape, &reader, repeats)).collect() }
}

fn row(shape: &Shape, reader: &Reader, repeats: usize) -> Row {
    let time = |octets: &usize| {
        let mail = (shape.mail)(*octets);
        let once = || {
            let start = Instant::now();
            black_box(reader.read(&mail, &Context::default()));
            start.elapsed().as_secs_f64() * 1000.0
        };
        median((0..repeats).map(|_| once()).collect())
    };
    let milliseconds = SIZES.iter().map(time).collect::<Vec<_>>();
    let power = |from: usize, to: usize| {
        let grown = milliseconds.get(to).zip(milliseconds.get(from)).map_or(f64::NAN, |(to, from)| to / from);
        let larger = SIZES.get(to).zip(SIZES.get(from)).map_or(f64::NAN, |(to, from)| *to as f64 / *from as f64);
        grown.ln() / larger.ln()
    };
    let counts = |to: &usize| milliseconds.get(*to).is_some_and(|time| *time >= 1.0);
    let steepest = (2..SIZES.len()).filter(counts).map(|to| power(to - 2, to)).fold(0.0, f64::max);
    Row { shape: shape.name, slope: power(0, SIZES.len() - 1), steepest, milliseconds }
}
