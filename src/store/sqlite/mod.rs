//! The store in one SQLite file. `writer` is the one task that writes, with a commit for all who wait; reads have connections of
//! their own. `docs/storage.md` has the tables and what each method costs.

mod body;
mod fault;
mod letters;
mod moves;
mod open;
mod pulse;
mod queries;
mod reading;
mod rows;
mod spool;
mod sql;
#[cfg(test)]
mod tests;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::SqlitePool;

use self::fault::Fault;
use self::open::{BUSY_TIMEOUT, Engine};
use self::pulse::Pulse;
use self::reading::{ClaimCopies, FileReadings, HandedOut, Purge, SetAside};
use self::spool::Packed;
use self::writer::{Queue, Writer};
use super::{
    Actor, ClaimedLetter, Counts, DaemonLock, Filed, FiledReading, Filter, NewCopy, Recovered, Settled, Store,
    StoreError, StoredCopy, Story, Subject, UnreadCopy,
};
use crate::domain::{
    Attempt, CopyId, Decision, DeskOrder, Invitation, InvitationId, LetterId, Policies, ShopId, Timestamp,
};

/// In which role the database is opened.
#[derive(Debug)]
pub enum Access {
    /// As its one daemon, which the lock proves. It keeps the lock until the last write is done, and brings the schema up to date.
    Daemon(DaemonLock),
    /// Beside a daemon or without one. A schema that is not the newest is refused: changing it is the daemon's business.
    Desk,
}

/// A [`Store`] in one SQLite file. Dropping it lets what is queued be written; [`Store::close`] waits for that.
#[derive(Debug, Clone)]
pub struct SqliteStore {
    engine: Engine,
    readers: SqlitePool,
    queue: Queue,
    pulse: Arc<Pulse>,
    is_alone: bool,
}

impl SqliteStore {
    /// Opens the database at `path`. The whole file is checked first when it is small (64 MiB).
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none: it is never made by the way. [`StoreError::Unusable`] when the file is not
    /// ours, damaged, or cannot be written. [`StoreError::NewerSchema`].
    pub async fn open(path: &Path, access: Access) -> Result<Self, StoreError> {
        Self::open_patiently(path, access, BUSY_TIMEOUT).await
    }

    async fn open_patiently(path: &Path, access: Access, busy_timeout: Duration) -> Result<Self, StoreError> {
        let engine = Engine::new(path, busy_timeout);
        let lock = match access {
            Access::Daemon(lock) => Some(lock),
            Access::Desk => None,
        };
        let found = engine.inspect(lock.is_some()).await?;
        if found < open::newest_schema() && lock.is_none() {
            return Err(engine.refuse(&format!(
                "it has schema {found} and this program needs {}; start the daemon, which brings it up to date",
                open::newest_schema()
            )));
        }
        let mut conn = engine.connect_to_write().await.map_err(|error| engine.unusable(error))?;
        if lock.is_some() {
            engine.migrate(&mut conn).await?;
        }
        let readers = engine.readers().await.map_err(|error| engine.unusable(error))?;
        let pulse = Arc::new(Pulse::new(engine.folder().to_owned()));
        let is_alone = lock.is_some();
        let queue = Writer::start(engine.clone(), conn, Arc::clone(&pulse), lock);
        Ok(Self { engine, readers, queue, pulse, is_alone })
    }

    /// Makes a new database at `path` that only its owner may read.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] when there is something at `path` already, or nothing can be made there.
    pub async fn create(path: &Path) -> Result<(), StoreError> {
        Engine::new(path, BUSY_TIMEOUT).create().await
    }

    /// Checks the whole file (SQLite's `quick_check`), in time that grows with it.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] with the first fault that is found.
    pub async fn check(&self) -> Result<(), StoreError> {
        let found = self.read(|pool| async move { Ok(open::quick_check(&mut *pool.acquire().await?).await?) }).await?;
        match found {
            None => Ok(()),
            Some(why) => Err(self.engine.refuse(&format!("it is damaged ({why}); restore a backup"))),
        }
    }

    /// How many transactions were committed since the store was opened: less than what was written, when callers share them.
    pub fn commits(&self) -> u64 {
        self.pulse.commits()
    }

    /// Reads in a task of its own, so that a caller who goes away leaves no connection in the middle of something.
    async fn read<T, F>(&self, read: impl FnOnce(SqlitePool) -> F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        match tokio::spawn(read(self.readers.clone())).await {
            Ok(outcome) => outcome.map_err(Fault::into_store_error),
            Err(stopped) => Err(StoreError::Failed(stopped.to_string())),
        }
    }

