//! The mbox formats (RFC 4155, and the four that are met: mboxo, mboxrd, mboxcl, mboxcl2). A message begins with a line `From `, a
//! sender and a date of asctime(3). What tells them apart:
//!
//! - mboxcl and mboxcl2 say in `Content-Length` how long a body is. That is believed where a message, or the file's end, follows there,
//!   since programs that change a body often leave the old number. In mboxcl2 lines `From ` of a body are not quoted, so one without
//!   its quote in a body shows that none has any.
//! - mboxo and mboxrd quote such lines with `>`, mboxrd also those that begin so already. Taking one `>` off is right for mboxrd, and for
//!   mboxo too, but where the sender wrote `>From ` himself, which nobody can know.
//!
//! One message is in memory at a time, and none of more than the limit.

use std::io::{self, BufRead, ErrorKind, Read as _, Seek, SeekFrom};

use super::{Found, too_large};

/// The longest piece of a line that is looked at in one go; a line that is longer goes on in the next.
const LINE: u64 = 64 * 1024;

/// Lines that are looked at behind a body of a known length.
const BEHIND: usize = 3;

/// The messages of a file.
#[derive(Debug)]
pub struct Mbox<R> {
    from: R,
    limit: usize,
    /// Where the `From ` line of the next message begins, once it is read.
    begins: Option<u64>,
    is_over: bool,
}

/// A line, or a piece of one.
struct Line {
    bytes: Vec<u8>,
    /// Whether it is the begin of a line.
    is_start: bool,
}

impl Line {
    fn is_blank(&self) -> bool {
        self.is_start && matches!(self.bytes.as_slice(), b"\n" | b"\r\n")
    }

    fn is_from(&self) -> bool {
        self.is_start && is_from_line(&self.bytes)
    }
}

/// A message on its way.
#[derive(Default)]
struct Draft {
    bytes: Vec<u8>,
    is_too_large: bool,
}

impl Draft {
    fn push(&mut self, piece: &[u8], limit: usize) {
        self.is_too_large |= self.bytes.len() + piece.len() > limit;
        if self.is_too_large {
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(piece);
        }
    }
}

impl<R: BufRead + Seek> Mbox<R> {
    /// Finds the first message. Those of more than `limit` bytes are told and left out.
    ///
    /// # Errors
    /// When the file cannot be read, or does not begin as an mbox does.
    pub fn open(mut from: R, limit: usize) -> io::Result<Self> {
        loop {
            let at = from.stream_position()?;
            match read_line(&mut from, true)? {
                None => return Ok(Self { from, limit, begins: None, is_over: true }),
                Some(line) if line.is_blank() => {}
                Some(line) if line.is_from() => return Ok(Self { from, limit, begins: Some(at), is_over: false }),
                Some(_) => {
                    let why = "is no mbox: it does not begin with a line such as \"From anna@example.org Mon Mar  2 10:00:00 2026\"";
                    return Err(io::Error::new(ErrorKind::InvalidInput, why));
                }
            }
        }
    }

    /// Where the file is read by now, bytes.
    pub fn position(&mut self) -> u64 {
        self.from.stream_position().unwrap_or(0)
    }

    fn message(&mut self, began: u64) -> io::Result<Found> {
        let place = format!("byte {began}");
        let mut draft = Draft::default();
        let (length, is_ended) = self.header(&mut draft)?;
        if !is_ended {
            match length {
                Some(length) if self.is_end_at(length)? => self.body_of(length, &mut draft)?,
                _ => self.body(&mut draft)?,
            }
        }
        Ok(if draft.is_too_large {
            Found::Bad { place, why: too_large(self.limit) }
        } else if draft.bytes.is_empty() {
            Found::Bad { place, why: "there is no message behind the line that begins one".to_owned() }
        } else {
            Found::Mail { place, message: draft.bytes }
        })
    }

    /// The header section. Yields what it says of the body's length, and whether another message began before any body did.
    fn header(&mut self, draft: &mut Draft) -> io::Result<(Option<u64>, bool)> {
        let mut length = None;
        let mut is_start = true;
        loop {
            let at = self.from.stream_position()?;
            let Some(line) = read_line(&mut self.from, is_start)? else {
                self.begins = None;
                return Ok((None, true));
            };
            is_start = line.bytes.ends_with(b"\n");
            if line.is_from() {
                self.begins = Some(at);
                return Ok((None, true));
            }
            draft.push(&line.bytes, self.limit);
            if line.is_blank() {
                return Ok((length, false));
            }
            if line.is_start {
                length = content_length(&line.bytes).or(length);
            }
        }
    }

