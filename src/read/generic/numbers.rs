//! Which of a mail's many numbers is the order's. Every token that could be a reference is asked what stands before it: a word for
//! an order, or a word for an invoice, a parcel, a customer, a telephone. Only an order's numbers are candidates, and where they
//! are not of one mind a person decides.

use std::collections::HashMap;

use super::layout::{Layout, Place};
use crate::domain::OrderReference;
use crate::read::lexicon::Lexicon;
use crate::read::words::fold;

/// Lists of labels that say outright that an order reference follows.
const OUTRIGHT: &str = "order_number";
/// Lists of words that a number follows which is not the order's.
const OTHERS: &[&str] = &[
    "invoice_number",
    "credit_number",
    "shipment_number",
    "tracking_number",
    "customer_number",
    "payment_number",
    "other_number",
    "phone",
    "order_date",
    "date",
    "expected_delivery",
    "sku",
    "sums",
    "quantity",
    "unit_price",
    "line_total",
];
/// Tokens of a mail that are looked at.
const TOKENS: usize = 2_000;
/// Hexadecimal digits of a key.
const KEY: usize = 24;
/// Characters of a reference.
const LONGEST: usize = 64;
/// Characters before a token in which its word is looked for.
const BEFORE: usize = 120;
/// Letters of the longest article or possessive before a label.
const ARTICLE: usize = 5;
/// Words before a label for a reference that do not make it another label: `Bestelnummer / Numéro de commande: 12`.
const KNOWN: usize = 2;
/// The same before a mere word for an order: an article or a possessive. `Passwort der Bestellung: x` has one word more.
const KNOWN_BEFORE_A_WORD: usize = 1;
/// Fillers between a word and its number.
const FILLERS: usize = 4;

/// What the word before a number makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A reference, said outright or only by a word for an order.
    Order { outright: bool },
    /// Some other number.
    Other,
    /// A word that may stand between.
    Filler,
}

impl Kind {
    /// The kind of a label that `before` ends right before. A long word there makes it another one than it seems: the external,
    /// original or customer's order number; an article or a possessive does not.
    fn behind(self, before: &str) -> Self {
        let word = before.trim_end().rsplit(|c: char| !c.is_alphanumeric() && c != '\'').next().unwrap_or_default();
        match self {
            Self::Order { outright: true } if word.chars().count() > ARTICLE && before.ends_with(' ') => {
                Self::Order { outright: false }
            }
            kind => kind,
        }
    }
}

/// The words that tell numbers apart, by their folded form.
#[derive(Debug, Default)]
pub(in crate::read) struct NumberWords {
    words: HashMap<String, Kind>,
    /// Bytes of the longest of them.
    longest: usize,
}

impl NumberWords {
    /// Collects the words of all languages. Where a word is in two lists, the one for an order counts most, a filler least.
    pub(in crate::read) fn of(lexicon: &Lexicon) -> Self {
        let mut words = HashMap::new();
        let mut add = |list: &str, kind: Kind| {
            for label in lexicon.labels(list) {
                let text = fold(&label.text);
                // `Order #` says so by its sign; the word before it is a word for an order like any other.
                if list == OUTRIGHT && text.ends_with('#') {
                    continue;
                }
                words.insert(text.trim_end_matches([':', '.', '#', ' ']).to_owned(), kind);
            }
        };
        add("order_fillers", Kind::Filler);
        OTHERS.iter().for_each(|list| add(list, Kind::Other));
        add("order_words", Kind::Order { outright: false });
        add(OUTRIGHT, Kind::Order { outright: true });
        words.retain(|word, _| !word.is_empty());
        Self { longest: words.keys().map(String::len).max().unwrap_or_default(), words }
    }

    /// Whether the number that follows `before` in a subject is some other than the order's.
    pub(super) fn is_other(&self, before: &str) -> bool {
        self.kind_after(before, true) == Some(Kind::Other)
    }

