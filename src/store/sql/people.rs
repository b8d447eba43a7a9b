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
use crate::store::Standing;

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
    /// By kind and subject, as the table has them.
    entries: HashMap<(String, String), Vec<Entry>>,
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
        people.load(conn, &keys, policies, now).await?;
        Ok(people)
    }

    /// What is known of the people of these invitations, for somebody who only looks.
    pub(super) async fn known(
        conn: &mut Connection,
        invitations: &[Invitation],
        policies: &Policies,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let mut people = Self { list_key: *policies.list_key(), ..Self::default() };
        let keys = invitations.iter().map(|one| one.customer.email.key()).collect::<BTreeSet<_>>();
        people.load(conn, &keys, policies, now).await?;
        Ok(people)
    }

    /// What the suppression list says of these addresses, and nothing of their letters.
    pub(super) async fn listed(
        conn: &mut Connection,
        keys: &BTreeSet<AddressKey>,
        policies: &Policies,
    ) -> Result<Self, Fault> {
        let mut people = Self { list_key: *policies.list_key(), ..Self::default() };
        if !keys.is_empty() {
            people.load_entries(conn, keys).await?;
        }
        Ok(people)
    }

    async fn load(
        &mut self,
        conn: &mut Connection,
        keys: &BTreeSet<AddressKey>,
        policies: &Policies,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let back = i64::try_from(policies.look_back().as_millis()).unwrap_or(i64::MAX);
        if back > 0 {
            self.load_past(conn, keys, Timestamp(now.0.saturating_sub(back))).await?;
        }
        self.load_entries(conn, keys).await
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
            // A kind that only a newer program knows is asked for by nobody here.
            let Some(known) = ListKind::parse(&kind) else { continue };
            let is_global = shop.is_empty();
            let suppressed = Suppressed { kind: known.as_str(), is_global, reason, since: Timestamp(at) };
            let entry = Entry { shop: (!is_global).then_some(shop), suppressed };
            self.entries.entry((kind, subject)).or_default().push(entry);
        }
        Ok(())
    }

    /// What the shop's rules say to the letter of this invitation.
    pub(super) fn weigh(&self, invitation: &Invitation, policies: &Policies, now: Timestamp) -> Ruling {
        if !is_letter(invitation) {
            return Ruling::Go;
        }
        let past = self.past(invitation);
        let case = Case { invitation, past: &past, suppressed: self.suppressed(invitation) };
        weigh(&case, policies.shop(&invitation.shop), now)
    }

    /// What bears on the next letter of this invitation, but for what rests.
    pub(super) fn standing(&self, invitation: &Invitation) -> Standing {
        let suppressed = self.suppressed(invitation).cloned();
        Standing { past: self.past(invitation), suppressed, ..Standing::default() }
    }

    /// The letters of this invitation's person. An earlier attempt at the very letter that is next is no letter before it.
    fn past(&self, invitation: &Invitation) -> Vec<PastLetter> {
        let (id, ordinal) = (invitation.id, ordinal(invitation));
        let past = self.past.get(invitation.customer.email.key().as_str()).into_iter().flatten();
        let past = past.filter(|past| (past.invitation, past.ordinal) != (id, ordinal));
        past.map(|past| past.letter.clone()).collect()
    }

    fn suppressed(&self, invitation: &Invitation) -> Option<&Suppressed> {
        self.suppressed_for(&invitation.shop, &invitation.customer.email.key())
    }

    /// That a shop must not write to this address.
    pub(super) fn suppressed_for(&self, shop: &ShopId, key: &AddressKey) -> Option<&Suppressed> {
        if self.entries.is_empty() {
            return None;
        }
        let theirs = |entry: &&Entry| entry.shop.as_deref().is_none_or(|of| of == shop.as_str());
        let found = lookup_keys(key, &self.list_key)
            .into_iter()
            .filter_map(|key| self.entries.get(&(key.kind().as_str().to_owned(), key.subject().to_owned())));
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
