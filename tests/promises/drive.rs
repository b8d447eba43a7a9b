//! One random history: a world of orders, taken through random events, and each letter laid before the ledger.

use std::cell::RefCell;

use invited::domain::{
    AddressClassSet, Attempt, Cap, CapScope, Consent, Customer, CustomerNews, DAY, Decision, DeskOrder, EmailAddress,
    EventKind, Fallback, Holidays, Hours, InDoubt, Invitation, InvitationId, OrderDetails, OrderNews, OrderReference,
    Outside, Planned, Policies, Policy, Product, Progress, PutOffs, SendWindow, ShopId, ShopRules, State, Suppressed,
    Timestamp, Trigger, Weekdays, World, Zone,
};

use super::chance::Chance;
use super::ledger::{Ledger, Promised};

const START: Timestamp = Timestamp::from_seconds(1_803_513_600);
const SHOPS: [&str; 2] = ["nord", "syd"];
const PERSONS: [&str; 2] = ["anna@customer.example", "bo@customer.example"];
const ZONES: [&str; 4] = ["UTC", "Europe/Copenhagen", "America/New_York", "Australia/Sydney"];
/// How often a letter may be looked at before it must have come to an end, with nothing more happening to it.
const LOOKS_AT_MOST: usize = 400;

/// Plays the history of this seed; the number of letters that went out.
pub(crate) fn history(seed: u64, is_told: bool) -> u64 {
    let mut chance = Chance::of(seed);
    let promised = SHOPS.map(|_| promised(&mut chance));
    let policies = SHOPS.iter().zip(&promised).map(|(shop, promised)| {
        let zone = Zone::named(promised.zone).unwrap();
        (ShopId::parse(shop).unwrap(), ShopRules { base: promised.policy.clone(), zone, ..ShopRules::default() })
    });
    let policies = policies.collect::<Policies>();
    let suppressed = RefCell::new([None; PERSONS.len()]);
    let list = |invitation: &Invitation| {
        let person = PERSONS.iter().position(|person| *person == invitation.customer.email.as_str())?;
        let since = suppressed.borrow()[person]?;
        Some(Suppressed { kind: "address", is_global: true, reason: String::new(), since })
    };
    let mut drive = Drive {
        seed,
        is_told,
        orders: orders(&mut chance),
        chance,
        world: World::new(&policies, &list),
        suppressed: &suppressed,
        lives: Vec::new(),
        ledger: Ledger::new(promised),
        now: START,
    };
    for _ in 0..12 + drive.chance.below(24) {
        drive.step();
    }
    drive.drain();
    drive.ledger.letters()
}

fn promised(chance: &mut Chance) -> Promised {
    let trigger = chance.pick(&[Trigger::Order, Trigger::Shipment, Trigger::Delivery]);
    let otherwise = match trigger {
        Trigger::Order => None,
        Trigger::Shipment => chance.maybe(Fallback { trigger: Trigger::Order, delay: DAY * 20 }),
        Trigger::Delivery => chance.maybe(Fallback { trigger: Trigger::Shipment, delay: DAY * 12 }),
    };
    let hours = chance.pick(&[None, None, None, Some((9, 20)), Some((8, 12)), Some((21, 6))]);
    let weekdays: Option<i8> = [None, Some(5)][usize::from(chance.one_in(3))];
    let days = Weekdays::ALL.iter().take(usize::try_from(weekdays.unwrap_or(7)).unwrap()).collect::<Weekdays>();
    let hours_of = |(from, until): (i8, i8)| Hours::parse(&format!("{from:02}:00-{until:02}:00")).unwrap();
    let reminders = chance.below(4) as u32;
    let policy = Policy {
        trigger,
        otherwise,
        delay: DAY * chance.pick(&[0, 3, 7, 14]),
        reminder: (reminders > 0).then_some(DAY * chance.pick(&[5, 7])),
        reminders,
        letters_per_order: 1 + chance.below(4) as u32,
        cap_scope: chance.pick(&[CapScope::AllShops, CapScope::Shop]),
        person_cap: Some(Cap { letters: 1 + chance.below(4) as u32, within: DAY * 30 }).filter(|_| chance.one_in(2)),
        person_apart: chance.maybe(DAY * 5),
        same_product: chance.maybe(DAY * 60),
        same_person: Some(DAY * 25).filter(|_| chance.one_in(4)),
        max_age: Some(DAY * 45).filter(|_| chance.one_in(3)),
        consent: if chance.one_in(5) { Consent::Required } else { Consent::NotNeeded },
        refused: AddressClassSet::NONE,
        window: SendWindow::new(hours.map(hours_of), days, Holidays::NONE),
        in_doubt: chance.pick(&[InDoubt::Hold, InDoubt::Resend]),
        ..Policy::AFS
    };
    Promised { policy, hours, weekdays, zone: chance.pick(&ZONES) }
}

