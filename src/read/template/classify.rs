//! Which template a mail belongs to, and what its rules make of it.

use super::rules::{Condition, Counts, Mail, Sight, Template};
use super::{GENERIC, Templates};
use crate::read::body::Body;
use crate::read::customer::Ours;
use crate::read::message::Message;
use crate::read::phrases::Searched;
use crate::read::words::fold;

/// What the rules of a template say about a mail.
pub(in crate::read) enum Class<'t> {
    /// It is not looked at further: the rule's name and its explanation.
    Ignore { rule: &'t str, why: &'t str },
    /// A person must look at it.
    Hold { rule: &'t str, why: &'t str },
    /// It tells of an event; with the language of the phrase that said so.
    Mail { mail: &'t Mail, language: Option<String> },
    /// No rule knows it.
    Unknown,
}

impl Templates {
    /// Prepares a mail for conditions.
    pub(in crate::read) fn sight<'m>(&'m self, message: &'m Message, body: &'m Body, ours: &'m Ours<'m>) -> Sight<'m> {
        let boxes = |boxes: &[crate::read::message::Mailbox]| {
            let shown = |mailbox: &crate::read::message::Mailbox| {
                format!("{} <{}>", mailbox.name.as_deref().unwrap_or_default(), mailbox.email)
            };
            Searched::of(fold(&boxes.iter().map(shown).collect::<Vec<_>>().join(", ")))
        };
        Sight {
            message,
            body,
            ours,
            subject: Searched::of(fold(&message.subject)),
            text: Searched::of(body.folded.as_str()),
            from: boxes(std::slice::from_ref(&message.from)),
            to: boxes(&message.to),
            markup: self.markup.found_in(&message.html),
        }
    }

    /// The generic rules that set a mail aside and count at this point.
    pub(in crate::read) fn refuse(&self, sight: &Sight<'_>, counts: Counts) -> Class<'_> {
        self.generic().map_or(Class::Unknown, |generic| refusal(generic, sight, |rule| rule == counts))
    }

    /// The template of a mail and what it says: the first one that knows the kind of mail, or the first that knows the platform.
    pub(in crate::read) fn classify(&self, sight: &Sight<'_>) -> Option<(&Template, Class<'_>)> {
        let mut first = None;
        for template in &self.list {
            if template.name == GENERIC || !template.matches.iter().any(|condition| condition.holds(sight).is_some()) {
                continue;
            }
            match refusal(template, sight, |counts| counts == Counts::Always) {
                Class::Unknown => {}
                class => return Some((template, class)),
            }
            match kind_of(template, sight) {
                Class::Unknown => {}
                class => return Some((template, class)),
            }
            match refusal(template, sight, |counts| counts != Counts::Always) {
                Class::Unknown => {}
                class => return Some((template, class)),
            }
            first = first.or(Some((template, Class::Unknown)));
        }
        first
    }
}

fn refusal<'t>(template: &'t Template, sight: &Sight<'_>, now: impl Fn(Counts) -> bool) -> Class<'t> {
    for rule in template.ignore.iter().filter(|rule| now(rule.counts)) {
        if rule.when.iter().any(|condition| condition.holds(sight).is_some()) {
            return Class::Ignore { rule: &rule.name, why: &rule.why };
        }
    }
    for rule in template.hold.iter().filter(|rule| now(rule.counts)) {
        if rule.when.iter().any(|condition| condition.holds(sight).is_some()) {
            return Class::Hold { rule: &rule.name, why: &rule.why };
        }
    }
    Class::Unknown
}

fn kind_of<'t>(template: &'t Template, sight: &Sight<'_>) -> Class<'t> {
    for mail in &template.mails {
        for condition in &mail.when {
            if let Some(held) = condition.holds(sight) {
                return Class::Mail { mail, language: held.language };
            }
        }
    }
    Class::Unknown
}

/// A condition that holds, with the language of the phrase that was found, if one was looked for.
pub(in crate::read) struct Held {
    language: Option<String>,
}

impl Condition {
    /// Whether every part of the condition holds.
    pub(in crate::read) fn holds(&self, sight: &Sight<'_>) -> Option<Held> {
        if self.to_us.is_some_and(|wanted| sight.ours.is_addressed(sight.message) != wanted) {
            return None;
        }
        for test in &self.headers {
            let mut values = sight.message.header(&test.name);
            if !values.any(|value| test.text.is_empty() || fold(value).contains(&test.text)) {
                return None;
            }
        }
        if let Some(html) = &self.html
            && !html.iter().any(|index| sight.markup.get(*index) == Some(&true))
        {
            return None;
        }
        let mut language = None;
        let looked_in = [
            (&self.subject, &sight.subject),
            (&self.text, &sight.text),
            (&self.from, &sight.from),
            (&self.to, &sight.to),
        ];
        for (phrases, text) in looked_in {
            if let Some(phrases) = phrases {
                let found = phrases.find(text)?;
                language = language.or_else(|| found.language().map(str::to_owned));
            }
        }
        if self.subject_pattern.as_ref().is_some_and(|pattern| !pattern.is_match(&sight.message.subject)) {
            return None;
        }
        if let Some(pattern) = &self.text_pattern
            && !sight.body.texts.iter().any(|text| pattern.is_match(&text.whole))
        {
            return None;
        }
        if !self.css.is_empty() {
            let tree = sight.body.tree.as_ref()?;
            if !self.css.iter().any(|matcher| tree.select_single_matcher(matcher).exists()) {
                return None;
            }
        }
        if self.unless.iter().any(|unless| unless.holds(sight).is_some()) {
            return None;
        }
        Some(Held { language })
    }
}
