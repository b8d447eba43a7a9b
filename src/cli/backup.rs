//! `invited backup`: a copy of the queue that is whole as of one instant, while the daemon works.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::output::count;
use super::{ConfigArg, Failure, JsonArg, Output};
use crate::app::load_config;
use crate::clock::Clock;
use crate::config::Database;
use crate::store::backup;

/// Where to put it.
///
/// The file holds customers' names and addresses: only its owner may read it, and it should stay so where it is taken to. The configuration
/// and the master key are not in it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  While the daemon works; `invited restore` is the way back:
    invited backup /var/backups/invited/monday.db
  And what is in it, for a script:
    invited backup /var/backups/invited/tuesday.db --json")]
pub(super) struct Backup {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// The file to make; never written over
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Backup {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let database = match load_config(&self.config.config).map_err(Failure::Config)?.database {
            Database::Sqlite(path) => path,
            Database::Postgres(server) => {
                return Err(Failure::Undone(format!(
                    "the queue is on a server, which backs it up itself, while daemons work: \
                     pg_dump --format=custom --file={} '{server}'",
                    self.file.display()
                )));
            }
        };
        let made = backup(&database, &self.file, Clock::System.now()).await?;
        let mut out = Output::new();
        if self.json.json {
            return Ok(out.json(&json!({
                "file": self.file,
                "at": made.at.to_string(),
                "bytes": made.bytes,
                "copies": made.contents.copies,
                "invitations": made.contents.invitations,
                "letters": made.contents.letters,
            }))?);
        }
        let number = |rows: u64, what| count(usize::try_from(rows).unwrap_or(usize::MAX), what);
        Ok(out.line(format!(
            "{}: {} bytes, looked through and on disk: {}, {}, {}.",
            self.file.display(),
            made.bytes,
            number(made.contents.copies, "mail"),
            number(made.contents.invitations, "invitation"),
            number(made.contents.letters, "letter"),
        ))?)
    }
}
