//! Domains that a shop's rules name, and whether two domains belong together.

use std::fmt;

use crate::domain::host_name;

/// A domain of a list: `shop.example` stands for itself alone, `.shop.example` for itself and all below it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ListedDomain {
    name: String,
    with_all_below: bool,
}

impl ListedDomain {
    /// The entry, in lower-case A-labels, or `None` when it is no domain.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let below = text.strip_prefix('.');
        let name = host_name(below.unwrap_or(text).trim_end_matches('.'))?;
        Some(Self { name, with_all_below: below.is_some() })
    }

    /// The domain without its dot.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the entry stands for this domain, in whatever case it is written.
    pub fn covers(&self, domain: &str) -> bool {
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        domain == self.name || (self.with_all_below && is_below(&domain, &self.name))
    }
}

impl fmt::Display for ListedDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.with_all_below { "." } else { "" }, self.name)
    }
}

/// Whether a domain that was proved speaks for the author's domain: it is the same, above it or below it, or one entry names both. RFC 9989 asks for the same organisation, which takes a list of public suffixes or more lookups; a
/// sister domain that a shop means to trust is trusted by an entry with a dot.
pub fn are_aligned(entry: &ListedDomain, proved: &str, author: &str) -> bool {
    let proved = proved.trim_end_matches('.').to_ascii_lowercase();
    let author = author.trim_end_matches('.').to_ascii_lowercase();
    proved == author
        || is_below(&proved, &author)
        || is_below(&author, &proved)
        || (entry.covers(&proved) && entry.covers(&author))
}

fn is_below(domain: &str, above: &str) -> bool {
    domain.strip_suffix(above).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_stands_for_itself_and_with_a_dot_for_all_below() {
        for (entry, domain, covered) in [
            ("shop.example", "shop.example", true),
            ("Shop.Example", "SHOP.example.", true),
            ("shop.example", "mail.shop.example", false),
            (".shop.example", "shop.example", true),
            (".shop.example", "a.mail.shop.example", true),
            (".shop.example", "eshop.example", false),
            (".shop.example", ".shop.example", false),
            (".shop.example", "example", false),
            (".shop.example", "", false),
        ] {
            assert_eq!(ListedDomain::parse(entry).unwrap().covers(domain), covered, "{entry} {domain}");
        }
        for wrong in ["", ".", "example", "*.shop.example", "a@shop.example", "shop..example", "127.0.0.1"] {
            assert_eq!(ListedDomain::parse(wrong), None, "{wrong}");
        }
        assert_eq!(ListedDomain::parse(".Shop.example").unwrap().to_string(), ".shop.example");
    }

    #[test]
    fn a_domain_speaks_for_those_above_and_below_it_and_for_sisters_only_when_both_are_named() {
        for (entry, proved, author, aligned) in [
            ("shop.example", "shop.example", "shop.example", true),
            ("mail.shop.example", "mail.shop.example", "shop.example", true),
            ("shop.example", "shop.example", "news.shop.example", true),
            ("mail.shop.example", "mail.shop.example", "news.shop.example", false),
            (".shop.example", "mail.shop.example", "news.shop.example", true),
            ("shop.example", "forger.example", "shop.example", false),
            ("platform.example", "platform.example", "shop.example", false),
            ("shop.example", "shop.example", "eshop.example", false),
        ] {
            let entry = ListedDomain::parse(entry).unwrap();
            assert_eq!(are_aligned(&entry, proved, author), aligned, "{entry} {proved} {author}");
        }
    }
}
