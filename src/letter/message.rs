//! The letter as a message: header and a `multipart/alternative` of text and HTML (RFC 5322, RFC 2045, RFC 2046).

use mail_builder::MessageBuilder;
use mail_builder::headers::HeaderType;
use mail_builder::headers::address::Address;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::url::URL;
use mail_builder::mime::MimePart;
use sha2::{Digest, Sha256};

use super::data::LetterData;
use super::facts;

/// Builds the message. Every value that goes into the header raw was checked by [`LetterData::check`] or is a newtype whose
/// grammar has no line break; names and the subject are encoded (RFC 2047).
///
/// `Precedence` is left out: RFC 2076 discourages it, some providers sort it with the newsletters, and those who look for it
/// also heed `Auto-Submitted` (RFC 3834) or `X-Auto-Response-Suppress` (Exchange), which keep absence notes away. There is no
/// `List-Unsubscribe-Post` where there is no `https` address to post to (RFC 8058 section 3.1). `List-Unsubscribe` is only ever
/// folded between its addresses.
pub(super) fn build(letter: &LetterData<'_>, lang: &str, subject: &str, html: &str, text: &str) -> Vec<u8> {
    let sender = &letter.sender;
    let (shop, kind) = (sender.shop.as_str(), letter.kind.as_str());
    let to_name = letter.customer.name.as_ref().map(|name| name.as_str());
    let raw = |value: String| HeaderType::Raw(Raw::new(value));
    let mut builder = MessageBuilder::new()
        .from(Address::new_address(Some(sender.from_name.as_str()), sender.from.as_str()))
        .to(Address::new_address(to_name, letter.customer.email.as_str()));
    if let Some(reply_to) = sender.reply_to {
        builder = builder.reply_to(Address::new_address(None::<&str>, reply_to.as_str()));
    }
    let (text, html) = (crlf(text), crlf(html));
    let alternatives = ContentType::new("multipart/alternative").attribute("boundary", boundary(letter, &text, &html));
    let mut message = Vec::with_capacity(text.len() + html.len() + html.len() / 2 + 2048);
    let page = letter.links.unsubscribe;
    let unsubscribe = page.map(str::to_owned).into_iter().chain([facts::mailto(&letter.unsubscribe_mail)]);
    builder = builder
        .subject(subject)
        .date(Date::new(letter.date.0.div_euclid(1000)))
        .message_id(letter.message_id)
        .header("Auto-Submitted", raw("auto-generated".to_owned()))
        .header("X-Auto-Response-Suppress", raw("OOF, AutoReply".to_owned()))
        .header("List-Id", raw(format!("<{shop}.invitations.{}>", sender.from.domain())))
        .header("List-Unsubscribe", URL::new_list(unsubscribe));
    if page.is_some_and(|page| page.starts_with("https://")) {
        builder = builder.header("List-Unsubscribe-Post", raw("List-Unsubscribe=One-Click".to_owned()));
    }
    builder
        // Google's form, campaign:customer:kind:sender; the shop's own relay or provider may sign it.
        .header("Feedback-ID", raw(format!("{kind}:{shop}:review-request:invited")))
        .header("X-Invited-Letter", raw(format!("{kind}; {shop}")))
        .header("Content-Language", raw(lang.to_owned()))
        .header("MIME-Version", raw("1.0".to_owned()))
        .body(MimePart::new(alternatives, vec![MimePart::new("text/plain", text), MimePart::new("text/html", html)]))
        .serialize(&mut message);
    message
}

/// A boundary that depends on the letter alone. `=_` stands in no quoted-printable or base64 text, and a 7-bit text would have to
/// hold the hash of itself.
fn boundary(letter: &LetterData<'_>, text: &str, html: &str) -> String {
    let mut hash = Sha256::new();
    for part in [letter.message_id, text, html] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    format!("=_{}", crate::domain::hex(&hash.finalize()[..12]))
}

/// CRLF line ends and no others, as the encodings of MIME want text (RFC 2046 4.1.1).
fn crlf(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 32);
    for line in text.split_inclusive('\n') {
        out.extend(line.trim_end_matches(['\r', '\n']).chars().filter(|c| *c != '\r'));
        if line.ends_with('\n') {
            out.push_str("\r\n");
        }
    }
    out
}
