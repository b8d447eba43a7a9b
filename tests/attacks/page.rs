//! That the page about attacks names tests and files that there are.

use std::path::{Path, PathBuf};

const PAGE: &str = include_str!("../../docs/security.md");

/// What stands between backquotes in the last column of the tables.
fn named() -> Vec<&'static str> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| ") && line.contains("` `") || line.contains(".smtp`"));
    rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next())
        .flat_map(|column| column.split('`').skip(1).step_by(2))
        .collect()
}

#[test]
fn every_test_that_the_page_names_is_in_its_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut file, mut tests, mut faults) = (None::<PathBuf>, 0, Vec::new());
    for name in named() {
        if name.contains('/') {
            let path = root.join(name);
            if !path.is_file() {
                faults.push(format!("there is no {name}"));
            }
            file = Some(path);
            continue;
        }
        tests += 1;
        let text = file.as_ref().and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
        if !text.contains(&format!("fn {name}(")) {
            faults.push(format!("{:?} has no test {name}", file.as_deref().unwrap_or(root)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(tests >= 40, "only {tests} tests are named");
}
