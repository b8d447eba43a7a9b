//! What goes into a letter and what comes out of it.

use std::fmt;

use crate::domain::{Customer, EmailAddress, LetterKind, OrderReference, PersonName, Product, ShopId, Timestamp};
use crate::wording::Color;

/// The shop as its customers see it.
#[derive(Clone, Copy)]
pub struct Sender<'a> {
    /// Its id: names the list in `List-Id`.
    pub shop: &'a ShopId,
    /// Its name as customers know it.
    pub shop_name: &'a str,
    /// The From address.
    pub from: &'a EmailAddress,
    /// The display name beside it.
    pub from_name: &'a PersonName,
    /// Where answers go, when not to the From address.
    pub reply_to: Option<&'a EmailAddress>,
    /// Its own domain, as customers know it.
    pub domain: &'a str,
    /// The shop's language, RFC 5646, for customers whose own is not known or has no letters.
    pub locale: &'a str,
    /// The colour of buttons and stars, `#rrggbb`. Shades of it that can be read are worked out from it.
    pub color: &'a str,
    /// The logo, an `https` address.
    pub logo: Option<&'a str>,
    /// Name and postal address for the foot of the letter, one line each.
    pub postal_address: Option<&'a str>,
}

/// Where a letter leads: absolute `http(s)` addresses. Whatever is missing is not shown.
#[derive(Clone, Copy)]
pub struct Links<'a> {
    /// Where the button leads, to the review.
    pub review: &'a str,
    /// Where the stars lead, one to five.
    pub stars: Option<&'a [String; 5]>,
    /// Where the customer says that nothing has arrived yet, or asks to be asked later.
    pub later: Option<&'a str>,
    /// Where the customer unsubscribes. An `https` address also takes the POST of one click (RFC 8058).
    pub unsubscribe: Option<&'a str>,
    /// Where the customer sees what is stored about them.
    pub data: Option<&'a str>,
    /// The letter in a browser.
    pub view: Option<&'a str>,
    /// How reviews are collected and verified.
    pub about: Option<&'a str>,
}

impl Links<'_> {
    /// All of them with what each is called.
    pub(super) fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let stars = self.stars.into_iter().flatten().map(|star| ("a star link", star.as_str()));
        let others = [
            ("the link", Some(self.review)),
            ("the link that asks later", self.later),
            ("the unsubscribe link", self.unsubscribe),
            ("the link to the customer's data", self.data),
            ("the link to the letter in a browser", self.view),
            ("the link that says how reviews are collected", self.about),
        ];
        others.into_iter().filter_map(|(what, link)| Some((what, link?))).chain(stars)
    }
}

/// The mail that unsubscribes, for mail programs that do not post and for letters without pages.
#[derive(Clone, Copy)]
pub struct UnsubscribeMail<'a> {
    /// Where it goes: the letter's return address, or a box that a person reads.
    pub to: &'a EmailAddress,
    /// Its subject: 1 to 100 of `A-Z a-z 0-9 . _ ~ -` and single blanks.
    pub subject: &'a str,
}

/// One letter to one customer.
#[derive(Clone, Copy)]
pub struct LetterData<'a> {
    /// First letter or reminder.
    pub kind: LetterKind,
    /// The customer's language, RFC 5646, where the copy told it. Falls back from `de-AT` to `de`, to the shop's, to English.
    pub locale: Option<&'a str>,
    /// Who sends it.
    pub sender: Sender<'a>,
    /// Who gets it.
    pub customer: &'a Customer,
    /// The order it asks about.
    pub reference: &'a OrderReference,
    /// What was bought; the first six are named. Nothing else of them is shown: addresses from a copy are not to be clicked on.
    pub products: &'a [Product],
    /// Where it leads.
    pub links: Links<'a>,
    /// The Message-ID without its angle brackets; the same each time this letter is tried.
    pub message_id: &'a str,
    /// The Date header; the same each time this letter is tried.
    pub date: Timestamp,
    /// The mail that unsubscribes.
    pub unsubscribe_mail: UnsubscribeMail<'a>,
    /// Whether it is one to look at: its subject says so.
    pub is_test: bool,
}

