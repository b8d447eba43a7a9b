//! `invited review delete`.

use clap::Args;
use serde_json::json;

use super::{ConfigArg, Desk, Failure, JsonArg, Output, Who, count, found};
use crate::cli::confirm::confirm;
use crate::domain::ReviewId;
use crate::store::{ReviewsOf, Store};

/// Removes reviews with unlawful content: threats, hate, somebody's private data. The words and their history are gone for good; the
/// review stays as a row with its stars, the reason and who did it, and it is counted on the page that says how the shop's reviews are
/// collected. A review that is only bad is not to be removed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  A review that names somebody's home address:
    invited review delete 17 --reason \"names a person's address\"
  In a script:
    invited review delete 17 18 --reason \"court order 3 O 17/26\" --yes")]
pub(in crate::cli) struct Delete {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// Their ids
    #[arg(required = true, value_name = "ID")]
    ids: Vec<ReviewId>,
    /// Do it without asking
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    who: Who,
}

impl Delete {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let actor = self.who.actor();
        if actor.reason.is_none() {
            return Err(Failure::Usage("say why with --reason: it is kept beside what was removed".to_owned()));
        }
        let desk = Desk::open(&self.config).await?;
        for id in &self.ids {
            found(&desk, *id).await?;
        }
        let question = format!("Remove {} for good?", count(self.ids.len(), "review"));
        if !confirm(&question, self.yes)? {
            return Ok(());
        }
        let mut out = Output::of_changes();
        for id in &self.ids {
            let gone = desk.store.delete_reviews(&ReviewsOf::One(*id), Some(&actor), desk.clock.now()).await?;
            let is_done = !gone.is_empty();
            match (self.json.json, is_done) {
                (true, _) => out.json(&json!({ "review": id, "removed": is_done }))?,
                (false, true) => out.line(format!("Review {id} is removed."))?,
                (false, false) => out.line(format!("Review {id} was deleted already."))?,
            }
        }
        out.heard()
    }
}
