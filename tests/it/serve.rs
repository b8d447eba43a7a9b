//! The daemon as a process: signals under load, reloads, a second daemon, databases and configurations that cannot be used,
//! systemd's socket, a store that cannot write for a while, and what the log may not say.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use invited::domain::State;
use sqlx::Connection as _;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::kit::{order_mail, say, until};
use crate::program::{BCC, Dialog, Service, Site, command, is_root, not_run, run};
use crate::relay::{Act, At, Moment, TestRelay};
use crate::systemd::Systemd;

async fn relay() -> TestRelay {
    TestRelay::start(|_| Act::Ok).await
}

fn order(reference: &str) -> Vec<u8> {
    order_mail(reference, "Anna Example", &format!("{reference}@customer.example.net").to_lowercase())
}

/// Hands in mails until the daemon sends it away; gives the references that were answered 250.
async fn load(door: SocketAddr, client: usize, count: Arc<watch::Sender<usize>>) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let Ok(mut dialog) = Dialog::open(door).await else { return acknowledged };
    for number in 0.. {
        let reference = format!("L{client}-{number}");
        match dialog.mail(BCC, &order(&reference)).await {
            Ok(reply) if reply.starts_with("250 ") => {
                acknowledged.push(reference);
                count.send_modify(|count| *count += 1);
            }
            Ok(reply) => {
                assert!(reply.starts_with("421 4.3.2 "), "a daemon that stops says so: {reply}");
                assert!(dialog.is_over().await, "and closes");
                break;
            }
            Err(_) => break,
        }
    }
    acknowledged
}

