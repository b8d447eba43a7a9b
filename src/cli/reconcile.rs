//! `invited reconcile`: a shop's list of orders against the queue.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::import::{read_orders, shop_of};
use super::output::{count, local};
use super::progress::Progress;
use super::when::{Meant, point};
use super::{ConfigArg, Desk, Failure, JsonArg, Output};
use crate::domain::{Invitation, Timestamp, Zone};
use crate::ops::reconcile::{Fared, Match, look_up, span, without_order};
use crate::table::{Need, Orders};

/// Rows of one table.
const TABLE: usize = 500;

/// Which list to compare.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Which of last month's orders got no invitation, and why:
    invited reconcile orders.csv --only missing
  Invitations since a day whose orders are not on the list:
    invited reconcile orders.csv --shop myshop --since 2026-11-01 --only extra
  Everything, for a program:
    invited reconcile orders.csv --json")]
pub(super) struct Reconcile {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// The list: a file of orders with their numbers, and perhaps addresses and dates
    orders: PathBuf,
    /// The shop whose orders they are; needed where there are several
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
    /// Invitations without an order are looked for from then on, instead of in the days of the list: a date, a time, or a span
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Show only these (may be repeated)
    #[arg(long, value_enum, value_name = "WHICH")]
    only: Vec<Only>,
}

/// What may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Only {
    /// Orders without an invitation
    Missing,
    /// Orders whose invitation ended without a letter, or waits for a person
    Stopped,
    /// Orders that are or will be asked about
    Invited,
    /// Invitations without an order on the list
    Extra,
    /// Orders with several invitations, and lines about an order that stands further up
    Double,
}

impl Reconcile {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let found = read_orders(&self.orders, Need::Reconcile)?;
        let desk = Desk::open(&self.config).await?;
        let shop = shop_of(&desk.config, self.shop.as_deref())?;
        let now = desk.clock.now();
        let since = self.since.as_deref();
        let since = since.map(|text| point("--since", text, Meant::Since, &shop.zone, now)).transpose()?;
        let searched = match since {
            Some(since) => Some((since, Timestamp(i64::MAX))),
            None => span(shop, &found.orders),
        };
        let policies = desk.policies()?;
        let mut progress = Progress::new("orders looked up", found.orders.len() as u64);
        let matches = look_up(&desk.store, shop, &found.orders, &policies, |done| progress.at(done as u64)).await?;
        drop(progress);
        let extra = match searched {
            Some(span) => without_order(&desk.store, shop, &found.orders, span).await?,
            None => Vec::new(),
        };
        let missing = matches.iter().filter(|one| !one.fared.has_invitation()).count();
        let told = Told { found: &found, matches: &matches, extra: &extra, searched };
        if self.json.json {
            self.print_json(&told)?;
        } else {
            self.print(&told, &shop.zone)?;
        }
        if missing > 0 || !found.faults.is_empty() {
            let faults = match found.faults.len() {
                0 => String::new(),
                faults => format!("; {} of the list cannot be used", count(faults, "line")),
            };
            return Err(Failure::Undone(format!(
                "{missing} of {} no invitation{faults}",
                count(found.orders.len(), "order") + if missing == 1 { " has" } else { " have" }
            )));
        }
        Ok(())
    }

    fn shows(&self, only: Only) -> bool {
        self.only.is_empty() || self.only.contains(&only)
    }

    /// Whether an order is shown. Without a choice those that fared as they should are not.
    fn is_shown(&self, one: &Match) -> bool {
        let which = match one.fared {
            Fared::Invited => Only::Invited,
            Fared::Stuck | Fared::Ended => Only::Stopped,
            _ => Only::Missing,
        };
        let is_double = one.invitations > 1 && self.shows(Only::Double);
        is_double || if which == Only::Invited { self.only.contains(&which) } else { self.shows(which) }
    }

    fn print_json(&self, told: &Told<'_>) -> Result<(), Failure> {
        let mut out = Output::new();
        out.json(&told.sums())?;
        for fault in &told.found.faults {
            out.json(&serde_json::json!({
                "line": fault.line, "column": fault.column, "outcome": "bad", "why": fault.what, "remedy": fault.remedy,
            }))?;
        }
        for (order, one) in told.found.orders.iter().zip(told.matches) {
            if self.only.is_empty() || self.is_shown(one) {
                out.json(&serde_json::json!({
                    "line": order.line,
                    "reference": order.reference.as_str(),
                    "outcome": one.fared.as_str(),
                    "id": one.invitation,
                    "state": one.state.map(|state| state.as_str()),
                    "invitations": one.invitations,
                    "why": one.why,
                }))?;
            }
        }
        if self.shows(Only::Double) {
            for repeat in &told.found.repeats {
                out.json(&serde_json::json!({ "line": repeat.line, "outcome": "repeated", "first": repeat.first }))?;
            }
        }
        if self.shows(Only::Extra) {
            for one in told.extra {
                out.json(&serde_json::json!({
                    "outcome": "extra",
                    "id": one.id,
                    "reference": one.reference.as_str(),
                    "state": one.progress.state.as_str(),
                    "created_at": one.created_at.to_string(),
                }))?;
            }
        }
        Ok(())
    }

    fn print(&self, told: &Told<'_>, zone: &Zone) -> Result<(), Failure> {
        let mut out = Output::paged();
        out.table(&["ORDERS", "HOW THEY FARED"], told.table())?;
        for note in &told.found.notes {
            out.line(note)?;
        }
        match told.searched {
            None => out.line(
                "No dates are known of the list, so invitations without an order were not looked for; give --since.",
            )?,
            Some((since, until)) => {
                let until = if until.0 == i64::MAX { String::new() } else { format!(" to {}", local(until, zone)) };
                out.line(format!(
                    "{} from {}{until} {} no order on the list.",
                    count(told.extra.len(), "invitation"),
                    local(since, zone),
                    if told.extra.len() == 1 { "has" } else { "have" }
                ))?;
            }
        }
        for fault in &told.found.faults {
            out.line(format!("{}: {fault}", self.orders.display()))?;
        }
        let rows = told.found.orders.iter().zip(told.matches).filter(|(_, one)| self.is_shown(one));
        let rows = rows.map(|(order, one)| {
            let double = match one.invitations {
                0 | 1 => String::new(),
                several => format!("{several} invitations under several addresses; "),
            };
            vec![
                order.line.to_string(),
                order.reference.to_string(),
                one.invitation.map(|id| id.to_string()).unwrap_or_default(),
                one.state.map(|state| state.to_string()).unwrap_or_default(),
                format!("{double}{}", one.why.as_deref().unwrap_or(one.fared.in_words())),
            ]
        });
        let rows = rows.collect::<Vec<_>>();
        for rows in rows.chunks(TABLE) {
            out.line("")?;
            out.table(&["LINE", "ORDER", "INVITATION", "STATE", "WHY"], rows.to_vec())?;
        }
        if self.shows(Only::Extra) && !told.extra.is_empty() {
            let rows = told.extra.iter().map(|one| {
                let (state, began) = (one.progress.state.to_string(), local(one.created_at, zone));
                vec![one.id.to_string(), one.reference.to_string(), state, began]
            });
            for rows in rows.collect::<Vec<_>>().chunks(TABLE) {
                out.line("")?;
                out.table(&["NOT ON THE LIST", "ORDER", "STATE", "BEGAN"], rows.to_vec())?;
            }
        }
        if self.only.contains(&Only::Double) {
            for repeat in &told.found.repeats {
                out.line(format!("line {}: the order stands in line {} already", repeat.line, repeat.first))?;
            }
        }
        Ok(())
    }
}

