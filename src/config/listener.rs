//! `[[listener]]`: where the door listens beside `[smtp] listen`, for whom, and how each place is protected.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use crate::document::{Entry, Table};

use super::settings::Role;
use super::values::{file, has, problem_at, word};

/// What a unix socket's path may be long, bytes: `sun_path` of unix(7) without its NUL.
const SOCKET_PATH: usize = 107;
/// Owner and group of a unix socket may connect unless something else is written.
const DEFAULT_SOCKET_MODE: u32 = 0o660;

const ON_REMEDY: &str = "write an IP address and a port, \"0.0.0.0:25\" or \"[::]:465\", or \"unix:/run/invited/lmtp.sock\", \
                         or \"systemd:smtp\" for a socket that systemd hands over";
/// What to write instead of a text that is no network.
pub(super) const NETWORK_REMEDY: &str =
    "write the proxy's network, such as \"10.0.0.0/8\" or \"2001:db8::/32\", or its address alone";
const MODE_REMEDY: &str = "write three octal digits after a 0, from \"0600\" to \"0666\"";

/// One place to listen on, and whom it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Where.
    pub on: ListenOn,
    /// What for.
    pub role: Role,
    /// How its sessions are protected.
    pub tls: ListenerTls,
    /// From these networks a PROXY header must come before everything else, and from no other address may one come.
    pub proxy: Vec<IpNet>,
    /// Whether clients are asked for a certificate of theirs during the TLS handshake.
    pub client_certificates: bool,
    /// Who may connect to a unix socket: the permission bits of its file.
    pub socket_mode: u32,
}

impl Listener {
    /// A listener for mail between servers, with STARTTLS when there is a certificate: what `[smtp] listen` makes.
    pub fn plain(address: SocketAddr) -> Self {
        Self {
            on: ListenOn::Tcp(address),
            role: Role::Smtp,
            tls: ListenerTls::StartTls,
            proxy: Vec::new(),
            client_certificates: false,
            socket_mode: DEFAULT_SOCKET_MODE,
        }
    }
}

/// Where a listener is to be found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ListenOn {
    /// An address of this machine; port 0 takes a free one.
    Tcp(SocketAddr),
    /// A unix socket that is made at the start and removed at the end.
    Unix(PathBuf),
    /// Every socket that the service manager hands over under this name (`FileDescriptorName=` of systemd.socket(5)).
    Systemd(String),
}

/// As it is written in the configuration.
impl fmt::Display for ListenOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Systemd(name) => write!(f, "systemd:{name}"),
        }
    }
}

/// How a listener's sessions are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListenerTls {
    /// STARTTLS (RFC 3207) is offered when there is a certificate.
    StartTls,
    /// The same, and nothing is taken before it: 530 5.7.0.
    Required,
    /// TLS from the first octet on (RFC 8314).
    Implicit,
    /// TLS is not offered.
    None,
}

/// Every `[[listener]]`. `taken` are the places of `[smtp] listen`.
pub(super) fn read_all(top: &Table<'_>, folder: &Path, has_certificate: bool, taken: &[Listener]) -> Vec<Listener> {
    let mut places = taken.iter().map(|listener| listener.on.clone()).collect::<Vec<_>>();
    let listeners = top.tables("listener", |table| {
        let listener = read(table, folder, has_certificate)?;
        // A free port is another one each time.
        let several = matches!(&listener.on, ListenOn::Tcp(address) if address.port() == 0);
        if !several && places.contains(&listener.on) {
            problem_at(table, "on", "is listened on already", "leave one of the two out");
        }
        places.push(listener.on.clone());
        Some(listener)
    });
    listeners.unwrap_or_default()
}

