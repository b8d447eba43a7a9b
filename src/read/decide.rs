//! From evidence to a reading: which value of each field is taken, and whether that is enough.

use super::customer::{self, Customer};
use super::evidence::{Candidate, Evidence, Value};
use super::forward;
use super::generic::{GenericReading, Heard, News, Told, person_in};
use super::headers::{self, BARE, Found, OrderWords};
use super::lexicon::Where;
use super::reason;
use super::template::{Class, Counts, Sight, Template, Templates};
use super::words::fold;
use crate::domain::{EmailAddress, EventKind, Field, Layer, OrderReference, Outcome, PersonName, Product, Reading};

/// Everything that is needed to decide about one mail.
pub(super) struct Decision<'d> {
    pub(super) templates: &'d Templates,
    pub(super) sight: &'d Sight<'d>,
    /// The template of the mail and what it says.
    pub(super) found: Option<(&'d Template, Class<'d>)>,
    /// Whether there was a snippet that could not be read.
    pub(super) broken_snippet: bool,
    /// What the generic reader makes of the mail, where it was asked.
    pub(super) generic: Option<GenericReading>,
}

/// The rule of a reference that the subject marks as one.
const MARKED: &str = "subject.marked";
/// The rule of a number that lost against another one: it is shown too, and never taken.
const RIVAL: &str = "number.rival";

/// Candidates for a reference that are shown.
const SHOWN: usize = 10;

/// What is to be done, with its reason.
type Verdict = Result<(), (Outcome, String)>;

