//! How an invitation moves: [`decide`] is pure and total. Every state has an answer to every event, and every answer names its
//! rule; `docs/lifecycle.md` is the whole table, held equal to this code by a test.

use std::fmt;

use super::order::EventKind;
use super::policy::{DAY, InDoubt, Policy, Trigger};
use super::rule::Rule;
use super::time::Timestamp;

/// Letters to one order: the first and one reminder.
const LETTERS: u32 = 2;

/// How far ahead support may move a letter.
const RESCHEDULE_AT_MOST: std::time::Duration = DAY.saturating_mul(90);

/// Where an invitation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// The order is known; its trigger has not come.
    Waiting,
    /// The first letter is due at a known time.
    Queued,
    /// A letter is in the sender's hands.
    Sending,
    /// The first letter is out; a reminder is due at a known time.
    Sent,
    /// All letters that were meant to go are out, or their time has passed.
    Done,
    /// Stopped by a cancelled order or by a person; final.
    Cancelled,
    /// Kept for a person to look at.
    Held,
    /// The relay refused a letter for good.
    Failed,
    /// The relay may or may not have taken a letter.
    InDoubt,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Waiting,
        Self::Queued,
        Self::Sending,
        Self::Sent,
        Self::Done,
        Self::Cancelled,
        Self::Held,
        Self::Failed,
        Self::InDoubt,
    ];

    /// The word for it in JSON, tables and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::InDoubt => "in_doubt",
        }
    }

    /// The state of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The part of an invitation that events move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Where it stands.
    pub state: State,
    /// When something is to be done next: send the letter, or give up waiting. `None` when nothing is.
    pub due_at: Option<Timestamp>,
    /// After this instant the letter that is due is no longer sent.
    pub expires_at: Option<Timestamp>,
    /// Letters that a relay took.
    pub letters_sent: u32,
    /// Attempts at the letter that is due, those that failed because of the relay as a whole not counted.
    pub attempts: u32,
}

/// What a copy says about the order's schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderNews {
    /// What happened.
    pub kind: EventKind,
    /// The end of the last day on which the parcel is expected.
    pub expected_by: Option<Timestamp>,
}

/// What can happen to an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A copy told of the order.
    Order(OrderNews),
    /// The due time has come.
    Due,
    /// An attempt at sending the letter ended.
    Attempt(Attempt),
    /// A person gave an order.
    Desk(DeskOrder),
}

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

/// What support can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeskOrder {
    /// Send no more letters.
    Cancel,
    /// Send the next letter at this time.
    Reschedule(Timestamp),
    /// Send the next letter at once.
    SendNow,
}

/// The answer to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// How the invitation stands afterwards.
    pub progress: Progress,
    /// Why.
    pub rule: Rule,
}

/// How an invitation begins: the first copy that tells of an order.
///
/// `order_cancelled` says that a cancellation of the same order, perhaps under another address, is on record.
pub fn open(news: OrderNews, order_cancelled: bool, policy: &Policy, now: Timestamp) -> Decision {
    let mut progress =
        Progress { state: State::Cancelled, due_at: None, expires_at: None, letters_sent: 0, attempts: 0 };
    let rule = if news.kind.ends_the_order() {
        Rule::CancelledBeforeOrder
    } else if order_cancelled {
        Rule::OrderWasCancelled
    } else if reaches(news.kind, policy.trigger) {
        start_delay(&mut progress, news, policy, now);
        Rule::TriggerStartsDelay
    } else {
        progress.state = State::Waiting;
        progress.due_at = Some(later(news.expected_by, now).plus(policy.wait_for_trigger));
        Rule::OrderOpens
    };
    Decision { progress, rule }
}

/// How an invitation goes on.
pub fn decide(before: &Progress, event: &Event, policy: &Policy, now: Timestamp) -> Decision {
    let mut progress = before.clone();
    let rule = match event {
        Event::Order(news) => on_order(&mut progress, *news, policy, now),
        Event::Due => on_due(&mut progress, now),
        Event::Desk(order) => on_desk(&mut progress, *order, policy, now),
        Event::Attempt(attempt) => on_attempt(&mut progress, *attempt, policy, now),
    };
    Decision { progress, rule }
}

fn on_order(progress: &mut Progress, news: OrderNews, policy: &Policy, now: Timestamp) -> Rule {
    if news.kind.ends_the_order() {
        return match progress.state {
            State::Waiting | State::Queued | State::Sending | State::Sent | State::Held | State::InDoubt => {
                end(progress, State::Cancelled);
                Rule::OrderCancelled
            }
            State::Done | State::Cancelled | State::Failed => Rule::FinalStaysFinal,
        };
    }
    match progress.state {
        State::Waiting if reaches(news.kind, policy.trigger) => {
            start_delay(progress, news, policy, now);
            Rule::TriggerStartsDelay
        }
        State::Waiting => postpone(progress, news, policy.wait_for_trigger, now),
        State::Queued if starts_anew(news.kind, policy.trigger) => {
            let due_before = progress.due_at;
            start_delay(progress, news, policy, now);
            progress.due_at = progress.due_at.max(due_before);
            Rule::ShipmentRestartsDelay
        }
        State::Queued | State::Sent => postpone(progress, news, policy.delay, now),
        State::Sending | State::Held | State::InDoubt => Rule::RepeatChangesNothing,
        State::Done | State::Cancelled | State::Failed => Rule::FinalStaysFinal,
    }
}

