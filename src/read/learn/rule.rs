//! A rule that is being written: where it looks, how it reads in a template, and whether it reads the samples.

use super::view::View;
use crate::domain::Product;
use crate::read::dates::{DayOrder, Habits};
use crate::read::evidence::Value;
use crate::read::lexicon::Lexicon;
use crate::read::template::{Sight, Trial};

/// Where a rule looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// At a label, in this direction.
    Label { label: String, place: &'static str },
    /// In the body's lines, by a regex.
    Text(String),
    /// In the subject, by a regex.
    Subject(String),
    /// In an element of the page, or one of its attributes.
    Css { css: String, attribute: Option<&'static str> },
    /// In a header field.
    Header(String),
}

/// A rule for a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) look: Look,
    /// Cuts the value out of what stands there.
    pub(super) pattern: Option<String>,
    /// Patterns for what the mail calls the customer, which helps to find the name.
    pub(super) greetings: Vec<String>,
    /// How far it can be trusted: 0 is best. From [`WEAK`] on only where nothing better is there.
    pub(super) rank: u8,
    /// What it looks for, in plain words.
    pub(super) words: String,
    /// The numbers of the samples that it reads.
    pub(super) samples: Vec<usize>,
}

/// The first rank that is taken only where nothing better is there.
pub(super) const WEAK: u8 = 4;

impl Rule {
    /// A rule that no sample was held against yet.
    pub(super) fn new(look: Look, pattern: Option<String>, rank: u8, words: impl Into<String>) -> Self {
        Self { look, pattern, greetings: Vec::new(), rank, words: words.into(), samples: Vec::new() }
    }

    /// The rule as a template has it; `list` is the name for the list of its label.
    pub(super) fn toml(&self, prefix: &str, key: &str, list: &str) -> String {
        let mut out = String::new();
        for greeting in &self.greetings {
            out.push_str(&format!("[[{prefix}greeting]]\ntext = {}\n", literal(greeting)));
        }
        out.push_str(&format!("[[{prefix}{key}]]\n"));
        match &self.look {
            Look::Label { place, .. } => out.push_str(&format!("label = {}\nwhere = \"{place}\"\n", quoted(list))),
            Look::Text(pattern) => out.push_str(&format!("text = {}\n", literal(pattern))),
            Look::Subject(pattern) => out.push_str(&format!("subject = {}\n", literal(pattern))),
            Look::Css { css, attribute } => {
                out.push_str(&format!("css = {}\n", literal(css)));
                if let Some(attribute) = attribute {
                    out.push_str(&format!("attribute = {}\n", quoted(attribute)));
                }
            }
            Look::Header(name) => out.push_str(&format!("header = {}\n", quoted(name))),
        }
        if let Some(pattern) = &self.pattern {
            out.push_str(&format!("pattern = {}\n", literal(pattern)));
        }
        out
    }

    /// The list of its label as a template has it.
    pub(super) fn labels_toml(&self, list: &str, language: &str) -> Option<String> {
        match &self.look {
            Look::Label { label, .. } => Some(format!("[labels.{list}]\n{language} = [{}]\n", quoted(label))),
            _ => None,
        }
    }

    /// The part of the mail that it looks at: rules that look at different ones do not fail together.
    fn part(&self) -> u8 {
        match &self.look {
            Look::Header(_) => 0,
            Look::Subject(_) => 1,
            Look::Label { .. } | Look::Text(_) | Look::Css { .. } => 2,
        }
    }
}

/// A regex or a selector, which are written so that none has a quote of this kind in it.
fn literal(text: &str) -> String {
    if text.contains('\'') { quoted(text) } else { format!("'{text}'") }
}

/// A text in quotes, as TOML wants it.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// The samples with everything that rules are tried on.
pub(super) struct Ground<'g> {
    pub(super) views: &'g [View],
    pub(super) sights: &'g [Sight<'g>],
    pub(super) lexicon: &'g Lexicon,
    /// The key of phrases and labels.
    pub(super) language: &'g str,
}

/// What a template says of the language that it was held against: a list in its patterns has the words of that one only.
pub(super) fn checked(language: &str) -> String {
    match language {
        "any" => String::new(),
        tag => format!("[[checked]]\nversions = \"the mails of the samples\"\nlanguages = [{}]\n", quoted(tag)),
    }
}

impl<'g> Ground<'g> {
    /// How a sample writes days.
    pub(super) fn habits(&self, view: &View) -> Habits<'g> {
        Habits {
            months: self.lexicon.months(),
            mailed: view.message.day,
            order: DayOrder::of(view.reading.locale.as_deref()),
        }
    }

    /// Some rules, ready to be tried.
    pub(super) fn trial(&self, rules: &str) -> Option<Trial> {
        Trial::of(&format!("{}{rules}", checked(self.language)), self.lexicon)
    }

    /// Tries rules for a field on all samples. Those are kept that find what is right in some sample, and in none anything else.
    pub(super) fn tried(&self, key: &str, rules: Vec<Rule>, is_right: impl Fn(&View, &Value) -> bool) -> Vec<Rule> {
        let mut kept: Vec<Rule> = Vec::new();
        for mut rule in rules {
            if kept.iter().any(|known| known.look == rule.look && known.pattern == rule.pattern) {
                continue;
            }
            let labels = rule.labels_toml("trial", "any").unwrap_or_default();
            let Some(trial) = self.trial(&format!("{labels}{}", rule.toml("", key, "trial"))) else {
                continue;
            };
            let mut wrong = false;
            for (view, sight) in self.views.iter().zip(self.sights) {
                let found = trial.values(sight, &self.habits(view));
                // Also what the rule finds after the right value counts: another mail may have that first.
                wrong |= found.iter().any(|value| !is_right(view, value));
                if !found.is_empty() {
                    rule.samples.push(view.number);
                }
            }
            if !wrong && !rule.samples.is_empty() {
                kept.push(rule);
            }
        }
        kept
    }

    /// The products that a rule finds in each sample.
    pub(super) fn products(&self, rule: &str) -> Option<Vec<Vec<Product>>> {
        let trial = self.trial(rule)?;
        Some(self.views.iter().map(|view| trial.products(&view.body)).collect())
    }

    /// The best of the rules that were tried: one, or as many as it takes to read all samples; and a second one where it looks
    /// at another part of the mail, so that a mail without the first place can be read.
    pub(super) fn chosen(&self, mut rules: Vec<Rule>) -> Vec<Rule> {
        rules.sort_by_key(|rule| (std::cmp::Reverse(rule.samples.len()), rule.rank));
        let mut chosen: Vec<Rule> = Vec::new();
        for rule in rules {
            let missing = |number: &usize| !chosen.iter().any(|known| known.samples.contains(number));
            let needed = rule.samples.iter().any(missing);
            let other = chosen.len() == 1 && rule.rank < WEAK && chosen.iter().all(|known| known.part() != rule.part());
            if needed || other {
                chosen.push(rule);
            }
        }
        chosen
    }

    /// Whether every sample is read by one of the rules.
    pub(super) fn covers(&self, rules: &[Rule]) -> bool {
        self.views.iter().all(|view| rules.iter().any(|rule| rule.samples.contains(&view.number)))
    }
}
