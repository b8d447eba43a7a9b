//! Reasons by their kind: what is left of a reason when the values that it quotes are taken out, so that a hundred copies which
//! were held for the same reason count as one kind and not as a hundred.

/// Longest kind that is kept, in characters.
const LONGEST: usize = 160;

/// What stands for a value that was taken out.
const VALUE: char = '\u{2026}';

/// The kind of a reason. Words with a digit or an `@` in them and texts between double quotation marks are values; several values
/// in a row are one, so that two candidates and three are the same kind.
pub fn kind_of_reason(reason: &str) -> String {
    let mut kind = String::new();
    let mut quoted = false;
    let mut length = 0;
    for word in reason.split_whitespace() {
        let marks = word.chars().filter(|c| matches!(c, '"' | '\u{201c}' | '\u{201d}' | '\u{201e}')).count();
        let is_value = quoted || marks > 0 || word.chars().any(|c| c.is_ascii_digit() || c == '@');
        quoted ^= marks % 2 == 1;
        if is_value {
            // What closes a part of the sentence stays, as in "two orders (1001, 1002): …".
            let end = word.chars().next_back().filter(|c| matches!(c, ':' | ';'));
            if !kind.ends_with(VALUE) {
                length += push(&mut kind, VALUE.encode_utf8(&mut [0; 4]));
            }
            kind.extend(end);
        } else {
            length += push(&mut kind, word);
        }
        if length >= LONGEST {
            break;
        }
    }
    match kind.char_indices().nth(LONGEST) {
        Some((end, _)) => kind[..end].to_owned(),
        None => kind,
    }
}

/// Adds a word, and says how many characters came with it.
fn push(kind: &mut String, word: &str) -> usize {
    if !kind.is_empty() {
        kind.push(' ');
    }
    kind.push_str(word);
    word.chars().count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_make_no_difference_between_reasons() {
        for (reason, kind) in [
            ("it does not say what happened to the order", "it does not say what happened to the order"),
            ("reading it was begun 3 times and never ended", "reading it was begun \u{2026} times and never ended"),
            ("two references: 1001 and A-7", "two references: \u{2026} and \u{2026}"),
            ("two references: 1001, A-7", "two references: \u{2026}"),
            ("a@shop.example, b@shop.example may be the customer", "\u{2026} may be the customer"),
            ("the words say \"order of Anna Ek\": unclear", "the words say \u{2026}: unclear"),
            ("an \"open quotation", "an \u{2026}"),
            ("", ""),
        ] {
            assert_eq!(kind_of_reason(reason), kind, "{reason}");
        }
    }

    #[test]
    fn a_kind_has_a_longest_length_and_is_its_own_kind() {
        let long = "\u{e5}word ".repeat(1000);
        let kind = kind_of_reason(&long);
        assert_eq!(kind.chars().count(), LONGEST);
        assert_eq!(kind_of_reason("held 7 times"), kind_of_reason(&kind_of_reason("held 7 times")));
    }
}
