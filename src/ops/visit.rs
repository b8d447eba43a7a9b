//! A customer at one of our pages: who they are by the link that they came with, and why a link is good no more. Only reads: a look
//! changes nothing, whoever looks and however often.

use super::House;
use crate::domain::{
    AddressKey, EmailAddress, Invitation, InvitationId, OrderReference, PersonName, ReviewId, ShopId, Timestamp,
};
use crate::link::{InvalidTicket, InvalidToken, OrderTicket, Purpose, Token};
use crate::store::{Filter, ReviewsOf, Store, StoreError};

/// Which door a visitor came to, with what they showed.
#[derive(Clone, Copy)]
pub enum Door<'a> {
    /// A review, by a letter's link.
    Review(&'a str),
    /// Unsubscribing.
    Unsubscribe(&'a str),
    /// What is stored.
    Data(&'a str),
    /// The letter in the browser.
    View(&'a str),
    /// A review, by a link that the shop made for one order.
    Order(&'a str),
    /// A review, by the shop's generic link; the shop's id.
    Shop(&'a str),
    /// A review that came by the generic link.
    Basic(&'a str),
}

/// Who a visitor is.
#[derive(Debug, Clone, PartialEq)]
pub enum Who {
    /// The customer of this invitation.
    Invitation(InvitationId),
    /// The customer of the order for which the shop made a link.
    Order(Box<OrderTicket>),
    /// Nobody knows.
    Anybody,
    /// Whoever wrote this review, which came by the generic link.
    Review(ReviewId),
}

/// A visitor with a good link.
#[derive(Debug, Clone, PartialEq)]
pub struct Visit {
    /// Whose customer.
    pub shop: ShopId,
    /// Who.
    pub who: Who,
    /// The invitation that their link belongs to; of an order's link the last one to that order, where there is any.
    pub invitation: Option<Invitation>,
    /// The language of the shop's mails to them.
    pub locale: Option<String>,
    /// Until when the link is good that they came with; of the generic link, which has no end, `None`.
    pub expires: Option<Timestamp>,
}

impl Visit {
    /// The visitor's address.
    pub fn email(&self) -> Option<&EmailAddress> {
        match &self.who {
            Who::Order(ticket) => Some(&ticket.email),
            _ => self.invitation.as_ref().map(|one| &one.customer.email),
        }
    }

    /// Their order.
    pub fn reference(&self) -> Option<&OrderReference> {
        match &self.who {
            Who::Order(ticket) => Some(&ticket.reference),
            _ => self.invitation.as_ref().map(|one| &one.reference),
        }
    }

    /// The name by which the shop knows them.
    pub fn name(&self) -> Option<&PersonName> {
        match &self.who {
            Who::Order(ticket) => ticket.name.as_ref(),
            _ => self.invitation.as_ref().and_then(|one| one.customer.name.as_ref()),
        }
    }

    /// What was bought, by name, in the order in which a form counts it.
    pub fn products(&self) -> Vec<&str> {
        match (&self.who, &self.invitation) {
            (Who::Order(ticket), _) => ticket.products.iter().map(String::as_str).collect(),
            (_, Some(invitation)) => invitation.order.products.iter().map(|product| product.name.as_str()).collect(),
            (_, None) => Vec::new(),
        }
    }

    /// Which reviews are theirs.
    pub(super) fn reviews(&self) -> Option<ReviewsOf> {
        match (&self.who, self.reference(), self.email()) {
            (Who::Review(id), ..) => Some(ReviewsOf::One(*id)),
            (Who::Anybody, ..) => None,
            (_, Some(reference), Some(email)) => {
                Some(ReviewsOf::Order { shop: self.shop.clone(), reference: reference.clone(), author: email.key() })
            }
            _ => None,
        }
    }
}

/// Why a link is not good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Not one of ours. Say no more to a stranger.
    Unknown,
    /// It was good once.
    Expired(ShopId),
    /// The shop has revoked it.
    Revoked(ShopId),
    /// What it led to is erased.
    Gone(ShopId),
}

/// Who came.
///
/// # Errors
/// When the store cannot be read.
pub async fn visit(house: &House, door: Door<'_>) -> Result<Result<Visit, Refused>, StoreError> {
    let (setup, now) = (house.setup(), house.clock.now());
    let keys = &setup.keys.links;
    let is_ours = |shop: &ShopId| setup.config.shops.iter().any(|one| one.id == *shop);
    let (purpose, text) = match door {
        Door::Review(text) => (Purpose::Review, text),
        Door::Unsubscribe(text) => (Purpose::Unsubscribe, text),
        Door::Data(text) => (Purpose::Data, text),
        Door::View(text) => (Purpose::View, text),
        Door::Basic(text) => (Purpose::Basic, text),
        Door::Shop(text) => {
            let shop = ShopId::parse(text).ok().filter(is_ours);
            let visit =
                shop.map(|shop| Visit { shop, who: Who::Anybody, invitation: None, locale: None, expires: None });
            return Ok(visit.ok_or(Refused::Unknown));
        }
        Door::Order(text) => {
            return match OrderTicket::open(keys, text, now) {
                Ok(ticket) if is_ours(&ticket.shop) => by_ticket(&*house.store, ticket).await.map(Ok),
                Err(InvalidTicket::Expired(ticket)) if is_ours(&ticket.shop) => Ok(Err(Refused::Expired(ticket.shop))),
                _ => Ok(Err(Refused::Unknown)),
            };
        }
    };
    match Token::verify(keys, purpose, text, now) {
        Ok(token) if is_ours(&token.shop) => by_token(&*house.store, purpose, token).await,
        Err(InvalidToken::Expired(token)) if is_ours(&token.shop) => match purpose.has_an_end() {
            true => Ok(Err(Refused::Expired(token.shop))),
            false => by_token(&*house.store, purpose, token).await,
        },
        _ => Ok(Err(Refused::Unknown)),
    }
}

async fn by_token(store: &dyn Store, purpose: Purpose, token: Token) -> Result<Result<Visit, Refused>, StoreError> {
    let Token { shop, number, series, expires } = token;
    let expires = Some(expires);
    if purpose == Purpose::Basic {
        let id = ReviewId(number);
        let review = store.reviews_of(&ReviewsOf::One(id)).await?.pop().filter(|one| one.shop == shop);
        return Ok(match review {
            Some(review) => {
                let locale = Some(review.language);
                Ok(Visit { shop, who: Who::Review(id), invitation: None, locale, expires })
            }
            None => Err(Refused::Gone(shop)),
        });
    }
    let id = InvitationId(number);
    Ok(match invitation(store, id).await?.filter(|one| one.shop == shop) {
        None => Err(Refused::Gone(shop)),
        // A queue that was put back from a backup knows an earlier series only.
        Some(one) if series < one.link_series && purpose.has_an_end() => Err(Refused::Revoked(shop)),
        Some(one) => {
            let locale = one.order.locale.clone();
            Ok(Visit { shop, who: Who::Invitation(id), invitation: Some(one), locale, expires })
        }
    })
}

async fn by_ticket(store: &dyn Store, ticket: OrderTicket) -> Result<Visit, StoreError> {
    let invitation = last_to(store, &ticket.shop, &ticket.reference, &ticket.email.key()).await?;
    let locale = invitation.as_ref().and_then(|one| one.order.locale.clone());
    let (shop, expires) = (ticket.shop.clone(), Some(ticket.expires));
    Ok(Visit { shop, who: Who::Order(Box::new(ticket)), invitation, locale, expires })
}

/// The invitation of this number.
async fn invitation(store: &dyn Store, id: InvitationId) -> Result<Option<Invitation>, StoreError> {
    let above = InvitationId(id.0.saturating_add(1));
    let page = store.list(&Filter::default(), Some(above), 1).await?;
    Ok(page.invitations.into_iter().find(|one| one.id == id))
}

/// The last invitation of one customer to one order.
async fn last_to(
    store: &dyn Store,
    shop: &ShopId,
    reference: &OrderReference,
    author: &AddressKey,
) -> Result<Option<Invitation>, StoreError> {
    let filter = Filter {
        shop: Some(shop.clone()),
        reference: Some(reference.key()),
        email: Some(author.clone()),
        ..Filter::default()
    };
    Ok(store.list(&filter, None, 1).await?.invitations.pop())
}
