//! What is promised, kept as a ledger of what was seen from outside: what was told, and which letters went. None of the code that
//! decides is asked here.

use std::time::Duration;

use invited::domain::{
    Attempt, CapScope, Consent, CustomerNews, Decision, DeskOrder, EventKind, InDoubt, Invitation, InvitationId,
    OrderNews, Outside, Policy, Progress, Rule, State, Timestamp, Trigger, Zone,
};

const HOUR: Duration = Duration::from_secs(3600);

/// What a shop promises: its policy, and the hours and the weekdays (so many from Monday) in a form of their own.
pub(crate) struct Promised {
    pub(crate) policy: Policy,
    pub(crate) hours: Option<(i8, i8)>,
    pub(crate) weekdays: Option<i8>,
    pub(crate) zone: &'static str,
}

/// A letter that counts for the person.
struct Letter {
    life: usize,
    number: u32,
    at: Timestamp,
}

/// What was seen of one invitation.
struct Account {
    facts: Invitation,
    /// Letters that a relay took, and when the last one was.
    taken: u32,
    last_taken: Option<Timestamp>,
    /// Why no letter may ever go: a person or the customer said so.
    stopped: Option<&'static str>,
    declined: bool,
    /// When the mail was written that cancelled the order, unless a person has said since that it goes on.
    cancelled: Option<Timestamp>,
    /// A mail says that the order went on after that, so a person may say so.
    goes_on: bool,
    /// Nothing may go until a person says so.
    waits_for_a_person: Option<&'static str>,
    /// Who chose the time of the letter that is next.
    at_once: bool,
    by_person: bool,
    by_shop: bool,
    told: Vec<OrderNews>,
    expected: Option<Timestamp>,
    /// What the customer has asked to wait for, and until when the last of it was promised.
    asked: Vec<CustomerNews>,
    not_before: Option<Timestamp>,
}

pub(crate) struct Ledger {
    shops: [Promised; 2],
    accounts: Vec<Account>,
    letters: Vec<Letter>,
    taken: u64,
}

impl Ledger {
    pub(crate) fn new(shops: [Promised; 2]) -> Self {
        Self { shops, accounts: Vec::new(), letters: Vec::new(), taken: 0 }
    }

    pub(crate) fn letters(&self) -> u64 {
        self.taken
    }

    fn promised(&self, account: &Account) -> &Promised {
        &self.shops[usize::from(account.facts.shop.as_str() != "nord")]
    }

    pub(crate) fn begin(
        &mut self,
        life: usize,
        facts: &Invitation,
        outside: &Outside,
        decision: &Decision,
        now: Timestamp,
    ) {
        assert_eq!(life, self.accounts.len());
        let mut account = Account {
            facts: facts.clone(),
            taken: 0,
            last_taken: None,
            stopped: None,
            declined: false,
            cancelled: None,
            goes_on: false,
            waits_for_a_person: None,
            at_once: false,
            by_person: !matches!(outside, Outside::Order(_)),
            by_shop: false,
            told: Vec::new(),
            expected: None,
            asked: Vec::new(),
            not_before: None,
        };
        let before = facts.follows.map(|InvitationId(id)| &self.accounts[usize::try_from(id - 1).unwrap()]);
        if let Some(before) = before {
            // Nobody is asked again who has had their say, nor about an order that the shop has cancelled.
            account.declined = before.declined;
            account.stopped = before.declined.then_some("the customer had their say before it");
            account.cancelled = before.cancelled;
        } else if matches!(outside, Outside::Order(_)) {
            let same = |one: &&Account| one.facts.shop == facts.shop && one.facts.reference == facts.reference;
            let others = self.accounts.iter().filter(same);
            account.cancelled = others.filter_map(|one| one.cancelled).max();
        }
        self.accounts.push(account);
        self.told(life, outside, &Progress { state: State::Waiting, ..decision.progress.clone() }, decision, now);
    }

