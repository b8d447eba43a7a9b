//! The one task that writes. Durable commits cost milliseconds, so those who wait share them: the writer takes whatever is
//! queued, carries out each piece of work in a savepoint of one transaction, commits once, and only then answers anybody.
//!
//! A piece of work that fails is undone alone. A commit that fails is an error for everyone in it. Work that is queued is
//! carried out even when nobody waits for its answer any more, and no caller can stop in the middle of a transaction.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot};

use super::fault::Fault;
use super::open::Engine;
use super::pulse::Pulse;
use super::spool::{self, Spooling};
use crate::store::{DaemonLock, StoreError};

/// Pieces of work in one transaction, at most.
const BATCH: usize = 256;

/// Bytes of bodies in one transaction, beyond which no further piece is added: larger ones gain nothing and swell the log.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// How long the writer waits before it asks for a connection again when none can be opened.
const RECONNECT_AFTER: Duration = Duration::from_millis(100);

const BEGIN: &str = "BEGIN IMMEDIATE";
const BEGIN_GUARDED: &str = "BEGIN IMMEDIATE; SAVEPOINT work";
const NEXT: &str = "RELEASE work; SAVEPOINT work";
const UNDO: &str = "ROLLBACK TO work";
const COMMIT: &str = "COMMIT";
const ROLLBACK: &str = "ROLLBACK";

/// Something that is done within the writer's transaction. It may be undone and its answer thrown away.
#[async_trait]
pub(super) trait Work: Send + 'static {
    /// What it yields.
    type Answer: Send + 'static;

    /// Does it.
    async fn run(&mut self, tx: &mut SqliteConnection) -> Result<Self::Answer, Fault>;
}

/// The way to the writer.
#[derive(Debug, Clone)]
pub(super) struct Queue(mpsc::Sender<Job>);

enum Job {
    Spool(Spooling),
    Work(Box<dyn Pending>),
    Close(oneshot::Sender<()>),
}

impl Queue {
    /// Carries out `work` durably.
    pub(super) async fn carry_out<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.put(Job::Work(Box::new(Waiting { work, answer: None, reply }))).await?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Keeps copies. `spooling` makes the job from the way back.
    pub(super) async fn spool(&self, copies: Vec<spool::Packed>) -> Result<Vec<crate::domain::CopyId>, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.put(Job::Spool(Spooling::new(copies, reply))).await?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Waits until everything that is queued is done and the writer has stopped.
    pub(super) async fn close(&self) {
        let (reply, done) = oneshot::channel();
        if self.put(Job::Close(reply)).await.is_ok() {
            let _ = done.await;
        }
    }

    /// Whether the writer is there.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.0.is_closed() { Err(closed()) } else { Ok(()) }
    }

    async fn put(&self, job: Job) -> Result<(), StoreError> {
        self.0.send(job).await.map_err(|_| closed())
    }
}

fn closed() -> StoreError {
    StoreError::Failed("the store is closed".to_owned())
}

/// A [`Work`] whose answer somebody waits for, with its type forgotten.
#[async_trait]
trait Pending: Send {
    async fn run(&mut self, tx: &mut SqliteConnection) -> Result<(), Fault>;
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct Waiting<W: Work> {
    work: W,
    answer: Option<W::Answer>,
    reply: oneshot::Sender<Result<W::Answer, StoreError>>,
}

#[async_trait]
impl<W: Work> Pending for Waiting<W> {
    async fn run(&mut self, tx: &mut SqliteConnection) -> Result<(), Fault> {
        self.answer = Some(self.work.run(tx).await?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { answer, reply, .. } = *self;
        // Whoever asked may have gone; what was done stays done.
        let _ = reply.send(outcome.and_then(|()| answer.ok_or_else(closed)));
    }
}

/// What stands in one savepoint: all the copies of a batch together, or one other piece of work.
enum Unit {
    Spool(Vec<Spooling>),
    Work(Box<dyn Pending>),
}

impl Unit {
    async fn run(&mut self, tx: &mut SqliteConnection) -> Result<(), Fault> {
        match self {
            Self::Spool(jobs) => spool::insert(tx, jobs).await,
            Self::Work(work) => work.run(tx).await,
        }
    }

    fn answer(self, outcome: &Result<(), StoreError>) {
        match self {
            Self::Spool(jobs) => jobs.into_iter().for_each(|job| job.answer(outcome.clone())),
            Self::Work(work) => work.answer(outcome.clone()),
        }
    }

    fn is_joint(&self) -> bool {
        matches!(self, Self::Spool(jobs) if jobs.len() > 1)
    }

    /// Each of the jobs alone, so that one of them cannot spoil the others.
    fn split(self) -> Vec<Self> {
        match self {
            Self::Spool(jobs) => jobs.into_iter().map(|job| Self::Spool(vec![job])).collect(),
            work @ Self::Work(_) => vec![work],
        }
    }
}

/// The writer itself.
pub(super) struct Writer {
    engine: Engine,
    conn: Option<SqliteConnection>,
    queue: mpsc::Receiver<Job>,
    pulse: Arc<Pulse>,
    /// Kept until the last write is done.
    _lock: Option<DaemonLock>,
}

/// One transaction on its way.
#[derive(Default)]
struct Batch {
    waiting: VecDeque<Unit>,
    done: Vec<Unit>,
}

impl Writer {
    /// Starts the task on an open connection.
    pub(super) fn start(engine: Engine, conn: SqliteConnection, pulse: Arc<Pulse>, lock: Option<DaemonLock>) -> Queue {
        let (sender, queue) = mpsc::channel(BATCH * 4);
        let writer = Self { engine, conn: Some(conn), queue, pulse, _lock: lock };
        tokio::spawn(writer.run());
        Queue(sender)
    }

