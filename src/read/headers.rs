//! The last layer: what AFS reads without a snippet. Name and address from `To:`, the reference from the subject, in the shapes of its
//! documentation: (1) digits and capitals with hyphens, (2) digits and letters mixed, seven at least, (3) numbers, but no years
//! without `#`; never letters alone.
//!
//! AFS takes whatever has one of these shapes. That would make the `WH1000XM4` of "Your WH1000XM4 has shipped" a reference; so here
//! one is taken only where something says that it is one: a `#`, a word for an order before it, the same reference marked in the
//! body, or that the subject is nothing else. A reference that only AFS would have taken is shown to the person who decides.

use super::evidence::{Evidence, Value};
use super::generic::is_amount;
use super::words::Label;
use crate::domain::{Field, OrderReference};

/// The rule of a reference in a subject that nothing marks as one: it is shown to support, and never taken.
pub(super) const BARE: &str = "subject.bare";
/// Lines of the body that are looked at for the reference of the subject.
const LINES: usize = 600;
/// Digits that a number has which is the whole subject.
const DIGITS: usize = 3;

/// A reference in a subject.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// After `#` or after a word for an order.
    Marked(OrderReference),
    /// Nothing marks it, but the subject is nothing else, and the body marks no other.
    Alone(OrderReference),
    /// The only one of its shape; nothing marks it here, but the body marks the same one as an order's, and no other.
    Agreed(OrderReference),
    /// The only one of its shape, but nothing says that it is a reference. AFS would have taken it.
    Bare(OrderReference),
    /// Several, and nothing says which.
    Several(Vec<OrderReference>),
    /// None.
    Nothing,
}

/// Words for an order, and those that may stand between such a word and a reference.
#[derive(Clone, Copy)]
pub(super) struct OrderWords<'w> {
    pub(super) words: &'w [Label],
    pub(super) fillers: &'w [Label],
}

/// The reference of a subject, with what the lines of the body say about it.
pub(super) fn in_subject<'l>(subject: &str, body: impl Iterator<Item = &'l str>, words: OrderWords<'_>) -> Found {
    let found = reference(subject, words);
    let Found::Bare(bare) = found else { return found };
    let mut same = false;
    for line in body.filter(|line| line.contains(|c: char| c.is_ascii_digit())).take(LINES) {
        match reference(line, words) {
            Found::Marked(marked) if marked.key() == bare.key() => same = true,
            // Another one is marked: which of them is the order's is for a person.
            Found::Marked(_) => return Found::Bare(bare),
            _ => {}
        }
    }
    let whole = subject.trim_matches(|c: char| !c.is_alphanumeric()) == bare.as_str();
    let digits = bare.as_str().bytes().filter(u8::is_ascii_digit).count();
    let number = bare.as_str().bytes().all(|byte| byte.is_ascii_digit());
    if same {
        Found::Agreed(bare)
    } else if whole && (digits >= DIGITS || !number) && !is_date(bare.as_str()) {
        Found::Alone(bare)
    } else {
        Found::Bare(bare)
    }
}

/// The references in the subject that nothing marks as such.
pub(super) fn bare(evidence: &Evidence) -> Vec<&str> {
    let bare = evidence.of(Field::Reference).into_iter().filter_map(|candidate| match &candidate.value {
        Value::Reference(reference) if candidate.rule == BARE => Some(reference.as_str()),
        _ => None,
    });
    bare.collect()
}

/// Why a mail whose words are an order mail's has no reference, for a support person.
pub(super) fn why_unmarked(evidence: &Evidence) -> String {
    match bare(evidence)[..] {
        [] => "it speaks of an order, but its subject has no order reference".to_owned(),
        [one] => format!(
            "it speaks of an order, but nothing says that the {one} in its subject is the reference (AFS would have taken it)"
        ),
        ref several => format!(
            "it speaks of an order, but nothing says which of {} in its subject is the reference",
            several.join(", ")
        ),
    }
}

/// Characters that a reference may have inside.
fn inside(c: char) -> bool {
    // Scripts without blanks between words would hang their words on to the number.
    (c.is_alphanumeric() && c < '\u{2E80}') || matches!(c, '-' | '_' | '/' | '.')
}

/// Signs that say: a number follows. The second is the first in full width, as in Japanese.
fn is_hash(c: char) -> bool {
    matches!(c, '#' | '\u{ff03}')
}

/// Something in a text that may be a reference.
struct Token<'t> {
    text: &'t str,
    /// Where it begins and ends.
    range: (usize, usize),
    /// After `#`.
    hash: bool,
    /// After a word for an order.
    word: bool,
}

/// Whether a token is money or a part of it: `273` and `98` of `273,98 zł`.
fn is_part_of_an_amount(before: &str, token: &str, after: &str) -> bool {
    let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let mut next = after.chars();
    let mut last = before.chars().rev();
    (next.next() == Some(',') && digit(next.next()))
        || (last.next() == Some(',') && digit(last.next()))
        || is_amount(token, before, after)
}

