//! Everything that is kept about one person, and its end. What is theirs is found by the keys of its rows; where else they are named is
//! looked for in every text and in the kept bytes, stretch by stretch.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value as Json;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column as _, FromRow, Row as _, TypeInfo as _, ValueRef as _};

use super::connection::Connection;
use super::engine::Engine;
use super::fault::Fault;
use super::moves::{Book, Cause, to_json};
use super::person_statements as sql;
use super::rows::{InvitationRow, copy_state, records};
use super::statements::Statement;
use super::tally::Tally;
use super::writer::Work;
use super::{SqlStore, body, suppression};
use crate::domain::{
    AddressKey, CopyId, CustomerNews, Event, Invitation, ListKey, Policies, SuppressionEntry, Timestamp,
};
use crate::store::{Bodies, Erased, Erasure, LetterPhase, PersonTable, RawRow, StoreError, StoredEntry, Stretch};

/// Numbers of a table that are looked through at one time.
const STRETCH: i64 = 20_000;

/// Kept copies that are looked through at one time. A copy is at most some megabytes, and one is unpacked at a time.
const BODIES: usize = 64;

/// A row of any table.
struct Raw(RawRow);

impl FromRow<'_, SqliteRow> for Raw {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        let mut columns = RawRow::new();
        for column in row.columns() {
            let place = column.ordinal();
            let raw = row.try_get_raw(place)?;
            let value = match (raw.is_null(), raw.type_info().name()) {
                (true, _) => Json::Null,
                (false, "INTEGER") => Json::from(row.try_get::<i64, _>(place)?),
                (false, _) => Json::from(row.try_get::<String, _>(place)?),
            };
            columns.insert(column.name().to_owned(), value);
        }
        Ok(Self(columns))
    }
}

impl FromRow<'_, PgRow> for Raw {
    fn from_row(row: &PgRow) -> sqlx::Result<Self> {
        let mut columns = RawRow::new();
        for column in row.columns() {
            let place = column.ordinal();
            let value = match column.type_info().name() {
                "INT8" => row.try_get::<Option<i64>, _>(place)?.map_or(Json::Null, Json::from),
                _ => row.try_get::<Option<String>, _>(place)?.map_or(Json::Null, Json::from),
            };
            columns.insert(column.name().to_owned(), value);
        }
        Ok(Self(columns))
    }
}

/// Who looks through kept bytes.
pub type Search = dyn Fn(&[u8]) -> bool + Send + Sync;

/// What is a person's own by the keys of its rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Own {
    /// Rows by table; the suppression list is not looked at.
    pub rows: Vec<(PersonTable, Vec<i64>)>,
    /// The address as the invitations have it.
    pub spellings: Vec<String>,
    /// Letters to them that are on the wire at this moment.
    pub on_the_wire: usize,
}

impl Own {
    /// The rows of one table.
    pub fn of(&self, table: PersonTable) -> &[i64] {
        self.rows.iter().find(|(one, _)| *one == table).map_or(&[], |(_, ids)| ids)
    }
}

async fn own(conn: &mut Connection, key: &str) -> Result<Own, Fault> {
    let invitations: Vec<(i64, String)> = conn.rows(sql::INVITATION_IDS_OF, [key.into()]).await?;
    let (ids, mut spellings): (Vec<_>, Vec<_>) = invitations.into_iter().unzip();
    spellings.sort_unstable();
    spellings.dedup();
    let list = to_json(&ids)?;
    let decisions: Vec<(i64, Option<i64>)> = conn.rows(sql::DECISIONS_OF, [list.as_str().into()]).await?;
    let letters: Vec<(i64, String)> = conn.rows(sql::LETTERS_OF, [list.into()]).await?;
    let copies: Vec<(i64,)> = conn.rows(sql::COPY_IDS_OF, [key.into()]).await?;
    let of_letters = to_json(&letters.iter().map(|(id, _)| id).collect::<Vec<_>>())?;
    let answers: Vec<(i64, Option<i64>)> = conn.rows(sql::ANSWER_IDS_OF, [of_letters.into()]).await?;
    let told = decisions.iter().chain(&answers).filter_map(|(_, copy)| *copy);
    let copies = copies.into_iter().map(|(id,)| id).chain(told);
    let copies = copies.collect::<BTreeSet<_>>();
    let reviews: Vec<(i64,)> = conn.rows(sql::REVIEW_IDS_OF, [key.into()]).await?;
    let reviews = reviews.into_iter().map(|(id,)| id).collect::<Vec<_>>();
    let edits: Vec<(i64,)> = conn.rows(sql::EDIT_IDS_OF, [to_json(&reviews)?.into()]).await?;
    let requests: Vec<(i64,)> = conn.rows(sql::REQUEST_IDS_OF, [key.into()]).await?;
    let on_the_wire = letters.iter().filter(|(_, phase)| phase == LetterPhase::OnTheWire.as_str()).count();
    Ok(Own {
        rows: vec![
            (PersonTable::Copy, copies.into_iter().collect()),
            (PersonTable::Invitation, ids),
            (PersonTable::Letter, letters.into_iter().map(|(id, _)| id).collect()),
            (PersonTable::Answer, answers.into_iter().map(|(id, _)| id).collect()),
            (PersonTable::Decision, decisions.into_iter().map(|(id, _)| id).collect()),
            (PersonTable::Review, reviews),
            (PersonTable::ReviewEdit, edits.into_iter().map(|(id,)| id).collect()),
            (PersonTable::ErasureRequest, requests.into_iter().map(|(id,)| id).collect()),
        ],
        spellings,
        on_the_wire,
    })
}

