//! MAIL, RCPT and DATA in one write (RFC 2920): to whom, and what becomes of the letter and of its connection when the replies
//! contradict each other or do not come.

use super::*;
use crate::tls::certificate;

/// A relay that offers PIPELINING and does `mail`, `rcpt` and `data` for its first letter.
async fn first_group(pace: Pace, mail: Act, rcpt: Act, data: Act) -> TestRelay {
    let kit = Kit { offers: vec!["PIPELINING"], pace, ..Kit::default() };
    TestRelay::start_with(kit, move |moment| match moment {
        Moment { letter: 0, at: At::Mail, .. } => mail.clone(),
        Moment { letter: 0, at: At::Rcpt, .. } => rcpt.clone(),
        Moment { letter: 0, at: At::Data, .. } => data.clone(),
        _ => Act::Ok,
    })
    .await
}

#[tokio::test]
async fn mail_rcpt_and_data_leave_together_exactly_where_the_ehlo_reply_offers_it() {
    for (reply, expected) in [
        (&b"250-relay.example.com\r\n250-PIPELINING\r\n250 8BITMIME\r\n"[..], 2),
        (b"250-relay.example.com\r\n250-8BITMIME\r\n250 PIPELINING\r\n", 2),
        (b"250-relay.example.com\r\n250-pipelining \r\n250 8BITMIME\n", 2),
        (b"250-relay.example.com\r\n250 PIPELINING 1\r\n", 2),
        (b"250 relay.example.com\r\n", 0),
        (b"250 PIPELINING\r\n", 0),
        (b"250-PIPELINING at your service\r\n250 8BITMIME\r\n", 0),
        (b"250-relay.example.com PIPELINING\r\n250-XPIPELINING\r\n250-X PIPELINING\r\n250\r\n", 0),
    ] {
        let test = TestRelay::start(move |moment| if moment.at == At::Ehlo { Act::Raw(reply) } else { Act::Ok }).await;
        let relay = to(&test);
        assert_eq!(mark(&send(&relay, "a@example.com", LETTER).await).0, '+', "{}", reply.escape_ascii());
        assert_eq!(test.seen().pipelined, expected, "{}", reply.escape_ascii());
        assert_eq!(mark(&send(&relay, "b@example.com", LETTER).await).0, '+', "{}", reply.escape_ascii());
        assert_eq!((test.seen().pipelined, test.seen().connections), (2 * expected, 1), "{}", reply.escape_ascii());
        let lines = test.seen().lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>();
        let group = ["MAIL FROM:<b+1@shop.example.com>", "RCPT TO:<b@example.com>", "DATA"];
        assert_eq!(lines[lines.len() - 3..], group);
    }
}

#[tokio::test]
async fn the_ehlo_reply_within_tls_counts_and_a_login_changes_nothing() {
    let login = Some(Login { user: "shop".to_owned(), password: Secret::Credential("relay".to_owned()) });
    let with: &[u8] = b"250-relay.example.com\r\n250-STARTTLS\r\n250-AUTH PLAIN\r\n250 PIPELINING\r\n";
    let without: &[u8] = b"250-relay.example.com\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n";
    for (clear, within, expected) in [(with, without, 0), (without, with, 2), (with, with, 2)] {
        let (server, authority) = certificate("127.0.0.1", false, false);
        let kit = Kit { tls: Some(server), login: Some(("shop", "pa55")), ..Kit::default() };
        let said = AtomicUsize::new(0);
        let test = TestRelay::start_with(kit, move |moment| match moment.at {
            At::Ehlo if said.fetch_add(1, Ordering::SeqCst) == 0 => Act::Raw(clear),
            At::Ehlo => Act::Raw(within),
            _ => Act::Ok,
        })
        .await;
        let tls_ca = Some(authority.path().to_owned());
        let settings =
            config::Relay { tls: Tls::Required, tls_ca, login: login.clone(), ..settings(test.address.port()) };
        let relay = Relay::new(&settings, Some("pa55".to_owned().into())).unwrap();
        assert_eq!(mark(&send(&relay, "a@example.com", LETTER).await).0, '+');
        assert_eq!(test.seen().pipelined, expected, "{} {}", clear.escape_ascii(), within.escape_ascii());
    }
}

