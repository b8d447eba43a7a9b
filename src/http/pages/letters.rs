//! What a customer says about our letters: none any more, of this shop or of all; later; and the letter itself in the browser.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use url::Url;

use super::Policy;
use super::asked::{Asked, Speaks};
use super::sent::{Sent, Ticket};
use crate::domain::Rule;
use crate::http::meter::Outcome;
use crate::link::Purpose;
use crate::ops::letters::in_browser;
use crate::ops::put_off::{PutOff, PutOffAnswer, put_off};
use crate::ops::unsubscribe::{self, Scope};
use crate::ops::visit::{Door, Visit};
use crate::page::{self, LaterForm, Notice, Page, UnsubscribeForm, Unsubscribed, fields};
use crate::store::StoreError;

/// The question whether to unsubscribe, or that it is so.
pub(super) async fn unsubscribing(asked: Asked, Path(token): Path<String>) -> Response {
    match asked.follow(Door::Unsubscribe(&token)).await {
        Ok(visit) => stands(&asked, &visit).await,
        Err(response) => response,
    }
}

async fn stands(asked: &Asked, visit: &Visit) -> Response {
    let standing = match unsubscribe::standing(asked.house(), visit).await {
        Ok(standing) => standing,
        Err(error) => return asked.cannot(&error),
    };
    let ticket = Ticket::of(asked);
    let page = if standing.shop || standing.all {
        Page::Unsubscribed(Unsubscribed { target: ticket.target(), all: standing.all })
    } else {
        Page::Unsubscribe(UnsubscribeForm { target: ticket.target() })
    };
    asked.show(StatusCode::OK, speaks(asked, visit), &page)
}

pub(super) async fn unsubscribe(Path(token): Path<String>, sent: Sent) -> Response {
    let asked = &sent.asked;
    let visit = match asked.follow(Door::Unsubscribe(&token)).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    if sent.is_one_click() {
        return unsubscribed(asked, &visit, Scope::Shop).await;
    }
    if sent.is_trapped() {
        asked.ended(Outcome::Trapped);
        let ticket = Ticket::of(asked);
        let page = Page::Unsubscribed(Unsubscribed { target: ticket.target(), all: false });
        return asked.show(StatusCode::OK, speaks(asked, &visit), &page);
    }
    // However long the page was open: nobody is asked twice whether they want no more letters.
    if !sent.is_ours() {
        return sent.strange();
    }
    match sent.pressed() {
        fields::SHOP => unsubscribed(asked, &visit, Scope::Shop).await,
        fields::ALL => unsubscribed(asked, &visit, Scope::All).await,
        fields::UNDO => match unsubscribe::undo(asked.house(), &visit).await {
            Ok(()) => {
                asked.ended(Outcome::Undone);
                asked.show(StatusCode::OK, speaks(asked, &visit), &Page::Undone)
            }
            Err(error) => failed(asked, &error),
        },
        _ => sent.strange(),
    }
}

async fn unsubscribed(asked: &Asked, visit: &Visit, scope: Scope) -> Response {
    match unsubscribe::unsubscribe(asked.house(), visit, scope).await {
        Ok(()) => {
            asked.ended(Outcome::Unsubscribed);
            tracing::info!(shop = %visit.shop, all = scope == Scope::All, "a customer has unsubscribed");
            stands(asked, visit).await
        }
        Err(error) => failed(asked, &error),
    }
}

/// "My order has not arrived" and "ask me later", as far as each can still be said.
pub(super) async fn later(asked: Asked, Path(token): Path<String>) -> Response {
    match asked.follow(Door::Review(&token)).await {
        Ok(visit) => later_form(&asked, &visit, false),
        Err(response) => response,
    }
}

