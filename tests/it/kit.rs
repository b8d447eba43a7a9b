//! A shop with its own daemon, database, clock and relay.

#![allow(dead_code, reason = "every test binary uses its own part of the kit")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use invited::app::{Daemon, database_password};
use invited::clock::Clock;
use invited::config::{self, Answers, Config, Relay as RelaySettings, RelayTimeouts};
use invited::document::Document;
use invited::domain::{CopyId, EmailAddress, Invitation, OrderReference, State, Timestamp};
use invited::send::{Outcome, Relay};
use invited::store::{self, Filter, Store, StoredCopy, Story, Subject};
use mail_parser::{Message, MessageParser};
use tempfile::TempDir;
use url::Url;

use crate::relay::{Act, Moment, Taken, TestRelay};
pub(crate) use crate::said::say;

/// A Monday morning.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_772_442_000);
/// How long a condition may take to come true before the test has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A shop whose daemon runs in this process.
pub(crate) struct House {
    pub(crate) daemon: Daemon,
    pub(crate) clock: Clock,
    pub(crate) relay: TestRelay,
    pub(crate) config: Config,
    door: Relay,
    bcc: EmailAddress,
    _folder: TempDir,
}

impl House {
    /// A daemon of which only the relay's script and some lines of configuration are special. `extra` replaces lines of the
    /// starter configuration by their keys.
    pub(crate) async fn open(extra: &[(&str, &str)], script: impl Fn(&Moment) -> Act + Send + Sync + 'static) -> Self {
        Self::open_with(None, extra, |_| {}, script).await
    }

    /// The same with its database on a PostgreSQL server.
    pub(crate) async fn on_server(
        url: &str,
        extra: &[(&str, &str)],
        script: impl Fn(&Moment) -> Act + Send + Sync + 'static,
    ) -> Self {
        Self::open_with(Some(url), extra, |_| {}, script).await
    }

    /// The same with limits so short that a silent relay does not make the test long; shorter than a configuration may have.
    pub(crate) async fn impatient(
        extra: &[(&str, &str)],
        script: impl Fn(&Moment) -> Act + Send + Sync + 'static,
    ) -> Self {
        let limit = Duration::from_millis(400);
        let short = RelayTimeouts { connect: limit, command: limit, data: limit, dot: limit };
        Self::open_with(None, extra, |config| config.relays[0].timeouts = short, script).await
    }

    /// With a configuration that is adjusted before the start.
    pub(crate) async fn adjusted(
        adjust: impl FnOnce(&mut Config),
        script: impl Fn(&Moment) -> Act + Send + Sync + 'static,
    ) -> Self {
        Self::open_with(None, &[], adjust, script).await
    }

    async fn open_with(
        server: Option<&str>,
        extra: &[(&str, &str)],
        adjust: impl FnOnce(&mut Config),
        script: impl Fn(&Moment) -> Act + Send + Sync + 'static,
    ) -> Self {
        let relay = TestRelay::start(script).await;
        let folder = tempfile::tempdir().unwrap();
        let database = server.map(|url| server_line(url, folder.path()));
        let extra = database.iter().map(|line| ("database", line.as_str())).chain(extra.iter().copied());
        let extra = extra.collect::<Vec<_>>();
        let mut config = configuration(folder.path(), &relay.address.to_string(), &extra);
        adjust(&mut config);
        std::fs::write(folder.path().join("master.key"), "0123456789abcdef0123456789abcdef\n").unwrap();
        make_private(&folder.path().join("master.key"));
        let password = database_password(&config.database).unwrap();
        store::create_if_missing(&config.database, password.as_deref()).await.unwrap();
        let clock = Clock::manual(START);
        let daemon = Daemon::start(config.clone(), clock.clone()).await.unwrap();
        let bcc = EmailAddress::parse(&config.bcc_address(&config.shops[0])).unwrap();
        let door = client(&daemon.addresses()[0].to_string());
        Self { daemon, clock, relay, config, door, bcc, _folder: folder }
    }

