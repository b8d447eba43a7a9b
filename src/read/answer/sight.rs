//! An answer's mail taken apart: its header fields, what its notice says to people, what it says to programs, and what it returns of
//! the letter. Sizes are bounded; nothing here knows what a bounce is.

use std::borrow::Cow;
use std::panic::catch_unwind;

use mail_parser::decoders::html::html_to_text;
use mail_parser::{MessageParser, MessagePart, MimeHeaders, PartType};

use super::known::KNOWN;
use crate::domain::clean;
use crate::read::phrases::Searched;
use crate::read::words::fold;
use crate::read::{bounds, repair};

/// Bytes of notice, and of each other kind of part, that are looked at.
const LOOKED_AT: usize = 64 * 1024;
/// Lines of a notice that are looked at.
const LINES: usize = 1_000;
/// Characters of a header field that are looked at.
const FIELD: usize = 2_000;
/// Header fields of the returned letter that are looked at.
const FIELDS: usize = 200;

/// What there is to see in an answer.
#[derive(Default)]
pub(super) struct Sight {
    headers: Vec<(String, String)>,
    /// The subject, decoded.
    pub(super) subject: String,
    /// The author's name and address, as one text.
    pub(super) author: String,
    /// The notice for people, by lines with their indentation, up to where the letter is returned.
    pub(super) notice: Vec<String>,
    /// `message/delivery-status` (RFC 3464), `message/global-delivery-status` (RFC 6533), one part after the other.
    pub(super) statuses: String,
    /// `message/feedback-report` (RFC 5965).
    pub(super) feedback: String,
    /// Whether there is a `message/disposition-notification` (RFC 8098): somebody opened the letter, or threw it away.
    pub(super) is_receipt: bool,
    /// Header fields of the letter that came back, names in lower case.
    pub(super) returned: Vec<(String, String)>,
}

impl Sight {
    /// Takes a mail apart; `None` when it is beyond all bounds or has no header section.
    pub(super) fn of(mail: &[u8]) -> Option<Self> {
        // Mailboxes of the old kind begin mails with a line that is no header field.
        let mail = match mail.starts_with(b"From ") {
            true => mail.iter().position(|byte| *byte == b'\n').and_then(|end| mail.get(end + 1..)).unwrap_or_default(),
            false => mail,
        };
        bounds::check(mail).ok()?;
        let mail = repair::header_section(mail, &mut Vec::new());
        // As in `message`: mail-parser 0.11.9 panics on some broken multiparts.
        let parsed = catch_unwind(|| MessageParser::default().parse(mail.as_ref())).ok()??;
        let mut sight = Self { headers: fields_of(&parsed), ..Self::default() };
        sight.subject = clean(parsed.subject().unwrap_or_default(), FIELD);
        let raw = sight.header("from").unwrap_or_default().to_owned();
        let decoded = parsed.from().and_then(|from| from.first()).and_then(|from| from.name()).unwrap_or_default();
        sight.author = clean(&format!("{decoded} {raw}"), FIELD);
        let (mut plain, mut pages) = (String::new(), String::new());
        sight.walk(&parsed.parts, &mut plain, &mut pages);
        let notice = if plain.trim().is_empty() { pages } else { plain };
        sight.split(&notice);
        Some(sight)
    }

    /// The first header field of this name, which is in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All header fields of this name.
    pub(super) fn headers<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        self.headers.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The notice, folded.
    pub(super) fn folded(&self) -> String {
        fold(&self.notice.join("\n"))
    }

    fn walk(&mut self, parts: &[MessagePart<'_>], plain: &mut String, pages: &mut String) {
        for part in parts {
            let kind = part
                .content_type()
                .map(|kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()).to_ascii_lowercase());
            match (kind.as_deref().unwrap_or("text/plain"), &part.body) {
                (_, PartType::Multipart(_)) => {}
                (_, PartType::Message(letter)) if self.returned.is_empty() => self.returned = fields_of(letter),
                ("message/delivery-status" | "message/global-delivery-status", _) => {
                    append(&mut self.statuses, &text_of(part));
                }
                ("message/feedback-report", _) => append(&mut self.feedback, &text_of(part)),
                ("message/disposition-notification" | "message/global-disposition-notification", _) => {
                    self.is_receipt = true;
                }
                ("text/html", _) => append(pages, &html_to_text(cut(&text_of(part)))),
                (kind, _) if is_header_section(kind) && self.returned.is_empty() => {
                    self.returned = fields_in(text_of(part).lines());
                }
                (kind, _) if is_header_section(kind) => {}
                // A multipart whose parts cannot be told apart is text to the parser.
                (kind, _) if kind.starts_with("text/") || kind.starts_with("multipart/") => {
                    append(plain, &text_of(part));
                }
                _ => {}
            }
        }
    }

