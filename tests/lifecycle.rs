//! Holds `docs/lifecycle.md` and the code together: the table in the document is what the code does, cell by cell, and random
//! lives of invitations keep the promises that the document makes.
//!
//! `INVITED_UPDATE_DOCS=1 cargo test --test lifecycle` writes the table anew after a deliberate change.
#![expect(clippy::unwrap_used, reason = "what a test does not expect is its failure")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use invited::domain::{
    Attempt, DAY, DeskOrder, Event, EventKind, InDoubt, OrderNews, Planned, Policy, Progress, Rule, Ruling, State,
    Timestamp, Trigger, decide, open,
};
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const BEGIN: &str = "<!-- table: begin -->\n";
const END: &str = "<!-- table: end -->\n";

#[test]
fn the_table_in_the_document_is_what_the_code_does() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/lifecycle.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (head, rest) = document.split_once(BEGIN).expect("the document marks where the table begins");
    let (written, tail) = rest.split_once(END).expect("the document marks where the table ends");
    let table = table();
    if std::env::var_os("INVITED_UPDATE_DOCS").is_some() {
        std::fs::write(path, format!("{head}{BEGIN}{table}{END}{tail}")).unwrap();
    } else {
        for (number, (have, want)) in written.lines().zip(table.lines()).enumerate() {
            assert_eq!(have, want, "line {} of the table; if the change is meant: INVITED_UPDATE_DOCS=1", number + 1);
        }
        assert_eq!(written.lines().count(), table.lines().count());
    }
}

#[test]
fn every_rule_is_reached_and_explained() {
    let table = table();
    let document = include_str!("../docs/lifecycle.md");
    for rule in Rule::ALL {
        assert!(table.contains(&format!("`{rule}`")), "no event reaches {rule}");
        assert!(document.contains(&format!("| `{rule}` | {} |", rule.sentence())), "{rule} is not explained");
    }
}

/// All outcomes of each state and event over every policy and every progress that the state can have.
fn table() -> String {
    let mut table = String::from("| state | event | becomes (rule) |\n|---|---|---|\n");
    let mut row = |state: &str, event: &str, outcomes: &BTreeSet<(Option<State>, Rule)>| {
        let cell = outcomes
            .iter()
            .map(|(to, rule)| match to {
                Some(to) => format!("{to} (`{rule}`)"),
                None => format!("no change (`{rule}`)"),
            })
            .collect::<Vec<_>>();
        writeln!(table, "| {state} | {event} | {} |", cell.join(", ")).unwrap();
    };
    for (name, news) in order_news() {
        let mut outcomes = BTreeSet::new();
        for policy in policies() {
            for order_cancelled in [None, Some(NOW)] {
                let decision = open(news, order_cancelled, &policy, NOW);
                outcomes.insert((Some(decision.progress.state), decision.rule));
            }
        }
        row("(none)", &name, &outcomes);
    }
    for state in State::ALL {
        for (name, event) in events() {
            let mut outcomes = BTreeSet::new();
            for policy in policies() {
                for before in progresses(state) {
                    let decision = decide(&before, &event, &policy, NOW);
                    let moved = (decision.progress != before).then_some(decision.progress.state);
                    outcomes.insert((moved, decision.rule));
                }
            }
            row(state.as_str(), &name, &outcomes);
        }
    }
    table
}

fn policies() -> Vec<Policy> {
    let mut policies = Vec::new();
    for trigger in [Trigger::Order, Trigger::Shipment, Trigger::Delivery] {
        for reminder in [None, Some(DAY * 7)] {
            for in_doubt in [InDoubt::Hold, InDoubt::Resend] {
                policies.push(Policy { trigger, reminder, in_doubt, ..Policy::default() });
            }
        }
    }
    policies
}

