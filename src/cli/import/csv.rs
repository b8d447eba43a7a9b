//! `invited import csv`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{due, read_orders, shop_of};
use crate::cli::confirm::confirm;
use crate::cli::output::{count, local};
use crate::cli::progress::Progress;
use crate::cli::who::Who;
use crate::cli::{ConfigArg, Desk, Failure, JsonArg, Output};
use crate::domain::{Timestamp, Zone};
use crate::ops::import::{because, foresee, invite, there, wanted};
use crate::store::{Foreseen, Invited, Wanted};
use crate::table::{Fault, Need, OrderLine, Orders};

/// Bad lines that are shown one by one.
const SHOWN: usize = 50;

/// Rows of one table: its columns are as wide as all of them need.
const TABLE: usize = 500;

/// Which file to import, and how.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  What would happen to each line; nothing is changed:
    invited import csv orders.csv --dry-run
  Letters in three days, in the shop's send window and under its caps:
    invited import csv orders.csv --shop myshop --delay \"3 days\"
  The good lines of a file that has bad ones, without a question:
    invited import csv orders.csv --skip-bad --yes --reason \"spring sale\"
  What happened, for a program:
    invited import csv orders.csv --yes --json")]
pub(in crate::cli) struct Csv {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// The file: a heading that names the columns of address, name and order, or these three without one
    file: PathBuf,
    /// The shop that invites; needed where there are several
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
    /// Say what would happen to each line, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Leave out lines that cannot be used, instead of importing nothing
    #[arg(long)]
    skip_bad: bool,
    /// Letters are due after this span from now (`3 days`); at once otherwise
    #[arg(long, value_name = "SPAN", conflicts_with = "at")]
    delay: Option<String>,
    /// Letters are due then: a date (nine in the morning), a local time, an RFC 3339 time; at most 90 days ahead
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    #[command(flatten)]
    who: Who,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// What comes of a line as `--json` prints it; the names are a contract.
#[derive(Serialize)]
struct Told<'t> {
    line: u64,
    reference: &'t str,
    outcome: &'static str,
    id: Option<crate::domain::InvitationId>,
    goes_at: Option<String>,
    rule: Option<&'static str>,
    why: Option<String>,
}

/// What becomes of one order of the file.
#[derive(Clone)]
enum Fate {
    /// The file itself says that the order is cancelled.
    Cancelled,
    Asked(Invited),
}

