//! What goes in and out of the store about persons: the suppression list, everything that is kept about one, and its end.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::{
    AddressKey, CopyId, EmailAddress, InvitationId, ListKey, ListKind, ListReason, ShopId, SuppressionEntry, Timestamp,
};

/// An entry that is to be put on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// The entry as it is to stand there, plain or hashed.
    pub entry: SuppressionEntry,
    /// The same as the other of both, plain or hashed: whoever stands there in either form is on the list. `None` where only the hash
    /// is known.
    pub twin: Option<ListKey>,
    /// Whose open invitations end with it; `None` for a domain, which acts when letters are claimed.
    pub person: Option<AddressKey>,
}

impl NewEntry {
    /// An entry on its way to the list. `hashes` says that no plain text is to stand there.
    pub fn new(entry: SuppressionEntry, list_key: &[u8; 32], hashes: bool) -> Self {
        let person = match entry.key.kind() {
            ListKind::Address => EmailAddress::parse(entry.key.subject()).ok().map(|address| address.key()),
            ListKind::Domain => None,
        };
        if entry.key.is_hashed() {
            return Self { entry, twin: None, person: None };
        }
        let hashed = entry.key.hashed(list_key);
        match hashes {
            true => Self { twin: Some(entry.key), entry: SuppressionEntry { key: hashed, ..entry }, person },
            false => Self { twin: Some(hashed), entry, person },
        }
    }
}

/// What came of an entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listed {
    /// Since when the same was on the list already, if it was; nothing was written then.
    pub since: Option<Timestamp>,
    /// The invitations that ended with it.
    pub stopped: Vec<InvitationId>,
}

/// Which entries of the list. Everything given must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListFilter {
    /// For this shop, or with `Some(None)` for all shops.
    pub shop: Option<Option<ShopId>>,
    /// Of this kind.
    pub kind: Option<ListKind>,
    /// For this reason.
    pub reason: Option<ListReason>,
    /// Put there at this instant or later.
    pub since: Timestamp,
}

impl Default for ListFilter {
    fn default() -> Self {
        Self { shop: None, kind: None, reason: None, since: Timestamp(i64::MIN) }
    }
}

/// An entry with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Which; numbers grow.
    pub id: i64,
    /// The entry.
    pub entry: SuppressionEntry,
}

/// A table in which a person may be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonTable {
    /// Copies, what was read from them and their envelopes.
    Copy,
    /// Invitations.
    Invitation,
    /// Letters and the relay's words about them.
    Letter,
    /// What came back to letters.
    Answer,
    /// Decisions and what people wrote beside them.
    Decision,
    /// The suppression list.
    Suppression,
    /// Alarms.
    Alarm,
    /// Pauses.
    Pause,
    /// Who hands in copies, and what people wrote beside them.
    Sender,
    /// What customers wrote.
    Review,
    /// What that was before it was changed.
    ReviewEdit,
    /// Who asked to be erased.
    ErasureRequest,
}

impl PersonTable {
    /// Every table that holds text which is not the program's own.
    pub const ALL: [Self; 12] = [
        Self::Copy,
        Self::Invitation,
        Self::Letter,
        Self::Answer,
        Self::Decision,
        Self::Suppression,
        Self::Alarm,
        Self::Pause,
        Self::Sender,
        Self::Review,
        Self::ReviewEdit,
        Self::ErasureRequest,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Copy => "copy",
            Self::Invitation => "invitation",
            Self::Letter => "letter",
            Self::Answer => "answer",
            Self::Decision => "decision",
            Self::Suppression => "suppression",
            Self::Alarm => "alarm",
            Self::Pause => "pause",
            Self::Sender => "sender",
            Self::Review => "review",
            Self::ReviewEdit => "review_edit",
            Self::ErasureRequest => "erasure_request",
        }
    }
}

/// A stretch of a table, looked through for texts that contain something.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stretch {
    /// The rows in which it stands, with their texts.
    pub found: Vec<(i64, String)>,
    /// Up to which number it was looked; go on from here.
    pub to: i64,
    /// The highest number there is.
    pub last: i64,
}

/// A row as it is kept: every column by its name. What is added to a table later is in it without anybody remembering to add it here.
pub type RawRow = Map<String, Value>;

/// Kept bytes that were looked through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bodies {
    /// The copies that were meant.
    pub found: Vec<CopyId>,
    /// Those whose bytes are damaged, so that nobody can say what they hold.
    pub damaged: Vec<CopyId>,
    /// Up to which number it was looked; `None` at the end.
    pub to: Option<CopyId>,
}

/// What is to be erased.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Erasure {
    /// Copies that name the person, beside those that are known to be theirs.
    pub copies: Vec<CopyId>,
    /// Rows of others in which the person is named in what somebody wrote: the words go, the rows stay.
    pub words: Vec<(PersonTable, Vec<i64>)>,
}

/// What was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Erased {
    /// Copies with their bytes.
    pub copies: u64,
    /// Invitations.
    pub invitations: u64,
    /// Their letters.
    pub letters: u64,
    /// The decisions on them.
    pub decisions: u64,
    /// Reviews with their history.
    pub reviews: u64,
    /// Words in rows of others.
    pub words: u64,
    /// Plain entries of the suppression list that are hashed now, or gone.
    pub entries: u64,
}

impl Erased {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            copies: self.copies + other.copies,
            invitations: self.invitations + other.invitations,
            letters: self.letters + other.letters,
            decisions: self.decisions + other.decisions,
            reviews: self.reviews + other.reviews,
            words: self.words + other.words,
            entries: self.entries + other.entries,
        }
    }

    /// Whether nothing was there.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}
