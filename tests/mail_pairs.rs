//! Every mail in `tests/fixtures/mail/<template>/` is read and compared with the `.json` beside it, and every kind of mail that a
//! template knows has one. The mails are written for this project in each platform's shape; names and addresses are invented.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use invited::domain::{Layer, Outcome, Reading};
use invited::read::{Context, Reader, Templates};
use serde::Deserialize;

/// Our own domain in these mails: what goes to it was sent to us openly.
const OWN_DOMAIN: &str = "in.invited.example";

/// What a mail must be read as. A key that is left out is not compared; `null` says that nothing may be found.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    outcome: String,
    #[serde(default, deserialize_with = "given")]
    event: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    email: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    reference: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    order_date: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    locale: Option<Option<String>>,
    products: Option<Vec<ExpectedProduct>>,
    reason_contains: Option<String>,
    /// Findings that there must be, as `field=value`; the beginning of one is enough.
    #[serde(default)]
    findings: Vec<String>,
    shop_domain: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedProduct {
    name: String,
    sku: Option<String>,
    url: Option<String>,
    price: Option<String>,
    quantity: Option<u32>,
}

/// Tells a key with `null` from a key that is left out.
fn given<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(value).map(Some)
}

#[test]
fn every_fixture_is_read_as_it_says_and_every_kind_of_mail_has_one() {
    let templates = Templates::embedded();
    let kinds =
        templates.mails().map(|(template, mail)| (template.to_owned(), mail.to_owned())).collect::<BTreeSet<_>>();
    assert!(!kinds.is_empty(), "no template was loaded");
    let reader = Reader::new(templates);
    let mut seen = BTreeSet::new();
    let mut faults = Vec::new();
    for file in mails(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/mail"))) {
        let place = file.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string();
        let Ok(text) = fs::read_to_string(file.with_extension("json")) else {
            faults.push(format!("{place} has no .json beside it"));
            continue;
        };
        let expected: Expected = match serde_json::from_str(&text) {
            Ok(expected) => expected,
            Err(error) => {
                faults.push(format!("{place}: its .json: {error}"));
                continue;
            }
        };
        let shop = expected.shop_domain.clone().into_iter().collect::<Vec<_>>();
        let own = [OWN_DOMAIN.to_owned()];
        let context = Context { shop_domains: &shop, own_domains: &own, locale: None };
        let reading = reader.read(&fs::read(&file).unwrap(), &context);
        faults.extend(differences(&reading, &expected).into_iter().map(|fault| format!("{place}: {fault}")));
        let rules = reading.findings.iter().filter(|finding| finding.layer == Layer::Template);
        let kind = rules.filter_map(|finding| finding.rule.strip_prefix("mail.")).find(|kind| *kind != "phrase");
        seen.extend(reading.template.clone().zip(kind.map(str::to_owned)));
    }
    for (template, mail) in kinds.difference(&seen) {
        faults.push(format!("no fixture is read as the mail {mail:?} of the template {template:?}"));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Cuts, copies and flips bytes of the fixtures, the same ones in every run. (In 30,000 mutations of real mails mail-parser 0.11.9
/// panicked three times; such a mail is held.)
#[test]
fn no_mutation_of_a_fixture_makes_the_reader_fail() {
    let reader = Reader::new(Templates::embedded());
    let mails = mails(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/mail")));
    let mails = mails.iter().map(|file| fs::read(file).unwrap()).collect::<Vec<_>>();
    let mut state = 0x9E37_79B9_u32;
    let mut below = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as usize % bound.max(1)
    };
    const PIECES: [&[u8]; 10] = [b"<", b">", b"</td>", b"\xff", b"=?", b"?=", b"\"", b"<table>", b"<!--", b"\r\n\r\n"];
    for round in 0..1_000 {
        let mut mail = mails[below(mails.len())].clone();
        for _ in 0..=below(20) {
            // One fixture is an empty mail, and a change can leave one.
            if mail.is_empty() {
                break;
            }
            let at = below(mail.len());
            let end = (at + below(200)).min(mail.len());
            match below(4) {
                0 => mail[at] = below(256) as u8,
                1 => drop(mail.drain(at..end)),
                2 => mail.extend_from_within(at..end),
                _ => drop(mail.splice(at..at, PIECES[below(PIECES.len())].iter().copied())),
            }
        }
        let reading = reader.read(&mail, &Context::default());
        let reason = reading.reason.as_deref().unwrap_or_default();
        assert!(!reason.contains("the reader failed"), "round {round}");
        assert_eq!(reading.outcome == Outcome::Event, reading.order_event().is_some(), "round {round}");
        assert!(reading.findings.iter().all(|finding| !finding.value.contains(char::is_control)), "round {round}");
    }
}

fn differences(reading: &Reading, expected: &Expected) -> Vec<String> {
    let mut faults = Vec::new();
    let mut compare = |what: &str, got: Option<&str>, wanted: Option<&str>| {
        if got != wanted {
            faults.push(format!("{what} is {got:?}, wanted {wanted:?}; reason: {:?}", reading.reason));
        }
    };
    compare("outcome", Some(reading.outcome.as_str()), Some(&expected.outcome));
    let fields = [
        ("event", reading.event.map(|kind| kind.as_str()), &expected.event),
        ("name", reading.customer_name.as_ref().map(|name| name.as_str()), &expected.name),
        ("email", reading.customer_email.as_ref().map(|email| email.as_str()), &expected.email),
        ("reference", reading.reference.as_ref().map(|reference| reference.as_str()), &expected.reference),
        ("order_date", reading.order_date.as_ref().map(|date| date.as_str()), &expected.order_date),
        ("locale", reading.locale.as_deref(), &expected.locale),
    ];
    for (what, got, wanted) in fields {
        if let Some(wanted) = wanted {
            compare(what, got, wanted.as_deref());
        }
    }
    if let Some(words) = &expected.reason_contains {
        let found = reading.reason.as_ref().is_some_and(|reason| reason.contains(words.as_str()));
        compare("reason", Some(words).filter(|_| found).map(String::as_str), Some(words));
    }
    let findings = reading.findings.iter().map(|finding| format!("{}={}", finding.field, finding.value));
    let findings = findings.collect::<Vec<_>>();
    for wanted in &expected.findings {
        let found = findings.iter().any(|finding| finding.starts_with(wanted.as_str()));
        compare("finding", Some(wanted).filter(|_| found).map(String::as_str), Some(wanted));
    }
    if let Some(products) = &expected.products {
        compare("number of products", Some(&reading.products.len().to_string()), Some(&products.len().to_string()));
        for (got, wanted) in reading.products.iter().zip(products) {
            compare("product", Some(&got.name), Some(&wanted.name));
            for (what, got, wanted) in
                [("sku", &got.sku, &wanted.sku), ("url", &got.url, &wanted.url), ("price", &got.price, &wanted.price)]
            {
                if wanted.is_some() {
                    compare(what, got.as_deref(), wanted.as_deref());
                }
            }
            if wanted.quantity.is_some() && got.quantity != wanted.quantity {
                compare("quantity", Some(&format!("{:?}", got.quantity)), Some(&format!("{:?}", wanted.quantity)));
            }
        }
    }
    faults
}

/// The mails below a folder, in the order of their names; other files than `.eml` and `.json` have no business there.
fn mails(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder of the fixtures").flatten() {
            let path = entry.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                _ if path.is_dir() => folders.push(path),
                Some("eml") => found.push(path),
                Some("json") => assert!(path.with_extension("eml").exists(), "{} has no mail", path.display()),
                _ => panic!("{} is neither a mail nor its .json", path.display()),
            }
        }
    }
    found.sort();
    found
}
