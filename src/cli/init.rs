//! `invited init`: a configuration, a master key and an empty database for one shop, and what to do next.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use clap::Args;

use super::confirm::{answer, can_ask};
use super::{Failure, Output};
use crate::app::{database_password, load_config, read_config_file};
use crate::clock::random_bytes;
use crate::config::{self, Answers, Config, Database, dns_records};
use crate::document::Document;
use crate::store;

/// Writes a configuration, keys and an empty database for a shop.
///
/// On a terminal it asks for what is missing. Run twice it changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Asks for what it needs, on a terminal:
    invited init
  A shop behind Postfix on this machine:
    invited init --dir /etc/invited --domain myshop.example --relay smtp://localhost:25
  With its queue on a PostgreSQL server:
    invited init --domain myshop.example --database postgres://invited@db.example/invited")]
pub(super) struct Init {
    /// The folder to write into; made if it is missing
    #[arg(long, default_value = ".")]
    dir: PathBuf,
    /// Where the queue is kept: a file, beside the configuration unless named (under systemd: /var/lib/invited/invited.db), or
    /// postgres://USER@HOST/NAME
    #[arg(long, value_name = "DATABASE")]
    database: Option<String>,
    /// The shop's own domain: mail to it is mail to the shop, not to a customer
    #[arg(long, value_name = "SHOPDOMAIN")]
    domain: Option<String>,
    /// A short name for the shop: a-z, 0-9 and hyphens
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
    /// The shop's name as customers know it
    #[arg(long)]
    name: Option<String>,
    /// The domain of the BCC addresses, whose mail comes to this machine
    #[arg(long, value_name = "HOST")]
    ingest_domain: Option<String>,
    /// Where to listen for copies
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// The relay that sends the letters: smtp://HOST:PORT or smtps://HOST:PORT
    #[arg(long, value_name = "URL")]
    relay: Option<String>,
    /// The sender of the letters
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// Where the stars in a letter lead; may contain {reference}, {email}, {name}, {token}, {stars} …
    #[arg(long, value_name = "URL")]
    link: Option<String>,
    /// Serve pages for customers, behind a proxy of this machine at this https:// address; letters lead there unless --link says otherwise
    #[arg(long, value_name = "URL")]
    pages: Option<String>,
    /// From the order mail to the first letter, such as 7d
    #[arg(long)]
    delay: Option<String>,
    /// The shop's time zone, an IANA name
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    /// The language of letters when a mail names none
    #[arg(long, value_name = "TAG")]
    locale: Option<String>,
    /// Write the configuration anew where there is one. The master key, the shop's secret and the database are kept
    #[arg(long)]
    force: bool,
}

impl Init {
    pub(super) async fn run(mut self) -> Result<(), Failure> {
        if can_ask() {
            self.ask()?;
        }
        let path = self.dir.join("invited.toml");
        let there = path.exists().then(|| load_config(&path));
        let kept_secret = match &there {
            Some(Ok(config)) => config.shops.first().and_then(|shop| shop.secrets.first()).cloned(),
            _ => None,
        };
        let answers = self.answers(kept_secret.unwrap_or_else(new_secret))?;
        let text = config::template(&answers);
        let folder = if self.dir.as_os_str().is_empty() { Path::new(".") } else { &self.dir };
        let config =
            config::parse(&Document::new(path.display().to_string(), text.clone()), folder).map_err(Failure::Config)?;

        let mut out = Output::new();
        if there.is_some() && !self.force {
            let same = read_config_file(&path).is_ok_and(|document| document.text() == text);
            if !same {
                return Err(Failure::Undone(format!(
                    "{} is there with other settings; nothing was changed. To write it anew: --force",
                    path.display()
                )));
            }
            out.line(format!("{} is there already; nothing was changed.", path.display()))?;
        } else {
            make_folder(&self.dir, 0o755)?;
            write_private(&path, &text, self.force)?;
            out.line(format!("Wrote {}", path.display()))?;
        }
        self.complete(&config, &mut out).await?;
        next_steps(&config, &path, &mut out)?;
        Ok(())
    }

    /// The master key and the database, where they are missing.
    async fn complete(&self, config: &Config, out: &mut Output) -> Result<(), Failure> {
        let key = self.dir.join("master.key");
        if !key.exists() {
            write_master_key(&key)?;
            out.line(format!("Wrote {} (links and log ids depend on it: keep it, and keep it secret)", key.display()))?;
        }
        if let Database::Sqlite(path) = &config.database
            && let Some(folder) = path.parent()
        {
            make_folder(folder, 0o700)?;
        }
        let password = database_password(&config.database).map_err(Failure::Config)?;
        if store::create_if_missing(&config.database, password.as_deref()).await? {
            out.line(format!("Made {}", config.database))?;
        }
        Ok(())
    }

