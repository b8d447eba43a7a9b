//! `invited`: a self-hosted automatic feedback service. Start with `ARCHITECTURE.md`: it has the map of these rooms, which of
//! them may know which, and what must stay true.

pub mod domain;

pub mod document;

pub mod config;
pub mod letter;
pub mod link;
pub mod page;
pub mod read;
pub mod table;
mod wording;

#[cfg(feature = "daemon")]
pub mod app;
#[cfg(feature = "daemon")]
pub mod cli;
#[cfg(feature = "daemon")]
pub mod clock;
#[cfg(feature = "daemon")]
mod crowd;
#[cfg(feature = "daemon")]
pub mod door;
#[cfg(feature = "daemon")]
pub mod http;
#[cfg(feature = "daemon")]
pub mod meter;
#[cfg(feature = "daemon")]
pub mod ops;
#[cfg(feature = "daemon")]
pub mod proof;
#[cfg(feature = "daemon")]
pub mod scheduler;
#[cfg(feature = "daemon")]
pub mod send;
#[cfg(feature = "daemon")]
pub mod store;
