//! The commands as scripts and people use them: what they print, the names in their JSON, their exit codes, and that
//! `docs/cli.md` tells of each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use invited::domain::State;
use serde_json::Value;

use crate::kit::{fixtures, order_mail, until};
use crate::program::{BCC, Dialog, Ran, Site, command, run};
use crate::relay::{Act, TestRelay};

const CLI: &str = include_str!("../../docs/cli.md");

/// The names of an object, in their order.
fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap_or_else(|| panic!("{value}")).keys().map(String::as_str).collect()
}

/// The part of `docs/cli.md` under a heading or of a list item that begins with this text.
pub(super) fn section(begins: &str) -> &'static str {
    let start = CLI.find(begins).unwrap_or_else(|| panic!("docs/cli.md has {begins:?}"));
    let rest = &CLI[start..];
    let end = ["\n## ", "\n- "].iter().filter_map(|end| rest[1..].find(end)).min().map_or(rest.len(), |end| end + 1);
    &rest[..end]
}

/// Holds the names against what is promised, and the promise against the code.
#[track_caller]
pub(super) fn promised(value: &Value, wanted: &[&str], begins: &str) {
    assert_eq!(names(value), wanted, "{begins}");
    let section = section(begins);
    for name in wanted {
        assert!(section.contains(&format!("`{name}`")), "docs/cli.md tells of {name} under {begins}");
    }
}

fn at(folder: &Path, words: &[&str]) -> Ran {
    run(command().args(words).current_dir(folder))
}

/// Every file of a folder with its content.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), std::fs::read(&path).unwrap()))
        .collect()
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn init_writes_what_serve_needs_and_a_second_run_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let words =
        ["init", "--domain", "nordljus.example", "--dir", "new/shop", "--delay", "3d", "--listen", "127.0.0.1:0"];
    let first = at(folder.path(), &words).ended(0);
    let shop = folder.path().join("new/shop");
    for name in ["invited.toml", "master.key", "invited.db"] {
        assert_eq!(mode(&shop.join(name)), 0o600, "{name} is its owner's alone");
    }
    let config = std::fs::read_to_string(shop.join("invited.toml")).unwrap();
    let secret = config.lines().find_map(|line| line.strip_prefix("secrets = [\"")).unwrap().trim_end_matches("\"]");
    assert!(first.out.contains(&format!("nordljus+{secret}@invited.nordljus.example")), "{}", first.out);
    for part in [" MX ", "SPF", "DKIM", "10 invited.nordljus.example.", "invited check --config new/shop/invited.toml"]
    {
        assert!(first.out.to_lowercase().contains(&part.to_lowercase()), "{part} is not in {}", first.out);
    }
    assert!(config.contains("delay = \"3 days\""));
    at(folder.path(), &["check", "--offline", "--config", "new/shop/invited.toml"]).ended(0);

    let before = files(&shop);
    let second = at(folder.path(), &words).ended(0);
    assert!(second.out.contains("nothing was changed") && second.out.contains(secret), "{}", second.out);
    let other = at(folder.path(), &[&words[..], &["--name", "Other"]].concat()).ended(1);
    assert!(other.err.contains("nothing was changed") && other.err.contains("--force"), "{}", other.err);
    assert_eq!(files(&shop), before);

    at(folder.path(), &[&words[..], &["--name", "Other", "--force"]].concat()).ended(0);
    let after = files(&shop);
    let config = String::from_utf8(after[&shop.join("invited.toml")].clone()).unwrap();
    assert!(config.contains("name = \"Other\"") && config.contains(secret), "the BCC address stays");
    assert_eq!(mode(&shop.join("invited.toml")), 0o600);
    for name in ["master.key", "invited.db"] {
        assert_eq!(after[&shop.join(name)], before[&shop.join(name)], "{name} stays");
    }
    assert_eq!(after.len(), before.len(), "nothing is left lying about");
}

