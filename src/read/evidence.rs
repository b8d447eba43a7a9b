//! What the layers found, each thing with where it comes from, until it is decided what is taken.

use crate::domain::{
    EmailAddress, EventKind, Field, Finding, Layer, OrderDate, OrderReference, PersonName, Product, clean,
};

/// Most products that are taken from a mail.
pub(super) const PRODUCTS: usize = 100;

/// Something that was found: a checked value.
#[derive(Clone, PartialEq)]
pub(super) enum Value {
    Event(EventKind),
    Name(PersonName),
    Email(EmailAddress),
    Reference(OrderReference),
    OrderDate(OrderDate),
    ExpectedDelivery(jiff::civil::Date),
    Products(Vec<Product>),
    Locale(String),
}

impl Value {
    fn field(&self) -> Field {
        match self {
            Self::Event(_) => Field::Event,
            Self::Name(_) => Field::CustomerName,
            Self::Email(_) => Field::CustomerEmail,
            Self::Reference(_) => Field::Reference,
            Self::OrderDate(_) => Field::OrderDate,
            Self::ExpectedDelivery(_) => Field::ExpectedDelivery,
            Self::Products(_) => Field::Products,
            Self::Locale(_) => Field::Locale,
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Event(kind) => kind.to_string(),
            Self::Name(name) => name.to_string(),
            Self::Email(email) => email.to_string(),
            Self::Reference(reference) => reference.to_string(),
            Self::OrderDate(date) => date.as_str().to_owned(),
            Self::ExpectedDelivery(day) => day.to_string(),
            Self::Products(products) => {
                clean(&products.iter().map(|product| product.name.as_str()).collect::<Vec<_>>().join("; "), 500)
            }
            Self::Locale(locale) => locale.clone(),
        }
    }
}

/// A value with its origin.
#[derive(Clone)]
pub(super) struct Candidate {
    pub(super) value: Value,
    pub(super) layer: Layer,
    pub(super) rule: String,
}

/// All that was found, in the order in which it was found.
#[derive(Default)]
pub(super) struct Evidence {
    candidates: Vec<Candidate>,
}

impl Evidence {
    /// Notes a value; the same value by the same rule is noted once.
    pub(super) fn add(&mut self, layer: Layer, rule: impl Into<String>, value: Value) {
        let candidate = Candidate { value, layer, rule: rule.into() };
        let known =
            |known: &Candidate| known.layer == layer && known.rule == candidate.rule && known.value == candidate.value;
        if self.candidates.len() < 1_000 && !self.candidates.iter().any(known) {
            self.candidates.push(candidate);
        }
    }

    /// The candidates of a field, best layer first; within a layer in the order found.
    pub(super) fn of(&self, field: Field) -> Vec<&Candidate> {
        let mut found = self.candidates.iter().filter(|candidate| candidate.value.field() == field).collect::<Vec<_>>();
        found.sort_by_key(|candidate| candidate.layer);
        found
    }

    /// Whether anything was found for a field.
    pub(super) fn holds(&self, field: Field) -> bool {
        self.candidates.iter().any(|candidate| candidate.value.field() == field)
    }

    /// Whether a layer found anything.
    pub(super) fn has(&self, layer: Layer) -> bool {
        self.candidates.iter().any(|candidate| candidate.layer == layer)
    }

    /// Everything as findings, the fields in their order; in `taken` is, for some fields, the value that goes first.
    pub(super) fn into_findings(self, taken: &[Value]) -> Vec<Finding> {
        let mut candidates = self.candidates;
        candidates
            .sort_by_key(|candidate| (candidate.value.field(), !taken.contains(&candidate.value), candidate.layer));
        candidates
            .into_iter()
            .map(|candidate| Finding {
                field: candidate.value.field(),
                value: candidate.value.shown(),
                layer: candidate.layer,
                rule: candidate.rule,
            })
            .collect()
    }
}

/// A language tag `xx`, `xx-YY` or `xx_YY` in RFC 5646 form.
pub(super) fn locale(text: &str) -> Option<String> {
    let mut parts = text.trim().split(['-', '_']);
    let language = parts.next()?.to_ascii_lowercase();
    if !(2..=3).contains(&language.len()) || !language.bytes().all(|b| b.is_ascii_lowercase()) {
        return None;
    }
    match parts.find(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_alphabetic())) {
        Some(region) => Some(format!("{language}-{}", region.to_ascii_uppercase())),
        None => Some(language),
    }
}

/// An absolute web address, as it would be written into a letter.
pub(super) fn web_address(text: &str) -> Option<String> {
    let url = url::Url::parse(&clean(text, 2_000)).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.has_host()).then(|| url.to_string())
}

/// Whether a template engine left this text as it was: `{{ order.id }}`, `%ORDER%`, `[email]`, `${x}`.
pub(super) fn is_unfilled(text: &str) -> bool {
    let text = text.trim();
    let wrapped = |open: char, close: char| text.len() > 2 && text.starts_with(open) && text.ends_with(close);
    ["{{", "}}", "{%", "${", "<%", "%>", "[[", "@@"].iter().any(|sign| text.contains(sign))
        || wrapped('{', '}')
        || wrapped('[', ']')
        || wrapped('%', '%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_come_out_in_one_form() {
        for (text, tag) in [
            ("sv_SE", Some("sv-SE")),
            ("de", Some("de")),
            ("EN-gb", Some("en-GB")),
            ("zh-Hant-TW", Some("zh-TW")),
            ("english", None),
            ("", None),
        ] {
            assert_eq!(locale(text).as_deref(), tag, "{text}");
        }
    }

    #[test]
    fn placeholders_that_nobody_filled_are_known() {
        for text in ["{{ order.id }}", "%ORDER_ID%", "[customer]", "${name}", "{name}"] {
            assert!(is_unfilled(text), "{text}");
        }
        for text in ["50% off", "a [b] c", "#1001"] {
            assert!(!is_unfilled(text), "{text}");
        }
    }

    #[test]
    fn only_web_addresses_are_web_addresses() {
        assert!(web_address("javascript:alert(1)").is_none());
        assert!(web_address("/x").is_none());
        assert_eq!(web_address("https://shop.example/a b").as_deref(), Some("https://shop.example/a%20b"));
    }
}
