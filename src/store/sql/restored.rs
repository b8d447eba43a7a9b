//! A queue that was put back from a backup: what may have gone out since is held, and what copies tell later of that time is too.

use std::sync::Arc;

use async_trait::async_trait;

use super::connection::Connection;
use super::desk_statements as look;
use super::fault::Fault;
use super::moves::{self, Book, Cause};
use super::statements as sql;
use super::writer::Work;
use super::{Queue, SqlStore};
use crate::domain::{Event, Gap, InvitationId, Policies, State, Timestamp, decide};
use crate::store::sqlite::PUT_BACK;
use crate::store::{Actor, StoreError};

/// Under which name the gap is kept: two instants, and [`ON_TIME`] where it holds, with blanks between them.
const RESTORED: &str = "restored";

/// No letter went before its time in the gap.
const ON_TIME: &str = "on-time";

/// Under which name it is kept when the queue was last backed up, and, in a backup, when it was made.
pub(in crate::store) const LAST_BACKUP: &str = "last_backup";

/// No number that was given after the backup may be given again: links and return addresses of letters that went out have them in them.
/// Nobody gives so many between two backups.
const NUMBERS_OF_A_FILE: &str = "INSERT INTO sqlite_sequence (name, seq) SELECT name, 0 FROM sqlite_master \
    WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%' AND name NOT IN (SELECT name FROM sqlite_sequence); \
    UPDATE sqlite_sequence SET seq = seq + 1000000";
const NUMBERS_OF_A_SERVER: &str = "SELECT setval(numbers, nextval(numbers) + 1000000) FROM \
    (SELECT CAST(pg_get_serial_sequence(name, 'id') AS regclass) AS numbers \
    FROM (VALUES ('copy'), ('invitation'), ('letter'), ('decision'), ('sender'), ('answer')) AS named (name)) AS given";

/// Invitations that are looked at in one piece.
const PAGE: usize = 2000;

/// A property of the whole database.
async fn property(conn: &mut Connection, name: &str) -> Result<Option<String>, Fault> {
    let row: Option<(String,)> = conn.row(sql::PROPERTY, [name.into()]).await?;
    Ok(row.map(|(value,)| value))
}

/// The gap of a queue that was put back once, the last one.
pub(super) async fn gap(conn: &mut Connection) -> Result<Option<Gap>, Fault> {
    let Some(text) = property(conn, RESTORED).await? else { return Ok(None) };
    parse(&text).map(Some).ok_or_else(|| Fault::Other(format!("the property {RESTORED} is {text:?}")))
}

fn parse(text: &str) -> Option<Gap> {
    let mut words = text.split(' ');
    let mut instant = || words.next()?.parse().ok().map(Timestamp);
    let (since, until) = (instant()?, instant()?);
    let on_time = match words.next() {
        None => false,
        Some(ON_TIME) => true,
        Some(_) => return None,
    };
    Some(Gap { since, until, on_time })
}

fn words(gap: Gap) -> String {
    let Gap { since, until, on_time } = gap;
    let times = format!("{} {}", since.0, until.0);
    if on_time { format!("{times} {ON_TIME}") } else { times }
}

/// Holds everything whose letter may have gone out in the gap, and remembers the gap, all in one transaction.
struct HoldAll {
    gap: Gap,
    actor: Actor,
    policies: Arc<Policies>,
}

#[async_trait]
impl Work for HoldAll {
    type Answer = Vec<InvitationId>;

    async fn run(&self, conn: &mut Connection) -> Result<Self::Answer, Fault> {
        let mut held = Vec::new();
        for state in [State::Waiting, State::Queued, State::Sending, State::Sent] {
            let mut before = i64::MAX;
            loop {
                let ids: Vec<(i64,)> =
                    conn.rows(look::IDS_STATE, [before.into(), PAGE.into(), state.as_str().into()]).await?;
                let Some((last,)) = ids.last() else { break };
                before = *last;
                let ids = ids.into_iter().map(|(id,)| InvitationId(id)).collect::<Vec<_>>();
                self.hold(conn, &ids, &mut held).await?;
            }
        }
        leave_numbers_out(conn).await?;
        // Mails of an earlier gap may still come.
        let since = gap(conn).await?.map_or(self.gap.since, |earlier| earlier.since.min(self.gap.since));
        let value = words(Gap { since, ..self.gap });
        conn.execute(sql::SET_PROPERTY, [RESTORED.into(), value.into()]).await?;
        held.sort_unstable();
        Ok(held)
    }
}

