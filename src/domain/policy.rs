//! What a shop wants: when its customers are asked, how often, until when, and who is not asked at all.

use std::collections::HashMap;
use std::time::Duration;

use super::address_class::AddressClassSet;
use super::invitation::OrderDetails;
use super::lifecycle::PutOffs;
use super::place::Places;
use super::sample::Share;
use super::shop::ShopId;
use super::time::Zone;
use super::window::SendWindow;

/// A calendar day's length. Delays are promised in days of this length; the send window of the customer's zone is a rule of its own.
pub const DAY: Duration = Duration::from_secs(86_400);

/// The order event from which the delay counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// The order mail, or any later mail when that never came.
    Order,
    /// The shipment mail, or the delivery mail.
    Shipment,
    /// The delivery mail.
    Delivery,
}

impl Trigger {
    /// The word for it in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Shipment => "shipment",
            Self::Delivery => "delivery",
        }
    }
}

/// What counts when the trigger never comes: `otherwise = "14 days after shipment"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fallback {
    /// An event earlier in an order's life than the trigger.
    pub trigger: Trigger,
    /// From that event to the first letter.
    pub delay: Duration,
}

/// What happens to a letter of which nobody knows whether the relay took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InDoubt {
    /// It waits for a person: no customer gets a letter twice.
    Hold,
    /// It is sent again with the same Message-ID: no customer is left out.
    Resend,
}

/// Which letters count when those to one person are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CapScope {
    /// Those of all shops of this installation.
    AllShops,
    /// The shop's own.
    Shop,
}

/// At most so many letters within so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// Letters.
    pub letters: u32,
    /// Any stretch of this length.
    pub within: Duration,
}

/// Whether a customer must have agreed to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// No.
    NotNeeded,
    /// Only who agreed, by words in the copy or in the shop's own data, is asked.
    Required,
}

/// A shop's rules, for one kind of order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Which event starts the delay.
    pub trigger: Trigger,
    /// What starts it when that event never comes.
    pub otherwise: Option<Fallback>,
    /// From the trigger, or the expected delivery when that is later, to the first letter; 0 to 90 days.
    pub delay: Duration,
    /// From a letter to the reminder of it; `None` sends none. At least 5 days.
    pub reminder: Option<Duration>,
    /// How many reminders, 1 to 3, where there are any.
    pub reminders: u32,
    /// Letters to one order at most, 1 to 4.
    pub letters_per_order: u32,
    /// Whose letters count for [`Self::person_cap`] and [`Self::person_apart`].
    pub cap_scope: CapScope,
    /// Letters to one person at most.
    pub person_cap: Option<Cap>,
    /// Between two letters to one person at least.
    pub person_apart: Option<Duration>,
    /// How long nobody is asked about a product again that they were asked about.
    pub same_product: Option<Duration>,
    /// How long a person who was invited by this shop is not invited by it again; `None` asks about every purchase.
    pub same_person: Option<Duration>,
    /// An order older than this gets no invitation.
    pub max_age: Option<Duration>,
    /// Whether the customer must have agreed.
    pub consent: Consent,
    /// The share of the orders that is asked about, drawn by lot.
    pub sample: Share,
    /// Kinds of addresses that get no letter.
    pub refused: AddressClassSet,
    /// When letters go, by the clocks where the customer is.
    pub window: SendWindow,
    /// Letters an hour of this shop at most.
    pub rate: Option<u32>,
    /// How long an order waits for its trigger before it is given up.
    pub wait_for_trigger: Duration,
    /// How long after its due time a letter may still be sent.
    pub end_of_life: Duration,
    /// What happens to a letter in doubt.
    pub in_doubt: InDoubt,
    /// How long the next letter waits when the customer says that the order has not arrived.
    pub not_arrived: Duration,
    /// How long it waits when the customer wants to be asked later.
    pub ask_later: Duration,
}

impl Policy {
    /// The preset `afs`, which is also what holds where nothing is written: the defaults of the product's table of rules.
    ///
    /// Delay and reminder are those of Trustpilot's Automatic Feedback Service: 7 days unless changed, up to 90 (its help centre,
    /// "Invitation timing and frequency" and "How can I cancel a review invitation?"), one reminder, an invitation for every
    /// purchase unless changed. Beyond that it has no caps; those here are Yotpo's (see there), so that an installation of several
    /// shops asks nobody too often. Addresses of offices, of marketplaces and of the shop itself are left out, as Revi advises.
    pub const AFS: Self = Self::after(days(7));

