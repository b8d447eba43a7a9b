//! What an order mail of unknown make tells of. The subject says it, or the status that a label names, or the sentences in the
//! first lines of the body. What will happen, may happen or has not happened does not count, and where good and bad news
//! contradict each other a person decides.

use super::layout::Layout;
use crate::domain::EventKind;
use crate::read::lexicon::{Lexicon, NEWS, Where};
use crate::read::phrases::{Phrase, Searched, first_of};
use crate::read::template::Sight;
use crate::read::words::fold;

/// Lines of the body that are listened to, those of tables left out.
const LINES: usize = 40;
/// Lines among which a label may name the status.
const STATUS_LINES: usize = 60;
/// Bytes of a line that are listened to.
const LINE: usize = 1_000;
/// Words of a subject that needs no word for an order or a parcel to tell of one.
const SHORT: usize = 4;
/// Words of a sentence that needs no word for an order, since it is a heading.
const HEADING: usize = 6;

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

impl Told {
    /// Whether words say what happened, and not only that there is an order.
    pub(in crate::read) fn says_more_than_a_mention(&self) -> bool {
        match self {
            Self::News(news) => news.heard != Heard::Mention,
            Self::Contradiction(_) => true,
            Self::UnknownStatus | Self::Nothing => false,
        }
    }
}

/// Listens to a mail; and whether its first lines ask something.
pub(super) fn told(sight: &Sight<'_>, lexicon: &Lexicon, layout: Option<&Layout<'_>>) -> (Told, bool) {
    let mut subject = of_subject(&sight.subject, lexicon);
    let status = layout.map_or(Status::None, |layout| of_status(layout, sight, lexicon));
    let sentences = layout.map(|layout| of_sentences(layout, &sight.text, lexicon)).unwrap_or_default();
    // Money and invoices are on their way too: that a parcel is, a subject that does not name it cannot tell by itself.
    let parcel =
        |event: EventKind| matches!(event, EventKind::Shipped | EventKind::ShippedInPart | EventKind::Delivered);
    if subject.as_ref().is_some_and(|news| parcel(news.event)) && !names_a_thing(&sight.subject, lexicon) {
        subject = subject.filter(|_| sentences.news.iter().any(|news| parcel(news.event)));
    }
    let is_update =
        || lexicon.phrases(Where::Subject, "update").is_some_and(|list| list.find(&sight.subject).is_some());
    let told = weigh(subject, status, &sentences.news, is_update, || mention(sight, lexicon));
    let asks = sentences.asks;
    let doubt = |why: &str| Told::Contradiction(why.to_owned());
    let part_in_subject =
        || lexicon.phrases(Where::Sentence, "in_part").is_some_and(|list| list.find(&sight.subject).is_some());
    let parcel_in_subject = || tells_of_a_part(&sight.subject, lexicon);
    let told = match told {
        Told::News(_) if sight.message.subject.contains(['?', '？']) => doubt("its subject asks a question"),
        Told::News(news) if bad(news.event) && sentences.requested => {
            doubt("it tells of a cancellation or a refund that is asked for, or was taken back")
        }
        Told::News(news) if parcel(news.event) && sentences.trouble => {
            doubt("it tells of a parcel, and of trouble with it")
        }
        Told::News(news) if news.event.ends_the_order() && (sentences.in_part || part_in_subject()) => {
            doubt("it tells of a refund or a cancellation, and does not say that it is of the whole order")
        }
        Told::News(news) if news.event == EventKind::Shipped && (sentences.parcel_in_part || parcel_in_subject()) => {
            Told::News(News { event: EventKind::ShippedInPart, ..news })
        }
        told => told,
    };
    (told, asks)
}

/// Whether what speaks of a parcel says that it is a part of the order, and not the last one.
fn tells_of_a_part(text: &Searched<'_>, lexicon: &Lexicon) -> bool {
    let says = |list| lexicon.phrases(Where::Sentence, list).is_some_and(|list| list.find(text).is_some());
    says("shipped_in_part") && !says("last_part")
}

/// Whether a subject names an order or a parcel, or is too short for anything else.
fn names_a_thing(subject: &Searched<'_>, lexicon: &Lexicon) -> bool {
    let holds = |place, list: &str| lexicon.phrases(place, list).is_some_and(|list| list.find(subject).is_some());
    let short = match subject.folded().chars().any(|c| c >= '\u{2E80}') {
        true => true,
        false => subject.folded().split(' ').count() <= SHORT,
    };
    short || holds(Where::Subject, "placed") || holds(Where::Sentence, "things")
}

