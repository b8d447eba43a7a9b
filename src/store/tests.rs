//! What a queue of an older release becomes when its daemon's successor opens it, on each engine.

use sqlx::migrate::Migrate;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, SqliteConnection};

use super::postgres::tests::kit;
use super::*;
use crate::domain::{Planned, Rule, State};

/// Invitations in every state of schema 3, with a letter in every phase and some decisions, on the days 0 to 3.
pub(super) const OLD: &str = "
    INSERT INTO invitation (id, shop, reference, reference_key, email, email_key, details, state, due_at, expires_at, letters_sent,
        attempts, created_at, updated_at) VALUES
        (1, 'nord', 'A-1', 'a-1', 'Anna@example.com', 'anna@example.com', '{}', 'waiting', 900, NULL, 0, 0, 86400000, 1),
        (2, 'nord', 'A-2', 'a-2', 'anna@example.com', 'anna@example.com', '{}', 'queued', 901, 999, 0, 0, 86400000, 1),
        (3, 'nord', 'A-3', 'a-3', 'anna@example.com', 'anna@example.com', '{}', 'sending', NULL, 999, 0, 1, 86400001, 1),
        (4, 'nord', 'A-4', 'a-4', 'bo@example.com', 'bo@example.com', '{}', 'sent', 902, 999, 1, 0, 172800000, 1),
        (5, 'nord', 'A-5', 'a-5', 'bo@example.com', 'bo@example.com', '{}', 'done', NULL, NULL, 2, 0, 1, 1),
        (6, 'ost', 'A-1', 'a-1', 'anna@example.com', 'anna@example.com', '{}', 'cancelled', NULL, NULL, 0, 1, 1, 1),
        (7, 'ost', 'A-2', 'a-2', 'anna@example.com', 'anna@example.com', '{}', 'held', NULL, 999, 0, 1, 1, 1),
        (8, 'ost', 'A-3', 'a-3', 'anna@example.com', 'anna@example.com', '{}', 'failed', NULL, NULL, 0, 1, 1, 1),
        (9, 'ost', 'A-4', 'a-4', 'anna@example.com', 'anna@example.com', '{}', 'in_doubt', NULL, 999, 0, 1, 1, 1),
        (12, 'ost', 'A-5', 'a-5', 'anna@example.com', 'anna@example.com', '{}', 'queued', 903, 999, 0, 1, 1, 1);
    INSERT INTO letter (id, invitation_id, ordinal, kind, phase, attempts, message_id, owner, relay, claimed_at, on_the_wire_at,
        settled_at, reply) VALUES
        (1, 3, 1, 'invitation', 'claimed', 1, NULL, 'dead', 'default', 800, NULL, NULL, NULL),
        (2, 4, 1, 'invitation', 'accepted', 1, '<2@x>', NULL, 'default', 801, 802, 803, '250 ok'),
        (3, 5, 1, 'invitation', 'accepted', 2, '<3@x>', NULL, 'default', 801, 802, 803, '250 ok'),
        (4, 5, 2, 'reminder', 'accepted', 1, '<4@x>', NULL, 'default', 804, 805, 806, NULL),
        (5, 6, 1, 'invitation', 'abandoned', 1, NULL, NULL, 'default', 801, NULL, 803, NULL),
        (6, 7, 1, 'invitation', 'on_the_wire', 1, '<6@x>', 'dead', 'default', 801, 802, NULL, NULL),
        (7, 8, 1, 'invitation', 'refused', 1, '<7@x>', NULL, 'default', 801, 802, 803, '550 no'),
        (8, 9, 1, 'invitation', 'in_doubt', 1, '<8@x>', NULL, 'default', 801, 802, 803, NULL),
        (9, 12, 1, 'invitation', 'deferred', 1, '<9@x>', NULL, 'default', 801, 802, 803, '450 later');
    INSERT INTO decision (id, invitation_id, at, event, from_state, to_state, due_at, rule, actor, note, copy_id) VALUES
        (1, 1, 86400000, 'order placed', NULL, 'waiting', 900, 'order-opens', 'daemon', NULL, 1),
        (2, 2, 86400000, 'order placed', NULL, 'queued', 901, 'trigger-starts-delay', 'daemon', NULL, 2),
        (3, 3, 86400001, 'order placed', NULL, 'queued', 1, 'trigger-starts-delay', 'daemon', NULL, 3),
        (4, 3, 259200000, 'due', 'queued', 'sending', NULL, 'due-letter-claimed', 'daemon', NULL, NULL),
        (5, 6, 259200000, 'desk cancel', 'queued', 'cancelled', NULL, 'desk-cancels', 'support', 'a call', NULL);
    DELETE FROM invitation WHERE id = 12";

