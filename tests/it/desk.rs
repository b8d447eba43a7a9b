//! The desk as support staff and scripts use it: the real program on a real database, each verb and each refusal.

use std::io::Write as _;
use std::path::Path;

use invited::clock::Clock;
use invited::domain::{OrderDetails, Product};
use serde_json::Value;
use sqlx::Connection as _;

use crate::cli::promised;
use crate::program::{Ran, Site};
use crate::relay::{Act, TestRelay};

/// What was told to whoever begins the invitations below; the relay is never asked.
async fn site(invitations: &[Row]) -> Site {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[("timezone", "\"Europe/Stockholm\"")]).await;
    add(&site, invitations).await;
    site
}

/// An invitation: its order, its customer, its state, how many days ago it began, and the product.
type Row = (&'static str, &'static str, &'static str, i64, &'static str);

const SEVEN: [Row; 7] = [
    ("A-1", "anna@customer.example", "queued", 40, "Lamp"),
    ("A-2", "bo@customer.example", "queued", 30, "Oak table"),
    ("A-3", "anna@customer.example", "done", 20, "Lamp"),
    ("A-4", "cleo@customer.example", "waiting", 10, "=SUM(A1)"),
    ("A-5", "dan@customer.example", "held", 5, "Lamp"),
    ("1", "eva@customer.example", "queued", 3, "Tea, green"),
    ("A-7", "fay@customer.example", "cancelled", 1, "Lamp"),
];

async fn add(site: &Site, rows: &[Row]) {
    let mut conn = site.sql().await;
    let now = Clock::System.now().0;
    for (reference, email, state, age, product) in rows {
        let product = Product { name: (*product).to_owned(), ..Product::default() };
        let order = OrderDetails {
            products: vec![product],
            template: Some("own".to_owned()),
            tags: vec![format!("day{age}")],
            ..OrderDetails::default()
        };
        let begun = now - age * 86_400_000;
        let due = ["queued", "waiting"].contains(state).then_some(now + 7 * 86_400_000);
        let insert = "INSERT INTO invitation (shop, reference, reference_key, email, email_key, name, details, state, due_at, \
            expires_at, letters_sent, attempts, created_at, updated_at) \
            VALUES ('shop', $1, lower($1), $2, $2, 'Anna \u{d6}berg', $3, $4, $5, NULL, 0, 0, $6, $6)";
        let query = sqlx::query(insert).bind(*reference).bind(*email).bind(serde_json::to_string(&order).unwrap());
        query.bind(*state).bind(due).bind(begun).execute(&mut conn).await.unwrap();
    }
    conn.close().await.unwrap();
}

fn ids(ran: &Ran) -> Vec<i64> {
    ran.json().iter().filter_map(|row| row["id"].as_i64()).collect()
}

