//! Which invitations a command is for: one set of filters for lists, exports and everything that is done with many at once.

use clap::Args;

use super::{Desk, Failure, Meant, point};
use crate::domain::{EmailAddress, OrderReference, ShopId, State, Timestamp, Zone};
use crate::store::{Filter, FreeText};

/// Filters; everything given must hold.
#[derive(Debug, Args)]
pub(super) struct FilterArgs {
    /// Only of this shop
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
    /// Only in this state: waiting, queued, sending, sent, done, cancelled, dropped, held, failed, in_doubt (may be repeated)
    #[arg(long, value_name = "STATE")]
    state: Vec<String>,
    /// Only for this address
    #[arg(long, value_name = "ADDRESS", alias = "address")]
    email: Option<String>,
    /// Only about this order
    #[arg(long, value_name = "REF")]
    reference: Option<String>,
    /// Only those whose first mail this template read
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    /// Only those with this mark of the shop's
    #[arg(long)]
    tag: Option<String>,
    /// Only those that began then or later: a date, a local time, an RFC 3339 time, or a span back from now (`3 days`)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only those that began before that; of a date, the day belongs to it
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only those that began longer ago (`30d`)
    #[arg(long, value_name = "SPAN")]
    older_than: Option<String>,
    /// Only those that began less long ago (`2 weeks`)
    #[arg(long, value_name = "SPAN")]
    newer_than: Option<String>,
    /// Only those with something due before that: a date, a local time, an RFC 3339 time, or a span from now (`3 days`)
    #[arg(long, value_name = "TIME")]
    due_before: Option<String>,
    /// Only those with something due then or later
    #[arg(long, value_name = "TIME")]
    due_after: Option<String>,
    /// Only those with this text in the name, the address, the reference or a product, in capitals or not
    #[arg(long)]
    text: Option<String>,
}

impl FilterArgs {
    /// Whether anything is asked for.
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            shop,
            state,
            email,
            reference,
            template,
            tag,
            since,
            until,
            older_than,
            newer_than,
            due_before,
            due_after,
            text,
        } = self;
        let texts =
            [shop, email, reference, template, tag, since, until, older_than, newer_than, due_before, due_after, text];
        state.is_empty() && texts.iter().all(|one| one.is_none())
    }

    /// Of which shop alone, for a question to a person.
    pub(super) fn shop(&self) -> Option<&str> {
        self.shop.as_deref()
    }

    /// The zone of dates and local times: that of the shop that is meant, else that of all.
    pub(super) fn zone(&self, desk: &Desk) -> Zone {
        let shop = self.shop.as_deref().and_then(|shop| ShopId::parse(shop).ok());
        shop.map_or_else(|| desk.zone(), |shop| desk.zone_of(&shop))
    }

    /// The filter.
    pub(super) async fn filter(&self, desk: &Desk) -> Result<Filter, Failure> {
        let (zone, now) = (self.zone(desk), desk.clock.now());
        let time = |flag: &str, text: &Option<String>, meant: Meant| {
            text.as_deref().map(|text| point(flag, text, meant, &zone, now)).transpose()
        };
        let age = |flag: &str, text: &Option<String>| match text.as_deref() {
            Some(text) if text.trim().parse::<jiff::Span>().is_err() => {
                Err(Failure::Usage(format!("{flag}: {text:?} is no span: write 30d, \"2 weeks\" or \"36 hours\"")))
            }
            _ => time(flag, text, Meant::Since),
        };
        let (since, newer) = (time("--since", &self.since, Meant::Since)?, age("--newer-than", &self.newer_than)?);
        let (until, older) = (time("--until", &self.until, Meant::Until)?, age("--older-than", &self.older_than)?);
        let everything = Filter::default();
        let shop = match &self.shop {
            Some(shop) => Some(desk.shop_ever(shop).await?),
            None => None,
        };
        Ok(Filter {
            shop,
            states: self.state.iter().map(|word| state(word)).collect::<Result<_, _>>()?,
            email: parsed("--email", &self.email, EmailAddress::parse)?.map(|address| address.key()),
            reference: parsed("--reference", &self.reference, |text| {
                OrderReference::parse(text).ok_or("no order reference").map(|reference| reference.key())
            })?,
            template: self.template.clone(),
            tag: self.tag.clone(),
            begun_from: since.max(newer).unwrap_or(everything.begun_from),
            begun_before: earlier(until, older).unwrap_or(everything.begun_before),
            due_from: time("--due-after", &self.due_after, Meant::Coming)?,
            due_before: time("--due-before", &self.due_before, Meant::Coming)?,
            text: parsed("--text", &self.text, |text| FreeText::parse(text).ok_or("no text"))?,
        })
    }
}

fn parsed<T, E: std::fmt::Display>(
    flag: &str,
    text: &Option<String>,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, Failure> {
    text.as_deref().map(parse).transpose().map_err(|error| Failure::Usage(format!("{flag}: {error}")))
}

fn state(word: &str) -> Result<State, Failure> {
    State::parse(word).ok_or_else(|| {
        let words = State::ALL.map(State::as_str).join(", ");
        Failure::Usage(format!("--state: {word:?} is no state; there are {words}"))
    })
}

fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_is_none_is_answered_with_those_that_are() {
        let Err(Failure::Usage(why)) = state("qeued") else { panic!() };
        assert!(why.contains("\"qeued\"") && why.contains("in_doubt") && why.contains("dropped"), "{why}");
    }

    #[test]
    fn of_two_ends_the_earlier_counts() {
        assert_eq!(earlier(Some(Timestamp(2)), Some(Timestamp(1))), Some(Timestamp(1)));
        assert_eq!(earlier(None, Some(Timestamp(1))), Some(Timestamp(1)));
        assert_eq!(earlier(None, None), None);
    }
}
