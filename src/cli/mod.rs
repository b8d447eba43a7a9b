//! The command line: one file a noun. Tables for people, one JSON object a line for programs (`docs/cli.md` has the contracts).
//!
//! What every command keeps to; `tests.rs` walks the whole tree and holds the first two:
//!
//! - Each command has `#[command(after_help = "Examples:\n…")]`: two blanks and a sentence with a colon that says what an example is
//!   for, then, after four blanks, commands that work as they stand, each beginning with `invited ` and the command's own words.
//! - Each argument has a doc comment, which is its help.
//! - Commands that only show print through `Output::paged`. Those that act, ask or take their time print through `Output::new`.
//! - Text from outside goes through `Output::line`, `Output::table` or `Output::json`, which let nothing through that steers a
//!   terminal. With styles it is `Output::styled`, and `output::one_line` for each part from outside.
//! - Who acts and why is `who::Who`, points in time are `when::point`, questions are `confirm::confirm`.

mod backup;
mod check;
mod completions;
mod confirm;
mod csv;
mod demo;
mod dkim;
mod erase;
mod explain;
mod fairness;
mod glyphs;
mod held;
mod import;
mod ingest;
mod init;
mod invite;
mod letter;
mod link;
mod live;
mod login;
mod man;
mod move_queue;
mod output;
mod pager;
mod person;
mod progress;
mod queue;
mod reconcile;
mod restore;
mod review;
mod senders;
mod serve;
mod shop;
mod simulate;
mod stats;
mod status;
mod suppress;
mod template;
mod template_learn;
mod watch;
mod when;
mod who;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};

use crate::app::{StartError, database_password, list_key, load_config, return_key};
use crate::clock::Clock;
use crate::config::Config;
use crate::document::Problem;
use crate::domain::{Policies, ShopId, Zone};
use crate::proof::Prover;
use crate::store::{self, BackupError, Filter, HeldFilter, Role, SqlStore, Store as _, StoreError};
use output::{Output, printable};

/// Self-hosted automatic feedback service: reads BCC'd order mail and sends review invitations at the right time.
#[derive(Debug, Parser)]
#[command(
    name = "invited",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  The whole loop on this machine, with nothing set up:
    invited demo --once
  Why a customer did or did not get a letter:
    invited explain anna@customer.example
  What a person should look at:
    invited held list
    invited queue list --state failed --state in_doubt
  What a command does, and examples of it:
    invited queue reschedule --help"
)]
pub struct Cli {
    /// Show long output on a terminal as it is, without a pager
    #[arg(long, global = true)]
    no_pager: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows the whole loop on this machine: order mails in, letters out; needs no set-up
    Demo(demo::Demo),
    /// Writes a configuration, keys and an empty database for a shop
    Init(init::Init),
    /// Runs the daemon
    Serve(serve::Serve),
    /// Checks the configuration and everything it names, without starting anything
    Check(check::Check),
    /// Says how things stand: daemon, queue, relays, disk, and what is not well
    Status(status::Status),
    #[command(subcommand)]
    Dkim(dkim::Dkim),
    /// Looks into the queue of invitations and changes it
    #[command(subcommand)]
    Queue(queue::Queue),
    /// Shows what customers wrote, and removes what is unlawful
    #[command(subcommand)]
    Review(review::Reviews),
    /// Deals with copies that a person should look at
    #[command(subcommand)]
    Held(held::Held),
    /// Takes in orders that did not come by BCC
    #[command(subcommand)]
    Import(import::Import),
    /// Takes in a mail on standard input, for the pipe transport of a mail server
    Ingest(ingest::Ingest),
    /// Makes the password hashes of those who log in to hand in mail
    #[command(subcommand)]
    Login(login::Login),
    /// Invites one customer
    Invite(invite::Invite),
    /// Makes links for a shop's own mails, says what a link is, and ends links
    #[command(subcommand)]
    Link(link::Link),
    /// Says which orders of a list got an invitation, which did not and why, and which invitations have no order
    Reconcile(reconcile::Reconcile),
    /// Shows a shop's BCC addresses, and changes them
    #[command(subcommand)]
    Shop(shop::Shop),
    /// Says whose copies are believed where nothing but a shop's secret address proves them
    #[command(subcommand)]
    Senders(senders::Senders),
    /// Keeps the list of those who get no letter, whatever the orders say
    #[command(subcommand)]
    Suppress(suppress::Suppress),
    /// Shows everything that is stored about one person
    Person(person::Person),
    /// Erases everything that is stored about one person
    Erase(erase::Erase),
    /// Tells the whole story of an address, an order or an invitation
    Explain(explain::Explain),
    /// Shows what other rules would have made of the orders of the last time
    Simulate(simulate::Simulate),
    /// Accounts for all invitations: what became of them, and whom people stopped and why
    Fairness(fairness::Fairness),
    /// Moves the queue from an SQLite file to a PostgreSQL server, or back
    Move(move_queue::Move),
    /// Makes a backup of the queue while the daemon works
    Backup(backup::Backup),
    /// Puts a backup back, and holds what may have been sent since it was made
    Restore(restore::Restore),
    /// Works with the templates that read mails
    #[command(subcommand)]
    Template(template::Template),
    /// Works with the letters to customers
    #[command(subcommand)]
    Letter(letter::Letter),
    /// Prints what a shell needs to complete commands and options
    Completions(completions::Completions),
    /// Prints the manual page of invited(1), or writes those of all commands into a folder
    Man(man::Man),
}

