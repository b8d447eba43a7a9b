//! Who may send a form: only a page of ours, and not too often.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::ORIGIN;
use url::Url;

use crate::crowd::Rates;

/// In which time requests are counted.
pub(super) const SPAN: Duration = Duration::from_secs(600);
/// Links that lead nowhere, of one network in that time. Who guesses is stopped long before the first of 2^128 is right; who has an old
/// letter tries a few times.
const UNKNOWN: u32 = 60;
/// Forms of one network in that time: a whole company behind one address writes fewer reviews.
const POSTS: u32 = 120;
/// Pages of one network in that time. Mail scanners open every link of every letter, and do it for a whole company at once.
const PAGES: u32 = 6_000;

/// How often each network was here lately.
pub(super) struct Limits {
    unknown: Rates,
    posts: Rates,
    pages: Rates,
}

impl Limits {
    pub(super) fn new() -> Self {
        Self { unknown: Rates::new(SPAN), posts: Rates::new(SPAN), pages: Rates::new(SPAN) }
    }

    /// Counts a request; whether it may be answered.
    pub(super) fn may_ask(&self, client: IpAddr) -> bool {
        self.pages.allow(client, PAGES) && self.unknown.has_had_less(client, UNKNOWN)
    }

    /// Counts a form; whether it may be read.
    pub(super) fn may_post(&self, client: IpAddr) -> bool {
        self.posts.allow(client, POSTS)
    }

    /// A link led nowhere, or a signature was none.
    pub(super) fn guessed(&self, client: IpAddr) {
        self.unknown.count(client);
    }
}

/// Whether a form may have come from our own page, as far as the browser tells. `Sec-Fetch-Site` cannot be written by a page. With
/// `Referrer-Policy: no-referrer` browsers send `Origin: null` for our own forms (Fetch, "append a request Origin header"), so that is
/// no sign of anything; the form's token is what strangers cannot have.
pub(super) fn is_own_origin(headers: &HeaderMap, own: &Url) -> bool {
    let site = headers.get("sec-fetch-site").map(|value| value.as_bytes());
    if !matches!(site, None | Some(b"same-origin" | b"none")) {
        return false;
    }
    let Some(origin) = headers.get(ORIGIN) else { return true };
    origin.as_bytes() == b"null" || origin.to_str().is_ok_and(|origin| origin == own.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_form_of_our_own_site_is_taken() {
        let own = Url::parse("https://reviews.example.com:8443/r").unwrap();
        for (origin, site, expected) in [
            (None, None, true),
            (Some("https://reviews.example.com:8443"), None, true),
            (Some("https://reviews.example.com:8443"), Some("same-origin"), true),
            (Some("null"), Some("same-origin"), true),
            (Some("null"), None, true),
            (None, Some("none"), true),
            (Some("https://reviews.example.com"), None, false),
            (Some("http://reviews.example.com:8443"), None, false),
            (Some("https://evil.example"), None, false),
            (Some("https://evil.example"), Some("cross-site"), false),
            (Some("https://reviews.example.com:8443"), Some("cross-site"), false),
            (Some("null"), Some("cross-site"), false),
            (Some("https://shop.example.com"), Some("same-site"), false),
            (None, Some("cross-site"), false),
            (None, Some("unheard-of"), false),
        ] {
            let mut headers = HeaderMap::new();
            origin.map(|origin| headers.insert(ORIGIN, origin.parse().unwrap()));
            site.map(|site| headers.insert("sec-fetch-site", site.parse().unwrap()));
            assert_eq!(is_own_origin(&headers, &own), expected, "{origin:?} {site:?}");
        }
    }
}
