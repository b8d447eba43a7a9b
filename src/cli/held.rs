//! `invited held`: the copies that a person should look at.

use clap::{Args, Subcommand};

use super::output::local;
use super::{ConfigArg, Desk, Failure, JsonArg, Output};
use crate::domain::CopyId;
use crate::store::{Store, StoredCopy};

/// Looks at copies that a person should look at.
#[derive(Debug, Subcommand)]
pub(super) enum Held {
    /// Lists held copies, newest first
    List(List),
    /// Shows a copy: what was read, what was not, and its mail
    Show(Show),
}

/// What `list` lists.
#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// At most so many
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    limit: u32,
    /// Only those with an id below this one: the next page
    #[arg(long, value_name = "ID")]
    before: Option<CopyId>,
}

/// Which copy `show` shows.
#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// The copy's id
    id: CopyId,
    /// Print the mail itself, byte by byte, and nothing else
    #[arg(long)]
    raw: bool,
}

impl Held {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run().await,
            Self::Show(show) => show.run().await,
        }
    }
}

impl List {
    async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let copies = desk.store.held_copies(self.before, limit).await?;
        let mut out = Output::new();
        if self.json.json {
            for copy in &copies {
                out.json(&json(copy))?;
            }
            return Ok(());
        }
        if copies.is_empty() {
            out.line("No held copies.")?;
            return Ok(());
        }
        let zone = desk.zone();
        let rows = copies
            .iter()
            .map(|copy| {
                let reading = copy.reading.as_ref();
                vec![
                    copy.id.to_string(),
                    copy.shop.to_string(),
                    local(copy.received_at, &zone),
                    reading.and_then(|one| one.reference.as_ref()).map(ToString::to_string).unwrap_or_default(),
                    reading.and_then(|one| one.reason.clone()).unwrap_or_default(),
                ]
            })
            .collect();
        out.table(&["COPY", "SHOP", "CAME IN", "ORDER", "WHY IT IS HELD"], rows)?;
        Ok(())
    }
}

impl Show {
    async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        let (copy, message) =
            desk.store.copy(self.id).await?.ok_or_else(|| Failure::Undone(format!("there is no copy {}", self.id)))?;
        if self.raw {
            let message =
                message.ok_or_else(|| Failure::Undone(format!("the mail of copy {} is no longer kept", self.id)))?;
            std::io::Write::write_all(&mut std::io::stdout(), &message)?;
            return Ok(());
        }
        let mut out = Output::new();
        if self.json.json {
            return Ok(out.json(&json(&copy))?);
        }
        let zone = desk.zone();
        let mut rows = vec![
            vec!["copy".to_owned(), copy.id.to_string()],
            vec!["shop".to_owned(), copy.shop.to_string()],
            vec!["came in".to_owned(), local(copy.received_at, &zone)],
            vec!["from".to_owned(), copy.client.map(|client| client.to_string()).unwrap_or_default()],
            vec!["envelope sender".to_owned(), copy.mail_from.clone()],
            vec!["size".to_owned(), format!("{} bytes", copy.size)],
            vec!["state".to_owned(), copy.state.as_str().to_owned()],
        ];
        if let Some(reading) = &copy.reading {
            rows.push(vec!["reason".to_owned(), reading.reason.clone().unwrap_or_default()]);
            rows.push(vec!["template".to_owned(), reading.template.clone().unwrap_or_default()]);
            for finding in &reading.findings {
                let origin = format!("{} ({} {})", finding.value, finding.layer.as_str(), finding.rule);
                rows.push(vec![finding.field.to_string(), origin]);
            }
        }
        rows.retain(|row| !row[1].is_empty());
        out.table(&[], rows)?;
        out.line(format!("The mail itself: invited held show {} --raw", copy.id))?;
        Ok(())
    }
}

fn json(copy: &StoredCopy) -> serde_json::Value {
    serde_json::json!({
        "id": copy.id,
        "shop": copy.shop,
        "received_at": copy.received_at.to_string(),
        "mail_from": copy.mail_from,
        "client": copy.client,
        "size": copy.size,
        "state": copy.state.as_str(),
        "attempts": copy.attempts,
        "invitation": copy.invitation,
        "reason": copy.reading.as_ref().and_then(|one| one.reason.as_deref()),
        "reading": copy.reading,
    })
}
