//! The scripts that a shop would otherwise write, beside our letters: nodemailer with handlebars, and smtplib with jinja2. They
//! are installed into `target/bench` from npm and PyPI, in the versions that `peers/out` names, and send letters of ours: the
//! text and the HTML of one, with the customer's name, address and reference left open.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use mail_parser::MessageParser;
use serde::Serialize;
use serde_json::json;

use crate::Plan;
use crate::out::{Ran, Sender};
use crate::out_postfix;
use crate::process::{Kept, Tree, run};
use crate::servers::{Load, Postfix, Server, Sink, hand_in};

/// The scripts and what they need, in the repository.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/side_by_side/peers/out");

/// nodemailer's connections; its default is 5.
pub(crate) const POOL: usize = 10;

/// The peers whose letters are as safe as ours.
pub(crate) const NODEMAILER: &str = "nodemailer";
pub(crate) const SMTPLIB: &str = "smtplib";
pub(crate) const FLUSH: &str = "Postfix flush";

/// A peer that cannot, and why.
#[derive(Debug, Serialize)]
pub(crate) struct NotMeasured {
    pub(crate) name: &'static str,
    pub(crate) why: String,
}

/// All peers that are here, and those that are not. `letter` is for the scripts to fill in, `mail` goes out as it is.
pub(crate) fn all(plan: Plan, mail: &Path, letter: &Path, target: &Path) -> (Vec<Sender>, Vec<NotMeasured>) {
    let (letters, rounds) = if plan.quick { (300, 1) } else { (1000, plan.rounds) };
    let (mut senders, mut not_measured) = (Vec::new(), Vec::new());
    let scripts = [
        (Script::nodemailer(target), [NODEMAILER, "nodemailer, no marks"], POOL),
        (Script::smtplib(target), [SMTPLIB, "smtplib, no marks"], 1),
    ];
    for (script, names, connections) in scripts {
        for (name, is_marked) in names.into_iter().zip([true, false]) {
            match &script {
                Ok(script) => {
                    let (script, letter) = (script.clone(), letter.to_owned());
                    let run = Box::new(move |folder: &Path| script.send(&letter, folder, letters, is_marked));
                    senders.push(Sender { name, connections, letters, rounds, run });
                }
                Err(why) => not_measured.push(NotMeasured { name, why: format!("{why:#}") }),
            }
        }
    }
    match Postfix::missing() {
        None => {
            let mail = mail.to_owned();
            let run = Box::new(move |folder: &Path| out_postfix::flush(folder, &mail, letters));
            senders.push(Sender { name: FLUSH, connections: out_postfix::CONNECTIONS, letters, rounds, run });
        }
        Some(why) => not_measured.push(NotMeasured { name: FLUSH, why: why.to_owned() }),
    }
    senders.push(source(mail.to_owned(), plan.letters, rounds));
    (senders, not_measured)
}

/// What is possible without composing and recording anything.
fn source(mail: PathBuf, letters: usize, rounds: usize) -> Sender {
    let load = Load { sessions: 20, reuse: true };
    let run = move |_: &Path| {
        let sink = Sink::start(None, None)?;
        let seconds = hand_in(sink.port(), &mail, load, letters)?.as_secs_f64();
        Ok(Ran { rate: letters as f64 / seconds, cpu: None, resident: None, marks: "none".to_owned() })
    };
    Sender { name: "smtp-source", connections: load.sessions, letters, rounds, run: Box::new(run) }
}

/// A script that can be run here.
#[derive(Clone)]
enum Script {
    Nodemailer { modules: PathBuf },
    Smtplib { python: PathBuf },
}

impl Script {
    /// nodemailer, installed if need be.
    fn nodemailer(target: &Path) -> Result<Self> {
        Ok(Self::Nodemailer { modules: npm(SCRIPTS, &target.join("npm"))? })
    }

