//! `postgres://user@host:port/name?parameters`, as libpq reads it, with less that goes without saying.
//!
//! libpq takes what is missing from the environment and from the operating system; here host, user and name are written, so that
//! a service and a person at a shell mean the same database. A password is refused, and so is every parameter that would have no
//! effect.
//!
//! No message repeats a value, the word of `sslmode` apart: people put passwords into addresses.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

use super::database::{DatabaseFault, Postgres, PostgresHost, PostgresTls};
use super::values::{host_and_port, host_or_ip, is_loopback, listed, port};

/// What a wrong URL should look like.
pub(super) const FORM: &str = "write postgres://user@host:port/name";
const DEFAULT_PORT: u16 = 5432;
const PASSWORD_REMEDY: &str =
    "take it out, and write database = { url = \"postgres://user@host/name\", password = { file = \"…\" } }";
const PORT_REMEDY: &str = "leave it out for 5432";
const MODES: [(&str, PostgresTls); 5] = [
    ("disable", PostgresTls::None),
    ("prefer", PostgresTls::Opportunistic),
    ("require", PostgresTls::Encrypted),
    ("verify-ca", PostgresTls::VerifiedIssuer),
    ("verify-full", PostgresTls::Verified),
];
/// What libpq 16 calls the authorities that everybody trusts, instead of a file's name.
const PUBLIC_AUTHORITIES: &str = "system";

/// Reads what stands behind `postgres://`. A relative `sslrootcert` starts from `folder`.
pub(super) fn parse(rest: &str, folder: &Path) -> Result<Postgres, Vec<DatabaseFault>> {
    let mut faults = Faults(Vec::new());
    let parts = Parts::split(rest, &mut faults);
    let Some(parts) = parts else { return Err(faults.0) };
    let host = parts.place_read.then(|| host(parts.host.as_deref(), &mut faults)).flatten();
    let port = match parts.port.as_deref().map(port) {
        None => DEFAULT_PORT,
        Some(Ok(port)) => port,
        Some(Err(what)) => {
            faults.add(what, PORT_REMEDY);
            DEFAULT_PORT
        }
    };
    let user = named(parts.user, "user", "write it before the host: postgres://user@host/name", &mut faults);
    let name = named(parts.name, "database", "write its name behind the host: postgres://user@host/name", &mut faults);
    let tls = tls(parts.sslmode.as_deref(), parts.sslrootcert.as_deref(), host.as_ref(), &mut faults);
    let ca = parts.sslrootcert.filter(|ca| ca != PUBLIC_AUTHORITIES).map(PathBuf::from).map(|ca| folder.join(ca));
    match (host, user, name, tls) {
        (Some(host), Some(user), Some(name), Some(tls)) if faults.0.is_empty() => {
            Ok(Postgres { host, port, user, name, tls, ca, password: None })
        }
        _ => Err(faults.0),
    }
}

struct Faults(Vec<DatabaseFault>);

impl Faults {
    /// The same fault of two parts is told once.
    fn add(&mut self, what: impl Into<String>, remedy: impl Into<String>) {
        let fault = DatabaseFault::new(what, remedy);
        if !self.0.contains(&fault) {
            self.0.push(fault);
        }
    }
}

/// The parts of a URL, decoded but not yet looked at; what is empty counts as not written, as with libpq.
#[derive(Default)]
struct Parts {
    /// False when host and port could not be told from each other, which says nothing about whether a host is written.
    place_read: bool,
    host: Option<String>,
    port: Option<String>,
    user: Option<String>,
    name: Option<String>,
    sslmode: Option<String>,
    sslrootcert: Option<String>,
}

