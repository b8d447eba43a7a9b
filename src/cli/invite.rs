//! `invited invite`: one customer.

use std::sync::Arc;

use clap::Args;

use super::import::{due, letter, shop_of};
use super::output::local;
use super::who::Who;
use super::{ConfigArg, Desk, Failure, JsonArg, Output};

use crate::domain::{Customer, EmailAddress, OrderDetails, OrderReference, PersonName, Product, clean};
use crate::ops::import::{because, remedy, there};
use crate::store::{Foreseen, Invited, Wanted};
use crate::table::locale;

/// Characters of a product's name, at most.
const PRODUCT: usize = 200;

/// Whom to invite, about which order.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  A customer whose order mail never came in:
    invited invite --email anna@customer.example --name \"Anna Ek\" --reference LN-2204
  What would happen, and when the letter would go:
    invited invite --email anna@customer.example --reference LN-2204 --dry-run
  On a day, in the customer's language, about a product:
    invited invite --email ek@mail.example --reference 7 --at 2027-01-07 --locale sv --product Cup")]
pub(super) struct Invite {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// The customer's address
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// The order's number, as the shop has it
    #[arg(long, value_name = "REF")]
    reference: String,
    /// The customer's name
    #[arg(long)]
    name: Option<String>,
    /// The shop that invites; needed where there are several
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
    /// The customer's language (`sv`, `de-AT`); the shop's otherwise
    #[arg(long)]
    locale: Option<String>,
    /// What was bought (may be repeated)
    #[arg(long, value_name = "NAME")]
    product: Vec<String>,
    /// The letter is due after this span from now (`3 days`); at once otherwise
    #[arg(long, value_name = "SPAN", conflicts_with = "at")]
    delay: Option<String>,
    /// The letter is due then: a date (nine in the morning), a local time, an RFC 3339 time; at most 90 days ahead
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    who: Who,
}

impl Invite {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let said = Said {
            email: &self.email,
            reference: &self.reference,
            name: self.name.as_deref(),
            locale: self.locale.as_deref(),
            products: &self.product,
        };
        let (customer, reference, order) = said.order()?;
        let desk = Desk::open(&self.config).await?;
        let shop = shop_of(&desk.config, self.shop.as_deref())?;
        let (zone, shop) = (shop.zone.clone(), shop.id.clone());
        let now = desk.clock.now();
        let due = due(&zone, self.delay.as_deref(), self.at.as_deref(), now)?;
        let email = customer.email.clone();
        let wanted: Arc<[Wanted]> = Arc::new([Wanted { shop, reference: reference.clone(), customer, order, due }]);
        let policies = desk.policies()?;
        let outcomes = match self.dry_run {
            true => desk.store.foresee(wanted, policies, now).await?,
            false => desk.store.invite(wanted, &self.who.actor(), policies, now).await?,
        };
        match outcomes.into_iter().next() {
            Some(Invited::Begins { id, foreseen }) => {
                let mut out = Output::new();
                if self.json.json {
                    let (goes_at, ground) = match &foreseen {
                        Foreseen::At(at, ground) => (Some(at.to_string()), ground.as_ref()),
                        Foreseen::Never(ground) => (None, Some(ground)),
                    };
                    return Ok(out.json(&serde_json::json!({
                        "dry_run": self.dry_run,
                        "id": id,
                        "reference": reference,
                        "goes_at": goes_at,
                        "rule": ground.map(|ground| ground.rule.as_str()),
                        "why": ground.map(because),
                    }))?);
                }
                let letter = letter(&foreseen, &zone);
                out.line(match id {
                    Some(id) => format!(
                        "Invitation {id} about order {reference}: {letter}. To stop it: invited queue cancel {id}"
                    ),
                    None => format!("Order {reference} would get {letter}."),
                })?;
                if desk.config.hold_all {
                    out.line("No letter goes out as long as the configuration says hold_all = true.")?;
                }
                Ok(())
            }
            Some(Invited::There { id, state, due_at, is_same_address }) => {
                let due = due_at.map(|due| format!(", due {}", local(due, &zone))).unwrap_or_default();
                Err(Failure::Undone(format!(
                    "order {reference} is left alone: {}, invitation {id}{due}; look at it with: invited queue show {id}",
                    there(state, is_same_address)
                )))
            }
            Some(Invited::Refused(ground)) => Err(Failure::Undone(format!(
                "order {reference} gets no invitation: {}; {}",
                because(&ground),
                remedy(ground.rule, &email)
            ))),
            None => Err(Failure::Undone("nothing was done".to_owned())),
        }
    }
}

/// A customer and an order, as they are said on the command line.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) email: &'a str,
    pub(super) reference: &'a str,
    pub(super) name: Option<&'a str>,
    pub(super) locale: Option<&'a str>,
    pub(super) products: &'a [String],
}

impl Said<'_> {
    /// What it means.
    ///
    /// # Errors
    /// Exit code 2 with the option that has a mistake in it.
    pub(super) fn order(self) -> Result<(Customer, OrderReference, OrderDetails), Failure> {
        let email =
            EmailAddress::parse(self.email).map_err(|error| Failure::Usage(format!("--email: no address: {error}")))?;
        let reference = OrderReference::parse(self.reference)
            .ok_or_else(|| Failure::Usage("--reference: no order reference: give 1 to 64 characters".to_owned()))?;
        let name = self.name.map(|name| {
            PersonName::parse(name)
                .ok_or_else(|| Failure::Usage("--name: no name: it has letters, and no @".to_owned()))
        });
        let locale = self.locale.map(|text| {
            locale(text)
                .ok_or_else(|| Failure::Usage(format!("--locale: {text:?} is no language tag: write sv or de-AT")))
        });
        let products = self.products.iter().map(|name| clean(name, PRODUCT)).filter(|name| !name.is_empty());
        let order = OrderDetails {
            locale: locale.transpose()?,
            products: products.map(|name| Product { name, ..Product::default() }).collect(),
            ..OrderDetails::default()
        };
        Ok((Customer { email, name: name.transpose()? }, reference, order))
    }
}
