//! The generic reader: reading the order mail of a shop that no template knows, with the words of all languages: labels and what stands
//! beside them, numbers and what stands before them, sentences and what they say happened. What places of one kind do not agree
//! on is not taken.

mod layout;
mod links;
mod money;
mod numbers;
mod people;
mod products;
mod tell;

use self::layout::Layout;
pub(super) use self::numbers::{Candidates, NumberWords, is_amount};
use self::people::{Names, People};
pub(super) use self::people::{is_company, person_in, without_title};
pub(super) use self::tell::{Heard, News, Told};
use super::dates::{DayOrder, Habits};
use super::evidence::{Evidence, Value};
use super::lexicon::{LABELS, Lexicon};
use super::template::Sight;
use super::words::{LabelIndex, fold};
use crate::domain::{EmailAddress, EventKind, Field, Layer, OrderDate, OrderReference};

/// The rule of an address at a label that has the customer's name in it.
pub(super) const NAMED_EMAIL: &str = "email.named";

/// Characters around a reference among which the day of the order may be.
const NEAR: usize = 45;

/// Lines of running text that are looked at for the day of the order, and characters of each.
const LINES: usize = 60;
const LINE: usize = 300;

/// The words of the lexicon, ready for reading.
#[derive(Default)]
pub(super) struct Generic {
    index: LabelIndex,
    numbers: NumberWords,
}

/// What the generic reader makes of a mail, beside the evidence.
pub(super) struct GenericReading {
    pub(super) told: Told,
    /// Whether its first lines ask something.
    pub(super) asks: bool,
    /// Whether it greets somebody else than its addressee.
    pub(super) is_for_another: bool,
    pub(super) references: Candidates,
    /// The language of its words.
    pub(super) language: Option<String>,
}

impl Generic {
    /// Prepares the words.
    pub(super) fn of(lexicon: &Lexicon) -> Self {
        Self {
            index: LabelIndex::of(LABELS.iter().map(|name| (*name, lexicon.labels(name)))),
            numbers: NumberWords::of(lexicon),
        }
    }

    /// Reads a mail and notes what it finds, but for the event and the reference, which the caller weighs.
    pub(super) fn read(&self, sight: &Sight<'_>, lexicon: &Lexicon, evidence: &mut Evidence) -> GenericReading {
        let layouts = sight.body.texts.iter().map(|text| Layout::of(text, &self.index)).collect::<Vec<_>>();
        let empty = Layout { lines: &[], heads: Vec::new(), labelled: Vec::new() };
        let best = layouts.first().unwrap_or(&empty);
        let says = |word: &str| self.index.head(word).is_some() || tell::is_news(word, lexicon);
        let mut references = Candidates::find(&self.numbers, &sight.message.subject, best, says);
        references.agree(&sight.message.subject, || links::references(&sight.message.html, &sight.message.text));
        let (mut told, asks) = tell::told(sight, lexicon, layouts.first());
        if let Told::News(news) = &mut told {
            let in_part = || money::is_in_part(best, &sight.text, lexicon);
            match news.event {
                EventKind::Refunded if in_part() == Some(true) => news.event = EventKind::RefundedInPart,
                EventKind::RefundedInPart if in_part() == Some(false) => {
                    let why = "it speaks of a part, but as much was paid back as the order cost";
                    told = Told::Contradiction(why.to_owned());
                }
                _ => {}
            }
        }
        let language = language_of(&told, best);
        let is_for_another = self.note_people(sight, lexicon, best, evidence);
        let reference = references.best().ok().map(|best| &best.reference);
        note_days(sight, lexicon, best, language.as_deref(), reference, evidence);
        note_products(sight, &self.index, &layouts, evidence);
        GenericReading { told, asks, is_for_another, references, language }
    }

    /// Adds to what a template found in a mail that it knows: what it has no rule for. What happened and to which order needs no
    /// words then. Returns the language, where `spoken` is not known.
    pub(super) fn complete(
        &self,
        sight: &Sight<'_>,
        lexicon: &Lexicon,
        spoken: Option<&str>,
        evidence: &mut Evidence,
    ) -> Option<String> {
        let layouts = sight.body.texts.iter().map(|text| Layout::of(text, &self.index)).collect::<Vec<_>>();
        let best = layouts.first()?;
        let language = match spoken {
            Some(spoken) => Some(spoken.to_owned()),
            None => language_of(&tell::told(sight, lexicon, Some(best)).0, best),
        };
        if !evidence.holds(Field::CustomerName) {
            self.note_people(sight, lexicon, best, evidence);
        }
        if !evidence.holds(Field::OrderDate) || !evidence.holds(Field::ExpectedDelivery) {
            let reference = evidence.of(Field::Reference).into_iter().find_map(|candidate| match &candidate.value {
                Value::Reference(reference) => Some(reference.clone()),
                _ => None,
            });
            note_days(sight, lexicon, best, language.as_deref(), reference.as_ref(), evidence);
        }
        note_products(sight, &self.index, &layouts, evidence);
        language
    }

    /// Whether the words before a number in a subject say that it is another one than the order's: `Shipment #1001 of your order`.
    pub(super) fn is_other_number(&self, subject: &str, number: &str) -> bool {
        subject.find(number).is_some_and(|at| self.numbers.is_other(&subject[..at]))
    }

