//! Where everything that was promised is kept. [`Store`] has coarse methods, each of them one transaction: when it returns
//! `Ok`, what it says is durable. No row, SQL error or transaction handle leaves this room, and what an invitation becomes is
//! decided by the pure [`crate::domain::decide`], called between reading and writing it inside the same transaction, so that
//! two doors can never act on the same past.

mod answers;
mod backup;
mod claims;
mod desk;
mod error;
mod filter;
mod held;
mod imports;
mod lock;
mod meter;
mod owner;
mod people;
mod postgres;
mod records;
mod reviews;
mod schema;
mod senders;
mod sql;
mod sqlite;
#[cfg(test)]
mod tests;
mod transfer;
mod views;

pub use answers::{AnswerFiled, AnswerRecord, AnsweredLetter, FiledAnswer};
pub use backup::{BackedUp, BackupError, Restoration, Restored, backup, hold_since, restore};
pub use claims::{Claim, ClaimAsk, Claimed, ClaimedLetter, Recovered, RelayShare, Settled};
pub use desk::{DeskAsk, DeskOutcome, Reinvited, Seen};
pub use error::StoreError;
pub use filter::{Filter, FreeText, Page};
pub use held::{
    Alarm, DeskAct, DeskFiling, DeskMark, Discarded, HeldCount, HeldFilter, ShopComplaints, ShopHours, ShopSum,
    WatchFigures,
};
pub use imports::{Asked, CopiesOf, Fate, Foreseen, Invited, PastCopy, Wanted};
pub use lock::DaemonLock;
pub use meter::Meter;
pub use people::{Bodies, Erased, Erasure, ListFilter, Listed, NewEntry, PersonTable, RawRow, StoredEntry, Stretch};
pub use records::{
    Actor, Bound, CopyState, Counts, Credence, DecisionRecord, Disk, Figure, Filed, FiledReading, LetterPhase,
    LetterRecord, NewCopy, PROBE, Pause, Report, Standing, StoredCopy, Story, Subject, UnreadCopy,
};
pub use reviews::{
    ErasureRequest, NewReviews, ReviewCount, ReviewEdit, ReviewFilter, ReviewWithHistory, ReviewsOf, ReviewsWritten,
};
pub use senders::{PastHand, Sender, SenderFilter};
pub use sql::{LOOKED_THROUGH, Own, Search, SqlStore};
pub use sqlite::{Contents, Knows, TakenOver};
pub use transfer::{Content, Ending, Moved, MovedTable, Place, Step, Watch, transfer};
pub use views::{Deferred, InHand, Stopped};

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use self::postgres::Server;
use self::sql::engine::Engine;
use self::sql::fault::Fault;
use self::sqlite::File;
use crate::config::Database;
use crate::domain::{
    AddressKey, Attempt, CopyId, CustomerNews, Decision, Doubt, EmailAddress, Invitation, InvitationId, LetterId,
    ListKey, OrderReference, Policies, Review, ReviewId, ShopId, Timestamp,
};

/// How many copies, invitations, decisions and letters [`Store::story`] tells of at most, each.
pub const STORY_AT_MOST: usize = 200;

/// In which role a database is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// As a daemon, which brings the schema up to date. A file has one daemon at a time, which its lock proves; a server has any
    /// number.
    Daemon,
    /// Beside daemons or without one. A schema that is too old is refused: changing it is the daemon's business.
    Desk,
}

/// Opens a database. A small file (64 MiB) is checked whole first when a daemon opens it. `password` is for a server.
///
/// # Errors
/// [`StoreError::Missing`] when there is no queue: it is never made by the way. [`StoreError::Unusable`] when the place is not
/// ours, damaged, or cannot be written. [`StoreError::NewerSchema`]. [`StoreError::Taken`] when a file has a daemon already.
pub async fn open(database: &Database, password: Option<&str>, role: Role) -> Result<SqlStore, StoreError> {
    match database {
        Database::Sqlite(path) => {
            owner::check(path)?;
            let lock = match role {
                Role::Daemon => Some(DaemonLock::acquire(path)?),
                Role::Desk => None,
            };
            open_file(File::new(path), lock).await
        }
        Database::Postgres(settings) => {
            let server = Server::new(settings, password);
            server.prepare(role == Role::Daemon).await?;
            SqlStore::start(Engine::Postgres(server), None).await.map_err(Fault::into_store_error)
        }
    }
}

