//! From readings to moved invitations: filing what was read of copies.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use super::connection::Connection;
use super::fault::Fault;
use super::figures::Mark;
use super::held::StandingRow;
use super::moves::{self, Book, Cause, to_json};
use super::senders::{Gate, Passed};
use super::statements as sql;
use super::tally::{Read, Tally};
use super::turns::{self, Turn};
use super::writer::Work;
use crate::domain::{
    CopyId, Decision, Doubt, Event, Gap, Invitation, InvitationId, OrderDetails, OrderEvent, OrderNews, Outcome,
    Policies, Reading, ShopId, State, Timestamp, admit, kind_of_reason, open,
};
use crate::store::{CopyState, DeskAct, DeskFiling, Filed, FiledReading, PROBE};

/// Files readings.
pub(super) struct FileReadings {
    pub(super) readings: Arc<[FiledReading]>,
    pub(super) policies: Arc<Policies>,
    pub(super) now: Timestamp,
    pub(super) by: By,
    /// The time of which the queue knows nothing.
    pub(super) gap: Option<Gap>,
}

/// Whose work a filing is.
pub(super) enum By {
    /// The reader's own: copies that nobody has read.
    Reader,
    /// The reader's, who looks at held copies again.
    Again,
    /// A person's.
    Desk(DeskFiling),
}

impl By {
    fn desk(&self) -> Option<&DeskFiling> {
        match self {
            Self::Desk(desk) => Some(desk),
            Self::Reader | Self::Again => None,
        }
    }
}

const BEGIN: &str = "SAVEPOINT reading";
const UNDO: &str = "ROLLBACK TO reading";
const END: &str = "RELEASE reading";

#[async_trait]
impl Work for FileReadings {
    type Answer = Vec<Filed>;

    /// All together, and one by one when something in them cannot be written: a reading that the engine refuses must not keep the
    /// others from being filed.
    async fn run(&self, conn: &mut Connection) -> Result<Self::Answer, Fault> {
        conn.command(BEGIN).await?;
        let mut counted = conn.figures.mark();
        match self.file(&self.readings, conn).await {
            Ok(filed) => {
                self.keep(conn, counted).await?;
                conn.command(END).await?;
                return Ok(filed);
            }
            Err(fault) if fault.is_the_statements_own() => {}
            Err(fault) => return Err(fault),
        }
        let mut filed = Vec::with_capacity(self.readings.len());
        for reading in &*self.readings {
            undo(conn, counted).await?;
            match self.file(std::slice::from_ref(reading), conn).await {
                Ok(one) => {
                    filed.extend(one);
                    self.keep(conn, counted).await?;
                    conn.command(END).await?;
                    conn.command(BEGIN).await?;
                    counted = conn.figures.mark();
                }
                Err(fault) if fault.is_the_statements_own() => {
                    tracing::error!(
                        copy.id = reading.copy.0,
                        ?fault,
                        "a reading cannot be filed; its copy stays as it is"
                    );
                }
                Err(fault) => return Err(fault),
            }
        }
        undo(conn, counted).await?;
        conn.command(END).await?;
        Ok(filed)
    }
}

/// Takes back what was done since the savepoint, and what was counted since.
async fn undo(conn: &mut Connection, counted: Mark) -> Result<(), Fault> {
    conn.figures.go_back_to(counted);
    conn.command(UNDO).await
}

/// An order as a copy tells of it.
type OrderKey = (ShopId, String);

impl FileReadings {
    /// Lets what was filed stand, unless it was only to be seen.
    async fn keep(&self, conn: &mut Connection, counted: Mark) -> Result<(), Fault> {
        if self.by.desk().is_some_and(|desk| desk.is_dry) { undo(conn, counted).await } else { Ok(()) }
    }

