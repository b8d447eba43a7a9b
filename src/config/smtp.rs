//! `[smtp]`: the plain listeners, the door's name, its certificate and its bounds.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::document::Table;

use super::listener::{self, Listener};
use super::settings::{DEFAULT_LISTEN, Door, Limits, TlsFiles};
use super::values::{bytes, has, host, number, path, problem_at, span};

const KIB: usize = 1_024;
const MIB: usize = 1_024 * KIB;
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

/// The door; without the table, the defaults with the ingest domain's name.
pub(super) fn read(top: &Table<'_>, folder: &Path, ingest_domain: Option<&str>) -> Option<Door> {
    let with_listeners = |listen: Option<Vec<Listener>>, has_certificate: bool| {
        // Whoever says where to listen by [[listener]] alone does not ask for an open port beside it.
        let fallback = || if has(top, "listener") { Vec::new() } else { vec![Listener::plain(DEFAULT_LISTEN)] };
        let mut listeners = listen.unwrap_or_else(fallback);
        listeners.extend(listener::read_all(top, folder, has_certificate, &listeners));
        listeners
    };
    if top.any("smtp").is_none() {
        let listeners = with_listeners(None, false);
        let hostname = ingest_domain?.to_owned();
        return Some(Door { listeners, hostname, tls: None, limits: Limits::default() });
    }
    let mut read = None;
    let door = top.table("smtp", |table| {
        let listen = listen(table, has(top, "listener"));
        let hostname = table.string("hostname").map_or_else(|| ingest_domain.map(str::to_owned), host);
        let tls = table.table("tls", |tls| {
            tls.required("certificate", "write the PEM file of the certificate chain");
            let certificate = path(tls, "certificate", folder);
            tls.required("key", "write the PEM file of the certificate's key");
            let key = path(tls, "key", folder);
            Some(TlsFiles { certificate: certificate?, key: key? })
        });
        let limits = table.table("limits", |table| Some(limits(table))).unwrap_or_default();
        read = Some((listen, has(table, "tls")));
        Some(Door { listeners: Vec::new(), hostname: hostname?, tls, limits })
    });
    // Read even when the table is no table, so that no mistake hides behind another.
    let (listen, has_certificate) = read.unwrap_or_default();
    let listeners = with_listeners(listen, has_certificate);
    door.map(|door| Door { listeners, ..door })
}

/// Whether a certificate is written, right or wrong.
pub(super) fn has_certificate(top: &Table<'_>) -> bool {
    top.any("smtp").is_some_and(|smtp| smtp.value.as_table().is_some_and(|smtp| smtp.contains_key("tls")))
}

/// The plain listeners; `None` when none are written.
fn listen(table: &Table<'_>, others: bool) -> Option<Vec<Listener>> {
    let entries = table.strings("listen")?;
    if entries.is_empty() && !others {
        problem_at(
            table,
            "listen",
            "is empty",
            "write at least one address, or leave the key out for \"127.0.0.1:2525\"",
        );
    }
    let mut addresses = Vec::new();
    for entry in entries {
        let place = entry.clone();
        let remedy =
            "write an IP address and a port: \"127.0.0.1:2525\", \"[::1]:2525\", or \"[::]:25\" for all interfaces";
        let address = entry.check(remedy, |text| {
            text.parse::<SocketAddr>().map_err(|_| format!("{text:?} is no address to listen on"))
        });
        if address.is_some_and(|address| addresses.contains(&address)) {
            place.problem("is listed twice", "leave it out");
        }
        addresses.extend(address);
    }
    Some(addresses.into_iter().map(Listener::plain).collect())
}

/// The bounds of the bounds: below them ordinary mail is refused, above them they bound nothing.
fn limits(table: &Table<'_>) -> Limits {
    let default = Limits::default();
    let message = bytes(table, "message", 64 * KIB..=100 * MIB).unwrap_or(default.message);
    let sessions = number(table, "sessions", 1..=20_000).unwrap_or(default.sessions);
    let limits = Limits {
        command_line: bytes(table, "command_line", 512..=64 * KIB).unwrap_or(default.command_line),
        data_line: bytes(table, "data_line", 1_000..=100 * MIB).unwrap_or(default.data_line),
        message,
        header: bytes(table, "header", 16 * KIB..=MIB).unwrap_or(default.header.min(message)),
        received: number(table, "received", 10..=1_000).unwrap_or(default.received),
        recipients: number(table, "recipients", 1..=10_000).unwrap_or(default.recipients),
        errors: number(table, "errors", 3..=1_000).unwrap_or(default.errors),
        error_delay: span(table, "error_delay", Duration::ZERO..=SECOND * 60).unwrap_or(default.error_delay),
        idle_commands: number(table, "idle_commands", 5..=10_000).unwrap_or(default.idle_commands),
        sessions,
        sessions_per_client: number(table, "sessions_per_client", 1..=20_000)
            .unwrap_or(default.sessions_per_client.min(sessions)),
        connections_per_minute: number(table, "connections_per_minute", 1..=100_000)
            .unwrap_or(default.connections_per_minute),
        command_timeout: span(table, "command_timeout", SECOND * 10..=HOUR).unwrap_or(default.command_timeout),
        data_timeout: span(table, "data_timeout", SECOND * 10..=HOUR).unwrap_or(default.data_timeout),
        session_timeout: span(table, "session_timeout", SECOND * 60..=HOUR * 24).unwrap_or(default.session_timeout),
    };
    if limits.header > limits.message {
        problem_at(
            table,
            "header",
            "is larger than message",
            "a header section is a part of its message: lower header",
        );
    }
    if limits.sessions_per_client > limits.sessions {
        problem_at(table, "sessions_per_client", "is more than sessions", "lower it, or raise sessions");
    }
    limits
}
