//! Whether the daemon lives: each loop leaves a mark when it goes round, and one that has left none for long hangs.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::house::House;

/// How long a loop may take to go round. A transaction may take a minute before it is given up, and one that meets others is begun
/// anew, so that a store in trouble is no hang.
pub const ROUND_TAKES: Duration = Duration::from_secs(300);

/// A loop of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loop {
    /// Reads copies.
    Reading,
    /// Sends letters.
    Sending,
    /// Watches over the shops.
    Watching,
    /// Shows that the daemon lives, clears up, forgets.
    Keeping,
}

const LOOPS: [(Loop, &str); 4] = [
    (Loop::Reading, "the loop that reads copies"),
    (Loop::Sending, "the loop that sends letters"),
    (Loop::Watching, "the loop that watches over the shops"),
    (Loop::Keeping, "the loop that clears up"),
];

/// The signs of life. They count by a clock that nobody sets.
#[derive(Debug)]
pub struct Vitals {
    began: Instant,
    marks: [AtomicU64; 4],
    /// Whether the last write of the daemon's report failed.
    cannot_write: AtomicBool,
}

impl Default for Vitals {
    fn default() -> Self {
        Self { began: Instant::now(), marks: Default::default(), cannot_write: AtomicBool::new(false) }
    }
}

impl Vitals {
    /// A loop goes round.
    pub fn mark(&self, which: Loop) {
        if let Some(mark) = self.marks.get(which as usize) {
            mark.store(millis(self.began.elapsed()), Ordering::Relaxed);
        }
    }

    /// Notes whether something could be written just now.
    pub fn wrote(&self, has_written: bool) {
        self.cannot_write.store(!has_written, Ordering::Relaxed);
    }

    /// What hangs, if anything does.
    pub fn hangs(&self) -> Option<&'static str> {
        let now = millis(self.began.elapsed());
        let mut loops = LOOPS.iter().zip(&self.marks);
        let late = |mark: &AtomicU64| now.saturating_sub(mark.load(Ordering::Relaxed)) > millis(ROUND_TAKES);
        loops.find_map(|((_, name), mark)| late(mark).then_some(*name))
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// Whether copies can be taken in, read and sent now.
///
/// # Errors
/// Why not, in a few words.
pub async fn ready(house: &House) -> Result<(), String> {
    if let Some(name) = house.vitals.hangs() {
        return Err(format!("{name} hangs"));
    }
    house.store.ready().await.map_err(|error| error.to_string())?;
    if house.vitals.cannot_write.load(Ordering::Relaxed) {
        return Err("the store cannot be written".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_leaves_no_mark_hangs() {
        let vitals = Vitals::default();
        tokio::time::advance(ROUND_TAKES).await;
        assert_eq!(vitals.hangs(), None);
        for (one, _) in LOOPS {
            vitals.mark(one);
        }
        tokio::time::advance(ROUND_TAKES / 2).await;
        vitals.mark(Loop::Reading);
        vitals.mark(Loop::Watching);
        vitals.mark(Loop::Keeping);
        tokio::time::advance(ROUND_TAKES / 2 + Duration::from_millis(1)).await;
        assert_eq!(vitals.hangs(), Some("the loop that sends letters"));
        vitals.mark(Loop::Sending);
        assert_eq!(vitals.hangs(), None);
    }
}
