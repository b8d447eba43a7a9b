//! How things stand, for whoever asks: the daemon says from time to time in the store what only it knows (listeners, relays, rates), and
//! [`look`] puts that beside what the store knows. Whether all is well is a pure question, [`faults`], so that monitoring and people get
//! one answer.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::house::House;
use super::relays::{Readiness, RelayState};
use super::stats::day_of;
use super::vitals;
use crate::config::Config;
use crate::domain::{AlarmKind, DAY, HOUR, ShopId, State, Timestamp};
use crate::store::{Alarm, Counts, Disk, Pause, Report, ShopComplaints, Store, StoreError, disk_of};

/// A daemon that has said nothing for so long is not at work: it says something several times a minute.
pub const SILENT_AFTER: Duration = Duration::from_secs(60);

/// A daemon that fell silent so long ago beside another that works is nobody's worry any more.
const FORGOTTEN_AFTER: Duration = HOUR;

/// For how long letters may be due, and copies unread, before that is a fault.
const LATE: Duration = HOUR;
const LAGS: Duration = Duration::from_secs(600);

/// A relay that rests is a fault when letters have waited for it so long.
const RELAY_AWAY: Duration = Duration::from_secs(600);

/// Free room below which a disk is a fault; on a small disk a tenth of it.
const ROOM: u64 = 256 * 1024 * 1024;

/// How long before its end a certificate is a fault. ACME clients renew theirs a month before.
const CERTIFICATE_ENDS: Duration = DAY.saturating_mul(14);

/// For how long somebody may wait to be erased before that is a fault. GDPR, article 12(3), gives a month.
const ERASE_WITHIN: Duration = DAY.saturating_mul(14);

/// Letters and copies are counted once a minute, for a day.
const STEP: Duration = Duration::from_secs(60);

/// What a daemon says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Word {
    /// The program's version.
    pub version: String,
    /// The machine's name.
    pub host: String,
    /// The process.
    pub process: u32,
    /// When it was started.
    pub began: i64,
    /// Where it listens.
    pub listeners: Vec<Listening>,
    /// When the certificate of its listeners ends, milliseconds.
    pub certificate_ends: Option<i64>,
    /// Its relays.
    pub relays: Vec<RelayWord>,
    /// Messages that it kept.
    pub copies: Rate,
    /// Letters that a relay took from it.
    pub letters: Rate,
    /// Whether it hands no letter to a relay because the configuration says so.
    pub hold_all: bool,
    /// Why it cannot do its work, when it cannot.
    pub fault: Option<String>,
}

/// A listener.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Listening {
    /// Its address.
    pub address: String,
    /// What it is for: `smtp`, `submission`, `lmtp`, `http`, `pages`.
    pub role: String,
    /// How its sessions are protected: `starttls`, `required`, `implicit`, `none`.
    pub tls: String,
}

/// What the parts around the house know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outside {
    /// Where it is listened.
    pub listeners: Vec<Listening>,
    /// When the listeners' certificate ends.
    pub certificate_ends: Option<Timestamp>,
}

/// A relay as the daemon knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RelayWord {
    /// Its name in the configuration.
    pub name: String,
    /// `up`, `rests` or `is tried`.
    pub state: String,
    /// Until when it rests, milliseconds: one letter tries it then.
    pub until: Option<i64>,
    /// Since when it cannot be used, milliseconds.
    pub since: Option<i64>,
    /// Why, with the step in front. Holds no address of a person.
    pub why: Option<String>,
    /// Whether waiting will not mend it.
    pub needs_person: bool,
}

/// How many in the last hour and in the last day, or since the start when that is less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Rate {
    /// In the last hour.
    pub hour: u64,
    /// In the last 24 hours.
    pub day: u64,
}

/// Counts of the last day, a minute apart.
#[derive(Debug, Default)]
pub(super) struct Rates(Mutex<VecDeque<(Timestamp, [u64; 2])>>);

impl Rates {
    /// What was counted until now, copies and letters; gives the rates of both.
    fn saw(&self, counts: [u64; 2], now: Timestamp) -> [Rate; 2] {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back begins anew.
        if seen.back().is_some_and(|(last, _)| *last > now) {
            seen.clear();
        }
        while seen.get(1).is_some_and(|(at, _)| now.since(*at) >= DAY) {
            seen.pop_front();
        }
        let before = |span: Duration| {
            let then = seen.iter().rev().find(|(at, _)| now.since(*at) >= span).or(seen.front());
            then.map_or([0, 0], |(at, then)| if now.since(*at) >= span { *then } else { [0, 0] })
        };
        let (hour, day) = (before(HOUR), before(DAY));
        if seen.back().is_none_or(|(last, _)| now.since(*last) >= STEP) {
            seen.push_back((now, counts));
        }
        [0, 1].map(|n| Rate { hour: counts[n].saturating_sub(hour[n]), day: counts[n].saturating_sub(day[n]) })
    }
}

