//! A mail that the service sends to itself to try the whole way in: known by its mark, recorded as ignored, never an invitation.

use crate::config::{Config, Shop};
use crate::domain::{Outcome, Reading, ShopId, Timestamp};
use crate::link::probe;
use crate::store::PROBE;

/// A probe to a shop's own address, ready for the wire.
pub fn compose(config: &Config, shop: &Shop, key: &[u8; 32], at: Timestamp, nonce: [u8; 8]) -> Vec<u8> {
    let (mark, host) = (probe::sign(key, &shop.id, at, nonce), &config.door.hostname);
    let date = at.to_jiff().strftime("%a, %d %b %Y %H:%M:%S +0000");
    let id = mark.rsplit('.').next().unwrap_or_default().get(..32).unwrap_or_default();
    format!(
        "From: {sender}\r\nTo: {sender}\r\nSubject: A probe of the way in\r\nDate: {date}\r\nMessage-ID: <{id}@{host}>\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nAuto-Submitted: auto-generated\r\n{field}: {mark}\r\n\r\n\
         Sent by \"invited check --live\". Nothing comes of it.\r\n",
        sender = sender(config),
        field = probe::FIELD,
    )
    .into_bytes()
}

/// Who sends probes.
pub fn sender(config: &Config) -> String {
    format!("probe@{}", config.ingest_domain)
}

/// What is filed of a mail that is a probe; `None` for every other.
pub(super) fn reading(key: &[u8; 32], shop: &ShopId, message: &[u8], received_at: Timestamp) -> Option<Reading> {
    let is_probe = marks(message).any(|mark| probe::is_ours(key, shop, mark, received_at));
    is_probe.then(|| Reading::without_findings(Outcome::Ignored, PROBE))
}

/// The values of the fields that may be the mark, in the header section alone.
fn marks(message: &[u8]) -> impl Iterator<Item = &str> {
    let lines = message.split(|octet| *octet == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.take_while(|line| !line.is_empty()).filter_map(|line| {
        let (name, value) = line.split_at_checked(probe::FIELD.len())?;
        let value = value.strip_prefix(b":").filter(|_| name.eq_ignore_ascii_case(probe::FIELD.as_bytes()))?;
        std::str::from_utf8(value).ok()
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::document::Document;

    #[test]
    fn a_probe_is_known_by_its_header_alone() {
        let text = include_str!("../../config/minimal.toml");
        let config = crate::config::parse(&Document::new("x.toml", text), Path::new("")).unwrap();
        let (key, at, shop) = ([3; 32], Timestamp::from_seconds(1_795_251_600), &config.shops[0]);
        let mail = compose(&config, shop, &key, at, [9; 8]);
        assert!(mail.is_ascii() && !String::from_utf8_lossy(&mail).replace("\r\n", "").contains(['\r', '\n']));
        let found = reading(&key, &shop.id, &mail, at).unwrap();
        assert_eq!((found.outcome, found.reason.as_deref()), (Outcome::Ignored, Some(PROBE)));
        assert_eq!(reading(&[4; 32], &shop.id, &mail, at), None, "of another key");
        let text = String::from_utf8(mail).unwrap();
        let in_its_body = text.replacen(probe::FIELD, "X-Other", 1) + &text;
        assert_eq!(reading(&key, &shop.id, in_its_body.as_bytes(), at), None, "in a body it is a text like any other");
        let lower = text.replacen(probe::FIELD, "x-invited-probe", 1);
        assert!(reading(&key, &shop.id, lower.as_bytes(), at).is_some());
    }
}
