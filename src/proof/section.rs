//! The header section of a mail, taken apart so strictly that every program sees the same fields. What a signature covers is counted
//! here: if the verifier and the reader took a line for different fields, a signed mail could get another addressee.

use std::borrow::Cow;

use mail_parser::parsers::MessageStream;
use mail_parser::{Address, HeaderValue};

use crate::domain::trust::Author;
use crate::domain::{Timestamp, host_name};

/// One field: its name as it is written, and what stands behind the colon, with its last line's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field<'m> {
    pub(super) name: &'m [u8],
    pub(super) value: &'m [u8],
}

/// A header section without anything that programs read differently.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Section<'m> {
    pub(super) fields: Vec<Field<'m>>,
    /// Where the body begins.
    pub(super) end: usize,
}

impl<'m> Section<'m> {
    /// The section, or `None` when a line of it is no field and no field's next line (RFC 5322, section 2.2), or when it has a bare
    /// carriage return or line feed or a NUL. Blanks before a colon, which RFC 5322 calls obsolete, are no part of a name. A body with
    /// bare carriage returns or line feeds is refused, too: mail-auth 0.13.3 passes over a bare carriage return when it hashes a body
    /// in relaxed form, so one could be put into a word of a signed mail.
    pub(super) fn of(mail: &'m [u8]) -> Option<Self> {
        Self::of_any_body(mail).filter(|section| has_whole_line_ends(&mail[section.end..]))
    }

