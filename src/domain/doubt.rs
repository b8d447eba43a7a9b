//! Why an order mail that was read well is not acted on all the same: nobody knows that the shop sent it, or far more came than a
//! shop's day has. Pure: what was found about the sender, how many invitations began and what time it is come in.

use std::fmt;
use std::time::Duration;

use super::policy::DAY;
use super::time::Timestamp;

/// What stands between a copy that tells of an order and its invitation. Support looks for copies by the words of these kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Doubt {
    /// Nothing proves that the shop sent it.
    Untrusted,
    /// Its sender hands in the shop's mail without other proof than the secret address, and nobody has said that it may.
    NewSender,
    /// The DNS gave no answer, so nobody could check. It is looked at again.
    Dns,
    /// The shop has had far more orders today than usual.
    Volume,
}

impl Doubt {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Untrusted, Self::NewSender, Self::Dns, Self::Volume];

    /// The word for it in JSON and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Untrusted => "untrusted",
            Self::NewSender => "new_sender",
            Self::Dns => "dns",
            Self::Volume => "volume",
        }
    }

    /// The kind of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|doubt| doubt.as_str() == word)
    }

    /// What every reason of this kind begins with, so that people find such copies by it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Untrusted => "untrusted sender",
            Self::NewSender => "new sender",
            Self::Dns => "DNS trouble",
            Self::Volume => "volume",
        }
    }

    /// A reason of this kind.
    pub fn reason(self, why: impl fmt::Display) -> String {
        format!("{}: {why}", self.title())
    }
}

/// What was said about a sender's copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SenderState {
    /// Nothing yet: its order mails are held.
    New,
    /// They are believed.
    Approved,
    /// They are ignored.
    Blocked,
}

impl SenderState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::New, Self::Approved, Self::Blocked];

    /// The word for it in JSON and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Approved => "approved",
            Self::Blocked => "blocked",
        }
    }

    /// The state of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// What is said of copies whose sender nobody has decided upon.
pub fn new_sender(mark: &str) -> String {
    Doubt::NewSender.reason(format_args!(
        "nothing but the secret address proves its mail, and nobody has said yet whether copies from \"{mark}\" are the shop's; \
         see: invited senders list"
    ))
}

/// What is said of copies whose sender was blocked.
pub fn blocked_sender(mark: &str) -> String {
    format!("blocked sender: a person said that copies from \"{mark}\" are not the shop's")
}

/// Before a copy that waits for the DNS is looked at for the second time.
const FIRST_PAUSE: Duration = Duration::from_secs(300);
/// How long it is looked at again and again.
const LOOKED_AT_FOR: Duration = DAY.saturating_mul(3);

/// When a copy of `received_at` that the DNS left open at `now` is looked at again: after half of the time that it has waited, so
/// that there are some 15 looks. `None` when it has waited for three days, in which every DNS fault of a living domain is over.
pub fn look_again_at(received_at: Timestamp, now: Timestamp) -> Option<Timestamp> {
    let waited = now.since(received_at);
    (waited < LOOKED_AT_FOR).then(|| now.plus(FIRST_PAUSE.max(waited / 2)))
}

/// How many invitations a shop's copies may begin on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Volume {
    /// Three times the usual day, and [`USUAL_FLOOR`] at least.
    #[default]
    Usual,
    /// So many.
    AtMost(u32),
    /// Any number.
    Unbounded,
}

/// What a shop may have on any day, however small it is.
pub const USUAL_FLOOR: u64 = 50;
/// By how much a day may be above the usual one.
const TIMES_USUAL: u64 = 3;
/// Days that the usual one is taken from, in days before today.
pub const USUAL_DAYS: i64 = 28;
/// Days that a shop must have been seen for, to have a usual one.
const SEEN_AT_LEAST: i64 = 7;

