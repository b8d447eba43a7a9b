//! Every mail in `tests/fixtures/mail/<template>/` is read and compared with the `.json` beside it, and every kind of mail that a
//! template knows has one. The mails are written for this project in each platform's shape; names and addresses are invented.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use invited::app::{Sample, load_samples};
use invited::domain::{Layer, Outcome};
use invited::read::expected::Tally;
use invited::read::{Context, Reader, Templates};

/// Our own domain in these mails: what goes to it was sent to us openly.
const OWN_DOMAIN: &str = "in.invited.example";

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/mail");

fn samples() -> Vec<Sample> {
    match load_samples(Path::new(FIXTURES)) {
        Ok(samples) => samples,
        Err(problems) => panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

#[test]
fn every_fixture_is_read_as_it_says_and_every_kind_of_mail_has_one() {
    let templates = Templates::embedded();
    let kinds =
        templates.mails().map(|(template, mail)| (template.to_owned(), mail.to_owned())).collect::<BTreeSet<_>>();
    assert!(!kinds.is_empty(), "no template was loaded");
    let reader = Reader::new(templates);
    let mut seen = BTreeSet::new();
    let mut tally = Tally::default();
    for sample in samples() {
        let shop = sample.expected.shop_domain.clone().into_iter().collect::<Vec<_>>();
        let own = [OWN_DOMAIN.to_owned()];
        let context = Context { shop_domains: &shop, own_domains: &own, ..Context::default() };
        let reading = reader.read(&sample.mail().unwrap(), &context);
        tally.add(&sample.platform, &sample.place, &sample.expected, &reading);
        let rules = reading.findings.iter().filter(|finding| finding.layer == Layer::Template);
        let kind = rules.filter_map(|finding| finding.rule.strip_prefix("mail.")).find(|kind| *kind != "phrase");
        seen.extend(reading.template.clone().zip(kind.map(str::to_owned)));
    }
    let mut faults = tally.differences().iter().map(ToString::to_string).collect::<Vec<_>>();
    for (template, mail) in kinds.difference(&seen) {
        faults.push(format!("no fixture is read as the mail {mail:?} of the template {template:?}"));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn only_mails_and_their_results_lie_among_the_fixtures() {
    let mut folders = vec![Path::new(FIXTURES).to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder of the fixtures").flatten() {
            let path = entry.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                _ if path.is_dir() => folders.push(path),
                Some("eml" | "json") => {}
                _ => panic!("{} is neither a mail nor its .json", path.display()),
            }
        }
    }
}

/// Cuts, copies and flips bytes of the fixtures, the same ones in every run. (In 30,000 mutations of real mails mail-parser 0.11.9
/// panicked three times; such a mail is held.)
#[test]
fn no_mutation_of_a_fixture_makes_the_reader_fail() {
    let reader = Reader::new(Templates::embedded());
    let mails = samples().iter().map(|sample| sample.mail().unwrap()).collect::<Vec<_>>();
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
