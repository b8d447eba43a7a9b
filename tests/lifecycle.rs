//! Holds `docs/lifecycle.md` and the code together: the tables in the document are what the code does, cell by cell.
//!
//! `INVITED_UPDATE_DOCS=1 cargo test --test lifecycle` writes the tables anew after a deliberate change.
#![expect(clippy::unwrap_used, reason = "what a test does not expect is its failure")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use invited::domain::{
    Attempt, CustomerNews, DAY, Decision, DeskOrder, Event, EventKind, Fallback, Gap, Ground, InDoubt, Inputs,
    OrderNews, Planned, Policy, Progress, PutOffs, Rule, Ruling, State, Timestamp, Trigger, decide, open, open_again,
    open_by_hand,
};

#[path = "lifecycle/clocks.rs"]
mod clocks;
#[path = "lifecycle/schedules.rs"]
mod schedules;
#[path = "lifecycle/script.rs"]
mod script;
#[path = "lifecycle/weighed.rs"]
mod weighed;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

#[test]
fn the_tables_in_the_document_are_what_the_code_does() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/lifecycle.md");
    let mut document = std::fs::read_to_string(path).unwrap();
    let is_update = std::env::var_os("INVITED_UPDATE_DOCS").is_some();
    for (name, table) in [("rules", rules()), ("order-rules", weighed::table()), ("table", table())] {
        let (begin, end) = (format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->\n"));
        let (head, rest) = document.split_once(&begin).expect("the document marks where each table begins");
        let (written, tail) = rest.split_once(&end).expect("the document marks where each table ends");
        if is_update {
            document = format!("{head}{begin}{table}{end}{tail}");
            std::fs::write(path, &document).unwrap();
            continue;
        }
        for (number, (have, want)) in written.lines().zip(table.lines()).enumerate() {
            assert_eq!(have, want, "line {} of {name}; if the change is meant: INVITED_UPDATE_DOCS=1", number + 1);
        }
        assert_eq!(written.lines().count(), table.lines().count(), "{name}");
    }
}

#[test]
fn every_rule_is_reached_and_explained() {
    // Mailbox providers are the relay's business and no shop's rule: only the claim knows how many letters wait for one.
    let (table, weighed) = (table(), weighed::table());
    let document = include_str!("../docs/lifecycle.md");
    for rule in Rule::ALL {
        let name = format!("`{rule}`");
        // Who ends links moves no invitation.
        let others = [Rule::DomainBusy, Rule::DeskRevokesLinks];
        let is_met = table.contains(&name) || weighed.contains(&name) || others.contains(rule);
        assert!(is_met, "no event reaches {rule}");
        assert!(document.contains(&format!("| `{rule}` | {} |", rule.sentence())), "{rule} is not explained");
    }
    for rule in weighed::met() {
        assert!(weighed.contains(&format!("| `{rule}` |")), "{rule} has no row");
    }
}

fn rules() -> String {
    Rule::ALL.iter().fold("| rule | what it says |\n|---|---|\n".to_owned(), |table, rule| {
        table + &format!("| `{rule}` | {} |\n", rule.sentence())
    })
}

/// What an event did, over every policy and every progress that a state can have.
#[derive(Default)]
struct Outcomes(BTreeSet<(Option<State>, Rule)>);

impl Outcomes {
    fn add(&mut self, before: Option<&Progress>, after: &Decision) {
        let moved = before.is_none_or(|before| {
            // What is only remembered for later moves nothing.
            let memory = Progress { expected_by: before.expected_by, ..after.progress.clone() };
            *before != memory
        });
        self.0.insert((moved.then_some(after.progress.state), after.rule));
    }
}

