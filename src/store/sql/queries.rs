//! What is only read, on connections that cannot write.

use std::collections::{BTreeSet, HashMap};

use super::answers;
use super::body;
use super::connection::Connection;
use super::desk_statements as look;
use super::fault::Fault;
use super::figures;
use super::moves::to_json;
use super::pauses;
use super::people::People;
use super::restored::LAST_BACKUP;
use super::reviews;
use super::rows::{CopyRow, DecisionRow, InvitationRow, LetterRow, records};
use super::statements::{self as sql, Statement};
use crate::domain::{CopyId, Invitation, InvitationId, Policies, Review, ShopId, Timestamp};
use crate::store::{Counts, DecisionRecord, STORY_AT_MOST, Standing, StoredCopy, Story, Subject};

/// All about a subject, from one state of everything.
pub(super) async fn story(conn: &mut Connection, subject: &Subject) -> Result<Story, Fault> {
    let (copies, invitations): (Vec<CopyRow>, Vec<Invitation>) = match subject {
        Subject::Email(key) => (
            conn.rows(look::COPIES_OF_EMAIL, [key.as_str().into(), STORY_AT_MOST.into()]).await?,
            invitations(conn, look::LIST_EMAIL, key.as_str()).await?,
        ),
        Subject::Reference(reference) => (
            copies_of_reference(conn, &reference.key(), None).await?,
            invitations(conn, look::LIST_REFERENCE, &reference.key()).await?,
        ),
        Subject::Invitation(id) => {
            let row: Option<InvitationRow> = conn.row(look::INVITATION, [id.0.into()]).await?;
            let Some(invitation) = row.map(Invitation::try_from).transpose()? else {
                return Ok(Story::default());
            };
            let copies = copies_of_reference(conn, &invitation.reference.key(), Some(invitation.shop.as_str())).await?;
            (copies, vec![invitation])
        }
    };
    let ids = to_json(&invitations.iter().map(|invitation| invitation.id).collect::<Vec<_>>())?;
    let decisions: Vec<DecisionRow> =
        conn.rows(look::DECISIONS_ON, [ids.as_str().into(), STORY_AT_MOST.into()]).await?;
    let letters: Vec<LetterRow> = conn.rows(look::LETTERS_OF, [ids.as_str().into(), STORY_AT_MOST.into()]).await?;
    let answers = answers::of_invitations(conn, &ids, STORY_AT_MOST).await?;
    let written = written(conn, subject, &invitations).await?;
    Ok(Story {
        copies: oldest_first(records(copies)?),
        invitations: oldest_first(invitations),
        decisions: oldest_first(records(decisions)?),
        letters: oldest_first(records(letters)?),
        answers: oldest_first(records(answers)?),
        reviews: oldest_first(written),
    })
}

/// What the customers of these invitations wrote about the orders; of an address all that it wrote.
async fn written(conn: &mut Connection, subject: &Subject, of: &[Invitation]) -> Result<Vec<Review>, Fault> {
    let mut persons = of.iter().map(|one| one.customer.email.key()).collect::<BTreeSet<_>>();
    if let Subject::Email(key) = subject {
        persons.insert(key.clone());
    }
    let keys = persons.iter().map(|key| key.as_str()).collect::<Vec<_>>();
    let mut written = reviews::of_persons(conn, &keys, STORY_AT_MOST).await?;
    if !matches!(subject, Subject::Email(_)) {
        let is_about = |review: &Review, one: &Invitation| {
            review.shop == one.shop && review.reference.as_ref().is_some_and(|about| about.key() == one.reference.key())
        };
        written.retain(|review| of.iter().any(|one| is_about(review, one)));
    }
    Ok(written)
}

/// A page of the invitations that began since `since`, each with what happened to it from outside, the oldest first.
pub(super) async fn histories(
    conn: &mut Connection,
    since: Timestamp,
    after: Option<(Timestamp, InvitationId)>,
    limit: usize,
) -> Result<Vec<(Invitation, Vec<DecisionRecord>)>, Fault> {
    let (at, id) = after.unwrap_or((since, InvitationId(0)));
    let rows: Vec<InvitationRow> = conn.rows(look::BEGUN_SINCE, [at.into(), id.0.into(), limit.into()]).await?;
    let invitations: Vec<Invitation> = records(rows)?;
    let ids = to_json(&invitations.iter().map(|invitation| invitation.id).collect::<Vec<_>>())?;
    let rows: Vec<DecisionRow> = conn.rows(look::FROM_OUTSIDE, [ids.into()]).await?;
    let mut decisions: HashMap<InvitationId, Vec<DecisionRecord>> = HashMap::new();
    for decision in records::<_, DecisionRecord>(rows)? {
        decisions.entry(decision.invitation).or_default().push(decision);
    }
    let told = invitations.into_iter().map(|invitation| {
        let decisions = decisions.remove(&invitation.id).unwrap_or_default();
        (invitation, decisions)
    });
    Ok(told.collect())
}

