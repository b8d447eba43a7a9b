//! Messages taken in as fast as they are answered: invited and its peers take turns at the same load, so that whatever else the
//! machine does falls on all of them alike.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::Plan;
use crate::client::{Client, Load, Waits};
use crate::mails::Pattern;
use crate::peers::Peers;
use crate::process::Tree;
use crate::servers::{Server, Watch, fsyncs};

/// Small mails, octets.
pub(crate) const SMALL: usize = 4 * 1024;
/// Large mails, octets.
pub(crate) const LARGE: usize = 60 * 1024;

/// How often memory is looked at, which is work too.
const LOOK: Duration = Duration::from_secs(1);

/// A server at a load; medians over the rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Cell {
    pub(crate) server: &'static str,
    pub(crate) octets: usize,
    pub(crate) sessions: usize,
    pub(crate) reuse: bool,
    /// Messages of which the client saw the 250, each second.
    pub(crate) messages_per_second: f64,
    /// The slowest and the fastest round.
    pub(crate) range: (f64, f64),
    /// What a message waited while all went as fast as they could.
    pub(crate) waits: Waits,
    /// Messages a second until the last one was also worked off: read and filed, or delivered.
    pub(crate) worked_off_per_second: f64,
    /// Processor seconds of all its processes for 1,000 messages until the last one was worked off.
    pub(crate) cpu_seconds_per_1000: f64,
    /// The same until the last 250: with as much of the working off as was done by then.
    pub(crate) cpu_seconds_per_1000_until_taken: f64,
    /// The same without the working off, where that can be told apart.
    pub(crate) cpu_seconds_per_1000_door_alone: Option<f64>,
    /// The most resident memory seen at these octets and sessions, bytes.
    pub(crate) peak_resident: u64,
}

/// What a message costs the disk, 20 sessions, small mails, reused connections.
#[derive(Debug, Serialize)]
pub(crate) struct Fsyncs {
    pub(crate) server: &'static str,
    pub(crate) per_message: f64,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    rate: f64,
    waits: Waits,
    worked_off: f64,
    cpu: f64,
    cpu_until_taken: f64,
    cpu_door_alone: Option<f64>,
    resident: u64,
}

/// Measures all loads.
pub(crate) fn measure(plan: Plan, peers: &Peers, work: &Path) -> Result<Vec<Cell>> {
    let client = Client::new()?;
    let mut cells = Vec::new();
    for octets in [SMALL, LARGE] {
        let pattern = Arc::new(Pattern::new(octets));
        for sessions in [1, 20, 100] {
            if plan.quick && (octets, sessions) != (LARGE, 20) && octets != SMALL {
                continue;
            }
            // New ones each time: databases stay small, and a peak of memory belongs to one number of sessions.
            let folder = work.join(format!("{octets}-{sessions}"));
            let servers = peers.start(&folder, Watch::No, sessions)?;
            for reuse in [true, false] {
                if plan.quick && reuse == ((octets, sessions) == (SMALL, 1)) {
                    continue;
                }
                let load = Load { sessions, reuse };
                eprintln!("door: {octets} octets, {sessions} sessions, {}", if reuse { "reused" } else { "one each" });
                cells.extend(cell(plan, &client, &servers, (octets, &pattern), load)?);
            }
            servers.into_iter().try_for_each(Server::stop)?;
            fs::remove_dir_all(folder)?;
        }
    }
    Ok(cells)
}

fn cell(
    plan: Plan,
    client: &Client,
    servers: &[Box<dyn Server>],
    (octets, pattern): (usize, &Arc<Pattern>),
    load: Load,
) -> Result<Vec<Cell>> {
    // What takes a mail of 60 KB quickly may need ten times as long to work it off.
    let length = if octets > SMALL { plan.run / 2 } else { plan.run };
    let mut messages = Vec::new();
    for server in servers {
        // Warms up, and tells how many messages fill a run.
        let few = load.sessions * 10 + 90;
        let rate = run(client, server.as_ref(), pattern, load, few)?.rate;
        messages.push((rate * length.as_secs_f64()) as usize + few);
    }
    let mut runs = vec![Vec::new(); servers.len()];
    for round in 0..plan.rounds {
        // Each round begins with another one, so that nobody always comes after the same.
        for turn in 0..servers.len() {
            let at = (round + turn) % servers.len();
            runs[at].push(run(client, servers[at].as_ref(), pattern, load, messages[at])?);
        }
    }
    Ok(servers.iter().zip(runs).map(|(server, runs)| sum_up(server.name(), octets, load, &runs)).collect())
}

