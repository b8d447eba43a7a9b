//! What goes in and out of the store where customers write, unsubscribe, and ask.

use serde::Serialize;

use crate::domain::{
    AddressKey, Collected, Draft, InvitationId, OrderReference, Review, ReviewId, ReviewKind, ReviewText, ShopId,
    Stars, Timestamp,
};

/// Whose reviews are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReviewsOf {
    /// What one person wrote about one order.
    Order {
        /// The shop.
        shop: ShopId,
        /// The order.
        reference: OrderReference,
        /// The person.
        author: AddressKey,
    },
    /// This one.
    One(ReviewId),
}

/// What a customer sends, on its way into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewReviews {
    /// Of which shop.
    pub shop: ShopId,
    /// By whom, and about which order. `None` for whoever came by the generic link.
    pub order: Option<(OrderReference, AddressKey)>,
    /// An order that somebody names who came by the generic link; nobody has looked whether it is theirs.
    pub claimed: Option<OrderReference>,
    /// The invitation that it answers. When there is none of this number any more, the person was erased and nothing is kept.
    pub invitation: Option<InvitationId>,
    /// The review that is changed, where it was written by the generic link.
    pub changes: Option<ReviewId>,
    /// How it came.
    pub collected: Collected,
    /// About what, with a product's name, and the words.
    pub drafts: Vec<(ReviewKind, Option<String>, Draft)>,
    /// The language of the page.
    pub language: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReviewsWritten {
    /// These stand now as they were sent.
    Stored(Vec<ReviewId>),
    /// All of it stood so already.
    Unchanged(Vec<ReviewId>),
    /// Whoever wrote it was erased meanwhile, or the review is not there; nothing is kept.
    Gone,
}

/// Which reviews. Everything given must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewFilter {
    /// Of this shop.
    pub shop: Option<ShopId>,
    /// With so many stars.
    pub stars: Option<Stars>,
    /// That came in this way.
    pub collected: Option<Collected>,
    /// Written at this instant or later.
    pub since: Timestamp,
}

impl Default for ReviewFilter {
    fn default() -> Self {
        Self { shop: None, stars: None, collected: None, since: Timestamp(i64::MIN) }
    }
}

/// What a review was before it was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReviewEdit {
    /// When it was changed.
    pub at: Timestamp,
    /// The stars before.
    pub stars: Stars,
    /// The words before.
    #[serde(flatten)]
    pub words: ReviewText,
}

/// How many reviews of a shop came in a way and stand, or do not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReviewCount {
    /// The way.
    pub collected: Collected,
    /// About what.
    pub kind: ReviewKind,
    /// Those that stand.
    pub standing: u64,
    /// Those that their authors deleted.
    pub withdrawn: u64,
    /// Those that the shop's staff deleted.
    pub removed: u64,
}

/// Somebody wants everything erased that is stored about them.
#[derive(Clone, PartialEq, Eq)]
pub struct ErasureRequest {
    /// On whose page they asked.
    pub shop: ShopId,
    /// Their address.
    pub email: String,
    /// When they first asked.
    pub at: Timestamp,
}

/// Without the address.
impl std::fmt::Debug for ErasureRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ErasureRequest").field("shop", &self.shop).field("at", &self.at).finish_non_exhaustive()
    }
}

/// A review with what it was before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReviewWithHistory {
    /// As it stands.
    #[serde(flatten)]
    pub review: Review,
    /// What it was, oldest first.
    pub history: Vec<ReviewEdit>,
}
