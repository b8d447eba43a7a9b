//! Copies that somebody at the shop forwards to us, as an attachment or inline: the mail inside is the copy. Who may do that is
//! the shop alone; a customer who forwards a mail, or a stranger who writes one that looks so, makes no order.

use std::sync::LazyLock;

use serde::Deserialize;
use std::collections::BTreeMap;

use super::customer::Ours;
use super::message::{Mailbox, Message, display_name};
use super::scripts::{starts_ignoring_case, unescaped};
use super::words::Label;
use crate::domain::{EmailAddress, Field, Finding, Layer, clean};

/// Bytes of a body in which the header of a forwarded mail is looked for.
const LOOKED_AT: usize = 64 * 1024;
/// Lines of a body in which the header of a forwarded mail may begin.
const LINES: usize = 120;
/// Lines of one such header.
const FIELDS: usize = 20;

/// What is inside a mail that was sent to us openly.
pub(super) enum Forwarded {
    /// No other mail.
    Nothing,
    /// This mail, which the shop forwarded.
    Copy(Vec<u8>),
    /// A mail that somebody forwarded who is not known to be the shop.
    ByStranger,
}

/// The mail inside a mail.
pub(super) fn inside(message: &Message, ours: &Ours<'_>) -> Forwarded {
    if !ours.is_addressed(message) {
        return Forwarded::Nothing;
    }
    let (author, copy) = match &message.attached {
        Some(attached) => match Message::parse(attached) {
            Ok(inner) => (inner.from.email, attached.clone()),
            // Reading it says what is wrong with it.
            Err(_) if ours.is_the_shop(&message.from.email, &message.from.email) => {
                return Forwarded::Copy(attached.clone());
            }
            Err(_) => return Forwarded::ByStranger,
        },
        None => match inline(message) {
            Some(found) => found,
            None => return Forwarded::Nothing,
        },
    };
    match ours.is_the_shop(&message.from.email, &author) {
        true => Forwarded::Copy(copy),
        false => Forwarded::ByStranger,
    }
}

/// The mail that another one quotes with its header: somebody sent that on.
pub(super) fn quoted(message: &Message) -> Option<Vec<u8>> {
    inline(message).map(|(_, copy)| copy)
}

/// What a reading says when it is that of the mail inside.
pub(super) fn remark() -> Finding {
    Finding {
        field: Field::Remark,
        value: "it was forwarded; what was read is the mail inside".to_owned(),
        layer: Layer::Mail,
        rule: "forwarded".to_owned(),
    }
}

/// The author of a mail that was forwarded inline, and the mail.
fn inline(message: &Message) -> Option<(EmailAddress, Vec<u8>)> {
    let html = block(&html_lines(&message.html));
    let text = block(&text_lines(&message.text));
    let header = html.as_ref().or(text.as_ref())?;
    let [author] = &mailboxes(&header.from)[..] else { return None };
    let to = mailboxes(&header.to);
    if to.is_empty() {
        return None;
    }
    let mut mail = format!(
        "From: {}\r\nTo: {}\r\nSubject: {}\r\n",
        written(author),
        to.iter().map(written).collect::<Vec<_>>().join(",\r\n "),
        clean(&header.subject, 900)
    );
    for date in message.header("date").take(1) {
        mail.push_str(&format!("Date: {date}\r\n"));
    }
    let html = html.as_ref().and_then(|header| message.html.get(header.end..)).unwrap_or(&message.html);
    let text = match &text {
        Some(header) => unquoted(message.text.get(header.end..).unwrap_or_default(), header.quoted),
        None => message.text.clone(),
    };
    let mut boundary = "forwarded".to_owned();
    while html.contains(&boundary) || text.contains(&boundary) {
        boundary.push('-');
    }
    mail.push_str(&format!("MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"{boundary}\"\r\n"));
    for (kind, body) in [("plain", text.as_str()), ("html", html)] {
        if !body.trim().is_empty() {
            mail.push_str(&format!(
                "\r\n--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{body}"
            ));
        }
    }
    mail.push_str(&format!("\r\n--{boundary}--\r\n"));
    Some((author.email.clone(), mail.into_bytes()))
}

