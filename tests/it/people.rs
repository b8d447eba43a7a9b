//! Persons: kept off the letters by the suppression list, shown all that is stored about them, and erased while the daemon runs, by the
//! real program.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use invited::domain::{
    Collected, Draft, EmailAddress, ListKey, ListReason, OrderReference, Policies, ReviewKind, ShopId,
    SuppressionEntry, Timestamp,
};
use invited::store::{NewEntry, NewReviews, Store as _};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Row as _};

use crate::kit::{order_mail, until};
use crate::program::{BCC, Dialog, Service, Site};
use crate::relay::{Act, TestRelay};

const ANNA: &str = "Anna.Lind@customer.example.net";

/// Words that stand in reviews alone: hers as it was at first, hers as it is, and somebody else's that names her.
const WORDS: [&str; 3] = ["Quillonyx", "Vorpalumen", "Zephyrbrass"];

async fn hand_in(service: &Service, mail: &[u8]) {
    let mut dialog = Dialog::open(service.address).await.unwrap();
    let reply = dialog.mail(BCC, mail).await.unwrap();
    assert!(reply.starts_with("250 "), "{reply}");
}

async fn until_read(site: &Site, copies: i64) {
    until("all is read", async || {
        let read = site.number("SELECT count(*) FROM copy WHERE state <> 'unread'").await;
        (read == copies).then_some(())
    })
    .await;
}

async fn until_ended(site: &Site, reference: &str, words: &str) {
    until(&format!("{reference} ends with {words:?}"), async || {
        site.run(&["explain", reference]).out.contains(words).then_some(())
    })
    .await;
}

/// A mail that names somebody in base64 only.
fn hidden(address: &str) -> Vec<u8> {
    use base64ct::{Base64, Encoding as _};
    let body = Base64::encode_string(format!("A newsletter for {address}, unsubscribe here.\r\n").as_bytes());
    format!(
        "From: Shop <news@shop.example.com>\r\nTo: list@shop.example.com\r\nSubject: News\r\nList-Id: <news.shop.example.com>\r\n\
         Date: Mon, 2 Mar 2026 09:00:00 +0000\r\nMessage-ID: <news@shop.example.com>\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{body}\r\n"
    )
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_on_the_list_gets_a_letter_by_address_by_domain_or_by_hash() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let service = site.serve().await;
    site.run(&["suppress", "add", "anna@customer.example.net", "--reason", "called us", "--actor", "maria"]).ended(0);
    site.run(&["suppress", "add", "blocked.example.net"]).ended(0);
    let hashed = site.run(&["suppress", "add", "bo@customer.example.net", "--hashed", "--json"]).ended(0).json();
    assert_eq!((&hashed[0]["hashed"], &hashed[0]["done"]), (&true.into(), &true.into()));
    for (reference, email) in [
        ("S-1", "Anna@customer.example.net"),
        ("S-2", "cy@mail.blocked.example.net"),
        ("S-3", "bo@customer.example.net"),
        ("S-4", "dee@customer.example.net"),
    ] {
        hand_in(&service, &order_mail(reference, "Some Body", email)).await;
    }
    for reference in ["S-1", "S-2", "S-3"] {
        until_ended(&site, reference, "(suppressed)").await;
    }
    let seen = relay.until(|seen| !seen.taken.is_empty()).await;
    let to = seen.taken.iter().flat_map(|taken| taken.to.clone()).collect::<Vec<_>>();
    assert_eq!(to, ["dee@customer.example.net"]);

    let shown = site.run(&["suppress", "list"]).ended(0).out;
    assert!(shown.contains("called us") && shown.contains("maria") && shown.contains("hashed"), "{shown}");
    assert!(!shown.contains("bo@"), "{shown}");
    let found = site.run(&["suppress", "list", "--address", "cy@mail.blocked.example.net", "--json"]).ended(0).json();
    assert_eq!((found.len(), &found[0]["entry"]), (1, &"blocked.example.net".into()));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_invitation_ends_when_its_address_is_listed_and_the_list_says_how_many() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[("delay", "\"90 days\"")]).await;
    let service = site.serve().await;
    for reference in ["S-1", "S-2"] {
        hand_in(&service, &order_mail(reference, "Anna Lind", ANNA)).await;
    }
    until_read(&site, 2).await;
    let open = site.number("SELECT count(*) FROM invitation WHERE state = 'queued'").await;
    let added = site.run(&["suppress", "add", ANNA]).ended(0).out;
    assert!(open < 2 || added.contains("2 open invitations stopped"), "{added}");
    assert_eq!(site.number("SELECT count(*) FROM invitation WHERE state = 'queued'").await, 0);
    site.run(&["suppress", "add", ANNA, "--shop", "nowhere"]).ended(1);
    site.run(&["suppress", "add", "good@x.test", "no address"]).ended(1);
    assert_eq!(site.run(&["suppress", "list", "--json"]).ended(0).json().len(), 1, "all or nothing");
    let missing = site.run(&["suppress", "remove", ANNA, "--shop", "shop"]).ended(1);
    assert!(missing.out.contains("but for all shops (leave --shop out)"), "{missing:?}");
    site.run(&["suppress", "remove", ANNA]).ended(0);
    assert!(site.run(&["suppress", "list"]).ended(0).out.contains("No entries."));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_the_same_after_a_way_through_a_file() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let (site, other) = (Site::new(relay.address, &[]).await, Site::new(relay.address, &[]).await);
    site.run(&["suppress", "add", "=cmd@x.test", "'=x@x.test", "x.test", "--reason", "a, \"b\"; c"]).ended(0);
    site.run(&["suppress", "add", "bo@x.test", "--hashed", "--shop", "shop", "--reason", "bounced"]).ended(0);
    for words in [&["suppress", "export"][..], &["suppress", "export", "--json"]] {
        let exported = site.run(words).ended(0).out;
        assert!(exported.lines().all(|line| !line.starts_with(['=', '+', '-', '@'])), "{exported}");
        std::fs::write(other.path("list"), &exported).unwrap();
        let file = other.path("list");
        let import = ["suppress", "import", file.to_str().unwrap()];
        let dry = other.run(&[&import[..], &["--dry-run", "--json"]].concat()).ended(0).json();
        let done = other.run(&[&import[..], &["--json"]].concat()).ended(0).json();
        assert_eq!(dry[0]["new"], done[0]["new"]);
        assert_eq!(other.run(words).ended(0).out, exported);
    }
    std::fs::write(other.path("bad"), "Email;Reason;Date\nok@y.test;;\nbad;;\nok2@y.test;;2999-01-01\n").unwrap();
    let file = other.path("bad");
    let import = ["suppress", "import", file.to_str().unwrap()];
    let refused = other.run(&import).ended(1);
    assert!(refused.out.contains("line 3: \"bad\"") && refused.out.contains("line 4: "), "{refused:?}");
    assert!(refused.err.contains("nothing was imported"), "{refused:?}");
    assert_eq!(other.run(&["suppress", "list", "--json"]).ended(0).json().len(), 4);
    other.run(&[&import[..], &["--skip-bad"]].concat()).ended(0);
    assert_eq!(other.run(&["suppress", "list", "--json"]).ended(0).json().len(), 5);
}

