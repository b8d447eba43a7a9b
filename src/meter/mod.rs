//! Counters and distributions that any part raises while it works, and the text in which Prometheus reads them. Raising one
//! is an addition or three to atomic numbers, without a lock; what is counted since the start is gone with the process, as Prometheus
//! expects.
//!
//! Each room that knows something worth counting has a small struct of these and shows it by [`Show`]; `docs/metrics.md` lists all.

mod text;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use text::{Kind, Page, label};

/// Something that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn one(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// How many there were.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How measured values are spread: how many there were up to each bound, and their sum.
#[derive(Debug)]
pub struct Spread<const BOUNDS: usize> {
    bounds: &'static [u64; BOUNDS],
    /// How many lie between the bound before and this one.
    counts: [Counter; BOUNDS],
    beyond: Counter,
    sum: Counter,
}

/// The bounds of what usually takes milliseconds, in microseconds: from half a millisecond to ten seconds.
pub const MILLISECONDS: [u64; 12] =
    [500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 2_500_000, 10_000_000];

/// The bounds of what usually takes seconds, in microseconds: from five milliseconds to ten minutes.
pub const SECONDS: [u64; 12] = [
    5_000,
    25_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    120_000_000,
    600_000_000,
];

impl<const BOUNDS: usize> Spread<BOUNDS> {
    /// Nothing was measured yet. The bounds ascend.
    pub fn new(bounds: &'static [u64; BOUNDS]) -> Self {
        Self {
            bounds,
            counts: std::array::from_fn(|_| Counter::default()),
            beyond: Counter::default(),
            sum: Counter::default(),
        }
    }

    /// One more value.
    pub fn saw(&self, value: u64) {
        let at = self.bounds.partition_point(|bound| *bound < value);
        self.counts.get(at).unwrap_or(&self.beyond).one();
        self.sum.add(value);
    }

    /// One more span, in microseconds.
    pub fn took(&self, span: Duration) {
        self.saw(u64::try_from(span.as_micros()).unwrap_or(u64::MAX));
    }

    /// How many values there were up to each bound, how many in all, and their sum.
    fn standing(&self) -> (Vec<(u64, u64)>, u64, u64) {
        let mut all = 0;
        let bounds = self.bounds.iter().zip(&self.counts).map(|(bound, count)| {
            all += count.get();
            (*bound, all)
        });
        let bounds = bounds.collect();
        (bounds, all + self.beyond.get(), self.sum.get())
    }
}

/// What can be shown on Prometheus' page.
pub trait Show: Send + Sync {
    /// Adds its families, each once.
    fn show(&self, page: &mut Page);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_up_to_their_bound_and_beyond_the_last() {
        static BOUNDS: [u64; 3] = [10, 20, 30];
        let spread = Spread::new(&BOUNDS);
        for value in [0, 10, 11, 30, 31, 1_000] {
            spread.saw(value);
        }
        assert_eq!(spread.standing(), (vec![(10, 2), (20, 3), (30, 4)], 6, 1_082));
    }

    #[test]
    fn a_span_counts_in_microseconds() {
        let spread = Spread::new(&MILLISECONDS);
        spread.took(Duration::from_millis(5));
        let (bounds, count, sum) = spread.standing();
        assert_eq!((count, sum), (1, 5_000));
        assert_eq!(bounds.iter().find(|(_, count)| *count == 1), Some(&(5_000, 1)));
    }

    #[test]
    fn the_bounds_ascend() {
        assert!(MILLISECONDS.is_sorted() && SECONDS.is_sorted());
    }
}
