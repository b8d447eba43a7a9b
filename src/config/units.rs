//! Spans of time and sizes as people write them: `7 days`, `90 s`, `5 MiB`.
//!
//! A number and one unit, no more. Months and years have no fixed length, so they are units only where a rule looks far back and a
//! day more or less is no matter; what cannot be misread needs no manual.

use std::time::Duration;

const TIMES: &[(u64, &[&str])] = &[
    (1, &["s", "sec", "secs", "second", "seconds"]),
    (60, &["m", "min", "mins", "minute", "minutes"]),
    (3_600, &["h", "hour", "hours"]),
    (86_400, &["d", "day", "days"]),
    (604_800, &["w", "week", "weeks"]),
];

/// The units of spans in which a day more or less is no matter: a year is 365 days, and a month a twelfth of it.
const LONG_TIMES: &[(u64, &[&str])] = &[
    (86_400, &["d", "day", "days"]),
    (604_800, &["w", "week", "weeks"]),
    (2_628_000, &["month", "months"]),
    (31_536_000, &["year", "years"]),
];

const SIZES: &[(u64, &[&str])] = &[
    (1, &["b", "byte", "bytes"]),
    (1_000, &["kb"]),
    (1_024, &["kib"]),
    (1_000_000, &["mb"]),
    (1_048_576, &["mib"]),
    (1_000_000_000, &["gb"]),
    (1_073_741_824, &["gib"]),
];

/// A span of time: a whole number and one of s, m, h, d, w, or the unit's name. The error says what is wrong with the text.
pub fn duration(text: &str) -> Result<Duration, String> {
    measure(text, TIMES, "time").map(Duration::from_secs)
}

/// A span of days, weeks, months or years, where a month is a twelfth of 365 days. The error says what is wrong with the text.
pub(super) fn long_duration(text: &str) -> Result<Duration, String> {
    measure(text, LONG_TIMES, "time").map(Duration::from_secs)
}

/// A size in bytes: a whole number and one of bytes, kB, KiB, MB, MiB, GB, GiB, in any case. The error says what is wrong.
pub(super) fn size(text: &str) -> Result<u64, String> {
    measure(text, SIZES, "size")
}

/// A span in the largest unit that fits it without a rest, so that [`duration`] reads it back: `7 days`, `1 hour`, `90 seconds`.
pub fn written(span: Duration) -> String {
    let seconds = span.as_secs();
    let (number, unit) = match seconds {
        0 => (0, "second"),
        _ if seconds.is_multiple_of(86_400) => (seconds / 86_400, "day"),
        _ if seconds.is_multiple_of(3_600) => (seconds / 3_600, "hour"),
        _ if seconds.is_multiple_of(60) => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// A size in the largest binary unit that fits it without a rest.
pub(super) fn written_size(bytes: u64) -> String {
    for (factor, unit) in [(1_073_741_824, "GiB"), (1_048_576, "MiB"), (1_024, "KiB")] {
        if bytes > 0 && bytes.is_multiple_of(factor) {
            return format!("{} {unit}", bytes / factor);
        }
    }
    format!("{bytes} bytes")
}

fn measure(text: &str, units: &[(u64, &[&str])], of: &str) -> Result<u64, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let unit = unit.trim_start();
    if digits.is_empty() || unit.starts_with(['.', ',', '_']) {
        return Err(format!("{text:?} does not begin with a whole number"));
    }
    if unit.is_empty() {
        return Err(format!("{text:?} has no unit"));
    }
    let known = units.iter().find(|(_, names)| names.iter().any(|name| name.eq_ignore_ascii_case(unit)));
    let (factor, _) = known.ok_or_else(|| format!("{unit:?} is no unit of {of}"))?;
    digits.parse::<u64>().ok().and_then(|n| n.checked_mul(*factor)).ok_or_else(|| format!("{text:?} is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("7 days", 604_800),
            ("7d", 604_800),
            (" 90 d ", 7_776_000),
            ("30m", 1_800),
            ("1 hour", 3_600),
            ("2 Weeks", 1_209_600),
            ("0 days", 0),
            ("45 sec", 45),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn long_spans_may_be_months_and_years() {
        let days = |text: &str| long_duration(text).map(|span| span.as_secs() / 86_400);
        for (text, expected) in
            [("12 months", 365), ("1 year", 365), ("1 month", 30), ("6 months", 182), ("365 days", 365), ("52 w", 364)]
        {
            assert_eq!(days(text), Ok(expected), "{text}");
        }
        assert_eq!(long_duration("12 hours"), Err("\"hours\" is no unit of time".to_owned()));
    }

    #[test]
    fn what_is_no_span_says_why() {
        for (text, why) in [
            ("", "is empty"),
            ("7", "\"7\" has no unit"),
            ("days", "\"days\" does not begin with a whole number"),
            ("-1 day", "\"-1 day\" does not begin with a whole number"),
            ("1.5 days", "\"1.5 days\" does not begin with a whole number"),
            ("1 month", "\"month\" is no unit of time"),
            ("1h 30m", "\"h 30m\" is no unit of time"),
            ("99999999999999999999 s", "\"99999999999999999999 s\" is out of range"),
            ("18446744073709551615 weeks", "\"18446744073709551615 weeks\" is out of range"),
            ("\u{0667} days", "\"\u{0667} days\" does not begin with a whole number"),
        ] {
            assert_eq!(duration(text), Err(why.to_owned()));
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for seconds in [0, 1, 59, 60, 90, 3_600, 5_400, 86_400, 604_800, 604_801] {
            let span = Duration::from_secs(seconds);
            assert_eq!(duration(&written(span)), Ok(span));
        }
        assert_eq!(written(Duration::from_secs(604_800)), "7 days");
        assert_eq!(written(Duration::from_secs(3_600)), "1 hour");
        for bytes in [0, 1, 1_000, 1_024, 102_400, 5 * 1_048_576] {
            assert_eq!(size(&written_size(bytes)), Ok(bytes));
        }
    }

    #[test]
    fn sizes_keep_the_decimal_and_the_binary_units_apart() {
        assert_eq!(size("5 MiB"), Ok(5_242_880));
        assert_eq!(size("5MB"), Ok(5_000_000));
        assert_eq!(size("512 bytes"), Ok(512));
        assert_eq!(size("5 M"), Err("\"M\" is no unit of size".to_owned()));
    }
}
