//! `invited`: a self-hosted automatic feedback service. Start with `ARCHITECTURE.md`: it has the map of these rooms, which of
//! them may know which, and what must stay true.

pub mod domain;

pub mod document;

pub mod config;

pub mod read;

#[cfg(feature = "daemon")]
pub mod clock;
#[cfg(feature = "daemon")]
pub mod ops;
#[cfg(feature = "daemon")]
pub mod store;
