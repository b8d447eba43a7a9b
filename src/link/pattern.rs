//! A shop's review link as it is configured: an absolute `http` or `https` address with placeholders.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::domain::{EmailAddress, OrderReference, PersonName, ShopId};

/// Everything but RFC 3986 `unreserved`: a value can then neither end a path segment or query value nor begin a new one.
pub(super) const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What the pattern's own text may not carry raw into a mail: blanks, controls, non-ASCII (always encoded) and the delimiters
/// that RFC 3986 leaves out of its grammar. `%` stays, since the author may have encoded already.
const UNFIT: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'|');

/// An absolute `http(s)` address with placeholders after its host, such as
/// `https://reviews.example/r?order={reference}&stars={stars}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlPattern {
    pieces: Vec<Piece>,
}

/// The pattern as it is configured, what a URL may not hold encoded.
impl fmt::Display for UrlPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Literal(text) => f.write_str(text),
            Piece::Value(placeholder) => write!(f, "{{{}}}", placeholder.name()),
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Value(Placeholder),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Placeholder {
    Email,
    Name,
    Reference,
    Token,
    Shop,
    Locale,
    Stars,
    Letter,
}

impl Placeholder {
    const ALL: [(&'static str, Self); 8] = [
        ("email", Self::Email),
        ("name", Self::Name),
        ("reference", Self::Reference),
        ("token", Self::Token),
        ("shop", Self::Shop),
        ("locale", Self::Locale),
        ("stars", Self::Stars),
        ("letter", Self::Letter),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, placeholder)| *placeholder == self).map_or("", |(name, _)| name)
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, placeholder)| *placeholder)
    }
}

/// What a pattern is filled with. Every value is percent-encoded as it goes in.
#[derive(Clone, Copy)]
pub struct LinkData<'a> {
    /// `{email}`: the customer's address. In a URL it ends up in logs on the way; prefer `{token}` where the target allows.
    pub email: &'a EmailAddress,
    /// `{name}`: the customer's name, empty when it is not known.
    pub name: Option<&'a PersonName>,
    /// `{reference}`: the order reference.
    pub reference: &'a OrderReference,
    /// `{token}`: see [`super::Token`].
    pub token: &'a str,
    /// `{shop}`: the shop's id.
    pub shop: &'a ShopId,
    /// `{locale}`: the language of the letter, RFC 5646.
    pub locale: &'a str,
    /// `{letter}`: which letter carries the link, `invitation` or `reminder`.
    pub letter: &'a str,
}

/// A text that is no [`UrlPattern`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidPattern {
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl InvalidPattern {
    fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

/// `what is wrong; remedy`.
impl fmt::Display for InvalidPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what, self.remedy)
    }
}

impl std::error::Error for InvalidPattern {}

impl UrlPattern {
    /// Checks a pattern. A host in letters beyond ASCII becomes its A-labels, other such letters are percent-encoded.
    ///
    /// # Errors
    /// No absolute `http(s)` address, an unknown placeholder, a lone brace, a placeholder before the path, a user name.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let text = text.trim();
        let after_scheme = ["https://", "http://"]
            .iter()
            .find(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
            .map(|scheme| scheme.len())
            .ok_or_else(|| {
                InvalidPattern::new(
                    "is not an absolute web address",
                    "write it in full, beginning with https:// or http://",
                )
            })?;
        let authority_end = text[after_scheme..].find(['/', '?', '#']).map_or(text.len(), |at| after_scheme + at);
        let origin = origin(&text[..authority_end], &text[after_scheme..authority_end])?;
        let mut pieces = vec![Piece::Literal(origin)];
        pieces.extend(split(&text[authority_end..])?);
        Ok(Self { pieces })
    }

    /// The address for one customer, without a rating: `{stars}` is empty.
    pub fn expand(&self, data: &LinkData<'_>) -> String {
        self.fill(data, "")
    }

    /// The five addresses behind the stars of a letter, from one star to five; `None` when the pattern has no `{stars}`. Then
    /// the target could not tell them apart, and a letter with five equal links would promise what does not happen.
    pub fn star_links(&self, data: &LinkData<'_>) -> Option<[String; 5]> {
        self.pieces
            .contains(&Piece::Value(Placeholder::Stars))
            .then(|| ["1", "2", "3", "4", "5"].map(|stars| self.fill(data, stars)))
    }

