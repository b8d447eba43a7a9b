-- Who reads a copy and who sends a letter, and which daemons live. A claim is good while its daemon's lease is; it has none of
-- its own any more.
CREATE TABLE daemon (
    owner       TEXT   PRIMARY KEY,
    since       BIGINT NOT NULL,
    lease_until BIGINT NOT NULL
);
-- A handful of rows, but a writer's session goes along indexes alone.
CREATE INDEX daemon_lease ON daemon (lease_until);

-- What is known of the database as a whole: 'compatible_from' is the oldest schema whose programs may still work with it,
-- 'moved_from' stands while a move into it has not come to its end.
CREATE TABLE property (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
INSERT INTO property (name, value) VALUES ('compatible_from', '2');

-- What daemons take in turns: a row is locked while one of them works on an order or a relay whose name falls on it. Rows and
-- not advisory locks, since every database that speaks PostgreSQL locks rows.
CREATE TABLE turn (slot BIGINT PRIMARY KEY);
INSERT INTO turn (slot) SELECT * FROM generate_series(0, 65535);

ALTER TABLE copy ADD COLUMN owner TEXT;
CREATE INDEX copy_in_hand ON copy (owner) WHERE owner IS NOT NULL;

DROP INDEX letter_in_hand;
ALTER TABLE letter DROP COLUMN lease_until;
ALTER TABLE letter ADD COLUMN relay TEXT;
CREATE INDEX letter_in_hand ON letter (relay) WHERE phase IN ('claimed', 'on_the_wire');

-- Each shop's own line, since a relay that rests must not stand in the way of another's letters.
DROP INDEX invitation_due;
CREATE INDEX invitation_due ON invitation (shop, due_at, id) WHERE due_at IS NOT NULL;
