//! The main ways through the program with its database on a server: from the order to the reminder, the commands of the desk
//! beside the daemon, signals, and a server that does not let it in.

use std::time::Duration;

use invited::domain::State;

use crate::crew::order;
use crate::kit::{House, START, order_mail, until};
use crate::postgres::{self, Cluster, Setup};
use crate::program::{BCC, Dialog, Site, command, run};
use crate::relay::{Act, TestRelay};

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test(flavor = "multi_thread")]
async fn an_order_leads_to_a_letter_after_its_delay_and_to_a_reminder() {
    let Some(server) = postgres::server() else { return };
    let place = server.database();
    let house =
        House::on_server(&place.url(), &[("delay", "\"7 days\""), ("reminder", "\"10 days\"")], |_| Act::Ok).await;
    house.hand_in(&order_mail("A-1", "Anna Exempel", "anna@kund.example.net")).await;
    assert_eq!(house.invitation("A-1").await.progress.due_at, Some(START.plus(7 * DAY)));
    house.pass(7 * DAY);
    house.until_state("A-1", State::Sent).await;
    house.pass(10 * DAY);
    house.until_state("A-1", State::Done).await;
    let taken = house.relay.taken();
    assert_eq!(taken.len(), 2, "the letter and its reminder");
    let story = house.story("A-1").await;
    assert_eq!((story.copies.len(), story.letters.len()), (1, 2));
    let house = house.restart().await;
    assert_eq!(house.invitations().await.len(), 1);
    house.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_desk_works_beside_the_daemon() {
    let Some(server) = postgres::server() else { return };
    let place = server.database();
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::on_server(&place.url(), relay.address, &[("delay", "\"7 days\"")]).await;
    let service = site.serve_with(&["--log", "trace"], &[]).await;
    let mut dialog = Dialog::open(service.address).await.unwrap();
    for n in 1..=4 {
        assert!(dialog.mail(BCC, &order(&format!("D-{n}"))).await.unwrap().starts_with("250 "));
    }
    let held = include_bytes!("../fixtures/mail/negative/two-customers-en-1.eml");
    assert!(dialog.mail(BCC, held).await.unwrap().starts_with("250 "));
    until("all is read", async || {
        (site.number("SELECT count(*) FROM copy WHERE state = 'unread'").await == 0).then_some(())
    })
    .await;

    let rows = site.run(&["queue", "list", "--json"]).ended(0).json();
    assert_eq!(
        rows.iter().map(|row| row["reference"].as_str().unwrap()).collect::<Vec<_>>(),
        ["D-4", "D-3", "D-2", "D-1"]
    );
    let id = |reference: &str| {
        let row = rows.iter().find(|row| row["reference"] == reference).unwrap();
        row["id"].as_i64().unwrap().to_string()
    };
    let rows = site.run(&["queue", "list", "--json", "--email", "D-2@CUSTOMER.example.net"]).ended(0).json();
    assert_eq!(rows.len(), 1);
    assert!(site.run(&["queue", "show", &id("D-1")]).ended(0).out.contains("d-1@customer.example.net"));
    site.run(&["queue", "cancel", &id("D-1"), "--reason", "asked by telephone"]).ended(0);
    site.run(&["queue", "reschedule", &id("D-2"), "--to", "2 days"]).ended(0);
    site.run(&["queue", "send-now", &id("D-3")]).ended(0);
    relay.until(|seen| seen.taken.len() == 1).await;
    until("it is settled", async || {
        (site.number("SELECT count(*) FROM invitation WHERE state = 'done'").await == 1).then_some(())
    })
    .await;
    site.run(&["queue", "send-now", &id("D-3")]).ended(1);
    site.run(&["queue", "show", "99"]).ended(1);
    let told = site.run(&["explain", "d-1"]).ended(0).out;
    assert!(told.contains("asked by telephone"), "{told}");
    site.run(&["explain", "d-3@customer.example.net"]).ended(0);
    let held = site.run(&["held", "list", "--json"]).ended(0).json();
    assert_eq!(held.len(), 1);
    site.run(&["held", "show", &held[0]["id"].to_string()]).ended(0);
    let checked = site.run(&["check"]).ended(0).out;
    assert!(checked.contains("database"), "{checked}");

    // A session that ends as it should is worth no more than DEBUG: the log does say everything.
    assert!(Dialog::open(service.address).await.unwrap().say("QUIT").await.unwrap().starts_with("221 "));
    service.says("DEBUG session ended").await;
    service.signal("HUP");
    service.says("the configuration was reloaded").await;
    assert!(dialog.say("NOOP").await.unwrap().starts_with("250 "), "no session was ended");
    service.signal("TERM");
    assert_eq!(service.code().await, Some(0));
    let log = service.log();
    let low = log.to_lowercase();
    for word in ["customer.example.net", "anna", "abcdefgh23456789abcd"] {
        assert_eq!(low.lines().find(|line| line.contains(word)), None, "the log has {word:?}");
    }
}

#[test]
fn init_makes_the_tables_in_a_database_of_a_server() {
    let Some(cluster) = Cluster::start(&[]) else { return };
    cluster.create_database("shop");
    let folder = tempfile::tempdir().unwrap();
    let url = cluster.url("shop");
    let words = ["init", "--domain", "nordljus.example", "--listen", "127.0.0.1:0", "--database", &url];
    let first = run(command().args(words).current_dir(folder.path())).ended(0);
    assert!(!folder.path().join("invited.db").exists(), "{first:?}");
    run(command().args(["queue", "list", "--config", "invited.toml"]).current_dir(folder.path())).ended(0);
    run(command().args(["check", "--offline", "--config", "invited.toml"]).current_dir(folder.path())).ended(0);
    run(command().args(words).current_dir(folder.path())).ended(0);
    let missing = cluster.url("nowhere");
    let elsewhere = tempfile::tempdir().unwrap();
    let words = ["init", "--domain", "nordljus.example", "--database", &missing];
    let ran = run(command().args(words).current_dir(elsewhere.path())).ended(78);
    assert!(ran.err.contains("createdb"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_78_and_stands_nowhere() {
    let Some(cluster) = Cluster::start_with(&Setup { password: Some("right1secret"), ..Setup::default() }) else {
        return;
    };
    cluster.create_database("shop");
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::on_server(&cluster.url("shop"), relay.address, &[]).await;
    let service = site.serve().await;
    assert!(Dialog::open(service.address).await.unwrap().mail(BCC, &order("IN-1")).await.unwrap().starts_with("250 "));
    relay.until(|seen| seen.taken.len() == 1).await;
    service.stop().await;
    std::fs::write(site.path("db-password"), "wrong1secret").unwrap();
    for words in [&["serve"][..], &["queue", "list"]] {
        let ran = site.run(words).ended(78);
        assert!(ran.err.contains("see user and password") && !ran.err.contains("1secret"), "{ran:?}");
    }
    let checked = site.run(&["check", "--offline"]);
    assert!(checked.code != 0 && !format!("{checked:?}").contains("1secret"), "{checked:?}");
    let log = std::fs::read_to_string(site.path("log")).unwrap();
    assert!(!log.contains("1secret"), "{log}");
}
