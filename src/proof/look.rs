//! One look at one mail: what its rules ask for is checked, each check within what is left of the time.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mail_auth::arc::Set;
use mail_auth::common::crypto::CryptoError;
use mail_auth::common::headers::Header;
use mail_auth::dkim::{self, DkimError};
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::hickory_resolver::proto::op::ResponseCode;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    AuthenticatedMessage, DkimOutput, DkimResult, DmarcResult, DnsError, Error, MessageAuthenticator, SpfOutput,
    SpfResult,
};
use tokio::time::{Instant, timeout_at};

use super::breaker::Breaker;
use super::resolver::ANSWER;
use super::section::Section;
use super::{seal, signature};
use crate::domain::trust::{
    ArcSeen, Author, Broken, Checked, DkimSeen, DmarcSeen, Evidence, ListedDomain, SpfSeen, TrustRules, are_aligned,
};
use crate::domain::{Way, host_name};

/// How long a look takes at most.
const AT_MOST: Duration = Duration::from_secs(10);

/// How many signatures of one mail are noted; of those that could prove something, this many are checked.
const SIGNATURES: usize = 10;

/// What a look needs, all of it its own, since it runs as a task.
pub(super) struct Look {
    pub(super) authenticator: MessageAuthenticator,
    pub(super) breaker: Arc<Breaker>,
    pub(super) message: Vec<u8>,
    pub(super) mail_from: String,
    pub(super) hello: String,
    pub(super) rules: TrustRules,
}

/// A mail that the library and we see alike.
struct Seen<'m> {
    parsed: AuthenticatedMessage<'m>,
    section: Section<'m>,
    author: String,
    client: Option<IpAddr>,
    until: Instant,
}

/// A question that is being asked. One that is given up counts as one without an answer, whoever gave it up.
struct Asking<'b> {
    breaker: &'b Breaker,
    place: &'b str,
    began: Instant,
    is_answered: bool,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        // Trouble that is told at once, such as SERVFAIL, keeps nobody waiting; nor does it say that the place answers.
        if self.is_answered || self.began.elapsed() >= ANSWER {
            self.breaker.ended(self.place, self.is_answered, Instant::now());
        }
    }
}

/// A signature of the mail, and what was seen of it.
type Signed<'s> = (&'s Header<'s, dkim::Signature>, DkimSeen);

impl Look {
    /// Adds to what the door saw what the rules ask for.
    pub(super) async fn take(self, evidence: Evidence) -> Evidence {
        let Some(seen) = self.see(&evidence) else { return Evidence { author: Author::Unclear, ..evidence } };
        let (signed, (spf, spf_output), arc) = tokio::join!(self.dkim(&seen), self.spf(&seen), self.arc(&seen));
        let dmarc = self.dmarc(&seen, &signed, &spf_output).await;
        let dkim = signed.into_iter().map(|(_, seen)| seen).collect();
        Evidence { dkim, spf, dmarc, arc, ..evidence }
    }

