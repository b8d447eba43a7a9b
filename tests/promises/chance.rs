//! Chance from a seed, so that every failure can be played again (SplitMix64).

use invited::domain::Timestamp;

pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn of(seed: u64) -> Self {
        // Neighbours must not play the same tune a step apart.
        let mut first = Self(seed);
        Self(first.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 on and below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }

    /// `value` in one of two cases.
    pub(crate) fn maybe<T>(&mut self, value: T) -> Option<T> {
        self.one_in(2).then_some(value)
    }

    /// An instant from `days` before to `days` after.
    pub(crate) fn around(&mut self, at: Timestamp, before: u64, after: u64) -> Timestamp {
        let minutes = self.below((before + after) * 1440 + 1) as i64 - (before * 1440) as i64;
        Timestamp(at.0 + minutes * 60_000)
    }
}
