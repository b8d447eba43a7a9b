//! What goes into the store and comes out of it, in the words of the domain.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{AnswerRecord, DeskMark};
use crate::domain::{
    AddressKey, CopyId, Decision, Doubt, Handed, Inputs, Invitation, InvitationId, LetterId, LetterKind, OrderNews,
    OrderReference, PastLetter, Reading, Review, Rule, ShopId, State, Suppressed, Timestamp, Volume,
};

/// A mail as it came in, for one shop.
#[derive(Clone, PartialEq, Eq)]
pub struct NewCopy {
    /// The shop whose address it was sent to.
    pub shop: ShopId,
    /// The reverse-path, empty for `<>`.
    pub mail_from: String,
    /// The forward-path as given.
    pub rcpt_to: String,
    /// How it was handed in.
    pub handed: Handed,
    /// The letter that it answers, when it was sent to that letter's return address instead of the shop's own.
    pub answers: Option<LetterId>,
    /// The message as it was received. Kept compressed.
    pub message: Arc<[u8]>,
    /// When.
    pub received_at: Timestamp,
}

/// Without the addresses and the mail: a debug print must not put a person into a log.
impl fmt::Debug for NewCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewCopy").field("shop", &self.shop).field("bytes", &self.message.len()).finish_non_exhaustive()
    }
}

/// A copy that is to be read.
#[derive(Clone, PartialEq, Eq)]
pub struct UnreadCopy {
    /// Which.
    pub id: CopyId,
    /// The shop whose address it was sent to.
    pub shop: ShopId,
    /// The reverse-path, empty for `<>`.
    pub mail_from: String,
    /// How it was handed in.
    pub handed: Handed,
    /// The letter that it answers, when it was sent to that letter's return address instead of the shop's own.
    pub answers: Option<LetterId>,
    /// The message.
    pub message: Vec<u8>,
    /// How often it was handed out, this time included.
    pub attempts: u32,
    /// When it was taken in.
    pub received_at: Timestamp,
}

/// Without the addresses and the mail.
impl fmt::Debug for UnreadCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnreadCopy").field("id", &self.id).field("shop", &self.shop).finish_non_exhaustive()
    }
}

/// What was read from a copy, on its way into the store.
#[derive(Debug, Clone, PartialEq)]
pub struct FiledReading {
    /// The copy.
    pub copy: CopyId,
    /// The shop whose address it was sent to.
    pub shop: ShopId,
    /// What was read.
    pub reading: Reading,
    /// What it says about the order's schedule, when it tells of an order.
    pub news: Option<OrderNews>,
    /// What its sender has to show for it.
    pub credence: Credence,
}

/// Whether a copy that tells of an order is to be believed. The default believes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Credence {
    /// What was found about the sender: a JSON object, which is kept as it is. `None` when nobody looked.
    pub proof: Option<String>,
    /// The sender's mark, when the copy is believed only if a person approved that.
    pub mark: Option<String>,
    /// Why it is held, when its reading is held for its sender's sake, and when that is to be looked at again.
    pub doubt: Option<(Doubt, Option<Timestamp>)>,
    /// The bound of the day for invitations that it may begin.
    pub bound: Option<Bound>,
}

/// How many invitations a shop's copies may begin on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// By the shop's rules.
    pub volume: Volume,
    /// Whether the copy proves its sender, beside knowing the address.
    pub is_proven: bool,
}

/// What filing a reading did.
#[derive(Debug, Clone, PartialEq)]
pub struct Filed {
    /// The copy.
    pub copy: CopyId,
    /// Whether it was filed now. `false`: it was not where it was thought to be, and nothing was done.
    pub is_done: bool,
    /// The invitations that it moved, with the decision on each. Empty when the copy tells of no order.
    pub moved: Vec<(InvitationId, Decision)>,
    /// The reading that was filed instead, when the store knew something against the sender or the day was full, and why it is held.
    pub instead: Option<(Reading, Option<Doubt>)>,
    /// The sender's mark, when no copy of it came for the shop before.
    pub first_seen: Option<String>,
}

