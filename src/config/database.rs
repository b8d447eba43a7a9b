//! `database`: where the queue is kept, an SQLite file or a PostgreSQL database.
//!
//! Three forms mean a file (a path, `sqlite:path`, `sqlite:///path`), one a server (`postgres://…`, see [`super::postgres_url`]).
//! A password has no place in any of them: it stands beside the URL, in a table, as a [`Secret`].

use std::fmt;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::document::{Entry, Table};

use super::postgres_url;
use super::settings::Secret;
use super::values::{FILE_REMEDY, file, has, problem_at, secret};

/// What a wrong or missing `database` is told to be.
pub(super) const DATABASE_REMEDY: &str =
    "write where the queue shall be kept: database = \"/var/lib/invited/invited.db\", or \"postgres://user@host/name\"";

/// The unreserved characters of RFC 3986 2.3 stand as they are.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where the queue is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// An SQLite file.
    Sqlite(PathBuf),
    /// A database of a PostgreSQL server.
    Postgres(Postgres),
}

/// A database of a PostgreSQL server, and how to get to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postgres {
    /// Where the server is.
    pub host: PostgresHost,
    /// Its port, 5432 unless written; for a Unix socket part of the socket's file name.
    pub port: u16,
    /// The role to log in as.
    pub user: String,
    /// The database's name.
    pub name: String,
    /// How the connection is protected.
    pub tls: PostgresTls,
    /// A PEM file of certificate authorities to trust besides the public ones. Only where certificates are checked, and always
    /// there for [`PostgresTls::VerifiedIssuer`].
    pub ca: Option<PathBuf>,
    /// Where the password is, when the server asks for one.
    pub password: Option<Secret>,
}

/// Where a PostgreSQL server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PostgresHost {
    /// A host name (lower-case A-labels) or an IP address (IPv6 without brackets).
    Tcp(String),
    /// The folder of a Unix socket; the socket in it is `.s.PGSQL.<port>`.
    Socket(PathBuf),
}

/// How a connection to PostgreSQL is protected: the words of libpq's `sslmode`, without `allow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostgresTls {
    /// `disable`: not at all. Always so over a Unix socket, where PostgreSQL speaks no TLS.
    None,
    /// `prefer`: when the server offers it, whatever its certificate.
    Opportunistic,
    /// `require`: or nothing is sent, but whatever the server's certificate.
    Encrypted,
    /// `verify-ca`: with a certificate of a trusted authority, whatever the name in it. As long as public authorities are among
    /// the trusted, that is little more than [`Self::Encrypted`].
    VerifiedIssuer,
    /// `verify-full`: with a certificate of a trusted authority for this host.
    Verified,
}

/// What is wrong with a text that should say where the queue is kept. Neither part repeats what might be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {remedy}")]
pub struct DatabaseFault {
    /// What is wrong; the text itself is the subject.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl DatabaseFault {
    pub(super) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

impl Database {
    /// Reads a path, `sqlite:…` or `postgres://…`. Relative paths in it start from `folder`.
    ///
    /// # Errors
    /// Everything that is wrong with the text, at least one fault.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, Vec<DatabaseFault>> {
        let Some((scheme, rest)) = scheme(text) else {
            return sqlite(text, folder);
        };
        match scheme.to_ascii_lowercase().as_str() {
            "sqlite" => sqlite_url(rest, folder),
            "postgres" | "postgresql" => match rest.strip_prefix("//") {
                Some(rest) => postgres_url::parse(rest, folder).map(Self::Postgres),
                None => Err(vec![DatabaseFault::new("has no \"//\" behind postgres:", postgres_url::FORM)]),
            },
            _ => Err(vec![DatabaseFault::new(
                "has a scheme that is neither sqlite: nor postgres://",
                "write a file's path or postgres://user@host/name; put \"./\" before a file name with a colon in it",
            )]),
        }
    }
}

/// The path, or `postgres://user@host:port/name`: without parameters, and [`Database::parse`] and psql read it back. Fit for logs.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(postgres) => postgres.fmt(f),
        }
    }
}

/// As [`Database`] shows it.
impl fmt::Display for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}@", utf8_percent_encode(&self.user, ESCAPED))?;
        match &self.host {
            PostgresHost::Tcp(ip) if ip.parse::<Ipv6Addr>().is_ok() => write!(f, "[{ip}]")?,
            PostgresHost::Tcp(name) => f.write_str(name)?,
            PostgresHost::Socket(folder) => {
                write!(f, "{}", utf8_percent_encode(&folder.to_string_lossy(), ESCAPED))?;
            }
        }
        write!(f, ":{}/{}", self.port, utf8_percent_encode(&self.name, ESCAPED))
    }
}

/// The key `database`, a text or a table with `url` and `password`.
pub(super) fn read(top: &Table<'_>, folder: &Path) -> Option<Database> {
    top.required("database", DATABASE_REMEDY);
    let entry = top.any("database")?;
    if entry.value.is_table() {
        return top.table("database", |table| with_password(table, folder));
    }
    noted(&entry.text(DATABASE_REMEDY)?, folder)
}