    /// What the words at the end of `before` make of the number that follows.
    fn kind_after(&self, before: &str, subject: bool) -> Option<Kind> {
        let start = before.char_indices().rev().nth(BEFORE - 1).map_or(0, |(at, _)| at);
        let folded = fold(&before[start..]);
        let mut rest = folded.as_str();
        let mut fillers = 0;
        while fillers <= FILLERS {
            rest = rest.trim_end_matches(is_joint);
            match self.ending(rest) {
                Some((Kind::Filler, at)) => (rest, fillers) = (&rest[..at], fillers + 1),
                Some((kind, at)) => {
                    let known = if kind == (Kind::Order { outright: true }) { KNOWN } else { KNOWN_BEFORE_A_WORD };
                    let kind = if subject { kind } else { kind.behind(&rest[..at]) };
                    return Some(kind).filter(|_| subject || !is_other_label(&folded, &rest[..at], known));
                }
                // `your order with Lamps & More (number: 20157)`
                None if fillers > 0 && folded[rest.len()..].contains('(') => return self.anywhere(rest),
                None => return None,
            }
        }
        None
    }

    /// A word for an order anywhere in a text without words for other numbers.
    fn anywhere(&self, text: &str) -> Option<Kind> {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter_map(|word| self.words.get(word));
        words.fold(None, |found, kind| match (found, kind) {
            (Some(Kind::Other), _) | (_, Kind::Other) => Some(Kind::Other),
            (_, Kind::Order { .. }) => Some(Kind::Order { outright: false }),
            (found, Kind::Filler) => found,
        })
    }

    /// The longest word that a text ends with, and where it begins.
    fn ending(&self, text: &str) -> Option<(Kind, usize)> {
        let starts = text.char_indices().filter(|(at, first)| {
            if text.len() - at > self.longest {
                return false;
            }
            let before = text[..*at].chars().next_back();
            before.is_none_or(|before| !before.is_alphanumeric() || *first >= '\u{2E80}' || before >= '\u{2E80}')
        });
        starts.map(|(at, _)| at).find_map(|at| Some((*self.words.get(&text[at..])?, at)))
    }
}

/// Whether the word before a number is the end of a longer label that nobody knows, such as `Password of the order: x`: a colon
/// follows, and before the word there are more words than may be there.
fn is_other_label(folded: &str, before: &str, known: usize) -> bool {
    let label = before.rsplit(['|', '.', ',', ';', '(', '!', '\n']).next().unwrap_or_default();
    folded.trim_end_matches([' ', '#', '"', '№']).ends_with(':') && label.split_whitespace().count() > known
}

/// What may stand between a word and its number.
fn is_joint(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            ':' | '.'
                | '('
                | '['
                | '#'
                | '°'
                | 'º'
                | '№'
                | '-'
                | '–'
                | '"'
                | '\''
                | '*'
                | '='
                | '、'
                | '，'
                | '「'
                | '【'
                | '>'
        )
}

/// A reference that a mail may be about, and where it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::read) struct Candidate {
    pub(in crate::read) reference: OrderReference,
    /// Whether a label says outright that it is the order's.
    pub(in crate::read) outright: bool,
    /// Whether it is in the subject.
    pub(in crate::read) subject: bool,
    /// The rule that found it first.
    pub(in crate::read) rule: &'static str,
    /// Places that name it.
    pub(in crate::read) places: usize,
}

/// The references that a mail names as an order's, best first.
#[derive(Debug, Default)]
pub(in crate::read) struct Candidates(Vec<Candidate>);

