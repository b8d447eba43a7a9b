//! A mail address that can be mailed on the public internet, and nothing else.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::text::is_invisible;

/// An address `local@domain`: RFC 5321 dot-atom local part (RFC 6531 characters allowed), a host name of at least two labels
/// as A-labels in lower case. Stricter than RFC 5322 on purpose: no quoted local parts, comments, address literals or bare
/// host names, since no customer has one and each of them has been used to smuggle something past a mail program.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress {
    text: String,
    at: usize,
}

/// Why a text is no [`EmailAddress`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// Not exactly one `@`, or nothing on one side of it.
    #[error("an address is local-part@domain")]
    Shape,
    /// RFC 5321 4.5.3.1: 64 octets for the local part, 254 for the whole.
    #[error("the address is too long")]
    Length,
    /// The local part is no dot-atom.
    #[error("the part before the @ has characters that are not allowed there")]
    LocalPart,
    /// The domain is no host name with two labels.
    #[error("the part after the @ is not a full domain name")]
    Domain,
}

impl EmailAddress {
    /// Parses an address; blanks around it and one pair of angle brackets are taken off.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let text = text.trim();
        let text = text.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')).unwrap_or(text);
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidAddress::Shape)?;
        if local.is_empty() || domain.is_empty() || local.contains('@') {
            return Err(InvalidAddress::Shape);
        }
        if local.len() > 64 || domain.len() > 1000 {
            return Err(InvalidAddress::Length);
        }
        if !local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext)) {
            return Err(InvalidAddress::LocalPart);
        }
        let domain = host_name(domain).ok_or(InvalidAddress::Domain)?;
        if local.len() + 1 + domain.len() > 254 {
            return Err(InvalidAddress::Length);
        }
        Ok(Self { at: local.len(), text: format!("{local}@{domain}") })
    }

    /// The whole address, the domain as A-labels.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before the `@`, as it was written.
    pub fn local_part(&self) -> &str {
        &self.text[..self.at]
    }

    /// The domain, lower case, A-labels.
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// The form under which two addresses are the same person: the local part's case does not matter to any mail provider met
    /// in the field, although RFC 5321 2.4 lets it.
    pub fn key(&self) -> AddressKey {
        AddressKey(self.text.to_lowercase())
    }

    /// What stands for the address in logs: 10 hexadecimal digits of a keyed hash, the same for the same address as long as the
    /// key is the same, and of no use without the key.
    pub fn log_id(&self, key: &[u8]) -> String {
        use hmac::{KeyInit, Mac};
        let mut mac = hmac::Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length (RFC 2104)");
        mac.update(self.key().0.as_bytes());
        super::hex(&mac.finalize().into_bytes()[..5])
    }
}

/// A domain or sub-domain with its labels checked, as lower-case A-labels (RFC 1123, RFC 5890), or `None`.
pub(crate) fn host_name(domain: &str) -> Option<String> {
    let ascii = if domain.is_ascii() { domain.to_ascii_lowercase() } else { idna::domain_to_ascii(domain).ok()? };
    let labels = ascii.split('.').collect::<Vec<_>>();
    let fine = |label: &&str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    // A last label of digits alone would be an IPv4 address in disguise.
    let named = labels.last().is_some_and(|last| last.bytes().any(|b| b.is_ascii_alphabetic()));
    (labels.len() >= 2 && ascii.len() <= 253 && named && labels.iter().all(fine)).then_some(ascii)
}

/// RFC 5322 atext, with the non-ASCII letters of RFC 6531 less those that nobody can see.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~".contains(c)
        || (!c.is_ascii() && !is_invisible(c) && !c.is_whitespace())
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Shows only the domain: a debug print must not put a person into a log.
impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmailAddress(…@{})", self.domain())
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.text
    }
}

/// An address in the form that is compared and indexed.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressKey(String);

impl AddressKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_customers_addresses_are_taken() {
        for (text, canonical) in [
            ("orjan@ek.example", "orjan@ek.example"),
            (" <Anna.Smith+shop@Mail.Example.COM> ", "Anna.Smith+shop@mail.example.com"),
            ("o'malley@example.ie", "o'malley@example.ie"),
            ("j\u{fc}rgen@b\u{fc}cher.example", "j\u{fc}rgen@xn--bcher-kva.example"),
            ("x@students.example.edu", "x@students.example.edu"),
        ] {
            assert_eq!(EmailAddress::parse(text).map(|a| a.to_string()), Ok(canonical.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_could_mean_something_else_is_not() {
        for bad in [
            "",
            "a",
            "@x.test",
            "a@",
            "a@b",
            "v@localhost",
            "v@[127.0.0.1]",
            "v@127.0.0.1",
            "a b@x.test",
            "\"a b\"@x.test",
            "a@x@y.test",
            "a(b)@y.test",
            "a@x.test\r\nRCPT TO:<b@y.test>",
            "a@x\0.test",
            ".a@x.test",
            "a..b@x.test",
            "a@-x.test",
            "a@x..test",
            "a@x_y.test",
            "a,b@x.test",
            "a\u{202e}b@x.test",
        ] {
            assert!(EmailAddress::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(EmailAddress::parse(&format!("{}@x.test", "a".repeat(65))), Err(InvalidAddress::Length));
    }

    #[test]
    fn one_person_has_one_key_and_one_log_id() {
        let one = EmailAddress::parse("Anna@Example.com").expect("an address");
        let two = EmailAddress::parse("anna@example.com").expect("an address");
        assert_eq!(one.key(), two.key());
        assert_eq!(one.log_id(b"k"), two.log_id(b"k"));
        assert_ne!(one.log_id(b"k"), two.log_id(b"other"));
        assert_eq!(one.log_id(b"k").len(), 10);
        assert!(!format!("{one:?}").contains("Anna"));
    }
}