    /// The copies that may be filed still, with what the reader made of them before. Their rows are locked.
    async fn open(
        &self,
        readings: &[FiledReading],
        conn: &mut Connection,
    ) -> Result<HashMap<CopyId, (StandingRow, Option<Read>)>, Fault> {
        let copies = to_json(&readings.iter().map(|filing| filing.copy).collect::<Vec<_>>())?;
        let statement = if matches!(self.by, By::Reader) { sql::STILL_UNREAD } else { sql::STILL_OPEN };
        let rows: Vec<StandingRow> = conn.rows(statement, [copies.into()]).await?;
        let also_ignored = self.by.desk().is_some_and(|desk| desk.also_ignored);
        let open = rows.into_iter().filter_map(|row| {
            let before = match CopyState::parse(&row.state)? {
                CopyState::Unread => None,
                CopyState::Held if row.doubt.is_some() => Some(Read::DOUBTED),
                CopyState::Held => Some(Outcome::Held.into()),
                CopyState::Ignored if also_ignored => Some(Outcome::Ignored.into()),
                _ => return None,
            };
            Some((CopyId(row.id), (row, before)))
        });
        Ok(open.collect())
    }

    /// What is recorded beside the decisions on a copy's order.
    fn cause(&self, copy: CopyId, news: OrderNews) -> Cause<'_> {
        let cause = Cause { copy: Some(copy), ..Cause::daemon(Event::Order(news), self.now) };
        match self.by.desk() {
            Some(desk) => Cause { actor: &desk.actor.name, note: desk.actor.reason.as_deref(), ..cause },
            None => cause,
        }
    }

    /// Counts a copy that is filed.
    fn count(&self, tally: &mut Tally, row: &StandingRow, before: Option<Read>, now: Read) {
        let received_at = Timestamp(row.received_at);
        match self.by.desk() {
            Some(desk) if desk.act == DeskAct::Released => tally.was_released(&row.shop, received_at),
            _ => tally.was_read(&row.shop, received_at, before, now),
        }
    }

    /// Asks the shop's rules whether they ever let the letter go to which a time was just given, and says so if not. The decision
    /// that stands.
    fn admit(&self, invitation: &mut Invitation, decision: Decision, cause: &Cause<'_>, book: &mut Book) -> Decision {
        if decision.progress.state != State::Queued {
            return decision;
        }
        match admit(invitation, self.policies.shop(&invitation.shop), self.now) {
            Some(ground) => {
                let cause = Cause { event: Event::NotAdmitted(ground), ..cause.clone() };
                book.tell(invitation, &cause, &self.policies)
            }
            None => decision,
        }
    }

    /// Holds an invitation that a copy gave a time of which a restored queue knows nothing. The decision that stands.
    fn hold_if_in_gap(&self, one: &mut Invitation, decision: Decision, cause: &Cause<'_>, book: &mut Book) -> Decision {
        let Event::Order(news) = cause.event else { return decision };
        match self.gap.and_then(|gap| gap.after_news(news, &one.progress, self.now)) {
            Some(gap) => book.tell(one, &Cause { event: Event::Restored(gap), ..cause.clone() }, &self.policies),
            None => decision,
        }
    }

    /// Holds an invitation to an order that may have begun, and had its letter, in the time of which a restored queue knows nothing.
    fn hold_if_begun_in_gap(
        &self,
        one: &mut Invitation,
        news: OrderNews,
        decision: Decision,
        cause: &Cause<'_>,
        book: &mut Book,
    ) -> Decision {
        let policy = self.policies.of(&one.shop, &one.order);
        match self.gap.and_then(|gap| gap.after_first_news(news, &one.progress, policy)) {
            Some(gap) => book.tell(one, &Cause { event: Event::Restored(gap), ..cause.clone() }, &self.policies),
            None => decision,
        }
    }

    /// Files these readings by a number of statements that does not grow with them.
    async fn file(&self, readings: &[FiledReading], conn: &mut Connection) -> Result<Vec<Filed>, Fault> {
        let orders = readings.iter().map(|filing| (filing, order(filing))).collect::<Vec<_>>();
        let keys =
            orders.iter().filter_map(|(filing, order)| Some((filing.shop.clone(), order.as_ref()?.0.reference.key())));
        let keys = keys.collect::<HashSet<OrderKey>>();
        turns::take(conn, keys.iter().map(|(shop, key)| Turn::Order(shop.as_str(), key))).await?;
        let mut open = self.open(readings, conn).await?;

        let mut known = Known::of(conn, &keys).await?;
        let mut gate = self.gate(conn, &orders, &open, &known).await?;
        let (mut book, mut tally) = (Book::default(), Tally::default());
        let (mut filed, mut rows) = (Vec::with_capacity(readings.len()), Vec::with_capacity(readings.len()));
        for (filing, order) in orders {
            // Filed already: the daemon stopped between the commit and its acknowledgement, or another one was given the copy.
            let Some((standing, before)) = open.remove(&filing.copy) else {
                filed.push(Filed::not_done(filing.copy));
                continue;
            };
            let passed = match (&order, &mut gate) {
                (Some((order, news)), Some(gate)) => {
                    let begins = self.is_counted() && known.begins(&filing.shop, order, *news);
                    gate.look(filing, Timestamp(standing.received_at), begins)
                }
                _ => Passed::default(),
            };
            let (reading, doubt) = match &passed.instead {
                Some((instead, doubt)) => (instead, doubt.map(|doubt| (doubt, None))),
                None => (&filing.reading, filing.credence.doubt),
            };
            if reading.reason.as_deref() != Some(PROBE) {
                self.count(&mut tally, &standing, before, Read::of(reading.outcome, doubt.is_some()));
            }
            let moved = match order {
                Some((order, news)) if passed.instead.is_none() => known.tell(self, filing, &order, news, &mut book)?,
                _ => Vec::new(),
            };
            rows.push((self.row(filing, reading, doubt)?, moved.first().map(|(id, _)| *id)));
            let Passed { instead, first_seen } = passed;
            filed.push(Filed { copy: filing.copy, is_done: true, moved, instead, first_seen });
        }

        let numbers = book.write(conn).await?;
        for (id, _) in filed.iter_mut().flat_map(|filed| &mut filed.moved) {
            *id = numbers.of(*id);
        }
        if !rows.is_empty() {
            let rows = rows.into_iter().map(|(mut row, invitation)| {
                row.push(json!(invitation.map(|id| numbers.of(id))));
                row
            });
            conn.execute(sql::FILE_COPIES, [to_json(&rows.collect::<Vec<_>>())?.into(), self.now.into()]).await?;
        }
        tally.write(conn).await?;
        if let Some(gate) = gate.filter(|_| self.by.desk().is_none()) {
            gate.write(conn).await?;
        }
        Ok(filed)
    }

    /// Whether invitations that begin count for the day. What a person has read or imported is that person's business.
    fn is_counted(&self) -> bool {
        self.by.desk().is_none()
    }

    /// What stands between these orders and their invitations. Nothing does when a person vouches for the copies.
    async fn gate(
        &self,
        conn: &mut Connection,
        orders: &[(&FiledReading, Option<(OrderEvent, OrderNews)>)],
        open: &HashMap<CopyId, (StandingRow, Option<Read>)>,
        known: &Known,
    ) -> Result<Option<Gate>, Fault> {
        if self.by.desk().is_some_and(|desk| desk.act == DeskAct::Released) {
            return Ok(None);
        }
        let orders = orders.iter().filter_map(|(filing, order)| {
            let (order, news) = order.as_ref().filter(|_| open.contains_key(&filing.copy))?;
            Some((*filing, order, *news))
        });
        let counted = |filing: &FiledReading| self.is_counted() && filing.credence.bound.is_some();
        let may_begin = orders
            .clone()
            .filter(|(filing, order, news)| counted(filing) && known.begins(&filing.shop, order, *news))
            .map(|(filing, ..)| filing.shop.as_str())
            .collect();
        Gate::of(conn, orders.map(|(filing, ..)| filing), &may_begin, self.now).await.map(Some)
    }

    /// What is written of a reading, but for the invitation that it moved.
    fn row(
        &self,
        filing: &FiledReading,
        reading: &Reading,
        doubt: Option<(Doubt, Option<Timestamp>)>,
    ) -> Result<Vec<Json>, Fault> {
        let is_held = reading.outcome == Outcome::Held;
        // A copy that is held after all stands as it would if nobody had looked.
        let desk = self.by.desk().filter(|_| !is_held);
        Ok(vec![
            json!(filing.copy),
            json!(reading.outcome.as_str()),
            json!(to_json(reading)?),
            json!(reading.customer_email.as_ref().map(|email| email.key().as_str().to_owned())),
            json!(reading.reference.as_ref().map(|reference| reference.key())),
            json!(reading.template),
            json!(reading.reason.as_deref().filter(|_| is_held).map(kind_of_reason)),
            json!(desk.map(|desk| desk.act.as_str())),
            json!(desk.map(|desk| desk.actor.name.as_str())),
            json!(desk.and_then(|desk| desk.actor.reason.as_deref())),
            json!(desk.map(|_| self.now)),
            json!(filing.credence.proof),
            json!(filing.credence.mark),
            json!(doubt.map(|(doubt, _)| doubt.as_str())),
            json!(doubt.and_then(|(_, again_at)| again_at)),
        ])
    }
}

