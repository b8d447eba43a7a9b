//! Figures for monitoring, in Prometheus' text format: what stands in the store, how the relays are, and what every part has counted
//! since the start. The HTTP listener and the file for node_exporter's textfile collector show the same text; `docs/metrics.md` lists
//! what it holds.

use std::fs;
use std::io::{Result, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::house::{House, Setup};
use super::relays::Readiness;
use crate::config::Config;
use crate::domain::{AlarmKind, Collected, ShopId, State, Timestamp};
use crate::meter::{Kind, Page, Show as _, label};
use crate::store::{CopyState, Counts, ReviewCount, StoreError, WatchFigures, disk_of};

/// All figures as they are now. Of a store that does not answer it is said that it does not; what was counted is told all the same.
pub async fn text(house: &House) -> String {
    let (setup, now, mut page) = (house.setup(), house.clock.now(), Page::default());
    let version = label("version", env!("CARGO_PKG_VERSION"));
    page.family(Kind::Gauge, "invited_build_info", "1, under the program's version.", [(version, 1)]);
    let began = seconds(house.began);
    page.gauge("invited_start_time_seconds", "When the daemon was started, Unix time.", Some(began));
    let found = stored(house, &setup.config).await;
    let is_up = u64::from(found.is_ok());
    page.gauge("invited_store_up", "1 when the store answered to be asked for these figures, else 0.", Some(is_up));
    if let Ok(stored) = &found {
        shops(&mut page, &stored.figures, &setup.config, now);
        queue(&mut page, &stored.counts, &stored.due, now);
        customers(&mut page, stored, now);
    }
    relays(&mut page, &setup, now);
    let disk = disk_of(&setup.config.database);
    page.gauge(
        "invited_disk_free_bytes",
        "Room on the disk of the database's file; not told of a server.",
        disk.map(|disk| disk.free),
    );
    house.meter.show(&mut page);
    for meter in house.meters() {
        meter.show(&mut page);
    }
    page.into_text()
}

/// What the store knows.
struct Stored {
    figures: WatchFigures,
    counts: Counts,
    due: Vec<(ShopId, Timestamp)>,
    reviews: Vec<(ShopId, Vec<ReviewCount>)>,
    erasures_asked: Vec<Timestamp>,
}

async fn stored(house: &House, config: &Config) -> std::result::Result<Stored, StoreError> {
    let store = &house.store;
    let mut reviews = Vec::with_capacity(config.shops.len());
    for shop in &config.shops {
        reviews.push((shop.id.clone(), store.review_counts(&shop.id).await?));
    }
    reviews.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(Stored {
        figures: store.watch_figures().await?,
        counts: store.counts().await?,
        due: store.next_due().await?,
        reviews,
        erasures_asked: store.erasure_requests().await?.into_iter().map(|one| one.at).collect(),
    })
}

/// What customers wrote, and who waits to be erased: how many, and nobody's name.
fn customers(page: &mut Page, stored: &Stored, now: Timestamp) {
    let reviews = stored.reviews.iter().flat_map(|(shop, counts)| {
        Collected::ALL.into_iter().flat_map(move |way| {
            let of_way = counts.iter().filter(move |count| count.collected == way);
            let sum = |number: fn(&ReviewCount) -> u64| of_way.clone().map(number).sum::<u64>();
            let numbers = [
                ("standing", sum(|count| count.standing)),
                ("withdrawn", sum(|count| count.withdrawn)),
                ("removed", sum(|count| count.removed)),
            ];
            numbers.map(|(state, number)| {
                let (shop, way) = (label("shop", shop.as_str()), label("collected", way.as_str()));
                (format!("{shop},{way},{}", label("state", state)), number)
            })
        })
    });
    page.family(
        Kind::Gauge,
        "invited_reviews",
        "Reviews by how they were collected, and whether they stand.",
        reviews.collect::<Vec<_>>(),
    );
    let waits = u64::try_from(stored.erasures_asked.len()).unwrap_or(u64::MAX);
    page.gauge("invited_erasure_requests", "People who asked to be erased and are not yet.", Some(waits));
    let longest = stored.erasures_asked.first().map_or(0, |at| now.since(*at).as_secs());
    page.gauge(
        "invited_erasure_request_age_seconds",
        "For how long the first of those who asked to be erased has been waiting.",
        Some(longest),
    );
}

/// The figures of all configured shops. A shop of which no copy was ever read has no age of its last one.
fn shops(page: &mut Page, figures: &WatchFigures, config: &Config, now: Timestamp) {
    let mut shops = config.shops.iter().map(|shop| &shop.id).collect::<Vec<_>>();
    shops.sort();
    let under =
        |shop: &ShopId, name: &str, value: &str| format!("{},{}", label("shop", shop.as_str()), label(name, value));
    let of_states = |shop: &&ShopId| {
        let sample = |state: CopyState| (under(shop, "state", state.as_str()), copies(figures, shop, state));
        CopyState::ALL.map(sample)
    };
    page.family(
        Kind::Gauge,
        "invited_copies",
        "Copies of a shop's mails by where they stand.",
        shops.iter().flat_map(of_states),
    );
    let ages = figures.sums.iter().filter(|sum| shops.contains(&&sum.shop));
    page.family(
        Kind::Gauge,
        "invited_last_copy_age_seconds",
        "Time since the last copy that was read came in.",
        ages.map(|sum| (label("shop", sum.shop.as_str()), now.since(sum.last_copy_at).as_secs())),
    );
    let alarms = shops.iter().flat_map(|shop| {
        AlarmKind::ALL.map(|kind| {
            let is_on = figures.alarms.iter().any(|alarm| alarm.shop == **shop && alarm.kind == kind);
            (under(shop, "kind", kind.as_str()), u64::from(is_on))
        })
    });
    page.family(
        Kind::Gauge,
        "invited_shop_alarm",
        "1 while a shop's copies are not as usual, a relay of its needs a person, or its letters are called junk.",
        alarms,
    );
}

fn copies(figures: &WatchFigures, shop: &ShopId, state: CopyState) -> u64 {
    if state == CopyState::Unread {
        return figures.unread.iter().find(|(of, _)| of == shop).map_or(0, |(_, copies)| *copies);
    }
    let sum = figures.sums.iter().find(|sum| sum.shop == *shop);
    sum.map_or(0, |sum| match state {
        CopyState::Event => sum.event,
        CopyState::Ignored => sum.ignored,
        CopyState::Held => sum.held,
        CopyState::Discarded => sum.discarded,
        CopyState::Unread => 0,
    })
}

/// What waits, and for how long.
fn queue(page: &mut Page, counts: &Counts, due: &[(ShopId, Timestamp)], now: Timestamp) {
    let states = State::ALL
        .into_iter()
        .map(|state| (label("state", state.as_str()), counts.invitations.get(&state).copied().unwrap_or(0)));
    page.family(Kind::Gauge, "invited_invitations", "Invitations by state.", states);
    let overdue = due.iter().map(|(_, at)| now.since(*at).as_secs()).max().unwrap_or(0);
    page.gauge(
        "invited_overdue_seconds",
        "For how long the invitation that is due for the longest has been due; shops that rest do not count.",
        Some(overdue),
    );
    let lag = counts.oldest_unread.map_or(0, |at| now.since(at).as_secs());
    page.gauge("invited_reader_lag_seconds", "For how long the oldest unread copy has been waiting.", Some(lag));
    page.gauge(
        "invited_last_backup_timestamp_seconds",
        "When the last backup was made, Unix time; not told where none was made.",
        counts.last_backup.map(seconds),
    );
}

fn relays(page: &mut Page, setup: &Setup, now: Timestamp) {
    let mut relays =
        setup.relays.iter().map(|(name, line)| (label("relay", name), line.readiness(now))).collect::<Vec<_>>();
    relays.sort_by(|(one, _), (other, _)| one.cmp(other));
    let up = relays.iter().map(|(name, readiness)| (name.clone(), u64::from(*readiness == Readiness::Open)));
    page.family(
        Kind::Gauge,
        "invited_relay_up",
        "1 while letters go to the relay, 0 while it rests after a failure or is tried with one letter.",
        up.collect::<Vec<_>>(),
    );
    let rests = relays.into_iter().map(|(name, readiness)| match readiness {
        Readiness::RestsUntil(until) => (name, until.since(now).as_secs()),
        _ => (name, 0),
    });
    page.family(Kind::Gauge, "invited_relay_rest_seconds", "How much longer the relay rests after a failure.", rests);
}

fn seconds(at: Timestamp) -> i64 {
    at.0.div_euclid(1_000)
}

/// Puts a text in the place of a file, so that whoever reads it sees the old one or the new one and nothing in between. Everybody may
/// read it: the collector is another user, and there is nothing secret in it.
///
/// # Errors
/// Those of the file system; the old file stays then.
pub fn write(path: &Path, text: &str) -> Result<()> {
    let mut name = path.as_os_str().to_owned();
    // The collector passes over names that do not end in ".prom".
    name.push(".new");
    let new = Path::new(&name);
    let written = fs::File::create(new).and_then(|mut file| {
        // The service's own files are nobody else's, as its umask says; this one is meant for others.
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
        file.write_all(text.as_bytes())
    });
    written.and_then(|()| fs::rename(new, path)).inspect_err(|_| {
        let _ = fs::remove_file(new);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ReviewKind;
    use crate::store::{Alarm, ShopSum};

    const CONFIG: &str = include_str!("../../config/minimal.toml");

    #[test]
    fn every_shop_has_a_line_for_each_state_and_alarm() {
        let document = crate::document::Document::new("invited.toml", CONFIG);
        let config = crate::config::parse(&document, Path::new("/")).unwrap();
        let shop = config.shops[0].id.clone();
        let now = Timestamp::from_seconds(1_000);
        let text = |figures: &WatchFigures| {
            let mut page = Page::default();
            super::shops(&mut page, figures, &config, now);
            page.into_text()
        };
        let empty = text(&WatchFigures::default());
        assert!(empty.contains(&format!("invited_copies{{shop=\"{shop}\",state=\"held\"}} 0\n")), "{empty}");
        assert!(!empty.contains("age_seconds{"), "{empty}");
        let sum = ShopSum {
            shop: shop.clone(),
            event: 1,
            ignored: 2,
            held: 3,
            discarded: 4,
            last_copy_at: Timestamp::from_seconds(940),
        };
        let gone = ShopId::parse("gone").unwrap();
        let alarm = Alarm { shop: shop.clone(), kind: AlarmKind::Held, since: now, note: String::new() };
        let figures = WatchFigures {
            sums: vec![sum.clone(), ShopSum { shop: gone, ..sum }],
            unread: vec![(shop.clone(), 5)],
            alarms: vec![alarm],
        };
        let lines = text(&figures);
        let lines = lines.lines().filter(|line| !line.starts_with('#')).map(|line| line.replace(shop.as_str(), "S"));
        assert_eq!(
            lines.collect::<Vec<_>>(),
            [
                "invited_copies{shop=\"S\",state=\"unread\"} 5",
                "invited_copies{shop=\"S\",state=\"event\"} 1",
                "invited_copies{shop=\"S\",state=\"ignored\"} 2",
                "invited_copies{shop=\"S\",state=\"held\"} 3",
                "invited_copies{shop=\"S\",state=\"discarded\"} 4",
                "invited_last_copy_age_seconds{shop=\"S\"} 60",
                "invited_shop_alarm{shop=\"S\",kind=\"held\"} 1",
                "invited_shop_alarm{shop=\"S\",kind=\"silent\"} 0",
                "invited_shop_alarm{shop=\"S\",kind=\"sender\"} 0",
                "invited_shop_alarm{shop=\"S\",kind=\"volume\"} 0",
                "invited_shop_alarm{shop=\"S\",kind=\"relay\"} 0",
                "invited_shop_alarm{shop=\"S\",kind=\"complaint\"} 0",
            ]
        );
    }

    #[test]
    fn reviews_are_told_by_shop_and_way_and_erasures_by_number() {
        let shop = ShopId::parse("nord").unwrap();
        let of = |collected, kind, standing| ReviewCount { collected, kind, standing, withdrawn: 2, removed: 1 };
        let counts = vec![
            of(Collected::Link, ReviewKind::Service, 3),
            of(Collected::Link, ReviewKind::Product, 4),
            of(Collected::Basic, ReviewKind::Service, 5),
        ];
        let stored = Stored {
            figures: WatchFigures::default(),
            counts: Counts::default(),
            due: Vec::new(),
            reviews: vec![(shop, counts)],
            erasures_asked: vec![Timestamp::from_seconds(400), Timestamp::from_seconds(900)],
        };
        let mut page = Page::default();
        customers(&mut page, &stored, Timestamp::from_seconds(1_000));
        let text = page.into_text();
        for line in [
            "invited_reviews{shop=\"nord\",collected=\"automatic\",state=\"standing\"} 0\n",
            "invited_reviews{shop=\"nord\",collected=\"link\",state=\"standing\"} 7\n",
            "invited_reviews{shop=\"nord\",collected=\"link\",state=\"withdrawn\"} 4\n",
            "invited_reviews{shop=\"nord\",collected=\"basic\",state=\"removed\"} 1\n",
            "invited_erasure_requests 2\n",
            "invited_erasure_request_age_seconds 600\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
    }

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("invited.prom");
        write(&path, "one\n").unwrap();
        write(&path, "two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left lying about");
        assert!(write(&folder.path().join("nowhere/invited.prom"), "x").is_err());
    }
}
