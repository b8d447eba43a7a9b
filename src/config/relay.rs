//! `[[relay]]`: the servers that letters are handed to.

use std::path::Path;
use std::time::Duration;

use crate::document::{Entry, Table};

use super::settings::{
    DEFAULT_CONNECTIONS, DEFAULT_LETTERS_PER_CONNECTION, DEFAULT_RELAY, Login, MailboxDomain, Relay, RelayTimeouts,
    ReturnPath, Tls,
};
use super::values::{
    has, host, host_and_port, host_or_ip, hourly, is_loopback, number, path, problem_at, secret, span, word,
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);
const MISSING: &str = "write at least one: [[relay]] with url = \"smtp://localhost:25\"";

/// What was read of all relays.
pub(super) struct Relays {
    /// Those that could be read.
    pub(super) relays: Vec<Relay>,
    /// The names of all, also of those with mistakes in them; `None` when a name is in doubt.
    pub(super) names: Option<Vec<String>>,
}

impl Relay {
    /// A relay in the clear that asks for no login, such as one on this machine, as it is where nothing else is written.
    pub fn plain(name: &str, host: &str, port: u16, hello_name: &str) -> Self {
        Self {
            name: name.to_owned(),
            host: host.to_owned(),
            port,
            tls: Tls::None,
            tls_ca: None,
            login: None,
            connections: DEFAULT_CONNECTIONS,
            letters_per_connection: DEFAULT_LETTERS_PER_CONNECTION,
            rate: None,
            per_domain: None,
            domains: Vec::new(),
            return_path: ReturnPath::default(),
            hello_name: hello_name.to_owned(),
            timeouts: RelayTimeouts::default(),
        }
    }
}

/// All relays, each with a name of its own.
pub(super) fn read_all(top: &Table<'_>, folder: &Path, hostname: Option<&str>) -> Relays {
    if !top.required("relay", MISSING) {
        return Relays { relays: Vec::new(), names: None };
    }
    let mut names: Option<Vec<String>> = Some(Vec::new());
    let mut count = 0;
    let relays = top.tables("relay", |table| {
        count += 1;
        let name = name(table, names.as_deref().unwrap_or_default());
        match &name {
            Some(name) => names.iter_mut().for_each(|names| names.push(name.clone())),
            None => names = None,
        }
        read(table, folder, name, hostname)
    });
    if relays.is_some() && count == 0 {
        problem_at(top, "relay", "is an empty list", MISSING);
    }
    Relays { relays: relays.unwrap_or_default(), names: names.filter(|names| !names.is_empty()) }
}

fn name(table: &Table<'_>, taken: &[String]) -> Option<String> {
    let Some(entry) = table.string("name") else {
        let unnamed = !has(table, "name");
        if unnamed && taken.iter().any(|name| name == DEFAULT_RELAY) {
            table.problem("is a second relay without a name", "give it one: name = \"…\"");
        }
        return unnamed.then(|| DEFAULT_RELAY.to_owned());
    };
    entry.check("write a short name of a-z, 0-9 and hyphens that no other relay has", |text| {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if taken.iter().any(|name| name == text) {
            Err(format!("{text:?} is the name of another relay"))
        } else if (1..=32).contains(&text.len()) && text.bytes().all(plain) {
            Ok((*text).to_owned())
        } else {
            Err(format!("{text:?} is no name for a relay"))
        }
    })
}

fn read(table: &Table<'_>, folder: &Path, name: Option<String>, hostname: Option<&str>) -> Option<Relay> {
    let endpoint = table.required_string("url", "write where it is: url = \"smtp://localhost:25\"").and_then(endpoint);
    let tls = tls(table, endpoint.as_ref());
    let tls_ca = path(table, "ca", folder);
    let login = login(table, folder);
    let connections = number(table, "connections", 1..=100).unwrap_or(DEFAULT_CONNECTIONS);
    let letters_per_connection =
        number(table, "letters_per_connection", 1..=10_000).unwrap_or(DEFAULT_LETTERS_PER_CONNECTION);
    let rate = hourly(table, "rate", "");
    let per_domain = number(table, "per_domain", 1..=100);
    let domains = domains(table);
    let words = [("own", ReturnPath::Own), ("from", ReturnPath::From)];
    let return_path = word(table, "return_path", &words).unwrap_or_default();
    let hello_name = table.string("hello_name").map_or_else(|| hostname.map(str::to_owned), host);
    let timeouts = table.table("timeouts", |table| Some(timeouts(table))).unwrap_or_default();
    let (endpoint, tls) = (endpoint?, tls?);
    if tls_ca.is_some() && matches!(tls, Tls::None | Tls::Opportunistic) {
        problem_at(
            table,
            "ca",
            "has no effect, since no certificate is checked",
            "set tls = \"required\", or leave ca out",
        );
    }
    if login.is_some() && matches!(tls, Tls::None | Tls::Opportunistic) && !endpoint.is_loopback() {
        problem_at(
            table,
            "password",
            "could travel in the clear",
            "set tls = \"required\", or use smtps://; on this machine write the host as localhost",
        );
    }
    Some(Relay {
        name: name?,
        host: endpoint.host,
        port: endpoint.port,
        tls,
        tls_ca,
        login,
        connections,
        letters_per_connection,
        rate,
        per_domain,
        domains,
        return_path,
        hello_name: hello_name?,
        timeouts,
    })
}

