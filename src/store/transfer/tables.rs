//! What moves: the tables with their columns, parents before children. `daemon`, `report` and `turn` stay behind: they say who works on a
//! database now. `property` is each database's own.

use crate::store::sql::statements::Statement;

/// A table whose rows move.
#[derive(Debug)]
pub(super) struct Table {
    /// Its name.
    pub(super) name: &'static str,
    /// Its columns in the order of `read`, the row's number first.
    #[cfg(test)]
    pub(super) columns: &'static [&'static str],
    /// Whether the engine gives the numbers, so that it must know which were given.
    pub(super) is_numbered: bool,
    /// Whether the last column goes beside the JSON, as bytes.
    pub(super) has_body: bool,
    /// The highest number.
    pub(super) last: Statement,
    /// Numbers above `$1` and about how many bytes each row is beyond its small columns, `$2` rows at most.
    pub(super) weigh: Statement,
    /// The rows above `$1` up to `$2`.
    pub(super) read: Statement,
    /// Writes the rows `$1`, over those of the same numbers. A row whose parent is not there is passed over. Of bodies, `$1` has
    /// start (from 1) and length in `$2`.
    pub(super) write: Statement,
    /// Removes the rows of the numbers `$1`.
    pub(super) remove: Statement,
}

macro_rules! same {
    ($name:literal, $text:expr) => {
        Statement {
            #[cfg(test)]
            name: $name,
            sqlite: $text,
            postgres: $text,
        }
    };
}

macro_rules! each {
    ($name:literal, $($before:expr),*; $($after:expr),*) => {
        Statement {
            #[cfg(test)]
            name: $name,
            sqlite: concat!($($before,)* "json_each($1)", $($after),*),
            postgres: concat!($($before,)* "json_array_elements($1::json)", $($after),*),
        }
    };
}

/// How a column's value is taken out of a row in JSON.
macro_rules! taken {
    (int $at:literal) => {
        concat!("CAST(value ->> ", $at, " AS BIGINT)")
    };
    (text $at:literal) => {
        concat!("value ->> ", $at)
    };
    (body $at:literal $and:literal) => {
        concat!("substr($2, CAST(value ->> ", $at, " AS INTEGER), CAST(value ->> ", $and, " AS INTEGER))")
    };
}

macro_rules! table {
    ($name:literal by $key:literal, numbered: $numbered:literal, weight: $weight:literal, parent: $parent:literal,
     $($column:literal = $kind:ident $at:literal $($and:literal)?),+ $(,)?) => {
        Table {
            name: $name,
            #[cfg(test)]
            columns: &[$key, $($column),+],
            is_numbered: $numbered,
            has_body: false $(|| matches!(stringify!($kind).as_bytes(), b"body"))+,
            last: same!($name, concat!("SELECT MAX(", $key, ") FROM ", $name)),
            weigh: same!($name, concat!("SELECT ", $key, ", CAST(", $weight, " AS BIGINT) FROM ", $name, " WHERE ", $key,
                " > $1 ORDER BY ", $key, " LIMIT $2")),
            read: same!($name, concat!("SELECT ", $key $(, ", ", $column)+, " FROM ", $name, " WHERE ", $key, " > $1 AND ",
                $key, " <= $2 ORDER BY ", $key)),
            write: each!($name, "INSERT INTO ", $name, " (", $key $(, ", ", $column)+, ") SELECT ", taken!(int 0)
                $(, ", ", taken!($kind $at $($and)?))+, " FROM "; " AS moved WHERE ", $parent, " ON CONFLICT (", $key,
                ") DO UPDATE SET ", $key, " = excluded.", $key $(, ", ", $column, " = excluded.", $column)+),
            remove: Statement {
                #[cfg(test)]
                name: $name,
                sqlite: concat!("DELETE FROM ", $name, " WHERE ", $key, " IN (SELECT value FROM json_each($1))"),
                postgres: concat!("DELETE FROM ", $name, " WHERE ", $key,
                    " IN (SELECT CAST(json_array_elements_text($1::json) AS BIGINT))"),
            },
        }
    };
}