/// Says in the store how this daemon is.
///
/// # Errors
/// When the store cannot be written, which shows in [`vitals::ready`].
pub async fn report(house: &House) -> Result<(), StoreError> {
    let now = house.clock.now();
    let body = serde_json::to_string(&word(house, now).await).unwrap_or_default();
    let reported = house.store.report(&Report { owner: house.owner.clone(), at: now, body }).await;
    house.vitals.wrote(reported.is_ok());
    reported
}

async fn word(house: &House, now: Timestamp) -> Word {
    let setup = house.setup();
    let mut relays = house.relay_states().into_iter().map(relay).collect::<Vec<_>>();
    relays.sort_by(|one, other| one.name.cmp(&other.name));
    let outside = house.outside();
    let [copies, letters] = house.rates.saw([house.meter.taken_in(), house.meter.letters()], now);
    Word {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: host(),
        process: std::process::id(),
        began: house.began.0,
        listeners: outside.listeners,
        certificate_ends: outside.certificate_ends.map(|at| at.0),
        relays,
        copies,
        letters,
        hold_all: setup.config.hold_all,
        fault: vitals::ready(house).await.err(),
    }
}

fn relay(relay: RelayState) -> RelayWord {
    let (state, until) = match relay.readiness {
        Readiness::RestsUntil(until) if !relay.probing => ("rests", Some(until.0)),
        Readiness::Open => ("up", None),
        Readiness::Probe | Readiness::RestsUntil(_) => ("is tried", None),
    };
    RelayWord {
        name: relay.name,
        state: state.to_owned(),
        until,
        since: relay.down_since.map(|since| since.0),
        why: relay.trouble,
        needs_person: relay.needs_person,
    }
}

/// This machine's name.
pub fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned()).unwrap_or_default()
}

/// A daemon and what it said last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// What it said.
    pub word: Word,
    /// When.
    pub at: Timestamp,
    /// Whether its process is known to be gone.
    pub is_gone: bool,
}

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// The daemons, who spoke last first.
    pub daemons: Vec<Daemon>,
    /// What stands in the queue.
    pub counts: Counts,
    /// When something is due next or has been since, of shops that do not rest.
    pub due: Option<Timestamp>,
    /// What is not as usual.
    pub alarms: Vec<Alarm>,
    /// What customers said of the letters of shops of which somebody complained within a month.
    pub complaints: Vec<ShopComplaints>,
    /// Whose letters rest.
    pub pauses: Vec<Pause>,
    /// The disk of the database's file.
    pub disk: Option<Disk>,
    /// When each person asked who wants to be erased and is not yet, oldest first.
    pub erasures_asked: Vec<Timestamp>,
}

/// The daemons, who spoke last first.
///
/// # Errors
/// When the store cannot be read.
pub async fn daemons(store: &dyn Store) -> Result<Vec<Daemon>, StoreError> {
    let own = host();
    let daemons = store.reports().await?.into_iter().rev().map(|report| {
        // What a newer program adds is passed over, what it leaves out is empty.
        let word = serde_json::from_str::<Word>(&report.body).unwrap_or_default();
        let is_gone = word.host == own && !std::path::Path::new("/proc").join(word.process.to_string()).exists();
        Daemon { word, at: report.at, is_gone }
    });
    Ok(daemons.collect())
}

/// Looks how things stand. It reads a few rows, however many invitations there are.
///
/// # Errors
/// When the store cannot be read.
pub async fn look(store: &dyn Store, config: &Config, now: Timestamp) -> Result<Status, StoreError> {
    let shops = config.shops.iter().map(|shop| &shop.id).collect::<Vec<&ShopId>>();
    let alarms = store.watch_figures().await?.alarms;
    let complaints = store.complaints(day_of(now)).await?;
    Ok(Status {
        daemons: daemons(store).await?,
        counts: store.counts().await?,
        due: store.next_due().await?.into_iter().map(|(_, at)| at).min(),
        alarms: alarms.into_iter().filter(|alarm| shops.contains(&&alarm.shop)).collect(),
        complaints: complaints.into_iter().filter(|one| one.seen.month > 0 && shops.contains(&&one.shop)).collect(),
        pauses: store.pauses().await?,
        disk: disk_of(&config.database),
        erasures_asked: store.erasure_requests().await?.into_iter().map(|one| one.at).collect(),
    })
}

