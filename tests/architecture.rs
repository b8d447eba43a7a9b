//! Holds the arrows between the rooms of the house (ARCHITECTURE.md): which room may import which, what a pure room may not
//! name, and that no room is missing from the table.
#![expect(clippy::unwrap_used, reason = "what a test does not expect is its failure")]

use std::fs;
use std::path::{Path, PathBuf};

/// Every room, lowest first, with the rooms that it may import. A room can only name rooms above it in this table, so a circle
/// cannot even be written down.
const ROOMS: &[(&str, &[&str], Purity)] = &[
    ("domain", &[], Purity::Pure),
    ("document", &[], Purity::Pure),
    ("table", &["domain"], Purity::Pure),
    ("link", &["domain"], Purity::Pure),
    ("config", &["domain", "document", "link"], Purity::Pure),
    ("read", &["domain", "document"], Purity::Pure),
    ("wording", &["domain", "document"], Purity::Pure),
    ("letter", &["domain", "document", "link", "wording"], Purity::Pure),
    ("page", &["domain", "document", "wording"], Purity::Pure),
    ("clock", &["domain"], Purity::Shell),
    ("meter", &[], Purity::Shell),
    ("crowd", &[], Purity::Shell),
    ("store", &["domain", "config", "meter"], Purity::Shell),
    ("send", &["domain", "config", "letter"], Purity::Shell),
    ("proof", &["domain"], Purity::Shell),
    (
        "ops",
        &[
            "domain", "document", "table", "config", "read", "link", "letter", "page", "clock", "meter", "store",
            "send", "proof",
        ],
        Purity::Shell,
    ),
    ("door", &["domain", "config", "meter", "crowd", "ops"], Purity::Shell),
    ("http", &["domain", "config", "link", "page", "clock", "meter", "crowd", "store", "ops"], Purity::Shell),
    ("scheduler", &["domain", "config", "clock", "store", "ops"], Purity::Shell),
    (
        "app",
        &[
            "domain",
            "document",
            "table",
            "config",
            "read",
            "link",
            "letter",
            "page",
            "clock",
            "meter",
            "store",
            "send",
            "proof",
            "ops",
            "door",
            "http",
            "scheduler",
        ],
        Purity::Shell,
    ),
    (
        "cli",
        &[
            "domain",
            "document",
            "table",
            "config",
            "read",
            "link",
            "letter",
            "page",
            "clock",
            "meter",
            "store",
            "send",
            "proof",
            "ops",
            "door",
            "http",
            "scheduler",
            "app",
        ],
        Purity::Shell,
    ),
];

#[derive(PartialEq)]
enum Purity {
    Pure,
    Shell,
}

/// Words that would give a pure room a clock, a file, a socket or a thread.
const IMPURE: &[&str] = &[
    "std::fs",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "ToSocketAddrs",
    "std::env",
    "std::thread",
    "std::process",
    "SystemTime",
    "Instant",
    "tokio",
    "sqlx",
    "lettre",
    "getrandom",
    "Timestamp::now",
    "Zoned::now",
];

#[test]
fn rooms_import_only_rooms_above_them() {
    let mut faults = Vec::new();
    for (index, (room, may, _)) in ROOMS.iter().enumerate() {
        for allowed in *may {
            if !ROOMS[..index].iter().any(|(above, ..)| above == allowed) {
                faults.push(format!("the table lets {room} import {allowed}, which does not stand above it"));
            }
        }
        for file in sources(room) {
            for (number, line) in code_lines(&file) {
                for named in crate_names(&line) {
                    if named != *room && !may.contains(&named.as_str()) {
                        faults.push(format!("{}:{number}: {room} may not import {named}", file.display()));
                    }
                }
                if line.contains("super::super") {
                    faults.push(format!("{}:{number}: name the room instead of climbing", file.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn pure_rooms_have_no_clock_no_files_and_no_sockets() {
    let mut faults = Vec::new();
    for (room, _, purity) in ROOMS {
        if *purity == Purity::Shell {
            continue;
        }
        for file in sources(room) {
            for (number, line) in code_lines(&file) {
                for word in IMPURE {
                    if line.contains(word) {
                        faults.push(format!("{}:{number}: {word} in the pure room {room}", file.display()));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Ways out of the process, with the rooms that may take them: to the configured relays, and to the resolvers of this machine.
const WAYS_OUT: &[(&str, &[&str])] = &[
    ("TcpStream::connect", &["send"]),
    ("TcpSocket", &[]),
    ("UdpSocket", &[]),
    ("hickory_resolver", &["proof", "send"]),
    ("hyper::client", &[]),
];

#[test]
fn nothing_that_stands_in_a_mail_can_make_the_daemon_connect_anywhere() {
    let mut faults = Vec::new();
    for (room, ..) in ROOMS {
        for file in sources(room).into_iter().filter(|file| !is_of_tests(file)) {
            for (number, line) in code_lines(&file) {
                for (way, may) in WAYS_OUT {
                    if line.contains(way) && !may.contains(room) {
                        faults.push(format!("{}:{number}: {way} in the room {room}", file.display()));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// sqlx takes text that is no constant only when somebody says `AssertSqlSafe`.
#[test]
fn statements_are_constants_and_values_are_bound() {
    // Where a test asks the engines how they would carry out each statement.
    let plans = Path::new("src/store/sql/connection.rs");
    let mut faults = Vec::new();
    for (room, ..) in ROOMS {
        for file in sources(room).into_iter().filter(|file| !is_of_tests(file) && !file.ends_with(plans)) {
            for (number, line) in code_lines(&file) {
                if line.contains("AssertSqlSafe") || line.contains("SqlSafeStr") {
                    faults.push(format!("{}:{number}: a statement that is put together", file.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_room_is_in_the_table() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(src).unwrap() {
        let path = entry.unwrap().path();
        let room = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if room != "lib" && room != "main" {
            assert!(ROOMS.iter().any(|(name, ..)| *name == room), "src/{room} is no room of the table");
        }
    }
}

/// The test module of a file is left out: tests may read fixtures and drive rooms below and above.
fn code_lines(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).unwrap();
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(index, line)| (index + 1, line.to_owned()))
        .collect()
}

/// Whether it lies in a room's folder of tests.
fn is_of_tests(file: &Path) -> bool {
    file.parent().is_some_and(|folder| folder.ends_with("tests"))
}

fn crate_names(line: &str) -> Vec<String> {
    line.match_indices("crate::")
        .filter(|(at, _)| !line[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        .map(|(at, found)| {
            line[at + found.len()..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
        })
        .filter(|name| !name.is_empty())
        .collect()
}

fn sources(room: &str) -> Vec<PathBuf> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let alone = src.join(format!("{room}.rs"));
    if alone.exists() {
        files.push(alone);
    }
    let mut folders = vec![src.join(room)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && path.file_stem().unwrap() != "tests"
            {
                files.push(path);
            }
        }
    }
    files
}
