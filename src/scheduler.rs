//! The loops, and nothing but the loops: read what was taken in, send what is due, clear up, forget. Each waits on the clock or
//! on a bell, listens for the bell *before* it looks for work so that no ring is lost, and stops when told to.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::domain::Timestamp;
use crate::ops::{House, dispatch, purge, read};

/// How long a loop rests after the store failed.
const STORE_RESTS: Duration = Duration::from_secs(1);

/// How long copies gather after the reader has caught up. A look costs it two commits, however few copies it finds, and these
/// stand in line with the door's: without a pause a busy door would wait for the reader most of the time.
const GATHER: Duration = Duration::from_millis(100);

/// How often the queue is looked at without a bell: another process, such as the support desk, may have moved it.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How often claims whose lease is over are cleared up.
const RECOVER_EVERY: Duration = Duration::from_secs(60);

/// How often old copies are deleted.
const PURGE_EVERY: Duration = Duration::from_secs(3600);

/// How long letters that are being sent may go on after the daemon was told to stop.
pub const DRAIN: Duration = Duration::from_secs(30);

/// Reads copies as they come: the first at once, those that follow closely together. After `stop` no batch is begun; what is
/// unread then is read after the next start.
pub async fn read_copies(house: Arc<House>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let bell = house.copy_came.notified();
        let pause = match read::read_some(&house).await {
            Ok(0) => None,
            Ok(read::BATCH) => continue,
            Ok(_) => Some(GATHER),
            Err(error) => {
                tracing::error!(%error, "copies cannot be read");
                Some(STORE_RESTS)
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = bell, if pause.is_none() => {}
            () = tokio::time::sleep(pause.unwrap_or(LOOK_AGAIN)) => {}
        }
    }
}

/// Sends letters as they fall due, as many at one time as the relays have connections. After `stop` no letter is begun, and
/// those under way have [`DRAIN`] to end.
pub async fn send_letters(house: Arc<House>, stop: CancellationToken) {
    let mut sending = JoinSet::new();
    while !stop.is_cancelled() {
        while sending.try_join_next().is_some() {}
        let bell = house.queue_moved.notified();
        let free = dispatch::slots(&house).saturating_sub(sending.len());
        let step = if free == 0 { Step::Full } else { claim_due(&house, free, &mut sending).await };
        let (due, pause) = match step {
            Step::Claimed => continue,
            Step::Full => (None, LOOK_AGAIN),
            Step::NothingBefore(due) => (due, LOOK_AGAIN),
            Step::StoreFails => (None, STORE_RESTS),
        };
        tokio::select! {
            () = stop.cancelled() => break,
            () = bell => {}
            Some(_) = sending.join_next() => {}
            () = house.clock.sleep_until(due) => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    let drained = tokio::time::timeout(DRAIN, async { while sending.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(letters = sending.len(), "letters were still being sent when the time to stop had passed");
    }
}

/// What a look at the queue led to.
enum Step {
    /// Letters were claimed and are being sent.
    Claimed,
    /// Every connection is in use.
    Full,
    /// Nothing is due before this instant.
    NothingBefore(Option<Timestamp>),
    /// The store cannot be used, so nothing may be sent.
    StoreFails,
}

async fn claim_due(house: &Arc<House>, free: usize, sending: &mut JoinSet<()>) -> Step {
    let claimed = match dispatch::next_claim(house).await {
        Ok(Some(due)) if due <= house.clock.now() => dispatch::claim(house, free).await,
        Ok(due) => return Step::NothingBefore(due),
        Err(error) => Err(error),
    };
    match claimed {
        Ok(letters) => {
            for letter in letters {
                let house = Arc::clone(house);
                sending.spawn(async move { dispatch::send(&house, letter).await });
            }
            Step::Claimed
        }
        Err(error) => {
            tracing::error!(%error, "nothing can be sent while the store cannot be used");
            Step::StoreFails
        }
    }
}

/// Clears up and forgets, now and then.
pub async fn keep_house(house: Arc<House>, stop: CancellationToken) {
    let mut purge_at = Timestamp(i64::MIN);
    loop {
        if let Err(error) = dispatch::recover(&house).await {
            tracing::error!(%error, "claims cannot be cleared up");
        }
        if house.clock.now() >= purge_at {
            if let Err(error) = purge::purge(&house).await {
                tracing::error!(%error, "old copies cannot be deleted");
            }
            purge_at = house.clock.now().plus(PURGE_EVERY);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RECOVER_EVERY) => {}
        }
    }
}