impl Daemon {
    /// Whether it is at work, as far as can be known from here.
    pub fn lives(&self, now: Timestamp) -> bool {
        !self.is_gone && now.since(self.at) < SILENT_AFTER
    }
}

/// Everything that is not well, each in a sentence with what to do; empty when all is.
pub fn faults(status: &Status, now: Timestamp) -> Vec<String> {
    let mut faults = Vec::new();
    of_daemons(status, now, &mut faults);
    let overdue = status.due.map_or(Duration::ZERO, |due| now.since(due));
    let living = || status.daemons.iter().filter(|daemon| daemon.lives(now));
    for relay in living().flat_map(|daemon| &daemon.word.relays) {
        if relay.state != "up" && overdue >= RELAY_AWAY {
            let why = relay.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            let name = &relay.name;
            faults.push(format!("letters wait for the relay {name}, which cannot be used{why}; see: invited check"));
        }
    }
    let ends = living().filter_map(|daemon| daemon.word.certificate_ends).map(Timestamp).min();
    if let Some(ends) = ends.filter(|ends| ends.since(now) < CERTIFICATE_ENDS) {
        let what = if ends <= now { "has ended" } else { "ends soon" };
        faults.push(format!("the certificate of the listeners {what}, {ends}; renew it, it is read again by itself"));
    }
    let is_held = living().any(|daemon| daemon.word.hold_all);
    if overdue >= LATE && !is_held {
        faults.push(format!("letters have been due for {}; see: invited queue list", told(overdue)));
    }
    let lag = status.counts.oldest_unread.map_or(Duration::ZERO, |at| now.since(at));
    if lag >= LAGS {
        faults.push(format!("copies have been unread for {}; the log says why", told(lag)));
    }
    for alarm in &status.alarms {
        let kind = alarm.kind.as_str();
        let see = where_to_look(alarm.kind);
        faults.push(format!("shop {}: {kind}: {}; see: {see}", alarm.shop, alarm.note));
    }
    if let Some(in_doubt) = status.counts.invitations.get(&State::InDoubt).filter(|count| **count > 0) {
        faults.push(format!("{in_doubt} in doubt; see: invited queue list --state in_doubt"));
    }
    if let Some(asked) = status.erasures_asked.first().filter(|asked| now.since(**asked) >= ERASE_WITHIN) {
        let waits = told(now.since(*asked));
        faults.push(format!("somebody asked {waits} ago to be erased, and is not; see: invited person requests"));
    }
    if let Some(disk) = status.disk.filter(|disk| disk.free < ROOM.min(disk.whole / 10)) {
        faults.push(format!("the disk of the database has {} MiB left; make room", disk.free / (1024 * 1024)));
    }
    faults
}

/// The command that shows more about an alarm.
pub(super) const fn where_to_look(kind: AlarmKind) -> &'static str {
    match kind {
        AlarmKind::Held | AlarmKind::Volume => "invited held list --count",
        AlarmKind::Sender => "invited held list --count, and invited senders list",
        AlarmKind::Silent => "invited shop address",
        AlarmKind::Relay => "invited check",
        AlarmKind::Complaint => {
            "invited queue stats, invited suppress list --reason complained, and docs/bounces.md on what to do"
        }
    }
}

fn of_daemons(status: &Status, now: Timestamp, faults: &mut Vec<String>) {
    let lives = status.daemons.iter().any(|daemon| daemon.lives(now));
    if status.daemons.is_empty() {
        faults.push("no daemon is at work; start it with: systemctl start invited".to_owned());
    }
    for Daemon { word, at, is_gone } in &status.daemons {
        let silent = now.since(*at);
        if lives && silent >= FORGOTTEN_AFTER {
            continue;
        }
        let who = format!("the daemon on {} (process {})", word.host, word.process);
        if *is_gone {
            faults.push(format!("{who} is gone without having been stopped; its log says why"));
        } else if silent >= SILENT_AFTER {
            faults.push(format!("{who} has said nothing for {}: it hangs, was killed, or cannot write", told(silent)));
        } else if let Some(fault) = &word.fault {
            faults.push(format!("{who}: {fault}"));
        }
    }
}

