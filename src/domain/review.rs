//! Reviews: what a customer wrote, how it came to us, and what it must be like to be kept. Words come from outside; they are cleaned
//! and measured here, once, so that nothing that is shown later can be anything but text.

use std::fmt;

use icu_normalizer::ComposingNormalizerBorrowed;
use serde::{Deserialize, Serialize};

use super::ids::{InvitationId, ReviewId};
use super::order::OrderReference;
use super::shop::ShopId;
use super::text::clean;
use super::time::Timestamp;

/// How many stars a review gives, 1 to 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Stars(u8);

impl Stars {
    /// Every number of stars.
    pub const ALL: [Self; 5] = [Self(1), Self(2), Self(3), Self(4), Self(5)];

    /// This number of stars, when there are as many.
    pub const fn new(number: u8) -> Option<Self> {
        if matches!(number, 1..=5) { Some(Self(number)) } else { None }
    }

    /// The stars in `text`, one digit.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stars| text.trim() == stars.to_string())
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Stars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<u8> for Stars {
    type Error = &'static str;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        Self::new(number).ok_or("a review has 1 to 5 stars")
    }
}

impl From<Stars> for u8 {
    fn from(stars: Stars) -> Self {
        stars.0
    }
}

/// What a review is about. There is one per order and kind, and of products one for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReviewKind {
    /// The shop, as the customer found it with this order.
    Service,
    /// Something that was bought.
    Product,
}

/// How a review was collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Collected {
    /// By a letter to an order that a copy of the shop's mail told of.
    Automatic,
    /// By a letter that a person or an imported file asked for.
    Manual,
    /// By a link that the shop made for one order.
    Link,
    /// By the shop's generic link, which is open to anybody.
    Basic,
}

impl Collected {
    /// Every way.
    pub const ALL: [Self; 4] = [Self::Automatic, Self::Manual, Self::Link, Self::Basic];

    /// The word for it in tables, JSON and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::Manual => "manual",
            Self::Link => "link",
            Self::Basic => "basic",
        }
    }

    /// The way of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.as_str() == word)
    }

    /// Whether the shop vouches for an order behind the review.
    pub const fn is_verified(self) -> bool {
        !matches!(self, Self::Basic)
    }
}

impl ReviewKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Service, Self::Product];

    /// The word for it in tables, JSON and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Product => "product",
        }
    }

    /// The kind of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

macro_rules! shown_by_their_words {
    ($($what:ty),*) => {$(
        impl fmt::Display for $what {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}
shown_by_their_words!(ReviewKind, Collected, ReviewField);

/// A field of a review's form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReviewField {
    /// The stars.
    Stars,
    /// The heading.
    Title,
    /// The words.
    Text,
    /// The name that is shown.
    Name,
}

impl ReviewField {
    /// Its name in the form.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stars => "stars",
            Self::Title => "title",
            Self::Text => "text",
            Self::Name => "name",
        }
    }

    /// How many characters it holds at most, after cleaning.
    pub const fn at_most(self) -> usize {
        match self {
            Self::Stars => 1,
            Self::Title => 100,
            Self::Text => 5_000,
            Self::Name => 60,
        }
    }
}

/// What is wrong with a field. It never repeats what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// There are no stars, or no such number of them.
    #[error("stars: choose 1 to 5")]
    Stars,
    /// More characters than the field holds.
    #[error("{field}: has {has} characters, {} at most", .field.at_most())]
    TooLong {
        /// The field.
        field: ReviewField,
        /// How many characters it has.
        has: usize,
    },
}

impl Flaw {
    /// The field that it is in.
    pub const fn field(self) -> ReviewField {
        match self {
            Self::Stars => ReviewField::Stars,
            Self::TooLong { field, .. } => field,
        }
    }
}

/// The words of a review: cleaned, composed (Unicode NFC), within bounds. Any of them may be empty. The text keeps its lines, with
/// never more than one empty line between two.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReviewText {
    title: String,
    text: String,
    name: String,
}

/// Without the words, which are a customer's.
impl fmt::Debug for ReviewText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReviewText").finish_non_exhaustive()
    }
}

impl ReviewText {
    /// The words as they may be kept.
    ///
    /// # Errors
    /// Every field that is too long. Nothing is cut: the customer decides what goes.
    pub fn parse(title: &str, text: &str, name: &str) -> Result<Self, Vec<Flaw>> {
        let words = Self { title: line(title), text: paragraphs(text), name: line(name) };
        let fields =
            [(ReviewField::Title, &words.title), (ReviewField::Text, &words.text), (ReviewField::Name, &words.name)];
        let flaws = fields.into_iter().filter_map(|(field, value)| {
            let has = value.chars().count();
            (has > field.at_most()).then_some(Flaw::TooLong { field, has })
        });
        let flaws = flaws.collect::<Vec<_>>();
        if flaws.is_empty() { Ok(words) } else { Err(flaws) }
    }

    /// The heading, one line.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The words, lines divided by `\n`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The name that is shown, one line.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn line(text: &str) -> String {
    clean(&ComposingNormalizerBorrowed::new_nfc().normalize(text), usize::MAX / 4)
}

fn paragraphs(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace(['\r', '\u{2028}', '\u{2029}', '\u{85}'], "\n");
    let mut out = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.split('\n').map(line) {
        if line.is_empty() {
            empty += 1;
            continue;
        }
        if !out.is_empty() {
            out.push_str(if empty > 0 { "\n\n" } else { "\n" });
        }
        empty = 0;
        out.push_str(&line);
    }
    out
}

