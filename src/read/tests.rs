//! The reader over the corpus of real mails beside the repository, over hostile mails, and over its own templates.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::words::fold;
use super::*;
use crate::domain::{EventKind, Product};

/// Platforms whose templates are complete: name, address, reference and event must be right in every mail.
const COMPLETE: &[&str] = &["woocommerce", "magento2", "prestashop", "shopify", "opencart", "sylius"];

fn reader() -> Reader {
    Reader::new(Templates::with_overrides(Vec::new()).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }))
}

/// The mails of a folder of the corpus with what is known about them; empty with a line on stderr when there is no corpus.
fn corpus(folder: &str) -> Vec<(PathBuf, Value, Vec<u8>)> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus")).join(folder);
    if !root.is_dir() {
        assert!(std::env::var_os("INVITED_REQUIRE_CORPUS").is_none(), "{} is missing", root.display());
        eprintln!("skipped: there is no corpus at {}", root.display());
        return Vec::new();
    }
    let mut files = fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "eml"));
    files.sort();
    files
        .into_iter()
        .map(|file| {
            let known = serde_json::from_slice(&fs::read(file.with_extension("json")).unwrap()).unwrap();
            let mail = fs::read(&file).unwrap();
            (file, known, mail)
        })
        .collect()
}

fn read(reader: &Reader, mail: &[u8]) -> Reading {
    reader.read(mail, &Context { shop_domains: &[], own_domains: &["invited.example".to_owned()], locale: None })
}

/// How many of how many.
#[derive(Default)]
struct Score {
    right: usize,
    of: usize,
    wrong: Vec<String>,
}

impl Score {
    fn count(&mut self, right: bool, note: impl FnOnce() -> String) {
        self.of += 1;
        if right {
            self.right += 1;
        } else {
            self.wrong.push(note());
        }
    }
}

fn events(kind: &str) -> &'static [EventKind] {
    match kind {
        "order" => &[EventKind::Placed, EventKind::Paid],
        "shipment" => &[EventKind::Shipped, EventKind::Delivered],
        "cancel" => &[EventKind::Cancelled],
        "refund" => &[EventKind::Refunded],
        _ => &[],
    }
}

fn text(known: &Value, key: &str) -> Option<String> {
    known[key].as_str().map(|text| clean_blanks(text))
}

