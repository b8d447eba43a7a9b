//! Ways in for the fuzz targets (`fuzz/`), which see one part of the reader each: with only `Reader::read` in front, hardly any of
//! what a fuzzer makes up gets past the MIME parser. Each panics when what it promises does not hold. Not part of any build but
//! theirs.

use super::body::{Body, TEXT};
use super::evidence::{Evidence, PRODUCTS};
use super::html::{Named, harmless};
use super::lexicon::Lexicon;
use super::message::Message;
use super::template::Templates;
use super::{Context, Reader, Says, microdata, schema_org, snippet};
use crate::document::{Document, Problems};
use crate::domain::{Field, Finding, Layer, Outcome, is_invisible};

/// A header section for bodies that are made up.
const HEAD: &str =
    "From: Shop <a@shop.example>\r\nTo: Bo Ek <b@example.org>\r\nDate: Mon, 2 Mar 2026 09:00:00 +0000\r\n";

/// Any bytes as a mail: the MIME view holds no control characters and no more than the mail could be decoded to.
pub fn mime(mail: &[u8]) {
    let Ok(message) = Message::parse(mail) else { return };
    assert!(is_clean(&message.subject));
    for to in message.to.iter().chain(&message.reply_to).chain([&message.from]) {
        assert!(to.name.as_deref().is_none_or(is_clean));
    }
    // A byte of Latin-1 becomes two, one that is no UTF-8 three.
    assert!(message.html.len() + message.text.len() <= 4 * mail.len() + 1_000);
    assert!(message.attached.as_ref().is_none_or(|attached| attached.len() <= mail.len()));
}

/// Any bytes as an answer to a letter: what it says is bounded.
pub fn answer(mail: &[u8]) {
    let Some(read) = super::answer::unguarded(mail) else { return };
    if let Says::Failed(recipients) | Says::Delayed(recipients) | Says::Delivered(recipients) = &read.says {
        assert!(recipients.len() <= 1_000);
    }
    assert!(read.letter.message_ids.len() <= 50 && read.letter.to.len() <= 50);
}

/// Any text as a page, with rules that look at everything or at nothing: what is written again stays so when it is written once
/// more, and the lines and cells of its text are as they are said to be.
pub fn page(page: &str) {
    for named in [Named::default(), everything()] {
        let Some(once) = harmless(page, &named) else { continue };
        if let Some(twice) = harmless(&once, &named) {
            assert_eq!(twice.matches('<').count(), once.matches('<').count(), "{once:?} becomes {twice:?}");
        }
    }
    let Some(message) = message("text/html", page) else { return };
    let body = Body::of(&message, &everything());
    assert!(body.folded.len() <= 8 * TEXT);
    for text in &body.texts {
        assert!(text.whole.len() <= TEXT);
        assert!(text.lines.iter().all(|line| is_clean(line) && !line.is_empty()));
        assert!(text.cells.iter().all(|cell| text.lines.get(cell.lines.clone()).is_some()));
    }
}

/// Any text as the data of a page: every layer yields clean findings.
pub fn data(page: &str) {
    let mut evidence = Evidence::default();
    if let Some(message) = message("text/html", page) {
        snippet::read(&message, &mut evidence);
    }
    schema_org::read_json_ld(page, &mut evidence);
    if let Some(html) = harmless(page, &everything()) {
        microdata::read(&dom_query::Document::from(html), &mut evidence);
    }
    are_clean(&evidence.into_findings(&[]));
}

/// Any text as a file of words: it loads, or is refused with problems that have a place.
pub fn lexicon(words: &str) {
    let problems = Problems::default();
    let lexicon = Lexicon::read(&[Document::new("fuzz.toml", words)], &problems);
    if problems.is_empty() {
        drop(super::generic::Generic::of(&lexicon));
    } else {
        assert!(!problems.into_sorted().is_empty());
    }
}

/// Any template, and any mail to be read with it alone; `None` when there is no such template.
pub fn rules(template: &str, mail: &[u8]) -> Option<()> {
    let templates = Templates::alone(Document::new("fuzz.toml", template)).ok()?;
    let reading = Reader::new(templates).read(mail, &Context::default());
    assert!(!reading.reason.as_deref().is_some_and(|reason| reason.contains("the reader failed")));
    are_clean(&reading.findings);
    Some(())
}

/// Any subject and body of a shop that nobody knows. A reference is never made up: it stands in the mail.
pub fn generic(reader: &Reader, subject: &str, html: bool, body: &str) {
    let kind = if html { "text/html" } else { "text/plain" };
    let subject = subject.replace(|c: char| c.is_control(), " ");
    let mail = format!("{HEAD}Subject: {subject}\r\nContent-Type: {kind}; charset=utf-8\r\n\r\n{body}");
    let reading = reader.read(mail.as_bytes(), &Context::default());
    assert!(!reading.reason.as_deref().is_some_and(|reason| reason.contains("the reader failed")));
    assert!(reading.products.len() <= PRODUCTS);
    are_clean(&reading.findings);
    let Ok(message) = Message::parse(mail.as_bytes()) else { return };
    let body = Body::of(&message, &reader.templates.named);
    // What data say need not be shown.
    let data = |one: &Finding| one.field == Field::Reference && one.layer < Layer::Template;
    let taken = reading.reference.filter(|_| reading.outcome == Outcome::Event && !reading.findings.iter().any(data));
    let Some(reference) = taken else { return };
    let stands = |text: &str| text.contains(reference.as_str());
    let lines = body.texts.iter().flat_map(|text| &text.lines);
    assert!(stands(&message.subject) || lines.into_iter().any(|line| stands(line)), "{reference} is made up");
}

fn are_clean(findings: &[Finding]) {
    for finding in findings {
        assert!(is_clean(&finding.value), "{}", finding.rule);
    }
}

fn is_clean(text: &str) -> bool {
    !text.contains(is_invisible)
}

/// Rules that look at everything in a page.
fn everything() -> Named {
    let mut named = Named::default();
    named.note("p:contains('x')");
    named
}

fn message(kind: &str, body: &str) -> Option<Message> {
    let mail = format!("{HEAD}Subject: Order 7\r\nContent-Type: {kind}; charset=utf-8\r\n\r\n{body}");
    Message::parse(mail.as_bytes()).ok()
}
