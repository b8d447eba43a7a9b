//! Where addresses stand in a notice that was written for people: at the start of a line, after a label, or in a sentence, and which
//! of them are not the one that the letter could not be delivered to.

use super::known::KNOWN;
use crate::domain::EmailAddress;
use crate::read::phrases::Searched;
use crate::read::words::fold;

/// Addresses of a notice that are looked at.
const ADDRESSES: usize = 200;
/// Bytes of a line that are looked at.
const LINE: usize = 2_000;

/// An address in a line.
pub(super) struct Found {
    /// Which.
    pub(super) address: EmailAddress,
    /// Where it begins and ends, with what stands before it: brackets, quotes, `mailto:`.
    start: usize,
    end: usize,
}

/// An address that a notice speaks of, with what it says of it.
pub(super) struct Named {
    /// The address and its other names.
    pub(super) addresses: Vec<EmailAddress>,
    /// The lines from it to the next one.
    pub(super) lines: std::ops::Range<usize>,
    rank: Rank,
}

/// How plainly an address stands as the one that is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// At the start of a line.
    Start,
    /// Alone after a label or a command: `Recipient: a@b`, `RCPT TO:<a@b>`.
    Label,
    /// In a sentence that says what was wrong.
    Telling,
    /// In any other sentence.
    Sentence,
}

fn says_why(line: &str) -> bool {
    let folded = fold(line);
    KNOWN.said(&folded).is_some() || KNOWN.texts.find(&Searched::unsearched(&folded)).is_some()
}

/// The addresses that a notice speaks of, the plainest kind alone. `others` are those to which the notice went, which are not meant
/// in a sentence.
pub(super) fn named(notice: &[String], others: &[EmailAddress]) -> Vec<Named> {
    let mut all: Vec<Named> = Vec::new();
    let mut seen = 0;
    for (number, line) in notice.iter().enumerate() {
        for found in addresses_in(line) {
            seen += 1;
            if seen > ADDRESSES {
                break;
            }
            let before = fold(line.get(..found.start).unwrap_or_default());
            let before_line = before.trim_start_matches(['>', '-', '*', '(', ' ', '.', '\u{2022}', '|']);
            let ends = |word: &String| {
                let text = before.trim_end_matches([' ', ':', '<', '(', '"', '\'', '[']);
                text.strip_suffix(word.trim_end_matches(':')).is_some_and(|head| !head.ends_with(char::is_alphanumeric))
            };
            // The line before may hold the words: `(expanded from` and `Original address:` are broken there.
            let broken = number.checked_sub(1).and_then(|before| notice.get(before)).map(|line| fold(line));
            let broken = before_line.is_empty()
                && broken.is_some_and(|line| KNOWN.other_name.iter().any(|word| line.ends_with(word.as_str())));
            if broken || KNOWN.other_name.iter().any(ends) {
                if let Some(last) = all.last_mut() {
                    push_new(&mut last.addresses, found.address);
                    continue;
                }
            } else if KNOWN.not_the_recipient.iter().any(ends) || is_office(&found.address) {
                continue;
            }
            let after = line.get(found.end..).unwrap_or_default().trim();
            let rank = if before_line.is_empty() {
                Rank::Start
            } else if before_line.ends_with('=') {
                // The address within an X.400 name.
                Rank::Label
            } else if before_line.trim_end_matches(['<', ' ', '"']) != "to:"
                && before_line.ends_with([':', ';', '<'])
                && after.trim_matches(['>', ' ', ';', '.', ')', '"']).len() <= 3
            {
                Rank::Label
            } else {
                Rank::Sentence
            };
            if rank == Rank::Sentence && others.contains(&found.address) {
                continue;
            }
            let rank = if rank == Rank::Sentence && says_why(line) { Rank::Telling } else { rank };
            all.push(Named { addresses: vec![found.address], lines: number..notice.len(), rank });
        }
    }
    let Some(best) = all.iter().map(|named| named.rank).min() else { return Vec::new() };
    let mut kept: Vec<Named> = Vec::new();
    for named in all.into_iter().filter(|named| named.rank == best) {
        let known = named.addresses.iter().find_map(|address| {
            kept.iter().position(|kept| kept.addresses.iter().any(|known| known.key() == address.key()))
        });
        if known.is_none() {
            if let Some(before) = kept.last_mut() {
                before.lines.end = named.lines.start.max(before.lines.start + 1);
            }
            kept.push(named);
        }
    }
    if best >= Rank::Telling {
        // A sentence that names several is not about all of them.
        kept.truncate(1);
    }
    kept
}

fn push_new(addresses: &mut Vec<EmailAddress>, address: EmailAddress) {
    if !addresses.contains(&address) {
        addresses.push(address);
    }
}

