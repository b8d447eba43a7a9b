//! The statements about who hands in a shop's copies, and about copies that are held for their sender's sake. Written as those in
//! [`super::statements`].

use super::statements::{Statement, piece, statements, text};

statements! {
    /// What was said about the senders of these marks, each a shop and a mark. Nobody decides upon them before the transaction ends.
    SENDERS_OF = {
        sqlite: "SELECT sender.shop, sender.mark, sender.state FROM json_each($1) AS asked CROSS JOIN sender \
            WHERE sender.shop = asked.value ->> 0 AND sender.mark = asked.value ->> 1",
        postgres: "SELECT sender.shop, sender.mark, sender.state FROM json_array_elements($1::json) AS asked \
            JOIN sender ON sender.shop = asked.value ->> 0 AND sender.mark = asked.value ->> 1 \
            ORDER BY sender.shop, sender.mark FOR UPDATE OF sender"
    };
    /// Of how many senders of these shops nothing was said yet.
    UNDECIDED = {
        "SELECT shop, COUNT(*) FROM sender WHERE state = 'new' AND shop IN " (words "$1") " GROUP BY shop"
    };
    /// Notes that copies of these senders came. A row is a shop, a mark, when the last one came, and how many came.
    NOTE_SENDERS = {
        "INSERT INTO sender (shop, mark, state, first_at, last_at, copies) SELECT value ->> 0, value ->> 1, 'new', \
        CAST(value ->> 2 AS BIGINT), CAST(value ->> 2 AS BIGINT), CAST(value ->> 3 AS BIGINT) FROM " (each "$1") " AS noted \
        WHERE true ON CONFLICT (shop, mark) DO UPDATE SET copies = sender.copies + excluded.copies, \
        last_at = CASE WHEN excluded.last_at > sender.last_at THEN excluded.last_at ELSE sender.last_at END"
    };
    /// A person's word on senders, seen or not. A row is a shop, a mark, the state, who, why and when.
    DECIDE_SENDERS = {
        "INSERT INTO sender (shop, mark, state, first_at, last_at, copies, actor, note, decided_at) SELECT value ->> 0, value ->> 1, \
        value ->> 2, CAST(value ->> 5 AS BIGINT), CAST(value ->> 5 AS BIGINT), 0, value ->> 3, value ->> 4, \
        CAST(value ->> 5 AS BIGINT) FROM " (each "$1") " AS told WHERE true \
        ON CONFLICT (shop, mark) DO UPDATE SET state = excluded.state, actor = excluded.actor, note = excluded.note, \
        decided_at = excluded.decided_at"
    };
    /// `$3` is the shop and `$4` the state, each of which may be absent.
    SENDERS_BELOW = {
        "SELECT id, shop, mark, state, first_at, last_at, copies, actor, note, decided_at FROM sender WHERE id < $1 \
        AND ($3 IS NULL OR shop = $3) AND ($4 IS NULL OR state = $4) ORDER BY id DESC LIMIT $2"
    };
    SENDERS_BY_IDS = {
        "SELECT id, shop, mark, state, first_at, last_at, copies, actor, note, decided_at FROM sender WHERE id" (of "$1") " ORDER BY id"
    };
    /// How many copies are held that came from these senders, each a shop and a mark.
    HELD_BY_SENDERS = {
        sqlite: "SELECT copy.shop, copy.sender, COUNT(*) FROM json_each($1) AS asked CROSS JOIN copy \
            WHERE copy.state = 'held' AND copy.sender IS NOT NULL AND copy.shop = asked.value ->> 0 \
            AND copy.sender = asked.value ->> 1 GROUP BY copy.shop, copy.sender",
        postgres: "SELECT asked.value ->> 0, asked.value ->> 1, (SELECT COUNT(*) FROM copy WHERE copy.state = 'held' \
            AND copy.sender IS NOT NULL AND copy.shop = asked.value ->> 0 AND copy.sender = asked.value ->> 1) \
            FROM json_array_elements($1::json) AS asked"
    };
    /// A page of the copies of one sender that are held for its sake, the oldest first.
    HELD_OF_SENDER = {
        "SELECT id FROM copy WHERE state = 'held' AND sender IS NOT NULL AND shop = $1 AND sender = $2 AND doubt = 'new_sender' \
        AND id > $3 ORDER BY id LIMIT $4"
    };
    /// How many invitations the copies of these shops began, by days.
    LET_IN = {
        "SELECT shop, day, n FROM figure WHERE shop IN " (words "$1") " AND day >= $2 AND day <= $3 AND name = 'let in'"
    };
    /// Which of these shops have copies in these doubts that came in at `$2` or later. A row is a shop and a doubt.
    SHOPS_IN_DOUBT = {
        "SELECT value ->> 0, value ->> 1 FROM " (each "$1") " AS asked WHERE EXISTS (SELECT 1 FROM copy WHERE copy.state = 'held' \
        AND copy.doubt IS NOT NULL AND copy.doubt = value ->> 1 AND copy.shop = value ->> 0 AND copy.received_at >= $2)"
    };
    /// Copies that are to be looked at again at `$1` or earlier.
    TO_LOOK_AT_AGAIN = {
        "SELECT id FROM copy WHERE state = 'held' AND again_at IS NOT NULL AND again_at <= $1 ORDER BY again_at LIMIT $2"
    };
    /// To which addresses of the shop `$3` copies above `$1` up to `$2` were sent, and when last.
    SENT_TO = {
        "SELECT rcpt_to, MAX(received_at) FROM copy WHERE id > $1 AND id <= $2 AND shop = $3 AND answers IS NULL AND way <> 'import' \
        GROUP BY rcpt_to"
    };
    /// Takes away the mark of a queue whose senders are not known.
    SENDERS_KNOWN = { "DELETE FROM property WHERE name = 'senders_unknown'" };
    /// Who handed in the copies of numbers above `$1` up to `$2` that told of orders, each once.
    HANDED_IN_BY = {
        "SELECT DISTINCT shop, mail_from, client FROM copy WHERE id > $1 AND id <= $2 AND received_at >= $3 AND state = 'event'"
    };
    /// The newest copy up to this number.
    NEWEST_COPY = { "SELECT MAX(id) FROM copy WHERE id <= $1" };
}
