//! What a notice says to programs: the groups of a delivery status (RFC 3464, RFC 6533), as they are in the field: fields in any
//! order, blank lines too many or missing, addresses in angle brackets or in none of the known forms.

use super::places::addresses_in;
use crate::domain::{EmailAddress, MailStatus};

/// Groups that are looked at.
const GROUPS: usize = 50;

/// What became of a letter at one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// The mail system gave up.
    Failed,
    /// It is still trying.
    Delayed,
    /// It delivered the letter, or handed it on.
    Delivered,
}

/// What is said about one recipient.
#[derive(Default)]
pub(super) struct Group {
    /// The addresses: as the sender wrote it, then as it was in the end.
    pub(super) addresses: Vec<EmailAddress>,
    /// What became of the letter there, where it is said.
    pub(super) action: Option<Action>,
    /// The field `Status`.
    pub(super) status: Option<MailStatus>,
    /// What the other mail system said, and all else that is said in words.
    pub(super) words: String,
    original: Vec<EmailAddress>,
    known: bool,
}

/// The recipients of delivery status groups.
pub(super) fn groups(text: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut group = Group::default();
    for line in unfolded(text) {
        if line.is_empty() {
            finish(&mut groups, &mut group);
            continue;
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if name == "final-recipient" && group.known {
            finish(&mut groups, &mut group);
        }
        group.take(&name, value);
        if groups.len() == GROUPS {
            break;
        }
    }
    finish(&mut groups, &mut group);
    groups
}

impl Group {
    fn take(&mut self, name: &str, value: &str) {
        match name {
            "final-recipient" => {
                self.known = true;
                self.addresses.extend(address(value));
            }
            "original-recipient" => self.original.extend(address(value)),
            "x-actual-recipient" => self.addresses.extend(address(value)),
            "action" => self.action = self.action.or(action(value)),
            "status" => {
                self.status = self.status.or_else(|| MailStatus::all_in(value).next());
                self.add_words(value);
            }
            "diagnostic-code" | "x400-supplementary-info" | "x-notes" | "x-supplementary-info" | "x-display-text" => {
                self.add_words(value);
            }
            _ => {}
        }
    }

    fn add_words(&mut self, value: &str) {
        self.words.push_str(value);
        self.words.push('\n');
    }

    fn is_empty(&self) -> bool {
        !self.known && self.original.is_empty() && self.action.is_none() && self.status.is_none()
    }
}

/// Ends a group. One that names nobody goes on with the one before, from which a blank line parted it.
fn finish(groups: &mut Vec<Group>, group: &mut Group) {
    let mut done = std::mem::take(group);
    if done.is_empty() {
        return;
    }
    let original = std::mem::take(&mut done.original);
    done.addresses.splice(0..0, original);
    let names_nobody = !done.known && done.addresses.is_empty();
    match groups.last_mut() {
        Some(before) if names_nobody && before.action.is_none() && before.status.is_none() => {
            before.action = done.action;
            before.status = done.status;
            before.words.push_str(&done.words);
        }
        _ => groups.push(done),
    }
}

/// The lines with folded fields joined; a blank line is an empty one.
fn unfolded(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match lines.last_mut() {
            Some(before) if line.starts_with([' ', '\t']) && !before.is_empty() && !line.trim().is_empty() => {
                before.push(' ');
                before.push_str(line.trim());
            }
            _ => lines.push(line.trim().to_owned()),
        }
    }
    lines
}

/// RFC 3464, section 2.3.3, and the words that are met for it.
fn action(value: &str) -> Option<Action> {
    let word = value.split(|c: char| !c.is_ascii_alphabetic()).find(|word| !word.is_empty())?.to_ascii_lowercase();
    match word.as_str() {
        "failed" | "failure" | "fail" | "undeliverable" | "error" | "bounced" | "expired" => Some(Action::Failed),
        "delayed" | "delay" | "deferred" | "retrying" => Some(Action::Delayed),
        "delivered" | "relayed" | "expanded" | "deliverable" | "success" => Some(Action::Delivered),
        _ => None,
    }
}

