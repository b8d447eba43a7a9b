//! The reader over the corpus of real mails that lies beside the repository; skipped, with a line on stderr, when it does not.
//! `INVITED_REQUIRE_CORPUS` makes its absence a failure.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use invited::app::{Sample, load_samples};
use invited::domain::{Outcome, Reading};
use invited::read::expected::{Fate, Point, Tally};
use invited::read::{Context, Reader, Templates};

/// Platforms whose templates are complete: event, reference, address and name must be right in every mail.
const COMPLETE: &[&str] = &["woocommerce", "magento2", "prestashop", "shopify", "opencart", "sylius"];

/// What must be right there.
const ASSERTED: [Point; 4] = [Point::Event, Point::Reference, Point::Email, Point::Name];

fn root() -> Option<PathBuf> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus"));
    if root.is_dir() {
        return Some(root.to_owned());
    }
    assert!(std::env::var_os("INVITED_REQUIRE_CORPUS").is_none(), "{} is missing", root.display());
    writeln!(std::io::stderr(), "NOT RUN: the corpus of order mails is not at {}", root.display()).expect("stderr");
    None
}

fn samples(folder: &Path) -> Vec<Sample> {
    match load_samples(folder) {
        Ok(samples) => samples,
        Err(problems) => panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")),
    }
}

fn read(reader: &Reader, sample: &Sample) -> Reading {
    let own = ["invited.example".to_owned()];
    reader
        .read(&sample.mail().expect("a mail"), &Context { shop_domains: &[], own_domains: &own, ..Context::default() })
}

#[test]
fn every_mail_of_the_corpus_is_read_right_or_not_at_all() {
    let Some(root) = root() else { return };
    let reader = Reader::new(Templates::embedded());
    let mut tally = Tally::default();
    let mut slowest = (Duration::ZERO, String::new());
    for sample in samples(&root.join("orders")) {
        let begin = Instant::now();
        let reading = read(&reader, &sample);
        slowest = slowest.max((begin.elapsed(), sample.place.clone()));
        tally.add(&sample.platform, &sample.place, &sample.expected, &reading);
    }
    for (platform, _) in tally.platforms() {
        eprint!("{platform:14}");
        for point in Point::ALL {
            let figure = tally.figure(platform, point);
            eprint!(" {} {:>2}/{:<2}", point.as_str(), figure.right, figure.of());
        }
        eprintln!();
    }
    eprintln!("slowest: {} ms for {}", slowest.0.as_millis(), slowest.1);
    let mut faults = tally.misuses().iter().map(|(mail, misuse)| format!("{mail}: {misuse}")).collect::<Vec<_>>();
    for difference in tally.differences() {
        let platform = difference.mail.split('/').next().unwrap_or_default();
        if COMPLETE.contains(&platform) {
            eprintln!("{difference}");
            if ASSERTED.contains(&difference.judgement.point) {
                faults.push(difference.to_string());
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(tally.platforms().count() >= COMPLETE.len(), "the corpus has its platforms");
}

#[test]
fn no_mail_that_is_no_order_mail_becomes_an_event() {
    let Some(root) = root() else { return };
    let reader = Reader::new(Templates::embedded());
    let mut faults = Vec::new();
    for sample in ["negative", "dsn"].iter().flat_map(|folder| samples(&root.join(folder))) {
        let reading = read(&reader, &sample);
        assert_eq!(sample.expected.fate, Fate::SetAside(None), "{}", sample.place);
        if reading.outcome == Outcome::Event {
            faults.push(format!("{}: {:?} by {:?}", sample.place, reading.event, reading.template));
        }
        assert!(reading.reason.is_some(), "{} is set aside without a reason", sample.place);
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
