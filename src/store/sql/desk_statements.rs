//! The statements by which people look at what there is: lists and stories of invitations, held copies, orders that are compared.
//! Written as those in [`super::statements`]; none of them changes or locks anything.

use super::statements::{Statement, piece, statements, text};

statements! {
    INVITATION = { "SELECT " (invitation columns) " FROM invitation WHERE id = $1" };
    LIST_ALL = { "SELECT " (invitation columns) " FROM invitation WHERE id < $1 ORDER BY id DESC LIMIT $2" };
    /// The number that ends a step of a walk down the invitations: `$2` of them lie between it and `$1`.
    STEP_DOWN = { "SELECT id FROM invitation WHERE id < $1 ORDER BY id DESC LIMIT 1 OFFSET $2" };
    /// What a filter means among the invitations below `$1`, down to `$3`; at most `$2`.
    WALK = {
        "SELECT " (invitation columns) " FROM invitation WHERE invitation.id < $1 AND invitation.id >= $3" (meant)
        " ORDER BY invitation.id DESC LIMIT $2"
    };
    /// What a filter means among the invitations `$1` whose number is not below `$3`; at most `$2`.
    PICK = {
        "SELECT " (invitation columns) " FROM invitation WHERE invitation.id" (of "$1") " AND invitation.id >= $3" (meant)
        " ORDER BY invitation.id DESC LIMIT $2"
    };
    /// The first one that began at an instant or later, and the last one before it.
    FIRST_SINCE = { "SELECT id FROM invitation WHERE created_at >= $1 ORDER BY created_at, id LIMIT 1" };
    LAST_BEFORE = { "SELECT id FROM invitation WHERE created_at < $1 ORDER BY created_at DESC, id DESC LIMIT 1" };
    /// The numbers of those in a state. This and what follows is bounded and put in order by all columns of its index, not by the number
    /// alone: of what is frequent, PostgreSQL would rather walk down all invitations, past however many newer ones are none.
    IDS_STATE = {
        "SELECT id FROM invitation WHERE state >= $3 AND (state, id) <= ($3, CAST($1 AS BIGINT) - 1) \
        ORDER BY state DESC, id DESC LIMIT $2"
    };
    IDS_SHOP_STATE = {
        "SELECT id FROM invitation WHERE shop = $4 AND state >= $3 AND (state, id) <= ($3, CAST($1 AS BIGINT) - 1) \
        ORDER BY state DESC, id DESC LIMIT $2"
    };
    IDS_EMAIL = {
        "SELECT id FROM invitation WHERE email_key >= $3 AND (email_key, id) <= ($3, CAST($1 AS BIGINT) - 1) \
        ORDER BY email_key DESC, id DESC LIMIT $2"
    };
    IDS_REFERENCE = {
        "SELECT id FROM invitation WHERE reference_key >= $3 AND (reference_key, id) <= ($3, CAST($1 AS BIGINT) - 1) \
        ORDER BY reference_key DESC, id DESC LIMIT $2"
    };
    LIST_EMAIL = {
        "SELECT " (invitation columns) " FROM invitation \
        WHERE email_key >= $3 AND (email_key, id) <= ($3, CAST($1 AS BIGINT) - 1) ORDER BY email_key DESC, id DESC LIMIT $2"
    };
    LIST_REFERENCE = {
        "SELECT " (invitation columns) " FROM invitation \
        WHERE reference_key >= $3 AND (reference_key, id) <= ($3, CAST($1 AS BIGINT) - 1) \
        ORDER BY reference_key DESC, id DESC LIMIT $2"
    };

    COPIES_OF_EMAIL = {
        "SELECT " (copy columns) " FROM copy WHERE email_key >= $1 AND email_key <= $1 ORDER BY email_key DESC, id DESC LIMIT $2"
    };
    COPIES_OF_REFERENCE = {
        "SELECT " (copy columns) " FROM copy WHERE reference_key >= $1 AND reference_key <= $1 AND ($3 IS NULL OR shop = $3) \
        ORDER BY reference_key DESC, id DESC LIMIT $2"
    };
    /// Those that began after `$1`, or with it and a number above `$2`, the oldest first. SQLite seeks by the first bound alone, so
    /// that moves on from page to page.
    BEGUN_SINCE = {
        "SELECT " (invitation columns) " FROM invitation WHERE created_at >= $1 AND (created_at, id) > ($1, $2) \
        ORDER BY created_at, id LIMIT $3"
    };
    /// What began these invitations, and what came to them from outside.
    FROM_OUTSIDE = {
        "SELECT invitation_id, at, event, from_state, to_state, due_at, rule, actor, note, copy_id, inputs \
        FROM decision WHERE invitation_id" (of "$1") " AND (from_state IS NULL OR event LIKE 'order %' \
        OR event LIKE 'desk %' OR event LIKE 'customer %') ORDER BY id"
    };
    DECISIONS_ON = {
        "SELECT invitation_id, at, event, from_state, to_state, due_at, rule, actor, note, copy_id, inputs \
        FROM decision \
        WHERE invitation_id" (of "$1") " ORDER BY id DESC LIMIT $2"
    };
    LETTERS_OF = {
        "SELECT id, invitation_id, kind, phase, attempts, relay, message_id, claimed_at, on_the_wire_at, settled_at, reply \
        FROM letter WHERE invitation_id" (of "$1") " ORDER BY id DESC LIMIT $2"
    };

    HELD_COPIES = { "SELECT " (copy columns) " FROM copy WHERE state = 'held' AND id < $1 ORDER BY id DESC LIMIT $2" };
    /// As all that follow, bounded and put in order by all columns of its index, as [`IDS_STATE`] is.
    HELD_OF_SHOP = {
        "SELECT " (copy columns) " FROM copy WHERE copy.state = 'held' AND copy.shop >= $3 \
        AND (copy.shop, copy.id) <= ($3, CAST($1 AS BIGINT) - 1)" (of template) (of reason) (of reference) (of email) (of time) " \
        ORDER BY copy.shop DESC, copy.id DESC LIMIT $2"
    };
    HELD_OF_TEMPLATE = {
        "SELECT " (copy columns) " FROM copy WHERE copy.state = 'held' AND copy.template >= $4 \
        AND (copy.template, copy.id) <= ($4, CAST($1 AS BIGINT) - 1)" (of shop) (of reason) (of reference) (of email) (of time) " \
        ORDER BY copy.template DESC, copy.id DESC LIMIT $2"
    };
    /// Few copies have one reference, or one address.
    HELD_OF_REFERENCE = {
        "SELECT " (copy columns) " FROM copy WHERE copy.state = 'held' AND copy.reference_key = $6 AND copy.id < $1"
        (of shop) (of template) (of reason) (of email) (of time) " \
        ORDER BY copy.id DESC LIMIT $2"
    };
    HELD_OF_EMAIL = {
        "SELECT " (copy columns) " FROM copy WHERE copy.state = 'held' AND copy.email_key = $7 AND copy.id < $1"
        (of shop) (of template) (of reason) (of reference) (of time) " \
        ORDER BY copy.id DESC LIMIT $2"
    };
    /// Of one shop and one kind of reason, `$10`. The numbers alone: there may be several kinds to choose the newest from.
    HELD_OF_REASON = {
        "SELECT copy.id FROM copy WHERE copy.state = 'held' AND copy.shop = $3 AND copy.reason >= $10 \
        AND (copy.reason, copy.id) <= ($10, CAST($1 AS BIGINT) - 1)" (of template) (of reason) (of reference) (of email) (of time) " \
        ORDER BY copy.reason DESC, copy.id DESC LIMIT $2"
    };
    /// The numbers of those of a time, from an index alone, the newest put in front.
    HELD_IN_TIME = {
        "SELECT id FROM copy WHERE state = 'held' AND received_at >= $3 AND received_at < $4 AND id < $1 \
        ORDER BY id DESC LIMIT $2"
    };
    COPIES_BY_IDS = { "SELECT " (copy columns) " FROM copy WHERE copy.id" (of "$1") " ORDER BY copy.id DESC" };
    /// The numbers of the newest copies whose bytes are kept.
    KEPT = { "SELECT copy_id FROM copy_body WHERE copy_id < $1 ORDER BY copy_id DESC LIMIT $2" };
    /// Which of the copies `$10` were ignored, and not by a person; `$1` and `$2` as everywhere.
    IGNORED_AMONG = {
        "SELECT " (copy columns) " FROM copy WHERE copy.id" (of "$10") " AND copy.id < $1 AND copy.state = 'ignored' AND copy.answers IS NULL \
        AND COALESCE(copy.desk_act, '') <> 'discarded'" (of shop) (of template) (of reason) (of reference) (of email) (of time)
        " ORDER BY copy.id DESC LIMIT $2"
    };
    /// The kinds of reasons for which copies of each shop are held, counted along an index of held copies alone.
    HELD_KINDS = {
        "SELECT shop, reason, COUNT(*) AS copies, MAX(id) AS newest FROM copy WHERE state = 'held' \
        GROUP BY shop, reason ORDER BY shop, reason"
    };
    /// The same of those that a filter means; `$1` and `$2` are not looked at.
    COUNT_HELD_BY = {
        "SELECT copy.shop, copy.reason, COUNT(*) AS copies, MAX(copy.id) AS newest FROM copy WHERE copy.state = 'held' \
        AND copy.id < $1 AND $2 > 0" (of shop) (of template) (of reason) (of reference) (of email) (of time)
        " GROUP BY copy.shop, copy.reason ORDER BY copy.shop, copy.reason"
    };
    COPY = { "SELECT " (copy columns) " FROM copy WHERE id = $1" };
    BODY = { "SELECT body FROM copy_body WHERE copy_id = $1" };
    /// As [`super::statements::OF_ORDERS`], for who only looks.
    LOOK_AT_ORDERS = { (told orders) };
    /// How many copies of the shop `$2` tell of these orders, in each state, and the newest of them.
    COPIES_OF_ORDERS = {
        "SELECT reference_key, state, COUNT(*) AS copies, MAX(id) AS newest FROM copy WHERE reference_key" (texts "$1") " \
        AND shop = $2 GROUP BY reference_key, state"
    };
    /// The decisions that brought these invitations where they stand.
    LAST_MOVES = {
        sqlite: "SELECT invitation_id, at, event, from_state, to_state, due_at, rule, actor, note, copy_id, inputs FROM decision \
            WHERE id IN (SELECT MAX(moving.id) FROM decision AS moving \
                WHERE moving.invitation_id IN (SELECT value FROM json_each($1)) \
                AND (moving.from_state IS NULL OR moving.from_state <> moving.to_state) GROUP BY moving.invitation_id) ORDER BY id",
        postgres: "SELECT invitation_id, at, event, from_state, to_state, due_at, rule, actor, note, copy_id, inputs FROM decision \
            WHERE id = ANY (ARRAY(SELECT MAX(moving.id) FROM decision AS moving \
                WHERE moving.invitation_id = ANY (ARRAY(SELECT CAST(json_array_elements_text($1::json) AS BIGINT))) \
                AND (moving.from_state IS NULL OR moving.from_state <> moving.to_state) GROUP BY moving.invitation_id)) ORDER BY id"
    };
    /// Invitations that began after `$1`, or with it and a number above `$2`, and before `$3`.
    BEGUN_BETWEEN = {
        "SELECT " (invitation columns) " FROM invitation WHERE created_at >= $1 AND (created_at, id) > ($1, $2) \
        AND created_at < $3 AND shop = $4 ORDER BY created_at, id LIMIT $5"
    };
    COUNT_UNREAD = { "SELECT COUNT(*) FROM copy WHERE state = 'unread'" };
    /// The first that came in is all but always the one that came in first.
    OLDEST_UNREAD = { "SELECT received_at FROM copy WHERE state = 'unread' ORDER BY id LIMIT 1" };
    COUNT_HELD = { "SELECT COUNT(*) FROM copy WHERE state = 'held'" };
}
