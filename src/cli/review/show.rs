//! `invited review show`.

use clap::Args;
use serde_json::json;

use super::{ConfigArg, Desk, Failure, JsonArg, Output, found, local, row, standing};
use crate::domain::{ReviewId, ReviewText, Stars};
use crate::store::Store;

/// Which reviews `show` shows.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  A review with its words:
    invited review show 17
  Two of them for a program, with what they were before they were changed:
    invited review show 17 18 --json")]
pub(in crate::cli) struct Show {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// Their ids
    #[arg(required = true, value_name = "ID")]
    ids: Vec<ReviewId>,
}

/// Rows of a table for stars and words. A text has a row for each of its lines.
fn words(stars: Stars, words: &ReviewText) -> Vec<Vec<String>> {
    let mut rows = vec![
        vec!["stars".to_owned(), stars.to_string()],
        vec!["title".to_owned(), words.title().to_owned()],
        vec!["name".to_owned(), words.name().to_owned()],
    ];
    let lines = words.text().lines().enumerate();
    rows.extend(lines.map(|(n, line)| vec![if n == 0 { "text" } else { "" }.to_owned(), line.to_owned()]));
    rows
}

impl Show {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        let mut out = Output::paged();
        for (place, id) in self.ids.iter().enumerate() {
            let one = found(&desk, *id).await?;
            let history = desk.store.review_history(*id).await?;
            if self.json.json {
                let mut value = row(&one);
                value["history"] = history
                    .iter()
                    .map(|edit| {
                        json!({
                            "at": edit.at.to_string(), "stars": edit.stars, "title": edit.words.title(),
                            "text": edit.words.text(), "name": edit.words.name(),
                        })
                    })
                    .collect();
                out.json(&value)?;
                continue;
            }
            if place > 0 {
                out.line("")?;
            }
            let zone = desk.zone_of(&one.shop);
            let verified = if one.verified { "" } else { ", not verified" };
            let mut rows = [
                ("review", one.id.to_string()),
                ("shop", one.shop.to_string()),
                ("order", one.reference.as_ref().map(ToString::to_string).unwrap_or_default()),
                ("invitation", one.invitation.map(|id| id.to_string()).unwrap_or_default()),
                ("about", one.product.clone().unwrap_or_else(|| "the shop".to_owned())),
                ("came by", format!("{}{verified}", one.collected)),
                ("language", one.language.clone()),
                ("written", local(one.written_at, &zone)),
                ("stands", standing(&one).to_owned()),
            ]
            .map(|(name, value)| vec![name.to_owned(), value])
            .to_vec();
            if let Some(at) = one.deleted_at.or(one.edited_at) {
                rows.push(vec!["since".to_owned(), local(at, &zone)]);
            }
            let removed = [("by", &one.deleted_by), ("why", &one.delete_reason)];
            let removed = removed.into_iter().filter_map(|(name, text)| Some((name, text.clone()?)));
            rows.extend(removed.map(|(name, text)| vec![name.to_owned(), text]));
            rows.extend(words(one.stars, &one.words));
            for edit in history.iter().rev() {
                rows.push(vec!["until".to_owned(), local(edit.at, &zone)]);
                rows.extend(words(edit.stars, &edit.words));
            }
            out.table(&[], rows)?;
        }
        Ok(())
    }
}
