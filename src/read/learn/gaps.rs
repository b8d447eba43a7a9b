//! What is the same in every mail of a kind: the words of a subject or a sentence that are left when the values are taken out.

use super::view::View;
use crate::read::dates::Months;
use crate::read::words::fold;

/// Words with gaps between them, `None`, where something stood that differs from mail to mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stable(Vec<Option<String>>);

impl Stable {
    /// The stable words of a text of one sample.
    pub(super) fn of(text: &str, view: &View, months: &Months) -> Self {
        let marks = view.marks(text);
        let mut words = Vec::new();
        let mut start = 0;
        for piece in text.split_inclusive(char::is_whitespace) {
            split_at_marks(piece.trim_end(), marks.get(start..).unwrap_or_default(), &mut words);
            start += piece.len();
        }
        forget_days(&mut words, months);
        Self(words).tidied()
    }

    /// What is left of it where another sample has other words.
    pub(super) fn shared_with(&self, other: &Self) -> Self {
        let (a, b) = (&self.0, &other.0);
        let same = |x: &Option<String>, y: &Option<String>| match (x, y) {
            (Some(x), Some(y)) => fold(x) == fold(y),
            (None, None) => true,
            _ => false,
        };
        // The longest common subsequence, from the end.
        let mut table = vec![vec![0_usize; b.len() + 1]; a.len() + 1];
        for i in (0..a.len()).rev() {
            for j in (0..b.len()).rev() {
                let one = if same(&a[i], &b[j]) { table[i + 1][j + 1] + 1 } else { 0 };
                table[i][j] = one.max(table[i + 1][j]).max(table[i][j + 1]);
            }
        }
        let (mut i, mut j, mut words, mut joined) = (0, 0, Vec::new(), true);
        while i < a.len() && j < b.len() {
            if same(&a[i], &b[j]) && table[i][j] == table[i + 1][j + 1] + 1 {
                if !joined {
                    words.push(None);
                }
                words.push(a[i].clone());
                (i, j, joined) = (i + 1, j + 1, true);
            } else {
                joined = false;
                if table[i + 1][j] >= table[i][j + 1] { i += 1 } else { j += 1 }
            }
        }
        if i < a.len() || j < b.len() {
            words.push(None);
        }
        Self(words).tidied()
    }

    /// As a phrase of a template: `Your * order has been received`.
    pub(super) fn phrase(&self) -> String {
        let mut pieces: Vec<String> = vec![String::new()];
        for word in &self.0 {
            match (word, pieces.last_mut()) {
                (Some(word), Some(piece)) if piece.is_empty() => piece.push_str(word),
                (Some(word), Some(piece)) => {
                    piece.push(' ');
                    piece.push_str(word);
                }
                _ => pieces.push(String::new()),
            }
        }
        let trim = |piece: &String| piece.trim_matches(|c: char| !c.is_alphanumeric()).replace('*', " ");
        let pieces = pieces.iter().map(trim).filter(|piece| !piece.trim().is_empty());
        pieces.collect::<Vec<_>>().join(" * ")
    }

    /// The first words, as many as a phrase should have.
    pub(super) fn first(&self, words: usize) -> Self {
        Self(self.0.iter().take(words).cloned().collect()).tidied()
    }

    /// Whether there are gaps in it.
    pub(super) fn has_gaps(&self) -> bool {
        self.0.contains(&None)
    }

    /// Gaps at the ends say nothing, and two are as one.
    fn tidied(mut self) -> Self {
        self.0.dedup_by(|a, b| a.is_none() && b.is_none());
        while self.0.first() == Some(&None) {
            self.0.remove(0);
        }
        while self.0.last() == Some(&None) {
            self.0.pop();
        }
        self
    }
}

/// Whether a phrase says enough to tell one kind of mail from another.
pub(super) fn is_telling(phrase: &str) -> bool {
    let wide = phrase.chars().filter(|c| *c >= '\u{2E80}').count();
    let letters = phrase.chars().filter(|c| c.is_alphabetic()).count();
    wide >= 4
        || (letters >= 9 && phrase.split_whitespace().filter(|word| *word != "*").count() >= 2)
        || phrase.split_whitespace().any(|word| word.chars().filter(|c| c.is_alphabetic()).count() >= 12)
}

