//! `invited suppress import` and `export`: the list as a file. What is exported is imported as it was.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;

use super::list::FilterArgs;
use super::{ConfigArg, Desk, Failure, JsonArg, Output, Row, Who, count, reason, shop};
use crate::cli::csv;
use crate::domain::{ListKey, ListKind, ListReason, ShopId, SuppressionEntry, Timestamp, Zone, clean};
use crate::store::NewEntry;
use crate::table::{Row as TableRow, decode, rows_of};

/// Entries that are written in one transaction.
const BATCH: usize = 2_000;

/// Entries of an export that are read at one time.
const PAGE: usize = 5_000;

/// A file that is larger is no list that a person keeps.
const BYTES_AT_MOST: u64 = 256 * 1024 * 1024;

/// The columns of an export.
const COLUMNS: [&str; 7] = ["entry", "kind", "shop", "reason", "note", "actor", "at"];

/// Lines that are told of when they cannot be used.
const FAULTS_TOLD: usize = 20;

/// Which file to import, and how.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  What would come of a file, line by line where something is wrong:
    invited suppress import unsubscribed.csv --dry-run
  One address or domain a line, for one shop:
    invited suppress import blocked.txt --shop myshop --reason \"from the old system\"
  What another installation exported, without the lines that cannot be used:
    invited suppress import list.jsonl --skip-bad")]
pub(in crate::cli) struct Import {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// One address or domain a line; CSV with a header (address, email or entry; shop, reason, note, date); or JSON lines; - is
    /// standard input
    file: PathBuf,
    /// For this shop, where the file names none; for all otherwise
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
    /// Store keyed hashes, so that the list names nobody (also: hashed = true in [suppression])
    #[arg(long)]
    hashed: bool,
    /// Import the good lines even when others cannot be used
    #[arg(long)]
    skip_bad: bool,
    /// Only say what would be imported
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    who: Who,
}

/// What to export.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  The whole list, as CSV that a spreadsheet may open:
    invited suppress export > list.csv
  For another installation:
    invited suppress export --json > list.jsonl")]
pub(in crate::cli) struct Export {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    #[command(flatten)]
    filter: FilterArgs,
}

impl Export {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        let filter = self.filter.filter(&desk)?;
        let mut out = Output::new();
        if !self.json.json {
            out.line(csv::record(COLUMNS))?;
        }
        let mut after = 0;
        loop {
            let page = desk.store.suppressions_after(&filter, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            for one in &page {
                let row = Row::new(None, &one.entry);
                if self.json.json {
                    out.json(&row)?;
                } else {
                    let (shop, note) = (row.shop.unwrap_or_default(), row.note.unwrap_or_default());
                    let cells = [row.entry, row.kind, shop, row.reason, note, row.actor, row.at.as_str()];
                    out.line(csv::record(cells))?;
                }
            }
        }
    }
}

/// A line of a file, as it is written there.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Written {
    entry: String,
    kind: Option<String>,
    shop: Option<String>,
    reason: Option<String>,
    note: Option<String>,
    actor: Option<String>,
    at: Option<String>,
}

/// What every line is laid against.
struct Frame<'f> {
    desk: &'f Desk,
    shop: Option<ShopId>,
    reason: (ListReason, Option<String>),
    actor: String,
    zone: Zone,
    now: Timestamp,
}

