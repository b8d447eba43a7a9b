//! The right to send letters: asking for it, having it, and what came of an attempt.

use crate::config::MailboxDomain;
use crate::domain::{Decision, Invitation, InvitationId, LetterId, LetterKind, ShopId, Timestamp};

/// The right to send one letter once. It ends when the attempt is settled, and with its owner's lease: whoever presents one that
/// is over is told so and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Claim {
    /// Which letter.
    pub letter: LetterId,
    /// Who may send it.
    pub owner: String,
    /// Which attempt it is: an owner's second claim on a letter is another one.
    pub attempt: u32,
}

/// A letter that is to be sent now.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedLetter {
    /// The right to send it.
    pub claim: Claim,
    /// First letter or reminder.
    pub kind: LetterKind,
    /// The Message-ID under which an earlier attempt went on the wire; the same must be used again.
    pub message_id: Option<String>,
    /// The invitation, in state `sending`.
    pub invitation: Invitation,
}

/// What a daemon asks for when it has room for letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimAsk {
    /// Who asks.
    pub owner: String,
    /// The relay that the letters will go to, `None` for shops that have none any more.
    pub relay: Option<RelayShare>,
    /// The shops whose letters are asked for.
    pub shops: Vec<ShopId>,
    /// How many at most.
    pub limit: usize,
}

/// A relay whose connections all daemons share. A daemon that is the only one is given up to as many letters again ahead, so that
/// the next one is at hand when a connection is free; while there are several, a letter in hand is a connection in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayShare {
    /// Its name in the configuration.
    pub name: String,
    /// Letters that may be under way to it at one time, over all daemons.
    pub connections: usize,
    /// Letters that may be claimed for it within an hour, over all daemons.
    pub rate: Option<u32>,
    /// Letters that may be under way at one time to the mailboxes of one domain, over all daemons.
    pub per_domain: Option<usize>,
    /// What holds for single domains.
    pub domains: Vec<MailboxDomain>,
    /// The other relays of the shops that are asked for. What one of them may have taken, though its answer was lost, is left to it.
    pub others: Vec<String>,
}

impl RelayShare {
    /// A relay of so many connections, and no other bounds.
    pub fn new(name: impl Into<String>, connections: usize) -> Self {
        Self { name: name.into(), connections, rate: None, per_domain: None, domains: Vec::new(), others: Vec::new() }
    }

    /// How many letters may be in hand for it.
    pub fn in_hand_at_most(&self, is_alone: bool) -> usize {
        if is_alone { self.connections.saturating_mul(2) } else { self.connections }
    }
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Claimed {
    /// The letters to be sent, the longest due first.
    pub letters: Vec<ClaimedLetter>,
    /// How many invitations were dealt with, letters and others (a wait given up, a letter too late). 0 means that there is
    /// nothing to be had now: nothing is due, the relay's connections are all in use, here or elsewhere, or a shop, the relay
    /// or the mailboxes' domains have had as many as they may for now.
    pub dealt_with: usize,
    /// When something that has had as many letters as it may for now may have the next.
    pub next: Option<Timestamp>,
}

/// How an attempt was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// The invitation.
    pub invitation: InvitationId,
    /// What became of it.
    pub decision: Decision,
}

/// What was cleared up after a daemon that died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recovered {
    /// Letters that go back in line: their final dot was never sent.
    pub requeued: usize,
    /// Letters of which nobody knows whether the relay took them.
    pub in_doubt: usize,
}
