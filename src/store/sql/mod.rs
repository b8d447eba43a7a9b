//! The store in SQL, written once for both engines. `writer` is the task that writes, with a commit for all who wait; reads have
//! connections of their own. `docs/storage.md` has the tables and what each method costs.

pub(super) mod answers;
mod body;
pub(super) mod connection;
mod customers;
mod desk;
pub(super) mod desk_statements;
pub(super) mod engine;
pub(super) mod fault;
pub(super) mod figures;
mod handing_out;
mod held;
mod imports;
mod letters;
mod lists;
mod moves;
mod pace;
mod pauses;
pub(super) mod people;
mod person;
pub(super) mod person_statements;
mod pulse;
mod queries;
mod readers;
mod reading;
mod reports;
pub(super) mod restored;
pub(super) mod review_statements;
mod reviews;
mod room;
mod rows;
pub(super) mod sender_statements;
mod senders;
mod spool;
pub(super) mod statements;
mod suppression;
mod tally;
mod turns;
pub(super) mod views;
pub(super) mod writer;

pub use person::{Own, Search};
pub use senders::LOOKED_THROUGH;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use self::engine::Engine;
use self::fault::Fault;
use self::handing_out::{ClaimCopies, HandedOut, Purge, SetAside};
use self::pulse::Pulse;
use self::readers::Readers;
use self::reading::{By, FileReadings};
use self::spool::Spool;
use self::writer::{Queue, Writer};
use super::{
    Actor, Alarm, AnswerFiled, AnsweredLetter, Claim, ClaimAsk, Claimed, Counts, DaemonLock, DecisionRecord, DeskAsk,
    DeskFiling, DeskOutcome, Discarded, ErasureRequest, Figure, Filed, FiledAnswer, FiledReading, Filter, HeldCount,
    HeldFilter, Listed, Meter, NewCopy, NewEntry, NewReviews, Page, Pause, Recovered, Reinvited, Report, ReviewCount,
    ReviewEdit, ReviewFilter, ReviewsOf, ReviewsWritten, Settled, ShopComplaints, ShopHours, Standing, Store,
    StoreError, StoredCopy, StoredEntry, Story, Subject, UnreadCopy, WatchFigures,
};
use crate::domain::{
    AddressKey, Attempt, CopyId, CustomerNews, Decision, Doubt, EmailAddress, Gap, Handed, Invitation, InvitationId,
    LetterId, ListKey, OrderReference, Policies, Review, ReviewId, ShopId, Timestamp, Way,
};

/// How far this machine's clock may be from the server's before it is said.
const CLOCKS_APART_AT_MOST: Duration = Duration::from_secs(5);

/// Every statement, for what the tests of both engines hold all of them to.
#[cfg(test)]
pub(super) fn every_statement() -> impl Iterator<Item = &'static statements::Statement> {
    let large = statements::ALL.iter().chain(desk_statements::ALL).chain(person_statements::ALL);
    large
        .chain(sender_statements::ALL)
        .chain(views::ALL)
        .chain(answers::ALL)
        .chain(review_statements::ALL)
        .chain(&person_statements::NAMING)
}

/// A [`Store`] in a database. Dropping it lets what is queued be written; [`Store::close`] waits for that.
#[derive(Debug, Clone)]
pub struct SqlStore {
    engine: Engine,
    readers: Readers,
    pub(super) writers: Writers,
    pulse: Arc<Pulse>,
    /// Whether no other daemon can be alive.
    is_alone: bool,
    clocks_were_apart: Arc<AtomicBool>,
    /// The time of which this queue knows nothing, when it was put back from a backup.
    gap: Option<Gap>,
}

/// Who writes what. A file has one writer; a server has one for each kind of work, so that a copy is not kept waiting by letters.
#[derive(Debug, Clone)]
pub(super) struct Writers {
    pub(super) spool: Queue,
    letters: Queue,
    reading: Queue,
}

impl Writers {
    fn each(&self) -> [&Queue; 3] {
        [&self.spool, &self.letters, &self.reading]
    }
}

