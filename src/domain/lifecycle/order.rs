//! What the shop's mails tell: how an order's news gives the first letter its time, moves it, or stops it.

use std::time::Duration;

use super::{DAY, Planned, Progress, State, end, plan};
use crate::domain::inputs::Inputs;
use crate::domain::order::EventKind;
use crate::domain::policy::{Policy, Trigger};
use crate::domain::rule::Rule;
use crate::domain::time::Timestamp;

/// A mail this much younger than the one that cancelled its order says that the order goes on after all. Mails of one moment come
/// in any order and mean nothing.
const GOES_ON_AFTER: Duration = Duration::from_secs(3600);

/// A parcel is never expected later than this after the mail that says so: what names such a day means something else.
const EXPECTED_WITHIN: Duration = DAY.saturating_mul(366);

/// The shop's own time for a letter lies at most this far ahead of its mail, as far as a delay may be. Some way before the mail
/// means "at once"; a time long before it is an empty field (1970) and no time.
const PREFERRED_WITHIN: Duration = DAY.saturating_mul(90);

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

    /// Without times that no order has.
    pub(super) fn believed(self) -> Self {
        let expected = |day: &Timestamp| *day <= self.told_at.plus(EXPECTED_WITHIN);
        let preferred = |at: &Timestamp| *at <= self.told_at.plus(PREFERRED_WITHIN) && self.told_at <= at.plus(DAY);
        Self { expected_by: self.expected_by.filter(expected), preferred: self.preferred.filter(preferred), ..self }
    }

    /// Whether it shows that an order goes on which a mail of `cancelled_at` had cancelled.
    pub(super) fn goes_on_after(&self, cancelled_at: Timestamp) -> bool {
        !matches!(self.kind, EventKind::Delayed | EventKind::RefundedInPart)
            && self.told_at > cancelled_at.plus(GOES_ON_AFTER)
    }
}

pub(super) fn on_order(progress: &mut Progress, news: OrderNews, policy: &Policy, now: Timestamp) -> Rule {
    let news = news.believed();
    if news.kind.ends_the_order() {
        let has_ended = progress.state.has_ended();
        cancel(progress, news);
        return if has_ended { Rule::FinalStaysFinal } else { Rule::OrderCancelled };
    }
    match progress.state {
        State::Waiting => {
            expect(progress, news);
            begin(progress, news, policy, now).unwrap_or_else(|| postpone(progress, news, policy.wait_for_trigger))
        }
        State::Queued | State::Sent => {
            expect(progress, news);
            on_more_news(progress, news, policy, now)
        }
        State::Cancelled
            if may_reopen(progress) && progress.cancelled_at.is_some_and(|cancelled| news.goes_on_after(cancelled)) =>
        {
            progress.state = State::Held;
            Rule::ReopenedAfterCancel
        }
        State::Sending | State::Held | State::InDoubt => Rule::RepeatChangesNothing,
        State::Done | State::Cancelled | State::Dropped | State::Failed => Rule::FinalStaysFinal,
    }
}

/// Only what the shop's mails have stopped, and nobody else, can go on by a mail of the shop.
pub(super) fn may_reopen(progress: &Progress) -> bool {
    progress.cancelled_at.is_some() && !matches!(progress.planned, Planned::Stopped | Planned::Declined)
}

/// More is told of an order whose next letter has a time. What a person asked for stays; the trigger takes the place of what stood
/// in for it, also when the letter goes earlier then; anything else moves a letter later only.
fn on_more_news(progress: &mut Progress, news: OrderNews, policy: &Policy, now: Timestamp) -> Rule {
    let is_first = progress.letters_sent == 0;
    if let Some(preferred) = news.preferred.filter(|at| is_first && may_prefer(progress, *at, now)) {
        plan(progress, preferred.max(now), Planned::Preferred, policy);
        return Rule::ShopChoseTheTime;
    }
    let (trigger, wait) = match (progress.planned, policy.otherwise) {
        (Planned::Person | Planned::AtOnce | Planned::Stopped | Planned::Declined, _) => {
            return Rule::RepeatChangesNothing;
        }
        (Planned::Fallback, _) if is_first && reaches(news.kind, policy.trigger) => {
            let due = anchor(progress, news).plus(policy.delay).max(now);
            plan(progress, due, Planned::Trigger, policy);
            return Rule::TriggerStartsDelay;
        }
        (Planned::Fallback, Some(fallback)) => (Some(fallback.trigger), fallback.delay),
        (Planned::Fallback | Planned::Trigger, _) => (Some(policy.trigger), policy.delay),
        // The shop knew what it had promised by then; only a notice that it was wrong counts.
        (Planned::Preferred, _) if news.kind != EventKind::Delayed => return Rule::RepeatChangesNothing,
        (Planned::Preferred, _) => (None, policy.delay),
    };
    let anew = anchor(progress, news).plus(wait);
    if is_first && trigger.is_some_and(|trigger| starts_anew(news.kind, trigger)) && progress.due_at < Some(anew) {
        plan(progress, anew, progress.planned, policy);
        return Rule::ShipmentRestartsDelay;
    }
    postpone(progress, news, wait)
}

