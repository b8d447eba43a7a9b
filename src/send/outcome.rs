//! What became of a letter that was handed to a relay, and the rules by which an answer at a phase gets its meaning.

use std::fmt;
use std::time::Duration;

/// The longest text that is kept of a reply, characters.
const REPLY_TEXT: usize = 500;

/// How one attempt to hand a letter to a relay ended. The table in [the room's documentation](super) says which answer at which
/// phase means what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<E> {
    /// The relay took the letter over.
    Accepted {
        /// Its words, often with its queue id.
        reply: Reply,
    },
    /// A 4xx about this recipient or letter: nothing was delivered; the attempt counts.
    TryLater {
        /// Where.
        phase: Phase,
        /// Its words.
        reply: Reply,
    },
    /// A 5xx about this recipient or letter: it will never be delivered as it is.
    Refused {
        /// Where. [`Phase::Check`] means that we refused it ourselves before a word was said.
        phase: Phase,
        /// Its words.
        reply: Reply,
    },
    /// The relay itself: nothing was delivered, and the letter is not at fault, so no attempt counts.
    Unavailable(Trouble),
    /// The final dot was sent, but no complete answer came: the letter is delivered or not, nobody knows.
    InDoubt {
        /// What came instead of an answer.
        reason: String,
    },
    /// "On the wire" could not be recorded, so the letter was not sent; the error that recording gave.
    NotRecorded(E),
}

/// What is wrong with a relay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{phase}: {reason}")]
pub struct Trouble {
    /// Where it showed.
    pub phase: Phase,
    /// What, and where known the remedy. Holds no address of a person.
    pub reason: String,
    /// Waiting will not mend it: a person must look at the relay or at its configuration.
    pub alarm: bool,
}

/// The steps of an attempt, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Our own look at the letter and at what the relay offers.
    Check,
    /// Name lookup and TCP.
    Connect,
    /// STARTTLS or TLS from the first byte.
    Tls,
    /// The relay's 220.
    Greeting,
    /// EHLO.
    Hello,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA, up to the 354.
    Data,
    /// The letter's bytes, before the final dot.
    Letter,
    /// The final dot was sent.
    Dot,
}

impl Phase {
    /// A short name that does not change, for the store and for logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Greeting => "greeting",
            Self::Hello => "ehlo",
            Self::Auth => "auth",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Letter => "letter",
            Self::Dot => "dot",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A reply of the relay (RFC 5321 4.2), or in its form a refusal of our own.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// The three digits.
    pub code: u16,
    /// The text, its lines joined by blanks, control characters taken out, at most 500 characters. May quote the recipient's
    /// address: for the store and the support desk, not for logs.
    pub text: String,
}

impl Reply {
    /// A reply with its text made fit to be kept.
    pub(super) fn new(code: u16, text: &str) -> Self {
        let mut kept = String::with_capacity(text.len().min(REPLY_TEXT));
        for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
            if !kept.is_empty() {
                kept.push(' ');
            }
            kept.push_str(word);
        }
        if let Some((end, _)) = kept.char_indices().nth(REPLY_TEXT) {
            kept.truncate(end);
        }
        Self { code, text: kept }
    }

    /// The enhanced status code at the start of the text (RFC 3463), such as `5.1.1`: class, subject, detail.
    pub fn enhanced(&self) -> Option<(u16, u16, u16)> {
        let mut parts = self.text.split(' ').next()?.splitn(3, '.').map(|part| part.parse::<u16>().ok());
        let found = (parts.next()??, parts.next()??, parts.next()??);
        (found.0 == self.code / 100).then_some(found)
    }

    /// Whether the relay says that it does not relay for us, which no recipient can help: `554 5.7.1 <…>: Relay access denied`
    /// (Postfix), `550 5.7.1 Relaying denied` (Sendmail), `550 relay not permitted` (Exim), `550 5.7.54 Unable to relay`
    /// (Exchange).
    fn denies_relaying(&self) -> bool {
        let about_policy = self.enhanced().is_none_or(|(_, subject, _)| subject == 7);
        let text = self.text.to_ascii_lowercase();
        let words = ["relay access denied", "relaying denied", "relay not permitted", "unable to relay"];
        about_policy && words.iter().any(|words| text.contains(words))
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

/// Leaves the text out: relays quote the recipient's address in it.
impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({}", self.code)?;
        if let Some((class, subject, detail)) = self.enhanced() {
            write!(f, " {class}.{subject}.{detail}")?;
        }
        f.write_str(" …)")
    }
}

/// Why a step did not succeed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The relay answered, with 4xx or 5xx.
    Negative(Reply),
    /// The connection is of no use any more: closed, broken, or what came was no answer.
    Broken(String),
    /// No answer within this time.
    Silent(Duration),
}

impl Failure {
    /// Whether a connection that had been idle may simply have been closed meanwhile, so that a fresh one is worth a try.
    pub(super) fn is_stale(&self) -> bool {
        match self {
            Self::Negative(reply) => reply.code == 421,
            Self::Broken(_) => true,
            Self::Silent(_) => false,
        }
    }

