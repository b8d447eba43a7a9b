//! A daemon that cannot open one of its files when it starts: it says which, ends with the code that stands for it, and leaves everything
//! as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::Part;
use crate::kit::{order_mail, until};
use crate::program::{BCC, Dialog, Site, command_by};
use crate::relay::{Act, TestRelay};

/// What a call is answered, whether that is so for all that follow too, and with which code a start ends that this was the end of: 78
/// where a person has to do something, 1 where it may go by itself, so that systemd tries again.
const ERRORS: [(&str, &str, i32); 3] = [("EACCES", "+", 78), ("EIO", "", 1), ("EMFILE", "+", 1)];

/// How a start went.
struct Start {
    /// The files that could not be opened.
    met: BTreeSet<String>,
    /// The exit code and what was said; `None` when it came up all the same.
    ended: Option<(i32, String)>,
}

/// Starts a daemon with a fault at the openings of its files, of which each thread counts its own. One that comes up is stopped.
async fn start(site: &Site, words: &[&str], fault: &str) -> Start {
    let database = site.file();
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", database.display()));
    let mut files = ["", "-wal", "-shm", ".lock"].map(beside).to_vec();
    files.extend([site.config(), site.path("master.key"), site.path("")]);
    let log = site.path("strace");
    let _ = std::fs::remove_file(&log);
    let inject = format!("inject=openat:error={fault}");
    // The tracer as the grandchild: what is started becomes the daemon.
    let mut launcher =
        ["strace", "-D", "-f", "-q", "-e", "trace=openat", "-e", &inject].map(ToOwned::to_owned).to_vec();
    launcher.extend(["-o".to_owned(), log.display().to_string()]);
    launcher.extend(files.iter().flat_map(|file| ["-P".to_owned(), file.display().to_string()]));
    let launcher = launcher.iter().map(String::as_str).collect::<Vec<_>>();
    let service = site.begin_by(command_by(&launcher), words, &[]);
    let is_up = until("it ends or listens", async || {
        if service.ended().is_some() {
            return Some(false);
        }
        std::fs::read(site.path("addresses")).is_ok_and(|text| text.ends_with(b"\n")).then_some(true)
    })
    .await;
    let mut ended = None;
    if is_up {
        service.signal("TERM");
        assert_eq!(service.code().await, Some(0), "{}", service.log());
    } else {
        ended = Some((service.code().await.unwrap_or(-1), service.log()));
    }
    let met = until("strace has ended too", async || {
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        let its = service.pid.to_string();
        let mut ends = log.lines().filter(|line| line.contains(" +++ "));
        let is_over = ends.any(|line| line.split_whitespace().next() == Some(its.as_str()));
        is_over.then_some(log)
    })
    .await;
    let met = met.lines().filter(|line| line.contains("(INJECTED)")).filter_map(|line| line.split('"').nth(1));
    Start { met: met.map(ToOwned::to_owned).collect(), ended }
}

/// How starts went, by error.
type Counts = BTreeMap<&'static str, (usize, usize)>;

/// Holds an end to what it must say, and counts it.
fn note(counts: &mut Counts, site: &Site, start: &Start, (error, _, code): (&'static str, &str, i32), context: &str) {
    let (ended, came_up) = counts.entry(error).or_default();
    let Some((found, said)) = &start.ended else {
        *came_up += 1;
        return;
    };
    *ended += 1;
    let database = site.file().display().to_string();
    let is_told = |met: &String| said.contains(met) || met.starts_with(&database) && said.contains(&database);
    assert!(start.met.iter().any(is_told), "{context}: it does not say which of {:?}: {said}", start.met);
    assert!(!said.contains("panic"), "{context}: {said}");
    // What people write is theirs to put right, whatever stands in the way of reading it.
    let theirs = [site.config(), site.path("master.key")].map(|path| path.display().to_string());
    let code = if start.met.iter().any(|met| theirs.contains(met)) { 78 } else { code };
    assert_eq!(*found, code, "{context}: {:?}: {said}", start.met);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes root, tools or time: tests/hardening/run"]
async fn an_error_at_every_opening_of_a_start_is_told_with_its_file_and_loses_nothing() {
    let _machine = crate::MACHINE.lock().await;
    let Some(part) = Part::begin("an error at every opening of a start", &["strace"], true) else { return };
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Site::new(relay.address, &[("hold_all", "true")]).await;
    let service = site.serve().await;
    let mut dialog = Dialog::open(service.address).await.unwrap();
    for number in 0..4 {
        let mail = order_mail(&format!("S-{number}"), "Anna", &format!("anna{number}@kund.example.net"));
        assert!(dialog.mail(BCC, &mail).await.unwrap().starts_with("250 "));
    }
    // What it took in stands in the log alone.
    service.kill().await;
    let (mut counts, mut made) = (Counts::new(), Counts::new());
    for error in ERRORS {
        for number in 1.. {
            let fault = format!("{}:when={number}{}", error.0, error.1);
            let started = start(&site, &[], &fault).await;
            if started.met.is_empty() {
                break;
            }
            note(&mut counts, &site, &started, error, &fault);
        }
        for number in 1.. {
            let fault = format!("{}:when={number}{}", error.0, error.1);
            let site = Site::empty(None, relay.address, &[]);
            let started = start(&site, &["--create"], &fault).await;
            if started.met.is_empty() {
                break;
            }
            note(&mut made, &site, &started, error, &format!("{fault} with --create"));
            // Whatever it has left behind stands in nobody's way.
            site.serve_with(&["--create"], &[]).await.stop().await;
        }
    }
    assert!(counts.values().chain(made.values()).all(|(ended, _)| *ended >= 4), "{counts:?}, {made:?}");
    site.configure(relay.address, &[]);
    let service = site.serve().await;
    relay.until(|seen| seen.taken.len() == 4).await;
    service.stop().await;
    assert_eq!((site.integrity().await.as_str(), relay.taken().len()), ("ok", 4));
    part.ran(&format!("(ended with its file named, came up all the same): {counts:?}; with --create {made:?}; 0 lost"));
}
