//! Whether the store can be written, without writing: how the last write went, and how much room a file's disk has.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::store::{Meter, StoreError};

/// Room that is kept for what must still be written when no more copies are taken: outcomes of letters, orders of the desk,
/// SQLite's own files.
const RESERVE_BYTES: u64 = 64 * 1024 * 1024;

/// On a small disk the reserve is this part of it instead.
const RESERVE_PART: u64 = 20;

/// How long one look at the disk counts.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How long a failed write speaks against the next one. Somebody must try again, or the store would stay closed for ever.
const TRY_AGAIN: Duration = Duration::from_secs(2);

/// How the writer fares.
#[derive(Debug)]
pub(super) struct Pulse {
    folder: Option<PathBuf>,
    commits: AtomicU64,
    meter: Arc<Meter>,
    trouble: Mutex<Option<(StoreError, Instant)>>,
    looked: Mutex<Option<(bool, Instant)>>,
}

impl Pulse {
    /// Of a database in `folder`, or on a server, whose disk is its own business.
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self {
            folder,
            commits: AtomicU64::new(0),
            meter: Arc::default(),
            trouble: Mutex::new(None),
            looked: Mutex::new(None),
        }
    }

    /// What is counted of the writers.
    pub(super) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// A commit of so many callers is durable, so long after its transaction began.
    pub(super) fn committed(&self, callers: usize, took: Duration) {
        self.meter.committed(callers, took);
        self.commits.fetch_add(1, Ordering::Relaxed);
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// A write failed.
    pub(super) fn failed(&self, error: &StoreError) {
        self.meter.failed();
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some((error.clone(), Instant::now()));
    }

    /// Commits since the start.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }

    /// Whether a copy could be kept now.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let now = Instant::now();
        if let Some((error, at)) = &*self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
            && now.duration_since(*at) < TRY_AGAIN
        {
            return Err(error.clone());
        }
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let (room, _) = match *looked {
            Some(fresh @ (_, at)) if now.duration_since(at) < LOOK_AGAIN => fresh,
            _ => *looked.insert((self.has_room(), now)),
        };
        if room { Ok(()) } else { Err(StoreError::Full) }
    }

    /// A disk that cannot be asked counts as roomy: the write itself will tell.
    fn has_room(&self) -> bool {
        let Some(folder) = &self.folder else {
            return true;
        };
        rustix::fs::statvfs(folder).map_or(true, |disk| {
            is_roomy(disk.f_bavail.saturating_mul(disk.f_frsize), disk.f_blocks.saturating_mul(disk.f_frsize))
        })
    }
}

fn is_roomy(free: u64, whole: u64) -> bool {
    free >= RESERVE_BYTES.min(whole / RESERVE_PART)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_64_mib_or_a_twentieth_whichever_is_less() {
        const MIB: u64 = 1024 * 1024;
        assert!(is_roomy(64 * MIB, 250_000 * MIB));
        assert!(!is_roomy(64 * MIB - 1, 250_000 * MIB));
        assert!(is_roomy(MIB, 20 * MIB));
        assert!(!is_roomy(MIB - 1, 20 * MIB));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_write_closes_the_door_until_a_commit_or_for_two_seconds() {
        let pulse = Pulse::new(Some(std::env::temp_dir()));
        pulse.failed(&StoreError::Full);
        assert_eq!(pulse.check(), Err(StoreError::Full));
        pulse.committed(1, Duration::ZERO);
        assert_ne!(pulse.check(), Err(StoreError::Busy));
        pulse.failed(&StoreError::Busy);
        assert_eq!(pulse.check(), Err(StoreError::Busy));
        tokio::time::advance(TRY_AGAIN).await;
        assert_ne!(pulse.check(), Err(StoreError::Busy));
    }
}
