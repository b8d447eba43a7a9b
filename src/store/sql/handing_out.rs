//! What happens to copies around their reading: they are handed out, set aside when they cannot be read, and their bytes deleted in
//! the end.

use async_trait::async_trait;

use super::connection::Connection;
use super::fault::Fault;
use super::moves::to_json;
use super::statements as sql;
use super::tally::Tally;
use super::writer::Work;
use crate::domain::{CopyId, Outcome, Reading, Timestamp, kind_of_reason};

/// Bytes of messages that are handed out at one time, before the last one.
const HAND_OUT_BYTES: i64 = 32 * 1024 * 1024;

/// Hands copies out.
pub(super) struct ClaimCopies {
    pub(super) limit: usize,
    pub(super) attempts_at_most: u32,
    pub(super) owner: String,
    pub(super) now: Timestamp,
}

/// A copy that was handed out, still packed.
#[derive(sqlx::FromRow)]
pub(super) struct HandedOut {
    pub(super) id: i64,
    pub(super) shop: String,
    pub(super) size: i64,
    pub(super) attempts: i64,
    pub(super) received_at: i64,
    pub(super) mail_from: String,
    pub(super) client: Option<String>,
    pub(super) hello: String,
    pub(super) tls: i64,
    pub(super) way: String,
    pub(super) login: Option<String>,
    pub(super) certificate: Option<String>,
    pub(super) answers: Option<i64>,
    pub(super) body: Option<Vec<u8>>,
}

#[async_trait]
impl Work for ClaimCopies {
    type Answer = Vec<HandedOut>;

    async fn run(&self, conn: &mut Connection) -> Result<Self::Answer, Fault> {
        let owner = self.owner.as_str();
        let mut chosen = Vec::new();
        while chosen.is_empty() {
            let unread: Vec<(i64, i64, i64)> = conn.rows(sql::UNREAD, [self.limit.into(), owner.into()]).await?;
            if unread.is_empty() {
                return Ok(Vec::new());
            }
            let (spent, fresh): (Vec<_>, Vec<_>) =
                unread.into_iter().partition(|(_, attempts, _)| *attempts >= i64::from(self.attempts_at_most));
            for (id, attempts, _) in spent {
                let why = format!("reading it was begun {attempts} times and never came to an end");
                SetAside { copy: CopyId(id), why, now: self.now }.run(conn).await?;
            }
            chosen = choose(&fresh);
        }
        let ids = to_json(&chosen)?;
        conn.execute(sql::HAND_OUT, [ids.as_str().into(), owner.into()]).await?;
        conn.rows(sql::HANDED_OUT, [ids.into()]).await
    }
}

/// The first copies, up to a bound in bytes. A copy that was handed out before goes alone: if it is the one that stops the
/// reader, no other is counted out together with it.
fn choose(unread: &[(i64, i64, i64)]) -> Vec<i64> {
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

    async fn run(&self, conn: &mut Connection) -> Result<(), Fault> {
        let reading = to_json(&Reading::without_findings(Outcome::Held, self.why.as_str()))?;
        let kind = kind_of_reason(&self.why);
        let values = [self.copy.0.into(), reading.into(), self.now.into(), kind.into()];
        let row: Option<(String, i64, Option<i64>)> = conn.row(sql::SET_ASIDE, values).await?;
        let mut tally = Tally::default();
        if let Some((shop, received_at, None)) = row {
            tally.was_read(&shop, Timestamp(received_at), None, Outcome::Held.into());
        }
        tally.write(conn).await
    }
}

/// Deletes the bytes of old copies.
pub(super) struct Purge {
    pub(super) received_before: Timestamp,
    pub(super) limit: usize,
}

#[async_trait]
impl Work for Purge {
    type Answer = u64;

    async fn run(&self, conn: &mut Connection) -> Result<u64, Fault> {
        conn.execute(sql::PURGE, [self.received_before.into(), self.limit.into()]).await
    }
}