/// What the daemon of today makes of it.
async fn is_brought_up_to_date(store: &SqlStore) {
    let counts = store.counts().await.unwrap().invitations;
    let one_each = State::ALL.into_iter().filter(|state| *state != State::Dropped).map(|state| (state, 1));
    assert_eq!(counts, one_each.collect());
    for (id, letters, decisions) in [(1, 0, 1), (2, 0, 1), (3, 1, 2), (4, 1, 0), (5, 2, 0), (6, 1, 1), (9, 1, 0)] {
        let story = store.story(&Subject::Invitation(InvitationId(id))).await.unwrap();
        let invitation = &story.invitations[0];
        let planned = if id == 6 { Planned::Stopped } else { Planned::Trigger };
        assert_eq!((invitation.round, invitation.follows, invitation.progress.planned), (0, None, planned));
        assert_eq!(invitation.progress.cancelled_at, None);
        assert_eq!((story.letters.len(), story.decisions.len()), (letters, decisions), "{id}");
    }
    let story = store.story(&Subject::Invitation(InvitationId(6))).await.unwrap();
    assert_eq!((story.decisions[0].rule, story.decisions[0].note.as_deref()), (Rule::DeskCancels, Some("a call")));
    assert!(story.decisions[0].inputs.is_empty());

    let figures = store.figures(0, None).await.unwrap().into_iter();
    let figures = figures.map(|figure| (figure.shop.as_str().to_owned(), figure.day, figure.name, figure.n));
    let mut figures = figures.filter(|(_, day, name, _)| *day > 0 || !name.starts_with("state ")).collect::<Vec<_>>();
    figures.sort_unstable();
    let count = |shop: &str, day, name: &str, n| (shop.to_owned(), day, name.to_owned(), n);
    assert_eq!(
        figures,
        [
            count("nord", 0, "became invited", 1),
            count("nord", 0, "begun", 1),
            count("nord", 0, "let in", 1),
            count("nord", 0, "letter first", 2),
            count("nord", 0, "letter reminder", 1),
            count("nord", 1, "became under_way", 3),
            count("nord", 1, "begun", 3),
            count("nord", 1, "let in", 3),
            count("nord", 1, "order-opens", 1),
            count("nord", 1, "trigger-starts-delay", 2),
            count("nord", 2, "became invited", 1),
            count("nord", 2, "begun", 1),
            count("nord", 2, "let in", 1),
            count("nord", 3, "due-letter-claimed", 1),
            count("ost", 0, "became failed", 1),
            count("ost", 0, "became held", 1),
            count("ost", 0, "became in_doubt", 1),
            count("ost", 0, "became stopped", 1),
            count("ost", 0, "begun", 4),
            count("ost", 0, "let in", 4),
            count("ost", 3, "desk-cancels", 1),
        ]
    );
    // What a dead daemon had in hand is cleared up as ever.
    let recovered = store.recover("new", Arc::default(), Timestamp(1000)).await.unwrap();
    assert_eq!((recovered.requeued, recovered.in_doubt), (1, 1));
}

const WHOSE: &str = "SELECT COUNT(*) FROM letter JOIN invitation ON invitation.id = letter.invitation_id \
    WHERE letter.shop = invitation.shop AND letter.email_key = invitation.email_key";
const LETTERS: &str = "SELECT COUNT(*) FROM letter";
const FLOOR: &str = "SELECT value FROM property WHERE name = 'compatible_from'";

/// A second invitation to an order that has one, and one that was dropped.
fn round(number: i64) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!(
        "INSERT INTO invitation (id, shop, reference, reference_key, email, email_key, details, state, letters_sent, attempts, \
         created_at, updated_at, round, follows) \
         VALUES (100 + {number}, 'nord', 'A-1', 'a-1', 'anna@example.com', 'anna@example.com', '{{}}', 'dropped', 0, 0, 1, 1, \
         {number}, 1)"
    ))
}

