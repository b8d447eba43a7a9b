//! What goes into the store and comes out of it where people deal with held copies, and where a shop is watched.

use crate::domain::{AddressKey, AlarmKind, Complaints, CopyId, Hour, ShopId, Timestamp};

use super::{Actor, CopyState};

/// Which held copies are meant. Everything given must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldFilter {
    /// Of this shop.
    pub shop: Option<ShopId>,
    /// Read by this template.
    pub template: Option<String>,
    /// Taken in at this instant or later.
    pub since: Timestamp,
    /// Taken in before this instant.
    pub until: Timestamp,
    /// Whose reason has this text in it, by its kind ([`crate::domain::kind_of_reason`]) and without regard to case.
    pub reason: Option<String>,
    /// About this order, as [`crate::domain::OrderReference::key`] makes it.
    pub reference: Option<String>,
    /// Of this customer.
    pub email: Option<AddressKey>,
}

impl Default for HeldFilter {
    fn default() -> Self {
        Self {
            shop: None,
            template: None,
            since: Timestamp(i64::MIN),
            until: Timestamp(i64::MAX),
            reason: None,
            reference: None,
            email: None,
        }
    }
}

/// How many copies of a shop are held for one kind of reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldCount {
    /// The shop.
    pub shop: ShopId,
    /// The kind of reason; `None` for copies that an older program held.
    pub reason: Option<String>,
    /// How many.
    pub copies: u64,
    /// The newest of them.
    pub newest: CopyId,
}

/// What a person did with a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeskAct {
    /// Completed it, so that it told of its order.
    Released,
    /// Said that nothing is to come of it.
    Discarded,
    /// Had it read again with other templates.
    Replayed,
}

impl DeskAct {
    /// Every act.
    pub const ALL: [Self; 3] = [Self::Released, Self::Discarded, Self::Replayed];

    /// The word for it in JSON and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Discarded => "discarded",
            Self::Replayed => "replayed",
        }
    }

    /// The act of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.as_str() == word)
    }
}

/// That a person did something with a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskMark {
    /// What.
    pub act: DeskAct,
    /// Who, and why.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
}

/// How a person has copies filed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeskFiling {
    /// What is done: released or replayed.
    pub act: DeskAct,
    /// By whom, and why.
    pub actor: Actor,
    /// Whether copies that were ignored are filed too, unless a person discarded them. Those that told of an order never are.
    pub also_ignored: bool,
    /// Only say what would come of it.
    pub is_dry: bool,
}

/// What came of discarding a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discarded {
    /// It is discarded now.
    Done,
    /// It is not held, but stands so.
    StandsAs(CopyState),
    /// There is no such copy.
    Missing,
}

/// How many copies of a shop stand in each state, and when its last one came in. Copies that are not read yet do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopSum {
    /// The shop.
    pub shop: ShopId,
    /// Copies that told of an order.
    pub event: u64,
    /// Copies that are no order mails.
    pub ignored: u64,
    /// Copies that a person should look at.
    pub held: u64,
    /// Copies that a person discarded.
    pub discarded: u64,
    /// When the last one of those that were read came in.
    pub last_copy_at: Timestamp,
}

/// Something that is not as usual with a shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// The shop.
    pub shop: ShopId,
    /// What.
    pub kind: AlarmKind,
    /// Since when.
    pub since: Timestamp,
    /// In words, with the numbers that were seen then.
    pub note: String,
}

/// The state of all shops at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WatchFigures {
    /// Of every shop of which a copy was ever read.
    pub sums: Vec<ShopSum>,
    /// Copies that nobody has read yet.
    pub unread: Vec<(ShopId, u64)>,
    /// What is not as usual.
    pub alarms: Vec<Alarm>,
}

/// What customers said of a shop's letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopComplaints {
    /// The shop.
    pub shop: ShopId,
    /// How many complained, and of how many letters.
    pub seen: Complaints,
}

/// A shop's copies by the hour.
pub type ShopHours = Vec<(ShopId, Hour)>;
