//! Disks that are full or read-only, and a database that somebody else has locked.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::Connection as _;

use crate::kit::{order_mail, until};
use crate::power::Switch;
use crate::program::{BCC, Dialog, Service, Site};
use crate::relay::{Act, TestRelay};
use crate::{Part, tool};

/// A file system of its own; gone when it is dropped.
pub(crate) struct Disk {
    folder: tempfile::TempDir,
    image: Option<PathBuf>,
}

impl Disk {
    fn tmpfs(size: &str) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        tool("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", folder.path().to_str().unwrap()])?;
        Ok(Self { folder, image: None })
    }

    /// On a loop device, so that it can lose its power alone.
    pub(crate) fn image(kind: &str, mebibytes: u64) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().with_extension("image");
        std::fs::File::create(&image).unwrap().set_len(mebibytes * 1024 * 1024).unwrap();
        let disk = Self { folder, image: Some(image) };
        tool(&format!("mkfs.{kind}"), &["-q", disk.image_path()])?;
        disk.mount()?;
        Ok(disk)
    }

    fn image_path(&self) -> &str {
        self.image.as_ref().unwrap().to_str().unwrap()
    }

    pub(crate) fn mount(&self) -> Result<(), String> {
        tool("mount", &["-o", "loop", self.image_path(), self.place()]).map(drop)
    }

    fn unmount(&self) {
        tool("umount", &[self.place()]).unwrap();
    }

    /// What is not on the disk by now is lost, and every call fails from now on.
    fn cut_power(&self) -> Result<(), String> {
        Switch::ready(self).and_then(|switch| switch.cut(self)).map(drop)
    }

    pub(crate) fn place(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = tool("umount", &["-l", self.place()]);
        if let Some(image) = &self.image {
            let _ = std::fs::remove_file(image);
        }
    }
}

pub(crate) async fn site_on(disk: &Disk, relay: &TestRelay, extra: &[(&str, &str)]) -> Site {
    let database = format!("{:?}", disk.path("invited.db"));
    Site::new(relay.address, &[&[("database", database.as_str())], extra].concat()).await
}

pub(crate) fn order(reference: &str) -> Vec<u8> {
    order_mail(reference, "Anna", &format!("{}@kund.example.net", reference.to_lowercase()))
}

/// Tries again until a mail is taken; how long that took.
async fn taken_again(service: &Service, reference: &str) -> Duration {
    let began = Instant::now();
    until("mails are taken again", async || {
        let mut dialog = Dialog::open(service.address).await.ok()?;
        let reply = dialog.mail(BCC, &order(reference)).await.unwrap();
        assert!(reply.starts_with("250 ") || reply.starts_with("45"), "{reply}");
        reply.starts_with("250 ").then_some(())
    })
    .await;
    began.elapsed()
}