/// All outcomes of each state and event. Events with the same outcomes in a state share a row.
fn table() -> String {
    let mut table = String::from("| state | event | becomes (rule) |\n|---|---|---|\n");
    let mut rows = |state: &str, outcomes: Vec<(String, Outcomes)>| {
        let mut cells: BTreeMap<String, (usize, Vec<String>)> = BTreeMap::new();
        for (place, (event, outcomes)) in outcomes.into_iter().enumerate() {
            let cell = outcomes.0.iter().map(|(to, rule)| match to {
                Some(to) => format!("{to} (`{rule}`)"),
                None => format!("no change (`{rule}`)"),
            });
            let cell = cell.collect::<Vec<_>>().join(", ");
            cells.entry(cell).or_insert((place, Vec::new())).1.push(event);
        }
        let mut cells = cells.into_iter().collect::<Vec<_>>();
        cells.sort_by_key(|(_, (place, _))| *place);
        for (cell, (_, events)) in cells {
            writeln!(table, "| {state} | {} | {cell} |", events.join("; ")).unwrap();
        }
    };
    rows("(none)", beginnings());
    for state in State::ALL {
        let outcomes = events().into_iter().map(|(name, event)| {
            let mut outcomes = Outcomes::default();
            for policy in policies() {
                for before in progresses(state) {
                    outcomes.add(Some(&before), &decide(&before, &event, &policy, NOW));
                }
            }
            (name, outcomes)
        });
        rows(state.as_str(), outcomes.collect());
    }
    let again = State::ALL.into_iter().map(|state| {
        let mut cells = BTreeSet::new();
        for before in progresses(state) {
            cells.insert(match open_again(&before, [], NOW, &Policy::AFS) {
                Ok(decision) => format!("{} (`{}`)", decision.progress.state, decision.rule),
                Err(rule) => format!("refused (`{rule}`)"),
            });
        }
        (state, cells.into_iter().collect::<Vec<_>>().join(", "))
    });
    for (state, cell) in again.collect::<Vec<_>>() {
        writeln!(table, "| {state} | desk reinvite | a new invitation: {cell} |").unwrap();
    }
    table
}

fn beginnings() -> Vec<(String, Outcomes)> {
    let hours = |hours: u64| Timestamp(NOW.0 - Duration::from_secs(hours * 3600).as_millis() as i64);
    let mut rows = Vec::new();
    for (name, news) in order_news() {
        for (when, cancelled) in [("", None), (" after its cancellation", Some(hours(2)))] {
            let mut outcomes = Outcomes::default();
            for policy in policies() {
                outcomes.add(None, &open(news, cancelled, &policy, NOW));
            }
            rows.push((format!("{name}{when}"), outcomes));
        }
    }
    let earlier = OrderNews::new(EventKind::Placed, hours(2));
    let mut outcomes = Outcomes::default();
    for cancelled in [hours(3), hours(2), NOW] {
        outcomes.add(None, &open(earlier, Some(cancelled), &Policy::AFS, NOW));
    }
    rows.push(("order placed, told less than an hour after its cancellation, or before it".to_owned(), outcomes));
    let mut outcomes = Outcomes::default();
    outcomes.add(None, &open_by_hand(NOW, &Policy::AFS));
    rows.push(("desk invite".to_owned(), outcomes));
    rows
}

fn policies() -> Vec<Policy> {
    let mut policies = Vec::new();
    let fallback = |trigger, days: u32| Some(Fallback { trigger, delay: DAY * days });
    for (trigger, otherwise) in [
        (Trigger::Order, None),
        (Trigger::Shipment, None),
        (Trigger::Shipment, fallback(Trigger::Order, 30)),
        (Trigger::Delivery, None),
        (Trigger::Delivery, fallback(Trigger::Shipment, 14)),
    ] {
        for reminder in [None, Some(DAY * 7)] {
            for in_doubt in [InDoubt::Hold, InDoubt::Resend] {
                policies.push(Policy { trigger, otherwise, reminder, in_doubt, ..Policy::AFS });
            }
        }
    }
    policies
}

