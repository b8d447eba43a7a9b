//! The suppression list: who gets no letter, whatever a shop's orders say. An entry means an address or a whole domain, for one
//! shop or for all. It may stand as a keyed hash, so that the list itself names nobody: whoever has no key cannot even try
//! addresses against it (a plain hash of an address is found by trying all that were ever leaked).

use std::fmt;

use hmac::{KeyInit, Mac};
use sha2::Sha256;

use super::email_address::{AddressKey, EmailAddress, host_name};
use super::shop::ShopId;
use super::time::Timestamp;

/// What begins a hashed subject. Neither an address nor a domain can begin so: `:` stands in neither.
const HASHED: &str = "h:";

/// Bytes of the hash that are kept: 128 bits, beyond any chance that two people share one.
const HASH_BYTES: usize = 16;

/// What an entry means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ListKind {
    /// One address.
    Address,
    /// A domain and all below it.
    Domain,
}

impl ListKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Address, Self::Domain];

    /// The word for it in the database, in JSON and in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Domain => "domain",
        }
    }

    /// The kind of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for ListKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why somebody is on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ListReason {
    /// A person put them there.
    ByHand,
    /// They want no more letters.
    Unsubscribed,
    /// They called a letter junk.
    Complained,
    /// Their address does not exist.
    Bounced,
    /// Everything that was stored about them was erased.
    Erased,
    /// They came with a file that gave no other reason.
    Imported,
}

impl ListReason {
    /// Every reason.
    pub const ALL: [Self; 6] =
        [Self::ByHand, Self::Unsubscribed, Self::Complained, Self::Bounced, Self::Erased, Self::Imported];

    /// The word for it in the database, in JSON and in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ByHand => "by_hand",
            Self::Unsubscribed => "unsubscribed",
            Self::Complained => "complained",
            Self::Bounced => "bounced",
            Self::Erased => "erased",
            Self::Imported => "imported",
        }
    }

    /// The reason of this word, in any letter case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str().eq_ignore_ascii_case(word))
    }
}

impl fmt::Display for ListReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an entry of the list is found by: exactly what stands in the columns `kind` and `subject`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListKey {
    kind: ListKind,
    subject: String,
}

/// Why a text can be no entry of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEntry {
    /// Neither an address nor a domain.
    #[error("neither an address nor a domain name of two labels or more")]
    Neither,
    /// A hash without its kind, or of the wrong shape.
    #[error("not a hashed entry of this list: h: and 32 hexadecimal digits, with the kind address or domain beside it")]
    Hash,
}

impl ListKey {
    /// The entry of an address.
    pub fn of(address: &AddressKey) -> Self {
        Self { kind: ListKind::Address, subject: address.as_str().to_owned() }
    }

    /// What a person writes: an address, or a domain with or without an `@` before it.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, InvalidEntry> {
        let text = text.trim();
        let domain = text.strip_prefix('@').unwrap_or(text);
        if domain.contains('@') {
            return EmailAddress::parse(text)
                .map(|address| Self::of(&address.key()))
                .map_err(|_| InvalidEntry::Neither);
        }
        // A name that is written with the root's dot is the same name.
        let domain = host_name(domain.strip_suffix('.').unwrap_or(domain)).ok_or(InvalidEntry::Neither)?;
        Ok(Self { kind: ListKind::Domain, subject: domain })
    }

    /// An entry as it is stored: of a plain one the kind is known from its shape and must agree, of a hashed one it must be told.
    ///
    /// # Errors
    /// When it is no entry of that kind.
    pub fn from_parts(kind: Option<ListKind>, subject: &str) -> Result<Self, InvalidEntry> {
        if let Some(digits) = subject.strip_prefix(HASHED) {
            let is_hash =
                digits.len() == HASH_BYTES * 2 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            let kind = kind.filter(|_| is_hash).ok_or(InvalidEntry::Hash)?;
            return Ok(Self { kind, subject: subject.to_owned() });
        }
        Self::parse(subject).and_then(|key| match kind {
            Some(kind) if kind != key.kind => Err(InvalidEntry::Neither),
            _ => Ok(key),
        })
    }

    /// An address or a domain.
    pub fn kind(&self) -> ListKind {
        self.kind
    }

    /// The address in its compared form, the domain, or the hash of one of them.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Whether it names nobody.
    pub fn is_hashed(&self) -> bool {
        self.subject.starts_with(HASHED)
    }

    /// The same entry as a keyed hash: HMAC-SHA-256 (RFC 2104) over kind and subject, its first 16 bytes. The kind is in it so that
    /// an entry cannot be turned from one kind into the other.
    #[must_use]
    pub fn hashed(&self, list_key: &[u8; 32]) -> Self {
        if self.is_hashed() {
            return self.clone();
        }
        let mut mac = hmac::Hmac::<Sha256>::new_from_slice(list_key).expect("HMAC takes keys of any length (RFC 2104)");
        mac.update(self.kind.as_str().as_bytes());
        mac.update(&[0]);
        mac.update(self.subject.as_bytes());
        let subject = format!("{HASHED}{}", super::hex(&mac.finalize().into_bytes()[..HASH_BYTES]));
        Self { kind: self.kind, subject }
    }
}

