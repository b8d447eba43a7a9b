//! Connections that only read, a few at most. What is read is read from one state of everything, in a task of its own: a caller
//! who goes away leaves no connection in the middle of something.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::connection::Connection;
use super::engine::Engine;
use super::fault::Fault;
use crate::store::StoreError;

/// Connections at one time.
const READERS: usize = 4;

/// How long somebody waits for a connection, and how long one look may take.
const LOOK_TAKES: Duration = Duration::from_secs(30);

/// The pool.
#[derive(Debug, Clone)]
pub(super) struct Readers(Arc<Pool>);

#[derive(Debug)]
struct Pool {
    engine: Engine,
    permits: Semaphore,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    /// Connections to one engine; the first is opened when it is needed.
    pub(super) fn new(engine: Engine) -> Self {
        Self(Arc::new(Pool { engine, permits: Semaphore::new(READERS), idle: Mutex::default() }))
    }

    /// Reads. A connection that turns out to be gone is replaced by a new one, once: a server that was restarted is no fault.
    pub(super) async fn read<T, F>(&self, look: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: for<'c> Fn(&'c mut Connection) -> Look<'c, T> + Send + Sync + 'static,
    {
        let pool = Arc::clone(&self.0);
        let reading = tokio::spawn(tokio::time::timeout(LOOK_TAKES, async move { pool.read(look).await }));
        match reading.await {
            Ok(Ok(outcome)) => outcome.map_err(Fault::into_store_error),
            Ok(Err(_)) => Err(StoreError::Busy),
            Err(stopped) => Err(StoreError::Failed(stopped.to_string())),
        }
    }

    /// Reads what is asked with a question of its own, which outlives a caller who goes away.
    pub(super) async fn ask<Q, T, F>(&self, question: Q, look: F) -> Result<T, StoreError>
    where
        Q: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'c> Fn(&'c mut Connection, &'c Q) -> Look<'c, T> + Send + Sync + 'static,
    {
        let look = Arc::new((question, look));
        self.read(move |conn| {
            let look = Arc::clone(&look);
            Box::pin(async move { look.1(conn, &look.0).await })
        })
        .await
    }

    /// Closes those that are idle.
    pub(super) async fn rest(&self) {
        let idle = std::mem::take(&mut *self.0.idle());
        for conn in idle {
            conn.close().await;
        }
    }

    /// Closes those that are idle, and lets nobody in any more.
    pub(super) async fn close(&self) {
        self.0.permits.close();
        self.rest().await;
    }
}

/// What is read on a connection.
pub(super) type Look<'c, T> = std::pin::Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'c>>;

impl Pool {
    async fn read<T>(&self, look: impl for<'c> Fn(&'c mut Connection) -> Look<'c, T>) -> Result<T, Fault> {
        let _permit = self.permits.acquire().await.map_err(|_| Fault::Other("the store is closed".to_owned()))?;
        let kept = self.idle().pop();
        let was_kept = kept.is_some();
        let conn = match kept {
            Some(conn) => conn,
            None => self.engine.connect_to_read().await?,
        };
        match self.look(conn, &look).await {
            Err(fault) if was_kept && fault.is_broken() => {
                let conn = self.engine.connect_to_read().await?;
                self.look(conn, &look).await
            }
            outcome => outcome,
        }
    }

    async fn look<T>(
        &self,
        mut conn: Connection,
        look: &impl for<'c> Fn(&'c mut Connection) -> Look<'c, T>,
    ) -> Result<T, Fault> {
        conn.begin_reading().await?;
        let outcome = look(&mut conn).await;
        match outcome {
            Ok(found) => {
                conn.command("COMMIT").await?;
                self.idle().push(conn);
                Ok(found)
            }
            Err(fault) => {
                if !fault.is_broken() && conn.command("ROLLBACK").await.is_ok() {
                    self.idle().push(conn);
                }
                Err(fault)
            }
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
