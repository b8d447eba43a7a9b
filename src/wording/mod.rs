//! What everything written for the shop's customers shares, letters and pages alike: files that lie over the shipped ones, the
//! locale that fits a customer, words with variables, templates that cannot be made to show a value as HTML, and the shop's
//! colour in shades that can be read.
//!
//! A [`Folder`] says which files and words there are; an [`Edition`] is one complete set of them, compiled.

mod edition;
mod environment;
mod layer;
mod locale;
mod palette;
mod words;

pub(crate) use edition::{Edition, Fault, word_name};
pub(crate) use layer::Layer;
#[cfg(test)]
pub(crate) use layer::known_name;
pub(crate) use locale::lookup;
pub(crate) use palette::{Color, Palette};

use minijinja::Value;

/// What a folder of templates holds: the letters', the pages'.
pub(crate) trait Folder {
    /// The guide for those who write its files.
    const GUIDE: &'static str;
    /// The file whose words show what each one is for.
    const EXAMPLE: &'static str;
    /// The words, by the table that they stand in; those of the table `""` stand before all tables.
    const WORDS: &'static [(&'static str, &'static [&'static str])];

    /// Whether there is a file of this name, beside the folders of the locales.
    fn is_common(name: &str) -> bool;
    /// Whether there is a file of this name in the folder of a locale, beside `words.toml`.
    fn is_of_locale(name: &str) -> bool;
    /// Whether what a template makes is HTML, so that every value in it is escaped.
    fn is_html(template: &str) -> bool;
    /// Whether there must be something in a word.
    fn is_never_empty(table: &str, key: &str) -> bool;
    /// Variables with which a word is tried when it is read: all that it will get, and at its limits.
    fn trials(table: &str, key: &str) -> Vec<Value>;
    /// The variables of a word as its author writes them: `{{ name }} {{ shop }}`.
    fn variables(table: &str, key: &str) -> String;
}