    /// The preset `yotpo`, the values of Yotpo's "Review Request Email Policies": 14 days after the purchase ("triggered to be sent
    /// several days following order placement"), a follow-up 7 days after the request and never before 5, at most 3 mails, at
    /// least 5 days between mails, at most 5 to one person within 30 days, and the same product once in 12 months.
    pub const YOTPO: Self = Self::after(days(14));

    /// The pace that both presets have in common.
    const fn after(delay: Duration) -> Self {
        Self {
            trigger: Trigger::Order,
            otherwise: None,
            delay,
            reminder: Some(days(7)),
            reminders: 1,
            letters_per_order: 3,
            cap_scope: CapScope::AllShops,
            person_cap: Some(Cap { letters: 5, within: days(30) }),
            person_apart: Some(days(5)),
            same_product: Some(days(365)),
            same_person: None,
            max_age: None,
            consent: Consent::NotNeeded,
            sample: Share::ALL,
            refused: AddressClassSet::ALL,
            window: SendWindow::DAYTIME,
            rate: None,
            wait_for_trigger: days(60),
            end_of_life: days(30),
            in_doubt: InDoubt::Hold,
            not_arrived: days(7),
            ask_later: days(7),
        }
    }

    /// Letters to one order at most, reminders included.
    pub fn letters_at_most(&self) -> u32 {
        let reminders = if self.reminder.is_some() { self.reminders } else { 0 };
        self.letters_per_order.min(1 + reminders)
    }

    /// The same where the customer has put letters off: each time is worth one more, within the letters to one order.
    pub fn letters_at_most_after(&self, put_off: PutOffs) -> u32 {
        self.letters_per_order.min(self.letters_at_most() + put_off.count())
    }

    /// How far back the letters to a person matter.
    pub fn looks_back(&self) -> Duration {
        let spans = [self.person_cap.map(|cap| cap.within), self.person_apart, self.same_product, self.same_person];
        spans.into_iter().flatten().max().unwrap_or(Duration::ZERO)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::AFS
    }
}

const fn days(number: u64) -> Duration {
    Duration::from_secs(number * 86_400)
}

/// For which orders of a shop other rules hold. Everything given must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct When {
    /// The template that read the order's first mail.
    pub template: Option<String>,
    /// A tag of the order, whatever its letter case.
    pub tag: Option<String>,
    /// The customer's country, ISO 3166-1 alpha-2 in capitals.
    pub country: Option<String>,
}

impl When {
    /// Whether it holds for every order that the other holds for.
    pub fn includes(&self, other: &Self) -> bool {
        let is_wider = |own: &Option<String>, its: &Option<String>| own.is_none() || own == its;
        let in_lower_case = |tag: &Option<String>| tag.as_ref().map(|tag| tag.to_lowercase());
        is_wider(&self.template, &other.template)
            && is_wider(&in_lower_case(&self.tag), &in_lower_case(&other.tag))
            && is_wider(&self.country, &other.country)
    }

    /// Whether it holds for this order.
    pub fn holds(&self, order: &OrderDetails) -> bool {
        let is_wanted = |wanted: &Option<String>, has: &Option<String>| wanted.is_none() || wanted == has;
        let has_tag = |tag: &String| order.tags.iter().any(|has| has.to_lowercase() == tag.to_lowercase());
        let is_there = |country: &String| {
            let code = |code| Places::shipped().code(code).unwrap_or(code);
            order.country.as_deref().is_some_and(|has| code(has) == code(country))
        };
        is_wanted(&self.template, &order.template)
            && self.country.as_ref().is_none_or(is_there)
            && self.tag.as_ref().is_none_or(has_tag)
    }
}

/// A shop's rules: its own, and those for particular orders; and what they need to know of the shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopRules {
    /// What holds for every order that nothing below means.
    pub base: Policy,
    /// The first that holds for an order counts.
    pub others: Vec<(When, Policy)>,
    /// Where the shop is: the hour there counts where nothing is known of the customer's.
    pub zone: Zone,
    /// The shop's own mail domains, and ours.
    pub own_domains: Vec<String>,
}

impl Default for ShopRules {
    fn default() -> Self {
        Self { base: Policy::AFS, others: Vec::new(), zone: Zone::UTC, own_domains: Vec::new() }
    }
}

impl ShopRules {
    /// The policy for an order.
    pub fn of(&self, order: &OrderDetails) -> &Policy {
        self.others.iter().find(|(when, _)| when.holds(order)).map_or(&self.base, |(_, policy)| policy)
    }

    /// All its policies.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        std::iter::once(&self.base).chain(self.others.iter().map(|(_, policy)| policy))
    }
}

/// The rules of all shops.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    shops: HashMap<ShopId, ShopRules>,
    /// What a shop is judged by that is no longer configured: its letters cannot be composed any more, but its orders can still be
    /// cancelled.
    unknown: ShopRules,
    /// What entries of the suppression list are hashed with.
    list_key: [u8; 32],
}