    fn of_any_body(mail: &'m [u8]) -> Option<Self> {
        let mut fields = Vec::new();
        let mut at = 0;
        while at < mail.len() {
            let length = memchr::memchr(b'\n', &mail[at..]).map_or(mail.len() - at, |end| end + 1);
            let line = &mail[at..at + length];
            let text = line.strip_suffix(b"\r\n")?;
            if text.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
                return None;
            }
            if text.is_empty() {
                return Some(Self { fields, end: at + length }).filter(|section| !section.fields.is_empty());
            }
            if matches!(text[0], b' ' | b'\t') {
                let last: &mut Field<'m> = fields.last_mut()?;
                let begin = at - last.value.len();
                // A line of blanks alone ends the section for some programs.
                if text.iter().all(|byte| matches!(byte, b' ' | b'\t')) {
                    return None;
                }
                last.value = &mail[begin..at + length];
            } else {
                let colon = memchr::memchr(b':', text)?;
                let (name, value) = (&text[..colon], &line[colon + 1..]);
                if name.is_empty() || !name.iter().all(|byte| matches!(byte, 33..=126)) {
                    return None;
                }
                fields.push(Field { name, value });
            }
            at += length;
        }
        // Without an empty line there is no body.
        Some(Self { fields, end: mail.len() }).filter(|section| !section.fields.is_empty())
    }

    /// The fields of a name, in their order.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = &Field<'m>> {
        self.fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// Who wrote the mail: the domain of the one address in the one From field.
    pub(super) fn author(&self) -> Author {
        let mut froms = self.named("From");
        let (Some(from), None) = (froms.next(), froms.next()) else { return Author::Unclear };
        let domain = match MessageStream::new(from.value).parse_address() {
            HeaderValue::Address(Address::List(list)) => match list.as_slice() {
                [only] => only.address.as_deref().and_then(|address| host_name(address.rsplit_once('@')?.1)),
                _ => None,
            },
            _ => None,
        };
        domain.map_or(Author::Unclear, |domain| Author::One { domain })
    }

    /// What the one Date field says.
    pub(super) fn date(&self) -> Option<Timestamp> {
        let mut dates = self.named("Date");
        match (dates.next(), dates.next()) {
            (Some(date), None) => match MessageStream::new(date.value).parse_date() {
                HeaderValue::DateTime(date) if date.is_valid() => Some(Timestamp::from_seconds(date.to_timestamp())),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Whether every carriage return and every line feed is one half of a CRLF.
fn has_whole_line_ends(text: &[u8]) -> bool {
    memchr::memchr2_iter(b'\r', b'\n', text).all(|at| match text[at] {
        b'\r' => text.get(at + 1) == Some(&b'\n'),
        _ => at > 0 && text[at - 1] == b'\r',
    })
}

/// The mail with the line ends of the wire. A mail server that pipes a mail into a program ends lines as its system does; a mail
/// whose first line ends so is taken to be one, and signatures count with CRLF (RFC 6376, section 5.3).
pub(super) fn with_crlf(mail: &[u8]) -> Cow<'_, [u8]> {
    let first = memchr::memchr(b'\n', mail);
    if first.is_none_or(|end| end > 0 && mail[end - 1] == b'\r') {
        return Cow::Borrowed(mail);
    }
    let mut out = Vec::with_capacity(mail.len() + mail.len() / 32);
    let mut before = 0;
    for &byte in mail {
        if byte == b'\n' && before != b'\r' {
            out.push(b'\r');
        }
        out.push(byte);
        before = byte;
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_what_every_program_reads_alike_or_nothing() {
        for (mail, fields) in [
            ("From: a@shop.example\r\nTo: b@example.org\r\n\r\nbody", Some(2)),
            ("From: a@shop.example\r\nSubject: long\r\n and longer\r\n\r\n", Some(2)),
            ("From: a@shop.example\r\n", Some(1)),
            ("\r\nFrom: a@shop.example\r\n\r\n", None),
            (" From: a@shop.example\r\n\r\n", None),
            ("From: a@shop.example\nTo: b@example.org\r\n\r\n", None),
            ("From: a@shop.example\r\nno field\r\nTo: b@example.org\r\n\r\n", None),
            ("From: a@shop.example\r\nTo : b@example.org\r\n\r\n", None),
            ("From: a@shop.example\r\n: b@example.org\r\n\r\n", None),
            ("From: a@shop.example\r\nX: 1\rTo: b@example.org\r\n\r\n", None),
            ("From: a@shop.example\r\nX: \0\r\n\r\n", None),
            ("From: a@shop.example\r\n \t\r\nTo: b@example.org\r\n\r\n", None),
            ("From a@shop.example Sun Nov 22 10:00:00 2026\r\nFrom: a@shop.example\r\n\r\n", None),
            ("From: a@shop.example", None),
            ("From: a@shop.example\r\n\r\nT\rhank you\r\n", None),
            ("From: a@shop.example\r\n\r\nT\nhank you\r\n", None),
            ("From: a@shop.example\r\n\r\nThank you\r", None),
            ("From: a@shop.example\r\n\r\n\nThank you", None),
            ("From: a@shop.example\r\n\r\n\r\nThank\r\n you", Some(1)),
            ("", None),
        ] {
            assert_eq!(Section::of(mail.as_bytes()).map(|section| section.fields.len()), fields, "{mail:?}");
        }
        let section = Section::of(b"A: 1\r\n 2\r\nb: 3\r\n\r\nbody").unwrap();
        assert_eq!(section.fields[0], Field { name: b"A", value: b" 1\r\n 2\r\n" });
        assert_eq!((section.named("B").count(), section.end), (1, 18));
    }

    #[test]
    fn an_author_is_one_address_in_one_field() {
        for (fields, domain) in [
            ("From: Shop <order@Shop.example>\r\n", Some("shop.example")),
            ("from: order@b\u{fc}cher.example\r\n", Some("xn--bcher-kva.example")),
            ("From: \"a@victim.example\" <order@shop.example>\r\n", Some("shop.example")),
            ("From: order@shop.example, other@victim.example\r\n", None),
            ("From: order@shop.example\r\nFrom: order@shop.example\r\n", None),
            ("From: Shop\r\n", None),
            ("From: shop: order@shop.example;\r\n", None),
            ("Sender: order@shop.example\r\n", None),
        ] {
            let author = Section::of(fields.as_bytes()).unwrap().author();
            let expected = domain.map_or(Author::Unclear, |domain| Author::One { domain: domain.to_owned() });
            assert_eq!(author, expected, "{fields:?}");
        }
    }

    #[test]
    fn a_date_counts_when_there_is_one_that_can_be_read() {
        let date = |fields: &str| Section::of(fields.as_bytes()).unwrap().date();
        let written = "Date: Sat, 21 Nov 2026 10:00:00 +0100\r\n";
        assert_eq!(date(written), Some(Timestamp::from_seconds(1_795_251_600)));
        assert_eq!(date(&written.repeat(2)), None);
        assert_eq!(date("Date: yesterday\r\n"), None);
        assert_eq!(date("X-Date: 1\r\n"), None);
    }

    #[test]
    fn lines_end_as_on_the_wire_when_a_mail_came_through_a_pipe() {
        assert_eq!(with_crlf(b"A: 1\nB: 2\n\nx\r\ny\n").as_ref(), b"A: 1\r\nB: 2\r\n\r\nx\r\ny\r\n");
        for mail in ["A: 1\r\nB: 2\n\nx\n", "", "A: 1"] {
            assert_eq!(with_crlf(mail.as_bytes()).as_ref(), mail.as_bytes());
        }
        assert_eq!(with_crlf(b"\nx").as_ref(), b"\r\nx");
    }
}
