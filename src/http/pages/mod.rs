//! What the shops' customers see over HTTP: which address is which page, and what every answer has in common.
//!
//! GET and HEAD change nothing, ever: mail scanners open every link of every letter. What changes something is a form, sent by POST from
//! a page of ours ([`sent`]), or a mailbox provider's one click (RFC 8058).

mod asked;
mod data;
mod guard;
mod letters;
mod review;
mod review_form;
mod sent;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use tokio::time::{Instant, timeout};

use super::hook;
use super::meter::{Meter, Page, Turned};
use crate::link::site::path;
use crate::meter::{Page as Figures, Show};
use crate::ops::House;
use crate::page::Notice;
pub(super) use asked::Asked;
use guard::Limits;
pub(super) use sent::body_of;

/// How long an answer may take; then the customer is told to try again.
const PATIENCE: Duration = Duration::from_secs(20);

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

    /// Somebody came with a link or a signature that is none.
    pub(super) fn turned_away(&self, asked: &Asked, why: Turned) {
        self.limits.guessed(asked.client);
        self.meter.turned(why);
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
    router
        .fallback(nothing_here)
        .method_not_allowed_fallback(no_such_method)
        .layer(from_fn_with_state(Arc::clone(&reception), dress))
        .with_state(reception)
}

fn routes() -> Router<Arc<Reception>> {
    let behind = |path: &str| format!("{path}{{last}}");
    Router::new()
        .route(&behind(path::REVIEW), get(review::by_letter).post(review::post_by_letter))
        .route(&format!("{}{}", behind(path::REVIEW), path::LATER), get(letters::later).post(letters::put_it_off))
        .route(&behind(path::UNSUBSCRIBE), get(letters::unsubscribing).post(letters::unsubscribe))
        .route(&behind(path::DATA), get(data::stored).post(data::act))
        .route(&behind(path::VIEW), get(letters::view))
        .route(&behind(path::ORDER), get(review::by_order).post(review::post_by_order))
        .route(&behind(path::SHOP), get(review::by_shop).post(review::post_by_shop))
        .route(&behind(path::BASIC), get(review::by_own_link).post(review::post_by_own_link))
        .route(&behind(path::ABOUT), get(data::about))
        .route(path::HOOK_REVIEWED, post(hook::reviewed))
        .route(path::ROBOTS, get(async || "User-agent: *\nDisallow: /\n"))
}

/// Which page a path is, for the figures.
fn page_of(path: &str) -> Page {
    let begins = [
        (path::UNSUBSCRIBE, Page::Unsubscribe),
        (path::DATA, Page::Data),
        (path::VIEW, Page::View),
        (path::ORDER, Page::Order),
        (path::SHOP, Page::Shop),
        (path::BASIC, Page::Basic),
        (path::ABOUT, Page::About),
        (path::HOOK_REVIEWED, Page::Hook),
        (path::ROBOTS, Page::Robots),
    ];
    match begins.iter().find(|(begin, _)| path.starts_with(begin)) {
        Some((_, page)) => *page,
        None if path.starts_with(path::REVIEW) && path.ends_with(path::LATER) => Page::Later,
        None if path.starts_with(path::REVIEW) => Page::Review,
        None => Page::Other,
    }
}

async fn nothing_here(asked: Asked) -> Response {
    asked.notice(StatusCode::NOT_FOUND, Notice::NotFound)
}

async fn no_such_method(asked: Asked) -> Response {
    asked.notice(StatusCode::METHOD_NOT_ALLOWED, Notice::Invalid)
}

/// The hash of the stylesheet that stands in a page; a value of the response's extensions.
#[derive(Clone)]
struct StyleHash(String);

/// A policy that a page brings itself; a value of the response's extensions.
#[derive(Clone)]
struct Policy(String);

/// What every answer has, whatever it says; and that there is one in time, and not for those who ask without end.
async fn dress(State(reception): State<Arc<Reception>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let (parts, body) = request.into_parts();
    let asked = Asked::new(&parts, &reception);
    let answered = async {
        if !reception.limits.may_ask(asked.client) {
            reception.meter.turned(Turned::TooMany);
            return asked.notice(StatusCode::TOO_MANY_REQUESTS, Notice::TooMany);
        }
        next.run(Request::from_parts(parts, body)).await
    };
    let late = || asked.notice(StatusCode::SERVICE_UNAVAILABLE, Notice::Unavailable);
    let mut response = timeout(PATIENCE, answered).await.unwrap_or_else(|_| late());
    let policy = policy(&response);
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex, nofollow"));
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("text/plain; charset=utf-8"));
    reception.meter.answered(page_of(&asked.path), response.status(), began.elapsed());
    response
}

/// What a page may load: nothing but the stylesheet in it.
fn policy(response: &Response) -> String {
    let extensions = response.extensions();
    if let Some(Policy(policy)) = extensions.get() {
        return policy.clone();
    }
    let style = extensions.get::<StyleHash>().map_or("'none'".to_owned(), |StyleHash(hash)| format!("'{hash}'"));
    format!("default-src 'none'; style-src {style}; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_counted_as_its_page() {
        for (path, page) in [
            ("/r/abc", Page::Review),
            ("/r/abc/later", Page::Later),
            ("/u/abc", Page::Unsubscribe),
            ("/about/nordljus", Page::About),
            ("/hooks/reviewed", Page::Hook),
            ("/robots.txt", Page::Robots),
            ("/", Page::Other),
            ("/later", Page::Other),
            ("/wp-login.php", Page::Other),
        ] {
            assert_eq!(page_of(path), page, "{path}");
        }
    }
}