/// Every table that moves.
pub(super) const TABLES: &[Table] = &[
    table!("copy" by "id", numbered: true, weight: "COALESCE(octet_length(reading), 0)", parent: "true",
        "shop" = text 1, "mail_from" = text 2, "rcpt_to" = text 3, "client" = text 4, "hello" = text 5, "tls" = int 6,
        "size" = int 7, "received_at" = int 8, "state" = text 9, "attempts" = int 10, "read_at" = int 11,
        "reading" = text 12, "email_key" = text 13, "reference_key" = text 14, "invitation_id" = int 15,
        "owner" = text 16, "template" = text 17, "reason" = text 18, "desk_act" = text 19, "desk_actor" = text 20,
        "desk_reason" = text 21, "desk_at" = int 22, "way" = text 23, "login" = text 24, "certificate" = text 25,
        "answers" = int 26, "proof" = text 27, "sender" = text 28, "doubt" = text 29, "again_at" = int 30),
    table!("copy_body" by "copy_id", numbered: false, weight: "octet_length(body)",
        parent: "EXISTS (SELECT 1 FROM copy WHERE copy.id = CAST(value ->> 0 AS BIGINT))",
        "received_at" = int 1, "body" = body 2 3),
    table!("invitation" by "id", numbered: true, weight: "octet_length(details)", parent: "true",
        "shop" = text 1, "reference" = text 2, "reference_key" = text 3, "email" = text 4, "email_key" = text 5,
        "name" = text 6, "details" = text 7, "state" = text 8, "due_at" = int 9, "expires_at" = int 10,
        "letters_sent" = int 11, "attempts" = int 12, "created_at" = int 13, "updated_at" = int 14, "round" = int 15,
        "follows" = int 16, "planned" = text 17, "cancelled_at" = int 18, "expected_by" = int 19,
        "put_off" = int 20, "link_series" = int 21),
    table!("letter" by "id", numbered: true, weight: "COALESCE(octet_length(reply), 0)",
        parent: "EXISTS (SELECT 1 FROM invitation WHERE invitation.id = CAST(value ->> 1 AS BIGINT))",
        "invitation_id" = int 1, "ordinal" = int 2, "kind" = text 3, "phase" = text 4, "attempts" = int 5,
        "message_id" = text 6, "owner" = text 7, "relay" = text 8, "claimed_at" = int 9, "on_the_wire_at" = int 10,
        "settled_at" = int 11, "reply" = text 12, "shop" = text 13, "email_key" = text 14, "doubt" = text 15),
    table!("decision" by "id", numbered: true, weight: "COALESCE(octet_length(note), 0) + COALESCE(octet_length(inputs), 0)",
        parent: "EXISTS (SELECT 1 FROM invitation WHERE invitation.id = CAST(value ->> 1 AS BIGINT))",
        "invitation_id" = int 1, "at" = int 2, "event" = text 3, "from_state" = text 4, "to_state" = text 5,
        "due_at" = int 6, "rule" = text 7, "actor" = text 8, "note" = text 9, "copy_id" = int 10, "inputs" = text 11),
    table!("tally" by "id", numbered: true, weight: "0", parent: "true",
        "shop" = text 1, "hour" = int 2, "event" = int 3, "ignored" = int 4, "held" = int 5),
    table!("shop_sum" by "id", numbered: true, weight: "0", parent: "true",
        "shop" = text 1, "event" = int 2, "ignored" = int 3, "held" = int 4, "discarded" = int 5, "last_copy_at" = int 6),
    table!("alarm" by "id", numbered: true, weight: "0", parent: "true",
        "shop" = text 1, "kind" = text 2, "since" = int 3, "note" = text 4),
    table!("suppression" by "id", numbered: true, weight: "COALESCE(octet_length(note), 0)", parent: "true",
        "shop" = text 1, "kind" = text 2, "subject" = text 3, "reason" = text 4, "note" = text 5, "actor" = text 6,
        "at" = int 7),
    table!("pause" by "id", numbered: true, weight: "0", parent: "true",
        "shop" = text 1, "since" = int 2, "actor" = text 3, "reason" = text 4),
    table!("figure" by "id", numbered: true, weight: "0", parent: "true",
        "shop" = text 1, "day" = int 2, "name" = text 3, "n" = int 4),
    table!("sender" by "id", numbered: true, weight: "0", parent: "true",
        "shop" = text 1, "mark" = text 2, "state" = text 3, "first_at" = int 4, "last_at" = int 5, "copies" = int 6,
        "actor" = text 7, "note" = text 8, "decided_at" = int 9),
    table!("answer" by "id", numbered: true, weight: "COALESCE(octet_length(note), 0)",
        parent: "EXISTS (SELECT 1 FROM letter WHERE letter.id = CAST(value ->> 1 AS BIGINT))",
        "letter_id" = int 1, "copy_id" = int 2, "kind" = text 3, "status" = text 4, "note" = text 5, "at" = int 6),
    table!("review" by "id", numbered: true, weight: "octet_length(text) + octet_length(title)", parent: "true",
        "shop" = text 1, "reference" = text 2, "reference_key" = text 3, "email_key" = text 4, "invitation_id" = int 5,
        "kind" = text 6, "product" = text 7, "collected" = text 8, "verified" = int 9, "stars" = int 10, "title" = text 11,
        "text" = text 12, "name" = text 13, "language" = text 14, "written_at" = int 15, "edited_at" = int 16,
        "deleted_at" = int 17, "deleted_by" = text 18, "delete_reason" = text 19),
    table!("review_edit" by "id", numbered: true, weight: "octet_length(text) + octet_length(title)",
        parent: "EXISTS (SELECT 1 FROM review WHERE review.id = CAST(value ->> 1 AS BIGINT))",
        "review_id" = int 1, "at" = int 2, "stars" = int 3, "title" = text 4, "text" = text 5, "name" = text 6),
    table!("erasure_request" by "id", numbered: true, weight: "0", parent: "true",
        "shop" = text 1, "email" = text 2, "email_key" = text 3, "at" = int 4),
    table!("imported" by "id", numbered: true, weight: "0", parent: "true", "shop" = text 1, "mark" = text 2),
];

