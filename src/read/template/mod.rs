//! Layer 3: templates. A template is a TOML file without code: how to know a platform's mails, which of them tell of what, and
//! where in them the fields stand. `docs/adding-a-parser.md` has the language.

mod classify;
mod extract;
mod load;
mod load_fields;
mod products;
mod rules;

use regex::RegexSet;

use super::embedded;
use super::generic::Generic;
use super::html::Named;
use super::lexicon::Lexicon;
use super::words::PhraseSearch;
use crate::document::{Document, Problem};

pub(super) use self::classify::Class;
pub use self::rules::Checked;
pub(super) use self::rules::{Sight, Template};

/// The name of the template whose labels and rules count for all mails.
const GENERIC: &str = "generic";

/// All templates, compiled.
pub struct Templates {
    /// The generic one first.
    list: Vec<Template>,
    /// The pieces of HTML that templates look for, searched in one pass.
    markup: RegexSet,
    /// The phrases that templates look for, searched in one pass too.
    phrases: PhraseSearch,
    /// What rules look at in a page.
    pub(super) named: Named,
    /// The words of all languages.
    pub(super) lexicon: Lexicon,
    /// The reader of mails that no template knows.
    pub(super) generic: Generic,
}

impl Templates {
    /// The templates that ship with the program.
    pub fn embedded() -> Self {
        match Self::with_overrides(Vec::new()) {
            Ok(templates) => templates,
            // A test loads every template that ships, so only a broken build gets here.
            Err(problems) => {
                debug_assert!(problems.is_empty(), "{problems:?}");
                Self {
                    list: Vec::new(),
                    markup: RegexSet::empty(),
                    phrases: PhraseSearch::default(),
                    named: Named::default(),
                    lexicon: Lexicon::default(),
                    generic: Generic::default(),
                }
            }
        }
    }

    /// The templates that ship, with some replaced by files of the same `name`, and others added; or everything that is wrong
    /// with the files. Templates of files are tried before those that ship.
    pub fn with_overrides(files: Vec<Document>) -> Result<Self, Vec<Problem>> {
        load::load(files, embedded::documents(), embedded::lexicon())
    }

    /// A template without any other, and with the words of one language: quickly loaded, for those that load thousands.
    #[cfg(fuzzing)]
    pub(super) fn alone(file: Document) -> Result<Self, Vec<Problem>> {
        let mut words = embedded::lexicon();
        words.retain(|words| words.file().ends_with("en.toml"));
        load::load(vec![file], Vec::new(), words)
    }

    /// The names of the templates, in the order in which they are tried.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.platforms().map(|template| template.name.as_str())
    }

    /// For each template the names of the kinds of mail that it knows: what a fixture is wanted for.
    pub fn mails(&self) -> impl Iterator<Item = (&str, &str)> {
        self.platforms()
            .flat_map(|template| template.mails.iter().map(|mail| (template.name.as_str(), mail.name.as_str())))
    }

    /// The same without the templates of platforms: what is read of a shop that nobody knows.
    pub fn generic_only(mut self) -> Self {
        self.list.retain(|template| template.name == GENERIC);
        self
    }

    fn platforms(&self) -> impl Iterator<Item = &Template> {
        self.list.iter().filter(|template| template.name != GENERIC)
    }

    fn generic(&self) -> Option<&Template> {
        self.list.iter().find(|template| template.name == GENERIC)
    }
}
