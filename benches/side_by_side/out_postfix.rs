//! A flush of Postfix's queue beside our letters: an instance of its own takes mails in while delivery is put off, then is told
//! to deliver them all to the sink.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::out::Ran;
use crate::process::{run, wait_until};
use crate::servers::{Load, Postfix, Server, Sink, Watch, check_reachable, hand_in};

/// How long it may take to put mails off, or to deliver them.
const PATIENCE: Duration = Duration::from_secs(180);

/// How long a reload takes.
const RELOAD: Duration = Duration::from_secs(1);

/// What Postfix may open to one destination as shipped (`default_destination_concurrency_limit`).
pub(crate) const CONNECTIONS: usize = 20;

/// Delivers `letters` copies of `mail`; the time runs from the flush until nothing is left in the queue.
pub(crate) fn flush(folder: &Path, mail: &Path, letters: usize) -> Result<Ran> {
    check_reachable(folder)?;
    let sink = Sink::start(None, None)?;
    let postfix = Box::new(Postfix::start(folder, Watch::No)?);
    let (etc, queue) = (folder.join("etc"), folder.join("queue"));
    let relayhost = format!("relayhost=[127.0.0.1]:{}", sink.port());
    configure(&etc, &[&relayhost, "relay_transport=smtp", "defer_transports=smtp"])?;
    hand_in(postfix.port(), mail, Load { sessions: 10, reuse: true }, letters)?;
    wait_until("Postfix has put all mails off", PATIENCE, || {
        Ok(["maildrop", "incoming", "active"].iter().all(|name| files(&queue.join(name)).next().is_none()))
    })?;
    let put_off = files(&queue.join("deferred")).count();
    ensure!(put_off == letters, "Postfix put {put_off} of {letters} mails off; see its mail.log");
    configure(&etc, &["defer_transports="])?;
    // Its queue manager is replaced after a reload; the old one would take the flush and put all off again.
    std::thread::sleep(RELOAD);
    ensure!(files(&queue.join("deferred")).count() == letters, "Postfix delivered before it was told to");
    let tree = postfix.tree();
    let (cpu, start) = (tree.cpu(), Instant::now());
    run(Command::new("postqueue").arg("-c").arg(&etc).arg("-f"))?;
    // In the order in which a mail moves, so that none slips by.
    wait_until("Postfix has delivered all", PATIENCE, || {
        Ok(["deferred", "incoming", "active"].iter().all(|name| files(&queue.join(name)).next().is_none()))
    })?;
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), (tree.cpu() - cpu).as_secs_f64());
    postfix.stop()?;
    let log = fs::read_to_string(folder.join("mail.log"))?;
    let sent = log.lines().filter(|line| line.contains("status=sent")).count();
    ensure!(sent == letters, "Postfix sent {sent} of {letters} mails; see its mail.log");
    Ok(Ran {
        rate: letters as f64 / seconds,
        cpu: Some(cpu * 1000.0 / letters as f64),
        resident: None,
        marks: "its queue files".to_owned(),
    })
}

/// Changes settings of the running instance.
fn configure(etc: &Path, settings: &[&str]) -> Result<()> {
    run(Command::new("postconf").arg("-c").arg(etc).arg("-e").args(settings))?;
    run(Command::new("postfix").arg("-c").arg(etc).arg("reload"))
}

/// The queue files in a folder of the queue, which may be spread over folders of its own.
fn files(folder: &Path) -> Box<dyn Iterator<Item = PathBuf>> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    Box::new(entries.flat_map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => files(&entry.path()),
        _ => Box::new(std::iter::once(entry.path())),
    }))
}
