//! PostgreSQL for tests: one throwaway server for all tests of a process, an empty [`Place`] in it for each of them, and a
//! [`Cluster`] of its own for a test that kills the server, or wants it to demand TLS or a password.
//!
//! Nothing has to be set up: the server's programs are enough (Debian's package `postgresql`), and no running server is touched,
//! unless `INVITED_TEST_POSTGRES` names one on which databases may be created. What is missing is said once on standard error,
//! and is a failure when `INVITED_REQUIRE_PEERS` is set.
//!
//! A test binary includes `kit/said.rs` beside this file:
//!
//! ```ignore
//! let Some(server) = postgres::server() else { return };
//! let place = server.database();
//! let pool = PgPool::connect(&place.url()).await?;
//! ```
//!
//! Everything here may be called from async tests too: it blocks for some milliseconds, a start for about a second.

#![allow(clippy::unwrap_used, reason = "a server that fails to start fails its test")]
#![allow(dead_code, reason = "every test binary uses its own part of the kit")]

use std::cmp::Reverse;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use url::Url;

use super::said::{not_run, say};

/// Who connects: a role that may create databases and owns those it created, and is no superuser, as in production.
pub(crate) const ROLE: &str = "invited";

/// The PostgreSQL server that the tests of this process share.
pub(crate) enum Server {
    /// One of our own, that does not outlive the process.
    Throwaway(Cluster),
    /// The one that `INVITED_TEST_POSTGRES` names.
    Given(Url),
}

/// The shared server, started by the first test that asks. `None` when there is none, which was said then.
#[track_caller]
pub(crate) fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    match SERVER.get_or_init(Server::find) {
        Ok(server) => Some(server),
        Err(missing) => {
            not_run("what is tested on PostgreSQL", missing);
            None
        }
    }
}

impl Server {
    fn find() -> Result<Self, String> {
        if let Some(given) = std::env::var_os("INVITED_TEST_POSTGRES") {
            let url = given.to_str().and_then(|text| Url::parse(text).ok());
            return Ok(Self::Given(url.expect("INVITED_TEST_POSTGRES is a URL: postgres://user@host:port/database")));
        }
        let programs =
            Programs::find().map_err(|missing| missing + ", or INVITED_TEST_POSTGRES with a server's URL")?;
        // Nothing in it has to outlive a crash.
        let settings = &[("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off")];
        Ok(Self::Throwaway(Cluster::launch(&programs, &Setup { settings, ..Setup::default() })))
    }

    /// An empty database.
    pub(crate) fn database(&self) -> Place<'_> {
        let place = Place { server: self, name: format!("invited_test_{:016x}", random()) };
        // template1 may be in use or changed on a server that is not ours.
        execute(&self.entrance(), format!("CREATE DATABASE {} TEMPLATE template0", place.name)).unwrap();
        place
    }

    /// How to connect to the database that is always there.
    pub(crate) fn entrance(&self) -> String {
        match self {
            Self::Throwaway(cluster) => cluster.url("postgres"),
            Self::Given(url) => url.to_string(),
        }
    }

    /// How to connect to one of its databases.
    pub(crate) fn url(&self, database: &str) -> String {
        match self {
            Self::Throwaway(cluster) => cluster.url(database),
            Self::Given(url) => at(url, database),
        }
    }
}

/// A database of one test's own; dropping it drops the database, whoever is still connected. A killed process leaves its databases
/// (`invited_test_..`) on a server that is not ours.
pub(crate) struct Place<'a> {
    server: &'a Server,
    name: String,
}

impl Place<'_> {
    /// How to connect.
    pub(crate) fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// The database's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let dropped = execute(&self.server.entrance(), format!("DROP DATABASE {} WITH (FORCE)", self.name));
        if let Err(error) = dropped {
            say(&format!("the test's database {} stays: {error}", self.name));
        }
    }
}

