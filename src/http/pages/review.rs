//! Writing, changing and deleting reviews: by a letter's link, by a link that the shop made for one order, by the shop's generic link,
//! and by the link that whoever came by the generic one gets.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{HeaderValue, LOCATION};
use axum::response::{IntoResponse, Response};
use jiff::civil::Date;

use super::asked::{Asked, Speaks};
use super::review_form::Typed;
use super::sent::{Sent, Ticket};
use crate::domain::{OrderReference, Review, ReviewId, ReviewKind, Submission};
use crate::http::meter::Outcome;
use crate::link::{Purpose, Token, site};
use crate::ops::review::{self, Written};
use crate::ops::visit::{Door, Visit, Who};
use crate::page::{FieldFault, FormField, Notice, OrderField, Page, ProductDraft, ReviewForm, Thanks, Wrong, fields};
use crate::store::StoreError;

pub(super) async fn by_letter(asked: Asked, Path(token): Path<String>) -> Response {
    show(&asked, Door::Review(&token)).await
}

pub(super) async fn by_order(asked: Asked, Path(ticket): Path<String>) -> Response {
    show(&asked, Door::Order(&ticket)).await
}

pub(super) async fn by_shop(asked: Asked, Path(shop): Path<String>) -> Response {
    show(&asked, Door::Shop(&shop)).await
}

pub(super) async fn by_own_link(asked: Asked, Path(token): Path<String>) -> Response {
    show(&asked, Door::Basic(&token)).await
}

pub(super) async fn post_by_letter(Path(token): Path<String>, sent: Sent) -> Response {
    post(&sent, Door::Review(&token)).await
}

pub(super) async fn post_by_order(Path(ticket): Path<String>, sent: Sent) -> Response {
    post(&sent, Door::Order(&ticket)).await
}

pub(super) async fn post_by_shop(Path(shop): Path<String>, sent: Sent) -> Response {
    post(&sent, Door::Shop(&shop)).await
}

pub(super) async fn post_by_own_link(Path(token): Path<String>, sent: Sent) -> Response {
    post(&sent, Door::Basic(&token)).await
}

/// The form, with what was written before or the star that was clicked. Nothing is stored by looking at it.
async fn show(asked: &Asked, door: Door<'_>) -> Response {
    let visit = match asked.follow(door).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    let reviews = match review::reviews(asked.house(), &visit).await {
        Ok(reviews) => reviews,
        Err(error) => return asked.cannot(&error),
    };
    let clicked = clicked(&asked.query);
    if reviews.is_empty()
        && let Some(response) = elsewhere(asked, &visit, clicked)
    {
        return response;
    }
    let mut typed = Typed::from_reviews(&reviews, &visit);
    if let Some(clicked) = clicked {
        typed.service.stars = clicked.to_string();
    }
    form(asked, StatusCode::OK, &visit, &typed, &reviews, Vec::new())
}

/// The way to where the shop collects its reviews, when that is not here. Whoever has written here before stays: they may change and
/// delete it.
fn elsewhere(asked: &Asked, visit: &Visit, clicked: Option<u8>) -> Option<Response> {
    let shop = asked.setup.config.shop(&visit.shop)?;
    let nowhere = || asked.notice(StatusCode::NOT_FOUND, Notice::NotFound);
    match asked.setup.link_maker().elsewhere(shop, visit, clicked, asked.now()) {
        Ok(None) => None,
        Ok(Some(address)) => {
            let to = HeaderValue::from_str(&address);
            Some(to.map_or_else(|_| nowhere(), |to| (StatusCode::SEE_OTHER, [(LOCATION, to)]).into_response()))
        }
        Err(error) => {
            tracing::debug!(shop = %visit.shop, error, "there is no link for a visitor");
            Some(nowhere())
        }
    }
}

/// The star of a letter that was clicked.
fn clicked(query: &str) -> Option<u8> {
    let stars = query.split('&').find_map(|pair| pair.strip_prefix(site::STARS)?.strip_prefix('='))?;
    ["1", "2", "3", "4", "5"].contains(&stars).then(|| stars.parse().ok()).flatten()
}

