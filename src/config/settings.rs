//! What the program runs on: every value checked, every default filled in. Made by the checks of this room, never by hand.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::domain::trust::TrustRules;
use crate::domain::{DAY, EmailAddress, PersonName, Policies, ShopId, ShopRules, Volume, Zone};

use super::database::Database;
use super::link::{LinkKey, LinkTo, ShopLink};
use super::listener::Listener;
use super::login::DoorLogin;
use super::pages::Pages;

/// The whole configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where the queue is kept.
    pub database: Database,
    /// The master key: links, log ids and bounce addresses are derived from it.
    pub master_key: Secret,
    /// The domain of the shops' BCC addresses, `<shop>+<secret>@<ingest domain>`; lower-case A-labels.
    pub ingest_domain: String,
    /// The listeners.
    pub door: Door,
    /// Who may log in at it.
    pub logins: Vec<DoorLogin>,
    /// The relays, by name; at least one.
    pub relays: Vec<Relay>,
    /// The keys that letters are signed with; no two of one domain with one selector.
    pub dkim: Vec<Dkim>,
    /// The shops; at least one, ids unique.
    pub shops: Vec<Shop>,
    /// A folder whose templates replace or extend those that ship.
    pub templates_dir: Option<PathBuf>,
    /// A folder whose letters replace or extend those that ship.
    pub letters_dir: Option<PathBuf>,
    /// How long a copy is kept after it was taken in, for support.
    pub keep_copies: Duration,
    /// Queue letters, but hand none to a relay: a safety switch.
    pub hold_all: bool,
    /// How log lines look.
    pub log: LogFormat,
    /// Whether new entries of the suppression list are stored as keyed hashes.
    pub hashed_suppressions: bool,
    /// Where figures for monitoring can be had.
    pub metrics: Metrics,
    /// Where the customers' pages are; without them letters lead to the shops' own.
    pub pages: Option<Pages>,
    /// The keys of our own links: the first signs, all are accepted; at least one, numbers unique.
    pub link_keys: Vec<LinkKey>,
    /// How long our own links are good for from the letter on.
    pub link_expiry: Duration,
    /// The DNS servers that proofs are looked up at; empty for the system's.
    pub dns_servers: Vec<SocketAddr>,
}

/// Where figures for monitoring can be had, in Prometheus' text format.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metrics {
    /// A file that they are written into every minute.
    pub textfile: Option<PathBuf>,
    /// The address of the HTTP listener for `/metrics`, `/healthz` and `/readyz`.
    pub listen: Option<SocketAddr>,
}

/// Where a secret is read from. The value itself never stands in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// A file that only its owner may read.
    File(PathBuf),
    /// A systemd credential: the file of this name in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// Log lines for people, for programs, or for systemd's journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// To the journal when standard error is it, else as text.
    #[default]
    Automatic,
    /// An entry with a field for each value in systemd's journal.
    Journal,
    /// One readable line an event.
    Text,
    /// One JSON object a line.
    Json,
}

/// The door: where it listens, what it calls itself, what it bears.
#[derive(Debug, Clone, PartialEq)]
pub struct Door {
    /// Where it listens and for whom: what `[smtp] listen` says first, then every `[[listener]]`.
    pub listeners: Vec<Listener>,
    /// The name in the greeting and the EHLO reply; lower-case A-labels.
    pub hostname: String,
    /// Certificate chain and key, PEM files. Without them there is no TLS.
    pub tls: Option<TlsFiles>,
    /// What a client may do before it is stopped.
    pub limits: Limits,
}

/// What a listener is for, which decides who may say what to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Role {
    /// Mail between servers (RFC 5321): everybody may hand in, AUTH is offered inside TLS.
    #[default]
    Smtp,
    /// Mail from clients that log in (RFC 6409): nothing is taken before AUTH.
    Submission,
    /// Mail from the mail server beside us (RFC 2033): LHLO, and an answer for each recipient.
    Lmtp,
}