    fn fill(&self, data: &LinkData<'_>, stars: &str) -> String {
        let mut url = String::with_capacity(128);
        for piece in &self.pieces {
            let value = match piece {
                Piece::Literal(text) => {
                    url.push_str(text);
                    continue;
                }
                Piece::Value(Placeholder::Email) => data.email.as_str(),
                Piece::Value(Placeholder::Name) => data.name.map_or("", PersonName::as_str),
                Piece::Value(Placeholder::Reference) => data.reference.as_str(),
                Piece::Value(Placeholder::Token) => data.token,
                Piece::Value(Placeholder::Shop) => data.shop.as_str(),
                Piece::Value(Placeholder::Locale) => data.locale,
                Piece::Value(Placeholder::Stars) => stars,
                Piece::Value(Placeholder::Letter) => data.letter,
            };
            url.extend(utf8_percent_encode(value, RESERVED));
        }
        url
    }
}

/// Scheme, host and port in the form that every mail program understands.
fn origin(with_scheme: &str, authority: &str) -> Result<String, InvalidPattern> {
    if authority.contains(['{', '}']) {
        return Err(InvalidPattern::new(
            "has a placeholder in its host",
            "write the host out: what comes from a mail must not choose where the customer is sent",
        ));
    }
    if authority.contains('@') {
        return Err(InvalidPattern::new("has a user name before its host", "leave out the part up to the @"));
    }
    // A URL parser reads a backslash as a slash and passes over tabs; neither is what the author sees.
    let plain = !authority.contains(['\\', '%']) && !authority.contains(char::is_control);
    url::Url::parse(with_scheme)
        .ok()
        .filter(|url| plain && url.host_str().is_some_and(|host| !host.is_empty()))
        .map(|url| url.origin().ascii_serialization())
        .ok_or_else(|| {
            InvalidPattern::new(format!("{authority:?} is no host"), "write a host name, such as reviews.example.com")
        })
}

/// The part after the host, cut at its placeholders; its own text is made fit for a mail.
fn split(mut text: &str) -> Result<Vec<Piece>, InvalidPattern> {
    let known = || Placeholder::ALL.map(|(name, _)| format!("{{{name}}}")).join(" ");
    let mut pieces = Vec::new();
    while let Some(at) = text.find(['{', '}']) {
        pieces.push(literal(&text[..at])?);
        let lone = || InvalidPattern::new("has a lone brace", "close every { with }, or write the brace as %7B or %7D");
        let inside = text[at..].strip_prefix('{').ok_or_else(lone)?;
        let end = inside.find(['{', '}']).filter(|end| inside[*end..].starts_with('}')).ok_or_else(lone)?;
        let name = &inside[..end];
        let placeholder = Placeholder::named(name).ok_or_else(|| {
            InvalidPattern::new(format!("has an unknown placeholder {{{name}}}"), format!("use {}", known()))
        })?;
        pieces.push(Piece::Value(placeholder));
        text = &inside[end + 1..];
    }
    pieces.push(literal(text)?);
    Ok(pieces)
}

