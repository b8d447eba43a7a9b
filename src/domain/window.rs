//! The send window: the hours, weekdays and days of the year in which a shop's letters go, by the clocks where the customer is.
//! Whether it is open is asked of an instant's civil time in the zone and of nothing else. So a local hour that summer time leaves
//! out is never open, a window that would begin in it begins at the first instant after it, and an hour that comes twice is open
//! both times.

use std::fmt;
use std::time::Duration;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{Offset, TimeZone};

use super::holidays::Holidays;
use super::place::Place;
use super::time::{Timestamp, Zone};

/// How far ahead an opening is looked for: a year, and the holidays that may lie at its end.
const HORIZON: Duration = Duration::from_secs(400 * 86_400);

/// Milliseconds of a civil day.
const DAY: i64 = 86_400_000;

/// When letters may go. By default at any time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SendWindow {
    hours: Option<Hours>,
    weekdays: Weekdays,
    holidays: Holidays,
}

/// Hours of a day, from the first on and before the second. They may go over midnight (22:00 to 06:00); what is after midnight
/// belongs to the day on which they began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    from: Time,
    until: Time,
}

/// Texts and times that are no [`Hours`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHours {
    /// Both ends are the same time, which could mean no hour or all of them.
    #[error("the hours begin and end at {0}: leave them out where letters may go all day")]
    Empty(String),
    /// Not two times of a day with a hyphen between them.
    #[error("{0:?} are no hours: write the first and the last, such as 09:00-20:00")]
    Form(String),
}

impl Hours {
    /// From one time of the day to the other, both cut to the second. `until` at midnight is the end of the day.
    pub fn new(from: Time, until: Time) -> Result<Self, InvalidHours> {
        let cut = |time: Time| jiff::civil::time(time.hour(), time.minute(), time.second(), 0);
        let hours = Self { from: cut(from), until: cut(until) };
        if hours.from == hours.until {
            Err(InvalidHours::Empty(hours.from.strftime("%H:%M").to_string()))
        } else {
            Ok(hours)
        }
    }

    /// The hours in `text`, `09:00-20:00`; `24:00` is the end of the day.
    pub fn parse(text: &str) -> Result<Self, InvalidHours> {
        let time = |text: &str| {
            let (hour, minute) = text.trim().split_once(':')?;
            let number = |text: &str| {
                let digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
                if digits { text.parse::<i8>().ok() } else { None }
            };
            Some((number(hour)?, number(minute)?))
        };
        let hours = || {
            let (from, until) = text.split_once(['-', '\u{2013}'])?;
            let (from, until) = (time(from)?, time(until)?);
            let until = if until == (24, 0) { (0, 0) } else { until };
            Some((Time::new(from.0, from.1, 0, 0).ok()?, Time::new(until.0, until.1, 0, 0).ok()?))
        };
        let (from, until) = hours().ok_or_else(|| InvalidHours::Form(text.to_owned()))?;
        Self::new(from, until)
    }

    /// When a window of these hours is open on a clock, in milliseconds of the day.
    fn ends(self) -> [i64; 2] {
        [self.from, self.until].map(millis)
    }

    /// Whether there is a moment of the day at which clocks with these offsets from UTC all show one of the hours. Where all of
    /// several stretches of a circle meet, one of them begins.
    fn meet(self, clocks: &[Clock]) -> bool {
        let [from, until] = self.ends();
        let length = (until - from).rem_euclid(DAY);
        let begin = |clock: &Clock| from - clock.ahead();
        clocks.iter().map(begin).any(|at| clocks.iter().all(|other| (at - begin(other)).rem_euclid(DAY) < length))
    }
}

/// `09:00-20:00`.
impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let until =
            if self.until == Time::midnight() { "24:00".to_owned() } else { self.until.strftime("%H:%M").to_string() };
        write!(f, "{}-{until}", self.from.strftime("%H:%M"))
    }
}

