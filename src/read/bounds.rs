//! What a mail may cost: counted over the bytes, in one pass, before a parser that would answer with memory or time sees them.

use memchr::{memchr, memchr3_iter};

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
    for line in lines(mail) {
        if let Some(rest) = line.strip_prefix(b"--") {
            let rest = rest.trim_ascii_end();
            parts += usize::from(boundaries.iter().any(|boundary| rest.starts_with(boundary)));
        } else if may_count(line)
            && (line.starts_with(b" ")
                || line.starts_with(b"\t")
                || line.iter().any(|byte| matches!(byte, b'=' | b':')))
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
pub(super) fn header_end(mail: &[u8]) -> usize {
    let mut at = 0;
    for line in lines(mail) {
        let after = at + line.len() + 1;
        if matches!(line, b"" | b"\r") && after <= mail.len() {
            return at;
        }
        at = after;
    }
    mail.len()
}

/// The lines, without their line feeds; after the last one there is one more, which may be empty.
fn lines(mail: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(mail);
    std::iter::from_fn(move || {
        let text = rest?;
        let end = memchr(b'\n', text);
        rest = end.map(|end| &text[end + 1..]);
        Some(&text[..end.unwrap_or(text.len())])
    })
}

/// Whether a line may hold something that counts: the signs of a parameter's piece, of `message/…` or of `boundary … =`. Few
/// lines do, and only those are looked at closely.
fn may_count(line: &[u8]) -> bool {
    let ends_with = |text: &[u8], word: &[u8]| {
        text.len().checked_sub(word.len()).is_some_and(|start| text[start..].eq_ignore_ascii_case(word))
    };
    memchr3_iter(b'*', b'/', b'=', line).any(|at| {
        let before = &line[..at];
        match line[at] {
            b'*' => line.get(at + 1).is_some_and(u8::is_ascii_digit),
            b'/' => ends_with(before, b"message"),
            _ => {
                let blanks = before.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t' | b'*' | b'0'..=b'9'));
                ends_with(&before[..at - blanks.count()], b"boundary")
            }
        }
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a mail of `head` and `body` is refused for; empty when it is not.
    fn refusal(head: &str, body: &str) -> String {
        check(format!("{head}\r\n\r\n{body}").as_bytes()).err().unwrap_or_default()
    }

    #[test]
    fn each_bound_holds_exactly() {
        let header = |bytes: usize| format!("X: {}", "x".repeat(bytes - 5));
        assert_eq!(refusal(&header(HEADER), ""), "");
        assert!(refusal(&header(HEADER + 1), "").contains("header section"));
        let parts = |count: usize| "--b\r\n\r\n".repeat(count);
        let mixed = "Content-Type: multipart/mixed;\r\n boundary = \"b\"";
        assert_eq!(refusal(mixed, &parts(PARTS)), "");
        assert!(refusal(mixed, &parts(PARTS + 1)).contains("MIME parts"));
        assert_eq!(refusal("X: y", &parts(PARTS + 1)), "", "a line of dashes is no part");
        let levels = |count: usize| (0..count).map(|n| format!("X; BOUNDARY*0=b{n}\n")).collect::<String>();
        assert_eq!(refusal("X: y", &levels(LEVELS)), "");
        assert!(refusal("X: y", &levels(LEVELS + 1)).contains("levels"));
        let messages = |count: usize| "Content-Type:\n message/RFC822\n\n".repeat(count);
        assert_eq!(refusal("X: y", &messages(LEVELS)), "");
        assert!(refusal("X: y", &messages(LEVELS + 1)).contains("levels"));
        let pieces = |count: usize| " a*12*=x;\n".repeat(count);
        assert_eq!(refusal("X: y", &pieces(CONTINUATIONS)), "");
        assert!(refusal("X: y", &pieces(CONTINUATIONS + 1)).contains("pieces"));
        assert!(check(&vec![b'x'; MESSAGE + 1]).is_err());
    }
}