    /// Notes names and addresses; whether the mail greets somebody else than its addressee.
    fn note_people(&self, sight: &Sight<'_>, lexicon: &Lexicon, layout: &Layout<'_>, evidence: &mut Evidence) -> bool {
        let message = sight.message;
        let addressee = match &message.to[..] {
            [one] => one.name.as_deref(),
            _ => None,
        };
        let mailbox = match &message.to[..] {
            [one] => Some(one.email.local_part()),
            _ => None,
        };
        let author = message.from.name.as_deref();
        let people = People { lexicon, addressee, mailbox, author };
        let Names { best, is_for_another } = people.names(layout);
        let named = best.as_ref().map(|(name, _)| people::words(name.as_str())).unwrap_or_default();
        if let Some((name, rule)) = best {
            evidence.add(Layer::Generic, rule, Value::Name(name));
        }
        for labelled in layout.of_list("email").take(10) {
            let word = labelled.value.split([' ', '<', '>', '(', ')']).find(|word| word.contains('@'));
            if let Some(email) = word.and_then(|word| EmailAddress::parse(word.trim_end_matches(['.', ','])).ok()) {
                // An address at a label may be the help desk's; one that has the name of the person whom the mail greets is not.
                let rule = if people::is_of(email.local_part(), &named) { NAMED_EMAIL } else { "email.label" };
                evidence.add(Layer::Generic, rule, Value::Email(email));
            }
        }
        is_for_another
    }
}

fn note_products(sight: &Sight<'_>, index: &LabelIndex, layouts: &[Layout<'_>], evidence: &mut Evidence) {
    let texts = sight.body.texts.iter().zip(layouts);
    let texts = texts.map(|(text, layout)| products::find(text, index, &layout.heads));
    if let Some(products) = texts.into_iter().find(|products| !products.is_empty()) {
        evidence.add(Layer::Generic, "products.rows", Value::Products(products));
    }
}

fn note_days(
    sight: &Sight<'_>,
    lexicon: &Lexicon,
    layout: &Layout<'_>,
    language: Option<&str>,
    reference: Option<&OrderReference>,
    evidence: &mut Evidence,
) {
    let habits = Habits { months: lexicon.months(), mailed: sight.message.day, order: DayOrder::of(language) };
    if let Some((one, other)) = layout.of_list("order_date").find_map(|one| habits.ambiguous_in(one.value)) {
        let what = format!("the day of the order may be {one} or {other}; the one nearest before the mail was taken");
        evidence.remark(Layer::Generic, "order_date.label", what);
    }
    let day = |list| layout.of_list(list).find_map(|one| habits.day_in(one.value));
    if let Some(day) = day("order_date") {
        evidence.add(Layer::Generic, "order_date.label", Value::OrderDate(OrderDate::from(day)));
    } else if let Some(day) = told_day(sight, lexicon, layout, &habits) {
        evidence.add(Layer::Generic, "order_date.text", Value::OrderDate(OrderDate::from(day)));
    } else if let Some(day) = reference.and_then(|reference| {
        let reference = reference.as_str();
        beside(&sight.message.subject, None, reference, &habits).or_else(|| {
            let lines = layout.lines.iter().zip(layout.lines.iter().skip(1).map(Some).chain([None]));
            lines.into_iter().find_map(|(line, next)| beside(line, next.map(String::as_str), reference, &habits))
        })
    }) {
        evidence.add(Layer::Generic, "order_date.reference", Value::OrderDate(OrderDate::from(day)));
    } else if let Some(day) = day("date") {
        evidence.add(Layer::Generic, "date.label", Value::OrderDate(OrderDate::from(day)));
    }
    if let Some(day) = day("expected_delivery") {
        evidence.add(Layer::Generic, "expected_delivery.label", Value::ExpectedDelivery(day));
    }
}

/// The day behind words for the day of an order in running text: `your order, placed on 8 August 2026, has been sent`.
fn told_day(
    sight: &Sight<'_>,
    lexicon: &Lexicon,
    layout: &Layout<'_>,
    habits: &Habits<'_>,
) -> Option<jiff::civil::Date> {
    let phrases = lexicon.inline("order_date", &sight.text);
    if phrases.is_empty() {
        return None;
    }
    layout.lines.iter().take(LINES).find_map(|line| {
        let folded = fold(&line.chars().take(LINE).collect::<String>());
        let after = phrases.iter().find_map(|phrase| phrase.after(&folded))?;
        habits.day_in(&after.chars().take(NEAR).collect::<String>())
    })
}

/// The day near a reference: right behind it, `your order 1025 of 8 August 2026`; right before, `Ihre Bestellung vom 8.8.2026 mit
/// der Nummer 1025`; or alone in the line below.
fn beside(line: &str, below: Option<&str>, reference: &str, habits: &Habits<'_>) -> Option<jiff::civil::Date> {
    let at = line.find(reference)?;
    let near = |text: &str, skip: usize| text.chars().skip(skip).take(NEAR).collect::<String>();
    let (before, after) = (&line[..at], &line[at + reference.len()..]);
    let alone = || below.filter(|below| below.chars().count() <= NEAR).and_then(|below| habits.day_in(below));
    habits
        .day_in(&near(after, 0))
        .or_else(|| habits.day_in(&near(before, before.chars().count().saturating_sub(NEAR))))
        .or_else(alone)
}

/// The language of what was told, else of the labels.
fn language_of(told: &Told, layout: &Layout<'_>) -> Option<String> {
    match told {
        Told::News(News { language: Some(language), .. }) => Some(language.clone()),
        _ => spoken(layout),
    }
}

/// The language that most labels are in, where they are in one.
fn spoken(layout: &Layout<'_>) -> Option<String> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for one in &layout.labelled {
        let Some(language) = one.head.any_of(LABELS).and_then(|(_, language)| language) else { continue };
        match counts.iter_mut().find(|(known, _)| known == language) {
            Some((_, count)) => *count += 1,
            None => counts.push((language.to_owned(), 1)),
        }
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(language, _)| language)
}

#[cfg(test)]
mod tests;
