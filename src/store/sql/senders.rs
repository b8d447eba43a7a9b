//! Who hands in a shop's copies: noted as they are filed, decided upon by people, and asked about before a copy is believed. The
//! [`Gate`] is where a copy that tells of an order is held after all, within the transaction that files it, so that nobody can
//! approve a sender between the look and the filing.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use async_trait::async_trait;
use serde_json::json;

use super::SqlStore;
use super::connection::Connection;
use super::fault::Fault;
use super::figures::day_of;
use super::moves::to_json;
use super::rows::records;
use super::sender_statements as sql;
use super::statements;
use super::tally::shop_id;
use super::writer::Work;
use crate::domain::{
    CopyId, Doubt, Outcome, Reading, SenderState, ShopId, Timestamp, USUAL_DAYS, blocked_sender, new_sender, too_many,
};
use crate::store::{Actor, FiledReading, PastHand, Sender, SenderFilter, StoreError};

/// Senders of a shop of which nothing was said yet, as many as are kept: whoever knows the address may invent any number.
const UNDECIDED_AT_MOST: i64 = 1000;

/// A sender by its shop and mark.
type Whose = (ShopId, String);

/// What stands between order mails and their invitations while they are filed.
#[derive(Debug, Default)]
pub(super) struct Gate {
    known: HashMap<Whose, SenderState>,
    noted: BTreeMap<Whose, (i64, Timestamp)>,
    fresh: BTreeSet<Whose>,
    days: HashMap<ShopId, Vec<(i64, u64)>>,
    begun: HashMap<ShopId, u64>,
    today: i64,
}

/// What the gate made of a copy.
#[derive(Debug, Default)]
pub(super) struct Passed {
    /// The reading that is filed instead, and why, when it is in doubt.
    pub(super) instead: Option<(Reading, Option<Doubt>)>,
    /// The sender's mark, when it is the first copy of it.
    pub(super) first_seen: Option<String>,
}

impl Gate {
    /// The gate for readings that tell of orders, of which `may_begin` may begin invitations that count.
    pub(super) async fn of<'r>(
        conn: &mut Connection,
        orders: impl Iterator<Item = &'r FiledReading>,
        may_begin: &BTreeSet<&str>,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let mut gate = Self { today: day_of(now), ..Self::default() };
        let whose = |filing: &FiledReading| Some((filing.shop.clone(), filing.credence.mark.clone()?));
        let asked = orders.filter_map(whose).collect::<BTreeSet<Whose>>();
        if !asked.is_empty() {
            let rows: Vec<(String, String, String)> = conn.rows(sql::SENDERS_OF, [to_json(&asked)?.into()]).await?;
            for (shop, mark, state) in rows {
                let state = SenderState::parse(&state)
                    .ok_or_else(|| Fault::Other(format!("{state:?} is no state of a sender")))?;
                gate.known.insert((shop_id(&shop)?, mark), state);
            }
            gate.choose_fresh(conn, asked).await?;
        }
        if !may_begin.is_empty() {
            let given = [to_json(may_begin)?.into(), (gate.today - USUAL_DAYS).into(), gate.today.into()];
            let rows: Vec<(String, i64, i64)> = conn.rows(sql::LET_IN, given).await?;
            for (shop, day, n) in rows {
                let (shop, n) = (shop_id(&shop)?, u64::try_from(n).unwrap_or(0));
                if day == gate.today {
                    gate.begun.insert(shop, n);
                } else {
                    gate.days.entry(shop).or_default().push((day, n));
                }
            }
        }
        Ok(gate)
    }

    /// Which of those that nobody knows yet are to be known from now on.
    async fn choose_fresh(&mut self, conn: &mut Connection, asked: BTreeSet<Whose>) -> Result<(), Fault> {
        let fresh = asked.into_iter().filter(|whose| !self.known.contains_key(whose)).collect::<Vec<_>>();
        if fresh.is_empty() {
            return Ok(());
        }
        let shops = fresh.iter().map(|(shop, _)| shop.as_str()).collect::<BTreeSet<_>>();
        let rows: Vec<(String, i64)> = conn.rows(sql::UNDECIDED, [to_json(&shops)?.into()]).await?;
        let mut undecided = rows.into_iter().collect::<HashMap<_, _>>();
        for whose in fresh {
            let there = undecided.entry(whose.0.as_str().to_owned()).or_default();
            if *there < UNDECIDED_AT_MOST {
                *there += 1;
                self.fresh.insert(whose);
            }
        }
        Ok(())
    }

    /// Whether a copy that tells of an order may pass. `begins` says that it would begin an invitation that counts.
    pub(super) fn look(&mut self, filing: &FiledReading, received_at: Timestamp, begins: bool) -> Passed {
        let mut passed = Passed::default();
        if let Some(mark) = &filing.credence.mark {
            let whose = (filing.shop.clone(), mark.clone());
            let state = self.known.get(&whose).copied();
            if self.fresh.remove(&whose) {
                passed.first_seen = Some(mark.clone());
                self.known.insert(whose.clone(), SenderState::New);
            }
            if self.known.contains_key(&whose) {
                let (copies, last) = self.noted.entry(whose).or_insert((0, received_at));
                *copies += 1;
                *last = received_at.max(*last);
            }
            passed.instead = match state.unwrap_or(SenderState::New) {
                SenderState::Approved => None,
                SenderState::New => Some((instead(filing, Outcome::Held, new_sender(mark)), Some(Doubt::NewSender))),
                SenderState::Blocked => Some((instead(filing, Outcome::Ignored, blocked_sender(mark)), None)),
            };
        }
        if passed.instead.is_none() && begins {
            passed.instead = self.count(filing);
        }
        passed
    }

    fn count(&mut self, filing: &FiledReading) -> Option<(Reading, Option<Doubt>)> {
        let days = self.days.get(&filing.shop).map_or(&[][..], Vec::as_slice);
        let bound = filing.credence.bound?;
        let most = bound.volume.most(days, self.today, bound.is_proven);
        let begun = self.begun.entry(filing.shop.clone()).or_default();
        if let Some(most) = most.filter(|most| *begun >= *most) {
            return Some((instead(filing, Outcome::Held, too_many(most)), Some(Doubt::Volume)));
        }
        *begun += 1;
        None
    }

    /// Writes down whose copies came, each row in the order of its key.
    pub(super) async fn write(self, conn: &mut Connection) -> Result<(), Fault> {
        if self.noted.is_empty() {
            return Ok(());
        }
        let rows = self.noted.iter().map(|((shop, mark), (copies, last))| json!([shop, mark, last, copies]));
        conn.execute(sql::NOTE_SENDERS, [to_json(&rows.collect::<Vec<_>>())?.into()]).await?;
        Ok(())
    }
}