impl Parts {
    /// `None` when it is in doubt where the parts begin.
    fn split(rest: &str, faults: &mut Faults) -> Option<Self> {
        let (authority, after) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        // A password with a slash or a question mark in it would be taken for a host, a name or a parameter, and repeated.
        if after.contains('@') {
            faults.add(
                "has an \"@\" behind the host",
                "write a \"@\" in a name as %40; a password does not stand here: use password = { file = \"…\" } beside url",
            );
            return None;
        }
        let mut parts = Self { place_read: true, ..Self::default() };
        let (login, place) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = login.split_once(':').map_or((login, None), |(user, password)| (user, Some(password)));
        parts.put("user", user, faults);
        if password.is_some() {
            faults.add("has a password in it", PASSWORD_REMEDY);
        }
        match host_and_port(place) {
            Ok((host, port)) => {
                parts.put("host", host, faults);
                parts.port = port.map(|port| port.to_string());
            }
            Err(what) => {
                faults.add(what, FORM);
                parts.place_read = false;
            }
        }
        let (path, query) = after.split_once('?').unwrap_or((after, ""));
        let name = path.strip_prefix('/').unwrap_or(path);
        if name.contains('/') {
            faults.add(
                "has a \"/\" behind the database's name",
                "leave it out, or write %2F when it is part of the name",
            );
        }
        parts.put("dbname", name, faults);
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some((key, value)) if !value.is_empty() => parts.put(key, value, faults),
                _ => faults.add("has a parameter without a value", "leave it out, or write one behind \"=\""),
            }
        }
        Some(parts)
    }

    /// Puts a parameter, or what stands for one in front of the question mark, to its place.
    fn put(&mut self, key: &str, value: &str, faults: &mut Faults) {
        let slot = match key {
            "host" => &mut self.host,
            "port" => &mut self.port,
            "user" => &mut self.user,
            "dbname" => &mut self.name,
            "sslmode" => &mut self.sslmode,
            "sslrootcert" => &mut self.sslrootcert,
            "password" => return faults.add("has a password in it", PASSWORD_REMEDY),
            _ => {
                return faults.add(
                    format!("has a parameter {key:?} that is not known"),
                    "leave it out; the parameters are sslmode, sslrootcert, host, port, user and dbname",
                );
            }
        };
        match decoded(value) {
            Ok(value) if value.is_empty() => {}
            Ok(value) if slot.is_none() => *slot = Some(value),
            Ok(_) => faults.add(format!("says {key} twice"), "keep one of them"),
            Err(what) => faults.add(what, "write \"%\" itself as %25"),
        }
    }
}

/// Percent-encoding undone; unlike the standard's reading, a half escape is a mistake.
fn decoded(text: &str) -> Result<String, &'static str> {
    let mut after_percent = text.split('%').skip(1);
    let whole = |after: &str| after.len() >= 2 && after.bytes().take(2).all(|b| b.is_ascii_hexdigit());
    if !after_percent.all(whole) {
        return Err("has a \"%\" without two hexadecimal digits behind it");
    }
    let text = percent_decode_str(text).decode_utf8().map_err(|_| "has escapes that are no UTF-8")?;
    if text.chars().any(char::is_control) { Err("has a control character in it") } else { Ok(text.into_owned()) }
}

fn named(text: Option<String>, what: &str, remedy: &str, faults: &mut Faults) -> Option<String> {
    if text.is_none() {
        faults.add(format!("names no {what}"), remedy);
    }
    text
}

fn host(text: Option<&str>, faults: &mut Faults) -> Option<PostgresHost> {
    match text {
        Some(folder) if folder.starts_with('/') => return Some(PostgresHost::Socket(PathBuf::from(folder))),
        Some(several) if several.contains(',') => faults.add("names several hosts", "name one"),
        Some(text) => match host_or_ip(text) {
            Some(host) => return Some(PostgresHost::Tcp(host)),
            None => faults.add("names no valid host", FORM),
        },
        None => faults.add(
            "names no host",
            "write it behind the \"@\"; for a Unix socket its folder: postgres://user@/name?host=/run/postgresql",
        ),
    }
    None
}

