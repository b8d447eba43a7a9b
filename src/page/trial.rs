//! A trial of an operator's pages with made-up data, so that a template's mistake is known before a customer opens a page.

use jiff::civil::{Date, date};

use crate::document::{Problem, Problems};
use crate::domain::ShopId;
use crate::wording::{Edition, Fault, word_name};

use super::facts;
use super::render::{render, style};
use super::view::{
    DataPage, Draft, FieldFault, FormField, Frame, LaterForm, Notice, OrderField, Page, Practice, ProductDraft, PutOff,
    ReviewForm, ShopFace, Stored, Target, Thanks, UnsubscribeForm, Unsubscribed, Wrong, fields,
};

const DAY: Date = date(2030, 5, 17);
const TARGET: Target<'static> = Target { action: "/trial/action", token: "trial-token" };
/// What a page may not hold: its Content-Security-Policy would take it away, and the page would not be what its author saw.
const FORBIDDEN: [&str; 7] = ["<script", "<img", "<link", "<iframe", " style=", " src=", " onclick="];

/// Renders every page of every locale, with everything there and with as little as possible, and notes what goes wrong.
pub(super) fn run(edition: &Edition, problems: &Problems) {
    let Ok(shop) = ShopId::parse("shop") else { return };
    match style(edition, &frame(&shop, "en", true)) {
        Ok(style) => {
            for (bad, what) in [
                ("<", "has a <, which could end the stylesheet"),
                ("@import", "loads something"),
                ("url(", "loads something"),
            ] {
                if style.contains(bad) {
                    problems.add(Problem::with_file(edition.file("style.css"), what, "take it out"));
                }
            }
        }
        Err(fault) => return problems.add(problem(fault)),
    }
    for locale in edition.locales() {
        months(edition, locale, problems);
        for full in [true, false] {
            for page in pages(full) {
                try_one(edition, &frame(&shop, locale, full), &page, problems);
            }
        }
        // Most mistakes would be there again in each of the other languages.
        if !problems.is_empty() {
            return;
        }
    }
}

fn months(edition: &Edition, locale: &str, problems: &Problems) {
    let (name, _) = edition.first_of([locale]);
    let word = word_name(name, "months");
    if let Ok(months) = edition.fill(&word, minijinja::context! { shop => "Shop" })
        && months.split_whitespace().count() != 12
    {
        let remedy = "name January to December with blanks between them";
        problems.add(Problem {
            key: "months".to_owned(),
            ..Problem::with_file(edition.file(&word), "are not twelve words", remedy)
        });
    }
}

fn try_one(edition: &Edition, frame: &Frame<'_>, page: &Page<'_>, problems: &Problems) {
    let template = facts::template(page);
    let html = match render(edition, frame, page) {
        Ok(rendered) => rendered.html,
        Err(fault) => return problems.add(problem(fault)),
    };
    for bad in FORBIDDEN {
        if html.contains(bad) {
            let what = format!("has {:?}, which browsers are told not to heed", bad.trim());
            problems.add(Problem::with_file(edition.file(template), what, "take it out; looks go into style.css"));
        }
    }
    for needed in needed(page) {
        if !html.contains(&needed) {
            let what = format!("has no {needed} on a page that needs it");
            let remedy = format!("take it over from the shipped {template}");
            problems.add(Problem::with_file(edition.file(template), what, remedy));
        }
    }
    if html.matches("<style>").count() != 1 || html.matches("<h1").count() != 1 || !html.contains("<main") {
        let what = "does not have exactly one <style>, one <h1> and a <main>";
        problems.add(Problem::with_file(
            edition.file("layout.html"),
            what,
            "take them over from the shipped layout.html",
        ));
    }
}

/// What a form cannot work without.
fn needed(page: &Page<'_>) -> Vec<String> {
    let (names, buttons): (&[&str], &[&str]) = match page {
        Page::Review(form) => (
            &[fields::TRAP, fields::STARS, fields::TITLE, fields::TEXT, fields::NAME],
            if form.written.is_some() { &[fields::WRITE, fields::DELETE] } else { &[fields::WRITE] },
        ),
        Page::Later(form) if form.later && form.not_arrived => (&[], &[fields::NOT_ARRIVED, fields::LATER]),
        Page::Unsubscribe(_) => (&[], &[fields::SHOP, fields::ALL]),
        Page::Unsubscribed(_) => (&[], &[fields::UNDO]),
        Page::Data(data) if data.erasure_asked.is_none() => (&[], &[fields::EXPORT, fields::ERASE]),
        _ => return Vec::new(),
    };
    let mut needed =
        vec![format!("action=\"{}\"", TARGET.action), format!("name=\"{}\" value=\"{}\"", fields::TOKEN, TARGET.token)];
    needed.extend(names.iter().map(|name| format!("name=\"{name}\"")));
    needed.extend(buttons.iter().map(|button| format!("name=\"{}\" value=\"{button}\"", fields::DO)));
    needed
}

