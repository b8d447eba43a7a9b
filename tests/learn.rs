//! Templates that are learnt from one mail of a shop, held against its other mails of the same kind: those of invented shops in
//! `tests/fixtures/learn`, and those of the corpus that lies beside the repository (skipped, with a line on stderr, when it does not;
//! `INVITED_REQUIRE_CORPUS` makes its absence a failure).
#![expect(clippy::unwrap_used, reason = "what a test does not expect is its failure")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use invited::document::Document;
use invited::domain::{EmailAddress, EventKind, Outcome, Reading};
use invited::read::{Asked, Context, Example, Learnt, Reader, Templates, learn};
use serde_json::Value;

/// Our own domain in test mails.
const OWN_DOMAIN: &str = "invited.example";

/// A mail with what is known about it.
struct Sample {
    place: String,
    known: Value,
    mail: Vec<u8>,
}

impl Sample {
    fn text(&self, key: &str) -> Option<&str> {
        self.known[key].as_str().or_else(|| self.known[if key == "customer_email" { "email" } else { "name" }].as_str().filter(|_| key.starts_with("customer")))
    }

    /// What it tells of, in the words of the corpus or of our own fixtures.
    fn event(&self) -> Option<EventKind> {
        match self.text("kind") {
            Some("order") => Some(EventKind::Placed),
            Some("shipment") => Some(EventKind::Shipped),
            _ => self.text("event").and_then(EventKind::parse),
        }
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut entries = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()).collect::<Vec<_>>();
    entries.sort();
    entries
}

fn samples(folder: &Path) -> Vec<Sample> {
    let mails = entries(folder).into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "eml"));
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    mails
        .map(|file| Sample {
            place: format!("{}/{}", name(folder), name(&file)),
            known: serde_json::from_slice(&fs::read(file.with_extension("json")).unwrap()).unwrap(),
            mail: fs::read(&file).unwrap(),
        })
        .collect()
}

fn corpus() -> Option<PathBuf> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus/orders"));
    if root.is_dir() {
        return Some(root.to_owned());
    }
    assert!(std::env::var_os("INVITED_REQUIRE_CORPUS").is_none(), "{} is missing", root.display());
    writeln!(std::io::stderr(), "NOT RUN: the corpus of order mails is not at {}", root.display()).unwrap();
    None
}

fn own() -> [String; 1] {
    [OWN_DOMAIN.to_owned()]
}

fn generic() -> Reader {
    Reader::new(Templates::embedded().generic_only())
}

fn learn_from(sample: &Sample, generic: &Reader, own: &[String]) -> Result<Learnt, Vec<String>> {
    let example = Example {
        mail: &sample.mail,
        reference: sample.text("reference").unwrap(),
        email: sample.text("customer_email"),
        name: sample.text("customer_name"),
    };
    let asked = Asked { shop: None, event: sample.event() };
    learn(&[example], &asked, generic, &Context { own_domains: own, ..Context::default() })
}

/// A reader with a learnt template and none of a platform.
fn reader(learnt: &Learnt) -> Reader {
    Reader::new(Templates::of_files(vec![Document::new("learnt.toml", learnt.text.as_str())]).unwrap_or_else(|problems| {
        panic!("{problems:?}\n{}", learnt.text);
    }))
}

/// The mail as if another author had written it: the mails of the corpus are of many shops, and one shop is what is learnt.
fn from_the_shop_of(mail: &[u8], shop: &[u8]) -> Vec<u8> {
    let fields = |mail: &[u8]| {
        let end = mail.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(mail.len());
        let text = String::from_utf8_lossy(&mail[..end]).into_owned();
        let mut fields: Vec<String> = Vec::new();
        for line in text.split("\r\n") {
            match fields.last_mut() {
                Some(last) if line.starts_with([' ', '\t']) => last.push_str(&format!("\r\n{line}")),
                _ => fields.push(line.to_owned()),
            }
        }
        (fields, end)
    };
    let is_from = |field: &&String| field.to_ascii_lowercase().starts_with("from:");
    let author = fields(shop).0.iter().find(is_from).unwrap().clone();
    let (mine, end) = fields(mail);
    let head = mine.iter().map(|field| if is_from(&field) { author.clone() } else { field.clone() });
    let mut out = head.collect::<Vec<_>>().join("\r\n").into_bytes();
    out.extend_from_slice(&mail[end..]);
    out
}

