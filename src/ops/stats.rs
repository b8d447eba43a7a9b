//! What happened to invitations over time, from the counters that were kept while it happened: so that the answer takes as long for a
//! million invitations as for ten. Days are days in UTC, as they were counted.

use std::collections::BTreeMap;

use jiff::civil::{Date, Weekday};

use crate::domain::{AnswerKind, Collected, Rule, Timestamp};
use crate::store::Figure;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// The day in UTC on which an instant lies, in days since 1970-01-01, as [`Figure::day`].
pub const fn day_of(at: Timestamp) -> i64 {
    at.0.div_euclid(DAY_MS)
}

/// The first instant of a day.
pub const fn begin_of(day: i64) -> Timestamp {
    Timestamp(day.saturating_mul(DAY_MS))
}

/// The date of a day; at the ends of what a calendar has, its first or last.
pub fn date_of(day: i64) -> Date {
    begin_of(day).to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Invitations that began.
    Begun,
    /// First letters that a relay took.
    FirstLetters,
    /// Reminders that a relay took.
    Reminders,
    /// Letters that a relay refused for good.
    Refused,
    /// Letters of which nobody knows whether a relay took them.
    InDoubt,
    /// Invitations that the shop's mails cancelled.
    CancelledByOrder,
    /// Invitations that a person cancelled.
    CancelledByHand,
    /// Invitations whose customer wants no more letters, or reported one as junk.
    Declined,
    /// Invitations whose customer is on the suppression list.
    Suppressed,
    /// Invitations that the shop's own rules dropped.
    Dropped,
    /// Invitations that ended since their letter came back.
    Bounced,
    /// Letters that came back since their address is dead.
    HardBounces,
    /// Letters that came back for another reason, or for none that is known.
    SoftBounces,
    /// Letters that customers called junk.
    Complaints,
    /// Orders that were reviewed, here or elsewhere.
    Reviewed,
    /// Reviews written by letters to the shop's orders.
    ReviewsAutomatic,
    /// Reviews written by letters that a person or a file asked for.
    ReviewsManual,
    /// Reviews written by the shop's own links.
    ReviewsLink,
    /// Reviews written by the generic link.
    ReviewsBasic,
    /// Changes of reviews by their authors.
    ReviewsChanged,
    /// Reviews that their authors deleted.
    ReviewsDeleted,
    /// Reviews that staff removed.
    ReviewsRemoved,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::Begun,
        Self::FirstLetters,
        Self::Reminders,
        Self::Refused,
        Self::InDoubt,
        Self::CancelledByOrder,
        Self::CancelledByHand,
        Self::Declined,
        Self::Suppressed,
        Self::Dropped,
        Self::Bounced,
        Self::HardBounces,
        Self::SoftBounces,
        Self::Complaints,
        Self::Reviewed,
        Self::ReviewsAutomatic,
        Self::ReviewsManual,
        Self::ReviewsLink,
        Self::ReviewsBasic,
        Self::ReviewsChanged,
        Self::ReviewsDeleted,
        Self::ReviewsRemoved,
    ];

    /// Its name in JSON; a contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::FirstLetters => "first_letters",
            Self::Reminders => "reminders",
            Self::Refused => "refused",
            Self::InDoubt => "in_doubt",
            Self::CancelledByOrder => "cancelled_by_order",
            Self::CancelledByHand => "cancelled_by_hand",
            Self::Declined => "declined",
            Self::Suppressed => "suppressed",
            Self::Dropped => "dropped",
            Self::Bounced => "bounced",
            Self::HardBounces => "hard_bounces",
            Self::SoftBounces => "soft_bounces",
            Self::Complaints => "complaints",
            Self::Reviewed => "reviewed",
            Self::ReviewsAutomatic => "reviews_automatic",
            Self::ReviewsManual => "reviews_manual",
            Self::ReviewsLink => "reviews_link",
            Self::ReviewsBasic => "reviews_basic",
            Self::ReviewsChanged => "reviews_changed",
            Self::ReviewsDeleted => "reviews_deleted",
            Self::ReviewsRemoved => "reviews_removed",
        }
    }

    /// What it is, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Begun => "invitations begun",
            Self::FirstLetters => "first letters taken by the relay",
            Self::Reminders => "reminders taken by the relay",
            Self::Refused => "letters refused by the relay",
            Self::InDoubt => "letters in doubt",
            Self::CancelledByOrder => "cancelled: the shop cancelled the order",
            Self::CancelledByHand => "cancelled by hand",
            Self::Declined => "stopped by the customer (unsubscribed, complained)",
            Self::Suppressed => "stopped by the suppression list",
            Self::Dropped => "dropped by the shop's rules",
            Self::Bounced => "ended since their letters came back",
            Self::HardBounces => "letters that came back: the address is dead",
            Self::SoftBounces => "letters that came back: full, refused, or unclear",
            Self::Complaints => "letters that customers called junk",
            Self::Reviewed => "invitations that were told of a review",
            Self::ReviewsAutomatic => "reviews by letters to the shop's orders",
            Self::ReviewsManual => "reviews by letters that were asked for by hand",
            Self::ReviewsLink => "reviews by the shop's own links",
            Self::ReviewsBasic => "reviews by the generic link",
            Self::ReviewsChanged => "reviews changed by their authors",
            Self::ReviewsDeleted => "reviews deleted by their authors",
            Self::ReviewsRemoved => "reviews removed by staff",
        }
    }

    /// What a counter counts; `None` for those that are nothing of these.
    fn of(name: &str) -> Option<Self> {
        match name {
            "begun" => return Some(Self::Begun),
            "letter first" => return Some(Self::FirstLetters),
            "letter reminder" => return Some(Self::Reminders),
            "letter dropped" => return Some(Self::Dropped),
            _ => {}
        }
        if let Some(what) = name.strip_prefix("review ") {
            return match what {
                "changed" => Some(Self::ReviewsChanged),
                "deleted" => Some(Self::ReviewsDeleted),
                "removed" => Some(Self::ReviewsRemoved),
                way => Collected::parse(way).map(|way| match way {
                    Collected::Automatic => Self::ReviewsAutomatic,
                    Collected::Manual => Self::ReviewsManual,
                    Collected::Link => Self::ReviewsLink,
                    Collected::Basic => Self::ReviewsBasic,
                }),
            };
        }
        if let Some(kind) = name.strip_prefix("answer ") {
            return match AnswerKind::parse(kind)? {
                AnswerKind::HardBounce => Some(Self::HardBounces),
                AnswerKind::SoftBounce | AnswerKind::UnclearBounce => Some(Self::SoftBounces),
                AnswerKind::Complaint => Some(Self::Complaints),
                _ => None,
            };
        }
        Some(match Rule::parse(name)? {
            Rule::RelayRefuses => Self::Refused,
            Rule::AnswerLost => Self::InDoubt,
            Rule::OrderCancelled | Rule::CancelledBeforeOrder | Rule::OrderWasCancelled => Self::CancelledByOrder,
            Rule::DeskCancels => Self::CancelledByHand,
            Rule::Unsubscribed | Rule::Complained => Self::Declined,
            Rule::Suppressed => Self::Suppressed,
            Rule::Bounced => Self::Bounced,
            Rule::Reviewed => Self::Reviewed,
            _ => return None,
        })
    }
}