/// What is special about a server.
#[derive(Default, Clone, Copy)]
pub(crate) struct Setup<'a> {
    /// Lines of postgresql.conf.
    pub(crate) settings: &'a [(&'a str, &'a str)],
    /// Demands TLS of connections by TCP; its certificate is for `localhost`.
    pub(crate) tls: bool,
    /// Demands this password of [`ROLE`] (scram-sha-256); letters and digits, as it is put into URLs and SQL.
    pub(crate) password: Option<&'a str>,
}

/// A throwaway server, which keeps its port over restarts and writes as durably as PostgreSQL does by default. Dropping it stops
/// it and removes its folder; if the process ends in any other way, [`Keeper`] does.
pub(crate) struct Cluster {
    keeper: Keeper,
    folder: PathBuf,
    port: u16,
    tls: bool,
    password: Option<String>,
    authority: String,
}

impl Cluster {
    /// A running server with these lines in its postgresql.conf; `None` when it cannot be had, which was said then.
    #[track_caller]
    pub(crate) fn start(settings: &[(&str, &str)]) -> Option<Self> {
        Self::start_with(&Setup { settings, ..Setup::default() })
    }

    /// A running server that demands more of its clients.
    #[track_caller]
    pub(crate) fn start_with(setup: &Setup<'_>) -> Option<Self> {
        match Programs::find() {
            Ok(programs) => Some(Self::launch(&programs, setup)),
            Err(missing) => {
                not_run("what is tested on a PostgreSQL server of its own", &missing);
                None
            }
        }
    }

    /// How to connect by TCP to one of its databases, with the right password.
    pub(crate) fn url(&self, database: &str) -> String {
        // Only the name is in the certificate.
        let host = if self.tls { "localhost" } else { "127.0.0.1" };
        let mut url = Url::parse(&format!("postgres://{ROLE}@{host}:{}", self.port)).unwrap();
        url.set_password(self.password.as_deref()).unwrap();
        at(&url, database)
    }

    /// How to connect by its Unix socket, which neither wants nor has TLS.
    pub(crate) fn socket_url(&self, database: &str) -> String {
        let password = self.password.as_ref().map(|password| format!(":{password}")).unwrap_or_default();
        let host = self.folder.to_str().unwrap().replace('/', "%2F");
        format!("postgres://{ROLE}{password}@{host}:{}/{database}", self.port)
    }

    /// Creates an empty database.
    pub(crate) fn create_database(&self, name: &str) {
        execute(&self.socket_url("postgres"), format!("CREATE DATABASE {name} TEMPLATE template0")).unwrap();
    }

    /// What a superuser may do, in the database `postgres`.
    pub(crate) fn as_superuser(&self, sql: &str) {
        let url = self.socket_url("postgres").replacen(ROLE, "postgres", 1);
        execute(&url, sql.to_owned()).unwrap();
    }

    /// Kills the server in the middle of whatever it does, as a loss of power would, and starts it again.
    pub(crate) fn restart_immediate(&self) {
        self.control("restart -m immediate");
    }

    /// Ends every session and the server, in order; nobody listens on its port then.
    pub(crate) fn stop(&self) {
        self.control("stop -m fast");
    }

    /// Starts it after [`Cluster::stop`].
    pub(crate) fn resume(&self) {
        self.control("start");
    }

