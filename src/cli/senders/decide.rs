//! `invited senders approve` and `invited senders block`.

use std::collections::BTreeMap;

use clap::Args;

use super::{ConfigArg, Desk, Failure, JsonArg, Output, Who, answer, can_ask, copies};
use crate::app::load_templates;
use crate::domain::trust::{comes_from_this_machine, parse_mark};
use crate::domain::{CopyId, SenderState, ShopId};
use crate::ops::held::{Change, REPLAY_BATCH, replay};
use crate::read::Reader;
use crate::store::{Actor, DeskAct, DeskFiling, Discarded, Sender, Store as _};

/// Copies that are looked for or discarded at one time.
const PAGE: usize = 500;

/// Said to somebody who approves of a sender behind a mail server of this machine.
const THIS_MACHINE: &str = "The mail server of this machine hands them in. If it takes in mail from elsewhere, whoever knows the address and \
    writes that domain into an envelope is believed, too: then name a proof in [shop.trust], see docs/trust.md";

/// Which senders are meant.
#[derive(Debug, Args)]
struct Which {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// The senders' ids, as the list has them
    #[arg(required_unless_present = "mark")]
    ids: Vec<i64>,
    /// A sender that may not have sent anything yet, as the list would have it: "nordljus.example 192.0.2.0/24"
    #[arg(long, value_name = "SENDER", requires = "shop", conflicts_with = "ids")]
    mark: Option<String>,
    /// The shop of that sender
    #[arg(long, value_name = "ID", requires = "mark")]
    shop: Option<String>,
    #[command(flatten)]
    who: Who,
}

/// Whom to believe.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  The shop's own mail server, whose number the list tells:
    invited senders approve 3 --reason \"our web server\"
  The same in a script, with what is held of it read again:
    invited senders approve 3 --replay
  One that will send from tomorrow on:
    invited senders approve --shop myshop --mark \"nordljus.example 192.0.2.0/24\"")]
pub(in crate::cli) struct Approve {
    #[command(flatten)]
    which: Which,
    /// Have the held copies of these senders read again, so that they tell of their orders
    #[arg(long)]
    replay: bool,
    /// Leave the held copies as they are
    #[arg(long, conflicts_with = "replay")]
    no_replay: bool,
}

/// Whom to ignore.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Somebody who knows the address and is not the shop:
    invited senders block 4 --reason \"forged orders\"
  The same, with all that is held of it:
    invited senders block 4 --discard --reason \"forged orders\"")]
pub(in crate::cli) struct Block {
    #[command(flatten)]
    which: Which,
    /// Discard the held copies of these senders, for good
    #[arg(long)]
    discard: bool,
}

impl Approve {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.which.config).await?;
        let reader = Reader::new(load_templates(desk.config.templates_dir.as_deref()).map_err(Failure::Config)?);
        let prover = desk.prover()?;
        let senders = self.which.senders(&desk).await?;
        let held = held_of(&desk, &senders).await?;
        let is_replayed = !held.is_empty() && self.is_replayed(held.len())?;
        let actor = self.which.who.clone().actor();
        let before = decide(&desk, &senders, SenderState::Approved, &actor).await?;
        let mut totals = BTreeMap::new();
        if is_replayed {
            let filing = DeskFiling { act: DeskAct::Replayed, actor, also_ignored: false, is_dry: false };
            for batch in held.chunks(REPLAY_BATCH) {
                let now = desk.clock.now();
                for one in replay(&desk.store, &desk.config, &reader, &prover, batch, &filing, now).await? {
                    let became = match &one.change {
                        Change::Becomes(reading, _) => reading.outcome.as_str(),
                        Change::Stays(_) => "held",
                        Change::LeftAlone => "left alone",
                        Change::Purged => "no longer kept",
                    };
                    *totals.entry(became).or_insert(0_usize) += 1;
                }
            }
        }
        let mut out = Output::of_changes();
        tell(&mut out, &self.which, &senders, &before, SenderState::Approved)?;
        if self.which.json.json {
            out.json(&serde_json::json!({ "held": held.len(), "replayed": is_replayed, "became": totals }))?;
        } else if is_replayed {
            let became = totals.iter().map(|(word, n)| format!("{n} {word}")).collect::<Vec<_>>().join(", ");
            out.line(format!("{} read again: {became}.", copies(held.len())))?;
        } else if !held.is_empty() {
            out.line(format!("{} of them stay held; to use them: invited held replay ID … --yes", copies(held.len())))?;
        }
        if !self.which.json.json && senders.iter().any(|(_, mark)| comes_from_this_machine(mark)) {
            out.line(THIS_MACHINE)?;
        }
        out.heard()
    }

    /// Whether what is held is read again; asked when neither flag says so.
    fn is_replayed(&self, held: usize) -> Result<bool, Failure> {
        if self.replay || self.no_replay {
            return Ok(self.replay);
        }
        let question = question(held);
        if !can_ask() {
            return Err(Failure::Undone(format!(
                "{question} Nobody can be asked here, and nothing was changed; add --replay or --no-replay"
            )));
        }
        Ok(answer(&format!("{question} [y/N]"))?
            .is_some_and(|said| matches!(said.to_ascii_lowercase().as_str(), "y" | "yes")))
    }
}