impl Candidates {
    /// Looks through subject and body.
    pub(super) fn find(words: &NumberWords, subject: &str, layout: &Layout<'_>, says: impl Fn(&str) -> bool) -> Self {
        let mut found = Finder::default();
        let mut tokens = TOKENS;
        found.text(words, subject, true, &says, &mut tokens);
        for line in layout.lines {
            if tokens == 0 {
                break;
            }
            if line.bytes().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()) {
                found.text(words, line, false, &says, &mut tokens);
            }
        }
        for labelled in &layout.labelled {
            let Some((list, _)) = labelled.head.any_of(&[OUTRIGHT, "order_words"]) else { continue };
            let outright = list == OUTRIGHT;
            if let Some(reference) = whole(labelled.value, outright).or_else(|| code(labelled.value, &says)) {
                let rule = if labelled.place == Place::After { "number.after" } else { "number.beside" };
                found.note(reference, outright, false, rule);
            }
        }
        let mut found = Self(found.found);
        // What a label says outright may stand in the subject without a word that could mark it.
        for one in found.0.iter_mut().filter(|one| one.outright && !one.subject) {
            let reference = one.reference.as_str();
            let is_it = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()) == reference;
            if subject.split_whitespace().any(is_it) {
                (one.subject, one.places) = (true, one.places + 1);
            }
        }
        found.0.sort_by_key(|one| std::cmp::Reverse((one.outright, one.subject, one.places)));
        found
    }

    /// Holds what was found against the links, where only an order's parameter may tell: a code without digits may be a shouted
    /// word, unless two places name it; and where nothing marks a reference, what stands in the subject and in a link is one,
    /// since these two do not know of each other.
    pub(super) fn agree<'l>(&mut self, subject: &str, links: impl FnOnce() -> Vec<&'l str>) {
        let doubtful = |one: &Candidate| {
            !one.outright && one.places < 2 && !one.reference.as_str().bytes().any(|b| b.is_ascii_digit())
        };
        if !self.0.is_empty() && !self.0.iter().any(doubtful) {
            return;
        }
        let links = links();
        for one in self.0.iter_mut().filter(|one| links.iter().any(|link| *link == one.reference.as_str())) {
            one.places += 1;
        }
        self.0.retain(|one| !doubtful(one));
        if !self.0.is_empty() {
            return;
        }
        let mut tokens = Vec::new();
        let mut at = 0;
        while let Some((start, end)) = next_token(subject, at) {
            at = end;
            let token = subject[start..end].trim_end_matches(['.', '-', '/', '_']);
            let (before, after) = (&subject[..start], &subject[start + token.len()..]);
            if fits(token, true, true) && !is_amount(token, before, after) && !is_day(token) && token.len() > 2 {
                tokens.push(token);
            }
        }
        for link in links {
            if let Some(token) = tokens.iter().find(|token| token.eq_ignore_ascii_case(link))
                && let Some(reference) = OrderReference::parse(token)
            {
                self.0.push(Candidate { reference, outright: true, subject: true, rule: "number.link", places: 2 });
            }
        }
    }

    /// All of them, best first.
    pub(in crate::read) fn all(&self) -> &[Candidate] {
        &self.0
    }

    /// The reference, when the places that name one are of one mind: the only one; or the only one that a label says outright, or
    /// that the subject names too, while all others are merely near a word for an order.
    pub(in crate::read) fn best(&self) -> Result<&Candidate, Doubt> {
        match &self.0[..] {
            [] => Err(Doubt::None),
            [one] => Ok(one),
            [first, rest @ ..] => {
                let rivals = rest.iter().filter(|other| other.outright == first.outright).collect::<Vec<_>>();
                let agreed = first.subject
                    && first.places > 1
                    && rivals.iter().all(|rival| !rival.subject && rival.places == 1 && !rival.outright);
                if rivals.is_empty() || agreed { Ok(first) } else { Err(Doubt::Several) }
            }
        }
    }
}

/// Gathers candidates.
#[derive(Default)]
struct Finder {
    found: Vec<Candidate>,
    /// Where in `found` each is, by its key.
    places: HashMap<String, usize>,
}

