//! Past order mails out of somebody's mailbox: each becomes a copy as if it had come in when it was written, and then goes the way of
//! every copy. Before that, the same reader and the same rules say what would come of it.

use std::collections::{HashMap, HashSet};
use std::panic::catch_unwind;
use std::sync::Arc;
use std::time::Duration;

use mail_parser::MessageParser;
use sha2::{Digest, Sha256};

use super::read::{filing, read_for};
use crate::config::{Config, Shop};
use crate::domain::{
    CopyId, Customer, DAY, Decision, EmailAddress, Event, Gap, Handed, Invitation, InvitationId, OrderDetails,
    OrderEvent, OrderNews, OrderReference, Outcome, Policies, Reading, Rule, State, Timestamp, Way, admit, decide, hex,
    open,
};
use crate::read::Reader;
use crate::store::{Asked, Credence, FiledReading, NewCopy, PastCopy, SqlStore, StoreError};

/// How old mails may be that are taken without anybody asking for older ones: as long as any delay may be. Whoever bought longer ago
/// does not expect to be asked.
pub const OLD_AT_MOST: Duration = DAY.saturating_mul(90);

/// Mails that are looked at, or taken in, together.
pub const BATCH: usize = 64;

/// What a mail says of itself before anybody reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// When it was written; never after now.
    pub written_at: Timestamp,
    /// By what it is known again.
    pub marks: Vec<String>,
}

/// Looks at a mail's header.
///
/// # Errors
/// Why it cannot be taken: it does not say when it was written, so nobody could say when its customer is to be asked.
pub fn stamp(message: &[u8], now: Timestamp) -> Result<Stamp, &'static str> {
    // A fault in the parser costs this mail, not all of them.
    let headers = catch_unwind(|| MessageParser::new().parse_headers(message));
    let headers =
        headers.map_err(|_| "its header fields cannot be read")?.ok_or("it is no mail: it has no header fields")?;
    let date = headers.date().filter(|date| date.is_valid()).map(mail_parser::DateTime::to_timestamp);
    let date = date.filter(|seconds| *seconds > 0).ok_or("its Date field is missing or makes no sense")?;
    let mut marks = vec![mark("bytes", message)];
    marks.extend(headers.message_id().map(|id| mark("id", id.as_bytes())));
    Ok(Stamp { written_at: Timestamp::from_seconds(date).min(now), marks })
}

/// A hash, since a Message-ID may name a person.
fn mark(kind: &str, of: &[u8]) -> String {
    format!("{kind}:{}", hex(&Sha256::digest(of)[..16]))
}

/// A past mail as it is taken in. `from` says whence, and stands where a client's name stands otherwise.
pub fn past_copy(shop: &Shop, stamp: Stamp, message: Vec<u8>, from: &str) -> PastCopy {
    let copy = NewCopy {
        shop: shop.id.clone(),
        mail_from: String::new(),
        rcpt_to: String::new(),
        handed: Handed { way: Way::Import, client: None, hello: from.to_owned(), tls: false, ..Handed::default() },
        answers: None,
        message: message.into(),
        received_at: stamp.written_at,
    };
    PastCopy { copy, marks: stamp.marks }
}

/// What would come of a mail.
#[derive(Debug, Clone, PartialEq)]
pub enum Outlook {
    /// It was taken in before.
    Known,
    /// It would move an invitation, or begin one.
    Event {
        /// What it tells of the order.
        event: Box<OrderEvent>,
        /// How the invitation would stand then, and why.
        decision: Decision,
        /// Whether it would begin with it.
        begins: bool,
        /// Whether the customer is on the suppression list, so that no letter goes whatever is decided.
        is_suppressed: bool,
    },
    /// It would be ignored or held, for this reason.
    Nothing(Outcome, String),
}

/// Says what would come of the mails of one mailbox, one after another, without taking any in.
pub struct Foresight<'f> {
    config: &'f Config,
    reader: &'f Reader,
    shop: &'f Shop,
    store: &'f SqlStore,
    policies: Arc<Policies>,
    now: Timestamp,
    /// How the invitations to the orders that were met would stand by now.
    orders: HashMap<String, Vec<Invitation>>,
    /// The customers that were met who are on the suppression list.
    suppressed: HashSet<String>,
    /// The marks of the mails that would be taken in by now.
    taken: HashSet<String>,
}

