//! What a server is to the benchmark, and `invited serve` as one, with a folder, a configuration and a log of its own. All that
//! is asked of its database is asked here. The others are in `peers.rs` and `postfix.rs`.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use invited::config::{Answers, Database, template};
use invited::store::{self, Counts, Role, SqlStore, Store};

pub(crate) use crate::client::Load;
pub(crate) use crate::postfix::{Postfix, Sink, check_reachable};
use crate::process::{Kept, Tree, run, signal, wait_until};

/// How long anything may take to start, stop, or work off what it took in.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// The recipient of all mails: the BCC address of the one shop.
pub(crate) const RECIPIENT: &str = "shop+abcdefgh23456789abcd@invited.example.com";

/// How a server's processes are started.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    /// As they are.
    No,
    /// Below strace, which counts their fsyncs and slows them down.
    Fsyncs,
}

/// What takes mail.
pub(crate) trait Server {
    /// Its name in tables.
    fn name(&self) -> &'static str;
    /// Its port on the loopback.
    fn port(&self) -> u16;
    /// Its processes.
    fn tree(&self) -> Tree;
    /// Waits until all that was taken in is worked off: read and filed, or delivered.
    fn drain(&self) -> Result<()>;
    /// How many messages it has kept so far, where it keeps any: what was answered with 250 must be there.
    fn kept(&self) -> Result<Option<u64>> {
        Ok(None)
    }
    /// How many messages it has yet to work off, where it can tell.
    fn unread(&self) -> Result<u64> {
        Ok(0)
    }
    /// Stops it in order.
    fn stop(self: Box<Self>) -> Result<()>;
}

/// `invited serve` on a database of its own.
pub(crate) struct Invited {
    child: Kept,
    watch: Watch,
    port: u16,
    folder: PathBuf,
    runtime: tokio::runtime::Runtime,
    desk: Arc<SqlStore>,
}

impl Invited {
    /// Its name in tables.
    pub(crate) const NAME: &'static str = "invited";

    /// The configuration of a daemon in `folder`: the starter's, with lines replaced.
    pub(crate) fn configuration(relay: u16, connections: usize, hold_all: bool) -> String {
        let mut answers = Answers::new("shop.example.com", "abcdefgh23456789abcd");
        "invited.db".clone_into(&mut answers.database);
        "invited.example.com".clone_into(&mut answers.ingest_domain);
        "shop".clone_into(&mut answers.shop);
        "127.0.0.1:0".clone_into(&mut answers.listen);
        answers.relay = format!("smtp://127.0.0.1:{relay}");
        answers.at_any_hour = true;
        answers.believe_address = true;
        template(&answers)
            // One machine plays all clients.
            .replace("#sessions = 200", "sessions = 2000")
            .replace("#sessions_per_client = 20", "sessions_per_client = 1500")
            .replace("#connections = 4", &format!("connections = {connections}"))
            .replace("#hold_all = false", &format!("hold_all = {hold_all}"))
    }

    /// Writes what a daemon in `folder` needs, but for the database.
    pub(crate) fn prepare(folder: &Path, configuration: &str) -> Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("invited.toml"), configuration)?;
        let key = folder.join("master.key");
        fs::write(&key, "0123456789abcdef0123456789abcdef\n")?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        Ok(())
    }

    /// Starts the release binary in a prepared folder.
    pub(crate) fn start(folder: &Path, watch: Watch) -> Result<Self> {
        let addresses = folder.join("addresses");
        let _ = fs::remove_file(&addresses);
        let child = command(env!("CARGO_BIN_EXE_invited"), watch, folder)
            .args(["serve", "--create", "--config"])
            .arg(folder.join("invited.toml"))
            .arg("--addresses")
            .arg(&addresses)
            .stderr(File::create(folder.join("log"))?)
            .spawn()
            .context("invited serve")?;
        let child = Kept(child);
        let mut port = 0;
        wait_until("invited listens", PATIENCE, || {
            let Ok(text) = fs::read_to_string(&addresses) else { return Ok(false) };
            port = text.trim().rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(0);
            Ok(port != 0)
        })
        .with_context(|| fs::read_to_string(folder.join("log")).unwrap_or_default())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let desk =
            Arc::new(runtime.block_on(store::open(&Database::Sqlite(folder.join("invited.db")), None, Role::Desk))?);
        Ok(Self { child, watch, port, folder: folder.to_owned(), runtime, desk })
    }

    /// How many copies are unread and invitations stand where.
    pub(crate) fn counts(&self) -> Result<Counts> {
        Ok(self.runtime.block_on(self.desk.counts())?)
    }

    /// Puts a new configuration in place and makes the daemon take it.
    pub(crate) fn reload(&self, configuration: &str) -> Result<()> {
        fs::write(self.folder.join("invited.toml"), configuration)?;
        signal(self.pid()?, "HUP")
    }

    fn pid(&self) -> Result<u32> {
        let pid = self.child.0.id();
        match self.watch {
            Watch::No => Ok(pid),
            Watch::Fsyncs => Tree::of(pid)?.children().first().copied().context("strace has no child"),
        }
    }
}

