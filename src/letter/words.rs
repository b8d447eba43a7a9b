//! The words of one locale, from its `words.toml`: short texts with variables, which know nothing of HTML.

use std::collections::BTreeMap;

use minijinja::{Environment, Value, context};

use crate::document::{Document, Entry, Problems, Table};
use crate::domain::LetterKind;

/// The words that both letters share.
pub(super) const SHARED: [&str; 13] = [
    "greeting",
    "greeting_unnamed",
    "rate",
    "star",
    "worst",
    "best",
    "button",
    "order",
    "more",
    "signature",
    "why",
    "objection",
    "unsubscribe",
];

/// The words that each kind of letter has of its own, in the tables `[invitation]` and `[reminder]`.
pub(super) const OF_A_KIND: [&str; 4] = ["subject", "preheader", "heading", "body"];

/// A letter without these would be no letter, or against the law.
const NEVER_EMPTY: [&str; 5] = ["subject", "body", "button", "why", "unsubscribe"];

/// One text and the file that it came from.
#[derive(Debug, Clone)]
pub(super) struct Word {
    /// The text, a template.
    pub(super) text: String,
    /// The file, as its author named it.
    pub(super) file: String,
}

/// All words of one locale, by `greeting` or `invitation.subject`.
#[derive(Debug, Clone, Default)]
pub(super) struct Words(BTreeMap<String, Word>);

impl Words {
    /// Reads a `words.toml` on top of `base`: a word that the file does not have stays as it was, and one that neither has is a
    /// problem. Every word is tried with the variables that it will get.
    pub(super) fn read(document: &Document, base: &Self, env: &Environment<'_>, problems: &Problems) -> Self {
        let mut words = base.clone();
        document.read(problems, |table| {
            for key in SHARED {
                words.take(key, key, table, document, env);
            }
            for kind in LetterKind::ALL {
                let of_a_kind = |words: &mut Self, table: &Table<'_>| {
                    for key in OF_A_KIND {
                        words.take(&format!("{kind}.{key}"), key, table, document, env);
                    }
                };
                let known = words.0.contains_key(&format!("{kind}.subject"));
                if known || table.required(kind.as_str(), "add the table; templates/letters/en/words.toml shows it") {
                    table.table(kind.as_str(), |inner| {
                        of_a_kind(&mut words, inner);
                        Some(())
                    });
                }
            }
            Some(())
        });
        words
    }

    /// Every word with its name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Word)> {
        self.0.iter().map(|(name, word)| (name.as_str(), word))
    }

    fn take(&mut self, name: &str, key: &'static str, table: &Table<'_>, document: &Document, env: &Environment<'_>) {
        let remedy = "add it; templates/letters/en/words.toml shows what it says";
        if !self.0.contains_key(name) && !table.required(key, remedy) {
            return;
        }
        let Some(entry) = table.string(key) else { return };
        if NEVER_EMPTY.contains(&key) && entry.value.trim().is_empty() {
            entry.problem("is empty", "write a text, or leave the key out to keep the shipped one");
        }
        self.try_out(key, &entry, env);
        let word = Word { text: entry.value.to_owned(), file: document.file().to_owned() };
        self.0.insert(name.to_owned(), word);
    }

    fn try_out(&self, key: &str, entry: &Entry<'_, &str>, env: &Environment<'_>) {
        for name in ["Anna", ""] {
            if let Err(error) = env.render_str(entry.value, variables(key, name, "Shop", "1001", 2)) {
                let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
                let more = match key {
                    "star" => " {{ stars }}",
                    "more" => " {{ count }}",
                    _ => "",
                };
                entry.problem(
                    format!("{}{detail}", error.kind()),
                    format!("the variables here are {{{{ name }}}} {{{{ shop }}}} {{{{ reference }}}}{more}"),
                );
                return;
            }
        }
    }
}

/// What a word can refer to. `number` is the star or the count of products that are not named, in the two words that have one.
pub(super) fn variables(key: &str, name: &str, shop: &str, reference: &str, number: usize) -> Value {
    match key {
        "star" => context! { name, shop, reference, stars => number },
        "more" => context! { name, shop, reference, count => number },
        _ => context! { name, shop, reference },
    }
}
