//! Daemons on one database, shops that hand in mails to them whatever happens, and the verdict on what became of the mails.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use invited::domain::State;
use sqlx::PgConnection;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::kit::{opened, order_mail, until};
use crate::program::{BCC, Dialog, Service, Site};
use crate::relay::TestRelay;

/// Orders on their way at most: acknowledged, and no letter seen yet. So that the reading never falls far behind.
const WINDOW: usize = 200;

/// How long a shop tries to get rid of a mail.
const PATIENCE: Duration = Duration::from_secs(120);

/// An order mail whose customer is nobody else's.
pub(crate) fn order(reference: &str) -> Vec<u8> {
    order_mail(reference, "Anna Example", &format!("{reference}@customer.example.net").to_lowercase())
}

/// Daemons that share a database, each with a folder and a listener of its own.
pub(crate) struct Crew {
    pub(crate) sites: Vec<Site>,
    services: Vec<Option<Service>>,
    doors: watch::Sender<Vec<Option<SocketAddr>>>,
    lease: String,
    another: Box<dyn Fn() -> Site + Send + Sync>,
}

impl Crew {
    /// Starts so many daemons, who count as dead after so many seconds of silence.
    pub(crate) async fn start(url: &str, relay: &TestRelay, extra: &[(&str, &str)], size: usize, lease: u64) -> Self {
        let first = Site::on_server(url, relay.address, extra).await;
        let another = {
            let (url, relay) = (url.to_owned(), relay.address);
            let extra = extra.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect::<Vec<_>>();
            move || {
                let extra = extra.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect::<Vec<_>>();
                Site::empty(Some(&url), relay, &extra)
            }
        };
        let doors = watch::Sender::new(vec![None]);
        let lease = lease.to_string();
        let mut crew = Self { sites: vec![first], services: vec![None], doors, lease, another: Box::new(another) };
        crew.begin(0).await;
        for _ in 1..size {
            crew.join().await;
        }
        crew
    }

    /// Starts one more.
    pub(crate) async fn join(&mut self) {
        self.sites.push((self.another)());
        self.services.push(None);
        self.doors.send_modify(|doors| doors.push(None));
        self.begin(self.sites.len() - 1).await;
    }

    /// Starts a daemon that does not run.
    pub(crate) async fn begin(&mut self, member: usize) {
        let service = self.sites[member].serve_with(&["--lease", &self.lease], &[]).await;
        self.doors.send_modify(|doors| doors[member] = Some(service.address));
        self.services[member] = Some(service);
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self, member: usize) {
        self.services[member].take().unwrap().kill().await;
        self.doors.send_modify(|doors| doors[member] = None);
    }

    /// Waits until a daemon has ended; its exit code and what it said.
    pub(crate) async fn ended(&mut self, member: usize) -> (Option<i32>, String) {
        let service = self.services[member].take().unwrap();
        self.doors.send_modify(|doors| doors[member] = None);
        (service.code().await, service.log())
    }

    pub(crate) fn service(&self, member: usize) -> &Service {
        self.services[member].as_ref().unwrap()
    }

    /// Hands a mail in at one of them.
    pub(crate) async fn hand_in(&self, member: usize, reference: &str) {
        let mut dialog = Dialog::open(self.service(member).address).await.unwrap();
        let reply = dialog.mail(BCC, &order(reference)).await.unwrap();
        assert!(reply.starts_with("250 "), "{reply}");
    }

    /// Waits until nothing is unread, due or being sent.
    pub(crate) async fn until_quiet(&self) {
        let mut conn = self.sites[0].server().await;
        until_number(
            &mut conn,
            "SELECT (SELECT count(*) FROM copy WHERE state = 'unread') \
             + (SELECT count(*) FROM invitation WHERE state IN ('queued', 'sending', 'waiting', 'sent'))",
            0,
        )
        .await;
    }

    /// Ends all of them as systemd does.
    pub(crate) async fn stop(&mut self) {
        for service in self.services.iter_mut().filter_map(Option::take) {
            service.stop().await;
        }
    }