    /// With a relay that takes everything.
    pub(crate) async fn ordinary() -> Self {
        Self::open(&[], |_| Act::Ok).await
    }

    /// Ends the daemon and starts it again on the same database, as a restart of the service would.
    pub(crate) async fn restart(mut self) -> Self {
        self.daemon.stop().await;
        self.daemon = Daemon::start(self.config.clone(), self.clock.clone()).await.unwrap();
        self.door = client(&self.daemon.addresses()[0].to_string());
        self
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.daemon.house().store
    }

    /// Hands a mail in over SMTP and waits until it was read.
    pub(crate) async fn hand_in(&self, mail: &[u8]) -> StoredCopy {
        let copy = self.take_in(mail).await;
        until("a copy is read", async || {
            let (copy, _) = self.store().copy(copy).await.unwrap().unwrap();
            copy.reading.is_some().then_some(copy)
        })
        .await
    }

    /// Hands a mail in over SMTP.
    pub(crate) async fn take_in(&self, mail: &[u8]) -> CopyId {
        hand_in(&self.door, &self.bcc, mail).await
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, span: Duration) {
        self.clock.set(self.clock.now().plus(span));
    }

    pub(crate) async fn invitations(&self) -> Vec<Invitation> {
        self.store().list(&Filter::default(), None, 10_000).await.unwrap().invitations
    }

    pub(crate) async fn invitation(&self, reference: &str) -> Invitation {
        let mut found = self.story(reference).await.invitations;
        assert_eq!(found.len(), 1, "one invitation about {reference}");
        found.remove(0)
    }

    pub(crate) async fn story(&self, reference: &str) -> Story {
        self.store().story(&Subject::Reference(OrderReference::parse(reference).unwrap())).await.unwrap()
    }

    /// Waits until the invitation stands in a state.
    pub(crate) async fn until_state(&self, reference: &str, state: State) -> Invitation {
        until(&format!("{reference} is {state}"), async || {
            let one = self.invitation(reference).await;
            (one.progress.state == state).then_some(one)
        })
        .await
    }

    /// Waits until no invitation is due or being sent.
    pub(crate) async fn until_quiet(&self) {
        until("nothing is due", async || {
            let now = self.clock.now();
            let busy =
                self.invitations().await.iter().any(|one| {
                    one.progress.state == State::Sending || one.progress.due_at.is_some_and(|due| due <= now)
                });
            (!busy).then_some(())
        })
        .await;
    }
}

/// Asks until there is an answer.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let mut pulse = tokio::time::interval(Duration::from_millis(5));
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            pulse.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    });
    match waited.await {
        Ok(answer) => answer,
        Err(_) => panic!("not within {PATIENCE:?}: {what}"),
    }
}

/// A number from the environment.
pub(crate) fn setting(name: &str, default: u64) -> u64 {
    std::env::var_os(name).map_or(default, |text| text.to_str().unwrap().parse().unwrap())
}

