//! The loops, and nothing but the loops: read what was taken in, send what is due, clear up, forget, watch. Each waits on the clock or
//! on a bell, listens for the bell *before* it looks for work so that no ring is lost, and stops when told to.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::domain::Timestamp;
use crate::ops::vitals::Loop;
use crate::ops::{House, dispatch, metrics, purge, read, status, watch};
use crate::store::StoreError;

/// How long a loop rests after the store failed.
const STORE_RESTS: Duration = Duration::from_secs(1);

/// How often a failure that goes on is told. A server that is away for a night must not fill a disk with it.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// How often what was read is tried to be filed before the copies are read anew. A copy may only be handed out a few times, and a
/// server that is started anew is no fault of the copies that were being read; but a batch that cannot be filed must end.
const FILING_TRIES: u32 = 30;

/// How long copies gather after the reader has caught up. A look costs it two commits, however few copies it finds, and these
/// stand in line with the door's: without a pause a busy door would wait for the reader most of the time.
const GATHER: Duration = Duration::from_millis(100);

/// While copies come in, the reader rests this many times as long as it worked: a sender waits for its 250, and nobody for a reading.
const DOOR_FIRST: u32 = 4;

/// A copy that has waited for so long is read without any more regard for the door: what comes in without end must be read too.
const WAITS_AT_MOST: Duration = Duration::from_secs(10);

/// How often the queue is looked at without a bell: another process, such as the support desk, may have moved it.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// How long a look at the queue is put off when a relay's connections are all in other daemons' use.
const OTHERS_TAKE: Duration = Duration::from_millis(200);

/// How often within a lease the daemon shows that it lives, and takes over from those that do not: so that one that was late is not
/// one that was lost.
const BEATS: u32 = 6;

/// How often old copies are deleted.
const PURGE_EVERY: Duration = Duration::from_secs(3600);

/// How often the shops are looked at, and the figures written.
const WATCH_EVERY: Duration = Duration::from_secs(60);

/// How often copies are looked for whose sender is to be checked again. The soonest is due five minutes after it came.
const LOOK_AT_DOUBTS: Duration = Duration::from_secs(30);

/// How long letters that are being sent may go on after the daemon was told to stop.
pub const DRAIN: Duration = Duration::from_secs(30);

/// A failure of one kind that may go on: told when it begins, now and then while it lasts, and when it is over.
struct Trouble {
    what: &'static str,
    told: Option<Instant>,
}

impl Trouble {
    fn none_with(what: &'static str) -> Self {
        Self { what, told: None }
    }

    fn goes_on(&mut self, error: &StoreError) {
        if self.told.is_some_and(|told| told.elapsed() < TELL_AGAIN) {
            tracing::debug!(%error, "{}", self.what);
            return;
        }
        self.told = Some(Instant::now());
        tracing::error!(%error, "{}", self.what);
    }

    fn is_over(&mut self) {
        if self.told.take().is_some() {
            tracing::info!("over: {}", self.what);
        }
    }
}

