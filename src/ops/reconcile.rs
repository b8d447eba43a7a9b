//! A list of orders against what is here: which got an invitation, which got none and why, and which invitations have no order.

use std::collections::HashSet;
use std::sync::Arc;

use crate::config::Shop;
use crate::domain::{HOUR, Hour, Invitation, InvitationId, Policies, State, Timestamp};
use crate::store::{Asked, CopiesOf, CopyState, Fate, SqlStore, Store as _, StoreError};
use crate::table::OrderLine;

/// Orders that are looked up together.
const BATCH: usize = 500;

/// Invitations of a span that are looked at together.
const PAGE: usize = 1_000;

/// How an order of the list fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fared {
    /// It has an invitation whose letters went out or will.
    Invited,
    /// It has one that stands still until a person looks: held, failed, in doubt.
    Stuck,
    /// It has one that the shop's rules, a person, the customer or a cancellation have ended before a letter went out.
    Ended,
    /// It has none; a copy that tells of it is held.
    Held,
    /// It has none; the copies that tell of it were ignored.
    Ignored,
    /// It has none; a person discarded its copies.
    Discarded,
    /// It has none; its customer is on the suppression list.
    Suppressed,
    /// It has none, and no copy was read as telling of it.
    NeverReceived,
}

impl Fared {
    /// Every way, the good ones first.
    pub const ALL: [Self; 8] = [
        Self::Invited,
        Self::Stuck,
        Self::Ended,
        Self::Held,
        Self::Ignored,
        Self::Discarded,
        Self::Suppressed,
        Self::NeverReceived,
    ];

    /// The word for it in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Stuck => "stuck",
            Self::Ended => "ended",
            Self::Held => "held",
            Self::Ignored => "ignored",
            Self::Discarded => "discarded",
            Self::Suppressed => "suppressed",
            Self::NeverReceived => "never_received",
        }
    }

    /// For people.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Stuck => "an invitation that waits for a person",
            Self::Ended => "an invitation that ended before a letter went out",
            Self::Held => "no invitation: the copy is held",
            Self::Ignored => "no invitation: the copy was ignored",
            Self::Discarded => "no invitation: the copy was discarded",
            Self::Suppressed => "no invitation: the customer is on the suppression list",
            Self::NeverReceived => "no invitation: no copy was read as telling of it",
        }
    }

    /// Whether the order has an invitation.
    pub const fn has_invitation(self) -> bool {
        matches!(self, Self::Invited | Self::Stuck | Self::Ended)
    }
}

/// How an order fared, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Match {
    /// How.
    pub fared: Fared,
    /// Its invitation, the last where there are several.
    pub invitation: Option<InvitationId>,
    /// Where that stands.
    pub state: Option<State>,
    /// How many it has of the first round: more than one is one too many, under several addresses.
    pub invitations: usize,
    /// The rule, the reason, or what else is known.
    pub why: Option<String>,
}

/// Looks up every order of a list, in its order. `went_on` is told how many were.
///
/// # Errors
/// When the store cannot be read.
pub async fn look_up(
    store: &SqlStore,
    shop: &Shop,
    orders: &[OrderLine],
    policies: &Arc<Policies>,
    mut went_on: impl FnMut(usize),
) -> Result<Vec<Match>, StoreError> {
    let days = Days::of(store, shop, orders).await?;
    let mut matches = Vec::with_capacity(orders.len());
    for batch in orders.chunks(BATCH) {
        let asked = batch.iter().map(|one| Asked { reference: one.reference.clone(), email: one.email.clone() });
        let fates = store.fates(&shop.id, asked.collect(), Arc::clone(policies)).await?;
        matches.extend(batch.iter().zip(&fates).map(|(order, fate)| judge(order, fate, &days)));
        went_on(matches.len());
    }
    Ok(matches)
}

fn judge(order: &OrderLine, fate: &Fate, days: &Days) -> Match {
    let best = fate.invitations.iter().max_by_key(|one| (one.progress.letters_sent > 0, one.round, one.id));
    if let Some(one) = best {
        let fared = match one.progress.state {
            State::Held | State::Failed | State::InDoubt => Fared::Stuck,
            State::Done | State::Cancelled | State::Dropped if one.progress.letters_sent == 0 => Fared::Ended,
            _ => Fared::Invited,
        };
        let ended = fate.ended_by.iter().find(|decision| decision.invitation == one.id);
        let why = ended.filter(|_| fared == Fared::Ended).map(|decision| {
            let note = decision.note.as_deref().map(|note| format!(" ({note})")).unwrap_or_default();
            format!("{}: {}{note}", decision.rule.as_str(), decision.rule.sentence())
        });
        let invitations = fate.invitations.iter().filter(|one| one.round == 0).count();
        return Match { fared, invitation: Some(one.id), state: Some(one.progress.state), invitations, why };
    }
    let none = |fared, why| Match { fared, invitation: None, state: None, invitations: 0, why };
    let of = |state| fate.copies.iter().find(|copies| copies.state == state);
    for (state, fared) in
        [(CopyState::Held, Fared::Held), (CopyState::Ignored, Fared::Ignored), (CopyState::Discarded, Fared::Discarded)]
    {
        if let Some(copies) = of(state) {
            return none(fared, Some(reason(copies)));
        }
    }
    match &fate.suppressed {
        Some(entry) => none(Fared::Suppressed, Some(format!("{} entry, reason: {}", entry.kind, entry.reason))),
        None => none(Fared::NeverReceived, days.say(order)),
    }
}

