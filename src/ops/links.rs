//! All links of one letter, and those that a shop makes for its own mails: where they lead, and until when they are good.

use std::collections::HashMap;
use std::time::Duration;

use super::house::Setup;
use super::visit::{Visit, Who};
use crate::clock::random_bytes;
use crate::config::{Config, Shop};
use crate::domain::{Invitation, LetterKind, Product, ShopId, Timestamp};
use crate::link::{LinkData, LinkKeys, LinkedOrder, OrderTicket, Purpose, Routes, Site, Target, Token};

/// What stands for the letter in links of a shop's own mails.
const NO_LETTER: &str = "link";

/// The links of one letter. What leads to our pages is there only when there are pages.
#[derive(Clone, PartialEq, Eq)]
pub struct LetterLinks {
    /// Where the customer reviews.
    pub review: String,
    /// The same for each star, from one to five; `None` where the target cannot tell them apart.
    pub stars: Option<[String; 5]>,
    /// Puts the letters off.
    pub later: Option<String>,
    /// Unsubscribes, by page and by one click.
    pub unsubscribe: Option<String>,
    /// What is stored about the customer.
    pub data: Option<String>,
    /// The letter in the browser.
    pub view: Option<String>,
    /// How reviews are collected.
    pub about: Option<String>,
}

/// One order for which a shop makes a link itself.
#[derive(Clone, Copy)]
pub struct OwnOrder<'a> {
    /// The customer and the order, as a ticket carries them.
    pub ticket: &'a OrderTicket,
    /// The language, RFC 5646.
    pub locale: &'a str,
}

/// Makes links as the configuration says.
pub struct LinkMaker<'a> {
    keys: &'a LinkKeys,
    routes: &'a HashMap<ShopId, Routes>,
    site: Option<Site>,
    expiry: Duration,
}

impl Setup {
    /// What makes this set-up's links.
    pub fn link_maker(&self) -> LinkMaker<'_> {
        LinkMaker::new(&self.config, &self.keys.links, &self.routes)
    }
}

impl<'a> LinkMaker<'a> {
    /// With the keys and targets that this configuration names.
    pub fn new(config: &Config, keys: &'a LinkKeys, routes: &'a HashMap<ShopId, Routes>) -> Self {
        let site = config.pages.as_ref().map(|pages| Site::new(&pages.url));
        Self { keys, routes, site, expiry: config.link_expiry }
    }

    /// Where our pages are, if there are any.
    pub fn site(&self) -> Option<&Site> {
        self.site.as_ref()
    }

    /// Until when links made now are good.
    pub fn expires(&self, now: Timestamp) -> Timestamp {
        now.plus(self.expiry)
    }

    /// What a letter about this invitation carries for one purpose, good until `expires`.
    pub fn token(&self, invitation: &Invitation, purpose: Purpose, expires: Timestamp) -> String {
        let token =
            Token { shop: invitation.shop.clone(), number: invitation.id.0, series: invitation.link_series, expires };
        token.sign(self.keys, purpose)
    }

    /// All links of a letter about this invitation, good until `expires`.
    ///
    /// # Errors
    /// In words for a support person, when the shop's link cannot be made.
    pub fn of_letter(
        &self,
        shop: &Shop,
        invitation: &Invitation,
        kind: LetterKind,
        expires: Timestamp,
    ) -> Result<LetterLinks, String> {
        let review = self.token(invitation, Purpose::Review, expires);
        let customer = &invitation.customer;
        let data = LinkData {
            email: &customer.email,
            name: customer.name.as_ref(),
            reference: &invitation.reference,
            token: &review,
            shop: &shop.id,
            locale: invitation.order.locale.as_deref().unwrap_or(&shop.locale),
            letter: kind.as_str(),
        };
        let skus = skus(&invitation.order.products);
        let (address, stars) = self.leads(&data, &skus, |site| (site.review(&review), Some(site.stars(&review))))?;
        let page = |of: fn(&Site, &str) -> String, purpose| {
            self.site().map(|site| of(site, &self.token(invitation, purpose, expires)))
        };
        Ok(LetterLinks {
            review: address,
            stars,
            later: page(Site::later, Purpose::Review),
            unsubscribe: page(Site::unsubscribe, Purpose::Unsubscribe),
            data: page(Site::data, Purpose::Data),
            view: page(Site::view, Purpose::View),
            about: self.site().map(|site| site.about(&shop.id)),
        })
    }

