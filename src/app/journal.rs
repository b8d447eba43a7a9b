//! Events as entries of systemd's journal, each value in a field of its own: `journalctl COPY=12`, `journalctl -p warning`. The message
//! is the same line that a file would get, so that whoever only reads the journal misses nothing. The protocol is that of
//! <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>: one datagram an entry. An entry that cannot be sent goes to standard error.

use std::fmt::{Debug, Write as _};
use std::io::{self, Write as _};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Where the journal listens.
pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

/// The way to the journal.
pub(super) struct Journal(UnixDatagram);

impl Journal {
    /// Connects to the journal.
    ///
    /// # Errors
    /// When nobody listens there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        // A journal that is busy must not make a session wait.
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut entry = Entry::default();
        event.record(&mut entry);
        let bytes = entry.bytes(*event.metadata().level(), event.metadata().target());
        if self.0.send(&bytes).is_err() {
            // Whoever reads standard error of a service is the journal too, by another way.
            let _ = writeln!(io::stderr(), "{} {}", event.metadata().level(), entry.line());
        }
    }
}

/// An event's values.
#[derive(Default)]
struct Entry {
    message: String,
    fields: Vec<(&'static str, String)>,
}

impl Visit for Entry {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.take(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field.name(), value.to_owned());
    }
}

impl Entry {
    fn take(&mut self, name: &'static str, value: String) {
        match name {
            "message" => self.message = value,
            name => self.fields.push((name, value)),
        }
    }

    /// The message with its values, as in a file.
    fn line(&self) -> String {
        let mut line = self.message.clone();
        for (name, value) in &self.fields {
            // Writing to a string does not fail.
            let _ = write!(line, " {name}={value}");
        }
        line
    }

    fn bytes(&self, level: Level, target: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        add(&mut bytes, "MESSAGE", &self.line());
        add(&mut bytes, "PRIORITY", priority(level));
        add(&mut bytes, "SYSLOG_IDENTIFIER", "invited");
        add(&mut bytes, "TARGET", target);
        for (name, value) in &self.fields {
            add(&mut bytes, &field_name(name), value);
        }
        bytes
    }
}

/// syslog's levels (RFC 5424 6.2.1). What tells of each mail is no "notice".
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    }
}

/// Upper case, digits and underscores; the journal drops fields that begin with an underscore, and its own names stay its own.
fn field_name(name: &str) -> String {
    let name = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    let name = name.collect::<String>();
    let is_taken = ["MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER", "TARGET"].contains(&name.as_str());
    if is_taken || !name.starts_with(|c: char| c.is_ascii_alphabetic()) { format!("FIELD_{name}") } else { name }
}

/// A value with a line feed in it goes with its length, so that it cannot begin a field of its own.
fn add(bytes: &mut Vec<u8>, name: &str, value: &str) {
    bytes.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        bytes.push(b'\n');
        bytes.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        bytes.push(b'=');
    }
    bytes.extend_from_slice(value.as_bytes());
    bytes.push(b'\n');
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn an_event_is_an_entry_with_a_field_for_each_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        assert!(Journal::open(&path).is_err(), "nobody listens");
        let socket = UnixDatagram::bind(&path).unwrap();
        let subscriber = tracing_subscriber::registry().with(Journal::open(&path).unwrap());
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(copy = 12, shop = %"nord", error = "a\nPRIORITY=0", "a copy was read");
        });
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).unwrap();
        let entry = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let plain = entry.lines().filter(|line| line.contains('=')).collect::<Vec<_>>();
        for field in ["PRIORITY=4", "SYSLOG_IDENTIFIER=invited", "COPY=12", "SHOP=nord"] {
            assert!(plain.contains(&field), "{field} is missing: {entry:?}");
        }
        assert!(entry.contains("ERROR\n\u{c}\0\0\0\0\0\0\0a\nPRIORITY=0\n"), "with its length: {entry:?}");
        assert!(entry.contains("a copy was read copy=12 shop=nord"), "{entry:?}");
    }

    #[test]
    fn names_are_what_the_journal_takes() {
        for (name, wanted) in [
            ("copy", "COPY"),
            ("copy.id", "COPY_ID"),
            ("_hidden", "FIELD__HIDDEN"),
            ("9lives", "FIELD_9LIVES"),
            ("priority", "FIELD_PRIORITY"),
        ] {
            assert_eq!(field_name(name), wanted);
        }
    }

    #[test]
    fn levels_are_those_of_syslog() {
        let levels = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE];
        assert_eq!(levels.map(priority), ["3", "4", "6", "7", "7"]);
    }
}
