//! Faults put into the system calls of a daemon that runs, from a moment on. Each thread counts its own calls, and one thread of the
//! daemon writes to the database.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::kit::until;
use crate::program::Service;

/// The calls by which something becomes durable, or does not.
pub(crate) const WRITES: [&str; 4] = ["pwrite64", "fsync", "fdatasync", "ftruncate"];

/// `strace` on a process; it lets go when it is dropped.
pub(crate) struct Strace {
    child: Child,
    log: std::path::PathBuf,
}

impl Strace {
    /// Has the `number`th call of each thread from now on meet `fault` (`signal=KILL`, `error=EIO`), `number+` all from that one on.
    pub(crate) async fn attach(service: &Service, database: &Path, call: &str, fault: &str, number: &str) -> Self {
        let pid = service.pid;
        let log = database.with_extension("strace");
        let mut strace = Command::new("strace");
        strace.arg("-o").arg(&log).args(Self::words(database, call, fault, number));
        strace.arg("-p").arg(pid.to_string()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = strace.spawn().unwrap();
        until("strace has every thread", async || (is_traced(pid) || service.ended().is_some()).then_some(())).await;
        Self { child, log }
    }

    /// What is said to strace: nothing but the database's own files are meant.
    pub(crate) fn words(database: &Path, call: &str, fault: &str, number: &str) -> Vec<String> {
        let mut words = vec!["-f".to_owned(), "-qq".to_owned()];
        words.extend([
            "-e".to_owned(),
            format!("trace={call}"),
            "-e".to_owned(),
            format!("inject={call}:{fault}:when={number}"),
        ]);
        for suffix in ["", "-wal", "-shm"] {
            words.extend(["-P".to_owned(), format!("{}{suffix}", database.display())]);
        }
        words
    }

    /// Lets go; whether a fault was put in.
    pub(crate) fn let_go(mut self) -> bool {
        self.end();
        std::fs::read_to_string(&self.log)
            .is_ok_and(|log| log.contains("(INJECTED)") || log.contains("killed by SIGKILL"))
    }

    fn end(&mut self) {
        // At its end on SIGTERM it leaves the process as it was.
        let _ = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.child.id())).status();
        let _ = self.child.wait();
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.end();
        }
    }
}

fn is_traced(pid: u32) -> bool {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    threads.flatten().all(|thread| {
        std::fs::read_to_string(thread.path().join("status")).is_ok_and(|status| {
            status.lines().any(|line| line.strip_prefix("TracerPid:").is_some_and(|id| id.trim() != "0"))
        })
    })
}
