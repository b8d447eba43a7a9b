//! Which invitations somebody means: the filters that lists, exports and the desk's bulk actions share. The engine narrows them
//! down as far as it can, and [`Filter::means`] has the last word on each, so that the answer is the same on every engine.

use std::fmt;

use crate::domain::{AddressKey, Invitation, InvitationId, ShopId, State, Timestamp};

/// Which invitations are meant. Everything given must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Of this shop.
    pub shop: Option<ShopId>,
    /// In one of these states; any when empty.
    pub states: Vec<State>,
    /// For this address.
    pub email: Option<AddressKey>,
    /// About this order, as [`crate::domain::OrderReference::key`] makes it.
    pub reference: Option<String>,
    /// Whose first mail this template read.
    pub template: Option<String>,
    /// With this mark of the shop's, without regard to case.
    pub tag: Option<String>,
    /// Begun at this instant or later.
    pub begun_from: Timestamp,
    /// Begun before this instant.
    pub begun_before: Timestamp,
    /// With something due at this instant or later.
    pub due_from: Option<Timestamp>,
    /// With something due before this instant.
    pub due_before: Option<Timestamp>,
    /// With this text in the name, the address, the reference or a product.
    pub text: Option<FreeText>,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            shop: None,
            states: Vec::new(),
            email: None,
            reference: None,
            template: None,
            tag: None,
            begun_from: Timestamp(i64::MIN),
            begun_before: Timestamp(i64::MAX),
            due_from: None,
            due_before: None,
            text: None,
        }
    }
}

impl Filter {
    /// Whether nothing is asked for, so that every invitation is meant.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether this invitation is meant.
    pub fn means(&self, one: &Invitation) -> bool {
        let due = one.progress.due_at;
        self.shop.as_ref().is_none_or(|shop| *shop == one.shop)
            && (self.states.is_empty() || self.states.contains(&one.progress.state))
            && self.email.as_ref().is_none_or(|key| *key == one.customer.email.key())
            && self.reference.as_ref().is_none_or(|key| *key == one.reference.key())
            && self.template.as_ref().is_none_or(|name| one.order.template.as_ref() == Some(name))
            && self.tag.as_ref().is_none_or(|tag| one.order.tags.iter().any(|has| lower(has) == lower(tag)))
            && (self.begun_from..self.begun_before).contains(&one.created_at)
            && self.due_from.is_none_or(|from| due.is_some_and(|due| due >= from))
            && self.due_before.is_none_or(|before| due.is_some_and(|due| due < before))
            && self.text.as_ref().is_none_or(|text| text.is_in(one))
    }

    /// The states in which a meant invitation can stand; `None` stands for any.
    pub(in crate::store) fn states_meant(&self) -> Option<Vec<State>> {
        let has_due = self.due_from.is_some() || self.due_before.is_some();
        if self.states.is_empty() && !has_due {
            return None;
        }
        let is_meant = |state: &State| {
            (self.states.is_empty() || self.states.contains(state))
                && (!has_due || matches!(state, State::Waiting | State::Queued | State::Sent))
        };
        Some(State::ALL.into_iter().filter(is_meant).collect())
    }
}

/// A text that is looked for without regard to case. It may be somebody's name, so it is not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct FreeText(String);

impl FreeText {
    /// The text, or `None` when there is nothing to look for.
    pub fn parse(text: &str) -> Option<Self> {
        let text = lower(text.trim());
        (!text.is_empty()).then_some(Self(text))
    }

    /// Whether an invitation has it.
    fn is_in(&self, one: &Invitation) -> bool {
        let has = |text: &str| lower(text).contains(&self.0);
        has(one.customer.email.as_str())
            || has(one.reference.as_str())
            || one.customer.name.as_ref().is_some_and(|name| has(name.as_str()))
            || one.order.products.iter().any(|product| {
                let numbers = [&product.sku, &product.gtin, &product.mpn, &product.brand];
                has(&product.name) || numbers.into_iter().flatten().any(|number| has(number))
            })
    }

