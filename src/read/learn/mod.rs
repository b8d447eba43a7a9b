//! Learning a template from samples: one or a few mails of one kind, with the values that a person knows. What stands beside the
//! values in every sample becomes the template's rules; what is a value becomes nothing.

mod anchors;
mod gaps;
mod kind;
mod names;
mod products;
mod rule;
mod view;
mod write;

use std::collections::BTreeMap;

use self::anchors::Wanted;
use self::kind::Kind;
use self::rule::{Ground, Rule};
use self::view::View;
use self::write::{Parts, write};
use super::customer::Ours;
use super::dates::Habits;
use super::evidence::Value;
use super::lexicon::{LABELS, Lexicon};
use super::template::is_language;
use super::words::{LabelIndex, fold};
use super::{Context, Reader, Templates};
use crate::document::Document;
use crate::domain::{EventKind, Field, Layer, Outcome, Reading};

/// A sample and what a person knows of it.
#[derive(Clone, Copy)]
pub struct Example<'m> {
    /// The mail's bytes.
    pub mail: &'m [u8],
    /// The order reference in it.
    pub reference: &'m str,
    /// The customer's address; without one it must be clear who the customer is.
    pub email: Option<&'m str>,
    /// The customer's name.
    pub name: Option<&'m str>,
}

/// What else a person says.
#[derive(Clone, Copy, Default)]
pub struct Asked<'a> {
    /// The shop's name; the author's without it.
    pub shop: Option<&'a str>,
    /// What the mails tell of, where they do not say it in words that are known.
    pub event: Option<EventKind>,
}

/// A template that was learnt.
pub struct Learnt {
    /// The template's name, which its file must have.
    pub name: String,
    /// The file.
    pub text: String,
    /// What the mails tell of.
    pub event: EventKind,
    /// What the template makes of each sample.
    pub readings: Vec<Reading>,
    /// What it does not read right; with one of them it is of no use.
    pub faults: Vec<String>,
}

