//! Places in the DNS (a domain's keys, its policy, its senders) that give no answers are left alone for a while: a copy whose proof
//! would be looked up there is in doubt at once, and keeps no other copy waiting. The time is an argument.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// So many questions in a row without an answer, and a place is left alone. A packet is lost now and then, and a resolver that was
/// started anew is slow at first; three in a row, of which each was asked twice, are neither.
const UNANSWERED: u32 = 3;

/// How long it is left alone: far less than the five minutes after which a copy that was in doubt is looked at again, so that the
/// second look is never answered with the trouble of the first.
const REST: Duration = Duration::from_secs(30);

/// How many places are remembered. Only domains that a shop's rules cover are asked about, which may be all below one.
const PLACES: usize = 1000;

/// What is known of the places that owe answers.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    owing: Mutex<BTreeMap<String, Owing>>,
}

/// A place where the last question had no answer.
#[derive(Debug, Default)]
struct Owing {
    /// How many in a row had none.
    unanswered: u32,
    /// No question is asked until then.
    rests_until: Option<Instant>,
}

impl Breaker {
    /// Whether a question may be asked at a place now. After its rest one may, to try it out; the others go on waiting until that
    /// one was answered, or for another rest.
    pub(super) fn may_ask(&self, place: &str, now: Instant) -> bool {
        let mut owing = self.lock();
        let Some(Owing { rests_until: Some(until), .. }) = owing.get_mut(place) else { return true };
        let is_over = *until <= now;
        if is_over {
            *until = now + REST;
        }
        is_over
    }

    /// A question came to its end, with an answer or without.
    pub(super) fn ended(&self, place: &str, is_answered: bool, now: Instant) {
        let mut owing = self.lock();
        if is_answered {
            if owing.remove(place).is_some_and(|one| one.rests_until.is_some()) {
                tracing::info!(place, "a place in the DNS gives answers again");
            }
            return;
        }
        // Whoever makes up so many names below a listed one costs the others no more than their counts.
        if owing.len() >= PLACES && !owing.contains_key(place) {
            owing.clear();
        }
        let one = owing.entry(place.to_owned()).or_default();
        one.unanswered += 1;
        if one.unanswered >= UNANSWERED {
            if one.rests_until.is_none() {
                tracing::warn!(
                    place,
                    "a place in the DNS gives no answers; copies that it would prove are held, and looked at again"
                );
            }
            one.rests_until = Some(now + REST);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Owing>> {
        self.owing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_place_is_left_alone_after_three_questions_in_a_row_and_tried_once_after_each_rest() {
        let breaker = Breaker::default();
        let began = Instant::now();
        for asked in 0..UNANSWERED {
            assert!(breaker.may_ask("dead.example", began), "{asked}");
            breaker.ended("dead.example", false, began);
        }
        assert!(!breaker.may_ask("dead.example", began));
        assert!(!breaker.may_ask("dead.example", began + REST - SECOND));
        assert!(breaker.may_ask("shop.example", began), "others are asked as ever");
        // One tries; it has no answer either.
        let second = began + REST;
        assert!(breaker.may_ask("dead.example", second));
        assert!(!breaker.may_ask("dead.example", second));
        breaker.ended("dead.example", false, second + SECOND * 4);
        assert!(!breaker.may_ask("dead.example", second + REST));
        // The next one has.
        let third = second + SECOND * 4 + REST;
        assert!(breaker.may_ask("dead.example", third));
        breaker.ended("dead.example", true, third);
        assert!(breaker.may_ask("dead.example", third) && breaker.may_ask("dead.example", third));
    }

    #[test]
    fn an_answer_in_between_begins_the_count_anew() {
        let breaker = Breaker::default();
        let now = Instant::now();
        for is_answered in [false, false, true, false, false] {
            breaker.ended("slow.example", is_answered, now);
            assert!(breaker.may_ask("slow.example", now));
        }
        breaker.ended("slow.example", false, now);
        assert!(!breaker.may_ask("slow.example", now));
    }

    #[test]
    fn one_that_tried_and_never_came_back_does_not_close_a_place_for_ever() {
        let breaker = Breaker::default();
        let now = Instant::now();
        (0..UNANSWERED).for_each(|_| breaker.ended("dead.example", false, now));
        assert!(breaker.may_ask("dead.example", now + REST));
        assert!(breaker.may_ask("dead.example", now + REST * 2));
    }

    #[test]
    fn names_without_end_are_not_remembered_without_end() {
        let breaker = Breaker::default();
        let now = Instant::now();
        (0..PLACES * 3).for_each(|n| breaker.ended(&format!("n{n}.shop.example"), false, now));
        assert!(breaker.lock().len() <= PLACES);
    }
}
