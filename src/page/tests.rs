//! Pages as customers get them.

use std::collections::BTreeSet;

use base64ct::{Base64, Encoding};
use jiff::civil::date;
use sha2::{Digest, Sha256};

use crate::document::Problems;
use crate::domain::ShopId;
use crate::wording::{Color, Edition, Folder as _, Layer, word_name};

use super::words::PageFolder;
use super::*;
use super::{render, shipped, trial};

fn edition() -> Edition {
    let problems = Problems::default();
    let layer = Layer::shipped::<PageFolder>("templates/pages", shipped::FILES);
    let edition = Edition::compile::<PageFolder>(&[layer], &problems);
    let found: Vec<_> = problems.into_sorted().iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    edition
}

fn shop() -> ShopId {
    ShopId::parse("nordljus").unwrap()
}

fn face(shop: &ShopId) -> ShopFace<'_> {
    ShopFace {
        id: shop,
        name: "Nordljus",
        color: "#1f6f54",
        locale: "sv",
        postal_address: Some("Nordljus AB\nStorgatan 1\n111 22 Stockholm"),
        contact: Some("kundtjanst@nordljus.example"),
        about: Some("/about/nordljus"),
    }
}

fn html(frame: &Frame<'_>, page: &Page<'_>) -> String {
    Pages::embedded().render(frame, page).unwrap().html
}

