//! `invited person`: everything that is stored about one person (GDPR, article 15), and the way in which it is found.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64ct::{Base64, Encoding as _};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::output::{count, local};
use super::progress::Search;
use super::{ConfigArg, Desk, Failure, JsonArg, Output};
use crate::domain::{CopyId, EmailAddress, Timestamp};
use crate::ops::person::{Found, find};
use crate::store::{PersonTable, RawRow, Store};

/// Shows everything that is stored about one person.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "\
Examples:
  How much is stored, and where:
    invited person anna@customer.example
  All of it, in a folder: person.json, and each mail as a file:
    invited person anna@customer.example --out anna
  All of it as one JSON document, the mails in base64:
    invited person anna@customer.example --json --out anna.json"
)]
pub(super) struct Person {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    #[command(subcommand)]
    command: Option<Asked>,
    /// The person's address
    #[arg(required = true)]
    address: Option<String>,
    /// A new folder to write everything into; with --json a new file
    #[arg(long, value_name = "PATH")]
    out: Option<PathBuf>,
}

/// What is asked beside one person.
#[derive(Debug, Subcommand)]
enum Asked {
    /// Lists who asked on the pages to be erased and is not yet
    Requests(Requests),
}

/// Lists who asked to be erased.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Who asked, the longest first:
    invited person requests
  What is to be done then:
    invited person requests --json | jq -r .email")]
struct Requests {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
}

impl Requests {
    async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        let requests = desk.store.erasure_requests().await?;
        let mut out = Output::paged();
        if self.json.json {
            for one in &requests {
                out.json(&json!({ "email": one.email, "shop": one.shop, "at": one.at.to_string() }))?;
            }
            return Ok(());
        }
        if requests.is_empty() {
            out.line("Nobody waits to be erased.")?;
            return Ok(());
        }
        let zone = desk.zone();
        let rows = requests.iter().map(|one| vec![one.email.clone(), one.shop.to_string(), local(one.at, &zone)]);
        out.table(&["ADDRESS", "SHOP", "ASKED"], rows.collect())?;
        out.line("They get no letters any more. To erase one: invited erase ADDRESS")?;
        Ok(())
    }
}

impl Person {
    pub(super) async fn run(self) -> Result<(), Failure> {
        if let Some(Asked::Requests(requests)) = self.command {
            return requests.run().await;
        }
        let address = parse(self.address.as_deref().unwrap_or_default())?;
        let desk = Desk::open(&self.config).await?;
        let found = look(&desk, &address).await?;
        let person = gather(&desk, &address, &found).await?;
        if found.is_nothing() && found.entries.is_empty() && !person.has_more() {
            return Err(Failure::Undone(format!("nothing is stored about {address}")));
        }
        match (&self.out, self.json.json) {
            (None, false) => summary(&person, &found, &mut Output::new())?,
            (None, true) => Output::new().json(&person.document(true))?,
            (Some(file), true) => {
                let text = serde_json::to_string_pretty(&person.document(true)).map_err(io::Error::other)?;
                write(file, text.as_bytes())?;
                Output::new().line(format!("Wrote {}", file.display()))?;
            }
            (Some(folder), false) => person.write_folder(folder)?,
        }
        Ok(())
    }
}

/// The address that a person typed.
pub(super) fn parse(text: &str) -> Result<EmailAddress, Failure> {
    EmailAddress::parse(text).map_err(|why| Failure::Undone(format!("{text:?} is no address: {why}")))
}

/// Looks for a person everywhere, and says on standard error how far it has come where somebody watches.
pub(super) async fn look(desk: &Desk, address: &EmailAddress) -> Result<Found, Failure> {
    let mut search = Search::default();
    Ok(find(&desk.store, address, &desk.list_key()?, &mut |looked| search.at(looked)).await?)
}

/// Everything about a person.
struct Gathered {
    address: String,
    tables: Vec<(PersonTable, Vec<RawRow>)>,
    messages: Vec<(CopyId, Vec<u8>)>,
}

async fn gather(desk: &Desk, address: &EmailAddress, found: &Found) -> Result<Gathered, Failure> {
    let mut tables = Vec::new();
    for table in PersonTable::ALL {
        let mut ids = match table {
            PersonTable::Copy => found.copies.iter().map(|copy| copy.0).collect(),
            _ => found.own.of(table).to_vec(),
        };
        ids.extend(found.words.get(&table).into_iter().flatten());
        match table {
            PersonTable::Invitation => ids.extend(&found.named_by),
            PersonTable::Suppression => ids.extend(found.entries.iter().map(|one| one.id)),
            _ => {}
        }
        ids.sort_unstable();
        ids.dedup();
        tables.push((table, desk.store.raw_rows(table, &ids).await?));
    }
    let mut messages = Vec::new();
    for id in &found.copies {
        if let Some((_, Some(message))) = desk.store.copy(*id).await? {
            messages.push((*id, message));
        }
    }
    Ok(Gathered { address: address.to_string(), tables, messages })
}

