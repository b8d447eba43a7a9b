//! Where everything that was promised is kept. [`Store`] has coarse methods, each of them one transaction: when it returns
//! `Ok`, what it says is durable. No row, SQL error or transaction handle leaves this room, and what an invitation becomes is
//! decided by the pure [`crate::domain::decide`], called between reading and writing it inside the same transaction, so that
//! two doors can never act on the same past.

mod error;
mod lock;
mod records;
pub mod sqlite;

pub use error::StoreError;
pub use lock::DaemonLock;
pub use records::{
    Actor, ClaimedLetter, CopyState, Counts, DecisionRecord, Filed, FiledReading, Filter, LetterPhase, LetterRecord,
    NewCopy, Recovered, Settled, StoredCopy, Story, Subject, UnreadCopy,
};

use std::sync::Arc;

use async_trait::async_trait;

use crate::domain::{Attempt, CopyId, Decision, DeskOrder, Invitation, InvitationId, LetterId, Policies, Timestamp};

/// How many copies, invitations, decisions and letters [`Store::story`] tells of at most, each.
pub const STORY_AT_MOST: usize = 200;

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

    /// The oldest copies that nobody has read yet, for the one reader of this store: it files them before it asks again. The
    /// attempt is counted before they are handed out. A copy that was handed out before comes alone, and one that was handed out
    /// `attempts_at_most` times without a reading is set aside as held instead, so that no copy can stop the others or drag
    /// them along. Empty only when nothing is unread.
    async fn claim_copies(
        &self,
        limit: usize,
        attempts_at_most: u32,
        now: Timestamp,
    ) -> Result<Vec<UnreadCopy>, StoreError>;

    /// Files what was read from copies and moves the invitations that they tell of, each copy in a savepoint of its own. A copy
    /// that is no longer unread is passed over and moves nothing. One whose reading cannot be written stays unread and is
    /// missing in the answer.
    async fn file_readings(
        &self,
        readings: Vec<FiledReading>,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Vec<Filed>, StoreError>;

    /// Takes up to `limit` invitations that are due, oldest due time first, and moves each by `Event::Due`. Those whose letter is
    /// to be sent come back, claimed by `owner` until `lease_until`; what else was due (a wait given up, a letter too late) is
    /// dealt with here and does not, so an empty answer does not mean that nothing more is due: [`Self::next_due`] tells.
    async fn claim_due(
        &self,
        limit: usize,
        owner: &str,
        lease_until: Timestamp,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Vec<ClaimedLetter>, StoreError>;

    /// Records that a letter's final dot is about to be sent. `false` means that it must not be: the invitation was stopped, or
    /// the claim is somebody else's by now. The letter is dealt with then; there is nothing to settle.
    async fn mark_on_the_wire(
        &self,
        letter: LetterId,
        owner: &str,
        message_id: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Records how an attempt ended, with the relay's words, and moves the invitation. An outcome that is told a second time
    /// changes nothing.
    async fn settle(
        &self,
        letter: LetterId,
        attempt: Attempt,
        reply: &str,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Settled, StoreError>;

    /// Clears up after a daemon that died: claims of other owners than `owner` whose lease is over, or who are known to be gone
    /// since this daemon holds the [`DaemonLock`]. A letter that was not on the wire goes back in line; one that was becomes
    /// `AnswerLost`.
    async fn recover(&self, owner: &str, policies: Arc<Policies>, now: Timestamp) -> Result<Recovered, StoreError>;

    /// Carries out a person's order. `None` when there is no such invitation.
    async fn desk(
        &self,
        invitation: InvitationId,
        order: DeskOrder,
        actor: &Actor,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Option<Decision>, StoreError>;

    /// A page of invitations, newest first, below `before` when given.
    async fn list(
        &self,
        filter: &Filter,
        before: Option<InvitationId>,
        limit: usize,
    ) -> Result<Vec<Invitation>, StoreError>;

    /// What is known about an address, a reference in any shop, or an invitation: the newest [`STORY_AT_MOST`] of each kind. The
    /// copies are those from which the address or the reference was read, also when they were held or ignored; of an invitation
    /// all copies of its order, since a cancellation counts whatever its address. Empty when nothing is known.
    async fn story(&self, subject: &Subject) -> Result<Story, StoreError>;

    /// A page of held copies, newest first, below `before` when given.
    async fn held_copies(&self, before: Option<CopyId>, limit: usize) -> Result<Vec<StoredCopy>, StoreError>;

    /// A copy and its bytes, as long as they are kept.
    async fn copy(&self, id: CopyId) -> Result<Option<(StoredCopy, Option<Vec<u8>>)>, StoreError>;

    /// The earliest instant at which an invitation is due.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError>;

    /// How many copies are unread and how many invitations stand in each state.
    async fn counts(&self) -> Result<Counts, StoreError>;

    /// Deletes the bytes of up to `limit` copies that were taken in before `received_before` and are not waiting to be read.
    async fn purge(&self, received_before: Timestamp, limit: usize) -> Result<u64, StoreError>;

    /// Waits until everything that is queued is written, and leaves the files tidy. Calls after it fail.
    async fn close(&self) {}
}