/// A subject that speaks of an order without saying what happened: a new one, if the mail is in a language whose words for bad
/// news are known, and has none of them.
fn mention(sight: &Sight<'_>, lexicon: &Lexicon) -> Option<News> {
    let mention = lexicon.phrases(Where::Subject, "placed")?.find(&sight.subject)?;
    if sight.message.subject.contains(['?', '？']) {
        return None;
    }
    let bad = |list| lexicon.phrases(Where::Sentence, list).is_some_and(|list| list.find(&sight.text).is_some());
    let known = lexicon.speaks(mention.language());
    (known && !bad("cancelled") && !bad("refunded") && !bad("refunded_in_part"))
        .then(|| News::new(EventKind::Placed, Heard::Mention, mention))
}

/// Whether a short text is a word for something that happens to orders.
pub(super) fn is_news(text: &str, lexicon: &Lexicon) -> bool {
    let text = Searched::of(fold(text));
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

/// Whether an event is bad news for an order or a part of it.
fn bad(event: EventKind) -> bool {
    event.ends_the_order() || event == EventKind::RefundedInPart
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
    let bad = |news: &News| bad(news.event);
    let (bads, goods) = sentences.iter().partition::<Vec<_>, _>(|news| bad(news));
    let good = goods.iter().find(|news| matches!(news.event, EventKind::Shipped | EventKind::Delivered));
    if let Status::News(status) = status {
        return match &subject {
            Some(subject)
                if bad(subject) != bad(&status)
                    && subject.event != EventKind::Placed
                    && subject.event != EventKind::Paid =>
            {
                contradiction(subject, &status)
            }
            // `Tilauksesi on lähetetty. Tilauksesi on peruttu.`: what names the state may be a sentence among others.
            _ => {
                let ended = || bads.iter().find(|bad| bad.event.ends_the_order());
                let other = if bad(&status) { good } else { ended() };
                other.map_or_else(|| Told::News(status.clone()), |other| contradiction(other, &status))
            }
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
            // `Thank you for shopping with us` stands over shipments too.
            _ if subject.event == EventKind::Placed
                && !sentences.iter().any(|news| news.event == EventKind::Placed) =>
            {
                Told::News(good.map_or(subject, |good| (*good).clone()))
            }
            // A shipment's text may speak of the part that was cancelled.
            _ => Told::News(subject),
        },
        None => match (bads.first(), good) {
            (Some(bad), Some(good)) => contradiction(good, bad),
            _ => match first
                .or_else(|| sentences.iter().find(|news| news.event == EventKind::Placed))
                .or(sentences.first())
            {
                // A mail on a change of an order may thank for it too.
                Some(news) if matches!(news.event, EventKind::Placed | EventKind::Paid) && is_update() => {
                    Told::UnknownStatus
                }
                Some(news) => Told::News(news.clone()),
                None if matches!(status, Status::Unknown) || is_update() => Told::UnknownStatus,
                None => mention().map_or(Told::Nothing, Told::News),
            },
        },
    }
}

/// What the subject says.
fn of_subject(subject: &Searched<'_>, lexicon: &Lexicon) -> Option<News> {
    let possible = |list: &str| {
        lexicon.phrases(Where::Subject, list).map(|phrases| phrases.possible_in(subject)).unwrap_or_default()
    };
    let news = NEWS.iter().map(|(list, event)| (*event, possible(list))).collect::<Vec<_>>();
    let not_yet = first_of(&possible("not_yet"), subject.folded()).is_some();
    let requested = first_of(&possible("request"), subject.folded()).is_some();
    // `Cancellation request`, `Your order can no longer be cancelled`.
    let happened = |event: EventKind| match event {
        EventKind::Placed | EventKind::Delayed => true,
        EventKind::Cancelled | EventKind::Refunded | EventKind::RefundedInPart => !not_yet && !requested,
        _ => !not_yet,
    };
    let said = heard_in(subject.folded(), &news).into_iter().find(|said| happened(said.event))?;
    Some(News::new(said.event, Heard::Subject, said.phrase))
}

/// Something that a text says happened.
struct Said<'p> {
    event: EventKind,
    place: std::ops::Range<usize>,
    phrase: &'p Phrase,
}

/// What a folded text says happened, worst first. What stands inside a longer phrase of another event is not said by itself:
/// something delivered to the carrier is on its way.
fn heard_in<'p>(folded: &str, news: &[(EventKind, Vec<&'p Phrase>)]) -> Vec<Said<'p>> {
    let all = news.iter().filter_map(|(event, phrases)| {
        let (place, phrase) = first_of(phrases, folded)?;
        Some(Said { event: *event, place, phrase })
    });
    let all = all.collect::<Vec<_>>();
    let inside = |one: &Said<'_>, other: &Said<'_>| {
        other.place.start <= one.place.start && one.place.end <= other.place.end && one.place.len() < other.place.len()
    };
    let alone = |one: &Said<'_>| !all.iter().any(|other| inside(one, other));
    let kept = all.iter().map(alone).collect::<Vec<_>>();
    all.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(said, _)| said).collect()
}

