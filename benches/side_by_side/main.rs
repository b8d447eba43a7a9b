//! `invited serve` beside its peers, in one run on one machine: messages taken in durably, mails read, and letters sent. What the figures mean
//! and how they came about is told in docs/performance.md.
//!
//! ```text
//! cargo bench --bench side_by_side                 # all of it, about 20 minutes
//! cargo bench --bench side_by_side -- quick        # the essence, for continuous integration
//! cargo bench --bench side_by_side -- door idle    # some sections: door, rate, whole, idle, client, out, queue,
//!                                                  # read, read-curve
//! cargo bench --bench side_by_side -- --dir /mnt   # on another disk
//! ```
//!
//! It needs `smtp-source` and `smtp-sink` of the postfix package, and `strace`. Postfix itself is measured when this runs as root,
//! the others when they can be built or found; who is missing is named. nodemailer, mailparser and smtplib are measured where `node`,
//! `npm` and `python3` are; they are installed into `target/bench` once.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark tells its figures")]

mod client;
mod client_check;
mod door;
mod door_report;
mod figures;
mod idle;
mod machine;
mod mails;
mod out;
mod out_peers;
mod out_postfix;
mod out_relay;
mod out_report;
mod peers;
mod postfix;
#[path = "../../tests/kit/postgres.rs"]
mod postgres;
mod process;
mod queue;
mod queue_fill;
mod queue_report;
mod rate;
mod read;
mod read_curve;
mod read_report;
mod read_shapes;
mod report;
#[path = "../../tests/kit/said.rs"]
mod said;
mod servers;
mod whole;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use machine::Machine;
use peers::Peers;
use report::Report;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Runs of each server in each cell; the median counts.
    pub(crate) rounds: usize,
    /// How long one run shall last.
    pub(crate) run: Duration,
    /// Rounds at the fixed rate, and messages in each.
    pub(crate) rate_rounds: usize,
    pub(crate) rate_messages: usize,
    /// How long copies shall be read in the run over the whole way.
    pub(crate) whole: Duration,
    /// Letters in one run outwards.
    pub(crate) letters: usize,
    /// Invitations in the queues that are compared, the smallest first; rounds, and calls of each kind in each.
    pub(crate) queues: &'static [u64],
    pub(crate) queue_rounds: usize,
    pub(crate) queue_calls: usize,
    /// Whether only the essence is measured.
    pub(crate) quick: bool,
}

const FULL: Plan = Plan {
    rounds: 3,
    run: Duration::from_millis(1500),
    rate_rounds: 3,
    rate_messages: 1000,
    whole: Duration::from_secs(60),
    letters: 5000,
    queues: &[10_000, 1_000_000, 5_000_000],
    queue_rounds: 8,
    queue_calls: 20,
    quick: false,
};
const QUICK: Plan = Plan {
    rounds: 2,
    run: Duration::from_millis(700),
    rate_rounds: 1,
    rate_messages: 400,
    whole: Duration::from_secs(10),
    letters: 2000,
    queues: &[10_000, 200_000],
    queue_rounds: 2,
    queue_calls: 10,
    quick: true,
};

const SECTIONS: [&str; 9] = ["door", "rate", "whole", "idle", "client", "out", "queue", "read", "read-curve"];

fn main() -> Result<()> {
    let (mut plan, mut place, mut sections) = (FULL, None, Vec::new());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.trim_start_matches("--") {
            // Cargo's own.
            "bench" => {}
            "quick" => plan = QUICK,
            "dir" => place = Some(PathBuf::from(args.next().context("--dir needs a folder")?)),
            section if SECTIONS.contains(&section) => sections.push(section.to_owned()),
            _ => anyhow::bail!("unknown argument {arg}; known are quick, --dir FOLDER, and {}", SECTIONS.join(", ")),
        }
    }
    let cargo = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().context("no target folder")?;
    let target = cargo.join("bench");
    let work = place.unwrap_or_else(|| target.clone()).join(format!("work-{}", std::process::id()));
    fs::create_dir_all(&target)?;
    fs::create_dir_all(&work)?;
    let start = Instant::now();
    process::allow_many_files()?;
    let peers = Peers::look(cargo);
    for missing in peers.missing() {
        eprintln!("{} NOT MEASURED: {}", missing.server, missing.why);
        ensure!(
            std::env::var_os("INVITED_REQUIRE_PEERS").is_none(),
            "INVITED_REQUIRE_PEERS wants all peers to be there"
        );
    }
    let wanted = |section: &str| sections.is_empty() || sections.iter().any(|one| one == section);
    let measured = measure(plan, &peers, &work, &target, &wanted);
    if measured.is_err() {
        eprintln!("what was left behind is in {}", work.display());
    } else {
        fs::remove_dir_all(&work)?;
    }
    let report = measured?;
    println!("{}", report.table());
    let file = target.join("side_by_side.json");
    fs::write(&file, serde_json::to_string_pretty(&report.json())?)?;
    println!("{} s; the same as JSON: {}", start.elapsed().as_secs(), file.display());
    Ok(())
}

fn measure(plan: Plan, peers: &Peers, work: &Path, target: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Report> {
    let mut report = Report::new(Machine::look(work)?, peers.missing());
    if wanted("door") {
        report.door = door::measure(plan, peers, &work.join("door"))?;
        report.fsyncs = door::count_fsyncs(peers, &work.join("fsyncs"))?;
    }
    if wanted("rate") {
        report.rate = rate::measure(plan, peers, &work.join("rate"))?;
    }
    if wanted("whole") {
        report.whole = whole::measure(plan, &work.join("whole"))?;
    }
    if wanted("idle") {
        report.idle = idle::measure(peers, &work.join("idle"))?;
    }
    if wanted("client") {
        report.check = client_check::measure(plan, peers, &work.join("client"))?;
    }
    if wanted("out") {
        report.out = Some(out::measure(plan, &work.join("out"), target)?);
    }
    if wanted("queue") {
        report.queue = Some(queue::measure(plan, &work.join("queue"))?);
    }
    if wanted("read") {
        report.read = Some(read::measure(plan, &work.join("read"), target)?);
    }
    if wanted("read-curve") {
        report.curve = Some(read_curve::measure(plan));
    }
    Ok(report)
}
