//! `invited review`: what customers wrote. Nothing here changes a word of it; what is unlawful can be removed, which is counted and told
//! on the page about how reviews are collected.

mod delete;
mod export;
mod list;
mod show;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::output::{count, local};
use super::when::{Meant, point};
use super::who::Who;
use super::{ConfigArg, Desk, Failure, JsonArg, Output, PageArgs};
use crate::domain::{Collected, Review, ReviewId, Stars, Timestamp};
use crate::store::{ReviewFilter, ReviewsOf, Store};

/// Shows what customers wrote, and removes what is unlawful.
#[derive(Debug, Subcommand)]
pub(super) enum Reviews {
    /// Lists reviews, newest first
    List(list::List),
    /// Shows reviews with their words and what they were before
    Show(show::Show),
    /// Writes reviews to standard output, for a shop's site or a program
    Export(export::Export),
    /// Removes a review with unlawful content, with a reason that is kept
    Delete(delete::Delete),
}

impl Reviews {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run().await,
            Self::Show(show) => show.run().await,
            Self::Export(export) => export.run().await,
            Self::Delete(delete) => delete.run().await,
        }
    }
}

/// Which reviews.
#[derive(Debug, Args)]
struct FilterArgs {
    /// Only those of this shop
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
    /// Only those with so many stars
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=5))]
    stars: Option<u8>,
    /// Only those that came in this way
    #[arg(long, value_parser = ["automatic", "manual", "link", "basic"])]
    collected: Option<String>,
    /// Only those written since then: a date, a time, or a span back from now ("30 days")
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

impl FilterArgs {
    fn filter(&self, desk: &Desk) -> Result<ReviewFilter, Failure> {
        let since = self.since.as_deref();
        let since =
            since.map(|text| point("--since", text, Meant::Since, &desk.zone(), desk.clock.now())).transpose()?;
        Ok(ReviewFilter {
            shop: self.shop.as_deref().map(|text| desk.shop(text)).transpose()?,
            stars: self.stars.and_then(Stars::new),
            collected: self.collected.as_deref().and_then(Collected::parse),
            since: since.unwrap_or(Timestamp(i64::MIN)),
        })
    }
}

/// The review of this number.
async fn found(desk: &Desk, id: ReviewId) -> Result<Review, Failure> {
    let review = desk.store.reviews_of(&ReviewsOf::One(id)).await?.pop();
    review.ok_or_else(|| {
        Failure::Undone(format!("there is no review {id}; invited review list shows those that there are"))
    })
}

/// A review for scripts. Names are a contract; new ones come last.
fn row(one: &Review) -> Value {
    json!({
        "id": one.id,
        "shop": one.shop,
        "reference": one.reference,
        "invitation": one.invitation,
        "kind": one.kind.as_str(),
        "product": one.product,
        "collected": one.collected.as_str(),
        "verified": one.verified,
        "stars": one.stars,
        "title": one.words.title(),
        "text": one.words.text(),
        "name": one.words.name(),
        "language": one.language,
        "written_at": one.written_at.to_string(),
        "edited_at": one.edited_at.map(|at| at.to_string()),
        "deleted_at": one.deleted_at.map(|at| at.to_string()),
        "deleted_by": one.deleted_by,
        "delete_reason": one.delete_reason,
    })
}

/// Where a review stands, in words.
fn standing(one: &Review) -> &'static str {
    match (one.deleted_at, &one.deleted_by, one.edited_at) {
        (Some(_), Some(_), _) => "removed by staff",
        (Some(_), None, _) => "deleted by its author",
        (None, _, Some(_)) => "changed",
        (None, _, None) => "as written",
    }
}