    /// The certificate (PEM) of the authority that signed the server's, for clients to trust.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Where its data, its socket and its `log` are; nobody but the server's user and root may enter.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn launch(programs: &Programs, setup: &Setup<'_>) -> Self {
        let folder = tempfile::Builder::new().prefix("invited-postgres-").tempdir_in(programs.home()).unwrap().keep();
        programs.give(&folder);
        let mut cluster = Self {
            keeper: Keeper::start(programs, &folder),
            folder,
            port: 0,
            tls: setup.tls,
            password: setup.password.map(str::to_owned),
            authority: String::new(),
        };
        let made = cluster.keeper.order("initdb -D data -U postgres -A trust -E UTF8 --locale=C --no-sync");
        assert!(made, "initdb failed:\n{}", cluster.log());
        cluster.write_clients();
        cluster.write_certificate(programs);
        cluster.write_settings(setup.settings);
        cluster.start_on_a_free_port();
        let password = cluster.password.as_ref().map(|password| format!(" PASSWORD '{password}'")).unwrap_or_default();
        cluster.as_superuser(&format!("CREATE ROLE {ROLE} LOGIN CREATEDB{password}"));
        cluster
    }

    /// pg_hba.conf. The superuser comes through the folder that is closed to others, never by TCP: he may run programs.
    fn write_clients(&self) {
        let kind = if self.tls { "hostssl" } else { "host" };
        let method = if self.password.is_some() { "scram-sha-256" } else { "trust" };
        let lines = format!(
            "local all postgres trust\nlocal all all {method}\nhost all postgres all reject\n\
             {kind} all all 127.0.0.1/32 {method}\n{kind} all all ::1/128 {method}\n"
        );
        std::fs::write(self.folder.join("data/pg_hba.conf"), lines).unwrap();
    }

    fn write_certificate(&mut self, programs: &Programs) {
        if !self.tls {
            return;
        }
        let key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "authority for a test");
        let issuer_key = KeyPair::generate().unwrap();
        self.authority = authority.self_signed(&issuer_key).unwrap().pem();
        let chain = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let chain = chain.signed_by(&key, &Issuer::new(authority, issuer_key)).unwrap();
        std::fs::write(self.folder.join("data/server.crt"), chain.pem()).unwrap();
        let key_file = self.folder.join("data/server.key");
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        std::fs::set_permissions(&key_file, std::fs::Permissions::from_mode(0o600)).unwrap();
        programs.give(&key_file);
    }

    /// At the end of postgresql.conf, where the last line about a setting holds.
    fn write_settings(&self, settings: &[(&str, &str)]) {
        let folder = self.folder.to_str().unwrap();
        let ours = [
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", folder),
            ("max_connections", "200"),
            ("password_encryption", "scram-sha-256"),
            ("ssl", if self.tls { "on" } else { "off" }),
        ];
        let file = std::fs::OpenOptions::new().append(true).open(self.folder.join("data/postgresql.conf"));
        let mut file = file.unwrap();
        for (name, value) in ours.iter().chain(settings) {
            writeln!(file, "{name} = '{}'", value.replace('\'', "''")).unwrap();
        }
    }

    /// Somebody else may be given the port between our look and the server's.
    fn start_on_a_free_port(&mut self) {
        for _ in 0..5 {
            self.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            self.write_settings(&[("port", &self.port.to_string())]);
            if self.keeper.order(&pg_ctl("start")) {
                return;
            }
            assert!(self.log().contains("Address already in use"), "PostgreSQL did not start:\n{}", self.log());
        }
        panic!("five free ports in a row were taken by others:\n{}", self.log());
    }

    fn control(&self, order: &str) {
        assert!(self.keeper.order(&pg_ctl(order)), "pg_ctl {order} failed:\n{}", self.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

fn pg_ctl(order: &str) -> String {
    format!("pg_ctl {order} -D data -l log -s -w -t 60")
}

/// A shell that does what concerns a server, one order after the other, as the server's user, and that stops and removes the
/// server when its orders end: statics are never dropped, and a process that is killed drops nothing, but its pipes are closed
/// in any case. What is under way is finished first, so nothing comes up after the end.
struct Keeper {
    talk: Mutex<(Child, BufReader<ChildStdout>)>,
}

/// Ctrl-C and a closed terminal are meant for the test: the keeper learns of its end soon enough. An answer that nobody
/// reads must not end it either.
const KEEPER: &str = r#"
trap '' HUP INT TERM PIPE
while read -r order; do
    eval "$order" </dev/null >>log 2>&1
    echo $?
done
pg_ctl stop -D data -m immediate -s -w >>log 2>&1
cd / && rm -rf "$0"
"#;

impl Keeper {
    fn start(programs: &Programs, folder: &Path) -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([programs.folder.clone()].into_iter().chain(std::env::split_paths(&path)));
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(KEEPER).arg(folder).current_dir(folder).process_group(0);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // Settings for clients (PGPORT, PGDATA ..) are about other servers; messages are looked at in English.
        std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("PG")).for_each(|(key, _)| {
            shell.env_remove(key);
        });
        shell.env("PATH", path.unwrap()).env("LC_ALL", "C");
        if let Some((user, group)) = programs.user {
            shell.uid(user).gid(group);
        }
        let mut child = shell.spawn().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { talk: Mutex::new((child, answers)) }
    }

    /// Whether it was done; what was said about it is in the log.
    fn order(&self, order: &str) -> bool {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let (child, answers) = &mut *talk;
        let mut code = String::new();
        writeln!(child.stdin.as_mut().unwrap(), "{order}").unwrap();
        answers.read_line(&mut code).unwrap();
        code == "0\n"
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let (child, _) = self.talk.get_mut().unwrap_or_else(PoisonError::into_inner);
        // It closes the pipe first.
        if let Err(error) = child.wait() {
            say(&format!("a test's PostgreSQL may still run: {error}"));
        }
    }
}

