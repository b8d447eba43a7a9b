//! Points in time as people write them on the command line: one reading for all commands, ahead of now and back from it.

use super::Failure;
use super::output::local;
use crate::domain::{Timestamp, Zone};

/// The hour that a date alone means for a letter.
const MORNING: i8 = 9;

/// What a point in time is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meant {
    /// Something is to happen then (`--to`): a date means nine in the morning, a span counts from now on, and it must be to come.
    Ahead,
    /// Something is due then (`--due-before`): a date means its midnight, a span counts from now on.
    Coming,
    /// Something begins then (`--since`): a date means its midnight, a span counts back from now.
    Since,
    /// Something ends then (`--until`): a date belongs to it, a span counts back from now.
    Until,
}

/// The point in time that `text` names after the option `flag`; `zone` is that of dates and local times.
///
/// # Errors
///
/// Exit code 2 for what is no time, with the forms that are; 1 for what is past and should be to come.
pub(super) fn point(flag: &str, text: &str, meant: Meant, zone: &Zone, now: Timestamp) -> Result<Timestamp, Failure> {
    let text = text.trim();
    let at = parse(text, meant, zone, now).ok_or_else(|| {
        Failure::Usage(format!(
            "{flag}: {text:?} is no time: write 2026-12-24, \"2026-12-24 09:00\", 2026-12-24T08:00:00Z, or a span {} now such as \
             \"3 days\", 30d or \"2 weeks\"",
            if matches!(meant, Meant::Ahead | Meant::Coming) { "from" } else { "back from" }
        ))
    })?;
    if meant == Meant::Ahead && at < now {
        let at = local(at, zone);
        return Err(Failure::Undone(format!(
            "{flag}: {text:?} is in the past ({at}); name a time that is still to come"
        )));
    }
    Ok(at)
}

fn parse(text: &str, meant: Meant, zone: &Zone, now: Timestamp) -> Option<Timestamp> {
    let local = |civil: jiff::civil::DateTime| civil.to_zoned(zone.to_jiff()).ok().map(|at| at.timestamp().into());
    if let Ok(instant) = text.parse::<jiff::Timestamp>() {
        return Some(instant.into());
    }
    // A local time begins with a date too, which would be taken for the whole of it.
    if text.len() <= "2026-12-24".len()
        && let Ok(day) = text.parse::<jiff::civil::Date>()
    {
        return match meant {
            Meant::Ahead => local(day.at(MORNING, 0, 0, 0)),
            Meant::Since | Meant::Coming => local(day.at(0, 0, 0, 0)),
            Meant::Until => local(day.tomorrow().ok()?.at(0, 0, 0, 0)),
        };
    }
    if let Ok(civil) = text.parse::<jiff::civil::DateTime>() {
        return local(civil);
    }
    let span = text.parse::<jiff::Span>().ok()?;
    let from = now.to_jiff().to_zoned(zone.to_jiff());
    let at = match meant {
        Meant::Ahead | Meant::Coming => from.checked_add(span),
        // "3 days" and "3 days ago" are the same, back from now.
        Meant::Since | Meant::Until => from.checked_sub(span.abs()),
    };
    Some(at.ok()?.timestamp().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Monday, 2 March 2026, 10:00 in Stockholm.
    const NOW: Timestamp = Timestamp::from_seconds(1_772_442_000);

    fn read(text: &str, meant: Meant) -> Result<String, Failure> {
        let zone = Zone::named("Europe/Stockholm").unwrap();
        point("--to", text, meant, &zone, NOW).map(|at| at.to_string())
    }

    #[test]
    fn one_text_means_what_its_option_says() {
        use Meant::{Ahead, Coming, Since, Until};
        for (text, meant, expected) in [
            ("2026-03-03", Ahead, "2026-03-03T08:00:00Z"),
            ("2026-03-01", Since, "2026-02-28T23:00:00Z"),
            ("2026-03-01", Until, "2026-03-01T23:00:00Z"),
            ("2026-03-04 09:30", Ahead, "2026-03-04T08:30:00Z"),
            ("2026-03-01 09:30", Until, "2026-03-01T08:30:00Z"),
            ("2026-03-01T09:30", Since, "2026-03-01T08:30:00Z"),
            ("2026-03-04T08:00:00Z", Ahead, "2026-03-04T08:00:00Z"),
            ("2026-03-04T08:00:00+02:00", Ahead, "2026-03-04T06:00:00Z"),
            ("2026-03-01T08:00:00Z", Since, "2026-03-01T08:00:00Z"),
            ("3 days", Ahead, "2026-03-05T09:00:00Z"),
            ("3 days", Coming, "2026-03-05T09:00:00Z"),
            ("2026-03-01", Coming, "2026-02-28T23:00:00Z"),
            ("30d", Since, "2026-01-31T09:00:00Z"),
            ("2 weeks", Ahead, "2026-03-16T09:00:00Z"),
            ("2w", Since, "2026-02-16T09:00:00Z"),
            ("1 month", Since, "2026-02-02T09:00:00Z"),
            ("90 minutes", Ahead, "2026-03-02T10:30:00Z"),
            ("3 days ago", Since, "2026-02-27T09:00:00Z"),
            ("-3 days", Until, "2026-02-27T09:00:00Z"),
            // The clocks go forward on 29 March: a day is a day all the same.
            ("28 days", Ahead, "2026-03-30T08:00:00Z"),
            // There is no half past two on that day: the time after the gap.
            ("2026-03-29 02:30", Ahead, "2026-03-29T01:30:00Z"),
        ] {
            assert_eq!(read(text, meant).unwrap(), expected, "{text} {meant:?}");
        }
    }

    #[test]
    fn what_is_no_time_is_answered_with_the_forms_that_are() {
        for text in ["", "yesterday", "soon", "2026-13-01", "2026-02-29", "26-12-24", "5", "999999999 years"] {
            for meant in [Meant::Ahead, Meant::Coming, Meant::Since, Meant::Until] {
                let Err(Failure::Usage(why)) = read(text, meant) else { panic!("{text} {meant:?}") };
                for form in ["--to", "2026-12-24", "09:00", "T08:00:00Z", "3 days", "30d", "2 weeks"] {
                    assert!(why.contains(form), "{form} is not in {why}");
                }
            }
        }
    }

    #[test]
    fn a_letter_is_not_moved_into_the_past() {
        for text in ["2026-03-01", "2026-03-02", "2026-03-02 09:59", "3 days ago", "2020-01-01T00:00:00Z"] {
            let Err(Failure::Undone(why)) = read(text, Meant::Ahead) else { panic!("{text}") };
            assert!(why.contains("is in the past") && why.contains("still to come"), "{why}");
        }
        assert!(read("2026-03-02 10:00", Meant::Ahead).is_ok());
    }
}
