//! Letters on their way out, with the whole daemon behind them: signed, at the relay's rate, past a relay that rests to the one behind
//! it, and kept while a relay needs a person.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use invited::config::{Config, Dkim, Secret};
use invited::domain::{AlarmKind, DAY, Rule, State};
use invited::ops::{Readiness, watch};
use invited::send::dkim::{Algorithm, SigningKey};

use crate::kit::{House, make_private, opened, order_mail, until};
use crate::relay::{Act, At, Moment, TestRelay};

const MINUTE: Duration = Duration::from_secs(60);

/// Another relay behind the first, for the one shop.
fn with_backup(config: &mut Config, backup: &TestRelay) {
    let mut second = config.relays[0].clone();
    (second.name, second.port) = ("backup".to_owned(), backup.address.port());
    config.shops[0].relays = vec![config.relays[0].name.clone(), second.name.clone()];
    // Before the first in the order of names, too, and in the file.
    config.relays.insert(0, second);
}

async fn orders(house: &House, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let (reference, email) = (format!("{number:03}-AB"), format!("anna{number}@customer.example.net"));
        house.hand_in(&order_mail(&reference, "Anna Example", &email)).await;
    }
}

/// Waits until no letter is on its way; what is due may wait for a relay that rests.
async fn until_none_is_sent(house: &House) {
    until("nothing is being sent", async || {
        let all = house.invitations().await;
        all.iter().all(|one| one.progress.state != State::Sending).then_some(())
    })
    .await;
}

