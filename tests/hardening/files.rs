//! The files of a queue: for their owner alone, damaged in any page, read by somebody for a long time.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use sqlx::Connection as _;

use crate::Part;
use crate::kit::{House, order_mail, until};
use crate::program::{BCC, Dialog, Site};
use crate::relay::{Act, TestRelay};

#[tokio::test(flavor = "multi_thread")]
async fn every_file_beside_the_queue_is_its_owners_alone() {
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let service = site.serve().await;
    let mut dialog = Dialog::open(service.address).await.unwrap();
    assert!(
        dialog.mail(BCC, &order_mail("MODE-1", "Anna", "anna@kund.example.net")).await.unwrap().starts_with("250 ")
    );
    site.run(&["backup", site.path("invited.db.backup").to_str().unwrap()]).ended(0);
    let names = std::fs::read_dir(site.path("")).unwrap().map(|one| one.unwrap());
    let ours = names.filter(|one| one.file_name().to_string_lossy().starts_with("invited.db")).collect::<Vec<_>>();
    assert_eq!(ours.len(), 5, "the database, its log and index, the lock, the backup: {ours:?}");
    for one in ours {
        assert_eq!(one.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{one:?}");
    }
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_of_copies_go_when_their_time_is_over() {
    let house = House::open(&[], |_| Act::Ok).await;
    let copy = house.hand_in(&order_mail("OLD-1", "Anna", "anna@kund.example.net")).await;
    house.pass(Duration::from_secs(29 * 24 * 3600));
    let young = house.hand_in(&order_mail("NEW-1", "Anna", "bo@kund.example.net")).await;
    let house = house.restart().await;
    let bytes = async |id| house.store().copy(id).await.unwrap().unwrap().1;
    assert!(bytes(copy.id).await.is_some(), "not before its time");
    house.pass(Duration::from_secs(2 * 24 * 3600));
    let house = house.restart().await;
    until("the bytes are gone", async || house.store().copy(copy.id).await.unwrap().unwrap().1.is_none().then_some(()))
        .await;
    assert!(house.store().copy(young.id).await.unwrap().unwrap().1.is_some());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes root, tools or time: tests/hardening/run"]
async fn one_wrong_byte_in_any_page_is_told_or_harmless_and_never_a_new_queue() {
    let part = Part::begin("a wrong byte in any page", &[], false).unwrap();
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let service = site.serve().await;
    let mut dialog = Dialog::open(service.address).await.unwrap();
    for number in 0..30 {
        let mail = order_mail(&format!("D-{number}"), "Anna", &format!("anna{number}@kund.example.net"));
        assert!(dialog.mail(BCC, &mail).await.unwrap().starts_with("250 "));
    }
    relay.until(|seen| seen.taken.len() == 30).await;
    drop(dialog);
    service.stop().await;
    let file = site.file();
    let whole = std::fs::read(&file).unwrap();
    let pages = whole.len() / 4096;
    let (mut told, mut harmless) = (0, 0);
    // Where a page has its kind and its counts; where its cells are; and the last of them.
    let step = if crate::all() { 3 } else { 12 };
    for place in (0..pages).step_by(step).flat_map(|page| [0, 5, 2048, 4090].map(|inside| page * 4096 + inside)) {
        let mut torn = whole.clone();
        torn[place] = !torn[place];
        std::fs::write(&file, &torn).unwrap();
        let ran = site.run(&["queue", "list", "--json", "--limit", "100"]);
        assert!([0, 1, 78].contains(&ran.code) && !ran.err.contains("panic"), "byte {place}: {ran:?}");
        let checked = site.run(&["check", "--offline"]);
        assert!([0, 1, 78].contains(&checked.code) && !checked.err.contains("panic"), "byte {place}: {checked:?}");
        // What a structure check cannot see is a changed byte of some text.
        if checked.code == 0 {
            harmless += 1
        } else {
            told += 1
        }
        assert_eq!(std::fs::metadata(&file).unwrap().len(), whole.len() as u64, "byte {place}: it is the same file");
    }
    for length in [whole.len() / 2, 4096, 100] {
        std::fs::write(&file, &whole[..length]).unwrap();
        let ran = site.run(&["check", "--offline"]);
        assert!(ran.code != 0 && !ran.err.contains("panic"), "cut to {length}: {ran:?}");
    }
    std::fs::write(&file, &whole).unwrap();
    // A log of nothing but noughts is no log.
    std::fs::write(format!("{}-wal", file.display()), [0; 20_000]).unwrap();
    assert_eq!(site.run(&["queue", "list", "--json", "--limit", "100"]).ended(0).json().len(), 30);
    part.ran(&format!("{pages} pages, {told} damages told, {harmless} in the text of a row or in free room; cut and without its log too"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes root, tools or time: tests/hardening/run"]
async fn somebody_who_reads_for_long_delays_no_mail_and_the_log_is_cut_back_afterwards() {
    let _machine = crate::MACHINE.lock().await;
    let part = Part::begin("long reader", &[], false).unwrap();
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[("hold_all", "true")]).await;
    let service = site.serve().await;
    let mut reader = site.sql().await;
    sqlx::raw_sql("BEGIN; SELECT count(*) FROM copy").execute(&mut reader).await.unwrap();
    let mut dialog = Dialog::open(service.address).await.unwrap();
    let (began, mut took) = (Instant::now(), Vec::new());
    while began.elapsed() < Duration::from_secs(if crate::all() { 20 } else { 5 }) {
        let mail = order_mail(&format!("W-{}", took.len()), "Anna", &format!("anna{}@kund.example.net", took.len()));
        let mail = [mail, vec![b'x'; 20_000]].concat();
        let one = Instant::now();
        assert!(dialog.mail(BCC, &mail).await.unwrap().starts_with("250 "));
        took.push(one.elapsed());
    }
    took.sort();
    let p99 = took[took.len() * 99 / 100];
    let log = || std::fs::metadata(format!("{}-wal", site.file().display())).map_or(0, |found| found.len());
    let grown = log();
    reader.close().await.unwrap();
    // The next checkpoint, a thousand pages on, writes all of it back; then it begins anew and is cut to its bound.
    for number in 0..400 {
        let mail = order_mail(&format!("V-{number}"), "Anna", &format!("bo{number}@kund.example.net"));
        assert!(dialog.mail(BCC, &mail).await.unwrap().starts_with("250 "));
    }
    until("the log is within its bound", async || (log() <= 64 * 1024 * 1024 + 4096).then_some(())).await;
    drop(dialog);
    service.stop().await;
    assert!(p99 < Duration::from_millis(if cfg!(debug_assertions) { 1000 } else { 100 }), "{p99:?}");
    part.ran(&format!(
        "{} mails beside it, p99 {p99:?}, log of {} MB, {} afterwards",
        took.len(),
        grown >> 20,
        log() >> 20
    ));
}
