//! One request for a page: who asks for what in which language, and how it is answered.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{ACCEPT_LANGUAGE, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;
use url::Url;

use super::guard::SPAN;
use super::{Reception, StyleHash};
use crate::config::Shop;
use crate::domain::{ShopId, Timestamp};
use crate::http::client::Client;
use crate::http::meter::{Outcome, Turned};
use crate::link::Site;
use crate::ops::visit::{Door, Refused, Visit, visit};
use crate::ops::{House, Setup};
use crate::page::{Frame, Notice, Page, ShopFace};
use crate::store::StoreError;

/// A request.
pub(in crate::http) struct Asked {
    pub(in crate::http) reception: Arc<Reception>,
    /// The set-up that holds for this request from its beginning to its end.
    pub(in crate::http) setup: Arc<Setup>,
    /// Where the pages are.
    pub(in crate::http) site: Site,
    /// Who asks.
    pub(in crate::http) client: IpAddr,
    pub(in crate::http) headers: HeaderMap,
    /// The path below the site's address, `/r/…`.
    pub(in crate::http) path: String,
    /// What stands behind the `?`.
    pub(in crate::http) query: String,
}

impl FromRequestParts<Arc<Reception>> for Asked {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, reception: &Arc<Reception>) -> Result<Self, Self::Rejection> {
        Ok(Self::new(parts, reception))
    }
}

/// The shop that a page speaks for, and in which language, when that is known.
#[derive(Clone, Copy, Default)]
pub(in crate::http) struct Speaks<'a> {
    shop: Option<&'a Shop>,
    locale: Option<&'a str>,
}

impl Asked {
    /// What the head of a request says.
    pub(super) fn new(parts: &Parts, reception: &Arc<Reception>) -> Self {
        let setup = reception.house.setup();
        let site = Site::new(setup.config.pages.as_ref().map_or("", |pages| pages.url.as_str()));
        // Nobody asks but by `serve`, which says who it is.
        let client = parts.extensions.get::<Client>().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |client| client.0);
        let below = below(&site);
        let path = parts.uri.path();
        let path = path.strip_prefix(below.as_str()).filter(|rest| rest.starts_with('/')).unwrap_or(path).to_owned();
        let query = parts.uri.query().unwrap_or_default().to_owned();
        Self { reception: Arc::clone(reception), setup, site, client, headers: parts.headers.clone(), path, query }
    }

    pub(in crate::http) fn house(&self) -> &House {
        &self.reception.house
    }

    pub(in crate::http) fn now(&self) -> Timestamp {
        self.house().clock.now()
    }

    /// The address that this page's form is sent to.
    pub(super) fn action(&self) -> String {
        format!("{}{}", below(&self.site), self.path)
    }

    /// The shop of this id with the language of the letter, when there was one.
    pub(super) fn speaks<'a>(&'a self, shop: &ShopId, locale: Option<&'a str>) -> Speaks<'a> {
        Speaks { shop: self.setup.config.shop(shop), locale }
    }

    /// The day of an instant where the shop is.
    pub(super) fn day(&self, shop: &ShopId, at: Timestamp) -> Date {
        let zone = self.setup.config.shop(shop).map_or(jiff::tz::TimeZone::UTC, |shop| shop.zone.to_jiff());
        at.to_jiff().to_zoned(zone).date()
    }

    /// Follows a link. What cannot be followed is answered here, the same for everything that was never a link of ours.
    pub(super) async fn follow(&self, door: Door<'_>) -> Result<Visit, Response> {
        let refused = match visit(self.house(), door).await {
            Ok(Ok(visit)) if self.setup.config.shop(&visit.shop).is_some() => return Ok(visit),
            Ok(Ok(_)) => Refused::Unknown,
            Ok(Err(refused)) => refused,
            Err(error) => return Err(self.cannot(&error)),
        };
        Err(self.refuse(&refused))
    }

    fn refuse(&self, refused: &Refused) -> Response {
        let (turned, notice, shop) = match refused {
            Refused::Unknown => {
                self.reception.limits.guessed(self.client);
                (Turned::Unknown, Notice::NotFound, None)
            }
            Refused::Expired(shop) => (Turned::Expired, Notice::Expired, Some(shop)),
            Refused::Revoked(shop) => (Turned::Revoked, Notice::Revoked, Some(shop)),
            Refused::Gone(shop) => (Turned::Gone, Notice::Gone, Some(shop)),
        };
        self.reception.meter.turned(turned);
        let status = if notice == Notice::NotFound { StatusCode::NOT_FOUND } else { StatusCode::GONE };
        let speaks = shop.map_or(Speaks::default(), |shop| self.speaks(shop, None));
        self.show(status, speaks, &Page::Notice(notice))
    }

    /// Says that it cannot be answered now. The store's words are for the log.
    pub(in crate::http) fn cannot(&self, error: &StoreError) -> Response {
        tracing::warn!(%error, "a page could not be answered");
        self.notice(StatusCode::SERVICE_UNAVAILABLE, Notice::Unavailable)
    }

    /// Says in no shop's name why there is no page.
    pub(in crate::http) fn notice(&self, status: StatusCode, notice: Notice) -> Response {
        self.soon(self.show(status, Speaks::default(), &Page::Notice(notice)))
    }

    /// Says when it is worth trying again, where that would help.
    pub(in crate::http) fn soon(&self, mut response: Response) -> Response {
        let wait = match response.status() {
            StatusCode::TOO_MANY_REQUESTS => SPAN.as_secs(),
            StatusCode::SERVICE_UNAVAILABLE => 30,
            _ => return response,
        };
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait));
        response
    }

    /// A page.
    pub(super) fn show(&self, status: StatusCode, speaks: Speaks<'_>, page: &Page<'_>) -> Response {
        let about = speaks.shop.map(|shop| self.site.about(&shop.id));
        let rendered = match self.setup.pages.render(&self.frame(speaks, about.as_deref()), page) {
            Ok(rendered) => rendered,
            Err(error) => {
                tracing::error!(%error, "a page could not be made");
                return (StatusCode::INTERNAL_SERVER_ERROR, "this page cannot be shown\n").into_response();
            }
        };
        let mut response = (status, rendered.html).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        if let Ok(language) = HeaderValue::from_str(&rendered.lang) {
            headers.insert(CONTENT_LANGUAGE, language);
        }
        response.extensions_mut().insert(StyleHash(rendered.style_hash));
        response
    }

    /// The language that pages are in for whoever asks.
    pub(super) fn language(&self, speaks: Speaks<'_>) -> String {
        self.setup.pages.language(&self.frame(speaks, None))
    }

    fn frame<'a>(&'a self, speaks: Speaks<'a>, about: Option<&'a str>) -> Frame<'a> {
        let shop = speaks.shop.map(|shop| ShopFace {
            id: &shop.id,
            name: &shop.name,
            color: &shop.brand.color,
            locale: &shop.locale,
            postal_address: shop.postal_address.as_deref(),
            contact: Some(shop.reply_to.as_ref().unwrap_or(&shop.from).as_str()),
            about,
        });
        let accept_language = self.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Frame { shop, locale: speaks.locale, accept_language }
    }

    /// A form came to this end.
    pub(in crate::http) fn ended(&self, outcome: Outcome) {
        self.reception.meter.post(outcome);
    }
}

/// The path of the site's address; empty for most.
fn below(site: &Site) -> String {
    Url::parse(site.base()).map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default()
}
