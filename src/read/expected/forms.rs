//! The two forms in which an expected result is written: our own, which is strict, and that of a corpus, which has more keys
//! than are looked at and is less exact.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Expected, ExpectedProduct, Fate, Wish};
use crate::document::{Document, Problem};
use crate::domain::{EventKind, Outcome};

/// Our own form: a key that is left out is not compared; `null` says that nothing may be found.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    outcome: Outcome,
    #[serde(default, deserialize_with = "given")]
    event: Option<Option<EventKind>>,
    #[serde(default, deserialize_with = "given")]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    email: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    reference: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    order_date: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    locale: Option<Option<String>>,
    products: Option<Vec<OwnProduct>>,
    reason_contains: Option<String>,
    #[serde(default)]
    findings: Vec<String>,
    shop_domain: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OwnProduct {
    name: String,
    sku: Option<String>,
    url: Option<String>,
    price: Option<String>,
    quantity: Option<u32>,
}

/// The form of a corpus; other keys are its own business.
#[derive(Deserialize)]
struct Corpus {
    kind: Option<String>,
    #[serde(default)]
    note: Option<String>,
    #[serde(default, deserialize_with = "given")]
    customer_name: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    customer_email: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    reference: Option<Option<String>>,
    order_date: Option<String>,
    #[serde(default)]
    products: Option<Vec<CorpusProduct>>,
    locale: Option<String>,
}

#[derive(Deserialize)]
struct CorpusProduct {
    name: Option<String>,
    sku: Option<String>,
    url: Option<String>,
    price: Option<String>,
    quantity: Option<u32>,
}

/// Only the keys by which the forms are told apart.
#[derive(Deserialize)]
struct Any {
    outcome: Option<serde::de::IgnoredAny>,
    kind: Option<serde::de::IgnoredAny>,
    expect: Option<serde::de::IgnoredAny>,
    r#type: Option<serde::de::IgnoredAny>,
}

/// Tells a key with `null` from a key that is left out.
fn given<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(value).map(Some)
}

pub(super) fn parse(document: &Document) -> Result<Expected, Problem> {
    let any: Any = json(document)?;
    if any.outcome.is_some() {
        own(document, json(document)?)
    } else if any.kind.is_some() || any.expect.is_some() || any.r#type.is_some() {
        corpus(document, json(document)?)
    } else {
        Err(Problem::with_file(
            document.file(),
            "does not say what is to become of the mail",
            "add \"outcome\": \"event\", \"ignored\" or \"held\"",
        ))
    }
}

fn json<T: DeserializeOwned>(document: &Document) -> Result<T, Problem> {
    serde_json::from_str(document.text()).map_err(|error| {
        let what = error.to_string();
        // Its place is told before it already.
        let what = what.rsplit_once(" at line ").map_or(what.as_str(), |(what, _)| what);
        Problem {
            line: error.line(),
            column: error.column(),
            ..Problem::with_file(document.file(), what, "see \"Fixtures\" in docs/adding-a-parser.md")
        }
    })
}

fn own(document: &Document, own: Own) -> Result<Expected, Problem> {
    let exactly = |text: Option<Option<String>>| text.map(|text| text.map(Wish::exactly));
    let fate = match (own.outcome, own.event) {
        (Outcome::Event, Some(None)) => {
            return Err(Problem::with_file(
                document.file(),
                "says that the mail is an event and that there is none",
                "name the event, or leave the key out",
            ));
        }
        (Outcome::Event, event) => Fate::Event(event.flatten().into_iter().collect()),
        (outcome, _) => Fate::SetAside(Some(outcome)),
    };
    Ok(Expected {
        told: own.event.filter(|_| own.outcome != Outcome::Event),
        fate,
        reference: exactly(own.reference),
        email: exactly(own.email),
        name: exactly(own.name),
        order_date: exactly(own.order_date),
        locale: exactly(own.locale),
        products: own.products.map(|products| {
            let product = |one: OwnProduct| ExpectedProduct {
                name: Wish::exactly(one.name),
                quantity: one.quantity,
                sku: one.sku,
                url: one.url,
                price: one.price,
            };
            products.into_iter().map(product).collect()
        }),
        reason_contains: own.reason_contains,
        findings: own.findings,
        shop_domain: own.shop_domain,
        need_not_be_read: false,
    })
}

