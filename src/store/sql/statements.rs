//! Every statement that an engine is given, in one place. Parameters are `$1`, instants numbers, structures JSON, and whatever
//! concerns many rows takes them as one JSON array, so that a batch is one statement however many rows it has.
//!
//! The text is the same for both engines but for what is written in parentheses:
//!
//! | written | SQLite | PostgreSQL |
//! |---|---|---|
//! | `(each "$1")` | `json_each($1)` | `json_array_elements($1::json)` |
//! | `id (of "$1")` | `id IN (…)`, the array's numbers | `id = ANY (ARRAY(…))`: taken one by one from an index, whatever |
//! | | | the planner thinks of their count and of the table |
//! | `word (texts "$1")` | the same with the array's texts | the same |
//! | `(words "$1")` | the array's texts | the same |
//! | `a (like "$1")` | `LIKE`, which knows case in ASCII alone | `ILIKE` |
//! | `(near "a.id", "$1")` | – (joins go from row to row) | no other rows than those whose number begins a row of `$1` |
//! | `(lock "a, b")` | – (one writer at a time) | `FOR UPDATE OF a, b` |
//! | `(skip "a")` | – | `FOR UPDATE OF a SKIP LOCKED` |
//!
//! A few have a text for each engine. Tests ask both engines for the plan of each statement and fail on a walk over a whole table.

/// A statement in both engines' words.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Statement {
    /// Its name here.
    #[cfg(test)]
    pub(in crate::store) name: &'static str,
    /// For SQLite; empty when it is never asked.
    pub(in crate::store) sqlite: &'static str,
    /// For PostgreSQL; empty when it is never asked.
    pub(in crate::store) postgres: &'static str,
}