/// A certificate chain and its key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, leaf first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Bounds on what a client can make the listener do. The defaults come from Postfix, mox, chasquid and KumoMTA, compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// A command line with its CRLF, bytes (RFC 5321 4.5.3.1.4 asks for 512 at least).
    pub command_line: usize,
    /// A line of a message with its CRLF, bytes. RFC 5321 says 1000, but shop software writes whole HTML mails on one line.
    pub data_line: usize,
    /// A message, bytes; announced by SIZE.
    pub message: usize,
    /// A message's header section, bytes.
    pub header: usize,
    /// `Received:` fields of one message before it counts as looping.
    pub received: usize,
    /// Recipients of one message.
    pub recipients: usize,
    /// Commands answered with 5xx before the session is closed with 421; from the third on each costs [`Self::error_delay`].
    pub errors: u32,
    /// How long an answer to one error too many is delayed.
    pub error_delay: Duration,
    /// Commands that move nothing (NOOP, RSET, VRFY, HELP) before the session is closed with 421.
    pub idle_commands: u32,
    /// Sessions at one time, in all.
    pub sessions: usize,
    /// Sessions at one time from one IPv4 address or IPv6 /64.
    pub sessions_per_client: usize,
    /// New connections in a minute from one IPv4 address or IPv6 /64; loopback and unix sockets are not counted.
    pub connections_per_minute: u32,
    /// How long the listener waits for a command.
    pub command_timeout: Duration,
    /// How long it waits for more of a message.
    pub data_timeout: Duration,
    /// How long a session may last.
    pub session_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            command_line: 2_048,
            data_line: 65_536,
            message: 5 * 1024 * 1024,
            header: 102_400,
            received: 30,
            recipients: 100,
            errors: 10,
            error_delay: Duration::from_secs(1),
            idle_commands: 100,
            sessions: 200,
            sessions_per_client: 20,
            connections_per_minute: 60,
            command_timeout: Duration::from_secs(300),
            data_timeout: Duration::from_secs(180),
            session_timeout: Duration::from_secs(1_200),
        }
    }
}

/// Whose address letters have in MAIL FROM. Bounces go there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReturnPath {
    /// One of our own for each letter, at the ingest domain, so that bounces come to us.
    #[default]
    Own,
    /// The shop's From address, for relays that let nothing else pass. Bounces go to the shop, and we never hear of them.
    From,
}

/// An SMTP server that letters are handed to.
#[derive(Debug, Clone, PartialEq)]
pub struct Relay {
    /// Its name in the configuration.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// Port: 25 for `smtp://` and 465 for `smtps://` unless written.
    pub port: u16,
    /// How the connection is protected.
    pub tls: Tls,
    /// A PEM file of certificate authorities to trust instead of the system's.
    pub tls_ca: Option<PathBuf>,
    /// User name and password, when the relay asks for them.
    pub login: Option<Login>,
    /// Connections at one time.
    pub connections: usize,
    /// Letters over one connection before it is renewed.
    pub letters_per_connection: u32,
    /// Letters that may be handed to it within an hour, of all shops.
    pub rate: Option<u32>,
    /// Letters under way at one time to the mailboxes of one domain, where nothing else is written for that domain.
    pub per_domain: Option<usize>,
    /// What holds for the mailboxes of single domains; no two of one name.
    pub domains: Vec<MailboxDomain>,
    /// Whose address letters have in MAIL FROM, where bounces go.
    pub return_path: ReturnPath,
    /// The name in our EHLO.
    pub hello_name: String,
    /// How long each step may take.
    pub timeouts: RelayTimeouts,
}

/// A key that the letters of one domain are signed with (RFC 6376).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dkim {
    /// The domain of the letters' From address, lower-case A-labels.
    pub domain: String,
    /// The name under which the key is published.
    pub selector: String,
    /// Where the private key is, PEM.
    pub key: Secret,
}

impl Dkim {
    /// The name of the record that publishes the key.
    pub fn record_name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }

    /// A selector, in lower case: labels with dots between them (RFC 6376 3.1); underscores are in use though no host name has one.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn selector(text: &str) -> Result<String, String> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let label =
            |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(plain) && !label.starts_with('-');
        match text.len() <= 200 && text.split('.').all(label) {
            true => Ok(text.to_ascii_lowercase()),
            false => Err(format!("{text:?} is no selector")),
        }
    }
}

/// How letters to the mailboxes of one domain go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxDomain {
    /// The domain, the part after the `@`; lower-case A-labels.
    pub name: String,
    /// Letters under way at one time.
    pub connections: Option<usize>,
    /// Letters within an hour.
    pub rate: Option<u32>,
}

/// How a connection to a relay is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// Not at all.
    None,
    /// By STARTTLS when the relay offers it, whatever its certificate.
    Opportunistic,
    /// By STARTTLS with a valid certificate, or nothing is sent.
    Required,
    /// From the first byte with a valid certificate (`smtps://`).
    Implicit,
}

/// How to log in at a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user name.
    pub user: String,
    /// Where the password is.
    pub password: Secret,
}

/// How long each step of a sending may take; the defaults of RFC 5321 4.5.3.2 are meant for the open internet, these for a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayTimeouts {
    /// TCP, TLS, greeting, EHLO and AUTH, each.
    pub connect: Duration,
    /// MAIL, RCPT, DATA and RSET, each.
    pub command: Duration,
    /// The message's bytes.
    pub data: Duration,
    /// The answer to the final dot: RFC 5321 says 10 minutes, since giving up early is what makes doubles.
    pub dot: Duration,
}

impl Default for RelayTimeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            command: Duration::from_secs(60),
            data: Duration::from_secs(180),
            dot: Duration::from_secs(600),
        }
    }
}

