//! Conditions that hold only where one before them holds already: rules that are never reached.

use std::collections::BTreeMap;

use super::phrases;
use crate::document::{Entry, Table};
use crate::read::words::fold;

/// The rules of a template that look at a mail, in the order in which they are tried.
pub(super) struct Rules<'d> {
    matches: Vec<Condition<'d>>,
    rules: Vec<Rule<'d>>,
}

struct Rule<'d> {
    /// `mail[2]`.
    path: String,
    turn: Turn,
    when: Vec<Condition<'d>>,
}

/// When a rule is tried. Two late ones may be tried in either order, as the generic template's are asked at different moments.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Firm,
    UnlessRecognised,
    UnlessTold,
}

struct Condition<'d> {
    place: Entry<'d, ()>,
    parts: BTreeMap<&'static str, Part>,
    unless: Vec<Condition<'d>>,
}

/// What a condition asks of one key.
#[derive(PartialEq)]
enum Part {
    /// One of these phrases.
    Phrases(Vec<String>),
    /// One of these pieces, letter for letter.
    Pieces(Vec<String>),
    /// All of these header fields.
    Headers(Vec<String>),
    /// This and nothing else.
    Is(String),
}

impl<'d> Rules<'d> {
    pub(super) fn of(table: &Table<'d>) -> Self {
        let (mut firm, mut late) = (Vec::new(), Vec::new());
        for key in ["ignore", "hold"] {
            let mut index = 0;
            table.tables(key, |inner| {
                let said = |key| inner.boolean(key).is_some_and(|entry| entry.value);
                let turn = match (said("unless_recognised"), said("unless_told")) {
                    (_, true) => Turn::UnlessTold,
                    (true, false) => Turn::UnlessRecognised,
                    (false, false) => Turn::Firm,
                };
                let rule = Rule { path: format!("{key}[{index}]"), turn, when: conditions(inner, "when") };
                index += 1;
                if turn == Turn::Firm {
                    firm.push(rule)
                } else {
                    late.push(rule)
                }
                ask(inner, &["name", "why"]);
                Some(())
            });
        }
        let mut index = 0;
        table.tables("mail", |inner| {
            firm.push(Rule { path: format!("mail[{index}]"), turn: Turn::Firm, when: conditions(inner, "when") });
            index += 1;
            ask(inner, &["name", "event", "products"]);
            ask(inner, &super::Target::ALL.map(|(_, key)| key));
            Some(())
        });
        firm.extend(late);
        Self { matches: conditions(table, "match"), rules: firm }
    }
}

/// Keys that are looked at elsewhere.
pub(super) fn ask(table: &Table<'_>, keys: &[&'static str]) {
    for key in keys {
        table.any(key);
    }
}

fn conditions<'d>(table: &Table<'d>, key: &'static str) -> Vec<Condition<'d>> {
    table.tables(key, |inner| Some(condition(inner))).unwrap_or_default()
}

fn condition<'d>(table: &Table<'d>) -> Condition<'d> {
    let mut parts = BTreeMap::new();
    for key in ["from", "to", "subject", "text"] {
        parts.extend(phrases(table, key).map(|part| (key, part)));
    }
    let owned = |texts: Vec<Entry<'d, &'d str>>| texts.iter().map(|text| text.value.to_owned()).collect::<Vec<_>>();
    for key in ["html", "css"] {
        parts.extend(table.strings(key).map(|texts| (key, Part::Pieces(owned(texts)))));
    }
    parts.extend(table.strings("header").map(|texts| ("header", Part::Headers(owned(texts)))));
    for key in ["subject_pattern", "text_pattern"] {
        parts.extend(table.string(key).map(|text| (key, Part::Is(text.value.to_owned()))));
    }
    parts.extend(table.boolean("to_us").map(|wanted| ("to_us", Part::Is(wanted.value.to_string()))));
    Condition { place: table.place(), parts, unless: conditions(table, "unless") }
}

fn phrases(table: &Table<'_>, key: &'static str) -> Option<Part> {
    let value = table.any(key)?;
    let Some(by_language) = value.value.as_table() else {
        return Some(Part::Phrases(table.strings(key)?.iter().map(|text| text.value.to_owned()).collect()));
    };
    if let Some(list) = by_language.get("lexicon") {
        return Some(Part::Is(list.get_ref().as_str().unwrap_or_default().to_owned()));
    }
    let all = table.named_strings(key).into_iter().flat_map(|(_, texts)| texts);
    Some(Part::Phrases(all.map(|text| text.value.to_owned()).collect()))
}

/// Notes the conditions that are never reached.
pub(super) fn check(rules: &Rules<'_>) {
    let mut before: Vec<(String, Turn, &Condition<'_>)> = Vec::new();
    let in_list = |path: &str, index: usize| format!("{path}[{index}]");
    for (index, condition) in rules.matches.iter().enumerate() {
        if let Some(wider) = rules.matches.iter().take(index).position(|wider| wider.covers(condition)) {
            condition.place.problem(format!("holds only where match[{wider}] does, which is enough"), "leave it out");
        }
    }
    for rule in &rules.rules {
        let earlier = before.len();
        for (index, condition) in rule.when.iter().enumerate() {
            if let Some(at) = before.iter().position(|(_, turn, wider)| *turn <= rule.turn && wider.covers(condition)) {
                let (wider, ..) = &before[at];
                if at < earlier {
                    condition.place.problem(
                        format!("is never reached: {wider} holds wherever this does, and is tried first"),
                        "narrow that one, or leave this out",
                    );
                } else {
                    condition.place.problem(format!("holds only where {wider} does, which is enough"), "leave it out");
                }
            }
            before.push((in_list(&format!("{}.when", rule.path), index), rule.turn, condition));
        }
    }
}

impl Condition<'_> {
    /// Whether this holds wherever the other does.
    fn covers(&self, other: &Self) -> bool {
        let parts = self.parts.iter().all(|(key, part)| other.parts.get(key).is_some_and(|narrow| part.covers(narrow)));
        // What this one must not be is among what the other must not be.
        let unless = self.unless.iter().all(|not| other.unless.iter().any(|wider| wider.covers(not)));
        parts && unless
    }
}

impl Part {
    fn covers(&self, narrow: &Self) -> bool {
        let each = |narrow: &[String], is: &dyn Fn(&str) -> bool| narrow.iter().all(|one| is(one));
        match (self, narrow) {
            (Self::Phrases(wide), Self::Phrases(narrow)) => {
                each(narrow, &|one| wide.iter().any(|wider| phrases::covers(wider, one)))
            }
            (Self::Pieces(wide), Self::Pieces(narrow)) => each(narrow, &|one| wide.iter().any(|wider| wider == one)),
            (Self::Headers(wide), Self::Headers(narrow)) => {
                wide.iter().all(|wider| narrow.iter().any(|one| header_covers(wider, one)))
            }
            (wide, narrow) => wide == narrow,
        }
    }
}

fn header_covers(wider: &str, narrow: &str) -> bool {
    let parts = |text: &str| {
        let (name, value) = text.split_once(':').unwrap_or((text, ""));
        (name.trim().to_ascii_lowercase(), fold(value.trim()))
    };
    let ((wide_name, wide), (name, value)) = (parts(wider), parts(narrow));
    wide_name == name && value.contains(&wide)
}
