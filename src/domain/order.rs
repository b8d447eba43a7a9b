//! An order as the shop's mails tell of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::email_address::EmailAddress;
use super::text::clean;

/// What happened to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The order was placed or confirmed.
    Placed,
    /// The order was paid.
    Paid,
    /// The order left the shop; also where the mail does not say that it is only a part of it.
    Shipped,
    /// A part of the order left the shop, and the mail says that more is to come.
    ShippedInPart,
    /// The order arrived or was picked up.
    Delivered,
    /// The order will arrive later than promised.
    Delayed,
    /// The order will not be carried out.
    Cancelled,
    /// The money went back.
    Refunded,
    /// A part of the money went back; the rest of the order stands.
    RefundedInPart,
}

impl EventKind {
    /// Every kind, in the order of an order's life.
    pub const ALL: [Self; 9] = [
        Self::Placed,
        Self::Paid,
        Self::Shipped,
        Self::ShippedInPart,
        Self::Delivered,
        Self::Delayed,
        Self::Cancelled,
        Self::Refunded,
        Self::RefundedInPart,
    ];

    /// The word for it in templates, JSON and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Paid => "paid",
            Self::Shipped => "shipped",
            Self::ShippedInPart => "shipped_in_part",
            Self::Delivered => "delivered",
            Self::Delayed => "delayed",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
            Self::RefundedInPart => "refunded_in_part",
        }
    }

    /// Whether nobody is to be asked about the order any more.
    pub const fn ends_the_order(self) -> bool {
        matches!(self, Self::Cancelled | Self::Refunded)
    }

    /// The kind of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// In words, for people.
impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ShippedInPart => "shipped in part",
            Self::RefundedInPart => "refunded in part",
            whole => whole.as_str(),
        })
    }
}

/// A person's name as it may be shown: cleaned, at most 100 characters, not empty, no `@`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PersonName(String);

impl PersonName {
    /// The name in `text`, or `None` when nothing of a name is left after cleaning.
    pub fn parse(text: &str) -> Option<Self> {
        let name = clean(text, 100);
        let name = name.trim_matches(|c: char| c == '"' || c == ',' || c == ';').trim();
        (name.chars().any(char::is_alphabetic) && !name.contains('@')).then(|| Self(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The given name, where the name says without doubt which word that is. Otherwise `None`: it is for what everybody may read, and
    /// a family name shown there against somebody's will is worse than a field left empty.
    pub fn given(&self) -> Option<&str> {
        // A word alone is a family name as often as a given one, and in a script without blanks it is both.
        let (first, rest) = self.0.split_once(char::is_whitespace)?;
        // Only the scripts of Europe: Chinese, Japanese and Korean names begin with the family's.
        let is_word = |c: char| (c.is_alphabetic() && c < '\u{0590}') || matches!(c, '-' | '\'' | '\u{2019}');
        // "Dr." and "A." are no names, "Lind, Anna" and "LIND Anna" begin with the family's.
        let is_name = first.chars().count() > 1 && first.chars().all(is_word);
        let is_shouted = |text: &str| !text.chars().any(char::is_lowercase);
        (is_name && (!is_shouted(first) || is_shouted(rest)) && !rest.contains(',')).then_some(first)
    }
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for PersonName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("no name")
    }
}

impl From<PersonName> for String {
    fn from(name: PersonName) -> Self {
        name.0
    }
}

/// The shop's own name for an order: cleaned, without a leading `#`, 1 to 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OrderReference(String);

impl OrderReference {
    /// The reference in `text`, or `None` when nothing is left, or when it is longer than any shop's.
    pub fn parse(text: &str) -> Option<Self> {
        let text = clean(text, 65);
        let text = text.trim_start_matches(['#', ' ']).trim_end_matches([' ', ',', ';', ':']);
        (!text.is_empty() && text.chars().count() <= 64).then(|| Self(text.to_owned()))
    }

    /// The reference as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form under which two references are the same order: letter case does not count.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

impl fmt::Display for OrderReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for OrderReference {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("no order reference")
    }
}

impl From<OrderReference> for String {
    fn from(reference: OrderReference) -> Self {
        reference.0
    }
}

/// A date as precise as the mail gave it: `2026-11-21` or an RFC 3339 date-time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderDate(String);

impl OrderDate {
    /// Takes ISO 8601 dates and date-times; anything else is `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let date = text.get(..10)?.parse::<jiff::civil::Date>().ok()?;
        let whole = text.parse::<jiff::Timestamp>().is_ok() || text.parse::<jiff::civil::DateTime>().is_ok();
        Some(Self(if whole { text.to_owned() } else { date.to_string() }))
    }

    /// The calendar day, where the shop is.
    pub fn day(&self) -> Option<jiff::civil::Date> {
        self.0.get(..10)?.parse().ok()
    }

    /// As text, ISO 8601.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<jiff::civil::Date> for OrderDate {
    fn from(day: jiff::civil::Date) -> Self {
        Self(day.to_string())
    }
}

/// One line of an order. Every text is cleaned.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Product {
    /// Its name in the shop's words.
    pub name: String,
    /// The shop's article number.
    pub sku: Option<String>,
    /// Its page in the shop: an absolute `http` or `https` address.
    pub url: Option<String>,
    /// Its picture: an absolute `http` or `https` address.
    pub image: Option<String>,
    /// The price as the mail shows it, currency and all.
    pub price: Option<String>,
    /// How many.
    pub quantity: Option<u32>,
    /// The article number of world trade (GTIN: EAN, UPC, ISBN), as the shop wrote it.
    #[serde(default)]
    pub gtin: Option<String>,
    /// The manufacturer's part number.
    #[serde(default)]
    pub mpn: Option<String>,
    /// The brand.
    #[serde(default)]
    pub brand: Option<String>,
}

