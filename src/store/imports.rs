//! What goes into the store and comes out of it where people bring orders: invitations by hand, past mails, and lists of orders that are
//! compared with what is here.

use super::{CopyState, DecisionRecord, NewCopy, StoredCopy};
use crate::domain::{
    Customer, Ground, Invitation, InvitationId, OrderDetails, OrderReference, ShopId, State, Suppressed, Timestamp,
};

/// An order about which a person wants a customer to be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Who asks.
    pub shop: ShopId,
    /// About which order.
    pub reference: OrderReference,
    /// Whom.
    pub customer: Customer,
    /// What else is known of the order.
    pub order: OrderDetails,
    /// When the letter is due.
    pub due: Timestamp,
}

/// What the shop's rules say to a letter that is still to come, as things stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Foreseen {
    /// It goes at this time, by this rule later than it is due.
    At(Timestamp, Option<Ground>),
    /// It never goes.
    Never(Ground),
}

/// What comes of the wish for an invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Invited {
    /// One begins.
    Begins {
        /// Its number; `None` as long as it was only asked.
        id: Option<InvitationId>,
        /// When its letter goes.
        foreseen: Foreseen,
    },
    /// The order has one already, which is left alone.
    There {
        /// Its number: the customer's own where there are several, of these the last.
        id: InvitationId,
        /// Where it stands.
        state: State,
        /// When something is due.
        due_at: Option<Timestamp>,
        /// Whether it is for the same address.
        is_same_address: bool,
    },
    /// The shop's rules let no letter go, so nothing is kept of it.
    Refused(Ground),
}

/// An order of a list, to be looked up.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The order.
    pub reference: OrderReference,
    /// Its customer, where the list says.
    pub email: Option<crate::domain::EmailAddress>,
}

/// What is known of an order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fate {
    /// Its invitations, whatever their address, oldest first.
    pub invitations: Vec<Invitation>,
    /// Of those that have ended: the decisions that ended them.
    pub ended_by: Vec<DecisionRecord>,
    /// Where it has no invitation: the copies from which its reference was read, by their state.
    pub copies: Vec<CopiesOf>,
    /// That its customer is on the suppression list.
    pub suppressed: Option<Suppressed>,
}

/// Copies about one order that stand in one state.
#[derive(Debug, Clone, PartialEq)]
pub struct CopiesOf {
    /// The state.
    pub state: CopyState,
    /// How many.
    pub copies: u64,
    /// The newest.
    pub newest: StoredCopy,
}

/// A past mail that is taken in after the fact, and what shows that it was taken in before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastCopy {
    /// The mail, as if it had come in at its time.
    pub copy: NewCopy,
    /// Hashes, of its bytes and of its Message-ID: with any of them it is the same mail.
    pub marks: Vec<String>,
}
