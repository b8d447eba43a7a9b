//! The program as a process, as people and systemd run it: a folder with all that it needs, its commands, its daemon with
//! signals, and an SMTP client that speaks line by line.

#![allow(dead_code, reason = "every test binary uses its own part of the kit")]

use std::ffi::OsStr;
use std::io::{Error, ErrorKind, Result as IoResult};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use invited::app::{database_password, load_config};
use invited::config::Database;
use invited::domain::Invitation;
use invited::store::{self, Filter, Role, SqlStore, Store};
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::kit::{configuration_text, crlf, make_private, server_line, until};
#[allow(unused_imports, reason = "every test binary uses its own part of the kit")]
pub(crate) use crate::said::not_run;

/// The BCC address of the shop in [`configuration_text`].
pub(crate) const BCC: &str = "shop+abcdefgh23456789abcd@in.invited.example";

/// A folder with a configuration, a master key and a database.
pub(crate) struct Site {
    folder: TempDir,
    /// The URL of its database on a server; a file of its own otherwise.
    server: Option<String>,
}

/// What a command said and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Standard output as one JSON object a line.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect()
    }

    /// Checks the exit code; everything that was said stands in the failure.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }
}

impl Site {
    /// With the letters for `relay` due at once, and no reminders. `extra` replaces lines of the starter configuration.
    pub(crate) async fn new(relay: SocketAddr, extra: &[(&str, &str)]) -> Self {
        Self::made(None, relay, extra).await
    }

    /// The same with its database on a PostgreSQL server. Sites on one database differ in nothing but their folders.
    pub(crate) async fn on_server(url: &str, relay: SocketAddr, extra: &[(&str, &str)]) -> Self {
        Self::made(Some(url), relay, extra).await
    }

    async fn made(server: Option<&str>, relay: SocketAddr, extra: &[(&str, &str)]) -> Self {
        let site = Self::empty(server, relay, extra);
        let password = site.password();
        store::create_if_missing(&site.database(), password.as_deref()).await.unwrap();
        site
    }

