//! A relay and what is known of its health: after a failure it rests for a while, then one letter tries it, and only when that
//! got through does the whole queue follow. Each daemon finds out for itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::house::House;
use crate::domain::{Timestamp, alarmed_relay_retry_after, relay_retry_after};
use crate::send::{Outcome, Relay, Trouble};

/// A relay with its circuit breaker.
pub struct RelayLine {
    /// The connections.
    pub relay: Relay,
    health: Mutex<Health>,
    tally: Tally,
}

#[derive(Default)]
struct Health {
    failures: u32,
    rests_until: Option<Timestamp>,
    probing: bool,
    /// Since when it cannot be used, and why.
    trouble: Option<(Timestamp, Trouble)>,
}

/// Attempts by how they ended.
#[derive(Debug, Default)]
struct Tally {
    accepted: AtomicU64,
    deferred: AtomicU64,
    refused: AtomicU64,
    unavailable: AtomicU64,
    in_doubt: AtomicU64,
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

/// A relay as this daemon knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayState {
    /// Its name in the configuration.
    pub name: String,
    /// What may be handed to it now.
    pub readiness: Readiness,
    /// Whether a letter is finding out at this moment whether it is back.
    pub probing: bool,
    /// Since when it cannot be used; `None` while it works as far as anybody knows.
    pub down_since: Option<Timestamp>,
    /// Why, with the phase in front. Holds no address of a person.
    pub trouble: Option<String>,
    /// Whether waiting will not mend it.
    pub needs_person: bool,
    /// Letters that this daemon has in hand for it.
    pub in_hand: usize,
    /// Attempts since the configuration was loaded, by how they ended: `accepted`, `deferred`, `refused`, `unavailable`, `in_doubt`.
    pub attempts: [(&'static str, u64); 5],
}

/// How long a probe may take before another letter is let through as one.
const PROBE_TAKES: Duration = Duration::from_secs(120);

impl RelayLine {
    /// A relay of which nothing bad is known.
    pub fn new(relay: Relay) -> Self {
        Self { relay, health: Mutex::default(), tally: Tally::default() }
    }

    /// How many letters may be handed to it now.
    pub fn readiness(&self, now: Timestamp) -> Readiness {
        self.health().readiness(now)
    }

    /// Lets a letter through, or says until when the relay rests. The first letter after a rest is the probe; the others rest
    /// until it is known how that went.
    ///
    /// # Errors
    /// The instant until which the relay rests.
    pub fn admit(&self, now: Timestamp) -> Result<(), Timestamp> {
        let mut health = self.health();
        match health.readiness(now) {
            Readiness::Open => Ok(()),
            Readiness::RestsUntil(until) => Err(until),
            Readiness::Probe => {
                health.rests_until = Some(now.plus(PROBE_TAKES));
                health.probing = true;
                Ok(())
            }
        }
    }

    /// Notes that the relay answered: it works. Since when it did not, if that is news.
    pub fn works(&self) -> Option<Timestamp> {
        std::mem::take(&mut *self.health()).trouble.map(|(since, _)| since)
    }

    /// Notes that the relay could not be used, and says until when it rests. Failures of letters that were under way at the same
    /// time count as one, but for the first that needs a person.
    pub fn fails(&self, trouble: &Trouble, now: Timestamp) -> Timestamp {
        let mut health = self.health();
        let is_known = health.trouble.as_ref().is_some_and(|(_, known)| known.alarm || !trouble.alarm);
        if let Some(until) = health.rests_until.filter(|until| *until > now)
            && !health.probing
            && is_known
        {
            return until;
        }
        health.failures = health.failures.saturating_add(1);
        health.probing = false;
        // Another moment for each daemon, so that not all of them come back at once.
        let seed = now.0.unsigned_abs();
        let rest = match trouble.alarm {
            true => alarmed_relay_retry_after(seed),
            false => relay_retry_after(health.failures, seed),
        };
        let until = now.plus(rest);
        health.rests_until = Some(until);
        let since = health.trouble.as_ref().map_or(now, |(since, _)| *since);
        health.trouble = Some((since, trouble.clone()));
        until
    }

    /// What it takes a person to mend, and since when it is so.
    pub fn alarm(&self) -> Option<(Timestamp, Trouble)> {
        self.health().trouble.clone().filter(|(_, trouble)| trouble.alarm)
    }

    /// Counts how an attempt ended.
    pub(super) fn count<E>(&self, outcome: &Outcome<E>) {
        let tally = &self.tally;
        let counter = match outcome {
            Outcome::Accepted { .. } => &tally.accepted,
            Outcome::TryLater { .. } => &tally.deferred,
            Outcome::Refused { .. } => &tally.refused,
            Outcome::Unavailable(_) => &tally.unavailable,
            Outcome::InDoubt { .. } => &tally.in_doubt,
            Outcome::NotRecorded(_) => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn state(&self, in_hand: usize, now: Timestamp) -> RelayState {
        let health = self.health();
        let seen = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        RelayState {
            name: self.relay.name().to_owned(),
            readiness: health.readiness(now),
            probing: health.probing,
            down_since: health.trouble.as_ref().map(|(since, _)| *since),
            trouble: health.trouble.as_ref().map(|(_, trouble)| trouble.to_string()),
            needs_person: health.trouble.as_ref().is_some_and(|(_, trouble)| trouble.alarm),
            in_hand,
            attempts: [
                ("accepted", seen(&self.tally.accepted)),
                ("deferred", seen(&self.tally.deferred)),
                ("refused", seen(&self.tally.refused)),
                ("unavailable", seen(&self.tally.unavailable)),
                ("in_doubt", seen(&self.tally.in_doubt)),
            ],
        }
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Health {
    fn readiness(&self, now: Timestamp) -> Readiness {
        match self.rests_until {
            None => Readiness::Open,
            Some(until) if until > now => Readiness::RestsUntil(until),
            Some(_) => Readiness::Probe,
        }
    }
}

impl House {
    /// The relays of the configuration, in its order, as this daemon knows them.
    pub fn relay_states(&self) -> Vec<RelayState> {
        let (setup, now) = (self.setup(), self.clock.now());
        let lines = setup.config.relays.iter().filter_map(|relay| setup.relays.get(&relay.name));
        let in_hand = |line: &RelayLine| {
            self.in_hand().values().filter(|relay| relay.as_deref() == Some(line.relay.name())).count()
        };
        lines.map(|line| line.state(in_hand(line), now)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::send::Phase;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    fn line() -> RelayLine {
        let settings = config::Relay::plain("main", "127.0.0.1", 25, "shop.example.com");
        RelayLine::new(Relay::new(&settings, None).unwrap())
    }

    fn trouble(alarm: bool) -> Trouble {
        Trouble { phase: Phase::Auth, reason: "no".to_owned(), alarm }
    }

    fn after(minutes: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(minutes * 60))
    }

    fn minutes(line: &RelayLine, now: Timestamp) -> u64 {
        match line.readiness(now) {
            Readiness::RestsUntil(until) => until.since(now).as_secs() / 60,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_relay_that_fails_rests_longer_and_longer_and_never_beyond_eleven_minutes() {
        let line = line();
        let mut now = NOW;
        for expected in [1, 2, 5, 10, 10, 10] {
            let until = line.fails(&trouble(false), now);
            let rest = until.since(now).as_secs();
            assert!((expected * 60..=expected * 66).contains(&rest), "{rest} seconds");
            assert_eq!(line.readiness(until), Readiness::Probe);
            assert_eq!(line.admit(until), Ok(()));
            now = until;
        }
        line.works();
        assert_eq!(line.readiness(now), Readiness::Open);
        assert_eq!(line.fails(&trouble(false), now).since(now).as_secs() / 60, 1, "what was is forgotten");
    }

    #[test]
    fn of_all_letters_after_a_rest_one_is_let_through_until_it_is_known_how_it_went() {
        let line = line();
        let until = line.fails(&trouble(false), NOW);
        assert_eq!(line.admit(NOW), Err(until));
        let admitted = (0..100).filter(|_| line.admit(until).is_ok()).count();
        assert_eq!(admitted, 1);
        // A probe that got lost on the way does not keep the relay closed.
        let later = until.plus(PROBE_TAKES);
        assert_eq!((0..100).filter(|_| line.admit(later).is_ok()).count(), 1);
        line.works();
        assert_eq!((0..100).filter(|_| line.admit(later).is_ok()).count(), 100);
    }

    #[test]
    fn letters_that_were_under_way_when_it_failed_count_as_one_failure() {
        let line = line();
        let until = line.fails(&trouble(false), NOW);
        assert_eq!((0..10).map(|_| line.fails(&trouble(false), NOW)).filter(|at| *at == until).count(), 10);
        assert_eq!(line.fails(&trouble(false), until).since(until).as_secs() / 60, 2);
    }

    #[test]
    fn a_relay_that_needs_a_person_is_tried_once_an_hour_and_says_why() {
        let line = line();
        line.fails(&trouble(false), NOW);
        assert_eq!(line.alarm(), None);
        line.fails(&trouble(true), NOW);
        assert!((60..=66).contains(&minutes(&line, NOW)), "also when it rests already for less");
        line.fails(&trouble(false), NOW);
        assert!((60..=66).contains(&minutes(&line, NOW)), "and nothing else makes that shorter");
        assert_eq!(line.alarm(), Some((NOW, trouble(true))));
        let state = line.state(3, after(1));
        assert_eq!((state.needs_person, state.down_since, state.in_hand), (true, Some(NOW), 3));
        assert_eq!(state.trouble.as_deref(), Some("auth: no"));
        assert_eq!(line.admit(after(70)), Ok(()));
        line.fails(&trouble(false), after(70));
        assert_eq!((line.alarm(), line.state(0, after(71)).down_since), (None, Some(NOW)), "it is another matter now");
    }
}