/// The server's programs and the user that runs them.
struct Programs {
    folder: PathBuf,
    /// Uid and gid, when it is not this process's user: PostgreSQL refuses to run as root.
    user: Option<(u32, u32)>,
}

impl Programs {
    /// Where they are, or what is missing.
    fn find() -> Result<Self, String> {
        let complete = |folder: &PathBuf| ["initdb", "pg_ctl", "postgres"].iter().all(|one| folder.join(one).is_file());
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folder = std::env::split_paths(&path).chain(debian()).chain(configured()).find(complete);
        let folder = folder.ok_or("PostgreSQL's initdb, pg_ctl and postgres (Debian's package postgresql)")?;
        if std::fs::metadata("/proc/self").map_or(true, |me| me.uid() != 0) {
            return Ok(Self { folder, user: None });
        }
        let id = |what| line_of(Command::new("id").arg(what).arg("postgres"))?.parse().ok();
        let user = id("-u").zip(id("-g"));
        let user = user.ok_or("a user `postgres`, as which root can run PostgreSQL (Debian's package postgresql)")?;
        Ok(Self { folder, user: Some(user) })
    }

    /// Where a server's folder may lie: root's own TMPDIR may be closed to the user that must enter.
    fn home(&self) -> PathBuf {
        if self.user.is_some() { PathBuf::from("/tmp") } else { std::env::temp_dir() }
    }

    /// Makes a file the server's.
    fn give(&self, path: &Path) {
        if let Some((user, group)) = self.user {
            chown(path, Some(user), Some(group)).unwrap();
        }
    }
}

/// Debian keeps each version apart and out of PATH; the newest is first.
fn debian() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions = versions.map(|version| version.path()).collect::<Vec<_>>();
    // 15, and 9.6 once.
    let number = |path: &PathBuf| -> Vec<u32> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.split('.').map(|part| part.parse().unwrap_or(0)).collect()
    };
    versions.sort_by_key(|path| Reverse(number(path)));
    versions.into_iter().map(|version| version.join("bin")).collect()
}

/// Where the package in use says that its programs are.
fn configured() -> Option<PathBuf> {
    line_of(Command::new("pg_config").arg("--bindir")).map(PathBuf::from)
}

/// The line that a program prints.
fn line_of(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The same server, another database.
fn at(url: &Url, database: &str) -> String {
    let mut url = url.clone();
    url.set_path(database);
    url.into()
}

fn random() -> u64 {
    RandomState::new().hash_one(())
}

/// Runs one statement on a connection of its own. On a thread of its own too, because tests have a runtime or none.
fn execute(url: &str, sql: String) -> Result<(), sqlx::Error> {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut connection = PgConnection::connect(url).await?;
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
            connection.close().await
        })
    };
    std::thread::scope(|scope| scope.spawn(run).join().unwrap())
}