fn on_due(progress: &mut Progress, now: Timestamp) -> Rule {
    match progress.state {
        State::Waiting | State::Queued | State::Sent if progress.due_at.is_none_or(|due| due > now) => Rule::NothingDue,
        State::Waiting => {
            end(progress, State::Done);
            Rule::TriggerNeverCame
        }
        State::Queued | State::Sent if progress.expires_at.is_some_and(|end| end < now) => {
            end(progress, State::Done);
            Rule::EndOfLife
        }
        State::Queued | State::Sent => {
            progress.state = State::Sending;
            progress.due_at = None;
            progress.attempts += 1;
            Rule::DueLetterClaimed
        }
        State::Sending | State::Done | State::Cancelled | State::Held | State::Failed | State::InDoubt => {
            Rule::NothingDue
        }
    }
}

fn on_accepted(progress: &mut Progress, policy: &Policy, now: Timestamp) -> Rule {
    match progress.state {
        State::Cancelled => {
            progress.letters_sent += 1;
            Rule::AcceptedAfterStop
        }
        State::Done => Rule::OutcomeWithoutSending,
        // Whatever state a late answer meets, a letter that went out is counted and never sent again.
        State::Waiting
        | State::Queued
        | State::Sending
        | State::Sent
        | State::Held
        | State::Failed
        | State::InDoubt => {
            progress.letters_sent += 1;
            progress.attempts = 0;
            match policy.reminder.filter(|_| progress.letters_sent < LETTERS) {
                Some(after) => {
                    let due = now.plus(after);
                    progress.state = State::Sent;
                    progress.due_at = Some(due);
                    progress.expires_at = Some(due.plus(policy.end_of_life));
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

fn on_attempt(progress: &mut Progress, attempt: Attempt, policy: &Policy, now: Timestamp) -> Rule {
    match (attempt, progress.state) {
        (Attempt::Accepted, _) => on_accepted(progress, policy, now),
        (_, State::Cancelled) => Rule::OutcomeAfterStop,
        (
            _,
            State::Waiting | State::Queued | State::Sent | State::Done | State::Held | State::Failed | State::InDoubt,
        ) => Rule::OutcomeWithoutSending,
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

fn on_desk(progress: &mut Progress, order: DeskOrder, policy: &Policy, now: Timestamp) -> Rule {
    let at = match (order, progress.state) {
        (_, State::Done | State::Cancelled) | (DeskOrder::Cancel, State::Failed) => return Rule::AlreadyEnded,
        (DeskOrder::Cancel, _) => {
            end(progress, State::Cancelled);
            return Rule::DeskCancels;
        }
        (_, State::Sending) => return Rule::LetterIsOnItsWay,
        (DeskOrder::Reschedule(at), _) if at > now.plus(RESCHEDULE_AT_MOST) => return Rule::TooFarAhead,
        (DeskOrder::Reschedule(at), _) => at.max(now),
        (DeskOrder::SendNow, _) => now,
    };
    progress.attempts = 0;
    back_in_line(progress, at);
    progress.expires_at = Some(at.plus(policy.end_of_life));
    if matches!(order, DeskOrder::SendNow) { Rule::DeskSendsNow } else { Rule::DeskReschedules }
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

/// The letter waits for its turn at `due`: as the first letter, or as the reminder of one that is out.
fn back_in_line(progress: &mut Progress, due: Timestamp) {
    progress.state = if progress.letters_sent == 0 { State::Queued } else { State::Sent };
    progress.due_at = Some(due);
}

fn end(progress: &mut Progress, state: State) {
    progress.state = state;
    progress.due_at = None;
    progress.expires_at = None;
}

fn start_delay(progress: &mut Progress, news: OrderNews, policy: &Policy, now: Timestamp) {
    let due = later(news.expected_by, now).plus(policy.delay);
    progress.state = State::Queued;
    progress.due_at = Some(due);
    progress.expires_at = Some(due.plus(policy.end_of_life));
}

/// Moves what is due to `wait` after a later delivery. Only ever later: an earlier date in a repeated mail brings nothing forward.
fn postpone(progress: &mut Progress, news: OrderNews, wait: std::time::Duration, now: Timestamp) -> Rule {
    let arrives = match news.kind {
        EventKind::Delayed => Some(later(news.expected_by, now)),
        _ => news.expected_by,
    };
    let Some(due) =
        arrives.map(|arrives| arrives.plus(wait)).filter(|due| progress.due_at.is_none_or(|old| *due > old))
    else {
        return Rule::RepeatChangesNothing;
    };
    if let (Some(old), Some(expires)) = (progress.due_at, progress.expires_at) {
        progress.expires_at = Some(expires.plus(due.since(old)));
    }
    progress.due_at = Some(due);
    Rule::DelayPostpones
}

fn later(expected_by: Option<Timestamp>, now: Timestamp) -> Timestamp {
    expected_by.map_or(now, |expected| expected.max(now))
}

/// Whether this news is at least as far in an order's life as the trigger.
fn reaches(kind: EventKind, trigger: Trigger) -> bool {
    let reached = match kind {
        EventKind::Placed | EventKind::Paid | EventKind::Delayed | EventKind::RefundedInPart => Trigger::Order,
        EventKind::Shipped | EventKind::ShippedInPart => Trigger::Shipment,
        EventKind::Delivered => Trigger::Delivery,
        EventKind::Cancelled | EventKind::Refunded => return false,
    };
    reached >= trigger
}

/// Orders go out in several parcels: a shop that counts from the shipment means the last one.
fn starts_anew(kind: EventKind, trigger: Trigger) -> bool {
    match trigger {
        Trigger::Order => false,
        Trigger::Shipment => matches!(kind, EventKind::Shipped | EventKind::ShippedInPart | EventKind::Delivered),
        Trigger::Delivery => kind == EventKind::Delivered,
    }
}
