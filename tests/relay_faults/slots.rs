//! Slots: how many letters may use a relay at once, what is said before a letter is sent (nothing), and how long a connection
//! waits for the next one.

use super::*;

fn with_connections(test: &TestRelay, connections: usize) -> Relay {
    Relay::new(&config::Relay { connections, ..settings(test.address.port()) }, None).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_waited_for_and_says_nothing_by_itself() {
    let test = TestRelay::start(|_| Act::Ok).await;
    let relay = with_connections(&test, 2);
    let (first, second) = (relay.reserve().await.unwrap(), relay.reserve().await.unwrap());
    let third = tokio::spawn({
        let relay = relay.clone();
        async move { relay.reserve().await }
    });
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(!third.is_finished());
    drop(first);
    let third = third.await.unwrap().unwrap();
    assert_eq!(test.seen().connections, 0);
    let sent = third.send(None, &address("a@example.com"), LETTER, async || Ok::<(), ()>(())).await;
    assert_eq!(mark(&sent).0, '+');
    assert!(relay.reserve().await.is_some(), "a letter gives its slot back");
    drop(second);
}

#[tokio::test(start_paused = true)]
async fn a_closed_relay_gives_no_slot_and_those_given_are_honoured() {
    let test = TestRelay::start(|_| Act::Ok).await;
    let relay = with_connections(&test, 1);
    assert_eq!(mark(&send(&relay, "a@example.com", LETTER).await).0, '+');
    let slot = relay.reserve().await.unwrap();
    let waiting = tokio::spawn({
        let relay = relay.clone();
        async move { relay.reserve().await.is_none() }
    });
    tokio::task::yield_now().await;
    relay.close().await;
    assert!(waiting.await.unwrap(), "who waits is told");
    assert!(relay.reserve().await.is_none());
    test.until(|seen| seen.open == 0).await;
    let sent = slot.send(None, &address("b@example.com"), LETTER, async || Ok::<(), ()>(())).await;
    assert_eq!(mark(&sent).0, '+');
    let start = Instant::now();
    let seen = test.until(|seen| seen.open == 0).await;
    assert_eq!(start.elapsed().as_secs(), 0, "the connection is closed at once");
    assert_eq!(seen.lines.iter().filter(|(_, line)| line == "QUIT").count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_letter_for_ten_seconds_is_closed_and_the_others_stay() {
    let late = Act::After(Duration::from_secs(1), Box::new(Act::Ok));
    let test = TestRelay::start(move |moment| if moment.at == At::Dot { late.clone() } else { Act::Ok }).await;
    let relay = with_connections(&test, 3);
    let until_open_are = async |open: usize, since: Instant, millis: u128| {
        test.until(|seen| seen.open == open).await;
        let waited = since.elapsed().as_millis();
        assert!((millis..millis + 100).contains(&waited), "{open} open after {waited} ms");
    };
    for _ in 0..2 {
        // Twice, so that the watch, when it first looks again, finds connections of two ages and none old enough.
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_secs(3)).await;
            let [a, b, c] = ["a@example.com", "b@example.com", "c@example.com"].map(|rcpt| send(&relay, rcpt, LETTER));
            let (a, b, c) = tokio::join!(a, b, c);
            assert_eq!([a, b, c].map(|outcome| mark(&outcome).0), ['+'; 3]);
        }
        let three = Instant::now();
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(mark(&send(&relay, "d@example.com", LETTER).await).0, '+');
        let one = Instant::now();
        assert_eq!(test.seen().open, 3);
        until_open_are(1, three, 10_000).await;
        until_open_are(0, one, 10_000).await;
    }
    let seen = test.seen();
    assert_eq!((seen.connections, seen.taken.len()), (6, 14));
    assert_eq!(seen.lines.iter().filter(|(_, line)| line == "QUIT").count(), 6);
}

#[tokio::test(start_paused = true)]
async fn the_connections_of_a_relay_that_nobody_has_any_more_are_closed() {
    let test = TestRelay::start(|_| Act::Ok).await;
    let relay = to(&test);
    assert_eq!(mark(&send(&relay, "a@example.com", LETTER).await).0, '+');
    drop(relay);
    let start = Instant::now();
    test.until(|seen| seen.open == 0).await;
    assert_eq!(start.elapsed().as_secs(), 0);
}
