//! What goes into the store and comes out of it where people change invitations.

use crate::domain::{Decision, DeskOrder, Invitation, InvitationId, Rule, State, Timestamp};

/// How somebody saw an invitation before deciding what is to become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Which.
    pub id: InvitationId,
    /// Where it stood.
    pub state: State,
    /// When something was due.
    pub due_at: Option<Timestamp>,
    /// When it had last moved.
    pub updated_at: Timestamp,
}

impl From<&Invitation> for Seen {
    fn from(one: &Invitation) -> Self {
        Self { id: one.id, state: one.progress.state, due_at: one.progress.due_at, updated_at: one.updated_at }
    }
}

/// A person's order about an invitation as they saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeskAsk {
    /// The invitation.
    pub seen: Seen,
    /// What is to be done with it.
    pub order: DeskOrder,
}

/// What came of an order.
#[derive(Debug, Clone, PartialEq)]
pub enum DeskOutcome {
    /// It was decided, by a rule that may be a refusal.
    Decided(Decision),
    /// The invitation is not as it was seen, and was left alone.
    Changed,
    /// There is no such invitation.
    Missing,
}

/// What came of the wish for a new invitation after one that has ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Reinvited {
    /// It began.
    Opened {
        /// Its number.
        id: InvitationId,
        /// How.
        decision: Decision,
    },
    /// A rule stands against it.
    Refused(Rule),
    /// It was followed by this one already, which is the one to ask about.
    Followed(InvitationId),
    /// There is no such invitation.
    Missing,
}
