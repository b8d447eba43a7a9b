//! Customers write, change and delete their reviews, as the visitors that [`super::visit`] knows.

use std::collections::HashSet;

use super::House;
use super::visit::{Visit, Who};
use crate::domain::{Collected, InvitationId, OrderReference, Review, ReviewId, ReviewKind, Submission};
use crate::store::{NewReviews, ReviewsWritten, Store, StoreError, Subject};

/// What came of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It is kept; these are its reviews, the one about the shop first.
    Stored(Vec<ReviewId>),
    /// All of it was kept already: the form came twice.
    Unchanged(Vec<ReviewId>),
    /// Whoever wrote it was erased meanwhile. Nothing is kept.
    Gone,
}

/// What this visitor wrote, as far as it stands.
///
/// # Errors
/// When the store cannot be read.
pub async fn reviews(house: &House, visit: &Visit) -> Result<Vec<Review>, StoreError> {
    let Some(whose) = visit.reviews() else { return Ok(Vec::new()) };
    let mut reviews = house.store.reviews_of(&whose).await?;
    reviews.retain(Review::stands);
    Ok(reviews)
}

/// Keeps what a visitor sent. `reference` is what somebody wrote who came by the generic link; others have an order.
///
/// # Errors
/// When nothing was kept.
pub async fn write(
    house: &House,
    visit: &Visit,
    submission: Submission,
    reference: Option<OrderReference>,
) -> Result<Written, StoreError> {
    let order = match &visit.who {
        Who::Anybody | Who::Review(_) => None,
        _ => visit.reference().cloned().zip(visit.email().map(|email| email.key())),
    };
    let collected = match &visit.who {
        Who::Order(_) => Collected::Link,
        Who::Invitation(id) => collected(&*house.store, *id).await?,
        Who::Anybody | Who::Review(_) => Collected::Basic,
    };
    let Submission { service, products, language } = submission;
    let mut drafts = vec![(ReviewKind::Service, None, service)];
    // Two lines of an order may be of one product, about which there is one review.
    let (names, mut seen) = (visit.products(), HashSet::new());
    for (place, draft) in products {
        if let Some(name) = names.get(place).filter(|name| !name.is_empty() && seen.insert(**name)) {
            drafts.push((ReviewKind::Product, Some((*name).to_owned()), draft));
        }
    }
    let new = NewReviews {
        shop: visit.shop.clone(),
        order,
        claimed: reference.filter(|_| visit.who == Who::Anybody),
        invitation: visit.invitation.as_ref().map(|one| one.id),
        changes: match visit.who {
            Who::Review(id) => Some(id),
            _ => None,
        },
        collected,
        drafts,
        language,
    };
    let policies = house.setup().policies.clone();
    let written = house.store.write_reviews(new, policies, house.clock.now()).await?;
    Ok(match written {
        ReviewsWritten::Stored(ids) => Written::Stored(ids),
        ReviewsWritten::Unchanged(ids) => Written::Unchanged(ids),
        ReviewsWritten::Gone => Written::Gone,
    })
}

/// Takes what this visitor wrote away. Whether there was anything.
///
/// # Errors
/// When nothing was taken away.
pub async fn delete(house: &House, visit: &Visit) -> Result<bool, StoreError> {
    let Some(whose) = visit.reviews() else { return Ok(false) };
    let gone = house.store.delete_reviews(&whose, None, house.clock.now()).await?;
    Ok(!gone.is_empty())
}

/// Whether an invitation began by a shop's copy or by a person's wish.
async fn collected(store: &dyn Store, id: InvitationId) -> Result<Collected, StoreError> {
    let story = store.story(&Subject::Invitation(id)).await?;
    let by_hand = story.decisions.iter().any(|one| one.from.is_none() && one.copy.is_none());
    Ok(if by_hand { Collected::Manual } else { Collected::Automatic })
}
