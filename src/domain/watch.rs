//! When a shop's copies are not as they use to be: more of them are held, or none come any more. Its mail layout or its BCC has
//! changed then, and nobody would notice before reviews are missing. Counts come in, an alarm or its end goes out.
//!
//! An alarm that cries at nothing is switched off, so both rules compare a shop with itself alone and ask for a number of copies
//! that chance does not reach.

use std::fmt;
use std::time::Duration;

use super::doubt::Doubt;
use super::policy::DAY;
use super::time::Timestamp;

/// The span that copies are counted in.
pub const HOUR: Duration = Duration::from_secs(3600);

/// What came for one shop within one hour, by what the reader made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    /// When the hour begins.
    pub begins: Timestamp,
    /// Copies that told of an order.
    pub event: u64,
    /// Copies that were no order mails.
    pub ignored: u64,
    /// Copies that a person should look at.
    pub held: u64,
}

impl Hour {
    /// The hour that an instant lies in.
    pub fn of(instant: Timestamp) -> Timestamp {
        let hour = i64::try_from(HOUR.as_millis()).unwrap_or(i64::MAX);
        Timestamp(instant.0.div_euclid(hour).saturating_mul(hour))
    }

    /// Copies that are about orders, as far as anybody knows. Newsletters come in floods and say nothing about the layout of
    /// order mails, so what is ignored does not count.
    fn orders(&self) -> u64 {
        self.event.saturating_add(self.held)
    }

    fn all(&self) -> u64 {
        self.orders().saturating_add(self.ignored)
    }
}

/// What is not as it used to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AlarmKind {
    /// Far more copies are held than usual.
    Held,
    /// No copy came for far longer than usual.
    Silent,
    /// Order mails are held since nothing proves that the shop sent them.
    Sender,
    /// More order mails came on a day than the shop may have.
    Volume,
    /// A relay that takes the shop's letters refuses us: a person must look.
    Relay,
    /// Customers call so many of its letters junk that receivers turn its mail away.
    Complaint,
}

impl AlarmKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [Self::Held, Self::Silent, Self::Sender, Self::Volume, Self::Relay, Self::Complaint];
    /// Those that the counts of a shop's hours tell of.
    pub const COUNTED: [Self; 2] = [Self::Held, Self::Silent];

    /// Those of copies that are held for their sender's sake.
    pub const OF_SENDERS: [Self; 2] = [Self::Sender, Self::Volume];

    /// The alarm that copies in a doubt are worth, and what it says. The DNS comes back by itself.
    pub const fn of_doubt(doubt: Doubt) -> Option<(Self, &'static str)> {
        match doubt {
            Doubt::Untrusted => Some((Self::Sender, "order mails are held whose sender is not proved")),
            Doubt::NewSender => Some((Self::Sender, "order mails are held of a sender that nobody has decided upon")),
            Doubt::Volume => Some((Self::Volume, "order mails are held since far more came on one day than usual")),
            Doubt::Dns => None,
        }
    }

    /// The word for it in JSON, metrics and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Silent => "silent",
            Self::Sender => "sender",
            Self::Volume => "volume",
            Self::Relay => "relay",
            Self::Complaint => "complaint",
        }
    }

    /// The kind of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// What was seen that is not as usual. In words, for people, by its `Display`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facts {
    /// Of the last order mails so many are held, and of those before so many were.
    Held {
        /// Held of the last ones.
        held: u64,
        /// The last ones.
        orders: u64,
        /// Held of those before.
        past_held: u64,
        /// Those before.
        past_orders: u64,
    },
    /// No copy came for so many hours.
    Silent {
        /// Whole hours since the last copy.
        hours: u64,
        /// Whole hours of the longest usual gap.
        usual_hours: u64,
    },
}

impl Facts {
    /// Which alarm they are.
    pub const fn kind(self) -> AlarmKind {
        match self {
            Self::Held { .. } => AlarmKind::Held,
            Self::Silent { .. } => AlarmKind::Silent,
        }
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { held, orders, past_orders: 0, .. } => {
                write!(f, "{held} of the last {orders} order mails are held; there is nothing before to compare with")
            }
            Self::Held { held, orders, past_held, past_orders } => {
                write!(f, "{held} of the last {orders} order mails are held; before that {past_held} of {past_orders}")
            }
            Self::Silent { hours, usual_hours } => {
                write!(f, "no copy came for {hours} hours; its usual gaps are up to {usual_hours} hours")
            }
        }
    }
}