impl Finder {
    /// Notes the tokens of one line that follow a word for an order.
    fn text(
        &mut self,
        words: &NumberWords,
        line: &str,
        subject: bool,
        says: impl Fn(&str) -> bool,
        tokens: &mut usize,
    ) {
        let mut at = 0;
        // Where the last reference began and ended, and whether it was said outright: `orders 48213 and 48220` names two.
        let mut joined = None;
        while let Some((start, end)) = next_token(line, at) {
            at = end;
            *tokens = tokens.saturating_sub(1);
            if *tokens == 0 {
                return;
            }
            let token = line[start..end].trim_end_matches(['.', '-', '/', '_']);
            let (before, after) = (&line[..start], &line[start + token.len()..]);
            let coded = is_code(token, line) && !says(token);
            let numbered = token.bytes().any(|byte| byte.is_ascii_digit());
            // What is long and only of hexadecimal digits is a key, not a number that people are told.
            let key =
                token.len() >= KEY && token.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
            if key && !token.bytes().all(|byte| byte.is_ascii_digit()) {
                continue;
            }
            if !(coded || numbered) || is_amount(token, before, after) || is_day(token) || is_in_address(line, start) {
                continue;
            }
            let hash = before.trim_end().ends_with(['#', '№']);
            // In a subject the sign alone marks a reference, as shops were told to write it for AFS.
            let outright = match words.kind_after(before, subject) {
                Some(Kind::Order { outright }) => outright || hash,
                None => match joined {
                    Some((begin, end, outright)) if is_joined(&line[begin..end], &line[end..start], token) => outright,
                    _ if hash && subject => false,
                    _ => continue,
                },
                _ => continue,
            };
            if (coded || fits(token, outright || hash, subject))
                && let Some(reference) = OrderReference::parse(token)
            {
                self.note(reference, outright, subject, if subject { "number.subject" } else { "number.text" });
                joined = Some((start, start + token.len(), outright));
            }
        }
    }

    fn note(&mut self, reference: OrderReference, outright: bool, subject: bool, rule: &'static str) {
        let place = *self.places.entry(reference.key()).or_insert(self.found.len());
        match self.found.get_mut(place) {
            Some(known) => {
                // The line that a label stands in has been counted with the text.
                known.places += usize::from(rule != "number.after");
                known.outright |= outright;
                known.subject |= subject;
            }
            None => self.found.push(Candidate { reference, outright, subject, rule, places: 1 }),
        }
    }
}

/// Why no reference can be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::read) enum Doubt {
    /// None was found.
    None,
    /// Several, and nothing says which.
    Several,
}

/// Where the next token from `at` on begins and ends.
fn next_token(line: &str, at: usize) -> Option<(usize, usize)> {
    let start = at + line.get(at..)?.find(|c: char| c.is_ascii_alphanumeric())?;
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '.' | ',' | ':' | '+');
    let end = line[start..].find(|c: char| !inside(c)).map_or(line.len(), |length| start + length);
    // A comma or colon ends a token unless digits follow: then it is an amount or a time, and no reference.
    let token = &line[start..end];
    let cut = token.char_indices().find(|(index, c)| {
        matches!(c, ',' | ':' | '+') && !token[index + 1..].starts_with(|next: char| next.is_ascii_digit())
    });
    Some((start, cut.map_or(end, |(index, _)| start + index)))
}

/// Whether a token has the shape of a reference, given how clearly it is marked as one.
fn fits(token: &str, marked: bool, subject: bool) -> bool {
    if token.is_empty() || token.len() > LONGEST || token.contains([',', ':', '+']) {
        return false;
    }
    let digits = token.bytes().filter(u8::is_ascii_digit).count();
    let only_digits = digits == token.len();
    if marked {
        return digits > 0;
    }
    // `order 2 items`, `order within 24 hours`: a small number by itself is a count.
    let year = only_digits && token.len() == 4 && matches!(token.parse(), Ok(1900..=2199));
    if only_digits {
        !year && (token.len() >= 4 || (subject && token.len() >= 3))
    } else {
        digits >= 2 && token.len() >= 5
    }
}

