//! How invitations begin: by the first copy that tells of an order, by hand, or once more after one that has ended.

use super::order::{anchor, begin, cancel, expect};
use super::{Decision, FOR_GOOD, OrderNews, Planned, Progress, State, plan};
use crate::domain::inputs::Inputs;
use crate::domain::policy::Policy;
use crate::domain::rule::Rule;
use crate::domain::time::Timestamp;

/// How an invitation begins: the first copy that tells of an order.
///
/// `order_cancelled` says that a cancellation of the same order, perhaps under another address, is on record, and when the mail
/// was written that told of it ([`Progress::order_cancelled_at`]).
pub fn open(news: OrderNews, order_cancelled: Option<Timestamp>, policy: &Policy, now: Timestamp) -> Decision {
    let inputs = news.inputs().with_some("order_cancelled", order_cancelled.filter(|at| *at < FOR_GOOD));
    let news = news.believed();
    let mut progress = Progress::new(State::Waiting);
    expect(&mut progress, news);
    let rule = if news.kind.ends_the_order() {
        cancel(&mut progress, news);
        Rule::CancelledBeforeOrder
    } else if let Some(cancelled_at) = order_cancelled {
        progress.cancelled_at = Some(cancelled_at).filter(|at| *at < FOR_GOOD);
        if cancelled_at == FOR_GOOD {
            progress.planned = Planned::Stopped;
        }
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
        progress.due_at = Some(anchor(&progress, news).plus(policy.wait_for_trigger).max(now));
        Rule::OrderOpens
    };
    Decision { progress, rule, inputs }
}

/// How an invitation begins that a person asks for, as if it were due at `due`. That no cancellation of the order is on record is
/// the caller's to know ([`Progress::order_cancelled_at`]).
pub fn open_by_hand(due: Timestamp, policy: &Policy) -> Decision {
    let mut progress = Progress::new(State::Queued);
    plan(&mut progress, due, Planned::Person, policy);
    Decision { progress, rule: Rule::InvitedByHand, inputs: Inputs::NONE }
}

/// How an invitation begins that follows one which has ended, by a person's order. `of_order` are all that are known of the same
/// order: a mail of the shop that cancelled it counts under whatever address it was told.
///
/// # Errors
/// The rule that refuses it: the one before goes on still, its order was cancelled by the shop, or the customer has had their say.
pub fn open_again<'a>(
    before: &'a Progress,
    of_order: impl IntoIterator<Item = &'a Progress>,
    due: Timestamp,
    policy: &Policy,
) -> Result<Decision, Rule> {
    let mut of_order = of_order.into_iter().chain([before]);
    match before.state {
        State::Waiting | State::Queued | State::Sending | State::Sent | State::Held | State::InDoubt => {
            Err(Rule::StillUnderWay)
        }
        State::Done | State::Cancelled | State::Dropped | State::Failed if before.planned == Planned::Declined => {
            Err(Rule::CustomerHadTheirSay)
        }
        State::Done | State::Cancelled | State::Dropped | State::Failed
            if of_order.any(|one| one.cancelled_at.is_some()) =>
        {
            Err(Rule::OrderIsCancelled)
        }
        State::Done | State::Cancelled | State::Dropped | State::Failed => {
            Ok(Decision { rule: Rule::DeskReinvites, ..open_by_hand(due, policy) })
        }
    }
}
