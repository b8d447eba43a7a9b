//! Fills the queues and asks them in turns, call by call, so that whatever else the machine does falls on all alike.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use invited::config::Database;
use invited::domain::{InvitationId, State};
use invited::store::{Filter, Role, SqlStore, Store as _, create_if_missing, open};
use serde::Serialize;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::runtime::Runtime;

use crate::call::{Asked, Call};
use crate::commands::{Desk, Export, LONG};
use crate::postgres::{self, Cluster};
use crate::queue_fill::{Contents, Raw, Size};
use crate::store;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Invitations, the smaller queue first.
    pub(crate) sizes: [u64; 2],
    /// Calls of each kind, of which the median counts, and runs of each command.
    pub(crate) calls: usize,
    pub(crate) commands: u64,
}

/// Where the queues are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// What was found on one engine.
#[derive(Debug, Serialize)]
pub(crate) struct Found {
    pub(crate) engine: &'static str,
    pub(crate) sizes: Vec<u64>,
    pub(crate) filled_seconds: Vec<u64>,
    pub(crate) calls: Vec<Row>,
    pub(crate) commands: Vec<Row>,
    /// Commands that go through everything, or nearly.
    pub(crate) long: Vec<Row>,
    pub(crate) exports: Vec<Export>,
    pub(crate) tables: Vec<Size>,
}

/// One thing that was asked for, on each queue.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Looks at more the more there is, up to a bound.
    pub(crate) is_search: bool,
    /// Medians and the longest, by queue.
    pub(crate) median_ms: Vec<f64>,
    pub(crate) longest_ms: Vec<f64>,
    /// How each statement finds its rows in the larger queue.
    pub(crate) plan: Vec<String>,
}

impl Row {
    /// How many times longer it takes on the larger queue.
    pub(crate) fn ratio(&self) -> f64 {
        self.median_ms[1] / self.median_ms[0]
    }
}

/// A filled queue.
struct Queue {
    all: u64,
    database: Database,
    /// As a configuration has it.
    url: String,
}

/// Measures one engine. `None` when its programs are not there, which was said.
pub(crate) fn measure(engine: Engine, plan: Plan, now: i64, work: &Path) -> Result<Option<Found>> {
    let server = match engine {
        Engine::Sqlite => None,
        Engine::Postgres => match Cluster::start(&[("max_wal_size", "4GB")]) {
            Some(server) => Some(server),
            None => return Ok(None),
        },
    };
    let runtime = Runtime::new()?;
    let name = if engine == Engine::Sqlite { "SQLite" } else { "PostgreSQL" };
    let mut found = Found {
        engine: name,
        sizes: plan.sizes.to_vec(),
        filled_seconds: Vec::new(),
        calls: Vec::new(),
        commands: Vec::new(),
        long: Vec::new(),
        exports: Vec::new(),
        tables: Vec::new(),
    };
    let mut queues = Vec::new();
    for all in plan.sizes {
        let url = match &server {
            None => work.join(format!("{all}.db")).display().to_string(),
            Some(server) => {
                server.create_database(&format!("desk_{all}"));
                server.socket_url(&format!("desk_{all}"))
            }
        };
        let database = Database::parse(&url, work).map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
        let queue = Queue { all, database, url };
        let start = Instant::now();
        found.tables.extend(runtime.block_on(queue.fill(now))?);
        found.filled_seconds.push(start.elapsed().as_secs());
        eprintln!("{name}: {all} invitations filled in {} s", start.elapsed().as_secs());
        queues.push(queue);
    }
    let queued = runtime.block_on(calls(plan, now, &queues, &mut found))?;
    let desks = queues.iter().zip(queued).map(|(queue, queued)| Desk::new(work, &queue.url, queue.all, queued));
    commands(plan, &desks.collect::<Result<Vec<_>>>()?, &mut found)?;
    Ok(Some(found))
}

