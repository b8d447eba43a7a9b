//! Reading extraction rules: where in a mail a field stands. Patterns and selectors are compiled here, within their bounds.

use std::fmt::Display;

use dom_query::Matcher;

use super::load::Loader;
use super::pattern::Pattern;
use super::rules::{FieldRule, Fields, Part, Place, ProductRule, ProductSource, Source, Target};
use crate::document::{Entry, Table};
use crate::read::words::Labels;

/// Bytes of a pattern as it is written.
pub(super) const PATTERN: usize = 1_000;

impl Loader<'_> {
    /// The extraction rules of a template or a kind of mail.
    pub(super) fn fields(&mut self, table: &Table<'_>) -> Fields {
        let mut fields = Fields::default();
        for (target, key) in Target::ALL {
            fields.rules.extend(table.tables(key, |inner| self.field(target, key, inner)).unwrap_or_default());
        }
        fields.products = table.tables("products", |inner| self.products(inner)).unwrap_or_default();
        fields
    }

    fn field(&mut self, target: Target, key: &str, table: &Table<'_>) -> Option<FieldRule> {
        let place = table.string("where");
        let attribute = table.string("attribute").map(|entry| self.noted(entry.value).to_owned());
        let pattern = self.pattern(table, "pattern");
        let mut sources = Vec::new();
        sources.extend(
            table.string("header").map(|entry| ("header", Some(Source::Header(entry.value.to_ascii_lowercase())))),
        );
        for (name, make) in [("subject", Source::Subject as fn(Pattern) -> Source), ("text", Source::Text)] {
            if table.keys().any(|known| known == name) {
                sources.push((name, self.pattern(table, name).map(make)));
            }
        }
        sources.extend(table.string("label").map(|entry| {
            let labels = self.labels_named(&entry);
            let place = place.as_ref().map_or(Some(Place::Any), place_named);
            ("label", labels.zip(place).map(|(labels, place)| Source::Label { labels, place }))
        }));
        sources.extend(table.string("css").map(|entry| {
            ("css", self.selector(&entry).map(|matcher| Source::Css { matcher, attribute: attribute.clone() }))
        }));
        if sources.len() != 1 {
            table.problem(
                format!("names {} sources", sources.len()),
                "give exactly one of header, subject, text, label, css",
            );
            return None;
        }
        let (name, source) = sources.pop()?;
        if name != "label"
            && let Some(place) = place
        {
            place.problem("goes with label only", "leave it out");
        }
        if name != "css" && attribute.is_some() {
            table.problem("attribute goes with css only", "leave it out");
        }
        Some(FieldRule { target, id: format!("{key}.{name}"), source: source?, pattern })
    }

    fn products(&self, table: &Table<'_>) -> Option<ProductRule> {
        let pattern = self.pattern(table, "pattern");
        let columns = table.table("columns", |inner| Some(("columns", self.columns(inner))));
        let rows = self.rows(table).map(|rows| ("rows", rows));
        let line = self.pattern(table, "line").map(|pattern| ("line", ProductSource::Line(pattern)));
        let given = table.keys().filter(|key| matches!(*key, "columns" | "rows" | "line")).count();
        if given != 1 {
            table.problem(format!("names {given} sources"), "give exactly one of columns, rows, line");
            return None;
        }
        let (name, kind) = columns.or(rows).or(line)?;
        Some(ProductRule { id: format!("products.{name}"), kind, pattern })
    }

    fn columns(&self, table: &Table<'_>) -> ProductSource {
        let list = |key| table.string(key).and_then(|entry| self.labels_named(&entry)).unwrap_or_default();
        table.required("name", "name the list of labels of the column with the names");
        ProductSource::Columns {
            name: list("name"),
            sku: list("sku"),
            quantity: list("quantity"),
            price: list("price"),
        }
    }

    fn labels_named(&self, entry: &Entry<'_, &str>) -> Option<Labels> {
        let found = self.labels(entry.value);
        if found.is_none() {
            entry.problem(
                format!("there is no list of labels {:?}", entry.value),
                format!("add [labels.{}]", entry.value),
            );
        }
        found.map(Labels::new)
    }

    /// A regex, with `{name}` standing for a list of labels.
    pub(super) fn pattern(&self, table: &Table<'_>, key: &'static str) -> Option<Pattern> {
        let entry = table.string(key)?;
        if entry.value.len() > PATTERN {
            entry.problem(format!("is longer than {PATTERN} bytes"), "split it into two rules");
            return None;
        }
        let expanded = match self.expanded(entry.value) {
            Ok(expanded) => expanded,
            Err(name) => {
                entry.problem(format!("there is no list of labels {name:?}"), format!("add [labels.{name}]"));
                return None;
            }
        };
        if self.tested {
            return Some(Pattern::known(expanded));
        }
        match Pattern::checked(expanded) {
            Ok(pattern) if pattern.is_match("") => {
                entry.problem("matches the empty text", "ask for something that must be there");
                None
            }
            Ok(pattern) => Some(pattern),
            Err(error) => {
                entry.problem(last_line(&error), "see https://docs.rs/regex/latest/regex/#syntax");
                None
            }
        }
    }

    fn expanded(&self, pattern: &str) -> Result<String, String> {
        expand(pattern, |name| {
            let words = self.pattern_labels(name)?.iter().map(|label| loose(&label.text)).collect::<Vec<_>>();
            Some(format!("(?i:{})", words.join("|")))
        })
    }

    /// A CSS selector, or `None` with a problem noted.
    pub(super) fn selector(&self, entry: &Entry<'_, &str>) -> Option<Matcher> {
        let matcher = Matcher::new(self.noted(entry.value));
        if matcher.is_err() {
            not_css(entry);
        }
        matcher.ok()
    }

    /// The selectors of a list, as one where that is possible: the tree is gone through for each.
    pub(super) fn selectors(&self, table: &Table<'_>, key: &'static str) -> Vec<Matcher> {
        let entries = table.strings(key).unwrap_or_default();
        let single = entries.iter().filter_map(|entry| self.selector(entry)).collect::<Vec<_>>();
        // What a quote or a bracket leaves open would swallow the next selector.
        let closed = |css: &str| css.bytes().all(|b| b.is_ascii_alphanumeric() || b" .#-_>".contains(&b));
        if single.len() < entries.len() || !entries.iter().all(|entry| closed(entry.value)) {
            return single;
        }
        let all = entries.iter().map(|entry| entry.value).collect::<Vec<_>>().join(", ");
        Matcher::new(&all).map_or(single, |matcher| vec![matcher])
    }

    /// Notes what a selector or an attribute's name speaks of.
    fn noted<'t>(&self, css: &'t str) -> &'t str {
        self.named.borrow_mut().note(css);
        css
    }

    /// `rows` with the selectors of the parts of a row; a part may end with ` @attribute`.
    fn rows(&self, table: &Table<'_>) -> Option<ProductSource> {
        const PARTS: [(&str, Part); 5] = [
            ("sku", Part::Sku),
            ("quantity", Part::Quantity),
            ("price", Part::Price),
            ("url", Part::Url),
            ("image", Part::Image),
        ];
        let rows = self.selector(&table.string("rows")?)?;
        let name = table.required_string("name", "give the selector of the element with the product's name");
        let mut parts = Vec::new();
        for (key, part) in PARTS {
            let Some(entry) = table.string(key) else { continue };
            let (css, attribute) = match self.noted(entry.value).rsplit_once(" @") {
                Some((css, attribute)) => (css, Some(attribute.to_owned())),
                None => (entry.value, None),
            };
            match Matcher::new(css) {
                Ok(matcher) => parts.push((part, matcher, attribute)),
                Err(_) => not_css(&entry),
            }
        }
        Some(ProductSource::Rows { rows, name: self.selector(&name?)?, parts })
    }
}

