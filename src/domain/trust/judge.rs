//! The rules of proof.

use std::time::Duration;

use super::evidence::{ArcSeen, Author, Broken, Checked, DkimSeen, Evidence, SpfSeen};
use super::listed::{ListedDomain, are_aligned};
use super::{Method, NewSenders, TrustRules, Verdict};
use crate::domain::{Timestamp, Way};

/// Shortest RSA key that proves anything (RFC 8301, section 3.2).
const RSA_AT_LEAST: u32 = 1024;

/// How far ahead of us a signer's clock may be: a day, since a clock that takes its local time for UTC is wrong by up to 14 hours.
const AHEAD_AT_MOST: Duration = Duration::from_secs(24 * 3600);

/// Longest text of the mail that a reason quotes, in characters.
const QUOTED: usize = 80;

/// Most signers that a reason names.
const NAMED: usize = 3;

/// Whether a copy comes from the shop. `now` is when the copy came in, so that a second look does not find it older than the first.
pub fn judge(evidence: &Evidence, rules: &TrustRules, now: Timestamp) -> Verdict {
    let mut missing = Vec::new();
    let mut trouble = Vec::new();
    for method in Method::ALL {
        match ask(method, evidence, rules, now) {
            Proof::Good => return Verdict::Trusted { by: method },
            Proof::NotAsked => {}
            Proof::Missing(why) if missing.contains(&why) => {}
            Proof::Missing(why) => missing.push(why),
            Proof::Trouble(why) => trouble.push(why),
        }
    }
    if !trouble.is_empty() {
        return Verdict::Unsure { why: trouble.join("; ") };
    }
    match rules.address {
        NewSenders::Hold | NewSenders::Accept => Verdict::NewSender { mark: evidence.mark.clone() },
        NewSenders::Refuse if missing.is_empty() => Verdict::Held {
            why: "the shop's rules name nothing that would prove it (write a proof into [shop.trust])".to_owned(),
        },
        NewSenders::Refuse => Verdict::Held { why: missing.join("; ") },
    }
}

/// What one method says.
enum Proof {
    /// It proves the sender.
    Good,
    /// The shop does not take it for a proof.
    NotAsked,
    /// It does not prove the sender.
    Missing(String),
    /// It could not be looked up, or was not.
    Trouble(String),
}

impl Proof {
    /// Of several candidates the first that proves, else the first in trouble, else the last reason.
    fn best_of(candidates: impl Iterator<Item = Self>, without: &str) -> Self {
        let mut best = Self::Missing(without.to_owned());
        for candidate in candidates {
            match (&best, &candidate) {
                (_, Self::Good) => return Self::Good,
                (Self::Trouble(_), _) => {}
                _ => best = candidate,
            }
        }
        best
    }

    fn missing(why: impl Into<String>) -> Self {
        Self::Missing(why.into())
    }
}

fn ask(method: Method, evidence: &Evidence, rules: &TrustRules, now: Timestamp) -> Proof {
    match method {
        Method::Login if !rules.logins.is_empty() => match &evidence.user {
            Some(user) if rules.logins.contains(user) => Proof::Good,
            Some(_) => Proof::missing("its client logged in as a user who is not the shop's"),
            None => Proof::missing("its client did not log in"),
        },
        Method::Certificate if !rules.certificates.is_empty() => match &evidence.certificate {
            Some(digest) if rules.certificates.contains(digest) => Proof::Good,
            Some(_) => Proof::missing("its client's certificate is not the shop's"),
            None => Proof::missing("its client showed no certificate"),
        },
        Method::Network if !rules.networks.is_empty() => network(evidence, rules),
        Method::Dkim if !rules.dkim.is_empty() => of_author(evidence, |author| dkim(evidence, author, rules, now)),
        Method::Spf if !rules.spf.is_empty() => of_author(evidence, |author| spf(evidence, author, rules)),
        Method::Dmarc if !rules.dmarc.is_empty() => of_author(evidence, |author| dmarc(evidence, author, rules, now)),
        Method::Arc if !rules.arc.is_empty() => of_author(evidence, |author| arc(evidence, author, rules, now)),
        Method::Pipe if rules.pipe && evidence.way == Way::Pipe => Proof::Good,
        Method::Pipe if rules.pipe => Proof::missing("it did not come by the pipe"),
        Method::Import if evidence.way == Way::Import => Proof::Good,
        Method::Address if rules.address == NewSenders::Accept => Proof::Good,
        _ => Proof::NotAsked,
    }
}

/// What domains say is of use only where the mail has one author whom they can speak for.
fn of_author(evidence: &Evidence, proof: impl FnOnce(&str) -> Proof) -> Proof {
    match &evidence.author {
        Author::One { domain } => proof(domain),
        Author::Unclear => Proof::missing("who wrote it is unclear: a mail has one From field with one address"),
    }
}

