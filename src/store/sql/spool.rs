//! Taking copies in: the hot path. All copies that wait for the same commit go in by one statement.

use async_trait::async_trait;
use serde_json::json;

use super::body;
use super::connection::Connection;
use super::fault::Fault;
use super::moves::to_json;
use super::statements as sql;
use super::writer::Joint;
use crate::domain::CopyId;
use crate::store::{NewCopy, StoreError};

/// A copy with its body packed.
#[derive(Debug)]
struct Packed {
    copy: NewCopy,
    body: Vec<u8>,
}

/// Copies of one caller, kept together or not at all.
#[derive(Debug)]
pub(super) struct Spool(Vec<Packed>);

impl Spool {
    /// Packs the copies, in the caller's task.
    pub(super) async fn new(copies: Vec<NewCopy>) -> Result<Self, StoreError> {
        let mut packed = Vec::with_capacity(copies.len());
        for copy in copies {
            let body = body::pack(&copy.message).await.map_err(StoreError::Failed)?;
            packed.push(Packed { copy, body });
        }
        Ok(Self(packed))
    }
}

#[async_trait]
impl Joint for Spool {
    type Answer = Vec<CopyId>;

    const IS_ONE_STATEMENT: bool = true;

    fn bytes(&self) -> usize {
        self.0.iter().map(|packed| packed.body.len()).sum()
    }

    async fn run(jobs: &[&Self], conn: &mut Connection) -> Result<Vec<Self::Answer>, Fault> {
        let mut rows = Vec::new();
        let mut bodies = Vec::with_capacity(jobs.iter().map(|job| job.bytes()).sum());
        for packed in jobs.iter().flat_map(|job| &job.0) {
            rows.push(row(packed, bodies.len() + 1));
            bodies.extend_from_slice(&packed.body);
        }
        let mut ids: Vec<(i64,)> = conn.rows(sql::SPOOL, [to_json(&rows)?.into(), bodies.into()]).await?;
        // Given in the order of the rows, but not promised to come back in it.
        ids.sort_unstable();
        let mut ids = ids.into_iter().map(|(id,)| CopyId(id));
        Ok(jobs.iter().map(|job| ids.by_ref().take(job.0.len()).collect()).collect())
    }
}

/// What is written of a copy, with its body's place among those of the batch.
fn row(packed: &Packed, start: usize) -> serde_json::Value {
    let copy = &packed.copy;
    json!([
        copy.shop,
        storable(&copy.mail_from),
        storable(&copy.rcpt_to),
        copy.handed.client.map(|client| client.to_string()),
        storable(&copy.handed.hello),
        u8::from(copy.handed.tls),
        copy.message.len(),
        copy.received_at,
        start,
        packed.body.len(),
        copy.handed.way.as_str(),
        copy.handed.user.as_deref().map(storable),
        copy.handed.certificate.as_deref().map(storable),
        copy.answers,
    ])
}

/// The only character that PostgreSQL's text cannot hold. No protocol allows it in an envelope.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
