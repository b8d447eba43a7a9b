//! One intake and one sending, from the mail at the door to the letter's outcome in the database, with a fault at each system call
//! that writes: killed there, or answered with an error. Whatever was answered 250 is there, no letter goes twice, none is lost.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::kit::{order_mail, until};
use crate::program::{BCC, Dialog, Service, Site};
use crate::relay::{Act, TestRelay};
use crate::strace::{Strace, WRITES};
use crate::{Part, all};
use invited::ops::dispatch::LEASE;

/// Without [`all`]: so many kinds of moments, spread over the whole.
const STRIDE: usize = 11;

/// A site whose letters are due at once, and what was answered for.
struct Ledger {
    site: Site,
    relay: TestRelay,
    /// By reference: whether the mail was answered 250.
    orders: BTreeMap<String, bool>,
}

impl Ledger {
    async fn new() -> Self {
        let relay = TestRelay::start(|_| Act::Ok).await;
        let site = Site::new(relay.address, &[]).await;
        Self { site, relay, orders: BTreeMap::new() }
    }

    /// Hands one order in and waits until it has come to its end, or the daemon has. The reply, when there was one.
    async fn order(&mut self, service: &Service, patience: Duration) -> Option<String> {
        let reference = format!("C-{}", self.orders.len());
        let mail = order_mail(&reference, "Anna", &format!("{}@kund.example.net", reference.to_lowercase()));
        let handed_in = async {
            let mut dialog = Dialog::open(service.address).await?;
            dialog.mail(BCC, &mail).await
        };
        let reply = handed_in.await.ok();
        let is_taken = reply.as_ref().is_some_and(|reply| reply.starts_with("250 "));
        self.orders.insert(reference, is_taken);
        if reply.is_none() {
            until("the daemon is dead", async || service.ended()).await;
        }
        let began = Instant::now();
        while is_taken && service.ended().is_none() && began.elapsed() < patience {
            if self.is_quiet().await {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        reply
    }

    /// Whether nothing is unread, due or under way. A database that cannot be looked at is not quiet.
    async fn is_quiet(&self) -> bool {
        let busy = "SELECT (SELECT count(*) FROM copy WHERE state = 'unread') \
            + (SELECT count(*) FROM invitation WHERE state IN ('queued', 'sending')) \
            + (SELECT count(*) FROM letter WHERE phase IN ('claimed', 'on_the_wire'))";
        self.site.number(busy).await == 0
    }

    /// Waits until it is. Longer than a claim counts that could neither be used nor given back.
    async fn settle(&self, service: &Service) {
        let began = Instant::now();
        while !self.is_quiet().await {
            if began.elapsed() > LEASE + Duration::from_secs(60) {
                let invitations = self.site.invitations().await;
                let unsettled = invitations.iter().map(|one| (one.reference.to_string(), one.progress.state.as_str()));
                let unsettled = unsettled.filter(|(_, state)| *state != "done").collect::<Vec<_>>();
                panic!("not at its end: {unsettled:?}: {}", service.log());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Holds the whole to its promises. How many letters are in doubt.
    async fn judge(&self, doubtful: usize, context: &str) -> usize {
        let mut letters = BTreeMap::<String, usize>::new();
        for letter in self.relay.taken() {
            *letters.entry(letter.to.join(",")).or_default() += 1;
        }
        assert!(letters.values().all(|count| *count == 1), "a letter went twice: {context}");
        let invitations = self.site.invitations().await;
        let known = invitations.iter().map(|one| one.reference.to_string()).collect::<std::collections::BTreeSet<_>>();
        // The copy in hand when the process died for the third time is set aside for a person.
        let held = self.site.number("SELECT count(*) FROM copy WHERE state = 'held'").await;
        let lost = self.orders.iter().filter(|(order, is_taken)| **is_taken && !known.contains(*order)).count();
        assert_eq!(i64::try_from(lost).unwrap(), held, "an order that was answered 250 is not there: {context}");
        let mut in_doubt = 0;
        for one in &invitations {
            match one.progress.state.as_str() {
                "done" => assert_eq!(letters.get(one.customer.email.as_str()), Some(&1), "{} {context}", one.reference),
                "in_doubt" => in_doubt += 1,
                other => panic!("{} is {other}: {context}", one.reference),
            }
        }
        assert!(in_doubt <= doubtful, "{in_doubt} in doubt after {doubtful} faults: {context}");
        assert_eq!(self.site.integrity().await, "ok", "{context}");
        in_doubt
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes root, tools or time: tests/hardening/run"]
async fn killed_at_every_write_of_an_intake_and_a_sending_nothing_is_lost_or_doubled() {
    let _machine = crate::MACHINE.lock().await;
    let Some(part) = Part::begin("kill -9 at every write", &["strace"], true) else { return };
    let began = Instant::now();
    let mut ledger = Ledger::new().await;
    let mut kills = BTreeMap::new();
    let mut service = ledger.site.serve().await;
    for call in WRITES {
        for number in (1..).step_by(if all() || call != "pwrite64" { 1 } else { STRIDE }) {
            let strace = Strace::attach(&service, &ledger.site.file(), call, "signal=KILL", &number.to_string()).await;
            ledger.order(&service, Duration::from_secs(20)).await;
            let is_dead = service.ended().is_some();
            strace.let_go();
            if is_dead {
                service = ledger.site.serve().await;
            }
            ledger.settle(&service).await;
            if !is_dead {
                break;
            }
            *kills.entry(call).or_insert(0_usize) += 1;
            ledger.judge(kills.values().sum(), &format!("{call} {number}")).await;
        }
    }
    service.stop().await;
    let deaths = kills.values().sum::<usize>();
    let in_doubt = ledger.judge(deaths, "at the end").await;
    assert!(deaths >= 10, "the faults reach the daemon: {kills:?}");
    let orders = ledger.orders.len();
    let seconds = began.elapsed().as_secs();
    part.ran(&format!(
        "{deaths} kills {kills:?}, {orders} orders, 0 lost, 0 doubles, {in_doubt} in doubt, {seconds} s"
    ));
}

/// What one of several daemons met.
#[derive(Default)]
struct Met {
    faults: BTreeMap<String, usize>,
    refused: usize,
    in_doubt: usize,
}

/// Puts one kind of error at the calls `first`, `first + step` and so on, until an intake and a sending have no such call any more.
async fn errors(call: &'static str, error: &'static str, first: usize, step: usize) -> Met {
    let mut ledger = Ledger::new().await;
    let service = ledger.site.serve().await;
    let mut met = Met::default();
    for number in (first..).step_by(step) {
        let (fault, file) = (format!("error={error}"), ledger.site.file());
        let strace = Strace::attach(&service, &file, call, &fault, &number.to_string()).await;
        let reply = ledger.order(&service, Duration::from_secs(20)).await.expect("a reply, whatever it is");
        let is_refusal = reply.starts_with("451 4.3.0 ") || reply.starts_with("452 4.3.1 ");
        assert!(reply.starts_with("250 ") || is_refusal, "{call} {error} {number}: {reply}");
        met.refused += usize::from(is_refusal);
        let was_met = strace.let_go();
        assert!(service.ended().is_none(), "{call} {error} {number}: {}", service.log());
        // A failed write speaks against the next for two seconds.
        until("mails are taken again", async || {
            let mut dialog = Dialog::open(service.address).await.unwrap();
            let reply = dialog.say("MAIL FROM:<orders@shop.example.com>").await.unwrap();
            reply.starts_with("250 ").then_some(())
        })
        .await;
        ledger.settle(&service).await;
        if !was_met {
            break;
        }
        *met.faults.entry(format!("{call} {error}")).or_default() += 1;
    }
    assert!(!service.log().contains("a panic was met"), "{}", service.log());
    service.stop().await;
    met.in_doubt = ledger.judge(met.faults.values().sum(), &format!("{call} {error} from {first}")).await;
    met
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes root, tools or time: tests/hardening/run"]
async fn an_error_at_every_call_is_no_false_250_no_double_and_no_end() {
    let _machine = crate::MACHINE.lock().await;
    let Some(part) = Part::begin("an error at every call", &["strace"], true) else { return };
    let began = Instant::now();
    // Most of the time is spent waiting for the next try, so several daemons do it side by side.
    let mut daemons = Vec::new();
    let (side_by_side, step) = if all() { (6, 6) } else { (1, STRIDE) };
    for error in ["EIO", "ENOSPC"] {
        for first in 1..=side_by_side {
            daemons.push(errors("pwrite64", error, first, step));
        }
        for call in ["fsync", "fdatasync", "ftruncate"] {
            daemons.push(errors(call, error, 1, 1));
        }
    }
    let mut sum = Met::default();
    for met in futures_util::future::join_all(daemons).await {
        sum.refused += met.refused;
        sum.in_doubt += met.in_doubt;
        for (kind, count) in met.faults {
            *sum.faults.entry(kind).or_default() += count;
        }
    }
    let (count, seconds) = (sum.faults.values().sum::<usize>(), began.elapsed().as_secs());
    assert!(sum.faults.contains_key("fsync EIO") && sum.faults.contains_key("pwrite64 ENOSPC"), "{:?}", sum.faults);
    part.ran(&format!(
        "{count} faults {:?}, {} mails refused for a while, 0 lost, 0 doubles, {} in doubt, {seconds} s",
        sum.faults, sum.refused, sum.in_doubt
    ));
}
