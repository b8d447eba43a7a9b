//! What an order mail of unknown make tells of. The subject says it, or the status that a label names, or the sentences in the
//! first lines of the body. What will happen, may happen or has not happened does not count, and where good and bad news
//! contradict each other a person decides.

use super::layout::Layout;
use crate::domain::EventKind;
use crate::read::lexicon::{Lexicon, Where};
use crate::read::template::Sight;
use crate::read::words::{Phrase, PhraseSearch, Searched, first_of, fold};

/// Lines of the body that are listened to, those of tables left out.
const LINES: usize = 40;
/// Lines among which a label may name the status.
const STATUS_LINES: usize = 60;
/// Bytes of a line that are listened to.
const LINE: usize = 1_000;
/// Words of a sentence that needs no word for an order, since it is a heading.
const HEADING: usize = 6;

/// What can be told, worst news first: a cancelled order that is taken for a new one would bring a letter.
const NEWS: &[(&str, EventKind)] = &[
    ("refunded_in_part", EventKind::RefundedInPart),
    ("cancelled", EventKind::Cancelled),
    ("refunded", EventKind::Refunded),
    ("delayed", EventKind::Delayed),
    ("delivered", EventKind::Delivered),
    ("shipped", EventKind::Shipped),
    ("paid", EventKind::Paid),
    ("confirmed", EventKind::Placed),
];

/// Where the news was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::read) enum Heard {
    /// The subject says it.
    Subject,
    /// A label names the status.
    Status,
    /// A sentence says it.
    Sentence,
    /// The subject speaks of an order, and nothing says that anything happened to it.
    Mention,
}

impl Heard {
    /// The rule's name in findings.
    pub(in crate::read) const fn rule(self) -> &'static str {
        match self {
            Self::Subject => "event.subject",
            Self::Status => "event.status",
            Self::Sentence => "event.sentence",
            Self::Mention => "event.mention",
        }
    }
}

/// News of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::read) struct News {
    pub(in crate::read) event: EventKind,
    pub(in crate::read) heard: Heard,
    /// The language of the words that said so.
    pub(in crate::read) language: Option<String>,
}

impl News {
    fn new(event: EventKind, heard: Heard, phrase: &Phrase) -> Self {
        Self { event, heard, language: phrase.language().map(str::to_owned) }
    }
}

/// What a mail tells of.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::read) enum Told {
    /// This.
    News(News),
    /// Things that do not go together; in words for a support person.
    Contradiction(String),
    /// A status changed, but to what is not known.
    UnknownStatus,
    /// Nothing about an order.
    Nothing,
}

/// Listens to a mail.
pub(super) fn told(sight: &Sight<'_>, lexicon: &Lexicon, layout: Option<&Layout<'_>>) -> Told {
    let subject = of_subject(&sight.subject, lexicon);
    let status = layout.map_or(Status::None, |layout| of_status(layout, sight, lexicon));
    let sentences = layout.map(|layout| of_sentences(layout, &sight.text, lexicon)).unwrap_or_default();
    let is_update = || lexicon.phrases(Where::Subject, "update").is_some_and(|list| list.find(&sight.subject).is_some());
    weigh(subject, status, &sentences, is_update, || mention(sight, lexicon))
}

/// A subject that speaks of an order without saying what happened: a new one, if the mail is in a language whose words for bad
/// news are known, and has none of them.
fn mention(sight: &Sight<'_>, lexicon: &Lexicon) -> Option<News> {
    let mention = lexicon.phrases(Where::Subject, "placed")?.find(&sight.subject)?;
    let bad = |list| lexicon.phrases(Where::Sentence, list).is_some_and(|list| list.find(&sight.text).is_some());
    let known = lexicon.speaks(mention.language());
    (known && !bad("cancelled") && !bad("refunded") && !bad("refunded_in_part"))
        .then(|| News::new(EventKind::Placed, Heard::Mention, mention))
}

