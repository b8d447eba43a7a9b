//! The shell under a clock that only moves when everybody waits: timeouts, delays, draining, scarcity.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

mod crowds;

use super::{Client, Door, attend, serve};
use crate::config::{self, Limits, Listener};
use crate::domain::{CopyId, ShopId, Timestamp};
use crate::ops::accept::{Intake, NewCopy, NotNow, Recipient};

const SHOP: &str = "shop1+0123456789abcdef@in.example.com";
const LOOPBACK: &str = "127.0.0.1";
const STRANGER: &str = "192.0.2.1";

/// An intake that takes its time over a copy.
#[derive(Default)]
struct SlowIntake {
    takes: Duration,
    kept: Mutex<Vec<NewCopy>>,
}

#[async_trait]
impl Intake for SlowIntake {
    fn recipient(&self, address: &str) -> Recipient {
        if address == SHOP { Recipient::Shop(ShopId::parse("shop1").unwrap()) } else { Recipient::Unknown }
    }

    async fn ready(&self) -> Result<(), NotNow> {
        Ok(())
    }

    fn has_logins(&self) -> bool {
        false
    }

    async fn authenticate(&self, _user: &str, _password: &[u8]) -> Result<bool, NotNow> {
        Ok(false)
    }

    async fn accept(&self, copies: Vec<NewCopy>) -> Result<Vec<CopyId>, NotNow> {
        sleep(self.takes).await;
        self.kept.lock().unwrap().extend(copies);
        Ok(vec![CopyId(7)])
    }
}

struct House {
    door: Arc<Door>,
    intake: Arc<SlowIntake>,
    stop: CancellationToken,
}

impl House {
    fn new(limits: Limits, intake: SlowIntake) -> Self {
        let config = config::Door { listeners: Vec::new(), hostname: "mail.example.com".to_owned(), tls: None, limits };
        let intake = Arc::new(intake);
        let shared: Arc<dyn Intake> = Arc::<SlowIntake>::clone(&intake);
        let door = Arc::new(Door::new(&config, None, shared, Arc::new(|| Timestamp(0))));
        Self { door, intake, stop: CancellationToken::new() }
    }

    fn plain() -> Self {
        Self::new(Limits::default(), SlowIntake::default())
    }

    /// Knocks without waiting for the greeting.
    fn knock(&self, client: &str) -> Guest {
        self.knock_at(Listener::plain(SocketAddr::from(([127, 0, 0, 1], 0))), client)
    }

    fn knock_at(&self, listener: Listener, client: &str) -> Guest {
        let (ours, theirs) = duplex(4096);
        let (door, stop, client) = (Arc::clone(&self.door), self.stop.clone(), Client::at(client.parse().unwrap()));
        let session = tokio::spawn(async move {
            if let Some(inside) = attend(&door, &listener, theirs, client, &stop).await {
                inside.attend().await;
            }
        });
        Guest { stream: ours, heard: Vec::new(), session }
    }

    async fn enter(&self) -> Guest {
        let mut client = self.knock(LOOPBACK);
        client.hear("220 ").await;
        client
    }

    async fn listen(&self) -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (address, tokio::spawn(serve(Arc::clone(&self.door), listener, self.stop.clone())))
    }

    fn kept(&self) -> usize {
        self.intake.kept.lock().unwrap().len()
    }
}

struct Guest {
    stream: DuplexStream,
    heard: Vec<u8>,
    session: JoinHandle<()>,
}

impl Guest {
    async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                return Some(String::from_utf8(self.heard.drain(..=end).collect()).unwrap());
            }
            if !matches!(self.stream.read_buf(&mut self.heard).await, Ok(1..)) {
                return None;
            }
        }
    }

    async fn hear(&mut self, begin: &str) {
        let reply = self.line().await.expect(begin);
        assert!(reply.starts_with(begin), "expected {begin:?}, got {reply:?}");
    }

    async fn say(&mut self, line: &str, begin: &str) {
        self.send(&format!("{line}\r\n")).await;
        self.hear(begin).await;
    }

    /// From HELO to 354.
    async fn open_message(&mut self) {
        self.say("HELO client.example", "250 ").await;
        self.say("MAIL FROM:<orders@shop.example>", "250 ").await;
        self.say(&format!("RCPT TO:<{SHOP}>"), "250 ").await;
        self.say("DATA", "354 ").await;
    }

    /// Sends an octet at a time, with pauses, until a reply comes; how long that took.
    async fn trickle(&mut self, octet: u8, pause: Duration) -> Duration {
        let start = Instant::now();
        loop {
            tokio::select! {
                biased;
                read = self.stream.read_buf(&mut self.heard) => {
                    assert!(matches!(read, Ok(1..)), "closed without a word");
                    return start.elapsed();
                }
                () = sleep(pause) => self.stream.write_all(&[octet]).await.unwrap(),
            }
        }
    }

    /// Hears this last reply and sees the session end.
    async fn dismissed(mut self, begin: &str) {
        self.hear(begin).await;
        assert_eq!(self.line().await, None);
        drop(self.stream);
        self.session.await.unwrap();
    }
}

