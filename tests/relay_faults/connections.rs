//! Connections between letters: when one is used again, asked first, renewed or left, and how many are open.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_cancelled_letter_takes_its_connection_with_it_and_the_next_one_is_not_mistaken_for_it() {
    let steps = [At::Greeting, At::Ehlo, At::Mail, At::Rcpt, At::Data, At::Dot];
    for (kit, at) in kits().iter().flat_map(|kit| steps.map(|at| (kit, at))) {
        // The late answer would be the false success of the next letter, were the connection used again.
        let test =
            TestRelay::start_with(kit.clone(), once(at, Act::After(Duration::from_secs(20), Box::new(Act::Ok)))).await;
        let relay = to(&test);
        let cancelled = tokio::time::timeout(Duration::from_secs(10), send(&relay, "first@example.com", LETTER)).await;
        assert!(cancelled.is_err(), "{at:?}");
        let second = send_if(&relay, "second@example.com", b"Second\r\n", async || Err::<(), ()>(())).await;
        assert_eq!(second, Outcome::NotRecorded(()), "{at:?}");
        assert_eq!(mark(&send(&relay, "third@example.com", b"Third\r\n").await).0, '+', "{at:?}");
        let taken = test.taken();
        let third = taken.iter().filter(|letter| letter.to == ["third@example.com"]).collect::<Vec<_>>();
        assert!(third.len() == 1 && third[0].data == b"Third\r\n" && third[0].connection == 2, "{at:?}");
    }
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_replaced_unseen() {
    for kit in kits() {
        let good_byes: [&[u8]; 3] =
            [b"250 2.0.0 Ok\r\n", b"250 2.0.0 Ok\r\n421 4.4.2 idle\r\n", b"250 2.0.0 Ok\r\n221 idle\r\n"];
        for bytes in good_byes {
            let test = TestRelay::start_with(kit.clone(), once(At::Dot, Act::Kept(Box::new(Act::Half(bytes))))).await;
            let relay = to(&test);
            assert_eq!(mark(&send(&relay, "a@example.com", LETTER).await).0, '+');
            test.until(|seen| seen.open == 0).await;
            assert_eq!(mark(&send(&relay, "b@example.com", LETTER).await).0, '+', "{}", bytes.escape_ascii());
            let seen = test.seen();
            assert_eq!((seen.taken.len(), seen.connections), (2, 2));
        }
    }
}

#[tokio::test]
async fn only_a_used_connection_gets_a_second_try_and_only_one() {
    for kit in kits() {
        let faults = [Act::Close, Act::Reply("421 4.7.0 too many letters"), Act::Raw(b"what?\r\n"), Act::Half(b"25")];
        for at in [At::Mail, At::Rcpt, At::Data] {
            for act in faults.clone() {
                let one = act.clone();
                let test = TestRelay::start_with(kit.clone(), move |moment| match moment {
                    Moment { at: now, connection: 0, letter: 1, .. } if *now == at => one.clone(),
                    _ => Act::Ok,
                })
                .await;
                let relay = to(&test);
                assert_eq!(mark(&send(&relay, "a@example.com", LETTER).await).0, '+');
                assert_eq!(mark(&send(&relay, "b@example.com", LETTER).await).0, '+', "{act:?} at {at:?}");
                assert_eq!((test.taken().len(), test.seen().connections), (2, 2));

                let every = act.clone();
                let test = TestRelay::start_with(
                    kit.clone(),
                    move |moment| if moment.at == at { every.clone() } else { Act::Ok },
                )
                .await;
                assert_eq!(mark(&send(&to(&test), "a@example.com", LETTER).await).0, 'U', "{act:?} at {at:?}");
                assert_eq!(test.seen().connections, 1, "{act:?} at {at:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_asked_after_an_idle_while_and_after_a_refusal_but_not_else() {
    for kit in kits() {
        let test = TestRelay::start_with(kit.clone(), once(At::Rcpt, Act::Reply("550 5.1.1 no"))).await;
        let relay = to(&test);
        let resets = || test.seen().lines.iter().filter(|(_, line)| line == "RSET").count();
        assert_eq!(mark(&send(&relay, "a@example.com", LETTER).await).0, 'R');
        assert_eq!(mark(&send(&relay, "b@example.com", LETTER).await).0, '+');
        assert_eq!(resets(), 1);
        assert_eq!(mark(&send(&relay, "c@example.com", LETTER).await).0, '+');
        assert_eq!(resets(), 1);
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(mark(&send(&relay, "d@example.com", LETTER).await).0, '+');
        assert_eq!((resets(), test.seen().connections), (2, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_relay_gone_silent_costs_one_wait_and_not_two() {
    for kit in kits() {
        let test =
            TestRelay::start_with(kit.clone(), |moment| if moment.letter == 1 { Act::Silence } else { Act::Ok }).await;
        let relay = to(&test);
        assert_eq!(mark(&send(&relay, "a@example.com", LETTER).await).0, '+');
        let start = Instant::now();
        assert_eq!(mark(&send(&relay, "b@example.com", LETTER).await), ('U', Some(Phase::Mail)));
        assert_eq!((start.elapsed().as_secs(), test.seen().connections), (60, 1));
    }
}

#[tokio::test]
async fn no_more_connections_are_open_than_configured() {
    let test = TestRelay::start(|moment| match moment.at {
        At::Dot => Act::After(Duration::from_millis(2), Box::new(Act::Ok)),
        At::Mail if moment.letter % 7 == 3 => Act::Close,
        _ => Act::Ok,
    })
    .await;
    let relay = Relay::new(&config::Relay { connections: 3, ..settings(test.address.port()) }, None).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..60 {
        let relay = relay.clone();
        tasks.spawn(async move { mark(&send(&relay, &format!("c{number}@example.com"), LETTER).await).0 });
    }
    let accepted = tasks.join_all().await.into_iter().filter(|mark| *mark == '+').count();
    let seen = test.seen();
    assert_eq!(accepted, seen.taken.len());
    assert!(accepted >= 50, "{accepted}");
    // The relay may learn of a closed connection a moment after the next one was opened, hence one more.
    assert!((3..=4).contains(&seen.most_open), "{}", seen.most_open);
}

#[tokio::test]
async fn a_connection_is_renewed_after_its_number_of_letters() {
    let test = TestRelay::start(|_| Act::Ok).await;
    let relay =
        Relay::new(&config::Relay { letters_per_connection: 2, ..settings(test.address.port()) }, None).unwrap();
    for _ in 0..5 {
        assert_eq!(mark(&send(&relay, "a@example.com", LETTER).await).0, '+');
    }
    relay.close().await;
    let seen = test.until(|seen| seen.open == 0).await;
    let on = seen.taken.iter().map(|letter| letter.connection).collect::<Vec<_>>();
    assert_eq!(on, [0, 0, 1, 1, 2]);
    assert_eq!(seen.lines.iter().filter(|(_, line)| line == "QUIT").count(), 3);
    assert!(relay.reserve().await.is_none());
    assert_eq!(test.seen().connections, 3);
}