/// What an order cost in all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// The amount as the mail's data write it, such as `1234.50`.
    pub amount: String,
    /// The currency, an ISO 4217 code in capitals.
    pub currency: Option<String>,
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.currency {
            Some(currency) => write!(f, "{} {currency}", self.amount),
            None => f.write_str(&self.amount),
        }
    }
}

/// Who bought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// Where the letter goes.
    pub email: EmailAddress,
    /// What to call them, where the mail says.
    pub name: Option<PersonName>,
}

/// One thing that happened to one order, read from one copy.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderEvent {
    /// What happened.
    pub kind: EventKind,
    /// Which order.
    pub reference: OrderReference,
    /// Who bought.
    pub customer: Customer,
    /// When the order was placed.
    pub order_date: Option<OrderDate>,
    /// The last day on which the parcel is expected.
    pub expected_delivery: Option<jiff::civil::Date>,
    /// The mail's language, `sv` or `sv-SE` (RFC 5646).
    pub locale: Option<String>,
    /// What was bought, or what was shipped where the mail tells of a part.
    pub products: Vec<Product>,
    /// The customer's country, ISO 3166-1 alpha-2 in capitals.
    pub country: Option<String>,
    /// The shop's own marks for the order.
    pub tags: Vec<String>,
    /// The template that read the mail.
    pub template: Option<String>,
    /// Whether the customer agreed to be asked, where the mail says.
    pub consent: Option<bool>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_lose_their_hash_and_are_compared_without_case() {
        assert_eq!(OrderReference::parse(" # 5674 ").as_ref().map(OrderReference::as_str), Some("5674"));
        assert_eq!(OrderReference::parse("TXHN-2024/1").map(|r| r.key()).as_deref(), Some("txhn-2024/1"));
        assert_eq!(OrderReference::parse(" #\u{200b} "), None);
        assert_eq!(OrderReference::parse(&"9".repeat(65)), None);
    }

    #[test]
    fn a_name_has_letters_and_is_no_address() {
        assert_eq!(
            PersonName::parse("\"O'Malley, Se\u{e1}n\"").as_ref().map(PersonName::as_str),
            Some("O'Malley, Se\u{e1}n")
        );
        assert_eq!(PersonName::parse("a@b.test"), None);
        assert_eq!(PersonName::parse("  12 "), None);
    }

    #[test]
    fn a_given_name_is_the_first_of_several_words_and_never_a_guess() {
        for (name, given) in [
            ("Anna Lind", Some("Anna")),
            ("Anna-Lena van der Berg", Some("Anna-Lena")),
            ("\u{d6}zg\u{fc}r Y\u{131}lmaz", Some("\u{d6}zg\u{fc}r")),
            ("\u{410}\u{43d}\u{43d}\u{430} \u{41b}\u{438}\u{43d}\u{434}", Some("\u{410}\u{43d}\u{43d}\u{430}")),
            ("ANNA LIND", Some("ANNA")),
            ("Lind", None),
            ("Lind, Anna", None),
            ("Lind , Anna", None),
            ("LIND Anna", None),
            ("Dr. Anna Lind", None),
            ("A Lind", None),
            ("24h Service Ltd", None),
            ("\u{7530}\u{4e2d}\u{82b1}\u{5b50}", None),
            ("\u{7530}\u{4e2d} \u{82b1}\u{5b50}", None),
            ("\u{7530}\u{4e2d}\u{3000}\u{82b1}\u{5b50}", None),
            ("\u{ae40} \u{bbfc}\u{c900}", None),
        ] {
            assert_eq!(PersonName::parse(name).unwrap().given(), given, "{name}");
        }
    }

    #[test]
    fn dates_keep_the_precision_that_the_mail_had() {
        assert_eq!(
            OrderDate::parse("2025-09-24T23:33:05+02:00").as_ref().map(OrderDate::as_str),
            Some("2025-09-24T23:33:05+02:00")
        );
        assert_eq!(OrderDate::parse("2025-09-24 rubbish").as_ref().map(OrderDate::as_str), Some("2025-09-24"));
        assert_eq!(OrderDate::parse("24/09/2025"), None);
    }

    #[test]
    fn kinds_have_one_word_each() {
        for kind in EventKind::ALL {
            assert_eq!(EventKind::parse(kind.as_str()), Some(kind));
        }
    }
}
