-- What held copies are looked for by: the template that matched, and the kind of reason for which they are held. And what a person
-- did with a copy. A copy that was discarded stands as 'ignored', so that programs which do not know these columns go on with it.
ALTER TABLE copy ADD COLUMN template TEXT;
ALTER TABLE copy ADD COLUMN reason TEXT;
ALTER TABLE copy ADD COLUMN desk_act TEXT CHECK (desk_act IN ('released', 'discarded', 'replayed'));
ALTER TABLE copy ADD COLUMN desk_actor TEXT;
ALTER TABLE copy ADD COLUMN desk_reason TEXT;
ALTER TABLE copy ADD COLUMN desk_at INTEGER;
UPDATE copy SET template = CAST(reading ->> '$.template' AS TEXT), reason = substr(CAST(reading ->> '$.reason' AS TEXT), 1, 160)
    WHERE state = 'held' AND json_valid(reading);
CREATE INDEX copy_held_by_shop ON copy (shop, id) WHERE state = 'held';
CREATE INDEX copy_held_by_template ON copy (template, id) WHERE state = 'held';
CREATE INDEX copy_held_by_reason ON copy (shop, reason, id) WHERE state = 'held';
CREATE INDEX copy_held_by_time ON copy (received_at, id) WHERE state = 'held';

-- What the reader made of a shop's copies, by the hour in which they came in: what alarms are judged by.
CREATE TABLE tally (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    shop    TEXT    NOT NULL,
    hour    INTEGER NOT NULL,
    event   INTEGER NOT NULL,
    ignored INTEGER NOT NULL,
    held    INTEGER NOT NULL,
    UNIQUE (shop, hour)
) STRICT;
CREATE INDEX tally_by_hour ON tally (hour);
INSERT INTO tally (shop, hour, event, ignored, held)
    SELECT shop, received_at / 3600000 * 3600000, COUNT(*) FILTER (WHERE state = 'event'),
        COUNT(*) FILTER (WHERE state = 'ignored'), COUNT(*) FILTER (WHERE state = 'held')
    FROM copy WHERE state <> 'unread' AND received_at > (SELECT MAX(received_at) FROM copy) - 7776000000 GROUP BY 1, 2;

-- How many copies of a shop stand in each state, and when its last one came in.
CREATE TABLE shop_sum (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    shop         TEXT    NOT NULL UNIQUE,
    event        INTEGER NOT NULL,
    ignored      INTEGER NOT NULL,
    held         INTEGER NOT NULL,
    discarded    INTEGER NOT NULL,
    last_copy_at INTEGER NOT NULL
) STRICT;
INSERT INTO shop_sum (shop, event, ignored, held, discarded, last_copy_at)
    SELECT shop, COUNT(*) FILTER (WHERE state = 'event'), COUNT(*) FILTER (WHERE state = 'ignored'),
        COUNT(*) FILTER (WHERE state = 'held'), 0, MAX(received_at)
    FROM copy WHERE state <> 'unread' GROUP BY shop;

-- What is not as usual with a shop, and since when. A row is written by whoever saw it first, who also says so.
CREATE TABLE alarm (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    shop  TEXT    NOT NULL,
    kind  TEXT    NOT NULL,
    since INTEGER NOT NULL,
    note  TEXT    NOT NULL,
    UNIQUE (shop, kind)
) STRICT;
