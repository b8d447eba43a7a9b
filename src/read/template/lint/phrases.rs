//! Phrases and labels of one list against each other.

use crate::document::Entry;
use crate::read::words::fold;

/// Notes the phrases of a list that stand only where a shorter one of it stands as well. One is enough, so they are never needed.
pub(super) fn list(texts: &[Entry<'_, &str>]) {
    for (index, text) in texts.iter().enumerate() {
        let wider = texts.iter().enumerate().find(|(other, wider)| {
            let same = fold(wider.value) == fold(text.value);
            *other != index && covers(wider.value, text.value) && (!same || *other < index)
        });
        if let Some((_, wider)) = wider {
            text.problem(
                format!("stands only where {:?} stands, which is enough", wider.value),
                "leave one of them out",
            );
        }
    }
}

/// Notes the labels that stand in a list twice.
pub(super) fn labels(texts: &[Entry<'_, &str>]) {
    let plain = |text: &str| fold(text.trim_end_matches([':', ' ']));
    for (index, text) in texts.iter().enumerate() {
        if texts.iter().take(index).any(|other| plain(other.value) == plain(text.value)) {
            text.problem("is in this list twice", "leave one of them out");
        }
    }
}

/// Whether one phrase stands wherever the other does.
pub(super) fn covers(wider: &str, narrower: &str) -> bool {
    let (wide, narrow) = (fold(wider), fold(narrower));
    if wide == narrow {
        return true;
    }
    let pieces = |text: &str| {
        text.split('*').map(|piece| piece.trim().to_owned()).filter(|piece| !piece.is_empty()).collect::<Vec<_>>()
    };
    let (wide, narrow) = (pieces(&wide), pieces(&narrow));
    let [wide] = wide.as_slice() else { return false };
    narrow.iter().enumerate().any(|(index, piece)| {
        // What follows a `*` may begin in the middle of a word.
        piece.match_indices(wide.as_str()).any(|(at, _)| if at == 0 { index == 0 } else { begins_a_word(piece, at) })
    })
}

/// Whether a word begins here for certain.
fn begins_a_word(text: &str, at: usize) -> bool {
    let before = text[..at].chars().next_back();
    before.is_some_and(|before| !before.is_alphanumeric())
}
