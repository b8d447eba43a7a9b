//! What a shop wants: when its customers are asked, how often, and until when.

use std::collections::HashMap;
use std::time::Duration;

use super::shop::ShopId;

/// A calendar day's length. Delays are promised in days of this length; the send window of the customer's zone is a rule of its own.
pub const DAY: Duration = Duration::from_secs(86_400);

/// The order event from which the delay counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// The order mail, or any later mail when that never came.
    Order,
    /// The shipment mail, or the delivery mail.
    Shipment,
    /// The delivery mail.
    Delivery,
}

/// What happens to a letter of which nobody knows whether the relay took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InDoubt {
    /// It waits for a person: no customer gets a letter twice.
    Hold,
    /// It is sent again with the same Message-ID: no customer is left out.
    Resend,
}

/// A shop's rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Which event starts the delay.
    pub trigger: Trigger,
    /// From the trigger to the first letter; 0 to 90 days.
    pub delay: Duration,
    /// From the first letter to the reminder; `None` sends none.
    pub reminder: Option<Duration>,
    /// How long an order waits for its trigger before it is given up.
    pub wait_for_trigger: Duration,
    /// How long after its due time a letter may still be sent.
    pub end_of_life: Duration,
    /// What happens to a letter in doubt.
    pub in_doubt: InDoubt,
}

impl Default for Policy {
    /// The preset `afs`: seven days after the order, one reminder after seven more (product table, section 3).
    fn default() -> Self {
        Self {
            trigger: Trigger::Order,
            delay: DAY * 7,
            reminder: Some(DAY * 7),
            wait_for_trigger: DAY * 60,
            end_of_life: DAY * 30,
            in_doubt: InDoubt::Hold,
        }
    }
}

/// The policies of all shops.
#[derive(Debug, Clone, Default)]
pub struct Policies(HashMap<ShopId, Policy>);

impl Policies {
    /// The shop's policy. A shop that is no longer configured is judged by the default one: its letters cannot be composed any
    /// more, but its orders can still be cancelled.
    pub fn of(&self, shop: &ShopId) -> Policy {
        self.0.get(shop).cloned().unwrap_or_default()
    }
}

impl FromIterator<(ShopId, Policy)> for Policies {
    fn from_iter<T: IntoIterator<Item = (ShopId, Policy)>>(policies: T) -> Self {
        Self(policies.into_iter().collect())
    }
}
