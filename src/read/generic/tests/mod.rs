//! The generic reader by itself, over small mails in the languages that it must speak. Each table holds what one kind of place may
//! look like; a test names every row that is read otherwise, not only the first.

mod days;
mod invented;
mod layout;
mod links;
mod numbers;
mod people;
mod products;
mod tell;

use std::fmt::Debug;

use super::{Candidates, Layout, Told};
use crate::domain::{Field, Product, Reading};
use crate::read::body::Body;
use crate::read::customer::Ours;
use crate::read::evidence::{Evidence, Value};
use crate::read::message::Message;
use crate::read::tests::reader;
use crate::read::{Context, Reader};

/// Who the mails go to, without a display name.
const TO: &str = "kunde@example.org";

/// A mail of plain text. It was written on 20 August 2026.
fn text(subject: &str, body: &str) -> Vec<u8> {
    mail(TO, subject, "text/plain", body)
}

/// A mail of HTML.
fn html(subject: &str, body: &str) -> Vec<u8> {
    mail(TO, subject, "text/html", body)
}

fn mail(to: &str, subject: &str, kind: &str, body: &str) -> Vec<u8> {
    format!(
        "From: Kopp & Kanne <shop@kanne.example>\r\nTo: {to}\r\nSubject: {subject}\r\nDate: Thu, 20 Aug 2026 09:12:00 +0200\r\n\
         MIME-Version: 1.0\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{body}\r\n"
    )
    .into_bytes()
}

/// A table row of these cells.
fn row(cells: &[&str]) -> String {
    let cells = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect::<String>();
    format!("<tr>{cells}</tr>")
}

/// A table of such rows.
fn table(rows: &[&[&str]]) -> String {
    format!("<table>{}</table>", rows.iter().map(|cells| row(cells)).collect::<String>())
}

/// What the generic reader alone makes of a mail.
struct Made {
    told: Told,
    references: Candidates,
    language: Option<String>,
    evidence: Evidence,
}

impl Made {
    fn of(mail: &[u8]) -> Self {
        let (templates, ours) = (&reader().templates, Ours { shop_domains: &[], own_domains: &[] });
        let message = Message::parse(mail).expect("a mail");
        let body = Body::of(&message, &templates.named);
        let sight = templates.sight(&message, &body, &ours);
        let mut evidence = Evidence::default();
        let reading = templates.generic.read(&sight, &templates.lexicon, &mut evidence);
        Self { told: reading.told, references: reading.references, language: reading.language, evidence }
    }

    /// The reference, when the places that name one are of one mind.
    fn reference(&self) -> Option<String> {
        self.references.best().ok().map(|best| best.reference.as_str().to_owned())
    }

    /// Every reference that it would show to a person.
    fn candidates(&self) -> Vec<&str> {
        self.references.all().iter().map(|one| one.reference.as_str()).collect()
    }

    /// What it says happened, and where it was heard: `shipped event.subject`; a doubt is `?`.
    fn news(&self) -> String {
        match &self.told {
            Told::News(news) => format!("{} {}", news.event, news.heard.rule().trim_start_matches("event.")),
            Told::Contradiction(_) => "?".to_owned(),
            Told::UnknownStatus => "unknown".to_owned(),
            Told::Nothing => "-".to_owned(),
        }
    }

    fn of_field<T>(&self, field: Field, take: impl Fn(&Value) -> Option<T>) -> Option<T> {
        self.evidence.of(field).into_iter().find_map(|candidate| take(&candidate.value))
    }

    fn name(&self) -> Option<String> {
        self.of_field(Field::CustomerName, |value| match value {
            Value::Name(name) => Some(name.as_str().to_owned()),
            _ => None,
        })
    }

    fn products(&self) -> Vec<Product> {
        let products = self.of_field(Field::Products, |value| match value {
            Value::Products(products) => Some(products.clone()),
            _ => None,
        });
        products.unwrap_or_default()
    }

    fn order_date(&self) -> Option<String> {
        self.of_field(Field::OrderDate, |value| match value {
            Value::OrderDate(date) => Some(date.as_str().to_owned()),
            _ => None,
        })
    }
}

/// A whole reading in a few words: what is used, or that nothing is.
fn outcome(mail: &[u8]) -> String {
    shown(&read(reader(), mail))
}

fn read(reader: &Reader, mail: &[u8]) -> Reading {
    reader.read(mail, &Context::default())
}

fn shown(reading: &Reading) -> String {
    match reading.order_event() {
        Some(event) => format!("{} {}", event.kind, event.reference),
        None => reading.outcome.as_str().to_owned(),
    }
}

/// Products in a line each: count, name, number and price; `-` for what is not there.
fn listed(products: &[Product]) -> String {
    let line = |product: &Product| {
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let count = product.quantity.map_or("-".to_owned(), |count| count.to_string());
        format!("{count} | {} | {} | {}", product.name, text(&product.sku), text(&product.price))
    };
    products.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Holds every row against what is wanted of it, and names all that differ.
fn each<R: Debug, T: PartialEq + Debug>(rows: &[(R, T)], got: impl Fn(&R) -> T) {
    let differ = rows.iter().filter_map(|(row, wanted)| {
        let got = got(row);
        (got != *wanted).then(|| format!("{row:?}\n    got {got:?}, wanted {wanted:?}"))
    });
    let differ = differ.collect::<Vec<_>>();
    assert!(differ.is_empty(), "{} of {} rows:\n{}", differ.len(), rows.len(), differ.join("\n"));
}

/// The values that stand at the labels of a list.
fn values_of(mail: &[u8], list: &'static str) -> Vec<String> {
    let templates = &reader().templates;
    let message = Message::parse(mail).expect("a mail");
    let body = Body::of(&message, &templates.named);
    let layout = Layout::of(&body.texts[0], &templates.generic.index);
    layout.of_list(list).map(|one| one.value.to_owned()).collect()
}
