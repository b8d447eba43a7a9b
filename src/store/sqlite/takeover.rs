//! What a queue that is replaced by a backup knows better than the backup: which letters went, whose order was cancelled, who is not
//! written to any more, and who was erased. It is taken over before the backup takes the name of the queue, so that nothing is sent twice.

use sqlx::sqlite::SqliteConnection;
use sqlx::{ConnectOptions as _, Connection as _};

use super::File;
use crate::domain::Timestamp;
use crate::store::StoreError;
use crate::store::sql::fault::Fault;

/// How much the queue that was there knows of the time since the backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Knows {
    /// All of it: it is what became of the queue that the backup was made of.
    Everything,
    /// Something, but it may have missed letters.
    Something,
    /// Nothing: there is none, or it cannot be read. Why.
    Nothing(String),
}

/// What was taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenOver {
    /// How far the queue that was there can be relied on.
    pub knows: Knows,
    /// Invitations that stand as they stood there.
    pub invitations: u64,
    /// Invitations and copies of people who were erased since the backup, and are erased from it too.
    pub erased: u64,
}

/// Under which name it is kept that a queue was put back without a gap, with what the one before it knew. Whatever was put back is not
/// all that the one before it was, so it cannot stand for it another time.
pub(in crate::store) const PUT_BACK: &str = "put_back";

/// A file's own mark: when it was made, and how many nanoseconds its first migration took. Copies of it have the same.
const IS_OF_ONE_FILE: &str = "SELECT COALESCE((SELECT installed_on || ' ' || execution_time FROM main._sqlx_migrations WHERE version = 1) = \
    (SELECT installed_on || ' ' || execution_time FROM present._sqlx_migrations WHERE version = 1), 0)";

/// Whether it went on from the backup, of `?1`, without a break: nothing was put back into it since, it knows of that backup, and it
/// has given every number that the backup has.
const KNOWS_EVERYTHING: &str = "SELECT NOT EXISTS (SELECT 1 FROM (SELECT 'restored' AS name UNION ALL SELECT 'put_back') AS kept \
        WHERE (SELECT value FROM main.property WHERE property.name = kept.name) \
            IS NOT (SELECT value FROM present.property WHERE property.name = kept.name)) \
    AND (?1 IS NULL OR ?1 <= (SELECT CAST(value AS INTEGER) FROM present.property WHERE name = 'last_backup')) \
    AND NOT EXISTS (SELECT 1 FROM main.sqlite_sequence AS ours WHERE ours.seq > COALESCE( \
        (SELECT theirs.seq FROM present.sqlite_sequence AS theirs WHERE theirs.name = ours.name), 0))";

/// Rows that are there no more were erased: nothing else deletes any of these. Whoever counts mails does not count them either.
const ERASE: [&str; 10] = [
    "UPDATE main.shop_sum SET event = MAX(shop_sum.event - gone.event, 0), ignored = MAX(shop_sum.ignored - gone.ignored, 0), \
        held = MAX(shop_sum.held - gone.held, 0), discarded = MAX(shop_sum.discarded - gone.discarded, 0) FROM (SELECT shop, \
            COUNT(*) FILTER (WHERE state = 'event') AS event, COUNT(*) FILTER (WHERE state = 'held') AS held, \
            COUNT(*) FILTER (WHERE state = 'ignored' AND desk_act IS NOT 'discarded') AS ignored, \
            COUNT(*) FILTER (WHERE state = 'ignored' AND desk_act IS 'discarded') AS discarded \
        FROM main.copy WHERE answers IS NULL AND id NOT IN (SELECT id FROM present.copy) GROUP BY shop) AS gone \
        WHERE gone.shop = shop_sum.shop",
    "DELETE FROM main.copy WHERE id NOT IN (SELECT id FROM present.copy)",
    "DELETE FROM main.invitation WHERE id NOT IN (SELECT id FROM present.invitation)",
    "DELETE FROM main.letter WHERE id NOT IN (SELECT id FROM present.letter)",
    "DELETE FROM main.decision WHERE id NOT IN (SELECT id FROM present.decision)",
    "DELETE FROM main.answer WHERE id NOT IN (SELECT id FROM present.answer)",
    "DELETE FROM main.review WHERE id NOT IN (SELECT id FROM present.review)",
    "UPDATE main.letter SET reply = NULL WHERE id IN (SELECT id FROM present.letter WHERE reply IS NULL)",
    "UPDATE main.decision SET note = NULL WHERE id IN (SELECT id FROM present.decision WHERE note IS NULL)",
    "UPDATE main.answer SET note = NULL WHERE id IN (SELECT id FROM present.answer WHERE note IS NULL)",
];