macro_rules! piece {
    (sqlite, (each $rows:literal)) => { concat!("json_each(", $rows, ")") };
    (postgres, (each $rows:literal)) => { concat!("json_array_elements(", $rows, "::json)") };
    (sqlite, (words $list:literal)) => { concat!("(SELECT value FROM json_each(", $list, "))") };
    (postgres, (words $list:literal)) => { concat!("(SELECT json_array_elements_text(", $list, "::json))") };
    (sqlite, (of $list:literal)) => { concat!(" IN (SELECT value FROM json_each(", $list, "))") };
    (postgres, (of $list:literal)) => {
        concat!(" = ANY (ARRAY(SELECT CAST(json_array_elements_text(", $list, "::json) AS BIGINT)))")
    };
    (sqlite, (texts $list:literal)) => { concat!(" IN (SELECT value FROM json_each(", $list, "))") };
    (postgres, (texts $list:literal)) => {
        concat!(" = ANY (ARRAY(SELECT json_array_elements_text(", $list, "::json)))")
    };
    (sqlite, (near $id:literal, $rows:literal)) => { "" };
    (postgres, (near $id:literal, $rows:literal)) => {
        concat!(" AND ", $id, " = ANY (ARRAY(SELECT CAST(value ->> 0 AS BIGINT) FROM json_array_elements(", $rows, "::json)))")
    };
    (sqlite, (lock $tables:literal)) => { "" };
    (postgres, (lock $tables:literal)) => { concat!(" FOR UPDATE OF ", $tables) };
    (sqlite, (skip $tables:literal)) => { "" };
    (postgres, (skip $tables:literal)) => { concat!(" FOR UPDATE OF ", $tables, " SKIP LOCKED") };
    ($engine:ident, (invitation columns)) => {
        "invitation.id, invitation.shop, invitation.reference, invitation.email, invitation.name, invitation.details, \
         invitation.state, invitation.due_at, invitation.expires_at, invitation.letters_sent, invitation.attempts, \
         invitation.created_at, invitation.updated_at, invitation.round, invitation.follows, invitation.planned, \
         invitation.cancelled_at, invitation.expected_by, invitation.put_off, invitation.link_series"
    };
    ($engine:ident, (copy columns)) => {
        "copy.id, copy.shop, copy.received_at, copy.mail_from, copy.client, copy.size, copy.state, copy.attempts, copy.reading, \
         copy.invitation_id, copy.desk_act, copy.desk_actor, copy.desk_reason, copy.desk_at, copy.proof, copy.sender, copy.doubt, copy.hello, copy.tls, copy.way, \
         copy.login, copy.certificate"
    };
    // All invitations to the orders `$1`, JSON arrays of shop and reference, whatever their address.
    (sqlite, (told orders)) => {
        concat!("SELECT ", piece!(sqlite, (invitation columns)), " FROM json_each($1) AS told CROSS JOIN invitation \
            WHERE invitation.shop = told.value ->> 0 AND invitation.reference_key = told.value ->> 1 ORDER BY invitation.id")
    };
    (postgres, (told orders)) => {
        concat!("SELECT ", piece!(postgres, (invitation columns)), " FROM json_array_elements($1::json) AS told \
            JOIN invitation ON invitation.shop = told.value ->> 0 AND invitation.reference_key = told.value ->> 1 \
            WHERE invitation.reference_key = ANY (ARRAY(SELECT value ->> 1 FROM json_array_elements($1::json))) \
            ORDER BY invitation.id")
    };
    (sqlite, (like $pattern:literal)) => { concat!(" LIKE ", $pattern, r" ESCAPE '\'") };
    (postgres, (like $pattern:literal)) => { concat!(" ILIKE ", $pattern, r" ESCAPE '\'") };
    // What a filter on invitations may ask: `$4` the shop, `$5` a JSON array of states, `$6` the address, `$7` the reference; `$8` to
    // before `$9` when it began, `$10` to before `$11` when it is due; `$12`, `$13` patterns for the order's JSON, `$14` one for texts
    // and `$15` the same for JSON. All but the times may be absent. No index is to be used for any of it, hence `+`.
    ($engine:ident, (meant)) => {
        concat!(
            " AND ($4 IS NULL OR invitation.shop = $4) AND ($5 IS NULL OR invitation.state IN ", piece!($engine, (words "$5")),
            ") AND ($6 IS NULL OR invitation.email_key = $6) AND ($7 IS NULL OR invitation.reference_key = $7) \
            AND + invitation.created_at >= $8 AND + invitation.created_at < $9 \
            AND COALESCE(invitation.due_at, $10) >= $10 AND COALESCE(invitation.due_at, $10) < $11 \
            AND ($12 IS NULL OR invitation.details", piece!($engine, (like "$12")),
            ") AND ($13 IS NULL OR invitation.details", piece!($engine, (like "$13")),
            ") AND ($14 IS NULL OR invitation.email", piece!($engine, (like "$14")),
            " OR invitation.reference", piece!($engine, (like "$14")), " OR invitation.name", piece!($engine, (like "$14")),
            " OR invitation.details", piece!($engine, (like "$15")), ")"
        )
    };
    // What a filter on held copies may ask: `$3` the shop, `$4` the template, `$5` a JSON array of kinds of reasons, `$6` the
    // reference, `$7` the address, each of which may be absent; from `$8` to before `$9`. A statement that seeks one of them does not
    // ask for it again, or PostgreSQL would expect fewer rows than there are.
    ($engine:ident, (of shop)) => { " AND ($3 IS NULL OR copy.shop = $3)" };
    ($engine:ident, (of template)) => { " AND ($4 IS NULL OR copy.template = $4)" };
    ($engine:ident, (of reason)) => {
        concat!(" AND ($5 IS NULL OR copy.reason IN ", piece!($engine, (words "$5")), ")")
    };
    ($engine:ident, (of reference)) => { " AND ($6 IS NULL OR copy.reference_key = $6)" };
    ($engine:ident, (of email)) => { " AND ($7 IS NULL OR copy.email_key = $7)" };
    ($engine:ident, (of time)) => { " AND copy.received_at >= $8 AND copy.received_at < $9" };
    ($engine:ident, (letter columns)) => {
        "letter.id AS letter_id, letter.phase AS letter_phase, letter.owner AS letter_owner, letter.attempts AS letter_attempts"
    };
    ($engine:ident, $text:literal) => { $text };
}

macro_rules! text {
    (sqlite, { sqlite: $sqlite:expr, postgres: $postgres:expr }) => { $sqlite };
    (postgres, { sqlite: $sqlite:expr, postgres: $postgres:expr }) => { $postgres };
    ($engine:ident, { $($piece:tt)* }) => { concat!($(piece!($engine, $piece)),*) };
}

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $text:tt;)*) => {
        $($(#[$doc])* pub(in crate::store) const $name: Statement = Statement {
            #[cfg(test)]
            name: stringify!($name),
            sqlite: text!(sqlite, $text),
            postgres: text!(postgres, $text),
        };)*

        /// Every statement above, for the tests of the plans.
        #[cfg(test)]
        pub(in crate::store) const ALL: &[Statement] = &[$($name),*];
    };
}

pub(super) use {piece, statements, text};

