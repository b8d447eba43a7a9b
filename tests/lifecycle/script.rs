//! Schedules as text: a line for each thing that happens, and what is decided then.
//!
//! `3 10:00 A shipped -> queued, next 17 10:00 (trigger-starts-delay)` reads: on day 3 at ten order A is told of as shipped; it is
//! queued then. What happens from outside is taken from the text, everything else (`due`, `letter 1`, `rules`) is what the code
//! does, and the whole text must come out as it was written.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use invited::domain::{
    Customer, CustomerNews, Decision, DeskOrder, EmailAddress, EventKind, History, Invitation, InvitationId,
    OrderDetails, OrderNews, OrderReference, Outside, Planned, Policies, Policy, Product, Progress, PutOffs, ShopId,
    ShopRules, State, Step, Suppressed, Timestamp, Zone, play,
};

/// How instants are written.
pub(crate) enum Calendar {
    /// `3 10:00`: days from 0, a Monday, and hours in UTC.
    Days,
    /// `Sun 2027-03-28 03:30+02:00`, by the clocks of this zone.
    Civil(Zone),
}

/// A world of orders to play.
pub(crate) struct Script {
    pub(crate) policies: BTreeMap<&'static str, Policy>,
    pub(crate) calendar: Calendar,
    /// `A anna nord lamp`: order A of anna in the shop nord, of lamps.
    pub(crate) orders: &'static [&'static str],
    /// Since when an address is on the list.
    pub(crate) suppressed: Option<(&'static str, &'static str)>,
}

impl Script {
    /// One shop, one order, days counted.
    pub(crate) fn of(policy: Policy) -> Self {
        Self {
            policies: BTreeMap::from([("nord", policy)]),
            calendar: Calendar::Days,
            orders: &["A anna nord lamp"],
            suppressed: None,
        }
    }

    /// Plays what happens from outside and compares the whole with the text.
    pub(crate) fn check(&self, text: &str) {
        let expected = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>();
        let mut histories = self.histories();
        for line in &expected {
            let happens = line.split(" -> ").next().unwrap();
            let (at, rest) = self.calendar.read(happens);
            let (name, what) = rest.split_once(' ').unwrap_or_else(|| panic!("{line}"));
            if let Some(outside) = self.outside(at, what) {
                let history = histories.get_mut(name).unwrap_or_else(|| panic!("no order {name}"));
                history.facts.created_at = history.facts.created_at.min(at);
                history.events.push((at, outside));
            }
        }
        let histories = histories.into_values().collect::<Vec<_>>();
        let policies = self.policies();
        let list = |invitation: &Invitation| self.on_the_list(invitation);
        let mut lines = Vec::new();
        play(&histories, &policies, &list, &mut |at, facts, step, decision| {
            lines.push(self.line(at, facts, step, decision));
        });
        assert_eq!(lines.join("\n"), expected.join("\n"), "\n{}\n", lines.join("\n"));
    }

    /// What is known of the orders.
    pub(crate) fn facts(&self) -> Vec<Invitation> {
        self.histories().into_values().map(|history| history.facts).collect()
    }

    pub(crate) fn policies(&self) -> Policies {
        let zone = match &self.calendar {
            Calendar::Days => Zone::UTC,
            Calendar::Civil(zone) => zone.clone(),
        };
        let policies = self.policies.iter().map(|(shop, policy)| {
            let rules = ShopRules { base: policy.clone(), zone: zone.clone(), ..ShopRules::default() };
            (ShopId::parse(shop).unwrap(), rules)
        });
        policies.collect()
    }

    /// A copy that tells of an order.
    pub(crate) fn placed(at: Timestamp) -> Outside {
        Outside::Order(OrderNews::new(EventKind::Placed, at))
    }

