//! What goes into the store and comes out of it about those who hand in a shop's copies.

use std::net::IpAddr;

use crate::domain::{SenderState, ShopId, Timestamp};

use super::Actor;

/// Which senders are meant. Everything given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SenderFilter {
    /// Of this shop.
    pub shop: Option<ShopId>,
    /// In this state.
    pub state: Option<SenderState>,
}

/// Who hands in a shop's copies, known by a mark of its servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Its number.
    pub id: i64,
    /// For which shop.
    pub shop: ShopId,
    /// By what it is known.
    pub mark: String,
    /// What was said about it.
    pub state: SenderState,
    /// When its first order mail came, or when a person spoke of it before one did.
    pub first_at: Timestamp,
    /// When its last one came.
    pub last_at: Timestamp,
    /// How many order mails came.
    pub copies: u64,
    /// Who decided upon it, and why.
    pub decided: Option<(Actor, Timestamp)>,
    /// How many of its copies are held now, for whatever reason.
    pub held: u64,
}

/// How copies were handed in before senders were looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastHand {
    /// The shop.
    pub shop: ShopId,
    /// The reverse-path.
    pub mail_from: String,
    /// The client.
    pub client: Option<IpAddr>,
}
