//! The reader over the corpus of real mails that lies beside the repository; skipped, with a line on stderr, when it does not.
//! `INVITED_REQUIRE_CORPUS` makes its absence a failure.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use invited::domain::{EventKind, OrderDate, Outcome, Product, Reading};
use invited::read::{Context, Reader, Templates};
use serde_json::Value;

/// Platforms whose templates are complete: name, address, reference and event must be right in every mail.
const COMPLETE: &[&str] = &["woocommerce", "magento2", "prestashop", "shopify", "opencart", "sylius"];

/// The fields in the order of the printed table; the first four are asserted.
const FIELDS: [&str; 7] = ["event", "name", "email", "reference", "date", "products", "locale"];

/// One mail with what is known about it.
struct Sample {
    place: String,
    known: Value,
    mail: Vec<u8>,
}

fn root() -> Option<PathBuf> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus"));
    if root.is_dir() {
        return Some(root.to_owned());
    }
    assert!(std::env::var_os("INVITED_REQUIRE_CORPUS").is_none(), "{} is missing", root.display());
    writeln!(std::io::stderr(), "NOT RUN: the corpus of order mails is not at {}", root.display()).expect("stderr");
    None
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries =
        fs::read_dir(folder).expect("a folder of the corpus").flatten().map(|entry| entry.path()).collect::<Vec<_>>();
    entries.sort();
    entries
}

fn samples(folder: &Path) -> Vec<Sample> {
    let mails = entries(folder).into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "eml"));
    mails
        .map(|file| Sample {
            place: format!("{}/{}", name(folder), name(&file)),
            known: serde_json::from_slice(&fs::read(file.with_extension("json")).expect("a .json beside the mail"))
                .expect("JSON"),
            mail: fs::read(&file).expect("a mail"),
        })
        .collect()
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn read(reader: &Reader, mail: &[u8]) -> Reading {
    reader.read(mail, &Context { shop_domains: &[], own_domains: &["invited.example".to_owned()], locale: None })
}

/// What the corpus says that a mail tells of; it notes where a refund is of a part.
fn kind(known: &Value) -> &str {
    match known["kind"].as_str().unwrap_or_default() {
        "refund" if known["note"].as_str().is_some_and(|note| note.contains("partial refund")) => "partial refund",
        kind => kind,
    }
}

/// The events that a kind of the corpus may be read as.
fn events(kind: &str) -> &'static [EventKind] {
    match kind {
        "order" => &[EventKind::Placed, EventKind::Paid],
        "shipment" => &[EventKind::Shipped, EventKind::Delivered],
        "cancel" => &[EventKind::Cancelled],
        "refund" => &[EventKind::Refunded],
        "partial refund" => &[EventKind::RefundedInPart],
        // Notes, invoices, delays, payments: nothing that would begin or end an invitation.
        _ => &[EventKind::Delayed, EventKind::Paid],
    }
}

/// How many of how many, and what was wrong.
#[derive(Default)]
struct Score {
    right: usize,
    of: usize,
    wrong: Vec<String>,
}

