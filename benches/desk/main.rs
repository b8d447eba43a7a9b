//! What the desk costs on a large queue beside a small one: a million invitations with five million decisions beside ten thousand with
//! fifty thousand, both of two years. Each thing is asked for through the store, with the plan of its statements, and as a whole
//! command. What it says is in docs/performance.md.
//!
//! ```text
//! cargo bench --bench desk                          # a million invitations in an SQLite file
//! cargo bench --bench desk -- --postgres            # and on a PostgreSQL server of its own
//! cargo bench --bench desk -- --quick               # a tenth of it, for continuous integration
//! cargo bench --bench desk -- --plans               # with the plans in full
//! cargo bench --bench desk -- --dir /mnt            # on another disk
//! ```
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark tells its figures")]

mod call;
mod commands;
#[path = "../side_by_side/mails.rs"]
#[allow(dead_code, reason = "the other benchmark sends them too")]
mod mails;
mod measure;
#[path = "../../tests/kit/postgres.rs"]
mod postgres;
#[path = "../side_by_side/process.rs"]
#[allow(dead_code, reason = "the other benchmark looks at more of a process")]
mod process;
#[path = "../side_by_side/queue_fill.rs"]
mod queue_fill;
mod report;
#[path = "../../tests/kit/said.rs"]
mod said;
mod store;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};

use measure::{Engine, Plan};

fn main() -> Result<()> {
    let mut plan = Plan { sizes: [10_000, 1_000_000], calls: 20, commands: 7 };
    let (mut place, mut with_postgres, mut with_plans) = (None, false, false);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.trim_start_matches("--") {
            // Cargo's own.
            "bench" => {}
            "quick" => plan = Plan { sizes: [10_000, 100_000], calls: 8, commands: 3 },
            "postgres" => with_postgres = true,
            "plans" => with_plans = true,
            "dir" => place = Some(PathBuf::from(args.next().context("--dir needs a folder")?)),
            _ => anyhow::bail!("unknown argument {arg}; known are --quick, --postgres, --plans and --dir FOLDER"),
        }
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().context("no target folder")?.join("bench");
    std::fs::create_dir_all(&target)?;
    // Removed at the end, whatever comes between.
    let work = tempfile::Builder::new().prefix("desk-").tempdir_in(place.as_ref().unwrap_or(&target))?;
    let start = Instant::now();
    // Commands know no other time.
    let now = invited::clock::Clock::System.now().0;
    let mut engines = vec![Engine::Sqlite];
    if with_postgres {
        engines.push(Engine::Postgres);
    }
    let mut found = Vec::new();
    for engine in engines {
        found.extend(measure::measure(engine, plan, now, work.path())?);
    }
    println!("{}", report::text(&found, with_plans));
    let file = target.join("desk.json");
    std::fs::write(&file, serde_json::to_string_pretty(&found)?)?;
    println!("{} s; the same as JSON, with the plans: {}", start.elapsed().as_secs(), file.display());
    Ok(())
}
