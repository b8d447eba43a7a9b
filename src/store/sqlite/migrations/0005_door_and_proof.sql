-- How a copy was handed in and what proves its sender, who the shops' senders are, and what comes back to letters. Programs of older
-- schemas believe every copy and would read an answer to a letter as a shop's mail.

-- way: by which door. login and certificate: as whom the client proved itself. answers: the letter to whose return address the mail was
-- sent; NULL for a shop's mail. proof: what was found about its sender, a JSON object. sender: that sender's mark, where the copy is
-- believed by it. doubt: why it is held though it was read well, and again_at: when that is looked at again.
ALTER TABLE copy ADD COLUMN way TEXT NOT NULL DEFAULT 'smtp';
ALTER TABLE copy ADD COLUMN login TEXT;
ALTER TABLE copy ADD COLUMN certificate TEXT;
ALTER TABLE copy ADD COLUMN answers INTEGER;
ALTER TABLE copy ADD COLUMN proof TEXT;
ALTER TABLE copy ADD COLUMN sender TEXT;
ALTER TABLE copy ADD COLUMN doubt TEXT;
ALTER TABLE copy ADD COLUMN again_at INTEGER;
CREATE INDEX copy_in_doubt ON copy (doubt, shop, received_at) WHERE state = 'held' AND doubt IS NOT NULL;
CREATE INDEX copy_held_by_sender ON copy (shop, sender, id) WHERE state = 'held' AND sender IS NOT NULL;
CREATE INDEX copy_again ON copy (again_at) WHERE state = 'held' AND again_at IS NOT NULL;
CREATE INDEX copy_by_letter ON copy (answers, id) WHERE answers IS NOT NULL;

DROP TRIGGER spool;
DROP VIEW spooling;
CREATE VIEW spooling AS
    SELECT copy.id, copy.shop, copy.mail_from, copy.rcpt_to, copy.client, copy.hello, copy.tls, copy.size, copy.received_at,
           copy.way, copy.login, copy.certificate, copy.answers, copy_body.body
    FROM copy JOIN copy_body ON copy_body.copy_id = copy.id;
CREATE TRIGGER spool INSTEAD OF INSERT ON spooling BEGIN
    INSERT INTO copy (id, shop, mail_from, rcpt_to, client, hello, tls, size, received_at, state, way, login, certificate, answers)
        VALUES (NEW.id, NEW.shop, NEW.mail_from, NEW.rcpt_to, NEW.client, NEW.hello, NEW.tls, NEW.size, NEW.received_at, 'unread',
            NEW.way, NEW.login, NEW.certificate, NEW.answers);
    INSERT INTO copy_body (copy_id, received_at, body) VALUES (NEW.id, NEW.received_at, NEW.body);
END;

-- Who hands in a shop's copies without other proof than its address: by a mark of the sender (domain of the reverse-path and network of
-- the client). A person says whose copies are believed.
CREATE TABLE sender (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    shop       TEXT    NOT NULL,
    mark       TEXT    NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('new', 'approved', 'blocked')),
    first_at   INTEGER NOT NULL,
    last_at    INTEGER NOT NULL,
    copies     INTEGER NOT NULL,
    actor      TEXT,
    note       TEXT,
    decided_at INTEGER,
    UNIQUE (shop, mark)
) STRICT;
CREATE INDEX sender_undecided ON sender (shop, id) WHERE state = 'new';
-- Copies were believed without a look at their sender until now. The daemon learns from those that told of orders whose they were, so
-- that the shops' running mail goes on, and takes this mark away.
INSERT INTO property (name, value) SELECT 'senders_unknown', 'since schema 5' WHERE EXISTS (SELECT 1 FROM copy WHERE state = 'event');

-- How many invitations the shops' copies began on a day, which is what a day is measured by. Those by hand are few beside them.
INSERT INTO figure (shop, day, name, n) SELECT shop, day, 'let in', n FROM figure WHERE name = 'begun';

-- What came back to a letter's return address. copy_id is no foreign key: a copy may be erased while what it said stays.
CREATE TABLE answer (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    letter_id INTEGER NOT NULL REFERENCES letter (id) ON DELETE CASCADE,
    copy_id   INTEGER,
    kind      TEXT    NOT NULL,
    status    TEXT,
    note      TEXT,
    at        INTEGER NOT NULL
) STRICT;
CREATE INDEX answer_by_letter ON answer (letter_id, id);
CREATE UNIQUE INDEX answer_by_copy ON answer (copy_id) WHERE copy_id IS NOT NULL;

-- doubt: the relay that may have taken the letter, though its answer was lost; no other relay gets it. NULL where nobody doubts.
ALTER TABLE letter ADD COLUMN doubt TEXT;
-- For what relays were given lately. The time stands first: an index that begins with the relay would be taken for letters in hand, too.
CREATE INDEX letter_claimed ON letter (claimed_at, relay);

-- What the daemons that work on this database say of themselves, for whoever asks how things stand; a JSON object each.
CREATE TABLE report (
    owner TEXT    PRIMARY KEY,
    at    INTEGER NOT NULL,
    body  TEXT    NOT NULL
) STRICT;
CREATE INDEX report_at ON report (at);

UPDATE property SET value = '5' WHERE name = 'compatible_from';
