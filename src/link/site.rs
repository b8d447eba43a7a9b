//! The addresses of our own pages. Nothing else knows how they are built, and whatever leads to a page has it from here.

use crate::domain::ShopId;

/// How the paths of the pages begin, below the base address, each with a slash at its end; what follows is a token, a ticket or a
/// shop's id.
pub mod path {
    /// Writes, changes and deletes a review, by an invitation's letter.
    pub const REVIEW: &str = "/r/";
    /// Follows the token of [`REVIEW`]: puts the letters off.
    pub const LATER: &str = "/later";
    /// Unsubscribes.
    pub const UNSUBSCRIBE: &str = "/u/";
    /// What is stored about one person.
    pub const DATA: &str = "/d/";
    /// A letter in the browser.
    pub const VIEW: &str = "/v/";
    /// A review by a link that the shop made for one order; a ticket follows.
    pub const ORDER: &str = "/o/";
    /// A review by the shop's generic link; the shop's id follows.
    pub const SHOP: &str = "/s/";
    /// Changes and deletes a review that came by the generic link.
    pub const BASIC: &str = "/b/";
    /// How reviews are collected; the shop's id follows.
    pub const ABOUT: &str = "/about/";
    /// Where others tell that a review exists.
    pub const HOOK_REVIEWED: &str = "/hooks/reviewed";
    /// The word to crawlers.
    pub const ROBOTS: &str = "/robots.txt";
}

/// The parameter of a review page that says which star was clicked.
pub const STARS: &str = "s";

/// Where the pages are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    base: String,
}

/// Which page an address is of, with the token, ticket or shop's id that stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// A review by a letter, or putting it off.
    Review(&'a str),
    /// Unsubscribing.
    Unsubscribe(&'a str),
    /// What is stored.
    Data(&'a str),
    /// A letter in the browser.
    View(&'a str),
    /// A review by an order's ticket.
    Order(&'a str),
    /// A review by the generic link.
    Shop(&'a str),
    /// Changing such a review.
    Basic(&'a str),
    /// How reviews are collected.
    About(&'a str),
}

impl Site {
    /// The pages at this base address, `https://reviews.nordljus.example`, with a path or none.
    pub fn new(base: &str) -> Self {
        Self { base: base.trim_end_matches('/').to_owned() }
    }

    /// The base address, without a slash at its end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The review of one order.
    pub fn review(&self, token: &str) -> String {
        self.at(path::REVIEW, token)
    }

    /// The same with one to five stars chosen: what stands behind each star of a letter.
    pub fn stars(&self, token: &str) -> [String; 5] {
        [1, 2, 3, 4, 5].map(|stars| format!("{}?{STARS}={stars}", self.review(token)))
    }

    /// Putting the letters off.
    pub fn later(&self, token: &str) -> String {
        format!("{}{}", self.review(token), path::LATER)
    }

    /// Unsubscribing, by page and by one click (RFC 8058).
    pub fn unsubscribe(&self, token: &str) -> String {
        self.at(path::UNSUBSCRIBE, token)
    }

    /// What is stored about the customer.
    pub fn data(&self, token: &str) -> String {
        self.at(path::DATA, token)
    }

    /// The letter in the browser.
    pub fn view(&self, token: &str) -> String {
        self.at(path::VIEW, token)
    }

    /// The review of one order, by a link of the shop's own.
    pub fn order(&self, ticket: &str) -> String {
        self.at(path::ORDER, ticket)
    }

    /// The shop's generic link.
    pub fn shop(&self, shop: &ShopId) -> String {
        self.at(path::SHOP, shop.as_str())
    }

    /// A review that came by the generic link.
    pub fn basic(&self, token: &str) -> String {
        self.at(path::BASIC, token)
    }

    /// How the shop's reviews are collected.
    pub fn about(&self, shop: &ShopId) -> String {
        self.at(path::ABOUT, shop.as_str())
    }

    /// Where others tell that a review exists.
    pub fn hook(&self) -> String {
        self.at(path::HOOK_REVIEWED, "")
    }

    fn at(&self, path: &str, last: &str) -> String {
        [&self.base, path, last].concat()
    }

    /// The page that an address of ours is of; `None` for any other address.
    pub fn place<'a>(&self, address: &'a str) -> Option<Place<'a>> {
        let address = address.trim();
        let path = address.strip_prefix(self.base.as_str())?;
        let path = path.split(['?', '#']).next().unwrap_or_default();
        let begins = [
            path::REVIEW,
            path::UNSUBSCRIBE,
            path::DATA,
            path::VIEW,
            path::ORDER,
            path::SHOP,
            path::BASIC,
            path::ABOUT,
        ];
        let (begin, last) = begins.iter().find_map(|begin| Some((*begin, path.strip_prefix(begin)?)))?;
        let last = last.strip_suffix(path::LATER).filter(|_| begin == path::REVIEW).unwrap_or(last);
        if last.is_empty() || last.contains('/') {
            return None;
        }
        Some(match begin {
            path::REVIEW => Place::Review(last),
            path::UNSUBSCRIBE => Place::Unsubscribe(last),
            path::DATA => Place::Data(last),
            path::VIEW => Place::View(last),
            path::ORDER => Place::Order(last),
            path::SHOP => Place::Shop(last),
            path::BASIC => Place::Basic(last),
            _ => Place::About(last),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_found_again_with_what_stands_in_it() {
        let shop = ShopId::parse("nordljus").unwrap();
        for base in ["https://r.example", "https://r.example/", "https://shop.example:8443/reviews//"] {
            let site = Site::new(base);
            assert!(!site.base().ends_with('/'));
            for (address, path, place) in [
                (site.review("t"), "/r/t", Place::Review("t")),
                (site.stars("t")[3].clone(), "/r/t?s=4", Place::Review("t")),
                (site.later("t"), "/r/t/later", Place::Review("t")),
                (site.unsubscribe("t"), "/u/t", Place::Unsubscribe("t")),
                (site.data("t"), "/d/t", Place::Data("t")),
                (site.view("t"), "/v/t", Place::View("t")),
                (site.order("t"), "/o/t", Place::Order("t")),
                (site.shop(&shop), "/s/nordljus", Place::Shop("nordljus")),
                (site.basic("t"), "/b/t", Place::Basic("t")),
                (site.about(&shop), "/about/nordljus", Place::About("nordljus")),
            ] {
                assert_eq!(address, format!("{}{path}", site.base()));
                assert_eq!(site.place(&format!(" {address}\n")), Some(place), "{address}");
            }
            assert_eq!(site.hook(), format!("{}/hooks/reviewed", site.base()));
        }
    }

    #[test]
    fn other_addresses_are_no_pages() {
        let site = Site::new("https://r.example");
        for other in [
            "",
            "t",
            "https://r.example",
            "https://r.example/",
            "https://r.example/r/",
            "https://r.example/r",
            "https://r.example/r/a/b",
            "https://r.example/u/t/later",
            "https://r.example/x/t",
            "https://r.example.evil.example/r/t",
            "http://r.example/r/t",
            "https://r.example/hooks/reviewed",
        ] {
            assert_eq!(site.place(other), None, "{other}");
        }
    }
}
