//! `invited template`: the craft of templates from the command line, and what it promises to scripts.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::cli::promised;
use crate::kit::until;
use crate::program::{BCC, Dialog, Site, command, run};
use crate::relay::{Act, TestRelay};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/mail");

/// Copies a fixture into a test set, with another expected result where one is given.
fn sample(set: &Path, place: &str, name: &str, expected: Option<&str>) {
    let to = set.join(place);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    let from = Path::new(FIXTURES).join(name);
    fs::copy(from.with_extension("eml"), to.with_extension("eml")).unwrap();
    let expected = expected.map_or_else(|| fs::read_to_string(from.with_extension("json")).unwrap(), str::to_owned);
    fs::write(to.with_extension("json"), expected).unwrap();
}

#[test]
fn a_test_set_that_is_read_as_expected_ends_with_0_and_a_difference_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("mail-tests");
    sample(&set, "acme/good", "generic/headers-number-de-1", None);
    let ran = run(command().args(["template", "test"]).arg(&set)).ended(0);
    assert!(ran.out.contains("PLATFORM") && ran.out.contains("acme"), "{ran:?}");
    sample(
        &set,
        "acme/other",
        "generic/headers-number-de-1",
        Some("{\"outcome\": \"event\", \"name\": \"Someone Else\"}"),
    );
    let ran = run(command().args(["template", "test"]).arg(&set)).ended(1);
    assert!(ran.out.contains("acme/other.eml: name: got ") && ran.out.contains(", wanted Someone Else"), "{ran:?}");
    assert!(!ran.out.contains("acme/good.eml"), "{ran:?}");
    assert!(ran.err.contains("1 mail of 2 not read as expected"), "{ran:?}");

    // Beside the folder of templates, when none is named.
    let templates = folder.path().join("templates");
    fs::create_dir(&templates).unwrap();
    let rows = run(command().args(["template", "test", "--json", "--templates"]).arg(&templates)).ended(1).json();
    let begins = "- `template test --json`";
    rows.iter().for_each(|row| promised(row, &["file", "platform", "right", "differences"], begins));
    assert_eq!(rows.iter().map(|row| row["right"].clone()).collect::<Vec<_>>(), [true, false]);
    promised(&rows[1]["differences"][0], &["field", "got", "wanted"], begins);
    let ran = run(command().args(["template", "test"])).ended(2);
    assert!(ran.err.contains("which mails? Name their folder"), "{ran:?}");
}

#[test]
fn a_test_set_that_cannot_be_used_ends_with_78_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let said = |words: &str| {
        let ran = run(command().args(["template", "test"]).arg(folder.path())).ended(78);
        assert!(ran.err.contains(words), "{words}: {ran:?}");
    };
    said("holds no mails; save mails as NAME.eml");
    sample(folder.path(), "a", "generic/headers-number-de-1", Some("{\n  \"outcom\": \"event\"\n}"));
    said("a.json: does not say what is to become of the mail");
    sample(folder.path(), "a", "generic/headers-number-de-1", Some("{\n  \"outcome\": \"evnt\"\n}"));
    said("a.json:2:19: unknown variant `evnt`");
    fs::remove_file(folder.path().join("a.json")).unwrap();
    said("a.eml: has no expected result beside it");
}

