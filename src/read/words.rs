//! Comparing words as people write them: letter case, curly quotes, dashes and kinds of blanks do not count.

use std::char::ToLowercase;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::domain::is_invisible;

/// `text` in lower case, quotes and dashes straightened, white space collapsed, invisible characters gone.
pub(super) fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    fold_into(text, &mut out);
    out
}

/// Appends `text`, folded.
pub(super) fn fold_into(text: &str, out: &mut String) {
    let begin = out.len();
    let mut blank = false;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c.is_whitespace() {
            blank = true;
            rest = &rest[c.len_utf8()..];
            continue;
        }
        if is_invisible(c) {
            rest = &rest[c.len_utf8()..];
            continue;
        }
        if std::mem::take(&mut blank) && out.len() > begin {
            out.push(' ');
        }
        // Nearly all of most mails is such text, which is copied in one go.
        let plain = plain_prefix(rest.as_bytes());
        if plain > 0 {
            let start = out.len();
            out.push_str(&rest[..plain]);
            out[start..].make_ascii_lowercase();
            rest = &rest[plain..];
        } else {
            out.extend(straight(c).to_lowercase());
            rest = &rest[c.len_utf8()..];
        }
    }
}

/// How many bytes at the start are ASCII that folding changes nothing of but letter case: words with single blanks between.
fn plain_prefix(text: &[u8]) -> usize {
    let plain = |byte: &u8| byte.is_ascii_graphic() && *byte != b'`';
    let mut end = 0;
    loop {
        end += text[end..].iter().take_while(|byte| plain(byte)).count();
        match text.get(end..) {
            Some([b' ', next, ..]) if end > 0 && plain(next) => end += 1,
            _ => return end,
        }
    }
}

/// The characters of a text as [`fold`] makes them, one after the other: for looks that end after a few.
struct Folded<C> {
    text: C,
    /// What the last character became besides its first: two letters for one, or a letter after a blank.
    more: Option<ToLowercase>,
    begun: bool,
}

/// The characters of a text as [`fold`] makes them.
fn folded<C: Iterator<Item = char>>(text: C) -> Folded<C> {
    Folded { text, more: None, begun: false }
}

impl<C: Iterator<Item = char>> Iterator for Folded<C> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        if let Some(more) = &mut self.more {
            if let Some(c) = more.next() {
                return Some(c);
            }
            self.more = None;
        }
        let mut blank = false;
        loop {
            let c = self.text.next()?;
            if is_plain(c) && !blank {
                self.begun = true;
                return Some(c.to_ascii_lowercase());
            }
            if c.is_whitespace() {
                blank = true;
            } else if !is_invisible(c) {
                let mut lower = straight(c).to_lowercase();
                let first = if blank && self.begun { Some(' ') } else { lower.next() };
                self.begun = true;
                self.more = Some(lower);
                return first;
            }
        }
    }
}

/// Whether folding changes nothing of a character but its letter case.
fn is_plain(c: char) -> bool {
    c.is_ascii_graphic() && c != '`'
}

/// The plain form of a typographic quote or dash.
fn straight(c: char) -> char {
    match c {
        '\u{2018}' | '\u{2019}' | '\u{201B}' | '\u{02BC}' | '\u{00B4}' | '`' => '\'',
        '\u{201C}' | '\u{201D}' | '\u{201E}' | '\u{201F}' | '\u{00AB}' | '\u{00BB}' => '"',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{FF1A}' => ':',
        other => other,
    }
}

/// A label as a shop writes it before a value: `Order number`, `Bestellnummer`.
#[derive(Debug, Clone)]
pub(super) struct Label {
    /// As it was written in the template.
    pub(super) text: String,
    /// The language it is in, when no other language of the same list has the same label.
    pub(super) language: Option<String>,
    /// The first of `folded`, beside it: most looks end there.
    first: char,
    folded: Vec<char>,
}

impl Label {
    /// The label, or `None` when it is empty.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let folded = fold(text.trim_end_matches([':', ' '])).chars().collect::<Vec<_>>();
        Some(Self { text: text.to_owned(), language: None, first: *folded.first()?, folded })
    }

    /// Whether two labels are the same words.
    pub(super) fn same_words(&self, other: &Self) -> bool {
        self.folded == other.folded
    }

    /// What stands after the label when `line` begins with it and a separator or a blank follows.
    pub(super) fn value_after<'t>(&self, line: &'t str) -> Option<&'t str> {
        let mut rest = line.trim_start();
        // Most labels are not this line's, as its first character tells.
        if plain_first(rest).is_some_and(|first| first != self.first) {
            return None;
        }
        let mut wanted = self.folded.iter().copied().peekable();
        while wanted.peek().is_some() {
            let c = rest.chars().next()?;
            rest = &rest[c.len_utf8()..];
            if is_invisible(c) {
                continue;
            }
            if c.is_whitespace() {
                rest = rest.trim_start();
                if wanted.next() != Some(' ') {
                    return None;
                }
            } else if is_plain(c) {
                if wanted.next() != Some(c.to_ascii_lowercase()) {
                    return None;
                }
            } else if !straight(c).to_lowercase().all(|lower| wanted.next() == Some(lower)) {
                return None;
            }
        }
        let next = rest.chars().next();
        let ends =
            next.is_none_or(|c| !c.is_alphanumeric() || c >= '\u{2E80}' || self.folded.last() > Some(&'\u{2E80}'));
        ends.then(|| rest.trim_start_matches([':', '\u{FF1A}', ' ', '\u{A0}', '\t', '.', '=', '-', '\u{2013}']).trim())
    }

    /// Whether `text` is the label and nothing else.
    pub(super) fn is(&self, text: &str) -> bool {
        self.value_after(text).is_some_and(str::is_empty)
    }
}