impl SqlStore {
    /// Starts the writers on a database that was looked at and found fit.
    pub(super) async fn start(engine: Engine, lock: Option<DaemonLock>) -> Result<Self, Fault> {
        let is_alone = lock.is_some();
        let pulse = Arc::new(Pulse::new(engine.folder()));
        let start = |conn, lock| Writer::start(engine.clone(), conn, Arc::clone(&pulse), lock);
        let mut first = engine.connect_to_write().await?;
        // Nobody puts a queue back that is in use, so this does not change.
        let gap = restored::gap(&mut first).await?;
        let spool = start(first, lock);
        let writers = match &engine {
            Engine::Sqlite(_) => Writers { letters: spool.clone(), reading: spool.clone(), spool },
            Engine::Postgres(_) => Writers {
                letters: start(engine.connect_to_write().await?, None),
                reading: start(engine.connect_to_write().await?, None),
                spool,
            },
        };
        Ok(Self {
            readers: Readers::new(engine.clone()),
            engine,
            writers,
            pulse,
            is_alone,
            clocks_were_apart: Arc::default(),
            gap,
        })
    }

    /// Checks the whole database as far as the engine can: a file by SQLite's `quick_check`, in time that grows with it. A server
    /// checks its own pages.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] with the first fault that is found.
    pub async fn check(&self) -> Result<(), StoreError> {
        let found = self
            .readers
            .read(|conn| {
                Box::pin(async move {
                    Ok(match conn.file() {
                        Some(conn) => super::sqlite::quick_check(conn).await?,
                        None => None,
                    })
                })
            })
            .await?;
        match found {
            None => Ok(()),
            Some(why) => Err(self.engine.refuse(&format!("it is damaged ({why}); restore a backup"))),
        }
    }

    /// Whether no other daemon can be alive: this one has the file's lock.
    pub fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// Whether the store does what it can. A file that cannot be read or written is an illness of this process or of its machine,
    /// but for a full disk and a lock; a server that is away is not, and it may take any time to answer.
    pub async fn is_well(&self) -> bool {
        match &self.engine {
            Engine::Sqlite(_) => {
                self.next_due().await.is_ok() && !matches!(self.ready().await, Err(StoreError::Failed(_)))
            }
            Engine::Postgres(_) => self.writers.each().iter().all(|queue| queue.check().is_ok()),
        }
    }

    /// How many transactions were committed since the store was opened: less than what was written, when callers share them.
    pub fn commits(&self) -> u64 {
        self.pulse.commits()
    }

    /// What the writers count.
    pub fn meter(&self) -> Arc<Meter> {
        Arc::clone(self.pulse.meter())
    }

    /// Sets a copy aside whose bytes are gone or damaged.
    async fn set_aside(&self, copy: CopyId, why: String, now: Timestamp) -> Result<(), StoreError> {
        tracing::error!(copy.id = copy.0, why, "a copy cannot be handed out and is held");
        self.writers.reading.carry_out(SetAside { copy, why, now }).await
    }
}

/// The copy with its bytes unpacked.
fn unread(copy: HandedOut) -> Result<UnreadCopy, String> {
    let packed = copy.body.ok_or("its bytes are gone")?;
    Ok(UnreadCopy {
        id: CopyId(copy.id),
        shop: ShopId::parse(&copy.shop).map_err(|why| why.to_string())?,
        mail_from: copy.mail_from,
        handed: Handed {
            way: Way::parse(&copy.way).ok_or_else(|| format!("{:?} is no way in", copy.way))?,
            client: copy.client.and_then(|client| client.parse().ok()),
            hello: copy.hello,
            tls: copy.tls != 0,
            user: copy.login,
            certificate: copy.certificate,
        },
        answers: copy.answers.map(LetterId),
        message: body::unpack(&packed, u64::try_from(copy.size).unwrap_or(0))?,
        attempts: rows::count(copy.attempts),
        received_at: Timestamp(copy.received_at),
    })
}

#[async_trait]
impl Store for SqlStore {
    async fn spool(&self, copies: Vec<NewCopy>) -> Result<Vec<CopyId>, StoreError> {
        if copies.is_empty() {
            return Ok(Vec::new());
        }
        self.writers.spool.spool(Spool::new(copies).await?).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.writers.spool.check()?;
        self.pulse.check()
    }