fn corpus(document: &Document, corpus: Corpus) -> Result<Expected, Problem> {
    use EventKind::{Cancelled, Delayed, Delivered, Paid, Placed, Refunded, RefundedInPart, Shipped, ShippedInPart};
    let note = corpus.note.as_deref().unwrap_or_default();
    let in_part = note.contains("partial refund");
    let fate = match corpus.kind.as_deref() {
        Some("order") => Fate::Event(vec![Placed, Paid]),
        Some("shipment") => Fate::Event(vec![Shipped, ShippedInPart, Delivered]),
        Some("cancel") => Fate::Event(vec![Cancelled]),
        Some("refund") if in_part => Fate::Event(vec![RefundedInPart]),
        Some("refund") => Fate::Event(vec![Refunded]),
        // Notes, invoices, delays, payments: nothing that would begin or end an invitation; and what comes after the shipment.
        Some("other") if note.contains("delivered") => Fate::Other(vec![Delivered]),
        Some("other") => Fate::Other(vec![Delayed, Paid]),
        Some("negative") | None => Fate::SetAside(None),
        Some(kind) => {
            return Err(Problem::with_file(
                document.file(),
                format!("{kind:?} is no kind of mail"),
                "use order, shipment, cancel, refund, other or negative",
            ));
        }
    };
    let exactly = |text: Option<Option<String>>| text.map(|text| text.map(|text| Wish::exactly(plain(&text))));
    let beginning = |text: Option<String>, characters: usize| {
        text.map(|text| Some(Wish::beginning(text.chars().take(characters).collect::<String>())))
    };
    // Without a reference or an address a mail cannot be used, however well it was read.
    let unusable = matches!((&corpus.reference, &corpus.customer_email), (Some(None), _) | (_, Some(None)));
    let fate = match fate {
        Fate::Event(events) if unusable => Fate::Held(events),
        fate => fate,
    };
    let sets_aside = matches!(fate, Fate::SetAside(_));
    let (reference, email, name) =
        (exactly(corpus.reference), exactly(corpus.customer_email), exactly(corpus.customer_name));
    let products = corpus.products.filter(|products| !products.is_empty()).map(|products| {
        let product = |one: CorpusProduct| ExpectedProduct {
            // A mail may write the variant behind the name.
            name: Wish::beginning(plain(&one.name.unwrap_or_default())),
            quantity: one.quantity,
            sku: one.sku.map(|text| plain(&text)),
            url: one.url.map(|text| plain(&text)),
            price: one.price.map(|text| plain(&text)),
        };
        products.into_iter().map(product).collect()
    });
    Ok(Expected {
        told: None,
        need_not_be_read: matches!(fate, Fate::Other(_)),
        fate,
        reference: reference.filter(|_| !sets_aside),
        email: email.filter(|_| !sets_aside),
        name: name.filter(|_| !sets_aside),
        // `2026-11-16`, and a time may follow.
        order_date: beginning(corpus.order_date.filter(|_| !sets_aside), 10),
        // `sv_SE`; which country's Swedish it is can hardly be read from a mail.
        locale: beginning(corpus.locale.filter(|_| !sets_aside), 2),
        products: products.filter(|_| !sets_aside),
        reason_contains: None,
        findings: Vec::new(),
        shop_domain: None,
    })
}

