//! The mark by which a mail that we sent to ourselves is known again, so that trying the whole way invites nobody: signed for one shop
//! and one hour.

use std::time::Duration;

use subtle::ConstantTimeEq as _;

use super::keys::hmac;
use crate::domain::{HOUR, ShopId, Timestamp, hex};

/// The header field that holds it.
pub const FIELD: &str = "X-Invited-Probe";

/// How long it is good, either way: a probe that is put off and comes later is known still.
const GOOD_FOR: Duration = HOUR;

/// A mark for a shop, made at `at`; `nonce` makes it one of a kind.
pub fn sign(key: &[u8; 32], shop: &ShopId, at: Timestamp, nonce: [u8; 8]) -> String {
    let nonce = hex(&nonce);
    let seconds = at.0.div_euclid(1_000);
    let mac = mac(key, shop, seconds, &nonce);
    format!("{seconds}.{nonce}.{mac}")
}

/// Whether a text is such a mark.
pub fn is_ours(key: &[u8; 32], shop: &ShopId, text: &str, now: Timestamp) -> bool {
    let mut parts = text.trim().split('.');
    let (Some(seconds), Some(nonce), Some(signed), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let Ok(seconds) = seconds.parse::<i64>() else { return false };
    let age = Duration::from_secs(now.0.div_euclid(1_000).abs_diff(seconds));
    age <= GOOD_FOR && bool::from(mac(key, shop, seconds, nonce).as_bytes().ct_eq(signed.as_bytes()))
}

fn mac(key: &[u8; 32], shop: &ShopId, seconds: i64, nonce: &str) -> String {
    let mac = hmac(key, &[b"invited probe\0", shop.as_str().as_bytes(), &[0], format!("{seconds}.{nonce}").as_bytes()]);
    hex(&mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_251_600);

    #[test]
    fn a_mark_is_good_for_its_shop_its_key_and_its_hour() {
        let (shop, other) = (ShopId::parse("nord").unwrap(), ShopId::parse("sud").unwrap());
        let (key, wrong) = ([7; 32], [8; 32]);
        let mark = sign(&key, &shop, NOW, [1; 8]);
        assert!(is_ours(&key, &shop, &format!(" {mark} "), NOW));
        assert!(is_ours(&key, &shop, &mark, NOW.plus(HOUR)));
        assert!(!is_ours(&key, &shop, &mark, NOW.plus(HOUR + Duration::from_secs(1))));
        assert!(!is_ours(&key, &shop, &sign(&key, &shop, NOW.plus(HOUR * 2), [1; 8]), NOW), "of a time to come");
        assert!(!is_ours(&wrong, &shop, &mark, NOW));
        assert!(!is_ours(&key, &other, &mark, NOW));
        let later = mark.replacen("1795251600", "1795251601", 1);
        for bad in [later.as_str(), "", "..", "a.b.c", "1795251600.00", &format!("{mark}.x"), &mark[..mark.len() - 1]] {
            assert!(!is_ours(&key, &shop, bad, NOW), "{bad}");
        }
    }
}
