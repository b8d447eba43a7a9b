//! `invited queue reviewed`: a review exists elsewhere, so nobody is reminded of it.

use clap::Args;
use serde_json::json;

use super::{ConfigArg, Desk, Failure, JsonArg, Output, Who};
use crate::domain::{EmailAddress, OrderReference};
use crate::store::Store;

/// Says that an order was reviewed where we do not see it: no more letters go to those who were asked about it, and nobody invites them
/// to it again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  An order of the only shop:
    invited queue reviewed LN-2204
  Of one shop among several, for one of its customers only:
    invited queue reviewed LN-2204 --shop nord --email anna@customer.example --reason \"seen\"")]
pub(in crate::cli) struct Reviewed {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// The order's reference
    reference: String,
    /// The shop; not needed where there is one only
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
    /// Only the letters to this address; to all who were asked about the order otherwise
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    #[command(flatten)]
    who: Who,
}

impl Reviewed {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let reference = OrderReference::parse(&self.reference)
            .ok_or_else(|| Failure::Usage(format!("{:?} is no order reference", self.reference)))?;
        let email = self.email.as_deref().map(EmailAddress::parse).transpose();
        let email = email.map_err(|error| Failure::Usage(format!("--email: {error}")))?;
        let desk = Desk::open(&self.config).await?;
        let shop = match (self.shop.as_deref(), desk.config.shops.as_slice()) {
            (Some(text), _) => desk.shop(text)?,
            (None, [only]) => only.id.clone(),
            (None, _) => return Err(Failure::Usage("there are several shops: say which with --shop".to_owned())),
        };
        let (actor, key) = (self.who.actor(), email.map(|email| email.key()));
        let policies = desk.policies()?;
        let told = desk.store.reviewed_by_reference(&shop, &reference, key, &actor, policies, desk.clock.now()).await?;
        if told.is_empty() {
            return Err(Failure::Undone(format!(
                "nobody was asked about order {reference} of {shop}; nothing was changed"
            )));
        }
        let mut out = Output::new();
        for (id, decision) in told {
            let (state, rule) = (decision.progress.state, decision.rule);
            match self.json.json {
                true => out.json(&json!({ "id": id, "state": state.as_str(), "rule": rule.as_str() }))?,
                false => out.line(format!("Invitation {id}: {}; it is {state}.", rule.sentence()))?,
            }
        }
        Ok(())
    }
}