/// Addresses of mail systems and help desks, which notices name for questions.
fn is_office(address: &EmailAddress) -> bool {
    let local = address.local_part().to_ascii_lowercase();
    ["postmaster", "mailer-daemon", "abuse", "hostmaster", "helpdesk", "postmasters"].contains(&local.as_str())
}

/// The addresses in a line, as they come.
pub(super) fn addresses_in(line: &str) -> Vec<Found> {
    let mut end = line.len().min(LINE);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let line = &line[..end];
    let mut found: Vec<Found> = Vec::new();
    for (at, _) in line.match_indices('@') {
        let before = &line[..at];
        let local = before
            .rfind(|c: char| !is_local(c))
            .map_or(0, |end| end + before[end..].chars().next().map_or(1, char::len_utf8));
        let after = &line[at + 1..];
        let length = after.find(|c: char| !(c.is_alphanumeric() || c == '-' || c == '.')).unwrap_or(after.len());
        let domain = after[..length].trim_end_matches(['.', '-']);
        let text = &before[local..];
        let text = text.trim_start_matches(['\'', '`', '*', '=', '|', '-', '{']);
        // `SMTP=a@b` of Exchange, `to=a@b` of logs.
        let text = text.rsplit_once('=').filter(|(key, _)| is_key(key)).map_or(text, |(_, rest)| rest);
        let start = at - text.len();
        let Ok(address) = EmailAddress::parse(&format!("{text}@{domain}")) else { continue };
        if found.last().is_some_and(|last| last.end > start) {
            continue;
        }
        let opened = line[..start].trim_end_matches(['<', '"', '\'', '(', '[', '`']);
        let opened = strip_suffix_ignoring_case(opened, "mailto:").trim_end_matches(['<', '"', '(', '[']);
        let closed = at + 1 + domain.len();
        found.push(Found { address, start: opened.len(), end: closed });
    }
    found
}

fn strip_suffix_ignoring_case<'t>(text: &'t str, suffix: &str) -> &'t str {
    match text.len().checked_sub(suffix.len()).and_then(|at| Some((text.get(..at)?, text.get(at..)?))) {
        Some((head, tail)) if tail.eq_ignore_ascii_case(suffix) => head,
        _ => text,
    }
}

fn is_key(word: &str) -> bool {
    word.contains('?')
        || ["smtp", "rfc822", "to", "rcpt", "recipient", "orcpt", "email", "user", "addr", "address"]
            .iter()
            .any(|key| word.eq_ignore_ascii_case(key))
}

/// A character of the part before the `@`, as far as it is written without quotes.
fn is_local(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+-=?^_`{|}~.".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn addresses_are_found_in_every_dress() {
        for (line, expected) in [
            ("<a@b.example>: host mx.b.example[192.0.2.1] said", "a@b.example"),
            ("a@b.example.", "a@b.example"),
            ("c=US;a= ;p=X;o=Y;dda:SMTP=a@b.EXAMPLE; on Fri", "a@b.example"),
            ("'a@b.example' on 1 May", "a@b.example"),
            ("a@b.example<mailto:a@b.example>", "a@b.example a@b.example"),
            ("rfc822;a@b.example", "a@b.example"),
            ("\u{5bdb}\u{5148}\u{ff1a}a@b.example", "\u{5bdb}\u{5148}"),
            ("@ a@ @b a@b", ""),
            ("http://x.example/?u=a@b.example", "a@b.example"),
        ] {
            let found = addresses_in(line).iter().map(|found| found.address.to_string()).collect::<Vec<_>>().join(" ");
            if expected.is_ascii() {
                assert_eq!(found, expected, "{line}");
            }
        }
    }

    #[test]
    fn the_plainest_places_are_meant_and_helpers_are_not() {
        for (notice, expected) in [
            ("For help, contact admin@b.example\n\n<a@b.example>:\nno such user\n", "a@b.example"),
            ("Your mail to a@b.example could not be delivered. Write to help@c.example", "a@b.example"),
            ("Recipient: a@b.example\nReason: full\n", "a@b.example"),
            ("<a@b.example> (expanded from\n    <c@b.example>): gone", "a@b.example+c@b.example"),
            ("a@b.example\n  (was addressed to c@d.example)\n", "a@b.example+c@d.example"),
            ("<a@b.example>\n<c@b.example>\n", "a@b.example c@b.example"),
            ("please send mail to postmaster@b.example", ""),
            ("nobody", ""),
        ] {
            let found = named(&lines(notice), &[]);
            let shown = found
                .iter()
                .map(|named| named.addresses.iter().map(EmailAddress::as_str).collect::<Vec<_>>().join("+"));
            assert_eq!(shown.collect::<Vec<_>>().join(" "), expected, "{notice}");
        }
    }
}