#[test]
fn the_shipped_pages_have_no_fault() {
    let problems = Problems::default();
    trial::run(&edition(), &problems);
    let found: Vec<_> = problems.into_sorted().iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// For looking at: with `INVITED_PREVIEW_DIR` they are written there.
#[test]
fn every_page_is_small_and_has_the_landmarks_of_a_page() {
    let folder = std::env::var_os("INVITED_PREVIEW_DIR").map(std::path::PathBuf::from);
    let (pages, shop, mut too_long) = (Pages::embedded(), shop(), Vec::new());
    for locale in pages.locales() {
        let frame = Frame { shop: Some(face(&shop)), locale: Some(locale), accept_language: None };
        for (number, page) in trial::pages(true).iter().chain(&trial::pages(false)).enumerate() {
            let Rendered { html, style_hash, lang } = pages.render(&frame, page).unwrap();
            if let Some(folder) = &folder {
                std::fs::write(folder.join(format!("{locale}-{number:02}.html")), &html).unwrap();
            }
            if html.len() > 12 * 1024 {
                too_long.push(format!("{locale} {number}: {} bytes", html.len()));
            }
            assert_eq!(lang, locale);
            assert!(html.starts_with("<!doctype html>"), "{html}");
            assert!(html.contains(&format!("<html lang=\"{locale}\" dir=\"ltr\">")));
            for once in ["<h1>", "<main>", "<header>", "<footer>", "<title>", "name=\"viewport\""] {
                assert_eq!(html.matches(once).count(), 1, "{locale} {number}: {once}");
            }
            assert!(title(&html).contains("Nordljus"), "{locale} {number}: {}", title(&html));
            let style = html.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
            assert_eq!(style_hash, format!("sha256-{}", Base64::encode_string(&Sha256::digest(style))));
            names_are_tied(&html);
        }
    }
    assert!(too_long.is_empty(), "{too_long:?}");
}

fn title(html: &str) -> &str {
    html.split_once("<title>").unwrap().1.split_once("</title>").unwrap().0
}

/// Ids are there once, and whatever names an id names one that is there.
fn names_are_tied(html: &str) {
    let values = |attribute: &str| -> Vec<String> {
        let start = format!(" {attribute}=\"");
        html.split(&start).skip(1).map(|rest| rest.split_once('"').unwrap().0.to_owned()).collect()
    };
    let ids = values("id");
    let known: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
    assert_eq!(known.len(), ids.len(), "{ids:?}");
    for name in values("for").iter().chain(&values("aria-describedby")) {
        for id in name.split(' ') {
            assert!(known.contains(id), "{id} in {html}");
        }
    }
    for href in values("href").iter().filter_map(|href| href.strip_prefix('#')) {
        assert!(known.contains(href), "#{href} in {html}");
    }
}

/// What an attacker may call himself, a shop or a product, or write.
const HOSTILE: &str = "<script>alert(1)</script>\"' onfocus='x' {{ 7*7 }}{% for %}\r\nSet-Cookie: a=b\u{202e}\u{2066}</textarea></style><b>&amp;";

#[test]
fn whatever_comes_from_outside_is_text_on_every_page_in_every_locale() {
    let (pages, shop, day) = (Pages::embedded(), shop(), date(2030, 5, 17));
    let target = || Target { action: "/r/token", token: HOSTILE };
    let draft = Draft { stars: Some(200), title: HOSTILE, text: HOSTILE, name: HOSTILE };
    let review = |order| {
        Page::Review(ReviewForm {
            target: target(),
            order,
            service: draft,
            products: vec![ProductDraft { index: 0, product: HOSTILE, draft }],
            written: None,
            faults: vec![FieldFault { field: FormField::ProductText(0), wrong: Wrong::Unreadable }],
            later: Some(HOSTILE),
            unsubscribe: Some(HOSTILE),
            data: Some(HOSTILE),
        })
    };
    let stored = vec![
        Stored::Address(HOSTILE),
        Stored::Name(HOSTILE),
        Stored::Order(HOSTILE, Some(day)),
        Stored::Product(HOSTILE),
        Stored::Review(9, [HOSTILE; 3], day),
    ];
    let all = [
        review(OrderField::Known(HOSTILE)),
        review(OrderField::Asked(HOSTILE)),
        Page::Thanks(Thanks { changed: false, edit: Some(HOSTILE), keep: true }),
        Page::Deleted { again: Some(HOSTILE) },
        Page::Later(LaterForm {
            target: target(),
            not_arrived: true,
            later: true,
            review: Some(HOSTILE),
            stale: false,
        }),
        Page::Unsubscribe(UnsubscribeForm { target: target() }),
        Page::Unsubscribed(Unsubscribed { target: target(), all: false }),
        Page::Data(DataPage { target: target(), stored, erasure_asked: None, stale: false }),
        Page::About(Practice::default()),
        Page::Notice(Notice::Expired),
    ];
    for locale in pages.locales() {
        let face = ShopFace {
            name: HOSTILE,
            color: HOSTILE,
            postal_address: Some(HOSTILE),
            contact: Some(HOSTILE),
            about: Some(HOSTILE),
            ..face(&shop)
        };
        let frame = Frame { shop: Some(face), locale: Some(locale), accept_language: Some(HOSTILE) };
        for page in &all {
            let html = pages.render(&frame, page).unwrap().html;
            for bad in ["<script", "<b>", "49", "' onfocus", "&amp;lt;"] {
                assert!(!html.contains(bad), "{locale}: {bad} in {html}");
            }
            assert!(html.contains("{{ 7*7 }}{% for %}"), "{html}");
            // A link or a token is written as it is, into an attribute; what is read as text has no marks that turn it around.
            let read = html.split('"').step_by(2).collect::<String>();
            assert!(!read.contains(['\u{202e}', '\u{2066}', '\r']), "{locale}: {read}");
        }
    }
}

#[test]
fn a_form_keeps_what_was_typed_and_says_what_is_wrong_with_it() {
    let shop = shop();
    let frame = Frame { shop: Some(face(&shop)), locale: Some("en"), accept_language: None };
    let page = Page::Review(ReviewForm {
        target: Target { action: "/r/abc", token: "t" },
        order: OrderField::Known("10045"),
        service: Draft { stars: Some(2), title: "A & B", text: "\n  one\r\n\r\n\ttwo", name: "Åsa" },
        products: vec![ProductDraft { index: 3, product: "Lamp", draft: Draft::default() }],
        written: None,
        faults: vec![
            FieldFault { field: FormField::Title, wrong: Wrong::TooLong(100) },
            FieldFault { field: FormField::ProductStars(3), wrong: Wrong::Missing },
        ],
        later: None,
        unsubscribe: None,
        data: None,
    });
    let html = html(&frame, &page);
    for part in [
        ">\n\n  one\n\n\ttwo</textarea>",
        "name=\"title\" value=\"A &amp; B\"",
        "aria-describedby=\"title-fault\" aria-invalid=\"true\"",
        "name=\"stars\" value=\"2\" checked>",
        "<a href=\"#title\">Headline – Please use at most 100 characters.</a>",
        "<a href=\"#p3_stars\">Lamp – Please choose one to five stars.</a>",
        "<details open>",
        "<title>Please check what you entered – How was your order from Nordljus?</title>",
        "Order 10045",
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
    assert_eq!(html.matches("\" checked").count(), 1, "{html}");
}

#[test]
fn the_letters_language_goes_before_the_browsers_and_that_before_the_shops() {
    let shop = shop();
    let shop = Some(face(&shop));
    let pages = Pages::embedded();
    for (locale, accept_language, lang) in [
        (Some("de-AT"), Some("fr"), "de"),
        (Some("tlh"), Some("fr;q=0.5,it;q=0.9"), "it"),
        (None, Some("tlh, *"), "sv"),
        (None, None, "sv"),
    ] {
        let frame = Frame { shop, locale, accept_language };
        assert_eq!(pages.render(&frame, &Page::Undone).unwrap().lang, lang, "{locale:?} {accept_language:?}");
    }
    let nobody = Frame { shop: None, locale: None, accept_language: Some("xx") };
    let page = pages.render(&nobody, &Page::Notice(Notice::NotFound)).unwrap();
    assert_eq!(page.lang, "en");
    assert!(!page.html.contains("<header>") && !page.html.contains("<footer>"), "{}", page.html);
}

#[test]
fn a_language_from_right_to_left_is_read_so() {
    let arabic = shipped::FILES.iter().find(|(path, _)| *path == "en/words.toml").unwrap().1;
    let files = vec![PageFile { path: "ar/words.toml".to_owned(), text: arabic.to_owned() }];
    let frame = Frame { shop: None, locale: Some("ar"), accept_language: None };
    let html = Pages::with_overrides(files).unwrap().render(&frame, &Page::Undone).unwrap().html;
    assert!(html.contains("<html lang=\"ar\" dir=\"rtl\">"), "{html}");
}

#[test]
fn every_locale_has_all_words_with_all_variables_of_english_and_none_of_its_sentences() {
    // Words that are spelt alike in two languages.
    let alike = ["Name", "Review", "Product", "Data", "Bestellung", "Option"];
    let edition = edition();
    let source = |locale: &str, name: &str| {
        let word = word_name(locale, name);
        edition.env.get_template(&word).map(|found| found.source().to_owned()).ok()
    };
    let variables = |text: &str| -> BTreeSet<String> {
        text.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap().trim().to_owned()).collect()
    };
    for locale in edition.locales().filter(|locale| *locale != "en") {
        for (table, keys) in PageFolder::WORDS {
            for key in *keys {
                let name = if table.is_empty() { (*key).to_owned() } else { format!("{table}.{key}") };
                let english = source("en", &name).unwrap();
                let own = source(locale, &name).unwrap_or_else(|| panic!("{locale} has no {name}"));
                // A heading may name the shop or not; what a customer has to know may not be left out.
                if name != "date" {
                    assert_eq!(variables(&own), variables(&english), "{locale} {name}");
                }
                assert!(
                    own != english
                        || name == "date"
                        || alike.contains(&own.as_str())
                        || !own.contains(char::is_alphabetic),
                    "{locale} {name} is English: {own}"
                );
                assert_eq!(own.trim(), own, "{locale} {name}");
                assert!(!own.contains("  ") && !own.contains('\n'), "{locale} {name}");
            }
        }
    }
}

#[test]
fn days_are_written_as_each_language_writes_them() {
    let shop = shop();
    let pages = Pages::embedded();
    for (locale, day) in [
        ("en", "3 August 2030"),
        ("de", "3. August 2030"),
        ("fr", "3 août 2030"),
        ("sv", "3 augusti 2030"),
        ("da", "3. august 2030"),
        ("nb", "3. august 2030"),
        ("fi", "3. elokuuta 2030"),
        ("nl", "3 augustus 2030"),
        ("es", "3 de agosto de 2030"),
        ("it", "3 agosto 2030"),
        ("pt", "3 de agosto de 2030"),
        ("pl", "3 sierpnia 2030"),
        ("cs", "3. srpna 2030"),
        ("ja", "2030年8月3日"),
    ] {
        let frame = Frame { shop: Some(face(&shop)), locale: Some(locale), accept_language: None };
        let html = pages.render(&frame, &Page::PutOff(PutOff::Until(date(2030, 8, 3)))).unwrap().html;
        assert!(html.contains(day), "{locale}: {html}");
    }
}

#[test]
fn mistakes_in_an_operators_files_are_told_with_their_place() {
    for (path, text, told) in [
        ("newsletter.html", "", "newsletter.html: is no file of a page"),
        ("shops/No Shop/style.css", "", "shops/No Shop/style.css: is no file of a page"),
        ("de/words.toml", "\n[thanks]\nheding = \"Danke\"", "de/words.toml:3:1: thanks.heding: "),
        ("de/words.toml", "[thanks]\nheading = \"Danke, {{ nmae }}\"", "de/words.toml:2:11: thanks.heading: "),
        ("de/words.toml", "[thanks]\nheading = \" \"", "de/words.toml:2:11: thanks.heading: is empty"),
        ("en/words.toml", "months = \"May\"", "are not twelve words"),
        ("xx/words.toml", "optional = \"\"", "xx/words.toml"),
        ("about.html", "{% extends \"layout.html\" %}{% block content %}\n{{ shpo }}{% endblock %}", "about.html:2:"),
        (
            "about.html",
            "{% extends \"layout.html\" %}{% block content %}{{ say('about.x') }}{% endblock %}",
            "about.html:1:",
        ),
        ("about.html", "{{ shop|safe }}", "about.html:1:"),
        ("message.html", "<h1>{{ heading }}</h1>", "does not have exactly one <style>"),
        ("review.html", "{% extends \"layout.html\" %}", "review.html: has no name=\"token\""),
        (
            "unsubscribe.html",
            "{% extends \"layout.html\" %}{% block content %}<script>{% endblock %}",
            "has \"<script\"",
        ),
        ("style.css", "body { background: url(x) }", "style.css: loads something"),
        ("style.css", "</style>", "style.css: has a <"),
        ("style.css", "{{ palette.acent }}", "style.css:1"),
        ("de/words.toml", "[thanks]\nheading = \"{{ say('thanks.heading') }}\"", "de/words.toml:2:11"),
    ] {
        let files = vec![PageFile { path: path.to_owned(), text: text.to_owned() }];
        let problems = Pages::with_overrides(files).err().unwrap_or_default();
        let found: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert!(found.iter().any(|problem| problem.contains(told)), "{path} {text}: {found:#?}");
    }
}

#[test]
fn an_operators_words_and_templates_go_before_the_shipped_ones_and_a_shops_before_all() {
    let file = |path: &str, text: &str| PageFile { path: path.to_owned(), text: text.to_owned() };
    let pages = Pages::with_overrides(vec![
        file("en/words.toml", "[undone]\nheading = \"Welcome back\""),
        file("shops/nordljus/en/words.toml", "[undone]\ntext = \"At {{ shop }}.\""),
        file("shops/nordljus/style.css", "h1 { color: {{ palette.accent }} }"),
    ])
    .unwrap();
    let (nordljus, other) = (shop(), ShopId::parse("other").unwrap());
    let render = |id| {
        let frame = Frame { shop: Some(face(id)), locale: Some("en"), accept_language: None };
        pages.render(&frame, &Page::Undone).unwrap().html
    };
    let (own, common) = (render(&nordljus), render(&other));
    assert!(
        own.contains("Welcome back")
            && own.contains("At Nordljus.")
            && own.contains("<style>h1{color:#1f6f54}</style>")
    );
    assert!(common.contains("Welcome back") && !common.contains("At Nordljus."), "{common}");
}

/// WCAG 2.2: 4.5 for text, 3 for what shows where a field is.
#[test]
fn every_shops_colour_gives_pages_that_can_be_read_by_day_and_by_night() {
    let (edition, shop) = (edition(), shop());
    let channels = ["00", "33", "66", "99", "cc", "ff"];
    for (r, (g, b)) in channels.iter().flat_map(|r| channels.iter().flat_map(move |g| channels.map(|b| (r, (g, b))))) {
        let shade = format!("#{r}{g}{b}");
        let frame = Frame { shop: Some(ShopFace { color: &shade, ..face(&shop) }), ..Frame::default() };
        let style = render::style(&edition, &frame).unwrap();
        let (day, night) = style.split_once("@media (prefers-color-scheme:dark)").unwrap();
        for (part, name) in [(day, "day"), (night, "night")] {
            for (front, ground, least) in [
                ("ink", "card", 4.5),
                ("ink", "page", 4.5),
                ("soft", "card", 4.5),
                ("soft", "page", 4.5),
                ("wrong", "card", 4.5),
                ("accent", "card", 4.5),
                ("edge", "card", 3.0),
                ("star", "card", 3.0),
                ("on-button", "button", 4.5),
            ] {
                let contrast = color(part, front).contrast(color(part, ground));
                assert!(contrast >= least, "{front} on {ground} by {name} for {shade}: {contrast:.2}");
            }
        }
    }
}

/// A custom property of the stylesheet.
fn color(style: &str, name: &str) -> Color {
    let text = style.split_once(&format!("--{name}:")).unwrap().1.split_once([';', '}']).unwrap().0;
    match text.strip_prefix('#').filter(|hex| hex.len() == 3) {
        Some(hex) => Color::parse(&format!("#{}", hex.chars().flat_map(|c| [c, c]).collect::<String>())).unwrap(),
        None => Color::parse(text).unwrap(),
    }
}
