//! Signed tokens: what our own links carry, so that only somebody who got the letter can answer for its customer. Nothing of the
//! customer stands in one.

use base64ct::{Base64UrlUnpadded, Encoding};
use subtle::ConstantTimeEq;

use super::keys::{LinkKey, LinkKeys, hmac};
use crate::domain::{ShopId, Timestamp};

/// The first byte of every token. A new layout takes the next number, so that old links stay readable.
const VERSION: u8 = 2;
/// 128 bits of HMAC-SHA-256: RFC 2104 section 5 allows half of the output, and the link stays short.
const TAG: usize = 16;
/// Version, key's number, series, number, expiry; the shop's id and the tag follow.
const HEAD: usize = 1 + 1 + 1 + 8 + 4;
/// A shop id has 32 characters at most.
const SIGNED: usize = HEAD + 32;
const LONGEST: usize = SIGNED + TAG;

/// What a token allows. It is part of what is signed and not of what is sent: a token for one purpose is forged for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To write and change the reviews of one order, and to put its letters off.
    Review,
    /// To stop letters to one customer.
    Unsubscribe,
    /// To see what is stored about one customer, and to ask for its erasure.
    Data,
    /// To see one order's letter in the browser.
    View,
    /// To change a review that came by the shop's generic link.
    Basic,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Review, Self::Unsubscribe, Self::Data, Self::View, Self::Basic];

    /// As it is signed, and as people are told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Review => "review",
            Self::Unsubscribe => "unsubscribe",
            Self::Data => "data",
            Self::View => "view",
            Self::Basic => "basic",
        }
    }

    /// Whether such a link ends, by time or by being revoked. Whoever finds an old letter must be able to leave: RFC 8058 and the law
    /// know of no day from which on that may fail, so the link to unsubscribe is good as long as its key.
    pub const fn has_an_end(self) -> bool {
        !matches!(self, Self::Unsubscribe)
    }
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The shop that sent the letter.
    pub shop: ShopId,
    /// The invitation that the letter belongs to; for [`Purpose::Basic`] the review.
    pub number: i64,
    /// Which series of its invitation's links it is of. Links are revoked by beginning another, so one of an earlier series is
    /// authentic and revoked: whoever knows the invitation has to compare.
    pub series: u8,
    /// From this instant on the token is refused; whole seconds.
    pub expires: Timestamp,
}

/// Why a text is no token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// Not made by us with a key that is in use, or for another purpose. Say no more to a stranger.
    #[error("the token was not issued here")]
    Forged,
    /// Ours, but too old. Whoever has it had the letter, and may be told so.
    #[error("the token has expired")]
    Expired(Token),
}

impl Token {
    /// The token as text, of about 52 characters `[A-Za-z0-9_-]`, signed with the first key. The expiry is kept in whole seconds,
    /// rounded up, until the year 2106.
    pub fn sign(&self, keys: &LinkKeys, purpose: Purpose) -> String {
        let key = keys.signs();
        let seconds = u32::try_from(self.expires.0.max(0).unsigned_abs().div_ceil(1000)).unwrap_or(u32::MAX);
        let mut bytes = Vec::with_capacity(LONGEST);
        bytes.extend([VERSION, key.id, self.series]);
        bytes.extend(self.number.to_be_bytes());
        bytes.extend(seconds.to_be_bytes());
        bytes.extend(self.shop.as_str().as_bytes());
        let tag = tag(key, purpose, &bytes);
        bytes.extend(tag);
        Base64UrlUnpadded::encode_string(&bytes)
    }

    /// Checks a token. Whatever the text is, one tag over as many bytes is made and compared, so that the time it takes does not
    /// say what is wrong with it.
    ///
    /// # Errors
    /// [`InvalidToken::Expired`] only for a token that is otherwise ours.
    pub fn verify(keys: &LinkKeys, purpose: Purpose, text: &str, now: Timestamp) -> Result<Self, InvalidToken> {
        let mut buffer = [0; LONGEST];
        let decoded = Base64UrlUnpadded::decode(text, &mut buffer).ok().and_then(|bytes| bytes.split_last_chunk());
        let (signed, sent): (&[u8], &[u8; TAG]) = decoded.unwrap_or((&[], &[0; TAG]));
        let (key, is_known) = keys.of(signed.get(1).copied().unwrap_or_default());
        let is_signed = bool::from(tag(key, purpose, signed).ct_eq(sent));
        if !(is_signed && is_known && decoded.is_some()) {
            return Err(InvalidToken::Forged);
        }
        let token = Self::read(signed).ok_or(InvalidToken::Forged)?;
        if now >= token.expires { Err(InvalidToken::Expired(token)) } else { Ok(token) }
    }