/// What came of the comparison.
struct Told<'t> {
    found: &'t Orders,
    matches: &'t [Match],
    extra: &'t [Invitation],
    searched: Option<(Timestamp, Timestamp)>,
}

impl Told<'_> {
    fn counts(&self) -> BTreeMap<Fared, usize> {
        let mut counts = BTreeMap::new();
        for one in self.matches {
            *counts.entry(one.fared).or_default() += 1;
        }
        counts
    }

    fn doubles(&self) -> usize {
        self.matches.iter().filter(|one| one.invitations > 1).count()
    }

    fn sums(&self) -> serde_json::Value {
        let counts = self.counts();
        let mut sums = serde_json::Map::new();
        sums.insert("orders".to_owned(), self.found.orders.len().into());
        for fared in Fared::ALL {
            sums.insert(fared.as_str().to_owned(), counts.get(&fared).copied().unwrap_or_default().into());
        }
        sums.insert("double".to_owned(), self.doubles().into());
        sums.insert("repeated".to_owned(), self.found.repeats.len().into());
        sums.insert("bad".to_owned(), self.found.faults.len().into());
        sums.insert("extra".to_owned(), self.searched.map(|_| self.extra.len()).into());
        serde_json::Value::Object(sums)
    }

    fn table(&self) -> Vec<Vec<String>> {
        let counts = self.counts();
        let rows = Fared::ALL
            .into_iter()
            .filter_map(|fared| Some(vec![counts.get(&fared)?.to_string(), fared.in_words().to_owned()]));
        let doubles = Some(self.doubles()).filter(|doubles| *doubles > 0);
        let doubles =
            doubles.map(|doubles| vec![doubles.to_string(), "among them with several invitations".to_owned()]);
        let repeats = Some(self.found.repeats.len()).filter(|repeats| *repeats > 0);
        let repeats =
            repeats.map(|repeats| vec![repeats.to_string(), "lines about an order that stands further up".to_owned()]);
        rows.chain(doubles).chain(repeats).collect()
    }
}
