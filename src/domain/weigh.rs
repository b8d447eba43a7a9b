//! Whether a letter may go now: the shop's rules about how often, to whom and when, laid against what is known of the person and
//! the order. [`weigh`] is asked in the transaction that claims the letter, with the letters before it as they stand then; what
//! `invited explain` foretells and what `invited simulate` plays is the same function.

use std::time::Duration;

use super::address_class::AddressClasses;
use super::inputs::Inputs;
use super::invitation::{Invitation, OrderDetails};
use super::lifecycle::Planned;
use super::order::Product;
use super::place::{Place, Places};
use super::policy::{CapScope, Consent, Policy, ShopRules};
use super::rule::Rule;
use super::sample::is_in_sample;
use super::shop::ShopId;
use super::spread::spread;
use super::time::{Timestamp, Zone};
use super::window::SendWindow;

/// Over how long the letters are spread that waited for the window to open.
const OPENING: Duration = Duration::from_secs(3600);

/// A rule, and what it was decided from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// The rule.
    pub rule: Rule,
    /// From what.
    pub inputs: Inputs,
}

impl Ground {
    /// A rule that needs no inputs.
    pub const fn of(rule: Rule) -> Self {
        Self { rule, inputs: Inputs::NONE }
    }

    fn with(rule: Rule, inputs: Inputs) -> Self {
        Self { rule, inputs }
    }
}

/// What the shop's rules say to a letter that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ruling {
    /// It may go.
    Go,
    /// Not before this instant.
    Wait {
        /// The first moment at which it may go, as far as is known now.
        until: Timestamp,
        /// The rule that allows it last.
        ground: Ground,
    },
    /// It never goes: the shop does not want it.
    Drop(Ground),
    /// It never goes: the person does not want it.
    Stop(Ground),
}

/// A letter that a person got, or is getting at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastLetter {
    /// Who sent it.
    pub shop: ShopId,
    /// Whether it was the first of its invitation.
    pub is_first: bool,
    /// When it went.
    pub at: Timestamp,
    /// What it asked about, as [`product_keys`] makes it.
    pub products: Vec<String>,
}

/// An entry of the suppression list that means a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppressed {
    /// `address` or `domain`.
    pub kind: &'static str,
    /// Whether it is for all shops.
    pub is_global: bool,
    /// Why it is on the list.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

/// What is laid against the rules.
#[derive(Debug, Clone, Copy)]
pub struct Case<'c> {
    /// Whose letter is due.
    pub invitation: &'c Invitation,
    /// The person's letters of all shops, as far back as any rule looks, in any order: those that a relay took or may have taken,
    /// and those that are being sent. An earlier attempt at the letter that is due is not among them.
    pub past: &'c [PastLetter],
    /// That the person is on the list.
    pub suppressed: Option<&'c Suppressed>,
}

/// Whether the shop's rules ever let a letter go to this order, as far as that does not change any more. Asked when its delay
/// begins, so that what will never go is not kept in the queue.
pub fn admit(invitation: &Invitation, rules: &ShopRules, now: Timestamp) -> Option<Ground> {
    if invitation.progress.letters_sent > 0 {
        return None;
    }
    let policy = rules.of(&invitation.order);
    if !is_in_sample(&invitation.shop, &invitation.reference, policy.sample) {
        let inputs = Inputs::NONE.with("share", policy.sample);
        return Some(Ground::with(Rule::NotInSample, inputs));
    }
    let class = AddressClasses::shipped().class_of(&invitation.customer.email, &rules.own_domains);
    if let Some(class) = class.filter(|class| policy.refused.contains(*class)) {
        return Some(Ground::with(Rule::AddressClass, Inputs::NONE.with("class", class.as_str())));
    }
    too_old(invitation, policy, now)
}

/// Whether a letter that is due may go.
pub fn weigh(case: &Case<'_>, rules: &ShopRules, now: Timestamp) -> Ruling {
    let invitation = case.invitation;
    let policy = rules.of(&invitation.order);
    if let Some(entry) = case.suppressed {
        let inputs = Inputs::NONE
            .with("entry", entry.kind)
            .with("shops", if entry.is_global { "all" } else { "this one" })
            .with("reason", &entry.reason)
            .with("since", entry.since);
        return Ruling::Stop(Ground::with(Rule::Suppressed, inputs));
    }
    let sent = invitation.progress.letters_sent;
    let at_most = policy.letters_at_most_after(invitation.progress.put_off);
    if sent >= at_most {
        let inputs = Inputs::NONE.with("letters", sent).with("at_most", at_most);
        return Ruling::Drop(Ground::with(Rule::OrderCap, inputs));
    }
    if invitation.progress.planned == Planned::AtOnce {
        return Ruling::Go;
    }
    let is_first = sent == 0;
    if is_first {
        if policy.consent == Consent::Required && invitation.order.consent != Some(true) {
            let said = invitation.order.consent.map(|_| "no");
            return Ruling::Drop(Ground::with(Rule::NoConsent, Inputs::NONE.with("said", said.unwrap_or("nothing"))));
        }
        if let Some(ground) = admit(invitation, rules, now) {
            return Ruling::Drop(ground);
        }
    }
    let place =
        Places::shipped().of(invitation.order.country.as_deref(), invitation.order.locale.as_deref(), &rules.zone);
    let last = caps(case, policy, is_first).into_iter().max_by_key(|(until, _)| *until);
    let (allowed, ground) = match last {
        Some((until, ground)) if until > now => (until, ground),
        _ => (now, outside(&policy.window, &place)),
    };
    match opening(&policy.window, allowed, &place, invitation) {
        Some(until) if until > now => Ruling::Wait { until, ground },
        Some(_) => Ruling::Go,
        None => Ruling::Drop(outside(&policy.window, &place)),
    }
}