/// All that may be references.
fn tokens<'t>(text: &'t str, words: OrderWords<'_>) -> Vec<Token<'t>> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut hash = false;
    while let Some(c) = rest.chars().next() {
        if !inside(c) {
            // `# 5674`: a blank between the sign and the number is allowed.
            hash = is_hash(c) || (hash && c.is_whitespace());
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let end = rest.find(|c| !inside(c)).unwrap_or(rest.len());
        let token = rest[..end].trim_end_matches(['.', '-', '/', '_']);
        let begin = text.len() - rest.len();
        rest = &rest[end..];
        let hash = std::mem::take(&mut hash);
        if is_part_of_an_amount(&text[..begin], token, &text[begin + token.len()..]) {
            continue;
        }
        let shaped = shape(token, hash);
        if shaped || (hash && token.len() <= 64 && token.contains(|c: char| c.is_ascii_digit())) {
            let word = follows_a_word(text[..begin].trim_end_matches(|c: char| is_hash(c) || c.is_whitespace()), words);
            // What has both marks may have any shape: `order #EN1001`.
            if shaped || word {
                found.push(Token { text: token, range: (begin, begin + token.len()), hash, word });
            }
        }
    }
    found
}

/// The reference of a text by its marks.
fn reference(text: &str, words: OrderWords<'_>) -> Found {
    let tokens = tokens(text, words);
    let references = |tokens: &[&Token<'_>]| {
        let mut found: Vec<OrderReference> = Vec::new();
        for reference in tokens.iter().filter_map(|token| OrderReference::parse(token.text)) {
            if !found.iter().any(|known| known.key() == reference.key()) {
                found.push(reference);
            }
        }
        found
    };
    // A word says more than a sign, which invoices and tickets have too; `orders #7 and #8` are two all the same.
    let of_word = tokens.iter().enumerate().filter(|(_, token)| token.word).collect::<Vec<_>>();
    let mut marked = of_word.iter().map(|(_, token)| *token).collect::<Vec<_>>();
    for (at, token) in &of_word {
        if let Some(next) = tokens.get(at + 1)
            && next.hash
            && text
                .get(token.range.1..next.range.0)
                .is_some_and(|between| between.chars().filter(|c| c.is_alphabetic()).count() <= 3)
        {
            marked.push(next);
        }
    }
    if marked.is_empty() {
        marked = tokens.iter().filter(|token| token.hash).collect();
    }
    let is_marked = !marked.is_empty();
    if !is_marked {
        marked = tokens.iter().collect();
    }
    let mut found = references(&marked);
    match (found.len(), is_marked) {
        (0, _) => Found::Nothing,
        (1, true) => Found::Marked(found.swap_remove(0)),
        (1, false) => Found::Bare(found.swap_remove(0)),
        _ => Found::Several(found),
    }
}

