//! Phrases: words that must stand in a text one after the other, and how thousands of them are asked for in one mail. Texts and
//! phrases are folded (`words`), so that letter case, quotes, dashes and kinds of blanks do not count.

use std::borrow::Cow;
use std::ops::Range;

use aho_corasick::AhoCorasick;
use memchr::memmem;

use super::words::fold;

/// How far apart the pieces of a phrase with `*` may stand, in bytes of folded text.
const GAP: usize = 160;

/// Pieces of pages, all looked for in one pass.
#[derive(Debug, Default)]
pub(super) struct Markup {
    pieces: Option<AhoCorasick>,
}

impl Markup {
    /// Prepares some pieces; an error when there are more than one search can hold.
    pub(super) fn of(pieces: &[String]) -> Result<Self, aho_corasick::BuildError> {
        AhoCorasick::new(pieces).map(|pieces| Self { pieces: Some(pieces) })
    }

    /// For each piece whether it stands in a page.
    pub(super) fn found_in(&self, page: &str) -> Vec<bool> {
        let Some(pieces) = &self.pieces else { return Vec::new() };
        let mut found = vec![false; pieces.patterns_len()];
        for piece in pieces.find_overlapping_iter(page) {
            found[piece.pattern().as_usize()] = true;
        }
        found
    }
}

/// Some words that must stand in a text, one after the other; `*` between them stands for anything short.
#[derive(Debug, Clone)]
pub(super) struct Phrase {
    pieces: Vec<String>,
    /// Those of its longest piece.
    signs: Signs,
    language: Option<String>,
}

impl Phrase {
    /// The phrase, or `None` when it has no words.
    pub(super) fn parse(text: &str, language: Option<&str>) -> Option<Self> {
        let pieces = text.split('*').map(fold).filter(|piece| !piece.is_empty()).collect::<Vec<_>>();
        let signs = Signs::of(pieces.iter().max_by_key(|piece| piece.len())?);
        Some(Self { pieces, signs, language: language.map(str::to_owned) })
    }

    /// The language that the phrase is in, where its author said so.
    pub(super) fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }

    /// Whether the phrase stands in a text.
    fn stands_in(&self, text: &Searched<'_>) -> bool {
        text.may_hold(&self.signs) && self.place_in(text.folded.as_ref()).is_some()
    }

    /// What stands after the phrase in a folded text.
    pub(super) fn after<'t>(&self, folded: &'t str) -> Option<&'t str> {
        folded.get(self.place_in(folded)?.end..)
    }

    /// Where the phrase stands in a folded text. A word of it does not begin in the middle of another word.
    fn place_in(&self, folded: &str) -> Option<Range<usize>> {
        let (first, rest) = self.pieces.split_first()?;
        let mut from = 0;
        while let Some(at) = folded.get(from..).and_then(|tail| find(tail, first)).map(|at| from + at) {
            let end = at + first.len();
            if begins_a_word(folded, at)
                && let Some(length) = follow(&folded[end..], rest)
            {
                return Some(at..end + length);
            }
            from = at + first.chars().next().map_or(1, char::len_utf8);
        }
        None
    }
}

/// Whether a phrase that no list holds stands in a folded text, such as one that a shop configured.
pub(super) fn says(folded: &str, phrase: &str) -> bool {
    Phrase::parse(phrase, None).is_some_and(|phrase| phrase.place_in(folded).is_some())
}

/// Where `piece` begins in `text`. The texts are short, and the standard library would first study the piece for longer than it
/// takes to find it.
fn find(text: &str, piece: &str) -> Option<usize> {
    memmem::find(text.as_bytes(), piece.as_bytes())
}

/// Whether the pieces stand in `tail` one after the other, each near the one before: then how far they reach.
fn follow(tail: &str, pieces: &[String]) -> Option<usize> {
    let mut reached = 0;
    for piece in pieces {
        let rest = &tail[reached..];
        let mut end = rest.len().min(GAP + piece.len());
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        reached += find(&rest[..end], piece)? + piece.len();
    }
    Some(reached)
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
    /// The first phrase that stands in a text.
    pub(super) fn find(&self, text: &Searched<'_>) -> Option<&Phrase> {
        self.0.iter().find(|phrase| phrase.stands_in(text))
    }

    /// Those that may stand somewhere in a text: the only ones to look for in parts of it.
    pub(super) fn possible_in<'p>(&'p self, text: &Searched<'_>) -> Vec<&'p Phrase> {
        self.0.iter().filter(|phrase| text.may_hold(&phrase.signs)).collect()
    }
}

/// The first place in a folded text where one of some phrases stands; of several that begin there the longest.
pub(super) fn first_of<'p>(phrases: &[&'p Phrase], folded: &str) -> Option<(Range<usize>, &'p Phrase)> {
    let places = phrases.iter().filter_map(|phrase| Some((phrase.place_in(folded)?, *phrase)));
    places.min_by_key(|(place, _)| (place.start, std::cmp::Reverse(place.end)))
}

