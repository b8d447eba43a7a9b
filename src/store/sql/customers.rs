//! What customers do beside writing: they put letters off, unsubscribe, take that back, ask to be erased; and what somebody else tells
//! of them, that they have reviewed.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::connection::Connection;
use super::fault::Fault;
use super::moves::{self, Book, Cause, Record, to_json};
use super::person_statements as persons;
use super::review_statements as sql;
use super::reviews::CUSTOMER;
use super::rows::{InvitationRow, records};
use super::tally::shop_id;
use super::turns::{self, Turn};
use super::writer::Work;
use super::{person_statements, suppression};
use crate::domain::{
    AddressKey, CustomerNews, Decision, EmailAddress, Event, Invitation, InvitationId, ListKey, ListReason,
    OrderReference, Policies, Rule, ShopId, Timestamp,
};
use crate::store::{Actor, ErasureRequest, Listed, NewEntry};

/// Tells an invitation what its customer did.
pub(super) struct Tell {
    pub(super) invitation: InvitationId,
    pub(super) news: CustomerNews,
    pub(super) policies: Arc<Policies>,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for Tell {
    type Answer = Option<Decision>;

    async fn run(&self, conn: &mut Connection) -> Result<Self::Answer, Fault> {
        let Some(mut invitation) = moves::invitations(conn, &[self.invitation]).await?.pop() else { return Ok(None) };
        let mut book = Book::default();
        let cause = Cause { actor: CUSTOMER, ..Cause::daemon(Event::Customer(self.news), self.now) };
        let decision = book.tell(&mut invitation, &cause, &self.policies);
        book.write(conn).await?;
        Ok(Some(decision))
    }
}

/// Tells the invitations to an order that a review of it exists elsewhere.
pub(super) struct ReviewedElsewhere {
    pub(super) shop: ShopId,
    pub(super) reference: OrderReference,
    /// Whose; of everybody who was asked about the order with `None`.
    pub(super) email: Option<AddressKey>,
    pub(super) actor: Actor,
    pub(super) policies: Arc<Policies>,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for ReviewedElsewhere {
    type Answer = Vec<(InvitationId, Decision)>;

    async fn run(&self, conn: &mut Connection) -> Result<Self::Answer, Fault> {
        let key = self.reference.key();
        turns::take(conn, std::iter::once(Turn::Order(self.shop.as_str(), &key))).await?;
        let invitations = moves::of_orders(conn, &[(self.shop.as_str(), &key)]).await?;
        let (mut book, mut told) = (Book::default(), Vec::new());
        let is_meant = |one: &Invitation| self.email.as_ref().is_none_or(|key| one.customer.email.key() == *key);
        for mut invitation in invitations.into_iter().filter(is_meant) {
            let cause = Cause {
                actor: &self.actor.name,
                note: self.actor.reason.as_deref(),
                ..Cause::daemon(Event::Customer(CustomerNews::Reviewed), self.now)
            };
            told.push((invitation.id, book.tell(&mut invitation, &cause, &self.policies)));
        }
        book.write(conn).await?;
        Ok(told)
    }
}

/// Ends what is open of a person where the entry means it, and the invitation whose link was used, whether it is open or not: nobody
/// asks about that order again.
async fn unsubscribe(
    conn: &mut Connection,
    new: &NewEntry,
    by_link_of: Option<InvitationId>,
    policies: &Policies,
    now: Timestamp,
) -> Result<Listed, Fault> {
    let keys = std::iter::once(&new.entry.key).chain(&new.twin).collect::<Vec<_>>();
    let there = suppression::with_keys(conn, &keys).await?;
    let since = there.iter().filter(|one| one.entry.shop == new.entry.shop).map(|one| one.entry.at).min();
    if since.is_none() {
        suppression::write(conn, &[&new.entry]).await?;
    }
    let mut meant = BTreeMap::new();
    if let Some(person) = &new.person {
        let rows: Vec<InvitationRow> =
            conn.rows(persons::OPEN_OF_PERSONS, [to_json(&[person.as_str()])?.into()]).await?;
        let open: Vec<Invitation> = records(rows)?;
        let is_meant = |one: &Invitation| new.entry.shop.as_ref().is_none_or(|shop| *shop == one.shop);
        meant.extend(open.into_iter().filter(is_meant).map(|one| (one.id, one)));
    }
    if let Some(id) = by_link_of.filter(|id| !meant.contains_key(id)) {
        let own = moves::invitations(conn, &[id]).await?;
        meant.extend(own.into_iter().map(|one| (one.id, one)));
    }
    let (mut book, mut stopped) = (Book::default(), Vec::new());
    for invitation in meant.values_mut() {
        let before = invitation.progress.clone();
        if before.planned == crate::domain::Planned::Declined {
            continue;
        }
        let cause = Cause {
            actor: &new.entry.actor,
            note: new.entry.note.as_deref(),
            ..Cause::daemon(Event::Customer(CustomerNews::Unsubscribed), now)
        };
        let decision = book.tell(invitation, &cause, policies);
        if decision.progress.state != before.state {
            stopped.push(invitation.id);
        }
    }
    book.write(conn).await?;
    Ok(Listed { since, stopped })
}

/// Puts somebody on the list by their own wish.
pub(super) struct Unsubscribe {
    pub(super) entry: NewEntry,
    pub(super) by_link_of: Option<InvitationId>,
    pub(super) policies: Arc<Policies>,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for Unsubscribe {
    type Answer = Listed;

    async fn run(&self, conn: &mut Connection) -> Result<Listed, Fault> {
        unsubscribe(conn, &self.entry, self.by_link_of, &self.policies, self.now).await
    }
}

/// Takes away what a customer has put on the list, for one shop and for all.
pub(super) struct Resubscribe {
    pub(super) keys: Vec<ListKey>,
    pub(super) shop: ShopId,
}

#[async_trait]
impl Work for Resubscribe {
    type Answer = usize;