impl Filed {
    /// A copy that was not where it was thought to be.
    pub(super) fn not_done(copy: CopyId) -> Self {
        Self { copy, is_done: false, moved: Vec::new(), instead: None, first_seen: None }
    }
}

/// Who did something, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// `daemon`, or the person's login name.
    pub name: String,
    /// The reason given.
    pub reason: Option<String>,
}

/// Whom or what a story is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A customer.
    Email(AddressKey),
    /// An order.
    Reference(OrderReference),
    /// An invitation.
    Invitation(InvitationId),
}

/// Where a copy stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CopyState {
    /// Durable, not read yet.
    Unread,
    /// It told of an order.
    Event,
    /// It is no order mail.
    Ignored,
    /// Kept for a person to look at.
    Held,
    /// A person said that nothing is to come of it.
    Discarded,
}

impl CopyState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Unread, Self::Event, Self::Ignored, Self::Held, Self::Discarded];

    /// The state of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// The word for it in JSON. The database has its own way to write the last one down.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::Event => "event",
            Self::Ignored => "ignored",
            Self::Held => "held",
            Self::Discarded => "discarded",
        }
    }
}

/// A copy as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredCopy {
    /// Which.
    pub id: CopyId,
    /// The shop whose address it was sent to.
    pub shop: ShopId,
    /// When it came in.
    pub received_at: Timestamp,
    /// The reverse-path.
    pub mail_from: String,
    /// How it was handed in.
    pub handed: Handed,
    /// The message's size, bytes.
    pub size: u64,
    /// Where it stands.
    pub state: CopyState,
    /// How often it was handed out to be read.
    pub attempts: u32,
    /// What was read from it: the stored JSON of [`Reading`], `None` before.
    pub reading: Option<Reading>,
    /// The invitation it moved first, if any.
    pub invitation: Option<InvitationId>,
    /// What a person did with it last.
    pub desk: Option<DeskMark>,
    /// What was found about its sender, a JSON object as it was filed.
    pub proof: Option<String>,
    /// The sender's mark, when it is believed by that alone.
    pub sender: Option<String>,
    /// Why it was held though it was read well.
    pub doubt: Option<Doubt>,
}

/// How far a letter got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LetterPhase {
    /// Claimed; nothing was sent that a relay could deliver.
    Claimed,
    /// The final dot is sent or about to be; the answer is not known.
    OnTheWire,
    /// The relay took it.
    Accepted,
    /// It waits for another attempt.
    Deferred,
    /// The relay refused it.
    Refused,
    /// Nobody knows.
    InDoubt,
    /// It was never sent: stopped, or it could not be composed.
    Abandoned,
}

impl LetterPhase {
    /// Every phase.
    pub const ALL: [Self; 7] =
        [Self::Claimed, Self::OnTheWire, Self::Accepted, Self::Deferred, Self::Refused, Self::InDoubt, Self::Abandoned];

    /// The word for it in JSON and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::OnTheWire => "on_the_wire",
            Self::Accepted => "accepted",
            Self::Deferred => "deferred",
            Self::Refused => "refused",
            Self::InDoubt => "in_doubt",
            Self::Abandoned => "abandoned",
        }
    }

    /// The phase of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == word)
    }
}

/// A letter and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterRecord {
    /// Which.
    pub id: LetterId,
    /// The invitation.
    pub invitation: InvitationId,
    /// First letter or reminder.
    pub kind: LetterKind,
    /// How far it got.
    pub phase: LetterPhase,
    /// How often it was taken in hand. A relay that was out of use counts here, and not among the invitation's attempts.
    pub attempts: u32,
    /// The relay that it was last taken in hand for; `None` where the shop had none.
    pub relay: Option<String>,
    /// Its Message-ID, once it was on the wire.
    pub message_id: Option<String>,
    /// When it was last claimed.
    pub claimed_at: Timestamp,
    /// When its final dot was last about to be sent.
    pub on_the_wire_at: Option<Timestamp>,
    /// When its last attempt ended.
    pub settled_at: Option<Timestamp>,
    /// How the last attempt ended, in words: what the relay said, or why it said nothing.
    pub reply: Option<String>,
}

