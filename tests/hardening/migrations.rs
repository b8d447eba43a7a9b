//! Queues of every schema that was released, brought up to date by a daemon that is killed at each write of it.

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

use crate::kit::until;
use crate::program::Site;
use crate::relay::{Act, TestRelay};
use crate::strace::Strace;
use crate::{Part, all, tool};

static MIGRATIONS: Migrator = sqlx::migrate!("src/store/sqlite/migrations");

/// Invitations and copies that every schema can hold; none is due.
const ROWS: &str = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 200) \
    INSERT INTO invitation (shop, reference, reference_key, email, email_key, details, state, letters_sent, attempts, created_at, updated_at) \
    SELECT 'shop', 'A-' || n, 'a-' || n, n || '@example.com', n || '@example.com', '{}', 'done', 1, 0, n, n FROM numbers; \
    INSERT INTO copy (shop, mail_from, rcpt_to, hello, tls, size, received_at, state) \
    SELECT shop, 'o@shop.example', 'x@afs.example', 'mx', 1, 1, id, 'ignored' FROM invitation; \
    INSERT INTO decision (invitation_id, at, event, to_state, rule, actor) \
    SELECT id, id, 'due', 'sending', 'due-letter-claimed', 'daemon' FROM invitation";

async fn opened(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap()
}

async fn number(conn: &mut SqliteConnection, text: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(text.to_owned())).fetch_one(conn).await.unwrap()
}

/// A queue as the release with this schema left it.
async fn queue_of(path: &Path, schema: i64) {
    use std::os::unix::fs::PermissionsExt as _;
    let mut conn = opened(path).await;
    sqlx::raw_sql("PRAGMA journal_mode = WAL; PRAGMA foreign_keys = OFF").execute(&mut conn).await.unwrap();
    MIGRATIONS.run_to(schema, &mut conn).await.unwrap();
    sqlx::raw_sql(ROWS).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes root, tools or time: tests/hardening/run"]
async fn a_daemon_killed_at_any_write_of_an_upgrade_leaves_a_whole_schema_and_the_next_one_ends_it() {
    let _machine = crate::MACHINE.lock().await;
    let Some(part) = Part::begin("upgrades from every schema, killed at every write", &["strace"], true) else {
        return;
    };
    let began = Instant::now();
    let newest = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap();
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::empty(None, relay.address, &[]);
    let file = site.file();
    let (mut kills, mut stood) = (0, std::collections::BTreeMap::<(i64, i64), usize>::new());
    for schema in 1..newest {
        let original = site.path("original.db");
        let _ = std::fs::remove_file(&original);
        queue_of(&original, schema).await;
        for call in ["pwrite64", "fsync"] {
            let step = if all() && schema + 1 == newest || call == "fsync" { 1 } else { 9 };
            for at in (1..).step_by(step) {
                for suffix in ["-wal", "-shm"] {
                    let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
                }
                std::fs::copy(&original, &file).unwrap();
                if !killed_at(&site, call, at).await {
                    break;
                }
                kills += 1;
                let mut conn = opened(&file).await;
                let found = number(&mut conn, "SELECT MAX(version) FROM _sqlx_migrations WHERE success").await;
                let whole = "SELECT COUNT(*) FROM invitation JOIN decision ON decision.invitation_id = invitation.id";
                assert_eq!(number(&mut conn, whole).await, 200, "from {schema}, {call} {at}");
                assert_eq!(number(&mut conn, "SELECT COUNT(*) FROM pragma_foreign_key_check").await, 0);
                // Between the schemas is nothing: it has what its number says.
                let way = number(&mut conn, "SELECT COUNT(*) FROM pragma_table_info('copy') WHERE name = 'way'").await;
                assert_eq!(way == 1, found >= 5, "schema {found} from {schema}, {call} {at}");
                conn.close().await.unwrap();
                *stood.entry((schema, found)).or_default() += 1;
            }
        }
        // The last one was not killed, and is up to date.
        assert_eq!(site.number("SELECT MAX(version) FROM _sqlx_migrations").await, newest);
        assert_eq!(site.integrity().await, "ok");
    }
    assert!(kills > 20, "{kills}");
    part.ran(&format!("{kills} kills, (from, found) {stood:?}, {} s", began.elapsed().as_secs()));
}

/// Starts the daemon with a kill at this call; whether it was met. One that was not is stopped once it listens.
async fn killed_at(site: &Site, call: &str, at: usize) -> bool {
    let addresses = site.path("addresses");
    let _ = std::fs::remove_file(&addresses);
    let mut strace = tokio::process::Command::new("strace");
    strace.arg("-o").arg(site.path("strace")).args(Strace::words(&site.file(), call, "signal=KILL", &at.to_string()));
    strace.arg(env!("CARGO_BIN_EXE_invited")).arg("serve").arg("--config").arg(site.config());
    strace.arg("--addresses").arg(&addresses).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let mut strace = strace.spawn().unwrap();
    let pid = strace.id().unwrap();
    let mut is_over = false;
    until("it is killed or listens", async || {
        is_over = strace.try_wait().unwrap().is_some();
        (is_over || std::fs::read(&addresses).is_ok_and(|text| text.ends_with(b"\n"))).then_some(())
    })
    .await;
    if !is_over {
        let daemon = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        tool("sh", &["-c", &format!("kill -TERM {}", daemon.trim())]).unwrap();
        strace.wait().await.unwrap();
    }
    is_over
}
