//! Whether an address is dead, by what a mail system says about it in codes and words. Codes are used loosely in the field, so words
//! that are narrow come first; what nobody explains stays unclear.

use super::known::KNOWN;
use crate::domain::{Hardness, MailStatus};
use crate::read::words::fold;

/// What was found.
pub(super) struct Judged {
    /// The status code that tells most.
    pub(super) status: Option<MailStatus>,
    /// Whether the address is dead.
    pub(super) hardness: Hardness,
    /// The name of the reason.
    pub(super) reason: Option<&'static str>,
}

/// Judges by the field `Status`, by what is said about the address, and, when neither tells, by the whole notice, which is folded.
pub(super) fn judge(field: Option<MailStatus>, words: &str, notice: &str) -> Judged {
    let mut codes = MailStatus::all_in(words).filter(|code| code.class != 2).chain(field);
    let first = codes.next();
    let status = first.into_iter().chain(codes).find(|code| code.is_specific()).or(first).or(field);
    let reply = reply_code(words);
    let may_pass = match status {
        Some(status) => status.may_pass(),
        None => reply.is_some_and(|code| code < 500),
    };
    let reason = KNOWN
        .said(&fold(words))
        .or_else(|| status.and_then(|status| KNOWN.coded(status)))
        .or_else(|| KNOWN.said(notice));
    let hardness = match reason.map(|reason| reason.class) {
        Some(Hardness::Hard) if may_pass => Hardness::Soft,
        Some(class) => class,
        None if may_pass || reply == Some(552) => Hardness::Soft,
        None => Hardness::Unclear,
    };
    Judged { status, hardness, reason: reason.map(|reason| reason.name.as_str()) }
}

/// The first SMTP reply code of a failure (RFC 5321, section 4.2), such as the `550` of `550-5.1.1 …`.
fn reply_code(words: &str) -> Option<u16> {
    let mut before = ' ';
    for (at, c) in words.char_indices() {
        let begins = matches!(c, '4' | '5') && !before.is_alphanumeric() && !matches!(before, '.' | '-' | ':' | '/');
        before = c;
        let code = words.get(at..at + 3).filter(|code| begins && code.bytes().all(|b| b.is_ascii_digit()));
        let ends = |rest: &str| rest.is_empty() || rest.starts_with([' ', '-', '\n', ':']);
        if let Some(code) = code.filter(|_| words.get(at + 3..).is_some_and(ends)) {
            return code.parse().ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_dead_only_when_something_says_so_and_nothing_speaks_against_it() {
        for (field, words, notice, expected) in [
            (None, "550 5.1.1 <a@b.example>... User unknown", "", (Hardness::Hard, "5.1.1")),
            // A vague status beside a telling one.
            (Some("5.0.0"), "smtp; 550 5.1.1 no such user", "", (Hardness::Hard, "5.1.1")),
            (Some("5.0.0"), "smtp; 550 mailbox full", "", (Hardness::Soft, "5.0.0")),
            // Codes without words, and neither.
            (Some("5.1.1"), "", "", (Hardness::Hard, "5.1.1")),
            (Some("5.7.1"), "smtp; 550 5.7.1 nope", "", (Hardness::Soft, "5.7.1")),
            (Some("5.0.0"), "smtp; 550 nope", "", (Hardness::Unclear, "5.0.0")),
            (None, "550 nope", "", (Hardness::Unclear, "")),
            (None, "552 nope", "", (Hardness::Soft, "")),
            (None, "451 nope", "", (Hardness::Soft, "")),
            // Said, but for now only.
            (Some("4.1.1"), "450 4.1.1 User unknown in local recipient table", "", (Hardness::Soft, "4.1.1")),
            (None, "450 user unknown", "", (Hardness::Soft, "")),
            // A code for a dead address with words for a full one.
            (Some("5.1.1"), "550 5.1.1 mailbox full", "", (Hardness::Soft, "5.1.1")),
            // Only the notice tells.
            (Some("5.5.0"), "554 Service unavailable", "mail.local: unknown user: a", (Hardness::Hard, "5.5.0")),
            (None, "", "", (Hardness::Unclear, "")),
        ] {
            let judged = judge(field.and_then(|code| code.parse().ok()), words, notice);
            let status = judged.status.map(|status| status.to_string()).unwrap_or_default();
            assert_eq!((judged.hardness, status.as_str()), expected, "{words} / {notice}");
        }
    }

    #[test]
    fn a_reply_code_is_no_port_and_no_part_of_an_address() {
        for (words, code) in [
            ("said: 550-no", Some(550)),
            ("450 4.2.2", Some(450)),
            ("(#5.1.1)", None),
            ("mx.b.example[192.0.2.45]:587: no", None),
            ("x552 5521 y.552 z", None),
            ("554", Some(554)),
        ] {
            assert_eq!(reply_code(words), code, "{words}");
        }
    }
}
