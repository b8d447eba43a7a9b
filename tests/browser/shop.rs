//! A shop whose letters lead to our pages, and its letters as a customer has them: with links to click.

use std::net::SocketAddr;
use std::time::Duration;

use invited::config::{LinkTo, Pages};
use invited::domain::State;
use invited::link::Site;
use invited::store::ReviewsOf;

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
}
