//! What the queue's operations cost while it grows: the same calls on queues of different sizes, which lie side by side and take
//! turns, so that whatever else the machine does falls on all alike. Through the [`Store`], as the daemon and the desk call it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use invited::config::Database;
use invited::domain::{
    Attempt, DeskOrder, EmailAddress, Handed, InvitationId, OrderNews, OrderReference, Policies, ShopId, State,
    Timestamp,
};
use invited::store::{
    Actor, ClaimAsk, ClaimedLetter, Credence, DeskAsk, DeskOutcome, FiledReading, Filter, NewCopy, RelayShare, Role,
    Seen, SqlStore, Store, Subject, create_if_missing, open,
};
use serde::Serialize;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::runtime::Runtime;

use crate::Plan;
use crate::peers::Missing;
use crate::postgres::Cluster;
use crate::queue_fill::{self as fill, Contents, NOW, Raw, SHOPS, Size};
use crate::{mails, postgres, queue_report};

/// Letters claimed at once, and invitations on a page.
const BATCH: usize = 10;
const PAGE: usize = 100;

/// Copies whose bytes are deleted at once.
const PURGED: usize = 1000;

/// Invitations of one shop that are cancelled in one turn, at most.
const CANCELLED: usize = 50;

/// Who claims.
const OWNER: &str = "benchmark";

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct Queue {
    pub(crate) rows: Vec<Row>,
    pub(crate) sizes: Vec<Size>,
    pub(crate) not_measured: Vec<Missing>,
}

/// One operation on one engine.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) engine: &'static str,
    pub(crate) operation: &'static str,
    /// By the size of the queue, the smallest first.
    pub(crate) at: Vec<At>,
    /// The medians' ratio to that of the smallest queue.
    pub(crate) growth: Vec<f64>,
}

/// One operation on a queue of one size.
#[derive(Debug, Serialize)]
pub(crate) struct At {
    pub(crate) invitations: u64,
    pub(crate) calls: usize,
    pub(crate) median_ms: f64,
    pub(crate) p99_ms: f64,
}

/// What is done in one turn.
#[derive(Debug, Clone, Copy)]
enum Step {
    Send,
    Look,
    List,
    Explain,
    Read,
    Cancel,
    Count,
    Purge,
}

impl Step {
    const ALL: [Self; 8] =
        [Self::Send, Self::Look, Self::List, Self::Explain, Self::Read, Self::Cancel, Self::Count, Self::Purge];

    /// How often in one round.
    fn calls(self, plan: Plan) -> usize {
        if matches!(self, Self::Cancel | Self::Count | Self::Purge) { 1 } else { plan.queue_calls }
    }
}

/// Measures both engines, one after the other.
pub(crate) fn measure(plan: Plan, work: &Path) -> Result<Queue> {
    let runtime = Runtime::new()?;
    std::fs::create_dir_all(work)?;
    let mut queue = Queue { rows: Vec::new(), sizes: Vec::new(), not_measured: Vec::new() };
    let files = plan.queues.iter().map(|all| (*all, work.join(format!("{all}.db")).display().to_string()));
    runtime.block_on(engine(plan, files.collect(), work, &mut queue))?;
    std::fs::remove_dir_all(work)?;
    // The kit says what is missing.
    let Some(server) = Cluster::start(&[("max_wal_size", "4GB")]) else {
        let why = "its programs are not there (Debian's package postgresql)".to_owned();
        queue.not_measured.push(Missing { server: "PostgreSQL", why });
        return Ok(queue);
    };
    let databases = plan.queues.iter().map(|all| {
        let name = format!("queue_{all}");
        server.create_database(&name);
        (*all, server.socket_url(&name))
    });
    runtime.block_on(engine(plan, databases.collect(), work, &mut queue))?;
    Ok(queue)
}

async fn engine(plan: Plan, databases: Vec<(u64, String)>, folder: &Path, queue: &mut Queue) -> Result<()> {
    let mut places = Vec::new();
    let mut engine = "";
    for (all, database) in databases {
        let (place, sizes) = Place::make(all, &database, folder).await?;
        engine = sizes.first().context("no table was looked at")?.engine;
        queue.sizes.extend(sizes);
        places.push(place);
    }
    for round in 0..=plan.queue_rounds {
        for step in Step::ALL {
            // In turn, call by call.
            for call in 0..step.calls(plan) {
                for place in &mut places {
                    let taken = place.take(step, round + call).await;
                    taken.with_context(|| format!("{step:?}, {} invitations", place.all))?;
                }
            }
        }
        if round == 0 {
            // Caches are cold.
            places.iter_mut().for_each(|place| place.times.clear());
        }
    }
    for operation in places.first().context("no queue")?.times.keys() {
        queue.rows.push(row(engine, operation, &places)?);
    }
    for place in places {
        place.store.close().await;
    }
    Ok(())
}

