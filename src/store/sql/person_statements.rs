//! The statements about persons: the suppression list, everything that is kept about one, and its end. Written as those in
//! [`super::statements`].

use super::statements::{Statement, piece, statements, text};

/// The rows of one stretch of a table, `$1` to `$2`, whose texts hold one of the names `$3`, a JSON array in ASCII lower case. Stretch by
/// stretch, so that nobody waits for a whole table in one statement.
macro_rules! naming {
    ($name:literal, $table:literal, $first:literal $(, $column:literal)*) => {
        Statement {
            #[cfg(test)]
            name: $name,
            sqlite: concat!(
                "SELECT id, told FROM (SELECT id, COALESCE(", $first, ", '')",
                $(" || char(10) || COALESCE(", $column, ", '')",)* " AS told FROM ", $table,
                " WHERE id > $1 AND id <= $2) AS stretch WHERE EXISTS (SELECT 1 FROM json_each($3) AS name \
                WHERE instr(lower(told), name.value) > 0) ORDER BY id"
            ),
            postgres: concat!(
                "SELECT id, told FROM (SELECT id, COALESCE(", $first, ", '')",
                $(" || chr(10) || COALESCE(", $column, ", '')",)* " AS told FROM ", $table,
                " WHERE id > $1 AND id <= $2) AS stretch WHERE EXISTS (SELECT 1 FROM json_array_elements_text($3::json) AS name (text) \
                WHERE strpos(lower(told), name.text) > 0) ORDER BY id"
            ),
        }
    };
}

/// In the order of [`crate::store::PersonTable::ALL`]: every column of text that is not the program's own.
pub(in crate::store) const NAMING: [Statement; 12] = [
    naming!(
        "NAMING in copy",
        "copy",
        "mail_from",
        "rcpt_to",
        "hello",
        "reading",
        "email_key",
        "reference_key",
        "template",
        "reason",
        "desk_actor",
        "desk_reason",
        "login",
        "sender",
        "proof"
    ),
    naming!(
        "NAMING in invitation",
        "invitation",
        "email",
        "email_key",
        "name",
        "reference",
        "reference_key",
        "details"
    ),
    naming!("NAMING in letter", "letter", "email_key", "reply", "message_id"),
    naming!("NAMING in answer", "answer", "status", "note"),
    naming!("NAMING in decision", "decision", "note", "actor", "inputs"),
    naming!("NAMING in suppression", "suppression", "subject", "note", "actor"),
    naming!("NAMING in alarm", "alarm", "note"),
    naming!("NAMING in pause", "pause", "reason", "actor"),
    naming!("NAMING in sender", "sender", "mark", "note", "actor"),
    naming!(
        "NAMING in review",
        "review",
        "email_key",
        "reference",
        "reference_key",
        "product",
        "title",
        "text",
        "name",
        "deleted_by",
        "delete_reason"
    ),
    naming!("NAMING in review_edit", "review_edit", "title", "text", "name"),
    naming!("NAMING in erasure_request", "erasure_request", "email", "email_key"),
];