/// The state that a label names: `Order status: Shipped`, `Your order has a new status:` and the state in the next line.
fn of_status(layout: &Layout<'_>, sight: &Sight<'_>, lexicon: &Lexicon) -> Status {
    let possible = lexicon.inline("status", &sight.text);
    if possible.is_empty() {
        return Status::None;
    }
    let not_yet = lexicon.phrases(Where::Sentence, "not_yet");
    let not_yet = not_yet.map(|phrases| phrases.possible_in(&sight.text)).unwrap_or_default();
    let mut status = Status::None;
    for (number, line) in layout.lines.iter().enumerate().take(STATUS_LINES) {
        let folded = fold(&line.chars().take(300).collect::<String>());
        let after =
            possible.iter().filter_map(|phrase| after_label(phrase, &folded, &not_yet)).min_by_key(|after| after.len());
        let Some(after) = after else { continue };
        let after = after.trim_start_matches([':', ' ', '-', '"', '=']);
        let next = || layout.lines.get(number + 1).map(|line| fold(&line.chars().take(100).collect::<String>()));
        let value = if after.is_empty() { next() } else { Some(after.to_owned()) };
        match value.map_or(State::Unknown, |value| state(&Searched::of(value), lexicon)) {
            State::News(news) => return Status::News(news),
            State::Open => {}
            State::Unknown if after.is_empty() || folded.contains(':') => status = Status::Unknown,
            State::Unknown => {}
        }
    }
    status
}

/// What stands after a label in a line. One word within a sentence counts unless something before it has not happened: `il tuo
/// ordine non è ancora stato spedito`.
fn after_label<'t>(phrase: &Phrase, folded: &'t str, not_yet: &[&Phrase]) -> Option<&'t str> {
    let (place, _) = first_of(&[phrase], folded)?;
    let (label, after) = (folded.get(place.clone())?, folded.get(place.end..)?);
    let several = label.contains(|c: char| c == ' ' || c >= '\u{2E80}');
    let set_apart = after.trim_start().is_empty() || after.trim_start().starts_with([':', '=', '-', '"']);
    (place.start == 0 || several || set_apart || !is_open(folded, &place, not_yet)).then_some(after)
}

/// What the name of a state tells.
enum State {
    News(News),
    /// Nothing has happened to the order yet.
    Open,
    Unknown,
}

/// What a state's name tells of. `Paid` and `Accepted` are states of new orders too.
fn state(name: &Searched<'_>, lexicon: &Lexicon) -> State {
    let says = |list: &str| lexicon.phrases(Where::Sentence, list).is_some_and(|list| list.find(name).is_some());
    let news = NEWS.iter().filter(|(_, event)| !matches!(event, EventKind::Placed | EventKind::Paid));
    let found = news.into_iter().find_map(|(list, event)| {
        let phrases = [Where::Subject, Where::Sentence].into_iter().filter_map(|place| lexicon.phrases(place, list));
        let phrase = phrases.filter_map(|phrases| phrases.find(name)).next()?;
        Some(News::new(*event, Heard::Status, phrase))
    });
    let asked = lexicon.phrases(Where::Subject, "request").is_some_and(|list| list.find(name).is_some());
    let other = lexicon.phrases(Where::Subject, "other_mail").is_some_and(|list| list.find(name).is_some());
    match found {
        _ if asked || other => State::Unknown,
        // `Partially shipped`
        Some(news) if news.event == EventKind::Shipped && tells_of_a_part(name, lexicon) && !says("not_yet") => {
            State::News(News { event: EventKind::ShippedInPart, ..news })
        }
        // `Awaiting shipment`
        Some(news) if says("open_state") && !bad(news.event) => State::Open,
        Some(news) if !says("not_yet") && !says("open_state") => State::News(news),
        None if says("open_state") => State::Open,
        _ => State::Unknown,
    }
}

/// What the first lines say.
#[derive(Default)]
struct Sentences {
    /// What happened, in their order, each event once.
    news: Vec<News>,
    /// Whether they speak of a parcel that was lost, came back or the like.
    trouble: bool,
    /// Whether a sentence on a cancellation or a refund speaks of a request for it.
    requested: bool,
    /// Whether a sentence on a refund or a cancellation speaks of an article, the shipping or a difference.
    in_part: bool,
    /// Whether a sentence on a parcel says that it is a part of the order.
    parcel_in_part: bool,
    /// Whether they ask something.
    asks: bool,
}

