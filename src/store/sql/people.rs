//! What is known of the people to whom letters are due, while these are claimed: the letters that they got, from whichever shop, and
//! whether they are on the suppression list. Each is one statement for a whole batch. Two letters of one batch to one person see each
//! other, and so do those of two daemons: a person's letters are claimed in turns.

use std::collections::{BTreeSet, HashMap};

use sqlx::FromRow;

use super::connection::Connection;
use super::fault::Fault;
use super::moves::to_json;
use super::rows::count;
use super::statements as sql;
use super::turns::{self, Turn};
use crate::domain::{
    AddressKey, Case, Invitation, InvitationId, ListKey, ListKind, OrderDetails, PastLetter, Policies, Ruling, ShopId,
    State, Suppressed, Timestamp, lookup_keys, product_keys, weigh,
};

/// Letters to one person that are looked at, the newest: many times what any cap allows, and a bound for an address that gets them by
/// the thousand, as a shop's own may.
const PAST_AT_MOST: usize = 500;

/// A letter that a person got, and which one it was.
#[derive(Debug)]
struct Past {
    invitation: InvitationId,
    ordinal: u32,
    letter: PastLetter,
}

/// An entry of the list that means somebody of the batch.
#[derive(Debug)]
struct Entry {
    /// `None` for all shops.
    shop: Option<String>,
    suppressed: Suppressed,
}

/// The people of a batch. No debug print: it would put them into a log.
#[derive(Default)]
pub(super) struct People {
    /// By the address's key.
    past: HashMap<String, Vec<Past>>,
    entries: HashMap<ListKey, Vec<Entry>>,
    list_key: [u8; 32],
}

#[derive(FromRow)]
struct PastRow {
    email_key: String,
    shop: String,
    invitation_id: i64,
    ordinal: i64,
    claimed_at: i64,
    details: String,
}

impl People {
    /// Whose letters are due among these invitations. Nobody else claims letters to them before the transaction ends.
    pub(super) async fn of(
        conn: &mut Connection,
        due: &[Invitation],
        policies: &Policies,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let mut people = Self { list_key: *policies.list_key(), ..Self::default() };
        let keys = due.iter().filter(|invitation| is_letter(invitation)).map(|one| one.customer.email.key());
        let keys = keys.collect::<BTreeSet<_>>();
        if keys.is_empty() {
            return Ok(people);
        }
        turns::take(conn, keys.iter().map(|key| Turn::Person(key.as_str()))).await?;
        let back = i64::try_from(policies.look_back().as_millis()).unwrap_or(i64::MAX);
        if back > 0 {
            people.load_past(conn, &keys, Timestamp(now.0.saturating_sub(back))).await?;
        }
        people.load_entries(conn, &keys).await?;
        Ok(people)
    }

    async fn load_past(
        &mut self,
        conn: &mut Connection,
        keys: &BTreeSet<AddressKey>,
        since: Timestamp,
    ) -> Result<(), Fault> {
        let texts = to_json(&keys.iter().map(AddressKey::as_str).collect::<Vec<_>>())?;
        let rows: Vec<PastRow> =
            conn.rows(sql::PAST_LETTERS, [texts.into(), since.into(), PAST_AT_MOST.into()]).await?;
        for row in rows {
            let invitation = InvitationId(row.invitation_id);
            let fault = |why: &str| Fault::row("letter on invitation", row.invitation_id, why);
            // Details that cannot be read name no product; the letter counts all the same.
            let details = serde_json::from_str::<OrderDetails>(&row.details).unwrap_or_default();
            let ordinal = count(row.ordinal);
            let letter = PastLetter {
                shop: ShopId::parse(&row.shop).map_err(|_| fault("its shop"))?,
                is_first: ordinal <= 1,
                at: Timestamp(row.claimed_at),
                products: product_keys(&details),
            };
            self.past.entry(row.email_key).or_default().push(Past { invitation, ordinal, letter });
        }
        Ok(())
    }

    async fn load_entries(&mut self, conn: &mut Connection, keys: &BTreeSet<AddressKey>) -> Result<(), Fault> {
        let wanted = keys.iter().flat_map(|key| lookup_keys(key, &self.list_key)).collect::<BTreeSet<_>>();
        let texts = to_json(&wanted.iter().map(ListKey::subject).collect::<Vec<_>>())?;
        let rows: Vec<(String, String, String, String, i64)> = conn.rows(sql::SUPPRESSED, [texts.into()]).await?;
        for (shop, kind, subject, reason, at) in rows {
            let key = ListKind::parse(&kind).and_then(|kind| ListKey::from_parts(Some(kind), &subject).ok());
            let key = key.ok_or_else(|| Fault::Other("an entry of the suppression list cannot be read".into()))?;
            let is_global = shop.is_empty();
            let suppressed = Suppressed { kind: key.kind().as_str(), is_global, reason, since: Timestamp(at) };
            let entry = Entry { shop: (!is_global).then_some(shop), suppressed };
            self.entries.entry(key).or_default().push(entry);
        }
        Ok(())
    }

    /// What the shop's rules say to the letter of this invitation.
    pub(super) fn weigh(&self, invitation: &Invitation, policies: &Policies, now: Timestamp) -> Ruling {
        if !is_letter(invitation) {
            return Ruling::Go;
        }
        let key = invitation.customer.email.key();
        // An earlier attempt at this very letter is no letter before it.
        let (id, ordinal) = (invitation.id, ordinal(invitation));
        let past = self.past.get(key.as_str()).into_iter().flatten();
        let past = past.filter(|past| (past.invitation, past.ordinal) != (id, ordinal));
        let past = past.map(|past| past.letter.clone()).collect::<Vec<_>>();
        let case = Case { invitation, past: &past, suppressed: self.suppressed(invitation) };
        weigh(&case, policies.shop(&invitation.shop), now)
    }

    fn suppressed(&self, invitation: &Invitation) -> Option<&Suppressed> {
        if self.entries.is_empty() {
            return None;
        }
        let theirs = |entry: &&Entry| entry.shop.as_deref().is_none_or(|of| of == invitation.shop.as_str());
        let found = lookup_keys(&invitation.customer.email.key(), &self.list_key)
            .into_iter()
            .filter_map(|key| self.entries.get(&key));
        found.flatten().find(theirs).map(|entry| &entry.suppressed)
    }

    /// The letter of this invitation is claimed, and counts for those after it.
    pub(super) fn remember(&mut self, invitation: &Invitation, now: Timestamp) {
        let letter = PastLetter {
            shop: invitation.shop.clone(),
            is_first: ordinal(invitation) == 1,
            at: now,
            products: product_keys(&invitation.order),
        };
        let past = Past { invitation: invitation.id, ordinal: ordinal(invitation), letter };
        self.past.entry(invitation.customer.email.key().as_str().to_owned()).or_default().push(past);
    }
}

/// Whether what is due is a letter, and not the end of a wait.
fn is_letter(invitation: &Invitation) -> bool {
    matches!(invitation.progress.state, State::Queued | State::Sent)
}

/// Which of its letters is next.
fn ordinal(invitation: &Invitation) -> u32 {
    invitation.progress.letters_sent + 1
}