/// What a reading tells of an order, when it does.
fn order(filing: &FiledReading) -> Option<(OrderEvent, OrderNews)> {
    Some((filing.reading.order_event()?, filing.news?))
}

/// The invitations to the orders of a batch, as they stand while it is filed.
struct Known(HashMap<OrderKey, Vec<Invitation>>);

impl Known {
    async fn of(conn: &mut Connection, keys: &HashSet<OrderKey>) -> Result<Self, Fault> {
        let mut known: HashMap<OrderKey, Vec<Invitation>> = HashMap::new();
        if !keys.is_empty() {
            let keys = keys.iter().map(|(shop, key)| (shop.as_str(), key.as_str())).collect::<Vec<_>>();
            for invitation in moves::of_orders(conn, &keys).await? {
                known.entry((invitation.shop.clone(), invitation.reference.key())).or_default().push(invitation);
            }
        }
        Ok(Self(known))
    }

    /// Whether what a copy says of an order would begin an invitation.
    fn begins(&self, shop: &ShopId, order: &OrderEvent, news: OrderNews) -> bool {
        let there = self.0.get(&(shop.clone(), order.reference.key())).map_or(&[][..], Vec::as_slice);
        let key = order.customer.email.key();
        let is_told = |one: &Invitation| news.kind.ends_the_order() || one.customer.email.key() == key;
        !there.iter().any(is_told)
    }