/// A sender of order mails.
#[derive(Clone, PartialEq)]
pub struct Shop {
    /// Its short name.
    pub id: ShopId,
    /// Its name as customers know it.
    pub name: String,
    /// Its own domains: mail to them is never mail to a customer. Lower-case A-labels, at least one.
    pub domains: Vec<String>,
    /// The secrets of its BCC addresses, at least one; several during a rotation. `[a-z0-9]{16,64}`.
    pub secrets: Vec<String>,
    /// The letters' From address.
    pub from: EmailAddress,
    /// The display name beside it.
    pub from_name: PersonName,
    /// Where answers go; the From address otherwise.
    pub reply_to: Option<EmailAddress>,
    /// Where "unsubscribe" mails go, the box for answers unless written; `unsubscribe+…@<ingest domain>` is not read yet, so a
    /// person should read this box.
    pub unsubscribe: EmailAddress,
    /// The language when the copy names none: language, script and region of RFC 5646, `sv` or `zh-Hant-TW`.
    pub locale: String,
    /// The shop's zone.
    pub zone: Zone,
    /// Where a letter's stars and button lead.
    pub link: LinkTo,
    /// Where they lead instead for some languages or a part of the customers: the first that fits counts.
    pub links: Vec<ShopLink>,
    /// Who wrote, at the letter's foot: name and postal address, as the law asks.
    pub postal_address: Option<String>,
    /// How the letters look.
    pub brand: Brand,
    /// Which relays take its letters, names in [`Config::relays`], at least one: each only while those before it rest.
    pub relays: Vec<String>,
    /// When its customers are asked, how often, and who is not.
    pub rules: ShopRules,
    /// What its mails say when the customer agreed to be asked, beside the words that the reader knows.
    pub consent_words: Vec<String>,
    /// What proves that a copy comes from it.
    pub trust: TrustRules,
    /// How many invitations its copies may begin on one day.
    pub volume: Volume,
    /// What those sign with who tell that a customer has reviewed elsewhere; without it nobody is believed.
    pub hook_secret: Option<Secret>,
}

/// Without the secrets: who has one can hand in mail as the shop.
impl fmt::Debug for Shop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Taken apart, so that a field added later cannot be forgotten here.
        let Self {
            id,
            name,
            domains,
            secrets,
            from,
            from_name,
            reply_to,
            unsubscribe,
            locale,
            zone,
            link,
            links,
            postal_address,
            brand,
            relays,
            rules,
            consent_words,
            trust,
            volume,
            hook_secret,
        } = self;
        f.debug_struct("Shop")
            .field("id", id)
            .field("name", name)
            .field("domains", domains)
            .field("secrets", &format_args!("[{} not shown]", secrets.len()))
            .field("from", from)
            .field("from_name", from_name)
            .field("reply_to", reply_to)
            .field("unsubscribe", unsubscribe)
            .field("locale", locale)
            .field("zone", zone)
            .field("link", link)
            .field("links", links)
            .field("postal_address", postal_address)
            .field("brand", brand)
            .field("relays", relays)
            .field("rules", rules)
            .field("consent_words", consent_words)
            .field("trust", trust)
            .field("volume", volume)
            .field("hook_secret", hook_secret)
            .finish()
    }
}

/// A shop's look in its letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    /// The colour of buttons and stars, `#rrggbb`.
    pub color: String,
    /// The logo, an `https` address.
    pub logo: Option<String>,
}

impl Default for Brand {
    fn default() -> Self {
        Self { color: "#1f6f54".to_owned(), logo: None }
    }
}

impl Config {
    /// The address that a shop adds to its mails, with the first of its secrets.
    pub fn bcc_address(&self, shop: &Shop) -> String {
        format!("{}+{}@{}", shop.id, shop.secrets.first().map_or("", String::as_str), self.ingest_domain)
    }

    /// The shops' policies.
    pub fn policies(&self) -> Policies {
        self.shops.iter().map(|shop| (shop.id.clone(), shop.rules.clone())).collect()
    }

    /// The shop of this id.
    pub fn shop(&self, id: &ShopId) -> Option<&Shop> {
        self.shops.iter().find(|shop| shop.id == *id)
    }
}

/// The address to listen on when none is configured: loopback, since an open port should be a decision.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 2525);

/// How long copies are kept when nothing is configured (product, section 2).
pub(super) const DEFAULT_KEEP_COPIES: Duration = DAY.saturating_mul(30);

/// How long our own links are good for unless something else is written (product, section 5).
pub(super) const DEFAULT_LINK_EXPIRY: Duration = DAY.saturating_mul(180);

/// The name of a relay that has none in the configuration, and the relay of a shop that names none.
pub(super) const DEFAULT_RELAY: &str = "default";

/// Connections to a relay at one time. Letters are few and spread over the day; a small relay bears this many beside its own work.
pub(super) const DEFAULT_CONNECTIONS: usize = 4;

/// Letters over one connection: what Postfix, too, takes for a connection well used (`smtp_connection_reuse_count_limit`).
pub(super) const DEFAULT_LETTERS_PER_CONNECTION: u32 = 100;
