//! The only caller of the wall clock and of the machine's randomness. A test steers its time by [`Clock::manual`]: whoever
//! sleeps until an instant wakes when the clock is set past it, so no test ever waits for time to pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::domain::Timestamp;

/// The longest sleep before the wall clock is looked at again: it may have been set in the meantime.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Where `now` comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's wall clock.
    System,
    /// A clock that stands still until it is set.
    Manual(Arc<ManualClock>),
}

/// The state of a clock that stands still.
#[derive(Debug)]
pub struct ManualClock {
    now: AtomicI64,
    moved: Notify,
}

impl Clock {
    /// A clock that shows `start` until [`Self::set`] moves it.
    pub fn manual(start: Timestamp) -> Self {
        Self::Manual(Arc::new(ManualClock { now: AtomicI64::new(start.0), moved: Notify::new() }))
    }

    /// The present instant.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the wall clock")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => jiff::Timestamp::now().into(),
            Self::Manual(clock) => Timestamp(clock.now.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock and wakes those who sleep on it; the machine's clock is not ours to set.
    pub fn set(&self, now: Timestamp) {
        if let Self::Manual(clock) = self {
            clock.now.store(now.0, Ordering::SeqCst);
            clock.moved.notify_waiters();
        }
    }

    /// Returns when the clock shows `instant` or later; `None` never comes. Wall-clock jumps are noticed within half a minute.
    pub async fn sleep_until(&self, instant: Option<Timestamp>) {
        loop {
            let moved = match self {
                Self::System => None,
                Self::Manual(clock) => Some(clock.moved.notified()),
            };
            let now = self.now();
            if instant.is_some_and(|instant| instant <= now) {
                return;
            }
            match moved {
                Some(moved) => moved.await,
                None => {
                    let left = instant.map_or(LOOK_AGAIN, |instant| instant.since(now));
                    tokio::time::sleep(left.min(LOOK_AGAIN)).await;
                }
            }
        }
    }
}

/// Fills a new array with bytes that nobody can guess, from the operating system.
///
/// # Panics
/// When the operating system has no randomness to give, which Linux does not do after boot.
#[expect(clippy::disallowed_methods, reason = "this is the one place that asks for randomness")]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleeper_wakes_when_the_clock_is_set_past_its_instant() {
        let clock = Clock::manual(Timestamp(0));
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(Some(Timestamp(10))).await }
        });
        tokio::task::yield_now().await;
        clock.set(Timestamp(9));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.set(Timestamp(10));
        sleeper.await.unwrap();
    }
}