#[test]
fn a_score_counts_with_the_templates_and_without() {
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path();
    sample(set, "sylius/order", "sylius/placed-de-1", None);
    sample(set, "none/negative", "sylius/placed-de-1", Some("{\"kind\": \"negative\"}"));
    let begins = "- `template score --json`";
    let score = |words: &[&str]| run(command().args(["template", "score"]).arg(set).args(words)).ended(0);
    let rows = score(&["--json"]).json();
    let figure = |templates: &str, platform: &Value, field: &str| {
        let found = rows.iter().find(|row| {
            row["templates"] == templates
                && row["platform"] == *platform
                && row["field"] == field
                && row["of"] != Value::Null
        });
        let row = found.unwrap_or_else(|| panic!("{templates} {platform} {field}: {rows:?}"));
        promised(row, &["templates", "platform", "field", "right", "unused", "missing", "wrong", "of"], begins);
        ["right", "unused", "missing", "wrong", "of"].map(|key| row[key].as_u64().unwrap())
    };
    assert_eq!(figure("all", &"sylius".into(), "event"), [1, 0, 0, 0, 1]);
    assert_eq!(figure("all", &Value::Null, "set_aside"), [0, 0, 0, 1, 1]);
    figure("generic", &"sylius".into(), "reference");
    let harm = rows.iter().find(|row| row["misused"] == true).unwrap();
    promised(harm, &["templates", "file", "field", "got", "wanted", "misused"], begins);
    assert_eq!((&harm["file"], &harm["field"]), (&"none/negative.eml".into(), &"set_aside".into()));

    let sets = |words: &[&str]| {
        let mut sets = score(&[words, &["--json"]].concat())
            .json()
            .iter()
            .map(|row| row["templates"].to_string())
            .collect::<Vec<_>>();
        sets.dedup();
        sets
    };
    assert_eq!(sets(&["--generic-only"]), ["\"generic\""]);
    assert_eq!(sets(&["--without", "sylius"]), ["\"without sylius\"", "\"generic\""]);
    let text = score(&[]).out;
    for words in [
        "WITH TEMPLATES: RIGHT",
        "GENERIC ONLY: RIGHT",
        "with templates: 1 that would do harm",
        "would use order placed",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let ran = run(command().args(["template", "score", "--without", "acme"]).arg(set)).ended(2);
    assert!(ran.err.contains("there is no template \"acme\"; there are "), "{ran:?}");
}

#[test]
fn the_list_tells_where_each_template_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let template = |name: &str| {
        format!(
            "name = \"{name}\"\ntitle = \"Acme\"\n[[checked]]\nversions = \"3\"\nlanguages = [\"en\", \"sv\"]\n[[match]]\nheader = \"X-Acme\"\n\
             [[mail]]\nname = \"order\"\nevent = \"placed\"\nwhen = {{ subject = \"order\" }}\n"
        )
    };
    for name in ["acme", "sylius"] {
        fs::write(folder.path().join(name).with_extension("toml"), template(name)).unwrap();
    }
    let list = || {
        let mut list = command();
        list.args(["template", "list", "--templates"]).arg(folder.path());
        list
    };
    let rows = run(list().arg("--json")).ended(0).json();
    let begins = "## `template list --json`";
    rows.iter().for_each(|row| promised(row, &["name", "title", "mails", "checked", "origin", "file"], begins));
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    for (name, origin) in [("acme", "folder"), ("sylius", "overrides"), ("shopify", "shipped"), ("generic", "shipped")]
    {
        assert_eq!(row(name)["origin"], origin, "{name}");
        assert_eq!(row(name)["file"].is_null(), origin == "shipped", "{name}");
    }
    promised(&row("acme")["mails"][0], &["name", "event"], begins);
    promised(&row("acme")["checked"][0], &["versions", "languages"], begins);
    let text = run(&mut list()).ended(0).out;
    assert!(text.contains("3 in en, sv") && text.contains("acme.toml (folder)"), "{text}");
}

#[test]
fn an_explanation_shows_the_mail_and_every_rule_in_colour_only_where_it_is_wanted() {
    let mail = format!("{FIXTURES}/sylius/placed-de-1.eml");
    let explain = |environment: Option<(&str, &str)>| {
        let mut explain = command();
        explain
            .args(["template", "explain", &mail])
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE")
            .envs(environment);
        run(&mut explain).ended(0).out
    };
    let text = explain(None);
    for words in [
        "Subject: ",
        "rules of generic",
        "own letter",
        "rules of sylius",
        "holds by when[0]",
        "000004410",
        "event, order placed",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains('\u{1b}'), "a file or a pipe wants no colours");
    assert!(explain(Some(("CLICOLOR_FORCE", "1"))).contains("\u{1b}[1m"), "a terminal wants them");
    let brief = run(command().args(["template", "explain", "--brief", &mail])).ended(0).out;
    assert!(brief.contains("event, order placed") && !brief.contains("rules of"), "{brief}");
}

