//! What a letter's outcome is when its relay misbehaves, step by step; that no letter is lost, doubled or mistaken for another;
//! and that nothing is said to a relay that is not protected as configured.

#![cfg(feature = "daemon")]
#![expect(clippy::unwrap_used, reason = "what fails here fails a test")]

#[path = "relay_faults/connections.rs"]
mod connections;
#[path = "relay_faults/pipelining.rs"]
mod pipelining;
#[path = "kit/relay.rs"]
mod relay;
#[path = "relay_faults/slots.rs"]
mod slots;
#[path = "relay_faults/tls.rs"]
mod tls;

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use invited::config::{self, Login, RelayTimeouts, Secret, Tls};
use invited::domain::EmailAddress;
use invited::send::{Outcome, Phase, Relay, RelayError};
use relay::{Act, At, Kit, Moment, Pace, TestRelay};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

const LETTER: &[u8] = b"Subject: How was it?\r\n\r\nTell us.\r\n";

fn settings(port: u16) -> config::Relay {
    config::Relay {
        connections: 4,
        timeouts: RelayTimeouts {
            connect: Duration::from_secs(30),
            command: Duration::from_secs(60),
            data: Duration::from_secs(180),
            dot: Duration::from_secs(600),
        },
        ..config::Relay::plain("main", "127.0.0.1", port, "feedback.example.com")
    }
}

fn to(relay: &TestRelay) -> Relay {
    Relay::new(&settings(relay.address.port()), None).unwrap()
}

fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

async fn send(relay: &Relay, rcpt: &str, letter: &[u8]) -> Outcome<()> {
    send_if(relay, rcpt, letter, async || Ok(())).await
}

async fn send_if<F, Fut, E>(relay: &Relay, rcpt: &str, letter: &[u8], before_dot: F) -> Outcome<E>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<(), E>>,
{
    let Some(slot) = relay.reserve().await else { panic!("the relay is open") };
    slot.send(Some(&address("b+1@shop.example.com")), &address(rcpt), letter, before_dot).await
}

/// Relays with and without PIPELINING; to a group those with it answer in each way that replies can come.
fn kits() -> [Kit; 4] {
    let pipelining = |pace| Kit { offers: vec!["PIPELINING"], pace, ..Kit::default() };
    [Kit::default(), pipelining(Pace::Each), pipelining(Pace::Gathered), pipelining(Pace::Trickled)]
}

/// Does `act` the first time the relay comes to `at`, and answers well before and after.
fn once(at: At, act: Act) -> impl Fn(&Moment) -> Act + Send + Sync + 'static {
    let spent = AtomicBool::new(false);
    move |moment| {
        if moment.at == at && !spent.swap(true, Ordering::SeqCst) { act.clone() } else { Act::Ok }
    }
}

/// One letter for an outcome, as in [`TABLE`], and the phase it names.
fn mark<E>(outcome: &Outcome<E>) -> (char, Option<Phase>) {
    match outcome {
        Outcome::Accepted { .. } => ('+', None),
        Outcome::TryLater { phase, .. } => ('T', Some(*phase)),
        Outcome::Refused { phase, .. } => ('R', Some(*phase)),
        Outcome::Unavailable(trouble) if trouble.alarm => ('A', Some(trouble.phase)),
        Outcome::Unavailable(trouble) => ('U', Some(trouble.phase)),
        Outcome::InDoubt { .. } => ('D', Some(Phase::Dot)),
        Outcome::NotRecorded(_) => ('N', None),
    }
}

/// T: try later, R: refused, U: the relay is unavailable, A: and a person must look, D: in doubt.
const TABLE: &str = "
            421 450 451 452 503 535 550 552 554 garbage silence close half
 greeting   U   U   U   U   A   A   A   A   A   U       U       U     U
 ehlo       U   U   U   U   A   A   A   A   A   U       U       U     U
 mail       U   U   U   U   A   A   A   A   A   U       U       U     U
 rcpt       U   T   T   T   A   A   R   R   R   U       U       U     U
 data       U   T   T   T   A   A   R   R   R   U       U       U     U
 dot        T   T   T   T   A   A   R   R   R   D       D       D     D
