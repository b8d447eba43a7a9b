//! A shop whose letters lead to our pages, and its letters as a customer has them: with links to click.

use std::net::SocketAddr;
use std::time::Duration;

use invited::config::{Database, LinkTo, Pages};
use invited::domain::{EmailAddress, OrderReference, PersonName, Review, ShopId, State};
use invited::link::{OrderTicket, Site};
use invited::ops::links::OwnOrder;
use invited::store::{ReviewFilter, ReviewsOf};
use serde_json::json;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::kit::{House, opened};
use crate::relay::Act;

/// A daemon with one shop, whose letters go out at once.
pub(crate) struct Shop {
    pub(crate) house: House,
    pub(crate) pages: SocketAddr,
}

/// A letter that the relay took.
pub(crate) struct Letter {
    pub(crate) html: String,
    /// The text and the header, unfolded.
    pub(crate) text: String,
    pub(crate) header: String,
    /// Every address of our pages in it, whole.
    pub(crate) links: Vec<String>,
}

impl Letter {
    /// The first link of this kind, `/r/` for one, that ends so.
    #[track_caller]
    pub(crate) fn link(&self, kind: &str, end: &str) -> &str {
        let found = self.links.iter().find(|link| link.contains(kind) && link.ends_with(end));
        found.unwrap_or_else(|| panic!("no {kind} … {end} in {:?}", self.links))
    }

    /// The link to the review without stars.
    pub(crate) fn review(&self) -> &str {
        self.link("/r/", "?s=1").trim_end_matches("?s=1")
    }
}

impl Shop {
    pub(crate) async fn open(locale: &str) -> Self {
        let pages = Pages {
            url: "http://127.0.0.1:0".to_owned(),
            listen: "127.0.0.1:0".parse().unwrap(),
            tls: false,
            proxies: Vec::new(),
            connections: 100,
            templates: None,
        };
        let house = House::adjusted(
            |config| {
                config.pages = Some(pages);
                let shop = &mut config.shops[0];
                shop.link = LinkTo::Own;
                shop.rules.base.delay = Duration::ZERO;
                shop.postal_address = Some("Nordljus AB, Storgatan 1, 111 22 Stockholm".to_owned());
                locale.clone_into(&mut shop.locale);
            },
            |_| Act::Ok,
        )
        .await;
        let pages = house.daemon.pages_address().unwrap();
        Self { house, pages }
    }

    /// What every address of its pages begins with.
    pub(crate) fn base(&self) -> String {
        format!("http://{}", self.pages)
    }

    /// Hands an order mail in and waits for the letter.
    pub(crate) async fn letter(&self, reference: &str, mail: &[u8]) -> Letter {
        let before = self.house.relay.taken().len();
        self.house.hand_in(mail).await;
        self.house.until_state(reference, State::Sent).await;
        self.newest(before)
    }

    /// The letter after so many.
    pub(crate) fn newest(&self, before: usize) -> Letter {
        let taken = self.house.relay.taken();
        let message = opened(&taken[before]);
        let html = message.body_html(0).unwrap().into_owned();
        let text = message.body_text(0).unwrap().into_owned();
        let header = String::from_utf8_lossy(&taken[before].data).into_owned();
        let header = header.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ").replace("\r\n\t", " ");
        let site = Site::new(&self.base());
        let plain = html.replace("&amp;", "&").replace("&#x2f;", "/");
        let pieces = [&*plain, &*text, &*header].into_iter();
        let pieces = pieces.flat_map(|part| part.split(|c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>')));
        let mut links = pieces.filter(|piece| site.place(piece).is_some()).map(ToOwned::to_owned).collect::<Vec<_>>();
        links.sort();
        links.dedup();
        Letter { html, text, header, links }
    }

    /// Stars, title, text and name of the reviews that stand.
    pub(crate) async fn reviews(&self) -> Vec<(u8, String, String, String)> {
        let mut found = Vec::new();
        for invitation in self.house.invitations().await {
            let author = invitation.customer.email.key();
            let wanted = ReviewsOf::Order { shop: invitation.shop, reference: invitation.reference, author };
            let reviews = self.house.store().reviews_of(&wanted).await.unwrap();
            found.extend(reviews.iter().filter(|one| one.stands()).map(|one| {
                let words = &one.words;
                (one.stars.get(), words.title().to_owned(), words.text().to_owned(), words.name().to_owned())
            }));
        }
        found
    }

    pub(crate) fn id(&self) -> ShopId {
        self.house.config.shops[0].id.clone()
    }

    /// The link for one order, as `invited link make` makes it for the shop's own mails.
    pub(crate) fn own_link(&self, reference: &str, products: &[&str]) -> String {
        let setup = self.house.daemon.house().setup();
        let maker = setup.link_maker();
        let ticket = OrderTicket {
            shop: self.id(),
            email: EmailAddress::parse(&address(reference)).unwrap(),
            name: PersonName::parse("Anna Example"),
            reference: OrderReference::parse(reference).unwrap(),
            products: products.iter().map(|name| (*name).to_owned()).collect(),
            expires: maker.expires(self.house.clock.now()),
        };
        maker.of_order(OwnOrder { ticket: &ticket, locale: "en" }).unwrap()
    }

    /// The shop's link for everybody.
    pub(crate) fn generic_link(&self) -> String {
        self.house.daemon.house().setup().link_maker().generic(&self.id(), "en").unwrap()
    }

    /// Every review, newest first, those that were deleted among them.
    pub(crate) async fn stored(&self) -> Vec<Review> {
        self.house.store().list_reviews(&ReviewFilter::default(), None, 1_000).await.unwrap()
    }

    /// A connection of the test's own to the database.
    pub(crate) async fn sql(&self) -> SqliteConnection {
        let Database::Sqlite(file) = &self.house.config.database else { panic!("a file") };
        SqliteConnectOptions::new().filename(file).create_if_missing(false).connect().await.unwrap()
    }
}

/// The customer of an order.
pub(crate) fn address(reference: &str) -> String {
    format!("{}@customer.example.net", reference.to_lowercase())
}

/// An order mail with the customer's name, the language and the products that are given, as JSON can say it.
pub(crate) fn order_of(reference: &str, locale: &str, name: &str, products: &[&str]) -> Vec<u8> {
    let email = address(reference);
    let products = products.iter().enumerate().map(|(n, name)| {
        json!({ "name": name, "sku": n.to_string(), "productUrl": format!("https://shop.example.com/p/{n}") })
    });
    let snippet = json!({
        "recipientEmail": email, "recipientName": name, "referenceId": reference, "locale": locale,
        "products": products.collect::<Vec<_>>(),
    });
    // An ASCII mail whose markup ends where it should.
    let snippet = snippet.to_string().replace('<', "\\u003c");
    let snippet = snippet.encode_utf16().map(|unit| match u8::try_from(unit) {
        Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
        _ => format!("\\u{unit:04x}"),
    });
    let snippet = snippet.collect::<String>();
    format!(
        "From: Shop <orders@shop.example.com>\r\nTo: <{email}>\r\nSubject: Your order {reference}\r\n\
         Date: Mon, 2 Mar 2026 09:00:00 +0000\r\nMessage-ID: <{reference}@shop.example.com>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/html; charset=utf-8\r\n\r\n<html><body><p>Thank you for your order.</p>\r\n\
         <script type=\"application/json+trustpilot\">{snippet}</script></body></html>\r\n"
    )
    .into_bytes()
}