fn problem(fault: Fault) -> Problem {
    let detail = fault.detail.map(|detail| format!(": {detail}")).unwrap_or_default();
    Problem {
        line: fault.line,
        column: usize::from(fault.line > 0),
        ..Problem::with_file(
            fault.file,
            format!("{}{detail}", fault.what),
            "see docs/pages.md for the variables and what a template may hold",
        )
    }
}

fn frame<'a>(shop: &'a ShopId, locale: &'a str, full: bool) -> Frame<'a> {
    let rest = |text| full.then_some(text);
    let face = ShopFace {
        id: shop,
        name: "Shop",
        color: "#1f6f54",
        locale: "en",
        postal_address: rest("Shop Ltd\n1 High Street\nLondon"),
        contact: rest("help@shop.example"),
        about: rest("/about/shop"),
    };
    Frame { shop: Some(face), locale: Some(locale), accept_language: None }
}

/// Every page with made-up data.
pub(super) fn pages(full: bool) -> Vec<Page<'static>> {
    let rest = |path: &'static str| full.then_some(path);
    let mut pages = vec![
        Page::Review(review(full, Vec::new())),
        Page::Review(review(full, faults())),
        Page::Review(review(full, vec![FieldFault { field: FormField::Form, wrong: Wrong::NotKept }])),
        Page::Thanks(Thanks { changed: full, edit: rest("/r/token"), keep: false }),
        Page::Thanks(Thanks { changed: false, edit: Some("https://reviews.shop.example/b/token"), keep: true }),
        Page::Deleted { again: rest("/r/token") },
        Page::Later(later(full, false)),
        Page::Later(later(full, true)),
        Page::PutOff(PutOff::Until(DAY)),
        Page::PutOff(PutOff::AskedBefore),
        Page::PutOff(PutOff::NoMore),
        Page::PutOff(PutOff::OnItsWay),
        Page::Unsubscribe(UnsubscribeForm { target: TARGET }),
        Page::Unsubscribed(Unsubscribed { target: TARGET, all: full }),
        Page::Undone,
        Page::Data(data(stored(), (!full).then_some(DAY), false)),
        Page::Data(data(stored(), (!full).then_some(DAY), true)),
        Page::Data(data(Vec::new(), Some(DAY), false)),
        Page::ErasureAsked,
        Page::About(Practice {
            share: if full { 100 } else { 30 },
            days: full.then_some(7),
            letters: 2,
            automatic: 1_204,
            manual: 11,
            link: 86,
            basic: 9,
            verified: 1_301,
            removed: 3,
        }),
    ];
    pages.extend(Notice::ALL.map(Page::Notice));
    pages
}

fn later(full: bool, stale: bool) -> LaterForm<'static> {
    LaterForm { target: TARGET, not_arrived: full, later: full, review: full.then_some("/r/token"), stale }
}

fn data(stored: Vec<Stored<'static>>, erasure_asked: Option<Date>, stale: bool) -> DataPage<'static> {
    DataPage { target: TARGET, stored, erasure_asked, stale }
}

fn review(full: bool, faults: Vec<FieldFault>) -> ReviewForm<'static> {
    let draft = Draft { stars: Some(4), title: "Good", text: "Came quickly.\n\nAll is well.", name: "Anna" };
    let product = |index, product| ProductDraft { index, product, draft: Draft::default() };
    ReviewForm {
        target: TARGET,
        order: if full { OrderField::Asked("1001") } else { OrderField::Known("1001") },
        service: if full { draft } else { Draft::default() },
        products: if full { vec![product(0, "Table lamp"), product(1, "String of lights")] } else { Vec::new() },
        written: full.then_some(DAY),
        faults,
        later: full.then_some("/r/token/later"),
        unsubscribe: full.then_some("/u/token"),
        data: full.then_some("/d/token"),
    }
}

fn faults() -> Vec<FieldFault> {
    let fault = |field, wrong| FieldFault { field, wrong };
    vec![
        fault(FormField::Form, Wrong::Stale),
        fault(FormField::Stars, Wrong::Missing),
        fault(FormField::Text, Wrong::TooLong(5_000)),
        fault(FormField::Title, Wrong::TooLong(100)),
        fault(FormField::Name, Wrong::Unreadable),
        fault(FormField::Reference, Wrong::Missing),
        fault(FormField::ProductStars(0), Wrong::Missing),
        fault(FormField::ProductText(1), Wrong::TooLong(5_000)),
    ]
}

fn stored() -> Vec<Stored<'static>> {
    vec![
        Stored::Address("anna@example.com"),
        Stored::Name("Anna Example"),
        Stored::Order("1001", Some(DAY)),
        Stored::Product("Table lamp"),
        Stored::Invitation(DAY),
        Stored::Reminder(DAY),
        Stored::Due(DAY),
        Stored::Review(4, ["Good", "Came fast.", "Anna"], DAY),
        Stored::Unsubscribed(DAY),
    ]
}
