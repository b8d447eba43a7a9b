//! Values that several tables hold: spans, sizes, words, host names, files, secrets. Each notes its problem where it stands and
//! never repeats what might be a secret.

use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::document::{Entry, Table};
use crate::domain;

use super::settings::Secret;
use super::units::{duration, size, written, written_size};

const SECRET_REMEDY: &str =
    "write { file = \"…\" } or { credential = \"…\" }; the secret itself does not stand in the configuration";

const NO_PORT: &str = "has no port from 1 to 65535";

/// What to write instead of a text that is no file's name.
pub(super) const FILE_REMEDY: &str = "write an absolute path, or one relative to this file";

/// Whether the key is written, right or wrong.
pub(super) fn has(table: &Table<'_>, key: &str) -> bool {
    table.keys().any(|written| written == key)
}

/// Notes a problem that lies between several keys, at the one that is easiest to change.
pub(super) fn problem_at(table: &Table<'_>, key: &'static str, what: &str, remedy: &str) {
    match table.any(key) {
        Some(entry) => entry.problem(what, remedy),
        None => table.problem(format!("{key} {what}"), remedy),
    }
}

/// A span between two bounds, both allowed.
pub(super) fn span(table: &Table<'_>, key: &'static str, bounds: RangeInclusive<Duration>) -> Option<Duration> {
    span_as(table, key, bounds, duration, "")
}

/// The same in a wording of its own; `or_else` ends the remedy with what else may stand there.
pub(super) fn span_as(
    table: &Table<'_>,
    key: &'static str,
    bounds: RangeInclusive<Duration>,
    read: impl Fn(&str) -> Result<Duration, String>,
    or_else: &str,
) -> Option<Duration> {
    let most = written(*bounds.end());
    let least = match most.split_once(' ') {
        Some((_, unit)) if bounds.start().is_zero() => format!("0 {}s", unit.trim_end_matches('s')),
        _ => written(*bounds.start()),
    };
    let remedy = format!("write a number and a unit, from \"{least}\" to \"{most}\"{or_else}");
    table.any(key)?.text(&remedy)?.check(&remedy, |text| {
        let span = read(text)?;
        if bounds.contains(&span) { Ok(span) } else { Err(format!("{} is out of range", written(span))) }
    })
}

/// A size in bytes between two bounds, both allowed.
pub(super) fn bytes(table: &Table<'_>, key: &'static str, bounds: RangeInclusive<usize>) -> Option<usize> {
    let word = |n: usize| written_size(u64::try_from(n).unwrap_or(u64::MAX));
    let remedy =
        format!("write a number and a unit, from \"{}\" to \"{}\"", word(*bounds.start()), word(*bounds.end()));
    table.any(key)?.text(&remedy)?.check(&remedy, |text| {
        let read = size(text)?;
        match usize::try_from(read) {
            Ok(fits) if bounds.contains(&fits) => Ok(fits),
            _ => Err(format!("{} is out of range", written_size(read))),
        }
    })
}

/// A whole number between two bounds, both allowed.
pub(super) fn number<T: TryFrom<i64>>(table: &Table<'_>, key: &'static str, bounds: RangeInclusive<i64>) -> Option<T> {
    table.integer_in(key, bounds).and_then(|n| T::try_from(n).ok())
}

/// How many letters may leave in an hour: `300 per hour`. `or_else` ends the remedy with what else may stand there.
pub(super) fn hourly(table: &Table<'_>, key: &'static str, or_else: &str) -> Option<u32> {
    let remedy =
        format!("write how many letters may leave in an hour, from \"1 per hour\" to \"100000 per hour\"{or_else}");
    table.any(key)?.text(&remedy)?.check(&remedy, |text| {
        let number = text.strip_suffix("per hour").map(str::trim).filter(|n| n.bytes().all(|b| b.is_ascii_digit()));
        let number = number.and_then(|number| number.parse().ok()).filter(|n| (1..=100_000).contains(n));
        number.ok_or_else(|| format!("{text:?} is no number of letters in an hour"))
    })
}

