//! A customer whose order has not arrived, or who wants to be asked later: the next letter waits, once for each.

use super::House;
use super::visit::Visit;
use crate::domain::{CustomerNews, Rule, Timestamp};
use crate::store::StoreError;

/// Why the next letter is to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOff {
    /// The order has not arrived.
    NotArrived,
    /// Ask later.
    Later,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutOffAnswer {
    /// When the next letter is due; `None` when no letter waits.
    pub until: Option<Timestamp>,
    /// Why: [`Rule::NotArrived`] and [`Rule::AskedLater`] where it was done.
    pub rule: Rule,
}

impl PutOffAnswer {
    /// Whether the letter waits by this wish.
    pub fn is_done(self) -> bool {
        matches!(self.rule, Rule::NotArrived | Rule::AskedLater)
    }
}

/// Puts the next letter to a visitor off.
///
/// # Errors
/// When nothing was changed.
pub async fn put_off(house: &House, visit: &Visit, why: PutOff) -> Result<PutOffAnswer, StoreError> {
    let news = match why {
        PutOff::NotArrived => CustomerNews::NotArrived,
        PutOff::Later => CustomerNews::AskLater,
    };
    let gone = PutOffAnswer { until: None, rule: Rule::Erased };
    let Some(invitation) = &visit.invitation else { return Ok(gone) };
    let policies = house.setup().policies.clone();
    let decision = house.store.customer_news(invitation.id, news, policies, house.clock.now()).await?;
    let Some(decision) = decision else { return Ok(gone) };
    let answer = PutOffAnswer { until: decision.progress.due_at, rule: decision.rule };
    if answer.is_done() {
        // After the last letter this one is due where nothing was.
        house.queue_moved.notify_one();
    }
    Ok(answer)
}