    /// The mail, when the library takes the same fields and the same body for it as we do.
    fn see(&self, evidence: &Evidence) -> Option<Seen<'_>> {
        let Author::One { domain } = &evidence.author else { return None };
        let section = Section::of(&self.message)?;
        let mut parsed = AuthenticatedMessage::parse_with_opts(&self.message, None, false)?;
        let alike = parsed.headers.len() == section.fields.len()
            && parsed.headers.iter().zip(&section.fields).all(|((name, _), field)| *name == field.name)
            && parsed.body_offset() == section.end
            && matches!(parsed.froms(), [from] if from.rsplit_once('@').and_then(|(_, at)| host_name(at)).as_ref() == Some(domain));
        // The wall clock has no say here, and nobody else's domains are asked.
        for header in &mut parsed.ams_headers {
            header.header.x = 0;
        }
        let client = evidence.client.filter(|_| matches!(evidence.way, Way::Smtp | Way::Submission));
        let until = Instant::now() + AT_MOST;
        alike.then(|| Seen { parsed, section, author: domain.clone(), client, until })
    }

    async fn dkim<'s>(&self, seen: &'s Seen<'_>) -> Vec<Signed<'s>> {
        let all = seen.parsed.dkim_headers.iter();
        let (asked, others): (Vec<_>, Vec<_>) = all.partition(|header| self.may_prove(&header.header.d, &seen.author));
        let mut signed = Vec::new();
        for (header, is_asked) in
            asked.into_iter().map(|header| (header, true)).chain(others.into_iter().map(|header| (header, false)))
        {
            if signed.len() == SIGNATURES {
                break;
            }
            let mut of = signature::of_dkim(&header.header, header.value, &seen.section);
            if is_asked {
                (of.checked, of.broken) = self.check(seen, header).await;
            }
            signed.push((header, of));
        }
        signed
    }

    /// Whether a signature of this domain could prove anything under the rules.
    fn may_prove(&self, domain: &str, author: &str) -> bool {
        covering(&self.rules.dkim, domain).is_some()
            || covering(&self.rules.dmarc, author).is_some_and(|entry| are_aligned(entry, domain, author))
    }

    /// Checks one signature alone, so that one silent server does not take the time of all in one go.
    async fn check(&self, seen: &Seen<'_>, header: &Header<'_, dkim::Signature>) -> (Checked, Option<Broken>) {
        let mut alone = seen.parsed.clone();
        let one = dkim::Signature { x: 0, r: false, atps: None, ..header.header.clone() };
        alone.dkim_headers = vec![Header::new(header.name, header.value, one)];
        alone.errors.clear();
        let question = async {
            let outputs = self.authenticator.verify_dkim(&alone).await;
            outputs.first().map_or((Checked::Fail, None), |output| (checked(output.result()), broken(output.result())))
        };
        let is_trouble = |answer: &(Checked, _)| answer.0 == Checked::TempError;
        let answer = self.ask(&keys_of(&header.header.d), seen.until, question, is_trouble).await;
        answer.unwrap_or((Checked::TempError, None))
    }

    /// Asks the DNS at a place in it; `None` when it gives no answer in time, or gave none too often. Places are told apart by what is
    /// asked for there, since an answer may be one that is remembered while the others have none.
    async fn ask<T>(
        &self,
        place: &str,
        until: Instant,
        question: impl Future<Output = T>,
        is_trouble: impl FnOnce(&T) -> bool,
    ) -> Option<T> {
        let began = Instant::now();
        if !self.breaker.may_ask(place, began) {
            return None;
        }
        let mut asking = Asking { breaker: &self.breaker, place, began, is_answered: false };
        let answer = timeout_at(until, question).await.ok()?;
        asking.is_answered = !is_trouble(&answer);
        Some(answer)
    }

    /// SPF of the reverse-path, where a client of its own handed the mail in. A `<>` has no domain, and the name in EHLO is not asked:
    /// no shop's mail comes so.
    async fn spf(&self, seen: &Seen<'_>) -> (Option<SpfSeen>, SpfOutput) {
        let Some(client) = seen.client else { return (None, SpfOutput::default()) };
        let Some(domain) = self.mail_from.rsplit_once('@').and_then(|(_, domain)| host_name(domain)) else {
            return (Some(SpfSeen { domain: String::new(), checked: Checked::Fail }), SpfOutput::default());
        };
        let is_asked = covering(&self.rules.spf, &domain).is_some()
            || covering(&self.rules.dmarc, &seen.author).is_some_and(|entry| are_aligned(entry, &domain, &seen.author));
        if !is_asked {
            return (Some(SpfSeen { domain, checked: Checked::Unasked }), SpfOutput::default());
        }
        let question = SpfParameters::verify_mail_from(client, &self.hello, &self.hello, &self.mail_from);
        let is_trouble = |output: &SpfOutput| output.result() == SpfResult::TempError;
        let answer = self.ask(&domain, seen.until, self.authenticator.verify_spf(question), is_trouble).await;
        let output = answer.unwrap_or_else(|| SpfOutput::new(domain.clone()).with_result(SpfResult::TempError));
        let checked = match output.result() {
            SpfResult::Pass => Checked::Pass,
            SpfResult::TempError => Checked::TempError,
            SpfResult::Fail | SpfResult::SoftFail | SpfResult::Neutral | SpfResult::PermError | SpfResult::None => {
                Checked::Fail
            }
        };
        (Some(SpfSeen { domain, checked }), output)
    }

    /// DMARC of a listed author, by SPF and by those signatures that leave nothing open.
    async fn dmarc(&self, seen: &Seen<'_>, signed: &[Signed<'_>], spf: &SpfOutput) -> Option<DmarcSeen> {
        covering(&self.rules.dmarc, &seen.author)?;
        let sound = |of: &DkimSeen| of.unsigned.is_empty() && !of.partial_body && !of.sha1;
        let outputs = signed.iter().filter(|(_, of)| sound(of)).filter_map(|(header, of)| match of.checked {
            Checked::Pass => Some(DkimOutput::pass().with_signature(&header.header)),
            Checked::TempError => {
                let trouble = Error::Dns(DnsError::Resolver(String::new()));
                Some(DkimOutput::temp_err(trouble).with_signature(&header.header))
            }
            Checked::Fail | Checked::Unasked => None,
        });
        let outputs = outputs.collect::<Vec<_>>();
        let sender = self.mail_from.rsplit_once('@').map_or("", |(_, domain)| domain);
        let question = DmarcParameters::new(&seen.parsed, &outputs, sender, spf);
        let question = async {
            let output = self.authenticator.verify_dmarc(question).await;
            DmarcSeen { by_spf: checked_dmarc(output.spf_result()), by_dkim: checked_dmarc(output.dkim_result()) }
        };
        let is_trouble = |seen: &DmarcSeen| [seen.by_spf, seen.by_dkim].contains(&Checked::TempError);
        let answer = self.ask(&format!("_dmarc.{}", seen.author), seen.until, question, is_trouble).await;
        Some(answer.unwrap_or(DmarcSeen { by_spf: Checked::TempError, by_dkim: Checked::TempError }))
    }

    /// The chain of seals, when the last of them is one that the shop trusts.
    async fn arc(&self, seen: &Seen<'_>) -> Option<ArcSeen> {
        if self.rules.arc.is_empty() {
            return None;
        }
        let last = seen.parsed.as_headers.last()?.header.i;
        let seal = seen.parsed.as_headers.iter().find(|header| header.header.i == last)?;
        let own = seen.parsed.ams_headers.iter().find(|header| header.header.i == last)?;
        let results = seen.parsed.aar_headers.iter().find(|header| header.header.i == last)?;
        let mut signature = signature::of_arc(&own.header, own.value, &seen.section);
        let sealer = seal.header.d.clone();
        let checked = if covering(&self.rules.arc, &sealer).is_none() {
            Checked::Unasked
        } else {
            let question = async {
                let output = self.authenticator.verify_arc(&seen.parsed).await;
                // What was looked at must be what was checked: the chain's last set.
                let is_last = output.sets().last().is_some_and(|set| is_of(set, last));
                if is_last { checked(output.result()) } else { Checked::Fail }
            };
            let is_trouble = |answer: &Checked| *answer == Checked::TempError;
            self.ask(&keys_of(&sealer), seen.until, question, is_trouble).await.unwrap_or(Checked::TempError)
        };
        signature.checked = checked;
        Some(ArcSeen { sealer, checked, saw: seal::good_signatures(results.value), signature })
    }
}