    /// Whether only the letter failed, at `phase`, and the connection can take another.
    pub(super) fn spares_connection(&self, phase: Phase) -> bool {
        matches!(self, Self::Negative(reply) if reply.code != 421 && blame(phase, reply) == Blame::Letter)
    }

    /// The failure as the relay's own trouble.
    pub(super) fn trouble(self, phase: Phase) -> Trouble {
        let (reason, alarm) = match self {
            Self::Negative(reply) => (format!("the relay answered {reply}"), reply.code >= 500),
            Self::Broken(reason) => (reason, false),
            Self::Silent(limit) => (format!("no answer within {limit:?}"), false),
        };
        Trouble { phase, reason: without_addresses(&reason), alarm }
    }

    /// What the failure of a transaction means. For a failure after the final dot was sent, `phase` is [`Phase::Dot`].
    pub(super) fn judge<E>(self, phase: Phase) -> Outcome<E> {
        match self {
            Self::Negative(reply) => match blame(phase, &reply) {
                Blame::Relay => Outcome::Unavailable(Self::Negative(reply).trouble(phase)),
                Blame::Letter if reply.code < 500 => Outcome::TryLater { phase, reply },
                Blame::Letter => Outcome::Refused { phase, reply },
            },
            failure if phase == Phase::Dot => Outcome::InDoubt { reason: failure.trouble(phase).reason },
            failure => Outcome::Unavailable(failure.trouble(phase)),
        }
    }
}

/// Whom an answer is about.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// The relay, its configuration or ours; the next letter would fare no better.
    Relay,
    /// This recipient or this letter.
    Letter,
}

/// Whom a 4xx or 5xx is about. The rules behind the table in the room's documentation:
/// - before RCPT nothing was said about the recipient or the letter;
/// - 530, 534, 535, 538 (RFC 4954) ask for a login and 503 is about the order of commands, wherever they come;
/// - "relay access denied" is about us;
/// - 421 means "closing down" (RFC 5321 3.8), but as the answer to a letter's dot it is an answer to that letter: were it not
///   counted, a letter that breaks the relay's content filter would be tried for ever.
pub(super) fn blame(phase: Phase, reply: &Reply) -> Blame {
    match (phase, reply.code) {
        (Phase::Rcpt | Phase::Data | Phase::Letter | Phase::Dot, code) => match code {
            503 | 530 | 534 | 535 | 538 => Blame::Relay,
            421 if phase != Phase::Dot => Blame::Relay,
            _ if phase == Phase::Rcpt && reply.denies_relaying() => Blame::Relay,
            _ => Blame::Letter,
        },
        _ => Blame::Relay,
    }
}

/// A text with every word that looks like an address blotted out: troubles are logged.
fn without_addresses(text: &str) -> String {
    let text = text.split(' ').map(|word| if word.contains('@') { "<…>" } else { word }).collect::<Vec<_>>().join(" ");
    Reply::new(0, &text).text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_reply_is_one_clean_line_of_bounded_length() {
        assert_eq!(Reply::new(250, " 2.0.0  Ok:\r\n queued\u{1b}[31m as\t1A2B ").text, "2.0.0 Ok: queued [31m as 1A2B");
        assert_eq!(Reply::new(550, &"\u{e5}".repeat(600)).text.chars().count(), 500);
    }

    #[test]
    fn the_enhanced_code_is_read_only_where_it_fits_the_reply() {
        for (code, text, expected) in [
            (550, "5.1.1 no such user", Some((5, 1, 1))),
            (550, "4.1.1 no such user", None),
            (550, "no such user", None),
            (550, "5.1 no", None),
            (550, "", None),
            (452, "4.2.2", Some((4, 2, 2))),
        ] {
            assert_eq!(Reply::new(code, text).enhanced(), expected, "{text}");
        }
    }

    #[test]
    fn a_relay_that_does_not_relay_for_us_is_not_the_recipients_fault() {
        for (text, expected) in [
            ("5.7.1 <a@x.test>: Relay access denied", Blame::Relay),
            ("5.7.1 Relaying denied", Blame::Relay),
            ("relay not permitted", Blame::Relay),
            ("5.7.54 SMTP; Unable to relay recipient in non-accepted domain", Blame::Relay),
            ("5.7.1 message looks like spam", Blame::Letter),
            ("5.1.1 undeliverable: mx.test said: 554 5.7.1 Relay access denied", Blame::Letter),
        ] {
            assert_eq!(blame(Phase::Rcpt, &Reply::new(550, text)), expected, "{text}");
        }
    }

    #[test]
    fn neither_a_debug_print_nor_a_trouble_shows_an_address() {
        let reply = Reply::new(554, "5.7.1 <anna@example.com>: Relay access denied");
        assert_eq!(format!("{reply:?}"), "Reply(554 5.7.1 …)");
        let trouble = Failure::Negative(reply).trouble(Phase::Rcpt);
        assert_eq!(trouble.to_string(), "rcpt: the relay answered 554 5.7.1 <…> Relay access denied");
    }
}
