//! Orders that people bring. Invitations by hand are judged by the functions that judge every letter, within the transaction in which
//! they begin, or on a connection that only reads when somebody wants to know first; both are one function here. Past mails go
//! into the spool, each once. Lists of orders are looked up some hundred at a time.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;

use super::SqlStore;
use super::connection::Connection;
use super::desk_statements as look;
use super::fault::Fault;
use super::moves::{self, Book, Record, to_json};
use super::people::People;
use super::queries;
use super::rows::{CopyRow, DecisionRow, InvitationRow, records};
use super::spool::Spool;
use super::statements as sql;
use super::turns::{self, Turn};
use super::writer::{Joint, Work};
use crate::domain::{
    CopyId, Decision, Invitation, InvitationId, Policies, Ruling, ShopId, Timestamp, admit, open_by_hand,
};
use crate::store::{
    Actor, Asked, CopiesOf, DecisionRecord, Fate, Foreseen, Invited, PastCopy, StoreError, StoredCopy, Wanted,
};

/// An order as it is kept: its shop and its reference's key.
type OrderKey = (ShopId, String);

fn key(wanted: &Wanted) -> OrderKey {
    (wanted.shop.clone(), wanted.reference.key())
}

/// The invitations of these orders by order.
fn by_order(invitations: Vec<Invitation>) -> HashMap<OrderKey, Vec<Invitation>> {
    let mut orders: HashMap<OrderKey, Vec<Invitation>> = HashMap::new();
    for one in invitations {
        orders.entry((one.shop.clone(), one.reference.key())).or_default().push(one);
    }
    orders
}

/// An invitation as it would begin; it has no number yet.
fn begun(wanted: &Wanted, policies: &Policies, now: Timestamp) -> (Invitation, Decision) {
    let decision = open_by_hand(wanted.due, policies.of(&wanted.shop, &wanted.order));
    let invitation = Invitation {
        id: InvitationId(0),
        shop: wanted.shop.clone(),
        reference: wanted.reference.clone(),
        customer: wanted.customer.clone(),
        order: wanted.order.clone(),
        progress: decision.progress.clone(),
        round: 0,
        follows: None,
        link_series: 0,
        created_at: now,
        updated_at: now,
    };
    (invitation, decision)
}

/// What will become of the letter of an invitation that has just begun.
fn foresee(people: &People, invitation: &Invitation, policies: &Policies, now: Timestamp) -> Foreseen {
    let due = invitation.progress.due_at.unwrap_or(now).max(now);
    match people.weigh(invitation, policies, due) {
        Ruling::Go => Foreseen::At(due, None),
        Ruling::Wait { until, ground } if invitation.progress.expires_at.is_some_and(|end| end < until) => {
            Foreseen::Never(ground)
        }
        Ruling::Wait { until, ground } => Foreseen::At(until, Some(ground)),
        Ruling::Drop(ground) | Ruling::Stop(ground) => Foreseen::Never(ground),
    }
}

/// What comes of each wish. What begins goes into the book; numbers are promises until it is written.
async fn judge(
    conn: &mut Connection,
    wanted: &[Wanted],
    known: Vec<Invitation>,
    policies: &Policies,
    now: Timestamp,
    mut begin: impl FnMut(Invitation, &Decision) -> Invitation + Send,
) -> Result<Vec<Invited>, Fault> {
    let mut known = by_order(known);
    let drafts = wanted.iter().map(|one| begun(one, policies, now)).collect::<Vec<_>>();
    let drafted = drafts.iter().map(|(invitation, _)| invitation.clone()).collect::<Vec<_>>();
    let mut people = People::known(conn, &drafted, policies, now).await?;
    // A letter that the rules forbid whatever else is asked for here is refused; that one of the others comes before it only makes
    // it later, or is for the day on which it is due.
    let alone = drafted.iter().map(|draft| foresee(&people, draft, policies, now)).collect::<Vec<_>>();
    let mut outcomes = Vec::with_capacity(wanted.len());
    for ((wanted, (draft, decision)), alone) in wanted.iter().zip(drafts).zip(alone) {
        let of_order = known.entry(key(wanted)).or_default();
        let is_theirs = |one: &&Invitation| one.customer.email.key() == draft.customer.email.key();
        let theirs = of_order.iter().filter(is_theirs).max_by_key(|one| one.round);
        if let Some(there) = theirs.or(of_order.last()) {
            let is_same_address = is_theirs(&there);
            let (state, due_at) = (there.progress.state, there.progress.due_at);
            outcomes.push(Invited::There { id: there.id, state, due_at, is_same_address });
            continue;
        }
        let refused = match alone {
            Foreseen::Never(ground) => Some(ground),
            Foreseen::At(..) => admit(&draft, policies.shop(&draft.shop), now),
        };
        if let Some(ground) = refused {
            outcomes.push(Invited::Refused(ground));
            continue;
        }
        let invitation = begin(draft, &decision);
        let foreseen = foresee(&people, &invitation, policies, now);
        if let Foreseen::At(at, _) = foreseen {
            people.remember(&invitation, at);
        }
        outcomes.push(Invited::Begins { id: Some(invitation.id), foreseen });
        of_order.push(invitation);
    }
    Ok(outcomes)
}