/// Whether the shop's own time takes the place of the one that the letter has. A time that has passed is not chosen again by a
/// repeat of the mail.
fn may_prefer(progress: &Progress, preferred: Timestamp, now: Timestamp) -> bool {
    match progress.planned {
        Planned::Trigger | Planned::Fallback => true,
        Planned::Preferred => preferred > now && progress.due_at != Some(preferred),
        Planned::Person | Planned::AtOnce | Planned::Stopped | Planned::Declined => false,
    }
}

/// Remembers the expected delivery for the trigger to come. A parcel that has arrived is not expected any more.
pub(super) fn expect(progress: &mut Progress, news: OrderNews) {
    progress.expected_by = match news.kind {
        EventKind::Delivered => news.expected_by,
        _ => progress.expected_by.max(news.expected_by),
    };
}

pub(super) fn cancel(progress: &mut Progress, news: OrderNews) {
    if !progress.state.has_ended() {
        end(progress, State::Cancelled);
    }
    progress.cancelled_at = progress.cancelled_at.max(Some(news.told_at));
}

/// Gives the first letter its time, when the news is what that counts from. An order mail that comes late does not make it earlier
/// than now.
pub(super) fn begin(progress: &mut Progress, news: OrderNews, policy: &Policy, now: Timestamp) -> Option<Rule> {
    let (due, planned, rule) = if let Some(preferred) = news.preferred {
        (preferred, Planned::Preferred, Rule::ShopChoseTheTime)
    } else if reaches(news.kind, policy.trigger) {
        (anchor(progress, news).plus(policy.delay), Planned::Trigger, Rule::TriggerStartsDelay)
    } else {
        let fallback = policy.otherwise.filter(|fallback| reaches(news.kind, fallback.trigger))?;
        (anchor(progress, news).plus(fallback.delay), Planned::Fallback, Rule::FallbackStartsDelay)
    };
    plan(progress, due.max(now), planned, policy);
    Some(rule)
}

/// From where a delay counts: the later of the mail and the expected delivery, which an earlier mail may have named.
pub(super) fn anchor(progress: &Progress, news: OrderNews) -> Timestamp {
    progress.expected_by.map_or(news.told_at, |expected| expected.max(news.told_at))
}

/// Moves what is due to `wait` after a later delivery. Only ever later: an earlier date in a repeated mail brings nothing forward.
fn postpone(progress: &mut Progress, news: OrderNews, wait: Duration) -> Rule {
    let arrives = match news.kind {
        EventKind::Delayed => news.expected_by.max(Some(news.told_at)),
        _ => news.expected_by,
    };
    let Some(due) = arrives.map(|arrives| arrives.plus(wait)).filter(|due| progress.due_at < Some(*due)) else {
        return Rule::RepeatChangesNothing;
    };
    if let (Some(old), Some(expires)) = (progress.due_at, progress.expires_at) {
        progress.expires_at = Some(expires.plus(due.since(old)));
    }
    progress.due_at = Some(due);
    Rule::DelayPostpones
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

/// Orders go out in several parcels: a shop that counts from the shipment means the last one, and so with deliveries.
fn starts_anew(kind: EventKind, trigger: Trigger) -> bool {
    match trigger {
        Trigger::Order => false,
        Trigger::Shipment => matches!(kind, EventKind::Shipped | EventKind::ShippedInPart),
        Trigger::Delivery => kind == EventKind::Delivered,
    }
}
