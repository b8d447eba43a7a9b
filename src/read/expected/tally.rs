//! Figures over many readings: how many were right on each point, and what was not.

use std::collections::BTreeMap;
use std::fmt;

use super::{Expected, Judgement, Misuse, Point, Verdict};
use crate::domain::Reading;

/// How one point turned out in many mails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figure {
    /// As expected.
    pub right: usize,
    /// Not as expected, in mails that are not used.
    pub unused: usize,
    /// Mails that are used without the value.
    pub missing: usize,
    /// Mails that are used with another value.
    pub wrong: usize,
}

impl Figure {
    /// In how many mails the point was known.
    pub const fn of(self) -> usize {
        self.right + self.unused + self.missing + self.wrong
    }

    /// Parts of a hundred that were right, cut off after one digit and never rounded up; `None` without mails.
    pub fn percent(self) -> Option<String> {
        let thousandths = (self.right * 1_000).checked_div(self.of())?;
        Some(format!("{}.{}", thousandths / 10, thousandths % 10))
    }

    fn add(&mut self, verdict: Verdict) {
        *match verdict {
            Verdict::Right => &mut self.right,
            Verdict::Unused => &mut self.unused,
            Verdict::Missing => &mut self.missing,
            Verdict::Wrong => &mut self.wrong,
        } += 1;
    }

    fn plus(self, other: Self) -> Self {
        Self {
            right: self.right + other.right,
            unused: self.unused + other.unused,
            missing: self.missing + other.missing,
            wrong: self.wrong + other.wrong,
        }
    }
}

/// One point of one mail that was not as expected.
#[derive(Clone, PartialEq, Eq)]
pub struct Difference {
    /// The mail.
    pub mail: String,
    /// The point.
    pub judgement: Judgement,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.mail, self.judgement)
    }
}

/// Everything that was counted.
#[derive(Default)]
pub struct Tally {
    mails: BTreeMap<String, usize>,
    figures: BTreeMap<(String, Point), Figure>,
    differences: Vec<Difference>,
    misuses: Vec<(String, Misuse)>,
}

impl Tally {
    /// Counts a mail of a platform.
    pub fn add(&mut self, platform: &str, mail: &str, expected: &Expected, reading: &Reading) {
        *self.mails.entry(platform.to_owned()).or_default() += 1;
        let mut products_differ = false;
        for judgement in expected.judge(reading) {
            let Judgement { point, verdict, .. } = judgement;
            self.figures.entry((platform.to_owned(), point)).or_default().add(verdict);
            // Products that differ differ in full too; once is enough to say so.
            let said = point == Point::ProductsInFull && products_differ;
            if verdict != Verdict::Right && !said {
                products_differ |= point == Point::Products;
                self.differences.push(Difference { mail: mail.to_owned(), judgement });
            }
        }
        self.misuses.extend(expected.misuses(reading).into_iter().map(|misuse| (mail.to_owned(), misuse)));
    }

    /// The platforms with the number of their mails, in alphabetical order.
    pub fn platforms(&self) -> impl Iterator<Item = (&str, usize)> {
        self.mails.iter().map(|(platform, mails)| (platform.as_str(), *mails))
    }

    /// How a point turned out in the mails of a platform.
    pub fn figure(&self, platform: &str, point: Point) -> Figure {
        self.figures.get(&(platform.to_owned(), point)).copied().unwrap_or_default()
    }

    /// How a point turned out in all mails.
    pub fn total(&self, point: Point) -> Figure {
        let of_point = self.figures.iter().filter(|((_, known), _)| *known == point);
        of_point.fold(Figure::default(), |sum, (_, figure)| sum.plus(*figure))
    }

    /// What was not as expected, in the order in which mails were added.
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// What would be done wrong, each with its mail.
    pub fn misuses(&self) -> &[(String, Misuse)] {
        &self.misuses
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::domain::{Outcome, Product};

    #[test]
    fn figures_are_counted_for_each_platform_and_in_all() {
        let expected = |text: &str| Expected::parse(&Document::new("x.json", text)).unwrap();
        let order = expected("{\"outcome\": \"event\", \"products\": [{\"name\": \"a\", \"price\": \"1\"}]}");
        let negative = expected("{\"kind\": \"negative\"}");
        let held = Reading::without_findings(Outcome::Held, "why");
        let event = Reading {
            products: vec![Product { name: "b".to_owned(), ..Product::default() }],
            ..Reading::without_findings(Outcome::Event, "")
        };
        let mut tally = Tally::default();
        tally.add("acme", "acme/1.eml", &order, &held);
        tally.add("acme", "acme/2.eml", &order, &event);
        tally.add("other", "other/1.eml", &negative, &event);
        assert_eq!(tally.platforms().collect::<Vec<_>>(), [("acme", 2), ("other", 1)]);
        let figure = |right, unused, missing, wrong| Figure { right, unused, missing, wrong };
        assert_eq!(tally.figure("acme", Point::Event), figure(1, 1, 0, 0));
        assert_eq!(tally.figure("other", Point::Event).of(), 0);
        assert_eq!(tally.total(Point::ProductsInFull), figure(0, 1, 0, 1));
        assert_eq!(tally.total(Point::SetAside), figure(0, 0, 0, 1));
        let told = tally.differences().iter().map(|one| (one.mail.as_str(), one.judgement.point)).collect::<Vec<_>>();
        assert_eq!(
            told,
            [
                ("acme/1.eml", Point::Event),
                ("acme/1.eml", Point::Products),
                ("acme/2.eml", Point::Products),
                ("other/1.eml", Point::SetAside)
            ]
        );
        let misused = tally.misuses().iter().map(|(mail, misuse)| (mail.as_str(), misuse.point)).collect::<Vec<_>>();
        assert_eq!(misused, [("other/1.eml", Point::SetAside)]);
    }

    #[test]
    fn shares_are_never_rounded_up() {
        let percent = |right, wrong| Figure { right, wrong, ..Figure::default() }.percent();
        assert_eq!(percent(0, 0), None);
        assert_eq!(percent(2, 1).as_deref(), Some("66.6"));
        assert_eq!(percent(1999, 1).as_deref(), Some("99.9"));
        assert_eq!(percent(3, 0).as_deref(), Some("100.0"));
    }
}
