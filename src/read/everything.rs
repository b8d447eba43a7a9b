//! Everything that a mail says, decoded and not judged: for those who look whether somebody is named anywhere in it.

use std::panic::catch_unwind;

use mail_parser::decoders::html::html_to_text;
use mail_parser::{HeaderValue, Message, MessageParser, PartType};

use super::bounds;

/// Mails inside each other that are taken apart.
const LEVELS: usize = 4;

/// All texts of a mail: its header fields, its parts whatever their kind, HTML once with its markup and once as it is shown, and the same
/// of mails that are attached. `None` for a mail that is beyond the bounds or that the parser cannot take apart: of that only the bytes
/// themselves can be looked at.
pub fn everything(mail: &[u8]) -> Option<Vec<String>> {
    bounds::check(mail).ok()?;
    catch_unwind(|| {
        let parsed = MessageParser::default().parse(mail)?;
        let mut texts = Vec::new();
        take(&parsed, LEVELS, &mut texts);
        Some(texts)
    })
    .ok()?
}

fn take(mail: &Message<'_>, levels: usize, texts: &mut Vec<String>) {
    for part in &mail.parts {
        for header in &part.headers {
            take_value(&header.value, texts);
        }
        match &part.body {
            PartType::Text(text) => texts.push(text.as_ref().to_owned()),
            PartType::Html(html) => {
                texts.push(html_to_text(html));
                texts.push(html.as_ref().to_owned());
            }
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) => {
                texts.push(String::from_utf8_lossy(bytes).into_owned());
            }
            PartType::Message(inner) if levels > 0 => take(inner, levels - 1, texts),
            PartType::Message(inner) => texts.push(String::from_utf8_lossy(&inner.raw_message).into_owned()),
            PartType::Multipart(_) => {}
        }
    }
}

fn take_value(value: &HeaderValue<'_>, texts: &mut Vec<String>) {
    match value {
        HeaderValue::Text(text) => texts.push(text.as_ref().to_owned()),
        HeaderValue::TextList(list) => texts.extend(list.iter().map(|text| text.as_ref().to_owned())),
        HeaderValue::Address(address) => {
            for one in address.iter() {
                texts.extend([&one.name, &one.address].into_iter().flatten().map(|text| text.as_ref().to_owned()));
            }
        }
        HeaderValue::ContentType(kind) => {
            let values = kind.attributes.iter().flatten().map(|attribute| attribute.value.as_ref().to_owned());
            texts.extend(values);
        }
        HeaderValue::DateTime(_) | HeaderValue::Received(_) | HeaderValue::Empty => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(mail: &str, text: &str) -> bool {
        everything(mail.as_bytes()).is_some_and(|texts| texts.iter().any(|one| one.contains(text)))
    }

    #[test]
    fn what_is_encoded_is_found_as_it_was_meant() {
        let head = "From: Shop <a@shop.example>\r\nMIME-Version: 1.0\r\n";
        for mail in [
            format!("{head}Subject: =?utf-8?q?for_anna=40x.test?=\r\n\r\n"),
            format!("{head}To: =?utf-8?b?YW5uYUB4LnRlc3Q=?= <b@y.test>\r\n\r\n"),
            format!(
                "{head}Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nZm9yIGFubmFAeC50ZXN0Cg==\r\n"
            ),
            format!(
                "{head}Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nfor ann=\r\na=40x.test\r\n"
            ),
            format!("{head}Content-Type: text/html\r\n\r\n<p>anna&#64;x.test</p>\r\n"),
            format!(
                "{head}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
                 From: c@z.test\r\nSubject: anna@x.test\r\n\r\n\r\n--b--\r\n"
            ),
            format!(
                "{head}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: application/octet-stream\r\n\
                 Content-Transfer-Encoding: base64\r\n\r\nYW5uYUB4LnRlc3Q=\r\n--b--\r\n"
            ),
        ] {
            assert!(says(&mail, "anna@x.test"), "{mail}");
        }
        assert!(!says(&format!("{head}Subject: hello\r\n\r\n"), "anna@x.test"));
    }
}