fn millis(time: Time) -> i64 {
    let seconds = (i64::from(time.hour()) * 60 + i64::from(time.minute())) * 60 + i64::from(time.second());
    seconds * 1000 + i64::from(time.millisecond())
}

/// A set of weekdays. By default all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weekdays(u8);

impl Weekdays {
    /// Every day of the week.
    pub const ALL: Self = Self(0b111_1111);

    /// Whether a day is in the set.
    pub fn contains(self, day: Weekday) -> bool {
        self.0 & bit(day) != 0
    }

    /// Whether no day is in it: then no letter ever goes.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The days of the set, Monday first.
    pub fn iter(self) -> impl Iterator<Item = Weekday> {
        Weekday::Monday.cycle_forward().take(7).filter(move |day| self.contains(*day))
    }
}

impl Default for Weekdays {
    fn default() -> Self {
        Self::ALL
    }
}

impl FromIterator<Weekday> for Weekdays {
    fn from_iter<T: IntoIterator<Item = Weekday>>(days: T) -> Self {
        Self(days.into_iter().fold(0, |set, day| set | bit(day)))
    }
}

fn bit(day: Weekday) -> u8 {
    1 << day.to_monday_zero_offset()
}

impl SendWindow {
    /// Every day from eight in the morning until nine in the evening: no letter makes a telephone ring at night.
    pub const DAYTIME: Self = Self {
        hours: Some(Hours { from: jiff::civil::time(8, 0, 0, 0), until: jiff::civil::time(21, 0, 0, 0) }),
        weekdays: Weekdays::ALL,
        holidays: Holidays::NONE,
    };

    /// The window of these hours (none: the whole local day) on these weekdays, but not on these holidays.
    pub const fn new(hours: Option<Hours>, weekdays: Weekdays, holidays: Holidays) -> Self {
        Self { hours, weekdays, holidays }
    }

    /// The hours; none is the whole day.
    pub const fn hours(&self) -> Option<Hours> {
        self.hours
    }

    /// The weekdays.
    pub const fn weekdays(&self) -> Weekdays {
        self.weekdays
    }

    /// The holidays.
    pub const fn holidays(&self) -> &Holidays {
        &self.holidays
    }

    /// Whether letters may go at any time.
    pub fn is_always_open(&self) -> bool {
        self.hours.is_none() && self.weekdays == Weekdays::ALL && self.holidays.is_empty()
    }

    /// `at` itself where the window is open then, else the first instant after it at which it is; `None` where it does not open
    /// within 400 days, or where `at` is outside the years of the calendar (-9999 to 9999).
    ///
    /// Somebody who may be in several zones is reached when the window is open in all of them. Where that is never so, the first
    /// zone alone counts.
    pub fn next_open(&self, at: Timestamp, place: &Place) -> Option<Timestamp> {
        let everywhere = self.first(at, &place.zones, place, true);
        everywhere.or_else(|| self.first(at, place.zones.get(..1).filter(|_| place.zones.len() > 1)?, place, true))
    }

    /// The end of the open stretch that `open_at`, an answer of [`SendWindow::next_open`], is in: the first instant at which the
    /// window is closed again, at most 400 days later; `open_at` itself where the window is closed then.
    pub fn closes_after(&self, open_at: Timestamp, place: &Place) -> Timestamp {
        let end = open_at.plus(HORIZON);
        if self.is_always_open() {
            return end;
        }
        let closes = |zones: &[Zone]| self.first(open_at, zones, place, false).unwrap_or(end);
        let everywhere = closes(&place.zones);
        // Where it is not open everywhere, the first zone alone counted.
        if everywhere > open_at { everywhere } else { closes(place.zones.get(..1).unwrap_or_default()) }
    }