/// How often an address stands in the bytes of a database's files, in any letter case.
fn places(file: &Path, address: &str) -> usize {
    let wanted = address.to_ascii_lowercase();
    let names = ["", "-wal", "-shm"].map(|suffix| format!("{}{suffix}", file.display()));
    let files = names.iter().filter_map(|name| std::fs::read(name).ok());
    files
        .map(|bytes| bytes.to_ascii_lowercase().windows(wanted.len()).filter(|at| *at == wanted.as_bytes()).count())
        .sum()
}

/// What she writes about her first order, and changes; what somebody else writes about her; and that she asks to be erased.
async fn have_her_say(site: &Site) {
    let store = site.store().await;
    let shop = ShopId::parse("shop").unwrap();
    let anna = EmailAddress::parse(ANNA).unwrap();
    let (now, policies) = (Timestamp::from_seconds(1_772_800_000), Arc::new(Policies::default()));
    let by = |order: Option<&str>, text: &str| NewReviews {
        shop: shop.clone(),
        order: order.map(|order| (OrderReference::parse(order).unwrap(), anna.key())),
        claimed: None,
        invitation: None,
        changes: None,
        collected: if order.is_some() { Collected::Link } else { Collected::Basic },
        drafts: vec![(ReviewKind::Service, None, Draft::parse("4", "A lamp", text, "Anna L.").unwrap())],
        language: "en".to_owned(),
    };
    let words = [format!("{} came broken", WORDS[0]), format!("{} was mended, write to {ANNA}", WORDS[1])];
    for text in &words {
        store.write_reviews(by(Some("A-1"), text), policies.clone(), now).await.unwrap();
    }
    let of_another = format!("{} says {ANNA}", WORDS[2]);
    store.write_reviews(by(None, &of_another), policies.clone(), now).await.unwrap();
    let entry = SuppressionEntry {
        key: ListKey::of(&anna.key()),
        shop: None,
        reason: ListReason::Unsubscribed,
        note: None,
        actor: "customer".to_owned(),
        at: now,
    };
    let entry = NewEntry::new(entry, policies.list_key(), false);
    store.ask_erasure(&shop, &anna, entry, None, policies, now).await.unwrap();
    store.close().await;
}

