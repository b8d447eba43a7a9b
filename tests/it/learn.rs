//! `invited template learn` as a person runs it: what it prints, where it saves, and when it does not.

use std::path::Path;

use crate::program::{Ran, command, run};

const CLI: &str = include_str!("../../docs/cli.md");

fn sample(name: &str) -> String {
    format!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/learn/{}.eml"), name)
}

fn learn(folder: &Path, words: &[&str]) -> Ran {
    run(command().args(["template", "learn"]).args(words).current_dir(folder))
}

#[test]
fn a_template_is_saved_once_and_reads_the_shops_other_mails() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (sample("table-labels/one"), sample("table-labels/two"));
    let words = [one.as_str(), "--reference", "LN-2204", "--try", &two];
    let asked = learn(folder.path(), &words).ended(0);
    assert!(asked.out.contains("Not saved") && asked.out.contains("[[mail.reference]]"), "{}", asked.out);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "without a terminal nobody is asked");

    let saved = learn(folder.path(), &[&words[..], &["--yes"]].concat()).ended(0);
    for part in ["Saved as lanternen.toml", "LN-2391", "template reference.label"] {
        assert!(saved.out.contains(part), "{part} is not in {}", saved.out);
    }
    let read =
        run(command().args(["template", "explain", "--json", "--templates", ".", &two]).current_dir(folder.path()));
    let read = &read.ended(0).json()[0];
    assert_eq!((&read["template"], &read["reference"]), (&"lanternen".into(), &"LN-2391".into()), "{read}");

    let before = std::fs::read(folder.path().join("lanternen.toml")).unwrap();
    let again = learn(folder.path(), &[&words[..], &["--yes"]].concat()).ended(1);
    assert!(again.err.contains("is there already") && again.err.contains("--out"), "{}", again.err);
    assert_eq!(std::fs::read(folder.path().join("lanternen.toml")).unwrap(), before);
    learn(folder.path(), &[&words[..], &["--yes", "--as", "Lykta & Ljus", "--out", "own.toml"]].concat()).ended(0);
    assert!(std::fs::read_to_string(folder.path().join("own.toml")).unwrap().contains("name = \"lykta-ljus\""));
}

#[test]
fn what_goes_wrong_is_said_and_nothing_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    let one = sample("running-text/one");
    for (words, code, wanted) in [
        (vec![one.as_str(), "--reference", "12345", "--yes"], 1, "sample 1: reference: it stands nowhere"),
        // The greeting names somebody else.
        (
            vec![&one, "--reference", "770241", "--name", "Somebody Else", "--yes"],
            1,
            "sample 1: customer_name: it finds",
        ),
        (vec![&one, &one, "--reference", "770241"], 2, "--reference is given 1 time for 2 files"),
        (vec![&one, "--reference", "770241", "--event", "sold"], 2, "use one of placed"),
        (vec!["nowhere.eml", "--reference", "1"], 1, "nowhere.eml cannot be read"),
        (vec![&one, "--reference", "770241", "--config", "nowhere.toml"], 78, "nowhere.toml"),
    ] {
        let ran = learn(folder.path(), &words).ended(code);
        assert!(ran.err.contains(wanted), "{wanted}: {}", ran.err);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{wanted}");
    }
}

#[test]
fn template_learn_has_the_promised_names() {
    let folder = tempfile::tempdir().unwrap();
    let one = sample("header-row/one");
    let words = ["--json", &one, "--reference", "VF-2026-118", "--shop-domain", "verger-fils.example", "--yes"];
    let rows = learn(folder.path(), &words).ended(0).json();
    let section = CLI.split("## `template learn`").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    let names = |row: &serde_json::Value| row.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let wanted = [
        "file",
        "tried",
        "outcome",
        "event",
        "template",
        "reference",
        "email",
        "name",
        "order_date",
        "products",
        "reason",
    ];
    assert_eq!(
        (names(&rows[0]), names(&rows[1])),
        (wanted.map(str::to_owned).into(), ["name", "text", "faults", "saved"].map(str::to_owned).into())
    );
    for name in names(&rows[0]).iter().chain(&names(&rows[1])) {
        assert!(section.contains(&format!("`{name}`")), "docs/cli.md tells of {name}");
    }
    assert_eq!((&rows[0]["products"], &rows[1]["saved"]), (&2.into(), &"verger-fils.toml".into()));
}
