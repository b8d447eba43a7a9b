//! Whole commands of the program, from its start to its end, as a support person has them: on a terminal it is this that is waited for.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use invited::config::{Answers, template};
use invited::domain::{DAY, InvitationId};

use crate::call::many_minutes;
use crate::process::Tree;
use crate::queue_fill::{self as fill, NONE, RARE, SHOPS};

/// Other rules to try, a list of the first shop's orders, and one of orders that nobody knows; each in the folder of a desk.
const TRIAL: &str = "trial.toml";
const ORDERS: &str = "orders.csv";
const NEW: &str = "new.csv";

/// Commands that are asked once.
pub(crate) const LONG: usize = 2;

/// Orders on such a list: as many as the first shop has in the smallest queue.
const LISTED: u64 = 500;

fn orders(name: &str, reference: impl Fn(u64) -> String, email: impl Fn(u64) -> String) -> String {
    let line = |n| format!("{},{name} customer,{}\n", email(n), reference(n));
    std::iter::once("email,name,reference\n".to_owned()).chain((1..=LISTED).map(line)).collect()
}

/// The program beside a queue.
pub(crate) struct Desk {
    configuration: PathBuf,
    folder: PathBuf,
    all: u64,
    /// Invitations that wait for their time.
    queued: Vec<InvitationId>,
}

/// A command and what is expected of it.
pub(crate) struct Asked {
    /// In the table.
    pub(crate) name: &'static str,
    pub(crate) words: Vec<String>,
    /// Whether it looks at more the more there is, up to a bound.
    pub(crate) is_search: bool,
    /// A word in its output.
    expected: String,
}

impl Desk {
    pub(crate) fn new(folder: &Path, database: &str, all: u64, queued: Vec<InvitationId>) -> Result<Self> {
        let folder = folder.join(format!("desk-{all}"));
        fs::create_dir_all(&folder)?;
        let mut answers = Answers::new("shop.example.com", "abcdefgh23456789abcd");
        database.clone_into(&mut answers.database);
        fill::shop(0).clone_into(&mut answers.shop);
        answers.believe_address = true;
        let configuration = folder.join("invited.toml");
        fs::write(&configuration, template(&answers))?;
        answers.delay = DAY * 14;
        fs::write(folder.join(TRIAL), template(&answers))?;
        fs::write(
            folder.join(ORDERS),
            orders("known", |n| fill::reference(n * SHOPS), |n| fill::email(n * SHOPS, all)),
        )?;
        fs::write(folder.join(NEW), orders("new", |n| format!("NEW-{n}"), |n| fill::email(n * SHOPS, all)))?;
        let key = folder.join("master.key");
        fs::write(&key, "0123456789abcdef0123456789abcdef\n")?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        Ok(Self { configuration, folder, all, queued })
    }

