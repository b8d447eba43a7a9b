//! Held copies as people look for them and deal with them.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::connection::{Connection, Value};
use super::desk_statements as look;
use super::fault::Fault;
use super::moves::to_json;
use super::rows::{CopyRow, copy_state, records};
use super::statements::{self as sql, Statement};
use super::tally::Tally;
use super::writer::Work;
use crate::domain::{CopyId, ShopId, Timestamp};
use crate::store::{Actor, Alarm, CopyState, Discarded, HeldCount, HeldFilter, StoredCopy};

/// Kept copies that are looked at by one statement for those that were ignored.
const LOOKED_AT: usize = 1000;

/// A copy whose row is locked, as it stands.
#[derive(sqlx::FromRow)]
pub(super) struct StandingRow {
    pub(super) id: i64,
    pub(super) shop: String,
    pub(super) received_at: i64,
    pub(super) state: String,
    /// Why it is held though the reader could read it.
    pub(super) doubt: Option<String>,
}

#[derive(sqlx::FromRow)]
struct KindRow {
    shop: String,
    reason: Option<String>,
    copies: i64,
    newest: i64,
}

impl TryFrom<KindRow> for HeldCount {
    type Error = Fault;

    fn try_from(row: KindRow) -> Result<Self, Fault> {
        Ok(Self {
            shop: ShopId::parse(&row.shop).map_err(|why| Fault::row("copy", row.newest, why))?,
            reason: row.reason,
            copies: u64::try_from(row.copies).unwrap_or(0),
            newest: CopyId(row.newest),
        })
    }
}

/// What every statement of a filter is given, and the kinds of reasons that it means.
async fn given(
    conn: &mut Connection,
    filter: &HeldFilter,
    before: Option<CopyId>,
    limit: usize,
) -> Result<(Vec<Value>, Vec<HeldCount>), Fault> {
    let kinds = match &filter.reason {
        Some(reason) => kinds(conn, filter.shop.as_ref(), reason).await?,
        None => Vec::new(),
    };
    let words = kinds.iter().filter_map(|kind| kind.reason.as_deref()).collect::<Vec<_>>();
    let words = filter.reason.is_some().then(|| to_json(&words)).transpose()?;
    let values = vec![
        before.map_or(i64::MAX, |id| id.0).into(),
        limit.into(),
        filter.shop.as_ref().map(|shop| shop.as_str()).into(),
        filter.template.as_deref().into(),
        words.into(),
        filter.reference.as_deref().into(),
        filter.email.as_ref().map(|email| email.as_str()).into(),
        filter.since.into(),
        filter.until.into(),
    ];
    Ok((values, kinds))
}

/// The kinds of reasons with this text in them, for which copies are held.
async fn kinds(conn: &mut Connection, shop: Option<&ShopId>, text: &str) -> Result<Vec<HeldCount>, Fault> {
    let rows: Vec<KindRow> = conn.rows(look::HELD_KINDS, []).await?;
    let text = crate::domain::kind_of_reason(text).to_lowercase();
    let mut kinds: Vec<HeldCount> = records(rows)?;
    kinds.retain(|kind| {
        shop.is_none_or(|shop| *shop == kind.shop)
            && kind.reason.as_ref().is_some_and(|reason| reason.to_lowercase().contains(&text))
    });
    Ok(kinds)
}

/// A page of held copies. The narrowest thing that is asked for chooses the index; the rest is looked at row by row.
pub(super) async fn held(
    conn: &mut Connection,
    filter: &HeldFilter,
    before: Option<CopyId>,
    limit: usize,
) -> Result<Vec<StoredCopy>, Fault> {
    let (values, kinds) = given(conn, filter, before, limit).await?;
    let whole_time = HeldFilter { since: filter.since, until: filter.until, ..HeldFilter::default() };
    let statement = if filter.email.is_some() {
        look::HELD_OF_EMAIL
    } else if filter.reference.is_some() {
        look::HELD_OF_REFERENCE
    } else if filter.reason.is_some() {
        return of_kinds(conn, filter, kinds, before, limit).await;
    } else if filter.template.is_some() {
        look::HELD_OF_TEMPLATE
    } else if filter.shop.is_some() {
        look::HELD_OF_SHOP
    } else if *filter == whole_time && *filter != HeldFilter::default() {
        return in_time(conn, filter, before, limit).await;
    } else {
        return page(conn, look::HELD_COPIES, vec![before.map_or(i64::MAX, |id| id.0).into(), limit.into()]).await;
    };
    page(conn, statement, values).await
}

async fn page(conn: &mut Connection, statement: Statement, values: Vec<Value>) -> Result<Vec<StoredCopy>, Fault> {
    let rows: Vec<CopyRow> = conn.rows(statement, values).await?;
    records(rows)
}

/// The newest of some kinds of reasons: the newest of each, and of those the newest of all.
async fn of_kinds(
    conn: &mut Connection,
    filter: &HeldFilter,
    kinds: Vec<HeldCount>,
    before: Option<CopyId>,
    limit: usize,
) -> Result<Vec<StoredCopy>, Fault> {
    let mut ids: Vec<(i64,)> = Vec::new();
    for kind in kinds {
        let of_shop = HeldFilter { shop: Some(kind.shop), reason: None, ..filter.clone() };
        let (mut values, _) = Box::pin(given(conn, &of_shop, before, limit)).await?;
        values.push(kind.reason.into());
        ids.extend(conn.rows::<(i64,)>(look::HELD_OF_REASON, values).await?);
    }
    of_ids(conn, ids, limit).await
}

