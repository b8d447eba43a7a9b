//! What the use cases count: what was read, and how attempts at sending end.

use std::time::Duration;

use crate::domain::{AnswerKind, Attempt, Outcome};
use crate::meter::{Counter, Page, SECONDS, Show, Spread};

/// What the use cases have done since the start.
#[derive(Debug)]
pub struct Meter {
    /// Messages that were kept.
    pub(super) taken_in: Counter,
    read: [Counter; 3],
    attempts: [Counter; 7],
    answers: [Counter; AnswerKind::ALL.len()],
    took: Spread<12>,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            taken_in: Counter::default(),
            read: std::array::from_fn(|_| Counter::default()),
            attempts: std::array::from_fn(|_| Counter::default()),
            answers: std::array::from_fn(|_| Counter::default()),
            took: Spread::new(&SECONDS),
        }
    }
}

const OUTCOMES: [Outcome; 3] = [Outcome::Event, Outcome::Ignored, Outcome::Held];

const ATTEMPTS: [&str; 7] =
    ["accepted", "deferred", "refused", "relay_down", "answer_lost", "interrupted", "unsendable"];

const fn name(attempt: &Attempt) -> &'static str {
    match attempt {
        Attempt::Accepted => "accepted",
        Attempt::Deferred { .. } => "deferred",
        Attempt::Refused => "refused",
        Attempt::RelayDown { .. } => "relay_down",
        Attempt::AnswerLost { .. } => "answer_lost",
        Attempt::Interrupted => "interrupted",
        Attempt::Unsendable => "unsendable",
    }
}

impl Meter {
    /// Messages that were kept.
    pub fn taken_in(&self) -> u64 {
        self.taken_in.get()
    }

    /// Letters that a relay took.
    pub fn letters(&self) -> u64 {
        self.attempts.first().map_or(0, Counter::get)
    }

    /// A copy was read.
    pub(super) fn read(&self, outcome: Outcome) {
        let counters = OUTCOMES.iter().zip(&self.read);
        counters.filter(|(one, _)| **one == outcome).for_each(|(_, counter)| counter.one());
    }

    /// Something came back to a letter.
    pub(super) fn answered(&self, kind: AnswerKind) {
        let counters = AnswerKind::ALL.iter().zip(&self.answers);
        counters.filter(|(one, _)| **one == kind).for_each(|(_, counter)| counter.one());
    }

    /// An attempt ended.
    pub(super) fn attempted(&self, attempt: &Attempt, took: Duration) {
        let counters = ATTEMPTS.iter().zip(&self.attempts);
        counters.filter(|(one, _)| **one == name(attempt)).for_each(|(_, counter)| counter.one());
        self.took.took(took);
    }
}

impl Show for Meter {
    fn show(&self, page: &mut Page) {
        page.counters(
            "invited_copies_read_total",
            "Copies that were read, by what was made of them.",
            "outcome",
            OUTCOMES.iter().map(|outcome| outcome.as_str()).zip(&self.read),
        );
        page.counters(
            "invited_letter_attempts_total",
            "Attempts at sending a letter, by how they ended.",
            "outcome",
            ATTEMPTS.into_iter().zip(&self.attempts),
        );
        page.counters(
            "invited_answers_total",
            "What came back to letters, by kind.",
            "kind",
            AnswerKind::ALL.iter().map(|kind| kind.as_str()).zip(&self.answers),
        );
        page.spans("invited_letter_attempt_seconds", "Time that an attempt at sending a letter took.", &self.took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;

    #[test]
    fn each_end_of_an_attempt_is_counted_under_its_name() {
        let (meter, retry_at) = (Meter::default(), Timestamp::from_seconds(0));
        let ends = [
            Attempt::Accepted,
            Attempt::Deferred { retry_at },
            Attempt::RelayDown { retry_at },
            Attempt::Refused,
            Attempt::AnswerLost { retry_at },
            Attempt::Interrupted,
            Attempt::Unsendable,
        ];
        for end in &ends {
            meter.attempted(end, Duration::from_millis(1));
        }
        meter.read(Outcome::Held);
        AnswerKind::ALL.into_iter().for_each(|kind| meter.answered(kind));
        assert_eq!(meter.answers.each_ref().map(Counter::get), [1; AnswerKind::ALL.len()]);
        assert_eq!(meter.attempts.each_ref().map(Counter::get), [1; 7]);
        assert_eq!((meter.letters(), meter.read[2].get()), (1, 1));
    }
}