fn form(
    asked: &Asked,
    status: StatusCode,
    visit: &Visit,
    typed: &Typed,
    reviews: &[Review],
    faults: Vec<FieldFault>,
) -> Response {
    let ticket = Ticket::of(asked);
    let maker = asked.setup.link_maker();
    // Looking at a page makes no link good for longer.
    let expires = visit.expires.unwrap_or_else(|| maker.expires(asked.now()));
    // Only whom we write to has letters to put off and to end.
    let invitation = visit.invitation.as_ref().filter(|_| matches!(visit.who, Who::Invitation(_)));
    let of = |purpose| invitation.map(|invitation| maker.token(invitation, purpose, expires));
    let written = written_on(asked, visit, reviews);
    let is_open = invitation.is_some_and(|invitation| !invitation.progress.planned.is_for_good()) && written.is_none();
    let later = of(Purpose::Review).filter(|_| is_open).map(|token| asked.site.later(&token));
    let unsubscribe = of(Purpose::Unsubscribe).map(|token| asked.site.unsubscribe(&token));
    let data = of(Purpose::Data).map(|token| asked.site.data(&token));
    let order = match (visit.reference(), &visit.who) {
        (Some(reference), _) => OrderField::Known(reference.as_str()),
        (None, Who::Anybody) => OrderField::Asked(&typed.reference),
        (None, _) => OrderField::None,
    };
    let products = visit.products().into_iter().enumerate();
    let products = products.filter(|(_, name)| !name.is_empty()).map(|(index, product)| ProductDraft {
        index,
        product,
        draft: typed.product(index),
    });
    let page = Page::Review(ReviewForm {
        target: ticket.target(),
        order,
        service: typed.service.as_draft(),
        products: products.collect(),
        written,
        faults,
        later: later.as_deref(),
        unsubscribe: unsubscribe.as_deref(),
        data: data.as_deref(),
    });
    asked.show(status, speaks(asked, visit), &page)
}

fn speaks<'a>(asked: &'a Asked, visit: &'a Visit) -> Speaks<'a> {
    asked.speaks(&visit.shop, visit.locale.as_deref())
}

/// When the review of the shop was written, if there is one.
fn written_on(asked: &Asked, visit: &Visit, reviews: &[Review]) -> Option<Date> {
    let service = reviews.iter().find(|review| review.kind == ReviewKind::Service)?;
    Some(asked.day(&visit.shop, service.edited_at.unwrap_or(service.written_at)))
}

async fn post(sent: &Sent, door: Door<'_>) -> Response {
    let asked = &sent.asked;
    let typed = Typed::from_form(&sent.form);
    let visit = match asked.follow(door).await {
        Ok(visit) => visit,
        Err(response) if response.status() == StatusCode::SERVICE_UNAVAILABLE => {
            asked.ended(Outcome::Failed);
            return again_without_visit(asked, &typed);
        }
        Err(response) => return response,
    };
    let reviews = match review::reviews(asked.house(), &visit).await {
        Ok(reviews) => reviews,
        Err(error) => return not_kept(asked, &visit, &typed, &[], &error),
    };
    if sent.is_trapped() {
        asked.ended(Outcome::Trapped);
        return thanks(asked, &visit, false, None);
    }
    if !sent.is_fresh() {
        if reviews.is_empty() && elsewhere(asked, &visit, None).is_some() {
            return sent.strange();
        }
        asked.ended(Outcome::Stale);
        let faults = vec![FieldFault { field: FormField::Form, wrong: Wrong::Stale }];
        return form(asked, StatusCode::UNPROCESSABLE_ENTITY, &visit, &typed, &reviews, faults);
    }
    match sent.pressed() {
        fields::WRITE => write(sent, &visit, &typed, &reviews).await,
        fields::DELETE => delete(asked, &visit, &typed, &reviews).await,
        _ => sent.strange(),
    }
}

