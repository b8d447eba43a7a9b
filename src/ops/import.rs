//! Invitations that people ask for: one, or all orders of a file. What comes of each is decided by the store, with the functions that
//! decide about every letter; here is what is asked of it.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::{
    Customer, DAY, EmailAddress, Ground, Inputs, OrderDetails, Policies, Rule, ShopId, State, Timestamp,
};
use crate::store::{Actor, Invited, SqlStore, StoreError, Wanted};
use crate::table::OrderLine;

/// How far ahead a letter may be asked for, as far as one may be moved.
pub const AHEAD_AT_MOST: Duration = DAY.saturating_mul(90);

/// Invitations that begin in one transaction.
const BATCH: usize = 250;

/// Orders that are looked at together, at least.
const LOOK: usize = 2_000;

/// What an order of a file is asked about, with its letter due at `due`. `None` without an address.
pub fn wanted(shop: &ShopId, order: &OrderLine, due: Timestamp) -> Option<Wanted> {
    Some(Wanted {
        shop: shop.clone(),
        reference: order.reference.clone(),
        customer: Customer { email: order.email.clone()?, name: order.name.clone() },
        order: OrderDetails {
            locale: order.locale.clone(),
            order_date: order.order_date.clone(),
            products: order.products.clone(),
            country: order.country.clone(),
            tags: order.tags.clone(),
            ..OrderDetails::default()
        },
        due,
    })
}

/// What would come of these wishes now, in their order. `went_on` is told how many were looked at.
///
/// # Errors
/// When the store cannot be read.
pub async fn foresee(
    store: &SqlStore,
    wanted: &[Wanted],
    policies: &Arc<Policies>,
    now: Timestamp,
    mut went_on: impl FnMut(usize),
) -> Result<Vec<Invited>, StoreError> {
    let address = |place: &usize| wanted.get(*place).map(|one| one.customer.email.key());
    let mut places = (0..wanted.len()).collect::<Vec<_>>();
    // Letters to one person make each other wait, so they are looked at together.
    places.sort_by_cached_key(&address);
    let mut outcomes = vec![None; wanted.len()];
    let mut rest = places.as_slice();
    let mut looked_at = 0;
    while !rest.is_empty() {
        let mut end = rest.len().min(LOOK);
        while end < rest.len() && rest.get(end).map(address) == rest.get(end - 1).map(address) {
            end += 1;
        }
        let (batch, others) = rest.split_at(end);
        let asked = batch.iter().filter_map(|place| wanted.get(*place)).cloned().collect::<Vec<_>>();
        let answers = store.foresee(asked.into(), Arc::clone(policies), now).await?;
        for (place, answer) in batch.iter().zip(answers) {
            if let Some(outcome) = outcomes.get_mut(*place) {
                *outcome = Some(answer);
            }
        }
        looked_at += end;
        went_on(looked_at);
        rest = others;
    }
    Ok(outcomes.into_iter().flatten().collect())
}

/// Begins the invitations, some hundred in a transaction, and says of each what came of it, in their order. What was written when a
/// later one fails stays: the same file again leaves it alone. `went_on` is told how many are done.
///
/// # Errors
/// When the store cannot be written.
pub async fn invite(
    store: &SqlStore,
    wanted: &[Wanted],
    actor: &Actor,
    policies: &Arc<Policies>,
    now: impl Fn() -> Timestamp,
    mut went_on: impl FnMut(usize),
) -> Result<Vec<Invited>, StoreError> {
    let mut outcomes = Vec::with_capacity(wanted.len());
    for batch in wanted.chunks(BATCH) {
        outcomes.extend(store.invite(batch.into(), actor, Arc::clone(policies), now()).await?);
        went_on(outcomes.len());
    }
    Ok(outcomes)
}

/// Why a rule stands against a letter, for people: `the customer is on the suppression list (reason: asked)`.
pub fn because(ground: &Ground) -> String {
    let inputs = told(&ground.inputs);
    format!(
        "{}{}{inputs}{}",
        ground.rule.sentence(),
        if inputs.is_empty() { "" } else { " (" },
        if inputs.is_empty() { "" } else { ")" }
    )
}

fn told(inputs: &Inputs) -> String {
    let told = inputs.iter().map(|(name, value)| format!("{}: {value}", name.replace('_', " ")));
    told.collect::<Vec<_>>().join(", ")
}

/// What can be done about a refusal.
pub fn remedy(rule: Rule, email: &EmailAddress) -> String {
    match rule {
        Rule::Suppressed => format!("to let letters go again: invited suppress remove {email}"),
        Rule::NoConsent | Rule::NotInSample | Rule::AddressClass | Rule::TooOld => {
            "the shop's policy in the configuration says so".to_owned()
        }
        _ => "ask again later, or with --at".to_owned(),
    }
}

/// The sentence on an invitation that is there already.
pub fn there(state: State, is_same_address: bool) -> String {
    let whose = if is_same_address { "" } else { ", for another address" };
    format!("the order has one already ({state}{whose})")
}