fn read(table: &Table<'_>, folder: &Path, has_certificate: bool) -> Option<Listener> {
    let on = table.required_string("on", ON_REMEDY).and_then(|entry| place(entry, folder));
    let roles = [("smtp", Role::Smtp), ("submission", Role::Submission), ("lmtp", Role::Lmtp)];
    let role = word(table, "role", &roles).unwrap_or_default();
    let ways = [
        ("starttls", ListenerTls::StartTls),
        ("required", ListenerTls::Required),
        ("implicit", ListenerTls::Implicit),
        ("none", ListenerTls::None),
    ];
    let tls = word(table, "tls", &ways);
    let proxy = networks(table);
    let client_certificates = word(table, "client_certificates", &[("off", false), ("ask", true)]).unwrap_or(false);
    let socket_mode = table.string("socket_mode").and_then(mode);
    if tls.is_some_and(|tls| tls != ListenerTls::None) && !has_certificate {
        problem_at(
            table,
            "tls",
            "needs a certificate",
            "name one in [smtp]: tls = { certificate = \"…\", key = \"…\" }",
        );
    }
    let protected = has_certificate && tls != Some(ListenerTls::None);
    if client_certificates && !protected {
        problem_at(
            table,
            "client_certificates",
            "has no effect without TLS",
            "leave it out, or let this listener have TLS",
        );
    }
    // A unix socket needs none: nobody listens in between.
    let is_unix = matches!(on, Some(ListenOn::Unix(_)));
    if role == Role::Submission && !protected && !is_unix {
        problem_at(
            table,
            "role",
            "needs TLS, since nobody may log in without it",
            "name a certificate in [smtp] tls, and leave tls = \"none\" out here",
        );
    }
    let on = on?;
    beside(table, &on, role);
    let tls = tls.unwrap_or(ListenerTls::StartTls);
    Some(Listener {
        on,
        role,
        tls,
        proxy,
        client_certificates,
        socket_mode: socket_mode.unwrap_or(DEFAULT_SOCKET_MODE),
    })
}

/// What does not go with this place.
fn beside(table: &Table<'_>, on: &ListenOn, role: Role) {
    let is_unix = matches!(on, ListenOn::Unix(_));
    if has(table, "socket_mode") && !is_unix {
        problem_at(table, "socket_mode", "has no effect", "leave it out: only a unix socket has a mode");
    }
    if has(table, "proxy") && is_unix {
        problem_at(table, "proxy", "has no effect", "leave it out: who connects to a unix socket has no address");
    }
    if role == Role::Lmtp && matches!(on, ListenOn::Tcp(address) if address.port() == 25) {
        problem_at(table, "role", "must not be lmtp on port 25 (RFC 2033, 5)", "take another port, or a unix socket");
    }
}

fn place(entry: Entry<'_, &str>, folder: &Path) -> Option<ListenOn> {
    entry.check(ON_REMEDY, |text| {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = file(path, folder)?;
            return if path.as_os_str().len() > SOCKET_PATH {
                Err("is longer than a unix socket's path may be, 107 bytes".to_owned())
            } else {
                Ok(ListenOn::Unix(path))
            };
        }
        if let Some(name) = text.strip_prefix("systemd:") {
            // What systemd takes for a name: FileDescriptorName= in systemd.socket(5).
            let plain = |b: u8| b.is_ascii_graphic() && b != b':';
            return if (1..=255).contains(&name.len()) && name.bytes().all(plain) {
                Ok(ListenOn::Systemd(name.to_owned()))
            } else {
                Err("has no name of a socket after \"systemd:\"".to_owned())
            };
        }
        text.parse().map(ListenOn::Tcp).map_err(|_| format!("{text:?} is no place to listen on"))
    })
}

fn networks(table: &Table<'_>) -> Vec<IpNet> {
    let entries = table.strings("proxy").unwrap_or_default();
    entries.into_iter().filter_map(|entry| entry.check(NETWORK_REMEDY, |text| network(text))).collect()
}

/// A network of proxies, or one address.
pub(super) fn network(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<std::net::IpAddr>() {
        return Ok(IpNet::from(address.to_canonical()));
    }
    let network = text.parse::<IpNet>().map_err(|_| format!("{text:?} is no network"))?;
    let whole = network.trunc();
    if whole == network { Ok(network) } else { Err(format!("{text:?} is an address inside the network {whole}")) }
}

fn mode(entry: Entry<'_, &str>) -> Option<u32> {
    entry.check(MODE_REMEDY, |text| {
        let octal = text.len() == 4 && text.starts_with('0') && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
        let mode = octal.then(|| u32::from_str_radix(text, 8).ok()).flatten();
        // Owner reads and writes in any case; nothing is executed here.
        mode.filter(|mode| mode & 0o600 == 0o600 && mode & 0o111 == 0).ok_or("is no mode of a socket")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_written_whole_or_is_one_address() {
        for (text, expected) in [
            ("10.0.0.0/8", Some("10.0.0.0/8")),
            ("192.0.2.7", Some("192.0.2.7/32")),
            ("2001:db8::/32", Some("2001:db8::/32")),
            ("::1", Some("::1/128")),
            ("10.0.0.1/8", None),
            ("10.0.0.0/33", None),
            ("10.0.0", None),
            ("localhost", None),
            ("", None),
        ] {
            assert_eq!(network(text).ok().map(|network| network.to_string()).as_deref(), expected, "{text}");
        }
    }
}