/// Whether a short text is a word for something that happens to orders.
pub(super) fn is_news(text: &str, search: &PhraseSearch, lexicon: &Lexicon) -> bool {
    let text = search.search(fold(text));
    let lists = NEWS.iter().map(|(list, _)| *list).chain(["not_yet", "update", "placed"]);
    lists.filter_map(|list| lexicon.phrases(Where::Subject, list)).any(|phrases| phrases.find(&text).is_some())
}

/// The status that a label names.
enum Status {
    /// There is none.
    None,
    /// One that is no news: pending, in progress.
    Unknown,
    /// This.
    News(News),
}

/// Which of what was heard is believed.
fn weigh(
    subject: Option<News>,
    status: Status,
    sentences: &[News],
    is_update: impl Fn() -> bool,
    mention: impl Fn() -> Option<News>,
) -> Told {
    let first = sentences.iter().find(|news| news.event != EventKind::Placed && news.event != EventKind::Paid);
    let contradiction = |one: &News, other: &News| {
        Told::Contradiction(format!("it says both that the order was {} and that it was {}", one.event, other.event))
    };
    let bad = |news: &News| news.event.ends_the_order() || news.event == EventKind::RefundedInPart;
    let (bads, goods) = sentences.iter().partition::<Vec<_>, _>(|news| bad(news));
    let good = goods.iter().find(|news| matches!(news.event, EventKind::Shipped | EventKind::Delivered));
    if let Status::News(status) = status {
        return match &subject {
            Some(subject) if bad(subject) != bad(&status) && subject.event != EventKind::Placed && subject.event != EventKind::Paid => {
                contradiction(subject, &status)
            }
            _ => Told::News(status),
        };
    }
    match subject {
        Some(subject) if bad(&subject) => {
            // The text may tell a partial refund from a full one.
            let part = bads.iter().find(|news| news.event == EventKind::RefundedInPart);
            match (part, good) {
                (Some(part), _) if subject.event == EventKind::Refunded => Told::News((*part).clone()),
                (None, Some(good)) if bads.is_empty() => contradiction(&subject, good),
                _ => Told::News(subject),
            }
        }
        Some(subject) if subject.event == EventKind::Paid => match first {
            Some(first) => Told::News(first.clone()),
            None => Told::News(subject),
        },
        Some(subject) => match bads.first() {
            // What a confirmation's text says of cancelling is terms of sale, unless that is all that it says.
            Some(bad) if subject.event == EventKind::Placed && goods.is_empty() => contradiction(&subject, bad),
            // A shipment's text may speak of the part that was cancelled.
            _ => Told::News(subject),
        },
        None => match (bads.first(), good) {
            (Some(bad), Some(good)) => contradiction(good, bad),
            _ => match first.or_else(|| sentences.iter().find(|news| news.event == EventKind::Placed)).or(sentences.first()) {
                Some(news) => Told::News(news.clone()),
                None if matches!(status, Status::Unknown) || is_update() => Told::UnknownStatus,
                None => mention().map_or(Told::Nothing, Told::News),
            },
        },
    }
}

/// What the subject says.
fn of_subject(subject: &Searched<'_>, lexicon: &Lexicon) -> Option<News> {
    let not_yet = lexicon.phrases(Where::Subject, "not_yet").is_some_and(|phrases| phrases.find(subject).is_some());
    NEWS.iter().find_map(|(list, event)| {
        let phrase = lexicon.phrases(Where::Subject, list)?.find(subject)?;
        let happened = !not_yet || matches!(event, EventKind::Placed | EventKind::Delayed);
        happened.then(|| News::new(*event, Heard::Subject, phrase))
    })
}

