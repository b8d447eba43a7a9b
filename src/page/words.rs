//! The words of the pages, their variables, and the files of their folder.

use std::collections::BTreeMap;

use minijinja::Value;

use crate::wording::Folder;

/// The templates of which each page is made of one.
pub(super) const TEMPLATES: [&str; 7] =
    ["review.html", "message.html", "later.html", "unsubscribe.html", "unsubscribed.html", "data.html", "about.html"];

/// The folder of the pages.
pub(super) struct PageFolder;

const HEADING_AND_TEXT: &[&str] = &["heading", "text"];

impl Folder for PageFolder {
    const GUIDE: &'static str = "docs/pages.md";
    const EXAMPLE: &'static str = "templates/pages/en/words.toml";
    const WORDS: &'static [(&'static str, &'static [&'static str])] = &[
        (
            "",
            &[
                "optional",
                "date",
                "months",
                "contact",
                "to_review",
                "about_link",
                "data_link",
                "later_link",
                "unsubscribe_link",
            ],
        ),
        (
            "review",
            &[
                "heading",
                "heading_edit",
                "intro",
                "intro_edit",
                "order",
                "stars",
                "star1",
                "star2",
                "star3",
                "star4",
                "star5",
                "text",
                "text_hint",
                "title",
                "name",
                "name_hint",
                "reference",
                "reference_hint",
                "products",
                "product_text",
                "send",
                "save",
                "privacy",
                "delete_heading",
                "delete_note",
                "delete",
                "trap",
            ],
        ),
        ("errors", &["heading", "stars", "missing", "too_long", "unreadable", "stale", "not_kept"]),
        ("thanks", &["heading", "stored", "changed", "edit", "keep", "button"]),
        ("deleted", &["heading", "text", "again"]),
        ("later", &["heading", "intro", "not_arrived", "later", "help"]),
        ("put_off", &["heading", "until", "asked_before", "no_more", "on_its_way"]),
        ("unsubscribe", &["heading", "intro", "orders", "shop", "all", "all_note"]),
        ("unsubscribed", &["heading", "shop", "all", "mistake", "undo"]),
        ("undone", HEADING_AND_TEXT),
        (
            "data",
            &[
                "heading",
                "intro",
                "nothing",
                "address",
                "name",
                "order",
                "product",
                "invitation",
                "reminder",
                "due",
                "review",
                "unsubscribed",
                "export_heading",
                "export_note",
                "export",
                "erase_heading",
                "erase_note",
                "erase",
                "erase_asked",
            ],
        ),
        ("erasure_asked", HEADING_AND_TEXT),
        (
            "about",
            &[
                "heading",
                "intro",
                "who_heading",
                "who_all",
                "who_share",
                "who_same",
                "days",
                "letters",
                "check_heading",
                "check",
                "shown_heading",
                "shown",
                "reward",
                "removed_heading",
                "removed_text",
                "count_heading",
                "automatic",
                "manual",
                "link",
                "basic",
                "verified",
                "unverified",
                "removed",
            ],
        ),
        ("not_found", HEADING_AND_TEXT),
        ("expired", HEADING_AND_TEXT),
        ("revoked", HEADING_AND_TEXT),
        ("gone", HEADING_AND_TEXT),
        ("answered", HEADING_AND_TEXT),
        ("too_many", HEADING_AND_TEXT),
        ("too_large", HEADING_AND_TEXT),
        ("invalid", HEADING_AND_TEXT),
        ("unavailable", HEADING_AND_TEXT),
    ];

    fn is_common(name: &str) -> bool {
        matches!(name, "layout.html" | "form.html" | "style.css") || Self::is_of_locale(name)
    }

    fn is_of_locale(name: &str) -> bool {
        TEMPLATES.contains(&name)
    }

    fn is_html(template: &str) -> bool {
        template.ends_with(".html")
    }

    /// What law or sense may do without is left to the operator: hints, and what a shop cannot promise.
    fn is_never_empty(table: &str, key: &str) -> bool {
        !matches!(
            (table, key),
            ("review", "intro" | "name_hint" | "reference_hint" | "privacy")
                | ("about", "intro" | "reward")
                | ("unsubscribe", "orders" | "all_note")
        )
    }

    fn trials(table: &str, key: &str) -> Vec<Value> {
        let value = |name: &&'static str| match *name {
            "month" => ("month", Value::from("May")),
            "date" => ("date", Value::from("1 May 2030")),
            "reference" => ("reference", Value::from("1001")),
            "shop" => ("shop", Value::from("Shop")),
            number => (number, Value::from(2)),
        };
        let variables: BTreeMap<_, _> = names(table, key).iter().map(value).collect();
        vec![Value::from(variables)]
    }

    fn variables(table: &str, key: &str) -> String {
        let names: Vec<_> = names(table, key).iter().map(|name| format!("{{{{ {name} }}}}")).collect();
        names.join(" ")
    }
}

/// The variables of a word.
fn names(table: &str, key: &str) -> &'static [&'static str] {
    match (table, key) {
        ("", "date") => &["shop", "day", "month", "month_number", "year"],
        ("review", "intro_edit") | ("put_off", "until") | ("data", "erase_asked") => &["shop", "date"],
        ("review", "order") => &["shop", "reference"],
        ("review", "text_hint") | ("errors", "too_long") => &["shop", "most"],
        ("about", "who_share") => &["shop", "share"],
        _ => &["shop"],
    }
}
