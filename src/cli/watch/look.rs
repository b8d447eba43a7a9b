//! One look at the database: everything that the screen shows, from counters and along indexes, so that a look costs the same however
//! many invitations there are.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::cli::Desk;
use crate::cli::output::one_line;
use crate::domain::{DAY, HOUR, Invitation, InvitationId, LetterKind, ShopId, State, Timestamp};
use crate::ops::stats::{By, Measure, Stats, Sums, day_of};
use crate::store::{Alarm, Deferred, Figure, InHand, Pause, Store, StoreError, WatchFigures};

/// Letters that are due next, and replies of relays, that are looked at.
const UPCOMING: usize = 100;
const DEFERRED: usize = 20;

/// Days before today of which the mean is shown.
const DAYS: i64 = 7;

/// Before so much time is seen, nobody can say how many come in an hour.
const LEAST_SEEN: Duration = Duration::from_secs(60);

/// What stood in the database at one moment. Texts from outside are harmless to a terminal by now.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshot {
    /// Invitations by state.
    pub(super) states: BTreeMap<State, u64>,
    /// What happened today, yesterday and on the [`DAYS`] days before today, all of them together.
    pub(super) today: Sums,
    pub(super) yesterday: Sums,
    pub(super) week: Sums,
    /// Everything since the first day that is looked at.
    pub(super) total: Sums,
    /// What is due next, the first due first.
    pub(super) upcoming: Vec<Due>,
    /// Letters in hand by relay.
    pub(super) in_hand: Vec<InHand>,
    /// What relays said last to letters that wait.
    pub(super) deferred: Vec<Deferred>,
    /// The shops' copies.
    pub(super) copies: Vec<Copies>,
    /// What is not as usual.
    pub(super) alarms: Vec<Alarm>,
    /// Whose letters rest.
    pub(super) pauses: Vec<Pause>,
}

/// Something that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) id: InvitationId,
    pub(super) at: Timestamp,
    /// `letter`, `reminder`, or `give up` for a wait that ends.
    pub(super) what: &'static str,
    pub(super) shop: String,
    pub(super) reference: String,
    pub(super) customer: String,
}

/// A shop's copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Copies {
    pub(super) shop: String,
    pub(super) unread: u64,
    pub(super) held: u64,
    pub(super) read: u64,
    /// When the last one came in of those that were read.
    pub(super) last: Option<Timestamp>,
}

impl From<&Invitation> for Due {
    fn from(invitation: &Invitation) -> Self {
        let what = match (invitation.progress.state, invitation.next_letter()) {
            (State::Waiting, _) => "give up",
            (_, LetterKind::Invitation) => "letter",
            (_, LetterKind::Reminder) => "reminder",
        };
        let name = invitation.customer.name.as_ref().map(|name| format!("{name} ")).unwrap_or_default();
        Self {
            id: invitation.id,
            at: invitation.progress.due_at.unwrap_or(invitation.updated_at),
            what,
            shop: invitation.shop.to_string(),
            reference: one_line(invitation.reference.as_str()).into_owned(),
            customer: one_line(&format!("{name}<{}>", invitation.customer.email)).into_owned(),
        }
    }
}

/// The first day of which counters are looked at, by the day on which the watch began.
pub(super) const fn first_day(began: Timestamp) -> i64 {
    day_of(began) - DAYS
}

/// Looks at one shop or at all.
///
/// # Errors
/// When the database cannot be read.
pub(super) async fn look(desk: &Desk, shop: Option<&ShopId>, first_day: i64) -> Result<Snapshot, StoreError> {
    let store = &desk.store;
    let figures = store.figures(first_day, shop).await?;
    let shops = standing_shops(&figures);
    let is_meant = |one: &ShopId| shop.is_none_or(|shop| shop == one);
    let mut watched = store.watch_figures().await?;
    watched.alarms.retain(|alarm| is_meant(&alarm.shop));
    let mut pauses = store.pauses().await?;
    pauses.retain(|pause| pause.shop.as_ref().is_none_or(is_meant));
    let mut deferred = store.deferred_lately(&shops, DEFERRED).await?;
    for one in &mut deferred {
        one.reply = one_line(&one.reply).into_owned();
    }
    let upcoming = store.upcoming(&shops, UPCOMING).await?;
    let in_hand = store.in_hand(shop).await?;
    let counted = Counted::of(&figures, first_day, day_of(desk.clock.now()));
    Ok(Snapshot {
        states: standing(&figures),
        today: counted.today,
        yesterday: counted.yesterday,
        week: counted.week,
        total: counted.total,
        upcoming: upcoming.iter().map(Due::from).collect(),
        in_hand,
        deferred,
        copies: copies(&watched, is_meant),
        alarms: watched.alarms,
        pauses,
    })
}

/// The shops of which any invitation stands.
fn standing_shops(figures: &[Figure]) -> Vec<ShopId> {
    let mut shops = figures.iter().filter(|one| one.day == 0).map(|one| one.shop.clone()).collect::<Vec<_>>();
    shops.sort();
    shops.dedup();
    shops
}

fn standing(figures: &[Figure]) -> BTreeMap<State, u64> {
    let mut states = BTreeMap::new();
    for figure in figures.iter().filter(|one| one.day == 0) {
        if let Some(state) = figure.name.strip_prefix("state ").and_then(State::parse) {
            *states.entry(state).or_default() += figure.n;
        }
    }
    states
}

