//! How a decision is written down: the invitation's new progress, and the record of why.

use sqlx::SqliteConnection;

use super::fault::Fault;
use super::rows::{InvitationRow, records};
use super::sql;
use crate::domain::{
    Attempt, CopyId, Decision, DeskOrder, Event, Invitation, InvitationId, OrderEvent, Progress, State, Timestamp,
};

/// What is recorded beside a decision.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cause<'a> {
    pub(super) event: Event,
    pub(super) actor: &'a str,
    pub(super) note: Option<&'a str>,
    pub(super) copy: Option<CopyId>,
    pub(super) at: Timestamp,
}

impl Cause<'_> {
    /// Something that the daemon saw happen.
    pub(super) fn daemon(event: Event, at: Timestamp) -> Self {
        Self { event, actor: "daemon", note: None, copy: None, at }
    }
}

/// The event in words: `order shipped`, `due`, `attempt refused`, `desk cancel`.
fn words(event: &Event) -> String {
    match event {
        Event::Order(news) => format!("order {}", news.kind),
        Event::Due => "due".to_owned(),
        Event::Attempt(attempt) => match attempt {
            Attempt::Accepted => "attempt accepted",
            Attempt::Deferred { .. } => "attempt deferred",
            Attempt::RelayDown { .. } => "attempt relay down",
            Attempt::Refused => "attempt refused",
            Attempt::AnswerLost { .. } => "attempt answer lost",
            Attempt::Interrupted => "attempt interrupted",
            Attempt::Unsendable => "attempt unsendable",
        }
        .to_owned(),
        Event::Desk(order) => match order {
            DeskOrder::Cancel => "desk cancel",
            DeskOrder::Reschedule(_) => "desk reschedule",
            DeskOrder::SendNow => "desk send now",
        }
        .to_owned(),
    }
}

/// The invitation of this number.
pub(super) async fn invitation(tx: &mut SqliteConnection, id: InvitationId) -> Result<Option<Invitation>, Fault> {
    let row: Option<InvitationRow> = sqlx::query_as(sql::INVITATION).bind(id.0).fetch_optional(tx).await?;
    row.map(Invitation::try_from).transpose()
}

/// All invitations to one order, whatever their address.
pub(super) async fn of_order(tx: &mut SqliteConnection, shop: &str, key: &str) -> Result<Vec<Invitation>, Fault> {
    let rows: Vec<InvitationRow> = sqlx::query_as(sql::OF_ORDER).bind(shop).bind(key).fetch_all(tx).await?;
    records(rows)
}

/// Moves an invitation from where it stood and records why; a decision that changes nothing is recorded too.
pub(super) async fn apply(
    tx: &mut SqliteConnection,
    invitation: InvitationId,
    before: &Progress,
    decision: &Decision,
    cause: &Cause<'_>,
) -> Result<(), Fault> {
    let after = &decision.progress;
    if after != before {
        sqlx::query(sql::MOVE)
            .bind(invitation.0)
            .bind(after.state.as_str())
            .bind(after.due_at.map(|due| due.0))
            .bind(after.expires_at.map(|end| end.0))
            .bind(after.letters_sent)
            .bind(after.attempts)
            .bind(cause.at.0)
            .execute(&mut *tx)
            .await?;
    }
    record(tx, invitation, Some(before.state), decision, cause).await
}

/// Begins an invitation.
pub(super) async fn open(
    tx: &mut SqliteConnection,
    shop: &str,
    order: &OrderEvent,
    decision: &Decision,
    cause: &Cause<'_>,
) -> Result<InvitationId, Fault> {
    let mut details = crate::domain::OrderDetails::default();
    details.learn(order);
    let progress = &decision.progress;
    let id: i64 = sqlx::query_scalar(sql::OPEN)
        .bind(shop)
        .bind(order.reference.as_str())
        .bind(order.reference.key())
        .bind(order.customer.email.as_str())
        .bind(order.customer.email.key().as_str())
        .bind(order.customer.name.as_ref().map(|name| name.as_str()))
        .bind(to_json(&details)?)
        .bind(progress.state.as_str())
        .bind(progress.due_at.map(|due| due.0))
        .bind(progress.expires_at.map(|end| end.0))
        .bind(progress.letters_sent)
        .bind(progress.attempts)
        .bind(cause.at.0)
        .fetch_one(&mut *tx)
        .await?;
    record(tx, InvitationId(id), None, decision, cause).await?;
    Ok(InvitationId(id))
}

/// Adds what a copy tells of the customer and the order.
pub(super) async fn learn(
    tx: &mut SqliteConnection,
    invitation: &Invitation,
    order: &OrderEvent,
    at: Timestamp,
) -> Result<(), Fault> {
    let mut wiser = invitation.clone();
    wiser.learn(order);
    if wiser != *invitation {
        sqlx::query(sql::LEARN)
            .bind(invitation.id.0)
            .bind(wiser.customer.name.as_ref().map(|name| name.as_str()))
            .bind(to_json(&wiser.order)?)
            .bind(at.0)
            .execute(tx)
            .await?;
    }
    Ok(())
}

async fn record(
    tx: &mut SqliteConnection,
    invitation: InvitationId,
    from: Option<State>,
    decision: &Decision,
    cause: &Cause<'_>,
) -> Result<(), Fault> {
    sqlx::query(sql::DECIDED)
        .bind(invitation.0)
        .bind(cause.at.0)
        .bind(words(&cause.event))
        .bind(from.map(State::as_str))
        .bind(decision.progress.state.as_str())
        .bind(decision.progress.due_at.map(|due| due.0))
        .bind(decision.rule.as_str())
        .bind(cause.actor)
        .bind(cause.note)
        .bind(cause.copy.map(|copy| copy.0))
        .execute(tx)
        .await?;
    Ok(())
}

/// A value of ours as JSON.
pub(super) fn to_json(value: &impl serde::Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|why| Fault::Other(format!("a value cannot be written as JSON: {why}")))
}
