//! The words of one locale, from its `words.toml`: short texts with variables, which know nothing of HTML.

use std::collections::BTreeMap;

use minijinja::Environment;

use crate::document::{Document, Entry, Problems, Table};

use super::Folder;

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
    pub(super) fn read<F: Folder>(
        document: &Document,
        base: &Self,
        env: &Environment<'_>,
        problems: &Problems,
    ) -> Self {
        let mut words = base.clone();
        document.read(problems, |top| {
            for (name, keys) in F::WORDS {
                let mut read = |table: &Table<'_>| {
                    for key in *keys {
                        words.take::<F>(name, key, table, document, env);
                    }
                    Some(())
                };
                if name.is_empty() {
                    read(top);
                } else if base.has_table(name) || top.required(name, &format!("add the table; {} shows it", F::EXAMPLE))
                {
                    top.table(name, read);
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

    fn has_table(&self, table: &str) -> bool {
        self.0.keys().any(|name| name.split_once('.').is_some_and(|(found, _)| found == table))
    }

    fn take<F: Folder>(
        &mut self,
        table_name: &str,
        key: &'static str,
        table: &Table<'_>,
        document: &Document,
        env: &Environment<'_>,
    ) {
        let name = if table_name.is_empty() { key.to_owned() } else { format!("{table_name}.{key}") };
        let remedy = format!("add it; {} shows what it says", F::EXAMPLE);
        if !self.0.contains_key(&name) && !table.required(key, &remedy) {
            return;
        }
        let Some(entry) = table.string(key) else { return };
        if F::is_never_empty(table_name, key) && entry.value.trim().is_empty() {
            entry.problem("is empty", "write a text, or leave the key out to keep the shipped one");
        }
        try_out::<F>(table_name, key, &entry, env);
        self.0.insert(name, Word { text: entry.value.to_owned(), file: document.file().to_owned() });
    }
}

fn try_out<F: Folder>(table: &str, key: &str, entry: &Entry<'_, &str>, env: &Environment<'_>) {
    for trial in F::trials(table, key) {
        if let Err(error) = env.render_str(entry.value, trial) {
            let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
            entry.problem(
                format!("{}{detail}", error.kind()),
                format!("the variables here are {}", F::variables(table, key)),
            );
            return;
        }
    }
}