struct Counted {
    today: Sums,
    yesterday: Sums,
    week: Sums,
    total: Sums,
}

impl Counted {
    fn of(figures: &[Figure], first: i64, today: i64) -> Self {
        let of = |first: i64, last: i64| Stats::of(figures, first, last, By::Month).total;
        Self {
            today: of(today, today),
            yesterday: of(today - 1, today - 1),
            week: of(today - DAYS, today - 1),
            total: of(first, today),
        }
    }
}

fn copies(figures: &WatchFigures, is_meant: impl Fn(&ShopId) -> bool) -> Vec<Copies> {
    let mut copies: BTreeMap<&ShopId, Copies> = BTreeMap::new();
    let none = |shop: &ShopId| Copies { shop: shop.to_string(), unread: 0, held: 0, read: 0, last: None };
    for sum in figures.sums.iter().filter(|sum| is_meant(&sum.shop)) {
        let one = copies.entry(&sum.shop).or_insert_with(|| none(&sum.shop));
        one.held = sum.held;
        one.read = sum.event + sum.ignored + sum.held + sum.discarded;
        one.last = Some(sum.last_copy_at);
    }
    for (shop, unread) in figures.unread.iter().filter(|(shop, _)| is_meant(shop)) {
        copies.entry(shop).or_insert_with(|| none(shop)).unread = *unread;
    }
    copies.into_values().collect()
}

/// What was counted at the looks of the last hour, so that the screen can say how many come in an hour.
#[derive(Debug, Default)]
pub(super) struct Rates(VecDeque<(Timestamp, Sums)>);

impl Rates {
    /// A look at `now` found so many since the first day.
    pub(super) fn saw(&mut self, total: Sums, now: Timestamp) {
        // A clock that was set back begins anew.
        if self.0.back().is_some_and(|(last, _)| *last > now) {
            self.0.clear();
        }
        self.0.push_back((now, total));
        while self.0.front().is_some_and(|(at, _)| now.since(*at) > HOUR) && self.0.len() > 2 {
            self.0.pop_front();
        }
    }

    /// How many come in an hour, by what was seen; `None` before enough was.
    pub(super) fn hourly(&self, number: impl Fn(&Sums) -> u64) -> Option<u64> {
        let ((first, before), (last, now)) = (self.0.front()?, self.0.back()?);
        let seen = last.since(*first);
        if seen < LEAST_SEEN {
            return None;
        }
        let came = u128::from(number(now).saturating_sub(number(before)));
        let millis = seen.as_millis().max(1);
        u64::try_from((came * HOUR.as_millis() + millis / 2) / millis).ok()
    }
}

/// The mean of a day, of a week's sum, rounded.
pub(super) const fn daily(week: u64) -> u64 {
    let days = DAYS.unsigned_abs();
    (week + days / 2) / days
}

/// All that stopped invitations.
pub(super) fn stopped(sums: &Sums) -> u64 {
    [Measure::CancelledByOrder, Measure::CancelledByHand, Measure::Declined, Measure::Suppressed, Measure::Dropped]
        .into_iter()
        .map(|measure| sums.get(measure))
        .sum()
}

/// How long it is to an instant, or since it, in one unit.
pub(super) fn span(at: Timestamp, now: Timestamp) -> String {
    let is_past = at <= now;
    let span = if is_past { now.since(at) } else { at.since(now) };
    let seconds = span.as_secs();
    let text = match seconds {
        0..60 => format!("{seconds} s"),
        60..5_400 => format!("{} min", seconds / 60),
        _ if span < DAY * 2 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    };
    match (is_past, seconds) {
        (true, 0) => "now".to_owned(),
        (true, _) => format!("{text} ago"),
        (false, _) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(letters: u64) -> Sums {
        let shop = ShopId::parse("nord").unwrap();
        let figure = Figure { shop, day: 5, name: "letter first".to_owned(), n: letters };
        Stats::of(&[figure], 5, 5, By::Day).total
    }

    #[test]
    fn the_rate_is_of_the_last_hour_that_was_seen() {
        let at = Timestamp::from_seconds;
        let mut rates = Rates::default();
        let hourly = |rates: &Rates| rates.hourly(Sums::letters);
        assert_eq!(hourly(&rates), None);
        rates.saw(sums(100), at(0));
        rates.saw(sums(101), at(30));
        assert_eq!(hourly(&rates), None, "half a minute tells nothing");
        rates.saw(sums(110), at(600));
        assert_eq!(hourly(&rates), Some(60));
        rates.saw(sums(110), at(600 + 3_600));
        assert_eq!(hourly(&rates), Some(0), "what is longer ago does not count");
        rates.saw(sums(110), at(50));
        assert_eq!(hourly(&rates), None, "a clock that was set back begins anew");
    }

    #[test]
    fn spans_are_told_in_one_unit() {
        let now = Timestamp::from_seconds(1_000_000);
        for (seconds, told) in [
            (0, "now"),
            (1, "1 s"),
            (-1, "1 s ago"),
            (61, "1 min"),
            (5_399, "89 min"),
            (5_400, "1 h"),
            (-90_000, "25 h ago"),
            (172_800, "2 days"),
        ] {
            assert_eq!(span(Timestamp::from_seconds(1_000_000 + seconds), now), told, "{seconds}");
        }
        assert_eq!(daily(10), 1);
        assert_eq!(daily(11), 2);
    }
}