async fn settled(site: &Site, letters: i64) {
    until("every letter is out, once", async || {
        (site.number("SELECT count(*) FROM invitation WHERE state = 'done'").await == letters).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes root, tools or time: tests/hardening/run"]
async fn a_full_disk_stops_mails_and_letters_lets_erase_work_and_needs_no_restart() {
    let _machine = crate::MACHINE.lock().await;
    let Some(part) = Part::begin("disk full", &["mount"], true) else { return };
    let disk = match Disk::tmpfs("32m") {
        Ok(disk) => disk,
        Err(why) => return part.cannot_run(&why),
    };
    // The first letter waits at its dot until the disk is full: its outcome cannot be written down then.
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = site_on(&disk, &relay, &[("hold_all", "true")]).await;
    let service = site.serve().await;
    let mut dialog = Dialog::open(service.address).await.unwrap();
    for number in 0..40 {
        assert!(dialog.mail(BCC, &order(&format!("FULL-{number}"))).await.unwrap().starts_with("250 "));
    }
    until("they are read", async || (site.number("SELECT count(*) FROM invitation").await == 40).then_some(())).await;
    // To the last byte, again and again, since the log may be cut back.
    let filler = disk.path("filler");
    let fill = || {
        use std::io::Write as _;
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&filler).unwrap();
        while file.write_all(&[7; 4096]).is_ok() {}
    };
    fill();
    let mut reply = String::new();
    until("there is no room", async || {
        fill();
        // Each in a session of its own: one that asks again and again is closed.
        let mut dialog = Dialog::open(service.address).await.ok()?;
        reply = dialog.say("MAIL FROM:<orders@shop.example.com>").await.unwrap();
        reply.starts_with("452 4.3.1 ").then_some(())
    })
    .await;
    // Letters are due now, and nothing of them can be written down.
    site.configure(relay.address, &[("database", &format!("{:?}", disk.path("invited.db")))]);
    service.signal("HUP");
    service.says("the configuration was reloaded").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let sent_while_full = relay.seen().dots;
    assert!(service.ended().is_none(), "{}", service.log());

    // A megabyte of room is enough for a deletion, though mails are still refused.
    let size = std::fs::metadata(&filler).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&filler).unwrap().set_len(size - 1200 * 1024).unwrap();
    // The daemon writes down its letters in it as well, so that somebody who is late has to make a little more.
    let mut erased = site.run(&["erase", "full-7@kund.example.net", "--yes"]);
    let mut room = 1200 * 1024;
    while erased.code != 0 {
        assert!(
            erased.code == 1 && erased.err.contains("no room left") && room < 4 * 1024 * 1024,
            "{room}: {erased:?}"
        );
        room += 400 * 1024;
        std::fs::OpenOptions::new().write(true).open(&filler).unwrap().set_len(size - room).unwrap();
        erased = site.run(&["erase", "full-7@kund.example.net", "--yes"]);
    }

    std::fs::remove_file(&filler).unwrap();
    let took = taken_again(&service, "ROOM-1").await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    settled(&site, 40).await;
    service.stop().await;
    let mut letters = relay.taken().into_iter().map(|letter| letter.to.join(",")).collect::<Vec<_>>();
    let all = letters.len();
    letters.sort_unstable();
    letters.dedup();
    // With a megabyte of room letters can be written down, so that of the erased person may have gone before.
    assert!(letters.len() == all && (40..=41).contains(&all), "{all} letters to {} customers", letters.len());
    assert_eq!(site.integrity().await, "ok");
    part.ran(&format!("452 at MAIL, {sent_while_full} letters sent while full, erased beside it with {room} bytes of room, mails taken {took:?} after there was room"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes root, tools or time: tests/hardening/run"]
async fn a_disk_that_becomes_read_only_is_451_until_it_can_be_written_again() {
    let _machine = crate::MACHINE.lock().await;
    let Some(part) = Part::begin("disk read-only", &["mount"], true) else { return };
    let disk = match Disk::image("ext4", 64) {
        Ok(disk) => disk,
        Err(why) => return part.cannot_run(&why),
    };
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = site_on(&disk, &relay, &[]).await;
    let service = site.serve().await;
    taken_again(&service, "BEFORE-1").await;
    settled(&site, 1).await;
    // A remount waits for nobody who writes; an emergency remount, as after an error of the disk, does not.
    if let Err(why) = tool("mount", &["-o", "remount,ro", disk.place()]) {
        // Files are open for writing: the kernel refuses, and there is no other way on this machine but the one of a power cut.
        let cut = disk.cut_power();
        if cut.is_err() {
            return part.cannot_run(&why);
        }
    }
    let mut dialog = Dialog::open(service.address).await.unwrap();
    let mut replies = Vec::new();
    for number in 0..3 {
        replies.push(dialog.mail(BCC, &order(&format!("AWAY-{number}"))).await.unwrap());
    }
    assert!(replies.iter().all(|reply| reply.starts_with("451 4.3.0 ")), "{replies:?}");
    assert!(service.ended().is_none() && !service.log().contains("panic"), "{}", service.log());
    drop(dialog);
    service.kill().await;
    disk.unmount();
    disk.mount().unwrap();
    let service = site.serve().await;
    taken_again(&service, "AFTER-1").await;
    settled(&site, 2).await;
    service.stop().await;
    assert_eq!((site.integrity().await.as_str(), relay.taken().len()), ("ok", 2));
    part.ran("451 for each mail while every write fails, no end of the daemon, whole afterwards");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes root, tools or time: tests/hardening/run"]
async fn a_lock_of_three_seconds_is_not_noticed_and_one_of_thirty_is_451_and_then_over() {
    let _machine = crate::MACHINE.lock().await;
    let part = Part::begin("database locked", &[], false).unwrap();
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[]).await;
    let service = site.serve().await;
    let mut counted = Vec::new();
    for seconds in [3, if crate::all() { 30 } else { 8 }] {
        let mut other = site.sql().await;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        let held = Instant::now();
        let is_over = Arc::new(AtomicBool::new(false));
        let mut clients = tokio::task::JoinSet::new();
        for client in 0..4 {
            let (is_over, address) = (Arc::clone(&is_over), service.address);
            clients.spawn(async move {
                let mut dialog = Dialog::open(address).await.unwrap();
                let (mut taken, mut put_off) = (0, 0);
                while !is_over.load(Ordering::Relaxed) || taken == 0 {
                    let mail = order(&format!("L{seconds}-{client}-{taken}"));
                    let reply = dialog.mail(BCC, &mail).await.unwrap();
                    assert!(reply.starts_with("250 ") || reply.starts_with("451 4.3.0 "), "{reply}");
                    if reply.starts_with("250 ") {
                        taken += 1
                    } else {
                        put_off += 1
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                (taken, put_off)
            });
        }
        tokio::time::sleep(Duration::from_secs(seconds).saturating_sub(held.elapsed())).await;
        sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
        other.close().await.unwrap();
        is_over.store(true, Ordering::Relaxed);
        let (taken, put_off) =
            clients.join_all().await.into_iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        counted.push((seconds, taken, put_off));
    }
    assert_eq!(counted[0].2, 0, "three seconds are waited for: {counted:?}");
    assert!(counted[1].2 > 0, "longer is told: {counted:?}");
    let all = counted.iter().map(|(_, taken, _)| i64::from(*taken)).sum::<i64>();
    settled(&site, all).await;
    service.stop().await;
    assert_eq!(i64::try_from(relay.taken().len()).unwrap(), all, "each taken mail is a letter");
    part.ran(&format!("(seconds, taken, 451): {counted:?}"));
}
