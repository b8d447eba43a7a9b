//! Older and newer schemas: what is used, what is brought up to date, and what a kill on the way leaves.

use super::*;

#[tokio::test]
async fn a_newer_schema_is_used_as_long_as_it_says_so_and_an_older_one_is_the_daemons_business() {
    let place = Place::new().await;
    place.run("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'later', 1, x'00', 0)").await;
    place.open().await.close().await;
    place.daemon().await.unwrap().close().await;
    place.run("UPDATE property SET value = '98' WHERE name = 'compatible_from'").await;
    for role in [Role::Desk, Role::Daemon] {
        let refused = open_store(&place.database(), None, role).await.unwrap_err();
        let StoreError::NewerSchema { found, known, .. } = refused else { panic!("{refused}") };
        assert_eq!((found, known), (99, newest_schema()));
    }
    place.run("DELETE FROM _sqlx_migrations").await;
    let refused = open_store(&place.database(), None, Role::Desk).await.unwrap_err();
    assert!(why(&refused).contains("start the daemon"));
}

/// As the first version made it, with what it had in hand when it stopped.
#[tokio::test]
async fn a_queue_of_the_first_schema_is_brought_up_to_date_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("invited.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut conn = options.connect().await.unwrap();
    open::MIGRATIONS.run_to(1, &mut conn).await.unwrap();
    sqlx::raw_sql(
        "PRAGMA journal_mode = WAL; \
         INSERT INTO invitation VALUES (7, 'nord', 'A-1', 'a-1', 'anna@example.com', 'anna@example.com', NULL, '{}', 'sending', \
            NULL, NULL, 0, 1, 1, 1), \
            (8, 'nord', 'A-2', 'a-2', 'bo@example.com', 'bo@example.com', NULL, '{}', 'queued', 5, NULL, 0, 0, 1, 1); \
         INSERT INTO letter VALUES (3, 7, 1, 'invitation', 'claimed', 1, NULL, 'dead', 9, 9, NULL, NULL, NULL); \
         INSERT INTO copy VALUES \
            (1, 'nord', '', 'x', NULL, 'mx', 0, 1, 7200001, 'held', 1, 1, '{\"template\": \"own\", \"reason\": \"unclear\"}', \
                NULL, NULL, NULL), \
            (2, 'nord', '', 'x', NULL, 'mx', 0, 1, 7200002, 'held', 1, 1, 'no JSON', NULL, NULL, NULL), \
            (3, 'nord', '', 'x', NULL, 'mx', 0, 1, 7200003, 'event', 1, 1, '{}', NULL, NULL, 7), \
            (4, 'nord', '', 'x', NULL, 'mx', 0, 1, 7200004, 'unread', 0, NULL, NULL, NULL, NULL, NULL);",
    )
    .execute(&mut conn)
    .await
    .unwrap();
    sqlx::Connection::close(conn).await.unwrap();
    let store = open_store(&Database::Sqlite(path), None, Role::Daemon).await.unwrap();
    let recovered = store.recover("new", Arc::default(), NOW).await.unwrap();
    assert_eq!((recovered.requeued, recovered.in_doubt), (1, 0));
    assert_eq!(store.next_due().await.unwrap(), [(ShopId::parse("nord").unwrap(), Timestamp(5))]);
    assert_eq!(store.counts().await.unwrap().invitations, [(State::Queued, 2)].into());
    // What was held before can be found, and counts.
    for filter in [
        HeldFilter { template: Some("own".to_owned()), ..HeldFilter::default() },
        HeldFilter { reason: Some("unclear".to_owned()), ..HeldFilter::default() },
    ] {
        let found = store.held_copies(&filter, None, 9).await.unwrap();
        assert_eq!(found.iter().map(|copy| copy.id.0).collect::<Vec<_>>(), [1], "{filter:?}");
    }
    let sum = &store.watch_figures().await.unwrap().sums[0];
    assert_eq!((sum.event, sum.held, sum.ignored, sum.last_copy_at), (1, 2, 0, Timestamp(7_200_003)));
    let hours = store.watch_hours(std::slice::from_ref(&sum.shop), Timestamp(0)).await.unwrap();
    assert_eq!(hours.iter().map(|(_, hour)| (hour.begins.0, hour.held)).collect::<Vec<_>>(), [(7_200_000, 2)]);
}

