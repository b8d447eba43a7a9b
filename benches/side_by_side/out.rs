//! Letters sent: a queue of due invitations, made by the real daemon at an earlier time, goes out into `smtp-sink`, and into a
//! relay that is 20 ms away. Beside it what a shop would use otherwise: nodemailer, smtplib, a flush of Postfix's queue; and
//! `smtp-source` with mails of the same size, which composes and records nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use invited::app::{Daemon, load_config};
use invited::clock::Clock;
use invited::config::Database;
use invited::domain::{DAY, Handed, ShopId, State};
use invited::store;
use invited::store::NewCopy;
use serde::Serialize;

use crate::Plan;
use crate::door::median;
use crate::mails;
use crate::out_peers::{self, NotMeasured, write_letter};
use crate::out_relay::{FarRelay, Seen};
use crate::process::wait_until;
use crate::servers::{Invited, RECIPIENT, Server, Sink, Watch, fsyncs};

/// Longer than an invitation waits, less than it lives.
const AGO: Duration = DAY.saturating_mul(8);

/// Letters in the run that counts fsyncs.
const WATCHED_LETTERS: usize = 1000;

/// How long the queue may take to empty.
const PATIENCE: Duration = Duration::from_secs(60);

/// The name of ours.
pub(crate) const OURS: &str = "invited";

/// Connections to the relay; the first is the default.
const CONNECTIONS: [usize; 4] = [4, 10, 20, 50];

/// How far the far relay is away: from a command to its answer.
pub(crate) const FAR: Duration = Duration::from_millis(20);

/// Letters over each connection to the far relay.
const FAR_LETTERS: usize = 50;

/// Everything about letters sent.
#[derive(Debug, Serialize)]
pub(crate) struct Out {
    /// Into `smtp-sink`, as fast as it goes.
    pub(crate) rows: Vec<Row>,
    pub(crate) not_measured: Vec<NotMeasured>,
    /// To the far relay.
    pub(crate) far: Vec<Far>,
}

/// A sender of letters; medians over the rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) sender: &'static str,
    pub(crate) connections: usize,
    /// Where it is on record that a letter is about to be sent and was sent.
    pub(crate) marks: String,
    /// In one run.
    pub(crate) letters: usize,
    /// Sent and settled, each second, from the moment when the sender was allowed to begin.
    pub(crate) letters_per_second: f64,
    /// The slowest and the fastest round.
    pub(crate) range: (f64, f64),
    pub(crate) cpu_seconds_per_1000: Option<f64>,
    /// Ours alone.
    pub(crate) fsyncs_per_letter: Option<f64>,
    /// Ours alone, bytes.
    pub(crate) peak_resident: Option<u64>,
    /// The mean size of a letter on the wire, ours alone.
    pub(crate) octets: Option<usize>,
}

/// Ours, to a relay that answers late.
#[derive(Debug, Serialize)]
pub(crate) struct Far {
    pub(crate) connections: usize,
    pub(crate) letters: u64,
    /// Answered each second, from when each connection has had its first.
    pub(crate) letters_per_second: f64,
    /// How often the relay is waited for, as it saw it.
    pub(crate) round_trips_per_letter: f64,
    /// What a round trip took in truth.
    pub(crate) round_trip_ms: f64,
    /// Letters each second if nothing but the relay took time.
    pub(crate) allowed_per_second: f64,
    /// The same with MAIL, RCPT and DATA in one packet (RFC 2920), then the letter.
    pub(crate) allowed_in_two: f64,
}

/// Somebody who sends letters.
pub(crate) struct Sender {
    pub(crate) name: &'static str,
    pub(crate) connections: usize,
    /// In one run.
    pub(crate) letters: usize,
    pub(crate) rounds: usize,
    pub(crate) run: Run,
}

/// One run in a folder.
type Run = Box<dyn Fn(&Path) -> Result<Ran>>;

/// One run.
pub(crate) struct Ran {
    /// Letters each second.
    pub(crate) rate: f64,
    /// Processor seconds for 1,000 letters, where that was looked at.
    pub(crate) cpu: Option<f64>,
    /// The most memory, bytes, where that was looked at.
    pub(crate) resident: Option<u64>,
    /// What its marks are kept in.
    pub(crate) marks: String,
}

