//! `[shop.trust]`: what proves that a copy comes from the shop; and `[dns]`, where proofs are looked up.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

use crate::document::{Entry, Table};
use crate::domain::trust::{ListedDomain, NewSenders, TrustRules, listed_digest};
use crate::domain::{DAY, Volume};

use super::settings::{Config, Shop};
use super::values::{has, number, problem_at, span, word};

const HOUR: Duration = Duration::from_secs(3_600);

/// Port of DNS (RFC 1035).
const DNS_PORT: u16 = 53;

/// Most servers that are asked: each one that is silent costs time, and a copy is not looked at for longer than some seconds.
const SERVERS: usize = 3;

/// Domains that sign and send for everybody who has an account there: a list of platforms and senders of transactional mail, each
/// with what lies below it. Their proof tells the platform, not the shop.
const SHARED: &str = include_str!("../../templates/mail/shared-signers.txt");

/// A shop's rules, and how many invitations its copies may begin on one day; without the table, new senders are held. `users` may log in;
/// with `None` their names are in doubt, and which of them are named here is not looked at.
pub(super) fn read(shop: &Table<'_>, users: Option<&[String]>) -> (TrustRules, Volume) {
    shop.table("trust", |table| Some((rules(table, users), most_in_a_day(table)))).unwrap_or_default()
}

fn most_in_a_day(table: &Table<'_>) -> Volume {
    match table.any("volume") {
        None => Volume::default(),
        Some(entry) if entry.value.as_integer().is_some() => {
            number(table, "volume", 1..=1_000_000).map_or(Volume::default(), Volume::AtMost)
        }
        Some(entry) => {
            let read = |text: &&str| match *text {
                "usual" => Ok(Volume::Usual),
                "off" => Ok(Volume::Unbounded),
                other => Err(format!("{other:?} is not known")),
            };
            let remedy = "write \"usual\", \"off\" or a number from 1 to 1000000";
            entry.text(remedy).and_then(|entry| entry.check(remedy, read)).unwrap_or_default()
        }
    }
}

fn rules(table: &Table<'_>, users: Option<&[String]>) -> TrustRules {
    let mut rules = TrustRules {
        logins: items(table, "logins", |entry| login(entry, users)),
        certificates: items(table, "certificates", certificate),
        networks: items(table, "networks", network),
        dkim: items(table, "dkim", domain),
        spf: items(table, "spf", domain),
        dmarc: items(table, "dmarc", domain),
        arc: items(table, "arc", domain),
        pipe: table.boolean("pipe").is_some_and(|entry| entry.value),
        max_age: span(table, "max_age", HOUR..=DAY * 30).unwrap_or(TrustRules::MAX_AGE),
        address: NewSenders::Hold,
    };
    if has(table, "arc") && !has(table, "dkim") {
        problem_at(
            table,
            "arc",
            "names whose word about signatures counts, but \"dkim\" names no signatures",
            "write the shop's domains, too: dkim = [\"nordljus.example\"]",
        );
    }
    let words = [("hold", NewSenders::Hold), ("accept", NewSenders::Accept), ("refuse", NewSenders::Refuse)];
    let proves = rules.pipe || METHODS.iter().any(|key| has(table, key));
    rules.address = match word(table, "address", &words) {
        Some(NewSenders::Refuse) if !proves => {
            problem_at(
                table,
                "address",
                "is \"refuse\", and nothing else would prove a sender: every copy would be held",
                "name a proof beside it, such as dkim = [\"nordljus.example\"], or write \"hold\"",
            );
            NewSenders::Refuse
        }
        Some(written) => written,
        None if rules.asks_for_proof() => NewSenders::Refuse,
        None => NewSenders::Hold,
    };
    rules
}

/// The keys that name proofs. One with a mistake counts, lest that mistake be reported twice.
const METHODS: [&str; 7] = ["logins", "certificates", "networks", "dkim", "spf", "dmarc", "arc"];