/// Behind LMTP and a pipe the client is a mail server of our own, which takes in everybody's mail.
fn network(evidence: &Evidence, rules: &TrustRules) -> Proof {
    match evidence.client {
        Some(client) if matches!(evidence.way, Way::Smtp | Way::Submission) => {
            if rules.networks.iter().any(|network| network.contains(&client)) {
                Proof::Good
            } else {
                Proof::missing(format!("its client \"{client}\" is in none of the shop's networks"))
            }
        }
        _ => Proof::missing("which client sent it is not known"),
    }
}

fn dkim(evidence: &Evidence, author: &str, rules: &TrustRules, now: Timestamp) -> Proof {
    let candidates = evidence.dkim.iter().filter_map(|seen| {
        let entry = covering(&rules.dkim, &seen.domain)?;
        Some(match seen.checked {
            Checked::TempError => trouble(&seen.domain, "could not be checked, as DNS did not answer"),
            Checked::Unasked => trouble(&seen.domain, "was not checked"),
            Checked::Fail => missing(&seen.domain, &does_not_hold(seen)),
            Checked::Pass => match flaw(seen, rules, now) {
                Some(flaw) => missing(&seen.domain, &flaw),
                None => alignment(entry, &seen.domain, author),
            },
        })
    });
    Proof::best_of(candidates, &nobody_listed(evidence))
}

/// What is said of a mail that no domain of the shop's list signed.
fn nobody_listed(evidence: &Evidence) -> String {
    let mut signers = Vec::new();
    for seen in &evidence.dkim {
        let signer = quoted(&seen.domain);
        if signers.len() < NAMED && !signers.contains(&signer) {
            signers.push(signer);
        }
    }
    match signers.as_slice() {
        [] => "it has no signature (have the shop's domain sign it with DKIM)".to_owned(),
        signers => format!(
            "no domain of the shop's list signed it, but {} (have the shop's own domain sign it)",
            signers.join(" and ")
        ),
    }
}

/// Why a signature does not hold, and what to do.
fn does_not_hold(seen: &DkimSeen) -> String {
    let key = || quoted(&format!("{}._domainkey.{}", seen.selector, seen.domain));
    match seen.broken {
        None => "does not hold".to_owned(),
        Some(Broken::Body) => {
            "does not hold, as the text was changed after it was signed (let nothing on the way add to it)".to_owned()
        }
        Some(Broken::Fields) => format!(
            "does not hold, as a field that it covers was changed after it was signed, or the key {} is not the one that signed",
            key()
        ),
        Some(Broken::NoKey) => format!("does not hold, as the DNS has no key {} (publish it)", key()),
        Some(Broken::Withdrawn) => format!("does not hold, as the key {} was withdrawn (sign with another)", key()),
        Some(Broken::BadKey) => format!(
            "does not hold, as the key {} cannot be read or is of another kind than the signature (publish it anew)",
            key()
        ),
    }
}

fn spf(evidence: &Evidence, author: &str, rules: &TrustRules) -> Proof {
    let Some(SpfSeen { domain, checked }) = &evidence.spf else {
        return match (evidence.way, evidence.client) {
            (Way::Smtp | Way::Submission, Some(_)) => {
                Proof::Trouble("its sender's domain was not asked (SPF)".to_owned())
            }
            _ => Proof::missing("which client sent it is not known, so SPF says nothing"),
        };
    };
    let Some(entry) = covering(&rules.spf, domain) else {
        return Proof::missing(format!("its sender's domain {} is not in the shop's list", quoted(domain)));
    };
    match checked {
        Checked::Pass if are_aligned(entry, domain, author) => Proof::Good,
        Checked::Pass => Proof::missing("its author is of another domain than its sender"),
        Checked::Fail => Proof::missing(format!("the domain {} does not let its client send (SPF)", quoted(domain))),
        Checked::TempError => Proof::Trouble(format!(
            "whether the domain {} lets its client send (SPF) could not be looked up",
            quoted(domain)
        )),
        Checked::Unasked => Proof::Trouble("its sender's domain was not asked (SPF)".to_owned()),
    }
}

/// DMARC by a signature proves no more than the signature does: it must be sound and fresh as one of `dkim` must.
fn dmarc(evidence: &Evidence, author: &str, rules: &TrustRules, now: Timestamp) -> Proof {
    let Some(entry) = covering(&rules.dmarc, author) else {
        return Proof::missing(format!("its author's domain {} is not in the shop's list", quoted(author)));
    };
    let Some(seen) = &evidence.dmarc else {
        return Proof::Trouble("its author's domain was not asked (DMARC)".to_owned());
    };
    let is_of_author = |dkim: &&DkimSeen| are_aligned(entry, &dkim.domain, author);
    let flaws = evidence.dkim.iter().filter(|dkim| dkim.checked == Checked::Pass).filter(is_of_author);
    let flaws = flaws.map(|dkim| (dkim, flaw(dkim, rules, now))).collect::<Vec<_>>();
    let is_sound = flaws.iter().any(|(_, flaw)| flaw.is_none());
    if seen.by_spf == Checked::Pass || (seen.by_dkim == Checked::Pass && is_sound) {
        return Proof::Good;
    }
    match (seen.by_spf, seen.by_dkim) {
        (Checked::TempError, _) | (_, Checked::TempError) => Proof::Trouble(format!(
            "the policy of its author's domain {} could not be looked up (DMARC)",
            quoted(author)
        )),
        _ => match flaws.first() {
            Some((dkim, Some(flaw))) => missing(&dkim.domain, flaw),
            _ => Proof::missing(format!(
                "neither SPF nor a signature proves its author's domain {} (DMARC)",
                quoted(author)
            )),
        },
    }
}