    pub(crate) fn told(
        &mut self,
        life: usize,
        outside: &Outside,
        before: &Progress,
        decision: &Decision,
        now: Timestamp,
    ) {
        let (not_arrived, ask_later) = {
            let policy = &self.promised(&self.accounts[life]).policy;
            (policy.not_arrived, policy.ask_later)
        };
        let account = &mut self.accounts[life];
        match outside {
            Outside::Order(news) => account.order(*news, before.state),
            Outside::Invited(_) => {}
            // Of one that has ended a person is told so; it ends nothing that the customer may still ask for.
            Outside::Desk(DeskOrder::Cancel) if !decision.rule.is_refusal() => {
                account.stopped = Some("a person cancelled it")
            }
            Outside::Desk(_) if decision.rule.is_refusal() => {}
            Outside::Desk(order) => {
                account.at_once = *order == DeskOrder::SendNow;
                account.not_before = None;
                account.by_person = true;
                account.waits_for_a_person = None;
                if account.goes_on {
                    (account.cancelled, account.goes_on) = (None, false);
                }
            }
            Outside::Customer(news @ (CustomerNews::NotArrived | CustomerNews::AskLater)) => {
                if matches!(decision.rule, Rule::NotArrived | Rule::AskedLater) {
                    assert!(!account.asked.contains(news), "a customer put the same off twice");
                    account.asked.push(*news);
                    let wait = if *news == CustomerNews::NotArrived { not_arrived } else { ask_later };
                    account.not_before = account.not_before.max(Some(now.plus(wait)));
                    account.at_once = false;
                    account.by_person = true;
                }
            }
            Outside::Customer(CustomerNews::Bounced) => {
                if !before.state.has_ended() {
                    account.waits_for_a_person = Some("a letter came back");
                }
            }
            Outside::Customer(CustomerNews::Suppressed) => {
                if !before.state.has_ended() {
                    account.stopped = Some("the address was suppressed");
                }
            }
            Outside::Customer(
                CustomerNews::Reviewed | CustomerNews::Unsubscribed | CustomerNews::Complained | CustomerNews::Erased,
            ) => {
                account.stopped = Some("the customer had their say");
                account.declined = true;
            }
        }
    }

    /// A letter is about to go. `number` is how many the code thinks were before it.
    pub(crate) fn claim(&mut self, life: usize, number: u32, on_the_list: bool, now: Timestamp) -> Result<(), String> {
        let account = &self.accounts[life];
        let fault = |what: &str| Err(format!("a letter {what}: invitation {life}, number {number}, {now}"));
        if let Some(why) = account.stopped {
            return fault(&format!("though {why}"));
        }
        if on_the_list {
            return fault("to somebody on the list");
        }
        if account.cancelled.is_some() {
            return fault("after its order was cancelled");
        }
        if let Some(why) = account.waits_for_a_person {
            return fault(&format!("without a person's word though {why}"));
        }
        if number != account.taken {
            return fault("twice");
        }
        let promised = self.promised(account);
        let policy = &promised.policy;
        let reminders = if policy.reminder.is_some() { policy.reminders } else { 0 };
        let asked = u32::try_from(account.asked.len()).unwrap();
        if number >= policy.letters_per_order || number > reminders + asked {
            return fault("more than the order may get");
        }
        if account.not_before.is_some_and(|wait| now < wait) {
            return fault("though the customer asked to wait");
        }
        if !account.at_once {
            if !promised.is_open(now) {
                return fault("outside the window");
            }
            self.often_enough(life, number, now).or_else(|what| fault(&what))?;
            if number == 0 {
                account.is_wanted(policy, now).or_else(fault)?;
            }
        }
        if !account.at_once && !account.by_person {
            match (number, account.last_taken) {
                (0, _) => account.is_time(policy, now).or_else(fault)?,
                (_, Some(_)) if account.not_before.is_some() => {}
                (_, Some(last)) if last.plus(policy.reminder.unwrap()) <= now => {}
                _ => return fault("too early after the one before it"),
            }
        }
        self.letters.retain(|letter| (letter.life, letter.number) != (life, number));
        self.letters.push(Letter { life, number, at: now });
        Ok(())
    }

    fn often_enough(&self, life: usize, number: u32, now: Timestamp) -> Result<(), String> {
        let account = &self.accounts[life];
        let facts = &account.facts;
        let policy = &self.promised(account).policy;
        let theirs = |letter: &&Letter| {
            (letter.life, letter.number) != (life, number)
                && self.accounts[letter.life].facts.customer.email == facts.customer.email
        };
        let letters = self.letters.iter().filter(theirs).collect::<Vec<_>>();
        let ours = |letter: &Letter| self.accounts[letter.life].facts.shop == facts.shop;
        let counts = |letter: &Letter| policy.cap_scope == CapScope::AllShops || ours(letter);
        let lately = |letter: &Letter, span: Duration| now < letter.at.plus(span);
        if let Some(cap) = policy.person_cap {
            let lately = letters.iter().filter(|letter| counts(letter) && lately(letter, cap.within));
            if lately.count() >= cap.letters as usize {
                return Err("beyond the cap of its person".to_owned());
            }
        }
        let within = |letter: &Letter, span: Option<Duration>| span.is_some_and(|span| lately(letter, span));
        if letters.iter().any(|letter| counts(letter) && within(letter, policy.person_apart)) {
            return Err("too soon after another one to the same person".to_owned());
        }
        if number > 0 || facts.follows.is_some() {
            return Ok(());
        }
        if letters.iter().any(|letter| ours(letter) && letter.number == 0 && within(letter, policy.same_person)) {
            return Err("to somebody whom the shop invited lately".to_owned());
        }
        let product = |life: usize| &self.accounts[life].facts.order.products;
        if letters
            .iter()
            .any(|letter| ours(letter) && within(letter, policy.same_product) && product(letter.life) == product(life))
        {
            return Err("about a product that was asked about lately".to_owned());
        }
        Ok(())
    }

