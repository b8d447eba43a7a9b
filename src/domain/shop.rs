//! The shop's identity. What a shop wants is its policy; how it is configured is the `config` room's business.

use std::fmt;

use serde::Serialize;

/// A shop's short name in configuration, addresses and tables: `[a-z0-9]` and inner `-`, 1 to 32 characters. No `+`, since the
/// shop's address is `<shop>+<secret>@<ingest domain>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ShopId(String);

/// A text that is no [`ShopId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no shop id: use 1 to 32 of a-z, 0-9 and inner hyphens")]
pub struct InvalidShopId(pub String);

impl ShopId {
    /// Checks the grammar above.
    pub fn parse(text: &str) -> Result<Self, InvalidShopId> {
        let bytes = text.as_bytes();
        let inner_hyphens = !text.starts_with('-') && !text.ends_with('-');
        if (1..=32).contains(&bytes.len())
            && inner_hyphens
            && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidShopId(text.to_owned()))
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShopId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_plain_names_are_shop_ids() {
        for good in ["a", "nordljus", "shop-1", "0", &"x".repeat(32)] {
            assert!(ShopId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a+b", "a.b", "\u{e5}", &"x".repeat(33)] {
            assert!(ShopId::parse(bad).is_err(), "{bad}");
        }
    }
}