    /// Begins to hand in mails, to all of them.
    pub(crate) fn load(&self, clients: usize, relay: &TestRelay) -> Load {
        let taken = Arc::new(watch::Sender::new(0));
        let stop = watch::Sender::new(false);
        let mut shops = JoinSet::new();
        for number in 0..clients {
            let shop = Shop {
                number,
                doors: self.doors.subscribe(),
                relay: relay.clone(),
                taken: Arc::clone(&taken),
                stop: stop.subscribe(),
                refused: 0,
            };
            shops.spawn(shop.hand_in());
        }
        Load { shops, taken, stop }
    }
}

/// Waits until a query gives this number.
pub(crate) async fn until_number(conn: &mut PgConnection, sql: &'static str, wanted: i64) {
    until(&format!("{wanted} is what comes of {sql}"), async || {
        let number: i64 = sqlx::query_scalar(sql).fetch_one(&mut *conn).await.unwrap();
        (number == wanted).then_some(())
    })
    .await;
}

/// A mail that was answered 250.
pub(crate) struct Acknowledged {
    pub(crate) reference: String,
    pub(crate) copy: i64,
}

/// Shops that hand in mails until they are told to stop.
pub(crate) struct Load {
    shops: JoinSet<(Vec<Acknowledged>, usize)>,
    taken: Arc<watch::Sender<usize>>,
    stop: watch::Sender<bool>,
}

impl Load {
    /// How many mails were acknowledged so far.
    pub(crate) fn taken(&self) -> usize {
        *self.taken.borrow()
    }

    /// Waits until so many were.
    pub(crate) async fn until_taken(&self, count: usize) {
        until(&format!("{count} mails are acknowledged"), async || (self.taken() >= count).then_some(())).await;
    }

    /// Lets every shop finish the mail that it has begun; all that was acknowledged, and how often one was sent away.
    pub(crate) async fn end(self) -> (Vec<Acknowledged>, usize) {
        self.stop.send_replace(true);
        let (acknowledged, refused): (Vec<_>, Vec<_>) = self.shops.join_all().await.into_iter().unzip();
        (acknowledged.into_iter().flatten().collect(), refused.into_iter().sum())
    }
}

/// A shop's MTA: tries each mail until somebody takes it, at one door after the other.
struct Shop {
    number: usize,
    doors: watch::Receiver<Vec<Option<SocketAddr>>>,
    relay: TestRelay,
    taken: Arc<watch::Sender<usize>>,
    stop: watch::Receiver<bool>,
    refused: usize,
}

impl Shop {
    async fn hand_in(mut self) -> (Vec<Acknowledged>, usize) {
        let mut acknowledged = Vec::new();
        let (mut dialog, mut door) = (None, self.number);
        for number in 0.. {
            let taken = *self.taken.borrow();
            self.relay.until(|seen| taken < seen.dots + WINDOW || *self.stop.borrow()).await;
            if *self.stop.borrow() {
                break;
            }
            let reference = format!("F{}-{number}", self.number);
            let mail = order(&reference);
            let copy = tokio::time::timeout(PATIENCE, self.persist(&mut dialog, &mut door, &mail)).await;
            let copy = copy.expect("somebody takes the mail in time");
            self.taken.send_modify(|taken| *taken += 1);
            acknowledged.push(Acknowledged { reference, copy });
        }
        (acknowledged, self.refused)
    }

    /// Tries until the mail is taken; the copy's number.
    async fn persist(&mut self, dialog: &mut Option<Dialog>, door: &mut usize, mail: &[u8]) -> i64 {
        let mut pulse = tokio::time::interval(Duration::from_millis(20));
        loop {
            pulse.tick().await;
            if let Some(copy) = self.attempt(dialog, *door, mail).await {
                return copy;
            }
            *dialog = None;
            *door += 1;
        }
    }