fn literal(text: &str) -> Result<Piece, InvalidPattern> {
    let escaped = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|b| b.is_ascii_hexdigit());
    if text.split('%').skip(1).any(|rest| !escaped(rest)) {
        return Err(InvalidPattern::new("has a % that encodes nothing", "write a percent sign as %25"));
    }
    Ok(Piece::Literal(utf8_percent_encode(text, UNFIT).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(pattern: &str) -> (String, Option<[String; 5]>) {
        let email = EmailAddress::parse("anna+shop@example.com").unwrap();
        let (name, reference) = (PersonName::parse("Åsa & Bo").unwrap(), OrderReference::parse("A/1?x=#2").unwrap());
        let shop = ShopId::parse("nordljus").unwrap();
        let data = LinkData {
            email: &email,
            name: Some(&name),
            reference: &reference,
            token: "t_o-k",
            shop: &shop,
            locale: "sv-SE",
            letter: "invitation",
        };
        let pattern = UrlPattern::parse(pattern).unwrap();
        (pattern.expand(&data), pattern.star_links(&data))
    }

    #[test]
    fn every_value_is_encoded_down_to_the_unreserved_characters() {
        for (pattern, expected) in [
            (
                "https://r.example/{shop}/{token}?e={email}&n={name}&l={locale}&k={letter}",
                "https://r.example/nordljus/t_o-k?e=anna%2Bshop%40example.com&n=%C3%85sa%20%26%20Bo&l=sv-SE&k=invitation",
            ),
            ("https://r.example/o/{reference}", "https://r.example/o/A%2F1%3Fx%3D%232"),
            ("HTTPS://R.example:8443?stars={stars}", "https://r.example:8443?stars="),
            ("http://blåbär.example/omdöme å#{token}", "http://xn--blbr-noae.example/omd%C3%B6me%20%C3%A5#t_o-k"),
            ("https://r.example/a%20b\"<x>", "https://r.example/a%20b%22%3Cx%3E"),
        ] {
            assert_eq!(filled(pattern).0, expected, "{pattern}");
        }
    }

    #[test]
    fn stars_have_links_only_where_the_target_can_tell_them_apart() {
        let (plain, stars) = filled("https://r.example/?s={stars}&r={reference}");
        assert_eq!(plain, "https://r.example/?s=&r=A%2F1%3Fx%3D%232");
        assert_eq!(stars.as_ref().map(|links| links[3].as_str()), Some("https://r.example/?s=4&r=A%2F1%3Fx%3D%232"));
        assert_eq!(filled("https://r.example/{token}").1, None);
    }

    #[test]
    fn what_is_no_pattern_is_told_with_its_remedy() {
        for (bad, what) in [
            ("", "is not an absolute web address"),
            ("/review", "is not an absolute web address"),
            ("javascript:alert(1)//{token}", "is not an absolute web address"),
            ("ftp://r.example/", "is not an absolute web address"),
            ("https://", "\"\" is no host"),
            ("https:///review", "\"\" is no host"),
            ("https://r.example\\@b.example/", "has a user name before its host"),
            ("https://r.example\\review", "\"r.example\\\\review\" is no host"),
            ("https://r.ex\tample/", "\"r.ex\\tample\" is no host"),
            ("https://a b/", "\"a b\" is no host"),
            ("https://{shop}.example/", "has a placeholder in its host"),
            ("https://r.example{reference}/", "has a placeholder in its host"),
            ("https://shop@r.example/", "has a user name before its host"),
            ("https://r.example/{order}", "has an unknown placeholder {order}"),
            ("https://r.example/{}", "has an unknown placeholder {}"),
            ("https://r.example/{token", "has a lone brace"),
            ("https://r.example/token}", "has a lone brace"),
            ("https://r.example/{{token}}", "has a lone brace"),
            ("https://r.example/?a=100%&b", "has a % that encodes nothing"),
            ("https://r.example/%{token}", "has a % that encodes nothing"),
        ] {
            let error = UrlPattern::parse(bad).unwrap_err();
            assert_eq!(error.what, what, "{bad}");
            assert!(!error.remedy.is_empty() && error.to_string().contains("; "), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_value_changes_where_the_link_leads(name in "\\PC{1,40}", reference in "\\PC{1,40}") {
            let email = EmailAddress::parse("a@example.com").unwrap();
            let shop = ShopId::parse("s").unwrap();
            let Some(reference) = OrderReference::parse(&reference) else { return Ok(()) };
            let name = PersonName::parse(&name);
            let data = LinkData { email: &email, name: name.as_ref(), reference: &reference, token: "t", shop: &shop, locale: "en", letter: "reminder" };
            let url = UrlPattern::parse("https://r.example/{reference}/x?n={name}&z=1#f").unwrap().expand(&data);
            proptest::prop_assert!(url.bytes().all(|b| b.is_ascii_graphic()));
            let parsed = url::Url::parse(&url).unwrap();
            proptest::prop_assert_eq!(parsed.host_str(), Some("r.example"));
            proptest::prop_assert_eq!(parsed.fragment(), Some("f"));
            let pairs: Vec<_> = parsed.query_pairs().map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
            let expected = name.as_ref().map_or(String::new(), |name| name.to_string());
            proptest::prop_assert_eq!(pairs, vec![("n".to_owned(), expected), ("z".to_owned(), "1".to_owned())]);
        }
    }
}