/// `2026-11-24` and `24-11-2026` have the shape of a reference, and are none when nothing else says so.
fn is_date(token: &str) -> bool {
    let parts = token.split('-').map(|part| (part.len(), part.parse::<u32>().unwrap_or(u32::MAX))).collect::<Vec<_>>();
    let day_or_month = |part: &(usize, u32)| part.0 <= 2 && (1..=31).contains(&part.1);
    let year = |part: &(usize, u32)| part.0 == 4 && (1900..=2199).contains(&part.1);
    match &parts[..] {
        [a, b, c] => day_or_month(b) && ((year(a) && day_or_month(c)) || (day_or_month(a) && year(c))),
        _ => false,
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
fn follows_a_word(before: &str, words: OrderWords<'_>) -> bool {
    let OrderWords { words, fillers } = words;
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

    fn found(subject: &str, body: &str) -> String {
        let list = |words: &[&str]| words.iter().filter_map(|word| Label::parse(word)).collect::<Vec<_>>();
        let (words, fillers) = (
            list(&["order", "bestellung", "commande", "\u{6ce8}\u{6587}"]),
            list(&["number", "no", "n", "#", "\u{756a}\u{53f7}"]),
        );
        match in_subject(subject, body.lines(), OrderWords { words: &words, fillers: &fillers }) {
            Found::Marked(reference) => format!("marked {reference}"),
            Found::Alone(reference) => format!("alone {reference}"),
            Found::Agreed(reference) => format!("agreed {reference}"),
            Found::Bare(reference) => format!("bare {reference}"),
            Found::Several(all) => {
                format!("several {}", all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
            }
            Found::Nothing => "nothing".to_owned(),
        }
    }

    /// The examples of the documentation, and on both sides of each bound what lies next to it. What AFS takes is never
    /// "nothing" here.
    #[test]
    fn references_have_the_shapes_of_afs() {
        for (subject, expected) in [
            // (1) Digits and capitals with hyphens.
            ("Thanks 224-KLMN-72OM56", "bare 224-KLMN-72OM56"),
            ("Thanks 01-230920-716", "bare 01-230920-716"),
            ("Thanks 2021-86574!", "bare 2021-86574"),
            ("Thanks A-1", "bare A-1"),
            ("Thanks 224-klmn-72OM56", "nothing"),
            ("Thanks KLMN-OM", "nothing"),
            ("Thanks 224--72", "nothing"),
            ("Thanks 224-72-", "bare 224-72"),
            // (2) Digits and letters mixed, seven at least.
            ("Thanks KSLDD5A", "bare KSLDD5A"),
            ("Thanks 572854E", "bare 572854E"),
            ("Thanks 869fk45h", "bare 869fk45h"),
            ("Thanks 57285E", "nothing"),
            ("Thanks KSLD5A", "nothing"),
            ("Thanks KSLDDAA", "nothing"),
            ("Thanks 5728_54E", "nothing"),
            ("Thanks A0BCD", "nothing"),
            // (3) Numbers, but no years without a sign.
            ("Thanks #2111", "marked 2111"),
            ("Thanks 224", "bare 224"),
            ("Thanks 8002211922", "bare 8002211922"),
            ("Thanks (# 5674)", "marked 5674"),
            ("Thanks \u{ff03}5674", "marked 5674"),
            ("Thanks 7", "bare 7"),
            ("Sale 1899", "bare 1899"),
            ("Sale 1900", "nothing"),
            ("Sale 2026", "nothing"),
            ("Sale 2199", "nothing"),
            ("Sale 2200", "bare 2200"),
            ("Sale 02026", "bare 02026"),
            ("Sale #1900", "marked 1900"),
            ("Sale # 2199", "marked 2199"),
            ("Order 2026", "nothing"),
            ("Order #2026", "marked 2026"),
            // Never letters alone.
            ("ORDER", "nothing"),
            ("#ORDER", "nothing"),
            ("Order QWEASDZXC", "nothing"),
            ("#2b1f9c1e-77aa-4b0e", "nothing"),
            ("", "nothing"),
        ] {
            assert_eq!(found(subject, ""), expected, "{subject}");
        }
    }

    #[test]
    fn marks_say_which_of_several_is_the_reference() {
        for (subject, expected) in [
            ("Your order 1024", "marked 1024"),
            ("Order Confirmation No: 1053", "bare 1053"),
            ("Ihre Bestellung 20417 vom 13. April 2026", "marked 20417"),
            ("Commande n\u{b0} 78", "marked 78"),
            ("Kundenbestellung number 7 of 9", "marked 7"),
            ("\u{6ce8}\u{6587}\u{756a}\u{53f7}\u{ff1a}1234", "marked 1234"),
            ("3 for 2", "several 3 2"),
            ("Invoice #55 for order #1001", "marked 1001"),
            ("Order 1001 (invoice #55)", "marked 1001"),
            ("Order #1001 and #1002", "several 1001 1002"),
            ("Order #1001 / order #1002", "several 1001 1002"),
            ("Packed: #1001, #1002", "several 1001 1002"),
            ("Order #1001, order 1001", "marked 1001"),
            // Both marks, any shape.
            ("Order #EN1001 confirmed", "marked EN1001"),
            ("Order # 2024/17", "marked 2024/17"),
            ("Order EN1001 confirmed", "nothing"),
            ("Ticket #EN1001", "nothing"),
        ] {
            assert_eq!(found(subject, ""), expected, "{subject}");
        }
    }

    #[test]
    fn an_unmarked_reference_is_taken_where_nothing_competes() {
        for (subject, body, expected) in [
            ("224-KLMN-72OM56", "", "alone 224-KLMN-72OM56"),
            ("KSLDD5A", "", "alone KSLDD5A"),
            (" [8002211922] ", "", "alone 8002211922"),
            ("224", "", "alone 224"),
            ("22", "", "bare 22"),
            ("2026-11-24", "", "bare 2026-11-24"),
            ("24-11-2026", "", "bare 24-11-2026"),
            ("32-11-2026", "", "alone 32-11-2026"),
            ("2026", "", "nothing"),
            ("Thank you! KSLDD5A", "", "bare KSLDD5A"),
            ("Thank you! KSLDD5A", "Order number: KSLDD5A\nTotal 5", "agreed KSLDD5A"),
            ("Thank you! KSLDD5A", "Order number: 17\nItem KSLDD5A", "bare KSLDD5A"),
            ("KSLDD5A", "Order number: 17", "bare KSLDD5A"),
            ("KSLDD5A", "Order number: 17\nOrder ksldd5a", "bare KSLDD5A"),
            ("Your WH1000XM4 has shipped", "1 x WH1000XM4", "bare WH1000XM4"),
        ] {
            assert_eq!(found(subject, body), expected, "{subject} / {body}");
        }
    }
}
