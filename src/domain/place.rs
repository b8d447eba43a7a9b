//! Where a customer is, as far as time of day and holidays go. Which country has which zones is data,
//! `templates/policy/countries.toml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::time::Zone;

/// The place by whose clocks and calendar a customer lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The zones in which the customer may be; of a country with several the one where most people live first. None at all
    /// counts as UTC.
    pub zones: Vec<Zone>,
    /// The customer's country where it is known, ISO 3166-1 alpha-2 in capitals.
    pub country: Option<String>,
}

impl Place {
    /// A place of which nothing but its zone is known.
    pub fn in_zone(zone: &Zone) -> Self {
        Self { zones: vec![zone.clone()], country: None }
    }
}

/// The countries and their zones.
#[derive(Debug)]
pub struct Places {
    countries: BTreeMap<String, Vec<Zone>>,
    also: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    zones: BTreeMap<String, Vec<String>>,
    also: BTreeMap<String, String>,
}

static SHIPPED: LazyLock<Places> = LazyLock::new(|| {
    Places::read(include_str!("../../templates/policy/countries.toml"))
        .expect("the file is part of the program, and tested")
});

impl Places {
    /// The countries that come with the program.
    pub fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// Where a customer is: in the country (ISO 3166-1 alpha-2, any case), else in the region of the locale (`sv-SE`, `pt_BR`),
    /// else where the shop is. A code that is no country's is passed over.
    pub fn of(&self, country: Option<&str>, locale: Option<&str>, shop_zone: &Zone) -> Place {
        let known = country.and_then(|code| self.country(code));
        let known = known.or_else(|| self.country(region(locale?)?));
        known.map_or_else(
            || Place::in_zone(shop_zone),
            |(country, zones)| Place { zones: zones.clone(), country: Some(country.clone()) },
        )
    }

    /// The code of a country (ISO 3166-1 alpha-2, in capitals) for one in any case, or for another that it goes by (`UK`).
    pub fn code(&self, code: &str) -> Option<&str> {
        self.country(code).map(|(country, _)| country.as_str())
    }

    fn country(&self, code: &str) -> Option<(&String, &Vec<Zone>)> {
        let code = code.trim().to_ascii_uppercase();
        self.countries.get_key_value(self.also.get(&code).unwrap_or(&code))
    }

    /// The countries in the text of the file; what is wrong, otherwise.
    fn read(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut countries = BTreeMap::new();
        for (country, names) in file.zones {
            let zone = |name: &String| Zone::named(name).ok_or_else(|| format!("{country}: there is no zone {name:?}"));
            let zones = names.iter().map(zone).collect::<Result<Vec<_>, _>>()?;
            if zones.is_empty() {
                return Err(format!("{country}: no zone"));
            }
            countries.insert(country, zones);
        }
        if let Some((code, country)) = file.also.iter().find(|(_, country)| !countries.contains_key(*country)) {
            return Err(format!("{code}: there is no country {country:?}"));
        }
        Ok(Self { countries, also: file.also })
    }
}

/// The region of a locale where it is a country's: the first subtag of two letters after the language, and before what a single
/// letter begins (RFC 5646 2.1; POSIX writes `_`, and a code set after a dot).
fn region(locale: &str) -> Option<&str> {
    let tag = locale.split(['.', '@']).next().unwrap_or_default();
    let subtags = tag.trim().split(['-', '_']).skip(1).take_while(|subtag| subtag.len() > 1);
    subtags.into_iter().find(|subtag| subtag.len() == 2 && subtag.bytes().all(|b| b.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ISO 3166-1 alpha-2, all that are assigned.
    const ISO_3166: &str = "\
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC \
CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD \
GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH \
KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW \
MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC \
SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY \
UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

    fn place(country: &str, locale: &str) -> String {
        let given = |text: &'static str| (!text.is_empty()).then_some(text);
        let shop = Zone::named("Europe/Copenhagen").unwrap();
        let (country, locale) = (country.to_owned().leak(), locale.to_owned().leak());
        let place = Places::shipped().of(given(country), given(locale), &shop);
        let zones = place.zones.iter().map(Zone::name).collect::<Vec<_>>().join(" ");
        format!("{} {zones}", place.country.as_deref().unwrap_or("-"))
    }

    #[test]
    fn a_customer_is_in_the_country_else_in_the_locales_region_else_where_the_shop_is() {
        for (country, locale, expected) in [
            ("SE", "da-DK", "SE Europe/Stockholm"),
            ("se", "", "SE Europe/Stockholm"),
            (" gb ", "", "GB Europe/London"),
            ("UK", "", "GB Europe/London"),
            ("", "sv-SE", "SE Europe/Stockholm"),
            ("", "pt_BR", "BR America/Sao_Paulo America/Manaus"),
            ("", "en_US.UTF-8", "US America/New_York America/Los_Angeles"),
            ("", "zh-Hant-TW", "TW Asia/Taipei"),
            ("", "de-CH-1996", "CH Europe/Zurich"),
            ("", "de-DE@euro", "DE Europe/Berlin"),
            ("??", "fi-FI", "FI Europe/Helsinki"),
            ("SWE", "fi-FI", "FI Europe/Helsinki"),
            ("ZZ", "", "- Europe/Copenhagen"),
            ("", "sv", "- Europe/Copenhagen"),
            ("", "es-419", "- Europe/Copenhagen"),
            ("", "en-x-us", "- Europe/Copenhagen"),
            ("", "de-u-co-phonebk", "- Europe/Copenhagen"),
            ("", "", "- Europe/Copenhagen"),
            ("\u{1f30d}", "\u{1f30d}-\u{e5}", "- Europe/Copenhagen"),
        ] {
            assert_eq!(place(country, locale), expected, "{country:?} {locale:?}");
        }
    }

    #[test]
    fn every_country_of_the_world_has_its_zones() {
        let codes = ISO_3166.split_whitespace().collect::<Vec<_>>();
        assert_eq!(codes.len(), 249);
        let mut listed = Places::shipped().countries.keys().map(String::as_str).collect::<Vec<_>>();
        listed.retain(|code| *code != "XK");
        assert_eq!(listed, codes);
        for (country, zones) in &Places::shipped().countries {
            for zone in zones {
                assert!(zone.name().contains('/'), "{country}: {}", zone.name());
            }
        }
    }

    #[test]
    fn a_file_with_a_mistake_says_which() {
        for (text, says) in [
            ("[zones]\nAA = [\"Mars/Olympus\"]\n[also]", "AA: there is no zone \"Mars/Olympus\""),
            ("[zones]\nAA = []\n[also]", "AA: no zone"),
            ("[zones]\n[also]\nUK = \"GB\"", "UK: there is no country \"GB\""),
        ] {
            assert_eq!(Places::read(text).unwrap_err(), says);
        }
    }
}
