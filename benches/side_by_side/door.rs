//! Messages taken in: invited, Postfix and the sink take turns at the same load, so that whatever else the machine does falls on
//! all of them alike.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::Plan;
use crate::mails;
use crate::process::Tree;
use crate::servers::{Invited, Load, Postfix, Server, Sink, Watch, check_reachable, fsyncs, hand_in};

/// Sizes of mails, octets.
const SIZES: [usize; 2] = [4 * 1024, 60 * 1024];

/// How often memory is looked at, which is work too.
const LOOK: Duration = Duration::from_secs(1);

/// Everything about the door.
#[derive(Debug, Serialize)]
pub(crate) struct Door {
    /// Each load with each server.
    pub(crate) cells: Vec<Cell>,
    /// Fsyncs a message at 20 sessions, 4 KB, reused connections.
    pub(crate) fsyncs_per_message: Vec<(&'static str, f64)>,
}

/// A server at a load; medians over the rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Cell {
    pub(crate) server: &'static str,
    pub(crate) octets: usize,
    pub(crate) sessions: usize,
    pub(crate) reuse: bool,
    /// Messages of which `smtp-source` saw the 250, each second.
    pub(crate) messages_per_second: f64,
    /// The slowest and the fastest round.
    pub(crate) range: (f64, f64),
    /// Messages a second until the last one was also worked off: read and filed, or delivered.
    pub(crate) worked_off_per_second: f64,
    /// Processor seconds of all its processes for 1,000 messages, working off included.
    pub(crate) cpu_seconds_per_1000: f64,
    /// The most resident memory seen until the end of this cell, bytes.
    pub(crate) peak_resident: u64,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    rate: f64,
    worked_off: f64,
    cpu: f64,
    resident: u64,
}

/// Measures all loads.
pub(crate) fn measure(plan: Plan, work: &Path) -> Result<Door> {
    fs::create_dir_all(work)?;
    let servers = start(work, Watch::No)?;
    let mut cells = Vec::new();
    for octets in SIZES {
        let mail = write_mail(work, octets)?;
        for sessions in [1, 20, 100] {
            for reuse in [true, false] {
                if plan.quick && (sessions == 100 || (octets > SIZES[0] && (sessions == 1 || !reuse))) {
                    continue;
                }
                let load = Load { sessions, reuse };
                eprintln!("door: {octets} octets, {sessions} sessions, {}", if reuse { "reused" } else { "one each" });
                cells.extend(cell(plan, &servers, &mail, octets, load)?);
            }
        }
    }
    stop(servers)?;
    Ok(Door { cells, fsyncs_per_message: count_fsyncs(work)? })
}

/// The servers that can be measured here, invited first.
fn start(work: &Path, watch: Watch) -> Result<Vec<Box<dyn Server>>> {
    let name = if watch == Watch::No { "invited" } else { "invited-fsyncs" };
    let folder = work.join(name);
    Invited::prepare(&folder, &Invited::configuration(9, 4, true))?;
    let invited = Invited::start(&folder, watch)?;
    // The reader must have something to do: one mail shows that it finds the order.
    let mail = write_mail(work, SIZES[0])?;
    hand_in(invited.port(), &mail, Load { sessions: 1, reuse: true }, 1)?;
    invited.drain()?;
    ensure!(invited.counts()?.invitations.values().sum::<u64>() == 1, "the reader finds no order in the mail");
    let mut servers: Vec<Box<dyn Server>> = vec![Box::new(invited)];
    if Postfix::missing().is_none() {
        let folder = work.join(if watch == Watch::No { "postfix" } else { "postfix-fsyncs" });
        check_reachable(&folder)?;
        servers.push(Box::new(Postfix::start(&folder, watch)?));
    }
    if watch == Watch::No {
        servers.push(Box::new(Sink::start(None, None)?));
    }
    Ok(servers)
}

fn stop(servers: Vec<Box<dyn Server>>) -> Result<()> {
    servers.into_iter().try_for_each(Server::stop)
}

