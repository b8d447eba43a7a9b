//! What a tree of processes costs, from /proc: processor time, dead children included, and memory.

use std::collections::HashMap;
use std::fs;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A process and all that it started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tree {
    root: u32,
    ticks_per_second: u64,
}

struct Stat {
    parent: u32,
    ticks: u64,
    /// Of `ticks`, those of children that ended and were waited for.
    waited: u64,
}

impl Tree {
    /// The tree below `root`.
    pub(crate) fn of(root: u32) -> Result<Self> {
        Ok(Self { root, ticks_per_second: ticks_per_second()? })
    }

    /// Processor time that was spent until now, by those that live and those that were waited for.
    pub(crate) fn cpu(self) -> Duration {
        let stats = stats();
        let ticks: u64 = self.members(&stats).filter_map(|pid| stats.get(&pid)).map(|stat| stat.ticks).sum();
        Duration::from_millis(ticks * 1000 / self.ticks_per_second)
    }

    /// Resident bytes, each shared page counted once (`Pss`).
    pub(crate) fn resident(self) -> u64 {
        let stats = stats();
        self.members(&stats).filter_map(|pid| kilobytes(&format!("/proc/{pid}/smaps_rollup"), "Pss:")).sum::<u64>()
            * 1024
    }

    /// The most that the root alone had resident since it started, pages shared with others included (`VmHWM`).
    pub(crate) fn peak_of_root(self) -> u64 {
        kilobytes(&format!("/proc/{}/status", self.root), "VmHWM:").unwrap_or(0) * 1024
    }

    /// The processes that the root started.
    pub(crate) fn children(self) -> Vec<u32> {
        stats().into_iter().filter(|(_, stat)| stat.parent == self.root).map(|(pid, _)| pid).collect()
    }

    fn members(self, stats: &HashMap<u32, Stat>) -> impl Iterator<Item = u32> + '_ {
        stats.keys().copied().filter(move |pid| {
            let mut at = *pid;
            while at != self.root {
                match stats.get(&at) {
                    Some(stat) if stat.parent != 0 => at = stat.parent,
                    _ => return false,
                }
            }
            true
        })
    }
}

/// Processor time of this process itself.
pub(crate) fn own_cpu() -> Result<Duration> {
    own(|stat| stat.ticks - stat.waited)
}

/// Processor time of all that this process started, and that ended.
pub(crate) fn waited_cpu() -> Result<Duration> {
    own(|stat| stat.waited)
}

fn own(ticks: fn(&Stat) -> u64) -> Result<Duration> {
    let ticks_per_second = ticks_per_second()?;
    let own = stat(&fs::read_to_string("/proc/self/stat")?).context("/proc/self/stat is not as in proc(5)")?;
    Ok(Duration::from_millis(ticks(&own) * 1000 / ticks_per_second))
}

fn ticks_per_second() -> Result<u64> {
    let told = Command::new("getconf").arg("CLK_TCK").output().context("getconf CLK_TCK")?;
    Ok(String::from_utf8(told.stdout)?.trim().parse()?)
}

fn stats() -> HashMap<u32, Stat> {
    let Ok(folders) = fs::read_dir("/proc") else { return HashMap::new() };
    let pids = folders.flatten().filter_map(|folder| folder.file_name().to_str()?.parse::<u32>().ok());
    pids.filter_map(|pid| Some((pid, stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?))).collect()
}

/// proc(5): the fields after the name, which stands in parentheses and may hold anything; the parent, and user and system time of
/// the process itself and of its children that were waited for.
fn stat(line: &str) -> Option<Stat> {
    let fields = line.rsplit_once(')')?.1.split_ascii_whitespace().collect::<Vec<_>>();
    let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
    let ticks = (11..=14).map(number).sum::<Option<u64>>()?;
    let waited = (13..=14).map(number).sum::<Option<u64>>()?;
    Some(Stat { parent: u32::try_from(number(1)?).ok()?, ticks, waited })
}

fn kilobytes(file: &str, key: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// A child that is stopped when it is no longer wanted, whatever happens.
pub(crate) struct Kept(pub(crate) Child);

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lets this process, and those it starts from now on, have more files open than the usual 1,024: each session is one.
pub(crate) fn allow_many_files() -> Result<()> {
    // Not without end: some programs close all that they may have open, one by one.
    const ENOUGH: u64 = 16 * 1024;
    let limit = getrlimit(Resource::Nofile);
    let current = limit.maximum.map_or(ENOUGH, |most| most.min(ENOUGH));
    setrlimit(Resource::Nofile, Rlimit { current: Some(current), ..limit }).context("the limit of open files")
}

/// Sends a signal, by its name.
pub(crate) fn signal(pid: u32, name: &str) -> Result<()> {
    run(Command::new("kill").args(["-s", name, &pid.to_string()]))
}

/// Runs a command to its end, with what it said when it failed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    if output.status.success() {
        return Ok(());
    }
    bail!("{command:?} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim())
}

/// Asks until it is so.
pub(crate) fn wait_until(what: &str, patience: Duration, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !is_so()? {
        if start.elapsed() > patience {
            bail!("not within {patience:?}: {what}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
