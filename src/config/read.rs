//! The top of the configuration, and what must hold between its parts.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::document::{Document, Problem, Problems, Table};
use crate::domain::DAY;

use super::settings::{Config, DEFAULT_KEEP_COPIES, DEFAULT_LINK_EXPIRY, Door, LogFormat, Metrics, Role};
use super::values::{file, has, host, path, problem_at, secret, span, word};
use super::{database, dkim, link, login, pages, policy, relay, shop, smtp, trust};

/// Reads a configuration. Relative paths in it start from `folder`, the folder of the file it came from.
///
/// The error holds every problem of the document, in the order of their places; secrets are in none of them.
pub fn parse(document: &Document, folder: &Path) -> Result<Config, Vec<Problem>> {
    let problems = Problems::default();
    let config = read(document, folder, &problems);
    let problems = problems.into_sorted();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

/// [`parse`] with the problems outside, for tests that ask what was read.
pub(super) fn read(document: &Document, folder: &Path, problems: &Problems) -> Option<Config> {
    document.read(problems, |top| top_table(top, folder))
}

/// Each value is read before the first `?`, so that no problem and no key hides behind another.
fn top_table(top: &Table<'_>, folder: &Path) -> Option<Config> {
    let database = database::read(top, folder);
    top.required("master_key", "write where the key is: master_key = { file = \"master.key\" }");
    let master_key = secret(top, "master_key", folder);
    let ingest_domain = top
        .required_string(
            "ingest_domain",
            "write the domain of the BCC addresses: ingest_domain = \"invited.example.com\"",
        )
        .and_then(host);
    let templates_dir = path(top, "templates", folder);
    let letters_dir = path(top, "letters", folder);
    let keep_copies = span(top, "keep_copies", DAY..=DAY * 3_650).unwrap_or(DEFAULT_KEEP_COPIES);
    let hold_all = top.boolean("hold_all").is_some_and(|entry| entry.value);
    let log = top.table("log", |log| {
        let formats = [
            ("automatic", LogFormat::Automatic),
            ("journal", LogFormat::Journal),
            ("text", LogFormat::Text),
            ("json", LogFormat::Json),
        ];
        word(log, "format", &formats)
    });
    let suppression = top.table("suppression", |list| Some(list.boolean("hashed").is_some_and(|entry| entry.value)));
    let metrics = top.table("metrics", |metrics| {
        Some(Metrics { textfile: metrics_file(metrics, folder), listen: metrics_address(metrics) })
    });
    let door = smtp::read(top, folder, ingest_domain.as_deref());
    let pages = pages::read(top, folder, smtp::has_certificate(top));
    let logins = login::read_all(top, folder);
    let wants_logins = |door: &Door| door.listeners.iter().any(|listener| listener.role == Role::Submission);
    if door.as_ref().is_some_and(wants_logins) && top.any("login").is_none() {
        let remedy = "add one: [[login]] with user and password, or give the listener another role";
        problem_at(top, "listener", "has the role submission, but there is nobody who may log in", remedy);
    }
    let relays = relay::read_all(top, folder, door.as_ref().map(|door| door.hostname.as_str()));
    let dns_servers = trust::dns_servers(top);
    let dkim = dkim::read_all(top, folder);
    let policy = policy::read_top(top);
    let link_keys = link::keys(top, folder);
    let link_expiry = span(top, "link_expiry", DAY * 7..=DAY * 1_825).unwrap_or(DEFAULT_LINK_EXPIRY);
    let links = link::Around { folder, has_pages: has(top, "pages") };
    let shops = shop::read_all(top, links, ingest_domain.as_deref(), &relays.names, &logins.users, &policy);
    Some(Config {
        database: database?,
        master_key: master_key?,
        ingest_domain: ingest_domain?,
        door: door?,
        logins: logins.logins,
        relays: relays.relays,
        dkim,
        shops,
        templates_dir,
        letters_dir,
        keep_copies,
        hold_all,
        log: log.unwrap_or_default(),
        hashed_suppressions: suppression.unwrap_or_default(),
        metrics: metrics.unwrap_or_default(),
        pages,
        link_keys,
        link_expiry,
        dns_servers,
    })
}

/// The file for figures. node_exporter's textfile collector passes over names that do not end so, without a word.
fn metrics_file(metrics: &Table<'_>, folder: &Path) -> Option<PathBuf> {
    let remedy = "write a file's name that ends in \".prom\", as node_exporter's textfile collector wants it";
    metrics.string("textfile")?.check(remedy, |text| {
        let is_read = text.len() > 5 && text.ends_with(".prom") && !text.ends_with("/.prom");
        if is_read { file(text, folder) } else { Err("does not end in \".prom\"") }
    })
}

/// The address of the HTTP listener for figures and health.
fn metrics_address(metrics: &Table<'_>) -> Option<SocketAddr> {
    let remedy = "write an IP address and a port: \"127.0.0.1:9125\"";
    let no_address = |text: &str| format!("{text:?} is no address to listen on");
    metrics.string("listen")?.check(remedy, |text| text.parse().map_err(|_| no_address(text)))
}
