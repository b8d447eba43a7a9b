//! What the shops' customers see over HTTP: which address is which page, and what every answer has in common.

mod guard;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderName;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use tokio::time::Instant;

use super::meter::{Meter, Page};
use crate::link::site::path;
use crate::meter::{Page as Figures, Show};
use crate::ops::House;
use guard::Limits;

/// What all requests for pages share; it outlives the listeners.
pub struct Reception {
    house: Arc<House>,
    limits: Limits,
    meter: Meter,
}

impl Reception {
    /// Nobody was here yet.
    pub fn new(house: Arc<House>) -> Self {
        Self { house, limits: Limits::new(), meter: Meter::default() }
    }
}

impl Show for Reception {
    fn show(&self, figures: &mut Figures) {
        self.meter.show(figures);
    }
}

/// The router below this address: at its path, and at the root for proxies that take the path away.
pub fn pages(reception: Arc<Reception>, base: &str) -> Router {
    let below = url::Url::parse(base).map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default();
    let mut router = routes();
    if !below.is_empty() {
        router = router.nest(&below, routes());
    }
    router.layer(from_fn_with_state(Arc::clone(&reception), dress)).with_state(reception)
}

fn routes() -> Router<Arc<Reception>> {
    Router::new().route(path::ROBOTS, get(async || "User-agent: *\nDisallow: /\n"))
}

/// The hash of the stylesheet that stands in a page; a value of the response's extensions.
#[derive(Clone)]
struct StyleHash(String);

/// What every answer has, whatever it says.
async fn dress(State(reception): State<Arc<Reception>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let page = Page::Other;
    let mut response = next.run(request).await;
    let style =
        response.extensions().get::<StyleHash>().map_or("'none'".to_owned(), |StyleHash(hash)| format!("'{hash}'"));
    let policy =
        format!("default-src 'none'; style-src {style}; form-action 'self'; frame-ancestors 'none'; base-uri 'none'");
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow"));
    reception.meter.answered(page, response.status(), began.elapsed());
    response
}