    /// The link for one order that a shop puts into a mail of its own.
    ///
    /// # Errors
    /// In words for the shop, when its link cannot be made.
    pub fn of_order(&self, order: OwnOrder<'_>) -> Result<String, String> {
        let ticket = order.ticket;
        let sealed = ticket.seal(self.keys, random_bytes());
        let data = LinkData {
            email: &ticket.email,
            name: ticket.name.as_ref(),
            reference: &ticket.reference,
            token: &sealed,
            shop: &ticket.shop,
            locale: order.locale,
            letter: NO_LETTER,
        };
        self.leads(&data, &[], |site| (site.order(&sealed), None)).map(|(address, _)| address)
    }

    /// The link for everybody: what is reviewed by it is of no order that we know.
    ///
    /// # Errors
    /// In words for the shop, when there is none.
    pub fn generic(&self, shop: &ShopId, locale: &str) -> Result<String, String> {
        match self.routes(shop)?.for_everybody(locale) {
            Target::Own => self.own().map(|site| site.shop(shop)),
            Target::Pattern(_) => Err(format!(
                "the link of the shop {shop} is a web address with customers in it; it has none for everybody"
            )),
            Target::BusinessGenerated(maker) => Ok(maker.page().for_everybody()),
            Target::Unique(maker) => Ok(maker.page().for_everybody()),
        }
    }

    /// Where the shop wants this visitor's review when that is not on our pages, and of the clicked star where the target knows stars.
    /// It is the configuration's word alone: nothing that a visitor brings chooses the site.
    ///
    /// # Errors
    /// In words for the shop, when it collects elsewhere but has no link for somebody like this.
    pub fn elsewhere(
        &self,
        shop: &Shop,
        visit: &Visit,
        clicked: Option<u8>,
        now: Timestamp,
    ) -> Result<Option<String>, String> {
        let locale = visit.locale.as_deref().unwrap_or(&shop.locale);
        let address = match (&visit.who, &visit.invitation) {
            (Who::Invitation(_), Some(invitation)) => {
                let expires = visit.expires.unwrap_or_else(|| self.expires(now));
                let links = self.of_letter(shop, invitation, LetterKind::Invitation, expires)?;
                let star = clicked.and_then(|stars| usize::from(stars).checked_sub(1));
                let of_star = star.and_then(|at| links.stars.and_then(|stars| stars.into_iter().nth(at)));
                of_star.unwrap_or(links.review)
            }
            (Who::Order(ticket), _) => self.of_order(OwnOrder { ticket, locale })?,
            (Who::Anybody, _) => self.generic(&shop.id, locale)?,
            // Written here, so changed here.
            (Who::Review(_) | Who::Invitation(_), _) => return Ok(None),
        };
        // A pattern, too, may lead to these pages.
        let is_here = self.site().is_some_and(|site| site.place(&address).is_some());
        Ok((!is_here).then_some(address))
    }

    /// The address behind a shop's link and, where there are some, those behind its stars.
    fn leads(
        &self,
        data: &LinkData<'_>,
        skus: &[&str],
        own: impl FnOnce(&Site) -> (String, Option<[String; 5]>),
    ) -> Result<(String, Option<[String; 5]>), String> {
        let order = LinkedOrder { email: data.email, name: data.name, reference: data.reference, skus };
        Ok(match self.routes(data.shop)?.of(data.shop, data.reference, data.email, data.locale) {
            Target::Own => own(self.own()?),
            Target::Pattern(pattern) => (pattern.expand(data), pattern.star_links(data)),
            Target::BusinessGenerated(maker) => (maker.link(&order, random_bytes()), None),
            Target::Unique(maker) => (maker.link(&order), None),
        })
    }

    fn routes(&self, shop: &ShopId) -> Result<&Routes, String> {
        self.routes.get(shop).ok_or_else(|| format!("the configuration has no shop {shop}"))
    }

    fn own(&self) -> Result<&Site, String> {
        self.site()
            .ok_or_else(|| "the link leads to the pages of this service, and there are none: see [pages]".to_owned())
    }
}

