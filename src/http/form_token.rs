//! The token in each form that changes something: it shows that the form came from our page for this link, not long ago. Without
//! cookies it cannot be bound to a browser; it is bound to the link, which nobody else has.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::{DAY, Timestamp, hex};

/// Characters of a tag: 128 bits in hexadecimal.
const TAG: usize = 32;

/// The token of a form behind this address, made now: the seconds since 1970 and a tag.
pub(super) fn sign(key: &[u8; 32], address: &str, now: Timestamp) -> String {
    let seconds = now.0.div_euclid(1_000);
    format!("{seconds}.{}", hexadecimal(key, address, seconds))
}

/// What a form's token tells of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// From our page for this link, not older than a day.
    Fresh,
    /// From our page for this link, and the page was open for longer.
    Old,
    /// From nowhere that we know.
    Foreign,
}

/// Where a form with this token, sent to this address, came from.
pub(super) fn origin(key: &[u8; 32], address: &str, token: &str, now: Timestamp) -> Origin {
    let Some((seconds, tag)) = token.split_once('.') else { return Origin::Foreign };
    let plain = seconds.len() <= 12 && seconds.bytes().all(|byte| byte.is_ascii_digit());
    let Some(seconds) = plain.then(|| seconds.parse::<i64>().ok()).flatten() else { return Origin::Foreign };
    let expected = hexadecimal(key, address, seconds);
    let is_ours: bool = subtle::ConstantTimeEq::ct_eq(expected.as_bytes(), tag.as_bytes()).into();
    let made = Timestamp::from_seconds(seconds);
    // Clocks of several daemons need not agree to the second.
    let is_made = made.since(now) <= std::time::Duration::from_secs(60);
    match is_ours && is_made {
        false => Origin::Foreign,
        true if now.since(made) <= DAY => Origin::Fresh,
        true => Origin::Old,
    }
}

fn hexadecimal(key: &[u8; 32], address: &str, seconds: i64) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104)");
    mac.update(&seconds.to_be_bytes());
    mac.update(address.as_bytes());
    hex(&mac.finalize().into_bytes()[..TAG / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];
    const NOW: Timestamp = Timestamp::from_seconds(1_772_442_000);

    #[test]
    fn a_token_is_of_its_address_and_fresh_for_a_day() {
        let token = sign(&KEY, "/r/abc", NOW);
        let later = NOW.plus(DAY).plus(std::time::Duration::from_secs(1));
        let before = Timestamp::from_seconds(1_772_442_000 - 61);
        for (what, key, address, at, expected) in [
            ("now", KEY, "/r/abc", NOW, Origin::Fresh),
            ("a day later", KEY, "/r/abc", NOW.plus(DAY), Origin::Fresh),
            ("after that", KEY, "/r/abc", later, Origin::Old),
            ("a year later", KEY, "/r/abc", NOW.plus(DAY * 365), Origin::Old),
            ("from the future", KEY, "/r/abc", before, Origin::Foreign),
            ("of another address", KEY, "/r/abd", NOW, Origin::Foreign),
            ("by another key", [8; 32], "/r/abc", NOW, Origin::Foreign),
            ("by another key, and old", [8; 32], "/r/abc", later, Origin::Foreign),
        ] {
            assert_eq!(origin(&key, address, &token, at), expected, "{what}");
        }
    }

    #[test]
    fn nothing_else_holds() {
        let token = sign(&KEY, "/r/abc", NOW);
        for at in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[at] ^= 1;
            assert_eq!(origin(&KEY, "/r/abc", &String::from_utf8(bytes).unwrap(), NOW), Origin::Foreign, "byte {at}");
        }
        for text in
            ["", ".", "1.", "1772442000.", "+1772442000.00", "99999999999999999999.00", &token[..token.len() - 1]]
        {
            assert_eq!(origin(&KEY, "/r/abc", text, NOW), Origin::Foreign, "{text}");
        }
    }
}
