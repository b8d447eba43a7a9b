//! Mail addresses by what they are: masked by a marketplace, at a provider for everybody or of throw-away addresses, of an office,
//! read by nobody. The lists are data: `templates/mail/addresses.toml` and `templates/mail/disposable.txt`.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use serde::Deserialize;

use super::email_address::EmailAddress;

/// What an address is when it is not simply a person's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AddressClass {
    /// An office's: `info@`, `faktura@`. Not at providers for everybody, where such a name is somebody's own.
    Role,
    /// One under which a marketplace hides its buyer; most marketplaces forbid invitations to it.
    Masked,
    /// At a provider of throw-away addresses.
    Disposable,
    /// In a domain of the shop's own: a test, or a colleague.
    Own,
    /// Read by nobody: `noreply@`.
    Machine,
}

impl AddressClass {
    /// Every class.
    pub const ALL: [Self; 5] = [Self::Role, Self::Masked, Self::Disposable, Self::Own, Self::Machine];

    /// The word for it in the configuration, in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Masked => "masked",
            Self::Disposable => "disposable",
            Self::Own => "own",
            Self::Machine => "machine",
        }
    }

    /// The class of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == word)
    }
}

/// Some of the classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressClassSet(u8);

impl AddressClassSet {
    /// No class.
    pub const NONE: Self = Self(0);
    /// Every class.
    pub const ALL: Self = Self(0b1_1111);

    /// Whether this class is one of them.
    pub const fn contains(self, class: AddressClass) -> bool {
        self.0 & (1 << class as u8) != 0
    }
}

impl FromIterator<AddressClass> for AddressClassSet {
    fn from_iter<T: IntoIterator<Item = AddressClass>>(classes: T) -> Self {
        Self(classes.into_iter().fold(0, |set, class| set | (1 << class as u8)))
    }
}

/// The lists of addresses by kind.
#[derive(Debug)]
pub struct AddressClasses {
    masked: Domains,
    shared: Domains,
    disposable: Domains,
    nobody: HashSet<String>,
    role: HashSet<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lists {
    masked: Vec<String>,
    shared: Vec<String>,
    nobody: HashSet<String>,
    role: HashSet<String>,
}

static SHIPPED: LazyLock<AddressClasses> = LazyLock::new(|| {
    let lists: Lists = toml::from_str(include_str!("../../templates/mail/addresses.toml"))
        .expect("the file is part of the program, and tested");
    AddressClasses {
        masked: lists.masked.into_iter().collect(),
        shared: lists.shared.into_iter().collect(),
        disposable: entries(include_str!("../../templates/mail/disposable.txt")).map(str::to_owned).collect(),
        nobody: lists.nobody,
        role: lists.role,
    }
});

/// The lines that are neither blank nor comment.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

impl AddressClasses {
    /// The lists that come with the program.
    pub fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// What an address is, or `None` for a person's; `own_domains` are the shop's. An address of two classes is in the one that
    /// says more about it: own, masked, disposable, machine, role.
    pub fn class_of(&self, email: &EmailAddress, own_domains: &[String]) -> Option<AddressClass> {
        if within(email, own_domains) {
            Some(AddressClass::Own)
        } else if self.masked(email).is_some() {
            Some(AddressClass::Masked)
        } else if self.disposable.entry(email).is_some() {
            Some(AddressClass::Disposable)
        } else if self.is_nobodys(email) {
            Some(AddressClass::Machine)
        } else if self.role.contains(&name(email)) && !self.is_shared(email) {
            Some(AddressClass::Role)
        } else {
            None
        }
    }

    /// The entry of the list under which a marketplace masks the buyer with this address.
    pub fn masked(&self, email: &EmailAddress) -> Option<&str> {
        self.masked.entry(email)
    }

    /// Whether everybody can have an address in this address's domain.
    pub fn is_shared(&self, email: &EmailAddress) -> bool {
        self.shared.entry(email).is_some()
    }

