//! Anchors of a value: what stands beside it in every mail of the shop and tells where it is. A label, the cell to the left, the
//! cell or line above, words of a sentence, the subject, an element's class, the path of a link, a header field. Nothing is an
//! anchor by its position alone.

use super::kind::is_own;
use super::rule::{Look, Rule};
use super::view::View;
use crate::read::body::{Cell, Text, lines_of};
use crate::read::lexicon::Lexicon;
use crate::read::phrases::Searched;
use crate::read::words::fold;

/// What may stand between a label and its value.
const JOINTS: &[char] = &[' ', ':', '：', '#', '№', '(', '[', '=', '-', '–', '.', '「', '【', '\u{a0}'];
/// Words of a label.
const LABEL_WORDS: usize = 6;
/// Characters of a label.
const LABEL: usize = 60;
/// Words before a value that a pattern has.
const BEFORE: usize = 4;
/// Elements of a page that are looked at.
const ELEMENTS: usize = 5_000;

/// A value whose anchors are looked for.
pub(super) struct Wanted<'w> {
    /// The value as the mail has it.
    pub(super) text: &'w str,
    /// A pattern for values of its kind.
    pub(super) shape: &'w str,
    /// A pattern for what ends one.
    pub(super) end: &'w str,
    /// Lists of the words of all languages with its labels, best first.
    pub(super) lists: &'w [&'static str],
    /// What it is, in plain words.
    pub(super) what: &'static str,
    /// Whether a pattern cuts it out of its line or cell; a day is found in it without.
    pub(super) cut: bool,
}

/// Everything that may be an anchor of a value in a sample.
pub(super) fn anchors(wanted: &Wanted<'_>, view: &View, lexicon: &Lexicon) -> Vec<Rule> {
    let search = Search { wanted, view, lexicon };
    let mut rules = Vec::new();
    search.headers(&mut rules);
    search.subject(&mut rules);
    for text in &view.body.texts {
        for (number, line) in text.lines.iter().enumerate() {
            for at in places(line, wanted.text).into_iter().take(3) {
                search.in_line(line, at, &mut rules);
                search.beside(text, number, line, at, &mut rules);
            }
        }
    }
    search.elements(&mut rules);
    search.links(&mut rules);
    rules
}

/// Where a value stands in a text, not as a part of a longer one.
pub(super) fn places(text: &str, value: &str) -> Vec<usize> {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '@'));
    let whole = |at: &usize| {
        let (before, after) = (&text[..*at], &text[at + value.len()..]);
        // `1042-7` is another value, `1042 - ` is not.
        let goes_on = after.starts_with('-') && after[1..].starts_with(|c: char| c.is_ascii_alphanumeric());
        let went_before =
            before.ends_with('-') && before[..before.len() - 1].ends_with(|c: char| c.is_ascii_alphanumeric());
        !part(before.chars().next_back()) && !part(after.chars().next()) && !goes_on && !went_before
    };
    text.match_indices(value).map(|(at, _)| at).filter(whole).collect()
}

struct Search<'s> {
    wanted: &'s Wanted<'s>,
    view: &'s View,
    lexicon: &'s Lexicon,
}

