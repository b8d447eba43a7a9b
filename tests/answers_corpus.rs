//! Bounces, complaints and automatic answers of the corpus that lies beside the repository, and order mails, none of which is one of
//! them; skipped, with a line on stderr, when it does not lie there. `INVITED_REQUIRE_CORPUS` makes its absence a failure.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use invited::domain::{EmailAddress, Hardness};
use invited::read::{Answer, Recipient, Says, answer};
use serde_json::Value;

/// Of a hundred mails so many must be right, in each respect.
const PERCENT: usize = 97;

fn root() -> Option<PathBuf> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus"));
    if root.is_dir() {
        return Some(root.to_owned());
    }
    assert!(std::env::var_os("INVITED_REQUIRE_CORPUS").is_none(), "{} is missing", root.display());
    writeln!(std::io::stderr(), "NOT RUN: the corpus of answers is not at {}", root.display()).expect("stderr");
    None
}

/// The mails of a folder and of those in it, with their names.
fn mails(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(mails(&path));
        } else if path.extension().is_some_and(|extension| extension == "eml") {
            found.push((path.file_stem().expect("a name").to_string_lossy().into_owned(), path));
        }
    }
    found.sort();
    found
}

#[derive(Default)]
struct Figure {
    right: usize,
    wrong: Vec<String>,
}

impl Figure {
    fn note(&mut self, is_right: bool, what: impl FnOnce() -> String) {
        if is_right { self.right += 1 } else { self.wrong.push(what()) }
    }

    fn hold(&self, name: &str) {
        let of = self.right + self.wrong.len();
        let wrong = self.wrong.iter().map(|one| format!("\n    {one}")).collect::<String>();
        writeln!(std::io::stderr(), "{name}: {} of {of} right{wrong}", self.right).expect("stderr");
        assert!(self.right * 100 >= of * PERCENT, "{name}: less than {PERCENT} of 100 are right");
    }
}

fn recipients(answer: &Answer) -> &[Recipient] {
    match &answer.says {
        Says::Failed(recipients) | Says::Delayed(recipients) | Says::Delivered(recipients) => recipients,
        _ => &[],
    }
}

fn class(answer: &Answer) -> &'static str {
    match &answer.says {
        Says::Failed(_) | Says::Delayed(_) | Says::Delivered(_) => "dsn",
        Says::Complained { .. } => "arf",
        Says::Replied => "auto-reply",
        Says::Unsubscribed | Says::Written => "-",
    }
}

/// The expectations are of two origins that mean different things by `hard`: with one it is that the mail system gave up, with the
/// other that the address is dead. Their notes say which.
fn fate(answer: &Answer, expected: &Value, recipient: &str) -> &'static str {
    let gave_up = expected["note"].as_str().is_some_and(|note| note.contains("permanent verdict"));
    let meant = |one: &&Recipient| one.addresses.iter().any(|address| address.as_str().eq_ignore_ascii_case(recipient));
    let hardness = recipients(answer).iter().find(meant).map_or(Hardness::Unclear, |one| one.hardness);
    match (&answer.says, hardness) {
        (Says::Delivered(_), _) => "delivered",
        (Says::Delayed(_), _) => "soft",
        (Says::Failed(_), _) if gave_up => "hard",
        (_, Hardness::Hard) => "hard",
        (_, Hardness::Soft) => "soft",
        (_, Hardness::Unclear) => "unclear",
    }
}

fn lower(address: &EmailAddress) -> String {
    address.as_str().to_lowercase()
}

#[test]
fn answers_of_the_corpus_are_read_right() {
    let Some(root) = root() else { return };
    let (mut classes, mut whom, mut hardness) = (Figure::default(), Figure::default(), Figure::default());
    for (name, path) in mails(&root.join("dsn")) {
        let read = answer(&fs::read(&path).expect("a mail"));
        let text = fs::read_to_string(path.with_extension("json")).expect("expectations");
        let expected: Value = serde_json::from_str(&text).expect("JSON");
        let kind = expected["type"].as_str().expect("a type");
        classes.note(class(&read) == kind, || format!("{name}: {} instead of {kind}", class(&read)));
        if kind == "auto-reply" {
            assert_ne!(class(&read), "dsn", "{name}: an automatic answer was taken for a bounce");
        }
        let (Some(first), "dsn") = (expected["recipient"].as_str(), kind) else { continue };
        let wanted = expected["recipients"].as_array().expect("recipients").iter();
        let wanted = wanted.filter_map(|one| one["recipient"].as_str()).map(str::to_lowercase).collect::<BTreeSet<_>>();
        let got = recipients(&read);
        let all =
            wanted.iter().all(|one| got.iter().any(|got| got.addresses.iter().any(|address| lower(address) == *one)));
        let only = got.iter().all(|got| got.addresses.iter().any(|address| wanted.contains(&lower(address))));
        whom.note(all && only, || {
            let got = got.iter().map(|got| got.addresses.iter().map(lower).collect::<Vec<_>>().join("+"));
            format!("{name}: {:?} instead of {wanted:?}", got.collect::<Vec<_>>())
        });
        let found = fate(&read, &expected, first);
        hardness.note(Some(found) == expected["bounce"].as_str(), || {
            format!("{name}: {found}, not {}: {:?}", expected["bounce"], read.says)
        });
    }
    classes.hold("class");
    whom.hold("recipient");
    hardness.hold("hard or soft");
}

#[test]
fn no_order_mail_is_taken_for_an_answer() {
    let Some(root) = root() else { return };
    for (name, path) in mails(&root.join("orders")) {
        let read = answer(&fs::read(&path).expect("a mail"));
        assert!(!matches!(class(&read), "dsn" | "arf"), "{name}: {:?}", read.says);
    }
}