fn close_to(measured: Duration, expected: Duration) {
    assert!(measured >= expected && measured < expected + Duration::from_secs(6), "{measured:?}, not {expected:?}");
}

#[tokio::test(start_paused = true)]
async fn a_command_has_its_time_however_it_trickles_in() {
    let limits = Limits::default();
    for pause in [Duration::from_secs(5), Duration::from_secs(10_000)] {
        let mut client = House::plain().enter().await;
        close_to(client.trickle(b'x', pause).await, limits.command_timeout);
        client.dismissed("421 4.4.2").await;
    }
    let mut client = House::plain().enter().await;
    for _ in 0..3 {
        sleep(limits.command_timeout - Duration::from_secs(1)).await;
        client.say("NOOP", "250 ").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_may_pause_but_not_trickle() {
    let limits = Limits::default();
    for pause in [Duration::from_secs(5), Duration::from_secs(10_000)] {
        let house = House::plain();
        let mut client = house.enter().await;
        client.open_message().await;
        close_to(client.trickle(b'x', pause).await, limits.data_timeout);
        client.dismissed("421 4.4.2").await;
        assert_eq!(house.kept(), 0);
    }
    let house = House::plain();
    let mut client = house.enter().await;
    client.open_message().await;
    sleep(limits.data_timeout - Duration::from_secs(1)).await;
    // Faster than the slowest rate, so that the whole may take longer than one pause.
    for _ in 0..10 {
        client.send(&"0123456789abcdef\r\n".repeat(200)).await;
        sleep(Duration::from_secs(7)).await;
    }
    client.say(".", "250 2.0.0").await;
    assert_eq!(house.kept(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_ends_even_if_it_is_busy() {
    let limits = Limits { idle_commands: 1_000_000, ..Limits::default() };
    let house = House::new(limits.clone(), SlowIntake::default());
    let mut client = house.enter().await;
    let start = Instant::now();
    loop {
        tokio::select! {
            () = sleep(Duration::from_secs(100)) => client.say("NOOP", "250 ").await,
            reply = client.line() => {
                assert!(reply.expect("a last word").starts_with("421 4.4.2"));
                break;
            }
        }
    }
    close_to(start.elapsed(), limits.session_timeout);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_take_the_replies_is_dropped() {
    let house = House::plain();
    let client = house.knock(LOOPBACK);
    let (mut reading, mut writing) = tokio::io::split(client.stream);
    let writer = tokio::spawn(async move { while writing.write_all(&b"HELP\r\n".repeat(100)).await.is_ok() {} });
    client.session.await.unwrap();
    writer.await.unwrap();
    let mut rest = Vec::new();
    reading.read_to_end(&mut rest).await.unwrap();
    assert!(rest.starts_with(b"220 "));
}

#[tokio::test(start_paused = true)]
async fn who_speaks_before_the_greeting_is_not_greeted() {
    let house = House::plain();
    let mut client = house.knock(STRANGER);
    client.send("EHLO client.example\r\n").await;
    client.dismissed("554 5.5.0").await;

    let start = Instant::now();
    let mut client = house.knock(STRANGER);
    client.hear("220 ").await;
    assert!(start.elapsed() >= Duration::from_millis(200));
    client.say("HELO client.example", "250 ").await;

    let start = Instant::now();
    house.knock(LOOPBACK).hear("220 ").await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn errors_are_slow_from_the_third_on() {
    let mut client = House::plain().enter().await;
    for (error, seconds) in [(1, 0), (2, 0), (3, 1), (4, 1)] {
        let start = Instant::now();
        client.say("XYZZY", "500 ").await;
        assert_eq!(start.elapsed().as_secs(), seconds, "error {error}");
    }
    let start = Instant::now();
    client.say("NOOP", "250 ").await;
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_is_being_stored_is_neither_dropped_nor_denied() {
    let hours = Duration::from_secs(7200);
    let house = House::new(Limits::default(), SlowIntake { takes: hours, ..SlowIntake::default() });
    let mut client = house.enter().await;
    client.open_message().await;
    let start = Instant::now();
    client.say("Subject: a\r\n\r\n.", "250 2.0.0 kept as copy 7").await;
    assert!(start.elapsed() >= hours);
    client.dismissed("421 4.4.2").await;

    // The client hangs up at once, or the service stops: what was begun is finished.
    let mut client = house.enter().await;
    client.open_message().await;
    client.send("Subject: a\r\n\r\n.\r\n").await;
    drop(client.stream);
    client.session.await.unwrap();
    let mut client = house.enter().await;
    client.open_message().await;
    client.send("Subject: a\r\n\r\n.\r\n").await;
    sleep(Duration::from_secs(1)).await;
    house.stop.cancel();
    client.hear("250 2.0.0").await;
    client.dismissed("421 4.3.2").await;
    assert_eq!(house.kept(), 3);
}

#[tokio::test(start_paused = true)]
async fn stopping_waits_for_messages_and_for_nothing_else() {
    let house = House::plain();
    let (waiting, mut between, mut within, mut finishing) =
        (house.enter().await, house.enter().await, house.enter().await, house.enter().await);
    between.say("HELO client.example", "250 ").await;
    between.say("MAIL FROM:<>", "250 ").await;
    between.send("RCPT ").await;
    within.open_message().await;
    within.send("Subject: a\r\n").await;
    finishing.open_message().await;
    let start = Instant::now();
    house.stop.cancel();
    waiting.dismissed("421 4.3.2").await;
    between.dismissed("421 4.3.2").await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    sleep(Duration::from_secs(20)).await;
    finishing.send("Subject: b\r\n\r\n.\r\nMAIL FROM:<>\r\n").await;
    finishing.hear("250 2.0.0").await;
    // What was pipelined behind the dot was read before the door knew that it would be the last.
    finishing.hear("250 2.1.0").await;
    finishing.dismissed("421 4.3.2").await;
    within.hear("421 4.3.2").await;
    close_to(start.elapsed(), Duration::from_secs(30));
    assert_eq!(house.kept(), 1);
    let mut late = house.knock(LOOPBACK);
    late.hear("220 ").await;
    late.dismissed("421 4.3.2").await;
}

#[tokio::test(start_paused = true)]
async fn the_door_is_impatient_while_places_are_scarce() {
    let house = House::new(Limits { sessions: 10, ..Limits::default() }, SlowIntake::default());
    let places = house.door.places();
    let slots =
        (1..=9).map(|host| house.door.slots().take(IpAddr::from([192, 0, 2, host]), places)).collect::<Vec<_>>();
    assert!(slots.iter().all(Option::is_some));
    let mut slow = house.enter().await;
    close_to(slow.trickle(b'x', Duration::from_secs(3)).await, Duration::from_secs(10));
    slow.dismissed("421 4.4.2").await;
    let mut silent = house.enter().await;
    silent.open_message().await;
    close_to(silent.trickle(b'x', Duration::from_secs(1000)).await, Duration::from_secs(10));
    silent.dismissed("421 4.4.2").await;

    let mut busy = house.enter().await;
    for _ in 0..5 {
        sleep(Duration::from_secs(9)).await;
        busy.say("NOOP", "250 ").await;
    }
    drop(slots);
    sleep(Duration::from_secs(100)).await;
    busy.say("NOOP", "250 ").await;
}

async fn greeting(address: SocketAddr) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut begin = [0; 9];
    stream.read_exact(&mut begin).await.unwrap();
    (stream, String::from_utf8(begin.to_vec()).unwrap())
}

#[tokio::test]
async fn one_client_has_its_share_of_the_places_and_limits_can_be_changed() {
    let house = House::new(Limits { sessions_per_client: 2, ..Limits::default() }, SlowIntake::default());
    let (address, running) = house.listen().await;
    let (_first, welcome) = greeting(address).await;
    assert_eq!(welcome, "220 mail.");
    let (_second, welcome) = greeting(address).await;
    assert_eq!(welcome, "220 mail.");
    let (mut third, refusal) = greeting(address).await;
    assert_eq!(refusal, "421 4.7.0");
    third.read_to_end(&mut Vec::new()).await.unwrap();

    house.door.set_limits(Limits { sessions: 3, sessions_per_client: 9, ..Limits::default() });
    let (_fourth, welcome) = greeting(address).await;
    assert_eq!(welcome, "220 mail.");
    let (_fifth, refusal) = greeting(address).await;
    assert_eq!(refusal, "421 4.7.0");
    house.stop.cancel();
    drop((_first, _second, _fourth));
    running.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_panic_ends_one_session_and_frees_its_place() {
    struct Panicking;
    #[async_trait]
    impl Intake for Panicking {
        fn recipient(&self, _address: &str) -> Recipient {
            panic!("a fault in the house");
        }
        async fn ready(&self) -> Result<(), NotNow> {
            Ok(())
        }
        fn has_logins(&self) -> bool {
            false
        }
        async fn authenticate(&self, _user: &str, _password: &[u8]) -> Result<bool, NotNow> {
            Ok(false)
        }
        async fn accept(&self, _copies: Vec<NewCopy>) -> Result<Vec<CopyId>, NotNow> {
            Err(NotNow::Unavailable)
        }
    }
    let mut house = House::new(Limits { sessions_per_client: 1, ..Limits::default() }, SlowIntake::default());
    let limits = Limits { sessions_per_client: 1, ..Limits::default() };
    let config = config::Door { listeners: Vec::new(), hostname: "mail.example.com".to_owned(), tls: None, limits };
    house.door = Arc::new(Door::new(&config, None, Arc::new(Panicking), Arc::new(|| Timestamp(0))));
    let (address, running) = house.listen().await;
    for _ in 0..3 {
        let (mut stream, _) = greeting(address).await;
        stream.write_all(b"HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@example.com>\r\n").await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
        // The place is free once the task has been unwound, a moment after the socket is closed.
        while !house.door.slots().is_empty() {
            tokio::task::yield_now().await;
        }
    }
    house.stop.cancel();
    running.await.unwrap();
}
