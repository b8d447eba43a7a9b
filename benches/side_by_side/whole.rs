//! The whole way of a copy, from DATA to the invitation on record: so many orders that it takes a minute until the spool is empty.
//! Once they come as fast as the door takes them, once at the rate that is to be held.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde::Serialize;

use crate::Plan;
use crate::client::{Client, Load, Waits};
use crate::door::{SMALL, check_kept, while_looking};
use crate::mails::Pattern;
use crate::servers::{Invited, Server, Watch};

/// What is to be held, messages a second.
pub(crate) const TO_HOLD: u32 = 3000;

const LOAD: Load = Load { sessions: 20, reuse: true };

/// Messages in which the length of the run is estimated.
const FIRST: usize = 5000;

/// One way in which the orders came.
#[derive(Debug, Serialize)]
pub(crate) struct Whole {
    /// At what rate they came; `None` for as fast as the door took them.
    pub(crate) offered_per_second: Option<u32>,
    pub(crate) messages: usize,
    /// From the first connection, or the first planned message, until no copy is unread.
    pub(crate) seconds: f64,
    /// Messages that were read and decided, each of those seconds.
    pub(crate) messages_per_second: f64,
    /// Messages of which the client saw the 250, each second of the time that took.
    pub(crate) taken_per_second: f64,
    /// Copies unread when the last 250 came.
    pub(crate) backlog: u64,
    pub(crate) waits: Waits,
    /// Of the whole way.
    pub(crate) cpu_seconds_per_1000: f64,
    pub(crate) peak_resident: u64,
}

/// Measures invited: no peer reads what it takes.
pub(crate) fn measure(plan: Plan, work: &Path) -> Result<Vec<Whole>> {
    let (client, pattern) = (Client::new()?, Arc::new(Pattern::new(SMALL)));
    let mut all = Vec::new();
    for offered in [None, Some(TO_HOLD)] {
        if plan.quick && offered.is_some() {
            continue;
        }
        let folder = work.join(format!("whole-{}", offered.unwrap_or(0)));
        Invited::prepare(&folder, &Invited::configuration(9, 4, true))?;
        let invited = Box::new(Invited::start(&folder, Watch::No)?);
        let messages = match offered {
            None => {
                let first = run(&client, &invited, &pattern, None, FIRST)?;
                // Rather too many than less than the time asked for.
                (first.messages_per_second * plan.whole.as_secs_f64() * 1.1) as usize
            }
            Some(rate) => rate as usize * plan.whole.as_secs() as usize,
        };
        eprintln!("whole: {messages} orders, until all are read");
        all.push(run(&client, &invited, &pattern, offered, messages)?);
        invited.stop()?;
        std::fs::remove_dir_all(folder)?;
    }
    Ok(all)
}

fn run(
    client: &Client,
    invited: &Invited,
    pattern: &Arc<Pattern>,
    offered: Option<u32>,
    messages: usize,
) -> Result<Whole> {
    ensure!(messages > 0, "nothing was read in time");
    let (tree, before) = (invited.tree(), invited.kept()?);
    let (cpu, start) = (tree.cpu(), Instant::now());
    let (taken, peak_resident) = while_looking(tree, || match offered {
        None => client.hand_in(invited.port(), pattern, LOAD, messages),
        Some(rate) => client.at_rate(invited.port(), pattern, LOAD, rate, messages),
    });
    let taken = taken?;
    let backlog = invited.unread()?;
    invited.drain()?;
    // The plan began some time after the client.
    let waited = offered.map_or(Duration::ZERO, |_| Client::BEFORE_PLAN);
    let seconds = (start.elapsed() - waited).as_secs_f64();
    let cpu = (tree.cpu() - cpu).as_secs_f64();
    check_kept(invited, before, messages)?;
    Ok(Whole {
        offered_per_second: offered,
        messages,
        seconds,
        messages_per_second: messages as f64 / seconds,
        taken_per_second: messages as f64 / taken.elapsed.as_secs_f64(),
        backlog,
        waits: taken.waits(),
        cpu_seconds_per_1000: cpu * 1000.0 / messages as f64,
        peak_resident: peak_resident.max(tree.peak_of_root()),
    })
}
