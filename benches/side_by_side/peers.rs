//! Who is measured beside us: Postfix, `smtp-sink`, and two servers as one would write them in an afternoon, with
//! `mailin-embedded` and with Python's aiosmtpd, which keep each mail in SQLite with a commit of its own. What is not installed
//! is named, not measured.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Serialize;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::process::{Kept, Tree, run, signal, wait_until};
use crate::servers::{
    Invited, PATIENCE, Postfix, Server, Sink, Watch, check_reachable, command, free_port, is_listening,
};

const AIOSMTPD_SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/side_by_side/peers/aiosmtpd_server.py");

/// A peer that is not there.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Missing {
    pub(crate) server: &'static str,
    pub(crate) why: String,
}

/// Who can be measured here.
pub(crate) struct Peers {
    postfix: Result<(), String>,
    sink: Result<(), String>,
    mailin: Result<PathBuf, String>,
    python: Result<PathBuf, String>,
}

impl Peers {
    /// Looks for all, and builds or installs in `target` (cargo's) what it can.
    pub(crate) fn look(target: &Path) -> Self {
        Self {
            postfix: Postfix::missing().map_or(Ok(()), |why| Err(why.to_owned())),
            sink: has_sink(),
            mailin: build_mailin(target).map_err(|error| format!("{error:#}")),
            python: find_python(&target.join("bench/venv")).map_err(|error| format!("{error:#}")),
        }
    }

    /// Who is not there, and why.
    pub(crate) fn missing(&self) -> Vec<Missing> {
        let all = [
            (Postfix::NAME, self.postfix.as_ref().err()),
            (MAILIN, self.mailin.as_ref().err()),
            (AIOSMTPD, self.python.as_ref().err()),
            (Sink::NAME, self.sink.as_ref().err()),
        ];
        all.into_iter().filter_map(|(server, why)| Some(Missing { server, why: why?.clone() })).collect()
    }

    /// Starts invited and all peers, invited first, each in a folder of its own below `work` and fit for so many sessions.
    pub(crate) fn start(&self, work: &Path, watch: Watch, sessions: usize) -> Result<Vec<Box<dyn Server>>> {
        let folder = work.join(Invited::NAME);
        Invited::prepare(&folder, &Invited::configuration(9, 4, true))?;
        let mut servers: Vec<Box<dyn Server>> = vec![Box::new(Invited::start(&folder, watch)?)];
        if self.postfix.is_ok() {
            let folder = work.join(Postfix::NAME);
            check_reachable(&folder)?;
            servers.push(Box::new(Postfix::start_for(&folder, watch, sessions)?));
        }
        if let Ok(program) = &self.mailin {
            servers.push(Box::new(Small::mailin(program, &work.join(MAILIN), watch, sessions)?));
        }
        if let Ok(python) = &self.python {
            servers.push(Box::new(Small::aiosmtpd(python, &work.join(AIOSMTPD), watch)?));
        }
        // It has nothing to make durable.
        if self.sink.is_ok() && watch == Watch::No {
            servers.push(Box::new(Sink::start(None, None)?));
        }
        Ok(servers)
    }
}

/// Its name in tables.
pub(crate) const MAILIN: &str = "mailin-embedded";
const AIOSMTPD: &str = "aiosmtpd";

/// A server of one process that keeps mails in a table of its own.
struct Small {
    name: &'static str,
    child: Kept,
    watch: Watch,
    port: u16,
    database: PathBuf,
}

impl Small {
    fn mailin(program: &Path, folder: &Path, watch: Watch, sessions: usize) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let (port, database) = (free_port()?, folder.join("mails.db"));
        let mut command = command(&program.display().to_string(), watch, folder);
        command.arg(format!("127.0.0.1:{port}")).arg(&database).arg(sessions.max(100).to_string());
        Self::start(MAILIN, command, watch, port, database)
    }

    fn aiosmtpd(python: &Path, folder: &Path, watch: Watch) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let (port, database) = (free_port()?, folder.join("mails.db"));
        let mut command = command(&python.display().to_string(), watch, folder);
        command.arg(AIOSMTPD_SERVER).arg(port.to_string()).arg(&database);
        Self::start(AIOSMTPD, command, watch, port, database)
    }

    fn start(name: &'static str, mut command: Command, watch: Watch, port: u16, database: PathBuf) -> Result<Self> {
        let log = database.with_file_name("log");
        let child = Kept(command.stderr(File::create(&log)?).spawn().context(name)?);
        let server = Self { name, child, watch, port, database };
        wait_until(name, PATIENCE, || Ok(is_listening(port)))
            .with_context(|| fs::read_to_string(log).unwrap_or_default())?;
        Ok(server)
    }
}

impl Server for Small {
    fn name(&self) -> &'static str {
        self.name
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn tree(&self) -> Tree {
        Tree::of(self.child.0.id()).unwrap_or_else(|error| panic!("{error:#}"))
    }

    fn drain(&self) -> Result<()> {
        Ok(())
    }

    fn kept(&self) -> Result<Option<u64>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let count: i64 = runtime.block_on(async {
            let mut conn = SqliteConnectOptions::new().filename(&self.database).read_only(true).connect().await?;
            // Nothing is ever deleted, so the last number is the count.
            let count = sqlx::query_scalar("SELECT coalesce(max(id), 0) FROM mail").fetch_one(&mut conn).await?;
            conn.close().await?;
            anyhow::Ok(count)
        })?;
        Ok(Some(count.unsigned_abs()))
    }

    fn stop(mut self: Box<Self>) -> Result<()> {
        let root = self.child.0.id();
        let pid = match self.watch {
            Watch::No => root,
            Watch::Fsyncs => Tree::of(root)?.children().first().copied().context("strace has no child")?,
        };
        signal(pid, "TERM")?;
        self.child.0.wait()?;
        Ok(())
    }
}

/// `smtp-sink` has no way to be asked but for its own usage, which it tells as an error.
fn has_sink() -> Result<(), String> {
    let told = Command::new("smtp-sink").output();
    told.map(|_| ()).map_err(|error| format!("smtp-sink, of the postfix package, cannot be started: {error}"))
}

/// The example of this package, as optimized as the rest.
fn build_mailin(target: &Path) -> Result<PathBuf> {
    run(Command::new(env!("CARGO"))
        .args(["build", "--release", "--quiet", "--example", "mailin_server", "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR")))?;
    Ok(target.join("release/examples/mailin_server"))
}

/// A Python that has aiosmtpd: the one of the path, Debian's, or else one of our own, for which pip must reach its registry.
fn find_python(venv: &Path) -> Result<PathBuf> {
    let own = venv.join("bin/python3");
    let knows = |python: &Path| run(Command::new(python).args(["-c", "import aiosmtpd, sqlite3"])).is_ok();
    if let Some(python) = [Path::new("python3"), Path::new("/usr/bin/python3"), &own].into_iter().find(|one| knows(one))
    {
        return Ok(python.to_owned());
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(venv)).context("no Python with aiosmtpd")?;
    run(Command::new(&own).args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--timeout",
        "10",
        "--retries",
        "1",
        "aiosmtpd==1.4.6",
    ]))
    .context("no Python with aiosmtpd")?;
    Ok(own)
}