/// All labels of all lists, to see in one step with which of them a line begins.
#[derive(Debug, Default)]
pub(super) struct LabelIndex {
    /// The labels, folded and sorted, each with its place in `entries`.
    labels: Vec<(Vec<char>, usize)>,
    /// Where in `labels` those with the same first character are, sorted by it.
    first: Vec<(char, Range<usize>)>,
    /// For each folded label the lists that it is in, with the label as each of them has it.
    entries: Vec<Vec<(&'static str, Label)>>,
}

/// A line that begins with a label.
#[derive(Clone, Copy)]
pub(super) struct Headed<'i, 't> {
    /// The lists that the label is in.
    lists: &'i [(&'static str, Label)],
    /// What stands after the label and its separator; empty when the label is the whole line.
    pub(super) value: &'t str,
}

impl Headed<'_, '_> {
    /// Whether the label is in a list.
    pub(super) fn is(&self, list: &str) -> bool {
        self.lists.iter().any(|(name, _)| *name == list)
    }

    /// The first of some lists that the label is in, with the language of the label.
    pub(super) fn any_of(&self, lists: &[&'static str]) -> Option<(&'static str, Option<&str>)> {
        let (name, label) = self.lists.iter().find(|(name, _)| lists.contains(name))?;
        Some((name, label.language.as_deref()))
    }
}

/// Characters of a line that a label may take.
const LABEL: usize = 80;

impl LabelIndex {
    /// An index over some lists.
    pub(super) fn of<'l>(lists: impl Iterator<Item = (&'static str, &'l [Label])>) -> Self {
        let mut places: BTreeMap<Vec<char>, usize> = BTreeMap::new();
        let mut entries: Vec<Vec<(&'static str, Label)>> = Vec::new();
        for (name, labels) in lists {
            for label in labels {
                let at = *places.entry(label.folded.clone()).or_insert(entries.len());
                if at == entries.len() {
                    entries.push(Vec::new());
                }
                entries[at].push((name, label.clone()));
            }
        }
        let labels = places.into_iter().collect::<Vec<_>>();
        let mut first: Vec<(char, Range<usize>)> = Vec::new();
        for (at, (label, _)) in labels.iter().enumerate() {
            match (first.last_mut(), label.first()) {
                (Some((known, range)), Some(c)) if known == c => range.end = at + 1,
                (_, Some(c)) => first.push((*c, at..at + 1)),
                (_, None) => {}
            }
        }
        Self { labels, first, entries }
    }

    /// The longest label that a line begins with.
    pub(super) fn head<'t>(&self, line: &'t str) -> Option<Headed<'_, 't>> {
        let line = line.trim_start_matches(|c: char| {
            c.is_whitespace() || matches!(c, '*' | '•' | '■' | '●' | '・' | '>' | '【' | '[' | '-')
        });
        let lists = self.entries.get(self.longest(line)?)?;
        let value = lists.first()?.1.value_after(line)?;
        Some(Headed { lists, value: value.trim_start_matches(['】', ']']).trim() })
    }

    /// The place of the longest label that a line begins with. Character by character fewer labels are left, and of most lines
    /// the second or third leaves none.
    fn longest(&self, line: &str) -> Option<usize> {
        let mut range: &[(Vec<char>, usize)] = &[];
        let mut found = None;
        for (depth, c) in folded(line.chars().take(LABEL)).enumerate() {
            if depth == 0 {
                let at = self.first.binary_search_by_key(&c, |(first, _)| *first).ok()?;
                range = self.labels.get(self.first.get(at)?.1.clone()).unwrap_or_default();
            } else {
                // A label that ends here sorts before those that go on.
                range = &range[range.partition_point(|(label, _)| label.get(depth) < Some(&c))..];
                range = &range[..range.partition_point(|(label, _)| label.get(depth) <= Some(&c))];
            }
            match range.first() {
                Some((label, place)) if label.len() == depth + 1 => found = Some(*place),
                Some(_) => {}
                None => break,
            }
        }
        found
    }
}

