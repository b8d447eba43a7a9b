//! A signing key: read from PEM, made anew, and as the record that publishes it.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use base64ct::{Base64, Encoding as _};
use mail_auth::common::crypto::{DkimKey, Ed25519Key, RsaKey};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;

/// Verifiers need not know longer RSA keys (RFC 8301 3.2), and their records do not fit into a DNS answer over UDP.
const RSA_BITS_AT_MOST: usize = 4_096;

/// The names of the algorithms in a PKCS#8 key, as its DER spells them.
const RSA_OID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const ED25519_OID: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];

/// A string of a TXT record holds so many octets (RFC 1035 3.3.14).
const TXT_STRING: usize = 255;

/// What a key signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// `rsa-sha256`: every verifier knows it. New keys have 2048 bits (RFC 8301 3.2).
    Rsa,
    /// `ed25519-sha256` (RFC 8463): a short record, but not every verifier knows it, so it stands beside an RSA key.
    Ed25519,
}

impl Algorithm {
    /// Its name in a key's record (`k=`).
    pub fn name(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        }
    }
}

/// Why a text cannot be used as a key. Holds nothing of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No key in PEM, or one behind a passphrase.
    #[error("holds no private key in PEM that can be read without a passphrase")]
    NoKey,
    /// A key of another kind, or one that is damaged.
    #[error("holds a private key that is neither RSA nor Ed25519")]
    OtherKind,
    /// An RSA key that is not accepted.
    #[error("holds an RSA key that cannot be used, since it is damaged or shorter than 2048 bits")]
    Rsa,
    /// An RSA key that receivers may not be able to check.
    #[error("holds an RSA key of {0} bits, and receivers need not know more than 4096")]
    TooLong(usize),
    /// An Ed25519 key that is damaged.
    #[error("holds an Ed25519 key that is damaged")]
    Ed25519,
    /// Randomness is not to be had; not met in practice.
    #[error("cannot be made: the system gives no random numbers")]
    NoRandomness,
}

/// A private key with what is published of it.
pub struct SigningKey {
    pub(super) key: DkimKey,
    algorithm: Algorithm,
    /// What `p=` holds: SubjectPublicKeyInfo of RSA (RFC 6376 3.6.1), the bare 32 octets of Ed25519 (RFC 8463 4.2).
    public: Vec<u8>,
}

impl SigningKey {
    /// Reads a key in PEM: PKCS#8 (`PRIVATE KEY`) or PKCS#1 (`RSA PRIVATE KEY`).
    ///
    /// # Errors
    /// When it is no key that letters can be signed with.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| KeyError::NoKey)?;
        let head = |oid: &[u8]| {
            der.secret_der().iter().take(40).copied().collect::<Vec<_>>().windows(oid.len()).any(|w| w == oid)
        };
        match &der {
            PrivateKeyDer::Pkcs1(key) => Self::rsa(RsaKeyPair::from_der(key.secret_pkcs1_der()), &der),
            PrivateKeyDer::Pkcs8(key) if head(RSA_OID) => {
                Self::rsa(RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()), &der)
            }
            PrivateKeyDer::Pkcs8(key) if head(ED25519_OID) => Self::ed25519(key.secret_pkcs8_der()),
            _ => Err(KeyError::OtherKind),
        }
    }

    fn rsa(pair: Result<RsaKeyPair, aws_lc_rs::error::KeyRejected>, der: &PrivateKeyDer<'_>) -> Result<Self, KeyError> {
        let pair = pair.map_err(|_| KeyError::Rsa)?;
        let bits = pair.public_modulus_len() * 8;
        if bits > RSA_BITS_AT_MOST {
            return Err(KeyError::TooLong(bits));
        }
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).map_err(|_| KeyError::Rsa)?;
        let key = RsaKey::from_key_der(der.clone_key()).map_err(|_| KeyError::Rsa)?;
        Ok(Self { key: DkimKey::Rsa(key), algorithm: Algorithm::Rsa, public: public.as_ref().to_vec() })
    }

    /// `openssl genpkey` leaves the public half out, hence "maybe unchecked".
    fn ed25519(der: &[u8]) -> Result<Self, KeyError> {
        let key = Ed25519Key::from_pkcs8_maybe_unchecked_der(der).map_err(|_| KeyError::Ed25519)?;
        let public = key.public_key();
        Ok(Self { key: DkimKey::Ed25519(key), algorithm: Algorithm::Ed25519, public })
    }

    /// Makes a key: itself, and the PEM text (PKCS#8) to keep.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn generate(algorithm: Algorithm) -> Result<(Self, String), KeyError> {
        let no_randomness = |_| KeyError::NoRandomness;
        let der = match algorithm {
            Algorithm::Rsa => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(no_randomness)?;
                AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(no_randomness)?
            }
            Algorithm::Ed25519 => {
                let pair = Ed25519KeyPair::generate().map_err(no_randomness)?;
                AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(no_randomness)?
            }
        };
        let pem = pem(der.as_ref());
        Ok((Self::from_pem(&pem)?, pem))
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The text of the record that publishes it (RFC 6376 3.6.1).
    pub fn record(&self) -> String {
        format!("v=DKIM1; k={}; p={}", self.algorithm.name(), Base64::encode_string(&self.public))
    }

    /// The same as a zone file has it: in strings of at most 255 octets, which readers put together again (RFC 6376 3.6.2.2).
    pub fn record_in_strings(&self) -> String {
        let record = self.record();
        let strings = record.as_bytes().chunks(TXT_STRING).map(|part| format!("\"{}\"", String::from_utf8_lossy(part)));
        strings.collect::<Vec<_>>().join(" ")
    }

    /// What `p=` of a record must hold for this key: of RSA also without the name of the algorithm around it, which some publish
    /// and verifiers take.
    pub(super) fn is_published_as(&self, public: &[u8]) -> bool {
        let bare = match self.algorithm {
            // The key itself is the end of SubjectPublicKeyInfo, after a sequence and a bit string of 24 octets in all.
            Algorithm::Rsa => self.public.get(24..),
            Algorithm::Ed25519 => None,
        };
        public == self.public || bare == Some(public)
    }
}

/// Shows what is public.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.algorithm.name())
    }
}

fn pem(der: &[u8]) -> String {
    let text = Base64::encode_string(der);
    let mut pem = "-----BEGIN PRIVATE KEY-----\n".to_owned();
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem + "-----END PRIVATE KEY-----\n"
}