    fn histories(&self) -> BTreeMap<&'static str, History> {
        let histories = self.orders.iter().zip(1..).map(|(order, id)| {
            let words = order.split(' ').collect::<Vec<_>>();
            let [name, person, shop, product] = words[..] else { panic!("{order}") };
            let product = Product { name: product.to_owned(), sku: Some(product.to_owned()), ..Product::default() };
            let facts = Invitation {
                id: InvitationId(id),
                shop: ShopId::parse(shop).unwrap(),
                reference: OrderReference::parse(name).unwrap(),
                customer: Customer {
                    email: EmailAddress::parse(&format!("{person}@customer.example")).unwrap(),
                    name: None,
                },
                order: OrderDetails { products: vec![product], ..OrderDetails::default() },
                progress: nothing(),
                round: 0,
                follows: None,
                link_series: 0,
                created_at: Timestamp(i64::MAX),
                updated_at: Timestamp::from_seconds(0),
            };
            (name, History { facts, events: Vec::new() })
        });
        histories.collect()
    }

    fn on_the_list(&self, invitation: &Invitation) -> Option<Suppressed> {
        let (person, since) = self.suppressed?;
        let address = format!("{person}@customer.example");
        let since = self.calendar.read(&format!("{since} A")).0;
        (invitation.customer.email.as_str() == address).then(|| Suppressed {
            kind: "address",
            is_global: true,
            reason: "asked".to_owned(),
            since,
        })
    }

    /// What happens from outside, or `None` for what the code does by itself.
    fn outside(&self, at: Timestamp, what: &str) -> Option<Outside> {
        let mut words = what.split(' ');
        let first = words.next().unwrap();
        let option = |name: &str| {
            let value = what.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='))?;
            Some(self.calendar.read(&format!("{} A", value.replace(',', " "))).0)
        };
        Some(match first {
            "due" | "letter" | "rules" => return None,
            "invited" => Outside::Invited(option("due").unwrap_or(at)),
            "desk" => Outside::Desk(match words.next().unwrap() {
                "cancel" => DeskOrder::Cancel,
                "send-now" => DeskOrder::SendNow,
                _ => DeskOrder::Reschedule(option("to").unwrap()),
            }),
            "customer" => {
                let word = words.next().unwrap();
                Outside::Customer(CustomerNews::ALL.into_iter().find(|news| news.as_str() == word).unwrap())
            }
            kind => Outside::Order(OrderNews {
                kind: EventKind::parse(kind).unwrap_or_else(|| panic!("{what}")),
                told_at: option("told").unwrap_or(at),
                expected_by: option("expected"),
                preferred: option("wish"),
            }),
        })
    }

    fn line(&self, at: Timestamp, facts: &Invitation, step: Step<'_>, decision: &Decision) -> String {
        let mut line = format!("{} {} ", self.calendar.write(at, ' '), facts.reference);
        match step {
            Step::Due => line.push_str("due"),
            Step::NotAdmitted => line.push_str("rules"),
            Step::Letter(number) => write!(line, "letter {number}").unwrap(),
            Step::Outside(outside) => line.push_str(&self.words(at, outside)),
        }
        write!(line, " -> {}", decision.progress.state).unwrap();
        if let Some(due) = decision.progress.due_at {
            write!(line, ", next {}", self.calendar.write(due, ' ')).unwrap();
        }
        write!(line, " ({})", decision.rule).unwrap();
        line
    }

    fn words(&self, at: Timestamp, outside: &Outside) -> String {
        let time = |at: Timestamp| self.calendar.write(at, ',');
        let option =
            |name: &str, at: Option<Timestamp>| at.map(|at| format!(" {name}={}", time(at))).unwrap_or_default();
        match outside {
            Outside::Order(news) => {
                let told = option("told", Some(news.told_at).filter(|told| *told != at));
                let (expected, wish) = (option("expected", news.expected_by), option("wish", news.preferred));
                format!("{}{told}{expected}{wish}", news.kind.as_str())
            }
            Outside::Invited(due) => format!("invited{}", option("due", Some(*due).filter(|due| *due != at))),
            Outside::Desk(DeskOrder::Cancel) => "desk cancel".to_owned(),
            Outside::Desk(DeskOrder::SendNow) => "desk send-now".to_owned(),
            Outside::Desk(DeskOrder::Reschedule(to)) => format!("desk reschedule to={}", time(*to)),
            Outside::Customer(news) => format!("customer {}", news.as_str()),
        }
    }
}

impl Calendar {
    /// The instant at the beginning of a line, and the rest of it.
    fn read<'l>(&self, line: &'l str) -> (Timestamp, &'l str) {
        match self {
            Self::Days => {
                let mut parts = line.splitn(3, ' ');
                let (day, hour, rest) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
                let (hour, minute) = hour.split_once(':').unwrap_or_else(|| panic!("{line}"));
                let minutes = hour.parse::<i64>().unwrap() * 60 + minute.parse::<i64>().unwrap();
                (Timestamp(MONDAY.0 + day.parse::<i64>().unwrap() * 86_400_000 + minutes * 60_000), rest)
            }
            Self::Civil(_) => {
                let mut parts = line.splitn(4, ' ').skip(1);
                let (day, hour, rest) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
                let at =
                    format!("{day}T{hour}").parse::<jiff::Timestamp>().unwrap_or_else(|why| panic!("{line}: {why}"));
                (Timestamp::from(at), rest)
            }
        }
    }

    fn write(&self, at: Timestamp, between: char) -> String {
        match self {
            Self::Days => {
                let minutes = (at.0 - MONDAY.0).div_euclid(60_000);
                let (day, rest) = (minutes.div_euclid(1440), minutes.rem_euclid(1440));
                format!("{day}{between}{:02}:{:02}", rest / 60, rest % 60)
            }
            Self::Civil(zone) => {
                let at = at.to_jiff().to_zoned(zone.to_jiff());
                at.strftime("%a %Y-%m-%d %H:%M%:z").to_string().replace(' ', &between.to_string())
            }
        }
    }
}

/// 2 November 2026, midnight in UTC.
const MONDAY: Timestamp = Timestamp::from_seconds(1_793_577_600);

fn nothing() -> Progress {
    Progress {
        state: State::Waiting,
        due_at: None,
        expires_at: None,
        letters_sent: 0,
        attempts: 0,
        planned: Planned::Trigger,
        expected_by: None,
        cancelled_at: None,
        put_off: PutOffs::default(),
    }
}
