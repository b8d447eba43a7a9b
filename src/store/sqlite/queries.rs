//! What is only read, on connections that cannot write.

use std::collections::BTreeMap;

use sqlx::{SqliteConnection, SqlitePool};

use super::body;
use super::fault::Fault;
use super::moves::{self, to_json};
use super::rows::{CopyRow, DecisionRow, InvitationRow, LetterRow, records};
use super::sql;
use crate::domain::{CopyId, Invitation, InvitationId, State, Timestamp};
use crate::store::{Counts, Filter, STORY_AT_MOST, StoredCopy, Story, Subject};

/// A page of invitations. The narrowest thing that is asked for chooses the index; the rest is looked at row by row.
pub(super) async fn list(
    pool: &SqlitePool,
    filter: &Filter,
    before: Option<InvitationId>,
    limit: usize,
) -> Result<Vec<Invitation>, Fault> {
    let before = before.map_or(i64::MAX, |id| id.0);
    let rows_at_most = as_i64(limit);
    let shop = filter.shop.as_ref().map(|shop| shop.as_str());
    let words = filter.states.iter().map(|state| state.as_str()).collect::<Vec<_>>();
    let states = if words.is_empty() { None } else { Some(to_json(&words)?) };
    let mut tx = pool.begin().await?;
    let page = |sql: &'static str| sqlx::query_as::<_, InvitationRow>(sql).bind(before).bind(rows_at_most);
    let mut rows = if let Some(email) = &filter.email {
        let query =
            page(sql::LIST_EMAIL).bind(email.as_str()).bind(shop).bind(filter.reference.as_deref()).bind(states);
        query.fetch_all(&mut *tx).await?
    } else if let Some(reference) = &filter.reference {
        page(sql::LIST_REFERENCE).bind(reference).bind(shop).bind(states).fetch_all(&mut *tx).await?
    } else if words.is_empty() && shop.is_none() {
        page(sql::LIST_ALL).fetch_all(&mut *tx).await?
    } else {
        let words = if words.is_empty() { State::ALL.iter().map(|state| state.as_str()).collect() } else { words };
        let mut rows = Vec::new();
        for word in words {
            let query = match shop {
                Some(shop) => page(sql::LIST_SHOP_STATE).bind(word).bind(shop),
                None => page(sql::LIST_STATE).bind(word),
            };
            rows.extend(query.fetch_all(&mut *tx).await?);
        }
        rows
    };
    rows.sort_unstable_by_key(|row| std::cmp::Reverse(row.id));
    rows.dedup_by_key(|row| row.id);
    rows.truncate(limit);
    records(rows)
}

/// All about a subject, from one snapshot.
pub(super) async fn story(pool: &SqlitePool, subject: &Subject) -> Result<Story, Fault> {
    let at_most = as_i64(STORY_AT_MOST);
    let mut tx = pool.begin().await?;
    let (copies, invitations): (Vec<CopyRow>, Vec<Invitation>) = match subject {
        Subject::Email(key) => (
            sqlx::query_as(sql::COPIES_OF_EMAIL).bind(key.as_str()).bind(at_most).fetch_all(&mut *tx).await?,
            invitations(&mut tx, sql::LIST_EMAIL, key.as_str()).await?,
        ),
        Subject::Reference(reference) => (
            copies_of_reference(&mut tx, &reference.key(), None).await?,
            invitations(&mut tx, sql::LIST_REFERENCE, &reference.key()).await?,
        ),
        Subject::Invitation(id) => match moves::invitation(&mut tx, *id).await? {
            None => return Ok(Story::default()),
            Some(invitation) => (
                copies_of_reference(&mut tx, &invitation.reference.key(), Some(invitation.shop.as_str())).await?,
                vec![invitation],
            ),
        },
    };
    let ids = to_json(&invitations.iter().map(|invitation| invitation.id).collect::<Vec<_>>())?;
    let decisions: Vec<DecisionRow> =
        sqlx::query_as(sql::DECISIONS_ON).bind(&ids).bind(at_most).fetch_all(&mut *tx).await?;
    let letters: Vec<LetterRow> = sqlx::query_as(sql::LETTERS_OF).bind(&ids).bind(at_most).fetch_all(&mut *tx).await?;
    Ok(Story {
        copies: oldest_first(records(copies)?),
        invitations: oldest_first(invitations),
        decisions: oldest_first(records(decisions)?),
        letters: oldest_first(records(letters)?),
    })
}

