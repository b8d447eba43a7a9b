//! A gallery of configurations with mistakes in them. Each file begins with the messages that it must give, all of them, in their
//! order, on lines that begin with `#! `. And the two configurations that ship are read.

use std::fs;
use std::path::{Path, PathBuf};

use invited::config;
use invited::document::Document;

/// Stands in the gallery wherever somebody wrote a secret, in the right place or in a wrong one.
const SECRET: &str = "opensesame";

fn gallery() -> Vec<(String, String)> {
    let folder = root().join("tests/fixtures/bad-config");
    let entries = fs::read_dir(folder).expect("the gallery is there");
    let mut pictures = entries
        .map(|entry| {
            let entry = entry.expect("a folder that can be listed");
            let name = entry.file_name().into_string().expect("a plain file name");
            (name, fs::read_to_string(entry.path()).expect("a text file"))
        })
        .collect::<Vec<_>>();
    pictures.sort();
    pictures
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn messages(name: &str, text: &str) -> Vec<String> {
    match config::parse(&Document::new(name, text), Path::new("/etc/invited")) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn each_mistake_gives_its_message_and_no_other() {
    let mut faults = Vec::new();
    let gallery = gallery();
    for (name, text) in &gallery {
        let expected = text.lines().map_while(|line| line.strip_prefix("#! ")).collect::<Vec<_>>();
        let found = messages(name, text);
        if expected.is_empty() || found != expected {
            faults.push(format!("{name} expects\n  {}\nand gives\n  {}", expected.join("\n  "), found.join("\n  ")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    assert!(gallery.len() >= 30, "the gallery has lost its pictures");
}

#[test]
fn no_message_repeats_a_secret() {
    let mut written = 0;
    for (name, text) in gallery() {
        written += text.to_lowercase().matches(SECRET).count();
        for message in messages(&name, &text) {
            assert!(!message.to_lowercase().contains(SECRET), "{message}");
        }
    }
    assert!(written > 20, "the gallery has no secrets that could be repeated");
}

#[test]
fn what_ships_is_without_mistakes() {
    for name in ["config/invited.toml", "config/minimal.toml"] {
        let text = fs::read_to_string(root().join(name)).unwrap();
        assert_eq!(messages(name, &text), Vec::<String>::new());
    }
}
