//! `invited suppress list`.

use clap::Args;

use super::{ConfigArg, Desk, Failure, JsonArg, Output, PageArgs, Row, local, shop, shown, whose};
use crate::cli::when::{Meant, point};
use crate::domain::{EmailAddress, ListKind, ListReason, Timestamp, lookup_keys};
use crate::store::{ListFilter, StoredEntry};

/// Which entries.
#[derive(Debug, Args)]
pub(super) struct FilterArgs {
    /// Only those of this shop
    #[arg(long, value_name = "ID", conflicts_with = "all_shops")]
    shop: Option<String>,
    /// Only those for all shops
    #[arg(long)]
    all_shops: bool,
    /// Only addresses, or only domains
    #[arg(long, value_parser = ["address", "domain"])]
    kind: Option<String>,
    /// Only those for this reason
    #[arg(long, value_parser = ["by_hand", "unsubscribed", "complained", "bounced", "erased", "imported"])]
    reason: Option<String>,
    /// Only those put there since then: a date, a time, or a span back from now ("30 days")
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

impl FilterArgs {
    pub(super) fn filter(&self, desk: &Desk) -> Result<ListFilter, Failure> {
        let of_shop = shop(desk, self.shop.as_deref())?.map(Some);
        let since = self.since.as_deref();
        let since =
            since.map(|text| point("--since", text, Meant::Since, &desk.zone(), desk.clock.now())).transpose()?;
        Ok(ListFilter {
            shop: of_shop.or(self.all_shops.then_some(None)),
            kind: self.kind.as_deref().and_then(ListKind::parse),
            reason: self.reason.as_deref().and_then(ListReason::parse),
            since: since.unwrap_or(Timestamp(i64::MIN)),
        })
    }
}

/// What `list` lists.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  The newest entries:
    invited suppress list
  Whether an address gets letters, by itself or by its domain, plain or hashed:
    invited suppress list --address anna@customer.example
  Who complained within a month, for programs:
    invited suppress list --reason complained --since \"30 days\" --json")]
pub(in crate::cli) struct List {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    #[command(flatten)]
    filter: FilterArgs,
    /// Only those that mean this address, hashed ones and those of its domains too
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["shop", "all_shops", "kind", "reason", "since", "before"])]
    address: Option<String>,
    #[command(flatten)]
    page: PageArgs,
}

impl List {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        let entries = match &self.address {
            Some(text) => of_address(&desk, text).await?,
            None => {
                let filter = self.filter.filter(&desk)?;
                desk.store.suppressions(&filter, self.page.before, self.page.limit()).await?
            }
        };
        let mut out = Output::paged();
        if self.json.json {
            for one in &entries {
                out.json(&Row::new(Some(one.id), &one.entry))?;
            }
            return Ok(());
        }
        if entries.is_empty() {
            out.line(match &self.address {
                Some(address) => format!("{address} is not on the list, and neither is its domain."),
                None => "No entries.".to_owned(),
            })?;
            return Ok(());
        }
        let zone = desk.zone();
        let rows = entries.iter().map(|StoredEntry { id, entry }| {
            vec![
                id.to_string(),
                shown(&entry.key),
                whose(entry.shop.as_ref()),
                entry.reason.to_string(),
                local(entry.at, &zone),
                entry.actor.clone(),
                entry.note.clone().unwrap_or_default(),
            ]
        });
        out.table(&["ID", "ADDRESS", "SHOP", "REASON", "SINCE", "BY", "NOTE"], rows.collect())?;
        if entries.iter().any(|one| one.entry.key.kind() == ListKind::Domain) {
            out.line("A domain's letters are stopped when they fall due; invitations to it stay queued until then.")?;
        }
        let last = entries.last().filter(|_| self.address.is_none()).map(|one| one.id);
        self.page.tell_of_more(entries.len(), last, &mut out)
    }
}

async fn of_address(desk: &Desk, text: &str) -> Result<Vec<StoredEntry>, Failure> {
    let address = EmailAddress::parse(text).map_err(|error| Failure::Usage(format!("--address: {error}")))?;
    Ok(desk.store.suppressed_by(&lookup_keys(&address.key(), &desk.list_key()?)).await?)
}