    /// The copy's number when the mail was taken.
    async fn attempt(&mut self, dialog: &mut Option<Dialog>, door: usize, mail: &[u8]) -> Option<i64> {
        if dialog.is_none() {
            let doors = self.doors.borrow().clone();
            *dialog = Some(Dialog::open(doors[door % doors.len()]?).await.ok()?);
        }
        let reply = dialog.as_mut()?.mail(BCC, mail).await.ok()?;
        if reply.starts_with("250 ") {
            return reply.rsplit(' ').next()?.parse().ok();
        }
        assert!(reply.starts_with('4'), "nothing is refused for good: {reply}");
        self.refused += 1;
        None
    }
}

/// What became of everything.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// Orders that were acknowledged.
    pub(crate) acknowledged: usize,
    /// Acknowledged copies that are gone, or led neither to an invitation nor to a held copy that is listed.
    pub(crate) lost_copies: usize,
    /// Invitations whose letter did not go out, and that are not in doubt.
    pub(crate) lost_letters: usize,
    /// Invitations beyond one for an order.
    pub(crate) doubled_invitations: usize,
    /// Letters that the relay took more than once.
    pub(crate) doubled_letters: usize,
    /// Letters that it took.
    pub(crate) delivered: usize,
    /// Invitations in doubt; each is listed.
    pub(crate) in_doubt: usize,
    /// Copies that were being read at three deaths, and are listed.
    pub(crate) held: usize,
}

impl Verdict {
    /// Nothing was lost and nothing doubled.
    #[track_caller]
    pub(crate) fn is_clean(&self) {
        let wrong = self.lost_copies + self.lost_letters + self.doubled_invitations + self.doubled_letters;
        assert_eq!(wrong, 0, "{self:#?}");
    }
}

/// Looks at everything when the daemons have come to rest.
pub(crate) async fn judge(site: &Site, relay: &TestRelay, acknowledged: &[Acknowledged]) -> Verdict {
    let mut conn = site.server().await;
    let read = "SELECT copy.id FROM copy JOIN copy_body ON copy_body.copy_id = copy.id WHERE state <> 'unread'";
    let copies: BTreeSet<i64> = sqlx::query_scalar(read).fetch_all(&mut conn).await.unwrap().into_iter().collect();
    let invitations = site.invitations().await;
    let references = invitations.iter().map(|one| one.reference.to_string()).collect::<BTreeSet<_>>();
    let held = site.run(&["held", "list", "--json", "--limit", "10000"]).ended(0).json();
    let held = held.iter().map(|row| row["id"].as_i64().unwrap()).collect::<BTreeSet<_>>();
    let is_lost = |one: &&Acknowledged| {
        !copies.contains(&one.copy) || !references.contains(&one.reference) && !held.contains(&one.copy)
    };

    let mut taken = BTreeMap::<String, usize>::new();
    let mut ids = BTreeSet::new();
    for letter in relay.taken() {
        ids.insert(opened(&letter).message_id().unwrap().to_owned());
        *taken.entry(letter.to.join(",")).or_default() += 1;
    }
    assert_eq!(ids.len(), taken.len(), "one Message-ID to a customer");
    let is = |state| invitations.iter().filter(move |one| one.progress.state == state);
    assert!(
        is(State::Done).all(|one| taken.contains_key(one.customer.email.as_str())),
        "a letter that is done was delivered"
    );
    let listed = site.run(&["queue", "list", "--state", "in_doubt", "--json", "--limit", "10000"]).ended(0).json();
    let in_doubt = is(State::InDoubt).count();
    assert_eq!(listed.len(), in_doubt, "each of those in doubt is listed");
    Verdict {
        acknowledged: acknowledged.len(),
        lost_copies: acknowledged.iter().filter(is_lost).count(),
        lost_letters: invitations.len() - is(State::Done).count() - in_doubt,
        doubled_invitations: invitations.len() - references.len(),
        doubled_letters: taken.values().map(|count| count - 1).sum(),
        delivered: taken.len(),
        in_doubt,
        held: held.len(),
    }
}