/// Measures everything. `target` is where peers are installed.
pub(crate) fn measure(plan: Plan, work: &Path, target: &Path) -> Result<Out> {
    fs::create_dir_all(work)?;
    eprintln!("out: preparing {} invitations", plan.letters);
    let queue = Arc::new(Queue::prepare(&work.join("queue"), plan.letters)?);
    let few = Queue::prepare(&work.join("few"), WATCHED_LETTERS)?;
    // Three, so that a quick run has the default, and the numbers that the peers use.
    let connections = if plan.quick { &CONNECTIONS[..3] } else { &CONNECTIONS };
    eprintln!("out: fsyncs");
    let watched = connections
        .iter()
        .map(|connections| few.watch(&work.join(format!("watched-{connections}")), *connections))
        .collect::<Result<Vec<_>>>()?;
    let mail = work.join("letter.eml");
    fs::write(&mail, mails::order("10483-2026", "anna@customer.example.net", watched[0].octets))?;
    let letter = work.join("letter.json");
    write_letter(&work.join(format!("watched-{}", connections[0])).join("dump/letters"), &letter)?;
    let ours = connections.iter().map(|connections| ours(plan, &queue, *connections));
    let (peers, not_measured) = out_peers::all(plan, &mail, &letter, target);
    let mut rows = measure_all(&ours.chain(peers).collect::<Vec<_>>(), work)?;
    for (row, watched) in rows.iter_mut().zip(watched) {
        row.fsyncs_per_letter = Some(watched.fsyncs);
        row.octets = Some(watched.octets);
    }
    let far = if plan.quick { &CONNECTIONS[1..2] } else { &CONNECTIONS };
    let far = far.iter().map(|connections| to_far(&queue, work, *connections)).collect::<Result<_>>()?;
    Ok(Out { rows, not_measured, far })
}

/// All in turns, so that whatever else the machine does falls on all of them alike.
fn measure_all(senders: &[Sender], work: &Path) -> Result<Vec<Row>> {
    let mut ran = senders.iter().map(|_| Vec::new()).collect::<Vec<_>>();
    for round in 0..senders.iter().map(|sender| sender.rounds).max().unwrap_or(0) {
        for (at, sender) in senders.iter().enumerate().filter(|(_, sender)| round < sender.rounds) {
            eprintln!("out: {}, {} connections", sender.name, sender.connections);
            ran[at].push((sender.run)(&work.join(format!("out-{at}-{round}"))).context(sender.name)?);
        }
    }
    Ok(senders.iter().zip(&ran).map(|(sender, ran)| row(sender, ran)).collect())
}

fn row(sender: &Sender, ran: &[Ran]) -> Row {
    let rates = ran.iter().map(|ran| ran.rate);
    let cpu = ran.iter().map(|ran| ran.cpu).collect::<Option<Vec<_>>>();
    Row {
        sender: sender.name,
        connections: sender.connections,
        marks: ran.first().map_or_else(String::new, |ran| ran.marks.clone()),
        letters: sender.letters,
        letters_per_second: median(rates.clone()),
        range: (rates.clone().fold(f64::MAX, f64::min), rates.fold(0.0, f64::max)),
        cpu_seconds_per_1000: cpu.map(|cpu| median(cpu.into_iter())),
        peak_resident: ran.iter().filter_map(|ran| ran.resident).max(),
        fsyncs_per_letter: None,
        octets: None,
    }
}

fn ours(plan: Plan, queue: &Arc<Queue>, connections: usize) -> Sender {
    let queue = Arc::clone(queue);
    Sender {
        name: OURS,
        connections,
        letters: plan.letters,
        rounds: plan.rounds,
        run: Box::new(move |folder| queue.send(folder, Sink::start(None, None)?, connections, Watch::No)),
    }
}

