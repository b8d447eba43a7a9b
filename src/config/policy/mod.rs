//! `[policy]`, `[shop.policy]` and `[[shop.policy_for]]`: when customers are asked, how often, and who is not asked at all
//! (`docs/policy.md`).
//!
//! Each table is laid over the one above it: what a shop does not write holds for it as `[policy]` has it, and what an override
//! does not write as the shop has it. [`keys`] knows the single keys, [`sanity`] what must hold between them, [`overrides`] for
//! which orders other rules hold.

mod keys;
mod layer;
mod overrides;
mod sanity;
mod window;

#[cfg(test)]
mod tests;

use crate::document::Table;
use crate::domain::{Policy, When};

use self::layer::Layer;
pub(super) use self::layer::Rules;

/// The rules of all shops, as far as a shop does not write its own.
pub(super) fn read_top(top: &Table<'_>) -> Rules {
    let written = top.table("policy", |table| {
        let mut layer = Layer::over(&Rules::default());
        keys::read(&mut layer, table);
        Some(layer.finish())
    });
    written.unwrap_or_default()
}

/// What a shop wrote.
pub(super) struct Written {
    /// What holds for every order that nothing else is written for.
    pub(super) base: Policy,
    /// Other rules for some orders, of which the first that holds counts.
    pub(super) others: Vec<(When, Policy)>,
    /// The words by which its mails say that the customer agreed to be asked.
    pub(super) consent_words: Vec<String>,
}

/// A shop's rules. Six keys may stand in `[[shop]]`
/// itself, where they stood before there was a table for them.
pub(super) fn read_shop(shop: &Table<'_>, top: &Rules) -> Written {
    let read = |table: Option<&Table<'_>>| {
        let mut layer = Layer::over(top);
        if let Some(table) = table {
            keys::read_preset(&mut layer, table);
        }
        keys::read_direct(&mut layer, shop, table);
        if let Some(table) = table {
            keys::read_others(&mut layer, table);
        }
        layer.finish()
    };
    let rules = shop.table("policy", |table| Some(read(Some(table)))).unwrap_or_else(|| read(None));
    let others = overrides::read_all(shop, &rules);
    Written { base: rules.policy(), others, consent_words: rules.consent_words }
}