/// The schema's number.
pub(super) const SCHEMA: Statement =
    same!("SCHEMA", "SELECT CAST(MAX(version) AS BIGINT) FROM _sqlx_migrations WHERE success");

/// What a file's other connections have committed shows itself as another number.
pub(super) const CHANGES: Statement = Statement {
    #[cfg(test)]
    name: "CHANGES",
    sqlite: "SELECT data_version FROM pragma_data_version",
    postgres: "",
};

/// Daemons that live at `$1`.
pub(super) const LIVING: Statement = same!("LIVING", "SELECT COUNT(*) FROM daemon WHERE lease_until > $1");

/// Keeps a server's session from writing, whatever it is asked. A file's connection to read is so already.
pub(super) const READ_ONLY: &str = "SET default_transaction_read_only = on";

/// Keeps everybody from writing until the transaction ends, while reading goes on.
pub(super) const HUSH: &str = "LOCK TABLE copy, copy_body, invitation, letter, decision, tally, shop_sum, alarm, suppression, pause, figure, \
     sender, answer, review, review_edit, erasure_request, imported, property, daemon IN SHARE MODE";

/// The highest number that a table's rows were ever given.
pub(super) const LAST_NUMBER: Statement = Statement {
    #[cfg(test)]
    name: "LAST_NUMBER",
    sqlite: "SELECT seq FROM sqlite_sequence WHERE name = $1",
    postgres: "SELECT pg_sequence_last_value(CAST(pg_get_serial_sequence($1, 'id') AS regclass))",
};
/// Makes `$2` the highest number that was given.
pub(super) const SET_LAST_NUMBER: Statement = Statement {
    #[cfg(test)]
    name: "SET_LAST_NUMBER",
    sqlite: "UPDATE sqlite_sequence SET seq = $2 WHERE name = $1 RETURNING seq",
    postgres: "SELECT setval(CAST(pg_get_serial_sequence($1, 'id') AS regclass), $2)",
};
/// The same for a table that never had a row.
pub(super) const BEGIN_NUMBERS: Statement = Statement {
    #[cfg(test)]
    name: "BEGIN_NUMBERS",
    sqlite: "INSERT INTO sqlite_sequence (name, seq) VALUES ($1, $2)",
    postgres: "",
};

/// The mark of a move that has not come to its end. It stays as it is until the transaction ends.
pub(super) const MARK: Statement = Statement {
    #[cfg(test)]
    name: "MARK",
    sqlite: "SELECT value FROM property WHERE name = 'moved_from'",
    postgres: "SELECT value FROM property WHERE name = 'moved_from' FOR SHARE",
};
/// Sets the mark.
pub(super) const SET_MARK: Statement =
    same!("SET_MARK", "INSERT INTO property (name, value) VALUES ('moved_from', $1)");
/// Takes it away.
pub(super) const CLEAR_MARK: Statement = same!("CLEAR_MARK", "DELETE FROM property WHERE name = 'moved_from'");
/// What is known of the whole queue, wherever it is: the time of which it knows nothing since it was put back from a backup, and that
/// its senders are still to be learnt. The rest is said of one database.
pub(super) const PROPERTIES: [&str; 2] = ["restored", "senders_unknown"];
/// One of them.
pub(super) const PROPERTY: Statement = same!("PROPERTY", "SELECT value FROM property WHERE name = $1");
/// Sets one of them.
pub(super) const SET_PROPERTY: Statement = same!(
    "SET_PROPERTY",
    "INSERT INTO property (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
);
/// Takes one of them away.
pub(super) const CLEAR_PROPERTY: Statement = same!("CLEAR_PROPERTY", "DELETE FROM property WHERE name = $1");
/// A database that was filled all at once has no statistics yet.
pub(super) const ANALYZE: &str = "ANALYZE copy, copy_body, invitation, letter, decision, tally, shop_sum, alarm, suppression, pause, figure, sender, answer, review, review_edit, \
     erasure_request, imported";