impl Block {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.which.config).await?;
        let senders = self.which.senders(&desk).await?;
        let held = held_of(&desk, &senders).await?;
        let actor = self.which.who.clone().actor();
        let before = decide(&desk, &senders, SenderState::Blocked, &actor).await?;
        let mut discarded = 0;
        if self.discard {
            for batch in held.chunks(PAGE) {
                let outcomes = desk.store.discard(batch.to_vec(), &actor, desk.clock.now()).await?;
                discarded += outcomes.into_iter().filter(|outcome| *outcome == Discarded::Done).count();
            }
        }
        let mut out = Output::of_changes();
        tell(&mut out, &self.which, &senders, &before, SenderState::Blocked)?;
        if self.which.json.json {
            out.json(&serde_json::json!({ "held": held.len(), "discarded": discarded }))?;
        } else if self.discard {
            out.line(format!("{} discarded.", copies(discarded)))?;
        } else if !held.is_empty() {
            out.line(format!(
                "{} of them stay held; to drop them: the same command with --discard",
                copies(held.len())
            ))?;
        }
        out.heard()
    }
}

impl Which {
    /// Those that are meant; all or nothing.
    async fn senders(&self, desk: &Desk) -> Result<Vec<(ShopId, String)>, Failure> {
        if let (Some(mark), Some(shop)) = (&self.mark, &self.shop) {
            let mistake =
                "--mark: write a domain and a network as the list has them, such as \"nordljus.example 192.0.2.0/24\"";
            let mark = parse_mark(mark).ok_or_else(|| Failure::Usage(mistake.to_owned()))?;
            return Ok(vec![(desk.shop(shop)?, mark)]);
        }
        let mut ids = self.ids.clone();
        ids.sort_unstable();
        ids.dedup();
        let senders = desk.store.senders_by_ids(ids.clone()).await?;
        if let Some(missing) = ids.iter().find(|id| !senders.iter().any(|one| one.id == **id)) {
            return Err(Failure::Undone(format!("there is no sender {missing}; nothing was changed")));
        }
        Ok(senders.into_iter().map(|Sender { shop, mark, .. }| (shop, mark)).collect())
    }
}

async fn decide(
    desk: &Desk,
    senders: &[(ShopId, String)],
    state: SenderState,
    actor: &Actor,
) -> Result<Vec<Option<SenderState>>, Failure> {
    Ok(desk.store.decide_senders(senders.to_vec(), state, actor, desk.clock.now()).await?)
}

/// What somebody is asked who approves of senders with so many held copies.
fn question(held: usize) -> String {
    let (are, they) = if held == 1 { ("is", "it tells of its order") } else { ("are", "they tell of their orders") };
    format!("{} of these senders {are} held. Read again, so that {they}?", copies(held))
}

/// The copies that are held for the sake of these senders, the oldest first, so that an order is placed before it is cancelled.
async fn held_of(desk: &Desk, senders: &[(ShopId, String)]) -> Result<Vec<CopyId>, Failure> {
    let mut held = Vec::new();
    for (shop, mark) in senders {
        let mut after = CopyId(0);
        loop {
            let page = desk.store.held_of_sender(shop, mark, after, PAGE).await?;
            held.extend(&page);
            match page.last() {
                Some(last) if page.len() == PAGE => after = *last,
                _ => break,
            }
        }
    }
    held.sort_unstable();
    Ok(held)
}

fn tell(
    out: &mut Output,
    which: &Which,
    senders: &[(ShopId, String)],
    before: &[Option<SenderState>],
    state: SenderState,
) -> Result<(), Failure> {
    for ((shop, mark), before) in senders.iter().zip(before) {
        if which.json.json {
            let before = before.map(SenderState::as_str);
            out.json(&serde_json::json!({ "shop": shop, "mark": mark, "state": state.as_str(), "before": before }))?;
        } else {
            let was = match before {
                Some(before) if *before == state => format!("; it was {} before", state.as_str()),
                _ => String::new(),
            };
            let then =
                if state == SenderState::Approved { "its copies are believed" } else { "its copies are ignored" };
            out.line(format!("{shop}: {mark} is {}: {then} from now on{was}", state.as_str()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_one_about_one_copy_and_about_several() {
        for (held, question_asked) in [
            (1, "1 copy of these senders is held. Read again, so that it tells of its order?"),
            (2, "2 copies of these senders are held. Read again, so that they tell of their orders?"),
        ] {
            assert_eq!(question(held), question_asked);
        }
    }
}
