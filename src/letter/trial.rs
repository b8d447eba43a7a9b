//! A trial of an operator's letters with made-up data, so that a template's mistake is known before a letter is due.

use crate::document::{Problem, Problems};
use crate::domain::{Customer, EmailAddress, LetterKind, OrderReference, PersonName, Product, ShopId, Timestamp};
use crate::wording::Fault;

use super::data::{LetterData, Links, Sender, UnsubscribeMail};
use super::edition::Edition;
use super::facts;

/// Gmail cuts off a message whose HTML is longer than this, and with it the unsubscribe link.
const LONGEST_HTML: usize = 100 * 1024;

/// Composes every letter of every locale twice, with everything there and with as little as possible, and notes what goes wrong.
pub(super) fn run(edition: &Edition, problems: &Problems) {
    let Some(sample) = Sample::new() else { return };
    for locale in edition.locales() {
        for kind in LetterKind::ALL {
            for letter in [sample.full(kind), sample.sparse(kind)] {
                try_one(edition, &LetterData { locale: Some(locale), ..letter }, problems);
            }
        }
    }
}

fn try_one(edition: &Edition, letter: &LetterData<'_>, problems: &Problems) {
    let (locale, lang) = edition.locale(letter.locale, letter.sender.locale);
    match edition.parts(letter, locale, lang) {
        Ok(parts) => {
            problems.extend(parts.passed_over.into_iter().map(problem));
            let remedy = |what: &str| format!("show {{{{ {what} }}}} somewhere");
            let unsubscribe = facts::unsubscribe_link(letter);
            let file = |extension| edition.file(&edition.template(locale, letter.kind, extension)).to_owned();
            if parts.html.len() > LONGEST_HTML {
                let what = format!("makes {} kB of HTML, and Gmail cuts letters off at 100", parts.html.len() / 1024);
                problems.add(Problem::with_file(file("mjml"), what, "make it shorter"));
            }
            for (extension, part) in [("mjml", &parts.html), ("txt", &parts.text)] {
                for (variable, value) in [("link", letter.links.review), ("unsubscribe_link", &unsubscribe)] {
                    let by_stars =
                        variable == "link" && letter.links.stars.is_some_and(|stars| part.contains(&stars[4]));
                    if !part.contains(value) && !by_stars {
                        problems.add(Problem::with_file(
                            file(extension),
                            format!("has no {variable}"),
                            remedy(variable),
                        ));
                    }
                }
            }
        }
        Err(fault) => problems.add(problem(fault)),
    }
}

fn problem(fault: Fault) -> Problem {
    let detail = fault.detail.map(|detail| format!(": {detail}")).unwrap_or_default();
    Problem {
        line: fault.line,
        column: usize::from(fault.line > 0),
        ..Problem::with_file(
            fault.file,
            format!("{}{detail}", fault.what),
            "see docs/letters.md for the variables and what a template may hold",
        )
    }
}

/// Made-up people and things.
pub(super) struct Sample {
    shop: ShopId,
    from: EmailAddress,
    from_name: PersonName,
    named: Customer,
    unnamed: Customer,
    reference: OrderReference,
    products: Vec<Product>,
    star_links: [String; 5],
}

impl Sample {
    pub(super) fn new() -> Option<Self> {
        let email = EmailAddress::parse("anna@example.com").ok()?;
        let product = |number| Product { name: format!("Product {number}"), ..Product::default() };
        Some(Self {
            shop: ShopId::parse("shop").ok()?,
            from: EmailAddress::parse("shop@shop.example").ok()?,
            from_name: PersonName::parse("Shop")?,
            named: Customer { email: email.clone(), name: PersonName::parse("Anna Example") },
            unnamed: Customer { email, name: None },
            reference: OrderReference::parse("1001")?,
            products: (1..=9).map(product).collect(),
            star_links: [1, 2, 3, 4, 5].map(|stars| format!("https://reviews.example/t?stars={stars}")),
        })
    }

    fn sparse(&self, kind: LetterKind) -> LetterData<'_> {
        LetterData {
            kind,
            locale: None,
            sender: Sender {
                shop: &self.shop,
                shop_name: "Shop",
                from: &self.from,
                from_name: &self.from_name,
                reply_to: None,
                domain: "shop.example",
                locale: "en",
                color: "#1f6f54",
                logo: None,
                postal_address: None,
            },
            customer: &self.unnamed,
            reference: &self.reference,
            products: &[],
            links: Links {
                review: "https://reviews.example/plain",
                stars: None,
                later: None,
                unsubscribe: None,
                data: None,
                view: None,
                about: None,
            },
            message_id: "1@shop.example",
            date: Timestamp(0),
            unsubscribe_mail: UnsubscribeMail { to: &self.from, subject: "unsubscribe" },
            is_test: false,
        }
    }

    pub(super) fn full(&self, kind: LetterKind) -> LetterData<'_> {
        let sparse = self.sparse(kind);
        LetterData {
            sender: Sender {
                reply_to: Some(&self.from),
                logo: Some("https://shop.example/logo.png"),
                postal_address: Some("Shop Ltd\n1 High Street\nLondon"),
                ..sparse.sender
            },
            customer: &self.named,
            products: &self.products,
            links: Links {
                stars: Some(&self.star_links),
                later: Some("https://reviews.example/r/t/later"),
                unsubscribe: Some("https://reviews.example/u/t"),
                data: Some("https://reviews.example/d/t"),
                view: Some("https://reviews.example/v/t"),
                about: Some("https://reviews.example/about/shop"),
                ..sparse.links
            },
            ..sparse
        }
    }
}