#[tokio::test]
async fn a_file_of_the_third_schema_loses_nothing_and_goes_on_numbering() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("invited.db");
    old_file(&path, OLD).await;
    let database = Database::Sqlite(path.clone());
    let store = open(&database, None, Role::Daemon).await.unwrap();
    is_brought_up_to_date(&store).await;
    store.close().await;

    let mut conn = SqliteConnectOptions::new().filename(&path).foreign_keys(true).connect().await.unwrap();
    let one =
        async |conn: &mut SqliteConnection, text| sqlx::query_scalar::<_, i64>(text).fetch_one(conn).await.unwrap();
    assert_eq!((one(&mut conn, LETTERS).await, one(&mut conn, WHOSE).await), (8, 8));
    assert_eq!(sqlx::query_scalar::<_, String>(FLOOR).fetch_one(&mut conn).await.unwrap(), "6");
    assert_eq!(one(&mut conn, "SELECT COUNT(*) FROM pragma_foreign_key_check").await, 0);
    assert_eq!(one(&mut conn, "SELECT seq FROM sqlite_sequence WHERE name = 'invitation'").await, 12);
    assert_eq!(one(&mut conn, "SELECT COUNT(*) FROM sqlite_sequence WHERE name LIKE '%anew%'").await, 0);
    for (number, is_taken) in [(1, true), (0, false), (1, false), (2, true)] {
        assert_eq!(sqlx::raw_sql(round(number)).execute(&mut conn).await.is_ok(), is_taken, "{number}");
    }
    // What belongs to an invitation still goes with it.
    sqlx::raw_sql("DELETE FROM invitation WHERE id = 5").execute(&mut conn).await.unwrap();
    assert_eq!(one(&mut conn, LETTERS).await, 6);
}

#[tokio::test]
async fn a_server_of_the_third_schema_loses_nothing_and_lets_no_old_program_claim() {
    let Some(server) = kit::server() else { return };
    let place = server.database();
    let mut conn = PgConnection::connect(&place.url()).await.unwrap();
    sqlx::migrate!("src/store/postgres/migrations").run_to(3, &mut conn).await.unwrap();
    sqlx::raw_sql(OLD).execute(&mut conn).await.unwrap();
    sqlx::raw_sql("SELECT setval('decision_id_seq', 5)").execute(&mut conn).await.unwrap();
    let mut url = url::Url::parse(&place.url()).unwrap();
    let password = url.password().map(str::to_owned);
    url.set_password(None).unwrap();
    let database = Database::parse(url.as_str(), std::path::Path::new("/")).unwrap();
    let store = open(&database, password.as_deref(), Role::Daemon).await.unwrap();
    is_brought_up_to_date(&store).await;
    store.close().await;

    let one = async |conn: &mut PgConnection, text| sqlx::query_scalar::<_, i64>(text).fetch_one(conn).await.unwrap();
    assert_eq!((one(&mut conn, LETTERS).await, one(&mut conn, WHOSE).await), (8, 8));
    assert_eq!(sqlx::query_scalar::<_, String>(FLOOR).fetch_one(&mut conn).await.unwrap(), "6");
    for (number, is_taken) in [(1, true), (0, false), (1, false), (2, true)] {
        assert_eq!(sqlx::raw_sql(round(number)).execute(&mut conn).await.is_ok(), is_taken, "{number}");
    }
    // As a daemon of the third schema would claim, in the seconds before its next sign of life.
    let claim = "INSERT INTO letter (invitation_id, ordinal, kind, phase, attempts, owner, relay, claimed_at) \
        VALUES (2, 1, 'invitation', 'claimed', 1, 'old', 'default', 1)";
    let refused = sqlx::raw_sql(claim).execute(&mut conn).await.unwrap_err().to_string();
    assert!(refused.contains("\"shop\""), "{refused}");
}

/// A file as a program of the third schema would leave it, with what `rows` puts into it.
pub(super) async fn old_file(path: &std::path::Path, rows: &'static str) {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true).foreign_keys(true);
    let mut conn = options.connect().await.unwrap();
    sqlx::raw_sql("PRAGMA journal_mode = WAL").execute(&mut conn).await.unwrap();
    sqlx::migrate!("src/store/sqlite/migrations").run_to(3, &mut conn).await.unwrap();
    assert_eq!(conn.list_applied_migrations("_sqlx_migrations").await.unwrap().len(), 3);
    sqlx::raw_sql(rows).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}
