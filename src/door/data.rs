//! The octets after 354 up to CRLF.CRLF: dots unstuffed, limits kept, and nothing but CRLF taken for the end of a line.
//!
//! Servers that took something else for the end of data let a client smuggle a second mail past the server before them
//! (CVE-2023-51764 and its kin). So a bare CR, a bare LF or a NUL spoils the message, and it is read on to its true end: the
//! client gets one refusal, in step. What is spoilt or too big is not stored, so memory stays bounded.

use memchr::{memchr, memchr3};

use super::reply::{self, Reply};
use crate::config::Limits;

/// Reserved at once when the client declares a size; more grows as it comes, so that a lie costs nothing.
const RESERVE: usize = 64 * 1024;

/// Where in a line the reader stands.
#[derive(Clone, Copy)]
enum At {
    /// After CRLF, or before the first octet.
    Start,
    /// After a dot that began the line.
    Dot,
    /// After such a dot and a CR.
    DotCr,
    /// In the line.
    Inside,
    /// In the line, after a CR.
    Cr,
}

/// Why a message is refused; of several faults the greatest is told, so that the reply does not hang on how TCP cut the octets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    Stray,
    LongLine,
    TooBig,
}

/// Reads one message.
pub(crate) struct DataReader {
    at: At,
    message: Vec<u8>,
    trace: usize,
    size: usize,
    line: usize,
    fault: Option<Fault>,
}

impl DataReader {
    /// `trace` is put before the message and does not count in any limit. `declared` is what SIZE said, in bytes.
    pub(crate) fn new(trace: &[u8], declared: usize) -> Self {
        let mut message = Vec::with_capacity(trace.len() + declared.min(RESERVE));
        message.extend_from_slice(trace);
        Self { at: At::Start, message, trace: trace.len(), size: 0, line: 0, fault: None }
    }

    /// Takes octets up to the end of data; how many, and whether the end was among them.
    pub(crate) fn take(&mut self, input: &[u8], limits: &Limits) -> (usize, bool) {
        let mut used = 0;
        while let Some(&byte) = input.get(used) {
            match (self.at, byte) {
                (At::Start, b'.') => (self.at, used) = (At::Dot, used + 1),
                (At::Dot, b'\r') => (self.at, used) = (At::DotCr, used + 1),
                (At::DotCr, b'\n') => return (used + 1, true),
                (At::Start | At::Dot | At::Inside, _) => used += self.run(&input[used..], limits),
                (At::Cr, b'\n') => {
                    self.keep(b"\r\n", limits);
                    (self.at, self.line, used) = (At::Start, 0, used + 1);
                }
                (At::Cr | At::DotCr, _) => {
                    self.spoil(Fault::Stray);
                    (self.at, used) = if byte == b'\r' { (At::Cr, used + 1) } else { (At::Inside, used) };
                }
            }
        }
        (used, false)
    }

    /// Takes octets of one line, with its CRLF when it is there.
    fn run(&mut self, input: &[u8], limits: &Limits) -> usize {
        self.at = At::Inside;
        let Some(special) = memchr3(b'\r', b'\n', 0, input) else {
            self.keep(input, limits);
            return input.len();
        };
        match (input[special], input.get(special + 1)) {
            (b'\r', Some(b'\n')) => {
                self.keep(&input[..special + 2], limits);
                (self.at, self.line) = (At::Start, 0);
                special + 2
            }
            (b'\r', _) => {
                self.keep(&input[..special], limits);
                self.at = At::Cr;
                special + 1
            }
            _ => {
                self.keep(&input[..special], limits);
                self.spoil(Fault::Stray);
                special + 1
            }
        }
    }

    fn keep(&mut self, octets: &[u8], limits: &Limits) {
        self.size = self.size.saturating_add(octets.len());
        self.line = self.line.saturating_add(octets.len());
        if self.line > limits.data_line {
            self.spoil(Fault::LongLine);
        }
        if self.size > limits.message {
            self.spoil(Fault::TooBig);
        }
        if self.fault.is_none() {
            self.message.extend_from_slice(octets);
        }
    }

    fn spoil(&mut self, fault: Fault) {
        self.fault = self.fault.max(Some(fault));
        self.message = Vec::new();
    }

    /// The message, after the end of data; or the reply that refuses it.
    pub(crate) fn finish(self, limits: &Limits) -> Result<Vec<u8>, Reply> {
        match self.fault {
            Some(Fault::Stray) => Err(reply::STRAY_IN_MESSAGE),
            Some(Fault::LongLine) => Err(reply::LONG_LINE),
            Some(Fault::TooBig) => Err(reply::TOO_BIG),
            None => check_header(&self.message[self.trace..], limits).map(|()| self.message),
        }
    }
}