impl Policies {
    /// The shop's rules.
    pub fn shop(&self, shop: &ShopId) -> &ShopRules {
        self.shops.get(shop).unwrap_or(&self.unknown)
    }

    /// The policy for an order of a shop.
    pub fn of(&self, shop: &ShopId, order: &OrderDetails) -> &Policy {
        self.shop(shop).of(order)
    }

    /// The same rules with this key of the suppression list.
    #[must_use]
    pub fn with_list_key(self, list_key: [u8; 32]) -> Self {
        Self { list_key, ..self }
    }

    /// The key of the suppression list.
    pub fn list_key(&self) -> &[u8; 32] {
        &self.list_key
    }

    /// How far back the letters to a person matter to any shop.
    pub fn look_back(&self) -> Duration {
        let rules = self.shops.values().chain(std::iter::once(&self.unknown));
        rules.flat_map(ShopRules::policies).map(Policy::looks_back).max().unwrap_or(Duration::ZERO)
    }
}

impl FromIterator<(ShopId, ShopRules)> for Policies {
    fn from_iter<T: IntoIterator<Item = (ShopId, ShopRules)>>(shops: T) -> Self {
        Self { shops: shops.into_iter().collect(), ..Self::default() }
    }
}

impl FromIterator<(ShopId, Policy)> for Policies {
    fn from_iter<T: IntoIterator<Item = (ShopId, Policy)>>(policies: T) -> Self {
        let rules = |policy| ShopRules { base: policy, ..ShopRules::default() };
        policies.into_iter().map(|(shop, policy)| (shop, rules(policy))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_holds_for_an_order_counts() {
        let slow = Policy { delay: DAY * 30, ..Policy::AFS };
        let none = Policy { reminder: None, ..Policy::AFS };
        let rules = ShopRules {
            base: Policy::AFS,
            others: vec![
                (When { tag: Some("B2B".into()), ..When::default() }, slow.clone()),
                (When { country: Some("DE".into()), template: Some("shopify".into()), tag: None }, none.clone()),
            ],
            ..ShopRules::default()
        };
        let order = |tags: &[&str], country: &str, template: &str| OrderDetails {
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            country: Some(country.to_owned()),
            template: Some(template.to_owned()),
            ..OrderDetails::default()
        };
        assert_eq!(rules.of(&order(&["b2b"], "DE", "shopify")), &slow);
        assert_eq!(rules.of(&order(&[], "DE", "shopify")), &none);
        assert_eq!(rules.of(&order(&[], "de", "shopify")), &none);
        assert_eq!(rules.of(&order(&[], "DE", "magento")), &Policy::AFS);
        assert_eq!(rules.of(&order(&["b2c"], "SE", "shopify")), &Policy::AFS);
    }

    #[test]
    fn a_country_is_the_same_by_another_code_of_it() {
        let british = When { country: Some("GB".into()), ..When::default() };
        let holds =
            |country: &str| british.holds(&OrderDetails { country: Some(country.into()), ..OrderDetails::default() });
        assert!(holds("GB") && holds("UK") && !holds("IE") && !holds("XX"));
        assert!(!british.holds(&OrderDetails::default()));
    }

    #[test]
    fn a_condition_includes_those_that_ask_for_more() {
        let when = |template: &str, tag: &str, country: &str| {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            When { template: some(template), tag: some(tag), country: some(country) }
        };
        for (wide, narrow, expected) in [
            (when("", "b2b", ""), when("", "B2B", "DE"), true),
            (when("shopify", "", ""), when("shopify", "", ""), true),
            (when("", "b2b", "DE"), when("", "b2b", ""), false),
            (when("", "b2b", ""), when("", "b2c", ""), false),
            (when("shopify", "", ""), when("magento", "", "DE"), false),
            (when("", "", "DE"), when("shopify", "", "AT"), false),
        ] {
            assert_eq!(wide.includes(&narrow), expected, "{wide:?} {narrow:?}");
        }
    }

    #[test]
    fn reminders_never_take_an_order_beyond_its_letters() {
        let letters = |reminder, reminders, letters_per_order| {
            Policy { reminder, reminders, letters_per_order, ..Policy::AFS }.letters_at_most()
        };
        assert_eq!(letters(Some(DAY * 7), 1, 3), 2);
        assert_eq!(letters(Some(DAY * 7), 3, 3), 3);
        assert_eq!(letters(None, 3, 3), 1);
        assert_eq!(letters(Some(DAY * 7), 3, 1), 1);
    }
}