async fn invitations(tx: &mut SqliteConnection, sql: &'static str, key: &str) -> Result<Vec<Invitation>, Fault> {
    let query = sqlx::query_as::<_, InvitationRow>(sql).bind(i64::MAX).bind(as_i64(STORY_AT_MOST)).bind(key);
    // The filters that follow are absent.
    let rows = query.bind(None::<String>).bind(None::<String>).bind(None::<String>).fetch_all(tx).await?;
    records(rows)
}

async fn copies_of_reference(tx: &mut SqliteConnection, key: &str, shop: Option<&str>) -> Result<Vec<CopyRow>, Fault> {
    let query = sqlx::query_as(sql::COPIES_OF_REFERENCE).bind(key).bind(as_i64(STORY_AT_MOST)).bind(shop);
    Ok(query.fetch_all(tx).await?)
}

fn oldest_first<T>(mut newest_first: Vec<T>) -> Vec<T> {
    newest_first.reverse();
    newest_first
}

/// A page of held copies.
pub(super) async fn held_copies(
    pool: &SqlitePool,
    before: Option<CopyId>,
    limit: usize,
) -> Result<Vec<StoredCopy>, Fault> {
    let before = before.map_or(i64::MAX, |id| id.0);
    let rows: Vec<CopyRow> = sqlx::query_as(sql::HELD_COPIES).bind(before).bind(as_i64(limit)).fetch_all(pool).await?;
    records(rows)
}

/// A copy, and its bytes when they are still there.
pub(super) async fn copy(pool: &SqlitePool, id: CopyId) -> Result<Option<(StoredCopy, Option<Vec<u8>>)>, Fault> {
    let mut tx = pool.begin().await?;
    let row: Option<CopyRow> = sqlx::query_as(sql::COPY).bind(id.0).fetch_optional(&mut *tx).await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let packed: Option<Vec<u8>> = sqlx::query_scalar(sql::BODY).bind(id.0).fetch_optional(&mut *tx).await?;
    let copy = StoredCopy::try_from(row)?;
    let message = packed.map(|packed| body::unpack(&packed, copy.size)).transpose();
    Ok(Some((copy, message.map_err(|why| Fault::row("copy", id.0, why))?)))
}

/// When something is due next.
pub(super) async fn next_due(pool: &SqlitePool) -> Result<Option<Timestamp>, Fault> {
    let due: Option<i64> = sqlx::query_scalar(sql::NEXT_DUE).fetch_one(pool).await?;
    Ok(due.map(Timestamp))
}

/// Numbers, each counted along an index.
pub(super) async fn counts(pool: &SqlitePool) -> Result<Counts, Fault> {
    let mut tx = pool.begin().await?;
    let unread: i64 = sqlx::query_scalar(sql::COUNT_UNREAD).fetch_one(&mut *tx).await?;
    let held: i64 = sqlx::query_scalar(sql::COUNT_HELD).fetch_one(&mut *tx).await?;
    let mut invitations = BTreeMap::new();
    for state in State::ALL {
        let count: i64 = sqlx::query_scalar(sql::COUNT_STATE).bind(state.as_str()).fetch_one(&mut *tx).await?;
        if count > 0 {
            invitations.insert(state, count.unsigned_abs());
        }
    }
    Ok(Counts { unread: unread.unsigned_abs(), held_copies: held.unsigned_abs(), invitations })
}

fn as_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
