//! How a shop collects its reviews, as facts that anybody may see (Directive (EU) 2019/2161, article 3): from its rules and from counts,
//! and nothing that a person could have made nicer.

use std::time::Duration;

use super::House;
use crate::domain::{Collected, Consent, Policy, Share, ShopId, Trigger};
use crate::store::StoreError;

/// The facts.
#[derive(Debug, Clone, PartialEq)]
pub struct Practice {
    /// The share of the orders that is asked about, drawn by lot.
    pub share: Share,
    /// From which mail the delay counts.
    pub trigger: Trigger,
    /// From that mail to the first letter.
    pub delay: Duration,
    /// Letters to one order at most, one asking and the rest reminders.
    pub letters: u32,
    /// Whether only customers are asked who agreed to it.
    pub only_with_consent: bool,
    /// Whether other rules hold for some of the shop's orders.
    pub has_other_rules: bool,
    /// Reviews that stand, by the way in which they came.
    pub collected: [(Collected, u64); 4],
    /// Those of them that an order stands behind.
    pub verified: u64,
    /// Those that their authors deleted again.
    pub withdrawn: u64,
    /// Those that the shop's staff removed, each with a reason on record.
    pub removed: u64,
}

/// How a shop collects its reviews; of a shop that is not configured the counts alone tell anything.
///
/// # Errors
/// When the store cannot be read.
pub async fn practice(house: &House, shop: &ShopId) -> Result<Practice, StoreError> {
    let counts = house.store.review_counts(shop).await?;
    let setup = house.setup();
    let rules = setup.policies.shop(shop);
    let Policy { sample, trigger, delay, consent, .. } = &rules.base;
    let collected = Collected::ALL.map(|way| {
        let of_it = counts.iter().filter(|count| count.collected == way);
        (way, of_it.map(|count| count.standing).sum())
    });
    Ok(Practice {
        share: *sample,
        trigger: *trigger,
        delay: *delay,
        letters: rules.base.letters_at_most(),
        only_with_consent: *consent == Consent::Required,
        has_other_rules: !rules.others.is_empty(),
        verified: collected.iter().filter(|(way, _)| way.is_verified()).map(|(_, n)| n).sum(),
        collected,
        withdrawn: counts.iter().map(|count| count.withdrawn).sum(),
        removed: counts.iter().map(|count| count.removed).sum(),
    })
}
