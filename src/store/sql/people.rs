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
    AddressKey, Case, EmailAddress, Invitation, InvitationId, ListKey, ListKind, OrderDetails, PastLetter, Policies,
    Ruling, ShopId, State, Suppressed, Timestamp, lookup_keys, product_keys, weigh,
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
        let keys = keys_of(due);
        if !keys.is_empty() {
            turns::take(conn, keys.iter().map(|key| Turn::Person(key.as_str()))).await?;
        }
        Self::look(conn, due, policies, now).await
    }

    /// The same for who only looks: letters to them may be claimed at any time.
    pub(super) async fn look(
        conn: &mut Connection,
        due: &[Invitation],
        policies: &Policies,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let keys = keys_of(due);
        if keys.is_empty() {
            return Ok(Self { list_key: *policies.list_key(), ..Self::default() });
        }
        let letters = due.iter().filter(|invitation| is_letter(invitation));
        let mut people = Self::listed(conn, letters.map(|invitation| &invitation.customer.email), policies).await?;
        let back = i64::try_from(policies.look_back().as_millis()).unwrap_or(i64::MAX);
        if back > 0 {
            people.load_past(conn, &keys, Timestamp(now.0.saturating_sub(back))).await?;
        }
        Ok(people)
    }

    /// What the suppression list says of these addresses, and nothing of their letters.
    pub(super) async fn listed<'a>(
        conn: &mut Connection,
        addresses: impl Iterator<Item = &'a EmailAddress>,
        policies: &Policies,
    ) -> Result<Self, Fault> {
        let mut people = Self { list_key: *policies.list_key(), ..Self::default() };
        let wanted = addresses.flat_map(|address| lookup_keys(address, &people.list_key));
        let texts = wanted.map(|key| key.subject().to_owned()).collect::<BTreeSet<_>>();
        if !texts.is_empty() {
            people.load_entries(conn, &texts).await?;
        }
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

    async fn load_entries(&mut self, conn: &mut Connection, subjects: &BTreeSet<String>) -> Result<(), Fault> {
        let texts = to_json(subjects)?;
        let rows: Vec<(String, String, String, String, i64)> = conn.rows(sql::SUPPRESSED, [texts.into()]).await?;
        for (shop, kind, subject, reason, at) in rows {
            let unreadable = || Fault::Other("an entry of the suppression list cannot be read".to_owned());
            let kind = ListKind::parse(&kind).ok_or_else(unreadable)?;
            let key = ListKey::from_parts(Some(kind), &subject).map_err(|_| unreadable())?;
            let is_global = shop.is_empty();
            let suppressed = Suppressed { kind: kind.as_str(), is_global, reason, since: Timestamp(at) };
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
        let case =
            Case { invitation, past: &past, suppressed: self.suppressed(&invitation.shop, &invitation.customer.email) };
        weigh(&case, policies.shop(&invitation.shop), now)
    }

    /// That a shop must not write to this address.
    pub(super) fn suppressed(&self, shop: &ShopId, address: &EmailAddress) -> Option<&Suppressed> {
        if self.entries.is_empty() {
            return None;
        }
        let theirs = |entry: &&Entry| entry.shop.as_deref().is_none_or(|of| of == shop.as_str());
        let found = lookup_keys(address, &self.list_key).into_iter().filter_map(|key| self.entries.get(&key));
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

/// To whom letters are due.
fn keys_of(due: &[Invitation]) -> BTreeSet<AddressKey> {
    due.iter().filter(|invitation| is_letter(invitation)).map(|one| one.customer.email.key()).collect()
}

/// Whether what is due is a letter, and not the end of a wait.
fn is_letter(invitation: &Invitation) -> bool {
    matches!(invitation.progress.state, State::Queued | State::Sent)
}

/// Which of its letters is next.
fn ordinal(invitation: &Invitation) -> u32 {
    invitation.progress.letters_sent + 1
}
