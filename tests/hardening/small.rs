//! A daemon with far too little: forty descriptors, a hundred and twenty-eight megabytes.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::kit::{crlf, order_mail, until};
use crate::program::{BCC, Dialog, Site};
use crate::relay::{Act, TestRelay};
use crate::{Part, tool};

/// Processor time of a process so far, in ticks (hundredths of a second).
fn ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit_once(") ").unwrap().1.split(' ').collect::<Vec<_>>();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes root, tools or time: tests/hardening/run"]
async fn with_forty_descriptors_it_refuses_and_waits_and_the_database_has_its_own() {
    let _machine = crate::MACHINE.lock().await;
    let Some(part) = Part::begin("forty descriptors", &["prlimit"], false) else { return };
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let service = site.serve().await;
    tool("prlimit", &["--nofile=40:40", "--pid", &service.pid.to_string()]).unwrap();
    let mut first = Dialog::open(service.address).await.unwrap();
    let mut crowd = Vec::new();
    for _ in 0..150 {
        // Beyond those that wait to be taken, the system does not answer.
        crowd.extend(std::net::TcpStream::connect_timeout(&service.address, Duration::from_millis(200)).ok());
    }
    let reply = first.mail(BCC, &order_mail("FD-1", "Anna", "anna1@kund.example.net")).await.unwrap();
    assert!(reply.starts_with("250 ") || reply.starts_with("4"), "{reply}");
    let (began, before) = (Instant::now(), ticks(service.pid));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let busy = (ticks(service.pid) - before) as f64 / 100.0 / began.elapsed().as_secs_f64();
    assert!(busy < 0.5, "{:.0} % of a processor while nothing can be done", busy * 100.0);
    assert!(service.ended().is_none(), "{}", service.log());
    let crowd_size = crowd.len();
    drop(crowd);
    assert!(crowd_size > 40, "{crowd_size} connected");
    let mut taken = i64::from(reply.starts_with("250 "));
    until("mails are taken again", async || {
        let mut dialog = Dialog::open(service.address).await.ok()?;
        let reply = dialog.mail(BCC, &order_mail("FD-2", "Anna", "anna2@kund.example.net")).await.ok()?;
        reply.starts_with("250 ").then_some(())
    })
    .await;
    taken += 1;
    until("letters go", async || {
        (site.number("SELECT count(*) FROM invitation WHERE state = 'done'").await == taken).then_some(())
    })
    .await;
    assert!(!service.log().contains("panic"), "{}", service.log());
    service.stop().await;
    assert_eq!(site.integrity().await, "ok");
    part.ran(&format!(
        "{crowd_size} connections, {:.0} % of a processor meanwhile, mails taken afterwards",
        busy * 100.0
    ));
}

/// A control group with a bound on memory; gone when it is dropped.
struct Group(PathBuf);

impl Group {
    fn new(bytes: u64) -> Result<Self, String> {
        let name = format!("invited-{}", std::process::id());
        for (root, file) in [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")] {
            let folder = PathBuf::from(root).join(&name);
            if std::fs::create_dir(&folder).is_err() {
                continue;
            }
            let group = Self(folder);
            if std::fs::write(group.0.join(file), bytes.to_string()).is_ok() {
                return Ok(group);
            }
        }
        Err("no control group with a bound on memory can be made".to_owned())
    }

    /// The most that was used.
    fn peak(&self) -> u64 {
        let read = |file: &str| std::fs::read_to_string(self.0.join(file)).ok()?.trim().parse().ok();
        read("memory.max_usage_in_bytes").or_else(|| read("memory.peak")).unwrap_or(0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// Mails that cost a parser far more than they weigh.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let head =
        "From: Shop <orders@shop.example.com>\r\nTo: anna@kund.example.net\r\nSubject: Order\r\nMIME-Version: 1.0\r\n";
    let nested = |kind: &str, depth: usize| {
        let mut mail = head.to_owned();
        for level in 0..depth {
            mail += &format!("Content-Type: {kind}; boundary=b{level}\r\n\r\n--b{level}\r\n");
        }
        mail
    };
    let parts = |count: usize| {
        format!("{head}Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", "--b\r\n\r\nx\r\n".repeat(count))
    };
    let rfc822 = format!("{head}{}", "Content-Type: message/rfc822\r\n\r\n".repeat(60_000));
    let continued =
        (0..9_000).fold(format!("{head}Content-Type: text/plain;\r\n"), |mail, n| mail + &format!(" a*{n}=x;\r\n"));
    let html = format!("{head}Content-Type: text/html\r\n\r\n{}", "<div><table><tr><td>\r\n".repeat(60_000));
    vec![
        ("nested multiparts", nested("multipart/mixed", 30_000).into_bytes()),
        ("a million parts", parts(300_000).into_bytes()),
        ("nested messages", rfc822.into_bytes()),
        ("continued parameters", (continued + "\r\nx\r\n").into_bytes()),
        ("nested tables", html.into_bytes()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes root, tools or time: tests/hardening/run"]
async fn with_128_megabytes_bombs_are_read_or_held_and_orders_go_on() {
    let _machine = crate::MACHINE.lock().await;
    let Some(part) = Part::begin("128 MB and bombs", &[], true) else { return };
    let group = match Group::new(128 * 1024 * 1024) {
        Ok(group) => group,
        Err(why) => return part.cannot_run(&why),
    };
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    // What it takes from its start on counts.
    let service = site.begin(&[], &[]);
    std::fs::write(group.0.join("cgroup.procs"), service.pid.to_string()).unwrap();
    let service = site.listens(service).await;
    let mut replies = Vec::new();
    for round in 0..2 {
        for (name, bomb) in bombs() {
            let mut dialog = Dialog::open(service.address).await.unwrap();
            let reply = dialog.mail(BCC, &crlf(&bomb)).await.unwrap();
            replies.push(format!("{name}: {}", &reply[..3]));
            let order =
                order_mail(&format!("M-{}", replies.len()), "Anna", &format!("anna{}@kund.example.net", replies.len()));
            let mut dialog = Dialog::open(service.address).await.unwrap();
            assert!(dialog.mail(BCC, &order).await.unwrap().starts_with("250 "), "{round} {name}");
        }
    }
    let orders = i64::try_from(replies.len()).unwrap();
    until("all is read, and every order has its letter", async || {
        assert!(service.ended().is_none(), "killed for its memory: {}", service.log());
        let done = site.number("SELECT count(*) FROM invitation WHERE state = 'done'").await;
        (done == orders && site.number("SELECT count(*) FROM copy WHERE state = 'unread'").await == 0).then_some(())
    })
    .await;
    let peak = group.peak() / 1024 / 1024;
    assert!(!service.log().contains("panic"), "{}", service.log());
    service.stop().await;
    part.ran(&format!(
        "{orders} orders between bombs, no kill, {peak} MB at most with the cache of files ({})",
        replies[..5].join(", ")
    ));
}
