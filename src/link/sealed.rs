//! Sealing: a text that whoever carries it can neither read nor change. AES-256-CBC with PKCS #7 padding (NIST SP 800-38A), then
//! HMAC-SHA-256 over vector and ciphertext, each with a key of its own: the construction of Trustpilot's Business Generated Links,
//! which our own tickets share. The tag is checked before anything is decrypted, so padding tells nobody anything.

use aes::Aes256;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use subtle::ConstantTimeEq;

use super::keys::hmac;

const IV: usize = 16;
const TAG: usize = 32;

/// The two keys of a seal.
#[derive(Clone)]
pub(super) struct SealKeys {
    pub(super) encrypt: [u8; 32],
    pub(super) authenticate: [u8; 32],
}

impl SealKeys {
    /// Vector, ciphertext and tag. `beside` is covered by the tag, too, and stays outside; it has one length per use. The vector
    /// must be random: with one that was used before, texts that begin alike are seen to.
    pub(super) fn seal(&self, beside: &[u8], iv: [u8; IV], text: &[u8]) -> Vec<u8> {
        let ciphertext =
            cbc::Encryptor::<Aes256>::new(&self.encrypt.into(), &iv.into()).encrypt_padded_vec::<Pkcs7>(text);
        let tag = hmac(&self.authenticate, &[beside, &iv, &ciphertext]);
        [&iv[..], &ciphertext, &tag].concat()
    }

    /// The text, or `None` for what was not sealed with these keys beside this.
    pub(super) fn open(&self, beside: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (covered, sent) = sealed.split_last_chunk::<TAG>().unwrap_or((sealed, &[0; TAG]));
        if !bool::from(hmac(&self.authenticate, &[beside, covered]).ct_eq(sent)) {
            return None;
        }
        let (iv, ciphertext) = covered.split_first_chunk::<IV>()?;
        cbc::Decryptor::<Aes256>::new(&self.encrypt.into(), &(*iv).into()).decrypt_padded_vec::<Pkcs7>(ciphertext).ok()
    }
}

#[cfg(test)]
mod tests {
    use base64ct::{Base64, Encoding};

    use super::*;

    /// The keys of Trustpilot's own tests (nuget-authenticated-encryption).
    fn official() -> SealKeys {
        let key = |text| Base64::decode_vec(text).unwrap().try_into().unwrap();
        SealKeys {
            encrypt: key("g9hH6MkVnlKlGa5IG+5R/uKgyrCJxOsh5fXlwK0mjH0="),
            authenticate: key("oGmd/bHHkd+N6P6lZQxyfikjU7c5P/mhWO/noCsERyY="),
        }
    }

    const SEALED: &str =
        "YGyEXyUEsqCDXvEylo4ZVRWjkAMD+nGd4jhqqbA04VHpnhx2eEEUXjBE5YHCjZP+3nYiodBXWYsjy3UTO6Z8v1XaeeUBgjj6vRcxqNH0HxU=";
    const IV_OF_IT: [u8; 16] =
        [0x60, 0x6c, 0x84, 0x5f, 0x25, 0x04, 0xb2, 0xa0, 0x83, 0x5e, 0xf1, 0x32, 0x96, 0x8e, 0x19, 0x55];

    #[test]
    fn the_official_vector_is_opened_and_sealed_again_byte_for_byte() {
        let text = b"this is a test input string";
        assert_eq!(official().open(&[], &Base64::decode_vec(SEALED).unwrap()).as_deref(), Some(&text[..]));
        assert_eq!(Base64::encode_string(&official().seal(&[], IV_OF_IT, text)), SEALED);
        // The length that the official Python library's test expects.
        assert_eq!(Base64::encode_string(&official().seal(&[], [7; 16], b"this is the secret message")).len(), 108);
    }

    #[test]
    fn texts_of_every_length_come_back_and_what_openssl_makes_is_the_same() {
        for length in [0, 1, 15, 16, 17, 31, 32, 1000] {
            let text = vec![b'x'; length];
            assert_eq!(official().open(b"ab", &official().seal(b"ab", [9; 16], &text)), Some(text), "{length}");
        }
        // printf %s '' | openssl enc -aes-256-cbc -K 83d847e8…8c7d -iv 00112233445566778899aabbccddeeff, then
        // openssl dgst -sha256 -mac HMAC -macopt hexkey:a0699dfd…4726 over the vector and that
        let iv: [u8; 16] = std::array::from_fn(|n| u8::try_from(n * 0x11).unwrap());
        assert_eq!(Base64::encode_string(&official().seal(&[], iv, b"")), OF_OPENSSL_EMPTY);
        assert_eq!(Base64::encode_string(&official().seal(&[], iv, b"sixteen octets!!")), OF_OPENSSL_BLOCK);
    }

    const OF_OPENSSL_EMPTY: &str =
        "ABEiM0RVZneImaq7zN3u/2EWcbYxf+QUvf1PfdslnqrDMTVZ3C9cYMHuS65YrCffdVdnkqWGI6Vb8XHGlHg2Vw==";
    const OF_OPENSSL_BLOCK: &str =
        "ABEiM0RVZneImaq7zN3u/8sT5Kqxf4Y+9GD6uU4ka7paUBomhSFfTeZRKtll1nCv2kwl5gutNWJze3Xd+qcOM162xcKf667qTzH0c9fdrv0=";

    #[test]
    fn every_flipped_bit_and_every_missing_octet_is_refused() {
        let sealed = official().seal(b"ab", [9; 16], b"a text of two blocks");
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(official().open(b"ab", &changed), None, "bit {bit}");
        }
        for end in 0..sealed.len() {
            assert_eq!(official().open(b"ab", &sealed[..end]), None, "{end}");
        }
        assert_eq!(official().open(b"ac", &sealed), None, "beside something else");
        let swapped = SealKeys { encrypt: official().authenticate, authenticate: official().encrypt };
        assert_eq!(swapped.open(b"ab", &sealed), None);
    }
}