/// What bears on the next letters of invitations.
pub(super) async fn standings(
    conn: &mut Connection,
    invitations: &[Invitation],
    policies: &Policies,
    now: Timestamp,
) -> Result<HashMap<InvitationId, Standing>, Fault> {
    let people = People::known(conn, invitations, policies, now).await?;
    let pauses = pauses::all(conn).await?;
    let followers = followers(conn, invitations).await?;
    let standings = invitations.iter().map(|invitation| {
        let rests = pauses.iter().find(|pause| pause.shop.as_ref().is_none_or(|shop| *shop == invitation.shop));
        let followed_by = followers.get(&invitation.id).copied();
        (invitation.id, Standing { paused: rests.cloned(), followed_by, ..people.standing(invitation) })
    });
    Ok(standings.collect())
}

/// Which invitation follows each that has one after it.
async fn followers(
    conn: &mut Connection,
    invitations: &[Invitation],
) -> Result<HashMap<InvitationId, InvitationId>, Fault> {
    let keys = invitations.iter().filter(|one| one.progress.due_at.is_none());
    let keys = keys.map(|one| (one.shop.as_str(), one.reference.key())).collect::<BTreeSet<_>>();
    let orders = keys.iter().map(|(shop, key)| (*shop, key.as_str())).collect::<Vec<_>>();
    if orders.is_empty() {
        return Ok(HashMap::new());
    }
    let rounds = look_at_orders(conn, &orders).await?;
    Ok(rounds.iter().filter_map(|one| Some((one.follows?, one.id))).collect())
}

/// All invitations to these orders, for who only looks.
pub(super) async fn look_at_orders(conn: &mut Connection, orders: &[(&str, &str)]) -> Result<Vec<Invitation>, Fault> {
    let rows: Vec<InvitationRow> = conn.rows(look::LOOK_AT_ORDERS, [to_json(&orders)?.into()]).await?;
    records(rows)
}

/// The newest invitations by one key.
async fn invitations(conn: &mut Connection, statement: Statement, key: &str) -> Result<Vec<Invitation>, Fault> {
    let rows: Vec<InvitationRow> = conn.rows(statement, [i64::MAX.into(), STORY_AT_MOST.into(), key.into()]).await?;
    records(rows)
}

async fn copies_of_reference(conn: &mut Connection, key: &str, shop: Option<&str>) -> Result<Vec<CopyRow>, Fault> {
    conn.rows(look::COPIES_OF_REFERENCE, [key.into(), STORY_AT_MOST.into(), shop.into()]).await
}

fn oldest_first<T>(mut newest_first: Vec<T>) -> Vec<T> {
    newest_first.reverse();
    newest_first
}

/// A copy, and its bytes when they are still there.
pub(super) async fn copy(conn: &mut Connection, id: CopyId) -> Result<Option<(StoredCopy, Option<Vec<u8>>)>, Fault> {
    let row: Option<CopyRow> = conn.row(look::COPY, [id.0.into()]).await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let packed: Option<(Vec<u8>,)> = conn.row(look::BODY, [id.0.into()]).await?;
    let copy = StoredCopy::try_from(row)?;
    let message = packed.map(|(packed,)| body::unpack(&packed, copy.size)).transpose();
    Ok(Some((copy, message.map_err(|why| Fault::row("copy", id.0, why))?)))
}

/// When something is due next in each shop that has something to send.
pub(super) async fn next_due(conn: &mut Connection) -> Result<Vec<(ShopId, Timestamp)>, Fault> {
    let rows: Vec<(String, i64)> = conn.rows(sql::NEXT_DUE, []).await?;
    let due = rows.into_iter().map(|(shop, due)| {
        let shop = ShopId::parse(&shop).map_err(|why| Fault::Other(format!("a shop's name cannot be read: {why}")))?;
        Ok((shop, Timestamp(due)))
    });
    due.collect()
}

/// Numbers: of copies that wait, counted along an index, and of invitations, counted when they moved.
pub(super) async fn counts(conn: &mut Connection) -> Result<Counts, Fault> {
    let count = |number: Option<i64>| number.unwrap_or(0).unsigned_abs();
    let unread = count(conn.number(look::COUNT_UNREAD, []).await?);
    let held_copies = count(conn.number(look::COUNT_HELD, []).await?);
    let oldest_unread = conn.number(look::OLDEST_UNREAD, []).await?.map(Timestamp);
    let backup: Option<(String,)> = conn.row(sql::PROPERTY, [LAST_BACKUP.into()]).await?;
    let last_backup = backup.and_then(|(at,)| at.parse().ok()).map(Timestamp);
    Ok(Counts { unread, held_copies, oldest_unread, invitations: figures::standing(conn).await?, last_backup })
}