/// Where the configuration is.
#[derive(Debug, Args)]
struct ConfigArg {
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "INVITED_CONFIG", default_value = "/etc/invited/invited.toml")]
    config: PathBuf,
}

/// How output looks.
#[derive(Debug, Args)]
struct JsonArg {
    /// One JSON object a line instead of tables
    #[arg(long)]
    json: bool,
}

/// Which stretch of a long list.
#[derive(Debug, Args)]
struct PageArgs {
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Only those with an id below this one: the next page
    #[arg(long, value_name = "ID")]
    before: Option<i64>,
}

impl PageArgs {
    fn limit(&self) -> usize {
        usize::try_from(self.limit).unwrap_or(usize::MAX)
    }

    /// Says how to go on when this page of `shown` is full.
    fn tell_of_more(&self, shown: usize, last: Option<i64>, out: &mut Output) -> Result<(), Failure> {
        match last.filter(|_| shown == self.limit()) {
            Some(last) => Ok(out.line(format!("More: --before {last}"))?),
            None => Ok(()),
        }
    }
}

/// Why a command did not do what was asked.
#[derive(Debug)]
enum Failure {
    /// The thing asked for could not be done: exit code 1.
    Undone(String),
    /// The command line is wrong: exit code 2.
    Usage(String),
    /// The configuration, or something that it names, is wrong: exit code 78 (`EX_CONFIG` of sysexits).
    Config(Vec<Problem>),
    /// The database was brought to a schema that this program cannot work with, while it ran: 78 too, as a start would end.
    Outdated(StoreError),
    /// What the program that called is to do, by a code of sysexits.h.
    Told {
        /// The code.
        code: u8,
        /// Why.
        why: String,
    },
    /// Nobody reads the output any more: nothing to say.
    Closed,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let remedy = match &error {
            StoreError::Missing(_) => "create it with: invited init, or serve --create",
            StoreError::NewerSchema { .. } => "use the program version that wrote it, or a newer one",
            StoreError::Unusable { .. } => "put that right; docs/operations.md has what a database needs",
            StoreError::Taken { .. } => return Self::Undone(format!("{error}; stop it first")),
            StoreError::Full => return Self::Undone(format!("{error}; make room there, and try again")),
            StoreError::Busy | StoreError::Failed(_) => {
                return Self::Undone(format!("{error}; try again"));
            }
        };
        Self::Config(vec![Problem::with_file("database", error.to_string(), remedy)])
    }
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Store(error) => error.into(),
            error => Self::Undone(error.to_string()),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Config(problems) => Self::Config(problems),
            StartError::Store(error) => error.into(),
            StartError::Listen(_) | StartError::Web { .. } => Self::Undone(error.to_string()),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe { Self::Closed } else { Self::Undone(error.to_string()) }
    }
}

