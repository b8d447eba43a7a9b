//! The task that writes. Durable commits cost milliseconds, so those who wait share them: the writer takes whatever is queued,
//! carries it out in one transaction, commits once, and only then answers anybody. Work of one kind that waits together is one
//! [`Joint`] piece: a few statements, however many callers. Each piece stands in a savepoint of its own.
//!
//! A piece of work that fails is undone alone. A commit that fails is an error for everyone in it. Work that is queued is
//! carried out even when nobody waits for its answer any more, and no caller can stop in the middle of a transaction.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::connection::Connection;
use super::engine::Engine;
use super::fault::Fault;
use super::letters::{Mark, Settle};
use super::pulse::Pulse;
use super::spool::Spool;
use crate::store::{DaemonLock, StoreError};

/// Pieces of work in one transaction, at most.
const BATCH: usize = 256;

/// Bytes of bodies in one transaction, beyond which no further piece is added: larger ones gain nothing and swell the log.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// How long the writer waits before it asks for a connection again when none can be opened.
const RECONNECT_AFTER: Duration = Duration::from_millis(100);

/// How often a transaction is begun anew that another daemon's stood in the way of.
const CONFLICTS_AT_MOST: u32 = 8;

/// How often one of several pieces is. Each piece locks its rows in order, but two daemons' batches of pieces may go on waiting for
/// each other in a circle; one by one they cannot.
const CONFLICTS_TOGETHER: u32 = 2;

/// How long a transaction may take before its connection counts as dead: longer than any lock or statement is waited for.
const TRANSACTION_TAKES: Duration = Duration::from_secs(60);

/// A connection that was not used for so long is asked first whether it is still there: a server that was started anew meanwhile is
/// then no failure for whoever comes next.
const RESTED: Duration = Duration::from_millis(100);

const NEXT: &str = "RELEASE SAVEPOINT work; SAVEPOINT work";
const UNDO: &str = "ROLLBACK TO SAVEPOINT work";
const ROLLBACK: &str = "ROLLBACK";

/// Something that is done within the writer's transaction. It may be undone and done again, and its answer thrown away.
#[async_trait]
pub(in crate::store) trait Work: Send + Sync + 'static {
    /// What it yields.
    type Answer: Send + 'static;

    /// Does it.
    async fn run(&self, conn: &mut Connection) -> Result<Self::Answer, Fault>;
}

/// Work that is done together with all others of its kind that wait, each answered for itself.
#[async_trait]
pub(super) trait Joint: Sized + Send + Sync + 'static {
    /// What each yields.
    type Answer: Send + 'static;

    /// Does it; the answers are in the order of the jobs.
    async fn run(jobs: &[&Self], conn: &mut Connection) -> Result<Vec<Self::Answer>, Fault>;

    /// Whether it is done by one statement, so that it needs no transaction around it when nothing else is done.
    const IS_ONE_STATEMENT: bool = false;

    /// What it adds to a transaction, bytes of bodies.
    fn bytes(&self) -> usize {
        0
    }
}

/// The way to a writer.
#[derive(Debug, Clone)]
pub(in crate::store) struct Queue(mpsc::Sender<Job>);

enum Job {
    Spool(Asked<Spool>),
    Mark(Asked<Mark>),
    Settle(Asked<Settle>),
    Alone(Box<dyn Piece>),
    Close(oneshot::Sender<()>),
}

type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// A joint job and the way back to who asked for it.
struct Asked<J: Joint> {
    job: J,
    reply: Reply<J::Answer>,
}

