//! What needs no second engine: how rows are weighed, compared and summed up, and that no table or column is left behind.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, ConnectOptions, Row as _, sqlite::SqliteConnectOptions};

use super::rows::{Cell, ROWS_AT_MOST};
use super::*;

fn row(id: i64, text: &str) -> Row {
    Row { id, cells: vec![Cell::Text(text.to_owned()), Cell::Null, Cell::Int(-1), Cell::Bytes(vec![0, 255])] }
}

#[test]
fn there_is_room_for_rows_up_to_a_number_and_up_to_a_size() {
    let mega = 1024 * 1024;
    let even = |count: i64, bytes: i64| (1..=count).map(|id| (id * 2, bytes)).collect::<Vec<_>>();
    for (weights, last, is_all) in [
        (vec![], None, true),
        (vec![(7, 0)], Some(7), true),
        // One row alone may be as large as it is.
        (vec![(7, 90 * mega)], Some(7), true),
        (vec![(7, 90 * mega), (8, 1)], Some(7), false),
        (vec![(7, 2 * mega), (8, 2 * mega), (9, 1)], Some(8), false),
        (even(ROWS_AT_MOST - 1, 0), Some(2 * (ROWS_AT_MOST - 1)), true),
        // Nobody knows whether more come behind a full page.
        (even(ROWS_AT_MOST, 0), Some(2 * ROWS_AT_MOST), false),
        (even(ROWS_AT_MOST, mega), Some(8), false),
    ] {
        let room = room(&weights);
        assert_eq!((room.last, room.is_all), (last, is_all), "{} rows", weights.len());
    }
}

#[test]
fn a_repair_makes_the_target_what_the_source_is() {
    let source = [row(2, "a"), row(3, "b"), row(5, "c"), row(6, "d")];
    for (target, write, remove) in [
        (vec![], vec![2, 3, 5, 6], vec![]),
        (source.to_vec(), vec![], vec![]),
        (vec![row(1, "x"), row(2, "a"), row(3, "B"), row(4, "y"), row(6, "d"), row(9, "z")], vec![3, 5], vec![1, 4, 9]),
        (vec![row(7, "x"), row(8, "y")], vec![2, 3, 5, 6], vec![7, 8]),
    ] {
        let repair = Repair::between(&source, &target);
        assert_eq!(repair.write.iter().map(|row| row.id).collect::<Vec<_>>(), write);
        assert_eq!(repair.remove, remove);
        assert_eq!(repair.is_empty(), write.is_empty() && remove.is_empty());
    }
}

#[test]
fn a_checksum_knows_every_value_its_kind_and_its_place() {
    let sum = |rows: &[Row]| {
        let mut digest = Digest::default();
        rows.iter().for_each(|row| digest.add(std::slice::from_ref(row)));
        digest.end()
    };
    let cells = |cells: Vec<Cell>| sum(&[Row { id: 1, cells }]).checksum;
    assert_eq!(sum(&[]).checksum, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    let mut together = Digest::default();
    together.add(&[row(1, "a"), row(2, "b")]);
    assert_eq!(together.end(), sum(&[row(1, "a"), row(2, "b")]), "ranges leave no trace");
    let different = [
        sum(&[row(1, "a"), row(2, "b")]).checksum,
        sum(&[row(2, "b"), row(1, "a")]).checksum,
        sum(&[row(1, "a")]).checksum,
        sum(&[row(3, "a")]).checksum,
        cells(vec![]),
        cells(vec![Cell::Null]),
        cells(vec![Cell::Null, Cell::Null]),
        cells(vec![Cell::Int(0)]),
        cells(vec![Cell::Int(1)]),
        cells(vec![Cell::Text(String::new())]),
        cells(vec![Cell::Bytes(vec![])]),
        cells(vec![Cell::Text("ab".to_owned()), Cell::Text("c".to_owned())]),
        cells(vec![Cell::Text("a".to_owned()), Cell::Text("bc".to_owned())]),
        cells(vec![Cell::Text("abc".to_owned())]),
    ];
    assert_eq!(different.iter().collect::<BTreeSet<_>>().len(), different.len());
}

#[tokio::test]
async fn every_column_of_every_table_moves_but_for_what_belongs_to_one_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("invited.db");
    File::new(&path).create().await.unwrap();
    let mut conn = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let tables = sqlx::query("SELECT name FROM sqlite_schema WHERE type = 'table'").fetch_all(&mut conn).await.unwrap();
    let mut moving = TABLES.iter().map(|table| table.name).collect::<BTreeSet<_>>();
    for name in tables.iter().map(|row| row.get::<&str, _>(0)) {
        let stays = ["daemon", "report", "turn", "property", "sqlite_sequence", "_sqlx_migrations"].contains(&name);
        assert_ne!(moving.remove(name), stays, "{name} either moves or stays");
    }
    assert!(moving.is_empty(), "{moving:?} are no tables");
    for table in TABLES {
        let sql = AssertSqlSafe(format!("SELECT name FROM pragma_table_info('{}')", table.name));
        let columns = sqlx::query(sql).fetch_all(&mut conn).await.unwrap();
        let columns = columns.iter().map(|row| row.get(0)).collect::<BTreeSet<&str>>();
        assert_eq!(table.columns.iter().copied().collect::<BTreeSet<_>>(), columns, "{}", table.name);
    }
}

#[tokio::test]
async fn ranges_are_found_by_their_numbers_whatever_the_size_of_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("invited.db");
    File::new(&path).create().await.unwrap();
    let mut conn = Engine::Sqlite(File::new(&path)).connect_to_read().await.unwrap();
    for table in TABLES {
        for statement in [table.last, table.weigh, table.read, table.write, table.remove] {
            for step in conn.plan(statement).await {
                let walks = step.starts_with(&format!("SCAN {}", table.name)) || step.contains("TEMP B-TREE");
                assert!(!walks, "{}: {step}", statement.sqlite);
            }
        }
    }
}
