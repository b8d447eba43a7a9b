//! What is looked at as it stands: the letters that are due next, those in hand, what relays said last, and what people stopped.
//! Everything is sought along an index; nothing is counted that grows with the number of invitations.

use super::SqlStore;
use super::connection::Connection;
use super::fault::Fault;
use super::rows::{InvitationRow, records};
use super::statements::{Statement, piece, statements, text};
use crate::domain::{Invitation, InvitationId, Outturn, Planned, ShopId, State, Timestamp};
use crate::store::{Deferred, InHand, Stopped, StoreError};

/// A letter's invitation, its phase, when its last attempt ended, and how.
type LetterSaid = (i64, String, Option<i64>, Option<String>);

/// Letters that are looked at for what relays said last, of each shop.
const LATELY: usize = 100;

statements! {
    UPCOMING = {
        "SELECT " (invitation columns) " FROM invitation WHERE invitation.shop = $1 AND invitation.due_at IS NOT NULL \
        ORDER BY invitation.due_at, invitation.id LIMIT $2"
    };
    IN_HAND = {
        "SELECT COALESCE(relay, ''), phase, COUNT(*), MIN(claimed_at) FROM letter WHERE phase IN ('claimed', 'on_the_wire') \
        AND ($1 IS NULL OR letter.shop = $1) GROUP BY relay, phase ORDER BY relay, phase"
    };
    LATEST_LETTERS = {
        "SELECT letter.invitation_id, letter.phase, letter.settled_at, letter.reply FROM letter \
        WHERE letter.shop = $1 ORDER BY letter.claimed_at DESC LIMIT $2"
    };
    /// What people stopped, of invitations that began and decisions that were made since `$1`, of shop `$2` or of all.
    STOPPED_BY_PEOPLE = {
        "SELECT decision.actor, decision.note, invitation.state, invitation.planned, \
            invitation.letters_sent, COUNT(*) \
        FROM decision JOIN invitation ON invitation.id = decision.invitation_id \
        WHERE decision.actor <> 'daemon' AND decision.at >= $1 AND decision.rule = 'desk-cancels' \
        AND invitation.created_at >= $1 AND ($2 IS NULL OR invitation.shop = $2) \
        GROUP BY 1, 2, 3, 4, 5 ORDER BY 6 DESC, 1, 2"
    };
}

fn number(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

async fn upcoming(conn: &mut Connection, shops: &[ShopId], limit: usize) -> Result<Vec<Invitation>, Fault> {
    let mut found: Vec<Invitation> = Vec::new();
    for shop in shops {
        let rows: Vec<InvitationRow> = conn.rows(UPCOMING, [shop.as_str().into(), limit.into()]).await?;
        found.extend(records(rows)?);
    }
    found.sort_by_key(|one| (one.progress.due_at, one.id));
    found.truncate(limit);
    Ok(found)
}

async fn in_hand(conn: &mut Connection, shop: Option<&ShopId>) -> Result<Vec<InHand>, Fault> {
    let rows: Vec<(String, String, i64, i64)> = conn.rows(IN_HAND, [shop.map(ShopId::as_str).into()]).await?;
    let mut found: Vec<InHand> = Vec::new();
    for (relay, phase, letters, oldest) in rows {
        if found.last().is_none_or(|last| last.relay != relay) {
            found.push(InHand { relay, claimed: 0, on_the_wire: 0, oldest: Timestamp(oldest) });
        }
        if let Some(last) = found.last_mut() {
            last.oldest = last.oldest.min(Timestamp(oldest));
            let count = if phase == "claimed" { &mut last.claimed } else { &mut last.on_the_wire };
            *count += number(letters);
        }
    }
    Ok(found)
}

async fn deferred(conn: &mut Connection, shops: &[ShopId], limit: usize) -> Result<Vec<Deferred>, Fault> {
    let mut found = Vec::new();
    for shop in shops {
        let rows: Vec<LetterSaid> = conn.rows(LATEST_LETTERS, [shop.as_str().into(), LATELY.into()]).await?;
        let deferred = rows.into_iter().filter(|(_, phase, ..)| phase == "deferred");
        found.extend(deferred.filter_map(|(id, _, at, reply)| {
            let (invitation, at) = (InvitationId(id), Timestamp(at?));
            Some(Deferred { invitation, at, reply: reply.unwrap_or_default() })
        }));
    }
    found.sort_by_key(|one| std::cmp::Reverse(one.at));
    found.truncate(limit);
    Ok(found)
}

async fn stopped(conn: &mut Connection, since: Timestamp, shop: Option<&ShopId>) -> Result<Vec<Stopped>, Fault> {
    let rows: Vec<(String, Option<String>, String, String, i64, i64)> =
        conn.rows(STOPPED_BY_PEOPLE, [since.into(), shop.map(ShopId::as_str).into()]).await?;
    let stopped = rows.into_iter().map(|(actor, reason, state, planned, letters, n)| {
        let unknown =
            |word: &str| Fault::Other(format!("an invitation stands as {word:?}, which this program does not know"));
        let state = State::parse(&state).ok_or_else(|| unknown(&state))?;
        let planned = Planned::parse(&planned).ok_or_else(|| unknown(&planned))?;
        let outturn = Outturn::from_parts(state, planned, letters > 0);
        Ok(Stopped { actor, reason, outturn, invitations: number(n) })
    });
    stopped.collect()
}

impl SqlStore {
    /// The invitations of these shops with which something is to be done next, the first due first: a letter, or a wait that is given
    /// up.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn upcoming(&self, shops: &[ShopId], limit: usize) -> Result<Vec<Invitation>, StoreError> {
        let shops = shops.to_vec();
        self.readers
            .read(move |conn| {
                let shops = shops.clone();
                Box::pin(async move { upcoming(conn, &shops, limit).await })
            })
            .await
    }

    /// The letters of one shop or of all that relays have in hand, whoever sends them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn in_hand(&self, shop: Option<&ShopId>) -> Result<Vec<InHand>, StoreError> {
        let shop = shop.cloned();
        self.readers
            .read(move |conn| {
                let shop = shop.clone();
                Box::pin(async move { in_hand(conn, shop.as_ref()).await })
            })
            .await
    }

    /// What relays said last to letters of these shops that wait for another attempt, the newest first. Looked for among the newest
    /// hundred letters of each shop.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn deferred_lately(&self, shops: &[ShopId], limit: usize) -> Result<Vec<Deferred>, StoreError> {
        let shops = shops.to_vec();
        self.readers
            .read(move |conn| {
                let shops = shops.clone();
                Box::pin(async move { deferred(conn, &shops, limit).await })
            })
            .await
    }

    /// What people stopped by hand of the invitations that began at `since` or later, of one shop or of all; in time that grows with what
    /// people did.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn stopped_by_people(&self, since: Timestamp, shop: Option<&ShopId>) -> Result<Vec<Stopped>, StoreError> {
        let shop = shop.cloned();
        self.readers
            .read(move |conn| {
                let shop = shop.clone();
                Box::pin(async move { stopped(conn, since, shop.as_ref()).await })
            })
            .await
    }
}
