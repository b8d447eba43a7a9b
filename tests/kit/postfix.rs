//! A Postfix for tests: the packaged program with a configuration, a queue and a port of its own.

#![expect(clippy::unwrap_used, reason = "a Postfix that fails to start fails its test")]
#![allow(dead_code, reason = "every test binary uses its own part of the kit")]

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::kit::{say, until};
use crate::program::{Dialog, Ran, is_root, not_run, run};

/// A Postfix of the test's own, beside whatever the machine runs: its own configuration, queue and port.
pub(crate) struct Postfix {
    folder: TempDir,
    pub(crate) address: SocketAddr,
}

impl Postfix {
    /// With these lines more in `main.cf` and `master.cf`.
    pub(crate) async fn start(main: &str, master: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("postfix-").tempdir().unwrap();
        let address = free_address();
        for name in ["etc", "queue", "data"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let postfix = Self { folder, address };
        // Its processes run as another user and must find their way.
        open_to_all(postfix.folder.path());
        postfix.write_configuration(main, master);
        let owned = Command::new("chown").arg("postfix").arg(postfix.folder.path().join("data")).status().unwrap();
        assert!(owned.success());
        let started = postfix.control("start");
        assert_eq!(started.code, 0, "{started:?}\n{}", postfix.log());
        until("Postfix listens", async || Dialog::open(address).await.ok()).await;
        postfix
    }

    fn write_configuration(&self, more_main: &str, more_master: &str) {
        let root = self.folder.path().display();
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {root}/queue\ndata_directory = {root}/data\n\
             maillog_file = {root}/log\nmaillog_file_prefixes = {root}\nmyhostname = mta.shop.example.com\n\
             mydestination =\nmynetworks = 127.0.0.0/8\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
             smtp_dns_support_level = disabled\nsmtpd_peername_lookup = no\nalias_maps =\nalias_database =\nbiff = no\n\
             local_transport = error:no local delivery\nlocal_recipient_maps =\n\
             minimal_backoff_time = 1s\nqueue_run_delay = 1s\n{more_main}"
        );
        let mut master = format!("{} inet n - n - - smtpd\n", self.address);
        for (service, kind, private, wakeup, limit, program) in [
            ("pickup", "unix", "n", "60", "1", "pickup"),
            ("cleanup", "unix", "n", "-", "0", "cleanup"),
            ("qmgr", "unix", "n", "300", "1", "qmgr"),
            ("rewrite", "unix", "-", "-", "-", "trivial-rewrite"),
            ("bounce", "unix", "-", "-", "0", "bounce"),
            ("defer", "unix", "-", "-", "0", "bounce"),
            ("trace", "unix", "-", "-", "0", "bounce"),
            ("verify", "unix", "-", "-", "1", "verify"),
            ("flush", "unix", "n", "1000?", "0", "flush"),
            ("proxymap", "unix", "-", "-", "-", "proxymap"),
            ("smtp", "unix", "-", "-", "-", "smtp"),
            ("lmtp", "unix", "-", "-", "-", "lmtp"),
            ("discard", "unix", "-", "-", "-", "discard"),
            ("relay", "unix", "-", "-", "-", "smtp"),
            ("showq", "unix", "n", "-", "-", "showq"),
            ("error", "unix", "-", "-", "-", "error"),
            ("retry", "unix", "-", "-", "-", "error"),
            ("anvil", "unix", "-", "-", "1", "anvil"),
            ("scache", "unix", "-", "-", "1", "scache"),
            ("tlsmgr", "unix", "-", "1000?", "1", "tlsmgr"),
            ("postlog", "unix-dgram", "n", "-", "1", "postlogd"),
        ] {
            writeln!(master, "{service} {kind} {private} - n {wakeup} {limit} {program}").unwrap();
        }
        master.push_str(more_master);
        std::fs::write(self.folder.path().join("etc/main.cf"), main).unwrap();
        std::fs::write(self.folder.path().join("etc/master.cf"), master).unwrap();
    }

    pub(crate) fn control(&self, what: &str) -> Ran {
        // Its script wants a folder that every user may enter.
        run(Command::new("/usr/sbin/postfix").current_dir("/").arg("-c").arg(self.folder.path().join("etc")).arg(what))
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let stopped = self.control("stop");
        if stopped.code != 0 || std::thread::panicking() {
            say(&format!("{stopped:?}\n{}", self.log()));
        }
    }
}

fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A port that nobody had a moment ago.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub(crate) fn can_run_postfix(test: &str) -> bool {
    let there = Path::new("/usr/sbin/postfix").is_file() && is_root();
    if !there {
        not_run(test, "/usr/sbin/postfix and root");
    }
    there
}