/// Why the newest of the copies led to nothing.
fn reason(copies: &CopiesOf) -> String {
    let why = copies.newest.reading.as_ref().and_then(|reading| reading.reason.as_deref());
    let more = if copies.copies > 1 { format!(", and {} more", copies.copies - 1) } else { String::new() };
    format!("copy {}{more}: {}", copies.newest.id, why.unwrap_or("no reason is kept"))
}

/// What came in on the days of orders that nobody has heard of.
struct Days {
    shop: Shop,
    hours: Vec<Hour>,
    unread: u64,
}

impl Days {
    async fn of(store: &SqlStore, shop: &Shop, orders: &[OrderLine]) -> Result<Self, StoreError> {
        let first = orders.iter().filter_map(|one| day(shop, one)).map(|(begins, _)| begins).min();
        let hours = match first {
            Some(first) => store.watch_hours(std::slice::from_ref(&shop.id), first).await?,
            None => Vec::new(),
        };
        let unread = store.watch_figures().await?.unread;
        let unread = unread.iter().filter(|(name, _)| *name == shop.id).map(|(_, copies)| copies).sum();
        Ok(Self { shop: shop.clone(), hours: hours.into_iter().map(|(_, hour)| hour).collect(), unread })
    }

    fn say(&self, order: &OrderLine) -> Option<String> {
        let mut told = Vec::new();
        if let Some((begins, ends)) = day(&self.shop, order) {
            let on_day = self.hours.iter().filter(|hour| hour.begins.plus(HOUR) > begins && hour.begins < ends);
            let (orders, others) =
                on_day.fold((0, 0), |(orders, others), hour| (orders + hour.event, others + hour.ignored + hour.held));
            told.push(format!("{orders} order mails and {others} others came in on that day"));
        }
        if self.unread > 0 {
            told.push(format!("{} copies are not read yet", self.unread));
        }
        (!told.is_empty()).then(|| told.join("; "))
    }
}

/// The day of an order where the shop is: its begin, and the next one's.
fn day(shop: &Shop, order: &OrderLine) -> Option<(Timestamp, Timestamp)> {
    let day = order.order_date.as_ref()?.day()?;
    let midnight = |day: jiff::civil::Date| Some(day.to_zoned(shop.zone.to_jiff()).ok()?.timestamp().into());
    Some((midnight(day)?, midnight(day.tomorrow().ok()?)?))
}

/// From the begin of the first day of a list to the end of its last; `None` without dates.
pub fn span(shop: &Shop, orders: &[OrderLine]) -> Option<(Timestamp, Timestamp)> {
    let days = orders.iter().filter_map(|order| day(shop, order));
    days.reduce(|(from, to), (begins, ends)| (from.min(begins), to.max(ends)))
}

/// The invitations that began within a span and whose orders are not on the list, oldest first. One whose order was placed before
/// the span, as far as its mails say, belongs to another list.
///
/// # Errors
/// When the store cannot be read.
pub async fn without_order(
    store: &SqlStore,
    shop: &Shop,
    orders: &[OrderLine],
    (since, until): (Timestamp, Timestamp),
) -> Result<Vec<Invitation>, StoreError> {
    let listed = orders.iter().map(|order| order.reference.key()).collect::<HashSet<_>>();
    let placed_before = |one: &Invitation| {
        let day = one.order.order_date.as_ref().and_then(|date| date.day());
        let ends = day.and_then(|day| day.tomorrow().ok()?.to_zoned(shop.zone.to_jiff()).ok());
        ends.is_some_and(|ends| Timestamp::from(ends.timestamp()) <= since)
    };
    let (mut extra, mut after) = (Vec::new(), None);
    loop {
        let page = store.begun_between(&shop.id, since, until, after, PAGE).await?;
        let is_last = page.len() < PAGE;
        after = page.last().map(|one| (one.created_at, one.id));
        extra.extend(page.into_iter().filter(|one| !listed.contains(&one.reference.key()) && !placed_before(one)));
        if is_last {
            return Ok(extra);
        }
    }
}
