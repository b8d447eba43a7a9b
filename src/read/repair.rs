//! Text that shop software labelled wrongly: header bytes without a charset, encoded words cut inside a character, bodies in
//! another charset than they say.

use std::borrow::Cow;

use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::{base64::base64_decode, quoted_printable::quoted_printable_decode};
use mail_parser::{Encoding, MessagePart, MimeHeaders};
use memchr::memchr_iter;

use super::bounds::header_end;
use crate::domain::clean;

/// The mail with its header section repaired: in UTF-8, and encoded words of one charset that follow each other joined.
pub(super) fn header_section<'m>(mail: &'m [u8], remarks: &mut Vec<(&'static str, String)>) -> Cow<'m, [u8]> {
    let (header, body) = mail.split_at(header_end(mail));
    let text = match std::str::from_utf8(header) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned({
            remarks.push((
                "charset",
                "a header field has 8-bit bytes that are no UTF-8; they were read as Windows-1252".to_owned(),
            ));
            header.split_inclusive(|byte| *byte == b'\n').map(line).collect()
        }),
    };
    match (joined(&text), text) {
        (Some(joined), _) => Cow::Owned([joined.as_bytes(), body].concat()),
        (None, Cow::Owned(text)) => Cow::Owned([text.as_bytes(), body].concat()),
        (None, Cow::Borrowed(_)) => Cow::Borrowed(mail),
    }
}

/// A line with raw 8-bit bytes (against RFC 5322): UTF-8 (RFC 6532), else Windows-1252, as old shop software means it.
fn line(line: &[u8]) -> String {
    match std::str::from_utf8(line) {
        Ok(text) => text.to_owned(),
        Err(_) => windows_1252(line),
    }
}

/// Bytes in Windows-1252, by the WHATWG table: Latin-1 but for 0x80 to 0x9F.
fn windows_1252(bytes: &[u8]) -> String {
    const HIGH: [char; 32] = [
        '\u{20AC}', '\u{81}', '\u{201A}', '\u{192}', '\u{201E}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{2C6}',
        '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8D}', '\u{17D}', '\u{8F}', '\u{90}', '\u{2018}', '\u{2019}',
        '\u{201C}', '\u{201D}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2DC}', '\u{2122}', '\u{161}', '\u{203A}',
        '\u{153}', '\u{9D}', '\u{17E}', '\u{178}',
    ];
    let character = |byte: &u8| match byte {
        0x80..=0x9F => HIGH[usize::from(byte - 0x80)],
        other => char::from(*other),
    };
    bytes.iter().map(character).collect()
}

/// Neighbouring encoded words of one charset and encoding made one, or `None` when there are none. RFC 2047 wants whole
/// characters in each word; PHP code that cuts after 75 bytes does not know that.
fn joined(header: &str) -> Option<String> {
    let mut out = String::with_capacity(header.len());
    let (mut rest, mut changed) = (header, false);
    // The charset and encoding of the word that `out` ends with, and where its text begins.
    let mut before: Option<(String, usize)> = None;
    while let Some(start) = rest.find("=?") {
        let (between, word) = rest.split_at(start);
        let Some((kind, text, after)) = encoded_word(word) else {
            out.push_str(between);
            out.push_str("=?");
            (rest, before) = (&word[2..], None);
            continue;
        };
        let neighbour = before.take().filter(|(known, begin)| {
            let whole = out[*begin..].trim_end_matches("?=");
            // Base64 can go on only where the word before ended on a group of four, unpadded.
            between.chars().all(char::is_whitespace)
                && *known == kind
                && (kind.ends_with("?q") || (whole.len().is_multiple_of(4) && !whole.ends_with('=')))
        });
        match neighbour {
            Some((_, begin)) => {
                out.truncate(out.len() - 2);
                out.push_str(text);
                out.push_str("?=");
                before = Some((kind, begin));
                changed = true;
            }
            None => {
                out.push_str(between);
                out.push_str(&word[..word.len() - after.len() - text.len() - 2]);
                before = Some((kind, out.len()));
                out.push_str(text);
                out.push_str("?=");
            }
        }
        rest = after;
    }
    out.push_str(rest);
    changed.then_some(out)
}

/// The encoded word at the start of `text`: `charset?encoding` in lower case, its text, and what follows it.
fn encoded_word(text: &str) -> Option<(String, &str, &str)> {
    let inner = text.strip_prefix("=?")?;
    let (charset, rest) = inner.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (text, after) = rest.split_once("?=")?;
    let plain = |part: &str| !part.is_empty() && part.len() < 40 && part.bytes().all(|b| b.is_ascii_graphic());
    let good = plain(charset) && matches!(encoding, "q" | "Q" | "b" | "B") && !text.contains(['\n', ' ', '?']);
    good.then(|| (format!("{charset}?{encoding}").to_ascii_lowercase(), text, after))
}

