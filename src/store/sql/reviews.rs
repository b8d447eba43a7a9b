//! Reviews as customers write, change and delete them. That a review exists is told to its invitation in the same transaction, so that
//! there is never a review beside a reminder.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::FromRow;

use super::connection::{Connection, Value};
use super::fault::Fault;
use super::figures::Figures;
use super::moves::{self, Book, Cause, to_json};
use super::review_statements as sql;
use super::rows::records;
use super::suppression;
use super::turns::{self, Turn};
use super::writer::Work;
use crate::domain::{
    AddressKey, Collected, CustomerNews, Draft, Event, Invitation, InvitationId, ListKey, ListReason, OrderReference,
    Planned, Policies, Review, ReviewId, ReviewKind, ReviewText, ShopId, Stars, Timestamp,
};
use crate::store::{Actor, NewReviews, ReviewCount, ReviewEdit, ReviewFilter, ReviewsOf, ReviewsWritten};

/// Within which time the same form, sent again by somebody whom nobody knows, is the same review.
const SAME_FORM: Duration = Duration::from_secs(24 * 3600);

/// Who it was, in the records.
pub(super) const CUSTOMER: &str = "customer";

#[derive(FromRow)]
struct ReviewRow {
    id: i64,
    shop: String,
    reference: Option<String>,
    invitation_id: Option<i64>,
    kind: String,
    product: String,
    collected: String,
    verified: i64,
    stars: i64,
    title: String,
    text: String,
    name: String,
    language: String,
    written_at: i64,
    edited_at: Option<i64>,
    deleted_at: Option<i64>,
    deleted_by: Option<String>,
    delete_reason: Option<String>,
}

fn stars(number: i64) -> Option<Stars> {
    u8::try_from(number).ok().and_then(Stars::new)
}

impl TryFrom<ReviewRow> for Review {
    type Error = Fault;

    fn try_from(row: ReviewRow) -> Result<Self, Fault> {
        let fault = |what: &str| Fault::row("review", row.id, what);
        Ok(Self {
            id: ReviewId(row.id),
            shop: ShopId::parse(&row.shop).map_err(|_| fault("its shop"))?,
            reference: row.reference.as_deref().and_then(OrderReference::parse),
            invitation: row.invitation_id.map(InvitationId),
            kind: ReviewKind::parse(&row.kind).ok_or_else(|| fault("its kind"))?,
            product: Some(row.product).filter(|product| !product.is_empty()),
            collected: Collected::parse(&row.collected).ok_or_else(|| fault("how it came"))?,
            verified: row.verified != 0,
            stars: stars(row.stars).ok_or_else(|| fault("its stars"))?,
            words: ReviewText::parse(&row.title, &row.text, &row.name).map_err(|_| fault("its words"))?,
            language: row.language,
            written_at: Timestamp(row.written_at),
            edited_at: row.edited_at.map(Timestamp),
            deleted_at: row.deleted_at.map(Timestamp),
            deleted_by: row.deleted_by,
            delete_reason: row.delete_reason,
        })
    }
}

/// What is there.
pub(super) async fn of(conn: &mut Connection, whose: &ReviewsOf) -> Result<Vec<Review>, Fault> {
    let rows: Vec<ReviewRow> = match whose {
        ReviewsOf::Order { shop, reference, author } => {
            let key = reference.key();
            let given = [shop.as_str().into(), key.into(), author.as_str().into()];
            conn.rows(sql::REVIEWS_OF_ORDER, given).await?
        }
        ReviewsOf::One(id) => conn.rows(sql::REVIEW, [id.0.into()]).await?,
    };
    records(rows)
}

/// What these persons wrote, the newest first.
pub(super) async fn of_persons(conn: &mut Connection, keys: &[&str], limit: usize) -> Result<Vec<Review>, Fault> {
    let rows: Vec<ReviewRow> = conn.rows(sql::REVIEWS_OF_PERSONS, [to_json(&keys)?.into(), limit.into()]).await?;
    records(rows)
}

/// A page, newest first.
pub(super) async fn list(
    conn: &mut Connection,
    filter: &ReviewFilter,
    before: Option<ReviewId>,
    limit: usize,
) -> Result<Vec<Review>, Fault> {
    let given = [
        before.map_or(i64::MAX, |before| before.0).into(),
        limit.into(),
        filter.shop.as_ref().map(ShopId::as_str).into(),
        Value::Int(filter.stars.map(|stars| stars.get().into())),
        filter.collected.map(Collected::as_str).into(),
        filter.since.into(),
    ];
    let rows: Vec<ReviewRow> = conn.rows(sql::REVIEWS_BELOW, given).await?;
    records(rows)
}

