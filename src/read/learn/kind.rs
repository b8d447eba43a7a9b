//! How to know the mails: whose they are, by author and page, and of which kind, by subject and first sentences.

use std::collections::BTreeSet;

use super::gaps::{Stable, is_telling};
use super::view::View;
use crate::domain::{EmailAddress, EventKind};
use crate::read::embedded;
use crate::read::lexicon::{Lexicon, NEWS, Where};
use crate::read::phrases::Searched;
use crate::read::words::fold;

/// Lines of a body among which the sentence is that says what happened.
const LINES: usize = 30;
/// Words of a sentence that are written.
const WORDS: usize = 14;
/// Pieces of the page that are written; one is enough.
const PIECES: usize = 3;
/// Elements of a page that are looked at.
const ELEMENTS: usize = 3_000;
/// Hosts of mail addresses that belong to many: there the whole address is the shop's, not its domain.
const SHARED: &[&str] = &[
    "gmail.com",
    "googlemail.com",
    "outlook.com",
    "hotmail.com",
    "live.com",
    "yahoo.com",
    "icloud.com",
    "aol.com",
    "gmx.de",
    "gmx.net",
    "web.de",
    "t-online.de",
    "mail.ru",
    "yandex.ru",
    "proton.me",
    "protonmail.com",
    "orange.fr",
    "free.fr",
    "libero.it",
    "wp.pl",
    "o2.pl",
    "seznam.cz",
    "telia.com",
];

/// How the mails are known.
pub(super) struct Kind {
    /// The author's address, or a part of it, as a phrase.
    pub(super) from: String,
    /// Pieces of the page of which one is there.
    pub(super) html: Vec<String>,
    /// What the subject says.
    pub(super) subject: Option<String>,
    /// What a sentence says.
    pub(super) text: Option<String>,
    /// Lists of other news, which the subject must not tell.
    pub(super) not: Vec<&'static str>,
}

impl Kind {
    /// Finds out how the samples are known, or says in words why they cannot be.
    pub(super) fn of(views: &[View], event: EventKind, lexicon: &Lexicon) -> Result<Self, String> {
        let from = author(views)?;
        let subject = subject(views, lexicon);
        // The subject alone is enough where its own words say what happened.
        let by_subject = views
            .iter()
            .all(|view| view.told().is_some_and(|(told, in_subject)| in_subject && listed(told) == listed(event)));
        let told = subject.as_ref().is_some_and(|subject| tells(subject, event, Where::Subject, lexicon));
        let text = if by_subject && told { None } else { sentence(views, event, lexicon) };
        if subject.is_none() && text.is_none() {
            return Err(format!(
                "the kind of mail cannot be told: the subject has no words of its own beside the values, and no sentence of \
                 the first lines says that an order was {event}"
            ));
        }
        let says = |list: &str| {
            let phrases = lexicon.phrases(Where::Subject, list);
            let subject = |view: &View| {
                phrases.is_some_and(|list| list.find(&Searched::unsearched(&fold(&view.message.subject))).is_some())
            };
            views.iter().any(subject)
        };
        let not = NEWS.iter().filter(|(list, other)| *other != listed(event) && !is_near(*other, event) && !says(list));
        Ok(Self { from, html: pieces(views), subject, text, not: not.map(|(list, _)| *list).collect() })
    }
}

/// Whether two kinds of event are told of in one breath: an order is placed and paid.
fn is_near(other: EventKind, event: EventKind) -> bool {
    matches!(
        (other, event),
        (EventKind::Placed | EventKind::Paid, _)
            | (EventKind::Refunded | EventKind::Cancelled, EventKind::RefundedInPart)
    )
}

/// The author's domain; the whole address where others have the same domain.
fn author(views: &[View]) -> Result<String, String> {
    let addresses = views.iter().map(|view| &view.message.from.email).collect::<Vec<_>>();
    let shared = |email: &EmailAddress| {
        SHARED.contains(&email.domain()) || email.local_part().bytes().any(|byte| byte.is_ascii_digit())
    };
    let Some((first, rest)) = addresses.split_first() else { return Err("there is no sample".to_owned()) };
    if rest.iter().any(|other| other.domain() != first.domain()) {
        return Err(format!("the samples come from different shops: {} and another one", first.domain()));
    }
    if shared(first) && rest.iter().all(|other| other.key() == first.key()) {
        return Ok(format!("<{first}>"));
    }
    Ok(format!("@{}>", first.domain()))
}

/// The words that the subjects share.
fn subject(views: &[View], lexicon: &Lexicon) -> Option<String> {
    let stable = |view: &View| Stable::of(without_prefix(&view.message.subject), view, lexicon.months());
    let (first, rest) = views.split_first()?;
    let shared = rest.iter().fold(stable(first), |shared, view| shared.shared_with(&stable(view)));
    let phrase = shared.phrase();
    let spoken = NEWS.iter().any(|(_, event)| tells(&phrase, *event, Where::Subject, lexicon))
        || lexicon.order_words().find(&Searched::unsearched(&fold(&phrase))).is_some();
    (is_telling(&phrase) || (spoken && !phrase.is_empty())).then_some(phrase)
}

