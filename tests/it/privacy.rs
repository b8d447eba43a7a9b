//! What the log and the figures may not say: every name, address and reference of the corpus goes through the whole house, from the
//! listener over the reader to a relay that quotes them back, and then none of them may be found.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::kit::{corpus, fixtures, order_mail, say, until};
use crate::monitoring::{free, page};
use crate::program::{BCC, Dialog, Service, Site};
use crate::relay::{Act, At, Moment, TestRelay};

/// Names of people shorter than this are found in other words.
const SHORTEST: usize = 4;

/// Fields whose numbers may be anybody's reference by chance.
const NUMBERED: [&str; 8] = ["octets", "copy", "copies", "letter", "letters", "invitation", "elapsed", "tries"];

/// Mails with what they say of people, from the corpus, or of our own when it is not there.
fn mails() -> Vec<PathBuf> {
    let root = corpus("the log and the figures over the whole corpus").unwrap_or_else(fixtures);
    let (mut folders, mut mails) = (vec![root], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "eml") {
                mails.push(path);
            }
        }
    }
    mails.sort();
    mails
}

/// What is expected of a mail, beside it under whichever name.
fn expected(mail: &Path) -> Value {
    let beside = [mail.with_extension("json"), mail.with_extension("expect.json")];
    let text = beside.iter().find_map(|path| std::fs::read_to_string(path).ok());
    text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
}

/// Texts under keys that tell of a person or an order.
fn told(value: &Value, secrets: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let is_personal =
                    ["name", "email", "reference", "recipient", "customer"].iter().any(|word| key.contains(word));
                let is_other = key.ends_with("_source") || key.contains("shop") || key.contains("product");
                if let Some(text) = value.as_str().filter(|_| is_personal && !is_other) {
                    secrets.insert(text.to_lowercase());
                } else if !is_other {
                    told(value, secrets);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| told(value, secrets)),
        _ => {}
    }
}

/// Words as a reader sees them: letters and digits, and what joins them in a reference or an address.
fn words(text: &str) -> BTreeSet<String> {
    let split = |c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | '#' | '/'));
    let words = text.split(split).flat_map(|word| {
        let parts = word.split(['.', '/', '@', '-', '#']).map(ToOwned::to_owned);
        parts.chain([word.trim_matches(['.', '-', '_', '/', '#']).to_owned()]).collect::<Vec<_>>()
    });
    words.filter(|word| !word.is_empty()).map(|word| word.to_lowercase()).collect()
}

/// A log without what may have any number: instants, and counts under their names.
fn bare(log: &str) -> String {
    let mut bare = String::with_capacity(log.len());
    for line in log.lines() {
        let line =
            line.split_once("Z ").filter(|(at, _)| at.len() < 40 && at.contains('T')).map_or(line, |(_, rest)| rest);
        for word in line.split(' ') {
            let is_number = word.split_once('=').is_some_and(|(name, value)| {
                NUMBERED.contains(&name) || value.contains(':') && value.starts_with(|c: char| c.is_ascii_digit())
            });
            if !is_number {
                bare.push_str(word);
                bare.push(' ');
            }
        }
        bare.push('\n');
    }
    bare.to_lowercase()
}

/// Everything that was said until nothing waits any more.
async fn said_of(site: &Site, service: &Service, monitor: std::net::SocketAddr, mails: &[Vec<u8>]) -> String {
    let mut dialog = Dialog::open(service.address).await.unwrap();
    for (number, mail) in mails.iter().enumerate() {
        let from = format!("MAIL FROM:<envelope-{number}@secret-sender.example.org>");
        dialog.say(&from).await.unwrap();
        dialog.say(&format!("RCPT TO:<{BCC}>")).await.unwrap();
        dialog.say("DATA").await.unwrap();
        let reply = dialog.body(mail).await.unwrap();
        if !reply.starts_with("250 ") {
            assert!(reply.starts_with('5'), "{reply}");
            dialog = Dialog::open(service.address).await.unwrap();
        }
    }
    until("everything is read and tried", async || {
        let open = "SELECT (SELECT count(*) FROM copy WHERE state = 'unread') \
                    + (SELECT count(*) FROM invitation WHERE state = 'sending' OR (state = 'queued' AND attempts = 0 \
                       AND letters_sent = 0 AND due_at <= CAST(unixepoch('subsec') * 1000 AS INTEGER)))";
        (site.number(open).await == 0).then_some(())
    })
    .await;
    let (_, figures) = page(monitor, "/metrics").await.unwrap();
    bare(&service.log()) + &figures.to_lowercase()
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_the_log_nor_the_figures_name_a_person_or_an_order() {
    // Relays quote addresses in what they say.
    let quoting = |moment: &Moment| match moment.at {
        At::Rcpt if moment.rcpt.len().is_multiple_of(3) => {
            Act::Reply("550 5.1.1 <quoted.person@secret-quoted.example.org> unknown")
        }
        At::Dot if moment.rcpt.len() % 3 == 1 => Act::Reply("451 4.2.0 quoted.person@secret-quoted.example.org later"),
        _ => Act::Ok,
    };
    let relay = TestRelay::start(quoting).await;
    let monitor = free();
    let listen = format!("\"{monitor}\"");
    let site = Site::new(relay.address, &[("metrics.listen", &listen)]).await;
    let service = site.serve_with(&[], &[("INVITED_LOG", OsStr::new("debug,invited=trace"))]).await;
    assert!(Dialog::open(service.address).await.unwrap().say("QUIT").await.unwrap().starts_with("221 "));
    service.says("DEBUG session ended").await;
    let own = order_mail("ZQX-70001", "Zqxperson Zqxfamily", "zqxperson@zqxdomain.example.net");
    let mut usual = words(&said_of(&site, &service, monitor, &[own]).await);
    // Replies stand in the log, and not every mail is refused in the same words.
    usual.extend(words(include_str!("../../src/door/reply.rs")));
    for word in ["zqxperson", "zqxfamily", "zqxdomain", "70001"] {
        assert!(!usual.contains(word), "our own mail's {word}");
    }

    let mut secrets =
        BTreeSet::from(["quoted.person@secret-quoted.example.org".to_owned(), "secret-sender".to_owned()]);
    let (mut all, mails) = (Vec::new(), mails());
    for mail in &mails {
        told(&expected(mail), &mut secrets);
        all.push(std::fs::read(mail).unwrap());
    }
    let said = said_of(&site, &service, monitor, &all).await;
    let found = words(&said);
    let shipped = invited::read::Templates::embedded();
    let shipped = shipped.names().flat_map(words).collect::<BTreeSet<_>>();
    let mut leaks = BTreeSet::new();
    let mut looked_for = 0;
    for secret in &secrets {
        for word in words(secret).into_iter().filter(|word| word.chars().count() >= SHORTEST) {
            let is_word_of_ours =
                usual.contains(&word) || shipped.contains(&word) || ["example", "customer"].contains(&&*word);
            if !is_word_of_ours {
                looked_for += 1;
                leaks.extend(found.contains(&word).then_some(word));
            }
        }
    }
    for word in &leaks {
        say(&format!("leak {word:?}: {:?}", said.lines().find(|line| words(line).contains(word))));
    }
    assert_eq!(leaks, BTreeSet::new());
    let is_address =
        |word: &&String| word.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'));
    assert_eq!(found.iter().find(is_address), None, "an address");
    say(&format!(
        "{} mails, {looked_for} words of people and orders in none of {} words said",
        mails.len(),
        found.len()
    ));
    assert!(looked_for > 20 && mails.len() > 20, "there was something to look for");
    service.stop().await;
}
