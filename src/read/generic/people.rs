//! Who a mail of unknown make was written to: the name in the greeting, at a label, in a postal address. A name counts that two
//! of them have, or that stands where only a name can.

use super::layout::{Labelled, Layout, Place};
use crate::domain::{EmailAddress, PersonName};
use crate::read::lexicon::Lexicon;
use crate::read::phrases::Searched;
use crate::read::words::{Label, beginning, fold};

/// Small words in names.
const PARTICLES: &[&str] = &[
    "von", "vom", "van", "der", "den", "de", "da", "das", "do", "dos", "di", "del", "della", "des", "du", "la", "le",
    "el", "y", "e", "i", "af", "av", "zu", "zum", "zur", "zu", "ter", "ten", "te", "'t", "’t", "bin", "ibn", "al",
    "und", "in", "op", "dalla", "dal", "lo",
];
/// Lines at the start of a mail among which the greeting is.
const GREETING: usize = 14;
/// Lines of a postal address that may be the person.
const ADDRESS: usize = 6;
/// Words of a name.
const WORDS: usize = 6;

/// What was found about the customer's name.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The best of them, with the rule that found it.
    pub(super) best: Option<(PersonName, &'static str)>,
    /// Whether the mail greets somebody whose name has nothing of the addressee's.
    pub(super) is_for_another: bool,
}

/// Where to look for a name.
pub(super) struct People<'l> {
    pub(super) lexicon: &'l Lexicon,
    /// The display name of the one addressee.
    pub(super) addressee: Option<&'l str>,
    /// The local part of the one addressee's address.
    pub(super) mailbox: Option<&'l str>,
    /// The author's display name: the shop's, which nobody else has.
    pub(super) author: Option<&'l str>,
}