/// A finished letter.
#[derive(Clone, PartialEq, Eq)]
pub struct Composed {
    /// The subject as text.
    pub subject: String,
    /// The whole message: CRLF line ends, no line over 998 octets, dots not yet stuffed.
    pub message: Vec<u8>,
    /// The HTML part as text.
    pub html: String,
    /// The plain-text part as text, LF line ends.
    pub text: String,
    /// The locale it was written in, as its folder is called.
    pub locale: String,
    /// Whether an address in its header has letters beyond ASCII, so that only an SMTPUTF8 relay (RFC 6531) can take it.
    pub smtputf8: bool,
}

/// Sizes only: a letter is full of personal data.
impl fmt::Debug for Composed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Composed")
            .field("message_bytes", &self.message.len())
            .field("locale", &self.locale)
            .field("smtputf8", &self.smtputf8)
            .finish_non_exhaustive()
    }
}

/// Why a letter could not be made. It is the configuration's or a template's fault, never the customer's, and says nothing of
/// the customer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// A value that may not stand in a message.
    #[error("{what} {why}")]
    Value {
        /// Which value.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A template that could not be filled in.
    #[error("{file}:{line}: {what}")]
    Template {
        /// The template's file.
        file: String,
        /// Line from 1, or 0 when it is not known.
        line: usize,
        /// What is wrong.
        what: String,
    },
}

/// The longest link: what mail programs and proxies are known to bear.
const LONGEST_LINK: usize = 2_000;
/// The longest unsubscribe link: it stands in the header, where no line may be over 998 octets and no address is folded.
const LONGEST_UNSUBSCRIBE: usize = 900;

impl LetterData<'_> {
    /// Checks what is no newtype, since the mail builder writes links, ids and addresses into the header as they are.
    pub(super) fn check(&self) -> Result<(), ComposeError> {
        let wrong = |what, why| Err(ComposeError::Value { what, why });
        if let Some((what, _)) = self.links.named().find(|(_, link)| !is_web_link(link, &["http", "https"])) {
            return wrong(what, "is no absolute http(s) address of at most 2000 plain characters");
        }
        if self.links.unsubscribe.is_some_and(|link| link.len() > LONGEST_UNSUBSCRIBE || link.contains(',')) {
            return wrong("the unsubscribe link", "is longer than 900 characters, or has a comma");
        }
        if self.sender.logo.is_some_and(|logo| !is_web_link(logo, &["https"])) {
            return wrong("the logo", "is no absolute https address of at most 2000 plain characters");
        }
        if !is_message_id(self.message_id) {
            return wrong("the Message-ID", "is not left@right in dot-atoms (RFC 5322 3.6.4), without <>");
        }
        let is_word =
            |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~-".contains(&b));
        let subject = self.unsubscribe_mail.subject;
        if subject.len() > 100 || !subject.split(' ').all(is_word) {
            return wrong("the subject that unsubscribes", "is not 1 to 100 of A-Z a-z 0-9 . _ ~ - and single blanks");
        }
        if Color::parse(self.sender.color).is_none() {
            return wrong("the colour", "is not #rrggbb");
        }
        Ok(())
    }
}

/// Printable ASCII without what could end an attribute, a header's angle bracket or a line.
fn is_web_link(text: &str, schemes: &[&str]) -> bool {
    text.len() <= LONGEST_LINK
        && text.bytes().all(|b| b.is_ascii_graphic() && !b"\"'<>\\^`{|}".contains(&b))
        && url::Url::parse(text).is_ok_and(|url| schemes.contains(&url.scheme()) && url.has_host())
}

/// RFC 5322 3.6.4: `dot-atom-text "@" dot-atom-text`, at most 250 octets so that the header line stays legal.
fn is_message_id(text: &str) -> bool {
    let dot_atom = |side: &str| {
        side.split('.').all(|atom| {
            !atom.is_empty() && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
        })
    };
    text.len() <= 250 && text.split_once('@').is_some_and(|(left, right)| dot_atom(left) && dot_atom(right))
}
