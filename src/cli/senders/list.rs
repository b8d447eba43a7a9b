//! `invited senders list`.

use clap::Args;

use super::{ConfigArg, Desk, Failure, JsonArg, Output, PageArgs, json, local};
use crate::domain::SenderState;
use crate::store::SenderFilter;

/// Which senders.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Who hands in copies, and who waits for a decision:
    invited senders list
    invited senders list --state new
  Those of one shop, for programs:
    invited senders list --shop myshop --json")]
pub(in crate::cli) struct List {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// Only those of this shop
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
    /// Only those in this state
    #[arg(long, value_parser = ["new", "approved", "blocked"])]
    state: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

impl List {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        let shop = self.shop.as_deref().map(|text| desk.shop(text)).transpose()?;
        let filter = SenderFilter { shop, state: self.state.as_deref().and_then(SenderState::parse) };
        let senders = desk.store.senders(&filter, self.page.before, self.page.limit()).await?;
        let mut out = Output::paged();
        if self.json.json {
            for one in &senders {
                out.json(&json(one))?;
            }
            return Ok(());
        }
        if senders.is_empty() {
            out.line("No senders. Only order mails that nothing but the secret address proves have one.")?;
            return Ok(());
        }
        let zone = desk.zone_of_all(senders.iter().map(|one| &one.shop));
        let rows = senders.iter().map(|one| {
            let (by, note) = match &one.decided {
                Some((actor, at)) => {
                    (format!("{} {}", actor.name, local(*at, &zone)), actor.reason.clone().unwrap_or_default())
                }
                None => (String::new(), String::new()),
            };
            vec![
                one.id.to_string(),
                one.shop.to_string(),
                one.mark.clone(),
                one.state.as_str().to_owned(),
                one.copies.to_string(),
                one.held.to_string(),
                local(one.last_at, &zone),
                by,
                note,
            ]
        });
        out.table(&["ID", "SHOP", "SENDER", "STATE", "MAILS", "HELD", "LAST", "DECIDED BY", "NOTE"], rows.collect())?;
        if senders.iter().any(|one| one.state == SenderState::New) {
            out.line("To believe a sender: invited senders approve ID. To ignore it: invited senders block ID")?;
        }
        self.page.tell_of_more(senders.len(), senders.last().map(|one| one.id), &mut out)
    }
}