impl Import {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let text = read(&self.file)?;
        let desk = Desk::open(&self.config).await?;
        let list_key = desk.list_key()?;
        let (actor, now) = (self.who.clone().actor(), desk.clock.now());
        let frame = Frame {
            shop: shop(&desk, self.shop.as_deref())?,
            reason: reason(actor.reason.as_deref(), ListReason::Imported),
            actor: actor.name,
            zone: desk.zone(),
            now,
            desk: &desk,
        };
        let hashes = self.hashed || desk.config.hashed_suppressions;
        let (mut entries, mut faults) = (Vec::new(), Vec::new());
        for (line, written) in lines(&text)? {
            match written.and_then(|written| frame.entry(written)) {
                Ok(entry) => entries.push(NewEntry::new(entry, &list_key, hashes)),
                Err(why) => faults.push((line, why)),
            }
        }
        let mut out = Output::new();
        for (line, why) in faults.iter().take(FAULTS_TOLD) {
            match self.json.json {
                true => out.json(&serde_json::json!({ "line": line, "why": why }))?,
                false => out.line(format!("line {line}: {why}"))?,
            }
        }
        if faults.len() > FAULTS_TOLD && !self.json.json {
            out.line(format!("and {} more", faults.len() - FAULTS_TOLD))?;
        }
        if !faults.is_empty() && !self.skip_bad {
            return Err(Failure::Undone(format!(
                "{} of {} cannot be used, and nothing was imported; put them right, or import the others with --skip-bad",
                count(faults.len(), "line"),
                faults.len() + entries.len()
            )));
        }
        self.write(&desk, entries, faults.len(), &mut out).await
    }

    async fn write(&self, desk: &Desk, entries: Vec<NewEntry>, bad: usize, out: &mut Output) -> Result<(), Failure> {
        let (mut new, mut known, mut stopped) = (0, 0, 0);
        if self.dry_run {
            for batch in entries.chunks(BATCH) {
                let keys = batch.iter().flat_map(|new| std::iter::once(&new.entry.key).chain(&new.twin)).cloned();
                let there = desk.store.suppressed_by(&keys.collect::<Vec<_>>()).await?;
                for entry in batch {
                    let is_there = there.iter().any(|one| {
                        one.entry.shop == entry.entry.shop
                            && (one.entry.key == entry.entry.key || Some(&one.entry.key) == entry.twin.as_ref())
                    });
                    known += usize::from(is_there);
                    new += usize::from(!is_there);
                }
            }
        } else {
            for batch in entries.chunks(BATCH) {
                let listed = desk.store.suppress(batch.into(), desk.policies()?, desk.clock.now()).await?;
                known += listed.iter().filter(|one| one.since.is_some()).count();
                new += listed.iter().filter(|one| one.since.is_none()).count();
                stopped += listed.iter().map(|one| one.stopped.len()).sum::<usize>();
            }
        }
        if self.json.json {
            return Ok(out.json(&serde_json::json!({
                "new": new, "known": known, "bad": bad, "stopped": stopped, "done": !self.dry_run,
            }))?);
        }
        let verb = if self.dry_run { "Would be put" } else { "Put" };
        out.line(format!("{verb} on the list: {new}. On it already: {known}."))?;
        if stopped > 0 {
            out.line(format!("{} stopped.", count(stopped, "open invitation")))?;
        }
        if bad > 0 {
            out.line(format!("{} passed over.", count(bad, "line")))?;
        }
        Ok(())
    }
}

impl Frame<'_> {
    /// The entry that a line means, or why it means none.
    fn entry(&self, written: Written) -> Result<SuppressionEntry, String> {
        let given = |text: Option<String>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let kind = match given(written.kind) {
            Some(word) => {
                Some(ListKind::parse(&word).ok_or_else(|| format!("{word:?} is no kind: write address or domain"))?)
            }
            None => None,
        };
        let key = ListKey::from_parts(kind, written.entry.trim())
            .map_err(|why| format!("{:?}: {why}", written.entry.trim()))?;
        let shop = match given(written.shop) {
            Some(text) => shop(self.desk, Some(&text)).map_err(|_| format!("there is no shop {text:?}"))?,
            None => self.shop.clone(),
        };
        let at = match given(written.at) {
            Some(text) => self.date(&text)?,
            None => self.now,
        };
        let (reason, note) = match given(written.reason) {
            Some(text) => reason(Some(&text), ListReason::Imported),
            None => self.reason.clone(),
        };
        let note = given(written.note).map(|note| clean(&note, 500)).or(note);
        let actor = given(written.actor).map_or_else(|| self.actor.clone(), |actor| clean(&actor, 100));
        Ok(SuppressionEntry { key, shop, reason, note, actor, at })
    }

    fn date(&self, text: &str) -> Result<Timestamp, String> {
        let day = || {
            let day = text.get(..10)?.parse::<jiff::civil::Date>().ok()?;
            day.to_zoned(self.zone.to_jiff()).ok().map(|at| at.timestamp().into())
        };
        let at = text.parse::<jiff::Timestamp>().ok().map(Timestamp::from).or_else(day);
        let at = at.ok_or_else(|| format!("{text:?} is no date: write 2026-12-24 or 2026-12-24T08:00:00Z"))?;
        if at > self.now { Err(format!("{text:?} is still to come")) } else { Ok(at) }
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    let name = if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() };
    let undone =
        |why: &dyn std::fmt::Display| Failure::Undone(format!("{name} cannot be read: {why}; nothing was changed"));
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(BYTES_AT_MOST + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(BYTES_AT_MOST + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| undone(&error))?;
    if bytes.len() as u64 > BYTES_AT_MOST {
        return Err(undone(&"it is larger than 256 MB"));
    }
    decode(&bytes).map(|(_, text)| text).map_err(|fault| undone(&fault))
}

