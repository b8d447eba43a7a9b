//! The servers that are measured, each with a folder, a configuration and a log of its own: `invited serve`, Postfix with a
//! `config_directory` beside the packaged one, and Postfix's `smtp-sink`, which throws everything away.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use invited::config::Database;
use invited::config::{Answers, template};
use invited::domain::InvitationId;
use invited::store::{self, Role, SqlStore};
use invited::store::{Counts, Store, Subject};

use crate::process::{Kept, Tree, run, signal, wait_until};

/// How long anything may take to start, stop, or work off what it took in.
const PATIENCE: Duration = Duration::from_secs(120);

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

/// What takes mail from `smtp-source`.
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
    /// The configuration of a daemon in `folder`: the starter's, with lines replaced.
    pub(crate) fn configuration(relay: u16, connections: usize, hold_all: bool) -> String {
        let mut answers = Answers::new("shop.example.com", "abcdefgh23456789abcd");
        "invited.db".clone_into(&mut answers.database);
        "invited.example.com".clone_into(&mut answers.ingest_domain);
        "shop".clone_into(&mut answers.shop);
        "127.0.0.1:0".clone_into(&mut answers.listen);
        answers.relay = format!("smtp://127.0.0.1:{relay}");
        template(&answers)
            // One machine plays all clients.
            .replace("#sessions_per_client = 20", "sessions_per_client = 200")
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
        "invited"
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn tree(&self) -> Tree {
        Tree::of(self.child.0.id()).unwrap_or_else(|error| panic!("{error:#}"))
    }

    fn drain(&self) -> Result<()> {
        wait_until("invited has read all copies", PATIENCE, || Ok(self.counts()?.unread == 0))
    }

    fn kept(&self) -> Result<Option<u64>> {
        // Copies are numbered without gaps, and all that the door takes here tell of one invitation.
        let story = self.runtime.block_on(self.desk.story(&Subject::Invitation(InvitationId(1))))?;
        Ok(story.copies.iter().map(|copy| copy.id.0.unsigned_abs()).max())
    }

    fn stop(mut self: Box<Self>) -> Result<()> {
        self.runtime.block_on(self.desk.close());
        signal(self.pid()?, "TERM")?;
        let status = self.child.0.wait()?;
        ensure!(status.success(), "invited ended with {status}");
        Ok(())
    }
}

/// Postfix: its own smtpd, cleanup, qmgr, and the discard transport for the destination.
pub(crate) struct Postfix {
    master: Kept,
    port: u16,
    etc: PathBuf,
    queue: PathBuf,
    watch: Watch,
}

impl Postfix {
    /// Why it cannot be measured here, if so.
    pub(crate) fn missing() -> Option<&'static str> {
        let is_root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        if !is_root {
            Some("it must be started as root")
        } else if run(Command::new("postconf").arg("-h").arg("mail_version")).is_err() {
            Some("it is not installed")
        } else {
            None
        }
    }

    /// Its version.
    pub(crate) fn version() -> Result<String> {
        let told = Command::new("postconf").args(["-d", "-h", "mail_version"]).output()?;
        Ok(String::from_utf8(told.stdout)?.trim().to_owned())
    }

    /// Starts it in `folder`.
    pub(crate) fn start(folder: &Path, watch: Watch) -> Result<Self> {
        let (etc, queue, data) = (folder.join("etc"), folder.join("queue"), folder.join("data"));
        for folder in [&etc, &queue, &data] {
            fs::create_dir_all(folder)?;
        }
        run(Command::new("chown").arg("postfix").arg(&data))?;
        let port = free_port()?;
        fs::write(etc.join("main.cf"), main_cf(folder))?;
        fs::write(etc.join("master.cf"), MASTER_CF.replace("PORT", &port.to_string()))?;
        // Makes the queue's folders with their owners.
        run(Command::new("postfix").arg("-c").arg(&etc).arg("check"))?;
        let daemons = Command::new("postconf").args(["-d", "-h", "daemon_directory"]).output()?;
        let master = format!("{}/master", String::from_utf8(daemons.stdout)?.trim());
        let master = command(&master, watch, folder)
            .arg("-c")
            .arg(&etc)
            .env("MAIL_CONFIG", &etc)
            .stderr(File::create(folder.join("master.log"))?)
            .spawn()
            .context("Postfix's master")?;
        let postfix = Self { master: Kept(master), port, etc, queue, watch };
        wait_until("Postfix listens", PATIENCE, || Ok(is_listening(port)))
            .with_context(|| fs::read_to_string(folder.join("mail.log")).unwrap_or_default())?;
        Ok(postfix)
    }
}