impl Decision<'_> {
    /// Takes the best of the evidence and says whether it is an event.
    pub(super) fn make(&self, mut evidence: Evidence) -> Reading {
        let message = self.sight.message;
        customer::note_addressees(message, self.sight.ours, &mut evidence);
        let marked = self.note_subject(&mut evidence);
        self.note_references(&mut evidence);
        let verdict = self.verdict(&mut evidence, marked);
        let customer = customer::decide(message, self.sight.ours, &mut evidence);
        let reference = reference(&evidence);
        let email = match &customer {
            Customer::Is(email) => Some(email.clone()),
            Customer::Unclear(_) | Customer::Masked(_) => None,
        };
        let name = self.name(email.as_ref(), &mut evidence);
        let event = self.event(&evidence);
        let mut reading = Reading::without_findings(Outcome::Event, "");
        reading.reason = None;
        reading.template = self.found.as_ref().map(|(template, _)| template.name.clone());
        let complete = customer.overrule(verdict).and_then(|()| match (&customer, &reference, event) {
            (Customer::Unclear(why), ..) => Err((Outcome::Held, why.clone())),
            (_, Err(why), _) => Err((Outcome::Held, self.with_snippet_note(why))),
            (.., None) => Err((Outcome::Held, "it does not say what happened to the order".to_owned())),
            _ => Ok(()),
        });
        if let Err((outcome, why)) = complete {
            let mut why = if outcome == Outcome::Held { evidence.with_unfilled(why) } else { why };
            if self.sight.body.cut {
                why.push_str("; the mail is larger than what is read of one, and its end was not looked at");
            }
            (reading.outcome, reading.reason) = (outcome, Some(why));
        }
        reading.sent_at = message.sent_at;
        reading.event = event;
        reading.customer_email = email;
        reading.customer_name = name;
        reading.reference = reference.ok();
        self.take_the_rest(&mut reading, &evidence);
        let taken = taken(&reading);
        reading.findings = evidence.into_findings(&taken);
        reading
    }

    fn with_snippet_note(&self, why: &str) -> String {
        match self.broken_snippet {
            true => format!("{why}; there is a snippet, but it is no JSON"),
            false => why.to_owned(),
        }
    }

    /// Whether the mail is an order mail at all, as far as rules can tell.
    fn verdict(&self, evidence: &mut Evidence, marked: bool) -> Verdict {
        match &self.found {
            Some((_, class @ (Class::Ignore { .. } | Class::Hold { .. }))) => return refused(class),
            Some((_, Class::Mail { .. })) => return Ok(()),
            _ => {}
        }
        let (snippet, told) = (evidence.has(Layer::Snippet), self.data_tell_the_event(evidence));
        // Schema.org data say where an order stands, also in a note or an invoice.
        if !snippet {
            refused(&self.templates.refuse(self.sight, Counts::UnlessRecognised))?;
        }
        // What has not happened, or went wrong: also where there are data. An advertisement may say "don't miss free delivery".
        if snippet || told || marked || self.speaks_of_an_order() {
            refused(&self.templates.refuse(self.sight, Counts::Always))?;
        }
        let news = self.generic.as_ref().is_some_and(|generic| generic.told.says_more_than_a_mention());
        if !news && !snippet {
            refused(&self.templates.refuse(self.sight, Counts::UnlessTold))?;
        }
        if snippet || told {
            return self.words_beside_data(evidence);
        }
        self.generic_verdict(evidence, marked)
    }

    /// Notes what a mail with data says in words. A snippet does not say what happened, and shops send it with more than new
    /// orders; schema.org data may say where the order stood before. Bad news that only the words tell is for a person.
    fn words_beside_data(&self, evidence: &mut Evidence) -> Verdict {
        let news = match self.generic.as_ref().map(|generic| &generic.told) {
            Some(Told::News(news)) => news,
            Some(Told::Contradiction(why)) => return Err((Outcome::Held, why.clone())),
            _ => return Ok(()),
        };
        evidence.add(Layer::Generic, news.heard.rule(), Value::Event(news.event));
        match self.event(evidence) {
            Some(told) if news.event.ends_the_order() && !told.ends_the_order() => {
                Err((Outcome::Held, format!("its words say {}, but its data say {told}", news.event)))
            }
            _ => Ok(()),
        }
    }

    /// Whether schema.org data say what happened, and are believed.
    fn data_tell_the_event(&self, evidence: &Evidence) -> bool {
        let believed = self.found.as_ref().is_none_or(|(template, _)| template.believe_schema_status);
        believed && evidence.of(Field::Event).iter().any(|candidate| candidate.layer < Layer::Template)
    }

    /// The verdict on a mail without data, whose platform nobody knows, or whose template does not know this kind of mail.
    fn generic_verdict(&self, evidence: &mut Evidence, marked: bool) -> Verdict {
        let held = |why: String| Err((Outcome::Held, why));
        let platform = self.found.as_ref().map(|(template, _)| &template.name);
        match self.generic.as_ref().map(|generic| &generic.told) {
            // What a known platform sends with some words for an order in the subject may be a note or an invoice.
            Some(Told::News(_)) if forward::quoted(self.sight.message).is_some() => {
                held("it quotes another mail, which somebody sent on".to_owned())
            }
            Some(Told::News(_)) if self.generic.as_ref().is_some_and(|generic| generic.is_for_another) => {
                held("it greets somebody else than its addressee".to_owned())
            }
            Some(Told::News(news)) if self.is_believed(news, evidence) => {
                evidence.add(Layer::Generic, news.heard.rule(), Value::Event(news.event));
                Ok(())
            }
            Some(Told::Contradiction(why)) => held(why.clone()),
            Some(Told::UnknownStatus) => {
                held("it tells of a change of an order, but not of one that a rule knows".to_owned())
            }
            _ if platform.is_some() => held(format!(
                "it is a mail of {}, but of a kind that its template does not know",
                platform.map(String::as_str).unwrap_or_default()
            )),
            Some(Told::News(_)) if !evidence.holds(Field::Reference) || !headers::bare(evidence).is_empty() => {
                held(headers::why_unmarked(evidence))
            }
            Some(Told::News(news)) => held(format!(
                "it may tell that an order was {}, but it has neither products nor a second place that names the order",
                news.event
            )),
            _ if self.speaks_of_an_order() => {
                held("it speaks of an order, but does not say what happened to it".to_owned())
            }
            _ if marked => {
                held("its subject has what may be a reference, but nothing says that it is about an order".to_owned())
            }
            _ if self.generic.as_ref().is_some_and(|generic| generic.references.best().is_ok()) => {
                held("it names an order, but does not say what happened to it".to_owned())
            }
            _ => Err((
                Outcome::Ignored,
                "no order mail: no rule knows it, and its subject has no order reference".to_owned(),
            )),
        }
    }

    /// Whether words may be believed. Shops thank for an order in many mails, and speak of it in more: a new one has products
    /// too, or names the order in two places, unless the subject says outright that it is confirmed.
    fn is_believed(&self, news: &News, evidence: &Evidence) -> bool {
        match (news.event, news.heard) {
            (_, Heard::Mention) => self.found.is_none() && evidence.holds(Field::Products),
            (EventKind::Placed, Heard::Sentence) => {
                // Without products two places must name the order, in a mail that wants nothing of the customer.
                let sure = |generic: &GenericReading| {
                    !generic.asks && generic.references.best().is_ok_and(|best| best.places > 1 || best.subject)
                };
                let lists = &self.templates.lexicon;
                let invoice = lists.phrases(Where::Subject, "invoice");
                let invoice = invoice.is_some_and(|phrases| phrases.find(&self.sight.subject).is_some());
                evidence.holds(Field::Products) || (!invoice && self.generic.as_ref().is_some_and(sure))
            }
            _ => true,
        }
    }

    fn speaks_of_an_order(&self) -> bool {
        self.templates.lexicon.order_words().find(&self.sight.subject).is_some()
    }

    /// Notes the reference in the subject; whether it is marked as one.
    fn note_subject(&self, evidence: &mut Evidence) -> bool {
        let words = OrderWords {
            words: self.templates.lexicon.labels("order_words"),
            fillers: self.templates.lexicon.labels("order_fillers"),
        };
        // What nothing marks counts where nothing else is known of the mail.
        let unknown = self.found.is_none() && !evidence.has(Layer::Snippet);
        let texts = if unknown { &self.sight.body.texts[..] } else { &[] };
        let lines = texts.iter().flat_map(|text| text.lines.iter().map(String::as_str));
        let (rule, references) = match headers::in_subject(&self.sight.message.subject, lines, words) {
            // `Shipment #1001 of your order`: AFS takes what has the sign.
            Found::Marked(reference)
                if unknown
                    && self.speaks_of_an_order()
                    && self.templates.generic.is_other_number(&self.sight.message.subject, reference.as_str()) =>
            {
                (BARE, vec![reference])
            }
            Found::Marked(reference) => (MARKED, vec![reference]),
            Found::Alone(reference) if unknown => ("subject.alone", vec![reference]),
            Found::Agreed(reference) if unknown => ("subject.agreed", vec![reference]),
            Found::Bare(reference) if unknown => (BARE, vec![reference]),
            Found::Several(references) if unknown => (BARE, references),
            _ => return false,
        };
        for reference in references.into_iter().take(5) {
            evidence.add(Layer::Headers, rule, Value::Reference(reference));
        }
        rule != BARE
    }

    /// Notes the references that the generic reader found: the best, when they are of one mind; else all of them, so that a
    /// person sees between what to choose.
    fn note_references(&self, evidence: &mut Evidence) {
        let Some(generic) = &self.generic else { return };
        // Where a template knows the mail and found no reference, the mail has none where that shop software puts it.
        let known = matches!(&self.found, Some((_, Class::Mail { .. })));
        let best = generic.references.best().ok().filter(|_| !known);
        // What the subject marks must be what the body says, or both are named and neither is taken.
        let marked = evidence.of(Field::Reference).into_iter().find_map(|candidate| match &candidate.value {
            Value::Reference(reference) if candidate.rule == MARKED => Some(reference.clone()),
            _ => None,
        });
        let other = marked.filter(|marked| best.is_some_and(|best| best.reference.key() != marked.key()));
        for candidate in generic.references.all().iter().take(SHOWN) {
            let lost = known || (other.is_none() && best.is_some_and(|best| best != candidate));
            let rule = if lost { RIVAL } else { candidate.rule };
            evidence.add(Layer::Generic, rule, Value::Reference(candidate.reference.clone()));
        }
        if let Some(other) = other {
            evidence.add(Layer::Generic, MARKED, Value::Reference(other));
        }
    }

    /// What happened: the best layer that says so. Where there is a snippet and the mail says nothing, it tells of a new order:
    /// that is the mail that shops are told to put the snippet into.
    fn event(&self, evidence: &Evidence) -> Option<EventKind> {
        let believed = self.found.as_ref().is_none_or(|(template, _)| template.believe_schema_status);
        let found = evidence.of(Field::Event).into_iter().find_map(|candidate| match candidate.value {
            Value::Event(kind) if believed || candidate.layer >= Layer::Template => Some(kind),
            _ => None,
        });
        // Data have no word for a refund of a part.
        let in_part = |candidate: &&Candidate| candidate.value == Value::Event(EventKind::RefundedInPart);
        match found {
            Some(EventKind::Refunded) if evidence.of(Field::Event).iter().any(in_part) => {
                Some(EventKind::RefundedInPart)
            }
            None if evidence.has(Layer::Snippet) => Some(EventKind::Placed),
            found => found,
        }
    }

    /// The customer's name. The same words in another order are taken as the mail itself shows them: shop software puts given
    /// names first in its data, also where the family name belongs there.
    fn name(&self, email: Option<&EmailAddress>, evidence: &mut Evidence) -> Option<PersonName> {
        if let Some(name) = email
            .and_then(|email| customer::display_name(self.sight.message, email))
            .map(person_in)
            .and_then(PersonName::parse)
        {
            evidence.add(Layer::Headers, "to.name", Value::Name(name));
        }
        let names = evidence.of(Field::CustomerName).into_iter().filter_map(|candidate| match &candidate.value {
            Value::Name(name) => Some((candidate.layer, name.clone())),
            _ => None,
        });
        let names = names.collect::<Vec<_>>();
        let (layer, best) = names.first()?;
        let words = |name: &PersonName| {
            let mut words = fold(name.as_str()).split(' ').map(str::to_owned).collect::<Vec<_>>();
            words.sort_unstable();
            words
        };
        let shows = |layer: &Layer| matches!(layer, Layer::Template | Layer::Generic);
        let shown = names.iter().find(|(other, name)| shows(other) && words(name) == words(best));
        match shown {
            Some((_, name)) if matches!(layer, Layer::JsonLd | Layer::Microdata) => Some(name.clone()),
            _ => Some(best.clone()),
        }
    }

    fn take_the_rest(&self, reading: &mut Reading, evidence: &Evidence) {
        for candidate in evidence.of(Field::OrderDate).into_iter().take(1) {
            if let Value::OrderDate(date) = &candidate.value {
                reading.order_date = Some(date.clone());
            }
        }
        for candidate in evidence.of(Field::ExpectedDelivery).into_iter().take(1) {
            if let Value::ExpectedDelivery(day) = &candidate.value {
                reading.expected_delivery = Some(*day);
            }
        }
        for candidate in evidence.of(Field::Locale).into_iter().take(1) {
            if let Value::Locale(tag) = &candidate.value {
                reading.locale = Some(tag.clone());
            }
        }
        reading.products = products(evidence);
        evidence.fill(reading);
    }
}

