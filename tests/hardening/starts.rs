//! A daemon that cannot open one of its files when it starts: it says which, ends with the code that stands for it, and leaves everything
//! as it was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::Part;
use crate::kit::{order_mail, until};
use crate::program::{BCC, Dialog, Site, command_by};
use crate::relay::{Act, TestRelay};

/// What a call is answered, whether that is so for all that follow too, and with which code a start ends that this was the end of: 78
/// where a person has to do something, 1 where it may go by itself, so that systemd tries again.
const ERRORS: [(&str, &str, i32); 3] = [("EACCES", "+", 78), ("EIO", "", 1), ("EMFILE", "+", 1)];

/// How a start went.
struct Start {
    /// Whether the fault was met.
    is_met: bool,
    /// The exit code and what was said; `None` when it came up all the same.
    ended: Option<(i32, String)>,
}

/// What a start opens: what people write, the folder, and the database's files, of which the first is opened by one more name when that
/// is a link. SQLite follows it first.
fn files(site: &Site) -> Vec<PathBuf> {
    let named = site.file();
    let real = std::fs::canonicalize(&named).unwrap_or_else(|_| named.clone());
    let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", real.display()));
    let mut files = ["", "-wal", "-shm", ".lock"].map(beside).to_vec();
    files.extend([site.config(), site.path("master.key"), named.parent().unwrap().to_owned()]);
    files.extend((named != real).then_some(named));
    files
}

/// Starts a daemon with a fault at an opening of a file, of which each thread counts its own. One that comes up is stopped.
async fn start(site: &Site, words: &[&str], file: &Path, fault: &str) -> Start {
    let log = site.path("strace");
    let _ = std::fs::remove_file(&log);
    let inject = format!("inject=openat:error={fault}");
    // The tracer as the grandchild: what is started becomes the daemon.
    let launcher =
        ["strace", "-D", "-f", "-q", "-e", "trace=openat", "-e", &inject, "-P", file.to_str().unwrap(), "-o"];
    let launcher = [&launcher[..], &[log.to_str().unwrap()]].concat();
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
    Start { is_met: met.contains("(INJECTED)"), ended }
}

/// How starts went, by error: those that ended, those that came up all the same.
type Counts = BTreeMap<&'static str, (usize, usize)>;

/// Puts the error at every opening of each file, and holds what comes of it to what it must say and leave behind.
async fn starts(site: &dyn Fn() -> Rc<Site>, words: &[&str], error: (&'static str, &str, i32), counts: &mut Counts) {
    let files_of_one = files(&site());
    for which in 0..files_of_one.len() {
        for number in 1.. {
            let site = site();
            let file = &files(&site)[which];
            let context = format!("{} at opening {number} of {}", error.0, file.display());
            let start = start(&site, words, file, &format!("{}:when={number}{}", error.0, error.1)).await;
            if !start.is_met {
                break;
            }
            let (ended, came_up) = counts.entry(error.0).or_default();
            let Some((code, said)) = start.ended else {
                *came_up += 1;
                continue;
            };
            *ended += 1;
            // Beside the database are files of whose names it is the beginning.
            let is_its = file.to_string_lossy().contains("invited.db") && said.contains("invited.db");
            assert!(said.contains(file.to_str().unwrap()) || is_its, "{context}: the file is not named: {said}");
            assert!(!said.contains("panic"), "{context}: {said}");
            // What people write is theirs to put right, whatever stands in the way of reading it. A later opening of one thread may be
            // the first of another, which finds no fault.
            let is_theirs = [site.config(), site.path("master.key")].contains(file);
            let wanted = if is_theirs { 78 } else { error.2 };
            assert!(code == wanted || number > 1 && code == 1, "{context}: {code}: {said}");
            if words == ["--create"] {
                // Whatever it has left behind stands in nobody's way.
                site.serve_with(words, &[]).await.stop().await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes root, tools or time: tests/hardening/run"]
async fn an_error_at_every_opening_of_a_start_is_told_with_its_file_and_loses_nothing() {
    let _machine = crate::MACHINE.lock().await;
    let Some(part) = Part::begin("an error at every opening of a start", &["strace"], true) else { return };
    let relay = TestRelay::start(|_| Act::Ok).await;
    let site = Rc::new(Site::new(relay.address, &[("hold_all", "true")]).await);
    let service = site.serve().await;
    let mut dialog = Dialog::open(service.address).await.unwrap();
    for number in 0..4 {
        let mail = order_mail(&format!("S-{number}"), "Anna", &format!("anna{number}@kund.example.net"));
        assert!(dialog.mail(BCC, &mail).await.unwrap().starts_with("250 "));
    }
    // What it took in stands in the log alone.
    service.kill().await;
    std::os::unix::fs::symlink(site.file(), site.path("link.invited.db")).unwrap();
    site.configure(relay.address, &[("hold_all", "true"), ("database", "\"link.invited.db\"")]);
    let (mut counts, mut made) = (Counts::new(), Counts::new());
    for error in ERRORS {
        starts(&|| Rc::clone(&site), &[], error, &mut counts).await;
        starts(&|| Rc::new(Site::empty(None, relay.address, &[])), &["--create"], error, &mut made).await;
    }
    assert!(counts.values().chain(made.values()).all(|(ended, _)| *ended >= 6), "{counts:?}, {made:?}");
    site.configure(relay.address, &[]);
    let service = site.serve().await;
    relay.until(|seen| seen.taken.len() == 4).await;
    service.stop().await;
    assert_eq!((site.integrity().await.as_str(), relay.taken().len()), ("ok", 4));
    part.ran(&format!("(ended with its file named, came up all the same): {counts:?}; with --create {made:?}; 0 lost"));
}