/// The text of a body part: as its label says, unless its bytes say otherwise. Bytes that are UTF-8 with non-ASCII characters
/// are hardly ever anything else; bytes that are not, are no UTF-8 whatever the label.
pub(super) fn body<'m>(
    part: &MessagePart<'_>,
    mail: &[u8],
    text: &'m str,
    remarks: &mut Vec<(&'static str, String)>,
) -> Cow<'m, str> {
    let named = part.content_type().and_then(|kind| kind.attribute("charset")).unwrap_or("us-ascii");
    let label = named.to_ascii_lowercase();
    let shown = clean(&label, 40);
    let raw = mail.get(part.offset_body as usize..part.offset_end as usize);
    if part.encoding == Encoding::QuotedPrintable && raw.is_some_and(has_broken_quotes) {
        remarks.push((
            "encoding",
            "a part is damaged: its quoted-printable has = without two hexadecimal digits".to_owned(),
        ));
    }
    if part.is_encoding_problem {
        let what = match part.content_transfer_encoding().map(str::to_ascii_lowercase).as_deref() {
            Some(encoding @ ("base64" | "quoted-printable")) => {
                format!("its {encoding} is broken, or its end is missing")
            }
            _ => "its end is missing".to_owned(),
        };
        remarks.push(("encoding", format!("a part is damaged: {what}")));
    }
    if part.encoding == Encoding::None && is_quoted(text) {
        remarks.push(("encoding", "a part is quoted-printable and does not say so".to_owned()));
        if let Some(Ok(decoded)) = quoted_printable_decode(text.as_bytes()).map(String::from_utf8) {
            return Cow::Owned(decoded);
        }
    }
    if label.starts_with("utf-7") || label == "utf7" {
        remarks.push(("charset", "a part is in UTF-7, which no shop sends any more".to_owned()));
    } else if charset_decoder(label.as_bytes()).is_none() && !matches!(label.as_str(), "utf-8" | "utf8" | "us-ascii") {
        remarks.push(("charset", format!("a part says that it is in the charset {shown}, which is unknown")));
    }
    let unicode = matches!(label.as_str(), "utf-8" | "utf8");
    let western =
        matches!(label.as_str(), "us-ascii" | "ascii" | "iso-8859-1" | "latin1" | "iso-8859-15" | "windows-1252");
    if text.is_ascii() || !(western || unicode) || (unicode && !text.contains('\u{FFFD}')) {
        if text.contains('\u{FFFD}') {
            remarks.push(("charset", format!("a part has bytes that are no characters of its charset, {shown}")));
        }
        return Cow::Borrowed(text);
    }
    let Some(raw) = raw else { return Cow::Borrowed(text) };
    let decoded = match part.encoding {
        Encoding::None => Some(raw.to_vec()),
        Encoding::QuotedPrintable => quoted_printable_decode(raw),
        Encoding::Base64 => base64_decode(raw),
    };
    let mut other = |charset: &str| {
        remarks.push(("charset", format!("a part is not in {shown}, as it says, but in {charset}")));
    };
    match decoded.map(String::from_utf8) {
        Some(Ok(utf8)) => {
            // The replacement character itself, written by the shop, is no mistake of the charset.
            if !unicode {
                other("UTF-8");
            }
            Cow::Owned(utf8)
        }
        Some(Err(error)) if unicode || text.contains('\u{FFFD}') => {
            other("Windows-1252 or one like it");
            Cow::Owned(windows_1252(error.as_bytes()))
        }
        _ => Cow::Borrowed(text),
    }
}

/// Whether there is a `=` that stands for no byte and ends no line (RFC 2045, section 6.7).
fn has_broken_quotes(raw: &[u8]) -> bool {
    memchr_iter(b'=', raw).any(|at| match &raw[at + 1..] {
        [] | [b'\r' | b'\n' | b' ' | b'\t', ..] => false,
        [a, b, ..] => !(a.is_ascii_hexdigit() && b.is_ascii_hexdigit()),
        [_] => true,
    })
}

/// Whether a text is quoted-printable as it stands: `=3D` after attributes of HTML, and lines that end in a soft break.
fn is_quoted(text: &str) -> bool {
    text.contains("=3D\"") && (text.contains("=\r\n") || text.contains("=\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_joined_where_that_changes_nothing_else() {
        for (header, expected) in [
            ("S: =?utf-8?Q?=C3?=\r\n =?UTF-8?q?=A5?= x", Some("S: =?utf-8?Q?=C3=A5?= x")),
            ("S: =?utf-8?B?w6U=?= =?utf-8?B?w6U=?=", None),
            ("S: =?utf-8?B?YWJj?= =?utf-8?B?w6U=?=", Some("S: =?utf-8?B?YWJjw6U=?=")),
            ("S: =?utf-8?Q?a?= b =?utf-8?Q?c?=", None),
            ("S: =?utf-8?Q?a?= =?iso-8859-1?Q?c?=", None),
            ("S: =? =?utf-8?Q?a", None),
        ] {
            assert_eq!(joined(header).as_deref(), expected, "{header}");
        }
    }
}
