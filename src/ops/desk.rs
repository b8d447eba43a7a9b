//! The desk: what people do with invitations, with one that they name or with all that a filter means. What a wish comes to is
//! foretold by the rules that will decide it; and it is carried out on invitations as they were seen, so that nobody changes what
//! somebody else has just changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{
    Decision, DeskOrder, EmailAddress, Event, Invitation, InvitationId, OrderReference, Policies, Policy, Rule, State,
    Timestamp, Zone, decide, open_again, open_by_hand,
};
use crate::store::{Actor, DecisionRecord, DeskAsk, DeskOutcome, Filter, Reinvited, Seen, Store, StoreError, Subject};

/// Invitations that are changed in one transaction.
const BATCH: usize = 300;

/// Invitations that are read at one time when all are gone through.
const PAGE: usize = 1000;

/// How many of those that a plan is about are shown.
const SHOWN: usize = 10;

/// How many invitations are named that a word may mean.
const CANDIDATES: usize = 20;

/// What a word means: an id, an order's reference or a customer's address.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// This one.
    One(Box<Invitation>),
    /// Any of these, so a person has to say which.
    Several(Vec<Invitation>),
    /// None.
    Nothing,
}

/// Finds the invitation that `word` means. A number may be an id and some order's reference, which makes it ambiguous, unless it is
/// said to be an id. Of the rounds of one order the last one is meant.
///
/// # Errors
/// As [`Store::list`].
pub async fn find(store: &dyn Store, word: &str, is_id: bool) -> Result<Found, StoreError> {
    let word = word.trim();
    let mut found = Vec::new();
    if let Ok(id) = word.parse::<InvitationId>() {
        let above = InvitationId(id.0.saturating_add(1));
        let page = store.list(&Filter::default(), Some(above), 1).await?;
        found.extend(page.invitations.into_iter().filter(|one| one.id == id));
    }
    if !is_id {
        let filter = match EmailAddress::parse(word) {
            Ok(address) => Some(Filter { email: Some(address.key()), ..Filter::default() }),
            Err(_) => OrderReference::parse(word)
                .map(|reference| Filter { reference: Some(reference.key()), ..Filter::default() }),
        };
        if let Some(filter) = filter {
            let page = store.list(&filter, None, CANDIDATES).await?.invitations;
            let followed = page.iter().filter_map(|one| one.follows).collect::<Vec<_>>();
            let is_new = |one: &Invitation| found.iter().all(|has| has.id != one.id);
            let more = page.into_iter().filter(|one| is_new(one) && !followed.contains(&one.id));
            let more = more.collect::<Vec<_>>();
            found.extend(more);
        }
    }
    Ok(match found.len() {
        0 => Found::Nothing,
        1 => found.pop().map_or(Found::Nothing, |one| Found::One(Box::new(one))),
        _ => Found::Several(found),
    })
}

/// What a person wishes for invitations.
#[derive(Debug, Clone)]
pub enum Wish {
    /// No more letters.
    Cancel,
    /// The next letter at once.
    SendNow,
    /// The next letter at this time.
    MoveTo(Timestamp),
    /// The next letter so much later than it is due now, or earlier, by the calendar of a zone.
    MoveBy(jiff::Span, Zone),
    /// A new invitation after one that has ended, with its letter due at this time.
    Reinvite(Timestamp),
}

/// Why an invitation was left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeftAlone {
    /// A rule stands against it.
    By(Rule),
    /// It is not as it was seen.
    Changed,
    /// It was followed by a new invitation already.
    Followed,
    /// Nothing is due that could be moved by a span.
    NothingDue,
    /// It is not there.
    Missing,
}

impl LeftAlone {
    /// The word for it in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::By(rule) => rule.as_str(),
            Self::Changed => "changed-meanwhile",
            Self::Followed => "followed-already",
            Self::NothingDue => "nothing-due",
            Self::Missing => "missing",
        }
    }

    /// Why, for a support person.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::By(rule) => rule.sentence(),
            Self::Changed => "somebody or something changed the invitation meanwhile",
            Self::Followed => "a new invitation has followed it already",
            Self::NothingDue => "nothing is due that could be moved by a span; say to which time",
            Self::Missing => "there is no such invitation",
        }
    }
}

/// How many invitations were left alone, by the reason.
pub type Spared = BTreeMap<LeftAlone, usize>;

