//! Reading templates from TOML: everything is checked and compiled here, and everything that is wrong is reported at once.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::rules::{Checked, Condition, Counts, HeaderTest, Mail, Origin, Refusal, Template};
use super::{GENERIC, Templates};
use crate::document::{Document, Entry, Problem, Problems, Table};
use crate::domain::EventKind;
use crate::read::generic::Generic;
use crate::read::html::Named;
use crate::read::lexicon::{self, Lexicon, Where};
use crate::read::phrases::{Markup, Phrase, Phrases};
use crate::read::words::{Label, fold};

/// Loads templates and words of `files` over those that ship.
pub(super) fn load(
    files: Vec<Document>,
    shipped: Vec<Document>,
    shipped_words: Vec<Document>,
) -> Result<Templates, Vec<Problem>> {
    let problems = Problems::default();
    let (words, files) = files.into_iter().partition::<Vec<_>, _>(lexicon::is_lexicon);
    let has_own_words = !words.is_empty();
    let lexicon = Lexicon::read(&lexicon::laid_over(words, shipped_words), &problems);
    let named = |documents: Vec<Document>| {
        documents
            .into_iter()
            .filter_map(|document| Some((name_of(&document, &problems)?, document)))
            .collect::<Vec<_>>()
    };
    let files = named(files);
    let shipped = named(shipped);
    let origin = |name: &str, document: &Document| {
        let file = || document.file().to_owned();
        match (files.iter().any(|(own, _)| own == name), shipped.iter().any(|(known, _)| known == name)) {
            (false, _) => Origin::Shipped,
            (true, false) => Origin::File(file()),
            (true, true) => Origin::Overrides(file()),
        }
    };
    let shipped = shipped.iter().filter(|(name, _)| !files.iter().any(|(known, _)| known == name));
    let mut all = files.iter().chain(shipped).collect::<Vec<_>>();
    // The generic template goes first; among equals the order stays.
    all.sort_by_key(|(name, _)| name != GENERIC);
    let mut loader = Loader::new(&lexicon);
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
        loader.tested = !has_own_words && !files.iter().any(|(own, _)| own == name);
        let template = document.read(&problems, |table| loader.template(name, table));
        list.extend(template.map(|template| Template { origin: origin(name, document), ..template }));
    }
    let markup = Markup::of(&loader.markup);
    let named = loader.named.into_inner();
    match markup {
        Ok(markup) if problems.is_empty() => {
            let generic = Generic::of(&lexicon);
            Ok(Templates { list, markup, named, lexicon, generic, files: Vec::new() })
        }
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
    "checked",
    "match",
    "ignore",
    "hold",
    "mail",
    "labels",
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
pub(super) struct Loader<'l> {
    /// The words that all templates share.
    lexicon: &'l Lexicon,
    /// The labels of the template that is read.
    own: BTreeMap<String, Vec<Label>>,
    /// The languages that the template was checked against.
    languages: Vec<String>,
    markup: Vec<String>,
    /// What selectors speak of.
    pub(super) named: RefCell<Named>,
    generic: bool,
    /// The template ships, and all words that its patterns may speak of too: a test has compiled them.
    pub(super) tested: bool,
}

impl<'l> Loader<'l> {
    pub(super) fn new(lexicon: &'l Lexicon) -> Self {
        Self {
            lexicon,
            own: BTreeMap::new(),
            languages: Vec::new(),
            markup: Vec::new(),
            named: RefCell::default(),
            generic: false,
            tested: false,
        }
    }

    /// The labels of a list, if there is one of that name: the template's own, then those that all share.
    pub(super) fn labels(&self, name: &str) -> Option<Vec<Label>> {
        let own = self.own.get(name).map(Vec::as_slice).unwrap_or_default();
        let all = own.iter().chain(self.lexicon.labels(name)).cloned().collect::<Vec<_>>();
        (!all.is_empty()).then_some(all)
    }

    /// What a list stands for in a pattern: the template's own labels; or when it has none, those that all share in the languages
    /// that it was checked against. The words of thirty languages in one pattern are more than it may hold.
    pub(super) fn pattern_labels(&self, name: &str) -> Option<Vec<Label>> {
        let spoken = |label: &&Label| match &label.language {
            Some(language) => self.languages.is_empty() || self.languages.contains(language),
            None => true,
        };
        let own = self.own.get(name).cloned();
        let shared = || self.lexicon.labels(name).iter().filter(spoken).cloned().collect::<Vec<_>>();
        own.or_else(|| Some(shared()).filter(|list| !list.is_empty()))
    }

