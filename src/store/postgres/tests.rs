//! How PostgreSQL carries our statements out: along an index each, on small tables and on large ones.

#[path = "../../../tests/kit/postgres.rs"]
pub(in crate::store) mod kit;
#[path = "../../../tests/kit/said.rs"]
mod said;

use std::path::Path;

use serde_json::Value as Json;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use super::Server;
use crate::config::Database;
use crate::store::sql::connection::Connection;
use crate::store::sql::desk_statements as look;
use crate::store::sql::every_statement;
use crate::store::sql::review_statements as reviews;
use crate::store::sql::statements::{self as sql, Statement};

/// The tables that grow with the years.
const LARGE: [&str; 10] = [
    "copy",
    "copy_body",
    "invitation",
    "letter",
    "decision",
    "tally",
    "suppression",
    "figure",
    "review",
    "review_edit",
];

/// Pages and batches: as long as their rows come out of an index in order, the first ones cost as little as there are of them.
const ORDERED: [Statement; 18] = [
    reviews::REVIEWS_BELOW,
    look::IDS_EMAIL,
    look::IDS_REFERENCE,
    look::STEP_DOWN,
    look::WALK,
    look::FIRST_SINCE,
    look::LAST_BEFORE,
    look::LIST_ALL,
    look::IDS_STATE,
    look::IDS_SHOP_STATE,
    look::LIST_EMAIL,
    look::LIST_REFERENCE,
    look::COPIES_OF_EMAIL,
    look::COPIES_OF_REFERENCE,
    look::HELD_COPIES,
    look::KEPT,
    sql::UNREAD,
    sql::NEXT_DUE,
];

/// A database with our tables in it.
async fn queue(place: &kit::Place<'_>) -> Server {
    let mut url = url::Url::parse(&place.url()).unwrap();
    let password = url.password().map(str::to_owned);
    url.set_password(None).unwrap();
    let Ok(Database::Postgres(settings)) = Database::parse(url.as_str(), Path::new("/")) else { panic!("{url}") };
    let server = Server::new(&settings, password.as_deref());
    server.create_if_missing().await.unwrap();
    server
}

/// What readers ask, who have a plan made for the values and the tables at hand.
const READ: [Statement; 46] = [
    reviews::REVIEWS_OF_PERSONS,
    reviews::REVIEW,
    reviews::REVIEWS_BELOW,
    reviews::EDITS_OF,
    reviews::REVIEW_COUNTS,
    look::WALK,
    look::PICK,
    look::STEP_DOWN,
    look::FIRST_SINCE,
    look::LAST_BEFORE,
    look::IDS_EMAIL,
    look::IDS_REFERENCE,
    look::INVITATION,
    look::LIST_ALL,
    look::IDS_STATE,
    look::IDS_SHOP_STATE,
    look::LIST_EMAIL,
    look::LIST_REFERENCE,
    look::COPIES_OF_EMAIL,
    look::COPIES_OF_REFERENCE,
    look::DECISIONS_ON,
    look::LETTERS_OF,
    look::HELD_COPIES,
    look::HELD_OF_SHOP,
    look::HELD_OF_TEMPLATE,
    look::HELD_OF_REFERENCE,
    look::HELD_OF_EMAIL,
    look::HELD_OF_REASON,
    look::HELD_IN_TIME,
    look::COPIES_BY_IDS,
    look::KEPT,
    look::IGNORED_AMONG,
    look::HELD_KINDS,
    look::COUNT_HELD_BY,
    sql::HOURS_OF,
    look::COPY,
    look::BODY,
    look::COUNT_UNREAD,
    look::COUNT_HELD,
    look::OLDEST_UNREAD,
    sql::STANDING,
    sql::FIGURES_OF_ALL,
    sql::COMPLAINTS,
    sql::FIGURES_OF_SHOP,
    sql::PAUSES,
    sql::NEXT_DUE,
];

/// Indexes of a part of a table that stays small: what is under way.
const SMALL: [&str; 8] = [
    "copy_unread",
    "copy_held",
    "copy_held_by_shop",
    "copy_held_by_template",
    "copy_held_by_reason",
    "copy_held_by_time",
    "copy_in_hand",
    "letter_in_hand",
];

