//! `invited shop address`.

use clap::Args;

use super::{ConfigArg, Desk, Failure, JsonArg, Output, confirm, local, new_secret};
use crate::app::{NotEdited, SecretsEdit, edit_secrets};
use crate::config::{Config, Shop};
use crate::domain::Timestamp;
use crate::store::LOOKED_THROUGH;

/// Which addresses, and what to do with them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  The addresses that the shops' order mails are to be copied to:
    invited shop address
  Somebody else has learned it, so another one, while the old one goes on:
    invited shop address --shop myshop --rotate
  All mails go to the new one: the old one goes:
    invited shop address --shop myshop --retire")]
pub(in crate::cli) struct Address {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// Only of this shop
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
    /// Put a new address in front of the shop's others, in the configuration file
    #[arg(long)]
    rotate: bool,
    /// Take the oldest address of the shop out of the configuration file
    #[arg(long, conflicts_with = "rotate")]
    retire: bool,
    /// Do not ask before an address is taken away
    #[arg(long, requires = "retire")]
    yes: bool,
}

/// An address and when it was last used.
struct Used {
    address: String,
    last: Option<Timestamp>,
}

impl Address {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        if self.rotate {
            self.rotate(&desk)
        } else if self.retire {
            self.retire(&desk).await
        } else {
            self.list(&desk).await
        }
    }

    async fn list(&self, desk: &Desk) -> Result<(), Failure> {
        let only = self.shop.as_deref().map(|text| desk.shop(text)).transpose()?;
        let mut out = Output::new();
        let mut rows = Vec::new();
        for shop in desk.config.shops.iter().filter(|shop| only.as_ref().is_none_or(|only| shop.id == *only)) {
            for (place, used) in used(desk, shop).await?.into_iter().enumerate() {
                let state = if place == 0 { "current" } else { "old" };
                if self.json.json {
                    let last = used.last.map(|last| last.to_string());
                    out.json(&serde_json::json!({
                        "shop": shop.id, "address": used.address, "state": state, "last_used": last,
                    }))?;
                } else {
                    let last = used.last.map_or_else(never, |last| local(last, &shop.zone));
                    rows.push(vec![shop.id.to_string(), used.address, state.to_owned(), last]);
                }
            }
        }
        if !self.json.json {
            out.table(&["SHOP", "ADDRESS", "STATE", "LAST USED"], rows)?;
        }
        Ok(())
    }

    fn rotate(&self, desk: &Desk) -> Result<(), Failure> {
        let shop = self.one(desk)?;
        let config =
            edit_secrets(&self.config.config, &shop.id, SecretsEdit::InFront(&new_secret())).map_err(failure)?;
        let address = first(&config, shop);
        let mut out = Output::of_changes();
        if self.json.json {
            let old = addresses(&desk.config, shop);
            out.json(&serde_json::json!({ "shop": shop.id, "address": address, "old": old }))?;
        } else {
            out.line(format!("The new address of {} is in {}:", shop.id, self.config.config.display()))?;
            out.line(format!("  {address}"))?;
            out.line("Next, in this order:")?;
            out.line(
                "  1. Let the daemon know it: systemctl reload invited. Mail to the old address is still taken in.",
            )?;
            out.line("  2. Put the new address in the place of the old one in the shop's mails.")?;
            out.line(format!(
                "  3. See that nothing comes by the old one any more: invited shop address --shop {}",
                shop.id
            ))?;
            out.line(format!("  4. Take the old one away: invited shop address --shop {} --retire", shop.id))?;
        }
        out.heard()
    }

    async fn retire(&self, desk: &Desk) -> Result<(), Failure> {
        let shop = self.one(desk)?;
        let (Some(secret), true) = (shop.secrets.last(), shop.secrets.len() > 1) else {
            return Err(Failure::Undone(format!(
                "{} has one address only; put a new one in front first: invited shop address --shop {} --rotate",
                shop.id, shop.id
            )));
        };
        let Some(Used { address, last }) = used(desk, shop).await?.pop() else { return Ok(()) };
        let last = last
            .map_or_else(|| format!("used by {}", never()), |last| format!("last used {}", local(last, &shop.zone)));
        let question = format!("Take 1 address of {} away, {address}, {last}? Mail to it is refused then.", shop.id);
        if !confirm(&question, self.yes)? {
            return Err(Failure::Undone("nothing was changed".to_owned()));
        }
        edit_secrets(&self.config.config, &shop.id, SecretsEdit::Without(secret)).map_err(failure)?;
        let mut out = Output::of_changes();
        if self.json.json {
            out.json(&serde_json::json!({ "shop": shop.id, "retired": address }))?;
        } else {
            out.line(format!("{address} is gone from {}.", self.config.config.display()))?;
            out.line("Let the daemon know it: systemctl reload invited")?;
        }
        out.heard()
    }

    /// The shop that is meant: the one named, or the only one.
    fn one<'d>(&self, desk: &'d Desk) -> Result<&'d Shop, Failure> {
        let id = self.shop.as_deref().map(|text| desk.shop(text)).transpose()?;
        match (id, desk.config.shops.as_slice()) {
            (None, [only]) => Ok(only),
            (None, _) => Err(Failure::Usage("there are several shops; name one with --shop".to_owned())),
            (Some(id), shops) => {
                let shop = shops.iter().find(|shop| shop.id == id);
                shop.ok_or_else(|| Failure::Undone(format!("there is no shop {id} in the configuration")))
            }
        }
    }
}

fn never() -> String {
    format!("none of the last {LOOKED_THROUGH} copies")
}

fn addresses(config: &Config, shop: &Shop) -> Vec<String> {
    shop.secrets.iter().map(|secret| format!("{}+{secret}@{}", shop.id, config.ingest_domain)).collect()
}

fn first(config: &Config, shop: &Shop) -> String {
    config.shop(&shop.id).map(|shop| config.bcc_address(shop)).unwrap_or_default()
}

async fn used(desk: &Desk, shop: &Shop) -> Result<Vec<Used>, Failure> {
    let addresses = addresses(&desk.config, shop);
    let last = desk.store.last_used(&shop.id, addresses.clone()).await?;
    Ok(addresses.into_iter().zip(last).map(|(address, last)| Used { address, last }).collect())
}

fn failure(error: NotEdited) -> Failure {
    match error {
        NotEdited::Problems(problems) => Failure::Config(problems),
        other => Failure::Undone(other.to_string()),
    }
}
