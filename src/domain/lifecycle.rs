//! How an invitation moves: [`decide`] is pure and total. Every state has an answer to every event, and every answer names its
//! rule; `docs/lifecycle.md` is the whole table, held equal to this code by a test.

use std::fmt;

use super::inputs::Inputs;
use super::order::EventKind;
use super::policy::{DAY, InDoubt, Policy, Trigger};
use super::rule::Rule;
use super::time::Timestamp;
use super::weigh::{Ground, Ruling};

/// A mail this much younger than the one that cancelled its order says that the order goes on after all. Mails of one moment come
/// in any order and mean nothing.
const GOES_ON_AFTER: std::time::Duration = std::time::Duration::from_secs(3600);

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

/// How the time of the letter that is due came about.
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
}

impl Planned {
    /// Every way.
    pub const ALL: [Self; 5] = [Self::Trigger, Self::Fallback, Self::Preferred, Self::Person, Self::AtOnce];

    /// The word for it in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Fallback => "fallback",
            Self::Preferred => "preferred",
            Self::Person => "person",
            Self::AtOnce => "at_once",
        }
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
    /// When the mail was written that cancelled the order, the last one.
    pub cancelled_at: Option<Timestamp>,
}

impl Progress {
    /// An invitation before anything happened to it.
    const fn new(state: State) -> Self {
        Self {
            state,
            due_at: None,
            expires_at: None,
            letters_sent: 0,
            attempts: 0,
            planned: Planned::Trigger,
            cancelled_at: None,
        }
    }
}

/// What a copy says about the order's schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderNews {
    /// What happened.
    pub kind: EventKind,
    /// When the mail was written; never after it came in.
    pub told_at: Timestamp,
    /// The end of the last day on which the parcel is expected.
    pub expected_by: Option<Timestamp>,
    /// When the shop wants the first letter to go.
    pub preferred: Option<Timestamp>,
}

impl OrderNews {
    /// News of this kind, told at this time.
    pub const fn new(kind: EventKind, told_at: Timestamp) -> Self {
        Self { kind, told_at, expected_by: None, preferred: None }
    }

    /// What is kept of it beside a decision.
    pub fn inputs(&self) -> Inputs {
        Inputs::NONE
            .with("told_at", self.told_at)
            .with_some("expected_by", self.expected_by)
            .with_some("preferred", self.preferred)
    }

    /// The news of this kind of which a decision has kept this. `told_at` is for decisions of which nothing was kept.
    pub fn from_inputs(kind: EventKind, inputs: &Inputs, told_at: Timestamp) -> Self {
        Self {
            kind,
            told_at: inputs.instant("told_at").unwrap_or(told_at),
            expected_by: inputs.instant("expected_by"),
            preferred: inputs.instant("preferred"),
        }
    }

    /// Whether it shows that an order goes on which a mail of `cancelled_at` had cancelled.
    fn goes_on_after(&self, cancelled_at: Timestamp) -> bool {
        !matches!(self.kind, EventKind::Delayed | EventKind::RefundedInPart)
            && self.told_at > cancelled_at.plus(GOES_ON_AFTER)
    }
}

/// What the customer did, or what is known of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CustomerNews {
    /// A review of the order exists.
    Reviewed,
    /// They want no more letters.
    Unsubscribed,
    /// They called a letter junk.
    Complained,
    /// Their address does not exist.
    Bounced,
    /// The address, or its domain, was put on the suppression list.
    Suppressed,
    /// Everything that is stored about them is to go.
    Erased,
}

