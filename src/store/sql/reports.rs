//! What daemons say of themselves.

use async_trait::async_trait;

use super::connection::Connection;
use super::fault::Fault;
use super::statements as sql;
use super::writer::Work;
use crate::domain::{DAY, Timestamp};
use crate::store::Report;

/// Keeps a report.
pub(super) struct Keep {
    pub(super) report: Report,
    /// Whether no other daemon can be alive: what others said is over then.
    pub(super) is_alone: bool,
}

#[async_trait]
impl Work for Keep {
    type Answer = ();

    async fn run(&self, conn: &mut Connection) -> Result<(), Fault> {
        let Report { owner, at, body } = &self.report;
        let day = i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX);
        match self.is_alone {
            true => conn.execute(sql::FORGET_OTHER_REPORTS, [owner.as_str().into()]).await?,
            false => conn.execute(sql::FORGET_REPORTS, [Timestamp(at.0.saturating_sub(day)).into()]).await?,
        };
        conn.execute(sql::REPORT, [owner.as_str().into(), (*at).into(), body.as_str().into()]).await?;
        Ok(())
    }
}

/// All reports, the latest last.
pub(super) async fn all(conn: &mut Connection) -> Result<Vec<Report>, Fault> {
    let rows: Vec<(String, i64, String)> = conn.rows(sql::REPORTS, [Timestamp(i64::MIN).into()]).await?;
    Ok(rows.into_iter().map(|(owner, at, body)| Report { owner, at: Timestamp(at), body }).collect())
}
