//! Where letters lead: a shop's `link` and `[[shop.links]]`, and the keys and the lifetime of our own links, `[[link_key]]` and
//! `link_expiry`.

use std::fmt;
use std::path::Path;

use crate::document::{Entry, Table};
use crate::link::{InvalidPattern, UrlPattern, covers};

use super::settings::Secret;
use super::shop::locale;
use super::values::{has, host, number, problem_at, secret};

const REMEDY: &str =
    "write \"own\" for the pages of this service, or a web address in full, beginning with https:// or http://";
const SERVICE: &str = "write { business_generated = \"<domain>\", encrypt_key = …, auth_key = … } or { unique = \"<domain>\", secret = … }";

/// Where a link leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkTo {
    /// To the pages of `[pages]`.
    Own,
    /// To an address of the shop's choice.
    Pattern(UrlPattern),
    /// To the shop's page at Trustpilot, by a Business Generated Link.
    BusinessGenerated {
        /// The shop's domain there.
        domain: String,
        /// The language version, `de` for `de.trustpilot.com`; the international one without.
        locale: Option<String>,
        /// Words that the reviews carry there.
        tags: Vec<String>,
        /// What seals the link.
        encrypt_key: Secret,
        /// What signs it.
        auth_key: Secret,
    },
    /// To the shop's page at Trustpilot, by a Unique Link.
    Unique {
        /// The shop's domain there.
        domain: String,
        /// As above.
        locale: Option<String>,
        /// What signs the link.
        secret: Secret,
    },
}

/// For people; a pattern as it is configured.
impl fmt::Display for LinkTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str("the pages of this service"),
            Self::Pattern(pattern) => pattern.fmt(f),
            Self::BusinessGenerated { domain, .. } => write!(f, "{domain} at Trustpilot (Business Generated Links)"),
            Self::Unique { domain, .. } => write!(f, "{domain} at Trustpilot (Unique Links)"),
        }
    }
}

/// One of several links of a shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopLink {
    /// For letters in this language only.
    pub locale: Option<String>,
    /// For so many of a hundred customers, 1 to 100; `None` for all that are left.
    pub share: Option<u8>,
    /// Where it leads.
    pub to: LinkTo,
}

/// A key of our own links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkKey {
    /// Its number, which stands in the links; no two have the same.
    pub id: u8,
    /// The secret; without one it is derived from the master key and the number.
    pub secret: Option<Secret>,
}

/// The number of the key that there is when none is written.
pub const FIRST_LINK_KEY: u8 = 1;

/// The keys of our own links: the first signs, all are accepted. Never empty.
pub(super) fn keys(top: &Table<'_>, folder: &Path) -> Vec<LinkKey> {
    let mut taken = Vec::new();
    let keys = top.tables("link_key", |table| {
        table.required("id", "write a number from 1 to 255 that no key had before");
        let id = number::<u8>(table, "id", 1..=255);
        if id.is_some_and(|id| taken.contains(&id)) {
            problem_at(table, "id", "is the number of another key, too", "take one that no key had before");
        }
        taken.extend(id);
        let secret = secret(table, "secret", folder);
        Some(LinkKey { id: id?, secret })
    });
    let keys = keys.unwrap_or_default();
    if keys.is_empty() { vec![LinkKey { id: FIRST_LINK_KEY, secret: None }] } else { keys }
}

/// What a shop's links are read against.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    /// Where relative paths start from.
    pub(super) folder: &'a Path,
    /// Whether there are pages to lead to.
    pub(super) has_pages: bool,
}