impl HoldAll {
    async fn hold(
        &self,
        conn: &mut Connection,
        ids: &[InvitationId],
        held: &mut Vec<InvitationId>,
    ) -> Result<(), Fault> {
        let event = Event::Restored(self.gap);
        let Actor { name: actor, reason } = &self.actor;
        let cause = Cause { event: event.clone(), actor, note: reason.as_deref(), copy: None, at: self.gap.until };
        let mut book = Book::default();
        for mut one in moves::invitations(conn, ids).await? {
            let policy = self.policies.of(&one.shop, &one.order);
            // What stays as it is needs no word about it.
            if decide(&one.progress, &event, policy, cause.at).progress != one.progress {
                book.tell(&mut one, &cause, &self.policies);
                held.push(one.id);
            }
        }
        book.write(conn).await.map(drop)
    }
}

async fn leave_numbers_out(conn: &mut Connection) -> Result<(), Fault> {
    conn.command(if conn.is_shared() { NUMBERS_OF_A_SERVER } else { NUMBERS_OF_A_FILE }).await.map(drop)
}

/// Notes that the queue was put back with all that the one before it knew.
struct NotePutBack(Gap);

#[async_trait]
impl Work for NotePutBack {
    type Answer = ();

    async fn run(&self, conn: &mut Connection) -> Result<(), Fault> {
        leave_numbers_out(conn).await?;
        conn.execute(sql::SET_PROPERTY, [PUT_BACK.into(), words(self.0).into()]).await.map(drop)
    }
}

/// Writes a property down.
struct SetProperty(&'static str, String);

#[async_trait]
impl Work for SetProperty {
    type Answer = ();

    async fn run(&self, conn: &mut Connection) -> Result<(), Fault> {
        conn.execute(sql::SET_PROPERTY, [self.0.into(), self.1.as_str().into()]).await.map(drop)
    }
}

impl SqlStore {
    /// Holds every invitation whose letter may have gone out in the gap, for a person to judge, and remembers the gap for what copies
    /// tell of that time later. Which ones, by number.
    ///
    /// # Errors
    /// When nothing was changed.
    pub async fn hold_restored(
        &self,
        gap: Gap,
        actor: &Actor,
        policies: Arc<Policies>,
    ) -> Result<Vec<InvitationId>, StoreError> {
        let work = HoldAll { gap, actor: actor.clone(), policies };
        self.letters().carry_out(work).await
    }

    /// Notes that the queue was put back with all that the one before it knew, so that nothing is held.
    pub(in crate::store) async fn note_put_back(&self, gap: Gap) -> Result<(), StoreError> {
        self.letters().carry_out(NotePutBack(gap)).await
    }

    /// How many daemons show that they live. The one of a file does so by its lock alone.
    pub(in crate::store) async fn daemons(&self, now: Timestamp) -> Result<i64, StoreError> {
        self.readers
            .read(move |conn| Box::pin(async move { Ok(conn.number(sql::LIVING, [now.into()]).await?.unwrap_or(0)) }))
            .await
    }

    /// The time of which the queue knows nothing, if it was put back from a backup.
    pub const fn gap(&self) -> Option<Gap> {
        self.gap
    }

    /// When the queue was last backed up, as far as it knows.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn last_backup(&self) -> Result<Option<Timestamp>, StoreError> {
        let found = self.readers.read(|conn| Box::pin(property(conn, LAST_BACKUP))).await?;
        Ok(found.and_then(|text| text.parse().ok()).map(Timestamp))
    }

    /// Notes that the queue was backed up.
    pub(in crate::store) async fn note_backup(&self, at: Timestamp) -> Result<(), StoreError> {
        self.letters().carry_out(SetProperty(LAST_BACKUP, at.0.to_string())).await
    }

    fn letters(&self) -> &Queue {
        &self.writers.letters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_read_as_it_was_written() {
        for on_time in [false, true] {
            let gap = Gap { since: Timestamp(5), until: Timestamp(70), on_time };
            assert_eq!(parse(&words(gap)), Some(gap));
        }
        for bad in ["", "5", "5 x", "5 70 soon"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
