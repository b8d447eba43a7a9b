//! Figures for monitoring, as a file in Prometheus' text format: the textfile collector of node_exporter reads it, so that the
//! service needs no further port.

use std::fmt::Write as _;
use std::fs;
use std::io::{Result, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::config::Config;
use crate::domain::{AlarmKind, ShopId, Timestamp};
use crate::store::{CopyState, WatchFigures};

/// The figures of all configured shops. A shop of which no copy was ever read has no age of its last one.
pub fn text(figures: &WatchFigures, config: &Config, now: Timestamp) -> String {
    let mut shops = config.shops.iter().map(|shop| &shop.id).collect::<Vec<_>>();
    shops.sort();
    let mut text = String::new();
    let mut metric = |name: &str, help: &str, samples: Vec<(String, u64)>| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
        for (labels, value) in samples {
            let _ = writeln!(text, "{name}{{{labels}}} {value}");
        }
    };
    let of_states = |shop: &&ShopId| {
        let sample =
            |state: CopyState| (format!("shop=\"{shop}\",state=\"{}\"", state.as_str()), copies(figures, shop, state));
        CopyState::ALL.map(sample)
    };
    metric(
        "invited_copies",
        "Copies of a shop's mails by where they stand.",
        shops.iter().flat_map(of_states).collect(),
    );
    let ages = figures.sums.iter().filter(|sum| shops.contains(&&sum.shop));
    let ages = ages.map(|sum| (format!("shop=\"{}\"", sum.shop), now.since(sum.last_copy_at).as_secs()));
    metric("invited_last_copy_age_seconds", "Time since the last copy that was read came in.", ages.collect());
    let alarms = shops.iter().flat_map(|shop| {
        AlarmKind::ALL.map(|kind| {
            let is_on = figures.alarms.iter().any(|alarm| alarm.shop == **shop && alarm.kind == kind);
            (format!("shop=\"{shop}\",kind=\"{}\"", kind.as_str()), u64::from(is_on))
        })
    });
    metric(
        "invited_shop_alarm",
        "1 while a shop's copies are not as usual, or a relay of its needs a person.",
        alarms.collect(),
    );
    text
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
    use crate::store::{Alarm, ShopSum};

    const CONFIG: &str = include_str!("../../config/minimal.toml");

    #[test]
    fn every_shop_has_a_line_for_each_state_and_alarm() {
        let document = crate::document::Document::new("invited.toml", CONFIG);
        let config = crate::config::parse(&document, Path::new("/")).unwrap();
        let shop = config.shops[0].id.clone();
        let now = Timestamp::from_seconds(1_000);
        let empty = text(&WatchFigures::default(), &config, now);
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
        let lines = text(&figures, &config, now);
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
                "invited_shop_alarm{shop=\"S\",kind=\"relay\"} 0",
            ]
        );
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
