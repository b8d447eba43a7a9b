//! Which orders and which addresses are left out, and at what hours letters go.

use jiff::civil::Weekday;

use crate::config::values::{listed, problem_at};
use crate::document::{Entry, Table};
use crate::domain::{
    AddressClass, AddressClassSet, Holidays, Hours, InvalidHoliday, InvalidHours, Place, SendWindow, Share, Timestamp,
    Weekdays, Zone, weekday_named,
};

use super::keys::or_none;
use super::layer::Layer;

const WINDOW: &str = "write { hours = \"09:00-20:00\", weekdays = \"Mon-Sat\" }, or false for any time";

/// The keys `sample`, `refuse` and `window`.
pub(super) fn read<'d>(layer: &mut Layer<'d>, table: &Table<'d>) {
    layer.take(table, "sample", share, |policy, sample| policy.sample = sample);
    layer.take(table, "refuse", refused, |policy, refused| policy.refused = refused);
    let window = |table: &Table<'d>, key| or_none(table, key, window).map(Option::unwrap_or_default);
    layer.take(table, "window", window, |policy, window| policy.window = window);
}

fn share(table: &Table<'_>, key: &'static str) -> Option<Share> {
    const REMEDY: &str = "write how many of a hundred orders are asked about, from \"0.1 %\" to \"100 %\"";
    table.any(key)?.text(REMEDY)?.check(REMEDY, |text| match Share::parse(text) {
        Ok(share) if share.thousandths() > 0 => Ok(share),
        Ok(_) => Err("asks about no order at all".to_owned()),
        Err(_) => Err(format!("{text:?} is no share")),
    })
}

fn refused(table: &Table<'_>, key: &'static str) -> Option<AddressClassSet> {
    let known = listed(AddressClass::ALL.map(AddressClass::as_str));
    let classes = or_none(table, key, |table, key| {
        let class = |entry: Entry<'_, &str>| {
            entry.check(&format!("write {known}"), |text| {
                AddressClass::parse(text).ok_or_else(|| format!("{text:?} is no kind of address"))
            })
        };
        // All of them are looked at before one that is wrong ends it, so that each gets its message.
        table.strings(key)?.into_iter().map(class).collect::<Vec<_>>().into_iter().collect::<Option<AddressClassSet>>()
    })?;
    Some(classes.unwrap_or(AddressClassSet::NONE))
}

fn window(table: &Table<'_>, key: &'static str) -> Option<SendWindow> {
    if !table.any(key)?.is_table(WINDOW) {
        return None;
    }
    table.table(key, |inner| {
        let hours = given(inner, "hours", None, |inner, key| hours(inner.string(key)?).map(Some));
        let weekdays = given(inner, "weekdays", Weekdays::ALL, weekdays);
        let holidays = given(inner, "holidays", Holidays::NONE, holidays);
        let window = SendWindow::new(hours?, weekdays?, holidays?);
        if inner.keys().next().is_none() {
            inner.problem("is empty and always open", WINDOW);
        } else if !window.weekdays().is_empty() && !opens(&window) {
            inner.problem("is never open", "leave out some of the holidays, or name more weekdays");
        }
        Some(window)
    })
}

/// The value of a key, or what holds where it is not written; `None` when it is wrong.
fn given<'d, T>(
    table: &Table<'d>,
    key: &'static str,
    otherwise: T,
    read: impl FnOnce(&Table<'d>, &'static str) -> Option<T>,
) -> Option<T> {
    if table.any(key).is_some() { read(table, key) } else { Some(otherwise) }
}

/// Where a look at a window's year begins: 2026-01-01T00:00:00Z.
pub(super) const SOME_DAY: Timestamp = Timestamp::from_seconds(1_767_225_600);

/// Whether it opens at all in a year. The holidays of the customer's country are no matter: they never close a whole year.
fn opens(window: &SendWindow) -> bool {
    window.next_open(SOME_DAY, &Place::in_zone(&Zone::UTC)).is_some()
}

fn hours(entry: Entry<'_, &str>) -> Option<Hours> {
    entry.check("write the first and the last, \"09:00-20:00\"; leave them out where letters may go all day", |text| {
        Hours::parse(text).map_err(|error| match error {
            InvalidHours::Empty(time) => format!("begins and ends at {time} and is never open"),
            InvalidHours::Form(text) => format!("{text:?} are no hours of a day"),
        })
    })
}

/// Days and stretches of days: `Mon-Sat`, or a list.
fn weekdays(table: &Table<'_>, key: &'static str) -> Option<Weekdays> {
    const REMEDY: &str = "write days or stretches of them, \"Mon-Sat\" or [\"Mon\", \"Wed\", \"Fri-Sun\"]";
    let stretch = |entry: Entry<'_, &str>| {
        entry.check(REMEDY, |text| days(text).ok_or_else(|| format!("{text:?} is no weekday")))
    };
    let days = table.strings(key)?.into_iter().map(stretch).collect::<Vec<_>>();
    let days = days.into_iter().collect::<Option<Vec<_>>>()?;
    if days.is_empty() {
        problem_at(table, key, "is empty, so that the window is never open", REMEDY);
    }
    Some(days.into_iter().flatten().collect())
}

/// A day, or all from one to another; `Sat-Mon` goes over the end of the week.
fn days(text: &str) -> Option<Vec<Weekday>> {
    let Some((first, last)) = text.split_once(['-', '\u{2013}']) else { return Some(vec![weekday_named(text)?]) };
    let (first, last) = (weekday_named(first)?, weekday_named(last)?);
    let count = first.until(last) + 1;
    Some(first.cycle_forward().take(usize::try_from(count).unwrap_or(7)).collect())
}

fn holidays(table: &Table<'_>, key: &'static str) -> Option<Holidays> {
    let mut holidays = Holidays::NONE;
    let mut wrong = false;
    for entry in table.strings(key)? {
        let remedy =
            "write \"customer\", a country (\"DK\"), a day of every year (\"12-24\") or a date (\"2026-12-24\")";
        let added = entry.check(remedy, |text| {
            holidays.add(text).map_err(|error| match error {
                InvalidHoliday::Form(text) => format!("{text:?} names no holidays"),
                other => other.to_string(),
            })
        });
        wrong |= added.is_none();
    }
    (!wrong).then_some(holidays)
}
