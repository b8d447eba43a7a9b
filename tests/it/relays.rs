//! Relays that refuse, defer, hang and die at each step, with the whole daemon behind them: nothing is lost, nothing is doubled.

use std::time::Duration;

use invited::domain::{DAY, Rule, State};

use crate::kit::{House, order_mail, until};
use crate::relay::{Act, At, Moment};

const REFERENCE: &str = "7731-AB";
const STEPS: [At; 6] = [At::Greeting, At::Ehlo, At::Mail, At::Rcpt, At::Data, At::Dot];

/// A relay that does something at one step of its first conversation and its first letter, and is well afterwards.
async fn first_time(step: At, act: impl Fn() -> Act + Send + Sync + 'static) -> House {
    let house = House::impatient(&[], move |moment: &Moment| {
        if moment.at == step && moment.connection == 0 && moment.letter == 0 { act() } else { Act::Ok }
    })
    .await;
    house.hand_in(&order_mail(REFERENCE, "Anna Example", "anna@customer.example.net")).await;
    house.pass(DAY * 7);
    house
}

async fn rule_was(house: &House, rule: Rule) {
    until(&format!("the rule {rule} was applied"), async || {
        house.story(REFERENCE).await.decisions.iter().any(|one| one.rule == rule).then_some(())
    })
    .await;
}

/// The one letter comes out in the end, once.
async fn comes_out_once(house: &House) {
    for _ in 0..3 {
        house.pass(Duration::from_secs(1800));
        // What is due may wait for a relay that rests.
        until("the letter goes or waits", async || {
            let state = house.invitation(REFERENCE).await.progress.state;
            let rests = house.daemon.house().relay_states().iter().any(|relay| relay.needs_person);
            (state == State::Sent || state == State::Queued && rests).then_some(())
        })
        .await;
    }
    house.until_state(REFERENCE, State::Sent).await;
    assert_eq!(house.relay.taken().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_hangs_up_at_any_step_before_the_dot_delays_the_letter_only() {
    for step in STEPS.into_iter().filter(|step| *step != At::Dot) {
        let house = first_time(step, || Act::Close).await;
        rule_was(&house, Rule::RelayDown).await;
        assert_eq!(house.invitation(REFERENCE).await.progress.attempts, 0, "{step:?}: no attempt is counted");
        comes_out_once(&house).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_falls_silent_at_any_step_before_the_dot_delays_the_letter_only() {
    for step in STEPS.into_iter().filter(|step| *step != At::Dot) {
        let house = first_time(step, || Act::Silence).await;
        rule_was(&house, Rule::RelayDown).await;
        comes_out_once(&house).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_defers_gets_the_letter_later() {
    for step in [At::Rcpt, At::Data, At::Dot] {
        let house = first_time(step, || Act::Reply("451 4.7.1 greylisted, come back later")).await;
        rule_was(&house, Rule::RelayDefers).await;
        let due = house.invitation(REFERENCE).await.progress.due_at.unwrap();
        assert!(due.since(house.clock.now()) >= Duration::from_secs(360), "{step:?}: greylisting wants five minutes");
        comes_out_once(&house).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_refuses_the_letter_ends_the_invitation() {
    for step in [At::Rcpt, At::Data, At::Dot] {
        let house = first_time(step, || Act::Reply("550 5.1.1 no such user")).await;
        let failed = house.until_state(REFERENCE, State::Failed).await;
        assert_eq!(failed.progress.letters_sent, 0);
        house.pass(DAY * 30);
        house.until_quiet().await;
        assert!(house.relay.taken().is_empty(), "{step:?}");
        let reply = house.story(REFERENCE).await.letters[0].reply.clone().unwrap();
        assert!(reply.contains("no such user"), "support sees the relay's words: {reply}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_refuses_us_keeps_the_queue() {
    for (step, reply) in [
        (At::Greeting, "554 5.7.1 go away"),
        (At::Mail, "550 5.7.1 sender not allowed"),
        (At::Mail, "530 5.7.0 authentication required"),
    ] {
        let house = first_time(step, move || Act::Reply(reply)).await;
        rule_was(&house, Rule::RelayDown).await;
        assert_eq!(house.invitation(REFERENCE).await.progress.state, State::Queued, "{step:?} {reply}");
        comes_out_once(&house).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_the_dot_leaves_the_letter_in_doubt_and_never_doubles_it() {
    for kept in [true, false] {
        for silent in [true, false] {
            let house = first_time(At::Dot, move || {
                let act = if silent { Act::Silence } else { Act::Close };
                if kept { Act::Kept(Box::new(act)) } else { act }
            })
            .await;
            house.until_state(REFERENCE, State::InDoubt).await;
            house.pass(DAY * 30);
            house.until_quiet().await;
            let house = house.restart().await;
            house.until_quiet().await;
            assert_eq!(house.relay.taken().len(), usize::from(kept));
            assert_eq!(house.invitation(REFERENCE).await.progress.state, State::InDoubt);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_prefers_a_double_gets_the_same_message_id_again() {
    let house = House::impatient(&[("in_doubt", "\"resend\"")], |moment: &Moment| {
        if moment.at == At::Dot && moment.connection == 0 { Act::Kept(Box::new(Act::Close)) } else { Act::Ok }
    })
    .await;
    house.hand_in(&order_mail(REFERENCE, "Anna Example", "anna@customer.example.net")).await;
    house.pass(DAY * 7);
    rule_was(&house, Rule::AnswerLostResends).await;
    house.pass(Duration::from_secs(1800));
    house.until_state(REFERENCE, State::Sent).await;
    let ids = house
        .relay
        .taken()
        .iter()
        .map(|letter| crate::kit::opened(letter).message_id().unwrap().to_owned())
        .collect::<Vec<_>>();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_comes_back_gets_the_whole_queue_after_one_probe() {
    let house =
        House::impatient(
            &[],
            |moment: &Moment| {
                if moment.at == At::Greeting && moment.connection < 20 { Act::Close } else { Act::Ok }
            },
        )
        .await;
    for number in 0..60 {
        let mail =
            order_mail(&format!("{number:03}-AB"), "Anna Example", &format!("anna{number}@customer.example.net"));
        house.hand_in(&mail).await;
    }
    house.pass(DAY * 7);
    let mut tries = 0;
    while house.relay.taken().len() < 60 {
        // Only when each attempt has its end does the clock move: a rest that began later would outlast the step.
        let seen = until("the relay was tried, or nothing is due", async || {
            let seen = house.relay.seen();
            let next = house.store().next_due().await.unwrap();
            let idle = next.iter().all(|(_, due)| *due > house.clock.now());
            let busy = house.invitations().await.iter().any(|one| one.progress.state == State::Sending);
            (!busy && (seen.connections > tries || idle)).then_some(seen)
        })
        .await;
        tries = seen.connections;
        house.pass(Duration::from_secs(660));
    }
    house.until_quiet().await;
    assert!(tries <= 40, "{tries} connections: a relay that is down is probed, not stormed");
    let mut to = house.relay.taken().iter().map(|letter| letter.to.join(",")).collect::<Vec<_>>();
    to.sort();
    to.dedup();
    assert_eq!((to.len(), house.relay.taken().len()), (60, 60), "every letter once");
}