/// The verdict of a rule that sets a mail aside.
fn refused(class: &Class<'_>) -> Verdict {
    match class {
        Class::Ignore { rule, why } => Err((Outcome::Ignored, reason(rule, why))),
        Class::Hold { rule, why } => Err((Outcome::Held, reason(rule, why))),
        _ => Ok(()),
    }
}

/// The reference: the best layer's, unless that layer names two. One that is an address (some shops send the customer's) only
/// when there is no other.
fn reference(evidence: &Evidence) -> Result<OrderReference, String> {
    let candidates = evidence.of(Field::Reference).into_iter().filter_map(|candidate| match &candidate.value {
        Value::Reference(reference) if candidate.rule != BARE && candidate.rule != RIVAL => {
            Some((candidate.layer, reference))
        }
        _ => None,
    });
    let (addresses, mut proper) = candidates.partition::<Vec<_>, _>(|(_, reference)| reference.as_str().contains('@'));
    if proper.is_empty() {
        proper = addresses;
    }
    let Some((layer, best)) = proper.first().copied() else {
        return Err(match headers::bare(evidence)[..] {
            [] => "it tells of an order, but not of which: no order reference was found".to_owned(),
            _ => headers::why_unmarked(evidence),
        });
    };
    let of_layer = proper.iter().filter(|(other, _)| *other == layer).map(|(_, reference)| *reference);
    let mut several = of_layer.collect::<Vec<_>>();
    several.sort_unstable();
    several.dedup();
    if several.iter().any(|reference| reference.key() != best.key()) {
        let listed = several.iter().take(5).map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return Err(format!("it names several orders: {listed}"));
    }
    Ok(best.clone())
}

