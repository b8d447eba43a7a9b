//! `invited status`: how things stand, on one screen; and for monitoring, whether all is well.

use clap::Args;
use serde_json::{Value, json};

use super::output::{count, local};
use super::{ConfigArg, Desk, Failure, JsonArg, Output};
use crate::domain::{Complaints, State, Timestamp, Zone};
use crate::ops::status::{Daemon, RelayWord, Status as Standing, faults, look, told};

/// What `status` shows.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  Daemon, queue, relays, disk:
    invited status
  For monitoring: 0 when all is well, 1 when a person should look:
    invited status --json")]
pub(super) struct Status {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
}

impl Status {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        let (now, zone) = (desk.clock.now(), desk.zone());
        let standing = look(&desk.store, &desk.config, now).await?;
        let faults = faults(&standing, now);
        let mut out = Output::new();
        if self.json.json {
            out.json(&object(&standing, &faults, now))?;
        } else {
            out.table(&[], rows(&standing, now, &zone))?;
            for fault in &faults {
                out.line(format!("! {fault}"))?;
            }
        }
        match faults.len() {
            0 => Ok(()),
            faults => Err(Failure::Undone(format!("not well: {}", count(faults, "reason")))),
        }
    }
}

/// What people see: a word for what it is about, and how it is.
fn rows(standing: &Standing, now: Timestamp, zone: &Zone) -> Vec<Vec<String>> {
    let mut rows = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
    for daemon in &standing.daemons {
        rows.extend(of_daemon(daemon, now, zone));
    }
    let counts = &standing.counts;
    rows.push(("copies", format!("{} unread, {} held", counts.unread, counts.held_copies)));
    rows.push(("queue", queue(standing, now, zone)));
    for pause in &standing.pauses {
        let whose = pause.shop.as_ref().map_or("all shops".to_owned(), |shop| format!("shop {shop}"));
        rows.push(("paused", format!("{whose}, since {} by {}", local(pause.since, zone), pause.actor.name)));
    }
    for alarm in &standing.alarms {
        let what = format!("shop {}: {}, since {}", alarm.shop, alarm.kind.as_str(), local(alarm.since, zone));
        rows.push(("alarm", what));
    }
    for one in &standing.complaints {
        rows.push(("complaints", format!("shop {}: {}", one.shop, one.seen)));
    }
    if let Some(oldest) = standing.erasures_asked.first() {
        let asked = count(standing.erasures_asked.len(), "request");
        let since = local(*oldest, zone);
        rows.push(("to erase", format!("{asked}, the first of {since}; see: invited person requests")));
    }
    if let Some(disk) = standing.disk {
        rows.push(("disk", format!("{} free of {}", size(disk.free), size(disk.whole))));
    }
    let backup = counts.last_backup.map_or("never".to_owned(), |at| local(at, zone));
    rows.push(("last backup", backup));
    rows.into_iter().map(|(what, how)| vec![what.to_owned(), how]).collect()
}

fn of_daemon(daemon: &Daemon, now: Timestamp, zone: &Zone) -> Vec<(&'static str, String)> {
    let Daemon { word, at, .. } = daemon;
    let since = told(now.since(Timestamp(word.began)));
    let how = match daemon.lives(now) {
        true => format!("at work for {since}"),
        false => format!("not at work, last heard of {}", local(*at, zone)),
    };
    let mut rows = vec![("daemon", format!("{} process {}, version {}, {how}", word.host, word.process, word.version))];
    if !daemon.lives(now) {
        return rows;
    }
    let listeners = word.listeners.iter().map(|listener| match listener.tls.as_str() {
        "" | "none" => format!("{} {}", listener.role, listener.address),
        tls => format!("{} {} (TLS {tls})", listener.role, listener.address),
    });
    rows.push(("listens", listeners.collect::<Vec<_>>().join(", ")));
    let rate = |hour, day| format!("{hour} in the last hour, {day} in 24 hours");
    rows.push(("taken in", rate(word.copies.hour, word.copies.day)));
    rows.push(("letters sent", rate(word.letters.hour, word.letters.day)));
    rows.extend(word.certificate_ends.map(|at| ("certificate", format!("until {}", local(Timestamp(at), zone)))));
    for relay in &word.relays {
        rows.push(("relay", of_relay(relay, zone)));
    }
    if word.hold_all {
        rows.push(("held", "all letters: hold_all stands in the configuration".to_owned()));
    }
    rows
}