impl People<'_> {
    /// The name, best place first: the person of a postal address whom the greeting or `To:` names; a labelled name; the greeting,
    /// when it has the whole name; the first line of an address; `To:`; a given name in the greeting.
    pub(super) fn names(&self, layout: &Layout<'_>) -> Names {
        let greeted = self.greeting(layout.lines);
        let addressee: Option<String> =
            self.addressee.map(person_in).filter(|name| self.is_name(name)).map(str::to_owned);
        let (labelled, blocks) = (self.labelled(layout), self.addresses(layout));
        let known = |line: &&String| {
            let line = words(line);
            let part_of = |name: &String| {
                let name = words(name);
                !name.is_empty() && name.iter().all(|word| line.contains(word))
            };
            greeted.as_ref().is_some_and(part_of)
                || addressee.as_ref().is_some_and(part_of)
                || (greeted.is_none() && self.mailbox.is_some_and(|mailbox| is_of(mailbox, &line)))
        };
        let full = |name: &&String| is_full(name);
        let is_for_another = match (&greeted, &addressee) {
            (Some(greeted), Some(to)) if is_full(greeted) && is_full(to) && !is_company(to) => {
                let to = words(to);
                let greeted = words(greeted);
                !greeted.iter().any(|word| to.contains(word))
                    && !self.mailbox.is_some_and(|mailbox| is_of(mailbox, &greeted))
            }
            _ => false,
        };
        let person = blocks.iter().flatten().map(|(_, name)| name).find(known).cloned();
        let choices = [
            (person, "name.address"),
            (labelled.as_ref().filter(known).cloned(), "name.label"),
            (greeted.as_ref().filter(full).cloned(), "name.greeting"),
            (addressee.filter(|name| is_full(name)), "name.to"),
            (labelled, "name.label"),
            (greeted.as_deref().and_then(|name| self.standing_alone(name, layout.lines)), "name.line"),
            // An address that names somebody else than the greeting is a company's, or another person's.
            (
                blocks
                    .into_iter()
                    .flatten()
                    .find(|(line, _)| *line < 2)
                    .map(|(_, name)| name)
                    .filter(|_| greeted.is_none()),
                "name.address",
            ),
            (greeted, "name.greeting"),
        ];
        let best = choices.into_iter().find_map(|(name, rule)| Some((PersonName::parse(&name?)?, rule)));
        Names { best, is_for_another }
    }

    /// Whom the first lines greet: `Hi Anna,`, `Thanks, Anna!`, `山田 太郎 様`.
    fn greeting(&self, lines: &[String]) -> Option<String> {
        for line in lines.iter().take(GREETING) {
            let named = |list| beginning(self.lexicon.labels(list), line).find_map(|label| self.after(label, line));
            // `Thanks, Anna!` greets; `Thank You For Shopping` does not.
            let thanked = || named("thanks").filter(|name| !name.contains(' ') || line.contains([',', '，']));
            if let Some(name) = named("salutation").or_else(thanked) {
                return Some(name);
            }
            if let Some(name) = self.before_suffix(line) {
                return Some(name);
            }
        }
        None
    }

    /// The name after a salutation.
    fn after(&self, label: &Label, line: &str) -> Option<String> {
        let rest = label.value_after(line)?.trim_start_matches([',', '!', ' ']);
        // Another salutation may follow: `Hej och tack Anna`.
        let end = rest.find([',', '!', ':', '?', '，', '！', '、', ';']).unwrap_or(rest.len());
        let name = until_sentence_end(&rest[..end]).trim_end_matches(|c: char| !c.is_alphanumeric() && c != '.');
        let name = self.without_title(name.trim());
        let capital = name.starts_with(|first: char| {
            first.is_uppercase() || (first.is_alphabetic() && !first.is_lowercase() && first < '\u{2E80}')
        });
        (capital && self.is_name(name)).then(|| name.to_owned())
    }

    /// The name before an honorific that follows it.
    fn before_suffix(&self, line: &str) -> Option<String> {
        self.lexicon.labels("salutation_after").iter().find_map(|label| {
            // `山田 花子 さん、こんにちは`
            [Some(line), line.split_once('、').map(|(first, _)| first)].into_iter().flatten().find_map(|line| {
                let line = line.trim_end_matches(|c: char| !c.is_alphanumeric());
                let name = line.strip_suffix(label.text.as_str())?.trim();
                (self.is_name(name) && name.chars().count() <= 40).then(|| name.to_owned())
            })
        })
    }

    fn without_title<'t>(&self, name: &'t str) -> &'t str {
        without_title(self.lexicon, name)
    }

    /// The name at a label: in one piece, or in two.
    fn labelled(&self, layout: &Layout<'_>) -> Option<String> {
        let value = |list| layout.of_list(list).map(|one| one.value).find(|value| self.is_name(value));
        let heads_products = |one: &&Labelled<'_, '_>| !layout.heads_products(one.line);
        let named = || layout.of_list("customer_name").filter(heads_products).map(|one| one.value);
        // `Nom` beside `Prénom` is the family's, `Nome` beside `Cognome` the given one.
        let other = |known: &str| {
            named().find(|value| {
                self.is_name(value) && !value.split(' ').any(|word| known.split(' ').any(|one| one == word))
            })
        };
        match (value("first_name"), value("last_name")) {
            (Some(first), Some(last)) => return Some(format!("{first} {last}")),
            (Some(first), None) if let Some(last) = other(first) => return Some(format!("{first} {last}")),
            (None, Some(last)) if let Some(first) = other(last) => return Some(format!("{first} {last}")),
            _ => {}
        }
        named()
            .map(|value| self.without_title(value.split([',', '<', '(']).next().unwrap_or_default().trim()))
            .find(|name| self.is_name(name) && is_full(name))
            .map(str::to_owned)
    }

    /// The lines of postal addresses that may be the person, with their places, billing before shipping.
    fn addresses(&self, layout: &Layout<'_>) -> Vec<Vec<(usize, String)>> {
        let mut blocks = Vec::new();
        for (list, billing) in [("billing_address", true), ("shipping_address", false)] {
            for one in layout.of_list(list).take(4) {
                let mut block = Vec::new();
                // Behind its label in one line stands the whole address.
                let length = if one.place == Place::After { 1 } else { ADDRESS };
                let lines = layout.lines.get(one.value_line..).unwrap_or_default().iter().take(length);
                for (number, line) in lines.enumerate() {
                    let text = if number == 0 { one.value } else { line };
                    // An address in one line has commas between its parts.
                    let part = text.split([',', '|']).next().unwrap_or_default();
                    let name = self.without_title(part.trim());
                    // A city in a script without blanks looks like a name.
                    let plausible = name.contains(' ') || name.is_ascii();
                    if plausible && self.is_name(name) && is_full(name) && !is_company(name) {
                        // A present goes to somebody else: an address for the parcel names nobody by itself.
                        block.push((if billing { number } else { ADDRESS }, name.to_owned()));
                    }
                }
                if !block.is_empty() {
                    blocks.push(block);
                }
            }
        }
        blocks
    }

    /// The line that is nothing but a name of which the greeting has a part: `Hi Kelly` above, `Kelly Tran` below.
    fn standing_alone(&self, greeted: &str, lines: &[String]) -> Option<String> {
        let greeted = words(greeted);
        let full = |line: &&String| {
            let line_words = words(line);
            line_words.len() > greeted.len() && greeted.iter().all(|word| line_words.contains(word))
        };
        let greets = |line: &str| {
            ["salutation", "thanks"]
                .into_iter()
                .any(|list| beginning(self.lexicon.labels(list), line).any(|label| label.value_after(line).is_some()))
        };
        let alone = |line: &&String| self.is_name(line) && !is_company(line) && !greets(line);
        let found = lines.iter().filter(|line| line.chars().count() <= 60).filter(full).find(alone);
        found.map(|line| self.without_title(line).to_owned())
    }

    /// Whether a word for an order is one of the words of a text: `Kaufmann` is none.
    fn speaks_of_an_order(&self, text: &str) -> bool {
        let folded = fold(text);
        let possible = self.lexicon.order_words().possible_in(&Searched::of(folded.as_str()));
        possible.into_iter().any(|phrase| {
            let after = phrase.after(&folded);
            after.is_some_and(|after| after.chars().next().is_none_or(|c| !c.is_alphanumeric() || c >= '\u{2E80}'))
        })
    }

    /// Whether a text may be somebody's name: a few words that begin like names, none of which is a word for somebody whose name
    /// is not known, and not the shop's own.
    fn is_name(&self, text: &str) -> bool {
        let text = text.trim();
        let count = text.split_whitespace().count();
        let letters = text.chars().filter(|c| c.is_alphabetic()).count();
        let plain = |c: char| {
            c.is_alphabetic()
                || c.is_whitespace()
                || matches!(c, '\'' | '’' | '-' | '.' | '´' | '`' | '·' | '・' | '‐' | 'ʼ')
        };
        let cased = text.chars().next().is_some_and(|first| !first.is_lowercase());
        // `I'm Tom from the tool shop` is no name: small letters begin particles only.
        let small = |word: &str| word.starts_with(char::is_lowercase) && !PARTICLES.contains(&word);
        (1..=WORDS).contains(&count)
            && !text.split_whitespace().any(small)
            && !text.starts_with("I'm ")
            && !text.starts_with("I’m ")
            && letters >= 1
            && text.chars().count() <= 60
            && text.chars().all(plain)
            && cased
            && !self.speaks_of_an_order(text)
            && !beginning(self.lexicon.labels("nobody"), text).any(|nobody| nobody.is(text))
            && self.author.is_none_or(|author| fold(author) != fold(text))
            && EmailAddress::parse(text).is_err()
    }
}