/// Bounds the header section and counts its Received fields (RFC 5321 6.3).
pub(crate) fn check_header(message: &[u8], limits: &Limits) -> Result<(), Reply> {
    let mut read = 0;
    let mut received = 0;
    while let Some(length) = memchr(b'\n', &message[read..]) {
        let line = &message[read..=read + length];
        if line == b"\r\n" {
            break;
        }
        read += line.len();
        if read > limits.header {
            return Err(reply::LONG_HEADER);
        }
        received += usize::from(is_received(line));
    }
    if received > limits.received { Err(reply::LOOP) } else { Ok(()) }
}

fn is_received(line: &[u8]) -> bool {
    let Some((name, rest)) = line.split_at_checked(b"received".len()) else { return false };
    name.eq_ignore_ascii_case(b"received") && rest.trim_ascii_start().first() == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        Limits { data_line: 20, message: 100, header: 60, received: 2, ..Limits::default() }
    }

    /// What is made of the octets, in pieces of `piece`; `None` when the end was not met at the last octet.
    fn read(octets: &[u8], piece: usize) -> Option<Result<String, Reply>> {
        let mut reader = DataReader::new(b"T", 10);
        let mut read = 0;
        for chunk in octets.chunks(piece) {
            let (used, done) = reader.take(chunk, &limits());
            read += used;
            if done {
                assert_eq!(read, octets.len(), "ended early");
                return Some(reader.finish(&limits()).map(|message| String::from_utf8(message).unwrap()));
            }
            assert_eq!(used, chunk.len());
        }
        None
    }

    #[test]
    fn messages_come_out_unstuffed_and_spoilt_ones_are_refused_at_their_true_end() {
        let stray = Err(reply::STRAY_IN_MESSAGE);
        for (octets, expected) in [
            (".\r\n", Ok("T")),
            ("a\r\n.\r\n", Ok("Ta\r\n")),
            ("..\r\n...\r\n.a\r\n.\r\n", Ok("T.\r\n..\r\na\r\n")),
            ("a.\r\n\r\n.\r\n", Ok("Ta.\r\n\r\n")),
            ("a\n.\nb\r\n.\r\n", stray),
            ("a\n.\r\nb\r\n.\r\n", stray),
            ("a\r\n.\nb\r\n.\r\n", stray),
            ("a\r.\rb\r\n.\r\n", stray),
            ("a\r.\r\nb\r\n.\r\n", stray),
            ("a\r\n.\rb\r\n.\r\n", stray),
            ("a\r\n\0.\r\nb\r\n.\r\n", stray),
            ("a\r\n.\0\r\nb\r\n.\r\n", stray),
            ("a\r\n.\r\r\nb\r\n.\r\n", stray),
            ("a\r\r\n.\r\r\nb\r\n.\r\n", stray),
            ("\n\r\n.\r\n", stray),
            ("12345678901234567890\r\n.\r\n", Err(reply::LONG_LINE)),
            ("123456789012345678\r\n.\r\n", Ok("T123456789012345678\r\n")),
            (".123456789012345678\r\n.\r\n", Ok("T123456789012345678\r\n")),
            ("\r\na\nb1234567890123456789\r\n.\r\n", Err(reply::LONG_LINE)),
            (
                "Received: 1\r\nReceived: 2\r\n\r\nReceived: 3\r\n.\r\n",
                Ok("TReceived: 1\r\nReceived: 2\r\n\r\nReceived: 3\r\n"),
            ),
            ("Received: 1\r\nreceived : 2\r\nRECEIVED:\r\n.\r\n", Err(reply::LOOP)),
            (
                "a: 34567890\r\nb: 34567890\r\nc: 34567890\r\nd: 34567890\r\ne: 34567890\r\n\r\n.\r\n",
                Err(reply::LONG_HEADER),
            ),
        ] {
            for piece in [1, 2, 3, 7, 1000] {
                assert_eq!(read(octets.as_bytes(), piece), Some(expected.map(str::to_owned)), "{octets:?} by {piece}");
            }
        }
    }

    #[test]
    fn only_a_dot_between_two_crlf_ends_the_message() {
        for octets in
            ["", ".", ".\r", "a\r\n.\r", "a\n.\n", "a\r\n.\n", "a\n.\r\n", "a\r.\r\n", "a.\r\n", "a\r\n.\r\r\n"]
        {
            assert_eq!(read(octets.as_bytes(), 1), None, "{octets:?}");
            assert_eq!(read(octets.as_bytes(), 1000), None, "{octets:?}");
        }
    }

    #[test]
    fn a_message_that_is_too_big_is_read_to_its_end_and_not_stored() {
        let octets = format!("\r\n{}.\r\n", "0123456789\r\n".repeat(1000));
        assert_eq!(read(octets.as_bytes(), 64), Some(Err(reply::TOO_BIG)));
        let mut reader = DataReader::new(b"", 0);
        reader.take(&octets.as_bytes()[..octets.len() - 3], &limits());
        assert_eq!(reader.message.capacity(), 0);
    }
}