    /// Tells the invitations of an order what a copy says. The end of an order is told to all of them, whatever their address;
    /// anything else to the customer's own, of several the last, which begins when there is none.
    fn tell(
        &mut self,
        work: &FileReadings,
        filing: &FiledReading,
        order: &OrderEvent,
        news: OrderNews,
        book: &mut Book,
    ) -> Result<Vec<(InvitationId, Decision)>, Fault> {
        let key = order.customer.email.key();
        let cause = work.cause(filing.copy, news);
        let invitations = self.0.entry((filing.shop.clone(), order.reference.key())).or_default();
        let order_cancelled = invitations.iter().filter_map(|one| one.progress.order_cancelled_at()).max();
        let theirs = invitations.iter().filter(|invitation| invitation.customer.email.key() == key);
        let last_round = theirs.map(|invitation| invitation.round).max();
        let mut moved = Vec::new();
        for invitation in &mut *invitations {
            let is_theirs = invitation.customer.email.key() == key && Some(invitation.round) == last_round;
            if !news.kind.ends_the_order() && !is_theirs {
                continue;
            }
            let mut decision = book.tell(invitation, &cause, &work.policies);
            if is_theirs {
                book.learn(invitation, order, work.now)?;
            }
            decision = work.admit(invitation, decision, &cause, book);
            decision = work.hold_if_in_gap(invitation, decision, &cause, book);
            book.reopen(invitation);
            moved.push((invitation.id, decision));
        }
        if moved.is_empty() {
            let mut details = OrderDetails::default();
            details.learn(order);
            let decision = open(news, order_cancelled, work.policies.of(&filing.shop, &details), work.now);
            let mut invitation = book.open(&filing.shop, order, &decision, &cause);
            if filing.credence.bound.is_some() && work.is_counted() {
                book.let_in(&filing.shop, work.now);
            }
            let decision = work.admit(&mut invitation, decision, &cause, book);
            let decision = work.hold_if_in_gap(&mut invitation, decision, &cause, book);
            let decision = work.hold_if_begun_in_gap(&mut invitation, news, decision, &cause, book);
            book.reopen(&invitation);
            moved.push((invitation.id, decision));
            invitations.push(invitation);
        }
        Ok(moved)
    }
}