    async fn claim_copies(
        &self,
        limit: usize,
        attempts_at_most: u32,
        owner: &str,
        now: Timestamp,
    ) -> Result<Vec<UnreadCopy>, StoreError> {
        loop {
            let claim = ClaimCopies { limit, attempts_at_most, owner: owner.to_owned(), now };
            let handed_out = self.writers.reading.carry_out(claim).await?;
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
        readings: Arc<[FiledReading]>,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Vec<Filed>, StoreError> {
        self.writers.reading.carry_out(FileReadings { readings, policies, now, by: By::Reader, gap: self.gap }).await
    }

    async fn answered_letters(&self, letters: &[LetterId]) -> Result<Vec<AnsweredLetter>, StoreError> {
        self.readers.ask(letters.to_vec(), |conn, letters| Box::pin(answers::letters(conn, letters))).await
    }

    async fn file_answers(
        &self,
        answers: Arc<[FiledAnswer]>,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Vec<AnswerFiled>, StoreError> {
        self.writers.reading.carry_out(answers::FileAnswers { answers, policies, now }).await
    }

    async fn claim_due(&self, ask: ClaimAsk, policies: Arc<Policies>, now: Timestamp) -> Result<Claimed, StoreError> {
        self.writers.letters.carry_out(letters::ClaimDue { ask, policies, now }).await
    }

    async fn mark_on_the_wire(&self, claim: &Claim, message_id: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mark = letters::Mark { claim: claim.clone(), message_id: message_id.to_owned(), now };
        self.writers.letters.mark(mark).await
    }

    async fn settle(
        &self,
        claim: &Claim,
        attempt: Attempt,
        reply: &str,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Option<Settled>, StoreError> {
        let settle = letters::Settle { claim: claim.clone(), attempt, reply: reply.to_owned(), policies, now };
        self.writers.letters.settle(settle).await
    }

    async fn beat(&self, owner: &str, lease_until: Timestamp, now: Timestamp) -> Result<(), StoreError> {
        if self.is_alone {
            return Ok(());
        }
        let beat = letters::Beat { owner: owner.to_owned(), lease_until, now };
        let beaten = self.writers.letters.carry_out(beat).await?;
        let apart = beaten.clocks_apart > CLOCKS_APART_AT_MOST;
        if apart && !self.clocks_were_apart.swap(apart, Ordering::Relaxed) {
            tracing::warn!(
                seconds = beaten.clocks_apart.as_secs(),
                "this machine's clock and the database server's differ; daemons with different clocks take each other for dead: run NTP"
            );
        }
        self.clocks_were_apart.store(apart, Ordering::Relaxed);
        self.engine.check_floor(beaten.floor)
    }

    async fn leave(&self, owner: &str) -> Result<(), StoreError> {
        self.writers.letters.carry_out(letters::Leave { owner: owner.to_owned() }).await
    }

    async fn recover(&self, owner: &str, policies: Arc<Policies>, now: Timestamp) -> Result<Recovered, StoreError> {
        let is_alone = self.is_alone;
        self.writers.letters.carry_out(letters::Recover { owner: owner.to_owned(), is_alone, policies, now }).await
    }

    async fn release(
        &self,
        owner: &str,
        in_hand: Vec<Claim>,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Recovered, StoreError> {
        self.writers.letters.carry_out(letters::Release { owner: owner.to_owned(), in_hand, policies, now }).await
    }

    async fn desk_all(
        &self,
        asks: Vec<DeskAsk>,
        actor: &Actor,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Vec<DeskOutcome>, StoreError> {
        self.writers.letters.carry_out(desk::DeskAll { asks, actor: actor.clone(), policies, now }).await
    }

    async fn reinvite(
        &self,
        invitation: InvitationId,
        due: Timestamp,
        actor: &Actor,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Reinvited, StoreError> {
        self.writers.letters.carry_out(desk::Reinvite { invitation, due, actor: actor.clone(), policies, now }).await
    }

    async fn list(&self, filter: &Filter, before: Option<InvitationId>, limit: usize) -> Result<Page, StoreError> {
        self.readers.ask(filter.clone(), move |conn, filter| Box::pin(lists::list(conn, filter, before, limit))).await
    }

    async fn story(&self, subject: &Subject) -> Result<Story, StoreError> {
        self.readers.ask(subject.clone(), |conn, subject| Box::pin(queries::story(conn, subject))).await
    }

    async fn histories(
        &self,
        since: Timestamp,
        after: Option<(Timestamp, InvitationId)>,
        limit: usize,
    ) -> Result<Vec<(Invitation, Vec<DecisionRecord>)>, StoreError> {
        self.readers.read(move |conn| Box::pin(queries::histories(conn, since, after, limit))).await
    }

    async fn standings(
        &self,
        invitations: &[Invitation],
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<HashMap<InvitationId, Standing>, StoreError> {
        self.readers
            .ask((invitations.to_vec(), policies), move |conn, (invitations, policies)| {
                Box::pin(queries::standings(conn, invitations, policies, now))
            })
            .await
    }

    async fn held_copies(
        &self,
        filter: &HeldFilter,
        before: Option<CopyId>,
        limit: usize,
    ) -> Result<Vec<StoredCopy>, StoreError> {
        self.readers.ask(filter.clone(), move |conn, filter| Box::pin(held::held(conn, filter, before, limit))).await
    }

    async fn ignored_copies(
        &self,
        filter: &HeldFilter,
        before: Option<CopyId>,
        limit: usize,
    ) -> Result<Vec<StoredCopy>, StoreError> {
        self.readers.ask(filter.clone(), move |conn, filter| Box::pin(held::ignored(conn, filter, before, limit))).await
    }

    async fn count_held(&self, filter: &HeldFilter) -> Result<Vec<HeldCount>, StoreError> {
        self.readers.ask(filter.clone(), |conn, filter| Box::pin(held::counts(conn, filter))).await
    }

    async fn file_for_desk(
        &self,
        readings: Arc<[FiledReading]>,
        filing: &DeskFiling,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Vec<Filed>, StoreError> {
        let by = By::Desk(filing.clone());
        self.writers.reading.carry_out(FileReadings { readings, policies, now, by, gap: self.gap }).await
    }

    async fn file_again(
        &self,
        readings: Arc<[FiledReading]>,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Vec<Filed>, StoreError> {
        self.writers.reading.carry_out(FileReadings { readings, policies, now, by: By::Again, gap: self.gap }).await
    }

    async fn copies_again(&self, now: Timestamp, limit: usize) -> Result<Vec<CopyId>, StoreError> {
        self.readers.read(move |conn| Box::pin(senders::again(conn, now, limit))).await
    }

    async fn in_doubt(&self, asked: &[(ShopId, Doubt)], since: Timestamp) -> Result<Vec<(ShopId, Doubt)>, StoreError> {
        self.readers.ask(asked.to_vec(), move |conn, asked| Box::pin(senders::in_doubt(conn, asked, since))).await
    }

    async fn discard(&self, copies: Vec<CopyId>, actor: &Actor, now: Timestamp) -> Result<Vec<Discarded>, StoreError> {
        self.writers.reading.carry_out(held::Discard { copies, actor: actor.clone(), now }).await
    }

    async fn copy(&self, id: CopyId) -> Result<Option<(StoredCopy, Option<Vec<u8>>)>, StoreError> {
        self.readers.read(move |conn| Box::pin(queries::copy(conn, id))).await
    }

    async fn next_due(&self) -> Result<Vec<(ShopId, Timestamp)>, StoreError> {
        self.readers.read(|conn| Box::pin(queries::next_due(conn))).await
    }

    async fn watch_figures(&self) -> Result<WatchFigures, StoreError> {
        self.readers.read(|conn| Box::pin(tally::figures(conn))).await
    }

    async fn watch_hours(&self, shops: &[ShopId], since: Timestamp) -> Result<ShopHours, StoreError> {
        self.readers.ask(shops.to_vec(), move |conn, shops| Box::pin(tally::hours(conn, shops, since))).await
    }

    async fn raise_alarm(&self, alarm: &Alarm) -> Result<bool, StoreError> {
        self.writers.letters.carry_out(held::SetAlarm { alarm: alarm.clone(), is_raised: true }).await
    }

    async fn clear_alarm(&self, alarm: &Alarm) -> Result<bool, StoreError> {
        self.writers.letters.carry_out(held::SetAlarm { alarm: alarm.clone(), is_raised: false }).await
    }

    async fn purge_hours(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.writers.reading.carry_out(held::PurgeHours { before }).await
    }

    async fn figures(&self, since_day: i64, shop: Option<&ShopId>) -> Result<Vec<Figure>, StoreError> {
        self.readers
            .ask(shop.cloned(), move |conn, shop| Box::pin(figures::since(conn, since_day, shop.as_ref())))
            .await
    }

    async fn complaints(&self, today: i64) -> Result<Vec<ShopComplaints>, StoreError> {
        self.readers.read(move |conn| Box::pin(figures::complaints(conn, today))).await
    }

    async fn pause(&self, shop: Option<&ShopId>, actor: &Actor, now: Timestamp) -> Result<bool, StoreError> {
        self.writers.letters.carry_out(pauses::Rest { shop: shop.cloned(), actor: actor.clone(), now }).await
    }

    async fn resume(&self, shop: Option<&ShopId>) -> Result<bool, StoreError> {
        self.writers.letters.carry_out(pauses::GoOn { shop: shop.cloned() }).await
    }

    async fn pauses(&self) -> Result<Vec<Pause>, StoreError> {
        self.readers.read(|conn| Box::pin(pauses::all(conn))).await
    }

    async fn report(&self, report: &Report) -> Result<(), StoreError> {
        self.writers.letters.carry_out(reports::Keep { report: report.clone(), is_alone: self.is_alone }).await
    }

    async fn reports(&self) -> Result<Vec<Report>, StoreError> {
        self.readers.read(|conn| Box::pin(reports::all(conn))).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.readers.read(|conn| Box::pin(queries::counts(conn))).await
    }

    async fn write_reviews(
        &self,
        new: NewReviews,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<ReviewsWritten, StoreError> {
        self.writers.letters.carry_out(reviews::WriteReviews { new, policies, now }).await
    }

    async fn delete_reviews(
        &self,
        whose: &ReviewsOf,
        by: Option<&Actor>,
        now: Timestamp,
    ) -> Result<Vec<ReviewId>, StoreError> {
        let delete = reviews::DeleteReviews { whose: whose.clone(), by: by.cloned(), now };
        self.writers.letters.carry_out(delete).await
    }

    async fn reviews_of(&self, whose: &ReviewsOf) -> Result<Vec<Review>, StoreError> {
        self.readers.ask(whose.clone(), |conn, whose| Box::pin(reviews::of(conn, whose))).await
    }

    async fn list_reviews(
        &self,
        filter: &ReviewFilter,
        before: Option<ReviewId>,
        limit: usize,
    ) -> Result<Vec<Review>, StoreError> {
        self.readers.ask(filter.clone(), move |conn, filter| Box::pin(reviews::list(conn, filter, before, limit))).await
    }

    async fn review_history(&self, id: ReviewId) -> Result<Vec<ReviewEdit>, StoreError> {
        self.readers.read(move |conn| Box::pin(reviews::history(conn, id))).await
    }

    async fn review_counts(&self, shop: &ShopId) -> Result<Vec<ReviewCount>, StoreError> {
        self.readers.ask(shop.clone(), |conn, shop| Box::pin(reviews::counts(conn, shop))).await
    }

    async fn customer_news(
        &self,
        invitation: InvitationId,
        news: CustomerNews,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Option<Decision>, StoreError> {
        self.writers.letters.carry_out(customers::Tell { invitation, news, policies, now }).await
    }

    async fn unsubscribe(
        &self,
        entry: NewEntry,
        by_link_of: Option<InvitationId>,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Listed, StoreError> {
        self.writers.letters.carry_out(customers::Unsubscribe { entry, by_link_of, policies, now }).await
    }

    async fn resubscribe(&self, keys: Vec<ListKey>, shop: &ShopId) -> Result<usize, StoreError> {
        self.writers.letters.carry_out(customers::Resubscribe { keys, shop: shop.clone() }).await
    }

    async fn list_standing(&self, keys: &[ListKey]) -> Result<Vec<StoredEntry>, StoreError> {
        self.suppressed_by(keys).await
    }

    async fn reviewed_by_reference(
        &self,
        shop: &ShopId,
        reference: &OrderReference,
        email: Option<AddressKey>,
        actor: &Actor,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Vec<(InvitationId, Decision)>, StoreError> {
        let (shop, reference, actor) = (shop.clone(), reference.clone(), actor.clone());
        let reviewed = customers::ReviewedElsewhere { shop, reference, email, actor, policies, now };
        self.writers.letters.carry_out(reviewed).await
    }

    async fn revoke_links(
        &self,
        invitation: InvitationId,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Option<u8>, StoreError> {
        let revoke = customers::RevokeLinks { invitation, actor: actor.clone(), now };
        self.writers.letters.carry_out(revoke).await
    }

    async fn ask_erasure(
        &self,
        shop: &ShopId,
        email: &EmailAddress,
        entry: NewEntry,
        by_link_of: Option<InvitationId>,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Listed, StoreError> {
        let (shop, email) = (shop.clone(), email.clone());
        self.writers.letters.carry_out(customers::AskErasure { shop, email, entry, by_link_of, policies, now }).await
    }

    async fn erasure_requests(&self) -> Result<Vec<ErasureRequest>, StoreError> {
        self.readers.read(|conn| Box::pin(customers::requests(conn))).await
    }

    async fn purge(&self, received_before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        self.writers.reading.carry_out(Purge { received_before, limit }).await
    }

    async fn close(&self) {
        // Readers first: the last reader's end is what lets a file's log be emptied.
        self.readers.close().await;
        for queue in self.writers.each() {
            queue.close().await;
        }
    }
}
