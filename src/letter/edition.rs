//! One complete set of letter templates, compiled: the shipped files with the layers above them.

use std::collections::BTreeMap;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use crate::document::{Document, Problem, Problems};

use crate::domain::LetterKind;

use super::words::Words;

/// Steps that one template may take. The shipped ones take some hundreds; a loop without end is stopped.
const FUEL: u64 = 100_000;

/// Files that lie over those below them, by their name within the folder.
#[derive(Debug, Clone, Default)]
pub(super) struct Layer(BTreeMap<String, Source>);

#[derive(Debug, Clone)]
struct Source {
    /// The file as its author named it, for messages.
    file: String,
    text: String,
}

impl Layer {
    /// Adds a file; `false` when no letter has a file of this name.
    pub(super) fn add(&mut self, name: &str, file: String, text: String) -> bool {
        let Some(name) = known_name(name) else { return false };
        self.0.insert(name, Source { file, text });
        true
    }
}

/// A file's name with its locale in lower case, when it is one of a letter's.
fn known_name(name: &str) -> Option<String> {
    let letter =
        |file: &str| LetterKind::ALL.iter().any(|kind| file.strip_prefix(kind.as_str()).is_some_and(is_template));
    match name.split_once('/') {
        None => (name.strip_prefix("layout").is_some_and(is_template) || letter(name)).then(|| name.to_owned()),
        Some((locale, file)) => (is_locale(locale) && (file == "words.toml" || letter(file)))
            .then(|| format!("{}/{file}", locale.to_ascii_lowercase())),
    }
}

fn is_template(extension: &str) -> bool {
    matches!(extension, ".mjml" | ".txt")
}