#[test]
fn a_check_tells_errors_and_doubts_with_their_places() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let check = |words: &[&str]| run(command().args(["template", "check"]).args(words).arg(folder.path()));
    let good = "name = \"acme\"\n[[match]]\nheader = \"X-Acme\"\n[[mail]]\nname = \"order\"\nevent = \"placed\"\nwhen = { subject = \"order\" }\n";
    file("acme.toml", good);
    assert!(check(&["--deny-warnings"]).ended(0).out.contains("1 file, 0 warnings"));

    file("acme.toml", &good.replace("\"order\" }", "[\"order\", \"order two\"] }"));
    let doubt = "acme.toml:7:30: mail[0].when.subject[1]: stands only where \"order\" stands, which is enough; leave one of them out";
    let ran = check(&[]).ended(0);
    assert!(ran.out.contains(doubt) && ran.out.contains("1 file, 1 warning"), "{ran:?}");
    let ran = check(&["--deny-warnings"]).ended(1);
    assert!(ran.out.contains(doubt) && ran.err.contains("1 warning"), "{ran:?}");
    let begins = "## `template check --json`";
    let row = &check(&["--json"]).ended(0).json()[0];
    promised(row, &["severity", "file", "line", "column", "key", "what", "remedy"], begins);
    assert_eq!((&row["severity"], &row["line"], &row["column"]), (&"warning".into(), &7.into(), &30.into()));

    file("broken.toml", "name = \"broken\"\n[[match]]\nsubjct = \"x\"\n");
    let ran = check(&["--json"]).ended(78);
    assert!(
        ran.err.contains("broken.toml:3:1: match[0].subjct: is no key of this table; did you mean \"subject\"?"),
        "{ran:?}"
    );
    assert_eq!(ran.json()[0]["severity"], "error");
    run(command().args(["template", "check", "--deny-warnings"])).ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_reload_a_template_with_a_mistake_goes_on_as_it_was_and_the_others_are_new() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[("hold_all", "true"), ("templates", "\"templates\"")]).await;
    fs::create_dir(site.path("templates")).unwrap();
    let template = |name: &str, word: &str| {
        let text = format!(
            "name = \"{name}\"\n[[match]]\nheader = \"X-Shop: {name}\"\n[[mail]]\nname = \"order\"\nevent = \"placed\"\n\
             when = {{ subject = [\"Grazie\", \"Grazie mille\"] }}\n[[reference]]\ntext = '{word} (?P<value>\\d+)'\n"
        );
        fs::write(site.path("templates").join(name).with_extension("toml"), text).unwrap();
    };
    ["acme", "other"].map(|name| template(name, "old"));
    let service = site.serve().await;
    service.says("acme.toml:7:31: mail[0].when.subject[1]: stands only where").await;

    template("other", "new");
    fs::write(site.path("templates/acme.toml"), "name = \"acme\"\n[[match]]\nheadr = \"X\"\n").unwrap();
    fs::write(site.path("templates/third.toml"), "name = third\n").unwrap();
    let told = site.run(&["check", "--offline", "--reload"]).ended(0).out;
    assert!(told.contains("warn   template") && told.contains("acme.toml:3:1"), "{told}");
    site.run(&["check", "--offline"]).ended(78);

    service.signal("HUP");
    service.says("acme.toml:3:1: match[0].headr: is no key of this table; did you mean \"header\"?").await;
    service.says("third.toml:1:8: ").await;
    service.says("the templates with these mistakes go on as they were").await;
    service.says("the configuration was reloaded").await;
    let mut dialog = Dialog::open(service.address).await.unwrap();
    for name in ["acme", "other"] {
        let mail = format!(
            "From: shop@shop.example.com\r\nTo: {name}@customer.example.net\r\nSubject: Grazie\r\nX-Shop: {name}\r\n\r\nold 11 new 22\r\n"
        );
        assert!(dialog.mail(BCC, mail.as_bytes()).await.unwrap().starts_with("250 "));
    }
    for (reference, name) in [("11", "acme"), ("22", "other")] {
        let found = until("it is read", async || {
            site.invitations().await.into_iter().find(|one| one.customer.email.as_str().starts_with(name))
        });
        assert_eq!(found.await.reference.as_str(), reference, "{name}");
    }
    service.stop().await;
}