/// Numbers of every measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sums([u64; Measure::ALL.len()]);

impl Sums {
    /// How many of this measure.
    pub const fn get(&self, measure: Measure) -> u64 {
        self.0[measure as usize]
    }

    /// All letters that a relay took.
    pub const fn letters(&self) -> u64 {
        self.get(Measure::FirstLetters).saturating_add(self.get(Measure::Reminders))
    }

    /// All letters that came back.
    pub const fn bounces(&self) -> u64 {
        self.get(Measure::HardBounces).saturating_add(self.get(Measure::SoftBounces))
    }

    fn add(&mut self, measure: Measure, n: u64) {
        let sum = &mut self.0[measure as usize];
        *sum = sum.saturating_add(n);
    }
}

/// How days are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Each on its own.
    Day,
    /// From Monday to Sunday.
    Week,
    /// By the calendar.
    Month,
}

impl By {
    /// One that makes a readable number of spans of so many days.
    pub const fn fitting(days: i64) -> Self {
        match days {
            ..=31 => Self::Day,
            32..=200 => Self::Week,
            _ => Self::Month,
        }
    }

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The first day of the span in which a day lies.
    fn begin(self, day: Date) -> Date {
        let back = match self {
            Self::Day => 0,
            Self::Week => day.weekday().since(Weekday::Monday),
            Self::Month => day.day() - 1,
        };
        day.saturating_sub(jiff::Span::new().days(i64::from(back)))
    }

    fn next(self, begin: Date) -> Date {
        begin.saturating_add(match self {
            Self::Day => jiff::Span::new().days(1),
            Self::Week => jiff::Span::new().weeks(1),
            Self::Month => jiff::Span::new().months(1),
        })
    }
}

/// What happened in one span of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Its first day, or the first that was asked for.
    pub from: Date,
    /// Its last day, or the last that was asked for.
    pub to: Date,
    /// How often.
    pub sums: Sums,
}

/// What happened over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// How days were put together.
    pub by: By,
    /// Every span from the first day to the last, also those in which nothing happened.
    pub buckets: Vec<Bucket>,
    /// All of them together.
    pub total: Sums,
}

