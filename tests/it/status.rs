//! `invited status` and `invited check --live`: what they say of a daemon that works, of one that is gone, and of what stands in the
//! way.

use serde_json::Value;

use crate::cli::promised;
use crate::kit::{order_mail, until};
use crate::program::{BCC, Dialog, Site};
use crate::relay::{Act, TestRelay};

/// What `status --json` says; whether all is well is its exit code too.
fn status(site: &Site, is_well: bool) -> Value {
    let ran = site.run(&["status", "--json"]).ended(i32::from(!is_well));
    let row = ran.json().remove(0);
    assert_eq!(row["well"], is_well, "{row}");
    row
}

fn says(row: &Value, fault: &str) -> bool {
    row["faults"].as_array().unwrap().iter().any(|one| one.as_str().unwrap().contains(fault))
}

#[tokio::test(flavor = "multi_thread")]
async fn status_tells_of_a_daemon_that_works_one_that_was_stopped_and_one_that_was_killed() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let before = status(&site, false);
    assert!(says(&before, "no daemon is at work"), "{before}");

    let service = site.serve_with(&["--lease", "1"], &[]).await;
    let listening = format!("listening for copies address=\"{}\" role=\"smtp\" tls=\"none\"", service.address);
    service.says(&listening).await;
    let mut dialog = Dialog::open(service.address).await.unwrap();
    let mail = order_mail("STAND-1", "Anna Example", "anna@customer.example.net");
    assert!(dialog.mail(BCC, &mail).await.unwrap().starts_with("250 "));
    relay.until(|seen| seen.taken.len() == 1).await;
    let row = until("it has said so", async || {
        let row = status(&site, true);
        (row["daemons"][0]["letters"]["hour"] == 1).then_some(row)
    })
    .await;
    promised(
        &row,
        &[
            "version",
            "well",
            "faults",
            "daemons",
            "unread",
            "oldest_unread",
            "held_copies",
            "invitations",
            "next_due",
            "alarms",
            "complaints",
            "pauses",
            "disk_free",
            "disk_whole",
            "last_backup",
            "erasure_requests",
        ],
        "- `status --json`",
    );
    let daemon = &row["daemons"][0];
    promised(
        daemon,
        &[
            "host",
            "process",
            "version",
            "began",
            "at",
            "lives",
            "fault",
            "listeners",
            "certificate_ends",
            "relays",
            "copies",
            "letters",
            "hold_all",
        ],
        "- `status --json`",
    );
    assert_eq!((daemon["process"].as_u64(), &daemon["lives"]), (Some(u64::from(service.pid)), &Value::Bool(true)));
    promised(&daemon["relays"][0], &["name", "state", "until", "since", "why", "needs_person"], "- `status --json`");
    assert_eq!(daemon["listeners"][0]["address"], service.address.to_string());
    assert_eq!((&daemon["relays"][0]["state"], &daemon["copies"]["day"]), (&"up".into(), &1.into()));
    let table = site.run(&["status"]).ended(0).out;
    for part in [&format!("smtp {}", service.address), "1 in the last hour", "default up", "0 unread", "last backup"] {
        assert!(table.contains(part), "{part}: {table}");
    }

    service.kill().await;
    let row = status(&site, false);
    assert!(says(&row, "is gone without having been stopped"), "{row}");
    let service = site.serve().await;
    until("it has said so", async || (site.run(&["status"]).code == 0).then_some(())).await;
    assert_eq!(status(&site, true)["daemons"].as_array().unwrap().len(), 1, "what the dead one said is forgotten");
    service.stop().await;
    assert!(says(&status(&site, false), "no daemon is at work"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_goes_the_whole_way_in_and_invites_nobody() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let service = site.serve().await;
    let config = std::fs::read_to_string(site.config()).unwrap();
    std::fs::write(site.config(), config.replace("127.0.0.1:0", &service.address.to_string())).unwrap();
    let ran = site.run(&["check", "--live"]).ended(0);
    for step in ["live: connect", "live: hand in", "live: read", "kept as copy 1", " ms)"] {
        assert!(ran.out.contains(step), "{step}: {}", ran.out);
    }
    assert_eq!(site.number("SELECT count(*) FROM invitation").await, 0);
    let ignored =
        "SELECT count(*) FROM copy WHERE state = 'ignored' AND reading LIKE '%a probe that invited sent to itself%'";
    assert_eq!(site.number(ignored).await, 1);
    assert_eq!(site.number("SELECT count(*) FROM tally").await, 0, "no copy of the shop");
    service.stop().await;

    let ran = site.run(&["check", "--live"]).ended(1);
    assert!(ran.out.contains("FAULT") && ran.out.contains("is the daemon at work?"), "{}", ran.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_that_is_refused_or_not_known_again_says_which_step_and_what_to_do() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let service = site.serve().await;
    let config = std::fs::read_to_string(site.config()).unwrap();
    let config = config.replace("127.0.0.1:0", &service.address.to_string());
    std::fs::write(site.config(), config.replace("abcdefgh23456789abcd", "zyxwvutsrq9876543210")).unwrap();
    let ran = site.run(&["check", "--live"]).ended(1);
    assert!(ran.out.contains("refused at rcpt: 550 5.1.1") && ran.out.contains("systemctl reload"), "{}", ran.out);
    std::fs::write(site.config(), config).unwrap();
    std::fs::write(site.path("master.key"), "another key than the daemon has, long enough\n").unwrap();
    let ran = site.run(&["check", "--live"]).ended(1);
    assert!(ran.out.contains("the same master key?"), "{}", ran.out);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_that_strangers_could_read_are_a_doubt_and_no_fault() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[("metrics.listen", "\"0.0.0.0:9125\"")]).await;
    let ran = site.run(&["check", "--offline"]).ended(0);
    assert!(ran.out.contains("warn") && ran.out.contains("no loopback address"), "{}", ran.out);
}