/// Begins invitations by hand.
struct Invite {
    wanted: Arc<[Wanted]>,
    actor: Actor,
    policies: Arc<Policies>,
    now: Timestamp,
}

#[async_trait]
impl Work for Invite {
    type Answer = Vec<Invited>;

    async fn run(&self, conn: &mut Connection) -> Result<Self::Answer, Fault> {
        let keys = self.wanted.iter().map(key).collect::<HashSet<_>>();
        turns::take(conn, keys.iter().map(|(shop, key)| Turn::Order(shop.as_str(), key))).await?;
        let orders = keys.iter().map(|(shop, key)| (shop.as_str(), key.as_str())).collect::<Vec<_>>();
        let known = moves::of_orders(conn, &orders).await?;
        let mut book = Book::default();
        let Actor { name: actor, reason } = &self.actor;
        let record =
            Record { event: "desk invite".to_owned(), actor, note: reason.as_deref(), copy: None, at: self.now };
        let begin = |draft: Invitation, decision: &Decision| book.begin(draft, decision, &record);
        let mut outcomes = judge(conn, &self.wanted, known, &self.policies, self.now, begin).await?;
        let numbers = book.write(conn).await?;
        for outcome in &mut outcomes {
            match outcome {
                Invited::Begins { id: Some(id), .. } | Invited::There { id, .. } => *id = numbers.of(*id),
                Invited::Begins { id: None, .. } | Invited::Refused(_) => {}
            }
        }
        Ok(outcomes)
    }
}

/// The same on a connection that only reads.
async fn only_foresee(
    conn: &mut Connection,
    wanted: &[Wanted],
    policies: &Policies,
    now: Timestamp,
) -> Result<Vec<Invited>, Fault> {
    let keys = wanted.iter().map(key).collect::<HashSet<_>>();
    let orders = keys.iter().map(|(shop, key)| (shop.as_str(), key.as_str())).collect::<Vec<_>>();
    let known = queries::look_at_orders(conn, &orders).await?;
    let mut number = 0;
    let begin = |draft: Invitation, _: &Decision| {
        number -= 1;
        Invitation { id: InvitationId(number), ..draft }
    };
    let mut outcomes = judge(conn, wanted, known, policies, now, begin).await?;
    for outcome in &mut outcomes {
        if let Invited::Begins { id, .. } = outcome {
            *id = None;
        }
    }
    Ok(outcomes)
}

/// Takes past mails in.
struct TakePast {
    mails: Vec<(ShopId, Spool, Vec<String>)>,
}

#[async_trait]
impl Work for TakePast {
    type Answer = Vec<Option<CopyId>>;