impl CustomerNews {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Reviewed, Self::Unsubscribed, Self::Complained, Self::Bounced, Self::Suppressed, Self::Erased];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reviewed => "reviewed",
            Self::Unsubscribed => "unsubscribed",
            Self::Complained => "complained",
            Self::Bounced => "bounced",
            Self::Suppressed => "suppressed",
            Self::Erased => "erased",
        }
    }

    const fn rule(self) -> Rule {
        match self {
            Self::Reviewed => Rule::Reviewed,
            Self::Unsubscribed => Rule::Unsubscribed,
            Self::Complained => Rule::Complained,
            Self::Bounced => Rule::Bounced,
            Self::Suppressed => Rule::Suppressed,
            Self::Erased => Rule::Erased,
        }
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

impl DeskOrder {
    fn inputs(self) -> Inputs {
        match self {
            Self::Reschedule(at) => Inputs::NONE.with("to", at),
            Self::Cancel | Self::SendNow => Inputs::NONE,
        }
    }
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

/// How an invitation begins: the first copy that tells of an order.
///
/// `order_cancelled` says that a cancellation of the same order, perhaps under another address, is on record, and when the mail
/// was written that told of it.
pub fn open(news: OrderNews, order_cancelled: Option<Timestamp>, policy: &Policy, now: Timestamp) -> Decision {
    let mut progress = Progress::new(State::Waiting);
    let rule = if news.kind.ends_the_order() {
        cancel(&mut progress, news);
        Rule::CancelledBeforeOrder
    } else if let Some(cancelled_at) = order_cancelled {
        progress.cancelled_at = Some(cancelled_at);
        if news.goes_on_after(cancelled_at) {
            progress.state = State::Held;
            Rule::ReopenedAfterCancel
        } else {
            progress.state = State::Cancelled;
            Rule::OrderWasCancelled
        }
    } else if let Some(rule) = begin(&mut progress, news, policy, now) {
        rule
    } else {
        progress.due_at = Some(later(news.expected_by, news.told_at).plus(policy.wait_for_trigger).max(now));
        Rule::OrderOpens
    };
    Decision { progress, rule, inputs: news.inputs() }
}

/// How an invitation begins that a person asks for, as if it were due at `due`.
pub fn open_by_hand(due: Timestamp, policy: &Policy) -> Decision {
    let mut progress = Progress::new(State::Queued);
    plan(&mut progress, due, Planned::Person, policy);
    Decision { progress, rule: Rule::InvitedByHand, inputs: Inputs::NONE }
}

/// How an invitation begins that follows one which has ended, by a person's order.
///
/// # Errors
/// The rule that refuses it: the one before goes on still, or its order was cancelled by the shop.
pub fn open_again(before: &Progress, due: Timestamp, policy: &Policy) -> Result<Decision, Rule> {
    match before.state {
        State::Waiting | State::Queued | State::Sending | State::Sent | State::Held | State::InDoubt => {
            Err(Rule::StillUnderWay)
        }
        State::Cancelled if before.cancelled_at.is_some() => Err(Rule::OrderIsCancelled),
        State::Done | State::Cancelled | State::Dropped | State::Failed => {
            Ok(Decision { rule: Rule::DeskReinvites, ..open_by_hand(due, policy) })
        }
    }
}

/// How an invitation goes on.
pub fn decide(before: &Progress, event: &Event, policy: &Policy, now: Timestamp) -> Decision {
    let mut progress = before.clone();
    let (rule, inputs) = match event {
        Event::Order(news) => (on_order(&mut progress, *news, policy, now), news.inputs()),
        Event::NotAdmitted(ground) => (on_not_admitted(&mut progress, ground), ground.inputs.clone()),
        Event::Due(ruling) => on_due(&mut progress, ruling, now),
        Event::Desk(order) => (on_desk(&mut progress, *order, policy, now), order.inputs()),
        Event::Attempt(attempt) => (on_attempt(&mut progress, *attempt, policy, now), Inputs::NONE),
        Event::Customer(news) => (on_customer(&mut progress, *news), Inputs::NONE),
    };
    Decision { progress, rule, inputs }
}

fn on_order(progress: &mut Progress, news: OrderNews, policy: &Policy, now: Timestamp) -> Rule {
    if news.kind.ends_the_order() {
        return match progress.state {
            State::Waiting | State::Queued | State::Sending | State::Sent | State::Held | State::InDoubt => {
                cancel(progress, news);
                Rule::OrderCancelled
            }
            State::Failed | State::Dropped => {
                cancel(progress, news);
                Rule::OrderCancelled
            }
            State::Done | State::Cancelled => Rule::FinalStaysFinal,
        };
    }
    match progress.state {
        State::Waiting => {
            begin(progress, news, policy, now).unwrap_or_else(|| postpone(progress, news, policy.wait_for_trigger))
        }
        State::Queued => on_more_news(progress, news, policy, now),
        State::Sent => postpone(progress, news, policy.delay),
        State::Cancelled if progress.cancelled_at.is_some_and(|cancelled| news.goes_on_after(cancelled)) => {
            progress.state = State::Held;
            Rule::ReopenedAfterCancel
        }
        State::Sending | State::Held | State::InDoubt => Rule::RepeatChangesNothing,
        State::Done | State::Cancelled | State::Dropped | State::Failed => Rule::FinalStaysFinal,
    }
}

/// More is told of an order whose first letter has a time. What the shop or a person asked for stays; the trigger takes the place
/// of what stood in for it, also when the letter goes earlier then.
fn on_more_news(progress: &mut Progress, news: OrderNews, policy: &Policy, now: Timestamp) -> Rule {
    let before = progress.clone();
    match progress.planned {
        Planned::Fallback if reaches(news.kind, policy.trigger) => {
            plan(progress, trigger_due(news, policy).max(now), Planned::Trigger, policy);
            return Rule::TriggerStartsDelay;
        }
        Planned::Fallback if news.kind == EventKind::Shipped || news.kind == EventKind::ShippedInPart => {
            if let Some(fallback) = policy.otherwise.filter(|fallback| reaches(news.kind, fallback.trigger)) {
                plan(progress, later(news.expected_by, news.told_at).plus(fallback.delay), Planned::Fallback, policy);
            }
        }
        Planned::Trigger if starts_anew(news.kind, policy.trigger) => {
            plan(progress, trigger_due(news, policy), Planned::Trigger, policy);
        }
        _ => return postpone(progress, news, policy.delay),
    }
    if progress.due_at > before.due_at {
        return Rule::ShipmentRestartsDelay;
    }
    *progress = before;
    Rule::RepeatChangesNothing
}

fn on_not_admitted(progress: &mut Progress, ground: &Ground) -> Rule {
    match progress.state {
        State::Queued if progress.letters_sent == 0 && progress.planned != Planned::AtOnce => {
            end(progress, State::Dropped);
            ground.rule
        }
        _ => Rule::NothingDue,
    }
}

fn on_due(progress: &mut Progress, ruling: &Ruling, now: Timestamp) -> (Rule, Inputs) {
    let nothing = (Rule::NothingDue, Inputs::NONE);
    match progress.state {
        State::Waiting | State::Queued | State::Sent if progress.due_at.is_none_or(|due| due > now) => nothing,
        State::Waiting => {
            end(progress, State::Dropped);
            (Rule::TriggerNeverCame, Inputs::NONE)
        }
        State::Queued | State::Sent if progress.expires_at.is_some_and(|end| end < now) => {
            let inputs = Inputs::NONE.with_some("end_of_life", progress.expires_at);
            end_unsent(progress);
            (Rule::EndOfLife, inputs)
        }
        State::Queued | State::Sent => on_ruling(progress, ruling),
        State::Sending
        | State::Done
        | State::Cancelled
        | State::Dropped
        | State::Held
        | State::Failed
        | State::InDoubt => nothing,
    }
}

/// What the shop's rules say to a letter whose time has come.
fn on_ruling(progress: &mut Progress, ruling: &Ruling) -> (Rule, Inputs) {
    match ruling {
        Ruling::Go => {
            progress.state = State::Sending;
            progress.due_at = None;
            progress.attempts += 1;
            (Rule::DueLetterClaimed, Inputs::NONE)
        }
        Ruling::Wait { until, ground } => {
            let inputs = ground.inputs.clone().with("until", until);
            match progress.expires_at.filter(|end| end < until) {
                // What may go only after the end of its life never goes.
                Some(end_of_life) => {
                    end_unsent(progress);
                    (ground.rule, inputs.with("end_of_life", end_of_life))
                }
                None => {
                    progress.due_at = Some(*until);
                    (ground.rule, inputs)
                }
            }
        }
        Ruling::Drop(ground) => {
            end_unsent(progress);
            (ground.rule, ground.inputs.clone())
        }
        Ruling::Stop(ground) => {
            end(progress, State::Cancelled);
            (ground.rule, ground.inputs.clone())
        }
    }
}

fn on_customer(progress: &mut Progress, news: CustomerNews) -> Rule {
    match (news, progress.state) {
        (_, State::Done | State::Cancelled | State::Dropped) => return Rule::FinalStaysFinal,
        (CustomerNews::Reviewed, _) => end(progress, State::Done),
        (CustomerNews::Bounced, _) => end(progress, State::Failed),
        (
            CustomerNews::Unsubscribed | CustomerNews::Complained | CustomerNews::Suppressed | CustomerNews::Erased,
            _,
        ) => end(progress, State::Cancelled),
    }
    news.rule()
}

fn on_accepted(progress: &mut Progress, policy: &Policy, now: Timestamp) -> Rule {
    // Whatever state a late answer meets, a letter that went out is counted and never sent again.
    progress.letters_sent += 1;
    match progress.state {
        State::Done | State::Cancelled | State::Dropped | State::Failed => Rule::AcceptedAfterStop,
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

fn on_attempt(progress: &mut Progress, attempt: Attempt, policy: &Policy, now: Timestamp) -> Rule {
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

fn on_desk(progress: &mut Progress, order: DeskOrder, policy: &Policy, now: Timestamp) -> Rule {
    let (at, planned) = match (order, progress.state) {
        (_, State::Done | State::Cancelled | State::Dropped) | (DeskOrder::Cancel, State::Failed) => {
            return Rule::AlreadyEnded;
        }
        (DeskOrder::Cancel, _) => {
            end(progress, State::Cancelled);
            return Rule::DeskCancels;
        }
        (_, State::Sending) => return Rule::LetterIsOnItsWay,
        (DeskOrder::Reschedule(at), _) if at > now.plus(RESCHEDULE_AT_MOST) => return Rule::TooFarAhead,
        (DeskOrder::Reschedule(at), _) if at < now => return Rule::InThePast,
        (DeskOrder::Reschedule(at), _) => (at, Planned::Person),
        (DeskOrder::SendNow, _) => (now, Planned::AtOnce),
    };
    progress.attempts = 0;
    back_in_line(progress, at);
    progress.planned = planned;
    progress.expires_at = Some(at.plus(policy.end_of_life));
    if planned == Planned::AtOnce { Rule::DeskSendsNow } else { Rule::DeskReschedules }
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

/// The end of a letter that was never sent: the shop's rules drop the invitation, or it is done with the letters that are out.
fn end_unsent(progress: &mut Progress) {
    end(progress, if progress.letters_sent == 0 { State::Dropped } else { State::Done });
}

fn cancel(progress: &mut Progress, news: OrderNews) {
    end(progress, State::Cancelled);
    progress.cancelled_at = progress.cancelled_at.max(Some(news.told_at));
}

/// Gives the first letter its time, when the news is what that counts from. An order mail that comes late does not make it earlier
/// than now.
fn begin(progress: &mut Progress, news: OrderNews, policy: &Policy, now: Timestamp) -> Option<Rule> {
    if let Some(preferred) = news.preferred {
        plan(progress, preferred.max(now), Planned::Preferred, policy);
        return Some(Rule::ShopChoseTheTime);
    }
    if reaches(news.kind, policy.trigger) {
        plan(progress, trigger_due(news, policy).max(now), Planned::Trigger, policy);
        return Some(Rule::TriggerStartsDelay);
    }
    let fallback = policy.otherwise.filter(|fallback| reaches(news.kind, fallback.trigger))?;
    plan(progress, later(news.expected_by, news.told_at).plus(fallback.delay).max(now), Planned::Fallback, policy);
    Some(Rule::FallbackStartsDelay)
}

/// The delay counts from the later of the trigger and the expected delivery.
fn trigger_due(news: OrderNews, policy: &Policy) -> Timestamp {
    later(news.expected_by, news.told_at).plus(policy.delay)
}

fn plan(progress: &mut Progress, due: Timestamp, planned: Planned, policy: &Policy) {
    if progress.letters_sent == 0 {
        progress.state = State::Queued;
    }
    progress.due_at = Some(due);
    progress.expires_at = Some(due.plus(policy.end_of_life));
    progress.planned = planned;
}

/// Moves what is due to `wait` after a later delivery. Only ever later: an earlier date in a repeated mail brings nothing forward.
fn postpone(progress: &mut Progress, news: OrderNews, wait: std::time::Duration) -> Rule {
    let arrives = match news.kind {
        EventKind::Delayed => Some(later(news.expected_by, news.told_at)),
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

fn later(expected_by: Option<Timestamp>, told_at: Timestamp) -> Timestamp {
    expected_by.map_or(told_at, |expected| expected.max(told_at))
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