/// Signs of a piece that are looked for before the piece itself is.
const SIGNS: usize = 4;

/// Runs of bytes within the longest piece of a phrase, as hashes. Hardly any phrase stands in a given mail, and to look for each
/// by itself would cost more than all else together.
#[derive(Debug, Clone, Copy)]
struct Signs {
    hashes: [u32; SIGNS],
    /// How long the runs are; none is looked for when the piece is shorter than they.
    runs: Runs,
}

/// How long runs of bytes are.
#[derive(Debug, Clone, Copy)]
enum Runs {
    Eight,
    Four,
    None,
}

impl Signs {
    fn of(piece: &str) -> Self {
        let bytes = piece.as_bytes();
        // From the start to the end, with equal gaps.
        let at = |sign: usize, run: usize| (bytes.len() - run) * sign / (SIGNS - 1);
        let hash = |sign: usize, run: usize| {
            let tail = &bytes[at(sign, run)..];
            match run {
                8 => tail.first_chunk().map_or(0, |run| eight(*run)),
                _ => tail.first_chunk().map_or(0, |run| four(*run)),
            }
        };
        let (run, runs) = match bytes.len() {
            0..4 => return Self { hashes: [0; SIGNS], runs: Runs::None },
            4..8 => (4, Runs::Four),
            _ => (8, Runs::Eight),
        };
        Self { hashes: std::array::from_fn(|sign| hash(sign, run)), runs }
    }
}

/// The hash of eight bytes.
fn eight(run: [u8; 8]) -> u32 {
    mixed(u64::from_le_bytes(run))
}

/// The hash of four bytes.
fn four(run: [u8; 4]) -> u32 {
    mixed(u64::from(u32::from_le_bytes(run)))
}

/// The upper half of a product with a number whose bits look like chance (2^64 divided by the golden ratio).
fn mixed(run: u64) -> u32 {
    u32::try_from(run.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32).unwrap_or_default()
}

/// The runs of a text: a bit is set for the hash of each, among eight times as many bits as it has bytes.
#[derive(Debug)]
struct RunsOf {
    eight: Vec<u64>,
    four: Vec<u64>,
    /// Takes a hash to its bit.
    shift: u32,
}

impl RunsOf {
    fn text(text: &[u8]) -> Self {
        let bits = (text.len() * 8).next_power_of_two().clamp(1 << 9, 1 << 24);
        let shift = u32::BITS - bits.trailing_zeros();
        let (mut of_eight, mut of_four) = (vec![0; bits / 64], vec![0; bits / 64]);
        let set = |bits: &mut Vec<u64>, hash: u32| {
            let bit = (hash >> shift) as usize;
            bits[bit / 64] |= 1 << (bit % 64);
        };
        for at in 0..text.len() {
            if let Some(run) = text[at..].first_chunk() {
                set(&mut of_eight, eight(*run));
            }
            if let Some(run) = text[at..].first_chunk() {
                set(&mut of_four, four(*run));
            }
        }
        Self { eight: of_eight, four: of_four, shift }
    }

    /// Whether all signs of a piece are there. Where one is missing, so is the piece.
    fn may_hold(&self, signs: &Signs) -> bool {
        let bits = match signs.runs {
            Runs::Eight => &self.eight,
            Runs::Four => &self.four,
            Runs::None => return true,
        };
        signs.hashes.iter().all(|hash| {
            let bit = (hash >> self.shift) as usize;
            bits.get(bit / 64).is_some_and(|bits| bits & (1 << (bit % 64)) != 0)
        })
    }
}

/// A folded text in which phrases are looked for.
#[derive(Debug)]
pub(super) struct Searched<'t> {
    folded: Cow<'t, str>,
    runs: Option<RunsOf>,
}

impl<'t> Searched<'t> {
    /// A folded text in which many phrases are looked for.
    pub(super) fn of(folded: impl Into<Cow<'t, str>>) -> Self {
        let folded = folded.into();
        Self { runs: Some(RunsOf::text(folded.as_bytes())), folded }
    }

    /// A short folded text, in which every phrase is looked for by itself.
    pub(super) fn unsearched(folded: &'t str) -> Self {
        Self { folded: Cow::Borrowed(folded), runs: None }
    }

    /// The folded text.
    pub(super) fn folded(&self) -> &str {
        &self.folded
    }

    /// Whether a piece with these signs may stand in the text.
    fn may_hold(&self, signs: &Signs) -> bool {
        self.runs.as_ref().is_none_or(|runs| runs.may_hold(signs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stands(phrase: &str, text: &str) -> bool {
        let phrase = Phrase::parse(phrase, None).unwrap();
        let folded = fold(text);
        let alone = phrase.stands_in(&Searched::unsearched(&folded));
        assert_eq!(phrase.stands_in(&Searched::of(folded.as_str())), alone);
        alone
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
}