/// Where the keys of a domain stand (RFC 6376, section 3.6.2.1).
fn keys_of(domain: &str) -> String {
    format!("_domainkey.{}", domain.trim_end_matches('.').to_ascii_lowercase())
}

fn is_of(set: &Set<'_>, instance: u32) -> bool {
    [set.seal.header.i, set.signature.header.i, set.results.header.i] == [instance; 3]
}

fn covering<'l>(list: &'l [ListedDomain], domain: &str) -> Option<&'l ListedDomain> {
    list.iter().find(|entry| entry.covers(domain))
}

fn checked(result: &DkimResult) -> Checked {
    match result {
        DkimResult::Pass => Checked::Pass,
        DkimResult::TempError(_) => Checked::TempError,
        DkimResult::PermError(Error::Dns(DnsError::RecordNotFound(code)))
            if !matches!(*code, ResponseCode::NXDomain | ResponseCode::NoError) =>
        {
            Checked::TempError
        }
        DkimResult::Neutral(_) | DkimResult::Fail(_) | DkimResult::PermError(_) | DkimResult::None => Checked::Fail,
    }
}

/// Why a signature does not hold. Trouble with the DNS is no reason.
fn broken(result: &DkimResult) -> Option<Broken> {
    let (DkimResult::Neutral(error) | DkimResult::Fail(error) | DkimResult::PermError(error)) = result else {
        return None;
    };
    match error {
        Error::Dkim(DkimError::FailedBodyHashMatch) => Some(Broken::Body),
        // An RSA signature that does not hold has an error of its own, an Ed25519 one only its library's, as a key that cannot be read;
        // but that is a permanent error and no failure.
        Error::Crypto(CryptoError::FailedVerification) => Some(Broken::Fields),
        Error::Crypto(CryptoError::Library(_)) if matches!(result, DkimResult::Fail(_)) => Some(Broken::Fields),
        Error::Dkim(DkimError::RevokedPublicKey) => Some(Broken::Withdrawn),
        Error::Dns(DnsError::RecordNotFound(ResponseCode::NXDomain | ResponseCode::NoError)) => Some(Broken::NoKey),
        Error::Dns(DnsError::InvalidRecordType)
        | Error::Dkim(DkimError::UnsupportedKeyType)
        | Error::Crypto(CryptoError::Library(_) | CryptoError::IncompatibleAlgorithms) => Some(Broken::BadKey),
        _ => None,
    }
}

fn checked_dmarc(result: &DmarcResult) -> Checked {
    match result {
        DmarcResult::Pass => Checked::Pass,
        DmarcResult::TempError(_) => Checked::TempError,
        DmarcResult::Fail(_) | DmarcResult::PermError(_) | DmarcResult::None => Checked::Fail,
    }
}
