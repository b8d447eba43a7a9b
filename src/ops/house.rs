//! What every use case works with: the store, the clock, and the present set-up, which a reload replaces as a whole.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::logins::{Logins, Turns};
use super::meter::Meter;
use super::relays::RelayLine;
use super::status::{Outside, Rates};
use super::vitals::Vitals;
use crate::clock::Clock;
use crate::config::Config;
use crate::domain::{AlarmKind, EmailAddress, Policies, ShopId, Timestamp};
use crate::letter::Letters;
use crate::link::{LinkKeys, Routes};
use crate::meter::Show;
use crate::page::Pages;
use crate::proof::Prover;
use crate::read::Reader;
use crate::send::dkim::Signers;
use crate::store::{Claim, Store};

/// How long after an alarm the next of its kind is raised at the earliest.
const RAISED_AGAIN: Duration = Duration::from_secs(60);

/// Everything that follows from the configuration, checked and compiled. Never changed: a reload makes a new one.
pub struct Setup {
    /// The configuration.
    pub config: Config,
    /// The reader with its templates.
    pub reader: Reader,
    /// The letters.
    pub letters: Letters,
    /// The customers' pages.
    pub pages: Pages,
    /// With what others sign that a customer of a shop has reviewed elsewhere; a shop without one believes nobody.
    pub hook_secrets: HashMap<ShopId, Vec<u8>>,
    /// The shops' policies.
    pub policies: Arc<Policies>,
    /// Looks for what proves the senders of copies.
    pub prover: Prover,
    /// The relays by name.
    pub relays: HashMap<String, Arc<RelayLine>>,
    /// The keys that letters are signed with.
    pub signers: Signers,
    /// Keys derived from the master key.
    pub keys: Keys,
    /// Where each shop's links lead.
    pub routes: HashMap<ShopId, Routes>,
    /// Who may log in at the door.
    pub logins: Logins,
}

/// One key a purpose, so that none of them gives away another.
pub struct Keys {
    /// Sign and seal what our own links carry.
    pub links: LinkKeys,
    /// Makes addresses unrecognisable in logs.
    pub log_ids: [u8; 32],
    /// Makes Message-IDs unguessable.
    pub message_ids: [u8; 32],
    /// Marks the mails that the service sends to itself.
    pub probes: [u8; 32],
    /// Makes the return addresses of letters.
    pub return_addresses: [u8; 32],
    /// Signs the forms of the customers' pages.
    pub forms: [u8; 32],
}

/// The house that all doors lead into.
pub struct House {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// What time it is.
    pub clock: Clock,
    /// This daemon's name in claims: no two runs share one.
    pub owner: String,
    /// How long it counts as alive after each sign of life.
    pub lease: Duration,
    /// When it was built.
    pub began: Timestamp,
    /// Rung when a copy was taken in.
    pub copy_came: Notify,
    /// What the use cases count.
    pub meter: Meter,
    /// Whether the loops live.
    pub vitals: Vitals,
    /// Turns at looking at passwords.
    pub turns: Turns,
    /// Rung when an invitation may be due earlier than was known.
    pub queue_moved: Notify,
    /// Whether a claim failed without an answer, so that letters may be claimed of which nobody here knows.
    pub(super) claims_unknown: AtomicBool,
    in_hand: Mutex<HashMap<Claim, Option<String>>>,
    raised: Mutex<HashMap<(ShopId, AlarmKind), Timestamp>>,
    meters: Mutex<Vec<Arc<dyn Show>>>,
    pub(super) rates: Rates,
    outside: OnceLock<Box<dyn Fn() -> Outside + Send + Sync>>,
    setup: ArcSwap<Setup>,
}

impl House {
    /// A house around a store.
    pub fn new(store: Arc<dyn Store>, clock: Clock, owner: String, lease: Duration, setup: Setup) -> Self {
        Self {
            began: clock.now(),
            store,
            clock,
            owner,
            lease,
            copy_came: Notify::new(),
            meter: Meter::default(),
            vitals: Vitals::default(),
            queue_moved: Notify::new(),
            claims_unknown: AtomicBool::new(false),
            in_hand: Mutex::default(),
            meters: Mutex::default(),
            rates: Rates::default(),
            outside: OnceLock::new(),
            turns: Turns::default(),
            raised: Mutex::default(),
            setup: ArcSwap::from_pointee(setup),
        }
    }

    /// The present set-up. Take it once for one piece of work, so that a reload does not change it half-way.
    pub fn setup(&self) -> Arc<Setup> {
        self.setup.load_full()
    }

    /// The claims that are not dealt with, with their relays. By claim and not by letter: one that could not be used is back in line,
    /// and may be claimed again for another relay, a moment before its first claim is laid down.
    pub(super) fn in_hand(&self) -> MutexGuard<'_, HashMap<Claim, Option<String>>> {
        self.in_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an alarm may be raised now that was not within the last minute: a flood of copies is one alarm.
    pub(super) fn may_raise(&self, shop: &ShopId, kind: AlarmKind, now: Timestamp) -> bool {
        let mut raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (shop.clone(), kind);
        if raised.get(&key).is_some_and(|at| now >= *at && now.since(*at) < RAISED_AGAIN) {
            return false;
        }
        raised.insert(key, now);
        true
    }

    /// Shows another part's counters among the figures.
    pub fn shows(&self, meter: Arc<dyn Show>) {
        self.meters.lock().unwrap_or_else(PoisonError::into_inner).push(meter);
    }

    /// Lets the house know how it is outside of it: said once, asked whenever somebody wants to know.
    pub fn is_outside(&self, how: impl Fn() -> Outside + Send + Sync + 'static) {
        // A second word would be of another daemon, of which there is none in one house.
        let _ = self.outside.set(Box::new(how));
    }

    /// How it is outside.
    pub(super) fn outside(&self) -> Outside {
        self.outside.get().map(|how| how()).unwrap_or_default()
    }

    /// The other parts' counters.
    pub(super) fn meters(&self) -> Vec<Arc<dyn Show>> {
        self.meters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a new set-up in place; work that has begun ends with the old one.
    pub fn replace_setup(&self, setup: Setup) {
        self.setup.store(Arc::new(setup));
        self.queue_moved.notify_one();
        self.copy_came.notify_one();
    }
}

impl Setup {
    /// What stands for an address in logs.
    pub fn log_id(&self, address: &EmailAddress) -> String {
        address.log_id(&self.keys.log_ids)
    }
}