    /// Keeps the notice up to the returned letter, and that letter's header fields where no part has them.
    fn split(&mut self, notice: &str) {
        let mut lines = notice.lines().take(LINES).map(|line| line.trim_end().to_owned());
        for line in lines.by_ref() {
            if begins_a_letter(&line) && !self.notice.iter().all(|line| line.is_empty()) {
                if line.contains(':') && self.returned.is_empty() {
                    self.returned.extend(field(&line));
                }
                break;
            }
            self.notice.push(line);
        }
        let rest = lines.skip_while(|line| line.is_empty()).collect::<Vec<_>>();
        if !self.returned.iter().any(|(name, _)| matches!(name.as_str(), "message-id" | "to")) {
            self.returned.extend(fields_in(rest.iter().map(|line| line.trim_start_matches('>'))));
        }
        // Some send the status groups as text, because a gateway took the multipart apart.
        let is_status = |line: &&String| {
            let line = line.trim_start();
            ["final-recipient:", "original-recipient:"]
                .iter()
                .any(|name| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
        };
        if self.statuses.is_empty() && self.notice.iter().chain(&rest).any(|line| is_status(&line)) {
            self.statuses = self.notice.iter().chain(&rest).map(|line| format!("{line}\n")).collect();
        }
    }
}

/// Whether a line says that the returned letter begins after it, or is that letter's trace field.
fn begins_a_letter(line: &str) -> bool {
    let line = line.trim_start_matches(['>', ' ']);
    let starts = |name: &str| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    if starts("received: from") || starts("received: by") || starts("return-path:") || starts("received: (qmail") {
        return true;
    }
    // A sentence that only mentions the letter goes on; a line that announces it ends or is framed.
    line.len() <= 160
        && (line.contains("--") || line.contains("==") || line.ends_with([':', '.', '\u{ff1a}']) || line.len() <= 50)
        && KNOWN.copy.find(&Searched::unsearched(&fold(line))).is_some()
}

/// `text/rfc822-headers` (RFC 6522), `message/global-headers` (RFC 6533), and whatever else notices call the letter that they return.
fn is_header_section(kind: &str) -> bool {
    kind.contains("rfc822") || kind == "message/global-headers"
}

fn text_of<'p>(part: &'p MessagePart<'_>) -> Cow<'p, str> {
    match &part.body {
        PartType::Text(text) | PartType::Html(text) => Cow::Borrowed(text.as_ref()),
        PartType::Binary(bytes) | PartType::InlineBinary(bytes) => String::from_utf8_lossy(bytes),
        _ => Cow::Borrowed(""),
    }
}

fn append(out: &mut String, text: &str) {
    let room = LOOKED_AT.saturating_sub(out.len());
    let mut end = text.len().min(room);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    out.push_str(&text[..end]);
    // Parts are groups of their own.
    out.push_str("\n\n");
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(LOOKED_AT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn fields_of(message: &mail_parser::Message<'_>) -> Vec<(String, String)> {
    let fields = message.headers_raw().take(FIELDS);
    fields.map(|(name, value)| (name.trim().to_ascii_lowercase(), clean(value, FIELD))).collect()
}

/// The header fields that some lines begin with, folded ones joined.
fn fields_in<'l>(lines: impl Iterator<Item = &'l str>) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in lines.take_while(|line| !line.trim().is_empty()).take(FIELDS) {
        match (line.starts_with([' ', '\t']), fields.last_mut()) {
            (true, Some((_, value))) => {
                value.push(' ');
                value.push_str(line.trim());
            }
            _ => fields.extend(field(line)),
        }
    }
    for (_, value) in &mut fields {
        *value = clean(value, FIELD);
    }
    fields
}

fn field(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    let name = name.trim();
    let fine = !name.is_empty() && name.len() <= 76 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    fine.then(|| (name.to_ascii_lowercase(), value.trim().to_owned()))
}
