//! Messages that come at a fixed rate, whether the server keeps up or not, far below what it can take: what a message waits then.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use serde::Serialize;

use crate::Plan;
use crate::client::{Client, Load, Waits};
use crate::door::{SMALL, check_kept, median};
use crate::mails::Pattern;
use crate::peers::Peers;
use crate::servers::{Server, Watch};

/// Messages a second.
const RATE: u32 = 100;

/// Sessions that wait for their turn.
const SESSIONS: usize = 20;

/// A server at the fixed rate; medians over the rounds.
#[derive(Debug, Serialize)]
pub(crate) struct AtRate {
    pub(crate) server: &'static str,
    pub(crate) reuse: bool,
    pub(crate) messages_per_second: u32,
    /// From the planned instant to the 250.
    pub(crate) waits: Waits,
    /// Of all processes, working off included.
    pub(crate) cpu_seconds_per_1000: f64,
}

/// Measures small mails over reused connections and over one each.
pub(crate) fn measure(plan: Plan, peers: &Peers, work: &Path) -> Result<Vec<AtRate>> {
    let (client, pattern) = (Client::new()?, Arc::new(Pattern::new(SMALL)));
    let servers = peers.start(work, Watch::No, SESSIONS)?;
    let mut all = Vec::new();
    for reuse in [true, false] {
        if plan.quick && !reuse {
            continue;
        }
        eprintln!("rate: {RATE} messages a second, {}", if reuse { "reused" } else { "one each" });
        let load = Load { sessions: SESSIONS, reuse };
        for server in &servers {
            client.hand_in(server.port(), &pattern, load, 500)?;
            server.drain()?;
        }
        let mut runs = vec![Vec::new(); servers.len()];
        for round in 0..plan.rate_rounds {
            for turn in 0..servers.len() {
                let at = (round + turn) % servers.len();
                runs[at].push(run(&client, servers[at].as_ref(), &pattern, load, plan.rate_messages)?);
            }
        }
        all.extend(servers.iter().zip(runs).map(|(server, runs)| AtRate {
            server: server.name(),
            reuse,
            messages_per_second: RATE,
            waits: Waits::middle(runs.iter().map(|run| run.0)),
            cpu_seconds_per_1000: median(runs.iter().map(|run| run.1)),
        }));
    }
    servers.into_iter().try_for_each(Server::stop)?;
    Ok(all)
}

fn run(
    client: &Client,
    server: &dyn Server,
    pattern: &Arc<Pattern>,
    load: Load,
    messages: usize,
) -> Result<(Waits, f64)> {
    let (tree, before) = (server.tree(), server.kept()?);
    let cpu = tree.cpu();
    let taken = client.at_rate(server.port(), pattern, load, RATE, messages)?;
    server.drain()?;
    let cpu = tree.cpu() - cpu;
    check_kept(server, before, messages)?;
    Ok((taken.waits(), cpu.as_secs_f64() * 1000.0 / messages as f64))
}
