//! Handing out the values of a TOML table by key and type.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problem, Problems};

/// A TOML text and the name under which its problems are reported.
#[derive(Debug, Clone)]
pub struct Document {
    file: String,
    text: String,
}

impl Document {
    /// A document that is called `file` in messages.
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Self {
        Self { file: file.into(), text: text.into() }
    }

    /// The name under which problems are reported.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The text as it is.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Parses the text and lets `read` take what it wants from the top table; keys that it did not ask for are reported after
    /// it, and so is every syntax error. The value counts only when `problems` is still empty afterwards.
    pub fn read<T>(&self, problems: &Problems, read: impl FnOnce(&Table<'_>) -> Option<T>) -> Option<T> {
        let (root, errors) = DeTable::parse_recoverable(&self.text);
        for error in &errors {
            let (line, column) = self.place(error.span().map_or(0, |span| span.start));
            problems.add(Problem {
                file: self.file.clone(),
                line,
                column,
                key: String::new(),
                what: error.message().lines().collect::<Vec<_>>().join(", "),
                remedy: "see https://toml.io for the syntax".to_owned(),
            });
        }
        if !errors.is_empty() {
            return None;
        }
        let table = Table {
            document: self,
            problems,
            path: String::new(),
            span: 0..0,
            entries: root.get_ref(),
            asked: RefCell::default(),
        };
        let value = read(&table);
        table.finish();
        value
    }

    /// Line and column, both from 1, of a byte offset.
    fn place(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// A table of a document while it is being read.
pub struct Table<'d> {
    document: &'d Document,
    problems: &'d Problems,
    path: String,
    span: Range<usize>,
    entries: &'d DeTable<'d>,
    asked: RefCell<Vec<&'static str>>,
}

/// A value that was found, with its place, for checks that come later.
#[derive(Clone)]
pub struct Entry<'d, T> {
    document: &'d Document,
    problems: &'d Problems,
    path: String,
    span: Range<usize>,
    /// The value.
    pub value: T,
}

impl<'d, T> Entry<'d, T> {
    /// Notes that this value is wrong.
    pub fn problem(&self, what: impl Display, remedy: impl Display) {
        let (line, column) = self.document.place(self.span.start);
        self.problems.add(Problem {
            file: self.document.file.clone(),
            line,
            column,
            key: self.path.clone(),
            what: what.to_string(),
            remedy: remedy.to_string(),
        });
    }

    /// The value made into something better, or `None` with a problem noted.
    pub fn check<U, E: Display>(self, remedy: &str, check: impl FnOnce(&T) -> Result<U, E>) -> Option<U> {
        match check(&self.value) {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(error, remedy);
                None
            }
        }
    }

    /// Where this value stands, for checks that come later.
    pub fn place(&self) -> Entry<'d, ()> {
        self.with(())
    }

    fn with<U>(&self, value: U) -> Entry<'d, U> {
        Entry {
            document: self.document,
            problems: self.problems,
            path: self.path.clone(),
            span: self.span.clone(),
            value,
        }
    }
}

impl<'d> Entry<'d, &'d DeValue<'d>> {
    /// The value as a text, or `None` with a problem noted. `remedy` tells what to write, since a text is often only half of it.
    pub fn text(&self, remedy: &str) -> Option<Entry<'d, &'d str>> {
        let text = self.value.as_str();
        if text.is_none() {
            self.problem(format!("is {}", article(self.value)), remedy);
        }
        text.map(|text| self.with(text))
    }

    /// Whether the value is a table, which [`Table::table`] reads; notes a problem when it is not.
    pub fn is_table(&self, remedy: &str) -> bool {
        let table = self.value.is_table();
        if !table {
            self.problem(format!("is {}", article(self.value)), remedy);
        }
        table
    }
}

impl<'d> Table<'d> {
    /// Notes that this table as a whole is wrong.
    pub fn problem(&self, what: impl Display, remedy: impl Display) {
        self.place().problem(what, remedy);
    }

