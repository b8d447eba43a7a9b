//! Mail addresses by what they are: masked by a marketplace, at a provider for everybody, read by nobody. The lists are data,
//! `templates/mail/addresses.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::domain::EmailAddress;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lists {
    masked: Vec<String>,
    shared: Vec<String>,
    nobody: Vec<String>,
}

static LISTS: LazyLock<Lists> = LazyLock::new(|| {
    toml::from_str(include_str!("../../templates/mail/addresses.toml"))
        .expect("the file is part of the program, and tested")
});

/// The entry of the list under which a marketplace masks the buyer with this address.
pub(super) fn masked(email: &EmailAddress) -> Option<&'static str> {
    entry(email, &LISTS.masked)
}

/// Whether everybody can have an address in this address's domain.
pub(super) fn is_shared(email: &EmailAddress) -> bool {
    entry(email, &LISTS.shared).is_some()
}

/// Whether nobody reads what is sent to this address.
pub(super) fn is_nobodys(email: &EmailAddress) -> bool {
    let local = email.local_part().to_ascii_lowercase();
    LISTS.nobody.contains(&local)
}

/// Whether an address is in one of the domains or below it.
pub(super) fn within(email: &EmailAddress, domains: &[String]) -> bool {
    domains.iter().any(|domain| is_below(email.domain(), &domain.trim_end_matches('.').to_ascii_lowercase()))
}

/// Whether the domain of one address is that of the other, or below it.
pub(super) fn are_related(one: &EmailAddress, other: &EmailAddress) -> bool {
    is_below(one.domain(), other.domain()) || is_below(other.domain(), one.domain())
}

fn is_below(domain: &str, above: &str) -> bool {
    domain == above || domain.strip_suffix(above).is_some_and(|rest| rest.ends_with('.'))
}

fn entry<'l>(email: &EmailAddress, list: &'l [String]) -> Option<&'l str> {
    let holds = |entry: &&String| match entry.strip_suffix(".*") {
        None => is_below(email.domain(), entry),
        Some(name) => {
            // Any label of the domain may be where the name begins, and one or two labels follow the name.
            let starts = std::iter::once(0).chain(email.domain().match_indices('.').map(|(at, _)| at + 1));
            starts
                .filter_map(|at| email.domain()[at..].strip_prefix(name)?.strip_prefix('.'))
                .any(|top| matches!(top.split('.').count(), 1 | 2))
        }
    };
    list.iter().find(holds).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> EmailAddress {
        EmailAddress::parse(text).unwrap()
    }

    #[test]
    fn buyers_of_marketplaces_are_masked_and_people_who_mask_themselves_are_not() {
        for (email, entry) in [
            ("x1y2z3@marketplace.amazon.com", Some("marketplace.amazon.*")),
            ("x1y2z3@marketplace.amazon.co.uk", Some("marketplace.amazon.*")),
            ("x1@members.ebay.de", Some("members.ebay.*")),
            ("x1@pc.fw.rakuten.ne.jp", Some("fw.rakuten.ne.jp")),
            ("x1@notification.mirakl.net", Some("mirakl.net")),
            ("bo@amazon.com", None),
            ("bo@notmarketplace.amazon.com", None),
            ("bo@marketplace.amazon.com.evil.example.org", None),
            ("bo@ebay.com", None),
            ("x1@privaterelay.appleid.com", None),
            ("bo@example.org", None),
        ] {
            assert_eq!(masked(&address(email)), entry, "{email}");
        }
    }

    #[test]
    fn providers_for_everybody_and_readers_of_nothing_are_known() {
        for (email, shared) in
            [("a@gmail.com", true), ("a@yahoo.co.uk", true), ("a@mail.yahoo.de", true), ("a@shop.example", false)]
        {
            assert_eq!(is_shared(&address(email)), shared, "{email}");
        }
        assert!(is_nobodys(&address("No-Reply@shop.example")) && !is_nobodys(&address("noreen@shop.example")));
    }

    #[test]
    fn a_domain_covers_what_is_below_it_and_nothing_beside() {
        let within = |email: &str| super::within(&address(email), &["Shop.example.".to_owned()]);
        assert!(within("a@shop.example") && within("a@mail.SHOP.example"));
        assert!(!within("a@myshop.example") && !within("a@shop.example.org"));
        let related = |one: &str, other: &str| are_related(&address(one), &address(other));
        assert!(related("a@shop.example", "b@mail.shop.example") && related("a@m.shop.example", "b@shop.example"));
        assert!(!related("a@shop.example", "b@ashop.example"));
    }
}
