//! `invited queue stats`: invitations, letters, bounces and reviews over time, as charts and in a table.

mod chart;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value};

use super::glyphs::{Glyphs, columns};
use super::suppress::shop;
use super::when::{Meant, point};
use super::{ConfigArg, Desk, Failure, JsonArg, Output};
use crate::ops::fairness::percent;
use crate::ops::stats::{Bucket, By, Measure, Stats, Sums, day_of};
use crate::store::Store;

/// The widest chart that reads well.
const WIDEST: usize = 160;

/// What `stats` shows.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  The last three months, by weeks:
    invited queue stats
  A year of one shop, by months:
    invited queue stats --shop myshop --since 365d --by month
  For a program, day by day:
    invited queue stats --since 2026-11-01 --by day --json")]
pub(super) struct Show {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// Only of this shop
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
    /// From when on: a date, or a span back from now. Days are counted in UTC
    #[arg(long, value_name = "TIME", default_value = "90d")]
    since: String,
    /// How days are put together; by what fits the time otherwise
    #[arg(long, value_enum)]
    by: Option<ByArg>,
}

/// How days are put together.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ByArg {
    /// Each on its own
    Day,
    /// From Monday to Sunday
    Week,
    /// By the calendar
    Month,
}

impl From<ByArg> for By {
    fn from(by: ByArg) -> Self {
        match by {
            ByArg::Day => Self::Day,
            ByArg::Week => Self::Week,
            ByArg::Month => Self::Month,
        }
    }
}

/// The first and the last day of which counts are told, from `--since` until now.
pub(super) fn days_since(desk: &Desk, since: &str) -> Result<(i64, i64), Failure> {
    let now = desk.clock.now();
    let first = point("--since", since, Meant::Since, &desk.zone(), now)?;
    if first > now {
        return Err(Failure::Undone(format!("--since: {since:?} is still to come; name a day that has been")));
    }
    // Day 0 holds what stands now; nothing was counted before 1970.
    Ok((day_of(first).max(1), day_of(now)))
}

impl Show {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        let shop = shop(&desk, self.shop.as_deref())?;
        let (first, last) = days_since(&desk, &self.since)?;
        let figures = desk.store.figures(first, shop.as_ref()).await?;
        let by = self.by.map_or_else(|| By::fitting(last - first + 1), By::from);
        let stats = Stats::of(&figures, first, last, by);
        let mut out = Output::paged();
        if self.json.json {
            return print_json(&stats, &mut out);
        }
        let whose = shop.map_or_else(|| "all shops".to_owned(), |shop| shop.to_string());
        for line in charts(&stats, &whose, columns().min(WIDEST), Glyphs::of_environment()) {
            out.line(line)?;
        }
        print_tables(&stats, &mut out)
    }
}

/// What is drawn, and what stands above it.
fn charts(stats: &Stats, whose: &str, width: usize, glyphs: Glyphs) -> Vec<String> {
    let mut lines = Vec::new();
    if let (Some(first), Some(last)) = (stats.buckets.first(), stats.buckets.last()) {
        lines.push(format!("{whose}, from {} to {}, by the {} (days in UTC)", first.from, last.to, stats.by.as_str()));
    }
    let label = |bucket: &Bucket| match stats.by {
        By::Month => bucket.from.strftime("%Y-%m").to_string(),
        By::Day | By::Week => bucket.from.strftime("%m-%d").to_string(),
    };
    type Number = fn(&Sums) -> u64;
    let drawn: [(&str, Number); 4] = [
        ("Invitations begun", |sums| sums.get(Measure::Begun)),
        ("Letters taken by the relay", Sums::letters),
        ("Letters that came back", Sums::bounces),
        ("Reviews", |sums| sums.get(Measure::Reviewed)),
    ];
    for (title, number) in drawn {
        lines.push(String::new());
        if number(&stats.total) == 0 {
            lines.push(format!("{title}: none in this time"));
            continue;
        }
        lines.push(format!("{title}: {}", number(&stats.total)));
        let bars = stats.buckets.iter().map(|bucket| (label(bucket), number(&bucket.sums))).collect::<Vec<_>>();
        lines.extend(chart::chart(&bars, width, glyphs));
    }
    lines.push(String::new());
    lines
}

fn print_tables(stats: &Stats, out: &mut Output) -> Result<(), Failure> {
    let rows = stats.buckets.iter().map(|bucket| {
        let get = |measure| bucket.sums.get(measure).to_string();
        let cancelled = [Measure::CancelledByOrder, Measure::CancelledByHand, Measure::Declined, Measure::Suppressed];
        vec![
            bucket.from.to_string(),
            get(Measure::Begun),
            get(Measure::FirstLetters),
            get(Measure::Reminders),
            get(Measure::Refused),
            cancelled.map(|measure| bucket.sums.get(measure)).iter().sum::<u64>().to_string(),
            get(Measure::Dropped),
            get(Measure::HardBounces),
            get(Measure::SoftBounces),
            get(Measure::Complaints),
            get(Measure::Reviewed),
        ]
    });
    let heading = [
        "FROM",
        "BEGUN",
        "LETTERS",
        "REMINDERS",
        "REFUSED",
        "STOPPED",
        "DROPPED",
        "HARD BOUNCES",
        "SOFT",
        "COMPLAINTS",
        "REVIEWS",
    ];
    out.table(&heading, rows.collect())?;
    out.line("")?;
    let total = &stats.total;
    let rows = Measure::ALL.map(|measure| {
        let n = total.get(measure);
        vec![measure.words().to_owned(), n.to_string(), share(n, total.get(Measure::Begun)).unwrap_or_default()]
    });
    out.table(&["WHAT", "SUM", "OF THOSE BEGUN"], rows.into())?;
    if let Some(each) = ratio(total.letters(), total.get(Measure::Begun)) {
        out.line(format!("\nLetters per invitation: {each:.2}"))?;
    }
    out.line(
        "What happened in this time is laid against what began in it: a letter may belong to an earlier invitation. What became of \
         the invitations themselves says: invited fairness",
    )?;
    Ok(())
}

fn share(n: u64, begun: u64) -> Option<String> {
    ratio(n, begun).map(percent)
}

#[expect(clippy::cast_precision_loss, reason = "a share is shown with one or two digits after its point")]
fn ratio(n: u64, of: u64) -> Option<f64> {
    (of > 0).then(|| n as f64 / of as f64)
}

fn print_json(stats: &Stats, out: &mut Output) -> Result<(), Failure> {
    for bucket in &stats.buckets {
        out.json(&object(bucket, stats.by.as_str()))?;
    }
    if let (Some(first), Some(last)) = (stats.buckets.first(), stats.buckets.last()) {
        out.json(&object(&Bucket { from: first.from, to: last.to, sums: stats.total }, "all"))?;
    }
    Ok(())
}

/// The names are a contract.
fn object(bucket: &Bucket, span: &str) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("span".to_owned(), span.into());
    object.insert("from".to_owned(), bucket.from.to_string().into());
    object.insert("to".to_owned(), bucket.to.to_string().into());
    for measure in Measure::ALL {
        object.insert(measure.as_str().to_owned(), bucket.sums.get(measure).into());
    }
    object
}