/// Steps that go over a whole table, or over all entries of an index of one.
fn walks(plan: &[String]) -> Vec<&str> {
    let walks_over = |(n, step): (usize, &String)| {
        let words = step.split_whitespace().collect::<Vec<_>>();
        let after = |word: &str| words.iter().position(|it| *it == word).and_then(|at| words.get(at + 1)).copied();
        let is_large = step.contains("Scan")
            && !step.contains("Subquery")
            && after("on").is_some_and(|table| LARGE.contains(&table));
        let is_small = after("using").is_some_and(|index| SMALL.contains(&index));
        // A bitmap of a heap has its condition in the step below.
        let detail = plan.get(n + 1).map_or("", |detail| detail.trim_start());
        is_large && !is_small && !["Index Cond", "Recheck Cond"].iter().any(|bound| detail.starts_with(bound))
    };
    plan.iter().enumerate().filter(|step| walks_over(*step)).map(|(_, step)| step.trim()).collect()
}

#[test]
fn a_walk_over_a_table_is_seen() {
    for (plan, walk) in [
        ("Seq Scan on copy", true),
        ("Seq Scan on turn", false),
        ("  ->  Parallel Seq Scan on invitation due\n Filter: (state = $1)", true),
        ("  ->  Index Scan Backward using decision_pkey on decision\n Filter: (invitation_id = $1)", true),
        ("  ->  Index Scan using decision_pkey on decision\n Index Cond: (id = $1)", false),
        ("  ->  Index Scan using copy_unread on copy\n Filter: (owner = $1)", false),
        ("Update on letter\n ->  CTE Scan on ready", false),
    ] {
        let plan = plan.lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(walks(&plan).len(), usize::from(walk), "{plan:?}");
    }
}

#[tokio::test]
async fn every_statement_is_understood_and_what_writes_goes_along_an_index_from_the_first_minute() {
    let Some(server) = kit::server() else { return };
    let place = server.database();
    let mut conn = Connection::from(queue(&place).await.connect_to_write().await.unwrap());
    for statement in every_statement() {
        let plan = conn.plan(*statement).await;
        if !READ.iter().any(|read| read.name == statement.name) {
            assert_eq!(walks(&plan), [""; 0], "{}:\n{}", statement.name, plan.join("\n"));
        }
    }
}

/// Two years of a few busy shops; some of it is unread, in hand and due. What is done is old, and so is what the customer `old`
/// ordered: many newer ones must not be walked past.
const YEARS: &str = "
    INSERT INTO invitation (shop, reference, reference_key, email, email_key, details, state, due_at, letters_sent, attempts,
        created_at, updated_at)
    SELECT 'shop' || n % 20, 'A-' || n, CASE WHEN n % 10 = 1 AND n <= 50000 THEN 'old' ELSE 'a-' || n END, 'x@example.com',
        CASE WHEN n % 10 = 0 AND n <= 100000 THEN 'old' ELSE n % 50000 || '' END || '@example.com', '{}',
        CASE WHEN n > 180000 THEN 'queued' ELSE 'done' END, CASE WHEN n > 180000 THEN n END, 1, 0, n, n
    FROM generate_series(1, 200000) AS n;
    INSERT INTO copy (shop, mail_from, rcpt_to, hello, tls, size, received_at, state, email_key, reference_key, owner, template, reason)
    SELECT 'shop' || n % 20, 'o@shop.example', 'x@afs.example', 'mx', 1, 1, n,
        CASE WHEN n > 199000 THEN 'unread' WHEN n % 37 = 0 THEN 'held' ELSE 'event' END,
        CASE WHEN n % 10 = 0 AND n <= 100000 THEN 'old' ELSE n % 50000 || '' END || '@example.com',
        CASE WHEN n % 10 = 1 AND n <= 50000 THEN 'old' ELSE 'a-' || n END, CASE WHEN n > 199000 AND n % 2 = 0 THEN 'one' END,
        'template' || n % 7, CASE WHEN n % 37 = 0 THEN 'reason ' || n % 3 END
    FROM generate_series(1, 200000) AS n;
    INSERT INTO copy_body (copy_id, received_at, body) SELECT n, n, 'x' FROM generate_series(1, 200000) AS n;
    INSERT INTO letter (invitation_id, ordinal, kind, phase, attempts, claimed_at, owner, relay, shop, email_key)
    SELECT n, 1, 'invitation', CASE WHEN n > 199950 THEN 'claimed' ELSE 'accepted' END, 1, n,
        CASE WHEN n > 199950 THEN 'one' END, 'default', 'shop' || n % 20,
        CASE WHEN n % 10 = 0 AND n <= 100000 THEN 'old' ELSE n % 50000 || '' END || '@example.com'
    FROM generate_series(1, 200000) AS n;
    INSERT INTO suppression (shop, kind, subject, reason, actor, at)
    SELECT CASE WHEN n % 3 = 0 THEN '' ELSE 'shop' || n % 20 END, 'address', n || '@example.com', 'unsubscribed', 'customer', n
    FROM generate_series(1, 50000) AS n;
    INSERT INTO figure (shop, day, name, n)
    SELECT 'shop' || s, d, 'rule ' || r, 1 FROM generate_series(0, 19) AS s, generate_series(20000, 20400) AS d,
        generate_series(1, 9) AS r;
    INSERT INTO figure (shop, day, name, n) SELECT 'shop' || s, 0, 'state done', 9000 FROM generate_series(0, 19) AS s;
    INSERT INTO pause (shop, since, actor) VALUES ('shop3', 1, 'support');
    INSERT INTO review (shop, reference, reference_key, email_key, invitation_id, kind, product, collected, verified, stars, title, text,
        name, language, written_at)
    SELECT 'shop' || n % 20, 'A-' || n, 'a-' || n, n % 50000 || '@example.com', n, 'service', '', 'automatic', 1, 1 + n % 5, '', '', '',
        'de', n FROM generate_series(1, 100000) AS n;
    INSERT INTO review_edit (review_id, at, stars, title, text, name) SELECT n, n, 1, '', '', '' FROM generate_series(1, 100000) AS n;
    INSERT INTO decision (invitation_id, at, event, to_state, rule, actor)
    SELECT n, n, 'due', 'sending', 'due', 'daemon' FROM generate_series(1, 200000) AS n;
    INSERT INTO tally (shop, hour, event, ignored, held) SELECT 'shop' || n % 20, CAST(n / 20 AS BIGINT) * 3600000, 1, 1, 1
    FROM generate_series(1, 40000) AS n;
    INSERT INTO daemon (owner, since, lease_until) VALUES ('one', 1, 1), ('two', 1, 9);
    ANALYZE";

