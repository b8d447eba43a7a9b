//! What a decision was made from: the numbers and names beside its rule, kept with it, so that it can be checked later.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// Names and values. Instants are RFC 3339 in UTC. Never a customer's name or address.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Inputs(BTreeMap<String, String>);

impl Inputs {
    /// None.
    pub const NONE: Self = Self(BTreeMap::new());

    /// With one more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.0.insert(name.to_owned(), value.to_string());
        self
    }

    /// With one more, where it is known.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The instant of this name.
    pub fn instant(&self, name: &str) -> Option<Timestamp> {
        self.get(name)?.parse::<jiff::Timestamp>().ok().map(Timestamp::from)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_a_json_object_and_come_back_as_they_were() {
        let inputs = Inputs::NONE.with("letters", 5).with("until", Timestamp::from_seconds(1_795_251_600));
        let json = serde_json::to_string(&inputs).expect("JSON");
        assert_eq!(json, r#"{"letters":"5","until":"2026-11-21T09:00:00Z"}"#);
        let back: Inputs = serde_json::from_str(&json).expect("inputs");
        assert_eq!(
            (back.instant("until"), back.get("letters")),
            (Some(Timestamp::from_seconds(1_795_251_600)), Some("5"))
        );
        assert_eq!(back, inputs);
    }
}
