//! `invited held release`.

use clap::Args;
use serde_json::{Value, json};

use super::{ConfigArg, Desk, Failure, JsonArg, Output, Who, decisions, local_in};
use crate::cli::output::count;
use crate::domain::{CopyId, EmailAddress, EventKind, OrderReference, PersonName};
use crate::ops::held::{Corrections, release};
use crate::store::{DeskAct, DeskFiling};

/// Which copies to release, and what is to be corrected.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  The reader did not know which number is the order's:
    invited held release 4711 --reference LN-2204
  What would come of it:
    invited held release 4711 --email anna@customer.example --event placed --dry-run")]
pub(in crate::cli) struct Release {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// The copies' ids
    #[arg(required = true)]
    ids: Vec<CopyId>,
    /// The order reference
    #[arg(long, value_name = "REF")]
    reference: Option<String>,
    /// The customer's address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// The customer's name
    #[arg(long)]
    name: Option<String>,
    /// What happened to the order: placed, paid, shipped, shipped_in_part, delivered, delayed, cancelled, refunded or
    /// refunded_in_part
    #[arg(long, value_name = "KIND")]
    event: Option<String>,
    #[command(flatten)]
    who: Who,
    /// Only say what would come of it
    #[arg(long)]
    dry_run: bool,
}

impl Release {
    /// Releases one copy after the other. Goes on after one that cannot be released, and fails at the end.
    pub(super) async fn run(self) -> Result<(), Failure> {
        let corrections = self.corrections()?;
        let desk = Desk::open(&self.config).await?;
        let is_dry = self.dry_run;
        let filing = DeskFiling { act: DeskAct::Released, actor: self.who.actor(), also_ignored: false, is_dry };
        let mut out = Output::of_changes();
        let mut refused = 0;
        for id in self.ids {
            let now = desk.clock.now();
            let done = release(&desk.store, &desk.config, id, &corrections, &filing, now).await?;
            refused += usize::from(done.is_err());
            match done {
                Ok(released) if self.json.json => {
                    let first = released.moved.first();
                    let id_of = |(id, _): &(crate::domain::InvitationId, _)| json!(id);
                    out.json(&json!({
                        "id": id,
                        "done": !is_dry,
                        "event": released.reading.event.map(EventKind::as_str),
                        "reference": released.reading.reference,
                        "invitation": first.filter(|_| !is_dry).map_or(Value::Null, id_of),
                        "state": first.map(|(_, decision)| decision.progress.state.as_str()),
                        "due_at": first.and_then(|(_, decision)| decision.progress.due_at).map(|due| due.to_string()),
                        "rule": first.map(|(_, decision)| decision.rule.as_str()),
                        "why": Value::Null,
                    }))?;
                }
                Ok(released) => {
                    let would = if is_dry { "would be released" } else { "released" };
                    let event = released.reading.event.map(|event| event.to_string()).unwrap_or_default();
                    let reference = released.reading.reference.map(|one| one.to_string()).unwrap_or_default();
                    let told = decisions(&released.moved, is_dry, &local_in(&desk.zone_of(&released.shop)));
                    out.line(format!("{id}: {would}: order {reference} {event}; {told}"))?;
                }
                Err(why) if self.json.json => out.json(&json!({
                    "id": id, "done": false, "event": null, "reference": null, "invitation": null, "state": null,
                    "due_at": null, "rule": null, "why": why.to_string(),
                }))?,
                Err(why) => out.line(format!("{id}: {why}"))?,
            }
        }
        out.heard()?;
        match refused {
            0 => Ok(()),
            _ => Err(Failure::Undone(format!("{} not released", copies(refused)))),
        }
    }

    fn corrections(&self) -> Result<Corrections, Failure> {
        let of_one = self.reference.is_some() || self.email.is_some() || self.name.is_some();
        if of_one && self.ids.len() > 1 {
            let why = "--reference, --email and --name are one copy's: release the copies one by one";
            return Err(Failure::Usage(why.to_owned()));
        }
        let wrong = |flag: &str, text: &str, what: &str| Failure::Usage(format!("{flag}: {text:?} is {what}"));
        Ok(Corrections {
            event: match self.event.as_deref() {
                Some(word) => Some(EventKind::parse(word).ok_or_else(|| {
                    let kinds = EventKind::ALL.map(EventKind::as_str).join(", ");
                    wrong("--event", word, &format!("none of {kinds}"))
                })?),
                None => None,
            },
            reference: match self.reference.as_deref() {
                Some(text) => {
                    Some(OrderReference::parse(text).ok_or_else(|| wrong("--reference", text, "no order reference"))?)
                }
                None => None,
            },
            email: match self.email.as_deref() {
                Some(text) => {
                    Some(EmailAddress::parse(text).map_err(|why| Failure::Usage(format!("--email: {text:?}: {why}")))?)
                }
                None => None,
            },
            name: match self.name.as_deref() {
                Some(text) => Some(PersonName::parse(text).ok_or_else(|| wrong("--name", text, "no person's name"))?),
                None => None,
            },
        })
    }
}

/// `1 copy`, `2 copies`.
pub(super) fn copies(number: usize) -> String {
    if number == 1 { count(1, "copy") } else { format!("{number} copies") }
}
