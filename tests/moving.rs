//! That a queue which moves to another engine, and back, is the same queue: whatever it holds, whoever works on it meanwhile, and
//! wherever the move is broken off.

#![cfg(feature = "daemon")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[path = "kit/by_hand.rs"]
mod by_hand;
#[path = "kit/place.rs"]
mod place;
#[path = "kit/postgres.rs"]
mod postgres;
#[path = "kit/said.rs"]
mod said;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use invited::config::Database;
use invited::domain::{
    AlarmKind, AnswerKind, Attempt, Collected, CopyId, CustomerNews, DAY, DeskOrder, Draft, EmailAddress, EventKind,
    Gap, Handed, InvitationId, LetterId, ListKey, ListReason, OrderNews, OrderReference, Outcome, PersonName, Policies,
    Policy, Product, Reading, Review, ReviewKind, ShopId, State, SuppressionEntry, Timestamp, Trigger,
};
use invited::store::{
    self, Actor, Alarm, ClaimAsk, CopyState, Counts, Credence, Ending, ErasureRequest, Figure, FiledAnswer,
    FiledReading, Filter, HeldFilter, ListFilter, Moved, NewCopy, NewEntry, NewReviews, PastCopy, Pause, Place,
    RelayShare, ReviewEdit, ReviewFilter, Role, SqlStore, Step, Store, StoreError, StoredCopy, StoredEntry, Story,
    Subject, Watch, WatchFigures, transfer,
};
use place::database_at;
use postgres::server;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _, SqliteConnection};

const T0: Timestamp = Timestamp(1_795_251_600_000);

/// What moves.
const TABLES: [&str; 17] = [
    "copy",
    "copy_body",
    "invitation",
    "letter",
    "decision",
    "tally",
    "sender",
    "answer",
    "shop_sum",
    "alarm",
    "suppression",
    "pause",
    "figure",
    "imported",
    "review",
    "review_edit",
    "erasure_request",
];

fn after(days: u32) -> Timestamp {
    T0.plus(DAY * days)
}

fn shop(name: &str) -> ShopId {
    ShopId::parse(name).unwrap()
}

fn policies() -> Arc<Policies> {
    let slow = Policy { trigger: Trigger::Delivery, ..Policy::default() };
    Arc::new(Policies::from_iter([(shop("nord"), Policy::default()), (shop("slow"), slow)]))
}

/// One letter is all.
fn without_reminder() -> Arc<Policies> {
    Arc::new(Policies::from_iter([(shop("nord"), Policy { reminder: None, ..Policy::default() })]))
}

/// A place for a queue.
struct Spot {
    database: Database,
    password: Option<String>,
}

impl Spot {
    fn file(folder: &tempfile::TempDir, name: &str) -> Self {
        Self { database: Database::Sqlite(folder.path().join(name)), password: None }
    }

    fn server(place: &postgres::Place<'_>) -> Self {
        let (database, password) = database_at(&place.url());
        Self { database, password }
    }

    async fn create(self) -> Self {
        assert!(store::create_if_missing(&self.database, self.password.as_deref()).await.unwrap());
        self
    }

    async fn open(&self, role: Role) -> Result<SqlStore, StoreError> {
        store::open(&self.database, self.password.as_deref(), role).await
    }

    fn place(&self) -> Place<'_> {
        Place { database: &self.database, password: self.password.as_deref() }
    }

    fn path(&self) -> &Path {
        match &self.database {
            Database::Sqlite(path) => path,
            Database::Postgres(server) => panic!("{server} is no file"),
        }
    }

    /// A connection of nobody's.
    async fn raw(&self) -> SqliteConnection {
        SqliteConnectOptions::new().filename(self.path()).connect().await.unwrap()
    }
}

/// Looks on, and may do something after each step.
struct Onlooker<F> {
    now: Timestamp,
    act: F,
}

impl<F: FnMut(&Step) -> ControlFlow<()> + Send> Watch for Onlooker<F> {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn went_on(&mut self, step: &Step) -> ControlFlow<()> {
        (self.act)(step)
    }
}

async fn run(from: &Spot, to: &Spot) -> Result<Moved, StoreError> {
    let mut onlooker = Onlooker { now: after(100), act: |_: &Step| ControlFlow::Continue(()) };
    transfer(from.place(), to.place(), 5, &mut onlooker).await
}

