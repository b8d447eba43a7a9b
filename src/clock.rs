//! The only caller of the wall clock and of the machine's randomness. A test steers its time by [`Clock::manual`].

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::Timestamp;

/// Where `now` comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's wall clock.
    System,
    /// A clock that stands still until it is set.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that shows `start` until [`Self::set`] moves it.
    pub fn manual(start: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(start.0)))
    }

    /// The present instant.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the wall clock")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => jiff::Timestamp::now().into(),
            Self::Manual(now) => Timestamp(now.load(Ordering::SeqCst)),
        }
    }

    /// Moves a manual clock; the machine's clock is not ours to set.
    pub fn set(&self, now: Timestamp) {
        if let Self::Manual(clock) = self {
            clock.store(now.0, Ordering::SeqCst);
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
