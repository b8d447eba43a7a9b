//! How fast a shop's letters leave: so many an hour, spread over it. What was claimed lately is counted in the transaction that claims
//! more, so the rate holds over all daemons.

use std::time::Duration;

use serde_json::json;

use super::connection::Connection;
use super::fault::Fault;
use super::moves::to_json;
use super::statements as sql;
use crate::domain::{Policies, ShopId, Timestamp};

/// At most so many letters within any stretch of this length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bound {
    pub(super) letters: usize,
    pub(super) within: Duration,
}

/// An hour, in seconds.
const HOUR: u64 = 3600;

/// What a rate comes to. Letters leave by the minute: the share of a minute, or of the longer time that one letter stands for. Of a
/// rate that no minute divides that is a little more than the rate, so the letters that minutes do not round up are bound as well, over
/// the time that they stand for.
pub(super) fn bounds(an_hour: u32) -> [Bound; 2] {
    let rate = u64::from(an_hour.max(1));
    let count = |letters: u64| usize::try_from(letters).unwrap_or(usize::MAX);
    let minute = Duration::from_secs(60).max(Duration::from_secs(HOUR) / an_hour.max(1));
    let share = (u128::from(rate) * minute.as_millis()).div_ceil(u128::from(HOUR) * 1000);
    let whole = (rate / 60).max(1);
    let bound = |letters, within| Bound { letters, within };
    [
        bound(usize::try_from(share).unwrap_or(usize::MAX), minute),
        bound(count(whole), Duration::from_millis((whole * HOUR * 1000).div_ceil(rate))),
    ]
}

/// How many letters may be claimed of each shop now.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    shops: Vec<(ShopId, usize)>,
    next: Option<Timestamp>,
}

impl Pace {
    /// Of shops whose letters go nowhere: they are only written down.
    pub(super) fn free(shops: &[ShopId]) -> Self {
        Self { shops: shops.iter().map(|shop| (shop.clone(), usize::MAX)).collect(), next: None }
    }

    /// By the shops' rates and what was claimed lately.
    pub(super) async fn of(
        conn: &mut Connection,
        shops: &[ShopId],
        policies: &Policies,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let mut pace = Self::free(shops);
        let (mut asked, mut meant) = (Vec::new(), Vec::new());
        for (place, (shop, _)) in pace.shops.iter().enumerate() {
            for bound in policies.shop(shop).base.rate.map(bounds).into_iter().flatten() {
                // A clock that jumped back must not stop a shop until it is where it was.
                let span = i64::try_from(bound.within.as_millis()).unwrap_or(i64::MAX);
                asked.push(json!([shop, now.0.saturating_sub(span), now.plus(bound.within), meant.len()]));
                meant.push((place, bound));
            }
        }
        if asked.is_empty() {
            return Ok(pace);
        }
        let rows: Vec<(i64, i64, Option<i64>)> = conn.rows(sql::CLAIMED_LATELY, [to_json(&asked)?.into()]).await?;
        for (number, claimed, oldest) in rows {
            let found = usize::try_from(number).ok().and_then(|number| meant.get(number));
            let Some((place, bound)) = found else { continue };
            let left = bound.letters.saturating_sub(usize::try_from(claimed).unwrap_or(0));
            pace.allow(*place, left, oldest.map(|oldest| Timestamp(oldest).plus(bound.within)));
        }
        Ok(pace)
    }

    fn allow(&mut self, place: usize, left: usize, again_at: Option<Timestamp>) {
        if let Some((_, most)) = self.shops.get_mut(place) {
            *most = left.min(*most);
        }
        if left == 0 {
            self.next = [self.next, again_at].into_iter().flatten().min();
        }
    }

    /// The shops that may claim, with how many of `limit`.
    pub(super) fn open(&self, limit: usize) -> Result<String, Fault> {
        let open = self.shops.iter().filter(|(_, most)| *most > 0).map(|(shop, most)| (shop, limit.min(*most)));
        to_json(&open.collect::<Vec<_>>())
    }

    /// The same shops, each with `ahead`: for a look at more than may be claimed.
    pub(super) fn wide(&self, ahead: usize) -> Result<String, Fault> {
        let open = self.shops.iter().filter(|(_, most)| *most > 0).map(|(shop, _)| (shop, ahead));
        to_json(&open.collect::<Vec<_>>())
    }

    /// Counts a letter of a shop, or says that the shop has had as many as it may.
    pub(super) fn take(&mut self, shop: &ShopId) -> bool {
        match self.shops.iter_mut().find(|(one, _)| one == shop) {
            Some((_, most)) if *most > 0 => {
                *most -= 1;
                true
            }
            _ => false,
        }
    }

    /// When a shop that may not claim may do so again.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_share_of_a_minute_or_one_letter_in_its_time() {
        for (an_hour, share, seconds, whole, millis) in [
            (1, 1, 3600, 1, 3_600_000),
            (10, 1, 360, 1, 360_000),
            (60, 1, 60, 1, 60_000),
            (100, 2, 60, 1, 36_000),
            (150, 3, 60, 2, 48_000),
            (3600, 60, 60, 60, 60_000),
            (1000, 17, 60, 16, 57_600),
            (7, 1, 514, 1, 514_286),
            // No rate, which no configuration says.
            (0, 1, 3600, 1, 3_600_000),
        ] {
            let [minute, letters] = bounds(an_hour);
            assert_eq!((minute.letters, minute.within.as_secs()), (share, seconds), "{an_hour}");
            assert_eq!((letters.letters, letters.within.as_millis()), (whole, millis), "{an_hour}");
        }
    }
}
