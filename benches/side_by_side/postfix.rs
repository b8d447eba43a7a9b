//! Postfix as a peer, with a `config_directory` beside the packaged one, and its `smtp-sink`, which throws everything away.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::process::{Kept, Tree, run, wait_until};
use crate::servers::{PATIENCE, Server, Watch, command, free_port, is_bound, is_listening};

/// `default_process_limit`.
const AS_SHIPPED: usize = 100;

/// Postfix: its own smtpd, cleanup, qmgr, and the discard transport for the destination.
pub(crate) struct Postfix {
    master: Kept,
    port: u16,
    etc: PathBuf,
    queue: PathBuf,
    watch: Watch,
}

impl Postfix {
    /// Its name in tables.
    pub(crate) const NAME: &'static str = "Postfix";

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

    /// Starts it in `folder`, with as many processes as it comes with.
    pub(crate) fn start(folder: &Path, watch: Watch) -> Result<Self> {
        Self::start_for(folder, watch, AS_SHIPPED)
    }

    /// Starts it in `folder`, for so many sessions at one time.
    pub(crate) fn start_for(folder: &Path, watch: Watch, sessions: usize) -> Result<Self> {
        let (etc, queue, data) = (folder.join("etc"), folder.join("queue"), folder.join("data"));
        for folder in [&etc, &queue, &data] {
            fs::create_dir_all(folder)?;
        }
        run(Command::new("chown").arg("postfix").arg(&data))?;
        let port = free_port()?;
        fs::write(etc.join("main.cf"), main_cf(folder, sessions))?;
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
        Self::NAME
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
/// would slow it down; as many processes as there are sessions; and the destination's transport, which throws mail away.
fn main_cf(folder: &Path, sessions: usize) -> String {
    let folder = folder.display();
    let processes = sessions.max(AS_SHIPPED);
    format!(
        "compatibility_level = 3.6\nqueue_directory = {folder}/queue\ndata_directory = {folder}/data\n\
         maillog_file = {folder}/mail.log\nmaillog_file_prefixes = {folder}\nmyhostname = mail.invited.example.com\n\
         mydestination =\nmynetworks = 127.0.0.0/8\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nalias_maps =\n\
         alias_database =\nlocal_recipient_maps =\nrelay_domains = invited.example.com\nrelay_transport = discard:\n\
         in_flow_delay = 0\nsmtpd_client_connection_count_limit = 0\nsmtpd_peername_lookup = no\n\
         default_process_limit = {processes}\n"
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
    /// Its name in tables.
    pub(crate) const NAME: &'static str = "smtp-sink";

    /// Starts it; it ends by itself after `messages`, when given. `dump` is a folder that takes what comes in.
    pub(crate) fn start(messages: Option<usize>, dump: Option<&Path>) -> Result<Self> {
        let port = free_port()?;
        let mut command = Command::new("smtp-sink");
        command.args(["-u", "nobody", "-m", "2000"]);
        if let Some(messages) = messages {
            command.args(["-M", &messages.to_string()]);
        }
        if let Some(dump) = dump {
            command.arg("-D").arg(dump.join("letters"));
        }
        let child = command
            .arg(format!("127.0.0.1:{port}"))
            .arg("1024")
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
        Self::NAME
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