fn clean_blanks(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_mail_of_the_corpus_is_read_right_or_not_at_all() {
    let reader = reader();
    let mut table = String::new();
    let mut faults = Vec::new();
    let mut platforms = Vec::new();
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus/orders"));
    if corpus("orders").is_empty() && !root.is_dir() {
        return;
    }
    for entry in fs::read_dir(root).unwrap() {
        platforms.push(entry.unwrap().file_name().into_string().unwrap());
    }
    platforms.sort();
    for platform in platforms {
        let complete = COMPLETE.contains(&platform.as_str());
        let mut scores: BTreeMap<&str, Score> = BTreeMap::new();
        for (file, known, mail) in corpus(&format!("orders/{platform}")) {
            let reading = read(&reader, &mail);
            let kind = known["kind"].as_str().unwrap();
            let place = format!("{platform}/{}", file.file_stem().unwrap().to_str().unwrap());
            let name = reading.customer_name.as_ref().map(|name| name.as_str().to_owned());
            let email = reading.customer_email.as_ref().map(|email| email.as_str().to_owned());
            let reference = reading.reference.as_ref().map(|reference| reference.as_str().to_owned());
            let event = (reading.outcome == Outcome::Event).then_some(reading.event).flatten();
            let mut check = |field: &'static str, right: bool, got: String| {
                scores
                    .entry(field)
                    .or_default()
                    .count(right, || format!("{place}: {field}: {got} ({:?})", reading.reason));
            };
            if kind == "other" {
                let wrong = matches!(
                    event,
                    Some(
                        EventKind::Placed
                            | EventKind::Shipped
                            | EventKind::Delivered
                            | EventKind::Cancelled
                            | EventKind::Refunded
                    )
                );
                check("event", !wrong, format!("{event:?}"));
            } else {
                check(
                    "event",
                    event.is_some_and(|event| events(kind).contains(&event)),
                    format!("{event:?}, wanted {kind}"),
                );
                check(
                    "name",
                    name == text(&known, "customer_name"),
                    format!("{name:?}, wanted {:?}", known["customer_name"]),
                );
                check("email", email == text(&known, "customer_email"), format!("{email:?}"));
                check("reference", reference == text(&known, "reference"), format!("{reference:?}"));
                if let Some(date) = known["order_date"].as_str() {
                    let day =
                        reading.order_date.as_ref().and_then(crate::domain::OrderDate::day).map(|day| day.to_string());
                    check("date", day.as_deref() == date.get(..10), format!("{day:?}, wanted {date}"));
                }
                if let Some(products) = known["products"].as_array().filter(|products| !products.is_empty()) {
                    let right = reading.products.len() == products.len()
                        && reading.products.iter().zip(products).all(|(got, want)| same_product(got, want));
                    check("products", right, format!("{:?}\n      wanted {products:?}", reading.products));
                }
                if let Some(locale) = known["locale"].as_str() {
                    check(
                        "locale",
                        reading.locale.as_deref().map(|tag| &tag[..2]) == locale.get(..2),
                        format!("{:?}, wanted {locale}", reading.locale),
                    );
                }
            }
            // Whatever the platform: an event is about the right person and order, and of the right kind.
            if reading.outcome == Outcome::Event {
                let truth = (text(&known, "customer_email"), text(&known, "reference"));
                if truth != (email.clone(), reference.clone()) {
                    faults.push(format!("{place}: an event for {email:?} about {reference:?}, wanted {truth:?}"));
                }
                if !events(kind).contains(&reading.event.unwrap())
                    && !(kind == "other"
                        && matches!(reading.event, Some(EventKind::Delayed | EventKind::Paid | EventKind::Delivered)))
                {
                    faults.push(format!("{place}: {:?}, wanted {kind}", reading.event));
                }
            }
        }
        table.push_str(&format!("{platform:14}"));
        for field in ["event", "name", "email", "reference", "date", "products", "locale"] {
            let score = scores.remove(field).unwrap_or_default();
            table.push_str(&format!(" {field} {:>2}/{:<2}", score.right, score.of));
            if complete {
                let must = matches!(field, "event" | "name" | "email" | "reference");
                for wrong in score.wrong {
                    if must { faults.push(wrong) } else { eprintln!("{wrong}") }
                }
            }
        }
        table.push('\n');
    }
    eprintln!("{table}");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Name and, where the corpus knows them, article number, quantity and price.
fn same_product(got: &Product, want: &Value) -> bool {
    let same = |got: Option<&str>, key: &str| {
        want[key].as_str().is_none_or(|text| got.is_some_and(|got| clean_blanks(got) == clean_blanks(text)))
    };
    want["name"].as_str().is_some_and(|name| fold(&got.name).starts_with(&fold(name)))
        && same(got.sku.as_deref(), "sku")
        && same(got.price.as_deref(), "price")
        && want["quantity"].as_u64().is_none_or(|number| got.quantity.map(u64::from) == Some(number))
}

#[test]
fn no_mail_that_is_no_order_mail_becomes_an_event() {
    let reader = reader();
    let mut faults = Vec::new();
    for folder in ["negative", "dsn"] {
        for (file, _, mail) in corpus(folder) {
            let reading = read(&reader, &mail);
            if reading.outcome == Outcome::Event {
                faults.push(format!("{}: {:?} {:?}", file.display(), reading.event, reading.reference));
            }
            eprintln!(
                "{:50} {} {:?} {:?}",
                file.file_name().unwrap().to_string_lossy(),
                reading.outcome.as_str(),
                reading.template,
                reading.reason
            );
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