fn run(client: &Client, server: &dyn Server, pattern: &Arc<Pattern>, load: Load, messages: usize) -> Result<Run> {
    let tree = server.tree();
    let before = server.kept()?;
    let (cpu, start) = (tree.cpu(), Instant::now());
    let (taken, resident) = while_looking(tree, || client.hand_in(server.port(), pattern, load, messages));
    let taken = taken?;
    let (cpu_until_taken, unread) = ((tree.cpu() - cpu).as_secs_f64(), server.unread()?);
    server.drain()?;
    let (all, count, cpu) = (start.elapsed(), messages as f64, (tree.cpu() - cpu).as_secs_f64());
    check_kept(server, before, messages)?;
    // What is read after the last 250 costs the reader alone, which tells what it took before that. Of few that is not to be told.
    let is_told = unread as f64 > count / 4.0 && unread > 1000;
    let each = (cpu - cpu_until_taken) / unread as f64;
    let alone = is_told.then_some(cpu_until_taken - each * (count - unread as f64));
    Ok(Run {
        rate: count / taken.elapsed.as_secs_f64(),
        waits: taken.waits(),
        worked_off: count / all.as_secs_f64(),
        cpu: cpu * 1000.0 / count,
        cpu_until_taken: cpu_until_taken * 1000.0 / count,
        cpu_door_alone: alone.map(|alone| alone.max(0.0) * 1000.0 / count),
        resident,
    })
}

/// Whether all that was answered with 250 is there, for servers that keep anything.
pub(crate) fn check_kept(server: &dyn Server, before: Option<u64>, messages: usize) -> Result<()> {
    if let (Some(before), Some(after)) = (before, server.kept()?) {
        let name = server.name();
        ensure!(
            after - before == messages as u64,
            "{name} said 250 to {messages} messages and kept {}",
            after - before
        );
    }
    Ok(())
}

/// Does something while another thread looks at the memory of a tree, and returns the most it saw.
pub(crate) fn while_looking<T>(tree: Tree, work: impl FnOnce() -> T) -> (T, u64) {
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
    let middle = |value: fn(&Run) -> f64| median(runs.iter().map(value));
    let alone = runs.iter().filter_map(|run| run.cpu_door_alone).collect::<Vec<_>>();
    let rates = runs.iter().map(|run| run.rate);
    Cell {
        server,
        octets,
        sessions: load.sessions,
        reuse: load.reuse,
        messages_per_second: median(rates.clone()),
        range: (rates.clone().fold(f64::MAX, f64::min), rates.fold(0.0, f64::max)),
        waits: Waits::middle(runs.iter().map(|run| run.waits)),
        worked_off_per_second: middle(|run| run.worked_off),
        cpu_seconds_per_1000: middle(|run| run.cpu),
        cpu_seconds_per_1000_until_taken: middle(|run| run.cpu_until_taken),
        cpu_seconds_per_1000_door_alone: (!alone.is_empty()).then(|| median(alone.into_iter())),
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

/// Counted in runs of their own, since strace slows what it watches. Opening and closing the server is in it.
pub(crate) fn count_fsyncs(peers: &Peers, work: &Path) -> Result<Vec<Fsyncs>> {
    const MESSAGES: usize = 2000;
    eprintln!("door: fsyncs");
    let (client, pattern) = (Client::new()?, Arc::new(Pattern::new(SMALL)));
    let mut counts = Vec::new();
    for server in peers.start(work, Watch::Fsyncs, 20)? {
        let name = server.name();
        client.hand_in(server.port(), &pattern, Load { sessions: 20, reuse: true }, MESSAGES)?;
        server.drain()?;
        server.stop()?;
        counts.push(Fsyncs { server: name, per_message: fsyncs(&work.join(name))? as f64 / MESSAGES as f64 });
    }
    Ok(counts)
}