/// What holds for the mailboxes of single domains.
fn domains(table: &Table<'_>) -> Vec<MailboxDomain> {
    let mut taken = Vec::new();
    let domains = table.tables("domain", |table| {
        let entry = table.required_string("name", "write the part after the @: name = \"gmail.com\"");
        let place = entry.clone();
        let name = entry.and_then(host);
        let connections = number(table, "connections", 1..=100);
        let rate = hourly(table, "rate", "");
        if !has(table, "connections") && !has(table, "rate") {
            table.problem("bounds nothing", "write connections = 2, or rate = \"100 per hour\"");
        }
        let name = name?;
        if let Some(place) = place.filter(|_| taken.contains(&name)) {
            place.problem("is the name of another domain of this relay", "write both bounds in one place");
        }
        taken.push(name.clone());
        Some(MailboxDomain { name, connections, rate })
    });
    domains.unwrap_or_default()
}

/// How the connection is protected. A relay on this machine is taken as it is: its certificate is rarely one that could be
/// checked, and nobody stands between.
fn tls(table: &Table<'_>, endpoint: Option<&Endpoint>) -> Option<Tls> {
    let words = [("none", Tls::None), ("opportunistic", Tls::Opportunistic), ("required", Tls::Required)];
    let chosen = word(table, "tls", &words);
    let endpoint = endpoint?;
    if endpoint.implicit && has(table, "tls") {
        problem_at(
            table,
            "tls",
            "stands beside smtps://, which is TLS from the first byte",
            "leave tls out, or use smtp://",
        );
    }
    Some(match chosen {
        _ if endpoint.implicit => Tls::Implicit,
        Some(chosen) => chosen,
        None if endpoint.is_loopback() => Tls::Opportunistic,
        None => Tls::Required,
    })
}

fn login(table: &Table<'_>, folder: &Path) -> Option<Login> {
    let user = table.string("user");
    let password = secret(table, "password", folder);
    match (has(table, "user"), has(table, "password")) {
        (true, false) => table.problem("has a user but no password", "add password = { file = \"…\" }"),
        (false, true) => table.problem("has a password but no user", "add user = \"…\""),
        _ => {}
    }
    let user = user?.check("write the user name that the relay knows", |text| match *text {
        "" => Err("is empty"),
        text if text.chars().any(char::is_control) => Err("has a control character in it"),
        text => Ok(text.to_owned()),
    });
    Some(Login { user: user?, password: password? })
}

fn timeouts(table: &Table<'_>) -> RelayTimeouts {
    let default = RelayTimeouts::default();
    let timeout = |key, default| span(table, key, SECOND..=HOUR).unwrap_or(default);
    RelayTimeouts {
        connect: timeout("connect", default.connect),
        command: timeout("command", default.command),
        data: timeout("data", default.data),
        dot: timeout("dot", default.dot),
    }
}

/// Where a relay is.
#[derive(Debug, PartialEq)]
struct Endpoint {
    host: String,
    port: u16,
    implicit: bool,
}

impl Endpoint {
    fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }
}

/// Messages do not repeat the text: people put passwords into addresses.
fn endpoint(entry: Entry<'_, &str>) -> Option<Endpoint> {
    entry.check("write \"smtp://host:port\", or \"smtps://host:port\" for TLS from the first byte", |text| {
        let (scheme, rest) = text.split_once("://").ok_or("has no smtp:// or smtps:// in front")?;
        let (implicit, default_port) = match scheme.to_ascii_lowercase().as_str() {
            "smtp" => (false, 25),
            "smtps" => (true, 465),
            _ => return Err("is neither smtp:// nor smtps://"),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('@') {
            return Err("has a login in it, which belongs into user and password");
        }
        if rest.contains(['/', '?', '#']) {
            return Err("has something after the port");
        }
        let (host, port) = host_and_port(rest)?;
        let host = host_or_ip(host).ok_or("names no host")?;
        let port = port.unwrap_or(default_port);
        Ok(Endpoint { host, port, implicit })
    })
}
