-- Who reads a copy and who sends a letter, and which daemons live. A claim is good while its daemon's lease is; it has none of
-- its own any more.
CREATE TABLE daemon (
    owner       TEXT    PRIMARY KEY,
    since       INTEGER NOT NULL,
    lease_until INTEGER NOT NULL
) STRICT;

-- What is known of the database as a whole: 'compatible_from' is the oldest schema whose programs may still work with it,
-- 'moved_from' stands while a move into it has not come to its end.
CREATE TABLE property (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
INSERT INTO property (name, value) VALUES ('compatible_from', '2');

ALTER TABLE copy ADD COLUMN owner TEXT;
CREATE INDEX copy_in_hand ON copy (owner) WHERE owner IS NOT NULL;

DROP INDEX letter_in_hand;
ALTER TABLE letter DROP COLUMN lease_until;
ALTER TABLE letter ADD COLUMN relay TEXT;
CREATE INDEX letter_in_hand ON letter (relay) WHERE phase IN ('claimed', 'on_the_wire');

-- Each shop's own line, since a relay that rests must not stand in the way of another's letters.
DROP INDEX invitation_due;
CREATE INDEX invitation_due ON invitation (shop, due_at, id) WHERE due_at IS NOT NULL;

-- A copy and its body by one statement, which is its own transaction: a sender who waits alone waits for one step instead of four.
CREATE VIEW spooling AS
    SELECT copy.id, copy.shop, copy.mail_from, copy.rcpt_to, copy.client, copy.hello, copy.tls, copy.size, copy.received_at,
           copy_body.body
    FROM copy JOIN copy_body ON copy_body.copy_id = copy.id;
CREATE TRIGGER spool INSTEAD OF INSERT ON spooling BEGIN
    INSERT INTO copy (id, shop, mail_from, rcpt_to, client, hello, tls, size, received_at, state)
        VALUES (NEW.id, NEW.shop, NEW.mail_from, NEW.rcpt_to, NEW.client, NEW.hello, NEW.tls, NEW.size, NEW.received_at, 'unread');
    INSERT INTO copy_body (copy_id, received_at, body) VALUES (NEW.id, NEW.received_at, NEW.body);
END;
