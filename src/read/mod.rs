//! A mail's bytes become a [`Reading`]: who bought, which order, what happened to it. Several layers look, best first: the AFS
//! snippet, schema.org data (JSON-LD, then microdata), the platform's template, the words of all languages, the header fields
//! ([`Layer`] has them in their order); for every field the best one that found something wins, and the others stay as findings.
//! Reading never fails and never asks for time, files or the network.

mod answer;
mod body;
mod bounds;
mod customer;
mod dates;
mod decide;
mod embedded;
mod entities;
mod everything;
mod evidence;
pub mod expected;
mod explain;
mod forward;
#[cfg(fuzzing)]
pub mod fuzzing;
mod generic;
mod headers;
mod html;
mod json;
mod learn;
mod lexicon;
mod message;
mod microdata;
mod phrases;
mod placeholders;
mod readable;
mod repair;
mod schema_org;
mod schema_values;
mod scripts;
mod snippet;
mod template;
mod tree;
mod words;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use self::answer::{Answer, Recipient, Returned, Says, answer};
use self::body::Body;
use self::customer::Ours;
use self::decide::Decision;
pub use self::everything::everything;
use self::evidence::{Evidence, Value, locale};
pub use self::explain::Explanation;
use self::forward::Forwarded;
pub use self::learn::{Asked, Example, Learnt, learn};
use self::message::Message;
pub use self::readable::{Place, Readable, ReadableLine, ReadableText, readable};
pub use self::template::{Checked, Listed, Origin, Step, Templates, Took, lint, schema};
use self::template::{Class, Counts};
use crate::domain::{Field, Layer, Outcome, Reading};

/// How many mails deep a forwarded copy is followed.
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
    /// The shop's words that say that the customer agreed to be asked for a review, such as "I agree to receive review
    /// invitations". They are compared as all phrases are: letter case and line breaks do not count, `*` stands for anything short.
    pub consent_words: &'a [String],
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
        let set_aside =
            |outcome, why: &str| Reading { sent_at: message.sent_at, ..Reading::without_findings(outcome, why) };
        let ours = Ours { shop_domains: context.shop_domains, own_domains: context.own_domains };
        let body = Body::of(&message, &self.templates.named);
        let sight = self.templates.sight(&message, &body, &ours);
        if let Class::Ignore { rule, why } = self.templates.refuse(&sight, Counts::Always) {
            return set_aside(Outcome::Ignored, &reason(rule, why));
        }
        // Somebody at the shop forwarded the customer's mail to us: that one is the copy.
        match forward::inside(&message, &ours) {
            Forwarded::Copy(copy) if forwards < FORWARDS => {
                let mut reading = self.read_at(&copy, context, forwards + 1);
                if message.attached.is_none() {
                    // What a mail program writes above the mail that it forwards is no `Date:` field.
                    reading.sent_at = None;
                }
                reading.findings.push(forward::remark());
                return reading;
            }
            Forwarded::ByStranger => {
                let why = "it was forwarded to us by somebody who is not known to be the shop";
                return set_aside(Outcome::Held, why);
            }
            _ => {}
        }
        let mut evidence = Evidence::default();
        message.note_remarks(&mut evidence);
        body.texts.iter().for_each(|text| evidence.note_unfilled_in("text", &text.whole));
        if body.tree.is_none() && !message.html.is_empty() {
            evidence.remark(
                Layer::Mail,
                "html",
                "the page is too large or too deep; it was read as plain text, in part",
            );
        }
        let broken_snippet = snippet::read(&message, &mut evidence);
        schema_org::read_json_ld(&message.html, &mut evidence);
        if let Some(tree) = &body.tree
            && body.microdata
        {
            microdata::read(tree, &mut evidence);
        }
        for words in context.consent_words {
            if phrases::says(&body.folded, words) {
                evidence.add(Layer::Mail, "consent-words", Value::Consent(true, Some(words.clone())));
            }
        }
        let page = body.language.as_deref().and_then(locale).filter(|tag| tag != "und");
        let found = self.templates.classify(&sight);
        let mut decision =
            Decision { templates: &self.templates, sight: &sight, found: None, broken_snippet, generic: None };
        let mut spoken = None;
        let mut origin = (Layer::Template, "mail.phrase");
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
        let known = matches!(&decision.found, Some((_, Class::Mail { .. }))) && evidence.holds(Field::Reference);
        let set_aside = matches!(&decision.found, Some((_, Class::Ignore { .. } | Class::Hold { .. })));
        if known {
            // Where the template found everything too, the words of all languages have nothing to add.
            if [Field::CustomerName, Field::Products].into_iter().any(|field| !evidence.holds(field)) {
                let lexicon = &self.templates.lexicon;
                let language = self.templates.generic.complete(&sight, lexicon, spoken.as_deref(), &mut evidence);
                if spoken.is_none() {
                    (spoken, origin) = (language, (Layer::Generic, "words"));
                }
            }
        } else if !set_aside {
            let generic = self.templates.generic.read(&sight, &self.templates.lexicon, &mut evidence);
            if spoken.is_none() {
                (spoken, origin) = (generic.language.clone(), (Layer::Generic, "words"));
            }
            decision.generic = Some(generic);
        }
        note_language(page.as_deref(), spoken.as_deref(), origin, &mut evidence);
        let reading = decision.make(evidence);
        if reading.outcome == Outcome::Held
            && forwards < FORWARDS
            && let Some(copy) = forward::quoted(&message)
        {
            return self.with_quoted(reading, &copy, context, forwards);
        }
        reading
    }

    /// A held reading of a mail that quotes another one, with what that one says: it stays with a person, who then has the
    /// customer's name and order before him and not the forwarder's.
    fn with_quoted(&self, held: Reading, copy: &[u8], context: &Context<'_>, forwards: usize) -> Reading {
        let inner = self.read_at(copy, context, forwards + 1);
        if inner.outcome != Outcome::Event {
            return held;
        }
        let mut reading = Reading { outcome: Outcome::Held, reason: held.reason, sent_at: None, ..inner };
        reading.findings.push(forward::remark());
        reading
    }
}

/// Notes the language that the page claims and the one that its words are in, which were found by `origin`. Many pages claim `en`
/// because their template did.
fn note_language(
    page: Option<&str>,
    spoken: Option<&str>,
    (layer, rule): (Layer, &'static str),
    evidence: &mut Evidence,
) {
    let copied =
        page.is_some_and(|page| page.starts_with("en")) && spoken.is_some_and(|spoken| !spoken.starts_with("en"));
    let (first, second) = match copied {
        true => ((rule, spoken), ("html.lang", page)),
        false => (("html.lang", page), (rule, spoken)),
    };
    for (rule, tag) in [first, second] {
        if let Some(tag) = tag {
            evidence.add(layer, rule, Value::Locale(tag.to_owned()));
        }
    }
}

/// A rule's name with its explanation, when that says more.
fn reason(rule: &str, why: &str) -> String {
    if rule == why { rule.to_owned() } else { format!("{rule}: {why}") }
}

#[cfg(test)]
mod tests;