/// What a rule says about a shop now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is not as usual.
    Unusual(Facts),
    /// It is as usual.
    Usual,
    /// There is too little to tell: what was said before stays said.
    Unclear,
}

/// How many copies the recent past is made of, unless [`RECENT_SPAN`] ends it before.
const RECENT: u64 = 50;
/// How far back the recent past goes.
const RECENT_SPAN: Duration = DAY;
/// How many copies it must have at least to mean anything; a small shop's goes back further for them, up to [`RECENT_LONGEST`].
const RECENT_LEAST: u64 = 10;
const RECENT_LONGEST: Duration = DAY.saturating_mul(7);
/// The past that a shop is compared with.
const PAST: Duration = DAY.saturating_mul(30);
/// Held copies below which nothing is said: one order of many mails must not do it.
const HELD_LEAST: u64 = 5;
/// By how much the share of held copies must have risen, and how near to the usual it must come again.
const JUMP: f64 = 0.15;
const NEAR: f64 = 0.08;
/// How many standard deviations of a binomial count lie between the usual and an alarm.
const DEVIATIONS: f64 = 3.0;
/// What stands beside a shop's own past, so that a new shop has one: of five copies one is held.
const PRIOR: (f64, f64) = (1.0, 5.0);

/// Whether the share of held copies has jumped, at `now`. `hours` are the shop's in any order; `since` is when the alarm was
/// raised, if it was: the past ends there then, since what is alarming must not become the usual by going on.
#[expect(clippy::cast_precision_loss, reason = "counts of copies are far below 2^52")]
pub fn held_alarm(hours: &[Hour], since: Option<Timestamp>, now: Timestamp) -> Verdict {
    let mut hours = hours.iter().filter(|hour| hour.begins <= now && hour.orders() > 0).collect::<Vec<_>>();
    hours.sort_by_key(|hour| std::cmp::Reverse(hour.begins));
    let (mut held, mut orders, mut begins) = (0_u64, 0_u64, now);
    for hour in &hours {
        let age = now.since(hour.begins);
        let is_enough = orders >= RECENT || age >= RECENT_SPAN + HOUR && orders >= RECENT_LEAST;
        if is_enough || age >= RECENT_LONGEST {
            break;
        }
        (held, orders, begins) = (held + hour.held, orders + hour.orders(), hour.begins);
    }
    if orders < RECENT_LEAST {
        return Verdict::Unclear;
    }
    let past_ends = since.map_or(begins, |since| Hour::of(since).min(begins));
    let past = hours.iter().filter(|hour| hour.begins < past_ends && past_ends.since(hour.begins) <= PAST);
    let (past_held, past_orders) = past.fold((0, 0), |(held, orders), hour| (held + hour.held, orders + hour.orders()));
    let usual = (past_held as f64 + PRIOR.0) / (past_orders as f64 + PRIOR.1);
    let share = held as f64 / orders as f64;
    let chance = orders as f64 * usual + DEVIATIONS * (orders as f64 * usual * (1.0 - usual)).sqrt();
    if held >= HELD_LEAST && share >= usual + JUMP && held as f64 > chance {
        return Verdict::Unusual(Facts::Held { held, orders, past_held, past_orders });
    }
    // Between the two lies what keeps an alarm from going on and off.
    if share < usual + NEAR { Verdict::Usual } else { Verdict::Unclear }
}

/// Copies in [`PAST`] below which a shop's silence means nothing.
const COPIES_LEAST: u64 = 20;
/// No shop is silent before this has passed.
const SILENCE_LEAST: Duration = DAY;
/// How much longer than a usual gap a silence must be.
const GAPS: u32 = 2;
/// How many times the mean gap it must be at least: of gaps that chance makes, one in 22,000 is so long (e to the power of -10).
const MEAN_GAPS: u32 = 10;

