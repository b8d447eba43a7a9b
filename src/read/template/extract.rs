//! Applying a template's field rules to a mail.

use dom_query::NodeRef;
use regex::{Captures, Regex};

use super::rules::{FieldRule, Fields, Mail, Place, Sight, Source, Target, Template};
use super::{Templates, products};
use crate::domain::{EmailAddress, Layer, OrderDate, OrderReference, PersonName, clean};
use crate::read::body::{Cell, Text, lines_of};
use crate::read::dates::{DayOrder, Habits};
use crate::read::evidence::{Evidence, Value, is_unfilled, locale};
use crate::read::generic::{is_company, without_title};
use crate::read::words::{Labels, fold};

/// Characters of a value.
const VALUE: usize = 500;
/// Places of one rule that are looked at.
const VALUES: usize = 20;
/// Lines of a postal address that may hold the person.
const ADDRESS: usize = 6;

impl Templates {
    /// Notes everything that the rules of a template find; those of the kind of mail go before those of all its mails.
    pub(in crate::read) fn extract(
        &self,
        template: &Template,
        mail: Option<&Mail>,
        sight: &Sight<'_>,
        language: Option<&str>,
        evidence: &mut Evidence,
    ) {
        let sets = mail.map(|mail| &mail.fields).into_iter().chain([&template.fields]).collect::<Vec<_>>();
        let rules = |target: Target| {
            sets.iter().flat_map(move |set: &&Fields| set.rules.iter()).filter(move |rule| rule.target == target)
        };
        let greeting =
            rules(Target::Greeting).find_map(|rule| rule.values(sight, None).into_iter().next().map(|one| one.text));
        let habits = Habits { months: self.lexicon.months(), mailed: sight.message.day, order: DayOrder::of(language) };
        for (target, _) in Target::ALL {
            for rule in rules(target) {
                let mut found = rule.values(sight, greeting.as_deref());
                if target == Target::CustomerName {
                    for one in &mut found {
                        one.text = without_title(&self.lexicon, &one.text).to_owned();
                    }
                }
                found.retain(|one| {
                    !evidence.is_unfilled(Layer::Template, &rule.id, &one.text)
                        && checked(target, &one.text, &habits).is_some()
                });
                // The first value of the first rule wins. Of addresses all are noted, since two make the mail ambiguous.
                if target != Target::CustomerEmail {
                    found.truncate(1);
                }
                let enough = !found.is_empty() && target != Target::CustomerEmail;
                for one in found {
                    if target == Target::OrderDate
                        && let Some((day, other)) = habits.ambiguous_in(&one.text)
                    {
                        let what = format!("it may be {day} or {other}; the one nearest before the mail was taken");
                        evidence.remark(Layer::Template, rule.id.clone(), what);
                    }
                    let Some(value) = checked(target, &one.text, &habits) else { continue };
                    evidence.add(Layer::Template, rule.id.clone(), value);
                    if let Some(tag) = one.language.and_then(locale) {
                        evidence.add(Layer::Template, rule.id.clone(), Value::Locale(tag));
                    }
                }
                if enough {
                    break;
                }
            }
        }
        let found = sets.iter().flat_map(|set| &set.products).find_map(|rule| {
            let products = products::read(rule, sight.body);
            (!products.is_empty()).then_some((rule, products))
        });
        if let Some((rule, products)) = found {
            evidence.add(Layer::Template, rule.id.clone(), Value::Products(products));
        }
    }
}

/// The text as the value that the target is for; `None` when it is not one, or when it is for no field.
pub(super) fn checked(target: Target, text: &str, habits: &Habits<'_>) -> Option<Value> {
    if is_unfilled(text) {
        return None;
    }
    match target {
        Target::CustomerName => PersonName::parse(text).map(Value::Name),
        Target::CustomerEmail => EmailAddress::parse(text.trim_start_matches("mailto:")).ok().map(Value::Email),
        // A reference has a digit; or it is a code in capitals, as PrestaShop's.
        Target::Reference => OrderReference::parse(text)
            .filter(|reference| {
                let text = reference.as_str();
                !text.contains(char::is_whitespace)
                    && (text.chars().any(|c| c.is_ascii_digit()) || !text.chars().any(char::is_lowercase))
            })
            .map(Value::Reference),
        // A date-time that was written for machines is kept as precise as it is.
        Target::OrderDate => OrderDate::parse(text)
            .filter(|date| date.as_str().contains('T'))
            .or_else(|| habits.day_in(text).map(OrderDate::from))
            .map(Value::OrderDate),
        Target::ExpectedDelivery => habits.day_in(text).map(Value::ExpectedDelivery),
        Target::Greeting => None,
    }
}

/// A value as a rule found it.
pub(super) struct Found<'r> {
    pub(super) text: String,
    /// The language of the label that it stood at.
    language: Option<&'r str>,
}

impl From<String> for Found<'_> {
    fn from(text: String) -> Self {
        Self { text, language: None }
    }
}

