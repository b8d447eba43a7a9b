//! `invited queue export`: invitations for a spreadsheet or for a program, page by page, so that a million of them need no more
//! memory than a few.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::filter::FilterArgs;
use super::row::long;
use super::{ConfigArg, Desk, Failure, count};
use crate::cli::csv::record;
use crate::domain::Invitation;
use crate::store::Store;

/// Invitations that are read at one time.
const PAGE: usize = 1000;

/// How they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Csv,
    Jsonl,
}

/// Writes invitations to a file, newest first, for a spreadsheet or a program. A value that a spreadsheet would take for a formula
/// begins with an apostrophe in CSV.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  All invitations of a shop for a spreadsheet:
    invited queue export --shop nord --bom --out invitations.csv
  What was cancelled in a month, for a program:
    invited queue export --state cancelled --newer-than 30d --format jsonl --out month.jsonl
  To standard output:
    invited queue export --newer-than 7d | gzip > week.csv.gz")]
pub(in crate::cli) struct Export {
    #[command(flatten)]
    config: ConfigArg,
    /// CSV (RFC 4180) with a heading, or one JSON object a line as `queue show --json` has it
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// The same as --format jsonl
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// The file to write, readable by its owner alone; standard output otherwise
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long, requires = "out")]
    force: bool,
    /// Begin with a byte order mark, from which some spreadsheets know UTF-8
    #[arg(long)]
    bom: bool,
    #[command(flatten)]
    filter: FilterArgs,
}

impl Export {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        let filter = self.filter.filter(&desk).await?;
        let format = if self.json { Format::Jsonl } else { self.format };
        let Some(path) = &self.out else {
            let mut out = BufWriter::new(io::stdout().lock());
            write_all(&desk, &filter, format, self.bom, &mut out).await?;
            return Ok(out.flush()?);
        };
        let target = Target::new(path, self.force)?;
        let mut out = BufWriter::new(target.file.try_clone()?);
        let written = match write_all(&desk, &filter, format, self.bom, &mut out).await {
            Ok(written) => out.flush().map(|()| written).map_err(|error| of_file(path, &error)),
            Err(failure) => Err(failure),
        };
        drop(out);
        let written = match written {
            Ok(written) => written,
            Err(failure) => {
                target.discard();
                return Err(failure);
            }
        };
        target.keep()?;
        // Standard output is for the data, also where they go to a file.
        let _ = writeln!(anstream::stderr().lock(), "{} written to {}", count(written, "invitation"), path.display());
        Ok(())
    }
}

/// Writes all that the filter means, and says how many.
async fn write_all(
    desk: &Desk,
    filter: &crate::store::Filter,
    format: Format,
    has_bom: bool,
    out: &mut impl Write,
) -> Result<usize, Failure> {
    if has_bom {
        out.write_all("\u{feff}".as_bytes())?;
    }
    if format == Format::Csv {
        write!(out, "{}\r\n", record(COLUMNS.iter().map(|(name, _)| name)))?;
    }
    let (mut before, mut written) = (None, 0);
    loop {
        let page = desk.store.list(filter, before, PAGE).await?;
        for one in &page.invitations {
            match format {
                Format::Csv => write!(out, "{}\r\n", record(COLUMNS.iter().map(|(_, value)| value(one))))?,
                Format::Jsonl => writeln!(out, "{}", long(one))?,
            }
        }
        written += page.invitations.len();
        match page.looked_down_to {
            Some(down_to) => before = Some(down_to),
            None => return Ok(written),
        }
    }
}

type Column = (&'static str, fn(&Invitation) -> String);

/// What is written of an invitation. Names are a contract; new ones come last.
const COLUMNS: [Column; 24] = [
    ("id", |one| one.id.to_string()),
    ("shop", |one| one.shop.to_string()),
    ("reference", |one| one.reference.to_string()),
    ("email", |one| one.customer.email.to_string()),
    ("name", |one| text(one.customer.name.as_ref())),
    ("state", |one| one.progress.state.to_string()),
    ("due_at", |one| text(one.progress.due_at)),
    ("expires_at", |one| text(one.progress.expires_at)),
    ("created_at", |one| one.created_at.to_string()),
    ("updated_at", |one| one.updated_at.to_string()),
    ("letters", |one| one.progress.letters_sent.to_string()),
    ("attempts", |one| one.progress.attempts.to_string()),
    ("round", |one| one.round.to_string()),
    ("follows", |one| text(one.follows)),
    ("locale", |one| text(one.order.locale.as_ref())),
    ("country", |one| text(one.order.country.as_ref())),
    ("template", |one| text(one.order.template.as_ref())),
    ("tags", |one| one.order.tags.join("; ")),
    ("consent", |one| text(one.order.consent)),
    ("order_date", |one| text(one.order.order_date.as_ref().map(|date| date.as_str()))),
    ("expected_delivery", |one| text(one.order.expected_delivery)),
    ("products", |one| products(one, |product| Some(&product.name))),
    ("skus", |one| products(one, |product| product.sku.as_ref())),
    ("gtins", |one| products(one, |product| product.gtin.as_ref())),
];

fn text(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn products(one: &Invitation, part: impl Fn(&crate::domain::Product) -> Option<&String>) -> String {
    one.order.products.iter().filter_map(|product| part(product).map(String::as_str)).collect::<Vec<_>>().join("; ")
}

/// A file that is being written.
struct Target {
    file: File,
    /// Where it stands until it is whole.
    part: PathBuf,
    path: PathBuf,
}

impl Target {
    fn new(path: &Path, is_forced: bool) -> Result<Self, Failure> {
        if !is_forced && path.symlink_metadata().is_ok() {
            return Err(Failure::Undone(format!("{} is there already; --force replaces it", path.display())));
        }
        let mut part = path.as_os_str().to_owned();
        part.push(format!(".part-{}", std::process::id()));
        let part = PathBuf::from(part);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part);
        let file = file.map_err(|error| of_file(path, &error))?;
        Ok(Self { file, part, path: path.to_owned() })
    }

    /// Puts it where it belongs: what stands there is whole or the old one, never a half.
    fn keep(self) -> Result<(), Failure> {
        let kept = self.file.sync_all().and_then(|()| fs::rename(&self.part, &self.path));
        kept.map_err(|error| {
            let failure = of_file(&self.path, &error);
            self.discard();
            failure
        })
    }

    fn discard(self) {
        // The failure that led here is the one to tell of.
        let _ = fs::remove_file(&self.part);
    }
}

fn of_file(path: &Path, error: &io::Error) -> Failure {
    Failure::Undone(format!("{} cannot be written: {error}", path.display()))
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