impl Wish {
    /// What it comes to for an invitation as it stands, or why it comes to nothing.
    pub fn foresee(&self, one: &Invitation, policies: &Policies, now: Timestamp) -> Result<Decision, LeftAlone> {
        let policy = policies.of(&one.shop, &one.order);
        let decision = match self {
            Self::Reinvite(at) => {
                may_go_at(*at, now)?;
                open_again(&one.progress, [], *at, policy).map_err(LeftAlone::By)?
            }
            _ => decide(&one.progress, &Event::Desk(self.order(&Seen::from(one))?), policy, now),
        };
        if decision.rule.is_refusal() { Err(LeftAlone::By(decision.rule)) } else { Ok(decision) }
    }

    /// The order to give about an invitation; a new one is another thing.
    fn order(&self, seen: &Seen) -> Result<DeskOrder, LeftAlone> {
        Ok(match self {
            Self::Cancel => DeskOrder::Cancel,
            Self::SendNow => DeskOrder::SendNow,
            Self::MoveTo(at) | Self::Reinvite(at) => DeskOrder::Reschedule(*at),
            Self::MoveBy(span, zone) => {
                // What has ended is refused by its own rule, whatever is due.
                let due = match seen.due_at {
                    None if !seen.state.has_ended() => return Err(LeftAlone::NothingDue),
                    due => due.unwrap_or(seen.updated_at).to_jiff().to_zoned(zone.to_jiff()),
                };
                // Beyond the end of all calendars is too far ahead in any case.
                let moved = due.checked_add(*span).map_or(Timestamp(i64::MAX), |at| at.timestamp().into());
                DeskOrder::Reschedule(moved)
            }
        })
    }
}

/// Whether a letter may be given this time: the bound is the same as for one that is moved.
fn may_go_at(at: Timestamp, now: Timestamp) -> Result<(), LeftAlone> {
    let policy = Policy::default();
    let moved = Event::Desk(DeskOrder::Reschedule(at.max(now)));
    let rule = decide(&open_by_hand(now, &policy).progress, &moved, &policy, now).rule;
    if rule.is_refusal() { Err(LeftAlone::By(rule)) } else { Ok(()) }
}

/// What a wish would come to for all that a filter means.
#[derive(Debug, Default)]
pub struct Plan {
    /// Those that it would change, as they were seen, newest first.
    pub seen: Vec<Seen>,
    /// The first of them.
    pub first: Vec<Invitation>,
    /// How many it would not change.
    pub spared: Spared,
}

/// Goes through everything that the filter means and foresees what the wish comes to. Nothing is changed.
///
/// # Errors
/// As [`Store::list`].
pub async fn plan(
    store: &dyn Store,
    filter: &Filter,
    wish: &Wish,
    policies: &Policies,
    now: Timestamp,
) -> Result<Plan, StoreError> {
    let mut plan = Plan::default();
    let mut before = None;
    loop {
        let page = store.list(filter, before, PAGE).await?;
        for one in page.invitations {
            match wish.foresee(&one, policies, now) {
                Ok(_) => {
                    plan.seen.push(Seen::from(&one));
                    if plan.first.len() < SHOWN {
                        plan.first.push(one);
                    }
                }
                Err(why) => *plan.spared.entry(why).or_default() += 1,
            }
        }
        match page.looked_down_to {
            Some(down_to) => before = Some(down_to),
            None => return Ok(plan),
        }
    }
}

/// What came of a wish for one invitation.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It was done; with the number of the new invitation, when one began.
    Done(Decision, Option<InvitationId>),
    /// It was left alone.
    Spared(LeftAlone),
    /// It was left alone because it was followed by new invitations already, the last of which is this one.
    Followed(InvitationId),
}

/// Who wishes something, by which rules and when.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    /// Where the invitations are.
    pub store: &'a dyn Store,
    /// Who, and why.
    pub actor: &'a Actor,
    /// The rules of the shops.
    pub policies: &'a Arc<Policies>,
}

