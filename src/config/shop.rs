//! `[[shop]]`: who sends order mails, and when its customers are asked.

use crate::document::{Entry, Table};
use crate::domain::{EmailAddress, PersonName, ShopId, ShopRules, Zone, clean};

use super::link;
use super::policy::{self, Rules};
use super::settings::{Brand, DEFAULT_RELAY, Shop};
use super::trust;
use super::values::{has, host, listed, problem_at, secret};

const MISSING: &str = "write at least one: [[shop]] with id, name, domains, secrets, from and link";

/// What a shop is read against.
struct Around<'a> {
    links: link::Around<'a>,
    ingest_domain: Option<&'a str>,
    /// `None` when the relays' names are in doubt: their mistakes are reported, and no second time here.
    relays: Option<&'a [String]>,
    /// Who may log in; `None` when their names are in doubt.
    users: Option<&'a [String]>,
    /// What holds for a shop that does not write otherwise.
    policy: &'a Rules,
    ids: Vec<ShopId>,
    secrets: Vec<String>,
}

/// All shops, each with an id and secrets of its own.
pub(super) fn read_all(
    top: &Table<'_>,
    links: link::Around<'_>,
    ingest_domain: Option<&str>,
    relays: &Option<Vec<String>>,
    users: &Option<Vec<String>>,
    policy: &Rules,
) -> Vec<Shop> {
    if !top.required("shop", MISSING) {
        return Vec::new();
    }
    let (relays, users) = (relays.as_deref(), users.as_deref());
    let mut around = Around { links, ingest_domain, relays, users, policy, ids: Vec::new(), secrets: Vec::new() };
    let mut count = 0;
    let shops = top.tables("shop", |table| {
        count += 1;
        read(table, &mut around)
    });
    if shops.is_some() && count == 0 {
        problem_at(top, "shop", "is an empty list", MISSING);
    }
    shops.unwrap_or_default()
}

fn read(table: &Table<'_>, around: &mut Around<'_>) -> Option<Shop> {
    let id = id(table, &mut around.ids);
    let name = table.required_string("name", "write its name as customers know it").and_then(line);
    let domains = domains(table, around.ingest_domain);
    let secrets = secrets(table, &mut around.secrets);
    let (from, from_name) = sender(table, name.as_deref(), around.ingest_domain);
    let reply_to = box_of(table, "reply_to", around.ingest_domain);
    let unsubscribe = box_of(table, "unsubscribe", around.ingest_domain);
    let locale = table.string("locale").map_or_else(|| Some("en".to_owned()), locale);
    let zone = table.string("timezone").map_or(Some(Zone::UTC), zone);
    let (link, links) = link::read(table, around.links);
    let postal_address = table.string("postal_address").and_then(postal_address);
    let brand = table.table("brand", |table| Some(brand(table))).unwrap_or_default();
    let relays = relays(table, around.relays);
    let policy = policy::read_shop(table, around.policy);
    let (trust, volume) = trust::read(table, around.users);
    let hook_secret = secret(table, "hook_secret", around.links.folder);
    let (from, domains, zone) = (from?, domains?, zone?);
    let own_domains = domains.iter().map(String::as_str).chain(around.ingest_domain).map(str::to_owned).collect();
    let rules = ShopRules { base: policy.base, others: policy.others, zone: zone.clone(), own_domains };
    Some(Shop {
        id: id?,
        name: name?,
        domains,
        secrets: secrets?,
        unsubscribe: unsubscribe.or_else(|| reply_to.clone()).unwrap_or_else(|| from.clone()),
        from,
        from_name: from_name?,
        reply_to,
        locale: locale?,
        zone,
        link: link?,
        links,
        postal_address,
        brand,
        relays: relays?,
        rules,
        consent_words: policy.consent_words,
        trust,
        volume,
        hook_secret,
    })
}

fn id(table: &Table<'_>, taken: &mut Vec<ShopId>) -> Option<ShopId> {
    let entry = table.required_string("id", "write a short name for it, the first part of its BCC address")?;
    let place = entry.clone();
    let id = entry.check("write it like \"nordljus\"", |text| {
        ShopId::parse(text).map_err(|_| "is no shop id: 1 to 32 of a-z, 0-9 and inner hyphens")
    })?;
    if taken.contains(&id) {
        place.problem(format!("{:?} is the id of another shop, too", id.as_str()), "give each shop an id of its own");
    }
    taken.push(id.clone());
    Some(id)
}