    /// A site whose database nobody has made.
    pub(crate) fn empty(server: Option<&str>, relay: SocketAddr, extra: &[(&str, &str)]) -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap(), server: server.map(str::to_owned) };
        site.configure(relay, extra);
        std::fs::write(site.path("master.key"), "0123456789abcdef0123456789abcdef\n").unwrap();
        make_private(&site.path("master.key"));
        site
    }

    /// Writes the configuration anew.
    pub(crate) fn configure(&self, relay: SocketAddr, extra: &[(&str, &str)]) {
        let database = self.server.as_deref().map(|url| server_line(url, self.folder.path()));
        let mut lines = vec![("delay", "\"0 days\""), ("reminder", "false")];
        lines.extend(database.as_deref().map(|line| ("database", line)));
        lines.retain(|(key, _)| extra.iter().all(|(other, _)| other != key));
        lines.extend(extra);
        std::fs::write(self.config(), configuration_text(&relay.to_string(), &lines)).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("invited.toml")
    }

    /// Where the database is, by the configuration.
    pub(crate) fn database(&self) -> Database {
        load_config(&self.config()).unwrap().database
    }

    fn password(&self) -> Option<String> {
        database_password(&self.database()).unwrap()
    }

    /// The database's file.
    pub(crate) fn file(&self) -> PathBuf {
        match self.database() {
            Database::Sqlite(path) => path,
            Database::Postgres(server) => panic!("{server} is no file"),
        }
    }

    /// The queue, as the support desk has it.
    pub(crate) async fn store(&self) -> SqlStore {
        store::open(&self.database(), self.password().as_deref(), Role::Desk).await.unwrap()
    }

    /// Runs a command of this site's: `--config` is added.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, words: &[S]) -> Ran {
        run(command().args(words).arg("--config").arg(self.config()))
    }

    /// Starts the daemon and waits until it listens.
    pub(crate) async fn serve(&self) -> Service {
        self.serve_with(&[], &[]).await
    }

    /// The same with more words and more of an environment.
    pub(crate) async fn serve_with(&self, words: &[&str], environment: &[(&str, &OsStr)]) -> Service {
        self.listens(self.begin(words, environment)).await
    }

    /// Waits until it listens.
    pub(crate) async fn listens(&self, mut service: Service) -> Service {
        let addresses = self.path("addresses");
        let address = until("the daemon listens", async || {
            if let Some(status) = service.ended() {
                panic!("the daemon ended ({status}): {}", service.log());
            }
            let text = std::fs::read_to_string(&addresses).ok()?;
            text.ends_with('\n').then(|| text.lines().next().unwrap().parse().unwrap())
        })
        .await;
        service.address = address;
        service
    }

    /// Starts the daemon without waiting for anything.
    pub(crate) fn begin(&self, words: &[&str], environment: &[(&str, &OsStr)]) -> Service {
        self.begin_by(command(), words, environment)
    }

    /// The same with a command that runs the program, such as `prlimit`; its process must become the daemon's.
    pub(crate) fn begin_by(&self, mut serve: Command, words: &[&str], environment: &[(&str, &OsStr)]) -> Service {
        let addresses = self.path("addresses");
        let _ = std::fs::remove_file(&addresses);
        let log = self.path("log");
        serve.arg("serve").args(words).arg("--config").arg(self.config()).arg("--addresses").arg(&addresses);
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        let began = file.metadata().unwrap().len();
        serve.envs(environment.iter().copied()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        let mut serve = tokio::process::Command::from(serve);
        let child = serve.kill_on_drop(true).spawn().unwrap();
        let pid = child.id().unwrap();
        Service { child: std::sync::Mutex::new(child), pid, log, began, address: ([0, 0, 0, 0], 0).into() }
    }

    /// Every invitation that is stored.
    pub(crate) async fn invitations(&self) -> Vec<Invitation> {
        let store = self.store().await;
        let mut all = Vec::new();
        loop {
            let before = all.last().map(|one: &Invitation| one.id);
            let page = store.list(&Filter::default(), before, 1000).await.unwrap().invitations;
            if page.is_empty() {
                return all;
            }
            all.extend(page);
        }
    }

    /// A connection of the test's own to the database.
    pub(crate) async fn sql(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(self.file()).create_if_missing(false).connect().await.unwrap()
    }

    /// One number out of the database.
    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        if self.server.is_some() {
            return sqlx::query_scalar(sql).fetch_one(&mut self.server().await).await.unwrap();
        }
        let mut conn = self.sql().await;
        let number = sqlx::query_scalar(sql).fetch_one(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        number
    }

    /// A connection of the test's own to the database on the server.
    pub(crate) async fn server(&self) -> PgConnection {
        PgConnection::connect(self.server.as_ref().unwrap()).await.unwrap()
    }

    /// SQLite's own verdict on the whole file.
    pub(crate) async fn integrity(&self) -> String {
        let mut conn = self.sql().await;
        sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut conn).await.unwrap()
    }
}

/// The program, without settings that the test's own environment may have.
pub(crate) fn command() -> Command {
    command_by(&[])
}

