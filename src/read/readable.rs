//! A mail as a person reads it: the fields that matter, decoded, and the body as the reader sees it, line by line.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::body::Body;
use super::html::Named;
use super::message::{Mailbox, Message};

/// A mail without its encodings. Every text is cleaned: no controls, no direction marks.
#[derive(Clone, PartialEq, Eq)]
pub struct Readable {
    /// `From`, `To`, `Reply-To`, `Date` and `Subject`, in this order, those that are there.
    pub headers: Vec<(&'static str, String)>,
    /// The lines of the body: those of its HTML if it has any, else those of its plain text. Empty lines are left out.
    pub lines: Vec<String>,
    /// A mail that is attached, as when a person forwarded it.
    pub attached: Option<Vec<u8>>,
}

/// Makes a mail readable; `None` when it is beyond the reader's bounds or no mail at all. Never panics; bounded as reading is.
pub fn readable(mail: &[u8]) -> Option<Readable> {
    catch_unwind(AssertUnwindSafe(|| {
        let message = Message::parse(mail).ok()?;
        let mut body = Body::of(&message, &Named::default());
        let lines = if body.texts.is_empty() { Vec::new() } else { body.texts.swap_remove(0).lines };
        Some(Readable { headers: headers(&message), lines, attached: message.attached })
    }))
    .ok()
    .flatten()
}

fn headers(message: &Message) -> Vec<(&'static str, String)> {
    let list = |boxes: &[Mailbox]| boxes.iter().map(shown).collect::<Vec<_>>().join(", ");
    let date = message.header("date").next().unwrap_or_default().to_owned();
    let mut headers = vec![
        ("From", shown(&message.from)),
        ("To", list(&message.to)),
        ("Reply-To", list(&message.reply_to)),
        ("Date", date),
        ("Subject", message.subject.clone()),
    ];
    headers.retain(|(_, value)| !value.is_empty());
    headers
}

fn shown(mailbox: &Mailbox) -> String {
    match &mailbox.name {
        Some(name) => format!("{name} <{}>", mailbox.email),
        None => mailbox.email.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_decoded_and_its_body_stands_in_lines() {
        let mail = "From: =?utf-8?q?B=C3=B8rge?= <orders@shop.example>\r\nTo: Anna Ek <anna@customer.example>\r\n\
            Subject: =?utf-8?q?Ordre_=231001?=\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
            <style>p{}</style><p>Hej Anna</p><table><tr><td>Ordre</td><td>1001</td></tr></table>\r\n";
        let read = readable(mail.as_bytes()).unwrap();
        let field = |name: &str| read.headers.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str());
        assert_eq!(field("From"), Some("B\u{f8}rge <orders@shop.example>"));
        assert_eq!(field("To"), Some("Anna Ek <anna@customer.example>"));
        assert_eq!((field("Subject"), field("Date")), (Some("Ordre #1001"), None));
        assert_eq!(read.lines.first().map(String::as_str), Some("Hej Anna"));
        assert!(read.lines.iter().any(|line| line.contains("1001")), "{:?}", read.lines);
        assert!(!read.lines.iter().any(|line| line.contains("{}")));
    }

    #[test]
    fn what_is_no_mail_is_none_and_an_empty_one_has_no_lines() {
        for mail in [&b""[..], b"\xff\xfe\0", b"Subject: x\r\n\r\nno author\r\n"] {
            assert!(readable(mail).is_none());
        }
        assert_eq!(readable(b"From: a@shop.example\r\n\r\n").map(|read| read.lines), Some(vec![]));
    }
}
