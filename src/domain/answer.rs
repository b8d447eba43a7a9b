//! What comes back to a letter's return address, in the words in which it is stored and told.

use std::fmt;
use std::str::FromStr;

/// What a mail to a return address was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AnswerKind {
    /// The letter was not delivered, and nothing ever will be at that address.
    HardBounce,
    /// The letter was not delivered; the address may well be alive.
    SoftBounce,
    /// The letter was not delivered, and nobody says whose fault it is.
    UnclearBounce,
    /// A mail system is still trying.
    Delayed,
    /// A mail system reports that it has delivered or handed on the letter.
    Delivered,
    /// The customer called the letter junk, or asked their provider to have no more of them.
    Complaint,
    /// The customer wants no more letters of this shop, and said so by the mail that the letter's `List-Unsubscribe` begins.
    Unsubscribed,
    /// A report of a provider that is no complaint of the customer (failed authentication, a virus, "not junk").
    Report,
    /// A program answered because the letter came: out of office, a ticket number.
    AutoReply,
    /// Anything else; most likely a person wrote.
    Written,
    /// A bounce or a complaint that is not known to be about this letter: it names neither its customer nor the letter.
    Unmatched,
}

impl AnswerKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::HardBounce,
        Self::SoftBounce,
        Self::UnclearBounce,
        Self::Delayed,
        Self::Delivered,
        Self::Complaint,
        Self::Unsubscribed,
        Self::Report,
        Self::AutoReply,
        Self::Written,
        Self::Unmatched,
    ];

    /// The word for it in JSON and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HardBounce => "hard_bounce",
            Self::SoftBounce => "soft_bounce",
            Self::UnclearBounce => "unclear_bounce",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Complaint => "complaint",
            Self::Unsubscribed => "unsubscribed",
            Self::Report => "report",
            Self::AutoReply => "auto_reply",
            Self::Written => "written",
            Self::Unmatched => "unmatched",
        }
    }

    /// The kind of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// What it says, for people.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::HardBounce => "it came back: the address is dead",
            Self::SoftBounce => "it came back: the address did not take it this time",
            Self::UnclearBounce => "it came back without a clear reason",
            Self::Delayed => "a mail server is still trying to deliver it",
            Self::Delivered => "a mail server says that it was delivered",
            Self::Complaint => "the customer called it junk",
            Self::Unsubscribed => "the customer unsubscribed by mail",
            Self::Report => "a provider reported on it, without a complaint",
            Self::AutoReply => "a program answered it, such as an out-of-office notice",
            Self::Written => "somebody wrote to its return address",
            Self::Unmatched => "a bounce or complaint came that does not name this letter; nothing came of it",
        }
    }
}

impl fmt::Display for AnswerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether an address that a letter did not reach is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hardness {
    /// It is: nothing will ever be delivered there.
    Hard,
    /// It may well be alive: full, busy, or not wanting this mail.
    Soft,
    /// Nobody says.
    Unclear,
}

/// An enhanced mail system status code, such as `5.1.1` (RFC 3463, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MailStatus {
    /// 2 success, 4 a failure that may pass, 5 one that lasts.
    pub class: u8,
    /// What it is about.
    pub subject: u16,
    /// What exactly.
    pub detail: u16,
}

impl MailStatus {
    /// The codes that stand in a text. A number or a dot before or after would make one something else, such as an IP address.
    pub fn all_in(text: &str) -> impl Iterator<Item = Self> {
        let words = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
        words.filter_map(|word| word.trim_end_matches('.').parse().ok())
    }

    /// Whether it says what was wrong, and not only that something was.
    pub const fn is_specific(self) -> bool {
        self.subject != 0 && self.detail != 0
    }

    /// Whether the failure may pass.
    pub const fn may_pass(self) -> bool {
        self.class == 4
    }
}

/// That a text is no status code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a status code of the shape 5.1.1")]
pub struct InvalidMailStatus;

impl FromStr for MailStatus {
    type Err = InvalidMailStatus;

    fn from_str(text: &str) -> Result<Self, InvalidMailStatus> {
        let number = |part: Option<&str>| {
            let digits = part.filter(|part| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()));
            digits.and_then(|part| part.parse::<u16>().ok()).ok_or(InvalidMailStatus)
        };
        let mut parts = text.split('.');
        let class = match parts.next() {
            Some("2") => 2,
            Some("4") => 4,
            Some("5") => 5,
            _ => return Err(InvalidMailStatus),
        };
        let status = Self { class, subject: number(parts.next())?, detail: number(parts.next())? };
        parts.next().is_none().then_some(status).ok_or(InvalidMailStatus)
    }
}

impl fmt::Display for MailStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_found_again() {
        for kind in AnswerKind::ALL {
            assert_eq!(AnswerKind::parse(kind.as_str()), Some(kind));
        }
    }

    #[test]
    fn a_status_code_is_found_and_an_ip_address_is_none() {
        for (text, code) in [
            ("550 5.1.1 <a@example.org>: unknown", "5.1.1"),
            ("550-5.7.26 Unauthenticated", "5.7.26"),
            ("(#5.5.0)", "5.5.0"),
            ("said: 450 4.2.2.", "4.2.2"),
            ("host mx[5.1.1.7] said 550", ""),
            ("5.1 and 3.1.1 and 5.1.1111", ""),
            ("4.4.7 after 5.1.1", "4.4.7"),
            ("", ""),
        ] {
            let first = MailStatus::all_in(text).next();
            assert_eq!(first.map(|code| code.to_string()).unwrap_or_default(), code, "{text}");
        }
    }
}
