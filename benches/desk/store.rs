//! The statements of the store's own source, and how an engine would carry them out on a large queue.

#![allow(dead_code, unused_imports, reason = "only what the desk asks is looked at")]

#[path = "../../src/store/sql/desk_statements.rs"]
pub(crate) mod desk_statements;
#[path = "../../src/store/sql/person_statements.rs"]
pub(crate) mod person_statements;
#[path = "../../src/store/sql/statements.rs"]
pub(crate) mod statements;

use anyhow::{Context as _, Result, ensure};
use sqlx::{AssertSqlSafe, Row as _};

use crate::call::Call;
use crate::queue_fill::Raw;
use desk_statements as look;
use person_statements as persons;
use statements::{self as sql, Statement};

/// Tables that grow with the queue, and the names under which statements mention them.
const LARGE: [&str; 13] = [
    "copy",
    "copy_body",
    "invitation",
    "due",
    "earlier",
    "letter",
    "past",
    "decision",
    "tally",
    "figure",
    "suppression",
    "old",
    "again",
];

/// Indexes of a part of a table that stays small.
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

/// What the store asks for a call.
fn statements_of(call: Call) -> Vec<(&'static str, Statement)> {
    macro_rules! named {
        ($($room:ident :: $name:ident),* $(,)?) => { vec![$((stringify!($name), $room::$name)),*] };
    }
    let moved = || named![sql::MOVE, sql::DECIDED, sql::COUNT_UP];
    let picked = || named![look::PICK];
    let story = || named![look::DECISIONS_ON, look::LETTERS_OF, sql::PAST_LETTERS, sql::SUPPRESSED, sql::PAUSES];
    let with = |mut some: Vec<_>, more: Vec<_>| {
        some.extend(more);
        some
    };
    match call {
        Call::Claim => with(
            named![
                sql::DUE,
                sql::IN_HAND_AT,
                sql::CLAIMED_LATELY,
                sql::PAST_LETTERS,
                sql::SUPPRESSED,
                sql::CLAIM_LETTERS
            ],
            moved(),
        ),
        Call::NextDue => named![sql::NEXT_DUE],
        Call::FirstPage | Call::DeepPage => named![look::LIST_ALL],
        Call::ByState | Call::ByDue | Call::DryRun => with(named![look::IDS_STATE], picked()),
        Call::ByShop | Call::ByShopAndState => with(named![look::IDS_SHOP_STATE], picked()),
        Call::ByEmail => with(named![look::IDS_EMAIL], picked()),
        Call::ByReference => with(named![look::IDS_REFERENCE], picked()),
        Call::ByTemplate | Call::ByTag | Call::ByRareText | Call::ByNoText => named![look::STEP_DOWN, look::WALK],
        Call::ByAge => named![look::LAST_BEFORE, look::FIRST_SINCE, look::STEP_DOWN, look::WALK],
        Call::ExplainAddress => with(named![look::COPIES_OF_EMAIL, look::LIST_EMAIL], story()),
        Call::ExplainReference => with(named![look::COPIES_OF_REFERENCE, look::LIST_REFERENCE], story()),
        Call::ExplainId => with(named![look::INVITATION, look::COPIES_OF_REFERENCE], story()),
        Call::Figures => named![sql::FIGURES_OF_ALL],
        Call::FiguresOfShop => named![sql::FIGURES_OF_SHOP],
        Call::Counts => named![look::COUNT_UNREAD, look::COUNT_HELD, sql::STANDING],
        Call::Cancel => with(named![sql::INVITATIONS_TO_MOVE], moved()),
        Call::Suppressions => named![persons::ENTRIES_BELOW],
    }
}

