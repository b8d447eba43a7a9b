//! What a heading means. Letter case, blanks and punctuation do not count, and accents neither: `Order-Ref.` is `orderref`.

/// A heading as it is compared.
pub fn key(heading: &str) -> String {
    heading.chars().flat_map(char::to_lowercase).filter(|c| c.is_alphanumeric()).flat_map(plain).collect()
}

/// A letter without its accent, as far as the headings known here have any.
fn plain(c: char) -> impl Iterator<Item = char> {
    let (first, second) = match c {
        '\u{e0}'..='\u{e5}' | '\u{105}' => ('a', None),
        '\u{e6}' => ('a', Some('e')),
        '\u{e7}' | '\u{107}' => ('c', None),
        '\u{e8}'..='\u{eb}' | '\u{119}' => ('e', None),
        '\u{ec}'..='\u{ef}' => ('i', None),
        '\u{f1}' | '\u{144}' => ('n', None),
        '\u{f2}'..='\u{f6}' | '\u{f8}' => ('o', None),
        '\u{f9}'..='\u{fc}' => ('u', None),
        '\u{142}' => ('l', None),
        '\u{15b}' => ('s', None),
        '\u{17a}' | '\u{17c}' => ('z', None),
        other => (other, None),
    };
    std::iter::once(first).chain(second)
}

/// What each column of a heading means: of the words for a meaning, the first that occurs decides, and where a heading occurs twice
/// the first column. A column has one meaning at most. The words are written as [`key`] makes them.
pub fn assign<M: Copy>(heading: &[String], words: &[(M, &[&str])]) -> Vec<Option<M>> {
    let keys = heading.iter().map(|cell| key(cell)).collect::<Vec<_>>();
    let mut meanings = vec![None; keys.len()];
    for (meaning, words) in words {
        let found = words.iter().find_map(|word| {
            let mut columns = keys.iter().enumerate().filter(|(column, _)| meanings[*column].is_none());
            columns.find(|(_, key)| key == word).map(|(column, _)| column)
        });
        if let Some(column) = found {
            meanings[column] = Some(*meaning);
        }
    }
    meanings
}
