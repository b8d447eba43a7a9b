//! When customers call so many of a shop's letters junk that the large receivers will turn the shop's mail away: counts come in, a
//! concern or none goes out.

use std::fmt;

/// Large receivers ask senders to stay below this part of their letters: one in a thousand. Source: Google, "Email sender guidelines",
/// and Yahoo, "Sender best practices", both of February 2024.
const WARNS_FROM: u64 = 1_000;

/// From this part on they refuse, or put letters with the junk: three in a thousand, by the same rules.
const ALARMS_FROM: (u64, u64) = (3, 1_000);

/// Below this part of the first bound what was raised is over, so that a share beside the bound is not news every minute.
const OVER_BELOW: (u64, u64) = (4, 5);

/// What customers said of a shop's letters, by whole days in UTC, today among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Complaints {
    /// Complaints of the last seven days.
    pub week: u64,
    /// Complaints of the last thirty days.
    pub month: u64,
    /// Letters that a relay took within the last thirty days.
    pub letters: u64,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// More than large receivers want to see.
    Above,
    /// So many that they turn mail away.
    FarAbove,
}

impl Complaints {
    /// Over how many days a share is told.
    pub const DAYS: i64 = 30;
    /// How many days without a complaint end a concern.
    pub const QUIET_DAYS: i64 = 7;

    /// Whether a person should look. What is known already (`is_raised`) stands until it is clearly better, or nobody complained for a
    /// week.
    pub const fn concern(self, is_raised: bool) -> Option<Concern> {
        if self.week == 0 {
            return None;
        }
        let (part, of) = if is_raised { OVER_BELOW } else { (1, 1) };
        if self.is_from(ALARMS_FROM.0, ALARMS_FROM.1) {
            Some(Concern::FarAbove)
        } else if self.is_from(part, WARNS_FROM * of) {
            Some(Concern::Above)
        } else {
            None
        }
    }

    /// Whether complaints are so many of so many letters, or more.
    const fn is_from(self, part: u64, of: u64) -> bool {
        self.month.saturating_mul(of) >= self.letters.saturating_mul(part)
    }

    /// What is said of a concern; it changes with the complaints, and not with every letter that goes.
    pub fn note(self, concern: Concern) -> String {
        let bound = match concern {
            Concern::Above => "0.1 % of its letters, below which large receivers ask senders to stay",
            Concern::FarAbove => "0.3 % of its letters, from which on large receivers turn mail away",
        };
        format!("{} in the last 7 days; with those of 30 days that is over {bound}", counted(self.week))
    }
}

/// Whole numbers and the share that they are.
impl fmt::Display for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { week, month, letters } = *self;
        write!(f, "{} in 7 days; {month} of {letters} letters in 30 days", counted(week))?;
        let hundredths = month.saturating_mul(10_000).checked_div(letters);
        hundredths.map_or(Ok(()), |share| write!(f, ", {}.{:02} %", share / 100, share % 100))
    }
}

fn counted(complaints: u64) -> String {
    format!("{complaints} {}", if complaints == 1 { "complaint" } else { "complaints" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(week: u64, month: u64, letters: u64) -> Complaints {
        Complaints { week, month, letters }
    }

    #[test]
    fn complaints_concern_from_the_bounds_of_large_receivers_on_and_for_a_week() {
        use Concern::{Above, FarAbove};
        for (week, month, letters, fresh, raised) in [
            (0, 0, 0, None, None),
            (1, 1, 0, Some(FarAbove), Some(FarAbove)),
            (1, 1, 5_000, None, None),
            (4, 4, 5_000, None, Some(Above)),
            (1, 5, 5_000, Some(Above), Some(Above)),
            (3, 3, 1_001, Some(Above), Some(Above)),
            (3, 3, 1_000, Some(FarAbove), Some(FarAbove)),
            (0, 500, 1_000, None, None),
        ] {
            let seen = seen(week, month, letters);
            assert_eq!((seen.concern(false), seen.concern(true)), (fresh, raised), "{seen:?}");
        }
    }

    #[test]
    fn a_share_is_told_with_the_numbers_that_it_is_made_of() {
        assert_eq!(seen(1, 3, 714).to_string(), "1 complaint in 7 days; 3 of 714 letters in 30 days, 0.42 %");
        assert_eq!(seen(0, 2, 0).to_string(), "0 complaints in 7 days; 2 of 0 letters in 30 days");
        let note = seen(2, 3, 714).note(Concern::FarAbove);
        assert!(note.starts_with("2 complaints in the last 7 days;") && note.contains("0.3 %"), "{note}");
    }
}