/// What three answers mean: the outcome, its phase, whether the connection gets the next letter, and the seconds until then.
#[tokio::test(start_paused = true)]
async fn the_first_answer_that_is_no_yes_decides_and_a_connection_out_of_step_is_left() {
    let ok = Act::Ok;
    let no = Act::Reply("550 5.1.1 no such user");
    let later = Act::Reply("450 4.2.1 busy");
    let order = Act::Reply("503 5.5.1 bad sequence");
    let bye = Act::Reply("421 4.3.2 closing down");
    let go = Act::Raw(b"354 go on\r\n");
    let policy = Act::Reply("550 5.7.1 sender not allowed");
    let denied = Act::Reply("554 5.7.1 <a@example.com>: Relay access denied");
    let late = Act::After(Duration::from_secs(50), Box::new(Act::Ok));
    for pace in [Pace::Each, Pace::Gathered, Pace::Trickled] {
        for (group, expected, phase, again, waited) in [
            // The recipient is refused, and DATA with it, as it should be.
            ([&ok, &no, &ok], 'R', Phase::Rcpt, true, 0),
            ([&ok, &later, &ok], 'T', Phase::Rcpt, true, 0),
            ([&ok, &no, &order], 'R', Phase::Rcpt, true, 0),
            ([&ok, &later, &later], 'T', Phase::Rcpt, true, 0),
            // The relay waits for a letter all the same, or says what is no answer to DATA, or nothing.
            ([&ok, &no, &go], 'R', Phase::Rcpt, false, 0),
            ([&ok, &later, &go], 'T', Phase::Rcpt, false, 0),
            ([&ok, &no, &Act::Raw(b"250 ok\r\n")], 'R', Phase::Rcpt, false, 0),
            ([&ok, &no, &bye], 'R', Phase::Rcpt, false, 0),
            ([&ok, &no, &Act::Close], 'R', Phase::Rcpt, false, 0),
            ([&ok, &no, &Act::Half(b"55")], 'R', Phase::Rcpt, false, 0),
            ([&ok, &later, &Act::Silence], 'T', Phase::Rcpt, false, 60),
            // It is about the relay: the rest does not matter.
            ([&policy, &order, &order], 'A', Phase::Mail, false, 0),
            ([&order, &order, &order], 'A', Phase::Mail, false, 0),
            ([&later, &order, &order], 'U', Phase::Mail, false, 0),
            ([&bye, &bye, &bye], 'U', Phase::Mail, false, 0),
            ([&policy, &Act::Raw(b"250 ok\r\n"), &go], 'A', Phase::Mail, false, 0),
            ([&policy, &Act::Silence, &ok], 'A', Phase::Mail, false, 0),
            ([&ok, &denied, &go], 'A', Phase::Rcpt, false, 0),
            ([&ok, &bye, &go], 'U', Phase::Rcpt, false, 0),
            ([&ok, &order, &Act::Silence], 'A', Phase::Rcpt, false, 0),
            // The connection ends between two answers.
            ([&Act::Half(b"250 ok\r\n"), &ok, &ok], 'U', Phase::Rcpt, false, 0),
            ([&policy, &Act::Close, &ok], 'A', Phase::Mail, false, 0),
            ([&ok, &Act::Half(b"250 ok\r\n"), &ok], 'U', Phase::Data, false, 0),
            ([&ok, &Act::Half(b"550 no\r\n"), &ok], 'R', Phase::Rcpt, false, 0),
            // DATA alone is refused.
            ([&ok, &ok, &no], 'R', Phase::Data, true, 0),
            ([&ok, &ok, &later], 'T', Phase::Data, true, 0),
            ([&ok, &ok, &order], 'A', Phase::Data, false, 0),
            ([&ok, &ok, &Act::Raw(b"250 ok\r\n")], 'U', Phase::Data, false, 0),
            // Each answer has its own minute.
            ([&late, &late, &no], 'R', Phase::Data, true, 100),
            ([&late, &Act::Silence, &ok], 'U', Phase::Rcpt, false, 110),
            ([&late, &late, &Act::Silence], 'U', Phase::Data, false, 160),
        ] {
            let cell = format!("{group:?}, {pace:?}");
            let test = first_group(pace, group[0].clone(), group[1].clone(), group[2].clone()).await;
            let relay = to(&test);
            let start = Instant::now();
            let outcome =
                send_if(&relay, "a@example.com", LETTER, async || -> Result<(), ()> { panic!("{cell}") }).await;
            assert_eq!(mark(&outcome), (expected, Some(phase)), "{cell}: {outcome:?}");
            assert_eq!(start.elapsed().as_secs(), waited, "{cell}");
            assert_eq!(mark(&send(&relay, "b@example.com", b"Second\r\n").await).0, '+', "{cell}");
            let seen = if again { test.seen() } else { test.until(|seen| seen.open == 1).await };
            assert_eq!((seen.taken.len(), seen.taken[0].connection), (1, usize::from(!again)), "{cell}");
            assert_eq!((seen.dots, seen.torn), (1, 0), "{cell}");
            // Beyond the group only a connection in step hears a word, and that is the RSET before the next letter.
            let beyond = seen.lines.iter().filter(|(connection, line)| {
                *connection == 0 && !["EHLO", "MAIL", "RCPT", "DATA"].contains(&&line[..4])
            });
            let beyond = beyond.map(|(_, line)| line.as_str()).collect::<Vec<_>>();
            assert_eq!(beyond, ["RSET"][..usize::from(again)], "{cell}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn slow_answers_that_come_in_time_are_waited_for_one_by_one() {
    let late = Act::After(Duration::from_secs(50), Box::new(Act::Ok));
    for pace in [Pace::Each, Pace::Gathered, Pace::Trickled] {
        let test = first_group(pace, late.clone(), late.clone(), late.clone()).await;
        let start = Instant::now();
        assert_eq!(mark(&send(&to(&test), "a@example.com", LETTER).await).0, '+');
        assert_eq!(start.elapsed().as_secs(), 150);
    }
}
