//! What proves a copy's sender: signatures, SPF, DMARC and seals are looked up here and kept as evidence; what they are worth to a
//! shop is for [`judge`] to say.
//!
//! Only what the shop's rules ask for is looked up, so that nobody can make us ask the DNS about domains of their choice; in bounded
//! time, by few at once. DNS that does not answer is noted as such and never as a no.
//!
//! What mail-auth 0.13.3 does otherwise than one may think, and what is done about it:
//! - It takes what its parser sees for the mail. `section` is stricter, and where the two do not agree nothing is proved. A field
//!   whose name begins with `ARC-Seal` counts as a seal; there, too, the chain fails and no more.
//! - It holds a signature's `x=` against the wall clock, and follows `r=` (reports) and `atps=` (signatures by others) to domains that
//!   the signature names. All three are taken out before it looks; `x=` is judged with the moment at which the copy came in.
//! - `l=0` is no `l=` to it (`signature`), and in strict mode a signature with `l=` is an error without a domain. It parses leniently
//!   here, and the domain's rules refuse the length.
//! - A relaxed body hash with lines of blanks alone at the end differs from that of others. A body that differs proves nothing, as a
//!   missing signature does, and is never a reason to refuse a mail. And it passes over a bare carriage return, so that one put into a
//!   word breaks no signature: a mail with bare carriage returns or line feeds proves nothing.
//! - Of several key or SPF records it takes the first that it can parse, where RFC 7208 wants an error; `s=` and `h=` of a key are not
//!   looked at. Only who writes the domain's records can make use of that.
//! - An SPF `include` inside an `include` that passes ends the evaluation with the inner qualifier. A domain's own records again.
//! - A name that is not there and one whose server fails are told apart: SERVFAIL and REFUSED are trouble, NXDOMAIN is an answer.

mod breaker;
mod look;
mod resolver;
mod seal;
mod section;
mod signature;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use mail_auth::MessageAuthenticator;
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use self::breaker::Breaker;
use self::look::Look;
use self::section::{Section, with_crlf};
use crate::domain::trust::{Author, Checked, Evidence, Method, TrustRules, Verdict, judge};
use crate::domain::{Handed, Timestamp};

/// How many copies are looked at at one time.
const AT_ONCE: usize = 8;

/// RSA keys shorter than this hold today and not for long (RFC 8301, section 3.2, wants signers to use it).
const RSA_RECOMMENDED: u32 = 2048;

/// Most domains whose short keys are remembered as told of.
const TOLD_AT_MOST: usize = 100;

/// Looks for what proves a copy's sender.
pub struct Prover {
    authenticator: MessageAuthenticator,
    slots: Semaphore,
    breaker: Arc<Breaker>,
    told: Mutex<BTreeSet<String>>,
}

/// No resolver could be made of the configuration.
#[derive(Debug, thiserror::Error)]
#[error("the resolver does not start: {0}")]
pub struct ProverError(String);

/// A copy as it came in.
#[derive(Clone, Copy)]
pub struct Mail<'m> {
    /// How.
    pub handed: &'m Handed,
    /// The reverse-path, empty for `<>`.
    pub mail_from: &'m str,
    /// The message.
    pub message: &'m [u8],
}

impl Prover {
    /// A prover that asks these servers; none means those of `/etc/resolv.conf`, and where there are none in it this machine, as
    /// resolv.conf(5) says.
    ///
    /// # Errors
    /// When the resolver cannot be built.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, ProverError> {
        let authenticator = resolver::authenticator(servers).map_err(|error| ProverError(error.to_string()))?;
        Ok(Self { authenticator, slots: Semaphore::new(AT_ONCE), breaker: Arc::default(), told: Mutex::default() })
    }

    /// What is seen of a copy's sender under a shop's rules. It takes 10 seconds at most, after waiting for its turn, and never fails:
    /// what could not be looked up says so. A domain whose DNS gave no answer time after time is left alone for a while.
    pub async fn evidence(&self, mail: Mail<'_>, rules: &TrustRules) -> Evidence {
        let message = with_crlf(mail.message);
        let author = Section::of(&message).map_or(Author::Unclear, |section| section.author());
        let evidence = Evidence::of_door(mail.handed, mail.mail_from, author);
        if !rules.asks_dns() || evidence.author == Author::Unclear || is_proved(&evidence, rules) {
            return evidence;
        }
        let Ok(_slot) = self.slots.acquire().await else { return evidence };
        let look = Look {
            authenticator: self.authenticator.clone(),
            breaker: Arc::clone(&self.breaker),
            message: message.into_owned(),
            mail_from: mail.mail_from.to_owned(),
            hello: mail.handed.hello.clone(),
            rules: rules.clone(),
        };
        // A task of its own, so that a panic in the library costs this mail's proof and nothing else.
        match AbortOnDropHandle::new(tokio::spawn(look.take(evidence.clone()))).await {
            Ok(seen) => {
                self.tell_of_short_keys(&seen, rules);
                seen
            }
            Err(_) => {
                tracing::error!("looking for a copy's proof broke down; the copy counts as one of an unclear author");
                Evidence { author: Author::Unclear, ..evidence }
            }
        }
    }

    /// Once for each domain of the shops' lists.
    fn tell_of_short_keys(&self, seen: &Evidence, rules: &TrustRules) {
        let is_short = |bits: Option<u32>| bits.is_some_and(|bits| bits < RSA_RECOMMENDED);
        for short in seen.dkim.iter().filter(|dkim| dkim.checked == Checked::Pass && is_short(dkim.rsa_bits)) {
            let is_listed = rules.dkim.iter().any(|entry| entry.covers(&short.domain));
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            if is_listed && told.len() < TOLD_AT_MOST && told.insert(short.domain.clone()) {
                tracing::warn!(
                    domain = short.domain,
                    bits = short.rsa_bits,
                    "a domain that is trusted signs with a short key; it should take one of 2048 bits"
                );
            }
        }
    }
}

/// Whether what the door saw is proof enough. Where the address is enough the rest is looked up all the same: a shop that names
/// proofs beside it wants to know whether they hold.
fn is_proved(evidence: &Evidence, rules: &TrustRules) -> bool {
    // No signature has been looked at yet, so the moment makes no difference.
    let verdict = judge(evidence, rules, Timestamp(0));
    matches!(verdict, Verdict::Trusted { by } if by != Method::Address)
}
