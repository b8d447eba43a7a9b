//! Spreading: things that would happen at the same moment happen one after the other, each always at the same moment.

use std::time::Duration;

use super::time::Timestamp;

/// An instant from `first` on and before `first` plus `over`, the same for the same seed; `first` itself when `over` is less than
/// a millisecond. Letters that waited for the window leave within its first part with this, and not all in its first second.
pub fn spread(first: Timestamp, over: Duration, seed: u64) -> Timestamp {
    // A share of 32 bits below one: the product, shifted, is below `over`.
    let millis = (over.as_millis().min(u128::from(u64::MAX)) * u128::from(share(seed))) >> 32;
    first.plus(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX)))
}

/// A share of the whole in parts of 2³², from a number such as an id. Fibonacci hashing: neighbouring ids end up far apart, and
/// a run of them fills the whole evenly.
pub(super) fn share(seed: u64) -> u32 {
    (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const NINE: Timestamp = Timestamp::from_seconds(1_795_251_600);

    #[test]
    fn a_letter_has_one_moment_within_the_span() {
        let millis = |seed| spread(NINE, HOUR, seed).since(NINE).as_millis();
        assert_eq!([0, 1, 2, 3, 4, 1_000_000].map(millis), [0, 2_224_922, 849_844, 3_074_767, 1_699_689, 3_559_499]);
        assert_eq!(spread(NINE, Duration::ZERO, 7), NINE);
        assert_eq!(spread(NINE, Duration::from_micros(999), 7), NINE);
        assert_eq!(spread(Timestamp(i64::MAX), HOUR, 1), Timestamp(i64::MAX), "the end of the range does not wrap");
        assert!(spread(NINE, Duration::MAX, u64::MAX) >= NINE);
    }

    #[test]
    fn a_run_of_letters_fills_every_minute_of_the_hour_alike() {
        let mut minutes = [0; 60];
        for seed in 500_000..506_000 {
            let minute = spread(NINE, HOUR, seed).since(NINE).as_secs() / 60;
            minutes[usize::try_from(minute).unwrap()] += 1;
        }
        assert!(minutes.iter().all(|letters| (95..=105).contains(letters)), "{minutes:?}");
    }
}