/// The same by way of another program, which is given its path.
pub(crate) fn command_by(launcher: &[&str]) -> Command {
    let words = launcher.iter().copied().chain([env!("CARGO_BIN_EXE_invited")]).collect::<Vec<_>>();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    for key in ["INVITED_CONFIG", "INVITED_LOG", "INVITED_ACTOR", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]
        .into_iter()
        .chain(["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"])
    {
        command.env_remove(key);
    }
    // What whoever runs the tests, or a build server, says of its terminal.
    for key in ["INVITED_PAGER", "PAGER", "LESS", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLORTERM", "CI"] {
        command.env_remove(key);
    }
    for key in ["TERM", "LC_ALL", "LC_CTYPE", "LANG", "COLUMNS", "LINES"] {
        command.env_remove(key);
    }
    command.stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn run(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A daemon that runs in a process of its own; killed when it is dropped.
pub(crate) struct Service {
    child: std::sync::Mutex<tokio::process::Child>,
    pub(crate) pid: u32,
    pub(crate) address: SocketAddr,
    log: PathBuf,
    began: u64,
}

impl Service {
    /// What this process has said on standard error.
    pub(crate) fn log(&self) -> String {
        let all = std::fs::read(&self.log).unwrap();
        String::from_utf8_lossy(&all[usize::try_from(self.began).unwrap()..]).into_owned()
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&self) -> Option<std::process::ExitStatus> {
        self.child.lock().unwrap().try_wait().unwrap()
    }

    /// Sends a signal: TERM, INT, HUP.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", self.pid)).status().unwrap();
        assert!(sent.success());
    }

    /// `kill -9`, and waits until the process is gone.
    pub(crate) async fn kill(self) {
        self.child.lock().unwrap().start_kill().unwrap();
        until("the daemon is dead", async || self.ended()).await;
    }

    /// Waits for its end and gives the exit code.
    pub(crate) async fn code(&self) -> Option<i32> {
        until("the daemon ends", async || self.ended()).await.code()
    }

    /// Stops it as systemd does.
    pub(crate) async fn stop(self) {
        self.signal("TERM");
        assert_eq!(self.code().await, Some(0), "{}", self.log());
    }

    /// Waits until standard error has said it.
    pub(crate) async fn says(&self, text: &str) {
        until(&format!("the log says {text:?}"), async || self.log().contains(text).then_some(())).await;
    }
}

/// An SMTP client.
pub(crate) struct Dialog {
    peer: BufReader<TcpStream>,
}

impl Dialog {
    /// Connects, waits for the greeting and says EHLO.
    pub(crate) async fn open(address: SocketAddr) -> IoResult<Self> {
        let tcp = TcpStream::connect(address).await?;
        tcp.set_nodelay(true)?;
        let mut dialog = Self { peer: BufReader::new(tcp) };
        good(dialog.reply().await?)?;
        good(dialog.say("EHLO mta.shop.example.com").await?)?;
        Ok(dialog)
    }

    /// The last line of the next reply; an error when the connection is over.
    pub(crate) async fn reply(&mut self) -> IoResult<String> {
        loop {
            let mut line = String::new();
            if self.peer.read_line(&mut line).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(line.trim_end().to_owned());
            }
        }
    }

    /// Sends a command and waits for its reply.
    pub(crate) async fn say(&mut self, command: &str) -> IoResult<String> {
        self.peer.write_all(format!("{command}\r\n").as_bytes()).await?;
        self.reply().await
    }

    /// Hands a mail in: the first reply that is not good, or the last.
    pub(crate) async fn mail(&mut self, to: &str, mail: &[u8]) -> IoResult<String> {
        for command in ["MAIL FROM:<orders@shop.example.com>", &format!("RCPT TO:<{to}>"), "DATA"] {
            let reply = self.say(command).await?;
            if !reply.starts_with(['2', '3']) {
                return Ok(reply);
            }
        }
        self.body(mail).await
    }

    /// The message after 354, with its final dot.
    pub(crate) async fn body(&mut self, mail: &[u8]) -> IoResult<String> {
        let mut wire = crlf(mail);
        wire.extend_from_slice(b".\r\n");
        self.peer.write_all(&wire).await?;
        self.reply().await
    }

    /// Whether the other side has closed; waits for it.
    pub(crate) async fn is_over(&mut self) -> bool {
        let mut rest = Vec::new();
        self.peer.read_to_end(&mut rest).await.is_ok_and(|_| rest.is_empty())
    }
}

fn good(reply: String) -> IoResult<()> {
    if reply.starts_with('2') { Ok(()) } else { Err(Error::other(reply)) }
}

/// Whether a program can be found.
pub(crate) fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin"].map(Path::new);
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
        || more.iter().any(|folder| folder.join(program).is_file())
}

/// Whether this process is root's.
pub(crate) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|found| found.uid() == 0)
}