/// The reading with another end: what was found stays, so that a person can release it.
fn instead(filing: &FiledReading, outcome: Outcome, reason: String) -> Reading {
    Reading { outcome, reason: Some(reason), ..filing.reading.clone() }
}

#[derive(sqlx::FromRow)]
struct SenderRow {
    id: i64,
    shop: String,
    mark: String,
    state: String,
    first_at: i64,
    last_at: i64,
    copies: i64,
    actor: Option<String>,
    note: Option<String>,
    decided_at: Option<i64>,
}

impl TryFrom<SenderRow> for Sender {
    type Error = Fault;

    fn try_from(row: SenderRow) -> Result<Self, Fault> {
        let fault = |what: &str| Fault::row("sender", row.id, what);
        let decided = row.actor.map(|name| Actor { name, reason: row.note });
        Ok(Self {
            id: row.id,
            shop: ShopId::parse(&row.shop).map_err(|_| fault("its shop"))?,
            mark: row.mark,
            state: SenderState::parse(&row.state).ok_or_else(|| fault("its state"))?,
            first_at: Timestamp(row.first_at),
            last_at: Timestamp(row.last_at),
            copies: u64::try_from(row.copies).unwrap_or(0),
            decided: decided.zip(row.decided_at.map(Timestamp)),
            held: 0,
        })
    }
}

/// Senders with the number of their held copies.
async fn with_held(conn: &mut Connection, rows: Vec<SenderRow>) -> Result<Vec<Sender>, Fault> {
    let mut senders: Vec<Sender> = records(rows)?;
    let whose = senders.iter().map(|one| (one.shop.as_str(), one.mark.as_str())).collect::<Vec<_>>();
    if whose.is_empty() {
        return Ok(senders);
    }
    let held: Vec<(String, String, i64)> = conn.rows(sql::HELD_BY_SENDERS, [to_json(&whose)?.into()]).await?;
    let held = held.into_iter().map(|(shop, mark, n)| ((shop, mark), n)).collect::<HashMap<_, _>>();
    for one in &mut senders {
        let n = held.get(&(one.shop.as_str().to_owned(), one.mark.clone())).copied().unwrap_or(0);
        one.held = u64::try_from(n).unwrap_or(0);
    }
    Ok(senders)
}

