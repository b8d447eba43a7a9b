//! Signed tokens: what our own links carry, so that only somebody who got the letter can answer for its customer, and keys for
//! one purpose each, derived from the master key.

use base64ct::{Base64UrlUnpadded, Encoding};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::domain::{InvitationId, ShopId, Timestamp};

/// The first byte of every token. A new layout takes the next number, so that old links stay readable.
const VERSION: u8 = 1;
/// 128 bits of HMAC-SHA-256: RFC 2104 section 5 allows half of the output, and the link stays short.
const TAG: usize = 16;
/// Version, invitation id, expiry; the shop's id and the tag follow.
const HEAD: usize = 1 + 8 + 4;
/// A shop id has 32 characters at most.
const LONGEST: usize = HEAD + 32 + TAG;

/// The key for one purpose: HMAC-SHA-256 of the purpose's name under the master key. Keys of two purposes tell nothing about
/// each other, so a leaked log key forges no link.
pub fn derive(master: &[u8], purpose: &str) -> [u8; 32] {
    hmac(master, &[b"invited key\0", purpose.as_bytes()])
}

/// What a token allows. It is part of what is signed and not of what is sent: a token for one purpose is forged for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To write and change the review of one order.
    Review,
    /// To stop letters to one customer.
    Unsubscribe,
}

impl Purpose {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Review => b"review",
            Self::Unsubscribe => b"unsubscribe",
        }
    }
}

/// A token that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The shop that sent the letter.
    pub shop: ShopId,
    /// The invitation that the letter belongs to.
    pub invitation: InvitationId,
    /// From this instant on the token is refused; whole seconds.
    pub expires: Timestamp,
}

/// Why a text is no token. Say the same to a stranger in both cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// Not made by us with this key, for this purpose.
    #[error("the token was not issued here")]
    Forged,
    /// Ours, but too old.
    #[error("the token has expired")]
    Expired,
}

impl Token {
    /// A token of about 50 characters `[A-Za-z0-9_-]`. The expiry is kept in whole seconds, rounded up, until the year 2106.
    pub fn sign(
        key: &[u8; 32],
        purpose: Purpose,
        shop: &ShopId,
        invitation: InvitationId,
        expires: Timestamp,
    ) -> String {
        let seconds = u32::try_from(expires.0.max(0).unsigned_abs().div_ceil(1000)).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(LONGEST);
        bytes.push(VERSION);
        bytes.extend(invitation.0.to_be_bytes());
        bytes.extend(seconds.to_be_bytes());
        bytes.extend(shop.as_str().as_bytes());
        let tag = tag(key, purpose, &bytes);
        bytes.extend(tag);
        Base64UrlUnpadded::encode_string(&bytes)
    }

    /// Checks a token in a time that does not depend on how much of it is right.
    ///
    /// # Errors
    /// [`InvalidToken::Expired`] only for a token that is otherwise ours.
    pub fn verify(key: &[u8; 32], purpose: Purpose, text: &str, now: Timestamp) -> Result<Self, InvalidToken> {
        let mut buffer = [0; LONGEST];
        let bytes = Base64UrlUnpadded::decode(text, &mut buffer).map_err(|_| InvalidToken::Forged)?;
        let (signed, sent) = bytes.split_last_chunk::<TAG>().ok_or(InvalidToken::Forged)?;
        if !bool::from(tag(key, purpose, signed).ct_eq(sent)) {
            return Err(InvalidToken::Forged);
        }
        let token = Self::read(signed).ok_or(InvalidToken::Forged)?;
        if now >= token.expires {
            return Err(InvalidToken::Expired);
        }
        Ok(token)
    }

    fn read(signed: &[u8]) -> Option<Self> {
        let rest = signed.strip_prefix(&[VERSION])?;
        let (invitation, rest) = rest.split_first_chunk::<8>()?;
        let (seconds, shop) = rest.split_first_chunk::<4>()?;
        Some(Self {
            shop: ShopId::parse(std::str::from_utf8(shop).ok()?).ok()?,
            invitation: InvitationId(i64::from_be_bytes(*invitation)),
            expires: Timestamp::from_seconds(i64::from(u32::from_be_bytes(*seconds))),
        })
    }
}

