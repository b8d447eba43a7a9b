//! What the log, the journal's fields and the figures may not say: every name, address and reference of the corpus goes through the whole
//! house, from the listener over the reader to a relay that quotes them back, and in again as bounces and complaints; once believed and
//! once not. Then none of them may be found.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::bounces::{bounce, complaint};
use crate::kit::{corpus, fixtures, order_mail, say, until};
use crate::monitoring::{free, page};
use crate::program::{BCC, Dialog, Service, Site, command_by};
use crate::relay::{Act, At, Moment, Taken, TestRelay};

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
                NUMBERED.contains(&&*name.to_lowercase())
                    || value.contains(':') && value.starts_with(|c: char| c.is_ascii_digit())
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

/// A daemon to which everything is told, and who listens to what it says.
struct Ears {
    site: Site,
    service: Service,
    monitor: SocketAddr,
    /// What came to the journal, where that is what is logged to.
    journal: Option<Arc<Mutex<Vec<u8>>>>,
}

impl Ears {
    /// On a log file, with shops whose mails are believed by their address or not.
    async fn on_a_log(relay: &TestRelay, believes: &str) -> Self {
        let (site, monitor) = site(relay, &[("address", believes)]).await;
        let service = site.serve_with(&[], &LOUD.map(|(key, value)| (key, OsStr::new(value)))).await;
        Self { site, service, monitor, journal: None }
    }

    /// On a journal of our own, in the place of the machine's; `None` where a process may not have a file system of its own.
    async fn on_a_journal(relay: &TestRelay) -> Option<Self> {
        let own = "mount -t tmpfs none /run && mkdir /run/systemd && ln -s \"$0\" /run/systemd/journal && exec \"$@\"";
        let tried = std::process::Command::new("unshare").args(["-rm", "sh", "-c", own, "/tmp", "true"]).output();
        if !tried.is_ok_and(|tried| tried.status.success()) {
            say("SKIPPED: the fields of the journal, since no process may mount anything here");
            return None;
        }
        let (site, monitor) = site(relay, &[("log.format", "\"journal\"")]).await;
        let folder = site.path("journal");
        std::fs::create_dir(&folder).unwrap();
        let socket = UnixDatagram::bind(folder.join("socket")).unwrap();
        let journal = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&journal);
        std::thread::spawn(move || {
            let mut entry = vec![0; 1 << 16];
            while let Ok(length) = socket.recv(&mut entry) {
                heard.lock().unwrap().extend_from_slice(&entry[..length]);
            }
        });
        let launcher = ["unshare", "-rm", "sh", "-c", own, folder.to_str().unwrap()];
        let service = site.begin_by(command_by(&launcher), &[], &LOUD.map(|(key, value)| (key, OsStr::new(value))));
        let service = site.listens(service).await;
        Some(Self { site, service, monitor, journal: Some(journal) })
    }

    /// Everything that was said until now.
    async fn heard(&self) -> String {
        let journal =
            self.journal.as_ref().map(|journal| String::from_utf8_lossy(&journal.lock().unwrap()).into_owned());
        let (_, figures) = page(self.monitor, "/metrics").await.unwrap();
        bare(&(self.service.log() + &journal.unwrap_or_default())) + &figures.to_lowercase()
    }
}

const LOUD: [(&str, &str); 1] = [("INVITED_LOG", "debug,invited=trace")];

async fn site(relay: &TestRelay, extra: &[(&str, &str)]) -> (Site, SocketAddr) {
    let monitor = free();
    let listen = format!("\"{monitor}\"");
    (Site::new(relay.address, &[&[("metrics.listen", listen.as_str())], extra].concat()).await, monitor)
}

/// Waits until everything is read, and what is due was tried.
async fn until_quiet(site: &Site) {
    until("everything is read and tried", async || {
        let open = "SELECT (SELECT count(*) FROM copy WHERE state = 'unread') \
                    + (SELECT count(*) FROM invitation WHERE state = 'sending' OR (state = 'queued' AND attempts = 0 \
                       AND letters_sent = 0 AND due_at <= CAST(unixepoch('subsec') * 1000 AS INTEGER)))";
        (site.number(open).await == 0).then_some(())
    })
    .await;
}

/// Answers every letter: by a bounce, a complaint, or a notice of absence, each of which names the customer.
async fn come_back(service: &Service, letters: &[Taken]) {
    let mut dialog = Dialog::open(service.address).await.unwrap();
    for (number, letter) in letters.iter().enumerate() {
        let customer = &letter.to[0];
        let mail = match number % 3 {
            0 => bounce(letter, customer, "5.1.1", &format!("<{customer}> is unknown")),
            1 => complaint(letter),
            _ => format!("From: {customer}\r\nTo: {}\r\nAuto-Submitted: auto-replied\r\nSubject: {customer} is away\r\n\r\n{customer}\r\n", letter.from)
                .into_bytes(),
        };
        dialog.say("MAIL FROM:<>").await.unwrap();
        let reply = dialog.say(&format!("RCPT TO:<{}>", letter.from)).await.unwrap();
        assert!(reply.starts_with("250 "), "{reply}");
        dialog.say("DATA").await.unwrap();
        let reply = dialog.body(&mail).await.unwrap();
        assert!(reply.starts_with("250 "), "{reply}");
    }
}

