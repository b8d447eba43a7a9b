//! `invited serve` beside Postfix, in one run on one machine: messages taken in durably, and letters sent. What the figures mean
//! and how they came about is told in docs/performance.md.
//!
//! ```text
//! cargo bench --bench side_by_side                 # all of it, some minutes
//! cargo bench --bench side_by_side -- --quick      # the essence, for continuous integration
//! cargo bench --bench side_by_side -- --dir /mnt   # on another disk
//! ```
//!
//! It needs `smtp-source` and `smtp-sink` of the postfix package, and `strace`. Postfix itself is measured when this runs as root.
//! nodemailer and smtplib are measured where `node`, `npm` and `python3` are; they are installed into `target/bench` once.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark tells its figures")]

mod door;
mod machine;
mod mails;
mod out;
mod out_peers;
mod out_postfix;
mod out_relay;
mod out_report;
mod process;
mod report;
mod servers;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Runs of each server in each cell; the median counts.
    pub(crate) rounds: usize,
    /// How long one run shall last.
    pub(crate) run: Duration,
    /// Letters in one run outwards.
    pub(crate) letters: usize,
    /// Whether only the essence is measured.
    pub(crate) quick: bool,
}

const FULL: Plan = Plan { rounds: 3, run: Duration::from_millis(1500), letters: 5000, quick: false };
const QUICK: Plan = Plan { rounds: 2, run: Duration::from_millis(1000), letters: 2000, quick: true };

fn main() -> Result<()> {
    let (mut plan, mut place, mut only) = (FULL, None, None);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            // Cargo's own.
            "--bench" => {}
            "--quick" => plan = QUICK,
            "--dir" => place = Some(PathBuf::from(args.next().context("--dir needs a folder")?)),
            "--only" => only = Some(args.next().context("--only needs door or out")?),
            other => anyhow::bail!("unknown argument {other}; known are --quick, --dir FOLDER, --only door|out"),
        }
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().context("no target folder")?.join("bench");
    let work = place.unwrap_or_else(|| target.clone()).join(format!("work-{}", std::process::id()));
    fs::create_dir_all(&target)?;
    fs::create_dir_all(&work)?;
    let start = Instant::now();
    let wanted = |part: &str| only.as_deref().is_none_or(|only| only == part);
    let measured = measure(plan, &work, &target, &wanted);
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

fn measure(plan: Plan, work: &Path, target: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<report::Report> {
    let machine = machine::Machine::look(work)?;
    let door = if wanted("door") { Some(door::measure(plan, &work.join("door"))?) } else { None };
    let out = if wanted("out") { Some(out::measure(plan, &work.join("out"), target)?) } else { None };
    Ok(report::Report { machine, door, out })
}
