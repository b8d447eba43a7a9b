//! The words of letters and the files of their folder.

use minijinja::{Value, context};

use crate::domain::LetterKind;
use crate::wording::Folder;

use super::afs::{self, Facts};

/// The words that both letters share.
pub(super) const SHARED: [&str; 19] = [
    "greeting",
    "greeting_unnamed",
    "rate",
    "star",
    "worst",
    "best",
    "button",
    "order",
    "more",
    "signature",
    "why",
    "objection",
    "unsubscribe",
    "not_arrived",
    "later",
    "view",
    "your_data",
    "about",
    "customer",
];

/// The words that each kind of letter has of its own, in the tables `[invitation]` and `[reminder]`.
pub(super) const OF_A_KIND: [&str; 4] = ["subject", "preheader", "heading", "body"];

/// A letter without these would be no letter, or against the law.
const NEVER_EMPTY: [&str; 8] = ["subject", "body", "button", "why", "unsubscribe", "later", "your_data", "about"];

/// The folder of the letters.
pub(super) struct LetterFolder;

impl Folder for LetterFolder {
    const GUIDE: &'static str = "docs/letters.md";
    const EXAMPLE: &'static str = "templates/letters/en/words.toml";
    const WORDS: &'static [(&'static str, &'static [&'static str])] =
        &[("", &SHARED), ("invitation", &OF_A_KIND), ("reminder", &OF_A_KIND)];

    fn is_common(name: &str) -> bool {
        name.strip_prefix("layout").is_some_and(is_template) || Self::is_of_locale(name)
    }

    fn is_of_locale(name: &str) -> bool {
        LetterKind::ALL.iter().any(|kind| name.strip_prefix(kind.as_str()).is_some_and(is_template))
    }

    fn is_html(template: &str) -> bool {
        template.ends_with(".mjml")
    }

    fn is_never_empty(_: &str, key: &str) -> bool {
        NEVER_EMPTY.contains(&key)
    }

    fn trials(_: &str, key: &str) -> Vec<Value> {
        let facts = Facts {
            name: "Anna",
            customer: "customer",
            shop: "Shop",
            domain: "shop.example",
            reference: "1001",
            link: "https://reviews.example/r",
            products: &[],
        };
        vec![variables(key, &facts, 2), variables(key, &Facts { name: "", ..facts }, 2)]
    }

    fn variables(_: &str, key: &str) -> String {
        let more = match key {
            "star" => " {{ stars }}",
            "more" => " {{ count }}",
            _ => "",
        };
        format!("{{{{ name }}}} {{{{ shop }}}} {{{{ reference }}}}{more}")
    }
}

fn is_template(extension: &str) -> bool {
    matches!(extension, ".mjml" | ".txt")
}

/// What a word can refer to, with the variables of [`afs`]. `number` is the star or the count of products that are not named, in the
/// two words that have one.
pub(super) fn variables(key: &str, facts: &Facts<'_>, number: usize) -> Value {
    let Facts { name, shop, reference, .. } = *facts;
    let afs = afs::value(facts);
    match key {
        "star" => context! { name, shop, reference, afs, stars => number },
        "more" => context! { name, shop, reference, afs, count => number },
        _ => context! { name, shop, reference, afs },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wording::known_name;

    #[test]
    fn files_are_known_by_their_names() {
        for (name, known) in [
            ("layout.mjml", Some("layout.mjml")),
            ("reminder.txt", Some("reminder.txt")),
            ("sv/words.toml", Some("sv/words.toml")),
            ("de-AT/invitation.mjml", Some("de-at/invitation.mjml")),
            ("words.toml", None),
            ("sv/layout.mjml", None),
            ("sv/newsletter.mjml", None),
            ("invitation.html", None),
            ("swedish/words.toml", None),
            ("../sv/words.toml", None),
            ("sv-/words.toml", None),
            ("sv/a/words.toml", None),
        ] {
            assert_eq!(known_name::<LetterFolder>(name).as_deref(), known, "{name}");
        }
    }
}
