//! `invited review export`: all reviews that stand, page by page, so that a million of them need no more memory than a few.

use std::io::{self, BufWriter, Write as _};

use clap::{Args, ValueEnum};

use super::{ConfigArg, Desk, Failure, FilterArgs, row};
use crate::cli::csv::record;
use crate::domain::Review;
use crate::store::Store;

/// Reviews that are read at one time.
const PAGE: usize = 1000;

/// How they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Csv,
    Jsonl,
}

/// Writes reviews to standard output, newest first. Deleted ones have no words any more and are left out. A value that a spreadsheet
/// would take for a formula begins with an apostrophe in CSV.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  All reviews of a shop for a spreadsheet:
    invited review export --shop nord > reviews.csv
  For the shop's site, one JSON object a line:
    invited review export --shop nord --format jsonl > reviews.jsonl
  With those that were deleted, so that the numbers can be checked:
    invited review export --shop nord --deleted > all.csv")]
pub(in crate::cli) struct Export {
    #[command(flatten)]
    config: ConfigArg,
    /// CSV (RFC 4180) with a heading, or one JSON object a line
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// The same as --format jsonl
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Those that were deleted, too
    #[arg(long)]
    deleted: bool,
    #[command(flatten)]
    filter: FilterArgs,
}

type Column = (&'static str, fn(&Review) -> String);

/// What is written of a review. Names are a contract; new ones come last.
const COLUMNS: [Column; 16] = [
    ("id", |one| one.id.to_string()),
    ("shop", |one| one.shop.to_string()),
    ("reference", |one| text(one.reference.as_ref())),
    ("invitation", |one| text(one.invitation)),
    ("kind", |one| one.kind.to_string()),
    ("product", |one| text(one.product.as_ref())),
    ("collected", |one| one.collected.to_string()),
    ("verified", |one| one.verified.to_string()),
    ("stars", |one| one.stars.to_string()),
    ("title", |one| one.words.title().to_owned()),
    ("text", |one| one.words.text().to_owned()),
    ("name", |one| one.words.name().to_owned()),
    ("language", |one| one.language.clone()),
    ("written_at", |one| one.written_at.to_string()),
    ("edited_at", |one| text(one.edited_at)),
    ("deleted_at", |one| text(one.deleted_at)),
];

fn text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

impl Export {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        let filter = self.filter.filter(&desk)?;
        let format = if self.json { Format::Jsonl } else { self.format };
        let mut out = BufWriter::new(io::stdout().lock());
        if format == Format::Csv {
            write!(out, "{}\r\n", record(COLUMNS.iter().map(|(name, _)| name)))?;
        }
        let mut before = None;
        loop {
            let page = desk.store.list_reviews(&filter, before, PAGE).await?;
            for one in page.iter().filter(|one| self.deleted || one.stands()) {
                match format {
                    Format::Csv => write!(out, "{}\r\n", record(COLUMNS.iter().map(|(_, value)| value(one))))?,
                    Format::Jsonl => writeln!(out, "{}", row(one))?,
                }
            }
            match page.last().filter(|_| page.len() == PAGE) {
                Some(last) => before = Some(last.id),
                None => return Ok(out.flush()?),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_names_of_their_own() {
        let names = COLUMNS.iter().map(|(name, _)| name).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(names.len(), COLUMNS.len());
    }
}