    /// smtplib and jinja2, in a virtual environment that is made if need be.
    fn smtplib(target: &Path) -> Result<Self> {
        let folder = target.join("venv");
        let python = folder.join("bin/python");
        if is_new(SCRIPTS, &folder, "requirements.txt")? {
            eprintln!("out: pip install");
            run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
            let list = folder.join("requirements.txt");
            run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(list))?;
            settle(&folder, "requirements.txt")?;
        }
        Ok(Self::Smtplib { python })
    }

    /// Sends `letters` made of the letter in `source` into a sink of its own.
    fn send(&self, source: &Path, folder: &Path, letters: usize, is_marked: bool) -> Result<Ran> {
        fs::create_dir_all(folder)?;
        fs::copy(source, folder.join("letter.json"))?;
        let sink = Sink::start(None, None)?;
        let numbers = [sink.port().to_string(), letters.to_string()];
        let mut command = match self {
            Self::Nodemailer { modules } => {
                let mut command = Command::new("node");
                command.env("NODE_PATH", modules).arg(format!("{SCRIPTS}/nodemailer.cjs")).args(&numbers);
                command.arg(POOL.to_string());
                command
            }
            Self::Smtplib { python } => {
                let mut command = Command::new(python);
                command.arg(format!("{SCRIPTS}/smtplib_jinja2.py")).args(&numbers);
                command
            }
        };
        command.arg(folder).arg(if is_marked { "marks" } else { "none" });
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("a peer's script")?;
        let mut child = Kept(child);
        let mut input = child.0.stdin.take().context("no way to the script")?;
        let mut said = BufReader::new(child.0.stdout.take().context("no way from the script")?).lines();
        let mut says = || said.next().transpose().map(Option::unwrap_or_default);
        let ready = says()?;
        let marks = ready.strip_prefix("ready ").with_context(|| format!("it said {ready:?}"))?.to_owned();
        let tree = Tree::of(child.0.id())?;
        let (cpu, start) = (tree.cpu(), Instant::now());
        input.write_all(b"go\n")?;
        let done = says()?;
        let (seconds, cpu) = (start.elapsed().as_secs_f64(), (tree.cpu() - cpu).as_secs_f64());
        let marked = if is_marked { letters } else { 0 };
        ensure!(done == format!("done {letters} {marked}"), "it was to send {letters} and said {done:?}");
        drop(input);
        ensure!(child.0.wait()?.success(), "it failed in the end");
        Ok(Ran { rate: letters as f64 / seconds, cpu: Some(cpu * 1000.0 / letters as f64), resident: None, marks })
    }
}

/// Installs what the `package.json` beside some scripts names into `folder`, if need be; where the modules are.
pub(crate) fn npm(scripts: &str, folder: &Path) -> Result<PathBuf> {
    run(Command::new("node").arg("--version"))?;
    if is_new(scripts, folder, "package.json")? {
        eprintln!("npm install for {scripts}");
        run(Command::new("npm").args(["install", "--no-audit", "--no-fund"]).current_dir(folder))?;
        settle(folder, "package.json")?;
    }
    Ok(folder.join("node_modules"))
}

/// Whether what `list` names is not yet installed in `folder`; the list is laid there then.
fn is_new(scripts: &str, folder: &Path, list: &str) -> Result<bool> {
    let wanted = fs::read(Path::new(scripts).join(list))?;
    if fs::read(folder.join("installed")).is_ok_and(|installed| installed == wanted) {
        return Ok(false);
    }
    fs::create_dir_all(folder)?;
    fs::write(folder.join(list), wanted)?;
    Ok(true)
}

/// Remembers that it is.
fn settle(folder: &Path, list: &str) -> Result<()> {
    fs::copy(folder.join(list), folder.join("installed"))?;
    Ok(())
}

/// Makes of the last of our letters in a sink's `dump` what the scripts fill in.
pub(crate) fn write_letter(dump: &Path, to: &Path) -> Result<()> {
    let all = fs::read_to_string(dump)?;
    let last = all.rfind("\nX-Client-Addr: ").context("the sink wrote no letters")?;
    let message = MessageParser::default().parse(all[last..].trim_start()).context("the sink wrote no letter")?;
    let email = message.to().and_then(|to| to.first()?.address()).context("a letter to nobody")?;
    let number = email.trim_start_matches("customer").trim_end_matches("@example.net");
    // One of few digits could stand for something else.
    ensure!(number.len() >= 3, "the last letter is that of order {number}");
    let open = |part: Option<&str>| -> Result<String> {
        let part = part.context("a letter must have a subject, text and HTML")?;
        ensure!(!["{{", "{%", "{#"].iter().any(|sign| part.contains(sign)), "the letter cannot be used as a template");
        let part = part.replace(email, "{{email}}").replace(&format!("{number}-2026"), "{{reference}}");
        Ok(part.replace("Anna", "{{name}}").replace("\r\n", "\n"))
    };
    let [subject, text, html] =
        [open(message.subject())?, open(message.body_text(0).as_deref())?, open(message.body_html(0).as_deref())?];
    ensure!(text.contains("{{reference}}") && html.contains("{{reference}}"), "the letter tells of no order");
    fs::write(to, serde_json::to_vec_pretty(&json!({ "subject": subject, "text": text, "html": html }))?)?;
    Ok(())
}