/// A name without the words of address before it and the honorifics behind it.
pub(in crate::read) fn without_title<'t>(lexicon: &Lexicon, name: &'t str) -> &'t str {
    let mut name = name;
    for _ in 0..2 {
        let titles = lexicon.labels("titles");
        let Some(rest) =
            beginning(titles, name).find_map(|title| title.value_after(name).filter(|rest| !rest.is_empty()))
        else {
            break;
        };
        name = rest;
    }
    let suffixes = lexicon.labels("salutation_after");
    let bare = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix.text.as_str()));
    bare.map_or(name, str::trim_end)
}

/// A text up to a dot that ends a sentence, not one that shortens a word of a name: `St. John`, `J. R. Smith`, `Smith Jr.`.
fn until_sentence_end(text: &str) -> &str {
    for (at, _) in text.match_indices('.') {
        let word = text[..at].rsplit([' ', '.']).next().unwrap_or_default();
        if word.chars().count() > 3 {
            return &text[..at];
        }
    }
    text
}

/// Whether the local part of an address has a word of a name: `n.dannunzio` and Niccolò D'Annunzio.
pub(super) fn is_of(mailbox: &str, name: &[String]) -> bool {
    let plain = |text: &str| {
        let bare = text.chars().map(|c| match c {
            'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ą' | 'ă' => 'a',
            'è' | 'é' | 'ê' | 'ë' | 'ę' | 'ě' => 'e',
            'ì' | 'í' | 'î' | 'ï' => 'i',
            'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ő' => 'o',
            'ù' | 'ú' | 'û' | 'ü' | 'ů' | 'ű' => 'u',
            'ç' | 'ć' | 'č' => 'c',
            'ñ' | 'ń' | 'ň' => 'n',
            'ł' => 'l',
            'ś' | 'š' | 'ş' | 'ș' => 's',
            'ź' | 'ż' | 'ž' => 'z',
            'ř' => 'r',
            'ť' | 'ț' => 't',
            'ď' => 'd',
            'ý' => 'y',
            other => other,
        });
        bare.filter(char::is_ascii_alphanumeric).collect::<String>()
    };
    let mailbox = plain(&mailbox.to_lowercase());
    name.iter().map(|word| plain(word)).any(|word| word.len() >= 4 && mailbox.contains(&word))
}

