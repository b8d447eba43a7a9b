//! Signs mails as shops and mail servers do (RFC 6376, RFC 8617), with every tag in the test's hand: relaxed, Ed25519 or RSA. It is
//! written without the library that verifies.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64ct::{Base64, Encoding};
use sha2::{Digest, Sha256};

/// A key with its record.
pub(crate) enum Key {
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Key {
    pub(crate) fn ed25519() -> Self {
        Self::Ed25519(Ed25519KeyPair::generate().unwrap())
    }

    pub(crate) fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    /// The key record for the DNS.
    pub(crate) fn record(&self) -> String {
        match self {
            Self::Ed25519(key) => format!("v=DKIM1; k=ed25519; p={}", encode(key.public_key().as_ref())),
            Self::Rsa(key) => {
                let der = AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(key.public_key()).unwrap();
                format!("v=DKIM1; k=rsa; p={}", encode(der.as_ref()))
            }
        }
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "ed25519-sha256",
            Self::Rsa(_) => "rsa-sha256",
        }
    }

    fn sign(&self, data: &[u8]) -> String {
        match self {
            // RFC 8463, section 3: the hash is what is signed.
            Self::Ed25519(key) => encode(key.sign(&Sha256::digest(data)).as_ref()),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), data, &mut signature).unwrap();
                encode(&signature)
            }
        }
    }
}

fn encode(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// Who signs, and how.
#[derive(Clone, Copy)]
pub(crate) struct How<'h> {
    pub(crate) domain: &'h str,
    pub(crate) selector: &'h str,
    /// The fields, `from:to:subject`.
    pub(crate) fields: &'h str,
    /// Other tags, such as `t=1; `.
    pub(crate) tags: &'h str,
    /// Only so many bytes of the body.
    pub(crate) length: Option<usize>,
}

/// The mail with a DKIM-Signature on top.
pub(crate) fn signed(mail: &str, key: &Key, how: How<'_>) -> String {
    let how_many = how.length.map_or_else(String::new, |length| format!("l={length}; "));
    let tags = format!("v=1; {how_many}");
    format!("{}{mail}", signature("DKIM-Signature", &tags, mail, key, how))
}

/// The mail with a first set of ARC fields on top: what a mail server found, its signature, its seal.
pub(crate) fn sealed(mail: &str, key: &Key, how: How<'_>, found: &str) -> String {
    let results = format!("ARC-Authentication-Results: i=1; {}; {found}\r\n", how.domain);
    let own = signature("ARC-Message-Signature", "i=1; ", mail, key, how);
    let open =
        format!("ARC-Seal: i=1; a={}; cv=none; d={}; s={}; {}b=", key.algorithm(), how.domain, how.selector, how.tags);
    let data = format!("{}{}{}", relaxed(&results), relaxed(&own), relaxed(&open).trim_end());
    format!("{open}{}\r\n{own}{results}{mail}", key.sign(data.as_bytes()))
}

fn signature(name: &str, first: &str, mail: &str, key: &Key, how: How<'_>) -> String {
    let (section, body) = mail.split_once("\r\n\r\n").unwrap();
    let body = &body[..how.length.unwrap_or(body.len())];
    let open = format!(
        "{name}: {first}a={}; c=relaxed/relaxed; d={}; s={}; {}h={}; bh={}; b=",
        key.algorithm(),
        how.domain,
        how.selector,
        how.tags,
        how.fields,
        encode(&Sha256::digest(body)),
    );
    let mut left = section.split("\r\n").collect::<Vec<_>>();
    let mut data = String::new();
    for field in how.fields.split(':') {
        let is_it = |line: &&str| line.split_once(':').is_some_and(|(name, _)| name.eq_ignore_ascii_case(field));
        // From the bottom upwards, each once.
        if let Some(at) = left.iter().rposition(is_it) {
            data.push_str(&relaxed(left.remove(at)));
        }
    }
    data.push_str(relaxed(&open).trim_end());
    format!("{open}{}\r\n", key.sign(data.as_bytes()))
}

/// A field in relaxed form, for fields of one line with single blanks.
fn relaxed(field: &str) -> String {
    let (name, value) = field.split_once(':').unwrap();
    format!("{}:{}\r\n", name.to_ascii_lowercase(), value.trim())
}
