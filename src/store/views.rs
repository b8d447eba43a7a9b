//! What is looked at as it stands, and never changed through it: the letters that are due next, the letters that relays have in hand,
//! and what people stopped.

use crate::domain::{InvitationId, Outturn, Timestamp};

/// Letters that a relay has in hand at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InHand {
    /// The relay's name; empty where the shop has none any more.
    pub relay: String,
    /// Letters that are claimed and not on the wire.
    pub claimed: u64,
    /// Letters whose final dot is sent or about to be.
    pub on_the_wire: u64,
    /// When the oldest of them was claimed.
    pub oldest: Timestamp,
}

/// What a relay said to a letter that it will be asked to take once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deferred {
    /// Whose letter.
    pub invitation: InvitationId,
    /// When it said it.
    pub at: Timestamp,
    /// Its name and its words, or why it said nothing.
    pub reply: String,
}

/// How often a person stopped invitations by hand and gave the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// The person.
    pub actor: String,
    /// The reason given.
    pub reason: Option<String>,
    /// What has become of these invitations by now.
    pub outturn: Outturn,
    /// How many.
    pub invitations: u64,
}