#[derive(Default)]
struct Scores(BTreeMap<&'static str, Score>);

impl Scores {
    fn count(
        &mut self,
        field: &'static str,
        place: &str,
        got: &impl std::fmt::Debug,
        wanted: &impl std::fmt::Debug,
        right: bool,
    ) {
        let score = self.0.entry(field).or_default();
        score.of += 1;
        if right {
            score.right += 1;
        } else {
            score.wrong.push(format!("{place}: {field}: {got:?}, wanted {wanted:?}"));
        }
    }

    fn score(&mut self, sample: &Sample, reading: &Reading) {
        let (place, known) = (&sample.place, &sample.known);
        let kind = kind(known);
        let event = (reading.outcome == Outcome::Event).then_some(reading.event).flatten();
        let right = match kind {
            "other" => event.is_none_or(|event| events(kind).contains(&event)),
            _ => event.is_some_and(|event| events(kind).contains(&event)),
        };
        self.count("event", place, &(event, &reading.reason), &kind, right);
        if kind == "other" {
            return;
        }
        let fields = [
            ("name", reading.customer_name.as_ref().map(|name| name.as_str()), "customer_name"),
            ("email", reading.customer_email.as_ref().map(|email| email.as_str()), "customer_email"),
            ("reference", reading.reference.as_ref().map(|reference| reference.as_str()), "reference"),
        ];
        for (field, got, key) in fields {
            let wanted = known[key].as_str().map(plain);
            self.count(field, place, &got, &wanted, got.map(str::to_owned) == wanted);
        }
        if let Some(date) = known["order_date"].as_str() {
            let day = reading.order_date.as_ref().and_then(OrderDate::day).map(|day| day.to_string());
            self.count("date", place, &day, &date, day.as_deref() == date.get(..10));
        }
        if let Some(products) = known["products"].as_array().filter(|products| !products.is_empty()) {
            let same = reading.products.len() == products.len()
                && reading.products.iter().zip(products).all(|(got, wanted)| same_product(got, wanted));
            self.count("products", place, &reading.products, products, same);
        }
        if let Some(locale) = known["locale"].as_str() {
            let same = reading.locale.as_deref().and_then(|tag| tag.get(..2)) == locale.get(..2);
            self.count("locale", place, &reading.locale, &locale, same);
        }
    }
}

/// Blanks of all kinds as one blank.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Name and, where the corpus knows them, article number, quantity and price.
fn same_product(got: &Product, wanted: &Value) -> bool {
    let same = |got: Option<&str>, key: &str| {
        wanted[key].as_str().is_none_or(|text| got.is_some_and(|got| plain(got) == plain(text)))
    };
    wanted["name"].as_str().is_some_and(|name| got.name.to_lowercase().starts_with(&name.to_lowercase()))
        && same(got.sku.as_deref(), "sku")
        && same(got.price.as_deref(), "price")
        && wanted["quantity"].as_u64().is_none_or(|number| got.quantity.map(u64::from) == Some(number))
}

/// What is wrong with an event whatever the platform: another person, another order, bad news taken for good.
fn harm(sample: &Sample, reading: &Reading) -> Option<String> {
    let event = reading.order_event()?;
    let known = |key: &str| sample.known[key].as_str().map(plain);
    let truth = (known("customer_email"), known("reference"));
    let read = (Some(event.customer.email.as_str().to_owned()), Some(event.reference.as_str().to_owned()));
    if truth != read {
        return Some(format!("{}: an event for {read:?}, wanted {truth:?}", sample.place));
    }
    let bad = |kind: EventKind| matches!(kind, EventKind::Cancelled | EventKind::Refunded);
    let kind = kind(&sample.known);
    let mistaken = events(kind).iter().any(|kind| bad(*kind)) != bad(event.kind);
    mistaken.then(|| format!("{}: {}, wanted {kind}", sample.place, event.kind))
}

#[test]
fn every_mail_of_the_corpus_is_read_right_or_not_at_all() {
    let Some(root) = root() else { return };
    let reader = Reader::new(Templates::embedded());
    let (mut faults, mut table) = (Vec::new(), String::new());
    let mut slowest = (Duration::ZERO, String::new());
    for folder in entries(&root.join("orders")) {
        let complete = COMPLETE.contains(&name(&folder).as_str());
        let mut scores = Scores::default();
        for sample in samples(&folder) {
            let begin = Instant::now();
            let reading = read(&reader, &sample.mail);
            slowest = slowest.max((begin.elapsed(), sample.place.clone()));
            scores.score(&sample, &reading);
            faults.extend(harm(&sample, &reading));
        }
        table.push_str(&format!("{:14}", name(&folder)));
        for field in FIELDS {
            let score = scores.0.remove(field).unwrap_or_default();
            table.push_str(&format!(" {field} {:>2}/{:<2}", score.right, score.of));
            if complete && FIELDS[..4].contains(&field) {
                faults.extend(score.wrong);
            } else if complete {
                score.wrong.iter().for_each(|wrong| eprintln!("{wrong}"));
            }
        }
        table.push('\n');
    }
    eprintln!("{table}slowest: {} ms for {}", slowest.0.as_millis(), slowest.1);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_mail_that_is_no_order_mail_becomes_an_event() {
    let Some(root) = root() else { return };
    let reader = Reader::new(Templates::embedded());
    let mut faults = Vec::new();
    let mut read_mails = 0;
    for sample in ["negative", "dsn"].iter().flat_map(|folder| samples(&root.join(folder))) {
        read_mails += 1;
        let reading = read(&reader, &sample.mail);
        if reading.outcome == Outcome::Event {
            faults.push(format!("{}: {:?} by {:?}", sample.place, reading.event, reading.template));
        }
        assert!(reading.reason.is_some(), "{} is set aside without a reason", sample.place);
    }
    assert!(faults.is_empty() && read_mails > 0, "{}", faults.join("\n"));
}
