//! Plays orders' histories against policies: what would have been sent, deferred and dropped, and when. A [`World`] has no clock and
//! no store; it asks [`open`], [`decide`], [`admit`] and [`weigh`] in the order in which the daemon does, and keeps every person's
//! letters, so that the caps see them all. [`play`] takes it through events in the order of their times, and takes every letter as
//! accepted at once. The rate, pauses and relays are not played.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::email_address::AddressKey;
use super::ids::InvitationId;
use super::inputs::Inputs;
use super::invitation::Invitation;
use super::lifecycle::{
    Attempt, CustomerNews, Decision, DeskOrder, Event, OrderNews, Progress, State, decide, open, open_again,
    open_by_hand,
};
use super::policy::Policies;
use super::rule::Rule;
use super::shop::ShopId;
use super::time::Timestamp;
use super::weigh::{Case, PastLetter, Ruling, Suppressed, admit, product_keys, weigh};

/// What happened to an order from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outside {
    /// A copy told of it.
    Order(OrderNews),
    /// A person asked for the invitation, as if it were due at this time.
    Invited(Timestamp),
    /// A person gave an order.
    Desk(DeskOrder),
    /// The customer did something.
    Customer(CustomerNews),
}

/// One invitation's history.
#[derive(Debug, Clone)]
pub struct History {
    /// What is known of it. Its progress does not count; the history begins before it.
    pub facts: Invitation,
    /// What happened, in the order of the times.
    pub events: Vec<(Timestamp, Outside)>,
}

/// A letter that was not sent when it was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deferral {
    /// When it was due.
    pub at: Timestamp,
    /// Why it did not go.
    pub rule: Rule,
    /// The next time.
    pub until: Timestamp,
}

/// What became of an invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// Whose.
    pub invitation: InvitationId,
    /// When its letters went, the first and its reminders.
    pub letters: Vec<Timestamp>,
    /// What was deferred.
    pub deferrals: Vec<Deferral>,
    /// How it stands.
    pub state: State,
    /// The rule of the last decision that moved it.
    pub rule: Rule,
}

/// What a step of a play was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'e> {
    /// Something happened from outside.
    Outside(&'e Outside),
    /// The shop's rules turned the order down.
    NotAdmitted,
    /// Its time came.
    Due,
    /// The letter of this number went out.
    Letter(u32),
}

/// Says whether an invitation's customer is on the suppression list. [`Suppressed::since`] counts.
pub type List<'l> = &'l dyn Fn(&Invitation) -> Option<Suppressed>;

/// A letter of a person, and which one it was.
struct Past {
    life: usize,
    ordinal: u32,
    letter: PastLetter,
}

/// An invitation while it is played.
struct Life {
    invitation: Invitation,
    fate: Fate,
}

/// All invitations that are played together, each under a number that the caller gives it.
pub struct World<'w> {
    policies: &'w Policies,
    list: List<'w>,
    lives: BTreeMap<usize, Life>,
    by_id: HashMap<InvitationId, usize>,
    by_order: HashMap<(ShopId, String), Vec<usize>>,
    letters: HashMap<AddressKey, Vec<Past>>,
    due: BTreeSet<(Timestamp, usize)>,
}

impl<'w> World<'w> {
    /// A world without orders.
    pub fn new(policies: &'w Policies, list: List<'w>) -> Self {
        Self {
            policies,
            list,
            lives: BTreeMap::new(),
            by_id: HashMap::new(),
            by_order: HashMap::new(),
            letters: HashMap::new(),
            due: BTreeSet::new(),
        }
    }

