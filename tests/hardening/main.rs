//! The faults of `docs/storage.md`, done for real to the real program: killed at every write, errors at every call, disks that are full,
//! locked, read-only or lose their power, clocks that jump, too few descriptors, a queue put back from a backup.
//!
//! Most of it waits to be asked for by `tests/hardening/run` (or `-- --include-ignored`). What needs root or a tool that is not there says so,
//! or fails where `INVITED_REQUIRE_HARDENING` is set. `INVITED_HARDENING_ALL` goes through every call where otherwise a few are picked; use it
//! with `--release`, whose daemon starts at once.
#![cfg(feature = "daemon")]
#![expect(clippy::unwrap_used, reason = "what a test does not expect is its failure")]

mod backup;
mod calls;
mod clocks;
mod disks;
mod files;
mod hangs;
mod migrations;
mod power;
mod reloads;
mod small;
mod starts;
mod strace;

#[path = "../it/kit.rs"]
mod kit;
#[path = "../kit/postgres.rs"]
mod postgres;
#[path = "../it/program.rs"]
mod program;
#[path = "../kit/relay.rs"]
mod relay;
#[path = "../kit/said.rs"]
mod said;
#[path = "../kit/systemd.rs"]
mod systemd;

use std::process::Command;

use crate::kit::say;
use crate::program::has;

/// Held by a part that needs the machine for itself.
static MACHINE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// One part of the whole, which says what became of it.
struct Part(&'static str);

impl Part {
    /// `None`, and a word about it, where the programs are not there or may not do their work, or this is not root.
    fn begin(name: &'static str, programs: &[&str], root: bool) -> Option<Self> {
        let why = if let Some(program) = programs.iter().find(|program| !has(program)) {
            format!("{program} is not installed")
        } else if root && !program::is_root() {
            "it takes root".to_owned()
        } else if let Some(Err(why)) = programs.contains(&"strace").then(may_trace) {
            format!("no process may be traced: {why}")
        } else {
            return Some(Self(name));
        };
        Self(name).cannot_run(&why);
        None
    }

    /// Says that this machine cannot do it.
    fn cannot_run(&self, why: &str) {
        assert!(std::env::var_os("INVITED_REQUIRE_HARDENING").is_none(), "{} cannot run here: {why}", self.0);
        say(&format!("hardening: {}: cannot run here: {why}", self.0));
    }

    /// Says that it was done, and what was seen.
    fn ran(&self, figures: &str) {
        say(&format!("hardening: {}: ran: {figures}", self.0));
    }
}

/// Whether everything is gone through.
fn all() -> bool {
    std::env::var_os("INVITED_HARDENING_ALL").is_some()
}

/// Containers and hardened kernels forbid what strace does.
fn may_trace() -> Result<String, String> {
    tool("strace", &["-qq", "-o", "/dev/null", "true"])
}

/// Runs a tool of the system; its words when it fails.
fn tool(program: &str, words: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program);
    // Where a user's PATH has no sbin.
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/sbin:/sbin");
    command.args(words).env("PATH", path);
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{program} {words:?}: {}", String::from_utf8_lossy(&output.stderr)))
}
