//! A disk on which nothing comes back.

use std::time::Duration;

use crate::Part;
use crate::kit::order_mail;
use crate::program::{BCC, Dialog, Site};
use crate::relay::{Act, TestRelay};
use crate::strace::Strace;
use crate::systemd::Systemd;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes root, tools or time: tests/hardening/run"]
async fn while_the_database_hangs_the_watchdog_is_told_nothing_and_afterwards_all_goes_on() {
    let _machine = crate::MACHINE.lock().await;
    let Some(part) = Part::begin("database hangs", &["strace"], true) else { return };
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let mut systemd = Systemd::bind(site.path("notify"));
    let service = site.serve_with(&[], &systemd.environment()).await;
    for _ in 0..3 {
        systemd.until("WATCHDOG=1").await;
    }
    // Whoever looks at the database or writes to it takes a lock first: that call does not come back for an hour.
    let strace = Strace::attach(&service, &site.file(), "fcntl", "delay_enter=3600000000", "1+").await;
    systemd.until_silent(Duration::from_secs(1)).await;
    assert!(service.ended().is_none(), "{}", service.log());
    drop(strace);
    systemd.until("WATCHDOG=1").await;
    let mut dialog = Dialog::open(service.address).await.unwrap();
    let mail = order_mail("HANG-1", "Anna", "anna@kund.example.net");
    assert!(dialog.mail(BCC, &mail).await.unwrap().starts_with("250 "));
    relay.until(|seen| seen.taken.len() == 1).await;
    drop(dialog);
    service.stop().await;
    part.ran("a sign of life each 100 ms before it and after it, none for a second meanwhile");
}