impl FieldRule {
    /// The texts that the rule finds, best first.
    pub(super) fn values(&self, sight: &Sight<'_>, greeting: Option<&str>) -> Vec<Found<'_>> {
        let texts = &sight.body.texts;
        let found: Vec<Found<'_>> = match &self.source {
            Source::Header(name) => sight.message.header(name).take(1).map(|value| value.to_owned().into()).collect(),
            Source::Subject(pattern) => cut(pattern, &sight.message.subject).into_iter().map(Found::from).collect(),
            Source::Text(pattern) => {
                texts.iter().filter_map(|text| cut(pattern, &text.whole)).map(Found::from).collect()
            }
            Source::Label { labels, place: Place::Address } => {
                let hint = Hint {
                    greeting: greeting.map(fold),
                    addressee: sight.message.to.first().and_then(|to| to.name.as_deref()).map(fold),
                };
                texts.iter().filter_map(|text| address_line(text, labels, &hint)).map(Found::from).collect()
            }
            Source::Label { labels, place } => texts.iter().flat_map(|text| labelled(text, labels, *place)).collect(),
            Source::Css { matcher, attribute } => {
                let Some(tree) = &sight.body.tree else { return Vec::new() };
                let nodes = tree.select_matcher(matcher);
                let value = |node: &NodeRef<'_>| match attribute {
                    Some(name) => node.attr(name).map(|value| value.to_string().into()),
                    None => Some(lines_of(node).join("\n").into()),
                };
                nodes.nodes().iter().take(VALUES).filter_map(value).collect()
            }
        };
        let cleaned = found.into_iter().filter_map(|one| {
            let text = match &self.pattern {
                Some(pattern) => cut(pattern, &one.text)?,
                None => one.text,
            };
            let text = clean(&text, VALUE);
            (!text.is_empty()).then_some(Found { text, language: one.language })
        });
        cleaned.collect()
    }
}

/// What a pattern cuts out: the groups `first` and `last` joined, the group `value`, the first group, or the whole match.
fn cut(pattern: &Regex, text: &str) -> Option<String> {
    let found = pattern.captures(text)?;
    let named = |name: &str| Captures::name(&found, name).map(|part| part.as_str());
    if let (Some(first), Some(last)) = (named("first"), named("last")) {
        return Some(format!("{first} {last}"));
    }
    let value = named("value").or_else(|| found.iter().skip(1).flatten().next().map(|part| part.as_str()));
    value.or_else(|| found.get(0).map(|whole| whole.as_str())).map(str::to_owned)
}

/// The values at labels, with the language of each label.
fn labelled<'l>(text: &Text, labels: &'l Labels, place: Place) -> Vec<Found<'l>> {
    let mut found: Vec<(String, Option<&str>)> = Vec::new();
    if matches!(place, Place::Any | Place::After) {
        found.extend(text.lines.iter().filter_map(|line| {
            let (label, value) = labels.value_after(line)?;
            (!value.is_empty()).then(|| (value.to_owned(), label.language.as_deref()))
        }));
    }
    let heads = || {
        let short = text.cells.iter().filter(|cell| cell.lines.len() <= 2);
        short.filter_map(|cell| Some((cell, labels.named(&text.cell(cell))?.language.as_deref()))).take(VALUES)
    };
    if matches!(place, Place::Any | Place::Right) {
        found.extend(heads().filter_map(|(head, language)| Some((right_of(text, head)?, language))));
    }
    if matches!(place, Place::Any | Place::Below) {
        found.extend(heads().filter_map(|(head, language)| Some((below(text, head)?, language))));
        let pairs = text.lines.iter().zip(text.lines.iter().skip(1));
        found.extend(pairs.filter_map(|(line, next)| Some((next.clone(), labels.named(line)?.language.as_deref()))));
    }
    found.into_iter().take(VALUES).map(|(text, language)| Found { text, language }).collect()
}

/// The text of the next cell of the row that is not empty.
fn right_of(text: &Text, head: &Cell) -> Option<String> {
    text.cells
        .iter()
        .filter(|cell| cell.row == head.row && cell.column > head.column && !cell.lines.is_empty())
        .min_by_key(|cell| cell.column)
        .map(|cell| text.cell(cell).into_owned())
}

/// The text of the cell in the next row of the table that is not empty in this column.
fn below(text: &Text, head: &Cell) -> Option<String> {
    text.cells
        .iter()
        .filter(|cell| {
            cell.table == head.table && cell.row > head.row && cell.column == head.column && !cell.lines.is_empty()
        })
        .min_by_key(|cell| cell.row)
        .map(|cell| text.cell(cell).into_owned())
}

/// What is known about the person whose address is looked at, folded.
struct Hint {
    greeting: Option<String>,
    addressee: Option<String>,
}

/// The line of a postal address that is the person: the one that the greeting or `To:` names, else the first.
fn address_line(text: &Text, labels: &Labels, hint: &Hint) -> Option<String> {
    let is_head = |line: &str| labels.named(line).is_some();
    let mut blocks = Vec::new();
    // Address headings side by side have their addresses in the row below.
    let heads = text.cells.iter().filter(|cell| cell.lines.len() == 1 && is_head(&text.cell(cell)));
    for head in heads.take(VALUES) {
        let cell = text.cells.iter().filter(|cell| {
            cell.table == head.table && cell.row > head.row && cell.column == head.column && !cell.lines.is_empty()
        });
        if let Some(cell) = cell.min_by_key(|cell| cell.row) {
            blocks.push(text.lines.get(cell.lines.clone()).unwrap_or_default());
        }
    }
    for (index, _) in text.lines.iter().enumerate().filter(|(_, line)| is_head(line)).take(VALUES) {
        blocks.push(text.lines.get(index + 1..).unwrap_or_default());
    }
    let person = |line: &&String| {
        let line = fold(line);
        let greeted = hint
            .greeting
            .as_ref()
            .is_some_and(|greeting| greeting.chars().count() > 1 && line.contains(greeting.as_str()));
        greeted || hint.addressee.as_ref().is_some_and(|name| *name == line)
    };
    let near = |block: &&[String]| block.iter().take(ADDRESS).find(person).cloned();
    blocks.iter().find_map(near).or_else(|| {
        // A company may stand above its person.
        let first = blocks.first()?.iter().take(2).find(|line| !is_company(line))?;
        (!is_head(first) && hint.greeting.is_none()).then(|| first.clone())
    })
}
