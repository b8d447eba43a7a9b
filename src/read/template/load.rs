//! Reading templates from TOML: everything is checked and compiled here, and everything that is wrong is reported at once.

use std::cell::RefCell;
use std::collections::BTreeMap;

use regex::RegexSetBuilder;

use super::load_fields::COMPILED;
use super::rules::{Condition, HeaderTest, Mail, Refusal, Template};
use super::{GENERIC, Templates};
use crate::document::{Document, Entry, Problem, Problems, Table};
use crate::domain::EventKind;
use crate::read::dates::Months;
use crate::read::html::Named;
use crate::read::words::{Label, Phrase, Phrases, Pieces, fold};

/// Loads files over the documents that ship.
pub(super) fn load(files: Vec<Document>, shipped: Vec<Document>) -> Result<Templates, Vec<Problem>> {
    let problems = Problems::default();
    let named = |documents: Vec<Document>| {
        documents
            .into_iter()
            .filter_map(|document| Some((name_of(&document, &problems)?, document)))
            .collect::<Vec<_>>()
    };
    let files = named(files);
    let shipped = named(shipped)
        .into_iter()
        .filter(|(name, _)| !files.iter().any(|(known, _)| known == name))
        .collect::<Vec<_>>();
    let mut all = files.into_iter().chain(shipped).collect::<Vec<_>>();
    // The generic template's labels are needed by the others; among equals the order stays.
    all.sort_by_key(|(name, _)| name != GENERIC);
    let mut loader = Loader::default();
    let mut list: Vec<Template> = Vec::new();
    for (name, document) in &all {
        if list.iter().any(|known| known.name == *name) {
            problems.add(Problem::with_file(
                document.file(),
                format!("two files are the template {name:?}"),
                "rename one of them",
            ));
            continue;
        }
        loader.generic = name == GENERIC;
        list.extend(document.read(&problems, |table| loader.template(name, table)));
    }
    let markup =
        RegexSetBuilder::new(loader.markup.iter().map(|piece| regex::escape(piece))).size_limit(16 * COMPILED).build();
    let words = list.iter().filter(|template| template.name == GENERIC).filter_map(|one| one.labels.get("order_words"));
    let words = words.flatten().filter_map(|word| Phrase::parse(&word.text, None, &mut loader.pieces));
    let order_words = Phrases(words.collect());
    match markup {
        Ok(markup) if problems.is_empty() => Ok(Templates {
            list,
            markup,
            phrases: loader.pieces.into_search(),
            order_words,
            named: loader.named.into_inner(),
            months: Months(loader.months),
        }),
        Ok(_) => Err(problems.into_sorted()),
        Err(error) => {
            problems.add(Problem::with_file("templates", error.to_string(), "use fewer or shorter `html` pieces"));
            Err(problems.into_sorted())
        }
    }
}

/// The name of a template, without reading the rest of it.
fn name_of(document: &Document, problems: &Problems) -> Option<String> {
    let quiet = Problems::default();
    let mut name = None;
    document.read(&quiet, |table| {
        name = table.string("name").map(|entry| entry.value.to_owned());
        Some(())
    });
    let good = |name: &String| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
    };
    match name {
        Some(name) if good(&name) => Some(name),
        _ => {
            document.read(problems, |table| {
                if let Some(name) = table.required_string("name", "add name = \"…\", the platform in lower case") {
                    name.problem("is no template name", "use a to z, 0 to 9, - and _");
                }
                // The other keys are reported when there is a name.
                for key in KEYS {
                    table.any(key);
                }
                Some(())
            });
            None
        }
    }
}

/// The keys of a template.
const KEYS: &[&str] = &[
    "title",
    "match",
    "ignore",
    "hold",
    "mail",
    "labels",
    "months",
    "believe_schema_status",
    "products",
    "customer_name",
    "customer_email",
    "reference",
    "order_date",
    "expected_delivery",
    "greeting",
];

/// What is gathered while templates are read.
#[derive(Default)]
pub(super) struct Loader {
    /// Labels of the generic template, and for the time of its reading those of the template that is read.
    pub(super) labels: BTreeMap<String, Vec<Label>>,
    markup: Vec<String>,
    /// Pieces of all phrases.
    pieces: Pieces,
    /// What selectors speak of.
    pub(super) named: RefCell<Named>,
    months: Vec<Vec<String>>,
    generic: bool,
}

impl Loader {
    fn template(&mut self, name: &str, table: &Table<'_>) -> Option<Template> {
        table.string("name");
        table.string("title");
        let own = labels(table);
        if self.generic {
            self.months = months(table);
        }
        let shared = self.labels.clone();
        // A template's own labels go before those of the same name that all share.
        for (key, list) in &own {
            let mut joined = list.clone();
            joined.extend(shared.get(key).into_iter().flatten().cloned());
            self.labels.insert(key.clone(), joined);
        }
        let matches = table.tables("match", |inner| self.condition(inner)).unwrap_or_default();
        if !self.generic && matches.is_empty() {
            table.required("match", "add [[match]] with what only this platform's mails have");
        }
        let template = Template {
            name: name.to_owned(),
            matches,
            ignore: self.refusals(table, "ignore"),
            hold: self.refusals(table, "hold"),
            mails: table.tables("mail", |inner| self.mail(inner)).unwrap_or_default(),
            fields: self.fields(table),
            believe_schema_status: table.boolean("believe_schema_status").is_none_or(|entry| entry.value),
            labels: if self.generic { own } else { BTreeMap::new() },
        };
        if !self.generic {
            self.labels = shared;
        }
        Some(template)
    }