fn row(engine: &'static str, operation: &'static str, places: &[Place]) -> Result<Row> {
    let mut at = Vec::new();
    for place in places {
        let mut times = place.times.get(operation).context(operation)?.clone();
        times.sort_unstable();
        let of = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1000.0;
        at.push(At { invitations: place.all, calls: times.len(), median_ms: of(50), p99_ms: of(99) });
    }
    let growth = at.iter().map(|it| it.median_ms / at[0].median_ms).collect();
    Ok(Row { engine, operation, at, growth })
}

/// A queue of one size.
struct Place {
    store: SqlStore,
    all: u64,
    times: BTreeMap<&'static str, Vec<Duration>>,
    policies: Arc<Policies>,
    state: u64,
    /// Orders that came since it was filled.
    more: u64,
}

impl Place {
    async fn make(all: u64, database: &str, folder: &Path) -> Result<(Self, Vec<Size>)> {
        let start = Instant::now();
        let place = Database::parse(database, folder).map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
        create_if_missing(&place, None).await?;
        let mut raw = match &place {
            Database::Sqlite(path) => {
                Raw::Sqlite(sqlx::sqlite::SqliteConnectOptions::new().filename(path).connect().await?)
            }
            Database::Postgres(_) => {
                Raw::Postgres(PgConnection::connect(&database.replacen(postgres::ROLE, "postgres", 1)).await?)
            }
        };
        raw.fill(Contents::lean(all)?).await?;
        let filled = start.elapsed();
        let sizes = raw.sizes(all).await?;
        match raw {
            Raw::Sqlite(conn) => conn.close().await?,
            Raw::Postgres(conn) => conn.close().await?,
        }
        eprintln!(
            "queue: {all} invitations filled in {} s, looked at in {} s",
            filled.as_secs(),
            (start.elapsed() - filled).as_secs()
        );
        let store = open(&place, None, Role::Daemon).await?;
        let policies = Arc::new(Policies::default());
        Ok((Self { store, all, times: BTreeMap::new(), policies, state: 1, more: 0 }, sizes))
    }

    /// `call` counts, so that not all calls are about one shop.
    async fn take(&mut self, step: Step, call: usize) -> Result<()> {
        match step {
            Step::Send => self.send().await,
            Step::Look => {
                let start = Instant::now();
                let due = self.store.next_due().await?;
                self.took(queue_report::NEXT_DUE, start);
                ensure!(due.len() as u64 == SHOPS, "{} shops have something due", due.len());
                Ok(())
            }
            Step::List => self.list().await,
            Step::Explain => self.explain().await,
            Step::Read => self.read(call.is_multiple_of(2)).await,
            Step::Cancel => self.cancel(call).await,
            Step::Count => {
                let start = Instant::now();
                self.store.counts().await?;
                self.took(queue_report::COUNT, start);
                Ok(())
            }
            Step::Purge => {
                let start = Instant::now();
                let purged = self.store.purge(Timestamp(NOW), PURGED).await?;
                self.took(queue_report::PURGE, start);
                ensure!(purged == PURGED as u64, "only {purged} copies were purged");
                Ok(())
            }
        }
    }

    fn took(&mut self, operation: &'static str, start: Instant) {
        self.times.entry(operation).or_default().push(start.elapsed());
    }