    /// Sets a copy aside whose bytes are gone or damaged.
    async fn set_aside(&self, copy: CopyId, why: String, now: Timestamp) -> Result<(), StoreError> {
        tracing::error!(copy.id = copy.0, why, "a copy cannot be handed out and is held");
        self.queue.carry_out(SetAside { copy, why, now }).await
    }
}

/// The copy with its bytes unpacked.
fn unread(copy: HandedOut) -> Result<UnreadCopy, String> {
    let packed = copy.body.ok_or("its bytes are gone")?;
    Ok(UnreadCopy {
        id: CopyId(copy.id),
        shop: ShopId::parse(&copy.shop).map_err(|why| why.to_string())?,
        message: body::unpack(&packed, u64::try_from(copy.size).unwrap_or(0))?,
        attempts: copy.attempts,
    })
}

#[async_trait]
impl Store for SqliteStore {
    async fn spool(&self, copies: Vec<NewCopy>) -> Result<Vec<CopyId>, StoreError> {
        if copies.is_empty() {
            return Ok(Vec::new());
        }
        let mut packed = Vec::with_capacity(copies.len());
        for copy in copies {
            packed.push(Packed::new(copy).await?);
        }
        self.queue.spool(packed).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.queue.check()?;
        self.pulse.check()
    }

    async fn claim_copies(
        &self,
        limit: usize,
        attempts_at_most: u32,
        now: Timestamp,
    ) -> Result<Vec<UnreadCopy>, StoreError> {
        loop {
            let handed_out = self.queue.carry_out(ClaimCopies { limit, attempts_at_most, now }).await?;
            let is_end = handed_out.is_empty();
            let mut copies = Vec::with_capacity(handed_out.len());
            for copy in handed_out {
                let id = CopyId(copy.id);
                match unread(copy) {
                    Ok(copy) => copies.push(copy),
                    Err(why) => self.set_aside(id, why, now).await?,
                }
            }
            if is_end || !copies.is_empty() {
                return Ok(copies);
            }
        }
    }

    async fn file_readings(
        &self,
        readings: Vec<FiledReading>,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Vec<Filed>, StoreError> {
        self.queue.carry_out(FileReadings { readings, policies, now }).await
    }

    async fn claim_due(
        &self,
        limit: usize,
        owner: &str,
        lease_until: Timestamp,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Vec<ClaimedLetter>, StoreError> {
        self.queue.carry_out(letters::ClaimDue { limit, owner: owner.to_owned(), lease_until, policies, now }).await
    }

    async fn mark_on_the_wire(
        &self,
        letter: LetterId,
        owner: &str,
        message_id: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (owner, message_id) = (owner.to_owned(), message_id.to_owned());
        self.queue.carry_out(letters::MarkOnTheWire { letter, owner, message_id, now }).await
    }

    async fn settle(
        &self,
        letter: LetterId,
        attempt: Attempt,
        reply: &str,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        self.queue.carry_out(letters::Settle { letter, attempt, reply: reply.to_owned(), policies, now }).await
    }

    async fn recover(&self, owner: &str, policies: Arc<Policies>, now: Timestamp) -> Result<Recovered, StoreError> {
        let is_alone = self.is_alone;
        self.queue.carry_out(letters::Recover { owner: owner.to_owned(), is_alone, policies, now }).await
    }

    async fn desk(
        &self,
        invitation: InvitationId,
        order: DeskOrder,
        actor: &Actor,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Option<Decision>, StoreError> {
        self.queue.carry_out(letters::Desk { invitation, order, actor: actor.clone(), policies, now }).await
    }

    async fn list(
        &self,
        filter: &Filter,
        before: Option<InvitationId>,
        limit: usize,
    ) -> Result<Vec<Invitation>, StoreError> {
        let filter = filter.clone();
        self.read(move |pool| async move { queries::list(&pool, &filter, before, limit).await }).await
    }

    async fn story(&self, subject: &Subject) -> Result<Story, StoreError> {
        let subject = subject.clone();
        self.read(move |pool| async move { queries::story(&pool, &subject).await }).await
    }

    async fn held_copies(&self, before: Option<CopyId>, limit: usize) -> Result<Vec<StoredCopy>, StoreError> {
        self.read(move |pool| async move { queries::held_copies(&pool, before, limit).await }).await
    }

    async fn copy(&self, id: CopyId) -> Result<Option<(StoredCopy, Option<Vec<u8>>)>, StoreError> {
        self.read(move |pool| async move { queries::copy(&pool, id).await }).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(|pool| async move { queries::next_due(&pool).await }).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.read(|pool| async move { queries::counts(&pool).await }).await
    }

    async fn purge(&self, received_before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        self.queue.carry_out(Purge { received_before, limit }).await
    }

    async fn close(&self) {
        // Readers first: the last reader's end is what lets the log be emptied.
        self.readers.close().await;
        self.queue.close().await;
    }
}
