//! What a session asks of its shell, and what it is told.

use std::time::Duration;

use crate::domain::{LetterId, ShopId};

/// What is to be done before the session is fed again.
pub enum Effect {
    /// MAIL is right. Ask whether a copy could be kept; answer by [`super::Session::ready`].
    AskReady,
    /// RCPT is right. Ask whose address this is; answer by [`super::Session::recipient`].
    AskRecipient(String),
    /// DATA is right. Answer by [`super::Session::start_data`], or by [`super::Session::end`] with [`Goodbye::Hasty`] when octets of the client
    /// are waiting already, which it sent before it could know that they would be taken for a message.
    StartData,
    /// A message is complete. Make it durable; answer by [`super::Session::kept`].
    Accept(Incoming),
    /// Somebody wants to log in. Ask whether this is right; answer by [`super::Session::logged_in`].
    Authenticate {
        /// Who it is.
        user: String,
        /// The proof.
        password: Vec<u8>,
    },
    /// Send the replies, forget what else the client sent (RFC 3207 4.2), shake hands, call [`super::Session::secured`].
    StartTls,
    /// Wait this long before the replies are sent.
    Delay(Duration),
    /// Send the replies and close.
    Close,
}

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    /// The shop.
    pub shop: ShopId,
    /// The letter, when it was sent to that letter's return address.
    pub letter: Option<LetterId>,
    /// The forward-path that named it first.
    pub rcpt_to: String,
}

/// What came of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginAnswer {
    /// It is the user: 235 2.7.0.
    Right,
    /// There is no such user, or the password is another; the client is not told which: 535 5.7.8.
    Wrong,
    /// It was not looked at, since too many from the client's network were wrong: 454 4.7.0.
    TooManyGuesses,
    /// It cannot be said now: 454 4.7.0.
    NotNow,
}

/// A message with its envelope.
pub struct Incoming {
    /// The reverse-path, empty for `<>`.
    pub mail_from: String,
    /// Whom it is for, each once; at least one.
    pub recipients: Vec<Addressee>,
    /// The message with the trace header that [`super::Session::start_data`] was given; CRLF line ends, dots unstuffed.
    pub message: Vec<u8>,
}

/// Why the session ends before the client says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goodbye {
    /// The client sent more before it could know that it may: 554 5.5.0.
    Hasty,
    /// The client was silent or slow: 421 4.4.2.
    TimedOut,
    /// The service is stopping: 421 4.3.2.
    Stopping,
}