    /// One of the orders, the same ones in each run (a linear congruential generator, Knuth's numbers).
    fn any(&mut self) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % self.all + 1
    }

    /// Letters are claimed, marked, and put back at the end of their line, since the relay is down: so many stay due.
    async fn send(&mut self) -> Result<()> {
        let ask = ClaimAsk {
            owner: OWNER.to_owned(),
            relay: Some(RelayShare::new("relay", 1000)),
            shops: (0..SHOPS).map(|shop| ShopId::parse(&fill::shop(shop))).collect::<Result<_, _>>()?,
            limit: BATCH,
        };
        let now = Timestamp(NOW);
        let start = Instant::now();
        let claimed = self.store.claim_due(ask, Arc::clone(&self.policies), now).await?;
        self.took(queue_report::CLAIM, start);
        // A few of them are on the suppression list, and have ended instead.
        ensure!(claimed.letters.len() > BATCH / 2, "{} letters were claimed", claimed.letters.len());
        let start = Instant::now();
        let mark = async |letter: &ClaimedLetter| {
            let id = format!("<{}.1.4f9a1c77d2e0b853@shop.example.com>", letter.invitation.id);
            self.store.mark_on_the_wire(&letter.claim, &id, now).await
        };
        let marked = try_join_all(claimed.letters.iter().map(mark)).await?;
        self.took(queue_report::MARK, start);
        ensure!(marked.iter().all(|marked| *marked), "a letter could not be marked");
        let start = Instant::now();
        let down = Attempt::RelayDown { retry_at: now };
        let settle = async |letter: &ClaimedLetter| {
            let reply = "421 4.3.2 not now";
            self.store.settle(&letter.claim, down, reply, Arc::clone(&self.policies), now).await
        };
        try_join_all(claimed.letters.iter().map(settle)).await?;
        self.took(queue_report::SETTLE, start);
        Ok(())
    }

    async fn list(&mut self) -> Result<()> {
        let (order, page) = (self.any(), self.any());
        let shop = Some(ShopId::parse(&fill::shop(order))?);
        let email = Some(EmailAddress::parse(&fill::email(order, self.all))?.key());
        let none = Filter::default();
        for (operation, filter, before) in [
            (queue_report::LISTS[0], none.clone(), None),
            (queue_report::LISTS[1], none.clone(), Some(InvitationId(i64::try_from(page)?))),
            (queue_report::LISTS[2], Filter { states: vec![State::Queued], ..none.clone() }, None),
            (queue_report::LISTS[3], Filter { states: vec![State::Done], ..none.clone() }, None),
            (queue_report::LISTS[4], Filter { shop: shop.clone(), ..none.clone() }, None),
            (queue_report::LISTS[5], Filter { shop, states: vec![State::Done], ..none.clone() }, None),
            (queue_report::LISTS[6], Filter { email, ..none.clone() }, None),
            (queue_report::LISTS[7], Filter { reference: Some(fill::reference(order)), ..none.clone() }, None),
        ] {
            let start = Instant::now();
            let listed = self.store.list(&filter, before, PAGE).await?.invitations;
            self.took(operation, start);
            ensure!(!listed.is_empty() || before.is_some(), "{operation}: nothing");
        }
        Ok(())
    }

    async fn explain(&mut self) -> Result<()> {
        let order = self.any();
        let reference = OrderReference::parse(&fill::reference(order)).context("reference")?;
        for (operation, subject) in [
            (queue_report::EXPLAIN[0], Subject::Email(EmailAddress::parse(&fill::email(order, self.all))?.key())),
            (queue_report::EXPLAIN[1], Subject::Reference(reference)),
            (queue_report::EXPLAIN[2], Subject::Invitation(InvitationId(i64::try_from(order)?))),
        ] {
            let start = Instant::now();
            let story = self.store.story(&subject).await?;
            self.took(operation, start);
            ensure!(!story.decisions.is_empty(), "{operation}: nothing");
        }
        Ok(())
    }

    /// A copy comes in, is claimed and filed: of a new order, or of one that is known.
    async fn read(&mut self, is_new: bool) -> Result<()> {
        let order = if is_new {
            self.more += 1;
            self.all + self.more
        } else {
            self.any()
        };
        let (shop, now) = (ShopId::parse(&fill::shop(order))?, Timestamp(NOW));
        let mail = mails::order(&fill::reference(order), &fill::email(order, self.all), 4096);
        let reading = mails::read(&mail);
        let news = reading.order_event().map(|event| OrderNews::new(event.kind, now));
        ensure!(news.is_some(), "the order was not read");
        let copy = NewCopy {
            shop: shop.clone(),
            mail_from: "bounces@shop.example.com".to_owned(),
            rcpt_to: format!("{shop}@in.example.com"),
            handed: Handed { client: None, hello: "mail.shop.example.com".to_owned(), tls: true, ..Handed::default() },
            answers: None,
            message: mail.into_bytes().into(),
            received_at: now,
        };
        let start = Instant::now();
        self.store.spool(vec![copy]).await?;
        self.took(queue_report::SPOOL, start);
        let start = Instant::now();
        let claimed = self.store.claim_copies(1, 3, OWNER, now).await?;
        let copy = claimed.first().context("no copy")?.id;
        let filing = FiledReading { copy, shop, reading, news, credence: Credence::default() };
        let filed = self.store.file_readings(Arc::new([filing]), Arc::clone(&self.policies), now).await?;
        self.took(if is_new { queue_report::FILE_NEW } else { queue_report::FILE_KNOWN }, start);
        let moved = &filed.first().context("the copy was not filed")?.moved;
        let is_ours = |(id, _): &(InvitationId, _)| is_new || id.0.unsigned_abs() == order;
        ensure!(moved.len() == 1 && moved.iter().all(is_ours), "an order was not found again");
        Ok(())
    }

    /// What a person does with `queue list` and `queue cancel`.
    async fn cancel(&mut self, shop: usize) -> Result<()> {
        let shop = Some(ShopId::parse(&fill::shop(shop as u64))?);
        let filter = Filter { shop, states: vec![State::Queued], ..Filter::default() };
        let actor = Actor { name: "anna".to_owned(), reason: Some("the shop closes".to_owned()) };
        // The newest are not due yet, so that what is due stays.
        for queued in
            self.store.list(&filter, None, CANCELLED.min(usize::try_from(self.all / 1000)?)).await?.invitations
        {
            let start = Instant::now();
            let asks = vec![DeskAsk { seen: Seen::from(&queued), order: DeskOrder::Cancel }];
            let mut outcomes = self.store.desk_all(asks, &actor, Arc::clone(&self.policies), Timestamp(NOW)).await?;
            self.took(queue_report::CANCEL, start);
            let is_cancelled =
                |one| matches!(one, DeskOutcome::Decided(decision) if decision.progress.state == State::Cancelled);
            ensure!(outcomes.pop().is_some_and(is_cancelled), "not cancelled");
        }
        Ok(())
    }
}
