//! `invited held discard`.

use clap::Args;

use super::filter::FilterArgs;
use super::release::copies;
use super::replay::matching;
use super::{ConfigArg, Desk, Failure, JsonArg, Output, Who, local_in};
use crate::domain::CopyId;
use crate::ops::held::standing;
use crate::store::{CopyState, Discarded, Store};

/// Copies that are discarded in one transaction.
const BATCH: usize = 500;

/// Which copies to discard.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  One that is no order:
    invited held discard 4711 --reason \"a test order\"
  How many a filter means, and then all of them:
    invited held discard --all --shop myshop --why \"no customer\" --dry-run
    invited held discard --all --shop myshop --why \"no customer\" --reason \"mails to the warehouse\"")]
pub(in crate::cli) struct Discard {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// The copies' ids
    #[arg(required_unless_present = "all")]
    ids: Vec<CopyId>,
    /// All that the filters mean; without a filter, all held copies
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    #[command(flatten)]
    filter: FilterArgs,
    /// Only those held for a reason with this text in it
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    #[command(flatten)]
    who: Who,
    /// Only say what would be discarded
    #[arg(long)]
    dry_run: bool,
}

impl Discard {
    /// Goes on after a copy that cannot be discarded, and fails at the end.
    pub(super) async fn run(self) -> Result<(), Failure> {
        let has_filters = !self.filter.is_empty() || self.why.is_some();
        if !self.all && has_filters {
            return Err(Failure::Usage("filters need --all; with ids there is nothing to filter".to_owned()));
        }
        let desk = Desk::open(&self.config).await?;
        let mut ids = self.ids;
        if self.all {
            let filter = self.filter.filter(self.why.as_deref(), &desk).await?;
            ids = matching(&desk.store, &filter, false).await?;
        }
        let (actor, is_dry) = (self.who.actor(), self.dry_run);
        let mut out = Output::of_changes();
        let (mut done, mut refused) = (0, 0);
        for batch in ids.chunks(BATCH) {
            let outcomes = if is_dry {
                looked_at(&desk, batch).await?
            } else {
                desk.store.discard(batch.to_vec(), &actor, desk.clock.now()).await?
            };
            for (id, outcome) in batch.iter().zip(outcomes) {
                let why = match outcome {
                    Discarded::Done => None,
                    Discarded::Missing => Some("there is no such copy".to_owned()),
                    Discarded::StandsAs(_) => Some(why_not(&desk, *id).await?),
                };
                done += usize::from(why.is_none());
                refused += usize::from(why.is_some());
                if self.json.json {
                    out.json(&serde_json::json!({ "id": id, "done": why.is_none() && !is_dry, "why": why }))?;
                } else if let Some(why) = why {
                    out.line(format!("{id}: {why}"))?;
                }
            }
        }
        if !self.json.json {
            out.line(format!("{} {}", copies(done), if is_dry { "would be discarded" } else { "discarded" }))?;
        }
        out.heard()?;
        match refused {
            0 => Ok(()),
            _ => Err(Failure::Undone(format!("{} not discarded", copies(refused)))),
        }
    }
}

/// What discarding would come to.
async fn looked_at(desk: &Desk, ids: &[CopyId]) -> Result<Vec<Discarded>, Failure> {
    let mut outcomes = Vec::with_capacity(ids.len());
    for id in ids {
        outcomes.push(match desk.store.copy(*id).await? {
            None => Discarded::Missing,
            Some((copy, _)) if copy.state == CopyState::Held => Discarded::Done,
            Some((copy, _)) => Discarded::StandsAs(copy.state),
        });
    }
    Ok(outcomes)
}

async fn why_not(desk: &Desk, id: CopyId) -> Result<String, Failure> {
    let copy = desk.store.copy(id).await?;
    Ok(copy.map_or_else(
        || "there is no such copy".to_owned(),
        |(copy, _)| format!("it is not held: {}", standing(&copy, &local_in(&desk.zone_of(&copy.shop)))),
    ))
}
