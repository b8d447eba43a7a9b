//! What reading a copy yielded. Reading never fails: it finds things, and says what it makes of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::email_address::EmailAddress;
use super::order::{Customer, EventKind, OrderDate, OrderEvent, OrderReference, PersonName, Product, Total};
use super::time::Timestamp;

/// What is to be done with a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It tells of an order and everything needed was read.
    Event,
    /// It is no order mail.
    Ignored,
    /// It may be an order mail, but something is missing or ambiguous: a person should look.
    Held,
}

impl Outcome {
    /// The word for it in JSON and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Ignored => "ignored",
            Self::Held => "held",
        }
    }
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The kind of order event.
    Event,
    /// The customer's name.
    CustomerName,
    /// The customer's address.
    CustomerEmail,
    /// The order reference.
    Reference,
    /// The day of the order.
    OrderDate,
    /// The last day on which the parcel is expected.
    ExpectedDelivery,
    /// The products.
    Products,
    /// The language of the mail.
    Locale,
    /// The customer's country.
    Country,
    /// What the order cost in all.
    Total,
    /// When the shop wants the letter to be sent.
    PreferredSendTime,
    /// The shop's own marks for the order.
    Tags,
    /// Whether the customer agreed to be asked for a review.
    Consent,
    /// Nothing that was read, but something that was wrong: an unfilled placeholder, a broken encoding, a bound that was passed.
    Remark,
}

impl Field {
    /// The word for it in templates and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::CustomerName => "customer_name",
            Self::CustomerEmail => "customer_email",
            Self::Reference => "reference",
            Self::OrderDate => "order_date",
            Self::ExpectedDelivery => "expected_delivery",
            Self::Products => "products",
            Self::Locale => "locale",
            Self::Country => "country",
            Self::Total => "total",
            Self::PreferredSendTime => "preferred_send_time",
            Self::Tags => "tags",
            Self::Consent => "consent",
            Self::Remark => "remark",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which layer of the reader found something, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// A person at the support desk, who completed a held copy.
    Desk,
    /// The AFS structured snippet, `application/json+trustpilot`.
    Snippet,
    /// schema.org JSON-LD.
    JsonLd,
    /// schema.org microdata.
    Microdata,
    /// A template's rules.
    Template,
    /// The words of all languages, where no template knows the shop's software.
    Generic,
    /// The header heuristics of AFS: `To:` and the subject.
    Headers,
    /// No layer that reads orders: the mail itself, its encodings and its forwarding.
    Mail,
}

impl Layer {
    /// The word for it in JSON and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Desk => "desk",
            Self::Snippet => "snippet",
            Self::JsonLd => "json_ld",
            Self::Microdata => "microdata",
            Self::Template => "template",
            Self::Generic => "generic",
            Self::Headers => "headers",
            Self::Mail => "mail",
        }
    }
}

/// One thing that was read: what, by whom and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is about.
    pub field: Field,
    /// The value, cleaned.
    pub value: String,
    /// Which layer found it.
    pub layer: Layer,
    /// The rule or place within the layer, such as `reference.subject` or `Order.orderNumber`.
    pub rule: String,
}

/// Everything that was read from one copy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// What is to be done with the copy.
    pub outcome: Outcome,
    /// What happened to the order, where the mail says.
    pub event: Option<EventKind>,
    /// The customer's name.
    pub customer_name: Option<PersonName>,
    /// The customer's address.
    pub customer_email: Option<EmailAddress>,
    /// The order reference.
    pub reference: Option<OrderReference>,
    /// The day of the order.
    pub order_date: Option<OrderDate>,
    /// The last day on which the parcel is expected.
    pub expected_delivery: Option<jiff::civil::Date>,
    /// The products.
    pub products: Vec<Product>,
    /// The language of the mail.
    pub locale: Option<String>,
    /// The customer's country, as an ISO 3166-1 alpha-2 code in capitals.
    #[serde(default)]
    pub country: Option<String>,
    /// What the order cost in all.
    #[serde(default)]
    pub total: Option<Total>,
    /// When the shop wants the letter to be sent (`preferredSendTime` of the AFS snippet).
    #[serde(default)]
    pub preferred_send_time: Option<jiff::Timestamp>,
    /// The shop's own marks for the order (`tags` of the AFS snippet).
    #[serde(default)]
    pub tags: Vec<String>,
    /// Whether the customer agreed to be asked for a review; `None` where nothing says so.
    #[serde(default)]
    pub consent: Option<bool>,
    /// When the mail that was read was sent, by its own `Date:` field (RFC 5322, section 3.6.1); the innermost mail's where one was
    /// forwarded. `None` where that field is missing or makes no sense.
    #[serde(default)]
    pub sent_at: Option<Timestamp>,
    /// The template that matched.
    pub template: Option<String>,
    /// What was read, by which rule; for every field the one that was taken comes first.
    pub findings: Vec<Finding>,
    /// Why the copy is ignored or held, in words for a support person.
    pub reason: Option<String>,
}

impl Reading {
    /// A reading of nothing, with its outcome and reason.
    pub fn without_findings(outcome: Outcome, reason: impl Into<String>) -> Self {
        Self {
            outcome,
            event: None,
            customer_name: None,
            customer_email: None,
            reference: None,
            order_date: None,
            expected_delivery: None,
            products: Vec::new(),
            locale: None,
            country: None,
            total: None,
            preferred_send_time: None,
            tags: Vec::new(),
            consent: None,
            sent_at: None,
            template: None,
            findings: Vec::new(),
            reason: Some(reason.into()),
        }
    }

    /// The order event, when the outcome is one.
    pub fn order_event(&self) -> Option<OrderEvent> {
        if self.outcome != Outcome::Event {
            return None;
        }
        Some(OrderEvent {
            kind: self.event?,
            reference: self.reference.clone()?,
            customer: Customer { email: self.customer_email.clone()?, name: self.customer_name.clone() },
            order_date: self.order_date.clone(),
            expected_delivery: self.expected_delivery,
            locale: self.locale.clone(),
            products: self.products.clone(),
            country: self.country.clone(),
            tags: self.tags.clone(),
            template: self.template.clone(),
            consent: self.consent,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_that_was_stored_before_there_were_more_fields_is_still_read() {
        let stored = r#"{"outcome":"event","event":"placed","customer_name":null,"customer_email":"a@b.example",
            "reference":"7","order_date":null,"expected_delivery":null,"products":[{"name":"Cup","sku":null,"url":null,
            "image":null,"price":null,"quantity":2}],"locale":null,"template":null,"findings":[],"reason":null}"#;
        let reading: Reading = serde_json::from_str(stored).expect("a reading");
        assert_eq!((reading.country, reading.total, reading.preferred_send_time), (None, None, None));
        assert_eq!((reading.consent, reading.sent_at), (None, None));
        assert!(reading.tags.is_empty() && reading.products[0].gtin.is_none());
    }
}
