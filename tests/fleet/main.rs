//! Daemons on a PostgreSQL server, as processes: several on one database under load while one after the other is killed, what a
//! dead or a paused one leaves to others, a server that goes away, upgrades while it all goes on, and the commands of the desk.
//!
//! What takes a processor for itself is done one after the other. `INVITED_FLEET_SECONDS` sets how long the daemons are killed
//! (15 by default), `INVITED_CRASH_SEED` another course.
#![cfg(feature = "daemon")]
#![expect(clippy::unwrap_used, reason = "what a test does not expect is its failure")]

mod crew;
mod desk;
mod kills;
mod outages;
mod takeover;
mod upgrades;

#[path = "../it/kit.rs"]
mod kit;
#[path = "../kit/postgres.rs"]
mod postgres;
#[path = "../it/program.rs"]
mod program;
#[path = "../kit/relay.rs"]
mod relay;
#[path = "../kit/said.rs"]
mod said;
#[path = "../kit/systemd.rs"]
mod systemd;

/// Held by a test that needs the machine for itself.
static MACHINE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
