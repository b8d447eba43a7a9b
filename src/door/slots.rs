//! How many sessions there are, in all and from each client, so that no client can take the door for itself.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Limits;

/// The sessions there are now.
#[derive(Debug, Default)]
pub(crate) struct Slots(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// A session's place; it is free again when this is dropped, also by a panic.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    client: IpAddr,
}

impl Slots {
    /// A place for one more session of this client, or `None` when there are too many. The last place of all is for loopback:
    /// the mail server and the people on this machine get in while strangers hold everything else.
    pub(crate) fn take(self: &Arc<Self>, client: IpAddr, limits: &Limits) -> Option<Slot> {
        let loopback = client.to_canonical().is_loopback();
        let client = network(client);
        let mut taken = self.lock();
        let all = if loopback { limits.sessions } else { limits.sessions.saturating_sub(1) };
        let own = taken.by_client.get(&client).copied().unwrap_or(0);
        if taken.all >= all || own >= limits.sessions_per_client {
            return None;
        }
        taken.all += 1;
        taken.by_client.insert(client, own + 1);
        Some(Slot { slots: Arc::clone(self), client })
    }

    /// Whether nine of ten places are taken.
    pub(crate) fn scarce(&self, limits: &Limits) -> bool {
        self.lock().all * 10 >= limits.sessions * 9
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().all == 0
    }

    /// The numbers are right even if a panic happened while they were locked: nothing between lock and unlock can fail.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.lock();
        taken.all -= 1;
        if let Some(own) = taken.by_client.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                taken.by_client.remove(&self.client);
            }
        }
    }
}

/// What counts as one client: an IPv4 address or an IPv6 /64, since whoever has one address there has all of them.
pub(crate) fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_client_has_its_share_and_a_v6_network_is_one_client() {
        let limits = Limits { sessions: 100, sessions_per_client: 2, ..Limits::default() };
        let slots = Arc::<Slots>::default();
        let first = slots.take(ip("2001:db8::1"), &limits);
        let second = slots.take(ip("2001:db8::2"), &limits);
        assert!(first.is_some() && second.is_some());
        assert!(slots.take(ip("2001:db8::3"), &limits).is_none());
        assert!(slots.take(ip("2001:db8:0:1::3"), &limits).is_some());
        drop(first);
        assert!(slots.take(ip("2001:db8::3"), &limits).is_some());

        let _mapped =
            (slots.take(ip("::ffff:192.0.2.1"), &limits).unwrap(), slots.take(ip("192.0.2.1"), &limits).unwrap());
        assert!(slots.take(ip("192.0.2.1"), &limits).is_none());
        assert!(slots.take(ip("::ffff:192.0.2.2"), &limits).is_some());
    }

    #[test]
    fn the_last_place_is_for_loopback() {
        let limits = Limits { sessions: 3, sessions_per_client: 9, ..Limits::default() };
        let slots = Arc::<Slots>::default();
        let _strangers = (slots.take(ip("192.0.2.1"), &limits).unwrap(), slots.take(ip("192.0.2.2"), &limits).unwrap());
        assert!(!slots.scarce(&limits));
        assert!(slots.take(ip("192.0.2.3"), &limits).is_none());
        let own = slots.take(ip("::ffff:127.0.0.1"), &limits);
        assert!(own.is_some() && slots.scarce(&limits));
        assert!(slots.take(ip("127.0.0.1"), &limits).is_none());
    }

    #[test]
    fn nothing_is_left_of_sessions_that_ended() {
        let slots = Arc::<Slots>::default();
        drop(slots.take(ip("192.0.2.1"), &Limits::default()));
        assert!(slots.lock().by_client.is_empty());
        assert_eq!(slots.lock().all, 0);
    }
}
