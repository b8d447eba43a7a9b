//! How attempts at sending a letter end, and what comes of it.

use super::{Planned, Progress, State, back_in_line, end, plan};
use crate::domain::policy::{InDoubt, Policy};
use crate::domain::rule::Rule;
use crate::domain::time::Timestamp;

/// How an attempt at sending a letter ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// The relay took the letter.
    Accepted,
    /// The relay asked for another attempt.
    Deferred {
        /// When to make it.
        retry_at: Timestamp,
    },
    /// The relay as a whole could not be used; nothing was delivered.
    RelayDown {
        /// When to try again.
        retry_at: Timestamp,
    },
    /// The relay refused the letter for good.
    Refused,
    /// The final dot was sent and no answer came.
    AnswerLost {
        /// When a shop that prefers a double sends it again.
        retry_at: Timestamp,
    },
    /// Sending stopped before the final dot, by a crash or a shutdown.
    Interrupted,
    /// The letter could not be composed.
    Unsendable,
}

fn on_accepted(progress: &mut Progress, policy: &Policy, now: Timestamp) -> Rule {
    // Whatever state a late answer meets, a letter that went out is counted and never sent again.
    progress.letters_sent += 1;
    match progress.state {
        State::Done | State::Cancelled | State::Dropped | State::Failed => Rule::AcceptedAfterStop,
        // The order was cancelled while the letter was on the wire, and then told of once more: that is still for a person to judge.
        State::Held if progress.cancelled_at.is_some() => Rule::AcceptedAfterStop,
        State::Waiting | State::Queued | State::Sending | State::Sent | State::Held | State::InDoubt => {
            progress.attempts = 0;
            match policy.reminder.filter(|_| progress.letters_sent < policy.letters_at_most()) {
                Some(after) => {
                    progress.state = State::Sent;
                    plan(progress, now.plus(after), Planned::Trigger, policy);
                    Rule::LetterAccepted
                }
                None => {
                    end(progress, State::Done);
                    Rule::LastLetterAccepted
                }
            }
        }
    }
}

pub(super) fn on_attempt(progress: &mut Progress, attempt: Attempt, policy: &Policy, now: Timestamp) -> Rule {
    match (attempt, progress.state) {
        (Attempt::Accepted, _) => on_accepted(progress, policy, now),
        (_, State::Done | State::Cancelled | State::Dropped | State::Failed) => Rule::OutcomeAfterStop,
        (_, State::Waiting | State::Queued | State::Sent | State::Held | State::InDoubt) => Rule::OutcomeWithoutSending,
        (Attempt::Deferred { retry_at }, State::Sending) => retry(progress, retry_at, Rule::RelayDefers),
        (Attempt::RelayDown { retry_at }, State::Sending) => {
            progress.attempts = progress.attempts.saturating_sub(1);
            back_in_line(progress, retry_at);
            Rule::RelayDown
        }
        (Attempt::Refused, State::Sending) => {
            end(progress, State::Failed);
            Rule::RelayRefuses
        }
        (Attempt::AnswerLost { retry_at }, State::Sending) if policy.in_doubt == InDoubt::Resend => {
            retry(progress, retry_at, Rule::AnswerLostResends)
        }
        (Attempt::AnswerLost { .. }, State::Sending) => {
            progress.state = State::InDoubt;
            progress.due_at = None;
            Rule::AnswerLost
        }
        (Attempt::Unsendable, State::Sending) => {
            progress.state = State::Held;
            progress.due_at = None;
            Rule::LetterCannotBeMade
        }
        (Attempt::Interrupted, State::Sending) => {
            back_in_line(progress, now);
            Rule::InterruptedBeforeDot
        }
    }
}

/// Another attempt, or the end when that would come too late.
fn retry(progress: &mut Progress, retry_at: Timestamp, rule: Rule) -> Rule {
    if progress.expires_at.is_some_and(|end| end < retry_at) {
        end(progress, if progress.letters_sent == 0 { State::Failed } else { State::Done });
        return Rule::EndOfLife;
    }
    back_in_line(progress, retry_at);
    rule
}
