//! The layer of templates. A template is a TOML file without code: how to know a platform's mails, which of them tell of what, and
//! where in them the fields stand. `docs/adding-a-parser.md` has the language.

mod classify;
mod extract;
mod grammar;
mod lint;
mod load;
mod load_fields;
mod pattern;
mod products;
mod reload;
mod rules;
mod schema;
mod trace;
mod trial;

use super::embedded;
use super::generic::Generic;
use super::html::Named;
use super::lexicon::Lexicon;
use super::phrases::Markup;
use crate::document::{Document, Problem};
use crate::domain::EventKind;

pub(super) use self::classify::Class;
pub use self::lint::lint;
pub use self::rules::{Checked, Origin};
pub(super) use self::rules::{Counts, Sight, Template};
pub use self::schema::schema;
pub use self::trace::{Step, Took};
pub(super) use self::trial::{Trial, is_language};

/// The name of the template whose labels and rules count for all mails.
const GENERIC: &str = "generic";

/// What is told of a template in a list.
#[derive(Debug, Clone)]
pub struct Listed<'t> {
    /// Its name in readings.
    pub name: &'t str,
    /// The platform's name as people write it.
    pub title: &'t str,
    /// The kinds of mail that it knows.
    pub mails: Vec<(&'t str, EventKind)>,
    /// What it was held against.
    pub checked: &'t [Checked],
    /// Where it comes from.
    pub origin: &'t Origin,
}

/// All templates, compiled.
pub struct Templates {
    /// The generic one first.
    list: Vec<Template>,
    /// The pieces of HTML that templates look for, searched in one pass.
    markup: Markup,
    /// What rules look at in a page.
    pub(super) named: Named,
    /// The words of all languages.
    pub(super) lexicon: Lexicon,
    /// The reader of mails that no template knows.
    pub(super) generic: Generic,
    /// The files of the shop's own.
    files: Vec<Document>,
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
                    markup: Markup::default(),
                    named: Named::default(),
                    lexicon: Lexicon::default(),
                    generic: Generic::default(),
                    files: Vec::new(),
                }
            }
        }
    }

    /// The templates that ship, with some replaced by files of the same `name`, and others added; or everything that is wrong
    /// with the files. Templates of files are tried before those that ship.
    pub fn with_overrides(files: Vec<Document>) -> Result<Self, Vec<Problem>> {
        load::load(files.clone(), embedded::documents(), embedded::lexicon())
            .map(|templates| Self { files, ..templates })
    }

    /// Only what counts for all mails: how a mail of a platform is read that nobody has written a template for.
    #[must_use]
    pub fn generic_only(mut self) -> Self {
        self.list.retain(|template| template.name == GENERIC);
        self
    }

    /// All but the template of this name: what the others make of its mails.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.list.retain(|template| template.name != name || name == GENERIC);
        self
    }

    /// The templates that ship, as their authors wrote them.
    pub fn shipped() -> Vec<Document> {
        embedded::documents()
    }

    /// The templates of some files and what counts for all mails, without those of platforms: how a template reads that is being
    /// written.
    ///
    /// # Errors
    /// Everything that is wrong with the files.
    pub fn of_files(files: Vec<Document>) -> Result<Self, Vec<Problem>> {
        let mut shipped = embedded::documents();
        shipped.retain(|document| document.file().ends_with("/generic.toml"));
        load::load(files, shipped, embedded::lexicon())
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

    /// The templates with what their authors say of them, in the order in which they are tried; last what counts for all mails.
    pub fn list(&self) -> impl Iterator<Item = Listed<'_>> {
        self.platforms().chain(self.generic()).map(|template| Listed {
            name: &template.name,
            title: &template.title,
            mails: template.mails.iter().map(|mail| (mail.name.as_str(), mail.event)).collect(),
            checked: &template.checked,
            origin: &template.origin,
        })
    }

    fn platforms(&self) -> impl Iterator<Item = &Template> {
        self.list.iter().filter(|template| template.name != GENERIC)
    }

    fn generic(&self) -> Option<&Template> {
        self.list.iter().find(|template| template.name == GENERIC)
    }
}
