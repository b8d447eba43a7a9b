//! `invited queue send-now`.

use clap::Args;

use super::Failure;
use super::change::{Change, Words};
use crate::ops::desk::Wish;

/// Sends the next letter at once. It goes whatever the shop's send window and caps say, but never to somebody who is on the
/// suppression list, wants no more letters, or whose order was cancelled.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  The next letter goes out at once:
    invited queue send-now 4711
  One that failed, after the relay was put right:
    invited queue send-now 4711 --reason \"the relay works again\"
  All that failed since this morning:
    invited queue send-now --state failed --newer-than 12h --dry-run")]
pub(in crate::cli) struct SendNow {
    #[command(flatten)]
    change: Change,
}

impl SendNow {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let words = Words { ask: "Send the next letter of", done: "told to go at once", tail: String::new() };
        self.change.carry_out(&words, |_, _| Ok(Wish::SendNow)).await
    }
}