/// A decision as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionRecord {
    /// The invitation.
    pub invitation: InvitationId,
    /// When.
    pub at: Timestamp,
    /// What happened: `order placed`, `due`, `attempt accepted`, `desk cancel` …
    pub event: String,
    /// The state before, `None` when the invitation began.
    pub from: Option<State>,
    /// The state after.
    pub to: State,
    /// When the next thing is due after it.
    pub due_at: Option<Timestamp>,
    /// Why.
    pub rule: Rule,
    /// Who.
    pub actor: String,
    /// The reason given by a person, or the relay's words.
    pub note: Option<String>,
    /// The copy that told of it.
    pub copy: Option<CopyId>,
    /// From what it was made.
    pub inputs: Inputs,
}

/// What is known about a subject, oldest first, the newest [`super::STORY_AT_MOST`] of each.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Story {
    /// The copies that tell of it, and those that name it but were held or ignored.
    pub copies: Vec<StoredCopy>,
    /// The invitations.
    pub invitations: Vec<Invitation>,
    /// The decisions on them.
    pub decisions: Vec<DecisionRecord>,
    /// Their letters.
    pub letters: Vec<LetterRecord>,
    /// What came back to those.
    pub answers: Vec<AnswerRecord>,
    /// What their customers wrote about the orders; of an address all that it wrote.
    pub reviews: Vec<Review>,
}

/// How often something happened to a shop's invitations, or how many of them stand in a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// Whose.
    pub shop: ShopId,
    /// The day on which it happened, days since 1970-01-01 in UTC; 0 of what stands now. Of what became of invitations it is the
    /// day on which those began.
    pub day: i64,
    /// What: a rule's name, `begun` for invitations that began, `let in` for those of them that count for the bound of the day, `letter first`, `letter reminder` and `letter dropped` for first
    /// letters and reminders that a relay took and for invitations that the shop's rules dropped; `state ` and a state's word;
    /// `became ` and the word of an [`crate::domain::Outturn`], `dropped ` and the rule that first dropped an invitation,
    /// `dropped undone` for those of them that did not stay dropped; `answer ` and the word of an [`crate::domain::AnswerKind`] for what
    /// came back to letters; `review ` and the word of a [`crate::domain::Collected`] for reviews that were written, `review changed`,
    /// `review deleted` (by their authors) and `review removed` (by staff).
    pub name: String,
    /// How often; never 0.
    pub n: u64,
}

/// That letters rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Whose; `None` for all shops'.
    pub shop: Option<ShopId>,
    /// Since when.
    pub since: Timestamp,
    /// Who wanted it, and why.
    pub actor: Actor,
}

/// What bears on an invitation's next letter beside its own past.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// The letters that the person got, of all shops, earlier attempts at the next one left out.
    pub past: Vec<PastLetter>,
    /// That the person is on the suppression list.
    pub suppressed: Option<Suppressed>,
    /// That the shop's letters rest.
    pub paused: Option<Pause>,
    /// The invitation that a person began after it has ended.
    pub followed_by: Option<InvitationId>,
}

/// The reason with which a mail is ignored that the service sent to itself. It counts as no copy of a shop: a probe every hour must not
/// hide that a shop has fallen silent.
pub const PROBE: &str = "a probe that invited sent to itself";

/// Numbers for people and for monitoring.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Copies that nobody has read yet.
    pub unread: u64,
    /// Copies that a person should look at.
    pub held_copies: u64,
    /// When the oldest copy that nobody has read yet came in.
    pub oldest_unread: Option<Timestamp>,
    /// Invitations by state.
    pub invitations: BTreeMap<State, u64>,
    /// When the last backup was made, where one was.
    pub last_backup: Option<Timestamp>,
}

/// The disk that a database's file lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// Room for this user, bytes.
    pub free: u64,
    /// All of it, bytes.
    pub whole: u64,
}

/// What a daemon says of itself from time to time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The daemon.
    pub owner: String,
    /// When it said it, by its own clock.
    pub at: Timestamp,
    /// What it said: JSON that `ops` writes and reads.
    pub body: String,
}
