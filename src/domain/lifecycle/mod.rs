//! How an invitation moves: [`decide`] is pure and total. Every state has an answer to every event, and every answer names its
//! rule; `docs/lifecycle.md` is the whole table, held equal to this code by a test.

mod attempt;
mod customer;
mod desk;
mod due;
mod open;
mod order;
mod restored;

use std::fmt;

use super::inputs::Inputs;
use super::policy::{DAY, Policy};
use super::rule::Rule;
use super::time::Timestamp;
use super::weigh::{Ground, Ruling};

pub use attempt::Attempt;
pub use customer::{CustomerNews, PutOffs};
pub use desk::DeskOrder;
pub use open::{open, open_again, open_by_hand};
pub use order::OrderNews;
pub use restored::Gap;

/// Later than any mail: when an order counts as cancelled that no mail can bring back.
const FOR_GOOD: Timestamp = Timestamp(i64::MAX);

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
    /// Stopped by a cancelled order, by the customer or by a person; final, but for an order that goes on after all.
    Cancelled,
    /// The shop's own rules say that no letter goes; final.
    Dropped,
    /// Kept for a person to look at.
    Held,
    /// The relay refused a letter for good.
    Failed,
    /// The relay may or may not have taken a letter.
    InDoubt,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 10] = [
        Self::Waiting,
        Self::Queued,
        Self::Sending,
        Self::Sent,
        Self::Done,
        Self::Cancelled,
        Self::Dropped,
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
            Self::Dropped => "dropped",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::InDoubt => "in_doubt",
        }
    }

    /// The state of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether nothing comes of it any more by itself or by a person's order.
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled | Self::Dropped)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the time of the letter that is due came about, or why none will have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Planned {
    /// By the trigger, or by the letter before it.
    Trigger,
    /// By an earlier event, in case that the trigger never comes.
    Fallback,
    /// The shop's mail asked for it.
    Preferred,
    /// A person chose it. The shop's rules still hold at that time.
    Person,
    /// A person said at once. Caps and the send window do not hold.
    AtOnce,
    /// A person, or the list of those who are not written to, has stopped the invitation: no mail of the shop begins it again.
    Stopped,
    /// The customer has reviewed the order or wants no letters: nobody begins it again.
    Declined,
}

impl Planned {
    /// Every way.
    pub const ALL: [Self; 7] =
        [Self::Trigger, Self::Fallback, Self::Preferred, Self::Person, Self::AtOnce, Self::Stopped, Self::Declined];

    /// The word for it in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Fallback => "fallback",
            Self::Preferred => "preferred",
            Self::Person => "person",
            Self::AtOnce => "at_once",
            Self::Stopped => "stopped",
            Self::Declined => "declined",
        }
    }

    /// Whether a person or the customer said that no letter goes any more.
    pub const fn is_for_good(self) -> bool {
        matches!(self, Self::Stopped | Self::Declined)
    }

    /// The way of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|planned| planned.as_str() == word)
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
    /// How its time came about.
    pub planned: Planned,
    /// The end of the last day on which the parcel is expected, by whichever mail named the latest.
    pub expected_by: Option<Timestamp>,
    /// When the mail was written that cancelled the order, the last one. `None` again when a person let the order go on.
    pub cancelled_at: Option<Timestamp>,
    /// What the customer has asked to wait for.
    pub put_off: PutOffs,
}

impl Progress {
    /// An invitation before anything happened to it.
    pub const fn new(state: State) -> Self {
        Self {
            state,
            due_at: None,
            expires_at: None,
            letters_sent: 0,
            attempts: 0,
            planned: Planned::Trigger,
            expected_by: None,
            cancelled_at: None,
            put_off: PutOffs { not_arrived: false, ask_later: false },
        }
    }

    /// Since when the order counts as cancelled for another address under which it is told of. Where no mail cancelled it but a
    /// person or the customer stopped it, that stays so for good.
    pub fn order_cancelled_at(&self) -> Option<Timestamp> {
        self.cancelled_at.or_else(|| (self.state == State::Cancelled).then_some(FOR_GOOD))
    }
}

/// What can happen to an invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A copy told of the order.
    Order(OrderNews),
    /// The shop's rules let no letter go to this order, whatever else comes: told when its delay has begun.
    NotAdmitted(Ground),
    /// The due time has come, and this is what the shop's rules say to it.
    Due(Ruling),
    /// An attempt at sending the letter ended.
    Attempt(Attempt),
    /// A person gave an order.
    Desk(DeskOrder),
    /// The customer did something.
    Customer(CustomerNews),
    /// The queue was put back from a backup.
    Restored(Gap),
}

/// The answer to an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// How the invitation stands afterwards.
    pub progress: Progress,
    /// Why.
    pub rule: Rule,
    /// From what.
    pub inputs: Inputs,
}

/// How an invitation goes on.
pub fn decide(before: &Progress, event: &Event, policy: &Policy, now: Timestamp) -> Decision {
    let mut progress = before.clone();
    let (rule, inputs) = match event {
        Event::Order(news) => (order::on_order(&mut progress, *news, policy, now), news.inputs()),
        Event::NotAdmitted(ground) => (due::on_not_admitted(&mut progress, ground), ground.inputs.clone()),
        Event::Due(ruling) => due::on_due(&mut progress, ruling, now),
        Event::Desk(order) => (desk::on_desk(&mut progress, *order, policy, now), order.inputs()),
        Event::Attempt(attempt) => (attempt::on_attempt(&mut progress, *attempt, policy, now), Inputs::NONE),
        Event::Customer(news) => customer::on_customer(&mut progress, *news, policy, now),
        Event::Restored(gap) => (restored::on_restored(&mut progress, *gap, policy), gap.inputs()),
    };
    Decision { progress, rule, inputs }
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

fn plan(progress: &mut Progress, due: Timestamp, planned: Planned, policy: &Policy) {
    if progress.letters_sent == 0 {
        progress.state = State::Queued;
    }
    progress.due_at = Some(due);
    progress.expires_at = Some(due.plus(policy.end_of_life));
    progress.planned = planned;
}
