//! `invited import mbox` and `import maildir`: past order mails. The mailbox is gone through twice: once to say what would come of it,
//! and, when somebody wants that, once to take the mails in. One batch of mails is in memory at a time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::Args;

use super::shop_of;
use crate::app::load_templates;
use crate::cli::confirm::confirm;
use crate::cli::output::{count, local};
use crate::cli::progress::Progress;
use crate::cli::when::{Meant, point};
use crate::cli::{ConfigArg, Desk, Failure, JsonArg, Output};
use crate::config::Shop;
use crate::domain::{CopyId, Outcome, State, Timestamp, Zone};
use crate::ops::mailbox::{Found, Maildir, Mbox};
use crate::ops::past_mail::{BATCH, Foresight, OLD_AT_MOST, Outlook, Stamp, past_copy, stamp};
use crate::read::Reader;
use crate::store::PastCopy;

/// Bytes of mails in one batch, beyond which no further one is added.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Bad mails that are shown one by one when the mailbox is imported.
const SHOWN: usize = 50;

/// An mbox file.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  What would come of the order mails of the last weeks; nothing is changed:
    invited import mbox orders.mbox --shop myshop --since 30d --dry-run
  The same, done:
    invited import mbox orders.mbox --shop myshop --since 30d --yes")]
pub(in crate::cli) struct FromMbox {
    /// The file; mboxo, mboxrd, mboxcl and mboxcl2 are told apart
    file: PathBuf,
    #[command(flatten)]
    how: How,
}

/// A Maildir folder.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  What would come of the order mails of a year's end; nothing is changed:
    invited import maildir ~/Maildir/.Orders --since 2026-12-01 --until 2026-12-31 --dry-run
  The same, done:
    invited import maildir ~/Maildir/.Orders --since 2026-12-01 --until 2026-12-31 --yes")]
pub(in crate::cli) struct FromMaildir {
    /// The folder with `cur` and `new` in it; folders beside them are not looked into
    dir: PathBuf,
    #[command(flatten)]
    how: How,
}

/// For whom, and from when.
#[derive(Debug, Args)]
struct How {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// The shop whose mails they are; needed where there are several
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
    /// Only mails written then or later: a date, a local time, an RFC 3339 time, or a span back from now (`30d`); 90 days otherwise
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only mails written before that; of a date, the day belongs to it
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Say what would come of each mail, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl FromMbox {
    pub(super) async fn run(self) -> Result<(), Failure> {
        self.how.run(&Source::Mbox(self.file)).await
    }
}

impl FromMaildir {
    pub(super) async fn run(self) -> Result<(), Failure> {
        self.how.run(&Source::Maildir(self.dir)).await
    }
}

/// A mailbox that can be gone through again.
enum Source {
    Mbox(PathBuf),
    Maildir(PathBuf),
}

/// A mailbox while it is gone through.
enum Messages {
    Mbox(Mbox<BufReader<File>>),
    Maildir(Maildir),
}

impl Source {
    fn path(&self) -> &Path {
        match self {
            Self::Mbox(path) | Self::Maildir(path) => path,
        }
    }

    fn failed(&self, error: &std::io::Error) -> Failure {
        Failure::Undone(format!("{}: {error}; nothing more was read", self.path().display()))
    }

    /// The messages, and how much there is of them in whatever is counted: bytes or files.
    fn open(&self, limit: usize) -> Result<(Messages, u64), Failure> {
        let open = || match self {
            Self::Mbox(path) => {
                let file = File::open(path)?;
                let size = file.metadata()?.len();
                Ok((Messages::Mbox(Mbox::open(BufReader::with_capacity(256 * 1024, file), limit)?), size))
            }
            Self::Maildir(path) => {
                let folder = Maildir::open(path, limit)?;
                let files = folder.left() as u64;
                Ok((Messages::Maildir(folder), files))
            }
        };
        open().map_err(|error: std::io::Error| self.failed(&error))
    }
}

impl Messages {
    fn next(&mut self) -> Option<std::io::Result<Found>> {
        match self {
            Self::Mbox(mbox) => mbox.next(),
            Self::Maildir(folder) => folder.next(),
        }
    }

    /// How far it is, in what [`Source::open`] counts.
    fn position(&mut self, total: u64) -> u64 {
        match self {
            Self::Mbox(mbox) => mbox.position(),
            Self::Maildir(folder) => total.saturating_sub(folder.left() as u64),
        }
    }
}

/// Which mails are meant.
struct Span {
    since: Timestamp,
    until: Timestamp,
    now: Timestamp,
}

/// A mail that is meant, and where it stood.
struct PastMail {
    place: String,
    stamp: Stamp,
    message: Vec<u8>,
}

/// Mails of a batch, and what else was met on the way.
#[derive(Default)]
struct Batch {
    mails: Vec<PastMail>,
    bad: Vec<(String, String)>,
    outside: usize,
}

impl How {
    async fn run(self, source: &Source) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        let shop = shop_of(&desk.config, self.shop.as_deref())?;
        let span = self.span(shop, &desk)?;
        let reader = Reader::new(load_templates(desk.config.templates_dir.as_deref()).map_err(Failure::Config)?);
        let limit = desk.config.door.limits.message;
        let mut report = Report::new(&self, shop.zone.clone());

