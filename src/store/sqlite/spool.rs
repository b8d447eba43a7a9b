//! Taking copies in: the hot path. All copies that wait for the same commit go in by two statements.

use serde_json::json;
use sqlx::SqliteConnection;
use tokio::sync::oneshot;

use super::body;
use super::fault::Fault;
use super::sql;
use crate::domain::CopyId;
use crate::store::{NewCopy, StoreError};

/// A copy with its body packed.
#[derive(Debug)]
pub(super) struct Packed {
    copy: NewCopy,
    body: Vec<u8>,
}

impl Packed {
    /// Packs a copy in the caller's task.
    pub(super) async fn new(copy: NewCopy) -> Result<Self, StoreError> {
        let body = body::pack(&copy.message).await.map_err(StoreError::Failed)?;
        Ok(Self { copy, body })
    }
}

/// Copies of one caller on their way into the store.
pub(super) struct Spooling {
    copies: Vec<Packed>,
    ids: Vec<CopyId>,
    reply: oneshot::Sender<Result<Vec<CopyId>, StoreError>>,
}

impl Spooling {
    /// With the way back.
    pub(super) fn new(copies: Vec<Packed>, reply: oneshot::Sender<Result<Vec<CopyId>, StoreError>>) -> Self {
        Self { copies, ids: Vec::new(), reply }
    }

    /// The bodies' size as they are kept.
    pub(super) fn bytes(&self) -> usize {
        self.copies.iter().map(|copy| copy.body.len()).sum()
    }

    /// Tells the caller.
    pub(super) fn answer(self, outcome: Result<(), StoreError>) {
        let _ = self.reply.send(outcome.map(|()| self.ids));
    }
}

/// Inserts the copies of all these callers.
pub(super) async fn insert(tx: &mut SqliteConnection, jobs: &mut [Spooling]) -> Result<(), Fault> {
    let copies = jobs.iter().flat_map(|job| &job.copies);
    let rows = copies.clone().map(|packed| row(&packed.copy)).collect::<Vec<_>>();
    let last = sqlx::query(sql::SPOOL_COPIES).bind(to_json(&rows)).execute(&mut *tx).await?.last_insert_rowid();
    let first = last - as_i64(rows.len()) + 1;

    let mut bodies = Vec::with_capacity(jobs.iter().map(Spooling::bytes).sum());
    let mut places = Vec::with_capacity(rows.len());
    for packed in copies {
        places.push(json!([packed.copy.received_at.0, bodies.len() + 1, packed.body.len()]));
        bodies.extend_from_slice(&packed.body);
    }
    sqlx::query(sql::SPOOL_BODIES).bind(first).bind(to_json(&places)).bind(bodies).execute(tx).await?;

    let mut next = first;
    for job in jobs {
        let end = next + as_i64(job.copies.len());
        job.ids = (next..end).map(CopyId).collect();
        next = end;
    }
    Ok(())
}

fn row(copy: &NewCopy) -> serde_json::Value {
    json!([
        copy.shop,
        copy.mail_from,
        copy.rcpt_to,
        copy.client.map(|client| client.to_string()),
        copy.hello,
        u8::from(copy.tls),
        copy.message.len(),
        copy.received_at,
    ])
}

fn to_json(rows: &[serde_json::Value]) -> String {
    serde_json::Value::from(rows).to_string()
}

fn as_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
