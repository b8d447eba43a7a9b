//! What people have done with invitations: orders about many at once, each as it was seen, and a new round after one that ended.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::connection::Connection;
use super::fault::Fault;
use super::moves::{self, Book, Cause, Record};
use super::people::People;
use super::turns::{self, Turn};
use super::writer::Work;
use crate::domain::{DeskOrder, Event, Invitation, InvitationId, Policies, Rule, Timestamp, open_again};
use crate::store::{Actor, DeskAsk, DeskOutcome, Reinvited, Seen};

/// Carries out orders about invitations that are as they were seen.
pub(super) struct DeskAll {
    pub(super) asks: Vec<DeskAsk>,
    pub(super) actor: Actor,
    pub(super) policies: Arc<Policies>,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for DeskAll {
    type Answer = Vec<DeskOutcome>;

    async fn run(&self, conn: &mut Connection) -> Result<Self::Answer, Fault> {
        let ids = self.asks.iter().map(|ask| ask.seen.id).collect::<Vec<_>>();
        let found = moves::invitations(conn, &ids).await?;
        let mut found = found.into_iter().map(|one| (one.id, one)).collect::<HashMap<_, _>>();
        let mut book = Book::default();
        let mut outcomes = Vec::with_capacity(self.asks.len());
        for ask in &self.asks {
            outcomes.push(match found.get_mut(&ask.seen.id) {
                None => DeskOutcome::Missing,
                Some(one) if Seen::from(&*one) != ask.seen => DeskOutcome::Changed,
                Some(one) => {
                    DeskOutcome::Decided(book.tell(one, &cause(ask.order, &self.actor, self.now), &self.policies))
                }
            });
        }
        book.write(conn).await?;
        Ok(outcomes)
    }
}

/// A person's order as it is recorded.
fn cause(order: DeskOrder, actor: &Actor, at: Timestamp) -> Cause<'_> {
    Cause { actor: &actor.name, note: actor.reason.as_deref(), ..Cause::daemon(Event::Desk(order), at) }
}

/// Begins another round.
pub(super) struct Reinvite {
    pub(super) invitation: InvitationId,
    pub(super) due: Timestamp,
    pub(super) actor: Actor,
    pub(super) policies: Arc<Policies>,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for Reinvite {
    type Answer = Reinvited;

    async fn run(&self, conn: &mut Connection) -> Result<Reinvited, Fault> {
        let Some(named) = moves::look_at(conn, self.invitation).await? else {
            return Ok(Reinvited::Missing);
        };
        // Copies of the same order must not begin or stop anything meanwhile.
        let (shop, key) = (named.shop.as_str(), named.reference.key());
        turns::take(conn, std::iter::once(Turn::Order(shop, &key))).await?;
        let of_order = moves::of_orders(conn, &[(shop, key.as_str())]).await?;
        let theirs = of_order.iter().filter(|one| one.customer.email.key() == named.customer.email.key());
        let Some(last) = theirs.max_by_key(|one| one.round) else { return Ok(Reinvited::Missing) };
        if last.id != named.id {
            return Ok(Reinvited::Followed(last.id));
        }
        let policy = self.policies.of(&last.shop, &last.order);
        let decision = match open_again(&last.progress, of_order.iter().map(|one| &one.progress), self.due, policy) {
            Ok(decision) => decision,
            Err(rule) => return Ok(Reinvited::Refused(rule)),
        };
        let people = People::known(conn, std::slice::from_ref(last), &self.policies, self.now).await?;
        if people.standing(last).suppressed.is_some() {
            return Ok(Reinvited::Refused(Rule::Suppressed));
        }
        let mut book = Book::default();
        let Actor { name: actor, reason } = &self.actor;
        let record =
            Record { event: "desk reinvite".to_owned(), actor, note: reason.as_deref(), copy: None, at: self.now };
        let again = Invitation {
            progress: decision.progress.clone(),
            round: last.round.saturating_add(1),
            follows: Some(last.id),
            link_series: 0,
            created_at: self.now,
            updated_at: self.now,
            ..last.clone()
        };
        let opened = book.begin(again, &decision, &record);
        let numbers = book.write(conn).await?;
        Ok(Reinvited::Opened { id: numbers.of(opened.id), decision })
    }
}
