//! `invited ingest` as mail servers call it: what it says of each mail by its code, beside a daemon and without one, and behind a real
//! Postfix, which keeps the mail while it cannot be taken.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use invited::domain::State;
use sqlx::{Connection as _, PgConnection};

use crate::client::add;
use crate::kit::{order_mail, say, until};
use crate::postfix::{Postfix, can_run_postfix};
use crate::postgres::Cluster;
use crate::program::{BCC, Dialog, Ran, Site, command};
use crate::relay::{Act, TestRelay};

const CUSTOMER: &str = "anna@customer.example.net";

fn ingest(site: &Site, words: &[&str], mail: &[u8]) -> Ran {
    ingest_by(&site.config(), words, mail)
}

fn ingest_by(config: &Path, words: &[&str], mail: &[u8]) -> Ran {
    let mut command = command();
    command.arg("ingest").arg("--config").arg(config).args(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A mail that is too big is not read to its end.
    let _ = child.stdin.take().unwrap().write_all(mail);
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// As a pipe has it: bare line feeds.
fn local(mail: &[u8]) -> Vec<u8> {
    mail.iter().copied().filter(|octet| *octet != b'\r').collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piped_mail_becomes_an_invitation_beside_a_daemon_and_before_one() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let before = local(&order_mail("PIPE-1", "Anna Exempel", CUSTOMER));
    let ran = ingest(&site, &["--to", BCC, "--from", "orders@shop.example.com"], &before).ended(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("kept as copy 1\n", ""));
    let service = site.serve().await;
    relay.until(|seen| seen.taken.len() == 1).await;
    // An mbox line before it, CRLF, nobody as sender, and the shop by its name.
    let beside =
        [b"From MAILER-DAEMON Mon Mar  2 09:00:00 2026\n".to_vec(), order_mail("PIPE-2", "Bo Ek", "bo@c.example.net")];
    ingest(&site, &["--shop", "shop", "--from", "MAILER-DAEMON"], &beside.concat()).ended(0);
    relay.until(|seen| seen.taken.len() == 2).await;
    assert!(site.invitations().await.iter().all(|one| one.progress.state != State::Held));
    assert_eq!(site.number("SELECT count(*) FROM copy WHERE way = 'pipe'").await, 2);
    assert_eq!(site.number("SELECT count(*) FROM copy WHERE mail_from = ''").await, 1);

    // Our own letter, piped back, begins nothing.
    let letter = relay.seen().taken[0].data.clone();
    ingest(&site, &["--to", BCC], &letter).ended(0);
    until("the letter is ignored", async || {
        (site.number("SELECT count(*) FROM copy WHERE state = 'ignored'").await == 1).then_some(())
    })
    .await;
    assert_eq!(site.invitations().await.len(), 2);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_end_has_the_code_that_a_mail_server_acts_on() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[("message", "\"64 KiB\""), ("header", "\"64 KiB\"")]).await;
    let mail = local(&order_mail("PIPE-3", "Anna Exempel", CUSTOMER));
    let looping = [b"Received: x\n".repeat(31), mail.clone()].concat();
    let big = [mail.clone(), b"x\n".repeat(40_000)].concat();
    let huge = [mail.clone(), b"xxxxxxx\n".repeat(400_000)].concat();
    for (name, words, mail, code, why) in [
        ("no address", &[][..], &mail[..], 64, "--to"),
        ("an option that there is not", &["--to", BCC, "--strict"], &mail, 64, "--strict"),
        ("a shop and an address", &["--shop", "shop", "--to", BCC], &mail, 64, "cannot be used"),
        ("an unknown address", &["--to", "shop+0000000000000000@in.invited.example"], &mail, 67, "nobody here"),
        ("one unknown of two", &["--to", BCC, "a@in.invited.example"], &mail, 67, "nobody here"),
        ("an unknown shop", &["--shop", "other"], &mail, 67, "no such shop"),
        ("nothing", &["--to", BCC], b"", 65, "no message"),
        ("too big", &["--to", BCC], &big, 65, "too big"),
        ("far too big", &["--to", BCC], &huge, 65, "too big"),
        ("looping", &["--to", BCC], &looping, 65, "looping"),
        ("a bare CR", &["--to", BCC], b"Subject: a\rb\n\nx\n", 65, "bare CR"),
        ("a sender that looks like an option", &["--to", BCC, "--from", "--config=/dev/null"], &mail, 0, ""),
    ] {
        let ran = ingest(&site, words, mail);
        assert!(ran.code == code && ran.err.contains(why), "{name}: {ran:?}");
        assert!(!ran.err.contains("example"), "{name}: no address is told: {ran:?}");
    }
    assert_eq!(site.number("SELECT count(*) FROM copy").await, 1);

    add(&site, "nonsense = true");
    let ran = ingest(&site, &["--to", BCC], &mail).ended(75);
    assert!(ran.err.contains("nonsense"), "{ran:?}");
    site.configure(relay.address, &[]);
    let (file, away) = (site.file(), site.path("away"));
    std::fs::rename(&file, &away).unwrap();
    ingest(&site, &["--to", BCC], &mail).ended(75);
    assert!(!file.exists(), "no new database is made");
    std::fs::rename(&away, &file).unwrap();
    // Somebody else writes for longer than one waits for a lock.
    let mut other = site.sql().await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    ingest(&site, &["--to", BCC], &mail).ended(75);
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    ingest(&site, &["--to", BCC], &mail).ended(0);
    assert_eq!(site.number("SELECT count(*) FROM copy").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piped_mail_for_a_queue_on_a_server_stays_with_the_mail_server_while_that_is_away_or_dies_in_the_middle() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    cluster.create_database("queue");
    let url = cluster.url("queue");
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::on_server(&url, relay.address, &[]).await;
    let mails = [("PIPE-1", "anna"), ("PIPE-2", "bo"), ("PIPE-3", "cy")]
        .map(|(order, name)| local(&order_mail(order, "Anna Exempel", &format!("{name}@customer.example.net"))));
    let ran = ingest(&site, &["--to", BCC, "--from", "orders@shop.example.com"], &mails[0]).ended(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("kept as copy 1\n", ""));

    cluster.stop();
    let ran = ingest(&site, &["--to", BCC], &mails[1]).ended(75);
    assert!(ran.out.is_empty() && !ran.err.contains("customer"), "{ran:?}");
    cluster.resume();
    assert_eq!(ingest(&site, &["--to", BCC], &mails[1]).ended(0).out, "kept as copy 2\n");

    // The third is being written when the server dies.
    let mut other = PgConnection::connect(&url).await.unwrap();
    sqlx::query("BEGIN").execute(&mut other).await.unwrap();
    sqlx::query("LOCK TABLE copy IN SHARE MODE").execute(&mut other).await.unwrap();
    let (config, mail) = (site.config(), mails[2].clone());
    let running = tokio::task::spawn_blocking(move || ingest_by(&config, &["--to", BCC], &mail));
    let mut looking = PgConnection::connect(&url).await.unwrap();
    until("it waits for the lock", async || {
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%copy%'";
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut looking).await.unwrap();
        (waiting == 1).then_some(())
    })
    .await;
    cluster.restart_immediate();
    let ran = running.await.unwrap().ended(75);
    assert!(ran.out.is_empty() && !ran.err.contains("customer"), "{ran:?}");
    assert_eq!(site.number("SELECT count(*) FROM copy").await, 2, "what was not said to be kept is not there");
    ingest(&site, &["--to", BCC], &mails[2]).ended(0);

    let service = site.serve().await;
    relay.until(|seen| seen.taken.len() == 3).await;
    assert_eq!(site.number("SELECT count(*) FROM copy WHERE way = 'pipe'").await, 3);
    service.stop().await;
}

/// Lets the user of the pipe work in the site's folder.
fn give_to(user: &str, folder: &Path) {
    assert!(Command::new("chown").args(["-R", user]).arg(folder).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_postfix_hands_mails_over_by_pipe_and_keeps_them_while_they_cannot_be_taken() {
    if !can_run_postfix("a_real_postfix_hands_mails_over_by_pipe_and_keeps_them_while_they_cannot_be_taken") {
        return;
    }
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let master = format!(
        "invited unix - n n - 1 pipe\n  flags=R user=nobody argv={} ingest --config {} --to ${{recipient}} --from ${{sender}}\n",
        env!("CARGO_BIN_EXE_invited"),
        site.config().display()
    );
    let postfix = Postfix::start("transport_maps = inline:{ {in.invited.example=invited:} }\n", &master).await;
    give_to("nobody", &site.path(""));
    let mut shop = Dialog::open(postfix.address).await.unwrap();
    let reply = shop.mail(BCC, &order_mail("PIPE-4", "Anna Exempel", CUSTOMER)).await.unwrap();
    assert!(reply.starts_with("250 "), "{reply}");
    until("the first is kept", async || postfix.log().contains("status=sent").then_some(())).await;

    let (config, away) = (site.config(), site.path("away.toml"));
    std::fs::rename(&config, &away).unwrap();
    shop.mail(BCC, &order_mail("PIPE-5", "Bo Ek", "bo@customer.example.net")).await.unwrap();
    until("the second waits", async || postfix.log().contains("status=deferred").then_some(())).await;
    std::fs::rename(&away, &config).unwrap();
    until("the second is kept", async || {
        postfix.control("flush");
        (postfix.log().matches("status=sent").count() == 2).then_some(())
    })
    .await;

    shop.mail("nobody@in.invited.example", &order_mail("PIPE-6", "Anna Exempel", CUSTOMER)).await.unwrap();
    until("the third is refused", async || postfix.log().contains("status=bounced").then_some(())).await;
    assert!(postfix.log().contains("dsn=5.1.1"), "{}", postfix.log());
    drop(postfix);
    give_to("root", &site.path(""));
    let service = site.serve().await;
    relay.until(|seen| seen.taken.len() == 2).await;
    let senders = "SELECT count(*) FROM copy WHERE way = 'pipe' AND mail_from = 'orders@shop.example.com'";
    let copies = site.number(senders).await;
    say(&format!("pipe(8): {copies} copies, one of them after a while of 75, one refused by 67"));
    assert_eq!(copies, 2);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_postfix_hands_mails_over_by_lmtp() {
    if !can_run_postfix("a_real_postfix_hands_mails_over_by_lmtp") {
        return;
    }
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let socket = site.path("lmtp.sock");
    add(&site, &format!("[[listener]]\non = \"unix:{}\"\nrole = \"lmtp\"\nsocket_mode = \"0666\"", socket.display()));
    let service = site.serve().await;
    let main = format!("transport_maps = inline:{{ {{in.invited.example=lmtp:unix:{}}} }}\n", socket.display());
    let postfix = Postfix::start(&main, "").await;
    open_folder(&site.path(""));
    let mut shop = Dialog::open(postfix.address).await.unwrap();
    for command in [
        "MAIL FROM:<orders@shop.example.com>",
        &format!("RCPT TO:<{BCC}>"),
        "RCPT TO:<nobody@in.invited.example>",
        "DATA",
    ] {
        let reply = shop.say(command).await.unwrap();
        assert!(reply.starts_with(['2', '3']), "{reply}");
    }
    shop.body(&order_mail("LMTP-1", "Anna Exempel", CUSTOMER)).await.unwrap();
    relay.until(|seen| seen.taken.len() == 1).await;
    until("one is sent and one is refused", async || {
        let log = postfix.log();
        (log.contains("status=sent (250 2.0.0") && log.contains("550 5.1.1")).then_some(())
    })
    .await;
    assert_eq!(site.number("SELECT count(*) FROM copy WHERE way = 'lmtp'").await, 1);
    drop(postfix);
    service.stop().await;
}

fn open_folder(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}
