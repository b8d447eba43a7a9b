-- The whole policy: rounds of an order, what a decision was made from, letters counted by person and by shop, who is not written to,
-- and counts of all that happened. Programs of older schemas know neither caps nor suppressions and must not send beside one that does.

-- SQLite cannot change a CHECK, so the table is made anew. The connection has foreign_keys off (see open.rs): to drop a parent would
-- delete its letters and decisions otherwise. Numbers go on above the highest that was ever given.
CREATE TABLE invitation_anew (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    shop          TEXT    NOT NULL,
    reference     TEXT    NOT NULL,
    reference_key TEXT    NOT NULL,
    email         TEXT    NOT NULL,
    email_key     TEXT    NOT NULL,
    name          TEXT,
    details       TEXT    NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('waiting', 'queued', 'sending', 'sent', 'done', 'cancelled', 'dropped',
                                                    'held', 'failed', 'in_doubt')),
    due_at        INTEGER,
    expires_at    INTEGER,
    letters_sent  INTEGER NOT NULL,
    attempts      INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    round         INTEGER NOT NULL DEFAULT 0,
    follows       INTEGER,
    planned       TEXT    NOT NULL DEFAULT 'trigger',
    cancelled_at  INTEGER,
    expected_by   INTEGER,
    UNIQUE (shop, reference_key, email_key, round)
) STRICT;
INSERT INTO invitation_anew (id, shop, reference, reference_key, email, email_key, name, details, state, due_at, expires_at,
        letters_sent, attempts, created_at, updated_at)
    SELECT id, shop, reference, reference_key, email, email_key, name, details, state, due_at, expires_at,
        letters_sent, attempts, created_at, updated_at
    FROM invitation ORDER BY id;
DELETE FROM sqlite_sequence WHERE name = 'invitation_anew';
INSERT INTO sqlite_sequence (name, seq) SELECT 'invitation_anew', seq FROM sqlite_sequence WHERE name = 'invitation';
DROP TABLE invitation;
ALTER TABLE invitation_anew RENAME TO invitation;
CREATE INDEX invitation_due ON invitation (shop, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX invitation_by_email ON invitation (email_key, id);
CREATE INDEX invitation_by_reference ON invitation (reference_key, id);
CREATE INDEX invitation_by_state ON invitation (state, id);
CREATE INDEX invitation_by_shop ON invitation (shop, state, id);
CREATE INDEX invitation_by_time ON invitation (created_at, id);

-- Whose a letter is, so that the letters of a person and of a shop are counted along an index.
ALTER TABLE letter ADD COLUMN shop TEXT;
ALTER TABLE letter ADD COLUMN email_key TEXT;
UPDATE letter SET (shop, email_key) =
    (SELECT invitation.shop, invitation.email_key FROM invitation WHERE invitation.id = letter.invitation_id);
CREATE INDEX letter_by_person ON letter (email_key, claimed_at);
CREATE INDEX letter_by_shop ON letter (shop, claimed_at);

-- From what a decision was made, a JSON object. What people did is little beside what the daemon did.
ALTER TABLE decision ADD COLUMN inputs TEXT;
CREATE INDEX decision_by_people ON decision (at, id) WHERE actor <> 'daemon';

-- Who is not written to: shop '' stands for all shops; subject is an address's key, a domain, or 'h:' and a keyed hash of either.
CREATE TABLE suppression (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    shop    TEXT    NOT NULL,
    kind    TEXT    NOT NULL CHECK (kind IN ('address', 'domain')),
    subject TEXT    NOT NULL,
    reason  TEXT    NOT NULL,
    note    TEXT,
    actor   TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    UNIQUE (kind, subject, shop)
) STRICT;

-- Whose letters rest; shop '' stands for all shops.
CREATE TABLE pause (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    shop   TEXT    NOT NULL UNIQUE,
    since  INTEGER NOT NULL,
    actor  TEXT    NOT NULL,
    reason TEXT
) STRICT;

-- What happened to a shop's invitations, by the day (days since 1970 UTC): decisions by their rule, and 'begun'. Day 0 has how many
-- stand in each state: 'state queued' and so on.
CREATE TABLE figure (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    shop TEXT    NOT NULL,
    day  INTEGER NOT NULL,
    name TEXT    NOT NULL,
    n    INTEGER NOT NULL,
    UNIQUE (shop, day, name)
) STRICT;
CREATE INDEX figure_by_day ON figure (day, name, shop);
INSERT INTO figure (shop, day, name, n)
    SELECT shop, 0, 'state ' || state, COUNT(*) FROM invitation GROUP BY 1, 3;
INSERT INTO figure (shop, day, name, n)
    SELECT shop, created_at / 86400000, 'begun', COUNT(*) FROM invitation GROUP BY 1, 2;
INSERT INTO figure (shop, day, name, n)
    SELECT invitation.shop, decision.at / 86400000, decision.rule, COUNT(*)
    FROM decision CROSS JOIN invitation ON invitation.id = decision.invitation_id GROUP BY 1, 2, 3;

-- What became of the invitations that began on a day, and the letters of a day, as `domain::Outturn` and the counters of later
-- moves have it. Who was stopped by a person says so from here on.
UPDATE invitation SET planned = 'stopped' WHERE state = 'cancelled' AND EXISTS
    (SELECT 1 FROM decision WHERE decision.invitation_id = invitation.id AND decision.rule = 'desk-cancels');
INSERT INTO figure (shop, day, name, n)
    SELECT shop, created_at / 86400000, 'became ' || CASE
            WHEN letters_sent > 0 THEN 'invited'
            WHEN state IN ('waiting', 'queued', 'sending', 'sent') THEN 'under_way'
            WHEN state = 'cancelled' AND planned = 'stopped' THEN 'stopped'
            WHEN state = 'cancelled' THEN 'order_cancelled'
            WHEN state = 'done' THEN 'dropped'
            ELSE state END, COUNT(*)
    FROM invitation GROUP BY 1, 2, 3;
INSERT INTO figure (shop, day, name, n)
    SELECT invitation.shop, invitation.created_at / 86400000, 'dropped ' || decision.rule, COUNT(*)
    FROM decision CROSS JOIN invitation ON invitation.id = decision.invitation_id
    WHERE invitation.letters_sent = 0 AND invitation.state = 'done' AND decision.to_state = 'done' AND decision.from_state <> 'done'
    GROUP BY 1, 2, 3;
INSERT INTO figure (shop, day, name, n)
    SELECT invitation.shop, decision.at / 86400000, 'letter dropped', COUNT(*)
    FROM decision CROSS JOIN invitation ON invitation.id = decision.invitation_id
    WHERE invitation.letters_sent = 0 AND invitation.state = 'done' AND decision.to_state = 'done' AND decision.from_state <> 'done'
    GROUP BY 1, 2;
INSERT INTO figure (shop, day, name, n)
    SELECT shop, settled_at / 86400000, CASE kind WHEN 'reminder' THEN 'letter reminder' ELSE 'letter first' END, COUNT(*)
    FROM letter WHERE phase = 'accepted' AND settled_at IS NOT NULL AND shop IS NOT NULL GROUP BY 1, 2, 3;

-- Past mails that were imported, by hashes of their bytes and of their Message-IDs: none is taken in twice.
CREATE TABLE imported (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    shop TEXT    NOT NULL,
    mark TEXT    NOT NULL,
    UNIQUE (shop, mark)
) STRICT;

UPDATE property SET value = '4' WHERE name = 'compatible_from';