impl<'f> Foresight<'f> {
    /// For the mails of a shop. The policies have the key of the suppression list.
    pub fn new(
        config: &'f Config,
        reader: &'f Reader,
        shop: &'f Shop,
        store: &'f SqlStore,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Self {
        Self {
            config,
            reader,
            shop,
            store,
            policies,
            now,
            orders: HashMap::new(),
            suppressed: HashSet::new(),
            taken: HashSet::new(),
        }
    }

    /// What would come of these mails, in their order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn of(&mut self, mails: &[(Stamp, Vec<u8>)]) -> Result<Vec<Outlook>, StoreError> {
        let marks = mails.iter().flat_map(|(stamp, _)| stamp.marks.iter().cloned()).collect();
        self.taken.extend(self.store.past_marks(&self.shop.id, marks).await?);
        let mut filings = Vec::with_capacity(mails.len());
        for (stamp, message) in mails {
            let is_known = stamp.marks.iter().any(|mark| self.taken.contains(mark));
            self.taken.extend(stamp.marks.iter().cloned());
            filings.push((!is_known).then(|| {
                let reading = read_for(self.config, self.reader, &self.shop.id, message);
                filing(self.config, CopyId(0), self.shop.id.clone(), reading, stamp.written_at, Credence::default())
            }));
        }
        self.look_up(filings.iter().flatten()).await?;
        Ok(filings.into_iter().map(|filing| filing.map_or(Outlook::Known, |filing| self.tell(filing))).collect())
    }

    /// Learns how the orders stand that are told of for the first time.
    async fn look_up<'r>(&mut self, filings: impl Iterator<Item = &'r FiledReading>) -> Result<(), StoreError> {
        let orders = filings.filter_map(|filing| filing.reading.order_event());
        let asked = orders.map(|event| Asked { reference: event.reference, email: Some(event.customer.email) });
        let asked = asked.collect::<Vec<_>>();
        if asked.is_empty() {
            return Ok(());
        }
        let fates = self.store.fates(&self.shop.id, asked.clone().into(), Arc::clone(&self.policies)).await?;
        for (Asked { reference, email }, fate) in asked.iter().zip(fates) {
            self.orders.entry(reference.key()).or_insert(fate.invitations);
            if fate.suppressed.is_some() {
                self.suppressed.extend(email.as_ref().map(|email| email.key().as_str().to_owned()));
            }
        }
        Ok(())
    }

    /// As the store does it when a reading is filed.
    fn tell(&mut self, filing: FiledReading) -> Outlook {
        let (Some(event), Some(news)) = (filing.reading.order_event(), filing.news) else {
            let Reading { outcome, reason, .. } = filing.reading;
            return Outlook::Nothing(outcome, reason.unwrap_or_default());
        };
        let invitations = self.orders.entry(event.reference.key()).or_default();
        let is_suppressed = self.suppressed.contains(event.customer.email.key().as_str());
        let cancelled = invitations.iter().filter_map(|one| one.progress.order_cancelled_at()).max();
        let key = event.customer.email.key();
        let is_theirs = |one: &Invitation| one.customer.email.key() == key;
        let last = invitations.iter().filter(|one| is_theirs(one)).map(|one| one.round).max();
        let mut told = None;
        for one in &mut *invitations {
            let is_last = is_theirs(one) && Some(one.round) == last;
            if !news.kind.ends_the_order() && !is_last {
                continue;
            }
            let policy = self.policies.of(&self.shop.id, &one.order);
            let decision = decide(&one.progress, &Event::Order(news), policy, self.now);
            one.progress = decision.progress.clone();
            if is_last {
                one.learn(&event);
            }
            let decision = admitted(one, decision, &self.policies, self.now);
            let gap = self.store.gap().and_then(|gap| gap.after_news(news, &one.progress, self.now));
            told = Some(held_by(gap, one, decision, &self.policies, self.now));
        }
        let begins = told.is_none();
        let decision = told.unwrap_or_else(|| {
            let (mut begun, decision) = begun(self.shop, &event, news, cancelled, &self.policies, self.now);
            let policy = self.policies.of(&self.shop.id, &begun.order);
            let gap = self.store.gap().and_then(|gap| {
                let in_gap = gap.after_news(news, &begun.progress, self.now);
                in_gap.or_else(|| gap.after_first_news(news, &begun.progress, policy))
            });
            let decision = held_by(gap, &mut begun, decision, &self.policies, self.now);
            invitations.push(begun);
            decision
        });
        Outlook::Event { event: Box::new(event), decision, begins, is_suppressed }
    }
}

