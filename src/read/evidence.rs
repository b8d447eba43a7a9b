//! What the layers found, each thing with where it comes from, until it is decided what is taken.

use super::placeholders::first_in;
pub(super) use super::placeholders::is_unfilled;
use crate::domain::{
    EmailAddress, EventKind, Field, Finding, Layer, OrderDate, OrderReference, PersonName, Product, Reading, Total,
    clean,
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
    /// An ISO 3166-1 alpha-2 code in capitals.
    Country(String),
    Total(Total),
    PreferredSendTime(jiff::Timestamp),
    Tags(Vec<String>),
    /// Whether the customer agreed to be asked, with the shop's words where those said so.
    Consent(bool, Option<String>),
    /// Something that was wrong, in words.
    Remark(String),
    /// A placeholder that nobody filled, in words: a remark that goes into the reason of a held mail too.
    Unfilled(String),
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
            Self::Country(_) => Field::Country,
            Self::Total(_) => Field::Total,
            Self::PreferredSendTime(_) => Field::PreferredSendTime,
            Self::Tags(_) => Field::Tags,
            Self::Consent(..) => Field::Consent,
            Self::Remark(_) | Self::Unfilled(_) => Field::Remark,
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
            Self::Locale(text) | Self::Country(text) => text.clone(),
            Self::Total(total) => total.to_string(),
            Self::PreferredSendTime(time) => time.to_string(),
            Self::Tags(tags) => clean(&tags.join(", "), 500),
            Self::Consent(_, Some(words)) => clean(words, 500),
            Self::Consent(agreed, None) => agreed.to_string(),
            Self::Remark(text) | Self::Unfilled(text) => clean(text, 500),
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

    /// Notes something that was wrong, in words for a support person.
    pub(super) fn remark(&mut self, layer: Layer, rule: impl Into<String>, what: impl Into<String>) {
        self.add(layer, rule, Value::Remark(what.into()));
    }

    /// Notes a text that a template engine left as it was; whether it is one. Such a text must not be taken for a value.
    pub(super) fn is_unfilled(&mut self, layer: Layer, rule: &str, text: &str) -> bool {
        let unfilled = is_unfilled(text);
        if unfilled {
            let shown = clean(text, 80);
            self.add(layer, rule, Value::Unfilled(format!("{rule} is an unfilled placeholder: {shown}")));
        }
        unfilled
    }

    /// Notes the first placeholder in a longer text, which is called `place`, that a template engine left as it was.
    pub(super) fn note_unfilled_in(&mut self, place: &'static str, text: &str) {
        if let Some(found) = first_in(text) {
            let what = format!("the {place} has an unfilled placeholder: {}", clean(found, 80));
            self.add(Layer::Mail, place, Value::Unfilled(what));
        }
    }

    /// `why` with the unfilled placeholders, which may be the cause: the first few of them.
    pub(super) fn with_unfilled(&self, why: String) -> String {
        let unfilled = self.candidates.iter().filter_map(|candidate| match &candidate.value {
            Value::Unfilled(text) => Some(text.as_str()),
            _ => None,
        });
        unfilled.take(3).fold(why, |why, text| format!("{why}; {text}"))
    }

    /// Puts into a reading what the best layer says about the fields that nothing else hangs on: country, total, send time, tags,
    /// consent. A no counts more than a yes of the same layer.
    pub(super) fn fill(&self, reading: &mut Reading) {
        let mut candidates = self.candidates.iter().collect::<Vec<_>>();
        candidates.sort_by_key(|candidate| (candidate.layer, matches!(candidate.value, Value::Consent(true, _))));
        for candidate in candidates {
            match &candidate.value {
                Value::Consent(agreed, _) => _ = reading.consent.get_or_insert(*agreed),
                Value::Country(country) => _ = reading.country.get_or_insert_with(|| country.clone()),
                Value::Total(total) => _ = reading.total.get_or_insert_with(|| total.clone()),
                Value::PreferredSendTime(time) => _ = reading.preferred_send_time.get_or_insert(*time),
                Value::Tags(tags) if reading.tags.is_empty() => reading.tags.clone_from(tags),
                _ => {}
            }
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

    /// Whether a layer found anything; what was wrong does not count.
    pub(super) fn has(&self, layer: Layer) -> bool {
        self.candidates.iter().any(|candidate| candidate.layer == layer && candidate.value.field() != Field::Remark)
    }

    /// Everything as findings, the fields in their order; in `taken` is, for some fields, the value that goes first.
    pub(super) fn into_findings(self, taken: &[Value]) -> Vec<Finding> {
        let mut candidates = self.candidates;
        let consents = |value: &Value| matches!(value, Value::Consent(true, _));
        candidates.sort_by_key(|one| (one.value.field(), !taken.contains(&one.value), one.layer, consents(&one.value)));
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

/// A yes or a no, as data write it.
pub(super) fn yes_or_no(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
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
    fn what_was_wrong_is_a_finding_but_no_find() {
        let mut evidence = Evidence::default();
        assert!(!evidence.is_unfilled(Layer::Snippet, "referenceId", "1001"));
        assert!(evidence.is_unfilled(Layer::Snippet, "referenceId", "{{ order }}"));
        evidence.remark(Layer::Mail, "charset", "it is in no charset");
        assert!(!evidence.has(Layer::Snippet) && !evidence.has(Layer::Mail));
        assert_eq!(
            evidence.with_unfilled("no reference".to_owned()),
            "no reference; referenceId is an unfilled placeholder: {{ order }}"
        );
        let findings = evidence.into_findings(&[]);
        assert!(findings.iter().all(|finding| finding.field == Field::Remark));
        assert_eq!(findings.len(), 2);
    }

    #[test]
    fn only_web_addresses_are_web_addresses() {
        assert!(web_address("javascript:alert(1)").is_none());
        assert!(web_address("/x").is_none());
        assert_eq!(web_address("https://shop.example/a b").as_deref(), Some("https://shop.example/a%20b"));
    }
}
