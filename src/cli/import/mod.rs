//! `invited import`: orders that did not come by BCC. A file of orders begins invitations by hand; past mails take the way of every
//! copy.

mod csv;
mod mail;

pub(super) use csv::letter;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use clap::Subcommand;

use super::when::{Meant, point};
use super::{Failure, shop_in};
use crate::config::{Config, Shop};
use crate::domain::{Timestamp, Zone};
use crate::ops::import::AHEAD_AT_MOST;
use crate::table::{Need, Orders, orders};

/// Bytes of a file of orders, at most: some million lines.
const FILE_AT_MOST: u64 = 256 * 1024 * 1024;

/// Takes in orders that did not come by BCC.
#[derive(Debug, Subcommand)]
pub(super) enum Import {
    /// Invites the customers of a file of orders, whatever program wrote it
    Csv(csv::Csv),
    /// Takes in the past order mails of an mbox file, as if each had come in when it was written
    Mbox(mail::FromMbox),
    /// The same from a Maildir folder
    Maildir(mail::FromMaildir),
}

impl Import {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::Csv(csv) => csv.run().await,
            Self::Mbox(mbox) => mbox.run().await,
            Self::Maildir(maildir) => maildir.run().await,
        }
    }
}

/// The shop that is meant: the named one, or the only one.
pub(super) fn shop_of<'c>(config: &'c Config, named: Option<&str>) -> Result<&'c Shop, Failure> {
    let id = named.map(|name| shop_in(config, name)).transpose()?;
    let mut meant = config.shops.iter().filter(|shop| id.as_ref().is_none_or(|id| shop.id == *id));
    match (meant.next(), meant.next()) {
        (Some(shop), None) => Ok(shop),
        _ => {
            let names = config.shops.iter().map(|shop| shop.id.as_str()).collect::<Vec<_>>().join(", ");
            Err(Failure::Usage(format!("say which shop with --shop: {names}")))
        }
    }
}

/// Reads a file of orders.
pub(super) fn read_orders(path: &Path, need: Need) -> Result<Orders, Failure> {
    let failed = |error: std::io::Error| Failure::Undone(format!("{}: {error}", path.display()));
    let file = File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(FILE_AT_MOST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > FILE_AT_MOST {
        return Err(Failure::Undone(format!(
            "{}: is larger than {} MiB; divide it into several files",
            path.display(),
            FILE_AT_MOST / 1024 / 1024
        )));
    }
    orders(&bytes, need).map_err(|fault| Failure::Undone(format!("{}: {fault}; nothing was changed", path.display())))
}

/// When letters are due that somebody asks for: at once, after a span, or at a time by the clocks of a zone; at most 90 days ahead.
pub(super) fn due(zone: &Zone, delay: Option<&str>, at: Option<&str>, now: Timestamp) -> Result<Timestamp, Failure> {
    let due = match (delay, at) {
        (Some(span), _) => {
            if span.trim().parse::<jiff::Span>().is_err() {
                return Err(Failure::Usage(format!(
                    "--delay: {span:?} is no span: write one such as \"3 days\", 36h or \"2 weeks\"; for a point in time there is --at"
                )));
            }
            point("--delay", span, Meant::Ahead, zone, now)?
        }
        (None, Some(at)) => point("--at", at, Meant::Ahead, zone, now)?,
        (None, None) => return Ok(now),
    };
    if due > now.plus(AHEAD_AT_MOST) {
        return Err(Failure::Undone(
            "a letter can be asked for at most 90 days ahead; name an earlier time".to_owned(),
        ));
    }
    Ok(due)
}