/// How a relay is; of one that cannot be used since when, why, and when it is tried next.
fn of_relay(relay: &RelayWord, zone: &Zone) -> String {
    let at = |at: i64| local(Timestamp(at), zone);
    let until = relay.until.map(|until| format!(" until {}, then one letter tries it", at(until))).unwrap_or_default();
    let since = relay.since.map(|since| format!("; it cannot be used since {}", at(since))).unwrap_or_default();
    let why = relay.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let person = if relay.needs_person { "; waiting will not mend it" } else { "" };
    format!("{} {}{until}{since}{why}{person}", relay.name, relay.state)
}

fn queue(standing: &Standing, now: Timestamp, zone: &Zone) -> String {
    let counts = &standing.counts.invitations;
    let open = [State::Waiting, State::Queued, State::Sending, State::Sent, State::Held, State::InDoubt, State::Failed];
    let mut parts = open.into_iter().filter_map(|state| {
        let count = counts.get(&state).filter(|count| **count > 0)?;
        Some(format!("{count} {state}"))
    });
    let mut parts = parts.by_ref().collect::<Vec<_>>();
    if parts.is_empty() {
        parts.push("empty".to_owned());
    }
    parts.extend(standing.due.map(|due| match now.since(due).as_secs() {
        0 => format!("next due {}", local(due, zone)),
        _ => format!("due since {}", local(due, zone)),
    }));
    parts.join(", ")
}

fn size(bytes: u64) -> String {
    const GIB: u64 = 1024 * 1024 * 1024;
    match bytes {
        0..GIB => format!("{} MiB", bytes / (1024 * 1024)),
        _ => format!("{} GiB", bytes / GIB),
    }
}

/// What programs get.
fn object(standing: &Standing, faults: &[String], now: Timestamp) -> Value {
    let instant = |at: Timestamp| at.to_jiff().to_string();
    let daemons = standing.daemons.iter().map(|daemon| {
        let word = &daemon.word;
        let relays = word.relays.iter().map(|relay| {
            json!({
                "name": relay.name,
                "state": relay.state,
                "until": relay.until.map(|at| instant(Timestamp(at))),
                "since": relay.since.map(|at| instant(Timestamp(at))),
                "why": relay.why,
                "needs_person": relay.needs_person,
            })
        });
        json!({
            "host": word.host,
            "process": word.process,
            "version": word.version,
            "began": instant(Timestamp(word.began)),
            "at": instant(daemon.at),
            "lives": daemon.lives(now),
            "fault": word.fault,
            "listeners": word.listeners,
            "certificate_ends": word.certificate_ends.map(|at| instant(Timestamp(at))),
            "relays": relays.collect::<Vec<_>>(),
            "copies": word.copies,
            "letters": word.letters,
            "hold_all": word.hold_all,
        })
    });
    let counts = &standing.counts;
    let invitations = State::ALL.iter().map(|state| {
        let count = counts.invitations.get(state).copied().unwrap_or(0);
        (state.as_str().to_owned(), Value::from(count))
    });
    let alarms = standing.alarms.iter().map(|alarm| {
        json!({ "shop": alarm.shop.as_str(), "kind": alarm.kind.as_str(), "since": instant(alarm.since), "note": alarm.note })
    });
    let complaints = standing.complaints.iter().map(|one| {
        let Complaints { week, month, letters } = one.seen;
        json!({ "shop": one.shop.as_str(), "days_7": week, "days_30": month, "letters_30_days": letters })
    });
    let pauses = standing
        .pauses
        .iter()
        .map(|pause| json!({ "shop": pause.shop.as_ref().map(|shop| shop.as_str()), "since": instant(pause.since) }));
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "well": faults.is_empty(),
        "faults": faults,
        "daemons": daemons.collect::<Vec<_>>(),
        "unread": counts.unread,
        "oldest_unread": counts.oldest_unread.map(instant),
        "held_copies": counts.held_copies,
        "invitations": invitations.collect::<serde_json::Map<_, _>>(),
        "next_due": standing.due.map(instant),
        "alarms": alarms.collect::<Vec<_>>(),
        "complaints": complaints.collect::<Vec<_>>(),
        "pauses": pauses.collect::<Vec<_>>(),
        "disk_free": standing.disk.map(|disk| disk.free),
        "disk_whole": standing.disk.map(|disk| disk.whole),
        "last_backup": counts.last_backup.map(instant),
        "erasure_requests": {
            "open": standing.erasures_asked.len(), "oldest": standing.erasures_asked.first().copied().map(instant),
        },
    })
}
