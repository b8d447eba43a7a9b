//! What a customer says about our letters: none any more, of this shop or of all; later; and the letter itself in the browser.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;

use super::asked::{Asked, Speaks};
use super::sent::{Sent, Ticket};
use crate::domain::Rule;
use crate::http::meter::Outcome;
use crate::link::Purpose;
use crate::ops::put_off::{PutOff, PutOffAnswer, put_off};
use crate::ops::unsubscribe::{self, Scope};
use crate::ops::visit::{Door, Visit};
use crate::page::{self, LaterForm, Page, UnsubscribeForm, Unsubscribed, fields};
use crate::store::StoreError;

/// The question whether to unsubscribe, or that it is so.
pub(super) async fn unsubscribing(asked: Asked, Path(token): Path<String>) -> Response {
    match asked.follow(Door::Unsubscribe(&token)).await {
        Ok(visit) => stands(&asked, &visit, StatusCode::OK).await,
        Err(response) => response,
    }
}

async fn stands(asked: &Asked, visit: &Visit, status: StatusCode) -> Response {
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
    asked.show(status, speaks(asked, visit), &page)
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
    if !sent.is_fresh() {
        asked.ended(Outcome::Stale);
        return stands(asked, &visit, StatusCode::UNPROCESSABLE_ENTITY).await;
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
            stands(asked, visit, StatusCode::OK).await
        }
        Err(error) => failed(asked, &error),
    }
}

/// "My order has not arrived" and "ask me later", as far as each can still be said.
pub(super) async fn later(asked: Asked, Path(token): Path<String>) -> Response {
    match asked.follow(Door::Review(&token)).await {
        Ok(visit) => later_form(&asked, &visit, StatusCode::OK),
        Err(response) => response,
    }
}

fn later_form(asked: &Asked, visit: &Visit, status: StatusCode) -> Response {
    let ticket = Ticket::of(asked);
    let had = visit.invitation.as_ref().map(|invitation| invitation.progress.put_off).unwrap_or_default();
    let review = visit
        .invitation
        .as_ref()
        .map(|invitation| asked.site.review(&asked.setup.link_maker().token(invitation, Purpose::Review, asked.now())));
    let page = Page::Later(LaterForm {
        target: ticket.target(),
        not_arrived: !had.not_arrived,
        later: !had.ask_later,
        review: review.as_deref(),
    });
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
        return later_form(asked, &visit, StatusCode::UNPROCESSABLE_ENTITY);
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