/// `rfc822; address`, `utf-8; address` with what RFC 6533 escapes, or the bare address.
fn address(value: &str) -> Vec<EmailAddress> {
    let (kind, value) = value.split_once(';').unwrap_or(("", value));
    let value = value.trim();
    if kind.trim().eq_ignore_ascii_case("x400") {
        return Vec::new();
    }
    let mut found = Vec::new();
    let plain = unescaped(value);
    for text in [plain.as_str(), &xtext_decoded(&plain)] {
        for address in addresses_in(text).into_iter().map(|place| place.address) {
            if !found.contains(&address) {
                found.push(address);
            }
        }
    }
    found
}

/// RFC 6533, section 3: `\x{E9}` for a character beyond ASCII.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x{") {
        out.push_str(before);
        let character = after.split_once('}').and_then(|(digits, tail)| {
            let digits = Some(digits).filter(|digits| (1..=6).contains(&digits.len()))?;
            Some((char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, tail))
        });
        match character {
            Some((character, tail)) => {
                out.push(character);
                rest = tail;
            }
            None => {
                out.push_str("\\x{");
                rest = after;
            }
        }
    }
    out + rest
}

/// RFC 3461, section 4: `+2B` for a plus. Servers ought to have decoded it before they report, and some have not.
fn xtext_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let digit = |at: usize| tail.get(at).filter(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(b)).copied();
        let decoded = match (first, digit(0), digit(1)) {
            (b'+', Some(high), Some(low)) => {
                std::str::from_utf8(&[high, low]).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok())
            }
            _ => None,
        };
        match decoded {
            Some(byte) if byte.is_ascii_graphic() => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let shown = |group: &Group| {
            let addresses = group.addresses.iter().map(EmailAddress::as_str).collect::<Vec<_>>().join(",");
            let status = group.status.map(|status| status.to_string()).unwrap_or_default();
            format!("{addresses} {:?} {status}", group.action)
        };
        groups(text).iter().map(shown).collect()
    }

    #[test]
    fn groups_are_read_as_they_are_met() {
        for (text, expected) in [
            (
                "Reporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; a@b.example\r\nAction: failed\r\nStatus: 5.1.1 (unknown)\r\n",
                &["a@b.example Some(Failed) 5.1.1"][..],
            ),
            // All in one group, the action first, the type missing, brackets.
            (
                "Reporting-MTA: dns; mx.example\nAction: FAILED\nFinal-Recipient: <a@b.example>\nStatus: 5.0.0",
                &["a@b.example Some(Failed) 5.0.0"],
            ),
            // No blank line between two recipients.
            (
                "Final-Recipient: rfc822; a@b.example\nAction: failed\nFinal-Recipient: rfc822; c@d.example\nAction: delayed\n",
                &["a@b.example Some(Failed) ", "c@d.example Some(Delayed) "],
            ),
            // A blank line in the middle of one.
            (
                "Final-Recipient: rfc822; a@b.example\n\nAction: failed\nStatus: 5.1.1\n",
                &["a@b.example Some(Failed) 5.1.1"],
            ),
            // The address that was written stands first.
            (
                "Original-Recipient: rfc822;a+2Btag@b.example\nFinal-Recipient: rfc822; z@host.b.example\nAction: relayed\n",
                &["a+2Btag@b.example,a+tag@b.example,z@host.b.example Some(Delivered) "],
            ),
            (
                "Final-Recipient: utf-8; j\\x{FC}rgen@b.example\nAction: failed\n",
                &["j\u{fc}rgen@b.example Some(Failed) "],
            ),
            ("Final-Recipient: x400; /S=a/OU=b/\nStatus: 4.4.7\n", &[" None 4.4.7"]),
            ("Reporting-MTA: dns; mx.example\n\n", &[]),
            ("", &[]),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn escapes_that_are_none_stay() {
        for text in ["\\x{}", "\\x{110000}@b", "\\x{41", "+", "+2", "+zz", "\\x{D800}"] {
            assert_eq!(unescaped(&xtext_decoded(text)), text);
        }
    }
}