async fn write(sent: &Sent, visit: &Visit, typed: &Typed, reviews: &[Review]) -> Response {
    let asked = &sent.asked;
    let mut faults = Vec::new();
    if sent.form.broken {
        faults.push(FieldFault { field: FormField::Form, wrong: Wrong::Unreadable });
    }
    let reference = match (&visit.who, typed.reference.trim()) {
        (Who::Anybody, text) if !text.is_empty() => {
            let reference = OrderReference::parse(text);
            if reference.is_none() {
                faults.push(FieldFault { field: FormField::Reference, wrong: Wrong::Unreadable });
            }
            reference
        }
        _ => None,
    };
    let drafts = typed.drafts(visit.products().len());
    let (service, products) = match drafts {
        Ok(drafts) if faults.is_empty() => drafts,
        other => {
            faults.extend(other.err().unwrap_or_default());
            asked.ended(Outcome::Invalid);
            return form(asked, StatusCode::UNPROCESSABLE_ENTITY, visit, typed, reviews, faults);
        }
    };
    let language = asked.language(speaks(asked, visit));
    let submission = Submission { service, products, language };
    match review::write(asked.house(), visit, submission, reference).await {
        Ok(Written::Stored(ids)) => {
            asked.ended(Outcome::Written);
            tracing::info!(shop = %visit.shop, reviews = ids.len(), "a review was written");
            thanks(asked, visit, !reviews.is_empty(), ids.first().copied())
        }
        Ok(Written::Unchanged(ids)) => {
            asked.ended(Outcome::Unchanged);
            thanks(asked, visit, !reviews.is_empty(), ids.first().copied())
        }
        Ok(Written::Gone) => {
            asked.ended(Outcome::Gone);
            asked.show(StatusCode::GONE, speaks(asked, visit), &Page::Notice(Notice::Gone))
        }
        Err(error) => not_kept(asked, visit, typed, reviews, &error),
    }
}

async fn delete(asked: &Asked, visit: &Visit, typed: &Typed, reviews: &[Review]) -> Response {
    match review::delete(asked.house(), visit).await {
        Ok(was_there) => {
            asked.ended(if was_there { Outcome::Deleted } else { Outcome::Unchanged });
            tracing::info!(shop = %visit.shop, was_there, "a review was deleted by its author");
            // What came by the generic link is of nobody that we would know again.
            let again = matches!(visit.who, Who::Invitation(_) | Who::Order(_)).then(|| asked.action());
            let page = Page::Deleted { again: again.as_deref() };
            asked.show(StatusCode::OK, speaks(asked, visit), &page)
        }
        Err(error) => not_kept(asked, visit, typed, reviews, &error),
    }
}

/// The review is there; where it can be changed.
fn thanks(asked: &Asked, visit: &Visit, changed: bool, review: Option<ReviewId>) -> Response {
    let new_link = match (&visit.who, review) {
        (Who::Anybody, Some(id)) => {
            let expires = asked.setup.link_maker().expires(asked.now());
            let token = Token { shop: visit.shop.clone(), number: id.0, series: 0, expires };
            Some(asked.site.basic(&token.sign(&asked.setup.keys.links, Purpose::Basic)))
        }
        _ => None,
    };
    let same = (!matches!(visit.who, Who::Anybody)).then(|| asked.action());
    let edit = new_link.as_deref().or(same.as_deref());
    let page = Page::Thanks(Thanks { changed, edit, keep: new_link.is_some() });
    asked.show(StatusCode::OK, speaks(asked, visit), &page)
}

/// The store did not take it: the form comes back with everything that was typed.
fn not_kept(asked: &Asked, visit: &Visit, typed: &Typed, reviews: &[Review], error: &StoreError) -> Response {
    tracing::warn!(%error, shop = %visit.shop, "what a customer sent could not be kept");
    asked.ended(Outcome::Failed);
    let faults = vec![FieldFault { field: FormField::Form, wrong: Wrong::NotKept }];
    asked.soon(form(asked, StatusCode::SERVICE_UNAVAILABLE, visit, typed, reviews, faults))
}

/// The same when not even the link could be looked at: without the shop's face and the names of products.
fn again_without_visit(asked: &Asked, typed: &Typed) -> Response {
    let ticket = Ticket::of(asked);
    let page = Page::Review(ReviewForm {
        target: ticket.target(),
        order: OrderField::None,
        service: typed.service.as_draft(),
        products: Vec::new(),
        written: None,
        faults: vec![FieldFault { field: FormField::Form, wrong: Wrong::NotKept }],
        later: None,
        unsubscribe: None,
        data: None,
    });
    asked.soon(asked.show(StatusCode::SERVICE_UNAVAILABLE, Speaks::default(), &page))
}

#[cfg(test)]
mod tests {
    use super::clicked;

    #[test]
    fn a_clicked_star_is_one_to_five_and_anything_else_is_none() {
        for (query, expected) in [
            ("s=4", Some(4)),
            ("utm_source=x&s=1", Some(1)),
            ("s=0", None),
            ("s=6", None),
            ("s=04", None),
            ("s=", None),
            ("stars=4", None),
            ("s=<script>", None),
            ("", None),
        ] {
            assert_eq!(clicked(query), expected, "{query}");
        }
    }
}