const TO_ERASE: &str = "SELECT (SELECT COUNT(*) FROM main.copy WHERE id NOT IN (SELECT id FROM present.copy)) \
    + (SELECT COUNT(*) FROM main.invitation WHERE id NOT IN (SELECT id FROM present.invitation)) \
    + (SELECT COUNT(*) FROM main.review WHERE id NOT IN (SELECT id FROM present.review))";

/// The invitations that stand as they stand there: those with a letter that the backup does not know as it is by now, and those that
/// have ended, were put off by the customer, have links that were revoked, or wait for a person (`?1`: where all is known). What waits for its letter, and had none since, stays as it was. One that
/// may be another branch of the queue's (`?1` is 0) never begins again what has ended, and never forgets a letter.
const CHOOSE: &str = "CREATE TEMP TABLE taken AS \
    SELECT theirs.id FROM present.invitation AS theirs LEFT JOIN main.invitation AS ours ON ours.id = theirs.id \
    WHERE (EXISTS (SELECT 1 FROM present.letter AS went WHERE went.invitation_id = theirs.id \
                AND NOT EXISTS (SELECT 1 FROM main.letter AS known WHERE known.id = went.id \
                    AND known.phase = went.phase AND known.attempts = went.attempts)) \
            OR (ours.id IS NULL OR (ours.state, ours.updated_at, ours.letters_sent, ours.planned, ours.link_series) \
                    <> (theirs.state, theirs.updated_at, theirs.letters_sent, theirs.planned, theirs.link_series)) \
                AND (theirs.state IN ('sending', 'done', 'cancelled', 'dropped', 'failed', 'in_doubt') \
                    OR (?1 AND theirs.state = 'held') OR theirs.cancelled_at IS NOT NULL \
                    OR theirs.planned IN ('stopped', 'declined') \
                    OR theirs.put_off <> ours.put_off OR theirs.link_series > ours.link_series)) \
        AND (?1 OR CASE WHEN ours.id IS NULL \
            THEN NOT EXISTS (SELECT 1 FROM main.invitation AS other WHERE other.shop = theirs.shop \
                AND other.reference_key = theirs.reference_key AND other.email_key = theirs.email_key AND other.round = theirs.round) \
            ELSE ours.state NOT IN ('done', 'cancelled', 'dropped') AND ours.letters_sent <= theirs.letters_sent \
                AND (ours.shop, ours.reference_key, ours.email_key, ours.round) \
                    = (theirs.shop, theirs.reference_key, theirs.email_key, theirs.round) END)";

/// The chosen invitations with all that belongs to them. Copies that brought back a letter go with what they brought.
const TAKE: [&str; 6] = [
    "DELETE FROM main.letter WHERE EXISTS (SELECT 1 FROM present.letter AS theirs WHERE theirs.invitation_id = letter.invitation_id \
        AND theirs.ordinal = letter.ordinal) AND invitation_id IN (SELECT id FROM temp.taken)",
    "INSERT INTO main.invitation SELECT * FROM present.invitation WHERE id IN (SELECT id FROM temp.taken) \
        ON CONFLICT (id) DO UPDATE SET name = excluded.name, details = excluded.details, state = excluded.state, \
        due_at = excluded.due_at, expires_at = excluded.expires_at, letters_sent = excluded.letters_sent, \
        attempts = excluded.attempts, updated_at = excluded.updated_at, planned = excluded.planned, \
        cancelled_at = excluded.cancelled_at, expected_by = excluded.expected_by, put_off = excluded.put_off, \
        link_series = MAX(link_series, excluded.link_series)",
    "INSERT OR IGNORE INTO main.letter SELECT * FROM present.letter WHERE invitation_id IN (SELECT id FROM temp.taken)",
    "INSERT OR IGNORE INTO main.decision SELECT * FROM present.decision WHERE invitation_id IN (SELECT id FROM temp.taken)",
    "INSERT OR IGNORE INTO main.answer SELECT * FROM present.answer \
        WHERE letter_id IN (SELECT id FROM main.letter WHERE invitation_id IN (SELECT id FROM temp.taken))",
    "UPDATE main.copy SET (state, attempts, read_at, reading, email_key, reference_key, invitation_id, owner) = \
        (SELECT state, attempts, read_at, reading, email_key, reference_key, invitation_id, owner FROM present.copy AS theirs \
            WHERE theirs.id = copy.id) \
        WHERE answers IS NOT NULL AND id IN (SELECT copy_id FROM main.answer) AND id IN (SELECT id FROM present.copy)",
];

