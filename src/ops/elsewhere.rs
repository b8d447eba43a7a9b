//! Reviews that are collected elsewhere: somebody tells us that one exists, so that nobody is reminded of it.

use super::House;
use crate::domain::{Decision, EmailAddress, InvitationId, OrderReference, ShopId};
use crate::store::{Actor, StoreError};

/// Tells the invitations to an order that it was reviewed, those of one customer or of all who were asked about it. Nothing is
/// remembered where there is no invitation. Telling it twice is telling it once.
///
/// # Errors
/// When nothing was changed.
pub async fn reviewed_elsewhere(
    house: &House,
    shop: &ShopId,
    reference: &OrderReference,
    email: Option<&EmailAddress>,
    by: &Actor,
) -> Result<Vec<(InvitationId, Decision)>, StoreError> {
    let email = email.map(|email| email.key());
    let policies = house.setup().policies.clone();
    house.store.reviewed_by_reference(shop, reference, email, by, policies, house.clock.now()).await
}