type Line = (usize, Result<Written, String>);

/// The lines of a file in whichever of the three forms it is.
fn lines(text: &str) -> Result<Vec<Line>, Failure> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    if first.starts_with('{') {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        return Ok(lines
            .map(|(place, line)| {
                (place + 1, serde_json::from_str(line).map_err(|error| format!("no JSON object of an entry: {error}")))
            })
            .collect());
    }
    let names = first.split([',', ';', '\t', '|']).map(|cell| column(cell.trim().trim_matches('"')));
    if !names.into_iter().any(|name| name == Some("entry")) && !first.starts_with("sep=") {
        return Ok(one_a_line(text));
    }
    let (_, rows) = rows_of(text, |cell| column(cell).is_some())
        .map_err(|fault| Failure::Undone(format!("{fault}; nothing was imported")))?;
    let header =
        rows.first().map(|row| row.cells.iter().map(|cell| column(cell)).collect::<Vec<_>>()).unwrap_or_default();
    if !header.contains(&Some("entry")) {
        return Ok(one_a_line(text));
    }
    let lines = rows.into_iter().skip(1).map(|TableRow { line, cells, fault }| {
        let line = usize::try_from(line).unwrap_or(usize::MAX);
        if let Some(fault) = fault {
            return (line, Err(format!("{}; {}", fault.what, fault.remedy)));
        }
        if cells.len() > header.len() {
            return (line, Err(format!("it has {} cells, and the header has {}", cells.len(), header.len())));
        }
        let mut written = Written::default();
        for (name, cell) in header.iter().zip(cells) {
            match name {
                Some("entry") => written.entry = cell,
                Some("kind") => written.kind = Some(cell),
                Some("shop") => written.shop = Some(cell),
                Some("reason") => written.reason = Some(cell),
                Some("note") => written.note = Some(cell),
                Some("actor") => written.actor = Some(cell),
                Some("at") => written.at = Some(cell),
                _ => {}
            }
        }
        (line, Ok(written))
    });
    Ok(lines.collect())
}

/// What a column of this name holds.
fn column(name: &str) -> Option<&'static str> {
    Some(match name.to_lowercase().replace(['-', '_', ' '], "").as_str() {
        "entry" | "address" | "email" | "emailaddress" | "domain" | "subject" => "entry",
        "kind" | "type" => "kind",
        "shop" => "shop",
        "reason" => "reason",
        "note" | "comment" => "note",
        "actor" | "by" => "actor",
        "at" | "date" | "since" => "at",
        _ => return None,
    })
}

/// One address or domain a line; what begins with `#` is a remark.
fn one_a_line(text: &str) -> Vec<Line> {
    let lines = text.lines().enumerate().map(|(place, line)| (place + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(line, text)| (line, Ok(Written { entry: text.to_owned(), ..Written::default() }))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(text: &str) -> Vec<(usize, String, Option<String>)> {
        let lines = lines(text).map_err(|_| ()).expect("a file");
        lines.into_iter().map(|(line, one)| one.map(|one| (line, one.entry, one.reason)).expect("a line")).collect()
    }

    #[test]
    fn a_file_is_read_in_each_of_its_forms() {
        let (anna, x) = ("anna@x.test".to_owned(), "y.test".to_owned());
        let plain = [(1, anna.clone(), None), (4, x.clone(), None)];
        assert_eq!(entries("anna@x.test\n# those of y\n\ny.test\n"), plain);
        let told = [(2, anna, Some("bounced".to_owned())), (3, x, Some(String::new()))];
        for text in [
            "Email,Reason\nanna@x.test,bounced\ny.test,\n",
            "\u{feff}E-mail address;reason;city\r\nanna@x.test;bounced;Oslo\r\n\"y.test\";;\r\n",
            "reason\taddress\nbounced\tanna@x.test\n\ty.test\n",
        ] {
            assert_eq!(entries(text), told, "{text}");
        }
        assert_eq!(
            entries("{\"entry\":\"anna@x.test\",\"kind\":\"address\",\"shop\":null}\n"),
            [(1, "anna@x.test".to_owned(), None)]
        );
    }
}
