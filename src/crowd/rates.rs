//! How often something happened lately, client by client, in bounded memory: connections in a minute, wrong passwords in an hour.
//!
//! Two spans are counted, this one and the one before, of which as large a part counts as still lies within one span from now. That
//! is exact for whoever comes evenly, and never lets through more than twice as much.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::slots::network;

/// Clients that are counted in one span; about 150 KB. A crowd of more ends the span early, which forgets the oldest first.
const CLIENTS: usize = 4_096;

/// What happened in this span of time and in the one before.
pub(crate) struct Rates {
    span: Duration,
    counted: Mutex<Counted>,
}

struct Counted {
    since: Instant,
    now: HashMap<IpAddr, u32>,
    before: HashMap<IpAddr, u32>,
}

impl Rates {
    /// Nothing has happened yet.
    pub(crate) fn new(span: Duration) -> Self {
        let counted = Counted { since: Instant::now(), now: HashMap::new(), before: HashMap::new() };
        Self { span, counted: Mutex::new(counted) }
    }

    /// Counts one more for this client, unless it has had `most` in the last span already.
    pub(crate) fn allow(&self, client: IpAddr, most: u32) -> bool {
        let allowed = self.has_had_less(client, most);
        if allowed {
            self.count(client);
        }
        allowed
    }

    /// Whether the client has had less than `most` in the last span.
    pub(crate) fn has_had_less(&self, client: IpAddr, most: u32) -> bool {
        let client = network(client);
        let counted = self.up_to_date();
        let of = |counts: &HashMap<IpAddr, u32>| u128::from(counts.get(&client).copied().unwrap_or(0));
        let span = self.span.as_micros().max(1);
        let left = span.saturating_sub(counted.since.elapsed().as_micros());
        of(&counted.now) * span + of(&counted.before) * left < u128::from(most) * span
    }

    /// Counts one for this client.
    pub(crate) fn count(&self, client: IpAddr) {
        let client = network(client);
        let mut counted = self.up_to_date();
        if counted.now.len() >= CLIENTS && !counted.now.contains_key(&client) {
            counted.turn();
        }
        let count = counted.now.entry(client).or_default();
        *count = count.saturating_add(1);
    }

    fn up_to_date(&self) -> MutexGuard<'_, Counted> {
        // Nothing between lock and unlock can fail.
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = counted.since.elapsed();
        if passed >= self.span * 2 {
            counted.before.clear();
            counted.now.clear();
            counted.since = Instant::now();
        } else if passed >= self.span {
            let since = counted.since + self.span;
            counted.turn();
            counted.since = since;
        }
        counted
    }
}

impl Counted {
    fn turn(&mut self) {
        self.before = std::mem::take(&mut self.now);
        self.since = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn client(number: u32) -> IpAddr {
        IpAddr::from((0xc000_0000 + number).to_be_bytes())
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_gets_its_share_of_each_minute_and_no_other_pays_for_it() {
        let rates = Rates::new(MINUTE);
        let taken = |of: u32| (0..100).filter(|_| rates.allow(client(of), 60)).count();
        assert_eq!(taken(1), 60);
        assert_eq!(taken(2), 60);
        advance(MINUTE + MINUTE / 2).await;
        assert_eq!(taken(1), 30, "half of the minute before still counts");
        advance(MINUTE * 2).await;
        assert_eq!(taken(1), 60);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_keeps_to_the_rate_is_never_refused() {
        let rates = Rates::new(MINUTE);
        for _ in 0..600 {
            assert!(rates.allow(client(1), 60));
            advance(Duration::from_millis(1_020)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_of_clients_takes_no_more_memory_than_is_set_aside() {
        let rates = Rates::new(MINUTE);
        assert!((0..60).all(|_| rates.allow(client(0), 60)));
        for number in 1..20_000 {
            rates.count(client(number));
        }
        let counted = rates.up_to_date();
        assert!(counted.now.len() <= CLIENTS && counted.before.len() <= CLIENTS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_of_ipv6_is_one_client() {
        let rates = Rates::new(MINUTE);
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(rates.allow(at("2001:db8::1"), 1));
        assert!(!rates.allow(at("2001:db8::2"), 1));
        assert!(rates.allow(at("2001:db8:0:1::2"), 1));
    }
}