/// One of several words.
pub(super) fn word<T: Copy>(table: &Table<'_>, key: &'static str, words: &[(&str, T)]) -> Option<T> {
    let remedy = format!("write {}", listed(words.iter().map(|(word, _)| *word)));
    table.string(key)?.check(&remedy, |text| {
        words
            .iter()
            .find(|(word, _)| word == text)
            .map(|(_, value)| *value)
            .ok_or_else(|| format!("{text:?} is not known"))
    })
}

/// Words for a remedy: `"none", "opportunistic" or "required"`.
pub(super) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted = words.into_iter().map(|word| format!("{word:?}")).collect::<Vec<_>>();
    match quoted.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// A host name of at least two labels, as lower-case A-labels. The message does not repeat the text, which may be a whole BCC
/// address with its secret, pasted into the wrong place.
pub(super) fn host(entry: Entry<'_, &str>) -> Option<String> {
    entry.check("write it in full, such as \"mail.example.com\"", |text| {
        domain::host_name(text).ok_or("is no full host name")
    })
}

/// `host`, `host:port`, `[IPv6]` or `[IPv6]:port` taken apart, the brackets gone. The host is only split off, not looked at.
pub(super) fn host_and_port(text: &str) -> Result<(&str, Option<u16>), &'static str> {
    let (host, after) = match text.strip_prefix('[') {
        Some(inside) => {
            inside.split_once(']').filter(|(ip, _)| ip.parse::<Ipv6Addr>().is_ok()).ok_or("names no host")?
        }
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    match after.strip_prefix(':') {
        Some(digits) => Ok((host, Some(port(digits)?))),
        None if after.is_empty() => Ok((host, None)),
        None => Err(NO_PORT),
    }
}

/// A port. Digits only: the standard library would take "+25", too.
pub(super) fn port(digits: &str) -> Result<u16, &'static str> {
    let number = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    number.filter(|port| *port > 0).ok_or(NO_PORT)
}

/// An IP address or a host name, also of one label: relays and database servers stand in private networks.
pub(super) fn host_or_ip(text: &str) -> Option<String> {
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(ip.to_string());
    }
    let label = |text: &str| {
        let inner = !text.starts_with('-') && !text.ends_with('-');
        (1..=63).contains(&text.len())
            && inner
            && text.bytes().any(|b| b.is_ascii_alphabetic())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    domain::host_name(text).or_else(|| label(text).then(|| text.to_ascii_lowercase()))
}

/// Whether a host, as [`host_or_ip`] gives it, is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A file or folder; a relative one starts from the configuration file's folder.
pub(super) fn path(table: &Table<'_>, key: &'static str, folder: &Path) -> Option<PathBuf> {
    table.string(key)?.check(FILE_REMEDY, |text| file(text, folder))
}

/// The file of this name; a relative one starts from `folder`.
pub(super) fn file(text: &str, folder: &Path) -> Result<PathBuf, &'static str> {
    match text {
        "" => Err("is empty"),
        text if text.starts_with('~') => Err("begins with \"~\", which only a shell knows"),
        text if text.contains('\0') => Err("has a NUL in it"),
        text => Ok(folder.join(text)),
    }
}

/// Where a secret is: `{ file = "…" }` or `{ credential = "…" }`.
pub(super) fn secret(table: &Table<'_>, key: &'static str, folder: &Path) -> Option<Secret> {
    if !table.any(key)?.is_table(SECRET_REMEDY) {
        return None;
    }
    table.table(key, |inner| {
        let both = (has(inner, "file"), has(inner, "credential"));
        let file = path(inner, "file", folder);
        let credential = inner.string("credential").and_then(credential);
        match both {
            (true, false) => file.map(Secret::File),
            (false, true) => credential.map(Secret::Credential),
            (true, true) => {
                inner.problem("names a file and a credential", "keep one of them");
                None
            }
            (false, false) => {
                inner.problem("names neither a file nor a credential", SECRET_REMEDY);
                None
            }
        }
    })
}

/// A credential's name: systemd takes any file name, but one with a slash or a colon could not be written in a unit.
fn credential(entry: Entry<'_, &str>) -> Option<String> {
    entry.check("write the name that LoadCredential= gives it, such as \"master-key\"", |text| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let fine = (1..=255).contains(&text.len()) && !text.starts_with('.') && text.chars().all(plain);
        fine.then(|| (*text).to_owned()).ok_or("is no credential's name")
    })
}
