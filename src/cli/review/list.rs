//! `invited review list`.

use clap::Args;

use super::{ConfigArg, Desk, Failure, FilterArgs, JsonArg, Output, PageArgs, local, row, standing};
use crate::domain::{ReviewId, clean};
use crate::store::Store;

/// Characters of a heading in the table.
const SHOWN: usize = 40;

/// What `list` lists.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  The newest reviews:
    invited review list
  What a shop's customers were not happy with in a month:
    invited review list --shop nord --stars 1 --since \"30 days\"
  All that came by the generic link, for a program:
    invited review list --collected basic --limit 10000 --json")]
pub(in crate::cli) struct List {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    page: PageArgs,
}

impl List {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        let filter = self.filter.filter(&desk)?;
        let before = self.page.before.map(ReviewId);
        let reviews = desk.store.list_reviews(&filter, before, self.page.limit()).await?;
        let mut out = Output::paged();
        if self.json.json {
            for one in &reviews {
                out.json(&row(one))?;
            }
            return Ok(());
        }
        if reviews.is_empty() {
            out.line("No reviews.")?;
            return Ok(());
        }
        let zone = desk.zone();
        let rows = reviews.iter().map(|one| {
            let words = if one.words.title().is_empty() { one.words.text() } else { one.words.title() };
            vec![
                one.id.to_string(),
                one.shop.to_string(),
                one.reference.as_ref().map(ToString::to_string).unwrap_or_default(),
                one.stars.to_string(),
                one.product.clone().unwrap_or_else(|| "(the shop)".to_owned()),
                if one.verified { one.collected.to_string() } else { format!("{}, not verified", one.collected) },
                local(one.written_at, &zone),
                standing(one).to_owned(),
                clean(words, SHOWN),
            ]
        });
        let heading = ["ID", "SHOP", "ORDER", "STARS", "ABOUT", "CAME BY", "WRITTEN", "STANDS", "TITLE"];
        out.table(&heading, rows.collect())?;
        self.page.tell_of_more(reviews.len(), reviews.last().map(|one| one.id.0), &mut out)
    }
}
