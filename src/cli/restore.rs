//! `invited restore`: a backup takes the place of the queue. What may have gone out since it was made is held for a person, so that
//! nobody gets a letter twice.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::output::{count, local};
use super::when::{Meant, point};
use super::who::Who;
use super::{ConfigArg, Failure, JsonArg, Output};
use crate::app::{database_password, load_config};
use crate::clock::Clock;
use crate::config::{Config, Database};
use crate::domain::{Gap, InvitationId, Timestamp, Zone};
use crate::store::{BackupError, Knows, Restoration, Restored, StoreError, TakenOver, hold_since, restore};

/// What to put back, and where.
///
/// What the queue that is replaced knows is taken over: letters that went, orders that were cancelled, who is not written to, who was
/// erased. Where it is lost, cannot be read or has missed something itself, every invitation is held whose letter may have gone since the
/// backup, and what copies tell later of that time is held too. Mails that came in between are not in the backup: hand them in again
/// with `invited import mbox` if you have them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  In the place of a queue that is lost:
    invited restore /var/backups/invited/monday.db
  In the place of one that is there, which is kept under another name:
    invited restore /var/backups/invited/monday.db --replace
  A copy that something else made, at that time:
    invited restore snapshot.db --as-of \"2027-01-04 03:00\" --replace
  A queue on a server, which pg_restore has put back, before a daemon is started:
    invited restore --as-of \"2027-01-04 03:00\"")]
pub(super) struct Restore {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// The backup; left out for a queue that something else has put back already, such as pg_restore
    #[arg(value_name = "BACKUP", required_unless_present = "as_of")]
    backup: Option<PathBuf>,
    /// Where the queue is to be; where the configuration says, otherwise
    #[arg(long, value_name = "FILE", requires = "backup")]
    to: Option<PathBuf>,
    /// Keep the queue that is there under another name, instead of refusing
    #[arg(long, requires = "backup")]
    replace: bool,
    /// When the backup was made, for one that `invited backup` did not make
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// Say that no letter went before its time since the backup (by `queue send-now`, `queue reschedule` or a shorter delay): hold only
    /// what was due
    #[arg(long)]
    on_time: bool,
    #[command(flatten)]
    who: Who,
}