    /// Begins an invitation by the first that happened to it, and says what was decided.
    pub fn begin(&mut self, life: usize, facts: &Invitation, outside: &Outside, now: Timestamp) -> Decision {
        let policy = self.policies.of(&facts.shop, &facts.order);
        let same_order = self.by_order.entry((facts.shop.clone(), facts.reference.key())).or_default();
        let of_order = same_order.iter().filter_map(|life| self.lives.get(life)).map(|life| &life.invitation.progress);
        let before = facts.follows.and_then(|id| self.by_id.get(&id)).and_then(|life| self.lives.get(life));
        let decision = match (outside, before) {
            (Outside::Order(news), _) => {
                open(*news, of_order.filter_map(Progress::order_cancelled_at).max(), policy, now)
            }
            (Outside::Invited(due), Some(before)) => {
                let before = &before.invitation.progress;
                open_again(before, of_order, *due, policy).unwrap_or_else(|rule| refused(before, rule))
            }
            (Outside::Invited(due), None) => open_by_hand(*due, policy),
            // The invitation stood already when its history began to be kept.
            (Outside::Desk(_) | Outside::Customer(_), _) => open_by_hand(now, policy),
        };
        same_order.push(life);
        self.by_id.insert(facts.id, life);
        let fate = Fate {
            invitation: facts.id,
            letters: Vec::new(),
            deferrals: Vec::new(),
            state: decision.progress.state,
            rule: decision.rule,
        };
        let invitation = Invitation { progress: decision.progress.clone(), ..facts.clone() };
        self.due.extend(invitation.progress.due_at.map(|due| (due, life)));
        self.lives.insert(life, Life { invitation, fate });
        decision
    }

    /// Tells an invitation what happened to it.
    pub fn tell(&mut self, life: usize, outside: &Outside, now: Timestamp) -> Option<Decision> {
        let event = match outside {
            Outside::Order(news) => Event::Order(*news),
            Outside::Desk(order) => Event::Desk(*order),
            Outside::Customer(news) => Event::Customer(*news),
            Outside::Invited(_) => return None,
        };
        self.decide(life, &event, now)
    }

    /// Asks the shop's rules whether they ever let the letter go to which a copy just gave a time.
    pub fn admit(&mut self, life: usize, now: Timestamp) -> Option<Decision> {
        let invitation = &self.lives.get(&life)?.invitation;
        if invitation.progress.state != State::Queued {
            return None;
        }
        let ground = admit(invitation, self.policies.shop(&invitation.shop), now)?;
        self.decide(life, &Event::NotAdmitted(ground), now)
    }

    /// What is due next, and when.
    pub fn next_due(&self) -> Option<(Timestamp, usize)> {
        self.due.first().copied()
    }

    /// Lets the shop's rules decide about what is due. The letter is being sent when the state is [`State::Sending`].
    pub fn due(&mut self, life: usize, now: Timestamp) -> Option<Decision> {
        let invitation = &self.lives.get(&life)?.invitation;
        let ruling =
            if invitation.progress.state == State::Waiting { Ruling::Go } else { self.weigh(life, invitation, now) };
        let decision = self.decide(life, &Event::Due(ruling), now)?;
        let one = self.lives.get_mut(&life)?;
        match (decision.progress.state, decision.progress.due_at) {
            (State::Sending, _) => {
                let invitation = &one.invitation;
                let ordinal = invitation.progress.letters_sent + 1;
                let letter = PastLetter {
                    shop: invitation.shop.clone(),
                    is_first: ordinal == 1,
                    at: now,
                    products: product_keys(&invitation.order),
                };
                let past = self.letters.entry(invitation.customer.email.key()).or_default();
                past.retain(|past| (past.life, past.ordinal) != (life, ordinal));
                past.push(Past { life, ordinal, letter });
            }
            (State::Queued | State::Sent, Some(until)) if until > now => {
                one.fate.deferrals.push(Deferral { at: now, rule: decision.rule, until });
            }
            _ => {}
        }
        Some(decision)
    }

    /// Ends the attempt at the letter that is being sent.
    pub fn settle(&mut self, life: usize, attempt: Attempt, now: Timestamp) -> Option<Decision> {
        let one = self.lives.get_mut(&life)?;
        let ordinal = one.invitation.progress.letters_sent + 1;
        match attempt {
            Attempt::Accepted => one.fate.letters.push(now),
            Attempt::AnswerLost { .. } => {}
            Attempt::Deferred { .. }
            | Attempt::RelayDown { .. }
            | Attempt::Refused
            | Attempt::Interrupted
            | Attempt::Unsendable => {
                let past = self.letters.entry(one.invitation.customer.email.key()).or_default();
                past.retain(|past| (past.life, past.ordinal) != (life, ordinal));
            }
        }
        self.decide(life, &Event::Attempt(attempt), now)
    }

    /// How an invitation stands.
    pub fn progress(&self, life: usize) -> Option<&Progress> {
        self.lives.get(&life).map(|life| &life.invitation.progress)
    }