#[test]
fn init_takes_no_answer_for_granted() {
    let folder = tempfile::tempdir().unwrap();
    for (words, says) in [
        (&["--domain", "a.example", "--timezone", "Middle/Earth"][..], "Middle/Earth"),
        (&["--domain", "a.example", "--relay", "gopher://a"], "relay[0].url"),
        (&["--domain", "a.example", "--from", "nobody"], "shop[0].from"),
        (&["--domain", "not a domain"], "shop[0].domains"),
    ] {
        let ran = at(folder.path(), &[&["init"], words].concat()).ended(78);
        assert!(ran.err.contains(says), "{words:?}: {}", ran.err);
    }
    at(folder.path(), &["init", "--domain", "a.example", "--delay", "soon"]).ended(2);
    assert!(files(folder.path()).is_empty(), "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn init_without_a_domain_and_a_terminal_ends_with_2_and_asks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let mut init = tokio::process::Command::from(command());
    // An input that stays open and silent, as under a supervisor.
    let init = init.arg("init").current_dir(folder.path()).stdin(Stdio::piped()).kill_on_drop(true);
    let child = init.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    let input = child.stdin.take();
    let status = until("it ends", async || child.try_wait().unwrap()).await;
    assert_eq!(status.code(), Some(2));
    let output = child.wait_with_output().await.unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("--domain is missing"));
    drop(input);
    assert!(files(folder.path()).is_empty(), "nothing was written");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_looks_at_everything_and_1_is_a_fault_and_78_a_configuration() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let ran = site.run(&["check"]).ended(0);
    for part in ["configuration", "templates", "woocommerce", "letters", "certificate", "database", "relay default"] {
        assert!(ran.out.contains(part), "{part}: {}", ran.out);
    }
    for row in site.run(&["check", "--json"]).ended(0).json() {
        promised(&row, &["what", "ok", "note"], "- `check --json`");
        assert_eq!(row["ok"], true);
    }
    let before = relay.seen().connections;
    site.run(&["check", "--offline"]).ended(0);
    assert_eq!(relay.seen().connections, before, "offline leaves the relay alone");

    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    site.configure(gone, &[]);
    let ran = site.run(&["check"]).ended(1);
    assert!(ran.out.contains("FAULT") && ran.err.contains("1 fault found"), "{ran:?}");
    let faults = site.run(&["check", "--json"]).ended(1).json();
    assert_eq!(faults.iter().filter(|row| row["ok"] == false).count(), 1);

    std::fs::remove_file(site.file()).unwrap();
    let ran = site.run(&["check", "--offline"]).ended(1);
    assert!(ran.out.contains("there is no queue"), "{ran:?}");
    site.configure(relay.address, &[("delay", "\"91 days\"")]);
    let ran = site.run(&["check"]).ended(78);
    assert!(ran.err.contains("policy.delay"), "{ran:?}");
}

#[test]
fn the_demo_takes_five_mails_in_and_leaves_five_letters() {
    let folder = tempfile::tempdir().unwrap();
    let ran = at(folder.path(), &["demo", "--once", "--dir", "demo"]).ended(0);
    assert!(ran.out.contains("5 mails in, 5 about orders, 5 letters out."), "{}", ran.out);
    let letters = files(&folder.path().join("demo/Maildir/new"));
    assert_eq!(letters.len(), 5);
    for letter in letters.values() {
        let letter = mail_parser::MessageParser::default().parse(letter.as_slice()).unwrap();
        assert!(letter.header_raw("X-Invited-Letter").is_some() && letter.message_id().is_some());
    }
    let again = at(folder.path(), &["queue", "list", "--json", "--config", "demo/invited.toml"]).ended(0);
    assert_eq!(again.json().len(), 5, "what it left can be looked at");
}

#[test]
fn the_demo_says_why_a_mail_led_to_no_letter() {
    let folder = tempfile::tempdir().unwrap();
    let mail = folder.path().join("bad.eml");
    std::fs::write(&mail, "From: a@shop.example\nTo: b@customer.example\nSubject: Hello\n\nGood morning.\n").unwrap();
    let ran = at(folder.path(), &["demo", "--once", "--dir", "demo", "--mail", "bad.eml"]).ended(1);
    assert!(ran.out.contains("bad.eml") && ran.out.contains("read "), "{}", ran.out);
    assert!(ran.err.contains("no letter went out"), "{}", ran.err);
    let ran = at(folder.path(), &["demo", "--once", "--dir", "demo2", "--mail", "missing.eml"]).ended(1);
    assert!(ran.err.contains("missing.eml cannot be read"), "{}", ran.err);
    assert!(!folder.path().join("demo2").exists(), "nothing was begun");
}

