//! Holding a reading against what was expected, point by point.

use std::fmt;

use super::{Expected, ExpectedProduct, Fate, Point, Wish};
use crate::domain::{EventKind, Outcome, Product, Reading};

/// How one point of a reading turned out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As expected.
    Right,
    /// Not as expected, but the mail is not used: a person is asked, or the mail is left alone.
    Unused,
    /// The mail is used without the value.
    Missing,
    /// The mail is used with another value.
    Wrong,
}

/// One point of a reading, judged.
#[derive(Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Which.
    pub point: Point,
    /// How it turned out.
    pub verdict: Verdict,
    /// What was read, for people.
    pub got: String,
    /// What was expected, for people.
    pub wanted: String,
}

/// A wrong thing that would be done: another person, another order, a mail taken for an order's, bad news taken for good.
#[derive(Clone, PartialEq, Eq)]
pub struct Misuse {
    /// On which point: [`Point::Reference`], [`Point::Email`], [`Point::SetAside`] or [`Point::Event`].
    pub point: Point,
    /// What was read, for people.
    pub got: String,
    /// What was expected, for people.
    pub wanted: String,
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: got {}, wanted {}", self.point.as_str(), self.got, self.wanted)
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: would use {}, wanted {}", self.point.as_str(), self.got, self.wanted)
    }
}

impl Expected {
    /// Judges a reading on every point that is known, in the order of [`Point::ALL`].
    pub fn judge(&self, reading: &Reading) -> Vec<Judgement> {
        let judge = Judge { reading, used: reading.outcome == Outcome::Event };
        let mut all = vec![judge.fate(&self.fate)];
        if let Some(told) = self.told {
            let shown = |event: Option<EventKind>| event.map_or("no event".to_owned(), |event| event.to_string());
            let right = told == reading.event;
            all.push(judge.one(Point::Event, right, reading.event.is_none(), shown(reading.event), shown(told)));
        }
        if !self.need_not_be_read {
            all.extend(self.values(reading).map(|value| {
                let Value { point, got, wish } = value;
                judge.one(point, value.fits(), got.is_none(), shown(got), wished(wish))
            }));
            all.extend(self.products.iter().flat_map(|wanted| judge.products(wanted)));
        }
        if let Some(words) = &self.reason_contains {
            let reason = reading.reason.as_deref();
            let right = reason.is_some_and(|reason| reason.contains(words.as_str()));
            all.push(judge.one(Point::Reason, right, reason.is_none(), shown(reason), format!("… {words} …")));
        }
        all.sort_by_key(|one| one.point);
        all
    }

    /// What would be done wrong with a reading, worst first. Empty for whatever is not used.
    pub fn misuses(&self, reading: &Reading) -> Vec<Misuse> {
        if reading.outcome != Outcome::Event {
            return Vec::new();
        }
        let used = || event_of(reading);
        let mut all = Vec::new();
        if let Fate::SetAside(_) = self.fate {
            all.push(Misuse { point: Point::SetAside, got: used(), wanted: fate_of(&self.fate) });
        }
        let values = self.values(reading).filter(|value| matches!(value.point, Point::Reference | Point::Email));
        all.extend(values.filter(|value| !value.fits()).map(|Value { point, got, wish }| Misuse {
            point,
            got: shown(got),
            wanted: wished(wish),
        }));
        if let (Fate::Event(events) | Fate::Other(events), Some(event)) = (&self.fate, reading.event)
            && !events.is_empty()
            && events.iter().any(|event| event.ends_the_order()) != event.ends_the_order()
        {
            all.push(Misuse { point: Point::Event, got: used(), wanted: fate_of(&self.fate) });
        }
        all
    }

    /// The values that are compared.
    fn values<'a>(&'a self, reading: &'a Reading) -> impl Iterator<Item = Value<'a>> {
        let all = [
            (Point::Reference, reading.reference.as_ref().map(|reference| reference.as_str()), &self.reference),
            (Point::Email, reading.customer_email.as_ref().map(|email| email.as_str()), &self.email),
            (Point::Name, reading.customer_name.as_ref().map(|name| name.as_str()), &self.name),
            (Point::Date, reading.order_date.as_ref().map(|date| date.as_str()), &self.order_date),
            (Point::Locale, reading.locale.as_deref(), &self.locale),
        ];
        all.into_iter().filter_map(|(point, got, wish)| Some(Value { point, got, wish: wish.as_ref()?.as_ref() }))
    }
}

/// A value that was read beside the one that is wanted.
struct Value<'a> {
    point: Point,
    got: Option<&'a str>,
    wish: Option<&'a Wish>,
}

