//! What one shop has stored about a customer, as they may see and take it (GDPR, articles 15 and 20), and their wish to be erased
//! (article 17), which a person carries out.

use serde::{Serialize, Serializer};

use super::House;
use super::unsubscribe::entry;
use super::visit::Visit;
use crate::domain::{EmailAddress, OrderDetails, Review, Timestamp};
use crate::store::{StoreError, Subject};

/// An instant; as JSON in RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When(pub Timestamp);

impl Serialize for When {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

/// What is stored. As JSON it is what a customer gets; instants are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
pub struct MyData {
    /// The shop's id.
    pub shop: String,
    /// The address.
    pub email: String,
    /// The name.
    pub name: Option<String>,
    /// When the shop's mails about the orders came in.
    pub copies: Vec<When>,
    /// The orders.
    pub orders: Vec<MyOrder>,
    /// What was reviewed.
    pub reviews: Vec<MyReview>,
    /// Entries of the list of those who get no letters.
    pub no_letters: Vec<MyEntry>,
    /// When erasure was asked for.
    pub erasure_asked: Option<When>,
}

/// One order that the customer was asked about, or is going to be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MyOrder {
    /// The shop's name for it.
    pub reference: String,
    /// Since when it is known here.
    pub since: When,
    /// Where asking about it stands.
    pub state: &'static str,
    /// When the next letter is due.
    pub due_at: Option<When>,
    /// What the mails told of it.
    pub details: OrderDetails,
    /// The letters.
    pub letters: Vec<MyLetter>,
}

/// A letter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MyLetter {
    /// The first one or a reminder.
    pub kind: &'static str,
    /// When it was sent, or last tried.
    pub at: When,
    /// How far it got.
    pub phase: &'static str,
}

/// A review.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MyReview {
    /// About which order.
    pub reference: Option<String>,
    /// The product; `None` for the shop.
    pub product: Option<String>,
    /// How many stars.
    pub stars: u8,
    /// The heading.
    pub title: String,
    /// The words.
    pub text: String,
    /// The name that is shown.
    pub name: String,
    /// When it was written.
    pub written_at: When,
    /// When it was last changed.
    pub edited_at: Option<When>,
    /// When it was deleted.
    pub deleted_at: Option<When>,
}

/// An entry of the list of those who get no letters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MyEntry {
    /// Whose letters.
    pub shops: &'static str,
    /// Why.
    pub reason: &'static str,
    /// Since when.
    pub since: When,
}

impl From<Review> for MyReview {
    fn from(one: Review) -> Self {
        Self {
            reference: one.reference.map(|reference| reference.to_string()),
            product: one.product,
            stars: one.stars.get(),
            title: one.words.title().to_owned(),
            text: one.words.text().to_owned(),
            name: one.words.name().to_owned(),
            written_at: When(one.written_at),
            edited_at: one.edited_at.map(When),
            deleted_at: one.deleted_at.map(When),
        }
    }
}

/// What this shop has stored about a visitor.
///
/// # Errors
/// When the store cannot be read.
pub async fn my_data(house: &House, visit: &Visit) -> Result<MyData, StoreError> {
    let Some(email) = visit.email() else {
        return Ok(MyData { shop: visit.shop.to_string(), ..MyData::default() });
    };
    let mut story = house.store.story(&Subject::Email(email.key())).await?;
    story.copies.retain(|copy| copy.shop == visit.shop);
    story.invitations.retain(|one| one.shop == visit.shop);
    let mut orders = Vec::new();
    for one in &story.invitations {
        let letters = story.letters.iter().filter(|letter| letter.invitation == one.id).map(|letter| MyLetter {
            kind: letter.kind.as_str(),
            at: When(letter.on_the_wire_at.unwrap_or(letter.claimed_at)),
            phase: letter.phase.as_str(),
        });
        orders.push(MyOrder {
            reference: one.reference.to_string(),
            since: When(one.created_at),
            state: one.progress.state.as_str(),
            due_at: one.progress.due_at.map(When),
            details: one.order.clone(),
            letters: letters.collect(),
        });
    }
    let reviews = story.reviews.into_iter().filter(|one| one.shop == visit.shop).map(MyReview::from).collect();
    let there = house.store.list_standing(&super::unsubscribe::keys(house, email)).await?;
    let there = there.iter().filter(|one| one.entry.shop.as_ref().is_none_or(|shop| *shop == visit.shop));
    let no_letters = there.map(|one| MyEntry {
        shops: if one.entry.shop.is_none() { "all" } else { "this one" },
        reason: one.entry.reason.as_str(),
        since: When(one.entry.at),
    });
    let asked = house.store.erasure_requests().await?;
    let asked = asked.iter().find(|one| EmailAddress::parse(&one.email).is_ok_and(|one| one.key() == email.key()));
    Ok(MyData {
        shop: visit.shop.to_string(),
        email: email.to_string(),
        name: visit.name().map(|name| name.as_str().to_owned()),
        copies: story.copies.iter().map(|copy| When(copy.received_at)).collect(),
        orders,
        reviews,
        no_letters: no_letters.collect(),
        erasure_asked: asked.map(|one| When(one.at)),
    })
}

/// Notes that a visitor wants to be erased. Letters of all shops stop at once; a person sees the wish and carries it out.
///
/// # Errors
/// When nothing was noted.
pub async fn ask_erasure(house: &House, visit: &Visit) -> Result<(), StoreError> {
    let Some(email) = visit.email() else { return Ok(()) };
    let entry = entry(house, email, None, Some("asked to be erased"));
    let by_link_of = visit.invitation.as_ref().map(|one| one.id);
    let policies = house.setup().policies.clone();
    house.store.ask_erasure(&visit.shop, email, entry, by_link_of, policies, house.clock.now()).await?;
    Ok(())
}