/// Numbers that look random and are the same for the same seed (SplitMix64).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// The starter configuration with some of its lines replaced: `("delay", "\"3 days\"")`, commented ones switched on.
pub(crate) fn configuration(folder: &Path, relay: &str, extra: &[(&str, &str)]) -> Config {
    let text = configuration_text(relay, extra);
    config::parse(&Document::new("invited.toml", text), folder).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

pub(crate) fn configuration_text(relay: &str, extra: &[(&str, &str)]) -> String {
    let mut answers = Answers::new("shop.example.com", "abcdefgh23456789abcd");
    "127.0.0.1:0".clone_into(&mut answers.listen);
    "in.invited.example".clone_into(&mut answers.ingest_domain);
    answers.relay = format!("smtp://{relay}");
    "https://shop.example.com/review/{token}?order={reference}&stars={stars}".clone_into(&mut answers.link);
    answers.at_any_hour = true;
    answers.believe_address = true;
    let mut text = config::template(&answers);
    for (key, value) in extra {
        // A key that several tables have is written with its table's name.
        let (table, key) = key.split_once('.').map_or((None, *key), |(table, key)| (Some(table), key));
        let (mut found, mut is_in_table) = (false, table.is_none());
        let lines = text.lines().map(|line| {
            if line.starts_with('[') && table.is_some() {
                is_in_table = table == Some(line.trim_matches(['[', ']']));
            }
            let bare = line.strip_prefix('#').unwrap_or(line);
            if is_in_table && !found && bare.split_once(" = ").is_some_and(|(name, _)| name == key) {
                found = true;
                format!("{key} = {value}\n")
            } else {
                format!("{line}\n")
            }
        });
        text = lines.collect();
        assert!(found, "the starter configuration has a line for {key}");
    }
    text
}

/// What a configuration says of a server; the password stands in a file of the folder.
pub(crate) fn server_line(url: &str, folder: &Path) -> String {
    let mut url = Url::parse(url).unwrap();
    let Some(password) = url.password().map(str::to_owned) else { return format!("\"{url}\"") };
    std::fs::write(folder.join("db-password"), password).unwrap();
    make_private(&folder.join("db-password"));
    url.set_password(None).unwrap();
    format!("{{ url = \"{url}\", password = {{ file = \"db-password\" }} }}")
}

pub(crate) fn make_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// A shop's MTA: keeps one connection open.
pub(crate) fn client(door: &str) -> Relay {
    let (host, port) = door.rsplit_once(':').unwrap();
    let settings = RelaySettings {
        connections: 4,
        letters_per_connection: 10_000,
        ..RelaySettings::plain("door", host, port.parse().unwrap(), "mta.shop.example.com")
    };
    Relay::new(&settings, None).unwrap()
}

/// Hands a mail in and gives the id that the door's answer names.
pub(crate) async fn hand_in(door: &Relay, bcc: &EmailAddress, mail: &[u8]) -> CopyId {
    let from = EmailAddress::parse("orders@shop.example.com").unwrap();
    let mail = crlf(mail);
    let slot = door.reserve().await.unwrap();
    match slot.send(Some(&from), bcc, &mail, || async { Ok::<(), std::convert::Infallible>(()) }).await {
        Outcome::Accepted { reply } => reply.text.rsplit(' ').next().unwrap().parse().unwrap(),
        other => panic!("the door took no mail: {other:?}"),
    }
}

/// Fixtures that stand in the repository with bare line feeds go over the wire as RFC 5321 wants it.
pub(crate) fn crlf(mail: &[u8]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(mail.len() + 512);
    for line in mail.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        wire.extend(text.iter().filter(|byte| **byte != b'\r'));
        wire.extend_from_slice(b"\r\n");
    }
    wire
}

/// A plain order mail, in the shape of the AFS snippet, which every reader of this project knows.
pub(crate) fn order_mail(reference: &str, name: &str, email: &str) -> Vec<u8> {
    format!(
        "From: Shop <orders@shop.example.com>\r\nTo: {name} <{email}>\r\nSubject: Your order {reference}\r\n\
         Date: Mon, 2 Mar 2026 09:00:00 +0000\r\nMessage-ID: <{reference}.{}@shop.example.com>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>Thank you for your order.</p>\
         <script type=\"application/json+trustpilot\">{{\"recipientEmail\": \"{email}\", \"recipientName\": \"{name}\", \
         \"referenceId\": \"{reference}\"}}</script></body></html>\r\n",
        name.len()
    )
    .into_bytes()
}

/// One of the project's own mails.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(fixtures().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mail")
}

/// The corpus of real order mails, where it lies beside the project; `INVITED_REQUIRE_CORPUS` makes its absence a failure.
pub(crate) fn corpus(test: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var_os("INVITED_REQUIRE_CORPUS").is_none(), "{test} needs the corpus in ../shared/corpus");
    say(&format!("NOT RUN: {test} needs the corpus of order mails in ../shared/corpus"));
    None
}

/// A letter as its reader sees it.
pub(crate) fn opened(letter: &Taken) -> Message<'_> {
    MessageParser::default().parse(&letter.data).unwrap()
}
