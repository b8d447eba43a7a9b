//! An invitation: one customer, one order, one shop, and how far it has come.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::InvitationId;
use super::lifecycle::Progress;
use super::order::{Customer, OrderDate, OrderEvent, OrderReference, PersonName, Product};
use super::shop::ShopId;
use super::time::Timestamp;

/// The intent to ask one customer about one order.
#[derive(Debug, Clone, PartialEq)]
pub struct Invitation {
    /// Its number.
    pub id: InvitationId,
    /// Who asks.
    pub shop: ShopId,
    /// About which order.
    pub reference: OrderReference,
    /// Whom.
    pub customer: Customer,
    /// What is known of the order.
    pub order: OrderDetails,
    /// How far it has come.
    pub progress: Progress,
    /// How many invitations of the same customer to the same order came before it.
    pub round: u32,
    /// The one before it.
    pub follows: Option<InvitationId>,
    /// Which series of its links is good; links of an earlier one are revoked.
    pub link_series: u8,
    /// When the first copy about it was read.
    pub created_at: Timestamp,
    /// When it last moved.
    pub updated_at: Timestamp,
}

/// What the copies told about an order, kept for its letters.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OrderDetails {
    /// The language of the shop's mails to this customer.
    pub locale: Option<String>,
    /// The day of the order.
    pub order_date: Option<OrderDate>,
    /// The last day on which the parcel is expected.
    pub expected_delivery: Option<jiff::civil::Date>,
    /// What was bought.
    pub products: Vec<Product>,
    /// The customer's country, ISO 3166-1 alpha-2 in capitals.
    pub country: Option<String>,
    /// The shop's own marks for the order.
    pub tags: Vec<String>,
    /// The template that read its first mail.
    pub template: Option<String>,
    /// Whether the customer agreed to be asked. `None`: no mail says anything of it.
    pub consent: Option<bool>,
}

impl OrderDetails {
    /// Adds what a copy tells: the first answer stays, save for the expected delivery and the consent, of which
    /// the last one counts, and tags, which add up.
    pub fn learn(&mut self, event: &OrderEvent) {
        self.locale = self.locale.take().or_else(|| event.locale.clone());
        self.order_date = self.order_date.take().or_else(|| event.order_date.clone());
        self.expected_delivery = event.expected_delivery.or(self.expected_delivery);
        if self.products.is_empty() {
            self.products.clone_from(&event.products);
        }
        self.country = self.country.take().or_else(|| event.country.clone());
        self.template = self.template.take().or_else(|| event.template.clone());
        self.consent = event.consent.or(self.consent);
        for tag in &event.tags {
            if !self.tags.contains(tag) {
                self.tags.push(tag.clone());
            }
        }
    }
}

impl Invitation {
    /// Adds what a copy tells about the customer and the order. The progress is the life cycle's business.
    pub fn learn(&mut self, event: &OrderEvent) {
        self.customer.name = fuller_name(self.customer.name.take(), event.customer.name.clone());
        self.order.learn(event);
    }

    /// Which letter is next: the first, or a reminder of it.
    pub fn next_letter(&self) -> LetterKind {
        if self.progress.letters_sent == 0 { LetterKind::Invitation } else { LetterKind::Reminder }
    }
}

/// Some mails greet by the first name only and later ones give the whole name.
fn fuller_name(known: Option<PersonName>, told: Option<PersonName>) -> Option<PersonName> {
    match (known, told) {
        (Some(known), Some(told)) if told.as_str().starts_with(known.as_str()) => Some(told),
        (known, told) => known.or(told),
    }
}

/// Which mail a letter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LetterKind {
    /// The first letter.
    Invitation,
    /// The letter after it.
    Reminder,
}

impl LetterKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Invitation, Self::Reminder];

    /// The word for it in files, tables and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Reminder => "reminder",
        }
    }
}

impl fmt::Display for LetterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
