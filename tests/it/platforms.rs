//! Every order mail of the platforms that have a template goes in by SMTP, and its letter comes out of the relay with the right
//! recipient, name and reference: the project's own mails always, the corpus of real ones where it is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use invited::domain::{DAY, State};
use invited::store::Subject;
use serde_json::Value;

use crate::kit::{House, corpus, fixtures, opened};
use crate::relay::Act;

const PLATFORMS: [&str; 6] = ["woocommerce", "magento2", "prestashop", "shopify", "opencart", "sylius"];

/// Whom the shop's rules leave out is told elsewhere; here one customer may have many orders, and an office's address.
/// Reminders come later than any test looks.
const ASKED_ALWAYS: [(&str, &str); 5] = [
    ("letters_per_person", "false"),
    ("apart", "false"),
    ("same_product", "false"),
    ("refuse", "[]"),
    ("reminder", "\"90 days\""),
];

/// What a mail tells, as its description says.
struct Told {
    file: PathBuf,
    tells: Tells,
    email: String,
    name: String,
    reference: String,
    /// The shop's own domain.
    shop_domain: String,
}

/// What a mail should lead to.
#[derive(PartialEq)]
enum Tells {
    /// A letter, unless the order is stopped.
    OfAnOrder,
    /// No more letters.
    OfItsEnd,
    /// Nothing that must lead to a letter, such as a payment that was received or a refund of a part; a letter is no fault.
    OfSomethingElse,
    /// Nothing at all: no letter.
    Nothing,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_projects_own_mails_become_letters() {
    for platform in PLATFORMS {
        let told = described(&fixtures().join(platform), |value| Told {
            file: PathBuf::new(),
            tells: match value["event"].as_str() {
                _ if value["outcome"] != "event" => Tells::Nothing,
                Some("cancelled" | "refunded") => Tells::OfItsEnd,
                _ => Tells::OfAnOrder,
            },
            email: text(&value["email"]),
            name: text(&value["name"]),
            reference: text(&value["reference"]),
            shop_domain: text(&value["shop_domain"]),
        });
        assert!(told.len() >= 3, "{platform} has mails of its own");
        letters_come_out(platform, &told).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_corpus_of_real_mails_becomes_letters() {
    let Some(corpus) = corpus("the_corpus_of_real_mails_becomes_letters") else { return };
    for platform in PLATFORMS {
        let told = described(&corpus.join("orders").join(platform), |value| Told {
            file: PathBuf::new(),
            tells: match value["kind"].as_str() {
                Some("order" | "shipment") => Tells::OfAnOrder,
                Some("refund") if text(&value["note"]).contains("partial") => Tells::OfSomethingElse,
                Some("cancel" | "refund") => Tells::OfItsEnd,
                _ => Tells::OfSomethingElse,
            },
            email: text(&value["customer_email"]),
            name: text(&value["customer_name"]),
            reference: text(&value["reference"]),
            shop_domain: String::new(),
        });
        assert!(told.len() >= 8, "{platform} has mails in the corpus");
        letters_come_out(platform, &told).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_order_asks_nobody() {
    let mut folders = vec![fixtures().join("negative")];
    if let Some(corpus) = corpus("what_is_no_order_asks_nobody (the corpus's part)") {
        folders.extend([corpus.join("negative"), corpus.join("dsn")]);
    }
    let files = folders.iter().flat_map(|folder| mails(folder)).collect::<Vec<_>>();
    let house =
        House::open(&[("domains", &domains(files.iter().map(|file| described_domain(file))))], |_| Act::Ok).await;
    for file in files {
        let copy = house.hand_in(&std::fs::read(&file).unwrap()).await;
        if let Some(id) = copy.invitation {
            let story = house.store().story(&Subject::Invitation(id)).await.unwrap();
            let state = story.invitations[0].progress.state;
            assert_eq!(state, State::Cancelled, "{} asks somebody", file.display());
        }
    }
    house.pass(DAY * 90);
    house.until_quiet().await;
    assert!(house.relay.taken().is_empty());
}

async fn letters_come_out(platform: &str, told: &[Told]) {
    let domains = domains(told.iter().map(|one| one.shop_domain.clone()));
    let extra = [&[("domains", domains.as_str())][..], &ASKED_ALWAYS].concat();
    let house = House::open(&extra, |_| Act::Ok).await;
    for one in told {
        house.hand_in(&std::fs::read(&one.file).unwrap()).await;
    }
    let stopped = told
        .iter()
        .filter(|one| one.tells == Tells::OfItsEnd)
        .map(|one| one.reference.as_str())
        .collect::<BTreeSet<_>>();
    // Several mails may tell of one order; the letter has the name from one that has it.
    let mut asking =
        told.iter().filter(|one| matches!(one.tells, Tells::OfAnOrder | Tells::OfSomethingElse)).collect::<Vec<_>>();
    asking.sort_by_key(|one| (one.tells == Tells::OfAnOrder, !one.name.is_empty()));
    let expected = asking
        .into_iter()
        .filter(|one| !stopped.contains(one.reference.as_str()))
        .map(|one| ((one.email.to_lowercase(), one.reference.clone()), one))
        .collect::<BTreeMap<_, _>>();
    // Past every delay, every expected delivery and every time that a mail asks for, and no letter past its end of life.
    for _ in 0..3 {
        house.pass(DAY * 25);
        house.until_quiet().await;
    }

    let mut came = BTreeSet::new();
    for letter in house.relay.taken() {
        let message = opened(&letter);
        let body = message.body_text(0).unwrap().into_owned();
        let to = letter.to.join(",").to_lowercase();
        let found = expected.iter().find(|((email, reference), _)| *email == to && body.contains(reference.as_str()));
        let Some((key, one)) = found else { panic!("{platform}: a letter to {to} that no mail asked for:\n{body}") };
        assert!(body.contains(&one.name), "{platform}: the letter to {to} does not greet {}:\n{body}", one.name);
        let shown = message.to().and_then(|to| to.first()).and_then(|to| to.name()).map(str::to_owned);
        assert_eq!(shown.unwrap_or_default(), one.name, "{platform}: the To header of the letter to {to}");
        assert!(came.insert(key.clone()), "{platform}: two letters to {to} about {}", one.reference);
    }
    let missing = expected
        .iter()
        .filter(|(key, one)| one.tells == Tells::OfAnOrder && !came.contains(key))
        .map(|(_, one)| one.file.display().to_string());
    assert_eq!(missing.collect::<Vec<_>>(), Vec::<String>::new(), "{platform}: mails without a letter");
    for invitation in house.invitations().await {
        let stopped = stopped.contains(invitation.reference.as_str());
        let state = if stopped { State::Cancelled } else { State::Sent };
        assert_eq!(invitation.progress.state, state, "{platform}: {}", invitation.reference);
    }
}

fn described(folder: &Path, tell: impl Fn(&Value) -> Told) -> Vec<Told> {
    mails(folder)
        .into_iter()
        .map(|file| {
            let value = serde_json::from_slice(&std::fs::read(file.with_extension("json")).unwrap()).unwrap();
            Told { file, ..tell(&value) }
        })
        .collect()
}

fn described_domain(file: &Path) -> String {
    let value: Value = serde_json::from_slice(&std::fs::read(file.with_extension("json")).unwrap()).unwrap();
    text(&value["shop_domain"])
}

/// A list of the shops' domains as the configuration takes it.
fn domains(told: impl Iterator<Item = String>) -> String {
    let all = told.chain(["shop.example.com".to_owned()]).filter(|domain| !domain.is_empty());
    let quoted = all.collect::<BTreeSet<_>>().into_iter().map(|domain| format!("{domain:?}"));
    format!("[{}]", quoted.collect::<Vec<_>>().join(", "))
}

fn mails(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files = entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "eml"));
    files.sort();
    files
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
