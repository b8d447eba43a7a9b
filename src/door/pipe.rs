//! A mail that another program hands over on its own, as pipe(8) of Postfix and the pipe transport of Exim do: local line ends, perhaps
//! an mbox "From " line before it. What comes out is what the same mail would be after DATA.

use memchr::memchr2;

use super::data::check_header;
use super::reply::{self, Reply};
use super::trace;
use crate::config::Limits;
use crate::domain::Timestamp;

/// The message with CRLF line ends and a trace field before it.
///
/// # Errors
/// Why it is refused, in our own words: too big, a line or header section too long, looping, empty, or a CR or NUL inside a line, which
/// the listener refuses as well.
pub fn piped(mail: &[u8], hostname: &str, now: Timestamp, limits: &Limits) -> Result<Vec<u8>, &'static str> {
    read(mail, hostname, now, limits).map_err(words)
}

fn read(mail: &[u8], hostname: &str, now: Timestamp, limits: &Limits) -> Result<Vec<u8>, Reply> {
    let mut message = trace::piped(hostname, now);
    let trace = message.len();
    message.reserve(mail.len() + mail.len() / 32);
    let mut lines = mail.split_inclusive(|octet| *octet == b'\n').peekable();
    // RFC 4155: the line before each mail of an mbox, which is no part of the mail.
    lines.next_if(|line| line.starts_with(b"From "));
    for line in lines {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if memchr2(b'\r', 0, text).is_some() {
            return Err(reply::STRAY_IN_MESSAGE);
        }
        if text.len() + 2 > limits.data_line {
            return Err(reply::LONG_LINE);
        }
        message.extend_from_slice(text);
        message.extend_from_slice(b"\r\n");
        if message.len() - trace > limits.message {
            return Err(reply::TOO_BIG);
        }
    }
    if message.len() == trace {
        return Err(reply::NOTHING);
    }
    check_header(&message[trace..], limits).map(|()| message)
}

/// A reply without its codes.
fn words(reply: Reply) -> &'static str {
    reply.splitn(3, ' ').nth(2).unwrap_or(reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits { data_line: 20, message: 100, header: 60, received: 2, ..Limits::default() }
    }

    #[test]
    fn local_line_ends_and_a_from_line_are_made_good() {
        let trace = "Received: by mail.example.com with local (pipe);\r\n\tSat, 21 Nov 2026 09:00:00 +0000\r\n";
        for (mail, expected) in [
            ("Subject: a\n\na\n", "Subject: a\r\n\r\na\r\n"),
            ("Subject: a\r\n\r\na\r\n", "Subject: a\r\n\r\na\r\n"),
            ("Subject: a\n\r\na\r\nb", "Subject: a\r\n\r\na\r\nb\r\n"),
            ("From a@b Sat\nSubject: a\n\nFrom here\n", "Subject: a\r\n\r\nFrom here\r\n"),
            ("From: a@b\n\n.\n..\n", "From: a@b\r\n\r\n.\r\n..\r\n"),
        ] {
            let message = piped(mail.as_bytes(), "mail.example.com", Timestamp::from_seconds(1_795_251_600), &limits());
            assert_eq!(String::from_utf8(message.unwrap()).unwrap(), format!("{trace}{expected}"), "{mail:?}");
        }
    }

    #[test]
    fn what_the_listener_refuses_is_refused_here() {
        for (mail, why) in [
            ("", reply::NOTHING),
            ("From a@b Sat\n", reply::NOTHING),
            ("a\rb\n", reply::STRAY_IN_MESSAGE),
            ("a\r\r\n", reply::STRAY_IN_MESSAGE),
            ("a\0\n", reply::STRAY_IN_MESSAGE),
            ("1234567890123456789\n", reply::LONG_LINE),
            (&"\n12345678".repeat(11), reply::TOO_BIG),
            (&"a: 345678\n".repeat(6), reply::LONG_HEADER),
            ("Received: a\nReceived: b\nReceived: c\n\n", reply::LOOP),
        ] {
            assert_eq!(read(mail.as_bytes(), "mail.example.com", Timestamp(0), &limits()), Err(why), "{mail:?}");
        }
        assert_eq!(piped(b"", "x", Timestamp(0), &limits()), Err("there is no message"));
    }
}