    fn refusals(&mut self, table: &Table<'_>, key: &'static str) -> Vec<Refusal> {
        let read = |inner: &Table<'_>| {
            let name = inner.required_string("name", "name the rule, such as \"password reset\"");
            let why = inner.string("why").map(|entry| entry.value.to_owned());
            let unless_recognised = inner.boolean("unless_recognised").is_some_and(|entry| entry.value);
            let when = self.when(inner);
            let name = name?.value.to_owned();
            Some(Refusal { why: why.unwrap_or_else(|| name.clone()), name, when, unless_recognised })
        };
        table.tables(key, read).unwrap_or_default()
    }

    fn mail(&mut self, table: &Table<'_>) -> Option<Mail> {
        let name = table.required_string("name", "name the kind of mail, such as \"order\"");
        let words = EventKind::ALL.map(EventKind::as_str).join(", ");
        let event = table.required_string("event", &format!("say what it tells of: {words}")).and_then(|entry| {
            entry.check(&format!("use one of {words}"), |word| EventKind::parse(word).ok_or("is no kind of event"))
        });
        let (when, fields) = (self.when(table), self.fields(table));
        Some(Mail { name: name?.value.to_owned(), event: event?, when, fields })
    }

    fn when(&mut self, table: &Table<'_>) -> Vec<Condition> {
        table.required("when", "say in which mails: when = { subject = \"…\" }");
        table.tables("when", |inner| self.condition(inner)).unwrap_or_default()
    }

    fn condition(&mut self, table: &Table<'_>) -> Option<Condition> {
        let html = table.strings("html").map(|pieces| {
            let place = |piece: &Entry<'_, &str>| {
                let piece = piece.value.to_owned();
                self.markup.iter().position(|known| *known == piece).unwrap_or_else(|| {
                    self.markup.push(piece);
                    self.markup.len() - 1
                })
            };
            pieces.iter().map(place).collect()
        });
        let condition = Condition {
            headers: table.strings("header").unwrap_or_default().iter().map(header_test).collect(),
            from: self.phrases(table, "from"),
            to: self.phrases(table, "to"),
            subject: self.phrases(table, "subject"),
            subject_pattern: self.pattern(table, "subject_pattern"),
            text: self.phrases(table, "text"),
            text_pattern: self.pattern(table, "text_pattern"),
            html,
            css: self.selectors(table, "css"),
            to_us: table.boolean("to_us").map(|entry| entry.value),
            unless: table.tables("unless", |inner| self.condition(inner)).unwrap_or_default(),
        };
        if table.keys().all(|key| key == "unless") {
            table.problem("tests nothing", "give one of header, from, to, subject, text, html, css, to_us");
            return None;
        }
        Some(condition)
    }

    /// Phrases: a text, a list, or a table with a text or list for each language.
    fn phrases(&mut self, table: &Table<'_>, key: &'static str) -> Option<Phrases> {
        let by_language = table.any(key)?.value.is_table();
        let mut all = Vec::new();
        let mut add = |entry: &Entry<'_, &str>, language: Option<&str>| match Phrase::parse(
            entry.value,
            language,
            &mut self.pieces,
        ) {
            Some(phrase) => all.push(phrase),
            None => entry.problem("has no words", "write the words that stand in the mail"),
        };
        if by_language {
            for (language, texts) in table.named_strings(key) {
                if crate::read::evidence::locale(language.value).is_none() {
                    language.problem("is no language", "use en, de, pt-BR …");
                }
                let language = Some(language.value).filter(|language| *language != "any");
                texts.iter().for_each(|text| add(text, language));
            }
        } else {
            table.strings(key)?.iter().for_each(|text| add(text, None));
        }
        Some(Phrases(all))
    }
}

fn header_test(entry: &Entry<'_, &str>) -> HeaderTest {
    let (name, text) = entry.value.split_once(':').unwrap_or((entry.value, ""));
    HeaderTest { name: name.trim().to_ascii_lowercase(), text: fold(text.trim()) }
}

/// `[labels.name]` tables: a text or list for each language.
fn labels(table: &Table<'_>) -> BTreeMap<String, Vec<Label>> {
    let read = |name: &str, inner: &Table<'_>| {
        let mut list: Vec<Label> = Vec::new();
        for key in inner.keys() {
            let Some(language) = LANGUAGES.iter().find(|known| **known == key) else { continue };
            for text in inner.strings(language).unwrap_or_default() {
                let Some(mut label) = Label::parse(text.value) else {
                    text.problem("has no words", "write the label as the mail has it");
                    continue;
                };
                label.language = (*language != "any").then(|| (*language).to_owned());
                match list.iter_mut().find(|known| known.same_words(&label)) {
                    Some(known) if known.language != label.language => known.language = None,
                    Some(_) => {}
                    None => list.push(label),
                }
            }
        }
        // A longer label goes first, so that `Order` does not take `Order number`.
        list.sort_by_key(|label| std::cmp::Reverse(label.text.chars().count()));
        Some((name.to_owned(), list))
    };
    table.named_tables("labels", read).into_iter().collect()
}

/// `[months]`: twelve names for each language.
fn months(table: &Table<'_>) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for (language, names) in table.named_strings("months") {
        if names.len() % 12 != 0 {
            language.problem(format!("has {} names", names.len()), "write twelve names, or twice twelve for two cases");
        }
        all.push(names.iter().map(|name| fold(name.value)).collect());
    }
    all
}

/// The languages that labels may be in.
const LANGUAGES: &[&str] = &[
    "any", "bg", "ca", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "ga", "hr", "hu", "id", "is", "it", "ja",
    "ko", "lt", "lv", "mt", "nb", "nl", "no", "nn", "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv", "th", "tr", "uk",
    "vi", "zh",
];