/// Hands mails in, and gives everything that was said until nothing waits any more.
async fn said_of(ears: &Ears, mails: &[Vec<u8>]) -> String {
    let mut dialog = Dialog::open(ears.service.address).await.unwrap();
    for (number, mail) in mails.iter().enumerate() {
        let from = format!("MAIL FROM:<envelope-{number}@secret-sender.example.org>");
        dialog.say(&from).await.unwrap();
        dialog.say(&format!("RCPT TO:<{BCC}>")).await.unwrap();
        dialog.say("DATA").await.unwrap();
        let reply = dialog.body(mail).await.unwrap();
        if !reply.starts_with("250 ") {
            assert!(reply.starts_with('5'), "{reply}");
            dialog = Dialog::open(ears.service.address).await.unwrap();
        }
    }
    until_quiet(&ears.site).await;
    ears.heard().await
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_the_log_nor_the_figures_name_a_person_or_an_order() {
    nobody_is_named(Way::Log, ACCEPT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_do_they_when_no_sender_is_believed() {
    nobody_is_named(Way::Log, HOLD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_do_the_fields_of_the_journal() {
    nobody_is_named(Way::Journal, ACCEPT).await;
}

/// Where log lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Log,
    Journal,
}

/// What a shop does with senders of whom nothing is proved but that they know its address.
const ACCEPT: &str = "\"accept\"";
const HOLD: &str = "\"hold\"";

async fn nobody_is_named(way: Way, believes: &str) {
    // Relays quote addresses in what they say.
    let quoting = |moment: &Moment| match moment.at {
        At::Rcpt if moment.rcpt.len().is_multiple_of(3) => {
            Act::Reply("550 5.1.1 <quoted.person@secret-quoted.example.org> unknown")
        }
        At::Dot if moment.rcpt.len() % 3 == 1 => Act::Reply("451 4.2.0 quoted.person@secret-quoted.example.org later"),
        _ => Act::Ok,
    };
    let mut secrets =
        BTreeSet::from(["quoted.person@secret-quoted.example.org".to_owned(), "secret-sender".to_owned()]);
    let (mut all, mails) = (Vec::new(), mails());
    for mail in &mails {
        told(&expected(mail), &mut secrets);
        all.push(std::fs::read(mail).unwrap());
    }
    let relay = TestRelay::start(quoting).await;
    let ears = match way {
        Way::Log => Ears::on_a_log(&relay, believes).await,
        Way::Journal => match Ears::on_a_journal(&relay).await {
            Some(ears) => ears,
            None => return,
        },
    };
    let hello = Dialog::open(ears.service.address).await.unwrap().say("QUIT").await.unwrap();
    assert!(hello.starts_with("221 "), "{hello}");
    if way == Way::Log {
        ears.service.says("DEBUG session ended").await;
    }
    let own = order_mail("ZQX-70001", "Zqxperson Zqxfamily", "zqxperson@zqxdomain.example.net");
    let mut usual = words(&said_of(&ears, &[own]).await);
    // Replies stand in the log, and not every mail is refused in the same words.
    usual.extend(words(include_str!("../../src/door/reply.rs")));
    for word in ["zqxperson", "zqxfamily", "zqxdomain", "70001"] {
        assert!(!usual.contains(word), "our own mail's {word}");
    }
    said_of(&ears, &all).await;
    let letters = relay.taken();
    come_back(&ears.service, &letters).await;
    until_quiet(&ears.site).await;
    if believes == HOLD {
        let doubted = ears.site.number("SELECT count(*) FROM copy WHERE doubt IS NOT NULL").await;
        assert!(doubted > 5, "{doubted} copies of a sender that nobody knows");
    } else {
        let kinds = ears.site.number("SELECT count(DISTINCT kind) FROM answer").await;
        assert!(kinds == 3 && letters.len() > 5, "{kinds} kinds of answers to {} letters", letters.len());
    }
    let said = ears.heard().await;
    assert_eq!(said.contains("\nsyslog_identifier=invited "), way == Way::Journal, "the journal's fields");
    let looked_for = look_for(&secrets, &usual, &said);
    let of = format!("{way:?}, {believes}: {} mails, {} letters", mails.len(), letters.len());
    say(&format!("{of}: none of {looked_for} words of people and orders was said"));
    assert!(looked_for > 20 && mails.len() > 20, "there was something to look for");
    ears.service.stop().await;
}

/// Looks for the words of the secrets that are no usual words of ours, and for anything that looks like an address; how many words.
fn look_for(secrets: &BTreeSet<String>, usual: &BTreeSet<String>, said: &str) -> usize {
    let found = words(said);
    let shipped = invited::read::Templates::embedded();
    let shipped = shipped.names().flat_map(words).collect::<BTreeSet<_>>();
    let mut leaks = BTreeSet::new();
    let mut looked_for = 0;
    for secret in secrets {
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
    looked_for
}
