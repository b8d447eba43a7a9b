//! A relay and what is known of its health: after a failure it rests for a while, then one letter tries it, and only when that
//! got through does the whole queue follow.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::{Timestamp, relay_retry_after};
use crate::send::Relay;

/// A relay with its circuit breaker.
pub struct RelayLine {
    /// The connections.
    pub relay: Relay,
    health: Mutex<Health>,
}

#[derive(Default)]
struct Health {
    failures: u32,
    rests_until: Option<Timestamp>,
    probing: bool,
}

/// How many letters may be handed to a relay now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// As many as it has connections.
    Open,
    /// One, to see whether it is back.
    Probe,
    /// None before this instant.
    RestsUntil(Timestamp),
}

/// How long a probe may take before another letter is let through as one.
const PROBE_TAKES: Duration = Duration::from_secs(120);

impl RelayLine {
    /// A relay of which nothing bad is known.
    pub fn new(relay: Relay) -> Self {
        Self { relay, health: Mutex::default() }
    }

    /// How many letters may be handed to it now.
    pub fn readiness(&self, now: Timestamp) -> Readiness {
        match self.health().rests_until {
            None => Readiness::Open,
            Some(until) if until > now => Readiness::RestsUntil(until),
            Some(_) => Readiness::Probe,
        }
    }

    /// Lets a letter through, or says until when the relay rests. The first letter after a rest is the probe; the others rest
    /// until it is known how that went.
    ///
    /// # Errors
    /// The instant until which the relay rests.
    pub fn admit(&self, now: Timestamp) -> Result<(), Timestamp> {
        let mut health = self.health();
        match health.rests_until {
            None => Ok(()),
            Some(until) if until > now => Err(until),
            Some(_) => {
                health.rests_until = Some(now.plus(PROBE_TAKES));
                health.probing = true;
                Ok(())
            }
        }
    }

    /// Notes that the relay answered: it works.
    pub fn works(&self) {
        *self.health() = Health::default();
    }

    /// Notes that the relay could not be used, and says until when it rests. Failures of letters that were under way at the same
    /// time count as one.
    pub fn fails(&self, now: Timestamp) -> Timestamp {
        let mut health = self.health();
        match health.rests_until {
            Some(until) if until > now && !health.probing => until,
            _ => {
                health.failures = health.failures.saturating_add(1);
                health.probing = false;
                let until = now.plus(relay_retry_after(health.failures, u64::from(health.failures)));
                health.rests_until = Some(until);
                until
            }
        }
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
