//! What SQLite has to do for a backup: a copy of everything as of one instant, a look through it, and its date.

use std::path::Path;

use sqlx::sqlite::SqliteConnection;
use sqlx::{ConnectOptions as _, Connection as _};

use super::File;
use super::open::{property, quick_check};
use crate::domain::Timestamp;
use crate::store::StoreError;
use crate::store::sql::restored::LAST_BACKUP;

/// How much there is of what matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// Copies, with or without their bytes.
    pub copies: u64,
    /// Invitations.
    pub invitations: u64,
    /// Letters.
    pub letters: u64,
}

impl File {
    /// Writes everything as of one instant into the empty file `to`. It reads only, so nobody waits for it; the log cannot be cut back
    /// meanwhile.
    pub(in crate::store) async fn copy_whole(&self, to: &Path) -> Result<(), StoreError> {
        let name = to.to_str().ok_or_else(|| Self::new(to).refuse("its name is not UTF-8"))?;
        // No pragma of durability: nothing is written here but the copy, which is synced when it is whole.
        let mut conn = self.options().connect().await.map_err(|error| self.unusable(error))?;
        let copied = sqlx::query("VACUUM INTO ?1").bind(name).execute(&mut conn).await;
        let _ = conn.close().await;
        copied.map(drop).map_err(|error| Self::new(to).unusable(error))
    }

    /// Looks a copy through and writes down in it when it was made.
    pub(in crate::store) async fn sign_backup(&self, at: Timestamp) -> Result<Contents, StoreError> {
        let unusable = |error| self.unusable(error);
        let mut conn = self.options().connect().await.map_err(unusable)?;
        sqlx::query("INSERT INTO property (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value")
            .bind(LAST_BACKUP)
            .bind(at.0.to_string())
            .execute(&mut conn)
            .await
            .map_err(unusable)?;
        let contents = self.look_through(&mut conn).await?;
        conn.close().await.map_err(unusable)?;
        Ok(contents)
    }

    /// Looks at a file that is to be put back, and brings its schema up to date. When it was made, if it knows that.
    pub(in crate::store) async fn prepare_backup(&self, named: &Path) -> Result<Option<Timestamp>, StoreError> {
        // What is wrong with it is wrong with the file that the person named.
        let as_named = |error| match error {
            StoreError::Unusable { why, .. } => Self::new(named).refuse(&why),
            StoreError::Missing(_) => StoreError::Missing(named.display().to_string()),
            other => other,
        };
        let unusable = |error| Self::new(named).unusable(error);
        self.prepare(true).await.map_err(as_named)?;
        let mut conn = self.options().connect().await.map_err(unusable)?;
        let made_at = property(&mut conn, LAST_BACKUP).await.map_err(unusable)?;
        self.look_through(&mut conn).await.map_err(as_named)?;
        let _ = conn.close().await;
        Ok(made_at.and_then(|text| text.parse().ok()).map(Timestamp))
    }

    /// Leaves everything in the file itself, with nothing beside it and nobody at work on it: a backup is made while a daemon works, which
    /// is not at work on the file that was put back.
    pub(in crate::store) async fn settle(&self) -> Result<Contents, StoreError> {
        let unusable = |error| self.unusable(error);
        let mut conn = self.connect_to_write().await.map_err(unusable)?;
        for nobody in ["DELETE FROM daemon", "DELETE FROM report"] {
            sqlx::query(nobody).execute(&mut conn).await.map_err(unusable)?;
        }
        let contents = self.look_through(&mut conn).await?;
        let is_empty = super::empty_log(&mut conn).await.map_err(unusable)?;
        conn.close().await.map_err(unusable)?;
        if is_empty { Ok(contents) } else { Err(StoreError::Busy) }
    }

    async fn look_through(&self, conn: &mut SqliteConnection) -> Result<Contents, StoreError> {
        if let Some(why) = quick_check(conn).await.map_err(|error| self.unusable(error))? {
            return Err(self.refuse(&format!("it is damaged ({why})")));
        }
        let (copies, invitations, letters): (i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM copy), (SELECT COUNT(*) FROM invitation), (SELECT COUNT(*) FROM letter)",
        )
        .fetch_one(conn)
        .await
        .map_err(|error| self.unusable(error))?;
        let count = |rows| u64::try_from(rows).unwrap_or(0);
        Ok(Contents { copies: count(copies), invitations: count(invitations), letters: count(letters) })
    }
}