        let (mut messages, total) = source.open(limit)?;
        let mut foresight = Foresight::new(&desk.config, &reader, shop, &desk.store, desk.policies()?, span.now);
        let mut progress = Progress::new("read", total);
        loop {
            let batch = next_batch(source, &mut messages, &span)?;
            let is_end = batch.is_end();
            report.met(&batch)?;
            let mails = batch.mails.iter().map(|mail| (mail.stamp.clone(), mail.message.clone())).collect::<Vec<_>>();
            for (mail, outlook) in batch.mails.iter().zip(foresight.of(&mails).await?) {
                report.tell(mail, &outlook)?;
            }
            progress.at(messages.position(total));
            if is_end {
                break;
            }
        }
        drop(progress);
        report.end()?;
        if self.dry_run || report.fresh == 0 {
            return report.close(&[]);
        }
        let question = format!(
            "Take in {} for {}, by which {} would begin?",
            count(report.fresh, "mail"),
            shop.id,
            count(report.begins, "invitation")
        );
        if !confirm(&question, self.yes)? {
            return Err(Failure::Undone("nothing was taken in".to_owned()));
        }
        let taken = take_in(&desk, shop, source, &span, limit).await?;
        report.close(&taken)
    }

    fn span(&self, shop: &Shop, desk: &Desk) -> Result<Span, Failure> {
        let (zone, now) = (&shop.zone, desk.clock.now());
        let since = self.since.as_deref().map(|text| point("--since", text, Meant::Since, zone, now)).transpose()?;
        let until = self.until.as_deref().map(|text| point("--until", text, Meant::Until, zone, now)).transpose()?;
        let back = i64::try_from(OLD_AT_MOST.as_millis()).unwrap_or(i64::MAX);
        Ok(Span {
            since: since.unwrap_or(Timestamp(now.0.saturating_sub(back))),
            until: until.unwrap_or(Timestamp(i64::MAX)),
            now,
        })
    }
}

impl Batch {
    /// Whether nothing is left behind it.
    fn is_end(&self) -> bool {
        self.mails.is_empty() && self.bad.is_empty() && self.outside == 0
    }
}

/// The next mails; an empty batch at the end.
fn next_batch(source: &Source, messages: &mut Messages, span: &Span) -> Result<Batch, Failure> {
    let (mut batch, mut bytes) = (Batch::default(), 0);
    while batch.mails.len() < BATCH && batch.bad.len() < BATCH && bytes < BATCH_BYTES {
        let Some(found) = messages.next() else { break };
        match found.map_err(|error| source.failed(&error))? {
            Found::Bad { place, why } => batch.bad.push((place, why)),
            Found::Mail { place, message } => match stamp(&message, span.now) {
                Err(why) => batch.bad.push((place, why.to_owned())),
                Ok(stamp) if stamp.written_at < span.since || stamp.written_at >= span.until => batch.outside += 1,
                Ok(stamp) => {
                    bytes += message.len();
                    batch.mails.push(PastMail { place, stamp, message });
                }
            },
        }
    }
    Ok(batch)
}

/// Takes the mails in, each batch in one transaction. The daemon reads them at once, or as soon as it runs.
async fn take_in(desk: &Desk, shop: &Shop, source: &Source, span: &Span, limit: usize) -> Result<Vec<CopyId>, Failure> {
    let name = source.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let from = format!("import {}", crate::domain::clean(&name, 100));
    let (mut messages, total) = source.open(limit)?;
    let mut progress = Progress::new("taken in", total);
    let mut taken = Vec::new();
    loop {
        let batch = next_batch(source, &mut messages, span)?;
        if batch.is_end() {
            return Ok(taken);
        }
        let mails = batch.mails.into_iter().map(|mail| past_copy(shop, mail.stamp, mail.message, &from));
        let mails = mails.collect::<Vec<PastCopy>>();
        if !mails.is_empty() {
            taken.extend(desk.store.take_past(mails).await?.into_iter().flatten());
        }
        progress.at(messages.position(total));
    }
}

/// What is said of the mails.
struct Report {
    json: bool,
    is_dry: bool,
    zone: Zone,
    rows: Vec<Vec<String>>,
    sums: BTreeMap<&'static str, usize>,
    /// Mails that would be taken in.
    fresh: usize,
    /// Invitations that would begin.
    begins: usize,
    /// Which mails are not meant.
    outside: &'static str,
}

/// Rows of one table.
const TABLE: usize = 200;

impl Report {
    fn new(how: &How, zone: Zone) -> Self {
        let outside = match how.since {
            Some(_) => "outside of the time asked for",
            None => "older than 90 days (to take those too: --since), or outside of the time asked for",
        };
        let (json, is_dry) = (how.json.json, how.dry_run);
        Self { json, is_dry, zone, rows: Vec::new(), sums: BTreeMap::new(), fresh: 0, begins: 0, outside }
    }

