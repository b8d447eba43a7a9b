//! Letters sent: a queue of due invitations, made by the real daemon at an earlier time, goes out into `smtp-sink`. Beside it
//! `smtp-source` with mails of the same size, which records nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use invited::app::{Daemon, load_config};
use invited::clock::Clock;
use invited::domain::{DAY, ShopId, State};
use invited::store;
use invited::store::NewCopy;
use serde::Serialize;

use crate::Plan;
use crate::door::median;
use crate::mails;
use crate::process::wait_until;
use crate::servers::{Invited, Load, RECIPIENT, Server, Sink, Watch, fsyncs, hand_in};

/// Longer than an invitation waits, less than it lives.
const AGO: Duration = DAY.saturating_mul(8);

/// Letters in the run that counts fsyncs.
const WATCHED_LETTERS: usize = 1000;

/// How long the queue may take to empty.
const PATIENCE: Duration = Duration::from_secs(60);

/// Letters over so many connections; medians over the rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Out {
    pub(crate) connections: usize,
    /// Sent and settled, each second, from the moment when the daemon was allowed to begin.
    pub(crate) letters_per_second: f64,
    /// The slowest and the fastest round.
    pub(crate) range: (f64, f64),
    pub(crate) cpu_seconds_per_1000: f64,
    pub(crate) fsyncs_per_letter: f64,
    pub(crate) peak_resident: u64,
    /// The mean size of a letter on the wire.
    pub(crate) octets: usize,
    /// What `smtp-source` makes of mails of that size, each second.
    pub(crate) smtp_source_per_second: f64,
}

/// Measures all numbers of connections.
pub(crate) fn measure(plan: Plan, work: &Path) -> Result<Vec<Out>> {
    fs::create_dir_all(work)?;
    eprintln!("out: preparing {} invitations", plan.letters);
    let queue = Queue::prepare(&work.join("queue"), plan.letters)?;
    let few = Queue::prepare(&work.join("few"), WATCHED_LETTERS)?;
    let mut all = Vec::new();
    for connections in [10, 20] {
        eprintln!("out: {connections} connections");
        let watched = few.send(&work.join(format!("watched-{connections}")), connections, Watch::Fsyncs)?;
        let letter = work.join("letter.eml");
        fs::write(&letter, mails::order("10483-2026", "anna@customer.example.net", watched.octets))?;
        let (mut sent, mut source) = (Vec::new(), Vec::new());
        for round in 0..plan.rounds {
            sent.push(queue.send(&work.join(format!("out-{connections}-{round}")), connections, Watch::No)?);
            let sink = Sink::start(None, None)?;
            let load = Load { sessions: connections, reuse: true };
            source.push(plan.letters as f64 / hand_in(sink.port(), &letter, load, plan.letters)?.as_secs_f64());
        }
        let rates = sent.iter().map(|sent| sent.rate);
        all.push(Out {
            connections,
            letters_per_second: median(rates.clone()),
            range: (rates.clone().fold(f64::MAX, f64::min), rates.fold(0.0, f64::max)),
            cpu_seconds_per_1000: median(sent.iter().map(|sent| sent.cpu)),
            fsyncs_per_letter: watched.fsyncs,
            peak_resident: sent.iter().map(|sent| sent.resident).max().unwrap_or(0),
            octets: watched.octets,
            smtp_source_per_second: median(source.into_iter()),
        });
    }
    Ok(all)
}

/// A database full of invitations that are due.
struct Queue {
    database: PathBuf,
    letters: usize,
}

struct Sent {
    rate: f64,
    cpu: f64,
    resident: u64,
    fsyncs: f64,
    octets: usize,
}

impl Queue {
    /// Lets a daemon of last week read the orders.
    fn prepare(folder: &Path, letters: usize) -> Result<Self> {
        Invited::prepare(folder, &Invited::configuration(9, 10, false))?;
        let config = load_config(&folder.join("invited.toml")).map_err(|problems| anyhow!("{problems:?}"))?;
        let database = config.database.sqlite_path().map_err(|problems| anyhow!("{problems:?}"))?.to_owned();
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(async {
            store::create_if_missing(&config.database, None).await?;
            let then = invited::domain::Timestamp(Clock::System.now().0 - i64::try_from(AGO.as_millis())?);
            let daemon = Daemon::start(config, Clock::manual(then)).await?;
            let shop = ShopId::parse("shop").map_err(|error| anyhow!("{error}"))?;
            let orders = (0..letters).map(|n| NewCopy {
                shop: shop.clone(),
                mail_from: "orders@shop.example.com".to_owned(),
                rcpt_to: RECIPIENT.to_owned(),
                client: None,
                hello: "client.example.com".to_owned(),
                tls: false,
                message: order(n),
                received_at: then,
            });
            daemon.house().store.spool(orders.collect()).await?;
            daemon.house().copy_came.notify_one();
            while daemon.house().store.counts().await?.unread > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let counts = daemon.house().store.counts().await?;
            daemon.stop().await;
            ensure!(
                counts.invitations.get(&State::Queued) == Some(&(letters as u64)),
                "not all are queued: {counts:?}"
            );
            Ok(())
        })?;
        Ok(Self { database, letters })
    }

    /// Sends all letters from a copy of the database.
    fn send(&self, folder: &Path, connections: usize, watch: Watch) -> Result<Sent> {
        let dump = folder.join("dump");
        let is_watched = watch == Watch::Fsyncs;
        fs::create_dir_all(&dump)?;
        // The sink gives up its rights before it writes.
        fs::set_permissions(&dump, fs::Permissions::from_mode(0o777))?;
        let sink = Sink::start(None, is_watched.then_some(&*dump))?;
        Invited::prepare(folder, &Invited::configuration(sink.port(), connections, true))?;
        fs::copy(&self.database, folder.join("invited.db"))?;
        let daemon = Box::new(Invited::start(folder, watch)?);
        let tree = daemon.tree();
        let (cpu, start) = (tree.cpu(), Instant::now());
        daemon.reload(&Invited::configuration(sink.port(), connections, false))?;
        wait_until("all letters are sent and settled", PATIENCE, || {
            Ok(daemon.counts()?.invitations.get(&State::Sent) == Some(&(self.letters as u64)))
        })?;
        let count = self.letters as f64;
        let (rate, cpu) = (count / start.elapsed().as_secs_f64(), (tree.cpu() - cpu).as_secs_f64() * 1000.0 / count);
        let resident = tree.peak_of_root();
        daemon.stop()?;
        drop(sink);
        let (mut fsyncs_each, mut octets) = (0.0, 0);
        if is_watched {
            fsyncs_each = fsyncs(folder)? as f64 / count;
            let files = fs::read_dir(&dump)?.flatten().filter_map(|file| file.metadata().ok());
            octets = usize::try_from(files.map(|file| file.len()).sum::<u64>())? / self.letters;
        }
        Ok(Sent { rate, cpu, resident, fsyncs: fsyncs_each, octets })
    }
}

fn order(number: usize) -> Arc<[u8]> {
    let reference = format!("{number}-2026");
    mails::order(&reference, &format!("customer{number}@example.net"), 4096).replace('\n', "\r\n").into_bytes().into()
}
