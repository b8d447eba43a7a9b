//! `invited held replay`.

use std::collections::BTreeMap;

use clap::Args;

use super::filter::FilterArgs;
use super::release::copies;
use super::{ConfigArg, Desk, Failure, JsonArg, Output, Who, decisions, local_in};
use crate::app::load_templates;
use crate::domain::{CopyId, EventKind, Zone};
use crate::ops::held::{Change, REPLAY_BATCH, Replayed, replay};
use crate::read::Reader;
use crate::store::{DeskAct, DeskFiling, HeldFilter, Store, StoreError};

/// Copies that are looked for at one time; only their numbers are kept.
const PAGE: usize = 500;

/// Rows of one table: its columns are as wide as all of them need.
const TABLE: usize = 200;

/// Which copies to read again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  What the present templates would make of held copies; then to do it:
    invited held replay --shop myshop --since 30d
    invited held replay --shop myshop --since 30d --yes
  Two copies alone:
    invited held replay 4711 4712")]
pub(in crate::cli) struct Replay {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// The copies' ids; all held copies that the filters mean otherwise
    ids: Vec<CopyId>,
    #[command(flatten)]
    filter: FilterArgs,
    /// Only those held for a reason with this text in it
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Copies that were ignored too, unless a person discarded them
    #[arg(long, conflicts_with = "why")]
    include_ignored: bool,
    #[command(flatten)]
    who: Who,
    /// Do it; without this it is only said what would change
    #[arg(long)]
    yes: bool,
}

impl Replay {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let has_filters = !self.filter.is_empty() || self.why.is_some();
        if !self.ids.is_empty() && has_filters {
            return Err(Failure::Usage("give ids or filters, not both".to_owned()));
        }
        let desk = Desk::open(&self.config).await?;
        let reader = Reader::new(load_templates(desk.config.templates_dir.as_deref()).map_err(Failure::Config)?);
        let prover = desk.prover()?;
        let mut ids = self.ids;
        if ids.is_empty() {
            let filter = self.filter.filter(self.why.as_deref(), &desk).await?;
            ids = matching(&desk.store, &filter, self.include_ignored).await?;
        }
        // Oldest first, so that an order is placed before it is cancelled; each once.
        ids.sort_unstable();
        ids.dedup();
        let is_dry = !self.yes;
        let filing =
            DeskFiling { act: DeskAct::Replayed, actor: self.who.actor(), also_ignored: self.include_ignored, is_dry };
        let mut report = Report::new(self.json.json, is_dry);
        for batch in ids.chunks(REPLAY_BATCH) {
            let now = desk.clock.now();
            let replayed = replay(&desk.store, &desk.config, &reader, &prover, batch, &filing, now).await?;
            for id in batch.iter().filter(|id| !replayed.iter().any(|one| one.copy.id == **id)) {
                report.missing(*id)?;
            }
            for one in &replayed {
                report.tell(one, &desk.zone_of(&one.copy.shop))?;
            }
        }
        report.end(ids.len())
    }
}

/// The numbers of all copies that a filter means.
pub(super) async fn matching(
    store: &dyn Store,
    filter: &HeldFilter,
    also_ignored: bool,
) -> Result<Vec<CopyId>, StoreError> {
    let mut ids = Vec::new();
    let kinds = if also_ignored { &[false, true][..] } else { &[false] };
    for are_ignored in kinds {
        let mut before = None;
        loop {
            let page = match are_ignored {
                false => store.held_copies(filter, before, PAGE).await?,
                true => store.ignored_copies(filter, before, PAGE).await?,
            };
            ids.extend(page.iter().map(|copy| copy.id));
            before = page.last().map(|copy| copy.id);
            if page.len() < PAGE {
                break;
            }
        }
    }
    Ok(ids)
}

/// A change in a few words, which are the keys of the totals too.
fn change_word(one: &Replayed) -> String {
    let before = one.copy.state.as_str();
    match &one.change {
        Change::Stays(reading) if one.copy.reading.as_ref() == Some(reading) => "same".to_owned(),
        Change::Stays(_) => format!("{before}, other findings"),
        Change::Becomes(reading, _) => format!("{before} -> {}", reading.outcome.as_str()),
        Change::LeftAlone => format!("left alone ({before})"),
        Change::Purged => "no longer kept".to_owned(),
    }
}

