//! What is stored about a customer, to look at, to take along, and to have erased; and how a shop's reviews come about.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};

use super::asked::{Asked, Speaks};
use super::sent::{Sent, Ticket};
use crate::domain::{Collected, DAY, LetterKind, Share, ShopId};
use crate::http::meter::{Outcome, Turned};
use crate::ops::my_data::{MyData, When, ask_erasure, my_data};
use crate::ops::practice::{self, practice};
use crate::ops::visit::{Door, Visit};
use crate::page::{DataPage, Notice, Page, Practice, Stored, fields};

pub(super) async fn stored(asked: Asked, Path(token): Path<String>) -> Response {
    match asked.follow(Door::Data(&token)).await {
        Ok(visit) => table(&asked, &visit, false).await,
        Err(response) => response,
    }
}

/// What is stored; after a `stale` form with the word that it has to be sent once more.
async fn table(asked: &Asked, visit: &Visit, stale: bool) -> Response {
    let data = match my_data(asked.house(), visit).await {
        Ok(data) => data,
        Err(error) => return asked.cannot(&error),
    };
    let ticket = Ticket::of(asked);
    let asked_on = data.erasure_asked.map(|at| asked.day(&visit.shop, at.0));
    let page = DataPage { target: ticket.target(), stored: rows(asked, visit, &data), erasure_asked: asked_on, stale };
    let status = if stale { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    asked.show(status, speaks(asked, visit), &Page::Data(page))
}

/// What is stored, a line each.
fn rows<'a>(asked: &Asked, visit: &Visit, data: &'a MyData) -> Vec<Stored<'a>> {
    let on = |at: When| asked.day(&visit.shop, at.0);
    let mut rows = vec![Stored::Address(&data.email)];
    rows.extend(data.name.as_deref().map(Stored::Name));
    for order in &data.orders {
        rows.push(Stored::Order(&order.reference, Some(on(order.since))));
        rows.extend(order.details.products.iter().map(|product| Stored::Product(&product.name)));
        for letter in &order.letters {
            let is_first = letter.kind == LetterKind::Invitation.as_str();
            rows.push(if is_first { Stored::Invitation(on(letter.at)) } else { Stored::Reminder(on(letter.at)) });
        }
        rows.extend(order.due_at.map(on).map(Stored::Due));
    }
    for review in data.reviews.iter().filter(|review| review.deleted_at.is_none()) {
        let words = [&*review.title, &*review.text, &*review.name];
        rows.push(Stored::Review(review.stars, words, on(review.written_at)));
    }
    rows.extend(data.no_letters.iter().map(|entry| Stored::Unsubscribed(on(entry.since))));
    rows
}

pub(super) async fn act(Path(token): Path<String>, sent: Sent) -> Response {
    let asked = &sent.asked;
    let visit = match asked.follow(Door::Data(&token)).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    if sent.is_trapped() {
        asked.ended(Outcome::Trapped);
        return asked.show(StatusCode::OK, speaks(asked, &visit), &Page::ErasureAsked);
    }
    if !sent.is_fresh() {
        asked.ended(Outcome::Stale);
        return table(asked, &visit, true).await;
    }
    match sent.pressed() {
        fields::EXPORT => match my_data(asked.house(), &visit).await {
            Ok(data) => {
                asked.ended(Outcome::Exported);
                export(&data)
            }
            Err(error) => {
                asked.ended(Outcome::Failed);
                asked.cannot(&error)
            }
        },
        fields::ERASE => match ask_erasure(asked.house(), &visit).await {
            Ok(()) => {
                asked.ended(Outcome::ErasureAsked);
                tracing::info!(shop = %visit.shop, "a customer wants to be erased: see invited person requests");
                asked.show(StatusCode::OK, speaks(asked, &visit), &Page::ErasureAsked)
            }
            Err(error) => {
                asked.ended(Outcome::Failed);
                asked.cannot(&error)
            }
        },
        _ => sent.strange(),
    }
}

/// A file of it, which programs can read (GDPR, article 20).
fn export(data: &MyData) -> Response {
    match serde_json::to_string_pretty(data) {
        Ok(text) => {
            let headers = [
                (CONTENT_TYPE, HeaderValue::from_static("application/json")),
                (CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"my-data.json\"")),
            ];
            (headers, text + "\n").into_response()
        }
        Err(error) => {
            tracing::error!(%error, "an export could not be written");
            (StatusCode::INTERNAL_SERVER_ERROR, "the export cannot be made\n").into_response()
        }
    }
}

/// How a shop's reviews come about; open to everybody.
pub(super) async fn about(asked: Asked, Path(shop): Path<String>) -> Response {
    let shop = ShopId::parse(&shop).ok().filter(|shop| asked.setup.config.shop(shop).is_some());
    let Some(shop) = shop else {
        asked.reception.meter.turned(Turned::Unknown);
        return asked.notice(StatusCode::NOT_FOUND, Notice::NotFound);
    };
    match practice(asked.house(), &shop).await {
        Ok(facts) => asked.show(StatusCode::OK, asked.speaks(&shop, None), &Page::About(shown(&facts))),
        Err(error) => asked.cannot(&error),
    }
}

fn shown(facts: &practice::Practice) -> Practice {
    let of = |way| facts.collected.iter().find(|(other, _)| *other == way).map_or(0, |(_, count)| *count);
    let whole_days = facts.delay.as_secs().is_multiple_of(DAY.as_secs()) && !facts.has_other_rules;
    let days = u32::try_from(facts.delay.as_secs() / DAY.as_secs()).ok();
    Practice {
        share: percent(facts.share),
        days: days.filter(|_| whole_days),
        letters: facts.letters,
        automatic: of(Collected::Automatic),
        manual: of(Collected::Manual),
        link: of(Collected::Link),
        basic: of(Collected::Basic),
        verified: facts.verified,
        removed: facts.removed,
    }
}

/// A part of a percent is no percent, but it is not nobody either.
fn percent(share: Share) -> u8 {
    u8::try_from(share.thousandths().div_ceil(10)).unwrap_or(100)
}

fn speaks<'a>(asked: &'a Asked, visit: &'a Visit) -> Speaks<'a> {
    asked.speaks(&visit.shop, visit.locale.as_deref())
}