fn write_mail(work: &Path, octets: usize) -> Result<PathBuf> {
    let path = work.join(format!("order-{octets}.eml"));
    fs::write(&path, mails::order("10483-2026", "anna@customer.example.net", octets))?;
    Ok(path)
}

fn cell(plan: Plan, servers: &[Box<dyn Server>], mail: &Path, octets: usize, load: Load) -> Result<Vec<Cell>> {
    let mut messages = Vec::new();
    for server in servers {
        // Warms up, and tells how many messages fill a run.
        let few = load.sessions * 10 + 90;
        let rate = run(server.as_ref(), mail, load, few)?.rate;
        messages.push((rate * plan.run.as_secs_f64()) as usize + few);
    }
    let mut runs = vec![Vec::new(); servers.len()];
    for _ in 0..plan.rounds {
        for ((server, messages), runs) in servers.iter().zip(&messages).zip(&mut runs) {
            runs.push(run(server.as_ref(), mail, load, *messages)?);
        }
    }
    Ok(servers.iter().zip(runs).map(|(server, runs)| sum_up(server.name(), octets, load, &runs)).collect())
}

fn run(server: &dyn Server, mail: &Path, load: Load, messages: usize) -> Result<Run> {
    let tree = server.tree();
    let before = server.kept()?;
    let (cpu, start) = (tree.cpu(), Instant::now());
    let (taken, resident) = while_looking(tree, || hand_in(server.port(), mail, load, messages));
    let taken = taken?;
    server.drain()?;
    let (all, count, cpu) = (start.elapsed(), messages as f64, tree.cpu() - cpu);
    if let (Some(before), Some(after)) = (before, server.kept()?) {
        ensure!(after - before == messages as u64, "{messages} messages were handed in and {} kept", after - before);
    }
    Ok(Run {
        rate: count / taken.as_secs_f64(),
        worked_off: count / all.as_secs_f64(),
        cpu: cpu.as_secs_f64() * 1000.0 / count,
        resident,
    })
}

/// Does something while another thread looks at the memory of a tree, and returns the most it saw.
fn while_looking<T>(tree: Tree, work: impl FnOnce() -> T) -> (T, u64) {
    std::thread::scope(|scope| {
        let (done, is_done) = channel::<()>();
        let looking = scope.spawn(move || {
            let mut most = 0;
            loop {
                let goes_on = is_done.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout);
                most = most.max(tree.resident());
                if !goes_on {
                    return most.max(tree.peak_of_root());
                }
            }
        });
        let outcome = work();
        drop(done);
        (outcome, looking.join().unwrap_or(0))
    })
}

fn sum_up(server: &'static str, octets: usize, load: Load, runs: &[Run]) -> Cell {
    let rates = runs.iter().map(|run| run.rate);
    Cell {
        server,
        octets,
        sessions: load.sessions,
        reuse: load.reuse,
        messages_per_second: median(rates.clone()),
        range: (rates.clone().fold(f64::MAX, f64::min), rates.fold(0.0, f64::max)),
        worked_off_per_second: median(runs.iter().map(|run| run.worked_off)),
        cpu_seconds_per_1000: median(runs.iter().map(|run| run.cpu)),
        peak_resident: runs.iter().map(|run| run.resident).max().unwrap_or(0),
    }
}

/// The middle one; of an even number the mean of the two.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values = values.collect::<Vec<_>>();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        count => f64::midpoint(values[(count - 1) / 2], values[count / 2]),
    }
}

/// In runs of their own, since strace slows what it watches.
fn count_fsyncs(work: &Path) -> Result<Vec<(&'static str, f64)>> {
    const MESSAGES: usize = 2000;
    eprintln!("door: fsyncs");
    let mail = write_mail(work, SIZES[0])?;
    let mut counts = Vec::new();
    for server in start(work, Watch::Fsyncs)? {
        let name = server.name();
        hand_in(server.port(), &mail, Load { sessions: 20, reuse: true }, MESSAGES)?;
        server.drain()?;
        server.stop()?;
        let folder = work.join(format!("{}-fsyncs", name.to_lowercase()));
        counts.push((name, fsyncs(&folder)? as f64 / MESSAGES as f64));
    }
    Ok(counts)
}