impl Value<'_> {
    fn fits(&self) -> bool {
        match (self.got, self.wish) {
            (None, None) => true,
            (Some(got), Some(wish)) => wish.is(got),
            _ => false,
        }
    }
}

struct Judge<'r> {
    reading: &'r Reading,
    used: bool,
}

impl Judge<'_> {
    fn one(&self, point: Point, right: bool, missing: bool, got: String, wanted: String) -> Judgement {
        let verdict = match (right, self.used, missing) {
            (true, _, _) => Verdict::Right,
            (_, false, _) => Verdict::Unused,
            (_, _, true) => Verdict::Missing,
            _ => Verdict::Wrong,
        };
        Judgement { point, verdict, got, wanted }
    }

    fn fate(&self, fate: &Fate) -> Judgement {
        let reading = self.reading;
        let is_one_of = |events: &[EventKind]| {
            self.used && (events.is_empty() || reading.event.is_some_and(|event| events.contains(&event)))
        };
        let (point, right) = match fate {
            Fate::Event(events) => (Point::Event, is_one_of(events)),
            Fate::Other(events) => (Point::Event, !self.used || is_one_of(events)),
            Fate::SetAside(outcome) => {
                (Point::SetAside, !self.used && outcome.is_none_or(|outcome| outcome == reading.outcome))
            }
        };
        self.one(point, right, false, event_of(reading), fate_of(fate))
    }

    fn products(&self, wanted: &[ExpectedProduct]) -> Vec<Judgement> {
        let got = &self.reading.products;
        let all = |same: fn(&Product, &ExpectedProduct) -> bool| {
            got.len() == wanted.len() && got.iter().zip(wanted).all(|(got, wanted)| same(got, wanted))
        };
        let right = all(is_it);
        let mut judged = vec![self.one(
            Point::Products,
            right,
            got.is_empty(),
            listed(got.iter().map(|one| line(&one.name, one.quantity))),
            listed(wanted.iter().map(|one| line(&one.name.text, one.quantity))),
        )];
        if wanted.iter().any(ExpectedProduct::is_detailed) {
            let details = |name: &str, rest: [&Option<String>; 3]| {
                rest.into_iter().flatten().fold(name.to_owned(), |line, part| line + ", " + part)
            };
            judged.push(self.one(
                Point::ProductsInFull,
                right && all(is_it_in_full),
                got.is_empty(),
                listed(got.iter().map(|one| details(&one.name, [&one.sku, &one.price, &one.url]))),
                listed(wanted.iter().map(|one| details(&one.name.text, [&one.sku, &one.price, &one.url]))),
            ));
        }
        judged
    }
}

fn is_it(got: &Product, wanted: &ExpectedProduct) -> bool {
    wanted.name.is(&got.name) && wanted.quantity.is_none_or(|quantity| got.quantity == Some(quantity))
}

fn is_it_in_full(got: &Product, wanted: &ExpectedProduct) -> bool {
    let same = |got: &Option<String>, wanted: &Option<String>| wanted.is_none() || got == wanted;
    same(&got.sku, &wanted.sku) && same(&got.url, &wanted.url) && same(&got.price, &wanted.price)
}

fn shown(value: Option<&str>) -> String {
    value.unwrap_or("nothing").to_owned()
}

fn wished(wish: Option<&Wish>) -> String {
    shown(wish.map(|wish| wish.text.as_str()))
}

/// `order placed`, or the outcome with its reason.
fn event_of(reading: &Reading) -> String {
    match (reading.outcome, reading.event) {
        (Outcome::Event, Some(event)) => format!("order {event}"),
        (outcome, _) => match &reading.reason {
            Some(reason) => format!("{}: {reason}", outcome.as_str()),
            None => outcome.as_str().to_owned(),
        },
    }
}

fn fate_of(fate: &Fate) -> String {
    let words = |events: &[EventKind]| events.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
    match fate {
        Fate::Event(events) if events.is_empty() => "an order event".to_owned(),
        Fate::Event(events) => format!("order {}", words(events)),
        Fate::Other(events) => format!("set aside, or order {}", words(events)),
        Fate::SetAside(None) => "set aside".to_owned(),
        Fate::SetAside(Some(outcome)) => outcome.as_str().to_owned(),
    }
}

fn line(name: &str, quantity: Option<u32>) -> String {
    quantity.map_or_else(|| name.to_owned(), |quantity| format!("{quantity} × {name}"))
}

