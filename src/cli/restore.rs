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
use crate::app::load_config;
use crate::clock::Clock;
use crate::config::Database;
use crate::domain::Zone;
use crate::store::{BackupError, Restoration, Restored, restore};

/// What to put back, and where.
///
/// Held are the invitations whose letter was due between the backup and now, those that were being sent, and those whose trigger may have come
/// in between. What copies tell later of that time is held too. Mails that came in between are not in the backup: hand them in again with
/// `invited import mbox` if you have them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  In the place of a queue that is lost:
    invited restore /var/backups/invited/monday.db
  In the place of one that is there, which is kept under another name:
    invited restore /var/backups/invited/monday.db --replace
  A copy that something else made, at that time:
    invited restore snapshot.db --as-of \"2027-01-04 03:00\" --replace")]
pub(super) struct Restore {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// The backup
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    /// Where the queue is to be; where the configuration says, otherwise
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Keep the queue that is there under another name, instead of refusing
    #[arg(long)]
    replace: bool,
    /// When the backup was made, for one that `invited backup` did not make
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    #[command(flatten)]
    who: Who,
}

impl Restore {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let config = load_config(&self.config.config).map_err(Failure::Config)?;
        let to = match (&self.to, &config.database) {
            (Some(to), _) => to.clone(),
            (None, Database::Sqlite(path)) => path.clone(),
            (None, Database::Postgres(server)) => {
                return Err(Failure::Undone(format!(
                    "the queue is on a server; put a dump back with pg_restore, into an empty database: \
                     pg_restore --dbname='{server}' {}",
                    self.backup.display()
                )));
            }
        };
        let now = Clock::System.now();
        let zone = config.shops.first().map_or(Zone::UTC, |shop| shop.zone.clone());
        let since = self.as_of.as_deref().map(|text| point("--as-of", text, Meant::Since, &zone, now)).transpose()?;
        let order = Restoration {
            backup: &self.backup,
            to: &to,
            replace: self.replace,
            since,
            policies: Arc::new(config.policies()),
            actor: self.who.clone().actor_for(&self.backup),
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

    fn tell(&self, to: &std::path::Path, restored: &Restored, zone: &Zone) -> Result<(), Failure> {
        let Restored { gap, contents, held, kept } = restored;
        let mut out = Output::new();
        if self.json.json {
            return Ok(out.json(&json!({
                "file": to,
                "backup_at": gap.since.to_string(),
                "restored_at": gap.until.to_string(),
                "copies": contents.copies,
                "invitations": contents.invitations,
                "letters": contents.letters,
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
        if held.is_empty() {
            return Ok(out.line("No letter was due in between.")?);
        }
        out.line(format!(
            "{}, since the letter was due in between and may have gone out. They are among:\n\
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
}

/// The numbers, as many as can be read.
fn numbers(held: &[crate::domain::InvitationId]) -> String {
    const SHOWN: usize = 20;
    let mut text = held.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join(" ");
    if held.len() > SHOWN {
        text += " … (all of them with --json)";
    }
    text
}
