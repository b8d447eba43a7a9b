//! Comparing words as people write them: letter case, curly quotes, dashes and kinds of blanks do not count.

use crate::domain::is_invisible;

/// How far apart the pieces of a phrase with `*` may stand, in bytes of folded text.
const GAP: usize = 160;

/// `text` in lower case, quotes and dashes straightened, white space collapsed, invisible characters gone.
pub(super) fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_whitespace() {
            if !out.is_empty() && !out.ends_with(' ') {
                out.push(' ');
            }
        } else if !is_invisible(c) {
            out.extend(straight(c).to_lowercase());
        }
    }
    if out.ends_with(' ') {
        out.pop();
    }
    out
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

/// Some words that must stand in a text, one after the other; `*` between them stands for anything short.
#[derive(Debug, Clone)]
pub(super) struct Phrase {
    pieces: Vec<String>,
    language: Option<String>,
}

impl Phrase {
    /// The phrase, or `None` when it has no words.
    pub(super) fn parse(text: &str, language: Option<&str>) -> Option<Self> {
        let pieces = text.split('*').map(fold).filter(|piece| !piece.is_empty()).collect::<Vec<_>>();
        (!pieces.is_empty()).then(|| Self { pieces, language: language.map(str::to_owned) })
    }

    /// The language that the phrase is in, where its author said so.
    pub(super) fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }

    /// Whether the phrase stands in a folded text. A word of it does not begin in the middle of another word.
    pub(super) fn stands_in(&self, folded: &str) -> bool {
        let Some((first, rest)) = self.pieces.split_first() else { return false };
        let mut from = 0;
        while let Some(at) = folded.get(from..).and_then(|tail| tail.find(first.as_str())).map(|at| from + at) {
            if begins_a_word(folded, at) && follow(&folded[at + first.len()..], rest) {
                return true;
            }
            from = at + first.chars().next().map_or(1, char::len_utf8);
        }
        false
    }
}

/// Whether the pieces stand in `tail` one after the other, each near the one before.
fn follow(mut tail: &str, pieces: &[String]) -> bool {
    for piece in pieces {
        let mut end = tail.len().min(GAP + piece.len());
        while !tail.is_char_boundary(end) {
            end -= 1;
        }
        match tail[..end].find(piece.as_str()) {
            Some(at) => tail = &tail[at + piece.len()..],
            None => return false,
        }
    }
    true
}

/// Scripts without blanks between words (from U+2E80 on: CJK, kana, hangul) have no word starts to look for.
fn begins_a_word(text: &str, at: usize) -> bool {
    let first = text[at..].chars().next();
    let before = text[..at].chars().next_back();
    match (before, first) {
        (Some(before), Some(first)) => {
            !(before.is_alphanumeric() && first.is_alphanumeric() && before < '\u{2E80}' && first < '\u{2E80}')
        }
        _ => true,
    }
}

/// Phrases of which one is enough.
#[derive(Debug, Clone, Default)]
pub(super) struct Phrases(pub(super) Vec<Phrase>);

impl Phrases {
    /// The first phrase that stands in a folded text.
    pub(super) fn find(&self, folded: &str) -> Option<&Phrase> {
        self.0.iter().find(|phrase| phrase.stands_in(folded))
    }
}

/// A label as a shop writes it before a value: `Order number`, `Bestellnummer`.
#[derive(Debug, Clone)]
pub(super) struct Label {
    /// As it was written in the template.
    pub(super) text: String,
    /// The language it is in, when no other language of the same list has the same label.
    pub(super) language: Option<String>,
    folded: Vec<char>,
}

impl Label {
    /// The label, or `None` when it is empty.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let folded = fold(text.trim_end_matches([':', ' '])).chars().collect::<Vec<_>>();
        (!folded.is_empty()).then(|| Self { text: text.to_owned(), language: None, folded })
    }

    /// Whether two labels are the same words.
    pub(super) fn same_words(&self, other: &Self) -> bool {
        self.folded == other.folded
    }

    /// What stands after the label when `line` begins with it and a separator or a blank follows.
    pub(super) fn value_after<'t>(&self, line: &'t str) -> Option<&'t str> {
        let mut wanted = self.folded.iter().copied().peekable();
        let mut rest = line.trim_start();
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

#[cfg(test)]
mod tests {
    use super::*;

    fn stands(phrase: &str, text: &str) -> bool {
        Phrase::parse(phrase, None).unwrap().stands_in(&fold(text))
    }

    #[test]
    fn phrases_do_not_mind_case_quotes_and_blanks_but_mind_word_starts() {
        assert!(stands("Your * order has been received", "YOUR  The Lamp Shop order\u{a0}has been received!"));
        assert!(stands("L'ordine", "Abbiamo finito l\u{2019}ordine."));
        assert!(stands("paid", "Order paid"));
        assert!(!stands("paid", "prepaid"));
        assert!(!stands("your * order", &format!("your {} order", "x".repeat(500))));
        assert!(stands("\u{6ce8}\u{6587}", "\u{3054}\u{6ce8}\u{6587}"));
        assert!(Phrase::parse(" * ", None).is_none());
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
