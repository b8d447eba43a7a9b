//! The words of order mails in all languages, from `templates/lexicon/`: one file a language, so that somebody who speaks it can
//! read and mend it. The lists have the same names in every file; templates and the generic reader speak of them by name.

use std::collections::BTreeMap;

use super::dates::Months;
use super::phrases::{Phrase, Phrases, Searched};
use super::words::{Label, fold};
use crate::document::{Document, Entry, Problems, Table};
use crate::domain::EventKind;

/// Lists of what stands before, over or beside a value.
pub(super) const LABELS: &[&str] = &[
    "order_words",
    "order_number",
    "order_fillers",
    "invoice_number",
    "credit_number",
    "shipment_number",
    "tracking_number",
    "customer_number",
    "payment_number",
    "other_number",
    "phone",
    "order_date",
    "date",
    "expected_delivery",
    "billing_address",
    "shipping_address",
    "customer_name",
    "first_name",
    "last_name",
    "company",
    "email",
    "salutation",
    "salutation_after",
    "thanks",
    "titles",
    "nobody",
    "product",
    "quantity",
    "unit_price",
    "line_total",
    "sku",
    "sums",
    "status",
    "refund_amount",
    "order_total",
];

/// Lists of labels that are looked for within lines too: `your order, placed on 8 August, has …`.
const INLINE: &[&str] = &["status", "order_date", "refund_amount", "order_total"];

/// Lists of phrases that a subject or a sentence is searched for: the events, and words that change what those say.
pub(super) const PHRASES: &[&str] = &[
    "things",
    "refunded_in_part",
    "cancelled",
    "refunded",
    "delayed",
    "delivered",
    "shipped",
    "paid",
    "confirmed",
    "placed",
    "not_yet",
    "open_state",
    "request",
    "trouble",
    "in_part",
    "shipped_in_part",
    "last_part",
    "update",
    "admin_copy",
    "account",
    "contact",
    "newsletter",
    "automatic_reply",
    "other_mail",
    "invoice",
    "carrier",
    "failed",
];

/// The lists of phrases that tell of an event, worst news first: a cancelled order that is taken for a new one would bring a letter.
pub(super) const NEWS: &[(&str, EventKind)] = &[
    ("refunded_in_part", EventKind::RefundedInPart),
    ("cancelled", EventKind::Cancelled),
    ("refunded", EventKind::Refunded),
    ("delayed", EventKind::Delayed),
    ("delivered", EventKind::Delivered),
    ("shipped", EventKind::Shipped),
    ("paid", EventKind::Paid),
    ("confirmed", EventKind::Placed),
];

/// All words of all languages.
#[derive(Default)]
pub(super) struct Lexicon {
    labels: BTreeMap<String, Vec<Label>>,
    /// Phrases of subjects, by list.
    subject: BTreeMap<String, Phrases>,
    /// Phrases of sentences, by list.
    sentence: BTreeMap<String, Phrases>,
    months: Months,
    /// The words for an order, as phrases.
    order_words: Phrases,
    /// Labels that running text has too, as phrases.
    inline: BTreeMap<&'static str, Phrases>,
}

/// Where a list of phrases is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    /// In the subject.
    Subject,
    /// In the sentences of the body.
    Sentence,
}

impl Lexicon {
    /// Reads the files of all languages; what is wrong with them goes to `problems`.
    pub(super) fn read(documents: &[Document], problems: &Problems) -> Self {
        let mut lexicon = Self::default();
        let mut languages: Vec<String> = Vec::new();
        for document in documents {
            document.read(problems, |table| {
                let language = table.required_string("language", "add language = \"de\"")?;
                let known = super::evidence::locale(language.value).is_some();
                if !known || language.value.contains(['-', '_']) {
                    language.problem("is no language", "use a code of ISO 639, such as en or de; any for all");
                } else if languages.iter().any(|other| other == language.value) {
                    language
                        .problem("is the language of another file too", "put all words of a language into one file");
                }
                languages.push(language.value.to_owned());
                lexicon.language(table, language.value);
                Some(())
            });
        }
        for list in lexicon.labels.values_mut() {
            // A longer label goes first, so that `Order` does not take `Order number`.
            list.sort_by_key(|label| std::cmp::Reverse(label.text.chars().count()));
        }
        let phrases = |list| {
            let labels = lexicon.labels(list).iter();
            Phrases(labels.filter_map(|label| Phrase::parse(&label.text, label.language.as_deref())).collect())
        };
        let order_words = phrases("order_words");
        lexicon.inline = INLINE.iter().map(|list| (*list, phrases(list))).collect();
        lexicon.order_words = order_words;
        lexicon
    }