impl Desk<'_> {
    /// Carries a wish out on invitations as they were seen, a few hundred in a transaction, and tells `each` what came of it.
    ///
    /// # Errors
    /// As [`Store::desk_all`]; what was told to `each` before is done.
    pub async fn carry_out<E: From<StoreError>>(
        &self,
        wish: &Wish,
        seen: &[Seen],
        now: impl Fn() -> Timestamp,
        mut each: impl FnMut(&Seen, Answer) -> Result<(), E>,
    ) -> Result<(), E> {
        for batch in seen.chunks(BATCH) {
            let answers = match wish {
                Wish::Reinvite(at) => self.reinvite_all(batch, *at, &now).await?,
                _ => self.order_all(wish, batch, now()).await?,
            };
            for (seen, answer) in batch.iter().zip(answers) {
                each(seen, answer)?;
            }
        }
        Ok(())
    }

    async fn order_all(&self, wish: &Wish, batch: &[Seen], now: Timestamp) -> Result<Vec<Answer>, StoreError> {
        let orders = batch.iter().map(|seen| wish.order(seen)).collect::<Vec<_>>();
        let asks = batch.iter().zip(&orders);
        let asks = asks.filter_map(|(seen, order)| Some(DeskAsk { seen: *seen, order: order.ok()? })).collect();
        let outcomes = self.store.desk_all(asks, self.actor, Arc::clone(self.policies), now).await?;
        let mut outcomes = outcomes.into_iter();
        let answers = orders.into_iter().map(|order| match order {
            Err(why) => Answer::Spared(why),
            Ok(_) => match outcomes.next() {
                Some(DeskOutcome::Decided(decision)) if decision.rule.is_refusal() => {
                    Answer::Spared(LeftAlone::By(decision.rule))
                }
                Some(DeskOutcome::Decided(decision)) => Answer::Done(decision, None),
                Some(DeskOutcome::Changed) => Answer::Spared(LeftAlone::Changed),
                Some(DeskOutcome::Missing) | None => Answer::Spared(LeftAlone::Missing),
            },
        });
        Ok(answers.collect())
    }

    async fn reinvite_all(
        &self,
        batch: &[Seen],
        at: Timestamp,
        now: &impl Fn() -> Timestamp,
    ) -> Result<Vec<Answer>, StoreError> {
        let mut answers = Vec::with_capacity(batch.len());
        for seen in batch {
            if let Err(why) = may_go_at(at, now()) {
                answers.push(Answer::Spared(why));
                continue;
            }
            let policies = Arc::clone(self.policies);
            answers.push(match self.store.reinvite(seen.id, at, self.actor, policies, now()).await? {
                Reinvited::Opened { id, decision } => Answer::Done(decision, Some(id)),
                Reinvited::Refused(rule) => Answer::Spared(LeftAlone::By(rule)),
                Reinvited::Followed(last) => Answer::Followed(last),
                Reinvited::Missing => Answer::Spared(LeftAlone::Missing),
            });
        }
        Ok(answers)
    }
}

/// How an invitation stands, and the decision that brought it there.
///
/// # Errors
/// As [`Store::story`].
pub async fn standing(
    store: &dyn Store,
    id: InvitationId,
) -> Result<Option<(Invitation, Option<DecisionRecord>)>, StoreError> {
    let mut story = store.story(&Subject::Invitation(id)).await?;
    let moved = story.decisions.into_iter().rev().find(|one| {
        let changed_nothing =
            [Rule::FinalStaysFinal, Rule::RepeatChangesNothing, Rule::NothingDue, Rule::DeskRevokesLinks];
        one.invitation == id && !one.rule.is_refusal() && !changed_nothing.contains(&one.rule)
    });
    Ok(story.invitations.pop().map(|one| (one, moved)))
}

