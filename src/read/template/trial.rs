//! Rules on trial, while a template is written from samples: what one of them finds in a mail, before there is a template.

use super::Template;
use super::extract::checked;
use super::load::{LANGUAGES, Loader};
use super::products;
use super::rules::{Sight, Target};
use crate::document::{Document, Problems};
use crate::domain::Product;
use crate::read::body::Body;
use crate::read::dates::Habits;
use crate::read::evidence::Value;
use crate::read::lexicon::Lexicon;

/// Whether labels may be written under this key.
pub(in crate::read) fn is_language(tag: &str) -> bool {
    LANGUAGES.contains(&tag)
}

/// A few rules of one field.
pub(in crate::read) struct Trial(Template);

impl Trial {
    /// The rules in `text`, written as at the top of a template; `None` when they do not load.
    pub(in crate::read) fn of(text: &str, lexicon: &Lexicon) -> Option<Self> {
        let problems = Problems::default();
        let document = Document::new("trial", format!("match = {{ from = \"trial\" }}\n{text}"));
        let mut loader = Loader::new(lexicon);
        let template = document.read(&problems, |table| loader.template("trial", table));
        template.filter(|_| problems.is_empty()).map(Self)
    }

    /// Every value that the first rule finds and that its field can be, best first; with the help of the greeting, if there is a
    /// rule for that.
    pub(in crate::read) fn values(&self, sight: &Sight<'_>, habits: &Habits<'_>) -> Vec<Value> {
        let mut rules = self.0.fields.rules.iter().filter(|rule| rule.target != Target::Greeting);
        let Some(rule) = rules.next() else { return Vec::new() };
        let greeting = self.greeting(sight);
        let found = rule.values(sight, greeting.as_deref()).into_iter();
        found.filter_map(|one| checked(rule.target, &one.text, habits)).collect()
    }

    /// What the rule for the greeting finds.
    pub(in crate::read) fn greeting(&self, sight: &Sight<'_>) -> Option<String> {
        let rule = self.0.fields.rules.iter().find(|rule| rule.target == Target::Greeting)?;
        rule.values(sight, None).into_iter().next().map(|one| one.text)
    }

    /// What the rules for products find.
    pub(in crate::read) fn products(&self, body: &Body) -> Vec<Product> {
        let all = self.0.fields.products.iter().map(|rule| products::read(rule, body));
        all.into_iter().find(|products| !products.is_empty()).unwrap_or_default()
    }
}