    fn language(&mut self, table: &Table<'_>, language: &str) {
        let tag = (language != "any").then_some(language);
        let months = table.strings("months").unwrap_or_default();
        if !months.len().is_multiple_of(12) {
            table.problem(
                format!("months has {} names", months.len()),
                "write twelve names, or twice twelve for two cases",
            );
        }
        if !months.is_empty() {
            self.months.0.push(months.iter().map(|name| fold(name.value)).collect());
        }
        for (name, texts) in table.named_strings("labels") {
            if known(&name, LABELS) {
                add_labels(self.labels.entry(name.value.to_owned()).or_default(), &texts, tag);
            }
        }
        let order_words = order_words(table);
        for (section, lists) in [("subject", &mut self.subject), ("sentence", &mut self.sentence)] {
            for (name, texts) in table.named_strings(section) {
                if !known(&name, PHRASES) {
                    continue;
                }
                let list = lists.entry(name.value.to_owned()).or_default();
                for text in texts {
                    match Phrase::parse(text.value, tag) {
                        Some(phrase) => list.0.push(phrase),
                        None => text.problem("has no words", "write the words that stand in the mail"),
                    }
                    if name.value == "confirmed"
                        && let Some(apart) = apart(text.value, &order_words)
                    {
                        list.0.extend(Phrase::parse(&apart, tag));
                    }
                }
            }
        }
    }