/// The buttons; of a `stale` form with the word that it has to be sent once more.
fn later_form(asked: &Asked, visit: &Visit, stale: bool) -> Response {
    let ticket = Ticket::of(asked);
    let had = visit.invitation.as_ref().map(|invitation| invitation.progress.put_off).unwrap_or_default();
    let review = visit.invitation.as_ref().zip(visit.expires).map(|(invitation, expires)| {
        asked.site.review(&asked.setup.link_maker().token(invitation, Purpose::Review, expires))
    });
    let page = Page::Later(LaterForm {
        target: ticket.target(),
        not_arrived: !had.not_arrived,
        later: !had.ask_later,
        review: review.as_deref(),
        stale,
    });
    let status = if stale { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    asked.show(status, speaks(asked, visit), &page)
}

pub(super) async fn put_it_off(Path(token): Path<String>, sent: Sent) -> Response {
    let asked = &sent.asked;
    let visit = match asked.follow(Door::Review(&token)).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    if sent.is_trapped() {
        asked.ended(Outcome::Trapped);
        return asked.show(StatusCode::OK, speaks(asked, &visit), &Page::PutOff(page::PutOff::NoMore));
    }
    if !sent.is_fresh() {
        asked.ended(Outcome::Stale);
        return later_form(asked, &visit, true);
    }
    let why = match sent.pressed() {
        fields::NOT_ARRIVED => PutOff::NotArrived,
        fields::LATER => PutOff::Later,
        _ => return sent.strange(),
    };
    match put_off(asked.house(), &visit, why).await {
        Ok(answer) => {
            asked.ended(if answer.is_done() { Outcome::PutOff } else { Outcome::Unchanged });
            tracing::info!(shop = %visit.shop, rule = answer.rule.as_str(), "a customer has put a letter off");
            asked.show(StatusCode::OK, speaks(asked, &visit), &Page::PutOff(told(asked, &visit, answer)))
        }
        Err(error) => failed(asked, &error),
    }
}

/// The letter in the browser.
pub(super) async fn view(asked: Asked, Path(token): Path<String>) -> Response {
    let visit = match asked.follow(Door::View(&token)).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let shop = asked.setup.config.shop(&visit.shop);
    let (Some(shop), Some(invitation), Some(expires)) = (shop, &visit.invitation, visit.expires) else {
        return asked.notice(StatusCode::NOT_FOUND, Notice::NotFound);
    };
    match in_browser(&asked.setup, shop, invitation, expires, asked.now()) {
        Ok(html) => {
            // A letter's styles stand in its elements, as mail programs want them; of pictures it has the shop's logo at most.
            let logo = shop.brand.logo.as_deref().and_then(|logo| Url::parse(logo).ok());
            let pictures = logo.map_or("'none'".to_owned(), |logo| logo.origin().ascii_serialization());
            let policy = format!(
                "default-src 'none'; style-src 'unsafe-inline'; img-src {pictures}; form-action 'none'; frame-ancestors \
                 'none'; base-uri 'none'"
            );
            let mut response = Html(html).into_response();
            response.extensions_mut().insert(Policy(policy));
            response
        }
        Err(error) => {
            tracing::error!(shop = %shop.id, error, "a letter cannot be shown");
            asked.notice(StatusCode::SERVICE_UNAVAILABLE, Notice::Unavailable)
        }
    }
}

fn told(asked: &Asked, visit: &Visit, answer: PutOffAnswer) -> page::PutOff {
    match (answer.rule, answer.until) {
        (Rule::AskedBefore, _) => page::PutOff::AskedBefore,
        (Rule::LetterIsOnItsWay, _) => page::PutOff::OnItsWay,
        (_, Some(until)) if answer.is_done() => page::PutOff::Until(asked.day(&visit.shop, until)),
        _ => page::PutOff::NoMore,
    }
}

fn speaks<'a>(asked: &'a Asked, visit: &'a Visit) -> Speaks<'a> {
    asked.speaks(&visit.shop, visit.locale.as_deref())
}

/// The store did not take it. There is nothing in these forms to give back but a button.
fn failed(asked: &Asked, error: &StoreError) -> Response {
    asked.ended(Outcome::Failed);
    asked.cannot(error)
}