fn states(site: &Site) -> Vec<String> {
    let mut rows = site.run(&["queue", "list", "--json"]).ended(0).json();
    rows.reverse();
    rows.iter().map(|row| row["state"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_means_the_same_for_lists_exports_and_changes() {
    let site = site(&SEVEN).await;
    let before = states(&site);
    for (words, wanted) in [
        (&["--shop", "shop"][..], vec![7, 6, 5, 4, 3, 2, 1]),
        (&["--state", "queued", "--state", "held"], vec![6, 5, 2, 1]),
        (&["--email", "ANNA@customer.example"], vec![3, 1]),
        (&["--reference", "a-4"], vec![4]),
        (&["--template", "own", "--state", "held"], vec![5]),
        (&["--template", "others"], vec![]),
        (&["--tag", "DAY5"], vec![5]),
        (&["--older-than", "15d"], vec![3, 2, 1]),
        (&["--newer-than", "15 days"], vec![7, 6, 5, 4]),
        (&["--since", "25 days", "--until", "4 days"], vec![5, 4, 3]),
        (&["--due-before", "8 days", "--older-than", "15d"], vec![2, 1]),
        (&["--due-after", "8 days"], vec![]),
        (&["--text", "oak TABLE"], vec![2]),
        (&["--text", "\u{f6}BERG", "--state", "done"], vec![3]),
        (&["--text", "Lamp", "--email", "anna@customer.example", "--state", "queued"], vec![1]),
    ] {
        assert_eq!(ids(&site.run(&[&["queue", "list", "--json"], words].concat()).ended(0)), wanted, "{words:?}");
        let export = site.run(&[&["queue", "export", "--json"], words].concat()).ended(0);
        assert_eq!(ids(&export), wanted, "{words:?}");
        let dry = site.run(&[&["queue", "reschedule", "--by", "1 day", "--dry-run", "--json"], words].concat());
        let totals = &dry.json()[0];
        assert_eq!(totals["invitations"], wanted.len(), "{words:?}");
        promised(
            totals,
            &["invitations", "done", "would", "left_alone", "dry_run"],
            "- `queue cancel|reschedule|send-now|reinvite --json`",
        );
    }
    assert_eq!(states(&site), before, "nothing was changed");
    for words in [
        &["--state", "elated"][..],
        &["--older-than", "2026-01-01"],
        &["--since", "yesterday"],
        &["--due-before", "soon"],
        &["--text", " "],
        &["--email", "nobody"],
    ] {
        let ran = site.run(&[&["queue", "list"], words].concat()).ended(2);
        assert!(ran.err.contains(words[0]), "{ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_changed_only_after_it_was_said_how_many_they_are() {
    let site = site(&SEVEN).await;
    let before = states(&site);
    let queued = ["queue", "cancel", "--state", "queued", "--shop", "shop"];
    let asked = site.run(&queued).ended(1);
    assert!(asked.err.contains("Cancel 3 invitations of shop shop?") && asked.err.contains("--yes"), "{asked:?}");
    let dry = site.run(&[&queued[..], &["--dry-run"]].concat()).ended(0);
    assert!(dry.out.contains("3 invitations would be cancelled:") && dry.out.contains("A-2"), "{dry:?}");
    assert_eq!(states(&site), before);
    for words in
        [&["queue", "cancel"][..], &["queue", "cancel", "1", "--shop", "shop"], &["queue", "cancel", "1", "--all"]]
    {
        site.run(words).ended(2);
    }

    let done = site.run(&["queue", "cancel", "--all", "--yes", "--actor", "kim", "--reason", "the end"]).ended(0);
    assert!(done.out.contains("5 invitations cancelled by kim"), "{done:?}");
    assert!(done.out.contains("2 invitations left alone: the invitation has ended"), "{done:?}");
    assert_eq!(states(&site).iter().filter(|state| *state == "cancelled").count(), 6);
    let again = site.run(&["queue", "cancel", "--state", "cancelled", "--yes"]).ended(1);
    assert!(again.err.contains("none of them can be changed"), "{again:?}");
    let nobody = site.run(&["queue", "cancel", "--text", "nobody has this", "--yes"]).ended(0);
    assert_eq!(nobody.out, "No invitations.\n");
    let rows = site.run(&["queue", "send-now", "--state", "cancelled", "--yes", "--json"]).ended(1).json();
    assert_eq!((&rows[0]["done"], &rows[0]["left_alone"]["already-ended"]), (&0.into(), &6.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_person_is_told_who_was_first() {
    let site = site(&SEVEN).await;
    site.run(&["queue", "cancel", "2", "--actor", "anna", "--reason", "wrong parcel"]).ended(0);
    for verb in [&["cancel", "2"][..], &["send-now", "2"], &["reschedule", "2", "--to", "3 days"]] {
        let second = site.run(&[&["queue"], verb].concat()).ended(1);
        let told = second.out.trim_end();
        assert!(told.starts_with("2: invitation 2 was cancelled by anna at 20"), "{told}");
        assert!(told.ends_with(": \"wrong parcel\""), "{told}");
    }
    let row = site.run(&["queue", "cancel", "2", "--json"]).ended(1).json().remove(0);
    assert_eq!(
        (&row["done"], &row["state"], &row["rule"]),
        (&false.into(), &"cancelled".into(), &"already-ended".into())
    );
    assert!(row["why"].as_str().unwrap().contains("by anna"), "{row}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_is_taken_only_when_it_means_one_invitation() {
    let site = site(&SEVEN).await;
    let before = states(&site);
    // The order 1 is the invitation 6, and the invitation 1 is the order A-1.
    let number = site.run(&["queue", "cancel", "4", "1"]).ended(1);
    assert!(number.err.contains("may mean several") && number.err.contains("--id"), "{number:?}");
    assert!(number.err.contains("1: shop, order A-1") && number.err.contains("6: shop, order 1"), "{number:?}");
    let address = site.run(&["queue", "cancel", "anna@customer.example"]).ended(1);
    assert!(address.err.contains("order A-1") && address.err.contains("order A-3"), "{address:?}");
    assert_eq!(states(&site), before, "nothing was changed, also not what was clear");
    for word in ["A-99", "nobody@customer.example", "99"] {
        let none = site.run(&["queue", "show", word]).ended(1);
        assert!(none.err.contains(&format!("there is no invitation {word}")), "{none:?}");
        let none = site.run(&["queue", "cancel", word]).ended(1);
        assert!(none.out.contains(&format!("there is no invitation {word}")), "{none:?}");
    }
    site.run(&["queue", "cancel", "1", "--id"]).ended(0);
    site.run(&["queue", "cancel", "a-2"]).ended(0);
    site.run(&["queue", "cancel", "cleo@customer.example"]).ended(0);
    assert_eq!(states(&site), ["cancelled", "cancelled", "done", "cancelled", "held", "queued", "cancelled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_moved_to_a_time_or_by_a_span_within_90_days() {
    let site = site(&SEVEN).await;
    let due = |id: &str| -> jiff::Timestamp {
        let shown = site.run(&["queue", "show", id, "--id", "--json"]).ended(0).json().remove(0);
        shown["due_at"].as_str().unwrap().parse().unwrap()
    };
    let before = due("2");
    site.run(&["queue", "reschedule", "2", "--by", "2 days"]).ended(0);
    let hours = due("2").duration_since(before).as_hours();
    assert!((47..=49).contains(&hours), "{hours} hours, with or without a change of the clocks");
    site.run(&["queue", "reschedule", "2", "--by", "-2 days"]).ended(0);
    assert_eq!(due("2"), before);
    for (words, code, says) in [
        (&["2", "--by", "89 days"][..], 1, "at most 90 days ahead"),
        (&["2", "--to", "91 days"], 1, "at most 90 days ahead"),
        (&["2", "--by", "-30 days"], 1, "into the past"),
        (&["2", "--to", "2020-01-01"], 1, "in the past"),
        (&["5", "--by", "1 day"], 1, "nothing is due"),
        (&["2", "--by", "soon"], 2, "--by"),
        (&["2", "--by", "0 days"], 2, "--by"),
        (&["2"], 2, "--to"),
        (&["2", "--by", "1 day", "--to", "1 day"], 2, "--by"),
    ] {
        let ran = site.run(&[&["queue", "reschedule"], words].concat()).ended(code);
        assert!(ran.out.contains(says) || ran.err.contains(says), "{words:?}: {ran:?}");
    }
    assert_eq!(due("2"), before, "nothing was changed");
    let moved = site.run(&["queue", "reschedule", "--state", "queued", "--by", "1 week", "--yes"]).ended(0);
    assert!(moved.out.contains("3 invitations moved by 1 week"), "{moved:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_invitation_follows_one_that_has_ended() {
    let site = site(&SEVEN).await;
    let going = site.run(&["queue", "reinvite", "A-2"]).ended(1);
    assert!(going.out.contains("has not ended"), "{going:?}");
    let far = site.run(&["queue", "reinvite", "A-7", "--at", "91 days"]).ended(1);
    assert!(far.out.contains("at most 90 days"), "{far:?}");
    let past = site.run(&["queue", "reinvite", "A-7", "--at", "2020-01-01"]).ended(1);
    assert!(past.err.contains("in the past"), "{past:?}");
    let dry = site.run(&["queue", "reinvite", "A-7", "--dry-run", "--json"]).ended(0).json().remove(0);
    assert_eq!((&dry["done"], &dry["opened"], &dry["state"]), (&false.into(), &Value::Null, &"queued".into()));
    let row = site.run(&["queue", "reinvite", "A-7", "--reason", "a mistake", "--json"]).ended(0).json().remove(0);
    assert_eq!((&row["done"], &row["opened"], &row["rule"]), (&true.into(), &8.into(), &"desk-reinvites".into()));
    let second = site.run(&["queue", "reinvite", "7"]).ended(1);
    assert!(second.out.contains("7: invitation 8 has followed it already"), "{second:?}");
    let (old, new) = (site.run(&["queue", "show", "7"]).ended(0).out, site.run(&["queue", "show", "A-7"]).ended(0).out);
    let has = |text: &str, name: &str, value: &str| {
        text.lines().any(|line| line.trim_start().starts_with(name) && line.trim_end().ends_with(value))
    };
    assert!(has(&old, "followed by", "8") && has(&new, "follows", "7") && has(&new, "id", "8"), "{old}\n{new}");
    let many = site.run(&["queue", "reinvite", "--state", "done", "--yes", "--at", "2 days"]).ended(0);
    assert!(many.out.contains("1 invitation followed by a new one"), "{many:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_rest_until_they_are_resumed_and_lists_say_so() {
    let site = site(&SEVEN).await;
    assert_eq!(site.run(&["queue", "pause", "--list"]).ended(0).out, "Nothing is paused.\n");
    let unknown = site.run(&["queue", "pause", "--shop", "nord"]).ended(1);
    assert!(
        unknown.err.contains("there is no shop \"nord\" in the configuration")
            && unknown.err.contains("there are: shop"),
        "{unknown:?}"
    );
    for words in [&["pause"][..], &["resume"], &["pause", "--all", "--shop", "shop"], &["pause", "--list", "--all"]] {
        site.run(&[&["queue"], words].concat()).ended(2);
    }
    let pause = ["queue", "pause", "--shop", "shop", "--actor", "anna", "--reason", "names are wrong"];
    let paused = site.run(&[&pause[..], &["--json"]].concat()).ended(0).json().remove(0);
    promised(&paused, &["shop", "since", "actor", "reason"], "- `queue pause --json`");
    let second = site.run(&pause).ended(1);
    assert!(
        second.err.contains("Shop shop is paused since") && second.err.contains("nothing was changed"),
        "{second:?}"
    );
    let list = site.run(&["queue", "list"]).ended(0).out;
    let first = list.lines().next().unwrap();
    assert!(
        first.starts_with("Shop shop is paused since 20") && first.ends_with(" by anna: names are wrong"),
        "{list}"
    );
    let all = site.run(&["queue", "pause", "--all"]).ended(0);
    assert!(all.out.starts_with("Everything is paused since"), "{all:?}");
    let resumed = site.run(&["queue", "resume", "--shop", "shop"]).ended(0);
    assert!(
        resumed.out.contains("Letters of shop shop go again") && resumed.out.contains("Everything is paused"),
        "{resumed:?}"
    );
    let row = site.run(&["queue", "resume", "--all", "--json"]).ended(0).json().remove(0);
    promised(&row, &["shop", "done", "paused"], "`queue resume --json`");
    let none = site.run(&["queue", "resume", "--shop", "shop"]).ended(1);
    assert!(none.err.contains("there is no pause of shop shop"), "{none:?}");
    assert!(site.run(&["queue", "list"]).ended(0).out.trim_start().starts_with("ID"));
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_private_whole_and_harmless_to_a_spreadsheet() {
    let site = site(&SEVEN).await;
    let file = site.path("out.csv");
    let out = file.to_str().unwrap();
    let ran = site.run(&["queue", "export", "--out", out]).ended(0);
    assert!(ran.out.is_empty() && ran.err.contains("7 invitations written to"), "{ran:?}");
    assert_eq!(mode(&file), 0o600);
    let csv = std::fs::read_to_string(&file).unwrap();
    let lines = csv.split_terminator("\r\n").collect::<Vec<_>>();
    assert_eq!(lines.len(), 8);
    assert!(lines[0].starts_with("id,shop,reference,email,name,state,due_at,"), "{}", lines[0]);
    assert!(lines[2].contains(",\"Tea, green\","), "{}", lines[2]);
    assert!(lines[4].contains(",'=SUM(A1),"), "{}", lines[4]);

    std::fs::File::options().append(true).open(&file).unwrap().write_all(b"mine").unwrap();
    let refused = site.run(&["queue", "export", "--out", out]).ended(1);
    assert!(refused.err.contains("is there already") && refused.err.contains("--force"), "{refused:?}");
    assert!(std::fs::read_to_string(&file).unwrap().ends_with("mine"), "nothing was changed");
    site.run(&["queue", "export", "--out", out, "--force", "--bom", "--state", "done"]).ended(0);
    let csv = std::fs::read_to_string(&file).unwrap();
    assert!(csv.starts_with("\u{feff}id,") && csv.lines().count() == 2, "{csv}");
    assert_eq!(mode(&file), 0o600);
    site.run(&["queue", "export", "--out", "/nowhere/out.csv"]).ended(1);
    site.run(&["queue", "export", "--force"]).ended(2);
    site.run(&["queue", "export", "--format", "xml"]).ended(2);

    let folder = file.parent().unwrap();
    let parts = std::fs::read_dir(folder)
        .unwrap()
        .filter(|one| one.as_ref().unwrap().path().to_string_lossy().contains(".part"));
    assert_eq!(parts.count(), 0, "nothing is left lying about");
    let line = site.run(&["queue", "export", "--format", "jsonl", "--reference", "A-4"]).ended(0).json().remove(0);
    assert_eq!(line["order"]["products"][0]["name"], "=SUM(A1)", "a program gets what was said");
}
