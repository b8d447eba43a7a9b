//! A sample as learning looks at it: what stands in it, what is known of it, and which of its words are its customer's and so
//! must not come into a template.

use regex::Regex;

use super::Example;
use crate::domain::{EmailAddress, EventKind, OrderReference, PersonName, Reading};
use crate::read::body::Body;
use crate::read::html::Named;
use crate::read::message::Message;
use crate::read::words::fold;
use crate::read::{Context, Reader};

/// A sample.
pub(super) struct View {
    /// Its number, from 1, as comments name it.
    pub(super) number: usize,
    pub(super) message: Message,
    pub(super) body: Body,
    /// What the generic reader makes of it.
    pub(super) reading: Reading,
    pub(super) reference: OrderReference,
    pub(super) email: EmailAddress,
    /// The customer's name, if it is known.
    pub(super) name: Option<PersonName>,
    /// Whether somebody said the name, so that it must be read.
    pub(super) name_is_said: bool,
    /// What is the customer's, the order's or the shop's name, as patterns.
    private: Vec<Regex>,
    /// The same as texts that nothing written may contain, folded.
    secrets: Vec<String>,
}

impl View {
    /// Looks at a sample, or says in words what is missing.
    pub(super) fn of(
        number: usize,
        example: &Example<'_>,
        shops: &[String],
        generic: &Reader,
        context: &Context<'_>,
    ) -> Result<Self, String> {
        let message = Message::parse(example.mail).map_err(|why| format!("sample {number} cannot be read: {why}"))?;
        let body = Body::of(&message, &Named::default());
        let reading = generic.read(example.mail, context);
        let reference = OrderReference::parse(example.reference)
            .ok_or_else(|| format!("sample {number}: the reference given for it cannot be one"))?;
        let email = match example.email {
            Some(text) => EmailAddress::parse(text)
                .map_err(|error| format!("sample {number}: the address given for it: {error}"))?,
            None => reading.customer_email.clone().ok_or_else(|| {
                format!("sample {number}: nothing says for certain who the customer is; give the address with --email")
            })?,
        };
        let said = example.name.map(|text| {
            PersonName::parse(text).ok_or_else(|| format!("sample {number}: the name given for it cannot be one"))
        });
        let name_is_said = said.is_some();
        let name = said.transpose()?.or_else(|| reading.customer_name.clone());
        let mut view = Self {
            number,
            message,
            body,
            reading,
            reference,
            email,
            name,
            name_is_said,
            private: Vec::new(),
            secrets: Vec::new(),
        };
        view.note_private(shops);
        Ok(view)
    }

    fn note_private(&mut self, shops: &[String]) {
        let mut texts = vec![self.reference.to_string(), self.email.to_string(), self.email.local_part().to_owned()];
        let named = [self.name.as_ref(), self.reading.customer_name.as_ref()];
        let addressees = self.message.to.iter().filter_map(|to| to.name.as_deref());
        for name in named.into_iter().flatten().map(PersonName::as_str).chain(addressees) {
            texts.push(name.to_owned());
            texts.extend(name.split([' ', ',']).filter(|word| word.chars().count() > 1).map(str::to_owned));
        }
        self.secrets = texts.iter().map(|text| fold(text)).collect();
        texts.extend(self.reading.products.iter().map(|product| product.name.clone()));
        texts.extend(shops.iter().cloned());
        texts.extend(self.message.from.name.clone());
        // The longest first, so that a name goes before its words.
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        self.private = texts.iter().filter_map(|text| private(text)).collect();
    }

    /// The kind of event that the generic reader tells, with whether the subject alone says so.
    pub(super) fn told(&self) -> Option<(EventKind, bool)> {
        let event = self.reading.event?;
        let by_subject =
            self.reading.findings.iter().any(|one| one.rule == "event.subject" && one.value == event.to_string());
        Some((event, by_subject))
    }

    /// Marks the bytes of a text that are the customer's, the order's or the shop's name, or numbers.
    pub(super) fn marks(&self, text: &str) -> Vec<bool> {
        let mut marks = vec![false; text.len()];
        let mut mark = |range: std::ops::Range<usize>| marks[range].iter_mut().for_each(|mark| *mark = true);
        for pattern in &self.private {
            pattern.find_iter(text).for_each(|found| mark(found.range()));
        }
        let mut at = 0;
        while let Some(start) = text[at..].find(is_numeric_part).map(|found| at + found) {
            let end = text[start..].find(|c| !is_numeric_part(c)).map_or(text.len(), |length| start + length);
            if text[start..end].contains(|c: char| c.is_ascii_digit()) {
                mark(start..end);
            }
            at = end;
        }
        marks
    }

    /// Whether nothing in a text is a value: it may be written into a template.
    pub(super) fn is_plain(&self, text: &str) -> bool {
        !text.contains('@') && !text.contains("://") && !self.marks(text).contains(&true)
    }

    /// Whether a text that was written has one of the values in it.
    pub(super) fn betrays(&self, text: &str, is_known_word: impl Fn(&str) -> bool) -> bool {
        let words = |text: &str| {
            let text = fold(text);
            let split = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
            split.map(str::to_owned).collect::<Vec<_>>()
        };
        let written = words(text);
        let told = |secret: &String| {
            let secret = words(secret);
            let short = secret.len() == 1 && secret.iter().all(|word| word.chars().count() < 3 || is_known_word(word));
            !secret.is_empty() && !short && written.windows(secret.len()).any(|part| part == secret)
        };
        self.secrets.iter().any(told)
    }
}

/// What numbers, days, times and codes consist of.
fn is_numeric_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | ':' | '_' | '-' | ',' | '年' | '月' | '日' | '時' | '分')
}

/// A pattern for a text as it may stand in a mail.
fn private(text: &str) -> Option<Regex> {
    let words = text.split_whitespace().map(|word| regex::escape(word).replace(['\'', '’'], "['’]"));
    let words = words.collect::<Vec<_>>().join(r"\s+");
    if words.is_empty() {
        return None;
    }
    let edge = |c: Option<char>| match c {
        Some(c) if c.is_alphanumeric() && c < '\u{2E80}' => r"\b",
        _ => "",
    };
    let (first, last) = (edge(text.trim().chars().next()), edge(text.trim().chars().next_back()));
    Regex::new(&format!("(?i){first}{words}{last}")).ok()
}