/// What a review was, oldest first.
pub(super) async fn history(conn: &mut Connection, id: ReviewId) -> Result<Vec<ReviewEdit>, Fault> {
    let rows: Vec<(i64, i64, String, String, String)> = conn.rows(sql::EDITS_OF, [id.0.into()]).await?;
    let edits = rows.into_iter().map(|(at, number, title, text, name)| {
        let fault = || Fault::row("review", id.0, "its history");
        let words = ReviewText::parse(&title, &text, &name).map_err(|_| fault())?;
        Ok(ReviewEdit { at: Timestamp(at), stars: stars(number).ok_or_else(fault)?, words })
    });
    edits.collect()
}

/// How many of a shop's reviews came in which way.
pub(super) async fn counts(conn: &mut Connection, shop: &ShopId) -> Result<Vec<ReviewCount>, Fault> {
    let rows: Vec<(String, String, i64, i64, i64)> = conn.rows(sql::REVIEW_COUNTS, [shop.as_str().into()]).await?;
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    // A way that a newer program knows is that program's business.
    let counts = rows.into_iter().filter_map(|(collected, kind, standing, withdrawn, removed)| {
        Some(ReviewCount {
            collected: Collected::parse(&collected)?,
            kind: ReviewKind::parse(&kind)?,
            standing: count(standing),
            withdrawn: count(withdrawn),
            removed: count(removed),
        })
    });
    Ok(counts.collect())
}

/// Writes what a customer sent.
pub(super) struct WriteReviews {
    pub(super) new: NewReviews,
    pub(super) policies: Arc<Policies>,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for WriteReviews {
    type Answer = ReviewsWritten;

    async fn run(&self, conn: &mut Connection) -> Result<ReviewsWritten, Fault> {
        let Some((there, mut invitations)) = self.look(conn).await? else { return Ok(ReviewsWritten::Gone) };
        let (mut ids, mut has_changed) = (Vec::new(), false);
        for (kind, product, draft) in &self.new.drafts {
            let old = there.iter().find(|one| one.kind == *kind && one.product == *product);
            let (id, changed) = match old {
                Some(old) => (old.id, self.change(conn, old, draft).await?),
                // Only what is there is changed by a link of its own.
                None if self.new.changes.is_some() => continue,
                None => (self.write(conn, *kind, product.as_deref(), draft, &invitations).await?, true),
            };
            ids.push(id);
            has_changed |= changed;
        }
        self.tell(conn, &mut invitations, ids.first().copied()).await?;
        Ok(if has_changed { ReviewsWritten::Stored(ids) } else { ReviewsWritten::Unchanged(ids) })
    }
}

impl WriteReviews {
    /// What is there already, and the invitations of the order; `None` when nothing may be kept.
    async fn look(&self, conn: &mut Connection) -> Result<Option<(Vec<Review>, Vec<Invitation>)>, Fault> {
        let new = &self.new;
        if let Some((reference, author)) = &new.order {
            let key = reference.key();
            turns::take(conn, std::iter::once(Turn::Order(new.shop.as_str(), &key))).await?;
            let mut invitations = moves::of_orders(conn, &[(new.shop.as_str(), &key)]).await?;
            invitations.retain(|one| one.customer.email.key() == *author);
            let is_gone = match new.invitation {
                Some(id) => invitations.iter().all(|one| one.id != id),
                None => invitations.is_empty() && self.was_erased(conn, author).await?,
            };
            if is_gone {
                return Ok(None);
            }
            let whose =
                ReviewsOf::Order { shop: new.shop.clone(), reference: reference.clone(), author: author.clone() };
            return Ok(Some((of(conn, &whose).await?, invitations)));
        }
        let rows: Vec<ReviewRow> = match (new.changes, new.drafts.first()) {
            (Some(id), _) => conn.rows(sql::REVIEW_TO_CHANGE, [id.0.into()]).await?,
            (None, Some((.., draft))) => {
                let since = self.now.0.saturating_sub(i64::try_from(SAME_FORM.as_millis()).unwrap_or(0));
                let words = &draft.words;
                let given = [
                    new.shop.as_str().into(),
                    since.into(),
                    i64::from(draft.stars.get()).into(),
                    words.title().into(),
                    words.text().into(),
                    words.name().into(),
                ];
                conn.rows(sql::ANYBODYS_LATELY, given).await?
            }
            (None, None) => Vec::new(),
        };
        let there: Vec<Review> = records(rows)?;
        let is_gone = new.changes.is_some() && !there.iter().any(|one| one.shop == new.shop);
        Ok((!is_gone).then_some((there, Vec::new())))
    }

    /// Whether the person was erased: a mark of that is all that is left then.
    async fn was_erased(&self, conn: &mut Connection, author: &AddressKey) -> Result<bool, Fault> {
        let plain = ListKey::of(author);
        let hashed = plain.hashed(self.policies.list_key());
        let there = suppression::with_keys(conn, &[&plain, &hashed]).await?;
        Ok(there.iter().any(|one| one.entry.reason == ListReason::Erased))
    }

