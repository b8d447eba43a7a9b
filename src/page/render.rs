//! From data to HTML: choose the language, say the words, fill in the template.

use std::sync::Arc;

use base64ct::{Base64, Encoding};
use minijinja::value::Kwargs;
use minijinja::{Error, ErrorKind, State, Value, context};
use sha2::{Digest, Sha256};

use crate::domain::clean;
use crate::wording::{Color, Edition, Fault, Palette, lookup, word_name};

use super::facts;
use super::language::{accepted, direction};
use super::view::{Frame, Page};

/// The colour of pages that are no shop's.
const NO_SHOP: &str = "#35506b";

/// A finished page.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The document.
    pub html: String,
    /// The source of its stylesheet for the Content-Security-Policy, without quotes: `sha256-…`.
    pub style_hash: String,
    /// The language it is in, as `Content-Language` says it.
    pub lang: String,
}

/// Sizes only: a page is full of personal data.
impl std::fmt::Debug for Rendered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rendered").field("bytes", &self.html.len()).field("lang", &self.lang).finish_non_exhaustive()
    }
}

/// A template that could not be filled in. It says nothing of the customer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct RenderError {
    /// The template's file.
    pub file: String,
    /// Line from 1, or 0 when it is not known.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl From<Fault> for RenderError {
    fn from(Fault { file, line, what, detail: _ }: Fault) -> Self {
        Self { file, line, what }
    }
}

/// Makes a page of these templates.
pub(super) fn render(edition: &Edition, frame: &Frame<'_>, page: &Page<'_>) -> Result<Rendered, Fault> {
    let (locale, lang) = language(edition, frame);
    let shop = frame.shop.map(|shop| clean(shop.name, 100)).unwrap_or_default();
    let speaker = Speaker { edition, locale, shop: &shop };
    let style = style(edition, frame)?;
    let facts = facts::of(&speaker, frame, page)?;
    let template = template(edition, locale, facts::template(page));
    let html = edition.fill(
        &template,
        context! {
            lang,
            dir => direction(lang),
            shop => shop.as_str(),
            say => say(locale, &shop),
            // The stylesheet is ours and holds nothing but the palette's colours; `trial` looks that it ends where it should.
            style => Value::from_safe_string(style.clone()),
            ..facts
        },
    )?;
    let style_hash = format!("sha256-{}", Base64::encode_string(&Sha256::digest(style.as_bytes())));
    Ok(Rendered { html, style_hash, lang: lang.to_owned() })
}

/// Whose words a page is in, and which language that is.
pub(super) fn language<'e>(edition: &'e Edition, frame: &Frame<'_>) -> (&'e str, &'e str) {
    let wanted = frame.locale.into_iter().chain(accepted(frame.accept_language.unwrap_or("")));
    edition.first_of(wanted.chain(frame.shop.map(|shop| shop.locale)))
}

/// The stylesheet in the shop's colour.
pub(super) fn style(edition: &Edition, frame: &Frame<'_>) -> Result<String, Fault> {
    let color = frame.shop.and_then(|shop| Color::parse(shop.color)).or_else(|| Color::parse(NO_SHOP));
    let palette = color.map(|color| Palette::of(color).into_value()).unwrap_or_default();
    let style = edition.fill("style.css", context! { palette })?;
    // Blanks are for those who read the file, and so are line breaks where a line is complete.
    let mut squeezed = String::with_capacity(style.len());
    for line in style.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if !squeezed.is_empty() && !squeezed.ends_with(['{', '}', ';']) {
            squeezed.push('\n');
        }
        squeezed.push_str(&without_blanks(line));
    }
    Ok(squeezed)
}

/// A line of the stylesheet without the blanks that mean nothing; one with a quoted text stays as it is.
fn without_blanks(line: &str) -> String {
    let blanks =
        [("; ", ";"), (": ", ":"), (" > ", ">"), (", ", ","), (" {", "{"), ("{ ", "{"), (" }", "}"), (";}", "}")];
    if line.contains(['"', '\'']) {
        return line.to_owned();
    }
    blanks.iter().fold(line.to_owned(), |line, (from, to)| line.replace(from, to))
}

/// The locale's own template for a page, or that of all locales.
fn template(edition: &Edition, locale: &str, name: &str) -> String {
    lookup(locale).map(|tag| format!("{tag}/{name}")).find(|name| edition.has(name)).unwrap_or_else(|| name.to_owned())
}

/// Says the words of one locale for one shop.
pub(super) struct Speaker<'a> {
    edition: &'a Edition,
    locale: &'a str,
    shop: &'a str,
}

impl Speaker<'_> {
    /// A word with its variables filled in; `{{ shop }}` is there in every one.
    pub(super) fn say(&self, key: &str, variables: Value) -> Result<String, Fault> {
        self.edition.fill(&word_name(self.locale, key), context! { shop => self.shop, ..variables })
    }

    /// A word without further variables.
    pub(super) fn word(&self, key: &str) -> Result<String, Fault> {
        self.say(key, context! {})
    }
}

/// The function `say` of templates: `{{ say('errors.too_long', most=100) }}`. Words cannot call it, since they never get it.
fn say(locale: &str, shop: &str) -> Value {
    let (locale, shop): (Arc<str>, Arc<str>) = (locale.into(), shop.into());
    Value::from_function(move |state: &State<'_, '_>, key: &str, variables: Kwargs| -> Result<String, Error> {
        let Ok(word) = state.env().get_template(&word_name(&locale, key)) else {
            return Err(Error::new(ErrorKind::UndefinedError, format!("there is no word {key:?}")));
        };
        word.render(context! { shop => &*shop, ..Value::from(variables) })
    })
}
