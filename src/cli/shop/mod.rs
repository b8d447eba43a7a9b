//! `invited shop`: what belongs to one shop.

mod address;

use clap::Subcommand;

use super::confirm::confirm;
use super::init::new_secret;
use super::output::local;
use super::{ConfigArg, Desk, Failure, JsonArg, Output};

/// Shows a shop's BCC addresses, and changes them.
#[derive(Debug, Subcommand)]
pub(super) enum Shop {
    /// Prints the BCC addresses; puts a new one in front, or takes the oldest away
    Address(address::Address),
}

impl Shop {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Address(address) => address.run().await,
        }
    }
}