/// A person's word on senders.
struct Decide {
    senders: Vec<Whose>,
    state: SenderState,
    actor: Actor,
    now: Timestamp,
}

#[async_trait]
impl Work for Decide {
    type Answer = Vec<Option<SenderState>>;

    async fn run(&self, conn: &mut Connection) -> Result<Self::Answer, Fault> {
        let asked = self.senders.iter().collect::<BTreeSet<_>>();
        let rows: Vec<(String, String, String)> = conn.rows(sql::SENDERS_OF, [to_json(&asked)?.into()]).await?;
        let before = rows.into_iter().map(|(shop, mark, state)| ((shop, mark), SenderState::parse(&state)));
        let before = before.collect::<HashMap<_, _>>();
        let Actor { name, reason } = &self.actor;
        let rows = asked.iter().map(|(shop, mark)| json!([shop, mark, self.state.as_str(), name, reason, self.now]));
        conn.execute(sql::DECIDE_SENDERS, [to_json(&rows.collect::<Vec<_>>())?.into()]).await?;
        let stood = |(shop, mark): &Whose| before.get(&(shop.as_str().to_owned(), mark.clone())).copied().flatten();
        Ok(self.senders.iter().map(stood).collect())
    }
}

/// Approves the senders of a queue that is older than the look at them, once.
struct Learn {
    senders: Vec<Whose>,
    actor: Actor,
    now: Timestamp,
}

#[async_trait]
impl Work for Learn {
    type Answer = bool;

    async fn run(&self, conn: &mut Connection) -> Result<bool, Fault> {
        if conn.execute(sql::SENDERS_KNOWN, []).await? == 0 {
            return Ok(false);
        }
        let (senders, actor) = (self.senders.clone(), self.actor.clone());
        if !senders.is_empty() {
            Decide { senders, state: SenderState::Approved, actor, now: self.now }.run(conn).await?;
        }
        Ok(true)
    }
}

/// Copies that are looked through at one time.
const STRETCH: i64 = 10_000;

/// Copies that are looked through for the last use of an address, at most.
pub const LOOKED_THROUGH: i64 = 200_000;

impl SqlStore {
    /// A page of the senders, the newest first, below `before` when given.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn senders(
        &self,
        filter: &SenderFilter,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Sender>, StoreError> {
        self.readers
            .ask(filter.clone(), move |conn, filter| {
                Box::pin(async move {
                    let given = [
                        before.unwrap_or(i64::MAX).into(),
                        limit.into(),
                        filter.shop.as_ref().map(ShopId::as_str).into(),
                        filter.state.map(SenderState::as_str).into(),
                    ];
                    let rows = conn.rows(sql::SENDERS_BELOW, given).await?;
                    with_held(conn, rows).await
                })
            })
            .await
    }

    /// The senders of these numbers that there are.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn senders_by_ids(&self, ids: Vec<i64>) -> Result<Vec<Sender>, StoreError> {
        self.readers
            .ask(ids, |conn, ids| {
                Box::pin(async move {
                    let rows = conn.rows(sql::SENDERS_BY_IDS, [to_json(ids)?.into()]).await?;
                    with_held(conn, rows).await
                })
            })
            .await
    }

    /// Writes down a person's word on senders, whether a copy of theirs came or not, all in one transaction. Says how each stood
    /// before, in the order asked; `None` for those that were not known.
    ///
    /// # Errors
    /// When nothing was written.
    pub async fn decide_senders(
        &self,
        senders: Vec<(ShopId, String)>,
        state: SenderState,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Vec<Option<SenderState>>, StoreError> {
        self.writers.letters.carry_out(Decide { senders, state, actor: actor.clone(), now }).await
    }

    /// How the copies of a queue that is older than the look at senders were handed in, of those that told of orders since `since`, each
    /// way once for a shop. `None` when the senders are known already.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn past_hands(&self, since: Timestamp) -> Result<Option<Vec<PastHand>>, StoreError> {
        self.readers.read(move |conn| Box::pin(past_hands(conn, since))).await
    }

    /// Approves the senders of a queue that is older than the look at them, once. `false` when that was done before.
    ///
    /// # Errors
    /// When nothing was written.
    pub async fn learn_senders(
        &self,
        senders: Vec<(ShopId, String)>,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.writers.letters.carry_out(Learn { senders, actor: actor.clone(), now }).await
    }

    /// When each of these addresses of a shop was last used, whatever its case, in their order. The search goes back until all were
    /// found, over the newest [`LOOKED_THROUGH`] copies at most: `None` is an address that none of those was sent to.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn last_used(&self, shop: &ShopId, addresses: Vec<String>) -> Result<Vec<Option<Timestamp>>, StoreError> {
        self.readers
            .ask((shop.clone(), addresses), |conn, (shop, addresses)| Box::pin(last_used(conn, shop, addresses)))
            .await
    }

    /// A page of the copies that are held because nobody has decided upon this sender, the oldest first, above `after`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn held_of_sender(
        &self,
        shop: &ShopId,
        mark: &str,
        after: CopyId,
        limit: usize,
    ) -> Result<Vec<CopyId>, StoreError> {
        let asked = (shop.clone(), mark.to_owned());
        self.readers
            .ask(asked, move |conn, (shop, mark)| {
                let given = [shop.as_str().into(), mark.as_str().into(), after.0.into(), limit.into()];
                Box::pin(async move {
                    let ids: Vec<(i64,)> = conn.rows(sql::HELD_OF_SENDER, given).await?;
                    Ok(ids.into_iter().map(|(id,)| CopyId(id)).collect())
                })
            })
            .await
    }
}