/// The first character of a trimmed line, in lower case, if it is of the ASCII that [`fold`] changes nothing else of.
fn plain_first(line: &str) -> Option<char> {
    let first = line.bytes().next().filter(|byte| byte.is_ascii_graphic() && *byte != b'`')?;
    Some(char::from(first.to_ascii_lowercase()))
}

/// Those of some labels that a line may begin with, as its first character tells.
pub(super) fn beginning<'l>(labels: &'l [Label], line: &str) -> impl Iterator<Item = &'l Label> {
    let first = folded(line.chars()).next();
    labels.iter().filter(move |label| first == Some(label.first))
}

/// Labels of which one is enough.
#[derive(Debug, Clone, Default)]
pub(super) struct Labels {
    list: Vec<Label>,
    /// For each of the first characters of a label a bit for each ASCII character that one of them has there. Where one is over
    /// already, all bits are set.
    begins: Box<[u128; 4]>,
}

impl Labels {
    /// The labels, the first that fits going before the others.
    pub(super) fn new(list: Vec<Label>) -> Self {
        let mut begins = Box::new([0; 4]);
        for label in &list {
            for (at, bits) in begins.iter_mut().enumerate() {
                *bits |= match label.folded.get(at) {
                    Some(c) if c.is_ascii() => 1_u128 << u32::from(*c),
                    Some(_) => 0,
                    None => u128::MAX,
                };
            }
        }
        Self { begins, list }
    }

    /// The first label that `line` begins with, and what [`Label::value_after`] it.
    pub(super) fn value_after<'t>(&self, line: &'t str) -> Option<(&Label, &'t str)> {
        let line = line.trim_start();
        match self.may_begin(line) {
            true => beginning(&self.list, line).find_map(|label| Some((label, label.value_after(line)?))),
            false => None,
        }
    }

    /// Whether a line may begin with a label: most do not, as their first characters tell.
    fn may_begin(&self, line: &str) -> bool {
        // From the first one on that folding may change more of than its letter case, nothing is told.
        let plain = line.bytes().take_while(|byte| byte.is_ascii_graphic() && *byte != b'`');
        plain.zip(self.begins.iter()).all(|(byte, bits)| bits & (1 << byte.to_ascii_lowercase()) != 0)
    }

    /// The first label that is `text` and nothing else.
    pub(super) fn named(&self, text: &str) -> Option<&Label> {
        // A label may begin with another one, so the first that fits need not be the one that is all.
        self.value_after(text)?;
        self.list.iter().find(|label| label.is(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_texts_are_plain() {
        for (text, folded) in [
            (" A\t\r\nB\u{a0}\u{200b} c ", "a b c"),
            ("a\0\u{1b}b\u{7f} \u{ad}", "ab"),
            ("\u{c5}`\u{2019}\u{201c}\u{2013}\u{ff1a}\u{130}", "\u{e5}''\"-:i\u{307}"),
            (" \n", ""),
            (" Your  `Order\u{a0}NO` 7 \n", "your 'order no' 7"),
            ("Stra\u{df}e \u{200b} 1", "stra\u{df}e 1"),
        ] {
            assert_eq!(fold(text), folded, "{text:?}");
            assert_eq!(super::folded(text.chars()).collect::<String>(), folded, "{text:?}");
        }
        let mut two = "x ".to_owned();
        fold_into(" Y ", &mut two);
        assert_eq!(two, "x y");
    }

    #[test]
    fn a_line_begins_with_the_longest_label_that_fits() {
        let labels = |texts: &[&str]| texts.iter().filter_map(|text| Label::parse(text)).collect::<Vec<_>>();
        let orders = labels(&["Order", "Order number", "\u{6ce8}\u{6587}\u{756a}\u{53f7}", "Order numbers of"]);
        let dates = labels(&["Order date", "Order"]);
        let index = LabelIndex::of([("order", orders.as_slice()), ("date", dates.as_slice())].into_iter());
        for (line, expected) in [
            ("ORDER  Number: 7", Some((true, false, "7"))),
            ("* Order", Some((true, true, ""))),
            ("order date 3 May", Some((false, true, "3 May"))),
            ("Order numbers 7", None),
            ("\u{3010}\u{6ce8}\u{6587}\u{756a}\u{53f7}\u{3011}8", Some((true, false, "8"))),
            ("Orders", None),
            ("Ord", None),
            ("", None),
        ] {
            let head = index.head(line);
            let got = head.map(|head| (head.is("order"), head.is("date"), head.value));
            assert_eq!(got, expected, "{line}");
        }
    }

    #[test]
    fn the_value_after_a_label_loses_its_separator() {
        let label = Label::parse("Order ID:").unwrap();
        assert_eq!(label.value_after("order id : 1042"), Some("1042"));
        assert_eq!(label.value_after("Order\u{a0}ID\u{ff1a}7"), Some("7"));
        assert_eq!(label.value_after("Order IDs: 7"), None);
        assert_eq!(label.value_after("Orde"), None);
        assert!(label.is("ORDER ID: "));
    }
}
