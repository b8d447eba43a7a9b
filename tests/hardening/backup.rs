//! A backup under load, and the queue put back from it: it is whole, and nobody gets a letter twice.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tokio::task::JoinSet;

use crate::Part;
use crate::kit::{order_mail, until};
use crate::program::{BCC, Dialog, Site};
use crate::relay::{Act, TestRelay};

/// Letters that each customer got.
fn letters(relay: &TestRelay) -> BTreeMap<String, usize> {
    let mut letters = BTreeMap::new();
    for letter in relay.taken() {
        *letters.entry(letter.to.join(",")).or_default() += 1;
    }
    letters
}

/// Hands in orders until told to stop; how many were taken.
fn load(address: std::net::SocketAddr, stop: &Arc<AtomicBool>, taken: &Arc<AtomicU32>) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for client in 0..3 {
        let (stop, taken) = (Arc::clone(stop), Arc::clone(taken));
        clients.spawn(async move {
            let mut dialog = Dialog::open(address).await.unwrap();
            // A little faster than a daemon that was not optimised can read, so that something is always waiting.
            let mut pace = tokio::time::interval(std::time::Duration::from_millis(40));
            while !stop.load(Ordering::Relaxed) {
                pace.tick().await;
                let number = taken.fetch_add(1, Ordering::Relaxed);
                let mail =
                    order_mail(&format!("B{client}-{number}"), "Anna", &format!("anna{number}@kund.example.net"));
                let reply = dialog.mail(BCC, &mail).await.unwrap();
                assert!(reply.starts_with("250 "), "nobody waits for a backup: {reply}");
            }
        });
    }
    clients
}