/// A value that is a reference and nothing else, in the cell or line of a label.
fn whole(value: &str, outright: bool) -> Option<OrderReference> {
    let value = value.trim().trim_start_matches(['#', '№', ' ', ':']).trim_end_matches(['.', ',']);
    let token = value.split(char::is_whitespace).next()?;
    let rest = value[token.len()..].trim_start();
    // A second number right behind it: `302 1234567` may be one reference or two numbers.
    if rest.starts_with(|c: char| c.is_ascii_digit()) || is_day(token) || is_amount(token, "", rest) {
        return None;
    }
    let token = token.trim_end_matches(['.', ',', ';', ')']);
    let allowed =
        |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/' | '.' | '#' | '=' | '+' | '|' | '(' | ')');
    let fine = token.chars().all(allowed) && fits(&token.replace('+', ""), outright, false);
    if fine { OrderReference::parse(token) } else { None }
}

/// A code of capitals without a digit, as PrestaShop's, at the start of a value. `says` tells whether a text is a word that means
/// something in an order mail: `Order: CONFIRMED` names no order.
fn code(value: &str, says: impl Fn(&str) -> bool) -> Option<OrderReference> {
    let token = value.split(char::is_whitespace).next()?.trim_end_matches(['.', ',', ';', ')']);
    if (value.len() == token.len() || is_code(token, value)) && is_code(token, "a") && !says(token) {
        OrderReference::parse(token)
    } else {
        None
    }
}

/// Whether a token is a code of capitals in a line that is not shouted.
fn is_code(token: &str, line: &str) -> bool {
    (8..=12).contains(&token.len())
        && token.bytes().all(|byte| byte.is_ascii_uppercase())
        && line.contains(char::is_lowercase)
}

/// Whether two tokens are numbers of one length.
fn is_alike(one: &str, other: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    one.len() == other.len() && digits(one) && digits(other)
}

/// Whether a number is another of the kind of `one`, as what stands between them says: a word for it, or a comma between numbers
/// of one length or before the sign.
fn is_joined(one: &str, between: &str, other: &str) -> bool {
    const AND: &[&str] =
        &["and", "&", "und", "et", "y", "e", "en", "och", "og", "ja", "i", "oraz", "a", "és", "și", "と", "+", "sowie"];
    let word = between.trim().trim_matches('#').trim();
    AND.contains(&word) || (matches!(word, "," | "、") && (between.contains('#') || is_alike(one, other)))
}

/// Whether a place in a line is inside a web address or one of its parameters.
fn is_in_address(line: &str, at: usize) -> bool {
    let word = line[..at].rsplit(char::is_whitespace).next().unwrap_or_default();
    word.contains("://") || word.contains("www.") || word.contains(['=', '&', '@'])
}

/// Whether a token is an amount of money, a share or a time: by its own shape, or by the sign beside it.
pub(in crate::read) fn is_amount(token: &str, before: &str, after: &str) -> bool {
    let money = |c: char| matches!(c, '$' | '€' | '£' | '¥' | '￥' | '₽' | '₴' | '₩' | '%' | '×');
    let decimals = token.rsplit_once(['.', ',']).is_some_and(|(whole, part)| {
        part.len() == 2
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && whole.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','))
    });
    let after = after.trim_start();
    decimals
        || token.contains(':')
        || before.trim_end().ends_with(money)
        || after.starts_with(money)
        || ["eur", "usd", "gbp", "sek", "dkk", "nok", "chf", "pln", "czk", "jpy", "kr", "zł", "kč", "円", "ft", "lei"]
            .iter()
            .any(|unit| after.get(..unit.len()).is_some_and(|text| text.to_lowercase() == *unit))
}

/// Whether a token is a day: `2026-03-18`, `18.03.2026`, `3/18/26`.
fn is_day(token: &str) -> bool {
    let parts = token.split(['-', '.', '/']).collect::<Vec<_>>();
    let number = |part: &&str| (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let [first, middle, last] = parts[..] else { return false };
    if !parts.iter().all(number) {
        return false;
    }
    let value = |part: &str| part.parse::<u32>().unwrap_or(0);
    let year = |part: &str| part.len() == 4 && (1990..2200).contains(&value(part));
    let small = |part: &str| part.len() <= 2 && (1..=31).contains(&value(part));
    (year(first) && small(middle) && small(last))
        || (small(first) && small(middle) && (year(last) || (last.len() == 2 && token.contains(['.', '/']))))
}
