//! Our client beside `smtp-source`, against servers that both drive alike: what it costs itself, and that it tells the same.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use serde::Serialize;

use crate::Plan;
use crate::client::{Client, Load};
use crate::door::{SMALL, median};
use crate::mails;
use crate::peers::{MAILIN, Peers};
use crate::process::{own_cpu, waited_cpu};
use crate::servers::{Server, Sink, Watch, hand_in};

const LOAD: Load = Load { sessions: 20, reuse: true };

/// A client at a server; medians over the rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) client: &'static str,
    pub(crate) server: &'static str,
    pub(crate) messages_per_second: f64,
    pub(crate) client_cpu_seconds_per_1000: f64,
}

/// Both clients, in turns. `invited` is left out: to it, the one mail of `smtp-source` is a repeat again and again, which is other work.
pub(crate) fn measure(plan: Plan, peers: &Peers, work: &Path) -> Result<Vec<Check>> {
    const MESSAGES: usize = 10_000;
    eprintln!("client: beside smtp-source");
    fs::create_dir_all(work)?;
    let mail = work.join("order.eml");
    fs::write(&mail, mails::order("10000000-2026", "customer10000000@example.net", SMALL))?;
    let (client, pattern) = (Client::new()?, Arc::new(mails::Pattern::new(SMALL)));
    let servers = peers.start(work, Watch::No, LOAD.sessions)?;
    let mut all = Vec::new();
    for server in servers.iter().filter(|server| [MAILIN, Sink::NAME].contains(&server.name())) {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..plan.rounds {
            let cpu = own_cpu()?;
            let taken = client.hand_in(server.port(), &pattern, LOAD, MESSAGES)?.elapsed;
            ours.push((taken, own_cpu()? - cpu));
            let cpu = waited_cpu()?;
            let taken = hand_in(server.port(), &mail, LOAD, MESSAGES)?;
            theirs.push((taken, waited_cpu()? - cpu));
        }
        all.extend([("our own", ours), ("smtp-source", theirs)].map(|(client, runs)| Check {
            client,
            server: server.name(),
            messages_per_second: median(runs.iter().map(|(taken, _)| MESSAGES as f64 / taken.as_secs_f64())),
            client_cpu_seconds_per_1000: median(
                runs.iter().map(|(_, cpu)| cpu.as_secs_f64() * 1000.0 / MESSAGES as f64),
            ),
        }));
    }
    servers.into_iter().try_for_each(Server::stop)?;
    Ok(all)
}