/// Shows an entry only when it is hashed, or a domain: a debug print must not put a person into a log.
impl fmt::Debug for ListKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.is_hashed()) {
            (ListKind::Address, false) => f.write_str("ListKey(address …)"),
            (kind, _) => write!(f, "ListKey({kind} {})", self.subject),
        }
    }
}

/// Everything under which an address can stand on the list: itself, its domain and each domain above that down to two labels, plain
/// and hashed. At most some 250, for a domain of as many labels as fit; four to eight for real ones. An entry counts for a shop when
/// it stands for that shop or for all.
pub fn lookup_keys(address: &AddressKey, list_key: &[u8; 32]) -> Vec<ListKey> {
    let mut plain = vec![ListKey::of(address)];
    let (_, mut domain) = address.as_str().rsplit_once('@').unwrap_or_default();
    while let Some((_, above)) = domain.split_once('.') {
        plain.push(ListKey { kind: ListKind::Domain, subject: domain.to_owned() });
        domain = above;
    }
    let hashed = plain.iter().map(|key| key.hashed(list_key)).collect::<Vec<_>>();
    plain.extend(hashed);
    plain
}

/// An entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuppressionEntry {
    /// Whom it means.
    pub key: ListKey,
    /// For which shop; `None` for all.
    pub shop: Option<ShopId>,
    /// Why.
    pub reason: ListReason,
    /// What a person wrote beside it.
    pub note: Option<String>,
    /// Who put it there.
    pub actor: String,
    /// When.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn address(text: &str) -> AddressKey {
        EmailAddress::parse(text).expect("an address").key()
    }

    #[test]
    fn an_address_is_looked_up_by_itself_and_every_domain_it_is_under_plain_and_hashed() {
        let keys = lookup_keys(&address("Anna.Lind@Mail.Shop.Example"), &KEY);
        let plain = keys.iter().filter(|key| !key.is_hashed()).map(|key| (key.kind().as_str(), key.subject()));
        assert_eq!(
            plain.collect::<Vec<_>>(),
            [("address", "anna.lind@mail.shop.example"), ("domain", "mail.shop.example"), ("domain", "shop.example")]
        );
        assert_eq!(keys.len(), 6);
        for key in &keys[..3] {
            assert!(keys[3..].contains(&key.hashed(&KEY)), "{key:?}");
        }
    }

    #[test]
    fn what_is_added_is_found_whatever_way_it_was_written() {
        for (written, customer) in [
            ("anna@shop.example", "Anna@SHOP.example"),
            (" <Anna@Shop.Example> ", "anna@shop.example"),
            ("shop.example", "anna@shop.example"),
            ("@Shop.Example", "anna@mail.shop.example"),
            ("shop.example.", "anna@shop.example"),
            ("b\u{fc}cher.example", "anna@xn--bcher-kva.example"),
        ] {
            let key = ListKey::parse(written).expect(written);
            let keys = lookup_keys(&address(customer), &KEY);
            assert!(keys.contains(&key), "{written}");
            assert!(keys.contains(&key.hashed(&KEY)), "{written}");
        }
    }

    #[test]
    fn a_neighbour_is_not_meant() {
        for (written, customer) in [
            ("anna@shop.example", "hanna@shop.example"),
            ("shop.example", "anna@myshop.example"),
            ("mail.shop.example", "anna@shop.example"),
        ] {
            let key = ListKey::parse(written).expect(written);
            assert!(!lookup_keys(&address(customer), &KEY).contains(&key), "{written}");
        }
    }

    #[test]
    fn what_is_neither_an_address_nor_a_domain_is_no_entry() {
        for bad in ["", "com", "@", "a b@x.test", "a@b", "*.shop.example", "h:00", "127.0.0.1", "a@b@c.test"] {
            assert!(ListKey::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_hash_needs_its_key_its_kind_and_its_whole_length() {
        let key = ListKey::parse("anna@shop.example").expect("an address");
        let hashed = key.hashed(&KEY);
        assert_eq!(hashed.hashed(&KEY), hashed, "a hash is not hashed again");
        assert_ne!(hashed, key.hashed(&[8; 32]));
        assert_ne!(ListKey { kind: ListKind::Domain, ..key }.hashed(&KEY).subject(), hashed.subject());
        assert_eq!(ListKey::from_parts(Some(ListKind::Address), hashed.subject()), Ok(hashed.clone()));
        assert_eq!(ListKey::from_parts(None, hashed.subject()), Err(InvalidEntry::Hash));
        assert_eq!(ListKey::from_parts(Some(ListKind::Address), "h:12ab"), Err(InvalidEntry::Hash));
        assert_eq!(
            ListKey::from_parts(Some(ListKind::Domain), "anna@shop.example"),
            Err(InvalidEntry::Neither),
            "a kind that is not the entry's own"
        );
    }

    #[test]
    fn a_debug_print_names_nobody() {
        let key = ListKey::parse("anna@shop.example").expect("an address");
        assert!(!format!("{key:?}").contains("anna"));
    }

    #[test]
    fn every_word_is_found_again() {
        for reason in ListReason::ALL {
            assert_eq!(ListReason::parse(reason.as_str()), Some(reason));
        }
        for kind in ListKind::ALL {
            assert_eq!(ListKind::parse(kind.as_str()), Some(kind));
        }
    }
}