/// The shape of a language tag (RFC 5646): a language of two or three letters and subtags.
fn is_locale(text: &str) -> bool {
    let mut subtags = text.split('-');
    subtags
        .next()
        .is_some_and(|language| matches!(language.len(), 2 | 3) && language.bytes().all(|b| b.is_ascii_alphabetic()))
        && subtags.all(|subtag| (2..=8).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// A language tag and the more general ones after it: `de-AT` gives `de-at`, `de` (RFC 4647 3.4). An underscore, as shop software
/// writes it, counts as a hyphen.
pub(super) fn lookup(tag: &str) -> impl Iterator<Item = String> {
    let tag = tag.trim().replace('_', "-").to_ascii_lowercase();
    std::iter::successors(Some(tag), |tag| tag.rsplit_once('-').map(|(general, _)| general.to_owned()))
}

/// The templates of all locales for one audience: every shop, or one shop.
pub(super) struct Edition {
    /// The compiled templates: layouts under their file's name, words as `sv invitation.subject`.
    pub(super) env: Environment<'static>,
    /// Locales in lower case, with the name as it is shown.
    locales: BTreeMap<String, String>,
    /// Template to file.
    files: BTreeMap<String, String>,
}

impl Edition {
    /// Compiles layers, lowest first. What cannot be compiled is noted and left out.
    pub(super) fn compile(layers: &[Layer], problems: &Problems) -> Self {
        let mut edition = Self { env: environment(), locales: BTreeMap::new(), files: BTreeMap::new() };
        let mut names: Vec<&String> = layers.iter().flat_map(|layer| layer.0.keys()).collect();
        // The shorter before the longer: `de` comes before `de-at`, which begins with its words.
        names.sort_by_key(|name| (name.len(), name.as_str()));
        names.dedup();
        let mut words: BTreeMap<String, Words> = BTreeMap::new();
        for name in names {
            let sources: Vec<&Source> = layers.iter().filter_map(|layer| layer.0.get(name)).collect();
            if let Some(locale) = name.strip_suffix("/words.toml") {
                let mut spoken =
                    lookup(locale).skip(1).find_map(|general| words.get(&general)).cloned().unwrap_or_default();
                for source in sources {
                    let document = Document::new(source.file.clone(), source.text.clone());
                    spoken = Words::read(&document, &spoken, &edition.env, problems);
                }
                words.insert(locale.to_owned(), spoken);
            } else if let Some(source) = sources.last() {
                edition.add(name.clone(), &source.file, source.text.clone(), problems);
            }
        }
        for (locale, spoken) in words {
            for (key, word) in spoken.iter() {
                // Words that fail to compile were reported with their place when they were read.
                edition.add(word_name(&locale, key), &word.file, word.text.clone(), &Problems::default());
            }
            edition.locales.insert(locale.clone(), shown(&locale));
        }
        edition
    }

    /// The locales as they are shown: `de`, `de-AT`.
    pub(super) fn locales(&self) -> impl Iterator<Item = &str> {
        self.locales.values().map(String::as_str)
    }

    /// The best locale for a customer: the wanted one, the shop's, English; each with what is more general than it. The first
    /// text is its name in this edition, the second how it is shown.
    pub(super) fn locale(&self, wanted: Option<&str>, shop: &str) -> (&str, &str) {
        [wanted, Some(shop), Some("en")]
            .into_iter()
            .flatten()
            .flat_map(lookup)
            .find_map(|tag| self.locales.get_key_value(&tag))
            .map_or(("en", "en"), |(key, shown)| (key, shown))
    }

    /// The template for a letter's part: the locale's own for this kind, then the kind's, then the layout of all letters.
    pub(super) fn template(&self, locale: &str, kind: LetterKind, extension: &str) -> String {
        lookup(locale)
            .map(|tag| format!("{tag}/{kind}.{extension}"))
            .chain([format!("{kind}.{extension}")])
            .find(|name| self.files.contains_key(name))
            .unwrap_or_else(|| format!("layout.{extension}"))
    }

    /// The file that a template came from, as its author named it.
    pub(super) fn file<'a>(&'a self, template: &'a str) -> &'a str {
        self.files.get(template).map_or(template, String::as_str)
    }

    fn add(&mut self, name: String, file: &str, text: String, problems: &Problems) {
        match self.env.add_template_owned(name.clone(), text) {
            Ok(()) => {
                self.files.insert(name, file.to_owned());
            }
            Err(error) => problems.add(Problem {
                line: error.line().unwrap_or(0),
                column: 1,
                ..Problem::with_file(
                    file,
                    format!("{}{}", error.kind(), error.detail().map(|d| format!(": {d}")).unwrap_or_default()),
                    "see docs/letters.md for what a template may hold",
                )
            }),
        }
    }
}

/// The name under which a word is compiled. It has no extension, so it is never escaped: words are text until a layout shows them.
pub(super) fn word_name(locale: &str, key: &str) -> String {
    format!("{locale} {key}")
}

/// `de-at` as people write it, `de-AT` (RFC 5646 2.1.1).
fn shown(locale: &str) -> String {
    let mut out = String::new();
    for (index, subtag) in locale.split('-').enumerate() {
        if index > 0 {
            out.push('-');
        }
        match (index, subtag.len()) {
            (1.., 2) => out.push_str(&subtag.to_ascii_uppercase()),
            (1.., 4) => {
                out.extend(subtag.chars().enumerate().map(|(i, c)| if i == 0 { c.to_ascii_uppercase() } else { c }))
            }
            _ => out.push_str(subtag),
        }
    }
    out
}

fn is_html(template: &str) -> bool {
    template.ends_with(".mjml")
}

/// Templates in which a misspelt variable is an error, values are always escaped where they become HTML, and a loop ends.
fn environment() -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_fuel(Some(FUEL));
    // The builder only refuses delimiters, and these are the usual ones.
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        env.set_syntax(syntax);
    }
    env.set_auto_escape_callback(|name| if is_html(name) { AutoEscape::Html } else { AutoEscape::None });
    // No template may declare a customer's name to be HTML, nor quote it in a way that HTML does not know.
    env.remove_filter("safe");
    env.remove_filter("tojson");
    env.set_formatter(|out, state, value| {
        // By the file's name and not by the state, which `{% autoescape false %}` would change.
        if !is_html(state.name()) || value.is_safe() {
            return minijinja::escape_formatter(out, state, value);
        }
        // The built-in escaping also turns every slash into an entity, and spam filters take a link of entities for a disguise.
        for c in value.to_string().chars() {
            match c {
                '&' => out.write_str("&amp;")?,
                '<' => out.write_str("&lt;")?,
                '>' => out.write_str("&gt;")?,
                '"' => out.write_str("&quot;")?,
                '\'' => out.write_str("&#39;")?,
                c => write!(out, "{c}")?,
            }
        }
        Ok(())
    });
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_names() {
        for (name, known) in [
            ("layout.mjml", Some("layout.mjml")),
            ("reminder.txt", Some("reminder.txt")),
            ("sv/words.toml", Some("sv/words.toml")),
            ("de-AT/invitation.mjml", Some("de-at/invitation.mjml")),
            ("words.toml", None),
            ("sv/layout.mjml", None),
            ("sv/newsletter.mjml", None),
            ("invitation.html", None),
            ("swedish/words.toml", None),
            ("../sv/words.toml", None),
            ("sv-/words.toml", None),
            ("sv/a/words.toml", None),
        ] {
            assert_eq!(known_name(name).as_deref(), known, "{name}");
        }
    }

    #[test]
    fn tags_are_looked_up_from_the_special_to_the_general() {
        assert_eq!(lookup("zh_Hant-TW").collect::<Vec<_>>(), ["zh-hant-tw", "zh-hant", "zh"]);
        assert_eq!(["de-at", "zh-hant-tw", "en"].map(shown), ["de-AT", "zh-Hant-TW", "en"]);
    }
}
