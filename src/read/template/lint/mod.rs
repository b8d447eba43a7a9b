//! Mistakes that a loader cannot refuse: rules that are never reached, patterns that never match or read more than they should,
//! words that nobody asks for. It goes through a file that loads without a problem, so nothing here is about what is allowed.

mod conditions;
mod patterns;
mod phrases;

use std::collections::{BTreeMap, BTreeSet};

use self::conditions::Rules;
use super::grammar::{Holds, Shape, TEMPLATE};
use super::load::LANGUAGES;
use super::load_fields::expand;
use super::rules::Target;
use crate::document::{Document, Entry, Problem, Problems, Table};
use crate::read::lexicon;

/// What is doubtful in a file, in the order of the lines. The file must load; of one that does not, and of files of words, nothing
/// is said.
pub fn lint(document: &Document) -> Vec<Problem> {
    if lexicon::is_lexicon(document) {
        return Vec::new();
    }
    let problems = Problems::default();
    document.read(&problems, |table| {
        let mut used = BTreeSet::new();
        walk(&TEMPLATE, table, &mut used);
        unused_labels(table, &used);
        conditions::check(&Rules::of(table));
        fields(table);
        table.tables("mail", |mail| {
            conditions::ask(mail, &["name", "event", "when", "products"]);
            fields(mail);
            Some(())
        });
        Some(())
    });
    problems.into_sorted()
}

/// Looks at every value of a table and of those inside it, and gathers the lists of labels that are named.
fn walk(shape: &'static Shape, table: &Table<'_>, used: &mut BTreeSet<String>) {
    for key in shape.keys {
        match &key.holds {
            Holds::Pattern { lines } => {
                if let Some(entry) = table.string(key.name) {
                    pattern(&entry, *lines, shape, key.name, used);
                }
            }
            Holds::Labels => used.extend(table.string(key.name).map(|entry| entry.value.to_owned())),
            Holds::Phrases => phrases_of(table, key.name),
            Holds::Table(inner) => drop(table.table(key.name, |table| {
                walk(inner, table, used);
                Some(())
            })),
            Holds::Tables(inner) => drop(table.tables(key.name, |table| {
                walk(inner, table, used);
                Some(())
            })),
            Holds::LabelLists => drop(table.named_tables(key.name, |_, list| {
                for language in LANGUAGES {
                    phrases::labels(&list.strings(language).unwrap_or_default());
                }
                Some(())
            })),
            Holds::Text | Holds::Name | Holds::Flag | Holds::Word(_) | Holds::Texts => drop(table.any(key.name)),
        }
    }
}

fn pattern(entry: &Entry<'_, &str>, lines: bool, shape: &Shape, key: &str, used: &mut BTreeSet<String>) {
    let expanded = expand(entry.value, |name| {
        used.insert(name.to_owned());
        // Which words stand there does not matter.
        Some("(?i:label)".to_owned())
    });
    let Ok(expanded) = expanded else { return };
    let groups: &[&str] = match shape.name {
        "field" => &["value", "first", "last"],
        "products" => &["name", "quantity", "price", "sku"],
        _ => &[],
    };
    for (what, remedy) in patterns::doubts(&expanded, lines, groups, key == "line") {
        entry.problem(what, remedy);
    }
}

fn phrases_of(table: &Table<'_>, key: &'static str) {
    let Some(value) = table.any(key) else { return };
    let Some(by_language) = value.value.as_table() else {
        phrases::list(&table.strings(key).unwrap_or_default());
        return;
    };
    if by_language.contains_key("lexicon") {
        return;
    }
    for (language, texts) in table.named_strings(key) {
        let base = language.value.split(['-', '_']).next().unwrap_or_default();
        if base != "any" && !ISO_639_1.split(' ').any(|code| code == base) {
            language.problem(
                format!("{:?} is no language", language.value),
                "use a code of ISO 639-1, such as en, pt-BR or nb",
            );
        }
        phrases::list(&texts);
    }
}

/// Lists of labels that no rule names.
fn unused_labels(table: &Table<'_>, used: &BTreeSet<String>) {
    table.named_tables("labels", |name, list| {
        for language in LANGUAGES {
            list.any(language);
        }
        if !used.contains(name) {
            list.problem("no rule names these labels", format!("name them, label = {name:?}, or leave them out"));
        }
        Some(())
    });
}

/// Rules of a field that an earlier one leaves nothing for.
fn fields(table: &Table<'_>) {
    for (_, key) in Target::ALL {
        let mut known: Vec<BTreeMap<&'static str, String>> = Vec::new();
        table.tables(key, |rule| {
            let keys = ["header", "subject", "text", "label", "css", "attribute", "pattern", "where"];
            let mut parts = BTreeMap::new();
            for key in keys {
                parts.extend(rule.string(key).map(|entry| (key, entry.value.to_owned())));
            }
            if parts.contains_key("label") {
                parts.entry("where").or_insert_with(|| "any".to_owned());
            }
            let any_place = |earlier: &BTreeMap<&'static str, String>| {
                let other = |parts: &BTreeMap<&'static str, String>| {
                    let mut parts = parts.clone();
                    parts.remove("where");
                    parts
                };
                let place = |parts: &BTreeMap<&'static str, String>| parts.get("where").cloned().unwrap_or_default();
                place(earlier) == "any" && place(&parts) != "address" && other(earlier) == other(&parts)
            };
            if let Some(index) = known.iter().position(|earlier| *earlier == parts || any_place(earlier)) {
                rule.problem(format!("finds nothing that {key}[{index}] does not find"), "leave it out");
            }
            known.push(parts);
            Some(())
        });
    }
}

/// The codes of ISO 639-1.
const ISO_639_1: &str = "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz \
    ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg \
    ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv \
    ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl \
    tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu";

#[cfg(test)]
mod tests;
