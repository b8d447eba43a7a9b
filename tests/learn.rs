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
use invited::read::{Asked, Context, Example, Learnt, Reader, Templates, learn, lint};
use serde_json::Value;

/// Our own domain in test mails.
const OWN_DOMAIN: &str = "invited.example";

/// Mails of the corpus from which a template can be learnt, and mails that are read right with one.
const LEARNT: usize = 51;
const RIGHT: usize = 99;

/// A mail with what is known about it.
struct Sample {
    place: String,
    known: Value,
    mail: Vec<u8>,
}

impl Sample {
    fn text(&self, key: &str) -> Option<&str> {
        self.known[key].as_str().or_else(|| {
            self.known[if key == "customer_email" { "email" } else { "name" }]
                .as_str()
                .filter(|_| key.starts_with("customer"))
        })
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
    writeln!(std::io::stderr(), "NOT RUN: the corpus of order mails is not at {}", root.display()).expect("stderr");
    None
}

fn own() -> [String; 1] {
    [OWN_DOMAIN.to_owned()]
}

fn generic() -> Reader {
    Reader::new(Templates::of_files(Vec::new()).unwrap_or_else(|problems| panic!("{problems:?}")))
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

/// A reader with a learnt template and none of a platform. The template has nothing that a lint doubts.
fn reader(learnt: &Learnt) -> Reader {
    let document = Document::new("learnt.toml", learnt.text.as_str());
    let doubts = lint(&document);
    assert!(doubts.is_empty(), "{doubts:?}\n{}", learnt.text);
    Reader::new(Templates::of_files(vec![document]).unwrap_or_else(|problems| panic!("{problems:?}\n{}", learnt.text)))
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
    let named = |field: &str, name: &str| field.to_ascii_lowercase().starts_with(name);
    let author = fields(shop).0.into_iter().find(|field| named(field, "from:")).unwrap();
    let (mine, end) = fields(mail);
    // The shop may have sent it on itself.
    let head = mine.iter().map(|field| match field.as_str() {
        field if named(field, "from:") => author.clone(),
        field if named(field, "resent-from:") => format!("Resent-{author}"),
        field => field.to_owned(),
    });
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
    // Without a title it is the same person's.
    if let (Some(name), Some(known)) = (name, sample.text("customer_name"))
        && !known.ends_with(name)
    {
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
            let (Some(_), Some(kind), Some(locale)) = (sample.event(), sample.text("kind"), sample.text("locale"))
            else {
                continue;
            };
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
    for (group, mails) in groups.iter().filter(|(_, mails)| mails.len() > 1) {
        let (mut learnt_from, mut right, mut of) = (0, 0, 0);
        for (index, sample) in mails.iter().enumerate() {
            let learnt = match learn_from(sample, &generic, &own) {
                Ok(learnt) if learnt.faults.is_empty() => learnt,
                Ok(learnt) => {
                    writeln!(out, "  {}: {}", sample.place, learnt.faults.join("; ")).unwrap();
                    continue;
                }
                Err(why) => {
                    writeln!(out, "  {}: {}", sample.place, why.join("; ")).unwrap();
                    continue;
                }
            };
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
        writeln!(
            out,
            "{platform:14} {kind:9} {language}  learnt {learnt_from}/{}  read right {right}/{of}",
            mails.len()
        )
        .unwrap();
        (all_learnt, all_from, all_right, all_of) =
            (all_learnt + learnt_from, all_from + mails.len(), all_right + right, all_of + of);
    }
    writeln!(out, "all: learnt {all_learnt}/{all_from}, read right {all_right}/{all_of}, wrong {}", faults.len())
        .unwrap();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // What was reached: fewer is a step back. What is not taken has another subject, or no page where the sample has one.
    assert!(
        all_learnt >= LEARNT && all_right >= RIGHT,
        "learnt {all_learnt}, wanted {LEARNT}; right {all_right}, wanted {RIGHT}"
    );
}

/// The mails of one invented shop.
fn shop(layout: &str) -> Vec<Sample> {
    samples(&Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/learn")).join(layout))
}

const LAYOUTS: [&str; 4] = ["table-labels", "running-text", "subject-only", "header-row"];

fn example(sample: &Sample) -> Example<'_> {
    Example {
        mail: &sample.mail,
        reference: sample.text("reference").unwrap(),
        email: sample.text("email"),
        name: sample.text("name"),
    }
}

/// Learns from some mails of a shop, without being told what they are about.
fn learn_all(samples: &[&Sample], shop_domains: &[String]) -> Learnt {
    let examples = samples.iter().map(|sample| example(sample)).collect::<Vec<_>>();
    let context = Context { shop_domains, ..Context::default() };
    let learnt = learn(&examples, &Asked::default(), &generic(), &context)
        .unwrap_or_else(|why| panic!("{}: {why:?}", samples[0].place));
    assert_eq!(learnt.faults, [""; 0], "{}\n{}", samples[0].place, learnt.text);
    learnt
}

/// Everything that is known of a mail, in one form.
fn facts(reading: &Reading) -> Value {
    serde_json::json!({
        "event": reading.event.map(|event| event.as_str()),
        "reference": reading.reference,
        "email": reading.customer_email,
        "name": reading.customer_name,
        "order_date": reading.order_date,
        "products": reading.products.iter().map(|one| serde_json::json!({ "name": one.name, "quantity": one.quantity })).collect::<Vec<_>>(),
    })
}

#[test]
fn what_is_learnt_from_any_mail_of_a_shop_reads_all_of_them() {
    for layout in LAYOUTS {
        let mails = shop(layout);
        let domains = mails[0].text("shop_domain").map(str::to_owned).into_iter().collect::<Vec<_>>();
        let context = Context { shop_domains: &domains, ..Context::default() };
        let all = mails.iter().collect::<Vec<_>>();
        for from in [&all[..1], &all[1..], &all] {
            let learnt = learn_all(from, &domains);
            let reader = reader(&learnt);
            for mail in &mails {
                let reading = reader.read(&mail.mail, &context);
                assert_eq!(reading.template.as_ref(), Some(&learnt.name), "{}\n{}", mail.place, learnt.text);
                let mut known = mail.known.clone();
                known.as_object_mut().unwrap().remove("shop_domain");
                assert_eq!(facts(&reading), known, "{}\n{}\n{:?}", mail.place, learnt.text, reading.reason);
            }
        }
    }
}

#[test]
fn nothing_of_a_samples_customer_is_written() {
    for layout in LAYOUTS {
        let mails = shop(layout);
        let domains = mails[0].text("shop_domain").map(str::to_owned).into_iter().collect::<Vec<_>>();
        let learnt = learn_all(&mails.iter().collect::<Vec<_>>(), &domains);
        let written = learnt.text.to_lowercase();
        for mail in &mails {
            let (name, email) = (mail.text("name").unwrap(), mail.text("email").unwrap());
            let products = mail.known["products"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap());
            let secrets = name
                .split(' ')
                .chain(email.split('@').take(1))
                .chain([email, mail.text("reference").unwrap()])
                .chain(products);
            for secret in secrets {
                assert!(!written.contains(&secret.to_lowercase()), "{secret} is in\n{}", learnt.text);
            }
        }
    }
}

#[test]
fn other_mails_of_the_shop_are_read_as_if_the_template_were_not_there() {
    let mails = shop("table-labels");
    let reader = reader(&learn_all(&[&mails[0]], &[]));
    let text = String::from_utf8(mails[1].mail.clone()).unwrap();
    let plain = |subject: &str| {
        let kept = text
            .lines()
            .map(|line| if line.starts_with("Subject: ") { format!("Subject: {subject}") } else { line.to_owned() });
        kept.collect::<Vec<_>>().join("\n").into_bytes()
    };
    for subject in ["Nytt i butiken", "Lanternen: din faktura"] {
        assert_eq!(reader.read(&plain(subject), &Context::default()).template, None, "{subject}");
    }
    // The subject of the kind, and worse news in it.
    let refunded = plain("=?utf-8?q?Lanternen=3A_tack_f=C3=B6r_din_best=C3=A4llning!_=C3=85terbetalning?=");
    let reading = reader.read(&refunded, &Context::default());
    assert_ne!(reading.event, Some(EventKind::Placed), "{:?}", reading.reason);
    let elsewhere = String::from_utf8(mails[1].mail.clone())
        .unwrap()
        .replace("kundtjanst@lanternen.example>", "a@lanternen.example.com>");
    assert_eq!(reader.read(elsewhere.as_bytes(), &Context::default()).template, None);
}

#[test]
fn what_is_unclear_is_said_and_nothing_is_learnt() {
    let (mut mails, others) = (shop("running-text"), shop("subject-only"));
    let generic = generic();
    let why = |examples: &[Example<'_>]| match learn(examples, &Asked::default(), &generic, &Context::default()) {
        Ok(learnt) => panic!("{}", learnt.text),
        Err(why) => why.join("; "),
    };
    let right = example(&mails[0]);
    for (examples, wanted) in [
        (vec![Example { reference: "55555", ..right }], "stands nowhere in the mail"),
        (vec![Example { email: Some("nobody@example.org"), ..right }], "sample 1: customer's address"),
        (vec![Example { email: Some("nobody"), ..right }], "the address given for it"),
        (vec![Example { mail: b"Subject: x\r\n\r\ny", ..right }], "cannot be read"),
        (vec![right, example(&others[0])], "come from different shops"),
    ] {
        assert!(why(&examples).contains(wanted), "{wanted}: {}", why(&examples));
    }
    let silent =
        String::from_utf8(mails[0].mail.clone()).unwrap().replace("has left our warehouse", "sits in the harbour");
    mails[0].mail = silent.into_bytes();
    assert!(why(&[example(&mails[0])]).contains("say it with --event"));
}