impl Volume {
    /// How many invitations may begin on the day `today` (days since 1970-01-01 in UTC); `None` for any number. `days` are how many
    /// began on earlier days, each day once, in any order; a day without a number had none.
    ///
    /// A shop that was seen for fewer than seven days has no usual day. One whose copies prove their sender (`is_proven`) is not
    /// bounded then, since nobody but the shop could send them; one that is believed by its address alone has the floor.
    pub fn most(self, days: &[(i64, u64)], today: i64, is_proven: bool) -> Option<u64> {
        match self {
            Self::Unbounded => return None,
            Self::AtMost(most) => return Some(most.into()),
            Self::Usual => {}
        }
        let past = days.iter().filter(|(day, n)| *day < today && *day >= today - USUAL_DAYS && *n > 0);
        let mut counts = past.clone().map(|(_, n)| *n).collect::<Vec<_>>();
        let seen_for = past.map(|(day, _)| today - *day).max().unwrap_or(0);
        if seen_for < SEEN_AT_LEAST {
            return (!is_proven).then_some(USUAL_FLOOR);
        }
        counts.resize(usize::try_from(seen_for).unwrap_or(counts.len()).max(counts.len()), 0);
        counts.sort_unstable();
        let middle = counts.get(counts.len() / 2).copied().unwrap_or(0);
        Some(USUAL_FLOOR.max(middle.saturating_mul(TIMES_USUAL)))
    }
}

/// What is said of copies that are too many for the day.
pub fn too_many(most: u64) -> String {
    Doubt::Volume.reason(format_args!(
        "the shop's day is full: its copies may begin {most} invitations on one day (UTC), since a flood is a sign of \
         forged orders"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::reason::kind_of_reason;
    use super::*;

    #[test]
    fn a_shop_may_have_three_times_its_usual_day_and_fifty_at_least() {
        let month = |n: u64| (1..=28).map(|ago| (100 - ago, n)).collect::<Vec<_>>();
        let mut weekdays = month(200);
        weekdays.retain(|(day, _)| day % 7 < 5);
        let mut one_flood = month(30);
        one_flood[3].1 = 100_000;
        for (days, is_proven, most, what) in [
            (month(10), true, Some(50), "a small shop"),
            (month(100), true, Some(300), "a large one"),
            (weekdays, true, Some(600), "weekends do not count against it"),
            (one_flood, false, Some(90), "one flood is not the usual"),
            (vec![], false, Some(50), "a new shop that is believed by its address"),
            (vec![], true, None, "a new shop that proves its mail"),
            (vec![(94, 1000), (99, 1000)], true, None, "six days are no history"),
            (vec![(93, 1000), (99, 1000)], true, Some(50), "on most of its seven days nothing came"),
            (vec![(40, 1000), (100, 7)], false, Some(50), "long ago and today say nothing"),
        ] {
            assert_eq!(Volume::Usual.most(&days, 100, is_proven), most, "{what}");
        }
        assert_eq!(Volume::AtMost(7).most(&month(100), 100, true), Some(7));
        assert_eq!(Volume::Unbounded.most(&month(100), 100, false), None);
    }

    #[test]
    fn copies_that_wait_for_the_dns_are_looked_at_less_and_less_often_and_not_for_ever() {
        let came = Timestamp::from_seconds(1_772_442_000);
        let (mut now, mut looks) = (came, 0);
        while let Some(next) = look_again_at(came, now) {
            assert!(next.since(now) >= FIRST_PAUSE);
            (now, looks) = (next, looks + 1);
        }
        assert!((12..=18).contains(&looks), "{looks}");
        assert!(now.since(came) >= LOOKED_AT_FOR && now.since(came) < LOOKED_AT_FOR * 2);
    }

    #[test]
    fn reasons_of_a_kind_are_one_kind_whatever_the_sender() {
        assert_eq!(kind_of_reason(&new_sender("a.example 192.0.2")), kind_of_reason(&new_sender("b.example")));
        assert_eq!(kind_of_reason(&too_many(50)), kind_of_reason(&too_many(1234)));
        for doubt in Doubt::ALL {
            assert_eq!(Doubt::parse(doubt.as_str()), Some(doubt));
            assert!(kind_of_reason(&doubt.reason("why")).starts_with(doubt.title()));
        }
        for state in SenderState::ALL {
            assert_eq!(SenderState::parse(state.as_str()), Some(state));
        }
    }
}
