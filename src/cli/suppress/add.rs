//! `invited suppress add`.

use clap::Args;

use super::{ConfigArg, Desk, Failure, JsonArg, Output, Who, count, local, reason, shop, whose};
use crate::domain::{ListKey, ListKind, ListReason, SuppressionEntry};
use crate::store::{Listed, NewEntry};

/// Whom to put on the list.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  A customer who called and wants no more letters, from no shop:
    invited suppress add anna@customer.example --reason unsubscribed
  A whole domain, for one shop:
    invited suppress add marketplace.example --shop myshop --reason \"masked addresses\"
  As a keyed hash, so that the list does not name her:
    invited suppress add anna@customer.example --hashed")]
pub(in crate::cli) struct Add {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// Addresses, or domains with all below them
    #[arg(required = true, value_name = "ADDRESS|DOMAIN")]
    entries: Vec<String>,
    /// Only for this shop; for all otherwise
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
    /// Store keyed hashes, so that the list names nobody (also: hashed = true in [suppression])
    #[arg(long)]
    hashed: bool,
    #[command(flatten)]
    who: Who,
}

impl Add {
    /// All or nothing: a text that is neither an address nor a domain keeps the others off the list too.
    pub(super) async fn run(self) -> Result<(), Failure> {
        let keys = self.entries.iter().map(|text| parse(text)).collect::<Result<Vec<_>, _>>()?;
        let desk = Desk::open(&self.config).await?;
        let (shop, list_key) = (shop(&desk, self.shop.as_deref())?, desk.list_key()?);
        let (actor, now) = (self.who.actor(), desk.clock.now());
        let (reason, note) = reason(actor.reason.as_deref(), ListReason::ByHand);
        let hashes = self.hashed || desk.config.hashed_suppressions;
        let entry = |key| SuppressionEntry {
            key,
            shop: shop.clone(),
            reason,
            note: note.clone(),
            actor: actor.name.clone(),
            at: now,
        };
        let entries = keys.iter().cloned().map(|key| NewEntry::new(entry(key), &list_key, hashes)).collect::<Vec<_>>();
        let listed = desk.store.suppress(entries.clone().into(), desk.policies()?, now).await?;
        let mut out = Output::new();
        for ((key, new), listed) in keys.iter().zip(&entries).zip(&listed) {
            if self.json.json {
                out.json(&row(key, new, listed))?;
            } else {
                out.line(sentence(key, new, listed, &desk))?;
            }
        }
        Ok(())
    }
}

/// What a person wrote.
pub(super) fn parse(text: &str) -> Result<ListKey, Failure> {
    ListKey::parse(text).map_err(|why| Failure::Undone(format!("{text:?}: {why}; nothing was changed")))
}

fn row(key: &ListKey, new: &NewEntry, listed: &Listed) -> serde_json::Value {
    serde_json::json!({
        "entry": key.subject(), "kind": key.kind().as_str(), "shop": new.entry.shop, "hashed": new.entry.key.is_hashed(),
        "done": listed.since.is_none(), "since": listed.since.map(|since| since.to_string()), "stopped": listed.stopped,
    })
}

fn sentence(key: &ListKey, new: &NewEntry, listed: &Listed, desk: &Desk) -> String {
    let shops = whose(new.entry.shop.as_ref());
    let what = match listed.since {
        Some(since) => format!("is on the list for {shops} since {}", local(since, &desk.zone())),
        None if new.entry.key.is_hashed() => format!("is on the list for {shops} now, as a hash"),
        None => format!("is on the list for {shops} now"),
    };
    let then = match (key.kind(), listed.stopped.len()) {
        (ListKind::Domain, _) => "; letters to it are stopped when they fall due".to_owned(),
        (ListKind::Address, 0) => String::new(),
        (ListKind::Address, stopped) => {
            let ids = listed.stopped.iter().map(ToString::to_string).collect::<Vec<_>>();
            format!("; {} stopped: {}", count(stopped, "open invitation"), ids.join(", "))
        }
    };
    format!("{}: {what}{then}", key.subject())
}
