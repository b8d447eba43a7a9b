//! A table of rules while it is read: what it writes itself, and what it has from the table above.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::{Entry, Table};
use crate::domain::{DAY, Policy};

use super::sanity;

/// The keys that a preset sets: how soon and how often somebody is asked. The others are about who is asked at all, and about
/// this installation; a change of the pace leaves them as they are.
pub(super) const PACE: &[&str] = &[
    "trigger",
    "otherwise",
    "delay",
    "reminder",
    "reminders",
    "letters_per_order",
    "letters_per_person",
    "apart",
    "same_product",
    "same_person",
];

/// The rules that hold where nothing below changes them.
#[derive(Debug, Clone, Default)]
pub(in crate::config) struct Rules {
    policy: Policy,
    pub(super) consent_words: Vec<String>,
    /// The keys that somebody wrote, here or above; what else is in the policy is a default, or a preset's.
    written: BTreeSet<&'static str>,
    /// The keys whose value could not be read. What hangs on them is not judged: their mistakes are reported already.
    doubtful: BTreeSet<&'static str>,
}

impl Rules {
    /// The policy. Letters to one person are never kept further apart than a letter lives, unless somebody wrote so: it would only
    /// be put off to be dropped.
    pub(super) fn policy(&self) -> Policy {
        let apart = self.policy.person_apart;
        let shorter = |apart: std::time::Duration| apart.min(self.policy.end_of_life);
        let person_apart = if self.written.contains("apart") { apart } else { apart.map(shorter) };
        Policy { person_apart, ..self.policy.clone() }
    }

    pub(super) fn wrote(&self, key: &str) -> bool {
        self.written.contains(key)
    }
}

/// A table of rules over those that it changes.
pub(super) struct Layer<'d> {
    pub(super) rules: Rules,
    places: BTreeMap<&'static str, Entry<'d, ()>>,
}

impl<'d> Layer<'d> {
    pub(super) fn over(above: &Rules) -> Self {
        Self { rules: above.clone(), places: BTreeMap::new() }
    }

    /// Takes the value of a key, if it is written.
    pub(super) fn take<T>(
        &mut self,
        table: &Table<'d>,
        key: &'static str,
        read: impl FnOnce(&Table<'d>, &'static str) -> Option<T>,
        put: impl FnOnce(&mut Policy, T),
    ) {
        if let Some(value) = self.value(table, key, read) {
            put(&mut self.rules.policy, value);
        }
    }

    /// The value of a key, if it is written; that it is, and where, is remembered.
    pub(super) fn value<T>(
        &mut self,
        table: &Table<'d>,
        key: &'static str,
        read: impl FnOnce(&Table<'d>, &'static str) -> Option<T>,
    ) -> Option<T> {
        let place = table.any(key)?.place();
        let value = read(table, key);
        if value.is_some() {
            self.rules.doubtful.remove(key);
            self.rules.written.insert(key);
            self.places.insert(key, place);
        } else {
            self.rules.doubtful.insert(key);
        }
        value
    }

    /// Begins with a preset instead of what stands above.
    pub(super) fn begin_with(&mut self, preset: Policy) {
        let above = std::mem::take(&mut self.rules.policy);
        self.rules.policy = Policy {
            cap_scope: above.cap_scope,
            max_age: above.max_age,
            sample: above.sample,
            consent: above.consent,
            refused: above.refused,
            window: above.window,
            rate: above.rate,
            wait_for_trigger: above.wait_for_trigger,
            end_of_life: above.end_of_life,
            in_doubt: above.in_doubt,
            not_arrived: above.not_arrived,
            ask_later: above.ask_later,
            ..preset
        };
        for key in PACE {
            self.rules.written.remove(key);
            self.rules.doubtful.remove(key);
        }
    }

    /// The policy as it stands so far.
    pub(super) fn policy(&self) -> &Policy {
        &self.rules.policy
    }

    /// The place of the first of these keys that this table writes itself. `None` when it writes none of them, so that what they
    /// do to each other is no fault of this table, or when one of them could not be read.
    pub(super) fn blamed(&self, keys: &[&'static str]) -> Option<&Entry<'d, ()>> {
        if keys.iter().any(|key| self.rules.doubtful.contains(key)) {
            return None;
        }
        let preset = keys.iter().any(|key| PACE.contains(key)).then_some(&"preset");
        keys.iter().chain(preset).find_map(|key| self.places.get(key))
    }

    /// Notes what cannot hold together, and gives the rules.
    pub(super) fn finish(mut self) -> Rules {
        sanity::otherwise(&self);
        // What stands in for a trigger goes with it when a table chooses another trigger before which it never comes.
        let policy = &mut self.rules.policy;
        policy.otherwise = policy.otherwise.filter(|fallback| fallback.trigger < policy.trigger);
        sanity::check(&self);
        self.rules
    }
}

/// The longest span that a rule may look back or ahead.
pub(super) const LONGEST: std::time::Duration = DAY.saturating_mul(3_650);