/// Whether a shop has fallen silent, at `now`. `last` is when its last copy came.
///
/// The usual gap is the longest but one of the 30 days before the last copy: nights and weekends come again, one holiday does not.
pub fn silent_alarm(hours: &[Hour], last: Timestamp, since: Option<Timestamp>, now: Timestamp) -> Verdict {
    if let Some(since) = since {
        return if last > since { Verdict::Usual } else { Verdict::Unclear };
    }
    let mut hours = hours
        .iter()
        .filter(|hour| hour.begins <= last && last.since(hour.begins) <= PAST && hour.all() > 0)
        .collect::<Vec<_>>();
    hours.sort_by_key(|hour| hour.begins);
    let copies = hours.iter().map(|hour| hour.all()).sum::<u64>();
    let mut gaps =
        hours.iter().zip(hours.iter().skip(1)).map(|(one, next)| next.begins.since(one.begins)).collect::<Vec<_>>();
    gaps.sort_unstable();
    let usual = gaps.len().checked_sub(2).and_then(|at| gaps.get(at)).copied();
    let (Some(usual), true) = (usual, copies >= COPIES_LEAST) else { return Verdict::Unclear };
    let first = hours.first().map_or(last, |hour| hour.begins);
    let mean = last.since(first) / u32::try_from(copies).unwrap_or(u32::MAX);
    let longest = SILENCE_LEAST.max(usual * GAPS).max(mean * MEAN_GAPS);
    let silence = now.since(last);
    if silence <= longest {
        return Verdict::Usual;
    }
    let hours = |span: Duration| span.as_secs() / HOUR.as_secs();
    Verdict::Unusual(Facts::Silent { hours: hours(silence), usual_hours: hours(usual) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_772_442_000);

    fn ago(hours: u32) -> Timestamp {
        Timestamp(Hour::of(NOW).0 - i64::from(hours) * 3_600_000)
    }

    fn hour(hours_ago: u32, event: u64, held: u64) -> Hour {
        Hour { begins: ago(hours_ago), event, ignored: 0, held }
    }

    /// Copies of one day after another, all in one hour: so many that tell of orders, and so many held, newest day first.
    fn days(days: &[(u64, u64)]) -> Vec<Hour> {
        (0..).zip(days).map(|(day, (event, held))| hour(day * 24, *event, *held)).collect()
    }

    fn is_unusual(finding: &Verdict) -> bool {
        matches!(finding, Verdict::Unusual(_))
    }

    #[test]
    fn a_jump_is_told_from_chance_and_from_what_was_always_so() {
        let month = |today: (u64, u64), before: (u64, u64)| {
            let mut all = vec![before; 30];
            all.insert(0, today);
            days(&all)
        };
        for (hours, unusual, what) in [
            (month((5, 45), (50, 0)), true, "a busy shop whose layout changed"),
            (month((40, 10), (50, 0)), true, "one mail of several has changed"),
            (month((47, 3), (50, 0)), false, "three odd mails"),
            (month((25, 25), (25, 25)), false, "half were always held"),
            (month((10, 40), (25, 25)), true, "half were always held and now nearly all are"),
            (month((0, 2), (2, 0)), false, "a small shop with two odd mails"),
            (month((0, 0), (2, 0)), false, "nothing today"),
            (
                days(&[(0, 2), (0, 2), (0, 2), (1, 1), (2, 0), (2, 0), (2, 0), (2, 0), (2, 0), (2, 0), (2, 0)]),
                true,
                "a small shop whose mails are all held since three days",
            ),
            (days(&[(0, 9)]), false, "a new shop of nine mails"),
            (days(&[(3, 7)]), true, "a new shop that nobody can read"),
            (days(&[(7, 4)]), false, "a new shop with some of it held"),
            (vec![], false, "no copies at all"),
        ] {
            assert_eq!(is_unusual(&held_alarm(&hours, None, NOW)), unusual, "{what}");
        }
    }

    #[test]
    fn the_last_fifty_copies_count_before_the_day_is_over() {
        let mut hours = (1..24 * 20).map(|ago| hour(ago, 100, 1)).collect::<Vec<_>>();
        assert_eq!(held_alarm(&hours, None, NOW), Verdict::Usual);
        hours.push(hour(0, 10, 45));
        let Verdict::Unusual(facts) = held_alarm(&hours, None, NOW) else { panic!() };
        assert_eq!(facts.to_string(), "45 of the last 55 order mails are held; before that 479 of 48379");
    }

    #[test]
    fn an_alarm_goes_on_until_it_is_as_before_however_long_that_takes() {
        // Held for forty days on end: the past that counts is the one before the alarm.
        let mut all = vec![(0, 20); 40];
        all.extend([(20, 0); 40]);
        let since = Some(ago(40 * 24));
        assert!(is_unusual(&held_alarm(&days(&all), since, NOW)));
        assert!(!is_unusual(&held_alarm(&days(&all), None, NOW)), "without the mark it would have become the usual");
        // 7 of 50: neither one thing nor the other.
        all.insert(0, (43, 7));
        assert_eq!(held_alarm(&days(&all), Some(ago(41 * 24)), NOW), Verdict::Unclear);
        all.insert(0, (60, 1));
        assert_eq!(held_alarm(&days(&all), Some(ago(42 * 24)), NOW), Verdict::Usual);
        assert_eq!(held_alarm(&[], since, NOW), Verdict::Unclear, "silence is no end of it");
    }

    #[test]
    fn newsletters_do_not_hide_a_jump() {
        let mut hours = days(&[(0, 20), (20, 0), (20, 0), (20, 0)]);
        hours[0].ignored = 100_000;
        assert!(is_unusual(&held_alarm(&hours, None, NOW)));
    }

    /// Office hours, Monday to Friday, for six weeks that end `hours_ago`.
    fn office(hours_ago: u32) -> Vec<Hour> {
        let days = (0..42).filter(|day| ![5, 6].contains(&(day % 7)));
        days.flat_map(|day| (0..9).map(move |at| hour(hours_ago + day * 24 + at, 1, 0))).collect()
    }

    #[test]
    fn silence_is_measured_by_the_shops_own_gaps() {
        let every = |step: u32, from: u32| (0..24 * 30 / step).map(|n| hour(from + n * step, 1, 0)).collect::<Vec<_>>();
        for (hours, last, unusual, what) in [
            (every(1, 23), 23, false, "a busy shop that is quiet since yesterday"),
            (every(1, 26), 26, true, "a busy shop, quiet for more than a day"),
            (every(24, 5 * 24), 5 * 24, false, "one mail a day, five days"),
            (every(24, 11 * 24), 11 * 24, true, "one mail a day, eleven days"),
            (every(72, 30 * 24), 30 * 24, false, "a mail every three days is too few to tell"),
            (office(64), 64, false, "a weekend"),
            (office(100), 100, false, "a long weekend"),
            (office(140), 140, true, "a week"),
            (vec![], 9999, false, "no counts"),
        ] {
            let found = silent_alarm(&hours, ago(last), None, NOW);
            assert_eq!(is_unusual(&found), unusual, "{what}: {found:?}");
        }
    }

    #[test]
    fn one_holiday_does_not_make_a_shop_patient() {
        let mut hours = (50..300).map(|ago| hour(ago, 1, 0)).collect::<Vec<_>>();
        hours.extend((500..700).map(|ago| hour(ago, 1, 0)));
        assert!(is_unusual(&silent_alarm(&hours, ago(50), None, NOW)));
    }

    #[test]
    fn a_silence_ends_with_a_copy_and_with_nothing_else() {
        let since = Some(ago(100));
        assert_eq!(silent_alarm(&[], ago(200), since, NOW), Verdict::Unclear);
        assert_eq!(silent_alarm(&[], ago(5), since, NOW), Verdict::Usual);
    }

    #[test]
    fn hours_begin_where_they_should_also_before_1970() {
        assert_eq!(Hour::of(Timestamp(7_200_001)), Timestamp(7_200_000));
        assert_eq!(Hour::of(Timestamp(-1)), Timestamp(-3_600_000));
        for kind in AlarmKind::ALL {
            assert_eq!(AlarmKind::parse(kind.as_str()), Some(kind));
        }
    }
}