/// A span in its largest unit.
pub fn told(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::AlarmKind;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);

    fn ago(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_000_000 - seconds)
    }

    fn daemon(seconds: i64) -> Daemon {
        let relays = vec![RelayWord { name: "default".to_owned(), state: "up".to_owned(), ..RelayWord::default() }];
        let word = Word { host: "mail".to_owned(), process: 7, relays, ..Word::default() };
        Daemon { word, at: ago(seconds), is_gone: false }
    }

    fn well() -> Status {
        let disk = Some(Disk { free: 1 << 40, whole: 1 << 41 });
        Status { daemons: vec![daemon(4)], disk, due: Some(ago(-60)), ..Status::default() }
    }

    fn told_of(change: impl FnOnce(&mut Status)) -> Vec<String> {
        let mut status = well();
        change(&mut status);
        faults(&status, NOW)
    }

    #[test]
    fn whoever_asked_to_be_erased_waits_a_fortnight_at_most() {
        let asked = |days: i64| told_of(|status| status.erasures_asked = vec![ago(days * 86_400), ago(0)]);
        assert_eq!(asked(13), Vec::<String>::new());
        assert_eq!(asked(14), ["somebody asked 14 days ago to be erased, and is not; see: invited person requests"]);
    }

    #[test]
    fn what_is_well_has_no_faults() {
        assert_eq!(faults(&well(), NOW), Vec::<String>::new());
        assert_eq!(told_of(|status| status.daemons.push(daemon(7_200))), Vec::<String>::new(), "a daemon of yesterday");
        assert_eq!(told_of(|status| status.due = Some(ago(500))), Vec::<String>::new());
        let held = told_of(|status| {
            status.daemons[0].word.hold_all = true;
            status.due = Some(ago(9_000));
        });
        assert_eq!(held, Vec::<String>::new(), "letters that are held on purpose");
    }

    #[test]
    fn each_fault_is_told_with_what_to_do() {
        let alarm = Alarm {
            shop: ShopId::parse("nord").unwrap(),
            kind: AlarmKind::Silent,
            since: NOW,
            note: "none for 30 hours".to_owned(),
        };
        let note = "the relay main needs a person".to_owned();
        let refused = Alarm { kind: AlarmKind::Relay, note, ..alarm.clone() };
        let faults = [
            (told_of(|status| status.daemons.clear()), "no daemon is at work"),
            (told_of(|status| status.daemons[0] = daemon(61)), "has said nothing for 61 s"),
            (told_of(|status| status.daemons[0].is_gone = true), "is gone without having been stopped"),
            (told_of(|status| status.daemons.push(daemon(100))), "has said nothing for 100 s"),
            (told_of(|status| status.daemons[0].word.fault = Some("no space left".to_owned())), "no space left"),
            (
                told_of(|status| {
                    status.daemons[0].word.relays[0].state = "rests".to_owned();
                    status.due = Some(ago(700));
                }),
                "letters wait for the relay default",
            ),
            (
                told_of(|status| status.daemons[0].word.certificate_ends = Some(ago(-86_400).0)),
                "the certificate of the listeners ends soon",
            ),
            (told_of(|status| status.due = Some(ago(3_600))), "letters have been due for 60 min"),
            (told_of(|status| status.counts.oldest_unread = Some(ago(600))), "copies have been unread for 10 min"),
            (
                told_of(|status| status.alarms.push(alarm)),
                "shop nord: silent: none for 30 hours; see: invited shop address",
            ),
            (told_of(|status| status.alarms.push(refused)), "needs a person; see: invited check"),
            (told_of(|status| status.counts.invitations = [(State::InDoubt, 2)].into()), "2 in doubt"),
            (told_of(|status| status.disk = Some(Disk { free: 1 << 20, whole: 1 << 40 })), "1 MiB left"),
        ];
        for (told, wanted) in faults {
            assert_eq!(told.len(), 1, "{wanted}: {told:?}");
            assert!(told[0].contains(wanted), "{wanted}: {told:?}");
        }
    }

    #[test]
    fn rates_are_of_the_last_hour_and_day_or_since_the_start() {
        let (rates, at) = (Rates::default(), Timestamp::from_seconds);
        let both = |hour, day| Rate { hour, day };
        assert_eq!(rates.saw([0, 0], at(0))[0], both(0, 0));
        assert_eq!(rates.saw([10, 1], at(600)), [both(10, 10), both(1, 1)], "since the start");
        assert_eq!(rates.saw([15, 1], at(4_200))[0], both(5, 15), "an hour after 600");
        assert_eq!(rates.saw([15, 1], at(87_000))[0], both(0, 5), "a day after 600");
        assert_eq!(rates.saw([16, 1], at(100))[0], both(16, 16), "a clock that was set back begins anew");
    }

    #[test]
    fn a_word_of_another_version_is_understood_as_far_as_it_goes() {
        let word = serde_json::from_str::<Word>(r#"{"version": "9.0.0", "process": 12, "moon": "full"}"#).unwrap();
        assert_eq!((word.version.as_str(), word.process, word.listeners.len()), ("9.0.0", 12, 0));
    }
}
