//! The first configuration of a new installation: the annotated example that ships, with the answers of `invited init` in it.
//!
//! One text for both, so that what a shop owner reads in the example is what stands in his own file.

use std::time::Duration;

use crate::domain::Policy;

use super::settings::DEFAULT_LISTEN;
use super::units::written;

/// The example that ships. It has one `[[relay]]` and one `[[shop]]`, and each key on a line of its own.
pub(super) const EXAMPLE: &str = include_str!("../../config/invited.toml");

/// What `invited init` asks for. The texts are taken as they are: [`super::parse`] says what is wrong with them.
#[derive(Clone, PartialEq, Eq)]
pub struct Answers {
    /// Where the queue is kept, as [`super::Database::parse`] reads it; a relative path starts from the configuration's folder.
    pub database: String,
    /// The file of the master key; a relative one starts from the configuration's folder.
    pub master_key: String,
    /// The domain of the BCC addresses.
    pub ingest_domain: String,
    /// The address that the listener takes, `127.0.0.1:2525`.
    pub listen: String,
    /// The name that the listener greets with.
    pub hostname: String,
    /// The relay, `smtp://host:port` or `smtps://host:port`.
    pub relay: String,
    /// The shop's short name.
    pub shop: String,
    /// Its name as customers know it.
    pub shop_name: String,
    /// Its own domain.
    pub shop_domain: String,
    /// The secret of its BCC address, drawn by the caller.
    pub secret: String,
    /// The sender of its letters.
    pub from: String,
    /// Where the letters' stars lead.
    pub link: String,
    /// The address that customers see our own pages at, and where they are served; without it there are none.
    pub pages: Option<(String, String)>,
    /// The language of its letters.
    pub locale: String,
    /// Its time zone, an IANA name.
    pub timezone: String,
    /// From the order to the invitation.
    pub delay: Duration,
    /// Whether letters go at night too, as is right where nobody gets them.
    pub at_any_hour: bool,
    /// Whether the secret address alone is enough to be believed, whatever the volume, as is right where nobody else can reach the door.
    pub believe_address: bool,
}

impl Answers {
    /// Answers for a shop of which only the domain is known, and the secret that the caller has drawn for it.
    ///
    /// Everything else is a guess by custom. The link is one that the owner must look at: nobody can guess a review page.
    pub fn new(shop_domain: &str, secret: &str) -> Self {
        let domain = shop_domain.trim().trim_start_matches("www.").to_lowercase();
        let first_label = domain.split('.').next().unwrap_or_default();
        let ingest_domain = format!("invited.{domain}");
        Self {
            database: "invited.db".to_owned(),
            master_key: "master.key".to_owned(),
            listen: DEFAULT_LISTEN.to_string(),
            hostname: ingest_domain.clone(),
            ingest_domain,
            relay: "smtp://localhost:25".to_owned(),
            shop: short_name(first_label),
            shop_name: capitalised(first_label),
            secret: secret.to_owned(),
            from: format!("reviews@{domain}"),
            link: format!("https://{domain}/review?order={{reference}}"),
            pages: None,
            shop_domain: domain,
            locale: "en".to_owned(),
            timezone: "UTC".to_owned(),
            delay: Policy::default().delay,
            at_any_hour: false,
            believe_address: false,
        }
    }
}

/// A shop id out of a domain's label: without what is not allowed in one.
fn short_name(label: &str) -> String {
    let name = label.chars().filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-').take(32);
    match name.collect::<String>().trim_matches('-') {
        "" => "shop".to_owned(),
        name => name.to_owned(),
    }
}

fn capitalised(label: &str) -> String {
    let mut letters = label.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The annotated configuration with these answers. What was not asked is left as the example has it: switched off.
pub fn template(answers: &Answers) -> String {
    let text = |text: &str| toml::Value::from(text).to_string();
    let list = |item: &str| format!("[{}]", text(item));
    let mut filled = vec![
        ("", "database", text(&answers.database)),
        ("", "master_key", format!("{{ file = {} }}", text(&answers.master_key))),
        ("", "ingest_domain", text(&answers.ingest_domain)),
        ("smtp", "listen", list(&answers.listen)),
        ("smtp", "hostname", text(&answers.hostname)),
        ("relay", "url", text(&answers.relay)),
        ("shop", "id", text(&answers.shop)),
        ("shop", "name", text(&answers.shop_name)),
        ("shop", "domains", list(&answers.shop_domain)),
        ("shop", "secrets", list(&answers.secret)),
        ("shop", "from", text(&answers.from)),
        ("shop", "link", text(&answers.link)),
        ("shop", "locale", text(&answers.locale)),
        ("shop", "timezone", text(&answers.timezone)),
        ("policy", "delay", text(&written(answers.delay))),
    ];
    if answers.at_any_hour {
        filled.push(("policy", "window", "false".to_owned()));
    }
    if answers.believe_address {
        filled.push(("shop.trust", "address", text("accept")));
        filled.push(("shop.trust", "volume", text("off")));
    }
    if let Some((url, listen)) = &answers.pages {
        // Without it everybody behind the proxy of this machine would share one client's limits.
        let proxies = "[\"127.0.0.1\", \"::1\"]".to_owned();
        filled.extend([("pages", "url", text(url)), ("pages", "listen", text(listen)), ("pages", "proxies", proxies)]);
    }
    let mut table = "";
    let mut out = String::with_capacity(EXAMPLE.len() + 256);
    for line in EXAMPLE.lines() {
        let line = if answers.pages.is_some() && line == "#[pages]" { "[pages]" } else { line };
        // A block that is switched off has keys of its own, too.
        if let Some(block) = line.strip_prefix('#').unwrap_or(line).strip_prefix('[') {
            table = block.trim_matches(['[', ']']);
        }
        let key = key_of(line);
        match filled.iter().find(|(inside, name, _)| *inside == table && Some(*name) == key) {
            Some((_, name, value)) => out.extend([*name, " = ", value.as_str()]),
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// The key of a line `key = value` or `#key = value`. Prose has a blank after its `#`, hence no key.
pub(super) fn key_of(line: &str) -> Option<&str> {
    let (key, _) = line.strip_prefix('#').unwrap_or(line).split_once(" = ")?;
    (!key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')).then_some(key)
}