    pub(crate) fn settled(&mut self, life: usize, attempt: Attempt, _decision: &Decision, now: Timestamp) {
        let account = &self.accounts[life];
        let holds = self.promised(account).policy.in_doubt == InDoubt::Hold;
        let account = &mut self.accounts[life];
        match attempt {
            Attempt::Accepted => {
                account.taken += 1;
                account.last_taken = Some(now);
                account.at_once = false;
                account.by_person = false;
                account.waits_for_a_person = None;
                self.taken += 1;
            }
            Attempt::AnswerLost { .. } if holds => {
                account.waits_for_a_person = Some("nobody knows whether it went");
            }
            Attempt::AnswerLost { .. } => {}
            Attempt::Refused => account.waits_for_a_person = Some("the relay refused it"),
            Attempt::Unsendable => account.waits_for_a_person = Some("it could not be made"),
            Attempt::Deferred { .. } | Attempt::RelayDown { .. } | Attempt::Interrupted => {}
        }
        if !matches!(attempt, Attempt::Accepted | Attempt::AnswerLost { .. }) {
            let number = account.taken;
            self.letters.retain(|letter| (letter.life, letter.number) != (life, number));
        }
    }
}

impl Account {
    fn order(&mut self, news: OrderNews, state: State) {
        if news.kind.ends_the_order() {
            self.cancelled = self.cancelled.max(Some(news.told_at));
            self.goes_on = false;
            return;
        }
        let tells_that_it_goes_on = !matches!(news.kind, EventKind::Delayed | EventKind::RefundedInPart);
        if self.cancelled.is_some_and(|cancelled| news.told_at > cancelled.plus(HOUR)) && tells_that_it_goes_on {
            self.goes_on = true;
        }
        if !matches!(state, State::Waiting | State::Queued) {
            return;
        }
        self.by_shop |= news.preferred.is_some();
        // What has arrived is not expected any more.
        let known = self.expected.filter(|_| news.kind != EventKind::Delivered);
        self.expected = known.max(news.expected_by);
        self.told.push(news);
    }

    /// Whether the shop wants to ask about this order at all.
    fn is_wanted(&self, policy: &Policy, now: Timestamp) -> Result<(), &'static str> {
        if policy.consent == Consent::Required && self.facts.order.consent != Some(true) {
            return Err("without consent");
        }
        if policy.max_age.is_some_and(|age| self.facts.created_at.plus(age) < now) {
            return Err("about an order that is too old");
        }
        Ok(())
    }

    /// Whether the first letter's time has come by what the shop's mails told.
    fn is_time(&self, policy: &Policy, now: Timestamp) -> Result<(), &'static str> {
        if self.by_shop {
            return Ok(());
        }
        let has_come = |trigger: Trigger, delay: Duration| {
            let reaches = |news: &&OrderNews| kinds(trigger).contains(&news.kind);
            self.told.iter().filter(reaches).any(|news| news.told_at.plus(delay) <= now)
        };
        let fallback = policy.otherwise;
        if !has_come(policy.trigger, policy.delay)
            && !fallback.is_some_and(|fallback| has_come(fallback.trigger, fallback.delay))
        {
            return Err("before its trigger and delay");
        }
        let shortest = fallback.map_or(policy.delay, |fallback| fallback.delay.min(policy.delay));
        if self.expected.is_some_and(|expected| now < expected.plus(shortest)) {
            return Err("before the expected delivery and its delay");
        }
        let parcels: &[EventKind] = match policy.trigger {
            Trigger::Order => &[],
            Trigger::Shipment => &[EventKind::Shipped, EventKind::ShippedInPart],
            Trigger::Delivery => &[EventKind::Delivered],
        };
        let mut parcels = self.told.iter().filter(|news| parcels.contains(&news.kind));
        if parcels.any(|news| now < news.told_at.plus(policy.delay)) {
            return Err("before the delay after its last parcel");
        }
        Ok(())
    }
}

/// What is as far in an order's life as the trigger.
fn kinds(trigger: Trigger) -> &'static [EventKind] {
    let kinds = &[
        EventKind::Delivered,
        EventKind::Shipped,
        EventKind::ShippedInPart,
        EventKind::Placed,
        EventKind::Paid,
        EventKind::Delayed,
        EventKind::RefundedInPart,
    ];
    match trigger {
        Trigger::Delivery => &kinds[..1],
        Trigger::Shipment => &kinds[..3],
        Trigger::Order => kinds,
    }
}

impl Promised {
    fn is_open(&self, now: Timestamp) -> bool {
        let local = now.to_jiff().to_zoned(Zone::named(self.zone).unwrap().to_jiff());
        let (hour, mut day) = (local.hour(), local.weekday());
        let is_hour = match self.hours {
            None => true,
            Some((from, until)) if from < until => (from..until).contains(&hour),
            Some((from, until)) => {
                if hour < until {
                    day = day.previous();
                }
                hour >= from || hour < until
            }
        };
        is_hour && self.weekdays.is_none_or(|days| day.to_monday_one_offset() <= days)
    }
}
