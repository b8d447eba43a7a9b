//! Whether a copy is believed: what was found about its sender, laid on what was read from it. A copy that tells of an order and that
//! nothing proves is held with a reason, and never dropped; what was found stays with it in any case.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::read::as_unread;
use crate::config::Config;
use crate::domain::trust::{Evidence, Method, Verdict, judge, sender_mark};
use crate::domain::{DAY, Doubt, Handed, Outcome, Reading, ShopId, Timestamp, look_again_at};
use crate::proof::{Mail, Prover};
use crate::store::{Actor, Bound, Credence, SqlStore, StoreError, StoredCopy, UnreadCopy};

/// What is kept with a copy about its sender, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// What was seen.
    pub evidence: Evidence,
    /// What the shop's rules said of it then.
    pub verdict: Said,
}

/// A verdict in the words of the stored JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It is the shop, by this method.
    Trusted(String),
    /// Nothing proves it.
    Held(String),
    /// It could not be checked then.
    Unsure(String),
    /// It is known by this mark only.
    NewSender(String),
}

impl Said {
    fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Trusted { by } => Self::Trusted(by.as_str().to_owned()),
            Verdict::Held { why } => Self::Held(why.clone()),
            Verdict::Unsure { why } => Self::Unsure(why.clone()),
            Verdict::NewSender { mark } => Self::NewSender(mark.clone()),
        }
    }

    /// In a sentence for a support person.
    pub fn sentence(&self) -> String {
        match self {
            Self::Trusted(by) => match Method::ALL.into_iter().find(|method| method.as_str() == by) {
                Some(Method::Login) => "its sender is proved: its client logged in as the shop".to_owned(),
                Some(Method::Certificate) => {
                    "its sender is proved: its client showed the shop's certificate".to_owned()
                }
                Some(Method::Network) => "its sender is proved: its client is in one of the shop's networks".to_owned(),
                Some(Method::Dkim) => "its sender is proved: the shop's domain signed it (DKIM)".to_owned(),
                Some(Method::Spf) => "its sender is proved: the shop's domain lets its client send (SPF)".to_owned(),
                Some(Method::Dmarc) => "its sender is proved: its author's domain authenticates it (DMARC)".to_owned(),
                Some(Method::Arc) => {
                    "its sender is proved: a mail server that the shop trusts saw its signature (ARC)".to_owned()
                }
                Some(Method::Pipe) => "its sender is proved: a program of this machine handed it in".to_owned(),
                Some(Method::Import) => "its sender is proved: a person imported it".to_owned(),
                Some(Method::Address) => {
                    "its sender is not proved: the shop believes whoever knows its address".to_owned()
                }
                None => format!("its sender is proved by {by}"),
            },
            Self::Held(why) => format!("its sender is not proved: {why}"),
            Self::Unsure(why) => format!("its sender is not proved yet: {why}"),
            Self::NewSender(mark) => format!("its sender is known by the mark \"{mark}\" only"),
        }
    }
}

/// What was kept about a copy's sender, if this program understands it.
pub fn stored(proof: Option<&str>) -> Option<Proof> {
    serde_json::from_str(proof?).ok()
}