/// `allowed` when the window is open then. Otherwise a moment within the first hour after it opens, another for each invitation: what
/// gathered overnight does not leave all at once.
fn opening(window: &SendWindow, allowed: Timestamp, place: &Place, invitation: &Invitation) -> Option<Timestamp> {
    let open = window.next_open(allowed, place)?;
    if open == allowed {
        return Some(open);
    }
    let lasts = window.closes_after(open, place).since(open);
    Some(spread(open, lasts.min(OPENING), invitation.id.0.unsigned_abs()))
}

fn outside(window: &SendWindow, place: &Place) -> Ground {
    let zones = place.zones.iter().map(Zone::name).collect::<Vec<_>>().join(" ");
    Ground::with(Rule::OutsideWindow, Inputs::NONE.with("window", window).with("zone", zones))
}

fn too_old(invitation: &Invitation, policy: &Policy, now: Timestamp) -> Option<Ground> {
    let at_most = policy.max_age?;
    // A day's order is as old as its first moment anywhere in the world that matters: no zone is more than a day off.
    let day = invitation.order.order_date.as_ref().and_then(|date| date.day());
    let placed =
        day.and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok()).map(|at| Timestamp::from(at.timestamp()));
    let placed = placed.unwrap_or(invitation.created_at).min(invitation.created_at);
    let age = now.since(placed);
    (age > at_most).then(|| {
        Ground::with(Rule::TooOld, Inputs::NONE.with("age_days", days(age)).with("at_most_days", days(at_most)))
    })
}

/// The first moment that each rule about how often allows, with its ground.
fn caps(case: &Case<'_>, policy: &Policy, is_first: bool) -> Vec<(Timestamp, Ground)> {
    let shop = &case.invitation.shop;
    let counted = |letter: &&PastLetter| policy.cap_scope == CapScope::AllShops || letter.shop == *shop;
    let mut counted = case.past.iter().filter(counted).map(|letter| letter.at).collect::<Vec<_>>();
    counted.sort_unstable();
    let mut found = Vec::new();
    if let Some(cap) = policy.person_cap
        && let Some(oldest) =
            usize::try_from(cap.letters).ok().and_then(|letters| counted.iter().nth_back(letters.max(1) - 1))
    {
        let inputs = Inputs::NONE.with("at_most", cap.letters).with("within_days", days(cap.within));
        found.push((oldest.plus(cap.within), Ground::with(Rule::PersonCap, inputs)));
    }
    if let (Some(apart), Some(last)) = (policy.person_apart, counted.last()) {
        let inputs = Inputs::NONE.with("last", last).with("apart_days", days(apart));
        found.push((last.plus(apart), Ground::with(Rule::PersonApart, inputs)));
    }
    // Whoever invites a customer once more to an order means to ask about it again.
    if !is_first || case.invitation.follows.is_some() {
        return found;
    }
    let invited =
        case.past.iter().filter(|letter| letter.is_first && letter.shop == *shop).map(|letter| letter.at).max();
    if let (Some(span), Some(last)) = (policy.same_person, invited) {
        let inputs = Inputs::NONE.with("last", last).with("once_in_days", days(span));
        found.push((last.plus(span), Ground::with(Rule::SamePerson, inputs)));
    }
    if let (Some(span), Some(asked)) = (policy.same_product, all_asked_since(case.invitation, case.past)) {
        let inputs = Inputs::NONE.with("last", asked).with("once_in_days", days(span));
        found.push((asked.plus(span), Ground::with(Rule::SameProduct, inputs)));
    }
    found
}

/// Since when the person was asked about everything in the order: the earliest of the last times that each product was asked about.
/// `None` as long as one of them was never asked about, or none is known. Another shop's article numbers mean other products.
fn all_asked_since(invitation: &Invitation, past: &[PastLetter]) -> Option<Timestamp> {
    let last_asked = |product: &Product| {
        let keys = keys_of(product);
        let asked = past.iter().filter(|letter| letter.shop == invitation.shop);
        asked.filter(|letter| letter.products.iter().any(|key| keys.contains(key))).map(|letter| letter.at).max()
    };
    if invitation.order.products.is_empty() {
        return None;
    }
    invitation.order.products.iter().map(last_asked).collect::<Option<Vec<_>>>()?.into_iter().min()
}

/// Under what names the products of an order are the same as those of another: by article number, world trade number and page.
pub fn product_keys(order: &OrderDetails) -> Vec<String> {
    order.products.iter().flat_map(keys_of).collect()
}

fn keys_of(product: &Product) -> Vec<String> {
    let key = |kind: &str, value: &Option<String>| {
        let value = value.as_deref()?.trim();
        (!value.is_empty()).then(|| format!("{kind}:{}", value.to_lowercase()))
    };
    // A page's address is the product's without what says whence somebody came to it.
    let page = product.url.as_deref().map(|url| url.split(['?', '#']).next().unwrap_or(url).to_owned());
    [key("sku", &product.sku), key("gtin", &product.gtin), key("url", &page)].into_iter().flatten().collect()
}

fn days(span: Duration) -> String {
    let days = span.as_secs_f64() / 86_400.0;
    if days.fract() == 0.0 { format!("{days:.0}") } else { format!("{days:.1}") }
}