/// Writes a template for the kind of mail that the samples are of. `generic` reads mails without templates of platforms.
///
/// # Errors
/// In words: what is missing or unclear.
pub fn learn(
    examples: &[Example<'_>],
    asked: &Asked<'_>,
    generic: &Reader,
    context: &Context<'_>,
) -> Result<Learnt, Vec<String>> {
    let shops = asked.shop.map(str::to_owned).into_iter().collect::<Vec<_>>();
    let mut views = Vec::new();
    let mut problems = Vec::new();
    for (index, example) in examples.iter().enumerate() {
        match View::of(index + 1, example, &shops, generic, context) {
            Ok(view) => views.push(view),
            Err(why) => problems.push(why),
        }
    }
    let event = event(&views, asked).map_err(|why| problems.push(why)).ok();
    let (Some(event), true) = (event, problems.is_empty()) else { return Err(problems) };
    let ours = Ours { shop_domains: context.shop_domains, own_domains: context.own_domains };
    let lexicon = &generic.templates.lexicon;
    let sights = views.iter().map(|view| generic.templates.sight(&view.message, &view.body, &ours)).collect::<Vec<_>>();
    let language = language(&views, lexicon);
    let ground = Ground { views: &views, sights: &sights, lexicon, language: &language };
    let kind = Kind::of(&views, event, lexicon).map_err(|why| vec![why])?;
    let title = title(&views, asked);
    let mut name = slug(&title, &views);
    if super::embedded::FILES.iter().any(|(file, _)| file.strip_suffix(".toml") == Some(&name)) {
        // It would replace the one that ships.
        name.push_str("-shop");
    }
    let references = references(&ground)?;
    let products = products::rule(&ground, "mail.", &language);
    let mut names = ground.chosen(names(&ground));
    names.truncate(1);
    // Where a template finds name and reference nobody else is asked, and what it has no rule for is not read.
    let asked_anyway = |view: &View| view.reading.customer_name == view.name && !view.reading.products.is_empty();
    if products.is_none() && views.iter().all(asked_anyway) {
        names.clear();
    }
    let parts = Parts {
        name: &name,
        title: &title,
        language: &language,
        event,
        kind: &kind,
        samples: views.len(),
        references: &references,
        emails: &emails(&ground)?,
        names: &names,
        dates: &ground.chosen(dates(&ground)),
        products: products.as_ref(),
    };
    let text = write(&parts);
    let is_known = |word: &str| {
        let own = |text: &str| fold(text).contains(word);
        LABELS.iter().any(|list| lexicon.labels(list).iter().any(|label| own(&label.text)))
            || own(&title)
            || own(&kind.from)
    };
    if views.iter().any(|view| view.betrays(&text, is_known)) {
        return Err(vec![
            "the template would have something of the customer in it, so nothing is written; try another sample"
                .to_owned(),
        ]);
    }
    let (readings, faults) = applied(&name, &text, examples, &views, event, context);
    Ok(Learnt { name, text, event, readings, faults })
}

/// What the mails tell of: as somebody says, or as all samples say.
fn event(views: &[View], asked: &Asked<'_>) -> Result<EventKind, String> {
    if let Some(event) = asked.event {
        return Ok(event);
    }
    let told = views.iter().map(|view| view.told().map(|(event, _)| event).ok_or(view.number)).collect::<Vec<_>>();
    let all = EventKind::ALL.map(EventKind::as_str).join(", ");
    match told.first() {
        Some(Ok(event)) if told.iter().all(|other| other == &Ok(*event)) => Ok(*event),
        None => Err("there is no sample".to_owned()),
        _ => match told.iter().find_map(|one| one.err()) {
            Some(number) => Err(format!(
                "sample {number}: no words that are known say what happened to the order; say it with --event, one of {all}"
            )),
            None => Err(format!(
                "the samples tell of different things, and a template is learnt from mails of one kind; if they are, say which \
                 with --event, one of {all}"
            )),
        },
    }
}

fn references(ground: &Ground<'_>) -> Result<Vec<Rule>, Vec<String>> {
    let shape = reference_shape(ground.views);
    let mut rules = Vec::new();
    for view in ground.views {
        let wanted = Wanted {
            text: view.reference.as_str(),
            shape: &shape,
            end: "(?:[^0-9A-Za-z]|$)",
            lists: &["order_number", "order_words"],
            what: "the reference",
            cut: true,
        };
        rules.extend(anchors::anchors(&wanted, view, ground.lexicon));
    }
    let right =
        |view: &View, value: &Value| matches!(value, Value::Reference(found) if found.key() == view.reference.key());
    let chosen = ground.chosen(ground.tried("reference", rules, right));
    if ground.covers(&chosen) {
        return Ok(chosen);
    }
    let missed = ground.views.iter().filter(|view| !chosen.iter().any(|rule| rule.samples.contains(&view.number)));
    let why = |view: &View| {
        let texts = view.body.texts.iter().flat_map(|text| text.lines.iter()).chain([&view.message.subject]);
        let places = texts.map(|line| anchors::places(line, view.reference.as_str()).len()).sum::<usize>();
        match places {
            0 => format!("sample {}: reference: it stands nowhere in the mail that a reader sees", view.number),
            _ => format!(
                "sample {}: reference: nothing beside it in its {places} places tells it from other numbers: no label, no words \
                 that are the same in every mail",
                view.number
            ),
        }
    };
    Err(missed.map(why).collect())
}

/// A pattern for references that are made like those of the samples.
fn reference_shape(views: &[View]) -> String {
    let texts = views.iter().map(|view| view.reference.as_str()).collect::<Vec<_>>();
    let mut more = String::new();
    for c in texts.iter().flat_map(|text| text.chars()) {
        let known = c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/');
        if !known && !c.is_whitespace() && !more.contains(&regex::escape(&c.to_string())) {
            more.push_str(&regex::escape(&c.to_string()));
        }
    }
    if texts.iter().all(|text| text.bytes().any(|byte| byte.is_ascii_digit())) {
        return format!("[0-9A-Za-z_/{more}-]*[0-9](?:[0-9A-Za-z_/{more}-]*[0-9A-Za-z{more}])?");
    }
    let lengths = texts.iter().map(|text| text.chars().count());
    let (least, most) = (lengths.clone().min().unwrap_or(1), lengths.max().unwrap_or(1));
    let count = if least == most { least.to_string() } else { format!("{least},{most}") };
    format!("[0-9A-Z_/{more}-]{{{count}}}")
}

/// Rules for the customer's address, where `To:` does not have it.
fn emails(ground: &Ground<'_>) -> Result<Vec<Rule>, Vec<String>> {
    let addressed = |view: &View| matches!(&view.message.to[..], [to] if to.email.key() == view.email.key());
    if ground.views.iter().all(addressed) {
        return Ok(Vec::new());
    }
    let mut rules = Vec::new();
    for view in ground.views {
        let wanted = Wanted {
            text: view.email.as_str(),
            shape: r"[^\s<>()\[\],;:]+@[^\s<>()\[\],;:]+[0-9A-Za-z]",
            end: r"(?:[\s<>()\[\],;.]|$)",
            lists: &["email"],
            what: "the customer's address",
            cut: true,
        };
        rules.extend(anchors::anchors(&wanted, view, ground.lexicon));
    }
    let right = |view: &View, value: &Value| matches!(value, Value::Email(found) if found.key() == view.email.key());
    let chosen = ground.chosen(ground.tried("customer_email", rules, right));
    let missed = ground
        .views
        .iter()
        .filter(|view| !addressed(view) && !chosen.iter().any(|rule| rule.samples.contains(&view.number)));
    let missed = missed.map(|view| {
        format!(
            "sample {}: customer's address: it is not the only one in To, and nothing in the mail tells where it stands",
            view.number
        )
    });
    let missed = missed.collect::<Vec<_>>();
    if missed.is_empty() { Ok(chosen) } else { Err(missed) }
}

fn names(ground: &Ground<'_>) -> Vec<Rule> {
    let rules = ground.views.iter().flat_map(|view| names::anchors(view, ground)).collect();
    ground.tried(
        "customer_name",
        rules,
        |view, value| matches!((value, &view.name), (Value::Name(found), Some(name)) if found == name),
    )
}

/// Rules for the day of the order, where the generic reader found it.
fn dates(ground: &Ground<'_>) -> Vec<Rule> {
    let mut rules = Vec::new();
    for view in ground.views {
        let Some(day) = view.reading.order_date.as_ref().and_then(|date| date.day()) else { continue };
        let habits: Habits<'_> = ground.habits(view);
        let lines = view.body.texts.iter().flat_map(|text| &text.lines);
        for line in lines.filter(|line| line.chars().count() < 120 && habits.day_in(line) == Some(day)) {
            // The day and what goes with it: all that follows the label.
            let start = line.find([':', '：']).filter(|at| !line[..*at].contains(|c: char| c.is_ascii_digit()));
            let text = start.and_then(|at| line.get(at..)).unwrap_or(line).trim_start_matches([':', '：', ' ']);
            let wanted = Wanted {
                text,
                shape: "",
                end: "",
                lists: &["order_date", "date"],
                what: "the day of the order",
                cut: false,
            };
            rules.extend(anchors::anchors(&wanted, view, ground.lexicon));
        }
    }
    rules.retain(|rule| matches!(rule.look, rule::Look::Label { .. }));
    let right = |view: &View, value: &Value| matches!((value, &view.reading.order_date), (Value::OrderDate(found), Some(date)) if found.day() == date.day());
    ground.tried("order_date", rules, right)
}

/// The language of the samples, as the key of phrases and labels; `any` when nobody can tell. Most labels are in it: one word of a
/// subject may be a word of several languages, and a template would say the wrong one for ever.
fn language(views: &[View], lexicon: &Lexicon) -> String {
    let index = LabelIndex::of(LABELS.iter().map(|list| (*list, lexicon.labels(list))));
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for line in views.iter().flat_map(|view| &view.body.texts).flat_map(|text| &text.lines) {
        let head = index.head(line);
        if let Some(language) = head.as_ref().and_then(|head| head.any_of(LABELS)).and_then(|(_, language)| language) {
            *counts.entry(language.to_owned()).or_default() += 1;
        }
    }
    let most = counts.values().max().copied().unwrap_or_default();
    let of = |view: &View| view.reading.locale.as_ref().and_then(|tag| tag.split('-').next().map(str::to_owned));
    let told = views.first().and_then(of).filter(|tag| views.iter().all(|view| of(view).as_ref() == Some(tag)));
    let first = |tag: &String| counts.get(tag).copied().unwrap_or_default() == most;
    let mut leading = counts.iter().filter(|(_, count)| **count == most).map(|(tag, _)| tag.clone());
    let language = match (told.filter(first), leading.next(), leading.next()) {
        (Some(told), ..) => told,
        (None, Some(only), None) => only,
        _ => "any".to_owned(),
    };
    if is_language(&language) { language } else { "any".to_owned() }
}

/// The shop's name: as somebody says, or the author's.
fn title(views: &[View], asked: &Asked<'_>) -> String {
    let author = || {
        let author = &views.first()?.message.from;
        Some(author.name.clone().unwrap_or_else(|| author.email.domain().to_owned()))
    };
    asked.shop.map(str::to_owned).or_else(author).unwrap_or_default()
}

/// A title as a template's name; the author's domain where nothing of it is left.
fn slug(title: &str, views: &[View]) -> String {
    let of = |text: &str| {
        let mut slug = String::new();
        for c in fold(text).chars() {
            match c {
                'a'..='z' | '0'..='9' => slug.push(c),
                '\'' => {}
                _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
                _ => {}
            }
        }
        slug.truncate(40);
        slug.trim_end_matches('-').to_owned()
    };
    // What is left of a name with other letters nobody would know again.
    let named = if title.chars().all(|c| c.is_ascii() || c == '’') { of(title) } else { String::new() };
    if named.chars().filter(|c| c.is_ascii_alphabetic()).count() >= 3 {
        return named;
    }
    let domain = views.first().map(|view| of(view.message.from.email.domain()));
    domain.filter(|slug| !slug.is_empty()).unwrap_or_else(|| "shop".to_owned())
}

/// Reads the samples with the template, and says what is not right.
fn applied(
    name: &str,
    text: &str,
    examples: &[Example<'_>],
    views: &[View],
    event: EventKind,
    context: &Context<'_>,
) -> (Vec<Reading>, Vec<String>) {
    let templates = match Templates::of_files(vec![Document::new(format!("{name}.toml"), text)]) {
        Ok(templates) => templates,
        Err(problems) => return (Vec::new(), problems.iter().map(ToString::to_string).collect()),
    };
    let reader = Reader::new(templates);
    let readings = examples.iter().map(|example| reader.read(example.mail, context)).collect::<Vec<_>>();
    let faults = readings.iter().zip(views).flat_map(|(reading, view)| faults(name, reading, view, event)).collect();
    (readings, faults)
}

fn faults(name: &str, reading: &Reading, view: &View, event: EventKind) -> Vec<String> {
    let mut faults = Vec::new();
    let mut add = |field: &str, why: String| faults.push(format!("sample {}: {field}: {why}", view.number));
    let instead =
        |found: Option<String>| found.map_or("it finds none".to_owned(), |found| format!("it finds {found} instead"));
    if reading.template.as_deref() != Some(name) {
        add("template", "its conditions do not hold for the mail".to_owned());
    }
    if reading.event != Some(event) {
        add("event", instead(reading.event.map(|event| event.to_string())));
    }
    if reading.reference.as_ref().map(|found| found.key()) != Some(view.reference.key()) {
        add("reference", instead(reading.reference.as_ref().map(ToString::to_string)));
    }
    if reading.customer_email.as_ref().map(|found| found.key()) != Some(view.email.key()) {
        add("customer_email", instead(reading.customer_email.as_ref().map(ToString::to_string)));
    }
    if view.name_is_said && reading.customer_name != view.name {
        add("customer_name", instead(reading.customer_name.as_ref().map(ToString::to_string)));
    }
    let by_rule = reading.findings.iter().any(|one| one.field == Field::Reference && one.layer == Layer::Template);
    if !by_rule {
        add("reference", "none of its rules finds it".to_owned());
    }
    if faults.is_empty() && reading.outcome != Outcome::Event {
        faults.push(format!(
            "sample {}: it is {}: {}",
            view.number,
            reading.outcome.as_str(),
            reading.reason.as_deref().unwrap_or_default()
        ));
    }
    faults
}