impl Server for Invited {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn tree(&self) -> Tree {
        Tree::of(self.child.0.id()).unwrap_or_else(|error| panic!("{error:#}"))
    }

    fn drain(&self) -> Result<()> {
        let start = Instant::now();
        loop {
            let asking = Instant::now();
            if self.counts()?.unread == 0 {
                return Ok(());
            }
            ensure!(start.elapsed() < PATIENCE, "invited has not read all copies within {PATIENCE:?}");
            // Asking costs the more, the more there are; it shall not take part in what is measured.
            std::thread::sleep((asking.elapsed() * 20).max(Duration::from_millis(10)));
        }
    }

    fn unread(&self) -> Result<u64> {
        Ok(self.counts()?.unread)
    }

    fn kept(&self) -> Result<Option<u64>> {
        // Each mail is the first of its order: when all are read, there are as many invitations.
        let counts = self.counts()?;
        ensure!(counts.held_copies == 0, "the reader could not tell what {} mails are about", counts.held_copies);
        Ok(Some(counts.unread + counts.invitations.values().sum::<u64>()))
    }

    fn stop(mut self: Box<Self>) -> Result<()> {
        self.runtime.block_on(self.desk.close());
        signal(self.pid()?, "TERM")?;
        let status = self.child.0.wait()?;
        ensure!(status.success(), "invited ended with {status}");
        Ok(())
    }
}

/// Lets `smtp-source` hand a mail in `messages` times, and says how long that took.
pub(crate) fn hand_in(port: u16, mail: &Path, load: Load, messages: usize) -> Result<Duration> {
    let mut command = Command::new("smtp-source");
    if load.reuse {
        command.arg("-d");
    }
    command
        .args(["-s", &load.sessions.to_string(), "-m", &messages.to_string(), "-C", "10"])
        .args(["-M", "client.example.com", "-f", "orders@shop.example.com", "-t", RECIPIENT, "-F"])
        .arg(mail)
        .arg(format!("127.0.0.1:{port}"));
    let start = Instant::now();
    run(&mut command)?;
    Ok(start.elapsed())
}

/// The number of fsyncs and fdatasyncs in strace's summary of a server that was started in `folder` and has ended.
pub(crate) fn fsyncs(folder: &Path) -> Result<u64> {
    let file = folder.join("strace");
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let lines = text.lines().filter(|line| line.ends_with("fsync") || line.ends_with("fdatasync"));
    let counts = lines.map(|line| line.split_ascii_whitespace().nth(3).and_then(|count| count.parse::<u64>().ok()));
    let sum = counts.sum::<Option<u64>>().with_context(|| format!("no summary of strace: {text}"))?;
    ensure!(sum > 0, "strace saw no fsync: {text}");
    Ok(sum)
}

/// A command, below strace where that is wanted.
pub(crate) fn command(program: &str, watch: Watch, folder: &Path) -> Command {
    match watch {
        Watch::No => Command::new(program),
        Watch::Fsyncs => {
            let mut command = Command::new("strace");
            command.args(["-f", "--seccomp-bpf", "-c", "-e", "trace=fsync,fdatasync", "-o"]);
            command.arg(folder.join("strace")).arg(program);
            command
        }
    }
}

/// A port that nobody has now.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Whether somebody takes connections there.
pub(crate) fn is_listening(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Whether somebody else has the port by now.
pub(crate) fn is_bound(port: u16) -> bool {
    let Ok(table) = fs::read_to_string("/proc/net/tcp") else { return false };
    table.contains(&format!("0100007F:{port:04X} 00000000:0000 0A"))
}