/// The tag over purpose and content. The length byte keeps one from running into the other.
fn tag(key: &[u8; 32], purpose: Purpose, signed: &[u8]) -> [u8; TAG] {
    let label = purpose.label();
    let whole = hmac(key, &[&[label.len().to_le_bytes()[0]], label, signed]);
    let mut tag = [0; TAG];
    tag.copy_from_slice(&whole[..TAG]);
    tag
}

pub(super) fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104)");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_251_600);
    const LATER: Timestamp = Timestamp::from_seconds(1_795_251_600 + 180 * 86_400);

    fn key() -> [u8; 32] {
        derive(b"a master key of the tests", "link")
    }

    fn shop() -> ShopId {
        ShopId::parse("nordljus").unwrap()
    }

    fn signed() -> String {
        Token::sign(&key(), Purpose::Review, &shop(), InvitationId(4711), LATER)
    }

    #[test]
    fn a_token_comes_back_as_it_was_signed_and_is_short() {
        let token = signed();
        assert_eq!(token.len(), 50);
        assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'), "{token}");
        let back = Token::verify(&key(), Purpose::Review, &token, NOW).unwrap();
        assert_eq!(back, Token { shop: shop(), invitation: InvitationId(4711), expires: LATER });
        assert_eq!(token, signed(), "signing is deterministic");
        let longest = ShopId::parse(&"s".repeat(32)).unwrap();
        let token = Token::sign(&key(), Purpose::Review, &longest, InvitationId(i64::MIN), Timestamp(i64::MAX));
        assert_eq!(Token::verify(&key(), Purpose::Review, &token, NOW).map(|t| t.shop), Ok(longest));
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let bytes = Base64UrlUnpadded::decode_vec(&signed()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let text = Base64UrlUnpadded::encode_string(&changed);
            assert_eq!(Token::verify(&key(), Purpose::Review, &text, NOW), Err(InvalidToken::Forged), "bit {bit}");
        }
    }

    #[test]
    fn every_changed_missing_or_added_character_is_refused() {
        let token = signed();
        for at in 0..token.len() {
            for other in "AQgw_-b9=+/ \u{e5}".chars() {
                let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
                let result = Token::verify(&key(), Purpose::Review, &changed, NOW);
                assert_eq!(result.is_ok(), changed == token, "{changed}");
            }
            assert!(Token::verify(&key(), Purpose::Review, &token[..at], NOW).is_err());
        }
        for more in ["A", "=", "==", "AAAA", "\n", &"A".repeat(200)] {
            assert!(Token::verify(&key(), Purpose::Review, &format!("{token}{more}"), NOW).is_err(), "{more:?}");
        }
    }

    #[test]
    fn a_token_is_good_for_one_purpose_and_one_key() {
        let token = signed();
        assert_eq!(Token::verify(&key(), Purpose::Unsubscribe, &token, NOW), Err(InvalidToken::Forged));
        assert_eq!(
            Token::verify(&derive(b"another master key", "link"), Purpose::Review, &token, NOW),
            Err(InvalidToken::Forged)
        );
    }

    #[test]
    fn a_token_ends_at_its_expiry() {
        let before = Timestamp(LATER.0 - 1);
        assert!(Token::verify(&key(), Purpose::Review, &signed(), before).is_ok());
        assert_eq!(Token::verify(&key(), Purpose::Review, &signed(), LATER), Err(InvalidToken::Expired));
        let long_ago = Token::sign(&key(), Purpose::Review, &shop(), InvitationId(1), Timestamp(-5));
        assert_eq!(Token::verify(&key(), Purpose::Review, &long_ago, NOW), Err(InvalidToken::Expired));
    }

    #[test]
    fn derived_keys_are_those_of_rfc_2104_and_differ_by_purpose() {
        // printf 'invited key\0links' | openssl dgst -sha256 -hmac Jefe
        let hex = derive(b"Jefe", "links").iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(hex, "a76d55c65a8ea61cba31daafa351cf573eb8555df7bb5478ba29e1fd5d3d0596");
        assert_ne!(derive(b"Jefe", "links"), derive(b"Jefe", "log"));
    }
}
