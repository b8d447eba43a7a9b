//! Schedules by civil clocks: summer time that begins and ends, leap days, and the send window around them. A delay is a number of
//! days of 24 hours; the window is what the clocks on the wall say. What waits for the window leaves within the first hour that it
//! is open.

use invited::domain::{Attempt, DAY, Holidays, Hours, Policy, SendWindow, State, Timestamp, Weekdays, World, Zone};

use super::schedules::once;
use super::script::{Calendar, Script};

/// Seven days after the order, within these hours.
fn script(zone: &str, hours: &str) -> Script {
    let window = SendWindow::new(Some(Hours::parse(hours).unwrap()), Weekdays::ALL, Holidays::NONE);
    let calendar = Calendar::Civil(Zone::named(zone).unwrap());
    Script { calendar, ..Script::of(Policy { window, ..once() }) }
}

#[test]
fn copenhagen_summer_time_begins_on_28_march_2027() {
    // Seven days of 24 hours end an hour later on the wall, after the window has closed.
    script("Europe/Copenhagen", "09:00-20:00").check(
        "
        Sun 2027-03-21 19:30+01:00 A placed -> queued, next Sun 2027-03-28 20:30+02:00 (trigger-starts-delay)
        Sun 2027-03-28 20:30+02:00 A due -> queued, next Mon 2027-03-29 09:37+02:00 (outside-window)
        Mon 2027-03-29 09:37+02:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
    // There is no 02:15 on that Sunday: the window does not open at all.
    script("Europe/Copenhagen", "02:15-02:45").check(
        "
        Sun 2027-03-21 01:00+01:00 A placed -> queued, next Sun 2027-03-28 01:00+01:00 (trigger-starts-delay)
        Sun 2027-03-28 01:00+01:00 A due -> queued, next Mon 2027-03-29 02:33+02:00 (outside-window)
        Mon 2027-03-29 02:33+02:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
}

#[test]
fn copenhagen_summer_time_ends_on_31_october_2027() {
    // Seven days of 24 hours end an hour earlier on the wall, before the window opens.
    script("Europe/Copenhagen", "09:00-20:00").check(
        "
        Sun 2027-10-24 09:30+02:00 A placed -> queued, next Sun 2027-10-31 08:30+01:00 (trigger-starts-delay)
        Sun 2027-10-31 08:30+01:00 A due -> queued, next Sun 2027-10-31 09:37+01:00 (outside-window)
        Sun 2027-10-31 09:37+01:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
    // A window over the night in which the hour comes twice.
    script("Europe/Copenhagen", "22:00-06:00").check(
        "
        Sat 2027-10-23 12:00+02:00 A placed -> queued, next Sat 2027-10-30 12:00+02:00 (trigger-starts-delay)
        Sat 2027-10-30 12:00+02:00 A due -> queued, next Sat 2027-10-30 22:37+02:00 (outside-window)
        Sat 2027-10-30 22:37+02:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
}

#[test]
fn new_york_on_14_march_and_7_november_2027() {
    script("America/New_York", "09:00-20:00").check(
        "
        Sun 2027-03-07 19:30-05:00 A placed -> queued, next Sun 2027-03-14 20:30-04:00 (trigger-starts-delay)
        Sun 2027-03-14 20:30-04:00 A due -> queued, next Mon 2027-03-15 09:37-04:00 (outside-window)
        Mon 2027-03-15 09:37-04:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
    // The quarter past one comes a second time that night, and the window opens again.
    script("America/New_York", "01:15-01:45").check(
        "
        Sun 2027-10-31 02:00-04:00 A placed -> queued, next Sun 2027-11-07 01:00-05:00 (trigger-starts-delay)
        Sun 2027-11-07 01:00-05:00 A due -> queued, next Sun 2027-11-07 01:33-05:00 (outside-window)
        Sun 2027-11-07 01:33-05:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
}

#[test]
fn sydney_on_4_april_and_3_october_2027() {
    script("Australia/Sydney", "09:00-20:00").check(
        "
        Sun 2027-09-26 19:30+10:00 A placed -> queued, next Sun 2027-10-03 20:30+11:00 (trigger-starts-delay)
        Sun 2027-10-03 20:30+11:00 A due -> queued, next Mon 2027-10-04 09:37+11:00 (outside-window)
        Mon 2027-10-04 09:37+11:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
    // Two o'clock comes twice that Sunday; the first time is soon enough.
    script("Australia/Sydney", "02:00-03:00").check(
        "
        Sat 2027-03-27 20:00+11:00 A placed -> queued, next Sat 2027-04-03 20:00+11:00 (trigger-starts-delay)
        Sat 2027-04-03 20:00+11:00 A due -> queued, next Sun 2027-04-04 02:37+11:00 (outside-window)
        Sun 2027-04-04 02:37+11:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
}

#[test]
fn the_leap_day_of_2028_is_a_day_like_any_other() {
    script("Europe/Copenhagen", "09:00-20:00").check(
        "
        Tue 2028-02-22 21:00+01:00 A placed -> queued, next Tue 2028-02-29 21:00+01:00 (trigger-starts-delay)
        Tue 2028-02-29 21:00+01:00 A due -> queued, next Wed 2028-03-01 09:37+01:00 (outside-window)
        Wed 2028-03-01 09:37+01:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
    script("Europe/Copenhagen", "09:00-20:00").check(
        "
        Wed 2028-02-23 10:00+01:00 A placed -> queued, next Wed 2028-03-01 10:00+01:00 (trigger-starts-delay)
        Wed 2028-03-01 10:00+01:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
}

/// The clock of the machine jumps: nothing that was promised is broken, and nothing is forgotten.
#[test]
fn a_clock_that_jumps_sends_nothing_twice_and_nothing_closer_together() {
    let policy = Policy { person_apart: Some(DAY * 5), ..once() };
    let orders: &[&str] = &["A anna nord lamp", "B anna nord rug"];
    let script = Script { orders, ..Script::of(policy) };
    let (facts, policies) = (script.facts(), script.policies());
    let list = |_: &_| None;
    let mut world = World::new(&policies, &list);
    let day = |days: i64| Timestamp(days * 86_400_000);
    for (life, facts) in facts.iter().enumerate() {
        world.begin(life, facts, &Script::placed(day(0)), day(0));
    }
    let state =
        |world: &World<'_>, life| world.progress(life).map(|progress| (progress.state, progress.due_at)).unwrap();

    // A's time is day 7, and the clock says day 9.
    assert_eq!(world.due(0, day(9)).unwrap().progress.state, State::Sending);
    world.settle(0, Attempt::Accepted, day(9));
    // The clock was wrong; it is day 8. A has its letter, and B waits for five days after what was written down.
    assert_eq!(world.due(0, day(8)).unwrap().rule.as_str(), "nothing-due");
    world.due(1, day(8));
    assert_eq!(state(&world, 1), (State::Queued, Some(day(14))));
    // It is set back by weeks, and forward again: nothing happens before the time that was decided.
    world.due(1, day(-30));
    assert_eq!(state(&world, 1), (State::Queued, Some(day(14))));
    assert_eq!(world.due(1, day(14)).unwrap().progress.state, State::Sending);
    // Too far forward, the letter is late by the rule of its end of life, and is not sent.
    world.settle(1, Attempt::RelayDown { retry_at: day(14) }, day(14));
    assert_eq!(world.due(1, day(60)).unwrap().rule.as_str(), "end-of-life");
    assert_eq!(state(&world, 1), (State::Dropped, None));
}
