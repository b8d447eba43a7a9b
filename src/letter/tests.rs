//! Letters as customers and mail programs get them.

use crate::domain::{Customer, EmailAddress, OrderReference, PersonName, Product, ShopId, Timestamp};

use super::{Composed, Kind, LetterData, LetterFile, Letters, Sender};

/// Everything that a letter borrows.
struct Fixture {
    shop: ShopId,
    shop_name: String,
    from: EmailAddress,
    from_name: PersonName,
    reply_to: EmailAddress,
    unsubscribe: EmailAddress,
    color: String,
    customer: Customer,
    reference: OrderReference,
    products: Vec<Product>,
    star_links: [String; 5],
}

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

fn product(name: &str) -> Product {
    Product { name: name.to_owned(), ..Product::default() }
}

impl Fixture {
    fn new() -> Self {
        Self {
            shop: ShopId::parse("nordljus").unwrap(),
            shop_name: "Nordljus".to_owned(),
            from: address("order@nordljus.example"),
            from_name: PersonName::parse("Nordljus").unwrap(),
            reply_to: address("kundtjanst@nordljus.example"),
            unsubscribe: address("avregistrera@nordljus.example"),
            color: "#1f6f54".to_owned(),
            customer: Customer { email: address("asa@kund.example"), name: PersonName::parse("Åsa Lindqvist") },
            reference: OrderReference::parse("10045").unwrap(),
            products: vec![product("Bordslampa Skymning, mässing"), product("Ljusslinga 10 m")],
            star_links: [1, 2, 3, 4, 5].map(|stars| format!("https://reviews.example/r/t0k3n?stars={stars}")),
        }
    }

    fn letter(&self, kind: Kind, locale: &'static str) -> LetterData<'_> {
        LetterData {
            kind,
            locale: Some(locale),
            sender: Sender {
                shop: &self.shop,
                shop_name: &self.shop_name,
                from: &self.from,
                from_name: &self.from_name,
                reply_to: Some(&self.reply_to),
                unsubscribe: &self.unsubscribe,
                locale: "sv",
                color: &self.color,
                logo: None,
                postal_address: Some("Nordljus AB\nStorgatan 1\n111 22 Stockholm"),
            },
            customer: &self.customer,
            reference: &self.reference,
            products: &self.products,
            link: "https://reviews.example/r/t0k3n?stars=",
            star_links: Some(&self.star_links),
            message_id: "4711.1.invitation@nordljus.example",
            date: Timestamp::from_seconds(1_795_251_600),
            unsubscribe_token: "u-4711-abc",
        }
    }
}

/// Writes letters to look at into the folder `INVITED_PREVIEW_DIR`, when that is set.
#[test]
#[expect(clippy::disallowed_methods, reason = "the folder is for the person who looks at the letters")]
fn writes_previews() {
    let Ok(folder) = std::env::var("INVITED_PREVIEW_DIR") else { return };
    let folder = std::path::Path::new(&folder);
    let letters = Letters::embedded();
    let save = |name: &str, letter: &LetterData<'_>| {
        let made = letters.compose(letter).unwrap();
        for (extension, bytes) in
            [("html", made.html.as_bytes()), ("txt", made.text.as_bytes()), ("eml", &made.message)]
        {
            std::fs::write(folder.join(format!("{name}.{extension}")), bytes).unwrap();
        }
    };
    let mut fixture = Fixture::new();
    for locale in ["en", "de", "fr", "sv", "da"] {
        for kind in Kind::ALL {
            save(&format!("{locale}-{kind}"), &fixture.letter(kind, locale));
        }
    }
    fixture.color = "#ffd400".to_owned();
    save("yellow", &fixture.letter(Kind::Invitation, "en"));
    fixture.color = "#101010".to_owned();
    fixture.customer.name = None;
    fixture.products =
        (1..=9).map(|n| product(&format!("Produktnamn nummer {n} {}", "mycketlångt".repeat(n)))).collect();
    save("black", &LetterData { star_links: None, ..fixture.letter(Kind::Invitation, "sv") });
    let svg = "https://shop.example/logo.png";
    let letter = fixture.letter(Kind::Reminder, "de");
    save("logo", &LetterData { products: &[], sender: Sender { logo: Some(svg), ..letter.sender }, ..letter });
}

#[test]
fn composes() {
    let fixture = Fixture::new();
    let made: Composed = Letters::embedded().compose(&fixture.letter(Kind::Invitation, "sv")).unwrap();
    println!("{}\n{}\n{}", made.text, made.html, String::from_utf8_lossy(&made.message));
    let _ =
        Letters::with_overrides(vec![LetterFile { path: "x".into(), text: String::new() }]).map(|_| ()).unwrap_err();
}