/// A subject without the signs of answers and forwarded mails: `Fwd: `, `AW: `.
fn without_prefix(subject: &str) -> &str {
    match subject.split_once(':') {
        Some((sign, rest)) if sign.len() <= 4 && sign.chars().all(char::is_alphabetic) && !rest.trim().is_empty() => {
            rest.trim()
        }
        _ => subject,
    }
}

/// Whether a phrase says that an event happened.
fn tells(phrase: &str, event: EventKind, place: Where, lexicon: &Lexicon) -> bool {
    let folded = fold(&phrase.replace('*', " "));
    let text = Searched::unsearched(&folded);
    let has = |list: &str| lexicon.phrases(place, list).is_some_and(|phrases| phrases.find(&text).is_some());
    // What will happen or may happen is no news.
    let open = !matches!(event, EventKind::Placed | EventKind::Delayed) && has("not_yet");
    NEWS.iter().any(|(list, told)| *told == listed(event) && has(list)) && !open
}

/// The event whose list of phrases tells of this one: that a parcel is a part of the order is said beside them.
fn listed(event: EventKind) -> EventKind {
    match event {
        EventKind::ShippedInPart => EventKind::Shipped,
        other => other,
    }
}

/// A sentence of the first lines that all samples have, best one that says what happened.
fn sentence(views: &[View], event: EventKind, lexicon: &Lexicon) -> Option<String> {
    let (first, rest) = views.split_first()?;
    let lines = first.body.texts.iter().flat_map(|text| text.lines.iter().take(LINES));
    let sentences = lines.flat_map(|line| line.split_inclusive(['.', '!', '?', '。', '！'])).map(str::trim);
    let mut fallback = None;
    for sentence in sentences {
        let stable = Stable::of(sentence, first, lexicon.months());
        let whole = stable.phrase();
        let cut = stable.first(WORDS);
        let phrase = cut.phrase();
        let telling = is_telling(&phrase) && !first.message.subject.contains(sentence);
        let folded = fold(&phrase);
        // Also where the subject says it: an order's state in a sentence is the one that counts.
        let everywhere = || {
            rest.iter().all(|view| {
                crate::read::phrases::Phrase::parse(&folded, None)
                    .is_some_and(|one| one.after(&view.body.folded).is_some())
            })
        };
        if !telling || !everywhere() {
            continue;
        }
        if tells(&phrase, event, Where::Sentence, lexicon)
            || (tells(&whole, event, Where::Sentence, lexicon) && !stable.has_gaps())
        {
            return Some(phrase);
        }
        if fallback.is_none() && !cut.has_gaps() && sentence.ends_with(['.', '!', '。', '！']) {
            fallback = Some(phrase);
        }
    }
    fallback
}

/// Pieces of the page that all samples have and no template that ships speaks of: class names, ids, paths of links.
fn pieces(views: &[View]) -> Vec<String> {
    let shipped = embedded::documents();
    let own = |piece: &String| {
        let written = views.iter().all(|view| view.message.html.contains(piece.as_str()) && view.is_plain(piece));
        written && !shipped.iter().any(|document| document.text().contains(piece.as_str()))
    };
    let Some(first) = views.first() else { return Vec::new() };
    let mut found = names(first);
    found.retain(own);
    if found.is_empty() {
        found = paths(first);
        found.retain(own);
    }
    found.truncate(PIECES);
    found
}

/// Class names and ids that hardly another page has, in the order of the page.
fn names(view: &View) -> Vec<String> {
    let Some(tree) = &view.body.tree else { return Vec::new() };
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for node in tree.root().descendants_it().filter(|node| node.is_element()).take(ELEMENTS) {
        let texts = [node.attr("class"), node.attr("id")];
        for name in texts.iter().flatten().flat_map(|text| text.split_whitespace()) {
            if is_own(name) && seen.insert(name.to_owned()) {
                found.push(name.to_owned());
            }
        }
    }
    found
}

/// Whether a class name is one that somebody thought of for this page: of several parts, and no measure or number in it.
pub(super) fn is_own(name: &str) -> bool {
    let parts = name.split(['-', '_']).filter(|part| part.len() > 1).count();
    let camel = name.chars().zip(name.chars().skip(1)).any(|(a, b)| a.is_ascii_lowercase() && b.is_ascii_uppercase());
    name.len() >= 7
        && (parts > 1 || camel)
        && name.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '-' | '_'))
        // What programs write that make pages for mail programs.
        && !["mso", "Mso", "mj-", "moz-", "gmail"].iter().any(|maker| name.starts_with(maker))
}

/// The paths of links to the shop, up to the first number.
fn paths(view: &View) -> Vec<String> {
    let Some(tree) = &view.body.tree else { return Vec::new() };
    let mut found: Vec<String> = Vec::new();
    for link in tree.select("a[href]").nodes().iter().take(200) {
        let Some(url) = link.attr("href").and_then(|href| url::Url::parse(&href).ok()) else { continue };
        let mut path = String::new();
        for part in url.path_segments().into_iter().flatten() {
            if part.is_empty() || !part.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '-' | '_' | '.')) {
                break;
            }
            path.push('/');
            path.push_str(part);
        }
        if path.matches('/').count() > 1 && path.len() >= 10 && !found.contains(&path) {
            found.push(path);
        }
    }
    found
}