/// What is wrong with a reading; a value that is missing is not.
fn wrong(reading: &Reading, sample: &Sample) -> Vec<String> {
    let mut wrong = Vec::new();
    if reading.outcome != Outcome::Event {
        return wrong;
    }
    let reference = reading.reference.as_ref().map(|found| found.as_str());
    if reference.is_some() && reference != sample.text("reference") {
        wrong.push(format!("reference {reference:?}"));
    }
    let email = reading.customer_email.as_ref().map(EmailAddress::key);
    let known = sample.text("customer_email").map(|text| EmailAddress::parse(text).unwrap().key());
    if email.is_some() && email != known {
        wrong.push("email".to_owned());
    }
    if reading.event != sample.event() {
        wrong.push(format!("event {:?}", reading.event));
    }
    let name = reading.customer_name.as_ref().map(|found| found.as_str());
    if name.is_some() && sample.text("customer_name").is_some() && name != sample.text("customer_name") {
        wrong.push(format!("name {name:?}"));
    }
    wrong
}

#[test]
fn what_is_learnt_from_one_mail_of_the_corpus_reads_the_others_of_its_kind() {
    let Some(root) = corpus() else { return };
    let (generic, own) = (generic(), own());
    let context = Context { own_domains: &own, ..Context::default() };
    let mut groups: BTreeMap<(String, String, String), Vec<Sample>> = BTreeMap::new();
    for folder in entries(&root) {
        for sample in samples(&folder) {
            let (Some(_), Some(kind), Some(locale)) = (sample.event(), sample.text("kind"), sample.text("locale")) else { continue };
            if sample.text("reference").is_some() && sample.text("customer_email").is_some() {
                let platform = folder.file_name().unwrap().to_string_lossy().into_owned();
                let language = locale.get(..2).unwrap_or_default().to_owned();
                groups.entry((platform, kind.to_owned(), language)).or_default().push(sample);
            }
        }
    }
    let mut faults = Vec::new();
    let (mut all_learnt, mut all_from, mut all_right, mut all_of) = (0, 0, 0, 0);
    let mut out = std::io::stderr();
    let only = std::env::var("ONLY").unwrap_or_default();
    for (group, mails) in groups.iter().filter(|(group, mails)| mails.len() > 1 && group.0.contains(&only)) {
        let (mut learnt_from, mut right, mut of) = (0, 0, 0);
        for (index, sample) in mails.iter().enumerate() {
            let learnt = match learn_from(sample, &generic, &own) {
                Ok(learnt) if learnt.faults.is_empty() => learnt,
                Ok(learnt) => {
                    writeln!(out, "  {}: {}", sample.place, learnt.faults.join("; ")).unwrap();
                    if std::env::var_os("SHOW").is_some() { writeln!(out, "{}", learnt.text).unwrap(); }
                    continue;
                }
                Err(why) => {
                    writeln!(out, "  {}: {}", sample.place, why.join("; ")).unwrap();
                    continue;
                }
            };
            if std::env::var_os("SHOW").is_some() { writeln!(out, "=== {}\n{}", sample.place, learnt.text).unwrap(); }
            learnt_from += 1;
            let reader = reader(&learnt);
            for (_, other) in mails.iter().enumerate().filter(|(number, _)| *number != index) {
                of += 1;
                let reading = reader.read(&from_the_shop_of(&other.mail, &sample.mail), &context);
                if reading.template.as_deref() != Some(&learnt.name) {
                    writeln!(out, "  {} from {}: not taken", other.place, sample.place).unwrap();
                    continue;
                }
                let wrong = wrong(&reading, other);
                faults.extend(wrong.iter().map(|what| format!("{} learnt from {}: {what}", other.place, sample.place)));
                if reading.outcome == Outcome::Event && wrong.is_empty() {
                    right += 1;
                } else {
                    writeln!(out, "  {} from {}: {:?} {wrong:?}", other.place, sample.place, reading.reason).unwrap();
                }
            }
        }
        let (platform, kind, language) = group;
        writeln!(out, "{platform:14} {kind:9} {language}  learnt {learnt_from}/{}  read right {right}/{of}", mails.len()).unwrap();
        (all_learnt, all_from, all_right, all_of) = (all_learnt + learnt_from, all_from + mails.len(), all_right + right, all_of + of);
    }
    writeln!(out, "all: learnt {all_learnt}/{all_from}, read right {all_right}/{all_of}, wrong {}", faults.len()).unwrap();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