    fn ask(&mut self) -> Result<(), Failure> {
        let domain = asked("The shop's own domain", self.domain.take(), None)?;
        let guess = Answers::new(&domain, "");
        self.domain = Some(domain);
        self.shop = Some(asked("A short name for it", self.shop.take(), Some(guess.shop))?);
        self.name = Some(asked("Its name as customers know it", self.name.take(), Some(guess.shop_name))?);
        self.ingest_domain =
            Some(asked("The domain of the BCC address", self.ingest_domain.take(), Some(guess.ingest_domain))?);
        self.listen = Some(asked("Listen for copies on", self.listen.take(), Some(guess.listen))?);
        self.relay = Some(asked("The relay for the letters", self.relay.take(), Some(guess.relay))?);
        self.from = Some(asked("The sender of the letters", self.from.take(), Some(guess.from))?);
        self.link = Some(asked(
            "Where the stars lead",
            self.link.take(),
            Some(if self.pages.is_some() { "own".to_owned() } else { guess.link }),
        )?);
        self.timezone = Some(asked("The shop's time zone", self.timezone.take(), Some(guess.timezone))?);
        Ok(())
    }

    fn answers(&self, secret: String) -> Result<Answers, Failure> {
        let Some(domain) = &self.domain else {
            return Err(Failure::Usage("--domain is missing: name the shop's own domain".to_owned()));
        };
        let mut answers = Answers::new(domain, &secret);
        let take = |given: &Option<String>, into: &mut String| {
            if let Some(given) = given {
                into.clone_from(given);
            }
        };
        take(&self.database, &mut answers.database);
        take(&self.shop, &mut answers.shop);
        take(&self.name, &mut answers.shop_name);
        take(&self.listen, &mut answers.listen);
        take(&self.relay, &mut answers.relay);
        take(&self.from, &mut answers.from);
        if let Some(url) = &self.pages {
            answers.pages = Some((url.clone(), config::DEFAULT_PAGES_LISTEN.to_string()));
            "own".clone_into(&mut answers.link);
        }
        take(&self.link, &mut answers.link);
        take(&self.timezone, &mut answers.timezone);
        take(&self.locale, &mut answers.locale);
        if let Some(ingest_domain) = &self.ingest_domain {
            answers.ingest_domain.clone_from(ingest_domain);
            answers.hostname.clone_from(ingest_domain);
        }
        if let Some(delay) = &self.delay {
            answers.delay = config::duration(delay).map_err(|error| Failure::Usage(format!("--delay: {error}")))?;
        }
        Ok(answers)
    }
}

/// Asks on the terminal; an empty answer takes the guess.
fn asked(question: &str, given: Option<String>, guess: Option<String>) -> Result<String, Failure> {
    if let Some(given) = given {
        return Ok(given);
    }
    loop {
        let question = match &guess {
            Some(guess) => format!("{question} [{guess}]:"),
            None => format!("{question}:"),
        };
        let Some(line) = answer(&question)? else {
            return Err(Failure::Usage("the answers ended before the questions".to_owned()));
        };
        match (line.as_str(), &guess) {
            ("", Some(guess)) => return Ok(guess.clone()),
            ("", None) => {}
            (line, _) => return Ok(line.to_owned()),
        }
    }
}

/// 20 of 32 characters: 100 random bits, more than anybody can try over the network. No look-alikes, as people read it out.
pub(super) fn new_secret() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
    random_bytes::<20>().iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}

/// 256 random bits, hexadecimal. A key that is there is never replaced: every link that was sent depends on it.
pub(super) fn write_master_key(path: &Path) -> Result<(), Failure> {
    write_private(path, &format!("{}\n", crate::domain::hex(&random_bytes::<32>())), false)
}

/// Only the owner may read what is written here. A file that is there is replaced as a whole, or not at all.
pub(super) fn write_private(path: &Path, text: &str, replace: bool) -> Result<(), Failure> {
    let target = if replace { path.with_extension("new") } else { path.to_owned() };
    let written = OpenOptions::new()
        .write(true)
        .create_new(!replace)
        .create(replace)
        .truncate(replace)
        .mode(0o600)
        .open(&target)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|error| undone(&target, &error))?;
    if replace {
        fs::rename(&target, path).map_err(|error| undone(path, &error))?;
    }
    Ok(())
}

/// Makes a folder with these rights; one that is there keeps its own.
fn make_folder(folder: &Path, mode: u32) -> Result<(), Failure> {
    DirBuilder::new().recursive(true).mode(mode).create(folder).map_err(|error| undone(folder, &error))
}

fn undone(path: &Path, error: &io::Error) -> Failure {
    Failure::Undone(format!("{} cannot be written: {error}", path.display()))
}

fn next_steps(config: &Config, path: &Path, out: &mut Output) -> Result<(), Failure> {
    let Some(shop) = config.shops.first() else { return Ok(()) };
    out.line("")?;
    out.line("Add this address as BCC to the shop's order mails, and keep it secret:")?;
    out.line(format!("  {}", config.bcc_address(shop)))?;
    out.line("")?;
    out.line("DNS records to set:")?;
    let rows = dns_records(config)
        .into_iter()
        .map(|record| vec![format!("  {}", record.name), record.kind.to_owned(), record.value, record.purpose])
        .collect();
    out.table(&[], rows)?;
    out.line("")?;
    out.line(format!("The letters' stars lead to {}", shop.link))?;
    out.line("")?;
    out.line(format!("Next: invited check --config {0}, then: invited serve --config {0}", path.display()))?;
    Ok(())
}