async fn sent(house: &House, references: std::ops::Range<u32>) {
    for number in references {
        house.until_state(&format!("{number:03}-AB"), State::Sent).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_relay_rests_its_letters_go_to_the_next_and_one_finds_out_when_it_is_back() {
    let is_down = Arc::new(AtomicBool::new(true));
    let down = Arc::clone(&is_down);
    let backup = TestRelay::start(|_| Act::Ok).await;
    let house = House::adjusted(
        |config| with_backup(config, &backup),
        move |moment: &Moment| match moment.at {
            At::Greeting if down.load(Ordering::SeqCst) => Act::Reply("421 4.3.2 not now"),
            _ => Act::Ok,
        },
    )
    .await;
    orders(&house, 0..20).await;
    house.pass(DAY * 7);
    sent(&house, 0..20).await;
    assert_eq!((house.relay.taken().len(), backup.taken().len()), (0, 20));
    let tries = house.relay.seen().connections;
    assert!(tries <= 8, "{tries} connections: no more than were claimed before the first failure");
    for invitation in house.invitations().await {
        assert_eq!(invitation.progress.attempts, 0, "a relay that rests counts against nobody");
    }
    let states = house.daemon.house().relay_states();
    let state = states.iter().find(|state| state.name != "backup").unwrap();
    assert!(matches!(state.readiness, Readiness::RestsUntil(_)) && !state.needs_person, "{state:?}");
    assert!(state.trouble.as_deref().unwrap().contains("421"), "{state:?}");

    // Its rest is over, and it is still down: one letter finds out, and none waits for that.
    house.pass(MINUTE * 2);
    orders(&house, 20..30).await;
    house.pass(DAY * 7);
    sent(&house, 20..30).await;
    assert_eq!((house.relay.taken().len(), house.relay.seen().connections), (0, tries + 1));

    is_down.store(false, Ordering::SeqCst);
    orders(&house, 30..40).await;
    house.pass(DAY * 6);
    let before = backup.taken().len();
    // Reminders of the others fall due as well.
    house.pass(DAY);
    sent(&house, 30..40).await;
    house.until_quiet().await;
    assert!(!house.relay.taken().is_empty(), "the probe got through");
    orders(&house, 40..44).await;
    let (first, second) = (house.relay.taken().len(), backup.taken().len());
    assert!(second >= before);
    house.pass(DAY * 7);
    sent(&house, 40..44).await;
    house.until_quiet().await;
    assert_eq!(backup.taken().len(), second, "all go to the first again");
    assert!(house.relay.taken().len() >= first + 4);
    let mut ids = house.relay.taken();
    ids.extend(backup.taken());
    let ids = ids.iter().map(|letter| opened(letter).message_id().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(ids.iter().collect::<std::collections::HashSet<_>>().len(), ids.len(), "every letter once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_in_doubt_waits_for_its_own_relay_and_keeps_its_message_id() {
    let is_down = Arc::new(AtomicBool::new(false));
    let down = Arc::clone(&is_down);
    let backup = TestRelay::start(|_| Act::Ok).await;
    let house = House::adjusted(
        |config| {
            with_backup(config, &backup);
            config.shops[0].rules.base.in_doubt = invited::domain::InDoubt::Resend;
        },
        move |moment: &Moment| match moment.at {
            At::Dot if moment.letter == 0 => Act::Kept(Box::new(Act::Close)),
            At::Greeting if down.load(Ordering::SeqCst) => Act::Close,
            _ => Act::Ok,
        },
    )
    .await;
    orders(&house, 0..1).await;
    house.pass(DAY * 7);
    until("the answer is lost", async || {
        let story = house.story("000-AB").await;
        story.decisions.iter().any(|one| one.rule == Rule::AnswerLostResends).then_some(())
    })
    .await;
    is_down.store(true, Ordering::SeqCst);
    orders(&house, 1..3).await;
    house.pass(DAY * 7);
    sent(&house, 1..3).await;
    // Long after it is due again; what falls due later goes, so it stands in nobody's way.
    orders(&house, 3..4).await;
    house.pass(DAY * 7);
    sent(&house, 3..4).await;
    assert!(
        backup.taken().iter().all(|letter| letter.to != ["anna0@customer.example.net"]),
        "it went to the other relay"
    );
    is_down.store(false, Ordering::SeqCst);
    until("its own relay is back and has it", async || {
        house.pass(MINUTE);
        (house.invitation("000-AB").await.progress.state == State::Sent).then_some(())
    })
    .await;
    let theirs = house.relay.taken();
    let theirs = theirs.iter().filter(|letter| letter.to == ["anna0@customer.example.net"]);
    let ids = theirs.map(|letter| opened(letter).message_id().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!((ids.len(), &ids[0]), (2, &ids[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_refuses_us_keeps_the_queue_says_so_and_is_tried_once_an_hour() {
    let is_wrong = Arc::new(AtomicBool::new(true));
    let wrong = Arc::clone(&is_wrong);
    let house = House::open(&[], move |moment: &Moment| match moment.at {
        At::Mail if wrong.load(Ordering::SeqCst) => Act::Reply("535 5.7.8 authentication failed for shop@example.com"),
        _ => Act::Ok,
    })
    .await;
    orders(&house, 0..30).await;
    house.pass(DAY * 7);
    until("it was tried", async || (house.relay.seen().connections > 0).then_some(())).await;
    until_none_is_sent(&house).await;
    let first = house.relay.seen().connections;
    let all = house.invitations().await;
    assert!(all.iter().all(|one| one.progress.state == State::Queued && one.progress.attempts == 0));
    let state = house.daemon.house().relay_states().remove(0);
    assert!(state.needs_person && state.trouble.as_deref().unwrap().starts_with("mail: the relay answered 535"));
    assert!(!state.trouble.unwrap().contains("shop@example.com"));
    let mut look = watch::Watch::default();
    let figures = watch::look(house.daemon.house(), &mut look).await.unwrap();
    let alarms = figures.alarms.iter().map(|alarm| alarm.kind).collect::<Vec<_>>();
    assert_eq!(alarms, [AlarmKind::Relay]);
    assert!(figures.alarms[0].note.contains("535"), "{}", figures.alarms[0].note);
    assert_eq!(house.store().watch_figures().await.unwrap().alarms, figures.alarms, "others see it too");

    for _ in 0..5 {
        house.pass(MINUTE * 11);
        until_none_is_sent(&house).await;
    }
    assert_eq!(house.relay.seen().connections, first, "waiting will not mend it");
    house.pass(MINUTE * 12);
    until("it is tried", async || (house.relay.seen().connections > first).then_some(())).await;
    until_none_is_sent(&house).await;
    assert_eq!(house.relay.seen().connections, first + 1, "once an hour, by one letter");
    is_wrong.store(false, Ordering::SeqCst);
    house.pass(MINUTE * 67);
    sent(&house, 0..30).await;
    assert_eq!(house.relay.taken().len(), 30);
    assert_eq!(watch::look(house.daemon.house(), &mut look).await.unwrap().alarms, []);
    assert_eq!(house.store().watch_figures().await.unwrap().alarms, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_was_mended_gets_what_waits_with_the_reload() {
    let is_wrong = Arc::new(AtomicBool::new(true));
    let wrong = Arc::clone(&is_wrong);
    let house = House::open(&[], move |moment: &Moment| match moment.at {
        At::Mail if wrong.load(Ordering::SeqCst) => Act::Reply("535 5.7.8 authentication failed"),
        _ => Act::Ok,
    })
    .await;
    orders(&house, 0..1).await;
    house.pass(DAY * 7);
    until("it was refused", async || house.daemon.house().relay_states().remove(0).needs_person.then_some(())).await;
    until_none_is_sent(&house).await;
    is_wrong.store(false, Ordering::SeqCst);
    house.pass(MINUTE);
    until_none_is_sent(&house).await;
    assert!(house.relay.taken().is_empty(), "the relay rests, and the letter is in line");
    house.daemon.reload(house.config.clone()).unwrap();
    sent(&house, 0..1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relays_rate_is_kept() {
    let house = House::adjusted(|config| config.relays[0].rate = Some(1), |_| Act::Ok).await;
    orders(&house, 0..3).await;
    house.pass(DAY * 7);
    let mut went = Vec::new();
    while went.len() < 3 {
        until("one more left", async || {
            house.pass(MINUTE);
            (house.relay.taken().len() > went.len()).then_some(())
        })
        .await;
        went.push(house.clock.now());
    }
    // The clock is looked at after the letter left, and the first may have waited for nothing.
    assert!(went[2].since(went[0]) >= MINUTE * 100, "{went:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attempt_at_a_letter_is_signed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dkim.key");
    std::fs::write(&path, SigningKey::generate(Algorithm::Ed25519).unwrap().1).unwrap();
    make_private(&path);
    let house = House::adjusted(
        |config| {
            let domain = config.shops[0].from.domain().to_owned();
            config.dkim.push(Dkim { domain, selector: "2026a".to_owned(), key: Secret::File(path) });
        },
        |moment: &Moment| match moment {
            Moment { at: At::Dot, letter: 0, .. } => Act::Kept(Box::new(Act::Reply("451 4.7.1 later"))),
            _ => Act::Ok,
        },
    )
    .await;
    orders(&house, 0..1).await;
    house.pass(DAY * 7);
    until("it was deferred", async || (house.relay.taken().len() == 1).then_some(())).await;
    house.until_quiet().await;
    house.pass(MINUTE * 7);
    sent(&house, 0..1).await;
    let taken = house.relay.taken();
    assert_eq!(taken.len(), 2);
    for letter in &taken {
        let text = String::from_utf8_lossy(&letter.data);
        assert!(text.starts_with("DKIM-Signature: v=1; a=ed25519-sha256; s=2026a; d=shop.example.com;"), "{text}");
        let fields = text.split("h=").nth(1).and_then(|rest| rest.split(';').next()).unwrap().to_ascii_lowercase();
        let fields = fields.split(':').map(str::trim).collect::<Vec<_>>();
        assert_eq!(fields.iter().filter(|field| **field == "from").count(), 2, "nobody can add another: {text}");
        for field in ["to", "subject", "date", "list-unsubscribe", "feedback-id", "message-id", "mime-version"] {
            assert!(fields.contains(&field), "{field} in {text}");
        }
    }
    assert_eq!(opened(&taken[0]).message_id(), opened(&taken[1]).message_id());
}
