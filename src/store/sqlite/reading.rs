//! From spooled copies to moved invitations: handing copies out to be read, filing what was
//! read, and deleting the bytes in the end.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::fault::Fault;
use super::moves::{self, Cause, to_json};
use super::sql;
use super::writer::Work;
use crate::domain::{
    CopyId, Event, InvitationId, OrderEvent, OrderNews, Outcome, Policies, Reading, ShopId, State, Timestamp, decide,
    open,
};
use crate::store::{Filed, FiledReading};

/// Bytes of messages that are handed out at one time, before the last one.
const HAND_OUT_BYTES: i64 = 32 * 1024 * 1024;

/// Hands copies out.
pub(super) struct ClaimCopies {
    pub(super) limit: usize,
    pub(super) attempts_at_most: u32,
    pub(super) now: Timestamp,
}

/// A copy that was handed out, still packed.
#[derive(sqlx::FromRow)]
pub(super) struct HandedOut {
    pub(super) id: i64,
    pub(super) shop: String,
    pub(super) size: i64,
    pub(super) attempts: u32,
    pub(super) body: Option<Vec<u8>>,
}

#[async_trait]
impl Work for ClaimCopies {
    type Answer = Vec<HandedOut>;

    async fn run(&mut self, tx: &mut SqliteConnection) -> Result<Self::Answer, Fault> {
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        let mut chosen = Vec::new();
        while chosen.is_empty() {
            let unread: Vec<(i64, u32, i64)> = sqlx::query_as(sql::UNREAD).bind(limit).fetch_all(&mut *tx).await?;
            if unread.is_empty() {
                return Ok(Vec::new());
            }
            let (spent, fresh): (Vec<_>, Vec<_>) =
                unread.into_iter().partition(|(_, attempts, _)| *attempts >= self.attempts_at_most);
            for (id, attempts, _) in spent {
                let why = format!("reading it was begun {attempts} times and never came to an end");
                SetAside { copy: CopyId(id), why, now: self.now }.run(&mut *tx).await?;
            }
            chosen = choose(&fresh);
        }
        let ids = to_json(&chosen)?;
        sqlx::query(sql::HAND_OUT).bind(&ids).execute(&mut *tx).await?;
        Ok(sqlx::query_as(sql::HANDED_OUT).bind(&ids).fetch_all(tx).await?)
    }
}

/// The first copies, up to a bound in bytes. A copy that was handed out before goes alone: if it is the one that stops the
/// reader, no other is counted out together with it.
fn choose(unread: &[(i64, u32, i64)]) -> Vec<i64> {
    let (mut chosen, mut bytes) = (Vec::new(), 0);
    for (id, attempts, size) in unread {
        let was_out = *attempts > 0;
        if !chosen.is_empty() && (was_out || bytes >= HAND_OUT_BYTES) {
            break;
        }
        chosen.push(*id);
        bytes += size;
        if was_out {
            break;
        }
    }
    chosen
}

/// Sets a copy aside that cannot be read.
pub(super) struct SetAside {
    pub(super) copy: CopyId,
    pub(super) why: String,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for SetAside {
    type Answer = ();

    async fn run(&mut self, tx: &mut SqliteConnection) -> Result<(), Fault> {
        let reading = to_json(&Reading::without_findings(Outcome::Held, self.why.as_str()))?;
        sqlx::query(sql::SET_ASIDE).bind(self.copy.0).bind(reading).bind(self.now.0).execute(tx).await?;
        Ok(())
    }
}

/// Files readings.
pub(super) struct FileReadings {
    pub(super) readings: Vec<FiledReading>,
    pub(super) policies: Arc<Policies>,
    pub(super) now: Timestamp,
}

const BEGIN: &str = "SAVEPOINT reading";
/// Together, since each call costs a hop to the connection's thread and back, which is dearer than most statements.
const NEXT: &str = "RELEASE reading; SAVEPOINT reading";
const UNDO: &str = "ROLLBACK TO reading";
const END: &str = "RELEASE reading";

#[async_trait]
impl Work for FileReadings {
    type Answer = Vec<Filed>;