impl Server for Postfix {
    fn name(&self) -> &'static str {
        "Postfix"
    }

    fn port(&self) -> u16 {
        self.port
    }

    fn tree(&self) -> Tree {
        Tree::of(self.master.0.id()).unwrap_or_else(|error| panic!("{error:#}"))
    }

    fn drain(&self) -> Result<()> {
        wait_until("Postfix has delivered all", PATIENCE, || {
            Ok(["incoming", "active", "maildrop"]
                .iter()
                .all(|name| fs::read_dir(self.queue.join(name)).is_ok_and(|mut files| files.next().is_none())))
        })?;
        let deferred = fs::read_dir(self.queue.join("deferred"))?.flatten();
        let left: usize = deferred.map(|folder| fs::read_dir(folder.path()).map_or(0, Iterator::count)).sum();
        ensure!(left == 0, "Postfix put {left} mails off; see its mail.log");
        Ok(())
    }

    fn stop(mut self: Box<Self>) -> Result<()> {
        run(Command::new("postfix").arg("-c").arg(&self.etc).arg("stop"))?;
        let status = self.master.0.wait()?;
        // strace ends with master's own status, which is that of the signal it was stopped by.
        ensure!(self.watch == Watch::Fsyncs || !matches!(status.code(), Some(1..)), "Postfix ended with {status}");
        Ok(())
    }
}

/// Everything as shipped but for: where it lies; no `in_flow_delay`, no per-client limits and no host name lookups, which
/// would slow it down; and the destination's transport, which throws mail away.
fn main_cf(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "compatibility_level = 3.6\nqueue_directory = {folder}/queue\ndata_directory = {folder}/data\n\
         maillog_file = {folder}/mail.log\nmaillog_file_prefixes = {folder}\nmyhostname = mail.invited.example.com\n\
         mydestination =\nmynetworks = 127.0.0.0/8\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nalias_maps =\n\
         alias_database =\nlocal_recipient_maps =\nrelay_domains = invited.example.com\nrelay_transport = discard:\n\
         in_flow_delay = 0\nsmtpd_client_connection_count_limit = 0\nsmtpd_peername_lookup = no\n"
    )
}

const MASTER_CF: &str = "\
127.0.0.1:PORT inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";

/// `smtp-sink`: keeps nothing. No ceiling: it is one process that looks at each octet, so a server on more cores can be faster.
pub(crate) struct Sink {
    child: Kept,
    port: u16,
}

impl Sink {
    /// Starts it; it ends by itself after `messages`, when given. `dump` is a folder that takes what comes in.
    pub(crate) fn start(messages: Option<usize>, dump: Option<&Path>) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new("smtp-sink");
        command.args(["-u", "nobody"]);
        if let Some(messages) = messages {
            command.args(["-M", &messages.to_string()]);
        }
        if let Some(dump) = dump {
            command.arg("-D").arg(dump.join("letters"));
        }
        let child = command
            .arg(format!("127.0.0.1:{port}"))
            .arg("256")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("smtp-sink, of the postfix package")?;
        let sink = Self { child: Kept(child), port };
        // Not by connecting: with -M that could count.
        wait_until("smtp-sink listens", PATIENCE, || Ok(is_bound(port)))?;
        Ok(sink)
    }
}

impl Server for Sink {
    fn name(&self) -> &'static str {
        "smtp-sink"
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

    fn stop(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

/// Hands `messages` of a mail in and says how long that took.
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

/// How `smtp-source` works.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Sessions at one time.
    pub(crate) sessions: usize,
    /// Whether a session goes on after its first message.
    pub(crate) reuse: bool,
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

fn command(program: &str, watch: Watch, folder: &Path) -> Command {
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

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn is_listening(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Whether somebody else has the port by now.
fn is_bound(port: u16) -> bool {
    let Ok(table) = fs::read_to_string("/proc/net/tcp") else { return false };
    table.contains(&format!("0100007F:{port:04X} 00000000:0000 0A"))
}

/// Refuses folders that Postfix's own user cannot reach.
pub(crate) fn check_reachable(folder: &Path) -> Result<()> {
    for above in folder.ancestors().skip(1) {
        if !above.as_os_str().is_empty() && fs::metadata(above)?.permissions().mode() & 0o001 == 0 {
            bail!(
                "{} cannot be entered by everybody, as Postfix needs; name another folder with --dir",
                above.display()
            );
        }
    }
    Ok(())
}
