//! `invited queue cancel`.

use clap::Args;

use super::Failure;
use super::change::{Change, Words};
use crate::ops::desk::Wish;

/// Which invitations to stop.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  The customer asked by telephone not to be written to:
    invited queue cancel 4711 --reason \"asked by telephone\"
  Several at once, in somebody's name; by ids, by an order's reference:
    invited queue cancel 4711 4712 --reason \"test orders\" --actor maria
    invited queue cancel LN-2204
  Everything that one template read wrongly: first what it would come to, then do it:
    invited queue cancel --state queued --shop nord --template shopify --dry-run
    invited queue cancel --state queued --shop nord --template shopify --reason \"wrong names\"
  In a script, which nobody can ask:
    invited queue cancel --state waiting --older-than 60d --yes")]
pub(in crate::cli) struct Cancel {
    #[command(flatten)]
    change: Change,
}

impl Cancel {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let words = Words { ask: "Cancel", done: "cancelled", tail: String::new() };
        self.change.carry_out(&words, |_, _| Ok(Wish::Cancel)).await
    }
}