/// Enough rows that there is a middle.
const MANY: &str = "
    WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 2000)
    INSERT INTO invitation SELECT n, 'nord', 'A-' || n, 'a-' || n, n || '@example.com', n || '@example.com', NULL, '{}', 'done', NULL,
        NULL, 1, 0, n, n FROM number;
    INSERT INTO letter (invitation_id, ordinal, kind, phase, attempts, claimed_at)
        SELECT id, 1, 'invitation', 'accepted', 1, id FROM invitation;
    INSERT INTO decision (invitation_id, at, event, to_state, rule, actor)
        SELECT id, id, 'attempt accepted', 'done', 'last-letter-accepted', 'daemon' FROM invitation";

/// Steps of SQLite's machine between two looks.
const STEPS: i32 = 1000;

#[tokio::test]
async fn a_migration_that_is_killed_at_any_point_leaves_the_old_schema_whole() {
    if let Some(path) = childs_path() {
        let (path, last) = path.to_str().unwrap().rsplit_once('#').unwrap();
        let file = File::new(Path::new(path));
        let mut conn = file.connect_to_write().await.unwrap();
        let (last, looks) = (last.parse::<u64>().unwrap(), Arc::new(AtomicU64::new(0)));
        let seen = Arc::clone(&looks);
        conn.lock_handle().await.unwrap().set_progress_handler(STEPS, move || {
            // As a kill would: nothing is written, closed or unlocked any more.
            if seen.fetch_add(1, Ordering::Relaxed) == last {
                std::process::abort();
            }
            true
        });
        file.migrate(&mut conn).await.unwrap();
        println!("\nlooks {}", looks.load(Ordering::Relaxed));
        return;
    }
    let test = "migrations::a_migration_that_is_killed_at_any_point_leaves_the_old_schema_whole";
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old.db");
    crate::store::tests::old_file(&old, MANY).await;
    let run = |last: u64| {
        let path = folder.path().join(format!("{last}.db"));
        fs::copy(&old, &path).unwrap();
        let mut child = child(test, Path::new(&format!("{}#{last}", path.display())));
        let output = child.stderr(std::process::Stdio::null()).output().unwrap();
        (path, String::from_utf8(output.stdout).unwrap())
    };
    let (_, said) = run(u64::MAX);
    let looks = said.lines().find_map(|line| line.strip_prefix("looks ")).unwrap().parse::<u64>().unwrap();
    assert!(looks > 50, "{looks}");
    for part in 0..10 {
        let (path, said) = run(looks * part / 10);
        assert!(!said.contains("looks"), "it was killed");
        let mut conn = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
        let mut one = async |text| sqlx::query_scalar::<_, i64>(text).fetch_one(&mut conn).await;
        // Each schema on the way is whole, and has all that is its own and nothing of the next.
        let version = one("SELECT MAX(version) FROM _sqlx_migrations").await.unwrap();
        assert!([3, 4, 5].contains(&version), "{part}: {version}");
        for (column, since) in [
            ("SELECT COUNT(round) FROM invitation", 4),
            ("SELECT COUNT(*) FROM figure", 4),
            ("SELECT COUNT(proof) FROM copy", 5),
            ("SELECT COUNT(*) FROM sender", 5),
            ("SELECT COUNT(put_off) FROM invitation", 6),
            ("SELECT COUNT(*) FROM review", 6),
        ] {
            assert_eq!(one(column).await.is_ok(), version >= since, "{part}: {column}");
        }
        let whole = "SELECT COUNT(*) FROM invitation JOIN letter ON letter.invitation_id = invitation.id \
            JOIN decision ON decision.invitation_id = invitation.id";
        assert_eq!(one(whole).await.unwrap(), 2000, "{part}");
        sqlx::Connection::close(conn).await.unwrap();
        let store = open_store(&Database::Sqlite(path), None, Role::Daemon).await.unwrap();
        assert_eq!(store.counts().await.unwrap().invitations, [(State::Done, 2000)].into());
        store.check().await.unwrap();
        store.close().await;
    }
}
