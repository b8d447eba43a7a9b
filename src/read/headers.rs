//! Layer 4: what AFS reads without a snippet. Name and address from `To:`, the reference from the subject, in the shapes of its
//! documentation: (1) digits and capitals with hyphens, (2) digits and letters mixed, seven at least, (3) numbers, but no years
//! without `#`; never letters alone.

use super::words::Label;
use crate::domain::OrderReference;

/// A reference in a subject.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// After `#` or after a word for an order.
    Marked(OrderReference),
    /// The only one of its shape, but nothing says that it is a reference.
    Bare(OrderReference),
    /// Several, and nothing says which.
    Several,
    /// None.
    Nothing,
}

/// Characters that a reference may have inside.
fn inside(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '/' | '.')
}

/// The reference of a subject; `words` are the words for an order, `fillers` those between such a word and the reference.
pub(super) fn reference(subject: &str, words: &[Label], fillers: &[Label]) -> Found {
    let mut bare: Vec<&str> = Vec::new();
    let mut rest = subject;
    let mut hash = false;
    while let Some(c) = rest.chars().next() {
        if !inside(c) {
            // `# 5674`: a blank between the sign and the number is allowed.
            hash = c == '#' || (hash && c.is_whitespace());
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let end = rest.find(|c| !inside(c)).unwrap_or(rest.len());
        let token = rest[..end].trim_end_matches(['.', '-', '/', '_']);
        let before = &subject[..subject.len() - rest.len()];
        rest = &rest[end..];
        if shape(token, hash) {
            if hash || follows_a_word(before, words, fillers) {
                return OrderReference::parse(token).map_or(Found::Nothing, Found::Marked);
            }
            if !bare.contains(&token) {
                bare.push(token);
            }
        }
        hash = false;
    }
    match bare[..] {
        [] => Found::Nothing,
        [one] => OrderReference::parse(one).map_or(Found::Nothing, Found::Bare),
        _ => Found::Several,
    }
}

/// Whether a token has one of the three shapes.
fn shape(token: &str, hash: bool) -> bool {
    let digit = token.contains(|c: char| c.is_ascii_digit());
    if !digit || token.len() > 64 {
        return false;
    }
    if token.bytes().all(|b| b.is_ascii_digit()) {
        let year = token.len() == 4 && matches!(token.parse(), Ok(1900..=2199));
        return hash || !year;
    }
    let parts = token.split('-').collect::<Vec<_>>();
    let capitals = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    if parts.len() > 1 {
        return parts.iter().all(capitals);
    }
    token.len() >= 7 && token.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Whether the text before a token ends with a word for an order, with nothing but fillers and signs between.
fn follows_a_word(before: &str, words: &[Label], fillers: &[Label]) -> bool {
    let mut before = before;
    for _ in 0..4 {
        before = before.trim_end_matches(|c: char| {
            c.is_whitespace()
                || matches!(c, ':' | '\u{ff1a}' | '.' | '(' | '[' | '\u{b0}' | '\u{ba}' | '\u{2116}' | '-' | '\u{2013}')
        });
        let ends_with = |list: &[Label]| list.iter().find_map(|label| ending(before, label));
        if ends_with(words).is_some() {
            return true;
        }
        match ends_with(fillers) {
            Some(rest) => before = rest,
            None => return false,
        }
    }
    false
}

/// The text before a label that `text` ends with. The label may be the tail of a compound word, as in `Kundenbestellung`.
fn ending<'t>(text: &'t str, label: &Label) -> Option<&'t str> {
    let length = label.text.chars().count();
    let start = text.char_indices().rev().nth(length.checked_sub(1)?).map(|(at, _)| at)?;
    label.is(&text[start..]).then(|| &text[..start])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(subject: &str) -> String {
        let list = |words: &[&str]| words.iter().filter_map(|word| Label::parse(word)).collect::<Vec<_>>();
        match reference(subject, &list(&["order", "bestellung", "commande"]), &list(&["number", "no", "n"])) {
            Found::Marked(reference) => format!("marked {reference}"),
            Found::Bare(reference) => format!("bare {reference}"),
            Found::Several => "several".to_owned(),
            Found::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn references_have_the_shapes_of_afs() {
        for (subject, expected) in [
            ("224-KLMN-72OM56", "bare 224-KLMN-72OM56"),
            ("Thanks 2021-86574!", "bare 2021-86574"),
            ("KSLDD5A", "bare KSLDD5A"),
            ("869fk45h", "bare 869fk45h"),
            ("A0BCD", "nothing"),
            ("#2111", "marked 2111"),
            ("(# 5674)", "marked 5674"),
            ("8002211922", "bare 8002211922"),
            ("Sale 2026", "nothing"),
            ("Sale #2026", "marked 2026"),
            ("ORDER", "nothing"),
            ("#2b1f9c1e-77aa-4b0e", "nothing"),
            ("Your order 1024", "marked 1024"),
            ("Order Confirmation No: 1053", "bare 1053"),
            ("Ihre Bestellung 20417 vom 13. April 2026", "marked 20417"),
            ("Commande n\u{b0} 78", "marked 78"),
            ("Kundenbestellung number 7 of 9", "marked 7"),
            ("3 for 2", "several"),
            ("", "nothing"),
        ] {
            assert_eq!(found(subject), expected, "{subject}");
        }
    }
}