/// A site with three orders that wait their week, and a held mail; without a daemon.
async fn queued() -> (Site, TestRelay) {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[("delay", "\"7 days\""), ("timezone", "\"Europe/Stockholm\"")]).await;
    let service = site.serve().await;
    let mut dialog = Dialog::open(service.address).await.unwrap();
    for (number, name) in [(1, "Anna Exempel"), (2, "Bert Beispiel"), (3, "Cleo Exemple")] {
        let mail = order_mail(&format!("Q-{number}"), name, &format!("person{number}@customer.example.net"));
        let reply = dialog.mail(BCC, &mail).await.unwrap();
        assert!(reply.starts_with("250 "), "{reply}");
    }
    let reply = dialog.mail(BCC, HELD).await.unwrap();
    assert!(reply.starts_with("250 "), "{reply}");
    until("all is read", async || {
        (site.number("SELECT count(*) FROM copy WHERE state = 'unread'").await == 0).then_some(())
    })
    .await;
    drop(dialog);
    service.stop().await;
    assert_eq!(site.invitations().await.len(), 3);
    (site, relay)
}

/// A mail about an order that names two customers.
const HELD: &[u8] = include_bytes!("../fixtures/mail/negative/two-customers-en-1.eml");

/// What came of a change.
const CHANGED: [&str; 7] = ["id", "done", "state", "due_at", "rule", "why", "opened"];

const ROW: [&str; 9] = ["id", "shop", "reference", "name", "email", "state", "due_at", "created_at", "letters"];