/// A pattern with something else for every `{name}` of a list of labels; the name of the first list that there is not.
pub(super) fn expand(pattern: &str, mut words: impl FnMut(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(at) = rest.find('{') {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let name = after[1..].split_once('}').map(|(name, _)| name).filter(|name| {
            name.starts_with(|c: char| c.is_ascii_lowercase())
                && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        });
        // `\p{…}` is a class of characters.
        match name.filter(|_| !["\\p", "\\P", "\\x", "\\u"].iter().any(|class| before.ends_with(class))) {
            Some(name) => {
                out.push_str(&words(name).ok_or_else(|| name.to_owned())?);
                rest = &after[name.len() + 2..];
            }
            None => {
                out.push('{');
                rest = &after[1..];
            }
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// A label as a pattern: any blanks between its words, either kind of apostrophe.
fn loose(label: &str) -> String {
    label
        .split_whitespace()
        .map(|word| regex::escape(word).replace(['\'', '\u{2019}'], "['\u{2019}]"))
        .collect::<Vec<_>>()
        .join("\\s+")
}

fn last_line(error: &impl Display) -> String {
    error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

fn not_css(entry: &Entry<'_, &str>) {
    entry.problem("is no CSS selector", "see https://www.w3.org/TR/selectors-3/");
}

fn place_named(entry: &Entry<'_, &str>) -> Option<Place> {
    match entry.value {
        "any" => Some(Place::Any),
        "after" => Some(Place::After),
        "right" => Some(Place::Right),
        "below" => Some(Place::Below),
        "address" => Some(Place::Address),
        other => {
            entry.problem(format!("{other:?} is no place"), "use any, after, right, below or address");
            None
        }
    }
}
