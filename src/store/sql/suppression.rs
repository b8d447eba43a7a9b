//! The suppression list as people keep it: added to, taken from, looked at. Who is on it when letters are claimed is another look.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use super::SqlStore;
use super::connection::Connection;
use super::fault::Fault;
use super::moves::{Book, Cause, to_json};
use super::person_statements as sql;
use super::rows::{InvitationRow, records};
use super::writer::Work;
use crate::domain::{
    CustomerNews, Event, Invitation, ListKey, ListKind, ListReason, Policies, ShopId, SuppressionEntry, Timestamp,
};
use crate::store::{ListFilter, Listed, NewEntry, StoreError, StoredEntry};

#[derive(sqlx::FromRow)]
pub(super) struct EntryRow {
    id: i64,
    shop: String,
    kind: String,
    subject: String,
    reason: String,
    note: Option<String>,
    actor: String,
    at: i64,
}

impl TryFrom<EntryRow> for StoredEntry {
    type Error = Fault;

    fn try_from(row: EntryRow) -> Result<Self, Fault> {
        let fault = |what: &str| Fault::row("entry of the suppression list", row.id, what);
        let kind = ListKind::parse(&row.kind).ok_or_else(|| fault("its kind"))?;
        let shop =
            if row.shop.is_empty() { None } else { Some(ShopId::parse(&row.shop).map_err(|_| fault("its shop"))?) };
        Ok(Self {
            id: row.id,
            entry: SuppressionEntry {
                key: ListKey::from_parts(Some(kind), &row.subject).map_err(|_| fault("its subject"))?,
                shop,
                reason: ListReason::parse(&row.reason).ok_or_else(|| fault("its reason"))?,
                note: row.note,
                actor: row.actor,
                at: Timestamp(row.at),
            },
        })
    }
}

/// The shop as its column has it.
fn column(shop: Option<&ShopId>) -> &str {
    shop.map_or("", ShopId::as_str)
}

/// All entries with one of these keys, for whatever shop.
pub(super) async fn with_keys(conn: &mut Connection, keys: &[&ListKey]) -> Result<Vec<StoredEntry>, Fault> {
    let subjects = keys.iter().map(|key| key.subject()).collect::<BTreeSet<_>>();
    let rows: Vec<EntryRow> = conn.rows(sql::ENTRIES_OF, [to_json(&subjects)?.into()]).await?;
    let mut entries: Vec<StoredEntry> = records(rows)?;
    entries.retain(|entry| keys.contains(&&entry.entry.key));
    Ok(entries)
}

/// Writes entries; those that are there stay as they are.
pub(super) async fn write(conn: &mut Connection, entries: &[&SuppressionEntry]) -> Result<(), Fault> {
    let rows = entries.iter().map(|entry| {
        let (shop, key) = (column(entry.shop.as_ref()), &entry.key);
        json!([shop, key.kind().as_str(), key.subject(), entry.reason.as_str(), entry.note, entry.actor, entry.at])
    });
    conn.execute(sql::LIST, [to_json(&rows.collect::<Vec<_>>())?.into()]).await?;
    Ok(())
}

/// Puts entries on the list.
struct Suppress {
    entries: Arc<[NewEntry]>,
    policies: Arc<Policies>,
    now: Timestamp,
}

#[async_trait]
impl Work for Suppress {
    type Answer = Vec<Listed>;

    async fn run(&self, conn: &mut Connection) -> Result<Self::Answer, Fault> {
        let keys = self.entries.iter().flat_map(|new| std::iter::once(&new.entry.key).chain(&new.twin));
        let there = with_keys(conn, &keys.collect::<Vec<_>>()).await?;
        let there =
            there.into_iter().map(|one| ((one.entry.key, one.entry.shop), one.entry.at)).collect::<HashMap<_, _>>();
        let mut listed = Vec::with_capacity(self.entries.len());
        let mut fresh = Vec::new();
        for new in &*self.entries {
            let keys = std::iter::once(&new.entry.key).chain(&new.twin);
            let since = keys.filter_map(|key| there.get(&(key.clone(), new.entry.shop.clone()))).min().copied();
            if since.is_none() {
                fresh.push(&new.entry);
            }
            listed.push(Listed { since, stopped: Vec::new() });
        }
        if !fresh.is_empty() {
            write(conn, &fresh).await?;
        }
        self.stop(conn, &mut listed).await?;
        Ok(listed)
    }
}