    /// What became of the invitations, by their numbers.
    pub fn fates(self) -> Vec<Fate> {
        self.lives.into_values().map(|life| life.fate).collect()
    }

    fn weigh(&self, life: usize, invitation: &Invitation, now: Timestamp) -> Ruling {
        // An earlier attempt at this very letter is no letter before it.
        let this = (life, invitation.progress.letters_sent + 1);
        let past = self.letters.get(&invitation.customer.email.key()).into_iter().flatten();
        let past = past.filter(|past| (past.life, past.ordinal) != this).map(|past| past.letter.clone());
        let past = past.collect::<Vec<_>>();
        let suppressed = (self.list)(invitation).filter(|entry| entry.since <= now);
        let case = Case { invitation, past: &past, suppressed: suppressed.as_ref() };
        weigh(&case, self.policies.shop(&invitation.shop), now)
    }

    fn decide(&mut self, life: usize, event: &Event, now: Timestamp) -> Option<Decision> {
        let one = self.lives.get_mut(&life)?;
        let before = &one.invitation.progress;
        let policy = self.policies.of(&one.invitation.shop, &one.invitation.order);
        let decision = decide(before, event, policy, now);
        if let Some(due) = before.due_at {
            self.due.remove(&(due, life));
        }
        self.due.extend(decision.progress.due_at.map(|due| (due, life)));
        if decision.progress.state != before.state {
            one.fate.rule = decision.rule;
        }
        one.fate.state = decision.progress.state;
        one.invitation.progress = decision.progress.clone();
        Some(decision)
    }
}

/// An invitation that a person asked for and that does not begin. What stands against it stands against the next one, too.
fn refused(before: &Progress, rule: Rule) -> Decision {
    let (planned, cancelled_at) = (before.planned, before.cancelled_at);
    let progress = Progress { planned, cancelled_at, ..Progress::new(State::Dropped) };
    Decision { progress, rule, inputs: Inputs::NONE }
}

/// Sees every step of a play.
pub type Watch<'w> = &'w mut dyn FnMut(Timestamp, &Invitation, Step<'_>, &Decision);

/// Plays histories to their end and says what became of each, in the order given; of one without events nothing. `watch` sees
/// every step.
pub fn play(histories: &[History], policies: &Policies, list: List<'_>, watch: Watch<'_>) -> Vec<Fate> {
    let mut world = World::new(policies, list);
    let told = histories.iter().enumerate();
    let told =
        told.flat_map(|(life, history)| history.events.iter().map(move |(at, what)| (*at, life, &history.facts, what)));
    let mut told = told.collect::<Vec<_>>();
    // Stable: what happened to one order at one time stays in its order.
    told.sort_by_key(|(at, ..)| *at);
    let mut told = told.into_iter().peekable();
    loop {
        let due = world.next_due();
        if let Some((at, life, facts, outside)) = told.next_if(|(at, ..)| due.is_none_or(|(due, _)| *at <= due)) {
            happens(&mut world, at, (life, facts, outside), watch);
        } else if let Some((at, life)) = due
            && let Some(history) = histories.get(life)
        {
            time_comes(&mut world, at, (life, &history.facts), watch);
        } else {
            return world.fates();
        }
    }
}

fn happens(
    world: &mut World<'_>,
    at: Timestamp,
    (life, facts, outside): (usize, &Invitation, &Outside),
    watch: Watch<'_>,
) {
    let decision = match world.progress(life) {
        Some(_) => world.tell(life, outside, at),
        None => Some(world.begin(life, facts, outside, at)),
    };
    if let Some(decision) = decision {
        watch(at, facts, Step::Outside(outside), &decision);
    }
    if matches!(outside, Outside::Order(_))
        && let Some(decision) = world.admit(life, at)
    {
        watch(at, facts, Step::NotAdmitted, &decision);
    }
}

fn time_comes(world: &mut World<'_>, at: Timestamp, (life, facts): (usize, &Invitation), watch: Watch<'_>) {
    let Some(decision) = world.due(life, at) else { return };
    if decision.progress.state != State::Sending {
        watch(at, facts, Step::Due, &decision);
        return;
    }
    let number = decision.progress.letters_sent + 1;
    if let Some(decision) = world.settle(life, Attempt::Accepted, at) {
        watch(at, facts, Step::Letter(number), &decision);
    }
}