    /// Whether a message ends so many bytes from here. The place that is read next stays.
    fn is_end_at(&mut self, length: u64) -> io::Result<bool> {
        let here = self.from.stream_position()?;
        if length > self.limit as u64 {
            return Ok(false);
        }
        let end = self.from.seek(SeekFrom::End(0))?;
        let there = here.saturating_add(length);
        let mut is_end = there == end;
        if there < end {
            // A number that ends in the middle of a line is a wrong one.
            self.from.seek(SeekFrom::Start(there.saturating_sub(1)))?;
            let mut last = [0];
            self.from.read_exact(&mut last)?;
            let mut is_start = length == 0 || last == *b"\n";
            for _ in 0..BEHIND {
                match read_line(&mut self.from, is_start)? {
                    None => is_end = true,
                    Some(line) if line.is_blank() => {
                        is_start = true;
                        continue;
                    }
                    Some(line) => is_end = line.is_from(),
                }
                break;
            }
        }
        self.from.seek(SeekFrom::Start(here))?;
        Ok(is_end)
    }

    /// A body of a known length, and the begin of what follows it.
    fn body_of(&mut self, length: u64, draft: &mut Draft) -> io::Result<()> {
        let mut body = Vec::new();
        self.from.by_ref().take(length).read_to_end(&mut body)?;
        let is_quoted = !body.split_inclusive(|byte| *byte == b'\n').any(|line| line.starts_with(b"From "));
        for line in body.split_inclusive(|byte| *byte == b'\n') {
            draft.push(if is_quoted { unquoted(line) } else { line }, self.limit);
        }
        self.begins = None;
        loop {
            let at = self.from.stream_position()?;
            match read_line(&mut self.from, true)? {
                Some(line) if line.is_blank() => {}
                Some(line) if line.is_from() => {
                    self.begins = Some(at);
                    return Ok(());
                }
                // Looked at before, so this is the end.
                _ => return Ok(()),
            }
        }
    }

    /// A body up to the next message's begin, which stands behind an empty line.
    fn body(&mut self, draft: &mut Draft) -> io::Result<()> {
        let mut blank: Option<Vec<u8>> = None;
        let (mut is_start, mut was_blank) = (true, true);
        loop {
            let at = self.from.stream_position()?;
            let Some(line) = read_line(&mut self.from, is_start)? else {
                self.begins = None;
                break;
            };
            is_start = line.bytes.ends_with(b"\n");
            if was_blank && line.is_from() {
                self.begins = Some(at);
                break;
            }
            // The last empty line belongs to the mailbox, so each waits for what follows it.
            if let Some(blank) = blank.take() {
                draft.push(&blank, self.limit);
            }
            was_blank = line.is_blank();
            if was_blank {
                blank = Some(line.bytes);
            } else {
                draft.push(if line.is_start { unquoted(&line.bytes) } else { &line.bytes }, self.limit);
            }
        }
        Ok(())
    }
}

impl<R: BufRead + Seek> Iterator for Mbox<R> {
    type Item = io::Result<Found>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let began = self.begins.take()?;
        let found = self.message(began);
        self.is_over = found.is_err() || self.begins.is_none();
        Some(found)
    }
}

/// The next line with its end, or a piece of one that is too long.
fn read_line(from: &mut impl BufRead, is_start: bool) -> io::Result<Option<Line>> {
    let mut bytes = Vec::new();
    let read = from.by_ref().take(LINE).read_until(b'\n', &mut bytes)?;
    Ok((read > 0).then_some(Line { bytes, is_start }))
}

/// A line of a body without the `>` that the mailbox put before it.
fn unquoted(line: &[u8]) -> &[u8] {
    let behind = line.iter().position(|byte| *byte != b'>').unwrap_or(line.len());
    match line.split_first() {
        Some((b'>', rest)) if line.get(behind..).is_some_and(|text| text.starts_with(b"From ")) => rest,
        _ => line,
    }
}

fn content_length(line: &[u8]) -> Option<u64> {
    let line = std::str::from_utf8(line).ok()?;
    let (name, value) = line.split_once(':')?;
    if !name.trim_end().eq_ignore_ascii_case("content-length") {
        return None;
    }
    value.trim().parse().ok()
}