    /// A pattern of LIKE for a text that has it. Engines know case in ASCII alone, so a letter beyond it may be any character.
    pub(in crate::store) fn pattern(&self) -> String {
        pattern(&self.0)
    }

    /// The same for a text as it stands inside of a JSON string.
    pub(in crate::store) fn json_pattern(&self) -> String {
        pattern(&in_json(&self.0))
    }
}

impl fmt::Debug for FreeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FreeText({} characters)", self.0.chars().count())
    }
}

/// A pattern of LIKE for the JSON of an order that this template read.
pub(in crate::store) fn template_pattern(name: &str) -> String {
    pattern(&format!("\"template\":\"{}\"", in_json(name)))
}

/// A pattern of LIKE for the JSON of an order with this tag.
pub(in crate::store) fn tag_pattern(tag: &str) -> String {
    pattern(&format!("\"{}\"", in_json(&lower(tag))))
}

fn lower(text: &str) -> String {
    text.to_lowercase()
}

/// A text as it stands between the quotes of a JSON string.
fn in_json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default().to_owned()
}

/// `%text%`, with `\` before what LIKE would take for its own, and `_` for a cased letter beyond ASCII.
fn pattern(text: &str) -> String {
    // The small form of the Turkish capital dotted I is two characters, of which the first is ASCII.
    if let Some((before, after)) = text.split_once("i\u{307}") {
        return format!("{}{}", pattern(before), pattern(after));
    }
    let mut like = String::with_capacity(text.len() + 8);
    like.push('%');
    for c in text.chars() {
        match c {
            '%' | '_' | '\\' => like.extend(['\\', c]),
            c if c.is_ascii() => like.push(c),
            // Of what has one case only the letter itself is meant.
            c if c.to_lowercase().eq([c]) && c.to_uppercase().eq([c]) => like.push(c),
            // In the other case it may be several characters: `ß` and `SS`.
            c if c.to_uppercase().count() > 1 => like.push('%'),
            _ => like.push('_'),
        }
    }
    like.push('%');
    like
}