/// How the engine finds the rows of a call: what it does to each large table, one line a statement.
///
/// # Errors
/// When it would walk over a whole table.
pub(crate) async fn plan(raw: &mut Raw, call: Call) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for (name, statement) in statements_of(call) {
        let steps = match raw {
            Raw::Sqlite(conn) => {
                let text = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", statement.sqlite));
                let rows = sqlx::raw_sql(text).fetch_all(conn).await.context(name)?;
                rows.iter().map(|row| row.try_get::<String, _>("detail")).collect::<Result<Vec<_>, _>>()?
            }
            Raw::Postgres(conn) => {
                let (types, nulls) = parameters(statement.postgres);
                let text = format!(
                    "SET plan_cache_mode = force_generic_plan; PREPARE looked_at {types} AS {}; \
                     EXPLAIN (COSTS OFF) EXECUTE looked_at{nulls}",
                    statement.postgres
                );
                let rows = sqlx::raw_sql(AssertSqlSafe(text)).fetch_all(&mut *conn).await.context(name)?;
                sqlx::raw_sql("DEALLOCATE looked_at").execute(conn).await?;
                rows.iter().map(|row| row.try_get::<String, _>(0)).collect::<Result<Vec<_>, _>>()?
            }
        };
        let walks = walks(&steps);
        ensure!(walks.is_empty(), "{name} walks over a whole table: {walks:?}\n{}", steps.join("\n"));
        let finds = steps.iter().filter(|step| is_about_large(step)).map(|step| shown(step)).collect::<Vec<_>>();
        lines
            .push(format!("{name}: {}", if finds.is_empty() { "no large table".to_owned() } else { finds.join("; ") }));
    }
    Ok(lines)
}

/// The types of a statement's parameters, as far as nothing else tells them, and as many NULLs.
fn parameters(text: &str) -> (String, String) {
    let places = (1..).map(|n| format!("${n}")).take_while(|place| text.contains(place)).collect::<Vec<_>>();
    if places.is_empty() {
        return (String::new(), String::new());
    }
    let is_text = |place: &String| text.contains(&format!("{place} IS NULL"));
    let types = places.iter().map(|place| if is_text(place) { "text" } else { "unknown" }).collect::<Vec<_>>();
    (format!("({})", types.join(", ")), format!("({})", vec!["NULL"; places.len()].join(", ")))
}

fn words(step: &str) -> Vec<&str> {
    step.split_whitespace().collect()
}

fn after<'s>(words: &[&'s str], word: &str) -> Option<&'s str> {
    words.iter().position(|it| *it == word).and_then(|at| words.get(at + 1)).copied()
}

/// The table that a step reads, in either engine's words.
fn table_of(step: &str) -> Option<&str> {
    let words = words(step);
    match words.first().copied() {
        Some("SCAN" | "SEARCH") => words.get(1).copied(),
        _ if step.contains("Scan") && !step.contains("Subquery") => after(&words, "on"),
        _ => None,
    }
}

fn is_about_large(step: &str) -> bool {
    table_of(step)
        .is_some_and(|table| LARGE.contains(&table) || SMALL.contains(&table) || table.starts_with("invitation_"))
}

/// Steps that go over a whole large table, or over all entries of an index of one.
fn walks(steps: &[String]) -> Vec<&str> {
    let is_walk = |(at, step): (usize, &String)| {
        let words = words(step);
        let is_small =
            ["using", "INDEX"].iter().filter_map(|word| after(&words, word)).any(|index| SMALL.contains(&index));
        let is_large = table_of(step).is_some_and(|table| LARGE.contains(&table));
        // PostgreSQL writes the condition below the step; a bitmap of a heap has it one step further down.
        let below = steps.get(at + 1).map_or("", |step| step.trim_start());
        let is_bound =
            step.starts_with("SEARCH") || ["Index Cond", "Recheck Cond"].iter().any(|bound| below.starts_with(bound));
        is_large && !is_small && !is_bound
    };
    steps.iter().enumerate().filter(|step| is_walk(*step)).map(|(_, step)| step.trim()).collect()
}

fn shown(step: &str) -> String {
    step.trim().trim_start_matches("->").trim().to_owned()
}