/// The decision that stands after the shop's rules were asked whether they ever let the letter go.
fn admitted(invitation: &mut Invitation, decision: Decision, policies: &Policies, now: Timestamp) -> Decision {
    if decision.progress.state != State::Queued {
        return decision;
    }
    let rules = policies.shop(&invitation.shop);
    let Some(ground) = admit(invitation, rules, now) else { return decision };
    let decision = decide(&invitation.progress, &Event::NotAdmitted(ground), rules.of(&invitation.order), now);
    invitation.progress = decision.progress.clone();
    decision
}

/// The decision that stands where a restored queue cannot know whether the letter went already.
fn held_by(
    gap: Option<Gap>,
    invitation: &mut Invitation,
    decision: Decision,
    policies: &Policies,
    now: Timestamp,
) -> Decision {
    let Some(gap) = gap else { return decision };
    let policy = policies.of(&invitation.shop, &invitation.order);
    let decision = decide(&invitation.progress, &Event::Restored(gap), policy, now);
    invitation.progress = decision.progress.clone();
    decision
}

fn begun(
    shop: &Shop,
    event: &OrderEvent,
    news: OrderNews,
    cancelled: Option<Timestamp>,
    policies: &Policies,
    now: Timestamp,
) -> (Invitation, Decision) {
    let mut order = OrderDetails::default();
    order.learn(event);
    let decision = open(news, cancelled, policies.of(&shop.id, &order), now);
    let Customer { email, name } = event.customer.clone();
    let mut invitation = Invitation {
        id: InvitationId(0),
        shop: shop.id.clone(),
        reference: event.reference.clone(),
        customer: Customer { email, name },
        order,
        progress: decision.progress.clone(),
        round: 0,
        follows: None,
        link_series: 0,
        created_at: now,
        updated_at: now,
    };
    let decision = admitted(&mut invitation, decision, policies, now);
    (invitation, decision)
}

impl Outlook {
    /// The order and its customer.
    pub fn order(&self) -> Option<(&OrderReference, &EmailAddress)> {
        match self {
            Self::Event { event, .. } => Some((&event.reference, &event.customer.email)),
            Self::Known | Self::Nothing(..) => None,
        }
    }

    /// The rule by which the invitation would move.
    pub fn rule(&self) -> Option<Rule> {
        match self {
            Self::Event { is_suppressed: true, .. } => Some(Rule::Suppressed),
            Self::Event { decision, .. } => Some(decision.rule),
            Self::Known | Self::Nothing(..) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_772_442_000);

    #[test]
    fn a_mail_is_known_again_by_its_bytes_or_its_id_and_dated_by_its_date() {
        let mail =
            |date: &str, body: &str| format!("Date: {date}\nMessage-ID: <1@shop.example>\nSubject: x\n\n{body}\n");
        let one = stamp(mail("Sun, 1 Mar 2026 10:00:00 +0100", "a").as_bytes(), NOW).unwrap();
        let same = stamp(mail("Sun, 1 Mar 2026 10:00:00 +0100", "b").as_bytes(), NOW).unwrap();
        assert_eq!(one.written_at.to_string(), "2026-03-01T09:00:00Z");
        assert_eq!(one.marks.iter().filter(|mark| same.marks.contains(mark)).count(), 1);
        let ahead = stamp(mail("Fri, 1 Mar 2030 10:00:00 +0100", "a").as_bytes(), NOW).unwrap();
        assert_eq!(ahead.written_at, NOW);
        for bad in ["Subject: x\n\nDate: Sun, 1 Mar 2026 10:00:00 +0100\n", "Date: soon\n\n", "", "\n\n"] {
            assert!(stamp(bad.as_bytes(), NOW).is_err(), "{bad:?}");
        }
    }
}