    /// Whether nobody reads what is sent to this address.
    pub fn is_nobodys(&self, email: &EmailAddress) -> bool {
        self.nobody.contains(&name(email))
    }
}

/// The part before the `@` in lower case, without the tag that a person adds to it (`info+orders`, RFC 5233).
fn name(email: &EmailAddress) -> String {
    let local = email.local_part();
    local.split_once('+').map_or(local, |(name, _)| name).to_lowercase()
}

/// Whether an address is in one of the domains or below it.
pub(crate) fn within(email: &EmailAddress, domains: &[String]) -> bool {
    domains.iter().any(|domain| is_below(email.domain(), &domain.trim_end_matches('.').to_ascii_lowercase()))
}

/// Whether the domain of one address is that of the other, or below it.
pub(crate) fn are_related(one: &EmailAddress, other: &EmailAddress) -> bool {
    is_below(one.domain(), other.domain()) || is_below(other.domain(), one.domain())
}

fn is_below(domain: &str, above: &str) -> bool {
    domain == above || domain.strip_suffix(above).is_some_and(|rest| rest.ends_with('.'))
}

/// A list of domains. A name stands for the domain and all below it; `.*` at its end for any top-level domain, one or two labels
/// of it.
#[derive(Debug)]
struct Domains {
    whole: HashSet<String>,
    /// Entries that end in `.*` by what stands before it.
    stems: HashMap<String, String>,
}

impl FromIterator<String> for Domains {
    fn from_iter<T: IntoIterator<Item = String>>(entries: T) -> Self {
        let mut domains = Self { whole: HashSet::new(), stems: HashMap::new() };
        for entry in entries {
            match entry.strip_suffix(".*") {
                Some(stem) => drop(domains.stems.insert(stem.to_owned(), entry)),
                None => drop(domains.whole.insert(entry)),
            }
        }
        domains
    }
}

impl Domains {
    /// The entry that the address's domain falls under.
    fn entry(&self, email: &EmailAddress) -> Option<&str> {
        let domain = email.domain();
        // Any label may be where a name begins, and one or two labels follow a name that ends in `.*`.
        let starts = std::iter::once(0).chain(domain.match_indices('.').map(|(at, _)| at + 1));
        starts.map(|at| &domain[at..]).find_map(|rest| {
            self.whole.get(rest).map(String::as_str).or_else(|| {
                let ends = rest.rmatch_indices('.').take(2);
                ends.map(|(end, _)| &rest[..end]).find_map(|stem| self.stems.get(stem).map(String::as_str))
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::host_name;

    fn address(text: &str) -> EmailAddress {
        EmailAddress::parse(text).unwrap()
    }

    fn class(email: &str) -> &'static str {
        let own = ["nordljus.example".to_owned()];
        AddressClasses::shipped().class_of(&address(email), &own).map_or("-", AddressClass::as_str)
    }

    #[test]
    fn every_address_is_in_one_class_or_a_persons() {
        for (email, expected) in [
            ("anna.berg@firma.example", "-"),
            ("information@firma.example", "-"),
            ("infante@firma.example", "-"),
            ("anna+info@firma.example", "-"),
            ("info@firma.example", "role"),
            ("INFO+shop@firma.example", "role"),
            ("Fakturor@firma.example", "role"),
            ("inköp@firma.example", "role"),
            ("INKÖP@firma.example", "role"),
            ("comptabilité@firma.example", "role"),
            ("zamowienia@firma.example", "role"),
            ("info@gmail.com", "-"),
            ("kontakt@mail.gmx.de", "-"),
            ("No-Reply@firma.example", "machine"),
            ("noreply@gmail.com", "machine"),
            ("mailer-daemon@mail.firma.example", "machine"),
            ("bo@mailinator.com", "disposable"),
            ("bo@eu.yopmail.fr", "disposable"),
            ("bo@guerrillamail.co.uk", "disposable"),
            ("info@trash-mail.com", "disposable"),
            ("bo@notmailinator.example", "-"),
            ("bo@mailinator.com.firma.example", "-"),
            ("bo.k@simplelogin.com", "-"),
            ("bo@duck.com", "-"),
            ("x1@mozmail.com", "-"),
            ("x1@privaterelay.appleid.com", "-"),
            ("x1@marketplace.amazon.co.uk", "masked"),
            ("noreply@members.ebay.de", "masked"),
            ("anna@nordljus.example", "own"),
            ("info@mail.nordljus.example", "own"),
            ("anna@nordljus.example.org", "-"),
        ] {
            assert_eq!(class(email), expected, "{email}");
        }
    }

    #[test]
    fn classes_have_one_word_each() {
        for class in AddressClass::ALL {
            assert_eq!(AddressClass::parse(class.as_str()), Some(class));
        }
        assert_eq!(AddressClass::parse("Role"), None);
    }

    #[test]
    fn the_list_of_throw_away_domains_is_sorted_and_names_no_mailbox_of_a_person() {
        let text = include_str!("../../templates/mail/disposable.txt");
        let listed = entries(text).collect::<Vec<_>>();
        assert!(listed.len() >= 150, "{}", listed.len());
        assert!(listed.is_sorted_by(|a, b| a < b), "not in order, or a line twice");
        for entry in &listed {
            let domain = entry.strip_suffix(".*").map_or_else(|| (*entry).to_owned(), |stem| format!("{stem}.com"));
            assert_eq!(host_name(&domain).as_deref(), Some(domain.as_str()), "{entry}");
            let someone = address(&format!("anna@{domain}"));
            let classes = AddressClasses::shipped();
            assert!(!classes.is_shared(&someone) && classes.masked(&someone).is_none(), "{entry}");
        }
        let forwarders = [
            "addy.io",
            "aleeas.com",
            "anonaddy.com",
            "anonaddy.me",
            "duck.com",
            "hide-my-email.com",
            "icloud.com",
            "mozmail.com",
            "passinbox.com",
            "passmail.net",
            "privaterelay.appleid.com",
            "simplelogin.co",
            "simplelogin.com",
            "slmail.me",
            "33mail.com",
        ];
        for domain in forwarders {
            assert_eq!(class(&format!("anna@{domain}")), "-", "{domain}");
        }
    }

    #[test]
    fn names_of_offices_can_be_names_of_addresses() {
        let classes = AddressClasses::shipped();
        assert!(classes.role.len() > 200, "{}", classes.role.len());
        for name in classes.role.iter().chain(&classes.nobody) {
            assert_eq!(super::name(&address(&format!("{name}@firma.example"))), *name);
        }
        assert!(classes.role.is_disjoint(&classes.nobody));
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
            assert_eq!(AddressClasses::shipped().masked(&address(email)), entry, "{email}");
        }
    }

    #[test]
    fn providers_for_everybody_and_readers_of_nothing_are_known() {
        let classes = AddressClasses::shipped();
        for (email, shared) in
            [("a@gmail.com", true), ("a@yahoo.co.uk", true), ("a@mail.yahoo.de", true), ("a@shop.example", false)]
        {
            assert_eq!(classes.is_shared(&address(email)), shared, "{email}");
        }
        assert!(classes.is_nobodys(&address("No-Reply@shop.example")));
        assert!(!classes.is_nobodys(&address("noreen@shop.example")));
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