/// No number that was given there is given again.
const NUMBERS: [&str; 2] = [
    "INSERT INTO main.sqlite_sequence (name, seq) SELECT name, seq FROM present.sqlite_sequence \
        WHERE name NOT IN (SELECT name FROM main.sqlite_sequence)",
    "UPDATE main.sqlite_sequence SET seq = MAX(seq, \
        COALESCE((SELECT theirs.seq FROM present.sqlite_sequence AS theirs WHERE theirs.name = sqlite_sequence.name), 0))",
];

/// What happened since is counted; what stands, and what has become of all, is counted anew (`domain::Outturn`).
const COUNT: [&str; 5] = [
    "INSERT INTO main.figure (shop, day, name, n) SELECT shop, day, name, n FROM present.figure WHERE true \
        ON CONFLICT (shop, day, name) DO UPDATE SET n = MAX(n, excluded.n)",
    "DELETE FROM main.figure WHERE day = 0 AND name LIKE 'state %'",
    "INSERT INTO main.figure (shop, day, name, n) SELECT shop, 0, 'state ' || state, COUNT(*) FROM main.invitation GROUP BY 1, 3",
    "DELETE FROM main.figure WHERE name LIKE 'became %' AND name <> 'became erased'",
    "INSERT INTO main.figure (shop, day, name, n) SELECT shop, created_at / 86400000, 'became ' || CASE \
            WHEN letters_sent > 0 THEN 'invited' \
            WHEN state IN ('waiting', 'queued', 'sending', 'sent') THEN 'under_way' \
            WHEN state IN ('held', 'failed', 'in_doubt') THEN state \
            WHEN state = 'cancelled' AND planned = 'stopped' THEN 'stopped' \
            WHEN state IN ('cancelled', 'done') AND planned = 'declined' THEN 'declined' \
            WHEN state = 'cancelled' THEN 'order_cancelled' \
            ELSE 'dropped' END, COUNT(*) \
        FROM main.invitation GROUP BY 1, 2, 3",
];

/// Who is not written to, whose letters rest, which senders are believed, and what customers wrote, as it stands there.
const LISTS: [&str; 15] = [
    "DELETE FROM main.suppression",
    "INSERT INTO main.suppression SELECT * FROM present.suppression",
    "DELETE FROM main.pause",
    "INSERT INTO main.pause SELECT * FROM present.pause",
    "DELETE FROM main.sender",
    "INSERT INTO main.sender SELECT * FROM present.sender",
    "DELETE FROM main.alarm",
    "INSERT INTO main.alarm SELECT * FROM present.alarm",
    "DELETE FROM main.review",
    "INSERT INTO main.review SELECT * FROM present.review",
    "DELETE FROM main.review_edit",
    "INSERT INTO main.review_edit SELECT * FROM present.review_edit",
    "DELETE FROM main.erasure_request",
    "INSERT INTO main.erasure_request SELECT * FROM present.erasure_request",
    "DELETE FROM main.property WHERE name = 'senders_unknown' AND name NOT IN (SELECT name FROM present.property)",
];

/// The same of one that may know less than the backup: what stands against letters and mails is added.
const ADD_TO_LISTS: [&str; 5] = [
    "INSERT INTO main.suppression (shop, kind, subject, reason, note, actor, at) \
        SELECT shop, kind, subject, reason, note, actor, at FROM present.suppression WHERE true ON CONFLICT DO NOTHING",
    "INSERT INTO main.pause (shop, since, actor, reason) SELECT shop, since, actor, reason FROM present.pause WHERE true \
        ON CONFLICT DO NOTHING",
    "INSERT INTO main.sender (shop, mark, state, first_at, last_at, copies, actor, note, decided_at) \
        SELECT shop, mark, state, first_at, last_at, copies, actor, note, decided_at FROM present.sender WHERE state = 'blocked' \
        ON CONFLICT (shop, mark) DO UPDATE SET state = excluded.state, actor = excluded.actor, note = excluded.note, \
        decided_at = excluded.decided_at",
    "INSERT INTO main.review (shop, reference, reference_key, email_key, kind, product, collected, verified, stars, title, text, name, \
            language, written_at, edited_at, deleted_at, deleted_by, delete_reason) \
        SELECT shop, reference, reference_key, email_key, kind, product, collected, verified, stars, title, text, name, language, \
            written_at, edited_at, deleted_at, deleted_by, delete_reason FROM present.review AS theirs \
        WHERE NOT EXISTS (SELECT 1 FROM main.review AS ours WHERE ours.shop = theirs.shop AND ours.written_at = theirs.written_at \
            AND ours.kind = theirs.kind AND ours.product = theirs.product) ON CONFLICT DO NOTHING",
    "INSERT INTO main.erasure_request (shop, email, email_key, at) SELECT shop, email, email_key, at FROM present.erasure_request \
        WHERE true ON CONFLICT DO NOTHING",
];