/// Every row of every table that has the address in a column of text, looked for with nothing but the engine's own list of them.
async fn rows_naming(site: &Site, address: &str) -> BTreeSet<(String, i64)> {
    let mut conn = site.sql().await;
    let tables = "SELECT m.name AS name, c.name AS col FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c \
        WHERE m.type = 'table' AND c.type = 'TEXT' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE '\\_%' ESCAPE '\\'";
    let mut found = BTreeSet::new();
    for row in sqlx::raw_sql(tables).fetch_all(&mut conn).await.unwrap() {
        let (table, column): (String, String) = (row.get("name"), row.get("col"));
        let text = format!("SELECT rowid FROM \"{table}\" WHERE instr(lower(\"{column}\"), lower('{address}')) > 0");
        for row in sqlx::raw_sql(AssertSqlSafe(text)).fetch_all(&mut conn).await.unwrap() {
            found.insert((table.clone(), row.get(0)));
        }
    }
    found
}

fn told(document: &Value) -> BTreeSet<(String, i64)> {
    let names = [
        ("copies", "copy"),
        ("invitations", "invitation"),
        ("letters", "letter"),
        ("decisions", "decision"),
        ("suppressions", "suppression"),
        ("alarms", "alarm"),
        ("pauses", "pause"),
        ("reviews", "review"),
        ("review_edits", "review_edit"),
        ("erasure_requests", "erasure_request"),
    ];
    let rows = names.iter().flat_map(|(name, table)| {
        document[name].as_array().unwrap().iter().map(|row| ((*table).to_owned(), row["id"].as_i64().unwrap()))
    });
    rows.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_shown_whole_and_erased_to_the_last_byte_while_the_daemon_runs() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let service = site.serve().await;
    for n in 0..40 {
        hand_in(&service, &order_mail(&format!("B-{n}"), "Bo Ek", &format!("bo{n}@customer.example.net"))).await;
    }
    hand_in(&service, &order_mail("A-1", "Anna Lind", ANNA)).await;
    hand_in(&service, &order_mail("A-2", "Anna Lind", &ANNA.to_lowercase())).await;
    hand_in(&service, &hidden(ANNA)).await;
    let longer = format!("x.{}", ANNA.to_lowercase());
    hand_in(&service, &order_mail("C-1", "Somebody Else", &longer)).await;
    until_read(&site, 44).await;
    until("letters are out", async || {
        // Hers goes to her once: the second waits for some days.
        let done = site.number("SELECT count(*) FROM invitation WHERE state = 'done'").await;
        let sending = site.number("SELECT count(*) FROM invitation WHERE state = 'sending'").await;
        (done >= 42 && sending == 0).then_some(())
    })
    .await;
    let note = format!("is the same person as {ANNA}");
    site.run(&["queue", "reinvite", "B-1", "--at", "30 days", "--reason", &note, "--actor", "maria", "--yes"]).ended(0);

    have_her_say(&site).await;
    assert!(site.run(&["person", "requests"]).ended(0).out.to_lowercase().contains(&ANNA.to_lowercase()));
    let standing = site.run(&["status", "--json"]).json().remove(0);
    assert_eq!(standing["erasure_requests"]["open"], 1, "{standing}");
    assert!(WORDS.iter().all(|word| places(&site.file(), word) > 0), "what she wrote stands in the file");

    // Everything that a scan of all texts finds is in the document, and so are the mails, also the one that hides the name.
    let document = site.run(&["person", ANNA, "--json"]).ended(0).json().remove(0);
    let (scanned, told) = (rows_naming(&site, ANNA).await, told(&document));
    let of_others =
        site.run(&["queue", "list", "--reference", "C-1", "--json"]).ended(0).json()[0]["id"].as_i64().unwrap();
    assert!(!told.contains(&("invitation".to_owned(), of_others)), "a longer address is another person");
    let theirs = rows_naming(&site, &longer).await;
    let missing = scanned.difference(&theirs).filter(|row| !told.contains(*row)).collect::<Vec<_>>();
    assert!(missing.is_empty() && told.len() > 8, "{missing:?}");
    assert_eq!(document["messages"].as_array().unwrap().len(), 3);
    let folder = site.path("anna");
    site.run(&["person", ANNA, "--out", folder.to_str().unwrap()]).ended(0);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 4);
    site.run(&["person", ANNA, "--out", folder.to_str().unwrap()]).ended(1);

    let count = async |table: &'static str| site.number(table).await;
    let before =
        (count("SELECT count(*) FROM invitation").await, count("SELECT sum(n) FROM figure WHERE day > 0").await);
    assert!(places(&site.file(), ANNA) > 0);
    assert!(site.run(&["erase", ANNA]).ended(1).err.contains("add --yes"));
    let dry = site.run(&["erase", ANNA, "--dry-run", "--json"]).ended(0).json();
    assert_eq!((&dry[0]["found"]["copies"], &dry[0]["found"]["words"]), (&3.into(), &2.into()));
    let erased = site.run(&["erase", ANNA, "--yes", "--json", "--actor", "maria"]).ended(0).json().pop().unwrap();
    assert_eq!((&erased["erased"]["copies"], &erased["erased"]["invitations"]), (&3.into(), &2.into()));
    assert_eq!((&erased["places_left"], &erased["log_emptied"]), (&0.into(), &true.into()), "{erased}");
    assert_eq!(places(&site.file(), ANNA) - places(&site.file(), &longer), 0);
    assert_eq!(WORDS.map(|word| places(&site.file(), word)), [0; 3], "nor a word of the reviews");
    assert_eq!(site.run(&["review", "list", "--json"]).ended(0).json().len(), 1, "somebody else's, without its words");
    assert!(site.run(&["person", "requests", "--json"]).ended(0).out.is_empty());
    assert_eq!(count("SELECT count(*) FROM invitation").await, before.0 - 2);
    assert!(count("SELECT sum(n) FROM figure WHERE day > 0").await >= before.1, "what happened stays counted");
    let standing = count("SELECT sum(n) FROM figure WHERE day = 0").await;
    assert_eq!(standing, before.0 - 2, "what stands is counted anew");
    assert!(!service.log().to_lowercase().contains(&ANNA.to_lowercase()));

    // The next order of hers: the hash holds.
    let letters = relay.until(|_| true).await.taken.len();
    hand_in(&service, &order_mail("A-3", "Anna Lind", ANNA)).await;
    until_ended(&site, "A-3", "(suppressed)").await;
    assert_eq!(relay.until(|_| true).await.taken.len(), letters);
    let entries = site.run(&["suppress", "list", "--json"]).ended(0).json();
    assert_eq!((entries.len(), &entries[0]["hashed"], &entries[0]["reason"]), (1, &true.into(), &"erased".into()));

    site.run(&["erase", ANNA, "--yes", "--forget-suppression"]).ended(0);
    assert!(site.run(&["suppress", "list"]).ended(0).out.contains("No entries."));
    site.run(&["person", ANNA]).ended(1);
    assert_eq!(site.integrity().await, "ok");
    service.stop().await;
    let own = site.run(&["erase", "help@shop.example.com", "--yes"]).ended(1);
    assert!(own.err.contains("is an address of shop itself"), "{own:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_erased_from_a_server_and_its_statistics() {
    let Some(server) = crate::postgres::server() else { return };
    let place = server.database();
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::on_server(&place.url(), relay.address, &[]).await;
    let service = site.serve().await;
    for reference in ["A-1", "A-2"] {
        hand_in(&service, &order_mail(reference, "Anna Lind", ANNA)).await;
    }
    // Statistics of a table that is left without a row are not made anew.
    hand_in(&service, &order_mail("B-1", "Bo Ek", "bo@customer.example.net")).await;
    hand_in(&service, &hidden(ANNA)).await;
    until_read(&site, 4).await;
    relay.until(|seen| seen.taken.len() == 2).await;
    let mut conn = site.server().await;
    sqlx::raw_sql("ANALYZE").execute(&mut conn).await.unwrap();
    let told = site.run(&["erase", ANNA, "--yes"]).ended(0).out;
    assert!(told.contains("3 copies with their bytes, 2 invitations") && told.contains("vacuumed"), "{told}");
    let samples = "SELECT count(*) FROM pg_stats WHERE most_common_vals::text ILIKE '%anna.lind%' \
        OR histogram_bounds::text ILIKE '%anna.lind%'";
    assert_eq!(site.number(samples).await, 0);
    hand_in(&service, &order_mail("A-3", "Anna Lind", ANNA)).await;
    until_ended(&site, "A-3", "(suppressed)").await;
    assert_eq!(relay.until(|_| true).await.taken.len(), 2);
    service.stop().await;
}
