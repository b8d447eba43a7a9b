//! The connections to one relay: which letter gets which, which are kept, and for how long.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use super::connection::{Access, Connection};
use super::envelope::Envelope;
use super::outcome::{Failure, Outcome, Phase, Reply, Trouble};

/// A connection that had no letter for this long is closed: several daemons, and whoever else uses the relay, share the number of
/// connections that it grants one client.
const IDLE_AT_MOST: Duration = Duration::from_secs(10);

/// Connections to a relay.
pub(super) struct Pool {
    pub(super) access: Access,
    /// One permit for each connection in use. Idle ones need none: a new one is opened only when none is idle.
    permits: Arc<Semaphore>,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// Connections that wait for a letter, the last used on top.
    connections: Vec<Connection>,
    /// Whether a task watches over them.
    watched: bool,
}

/// Why there is no transaction.
pub(super) enum Stop {
    /// The relay could not be reached as configured.
    Trouble(Trouble),
    /// It would not take this letter, or the connection failed, at a phase.
    Failure(Phase, Failure),
    /// It cannot carry this letter.
    CannotCarry(Reply),
}

impl Stop {
    /// What that means for the letter.
    pub(super) fn outcome<E>(self) -> Outcome<E> {
        match self {
            Self::Trouble(trouble) => Outcome::Unavailable(trouble),
            Self::Failure(phase, failure) => failure.judge(phase),
            Self::CannotCarry(reply) => Outcome::Refused { phase: Phase::Check, reply },
        }
    }
}

impl Pool {
    pub(super) fn new(access: Access) -> Self {
        let permits = access.settings.connections.clamp(1, Semaphore::MAX_PERMITS);
        Self { access, permits: Arc::new(Semaphore::new(permits)), idle: Mutex::default() }
    }

    /// Waits until a connection may be used; `None` when no more letters are taken.
    pub(super) async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).acquire_owned().await.ok()
    }

    /// A connection with the relay's 354. An idle one that turns out to be gone is replaced by a fresh one, once: up to here
    /// nothing was sent that could be sent twice, and no 354 was seen.
    pub(super) async fn begin(self: &Arc<Self>, envelope: &Envelope<'_>) -> Result<Connection, Stop> {
        if let Some(connection) = self.take_idle().await {
            match self.begin_on(connection, envelope).await {
                Err(Stop::Failure(_, failure)) if failure.is_stale() => {}
                other => return other,
            }
        }
        let connection = Connection::open(&self.access).await.map_err(Stop::Trouble)?;
        self.begin_on(connection, envelope).await
    }

    async fn begin_on(
        self: &Arc<Self>,
        mut connection: Connection,
        envelope: &Envelope<'_>,
    ) -> Result<Connection, Stop> {
        if let Some(reply) = connection.cannot_carry(envelope) {
            self.keep(connection).await;
            return Err(Stop::CannotCarry(reply));
        }
        match connection.begin(envelope).await {
            Ok(()) => Ok(connection),
            Err((phase, failure)) => {
                self.keep_after(connection, phase, &failure).await;
                Err(Stop::Failure(phase, failure))
            }
        }
    }

    async fn take_idle(&self) -> Option<Connection> {
        loop {
            let mut connection = self.idle().connections.pop()?;
            if connection.is_fresh().await {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection if only the letter failed; drops every other.
    pub(super) async fn keep_after(self: &Arc<Self>, connection: Connection, phase: Phase, failure: &Failure) {
        if failure.spares_connection(phase) && !connection.out_of_step {
            self.keep(connection).await;
        }
    }

    /// Keeps a connection for another letter, or says good-bye to it.
    pub(super) async fn keep(self: &Arc<Self>, connection: Connection) {
        if let Some(connection) = self.lay_by(connection) {
            connection.quit().await;
        }
    }

    /// Puts a connection to the idle ones, or gives it back if it may not take another letter.
    fn lay_by(self: &Arc<Self>, connection: Connection) -> Option<Connection> {
        let mut idle = self.idle();
        // Looked at under the lock, so that `close` finds every connection that came before it.
        if connection.letters >= self.access.settings.letters_per_connection || self.permits.is_closed() {
            return Some(connection);
        }
        idle.connections.push(connection);
        if !idle.watched {
            idle.watched = true;
            tokio::spawn(watch_over_idle(Arc::downgrade(self)));
        }
        None
    }

    /// Takes out what was idle for too long, and tells when the next one will have been; without one the watch is over.
    fn take_expired(&self) -> (Vec<Connection>, Option<Instant>) {
        let (mut idle, now) = (self.idle(), Instant::now());
        let expired = idle.connections.extract_if(.., |connection| connection.used + IDLE_AT_MOST <= now).collect();
        let next = idle.connections.iter().map(|connection| connection.used + IDLE_AT_MOST).min();
        idle.watched = next.is_some();
        (expired, next)
    }

    /// Says QUIT on every idle connection, and gives no more permits.
    pub(super) async fn close(&self) {
        self.permits.close();
        let idle = std::mem::take(&mut self.idle().connections);
        for connection in idle {
            connection.quit().await;
        }
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes connections that were idle for too long, until none is idle. One such task a relay at most; it keeps no relay alive.
async fn watch_over_idle(pool: Weak<Pool>) {
    while let Some((expired, next)) = pool.upgrade().map(|pool| pool.take_expired()) {
        for connection in expired {
            connection.quit().await;
        }
        match next {
            Some(at) => sleep_until(at).await,
            None => break,
        }
    }
}