    /// A list of labels; empty when no language has it.
    pub(super) fn labels(&self, name: &str) -> &[Label] {
        self.labels.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// A list of phrases, if a language has it.
    pub(super) fn phrases(&self, place: Where, name: &str) -> Option<&Phrases> {
        match place {
            Where::Subject => self.subject.get(name),
            Where::Sentence => self.sentence.get(name),
        }
    }

    /// Whether the words of a language for what happens to orders are known, so that it means something when none of them is
    /// there. Without a language: whether that is so at all.
    pub(super) fn speaks(&self, language: Option<&str>) -> bool {
        ["cancelled", "refunded", "shipped"].iter().all(|list| {
            let phrases = self.phrases(Where::Sentence, list);
            phrases.is_some_and(|list| list.0.iter().any(|one| language.is_none() || one.language() == language))
        })
    }

    /// The words for an order, as phrases.
    pub(super) fn order_words(&self) -> &Phrases {
        &self.order_words
    }

    /// A list of labels of [`INLINE`] as phrases, those of them that may stand in a text.
    pub(super) fn inline(&self, list: &str, text: &Searched<'_>) -> Vec<&Phrase> {
        self.inline.get(list).map(|phrases| phrases.possible_in(text)).unwrap_or_default()
    }

    /// The month names.
    pub(super) fn months(&self) -> &Months {
        &self.months
    }
}

/// The words for an order of one file.
fn order_words(table: &Table<'_>) -> Vec<String> {
    let lists = table.named_strings("labels");
    let words = lists.into_iter().filter(|(name, _)| name.value == "order_words").flat_map(|(_, words)| words);
    words.map(|word| fold(word.value)).collect()
}

/// `order has been received` with room for a number and a name: `order * has been received`. What is less than two words more
/// than the order stands beside it or says nothing.
fn apart(phrase: &str, order_words: &[String]) -> Option<String> {
    let folded = fold(phrase);
    let (word, rest) =
        order_words.iter().find_map(|word| Some((word, folded.strip_prefix(word.as_str())?.strip_prefix(' ')?)))?;
    (rest.contains(' ') && !rest.starts_with('*')).then(|| format!("{word} * {rest}"))
}

fn known(name: &Entry<'_, &str>, all: &[&str]) -> bool {
    let known = all.contains(&name.value);
    if !known {
        name.problem("is no list that is used", format!("use one of {}", all.join(", ")));
    }
    known
}

/// Adds the labels of one language to a list; a label that two languages have is in no language in particular.
pub(super) fn add_labels(list: &mut Vec<Label>, texts: &[Entry<'_, &str>], language: Option<&str>) {
    for text in texts {
        let Some(mut label) = Label::parse(text.value) else {
            text.problem("has no words", "write the label as the mail has it");
            continue;
        };
        label.language = language.map(str::to_owned);
        match list.iter_mut().find(|known| known.same_words(&label)) {
            Some(known) if known.language != label.language => known.language = None,
            Some(_) => {}
            None => list.push(label),
        }
    }
}

/// Whether a document is a file of words: it says in which language, and has no name.
pub(super) fn is_lexicon(document: &Document) -> bool {
    language_of(document).is_some()
}

/// The language of a file of words.
pub(super) fn language_of(document: &Document) -> Option<String> {
    let mut language = None;
    document.read(&Problems::default(), |table| {
        if table.any("name").is_none() {
            language = table.string("language").map(|entry| entry.value.to_owned());
        }
        Some(())
    });
    language
}

/// The files of words that count: those that ship, but for languages that a file of the shop speaks.
pub(super) fn laid_over(files: Vec<Document>, shipped: Vec<Document>) -> Vec<Document> {
    let own = files.iter().filter_map(language_of).collect::<Vec<_>>();
    let kept = shipped.into_iter().filter(|one| language_of(one).is_none_or(|language| !own.contains(&language)));
    kept.chain(files).collect()
}

/// Everything that is wrong with some files of words.
#[cfg(test)]
pub(super) fn problems_of(documents: &[Document]) -> Vec<crate::document::Problem> {
    let problems = Problems::default();
    Lexicon::read(documents, &problems);
    problems.into_sorted()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        problems_of(&[Document::new("xx.toml", text)]).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_is_wrong_with_a_file_of_words_has_a_place() {
        for (text, wanted) in [
            ("language = \"de\"\n[labels]\nordr_number = [\"x\"]", "xx.toml:3:15: labels.ordr_number: is no list"),
            ("language = \"de\"\n[sentence]\nshippd = [\"x\"]", "xx.toml:3:10: sentence.shippd: is no list"),
            ("language = \"deutsch\"", "xx.toml:1:12: language: is no language"),
            ("language = \"de\"\nmonths = [\"Januar\"]", "months has 1 names"),
            ("[labels]", "add language"),
            ("language = \"de\"\nlabel = 1", "xx.toml:2:1: label: is no key"),
            ("language = \"de\"\n[labels]\nsku = [\" : \"]", "has no words"),
        ] {
            assert!(problem(text).contains(wanted), "{text}\n{}", problem(text));
        }
        assert_eq!(problem("language = \"de\"\n[labels]\nsku = [\"Art.-Nr.\"]"), "");
    }

    #[test]
    fn a_language_is_said_once() {
        let file = || Document::new("xx.toml", "language = \"de\"");
        assert!(problems_of(&[file(), file()])[0].to_string().contains("another file"));
        assert_eq!(laid_over(vec![file()], vec![file(), Document::new("en.toml", "language = \"en\"")]).len(), 2);
    }

    #[test]
    fn a_label_of_two_languages_is_in_none() {
        let files = [
            Document::new("a", "language = \"de\"\n[labels]\nproduct = [\"Artikel\", \"Ware\"]"),
            Document::new("b", "language = \"nl\"\n[labels]\nproduct = \"Artikel\""),
        ];
        let lexicon = Lexicon::read(&files, &Problems::default());
        let shown = lexicon.labels("product").iter().map(|label| (label.text.as_str(), label.language.as_deref()));
        assert_eq!(shown.collect::<Vec<_>>(), [("Artikel", None), ("Ware", Some("de"))]);
    }
}
