//! One complete set of templates, compiled: the shipped files with the layers above them.

use std::collections::BTreeMap;

use minijinja::{Environment, Value};

use crate::document::{Document, Problem, Problems};

use super::Folder;
use super::environment::environment;
use super::layer::{Layer, Source};
use super::locale::{lookup, shown};
use super::words::Words;

/// The templates of all locales for one audience: every shop, or one shop.
pub(crate) struct Edition {
    /// The compiled templates: files under their name, words as `sv invitation.subject`.
    pub(crate) env: Environment<'static>,
    /// Locales in lower case, with the name as it is shown.
    locales: BTreeMap<String, String>,
    /// Template to file.
    files: BTreeMap<String, String>,
    guide: &'static str,
}

/// Why a template could not be filled in. The detail may quote a value, so it is for made-up data only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The template's file.
    pub(crate) file: String,
    /// Line, from 1; 0 when it is not known.
    pub(crate) line: usize,
    /// What is wrong.
    pub(crate) what: String,
    /// More about it.
    pub(crate) detail: Option<String>,
}

impl Edition {
    /// Compiles layers, lowest first. What cannot be compiled is noted and left out.
    pub(crate) fn compile<F: Folder>(layers: &[Layer], problems: &Problems) -> Self {
        let mut edition =
            Self { env: environment(F::is_html), locales: BTreeMap::new(), files: BTreeMap::new(), guide: F::GUIDE };
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
                    spoken = Words::read::<F>(&document, &spoken, &edition.env, problems);
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
    pub(crate) fn locales(&self) -> impl Iterator<Item = &str> {
        self.locales.values().map(String::as_str)
    }

    /// The first of the wanted locales that there is, each with what is more general than it, or else English. The first text is
    /// its name in this edition, the second how it is shown.
    pub(crate) fn first_of<'a>(&self, wanted: impl IntoIterator<Item = &'a str>) -> (&str, &str) {
        wanted
            .into_iter()
            .chain(["en"])
            .flat_map(lookup)
            .find_map(|tag| self.locales.get_key_value(&tag))
            .map_or(("en", "en"), |(key, shown)| (key, shown))
    }

    /// Whether a file of this name was compiled.
    pub(crate) fn has(&self, template: &str) -> bool {
        self.files.contains_key(template)
    }

    /// The file that a template came from, as its author named it.
    pub(crate) fn file<'a>(&'a self, template: &'a str) -> &'a str {
        self.files.get(template).map_or(template, String::as_str)
    }

    /// Fills a template in.
    pub(crate) fn fill(&self, template: &str, context: Value) -> Result<String, Fault> {
        self.env.get_template(template).and_then(|found| found.render(context)).map_err(|error| Fault {
            file: self.file(error.name().unwrap_or(template)).to_owned(),
            // A word's own lines are not those of its file.
            line: if template.contains(' ') { 0 } else { error.line().unwrap_or(0) },
            what: error.kind().to_string(),
            detail: error.detail().map(str::to_owned),
        })
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
                    format!("see {} for what a template may hold", self.guide),
                )
            }),
        }
    }
}

/// The name under which a word is compiled. It has no extension, so it is never escaped: words are text until a layout shows them.
pub(crate) fn word_name(locale: &str, key: &str) -> String {
    format!("{locale} {key}")
}
