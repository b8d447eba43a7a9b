//! What a relay may be given now: so many letters an hour, and of these so many to the mailboxes of one domain. Both are counted in the
//! transaction that claims letters, so they hold over all daemons.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::json;

use super::connection::Connection;
use super::fault::Fault;
use super::moves::to_json;
use super::pace::{Bound, Pace, bounds};
use super::statements as sql;
use crate::domain::{Invitation, InvitationId, Timestamp, spread};
use crate::store::RelayShare;

/// Letters that are looked at for some that may go, where the first ones must wait for their domain.
pub(super) const LOOK_AHEAD: usize = 256;

/// Of these so many stay in line, since it will soon be their turn; the others are put off, so that they stand in nobody's way.
const STAY: usize = 64;

/// Those that are put off come back spread over this time, beginning so long from now.
const PUT_OFF_FROM: Duration = Duration::from_secs(5 * 60);
const PUT_OFF_OVER: Duration = Duration::from_secs(55 * 60);

/// How soon a look is worth while when a domain has as many letters under way as it may.
const SOON: Duration = Duration::from_secs(1);

/// What there is room for.
#[derive(Debug, Clone)]
pub(super) struct Room {
    left: usize,
    next: Option<Timestamp>,
    domains: HashMap<String, Domain>,
    per_domain: Option<usize>,
    in_hand: HashMap<String, usize>,
}

/// A domain with bounds of its own.
#[derive(Debug, Clone)]
struct Domain {
    left: usize,
    next: Option<Timestamp>,
    connections: Option<usize>,
}

/// Whether a letter may go, and when it is worth asking again.
enum Place {
    Free,
    Full(Option<Timestamp>),
}

impl Default for Room {
    /// Without end.
    fn default() -> Self {
        Self { left: usize::MAX, next: None, domains: HashMap::new(), per_domain: None, in_hand: HashMap::new() }
    }
}

impl Room {
    /// By the relay's bounds, what is in hand for it and what was claimed for it lately.
    pub(super) async fn of(conn: &mut Connection, relay: &RelayShare, now: Timestamp) -> Result<Self, Fault> {
        let mut room = Self { per_domain: relay.per_domain, ..Self::default() };
        let (mut asked, mut meant) = (Vec::new(), Vec::new());
        let mut ask = |domain: &str, rate: Option<u32>| {
            for bound in rate.map(bounds).into_iter().flatten() {
                // A clock that jumped back must not stop a relay until it is where it was.
                let span = i64::try_from(bound.within.as_millis()).unwrap_or(i64::MAX);
                asked.push(json!([domain, now.0.saturating_sub(span), now.plus(bound.within), meant.len()]));
                meant.push((domain.to_owned(), bound));
            }
        };
        ask("", relay.rate);
        for domain in &relay.domains {
            ask(&domain.name, domain.rate);
            let bounds = Domain { left: usize::MAX, next: None, connections: domain.connections.or(relay.per_domain) };
            room.domains.insert(domain.name.clone(), bounds);
        }
        if !asked.is_empty() {
            let rows: Vec<(i64, i64, Option<i64>)> =
                conn.rows(sql::CLAIMED_LATELY_AT, [to_json(&asked)?.into(), relay.name.as_str().into()]).await?;
            for (number, claimed, oldest) in rows {
                if let Some((domain, bound)) = usize::try_from(number).ok().and_then(|number| meant.get(number)) {
                    room.had(domain, *bound, usize::try_from(claimed).unwrap_or(0), oldest.map(Timestamp));
                }
            }
        }
        if room.has_domains() {
            let keys: Vec<(String,)> = conn.rows(sql::IN_HAND_FOR, [relay.name.as_str().into()]).await?;
            for (key,) in keys {
                let domain = key.rsplit_once('@').map_or("", |(_, domain)| domain);
                *room.in_hand.entry(domain.to_owned()).or_default() += 1;
            }
        }
        Ok(room)
    }

    fn had(&mut self, domain: &str, bound: Bound, claimed: usize, oldest: Option<Timestamp>) {
        let (left, next) = match self.domains.get_mut(domain) {
            Some(domain) => (&mut domain.left, &mut domain.next),
            None => (&mut self.left, &mut self.next),
        };
        *left = bound.letters.saturating_sub(claimed).min(*left);
        if claimed >= bound.letters {
            // Both bounds must have room again.
            *next = [*next, oldest.map(|oldest| oldest.plus(bound.within))].into_iter().flatten().max();
        }
    }

    /// Letters that the relay may be given.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// When a relay that may be given none may be given one.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.next.filter(|_| self.left == 0)
    }

    /// Whether some domains may have less than the relay.
    pub(super) fn has_domains(&self) -> bool {
        self.per_domain.is_some() || !self.domains.is_empty()
    }

    fn take(&mut self, domain: &str) -> Place {
        let in_hand = self.in_hand.entry(domain.to_owned()).or_default();
        let connections = match self.domains.get_mut(domain) {
            Some(bounds) if bounds.left == 0 => return Place::Full(bounds.next),
            Some(bounds) => {
                if bounds.connections.is_none_or(|most| *in_hand < most) {
                    bounds.left -= 1;
                }
                bounds.connections
            }
            None => self.per_domain,
        };
        if connections.is_some_and(|most| *in_hand >= most) {
            return Place::Full(None);
        }
        *in_hand += 1;
        Place::Free
    }
}

/// What is due, sorted by whether it may go.
#[derive(Debug, Default)]
pub(super) struct Picked {
    /// What may.
    pub(super) due: Vec<Invitation>,
    /// What is put off, and until when.
    pub(super) later: Vec<(Invitation, Timestamp)>,
    /// How many stay as they are.
    pub(super) passed_over: usize,
    /// When it is worth looking again.
    pub(super) next: Option<Timestamp>,
    /// Those of them that wait for their domain.
    pub(super) waiting: Vec<Invitation>,
}

impl Picked {
    /// Takes at most `limit`, and passes over what must wait for its domain or belongs `elsewhere`.
    pub(super) fn from(
        due: Vec<Invitation>,
        mut pace: Pace,
        mut room: Room,
        elsewhere: &HashSet<InvitationId>,
        limit: usize,
        now: Timestamp,
    ) -> Self {
        let mut picked = Self { next: room.next(), ..Self::default() };
        for invitation in due {
            if picked.due.len() == limit {
                break;
            }
            if elsewhere.contains(&invitation.id) {
                picked.passes_over(now.plus(SOON));
                continue;
            }
            match room.take(invitation.customer.email.domain()) {
                Place::Free if pace.take(&invitation.shop) => picked.due.push(invitation),
                Place::Free => {}
                Place::Full(next) => {
                    picked.passes_over(next.unwrap_or_else(|| now.plus(SOON)));
                    picked.waiting.push(invitation);
                }
            }
        }
        picked
    }

    fn passes_over(&mut self, next: Timestamp) {
        self.passed_over += 1;
        self.next = Some(self.next.map_or(next, |known| known.min(next)));
    }

    /// Puts off what stands in the way of others. It counts as no attempt.
    pub(super) fn put_off(mut self, now: Timestamp) -> Self {
        let from = now.plus(PUT_OFF_FROM);
        let off = self.waiting.split_off(self.waiting.len().min(STAY)).into_iter();
        self.later = off
            .map(|one| (spread(from, PUT_OFF_OVER, one.id.0.unsigned_abs()), one))
            .map(|(at, one)| (one, at))
            .collect();
        self
    }
}
