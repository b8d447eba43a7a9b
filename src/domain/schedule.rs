//! When a letter that did not get through is tried again.

use std::time::Duration;

use super::spread::share;

/// Attempts wait 6 minutes (greylisting servers want 5), then longer and longer, at most 4 hours.
const RETRY_MINUTES: [u64; 6] = [6, 15, 30, 60, 120, 240];

/// A relay that is down is probed after 1 minute, then at most every 10: it is ours or our provider's, and everything waits for it.
const RELAY_MINUTES: [u64; 4] = [1, 2, 5, 10];

/// A relay that needs a person is probed once an hour all the same: somebody may have mended it at the other end.
const ALARM: Duration = Duration::from_secs(60 * 60);

/// How long after its `attempt`th failure (from 1) a letter is tried again. `seed` spreads letters that failed together over a
/// tenth of the time, the same seed always alike.
pub fn retry_after(attempt: u32, seed: u64) -> Duration {
    up_to_a_tenth_later(step(&RETRY_MINUTES, attempt), seed)
}

/// How long after the `failure`th time in a row (from 1) that a relay could not be used it is tried again.
pub fn relay_retry_after(failure: u32, seed: u64) -> Duration {
    up_to_a_tenth_later(step(&RELAY_MINUTES, failure), seed)
}

/// The same for a relay of which it is known that waiting alone will not mend it.
pub fn alarmed_relay_retry_after(seed: u64) -> Duration {
    up_to_a_tenth_later(ALARM, seed)
}

fn step(minutes: &[u64], number: u32) -> Duration {
    let index = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX).min(minutes.len() - 1);
    Duration::from_secs(minutes[index] * 60)
}

fn up_to_a_tenth_later(base: Duration, seed: u64) -> Duration {
    base + base.mul_f64(0.1 * f64::from(share(seed)) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_grow_apart_and_never_beyond_four_hours_and_a_tenth() {
        let minutes = |attempt| retry_after(attempt, 0).as_secs() / 60;
        assert_eq!((1..=8).map(minutes).collect::<Vec<_>>(), [6, 15, 30, 60, 120, 240, 240, 240]);
        assert_eq!((1..=6).map(|n| relay_retry_after(n, 0).as_secs() / 60).collect::<Vec<_>>(), [1, 2, 5, 10, 10, 10]);
        for seed in 0..1000 {
            let wait = retry_after(3, seed).as_secs();
            assert!((1800..=1980).contains(&wait), "{wait}");
        }
        assert_ne!(retry_after(1, 1), retry_after(1, 2));
    }
}
