//! `invited queue reinvite`.

use clap::Args;

use super::change::{Change, Words};
use super::{Failure, Meant, point};
use crate::domain::Zone;
use crate::ops::desk::Wish;

/// Begins new invitations after some that have ended, such as cancelled ones, which is final. The old ones stay as they are, and the
/// new ones say which they follow. The shop's rules hold for the new letters as for any other. Nobody is invited again while the
/// invitation goes on, or about an order that the shop has cancelled.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  One that was cancelled by mistake:
    invited queue reinvite 4711 --reason \"cancelled the wrong one\"
  With its letter on another day:
    invited queue reinvite LN-2204 --at 2027-01-07
  Those whose letters came back in an outage:
    invited queue reinvite --state failed --since 2027-01-02 --until 2027-01-03 --dry-run")]
pub(in crate::cli) struct Reinvite {
    #[command(flatten)]
    change: Change,
    /// When the letter goes: a date (nine in the morning), a local time, an RFC 3339 time, or a span from now; at once otherwise
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

impl Reinvite {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Self { change, at } = self;
        let tail = at.as_ref().map(|at| format!(" with a letter at {at}")).unwrap_or_default();
        let words = Words { ask: "Begin a new invitation after each of", done: "followed by a new one", tail };
        let wish = |zone: &Zone, now| {
            let at = at.as_deref().map(|at| point("--at", at, Meant::Ahead, zone, now)).transpose()?;
            Ok(Wish::Reinvite(at.unwrap_or(now)))
        };
        change.carry_out(&words, wish).await
    }
}