/// The article numbers of an order, for reviews of its products: all of them, or none, as Trustpilot asks.
fn skus(products: &[Product]) -> Vec<&str> {
    products.iter().map(|product| product.sku.as_deref()).collect::<Option<Vec<_>>>().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config;
    use crate::document::Document;
    use crate::domain::{EmailAddress, OrderReference, Policy, open_by_hand};
    use crate::link::{BusinessGenerated, Place, Route, TrustpilotPage, UniqueLink, UrlPattern};
    use crate::ops::specimen::invitation;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_251_600);
    const PAGES: &str = "https://reviews.nord.example";

    fn config(pages: bool) -> Config {
        let pages = if pages { format!("[pages]\nurl = \"{PAGES}/\"\n") } else { String::new() };
        let text = format!(
            "database = \"q.db\"\nmaster_key = {{ file = \"m\" }}\ningest_domain = \"in.example.com\"\n\
             link_expiry = \"30 days\"\n{pages}[[relay]]\nurl = \"smtp://localhost\"\n[[shop]]\nid = \"nord\"\n\
             name = \"Nord\"\ndomains = \"nord.example\"\nsecrets = \"writeyourownhere0123\"\nfrom = \"r@nord.example\"\n\
             link = \"https://nord.example/\"\n"
        );
        config::parse(&Document::new("x.toml", text), Path::new("")).unwrap()
    }

    fn keys() -> LinkKeys {
        LinkKeys::new((1, [1; 32]), [])
    }

    fn pattern(text: &str) -> Target {
        Target::Pattern(UrlPattern::parse(text).unwrap())
    }

    fn page() -> TrustpilotPage {
        TrustpilotPage { domain: "nord.example".to_owned(), locale: None }
    }

    fn business_generated() -> Target {
        let key = "XCxIAot+Tr6FVbU5fROwe2ckBEoFDcb6gwBT8022oVs=";
        Target::BusinessGenerated(BusinessGenerated::new(page(), Vec::new(), key, key).unwrap())
    }

    fn routes(routes: Vec<Route>, otherwise: Target) -> HashMap<ShopId, Routes> {
        HashMap::from([(ShopId::parse("nord").unwrap(), Routes::new(routes, otherwise))])
    }

    fn of_letter(pages: bool, all: &HashMap<ShopId, Routes>, order: &Invitation) -> Result<LetterLinks, String> {
        let (config, keys) = (config(pages), keys());
        let maker = LinkMaker::new(&config, &keys, all);
        maker.of_letter(&config.shops[0], order, LetterKind::Invitation, maker.expires(NOW))
    }

    fn order() -> Invitation {
        invitation(open_by_hand(NOW, &Policy::default()).progress, NOW)
    }

    #[test]
    fn a_letter_to_our_pages_has_every_link_with_a_token_for_its_purpose() {
        let links = of_letter(true, &routes(Vec::new(), Target::Own), &order()).unwrap();
        let site = Site::new(PAGES);
        let read = |address: &str, purpose| {
            let (Place::Review(token) | Place::Unsubscribe(token) | Place::Data(token) | Place::View(token)) =
                site.place(address).unwrap()
            else {
                panic!("{address}")
            };
            Token::verify(&keys(), purpose, token, NOW).unwrap()
        };
        let expires = NOW.plus(crate::domain::DAY * 30);
        let expected = Token { shop: order().shop, number: 12, series: 0, expires };
        for (address, purpose) in [
            (Some(links.review.clone()), Purpose::Review),
            (links.stars.as_ref().map(|stars| stars[4].clone()), Purpose::Review),
            (links.later, Purpose::Review),
            (links.unsubscribe, Purpose::Unsubscribe),
            (links.data, Purpose::Data),
            (links.view, Purpose::View),
        ] {
            let address = address.unwrap();
            assert_eq!(read(&address, purpose), expected, "{address}");
            assert!(address.len() - PAGES.len() < 100, "a header field with it stays on one line");
        }
        assert_eq!(links.stars.unwrap()[4], format!("{}?s=5", links.review));
        assert_eq!(links.about.as_deref(), Some("https://reviews.nord.example/about/nord"));
    }

    #[test]
    fn a_letter_that_leads_elsewhere_has_our_pages_beside_it_when_there_are_any() {
        let all = routes(Vec::new(), pattern("https://nord.example/r?o={reference}&s={stars}&t={token}&k={letter}"));
        let alone = of_letter(false, &all, &order()).unwrap();
        let token = alone.review.split("&t=").nth(1).unwrap().split('&').next().unwrap();
        assert!(Token::verify(&keys(), Purpose::Review, token, NOW).is_ok());
        assert_eq!(alone.review, format!("https://nord.example/r?o=A-1&s=&t={token}&k=invitation"));
        assert_eq!(alone.stars.unwrap()[0], alone.review.replace("s=&", "s=1&"));
        assert!([alone.later, alone.unsubscribe, alone.data, alone.view, alone.about].iter().all(Option::is_none));
        let beside = of_letter(true, &all, &order()).unwrap();
        assert_eq!(beside.review, alone.review);
        assert!([beside.later, beside.unsubscribe, beside.data, beside.view, beside.about].iter().all(Option::is_some));
    }

    #[test]
    fn languages_and_draws_choose_among_the_links() {
        let german = Route { locale: Some("de".to_owned()), share: None, target: business_generated() };
        let trial = Route { locale: None, share: Some(50), target: pattern("https://trial.example/") };
        let rest = Target::Unique(UniqueLink::new(page(), "mykey12".to_owned()));
        let all = routes(vec![german, trial], rest);
        let leads = |reference: &str, locale: Option<&str>| {
            let mut order = order();
            order.reference = OrderReference::parse(reference).unwrap();
            order.order.locale = locale.map(str::to_owned);
            let links = of_letter(false, &all, &order).unwrap();
            links.review.split(['?', '&']).next().unwrap().to_owned()
        };
        assert_eq!(leads("A-1", Some("de-AT")), "https://www.trustpilot.com/evaluate-bgl/nord.example");
        let drawn = (0..200).map(|n| leads(&n.to_string(), Some("sv"))).collect::<Vec<_>>();
        let trials = drawn.iter().filter(|address| *address == "https://trial.example/").count();
        assert!((70..=130).contains(&trials), "{trials}");
        assert!(drawn.iter().any(|address| address == "https://www.trustpilot.com/evaluate/nord.example"));
        assert_eq!(drawn[7], leads("7", Some("sv")), "drawn once");
    }

    #[test]
    fn article_numbers_are_all_told_or_none() {
        let product = |sku: Option<&str>| Product { sku: sku.map(str::to_owned), ..Product::default() };
        assert_eq!(skus(&[product(Some("a")), product(Some("b"))]), ["a", "b"]);
        assert_eq!(skus(&[product(Some("a")), product(None)]), Vec::<&str>::new());
        assert_eq!(skus(&[]), Vec::<&str>::new());
    }

    #[test]
    fn a_shop_has_links_of_its_kind_for_orders_and_for_everybody() {
        let config = config(true);
        let keys = keys();
        let ticket = OrderTicket {
            shop: config.shops[0].id.clone(),
            email: EmailAddress::parse("anna@customer.example").unwrap(),
            name: None,
            reference: OrderReference::parse("A-1").unwrap(),
            products: vec!["Lamp".to_owned()],
            expires: NOW.plus(crate::domain::DAY),
        };
        let made = |target: Target| {
            let all = routes(Vec::new(), target);
            let maker = LinkMaker::new(&config, &keys, &all);
            let order = OwnOrder { ticket: &ticket, locale: "en" };
            (maker.of_order(order).unwrap(), maker.generic(&ticket.shop, "en"))
        };
        let (own, generic) = made(Target::Own);
        let Some(Place::Order(sealed)) = Site::new(PAGES).place(&own) else { panic!("{own}") };
        assert_eq!(OrderTicket::open(&keys, sealed, NOW), Ok(ticket.clone()));
        assert_eq!(generic.as_deref(), Ok("https://reviews.nord.example/s/nord"));
        let (address, generic) = made(pattern("https://nord.example/{reference}?t={token}&k={letter}"));
        assert!(address.starts_with("https://nord.example/A-1?t=") && address.ends_with("&k=link"), "{address}");
        let sealed = address.split("?t=").nth(1).unwrap().split('&').next().unwrap();
        assert_eq!(OrderTicket::open(&keys, sealed, NOW), Ok(ticket.clone()));
        assert!(generic.unwrap_err().contains("it has none for everybody"));
        let (address, generic) = made(business_generated());
        assert!(address.starts_with("https://www.trustpilot.com/evaluate-bgl/nord.example?p="), "{address}");
        assert_eq!(generic.as_deref(), Ok("https://www.trustpilot.com/evaluate/nord.example"));
    }

    #[test]
    fn what_has_no_pages_to_lead_to_says_so() {
        let error = of_letter(false, &routes(Vec::new(), Target::Own), &order()).err().unwrap();
        assert!(error.contains("see [pages]"), "{error}");
        let error = of_letter(true, &HashMap::new(), &order()).err().unwrap();
        assert_eq!(error, "the configuration has no shop nord");
    }
}