const fn all_of(table: PersonTable) -> Statement {
    match table {
        PersonTable::Copy => sql::ALL_OF_COPIES,
        PersonTable::Invitation => sql::ALL_OF_INVITATIONS,
        PersonTable::Letter => sql::ALL_OF_LETTERS,
        PersonTable::Answer => sql::ALL_OF_ANSWERS,
        PersonTable::Decision => sql::ALL_OF_DECISIONS,
        PersonTable::Suppression => sql::ALL_OF_SUPPRESSIONS,
        PersonTable::Alarm => sql::ALL_OF_ALARMS,
        PersonTable::Pause => sql::ALL_OF_PAUSES,
        PersonTable::Sender => sql::ALL_OF_SENDERS,
        PersonTable::Review => sql::ALL_OF_REVIEWS,
        PersonTable::ReviewEdit => sql::ALL_OF_REVIEW_EDITS,
        PersonTable::ErasureRequest => sql::ALL_OF_REQUESTS,
    }
}

const fn last_of(table: PersonTable) -> Statement {
    match table {
        PersonTable::Copy => sql::LAST_COPY,
        PersonTable::Invitation => sql::LAST_INVITATION,
        PersonTable::Letter => sql::LAST_LETTER,
        PersonTable::Answer => sql::LAST_ANSWER,
        PersonTable::Decision => sql::LAST_DECISION,
        PersonTable::Suppression => sql::LAST_SUPPRESSION,
        PersonTable::Alarm => sql::LAST_ALARM,
        PersonTable::Pause => sql::LAST_PAUSE,
        PersonTable::Sender => sql::LAST_SENDER,
        PersonTable::Review => sql::LAST_REVIEW,
        PersonTable::ReviewEdit => sql::LAST_REVIEW_EDIT,
        PersonTable::ErasureRequest => sql::LAST_REQUEST,
    }
}

async fn stretch(conn: &mut Connection, table: PersonTable, after: i64, names: &str) -> Result<Stretch, Fault> {
    let last = conn.number(last_of(table), []).await?.unwrap_or(0);
    let to = after.saturating_add(STRETCH).min(last.max(after));
    let statement = sql::NAMING[table as usize];
    let found = conn.rows(statement, [after.into(), to.into(), names.into()]).await?;
    Ok(Stretch { found, to, last })
}

async fn bodies(conn: &mut Connection, after: CopyId, search: &Search) -> Result<Bodies, Fault> {
    let packed: Vec<(i64, i64, Vec<u8>)> = conn.rows(sql::BODIES_ABOVE, [after.0.into(), BODIES.into()]).await?;
    let mut bodies = Bodies { to: packed.last().map(|(id, ..)| CopyId(*id)), ..Bodies::default() };
    for (id, size, packed) in packed {
        match body::unpack(&packed, u64::try_from(size).unwrap_or(0)) {
            Ok(message) if search(&message) => bodies.found.push(CopyId(id)),
            Ok(_) => {}
            Err(_) => bodies.damaged.push(CopyId(id)),
        }
    }
    Ok(bodies)
}

/// Erases a person.
struct Erase {
    key: AddressKey,
    erasure: Erasure,
    /// What stays on the list; `None` forgets that too.
    mark: Option<SuppressionEntry>,
    list_key: [u8; 32],
    policies: Arc<Policies>,
    actor: String,
    now: Timestamp,
}

#[async_trait]
impl Work for Erase {
    type Answer = Erased;