    async fn run(&self, conn: &mut Connection) -> Result<usize, Fault> {
        let there = suppression::with_keys(conn, &self.keys.iter().collect::<Vec<_>>()).await?;
        let is_theirs = |one: &&crate::store::StoredEntry| {
            one.entry.reason == ListReason::Unsubscribed
                && one.entry.actor == CUSTOMER
                && one.entry.shop.as_ref().is_none_or(|shop| *shop == self.shop)
        };
        let ids = there.iter().filter(is_theirs).map(|one| one.id).collect::<Vec<_>>();
        conn.execute(person_statements::UNLIST, [to_json(&ids)?.into()]).await?;
        Ok(ids.len())
    }
}

/// Notes that somebody wants to be erased; their letters stop at once.
pub(super) struct AskErasure {
    pub(super) shop: ShopId,
    pub(super) email: EmailAddress,
    /// For all shops.
    pub(super) entry: NewEntry,
    pub(super) by_link_of: Option<InvitationId>,
    pub(super) policies: Arc<Policies>,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for AskErasure {
    type Answer = Listed;

    async fn run(&self, conn: &mut Connection) -> Result<Listed, Fault> {
        let listed = unsubscribe(conn, &self.entry, self.by_link_of, &self.policies, self.now).await?;
        let key = self.email.key();
        let values = [self.shop.as_str().into(), self.email.as_str().into(), key.as_str().into(), self.now.into()];
        conn.execute(sql::ASK_ERASURE, values).await?;
        Ok(listed)
    }
}

/// Who asked, oldest first.
pub(super) async fn requests(conn: &mut Connection) -> Result<Vec<ErasureRequest>, Fault> {
    let rows: Vec<(String, String, i64)> = conn.rows(sql::REQUESTS, []).await?;
    let requests = rows
        .into_iter()
        .map(|(shop, email, at)| Ok(ErasureRequest { shop: shop_id(&shop)?, email, at: Timestamp(at) }));
    requests.collect()
}

/// Begins another series of an invitation's links.
pub(super) struct RevokeLinks {
    pub(super) invitation: InvitationId,
    pub(super) actor: Actor,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for RevokeLinks {
    type Answer = Option<u8>;

    async fn run(&self, conn: &mut Connection) -> Result<Self::Answer, Fault> {
        let Some(one) = moves::invitations(conn, &[self.invitation]).await?.pop() else { return Ok(None) };
        let series = conn.number(sql::REVOKE_LINKS, [self.invitation.0.into()]).await?;
        let series = series.and_then(|series| u8::try_from(series).ok());
        if series.is_some_and(|series| series > one.link_series) {
            let (actor, note) = (self.actor.name.as_str(), self.actor.reason.as_deref());
            let record = Record { event: "desk revoke links".to_owned(), actor, note, copy: None, at: self.now };
            let mut book = Book::default();
            book.record(&one, Rule::DeskRevokesLinks, &record);
            book.write(conn).await?;
        }
        Ok(series)
    }
}