/// The shop's `link` and `[[shop.links]]`.
pub(super) fn read(table: &Table<'_>, around: Around<'_>) -> (Option<LinkTo>, Vec<ShopLink>) {
    let is_there = table.required("link", "write where customers review: link = \"https://…\"");
    let link = is_there.then(|| to(table, "link", around)).flatten();
    let mut before = Vec::<(Option<String>, i64)>::new();
    let links = table.tables("links", |table| {
        let locale = table.string("locale").map(locale);
        let share = number::<u8>(table, "share", 1..=100);
        table.required("to", REMEDY);
        let to = to(table, "to", around);
        // One with a mistake in it takes no part in the sum: its mistake is reported already.
        let locale = locale.map_or(Some(None), |locale| locale.map(Some))?;
        if share.is_none() && has(table, "share") {
            return None;
        }
        let taken = before.iter().filter(|(other, _)| covers(other.as_deref(), locale.as_deref()));
        let left = 100 - taken.map(|(_, share)| share).sum::<i64>();
        let asked = share.map_or(1, i64::from);
        if left <= 0 {
            table.problem("is for nobody: those before it are for all customers", "give those before it a share");
        } else if asked > left {
            let what = format!("is more than is left: those before it leave {left} of a hundred customers");
            problem_at(table, "share", &what, &format!("use 1 to {left}, or leave it out for all that are left"));
        }
        before.push((locale.clone(), share.map_or(left.max(0), i64::from)));
        Some(ShopLink { locale, share, to: to? })
    });
    (link, links.unwrap_or_default())
}

fn to(table: &Table<'_>, key: &'static str, around: Around<'_>) -> Option<LinkTo> {
    let entry = table.any(key)?;
    if entry.value.is_table() {
        return table.table(key, |inner| service(inner, around.folder));
    }
    let entry = entry.text(REMEDY)?;
    if entry.value.trim() == "own" {
        if !around.has_pages {
            entry.problem(
                "leads to the pages of this service, and there are none",
                "add [pages] with url = \"https://…\", or write a web address",
            );
        }
        return Some(LinkTo::Own);
    }
    match UrlPattern::parse(entry.value) {
        Ok(pattern) => Some(LinkTo::Pattern(pattern)),
        Err(InvalidPattern { what, remedy }) => {
            entry.problem(what, remedy);
            None
        }
    }
}

/// Links by which another service knows the customer.
fn service(table: &Table<'_>, folder: &Path) -> Option<LinkTo> {
    let generated = table.string("business_generated").map(host);
    let unique = table.string("unique").map(host);
    let locale = table.string("locale").map(version);
    let needed = |key| {
        let remedy = "write { file = \"…\" } or { credential = \"…\" }: Trustpilot Business shows what belongs there";
        table.required(key, remedy).then(|| secret(table, key, folder)).flatten()
    };
    match (has(table, "business_generated"), has(table, "unique")) {
        (true, false) => {
            let tags = table.strings("tags").map(tags);
            let (encrypt_key, auth_key) = (needed("encrypt_key"), needed("auth_key"));
            Some(LinkTo::BusinessGenerated {
                domain: generated.flatten()?,
                locale: locale.map_or(Some(None), |locale| locale.map(Some))?,
                tags: tags.unwrap_or_default(),
                encrypt_key: encrypt_key?,
                auth_key: auth_key?,
            })
        }
        (false, true) => {
            let secret = needed("secret");
            Some(LinkTo::Unique {
                domain: unique.flatten()?,
                locale: locale.map_or(Some(None), |locale| locale.map(Some))?,
                secret: secret?,
            })
        }
        (both, _) => {
            // What else stands there belongs to one of them, so it is known.
            let _ = ["tags", "encrypt_key", "auth_key", "secret"].map(|key| table.any(key).is_some());
            let what = if both { "is two kinds of links at once" } else { "says neither of the two kinds of links" };
            table.problem(what, SERVICE);
            None
        }
    }
}

/// What stands before `trustpilot.com`.
fn version(entry: Entry<'_, &str>) -> Option<String> {
    entry.check(
        "write what stands before trustpilot.com in the shop's address there, such as \"de\" or \"fr-be\"",
        |text| {
            let two = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_lowercase());
            let (first, second) = text.split_once('-').map_or((*text, None), |(first, second)| (first, Some(second)));
            let fine = two(first) && second.is_none_or(two);
            fine.then(|| (*text).to_owned()).ok_or_else(|| format!("{text:?} is no language version of Trustpilot"))
        },
    )
}

fn tags(entries: Vec<Entry<'_, &str>>) -> Vec<String> {
    let tag = |entry: Entry<'_, &str>| {
        entry.check("write a word without blanks, up to 50 characters", |text| {
            let fine = (1..=50).contains(&text.chars().count())
                && !text.contains(|c: char| c.is_whitespace() || c.is_control());
            fine.then(|| (*text).to_owned()).ok_or_else(|| format!("{text:?} is no tag"))
        })
    };
    entries.into_iter().filter_map(tag).collect()
}
