//! Every statement that the engine is given, in one place. Parameters are `$1`, instants numbers and structures JSON, so that
//! most of the text serves PostgreSQL as it stands; what only SQLite knows (`json_each`, `sqlite_sequence`, pragmas) is marked.
//! A test asks SQLite for the plan of each of them and fails on a walk over a whole table.

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* pub(super) const $name: &str = $sql;)*

        /// Every statement above by its name, for the test of the plans.
        #[cfg(test)]
        pub(super) const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

macro_rules! invitation_columns {
    () => {
        "invitation.id, invitation.shop, invitation.reference, invitation.email, invitation.name, invitation.details, \
         invitation.state, invitation.due_at, invitation.expires_at, invitation.letters_sent, invitation.attempts, \
         invitation.created_at, invitation.updated_at"
    };
}

macro_rules! copy_columns {
    () => {
        "id, shop, received_at, mail_from, client, size, state, attempts, reading, invitation_id"
    };
}

statements! {
    /// The rows of a whole batch from one JSON array (SQLite): one statement costs a hop to the connection's thread, so a batch
    /// is two of them however many copies it has. Row `n` gets the number `last_insert_rowid() - rows + 1 + n`.
    SPOOL_COPIES = "INSERT INTO copy (id, shop, mail_from, rcpt_to, client, hello, tls, size, received_at, state) \
        SELECT (SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'copy') + 1 + key, value ->> 0, value ->> 1, \
        value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, 'unread' FROM json_each($1)";
    /// The bodies of the same batch, one after another in `$3`; the JSON array has each one's time, start (from 1) and length.
    SPOOL_BODIES = "INSERT INTO copy_body (copy_id, received_at, body) \
        SELECT $1 + key, value ->> 0, substr($3, value ->> 1, value ->> 2) FROM json_each($2)";

    UNREAD = "SELECT id, attempts, size FROM copy WHERE state = 'unread' ORDER BY id LIMIT $1";
    HAND_OUT = "UPDATE copy SET attempts = attempts + 1 WHERE id IN (SELECT value FROM json_each($1)) AND state = 'unread'";
    HANDED_OUT = "SELECT copy.id, copy.shop, copy.size, copy.attempts, copy_body.body FROM copy \
        LEFT JOIN copy_body ON copy_body.copy_id = copy.id \
        WHERE copy.id IN (SELECT value FROM json_each($1)) ORDER BY copy.id";
    SET_ASIDE = "UPDATE copy SET state = 'held', reading = $2, read_at = $3 WHERE id = $1 AND state = 'unread'";

    FILE_COPY = "UPDATE copy SET state = $2, reading = $3, read_at = $4, email_key = $5, reference_key = $6 \
        WHERE id = $1 AND state = 'unread'";
    COPY_MOVED = "UPDATE copy SET invitation_id = $2 WHERE id = $1";

    INVITATION = concat!("SELECT ", invitation_columns!(), " FROM invitation WHERE id = $1");
    OF_ORDER = concat!("SELECT ", invitation_columns!(),
        " FROM invitation WHERE shop = $1 AND reference_key = $2 ORDER BY id");
    OPEN = "INSERT INTO invitation (shop, reference, reference_key, email, email_key, name, details, state, due_at, expires_at, \
        letters_sent, attempts, created_at, updated_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13) RETURNING id";
    MOVE = "UPDATE invitation SET state = $2, due_at = $3, expires_at = $4, letters_sent = $5, attempts = $6, updated_at = $7 \
        WHERE id = $1";
    LEARN = "UPDATE invitation SET name = $2, details = $3, updated_at = $4 WHERE id = $1";
    DECIDED = "INSERT INTO decision (invitation_id, at, event, from_state, to_state, due_at, rule, actor, note, copy_id) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

    DUE = concat!("SELECT ", invitation_columns!(),
        " FROM invitation WHERE due_at <= $1 ORDER BY due_at, id LIMIT $2");
    NEXT_DUE = "SELECT MIN(due_at) FROM invitation WHERE due_at IS NOT NULL";
    CLAIM_LETTER = "INSERT INTO letter (invitation_id, ordinal, kind, phase, attempts, owner, lease_until, claimed_at) \
        VALUES ($1, $2, $3, 'claimed', 1, $4, $5, $6) \
        ON CONFLICT (invitation_id, ordinal) DO UPDATE SET phase = 'claimed', attempts = letter.attempts + 1, \
        owner = excluded.owner, lease_until = excluded.lease_until, claimed_at = excluded.claimed_at \
        RETURNING id, message_id";
    ON_THE_WIRE = "UPDATE letter SET phase = 'on_the_wire', message_id = $3, on_the_wire_at = $4 \
        WHERE id = $1 AND owner = $2 AND phase = 'claimed' \
        AND EXISTS (SELECT 1 FROM invitation WHERE invitation.id = letter.invitation_id AND invitation.state = 'sending')";
    ABANDON_CLAIM = "UPDATE letter SET phase = 'abandoned', owner = NULL, lease_until = NULL, settled_at = $3 \
        WHERE id = $1 AND owner = $2 AND phase = 'claimed'";
    LETTER_WITH_INVITATION = concat!("SELECT letter.id AS letter_id, letter.phase AS letter_phase, ", invitation_columns!(),
        " FROM letter JOIN invitation ON invitation.id = letter.invitation_id WHERE letter.id = $1");
    SETTLE_LETTER = "UPDATE letter SET phase = $2, settled_at = $3, reply = COALESCE($4, reply), owner = NULL, \
        lease_until = NULL WHERE id = $1";
    ABANDONED = concat!("SELECT letter.id AS letter_id, letter.phase AS letter_phase, ", invitation_columns!(),
        " FROM letter JOIN invitation ON invitation.id = letter.invitation_id \
        WHERE letter.phase IN ('claimed', 'on_the_wire') AND letter.lease_until < $2 AND letter.owner <> $1 \
        ORDER BY letter.lease_until");

    LIST_ALL = concat!("SELECT ", invitation_columns!(),
        " FROM invitation WHERE id < $1 ORDER BY id DESC LIMIT $2");
    LIST_STATE = concat!("SELECT ", invitation_columns!(),
        " FROM invitation WHERE state = $3 AND id < $1 ORDER BY id DESC LIMIT $2");
    LIST_SHOP_STATE = concat!("SELECT ", invitation_columns!(),
        " FROM invitation WHERE shop = $4 AND state = $3 AND id < $1 ORDER BY id DESC LIMIT $2");
    /// `$4` is the shop, `$5` the reference, `$6` a JSON array of states; each may be absent.
    LIST_EMAIL = concat!("SELECT ", invitation_columns!(),
        " FROM invitation WHERE email_key = $3 AND id < $1 AND ($4 IS NULL OR shop = $4) \
        AND ($5 IS NULL OR reference_key = $5) AND ($6 IS NULL OR state IN (SELECT value FROM json_each($6))) \
        ORDER BY id DESC LIMIT $2");
    /// `$4` is the shop, `$5` a JSON array of states; each may be absent.
    LIST_REFERENCE = concat!("SELECT ", invitation_columns!(),
        " FROM invitation WHERE reference_key = $3 AND id < $1 AND ($4 IS NULL OR shop = $4) \
        AND ($5 IS NULL OR state IN (SELECT value FROM json_each($5))) ORDER BY id DESC LIMIT $2");

    COPIES_OF_EMAIL = concat!("SELECT ", copy_columns!(), " FROM copy WHERE email_key = $1 ORDER BY id DESC LIMIT $2");
    COPIES_OF_REFERENCE = concat!("SELECT ", copy_columns!(),
        " FROM copy WHERE reference_key = $1 AND ($3 IS NULL OR shop = $3) ORDER BY id DESC LIMIT $2");
    DECISIONS_ON = "SELECT invitation_id, at, event, from_state, to_state, due_at, rule, actor, note, copy_id FROM decision \
        WHERE invitation_id IN (SELECT value FROM json_each($1)) ORDER BY id DESC LIMIT $2";
    LETTERS_OF = "SELECT id, invitation_id, kind, phase, attempts, message_id, claimed_at, on_the_wire_at, settled_at, reply \
        FROM letter WHERE invitation_id IN (SELECT value FROM json_each($1)) ORDER BY id DESC LIMIT $2";

    HELD_COPIES = concat!("SELECT ", copy_columns!(),
        " FROM copy WHERE state = 'held' AND id < $1 ORDER BY id DESC LIMIT $2");
    COPY = concat!("SELECT ", copy_columns!(), " FROM copy WHERE id = $1");
    BODY = "SELECT body FROM copy_body WHERE copy_id = $1";

    COUNT_UNREAD = "SELECT COUNT(*) FROM copy WHERE state = 'unread'";
    COUNT_HELD = "SELECT COUNT(*) FROM copy WHERE state = 'held'";
    COUNT_STATE = "SELECT COUNT(*) FROM invitation WHERE state = $1";

    PURGE = "DELETE FROM copy_body WHERE copy_id IN (SELECT copy_body.copy_id FROM copy_body \
        JOIN copy ON copy.id = copy_body.copy_id WHERE copy_body.received_at < $1 AND copy.state <> 'unread' \
        ORDER BY copy_body.received_at LIMIT $2)";
}
