//! From data to a finished letter: speak the words, fill in the layouts, turn MJML into HTML, build the message.

use std::collections::BTreeMap;

use minijinja::Value;
use mrml::prelude::parser::{Error as MjmlError, Warning};
use mrml::prelude::render::RenderOptions;

use crate::domain::clean;

use super::data::{ComposeError, Composed, LetterData};
use super::edition::{Edition, word_name};
use super::facts;
use super::message;
use super::words::{OF_A_KIND, SHARED, variables};

/// Why a template could not be filled in. The detail may quote a value, so it is for made-up data only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The template's file.
    pub(super) file: String,
    /// Line, from 1; 0 when it is not known.
    pub(super) line: usize,
    /// What is wrong.
    pub(super) what: String,
    /// More about it.
    pub(super) detail: Option<String>,
}

impl From<Fault> for ComposeError {
    fn from(fault: Fault) -> Self {
        Self::Template { file: fault.file, line: fault.line, what: fault.what }
    }
}

/// Both parts of a letter, before they are a message.
pub(super) struct Parts {
    pub(super) subject: String,
    pub(super) html: String,
    pub(super) text: String,
    /// What the MJML parser passed over.
    pub(super) passed_over: Vec<Fault>,
}

impl Edition {
    /// Makes a letter of these templates.
    pub(super) fn compose(&self, letter: &LetterData<'_>) -> Result<Composed, ComposeError> {
        letter.check()?;
        let (locale, lang) = self.locale(letter.locale, letter.sender.locale);
        let Parts { subject, html, text, .. } = self.parts(letter, locale, lang)?;
        let message = message::build(letter, lang, &subject, &html, &text);
        let addresses = [Some(letter.sender.from), Some(&letter.customer.email), letter.sender.reply_to];
        let smtputf8 = addresses.iter().flatten().any(|address| !address.as_str().is_ascii());
        Ok(Composed { subject, message, html, text, locale: lang.to_owned(), smtputf8 })
    }

    /// Subject, HTML and text in a locale of this edition.
    pub(super) fn parts(&self, letter: &LetterData<'_>, locale: &str, lang: &str) -> Result<Parts, Fault> {
        let (words, star_labels) = self.speak(letter, locale)?;
        let subject = clean(words.get("subject").map_or("", String::as_str), 200);
        let facts = facts::of(letter, lang, &words, &star_labels);
        let text = tidy(&self.fill(&self.template(locale, letter.kind, "txt"), facts.clone())?);
        let template = self.template(locale, letter.kind, "mjml");
        let mjml = self.fill(&template, facts)?;
        let (html, passed_over) = self.html(&template, &mjml)?;
        Ok(Parts { subject, html, text, passed_over })
    }

    /// The words of this letter with their variables filled in, and the labels of one to five stars. `greeting` is the one that
    /// fits, whether the name is known or not.
    fn speak(
        &self,
        letter: &LetterData<'_>,
        locale: &str,
    ) -> Result<(BTreeMap<&'static str, String>, Vec<String>), Fault> {
        let (name, shop) = (facts::customer_name(letter), facts::shop_name(letter));
        let say = |word: &str, key: &str, number| {
            let context = variables(key, name, &shop, letter.reference.as_str(), number);
            self.fill(&word_name(locale, word), context)
        };
        let more = facts::unnamed_products(letter);
        let mut words = BTreeMap::new();
        for key in SHARED {
            let word = match key {
                "greeting" if name.is_empty() => "greeting_unnamed",
                "greeting_unnamed" | "star" => continue,
                "more" if more == 0 => {
                    words.insert(key, String::new());
                    continue;
                }
                _ => key,
            };
            words.insert(key, say(word, key, more)?);
        }
        for key in OF_A_KIND {
            words.insert(key, say(&format!("{}.{key}", letter.kind), key, 0)?);
        }
        let labels = (1..=5).map(|stars| say("star", "star", stars)).collect::<Result<_, _>>()?;
        Ok((words, labels))
    }

    fn fill(&self, template: &str, context: Value) -> Result<String, Fault> {
        self.env.get_template(template).and_then(|found| found.render(context)).map_err(|error| Fault {
            file: self.file(error.name().unwrap_or(template)).to_owned(),
            // A word's own lines are not those of its file.
            line: if template.contains(' ') { 0 } else { error.line().unwrap_or(0) },
            what: error.kind().to_string(),
            detail: error.detail().map(str::to_owned),
        })
    }

    fn html(&self, template: &str, mjml: &str) -> Result<(String, Vec<Fault>), Fault> {
        let fault = |at: Option<usize>, what: String| Fault {
            file: self.file(template).to_owned(),
            line: at.and_then(|at| self.line_in(template, mjml, at)).unwrap_or(0),
            what,
            detail: at.and_then(|at| line_at(mjml, at)).map(|line| format!("in {line:?}")),
        };
        let parsed = mrml::parse(mjml).map_err(|error| fault(position(&error), format!("is no MJML: {error}")))?;
        let passed_over = parsed
            .warnings
            .iter()
            .map(|Warning { kind, span, .. }| {
                fault(Some(span.start), format!("has an {}", kind.as_str().replace('-', " ")))
            })
            .collect();
        // No web fonts: a letter fetches nothing but the shop's logo.
        let options = RenderOptions { disable_comments: true, fonts: Default::default(), ..RenderOptions::default() };
        let html = parsed.element.render(&options).map_err(|error| fault(None, format!("cannot be drawn: {error}")))?;
        Ok((html, passed_over))
    }

    /// The template's line that a place in its output came from: the first one that reads the same.
    fn line_in(&self, template: &str, mjml: &str, at: usize) -> Option<usize> {
        let wanted = line_at(mjml, at)?;
        let found = self.env.get_template(template).ok()?;
        found.source().lines().position(|line| line.trim() == wanted).map(|index| index + 1)
    }
}

fn line_at(text: &str, at: usize) -> Option<&str> {
    let start = text.get(..at)?.rfind('\n').map_or(0, |newline| newline + 1);
    text[start..].lines().next().map(str::trim)
}

fn position(error: &MjmlError) -> Option<usize> {
    match error {
        MjmlError::UnexpectedElement { position, .. }
        | MjmlError::UnexpectedToken { position, .. }
        | MjmlError::MissingAttribute { position, .. }
        | MjmlError::InvalidAttribute { position, .. }
        | MjmlError::InvalidFormat { position, .. }
        | MjmlError::IncludeLoaderError { position, .. } => Some(position.start),
        MjmlError::EndOfStream { .. }
        | MjmlError::SizeLimit { .. }
        | MjmlError::ParserError { .. }
        | MjmlError::NoRootNode => None,
    }
}

/// Text without blanks at line ends, with one empty line at most between two others, ending in one line break.
fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.lines().map(str::trim_end) {
        if line.is_empty() {
            empty += 1;
            continue;
        }
        if empty > 0 && !tidy.is_empty() {
            tidy.push('\n');
        }
        empty = 0;
        tidy.push_str(line);
        tidy.push('\n');
    }
    tidy
}
