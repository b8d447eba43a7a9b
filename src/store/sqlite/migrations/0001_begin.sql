-- Instants are milliseconds since 1970 UTC, booleans 0 or 1, structured values JSON. Numbers of rows are never used twice.

-- 'invt': how the program knows its own file.
PRAGMA application_id = 1768846964;

-- A shop's mail as it was taken in. Its bytes stand in copy_body, so that reading and filing do not rewrite them.
CREATE TABLE copy (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    shop          TEXT    NOT NULL,
    mail_from     TEXT    NOT NULL,
    rcpt_to       TEXT    NOT NULL,
    client        TEXT,
    hello         TEXT    NOT NULL,
    tls           INTEGER NOT NULL CHECK (tls IN (0, 1)),
    size          INTEGER NOT NULL,
    received_at   INTEGER NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('unread', 'event', 'ignored', 'held')),
    attempts      INTEGER NOT NULL DEFAULT 0,
    read_at       INTEGER,
    reading       TEXT,
    email_key     TEXT,
    reference_key TEXT,
    invitation_id INTEGER
) STRICT;
CREATE INDEX copy_unread ON copy (id) WHERE state = 'unread';
CREATE INDEX copy_held ON copy (id) WHERE state = 'held';
CREATE INDEX copy_by_email ON copy (email_key, id) WHERE email_key IS NOT NULL;
CREATE INDEX copy_by_reference ON copy (reference_key, id) WHERE reference_key IS NOT NULL;

-- The message, one zstd frame with its checksum. received_at is the copy's, here so that purging finds the old ones.
CREATE TABLE copy_body (
    copy_id     INTEGER PRIMARY KEY REFERENCES copy (id) ON DELETE CASCADE,
    received_at INTEGER NOT NULL,
    body        BLOB    NOT NULL
) STRICT;
CREATE INDEX copy_body_by_age ON copy_body (received_at);

-- The intent to ask one customer about one order.
CREATE TABLE invitation (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    shop          TEXT    NOT NULL,
    reference     TEXT    NOT NULL,
    reference_key TEXT    NOT NULL,
    email         TEXT    NOT NULL,
    email_key     TEXT    NOT NULL,
    name          TEXT,
    details       TEXT    NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('waiting', 'queued', 'sending', 'sent', 'done', 'cancelled', 'held',
                                                    'failed', 'in_doubt')),
    due_at        INTEGER,
    expires_at    INTEGER,
    letters_sent  INTEGER NOT NULL,
    attempts      INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    UNIQUE (shop, reference_key, email_key)
) STRICT;
CREATE INDEX invitation_due ON invitation (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX invitation_by_email ON invitation (email_key, id);
CREATE INDEX invitation_by_reference ON invitation (reference_key, id);
CREATE INDEX invitation_by_state ON invitation (state, id);
CREATE INDEX invitation_by_shop ON invitation (shop, state, id);

-- One mail of an invitation: ordinal 1 is the first letter, 2 the reminder.
CREATE TABLE letter (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    invitation_id  INTEGER NOT NULL REFERENCES invitation (id) ON DELETE CASCADE,
    ordinal        INTEGER NOT NULL,
    kind           TEXT    NOT NULL CHECK (kind IN ('invitation', 'reminder')),
    phase          TEXT    NOT NULL CHECK (phase IN ('claimed', 'on_the_wire', 'accepted', 'deferred', 'refused',
                                                     'in_doubt', 'abandoned')),
    attempts       INTEGER NOT NULL,
    message_id     TEXT,
    owner          TEXT,
    lease_until    INTEGER,
    claimed_at     INTEGER NOT NULL,
    on_the_wire_at INTEGER,
    settled_at     INTEGER,
    reply          TEXT,
    UNIQUE (invitation_id, ordinal)
) STRICT;
CREATE INDEX letter_in_hand ON letter (lease_until) WHERE phase IN ('claimed', 'on_the_wire');

-- What happened to an invitation and why. copy_id is no foreign key: a copy may be erased while the decision stays.
CREATE TABLE decision (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    invitation_id INTEGER NOT NULL REFERENCES invitation (id) ON DELETE CASCADE,
    at            INTEGER NOT NULL,
    event         TEXT    NOT NULL,
    from_state    TEXT,
    to_state      TEXT    NOT NULL,
    due_at        INTEGER,
    rule          TEXT    NOT NULL,
    actor         TEXT    NOT NULL,
    note          TEXT,
    copy_id       INTEGER
) STRICT;
CREATE INDEX decision_by_invitation ON decision (invitation_id, id);
