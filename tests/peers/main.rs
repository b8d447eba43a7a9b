//! The door as programs that we did not write know it: each of them, as it is packaged, hands order mails in to the daemon by every way
//! that it can (SMTP, STARTTLS, TLS from the start, submission with a login, LMTP), and each mail must be stored as what it was and become
//! an invitation. What is missing is said on standard error, and is a failure when `INVITED_REQUIRE_PEERS` is set.
//!
//! More of Postfix stands elsewhere: with `always_bcc` and as the relay in `tests/it/peers.rs`, with pipe(8) and lmtp(8) in
//! `tests/attacks/ingest.rs`.
#![cfg(feature = "daemon")]
#![expect(clippy::unwrap_used, reason = "what a test does not expect is its failure")]

mod clients;
mod counter;
mod exim;
mod guest;
mod load;
mod opensmtpd;
mod postfix_tls;
mod python;

#[path = "../it/kit.rs"]
mod kit;
#[path = "../kit/postfix.rs"]
mod postfix;
#[path = "../it/program.rs"]
mod program;
#[path = "../kit/relay.rs"]
mod relay;
#[path = "../kit/said.rs"]
mod said;