";

fn fault(name: &str) -> Act {
    match name {
        "421" => Act::Reply("421 4.3.2 closing down"),
        "450" => Act::Reply("450 4.2.1 mailbox busy"),
        "451" => Act::Reply("451-4.7.1 greylisted\r\n451 4.7.1 come back"),
        "452" => Act::Reply("452 4.3.1 no space"),
        "503" => Act::Reply("503 5.5.1 bad sequence"),
        "535" => Act::Reply("535 5.7.8 authentication required"),
        "550" => Act::Reply("550 5.1.1 no such user"),
        "552" => Act::Reply("552 5.2.2 mailbox full"),
        "554" => Act::Reply("554 5.6.0 no"),
        "garbage" => Act::Raw(b"HTTP/1.1 400 Bad Request\r\n"),
        "silence" => Act::Silence,
        "close" => Act::Close,
        "half" => Act::Half(b"25"),
        other => panic!("no fault {other}"),
    }
}

fn cells() -> Vec<(At, Phase, &'static str, char)> {
    let mut lines = TABLE.trim().lines();
    let faults = lines.next().unwrap().split_whitespace().collect::<Vec<_>>();
    let mut cells = Vec::new();
    for line in lines {
        let mut words = line.split_whitespace();
        let (at, phase) = match words.next().unwrap() {
            "greeting" => (At::Greeting, Phase::Greeting),
            "ehlo" => (At::Ehlo, Phase::Hello),
            "mail" => (At::Mail, Phase::Mail),
            "rcpt" => (At::Rcpt, Phase::Rcpt),
            "data" => (At::Data, Phase::Data),
            "dot" => (At::Dot, Phase::Dot),
            other => panic!("no phase {other}"),
        };
        let marks = words.map(|word| word.chars().next().unwrap()).collect::<Vec<_>>();
        assert_eq!(marks.len(), faults.len(), "{line}");
        cells.extend(faults.iter().zip(marks).map(|(fault, mark)| (at, phase, *fault, mark)));
    }
    cells
}