#[tokio::test]
async fn large_tables_are_never_walked_and_a_page_of_what_is_rare_costs_little() {
    let Some(server) = kit::server() else { return };
    let place = server.database();
    let queue = queue(&place).await;
    let mut conn = queue.connect_to_write().await.unwrap();
    sqlx::raw_sql(YEARS).execute(&mut conn).await.unwrap();
    let mut conn = Connection::from(conn);
    for statement in every_statement() {
        let plan = conn.plan(*statement).await;
        assert_eq!(walks(&plan), [""; 0], "{}:\n{}", statement.name, plan.join("\n"));
        if ORDERED.iter().any(|ordered| ordered.name == statement.name) {
            assert!(!plan.iter().any(|step| step.contains("Sort")), "{}:\n{}", statement.name, plan.join("\n"));
        }
    }
    pages_cost_little(&queue).await;
    a_claim_costs_little(&queue).await;
}

/// What a writer's session does for a round of letters, whatever else is in the tables.
async fn a_claim_costs_little(queue: &Server) {
    let mut conn = queue.connect_to_write().await.unwrap();
    let people = (1..=64).map(|n| format!("\"{n}@example.com\"")).collect::<Vec<_>>().join(", ");
    for (statement, values, pages) in [
        (sql::DUE, "'[[\"shop1\", 64], [\"shop2\", 2], [\"shop3\", 64]]', 999999, 64".to_owned(), 500),
        (sql::CLAIMED_LATELY, "'[[\"shop1\", 199000, 999999, 0], [\"shop2\", 199000, 999999, 1]]'".to_owned(), 100),
        (sql::PAST_LETTERS, format!("'[{people}]', 1, 500"), 3000),
        (sql::PAST_LETTERS, "'[\"old@example.com\"]', 1, 100".to_owned(), 600),
        (sql::SUPPRESSED, format!("'[{people}]'"), 500),
    ] {
        let seen = buffers(&mut conn, statement, &values).await;
        assert!(seen <= pages, "{} ({values}) looked at {seen} pages", statement.name);
    }
}

