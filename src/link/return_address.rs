//! Return addresses: `bounce+<token>@<ingest domain>`, the envelope sender of one letter (VERP). Whoever writes to one has seen the
//! letter or a notice about it; nobody can make one up. The token is the letter's number and 96 bits of HMAC over purpose, shop and
//! number, in base32 (RFC 4648, section 6), since mail servers change the letter case of addresses.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

use crate::domain::{LetterId, ShopId};

/// What stands before the token.
const PREFIX: &str = "bounce+";
/// Bytes of the MAC: beyond any chance of guessing over a network.
const TAG: usize = 12;
/// Letter number and MAC; a multiple of five, so that base32 has no bits to spare and every token has one spelling.
const TOKEN: usize = 8 + TAG;
/// Characters of a token.
const WRITTEN: usize = TOKEN / 5 * 8;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The part before the `@` of a letter's return address, 39 characters.
pub fn return_address(key: &[u8; 32], shop: &ShopId, letter: LetterId) -> String {
    let number = letter.0.to_be_bytes();
    let mut token = [0; TOKEN];
    token[..8].copy_from_slice(&number);
    token[8..].copy_from_slice(&tag(key, shop, number));
    format!("{PREFIX}{}", written(&token))
}

/// The letter that a return address belongs to, of one of these shops. Takes as long for a wrong token as for a right one: every
/// shop's MAC is made and compared to the end.
pub fn letter_of<'s>(
    key: &[u8; 32],
    shops: impl Iterator<Item = &'s ShopId>,
    local_part: &str,
) -> Option<(ShopId, LetterId)> {
    let (prefix, text) = local_part.split_at_checked(PREFIX.len())?;
    if !prefix.eq_ignore_ascii_case(PREFIX) {
        return None;
    }
    let token = read(text)?;
    let (number, sent) = token.split_first_chunk::<8>()?;
    let mut found = None;
    for shop in shops {
        let is_it: Choice = tag(key, shop, *number).ct_eq(sent);
        if bool::from(is_it) {
            found = Some((shop.clone(), LetterId(i64::from_be_bytes(*number))));
        }
    }
    found
}

fn tag(key: &[u8; 32], shop: &ShopId, number: [u8; 8]) -> [u8; TAG] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104)");
    for part in [&b"return address\0"[..], &number, shop.as_str().as_bytes()] {
        mac.update(part);
    }
    let mut tag = [0; TAG];
    tag.copy_from_slice(&mac.finalize().into_bytes()[..TAG]);
    tag
}

/// In base32, lower case: five bytes become eight characters.
fn written(token: &[u8; TOKEN]) -> String {
    let mut text = String::with_capacity(WRITTEN);
    for five in token.chunks(5) {
        let bits = five.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        for place in (0..8).rev() {
            text.push(char::from(ALPHABET[(bits >> (place * 5) & 31) as usize]));
        }
    }
    text
}

fn read(text: &str) -> Option<[u8; TOKEN]> {
    if text.len() != WRITTEN {
        return None;
    }
    let mut token = [0; TOKEN];
    for (eight, five) in text.as_bytes().chunks(8).zip(token.chunks_mut(5)) {
        let mut bits = 0_u64;
        for byte in eight {
            let value = match byte.to_ascii_lowercase() {
                letter @ b'a'..=b'z' => letter - b'a',
                digit @ b'2'..=b'7' => digit - b'2' + 26,
                _ => return None,
            };
            bits = bits << 5 | u64::from(value);
        }
        five.copy_from_slice(bits.to_be_bytes().get(3..)?);
    }
    Some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::derive;

    fn key() -> [u8; 32] {
        derive(b"a master key of the tests", "return addresses")
    }

    fn shop(name: &str) -> ShopId {
        ShopId::parse(name).unwrap()
    }

    fn shops() -> Vec<ShopId> {
        vec![shop("nordljus"), shop("nord"), shop("a")]
    }

    #[test]
    fn a_return_address_is_known_again_in_any_letter_case() {
        for letter in [0, 1, 4711, i64::MAX] {
            for shop in shops() {
                let address = return_address(&key(), &shop, LetterId(letter));
                assert_eq!(address.len(), 39);
                for written in [address.clone(), address.to_uppercase()] {
                    assert_eq!(letter_of(&key(), shops().iter(), &written), Some((shop.clone(), LetterId(letter))));
                }
            }
        }
    }

    #[test]
    fn a_return_address_is_what_others_would_compute() {
        // python3: k=hmac.new(b'a master key of the tests', b'invited key\0return addresses', 'sha256').digest()
        // n=(4711).to_bytes(8,'big'); t=hmac.new(k, b'return address\0'+n+b'nordljus', 'sha256').digest()[:12]
        // base64.b32encode(n+t).decode().lower()
        assert_eq!(
            return_address(&key(), &shop("nordljus"), LetterId(4711)),
            "bounce+aaaaaaaaaajgo54panok7crkkeximrny"
        );
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let address = return_address(&key(), &shop("nordljus"), LetterId(4711));
        let token = read(&address[PREFIX.len()..]).unwrap();
        for bit in 0..TOKEN * 8 {
            let mut changed = token;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(letter_of(&key(), shops().iter(), &format!("{PREFIX}{}", written(&changed))), None, "bit {bit}");
        }
    }

    #[test]
    fn what_is_no_return_address_is_refused() {
        let address = return_address(&key(), &shop("nordljus"), LetterId(4711));
        assert_eq!(letter_of(&key(), [shop("nord")].iter(), &address), None, "another shop's");
        assert_eq!(letter_of(&derive(b"other", "return addresses"), shops().iter(), &address), None);
        for bad in [
            "",
            "bounce+",
            "bounce",
            &address[..38],
            &format!("{address}a"),
            &address.replace('+', "-"),
            "bounce+11111111111111111111111111111111",
            "bounc\u{e9}+aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert_eq!(letter_of(&key(), shops().iter(), bad), None, "{bad}");
        }
    }
}
