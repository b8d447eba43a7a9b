//! The signature of those who tell us something: Standard Webhooks (standardwebhooks.com, version 1), HMAC-SHA-256 over
//! `id.timestamp.body` in base64.

use std::time::Duration;

use axum::http::HeaderMap;
use base64ct::{Base64, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::domain::Timestamp;

/// How far the sender's clock may be from ours, which is also how long a message could be handed in again. It says the same thing
/// then, and changes nothing.
const TOLERANCE: Duration = Duration::from_secs(300);

/// Signatures that are looked at; a sender has several while it changes its secret.
const SIGNATURES: usize = 8;

/// Whether the body was signed lately with this secret.
pub(super) fn holds(secret: &[u8], headers: &HeaderMap, body: &[u8], now: Timestamp) -> bool {
    let field = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let value = values.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
        if values.next().is_some() { "" } else { value }
    };
    let (id, seconds, signatures) = (field("webhook-id"), field("webhook-timestamp"), field("webhook-signature"));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length (RFC 2104)");
    for part in [id.as_bytes(), b".", seconds.as_bytes(), b".", body] {
        mac.update(part);
    }
    let tag = mac.finalize().into_bytes();
    let is_signed = signatures.split(' ').take(SIGNATURES).fold(false, |found, signature| {
        let given = signature.strip_prefix("v1,").and_then(|text| Base64::decode_vec(text).ok()).unwrap_or_default();
        let same: bool = subtle::ConstantTimeEq::ct_eq(&tag[..], &given[..]).into();
        found | same
    });
    let is_number = seconds.len() <= 12 && seconds.bytes().all(|byte| byte.is_ascii_digit());
    let sent = is_number.then(|| seconds.parse().ok()).flatten().map(Timestamp::from_seconds);
    let is_fresh = sent.is_some_and(|sent| now.since(sent) <= TOLERANCE && sent.since(now) <= TOLERANCE);
    is_signed && is_fresh && !id.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    // The example of the specification's reference implementations.
    const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const BODY: &str = "{\"test\": 2432232314}";
    const SENT: i64 = 1_614_265_330;

    fn holds_with(id: &str, sent: &str, signature: &str, body: &str, now: i64) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in [("webhook-id", id), ("webhook-timestamp", sent), ("webhook-signature", signature)] {
            headers.insert(name, value.parse().unwrap());
        }
        let secret = Base64::decode_vec(SECRET).unwrap();
        holds(&secret, &headers, body.as_bytes(), Timestamp::from_seconds(now))
    }

    #[test]
    fn the_vector_of_the_specification_holds_for_five_minutes() {
        let sent = SENT.to_string();
        for (now, expected) in
            [(SENT, true), (SENT + 300, true), (SENT - 300, true), (SENT + 301, false), (SENT - 301, false)]
        {
            assert_eq!(holds_with(ID, &sent, SIGNATURE, BODY, now), expected, "{now}");
        }
        assert!(holds_with(ID, &sent, &format!("v1,AAAA v2,x {SIGNATURE}"), BODY, SENT), "one of several");
    }

    #[test]
    fn whatever_was_changed_does_not_hold() {
        let sent = SENT.to_string();
        for (id, at, signature, body) in [
            ("msg_other", sent.as_str(), SIGNATURE, BODY),
            ("", sent.as_str(), SIGNATURE, BODY),
            (ID, "1614265331", SIGNATURE, BODY),
            (ID, "", SIGNATURE, BODY),
            (ID, "+1614265330", SIGNATURE, BODY),
            (ID, sent.as_str(), "", BODY),
            (ID, sent.as_str(), "v1,", BODY),
            (ID, sent.as_str(), &SIGNATURE[3..], BODY),
            (ID, sent.as_str(), &SIGNATURE.replace("v1", "v2"), BODY),
            (ID, sent.as_str(), SIGNATURE, "{\"test\": 2432232315}"),
            (ID, sent.as_str(), SIGNATURE, ""),
        ] {
            assert!(!holds_with(id, at, signature, body, SENT), "{id} {at} {signature} {body}");
        }
    }
}