/// One item or a list, each once.
fn items<T: PartialEq>(table: &Table<'_>, key: &'static str, read: impl Fn(Entry<'_, &str>) -> Option<T>) -> Vec<T> {
    let Some(entries) = table.strings(key) else { return Vec::new() };
    if entries.is_empty() {
        problem_at(table, key, "is an empty list", "write at least one, or leave the key out");
    }
    let mut items = Vec::new();
    for entry in entries {
        let place = entry.clone();
        let Some(item) = read(entry) else { continue };
        if items.contains(&item) {
            place.problem("is listed twice", "leave it out");
        } else {
            items.push(item);
        }
    }
    items
}

/// A name that nobody has would prove nothing, and every copy of the shop's would be held: it is a slip of the pen, most likely.
fn login(entry: Entry<'_, &str>, users: Option<&[String]>) -> Option<String> {
    let there = users.unwrap_or_default().join(", ");
    let remedy = if there.is_empty() {
        "write the user name of a [[login]]".to_owned()
    } else {
        format!("write the user name of a [[login]]; there are: {there}")
    };
    entry.check(&remedy, |text| {
        if text.is_empty() || text.chars().count() > 255 || text.chars().any(char::is_control) {
            Err("is no user name".to_owned())
        } else if users.is_some_and(|users| !users.iter().any(|user| user == text)) {
            Err(format!("{text:?} is nobody who may log in"))
        } else {
            Ok((*text).to_owned())
        }
    })
}

fn certificate(entry: Entry<'_, &str>) -> Option<String> {
    let remedy = "write what this prints: openssl x509 -in client.pem -noout -fingerprint -sha256";
    entry.check(remedy, |text| {
        let digits = text.rsplit_once('=').map_or(*text, |(_, digits)| digits);
        listed_digest(digits).ok_or("is no SHA-256 fingerprint: 64 hexadecimal digits, with colons or without")
    })
}

/// A network, or a single address. One with bits behind its length is refused: either the address or the length is a mistake.
fn network(entry: Entry<'_, &str>) -> Option<IpNet> {
    entry.check("write a network such as \"192.0.2.0/24\" or \"2001:db8::/48\", or one address", |text| {
        let text = text.trim();
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse::<IpNet>().map_err(|_| format!("{text:?} is no network"))?,
        };
        if network.prefix_len() == 0 {
            Err(format!("{text} is the whole internet"))
        } else if network != network.trunc() {
            Err(format!("{text} has bits behind its length; the network is {}", network.trunc()))
        } else {
            Ok(network)
        }
    })
}

fn domain(entry: Entry<'_, &str>) -> Option<ListedDomain> {
    entry.check("write a domain such as \"nordljus.example\", or \".nordljus.example\" for all below it, too", |text| {
        ListedDomain::parse(text).ok_or("is no domain")
    })
}

/// The servers that are asked instead of the system's; empty for those of `/etc/resolv.conf`.
pub(super) fn dns_servers(top: &Table<'_>) -> Vec<SocketAddr> {
    top.table("dns", |table| Some(servers(table))).unwrap_or_default()
}

fn servers(table: &Table<'_>) -> Vec<SocketAddr> {
    let servers = items(table, "servers", |entry| {
        entry.check("write an IP address, with a port or without: \"127.0.0.1\", \"[::1]:5353\"", |text| {
            let text = text.trim();
            let address = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS_PORT));
            let address = address.or_else(|_| text.parse::<SocketAddr>()).ok();
            address.filter(|server| server.port() > 0).ok_or_else(|| format!("{text:?} is no server's address"))
        })
    });
    if servers.len() > SERVERS {
        problem_at(table, "servers", "has more than 3 servers", "keep the three that answer best");
    }
    servers
}

impl Config {
    /// What is doubtful in a shop's rules of proof: they are carried out as they stand, but may not mean what somebody thinks.
    pub fn trust_doubts(&self) -> Vec<(&Shop, String)> {
        self.shops.iter().flat_map(|shop| doubts(&shop.trust).into_iter().map(move |doubt| (shop, doubt))).collect()
    }
}

fn doubts(rules: &TrustRules) -> Vec<String> {
    let mut doubts = Vec::new();
    for (key, list) in [("dkim", &rules.dkim), ("spf", &rules.spf), ("dmarc", &rules.dmarc)] {
        for domain in list.iter().filter(|domain| is_shared(domain.name())) {
            doubts.push(format!(
                "{key} has {domain}, which everybody with an account there can send from: it proves the platform, not the shop; \
                 have the platform sign with the shop's own domain"
            ));
        }
    }
    for network in &rules.networks {
        if IpNet::contains(network, &IpAddr::from([127, 0, 0, 1]))
            || network.contains(&IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]))
        {
            doubts.push(format!(
                "networks has {network}, this machine: a mail server on it hands in everybody's mail from there; \
                 let it log in, or name it by \"pipe\""
            ));
        }
    }
    if rules.address == NewSenders::Accept {
        doubts.push("address is \"accept\": whoever learns the address can have letters sent to anybody".to_owned());
    }
    doubts
}