/// What the sentences in the first lines say.
fn of_sentences(layout: &Layout<'_>, text: &Searched<'_>, lexicon: &Lexicon) -> Sentences {
    let possible = |list: &str| {
        lexicon.phrases(Where::Sentence, list).map(|phrases| phrases.possible_in(text)).unwrap_or_default()
    };
    let news = NEWS.iter().map(|(list, event)| (*event, possible(list))).filter(|(_, phrases)| !phrases.is_empty());
    let news = news.collect::<Vec<_>>();
    let mut found = Sentences::default();
    let (things, not_yet) = (possible("things"), possible("not_yet"));
    let (trouble, in_part) = (possible("trouble"), possible("in_part"));
    let (part, last_part) = (possible("shipped_in_part"), possible("last_part"));
    let request =
        lexicon.phrases(Where::Subject, "request").map(|phrases| phrases.possible_in(text)).unwrap_or_default();
    let body = layout
        .labelled
        .iter()
        .find(|one| one.head.is("billing_address") || one.head.is("shipping_address") || one.head.is("product"));
    let end = body.map_or(layout.lines.len(), |one| one.line.max(3)).min(LINES).min(layout.lines.len());
    for paragraph in paragraphs(&layout.lines[..end]) {
        let folded = fold(&paragraph);
        // An address on the web has that sign too.
        found.asks |= folded.split(' ').any(|word| word.ends_with(['?', '？']) && !word.contains("://"));
        for sentence in folded.split_inclusive(['.', '!', '?', '。', '！', ';']) {
            let said = heard_in(sentence, &news).into_iter().find_map(|said| {
                let near =
                    said.event == EventKind::Placed || is_heading(sentence) || first_of(&things, sentence).is_some();
                let sure = matches!(said.event, EventKind::Placed | EventKind::Delayed)
                    || !is_open(sentence, &said.place, &not_yet);
                (near && sure).then(|| News::new(said.event, Heard::Sentence, said.phrase))
            });
            found.trouble |= first_of(&trouble, sentence).is_some();
            // `Your cancellation request`; but `was cancelled at your request` tells of what happened.
            if let Some((asked, _)) = first_of(&request, sentence) {
                let end = end_in(sentence, &news);
                found.requested |= end.is_some_and(|end| said.is_none() || asked.start < end);
            }
            found.in_part |= end_in(sentence, &news).is_some() && first_of(&in_part, sentence).is_some();
            let Some(said) = said else { continue };
            found.parcel_in_part |= said.event == EventKind::Shipped
                && first_of(&part, sentence).is_some()
                && first_of(&last_part, sentence).is_none();
            if !found.news.iter().any(|known| known.event == said.event) {
                found.news.push(said);
            }
        }
    }
    found
}

/// Where a sentence has words for a cancellation or a refund, whatever it says of them.
fn end_in(sentence: &str, news: &[(EventKind, Vec<&Phrase>)]) -> Option<usize> {
    let ends = news.iter().filter(|(event, _)| bad(*event));
    ends.filter_map(|(_, phrases)| Some(first_of(phrases, sentence)?.0.start)).min()
}

/// Lines, each with those that go on with its sentence: they begin with a small letter, and nothing ended before.
fn paragraphs(lines: &[String]) -> Vec<String> {
    let mut joined: Vec<String> = Vec::new();
    for line in lines {
        let mut cut = line.len().min(LINE);
        while !line.is_char_boundary(cut) {
            cut -= 1;
        }
        let line = &line[..cut];
        match joined.last_mut() {
            Some(last)
                if line.starts_with(char::is_lowercase)
                    && !last.ends_with(['.', '!', '?', ':', '。'])
                    && last.len() + line.len() < LINE =>
            {
                last.push(' ');
                last.push_str(line);
            }
            _ => joined.push(line.to_owned()),
        }
    }
    joined
}

/// Whether a sentence is short enough for a heading, which has no verb and often no object.
fn is_heading(sentence: &str) -> bool {
    match sentence.chars().any(|c| c >= '\u{2E80}') {
        true => sentence.chars().count() <= 20,
        false => sentence.split(' ').count() <= HEADING,
    }
}

/// Whether a sentence speaks of what has not happened: a word for that before the phrase or between its pieces (`wurde noch nicht
/// versandt`), or, in languages that put it last, anywhere.
fn is_open(sentence: &str, phrase: &std::ops::Range<usize>, not_yet: &[&Phrase]) -> bool {
    let last = sentence.chars().any(|c| c >= '\u{2E80}');
    first_of(not_yet, sentence).is_some_and(|(place, _)| last || place.start < phrase.end)
}