/// One review as a customer sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// How many stars.
    pub stars: Stars,
    /// The words.
    pub words: ReviewText,
}

impl Draft {
    /// What stands in the form's fields.
    ///
    /// # Errors
    /// Every flaw, in the order of the fields.
    pub fn parse(stars: &str, title: &str, text: &str, name: &str) -> Result<Self, Vec<Flaw>> {
        let stars = Stars::parse(stars);
        match (stars, ReviewText::parse(title, text, name)) {
            (Some(stars), Ok(words)) => Ok(Self { stars, words }),
            (stars, words) => {
                let missing = stars.is_none().then_some(Flaw::Stars);
                Err(missing.into_iter().chain(words.err().unwrap_or_default()).collect())
            }
        }
    }
}

/// All that a customer sends with one form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// About the shop.
    pub service: Draft,
    /// About products, each by its place among the order's.
    pub products: Vec<(usize, Draft)>,
    /// The language of the page that it was written on: `de`, `pt-BR`.
    pub language: String,
}

/// A review as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Review {
    /// Its number.
    pub id: ReviewId,
    /// Of which shop.
    pub shop: ShopId,
    /// About which order, where it is about one.
    pub reference: Option<OrderReference>,
    /// The invitation that it answers.
    pub invitation: Option<InvitationId>,
    /// About what.
    pub kind: ReviewKind,
    /// The product's name, where it is about one.
    pub product: Option<String>,
    /// How it came.
    pub collected: Collected,
    /// Whether an order stands behind it.
    pub verified: bool,
    /// How many stars. They stay when the review is deleted, so that the figures do.
    pub stars: Stars,
    /// The words; empty when it is deleted.
    #[serde(flatten)]
    pub words: ReviewText,
    /// The language of the page that it was written on.
    pub language: String,
    /// When it was first written.
    pub written_at: Timestamp,
    /// When it was last changed.
    pub edited_at: Option<Timestamp>,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
    /// The member of staff who deleted it; `None` when its author did.
    pub deleted_by: Option<String>,
    /// Why that member of staff did.
    pub delete_reason: Option<String>,
}

impl Review {
    /// Whether it stands.
    pub const fn stands(&self) -> bool {
        self.deleted_at.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_words_are_kept_as_the_text_that_is_left_of_them() {
        for (from, to) in [
            ("  Great\r\n shop ", "Great shop"),
            ("<script>alert(1)</script>", "<script>alert(1)</script>"),
            ("a\u{202E}b\u{0}c\u{1b}[2Jd", "abc[2Jd"),
            ("{{ 7*7 }} {% raw %}", "{{ 7*7 }} {% raw %}"),
            ("u\u{308}ber", "\u{fc}ber"),
            ("\u{200b}\u{feff}", ""),
        ] {
            let words = ReviewText::parse(from, from, from).unwrap();
            assert_eq!((words.title(), words.name()), (to, to));
        }
    }

    #[test]
    fn a_text_keeps_its_lines_and_one_empty_one_between_two() {
        for (from, to) in [
            ("one\r\ntwo", "one\ntwo"),
            ("one\n\n\n \u{200b}\n\ttwo  three\n\n", "one\n\ntwo three"),
            ("\n\none\u{2029}two\u{85}three", "one\ntwo\nthree"),
            ("", ""),
        ] {
            assert_eq!(ReviewText::parse("", from, "").unwrap().text(), to, "{from:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_refused_with_its_field_and_bound_and_never_cut() {
        let fits = |n: usize| "\u{e5}".repeat(n);
        assert!(ReviewText::parse(&fits(100), &fits(5_000), &fits(60)).is_ok());
        let flaws = ReviewText::parse(&fits(101), &fits(5_001), &fits(61)).unwrap_err();
        let said = flaws.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            said,
            [
                "title: has 101 characters, 100 at most",
                "text: has 5001 characters, 5000 at most",
                "name: has 61 characters, 60 at most"
            ]
        );
        assert_eq!(Draft::parse("", "", "", &fits(61)).unwrap_err()[..], [Flaw::Stars, flaws[2]]);
    }

    #[test]
    fn stars_are_one_digit_from_one_to_five() {
        for (text, stars) in [("1", Some(1)), (" 5 ", Some(5)), ("0", None), ("6", None), ("05", None), ("", None)] {
            assert_eq!(Stars::parse(text).map(Stars::get), stars, "{text:?}");
        }
        assert!(serde_json::from_str::<Stars>("6").is_err());
        assert_eq!(Draft::parse("x", "", "", "").unwrap_err(), [Flaw::Stars]);
    }

    #[test]
    fn only_the_generic_link_leaves_a_review_unverified() {
        for way in Collected::ALL {
            assert_eq!(way.is_verified(), way != Collected::Basic);
            assert_eq!(Collected::parse(way.as_str()), Some(way));
        }
        assert_eq!(ReviewKind::ALL.map(|kind| ReviewKind::parse(kind.as_str())), ReviewKind::ALL.map(Some));
    }

    #[test]
    fn no_word_of_a_customer_is_in_the_debug_text() {
        let draft = Draft::parse("4", "Secret title", "Secret text", "Secret name").unwrap();
        assert!(!format!("{draft:?}").contains("Secret"));
    }
}