    async fn run(&self, conn: &mut Connection) -> Result<Self::Answer, Fault> {
        let mut known = HashSet::new();
        for shop in self.mails.iter().map(|(shop, ..)| shop).collect::<BTreeSet<_>>() {
            let marks = self.mails.iter().filter(|(of, ..)| of == shop).flat_map(|(.., marks)| marks);
            let marks = marks_known(conn, shop, &marks.collect::<Vec<_>>()).await?;
            known.extend(marks.into_iter().map(|mark| (shop.as_str(), mark)));
        }
        let (mut fresh, mut rows, mut is_fresh) = (Vec::new(), Vec::new(), Vec::with_capacity(self.mails.len()));
        for (shop, spool, marks) in &self.mails {
            let is_new = !marks.iter().any(|mark| known.contains(&(shop.as_str(), mark.clone())));
            is_fresh.push(is_new);
            if is_new {
                fresh.push(spool);
                known.extend(marks.iter().map(|mark| (shop.as_str(), mark.clone())));
                rows.extend(marks.iter().map(|mark| (shop.as_str(), mark.as_str())));
            }
        }
        if fresh.is_empty() {
            return Ok(vec![None; self.mails.len()]);
        }
        let ids = Spool::run(&fresh, conn).await?;
        conn.execute(sql::IMPORT, [to_json(&rows)?.into()]).await?;
        let mut ids = ids.into_iter().map(|ids| ids.first().copied());
        Ok(is_fresh.into_iter().map(|is_fresh| if is_fresh { ids.next().flatten() } else { None }).collect())
    }
}

async fn marks_known(conn: &mut Connection, shop: &ShopId, marks: &[&String]) -> Result<Vec<String>, Fault> {
    let rows: Vec<(String,)> = conn.rows(sql::IMPORTED, [shop.as_str().into(), to_json(&marks)?.into()]).await?;
    Ok(rows.into_iter().map(|(mark,)| mark).collect())
}

/// What is known of these orders of a shop, in the order asked.
async fn fates(conn: &mut Connection, shop: &ShopId, asked: &[Asked], policies: &Policies) -> Result<Vec<Fate>, Fault> {
    let keys = asked.iter().map(|one| one.reference.key()).collect::<Vec<_>>();
    let orders = keys.iter().collect::<BTreeSet<_>>();
    let orders = orders.into_iter().map(|key| (shop.as_str(), key.as_str())).collect::<Vec<_>>();
    let invitations = by_order(queries::look_at_orders(conn, &orders).await?);
    let ended = invitations.values().flatten().filter(|one| one.progress.state.has_ended()).map(|one| one.id);
    let ended = ended.collect::<Vec<_>>();
    let mut ended_by: HashMap<InvitationId, Vec<DecisionRecord>> = HashMap::new();
    if !ended.is_empty() {
        let rows: Vec<DecisionRow> = conn.rows(look::LAST_MOVES, [to_json(&ended)?.into()]).await?;
        for decision in records::<_, DecisionRecord>(rows)? {
            ended_by.entry(decision.invitation).or_default().push(decision);
        }
    }
    let without =
        orders.iter().map(|(_, key)| *key).filter(|key| !invitations.contains_key(&(shop.clone(), (*key).to_owned())));
    let mut copies = copies_of(conn, shop, &without.collect::<Vec<_>>()).await?;
    let customers = asked.iter().filter_map(|one| Some(one.email.as_ref()?.key())).collect::<BTreeSet<_>>();
    let people = People::listed(conn, &customers, policies).await?;
    let fate = |(one, key): (&Asked, String)| {
        let invitations = invitations.get(&(shop.clone(), key.clone())).cloned().unwrap_or_default();
        let ended_by = invitations.iter().filter_map(|one| ended_by.get(&one.id)).flatten().cloned().collect();
        let suppressed = one.email.as_ref().and_then(|email| people.suppressed_for(shop, &email.key())).cloned();
        Fate { invitations, ended_by, copies: copies.remove(&key).unwrap_or_default(), suppressed }
    };
    Ok(asked.iter().zip(keys).map(fate).collect())
}

/// The copies of a shop from which these references were read, by reference.
async fn copies_of(
    conn: &mut Connection,
    shop: &ShopId,
    keys: &[&str],
) -> Result<HashMap<String, Vec<CopiesOf>>, Fault> {
    let mut copies: HashMap<String, Vec<CopiesOf>> = HashMap::new();
    if keys.is_empty() {
        return Ok(copies);
    }
    let given = [to_json(&keys)?.into(), shop.as_str().into()];
    let counted: Vec<(String, String, i64, i64)> = conn.rows(look::COPIES_OF_ORDERS, given).await?;
    let newest = counted.iter().map(|(.., newest)| *newest).collect::<Vec<_>>();
    let rows: Vec<CopyRow> = conn.rows(look::COPIES_BY_IDS, [to_json(&newest)?.into()]).await?;
    let mut newest =
        records::<_, StoredCopy>(rows)?.into_iter().map(|copy| (copy.id.0, copy)).collect::<HashMap<_, _>>();
    for (key, _, number, id) in counted {
        if let Some(newest) = newest.remove(&id) {
            let copies_of = CopiesOf { state: newest.state, copies: number.unsigned_abs(), newest };
            copies.entry(key).or_default().push(copies_of);
        }
    }
    Ok(copies)
}

