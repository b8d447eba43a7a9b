//! What a queue that is put back from a backup does not know: which letters went out since the backup was made. Whatever may have gone
//! is for a person to judge, so that nothing is sent twice.

use std::time::Duration;

use super::{DAY, OrderNews, Planned, Progress, State};
use crate::domain::inputs::Inputs;
use crate::domain::order::EventKind;
use crate::domain::policy::{Policy, Trigger};
use crate::domain::rule::Rule;
use crate::domain::time::Timestamp;

/// How long after an order mails about it are expected.
const ORDERS_LAST: Duration = DAY.saturating_mul(60);

/// The time of which a restored queue knows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// When the backup was made.
    pub since: Timestamp,
    /// When it was put back, or later.
    pub until: Timestamp,
    /// Whether no letter went before its time then, as a person says: nobody hurried one on, by order or by a shorter delay.
    pub on_time: bool,
}

impl Gap {
    /// The gap by which an invitation is held that stands so after a mail of the gap was told to it, or began it: it may have stood so
    /// before, and its letter be gone. `None` when it is not held.
    pub fn after_news(self, news: OrderNews, progress: &Progress, now: Timestamp) -> Option<Self> {
        // A time that has passed was made the present one.
        let gap = Self { until: now, ..self };
        (news.told_at <= self.until && gap.may_have_sent_since(progress)).then_some(gap)
    }

    /// The same of an order that a mail told of for the first time, whether it is of the gap or later: the order may have begun, and had
    /// its letter, in the gap.
    pub fn after_first_news(self, news: OrderNews, progress: &Progress, policy: &Policy) -> Option<Self> {
        let until = progress.due_at.filter(|_| progress.state == State::Queued)?;
        self.may_hide_the_first_mail(news, policy).then_some(Self { until, ..self })
    }

    /// Whether the next letter, to whose invitation a mail of the gap was just told, may have gone then: when it stands in line for a time
    /// before the end of the gap, so that a daemon had time to send it, or when a person may have hurried it on. What a person has
    /// planned since is that person's word.
    fn may_have_sent_since(self, progress: &Progress) -> bool {
        let was_hurried = !self.on_time
            && matches!(progress.state, State::Waiting | State::Queued | State::Sent)
            && !matches!(progress.planned, Planned::Person | Planned::AtOnce);
        was_hurried || self.has_due(progress)
    }

    fn has_due(self, progress: &Progress) -> bool {
        matches!(progress.state, State::Queued | State::Sent) && progress.due_at.is_some_and(|due| due <= self.until)
    }

    /// Whether a mail of the gap may have begun an order of which only this later one is known, and its letter have gone out before the
    /// end: one that comes after the trigger, of an order that is told of for the first time.
    fn may_hide_the_first_mail(self, news: OrderNews, policy: &Policy) -> bool {
        let is_later = match policy.trigger {
            Trigger::Order => !matches!(news.kind, EventKind::Placed | EventKind::Paid),
            Trigger::Shipment => news.kind == EventKind::Delivered,
            Trigger::Delivery => false,
        };
        is_later && (!self.on_time || self.is_long_enough(policy)) && news.told_at <= self.until.plus(ORDERS_LAST)
    }

    /// Whether a letter of this invitation may have gone out in the gap, as far as the backup can tell. A person may have sent any letter
    /// at once, or a shorter delay let it go, whatever time stands in the backup; so all are meant unless somebody knows better.
    fn may_have_sent(self, progress: &Progress, policy: &Policy) -> bool {
        match progress.state {
            State::Sending => true,
            State::Waiting | State::Queued | State::Sent if !self.on_time => true,
            // The trigger may have come, with an earlier time than the one that stands in for it.
            State::Waiting => self.is_long_enough(policy),
            State::Queued if progress.planned == Planned::Fallback => {
                self.has_due(progress) || self.is_long_enough(policy)
            }
            State::Queued | State::Sent => self.has_due(progress),
            State::Done | State::Cancelled | State::Dropped | State::Held | State::Failed | State::InDoubt => false,
        }
    }

    /// Whether a delay that began after the backup could be over. A day more, since it counts from when the mail was written.
    fn is_long_enough(self, policy: &Policy) -> bool {
        let otherwise = policy.otherwise.as_ref().map_or(policy.delay, |fallback| fallback.delay);
        self.since.plus(policy.delay.min(otherwise)) <= self.until.plus(DAY)
    }

    pub(super) fn inputs(self) -> Inputs {
        Inputs::NONE.with("backup", self.since).with("until", self.until)
    }
}

pub(super) fn on_restored(progress: &mut Progress, gap: Gap, policy: &Policy) -> Rule {
    if !gap.may_have_sent(progress, policy) {
        return Rule::NothingDue;
    }
    progress.state = State::Held;
    progress.due_at = None;
    Rule::RestoredWhileDue
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn an_order_whose_first_mail_may_lie_in_the_gap_is_told_by_the_kind_of_the_next() {
        let gap = Gap { since: NOON, until: NOON.plus(DAY * 3), on_time: true };
        let quick = |trigger| Policy { trigger, otherwise: None, delay: DAY, ..Policy::AFS };
        for (trigger, kind, days, hidden) in [
            (Trigger::Order, EventKind::Placed, 4, false),
            (Trigger::Order, EventKind::Shipped, 4, true),
            (Trigger::Order, EventKind::Delayed, 4, true),
            (Trigger::Order, EventKind::Shipped, 64, false),
            (Trigger::Shipment, EventKind::Shipped, 4, false),
            (Trigger::Shipment, EventKind::Delivered, 4, true),
            (Trigger::Delivery, EventKind::Delivered, 4, false),
        ] {
            let news = OrderNews::new(kind, NOON.plus(DAY * days));
            assert_eq!(gap.may_hide_the_first_mail(news, &quick(trigger)), hidden, "{trigger:?} {kind} {days}");
            let slow = Policy { delay: DAY * 7, ..quick(trigger) };
            assert!(!gap.may_hide_the_first_mail(news, &slow), "no letter went out within three days");
            let hurried = Gap { on_time: false, ..gap };
            assert_eq!(hurried.may_hide_the_first_mail(news, &slow), hidden, "a person may have hurried it on");
        }
    }

    #[test]
    fn what_may_have_been_hurried_on_is_held_whatever_time_it_has() {
        let policy = Policy { trigger: Trigger::Order, otherwise: None, delay: DAY * 7, ..Policy::AFS };
        let gap = Gap { since: NOON, until: NOON.plus(DAY), on_time: false };
        for state in State::ALL {
            let open = matches!(state, State::Waiting | State::Queued | State::Sending | State::Sent);
            let later = Progress { due_at: open.then_some(NOON.plus(DAY * 5)), ..Progress::new(state) };
            assert_eq!(gap.may_have_sent(&later, &policy), open, "{state}");
            let planned = Gap { on_time: true, ..gap };
            assert_eq!(planned.may_have_sent(&later, &policy), state == State::Sending, "{state}");
            assert_eq!(gap.may_have_sent_since(&later), open && state != State::Sending, "{state}");
            let by_hand = Progress { planned: Planned::Person, ..later.clone() };
            assert!(!gap.may_have_sent_since(&by_hand) && !planned.may_have_sent_since(&later), "{state}");
        }
    }
}
