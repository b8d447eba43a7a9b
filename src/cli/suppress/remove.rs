//! `invited suppress remove`.

use clap::Args;

use super::add::parse;
use super::{ConfigArg, Desk, Failure, JsonArg, Output, shop, shown, whose};
use crate::domain::{EmailAddress, ListKey, ShopId, lookup_keys};

/// Whom to take off the list.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  What was added is what is removed, also where it is stored as a hash:
    invited suppress remove anna@customer.example
  A domain, for one shop:
    invited suppress remove marketplace.example --shop myshop")]
pub(in crate::cli) struct Remove {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// The addresses or domains that were added
    #[arg(required = true, value_name = "ADDRESS|DOMAIN")]
    entries: Vec<String>,
    /// The entries of this shop; those for all shops otherwise
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
}

impl Remove {
    /// Goes on after one that is not there, and fails at the end.
    pub(super) async fn run(self) -> Result<(), Failure> {
        let keys = self.entries.iter().map(|text| parse(text)).collect::<Result<Vec<_>, _>>()?;
        let desk = Desk::open(&self.config).await?;
        let (shop, list_key) = (shop(&desk, self.shop.as_deref())?, desk.list_key()?);
        let mut out = Output::of_changes();
        let mut missing = 0;
        for key in keys {
            let both = vec![key.hashed(&list_key), key.clone()];
            let removed = desk.store.unsuppress(both.clone(), shop.clone()).await?;
            missing += usize::from(removed.is_empty());
            if self.json.json {
                out.json(&serde_json::json!({
                    "entry": key.subject(), "kind": key.kind().as_str(), "shop": shop, "done": !removed.is_empty(),
                }))?;
            } else if removed.is_empty() {
                out.line(not_there(&desk, &key, &both, shop.as_ref()).await?)?;
            } else {
                out.line(format!("{}: is no longer on the list for {}", key.subject(), whose(shop.as_ref())))?;
                for rest in still_there(&desk, &key, &list_key).await? {
                    out.line(format!("  still on the list: {rest}"))?;
                }
            }
        }
        out.heard()?;
        match missing {
            0 => Ok(()),
            _ => Err(Failure::Undone(format!(
                "{} not removed",
                if missing == 1 { "1 entry".into() } else { format!("{missing} entries") }
            ))),
        }
    }
}

async fn not_there(desk: &Desk, key: &ListKey, both: &[ListKey], shop: Option<&ShopId>) -> Result<String, Failure> {
    let others = desk.store.suppressed_by(both).await?;
    let others = others.iter().map(|one| match &one.entry.shop {
        Some(shop) => format!("for {shop} (add --shop {shop})"),
        None => "for all shops (leave --shop out)".to_owned(),
    });
    let others = others.collect::<Vec<_>>();
    let but = if others.is_empty() { String::new() } else { format!(", but {}", others.join(" and ")) };
    Ok(format!("{}: is not on the list for {}{but}; nothing was changed", key.subject(), whose(shop)))
}

/// What else keeps letters from an address.
async fn still_there(desk: &Desk, key: &ListKey, list_key: &[u8; 32]) -> Result<Vec<String>, Failure> {
    let Ok(address) = EmailAddress::parse(key.subject()) else { return Ok(Vec::new()) };
    let rest = desk.store.suppressed_by(&lookup_keys(&address.key(), list_key)).await?;
    Ok(rest.iter().map(|one| format!("{}, for {}", shown(&one.entry.key), whose(one.entry.shop.as_ref()))).collect())
}