impl Queue {
    /// Carries out `work` durably.
    pub(in crate::store) async fn carry_out<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        self.ask(|reply| Job::Alone(Box::new(Alone { work, answer: None, reply }))).await
    }

    /// Keeps copies.
    pub(super) async fn spool(&self, job: Spool) -> Result<Vec<crate::domain::CopyId>, StoreError> {
        self.ask(|reply| Job::Spool(Asked { job, reply })).await
    }

    /// Records that a letter's final dot is next.
    pub(super) async fn mark(&self, job: Mark) -> Result<bool, StoreError> {
        self.ask(|reply| Job::Mark(Asked { job, reply })).await
    }

    /// Records how an attempt ended.
    pub(super) async fn settle(&self, job: Settle) -> Result<Option<crate::store::Settled>, StoreError> {
        self.ask(|reply| Job::Settle(Asked { job, reply })).await
    }

    /// Waits until everything that is queued is done and the writer has stopped.
    pub(super) async fn close(&self) {
        let (reply, done) = oneshot::channel();
        if self.0.send(Job::Close(reply)).await.is_ok() {
            let _ = done.await;
        }
    }

    /// Whether the writer is there.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.0.is_closed() { Err(closed()) } else { Ok(()) }
    }

    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.0.send(job(reply)).await.map_err(|_| closed())?;
        answer.await.unwrap_or_else(|_| Err(closed()))
    }
}

fn closed() -> StoreError {
    StoreError::Failed("the store is closed".to_owned())
}

/// What stands in one savepoint.
#[async_trait]
trait Piece: Send {
    async fn run(&mut self, conn: &mut Connection) -> Result<(), Fault>;
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
    /// Whether it can be split.
    fn is_joint(&self) -> bool {
        false
    }
    /// Whether it is one statement, which is a transaction by itself.
    fn is_one_statement(&self) -> bool {
        false
    }
    /// Each of its jobs alone, so that one of them cannot spoil the others; `Err` gives a single one back.
    fn split(self: Box<Self>) -> Result<Vec<Box<dyn Piece>>, Box<dyn Piece>>;
}

/// One piece of work.
struct Alone<W: Work> {
    work: W,
    answer: Option<W::Answer>,
    reply: Reply<W::Answer>,
}

#[async_trait]
impl<W: Work> Piece for Alone<W> {
    async fn run(&mut self, conn: &mut Connection) -> Result<(), Fault> {
        self.answer = Some(self.work.run(conn).await?);
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { answer, reply, .. } = *self;
        // Whoever asked may have gone; what was done stays done.
        let _ = reply.send(outcome.and_then(|()| answer.ok_or_else(closed)));
    }

    fn split(self: Box<Self>) -> Result<Vec<Box<dyn Piece>>, Box<dyn Piece>> {
        Err(self)
    }
}

/// Jobs of one kind.
struct Together<J: Joint> {
    jobs: Vec<Asked<J>>,
    answers: Vec<J::Answer>,
}

impl<J: Joint> Together<J> {
    fn new() -> Self {
        Self { jobs: Vec::new(), answers: Vec::new() }
    }

    fn into_piece(self) -> Option<Box<dyn Piece>> {
        if self.jobs.is_empty() { None } else { Some(Box::new(self)) }
    }
}

#[async_trait]
impl<J: Joint> Piece for Together<J> {
    async fn run(&mut self, conn: &mut Connection) -> Result<(), Fault> {
        let jobs = self.jobs.iter().map(|asked| &asked.job).collect::<Vec<_>>();
        self.answers = J::run(&jobs, conn).await?;
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let mut answers = self.answers.into_iter();
        for asked in self.jobs {
            let answer = answers.next();
            let _ = asked.reply.send(outcome.clone().and_then(|()| answer.ok_or_else(closed)));
        }
    }

    fn is_joint(&self) -> bool {
        self.jobs.len() > 1
    }

    fn is_one_statement(&self) -> bool {
        J::IS_ONE_STATEMENT
    }

    fn split(self: Box<Self>) -> Result<Vec<Box<dyn Piece>>, Box<dyn Piece>> {
        if !self.is_joint() {
            return Err(self);
        }
        let alone = |asked| Box::new(Self { jobs: vec![asked], answers: Vec::new() }) as Box<dyn Piece>;
        Ok(self.jobs.into_iter().map(alone).collect())
    }
}