fn line(entry: Entry<'_, &str>) -> Option<String> {
    entry.check("write a text of one line", |text| match clean(text, 100) {
        name if name.is_empty() => Err("is empty"),
        name => Ok(name),
    })
}

fn domains(table: &Table<'_>, ingest_domain: Option<&str>) -> Option<Vec<String>> {
    table.required("domains", "write the shop's own domains: domains = [\"nordljus.example\"]");
    let entries = table.strings("domains")?;
    if entries.is_empty() {
        problem_at(table, "domains", "is empty", "write at least the domain that the shop's mails come from");
    }
    let mut domains = Vec::new();
    for entry in entries {
        let place = entry.clone();
        let Some(domain) = host(entry) else { continue };
        if Some(domain.as_str()) == ingest_domain {
            place
                .problem("is the ingest domain", "write the shop's domain; the ingest domain belongs to invited alone");
        }
        if !domains.contains(&domain) {
            domains.push(domain);
        }
    }
    Some(domains)
}

/// The secrets. No message repeats one: check output ends up in logs and tickets.
fn secrets(table: &Table<'_>, taken: &mut Vec<String>) -> Option<Vec<String>> {
    table.required("secrets", "write at least one of 16 to 64 characters a-z and 0-9, drawn at random");
    let entries = table.strings("secrets")?;
    if entries.is_empty() {
        problem_at(
            table,
            "secrets",
            "is empty",
            "write at least one of 16 to 64 characters a-z and 0-9, drawn at random",
        );
    }
    let mut secrets = Vec::new();
    for entry in entries {
        let place = entry.clone();
        let secret = entry.check("draw another at random: 16 to 64 characters a-z and 0-9", |text| {
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
            if !(16..=64).contains(&text.len()) {
                Err(format!("is a secret of {} characters", text.chars().count()))
            } else if !text.bytes().all(plain) {
                Err("is a secret with other characters than a-z and 0-9".to_owned())
            } else {
                Ok((*text).to_owned())
            }
        });
        if secret.as_ref().is_some_and(|secret| taken.contains(secret)) {
            place.problem("is a secret that stands in this file already", "draw another: each belongs to one shop");
        }
        taken.extend(secret.clone());
        secrets.extend(secret);
    }
    Some(secrets)
}

/// `from = "Name <address>"`; without a name, the shop's.
fn sender(
    table: &Table<'_>,
    shop_name: Option<&str>,
    ingest_domain: Option<&str>,
) -> (Option<EmailAddress>, Option<PersonName>) {
    let Some(entry) =
        table.required_string("from", "write the letters' sender: from = \"Nordljus <reviews@nordljus.example>\"")
    else {
        return (None, None);
    };
    let text = entry.value.trim();
    let written_name = match text.strip_suffix('>').and_then(|text| text.split_once('<')) {
        Some((name, _)) if !name.trim().is_empty() => Some(name),
        _ => None,
    };
    let place = entry.clone();
    let address = mailbox(entry, ingest_domain);
    let name = written_name.or(shop_name).and_then(|name| {
        let name = PersonName::parse(name);
        if name.is_none() {
            place.problem("has a name without letters or with an @", "write it as \"Name <address>\"");
        }
        name
    });
    (address, name)
}

fn box_of(table: &Table<'_>, key: &'static str, ingest_domain: Option<&str>) -> Option<EmailAddress> {
    mailbox(table.string(key)?, ingest_domain)
}

/// The address of a box that somebody reads.
fn mailbox(entry: Entry<'_, &str>, ingest_domain: Option<&str>) -> Option<EmailAddress> {
    let place = entry.clone();
    let address = entry.check("write \"name@domain\" or \"Name <name@domain>\"", |text| {
        let text = text.trim();
        let inside = text.strip_suffix('>').and_then(|text| text.split_once('<'));
        EmailAddress::parse(inside.map_or(text, |(_, address)| address))
    })?;
    if Some(address.domain()) == ingest_domain {
        place.problem("is at the ingest domain, where nobody reads mail", "write an address of the shop's own domain");
    }
    Some(address)
}

