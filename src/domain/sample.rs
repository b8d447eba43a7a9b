//! The sample: which orders are asked when a shop asks only a part of them. Neither the shop nor chance has a say in it, and
//! whoever knows the reference can compute it again.

use std::fmt;

use sha2::{Digest, Sha256};

use super::email_address::EmailAddress;
use super::order::OrderReference;
use super::shop::ShopId;

/// Names the way in which references are drawn. A change of the way needs another word, since it draws other orders.
const VERSION: &str = "invited-sample-1";
/// The same for [`percentile`].
const TRIAL: &str = "invited-links-1";

/// A part of all orders, in thousandths, from none to all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u16);

/// A text that is no [`Share`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no share: write a percentage from 0 % to 100 % with at most one decimal, such as 25 % or 12.5 %")]
pub struct InvalidShare(pub String);

impl Share {
    /// Every order.
    pub const ALL: Self = Self(1000);

    /// The share of so many thousandths, or `None` above 1000.
    pub const fn of_thousandths(thousandths: u16) -> Option<Self> {
        if thousandths <= Self::ALL.0 { Some(Self(thousandths)) } else { None }
    }

    /// The share in `text`: a percentage with its sign and at most one decimal.
    pub fn parse(text: &str) -> Result<Self, InvalidShare> {
        let share = || {
            let number = text.trim().strip_suffix('%')?.trim_end();
            let (whole, tenth) = number.split_once('.').unwrap_or((number, "0"));
            let digits = |text: &str, most: usize| {
                let fine = (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
                if fine { text.parse::<u16>().ok() } else { None }
            };
            Self::of_thousandths(digits(whole, 3)? * 10 + digits(tenth, 1)?)
        };
        share().ok_or_else(|| InvalidShare(text.to_owned()))
    }

    /// In thousandths, 0 to 1000.
    pub const fn thousandths(self) -> u16 {
        self.0
    }
}

/// As it is written: `25 %`, `12.5 %`.
impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 10, self.0 % 10) {
            (whole, 0) => write!(f, "{whole} %"),
            (whole, tenth) => write!(f, "{whole}.{tenth} %"),
        }
    }
}

/// Whether this order is in a sample of this size. The first eight octets of the SHA-256 over version, shop and the reference's
/// key, each ended by a zero octet, are read as a fraction of one with the most significant octet first; the order is in when the
/// fraction is below the share. So an order in a sample is in every larger one, and letter case does not count.
pub fn is_in_sample(shop: &ShopId, reference: &OrderReference, share: Share) -> bool {
    let place = drawn(&[VERSION, shop.as_str(), &reference.key()], 1000);
    place < u32::from(share.0)
}

/// Where one customer's order falls among a hundred, 0 to 99, for what a shop tries on a part of its customers. Drawn as a sample
/// is, over another word, shop, the reference's key and the address in lower case: the two have nothing to do with each other.
pub fn percentile(shop: &ShopId, reference: &OrderReference, email: &EmailAddress) -> u8 {
    let place = drawn(&[TRIAL, shop.as_str(), &reference.key(), email.key().as_str()], 100);
    u8::try_from(place).unwrap_or(u8::MAX)
}

/// A place below `of`, drawn over these texts.
fn drawn(parts: &[&str], of: u16) -> u32 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let fraction = hash.finalize().iter().take(8).fold(0_u64, |sum, &octet| sum << 8 | u64::from(octet));
    u32::try_from((u128::from(fraction) * u128::from(of)) >> 64).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop(id: &str) -> ShopId {
        ShopId::parse(id).unwrap()
    }

    fn reference(text: &str) -> OrderReference {
        OrderReference::parse(text).unwrap()
    }

    /// The smallest share in which an order is, in thousandths.
    fn enters_at(shop: &ShopId, order: &OrderReference) -> u16 {
        (0..=1000).find(|&n| is_in_sample(shop, order, Share::of_thousandths(n).unwrap())).unwrap()
    }

    /// To be had by hand: `printf 'invited-sample-1\000nordljus\000a-1\000' | sha256sum` begins with the fraction.
    #[test]
    fn the_same_orders_are_drawn_for_ever() {
        for (id, order, thousandths) in [
            ("nordljus", "A-1", 371),
            ("nordljus", "a-1", 371),
            ("nordljus", "A-2", 20),
            ("nordljus", "10001", 243),
            ("sydljus", "10001", 306),
            ("nordljus", "ÅÄÖ/7", 194),
        ] {
            assert_eq!(enters_at(&shop(id), &reference(order)), thousandths, "{id} {order}");
        }
    }

    /// `printf 'invited-links-1\000nordljus\000a-1\000anna@customer.example\000' | sha256sum`
    #[test]
    fn trials_draw_the_same_customers_for_ever() {
        for (id, order, email, place) in [
            ("nordljus", "A-1", "Anna@customer.example", 57),
            ("nordljus", "A-2", "anna@customer.example", 40),
            ("nordljus", "A-1", "bo@customer.example", 66),
            ("sydljus", "A-1", "anna@customer.example", 88),
        ] {
            let email = EmailAddress::parse(email).unwrap();
            assert_eq!(percentile(&shop(id), &reference(order), &email), place, "{id} {order}");
        }
    }

    #[test]
    fn a_sample_is_as_large_as_was_asked_whatever_the_references_look_like() {
        let shop = shop("nordljus");
        for (shape, share) in [("#", "10 %"), ("2026-", "25 %"), ("SO/", "12.5 %"), ("w", "90 %")] {
            let share = Share::parse(share).unwrap();
            let drawn = (0..100_000).filter(|n| is_in_sample(&shop, &reference(&format!("{shape}{n}")), share)).count();
            let asked = usize::from(share.thousandths()) * 100;
            assert!(drawn.abs_diff(asked) < 1000, "{shape}: {drawn} of {asked}");
        }
    }

    #[test]
    fn a_larger_sample_holds_the_smaller_and_the_ends_are_none_and_all() {
        let (none, small, large) = (Share(0), Share(125), Share(126));
        for n in 0..20_000 {
            let order = reference(&n.to_string());
            let is_in = |share| is_in_sample(&shop("a"), &order, share);
            assert!(!is_in(none) && is_in(Share::ALL));
            assert!(!is_in(small) || is_in(large), "{n}");
        }
    }

    #[test]
    fn shares_are_percentages_with_a_sign_and_one_decimal() {
        for (text, thousandths, shown) in [
            ("25 %", 250, "25 %"),
            ("12.5%", 125, "12.5 %"),
            (" 0.1\u{a0}% ", 1, "0.1 %"),
            ("0%", 0, "0 %"),
            ("100.0 %", 1000, "100 %"),
        ] {
            let share = Share::parse(text).unwrap();
            assert_eq!((share.thousandths(), share.to_string().as_str()), (thousandths, shown), "{text}");
        }
        for bad in
            ["", "%", "25", "0.25", "-1 %", "+1 %", "100.1 %", "101 %", "12.55 %", "12,5 %", "1e1 %", ".5 %", "5. %"]
        {
            let refused = Share::parse(bad).unwrap_err().to_string();
            assert!(refused.contains(&format!("{bad:?}")) && refused.contains("12.5 %"), "{bad:?}: {refused}");
        }
    }
}