fn written(mailbox: &Mailbox) -> String {
    match &mailbox.name {
        Some(name) => format!("\"{}\" <{}>", name.replace(['"', '\\'], ""), mailbox.email),
        None => mailbox.email.to_string(),
    }
}

/// The header fields that a mail program wrote above a forwarded mail.
#[derive(Default)]
struct Header {
    from: String,
    to: String,
    subject: String,
    /// Where the mail itself begins.
    end: usize,
    /// Whether its lines begin with `>`.
    quoted: bool,
}

/// A line of a body.
struct Line {
    text: String,
    /// Where the next one begins.
    end: usize,
}

/// A field of such a header.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    From,
    To,
    Subject,
    Date,
    Other,
}

type List = BTreeMap<String, Vec<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Labels {
    from: List,
    to: List,
    subject: List,
    date: List,
    other: List,
}

static LABELS: LazyLock<Vec<(Kind, Label)>> = LazyLock::new(|| {
    let labels: Labels = toml::from_str(include_str!("../../templates/mail/forwarded.toml"))
        .expect("the file is part of the program, and tested");
    let all = [
        (Kind::From, labels.from),
        (Kind::To, labels.to),
        (Kind::Subject, labels.subject),
        (Kind::Date, labels.date),
        (Kind::Other, labels.other),
    ];
    let each = all.into_iter().flat_map(|(kind, list)| list.into_values().flatten().map(move |text| (kind, text)));
    each.filter_map(|(kind, text)| Some((kind, Label::parse(&text)?))).collect()
});

/// The field that a line is, and its value. Mail programs that write text put stars around what was bold.
fn field(line: &str) -> Option<(Kind, &str)> {
    let (label, value) = line.split_once([':', '\u{ff1a}'])?;
    if label.len() > 60 {
        return None;
    }
    let label = label.trim_matches(|c: char| c.is_whitespace() || c == '*');
    let (kind, _) = LABELS.iter().find(|(_, known)| known.is(label))?;
    Some((*kind, value.trim_start_matches('*').trim()))
}

/// The first run of lines that are the header of a mail: author, addressee and subject at least.
fn block(lines: &[Line]) -> Option<Header> {
    (0..lines.len().min(LINES)).find_map(|start| {
        field(bare(&lines[start].text))?;
        let mut header = Header { quoted: lines[start].text.starts_with('>'), ..Header::default() };
        let mut last = None;
        for line in &lines[start..lines.len().min(start + FIELDS)] {
            let text = bare(&line.text);
            let complete = !header.from.is_empty() && !header.to.is_empty() && !header.subject.is_empty();
            match (field(text), last) {
                (Some((kind, value)), _) => {
                    if let Some(known) = header.value(kind).filter(|known| known.is_empty()) {
                        value.clone_into(known);
                    }
                    last = Some(kind);
                }
                // A value that goes on in the next line.
                (None, Some(kind)) if !complete && !text.is_empty() => {
                    if let Some(known) = header.value(kind) {
                        known.push(' ');
                        known.push_str(text);
                    }
                }
                _ => break,
            }
            header.end = line.end;
        }
        (!header.from.is_empty() && !header.to.is_empty() && !header.subject.is_empty()).then_some(header)
    })
}

impl Header {
    fn value(&mut self, kind: Kind) -> Option<&mut String> {
        match kind {
            Kind::From => Some(&mut self.from),
            Kind::To => Some(&mut self.to),
            Kind::Subject => Some(&mut self.subject),
            Kind::Date | Kind::Other => None,
        }
    }
}

/// A line without the signs of quoting.
fn bare(line: &str) -> &str {
    line.trim_start_matches(['>', ' '])
}