impl Queue {
    async fn raw(&self) -> Result<Raw> {
        Ok(match &self.database {
            Database::Sqlite(path) => {
                Raw::Sqlite(sqlx::sqlite::SqliteConnectOptions::new().filename(path).connect().await?)
            }
            Database::Postgres(_) => {
                Raw::Postgres(PgConnection::connect(&self.url.replacen(postgres::ROLE, "postgres", 1)).await?)
            }
        })
    }

    async fn fill(&self, now: i64) -> Result<Vec<Size>> {
        create_if_missing(&self.database, None).await?;
        let mut raw = self.raw().await?;
        raw.fill(Contents::whole(self.all, now)?).await?;
        let sizes = raw.sizes(self.all).await?;
        close(raw).await?;
        Ok(sizes)
    }
}

async fn close(raw: Raw) -> Result<()> {
    match raw {
        Raw::Sqlite(conn) => Ok(conn.close().await?),
        Raw::Postgres(conn) => Ok(conn.close().await?),
    }
}

/// Through the store. What comes back are invitations of each queue that wait for their time.
async fn calls(plan: Plan, now: i64, queues: &[Queue], found: &mut Found) -> Result<Vec<Vec<InvitationId>>> {
    let mut stores: Vec<SqlStore> = Vec::new();
    for queue in queues {
        stores.push(open(&queue.database, None, Role::Daemon).await?);
    }
    let mut raw = queues.last().context("no queue")?.raw().await?;
    let each = stores.iter().zip(queues).map(|(store, queue)| Asked::new(store, queue.all, now));
    let mut asked = each.collect::<Result<Vec<_>>>()?;
    for call in Call::ALL {
        let mut times = vec![Vec::new(); asked.len()];
        for round in 0..=plan.calls {
            for (place, queue) in asked.iter_mut().enumerate() {
                let took = queue.take(call).await.with_context(|| format!("{call:?}, {} invitations", queue.all))?;
                // Caches are cold at first.
                if round > 0 {
                    times[place].push(took);
                }
            }
        }
        found.calls.push(row(call.name(), call.is_search(), times, store::plan(&mut raw, call).await?));
    }
    close(raw).await?;
    let mut queued = Vec::new();
    for store in stores {
        let filter = Filter { states: vec![State::Queued], ..Filter::default() };
        let page = store.list(&filter, None, 50).await?.invitations;
        queued.push(page.iter().map(|one| one.id).collect());
        store.close().await;
    }
    Ok(queued)
}

/// As a person has it.
fn commands(plan: Plan, desks: &[Desk], found: &mut Found) -> Result<()> {
    let mut times: BTreeMap<usize, Vec<Vec<Duration>>> = BTreeMap::new();
    let mut rows = Vec::new();
    for round in 0..=plan.commands {
        for (place, desk) in desks.iter().enumerate() {
            for (n, asked) in desk.asked(round).into_iter().enumerate() {
                let took = desk.run(&asked)?;
                if round > 0 {
                    times.entry(n).or_insert_with(|| vec![Vec::new(); desks.len()])[place].push(took);
                } else if place == 0 {
                    rows.push((asked.name, asked.is_search));
                }
            }
        }
    }
    for (n, (name, is_search)) in rows.into_iter().enumerate() {
        found.commands.push(row(name, is_search, times.remove(&n).context(name)?, Vec::new()));
    }
    for n in 0..LONG {
        let (mut name, mut times) = ("", Vec::new());
        for desk in desks {
            let asked = &desk.long()[n];
            name = asked.name;
            times.push(vec![desk.run(asked)?]);
        }
        found.long.push(row(name, true, times, Vec::new()));
    }
    for desk in desks {
        found.exports.push(desk.export()?);
    }
    Ok(())
}

fn row(name: &'static str, is_search: bool, mut times: Vec<Vec<Duration>>, plan: Vec<String>) -> Row {
    times.iter_mut().for_each(|times| times.sort_unstable());
    let of = |pick: fn(&[Duration]) -> Duration| {
        times.iter().map(|times| pick(times).as_secs_f64() * 1000.0).collect::<Vec<_>>()
    };
    Row {
        name,
        is_search,
        median_ms: of(|times| times[times.len() / 2]),
        longest_ms: of(|times| times[times.len() - 1]),
        plan,
    }
}