/// Orders as the shops' mails tell of them: who, where, and which.
fn orders(chance: &mut Chance) -> Vec<Invitation> {
    let orders = (0..2 + chance.below(4)).map(|number| {
        let product = chance.pick(&["lamp", "rug"]);
        let product = Product { name: product.to_owned(), sku: Some(product.to_owned()), ..Product::default() };
        let consent = chance.pick(&[None, Some(true), Some(true), Some(false)]);
        Invitation {
            id: InvitationId(0),
            shop: ShopId::parse(chance.pick(&SHOPS)).unwrap(),
            // Few references, so that one order is told of under two addresses at times.
            reference: OrderReference::parse(&format!("A-{}", chance.below(number + 2))).unwrap(),
            customer: Customer { email: EmailAddress::parse(chance.pick(&PERSONS)).unwrap(), name: None },
            order: OrderDetails { products: vec![product], consent, ..OrderDetails::default() },
            progress: Progress {
                state: State::Waiting,
                due_at: None,
                expires_at: None,
                letters_sent: 0,
                attempts: 0,
                planned: Planned::Trigger,
                expected_by: None,
                cancelled_at: None,
                put_off: PutOffs::default(),
            },
            round: 0,
            follows: None,
            link_series: 0,
            created_at: START,
            updated_at: START,
        }
    });
    orders.collect()
}

struct Drive<'d> {
    seed: u64,
    is_told: bool,
    chance: Chance,
    orders: Vec<Invitation>,
    world: World<'d>,
    suppressed: &'d RefCell<[Option<Timestamp>; PERSONS.len()]>,
    /// What is known of the invitations that have begun, by their numbers in the world.
    lives: Vec<Invitation>,
    ledger: Ledger,
    now: Timestamp,
}

