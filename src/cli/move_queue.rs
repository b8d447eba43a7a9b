//! `invited move`: the queue goes from an SQLite file to a PostgreSQL server, or back, while the daemon works.

use std::io::{IsTerminal as _, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use super::{ConfigArg, Failure, JsonArg, Output};
use crate::app::{database_password, load_config};
use crate::clock::Clock;
use crate::config::{Database, Secret};
use crate::domain::Timestamp;
use crate::store::{self, Ending, Moved, Place, Step, Watch};

/// Passes over a source on which a daemon works. Each has less to do than the one before, and none of them can be the last.
const PASSES: u32 = 5;

/// How often progress is told to a terminal, and to a file.
const SHOWN_EVERY: Duration = Duration::from_millis(200);
const WRITTEN_EVERY: Duration = Duration::from_secs(5);

/// Where to move the queue.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  From a file to a server, while the daemon works; run again, it goes on:
    invited move --to postgres://invited@db.example/invited --password-file /etc/invited/db-password
  And back:
    invited move --to /var/lib/invited/invited.db")]
pub(super) struct Move {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// Where to: a file's path, or postgres://user@host/name
    #[arg(long, value_name = "DATABASE")]
    to: String,
    /// A file with the password of the server that the queue moves to
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl Move {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let to = self.target()?;
        let from = load_config(&self.config.config).map_err(Failure::Config)?.database;
        let passwords =
            (database_password(&from).map_err(Failure::Config)?, database_password(&to).map_err(Failure::Config)?);
        let mut progress = Progress::new();
        let moved = store::transfer(
            Place { database: &from, password: passwords.0.as_deref() },
            Place { database: &to, password: passwords.1.as_deref() },
            PASSES,
            &mut progress,
        )
        .await;
        progress.end();
        let moved = match moved {
            // By then rows are there already, whatever stood in the way.
            Err(error) if progress.last.is_some() => {
                return Err(Failure::Undone(format!("{error}; {}", unfinished(Ending::Stopped))));
            }
            moved => moved?,
        };
        if self.json.json {
            print_json(&moved)?
        } else {
            print_table(&moved)?
        }
        if moved.ending != Ending::Finished {
            return Err(Failure::Undone(unfinished(moved.ending).to_owned()));
        }
        if !self.json.json {
            Output::new().line(format!(
                "The queue is at {to}. {from} was not changed. Now write this into {}, and start the daemon:\n{}",
                self.config.config.display(),
                self.setting(&to),
            ))?;
        }
        Ok(())
    }

    /// What `--to` and `--password-file` name; a relative path starts from where the command is run.
    fn target(&self) -> Result<Database, Failure> {
        let mut to = Database::parse(&self.to, Path::new("")).map_err(|faults| {
            let faults = faults.iter().map(|fault| format!("--to {fault}")).collect::<Vec<_>>();
            Failure::Usage(faults.join("; "))
        })?;
        match (&mut to, &self.password_file) {
            (Database::Sqlite(path), None) => *path = std::path::absolute(&*path)?,
            (Database::Sqlite(_), Some(_)) => {
                return Err(Failure::Usage(
                    "--password-file has no use, since an SQLite file has no password".to_owned(),
                ));
            }
            (Database::Postgres(server), file) => server.password = file.clone().map(Secret::File),
        }
        Ok(to)
    }

    /// The line of the configuration that names the new place.
    fn setting(&self, to: &Database) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        match (to, &self.password_file) {
            (Database::Sqlite(path), _) => format!("database = {}", quoted(&path.display().to_string())),
            (Database::Postgres(_), None) => format!("database = {}", quoted(&self.to)),
            (Database::Postgres(_), Some(file)) => {
                let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
                let (url, file) = (quoted(&self.to), quoted(&file.display().to_string()));
                format!("database = {{ url = {url}, password = {{ file = {file} }} }}")
            }
        }
    }
}

fn unfinished(ending: Ending) -> &'static str {
    match ending {
        Ending::InUse => {
            "not finished: a daemon works on the source, or its lease is not over yet; stop it and run this again, which then has little left to do"
        }
        Ending::Changing | Ending::Finished => {
            "not finished: the source was changed meanwhile; keep everybody from it and run this again"
        }
        Ending::Stopped => "not finished: run this again, and it goes on from there",
    }
}

fn print_json(moved: &Moved) -> Result<(), Failure> {
    let mut out = Output::new();
    for table in &moved.tables {
        out.json(&serde_json::json!({
            "table": table.table,
            "source_rows": table.source.rows,
            "source_checksum": table.source.checksum,
            "target_rows": table.target.rows,
            "target_checksum": table.target.checksum,
            "written": table.written,
            "removed": table.removed,
        }))?;
    }
    out.json(&serde_json::json!({ "finished": moved.ending == Ending::Finished, "passes": moved.passes }))?;
    Ok(())
}

fn print_table(moved: &Moved) -> Result<(), Failure> {
    let rows = moved
        .tables
        .iter()
        .map(|table| {
            vec![
                table.table.to_owned(),
                table.source.rows.to_string(),
                table.target.rows.to_string(),
                // Enough for the eye; --json has all of it.
                table.source.checksum[..16].to_owned(),
                table.target.checksum[..16].to_owned(),
                if table.source == table.target { "equal".to_owned() } else { "DIFFERENT".to_owned() },
            ]
        })
        .collect();
    Output::new().table(&["TABLE", "ROWS HERE", "ROWS THERE", "SHA-256 HERE", "SHA-256 THERE", ""], rows)?;
    Ok(())
}

/// Progress on standard error: one line that is written over on a terminal, now and then a line elsewhere.
struct Progress {
    is_terminal: bool,
    began: Instant,
    told: Option<(Instant, u32)>,
    /// Rows of the passes before the present one.
    rows_before: u64,
    last: Option<Step>,
}

impl Progress {
    fn new() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { is_terminal, began: Instant::now(), told: None, rows_before: 0, last: None }
    }

    fn tell(&self, step: &Step) {
        let seconds = self.began.elapsed().as_secs_f64().max(0.001);
        let rows = self.rows_before + step.rows;
        let line = format!(
            "pass {}: {} {} of {}, {rows} rows compared, {:.0} a second",
            step.pass,
            step.table,
            step.at,
            step.last,
            rows as f64 / seconds
        );
        self.write(&if self.is_terminal { format!("\r{line}\x1b[K") } else { format!("{line}\n") });
    }

    /// Nothing can be done about a standard error that is closed.
    fn write(&self, text: &str) {
        let mut err = std::io::stderr().lock();
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }

    /// Leaves the last state standing, on a line of its own.
    fn end(&self) {
        if let Some(step) = &self.last {
            self.tell(step);
            if self.is_terminal {
                self.write("\n");
            }
        }
    }
}

impl Watch for Progress {
    fn now(&self) -> Timestamp {
        Clock::System.now()
    }

    fn went_on(&mut self, step: &Step) -> ControlFlow<()> {
        if let Some(last) = self.last.filter(|last| last.pass != step.pass) {
            self.rows_before += last.rows;
        }
        self.last = Some(*step);
        let every = if self.is_terminal { SHOWN_EVERY } else { WRITTEN_EVERY };
        if self.told.is_none_or(|(at, pass)| pass != step.pass || at.elapsed() >= every) {
            self.tell(step);
            self.told = Some((Instant::now(), step.pass));
        }
        ControlFlow::Continue(())
    }
}