/// Whether a line begins a message: `From `, whatever stands for the sender, and a date as asctime(3) writes it, perhaps with a
/// zone. Some programs write nothing at all behind it.
fn is_from_line(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From").and_then(|rest| std::str::from_utf8(rest).ok()) else { return false };
    if !rest.starts_with([' ', '\r', '\n']) {
        return false;
    }
    let words = rest.split_ascii_whitespace().collect::<Vec<_>>();
    words.is_empty()
        || words.windows(4).enumerate().any(|(at, window)| {
            let [weekday, month, day, time] = window else { return false };
            const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
            const MONTHS: [&str; 12] =
                ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
            let is_year = |word: &&str| word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
            WEEKDAYS.contains(&weekday.trim_end_matches(','))
                && MONTHS.contains(month)
                && day.parse::<u8>().is_ok_and(|day| (1..=31).contains(&day))
                && time.contains(':')
                && words.get(at + 4..).unwrap_or_default().iter().any(is_year)
        })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const FROM: &str = "From shop@shop.example Mon Mar  2 10:00:00 2026\n";

    fn found(file: &str) -> Vec<Found> {
        Mbox::open(Cursor::new(file.as_bytes()), 1_000).unwrap().map(Result::unwrap).collect()
    }

    fn mails(file: &str) -> Vec<String> {
        let text = |found| match found {
            Found::Mail { message, .. } => String::from_utf8(message).unwrap(),
            Found::Bad { place, why } => format!("{place}: {why}"),
        };
        found(file).into_iter().map(text).collect()
    }

    #[test]
    fn messages_are_told_apart_and_quotes_taken_off() {
        let file = format!(
            "\n{FROM}Subject: 1\n\nFrom here on\n>From me\n>>From you\n> From\n\n{FROM}Subject: 2\n\nx\n\n\n{FROM}Subject: 3\n"
        );
        assert_eq!(
            mails(&file),
            ["Subject: 1\n\nFrom here on\nFrom me\n>From you\n> From\n", "Subject: 2\n\nx\n\n", "Subject: 3\n"]
        );
        assert!(
            matches!(&found(&file)[1], Found::Mail { place, .. } if *place == format!("byte {}", file.match_indices("From shop").nth(1).unwrap().0))
        );
    }

    #[test]
    fn a_length_is_believed_where_a_message_ends_there() {
        let body = format!("before\n\n{FROM}inside\n>From kept\n");
        let file = format!("{FROM}Content-Length: {}\nSubject: 1\n\n{body}\n{FROM}Subject: 2\n\nx\n", body.len());
        assert_eq!(
            mails(&file),
            [format!("Content-Length: {}\nSubject: 1\n\n{body}", body.len()), "Subject: 2\n\nx\n".into()]
        );
        let quoted = ">From quoted\n";
        let file = format!("{FROM}Content-Length: {}\n\n{quoted}{FROM}Subject: 2\n\nx\n", quoted.len());
        assert_eq!(mails(&file)[0], format!("Content-Length: {}\n\nFrom quoted\n", quoted.len()));
    }

    #[test]
    fn a_wrong_length_is_not_believed() {
        for length in ["3", "0", "99999", "18446744073709551615", "-1", "x"] {
            let file = format!("{FROM}Content-Length: {length}\n\nbody\nmore\n\n{FROM}Subject: 2\n\nx\n");
            let told = mails(&file);
            assert_eq!(told.len(), 2, "{length}: {told:?}");
            assert!(told[0].ends_with("body\nmore\n"), "{length}: {told:?}");
        }
    }

    #[test]
    fn what_is_bad_is_told_with_its_place_and_the_rest_is_read() {
        let large = "y".repeat(2_000);
        let file = format!("{FROM}Subject: 1\n\n{large}\n\n{FROM}{FROM}Subject: 3\n\nx\n");
        let told = mails(&file);
        assert!(told[0].starts_with("byte 0: it is larger than a message may be"), "{told:?}");
        assert!(told[1].contains("there is no message"), "{told:?}");
        assert_eq!(told[2], "Subject: 3\n\nx\n");
    }

    #[test]
    fn begins_of_messages_are_known_by_their_dates() {
        for line in [
            "From - Mon Mar  2 10:00:00 2026",
            "From a@b.example  Mon Mar 02 10:00 +0100 2026",
            "From MAILER-DAEMON Fri Jul 8 12:08:34 2011 -0700",
            "From a b c Mon Mar  2 10:00:00 CET 2026",
            "From ",
            "From",
        ] {
            assert!(is_from_line(format!("{line}\r\n").as_bytes()), "{line}");
        }
        for line in [
            "From here on Monday",
            "From Mon to Tue",
            "Fromage",
            "from a Mon Mar  2 10:00:00 2026",
            "From: a@b.example",
            ">From - Mon Mar  2 10:00:00 2026",
        ] {
            assert!(!is_from_line(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn what_is_no_mbox_is_refused_and_an_empty_one_is_empty() {
        assert!(Mbox::open(Cursor::new(b"Subject: x\n\n"), 10).unwrap_err().to_string().contains("is no mbox"));
        assert!(found("").is_empty() && found("\n\n").is_empty());
    }

    #[test]
    fn crlf_mailboxes_are_read_too() {
        let file = format!("{FROM}Subject: 1\n\nx\n\n{FROM}Subject: 2\n\ny\n").replace('\n', "\r\n");
        assert_eq!(mails(&file), ["Subject: 1\r\n\r\nx\r\n", "Subject: 2\r\n\r\ny\r\n"]);
    }
}
