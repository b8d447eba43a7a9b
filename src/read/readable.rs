//! A mail as a person reads it: the header fields that tell who, what and when, decoded; the lines of its texts; and where each
//! line stands in a table. It is what rules see, so a rule's author and a support desk look at the same thing.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::body::{Body, Text};
use super::html::Named;
use super::message::{Mailbox, Message};

/// Header fields that are shown as they stand, after those that are decoded.
const FIELDS: &[&str] =
    &["sender", "return-path", "list-id", "auto-submitted", "precedence", "x-mailer", "content-type"];
/// Attached mails inside each other that are shown.
const ATTACHED: usize = 2;

/// A mail, readable. Every text is cleaned: no control characters, one line a line.
#[derive(Clone, PartialEq, Eq)]
pub struct Readable {
    /// Name and value of the header fields that matter, the name as mails write it.
    pub headers: Vec<(String, String)>,
    /// The texts of the body, best first: the HTML part, then the plain one.
    pub texts: Vec<ReadableText>,
    /// A mail that is attached.
    pub attached: Option<Box<Readable>>,
}

/// One text of a body.
#[derive(Clone, PartialEq, Eq)]
pub struct ReadableText {
    /// Whether it was HTML.
    pub html: bool,
    /// Its lines; empty ones and hidden text are gone.
    pub lines: Vec<ReadableLine>,
}

/// One line of a text.
#[derive(Clone, PartialEq, Eq)]
pub struct ReadableLine {
    /// The innermost table cell that it stands in.
    pub cell: Option<Place>,
    /// What stands there.
    pub text: String,
}

/// A cell of a table. All numbers are from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The table, counted through the body.
    pub table: usize,
    /// The row, counted through the body.
    pub row: usize,
    /// The place in the row, cells that span several counted as such.
    pub column: usize,
}

/// A mail as a person reads it.
///
/// # Errors
/// In words why it cannot be read: it is beyond the bounds, or no mail at all.
pub fn readable(mail: &[u8]) -> Result<Readable, String> {
    catch_unwind(AssertUnwindSafe(|| Readable::parse(mail, 0)))
        .unwrap_or_else(|_| Err("the reader failed on it".to_owned()))
}

impl Readable {
    fn parse(mail: &[u8], depth: usize) -> Result<Self, String> {
        let message = Message::parse(mail)?;
        let body = Body::of(&message, &Named::default());
        let mut readable = Self::of(&message, &body);
        let attached = message.attached.as_deref().filter(|_| depth < ATTACHED);
        readable.attached = attached.and_then(|inner| Self::parse(inner, depth + 1).ok()).map(Box::new);
        Ok(readable)
    }

    /// A mail that was taken apart already, without what is attached to it.
    pub(super) fn of(message: &Message, body: &Body) -> Self {
        let boxes = |boxes: &[Mailbox]| boxes.iter().map(shown).collect::<Vec<_>>().join(", ");
        let mut headers = vec![
            ("From", shown(&message.from)),
            ("To", boxes(&message.to)),
            ("Reply-To", boxes(&message.reply_to)),
            ("Subject", message.subject.clone()),
            ("Date", message.header("date").next().unwrap_or_default().to_owned()),
        ];
        headers.retain(|(_, value)| !value.is_empty());
        let mut headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Vec<_>>();
        for name in FIELDS {
            headers.extend(message.header(name).map(|value| (title(name), value.to_owned())));
        }
        let text = |(index, text): (usize, &Text)| ReadableText {
            html: index == 0 && !message.html.is_empty(),
            lines: lines(text),
        };
        Self { headers, texts: body.texts.iter().enumerate().map(text).collect(), attached: None }
    }
}

/// The lines of a text, each with the innermost cell around it: cells are in the order in which they end, so the first one that
/// holds a line is that.
fn lines(text: &Text) -> Vec<ReadableLine> {
    let mut places = vec![None; text.lines.len()];
    for cell in &text.cells {
        let place = Place { table: cell.table + 1, row: cell.row + 1, column: cell.column + 1 };
        for known in places.get_mut(cell.lines.clone()).unwrap_or_default() {
            known.get_or_insert(place);
        }
    }
    text.lines.iter().zip(places).map(|(line, cell)| ReadableLine { cell, text: line.clone() }).collect()
}

fn shown(mailbox: &Mailbox) -> String {
    match &mailbox.name {
        Some(name) => format!("{name} <{}>", mailbox.email),
        None => mailbox.email.to_string(),
    }
}

/// `x-mailer` as mails write it.
fn title(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    });
    words.collect::<Vec<_>>().join("-").replace("-Id", "-ID")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_decoded_and_lines_have_their_cells() {
        let mail = "From: =?utf-8?Q?L=C3=A5mpor?= <order@lampor.example>\r\nTo: ylva@example.org\r\nSubject: =?utf-8?B?VGFjayE=?=\r\n\
                    X-MAILER: Acme\r\nContent-Type: text/html\r\n\r\n<p>Hej</p><table><tr><td>Order</td><td><table><tr><td>7</td></tr>\
                    </table></td></tr></table><div style=\"display:none\">hidden</div>";
        let readable = readable(mail.as_bytes()).unwrap();
        let headers = readable.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>();
        let wanted = [
            "From: Låmpor <order@lampor.example>",
            "To: ylva@example.org",
            "Subject: Tack!",
            "X-Mailer: Acme",
            "Content-Type: text/html",
        ];
        assert_eq!(headers, wanted);
        let place = |table, row, column| Some(Place { table, row, column });
        let lines = readable.texts[0].lines.iter().map(|line| (line.text.as_str(), line.cell)).collect::<Vec<_>>();
        assert_eq!(lines, [("Hej", None), ("Order", place(1, 1, 1)), ("7", place(2, 2, 1))]);
        assert!(readable.texts[0].html && readable.attached.is_none());
    }

    #[test]
    fn an_attached_mail_is_shown_and_what_is_no_mail_is_told() {
        let inner = "From: a@b.test\r\nSubject: inside\r\n\r\nHi\r\n";
        let mail = format!(
            "From: c@d.test\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nsee below\r\n--x\r\n\
             Content-Type: message/rfc822\r\n\r\n{inner}\r\n--x--\r\n"
        );
        let outer = readable(mail.as_bytes()).unwrap();
        let subject = |readable: &Readable| readable.headers.iter().find(|(name, _)| name == "Subject").cloned();
        assert_eq!(outer.attached.as_deref().and_then(subject), Some(("Subject".to_owned(), "inside".to_owned())));
        assert!(readable(b"").is_err_and(|why| !why.is_empty()));
    }
}
