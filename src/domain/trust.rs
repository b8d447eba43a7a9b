//! Whether a copy comes from the shop. What was seen of a copy's sender is [`Evidence`], what a shop takes for a proof are its
//! [`TrustRules`]; [`judge`] lays one against the other and looks up nothing itself.
//!
//! Any method that proves is enough. The address alone proves nothing: whoever learns it could have us write to strangers.

mod evidence;
mod judge;
mod listed;

use std::time::Duration;

use ipnet::IpNet;

pub use evidence::{
    ArcSeen, Author, Broken, Checked, DkimSeen, DmarcSeen, Evidence, MATTERS, SpfSeen, comes_from_this_machine,
    listed_digest, parse_mark, sender_mark,
};
pub use judge::judge;
pub use listed::{ListedDomain, are_aligned};

/// What proves a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// The client logged in (RFC 4954) as one of the shop's users.
    Login,
    /// The client's certificate is one of the shop's.
    Certificate,
    /// The client's address is in one of the shop's networks.
    Network,
    /// One of the shop's domains signed what the mail says (RFC 6376).
    Dkim,
    /// One of the shop's domains lets the client send its mail (RFC 7208).
    Spf,
    /// The author's domain, one of the shop's, is authenticated by its own policy (RFC 9989).
    Dmarc,
    /// A mail server whose word the shop takes saw the shop's signature before the mail was changed (RFC 8617).
    Arc,
    /// A person or program of this machine handed it to `invited ingest`.
    Pipe,
    /// A person imported it.
    Import,
    /// It was sent to the shop's secret address, and that is enough for this shop.
    Address,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 10] = [
        Self::Login,
        Self::Certificate,
        Self::Network,
        Self::Dkim,
        Self::Spf,
        Self::Dmarc,
        Self::Arc,
        Self::Pipe,
        Self::Import,
        Self::Address,
    ];

    /// The word for it in JSON, logs and figures.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Certificate => "certificate",
            Self::Network => "network",
            Self::Dkim => "dkim",
            Self::Spf => "spf",
            Self::Dmarc => "dmarc",
            Self::Arc => "arc",
            Self::Pipe => "pipe",
            Self::Import => "import",
            Self::Address => "address",
        }
    }
}

/// What becomes of a copy that nothing but the secret address speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum NewSenders {
    /// It is held until a person approves of its sender; from then on that sender's copies are believed.
    #[default]
    Hold,
    /// It is believed: whoever knows the address can have the shop's letters sent.
    Accept,
    /// It is held, whoever its sender is.
    Refuse,
}

/// What a shop takes for a proof. Empty lists ask for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustRules {
    /// Users who may hand in the shop's copies.
    pub logins: Vec<String>,
    /// SHA-256 digests of client certificates, as [`listed_digest`] writes them.
    pub certificates: Vec<String>,
    /// The networks of the shop's own servers.
    pub networks: Vec<IpNet>,
    /// Whose signatures count.
    pub dkim: Vec<ListedDomain>,
    /// Whose senders count.
    pub spf: Vec<ListedDomain>,
    /// Whose authors count.
    pub dmarc: Vec<ListedDomain>,
    /// Sealers whose word about signatures of `dkim` counts.
    pub arc: Vec<ListedDomain>,
    /// Whether `invited ingest` is the shop: true where the mail server pipes in nothing but the shop's own mail.
    pub pipe: bool,
    /// How old a signature may be when a copy comes in, so that an old mail cannot be handed in again.
    pub max_age: Duration,
    /// What the secret address is worth.
    pub address: NewSenders,
}

impl TrustRules {
    /// 72 hours: mail servers retry for days, and a replayed mail of that age tells of an order that is known long since.
    pub const MAX_AGE: Duration = Duration::from_secs(72 * 3600);

    /// Whether anything beside the address can prove a sender.
    pub fn asks_for_proof(&self) -> bool {
        self.pipe
            || !(self.logins.is_empty() && self.certificates.is_empty() && self.networks.is_empty())
            || self.asks_dns()
    }

    /// Whether a proof has to be looked up.
    pub fn asks_dns(&self) -> bool {
        !(self.dkim.is_empty() && self.spf.is_empty() && self.dmarc.is_empty() && self.arc.is_empty())
    }
}

impl Default for TrustRules {
    /// Nothing proves, and new senders are held.
    fn default() -> Self {
        Self {
            logins: Vec::new(),
            certificates: Vec::new(),
            networks: Vec::new(),
            dkim: Vec::new(),
            spf: Vec::new(),
            dmarc: Vec::new(),
            arc: Vec::new(),
            pipe: false,
            max_age: Self::MAX_AGE,
            address: NewSenders::Hold,
        }
    }
}

/// What the rules say of a copy's sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is the shop.
    Trusted {
        /// By this proof.
        by: Method,
    },
    /// Nothing proves it.
    Held {
        /// In words for a support person.
        why: String,
    },
    /// A proof could not be looked up, or was not asked for when the copy was looked at: to be held and looked at again.
    Unsure {
        /// In words for a support person.
        why: String,
    },
    /// Nothing but the secret address speaks for it: believed when a person approved of this mark.
    NewSender {
        /// The sender's mark ([`sender_mark`]).
        mark: String,
    },
}

#[cfg(test)]
mod tests;
