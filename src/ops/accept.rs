//! Taking a copy in: is the recipient ours, can we write, and is it durable.

use std::net::IpAddr;

use async_trait::async_trait;

use crate::domain::{CopyId, ShopId, Timestamp};

/// Where mail for an address goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// A shop's BCC address, by one of its secrets.
    Shop(ShopId),
    /// Nobody here: 550 5.1.1.
    Unknown,
}

/// A mail as it came in, for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCopy {
    /// The shop whose address it was sent to.
    pub shop: ShopId,
    /// The reverse-path, empty for `<>`.
    pub mail_from: String,
    /// The forward-path as given.
    pub rcpt_to: String,
    /// Who handed it in.
    pub client: Option<IpAddr>,
    /// The name the client gave in EHLO, HELO or LHLO.
    pub hello: String,
    /// Whether the session was protected by TLS.
    pub tls: bool,
    /// The message, header section and body, CRLF line ends, dots unstuffed.
    pub message: std::sync::Arc<[u8]>,
}

/// The store cannot take the copy now; the client must keep it and come back (4xx).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// No room on disk: 452 4.3.1.
    #[error("no space left")]
    Full,
    /// The database is locked, broken or gone: 451 4.3.0.
    #[error("the store cannot be written")]
    Unavailable,
}

/// The door's view of the house.
#[async_trait]
pub trait Intake: Send + Sync + 'static {
    /// Whose address this is. Constant time in the secret; no I/O.
    fn recipient(&self, address: &str) -> Recipient;

    /// Whether a copy could be taken in now; asked at MAIL, so that a client is not made to send what cannot be kept.
    async fn ready(&self) -> Result<(), NotNow>;

    /// Stores the copies of one message, all or none. `Ok` means that they are durable on disk.
    async fn accept(&self, copies: Vec<NewCopy>, now: Timestamp) -> Result<Vec<CopyId>, NotNow>;
}