/// Letters of which the queue that was there knows and this one does not.
const MISSING: &str = "SELECT COUNT(*) FROM present.letter AS theirs WHERE NOT EXISTS (SELECT 1 FROM main.letter AS ours \
    WHERE ours.id = theirs.id AND ours.invitation_id = theirs.invitation_id AND ours.phase = theirs.phase)";

impl File {
    /// Looks whether a queue can be read, and writes all of it as of now into the empty file `to`, with the newest schema.
    pub(in crate::store) async fn copy_readable(&self, to: &Self) -> Result<(), StoreError> {
        let mut conn = self.options().connect().await.map_err(|error| self.unusable(error))?;
        let damage = super::quick_check(&mut conn).await.map_err(|error| self.unusable(error))?;
        let _ = conn.close().await;
        if let Some(why) = damage {
            return Err(self.refuse(&format!("it is damaged ({why})")));
        }
        self.copy_whole(to.path()).await?;
        to.prepare(true).await
    }

    /// Takes over from `present`, a copy of the queue that is replaced, what it knows better than this backup of `made_at`. All or
    /// nothing.
    pub(in crate::store) async fn take_over(
        &self,
        present: &Self,
        made_at: Option<Timestamp>,
    ) -> Result<TakenOver, StoreError> {
        let mut conn = self.connect_to_write().await.map_err(|error| self.unusable(error))?;
        let name = present.path().to_str().ok_or_else(|| present.refuse("its name is not UTF-8"))?;
        let attached = sqlx::query("ATTACH DATABASE ?1 AS present").bind(name).execute(&mut conn).await;
        attached.map_err(|error| present.unusable(error))?;
        let taken = take_over(&mut conn, made_at).await.map_err(Fault::into_store_error)?;
        if taken.erased > 0 {
            // What was deleted may stand in the free room of other pages still.
            sqlx::query("VACUUM main").execute(&mut conn).await.map_err(|error| self.unusable(error))?;
        }
        conn.close().await.map_err(|error| self.unusable(error))?;
        Ok(taken)
    }
}

async fn take_over(conn: &mut SqliteConnection, made_at: Option<Timestamp>) -> Result<TakenOver, Fault> {
    let mut work = conn.begin().await?;
    let conn = &mut *work;
    let is_of_one_file: bool = sqlx::query_scalar(IS_OF_ONE_FILE).fetch_one(&mut *conn).await?;
    let mut taken = TakenOver { knows: Knows::Something, invitations: 0, erased: 0 };
    if !is_of_one_file {
        all(conn, &ADD_TO_LISTS).await?;
        all(conn, &NUMBERS).await?;
        work.commit().await?;
        return Ok(taken);
    }
    let made_at = made_at.map(|at| at.0);
    let is_whole: bool = sqlx::query_scalar(KNOWS_EVERYTHING).bind(made_at).fetch_one(&mut *conn).await?;
    if is_whole {
        taken.knows = Knows::Everything;
        let erased: i64 = sqlx::query_scalar(TO_ERASE).fetch_one(&mut *conn).await?;
        taken.erased = u64::try_from(erased).unwrap_or(0);
        all(conn, &ERASE).await?;
    }
    sqlx::query(CHOOSE).bind(is_whole).execute(&mut *conn).await?;
    let invitations: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM temp.taken").fetch_one(&mut *conn).await?;
    taken.invitations = u64::try_from(invitations).unwrap_or(0);
    all(conn, &TAKE).await?;
    all(conn, &NUMBERS).await?;
    all(conn, &COUNT).await?;
    all(conn, if is_whole { &LISTS[..] } else { &ADD_TO_LISTS }).await?;
    let missing: i64 = sqlx::query_scalar(MISSING).fetch_one(&mut *conn).await?;
    if is_whole && missing > 0 {
        return Err(Fault::Other(format!("{missing} letters of the queue that is there cannot be taken over")));
    }
    work.commit().await?;
    Ok(taken)
}

async fn all(conn: &mut SqliteConnection, statements: &[&'static str]) -> Result<(), Fault> {
    for statement in statements {
        sqlx::query(*statement).execute(&mut *conn).await?;
    }
    Ok(())
}