/// The state that a label names: `Order status: Shipped`, `Your order has a new status:` and the state in the next line.
fn of_status(layout: &Layout<'_>, sight: &Sight<'_>, lexicon: &Lexicon) -> Status {
    let possible = lexicon.status_words().possible_in(&sight.text);
    if possible.is_empty() {
        return Status::None;
    }
    let mut status = Status::None;
    for (number, line) in layout.lines.iter().enumerate().take(STATUS_LINES) {
        let folded = fold(&line.chars().take(300).collect::<String>());
        let Some(after) = possible.iter().filter_map(|phrase| phrase.after(&folded)).min_by_key(|after| after.len()) else {
            continue;
        };
        let after = after.trim_start_matches([':', ' ', '-', '"', '=']);
        let next = || layout.lines.get(number + 1).map(|line| fold(&line.chars().take(100).collect::<String>()));
        let value = if after.is_empty() { next() } else { Some(after.to_owned()) };
        match value.and_then(|value| state(&sight.phrases.search(value), lexicon)) {
            Some(news) => return Status::News(news),
            None if after.is_empty() || folded.contains(':') => status = Status::Unknown,
            None => {}
        }
    }
    status
}

/// The event that a state's name tells of. `Paid` and `Accepted` are states of new orders too.
fn state(name: &Searched<'_>, lexicon: &Lexicon) -> Option<News> {
    let ends = NEWS.iter().filter(|(_, event)| !matches!(event, EventKind::Placed | EventKind::Paid));
    ends.into_iter().find_map(|(list, event)| {
        let phrases = [Where::Subject, Where::Sentence].into_iter().filter_map(|place| lexicon.phrases(place, list));
        let phrase = phrases.filter_map(|phrases| phrases.find(name)).next()?;
        let negated = lexicon.phrases(Where::Sentence, "not_yet").is_some_and(|list| list.find(name).is_some());
        (!negated).then(|| News::new(*event, Heard::Status, phrase))
    })
}

/// What the sentences in the first lines say, in their order, each event once.
fn of_sentences(layout: &Layout<'_>, text: &Searched<'_>, lexicon: &Lexicon) -> Vec<News> {
    let possible = |list: &str| {
        lexicon.phrases(Where::Sentence, list).map(|phrases| phrases.possible_in(text)).unwrap_or_default()
    };
    let news = NEWS.iter().map(|(list, event)| (*event, possible(list))).filter(|(_, phrases)| !phrases.is_empty());
    let news = news.collect::<Vec<_>>();
    if news.is_empty() {
        return Vec::new();
    }
    let (things, not_yet) = (possible("things"), possible("not_yet"));
    let mut found: Vec<News> = Vec::new();
    let body = layout.labelled.iter().find(|one| one.head.is("billing_address") || one.head.is("shipping_address") || one.head.is("product"));
    let end = body.map_or(layout.lines.len(), |one| one.line.max(3)).min(LINES).min(layout.lines.len());
    for line in &layout.lines[..end] {
        let mut cut = line.len().min(LINE);
        while !line.is_char_boundary(cut) {
            cut -= 1;
        }
        let folded = fold(&line[..cut]);
        for sentence in folded.split_inclusive(['.', '!', '?', '。', '！', ';']) {
            let said = news.iter().find_map(|(event, phrases)| {
                let (at, phrase) = first_of(phrases, sentence)?;
                let near = *event == EventKind::Placed || is_heading(sentence) || first_of(&things, sentence).is_some();
                let sure = matches!(event, EventKind::Placed | EventKind::Delayed) || !is_open(sentence, at, &not_yet);
                (near && sure).then(|| News::new(*event, Heard::Sentence, phrase))
            });
            if let Some(said) = said
                && !found.iter().any(|known| known.event == said.event)
            {
                found.push(said);
            }
        }
    }
    found
}

/// Whether a sentence is short enough for a heading, which has no verb and often no object.
fn is_heading(sentence: &str) -> bool {
    match sentence.chars().any(|c| c >= '\u{2E80}') {
        true => sentence.chars().count() <= 20,
        false => sentence.split(' ').count() <= HEADING,
    }
}

/// Whether a sentence speaks of what has not happened: a word for that before the phrase, or, in languages that put it last,
/// anywhere.
fn is_open(sentence: &str, at: usize, not_yet: &[&Phrase]) -> bool {
    let last = sentence.chars().any(|c| c >= '\u{2E80}');
    first_of(not_yet, sentence).is_some_and(|(place, _)| last || place <= at)
}