impl Stats {
    /// Of the days `first` to `last` ([`day_of`]), both included; what was counted on others is left out.
    pub fn of(figures: &[Figure], first: i64, last: i64, by: By) -> Self {
        let last = last.max(first);
        let mut days: BTreeMap<i64, Sums> = BTreeMap::new();
        let mut total = Sums::default();
        for figure in figures.iter().filter(|figure| (first..=last).contains(&figure.day)) {
            if let Some(measure) = Measure::of(&figure.name) {
                days.entry(figure.day).or_default().add(measure, figure.n);
                total.add(measure, figure.n);
            }
        }
        let (from, to) = (date_of(first), date_of(last));
        let mut buckets: Vec<Bucket> = Vec::new();
        let mut begin = by.begin(from);
        while begin <= to {
            let next = by.next(begin);
            // The calendar has an end.
            let end = if next > begin { next.yesterday().unwrap_or(to) } else { to };
            buckets.push(Bucket { from: begin.max(from), to: end.min(to), sums: Sums::default() });
            if next <= begin {
                break;
            }
            begin = next;
        }
        for (day, sums) in days {
            let date = date_of(day);
            let place = buckets.partition_point(|bucket| bucket.to < date);
            if let Some(bucket) = buckets.get_mut(place) {
                for measure in Measure::ALL {
                    bucket.sums.add(measure, sums.get(measure));
                }
            }
        }
        Self { by, buckets, total }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ShopId;

    fn figure(date: &str, name: &str, n: u64) -> Figure {
        let day = date.parse::<Date>().unwrap().to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().into();
        Figure { shop: ShopId::parse("nord").unwrap(), day: day_of(day), name: name.to_owned(), n }
    }

    fn day(date: &str) -> i64 {
        figure(date, "", 1).day
    }

    #[test]
    fn counters_of_a_measure_add_up_and_others_are_passed_over() {
        let figures = [
            figure("2026-03-01", "begun", 5),
            figure("2026-03-02", "begun", 7),
            figure("2026-03-02", "letter first", 3),
            figure("2026-03-02", "letter reminder", 2),
            figure("2026-03-02", "letter-accepted", 3),
            figure("2026-03-02", "order-cancelled", 1),
            figure("2026-03-02", "order-was-cancelled", 1),
            figure("2026-03-02", "cancelled-before-order", 1),
            figure("2026-03-03", "became invited", 9),
            figure("2026-03-03", "dropped not-in-sample", 9),
            figure("2026-03-03", "letter dropped", 4),
            figure("2026-03-03", "bounced", 1),
            figure("2026-03-03", "answer hard_bounce", 2),
            figure("2026-03-03", "answer soft_bounce", 3),
            figure("2026-03-03", "answer unclear_bounce", 1),
            figure("2026-03-03", "answer complaint", 6),
            figure("2026-03-03", "answer auto_reply", 9),
            figure("2026-03-03", "review automatic", 8),
            figure("2026-03-03", "review basic", 7),
            figure("2026-03-03", "review removed", 5),
            figure("2026-02-28", "begun", 100),
            figure("2026-03-04", "begun", 100),
            Figure { day: 0, ..figure("2026-03-01", "state queued", 8) },
        ];
        let stats = Stats::of(&figures, day("2026-03-01"), day("2026-03-03"), By::Day);
        let begun = stats.buckets.iter().map(|one| (one.from.to_string(), one.sums.get(Measure::Begun)));
        assert_eq!(
            begun.collect::<Vec<_>>(),
            [("2026-03-01".to_owned(), 5), ("2026-03-02".to_owned(), 7), ("2026-03-03".to_owned(), 0)]
        );
        let total = Measure::ALL.map(|measure| stats.total.get(measure));
        assert_eq!(total, [12, 3, 2, 0, 0, 3, 0, 0, 0, 4, 1, 2, 4, 6, 0, 8, 0, 0, 7, 0, 0, 5]);
        assert_eq!((stats.total.letters(), stats.total.bounces()), (5, 6));
    }

    #[test]
    fn days_are_put_together_by_the_calendar_and_the_ends_are_what_was_asked_for() {
        let spans = |by, first: &str, last: &str| {
            let figures = [figure(first, "begun", 1), figure(last, "begun", 10)];
            let stats = Stats::of(&figures, day(first), day(last), by);
            let all = stats.buckets.iter().map(|one| one.sums.get(Measure::Begun)).sum::<u64>();
            assert_eq!(all, stats.total.get(Measure::Begun), "every day is in one span");
            stats.buckets.iter().map(|one| format!("{} {}", one.from, one.to)).collect::<Vec<_>>()
        };
        assert_eq!(
            spans(By::Week, "2026-02-26", "2026-03-10"),
            ["2026-02-26 2026-03-01", "2026-03-02 2026-03-08", "2026-03-09 2026-03-10"]
        );
        assert_eq!(
            spans(By::Month, "2028-01-31", "2028-03-01"),
            ["2028-01-31 2028-01-31", "2028-02-01 2028-02-29", "2028-03-01 2028-03-01"]
        );
        assert_eq!(spans(By::Day, "2026-12-31", "2027-01-01").len(), 2);
    }

    #[test]
    fn every_rule_that_a_measure_names_has_one_measure() {
        for measure in Measure::ALL {
            assert_eq!(measure as usize, Measure::ALL.iter().position(|one| *one == measure).unwrap());
        }
        assert_eq!(Measure::of("desk-cancels"), Some(Measure::CancelledByHand));
        assert_eq!(Measure::of("due-letter-claimed"), None);
        assert_eq!(Measure::of("state sent"), None);
    }
}