/// Lays what was found about the sender on what was read; `None` when there was no time to find out. `received_at` is when the copy came in, by which signatures are young or old
/// whenever somebody looks; `now` is when this is done.
pub(super) fn lay(
    config: &Config,
    shop: &ShopId,
    evidence: Option<Evidence>,
    received_at: Timestamp,
    now: Timestamp,
    reading: Reading,
) -> (Reading, Credence) {
    // Without its shop nobody knows the rules, and the reading is held already.
    let Some(shop) = config.shop(shop) else { return (reading, Credence::default()) };
    let (verdict, proof) = match evidence {
        Some(evidence) => {
            let verdict = judge(&evidence, &shop.trust, received_at);
            let proof = Proof { verdict: Said::of(&verdict), evidence };
            (verdict, serde_json::to_string(&proof).ok())
        }
        None => (Verdict::Unsure { why: "the DNS is too slow".to_owned() }, None),
    };
    let mut credence = Credence { proof, ..Credence::default() };
    if reading.outcome != Outcome::Event {
        return (reading, credence);
    }
    let hold = |doubt: Doubt, why: &str| Reading {
        outcome: Outcome::Held,
        reason: Some(doubt.reason(why)),
        ..reading.clone()
    };
    let (reading, doubt) = match verdict {
        Verdict::Trusted { by } => {
            let bound = Bound { volume: shop.volume, is_proven: by != Method::Address };
            // What a person imports is that person's business, however much it is.
            credence.bound = (by != Method::Import).then_some(bound);
            (reading, None)
        }
        Verdict::NewSender { mark } => {
            credence.mark = Some(mark);
            credence.bound = Some(Bound { volume: shop.volume, is_proven: false });
            (reading, None)
        }
        Verdict::Held { why } => (hold(Doubt::Untrusted, &why), Some((Doubt::Untrusted, None))),
        Verdict::Unsure { why } => match look_again_at(received_at, now) {
            Some(again_at) => (hold(Doubt::Dns, &why), Some((Doubt::Dns, Some(again_at)))),
            None => {
                let why = format!("{why}; three days went by without an answer");
                (hold(Doubt::Untrusted, &why), Some((Doubt::Untrusted, None)))
            }
        },
    };
    credence.doubt = doubt;
    (reading, credence)
}

/// What is to be seen of a copy's sender now; `None` when nobody knows the shop's rules.
pub(super) async fn look(prover: &Prover, config: &Config, copy: &UnreadCopy) -> Option<Evidence> {
    let rules = &config.shop(&copy.shop)?.trust;
    let mail = Mail { handed: &copy.handed, mail_from: &copy.mail_from, message: &copy.message };
    Some(prover.evidence(mail, rules).await)
}

/// What was seen of a kept copy's sender when it came in, where that proves it: a key that is gone by now does not count against it.
/// Else what is seen now: a key may have been published since, or an entry put right.
pub(super) async fn look_at_kept(
    prover: &Prover,
    config: &Config,
    copy: &StoredCopy,
    message: &[u8],
) -> Option<Evidence> {
    match stored(copy.proof.as_deref()) {
        Some(proof) if is_proved(config, copy, &proof) => Some(proof.evidence),
        _ => look(prover, config, &as_unread(copy, message.to_vec())).await,
    }
}

/// Whether the present rules take what was found for a proof.
fn is_proved(config: &Config, copy: &StoredCopy, proof: &Proof) -> bool {
    let rules = config.shop(&copy.shop).map(|shop| &shop.trust);
    rules.is_some_and(|rules| matches!(judge(&proof.evidence, rules, copy.received_at), Verdict::Trusted { .. }))
}

/// How far back a queue that is older than the look at senders is asked whose copies it believed.
const LEARNED_FROM: Duration = DAY.saturating_mul(90);

/// Approves, once, whoever handed in the copies of a queue that is older than the look at senders and that told of orders within 90
/// days: they were believed without a question until now, and the shops' mail is to go on.
///
/// # Errors
/// When the store cannot be read or written.
pub async fn learn_senders(store: &SqlStore, now: Timestamp) -> Result<(), StoreError> {
    let since = Timestamp(now.0.saturating_sub(i64::try_from(LEARNED_FROM.as_millis()).unwrap_or(i64::MAX)));
    let Some(hands) = store.past_hands(since).await? else { return Ok(()) };
    // Whoever left no trace of a client was no mail server, and a mail without a reverse-path names no domain.
    let hands = hands.into_iter().filter(|hand| hand.client.is_some() && !hand.mail_from.is_empty());
    let senders = hands.map(|hand| {
        let handed = Handed { client: hand.client, ..Handed::default() };
        (hand.shop, sender_mark(&handed, &hand.mail_from, ""))
    });
    let senders = senders.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
    let (name, reason) = ("daemon".to_owned(), "its copies were believed before senders were looked at".to_owned());
    let learned = senders.len();
    if store.learn_senders(senders, &Actor { name, reason: Some(reason) }, now).await? {
        tracing::warn!(
            senders = learned,
            "those whose copies were believed until now were approved; look them through: invited senders list"
        );
    }
    Ok(())
}
