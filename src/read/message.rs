//! A mail as the reader sees it: bounded before the MIME parser gets a byte, decoded, every address and text checked. Nothing
//! here knows about orders.

use std::borrow::Cow;
use std::panic::catch_unwind;

use mail_parser::{Address, HeaderName, MessageParser, MimeHeaders, PartType};

use super::{bounds, repair};
use crate::domain::{EmailAddress, clean};

/// Longest subject that is looked at, in characters.
const SUBJECT: usize = 998;
/// Longest value of any other header field that is looked at, in characters.
const HEADER: usize = 2_000;
/// Most addresses that are taken from one header field.
const ADDRESSES: usize = 50;

/// Somebody in a header field.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Mailbox {
    /// The display name, cleaned; `None` when there is none or it only repeats the address.
    pub(super) name: Option<String>,
    /// The address.
    pub(super) email: EmailAddress,
}

/// The view of a mail.
pub(super) struct Message {
    headers: Vec<(String, String)>,
    /// The one author.
    pub(super) from: Mailbox,
    /// The addressees in `To:` that are valid.
    pub(super) to: Vec<Mailbox>,
    /// The addresses in `Reply-To:` that are valid.
    pub(super) reply_to: Vec<Mailbox>,
    /// The subject, decoded and cleaned.
    pub(super) subject: String,
    /// The day of `Date:`, as the sender's clock had it.
    pub(super) day: Option<jiff::civil::Date>,
    /// All HTML bodies, one after the other.
    pub(super) html: String,
    /// All plain text bodies.
    pub(super) text: String,
    /// A mail that was attached, as a forwarding person's program does.
    pub(super) attached: Option<Vec<u8>>,
}

impl Message {
    /// Takes a mail apart, or says in words why it is set aside.
    pub(super) fn parse(mail: &[u8]) -> Result<Self, String> {
        bounds::check(mail)?;
        let mail = repair::header_section(mail);
        // mail-parser 0.11.9 panics on some broken multiparts ("Invalid part ID"); that costs the mail, and nothing else.
        let parsed = catch_unwind(|| MessageParser::default().parse(mail.as_ref()))
            .map_err(|_| "the MIME parser failed on it")?
            .ok_or("it has no header section")?;
        let froms = parsed.headers().iter().filter(|field| field.name == HeaderName::From).count();
        if froms != 1 {
            return Err(format!("it has {froms} From fields, and a mail has exactly one (RFC 5322, section 3.6)"));
        }
        let mut authors = mailboxes(parsed.from().into_iter());
        if authors.len() != 1 {
            return Err(format!("From holds {} usable addresses instead of one", authors.len()));
        }
        let from = authors.swap_remove(0);
        let headers = parsed
            .headers_raw()
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), clean(value, HEADER)))
            .collect::<Vec<_>>();
        let day = parsed.date().and_then(|date| {
            let (month, day) = (i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?);
            jiff::civil::Date::new(i16::try_from(date.year).ok()?, month, day).ok()
        });
        Ok(Self {
            headers,
            from,
            to: mailboxes(parsed.all_to()),
            reply_to: mailboxes(parsed.reply_to().into_iter()),
            subject: clean(parsed.subject().unwrap_or_default(), SUBJECT),
            day,
            html: bodies(&parsed, &mail, true),
            text: bodies(&parsed, &mail, false),
            attached: parsed.parts.iter().find_map(|part| match &part.body {
                PartType::Message(inner) => Some(inner.raw_message().to_vec()).filter(|raw| !raw.is_empty()),
                _ => None,
            }),
        })
    }

    /// All header fields, the names in lower case.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The values of a header field, in the order of the mail; the name in lower case.
    pub(super) fn header<'m>(&'m self, name: &'m str) -> impl Iterator<Item = &'m str> {
        self.headers.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The valid mailboxes of address fields; groups are opened.
fn mailboxes<'m>(fields: impl Iterator<Item = &'m Address<'m>>) -> Vec<Mailbox> {
    let mut found: Vec<Mailbox> = Vec::new();
    for addr in fields.flat_map(|field| field.iter()).take(ADDRESSES) {
        let Some(email) = addr.address().and_then(|text| EmailAddress::parse(text).ok()) else { continue };
        if found.iter().any(|known| known.email.key() == email.key()) {
            continue;
        }
        let name = addr.name().map(|name| clean(name, 100)).filter(|name| !name.is_empty() && !name.contains('@'));
        found.push(Mailbox { name, email });
    }
    found
}

/// The bodies of one kind, attachments left out.
fn bodies(message: &mail_parser::Message<'_>, mail: &[u8], html: bool) -> String {
    let mut all = String::new();
    for part in &message.parts {
        let text: &Cow<'_, str> = match &part.body {
            PartType::Html(text) if html => text,
            PartType::Text(text) if !html => text,
            _ => continue,
        };
        let attachment = part.content_disposition().is_some_and(|disposition| disposition.is_attachment());
        let plain = html
            || part.content_type().is_none_or(|kind| kind.subtype().is_none_or(|s| s.eq_ignore_ascii_case("plain")));
        if attachment || !plain {
            continue;
        }
        if !all.is_empty() {
            all.push('\n');
        }
        all.push_str(&repair::body(part, mail, text));
    }
    all
}
