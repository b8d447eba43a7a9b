//! `invited queue list`.

use clap::Args;

use super::filter::FilterArgs;
use super::pause::resting;
use super::row::{HEADINGS, cells, short};
use super::{ConfigArg, Desk, Failure, JsonArg, Output, local};
use crate::domain::InvitationId;
use crate::store::Store;

/// What `list` lists.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  What waits to be sent, newest first:
    invited queue list --state queued --limit 100
  What is known of one customer, or of one order:
    invited queue list --email anna@customer.example
    invited queue list --reference LN-2204
  What goes out before tomorrow night of one template's orders:
    invited queue list --shop nord --template shopify --due-before \"2 days\"
  What is older than a month and still waits for its shipment:
    invited queue list --state waiting --older-than 30d
  Who ordered a thing:
    invited queue list --text \"reading lamp\"
  What a person should look at, for a program:
    invited queue list --state held --state failed --state in_doubt --json
  The next page:
    invited queue list --before 4711")]
pub(in crate::cli) struct List {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Only those with an id below this one: the next page
    #[arg(long, value_name = "ID")]
    before: Option<InvitationId>,
    #[command(flatten)]
    filter: FilterArgs,
}

impl List {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        let filter = self.filter.filter(&desk).await?;
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let page = desk.store.list(&filter, self.before, limit).await?;
        let is_full = page.invitations.len() >= limit;
        let looked_down_to = page.looked_down_to.filter(|_| !is_full);
        if self.json.json {
            let mut out = Output::paged();
            for invitation in &page.invitations {
                out.json(&short(invitation))?;
            }
            drop(out);
            // Standard output is a list of invitations for a program, so this is said beside it.
            if let Some(down_to) = looked_down_to {
                tell_aside(&looked(down_to));
            }
            return Ok(());
        }
        let zone = desk.zone();
        let pauses = desk.store.pauses().await?;
        let mut out = Output::paged();
        for pause in &pauses {
            out.line(resting(pause, &|at| local(at, &zone)))?;
        }
        if page.invitations.is_empty() {
            out.line(if looked_down_to.is_some() { "No invitations so far." } else { "No invitations." })?;
        } else {
            let rows = page.invitations.iter().map(|one| cells(one, &desk.zone_of(&one.shop))).collect();
            out.table(&HEADINGS, rows)?;
        }
        match (looked_down_to, page.invitations.last().filter(|_| is_full)) {
            (Some(down_to), _) => out.line(looked(down_to))?,
            (None, Some(last)) => out.line(format!("More: --before {}", last.id))?,
            (None, None) => {}
        }
        Ok(())
    }
}

/// That there are older ones at which nobody has looked.
fn looked(down_to: InvitationId) -> String {
    format!("Looked down to invitation {down_to}; there are older ones. To look on: --before {down_to}")
}

/// Says something on standard error, which may be closed.
fn tell_aside(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(anstream::stderr().lock(), "invited: {text}");
}