/// Runs the command line and says with which code the process should end.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misread(&error),
    };
    if cli.no_pager {
        pager::turn_off();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&Failure::Undone(format!("cannot start: {error}"))),
    };
    match runtime.block_on(cli.command.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure),
    }
}

/// Shows help and the version, or says what is wrong with the command line.
fn misread(error: &clap::Error) -> ExitCode {
    // Nothing can be done about an output that is closed.
    let _ = error.print();
    let command = std::env::args_os().skip(1).find(|word| !word.to_string_lossy().starts_with('-'));
    // A mail server knows the codes of sysexits.h, and no others.
    let wrong = if command.is_some_and(|word| word == "ingest") { ingest::USAGE } else { 2 };
    ExitCode::from(if error.use_stderr() { wrong } else { 0 })
}

impl Command {
    async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Demo(demo) => demo.run().await,
            Self::Init(init) => init.run().await,
            Self::Serve(serve) => serve.run().await,
            Self::Check(check) => check.run().await,
            Self::Status(status) => status.run().await,
            Self::Dkim(dkim) => dkim.run(),
            Self::Queue(queue) => queue.run().await,
            Self::Review(reviews) => reviews.run().await,
            Self::Held(held) => held.run().await,
            Self::Import(import) => import.run().await,
            Self::Ingest(ingest) => ingest.run().await,
            Self::Login(login) => login.run(),
            Self::Invite(invite) => invite.run().await,
            Self::Link(link) => link.run().await,
            Self::Reconcile(reconcile) => reconcile.run().await,
            Self::Shop(shop) => shop.run().await,
            Self::Senders(senders) => senders.run().await,
            Self::Suppress(suppress) => suppress.run().await,
            Self::Person(person) => person.run().await,
            Self::Erase(erase) => erase.run().await,
            Self::Explain(explain) => explain.run().await,
            Self::Simulate(simulate) => simulate.run().await,
            Self::Fairness(fairness) => fairness.run().await,
            Self::Move(queue) => queue.run().await,
            Self::Backup(backup) => backup.run().await,
            Self::Restore(restore) => restore.run().await,
            Self::Template(template) => template.run(),
            Self::Letter(letter) => letter.run().await,
            Self::Completions(completions) => completions.run(),
            Self::Man(man) => man.run(),
        }
    }
}

/// Says on standard error what went wrong.
fn report(failure: &Failure) -> ExitCode {
    use std::io::Write as _;
    let mut err = std::io::stderr().lock();
    // Nothing can be done about a standard error that is closed.
    let code = match failure {
        Failure::Undone(why) => {
            let _ = writeln!(err, "invited: {}", printable(why));
            1
        }
        Failure::Usage(why) => {
            let _ = writeln!(err, "invited: {}; see: invited --help", printable(why));
            2
        }
        Failure::Config(problems) => {
            for problem in problems {
                let _ = writeln!(err, "{}", printable(&problem.to_string()));
            }
            let _ = writeln!(
                err,
                "invited: {} to put right; nothing was started or changed",
                output::count(problems.len(), "problem")
            );
            78
        }
        Failure::Outdated(error) => {
            let _ = writeln!(err, "invited: {error}; install the program version that changed it, or a newer one");
            78
        }
        Failure::Told { code, why } => {
            for line in why.lines() {
                let _ = writeln!(err, "invited: {}", printable(line));
            }
            *code
        }
        Failure::Closed => 0,
    };
    ExitCode::from(code)
}