/// The best layer's products, completed from the other layers' products of the same name; prices as the mail shows them.
fn products(evidence: &Evidence) -> Vec<Product> {
    let lists = evidence.of(Field::Products).into_iter().filter_map(|candidate| match &candidate.value {
        Value::Products(products) => Some((candidate.layer, products)),
        _ => None,
    });
    let lists = lists.collect::<Vec<_>>();
    let Some((_, best)) = lists.first() else { return Vec::new() };
    let complete = |product: &Product| {
        let mut product = product.clone();
        let key = fold(&product.name);
        for (layer, others) in &lists {
            let same =
                |other: &&Product| fold(&other.name) == key || (product.sku.is_some() && other.sku == product.sku);
            let Some(other) = others.iter().find(same) else { continue };
            product.sku = product.sku.take().or_else(|| other.sku.clone());
            product.url = product.url.take().or_else(|| other.url.clone());
            product.image = product.image.take().or_else(|| other.image.clone());
            product.quantity = product.quantity.or(other.quantity);
            product.price = match (*layer, &other.price) {
                (Layer::Template, Some(shown)) => Some(shown.clone()),
                (_, price) => product.price.take().or_else(|| price.clone()),
            };
        }
        product
    };
    best.iter().map(complete).collect()
}

/// The values that a reading took, so that their findings go first.
fn taken(reading: &Reading) -> Vec<Value> {
    let mut taken = Vec::new();
    taken.extend(reading.event.map(Value::Event));
    taken.extend(reading.customer_name.clone().map(Value::Name));
    taken.extend(reading.customer_email.clone().map(Value::Email));
    taken.extend(reading.reference.clone().map(Value::Reference));
    taken
}