/// The writer itself.
pub(super) struct Writer {
    engine: Engine,
    conn: Option<Connection>,
    queue: mpsc::Receiver<Job>,
    pulse: Arc<Pulse>,
    /// When it last began something.
    used: Instant,
    /// A file's daemon gives it back after the last write.
    _lock: Option<DaemonLock>,
}

/// One transaction on its way.
#[derive(Default)]
struct Batch {
    waiting: VecDeque<Box<dyn Piece>>,
    done: Vec<Box<dyn Piece>>,
    /// How many asked for something in it.
    callers: usize,
}

impl Writer {
    /// Starts the task on an open connection.
    pub(super) fn start(engine: Engine, conn: Connection, pulse: Arc<Pulse>, lock: Option<DaemonLock>) -> Queue {
        let (sender, queue) = mpsc::channel(BATCH * 4);
        let writer = Self { engine, conn: Some(conn), queue, pulse, used: Instant::now(), _lock: lock };
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
        if let Some(conn) = self.conn.take() {
            self.engine.finish(conn).await;
        }
        drop(self);
        if let Some(done) = closing {
            let _ = done.send(());
        }
    }

    /// `first` and what else is waiting. Nobody is waited for: while a commit is on its way, the next batch gathers by itself.
    fn collect(&mut self, first: Job, closing: &mut Option<oneshot::Sender<()>>) -> Batch {
        let (mut spool, mut marks, mut settles) = (Together::new(), Together::new(), Together::new());
        let (mut alone, mut bytes, mut count) = (Vec::new(), 0, 0);
        let mut next = Some(first);
        while let Some(job) = next {
            match job {
                Job::Spool(asked) => {
                    bytes += asked.job.bytes();
                    spool.jobs.push(asked);
                }
                Job::Mark(asked) => marks.jobs.push(asked),
                Job::Settle(asked) => settles.jobs.push(asked),
                Job::Alone(piece) => alone.push(piece),
                Job::Close(done) => {
                    *closing = Some(done);
                    break;
                }
            }
            count += 1;
            next = if count >= BATCH || bytes >= BATCH_BYTES { None } else { self.queue.try_recv().ok() };
        }
        let joint = [spool.into_piece(), marks.into_piece(), settles.into_piece()];
        Batch { waiting: joint.into_iter().flatten().chain(alone).collect(), done: Vec::new(), callers: count }
    }

    async fn carry_out(&mut self, mut batch: Batch) {
        if batch.waiting.is_empty() {
            return;
        }
        let are_several = batch.waiting.len() > 1;
        let conflicts_at_most = if are_several { CONFLICTS_TOGETHER } else { CONFLICTS_AT_MOST };
        match self.commit(&mut batch, conflicts_at_most).await {
            Err(fault) if are_several && fault.is_conflict() => {
                batch.again();
                for piece in batch.waiting {
                    let mut alone = Batch { waiting: VecDeque::from([piece]), done: Vec::new(), callers: 1 };
                    let outcome = self.commit(&mut alone, CONFLICTS_AT_MOST).await;
                    self.answer(alone, outcome);
                }
            }
            outcome => self.answer(batch, outcome),
        }
    }

    fn answer(&self, batch: Batch, outcome: Result<(), Fault>) {
        let is_ours = outcome.as_ref().is_err_and(|fault| !fault.is_the_statements_own());
        let outcome = outcome.map_err(Fault::into_store_error);
        if let Err(error) = &outcome
            && is_ours
        {
            self.pulse.failed(error);
        }
        batch.done.into_iter().chain(batch.waiting).for_each(|piece| piece.answer(outcome.clone()));
    }