async fn in_time(
    conn: &mut Connection,
    filter: &HeldFilter,
    before: Option<CopyId>,
    limit: usize,
) -> Result<Vec<StoredCopy>, Fault> {
    let before = before.map_or(i64::MAX, |id| id.0);
    let values = [before.into(), limit.into(), filter.since.into(), filter.until.into()];
    let ids = conn.rows(look::HELD_IN_TIME, values).await?;
    of_ids(conn, ids, limit).await
}

/// The copies of the newest of these numbers.
async fn of_ids(conn: &mut Connection, mut ids: Vec<(i64,)>, limit: usize) -> Result<Vec<StoredCopy>, Fault> {
    ids.sort_unstable_by_key(|(id,)| std::cmp::Reverse(*id));
    ids.truncate(limit);
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids = to_json(&ids.into_iter().map(|(id,)| id).collect::<Vec<_>>())?;
    page(conn, look::COPIES_BY_IDS, vec![ids.into()]).await
}

/// A page of ignored copies. What is kept is bounded and what was ever ignored is not, so the kept ones are gone through. Reasons
/// are not looked at: only held copies have a kind of them.
pub(super) async fn ignored(
    conn: &mut Connection,
    filter: &HeldFilter,
    before: Option<CopyId>,
    limit: usize,
) -> Result<Vec<StoredCopy>, Fault> {
    let filter = HeldFilter { reason: None, ..filter.clone() };
    let mut found = Vec::new();
    let mut before = before.map_or(i64::MAX, |id| id.0);
    while found.len() < limit {
        let kept: Vec<(i64,)> = conn.rows(look::KEPT, [before.into(), LOOKED_AT.into()]).await?;
        let Some((last,)) = kept.last() else { break };
        let (mut values, _) = given(conn, &filter, Some(CopyId(before)), limit - found.len()).await?;
        before = *last;
        values.push(to_json(&kept.into_iter().map(|(id,)| id).collect::<Vec<_>>())?.into());
        found.extend(page(conn, look::IGNORED_AMONG, values).await?);
    }
    Ok(found)
}

/// How many copies are held, by shop and kind of reason.
pub(super) async fn counts(conn: &mut Connection, filter: &HeldFilter) -> Result<Vec<HeldCount>, Fault> {
    if *filter == HeldFilter::default() {
        return records(conn.rows::<KindRow>(look::HELD_KINDS, []).await?);
    }
    let (values, _) = given(conn, filter, None, 1).await?;
    records(conn.rows::<KindRow>(look::COUNT_HELD_BY, values).await?)
}

/// Discards copies.
pub(super) struct Discard {
    pub(super) copies: Vec<CopyId>,
    pub(super) actor: Actor,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for Discard {
    type Answer = Vec<Discarded>;

    async fn run(&self, conn: &mut Connection) -> Result<Self::Answer, Fault> {
        let ids = to_json(&self.copies)?;
        let open: Vec<StandingRow> = conn.rows(sql::STILL_OPEN, [ids.as_str().into()]).await?;
        let held = open.into_iter().filter(|row| row.state == CopyState::Held.as_str()).collect::<Vec<_>>();
        let states: Vec<(i64, String, Option<String>)> = conn.rows(sql::STATES_OF, [ids.into()]).await?;
        let mut states = states
            .into_iter()
            .map(|(id, state, act)| Ok((id, Discarded::StandsAs(copy_state(id, &state, act.as_deref())?))))
            .collect::<Result<BTreeMap<_, _>, Fault>>()?;
        let mut tally = Tally::default();
        for row in &held {
            tally.was_discarded(&row.shop, Timestamp(row.received_at));
            states.insert(row.id, Discarded::Done);
        }
        if !held.is_empty() {
            let ids = to_json(&held.iter().map(|row| row.id).collect::<Vec<_>>())?;
            let Actor { name, reason } = &self.actor;
            let values = [ids.into(), name.as_str().into(), reason.as_deref().into(), self.now.into()];
            conn.execute(sql::DISCARD, values).await?;
            tally.write(conn).await?;
        }
        Ok(self.copies.iter().map(|id| states.get(&id.0).copied().unwrap_or(Discarded::Missing)).collect())
    }
}

/// Raises an alarm, or ends it.
pub(super) struct SetAlarm {
    pub(super) alarm: Alarm,
    pub(super) is_raised: bool,
}

#[async_trait]
impl Work for SetAlarm {
    type Answer = bool;

    async fn run(&self, conn: &mut Connection) -> Result<bool, Fault> {
        let Alarm { shop, kind, since, note } = &self.alarm;
        let key = [shop.as_str().into(), kind.as_str().into(), (*since).into()];
        let changed = if self.is_raised {
            conn.execute(sql::RAISE_ALARM, key.into_iter().chain([note.as_str().into()])).await?
        } else {
            conn.execute(sql::CLEAR_ALARM, key).await?
        };
        Ok(changed > 0)
    }
}

/// Forgets the counts of old hours.
pub(super) struct PurgeHours {
    pub(super) before: Timestamp,
}

#[async_trait]
impl Work for PurgeHours {
    type Answer = u64;

    async fn run(&self, conn: &mut Connection) -> Result<u64, Fault> {
        conn.execute(sql::PURGE_HOURS, [self.before.into()]).await
    }
}