    async fn run(&mut self, tx: &mut SqliteConnection) -> Result<Self::Answer, Fault> {
        let mut filed = Vec::with_capacity(self.readings.len());
        sqlx::query(BEGIN).execute(&mut *tx).await?;
        for reading in &self.readings {
            match file(tx, reading, &self.policies, self.now).await {
                Ok(moved) => {
                    sqlx::query(NEXT).execute(&mut *tx).await?;
                    filed.push(Filed { copy: reading.copy, moved });
                }
                Err(fault) if fault.is_the_statements_own() => {
                    sqlx::query(UNDO).execute(&mut *tx).await?;
                    tracing::error!(
                        copy.id = reading.copy.0,
                        ?fault,
                        "a reading cannot be filed; its copy stays unread"
                    );
                }
                Err(fault) => return Err(fault),
            }
        }
        sqlx::query(END).execute(tx).await?;
        Ok(filed)
    }
}

type Moved = Vec<(InvitationId, crate::domain::Decision)>;

async fn file(
    tx: &mut SqliteConnection,
    filing: &FiledReading,
    policies: &Policies,
    now: Timestamp,
) -> Result<Moved, Fault> {
    let reading = &filing.reading;
    let written = sqlx::query(sql::FILE_COPY)
        .bind(filing.copy.0)
        .bind(reading.outcome.as_str())
        .bind(to_json(reading)?)
        .bind(now.0)
        .bind(reading.customer_email.as_ref().map(|email| email.key().as_str().to_owned()))
        .bind(reading.reference.as_ref().map(|reference| reference.key()))
        .execute(&mut *tx)
        .await?
        .rows_affected();
    // Filed already: the daemon stopped between the commit and its acknowledgement.
    if written == 0 {
        return Ok(Vec::new());
    }
    let (Some(order), Some(news)) = (reading.order_event(), filing.news) else {
        return Ok(Vec::new());
    };
    let moved = tell(tx, &filing.shop, &order, news, policies, filing.copy, now).await?;
    if let Some((first, _)) = moved.first() {
        sqlx::query(sql::COPY_MOVED).bind(filing.copy.0).bind(first.0).execute(tx).await?;
    }
    Ok(moved)
}

/// Tells the invitations of an order what a copy says. The end of an order is told to all of them, whatever their address;
/// anything else to the customer's own, which begins when there is none.
async fn tell(
    tx: &mut SqliteConnection,
    shop: &ShopId,
    order: &OrderEvent,
    news: OrderNews,
    policies: &Policies,
    copy: CopyId,
    now: Timestamp,
) -> Result<Moved, Fault> {
    let policy = policies.of(shop);
    let key = order.customer.email.key();
    let ends = news.kind.ends_the_order();
    let cause = Cause { copy: Some(copy), ..Cause::daemon(Event::Order(news), now) };
    let invitations = moves::of_order(tx, shop.as_str(), &order.reference.key()).await?;
    let order_cancelled = invitations.iter().any(|invitation| invitation.progress.state == State::Cancelled);
    let mut moved = Vec::new();
    for invitation in &invitations {
        let is_theirs = invitation.customer.email.key() == key;
        if !ends && !is_theirs {
            continue;
        }
        let decision = decide(&invitation.progress, &cause.event, &policy, now);
        moves::apply(tx, invitation.id, &invitation.progress, &decision, &cause).await?;
        if is_theirs {
            moves::learn(tx, invitation, order, now).await?;
        }
        moved.push((invitation.id, decision));
    }
    if moved.is_empty() {
        let decision = open(news, order_cancelled, &policy, now);
        let id = moves::open(tx, shop.as_str(), order, &decision, &cause).await?;
        moved.push((id, decision));
    }
    Ok(moved)
}

/// Deletes the bytes of old copies.
pub(super) struct Purge {
    pub(super) received_before: Timestamp,
    pub(super) limit: usize,
}

#[async_trait]
impl Work for Purge {
    type Answer = u64;

    async fn run(&mut self, tx: &mut SqliteConnection) -> Result<u64, Fault> {
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        Ok(sqlx::query(sql::PURGE).bind(self.received_before.0).bind(limit).execute(tx).await?.rows_affected())
    }
}