    async fn run(mut self) {
        let mut closing = None;
        while closing.is_none()
            && let Some(first) = self.queue.recv().await
        {
            let batch = self.collect(first, &mut closing);
            self.carry_out(batch).await;
        }
        // Nobody can queue anything after this; what is queued already is refused by dropping it.
        self.queue.close();
        self.finish().await;
        drop(self);
        if let Some(done) = closing {
            let _ = done.send(());
        }
    }

    /// `first` and what else is waiting. Nobody is waited for: while a commit is on its way, the next batch gathers by itself.
    fn collect(&mut self, first: Job, closing: &mut Option<oneshot::Sender<()>>) -> Batch {
        let (mut spooled, mut batch, mut bytes) = (Vec::new(), Batch::default(), 0);
        let mut next = Some(first);
        while let Some(job) = next {
            match job {
                Job::Spool(job) => {
                    bytes += job.bytes();
                    spooled.push(job);
                }
                Job::Work(work) => batch.waiting.push_back(Unit::Work(work)),
                Job::Close(done) => {
                    *closing = Some(done);
                    break;
                }
            }
            let is_full = spooled.len() + batch.waiting.len() >= BATCH || bytes >= BATCH_BYTES;
            next = if is_full { None } else { self.queue.try_recv().ok() };
        }
        if !spooled.is_empty() {
            batch.waiting.push_front(Unit::Spool(spooled));
        }
        batch
    }

    async fn carry_out(&mut self, mut batch: Batch) {
        if batch.waiting.is_empty() {
            return;
        }
        let outcome = match self.transact(&mut batch).await {
            Ok(()) => {
                self.pulse.committed();
                Ok(())
            }
            Err(fault) => {
                let is_ours = !fault.is_the_statements_own();
                let error = fault.into_store_error();
                if is_ours {
                    self.pulse.failed(&error);
                }
                self.clear_away(is_ours && matches!(error, StoreError::Failed(_))).await;
                Err(error)
            }
        };
        batch.done.into_iter().chain(batch.waiting).for_each(|unit| unit.answer(&outcome));
    }

    /// Carries out the whole batch and commits it. Units that failed alone have their answer already; after an error, nothing of
    /// the others is durable.
    async fn transact(&mut self, batch: &mut Batch) -> Result<(), Fault> {
        let conn = match &mut self.conn {
            Some(conn) => conn,
            None => self.conn.insert(self.engine.connect_to_write().await?),
        };
        let guarded = batch.waiting.len() > 1 || batch.waiting.front().is_some_and(Unit::is_joint);
        exec(conn, if guarded { BEGIN_GUARDED } else { BEGIN }).await?;
        while let Some(mut unit) = batch.waiting.pop_front() {
            match unit.run(conn).await {
                Ok(()) => batch.done.push(unit),
                Err(fault) if guarded => {
                    // A full disk or a broken one is everybody's: SQLite may have rolled the whole transaction back by itself,
                    // and then this fails too.
                    if !fault.is_the_statements_own() || exec(conn, UNDO).await.is_err() {
                        batch.waiting.push_front(unit);
                        return Err(fault);
                    }
                    if unit.is_joint() {
                        unit.split().into_iter().rev().for_each(|unit| batch.waiting.push_front(unit));
                    } else {
                        unit.answer(&Err(fault.into_store_error()));
                    }
                }
                Err(fault) => {
                    batch.waiting.push_front(unit);
                    return Err(fault);
                }
            }
            if guarded && !batch.waiting.is_empty() {
                exec(conn, NEXT).await?;
            }
        }
        exec(conn, COMMIT).await
    }

    /// Makes the connection fit for the next batch. After an I/O error it is opened `anew`: what SQLite remembers of the files
    /// may no longer be so.
    async fn clear_away(&mut self, anew: bool) {
        let Some(mut conn) = self.conn.take() else {
            // Without this, a queue of callers that try again at once would keep a core busy.
            tokio::time::sleep(RECONNECT_AFTER).await;
            return;
        };
        // Fails when SQLite rolled back by itself, which is as good.
        let _ = exec(&mut conn, ROLLBACK).await;
        if anew {
            let _ = conn.close().await;
        } else {
            self.conn = Some(conn);
        }
    }

    /// Moves the log into the database, as far as that needs no waiting for others who have it open; the last one who closes it
    /// does the rest, so that the file alone is whole.
    async fn finish(&mut self) {
        if let Some(mut conn) = self.conn.take() {
            let _ = exec(&mut conn, "PRAGMA wal_checkpoint(PASSIVE)").await;
            let _ = conn.close().await;
        }
    }
}

async fn exec(conn: &mut SqliteConnection, sql: &'static str) -> Result<(), Fault> {
    sqlx::query(sql).execute(conn).await?;
    Ok(())
}