    fn met(&mut self, batch: &Batch) -> Result<(), Failure> {
        *self.sums.entry("outside").or_default() += batch.outside;
        for (place, why) in &batch.bad {
            let bad = self.sums.entry("bad").or_default();
            *bad += 1;
            if self.json {
                Output::new().json(&serde_json::json!({ "place": place, "outcome": "bad", "why": why }))?;
            } else if self.is_dry || *bad <= SHOWN {
                Output::new().line(format!("{place}: {why}; it is left out"))?;
            }
        }
        Ok(())
    }

    fn tell(&mut self, mail: &PastMail, outlook: &Outlook) -> Result<(), Failure> {
        let outcome = match outlook {
            Outlook::Known => "known",
            Outlook::Event { .. } => "event",
            Outlook::Nothing(outcome, _) => outcome.as_str(),
        };
        *self.sums.entry(outcome).or_default() += 1;
        self.fresh += usize::from(outcome != "known");
        let mut sentence = match outlook {
            Outlook::Known => "it was taken in before".to_owned(),
            Outlook::Nothing(Outcome::Held, why) => format!("held: {why}"),
            Outlook::Nothing(_, why) => format!("ignored: {why}"),
            Outlook::Event { decision, .. } => decision.rule.sentence().to_owned(),
        };
        let (mut event, mut due) = ("", None);
        if let Outlook::Event { event: told, decision, begins, is_suppressed } = outlook {
            event = told.kind.as_str();
            if matches!(decision.progress.state, State::Queued | State::Sent) {
                due = decision.progress.due_at;
            }
            self.begins += usize::from(*begins);
            if *is_suppressed {
                sentence.push_str("; but the customer is on the suppression list, so no letter goes");
                due = None;
            }
        }
        let order = outlook.order();
        if self.json {
            if self.is_dry {
                Output::new().json(&serde_json::json!({
                    "place": mail.place,
                    "written_at": mail.stamp.written_at.to_string(),
                    "outcome": outcome,
                    "event": (!event.is_empty()).then_some(event),
                    "reference": order.map(|(reference, _)| reference.as_str()),
                    "rule": outlook.rule().map(|rule| rule.as_str()),
                    "due_at": due.map(|due| due.to_string()),
                    "why": sentence,
                }))?;
            }
            return Ok(());
        }
        if self.is_dry {
            self.rows.push(vec![
                mail.place.clone(),
                local(mail.stamp.written_at, &self.zone),
                event.to_owned(),
                order.map(|(reference, _)| reference.to_string()).unwrap_or_default(),
                due.map(|due| local(due, &self.zone)).unwrap_or_default(),
                sentence,
            ]);
            if self.rows.len() >= TABLE {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let rows = std::mem::take(&mut self.rows);
        if !rows.is_empty() {
            Output::new().table(&["WHERE", "WRITTEN", "EVENT", "ORDER", "LETTER DUE", "WHY"], rows)?;
        }
        Ok(())
    }

    fn of(&self, outcome: &str) -> usize {
        self.sums.get(outcome).copied().unwrap_or_default()
    }

    /// The sums, before anything is done.
    fn end(&mut self) -> Result<(), Failure> {
        self.flush()?;
        if self.json {
            return Ok(());
        }
        let mut parts = vec![format!(
            "{} of orders, by which {} would begin",
            count(self.of("event"), "mail"),
            count(self.begins, "invitation")
        )];
        for (outcome, text) in [
            ("held", "that a person should look at"),
            ("ignored", "that are no order's"),
            ("known", "taken in before, or twice in the mailbox"),
            ("outside", self.outside),
            ("bad", "that cannot be taken"),
        ] {
            if self.of(outcome) > 0 {
                parts.push(format!("{} {text}", count(self.of(outcome), "mail")));
            }
        }
        Output::new().line(format!("{}.", parts.join("; ")))?;
        Ok(())
    }

    /// What was done.
    fn close(&self, taken: &[CopyId]) -> Result<(), Failure> {
        let mut out = Output::new();
        if self.json {
            return Ok(out.json(&serde_json::json!({
                "dry_run": self.is_dry,
                "taken_in": taken.len(),
                "first_copy": taken.first(),
                "last_copy": taken.last(),
                "event": self.of("event"),
                "held": self.of("held"),
                "ignored": self.of("ignored"),
                "known": self.of("known"),
                "outside": self.of("outside"),
                "bad": self.of("bad"),
                "begins": self.begins,
            }))?);
        }
        if let (Some(first), Some(last)) = (taken.first(), taken.last()) {
            out.line(format!(
                "{} taken in, as copies {first} to {last}. The daemon reads them at once, or as soon as it runs; see then: \
                 invited queue list, invited held list",
                count(taken.len(), "mail")
            ))?;
        } else if !self.is_dry {
            out.line("Nothing was taken in.")?;
        }
        Ok(())
    }
}
