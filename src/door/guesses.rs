//! Failed logins by network, so that guessing from one place comes to an end before the password hash is asked (RFC 4954 9 wants
//! the server to resist it; Dovecot and mox count by network too).

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::slots::network;

/// Failed logins of one network within [`WINDOW`].
const GUESSES: u32 = 10;
/// How long they count, from the first of them on.
const WINDOW: Duration = Duration::from_secs(3600);
/// Networks that are remembered. Whoever has more is no one place, and each of them has its share only.
const NETWORKS: usize = 10_000;

/// The failed logins of the last hour.
#[derive(Debug, Default)]
pub(crate) struct Guesses(Mutex<HashMap<IpAddr, Counted>>);

#[derive(Debug, Clone, Copy)]
struct Counted {
    since: Instant,
    failed: u32,
}

impl Guesses {
    /// Whether this client may try. A try counts as failed until [`Self::right`] says otherwise, so that many at one time are no
    /// way around the limit.
    pub(crate) fn may_try(&self, client: IpAddr, now: Instant) -> bool {
        let client = network(client);
        let mut counted = self.lock();
        if counted.len() >= NETWORKS && !counted.contains_key(&client) {
            counted.retain(|_, one| now.duration_since(one.since) < WINDOW);
            let oldest = counted.iter().min_by_key(|(_, one)| one.since).map(|(client, _)| *client);
            if let Some(oldest) = oldest.filter(|_| counted.len() >= NETWORKS) {
                counted.remove(&oldest);
            }
        }
        let one = counted.entry(client).or_insert(Counted { since: now, failed: 0 });
        if now.duration_since(one.since) >= WINDOW {
            *one = Counted { since: now, failed: 0 };
        }
        let may = one.failed < GUESSES;
        one.failed += u32::from(may);
        may
    }

    /// The try was none of a guesser, or could not be looked at.
    pub(crate) fn right(&self, client: IpAddr) {
        if let Some(one) = self.lock().get_mut(&network(client)) {
            one.failed = one.failed.saturating_sub(1);
        }
    }

    /// The numbers are right even if a panic happened while they were locked: nothing between lock and unlock can fail.
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Counted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn ten_failures_an_hour_are_all_that_a_network_has() {
        let guesses = Guesses::default();
        let start = Instant::now();
        for number in 0..1_000_u32 {
            let client = ip(&format!("2001:db8::{:x}", number + 1));
            assert_eq!(guesses.may_try(client, start + Duration::from_secs(number.into())), number < 10, "{number}");
        }
        assert!(guesses.may_try(ip("2001:db8:0:1::1"), start), "another network");
        assert!(guesses.may_try(ip("192.0.2.1"), start));
        assert!(!guesses.may_try(ip("2001:db8::1"), start + WINDOW - Duration::from_secs(1)));
        assert!(guesses.may_try(ip("2001:db8::1"), start + WINDOW));
    }

    #[test]
    fn who_knows_the_password_is_never_stopped() {
        let guesses = Guesses::default();
        for _ in 0..100 {
            assert!(guesses.may_try(ip("192.0.2.1"), Instant::now()));
            guesses.right(ip("192.0.2.1"));
        }
    }

    #[test]
    fn no_number_of_networks_takes_all_the_memory() {
        let guesses = Guesses::default();
        let start = Instant::now();
        for number in 0..20_000_u32 {
            guesses.may_try(IpAddr::from(number.to_be_bytes()), start + Duration::from_millis(number.into()));
        }
        assert_eq!(guesses.lock().len(), NETWORKS);
    }
}
