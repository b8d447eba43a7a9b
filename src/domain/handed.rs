//! How a mail was handed in, as far as our own door saw it. What it proves about its sender is for the shop's rules to say.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// By which door a mail came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// SMTP between servers (RFC 5321).
    #[default]
    Smtp,
    /// SMTP by a client that logs in (RFC 6409).
    Submission,
    /// LMTP from a mail server beside us (RFC 2033).
    Lmtp,
    /// Standard input of `invited ingest`.
    Pipe,
    /// A mailbox of past mails that a person imported.
    Import,
}

impl Way {
    /// Every way.
    pub const ALL: [Self; 5] = [Self::Smtp, Self::Submission, Self::Lmtp, Self::Pipe, Self::Import];

    /// The word for it in JSON and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Submission => "submission",
            Self::Lmtp => "lmtp",
            Self::Pipe => "pipe",
            Self::Import => "import",
        }
    }

    /// The way of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.as_str() == word)
    }
}

/// How a mail was handed in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Handed {
    /// By which door.
    pub way: Way,
    /// The client's address: of the shop's server, or of a proxy's client when the proxy says so. A mail server beside us (LMTP, a
    /// pipe) hides whoever gave the mail to it.
    pub client: Option<IpAddr>,
    /// The name that the client gave in EHLO, HELO or LHLO; empty for a pipe.
    pub hello: String,
    /// Whether the session was protected by TLS.
    pub tls: bool,
    /// The user who logged in (RFC 4954).
    pub user: Option<String>,
    /// The SHA-256 of the client's certificate, lower-case hexadecimal, when it proved to have the key.
    pub certificate: Option<String>,
}