/// Progresses of a state: nothing sent or one letter out, due in the past or the future, in time or too late, planned in any way
/// that the state can have, its order cancelled or not, put off by the customer for either reason or not.
fn progresses(state: State) -> Vec<Progress> {
    let pending = matches!(state, State::Waiting | State::Queued | State::Sent);
    let letters: &[u32] = match state {
        State::Waiting | State::Queued | State::Dropped => &[0],
        State::Sent => &[1],
        _ => &[0, 1],
    };
    let planned: &[Planned] = match state {
        State::Waiting => &[Planned::Trigger],
        State::Cancelled | State::Done => &[Planned::Trigger, Planned::Stopped, Planned::Declined],
        State::Dropped => &[Planned::Trigger, Planned::Declined],
        _ => &Planned::ALL[..5],
    };
    let cancelled: &[Option<Timestamp>] = match state {
        State::Cancelled | State::Done | State::Dropped | State::Held => &[None, Some(Timestamp(NOW.0 - 7_200_000))],
        _ => &[None],
    };
    let mut progresses = Vec::new();
    for &letters_sent in letters {
        for due in [Timestamp(NOW.0 - 1), NOW.plus(DAY)] {
            for expires in [Timestamp(NOW.0 - 1), NOW.plus(DAY * 30)] {
                for &planned in planned {
                    for (&cancelled_at, put_off) in cancelled
                        .iter()
                        .flat_map(|at| [(at, PutOffs::default()), (at, PutOffs { not_arrived: true, ask_later: true })])
                    {
                        progresses.push(Progress {
                            state,
                            due_at: pending.then_some(due),
                            expires_at: (!state.has_ended() && state != State::Waiting).then_some(expires),
                            letters_sent,
                            attempts: u32::from(state == State::Sending),
                            planned,
                            expected_by: None,
                            cancelled_at,
                            put_off,
                        });
                    }
                }
            }
        }
    }
    progresses
}

fn order_news() -> Vec<(String, OrderNews)> {
    let placed = OrderNews::new(EventKind::Placed, NOW);
    let plain = EventKind::ALL.into_iter().map(|kind| (format!("order {kind}"), OrderNews::new(kind, NOW)));
    let more = [
        ("order placed, expected in 20 days", OrderNews { expected_by: Some(NOW.plus(DAY * 20)), ..placed }),
        ("order placed, letter wished in 3 days", OrderNews { preferred: Some(NOW.plus(DAY * 3)), ..placed }),
    ];
    plain.chain(more.map(|(name, news)| (name.to_owned(), news))).collect()
}

fn events() -> Vec<(String, Event)> {
    let mut events = order_news().into_iter().map(|(name, news)| (name, Event::Order(news))).collect::<Vec<_>>();
    let mut add = |name: &str, event: Event| events.push((name.to_owned(), event));
    let ground = |rule| Ground { rule, inputs: Inputs::NONE };
    let wait = |days: u32, rule| Ruling::Wait { until: NOW.plus(DAY * days), ground: ground(rule) };
    add("not admitted", Event::NotAdmitted(ground(Rule::TooOld)));
    add("due, and may go", Event::Due(Ruling::Go));
    add("due, and must wait", Event::Due(wait(2, Rule::PersonApart)));
    add("due, and must wait beyond its end of life", Event::Due(wait(300, Rule::SameProduct)));
    add("due, and the shop does not want it", Event::Due(Ruling::Drop(ground(Rule::NoConsent))));
    add("due, and the person does not want it", Event::Due(Ruling::Stop(ground(Rule::Suppressed))));
    let retry_at = NOW.plus(Duration::from_secs(360));
    for (name, attempt) in [
        ("attempt accepted", Attempt::Accepted),
        ("attempt deferred", Attempt::Deferred { retry_at }),
        ("attempt relay down", Attempt::RelayDown { retry_at }),
        ("attempt refused", Attempt::Refused),
        ("attempt answer lost", Attempt::AnswerLost { retry_at }),
        ("attempt interrupted", Attempt::Interrupted),
        ("attempt unsendable", Attempt::Unsendable),
    ] {
        add(name, Event::Attempt(attempt));
    }
    for (name, order) in [
        ("desk cancel", DeskOrder::Cancel),
        ("desk reschedule", DeskOrder::Reschedule(NOW.plus(DAY))),
        ("desk reschedule by 91 days", DeskOrder::Reschedule(NOW.plus(DAY * 91))),
        ("desk reschedule into the past", DeskOrder::Reschedule(Timestamp(NOW.0 - 1))),
        ("desk send now", DeskOrder::SendNow),
    ] {
        add(name, Event::Desk(order));
    }
    for (name, days) in [("restored from a backup of an hour ago", 0), ("restored from a backup of 60 days ago", 60)] {
        let since = Timestamp(NOW.0 - 3_600_000 - days * i64::try_from(DAY.as_millis()).unwrap());
        add(name, Event::Restored(Gap { since, until: NOW, on_time: true }));
    }
    add(
        "restored while letters may have been hurried on",
        Event::Restored(Gap { since: NOW, until: NOW, on_time: false }),
    );
    for news in CustomerNews::ALL {
        add(&format!("customer {}", news.as_str()), Event::Customer(news));
    }
    events
}
