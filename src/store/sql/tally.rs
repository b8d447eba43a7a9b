//! Counting copies as they are filed, so that nobody ever has to count those that are stored. The counts are written last in a
//! transaction: daemons that file copies of one shop wait for each other's commits and for nothing else.

use std::collections::BTreeMap;

use serde_json::json;

use super::connection::Connection;
use super::fault::Fault;
use super::moves::to_json;
use super::statements as sql;
use crate::domain::{AlarmKind, Hour, Outcome, ShopId, Timestamp};
use crate::store::{Alarm, CopyState, ShopHours, ShopSum, WatchFigures};

/// Changes of counts on their way into the tables.
#[derive(Debug, Default)]
pub(super) struct Tally {
    hours: BTreeMap<(String, Timestamp), [i64; 3]>,
    sums: BTreeMap<String, Sum>,
}

#[derive(Debug, Default)]
struct Sum {
    /// Event, ignored, held, discarded.
    copies: [i64; 4],
    last_copy_at: i64,
}

/// What the reader made of a copy, and how the copy stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read {
    made: Outcome,
    stands: Outcome,
}

impl Read {
    /// Read well, and held for its sender's sake: that says nothing about the layout of the shop's mails.
    pub(super) const DOUBTED: Self = Self { made: Outcome::Event, stands: Outcome::Held };

    /// A copy that is filed so.
    pub(super) fn of(outcome: Outcome, is_doubted: bool) -> Self {
        if is_doubted { Self::DOUBTED } else { outcome.into() }
    }
}

impl From<Outcome> for Read {
    fn from(outcome: Outcome) -> Self {
        Self { made: outcome, stands: outcome }
    }
}

/// Which of the counts.
const fn column(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Event => 0,
        Outcome::Ignored => 1,
        Outcome::Held => 2,
    }
}

const DISCARDED: usize = 3;

impl Tally {
    /// The reader made this of a copy: for the first time, or instead of what it made of it before.
    pub(super) fn was_read(&mut self, shop: &str, received_at: Timestamp, before: Option<Read>, now: Read) {
        let hour = self.hours.entry((shop.to_owned(), Hour::of(received_at))).or_default();
        hour[column(now.made)] += 1;
        if let Some(before) = before {
            hour[column(before.made)] -= 1;
        }
        self.stands(shop, received_at, before.map(|before| column(before.stands)), column(now.stands));
    }

    /// A person released a copy. What the reader made of it stays as it was: it still cannot read such mails.
    pub(super) fn was_released(&mut self, shop: &str, received_at: Timestamp) {
        self.stands(shop, received_at, Some(column(Outcome::Held)), column(Outcome::Event));
    }

    /// A person discarded a copy.
    pub(super) fn was_discarded(&mut self, shop: &str, received_at: Timestamp) {
        self.stands(shop, received_at, Some(column(Outcome::Held)), DISCARDED);
    }

    /// A copy is gone, with all that was known of it. What the reader made of it stays counted.
    pub(super) fn was_erased(&mut self, shop: &str, state: CopyState) {
        let standing = match state {
            CopyState::Unread => return,
            CopyState::Event => column(Outcome::Event),
            CopyState::Ignored => column(Outcome::Ignored),
            CopyState::Held => column(Outcome::Held),
            CopyState::Discarded => DISCARDED,
        };
        self.sums.entry(shop.to_owned()).or_default().copies[standing] -= 1;
    }

    fn stands(&mut self, shop: &str, received_at: Timestamp, before: Option<usize>, now: usize) {
        let sum = self.sums.entry(shop.to_owned()).or_default();
        sum.copies[now] += 1;
        if let Some(before) = before {
            sum.copies[before] -= 1;
        }
        sum.last_copy_at = sum.last_copy_at.max(received_at.0);
    }

    /// Writes the changes, each row in the order of its key, so that daemons cannot wait for each other in a circle.
    pub(super) async fn write(self, conn: &mut Connection) -> Result<(), Fault> {
        let is_change = |counts: &[i64]| counts.iter().any(|count| *count != 0);
        let hours = self.hours.iter().filter(|(_, counts)| is_change(&counts[..]));
        let hours = hours.map(|((shop, hour), [event, ignored, held])| json!([shop, hour, event, ignored, held]));
        let sums = self.sums.iter().filter(|(_, sum)| is_change(&sum.copies[..]));
        let sums = sums.map(|(shop, sum)| {
            let [event, ignored, held, discarded] = sum.copies;
            json!([shop, event, ignored, held, discarded, sum.last_copy_at])
        });
        for (statement, rows) in [(sql::TALLY, hours.collect::<Vec<_>>()), (sql::ADD_UP, sums.collect())] {
            if !rows.is_empty() {
                conn.execute(statement, [to_json(&rows)?.into()]).await?;
            }
        }
        Ok(())
    }
}

/// A count as it is shown. While daemons of an older release worked beside this one some of theirs are missing, and what was then
/// taken away from them must not come out below nothing.
fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(super) fn shop_id(shop: &str) -> Result<ShopId, Fault> {
    ShopId::parse(shop).map_err(|why| Fault::Other(format!("a shop's name cannot be read: {why}")))
}

/// How the shops fare.
pub(super) async fn figures(conn: &mut Connection) -> Result<WatchFigures, Fault> {
    let rows: Vec<(String, i64, i64, i64, i64, i64)> = conn.rows(sql::SUMS, []).await?;
    let mut figures = WatchFigures::default();
    for (shop, event, ignored, held, discarded, last) in rows {
        figures.sums.push(ShopSum {
            shop: shop_id(&shop)?,
            event: count(event),
            ignored: count(ignored),
            held: count(held),
            discarded: count(discarded),
            last_copy_at: Timestamp(last),
        });
    }
    let rows: Vec<(String, i64)> = conn.rows(sql::UNREAD_BY_SHOP, []).await?;
    for (shop, copies) in rows {
        figures.unread.push((shop_id(&shop)?, count(copies)));
    }
    let rows: Vec<(String, String, i64, String)> = conn.rows(sql::ALARMS, []).await?;
    for (shop, kind, since, note) in rows {
        // A kind that a newer program raised is that program's business.
        let Some(kind) = AlarmKind::parse(&kind) else { continue };
        figures.alarms.push(Alarm { shop: shop_id(&shop)?, kind, since: Timestamp(since), note });
    }
    Ok(figures)
}

/// What the reader made of some shops' copies, hour by hour.
pub(super) async fn hours(conn: &mut Connection, shops: &[ShopId], since: Timestamp) -> Result<ShopHours, Fault> {
    let rows: Vec<(String, i64, i64, i64, i64)> =
        conn.rows(sql::HOURS_OF, [to_json(&shops)?.into(), since.into()]).await?;
    let hours = rows.into_iter().map(|(shop, begins, event, ignored, held)| {
        let hour = Hour { begins: Timestamp(begins), event: count(event), ignored: count(ignored), held: count(held) };
        Ok((shop_id(&shop)?, hour))
    });
    hours.collect()
}
