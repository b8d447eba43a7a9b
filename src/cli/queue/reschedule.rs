//! `invited queue reschedule`.

use clap::Args;

use super::change::{Change, Words};
use super::{Failure, Meant, point};
use crate::domain::{Timestamp, Zone};
use crate::ops::desk::Wish;

/// When the next letter should go out. The shop's send window and caps still hold at that time.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  To the morning of a day, to an hour, or by a span from now:
    invited queue reschedule 4711 --to 2027-01-07
    invited queue reschedule 4711 --to \"2027-01-07 16:30\"
    invited queue reschedule 4711 4712 --to \"2 weeks\" --reason \"the parcels are late\"
  A week later than it is due now:
    invited queue reschedule LN-2204 --by \"1 week\"
  Everything that is due before the holidays are over:
    invited queue reschedule --shop nord --due-before 2027-01-07 --by \"5 days\" --dry-run")]
pub(in crate::cli) struct Reschedule {
    #[command(flatten)]
    change: Change,
    /// A date (`2026-12-24`: nine in the morning), a local time (`2026-12-24 09:00`), an RFC 3339 time, or a span from now (`3 days`)
    #[arg(long, value_name = "TIME", conflicts_with = "by")]
    to: Option<String>,
    /// So much later than it is due now, or earlier (`-2 days`)
    #[arg(long, value_name = "SPAN", allow_hyphen_values = true)]
    by: Option<String>,
}

impl Reschedule {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let Self { change, to, by } = self;
        if to.is_none() && by.is_none() {
            return Err(Failure::Usage("say when: --to TIME, or --by SPAN".to_owned()));
        }
        let tail = match (&to, &by) {
            (Some(to), _) => format!(" to {to}"),
            (None, by) => format!(" by {}", by.as_deref().unwrap_or_default()),
        };
        let words = Words { ask: "Move the next letter of", done: "moved", tail };
        change.carry_out(&words, |zone, now| wish(to.as_deref(), by.as_deref(), zone, now)).await
    }
}

fn wish(to: Option<&str>, by: Option<&str>, zone: &Zone, now: Timestamp) -> Result<Wish, Failure> {
    if let Some(to) = to {
        let at = point("--to", to, Meant::Ahead, zone, now)?;
        return Ok(Wish::MoveTo(at));
    }
    let text = by.unwrap_or_default().trim();
    let span = text.parse::<jiff::Span>().ok().filter(|span| !span.is_zero()).ok_or_else(|| {
        Failure::Usage(format!(
            "--by: {text:?} is no span: write \"3 days\", 2w, \"36 hours\", or \"-2 days\" for earlier"
        ))
    })?;
    Ok(Wish::MoveBy(span, zone.clone()))
}