/// A sealer is believed about the shop's signature, which no longer holds; not about what that signature never covered.
fn arc(evidence: &Evidence, author: &str, rules: &TrustRules, now: Timestamp) -> Proof {
    let Some(ArcSeen { sealer, checked, saw, signature }) = &evidence.arc else {
        return Proof::missing("no mail server on the way vouches for it (ARC)");
    };
    if covering(&rules.arc, sealer).is_none() {
        return Proof::missing(format!("the seal of {} is none of those that the shop trusts (ARC)", quoted(sealer)));
    }
    match checked {
        Checked::Pass => {}
        Checked::Fail => return Proof::missing(format!("the seal of {} does not hold (ARC)", quoted(sealer))),
        Checked::TempError | Checked::Unasked => {
            return Proof::Trouble(format!("the seal of {} could not be checked (ARC)", quoted(sealer)));
        }
    }
    if covering(&rules.arc, &signature.domain).is_none() {
        return Proof::missing(format!(
            "who sealed it and who signed it on the way are not the same: {} (ARC)",
            quoted(&signature.domain)
        ));
    }
    if let Some(flaw) = flaw(signature, rules, now) {
        return Proof::missing(format!("the signature of {} {flaw} (ARC)", quoted(sealer)));
    }
    let candidates = saw.iter().filter_map(|domain| covering(&rules.dkim, domain).map(|entry| (entry, domain))).map(
        |(entry, domain)| {
            let flaws = evidence
                .dkim
                .iter()
                .filter(|seen| seen.domain.eq_ignore_ascii_case(domain))
                .map(|seen| flaw(seen, rules, now));
            match flaws.min_by_key(Option::is_some) {
                None => missing(domain, "was taken out on the way (ARC)"),
                Some(Some(flaw)) => missing(domain, &flaw),
                Some(None) => alignment(entry, domain, author),
            }
        },
    );
    Proof::best_of(candidates, "the mail server that sealed it saw no signature of the shop's list (ARC)")
}

/// What speaks against a signature that holds.
fn flaw(seen: &DkimSeen, rules: &TrustRules, now: Timestamp) -> Option<String> {
    if let Some(name) = seen.unsigned.first() {
        let what = quoted(name);
        return Some(format!(
            "leaves out a field {what} (have it cover From, To, Subject and Reply-To, each as often as it is there)"
        ));
    }
    let flaw = match seen {
        DkimSeen { partial_body: true, .. } => "covers a part of the text only (sign without l=)",
        DkimSeen { sha1: true, .. } => "is made with SHA-1 (sign with SHA-256)",
        DkimSeen { rsa_bits: Some(bits), .. } if *bits < RSA_AT_LEAST => {
            "is made with a key of less than 1024 bits (take one of 2048)"
        }
        DkimSeen { expires_at: Some(end), .. } if *end <= now => "has expired by its x= (hand copies in at once)",
        DkimSeen { signed_at: None, .. } => "does not say when it was made (sign with t=, or cover Date)",
        DkimSeen { signed_at: Some(at), .. } if now.since(*at) > rules.max_age => {
            "is older than the shop's max_age (hand copies in at once; an old one may be handed in again by others)"
        }
        DkimSeen { signed_at: Some(at), .. } if at.since(now) > AHEAD_AT_MOST => {
            "is dated in the future (set the signer's clock)"
        }
        _ => return None,
    };
    Some(flaw.to_owned())
}

fn alignment(entry: &ListedDomain, domain: &str, author: &str) -> Proof {
    if are_aligned(entry, domain, author) {
        Proof::Good
    } else {
        let author = quoted(author);
        missing(domain, &format!("is of another domain than its author, {author} (sign with the author's domain)"))
    }
}

fn covering<'l>(list: &'l [ListedDomain], domain: &str) -> Option<&'l ListedDomain> {
    list.iter().find(|entry| entry.covers(domain))
}

fn missing(domain: &str, what: &str) -> Proof {
    Proof::Missing(format!("the signature of {} {what}", quoted(domain)))
}

fn trouble(domain: &str, what: &str) -> Proof {
    Proof::Trouble(format!("the signature of {} {what}", quoted(domain)))
}

/// A name from the mail, between marks, so that reasons of one kind are counted as one.
fn quoted(name: &str) -> String {
    format!("\"{}\"", crate::domain::clean(name, QUOTED).replace('"', ""))
}