/// A text whose lines lose the sign of quoting.
fn unquoted(text: &str, quoted: bool) -> String {
    if !quoted {
        return text.to_owned();
    }
    text.lines().map(|line| line.strip_prefix('>').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

fn text_lines(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut end = 0;
    for line in text.split_inclusive('\n').take(LINES + FIELDS) {
        end += line.len();
        if end > LOOKED_AT {
            break;
        }
        lines.push(Line { text: clean(line, 1_000), end });
    }
    lines
}

/// The first lines of a page as a reader sees them, as far as that matters here.
fn html_lines(html: &str) -> Vec<Line> {
    const BREAKS: [&str; 13] =
        ["br", "p", "div", "tr", "li", "hr", "table", "blockquote", "h1", "h2", "h3", "pre", "section"];
    let (mut lines, mut line, mut at) = (Vec::new(), String::new(), 0);
    while at < html.len().min(LOOKED_AT) && lines.len() < LINES + FIELDS {
        let rest = &html[at..];
        let Some(tag) = rest.strip_prefix('<') else {
            let length = rest.find('<').unwrap_or(rest.len());
            line.push_str(&rest[..length]);
            at += length;
            continue;
        };
        let name = tag.trim_start_matches('/');
        let name = &name[..name.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(name.len())];
        let silent = ["style", "script", "head", "title"]
            .iter()
            .find(|silent| !tag.starts_with('/') && name.eq_ignore_ascii_case(silent));
        let length = if tag.starts_with("!--") {
            rest.find("-->").map_or(rest.len(), |end| end + 3)
        } else if let Some(silent) = silent {
            let close = format!("</{silent}");
            rest.match_indices("</")
                .find(|(end, _)| starts_ignoring_case(&rest[*end..], &close))
                .map_or(rest.len(), |(end, _)| end)
        } else {
            rest.find('>').map_or(rest.len(), |end| end + 1)
        };
        at += length;
        if BREAKS.iter().any(|wanted| name.eq_ignore_ascii_case(wanted)) {
            let text = clean(&unescaped(&std::mem::take(&mut line)), 1_000);
            if !text.is_empty() {
                lines.push(Line { text, end: at });
            }
        } else if name.eq_ignore_ascii_case("td") || name.eq_ignore_ascii_case("th") {
            line.push(' ');
        }
    }
    lines
}

/// The mailboxes in a text as mail programs show them: `Bo Ek <bo@example.org>`, `Ek, Bo [mailto:bo@example.org]; …`.
fn mailboxes(text: &str) -> Vec<Mailbox> {
    let outside = |c: char| c.is_whitespace() || "<>[]()\",;:".contains(c);
    let (mut found, mut from): (Vec<Mailbox>, usize) = (Vec::new(), 0);
    for (sign, _) in text.match_indices('@') {
        let begin =
            text[..sign].rfind(outside).map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8));
        let end = text[sign..].find(outside).map_or(text.len(), |at| sign + at);
        let Ok(email) = EmailAddress::parse(text[begin..end].trim_matches('\'')) else { continue };
        let before = text.get(from..begin).unwrap_or_default();
        let before =
            before.trim_end_matches("mailto:").trim_matches(|c: char| c.is_whitespace() || "<>[](),;:".contains(c));
        from = end;
        if !found.iter().any(|known| known.email.key() == email.key()) {
            found.push(Mailbox { name: display_name(before), email });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(from: &str, kind: &str, body: &str) -> Message {
        let head = format!(
            "From: {from}\nTo: shop+1@in.invited.example\nSubject: Fwd: x\nDate: Tue, 05 May 2026 10:17:13 +0200"
        );
        Message::parse(format!("{head}\nContent-Type: {kind}; charset=utf-8\n\n{body}\n").as_bytes()).unwrap()
    }

    /// What the copy inside says: author, addressees, subject, and both bodies on one line.
    fn copy(from: &str, kind: &str, body: &str, shop: &[&str]) -> Result<String, &'static str> {
        let shop = shop.iter().map(|domain| (*domain).to_owned()).collect::<Vec<_>>();
        let own = ["invited.example".to_owned()];
        match inside(&mail(from, kind, body), &Ours { shop_domains: &shop, own_domains: &own }) {
            Forwarded::Nothing => Err("nothing"),
            Forwarded::ByStranger => Err("stranger"),
            Forwarded::Copy(copy) => {
                let copy = Message::parse(&copy).unwrap();
                let shown = |one: &Mailbox| format!("{} <{}>", one.name.as_deref().unwrap_or("-"), one.email);
                let to = copy.to.iter().map(shown).collect::<Vec<_>>().join(", ");
                let page =
                    html_lines(&(copy.html + "<br>")).into_iter().map(|line| line.text).collect::<Vec<_>>().join(" ");
                let body = clean(&format!("{} {page}", copy.text), 500);
                Ok(format!("{} | {to} | {} | {body}", shown(&copy.from), copy.subject))
            }
        }
    }

    const INSIDE: &str = "Lamp Shop <orders@shop.example> | Bo Ek <bo@example.org> | Order #7 | Thanks!";

    #[test]
    fn mails_are_found_under_what_programs_write_in_every_language() {
        let header = |from: &str, date: &str, to: &str, subject: &str| {
            format!(
                "{from}: Lamp Shop <orders@shop.example>\n{date}: 5 May 2026 10:00\n{to}: Bo Ek <bo@example.org>\n{subject}: Order #7\n"
            )
        };
        for (banner, header) in [
            ("---------- Forwarded message ---------", header("From", "Date", "To", "Subject")),
            ("-----Original Message-----", header("From", "Sent", "To", "Subject")),
            ("Begin forwarded message:\n", header("From", "Date", "To", "Subject")),
            ("", header("Von", "Gesendet", "An", "Betreff")),
            ("---------- Message transf\u{e9}r\u{e9} ---------", header("De", "Envoy\u{e9}", "\u{c0}", "Objet")),
            ("", header("De", "Enviado el", "Para", "Asunto")),
            ("", header("Da", "Inviato", "A", "Oggetto")),
            ("", header("Van", "Verzonden", "Aan", "Onderwerp")),
            ("", header("Fr\u{e5}n", "Skickat", "Till", "\u{c4}mne")),
            ("", header("Fra", "Sendt", "Til", "Emne")),
            ("", header("L\u{e4}hett\u{e4}j\u{e4}", "L\u{e4}hetetty", "Vastaanottaja", "Aihe")),
            ("", header("Od", "Wys\u{142}ano", "Do", "Temat")),
            ("", header("De", "Enviada em", "Para", "Assunto")),
            ("", header("Od", "Odesl\u{e1}no", "Komu", "P\u{159}edm\u{11b}t")),
            (
                "",
                header(
                    "\u{5dee}\u{51fa}\u{4eba}",
                    "\u{9001}\u{4fe1}\u{65e5}\u{6642}",
                    "\u{5b9b}\u{5148}",
                    "\u{4ef6}\u{540d}",
                )
                .replace(": ", "\u{ff1a}"),
            ),
            ("", header("*From", "*Date", "*To", "*Subject").replace(": ", ":* ")),
        ] {
            let body = format!("For you.\n\n{banner}\n{header}\nThanks!");
            assert_eq!(
                copy("clerk@shop.example", "text/plain", &body, &["shop.example"]).as_deref(),
                Ok(INSIDE),
                "{body}"
            );
            let quoted = body.lines().map(|line| format!("> {line}")).collect::<Vec<_>>().join("\n");
            assert_eq!(
                copy("clerk@shop.example", "text/plain", &quoted, &["shop.example"]).as_deref(),
                Ok(INSIDE),
                "{quoted}"
            );
            let html = body.replace('<', "&lt;").replace('>', "&gt;").replace('\n', "<br>\n");
            let html =
                format!("<html><head><style>x: y</style></head><body><!-- From: x --><div>{html}</div></body></html>");
            assert_eq!(
                copy("clerk@shop.example", "text/html", &html, &["shop.example"]).as_deref(),
                Ok(INSIDE),
                "{html}"
            );
        }
    }

    #[test]
    fn the_forms_of_different_programs_are_read() {
        let thunderbird = "<table><tr><th>Subject: </th><td>Order #7</td></tr><tr><th>Date: </th><td>5 May</td></tr>\
            <tr><th>From: </th><td>Lamp Shop &lt;orders@shop.example&gt;</td></tr>\
            <tr><th>To: </th><td>Bo Ek <a href='mailto:bo@example.org'>&lt;bo@example.org&gt;</a></td></tr></table><p>Thanks!</p>";
        assert_eq!(copy("clerk@shop.example", "text/html", thunderbird, &["shop.example"]).as_deref(), Ok(INSIDE));
        for (from, to) in [
            ("Lamp Shop [mailto:orders@shop.example]", "Bo Ek [mailto:bo@example.org]"),
            (
                "Lamp Shop <orders@shop.example<mailto:orders@shop.example>>",
                "Bo Ek <bo@example.org<mailto:bo@example.org>>",
            ),
            ("\"Lamp Shop\" <orders@shop.example>", "'Bo Ek' <bo@example.org>"),
            ("Lamp Shop <orders@shop.example>", "Bo Ek\n <bo@example.org>"),
        ] {
            let body = format!(
                "From: {from}\nTo: {to}\nReply-To: x@shop.example\nCc: y@shop.example\nSubject: Order #7\n\nThanks!"
            );
            assert_eq!(
                copy("clerk@shop.example", "text/plain", &body, &["shop.example"]).as_deref(),
                Ok(INSIDE),
                "{body}"
            );
        }
        let two =
            "From: orders@shop.example\nTo: Ek, Bo <bo@example.org>; al@example.net\nSubject: Order #7\n\nThanks!";
        assert_eq!(
            copy("clerk@shop.example", "text/plain", two, &[]).as_deref(),
            Ok("- <orders@shop.example> | Ek, Bo <bo@example.org>, - <al@example.net> | Order #7 | Thanks!")
        );
    }

    #[test]
    fn only_the_shop_forwards_copies() {
        let body = "---------- Forwarded message ---------\nFrom: Lamp Shop <orders@shop.example>\nTo: Bo Ek <bo@example.org>\nSubject: Order #7\n\nThanks!";
        let shared = body.replace("shop.example", "gmail.com");
        for (from, body, shop, expected) in [
            ("clerk@shop.example", body, &["shop.example"][..], Ok(())),
            ("clerk@mail.shop.example", body, &["shop.example"], Ok(())),
            ("clerk@shop.example", body, &[], Ok(())),
            ("clerk@mail.shop.example", body, &[], Ok(())),
            ("bo@example.org", body, &["shop.example"], Err("stranger")),
            ("bo@example.org", body, &[], Err("stranger")),
            ("clerk@shop.example", body, &["other.example"], Err("stranger")),
            ("bo@gmail.com", &shared, &[], Err("stranger")),
            ("orders@gmail.com", &shared, &[], Ok(())),
            ("clerk@shop.example", "From: all of us\nTo: you\nSubject: thanks", &["shop.example"], Err("nothing")),
            (
                "clerk@shop.example",
                "From: orders@shop.example\nSubject: Order #7\n\nTo: bo@example.org",
                &["shop.example"],
                Err("nothing"),
            ),
            ("clerk@shop.example", "Thanks!", &["shop.example"], Err("nothing")),
        ] {
            assert_eq!(copy(from, "text/plain", body, shop).map(drop), expected, "{from} {shop:?} {body}");
        }
    }

    #[test]
    fn a_forwarded_body_cannot_begin_a_part_of_its_own() {
        let body = "From: orders@shop.example\nTo: bo@example.org\nSubject: Order #7\n\nThanks!\n--forwarded\nContent-Type: text/html\n\n<b>x</b>";
        let found = copy("clerk@shop.example", "text/plain", body, &[]).unwrap();
        assert!(found.ends_with("| Thanks! --forwarded Content-Type: text/html <b>x</b>"), "{found}");
    }

    #[test]
    fn no_label_stands_for_two_fields() {
        for (at, (kind, label)) in LABELS.iter().enumerate() {
            let other = LABELS[..at].iter().find(|(known, one)| known != kind && one.same_words(label));
            assert!(other.is_none(), "{} is two fields", label.text);
        }
        assert!(LABELS.len() > 100);
    }
}