impl Suppress {
    /// Ends what is open of the persons, also where the entry is older: an invitation may have begun since.
    async fn stop(&self, conn: &mut Connection, listed: &mut [Listed]) -> Result<(), Fault> {
        let mut persons: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (place, new) in self.entries.iter().enumerate() {
            if let Some(person) = &new.person {
                persons.entry(person.as_str()).or_default().push(place);
            }
        }
        if persons.is_empty() {
            return Ok(());
        }
        let keys = to_json(&persons.keys().collect::<Vec<_>>())?;
        let rows: Vec<InvitationRow> = conn.rows(sql::OPEN_OF_PERSONS, [keys.into()]).await?;
        let mut book = Book::default();
        for mut invitation in records::<_, Invitation>(rows)? {
            let places = persons.get(invitation.customer.email.key().as_str()).into_iter().flatten();
            let meant =
                |place: &&usize| self.entries[**place].entry.shop.as_ref().is_none_or(|shop| *shop == invitation.shop);
            let Some(place) = places.copied().find(|place| meant(&place)) else { continue };
            let entry = &self.entries[place].entry;
            let cause = Cause {
                actor: &entry.actor,
                note: entry.note.as_deref(),
                ..Cause::daemon(Event::Customer(CustomerNews::Suppressed), self.now)
            };
            book.tell(&mut invitation, &cause, &self.policies);
            listed[place].stopped.push(invitation.id);
        }
        book.write(conn).await?;
        Ok(())
    }
}

/// Takes entries off the list.
struct Unsuppress {
    keys: Vec<ListKey>,
    shop: Option<ShopId>,
}

#[async_trait]
impl Work for Unsuppress {
    type Answer = Vec<StoredEntry>;

    async fn run(&self, conn: &mut Connection) -> Result<Self::Answer, Fault> {
        let mut there = with_keys(conn, &self.keys.iter().collect::<Vec<_>>()).await?;
        there.retain(|one| one.entry.shop == self.shop);
        let ids = there.iter().map(|one| one.id).collect::<Vec<_>>();
        conn.execute(sql::UNLIST, [to_json(&ids)?.into()]).await?;
        Ok(there)
    }
}

impl SqlStore {
    /// Puts entries on the suppression list and ends the open invitations of the persons that they mean, all in one transaction. Says of
    /// each entry what came of it, in their order.
    ///
    /// # Errors
    /// When nothing was written.
    pub async fn suppress(
        &self,
        entries: Arc<[NewEntry]>,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Vec<Listed>, StoreError> {
        self.writers.letters.carry_out(Suppress { entries, policies, now }).await
    }

    /// Takes the entries with these keys off the list, those for this shop only, or for all shops with `None`. Says which they were.
    ///
    /// # Errors
    /// When nothing was written.
    pub async fn unsuppress(&self, keys: Vec<ListKey>, shop: Option<ShopId>) -> Result<Vec<StoredEntry>, StoreError> {
        self.writers.letters.carry_out(Unsuppress { keys, shop }).await
    }

    /// The entries with one of these keys, for whatever shop.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn suppressed_by(&self, keys: &[ListKey]) -> Result<Vec<StoredEntry>, StoreError> {
        self.readers
            .ask(keys.to_vec(), |conn, keys| {
                Box::pin(async move { with_keys(conn, &keys.iter().collect::<Vec<_>>()).await })
            })
            .await
    }

    /// A page of the list, newest first, below `before` when given.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn suppressions(
        &self,
        filter: &ListFilter,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        self.entries(filter, before.unwrap_or(i64::MAX), limit, true).await
    }

    /// A page of the list, oldest first, above `after`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn suppressions_after(
        &self,
        filter: &ListFilter,
        after: i64,
        limit: usize,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        self.entries(filter, after, limit, false).await
    }

    async fn entries(
        &self,
        filter: &ListFilter,
        from: i64,
        limit: usize,
        is_downward: bool,
    ) -> Result<Vec<StoredEntry>, StoreError> {
        let statement = if is_downward { sql::ENTRIES_BELOW } else { sql::ENTRIES_ABOVE };
        self.readers
            .ask(filter.clone(), move |conn, filter| {
                Box::pin(async move {
                    let given = [
                        from.into(),
                        limit.into(),
                        filter.shop.as_ref().map(|shop| column(shop.as_ref())).into(),
                        filter.kind.map(ListKind::as_str).into(),
                        filter.reason.map(ListReason::as_str).into(),
                        filter.since.into(),
                    ];
                    let rows: Vec<EntryRow> = conn.rows(statement, given).await?;
                    records(rows)
                })
            })
            .await
    }
}
