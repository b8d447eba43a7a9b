//! Which of a shop's links a customer gets: by the language of the letter, and by a draw where a shop tries several on a part of its
//! customers each. An order has one draw, so that its letters all lead to the same place.

use super::{BusinessGenerated, UniqueLink, UrlPattern};
use crate::domain::{EmailAddress, OrderReference, ShopId, percentile};

/// Where a link leads.
#[derive(Debug, Clone)]
pub enum Target {
    /// To our own pages.
    Own,
    /// To an address of the shop's choice.
    Pattern(UrlPattern),
    /// To Trustpilot, sealed.
    BusinessGenerated(BusinessGenerated),
    /// To Trustpilot, signed.
    Unique(UniqueLink),
}

/// One of several links of a shop.
#[derive(Debug, Clone)]
pub struct Route {
    /// For letters in this language only: `de` for German everywhere, `de-AT` for Austria's.
    pub locale: Option<String>,
    /// For so many of a hundred customers; `None` for all that are left.
    pub share: Option<u8>,
    /// Where it leads.
    pub target: Target,
}

/// All links of a shop.
#[derive(Debug, Clone)]
pub struct Routes {
    routes: Vec<Route>,
    otherwise: Target,
}

impl Routes {
    /// The first of `routes` that fits counts, or else `otherwise`.
    pub fn new(routes: Vec<Route>, otherwise: Target) -> Self {
        Self { routes, otherwise }
    }

    /// Where one customer's letters about one order lead, in this language.
    pub fn of(&self, shop: &ShopId, reference: &OrderReference, email: &EmailAddress, locale: &str) -> &Target {
        self.drawn(percentile(shop, reference, email), locale)
    }

    /// Where a link leads that is for nobody in particular: no draw, so no trial.
    pub fn for_everybody(&self, locale: &str) -> &Target {
        let whole = |route: &&Route| route.share.is_none() && covers(route.locale.as_deref(), Some(locale));
        self.routes.iter().find(whole).map_or(&self.otherwise, |route| &route.target)
    }

    /// [`Self::of`] for a customer who is drawn at this place among a hundred, 0 to 99. Each share begins where the one before it that
    /// fits the language ended.
    fn drawn(&self, place: u8, locale: &str) -> &Target {
        let mut end = 0_u32;
        for route in self.routes.iter().filter(|route| covers(route.locale.as_deref(), Some(locale))) {
            end += u32::from(route.share.unwrap_or(100));
            if u32::from(place) < end {
                return &route.target;
            }
        }
        &self.otherwise
    }
}

/// Whether what is meant for one language holds for all letters in another: `None` is every language.
pub fn covers(locale: Option<&str>, other: Option<&str>) -> bool {
    let Some(locale) = locale else { return true };
    let Some((start, rest)) = other.and_then(|other| other.split_at_checked(locale.len())) else { return false };
    start.eq_ignore_ascii_case(locale) && (rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(host: &str) -> Target {
        Target::Pattern(UrlPattern::parse(&format!("https://{host}/")).unwrap())
    }

    fn host(target: &Target) -> String {
        let Target::Pattern(pattern) = target else { panic!("{target:?}") };
        pattern.to_string().replace("https://", "").replace('/', "")
    }

    fn routes(routes: &[(Option<&str>, Option<u8>, &str)]) -> Routes {
        let route = |(locale, share, host): &(Option<&str>, Option<u8>, &str)| Route {
            locale: locale.map(str::to_owned),
            share: *share,
            target: to(host),
        };
        Routes::new(routes.iter().map(route).collect(), to("rest"))
    }

    #[test]
    fn a_language_holds_for_its_countries_and_not_the_other_way_round() {
        for (locale, other, expected) in [
            (None, Some("de"), true),
            (None, None, true),
            (Some("de"), Some("de"), true),
            (Some("de"), Some("de-AT"), true),
            (Some("de"), Some("DE-at"), true),
            (Some("de-AT"), Some("de"), false),
            (Some("de-AT"), Some("de-CH"), false),
            (Some("de"), Some("den"), false),
            (Some("de"), None, false),
            (Some("zh-Hant"), Some("zh-Hant-TW"), true),
        ] {
            assert_eq!(covers(locale, other), expected, "{locale:?} {other:?}");
        }
    }

    #[test]
    fn shares_follow_each_other_and_the_rest_goes_where_the_rest_goes() {
        let routes = routes(&[
            (Some("de-AT"), None, "austria"),
            (Some("de"), Some(20), "german"),
            (None, Some(30), "trial"),
            (None, Some(10), "second"),
        ]);
        let count = |locale: &str| {
            let mut counted = std::collections::BTreeMap::new();
            for place in 0..100 {
                *counted.entry(host(routes.drawn(place, locale))).or_insert(0) += 1;
            }
            counted.into_iter().map(|(host, count)| format!("{host} {count}")).collect::<Vec<_>>().join(", ")
        };
        assert_eq!(count("de-AT"), "austria 100");
        assert_eq!(count("de-DE"), "german 20, rest 40, second 10, trial 30");
        assert_eq!(count("sv"), "rest 60, second 10, trial 30");
        assert_eq!(host(routes.for_everybody("de-AT")), "austria");
        assert_eq!(host(routes.for_everybody("de")), "rest", "nobody is drawn");
    }

    #[test]
    fn an_order_is_drawn_once_and_customers_fall_evenly() {
        let routes = routes(&[(None, Some(30), "trial")]);
        let shop = ShopId::parse("nordljus").unwrap();
        let is_trial = |reference: &str, email: &str| {
            let (reference, email) = (OrderReference::parse(reference).unwrap(), EmailAddress::parse(email).unwrap());
            host(routes.of(&shop, &reference, &email, "sv")) == "trial"
        };
        let drawn =
            (0..10_000).filter(|n| is_trial(&format!("A-{n}"), &format!("c{}@customer.example", n / 3))).count();
        assert!((2_850..=3_150).contains(&drawn), "{drawn}");
        for n in 0..100 {
            let plain = is_trial(&format!("a-{n}"), "anna@customer.example");
            assert_eq!(is_trial(&format!("A-{n}"), "Anna@Customer.example"), plain, "letter case does not count");
        }
    }
}