/// Breaks off after so many steps.
async fn run_for(from: &Spot, to: &Spot, mut steps: i32) -> Moved {
    let act = |_: &Step| {
        steps -= 1;
        if steps == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    transfer(from.place(), to.place(), 5, &mut Onlooker { now: after(100), act }).await.unwrap()
}

fn is_equal(moved: &Moved) -> bool {
    moved.tables.len() == TABLES.len() && moved.tables.iter().all(|table| table.source == table.target)
}

fn mail(shop_name: &str, message: &[u8], received_at: Timestamp) -> NewCopy {
    NewCopy {
        shop: shop(shop_name),
        mail_from: "b\u{e5}t\u{1f6a2}@shop.example".to_owned(),
        rcpt_to: format!("{shop_name}+secret@afs.example"),
        handed: Handed {
            client: Some("2001:db8::7".parse().unwrap()),
            hello: "mx.\"shop\"\\.example".to_owned(),
            tls: true,
            ..Handed::default()
        },
        answers: None,
        message: Arc::from(message),
        received_at,
    }
}

fn order(kind: EventKind, reference: &str, email: &str) -> Reading {
    Reading {
        event: Some(kind),
        customer_email: Some(EmailAddress::parse(email).unwrap()),
        customer_name: PersonName::parse("\u{5b89}\u{5a1c} \u{d6}rn\"Ek\\"),
        reference: OrderReference::parse(reference),
        reason: None,
        ..Reading::without_findings(Outcome::Event, "")
    }
}

async fn file(store: &dyn Store, shop_name: &str, reading: Reading, now: Timestamp) -> Vec<InvitationId> {
    file_as(store, shop_name, reading, Credence::default(), now).await
}

async fn file_as(
    store: &dyn Store,
    shop_name: &str,
    reading: Reading,
    credence: Credence,
    now: Timestamp,
) -> Vec<InvitationId> {
    let copy = store.spool(vec![mail(shop_name, b"Subject: x\r\n\r\n\xff\x00\r\n", now)]).await.unwrap()[0];
    let news = reading.event.map(|kind| OrderNews::new(kind, now));
    let filing = FiledReading { copy, shop: shop(shop_name), reading, news, credence };
    let filed = store.file_readings(Arc::new([filing]), policies(), now).await.unwrap();
    filed[0].moved.iter().map(|(id, _)| *id).collect()
}

async fn tell(store: &dyn Store, shop_name: &str, kind: EventKind, reference: &str, now: Timestamp) -> InvitationId {
    file(store, shop_name, order(kind, reference, &format!("{reference}@example.com")), now).await[0]
}

/// Claims the letter that was queued last and ends it so.
async fn send(store: &dyn Store, attempt: Option<Attempt>, policies: fn() -> Arc<Policies>) {
    let relay = Some(RelayShare::new("default", 100));
    let ask = ClaimAsk { owner: "one".to_owned(), relay, shops: vec![shop("nord")], limit: 1 };
    let letter = store.claim_due(ask, policies(), after(7)).await.unwrap().letters.remove(0);
    let Some(attempt) = attempt else { return };
    assert!(store.mark_on_the_wire(&letter.claim, "<1@x.example>", after(7)).await.unwrap());
    store.settle(&letter.claim, attempt, "250 2.0.0 \u{f6}k", policies(), after(7)).await.unwrap();
}

/// Every state, every kind of row, and what engines like to disagree about.
async fn fill(store: &dyn Store) {
    let retry_at = after(8);
    for (reference, attempt) in [
        ("sending", None),
        ("sent", Some(Attempt::Accepted)),
        ("deferred", Some(Attempt::Deferred { retry_at })),
        ("failed", Some(Attempt::Refused)),
        ("in-doubt", Some(Attempt::AnswerLost { retry_at })),
        ("held", Some(Attempt::Unsendable)),
    ] {
        tell(store, "nord", EventKind::Placed, reference, T0).await;
        send(store, attempt, policies).await;
    }
    tell(store, "nord", EventKind::Placed, "done", T0).await;
    send(store, Some(Attempt::Accepted), without_reminder).await;
    let cancelled = tell(store, "nord", EventKind::Placed, "cancelled", T0).await;
    let support = Actor { name: "support".to_owned(), reason: Some("\u{2764}\u{fe0f}\u{202e}".to_owned()) };
    by_hand::order(store, cancelled, DeskOrder::Cancel, &support, &policies(), T0).await.unwrap();
    tell(store, "slow", EventKind::Placed, "waiting", T0).await;
    tell(store, "nord", EventKind::Placed, "queued", after(1)).await;
    // Too late: ends without a letter.
    tell(store, "nord", EventKind::Placed, "dropped", Timestamp(T0.0 - 90 * 86_400_000)).await;
    let ask = ClaimAsk { owner: "one".to_owned(), relay: None, shops: vec![shop("nord")], limit: 1 };
    store.claim_due(ask, policies(), T0).await.unwrap();

    let product = |n: usize| Product {
        name: format!("\u{1f4e6} {n} {}", "\u{e9}".repeat(300)),
        price: Some("1\u{a0}299,00 kr".to_owned()),
        quantity: Some(u32::MAX),
        ..Product::default()
    };
    let mut large = order(EventKind::Placed, "large", "large@example.com");
    large.products = (0..400).map(product).collect();
    file(store, "nord", large, after(1)).await;
    file(store, "nord", Reading::without_findings(Outcome::Ignored, "a newsletter"), T0).await;
    file(store, "nord", Reading::without_findings(Outcome::Held, "no order \u{201e}number\u{201c}"), T0).await;
    assert_eq!(store.purge(after(1), 3).await.unwrap(), 3);
    let sizes = [0, 1, 70_000];
    store.spool(sizes.map(|size| mail("nord", &vec![b'x'; size], after(2))).to_vec()).await.unwrap();
    store.claim_copies(1, 3, "one", after(2)).await.unwrap();
    let copy = NewCopy { answers: Some(LetterId(2)), ..mail("nord", b"I am away", after(8)) };
    let copy = store.spool(vec![copy]).await.unwrap()[0];
    let (kind, reason) = (AnswerKind::AutoReply, Some("away".to_owned()));
    let answer = FiledAnswer { copy, shop: shop("nord"), letter: LetterId(2), kind, status: None, reason };
    assert!(store.file_answers(Arc::new([answer]), policies(), after(8)).await.unwrap()[0].is_done);
    let unknown = Credence { mark: Some("shop.example 192.0.2.0/24".to_owned()), ..Credence::default() };
    let moved = file_as(store, "slow", order(EventKind::Placed, "unknown", "unknown@example.com"), unknown, T0).await;
    assert_eq!(moved, [], "its sender is unknown");
    let note = "9 of 10".to_owned();
    store.raise_alarm(&Alarm { shop: shop("nord"), kind: AlarmKind::Held, since: T0, note }).await.unwrap();
    file(store, "slow", Reading::without_findings(Outcome::Held, "x"), T0).await;
    let newest = store.held_copies(&HeldFilter::default(), None, 1).await.unwrap()[0].id;
    store.discard(vec![newest], &support, after(1)).await.unwrap();

    let counts = store.counts().await.unwrap();
    assert_eq!(counts.invitations.keys().copied().collect::<BTreeSet<_>>(), BTreeSet::from_iter(State::ALL));
    assert_eq!((counts.unread, counts.held_copies), (3, 2));
}

/// What customers write, put off, and ask for.
async fn have_their_say(store: &dyn Store) {
    let later = tell(store, "nord", EventKind::Placed, "put-off", after(1)).await;
    store.customer_news(later, CustomerNews::AskLater, policies(), after(2)).await.unwrap().unwrap();
    let revoked = tell(store, "nord", EventKind::Placed, "revoked", after(1)).await;
    let support = Actor { name: "support".to_owned(), reason: None };
    assert_eq!(store.revoke_links(revoked, &support, after(2)).await.unwrap(), Some(1));
    let author = EmailAddress::parse("author@example.com").unwrap();
    let review = |stars: &str, text: &str| NewReviews {
        shop: shop("nord"),
        order: Some((OrderReference::parse("by-link").unwrap(), author.key())),
        claimed: None,
        invitation: None,
        changes: None,
        collected: Collected::Link,
        drafts: vec![(ReviewKind::Service, None, Draft::parse(stars, "\u{2764}", text, "\u{e5}sa").unwrap())],
        language: "sv".to_owned(),
    };
    for (stars, text) in [("2", "L\u{e5}ngsam\nmen vacker"), ("5", "\u{1f4e6} kom fram")] {
        store.write_reviews(review(stars, text), policies(), after(3)).await.unwrap();
    }
    let entry = SuppressionEntry {
        key: ListKey::of(&author.key()),
        shop: None,
        reason: ListReason::Unsubscribed,
        note: None,
        actor: "customer".to_owned(),
        at: after(4),
    };
    let entry = NewEntry { entry, twin: None, person: None };
    store.ask_erasure(&shop("nord"), &author, entry, None, policies(), after(4)).await.unwrap();
}

/// All that can be seen of a queue.
#[derive(Debug, PartialEq)]
struct Seen {
    stories: Vec<Story>,
    copies: Vec<(StoredCopy, Option<Vec<u8>>)>,
    held: Vec<StoredCopy>,
    next_due: Vec<(ShopId, Timestamp)>,
    counts: Counts,
    watched: WatchFigures,
    figures: Vec<Figure>,
    pauses: Vec<Pause>,
    suppressions: Vec<StoredEntry>,
    reviews: Vec<(Review, Vec<ReviewEdit>)>,
    erasures: Vec<ErasureRequest>,
}

async fn look(spot: &Spot) -> Seen {
    let store = spot.open(Role::Desk).await.unwrap();
    let invitations = store.list(&Filter::default(), None, 10_000).await.unwrap().invitations;
    let mut stories = Vec::new();
    for invitation in invitations.iter().take(40) {
        for subject in [
            Subject::Invitation(invitation.id),
            Subject::Email(invitation.customer.email.key()),
            Subject::Reference(invitation.reference.clone()),
        ] {
            stories.push(store.story(&subject).await.unwrap());
        }
    }
    stories.push(Story { invitations, ..Story::default() });
    let mut copies = Vec::new();
    while let Some(copy) = store.copy(CopyId(copies.len() as i64 + 1)).await.unwrap() {
        copies.push(copy);
    }
    let mut next_due = store.next_due().await.unwrap();
    next_due.sort();
    let held = store.held_copies(&HeldFilter::default(), None, 1000).await.unwrap();
    let counts = store.counts().await.unwrap();
    let watched = store.watch_figures().await.unwrap();
    let mut figures = store.figures(0, None).await.unwrap();
    figures.sort_by(|a, b| (a.day, &a.name, &a.shop).cmp(&(b.day, &b.name, &b.shop)));
    let pauses = store.pauses().await.unwrap();
    let suppressions = store.suppressions(&ListFilter::default(), None, 99).await.unwrap();
    let mut reviews = Vec::new();
    for review in store.list_reviews(&ReviewFilter::default(), None, 99).await.unwrap() {
        let history = store.review_history(review.id).await.unwrap();
        reviews.push((review, history));
    }
    let erasures = store.erasure_requests().await.unwrap();
    store.close().await;
    Seen { stories, copies, held, next_due, counts, watched, figures, pauses, suppressions, reviews, erasures }
}

async fn filled(spot: Spot) -> Spot {
    let spot = spot.create().await;
    let store = spot.open(Role::Daemon).await.unwrap();
    fill(&store).await;
    have_their_say(&store).await;
    let reason = "\u{201e}stop\u{201c}".to_owned();
    let support = Actor { name: "support".to_owned(), reason: Some(reason.clone()) };
    assert!(store.pause(Some(&shop("slow")), &support, T0).await.unwrap());
    let key = ListKey::parse("gone.example").unwrap();
    let entry = SuppressionEntry {
        key,
        shop: Some(shop("nord")),
        reason: ListReason::ByHand,
        note: Some(reason),
        actor: support.name,
        at: T0,
    };
    let entries = Arc::new([NewEntry { entry, twin: None, person: None }]);
    store.suppress(entries, policies(), T0).await.unwrap();
    let past = PastCopy { copy: mail("nord", b"a past mail", T0), marks: vec!["bytes:0123".to_owned()] };
    assert!(store.take_past(vec![past]).await.unwrap()[0].is_some());
    store.close().await;
    spot
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_goes_to_a_server_and_back_and_nothing_of_it_changes() {
    let Some(server) = server() else { return };
    let (folder, base) = (tempfile::tempdir().unwrap(), server.database());
    let (first, middle, last) =
        (filled(Spot::file(&folder, "first.db")).await, Spot::server(&base), Spot::file(&folder, "last.db"));
    let bytes = std::fs::read(first.path()).unwrap();

    let there = run(&first, &middle).await.unwrap();
    assert_eq!((there.ending, there.passes), (Ending::Finished, 1));
    assert!(is_equal(&there) && there.tables.iter().all(|table| table.written == table.source.rows), "{there:?}");
    assert!(there.tables.iter().all(|table| table.source.rows > 0 && table.removed == 0), "{there:?}");
    assert_eq!(std::fs::read(first.path()).unwrap(), bytes, "the source is as it was, byte by byte");
    assert!(!folder.path().join("first.db-wal").exists());
    let seen = look(&middle).await;
    assert_eq!(seen.copies.iter().filter(|(_, message)| message.is_none()).count(), 3, "purged mails stay purged");
    assert!(seen.copies.iter().any(|(copy, _)| copy.state == CopyState::Unread));
    assert_eq!(seen, look(&first).await);

    let back = run(&middle, &last).await.unwrap();
    assert_eq!((back.ending, back.passes), (Ending::Finished, 1));
    let contents = |moved: &Moved| moved.tables.iter().map(|table| table.target.clone()).collect::<Vec<_>>();
    assert_eq!(contents(&there), contents(&back), "the checksums know no engine");
    assert_eq!(look(&last).await, seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_the_whole_queue_moves_with_it() {
    let Some(server) = server() else { return };
    let (folder, base) = (tempfile::tempdir().unwrap(), server.database());
    let (first, middle, last) =
        (filled(Spot::file(&folder, "first.db")).await, Spot::server(&base), Spot::file(&folder, "last.db"));
    let gap = Gap { since: T0, until: after(1), on_time: false };
    let store = first.open(Role::Daemon).await.unwrap();
    let actor = Actor { name: "support".to_owned(), reason: None };
    store.hold_restored(gap, &actor, policies()).await.unwrap();
    store.close().await;
    let unknown = "INSERT INTO property (name, value) VALUES ('senders_unknown', 'yes')";
    sqlx::query(unknown).execute(&mut first.raw().await).await.unwrap();
    for (from, to) in [(&first, &middle), (&middle, &last)] {
        assert_eq!(run(from, to).await.unwrap().ending, Ending::Finished);
        let store = to.open(Role::Desk).await.unwrap();
        assert_eq!(store.gap(), Some(gap), "what mails tell later of that time is held there too");
        store.close().await;
    }
    let names = "SELECT group_concat(name, ' ') FROM (SELECT name FROM property ORDER BY name)";
    let names: String = sqlx::query_scalar(names).fetch_one(&mut last.raw().await).await.unwrap();
    assert_eq!(names, "compatible_from restored senders_unknown", "and nothing that is said of one database");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_engines_have_the_same_columns() {
    let Some(server) = server() else { return };
    let (folder, base) = (tempfile::tempdir().unwrap(), server.database());
    let file = Spot::file(&folder, "a.db").create().await;
    Spot::server(&base).create().await;
    let mut server = PgConnection::connect(&base.url()).await.unwrap();
    let mut file = file.raw().await;
    for table in TABLES {
        let here = AssertSqlSafe(format!("SELECT name FROM pragma_table_info('{table}')"));
        let there = AssertSqlSafe(format!(
            "SELECT CAST(column_name AS TEXT) FROM information_schema.columns WHERE table_name = '{table}'"
        ));
        let here = sqlx::query(here).fetch_all(&mut file).await.unwrap();
        let there = sqlx::query(there).fetch_all(&mut server).await.unwrap();
        let here = here.iter().map(|row| row.get(0)).collect::<BTreeSet<String>>();
        assert_eq!(here, there.iter().map(|row| row.get(0)).collect(), "{table}");
    }
}

/// More than one range in every table.
async fn fill_much(store: &dyn Store) {
    let copies = (0..2300).map(|n| mail("nord", format!("mail {n}").as_bytes(), after(n % 3))).collect();
    let copies = store.spool(copies).await.unwrap();
    for (n, chunk) in copies.chunks(100).enumerate() {
        let filing = |(at, copy): (usize, &CopyId)| {
            let reading = order(EventKind::Placed, &format!("M-{n}-{at}"), &format!("m{n}.{at}@example.com"));
            let news = Some(OrderNews::new(EventKind::Placed, T0));
            FiledReading { copy: *copy, shop: shop("nord"), reading, news, credence: Credence::default() }
        };
        let readings = chunk.iter().enumerate().map(filing).collect();
        store.file_readings(readings, policies(), T0).await.unwrap();
    }
    // Three bodies that cannot be packed and do not fit together.
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    let large = (0..3).map(|_| mail("nord", &(0..2_300_000).map(|_| noise()).collect::<Vec<_>>(), T0)).collect();
    store.spool(large).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_is_broken_off_anywhere_goes_on_from_there_and_nobody_opens_what_is_half_moved() {
    let Some(server) = server() else { return };
    let (folder, base) = (tempfile::tempdir().unwrap(), server.database());
    let file = Spot::file(&folder, "first.db").create().await;
    let store = file.open(Role::Daemon).await.unwrap();
    fill_much(&store).await;
    store.close().await;
    let (middle, last) = (Spot::server(&base), Spot::file(&folder, "last.db"));
    for (from, to) in [(&file, &middle), (&middle, &last)] {
        let mut breaks = -2;
        loop {
            breaks += 3;
            let moved = run_for(from, to, breaks).await;
            if moved.ending == Ending::Finished {
                break;
            }
            assert_eq!(moved.ending, Ending::Stopped);
            for role in [Role::Daemon, Role::Desk] {
                let refused = to.open(role).await.unwrap_err().to_string();
                assert!(
                    refused.contains("has not come to its end") && refused.contains("drop this database"),
                    "{refused}"
                );
            }
            // Nor does it become the source of another move.
            let other = Spot::file(&folder, "other.db");
            assert!(run(to, &other).await.unwrap_err().to_string().contains("has not come to its end"));
            assert!(!other.path().exists());
        }
        // Three ranges of copies, three and more of bodies, three of invitations, one empty, three of decisions.
        assert!(breaks > 12, "only {breaks} ranges");
        let store = to.open(Role::Desk).await.unwrap();
        assert_eq!(store.counts().await.unwrap().invitations[&State::Queued], 2300);
        store.close().await;
    }
    assert_eq!(look(&file).await, look(&last).await);
}

/// Does something in the middle of a step.
fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(future))
}

/// What a daemon does in a while: mails come in, letters go out, old mails are purged.
async fn work(store: &SqlStore, round: u32) {
    tell(store, "nord", EventKind::Placed, &format!("new-{round}"), T0).await;
    send(store, Some(Attempt::Accepted), policies).await;
    tell(store, "nord", EventKind::Cancelled, "queued", after(2)).await;
    assert!(store.purge(after(10), 2).await.unwrap() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_goes_on_while_its_queue_moves_and_must_only_stop_for_the_end() {
    let Some(server) = server() else { return };
    let (folder, base) = (tempfile::tempdir().unwrap(), server.database());
    let file = filled(Spot::file(&folder, "first.db")).await;
    let (middle, last) = (Spot::server(&base), Spot::file(&folder, "last.db"));
    for (from, to) in [(&file, &middle), (&middle, &last)] {
        let store = from.open(Role::Daemon).await.unwrap();
        store.beat("one", after(101), after(100)).await.unwrap();
        // Children come whose parents have not moved, and something is left for the third pass.
        let mut rounds = if to.database == last.database { 10 } else { 0 };
        let act = |step: &Step| {
            if [(1, "copy"), (1, "invitation"), (2, "decision")].contains(&(step.pass, step.table)) {
                rounds += 1;
                block(work(&store, rounds));
            }
            ControlFlow::Continue(())
        };
        let online = transfer(from.place(), to.place(), 9, &mut Onlooker { now: after(100), act }).await.unwrap();
        assert_eq!((online.ending, online.passes), (Ending::InUse, 4), "it ends when there is nothing left to do");
        assert!(
            is_equal(&online) && online.tables.iter().all(|table| table.written + table.removed == 0),
            "{online:?}"
        );
        assert!(to.open(Role::Desk).await.is_err(), "not finished as long as the daemon lives");
        store.leave("one").await.unwrap();
        store.close().await;

        let end = run(from, to).await.unwrap();
        assert_eq!((end.ending, end.passes), (Ending::Finished, 1));
        assert!(is_equal(&end) && end.tables.iter().all(|table| table.written + table.removed == 0), "{end:?}");
        assert_eq!(look(from).await, look(to).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_over_a_queue_that_never_rests_come_to_an_end_too() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (filled(Spot::file(&folder, "a.db")).await, Spot::file(&folder, "b.db"));
    let store = from.open(Role::Daemon).await.unwrap();
    let act = |step: &Step| {
        if step.table == "decision" {
            block(tell(&store, "nord", EventKind::Placed, &format!("new-{}", step.pass), T0));
        }
        ControlFlow::Continue(())
    };
    let moved = transfer(from.place(), to.place(), 3, &mut Onlooker { now: T0, act }).await.unwrap();
    assert_eq!((moved.ending, moved.passes), (Ending::InUse, 3));
    assert!(moved.tables[0].written > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_the_desk_during_the_last_pass_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (filled(Spot::file(&folder, "a.db")).await, Spot::file(&folder, "b.db"));
    let desk = from.open(Role::Desk).await.unwrap();
    let act = |step: &Step| {
        if (step.pass, step.table) == (1, "decision") {
            let support = Actor { name: "support".to_owned(), reason: None };
            block(by_hand::order(&desk, InvitationId(1), DeskOrder::Cancel, &support, &policies(), T0)).unwrap();
        }
        ControlFlow::Continue(())
    };
    let moved = transfer(from.place(), to.place(), 5, &mut Onlooker { now: T0, act }).await.unwrap();
    assert_eq!((moved.ending, moved.passes), (Ending::Finished, 2));
    desk.close().await;
    assert_eq!(look(&from).await, look(&to).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_into_a_server_during_the_pass_that_ends_its_move() {
    let Some(server) = server() else { return };
    let (folder, base) = (tempfile::tempdir().unwrap(), server.database());
    let (from, to) = (filled(Spot::server(&base)).await, Spot::file(&folder, "b.db"));
    let mut other = PgConnection::connect(&base.url()).await.unwrap();
    let mut refused = 0_usize;
    let act = |_: &Step| {
        let error = block(async {
            sqlx::raw_sql("SET lock_timeout = '20ms'").execute(&mut other).await.unwrap();
            let beat = sqlx::raw_sql("INSERT INTO daemon VALUES ('new', 1, 9000000000000000)");
            beat.execute(&mut other).await.unwrap_err()
        });
        assert_eq!(error.as_database_error().unwrap().code().unwrap(), "55P03");
        refused += 1;
        ControlFlow::Continue(())
    };
    let moved = transfer(from.place(), to.place(), 1, &mut Onlooker { now: T0, act }).await.unwrap();
    assert_eq!((moved.ending, refused), (Ending::Finished, TABLES.len()));
    sqlx::raw_sql("INSERT INTO daemon VALUES ('new', 1, 1)").execute(&mut other).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_holds_another_queue_is_refused_and_not_touched() {
    let Some(server) = server() else { return };
    let (folder, base) = (tempfile::tempdir().unwrap(), server.database());
    let (one, other) = (filled(Spot::file(&folder, "one.db")).await, filled(Spot::server(&base)).await);
    let before = look(&other).await;
    for (from, to) in [(&one, &other), (&other, &one)] {
        let refused = run(from, to).await.unwrap_err();
        assert!(matches!(&refused, StoreError::Unusable { why, .. } if why.contains("another queue")), "{refused}");
    }
    assert_eq!(look(&other).await, before);
    let refused = run(&one, &one).await.unwrap_err().to_string();
    assert!(refused.contains("there already"), "{refused}");

    let half = Spot::file(&folder, "half.db");
    run_for(&one, &half, 1).await;
    let refused = run(&other, &half).await.unwrap_err().to_string();
    assert!(refused.contains("one.db") && refused.contains("finish that one"), "{refused}");

    let busy = Spot::file(&folder, "busy.db").create().await;
    let daemon = busy.open(Role::Daemon).await.unwrap();
    assert!(matches!(run(&one, &busy).await.unwrap_err(), StoreError::Taken { .. }));
    daemon.close().await;
    let base = server.database();
    let busy = Spot::server(&base).create().await;
    let daemon = busy.open(Role::Daemon).await.unwrap();
    daemon.beat("one", after(101), after(100)).await.unwrap();
    let refused = run(&one, &busy).await.unwrap_err().to_string();
    assert!(refused.contains("a daemon runs on it"), "{refused}");
    daemon.close().await;
    let nowhere = Spot::file(&folder, "nowhere.db");
    assert!(matches!(run(&nowhere, &half).await.unwrap_err(), StoreError::Missing(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_whose_mark_is_gone_writes_nothing_more() {
    let Some(server) = server() else { return };
    let (folder, base) = (tempfile::tempdir().unwrap(), server.database());
    let (from, to) = (filled(Spot::file(&folder, "a.db")).await, Spot::server(&base));
    let mut other = None;
    let act = |step: &Step| {
        if step.table == "copy" {
            block(async {
                let mut conn = PgConnection::connect(&base.url()).await.unwrap();
                sqlx::raw_sql("DELETE FROM property WHERE name = 'moved_from'").execute(&mut conn).await.unwrap();
                other = Some(conn);
            });
        }
        ControlFlow::Continue(())
    };
    let refused = transfer(from.place(), to.place(), 5, &mut Onlooker { now: T0, act }).await.unwrap_err();
    assert!(refused.to_string().contains("somebody else finished"), "{refused}");
    let bodies = sqlx::query("SELECT COUNT(*) FROM copy_body").fetch_one(&mut other.unwrap()).await.unwrap();
    assert_eq!(bodies.get::<i64, _>(0), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_go_on_above_all_that_were_ever_given() {
    let Some(server) = server() else { return };
    let (folder, base) = (tempfile::tempdir().unwrap(), server.database());
    let (file, middle, last) =
        (filled(Spot::file(&folder, "a.db")).await, Spot::server(&base), Spot::file(&folder, "b.db"));
    let mut conn = file.raw().await;
    for sql in ["DELETE FROM copy WHERE id >= 14", "DELETE FROM invitation WHERE id >= 11"] {
        sqlx::raw_sql("PRAGMA foreign_keys = ON").execute(&mut conn).await.unwrap();
        assert!(sqlx::raw_sql(sql).execute(&mut conn).await.unwrap().rows_affected() > 0);
    }
    let given = "SELECT MAX(CASE name WHEN 'copy' THEN seq END), MAX(CASE name WHEN 'invitation' THEN seq END) FROM sqlite_sequence";
    let (copies, invitations): (i64, i64) = sqlx::query_as(given).fetch_one(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    assert_eq!(run(&file, &middle).await.unwrap().ending, Ending::Finished);

    let store = middle.open(Role::Daemon).await.unwrap();
    assert_eq!(tell(&store, "nord", EventKind::Placed, "after", T0).await, InvitationId(invitations + 1));
    let story = store.story(&Subject::Invitation(InvitationId(invitations + 1))).await.unwrap();
    assert_eq!(story.copies[0].id, CopyId(copies + 1));
    store.close().await;
    // Numbers that were given and undone.
    let mut conn = PgConnection::connect(&base.url()).await.unwrap();
    for table in ["copy", "invitation"] {
        let sql = AssertSqlSafe(format!("SELECT nextval('{table}_id_seq') FROM generate_series(1, 7)"));
        sqlx::query(sql).fetch_all(&mut conn).await.unwrap();
    }
    assert_eq!(run(&middle, &last).await.unwrap().ending, Ending::Finished);
    let store = last.open(Role::Daemon).await.unwrap();
    assert_eq!(tell(&store, "nord", EventKind::Placed, "after-all", T0).await, InvitationId(invitations + 9));
    let story = store.story(&Subject::Invitation(InvitationId(invitations + 9))).await.unwrap();
    assert_eq!(story.copies[0].id, CopyId(copies + 9));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_queue_moves_too_and_begins_with_one() {
    let Some(server) = server() else { return };
    let (folder, base) = (tempfile::tempdir().unwrap(), server.database());
    let (from, to) = (Spot::file(&folder, "a.db").create().await, Spot::server(&base));
    let moved = run(&from, &to).await.unwrap();
    assert_eq!((moved.ending, moved.passes), (Ending::Finished, 1));
    let store = to.open(Role::Daemon).await.unwrap();
    assert_eq!(store.spool(vec![mail("nord", b"x", T0)]).await.unwrap(), [CopyId(1)]);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_cannot_move_is_named_by_its_table_and_number() {
    let Some(server) = server() else { return };
    let (folder, base) = (tempfile::tempdir().unwrap(), server.database());
    let (from, to) = (filled(Spot::file(&folder, "a.db")).await, Spot::server(&base));
    for (sql, words) in [
        ("UPDATE letter SET reply = 'a' || char(0) || 'b' WHERE id = 2", ["row 2 of table letter", "NUL"]),
        ("UPDATE invitation SET name = CAST(x'ff41' AS TEXT) WHERE id = 3", ["table invitation", "row 3"]),
    ] {
        let mut conn = from.raw().await;
        sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        let refused = run(&from, &to).await.unwrap_err().to_string();
        assert!(words.iter().all(|word| refused.contains(word)), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_is_not_this_programs_own_does_not_move() {
    let folder = tempfile::tempdir().unwrap();
    let newer = Spot::file(&folder, "newer.db").create().await;
    let mut conn = newer.raw().await;
    let sql = "INSERT INTO _sqlx_migrations SELECT version + 1, description, installed_on, success, checksum, execution_time \
               FROM _sqlx_migrations ORDER BY version DESC LIMIT 1";
    sqlx::raw_sql(sql).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    newer.open(Role::Desk).await.unwrap().close().await;
    let plain = Spot::file(&folder, "plain.db").create().await;
    for (from, to) in [(&newer, &plain), (&plain, &newer)] {
        assert!(matches!(run(from, to).await.unwrap_err(), StoreError::NewerSchema { .. }));
    }
}