fn with_password(table: &Table<'_>, folder: &Path) -> Option<Database> {
    table.required("url", "write where the database is: url = \"postgres://user@host/name\"");
    let url = table.string("url");
    let password = secret(table, "password", folder);
    let mut database = noted(&url?, folder)?;
    match &mut database {
        Database::Postgres(postgres) => postgres.password = password,
        Database::Sqlite(_) if has(table, "password") => {
            problem_at(table, "password", "has no use, since an SQLite file has no password", "leave it out");
        }
        Database::Sqlite(_) => {}
    }
    Some(database)
}

fn noted(entry: &Entry<'_, &str>, folder: &Path) -> Option<Database> {
    let faults = match Database::parse(entry.value, folder) {
        Ok(database) => return Some(database),
        Err(faults) => faults,
    };
    for fault in faults {
        entry.problem(fault.what, fault.remedy);
    }
    None
}

/// The scheme in front of the first colon. What holds "://" has one, right or wrong, so that no address, which may have a password
/// in it, is ever taken for a path and shown.
fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    (rest.starts_with("//") || (!scheme.is_empty() && scheme.chars().all(plain))).then_some((scheme, rest))
}

fn sqlite_url(rest: &str, folder: &Path) -> Result<Database, Vec<DatabaseFault>> {
    let path = match rest.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        Some(_) => {
            return Err(vec![DatabaseFault::new(
                "has a host behind sqlite://",
                "write sqlite:/absolute/path or sqlite:relative/path",
            )]);
        }
        None => rest,
    };
    if path.contains('?') {
        return Err(vec![DatabaseFault::new(
            "has parameters behind the path",
            "leave them out; a path with a question mark in it is written without sqlite:",
        )]);
    }
    sqlite(path, folder)
}

fn sqlite(path: &str, folder: &Path) -> Result<Database, Vec<DatabaseFault>> {
    file(path, folder).map(Database::Sqlite).map_err(|what| vec![DatabaseFault::new(what, FILE_REMEDY)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Database, String> {
        Database::parse(text, Path::new("/etc/invited"))
            .map_err(|faults| faults.iter().map(|fault| fault.what.clone()).collect::<Vec<_>>().join(" + "))
    }

    #[test]
    fn files_are_read_with_and_without_a_scheme() {
        for (text, path) in [
            ("/var/lib/invited/invited.db", "/var/lib/invited/invited.db"),
            ("invited.db", "/etc/invited/invited.db"),
            ("./with:colon.db", "/etc/invited/./with:colon.db"),
            ("/srv/with:colon?.db", "/srv/with:colon?.db"),
            ("sqlite:/var/lib/invited.db", "/var/lib/invited.db"),
            ("sqlite:relative.db", "/etc/invited/relative.db"),
            ("sqlite:///srv/invited.db", "/srv/invited.db"),
            ("SQLite:a%20b.db", "/etc/invited/a%20b.db"),
        ] {
            let database = parsed(text).unwrap();
            assert_eq!(database, Database::Sqlite(PathBuf::from(path)), "{text}");
            assert_eq!(database.to_string(), path);
        }
    }

    #[test]
    fn what_is_neither_a_file_nor_postgresql_says_why_and_repeats_nothing() {
        let other = "has a scheme that is neither sqlite: nor postgres://";
        for (text, why) in [
            ("", "is empty"),
            ("~/invited.db", "begins with \"~\", which only a shell knows"),
            ("sqlite:", "is empty"),
            ("sqlite://invited.db", "has a host behind sqlite://"),
            ("sqlite:///invited.db?mode=rwc", "has parameters behind the path"),
            ("mysql://root:opensesame@localhost/invited", other),
            ("mysql:invited", other),
            ("file:invited.db", other),
            (" postgres://invited:opensesame@localhost/invited", other),
            ("://invited:opensesame@localhost/invited", other),
            ("postgres:invited", "has no \"//\" behind postgres:"),
            ("postgresql:/invited", "has no \"//\" behind postgres:"),
        ] {
            assert_eq!(parsed(text), Err(why.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_server_is_shown_without_parameters_and_is_read_back_from_what_is_shown() {
        for (text, shown) in [
            (
                "postgresql://invited@db.example.com/queue?sslmode=prefer",
                "postgres://invited@db.example.com:5432/queue",
            ),
            ("postgres://invited@[::1]:6432/queue", "postgres://invited@[::1]:6432/queue"),
            ("postgres://in%40vited@/a%2Fb?host=/run/pg", "postgres://in%40vited@%2Frun%2Fpg:5432/a%2Fb"),
        ] {
            let database = parsed(text).unwrap();
            assert_eq!(database.to_string(), shown);
            let (Database::Postgres(first), Ok(Database::Postgres(again))) = (database, parsed(shown)) else {
                panic!("{text} is a server")
            };
            assert_eq!(
                (first.host, first.port, first.user, first.name),
                (again.host, again.port, again.user, again.name)
            );
        }
    }
}