impl SqlStore {
    /// Begins invitations that a person asks for, all in one transaction, each judged by the shop's rules as they stand in it. Says of
    /// each what came of it, in the order asked. An order that has an invitation is left alone.
    ///
    /// # Errors
    /// When nothing was written.
    pub async fn invite(
        &self,
        wanted: Arc<[Wanted]>,
        actor: &Actor,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Vec<Invited>, StoreError> {
        self.writers.letters.carry_out(Invite { wanted, actor: actor.clone(), policies, now }).await
    }

    /// What [`Self::invite`] would do now. Of letters to one person all must be asked about together, since one makes the other wait.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn foresee(
        &self,
        wanted: Arc<[Wanted]>,
        policies: Arc<Policies>,
        now: Timestamp,
    ) -> Result<Vec<Invited>, StoreError> {
        self.readers
            .read(move |conn| {
                let (wanted, policies) = (Arc::clone(&wanted), Arc::clone(&policies));
                Box::pin(async move { only_foresee(conn, &wanted, &policies, now).await })
            })
            .await
    }

    /// Keeps past mails, all in one transaction, to be read as any other; those that were taken in before are passed over. Says of
    /// each under which number it is kept, in the order given; `None` for those passed over.
    ///
    /// # Errors
    /// When nothing was written.
    pub async fn take_past(&self, mails: Vec<PastCopy>) -> Result<Vec<Option<CopyId>>, StoreError> {
        let mut packed = Vec::with_capacity(mails.len());
        for PastCopy { copy, marks } in mails {
            packed.push((copy.shop.clone(), Spool::new(vec![copy]).await?, marks));
        }
        self.writers.spool.carry_out(TakePast { mails: packed }).await
    }

    /// Which of these marks of past mails of a shop are known.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn past_marks(&self, shop: &ShopId, marks: Vec<String>) -> Result<HashSet<String>, StoreError> {
        let (shop, marks) = (shop.clone(), Arc::new(marks));
        self.readers
            .read(move |conn| {
                let (shop, marks) = (shop.clone(), Arc::clone(&marks));
                Box::pin(async move {
                    let known = marks_known(conn, &shop, &marks.iter().collect::<Vec<_>>()).await?;
                    Ok(known.into_iter().collect())
                })
            })
            .await
    }

    /// What is known of these orders of a shop, in the order asked.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn fates(
        &self,
        shop: &ShopId,
        asked: Arc<[Asked]>,
        policies: Arc<Policies>,
    ) -> Result<Vec<Fate>, StoreError> {
        let shop = shop.clone();
        self.readers
            .read(move |conn| {
                let (shop, asked, policies) = (shop.clone(), Arc::clone(&asked), Arc::clone(&policies));
                Box::pin(async move { fates(conn, &shop, &asked, &policies).await })
            })
            .await
    }

    /// A page of the invitations of a shop that began from `since` on and before `until`, in the order in which they began, behind
    /// `after` when given.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn begun_between(
        &self,
        shop: &ShopId,
        since: Timestamp,
        until: Timestamp,
        after: Option<(Timestamp, InvitationId)>,
        limit: usize,
    ) -> Result<Vec<Invitation>, StoreError> {
        let shop = shop.clone();
        let (from, number) = after.unwrap_or((since, InvitationId(0)));
        self.readers
            .read(move |conn| {
                let given = [from.into(), number.0.into(), until.into(), shop.as_str().into(), limit.into()];
                Box::pin(async move {
                    let rows: Vec<InvitationRow> = conn.rows(look::BEGUN_BETWEEN, given).await?;
                    records(rows)
                })
            })
            .await
    }
}