/// Progresses of a state: nothing sent or one letter out, due in the past or the future, in time or too late.
fn progresses(state: State) -> Vec<Progress> {
    let ended = matches!(state, State::Done | State::Cancelled | State::Failed);
    let pending = matches!(state, State::Waiting | State::Queued | State::Sent);
    let mut progresses = Vec::new();
    let letters: &[u32] = match state {
        State::Waiting | State::Queued => &[0],
        State::Sent => &[1],
        _ => &[0, 1],
    };
    for letters_sent in letters {
        for due in [NOW, NOW.plus(DAY)] {
            for expires in [Timestamp(NOW.0 - 1), NOW.plus(DAY * 30)] {
                progresses.push(Progress {
                    state,
                    due_at: pending.then_some(due),
                    expires_at: (!ended && state != State::Waiting).then_some(expires),
                    letters_sent: *letters_sent,
                    attempts: u32::from(state == State::Sending),
                    planned: Planned::Trigger,
                    expected_by: None,
                    cancelled_at: None,
                });
            }
        }
    }
    progresses
}

fn order_news() -> Vec<(String, OrderNews)> {
    EventKind::ALL
        .into_iter()
        .map(|kind| (format!("order {kind}"), OrderNews::new(kind, NOW)))
        .chain([(
            "order placed, expected in 20 days".to_owned(),
            OrderNews { expected_by: Some(NOW.plus(DAY * 20)), ..OrderNews::new(EventKind::Placed, NOW) },
        )])
        .collect()
}

fn events() -> Vec<(String, Event)> {
    let retry_at = NOW.plus(Duration::from_secs(360));
    let mut events = order_news().into_iter().map(|(name, news)| (name, Event::Order(news))).collect::<Vec<_>>();
    events.push(("due".to_owned(), Event::Due(Ruling::Go)));
    for (name, attempt) in [
        ("accepted", Attempt::Accepted),
        ("deferred", Attempt::Deferred { retry_at }),
        ("relay down", Attempt::RelayDown { retry_at }),
        ("refused", Attempt::Refused),
        ("answer lost", Attempt::AnswerLost { retry_at }),
        ("interrupted", Attempt::Interrupted),
        ("unsendable", Attempt::Unsendable),
    ] {
        events.push((format!("attempt {name}"), Event::Attempt(attempt)));
    }
    for (name, order) in [
        ("cancel", DeskOrder::Cancel),
        ("reschedule", DeskOrder::Reschedule(NOW.plus(DAY))),
        ("reschedule by 91 days", DeskOrder::Reschedule(NOW.plus(DAY * 91))),
        ("send now", DeskOrder::SendNow),
    ] {
        events.push((format!("desk {name}"), Event::Desk(order)));
    }
    events
}

/// One step of a random life: how far the clock moves, and what happens then.
fn steps() -> impl Strategy<Value = Vec<(u64, usize)>> {
    proptest::collection::vec((0..40 * 86_400_u64, 0..events().len()), 1..40)
}

proptest! {
    #[test]
    fn random_lives_keep_the_promises(
        steps in steps(),
        first in 0..order_news().len(),
        policy in (0..policies().len()).prop_map(|index| policies().swap_remove(index)),
    ) {
        let mut now = NOW;
        let mut progress = open(order_news()[first].1, None, &policy, now).progress;
        let mut stopped = progress.state == State::Cancelled;
        for (seconds, index) in steps {
            now = now.plus(Duration::from_secs(seconds));
            let event = events().swap_remove(index).1;
            let before = progress.clone();
            progress = decide(&before, &event, &policy, now).progress;

            // A letter leaves only out of a claim, and a claim is only made when it is due, in time, and not stopped.
            if progress.state == State::Sending && before.state != State::Sending {
                prop_assert!(!stopped);
                prop_assert!(before.due_at.is_some_and(|due| due <= now));
                prop_assert!(before.expires_at.is_some_and(|end| end >= now));
                prop_assert!(progress.letters_sent < 2);
            }
            // Cancelled is final.
            if stopped {
                prop_assert_eq!(progress.state, State::Cancelled);
            }
            stopped = progress.state == State::Cancelled;
            // What waits has a due time, what has ended has none: nothing is forgotten and nothing is endless.
            let pending = matches!(progress.state, State::Waiting | State::Queued | State::Sent);
            prop_assert_eq!(pending, progress.due_at.is_some());
            // Letters never disappear from the count.
            prop_assert!(progress.letters_sent >= before.letters_sent);
        }
    }
}