impl Csv {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let found = read_orders(&self.file, Need::Invite)?;
        let desk = Desk::open(&self.config).await?;
        let shop = shop_of(&desk.config, self.shop.as_deref())?;
        let now = desk.clock.now();
        let due = due(&shop.zone, self.delay.as_deref(), self.at.as_deref(), now)?;
        self.say_what_was_read(&found)?;
        if !self.skip_bad && !self.dry_run {
            unusable(&found, "was imported")?;
        }
        let (asked, places) = asked(&shop.id, &found.orders, due);
        let policies = desk.policies()?;
        let mut progress = Progress::new("orders looked at", asked.len() as u64);
        let foreseen = foresee(&desk.store, &asked, &policies, now, |done| progress.at(done as u64)).await?;
        drop(progress);
        let fates = fates(&found.orders, &places, foreseen);
        if self.dry_run {
            self.show((&desk, &shop.zone), &found, &fates, true)?;
            return if self.skip_bad { Ok(()) } else { unusable(&found, "would be imported") };
        }
        let begin = fates.iter().filter(|fate| matches!(fate, Fate::Asked(Invited::Begins { .. }))).count();
        if begin == 0 {
            return self.show((&desk, &shop.zone), &found, &fates, false);
        }
        let left = found.orders.len() - begin;
        let others = if left > 0 { format!(", and leave {} alone", count(left, "order")) } else { String::new() };
        let when = if due > now { format!("at {}", local(due, &shop.zone)) } else { "at once".to_owned() };
        let question = format!("Invite {} of {} with letters due {when}{others}?", count(begin, "customer"), shop.id);
        if !confirm(&question, self.yes)? {
            return Err(Failure::Undone("nothing was imported".to_owned()));
        }
        let actor = self.who.clone().actor_for(&self.file);
        let mut progress = Progress::new("orders done", asked.len() as u64);
        let done = |done| progress.at(done as u64);
        let outcomes = invite(&desk.store, &asked, &actor, &policies, || desk.clock.now(), done).await?;
        drop(progress);
        let fates = self::fates(&found.orders, &places, outcomes);
        self.show((&desk, &shop.zone), &found, &fates, false)
    }

    /// How the file was understood, and which of its lines cannot be used.
    fn say_what_was_read(&self, found: &Orders) -> Result<(), Failure> {
        let mut out = Output::new();
        let name = self.file.display();
        if self.json.json {
            for fault in &found.faults {
                out.json(&bad(fault))?;
            }
            return Ok(());
        }
        let columns = match found.used.as_slice() {
            [] => "no heading, so email, name, reference".to_owned(),
            used => used.iter().map(|(name, means)| format!("{name:?} is {means}")).collect::<Vec<_>>().join(", "),
        };
        out.line(format!("{name}: {}, separated by {}; {columns}", found.encoding, found.separator))?;
        if !found.unused.is_empty() {
            out.line(format!("{name}: not used: {}", found.unused.join(", ")))?;
        }
        for note in &found.notes {
            out.line(format!("{name}: {note}"))?;
        }
        for fault in found.faults.iter().take(SHOWN) {
            out.line(format!("{name}: {fault}"))?;
        }
        if found.faults.len() > SHOWN {
            out.line(format!("{name}: and {} more; --json shows all", count(found.faults.len() - SHOWN, "bad line")))?;
        }
        Ok(())
    }

    /// What happened, or what would. A table of all lines is for those who only ask.
    fn show(&self, (desk, zone): (&Desk, &Zone), found: &Orders, fates: &[Fate], is_dry: bool) -> Result<(), Failure> {
        let mut out = if is_dry && !self.json.json { Output::paged() } else { Output::new() };
        let mut sums: BTreeMap<&'static str, usize> = BTreeMap::new();
        for fate in fates {
            *sums.entry(fate.outcome()).or_default() += 1;
        }
        if self.json.json {
            for (order, fate) in found.orders.iter().zip(fates) {
                out.json(&fate.told(order))?;
            }
            let of = |outcome| sums.get(outcome).copied().unwrap_or_default();
            return Ok(out.json(&serde_json::json!({
                "dry_run": is_dry,
                "invited": of("invited"),
                "there": of("there"),
                "refused": of("refused"),
                "cancelled": of("cancelled"),
                "repeated": found.repeats.len(),
                "bad": found.faults.len(),
            }))?);
        }
        if is_dry {
            let heading = ["LINE", "ORDER", "ADDRESS", "WHAT WOULD HAPPEN"];
            let rows = found.orders.iter().zip(fates).map(|(order, fate)| {
                let email = order.email.as_ref().map(ToString::to_string).unwrap_or_default();
                vec![order.line.to_string(), order.reference.to_string(), email, fate.sentence(zone)]
            });
            let rows = rows.collect::<Vec<_>>();
            for rows in rows.chunks(TABLE) {
                out.table(&heading, rows.to_vec())?;
            }
        }
        let (verb, more) = if is_dry { ("would be ", "") } else { ("", "; see them with: invited queue list") };
        let mut parts = Vec::new();
        for (outcome, text) in [
            ("invited", "invited"),
            ("there", "left alone, since they have an invitation already"),
            ("refused", "left out by the shop's rules"),
            ("cancelled", "left out, since the file says that they are cancelled"),
        ] {
            if let Some(number) = sums.get(outcome) {
                parts.push(format!("{} {verb}{text}", count(*number, "order")));
            }
        }
        if !found.repeats.is_empty() {
            parts.push(format!("{} about an order that stands further up", count(found.repeats.len(), "line")));
        }
        if !found.faults.is_empty() {
            parts.push(format!("{} that cannot be used", count(found.faults.len(), "line")));
        }
        let has_any = sums.contains_key("invited");
        out.line(format!("{}{}", parts.join("; "), if has_any { more } else { "" }))?;
        if desk.config.hold_all {
            out.line("No letter goes out as long as the configuration says hold_all = true.")?;
        }
        Ok(())
    }
}