#[tokio::test(start_paused = true)]
async fn every_fault_at_every_step_has_the_outcome_of_the_table_and_the_next_letter_arrives_once() {
    let cells = cells();
    assert_eq!(cells.len(), 6 * 13);
    let mut observed = String::new();
    for (kit, (at, phase, name, expected)) in kits().iter().flat_map(|kit| cells.iter().map(move |cell| (kit, *cell))) {
        let cell = format!("{name} at {phase}, {:?} {:?}", kit.offers, kit.pace);
        let test = TestRelay::start_with(kit.clone(), once(at, fault(name))).await;
        let relay = to(&test);
        let asked = AtomicUsize::new(0);
        let start = Instant::now();
        let outcome = send_if(&relay, "first@example.com", LETTER, async || {
            asked.fetch_add(1, Ordering::SeqCst);
            assert_eq!(test.seen().dots, 0, "{cell}: recorded after the dot");
            Ok::<(), ()>(())
        })
        .await;
        assert_eq!(mark(&outcome), (expected, Some(phase)), "{cell}: {outcome:?}");
        if kit.offers.is_empty() {
            if name == "421" {
                observed += &format!("\n{:>10}", phase.name());
            }
            observed += &format!("{:>8}", mark(&outcome).0);
        }
        assert_eq!(asked.load(Ordering::SeqCst), usize::from(phase == Phase::Dot), "{cell}: times recorded");
        let waited = match (name, phase) {
            ("silence", Phase::Greeting | Phase::Hello) => 30,
            ("silence", Phase::Dot) => 600,
            ("silence", _) => 60,
            _ => 0,
        };
        assert_eq!(start.elapsed().as_secs(), waited, "{cell}: waited");

        assert_eq!(mark(&send(&relay, "second@example.com", b"Second\r\n").await).0, '+', "{cell}");
        let taken = test.taken();
        assert_eq!(taken.len(), 1, "{cell}");
        // Only a connection whose relay refused this one letter is used again.
        let again = matches!(expected, 'T' | 'R') && name != "421";
        assert_eq!(taken[0].connection, usize::from(!again), "{cell}: connection");
        assert_eq!(test.seen().torn, 0, "{cell}: octets of a letter");
        assert_eq!(
            (taken[0].to.as_slice(), taken[0].data.as_slice()),
            (&["second@example.com".to_owned()][..], &b"Second\r\n"[..]),
            "{cell}"
        );
    }
    let heading = TABLE.trim().lines().next().unwrap().split_whitespace().map(|fault| format!("{fault:>8}"));
    println!("{:>10}{}{observed}", "", heading.collect::<String>());
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_the_dot_counts_only_when_it_is_complete_and_an_answer() {
    for (bytes, expected) in [
        (&b"2"[..], 'D'),
        (b"250", 'D'),
        (b"250 2.0.0 Ok: queued as 1", 'D'),
        (b"250-2.0.0 Ok\r\n", 'D'),
        (b"250-2.0.0 Ok\r\n250 2.0.0", 'D'),
        (b"250-2.0.0 Ok\r\n550 no\r\n", 'D'),
        (b"354 go on\r\n", 'D'),
        (b"221 bye\r\n", 'D'),
        (b"\r\n", 'D'),
        (b"\x16\x03\x01\x02\r\n", 'D'),
        (b"250\r\n", '+'),
        (b"250 ok\n", '+'),
        (b"250-2.0.0 Ok\r\n250 2.0.0 queued\r\n", '+'),
        (b"250 angenommen f\xfcr Zustellung\r\n", '+'),
        (b"550 Postfach \xfcberf\xfcllt\r\n", 'R'),
        (b"421 later\r\n", 'T'),
    ] {
        let test = TestRelay::start(once(At::Dot, Act::Half(bytes))).await;
        let outcome = send(&to(&test), "a@example.com", LETTER).await;
        assert_eq!(mark(&outcome).0, expected, "{}", bytes.escape_ascii());
    }
    let endless = TestRelay::start(once(At::Dot, Act::Raw(&[b'2'; 100_000]))).await;
    let start = Instant::now();
    assert_eq!(mark(&send(&to(&endless), "a@example.com", LETTER).await).0, 'D', "a reply line without an end");
    assert_eq!(start.elapsed().as_secs(), 0, "it is not read to its end");
}

#[tokio::test]
async fn the_words_of_a_reply_are_kept_all_lines_of_them() {
    let test = TestRelay::start(once(At::Rcpt, Act::Reply("550-5.1.1 No such user\r\n550 5.1.1 See our page"))).await;
    let Outcome::Refused { phase, reply } = send(&to(&test), "a@example.com", LETTER).await else { panic!() };
    assert_eq!((phase, reply.code, reply.enhanced()), (Phase::Rcpt, 550, Some((5, 1, 1))));
    assert_eq!(reply.text, "5.1.1 No such user See our page");
    let test = TestRelay::start(once(At::Dot, Act::Kept(Box::new(Act::Reply("250 2.0.0 Ok: queued as 4F1"))))).await;
    let Outcome::Accepted { reply } = send(&to(&test), "a@example.com", LETTER).await else { panic!() };
    assert_eq!(reply.to_string(), "250 2.0.0 Ok: queued as 4F1");
}

#[tokio::test]
async fn a_letter_arrives_byte_for_byte() {
    let test = TestRelay::start(|_| Act::Ok).await;
    let relay = to(&test);
    let letters: [&[u8]; 5] = [
        b"Subject: a\r\n\r\n.\r\n..\r\n.a\r\n\r\n",
        b".\r\n",
        b"\r\n",
        b"Subject: b\r\n\r\nno line end",
        &b"0123456789abcde\r\n".repeat(20_000),
    ];
    for letter in letters {
        assert_eq!(mark(&send(&relay, "a@example.com", letter).await).0, '+');
    }
    for (taken, letter) in test.taken().iter().zip(letters) {
        let expected = [letter.strip_suffix(b"\r\n").unwrap_or(letter), b"\r\n"].concat();
        assert!(taken.data == expected, "{}", letter.escape_ascii());
        assert_eq!(
            (taken.from.as_str(), taken.to.as_slice()),
            ("b+1@shop.example.com", &["a@example.com".to_owned()][..])
        );
    }
    assert_eq!(test.seen().connections, 1);
    let slot = relay.reserve().await.unwrap();
    let null = slot.send(None, &address("a@example.com"), LETTER, async || Ok::<(), ()>(())).await;
    assert_eq!((mark(&null).0, test.taken()[5].from.as_str()), ('+', ""));
}

#[tokio::test]
async fn a_letter_with_a_line_end_alone_is_not_sent() {
    let test = TestRelay::start(|_| Act::Ok).await;
    let relay = to(&test);
    for letter in [&b"a\nb\r\n"[..], b"a\rb\r\n", b"a\r\r\n", b"a\n.\r\nMAIL FROM:<x@y.test>\r\n", b"a\r", b"a\r\n\n"] {
        let outcome = send(&relay, "a@example.com", letter).await;
        assert_eq!(mark(&outcome), ('R', Some(Phase::Check)), "{}", letter.escape_ascii());
    }
    assert_eq!(test.seen().connections, 0);
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_sent() {
    for kit in kits() {
        let test = TestRelay::start_with(kit.clone(), |_| Act::Ok).await;
        let relay = to(&test);
        let outcome = send_if(&relay, "a@example.com", LETTER, async || {
            assert_eq!(test.seen().lines.last().map(|(_, line)| line.as_str()), Some("DATA"));
            Err("disk full")
        })
        .await;
        assert_eq!(outcome, Outcome::NotRecorded("disk full"));
        let seen = test.until(|seen| seen.open == 0).await;
        assert_eq!((seen.dots, seen.torn), (0, 0));
        assert_eq!(mark(&send(&relay, "b@example.com", LETTER).await).0, '+');
        assert_eq!(test.taken().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn in_a_storm_of_faults_every_outcome_tells_the_truth() {
    for kit in kits() {
        let faults = ["421", "450", "550", "535", "garbage", "silence", "close", "half"];
        let test = TestRelay::start_with(kit.clone(), move |moment| {
            let dice = (moment.letter * 7_919 + moment.connection * 104_729 + moment.at as usize * 1_299_709) % 97;
            match (dice, moment.at) {
                (0, At::Dot) => Act::Kept(Box::new(Act::Close)),
                (1, At::Dot) => Act::Kept(Box::new(Act::After(Duration::from_secs(700), Box::new(Act::Ok)))),
                (2, At::Dot) => Act::Kept(Box::new(Act::Half(b"250 2.0.0 Ok\r\n421 bye\r\n"))),
                (3..=10, _) => fault(faults[dice - 3]),
                (11, _) => Act::After(Duration::from_secs(20), Box::new(Act::Ok)),
                _ => Act::Ok,
            }
        })
        .await;
        let relay = to(&test);
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..600 {
            let relay = relay.clone();
            tasks.spawn(async move {
                let rcpt = format!("c{number}@example.com");
                let letter = format!("Subject: {rcpt}\r\n\r\n{}", "x".repeat(number * 10));
                let mark = mark(&send(&relay, &rcpt, letter.as_bytes()).await).0;
                (rcpt, format!("{letter}\r\n"), mark)
            });
        }
        let results = tasks.join_all().await;
        let taken = test.taken();
        let mut marks = std::collections::BTreeMap::new();
        for (rcpt, letter, mark) in results {
            *marks.entry(mark).or_insert(0) += 1;
            let copies = taken.iter().filter(|taken| taken.to == [rcpt.as_str()]).collect::<Vec<_>>();
            match mark {
                '+' => assert_eq!(copies.len(), 1, "{rcpt}: reported as sent"),
                'D' => assert!(copies.len() <= 1, "{rcpt}: in doubt"),
                _ => assert_eq!(copies.len(), 0, "{rcpt}: reported as {mark}"),
            }
            assert!(copies.iter().all(|taken| taken.data == letter.as_bytes()), "{rcpt}");
        }
        assert!("+TRUAD".chars().all(|mark| marks.contains_key(&mark)) && marks[&'+'] > 300, "{marks:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_letter_under_way_ends_as_it_would_when_the_relay_is_closed() {
    let late = Act::After(Duration::from_secs(5), Box::new(Act::Ok));
    let test = TestRelay::start(move |moment| if moment.at == At::Dot { late.clone() } else { Act::Ok }).await;
    let relay = to(&test);
    let under_way = tokio::spawn({
        let relay = relay.clone();
        async move { mark(&send(&relay, "a@example.com", LETTER).await).0 }
    });
    test.until(|seen| seen.dots == 1).await;
    relay.close().await;
    assert_eq!(under_way.await.unwrap(), '+');
    test.until(|seen| seen.open == 0).await;
}

#[tokio::test]
async fn letters_beyond_ascii_need_a_relay_that_takes_them() {
    let test = TestRelay::start(|_| Act::Ok).await;
    let relay = to(&test);
    let outcome = send(&relay, "j\u{fc}rgen@example.com", LETTER).await;
    let Outcome::Refused { phase: Phase::Check, reply } = &outcome else { panic!("{outcome:?}") };
    assert!(reply.text.contains("SMTPUTF8"), "{}", reply.text);
    assert_eq!(mark(&send(&relay, "a@example.com", "\u{fc}\r\n".as_bytes()).await), ('R', Some(Phase::Check)));
    assert_eq!(mark(&send(&relay, "a@b\u{fc}cher.example", LETTER).await).0, '+', "the domain is sent as A-labels");
    let kit = Kit { offers: vec!["8BITMIME", "smtputf8"], ..Kit::default() };
    let test = TestRelay::start_with(kit, |_| Act::Ok).await;
    let letter = "To: j\u{fc}rgen@example.com\r\n\r\n".as_bytes();
    assert_eq!(mark(&send(&to(&test), "j\u{fc}rgen@example.com", letter).await).0, '+');
    assert_eq!(test.seen().lines[1].1, "MAIL FROM:<b+1@shop.example.com> BODY=8BITMIME SMTPUTF8");
}

/// A server that answers as asked for up to the 354, takes some bytes of the letter and then stops reading, or hangs up.
async fn deaf_relay(hang_up: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut bytes = [0; 1000];
        for answer in ["220 hi\r\n", "250 hi\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"] {
            tcp.write_all(answer.as_bytes()).await.unwrap();
            assert_ne!(tcp.read(&mut bytes).await.unwrap(), 0);
        }
        if !hang_up {
            std::future::pending::<()>().await;
        }
    });
    port
}

#[tokio::test(start_paused = true)]
async fn a_letter_that_cannot_be_written_to_its_end_is_not_in_doubt() {
    let large = b"0123456789abcde\r\n".repeat(1_000_000);
    for (hang_up, waited) in [(false, 180), (true, 0)] {
        let relay = Relay::new(&settings(deaf_relay(hang_up).await), None).unwrap();
        let start = Instant::now();
        assert_eq!(mark(&send(&relay, "a@example.com", &large).await), ('U', Some(Phase::Letter)), "{hang_up}");
        assert_eq!(start.elapsed().as_secs(), waited);
    }
    // A small one fits into the kernel's buffers: it and its dot may have arrived.
    for (hang_up, waited) in [(false, 600), (true, 0)] {
        let relay = Relay::new(&settings(deaf_relay(hang_up).await), None).unwrap();
        let start = Instant::now();
        assert_eq!(mark(&send(&relay, "a@example.com", LETTER).await).0, 'D', "{hang_up}");
        assert_eq!(start.elapsed().as_secs(), waited);
    }
}

#[tokio::test]
async fn a_relay_that_says_more_than_it_was_asked_is_left_before_the_letter() {
    // Byte by byte, the answer too many could come while the letter is on its way; it is then taken for the answer to it.
    for kit in kits().into_iter().filter(|kit| kit.pace != Pace::Trickled) {
        for at in [At::Mail, At::Rcpt, At::Data] {
            let bytes: &[u8] = if at == At::Data { b"354 go on\r\n250 Ok\r\n" } else { b"250 Ok\r\n250 Ok\r\n" };
            let test = TestRelay::start_with(
                kit.clone(),
                move |moment| if moment.at == at { Act::Raw(bytes) } else { Act::Ok },
            )
            .await;
            let outcome = send(&to(&test), "a@example.com", LETTER).await;
            assert_eq!(mark(&outcome).0, 'U', "{at:?}");
            assert_eq!(test.until(|seen| seen.open == 0).await.dots, 0);
        }
    }
}

#[tokio::test]
async fn nobody_at_the_door_is_the_relays_trouble() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let relay = Relay::new(&settings(port), None).unwrap();
    let Outcome::Unavailable(trouble) = send(&relay, "a@example.com", LETTER).await else { panic!() };
    assert!(trouble.phase == Phase::Connect && !trouble.alarm, "{trouble}");
    assert!(trouble.to_string().starts_with(&format!("connect: 127.0.0.1:{port} cannot be reached: ")), "{trouble}");
}

#[tokio::test]
async fn a_login_is_used_and_its_failure_is_an_alarm() {
    let login = Some(Login { user: "shop".to_owned(), password: Secret::Credential("relay".to_owned()) });
    let kit = Kit { login: Some(("shop", "pa55")), ..Kit::default() };
    let test = TestRelay::start_with(kit, |_| Act::Ok).await;
    let settings_in = config::Relay { login: login.clone(), ..settings(test.address.port()) };
    let right = Relay::new(&settings_in, Some("pa55".to_owned().into())).unwrap();
    assert_eq!(mark(&send(&right, "a@example.com", LETTER).await).0, '+');
    assert_eq!(test.seen().lines[1].1, "AUTH");
    assert!(right.probe().await.unwrap().logged_in);

    let wrong = Relay::new(&settings_in, Some("guess".to_owned().into())).unwrap();
    assert_eq!(mark(&send(&wrong, "a@example.com", LETTER).await), ('A', Some(Phase::Auth)));
    let trouble = wrong.probe().await.unwrap_err();
    assert_eq!(trouble.to_string(), "auth: the relay answered 535 5.7.8 authentication failed");
    assert!(!format!("{wrong:?} {trouble:?}").contains("guess"));

    let none = TestRelay::start(|_| Act::Ok).await;
    let relay =
        Relay::new(&config::Relay { login, ..settings(none.address.port()) }, Some("x".to_owned().into())).unwrap();
    assert_eq!(mark(&send(&relay, "a@example.com", LETTER).await), ('A', Some(Phase::Auth)));
    assert!(matches!(Relay::new(&settings_in, None), Err(RelayError::NoPassword { .. })));
    assert_eq!(test.taken().len(), 1);
}

#[tokio::test]
async fn settings_that_cannot_work_are_told_at_the_start() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"no certificate\n").unwrap();
    for (host, tls_ca, words) in [
        ("relay example", None, "\"relay example\" is neither a host name nor an IP address"),
        ("127.0.0.1", Some("/nowhere/ca.pem".into()), "tls_ca /nowhere/ca.pem: "),
        ("127.0.0.1", Some(file.path().to_owned()), "no certificate in it"),
    ] {
        let settings = config::Relay { host: host.to_owned(), tls: Tls::Required, tls_ca, ..settings(25) };
        let error = Relay::new(&settings, None).unwrap_err().to_string();
        assert!(error.starts_with("relay main: ") && error.contains(words), "{error}");
    }
}