    /// The first instant from `at` on at which the window is open in all zones, or at which it is closed in one of them.
    fn first(&self, at: Timestamp, zones: &[Zone], place: &Place, open: bool) -> Option<Timestamp> {
        let utc = [Zone::UTC];
        let zones = if zones.is_empty() { &utc } else { zones };
        let zones = zones.iter().map(Zone::to_jiff).collect::<Vec<_>>();
        let mut clocks = zones.iter().map(|zone| Clock::at(zone, at)).collect::<Option<Vec<_>>>()?;
        let end = at.plus(HORIZON);
        let mut now = at;
        while now <= end {
            let (mut open_in_all, mut next) = (true, Timestamp(i64::MAX));
            for clock in &mut clocks {
                clock.forward(now)?;
                let (date, time) = clock.civil(now)?;
                open_in_all &= self.is_open(date, time, place.country.as_deref());
                next = next.min(clock.changes).min(Timestamp(now.0 + self.boundary_after(time) - time));
            }
            if open_in_all == open {
                return Some(now);
            }
            let never = open && self.hours.is_some_and(|hours| !hours.meet(&clocks));
            now = if never { clocks.iter().map(|clock| clock.changes).min()? } else { next };
        }
        None
    }

    /// Whether the window is open at this civil time, the time in milliseconds of the day.
    fn is_open(&self, date: Date, time: i64, country: Option<&str>) -> bool {
        let counts = |day: Date| self.weekdays.contains(day.weekday()) && !self.holidays.is_holiday(day, country);
        match self.hours.map(Hours::ends) {
            None => counts(date),
            Some([from, until]) if from < until => (from..until).contains(&time) && counts(date),
            Some([from, until]) => {
                (time >= from && counts(date)) || (time < until && date.yesterday().is_ok_and(counts))
            }
        }
    }

    /// The next time of the day after this one at which it may open or close.
    fn boundary_after(&self, time: i64) -> i64 {
        let ends = self.hours.map_or([DAY; 2], Hours::ends);
        ends.into_iter().filter(|end| *end > time).min().unwrap_or(DAY)
    }
}

/// `09:00-20:00 on mon, tue, wed, thu and fri, not on holidays`; for people.
impl fmt::Display for SendWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hours {
            Some(hours) => write!(f, "{hours}")?,
            None => f.write_str("all day")?,
        }
        if self.weekdays != Weekdays::ALL {
            let days = self.weekdays.iter().map(|day| format!("{day:?}")[..3].to_lowercase()).collect::<Vec<_>>();
            write!(f, " on {}", if days.is_empty() { "no day".to_owned() } else { days.join(", ") })?;
        }
        if self.holidays.is_empty() { Ok(()) } else { f.write_str(", not on holidays") }
    }
}

/// What the clocks of a zone show while nobody moves them.
struct Clock<'z> {
    zone: &'z TimeZone,
    offset: Offset,
    /// The next instant at which somebody may.
    changes: Timestamp,
}

impl<'z> Clock<'z> {
    /// The clock at an instant, or `None` outside the calendar.
    fn at(zone: &'z TimeZone, at: Timestamp) -> Option<Self> {
        let instant = jiff::Timestamp::from_millisecond(at.0).ok()?;
        let changes = zone.following(instant).next().map_or(Timestamp(i64::MAX), |change| change.timestamp().into());
        Some(Self { zone, offset: zone.to_offset(instant), changes })
    }

    fn forward(&mut self, now: Timestamp) -> Option<()> {
        if now >= self.changes {
            *self = Self::at(self.zone, now)?;
        }
        Some(())
    }

    /// The date and the milliseconds of the day that it shows.
    fn civil(&self, now: Timestamp) -> Option<(Date, i64)> {
        let shown = self.offset.to_datetime(jiff::Timestamp::from_millisecond(now.0).ok()?);
        Some((shown.date(), millis(shown.time())))
    }

    /// How far it is ahead of UTC, in milliseconds.
    fn ahead(&self) -> i64 {
        i64::from(self.offset.seconds()) * 1000
    }
}

#[cfg(test)]
mod tests;