impl Drive<'_> {
    fn step(&mut self) {
        self.now = match self.chance.below(20) {
            0 => self.chance.around(self.now, 20, 0),
            1 => self.chance.around(self.now, 0, 60),
            _ => self.chance.around(self.now, 0, 6),
        };
        match self.chance.below(16) {
            0..=6 => self.order_news(),
            7 => self.desk(),
            8 => self.customer(),
            9 => self.list(),
            10 => self.by_hand(),
            _ => {}
        }
        self.send_what_is_due();
    }

    fn order_news(&mut self) {
        let kind = if self.chance.one_in(8) {
            self.chance.pick(&[EventKind::Cancelled, EventKind::Refunded])
        } else {
            self.chance.pick(&[
                EventKind::Placed,
                EventKind::Paid,
                EventKind::Shipped,
                EventKind::ShippedInPart,
                EventKind::Delivered,
                EventKind::Delayed,
                EventKind::RefundedInPart,
            ])
        };
        let news = OrderNews {
            kind,
            told_at: self.chance.around(self.now, 4, 0),
            expected_by: Some(self.chance.around(self.now, 2, 12)).filter(|_| self.chance.one_in(5)),
            preferred: Some(self.chance.around(self.now, 0, 9)).filter(|_| self.chance.one_in(12)),
        };
        let order = self.chance.below(self.orders.len() as u64) as usize;
        let facts = self.orders[order].clone();
        let outside = Outside::Order(news);
        // As the store does: the end of an order is told to all who are known, anything else to the customer's last invitation.
        let same = |one: &Invitation| one.shop == facts.shop && one.reference == facts.reference;
        let theirs = self.lives.iter().rposition(|one| same(one) && one.customer.email == facts.customer.email);
        let told = if kind.ends_the_order() {
            (0..self.lives.len()).filter(|life| same(&self.lives[*life])).collect::<Vec<_>>()
        } else {
            theirs.into_iter().collect()
        };
        for life in &told {
            self.tell(*life, &outside);
        }
        if told.is_empty() {
            self.begin(facts, &outside);
        }
        // A mail that comes twice.
        if self.chance.one_in(6) {
            for life in told {
                self.tell(life, &outside);
            }
        }
    }

    fn begin(&mut self, facts: Invitation, outside: &Outside) {
        let life = self.lives.len();
        let facts = Invitation { id: InvitationId(life as i64 + 1), created_at: self.now, ..facts };
        let decision = self.world.begin(life, &facts, outside, self.now);
        self.ledger.begin(life, &facts, outside, &decision, self.now);
        self.say(life, &format!("{} {} {outside:?}", facts.shop, facts.reference), &decision);
        self.lives.push(facts);
        if matches!(outside, Outside::Order(_)) {
            self.world.admit(life, self.now);
        }
    }

    fn tell(&mut self, life: usize, outside: &Outside) {
        let before = self.world.progress(life).unwrap().clone();
        let decision = self.world.tell(life, outside, self.now).unwrap();
        self.ledger.told(life, outside, &before, &decision, self.now);
        self.say(life, &format!("{outside:?}"), &decision);
        if matches!(outside, Outside::Order(_)) {
            self.world.admit(life, self.now);
        }
    }

    /// Tells the story when a single history is played.
    fn say(&self, life: usize, what: &str, decision: &Decision) {
        if self.is_told {
            let next = decision.progress.due_at.map(|due| format!(", next {due}")).unwrap_or_default();
            eprintln!("{} {life}: {what} -> {}{next} ({})", self.now, decision.progress.state, decision.rule);
        }
    }

    fn any(&mut self) -> Option<usize> {
        (!self.lives.is_empty()).then(|| self.chance.below(self.lives.len() as u64) as usize)
    }

    fn desk(&mut self) {
        let Some(life) = self.any() else { return };
        let order = match self.chance.below(4) {
            0 => DeskOrder::Cancel,
            1 => DeskOrder::SendNow,
            _ => DeskOrder::Reschedule(self.chance.around(self.now, 3, 100)),
        };
        self.tell(life, &Outside::Desk(order));
    }

    fn customer(&mut self) {
        let Some(life) = self.any() else { return };
        let news = self.chance.pick(&CustomerNews::ALL);
        self.tell(life, &Outside::Customer(news));
    }

    fn list(&mut self) {
        let person = self.chance.below(PERSONS.len() as u64) as usize;
        let mut list = self.suppressed.borrow_mut();
        // People are taken off the list, too.
        list[person] = if list[person].is_some() { None } else { Some(self.now) };
    }

    /// Somebody asks for an invitation: once more after one that has ended, or for an order that nobody has told of.
    fn by_hand(&mut self) {
        let outside = Outside::Invited(self.now);
        if let Some(before) = self.any().filter(|_| self.chance.one_in(2)) {
            let facts = self.lives[before].clone();
            let last = self.lives.iter().rposition(|one| {
                one.shop == facts.shop && one.reference == facts.reference && one.customer.email == facts.customer.email
            });
            let follows = last.map(|last| self.lives[last].id);
            self.begin(Invitation { follows, round: facts.round + 1, ..facts }, &outside);
        } else {
            let number = self.lives.len();
            let order = self.chance.below(self.orders.len() as u64) as usize;
            let reference = OrderReference::parse(&format!("H-{number}")).unwrap();
            self.begin(Invitation { reference, ..self.orders[order].clone() }, &outside);
        }
    }

    /// All that is due by the clock, as the daemon claims it.
    fn send_what_is_due(&mut self) {
        for _ in 0..40 {
            let Some((_, life)) = self.world.next_due().filter(|(at, _)| *at <= self.now) else { return };
            if self.claim(life) {
                self.on_its_way(life);
            }
        }
    }

    /// Whether a letter was claimed.
    fn claim(&mut self, life: usize) -> bool {
        let letters_sent = self.world.progress(life).unwrap().letters_sent;
        let due = self.world.progress(life).unwrap().due_at;
        let decision = self.world.due(life, self.now).unwrap();
        self.say(life, "due", &decision);
        let progress = &decision.progress;
        assert!(progress.due_at != due || due.is_none(), "seed {}: looked at for nothing", self.seed);
        if progress.state != State::Sending {
            return false;
        }
        let person = PERSONS.iter().position(|person| *person == self.lives[life].customer.email.as_str()).unwrap();
        let on_the_list = self.suppressed.borrow()[person].is_some_and(|since| since <= self.now);
        if let Err(broken) = self.ledger.claim(life, letters_sent, on_the_list, self.now) {
            panic!("seed {}: {broken}", self.seed);
        }
        true
    }

    /// What may happen to a letter between its claim and the relay's answer, and the answer.
    fn on_its_way(&mut self, life: usize) {
        if self.chance.one_in(12) {
            let kind = self.chance.pick(&[EventKind::Cancelled, EventKind::Delayed, EventKind::Shipped]);
            self.tell(life, &Outside::Order(OrderNews::new(kind, self.now)));
        } else if self.chance.one_in(16) {
            let news = self.chance.pick(&CustomerNews::ALL);
            self.tell(life, &Outside::Customer(news));
        } else if self.chance.one_in(16) {
            self.tell(life, &Outside::Desk(DeskOrder::Cancel));
        }
        let retry_at = self.now.plus(std::time::Duration::from_secs(360));
        let attempt = match self.chance.below(24) {
            0 => Attempt::Deferred { retry_at },
            1 => Attempt::RelayDown { retry_at },
            2 => Attempt::Refused,
            3 => Attempt::AnswerLost { retry_at },
            4 => Attempt::Interrupted,
            5 => Attempt::Unsendable,
            _ => Attempt::Accepted,
        };
        self.settle(life, attempt);
        // An answer that comes late, after everything.
        if self.chance.one_in(10) && matches!(attempt, Attempt::AnswerLost { .. }) {
            self.settle(life, Attempt::Accepted);
        }
    }

    fn settle(&mut self, life: usize, attempt: Attempt) {
        let decision: Decision = self.world.settle(life, attempt, self.now).unwrap();
        self.ledger.settled(life, attempt, &decision, self.now);
        self.say(life, &format!("{attempt:?}"), &decision);
    }

    /// Nothing more happens: everything comes to an end by itself, or waits for a person.
    fn drain(&mut self) {
        let mut looks = 0;
        while let Some((at, life)) = self.world.next_due() {
            self.now = self.now.max(at);
            looks += 1;
            assert!(looks < LOOKS_AT_MOST, "seed {}: no end", self.seed);
            if self.claim(life) {
                self.settle(life, Attempt::Accepted);
            }
        }
        for life in 0..self.lives.len() {
            let state = self.world.progress(life).unwrap().state;
            let waits_for_a_person = matches!(state, State::Held | State::Failed | State::InDoubt);
            assert!(state.has_ended() || waits_for_a_person, "seed {}: {state} for ever", self.seed);
        }
    }
}
