//! What a mail may cost: counted over the bytes, in one pass, before a parser that would answer with memory or time sees them.
//! Also the one repair that has to happen on bytes: header sections in a legacy charset.

use std::borrow::Cow;

/// Bytes of a whole message.
const MESSAGE: usize = 10 * 1024 * 1024;
/// Bytes of the header section.
const HEADER: usize = 102_400;
/// MIME parts in all.
const PARTS: usize = 1_000;
/// MIME parts inside each other, and messages inside messages.
const LEVELS: usize = 100;
/// RFC 2231 continuations (`name*7=`) in all; joining them costs the square of their number.
const CONTINUATIONS: usize = 2_000;

/// Says in words which bound a mail breaks.
pub(super) fn check(mail: &[u8]) -> Result<(), String> {
    if mail.len() > MESSAGE {
        return Err(format!("it is larger than {} MB", MESSAGE / 1024 / 1024));
    }
    if header_end(mail) > HEADER {
        return Err(format!("its header section is longer than {HEADER} bytes"));
    }
    let mut boundaries: Vec<&[u8]> = Vec::new();
    let (mut parts, mut messages, mut continuations) = (0, 0, 0);
    for line in mail.split(|byte| *byte == b'\n') {
        if let Some(rest) = line.strip_prefix(b"--") {
            let rest = rest.trim_ascii_end();
            parts += usize::from(boundaries.iter().any(|boundary| rest.starts_with(boundary)));
        } else if line.starts_with(b" ")
            || line.starts_with(b"\t")
            || line.iter().any(|byte| matches!(byte, b'=' | b':'))
        {
            let lower = line.to_ascii_lowercase();
            continuations += continuations_in(&lower);
            messages += usize::from(holds(&lower, b"message/rfc822") || holds(&lower, b"message/global"));
            if let Some(boundary) = boundary_in(line, &lower)
                && !boundaries.contains(&boundary)
            {
                boundaries.push(boundary);
            }
        }
        if boundaries.len() > LEVELS || messages > LEVELS {
            return Err(format!("it may have more than {LEVELS} MIME levels"));
        }
        if parts > PARTS {
            return Err(format!("it has more than {PARTS} MIME parts"));
        }
        if continuations > CONTINUATIONS {
            return Err(format!("its MIME parameters come in more than {CONTINUATIONS} pieces"));
        }
    }
    Ok(())
}

/// Where the header section ends: the first empty line, or the end of the mail.
fn header_end(mail: &[u8]) -> usize {
    let mut at = 0;
    for line in mail.split_inclusive(|byte| *byte == b'\n') {
        if matches!(line, b"\n" | b"\r\n") {
            return at;
        }
        at += line.len();
    }
    at
}

fn holds(line: &[u8], word: &[u8]) -> bool {
    line.windows(word.len()).any(|window| window == word)
}

/// `*` digits, perhaps `*`, `=`: a piece of a parameter in RFC 2231 form.
fn continuations_in(line: &[u8]) -> usize {
    let mut count = 0;
    for (at, _) in line.iter().enumerate().filter(|(_, byte)| **byte == b'*') {
        let digits = line[at + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let after = &line[at + 1 + digits..];
        count += usize::from(digits > 0 && (after.starts_with(b"=") || after.starts_with(b"*=")));
    }
    count
}

/// The value of a `boundary` parameter, in pieces or not. Text that only looks like one costs a level, which real mails can
/// afford.
fn boundary_in<'m>(line: &'m [u8], lower: &[u8]) -> Option<&'m [u8]> {
    let word = b"boundary";
    let at = lower.windows(word.len()).position(|window| window == word)? + word.len();
    let sign = at + lower[at..].iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'*' | b'0'..=b'9'))?;
    let value = line[sign..].strip_prefix(b"=")?.trim_ascii();
    let value = match value.strip_prefix(b"\"") {
        Some(quoted) => quoted.split(|byte| *byte == b'"').next()?,
        None => value.split(|byte| matches!(byte, b';' | b' ' | b'\t')).next()?,
    };
    (!value.is_empty()).then_some(value)
}

/// The mail with a header section in UTF-8. Shop software that puts raw 8-bit bytes there (against RFC 5322) means Windows-1252
/// when the line is not UTF-8 (RFC 6532).
pub(super) fn with_utf8_header(mail: &[u8]) -> Cow<'_, [u8]> {
    let (header, body) = mail.split_at(header_end(mail));
    if std::str::from_utf8(header).is_ok() {
        return Cow::Borrowed(mail);
    }
    let mut repaired = Vec::with_capacity(mail.len() + 64);
    for line in header.split_inclusive(|byte| *byte == b'\n') {
        match std::str::from_utf8(line) {
            Ok(_) => repaired.extend_from_slice(line),
            Err(_) => {
                let text = line.iter().map(|byte| windows_1252(*byte)).collect::<String>();
                repaired.extend_from_slice(text.as_bytes());
            }
        }
    }
    repaired.extend_from_slice(body);
    Cow::Owned(repaired)
}

/// The WHATWG table of Windows-1252 for 0x80 to 0x9F; elsewhere it is Latin-1.
fn windows_1252(byte: u8) -> char {
    const HIGH: [char; 32] = [
        '\u{20AC}', '\u{81}', '\u{201A}', '\u{192}', '\u{201E}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{2C6}',
        '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{8D}', '\u{17D}', '\u{8F}', '\u{90}', '\u{2018}', '\u{2019}',
        '\u{201C}', '\u{201D}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2DC}', '\u{2122}', '\u{161}', '\u{203A}',
        '\u{153}', '\u{9D}', '\u{17E}', '\u{178}',
    ];
    match byte {
        0x80..=0x9F => HIGH[usize::from(byte - 0x80)],
        other => char::from(other),
    }
}