    async fn write(
        &self,
        conn: &mut Connection,
        kind: ReviewKind,
        product: Option<&str>,
        draft: &Draft,
        invitations: &[Invitation],
    ) -> Result<ReviewId, Fault> {
        let new = &self.new;
        let reference = new.order.as_ref().map(|(reference, _)| reference).or(new.claimed.as_ref());
        let invitation = new.invitation.or_else(|| invitations.last().map(|one| one.id));
        let values = [
            new.shop.as_str().into(),
            reference.map(OrderReference::as_str).into(),
            reference.map(OrderReference::key).into(),
            new.order.as_ref().map(|(_, author)| author.as_str()).into(),
            Value::Int(invitation.map(|id| id.0)),
            kind.as_str().into(),
            product.unwrap_or_default().into(),
            new.collected.as_str().into(),
            i64::from(new.collected.is_verified()).into(),
            i64::from(draft.stars.get()).into(),
            draft.words.title().into(),
            draft.words.text().into(),
            draft.words.name().into(),
            new.language.as_str().into(),
            self.now.into(),
        ];
        let id = conn.number(sql::WRITE_REVIEW, values).await?;
        let id = id.ok_or_else(|| Fault::Other("a review that was written is not there".to_owned()))?;
        let mut counted = Figures::default();
        counted.reviewed(&new.shop, new.collected, self.now);
        conn.figures.append(counted);
        Ok(ReviewId(id))
    }

    /// Whether anything about it changed. What it was is kept, unless it was deleted.
    async fn change(&self, conn: &mut Connection, old: &Review, draft: &Draft) -> Result<bool, Fault> {
        if old.stands() && old.stars == draft.stars && old.words == draft.words {
            return Ok(false);
        }
        if old.stands() {
            let values = [
                old.id.0.into(),
                self.now.into(),
                i64::from(old.stars.get()).into(),
                old.words.title().into(),
                old.words.text().into(),
                old.words.name().into(),
            ];
            conn.execute(sql::KEEP_EDIT, values).await?;
        }
        let values = [
            old.id.0.into(),
            i64::from(draft.stars.get()).into(),
            draft.words.title().into(),
            draft.words.text().into(),
            draft.words.name().into(),
            self.new.language.as_str().into(),
            self.now.into(),
        ];
        conn.execute(sql::CHANGE_REVIEW, values).await?;
        let mut counted = Figures::default();
        counted.review_changed(&old.shop, self.now);
        conn.figures.append(counted);
        Ok(true)
    }

    /// Tells the invitations of the order, unless they know.
    async fn tell(
        &self,
        conn: &mut Connection,
        invitations: &mut [Invitation],
        review: Option<ReviewId>,
    ) -> Result<(), Fault> {
        let note = review.map(|id| format!("review {id}"));
        let mut book = Book::default();
        for invitation in invitations.iter_mut().filter(|one| one.progress.planned != Planned::Declined) {
            let event = Event::Customer(CustomerNews::Reviewed);
            let cause = Cause { actor: CUSTOMER, note: note.as_deref(), ..Cause::daemon(event, self.now) };
            book.tell(invitation, &cause, &self.policies);
        }
        book.write(conn).await?;
        Ok(())
    }
}

/// Takes the words of reviews away.
pub(super) struct DeleteReviews {
    pub(super) whose: ReviewsOf,
    /// The member of staff; `None` for the author.
    pub(super) by: Option<Actor>,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for DeleteReviews {
    type Answer = Vec<ReviewId>;

    async fn run(&self, conn: &mut Connection) -> Result<Self::Answer, Fault> {
        if let ReviewsOf::Order { shop, reference, .. } = &self.whose {
            turns::take(conn, std::iter::once(Turn::Order(shop.as_str(), &reference.key()))).await?;
        }
        let there = of(conn, &self.whose).await?;
        let gone = there.iter().filter(|one| one.stands()).collect::<Vec<_>>();
        let ids = gone.iter().map(|one| one.id).collect::<Vec<_>>();
        if ids.is_empty() {
            return Ok(ids);
        }
        let list = to_json(&ids)?;
        let by = self.by.as_ref();
        let values = [
            list.as_str().into(),
            self.now.into(),
            by.map(|actor| actor.name.as_str()).into(),
            by.and_then(|actor| actor.reason.as_deref()).into(),
        ];
        conn.execute(sql::DELETE_REVIEWS, values).await?;
        conn.execute(sql::DELETE_EDITS, [list.into()]).await?;
        let mut counted = Figures::default();
        for one in gone {
            counted.review_deleted(&one.shop, by.is_some(), self.now);
        }
        conn.figures.append(counted);
        Ok(ids)
    }
}