    /// Where this table stands, for checks that come later.
    pub fn place(&self) -> Entry<'d, ()> {
        Entry {
            document: self.document,
            problems: self.problems,
            path: self.path.clone(),
            span: self.span.clone(),
            value: (),
        }
    }

    /// The keys that the table holds, as written.
    pub fn keys(&self) -> impl Iterator<Item = &'d str> {
        self.entries.keys().map(|key| key.get_ref().as_ref())
    }

    /// A text.
    pub fn string(&self, key: &'static str) -> Option<Entry<'d, &'d str>> {
        self.typed(key, "a text in quotes", DeValue::as_str)
    }

    /// A text that must be there.
    pub fn required_string(&self, key: &'static str, remedy: &str) -> Option<Entry<'d, &'d str>> {
        self.required(key, remedy).then(|| self.string(key)).flatten()
    }

    /// A whole number.
    pub fn integer(&self, key: &'static str) -> Option<Entry<'d, i64>> {
        self.typed(key, "a whole number", |value| {
            value.as_integer().and_then(|n| i64::from_str_radix(n.as_str(), n.radix()).ok())
        })
    }

    /// A whole number between two bounds, both allowed.
    pub fn integer_in(&self, key: &'static str, bounds: std::ops::RangeInclusive<i64>) -> Option<i64> {
        let entry = self.integer(key)?;
        if bounds.contains(&entry.value) {
            return Some(entry.value);
        }
        entry
            .problem(format!("{} is out of range", entry.value), format!("use {} to {}", bounds.start(), bounds.end()));
        None
    }

    /// `true` or `false`.
    pub fn boolean(&self, key: &'static str) -> Option<Entry<'d, bool>> {
        self.typed(key, "true or false", DeValue::as_bool)
    }

    /// A list of texts; one text alone stands for a list of one.
    pub fn strings(&self, key: &'static str) -> Option<Vec<Entry<'d, &'d str>>> {
        let entry = self.any(key)?;
        if let Some(text) = entry.value.as_str() {
            return Some(vec![entry.with(text)]);
        }
        let Some(array) = entry.value.as_array() else {
            entry.problem(format!("is {}", article(entry.value)), "write a list of texts");
            return None;
        };
        let mut texts = Vec::new();
        for (index, item) in array.iter().enumerate() {
            let mut place = entry.with(item.get_ref());
            place.path = format!("{}[{index}]", entry.path);
            place.span = item.span();
            match item.get_ref().as_str() {
                Some(text) => texts.push(place.with(text)),
                None => place.problem(format!("is {}", article(item.get_ref())), "write a text in quotes"),
            }
        }
        Some(texts)
    }

    /// A table inside this one; what it holds and `read` does not ask for is reported.
    pub fn table<T>(&self, key: &'static str, read: impl FnOnce(&Table<'d>) -> Option<T>) -> Option<T> {
        let entry = self.any(key)?;
        match entry.value.as_table() {
            Some(entries) => self.inner(entry.path, entry.span, entries, read),
            None => {
                let remedy = format!("write it as a table: [{}]", header(&entry.path));
                entry.problem(format!("is {}", article(entry.value)), remedy);
                None
            }
        }
    }

    /// A list of tables, `[[key]]`; one table alone stands for a list of one. Those that could not be read are left out.
    pub fn tables<T>(&self, key: &'static str, mut read: impl FnMut(&Table<'d>) -> Option<T>) -> Option<Vec<T>> {
        let entry = self.any(key)?;
        if let Some(entries) = entry.value.as_table() {
            return Some(self.inner(entry.path, entry.span, entries, read).into_iter().collect());
        }
        let Some(array) = entry.value.as_array() else {
            let remedy = format!("write it as a list of tables: [[{}]]", header(&entry.path));
            entry.problem(format!("is {}", article(entry.value)), remedy);
            return None;
        };
        let mut values = Vec::new();
        for (index, item) in array.iter().enumerate() {
            let path = format!("{}[{index}]", entry.path);
            match item.get_ref().as_table() {
                Some(entries) => values.extend(self.inner(path, item.span(), entries, &mut read)),
                None => {
                    let mut place = entry.with(());
                    (place.path, place.span) = (path, item.span());
                    place.problem(
                        format!("is {}", article(item.get_ref())),
                        format!("write it as a table: [[{}]]", header(&entry.path)),
                    );
                }
            }
        }
        Some(values)
    }

    /// Every key of a table whose keys are names of the author's choice, with its text or list of texts.
    pub fn named_strings(&self, key: &'static str) -> Vec<(Entry<'d, &'d str>, Vec<Entry<'d, &'d str>>)> {
        let Some(entry) = self.any(key) else { return Vec::new() };
        let Some(entries) = entry.value.as_table() else {
            entry.problem(format!("is {}", article(entry.value)), format!("write it as a table: [{key}]"));
            return Vec::new();
        };
        let mut named = Vec::new();
        for (name, value) in entries {
            let mut place = entry.with(name.get_ref().as_ref());
            (place.path, place.span) = (joined(&entry.path, name.get_ref()), value.span());
            let mut texts = Vec::new();
            match value.get_ref() {
                DeValue::String(text) => texts.push(place.with(text.as_ref())),
                DeValue::Array(array) if array.iter().all(|item| item.get_ref().is_str()) => {
                    texts.extend(array.iter().filter_map(|item| {
                        let mut at = place.with(item.get_ref().as_str()?);
                        at.span = item.span();
                        Some(at)
                    }));
                }
                other => place.problem(format!("is {}", article(other)), "write a text or a list of texts"),
            }
            named.push((place, texts));
        }
        named
    }

    /// Every table inside a table whose keys are names of the author's choice.
    pub fn named_tables<T>(&self, key: &'static str, mut read: impl FnMut(&'d str, &Table<'d>) -> Option<T>) -> Vec<T> {
        let Some(entry) = self.any(key) else { return Vec::new() };
        let Some(entries) = entry.value.as_table() else {
            entry.problem(format!("is {}", article(entry.value)), format!("write it as tables: [{key}.name]"));
            return Vec::new();
        };
        let mut values = Vec::new();
        for (name, value) in entries {
            let name = name.get_ref().as_ref();
            let path = joined(&entry.path, name);
            match value.get_ref().as_table() {
                Some(inside) => values.extend(self.inner(path, value.span(), inside, |table| read(name, table))),
                None => {
                    let mut place = entry.with(());
                    (place.path, place.span) = (path, value.span());
                    place.problem(
                        format!("is {}", article(value.get_ref())),
                        format!("write it as a table: [{key}.{name}]"),
                    );
                }
            }
        }
        values
    }

    /// Whether the key is there; notes a problem when it is not.
    pub fn required(&self, key: &'static str, remedy: &str) -> bool {
        let there = self.entries.contains_key(key);
        if !there {
            let mut place = self.place();
            place.path = joined(&self.path, key);
            place.problem("is missing", remedy);
        }
        there
    }

    /// The raw value of a key with its place, for values that may have several types.
    pub fn any(&self, key: &'static str) -> Option<Entry<'d, &'d DeValue<'d>>> {
        self.asked.borrow_mut().push(key);
        self.problems.ask(joined(&self.path, key));
        let value: &'d Spanned<DeValue<'d>> = self.entries.get(key)?;
        let mut entry = self.place().with(value.get_ref());
        (entry.path, entry.span) = (joined(&self.path, key), value.span());
        Some(entry)
    }

    fn typed<T>(
        &self,
        key: &'static str,
        expected: &str,
        get: impl Fn(&'d DeValue<'d>) -> Option<T>,
    ) -> Option<Entry<'d, T>> {
        let entry = self.any(key)?;
        let value = get(entry.value);
        if value.is_none() {
            entry.problem(format!("is {}", article(entry.value)), format!("write {expected}"));
        }
        value.map(|value| entry.with(value))
    }

    fn inner<T>(
        &self,
        path: String,
        span: Range<usize>,
        entries: &'d DeTable<'d>,
        read: impl FnOnce(&Table<'d>) -> Option<T>,
    ) -> Option<T> {
        let table =
            Table { document: self.document, problems: self.problems, path, span, entries, asked: RefCell::default() };
        let value = read(&table);
        table.finish();
        value
    }

    /// Reports the keys that were never asked for: they are misspelt, or meant for another table.
    fn finish(&self) {
        let asked = self.asked.borrow();
        for key in self.entries.keys() {
            let name = key.get_ref().as_ref();
            if asked.contains(&name) {
                continue;
            }
            let mut place = self.place();
            (place.path, place.span) = (joined(&self.path, name), key.span());
            let nearest = asked.iter().map(|known| (distance(name, known), *known)).min();
            place.problem(
                "is no key of this table",
                match nearest {
                    Some((steps, known)) if steps <= 2 + known.len() / 4 => format!("did you mean {known:?}?"),
                    _ if asked.is_empty() => "leave it out".to_owned(),
                    _ => {
                        let mut known = asked.clone();
                        known.sort_unstable();
                        known.dedup();
                        format!("the keys are {}", known.join(", "))
                    }
                },
            );
        }
    }
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// What stands in the brackets above a table of this path: the path without the numbers of its lists.
fn header(path: &str) -> String {
    path.split('.').map(|part| part.split('[').next().unwrap_or(part)).collect::<Vec<_>>().join(".")
}

/// What a value is, with its article: `a string`, `an integer`.
fn article(value: &DeValue<'_>) -> String {
    let name = value.type_str();
    format!("{} {name}", if name.starts_with(['a', 'i']) { "an" } else { "a" })
}

/// Levenshtein's distance, for "did you mean".
fn distance(a: &str, b: &str) -> usize {
    let b = b.chars().collect::<Vec<_>>();
    let mut row = (0..=b.len()).collect::<Vec<_>>();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, cb) in b.iter().enumerate() {
            let cost = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_of(text: &str, read: impl FnOnce(&Table<'_>) -> Option<()>) -> Vec<String> {
        let problems = Problems::default();
        Document::new("x.toml", text).read(&problems, read);
        problems.into_sorted().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_problems_come_at_once_with_their_places() {
        let found = problems_of("hots = 1\nport = \"25\"\n[[shop]]\nid = 7\n[[shop]]\n", |table| {
            table.string("host");
            table.integer("port");
            table.tables("shop", |shop| {
                shop.required_string("id", "name the shop");
                Some(())
            });
            None
        });
        assert_eq!(
            found,
            [
                "x.toml:1:1: hots: is no key of this table; did you mean \"host\"?",
                "x.toml:2:8: port: is a string; write a whole number",
                "x.toml:4:6: shop[0].id: is an integer; write a text in quotes",
                "x.toml:5:1: shop[1].id: is missing; name the shop",
            ]
        );
    }

    #[test]
    fn syntax_errors_have_a_place_too() {
        let found = problems_of("a = \nb = ]\n", |_| None);
        assert!(found[0].starts_with("x.toml:1:"), "{found:?}");
    }

    #[test]
    fn values_come_out_by_type() {
        let problems = Problems::default();
        let read =
            Document::new("x.toml", "n = 0x10\nlist = \"one\"\n[labels]\nen = [\"Order\", \"Ref\"]\n[t]\nyes = true\n")
                .read(&problems, |table| {
                    let labels = table.named_strings("labels");
                    Some((
                        table.integer_in("n", 1..=20)?,
                        table.strings("list")?.iter().map(|s| s.value.to_owned()).collect::<Vec<_>>(),
                        labels.iter().map(|(name, texts)| (name.value.to_owned(), texts.len())).collect::<Vec<_>>(),
                        table.table("t", |t| t.boolean("yes").map(|b| b.value))?,
                    ))
                });
        assert!(problems.is_empty());
        assert_eq!(read, Some((16, vec!["one".to_owned()], vec![("en".to_owned(), 2)], true)));
    }
}
