//! The signatures over a letter.

use std::collections::HashMap;
use std::fmt;

use mail_auth::common::crypto::DkimKey;
use mail_auth::common::headers::HeaderWriter as _;
use mail_auth::dkim::{DkimSigner, Done};

use super::key::SigningKey;

/// What is signed: all that a reader or a mailbox provider goes by (RFC 6376 5.4.1). A field that stands here is signed as often as
/// the letter has it; one that it has not is signed as missing, so that nobody can add it. `From` and the others that may stand
/// in a letter only once stand here twice for the same reason: a second one breaks the signature (RFC 6376 8.15). `Sender` and what
/// relays add by right are left alone.
const FIELDS: &[&str] = &[
    "From",
    "From",
    "Reply-To",
    "Reply-To",
    "To",
    "To",
    "Cc",
    "Subject",
    "Subject",
    "Date",
    "Date",
    "Message-ID",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Language",
    "Auto-Submitted",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Feedback-ID",
];

/// The keys of all domains that letters come from.
#[derive(Default)]
pub struct Signers(HashMap<String, Vec<DkimSigner<DkimKey, Done>>>);

impl Signers {
    /// Adds a key, published under `selector` below `domain` (lower-case A-labels).
    pub fn add(&mut self, domain: &str, selector: &str, key: SigningKey) {
        let signer = DkimSigner::from_key(key.key).domain(domain).selector(selector).headers(FIELDS.iter().copied());
        self.0.entry(domain.to_owned()).or_default().push(signer);
    }

    /// The message with a signature of each of the domain's keys in front, in the order in which they were added; relaxed in header
    /// and body, since relays fold lines anew. A message of a domain without a key stays as it is.
    ///
    /// The time in a signature is that of the machine: the library asks for it itself.
    ///
    /// # Errors
    /// What the library says, when it cannot sign.
    pub fn sign(&self, domain: &str, message: Vec<u8>) -> Result<Vec<u8>, String> {
        let Some(signers) = self.0.get(domain) else { return Ok(message) };
        let mut signed = Vec::with_capacity(message.len() + 1024 * signers.len());
        for signer in signers {
            let signature = signer.sign(&message).map_err(|error| format!("the letter cannot be signed: {error}"))?;
            signature.write_header(&mut signed);
        }
        signed.extend_from_slice(&message);
        Ok(signed)
    }
}

/// Names the domains.
impl fmt::Debug for Signers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
