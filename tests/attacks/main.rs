//! The door under attack, as a process on a socket: what `docs/security.md` promises, and the programs of others beside it. What is
//! not there to run beside is said on standard error, and is a failure when `INVITED_REQUIRE_PEERS` is set.
#![cfg(feature = "daemon")]
#![expect(clippy::unwrap_used, reason = "what a test does not expect is its failure")]

mod client;
mod daemon;
mod end_of_data;
mod ingest;
mod logins;
mod page;
mod queries;

#[path = "../it/kit.rs"]
mod kit;
#[path = "../kit/postfix.rs"]
mod postfix;
#[path = "../kit/postgres.rs"]
mod postgres;
#[path = "../it/program.rs"]
mod program;
#[path = "../kit/relay.rs"]
mod relay;
#[path = "../kit/said.rs"]
mod said;