/// How the connection is protected. Without a word for it, strangers' networks get the full check; on this machine nobody stands
/// between, and certificates are rarely ones that could be checked.
fn tls(mode: Option<&str>, ca: Option<&str>, host: Option<&PostgresHost>, faults: &mut Faults) -> Option<PostgresTls> {
    let chosen = match mode.map(|mode| (mode, MODES.iter().find(|(word, _)| *word == mode))) {
        Some((_, Some((_, tls)))) => Some(*tls),
        Some((mode, None)) => {
            let words = listed(MODES.iter().map(|(word, _)| *word));
            faults.add(format!("has an sslmode {mode:?} that is not known"), format!("write {words}"));
            return None;
        }
        None => None,
    };
    let tls = match (chosen, host?) {
        (None | Some(PostgresTls::None | PostgresTls::Opportunistic), PostgresHost::Socket(_)) => PostgresTls::None,
        (Some(_), PostgresHost::Socket(_)) => {
            faults.add("asks for TLS over a Unix socket, where there is none", "leave sslmode and sslrootcert out");
            return None;
        }
        (Some(chosen), PostgresHost::Tcp(_)) => chosen,
        (None, PostgresHost::Tcp(host)) if ca.is_none() && is_loopback(host) => PostgresTls::Opportunistic,
        (None, PostgresHost::Tcp(_)) => PostgresTls::Verified,
    };
    match (tls, ca) {
        (PostgresTls::None | PostgresTls::Opportunistic | PostgresTls::Encrypted, Some(_)) => {
            faults.add(
                "names an sslrootcert, but has no certificate checked",
                "write sslmode=verify-full, or leave sslrootcert out",
            );
            None
        }
        // Everybody gets a certificate of a public authority, for a name of his own.
        (PostgresTls::VerifiedIssuer, None | Some(PUBLIC_AUTHORITIES)) => {
            faults.add(
                "has an sslmode \"verify-ca\" without an authority of its own",
                "write sslmode=verify-full, or add the authority's file: sslrootcert=/etc/…",
            );
            None
        }
        _ => Some(tls),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(rest: &str) -> Result<Postgres, Vec<String>> {
        parse(rest, Path::new("/etc/invited")).map_err(|faults| faults.into_iter().map(|fault| fault.what).collect())
    }

    fn tcp(host: &str) -> PostgresHost {
        PostgresHost::Tcp(host.to_owned())
    }

    fn socket(folder: &str) -> PostgresHost {
        PostgresHost::Socket(PathBuf::from(folder))
    }

    #[test]
    fn a_server_is_found_in_every_way_that_libpq_knows() {
        for (rest, host, port) in [
            ("invited@db.example.com/queue", tcp("db.example.com"), 5432),
            ("invited@DB.Example.com:6432/queue", tcp("db.example.com"), 6432),
            ("invited@db/queue", tcp("db"), 5432),
            ("invited@b\u{fc}cher.example/queue", tcp("xn--bcher-kva.example"), 5432),
            ("invited@192.0.2.7:1/queue", tcp("192.0.2.7"), 1),
            ("invited@[2001:db8::7]/queue", tcp("2001:db8::7"), 5432),
            ("invited@[::1]:65535/queue", tcp("::1"), 65_535),
            ("invited@/queue?host=/run/postgresql", socket("/run/postgresql"), 5432),
            ("invited@:5433/queue?host=/run/postgresql", socket("/run/postgresql"), 5433),
            ("invited@%2Frun%2Fpostgresql/queue", socket("/run/postgresql"), 5432),
            ("invited@%2frun%2Fpg%20sql:5433/queue?", socket("/run/pg sql"), 5433),
            ("/?host=2001:db8::7&port=6432&user=invited&dbname=queue", tcp("2001:db8::7"), 6432),
            ("?host=%2Frun%2Fpostgresql&user=invited&dbname=queue", socket("/run/postgresql"), 5432),
        ] {
            let read = parsed(rest).unwrap_or_else(|faults| panic!("{rest}: {faults:?}"));
            assert_eq!((read.host, read.port), (host, port), "{rest}");
            assert_eq!((read.user.as_str(), read.name.as_str()), ("invited", "queue"), "{rest}");
            assert_eq!((read.ca, read.password), (None, None), "{rest}");
        }
    }

    #[test]
    fn names_are_read_with_their_escapes_undone() {
        let read = parsed("in%40vited%3a@localhost/k%C3%B6%2f+1").unwrap();
        assert_eq!((read.user.as_str(), read.name.as_str()), ("in@vited:", "k\u{f6}/+1"));
    }

    #[test]
    fn the_connection_is_protected_as_written_and_else_by_where_the_server_is() {
        let own = Some("/etc/invited/ca.pem");
        for (host, parameters, tls, ca) in [
            ("db.example.com", "", PostgresTls::Verified, None),
            ("192.0.2.7", "", PostgresTls::Verified, None),
            ("db", "", PostgresTls::Verified, None),
            ("db.example.com", "?sslrootcert=ca.pem", PostgresTls::Verified, own),
            ("db.example.com", "?sslmode=disable", PostgresTls::None, None),
            ("db.example.com", "?sslmode=prefer", PostgresTls::Opportunistic, None),
            ("db.example.com", "?sslmode=require", PostgresTls::Encrypted, None),
            ("db.example.com", "?sslmode=verify-ca&sslrootcert=/etc/invited/ca.pem", PostgresTls::VerifiedIssuer, own),
            ("db.example.com", "?sslrootcert=ca.pem&sslmode=verify-full", PostgresTls::Verified, own),
            ("db.example.com", "?sslmode=verify-full&sslrootcert=system", PostgresTls::Verified, None),
            ("localhost", "", PostgresTls::Opportunistic, None),
            ("127.0.0.2", "", PostgresTls::Opportunistic, None),
            ("[::1]", "", PostgresTls::Opportunistic, None),
            ("localhost", "?sslmode=verify-full", PostgresTls::Verified, None),
            ("localhost", "?sslrootcert=ca.pem", PostgresTls::Verified, own),
            ("%2Frun", "", PostgresTls::None, None),
            ("%2Frun", "?sslmode=prefer", PostgresTls::None, None),
            ("%2Frun", "?sslmode=disable", PostgresTls::None, None),
        ] {
            let read = parsed(&format!("invited@{host}/queue{parameters}")).unwrap();
            assert_eq!((read.tls, read.ca), (tls, ca.map(PathBuf::from)), "{host} {parameters}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_all_at_once() {
        let unchecked = "names an sslrootcert, but has no certificate checked";
        let issuer = "has an sslmode \"verify-ca\" without an authority of its own";
        let socket = "asks for TLS over a Unix socket, where there is none";
        for (rest, what) in [
            ("", &["names no host", "names no user", "names no database"][..]),
            ("invited@/queue", &["names no host"]),
            ("db.example.com/queue", &["names no user"]),
            ("@db.example.com/queue", &["names no user"]),
            ("invited@db.example.com", &["names no database"]),
            ("invited@db.example.com/", &["names no database"]),
            ("invited@db.example.com/?dbname=", &["has a parameter without a value", "names no database"]),
            ("invited@db.example.com/queue/", &["has a \"/\" behind the database's name"]),
            ("invited@a,b/queue", &["names several hosts"]),
            ("invited@a b/queue", &["names no valid host"]),
            ("invited@1/queue", &["names no valid host"]),
            ("invited@/queue?host=[::1]", &["names no valid host"]),
            ("invited@::1/queue", &["has no port from 1 to 65535"]),
            ("invited@[db]/queue", &["names no host"]),
            ("invited@[::1]5432/queue", &["has no port from 1 to 65535"]),
            ("invited@db:/queue", &["has no port from 1 to 65535"]),
            ("invited@db:0/queue", &["has no port from 1 to 65535"]),
            ("invited@db:+5432/queue", &["has no port from 1 to 65535"]),
            ("invited@db/queue?port=65536", &["has no port from 1 to 65535"]),
            ("invited@db/queue?dbname=other", &["says dbname twice"]),
            ("invited@db/queue?sslmode=require&sslmode=disable", &["says sslmode twice"]),
            ("invited@db/queue?sslmode=allow", &["has an sslmode \"allow\" that is not known"]),
            ("invited@db/queue?sslmode=VERIFY-FULL", &["has an sslmode \"VERIFY-FULL\" that is not known"]),
            ("invited@db/queue?connect_timeout=3", &["has a parameter \"connect_timeout\" that is not known"]),
            ("invited@db/queue?sslmode", &["has a parameter without a value"]),
            ("in%vited@db/queue", &["has a \"%\" without two hexadecimal digits behind it", "names no user"]),
            ("in%4@db/queue", &["has a \"%\" without two hexadecimal digits behind it", "names no user"]),
            ("invited@db/%ff", &["has escapes that are no UTF-8", "names no database"]),
            ("invited@db/a%00b", &["has a control character in it", "names no database"]),
            ("invited@db/queue?sslmode=require&sslrootcert=ca.pem", &[unchecked]),
            ("invited@db/queue?sslmode=disable&sslrootcert=system", &[unchecked]),
            ("invited@%2Frun/queue?sslrootcert=ca.pem", &[unchecked]),
            ("invited@db/queue?sslmode=verify-ca", &[issuer]),
            ("invited@db/queue?sslmode=verify-ca&sslrootcert=system", &[issuer]),
            ("invited@%2Frun/queue?sslmode=require", &[socket]),
            ("invited@%2Frun/queue?sslmode=verify-full&sslrootcert=ca.pem", &[socket]),
            (
                "a:b@db:1/?sslmode=no&x=1&port=2",
                &[
                    "has a password in it",
                    "has a parameter \"x\" that is not known",
                    "says port twice",
                    "names no database",
                    "has an sslmode \"no\" that is not known",
                ],
            ),
        ] {
            let found = parsed(rest).err().unwrap_or_default();
            assert_eq!(found, what, "{rest}");
        }
    }

    #[test]
    fn a_password_is_refused_wherever_it_stands_and_never_repeated() {
        for rest in [
            "invited:opensesame@db.example.com/queue",
            "invited:open@sesame@db.example.com/queue",
            "invited:open/sesame@db.example.com/queue",
            "invited:1/opensesame@db.example.com/queue",
            "invited:1?opensesame=x@db.example.com/queue",
            "invited:open?sesame@db.example.com/queue",
            "invited:open#sesame@db.example.com/queue",
            "invited:open:sesame@db.example.com/queue",
            "invited:open%sesame@db.example.com/queue",
            "invited:@db.example.com/queue",
            "invited@db.example.com/queue?password=opensesame",
            ":opensesame@[db.example.com/queue",
            "invited:opensesame",
        ] {
            let faults = parse(rest, Path::new("")).unwrap_err();
            assert!(!faults.is_empty(), "{rest}");
            for fault in &faults {
                let said = fault.to_string();
                assert!(!said.contains("open") && !said.contains("sesame"), "{rest}: {said}");
            }
            if rest != "invited:opensesame" {
                assert!(faults.iter().any(|fault| fault.remedy.contains("password = { file")), "{rest}: {faults:?}");
            }
        }
    }

    proptest::proptest! {
        /// Whatever is typed is read, or has a fault; and what is read is shown in a form that means the same server.
        #[test]
        fn whatever_is_read_is_shown_so_that_it_is_read_again(
            rest in "[a-z%4é]{1,3}@(\\[::1\\]|localhost|%2F[a-z%]{1,3}|[a-z.:]{0,3})(:[1-9]{1,3})?/[a-z%2é]{1,3}(\\?[a-z=&]{0,3})?"
        ) {
            match parse(&rest, Path::new("")) {
                Ok(read) => {
                    let shown = read.to_string();
                    let again = parse(shown.trim_start_matches("postgres://"), Path::new("")).unwrap();
                    proptest::prop_assert_eq!(
                        (read.host, read.port, read.user, read.name),
                        (again.host, again.port, again.user, again.name)
                    );
                }
                Err(faults) => proptest::prop_assert!(!faults.is_empty()),
            }
        }
    }
}