/// The disk of a database's file; of a server it is not known.
pub fn disk_of(database: &Database) -> Option<Disk> {
    let Database::Sqlite(path) = database else { return None };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let disk = rustix::fs::statvfs(folder).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(disk.f_frsize);
    Some(Disk { free: bytes(disk.f_bavail), whole: bytes(disk.f_blocks) })
}

async fn open_file(file: File, lock: Option<DaemonLock>) -> Result<SqlStore, StoreError> {
    file.prepare(lock.is_some()).await?;
    SqlStore::start(Engine::Sqlite(file.clone()), lock).await.map_err(|fault| file.met(fault))
}

/// Makes a queue where there is none: a file that only its owner may read, or the tables in a database of a server. Whether one
/// was made.
///
/// # Errors
/// [`StoreError::Unusable`] when nothing can be made there.
pub async fn create_if_missing(database: &Database, password: Option<&str>) -> Result<bool, StoreError> {
    match database {
        Database::Sqlite(path) => {
            owner::check(path)?;
            if path.exists() {
                return Ok(false);
            }
            File::new(path).create().await.map(|()| true)
        }
        Database::Postgres(settings) => Server::new(settings, password).create_if_missing().await,
    }
}

/// The queue and its memory.
///
/// Dropping the future of a method that writes does not stop the write once it is queued.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Keeps copies, all or none; `Ok` means that they survive a power cut.
    async fn spool(&self, copies: Vec<NewCopy>) -> Result<Vec<CopyId>, StoreError>;

    /// Whether a copy could be kept now: no write failed within the last seconds, and there is room on disk beyond a reserve for
    /// what else must be written. Cheap: it writes nothing.
    async fn ready(&self) -> Result<(), StoreError>;

    /// The oldest copies that nobody reads yet, for the one reader of this owner: it files them before it asks again. The attempt is
    /// counted before they are handed out. A copy that was handed out before comes alone, and one that was handed out
    /// `attempts_at_most` times without a reading is set aside as held instead, so that no copy can stop the others or drag
    /// them along. Empty only when nothing is unread that others do not read.
    async fn claim_copies(
        &self,
        limit: usize,
        attempts_at_most: u32,
        owner: &str,
        now: Timestamp,
    ) -> Result<Vec<UnreadCopy>, StoreError>;

    /// Files what was read from copies and moves the invitations that they tell of, each copy in a savepoint of its own. A copy
    /// that is no longer unread is passed over and moves nothing. One whose reading cannot be written stays unread and is
    /// missing in the answer.
    async fn file_readings(
        &self,
        readings: Arc<[FiledReading]>,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Vec<Filed>, StoreError>;

    /// These letters as their answers are matched with them, as far as they are still there.
    async fn answered_letters(&self, letters: &[LetterId]) -> Result<Vec<AnsweredLetter>, StoreError>;

    /// Files what came back to letters. Each answer is kept beside its letter; a dead address and a complaint move the letter's
    /// invitation, put the address on the suppression list for all shops and end what else is open of the person; the third letter
    /// within 30 days that comes back for other reasons ends its invitation alone. All in one transaction. An answer whose copy is no
    /// longer unread changes nothing.
    async fn file_answers(
        &self,
        answers: Arc<[FiledAnswer]>,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Vec<AnswerFiled>, StoreError>;

    /// Takes invitations of the shops asked for that are due, the longest due first, and moves each by `Event::Due`, with what the
    /// shop's rules say to it: how many letters the person has had from any shop, and whether they are on the suppression list, as
    /// it stands in this transaction. Those whose letter is to be sent come back, claimed by who asks; what else was due (a
    /// wait given up, a letter too late or too many) is dealt with here. Letters under way to one relay are never more than it has
    /// connections, those of a shop no more than its rate, whoever sends them. What belongs to a shop that rests stays as it is.
    async fn claim_due(&self, ask: ClaimAsk, policies: Arc<Policies>, now: Timestamp) -> Result<Claimed, StoreError>;

    /// Records that a letter's final dot is about to be sent. `false` means that it must not be: the invitation was stopped, or
    /// the claim is over. The letter is dealt with then; there is nothing to settle.
    async fn mark_on_the_wire(&self, claim: &Claim, message_id: &str, now: Timestamp) -> Result<bool, StoreError>;

    /// Records how an attempt ended, with the relay's words, and moves the invitation. An outcome that is told a second time, or
    /// under a claim that is over, changes nothing, but for one: that the relay took the letter is always recorded.
    /// `None` when the letter is gone: the person was erased while it was under way.
    async fn settle(
        &self,
        claim: &Claim,
        attempt: Attempt,
        reply: &str,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Option<Settled>, StoreError>;

    /// Shows that the daemon `owner` lives: what it has in its hands is its own until `lease_until`. Where the [`DaemonLock`] shows
    /// it already, nothing is written.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`] when the database was brought to a schema that this program cannot work with.
    async fn beat(&self, owner: &str, lease_until: Timestamp, now: Timestamp) -> Result<(), StoreError>;

    /// Takes leave: what `owner` may still have in its hands is free at once.
    async fn leave(&self, owner: &str) -> Result<(), StoreError>;

    /// Clears up after daemons other than `owner` whose lease is over, or who are known to be gone since this one holds the
    /// [`DaemonLock`]. Their copies are free to be read. A letter that was not on the wire goes back in line; one that was
    /// becomes `AnswerLost`.
    async fn recover(&self, owner: &str, policies: Arc<Policies>, now: Timestamp) -> Result<Recovered, StoreError>;

    /// Gives back the letters that `owner` has claimed without knowing: a claim that was committed while its answer was lost.
    /// `in_hand` are the claims that it does know of.
    async fn release(
        &self,
        owner: &str,
        in_hand: Vec<Claim>,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Recovered, StoreError>;

    /// Carries out a person's orders, all in one transaction, and says of each what came of it, in the order asked. An invitation
    /// that is not as it was seen is left alone.
    async fn desk_all(
        &self,
        asks: Vec<DeskAsk>,
        actor: &Actor,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Vec<DeskOutcome>, StoreError>;

    /// Begins a new invitation after one that has ended, by a person's order, with its letter due at `due`.
    async fn reinvite(
        &self,
        invitation: InvitationId,
        due: Timestamp,
        actor: &Actor,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Reinvited, StoreError>;

    /// Up to `limit` invitations that the filter means, newest first, below `before` when given. What no index knows is looked for
    /// among some 200,000 of them at most; the page says down to which one it looked, so that a caller who wants all goes on there.
    async fn list(&self, filter: &Filter, before: Option<InvitationId>, limit: usize) -> Result<Page, StoreError>;

    /// What is known about an address, a reference in any shop, or an invitation: the newest [`STORY_AT_MOST`] of each kind. The
    /// copies are those from which the address or the reference was read, also when they were held or ignored; of an invitation
    /// all copies of its order, since a cancellation counts whatever its address. Empty when nothing is known.
    async fn story(&self, subject: &Subject) -> Result<Story, StoreError>;

    /// A page of the invitations that began since `since`, the oldest first, after the one that began then with that number. Each
    /// comes with what began it and what happened to it from outside: news of the order, of the customer, and people's orders.
    async fn histories(
        &self,
        since: Timestamp,
        after: Option<(Timestamp, InvitationId)>,
        limit: usize,
    ) -> Result<Vec<(Invitation, Vec<DecisionRecord>)>, StoreError>;

    /// What bears on the next letters of these invitations, by the look back of `policies`.
    async fn standings(
        &self,
        invitations: &[Invitation],
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<HashMap<InvitationId, Standing>, StoreError>;

    /// A page of held copies, newest first, below `before` when given.
    async fn held_copies(
        &self,
        filter: &HeldFilter,
        before: Option<CopyId>,
        limit: usize,
    ) -> Result<Vec<StoredCopy>, StoreError>;

    /// A page of the copies that the filter means but that were ignored, and not by a person, newest first. Only those whose
    /// bytes are kept, since there is nothing to be done with others.
    async fn ignored_copies(
        &self,
        filter: &HeldFilter,
        before: Option<CopyId>,
        limit: usize,
    ) -> Result<Vec<StoredCopy>, StoreError>;

    /// How many held copies there are of each shop and kind of reason, in their order.
    async fn count_held(&self, filter: &HeldFilter) -> Result<Vec<HeldCount>, StoreError>;

    /// Files readings of held copies for a person, as [`Self::file_readings`] does for the reader: whoever did it stands in the
    /// copies' records and in the decisions. A copy that is not held any more is passed over and moves nothing, so that no copy
    /// tells of its order twice. What would come of a dry filing is exact, but for the numbers of invitations that would begin.
    async fn file_for_desk(
        &self,
        readings: Arc<[FiledReading]>,
        filing: &DeskFiling,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Vec<Filed>, StoreError>;

    /// Files what was found out about held copies at another look, without a person, as [`Self::file_readings`] does. A copy that is not
    /// held any more is passed over.
    async fn file_again(
        &self,
        readings: Arc<[FiledReading]>,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Vec<Filed>, StoreError>;

    /// Held copies whose sender is to be looked at again by now, those that have waited longest for it first.
    async fn copies_again(&self, now: Timestamp, limit: usize) -> Result<Vec<CopyId>, StoreError>;

    /// Which of these shops have copies that came in at `since` or later and are held in these doubts. One seek for each.
    async fn in_doubt(&self, asked: &[(ShopId, Doubt)], since: Timestamp) -> Result<Vec<(ShopId, Doubt)>, StoreError>;

    /// Discards held copies for good. Says of each what came of it, in the order asked.
    async fn discard(&self, copies: Vec<CopyId>, actor: &Actor, now: Timestamp) -> Result<Vec<Discarded>, StoreError>;

    /// A copy and its bytes, as long as they are kept.
    async fn copy(&self, id: CopyId) -> Result<Option<(StoredCopy, Option<Vec<u8>>)>, StoreError>;

    /// The earliest instant at which an invitation of each shop is due, for every shop that has one and does not rest.
    async fn next_due(&self) -> Result<Vec<(ShopId, Timestamp)>, StoreError>;

    /// How the shops fare: one row each, however many copies they have.
    async fn watch_figures(&self) -> Result<WatchFigures, StoreError>;

    /// What the reader made of these shops' copies, by the hours since `since`.
    async fn watch_hours(&self, shops: &[ShopId], since: Timestamp) -> Result<ShopHours, StoreError>;

    /// Raises an alarm. `false` when somebody else has raised it already, who says so then.
    async fn raise_alarm(&self, alarm: &Alarm) -> Result<bool, StoreError>;

    /// Ends an alarm. `false` when it is over already.
    async fn clear_alarm(&self, alarm: &Alarm) -> Result<bool, StoreError>;

    /// Forgets the counts of hours before `before`.
    async fn purge_hours(&self, before: Timestamp) -> Result<u64, StoreError>;

    /// What happened to the invitations of one shop or of all since a day (days since 1970-01-01 in UTC), and how many stand in each
    /// state now, by the days and names of [`Figure`].
    async fn figures(&self, since_day: i64, shop: Option<&ShopId>) -> Result<Vec<Figure>, StoreError>;

    /// What customers said of the shops' letters up to `today` (days since 1970-01-01 in UTC), from the counters. A shop without a
    /// letter and without a complaint is not among them.
    async fn complaints(&self, today: i64) -> Result<Vec<ShopComplaints>, StoreError>;

    /// Lets the letters of a shop rest, or of all: none is claimed any more; those in hand go out. `false` when they rest already.
    /// Daemons see it when they next look, within seconds.
    async fn pause(&self, shop: Option<&ShopId>, actor: &Actor, now: Timestamp) -> Result<bool, StoreError>;

    /// Ends a pause of this shop, or the pause of all. `false` when there is none. A shop rests as long as either lasts.
    async fn resume(&self, shop: Option<&ShopId>) -> Result<bool, StoreError>;

    /// Whose letters rest.
    async fn pauses(&self) -> Result<Vec<Pause>, StoreError>;

    /// Keeps what a daemon says of itself, instead of what it said before. What others said more than a day ago is forgotten.
    async fn report(&self, report: &Report) -> Result<(), StoreError>;

    /// What daemons have said of themselves, the latest last. One that took leave is not among them; one that was killed is.
    async fn reports(&self) -> Result<Vec<Report>, StoreError>;

    /// How many copies are unread and how many invitations stand in each state.
    async fn counts(&self) -> Result<Counts, StoreError>;

    /// Deletes the bytes of up to `limit` copies that were taken in before `received_before` and are not waiting to be read.
    async fn purge(&self, received_before: Timestamp, limit: usize) -> Result<u64, StoreError>;

    /// Keeps what a customer wrote and tells the invitations of the order that a review exists, all in one transaction. What stands so
    /// already changes nothing and makes no history.
    async fn write_reviews(
        &self,
        new: NewReviews,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<ReviewsWritten, StoreError>;

    /// Takes the words of reviews and of their history away, for their author or, with an actor, for the shop's staff. Says which stood.
    async fn delete_reviews(
        &self,
        whose: &ReviewsOf,
        by: Option<&Actor>,
        now: Timestamp,
    ) -> Result<Vec<ReviewId>, StoreError>;

    /// These reviews, deleted ones among them.
    async fn reviews_of(&self, whose: &ReviewsOf) -> Result<Vec<Review>, StoreError>;

    /// A page of reviews, newest first, below `before` when given.
    async fn list_reviews(
        &self,
        filter: &ReviewFilter,
        before: Option<ReviewId>,
        limit: usize,
    ) -> Result<Vec<Review>, StoreError>;

    /// What a review was before it was changed, oldest first.
    async fn review_history(&self, id: ReviewId) -> Result<Vec<ReviewEdit>, StoreError>;

    /// How many of a shop's reviews came in which way, and how many of them stand.
    async fn review_counts(&self, shop: &ShopId) -> Result<Vec<ReviewCount>, StoreError>;

    /// Tells an invitation what its customer did. `None` when it is gone.
    async fn customer_news(
        &self,
        invitation: InvitationId,
        news: CustomerNews,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Option<Decision>, StoreError>;

    /// Puts somebody on the suppression list by their own wish and ends their open invitations that the entry means, and the one whose
    /// link was used though it has ended, all in one transaction. An entry that is there stays as it is.
    async fn unsubscribe(
        &self,
        entry: NewEntry,
        by_link_of: Option<InvitationId>,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Listed, StoreError>;

    /// Takes away the entries with these keys that the customer has made, for this shop and for all. Says how many there were.
    async fn resubscribe(&self, keys: Vec<ListKey>, shop: &ShopId) -> Result<usize, StoreError>;

    /// The entries of the suppression list with one of these keys, for whatever shop.
    async fn list_standing(&self, keys: &[ListKey]) -> Result<Vec<StoredEntry>, StoreError>;

    /// Tells the invitations to an order that a review exists elsewhere, those of one person or all. Says what was decided on each.
    async fn reviewed_by_reference(
        &self,
        shop: &ShopId,
        reference: &OrderReference,
        email: Option<AddressKey>,
        actor: &Actor,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Vec<(InvitationId, Decision)>, StoreError>;

    /// Begins another series of an invitation's links, so that those that are out are good no more, and records who did it and why. Says
    /// which series; the one that it had when there is none left, `None` when the invitation is gone.
    async fn revoke_links(
        &self,
        invitation: InvitationId,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Option<u8>, StoreError>;

    /// Notes that somebody wants to be erased and stops their letters as [`Self::unsubscribe`] does, in one transaction.
    async fn ask_erasure(
        &self,
        shop: &ShopId,
        email: &EmailAddress,
        entry: NewEntry,
        by_link_of: Option<InvitationId>,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Listed, StoreError>;

    /// Who wants to be erased and is not yet, oldest first.
    async fn erasure_requests(&self) -> Result<Vec<ErasureRequest>, StoreError>;

    /// Waits until everything that is queued is written, and leaves the files tidy. Calls after it fail.
    async fn close(&self) {}
}
