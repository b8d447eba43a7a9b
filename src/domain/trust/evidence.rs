//! What was seen of a copy's sender, as it is kept with the copy. It holds domains, networks and dates, but no customer.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use crate::domain::{Handed, Timestamp, Way, host_name};

/// The header fields that tell whom a mail is about and what happened. A signature proves nothing about those that it leaves out,
/// and one that is there twice must be signed twice, or the mail could be handed in again with another addressee.
pub const MATTERS: [&str; 4] = ["From", "To", "Subject", "Reply-To"];

/// What was seen of a copy's sender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// By which door it came.
    pub way: Way,
    /// The client's address, when there is a client that is not a mail server of ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
    /// The user who logged in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The digest of the client's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The sender's mark ([`sender_mark`]).
    pub mark: String,
    /// Who wrote it, as far as it says so.
    pub author: Author,
    /// The signatures, in the order of the mail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dkim: Vec<DkimSeen>,
    /// Whether the sender's domain lets the client send; `None` when nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spf: Option<SpfSeen>,
    /// Whether the author's domain is authenticated by its own policy; `None` when nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dmarc: Option<DmarcSeen>,
    /// What the last mail server on the way saw; `None` when nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arc: Option<ArcSeen>,
}

impl Evidence {
    /// What the door saw, before anything is looked up. `author` is the domain of the one From address, if there is one.
    pub fn of_door(handed: &Handed, mail_from: &str, author: Author) -> Self {
        let from = match &author {
            Author::One { domain } => domain.as_str(),
            Author::Unclear => "",
        };
        Self {
            way: handed.way,
            client: handed.client.map(|client| client.to_canonical()),
            user: handed.user.clone(),
            certificate: handed.certificate.clone(),
            mark: sender_mark(handed, mail_from, from),
            author,
            dkim: Vec::new(),
            spf: None,
            dmarc: None,
            arc: None,
        }
    }
}

/// Who wrote a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// One From field with one address.
    One {
        /// Its domain, in lower-case A-labels.
        domain: String,
    },
    /// No From field or several, no address or several, or a header section that programs may read differently. No domain can speak
    /// for such a mail.
    Unclear,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checked {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// DNS gave no answer in time, or an error that may pass.
    TempError,
    /// It was not made: the rules did not ask for it then, or there were too many.
    Unasked,
}

/// Why a signature does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Broken {
    /// The body is not the one that was signed.
    Body,
    /// The body is, but a field that is covered is not; or another key signed. The two cannot be told apart.
    Fields,
    /// The DNS has no such key.
    NoKey,
    /// The key was withdrawn: its record has an empty `p=`.
    Withdrawn,
    /// The key's record cannot be read, or the key is of another kind than the signature.
    BadKey,
}

/// A DKIM signature (RFC 6376).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DkimSeen {
    /// Who signed (`d=`).
    pub domain: String,
    /// By which of its keys (`s=`); empty in what was kept by programs that did not note it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub selector: String,
    /// Whether key, header fields and body agree. A body that differs counts as failed like the rest: nothing is refused for it.
    pub checked: Checked,
    /// Why it does not hold, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<Broken>,
    /// Fields of [`MATTERS`] that the mail has and that the signature does not wholly cover.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsigned: Vec<String>,
    /// Whether it covers a part of the body only (`l=`).
    #[serde(default)]
    pub partial_body: bool,
    /// When it was made: `t=`, else a Date that it covers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_at: Option<Timestamp>,
    /// Until when it holds (`x=`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Whether it is made with SHA-1, which proves nothing any more (RFC 8301).
    #[serde(default)]
    pub sha1: bool,
    /// How long its RSA key is; `None` for Ed25519.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rsa_bits: Option<u32>,
}

/// What SPF says of the sender (RFC 7208).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpfSeen {
    /// The domain of the reverse-path.
    pub domain: String,
    /// Whether it lets the client send.
    pub checked: Checked,
}

/// What DMARC says of the author's domain (RFC 9989).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DmarcSeen {
    /// Whether the aligned sender's domain lets the client send.
    pub by_spf: Checked,
    /// Whether a signature that is sound by itself, or but for its age, is aligned.
    pub by_dkim: Checked,
}

/// What the last mail server on the way says that it saw (RFC 8617).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArcSeen {
    /// Who sealed last.
    pub sealer: String,
    /// Whether the chain holds up to there.
    pub checked: Checked,
    /// Domains whose signatures it found good.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub saw: Vec<String>,
    /// Its own signature over the mail as it sent it on; with what it leaves out, as of any signature.
    pub signature: DkimSeen,
}

/// A certificate's digest as lists and evidence have it: 64 lower-case hexadecimal digits, written with colons or without.
pub fn listed_digest(text: &str) -> Option<String> {
    let digits = text.trim().chars().filter(|c| *c != ':').collect::<String>().to_ascii_lowercase();
    (digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit())).then_some(digits)
}

/// By what a sender without other proof is known again: the domain of its reverse-path (of From, where that is `<>`), and the network
/// of the client, an IPv4 /24 or an IPv6 /48; one that moves within a provider's network stays the same. A mail server beside us hides
/// the client, so there it is "lmtp" or "pipe".
pub fn sender_mark(handed: &Handed, mail_from: &str, author_domain: &str) -> String {
    let domain = match mail_from.rsplit_once('@') {
        Some((_, domain)) => host_name(domain),
        None => host_name(author_domain),
    };
    let domain = domain.as_deref().unwrap_or("no-domain");
    let network = match (handed.way, handed.client.map(|client| client.to_canonical())) {
        (Way::Lmtp | Way::Pipe | Way::Import, _) | (_, None) => handed.way.as_str().to_owned(),
        (_, Some(IpAddr::V4(client))) => {
            Ipv4Net::new(client, 24).map_or_else(|_| client.to_string(), |n| n.trunc().to_string())
        }
        (_, Some(IpAddr::V6(client))) => {
            Ipv6Net::new(client, 48).map_or_else(|_| client.to_string(), |n| n.trunc().to_string())
        }
    };
    format!("{domain} {network}")
}

/// A mark as a person writes it, in the form of [`sender_mark`]; `None` for what could be no sender's. An address stands for its network.
pub fn parse_mark(text: &str) -> Option<String> {
    let mut words = text.split_whitespace();
    let (domain, from) = (words.next()?, words.next()?);
    if words.next().is_some() {
        return None;
    }
    let domain = if domain == "no-domain" { domain.to_owned() } else { host_name(domain)? };
    let network = from.parse::<IpNet>().ok().or_else(|| from.parse::<IpAddr>().ok().map(IpNet::from));
    let Some(network) = network else {
        return Way::parse(&from.to_ascii_lowercase()).map(|way| format!("{domain} {}", way.as_str()));
    };
    let length = if network.addr().is_ipv4() { 24 } else { 48 };
    let network = IpNet::new(network.addr(), length).ok().filter(|_| network.prefix_len() >= length)?.trunc();
    Some(format!("{domain} {network}"))
}

/// Whether the copies of a sender with this mark come from this machine itself, whose mail server hands on what others wrote, too: its
/// domain is all that tells them apart, and anybody can write that into an envelope.
pub fn comes_from_this_machine(mark: &str) -> bool {
    let from = mark.rsplit_once(' ').map_or("", |(_, from)| from);
    from.starts_with("127.") || matches!(from, "::/48" | "lmtp" | "pipe")
}
