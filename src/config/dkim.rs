//! `[[dkim]]`: the keys that letters are signed with before they are handed to a relay (RFC 6376).

use std::path::Path;

use crate::document::{Entry, Table};

use super::settings::Dkim;
use super::values::{host, secret};

/// The longest name in the DNS, octets as text (RFC 1035 2.3.4, without the lengths of the first label and the root).
const DNS_NAME: usize = 253;

/// All keys. Several for one domain sign every letter of it: an old and a new one while they are changed, or two algorithms.
pub(super) fn read_all(top: &Table<'_>, folder: &Path) -> Vec<Dkim> {
    let mut taken: Vec<(String, String)> = Vec::new();
    let keys = top.tables("dkim", |table| {
        let domain = table
            .required_string("domain", "write the domain of the letters' From address: domain = \"nordljus.example\"")
            .and_then(host);
        let place = table.string("selector");
        let selector = table
            .required_string("selector", "write the name under which the key is published: selector = \"2026a\"")
            .and_then(selector);
        table.required("key", "write where the key is: key = { file = \"dkim.key\" }");
        let key = secret(table, "key", folder);
        let dkim = Dkim { domain: domain?, selector: selector?, key: key? };
        let name = (dkim.domain.clone(), dkim.selector.clone());
        if let Some(place) = place {
            if dkim.record_name().len() > DNS_NAME {
                place.problem("makes a name that is too long for the DNS", "take a shorter one");
            }
            if taken.contains(&name) {
                place.problem(
                    "is the selector of another key of this domain",
                    "publish each key under a name of its own",
                );
            }
        }
        taken.push(name);
        Some(dkim)
    });
    keys.unwrap_or_default()
}

/// A selector: labels with dots between them (RFC 6376 3.1). Underscores are in use though no host name has one.
fn selector(entry: Entry<'_, &str>) -> Option<String> {
    entry.check("write a-z, 0-9 and hyphens, such as \"2026a\"", |text| Dkim::selector(text))
}
