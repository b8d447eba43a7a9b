//! `invited senders`: whose copies are believed by the shop's secret address alone.

mod decide;
mod list;

use clap::Subcommand;

use super::confirm::{answer, can_ask};
use super::output::{count, local};
use super::who::Who;
use super::{ConfigArg, Desk, Failure, JsonArg, Output, PageArgs};
use crate::store::Sender;

/// Says whose copies are believed where nothing but a shop's secret address proves them.
#[derive(Debug, Subcommand)]
pub(super) enum Senders {
    /// Lists who hands in the shops' copies, newest first
    List(list::List),
    /// Believes senders from now on, and has their held copies read again
    Approve(decide::Approve),
    /// Ignores senders' copies from now on
    Block(decide::Block),
}

impl Senders {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run().await,
            Self::Approve(approve) => approve.run().await,
            Self::Block(block) => block.run().await,
        }
    }
}

/// A sender as `--json` prints it; the names are a contract.
fn json(one: &Sender) -> serde_json::Value {
    serde_json::json!({
        "id": one.id,
        "shop": one.shop,
        "mark": one.mark,
        "state": one.state.as_str(),
        "copies": one.copies,
        "held": one.held,
        "first_at": one.first_at.to_string(),
        "last_at": one.last_at.to_string(),
        "decided": one.decided.as_ref().map(|(actor, at)| serde_json::json!({
            "actor": actor.name, "reason": actor.reason, "at": at.to_string(),
        })),
    })
}

/// `1 copy`, `7 copies`.
fn copies(number: usize) -> String {
    if number == 1 { count(1, "copy") } else { format!("{number} copies") }
}
