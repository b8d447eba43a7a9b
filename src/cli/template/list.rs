//! `invited template list`: which templates there are, and what they were checked against.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::app::load_templates;
use crate::cli::{Failure, JsonArg, Output};
use crate::read::{Listed, Origin};

/// Which templates.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Templates that ship:
    invited template list
  With a shop's own laid over them:
    invited template list --templates /etc/invited/templates")]
pub(in crate::cli) struct List {
    #[command(flatten)]
    json: JsonArg,
    /// A folder of templates laid over those that ship
    #[arg(long, value_name = "DIR")]
    templates: Option<PathBuf>,
}

impl List {
    pub(super) fn run(self) -> Result<(), Failure> {
        let templates = load_templates(self.templates.as_deref()).map_err(Failure::Config)?;
        let mut out = Output::paged();
        if self.json.json {
            for one in templates.list() {
                let mails = one.mails.iter().map(|(name, event)| json!({ "name": name, "event": event.as_str() }));
                let checked = one.checked.iter();
                let checked = checked.map(|one| json!({ "versions": one.versions, "languages": one.languages }));
                let (origin, file) = origin(one.origin);
                out.json(&json!({
                    "name": one.name,
                    "title": one.title,
                    "mails": mails.collect::<Vec<_>>(),
                    "checked": checked.collect::<Vec<_>>(),
                    "origin": origin,
                    "file": file,
                }))?;
            }
            return Ok(());
        }
        let rows = templates.list().map(|one| row(&one)).collect();
        Ok(out.table(&["NAME", "TITLE", "MAILS", "CHECKED AGAINST", "FROM"], rows)?)
    }
}

fn row(one: &Listed<'_>) -> Vec<String> {
    let mut mails = one.mails.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    // A kind of mail may be told in two ways.
    mails.dedup();
    let checked = one.checked.iter().map(|one| format!("{} in {}", one.versions, one.languages.join(", ")));
    let checked = checked.collect::<Vec<_>>().join("; ");
    let from = match origin(one.origin) {
        (origin, Some(file)) => format!("{file} ({origin})"),
        (origin, None) => origin.to_owned(),
    };
    let none = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    vec![one.name.to_owned(), one.title.to_owned(), none(mails.join(", ")), none(checked), from]
}

/// The word for it in JSON, a contract, and the file.
fn origin(origin: &Origin) -> (&'static str, Option<&str>) {
    match origin {
        Origin::Shipped => ("shipped", None),
        Origin::File(file) => ("folder", Some(file)),
        Origin::Overrides(file) => ("overrides", Some(file)),
    }
}