    pub(super) fn template(&mut self, name: &str, table: &Table<'_>) -> Option<Template> {
        table.string("name");
        let title = table.string("title").map_or_else(|| name.to_owned(), |title| title.value.to_owned());
        let checked = table.tables("checked", checked).unwrap_or_default();
        let languages = checked.iter().flat_map(|one: &Checked| &one.languages);
        self.languages = languages.map(|tag| tag.split('-').next().unwrap_or_default().to_owned()).collect();
        self.own = labels(table);
        let matches = table.tables("match", |inner| self.condition(inner)).unwrap_or_default();
        if !self.generic && matches.is_empty() {
            table.required("match", "add [[match]] with what only this platform's mails have");
        }
        Some(Template {
            name: name.to_owned(),
            title,
            checked,
            origin: Origin::Shipped,
            matches,
            ignore: self.refusals(table, "ignore"),
            hold: self.refusals(table, "hold"),
            mails: table.tables("mail", |inner| self.mail(inner)).unwrap_or_default(),
            fields: self.fields(table),
            believe_schema_status: table.boolean("believe_schema_status").is_none_or(|entry| entry.value),
        })
    }

    fn refusals(&mut self, table: &Table<'_>, key: &'static str) -> Vec<Refusal> {
        let read = |inner: &Table<'_>| {
            let name = inner.required_string("name", "name the rule, such as \"password reset\"");
            let why = inner.string("why").map(|entry| entry.value.to_owned());
            let said = |key| inner.boolean(key).is_some_and(|entry| entry.value);
            let counts = match (said("unless_recognised"), said("unless_told")) {
                (_, true) => Counts::UnlessTold,
                (true, false) => Counts::UnlessRecognised,
                (false, false) => Counts::Always,
            };
            let when = self.when(inner);
            let name = name?.value.to_owned();
            Some(Refusal { why: why.unwrap_or_else(|| name.clone()), name, when, counts })
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

    /// Phrases: a text, a list, a table with a text or list for each language, or `{ lexicon = "list" }`.
    fn phrases(&mut self, table: &Table<'_>, key: &'static str) -> Option<Phrases> {
        let by_language = table.any(key)?.value.is_table();
        if let Some(list) = table.any(key)?.value.as_table().and_then(|inner| inner.get("lexicon")) {
            return self.shared_phrases(table, key, list.get_ref().as_str());
        }
        let mut all = Vec::new();
        let mut add = |entry: &Entry<'_, &str>, language: Option<&str>| match Phrase::parse(entry.value, language) {
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

impl Loader<'_> {
    /// A list of phrases that all templates share.
    fn shared_phrases(&self, table: &Table<'_>, key: &'static str, name: Option<&str>) -> Option<Phrases> {
        let place = if key == "text" { Where::Sentence } else { Where::Subject };
        let found = name.and_then(|name| self.lexicon.phrases(place, name));
        if found.is_none() {
            table.problem(
                format!("{key}: there is no such list of phrases"),
                format!("use one of {}", lexicon::PHRASES.join(", ")),
            );
        }
        found.cloned()
    }
}

/// `[[checked]]`: what a template was held against.
fn checked(table: &Table<'_>) -> Option<Checked> {
    let versions = table.required_string("versions", "say which versions of the platform: versions = \"2.1 to 2.4\"");
    table.required("languages", "list the languages of the mails: languages = [\"en\", \"de\"]");
    let languages = table.strings("languages").unwrap_or_default();
    for language in &languages {
        if crate::read::evidence::locale(language.value).is_none() {
            language.problem("is no language", "use en, de, pt-BR …");
        }
    }
    Some(Checked {
        versions: versions?.value.to_owned(),
        languages: languages.iter().map(|language| language.value.to_owned()).collect(),
    })
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
            let tag = (*language != "any").then_some(*language);
            lexicon::add_labels(&mut list, &inner.strings(language).unwrap_or_default(), tag);
        }
        // A longer label goes first, so that `Order` does not take `Order number`.
        list.sort_by_key(|label| std::cmp::Reverse(label.text.chars().count()));
        Some((name.to_owned(), list))
    };
    table.named_tables("labels", read).into_iter().collect()
}

/// The languages that labels may be in.
pub(super) const LANGUAGES: &[&str] = &[
    "any", "bg", "ca", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "ga", "hr", "hu", "id", "is", "it", "ja",
    "ko", "lt", "lv", "mt", "nb", "nl", "no", "nn", "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv", "th", "tr", "uk",
    "vi", "zh",
];

/// Every key that is asked for while a template is read, there or not.
#[cfg(test)]
pub(super) fn keys_asked(document: &Document) -> std::collections::BTreeSet<String> {
    let problems = Problems::default();
    let lexicon = Lexicon::read(&crate::read::embedded::lexicon(), &Problems::default());
    let mut loader = Loader::new(&lexicon);
    document.read(&problems, |table| loader.template("acme", table));
    let asked = problems.asked();
    assert!(problems.is_empty(), "{:?}", problems.into_sorted());
    asked
}
