//! Servers that have nothing to do: the memory they hold after their start, and with many sessions that said EHLO and wait.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::client::Client;
use crate::peers::Peers;
use crate::servers::{Server, Watch};

/// Sessions that wait.
const SESSIONS: usize = 1000;

/// How long a server has to come to rest.
const REST: Duration = Duration::from_secs(1);

/// A server at rest; resident bytes of all its processes, each shared page counted once.
#[derive(Debug, Serialize)]
pub(crate) struct Idle {
    pub(crate) server: &'static str,
    pub(crate) after_start: u64,
    pub(crate) sessions: usize,
    pub(crate) with_sessions: u64,
}

impl Idle {
    /// What one waiting session costs, bytes.
    pub(crate) fn each_session(&self) -> f64 {
        self.with_sessions.saturating_sub(self.after_start) as f64 / self.sessions as f64
    }
}

/// Looks at one server after the other. Each was told to expect so many, where it must be told.
pub(crate) fn measure(peers: &Peers, work: &Path) -> Result<Vec<Idle>> {
    eprintln!("idle: {SESSIONS} sessions");
    let client = Client::new()?;
    let servers = peers.start(work, Watch::No, SESSIONS + 100)?;
    std::thread::sleep(REST);
    let mut all = Vec::new();
    for server in &servers {
        let after_start = server.tree().resident();
        let stay = client.stay(server.port(), SESSIONS).with_context(|| server.name())?;
        std::thread::sleep(REST);
        all.push(Idle {
            server: server.name(),
            after_start,
            sessions: stay.len(),
            with_sessions: server.tree().resident(),
        });
    }
    servers.into_iter().try_for_each(Server::stop)?;
    Ok(all)
}