    /// Carries out the whole batch and commits it, again when another daemon's transaction stood in its way.
    async fn commit(&mut self, batch: &mut Batch, conflicts_at_most: u32) -> Result<(), Fault> {
        for conflicts in 0.. {
            let began = Instant::now();
            let ended = tokio::time::timeout(TRANSACTION_TAKES, self.transact(batch)).await;
            let fault = match ended.unwrap_or_else(|_| Err(Fault::TimedOut)) {
                Ok(()) => {
                    self.pulse.committed(batch.callers, began.elapsed());
                    return Ok(());
                }
                Err(fault) => fault,
            };
            self.clear_away(fault.is_broken()).await;
            if !fault.is_conflict() || conflicts >= conflicts_at_most {
                return Err(fault);
            }
            tracing::debug!(conflicts, "a transaction met another one and is begun anew");
            batch.again();
        }
        Ok(())
    }

    /// Carries out the whole batch and commits it. Pieces that failed alone have their answer already; after an error, nothing of
    /// the others is durable.
    async fn transact(&mut self, batch: &mut Batch) -> Result<(), Fault> {
        if self.used.elapsed() > RESTED
            && let Some(conn) = &mut self.conn
            && !conn.is_there().await
        {
            self.conn = None;
        }
        self.used = Instant::now();
        let conn = match &mut self.conn {
            Some(conn) => conn,
            None => self.conn.insert(self.engine.connect_to_write().await?),
        };
        if let [piece] = batch.waiting.make_contiguous()
            && piece.is_one_statement()
        {
            match piece.run(conn).await {
                Ok(()) => {
                    batch.done.extend(batch.waiting.pop_front());
                    return Ok(());
                }
                // Nothing of it is left; its parts are tried below.
                Err(fault) if fault.is_the_statements_own() && piece.is_joint() => {}
                Err(fault) => return Err(fault),
            }
        }
        // A piece that can be split must be undone before its parts are tried.
        let guarded = batch.waiting.len() > 1 || batch.waiting.front().is_some_and(|piece| piece.is_joint());
        conn.begin(guarded).await?;
        while let Some(mut piece) = batch.waiting.pop_front() {
            let counted = conn.figures.mark();
            match piece.run(conn).await {
                Ok(()) => batch.done.push(piece),
                Err(fault) if guarded => {
                    // A full disk or a broken one is everybody's: SQLite may have rolled the whole transaction back by itself,
                    // and then this fails too.
                    if !fault.is_the_statements_own() || conn.command(UNDO).await.is_err() {
                        batch.waiting.push_front(piece);
                        return Err(fault);
                    }
                    conn.figures.go_back_to(counted);
                    match piece.split() {
                        Ok(parts) => parts.into_iter().rev().for_each(|part| batch.waiting.push_front(part)),
                        Err(single) => single.answer(Err(fault.into_store_error())),
                    }
                }
                Err(fault) => {
                    batch.waiting.push_front(piece);
                    return Err(fault);
                }
            }
            if guarded && !batch.waiting.is_empty() {
                conn.command(NEXT).await?;
            }
        }
        conn.commit().await
    }

    /// Makes the connection fit for the next batch. A broken one is opened anew: what SQLite remembers of the files may no longer
    /// be so after an I/O error, and a server that was lost does not come back to it.
    async fn clear_away(&mut self, is_broken: bool) {
        let Some(mut conn) = self.conn.take() else {
            // Without this, a queue of callers that try again at once would keep a core busy.
            tokio::time::sleep(RECONNECT_AFTER).await;
            return;
        };
        if is_broken {
            // Dropped, not closed: a server that does not answer would not take leave either.
            return;
        }
        // Fails when SQLite rolled back by itself, which is as good.
        let _ = conn.command(ROLLBACK).await;
        self.conn = Some(conn);
    }
}

impl Batch {
    /// Everything that is not answered yet, once more from the beginning.
    fn again(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        self.waiting = std::mem::take(&mut self.done).into_iter().chain(waiting).collect();
    }
}