statements! {
    /// A whole batch: the copies as JSON, with each one's place among the bodies, which stand one after another in `$2` (start from
    /// 1, length). One statement, which needs no transaction around it. On SQLite `spooling` is a view whose trigger keeps both.
    SPOOL = {
        sqlite: "INSERT INTO spooling (id, shop, mail_from, rcpt_to, client, hello, tls, size, received_at, body, way, login, certificate, \
            answers) \
            SELECT (SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'copy') + 1 + key, value ->> 0, \
            value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, \
            substr($2, value ->> 8, value ->> 9), value ->> 10, value ->> 11, value ->> 12, value ->> 13 FROM json_each($1) RETURNING id",
        postgres: "WITH numbered AS (SELECT nextval('copy_id_seq') AS id, value, ordinality \
                FROM json_array_elements($1::json) WITH ORDINALITY), \
            kept AS (INSERT INTO copy (id, shop, mail_from, rcpt_to, client, hello, tls, size, received_at, state, way, login, \
                certificate, answers) \
                SELECT id, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, CAST(value ->> 5 AS BIGINT), \
                CAST(value ->> 6 AS BIGINT), CAST(value ->> 7 AS BIGINT), 'unread', value ->> 10, value ->> 11, value ->> 12, \
                CAST(value ->> 13 AS BIGINT) FROM numbered), \
            bodies AS (INSERT INTO copy_body (copy_id, received_at, body) \
                SELECT id, CAST(value ->> 7 AS BIGINT), \
                substr(CAST($2 AS BYTEA), CAST(value ->> 8 AS INTEGER), CAST(value ->> 9 AS INTEGER)) FROM numbered) \
            SELECT id FROM numbered ORDER BY ordinality"
    };

    /// What nobody reads yet, or this owner was already given.
    UNREAD = {
        "SELECT id, attempts, size FROM copy WHERE state = 'unread' AND (owner IS NULL OR owner = $2) ORDER BY id LIMIT $1"
        (skip "copy")
    };
    HAND_OUT = { "UPDATE copy SET attempts = attempts + 1, owner = $2 WHERE id" (of "$1") " AND state = 'unread'" };
    HANDED_OUT = {
        "SELECT copy.id, copy.shop, copy.size, copy.attempts, copy.received_at, copy.mail_from, copy.client, copy.hello, copy.tls, \
        copy.way, copy.login, copy.certificate, copy.answers, copy_body.body FROM copy \
        LEFT JOIN copy_body ON copy_body.copy_id = copy.id WHERE copy.id" (of "$1") " ORDER BY copy.id"
    };
    /// Held for a person, but for an answer to a letter, with which nobody could do anything.
    SET_ASIDE = {
        "UPDATE copy SET state = CASE WHEN answers IS NULL THEN 'held' ELSE 'ignored' END, reading = $2, read_at = $3, owner = NULL, \
        reason = CASE WHEN answers IS NULL THEN $4 END WHERE id = $1 AND state = 'unread' RETURNING shop, received_at, answers"
    };
    /// Copies that a daemon which died had been given.
    FREE_COPIES = {
        "UPDATE copy SET owner = NULL WHERE owner IS NOT NULL AND owner <> $2 \
        AND owner NOT IN (SELECT daemon.owner FROM daemon WHERE daemon.lease_until > $1)"
    };

    STILL_UNREAD = {
        "SELECT id, shop, received_at, state, doubt FROM copy WHERE id" (of "$1") " AND state = 'unread' ORDER BY id" (lock "copy")
    };
    /// Copies of which something may still come by a person's hand.
    STILL_OPEN = {
        "SELECT id, shop, received_at, state, doubt FROM copy WHERE id" (of "$1") " AND answers IS NULL AND (state = 'held' \
        OR state = 'ignored' AND COALESCE(desk_act, '') <> 'discarded') ORDER BY id" (lock "copy")
    };
    DISCARD = {
        "UPDATE copy SET state = 'ignored', desk_act = 'discarded', desk_actor = $2, desk_reason = $3, desk_at = $4 \
        WHERE id" (of "$1") " AND state = 'held'"
    };
    STATES_OF = { "SELECT id, state, desk_act FROM copy WHERE id" (of "$1") };
    /// All invitations to these orders, whatever their address.
    OF_ORDERS = { (told orders) (lock "invitation") };
    OPEN = {
        "INSERT INTO invitation (shop, reference, reference_key, email, email_key, name, details, state, due_at, expires_at, \
        letters_sent, attempts, created_at, updated_at, round, follows, planned, cancelled_at, \
        expected_by) \
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, \
        CAST(value ->> 8 AS BIGINT), CAST(value ->> 9 AS BIGINT), CAST(value ->> 10 AS BIGINT), CAST(value ->> 11 AS BIGINT), \
        CAST(value ->> 12 AS BIGINT), CAST(value ->> 13 AS BIGINT), CAST(value ->> 14 AS BIGINT), CAST(value ->> 15 AS BIGINT), \
        value ->> 16, CAST(value ->> 17 AS BIGINT), CAST(value ->> 18 AS BIGINT) FROM " (each "$1") " AS opened \
        RETURNING id, shop, reference_key, email_key, round"
    };
    FILE_COPIES = {
        "UPDATE copy SET state = filed.value ->> 1, reading = filed.value ->> 2, read_at = $2, email_key = filed.value ->> 3, \
        reference_key = filed.value ->> 4, template = filed.value ->> 5, reason = filed.value ->> 6, \
        desk_act = filed.value ->> 7, desk_actor = filed.value ->> 8, desk_reason = filed.value ->> 9, \
        desk_at = CAST(filed.value ->> 10 AS BIGINT), proof = COALESCE(filed.value ->> 11, copy.proof), \
        sender = COALESCE(filed.value ->> 12, copy.sender), doubt = filed.value ->> 13, \
        again_at = CAST(filed.value ->> 14 AS BIGINT), invitation_id = CAST(filed.value ->> 15 AS BIGINT), owner = NULL \
        FROM " (each "$1") " AS filed WHERE copy.id = CAST(filed.value ->> 0 AS BIGINT)" (near "copy.id", "$1")
    };

    MOVE = {
        "UPDATE invitation SET state = moved.value ->> 1, due_at = CAST(moved.value ->> 2 AS BIGINT), \
        expires_at = CAST(moved.value ->> 3 AS BIGINT), letters_sent = CAST(moved.value ->> 4 AS BIGINT), \
        attempts = CAST(moved.value ->> 5 AS BIGINT), updated_at = CAST(moved.value ->> 6 AS BIGINT), \
        planned = moved.value ->> 7, cancelled_at = CAST(moved.value ->> 8 AS BIGINT), \
        expected_by = CAST(moved.value ->> 9 AS BIGINT), put_off = CAST(moved.value ->> 10 AS BIGINT) \
        FROM " (each "$1") " AS moved WHERE invitation.id = CAST(moved.value ->> 0 AS BIGINT)"
        (near "invitation.id", "$1")
    };
    LEARN = {
        "UPDATE invitation SET name = learned.value ->> 1, details = learned.value ->> 2, \
        updated_at = CAST(learned.value ->> 3 AS BIGINT) \
        FROM " (each "$1") " AS learned WHERE invitation.id = CAST(learned.value ->> 0 AS BIGINT)"
        (near "invitation.id", "$1")
    };
    DECIDED = {
        "INSERT INTO decision (invitation_id, at, event, from_state, to_state, due_at, rule, actor, note, copy_id, inputs) \
        SELECT CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT), value ->> 2, value ->> 3, value ->> 4, \
        CAST(value ->> 5 AS BIGINT), value ->> 6, value ->> 7, value ->> 8, CAST(value ->> 9 AS BIGINT), \
        value ->> 10 FROM " (each "$1") " AS decided"
    };

    /// `$1` are shops, each with how many it may have at most, which is `$3` or less. Each is asked for its own first ones, so that
    /// what another shop has due costs nothing; one that rests is not asked. SQLite takes no limit from a row, so there those that
    /// come before are counted, as far as they matter.
    DUE = {
        sqlite: concat!("WITH open AS MATERIALIZED (SELECT value ->> 0 AS shop, value ->> 1 AS most FROM json_each($1) \
                WHERE NOT EXISTS (SELECT 1 FROM pause WHERE pause.shop IN ('', value ->> 0))) \
            SELECT ", piece!(sqlite, (invitation columns)), " FROM open CROSS JOIN invitation \
            WHERE invitation.id IN (SELECT due.id FROM invitation AS due WHERE due.shop = open.shop AND due.due_at <= $2 \
                ORDER BY due.due_at, due.id LIMIT $3) \
            AND (open.most >= $3 OR (SELECT COUNT(*) FROM (SELECT 1 FROM invitation AS earlier WHERE earlier.shop = open.shop \
                AND earlier.due_at <= invitation.due_at AND (earlier.due_at, earlier.id) < (invitation.due_at, invitation.id) \
                LIMIT $3)) < open.most) \
            ORDER BY invitation.due_at, invitation.id LIMIT $3"),
        postgres: concat!("WITH open AS MATERIALIZED (SELECT value ->> 0 AS shop, CAST(value ->> 1 AS BIGINT) AS most \
                FROM json_array_elements($1::json) \
                WHERE NOT EXISTS (SELECT 1 FROM pause WHERE pause.shop IN ('', value ->> 0))) \
            SELECT ", piece!(postgres, (invitation columns)), " FROM open \
            CROSS JOIN LATERAL (SELECT * FROM invitation AS due WHERE due.shop = open.shop AND due.due_at <= $2 \
                ORDER BY due.due_at, due.id LIMIT LEAST($3, open.most) FOR UPDATE SKIP LOCKED) AS invitation \
            ORDER BY invitation.due_at, invitation.id LIMIT $3")
    };
    /// The earliest due time of each shop that does not rest: one seek for a shop's name and one for its time, however much is due.
    NEXT_DUE = {
        "WITH RECURSIVE shops (shop) AS (\
            SELECT MIN(shop) FROM invitation WHERE due_at IS NOT NULL \
            UNION ALL SELECT (SELECT MIN(invitation.shop) FROM invitation \
                WHERE invitation.due_at IS NOT NULL AND invitation.shop > shops.shop) FROM shops WHERE shops.shop IS NOT NULL) \
        SELECT shops.shop, (SELECT MIN(invitation.due_at) FROM invitation \
            WHERE invitation.shop = shops.shop AND invitation.due_at IS NOT NULL) AS due_at \
        FROM shops WHERE shops.shop IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pause WHERE pause.shop IN ('', shops.shop))"
    };
    /// How many letters each shop of `$1` has claimed after an instant and up to another, and when the first of them was; the last
    /// value of a row is its number.
    CLAIMED_LATELY = {
        "SELECT CAST(value ->> 3 AS BIGINT), (SELECT COUNT(*) FROM letter WHERE letter.shop = value ->> 0 \
            AND letter.claimed_at > CAST(value ->> 1 AS BIGINT) AND letter.claimed_at <= CAST(value ->> 2 AS BIGINT)), \
        (SELECT MIN(letter.claimed_at) FROM letter WHERE letter.shop = value ->> 0 \
            AND letter.claimed_at > CAST(value ->> 1 AS BIGINT) AND letter.claimed_at <= CAST(value ->> 2 AS BIGINT)) \
        FROM " (each "$1") " AS asked"
    };
    /// How many letters were claimed for the relay `$2` after an instant and up to another, and when the first of them was; all, or
    /// those to a domain's mailboxes. A row of `$1` is the domain or nothing, the instants and its number.
    CLAIMED_LATELY_AT = {
        "SELECT CAST(value ->> 3 AS BIGINT), (SELECT COUNT(*) FROM letter WHERE letter.relay = $2 \
            AND letter.claimed_at > CAST(value ->> 1 AS BIGINT) AND letter.claimed_at <= CAST(value ->> 2 AS BIGINT) \
            AND (value ->> 0 = '' OR letter.email_key LIKE '%@' || (value ->> 0))), \
        (SELECT MIN(letter.claimed_at) FROM letter WHERE letter.relay = $2 \
            AND letter.claimed_at > CAST(value ->> 1 AS BIGINT) AND letter.claimed_at <= CAST(value ->> 2 AS BIGINT) \
            AND (value ->> 0 = '' OR letter.email_key LIKE '%@' || (value ->> 0))) \
        FROM " (each "$1") " AS asked"
    };
    /// Whom the letters go to that are in hand for the relay `$1`.
    IN_HAND_FOR = {
        "SELECT email_key FROM letter WHERE phase IN ('claimed', 'on_the_wire') AND relay = $1 AND email_key IS NOT NULL"
    };
    /// Of the invitations `$1` those whose letter another relay than `$2` may have taken.
    DOUBTED = {
        "SELECT letter.invitation_id, letter.ordinal, letter.doubt FROM letter WHERE letter.doubt IS NOT NULL \
        AND letter.doubt <> $2 AND letter.invitation_id" (of "$1")
    };
    /// The newest letters, `$3` at most, since `$2` to each of the persons `$1`, of those that went out or may have.
    PAST_LETTERS = {
        sqlite: "SELECT letter.email_key, letter.shop, letter.invitation_id, letter.ordinal, letter.claimed_at, invitation.details \
            FROM json_each($1) AS person CROSS JOIN letter JOIN invitation ON invitation.id = letter.invitation_id \
            WHERE letter.id IN (SELECT past.id FROM letter AS past WHERE past.email_key = person.value AND past.claimed_at >= $2 \
                AND (past.phase IN ('claimed', 'on_the_wire', 'accepted', 'in_doubt') \
                    OR past.phase = 'deferred' AND past.on_the_wire_at IS NOT NULL) \
                ORDER BY past.claimed_at DESC LIMIT $3)",
        postgres: "SELECT letter.email_key, letter.shop, letter.invitation_id, letter.ordinal, letter.claimed_at, invitation.details \
            FROM json_array_elements_text($1::json) AS person (key) \
            CROSS JOIN LATERAL (SELECT * FROM letter AS past WHERE past.email_key = person.key AND past.claimed_at >= $2 \
                AND (past.phase IN ('claimed', 'on_the_wire', 'accepted', 'in_doubt') \
                    OR past.phase = 'deferred' AND past.on_the_wire_at IS NOT NULL) \
                ORDER BY past.claimed_at DESC LIMIT $3) AS letter \
            JOIN invitation ON invitation.id = letter.invitation_id"
    };
    /// The entries of the suppression list with one of these subjects.
    SUPPRESSED = {
        "SELECT shop, kind, subject, reason, at FROM suppression WHERE kind IN ('address', 'domain') AND subject" (texts "$1")
    };
    /// How many letters are in hand for the relay `$1`, and how many daemons live beside `$2`.
    IN_HAND_AT = {
        "SELECT (SELECT COUNT(*) FROM letter WHERE phase IN ('claimed', 'on_the_wire') AND relay = $1), \
        (SELECT COUNT(*) FROM daemon WHERE owner <> $2 AND lease_until > $3)"
    };
    CLAIM_LETTERS = {
        "INSERT INTO letter (invitation_id, ordinal, kind, phase, attempts, owner, relay, claimed_at, shop, email_key) \
        SELECT CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT), value ->> 2, 'claimed', 1, $2, $3, $4, value ->> 3, \
        value ->> 4 \
        FROM " (each "$1") " AS claimed WHERE true \
        ON CONFLICT (invitation_id, ordinal) DO UPDATE SET phase = 'claimed', attempts = letter.attempts + 1, \
        owner = excluded.owner, relay = excluded.relay, claimed_at = excluded.claimed_at, shop = excluded.shop, \
        email_key = excluded.email_key \
        RETURNING id, invitation_id, attempts, message_id"
    };
    /// A row is a claim, a Message-ID and the time. An invitation that was stopped meanwhile is passed over, and none can be
    /// stopped between the look and the record.
    MARK = {
        "WITH ready AS (SELECT letter.id AS id, marked.value AS value FROM " (each "$1") " AS marked CROSS JOIN letter \
            JOIN invitation ON invitation.id = letter.invitation_id \
            WHERE letter.id = CAST(marked.value ->> 0 AS BIGINT) AND letter.owner = marked.value ->> 1 \
            AND letter.attempts = CAST(marked.value ->> 2 AS BIGINT) AND letter.phase = 'claimed' \
            AND invitation.state = 'sending'" (near "letter.id", "$1") " ORDER BY invitation.id" (lock "invitation, letter") ") \
        UPDATE letter SET phase = 'on_the_wire', message_id = ready.value ->> 3, \
        on_the_wire_at = CAST(ready.value ->> 4 AS BIGINT) FROM ready WHERE letter.id = ready.id \
        RETURNING letter.id, letter.attempts"
    };
    /// The same rows, of which those that are still claimed were not ready.
    ABANDON = {
        "UPDATE letter SET phase = 'abandoned', owner = NULL, settled_at = CAST(marked.value ->> 4 AS BIGINT) \
        FROM " (each "$1") " AS marked WHERE letter.id = CAST(marked.value ->> 0 AS BIGINT) \
        AND letter.owner = marked.value ->> 1 AND letter.attempts = CAST(marked.value ->> 2 AS BIGINT) \
        AND letter.phase = 'claimed'" (near "letter.id", "$1")
    };
    LETTERS = {
        "SELECT " (letter columns) ", " (invitation columns) " FROM letter \
        JOIN invitation ON invitation.id = letter.invitation_id WHERE letter.id" (of "$1") " ORDER BY invitation.id"
        (lock "invitation, letter")
    };
    SETTLE = {
        "UPDATE letter SET phase = settled.value ->> 1, settled_at = CAST(settled.value ->> 2 AS BIGINT), \
        reply = COALESCE(settled.value ->> 3, letter.reply), owner = NULL, \
        doubt = CASE WHEN settled.value ->> 4 = 'doubt' THEN letter.relay ELSE letter.doubt END \
        FROM " (each "$1") " AS settled WHERE letter.id = CAST(settled.value ->> 0 AS BIGINT)" (near "letter.id", "$1")
    };
    /// Letters in the hands of daemons other than `$2` that show no life any more: looked for among those in hand, which are few,
    /// and not in the order of all invitations, hence `+ 0`.
    ORPHANS = {
        "SELECT " (letter columns) ", " (invitation columns) " FROM letter \
        JOIN invitation ON invitation.id = letter.invitation_id \
        WHERE letter.phase IN ('claimed', 'on_the_wire') AND (letter.owner IS NULL OR letter.owner <> $2 \
        AND letter.owner NOT IN (SELECT daemon.owner FROM daemon WHERE daemon.lease_until > $1)) \
        ORDER BY invitation.id + 0 LIMIT $3" (skip "invitation, letter")
    };
    /// Letters in this owner's hands of which it does not know.
    CLAIMS_OF = {
        "SELECT " (letter columns) ", " (invitation columns) " FROM letter \
        JOIN invitation ON invitation.id = letter.invitation_id \
        WHERE letter.phase IN ('claimed', 'on_the_wire') AND letter.owner = $1 \
        ORDER BY invitation.id" (lock "invitation, letter")
    };

    BEAT = {
        "INSERT INTO daemon (owner, since, lease_until) VALUES ($1, $2, $3) \
        ON CONFLICT (owner) DO UPDATE SET lease_until = excluded.lease_until"
    };
    /// The server's time, to compare with ours.
    SERVER_TIME = {
        sqlite: "",
        postgres: "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
    };
    LEAVE = { "DELETE FROM daemon WHERE owner = $1" };
    FORGET_DAEMONS = { "DELETE FROM daemon WHERE lease_until <= $1 AND owner <> $2" };
    FORGET_OTHER_DAEMONS = { "DELETE FROM daemon WHERE owner <> $1" };
    LIVING = { "SELECT COUNT(*) FROM daemon WHERE lease_until > $1" };
    REPORT = {
        "INSERT INTO report (owner, at, body) VALUES ($1, $2, $3) \
        ON CONFLICT (owner) DO UPDATE SET at = excluded.at, body = excluded.body"
    };
    FORGET_REPORTS = { "DELETE FROM report WHERE at < $1" };
    FORGET_OTHER_REPORTS = { "DELETE FROM report WHERE owner <> $1" };
    FORGET_REPORT = { "DELETE FROM report WHERE owner = $1" };
    REPORTS = { "SELECT owner, at, body FROM report WHERE at >= $1 ORDER BY at" };
    PROPERTY = { "SELECT value FROM property WHERE name = $1" };
    SET_PROPERTY = {
        "INSERT INTO property (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    };

    INVITATIONS_TO_MOVE = {
        "SELECT " (invitation columns) " FROM invitation WHERE id" (of "$1") " ORDER BY id" (lock "invitation")
    };

    /// Counts what the reader made of copies, by the hour. A row may take away what was counted before.
    TALLY = {
        "INSERT INTO tally (shop, hour, event, ignored, held) SELECT value ->> 0, CAST(value ->> 1 AS BIGINT), \
        CAST(value ->> 2 AS BIGINT), CAST(value ->> 3 AS BIGINT), CAST(value ->> 4 AS BIGINT) FROM " (each "$1") " AS told \
        WHERE true ON CONFLICT (shop, hour) DO UPDATE SET event = tally.event + excluded.event, \
        ignored = tally.ignored + excluded.ignored, held = tally.held + excluded.held"
    };
    /// Counts what happened to invitations. The last rows that a transaction locks, in the order of their keys.
    COUNT_UP = {
        "INSERT INTO figure (shop, day, name, n) SELECT value ->> 0, CAST(value ->> 1 AS BIGINT), value ->> 2, \
        CAST(value ->> 3 AS BIGINT) FROM " (each "$1") " AS told WHERE true \
        ON CONFLICT (shop, day, name) DO UPDATE SET n = figure.n + excluded.n"
    };
    /// Counts in which state copies stand.
    ADD_UP = {
        "INSERT INTO shop_sum (shop, event, ignored, held, discarded, last_copy_at) SELECT value ->> 0, \
        CAST(value ->> 1 AS BIGINT), CAST(value ->> 2 AS BIGINT), CAST(value ->> 3 AS BIGINT), CAST(value ->> 4 AS BIGINT), \
        CAST(value ->> 5 AS BIGINT) FROM " (each "$1") " AS told WHERE true \
        ON CONFLICT (shop) DO UPDATE SET event = shop_sum.event + excluded.event, \
        ignored = shop_sum.ignored + excluded.ignored, held = shop_sum.held + excluded.held, \
        discarded = shop_sum.discarded + excluded.discarded, last_copy_at = CASE \
        WHEN excluded.last_copy_at > shop_sum.last_copy_at THEN excluded.last_copy_at ELSE shop_sum.last_copy_at END"
    };
    SUMS = { "SELECT shop, event, ignored, held, discarded, last_copy_at FROM shop_sum ORDER BY shop" };
    UNREAD_BY_SHOP = { "SELECT shop, COUNT(*) AS copies FROM copy WHERE state = 'unread' GROUP BY shop ORDER BY shop" };
    HOURS_OF = {
        "SELECT shop, hour, event, ignored, held FROM tally WHERE shop IN " (words "$1") " AND hour >= $2 ORDER BY shop, hour"
    };
    PURGE_HOURS = { "DELETE FROM tally WHERE hour < $1" };
    ALARMS = { "SELECT shop, kind, since, note FROM alarm ORDER BY shop, kind" };
    RAISE_ALARM = {
        "INSERT INTO alarm (shop, kind, since, note) VALUES ($1, $2, $3, $4) ON CONFLICT (shop, kind) DO NOTHING"
    };
    CLEAR_ALARM = { "DELETE FROM alarm WHERE shop = $1 AND kind = $2 AND since = $3" };
    PAUSE = { "INSERT INTO pause (shop, since, actor, reason) VALUES ($1, $2, $3, $4) ON CONFLICT (shop) DO NOTHING" };
    RESUME = { "DELETE FROM pause WHERE shop = $1" };
    PAUSES = { "SELECT shop, since, actor, reason FROM pause ORDER BY shop" };

    /// How many invitations stand in each state, whatever their shop.
    STANDING = {
        "SELECT name, CAST(SUM(n) AS BIGINT) FROM figure WHERE day = 0 AND name >= 'state ' AND name < 'state!' GROUP BY name"
    };
    /// Complaints since `$3`, and complaints and letters since `$1`, up to `$2`: by shop, from a few counters of each day.
    COMPLAINTS = {
        "SELECT shop, CAST(SUM(CASE WHEN name = 'answer complaint' AND day >= $3 THEN n ELSE 0 END) AS BIGINT), \
        CAST(SUM(CASE WHEN name = 'answer complaint' THEN n ELSE 0 END) AS BIGINT), \
        CAST(SUM(CASE WHEN name = 'answer complaint' THEN 0 ELSE n END) AS BIGINT) \
        FROM figure WHERE day >= $1 AND day <= $2 AND name IN ('answer complaint', 'letter first', 'letter reminder') \
        GROUP BY shop ORDER BY shop"
    };
    FIGURES_OF_ALL = { "SELECT shop, day, name, n FROM figure WHERE day >= $1 AND day <= $2 ORDER BY day, name, shop" };
    FIGURES_OF_SHOP = {
        "SELECT shop, day, name, n FROM figure WHERE shop = $3 AND day >= $1 AND day <= $2 ORDER BY day, name"
    };

    PURGE = {
        sqlite: "DELETE FROM copy_body WHERE copy_id IN (SELECT copy_body.copy_id FROM copy_body \
            JOIN copy ON copy.id = copy_body.copy_id WHERE copy_body.received_at < $1 AND copy.state <> 'unread' \
            ORDER BY copy_body.received_at LIMIT $2)",
        postgres: "DELETE FROM copy_body WHERE copy_id = ANY (ARRAY(SELECT old.copy_id FROM copy_body AS old \
            JOIN copy ON copy.id = old.copy_id WHERE old.received_at < $1 AND copy.state <> 'unread' \
            ORDER BY old.received_at LIMIT $2 FOR UPDATE OF old SKIP LOCKED))"
    };
    /// Which of these marks of past mails are known already.
    IMPORTED = { "SELECT mark FROM imported WHERE shop = $1 AND mark" (texts "$2") };
    IMPORT = {
        "INSERT INTO imported (shop, mark) SELECT value ->> 0, value ->> 1 FROM " (each "$1") " AS told WHERE true \
        ON CONFLICT (shop, mark) DO NOTHING"
    };
    /// The turns of orders, relays and persons (PostgreSQL): see [`super::turns`].
    TAKE_TURNS = {
        sqlite: "",
        postgres: concat!("SELECT slot FROM turn WHERE slot", piece!(postgres, (of "$1")), " ORDER BY slot FOR UPDATE")
    };
}