/// A word with its marked parts as gaps.
fn split_at_marks(word: &str, marks: &[bool], words: &mut Vec<Option<String>>) {
    let mut run = String::new();
    for (at, c) in word.char_indices() {
        if marks.get(at) == Some(&true) {
            if run.chars().any(char::is_alphanumeric) {
                words.push(Some(std::mem::take(&mut run)));
            }
            run.clear();
            if words.last() != Some(&None) {
                words.push(None);
            }
        } else {
            run.push(c);
        }
    }
    if run.chars().any(char::is_alphanumeric) {
        words.push(Some(run));
    }
}

/// Months beside numbers are parts of days, and so is a weekday that a comma parts from them.
fn forget_days(words: &mut Vec<Option<String>>, months: &Months) {
    let plain = |word: &str| fold(word.trim_matches(|c: char| !c.is_alphanumeric()));
    let is_month = |word: &str| {
        let word = plain(word);
        let names = months.0.iter().flatten();
        word.chars().count() >= 3
            && names.into_iter().any(|name| *name == word || (name.starts_with(&word) && word.is_ascii()))
    };
    for at in 0..words.len() {
        let near = [at.wrapping_sub(2), at.wrapping_sub(1), at + 1];
        let beside = near.iter().any(|near| words.get(*near) == Some(&None));
        if beside && words[at].as_deref().is_some_and(is_month) {
            words[at] = None;
            // `13 de abril de 2026`: the words between are parts of the day too.
            let short = |words: &[Option<String>], at: usize| {
                words.get(at).and_then(Option::as_ref).is_some_and(|word| word.chars().count() <= 3)
            };
            if at >= 2 && words[at - 2].is_none() && short(words, at - 1) {
                words[at - 1] = None;
            }
            if words.get(at + 2) == Some(&None) && short(words, at + 1) {
                words[at + 1] = None;
            }
        }
    }
    for at in 1..words.len() {
        if words[at].is_none() && words[at - 1].as_deref().is_some_and(|word| word.ends_with(',')) {
            words[at - 1] = None;
        }
    }
    words.dedup_by(|a, b| a.is_none() && b.is_none());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::learn::Example;
    use crate::read::{Context, Reader, Templates};

    fn reader() -> Reader {
        Reader::new(Templates::of_files(Vec::new()).unwrap())
    }

    fn stable(subject: &str, name: &str, reference: &str, reader: &Reader) -> Stable {
        let mail = format!("From: Acme Outdoor <a@acme.example>\nTo: x@example.org\nSubject: s\n\n{subject}\n");
        let example = Example { mail: mail.as_bytes(), reference, email: Some("x@example.org"), name: Some(name) };
        let view = View::of(1, &example, &[], reader, &Context::default()).unwrap();
        Stable::of(subject, &view, reader.templates.lexicon.months())
    }

    #[test]
    fn values_days_and_the_shops_name_are_gaps() {
        let reader = reader();
        for (subject, phrase) in [
            ("Your Acme Outdoor order has been received!", "Your * order has been received"),
            ("Ihre Bestellung 20417 vom Montag, 13. April 2026", "Ihre Bestellung * vom"),
            ("Tu pedido 20417 del 13 de abril de 2026 ha salido", "Tu pedido * del * ha salido"),
            ("Thanks Ylva Holm: order #20417 (2 items) confirmed", "Thanks * order * items) confirmed"),
            ("[Acme Outdoor] ご注文番号20417のお知らせ", "ご注文番号 * のお知らせ"),
            ("20417", ""),
        ] {
            assert_eq!(stable(subject, "Ylva Holm", "20417", &reader).phrase(), phrase, "{subject}");
        }
    }

    #[test]
    fn what_another_sample_says_otherwise_is_a_gap() {
        let reader = reader();
        let one = stable("Good day Ylva, order 1 of oak lamps is on its way", "Ylva", "1", &reader);
        let two = stable("Good day Bo, order 2 of glass is on its way", "Bo", "2", &reader);
        assert_eq!(one.shared_with(&two).phrase(), "Good day * order * of * is on its way");
        assert!(is_telling("is on its way") && is_telling("ご注文番号") && !is_telling("Order"));
    }
}
