//! What the DNS must say, so that copies come in and letters are believed.

use std::fmt;
use std::net::IpAddr;

use super::listener::ListenOn;
use super::settings::{Config, Relay, ReturnPath, Role, Shop};

/// A record to publish. What only the administrator or the relay's provider knows stands in angle brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsRecord {
    /// The owner name, without the last dot.
    pub name: String,
    /// `MX`, `A`, `AAAA` or `TXT`.
    pub kind: &'static str,
    /// The data in the form of a zone file.
    pub value: String,
    /// What it is for, one line.
    pub purpose: String,
}

/// A line of a zone file, the purpose as its comment.
impl fmt::Display for DnsRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. IN {} {} ; {}", self.name, self.kind, self.value, self.purpose)
    }
}

/// The records for the ingest domain, then those for each domain that letters come from.
///
/// The listener's host may have its address records already, and the letters' domains surely have an SPF record: the shop sends
/// its order mails from there. A second SPF record would void both (RFC 7208 3.2), so the purpose says what to add to the first.
pub fn dns_records(config: &Config) -> Vec<DnsRecord> {
    let host = &config.door.hostname;
    let mut records = vec![record(&config.ingest_domain, "MX", format!("10 {host}."), "copies come in here")];
    let from_servers = config.door.listeners.iter().filter(|listener| listener.role == Role::Smtp);
    let addresses = from_servers.filter_map(|listener| match &listener.on {
        ListenOn::Tcp(address) => Some(address.ip()),
        ListenOn::Unix(_) | ListenOn::Systemd(_) => None,
    });
    let public = addresses.filter(is_public).collect::<Vec<_>>();
    for ip in &public {
        let kind = if ip.is_ipv4() { "A" } else { "AAAA" };
        records.push(record(host, kind, ip.to_string(), "the host of the MX record"));
    }
    if public.is_empty() {
        records.push(record(host, "A", "<public IPv4 address>".to_owned(), "the host of the MX record"));
        records.push(record(host, "AAAA", "<public IPv6 address>".to_owned(), "the same, if it has one"));
    }
    records.extend(return_records(config, host));
    let mut seen = Vec::new();
    for shop in &config.shops {
        let domain = shop.from.domain();
        for relay in config.relays.iter().filter(|relay| shop.relays.contains(&relay.name)) {
            if !seen.contains(&(domain, &relay.name)) {
                seen.push((domain, &relay.name));
                records.extend(sender_records(config, shop, relay, host));
            }
        }
    }
    // What is the same whichever relay sends.
    let mut told: Vec<DnsRecord> = Vec::new();
    records.retain(|record| {
        let is_new = !told.contains(record);
        told.push(record.clone());
        is_new
    });
    records
}

/// Letters leave with return addresses at the ingest domain, so that domain's SPF record is the one that is asked for.
fn return_records(config: &Config, host: &str) -> Option<DnsRecord> {
    let own = config.relays.iter().filter(|relay| relay.return_path == ReturnPath::Own);
    let mut mechanisms = own.map(|relay| mechanism(relay, host).0).collect::<Vec<_>>();
    mechanisms.sort_unstable();
    mechanisms.dedup();
    let value = format!("\"v=spf1 {} ~all\"", mechanisms.join(" "));
    let purpose = "SPF: letters have return addresses here, so that bounces come in";
    // A shop whose letters come from that very domain has the record already.
    let is_told = config.shops.iter().any(|shop| shop.from.domain() == config.ingest_domain);
    (!mechanisms.is_empty() && !is_told).then(|| record(&config.ingest_domain, "TXT", value, purpose))
}

/// What an SPF record must let send, and whose it is.
fn mechanism(relay: &Relay, host: &str) -> (String, String) {
    match relay.host.parse::<IpAddr>() {
        Ok(ip) if ip.is_loopback() => (format!("a:{host}"), "this host".to_owned()),
        Ok(IpAddr::V4(ip)) => (format!("ip4:{ip}"), relay.host.clone()),
        Ok(IpAddr::V6(ip)) => (format!("ip6:{ip}"), relay.host.clone()),
        Err(_) if relay.host == "localhost" => (format!("a:{host}"), "this host".to_owned()),
        Err(_) => ("include:<the relay's SPF domain>".to_owned(), relay.host.clone()),
    }
}

fn sender_records(config: &Config, shop: &Shop, relay: &Relay, host: &str) -> Vec<DnsRecord> {
    let domain = shop.from.domain();
    let (mechanism, who) = mechanism(relay, host);
    let mut records = vec![record(
        domain,
        "TXT",
        format!("\"v=spf1 {mechanism} ~all\""),
        format!("SPF: {who} sends letters; if there is an SPF record, add only {mechanism} to it"),
    )];
    let mut keys = config.dkim.iter().filter(|dkim| dkim.domain == domain).peekable();
    if keys.peek().is_none() {
        records.push(record(
            &format!("<selector>._domainkey.{domain}"),
            "TXT",
            "\"v=DKIM1; p=<public key>\"".to_owned(),
            format!("DKIM: the key that {who} signs letters with"),
        ));
    }
    records.extend(keys.map(|dkim| {
        let value = "\"v=DKIM1; <as printed by: invited dkim record>\"".to_owned();
        record(&dkim.record_name(), "TXT", value, "DKIM: a key that letters are signed with here")
    }));
    records.push(record(
        &format!("_dmarc.{domain}"),
        "TXT",
        "\"v=DMARC1; p=none\"".to_owned(),
        "DMARC: large mailbox providers ask for one; keep a stricter one that is there",
    ));
    records
}

fn record(name: &str, kind: &'static str, value: String, purpose: impl Into<String>) -> DnsRecord {
    DnsRecord { name: name.to_owned(), kind, value, purpose: purpose.into() }
}

/// An address that strangers can reach; behind a translator it is not the one that is listened on.
fn is_public(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !(ip.is_unspecified() || ip.is_loopback() || ip.is_private() || ip.is_link_local()),
        IpAddr::V6(ip) => {
            !(ip.is_unspecified() || ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local())
        }
    }
}
