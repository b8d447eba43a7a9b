//! What proves a copy's sender, with real signatures and a DNS that answers as it is told: no wrong copy is trusted, no right one is
//! lost, and the DNS is asked no more than the shop's rules ask.
#![cfg(feature = "daemon")]
#![expect(clippy::unwrap_used, reason = "what a test does not expect is its failure")]

mod anything;
#[path = "../kit/dns.rs"]
mod dns;
mod matrix;
mod peers;
#[path = "../kit/said.rs"]
mod said;
mod signatures;
mod signer;
mod trouble;

use invited::domain::trust::{Evidence, ListedDomain, NewSenders, TrustRules, Verdict, judge};
use invited::domain::{Handed, Timestamp};
use invited::proof::{Mail, Prover};

use crate::dns::Dns;
use crate::signer::{How, Key};

/// A Saturday morning.
const NOW: Timestamp = Timestamp::from_seconds(1_795_251_600);
/// An hour before it, as a tag.
const FRESH: &str = "t=1795248000; ";

const MAIL: &str = "From: Shop <order@shop.example>\r\n\
    To: Anna Berg <anna@example.org>\r\n\
    Subject: Thank you for your order 10001\r\n\
    Date: Sat, 21 Nov 2026 09:30:00 +0100\r\n\
    Message-ID: <1@shop.example>\r\n\
    \r\n\
    Thank you for your order 10001.\r\n";

/// How a shop signs that does it well.
const WELL: How<'static> =
    How { domain: "shop.example", selector: "s1", fields: "from:to:subject:date:reply-to", tags: FRESH, length: None };

/// A DNS with one key of the shop, and a prover that asks it.
struct Scene {
    dns: Dns,
    prover: Prover,
    key: Key,
}

impl Scene {
    async fn new() -> Self {
        Self::with(Key::ed25519()).await
    }

    async fn with(key: Key) -> Self {
        let dns = Dns::start().await;
        dns.txt("s1._domainkey.shop.example", &key.record());
        let prover = Prover::new(&[dns.address]).unwrap();
        Self { dns, prover, key }
    }

    async fn evidence(&self, handed: &Handed, mail_from: &str, mail: &str, rules: &TrustRules) -> Evidence {
        let mail = Mail { handed, mail_from, message: mail.as_bytes() };
        self.prover.evidence(mail, rules).await
    }

    /// The verdict on a mail that the shop's server hands in, in a word for tables.
    async fn says(&self, mail: &str, rules: &TrustRules) -> String {
        word(&self.evidence(&by_smtp(), "order@shop.example", mail, rules).await, rules)
    }
}

fn word(evidence: &Evidence, rules: &TrustRules) -> String {
    match judge(evidence, rules, NOW) {
        Verdict::Trusted { by } => by.as_str().to_owned(),
        Verdict::Held { .. } => "held".to_owned(),
        Verdict::Unsure { .. } => "unsure".to_owned(),
        Verdict::NewSender { .. } => "new".to_owned(),
    }
}

fn by_smtp() -> Handed {
    Handed { client: "192.0.2.25".parse().ok(), hello: "mail.shop.example".to_owned(), ..Handed::default() }
}

fn listed(domains: &[&str]) -> Vec<ListedDomain> {
    domains.iter().map(|domain| ListedDomain::parse(domain).unwrap()).collect()
}

/// Rules that hold whatever is not proved.
fn strict() -> TrustRules {
    TrustRules { address: NewSenders::Refuse, ..TrustRules::default() }
}

fn by_dkim() -> TrustRules {
    TrustRules { dkim: listed(&["shop.example"]), ..strict() }
}