impl Restore {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let config = load_config(&self.config.config).map_err(Failure::Config)?;
        let now = Clock::System.now();
        let zone = config.shops.first().map_or(Zone::UTC, |shop| shop.zone.clone());
        let since = self.as_of.as_deref().map(|text| point("--as-of", text, Meant::Since, &zone, now)).transpose()?;
        let Some(backup) = &self.backup else {
            return self.hold(&config, since, now, &zone).await;
        };
        let to = match (&self.to, &config.database) {
            (Some(to), _) => to.clone(),
            (None, Database::Sqlite(path)) => path.clone(),
            (None, Database::Postgres(server)) => {
                return Err(Failure::Undone(format!(
                    "the queue is on a server; put a dump back into an empty database with pg_restore --dbname='{server}' {}, and \
                     then, before a daemon is started, run: invited restore --as-of TIME",
                    backup.display()
                )));
            }
        };
        let order = Restoration {
            backup,
            to: &to,
            replace: self.replace,
            since,
            on_time: self.on_time,
            policies: Arc::new(config.policies()),
            actor: self.who.clone().actor_for(backup),
            now,
        };
        let restored = restore(&order).await.map_err(|error| match error {
            BackupError::Exists(path) if path == to => Failure::Undone(format!(
                "there is a queue at {}; with --replace it is kept under another name",
                path.display()
            )),
            BackupError::WhenUnknown(why) if since.is_none() => Failure::Undone(format!("{why}; say it: --as-of TIME")),
            error => error.into(),
        })?;
        self.tell(&to, &restored, &zone)
    }

    /// Holds in the queue as it stands what may have gone out since then.
    async fn hold(
        &self,
        config: &Config,
        since: Option<Timestamp>,
        now: Timestamp,
        zone: &Zone,
    ) -> Result<(), Failure> {
        let gap = Gap { since: since.unwrap_or(now), until: now, on_time: self.on_time };
        let password = database_password(&config.database).map_err(Failure::Config)?;
        let (actor, policies) = (self.who.clone().actor(), Arc::new(config.policies()));
        let held =
            hold_since(&config.database, password.as_deref(), gap, &actor, policies).await.map_err(
                |error| {
                    match error {
                BackupError::Store(StoreError::Taken { pid: 0 }) => Failure::Undone(
                    "a daemon works on this database, or its lease is not over yet; stop it, and try again in a minute"
                        .to_owned(),
                ),
                error => error.into(),
            }
                },
            )?;
        let mut out = Output::new();
        if self.json.json {
            return Ok(out.json(&json!({
                "backup_at": gap.since.to_string(), "restored_at": gap.until.to_string(), "held": held,
            }))?);
        }
        out.line(format!("{} is the queue of {}.", config.database, local(gap.since, zone)))?;
        tell_of_held(&held, gap, "put the dump back once more and run this", &mut out)
    }

    fn tell(&self, to: &std::path::Path, restored: &Restored, zone: &Zone) -> Result<(), Failure> {
        let Restored { gap, contents, taken, held, kept } = restored;
        let mut out = Output::new();
        if self.json.json {
            return Ok(out.json(&json!({
                "file": to,
                "backup_at": gap.since.to_string(),
                "restored_at": gap.until.to_string(),
                "copies": contents.copies,
                "invitations": contents.invitations,
                "letters": contents.letters,
                "compared": match taken.knows {
                    Knows::Everything => "whole",
                    Knows::Something => "in_part",
                    Knows::Nothing(_) => "no",
                },
                "taken_over": taken.invitations,
                "erased": taken.erased,
                "held": held,
                "kept": kept,
            }))?);
        }
        out.line(format!(
            "{} is the queue of {}, with {}.",
            to.display(),
            local(gap.since, zone),
            count(usize::try_from(contents.invitations).unwrap_or(usize::MAX), "invitation"),
        ))?;
        if let Some(kept) = kept {
            out.line(format!("The queue that was there is kept as {}.", kept.display()))?;
        }
        tell_of_taken(taken, &mut out)?;
        if taken.knows == Knows::Everything {
            return Ok(out.line("Nothing is held, since it knew of every letter.")?);
        }
        tell_of_held(held, *gap, "run this once more, before a daemon is started,", &mut out)
    }
}

/// Says what the queue that was there has told.
fn tell_of_taken(taken: &TakenOver, out: &mut Output) -> Result<(), Failure> {
    let invitations = count(usize::try_from(taken.invitations).unwrap_or(usize::MAX), "invitation");
    let line = match &taken.knows {
        Knows::Everything => format!(
            "As in that queue stand: {invitations} with letters, or an end, since; who is not written to; and who was erased."
        ),
        Knows::Something => format!(
            "That queue is not what became of the one in the backup, or has a gap itself. As in it stand: {invitations} with letters, or \
             an end, since. Who is not written to in either is not written to."
        ),
        Knows::Nothing(why) => format!("Nothing is known of the time since: {why}."),
    };
    Ok(out.line(line)?)
}

/// Says what is held and how it goes on.
fn tell_of_held(held: &[InvitationId], gap: Gap, again: &str, out: &mut Output) -> Result<(), Failure> {
    if held.is_empty() {
        return Ok(out.line("No letter may have gone in between.")?);
    }
    if !gap.on_time {
        out.line(format!(
            "Letters may have gone before their time (queue send-now, queue reschedule, a shorter delay), so all that were to go are held. If \
             you know that none did, {again} with --on-time: only what was due is held then."
        ))?;
    }
    out.line(format!(
        "{}, since the letter may have gone out in between. They are among:\n\
             \x20   invited queue list --state held\n\
             and go out, each by the shop's rules, with:\n\
             \x20   invited queue reschedule --state held --to \"1 hour\"\n\
             or one by one, by number; none of them ever with:\n\
             \x20   invited queue cancel --state held\n\
             Their numbers: {}",
        if held.len() == 1 {
            "1 invitation is held".to_owned()
        } else {
            format!("{} invitations are held", held.len())
        },
        numbers(held),
    ))?;
    Ok(())
}

/// The numbers, as many as can be read.
fn numbers(held: &[InvitationId]) -> String {
    const SHOWN: usize = 20;
    let mut text = held.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(" ");
    if held.len() > SHOWN {
        text += " … (all of them with --json)";
    }
    text
}
