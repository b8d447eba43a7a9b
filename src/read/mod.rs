//! A mail's bytes become a [`Reading`]: who bought, which order, what happened to it. Four layers look, best first: the AFS
//! snippet, schema.org data, the platform's template, the header fields; for every field the best one that found something wins,
//! and the others stay as findings. Reading never fails and never asks for time, files or the network.

mod body;
mod bounds;
mod customer;
mod dates;
mod decide;
mod embedded;
mod entities;
mod evidence;
#[cfg(fuzzing)]
pub mod fuzzing;
mod generic;
mod headers;
mod html;
mod lexicon;
mod message;
mod repair;
mod schema_org;
mod scripts;
mod snippet;
mod template;
mod words;

use std::panic::{AssertUnwindSafe, catch_unwind};

use self::body::Body;
use self::customer::Ours;
use self::decide::Decision;
use self::evidence::{Evidence, Value, locale};
use self::message::Message;
use self::template::Class;
pub use self::template::{Checked, Templates};
use crate::domain::{Field, Layer, Outcome, Reading};

/// How many attached mails deep a forwarded copy is followed.
const FORWARDS: usize = 2;

/// What the reader has to know about the shop.
#[derive(Clone, Debug, Default)]
pub struct Context<'a> {
    /// The shop's own mail domains: nobody there is a customer.
    pub shop_domains: &'a [String],
    /// The ingest domain and the domains that our letters come from.
    pub own_domains: &'a [String],
    /// The shop's language, where the mail does not tell its own.
    pub locale: Option<&'a str>,
}

/// Reads mails. Built once, shared by all.
pub struct Reader {
    templates: Templates,
}

impl Reader {
    /// A reader with these templates.
    pub fn new(templates: Templates) -> Self {
        Self { templates }
    }

    /// Reads a mail: header section and body, line ends CRLF or LF. Never panics; time and memory are bounded by the bounds on
    /// size, parts and depth (`bounds`, `html`). A mail beyond them is held.
    pub fn read(&self, mail: &[u8], context: &Context<'_>) -> Reading {
        // The last resort: a fault here or in a parser costs this mail, not the daemon.
        catch_unwind(AssertUnwindSafe(|| self.read_at(mail, context, 0))).unwrap_or_else(|_| {
            Reading::without_findings(Outcome::Held, "the mail could not be read: the reader failed on it")
        })
    }

    fn read_at(&self, mail: &[u8], context: &Context<'_>, forwards: usize) -> Reading {
        let message = match Message::parse(mail) {
            Ok(message) => message,
            Err(why) => return Reading::without_findings(Outcome::Held, format!("the mail could not be read: {why}")),
        };
        let ours = Ours { shop_domains: context.shop_domains, own_domains: context.own_domains };
        let body = Body::of(&message, &self.templates.named);
        let sight = self.templates.sight(&message, &body, &ours);
        if let Class::Ignore { rule, why } = self.templates.refuse(&sight, true) {
            return Reading::without_findings(Outcome::Ignored, reason(rule, why));
        }
        // Somebody at the shop forwarded the customer's mail to us as an attachment: that one is the copy.
        if let Some(attached) = &message.attached
            && forwards < FORWARDS
            && ours.is_addressed(&message)
        {
            return self.read_at(attached, context, forwards + 1);
        }
        let mut evidence = Evidence::default();
        let broken_snippet = snippet::read(&message.html, &mut evidence) | snippet::read(&message.text, &mut evidence);
        schema_org::read_json_ld(&message.html, &mut evidence);
        if let Some(tree) = &body.tree
            && body.microdata
        {
            schema_org::read_microdata(tree, &mut evidence);
        }
        let page = body.language.as_deref().and_then(locale).filter(|tag| tag != "und");
        let found = self.templates.classify(&sight);
        let mut decision =
            Decision { templates: &self.templates, sight: &sight, found: None, broken_snippet, generic: None };
        let mut spoken = None;
        if let Some((template, class)) = found {
            let mut mail = None;
            if let Class::Mail { mail: known, language } = &class {
                (mail, spoken) = (Some(*known), language.clone());
                evidence.add(Layer::Template, format!("mail.{}", known.name), Value::Event(known.event));
            }
            let habit = page.clone().or_else(|| spoken.clone()).or_else(|| context.locale.and_then(locale));
            self.templates.extract(template, mail, &sight, habit.as_deref(), &mut evidence);
            decision.found = Some((template, class));
        }
        // Where a template knows the mail and found who and which order, the words of all languages have nothing to add.
        let known = matches!(&decision.found, Some((_, Class::Mail { .. })))
            && evidence.holds(Field::Reference)
            && evidence.holds(Field::CustomerName);
        let set_aside = matches!(&decision.found, Some((_, Class::Ignore { .. } | Class::Hold { .. })));
        if !known && !set_aside {
            let generic = self.templates.generic.read(&sight, &self.templates.lexicon, &mut evidence);
            spoken = spoken.or_else(|| generic.language.clone());
            decision.generic = Some(generic);
        }
        note_language(page.as_deref(), spoken.as_deref(), &mut evidence);
        decision.make(evidence)
    }
}

/// Notes the language that the page claims and the one that its phrases are in. Many pages claim `en` because their template
/// did.
fn note_language(page: Option<&str>, spoken: Option<&str>, evidence: &mut Evidence) {
    let mut add = |rule: &str, tag: Option<&str>| {
        if let Some(tag) = tag {
            evidence.add(Layer::Template, rule, Value::Locale(tag.to_owned()));
        }
    };
    let copied =
        page.is_some_and(|page| page.starts_with("en")) && spoken.is_some_and(|spoken| !spoken.starts_with("en"));
    if copied {
        add("mail.phrase", spoken);
        add("html.lang", page);
    } else {
        add("html.lang", page);
        add("mail.phrase", spoken);
    }
}

/// A rule's name with its explanation, when that says more.
fn reason(rule: &str, why: &str) -> String {
    if rule == why { rule.to_owned() } else { format!("{rule}: {why}") }
}

#[cfg(test)]
mod tests;
