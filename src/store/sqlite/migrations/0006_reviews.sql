-- What customers write, and what they ask for on the pages. A program of an older schema would remind customers who have put their
-- letters off, and leave reviews behind when it erases a person.

-- put_off: what the customer has asked to wait for (1: it had not arrived, 2: ask later, 3: both). link_series: which series of links is
-- good; raising it revokes those that are out.
ALTER TABLE invitation ADD COLUMN put_off INTEGER NOT NULL DEFAULT 0;
ALTER TABLE invitation ADD COLUMN link_series INTEGER NOT NULL DEFAULT 0;

-- One review for each order, person, kind and product. reference_key and email_key are NULL where no order or person is known. product is
-- empty for the shop itself. A deleted one keeps its row and its stars, without words: deleted_by is the member of staff, NULL for its
-- author. invitation_id is no foreign key: a queue that is put back may know the order under another number.
CREATE TABLE review (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    shop          TEXT   NOT NULL,
    reference     TEXT,
    reference_key TEXT,
    email_key     TEXT,
    invitation_id INTEGER,
    kind          TEXT   NOT NULL CHECK (kind IN ('service', 'product')),
    product       TEXT   NOT NULL,
    collected     TEXT   NOT NULL CHECK (collected IN ('automatic', 'manual', 'link', 'basic')),
    verified      INTEGER NOT NULL CHECK (verified IN (0, 1)),
    stars         INTEGER NOT NULL CHECK (stars BETWEEN 1 AND 5),
    title         TEXT   NOT NULL,
    text          TEXT   NOT NULL,
    name          TEXT   NOT NULL,
    language      TEXT   NOT NULL,
    written_at    INTEGER NOT NULL,
    edited_at     INTEGER,
    deleted_at    INTEGER,
    deleted_by    TEXT,
    delete_reason TEXT
) STRICT;
CREATE UNIQUE INDEX review_of_order ON review (shop, reference_key, email_key, kind, product)
    WHERE reference_key IS NOT NULL AND email_key IS NOT NULL;
CREATE INDEX review_by_email ON review (email_key) WHERE email_key IS NOT NULL;
CREATE INDEX review_lately ON review (shop, written_at);
CREATE INDEX review_counted ON review (shop, collected, kind, deleted_at, deleted_by);

-- What a review was before it was changed.
CREATE TABLE review_edit (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    review_id INTEGER NOT NULL REFERENCES review (id) ON DELETE CASCADE,
    at        INTEGER NOT NULL,
    stars     INTEGER NOT NULL,
    title     TEXT   NOT NULL,
    text      TEXT   NOT NULL,
    name      TEXT   NOT NULL
) STRICT;
CREATE INDEX review_edit_of ON review_edit (review_id, id);

-- Who wants everything erased that is stored about them. A row goes when that is done.
CREATE TABLE erasure_request (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    shop      TEXT   NOT NULL,
    email     TEXT   NOT NULL,
    email_key TEXT   NOT NULL UNIQUE,
    at        INTEGER NOT NULL
) STRICT;

UPDATE property SET value = '6' WHERE name = 'compatible_from';