statements! {
    /// Entries of the list with these subjects, of either kind.
    ENTRIES_OF = {
        sqlite: "SELECT id, shop, kind, subject, reason, note, actor, at FROM suppression \
            WHERE kind IN ('address', 'domain') AND subject IN (SELECT value FROM json_each($1)) ORDER BY id",
        postgres: "SELECT id, shop, kind, subject, reason, note, actor, at FROM suppression \
            WHERE kind IN ('address', 'domain') AND subject = ANY (ARRAY(SELECT json_array_elements_text($1::json))) ORDER BY id"
    };
    LIST = {
        "INSERT INTO suppression (shop, kind, subject, reason, note, actor, at) SELECT value ->> 0, value ->> 1, value ->> 2, \
        value ->> 3, value ->> 4, value ->> 5, CAST(value ->> 6 AS BIGINT) FROM " (each "$1") " AS listed WHERE true \
        ON CONFLICT (kind, subject, shop) DO NOTHING"
    };
    UNLIST = { "DELETE FROM suppression WHERE id" (of "$1") };
    /// `$3` is the shop, `$4` the kind, `$5` the reason, each of which may be absent.
    ENTRIES_BELOW = {
        "SELECT id, shop, kind, subject, reason, note, actor, at FROM suppression WHERE id < $1 AND ($3 IS NULL OR shop = $3) \
        AND ($4 IS NULL OR kind = $4) AND ($5 IS NULL OR reason = $5) AND at >= $6 ORDER BY id DESC LIMIT $2"
    };
    ENTRIES_ABOVE = {
        "SELECT id, shop, kind, subject, reason, note, actor, at FROM suppression WHERE id > $1 AND ($3 IS NULL OR shop = $3) \
        AND ($4 IS NULL OR kind = $4) AND ($5 IS NULL OR reason = $5) AND at >= $6 ORDER BY id LIMIT $2"
    };
    /// What of these persons has not ended.
    OPEN_OF_PERSONS = {
        sqlite: concat!("SELECT ", piece!(sqlite, (invitation columns)), " FROM invitation \
            WHERE email_key IN (SELECT value FROM json_each($1)) AND state NOT IN ('done', 'cancelled', 'dropped') ORDER BY id"),
        postgres: concat!("SELECT ", piece!(postgres, (invitation columns)), " FROM invitation \
            WHERE email_key = ANY (ARRAY(SELECT json_array_elements_text($1::json))) \
            AND state NOT IN ('done', 'cancelled', 'dropped') ORDER BY id FOR UPDATE OF invitation")
    };

    /// All invitations of a person.
    INVITATIONS_OF = { "SELECT " (invitation columns) " FROM invitation WHERE email_key = $1 ORDER BY id" (lock "invitation") };
    INVITATION_IDS_OF = { "SELECT id, email FROM invitation WHERE email_key = $1 ORDER BY id" };
    COPY_IDS_OF = { "SELECT id FROM copy WHERE email_key = $1 ORDER BY id" };
    /// Decisions, and the copies that told of what they decide.
    DECISIONS_OF = { "SELECT id, copy_id FROM decision WHERE invitation_id" (of "$1") " ORDER BY id" };
    LETTERS_OF = { "SELECT id, phase FROM letter WHERE invitation_id" (of "$1") " ORDER BY id" };

    ANSWER_IDS_OF = { "SELECT id, copy_id FROM answer WHERE letter_id" (of "$1") " ORDER BY id" };

    REVIEW_IDS_OF = { "SELECT id FROM review WHERE email_key = $1 AND email_key IS NOT NULL ORDER BY id" };
    EDIT_IDS_OF = { "SELECT id FROM review_edit WHERE review_id" (of "$1") " ORDER BY id" };
    REQUEST_IDS_OF = { "SELECT id FROM erasure_request WHERE email_key = $1" };

    ALL_OF_COPIES = { "SELECT * FROM copy WHERE id" (of "$1") " ORDER BY id" };
    ALL_OF_INVITATIONS = { "SELECT * FROM invitation WHERE id" (of "$1") " ORDER BY id" };
    ALL_OF_LETTERS = { "SELECT * FROM letter WHERE id" (of "$1") " ORDER BY id" };
    ALL_OF_ANSWERS = { "SELECT * FROM answer WHERE id" (of "$1") " ORDER BY id" };
    ALL_OF_DECISIONS = { "SELECT * FROM decision WHERE id" (of "$1") " ORDER BY id" };
    ALL_OF_SUPPRESSIONS = { "SELECT * FROM suppression WHERE id" (of "$1") " ORDER BY id" };
    ALL_OF_ALARMS = { "SELECT * FROM alarm WHERE id" (of "$1") " ORDER BY id" };
    ALL_OF_PAUSES = { "SELECT * FROM pause WHERE id" (of "$1") " ORDER BY id" };
    ALL_OF_REVIEWS = { "SELECT * FROM review WHERE id" (of "$1") " ORDER BY id" };
    ALL_OF_REVIEW_EDITS = { "SELECT * FROM review_edit WHERE id" (of "$1") " ORDER BY id" };
    ALL_OF_REQUESTS = { "SELECT * FROM erasure_request WHERE id" (of "$1") " ORDER BY id" };
    ALL_OF_SENDERS = { "SELECT * FROM sender WHERE id" (of "$1") " ORDER BY id" };

    LAST_COPY = { "SELECT MAX(id) FROM copy" };
    LAST_INVITATION = { "SELECT MAX(id) FROM invitation" };
    LAST_LETTER = { "SELECT MAX(id) FROM letter" };
    LAST_ANSWER = { "SELECT MAX(id) FROM answer" };
    LAST_DECISION = { "SELECT MAX(id) FROM decision" };
    LAST_SUPPRESSION = { "SELECT MAX(id) FROM suppression" };
    LAST_ALARM = { "SELECT MAX(id) FROM alarm" };
    LAST_PAUSE = { "SELECT MAX(id) FROM pause" };
    LAST_SENDER = { "SELECT MAX(id) FROM sender" };
    LAST_REVIEW = { "SELECT MAX(id) FROM review" };
    LAST_REVIEW_EDIT = { "SELECT MAX(id) FROM review_edit" };
    LAST_REQUEST = { "SELECT MAX(id) FROM erasure_request" };
    /// Kept bytes, the oldest copies first.
    BODIES_ABOVE = {
        "SELECT copy_body.copy_id, copy.size, copy_body.body FROM copy_body JOIN copy ON copy.id = copy_body.copy_id \
        WHERE copy_body.copy_id > $1 AND copy.id > $1 ORDER BY copy_body.copy_id LIMIT $2"
    };

    /// Copies that are to go, as they stand. Answers to letters were never counted, no more than unread copies.
    COPIES_TO_ERASE = { "SELECT id, shop, CASE WHEN answers IS NULL THEN state ELSE 'unread' END, desk_act FROM copy WHERE id" (of "$1") " ORDER BY id" (lock "copy") };
    ERASE_COPIES = { "DELETE FROM copy WHERE id" (of "$1") };
    ERASE_LETTERS = { "DELETE FROM letter WHERE id" (of "$1") };
    ERASE_ANSWERS = { "DELETE FROM answer WHERE id" (of "$1") };
    ERASE_DECISIONS = { "DELETE FROM decision WHERE id" (of "$1") };
    /// Their history goes with them.
    ERASE_REVIEWS = { "DELETE FROM review WHERE id" (of "$1") };
    ERASE_REQUESTS = { "DELETE FROM erasure_request WHERE id" (of "$1") };
    ERASE_INVITATIONS = { "DELETE FROM invitation WHERE id" (of "$1") };
    /// What somebody wrote beside a thing of somebody else.
    SILENCE_LETTERS = { "UPDATE letter SET reply = NULL WHERE id" (of "$1") };
    SILENCE_ANSWERS = { "UPDATE answer SET note = NULL WHERE id" (of "$1") };
    SILENCE_DECISIONS = { "UPDATE decision SET note = NULL WHERE id" (of "$1") };
    SILENCE_SUPPRESSIONS = { "UPDATE suppression SET note = NULL WHERE id" (of "$1") };
    SILENCE_ALARMS = { "UPDATE alarm SET note = '' WHERE id" (of "$1") };
    SILENCE_PAUSES = { "UPDATE pause SET reason = NULL WHERE id" (of "$1") };
    SILENCE_REVIEWS = {
        "UPDATE review SET title = '', text = '', name = '', delete_reason = NULL WHERE id" (of "$1")
    };
    SILENCE_REVIEW_EDITS = { "UPDATE review_edit SET title = '', text = '', name = '' WHERE id" (of "$1") };
    SILENCE_SENDERS = { "UPDATE sender SET note = NULL WHERE id" (of "$1") };
}