/// The person of a display name that has a company too: `Lamps Ltd, Anna Ek`.
pub(in crate::read) fn person_in(name: &str) -> &str {
    let parts = [", ", " - ", " / ", " | "].iter().find_map(|sign| name.split_once(sign));
    match parts {
        Some((company, person)) if is_company(company) && !person.trim().is_empty() => person.trim(),
        Some((person, company)) if is_company(company) && !person.trim().is_empty() => person.trim(),
        _ => name,
    }
}

/// Whether a name has more than one part; scripts without blanks count letters.
fn is_full(name: &str) -> bool {
    name.split_whitespace().count() > 1 || name.chars().filter(|c| *c >= '\u{2E80}').count() > 2
}

/// Whether a line is a company's name, by its legal form.
pub(in crate::read) fn is_company(name: &str) -> bool {
    const FORMS: &[&str] = &[
        "gmbh", "ag", "kg", "ug", "ohg", "e.k.", "ltd", "ltd.", "limited", "inc", "inc.", "llc", "corp", "corp.",
        "plc", "ab", "hb", "aps", "a/s", "as", "asa", "oy", "oyj", "bv", "b.v.", "nv", "n.v.", "vof", "sarl", "sas",
        "sasu", "eurl", "s.a.", "sa", "srl", "s.r.l.", "spa", "s.p.a.", "sl", "s.l.", "lda", "lda.", "ltda", "s.r.o.",
        "a.s.", "sp.", "z", "o.o.", "kft", "kft.", "zrt", "gbr", "mbh", "co", "co.", "group", "partner", "mbb",
        "company", "eood", "ood", "d.o.o.", "oü", "uab", "sia",
    ];
    let folded = fold(name);
    let mut words = folded.split(' ').collect::<Vec<_>>();
    words.retain(|word| !word.is_empty());
    words.last().is_some_and(|last| FORMS.contains(last))
        || folded.contains("株式会社")
        || folded.contains("有限会社")
        || folded.contains(" & co")
}

/// The words of a name, folded.
pub(super) fn words(name: &str) -> Vec<String> {
    fold(name).split([' ', ',', '.']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}