    async fn run(&self, conn: &mut Connection) -> Result<Erased, Fault> {
        // Locked first: whoever sends or files a letter of theirs is done with it, or finds it gone.
        let rows: Vec<InvitationRow> = conn.rows(sql::INVITATIONS_OF, [self.key.as_str().into()]).await?;
        self.end(conn, records(rows)?).await?;
        let own = own(conn, self.key.as_str()).await?;
        let mut erased = Erased::default();
        let mut copies = own.of(PersonTable::Copy).iter().copied().collect::<BTreeSet<_>>();
        copies.extend(self.erasure.copies.iter().map(|copy| copy.0));
        erased.copies = self.erase_copies(conn, &copies).await?;
        conn.execute(sql::ERASE_REQUESTS, [to_json(&own.of(PersonTable::ErasureRequest))?.into()]).await?;
        conn.execute(sql::ERASE_ANSWERS, [to_json(&own.of(PersonTable::Answer))?.into()]).await?;
        for (table, statement, count) in [
            (PersonTable::Review, sql::ERASE_REVIEWS, &mut erased.reviews),
            (PersonTable::Letter, sql::ERASE_LETTERS, &mut erased.letters),
            (PersonTable::Decision, sql::ERASE_DECISIONS, &mut erased.decisions),
            (PersonTable::Invitation, sql::ERASE_INVITATIONS, &mut erased.invitations),
        ] {
            *count = conn.execute(statement, [to_json(&own.of(table))?.into()]).await?;
        }
        for (table, ids) in &self.erasure.words {
            let statement = match table {
                PersonTable::Letter => sql::SILENCE_LETTERS,
                PersonTable::Answer => sql::SILENCE_ANSWERS,
                PersonTable::Decision => sql::SILENCE_DECISIONS,
                PersonTable::Suppression => sql::SILENCE_SUPPRESSIONS,
                PersonTable::Alarm => sql::SILENCE_ALARMS,
                PersonTable::Pause => sql::SILENCE_PAUSES,
                PersonTable::Sender => sql::SILENCE_SENDERS,
                PersonTable::Review => sql::SILENCE_REVIEWS,
                PersonTable::ReviewEdit => sql::SILENCE_REVIEW_EDITS,
                PersonTable::Copy | PersonTable::Invitation | PersonTable::ErasureRequest => continue,
            };
            erased.words += conn.execute(statement, [to_json(ids)?.into()]).await?;
        }
        erased.entries = self.keep_on_the_list(conn).await?;
        Ok(erased)
    }
}

impl Erase {
    /// Ends what is open, so that it is counted as ended and nothing of it is sent any more, and takes all of it out of the counts of what
    /// stands.
    async fn end(&self, conn: &mut Connection, invitations: Vec<Invitation>) -> Result<(), Fault> {
        let (mut book, mut gone) = (Book::default(), Vec::new());
        for mut invitation in invitations {
            if !invitation.progress.state.has_ended() {
                let event = Event::Customer(CustomerNews::Erased);
                let cause = Cause { actor: &self.actor, ..Cause::daemon(event, self.now) };
                book.tell(&mut invitation, &cause, &self.policies);
            }
            gone.push(invitation);
        }
        book.write(conn).await?;
        for one in gone {
            conn.figures.erased(&one.shop, one.created_at, &one.progress);
        }
        Ok(())
    }

    async fn erase_copies(&self, conn: &mut Connection, ids: &BTreeSet<i64>) -> Result<u64, Fault> {
        let ids = to_json(ids)?;
        let rows: Vec<(i64, String, String, Option<String>)> =
            conn.rows(sql::COPIES_TO_ERASE, [ids.as_str().into()]).await?;
        let mut tally = Tally::default();
        for (id, shop, state, act) in rows {
            tally.was_erased(&shop, copy_state(id, &state, act.as_deref())?);
        }
        let erased = conn.execute(sql::ERASE_COPIES, [ids.into()]).await?;
        tally.write(conn).await?;
        Ok(erased)
    }

    /// What stands on the list in plain text goes; what it says stays as a hash.
    async fn keep_on_the_list(&self, conn: &mut Connection) -> Result<u64, Fault> {
        let plain = ListKey::of(&self.key);
        let hashed = plain.hashed(&self.list_key);
        let there = suppression::with_keys(conn, &[&plain, &hashed]).await?;
        let is_plain = |one: &&StoredEntry| self.mark.is_none() || !one.entry.key.is_hashed();
        // The mark takes the place of what stands where it is to stand: whoever was erased can be told by it.
        let is_replaced = |one: &StoredEntry| self.mark.as_ref().is_some_and(|mark| mark.shop == one.entry.shop);
        let gone = there.iter().filter(|one| is_plain(one) || is_replaced(one)).map(|one| one.id).collect::<Vec<_>>();
        conn.execute(super::person_statements::UNLIST, [to_json(&gone)?.into()]).await?;
        let count = u64::try_from(there.iter().filter(is_plain).count()).unwrap_or(0);
        if let Some(mark) = &self.mark {
            let stays = there.into_iter().filter(|one| !one.entry.key.is_hashed());
            // What was written beside it may name the person.
            let stays = stays.map(|one| SuppressionEntry { key: hashed.clone(), note: None, ..one.entry });
            let stays = stays.collect::<Vec<_>>();
            suppression::write(conn, &std::iter::once(mark).chain(&stays).collect::<Vec<_>>()).await?;
        }
        Ok(count)
    }
}