/// A part of a list, newest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Page {
    /// The invitations that are meant.
    pub invitations: Vec<Invitation>,
    /// Down to which invitation was looked, when there are older ones: what comes next is before it.
    pub looked_down_to: Option<InvitationId>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Customer, EmailAddress, OrderDetails, OrderReference, PersonName, Policy, Product, open_by_hand,
    };

    fn invitation() -> Invitation {
        let progress = open_by_hand(Timestamp(500), &Policy::default()).progress;
        Invitation {
            id: InvitationId(7),
            shop: ShopId::parse("nord").unwrap(),
            reference: OrderReference::parse("LN-2204").unwrap(),
            customer: Customer {
                email: EmailAddress::parse("asa.oberg@customer.example").unwrap(),
                name: PersonName::parse("\u{c5}sa \u{d6}berg"),
            },
            order: OrderDetails {
                template: Some("shopify".to_owned()),
                tags: vec!["B2B".to_owned()],
                products: vec![Product {
                    name: "Stra\u{df}enlampe 100%".to_owned(),
                    sku: Some("L_1".to_owned()),
                    url: Some("https://shop.example/secret-page".to_owned()),
                    ..Product::default()
                }],
                ..OrderDetails::default()
            },
            progress,
            round: 0,
            follows: None,
            link_series: 0,
            created_at: Timestamp(100),
            updated_at: Timestamp(100),
        }
    }

    #[test]
    fn everything_given_must_hold() {
        let none = Filter::default();
        let text = |text: &str| Filter { text: FreeText::parse(text), ..Filter::default() };
        let email = |text: &str| Some(EmailAddress::parse(text).unwrap().key());
        for (filter, is_meant) in [
            (none.clone(), true),
            (Filter { shop: ShopId::parse("nord").ok(), ..none.clone() }, true),
            (Filter { shop: ShopId::parse("syd").ok(), ..none.clone() }, false),
            (Filter { states: vec![State::Sent, State::Queued], ..none.clone() }, true),
            (Filter { states: vec![State::Sent], ..none.clone() }, false),
            (Filter { email: email("Asa.Oberg@Customer.Example"), ..none.clone() }, true),
            (Filter { email: email("bo@customer.example"), ..none.clone() }, false),
            (Filter { reference: Some("ln-2204".to_owned()), ..none.clone() }, true),
            (Filter { reference: Some("ln-220".to_owned()), ..none.clone() }, false),
            (Filter { template: Some("shopify".to_owned()), ..none.clone() }, true),
            (Filter { template: Some("shop".to_owned()), ..none.clone() }, false),
            (Filter { tag: Some("b2b".to_owned()), ..none.clone() }, true),
            (Filter { tag: Some("b2".to_owned()), ..none.clone() }, false),
            (Filter { begun_from: Timestamp(100), begun_before: Timestamp(101), ..none.clone() }, true),
            (Filter { begun_from: Timestamp(101), ..none.clone() }, false),
            (Filter { begun_before: Timestamp(100), ..none.clone() }, false),
            (Filter { due_from: Some(Timestamp(500)), due_before: Some(Timestamp(501)), ..none.clone() }, true),
            (Filter { due_from: Some(Timestamp(501)), ..none.clone() }, false),
            (Filter { due_before: Some(Timestamp(500)), ..none.clone() }, false),
            (Filter { template: Some("shopify".to_owned()), tag: Some("vip".to_owned()), ..none.clone() }, false),
            (text("\u{e5}SA"), true),
            (text("OBERG@"), true),
            (text("n-22"), true),
            (text("stra\u{df}enLAMPE 100%"), true),
            (text("l_1"), true),
            (text("secret-page"), false),
            (text("shopify"), false),
            (text("lx1"), false),
        ] {
            assert_eq!(filter.means(&invitation()), is_meant, "{filter:?}");
        }
        let mut ended = invitation();
        ended.progress.due_at = None;
        assert!(!Filter { due_before: Some(Timestamp(i64::MAX)), ..none }.means(&ended), "nothing is due");
        assert_eq!(FreeText::parse("  "), None);
    }

    #[test]
    fn what_is_due_stands_in_few_states() {
        let due = Filter { due_before: Some(Timestamp(1)), ..Filter::default() };
        assert_eq!(due.states_meant(), Some(vec![State::Waiting, State::Queued, State::Sent]));
        let both = Filter { states: vec![State::Cancelled, State::Sent], ..due };
        assert_eq!(both.states_meant(), Some(vec![State::Sent]));
        assert_eq!(Filter::default().states_meant(), None);
    }

    #[test]
    fn patterns_say_literally_what_an_engine_can_compare() {
        for (text, plain, json) in [
            ("Anna", "%anna%", "%anna%"),
            ("100%_\\", "%100\\%\\_\\\\%", "%100\\%\\_\\\\\\\\%"),
            ("\u{d6}berg", "%_berg%", "%_berg%"),
            ("\u{df}x", "%%x%", "%%x%"),
            ("5\" pipe", "%5\" pipe%", "%5\\\\\" pipe%"),
            ("\u{130}zmir x", "%%%zmir x%", "%%%zmir x%"),
            ("\u{6ce8}\u{6587}", "%\u{6ce8}\u{6587}%", "%\u{6ce8}\u{6587}%"),
        ] {
            let text = FreeText::parse(text).unwrap();
            assert_eq!((text.pattern().as_str(), text.json_pattern().as_str()), (plain, json));
        }
        assert_eq!(template_pattern("own\"1"), "%\"template\":\"own\\\\\"1\"%");
        assert_eq!(tag_pattern("B2B"), "%\"b2b\"%");
    }

    #[test]
    fn a_text_that_is_looked_for_is_not_shown() {
        let shown = format!("{:?}", Filter { text: FreeText::parse("Anna Exempel"), ..Filter::default() });
        assert!(!shown.to_lowercase().contains("anna"), "{shown}");
    }
}
