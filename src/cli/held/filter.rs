//! Which held copies a command is for.

use clap::Args;

use crate::cli::when::{Meant, point};
use crate::cli::{Desk, Failure};
use crate::domain::{EmailAddress, OrderReference};
use crate::store::HeldFilter;

/// Filters; everything given must hold.
#[derive(Debug, Args)]
pub(super) struct FilterArgs {
    /// Only of this shop
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
    /// Only those that this template read
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    /// Only those that came in then or later: a date, a local time, an RFC 3339 time, or a span back from now (`3 days`)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only those that came in before that; of a date, the day belongs to it
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only those about this order
    #[arg(long, value_name = "REF")]
    reference: Option<String>,
    /// Only those of this customer
    #[arg(long, value_name = "ADDRESS", alias = "email")]
    address: Option<String>,
}

impl FilterArgs {
    /// Whether anything is asked for.
    pub(super) fn is_empty(&self) -> bool {
        let Self { shop, template, since, until, reference, address } = self;
        [shop, template, since, until, reference, address].iter().all(|one| one.is_none())
    }

    /// The filter, with a text that is looked for in the reasons.
    pub(super) async fn filter(&self, why: Option<&str>, desk: &Desk) -> Result<HeldFilter, Failure> {
        let shop = match &self.shop {
            Some(shop) => Some(desk.shop_ever(shop).await?),
            None => None,
        };
        let (zone, now) = (desk.zone_of_all(shop.iter()), desk.clock.now());
        let time = |flag: &str, text: Option<&str>, meant: Meant| {
            text.map(|text| point(flag, text, meant, &zone, now)).transpose()
        };
        let everything = HeldFilter::default();
        Ok(HeldFilter {
            shop,
            template: self.template.clone(),
            since: time("--since", self.since.as_deref(), Meant::Since)?.unwrap_or(everything.since),
            until: time("--until", self.until.as_deref(), Meant::Until)?.unwrap_or(everything.until),
            reason: why.map(str::to_owned),
            reference: match self.reference.as_deref() {
                Some(text) => Some(
                    OrderReference::parse(text)
                        .ok_or_else(|| Failure::Usage("--reference: no order reference".to_owned()))?
                        .key(),
                ),
                None => None,
            },
            email: self
                .address
                .as_deref()
                .map(|text| EmailAddress::parse(text).map(|address| address.key()))
                .transpose()
                .map_err(|error| Failure::Usage(format!("--address: {error}")))?,
        })
    }
}