    /// The commands of one round; `round` counts, so that not all rounds are about one order.
    pub(crate) fn asked(&self, round: u64) -> Vec<Asked> {
        let all = self.all;
        // One that has had its letter, and one that waits for it.
        let order = all / 3 + 7 + round * 40;
        let queued =
            usize::try_from(round).ok().and_then(|round| self.queued.get(round)).copied().unwrap_or(InvitationId(0));
        let (email, reference) = (fill::email(order, all), fill::reference(order));
        let (deep, minutes) = ((all / 2).to_string(), format!("{} minutes", many_minutes(all)));
        let list = |name, words: &[&str], expected: &str| {
            let words = ["queue", "list"].iter().chain(words).map(|word| (*word).to_owned()).collect();
            Asked { name, words, is_search: false, expected: expected.to_owned() }
        };
        let other = |name, words: &[&str], expected: &str| Asked {
            name,
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            is_search: false,
            expected: expected.to_owned(),
        };
        let search = |asked: Asked| Asked { is_search: true, ..asked };
        let shop = fill::shop(3);
        vec![
            list("queue list", &[], "More: --before"),
            list("queue list --before ID", &["--before", &deep], "More: --before"),
            list("queue list --state done", &["--state", "done"], "More: --before"),
            list("queue list --shop S --state done", &["--shop", &shop, "--state", "done"], "More: --before"),
            list("queue list --email", &["--email", &email], &reference),
            list("queue list --reference", &["--reference", &reference], &reference),
            list("queue list --older-than", &["--older-than", "600d"], "More: --before"),
            list("queue list --newer-than", &["--newer-than", "20d"], "More: --before"),
            list("queue list --due-before", &["--due-before", "1 day"], "More: --before"),
            list("queue list --template", &["--template", "magento"], "More: --before"),
            search(list("queue list --tag (1 in 200)", &["--tag", "vip"], "2026")),
            search(list("queue list --text that 5 have", &["--text", RARE], "")),
            search(list("queue list --text that none has", &["--text", NONE], "No invitations")),
            other("queue show ID", &["queue", "show", "--id", &order.to_string()], &reference),
            other("explain ADDRESS", &["explain", &email], &reference),
            other("explain REF", &["explain", &reference], &reference),
            other("explain --id ID", &["explain", "--id", &order.to_string()], &reference),
            other("explain --order REF of nothing", &["explain", "--order", "LN-000-77"], ""),
            other(
                "queue cancel … --dry-run of 400",
                &["queue", "cancel", "--state", "queued", "--newer-than", &minutes, "--dry-run"],
                "invitations",
            ),
            other(
                "queue cancel ID",
                &["queue", "cancel", "--id", &queued.to_string(), "--reason", "asked by telephone", "--actor", "anna"],
                "",
            ),
            other("queue stats", &["queue", "stats"], ""),
            other("queue stats --since 700d", &["queue", "stats", "--since", "700d"], ""),
            other("fairness", &["fairness"], ""),
            // No daemon is at work, which it says, and ends with 1.
            other("status", &["status"], "no daemon is at work"),
            other("suppress list", &["suppress", "list"], "unsubscribed"),
            other("reconcile of 500", &["reconcile", &self.file(ORDERS), "--json"], "invited"),
            other("import csv --dry-run of 500", &["import", "csv", &self.file(NEW), "--dry-run"], "NEW-1"),
            other(
                "invite --dry-run",
                &["invite", "--email", "new@customer.example", "--reference", "NEW-1", "--dry-run"],
                "",
            ),
        ]
    }

    /// Those that go through everything, or through all that began in two months, and that are asked once: a person's right to know
    /// all that is kept, and other rules tried on the last day.
    pub(crate) fn long(&self) -> [Asked; LONG] {
        let asked = |name, words: &[&str]| Asked {
            name,
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            is_search: true,
            expected: String::new(),
        };
        [
            asked("person ADDRESS", &["person", &fill::email(self.all / 3 + 7, self.all)]),
            asked("simulate --since 1d", &["simulate", "--policy", &self.file(TRIAL), "--since", "1d"]),
        ]
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// How long a command takes, from its start to its end.
    pub(crate) fn run(&self, asked: &Asked) -> Result<Duration> {
        let start = Instant::now();
        let output = self.command(&asked.words).output().context("invited")?;
        let took = start.elapsed();
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(
            // What compares lists ends with 1 when something is missing, and says it all the same.
            (output.status.success() || !asked.expected.is_empty()) && said.contains(&asked.expected),
            "{:?} ended with {} and said {}{}",
            asked.words,
            output.status,
            said.chars().take(500).collect::<String>(),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(took)
    }

    /// Exports everything: how long it takes, and the most that was resident.
    pub(crate) fn export(&self) -> Result<Export> {
        let file = self.folder.join("all.csv");
        let words = ["queue", "export", "--out"].map(str::to_owned).into_iter().chain([file.display().to_string()]);
        let start = Instant::now();
        let mut child = self.command(&words.collect::<Vec<_>>()).spawn().context("invited")?;
        let tree = Tree::of(child.id())?;
        let mut peak = 0;
        let status = loop {
            peak = tree.peak_of_root().max(peak);
            if let Some(status) = child.try_wait()? {
                break status;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let seconds = start.elapsed().as_secs_f64();
        ensure!(status.success(), "the export ended with {status}");
        let bytes = fs::metadata(&file)?.len();
        fs::remove_file(file)?;
        Ok(Export {
            invitations: self.all,
            seconds,
            rows_per_second: self.all as f64 / seconds,
            bytes,
            peak_resident: peak,
        })
    }

    fn command(&self, words: &[String]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_invited"));
        command.args(words).env("INVITED_CONFIG", &self.configuration).env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// What `queue export` of everything costs.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Export {
    pub(crate) invitations: u64,
    pub(crate) seconds: f64,
    pub(crate) rows_per_second: f64,
    pub(crate) bytes: u64,
    pub(crate) peak_resident: u64,
}