    fn read(signed: &[u8]) -> Option<Self> {
        let ([VERSION, _, series], rest) = signed.split_first_chunk::<3>()? else { return None };
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (seconds, shop) = rest.split_first_chunk::<4>()?;
        Some(Self {
            shop: ShopId::parse(std::str::from_utf8(shop).ok()?).ok()?,
            number: i64::from_be_bytes(*number),
            series: *series,
            expires: Timestamp::from_seconds(i64::from(u32::from_be_bytes(*seconds))),
        })
    }

    /// The number of the key that a text claims to be signed with, true or not; `None` when it has not the shape of a token.
    pub fn claimed_key(text: &str) -> Option<u8> {
        let mut buffer = [0; LONGEST];
        match Base64UrlUnpadded::decode(text, &mut buffer) {
            Ok([VERSION, key, rest @ ..]) if rest.len() > HEAD + TAG - 2 => Some(*key),
            _ => None,
        }
    }
}

/// The tag over purpose and content. The bytes of lengths keep one from running into the other; the content is filled up to the
/// longest that there is, so that tags of long and short ones take the same time.
fn tag(key: &LinkKey, purpose: Purpose, signed: &[u8]) -> [u8; TAG] {
    let label = purpose.as_str().as_bytes();
    let mut padded = [0; SIGNED];
    for (place, byte) in padded.iter_mut().zip(signed) {
        *place = *byte;
    }
    let lengths = [label.len().to_le_bytes()[0], signed.len().to_le_bytes()[0]];
    let whole = hmac(&key.tokens, &[&lengths, label, &padded]);
    let mut tag = [0; TAG];
    tag.copy_from_slice(&whole[..TAG]);
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_251_600);
    const LATER: Timestamp = Timestamp::from_seconds(1_795_251_600 + 180 * 86_400);

    fn keys() -> LinkKeys {
        LinkKeys::new((1, [1; 32]), [])
    }

    fn token() -> Token {
        Token { shop: ShopId::parse("nordljus").unwrap(), number: 4711, series: 0, expires: LATER }
    }

    fn signed() -> String {
        token().sign(&keys(), Purpose::Review)
    }

    fn verify(keys: &LinkKeys, text: &str) -> Result<Token, InvalidToken> {
        Token::verify(keys, Purpose::Review, text, NOW)
    }

    #[test]
    fn a_token_comes_back_as_it_was_signed_and_is_short() {
        let text = signed();
        assert_eq!(text.len(), 52);
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'), "{text}");
        assert_eq!(verify(&keys(), &text), Ok(token()));
        assert_eq!(text, signed(), "signing is deterministic");
        assert_eq!(Token::claimed_key(&text), Some(1));
        let longest = ShopId::parse(&"s".repeat(32)).unwrap();
        let token = Token { shop: longest, number: i64::MIN, series: 255, expires: Timestamp(i64::MAX) };
        let text = token.sign(&keys(), Purpose::Review);
        let ends = Timestamp::from_seconds(i64::from(u32::MAX));
        assert_eq!(verify(&keys(), &text), Ok(Token { expires: ends, ..token }));
        assert!(text.len() + "/u/".len() < 100, "a header field with it stays on one line");
    }

    /// python3: d=lambda k,p:hmac.new(k,b'invited key\0'+p,'sha256').digest(); b=bytes([2,1,0])+(4711).to_bytes(8,'big')
    /// +(1810803600).to_bytes(4,'big')+b'nordljus'; t=hmac.new(d(bytes([1])*32,b'tokens'),bytes([6,len(b)])+b'review'
    /// +b.ljust(47,b'\0'),'sha256').digest()[:16]; base64.urlsafe_b64encode(b+t).rstrip(b'=')
    #[test]
    fn a_token_is_what_others_would_compute() {
        assert_eq!(signed(), "AgEAAAAAAAAAEmdr7quQbm9yZGxqdXOSbOzzMBoLBO8Mhz_w6MuK");
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let bytes = Base64UrlUnpadded::decode_vec(&signed()).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let text = Base64UrlUnpadded::encode_string(&changed);
            assert_eq!(verify(&keys(), &text), Err(InvalidToken::Forged), "bit {bit}");
        }
    }

    #[test]
    fn every_changed_missing_or_added_character_is_refused() {
        let token = signed();
        for at in 0..token.len() {
            for other in "AQgw_-b9=+/ \u{e5}".chars() {
                let changed = format!("{}{other}{}", &token[..at], &token[at + 1..]);
                assert_eq!(verify(&keys(), &changed).is_ok(), changed == token, "{changed}");
            }
            assert!(verify(&keys(), &token[..at]).is_err());
        }
        for more in ["A", "=", "==", "AAAA", "\n", &"A".repeat(200)] {
            assert!(verify(&keys(), &format!("{token}{more}")).is_err(), "{more:?}");
        }
    }

    /// What a guesser may send, a third each: octets of any number, the right beginning with any tag, a right token with one octet
    /// changed.
    #[test]
    fn of_many_random_texts_none_is_a_token() {
        let right = Base64UrlUnpadded::decode_vec(&signed()).unwrap();
        let keys = keys();
        let mut random = 0x9E37_79B9_7F4A_7C15_u64;
        let mut byte = || {
            // Marsaglia's xorshift: the same guesses at every run.
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random.to_le_bytes()[3]
        };
        // A million where the code is optimised; where it is not they would take a quarter of a minute.
        for round in 0..if cfg!(debug_assertions) { 100_000 } else { 1_000_000 } {
            let mut bytes = right.clone();
            match round % 3 {
                0 => bytes = (0..byte() / 3).map(|_| byte()).collect(),
                1 => bytes.iter_mut().rev().take(TAG).for_each(|place| *place = byte()),
                _ => {
                    let at = usize::from(byte()) % bytes.len();
                    bytes[at] ^= byte() | 1;
                }
            }
            assert!(verify(&keys, &Base64UrlUnpadded::encode_string(&bytes)).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn a_token_is_good_for_one_purpose_only() {
        for signs in Purpose::ALL {
            let text = token().sign(&keys(), signs);
            for asked in Purpose::ALL {
                let result = Token::verify(&keys(), asked, &text, NOW);
                assert_eq!(result, if asked == signs { Ok(token()) } else { Err(InvalidToken::Forged) });
            }
        }
    }

    #[test]
    fn an_old_key_is_good_while_it_is_listed_and_no_longer() {
        let text = signed();
        let rotated = LinkKeys::new((2, [2; 32]), [(1, [1; 32])]);
        assert_eq!(verify(&rotated, &text), Ok(token()));
        let of_the_new = token().sign(&rotated, Purpose::Review);
        assert_eq!((verify(&rotated, &of_the_new), Token::claimed_key(&of_the_new)), (Ok(token()), Some(2)));
        assert_eq!(verify(&keys(), &of_the_new), Err(InvalidToken::Forged), "a key that is not there");
        let removed = LinkKeys::new((2, [2; 32]), []);
        assert_eq!(verify(&removed, &text), Err(InvalidToken::Forged));
        let other_secret = LinkKeys::new((1, [2; 32]), [(2, [1; 32])]);
        assert_eq!(verify(&other_secret, &text), Err(InvalidToken::Forged));
    }

    #[test]
    fn a_token_says_which_shop_and_which_series_it_is_of() {
        for (shop, series) in [("nordljus", 0), ("sydljus", 0), ("nordljus", 1), ("nordljus", 255)] {
            let token = Token { shop: ShopId::parse(shop).unwrap(), series, ..token() };
            assert_eq!(verify(&keys(), &token.sign(&keys(), Purpose::Review)), Ok(token));
        }
    }

    #[test]
    fn a_token_ends_at_its_expiry() {
        let at = |now| Token::verify(&keys(), Purpose::Review, &signed(), now);
        assert_eq!(at(Timestamp(LATER.0 - 1)), Ok(token()));
        assert_eq!(at(LATER), Err(InvalidToken::Expired(token())));
        let long_ago = Token { expires: Timestamp(-5), ..token() }.sign(&keys(), Purpose::Review);
        assert!(matches!(verify(&keys(), &long_ago), Err(InvalidToken::Expired(_))));
    }
}
