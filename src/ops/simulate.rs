//! What other rules would have made of the orders of the last time: their histories are read from the store and played, on a copy
//! in memory, once against the rules as they are and once against others. Nothing is written.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use crate::domain::{
    CustomerNews, DAY, DeskOrder, EventKind, Fate, History, Invitation, InvitationId, OrderNews, OrderReference,
    Outside, Policies, Rule, ShopId, State, Suppressed, Timestamp, play,
};
use crate::store::{DecisionRecord, Store, StoreError};

/// Invitations that are read at a time.
const PAGE: usize = 1000;

/// Orders are played, though not counted, that began this much earlier: their letters count for the rules about how often.
const BEFORE: Duration = DAY.saturating_mul(60);

/// What rules would have made of some orders.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sum {
    /// Invitations of which the first letter goes.
    pub invited: u64,
    /// Reminders.
    pub reminders: u64,
    /// How often a letter is deferred, by rule.
    pub deferred: BTreeMap<Rule, u64>,
    /// Invitations that are dropped without a letter, by rule.
    pub dropped: BTreeMap<Rule, u64>,
    /// Invitations that end otherwise without a letter, or wait for a person, by state.
    pub other: BTreeMap<&'static str, u64>,
}

impl Sum {
    fn add(&mut self, fate: &Fate) {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        self.reminders += count(fate.letters.len().saturating_sub(1));
        for deferral in &fate.deferrals {
            *self.deferred.entry(deferral.rule).or_default() += 1;
        }
        if !fate.letters.is_empty() {
            self.invited += 1;
        } else if fate.state == State::Dropped {
            *self.dropped.entry(fate.rule).or_default() += 1;
        } else {
            *self.other.entry(fate.state.as_str()).or_default() += 1;
        }
    }
}

/// An order that fares differently.
#[derive(Debug, Clone)]
pub struct Difference {
    /// Whose it is.
    pub shop: ShopId,
    /// Which it is.
    pub reference: OrderReference,
    /// By the rules as they are.
    pub present: Fate,
    /// By the others.
    pub other: Fate,
}

/// What came of playing the same histories by two sets of rules.
#[derive(Debug, Clone, Default)]
pub struct Comparison {
    /// Invitations that were counted.
    pub invitations: u64,
    /// By the rules as they are.
    pub present: Sum,
    /// By the others.
    pub other: Sum,
    /// The orders that fare differently, the oldest first.
    pub differences: Vec<Difference>,
}

/// Plays the invitations that began since `since`, of this shop or all, by both sets of rules.
///
/// # Errors
/// Those of the store.
pub async fn compare(
    store: &dyn Store,
    since: Timestamp,
    shop: Option<&ShopId>,
    present: Arc<Policies>,
    other: &Policies,
    now: Timestamp,
) -> Result<Comparison, StoreError> {
    let (histories, list) = load(store, since, &present, now).await?;
    let list = |invitation: &Invitation| list.get(&invitation.id).cloned();
    let ignore = &mut |_: Timestamp, _: &Invitation, _: crate::domain::Step<'_>, _: &crate::domain::Decision| {};
    let by_present = play(&histories, &present, &list, ignore);
    let by_other = play(&histories, other, &list, ignore);
    let mut comparison = Comparison::default();
    let facts = histories.iter().map(|history| (history.facts.id, &history.facts)).collect::<HashMap<_, _>>();
    for (present, other) in by_present.into_iter().zip(by_other) {
        let Some(facts) = facts.get(&present.invitation) else { continue };
        if facts.created_at < since || shop.is_some_and(|shop| facts.shop != *shop) {
            continue;
        }
        comparison.invitations += 1;
        comparison.present.add(&present);
        comparison.other.add(&other);
        if (&present.letters, present.state) != (&other.letters, other.state) {
            let (shop, reference) = (facts.shop.clone(), facts.reference.clone());
            comparison.differences.push(Difference { shop, reference, present, other });
        }
    }
    Ok(comparison)
}

/// The histories, and who among their customers is on the suppression list.
async fn load(
    store: &dyn Store,
    since: Timestamp,
    policies: &Arc<Policies>,
    now: Timestamp,
) -> Result<(Vec<History>, HashMap<InvitationId, Suppressed>), StoreError> {
    let since = Timestamp(since.0.saturating_sub(i64::try_from(BEFORE.as_millis()).unwrap_or(i64::MAX)));
    let (mut histories, mut list) = (Vec::new(), HashMap::new());
    let mut after = None;
    loop {
        let page = store.histories(since, after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok((histories, list)) };
        after = Some((last.created_at, last.id));
        let invitations = page.iter().map(|(invitation, _)| invitation.clone()).collect::<Vec<_>>();
        let standings = store.standings(&invitations, Arc::clone(policies), now).await?;
        list.extend(standings.into_iter().filter_map(|(id, standing)| Some((id, standing.suppressed?))));
        histories.extend(page.into_iter().map(|(invitation, decisions)| history(invitation, &decisions)));
    }
}

/// What happened to an invitation from outside, as its decisions tell. What was refused to a person did not happen.
fn history(facts: Invitation, decisions: &[DecisionRecord]) -> History {
    let happened = decisions.iter().filter(|decision| !decision.rule.is_refusal());
    let mut events = happened.filter_map(|one| Some((one.at, outside(one)?))).collect::<Vec<_>>();
    events.sort_by_key(|(at, _)| *at);
    History { facts, events }
}

fn outside(decision: &DecisionRecord) -> Option<Outside> {
    if matches!(decision.rule, Rule::InvitedByHand | Rule::DeskReinvites) {
        return Some(Outside::Invited(decision.due_at.unwrap_or(decision.at)));
    }
    let (what, word) = decision.event.split_once(' ')?;
    match what {
        "order" => {
            let kind = EventKind::ALL.into_iter().find(|kind| kind.to_string() == word)?;
            Some(Outside::Order(OrderNews::from_inputs(kind, &decision.inputs, decision.at)))
        }
        "desk" => Some(Outside::Desk(match word {
            "cancel" => DeskOrder::Cancel,
            "send now" => DeskOrder::SendNow,
            "reschedule" => DeskOrder::Reschedule(decision.inputs.instant("to").or(decision.due_at)?),
            _ => return None,
        })),
        "customer" => CustomerNews::ALL.into_iter().find(|news| news.as_str() == word).map(Outside::Customer),
        _ => None,
    }
}

/// The shops' rules as they are, with those of `other` in the place of the ones that it names too.
pub fn with_those_of(present: &crate::config::Config, other: &crate::config::Config) -> (Policies, BTreeSet<ShopId>) {
    let mut unchanged = BTreeSet::new();
    let rules = present.shops.iter().map(|shop| match other.shop(&shop.id) {
        Some(other) => (shop.id.clone(), other.rules.clone()),
        None => {
            unchanged.insert(shop.id.clone());
            (shop.id.clone(), shop.rules.clone())
        }
    });
    (rules.collect(), unchanged)
}
