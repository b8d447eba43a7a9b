//! A clock that jumps under the daemon while letters wait, and what comes of it: none goes twice, none is lost, and nothing goes before
//! its time by a clock that is right.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::Path;

use crate::Part;
use crate::kit::{order_mail, until};
use crate::program::{BCC, Dialog, Site};
use crate::relay::{Act, TestRelay};

/// Where Debian puts it; the variant for programs with threads.
const LIBRARIES: [&str; 2] =
    ["/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1"];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes root, tools or time: tests/hardening/run"]
async fn a_clock_that_jumps_by_an_hour_or_by_four_hundred_days_sends_nothing_twice() {
    let _machine = crate::MACHINE.lock().await;
    let part = Part::begin("clock jumps", &[], false).unwrap();
    let Some(library) = LIBRARIES.iter().find(|path| Path::new(path).exists()) else {
        return part.cannot_run("libfaketime is not installed");
    };
    let relay = TestRelay::start(|_| Act::Ok).await;
    // The delay counts from mails that were written in March 2026, so their letters are due at once, whatever the clock says.
    let site = Site::new(relay.address, &[]).await;
    let clock = site.path("clock");
    let set = |offset: &str| {
        let next = clock.with_extension("next");
        std::fs::write(&next, format!("{offset}\n")).unwrap();
        std::fs::rename(next, &clock).unwrap();
    };
    set("+0");
    let environment: [(&str, &OsStr); 4] = [
        ("LD_PRELOAD", library.as_ref()),
        ("FAKETIME_TIMESTAMP_FILE", clock.as_os_str()),
        ("FAKETIME_NO_CACHE", "1".as_ref()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".as_ref()),
    ];
    let mut service = site.serve_with(&[], &environment).await;
    let mut orders = 0_i64;
    let mut seen = Vec::new();
    for offset in ["+0", "-3600", "+3600", "-400d", "+0", "+400d", "+0"] {
        set(offset);
        let mut dialog = Dialog::open(service.address).await.unwrap();
        for _ in 0..5 {
            let mail = order_mail(&format!("T-{orders}"), "Anna", &format!("anna{orders}@kund.example.net"));
            let reply = dialog.mail(BCC, &mail).await.unwrap();
            assert!(reply.starts_with("250 "), "{offset}: {reply}");
            orders += 1;
        }
        drop(dialog);
        // A kill in the middle of it: claims of a time that is ahead or behind are cleared up as any other.
        if offset.ends_with('d') {
            service.kill().await;
            service = site.serve_with(&[], &environment).await;
        }
        until("letters go, whatever the clock says", async || {
            let ended = "SELECT count(*) FROM invitation WHERE state IN ('done', 'in_doubt')";
            (site.number(ended).await == orders).then_some(())
        })
        .await;
        let days = site.number("SELECT (max(received_at) - min(received_at)) / 86400000 FROM copy").await;
        seen.push((offset, relay.taken().len(), days));
    }
    service.stop().await;
    let mut letters = BTreeMap::<String, usize>::new();
    for letter in relay.taken() {
        *letters.entry(letter.to.join(",")).or_default() += 1;
    }
    let in_doubt = site.number("SELECT count(*) FROM invitation WHERE state = 'in_doubt'").await;
    assert!(seen.iter().any(|(_, _, days)| *days >= 399), "the daemon did see other times: {seen:?}");
    assert!(letters.values().all(|count| *count == 1), "a letter went twice");
    assert!(i64::try_from(letters.len()).unwrap() + in_doubt >= orders, "{} of {orders}, {seen:?}", letters.len());
    part.ran(&format!("{orders} orders, {} letters, 0 doubles, {in_doubt} in doubt; (clock, letters so far, days between copies): {seen:?}", letters.len()));
}