fn listed(lines: impl Iterator<Item = String>) -> String {
    let lines = lines.collect::<Vec<_>>();
    if lines.is_empty() { "nothing".to_owned() } else { lines.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::domain::{EmailAddress, OrderReference, PersonName};

    fn expected(text: &str) -> Expected {
        Expected::parse(&Document::new("x.json", text)).unwrap()
    }

    /// A mail that was used, for order 7 of Ylva.
    fn used(event: EventKind) -> Reading {
        Reading {
            outcome: Outcome::Event,
            event: Some(event),
            customer_name: PersonName::parse("Ylva Holm"),
            customer_email: EmailAddress::parse("ylva@example.org").ok(),
            reference: OrderReference::parse("7"),
            products: vec![Product { name: "Lantern, brass".to_owned(), quantity: Some(2), ..Product::default() }],
            ..Reading::without_findings(Outcome::Event, "")
        }
    }

    fn held() -> Reading {
        Reading { reference: OrderReference::parse("7"), ..Reading::without_findings(Outcome::Held, "no address") }
    }

    fn verdicts(expected: &Expected, reading: &Reading) -> Vec<(Point, Verdict)> {
        expected.judge(reading).into_iter().map(|one| (one.point, one.verdict)).collect()
    }

    #[test]
    fn every_point_has_its_verdict() {
        use Verdict::{Missing, Right, Unused, Wrong};
        let order = expected(
            "{\"kind\": \"order\", \"reference\": \"7\", \"customer_email\": \"olle@example.org\", \"customer_name\": null, \
             \"locale\": \"sv\", \"products\": [{\"name\": \"lantern\", \"quantity\": 2, \"price\": \"1 kr\"}]}",
        );
        assert_eq!(
            verdicts(&order, &used(EventKind::Paid)),
            [
                (Point::Event, Right),
                (Point::Reference, Right),
                (Point::Email, Wrong),
                (Point::Name, Wrong),
                (Point::Products, Right),
                (Point::ProductsInFull, Wrong),
                (Point::Locale, Missing),
            ]
        );
        assert_eq!(
            verdicts(&order, &held()),
            [
                (Point::Event, Unused),
                (Point::Reference, Right),
                (Point::Email, Unused),
                (Point::Name, Right),
                (Point::Products, Unused),
                (Point::ProductsInFull, Unused),
                (Point::Locale, Unused),
            ]
        );
    }

    #[test]
    fn what_must_invite_nobody_is_right_when_it_is_set_aside() {
        let negative = expected("{\"kind\": \"negative\"}");
        assert_eq!(verdicts(&negative, &held()), [(Point::SetAside, Verdict::Right)]);
        assert_eq!(verdicts(&negative, &used(EventKind::Paid)), [(Point::SetAside, Verdict::Wrong)]);
        let ignored = expected("{\"outcome\": \"ignored\", \"reason_contains\": \"address\"}");
        let judged = verdicts(&ignored, &held());
        assert_eq!(judged, [(Point::SetAside, Verdict::Unused), (Point::Reason, Verdict::Right)]);
        let told = expected("{\"outcome\": \"held\", \"event\": \"shipped\"}");
        assert_eq!(verdicts(&told, &held()), [(Point::Event, Verdict::Unused), (Point::SetAside, Verdict::Right)]);
    }

    #[test]
    fn only_what_is_used_is_misused() {
        let order = "{\"kind\": \"order\", \"reference\": \"8\", \"customer_email\": \"ylva@example.org\"}";
        let other = order.replace("order", "other");
        let points = |text: &str, reading: &Reading| {
            expected(text).misuses(reading).into_iter().map(|one| one.point).collect::<Vec<_>>()
        };
        assert_eq!(points(order, &held()), []);
        assert_eq!(points(order, &used(EventKind::Placed)), [Point::Reference]);
        assert_eq!(points(order, &used(EventKind::Refunded)), [Point::Reference, Point::Event]);
        // A delay that is read need not be, but not for another order.
        assert_eq!(points(&other, &used(EventKind::Delayed)), [Point::Reference]);
        assert_eq!(verdicts(&expected(&other), &used(EventKind::Delayed)), [(Point::Event, Verdict::Right)]);
        assert_eq!(points("{\"kind\": \"negative\"}", &used(EventKind::Delayed)), [Point::SetAside]);
        assert_eq!(points("{\"kind\": \"cancel\"}", &used(EventKind::Shipped)), [Point::Event]);
        assert_eq!(points("{\"kind\": \"cancel\"}", &used(EventKind::Refunded)), []);
    }
}