/// Ours over connections to a relay that answers late: how much of their time is spent on waiting for it, and how much on us.
fn to_far(queue: &Queue, work: &Path, connections: usize) -> Result<Far> {
    eprintln!("out: {connections} connections to a relay {FAR:?} away");
    let relay = FarRelay::start(FAR)?;
    let daemon = queue.daemon(&work.join(format!("far-{connections}")), relay.port(), connections, Watch::No)?;
    daemon.reload(&Invited::configuration(relay.port(), connections, false))?;
    let wait_for = |letters: usize| -> Result<(Seen, Instant)> {
        wait_until("letters reach the far relay", PATIENCE, || Ok(relay.seen().letters >= letters as u64))?;
        Ok((relay.seen(), Instant::now()))
    };
    let (before, start) = wait_for(connections)?;
    let (after, end) = wait_for(connections * (FAR_LETTERS + 1).min(queue.letters / connections))?;
    daemon.stop()?;
    let used = relay.most_connections();
    ensure!(used == connections, "{used} of {connections} connections were used");
    let letters = after.letters - before.letters;
    let round_trips = (after.round_trips - before.round_trips) as f64;
    let allowed = |round_trips: f64| connections as f64 / (round_trips * FAR.as_secs_f64());
    Ok(Far {
        connections,
        letters,
        letters_per_second: letters as f64 / (end - start).as_secs_f64(),
        round_trips_per_letter: round_trips / letters as f64,
        round_trip_ms: (after.waited - before.waited).as_secs_f64() * 1000.0 / round_trips,
        allowed_per_second: allowed(round_trips / letters as f64),
        allowed_in_two: allowed(2.0),
    })
}

/// A database full of invitations that are due.
struct Queue {
    database: PathBuf,
    letters: usize,
}

/// What a run shows that is slowed down by being looked at.
struct Watched {
    fsyncs: f64,
    /// The mean size of a letter on the wire.
    octets: usize,
}

impl Queue {
    /// Lets a daemon of last week read the orders.
    fn prepare(folder: &Path, letters: usize) -> Result<Self> {
        Invited::prepare(folder, &Invited::configuration(9, 10, false))?;
        let config = load_config(&folder.join("invited.toml")).map_err(|problems| anyhow!("{problems:?}"))?;
        let Database::Sqlite(database) = config.database.clone() else { bail!("the queue to send from is a file") };
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
                handed: Handed {
                    client: None,
                    hello: "client.example.com".to_owned(),
                    tls: false,
                    ..Handed::default()
                },
                answers: None,
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
    fn send(&self, folder: &Path, sink: Sink, connections: usize, watch: Watch) -> Result<Ran> {
        let daemon = self.daemon(folder, sink.port(), connections, watch)?;
        let tree = daemon.tree();
        let (cpu, start) = (tree.cpu(), Instant::now());
        daemon.reload(&Invited::configuration(sink.port(), connections, false))?;
        wait_until("all letters are sent and settled", PATIENCE, || {
            Ok(daemon.counts()?.invitations.get(&State::Sent) == Some(&(self.letters as u64)))
        })?;
        let count = self.letters as f64;
        let (rate, cpu) = (count / start.elapsed().as_secs_f64(), (tree.cpu() - cpu).as_secs_f64() * 1000.0 / count);
        let resident = Some(tree.peak_of_root());
        daemon.stop()?;
        Ok(Ran { rate, cpu: Some(cpu), resident, marks: "SQLite, commits shared".to_owned() })
    }

    /// The same below strace, and with the letters kept.
    fn watch(&self, folder: &Path, connections: usize) -> Result<Watched> {
        let dump = folder.join("dump");
        fs::create_dir_all(&dump)?;
        // The sink gives up its rights before it writes.
        fs::set_permissions(&dump, fs::Permissions::from_mode(0o777))?;
        self.send(folder, Sink::start(None, Some(&dump))?, connections, Watch::Fsyncs)?;
        let octets = usize::try_from(fs::metadata(dump.join("letters"))?.len())? / self.letters;
        Ok(Watched { fsyncs: fsyncs(folder)? as f64 / self.letters as f64, octets })
    }

    /// A daemon with a copy of the database, which holds all letters until it is reloaded.
    fn daemon(&self, folder: &Path, relay: u16, connections: usize, watch: Watch) -> Result<Box<Invited>> {
        Invited::prepare(folder, &Invited::configuration(relay, connections, true))?;
        fs::copy(&self.database, folder.join("invited.db"))?;
        Ok(Box::new(Invited::start(folder, watch)?))
    }
}

fn order(number: usize) -> Arc<[u8]> {
    let reference = format!("{number}-2026");
    mails::order(&reference, &format!("customer{number}@example.net"), 4096).replace('\n', "\r\n").into_bytes().into()
}
