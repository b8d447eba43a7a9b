//! Literal schedules that a person can check, and random windows against a second reading of the rules.

use jiff::ToSpan;
use jiff::civil::DateTime;
use proptest::prelude::*;

use super::*;

fn zone(name: &str) -> Zone {
    Zone::named(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

fn place(country: Option<&str>, zones: &[&str]) -> Place {
    Place { zones: zones.iter().map(|name| zone(name)).collect(), country: country.map(str::to_owned) }
}

/// A window in words: hours or `-`, weekdays (from Monday, as ones and noughts) or `-`, then holidays.
fn window(words: &str) -> SendWindow {
    let mut words = words.split(' ');
    let hours = words.next().filter(|hours| *hours != "-").map(|hours| Hours::parse(hours).unwrap());
    let weekdays = words.next().filter(|days| *days != "-").map(|days| {
        let week = Weekday::Monday.cycle_forward().zip(days.chars());
        week.filter(|(_, one)| *one == '1').map(|(day, _)| day).collect()
    });
    SendWindow::new(hours, weekdays.unwrap_or_default(), Holidays::of(words).unwrap())
}

fn shown(instant: Timestamp, zone: &Zone, format: &str) -> String {
    instant.to_jiff().to_zoned(zone.to_jiff()).strftime(format).to_string()
}

/// When a letter that is due at each hour around each change of the clocks leaves, under five windows. The clocks go forward
/// from 02:00 to 03:00 in all three zones, and back from 03:00 to 02:00 in Copenhagen and Sydney, from 02:00 to 01:00 in New York.
const CLOCK_CHANGES: &str = "\
Europe/Copenhagen    | 09:00-20:00    | 01:30-02:30    | 02:30-05:00    | 02:15-02:45    | 22:00-03:30
2026-03-29 00:00+01  | 03-29 09:00+02 | 03-29 01:30+01 | 03-29 03:00+02 | 03-30 02:15+02 | at once
2026-03-29 01:00+01  | 03-29 09:00+02 | 03-29 01:30+01 | 03-29 03:00+02 | 03-30 02:15+02 | at once
2026-03-29 03:00+02  | 03-29 09:00+02 | 03-30 01:30+02 | at once        | 03-30 02:15+02 | at once
2026-03-29 04:00+02  | 03-29 09:00+02 | 03-30 01:30+02 | at once        | 03-30 02:15+02 | 03-29 22:00+02
2026-03-29 05:00+02  | 03-29 09:00+02 | 03-30 01:30+02 | 03-30 02:30+02 | 03-30 02:15+02 | 03-29 22:00+02
2026-03-29 06:00+02  | 03-29 09:00+02 | 03-30 01:30+02 | 03-30 02:30+02 | 03-30 02:15+02 | 03-29 22:00+02
2026-10-25 01:00+02  | 10-25 09:00+01 | 10-25 01:30+02 | 10-25 02:30+02 | 10-25 02:15+02 | at once
2026-10-25 02:00+02  | 10-25 09:00+01 | at once        | 10-25 02:30+02 | 10-25 02:15+02 | at once
2026-10-25 02:00+01  | 10-25 09:00+01 | at once        | 10-25 02:30+01 | 10-25 02:15+01 | at once
2026-10-25 03:00+01  | 10-25 09:00+01 | 10-26 01:30+01 | at once        | 10-26 02:15+01 | at once
2026-10-25 04:00+01  | 10-25 09:00+01 | 10-26 01:30+01 | at once        | 10-26 02:15+01 | 10-25 22:00+01
2026-10-25 05:00+01  | 10-25 09:00+01 | 10-26 01:30+01 | 10-26 02:30+01 | 10-26 02:15+01 | 10-25 22:00+01
2027-03-28 00:00+01  | 03-28 09:00+02 | 03-28 01:30+01 | 03-28 03:00+02 | 03-29 02:15+02 | at once
2027-03-28 01:00+01  | 03-28 09:00+02 | 03-28 01:30+01 | 03-28 03:00+02 | 03-29 02:15+02 | at once
2027-03-28 03:00+02  | 03-28 09:00+02 | 03-29 01:30+02 | at once        | 03-29 02:15+02 | at once
2027-03-28 04:00+02  | 03-28 09:00+02 | 03-29 01:30+02 | at once        | 03-29 02:15+02 | 03-28 22:00+02
2027-03-28 05:00+02  | 03-28 09:00+02 | 03-29 01:30+02 | 03-29 02:30+02 | 03-29 02:15+02 | 03-28 22:00+02
2027-03-28 06:00+02  | 03-28 09:00+02 | 03-29 01:30+02 | 03-29 02:30+02 | 03-29 02:15+02 | 03-28 22:00+02
2027-10-31 01:00+02  | 10-31 09:00+01 | 10-31 01:30+02 | 10-31 02:30+02 | 10-31 02:15+02 | at once
2027-10-31 02:00+02  | 10-31 09:00+01 | at once        | 10-31 02:30+02 | 10-31 02:15+02 | at once
2027-10-31 02:00+01  | 10-31 09:00+01 | at once        | 10-31 02:30+01 | 10-31 02:15+01 | at once
2027-10-31 03:00+01  | 10-31 09:00+01 | 11-01 01:30+01 | at once        | 11-01 02:15+01 | at once
2027-10-31 04:00+01  | 10-31 09:00+01 | 11-01 01:30+01 | at once        | 11-01 02:15+01 | 10-31 22:00+01
2027-10-31 05:00+01  | 10-31 09:00+01 | 11-01 01:30+01 | 11-01 02:30+01 | 11-01 02:15+01 | 10-31 22:00+01
America/New_York     | 09:00-20:00    | 01:30-02:30    | 02:30-05:00    | 02:15-02:45    | 22:00-03:30
2026-03-08 00:00-05  | 03-08 09:00-04 | 03-08 01:30-05 | 03-08 03:00-04 | 03-09 02:15-04 | at once
2026-03-08 01:00-05  | 03-08 09:00-04 | 03-08 01:30-05 | 03-08 03:00-04 | 03-09 02:15-04 | at once
2026-03-08 03:00-04  | 03-08 09:00-04 | 03-09 01:30-04 | at once        | 03-09 02:15-04 | at once
2026-03-08 04:00-04  | 03-08 09:00-04 | 03-09 01:30-04 | at once        | 03-09 02:15-04 | 03-08 22:00-04
2026-03-08 05:00-04  | 03-08 09:00-04 | 03-09 01:30-04 | 03-09 02:30-04 | 03-09 02:15-04 | 03-08 22:00-04
2026-03-08 06:00-04  | 03-08 09:00-04 | 03-09 01:30-04 | 03-09 02:30-04 | 03-09 02:15-04 | 03-08 22:00-04
2026-11-01 00:00-04  | 11-01 09:00-05 | 11-01 01:30-04 | 11-01 02:30-05 | 11-01 02:15-05 | at once
2026-11-01 01:00-04  | 11-01 09:00-05 | 11-01 01:30-04 | 11-01 02:30-05 | 11-01 02:15-05 | at once
2026-11-01 01:00-05  | 11-01 09:00-05 | 11-01 01:30-05 | 11-01 02:30-05 | 11-01 02:15-05 | at once
2026-11-01 02:00-05  | 11-01 09:00-05 | at once        | 11-01 02:30-05 | 11-01 02:15-05 | at once
2026-11-01 03:00-05  | 11-01 09:00-05 | 11-02 01:30-05 | at once        | 11-02 02:15-05 | at once
2026-11-01 04:00-05  | 11-01 09:00-05 | 11-02 01:30-05 | at once        | 11-02 02:15-05 | 11-01 22:00-05
2027-03-14 00:00-05  | 03-14 09:00-04 | 03-14 01:30-05 | 03-14 03:00-04 | 03-15 02:15-04 | at once
2027-03-14 01:00-05  | 03-14 09:00-04 | 03-14 01:30-05 | 03-14 03:00-04 | 03-15 02:15-04 | at once
2027-03-14 03:00-04  | 03-14 09:00-04 | 03-15 01:30-04 | at once        | 03-15 02:15-04 | at once
2027-03-14 04:00-04  | 03-14 09:00-04 | 03-15 01:30-04 | at once        | 03-15 02:15-04 | 03-14 22:00-04
2027-03-14 05:00-04  | 03-14 09:00-04 | 03-15 01:30-04 | 03-15 02:30-04 | 03-15 02:15-04 | 03-14 22:00-04
2027-03-14 06:00-04  | 03-14 09:00-04 | 03-15 01:30-04 | 03-15 02:30-04 | 03-15 02:15-04 | 03-14 22:00-04
2027-11-07 00:00-04  | 11-07 09:00-05 | 11-07 01:30-04 | 11-07 02:30-05 | 11-07 02:15-05 | at once
2027-11-07 01:00-04  | 11-07 09:00-05 | 11-07 01:30-04 | 11-07 02:30-05 | 11-07 02:15-05 | at once
2027-11-07 01:00-05  | 11-07 09:00-05 | 11-07 01:30-05 | 11-07 02:30-05 | 11-07 02:15-05 | at once
2027-11-07 02:00-05  | 11-07 09:00-05 | at once        | 11-07 02:30-05 | 11-07 02:15-05 | at once
2027-11-07 03:00-05  | 11-07 09:00-05 | 11-08 01:30-05 | at once        | 11-08 02:15-05 | at once
2027-11-07 04:00-05  | 11-07 09:00-05 | 11-08 01:30-05 | at once        | 11-08 02:15-05 | 11-07 22:00-05
Australia/Sydney     | 09:00-20:00    | 01:30-02:30    | 02:30-05:00    | 02:15-02:45    | 22:00-03:30
2026-04-05 01:00+11  | 04-05 09:00+10 | 04-05 01:30+11 | 04-05 02:30+11 | 04-05 02:15+11 | at once
2026-04-05 02:00+11  | 04-05 09:00+10 | at once        | 04-05 02:30+11 | 04-05 02:15+11 | at once
2026-04-05 02:00+10  | 04-05 09:00+10 | at once        | 04-05 02:30+10 | 04-05 02:15+10 | at once
2026-04-05 03:00+10  | 04-05 09:00+10 | 04-06 01:30+10 | at once        | 04-06 02:15+10 | at once
2026-04-05 04:00+10  | 04-05 09:00+10 | 04-06 01:30+10 | at once        | 04-06 02:15+10 | 04-05 22:00+10
2026-04-05 05:00+10  | 04-05 09:00+10 | 04-06 01:30+10 | 04-06 02:30+10 | 04-06 02:15+10 | 04-05 22:00+10
2026-10-04 00:00+10  | 10-04 09:00+11 | 10-04 01:30+10 | 10-04 03:00+11 | 10-05 02:15+11 | at once
2026-10-04 01:00+10  | 10-04 09:00+11 | 10-04 01:30+10 | 10-04 03:00+11 | 10-05 02:15+11 | at once
2026-10-04 03:00+11  | 10-04 09:00+11 | 10-05 01:30+11 | at once        | 10-05 02:15+11 | at once
2026-10-04 04:00+11  | 10-04 09:00+11 | 10-05 01:30+11 | at once        | 10-05 02:15+11 | 10-04 22:00+11
2026-10-04 05:00+11  | 10-04 09:00+11 | 10-05 01:30+11 | 10-05 02:30+11 | 10-05 02:15+11 | 10-04 22:00+11
2026-10-04 06:00+11  | 10-04 09:00+11 | 10-05 01:30+11 | 10-05 02:30+11 | 10-05 02:15+11 | 10-04 22:00+11
2027-04-04 01:00+11  | 04-04 09:00+10 | 04-04 01:30+11 | 04-04 02:30+11 | 04-04 02:15+11 | at once
2027-04-04 02:00+11  | 04-04 09:00+10 | at once        | 04-04 02:30+11 | 04-04 02:15+11 | at once
2027-04-04 02:00+10  | 04-04 09:00+10 | at once        | 04-04 02:30+10 | 04-04 02:15+10 | at once
2027-04-04 03:00+10  | 04-04 09:00+10 | 04-05 01:30+10 | at once        | 04-05 02:15+10 | at once
2027-04-04 04:00+10  | 04-04 09:00+10 | 04-05 01:30+10 | at once        | 04-05 02:15+10 | 04-04 22:00+10
2027-04-04 05:00+10  | 04-04 09:00+10 | 04-05 01:30+10 | 04-05 02:30+10 | 04-05 02:15+10 | 04-04 22:00+10
2027-10-03 00:00+10  | 10-03 09:00+11 | 10-03 01:30+10 | 10-03 03:00+11 | 10-04 02:15+11 | at once
2027-10-03 01:00+10  | 10-03 09:00+11 | 10-03 01:30+10 | 10-03 03:00+11 | 10-04 02:15+11 | at once
2027-10-03 03:00+11  | 10-03 09:00+11 | 10-04 01:30+11 | at once        | 10-04 02:15+11 | at once
2027-10-03 04:00+11  | 10-03 09:00+11 | 10-04 01:30+11 | at once        | 10-04 02:15+11 | 10-03 22:00+11
2027-10-03 05:00+11  | 10-03 09:00+11 | 10-04 01:30+11 | 10-04 02:30+11 | 10-04 02:15+11 | 10-03 22:00+11
2027-10-03 06:00+11  | 10-03 09:00+11 | 10-04 01:30+11 | 10-04 02:30+11 | 10-04 02:15+11 | 10-03 22:00+11";

#[test]
fn letters_leave_in_the_window_on_the_days_on_which_clocks_change() {
    let mut zone = Zone::UTC;
    let mut windows = Vec::new();
    let mut rows = 0;
    for line in CLOCK_CHANGES.lines() {
        let mut cells = line.split('|').map(str::trim);
        let due = cells.next().unwrap();
        if let Some(named) = Zone::named(due) {
            (zone, windows) = (named, cells.map(window).collect());
            continue;
        }
        let instant = jiff::Timestamp::strptime("%Y-%m-%d %H:%M%:z", format!("{due}:00")).unwrap().into();
        assert_eq!(
            shown(instant, &zone, "%Y-%m-%d %H:%M%:z"),
            format!("{due}:00"),
            "the table names a time that is not"
        );
        for (window, expected) in windows.iter().zip(cells) {
            let leaves = window.next_open(instant, &Place::in_zone(&zone)).unwrap();
            let leaves = if leaves == instant { "at once".to_owned() } else { shown(leaves, &zone, "%m-%d %H:%M%:z") };
            assert_eq!(
                leaves.trim_end_matches(":00"),
                expected.trim_end_matches(":00"),
                "{window} in {}: {line}",
                zone.name()
            );
            rows += 1;
        }
    }
    assert_eq!(rows, 3 * 4 * 6 * 5);
}

#[test]
fn letters_leave_on_the_days_of_the_window() {
    // 2026: 3 April is Good Friday, 5 and 6 April are Easter; 24 December is a Thursday.
    for (words, due, leaves) in [
        // Weekdays, Monday to Friday.
        ("09:00-20:00 1111100", "Fri 2026-04-17 19:59", "Fri 2026-04-17 19:59"),
        ("09:00-20:00 1111100", "Fri 2026-04-17 20:00", "Mon 2026-04-20 09:00"),
        ("09:00-20:00 1111100", "Sun 2026-04-19 12:00", "Mon 2026-04-20 09:00"),
        ("- 1111100", "Sat 2026-04-18 00:00", "Mon 2026-04-20 00:00"),
        ("- 1111100", "Fri 2026-04-17 23:59", "Fri 2026-04-17 23:59"),
        // Holidays of Denmark: from Wednesday evening over Maundy Thursday to the Saturday, and on to the Tuesday.
        ("09:00-20:00 - DK", "Wed 2026-04-01 20:30", "Sat 2026-04-04 09:00"),
        ("09:00-20:00 1111100 DK", "Wed 2026-04-01 20:30", "Tue 2026-04-07 09:00"),
        ("09:00-20:00 - DK", "Mon 2026-04-06 10:00", "Tue 2026-04-07 09:00"),
        ("09:00-20:00 - customer", "Mon 2026-04-06 10:00", "Tue 2026-04-07 09:00"),
        ("09:00-20:00 - US", "Mon 2026-04-06 10:00", "Mon 2026-04-06 10:00"),
        ("09:00-20:00 - DK 12-24 12-31", "Thu 2026-12-24 10:00", "Sun 2026-12-27 09:00"),
        ("09:00-20:00 - DK 12-24 12-31", "Thu 2026-12-31 10:00", "Sat 2027-01-02 09:00"),
        ("09:00-20:00 - 2026-12-24", "Fri 2027-12-24 10:00", "Fri 2027-12-24 10:00"),
        // Overnight: what is after midnight belongs to the evening before, its weekday and its holiday.
        ("22:00-06:00", "Tue 2026-04-14 05:59", "Tue 2026-04-14 05:59"),
        ("22:00-06:00", "Tue 2026-04-14 06:00", "Tue 2026-04-14 22:00"),
        ("22:00-06:00 0000100", "Fri 2026-04-17 05:00", "Fri 2026-04-17 22:00"),
        ("22:00-06:00 0000100", "Sat 2026-04-18 05:59", "Sat 2026-04-18 05:59"),
        ("22:00-06:00 0000100", "Sat 2026-04-18 06:00", "Fri 2026-04-24 22:00"),
        ("22:00-06:00 - 04-15", "Thu 2026-04-16 02:00", "Thu 2026-04-16 22:00"),
        ("22:00-06:00 - 04-15", "Wed 2026-04-15 02:00", "Wed 2026-04-15 02:00"),
        ("22:00-06:00 - 04-15", "Wed 2026-04-15 23:00", "Thu 2026-04-16 22:00"),
        ("20:00-24:00", "Tue 2026-04-14 23:59", "Tue 2026-04-14 23:59"),
        ("20:00-24:00", "Wed 2026-04-15 00:00", "Wed 2026-04-15 20:00"),
        // Leap day.
        ("09:00-20:00", "Mon 2028-02-28 20:00", "Tue 2028-02-29 09:00"),
        ("09:00-20:00 - 02-29", "Mon 2028-02-28 20:00", "Wed 2028-03-01 09:00"),
        ("09:00-20:00 - 02-29", "Sun 2027-02-28 20:00", "Mon 2027-03-01 09:00"),
        ("22:00-06:00 0100000", "Tue 2028-02-29 12:00", "Tue 2028-02-29 22:00"),
        ("22:00-06:00 0100000", "Wed 2028-03-01 05:00", "Wed 2028-03-01 05:00"),
    ] {
        let copenhagen = place(Some("DK"), &["Europe/Copenhagen"]);
        let instant =
            due[4..].parse::<DateTime>().unwrap().to_zoned(copenhagen.zones[0].to_jiff()).unwrap().timestamp();
        assert_eq!(
            shown(instant.into(), &copenhagen.zones[0], "%a %F %H:%M"),
            due,
            "the table names a day that is not"
        );
        let next = window(words).next_open(instant.into(), &copenhagen).unwrap();
        assert_eq!(shown(next, &copenhagen.zones[0], "%a %F %H:%M"), leaves, "{words}: {due}");
    }
}

#[test]
fn days_without_midnight_and_days_that_were_left_out_begin_when_they_begin() {
    for (name, words, due, leaves) in [
        // Santiago goes forward at midnight: its Sunday begins at 01:00. It goes back at midnight too: Saturday's last hour comes twice.
        ("America/Santiago", "- 0000001", "2026-09-05T12:00:00Z", "2026-09-06 01:00 -03:00"),
        ("America/Santiago", "00:30-03:00", "2026-09-06T03:00:00Z", "2026-09-06 01:00 -03:00"),
        ("America/Santiago", "23:30-24:00", "2026-04-05T02:00:00Z", "2026-04-04 23:30 -03:00"),
        ("America/Santiago", "23:30-24:00", "2026-04-05T03:00:00Z", "2026-04-04 23:30 -04:00"),
        // Lord Howe moves its clocks by half an hour.
        ("Australia/Lord_Howe", "02:15-02:45", "2026-10-03T14:00:00Z", "2026-10-04 02:30 +11:00"),
        // Samoa had no 30 December in 2011, a Friday.
        ("Pacific/Apia", "09:00-20:00 0000100", "2011-12-30T06:00:00Z", "2012-01-06 09:00 +14:00"),
        ("Pacific/Apia", "22:00-06:00 0001000", "2011-12-30T10:30:00Z", "2012-01-05 22:00 +14:00"),
    ] {
        let zone = zone(name);
        let next = window(words).next_open(at(due), &Place::in_zone(&zone)).unwrap();
        assert_eq!(shown(next, &zone, "%F %H:%M %:z"), leaves, "{name} {words} {due}");
    }
}

#[test]
fn somebody_who_may_be_on_either_coast_is_reached_when_it_is_day_on_both() {
    let states = place(Some("US"), &["America/New_York", "America/Los_Angeles"]);
    for (words, due, leaves) in [
        // Eastern time: nine in Los Angeles is noon in New York.
        ("09:00-20:00", "2026-07-01T10:00:00-04:00", "Wed 12:00"),
        ("09:00-20:00", "2026-07-01T12:00:00-04:00", "Wed 12:00"),
        ("09:00-20:00", "2026-07-01T19:59:00-04:00", "Wed 19:59"),
        ("09:00-20:00", "2026-07-01T20:00:00-04:00", "Thu 12:00"),
        ("- 0000010", "2026-07-03T12:00:00-04:00", "Sat 03:00"),
        ("09:00-20:00 - customer", "2026-07-03T20:00:00-04:00", "Sun 12:00"),
        // Hours that never meet: New York alone counts.
        ("09:00-12:00", "2026-07-01T08:00:00-04:00", "Wed 09:00"),
        ("09:00-12:00", "2026-07-01T13:00:00-04:00", "Thu 09:00"),
    ] {
        let next = window(words).next_open(at(due), &states).unwrap();
        assert_eq!(shown(next, &states.zones[0], "%a %H:%M"), leaves, "{words}: {due}");
    }
    let opens = at("2026-07-01T12:00:00-04:00");
    let closes = |words: &str, open_at: Timestamp| {
        shown(window(words).closes_after(open_at, &states), &states.zones[0], "%F %H:%M")
    };
    assert_eq!(closes("09:00-20:00", opens), "2026-07-01 20:00");
    assert_eq!(closes("09:00-12:00", at("2026-07-01T09:00:00-04:00")), "2026-07-01 12:00");
    assert_eq!(closes("- 0000010", at("2026-07-04T03:00:00-04:00")), "2026-07-05 00:00");
}

#[test]
fn an_open_stretch_ends_when_the_window_closes() {
    let copenhagen = place(None, &["Europe/Copenhagen"]);
    for (words, open_at, closes) in [
        ("09:00-20:00", "2026-04-14T09:00:00+02:00", "2026-04-14 20:00"),
        ("09:00-20:00", "2026-04-14T19:59:59+02:00", "2026-04-14 20:00"),
        ("09:00-20:00", "2026-04-14T20:00:00+02:00", "2026-04-14 20:00"),
        ("22:00-06:00", "2026-04-14T22:00:00+02:00", "2026-04-15 06:00"),
        ("- 1111100", "2026-04-14T22:00:00+02:00", "2026-04-18 00:00"),
        ("- 1111100 04-16", "2026-04-14T22:00:00+02:00", "2026-04-16 00:00"),
        // Half past two to half past three, on the night on which the hour from two comes twice.
        ("02:30-03:30", "2026-10-25T02:30:00+02:00", "2026-10-25 02:00"),
        ("02:30-03:30", "2026-10-25T02:30:00+01:00", "2026-10-25 03:30"),
        ("-", "2026-01-01T00:00:00+01:00", "2027-02-05 00:00"),
        ("- - 2030-01-01", "2026-01-01T00:00:00+01:00", "2027-02-05 00:00"),
    ] {
        let end = window(words).closes_after(at(open_at), &copenhagen);
        assert_eq!(shown(end, &copenhagen.zones[0], "%F %H:%M"), closes, "{words}: {open_at}");
    }
}

#[test]
fn a_window_that_does_not_open_within_400_days_gives_nothing() {
    let copenhagen = place(None, &["Europe/Copenhagen"]);
    let due = at("2026-01-01T00:00:00Z");
    assert_eq!(window("- 0000000").next_open(due, &copenhagen), None);
    assert_eq!(window("09:00-20:00 0000000").next_open(due, &place(None, &["America/New_York", "Asia/Tokyo"])), None);
    assert_eq!(window("09:00-20:00").next_open(Timestamp(i64::MAX), &copenhagen), None);
    assert_eq!(window("09:00-20:00").next_open(Timestamp(i64::MIN), &copenhagen), None);
    assert_eq!(window("09:00-20:00").closes_after(Timestamp(i64::MAX), &copenhagen), Timestamp(i64::MAX));
    for end in [jiff::Timestamp::MIN, jiff::Timestamp::MAX] {
        let open = window("22:00-06:00 1111111 DK").next_open(end.into(), &copenhagen);
        assert!(open.is_none_or(|open| open >= end.into()));
    }
    assert_eq!(SendWindow::default().next_open(due, &copenhagen), Some(due));
    assert_eq!(
        window("09:00-20:00").next_open(due, &place(None, &[])),
        Some(at("2026-01-01T09:00:00Z")),
        "no zone is UTC"
    );
}

#[test]
fn hours_are_two_different_times_of_a_day() {
    for (text, shown) in [
        ("09:00-20:00", "09:00-20:00"),
        (" 22:00 \u{2013} 06:30 ", "22:00-06:30"),
        ("09:00-24:00", "09:00-24:00"),
        ("00:00-00:01", "00:00-00:01"),
    ] {
        assert_eq!(Hours::parse(text).map(|hours| hours.to_string()).as_deref(), Ok(shown), "{text}");
    }
    for (text, says) in [
        ("09:00-09:00", "the hours begin and end at 09:00: leave them out where letters may go all day"),
        ("00:00-24:00", "the hours begin and end at 00:00"),
        ("09-20", "\"09-20\" are no hours: write the first and the last, such as 09:00-20:00"),
        ("9:00-20:00", "no hours"),
        ("24:00-06:00", "no hours"),
        ("09:00-24:01", "no hours"),
        ("09:60-20:00", "no hours"),
        ("+9:00-20:00", "no hours"),
        ("09:00", "no hours"),
        ("", "no hours"),
    ] {
        let error = Hours::parse(text).unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
    let same = jiff::civil::time(9, 0, 0, 0);
    assert!(Hours::new(same, jiff::civil::time(9, 0, 0, 999_999_999)).is_err(), "the parts of a second do not count");
}

#[test]
fn a_window_tells_itself_in_words() {
    for (words, told) in [
        ("-", "all day"),
        ("09:00-20:00", "09:00-20:00"),
        ("09:00-20:00 1010000 DK", "09:00-20:00 on mon, wed, not on holidays"),
        ("- 0000000", "all day on no day"),
    ] {
        assert_eq!(window(words).to_string(), told);
    }
    let days = [Weekday::Sunday, Weekday::Monday].into_iter().collect::<Weekdays>();
    assert_eq!(days.iter().collect::<Vec<_>>(), [Weekday::Monday, Weekday::Sunday]);
    assert!(!days.is_empty() && Weekdays::from_iter([]).is_empty());
}

/// The window as the random tests know it.
#[derive(Debug, Clone)]
struct Drawn {
    hours: Option<(i8, i8, i8, i8)>,
    week: [bool; 7],
    closed: Vec<(i8, i8)>,
    zones: Vec<&'static str>,
    due: i64,
}

impl Drawn {
    fn window(&self) -> Option<SendWindow> {
        let hours = match self.hours {
            None => None,
            Some((a, b, c, d)) => Some(Hours::new(jiff::civil::time(a, b, 0, 0), jiff::civil::time(c, d, 0, 0)).ok()?),
        };
        let week = Weekday::Monday.cycle_forward().zip(self.week).filter(|(_, open)| *open).map(|(day, _)| day);
        let holidays = self.closed.iter().map(|(month, day)| format!("{month:02}-{day:02}"));
        Some(SendWindow::new(hours, week.collect(), Holidays::of(holidays).unwrap()))
    }

    /// The rules read a second time, from the date and time of day that a clock in the zone shows.
    fn is_open(&self, instant: Timestamp, zone: &Zone) -> bool {
        let shown = instant.to_jiff().to_zoned(zone.to_jiff());
        let counts = |day: Date| {
            self.week[usize::try_from(day.weekday().to_monday_zero_offset()).unwrap()]
                && !self.closed.contains(&(day.month(), day.day()))
        };
        let Some((a, b, c, d)) = self.hours else { return counts(shown.date()) };
        let (now, from, until) = ((shown.hour(), shown.minute()), (a, b), (c, d));
        if from < until {
            from <= now && now < until && counts(shown.date())
        } else if now >= from {
            counts(shown.date())
        } else {
            now < until && counts(shown.date().yesterday().unwrap())
        }
    }

    fn is_open_everywhere(&self, instant: Timestamp, zones: &[Zone]) -> bool {
        zones.iter().all(|zone| self.is_open(instant, zone))
    }

    /// Every instant from `first` to `last` at which the window may open in one of the zones: the hours' beginnings, the days'
    /// beginnings, and the changes of the clocks.
    fn openings(&self, first: Timestamp, last: Timestamp, zones: &[Zone]) -> Vec<Timestamp> {
        let mut found = Vec::new();
        for zone in zones {
            let tz = zone.to_jiff();
            let begin = first.to_jiff().to_zoned(tz.clone()).date().yesterday().unwrap();
            let end = last.to_jiff().to_zoned(tz.clone()).date();
            let (hour, minute) = self.hours.map_or((0, 0), |(hour, minute, ..)| (hour, minute));
            for day in begin.series(1.day()).take_while(|day| *day <= end) {
                for time in [jiff::civil::time(hour, minute, 0, 0), Time::midnight()] {
                    let civil = tz.to_ambiguous_timestamp(day.to_datetime(time));
                    found.extend(
                        [civil.earlier(), civil.later()].into_iter().map(|instant| Timestamp::from(instant.unwrap())),
                    );
                }
            }
            let changes = tz.following(first.to_jiff()).map(|change| Timestamp::from(change.timestamp()));
            found.extend(changes.take_while(|change| *change <= last));
        }
        found.retain(|instant| (first..=last).contains(instant));
        found
    }
}

fn drawn() -> impl Strategy<Value = Drawn> {
    let quarter = || prop::sample::select(vec![0_i8, 15, 30, 59]);
    let hours = prop::option::weighted(0.9, (0_i8..24, quarter(), 0_i8..24, quarter()));
    let week = prop_oneof![Just([true; 7]), any::<[bool; 7]>()];
    let closed = prop::collection::vec((1_i8..=12, 1_i8..=28), 0..4);
    let zones = prop::sample::select(vec![
        vec!["Europe/Copenhagen"],
        vec!["America/New_York"],
        vec!["Australia/Sydney"],
        vec!["Australia/Lord_Howe"],
        vec!["America/Santiago"],
        vec!["America/Havana"],
        vec!["Africa/Cairo"],
        vec!["Africa/Casablanca"],
        vec!["Asia/Kathmandu"],
        vec!["Pacific/Kiritimati"],
        vec!["America/New_York", "America/Los_Angeles"],
        vec!["America/Toronto", "America/Halifax", "America/Vancouver"],
        vec!["Europe/Moscow", "Europe/Kaliningrad", "Asia/Vladivostok"],
        vec!["Australia/Sydney", "Australia/Perth"],
        vec!["Pacific/Kiritimati", "Pacific/Pago_Pago"],
    ]);
    // From 2026 to 2040, to the millisecond; half of them within a day of a change of the clocks in the first zone.
    let due = 1_767_225_600_000_i64..2_208_988_800_000;
    (hours, week, closed, zones, due, any::<bool>(), -86_400_000_i64..86_400_000).prop_map(
        |(hours, week, closed, zones, due, near, off)| {
            let tz = zone(zones[0]).to_jiff();
            let change =
                tz.following(Timestamp(due).to_jiff()).next().map(|change| Timestamp::from(change.timestamp()).0 + off);
            Drawn { hours, week, closed, zones, due: change.filter(|_| near).unwrap_or(due) }
        },
    )
}

proptest! {
    #[test]
    fn a_letter_leaves_at_the_first_instant_that_the_window_allows(drawn in drawn()) {
        let Some(window) = drawn.window() else { return Ok(()) };
        let place = place(None, &drawn.zones);
        let due = Timestamp(drawn.due);
        let horizon = due.plus(HORIZON);
        let open = window.next_open(due, &place);
        // The zones that counted: all of them, or the first one after all the others were waited for in vain.
        let everywhere = open.is_some_and(|open| drawn.is_open_everywhere(open, &place.zones));
        let zones = if everywhere { &place.zones[..] } else { &place.zones[..1] };
        if !everywhere {
            for instant in drawn.openings(due, horizon, &place.zones).into_iter().chain([due]) {
                prop_assert!(!drawn.is_open_everywhere(instant, &place.zones), "open at {instant} already");
            }
        }
        let Some(open) = open else {
            prop_assert!(drawn.openings(due, horizon, zones).iter().all(|instant| !drawn.is_open_everywhere(*instant, zones)));
            return Ok(());
        };
        prop_assert!(open >= due && open <= horizon);
        prop_assert!(drawn.is_open_everywhere(open, zones), "closed at {open}");
        prop_assert_eq!(window.next_open(open, &place), Some(open));
        for instant in drawn.openings(due, Timestamp(open.0 - 1), zones).into_iter().chain([due]) {
            prop_assert!(instant >= open || !drawn.is_open_everywhere(instant, zones), "open at {instant} already");
        }
        let closes = window.closes_after(open, &place);
        prop_assert!(closes > open);
        if closes < open.plus(HORIZON) {
            prop_assert!(!drawn.is_open_everywhere(closes, zones), "still open at {closes}");
        }
        let last = Timestamp(closes.0 - 1);
        prop_assert!(drawn.is_open_everywhere(last, zones), "closed at {last} already");
    }
}