async fn last_used(
    conn: &mut Connection,
    shop: &ShopId,
    addresses: &[String],
) -> Result<Vec<Option<Timestamp>>, Fault> {
    let mut used = vec![None; addresses.len()];
    let (mut to, mut looked_through) = (newest_copy(conn, i64::MAX).await?, 0);
    while to > 0 && looked_through < LOOKED_THROUGH && used.contains(&None) {
        let from = to - STRETCH;
        let rows: Vec<(String, i64)> = conn.rows(sql::SENT_TO, [from.into(), to.into(), shop.as_str().into()]).await?;
        for (address, used) in addresses.iter().zip(&mut used) {
            let here =
                rows.iter().filter(|(sent_to, _)| sent_to.eq_ignore_ascii_case(address)).map(|(_, at)| Timestamp(*at));
            *used = used.or(here.max());
        }
        looked_through += STRETCH;
        // Not the next numbers below: after a restore a million of them are nobody's.
        to = newest_copy(conn, from).await?;
    }
    Ok(used)
}

/// The newest copy up to this number; 0 when there is none.
async fn newest_copy(conn: &mut Connection, up_to: i64) -> Result<i64, Fault> {
    let newest: Option<(Option<i64>,)> = conn.row(sql::NEWEST_COPY, [up_to.into()]).await?;
    Ok(newest.and_then(|(newest,)| newest).unwrap_or(0))
}

async fn past_hands(conn: &mut Connection, since: Timestamp) -> Result<Option<Vec<PastHand>>, Fault> {
    if conn.row::<(String,)>(statements::PROPERTY, ["senders_unknown".into()]).await?.is_none() {
        return Ok(None);
    }
    let newest = newest_copy(conn, i64::MAX).await?;
    let mut hands = BTreeSet::new();
    let mut from = 0;
    while from < newest {
        let to = from.saturating_add(STRETCH);
        let rows: Vec<(String, String, Option<String>)> =
            conn.rows(sql::HANDED_IN_BY, [from.into(), to.into(), since.into()]).await?;
        hands.extend(rows);
        from = to;
    }
    let hands = hands.into_iter().map(|(shop, mail_from, client)| {
        Ok(PastHand { shop: shop_id(&shop)?, mail_from, client: client.and_then(|client| client.parse().ok()) })
    });
    hands.collect::<Result<_, Fault>>().map(Some)
}

/// Which of these shops have copies in these doubts that came since `since`.
pub(super) async fn in_doubt(
    conn: &mut Connection,
    asked: &[(ShopId, Doubt)],
    since: Timestamp,
) -> Result<Vec<(ShopId, Doubt)>, Fault> {
    let asked = asked.iter().map(|(shop, doubt)| (shop.as_str(), doubt.as_str())).collect::<Vec<_>>();
    let rows: Vec<(String, String)> = conn.rows(sql::SHOPS_IN_DOUBT, [to_json(&asked)?.into(), since.into()]).await?;
    let found = rows.into_iter().filter_map(|(shop, doubt)| Some((shop, Doubt::parse(&doubt)?)));
    found.map(|(shop, doubt)| Ok((shop_id(&shop)?, doubt))).collect()
}

/// Copies that are to be looked at again by now.
pub(super) async fn again(conn: &mut Connection, now: Timestamp, limit: usize) -> Result<Vec<CopyId>, Fault> {
    let ids: Vec<(i64,)> = conn.rows(sql::TO_LOOK_AT_AGAIN, [now.into(), limit.into()]).await?;
    Ok(ids.into_iter().map(|(id,)| CopyId(id)).collect())
}
