//! A customer wants no more letters, of one shop or of all, or takes that back.

use super::House;
use super::visit::Visit;
use crate::domain::{EmailAddress, ListKey, ListReason, ShopId, SuppressionEntry};
use crate::store::{NewEntry, StoreError};

/// By whom, in the list and in the records.
pub(super) const CUSTOMER: &str = "customer";

/// Whose letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// This shop's.
    Shop,
    /// Those of all shops of this installation.
    All,
}

/// Whose letters somebody gets no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unsubscribed {
    /// This shop's alone.
    pub shop: bool,
    /// All shops'.
    pub all: bool,
}

/// An entry that a customer makes about themselves.
pub(super) fn entry(house: &House, email: &EmailAddress, shop: Option<ShopId>, note: Option<&str>) -> NewEntry {
    let setup = house.setup();
    let entry = SuppressionEntry {
        key: ListKey::of(&email.key()),
        shop,
        reason: ListReason::Unsubscribed,
        note: note.map(str::to_owned),
        actor: CUSTOMER.to_owned(),
        at: house.clock.now(),
    };
    NewEntry::new(entry, setup.policies.list_key(), setup.config.hashed_suppressions)
}

/// Under which keys a customer stands on the list, plain and hashed.
pub(super) fn keys(house: &House, email: &EmailAddress) -> Vec<ListKey> {
    let plain = ListKey::of(&email.key());
    let hashed = plain.hashed(house.setup().policies.list_key());
    vec![plain, hashed]
}

/// Stops the letters to a visitor whom we write to. Doing it twice is doing it once.
///
/// # Errors
/// When nothing was changed.
pub async fn unsubscribe(house: &House, visit: &Visit, scope: Scope) -> Result<(), StoreError> {
    let Some(email) = visit.email() else { return Ok(()) };
    let shop = match scope {
        Scope::Shop => Some(visit.shop.clone()),
        Scope::All => None,
    };
    let entry = entry(house, email, shop, None);
    let by_link_of = visit.invitation.as_ref().map(|one| one.id);
    house.store.unsubscribe(entry, by_link_of, house.setup().policies.clone(), house.clock.now()).await?;
    Ok(())
}

/// Takes back what the visitor has done here, for this shop and for all. Invitations that have ended stay so; later orders are asked
/// about again.
///
/// # Errors
/// When nothing was changed.
pub async fn undo(house: &House, visit: &Visit) -> Result<(), StoreError> {
    let Some(email) = visit.email() else { return Ok(()) };
    house.store.resubscribe(keys(house, email), &visit.shop).await?;
    Ok(())
}

/// Whose letters the visitor gets no more, for whatever reason.
///
/// # Errors
/// When the store cannot be read.
pub async fn standing(house: &House, visit: &Visit) -> Result<Unsubscribed, StoreError> {
    let Some(email) = visit.email() else { return Ok(Unsubscribed::default()) };
    let there = house.store.list_standing(&keys(house, email)).await?;
    Ok(Unsubscribed {
        shop: there.iter().any(|one| one.entry.shop.as_ref() == Some(&visit.shop)),
        all: there.iter().any(|one| one.entry.shop.is_none()),
    })
}