/// What became of an invitation and by whom, in a sentence: `invitation 12 was cancelled by anna at …: "wrong parcel"`.
pub fn tell_standing(one: &Invitation, moved: Option<&DecisionRecord>, when: &dyn Fn(Timestamp) -> String) -> String {
    let id = one.id;
    let state = one.progress.state;
    let now = match one.progress.due_at {
        _ if state == State::Cancelled => String::new(),
        Some(due) => format!("; it is {state} now, due {}", when(due)),
        None => format!("; it is {state} now"),
    };
    let Some(moved) = moved else { return format!("invitation {id} is {state}") };
    let at = when(moved.at);
    let done = match moved.rule {
        Rule::DeskCancels => "was cancelled",
        Rule::DeskReschedules => "was moved to another time",
        Rule::DeskSendsNow => "was told to go at once",
        Rule::DeskReinvites | Rule::InvitedByHand => "was begun",
        rule => return format!("invitation {id} is {state} since {at}: {}", rule.sentence()),
    };
    let why = moved.note.as_deref().map(|note| format!(": \"{note}\"")).unwrap_or_default();
    format!("invitation {id} {done} by {} at {at}{why}{now}", moved.actor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::DAY;
    use crate::ops::specimen;

    const NOW: Timestamp = Timestamp::from_seconds(1_772_442_000);

    fn invitation(state: State, due_at: Option<Timestamp>) -> Invitation {
        let mut progress = open_by_hand(NOW, &Policy::default()).progress;
        (progress.state, progress.due_at) = (state, due_at);
        specimen::invitation(progress, NOW)
    }

    #[test]
    fn a_wish_is_foreseen_by_the_rules_that_will_decide_it() {
        let stockholm = Zone::named("Europe/Stockholm").unwrap();
        let span = |text: &str| text.parse::<jiff::Span>().unwrap();
        let due = Some(NOW.plus(DAY * 3));
        let policies = Policies::default();
        for (wish, one, expected) in [
            (Wish::Cancel, invitation(State::Queued, due), Ok((State::Cancelled, None))),
            (Wish::Cancel, invitation(State::Cancelled, None), Err(LeftAlone::By(Rule::AlreadyEnded))),
            (Wish::SendNow, invitation(State::Held, None), Ok((State::Queued, Some(NOW)))),
            (
                Wish::MoveBy(span("2 days"), stockholm.clone()),
                invitation(State::Queued, due),
                Ok((State::Queued, Some(NOW.plus(DAY * 5)))),
            ),
            // The clocks go forward on 29 March 2026: thirty days later it is the same hour of the day.
            (
                Wish::MoveBy(span("30 days"), stockholm.clone()),
                invitation(State::Queued, Some(NOW)),
                Ok((State::Queued, Some(NOW.plus(DAY * 30 - std::time::Duration::from_secs(3600))))),
            ),
            (
                Wish::MoveBy(span("-4 days"), stockholm.clone()),
                invitation(State::Queued, due),
                Err(LeftAlone::By(Rule::InThePast)),
            ),
            (
                Wish::MoveBy(span("88 days"), stockholm.clone()),
                invitation(State::Queued, due),
                Err(LeftAlone::By(Rule::TooFarAhead)),
            ),
            (
                Wish::MoveBy(span("9000 years"), stockholm.clone()),
                invitation(State::Queued, due),
                Err(LeftAlone::By(Rule::TooFarAhead)),
            ),
            (Wish::MoveBy(span("1 day"), stockholm.clone()), invitation(State::Held, None), Err(LeftAlone::NothingDue)),
            (
                Wish::MoveBy(span("1 day"), stockholm),
                invitation(State::Done, None),
                Err(LeftAlone::By(Rule::AlreadyEnded)),
            ),
            (Wish::Reinvite(NOW), invitation(State::Done, None), Ok((State::Queued, Some(NOW)))),
            (Wish::Reinvite(NOW), invitation(State::Queued, due), Err(LeftAlone::By(Rule::StillUnderWay))),
            (Wish::Reinvite(NOW.plus(DAY * 91)), invitation(State::Done, None), Err(LeftAlone::By(Rule::TooFarAhead))),
        ] {
            let foreseen = wish.foresee(&one, &policies, NOW);
            let foreseen = foreseen.map(|decision| (decision.progress.state, decision.progress.due_at));
            assert_eq!(foreseen, expected, "{wish:?}");
        }
    }

    #[test]
    fn who_changed_an_invitation_is_told_in_a_sentence() {
        let record = |rule, actor: &str, note: Option<&str>| DecisionRecord {
            invitation: InvitationId(12),
            at: NOW,
            event: String::new(),
            from: Some(State::Queued),
            to: State::Cancelled,
            due_at: None,
            rule,
            actor: actor.to_owned(),
            note: note.map(str::to_owned),
            copy: None,
            inputs: crate::domain::Inputs::NONE,
        };
        let when = |at: Timestamp| at.to_string();
        for (state, due, moved, text) in [
            (
                State::Cancelled,
                None,
                Some(record(Rule::DeskCancels, "anna", Some("wrong parcel"))),
                "invitation 12 was cancelled by anna at 2026-03-02T09:00:00Z: \"wrong parcel\"",
            ),
            (
                State::Queued,
                Some(NOW.plus(DAY)),
                Some(record(Rule::DeskReschedules, "bo", None)),
                "invitation 12 was moved to another time by bo at 2026-03-02T09:00:00Z; it is queued now, due \
                 2026-03-03T09:00:00Z",
            ),
            (
                State::Cancelled,
                None,
                Some(record(Rule::OrderCancelled, "daemon", None)),
                "invitation 12 is cancelled since 2026-03-02T09:00:00Z: the order was cancelled or refunded, so no more letters \
                 are sent",
            ),
            (State::Done, None, None, "invitation 12 is done"),
        ] {
            assert_eq!(tell_standing(&invitation(state, due), moved.as_ref(), &when), text);
        }
    }
}