impl SqlStore {
    /// What is a person's own, by the keys of its rows.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn own_rows(&self, key: &AddressKey) -> Result<Own, StoreError> {
        self.readers.ask(key.clone(), |conn, key| Box::pin(own(conn, key.as_str()))).await
    }

    /// Looks through the next stretch of a table, the rows above `after`, for texts that hold one of `names`, which are in ASCII lower
    /// case. What stands there may be part of something longer; the caller looks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn rows_naming(&self, table: PersonTable, after: i64, names: &[String]) -> Result<Stretch, StoreError> {
        let names = serde_json::json!(names).to_string();
        self.readers.ask(names, move |conn, names| Box::pin(stretch(conn, table, after, names))).await
    }

    /// Looks through the next of the kept bytes, those of copies above `after`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn bodies_naming(&self, after: CopyId, search: Arc<Search>) -> Result<Bodies, StoreError> {
        self.readers.ask(search, move |conn, search| Box::pin(bodies(conn, after, &**search))).await
    }

    /// These rows with every column.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn raw_rows(&self, table: PersonTable, ids: &[i64]) -> Result<Vec<RawRow>, StoreError> {
        self.readers
            .ask(serde_json::json!(ids).to_string(), move |conn, ids| {
                Box::pin(async move {
                    let rows: Vec<Raw> = conn.rows(all_of(table), [ids.as_str().into()]).await?;
                    Ok(rows.into_iter().map(|Raw(row)| row).collect())
                })
            })
            .await
    }

    /// Erases a person in one transaction: their copies with the bytes, invitations, letters, decisions, and what names them elsewhere.
    /// `mark` is what stays on the suppression list, a hashed entry; what stood there in plain text becomes one too. With `None` the list
    /// forgets them as well.
    ///
    /// # Errors
    /// When nothing was erased.
    pub async fn erase(
        &self,
        key: &AddressKey,
        erasure: Erasure,
        mark: Option<SuppressionEntry>,
        actor: &str,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Erased, StoreError> {
        let list_key = *policies.list_key();
        let erase = Erase { key: key.clone(), erasure, mark, list_key, policies, actor: actor.to_owned(), now };
        self.writers.letters.carry_out(erase).await
    }

    /// Writes a file anew, so that nothing is in it but what is stored: when rows move from one page to another, `secure_delete` leaves
    /// their bytes in what is free of the old page (seen with about one deleted row of three hundred). Nobody else can write meanwhile, and
    /// it takes as much room again. Nothing is done to a server.
    ///
    /// # Errors
    /// When there is no room, or others write for too long.
    pub async fn rewrite(&self) -> Result<(), StoreError> {
        self.readers.rest().await;
        let rewritten = async {
            if let Engine::Sqlite(file) = &self.engine {
                let mut conn = Connection::from(file.connect_to_write().await?);
                conn.command(REWRITE).await?;
                conn.close().await;
            }
            Ok::<_, Fault>(())
        };
        rewritten.await.map_err(Fault::into_store_error)
    }

    /// Takes what was deleted out of what the engine still keeps of it. A file's log is written into the file and emptied, for which
    /// nobody may be reading or writing: `false` when somebody was. A server's tables are vacuumed and their statistics, which hold
    /// samples of values, made anew.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn tidy(&self) -> Result<bool, StoreError> {
        self.readers.rest().await;
        let tidied = async {
            match &self.engine {
                Engine::Sqlite(file) => {
                    let mut conn = file.connect_to_write().await?;
                    let is_done = crate::store::sqlite::empty_log(&mut conn).await?;
                    Connection::from(conn).close().await;
                    Ok(is_done)
                }
                Engine::Postgres(server) => {
                    let mut conn = Connection::from(server.connect_to_write().await?);
                    conn.command("SET statement_timeout = 0").await?;
                    conn.command(VACUUM).await?;
                    conn.close().await;
                    Ok(true)
                }
            }
        };
        tidied.await.map_err(Fault::into_store_error)
    }
}

/// Rewrites the file whole.
const REWRITE: &str = "VACUUM";

/// Every table in which a person may stand.
const VACUUM: &str = "VACUUM (ANALYZE) copy, copy_body, invitation, letter, answer, decision, suppression, alarm, pause, sender, review, review_edit, \
     erasure_request";