/// Reads copies as they come: the first at once, those that follow closely together. After `stop` no batch is begun; what is
/// unread then is read after the next start.
pub async fn read_copies(house: Arc<House>, stop: CancellationToken) {
    let mut trouble = Trouble::none_with("copies cannot be read while the store cannot be used");
    while !stop.is_cancelled() {
        let bell = house.copy_came.notified();
        let (began, taken_in) = (Instant::now(), house.meter.taken_in());
        house.vitals.mark(Loop::Reading);
        let pause = match read::read_some(&house).await {
            Ok(batch) => {
                trouble.is_over();
                if batch.copies > 0 {
                    file(&house, &batch, &stop).await;
                }
                let door_is_busy = house.meter.taken_in() > taken_in && batch.waited < WAITS_AT_MOST;
                match batch.copies {
                    0 => None,
                    _ if door_is_busy => Some(GATHER.max(began.elapsed() * DOOR_FIRST)),
                    read::BATCH => continue,
                    _ => Some(GATHER),
                }
            }
            Err(error) => {
                trouble.goes_on(&error);
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

/// Files what was read, again while the store fails, until it is time to stop or too late.
async fn file(house: &House, batch: &read::Batch, stop: &CancellationToken) {
    let mut trouble = Trouble::none_with("what was read cannot be filed while the store cannot be written");
    for _ in 0..FILING_TRIES {
        house.vitals.mark(Loop::Reading);
        match read::file(house, batch).await {
            Ok(()) => return trouble.is_over(),
            Err(error) => trouble.goes_on(&error),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(STORE_RESTS) => {}
        }
    }
}

/// Sends letters as they fall due, as many at one time as the relays have connections. After `stop` no letter is begun, and
/// those under way have [`DRAIN`] to end.
pub async fn send_letters(house: Arc<House>, stop: CancellationToken) {
    let mut trouble = Trouble::none_with("nothing can be sent while the store cannot be used");
    let mut sending = JoinSet::new();
    while !stop.is_cancelled() {
        while sending.try_join_next().is_some() {}
        house.vitals.mark(Loop::Sending);
        let bell = house.queue_moved.notified();
        let (next, pause) = match dispatch::look(&house).await {
            Ok(look) => {
                trouble.is_over();
                for letter in look.letters {
                    let house = Arc::clone(&house);
                    sending.spawn(async move { dispatch::send(&house, letter).await });
                }
                if look.may_find_more {
                    continue;
                }
                (look.next, if look.waits_for_others { OTHERS_TAKE } else { LOOK_AGAIN })
            }
            Err(error) => {
                trouble.goes_on(&error);
                (None, STORE_RESTS)
            }
        };
        tokio::select! {
            () = stop.cancelled() => break,
            () = bell => {}
            Some(_) = sending.join_next() => {}
            () = house.clock.sleep_until(next) => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    // Those that were claimed ahead and have no connection yet go back in line.
    dispatch::hang_up(&house).await;
    let drained = tokio::time::timeout(DRAIN, async { while sending.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(letters = sending.len(), "letters were still being sent when the time to stop had passed");
    }
}

/// Shows that the daemon lives, takes over from those that died, and forgets, now and then.
///
/// Who was away itself (stopped, or without the database) for half a lease, or has only just begun, does not judge others by their
/// leases yet: they may have been away for the same reason, and come back as it did.
///
/// # Errors
/// [`StoreError::NewerSchema`] when the database was brought to a schema that this program cannot work with; nothing else ends it
/// but `stop`.
pub async fn keep_house(house: Arc<House>, stop: CancellationToken) -> Result<(), StoreError> {
    let mut purge_at = Timestamp(i64::MIN);
    let mut trouble = Trouble::none_with("the daemon cannot show that it lives, so others may take its work over");
    let mut here_until = house.clock.now();
    loop {
        house.vitals.mark(Loop::Keeping);
        let beat = dispatch::beat(&house).await;
        let now = house.clock.now();
        let was_here = beat.is_ok() && now < here_until;
        match beat {
            Ok(()) => {
                trouble.is_over();
                here_until = now.plus(house.lease / 2);
            }
            Err(error @ StoreError::NewerSchema { .. }) => return Err(error),
            Err(error) => trouble.goes_on(&error),
        }
        if let Err(error) = status::report(&house).await {
            tracing::debug!(%error, "how things stand could not be written down");
        }
        if was_here && let Err(error) = dispatch::recover(&house).await {
            tracing::error!(%error, "claims cannot be cleared up");
        }
        // A clock that was ahead and came back must not put it off until it is as late again.
        let now = house.clock.now();
        if now >= purge_at || now.plus(PURGE_EVERY) < purge_at {
            if let Err(error) = purge::purge(&house).await {
                tracing::error!(%error, "old copies cannot be deleted");
            }
            purge_at = house.clock.now().plus(PURGE_EVERY);
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(house.lease / BEATS) => {}
        }
    }
}

/// Looks again at copies whose senders could not be checked, until `stop`.
pub async fn look_again(house: Arc<House>, stop: CancellationToken) {
    let mut trouble = Trouble::none_with("held copies cannot be looked at again while the store cannot be used");
    while !stop.is_cancelled() {
        let looked = read::look_again(&house).await;
        match &looked {
            Ok(_) => trouble.is_over(),
            Err(error) => trouble.goes_on(error),
        }
        // Each that was looked at has another time now, so this comes to an end.
        if looked.is_ok_and(|copies| copies > 0) {
            continue;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_AT_DOUBTS) => {}
        }
    }
}

/// Watches over the shops and writes the figures, until `stop`.
pub async fn watch_shops(house: Arc<House>, stop: CancellationToken) {
    let mut trouble = Trouble::none_with("nobody watches over the shops while the store cannot be used");
    let mut watch = watch::Watch::default();
    let mut is_written = true;
    loop {
        house.vitals.mark(Loop::Watching);
        match watch::look(&house, &mut watch).await {
            Ok(_) => trouble.is_over(),
            Err(error) => trouble.goes_on(&error),
        }
        is_written = write_figures(&house, is_written).await;
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(WATCH_EVERY) => {}
        }
    }
}

/// Writes the figures where the configuration wants them. A failure is told when it begins, and not again every minute.
async fn write_figures(house: &House, was_written: bool) -> bool {
    let setup = house.setup();
    let Some(path) = setup.config.metrics.textfile.clone() else { return true };
    let text = metrics::text(house).await;
    let written = tokio::task::spawn_blocking(move || metrics::write(&path, &text)).await;
    match written.map_err(std::io::Error::other).flatten() {
        Ok(()) => true,
        Err(error) => {
            if was_written {
                tracing::error!(%error, "the figures cannot be written; see that the service may write to the folder of metrics.textfile");
            }
            false
        }
    }
}
