//! Taking a copy in: is the recipient ours, can we write, and is it durable.

use std::sync::Arc;

use async_trait::async_trait;
use subtle::ConstantTimeEq;

use super::house::House;
use crate::config::Config;
use crate::domain::{CopyId, LetterId, ShopId, host_name};
use crate::link::letter_of;
pub use crate::store::NewCopy;
use crate::store::{Store, StoreError};

/// Where mail for an address goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// A shop's BCC address, by one of its secrets.
    Shop(ShopId),
    /// The return address of a letter that was sent for a shop.
    Letter(ShopId, LetterId),
    /// Nobody here: 550 5.1.1.
    Unknown,
}

/// The store cannot take the copy now; the client must keep it and come back (4xx).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// No room on disk: 452 4.3.1.
    #[error("no space left")]
    Full,
    /// The database is locked, broken or gone: 451 4.3.0.
    #[error("the store cannot be written")]
    Unavailable,
}

/// The door's view of the house.
#[async_trait]
pub trait Intake: Send + Sync + 'static {
    /// Whose address this is. Constant time in the secret; no I/O.
    fn recipient(&self, address: &str) -> Recipient;

    /// Whether a copy could be taken in now; asked at MAIL, so that a client is not made to send what cannot be kept.
    async fn ready(&self) -> Result<(), NotNow>;

    /// Whether there is anybody who may log in.
    fn has_logins(&self) -> bool;

    /// Whether this is the user and the password is right. Takes as long for a user that there is not.
    async fn authenticate(&self, user: &str, password: &[u8]) -> Result<bool, NotNow>;

    /// Stores the copies of one message, all or none. `Ok` means that they are durable on disk.
    async fn accept(&self, copies: Vec<NewCopy>) -> Result<Vec<CopyId>, NotNow>;
}

/// Takes copies into the house's store and wakes the reader.
pub struct Accept(pub Arc<House>);

#[async_trait]
impl Intake for Accept {
    fn recipient(&self, address: &str) -> Recipient {
        let setup = self.0.setup();
        recipient(&setup.config, &setup.keys.return_addresses, address)
    }

    async fn ready(&self) -> Result<(), NotNow> {
        // Why is told by whoever met it first; there may be any number who ask.
        self.0.store.ready().await.map_err(|error| {
            tracing::debug!(%error, "no copy could be kept now");
            not_now(&error)
        })
    }

    fn has_logins(&self) -> bool {
        !self.0.setup().logins.is_empty()
    }

    async fn authenticate(&self, user: &str, password: &[u8]) -> Result<bool, NotNow> {
        self.0.setup().logins.are_right(&self.0.turns, user, password).await
    }

    async fn accept(&self, copies: Vec<NewCopy>) -> Result<Vec<CopyId>, NotNow> {
        let ids = keep(&*self.0.store, copies).await?;
        self.0.meter.taken_in.one();
        self.0.copy_came.notify_one();
        Ok(ids)
    }
}

fn not_now(error: &StoreError) -> NotNow {
    match error {
        StoreError::Full => NotNow::Full,
        _ => NotNow::Unavailable,
    }
}

/// Has copies kept by a store, all or none; `Ok` means that they are durable.
///
/// # Errors
/// When they cannot be kept now; the log has why.
pub async fn keep(store: &dyn Store, copies: Vec<NewCopy>) -> Result<Vec<CopyId>, NotNow> {
    store.spool(copies).await.map_err(|error| {
        tracing::error!(%error, "a copy could not be kept; the client was asked to come back");
        not_now(&error)
    })
}

/// `<shop>+<secret>@<ingest domain>`, or a letter's return address. Every secret of the shop is compared to the end, whatever was
/// guessed, and so is every shop's token.
pub fn recipient(config: &Config, return_key: &[u8; 32], address: &str) -> Recipient {
    let Some((local, domain)) = address.rsplit_once('@') else { return Recipient::Unknown };
    let Some((shop, secret)) = local.split_once('+') else { return Recipient::Unknown };
    // RFC 6531 3.2: a domain may be written in its own letters.
    let in_its_letters = || !domain.is_ascii() && host_name(domain).as_deref() == Some(config.ingest_domain.as_str());
    if !domain.eq_ignore_ascii_case(&config.ingest_domain) && !in_its_letters() {
        return Recipient::Unknown;
    }
    if let Some((shop, letter)) = letter_of(return_key, config.shops.iter().map(|shop| &shop.id), local) {
        return Recipient::Letter(shop, letter);
    }
    let (shop, secret) = (shop.to_ascii_lowercase(), secret.to_ascii_lowercase());
    let Some(shop) = config.shops.iter().find(|known| known.id.as_str() == shop) else { return Recipient::Unknown };
    let known = shop
        .secrets
        .iter()
        .fold(subtle::Choice::from(0), |known, right| known | right.as_bytes().ct_eq(secret.as_bytes()));
    if bool::from(known) { Recipient::Shop(shop.id.clone()) } else { Recipient::Unknown }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config;
    use crate::document::Document;

    #[test]
    fn an_address_is_ours_in_any_case_and_its_domain_in_its_own_letters() {
        let text = include_str!("../../config/minimal.toml")
            .replace("invited.nordljus.example", "kund\u{e5}sikt.nordljus.example");
        let config = config::parse(&Document::new("x.toml", text), Path::new("/")).unwrap();
        assert_eq!(config.ingest_domain, "xn--kundsikt-d0a.nordljus.example");
        for (address, is_ours) in [
            ("nordljus+writeyourownhere0123@xn--kundsikt-d0a.nordljus.example", true),
            ("Nordljus+WriteYourOwnHere0123@XN--KUNDSIKT-D0A.Nordljus.Example", true),
            ("nordljus+writeyourownhere0123@kund\u{e5}sikt.nordljus.example", true),
            ("nordljus+writeyourownhere0123@KUND\u{c5}SIKT.nordljus.example", true),
            ("nordljus+writeyourownhere0123@kundasikt.nordljus.example", false),
            ("nordljus+writeyourownhere0123@nordljus.example", false),
            ("nordljus+writeyourownhere012@xn--kundsikt-d0a.nordljus.example", false),
            ("nordljus@xn--kundsikt-d0a.nordljus.example", false),
            ("postmaster", false),
            ("", false),
        ] {
            assert_eq!(recipient(&config, &[0; 32], address) != Recipient::Unknown, is_ours, "{address}");
        }
    }
}
