//! What the figures were measured on, as far as it matters to them.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::servers::Postfix;

/// How often a write to disk is timed.
const WRITES: usize = 200;

/// The machine.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    /// Processor cores that may be used.
    pub(crate) cores: usize,
    /// What /proc/cpuinfo calls them.
    pub(crate) processor: String,
    /// The kernel's version.
    pub(crate) kernel: String,
    /// Processes that ran on average in the last minute before we came: noise.
    pub(crate) load_before: String,
    /// The median time to append 4 KB to a file and make it durable.
    pub(crate) fdatasync_ms: f64,
    /// The Postfix that is measured, or why none is.
    pub(crate) postfix: String,
}

impl Machine {
    /// Looks at the machine and at the disk that `folder` is on.
    pub(crate) fn look(folder: &Path) -> Result<Self> {
        let info = fs::read_to_string("/proc/cpuinfo")?;
        let processor = info.lines().find_map(|line| Some(line.strip_prefix("model name")?.split_once(": ")?.1));
        let load = fs::read_to_string("/proc/loadavg")?;
        let postfix = match Postfix::missing() {
            None => Postfix::version()?,
            Some(why) => format!("not measured: {why}"),
        };
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            processor: processor.unwrap_or("unknown").to_owned(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            load_before: load.split(' ').next().unwrap_or_default().to_owned(),
            fdatasync_ms: fdatasync(folder)?.as_secs_f64() * 1000.0,
            postfix,
        })
    }
}

fn fdatasync(folder: &Path) -> Result<Duration> {
    let path = folder.join("fdatasync");
    let mut file = File::create(&path)?;
    let mut times = Vec::with_capacity(WRITES);
    for _ in 0..WRITES {
        let start = Instant::now();
        file.write_all(&[b'x'; 4096])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    fs::remove_file(path)?;
    times.sort_unstable();
    Ok(times[WRITES / 2])
}
