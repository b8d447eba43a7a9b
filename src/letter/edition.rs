//! One complete set of letter templates: which files there are, and which of them a letter is made of.

use std::ops::Deref;

use crate::document::Problems;
use crate::domain::LetterKind;
use crate::wording::{self, Layer, lookup};

use super::words::LetterFolder;

/// The templates of all locales for one audience: every shop, or one shop. Layouts are compiled under their file's name.
pub(super) struct Edition(wording::Edition);

impl Deref for Edition {
    type Target = wording::Edition;

    fn deref(&self) -> &wording::Edition {
        &self.0
    }
}

impl Edition {
    /// Compiles layers, lowest first. What cannot be compiled is noted and left out.
    pub(super) fn compile(layers: &[Layer], problems: &Problems) -> Self {
        Self(wording::Edition::compile::<LetterFolder>(layers, problems))
    }

    /// The best locale for a customer: the wanted one, the shop's, English; each with what is more general than it. The first
    /// text is its name in this edition, the second how it is shown.
    pub(super) fn locale(&self, wanted: Option<&str>, shop: &str) -> (&str, &str) {
        self.0.first_of(wanted.into_iter().chain([shop]))
    }

    /// The template for a letter's part: the locale's own for this kind, then the kind's, then the layout of all letters.
    pub(super) fn template(&self, locale: &str, kind: LetterKind, extension: &str) -> String {
        lookup(locale)
            .map(|tag| format!("{tag}/{kind}.{extension}"))
            .chain([format!("{kind}.{extension}")])
            .find(|name| self.0.has(name))
            .unwrap_or_else(|| format!("layout.{extension}"))
    }
}