/// What a reader's session does with values of its own, rare ones and common ones.
async fn pages_cost_little(queue: &Server) {
    let mut conn = queue.connect_to_read().await.unwrap();
    for (statement, values) in [
        (look::LIST_ALL, "999999, 20"),
        (look::IDS_STATE, "999999, 20, 'held'"),
        (look::IDS_STATE, "999999, 20, 'done'"),
        (look::IDS_STATE, "100000, 20, 'done'"),
        (look::IDS_STATE, "15, 20, 'done'"),
        (look::IDS_SHOP_STATE, "15, 20, 'done', 'shop1'"),
        (look::IDS_STATE, "999999, 20, 'failed'"),
        (look::IDS_SHOP_STATE, "999999, 20, 'queued', 'shop0'"),
        (look::IDS_SHOP_STATE, "999999, 20, 'held', 'shop1'"),
        (look::IDS_SHOP_STATE, "999999, 20, 'done', 'shop1'"),
        (look::IDS_SHOP_STATE, "999999, 20, 'done', 'nowhere'"),
        (look::LIST_EMAIL, "999999, 20, '7@example.com'"),
        (look::LIST_EMAIL, "999999, 20, 'old@example.com'"),
        (look::IDS_EMAIL, "999999, 20, '7@example.com'"),
        (look::IDS_EMAIL, "999999, 20, 'old@example.com'"),
        (look::IDS_REFERENCE, "999999, 20, 'old'"),
        (look::FIRST_SINCE, "150000"),
        (look::LAST_BEFORE, "150000"),
        (look::STEP_DOWN, "150000, 2000"),
        (look::PICK, "'[150000,140000]', 20, 0, NULL, NULL, NULL, NULL, 0, 999999, 0, 999999, NULL, NULL, NULL, NULL"),
        (look::WALK, "150000, 20, 148000, NULL, NULL, NULL, NULL, 0, 999999, 0, 999999, NULL, NULL, '%x%', '%x%'"),
        (look::LIST_REFERENCE, "999999, 20, 'a-10007'"),
        (look::LIST_REFERENCE, "999999, 20, 'old'"),
        (look::HELD_COPIES, "999999, 20"),
        (look::HELD_OF_SHOP, "999999, 20, 'shop0', NULL, NULL, NULL, NULL, 0, 999999"),
        (look::HELD_OF_SHOP, "999999, 20, 'shop1', NULL, NULL, NULL, NULL, 0, 999999"),
        (look::HELD_OF_TEMPLATE, "999999, 20, NULL, 'template3', NULL, NULL, NULL, 0, 999999"),
        (look::HELD_OF_REFERENCE, "999999, 20, NULL, NULL, NULL, 'a-10000', NULL, 0, 999999"),
        (look::HELD_OF_EMAIL, "999999, 20, NULL, NULL, NULL, NULL, '7@example.com', 0, 999999"),
        (look::HELD_OF_REASON, "999999, 20, 'shop0', NULL, NULL, NULL, NULL, 0, 999999, 'reason 1'"),
        (look::HELD_IN_TIME, "999999, 20, 190000, 195000"),
        (look::COPIES_OF_EMAIL, "'7@example.com', 20"),
        (look::COPIES_OF_EMAIL, "'old@example.com', 20"),
        (look::COPIES_OF_REFERENCE, "'a-10007', 20, NULL"),
        (look::COPIES_OF_REFERENCE, "'old', 20, NULL"),
        (sql::NEXT_DUE, ""),
        (sql::STANDING, ""),
        (sql::FIGURES_OF_SHOP, "20390, 99999, 'shop1'"),
        (sql::COMPLAINTS, "20390, 99999, 20413"),
        (sql::PAUSES, ""),
    ] {
        let seen = buffers(&mut conn, statement, values).await;
        assert!(seen <= 200, "{} ({values}) looked at {seen} pages", statement.name);
    }
}

/// How many pages a statement looked at.
async fn buffers(conn: &mut PgConnection, statement: Statement, values: &str) -> i64 {
    let values = if values.is_empty() { String::new() } else { format!("({values})") };
    let prepare = AssertSqlSafe(Connection::prepare_text(statement));
    sqlx::raw_sql(prepare).execute(&mut *conn).await.unwrap();
    let explain = AssertSqlSafe(format!("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE looked_at{values}"));
    let found: Json = sqlx::raw_sql(explain).fetch_one(&mut *conn).await.unwrap().get(0);
    sqlx::raw_sql("DEALLOCATE looked_at").execute(conn).await.unwrap();
    let plan = &found[0]["Plan"];
    ["Shared Hit Blocks", "Shared Read Blocks"].iter().filter_map(|key| plan[key].as_i64()).sum()
}
