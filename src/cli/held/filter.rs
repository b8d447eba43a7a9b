//! Which held copies a command is for.

use clap::Args;

use crate::cli::{Desk, Failure};
use crate::domain::{EmailAddress, OrderReference, ShopId, Timestamp, Zone};
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
    pub(super) fn filter(&self, why: Option<&str>, desk: &Desk) -> Result<HeldFilter, Failure> {
        let (zone, now) = (desk.zone(), desk.clock.now());
        let time = |flag: &str, text: Option<&str>, is_end: bool| {
            text.map(|text| parse_time(flag, text, is_end, &zone, now)).transpose()
        };
        let everything = HeldFilter::default();
        Ok(HeldFilter {
            shop: self
                .shop
                .as_deref()
                .map(ShopId::parse)
                .transpose()
                .map_err(|error| Failure::Usage(format!("--shop: {error}")))?,
            template: self.template.clone(),
            since: time("--since", self.since.as_deref(), false)?.unwrap_or(everything.since),
            until: time("--until", self.until.as_deref(), true)?.unwrap_or(everything.until),
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

/// A point in the past as people write it. A day begins at midnight, and ends with it when it is the end of something.
fn parse_time(flag: &str, text: &str, is_end: bool, zone: &Zone, now: Timestamp) -> Result<Timestamp, Failure> {
    let text = text.trim();
    let local = |civil: jiff::civil::DateTime| civil.to_zoned(zone.to_jiff()).map(|at| at.timestamp().into());
    let parsed = if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        Ok(instant.into())
    } else if let Ok(day) = text.parse::<jiff::civil::Date>()
        && text.len() <= 10
    {
        let day = if is_end { day.tomorrow() } else { Ok(day) };
        day.and_then(|day| local(day.at(0, 0, 0, 0)))
    } else if let Ok(civil) = text.parse::<jiff::civil::DateTime>() {
        local(civil)
    } else {
        text.parse::<jiff::Span>().and_then(|span| {
            let from = now.to_jiff().to_zoned(zone.to_jiff());
            from.checked_sub(span).map(|at| at.timestamp().into())
        })
    };
    parsed.map_err(|_| {
        Failure::Usage(format!(
            "{flag}: {text:?} is no time: write 2026-12-24, \"2026-12-24 09:00\", 2026-12-24T08:00:00Z or \"3 days\""
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_taken_whole_and_a_span_goes_back() {
        let zone = Zone::named("Europe/Stockholm").unwrap();
        let now = Timestamp::from_seconds(1_772_442_000);
        for (text, is_end, expected) in [
            ("2026-03-01", false, "2026-02-28T23:00:00Z"),
            ("2026-03-01", true, "2026-03-01T23:00:00Z"),
            ("2026-03-01 09:30", true, "2026-03-01T08:30:00Z"),
            ("2026-03-01T08:00:00Z", false, "2026-03-01T08:00:00Z"),
            ("2 days", false, "2026-02-28T09:00:00Z"),
        ] {
            let parsed = parse_time("--since", text, is_end, &zone, now).unwrap();
            assert_eq!(parsed.to_string(), expected, "{text}");
        }
        for text in ["", "yesterday", "2026-13-01"] {
            assert!(parse_time("--since", text, false, &zone, now).is_err(), "{text}");
        }
    }
}
