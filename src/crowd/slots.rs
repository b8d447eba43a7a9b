//! How many sessions there are, in all and from each client, so that no client can take a listener for itself.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many places there are, as somebody has configured it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Places {
    /// In all.
    pub(crate) all: usize,
    /// For one client.
    pub(crate) each: usize,
}

/// The sessions there are now.
#[derive(Debug)]
pub(crate) struct Slots {
    /// As many as there are, whatever somebody has configured.
    most: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// A session's place; it is free again when this is dropped, also by a panic.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    client: Option<IpAddr>,
}

impl Slots {
    /// All places are free; never more than `most` are taken.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, taken: Mutex::default() }
    }

    /// A place for one more session of this client, or `None` when there are too many. The last place of all is for loopback:
    /// the mail server and the people on this machine get in while strangers hold everything else.
    pub(crate) fn take(self: &Arc<Self>, client: IpAddr, places: Places) -> Option<Slot> {
        let mut slot = self.take_any(client.to_canonical().is_loopback(), places)?;
        slot.name(client, places).then_some(slot)
    }

    /// A place for a connection of which a proxy is about to say whose it is: see [`Slot::name`].
    pub(crate) fn take_unnamed(self: &Arc<Self>, places: Places) -> Option<Slot> {
        self.take_any(false, places)
    }

    fn take_any(self: &Arc<Self>, loopback: bool, places: Places) -> Option<Slot> {
        let mut taken = self.lock();
        let all = self.all(places);
        if taken.all >= if loopback { all } else { all.saturating_sub(1) } {
            return None;
        }
        taken.all += 1;
        Some(Slot { slots: Arc::clone(self), client: None })
    }

    fn all(&self, places: Places) -> usize {
        places.all.min(self.most)
    }

    /// Whether nine of ten places are taken.
    pub(crate) fn scarce(&self, places: Places) -> bool {
        self.lock().all * 10 >= self.all(places) * 9
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().all == 0
    }

    /// The numbers are right even if a panic happened while they were locked: nothing between lock and unlock can fail.
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Counts the place for this client, unless it has its share already.
    pub(crate) fn name(&mut self, client: IpAddr, places: Places) -> bool {
        let client = network(client);
        let mut taken = self.slots.lock();
        let own = taken.by_client.get(&client).copied().unwrap_or(0);
        if own >= places.each {
            return false;
        }
        taken.by_client.insert(client, own + 1);
        self.client = Some(client);
        true
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.lock();
        taken.all -= 1;
        let Some(client) = self.client else { return };
        if let Some(own) = taken.by_client.get_mut(&client) {
            *own -= 1;
            if *own == 0 {
                taken.by_client.remove(&client);
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

/// Descriptors that are not for sessions: the database's files, the relays' connections, listeners, the log, a desk's command.
const OWN_DESCRIPTORS: usize = 48;

/// How many sessions may have a descriptor each, so that the database and the relays keep theirs (`LimitNOFILE=` in the unit).
pub(crate) fn places_by_descriptors() -> usize {
    let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let most = most.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX));
    most.saturating_sub(OWN_DESCRIPTORS).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_client_has_its_share_and_a_v6_network_is_one_client() {
        let places = Places { all: 100, each: 2 };
        let slots = Arc::new(Slots::new(1_000));
        let first = slots.take(ip("2001:db8::1"), places);
        let second = slots.take(ip("2001:db8::2"), places);
        assert!(first.is_some() && second.is_some());
        assert!(slots.take(ip("2001:db8::3"), places).is_none());
        assert!(slots.take(ip("2001:db8:0:1::3"), places).is_some());
        drop(first);
        assert!(slots.take(ip("2001:db8::3"), places).is_some());

        let _mapped =
            (slots.take(ip("::ffff:192.0.2.1"), places).unwrap(), slots.take(ip("192.0.2.1"), places).unwrap());
        assert!(slots.take(ip("192.0.2.1"), places).is_none());
        assert!(slots.take(ip("::ffff:192.0.2.2"), places).is_some());
    }

    #[test]
    fn the_last_place_is_for_loopback() {
        let places = Places { all: 3, each: 9 };
        let slots = Arc::new(Slots::new(1_000));
        let _strangers = (slots.take(ip("192.0.2.1"), places).unwrap(), slots.take(ip("192.0.2.2"), places).unwrap());
        assert!(!slots.scarce(places));
        assert!(slots.take(ip("192.0.2.3"), places).is_none());
        let own = slots.take(ip("::ffff:127.0.0.1"), places);
        assert!(own.is_some() && slots.scarce(places));
        assert!(slots.take(ip("127.0.0.1"), places).is_none());
    }

    #[test]
    fn a_place_is_named_later_when_a_proxy_says_whose_it_is() {
        let places = Places { all: 5, each: 1 };
        let slots = Arc::new(Slots::new(4));
        let mut unnamed = (0..3).map(|_| slots.take_unnamed(places).unwrap()).collect::<Vec<_>>();
        assert!(slots.take_unnamed(places).is_none(), "four places, of which the last is for loopback");
        assert!(unnamed[0].name(ip("192.0.2.1"), places));
        assert!(!unnamed[1].name(ip("192.0.2.1"), places));
        assert!(unnamed[2].name(ip("192.0.2.2"), places));
        drop(unnamed);
        assert!(slots.is_empty() && slots.lock().by_client.is_empty());
    }

    #[test]
    fn nothing_is_left_of_sessions_that_ended() {
        let slots = Arc::new(Slots::new(1_000));
        drop(slots.take(ip("192.0.2.1"), Places { all: 200, each: 20 }));
        assert!(slots.lock().by_client.is_empty());
        assert_eq!(slots.lock().all, 0);
    }
}