impl Gathered {
    fn has_more(&self) -> bool {
        self.tables.iter().any(|(_, rows)| !rows.is_empty())
    }

    /// All of it as one document; `with_messages` puts the mails into it.
    fn document(&self, with_messages: bool) -> Value {
        let mut document = Map::new();
        document.insert("address".to_owned(), self.address.as_str().into());
        for (table, rows) in &self.tables {
            document.insert(plural(*table).to_owned(), rows.iter().map(readable).collect::<Vec<_>>().into());
        }
        let messages = self.messages.iter().map(|(id, message)| {
            let mut one = json!({ "copy": id, "file": file_name(*id) });
            if with_messages {
                one = json!({ "copy": id, "base64": Base64::encode_string(message) });
            }
            one
        });
        document.insert("messages".to_owned(), messages.collect::<Vec<_>>().into());
        document.into()
    }

    fn write_folder(&self, folder: &Path) -> Result<(), Failure> {
        let cannot = |error: io::Error| {
            Failure::Undone(format!("{} cannot be made: {error}; name a new folder with --out", folder.display()))
        };
        DirBuilder::new().mode(0o700).create(folder).map_err(cannot)?;
        let text = serde_json::to_string_pretty(&self.document(false)).map_err(io::Error::other)?;
        write(&folder.join("person.json"), text.as_bytes())?;
        for (id, message) in &self.messages {
            write(&folder.join(file_name(*id)), message)?;
        }
        let mails = count(self.messages.len(), "mail");
        Ok(Output::new().line(format!("Wrote person.json and {mails} into {}", folder.display()))?)
    }
}

fn file_name(id: CopyId) -> String {
    format!("copy-{id}.eml")
}

/// A new file that only its owner may read.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all())).map_err(|error| {
        Failure::Undone(format!("{} cannot be written: {error}; name a new one with --out", path.display()))
    })
}

const fn plural(table: PersonTable) -> &'static str {
    match table {
        PersonTable::Copy => "copies",
        PersonTable::Invitation => "invitations",
        PersonTable::Letter => "letters",
        PersonTable::Answer => "answers",
        PersonTable::Decision => "decisions",
        PersonTable::Suppression => "suppressions",
        PersonTable::Alarm => "alarms",
        PersonTable::Pause => "pauses",
        PersonTable::Sender => "senders",
        PersonTable::Review => "reviews",
        PersonTable::ReviewEdit => "review_edits",
        PersonTable::ErasureRequest => "erasure_requests",
    }
}

/// A row as a person can read it: instants in RFC 3339, structures as such.
fn readable(row: &RawRow) -> Value {
    let columns = row.iter().map(|(name, value)| {
        let is_instant = name == "at" || name == "since" || name.ends_with("_at");
        let shown = match value {
            Value::Number(number) if is_instant => number.as_i64().map(|at| Timestamp(at).to_string().into()),
            Value::String(text) if matches!(name.as_str(), "reading" | "details" | "inputs") => {
                serde_json::from_str(text).ok()
            }
            _ => None,
        };
        (name.clone(), shown.unwrap_or_else(|| value.clone()))
    });
    columns.collect::<Map<_, _>>().into()
}

fn summary(person: &Gathered, found: &Found, out: &mut Output) -> Result<(), Failure> {
    out.line(format!("Stored about {}:", person.address))?;
    for (table, rows) in &person.tables {
        if !rows.is_empty() {
            let ids = rows.iter().filter_map(|row| row.get("id")).take(20).map(Value::to_string).collect::<Vec<_>>();
            let more = if rows.len() > ids.len() { " …" } else { "" };
            out.line(format!("  {}: {} (ids {}{more})", plural(*table), rows.len(), ids.join(", ")))?;
        }
    }
    out.line(format!("  mails kept as they came in: {}", person.messages.len()))?;
    if found.damaged > 0 {
        out.line(format!("{} could not be looked into: the bytes are damaged", count(found.damaged, "mail")))?;
    }
    out.line("All of it: --out FOLDER, or --json. To erase it: invited erase ADDRESS")?;
    Ok(())
}