/// Blanks of all kinds as one blank.
fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Expected, String> {
        parse(&Document::new("x.json", text)).map_err(|problem| problem.to_string())
    }

    #[test]
    fn a_mistake_is_told_with_file_and_line() {
        for (text, told) in [
            ("{\n \"outcome\": \"event\",\n \"nmae\": \"x\"\n}", "x.json:3:7: unknown field `nmae`"),
            ("{\"outcome\": \"evnt\"}", "x.json:1:18: unknown variant `evnt`"),
            ("{\"outcome\": \"event\",}", "x.json:1:21: trailing comma"),
            (
                "{\"outcome\": \"event\", \"event\": null}",
                "x.json: says that the mail is an event and that there is none",
            ),
            ("{\"outcome\": \"event\", \"products\": [{\"nam\": \"x\"}]}", "x.json:1:40: unknown field `nam`"),
            ("{\"kind\": \"odrer\"}", "x.json: \"odrer\" is no kind of mail"),
            ("{\"kind\": \"order\", \"customer_name\": 7}", "x.json:1:36: invalid type: integer `7`"),
            ("{\"name\": \"x\"}", "x.json: does not say what is to become of the mail"),
            ("", "x.json:1:0: EOF while parsing"),
        ] {
            let problem = parsed(text).unwrap_err();
            assert!(problem.starts_with(told), "{text}: {problem}");
        }
    }

    #[test]
    fn a_key_that_is_left_out_is_not_compared_and_null_is() {
        let expected = parsed("{\"outcome\": \"event\", \"name\": null}").unwrap();
        assert_eq!((expected.name, expected.email), (Some(None), None));
        let expected = parsed("{\"kind\": \"order\", \"customer_name\": null}").unwrap();
        assert_eq!((expected.name, expected.email), (Some(None), None));
    }

    #[test]
    fn kinds_of_a_corpus_are_events_or_their_absence() {
        use EventKind::{Delayed, Paid, Placed, Refunded, RefundedInPart};
        for (text, fate) in [
            ("{\"kind\": \"order\"}", Fate::Event(vec![Placed, Paid])),
            ("{\"kind\": \"refund\", \"note\": \"\"}", Fate::Event(vec![Refunded])),
            ("{\"kind\": \"refund\", \"note\": \"a partial refund\"}", Fate::Event(vec![RefundedInPart])),
            ("{\"kind\": \"other\"}", Fate::Other(vec![Delayed, Paid])),
            ("{\"kind\": \"negative\", \"locale\": \"sv\", \"mime\": {}}", Fate::SetAside(None)),
            ("{\"expect\": \"no_invitation\"}", Fate::SetAside(None)),
            ("{\"type\": \"dsn\", \"recipient\": \"a@b.test\"}", Fate::SetAside(None)),
            ("{\"outcome\": \"held\"}", Fate::SetAside(Some(Outcome::Held))),
        ] {
            assert_eq!(parsed(text).unwrap().fate, fate, "{text}");
        }
    }

    #[test]
    fn a_corpus_is_compared_as_exactly_as_it_is() {
        let expected = parsed(
            "{\"kind\": \"order\", \"order_date\": \"2026-11-16T10:00:00\", \"locale\": \"sv_SE\", \
             \"customer_name\": \"Ylva\u{a0}Holm\", \"products\": [{\"name\": \"lantern\", \"price\": \"1\u{a0}kr\"}]}",
        )
        .unwrap();
        let date = expected.order_date.flatten().unwrap();
        assert!(date.is("2026-11-16") && date.is("2026-11-16T09:00:00Z") && !date.is("2026-11-17"));
        let locale = expected.locale.flatten().unwrap();
        assert!(locale.is("sv") && locale.is("sv-FI") && !locale.is("en"));
        assert!(expected.name.flatten().unwrap().is("Ylva Holm"));
        let product = &expected.products.unwrap()[0];
        assert!(product.name.is("Lantern - Brass") && !product.name.is("Brass lantern"));
        assert_eq!(product.price.as_deref(), Some("1 kr"));
        assert_eq!(parsed("{\"kind\": \"order\", \"products\": []}").unwrap().products, None);
    }
}