async fn quiet(site: &Site) {
    until("all is read and nothing is due", async || {
        let busy = "SELECT (SELECT count(*) FROM copy WHERE state = 'unread') \
            + (SELECT count(*) FROM invitation WHERE state IN ('queued', 'sending'))";
        (site.number(busy).await == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_put_back_from_a_backup_under_load_sends_nothing_twice() {
    let _machine = crate::MACHINE.lock().await;
    let part = Part::begin("backup under load, restored, run on", &[], false).unwrap();
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let service = site.serve().await;
    let (stop, taken) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let clients = load(service.address, &stop, &taken);
    relay.until(|seen| seen.taken.len() >= 20).await;

    // Several, one after the other: each catches copies unread, letters claimed, letters on the wire.
    let mut backups = Vec::new();
    for number in 0..3 {
        let file = site.path(&format!("backup{number}.db"));
        let made = site.run(&["backup", "--json", file.to_str().unwrap()]).ended(0).json();
        assert!(made[0]["copies"].as_u64().unwrap() > 0, "{made:?}");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let again = site.run(&["backup", file.to_str().unwrap()]).ended(1);
        assert!(again.err.contains("exists already"), "{again:?}");
        let before = relay.taken().len();
        relay.until(|seen| seen.taken.len() >= before + 10).await;
        backups.push((file, made[0]["invitations"].as_i64().unwrap()));
    }
    let running = site.run(&["restore", backups[0].0.to_str().unwrap(), "--replace"]).ended(1);
    assert!(running.err.contains(&format!("another daemon (process {})", service.pid)), "{running:?}");
    stop.store(true, Ordering::Relaxed);
    clients.join_all().await;
    quiet(&site).await;
    service.stop().await;
    let sent = letters(&relay);

    let mut figures = Vec::new();
    for (file, invitations) in backups {
        let refused = site.run(&["restore", file.to_str().unwrap()]).ended(1);
        assert!(refused.err.contains("--replace"), "{refused:?}");
        let restored = site.run(&["restore", "--json", file.to_str().unwrap(), "--replace"]).ended(0).json();
        // Those that began since and had a letter are there too.
        assert!(restored[0]["invitations"].as_i64().unwrap() >= invitations, "{restored:?}");
        let held = restored[0]["held"].as_array().unwrap().len();
        let unread = site.number("SELECT count(*) FROM copy WHERE state = 'unread'").await;
        assert_eq!(site.integrity().await, "ok");
        let at_work = "SELECT (SELECT count(*) FROM daemon) + (SELECT count(*) FROM report)";
        assert_eq!(site.number(at_work).await, 0, "nobody is at work on what was put back");
        let kept = restored[0]["kept"].as_str().unwrap();
        assert!(std::path::Path::new(kept).exists(), "{kept}");
        let service = site.serve().await;
        quiet(&site).await;
        // Mails that came in the gap, handed in again.
        let mut dialog = Dialog::open(service.address).await.unwrap();
        let mail = order_mail("LATER-1", "Anna", &format!("later{}@kund.example.net", figures.len()));
        assert!(dialog.mail(BCC, &mail).await.unwrap().starts_with("250 "));
        drop(dialog);
        quiet(&site).await;
        service.stop().await;
        let doubled = letters(&relay).into_iter().filter(|(_, letters)| *letters > 1).collect::<Vec<_>>();
        assert_eq!(doubled.len(), 0, "{held} held, {unread} unread at the restoration");
        figures.push(format!("{invitations} invitations, {held} held, {unread} unread"));
    }
    assert!(letters(&relay).len() < sent.len() + 4, "only what is new was sent: {}", letters(&relay).len());
    part.ran(&format!(
        "{} letters, 0 doubles over {} restorations ({})",
        sent.len(),
        figures.len(),
        figures.join("; ")
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_due_in_between_is_held_by_a_rule_and_goes_out_by_one_command() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[("hold_all", "true")]).await;
    let service = site.serve().await;
    let mut dialog = Dialog::open(service.address).await.unwrap();
    for number in 0..5 {
        let mail = order_mail(&format!("DUE-{number}"), "Anna", &format!("anna{number}@kund.example.net"));
        assert!(dialog.mail(BCC, &mail).await.unwrap().starts_with("250 "));
    }
    until("they are read", async || (site.number("SELECT count(*) FROM invitation").await == 5).then_some(())).await;
    drop(dialog);
    service.stop().await;
    let backup = site.path("backup.db");
    let said = site.run(&["backup", backup.to_str().unwrap()]).ended(0);
    assert!(said.out.contains("5 mails, 5 invitations"), "{said:?}");

    // The queue itself is lost.
    let file = site.file();
    std::fs::remove_file(&file).unwrap();
    let said = site.run(&["restore", backup.to_str().unwrap()]).ended(0);
    assert!(said.out.contains("5 invitations are held") && said.out.contains("reschedule --state held"), "{said:?}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let story = site.run(&["explain", "DUE-3"]).ended(0);
    assert!(story.out.contains("put back from a backup"), "{story:?}");

    site.configure(relay.address, &[]);
    let service = site.serve().await;
    quiet(&site).await;
    assert_eq!(relay.taken().len(), 0, "nothing went by itself");
    site.run(&["queue", "send-now", "--state", "held", "--yes"]).ended(0);
    relay.until(|seen| seen.taken.len() == 5).await;
    service.stop().await;
    // No number is given a second time.
    let store = site.store().await;
    assert!(store.last_backup().await.unwrap().is_some());
    let next = "SELECT seq FROM sqlite_sequence WHERE name = 'letter'";
    assert!(site.number(next).await > 1_000_000, "letters that went out in the gap keep their numbers for themselves");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_backup_is_not_put_back_and_the_queue_stays() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let before = std::fs::read(site.file()).unwrap();
    let bad = site.path("bad.db");
    for (bytes, expected) in [(&b""[..], "it is empty"), (&[7; 9000][..], "it is not a SQLite database")] {
        std::fs::write(&bad, bytes).unwrap();
        let ran = site.run(&["restore", bad.to_str().unwrap(), "--replace"]).ended(78);
        assert!(ran.err.contains(expected) && ran.err.contains("bad.db"), "{ran:?}");
    }
    // A copy of the file that says nothing of when it was made.
    std::fs::copy(site.file(), &bad).unwrap();
    let ran = site.run(&["restore", bad.to_str().unwrap(), "--replace"]).ended(1);
    assert!(ran.err.contains("--as-of"), "{ran:?}");
    assert_eq!(std::fs::read(site.file()).unwrap(), before);
    let left = std::fs::read_dir(site.path("")).unwrap().map(|one| one.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.contains("restoring") || name.contains("before")).collect::<Vec<_>>(), [""; 0]);
    site.run(&["restore", bad.to_str().unwrap(), "--replace", "--as-of", "1 hour"]).ended(0);
    site.run(&["check", "--offline"]).ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_a_server_has_put_back_itself_is_held_before_a_daemon_works_on_it() {
    let Some(server) = crate::postgres::server() else { return };
    let place = server.database();
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::on_server(&place.url(), relay.address, &[("hold_all", "true")]).await;
    let said = site.run(&["backup", "dump"]).ended(1);
    assert!(said.err.contains("pg_dump --format=custom --file=dump"), "{said:?}");
    let said = site.run(&["restore", "dump"]).ended(1);
    assert!(said.err.contains("pg_restore") && said.err.contains("invited restore --as-of TIME"), "{said:?}");
    let service = site.serve().await;
    let mut dialog = Dialog::open(service.address).await.unwrap();
    for number in 0..3 {
        let mail = order_mail(&format!("PG-{number}"), "Anna", &format!("anna{number}@kund.example.net"));
        assert!(dialog.mail(BCC, &mail).await.unwrap().starts_with("250 "));
    }
    until("they are read", async || (site.number("SELECT count(*) FROM invitation").await == 3).then_some(())).await;
    drop(dialog);
    let running = site.run(&["restore", "--as-of", "1 hour"]).ended(1);
    assert!(running.err.contains("a daemon works on this database"), "{running:?}");
    service.stop().await;
    let said = site.run(&["restore", "--as-of", "1 hour", "--json"]).ended(0).json();
    assert_eq!(said[0]["held"].as_array().unwrap().len(), 3);
    site.configure(relay.address, &[]);
    let service = site.serve().await;
    let mut dialog = Dialog::open(service.address).await.unwrap();
    // An order of that time, told of once more.
    let written = invited::clock::Clock::System.now().to_jiff() - jiff::SignedDuration::from_mins(10);
    let written = jiff::fmt::rfc2822::to_string(&written.to_zoned(jiff::tz::TimeZone::UTC)).unwrap();
    let mail = String::from_utf8(order_mail("PG-OF-THE-GAP", "Bo", "bo@kund.example.net")).unwrap();
    let mail = mail.replace("Mon, 2 Mar 2026 09:00:00 +0000", &written).into_bytes();
    assert!(dialog.mail(BCC, &mail).await.unwrap().starts_with("250 "));
    until("it is held too", async || {
        (site.number("SELECT count(*) FROM invitation WHERE state = 'held'").await == 4).then_some(())
    })
    .await;
    assert!(site.number("SELECT max(id) FROM invitation").await > 1_000_000);
    drop(dialog);
    service.stop().await;
    assert_eq!(relay.taken().len(), 0);
}

/// An order mail that was written a minute ago, so that its letter's delay has only begun.
fn fresh(reference: &str, email: &str) -> Vec<u8> {
    let written = invited::clock::Clock::System.now().to_jiff() - jiff::SignedDuration::from_mins(1);
    let written = jiff::fmt::rfc2822::to_string(&written.to_zoned(jiff::tz::TimeZone::UTC)).unwrap();
    let mail = String::from_utf8(order_mail(reference, "Anna", email)).unwrap();
    mail.replace("Mon, 2 Mar 2026 09:00:00 +0000", &written).into_bytes()
}

fn address(reference: &str) -> String {
    format!("{}@kund.example.net", reference.to_lowercase())
}

async fn hand_in(address: std::net::SocketAddr, mails: &[Vec<u8>]) {
    let mut dialog = Dialog::open(address).await.unwrap();
    for mail in mails {
        let reply = dialog.mail(BCC, mail).await.unwrap();
        assert!(reply.starts_with("250 "), "{reply}");
    }
}

async fn all_read(site: &Site, invitations: i64) {
    until("all is read", async || {
        let unread = site.number("SELECT count(*) FROM copy WHERE state = 'unread'").await;
        (unread == 0 && site.number("SELECT count(*) FROM invitation").await >= invitations).then_some(())
    })
    .await;
}

async fn number_of(site: &Site, reference: &str) -> String {
    let all = site.invitations().await;
    all.iter().find(|one| one.reference.as_str() == reference).unwrap().id.to_string()
}

/// What stands of each order: its state and how many letters it has had.
async fn standing(site: &Site) -> BTreeMap<String, (String, u32)> {
    let all = site.invitations().await.into_iter();
    all.map(|one| (one.reference.as_str().to_owned(), (one.progress.state.to_string(), one.progress.letters_sent)))
        .collect()
}

const SLOW: [(&str, &str); 2] = [("delay", "\"7 days\""), ("reminder", "\"10 days\"")];
const REMINDER: &str = "A-101";
const AT_ONCE: &str = "A-102";
const EARLIER: &str = "A-103";
const SHORTER: &str = "A-104";
const CANCELLED: &str = "A-105";
const SUPPRESSED: &str = "A-106";
const ERASED: &str = "A-107";
const UNTOUCHED: &str = "A-108";

/// A queue of which there is a backup, in which every letter is due in a week, and in which letters went before that, after the backup.
struct Hurried {
    relay: TestRelay,
    site: Site,
    backup: String,
    sent: BTreeMap<String, usize>,
}

impl Hurried {
    async fn new() -> Self {
        let relay = TestRelay::start(|_| Act::Ok).await;
        let site = Site::new(relay.address, &SLOW).await;
        let service = site.serve().await;
        let orders = [REMINDER, AT_ONCE, EARLIER, CANCELLED, SUPPRESSED, ERASED, UNTOUCHED];
        hand_in(service.address, &orders.map(|order| fresh(order, &address(order)))).await;
        all_read(&site, 7).await;
        site.run(&["queue", "send-now", &number_of(&site, REMINDER).await, "--yes"]).ended(0);
        relay.until(|seen| seen.taken.len() == 1).await;
        quiet_but_for_queued(&site).await;
        let backup = site.path("backup.db").to_str().unwrap().to_owned();
        site.run(&["backup", &backup]).ended(0);

        // The first letter's reminder at once, a letter at once, one earlier.
        for order in [REMINDER, AT_ONCE] {
            site.run(&["queue", "send-now", &number_of(&site, order).await, "--yes"]).ended(0);
        }
        let earlier = number_of(&site, EARLIER).await;
        site.run(&["queue", "reschedule", &earlier, "--to", "1 second", "--yes"]).ended(0);
        relay.until(|seen| seen.taken.len() == 4).await;
        site.run(&["queue", "cancel", &number_of(&site, CANCELLED).await, "--yes"]).ended(0);
        site.run(&["suppress", "add", &address(SUPPRESSED)]).ended(0);
        service.stop().await;
        site.run(&["erase", &address(ERASED), "--yes"]).ended(0);
        // And one that a shorter delay let go.
        site.configure(relay.address, &[("reminder", "\"10 days\"")]);
        let service = site.serve().await;
        hand_in(service.address, &[fresh(SHORTER, &address(SHORTER))]).await;
        relay.until(|seen| seen.taken.len() == 5).await;
        quiet_but_for_queued(&site).await;
        service.stop().await;
        site.configure(relay.address, &SLOW);
        let sent = letters(&relay);
        assert_eq!(sent.get(&address(REMINDER)), Some(&2), "{sent:?}");
        Self { relay, site, backup, sent }
    }

    /// Long after: whatever still is to go is due. The mail of the gap is handed in again. What the customers have then.
    async fn run_on(&self) -> BTreeMap<String, usize> {
        let service = self.site.serve().await;
        let again = String::from_utf8(fresh(SHORTER, &address(SHORTER))).unwrap();
        hand_in(service.address, &[again.replace("Thank you", "Thanks again").into_bytes()]).await;
        all_read(&self.site, 1).await;
        service.stop().await;
        let mut sql = self.site.sql().await;
        sqlx::query("UPDATE invitation SET due_at = 1 WHERE due_at IS NOT NULL").execute(&mut sql).await.unwrap();
        sqlx::query("UPDATE letter SET claimed_at = 1, settled_at = 1").execute(&mut sql).await.unwrap();
        drop(sql);
        let service = self.site.serve().await;
        until("nothing is due", async || {
            let due = "SELECT count(*) FROM invitation WHERE state = 'sending' OR due_at <= 1";
            (self.site.number(due).await == 0).then_some(())
        })
        .await;
        service.stop().await;
        letters(&self.relay)
    }
}

async fn quiet_but_for_queued(site: &Site) {
    until("nothing is under way", async || {
        let busy = "SELECT (SELECT count(*) FROM copy WHERE state = 'unread') \
            + (SELECT count(*) FROM invitation WHERE state = 'sending')";
        (site.number(busy).await == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_before_its_time_is_known_to_the_queue_that_was_there_and_goes_once() {
    let hurried = Hurried::new().await;
    let restored = hurried.site.run(&["restore", &hurried.backup, "--replace", "--json"]).ended(0).json();
    assert_eq!(restored[0]["compared"], "whole", "{restored:?}");
    assert_eq!(restored[0]["held"].as_array().unwrap().len(), 0, "{restored:?}");
    assert_eq!(restored[0]["erased"], 2, "the mail and the invitation of one: {restored:?}");
    let stands = standing(&hurried.site).await;
    let expected = [
        (REMINDER, "done", 2),
        (AT_ONCE, "sent", 1),
        (EARLIER, "sent", 1),
        (SHORTER, "sent", 1),
        (CANCELLED, "cancelled", 0),
        (SUPPRESSED, "cancelled", 0),
        (UNTOUCHED, "queued", 0),
    ];
    assert_eq!(stands, expected.map(|(order, state, letters)| (order.to_owned(), (state.to_owned(), letters))).into());
    assert_eq!(hurried.site.integrity().await, "ok");
    let listed = hurried.site.run(&["suppress", "list"]).ended(0);
    assert!(listed.out.contains(&address(SUPPRESSED)), "who came onto the list since is on it: {listed:?}");
    assert_eq!(
        hurried.site.number("SELECT count(*) FROM suppression WHERE subject LIKE 'h:%'").await,
        1,
        "so is a mark"
    );
    for file in ["", "-wal"] {
        let bytes = std::fs::read(format!("{}{file}", hurried.site.file().display())).unwrap_or_default();
        let name = address(ERASED).into_bytes();
        assert!(!bytes.windows(name.len()).any(|window| window == name), "nobody who was erased comes back");
    }
    let counted = "SELECT count(*) FROM (SELECT name, n FROM figure WHERE day = 0 AND name LIKE 'state %' AND n > 0 \
        EXCEPT SELECT 'state ' || state, count(*) FROM invitation GROUP BY 1)";
    assert_eq!(hurried.site.number(counted).await, 0);

    let mut expected = hurried.sent.clone();
    for order in [AT_ONCE, EARLIER, SHORTER, UNTOUCHED] {
        // The letter of the one, the reminders of the others.
        *expected.entry(address(order)).or_default() += 1;
    }
    assert_eq!(hurried.run_on().await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_queue_that_was_there_cannot_be_read_all_is_held_that_may_have_gone_before_its_time() {
    for damaged in [false, true] {
        let hurried = Hurried::new().await;
        let file = hurried.site.file();
        if damaged {
            let mut bytes = std::fs::read(&file).unwrap();
            bytes[4096..].fill(0x5a);
            std::fs::write(&file, bytes).unwrap();
        } else {
            std::fs::remove_file(&file).unwrap();
        }
        let said = hurried.site.run(&["restore", &hurried.backup, "--replace"]).ended(0);
        let why = if damaged { "cannot be read" } else { "no queue was there" };
        assert!(said.out.contains(why) && said.out.contains("--on-time"), "{said:?}");
        assert!(said.out.contains("7 invitations are held"), "{said:?}");
        assert!(standing(&hurried.site).await.values().all(|(state, _)| state == "held"));
        assert_eq!(hurried.run_on().await, hurried.sent, "nothing goes by itself");
        assert_eq!(standing(&hurried.site).await[SHORTER].0, "held", "nor what a mail of that time begins");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_knows_that_nothing_was_hurried_on_has_only_held_what_was_due() {
    let hurried = Hurried::new().await;
    std::fs::remove_file(hurried.site.file()).unwrap();
    hurried.site.run(&["restore", &hurried.backup]).ended(0);
    // Said afterwards: what was restored is replaced, and does not count as knowing of that time.
    let restored = hurried.site.run(&["restore", &hurried.backup, "--replace", "--on-time", "--json"]).ended(0).json();
    assert_eq!(restored[0]["compared"], "in_part", "{restored:?}");
    assert_eq!(restored[0]["held"].as_array().unwrap().len(), 0, "{restored:?}");
    assert_eq!(standing(&hurried.site).await[UNTOUCHED].0, "queued");
    // Numbers go on above all that were given.
    assert!(hurried.site.number("SELECT seq FROM sqlite_sequence WHERE name = 'letter'").await > 2_000_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_missed_the_time_itself_stands_for_nothing_but_what_speaks_against_letters() {
    let hurried = Hurried::new().await;
    // Lost, begun anew, in service for a while, and only then is the backup found.
    std::fs::remove_file(hurried.site.file()).unwrap();
    invited::store::create_if_missing(&hurried.site.database(), None).await.unwrap();
    hurried.site.run(&["suppress", "add", &address(UNTOUCHED)]).ended(0);
    let restored = hurried.site.run(&["restore", &hurried.backup, "--replace", "--json"]).ended(0).json();
    assert_eq!(restored[0]["compared"], "in_part", "{restored:?}");
    assert_eq!(restored[0]["held"].as_array().unwrap().len(), 7, "{restored:?}");
    let listed = hurried.site.run(&["suppress", "list"]).ended(0);
    assert!(listed.out.contains(&address(UNTOUCHED)), "{listed:?}");
    assert_eq!(hurried.run_on().await, hurried.sent);
}