/// Language, script and region of RFC 5646 2.2, in the case that 2.1.1 recommends.
pub(super) fn locale(entry: Entry<'_, &str>) -> Option<String> {
    entry.check("write a language, such as \"sv\", \"sv-SE\" or \"zh-Hant-TW\"", |text| {
        well_formed(text).ok_or_else(|| format!("{text:?} is no language tag"))
    })
}

fn well_formed(text: &str) -> Option<String> {
    let letters = |tag: &str| tag.bytes().all(|b| b.is_ascii_alphabetic());
    let mut tags = text.split('-').peekable();
    let language = tags.next().filter(|tag| matches!(tag.len(), 2 | 3) && letters(tag))?;
    let mut tag = language.to_ascii_lowercase();
    if let Some(script) = tags.next_if(|tag| tag.len() == 4 && letters(tag)) {
        let (first, rest) = script.split_at(1);
        tag = format!("{tag}-{}{}", first.to_ascii_uppercase(), rest.to_ascii_lowercase());
    }
    let region =
        |tag: &&str| (tag.len() == 2 && letters(tag)) || (tag.len() == 3 && tag.bytes().all(|b| b.is_ascii_digit()));
    if let Some(region) = tags.next_if(region) {
        tag = format!("{tag}-{}", region.to_ascii_uppercase());
    }
    tags.next().is_none().then_some(tag)
}

fn zone(entry: Entry<'_, &str>) -> Option<Zone> {
    entry.check("write a name of the IANA database, such as \"Europe/Stockholm\" or \"UTC\"", |text| {
        Zone::named(text).ok_or_else(|| format!("{text:?} is no time zone"))
    })
}

fn postal_address(entry: Entry<'_, &str>) -> Option<String> {
    entry.check("write the name and postal address as they shall stand at the letter's foot", |text| {
        let lines = text.lines().map(|line| clean(line, 200)).collect::<Vec<_>>().join("\n");
        match lines.trim() {
            "" => Err("is empty"),
            lines if lines.chars().count() > 500 => Err("is longer than 500 characters"),
            lines => Ok(lines.to_owned()),
        }
    })
}

fn brand(table: &Table<'_>) -> Brand {
    let color = table.string("color").and_then(|entry| {
        entry.check("write \"#\" and six hexadecimal digits, such as \"#1f6f54\"", |text| {
            let digits = text.strip_prefix('#').unwrap_or_default();
            let fine = digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
            fine.then(|| text.to_ascii_lowercase()).ok_or_else(|| format!("{text:?} is no colour"))
        })
    });
    let logo = table.string("logo").and_then(|entry| {
        entry.check("write an https:// address: mail programs show no other picture", |text| {
            url::Url::parse(text)
                .ok()
                .filter(|url| url.scheme() == "https" && url.host().is_some())
                .map(String::from)
                .ok_or("is no https:// address")
        })
    });
    Brand { color: color.unwrap_or_else(|| Brand::default().color), logo }
}

/// The relays: those named, or the default one, or the only one.
fn relays(table: &Table<'_>, names: Option<&[String]>) -> Option<Vec<String>> {
    let written = table.strings("relay");
    let names = names?;
    let known = listed(names.iter().map(String::as_str));
    if let Some(entries) = written {
        if entries.is_empty() {
            problem_at(table, "relay", "is empty", &format!("write {known}"));
        }
        let mut found = Vec::new();
        for entry in entries {
            let place = entry.clone();
            let name = entry.check(&format!("write {known}"), |text| {
                names.iter().find(|name| name == text).cloned().ok_or_else(|| format!("{text:?} is no relay"))
            })?;
            if found.contains(&name) {
                place.problem("stands there twice", "name each relay once");
            }
            found.push(name);
        }
        return (!found.is_empty()).then_some(found);
    }
    let default = names.iter().find(|name| *name == DEFAULT_RELAY);
    let chosen = if let [only] = names { Some(only) } else { default };
    if chosen.is_none() && !has(table, "relay") {
        table.problem("names no relay, and none is called \"default\"", format!("write relay = {known}"));
    }
    chosen.map(|name| vec![name.clone()])
}