/// A shop of the configuration.
fn shop_in(config: &Config, text: &str) -> Result<ShopId, Failure> {
    let known = config.shops.iter().map(|shop| shop.id.as_str()).collect::<Vec<_>>();
    match ShopId::parse(text) {
        Ok(id) if known.contains(&id.as_str()) => Ok(id),
        _ => {
            let known = known.join(", ");
            Err(Failure::Undone(format!("there is no shop {text:?} in the configuration; there are: {known}")))
        }
    }
}

/// A support desk: the configuration, the database, and who sits at it.
struct Desk {
    config: Config,
    store: SqlStore,
    clock: Clock,
}

impl Desk {
    async fn open(arg: &ConfigArg) -> Result<Self, Failure> {
        let config = load_config(&arg.config).map_err(Failure::Config)?;
        let password = database_password(&config.database).map_err(Failure::Config)?;
        let store = store::open(&config.database, password.as_deref(), Role::Desk).await?;
        Ok(Self { config, store, clock: Clock::System })
    }

    /// The key with which entries of the suppression list are hashed.
    fn list_key(&self) -> Result<[u8; 32], Failure> {
        list_key(&self.config).map_err(|problem| Failure::Config(vec![problem]))
    }

    /// The key of the letters' return addresses.
    fn return_key(&self) -> Result<[u8; 32], Failure> {
        return_key(&self.config).map_err(|problem| Failure::Config(vec![problem]))
    }

    /// Who looks up what proves a copy's sender.
    fn prover(&self) -> Result<Prover, Failure> {
        Prover::new(&self.config.dns_servers).map_err(|error| {
            Failure::Config(vec![Problem::with_file(
                "configuration",
                error.to_string(),
                "see [dns] and /etc/resolv.conf",
            )])
        })
    }

    /// The shops' rules, by which letters are judged: with the key of the suppression list, without which its hashed entries stop
    /// nobody.
    fn policies(&self) -> Result<Arc<Policies>, Failure> {
        Ok(Arc::new(self.config.policies().with_list_key(self.list_key()?)))
    }

    /// The shops' rules for who judges no letter, but moves invitations that are there; no key is needed for that.
    fn policies_without_list(&self) -> Arc<Policies> {
        Arc::new(self.config.policies())
    }

    /// A shop of the configuration.
    fn shop(&self, text: &str) -> Result<ShopId, Failure> {
        shop_in(&self.config, text)
    }

    /// A shop of the configuration, or one that is gone from it and has left something behind.
    async fn shop_ever(&self, text: &str) -> Result<ShopId, Failure> {
        let (known, Ok(shop)) = (self.shop(text), ShopId::parse(text)) else { return self.shop(text) };
        if known.is_ok() {
            return known;
        }
        let invitations = Filter { shop: Some(shop.clone()), ..Filter::default() };
        let copies = HeldFilter { shop: Some(shop.clone()), ..HeldFilter::default() };
        let is_gone = self.store.list(&invitations, None, 1).await?.invitations.is_empty()
            && self.store.held_copies(&copies, None, 1).await?.is_empty();
        if is_gone { known } else { Ok(shop) }
    }

    /// The zone of what concerns one shop: its own.
    fn zone_of(&self, shop: &ShopId) -> Zone {
        let shop = self.config.shops.iter().find(|one| one.id == *shop);
        shop.map_or_else(|| self.zone(), |shop| shop.zone.clone())
    }

    /// The zone of what concerns all of these: theirs, and that of [`Desk::zone`] when they are of several shops.
    fn zone_of_all<'s>(&self, mut shops: impl Iterator<Item = &'s ShopId>) -> Zone {
        match shops.next() {
            Some(first) if shops.all(|shop| shop == first) => self.zone_of(first),
            _ => self.zone(),
        }
    }

    /// The zone of what concerns no shop alone: that of all shops, and UTC when they differ.
    fn zone(&self) -> Zone {
        let mut zones = self.config.shops.iter().map(|shop| &shop.zone);
        match zones.next() {
            Some(first) if zones.all(|zone| zone == first) => first.clone(),
            _ => Zone::UTC,
        }
    }
}

#[cfg(test)]
mod tests;
