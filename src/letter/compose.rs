//! From data to a finished letter: speak the words, fill in the layouts, turn MJML into HTML, build the message.

use std::collections::BTreeMap;

use mrml::prelude::parser::{Error as MjmlError, Warning};
use mrml::prelude::render::RenderOptions;

use crate::domain::clean;
use crate::wording::{Fault, word_name};

use super::afs::PASTED;
use super::data::{ComposeError, Composed, LetterData};
use super::edition::Edition;
use super::facts;
use super::message;
use super::words::{OF_A_KIND, SHARED, variables};

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
        let subject = if letter.is_test { format!("Test: {subject}") } else { subject };
        let message = message::build(letter, lang, &subject, &html, &text);
        let addresses = [Some(letter.sender.from), Some(&letter.customer.email), letter.sender.reply_to];
        let smtputf8 = addresses.iter().flatten().any(|address| !address.as_str().is_ascii());
        Ok(Composed { subject, message, html, text, locale: lang.to_owned(), smtputf8 })
    }

    /// Subject, HTML and text in a locale of this edition.
    pub(super) fn parts(&self, letter: &LetterData<'_>, locale: &str, lang: &str) -> Result<Parts, Fault> {
        let (mut words, star_labels) = self.speak(letter, locale)?;
        let subject = clean(words.get("subject").map_or("", String::as_str), 200);
        words.insert("subject", subject.clone());
        let facts = facts::of(letter, lang, &words, &star_labels);
        let text = tidy(&self.fill(&self.template(locale, letter.kind, "txt"), facts.clone())?);
        let template = self.template(locale, letter.kind, "mjml");
        // XML, and so MJML, cannot hold these two (XML 1.0, 2.2), and a reference may.
        let mjml = self.fill(&template, facts)?.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}");
        let is_pasted = self.env.get_template(&template).is_ok_and(|found| found.source().starts_with(PASTED));
        let (html, passed_over) = if is_pasted { (mjml, Vec::new()) } else { self.html(&template, &mjml)? };
        Ok(Parts { subject, html, text, passed_over })
    }

    /// The words of this letter with their variables filled in, and the labels of one to five stars. `greeting` is the one that
    /// fits, whether the name is known or not.
    fn speak(
        &self,
        letter: &LetterData<'_>,
        locale: &str,
    ) -> Result<(BTreeMap<&'static str, String>, Vec<String>), Fault> {
        let (name, shop, products) = (facts::customer_name(letter), facts::shop_name(letter), facts::products(letter));
        let unnamed = facts::afs_facts(letter, &shop, "", &products);
        let customer = self.fill(&word_name(locale, "customer"), variables("customer", &unnamed, 0))?;
        let known = facts::afs_facts(letter, &shop, &customer, &products);
        let say = |word: &str, key: &str, number| self.fill(&word_name(locale, word), variables(key, &known, number));
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

    fn html(&self, template: &str, mjml: &str) -> Result<(String, Vec<Fault>), Fault> {
        let fault = |at: Option<usize>, what: String| Fault {
            file: self.file(template).to_owned(),
            line: at.and_then(|at| self.line_in(template, mjml, at)).unwrap_or(0),
            what,
            detail: at.and_then(|at| line_at(mjml, at)).map(|line| format!("in {line:?}")),
        };
        let parsed = mrml::parse(mjml).map_err(|error| {
            let (at, why) = explained(&error);
            fault(at, format!("is no MJML: {why}"))
        })?;
        let mut passed_over: Vec<_> = parsed
            .warnings
            .iter()
            .map(|Warning { kind, span, .. }| {
                fault(Some(span.start), format!("has an {}", kind.as_str().replace('-', " ")))
            })
            .collect();
        // No web fonts: a letter fetches nothing but the shop's logo.
        let options = RenderOptions { disable_comments: true, fonts: Default::default(), ..RenderOptions::default() };
        let html = parsed.element.render(&options).map_err(|error| fault(None, format!("cannot be drawn: {error}")))?;
        passed_over.extend(
            unknown_elements(&html).map(|element| {
                fault(mjml.find(element), format!("has an element that MJML does not have: {element}>"))
            }),
        );
        Ok((html, passed_over))
    }

    /// The template's line that a place in its output came from: the first one that reads the same.
    fn line_in(&self, template: &str, mjml: &str, at: usize) -> Option<usize> {
        let wanted = line_at(mjml, at)?;
        let found = self.env.get_template(template).ok()?;
        found.source().lines().position(|line| line.trim() == wanted).map(|index| index + 1)
    }
}

/// Elements of MJML that came through as HTML, since the parser takes what it does not know for HTML: `<mj-butto`.
fn unknown_elements(html: &str) -> impl Iterator<Item = &str> {
    html.match_indices("<mj-").map(|(at, _)| {
        let rest = &html[at..];
        let end = rest[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '-').map_or(rest.len(), |end| end + 1);
        &rest[..end]
    })
}

fn line_at(text: &str, at: usize) -> Option<&str> {
    let start = text.get(..at)?.rfind('\n').map_or(0, |newline| newline + 1);
    text[start..].lines().next().map(str::trim)
}

/// Where in the filled-in template the parser stopped, and why; its own words name places that the author never sees.
fn explained(error: &MjmlError) -> (Option<usize>, &'static str) {
    match error {
        MjmlError::UnexpectedElement { position, .. } => (Some(position.start), "an element that may not stand there"),
        MjmlError::UnexpectedToken { position, .. } => (Some(position.start), "an unexpected tag"),
        MjmlError::MissingAttribute { position, .. } => (Some(position.start), "an attribute is missing"),
        MjmlError::InvalidAttribute { position, .. } => (Some(position.start), "an attribute that cannot be read"),
        MjmlError::InvalidFormat { position, .. } => (Some(position.start), "a value that cannot be read"),
        MjmlError::IncludeLoaderError { position, .. } => (Some(position.start), "mj-include is not supported"),
        MjmlError::EndOfStream { .. } => (None, "an element without its end"),
        MjmlError::SizeLimit { .. } => (None, "it is too long"),
        MjmlError::ParserError { .. } => (None, "its tags cannot be read"),
        MjmlError::NoRootNode => (None, "there is no <mjml> element"),
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