#[tokio::test(flavor = "multi_thread")]
async fn queue_list_and_show_have_the_promised_names() {
    let (site, _relay) = queued().await;
    let rows = site.run(&["queue", "list", "--json"]).ended(0).json();
    assert_eq!(rows.iter().map(|row| row["id"].as_i64().unwrap()).collect::<Vec<_>>(), [3, 2, 1], "newest first");
    for row in &rows {
        promised(row, &ROW, "## `queue list --json`");
    }
    assert_eq!((&rows[2]["reference"], &rows[2]["name"]), (&"Q-1".into(), &"Anna Exempel".into()));
    assert_eq!((&rows[2]["state"], &rows[2]["letters"]), (&"queued".into(), &0.into()));
    for key in ["due_at", "created_at"] {
        let instant = rows[2][key].as_str().unwrap();
        assert!(instant.ends_with('Z') && instant.parse::<jiff::Timestamp>().is_ok(), "RFC 3339 in UTC: {instant}");
    }

    let one = |words: &[&str]| {
        let rows = site.run(&[&["queue", "list", "--json"], words].concat()).ended(0).json();
        rows.iter().map(|row| row["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(one(&["--email", "PERSON2@customer.example.net"]), [2]);
    assert_eq!(one(&["--reference", "q-3"]), [3]);
    assert_eq!(one(&["--limit", "2"]), [3, 2]);
    assert_eq!(one(&["--limit", "2", "--before", "2"]), [1]);
    assert_eq!(one(&["--state", "done", "--state", "sent"]), [0; 0]);
    assert_eq!(one(&["--shop", "shop"]), [3, 2, 1]);
    let table = site.run(&["queue", "list", "--limit", "2"]).ended(0).out;
    assert!(table.contains("REFERENCE") || table.contains("ORDER"), "{table}");
    assert!(table.contains("More: --before 2") && table.contains("CE"), "times in the shop's zone: {table}");
    assert!(!table.contains('\u{1b}'), "no colours in a pipe");

    let shown = site.run(&["queue", "show", "1", "2", "--json"]).ended(0).json();
    assert_eq!(shown.len(), 2);
    let order = ["locale", "order_date", "expected_delivery", "products", "country", "tags", "template", "consent"];
    promised(&shown[0]["order"], &order, "## `queue list --json`");
    let more = ["order", "expires_at", "attempts", "round", "follows", "updated_at", "followed_by"];
    let came = ["outgoing", "answers", "reviews", "put_off"];
    let all = [&ROW[..], &more, &came].concat();
    promised(&shown[0], &all, "## `queue list --json`");
    promised(&shown[0]["put_off"], &["not_arrived", "ask_later"], "## `queue list --json`");
    let text = site.run(&["queue", "show", "1"]).ended(0).out;
    assert!(
        text.contains("person1@customer.example.net") && text.contains("Next: the first letter goes out"),
        "{text}"
    );
    let ran = site.run(&["queue", "show", "1", "99"]).ended(1);
    assert!(ran.err.contains("there is no invitation 99"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn queue_cancel_and_reschedule_go_on_after_a_refusal_and_end_with_1() {
    let (site, _relay) = queued().await;
    let state = |id: usize| {
        let rows = site.run(&["queue", "list", "--json"]).ended(0).json();
        rows.iter().find(|row| row["id"] == id).unwrap().clone()
    };
    let rows = site.run(&["queue", "cancel", "1", "--json", "--reason", "asked by telephone"]).ended(0).json();
    promised(&rows[0], &CHANGED, "- `queue cancel|reschedule|send-now|reinvite --json`");
    assert_eq!(
        (&rows[0]["done"], &rows[0]["state"], &rows[0]["due_at"]),
        (&true.into(), &"cancelled".into(), &Value::Null)
    );
    assert_eq!(state(1)["state"], "cancelled");

    // One that is final, one that is not there, and one that can be moved.
    let ran = site.run(&["queue", "reschedule", "1", "99", "2", "--to", "2 days"]).ended(1);
    assert_eq!(ran.out.lines().count(), 3, "{ran:?}");
    assert!(ran.out.contains("there is no invitation 99") && ran.err.contains("2 invitations not changed"), "{ran:?}");
    let moved = state(2)["due_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let created = state(2)["created_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let hours = moved.duration_since(created).as_hours();
    assert!((48..50).contains(&hours), "{hours} hours ahead");

    let far = site.run(&["queue", "reschedule", "2", "--to", "91 days", "--json"]).ended(1);
    assert_eq!((&far.json()[0]["done"], &far.json()[0]["rule"]), (&false.into(), &"too-far-ahead".into()));
    let missing = site.run(&["queue", "cancel", "99", "2", "--json"]).ended(1);
    let rows = missing.json();
    promised(&rows[0], &CHANGED, "- `queue cancel|reschedule|send-now|reinvite --json`");
    assert_eq!((&rows[0]["id"], &rows[0]["done"], &rows[0]["rule"]), (&99.into(), &false.into(), &Value::Null));
    assert_eq!(rows[1]["state"], "cancelled");
    for (to, code) in [("soon", 2), ("2026-13-45", 2), ("", 2)] {
        site.run(&["queue", "reschedule", "3", "--to", to]).ended(code);
    }
    site.run(&["queue", "reschedule", "3"]).ended(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_daemon_takes_up_what_the_desk_orders() {
    let (site, relay) = queued().await;
    let service = site.serve().await;
    assert!(relay.taken().is_empty());
    let row = site.run(&["queue", "send-now", "3", "--json"]).ended(0).json().remove(0);
    assert_eq!(row["done"], true);
    let seen = relay.until(|seen| seen.taken.len() == 1).await;
    assert_eq!(seen.taken[0].to, ["person3@customer.example.net"]);
    until("it is settled", async || {
        let all = site.invitations().await;
        all.into_iter().find(|one| one.id.0 == 3 && one.progress.state == State::Done)
    })
    .await;
    site.run(&["queue", "send-now", "3"]).ended(1);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn held_copies_are_listed_with_their_reason_and_shown_byte_by_byte() {
    let (site, _relay) = queued().await;
    let fields = [
        "id",
        "shop",
        "received_at",
        "mail_from",
        "client",
        "size",
        "state",
        "attempts",
        "invitation",
        "reason",
        "reading",
        "way",
        "sender",
        "doubt",
        "proof",
        "desk",
    ];
    let rows = site.run(&["held", "list", "--json"]).ended(0).json();
    assert_eq!(rows.len(), 1);
    promised(&rows[0], &fields, "- `held list|show --json`");
    assert_eq!((&rows[0]["id"], &rows[0]["state"]), (&4.into(), &"held".into()));
    assert!(!rows[0]["reason"].as_str().unwrap().is_empty());
    let shown = site.run(&["held", "show", "4", "--json"]).ended(0).json();
    promised(&shown[0], &fields, "- `held list|show --json`");
    let reason = rows[0]["reason"].as_str().unwrap();
    let table = site.run(&["held", "list"]).ended(0).out;
    let words = table.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(reason.split_whitespace().take(3).all(|word| words.contains(word)), "{table}");
    let text = site.run(&["held", "show", "4"]).ended(0).out;
    assert!(text.contains("reason") && text.contains("orders@shop.example.com") && text.contains("--raw"), "{text}");
    let raw = site.run(&["held", "show", "4", "--raw"]).ended(0).out;
    let (_, body) = raw.split_once("From: ").unwrap();
    let sent = String::from_utf8(crate::kit::crlf(HELD)).unwrap();
    let (_, sent) = sent.split_once("From: ").unwrap();
    assert_eq!(body, sent, "the mail as it came, after our own trace field");
    assert!(site.run(&["held", "show", "99"]).ended(1).err.contains("there is no copy 99"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_with_held_copies_is_told_by_the_promised_names() {
    let (site, _relay) = queued().await;
    let counts = site.run(&["held", "list", "--count", "--json"]).ended(0).json();
    promised(&counts[0], &["shop", "reason", "copies", "newest"], "- `held list --count --json`");
    let names = ["id", "done", "event", "reference", "invitation", "state", "due_at", "rule", "why"];
    let words = ["held", "release", "4", "--email", "piet.oorthuys@example.nl", "--dry-run", "--json"];
    for ran in [site.run(&words).ended(0), site.run(&["held", "release", "4", "--json"]).ended(1)] {
        promised(&ran.json()[0], &names, "- `held release --json`");
    }
    let rows = site.run(&["held", "replay", "4", "99", "--json"]).ended(1).json();
    let names = ["id", "shop", "before", "after", "change", "done", "event", "reference", "template", "reason", "rule"];
    for row in &rows[..2] {
        promised(row, &names, "- `held replay --json`");
    }
    promised(&rows[2], &["copies", "totals", "dry_run"], "- `held replay --json`");
    for row in site.run(&["held", "discard", "4", "99", "--json"]).ended(1).json() {
        promised(&row, &["id", "done", "why"], "- `held discard --json`");
    }
}

/// Text with what differs from run to run taken out.
fn golden(text: &str) -> String {
    let mut out = Vec::new();
    for line in text.lines() {
        let words = line.split(' ').map(|word| {
            let bare = word.trim_end_matches([',', '.', ';']);
            let tail = &word[bare.len()..];
            match bare {
                _ if bare.parse::<jiff::civil::Date>().is_ok() => format!("DATE{tail}"),
                _ if bare.len() == 5 && bare.as_bytes()[2] == b':' => format!("TIME{tail}"),
                "CET" | "CEST" => format!("ZONE{tail}"),
                _ => word.to_owned(),
            }
        });
        out.push(words.collect::<Vec<_>>().join(" "));
    }
    out.join("\n") + "\n"
}

const STORY: &str = "\
Invitation 1: shop, order Q-1, Anna Exempel <person1@customer.example.net>, cancelled
  DATE TIME ZONE  copy 1 came in for shop from 127.0.0.1, 594 bytes
  DATE TIME ZONE  copy 1: its sender is not proved: the shop believes whoever knows its address
  DATE TIME ZONE  copy 1 was read: order placed
  DATE TIME ZONE    event: placed (generic event.sentence)
  DATE TIME ZONE    customer_name: Anna Exempel (snippet recipientName)
  DATE TIME ZONE    customer_name: Anna Exempel (generic name.to)
  DATE TIME ZONE    customer_name: Anna Exempel (headers to.name)
  DATE TIME ZONE    customer_email: person1@customer.example.net (snippet recipientEmail)
  DATE TIME ZONE    customer_email: person1@customer.example.net (headers to.address)
  DATE TIME ZONE    reference: Q-1 (snippet referenceId)
  DATE TIME ZONE    reference: Q-1 (headers subject.marked)
  DATE TIME ZONE    locale: en (generic words)
  DATE TIME ZONE  order placed: begins as queued, next at DATE TIME ZONE, because the delay before the first letter began \
(trigger-starts-delay): the mail was written at DATE TIME ZONE
  DATE TIME ZONE  desk reschedule by sam: stays queued, next at DATE TIME ZONE, because support chose another time for the \
letter (desk-reschedules)
  DATE TIME ZONE  desk cancel by kim: queued becomes cancelled, because support cancelled the invitation (desk-cancels) \
[asked by telephone]
Next: nothing; support cancelled the invitation. To invite the customer once more: invited queue reinvite 1
";

#[tokio::test(flavor = "multi_thread")]
async fn explain_tells_one_story_by_address_by_reference_and_by_id() {
    let (site, _relay) = queued().await;
    site.run(&["queue", "reschedule", "1", "--to", "3 days", "--actor", "sam"]).ended(0);
    site.run(&["queue", "cancel", "1", "--actor", "kim", "--reason", "asked by telephone"]).ended(0);
    let told = site.run(&["explain", "person1@customer.example.net"]).ended(0).out;
    assert_eq!(golden(&told), STORY);
    for subject in ["Person1@Customer.Example.NET", "Q-1", "q-1"] {
        assert_eq!(site.run(&["explain", subject]).ended(0).out, told, "{subject}");
    }
    assert_eq!(site.run(&["explain", "--id", "1"]).ended(0).out, told);
    assert_eq!(site.run(&["explain", "1"]).ended(0).out, told, "no order has this reference, so it is the id");

    let lines = site.run(&["explain", "Q-1", "--json"]).ended(0).json();
    assert_eq!(lines.len(), told.lines().count());
    for line in &lines {
        promised(line, &["at", "text"], "- `explain --json`");
    }
    assert!(lines[0]["at"].is_null() && lines[1]["at"].is_string() && lines.last().unwrap()["at"].is_null());

    let ran = site.run(&["explain", "stranger@customer.example.net"]).ended(1);
    assert!(ran.err.contains("nothing is known of"), "{ran:?}");
    site.run(&["explain", "no address@@"]).ended(2);
    site.run(&["explain", "--id", "Q-1"]).ended(2);
}

#[test]
fn template_explain_has_the_promised_names_and_reads_without_a_configuration() {
    let mails = ["woocommerce/placed-en-1.eml", "negative/newsletter-sv-1.eml"];
    let paths = mails.map(|name| fixtures().join(name).display().to_string());
    let words = ["template", "explain", "--json", "--shop-domain", "shop.example.com", &paths[0], &paths[1]];
    let rows = run(command().args(words)).ended(0).json();
    let fields = [
        "file",
        "outcome",
        "event",
        "partial",
        "customer",
        "reference",
        "order_date",
        "products",
        "locale",
        "template",
        "findings",
        "reason",
    ];
    let begins = "## `template explain --json`";
    assert_eq!(rows.iter().map(|row| row["file"].as_str().unwrap()).collect::<Vec<_>>(), paths, "in order");
    for row in &rows {
        promised(row, &fields, begins);
        promised(&row["customer"], &["name", "email"], begins);
    }
    assert_eq!((&rows[0]["outcome"], &rows[0]["event"]), (&"event".into(), &"placed".into()));
    promised(&rows[0]["products"][0], &["name", "sku", "url", "price", "quantity"], begins);
    promised(&rows[0]["findings"][0], &["field", "value", "layer", "rule"], begins);
    for finding in rows[0]["findings"].as_array().unwrap() {
        let layer = finding["layer"].as_str().unwrap();
        assert!(section(begins).contains(&format!("`{layer}`")), "docs/cli.md tells of the layer {layer}");
    }
    assert_eq!((&rows[1]["outcome"], &rows[1]["event"]), (&"ignored".into(), &Value::Null));
    let text = run(command().args(["template", "explain", &paths[0]])).ended(0).out;
    assert!(text.contains("event, order placed, template woocommerce"), "{text}");

    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("broken.toml"), "nonsense = 1\n").unwrap();
    let broken = folder.path().display().to_string();
    let ran = run(command().args(["template", "explain", "--templates", &broken, &paths[0]])).ended(78);
    assert!(ran.err.contains("broken.toml:1:1"), "{ran:?}");
    let ran = run(command().args(["template", "explain", "/nowhere/at/all.eml"])).ended(1);
    assert!(ran.err.contains("/nowhere/at/all.eml cannot be read"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_are_those_of_the_contract() {
    let (site, _relay) = queued().await;
    for (words, code) in [
        (&["queue", "list"][..], 0),
        (&["queue", "list", "--state", "elated"], 2),
        (&["queue", "list", "--email", "nobody"], 2),
        (&["queue", "list", "--limit", "0"], 2),
        (&["queue", "list", "--colour"], 2),
        (&["queue", "show"], 2),
        (&["queue", "show", "one"], 1),
        (&["queue", "cancel", "99"], 1),
        (&["held", "list"], 0),
        (&["held", "show", "99"], 1),
        (&["check", "--offline"], 0),
    ] {
        let ran = site.run(words);
        assert_eq!(ran.code, code, "{words:?}: {ran:?}");
        assert_eq!(ran.err.is_empty(), code == 0, "{words:?}: a failure says why, a success nothing: {ran:?}");
    }
    run(&mut command()).ended(2);
    run(command().arg("dance")).ended(2);
    for words in [&["queue", "list"][..], &["held", "list"], &["explain", "x"], &["check"], &["serve"]] {
        let ran = run(command().args(words).args(["--config", "/nowhere/invited.toml"])).ended(78);
        assert!(ran.err.contains("/nowhere/invited.toml: cannot be read"), "{words:?}: {ran:?}");
        let ran = run(command().args(words).env("INVITED_CONFIG", "/nowhere/else.toml")).ended(78);
        assert!(ran.err.contains("/nowhere/else.toml"), "INVITED_CONFIG counts: {ran:?}");
    }
    std::fs::remove_file(site.file()).unwrap();
    let ran = site.run(&["queue", "list"]).ended(78);
    assert!(ran.err.contains("there is no queue at"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_is_no_fault() {
    let (site, _relay) = queued().await;
    for words in [&["queue", "list"][..], &["queue", "list", "--json"], &["explain", "Q-1"]] {
        let mut list = command();
        list.args(words).arg("--config").arg(site.config()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = list.spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), &*output.stderr), (Some(0), &b""[..]), "{words:?}");
    }
}

/// The subcommands that `--help` names, down to the last, with the flags of each.
fn commands(words: &[String], found: &mut BTreeMap<String, BTreeSet<String>>) {
    let help = run(command().args(words).arg("--help").env("COLUMNS", "1000")).ended(0).out;
    let part = |heading: &str| {
        let rest = help.split(&format!("\n{heading}:\n")).nth(1).unwrap_or_default();
        rest.lines().take_while(|line| line.is_empty() || line.starts_with(' ')).collect::<Vec<_>>()
    };
    let subcommands = part("Commands").into_iter().filter_map(|line| line.strip_prefix("  "));
    let subcommands = subcommands.filter_map(|line| line.split(' ').next().filter(|name| !["", "help"].contains(name)));
    let mut is_leaf = true;
    for name in subcommands {
        is_leaf = false;
        commands(&[words, &[name.to_owned()]].concat(), found);
    }
    // What an option means goes on further to the right, and may begin with the name of another.
    let options = part("Options").into_iter().filter(|line| !line.starts_with("       "));
    let flags = options.filter_map(|line| {
        let line = line.trim_start();
        line.starts_with('-').then(|| line.split([' ', ',', '=', '.']).find(|word| word.starts_with("--")).unwrap())
    });
    let flags = flags.map(ToOwned::to_owned).collect::<BTreeSet<_>>();
    // A command that has others below it may do something itself, too: `person`.
    let has_its_own = flags.iter().any(|flag| !COMMON.contains(&flag.as_str()) && flag != "--version");
    if is_leaf || has_its_own {
        found.insert(words.join(" "), flags);
    }
}

/// The flags that stand for many commands and are told of once.
const COMMON: [&str; 4] = ["--config", "--json", "--no-pager", "--help"];

#[test]
fn every_command_and_flag_is_documented_and_every_documented_one_is_there() {
    let mut real = BTreeMap::new();
    commands(&[], &mut real);
    assert!(real.len() >= 13, "{real:?}");
    let mut told = BTreeMap::<String, BTreeSet<String>>::new();
    for span in CLI.split('`').skip(1).step_by(2).filter_map(|span| span.strip_prefix("invited ")) {
        let words = span.split(' ').take_while(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
        let flags = span
            .split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'))
            .filter(|word| word.starts_with("--"));
        told.entry(words.collect::<Vec<_>>().join(" ")).or_default().extend(flags.map(ToOwned::to_owned));
    }
    for flags in real.values_mut() {
        flags.retain(|flag| !COMMON.contains(&flag.as_str()));
    }
    assert_eq!(told, real, "docs/cli.md on the left, --help on the right");
    for flag in ["--config", "--json", "--no-pager"] {
        assert!(CLI.contains(&format!("`{flag}")), "{flag} is told of");
    }
}
