//! From a raw mail to findings and decision, beside programs that only parse: one thread, the same mails, in turns.

use std::fs;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use invited::read::{Context, Reader, Templates};
use mail_parser::MessageParser;
use serde::Serialize;

use crate::Plan;
use crate::out_peers::{NotMeasured, npm};
use crate::process::Kept;

/// The peers' scripts, in the repository.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/side_by_side/peers/read");
/// Real mails, which are no part of the repository.
const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus");
/// Mails in the shape of real ones, which are.
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/mail");

/// Who reads.
const OURS: &str = "invited";
const GENERIC: &str = "invited, no templates";
const CRATE: &str = "mail-parser (Rust)";
pub(crate) const NODE: &str = "mailparser (Node)";
pub(crate) const PYTHON: &str = "email (Python)";
const PYTHON_BODIES: &str = "email (Python), bodies";

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct Read {
    /// Which mails.
    pub(crate) source: &'static str,
    pub(crate) mails: usize,
    pub(crate) octets: usize,
    /// Everybody, us first.
    pub(crate) rows: Vec<Row>,
    pub(crate) not_measured: Vec<NotMeasured>,
}

/// One of them.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// The median of the rounds, and the slowest and the fastest.
    pub(crate) mails_per_second: f64,
    pub(crate) range: (f64, f64),
    pub(crate) megabytes_per_second: f64,
    /// Our rate divided by this one: the median of the rounds' own ratios, since what else the machine does falls on neighbours alike.
    pub(crate) ours_times: f64,
}

/// Somebody who goes through all mails once, and says how many of them there were.
type Pass = Box<dyn FnMut() -> Result<usize>>;

/// Lets all take turns.
pub(crate) fn measure(plan: Plan, folder: &Path, target: &Path) -> Result<Read> {
    fs::create_dir_all(folder)?;
    let (source, files) = mails()?;
    let contents = files.iter().map(fs::read).collect::<Result<Vec<_>, _>>()?;
    let octets = contents.iter().map(Vec::len).sum::<usize>();
    let list = folder.join("mails");
    let names = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>();
    fs::write(&list, names.join("\n"))?;
    let parsed = contents.clone();
    let mut passes: Vec<(&'static str, Pass)> = vec![
        (OURS, reads(Templates::embedded(), contents.clone())),
        (GENERIC, reads(Templates::embedded().generic_only(), contents)),
        (
            CRATE,
            Box::new(move || {
                for mail in &parsed {
                    black_box(MessageParser::default().parse(mail));
                }
                Ok(parsed.len())
            }),
        ),
    ];
    let mut not_measured = Vec::new();
    for (name, script) in
        [(NODE, node(&list, target)), (PYTHON, python(&list, "all")), (PYTHON_BODIES, python(&list, "bodies"))]
    {
        match script {
            Ok(script) => passes.push((name, script)),
            Err(why) => not_measured.push(NotMeasured { name, why: format!("{why:#}") }),
        }
    }
    let rounds = if plan.quick { 5 } else { 15 };
    let rates = take_turns(&mut passes, rounds, files.len())?;
    let ours = rates.first().cloned().unwrap_or_default();
    let rows = passes.iter().zip(rates).map(|((name, _), rates)| {
        let ratios = ours.iter().zip(&rates).map(|(ours, one)| ours / one).collect();
        let (slowest, fastest) =
            (rates.iter().copied().fold(f64::MAX, f64::min), rates.iter().copied().fold(0.0, f64::max));
        let rate = median(rates);
        Row {
            name,
            mails_per_second: rate,
            range: (slowest, fastest),
            megabytes_per_second: rate * octets as f64 / files.len() as f64 / 1e6,
            ours_times: median(ratios),
        }
    });
    Ok(Read { source, mails: files.len(), octets, rows: rows.collect(), not_measured })
}

/// The mails: those of the corpus that order mails are, those that are none, and bounces; without it those of the tests.
fn mails() -> Result<(&'static str, Vec<PathBuf>)> {
    let mut found = Vec::new();
    for part in ["orders", "negative", "dsn"] {
        collect(&Path::new(CORPUS).join(part), &mut found);
    }
    let mut source = "the corpus of real mails";
    if found.is_empty() {
        eprintln!("read: there is no corpus at {CORPUS}; the mails of the tests have to do");
        source = "the mails of the tests";
        collect(Path::new(FIXTURES), &mut found);
    }
    ensure!(!found.is_empty(), "there are no mails to read");
    found.sort();
    Ok((source, found))
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "eml") {
            found.push(path);
        }
    }
}

/// Ours: everything from octets to what is decided.
fn reads(templates: Templates, mails: Vec<Vec<u8>>) -> Pass {
    let reader = Reader::new(templates);
    let own = ["in.invited.example".to_owned()];
    Box::new(move || {
        let context = Context { own_domains: &own, ..Context::default() };
        for mail in &mails {
            black_box(reader.read(mail, &context));
        }
        Ok(mails.len())
    })
}

fn node(list: &Path, target: &Path) -> Result<Pass> {
    let modules = npm(SCRIPTS, &target.join("npm-read"))?;
    script(Command::new("node").env("NODE_PATH", modules).arg(format!("{SCRIPTS}/mailparser.cjs")).arg(list))
}

fn python(list: &Path, what: &str) -> Result<Pass> {
    script(Command::new("python3").arg(format!("{SCRIPTS}/email_parser.py")).arg(list).arg(what))
}

/// A script that loads the mails, says "ready", and goes through them for each line that it is sent.
fn script(command: &mut Command) -> Result<Pass> {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("a peer's script")?;
    let mut child = Kept(child);
    let mut input = child.0.stdin.take().context("no way to the script")?;
    let mut said = BufReader::new(child.0.stdout.take().context("no way from the script")?).lines();
    ensure!(said.next().transpose()?.as_deref() == Some("ready"), "it does not start");
    Ok(Box::new(move || {
        // The child lives as long as this does.
        let _kept = &child;
        go(&mut input, &mut said)
    }))
}

fn go(input: &mut ChildStdin, said: &mut Lines<BufReader<ChildStdout>>) -> Result<usize> {
    input.write_all(b"go\n")?;
    let done = said.next().transpose()?.unwrap_or_default();
    let words = done.split(' ').collect::<Vec<_>>();
    match words[..] {
        ["done", mails, characters] if characters != "0" => Ok(mails.parse()?),
        _ => anyhow::bail!("a script said {done:?}"),
    }
}

/// Mails a second of each in each round, after one that only warms up.
fn take_turns(passes: &mut [(&'static str, Pass)], rounds: usize, mails: usize) -> Result<Vec<Vec<f64>>> {
    let mut rates = vec![Vec::new(); passes.len()];
    for round in 0..=rounds {
        for ((name, pass), rates) in passes.iter_mut().zip(&mut rates) {
            let start = Instant::now();
            let done = pass().with_context(|| (*name).to_owned())?;
            ensure!(done == mails, "{name} went through {done} mails of {mails}");
            if round > 0 {
                rates.push(mails as f64 / start.elapsed().as_secs_f64());
            }
        }
    }
    Ok(rates)
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