impl Search<'_> {
    fn value(&self) -> String {
        format!("(?P<value>{})", self.wanted.shape)
    }

    /// A pattern for the value at the start of what stands at a label.
    fn at_start(&self) -> Option<String> {
        self.wanted.cut.then(|| format!("^[#№(\\[ ]*{}{}", self.value(), self.wanted.end))
    }

    /// How well a text is known as a label of the value: 0 says outright, 1 by a word; `None` when it is not known.
    fn known(&self, label: &str) -> Option<u8> {
        let place =
            self.wanted.lists.iter().position(|list| self.lexicon.labels(list).iter().any(|known| known.is(label)))?;
        Some(u8::from(place > 0))
    }

    /// A text as a label: without what parts it from its value, and short, and without values in it.
    fn label<'t>(&self, text: &'t str) -> Option<&'t str> {
        let label = text.trim().trim_end_matches(JOINTS);
        let words = label.split_whitespace().count();
        let fine = (1..=LABEL_WORDS).contains(&words)
            && label.chars().count() <= LABEL
            && label.chars().any(char::is_alphabetic)
            && !label.contains(['!', '?', ';', ':', '|', '<', '>', '{'])
            && self.view.is_plain(label);
        fine.then_some(label)
    }

    fn headers(&self, rules: &mut Vec<Rule>) {
        for (name, value) in self.view.message.fields() {
            let own = name.starts_with("x-") || name == "reply-to" && self.wanted.what.contains("address");
            if !own || !self.view.is_plain(name) || places(value, self.wanted.text).is_empty() {
                continue;
            }
            let words = format!("{} in the header field {name}", self.wanted.what);
            let whole = value.trim() == self.wanted.text;
            let pattern = if whole { None } else { Some(format!("{}{}", self.value(), self.wanted.end)) };
            rules.push(Rule::new(Look::Header(name.to_owned()), pattern, if whole { 1 } else { 3 }, words));
        }
    }

    fn subject(&self, rules: &mut Vec<Rule>) {
        let subject = &self.view.message.subject;
        for at in places(subject, self.wanted.text) {
            let (before, after) = (&subject[..at], &subject[at + self.wanted.text.len()..]);
            let tail = self.plain_tail(before);
            let signed = before.ends_with(['#', '№']);
            if !signed && !tail.chars().any(char::is_alphabetic) {
                continue;
            }
            let spoken = self.speaks_of_an_order(tail);
            let pattern = format!("{}{}{}", self.start(before, tail), self.value(), self.ending(after));
            let words = format!("{} in the subject, after the words {}", self.wanted.what, shown(tail));
            rules.push(Rule::new(Look::Subject(pattern), None, if spoken || signed { 1 } else { 3 }, words));
        }
    }

    /// After a label or some words in the same line.
    fn in_line(&self, line: &str, at: usize, rules: &mut Vec<Rule>) {
        let (before, after) = (&line[..at], &line[at + self.wanted.text.len()..]);
        if let Some(label) = self.label(before) {
            let joint = &before.trim()[label.len()..];
            let known = self.known(label);
            let parted = joint.contains([':', '：', '#', '№', '【', '「']);
            if parted || (known.is_some() && after.trim().is_empty()) {
                let words = format!("{} in the same line after {label:?}", self.wanted.what);
                let look = Look::Label { label: label.to_owned(), place: "after" };
                let rank = known.map_or(2, |known| known * 2);
                rules.push(Rule::new(look, self.at_start(), rank, words));
            }
        }
        if !self.wanted.cut {
            return;
        }
        let tail = self.plain_tail(before);
        let letters = tail.chars().filter(|c| c.is_alphabetic()).count();
        if letters >= 3 || tail.chars().any(|c| c >= '\u{2E80}') {
            let spoken = self.speaks_of_an_order(tail);
            let pattern = format!("(?m){}{}{}", self.start(before, tail), self.value(), self.ending(after));
            let words = format!("{} in a line, after the words {}", self.wanted.what, shown(tail));
            rules.push(Rule::new(Look::Text(pattern), None, if spoken { 3 } else { WORDS_ONLY }, words));
        }
    }

    /// In a cell or line of its own, at a label to the left or above.
    fn beside(&self, text: &Text, number: usize, line: &str, at: usize, rules: &mut Vec<Rule>) {
        let begins = self.wanted.cut && line[..at].chars().all(|c| JOINTS.contains(&c));
        if !begins && self.wanted.cut {
            return;
        }
        let mut add = |label: &str, place: &'static str, unknown: u8, words: &str| {
            let rank = self.known(label).unwrap_or(unknown);
            let look = Look::Label { label: label.to_owned(), place };
            rules.push(Rule::new(look, self.at_start(), rank, format!("{} {words} {label:?}", self.wanted.what)));
        };
        let holds = |cell: &&Cell| cell.lines.contains(&number);
        if let Some(cell) = text.cells.iter().filter(holds).min_by_key(|cell| cell.lines.len())
            && cell.lines.start == number
        {
            let full = |other: &&Cell| !other.lines.is_empty() && other.lines.len() <= 2;
            let left = text.cells.iter().filter(|other| other.row == cell.row && other.column < cell.column);
            if let Some(left) = left.filter(full).max_by_key(|other| other.column)
                && let Some(label) = self.label(&text.cell(left))
            {
                add(label, "right", 3, "in the cell to the right of");
            }
            let above = text.cells.iter().filter(|other| {
                other.table == cell.table
                    && other.row < cell.row
                    && other.column == cell.column
                    && !other.lines.is_empty()
            });
            if let Some(above) = above.max_by_key(|other| other.row).filter(full)
                && let Some(label) = self.label(&text.cell(above))
            {
                add(label, "below", 3, "in the cell below");
            }
        }
        let Some(above) = number.checked_sub(1).and_then(|above| text.lines.get(above)) else { return };
        if let Some(label) = self.label(above)
            && (self.known(label).is_some() || above.trim_end().ends_with([':', '：']))
        {
            add(label, "below", 3, "in the line below");
        }
    }

    /// In an element with a class or an id of its own.
    fn elements(&self, rules: &mut Vec<Rule>) {
        let Some(tree) = self.view.body.tree.as_ref().filter(|_| self.wanted.cut) else { return };
        for node in tree.root().descendants_it().filter(|node| node.is_element()).take(ELEMENTS) {
            let names = [(".", node.attr("class")), ("#", node.attr("id"))];
            let named = names.iter().flat_map(|(sign, text)| {
                text.iter().flat_map(move |text| text.split_whitespace().map(move |name| (*sign, name)))
            });
            let named =
                named.filter(|(_, name)| is_own(name)).map(|(sign, name)| format!("{sign}{name}")).collect::<Vec<_>>();
            if named.is_empty() {
                continue;
            }
            let lines = lines_of(&node);
            let [line] = lines.as_slice() else { continue };
            for at in places(line, self.wanted.text).into_iter().take(1) {
                let (before, after) = (&line[..at], &line[at + self.wanted.text.len()..]);
                let tail = self.plain_tail(before);
                let pattern = format!("{}{}{}", self.start(before, tail), self.value(), self.ending(after));
                for css in &named {
                    let words = format!("{} in the element {css}", self.wanted.what);
                    let look = Look::Css { css: css.clone(), attribute: None };
                    rules.push(Rule::new(look, Some(pattern.clone()), WORDS_ONLY + 1, words));
                }
            }
        }
    }

    /// In the address of a link, after a part of its path or the name of a parameter.
    fn links(&self, rules: &mut Vec<Rule>) {
        let Some(tree) = self.view.body.tree.as_ref().filter(|_| self.wanted.cut) else { return };
        for node in tree.select("a[href]").nodes().iter().take(500) {
            let Some(href) = node.attr("href") else { continue };
            for at in places(&href, self.wanted.text) {
                let before = &href[..at];
                let Some(start) = before.trim_end_matches(['/', '=']).rfind(['/', '?', '&']) else { continue };
                let path = &before[start..];
                let fine = |c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '?' | '&' | '=' | '_' | '-');
                if path.len() < 4 || !path.chars().all(fine) || !self.view.is_plain(path) {
                    continue;
                }
                let css = format!("a[href*=\"{path}\"]");
                let pattern = format!("{}{}{}", regex::escape(path), self.value(), self.wanted.end);
                let words = format!("{} in the address of a link, after {path:?}", self.wanted.what);
                let look = Look::Css { css, attribute: Some("href") };
                rules.push(Rule::new(look, Some(pattern), WORDS_ONLY + 2, words));
            }
        }
    }

    /// The last words before a value that are the same in every mail.
    fn plain_tail<'t>(&self, before: &'t str) -> &'t str {
        let marks = self.view.marks(before);
        let start = marks.iter().rposition(|mark| *mark).map_or(0, |at| at + 1);
        let tail = before.get(start..).unwrap_or_default();
        let words = tail
            .char_indices()
            .rev()
            .filter(|(at, c)| !c.is_whitespace() && tail[..*at].chars().next_back().is_none_or(char::is_whitespace));
        let at = words.map(|(at, _)| at).take(BEFORE).last().unwrap_or(0);
        // A sentence does not go on from the one before.
        let tail = &tail[at..];
        let cut = tail
            .rfind(['.', '!', '?', '。', '！'])
            .filter(|at| tail[*at..].chars().filter(|c| c.is_alphabetic()).count() > 2);
        cut.map_or(tail, |at| tail[at..].trim_start_matches(|c: char| !c.is_alphanumeric()))
    }

    /// The pattern for the words before a value.
    fn start(&self, before: &str, tail: &str) -> String {
        let edge = match tail.chars().next() {
            _ if before.len() == tail.len() => "^",
            Some(first) if first.is_alphanumeric() && first < '\u{2E80}' => r"\b",
            _ => "",
        };
        format!("{edge}{}", flexible(tail))
    }

    /// The pattern for what comes after a value: the next word, if it is the same in every mail.
    fn ending(&self, after: &str) -> String {
        let Some(letter) = after.find(char::is_alphanumeric) else { return self.wanted.end.to_owned() };
        let until = after[letter..].find(char::is_whitespace).map_or(after.len(), |length| letter + length);
        let next = &after[..until];
        let wide = next.chars().any(|c| c >= '\u{2E80}');
        if next.contains(['.', '!', '?']) || wide || !self.view.is_plain(next) {
            return self.wanted.end.to_owned();
        }
        flexible(next)
    }

    fn speaks_of_an_order(&self, text: &str) -> bool {
        let folded = fold(text);
        let text = Searched::unsearched(&folded);
        self.lexicon.order_words().find(&text).is_some() || self.known(folded.trim_end_matches(JOINTS)).is_some()
    }
}

/// The rank of an anchor that is words, and none of them is known to mean the value.
const WORDS_ONLY: u8 = super::rule::WEAK;

/// A text as a pattern: any blanks between its words, either kind of apostrophe.
pub(super) fn flexible(text: &str) -> String {
    let mut out = String::new();
    for (number, word) in text.split(char::is_whitespace).enumerate() {
        if number > 0 && !out.ends_with(r"\s+") {
            out.push_str(r"\s+");
        }
        out.push_str(&regex::escape(word).replace(['\'', '’'], r"[\x27’]"));
    }
    out
}

/// Words as a comment shows them.
fn shown(text: &str) -> String {
    format!("{:?}", text.trim())
}