fn is_shared(domain: &str) -> bool {
    let entries = SHARED.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    entries
        .into_iter()
        .any(|shared| domain == shared || domain.strip_suffix(shared).is_some_and(|rest| rest.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::parse;
    use crate::document::Document;

    const MINIMAL: &str = include_str!("../../config/minimal.toml");
    const LOGIN: &str = "[[login]]\nuser = \"shop\"\npassword = { credential = \"login-shop\" }\n";

    fn config(extra: &str) -> Config {
        parse(&Document::new("x.toml", format!("{MINIMAL}{extra}")), Path::new("")).unwrap()
    }

    fn trust(keys: &str) -> TrustRules {
        config(&format!("[shop.trust]\n{keys}\n{LOGIN}")).shops.swap_remove(0).trust
    }

    /// What is wrong with a configuration that has these tables besides the least.
    fn mistakes(extra: &str) -> String {
        let problems = parse(&Document::new("x.toml", format!("{MINIMAL}{extra}")), Path::new("")).unwrap_err();
        problems.iter().map(|problem| format!("{problem}\n")).collect()
    }

    #[test]
    fn new_senders_are_held_unless_a_proof_is_named_which_then_is_asked_of_all() {
        for (keys, address) in [
            ("", NewSenders::Hold),
            ("dkim = \"nordljus.example\"", NewSenders::Refuse),
            ("pipe = true", NewSenders::Refuse),
            ("pipe = false", NewSenders::Hold),
            ("dkim = \"nordljus.example\"\naddress = \"hold\"", NewSenders::Hold),
            ("address = \"accept\"", NewSenders::Accept),
        ] {
            assert_eq!(trust(keys).address, address, "{keys}");
        }
        assert_eq!(config("").shops[0].trust, TrustRules::default());
    }

    #[test]
    fn each_proof_is_read_in_the_forms_in_which_people_write_it() {
        let digest = "0f".repeat(32);
        let colons = ["0F"; 32].join(":");
        let rules = trust(&format!(
            "logins = \"shop\"\ncertificates = [\"SHA256 Fingerprint={colons}\"]\nnetworks = [\"192.0.2.7\", \"2001:db8::/48\"]\n\
             dkim = [\"Nordljus.example\", \".b\u{fc}cher.example\"]\nspf = \"nordljus.example\"\ndmarc = \"nordljus.example\"\n\
             arc = \"google.com\"\npipe = true\nmax_age = \"2 days\""
        ));
        assert_eq!((rules.logins, rules.certificates), (vec!["shop".to_owned()], vec![digest]));
        assert_eq!(
            rules.networks.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["192.0.2.7/32", "2001:db8::/48"]
        );
        let dkim = rules.dkim.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(dkim, ["nordljus.example", ".xn--bcher-kva.example"]);
        assert_eq!((rules.arc[0].name(), rules.pipe, rules.max_age), ("google.com", true, DAY * 2));
    }

    #[test]
    fn a_login_that_nobody_has_is_a_mistake_unless_the_names_are_in_doubt() {
        for (logins, told) in [
            ("", "\"shpo\" is nobody who may log in; write the user name of a [[login]]"),
            (LOGIN, "\"shpo\" is nobody who may log in; write the user name of a [[login]]; there are: shop"),
        ] {
            let mistakes = mistakes(&format!("[shop.trust]\nlogins = \"shpo\"\n{logins}"));
            assert!(mistakes.trim_end().ends_with(told), "{mistakes}");
        }
        for (login, told) in [("user = 7", "is an integer"), ("user = \"shpo\"\npassword = 7", "neither a hash")] {
            let mistakes = mistakes(&format!("[shop.trust]\nlogins = \"shpo\"\n[[login]]\n{login}\n"));
            assert!(mistakes.contains(told) && !mistakes.contains("nobody"), "{mistakes}");
        }
    }

    #[test]
    fn a_day_is_bounded_by_what_is_usual_unless_the_shop_says_otherwise() {
        for (keys, volume) in [
            ("", Volume::Usual),
            ("volume = \"usual\"", Volume::Usual),
            ("volume = \"off\"", Volume::Unbounded),
            ("volume = 500", Volume::AtMost(500)),
        ] {
            assert_eq!(config(&format!("[shop.trust]\n{keys}\n")).shops[0].volume, volume, "{keys}");
        }
        assert_eq!(config("").shops[0].volume, Volume::Usual);
    }

    #[test]
    fn servers_are_read_with_and_without_a_port() {
        let at_end = |list: &str| config(&format!("[dns]\nservers = {list}\n")).dns_servers;
        assert_eq!(
            at_end("[\"127.0.0.1\", \"[::1]:5353\", \"::1\"]").iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["127.0.0.1:53", "[::1]:5353", "[::1]:53"]
        );
        assert_eq!(config("").dns_servers, []);
    }

    #[test]
    fn a_proof_that_proves_less_than_somebody_may_think_is_doubted() {
        for (keys, doubted) in [
            ("dkim = [\"nordljus.example\"]", None),
            ("dkim = [\"sendgrid.net\"]", Some("dkim has sendgrid.net")),
            ("spf = [\".em.sendgrid.net\"]", Some("spf has .em.sendgrid.net")),
            ("dkim = [\"notsendgrid.net\"]", None),
            ("networks = [\"10.0.0.0/8\"]", None),
            ("networks = [\"127.0.0.0/8\"]", Some("networks has 127.0.0.0/8")),
            ("networks = [\"::1\"]", Some("networks has ::1/128")),
            ("address = \"accept\"", Some("address is \"accept\"")),
        ] {
            let config = config(&format!("[shop.trust]\n{keys}"));
            let doubts = config.trust_doubts();
            assert_eq!(doubts.len(), usize::from(doubted.is_some()), "{keys}");
            assert!(doubts.iter().all(|(_, doubt)| doubt.starts_with(doubted.unwrap_or_default())), "{doubts:?}");
        }
    }

    #[test]
    fn the_list_of_shared_signers_holds_domains_only() {
        let lines = SHARED.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect::<Vec<_>>();
        assert!(lines.len() > 20);
        for line in lines {
            assert_eq!(ListedDomain::parse(line).map(|domain| domain.name().to_owned()).as_deref(), Some(line));
        }
    }
}