/// What is said of a replay as it goes on.
struct Report {
    out: Output,
    is_json: bool,
    is_dry: bool,
    rows: Vec<Vec<String>>,
    totals: BTreeMap<String, usize>,
    missing: usize,
}

impl Report {
    fn new(is_json: bool, is_dry: bool) -> Self {
        let out = if is_dry { Output::paged() } else { Output::of_changes() };
        Self { out, is_json, is_dry, rows: Vec::new(), totals: BTreeMap::new(), missing: 0 }
    }

    fn missing(&mut self, id: CopyId) -> Result<(), Failure> {
        self.missing += 1;
        let change = "there is no such copy".to_owned();
        if self.is_json {
            let nothing = serde_json::Value::Null;
            return Ok(self.out.json(&serde_json::json!({
                "id": id, "shop": nothing, "before": nothing, "after": nothing, "change": change, "done": false,
                "event": nothing, "reference": nothing, "template": nothing, "reason": nothing, "rule": nothing,
            }))?);
        }
        self.row(vec![id.to_string(), String::new(), change])
    }

    fn tell(&mut self, one: &Replayed, zone: &Zone) -> Result<(), Failure> {
        let change = change_word(one);
        *self.totals.entry(change.clone()).or_insert(0) += 1;
        let (reading, moved) = match &one.change {
            Change::Stays(reading) => (Some(reading), &[][..]),
            Change::Becomes(reading, moved) => (Some(reading), moved.as_slice()),
            Change::LeftAlone | Change::Purged => (None, &[][..]),
        };
        let becomes = matches!(one.change, Change::Becomes(..));
        if self.is_json {
            let before = one.copy.state.as_str();
            let after = reading.filter(|_| becomes).map_or(before, |reading| reading.outcome.as_str());
            return Ok(self.out.json(&serde_json::json!({
                "id": one.copy.id,
                "shop": one.copy.shop,
                "before": before,
                "after": after,
                "change": change,
                "done": becomes && !self.is_dry,
                "event": reading.and_then(|one| one.event).map(EventKind::as_str),
                "reference": reading.and_then(|one| one.reference.as_ref()),
                "template": reading.and_then(|one| one.template.as_deref()),
                "reason": reading.and_then(|one| one.reason.as_deref()),
                "rule": moved.first().map(|(_, decision)| decision.rule.as_str()),
            }))?);
        }
        let reference = reading.and_then(|one| one.reference.as_ref()).map(ToString::to_string).unwrap_or_default();
        let what = match reading.and_then(|one| one.event) {
            Some(event) if !moved.is_empty() => format!("{event}; {}", decisions(moved, self.is_dry, &local_in(zone))),
            _ => reading.and_then(|one| one.reason.clone()).unwrap_or_default(),
        };
        self.row(vec![one.copy.id.to_string(), one.copy.shop.to_string(), change, reference, what])
    }

    fn row(&mut self, row: Vec<String>) -> Result<(), Failure> {
        self.rows.push(row);
        if self.rows.len() >= TABLE { self.print_rows() } else { Ok(()) }
    }

    fn print_rows(&mut self) -> Result<(), Failure> {
        let rows = std::mem::take(&mut self.rows);
        if !rows.is_empty() {
            self.out.table(&["COPY", "SHOP", "CHANGE", "ORDER", "WHAT"], rows)?;
        }
        Ok(())
    }

    fn end(mut self, all: usize) -> Result<(), Failure> {
        if self.is_json {
            let (totals, is_dry) = (&self.totals, self.is_dry);
            self.out.json(&serde_json::json!({ "copies": all, "totals": totals, "dry_run": is_dry }))?;
        } else {
            self.print_rows()?;
            let listed = self.totals.iter().map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>();
            let listed = if listed.is_empty() { String::new() } else { format!(": {}", listed.join(", ")) };
            self.out.line(format!("{}{listed}.", copies(all)))?;
            if self.is_dry && all > 0 {
                self.out.line("Nothing was changed. To do it: the same command with --yes")?;
            }
        }
        self.out.heard()?;
        match self.missing {
            0 => Ok(()),
            missing => Err(Failure::Undone(format!("{} not there", copies(missing)))),
        }
    }
}