/// Stops a daemon that takes in and sends at the same time.
async fn drains_at(signal: &str) {
    // The relay takes its time over each letter, so that some are on the wire when the signal comes.
    let slow = |moment: &Moment| match moment.at {
        At::Dot => Act::After(Duration::from_millis(20), Box::new(Act::Ok)),
        _ => Act::Ok,
    };
    let relay = TestRelay::start(slow).await;
    let site = Site::new(relay.address, &[]).await;
    let mut acknowledged = Vec::new();
    for (round, moment) in [(0, 40), (1, 17), (2, 90)] {
        let service = site.serve().await;
        let count = Arc::new(watch::Sender::new(0));
        let mut clients = JoinSet::new();
        for client in 0..4 {
            clients.spawn(load(service.address, 10 * round + client, Arc::clone(&count)));
        }
        count.subscribe().wait_for(|count| *count >= moment).await.unwrap();
        service.signal(signal);
        assert_eq!(service.code().await, Some(0), "{}", service.log());
        assert!(service.log().contains("stopped"), "{}", service.log());
        acknowledged.extend(clients.join_all().await.into_iter().flatten());
        let under_way = "SELECT count(*) FROM invitation WHERE state IN ('sending', 'in_doubt')";
        assert_eq!(site.number(under_way).await, 0, "every letter that was begun came to its end");
    }
    let service = site.serve().await;
    until("everything is read and sent", async || {
        let open = "SELECT (SELECT count(*) FROM copy WHERE state = 'unread') \
                    + (SELECT count(*) FROM invitation WHERE state IN ('queued', 'sending'))";
        (site.number(open).await == 0).then_some(())
    })
    .await;
    service.stop().await;
    let invitations = site.invitations().await;
    let stored = invitations.iter().map(|one| one.reference.to_string()).collect::<BTreeSet<_>>();
    let lost = acknowledged.iter().filter(|one| !stored.contains(*one)).count();
    let sent = relay.taken().into_iter().map(|letter| letter.to.join(",")).collect::<Vec<_>>();
    say(&format!("SIG{signal}: {} acknowledged, lost {lost}, {} letters", acknowledged.len(), sent.len()));
    assert_eq!(lost, 0);
    assert!(invitations.iter().all(|one| one.progress.state == State::Done));
    assert_eq!((sent.len(), sent.iter().collect::<BTreeSet<_>>().len()), (stored.len(), stored.len()), "each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_drains_and_loses_nothing() {
    drains_at("TERM").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigint_under_load_does_the_same() {
    drains_at("INT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_hand_at_sigterm_is_taken_to_its_end() {
    let relay = relay().await;
    let site = Site::new(relay.address, &[]).await;
    let service = site.serve().await;
    let mut busy = Dialog::open(service.address).await.unwrap();
    for command in ["MAIL FROM:<orders@shop.example.com>", &format!("RCPT TO:<{BCC}>"), "DATA"] {
        busy.say(command).await.unwrap();
    }
    let mut idle = Dialog::open(service.address).await.unwrap();
    service.signal("TERM");
    assert!(idle.reply().await.unwrap().starts_with("421 4.3.2 "));
    until("nobody new is let in", async || Dialog::open(service.address).await.err()).await;
    assert!(busy.body(&order("IN-HAND-1")).await.unwrap().starts_with("250 "));
    assert_eq!(service.code().await, Some(0), "{}", service.log());
    assert_eq!(site.number("SELECT count(*) FROM copy").await, 1);
}

const SECOND_SHOP: &str = r#"
[[shop]]
id = "second"
name = "The Second Shop"
domains = ["second.example.org"]
secrets = ["zyxwvutsrq9876543210"]
from = "reviews@second.example.org"
link = "https://second.example.org/review"

[shop.trust]
address = "accept"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn sighup_brings_a_new_shop_without_ending_a_session() {
    let relay = relay().await;
    let site = Site::new(relay.address, &[("hold_all", "true")]).await;
    let service = site.serve().await;
    let second = "RCPT TO:<second+zyxwvutsrq9876543210@in.invited.example>";
    let mut dialog = Dialog::open(service.address).await.unwrap();
    dialog.say("MAIL FROM:<orders@second.example.org>").await.unwrap();
    assert!(dialog.say(second).await.unwrap().starts_with("550 5.1.1 "));

    let text = std::fs::read_to_string(site.config()).unwrap();
    std::fs::write(site.config(), text + SECOND_SHOP).unwrap();
    service.signal("HUP");
    service.says("the configuration was reloaded").await;
    assert!(dialog.say(second).await.unwrap().starts_with("250 "), "the same session, the same transaction");
    assert!(dialog.say("DATA").await.unwrap().starts_with("354"));
    assert!(dialog.body(&order("NEW-SHOP-1")).await.unwrap().starts_with("250 "));
    until("it is read", async || site.invitations().await.into_iter().find(|one| one.shop.as_str() == "second")).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sighup_with_a_bad_configuration_changes_nothing_and_says_where_it_is_bad() {
    let relay = relay().await;
    let site = Site::new(relay.address, &[]).await;
    let service = site.serve().await;
    let good = std::fs::read_to_string(site.config()).unwrap();
    let line = good.lines().count() + 1;
    std::fs::write(site.config(), format!("{good}colour = \"red\"\n{SECOND_SHOP}")).unwrap();
    service.signal("HUP");
    service.says("the configuration was not reloaded; the old one goes on").await;
    service.says(&format!("{}:{line}:1: shop[0].brand.colour: ", site.config().display())).await;

    let mut dialog = Dialog::open(service.address).await.unwrap();
    dialog.say("MAIL FROM:<orders@second.example.org>").await.unwrap();
    let second = dialog.say("RCPT TO:<second+zyxwvutsrq9876543210@in.invited.example>").await.unwrap();
    assert!(second.starts_with("550 "), "nothing of the bad configuration counts: {second}");
    dialog.say("RSET").await.unwrap();
    assert!(dialog.mail(BCC, &order("GOES-ON-1")).await.unwrap().starts_with("250 "));
    relay.until(|seen| seen.taken.len() == 1).await;

    let elsewhere =
        good.replace("127.0.0.1:0", "127.0.0.1:1").replace("\"invited.db\"", "\"postgres://invited@db/invited\"");
    std::fs::write(site.config(), elsewhere).unwrap();
    service.signal("HUP");
    service.says("these need a restart").await;
    service.says("database, listener 127.0.0.1:0, listener 127.0.0.1:1").await;
    assert!(!service.log().contains('\u{1b}'), "no colours where there is no terminal");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_unit_can_reload_while_the_relay_is_down() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let site = Site::new(gone, &[]).await;
    let unit = include_str!("../../systemd/invited.service");
    let checks = unit.lines().filter_map(|line| line.strip_prefix("ExecReload=/usr/bin/invited ")).collect::<Vec<_>>();
    let [check] = checks[..] else { panic!("one check before a reload: {checks:?}") };
    let words = check.strip_suffix(" --config /etc/invited/invited.toml").unwrap().split(' ').collect::<Vec<_>>();
    let service = site.serve().await;
    site.run(&words).ended(0);
    std::fs::remove_file(site.path("master.key")).unwrap();
    site.run(&words).ended(78);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_daemon_on_one_database_is_refused_and_the_next_starts_after_a_kill() {
    let relay = relay().await;
    let site = Site::new(relay.address, &[]).await;
    // The best of some tries: a busy machine may take its time over one, a program that waits takes it over each.
    let (mut refused, mut restarted) = (Duration::MAX, Duration::MAX);
    let mut first = site.serve().await;
    for number in 0..5 {
        let began = Instant::now();
        let second = site.run(&["serve"]).ended(1);
        refused = refused.min(began.elapsed());
        let said = format!("another daemon (process {}) runs on this database", first.pid);
        assert!(second.err.contains(&said), "{second:?}");
        let mut dialog = Dialog::open(first.address).await.unwrap();
        let reply = dialog.mail(BCC, &order(&format!("FIRST-{number}"))).await.unwrap();
        assert!(reply.starts_with("250 "), "the first one was not disturbed: {reply}");
        first.kill().await;
        let began = Instant::now();
        first = site.serve().await;
        restarted = restarted.min(began.elapsed());
    }
    say(&format!("a second daemon is refused in {refused:?}; one starts {restarted:?} after a kill -9"));
    // A program that was not optimised takes a second to load its templates.
    let loading = Duration::from_secs(if cfg!(debug_assertions) { 2 } else { 0 });
    assert!(
        refused < loading + Duration::from_secs(1) && restarted < loading + Duration::from_secs(2),
        "{refused:?}, {restarted:?}"
    );
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn create_makes_a_database_that_is_missing_and_takes_one_that_is_there() {
    let relay = relay().await;
    let site = Site::new(relay.address, &[]).await;
    std::fs::remove_file(site.file()).unwrap();
    for number in 1..=2 {
        let service = site.serve_with(&["--create"], &[]).await;
        let mut dialog = Dialog::open(service.address).await.unwrap();
        assert!(dialog.mail(BCC, &order(&format!("CREATE-{number}"))).await.unwrap().starts_with("250 "));
        service.stop().await;
        assert_eq!(site.number("SELECT count(*) FROM copy").await, number);
    }
    assert_eq!(std::fs::metadata(site.file()).unwrap().permissions().mode() & 0o777, 0o600);
}

/// Starts the daemon, which must refuse with 78; gives what it said.
fn refused(site: &Site) -> String {
    let addresses = site.path("never");
    let ran = site.run(&[OsStr::new("serve"), OsStr::new("--addresses"), addresses.as_os_str()]).ended(78);
    assert!(!addresses.exists(), "nothing was started");
    assert!(ran.err.contains("nothing was started or changed"), "{ran:?}");
    assert!(ran.out.is_empty());
    ran.err
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_used_is_78_with_the_way_out() {
    let relay = relay().await;
    let site = Site::new(relay.address, &[]).await;
    let database = site.file();
    let whole = std::fs::read(&database).unwrap();

    std::fs::remove_file(&database).unwrap();
    let said = refused(&site);
    assert!(said.contains("there is no queue at") && said.contains("serve --create"), "{said}");
    assert!(!database.exists(), "it is not made by the way");

    std::fs::write(&database, b"").unwrap();
    assert!(refused(&site).contains("it is empty"));

    std::fs::write(&database, b"this is no database, but it is long enough to be read as a page of one".repeat(100))
        .unwrap();
    let said = refused(&site);
    assert!(said.contains("it is not a SQLite database"), "{said}");

    let mut torn = whole.clone();
    for byte in &mut torn[4096..8192] {
        *byte = !*byte;
    }
    std::fs::write(&database, torn).unwrap();
    let said = refused(&site);
    assert!(said.contains("it is damaged") && said.contains("restore"), "{said}");

    std::fs::write(&database, &whole).unwrap();
    let mut conn = site.sql().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'from the future', 1, x'00', 0)";
    sqlx::query(newer).execute(&mut conn).await.unwrap();
    let contracted = "UPDATE property SET value = '9999' WHERE name = 'compatible_from'";
    sqlx::query(contracted).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    let said = refused(&site);
    assert!(said.contains("has schema 9999") && said.contains("newer"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_database_is_78() {
    // Root may write whatever the mode says, so root needs a file system that is read-only.
    if is_root() {
        let Some(disk) = Tmpfs::mount("a_read_only_database_is_78", "16m") else { return };
        let relay = relay().await;
        let site = Site::new(relay.address, &[("database", &format!("{:?}", disk.path("invited.db")))]).await;
        disk.remount("ro");
        let said = refused(&site);
        assert!(said.to_lowercase().contains("read-only"), "{said}");
    } else {
        let relay = relay().await;
        let site = Site::new(relay.address, &[]).await;
        std::fs::set_permissions(site.file(), std::fs::Permissions::from_mode(0o400)).unwrap();
        let said = refused(&site);
        assert!(said.contains("it cannot be opened for writing"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_problems_of_a_configuration_and_its_templates_and_letters_are_told_at_once() {
    let relay = relay().await;
    let site = Site::new(relay.address, &[]).await;
    let good = std::fs::read_to_string(site.config()).unwrap();
    let bad = good
        .replace("locale = \"en\"", "locale = \"english please\"")
        .replace("delay = \"0 days\"", "delay = \"soon\"")
        .replace("name = \"Shop\"", "nmae = \"Shop\"");
    std::fs::write(site.config(), bad).unwrap();
    let said = refused(&site);
    let places = said.lines().filter(|line| line.starts_with(&format!("{}:", site.config().display())));
    assert!(places.count() >= 4, "a bad locale, a bad delay, an unknown key, a missing one: {said}");

    for folder in ["templates", "letters/en"] {
        std::fs::create_dir_all(site.path(folder)).unwrap();
    }
    std::fs::write(site.path("templates/broken.toml"), "nonsense = true\n").unwrap();
    std::fs::write(site.path("letters/en/words.toml"), "subject = {% \n").unwrap();
    site.configure(relay.address, &[("templates", "\"templates\""), ("letters", "\"letters\"")]);
    std::fs::remove_file(site.path("master.key")).unwrap();
    let said = refused(&site);
    for part in ["broken.toml", "words.toml", "master.key"] {
        assert!(said.contains(part), "{part} is not told of: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_is_told_of_start_reload_life_and_end() {
    let relay = relay().await;
    let site = Site::new(relay.address, &[]).await;
    let mut systemd = Systemd::bind(site.path("notify"));
    let service = site.begin(&[], &systemd.environment());
    assert_eq!(systemd.until("READY=1").await, ["READY=1"], "ready is the first thing it says");
    assert!(site.path("addresses").exists(), "and it listens then");
    systemd.until("STATUS=0 messages taken in, 0 letters sent since the start").await;
    systemd.until("WATCHDOG=1").await;
    systemd.until("WATCHDOG=1").await;
    service.signal("HUP");
    let reloading = systemd.until("RELOADING=1").await;
    let at = reloading.iter().position(|line| line == "RELOADING=1").unwrap();
    let monotonic = reloading.get(at + 1).and_then(|line| line.strip_prefix("MONOTONIC_USEC="));
    assert!(monotonic.is_some_and(|at| at.parse::<u64>().is_ok()), "in the same message: {reloading:?}");
    systemd.until("READY=1").await;
    systemd.until("WATCHDOG=1").await;
    service.signal("TERM");
    systemd.until("STOPPING=1").await;
    assert_eq!(service.code().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_names_no_customer_even_when_it_says_everything() {
    let refusing = |moment: &Moment| match moment.at {
        At::Rcpt if moment.rcpt.starts_with("bert") => {
            Act::Reply("550 5.1.1 <bert.beispiel@kunde.example.net> unknown")
        }
        At::Dot if moment.rcpt.starts_with("cleo") => Act::Reply("451 4.2.0 cleo.exemple@client.example.net later"),
        _ => Act::Ok,
    };
    let relay = TestRelay::start(refusing).await;
    let site = Site::new(relay.address, &[]).await;
    let service = site.serve_with(&[], &[("INVITED_LOG", OsStr::new("trace"))]).await;
    let people = [
        ("LOG-1", "Anna Exempel", "anna.exempel@kund.example.net"),
        ("LOG-2", "Bert Beispiel", "bert.beispiel@kunde.example.net"),
        ("LOG-3", "Cleo Exemple", "cleo.exemple@client.example.net"),
    ];
    let mut dialog = Dialog::open(service.address).await.unwrap();
    for (reference, name, email) in people {
        assert!(dialog.mail(BCC, &order_mail(reference, name, email)).await.unwrap().starts_with("250 "));
    }
    dialog.say("MAIL FROM:<dora.esempio@cliente.example.net>").await.unwrap();
    dialog.say("RCPT TO:<emil.voorbeeld@klant.example.net>").await.unwrap();
    dialog.say("RCPT TO:<shop+guessed@in.invited.example>").await.unwrap();
    dialog.say("BEHAVE anna.exempel@kund.example.net").await.unwrap();
    dialog.say("RSET").await.unwrap();
    let held = b"From: Shop <orders@shop.example.com>\r\nTo: Fia Eksempel <fia.eksempel@kunde.example.net>\r\n\
        Subject: Something about Fia Eksempel\r\n\r\nDear Fia Eksempel, this tells of nothing.\r\n";
    assert!(dialog.mail(BCC, held).await.unwrap().starts_with("250 "));
    until("each has come to its end", async || {
        let open = "SELECT (SELECT count(*) FROM copy WHERE state = 'unread') \
                    + (SELECT count(*) FROM invitation WHERE attempts + letters_sent = 0)";
        (site.number(open).await == 0).then_some(())
    })
    .await;
    // A session that ends as it should is worth no more than DEBUG: the log does say everything.
    assert!(Dialog::open(service.address).await.unwrap().say("QUIT").await.unwrap().starts_with("221 "));
    service.says("DEBUG session ended").await;
    service.signal("HUP");
    service.says("reloaded").await;
    service.signal("TERM");
    assert_eq!(service.code().await, Some(0));
    let log = service.log();
    assert!(log.matches("a letter's attempt ended").count() >= 3, "{log}");
    let low = log.to_lowercase();
    for word in [
        "exempel",
        "beispiel",
        "exemple",
        "esempio",
        "voorbeeld",
        "eksempel",
        "anna",
        "bert",
        "cleo",
        "kund.example",
        "guessed",
        "abcdefgh23456789abcd",
        "something about",
    ] {
        let line = low.lines().find(|line| line.contains(word));
        assert_eq!(line, None, "the log has {word:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_locked_makes_clients_wait_and_takes_their_mails_afterwards() {
    let relay = relay().await;
    let site = Site::new(relay.address, &[]).await;
    let service = site.serve().await;
    let mut dialog = Dialog::open(service.address).await.unwrap();
    assert!(dialog.mail(BCC, &order("BEFORE-1")).await.unwrap().starts_with("250 "));
    relay.until(|seen| seen.taken.len() == 1).await;
    until("it is settled", async || {
        (site.number("SELECT count(*) FROM invitation WHERE state = 'done'").await == 1).then_some(())
    })
    .await;

    let mut other = site.sql().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let reply = dialog.mail(BCC, &order("LOCKED-1")).await.unwrap();
    assert!(reply.starts_with("451 4.3.0 "), "after the busy timeout: {reply}");
    let reply = dialog.mail(BCC, &order("LOCKED-1")).await.unwrap();
    assert!(reply.starts_with("451 4.3.0 "), "at MAIL, so that nothing is sent in vain: {reply}");
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    taken_again(&mut dialog, "LOCKED-1").await;
    relay.until(|seen| seen.taken.len() == 2).await;
    stop_with(&site, service, 2).await;
}

/// Tries again until the same session takes the mail.
async fn taken_again(dialog: &mut Dialog, reference: &str) {
    until("the store can be written again and is", async || {
        let reply = dialog.mail(BCC, &order(reference)).await.unwrap();
        assert!(reply.starts_with("250 ") || reply.starts_with("45"), "{reply}");
        reply.starts_with("250 ").then_some(())
    })
    .await;
}

async fn stop_with(site: &Site, service: Service, copies: i64) {
    service.stop().await;
    assert_eq!(site.number("SELECT count(*) FROM copy").await, copies);
    assert_eq!(site.integrity().await, "ok");
}

/// A small disk, for root.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    fn mount(test: &str, size: &str) -> Option<Self> {
        let disk = Self(tempfile::tempdir().unwrap());
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(disk.0.path());
        if is_root() && mount.output().is_ok_and(|output| output.status.success()) {
            return Some(disk);
        }
        not_run(test, "the right to mount a tmpfs");
        None
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn remount(&self, how: &str) {
        let mut mount = std::process::Command::new("mount");
        mount.args(["-o", &format!("remount,{how}")]).arg(self.0.path());
        assert!(mount.status().unwrap().success());
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: whatever still has a file open there must not keep the mount.
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_452_and_room_again_is_250_in_the_same_session() {
    let test = "a_full_disk_is_452_and_room_again_is_250_in_the_same_session";
    let Some(disk) = Tmpfs::mount(test, "8m") else { return };
    let relay = relay().await;
    let site = Site::new(relay.address, &[("database", &format!("{:?}", disk.path("invited.db")))]).await;
    let service = site.serve().await;
    let mut dialog = Dialog::open(service.address).await.unwrap();
    assert!(dialog.mail(BCC, &order("ROOM-1")).await.unwrap().starts_with("250 "));
    let filler = disk.path("filler");
    // Writes until the disk says no.
    let _ = std::fs::write(&filler, vec![7; 8 * 1024 * 1024]);
    // The room is looked at once a second; until then a copy may still find some in the log.
    let mut copies = 2;
    let reply = until("there is no more room", async || {
        let reply = dialog.mail(BCC, &order(&format!("FULL-{copies}"))).await.unwrap();
        copies += i64::from(reply.starts_with("250 "));
        (!reply.starts_with("250 ")).then_some(reply)
    })
    .await;
    assert!(reply.starts_with("452 4.3.1 "), "{reply}");
    std::fs::remove_file(filler).unwrap();
    taken_again(&mut dialog, "ROOM-2").await;
    let letters = usize::try_from(copies).unwrap();
    relay.until(|seen| seen.taken.len() == letters).await;
    stop_with(&site, service, copies).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_taken_is_1_with_its_name() {
    let relay = relay().await;
    let site = Site::new(relay.address, &[("listen", &format!("[\"{}\"]", relay.address))]).await;
    let ran = site.run(&["serve"]).ended(1);
    assert!(ran.err.contains(&format!("cannot listen on {}", relay.address)), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_configuration_is_78_and_says_how_to_write_one() {
    let folder = tempfile::tempdir().unwrap();
    let ran = run(command().args(["serve", "--config"]).arg(folder.path().join("none.toml"))).ended(78);
    assert!(ran.err.contains("none.toml: cannot be read") && ran.err.contains("invited init"), "{ran:?}");
}
