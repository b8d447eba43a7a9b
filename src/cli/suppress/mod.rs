//! `invited suppress`: who gets no letter, whatever the orders say.

mod add;
mod file;
mod list;
mod remove;

use clap::Subcommand;
use serde::Serialize;

use super::output::{count, local};
use super::who::Who;
use super::{ConfigArg, Desk, Failure, JsonArg, Output, PageArgs};
use crate::domain::{ListKey, ListReason, ShopId, SuppressionEntry, clean};

/// Keeps the list of those who get no letter, whatever the orders say.
#[derive(Debug, Subcommand)]
pub(super) enum Suppress {
    /// Puts addresses and domains on the list, and stops what is open of an address
    Add(add::Add),
    /// Takes addresses and domains off the list
    Remove(remove::Remove),
    /// Lists who is on it, newest first
    List(list::List),
    /// Puts everything in a file on the list: one a line, or CSV with a header, or JSON lines
    Import(file::Import),
    /// Writes the list as CSV or JSON lines
    Export(file::Export),
}

impl Suppress {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Add(add) => add.run().await,
            Self::Remove(remove) => remove.run().await,
            Self::List(list) => list.run().await,
            Self::Import(import) => import.run().await,
            Self::Export(export) => export.run().await,
        }
    }
}

/// An entry as `--json` prints it; the names are a contract. A file of these can be imported.
#[derive(Debug, Serialize)]
struct Row<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<i64>,
    entry: &'e str,
    kind: &'static str,
    hashed: bool,
    shop: Option<&'e str>,
    reason: &'static str,
    note: Option<&'e str>,
    actor: &'e str,
    at: String,
}

impl<'e> Row<'e> {
    fn new(id: Option<i64>, entry: &'e SuppressionEntry) -> Self {
        Self {
            id,
            entry: entry.key.subject(),
            kind: entry.key.kind().as_str(),
            hashed: entry.key.is_hashed(),
            shop: entry.shop.as_ref().map(ShopId::as_str),
            reason: entry.reason.as_str(),
            note: entry.note.as_deref(),
            actor: &entry.actor,
            at: entry.at.to_string(),
        }
    }
}

/// The entry in words: a hash is shown as one.
fn shown(key: &ListKey) -> String {
    match key.is_hashed() {
        true => format!("{} ({}, hashed)", key.subject(), key.kind()),
        false => key.subject().to_owned(),
    }
}

/// For whom an entry counts.
fn whose(shop: Option<&ShopId>) -> String {
    shop.map_or_else(|| "all shops".to_owned(), ToString::to_string)
}

/// A shop of the configuration.
pub(super) fn shop(desk: &Desk, text: Option<&str>) -> Result<Option<ShopId>, Failure> {
    text.map(|text| desk.shop(text)).transpose()
}

/// What is written beside an entry: one of the reasons' own words, or a note to `otherwise`.
fn reason(text: Option<&str>, otherwise: ListReason) -> (ListReason, Option<String>) {
    match text.map(str::trim).filter(|text| !text.is_empty()) {
        None => (otherwise, None),
        Some(text) => match ListReason::parse(text) {
            Some(reason) => (reason, None),
            None => (otherwise, Some(clean(text, 500)).filter(|note| !note.is_empty())),
        },
    }
}
