//! `invited held list`.

use clap::Args;

use super::filter::FilterArgs;
use super::{ConfigArg, Desk, Failure, JsonArg, Output, json};
use crate::cli::output::local;
use crate::domain::{CopyId, Zone};
use crate::store::{HeldCount, Store, StoredCopy};

/// What `list` lists.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  The newest held copies:
    invited held list
  How many there are of each shop and reason:
    invited held list --count
  Those of one shop that came in within the last days:
    invited held list --shop myshop --since \"3 days\"
  Those held for one reason:
    invited held list --reason \"no customer\"")]
pub(in crate::cli) struct List {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    #[command(flatten)]
    filter: FilterArgs,
    /// Only those whose reason has this text in it; numbers, addresses and quoted texts in it do not count
    #[arg(long, value_name = "TEXT", alias = "why")]
    reason: Option<String>,
    /// How many there are of each shop and reason, instead of the copies
    #[arg(long, conflicts_with_all = ["limit", "before"])]
    count: bool,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Only those with an id below this one: the next page
    #[arg(long, value_name = "ID")]
    before: Option<CopyId>,
}

impl List {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        let filter = self.filter.filter(self.reason.as_deref(), &desk).await?;
        let mut out = Output::paged();
        if !self.json.json {
            for alarm in desk.store.watch_figures().await?.alarms {
                let since = local(alarm.since, &desk.zone_of(&alarm.shop));
                out.line(format!("! {}, since {since}: {}", alarm.shop, alarm.note))?;
            }
        }
        if self.count {
            let counts = desk.store.count_held(&filter).await?;
            return self.print_counts(&counts, &mut out);
        }
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let copies = desk.store.held_copies(&filter, self.before, limit).await?;
        if self.json.json {
            for copy in &copies {
                out.json(&json(copy))?;
            }
            return Ok(());
        }
        if copies.is_empty() {
            out.line("No held copies.")?;
            return Ok(());
        }
        let rows = copies.iter().map(|copy| row(copy, &desk.zone_of(&copy.shop))).collect();
        out.table(&["COPY", "SHOP", "CAME IN", "ORDER", "WHY IT IS HELD"], rows)?;
        if copies.len() == limit
            && let Some(last) = copies.last()
        {
            out.line(format!("More: --before {}", last.id))?;
        }
        Ok(())
    }

    fn print_counts(&self, counts: &[HeldCount], out: &mut Output) -> Result<(), Failure> {
        if self.json.json {
            for count in counts {
                out.json(&serde_json::json!({
                    "shop": count.shop,
                    "reason": count.reason,
                    "copies": count.copies,
                    "newest": count.newest,
                }))?;
            }
            return Ok(());
        }
        if counts.is_empty() {
            out.line("No held copies.")?;
            return Ok(());
        }
        let mut counts = counts.iter().collect::<Vec<_>>();
        counts.sort_by(|one, other| (&one.shop, other.copies).cmp(&(&other.shop, one.copies)));
        let rows = counts.iter().map(|count| {
            let reason = count.reason.clone().unwrap_or_else(|| "(held by an older program)".to_owned());
            vec![count.shop.to_string(), count.copies.to_string(), count.newest.to_string(), reason]
        });
        out.table(&["SHOP", "COPIES", "NEWEST", "WHY THEY ARE HELD"], rows.collect())?;
        Ok(())
    }
}

fn row(copy: &StoredCopy, zone: &Zone) -> Vec<String> {
    let reading = copy.reading.as_ref();
    vec![
        copy.id.to_string(),
        copy.shop.to_string(),
        local(copy.received_at, zone),
        reading.and_then(|one| one.reference.as_ref()).map(ToString::to_string).unwrap_or_default(),
        reading.and_then(|one| one.reason.clone()).unwrap_or_default(),
    ]
}