/// Fails when lines cannot be used, since then none is.
fn unusable(found: &Orders, nothing: &str) -> Result<(), Failure> {
    if found.faults.is_empty() {
        return Ok(());
    }
    Err(Failure::Undone(format!(
        "{} of {} cannot be used, so nothing {nothing}; put them right, or leave them out with --skip-bad",
        count(found.faults.len(), "line"),
        found.rows
    )))
}

/// What is asked of the store, and of which order of the file each is.
fn asked(shop: &crate::domain::ShopId, orders: &[OrderLine], due: Timestamp) -> (Vec<Wanted>, Vec<usize>) {
    let open = orders.iter().enumerate().filter(|(_, order)| !order.is_cancelled);
    open.filter_map(|(place, order)| Some((wanted(shop, order, due)?, place))).unzip()
}

fn fates(orders: &[OrderLine], places: &[usize], outcomes: Vec<Invited>) -> Vec<Fate> {
    let mut fates = vec![Fate::Cancelled; orders.len()];
    for (place, outcome) in places.iter().zip(outcomes) {
        if let Some(fate) = fates.get_mut(*place) {
            *fate = Fate::Asked(outcome);
        }
    }
    fates
}

fn bad(fault: &Fault) -> serde_json::Value {
    serde_json::json!({
        "line": fault.line,
        "column": fault.column,
        "outcome": "bad",
        "why": fault.what,
        "remedy": fault.remedy,
    })
}

impl Fate {
    const fn outcome(&self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Asked(Invited::Begins { .. }) => "invited",
            Self::Asked(Invited::There { .. }) => "there",
            Self::Asked(Invited::Refused(_)) => "refused",
        }
    }

    fn told<'t>(&self, order: &'t OrderLine) -> Told<'t> {
        let told = Told {
            line: order.line,
            reference: order.reference.as_str(),
            outcome: self.outcome(),
            id: None,
            goes_at: None,
            rule: None,
            why: None,
        };
        match self {
            Self::Cancelled => told,
            Self::Asked(Invited::There { id, state, is_same_address, .. }) => {
                Told { id: Some(*id), why: Some(there(*state, *is_same_address)), ..told }
            }
            Self::Asked(Invited::Refused(ground)) => {
                Told { rule: Some(ground.rule.as_str()), why: Some(because(ground)), ..told }
            }
            Self::Asked(Invited::Begins { id, foreseen: Foreseen::Never(ground) }) => {
                Told { id: *id, rule: Some(ground.rule.as_str()), why: Some(because(ground)), ..told }
            }
            Self::Asked(Invited::Begins { id, foreseen: Foreseen::At(at, ground) }) => Told {
                id: *id,
                goes_at: Some(at.to_string()),
                rule: ground.as_ref().map(|ground| ground.rule.as_str()),
                why: ground.as_ref().map(because),
                ..told
            },
        }
    }

    fn sentence(&self, zone: &Zone) -> String {
        match self {
            Self::Cancelled => "nothing: the file says that the order is cancelled".to_owned(),
            Self::Asked(Invited::There { id, state, is_same_address, .. }) => {
                format!("nothing: {}, invitation {id}", there(*state, *is_same_address))
            }
            Self::Asked(Invited::Refused(ground)) => format!("nothing: {}", because(ground)),
            Self::Asked(Invited::Begins { foreseen, .. }) => letter(foreseen, zone),
        }
    }
}

/// What becomes of a letter, for people.
pub(in crate::cli) fn letter(foreseen: &Foreseen, zone: &Zone) -> String {
    match foreseen {
        Foreseen::At(at, None) => format!("a letter at {}", local(*at, zone)),
        Foreseen::At(at, Some(ground)) => format!("a letter at {}: {}", local(*at, zone), because(ground)),
        Foreseen::Never(ground) => format!("an invitation, but as things stand no letter: {}", because(ground)),
    }
}
