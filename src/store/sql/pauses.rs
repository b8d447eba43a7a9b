//! Letters that rest because somebody wants them to, of one shop or of all.

use async_trait::async_trait;

use super::connection::Connection;
use super::fault::Fault;
use super::statements as sql;
use super::writer::Work;
use crate::domain::{ShopId, Timestamp};
use crate::store::{Actor, Pause};

/// How the table names all shops.
fn name(shop: Option<&ShopId>) -> &str {
    shop.map_or("", ShopId::as_str)
}

/// Lets letters rest.
pub(super) struct Rest {
    pub(super) shop: Option<ShopId>,
    pub(super) actor: Actor,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for Rest {
    type Answer = bool;

    async fn run(&self, conn: &mut Connection) -> Result<bool, Fault> {
        let reason = self.actor.reason.as_deref().into();
        let values = [name(self.shop.as_ref()).into(), self.now.into(), self.actor.name.as_str().into(), reason];
        Ok(conn.execute(sql::PAUSE, values).await? > 0)
    }
}

/// Lets letters go again.
pub(super) struct GoOn {
    pub(super) shop: Option<ShopId>,
}

#[async_trait]
impl Work for GoOn {
    type Answer = bool;

    async fn run(&self, conn: &mut Connection) -> Result<bool, Fault> {
        Ok(conn.execute(sql::RESUME, [name(self.shop.as_ref()).into()]).await? > 0)
    }
}

/// Whose letters rest.
pub(super) async fn all(conn: &mut Connection) -> Result<Vec<Pause>, Fault> {
    let rows: Vec<(String, i64, String, Option<String>)> = conn.rows(sql::PAUSES, []).await?;
    let pauses = rows.into_iter().map(|(shop, since, actor, reason)| {
        let shop = if shop.is_empty() { Ok(None) } else { ShopId::parse(&shop).map(Some) };
        let shop = shop.map_err(|why| Fault::Other(format!("a shop's name cannot be read: {why}")))?;
        Ok(Pause { shop, since: Timestamp(since), actor: Actor { name: actor, reason } })
    });
    pauses.collect()
}
