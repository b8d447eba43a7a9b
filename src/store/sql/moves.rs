//! How decisions are written down: invitations as they stand after them, and the record of why. A [`Book`] gathers what a piece of
//! work decides and writes it by a few statements, however many invitations it moved.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value as Json, json};

use super::connection::Connection;
use super::desk_statements as look;
use super::fault::Fault;
use super::figures::Figures;
use super::rows::{InvitationRow, OpenedRow, records};
use super::statements as sql;
use crate::domain::{
    Attempt, CopyId, Customer, Decision, DeskOrder, Event, Inputs, Invitation, InvitationId, OrderEvent, Policies,
    Progress, Rule, ShopId, State, Timestamp, decide,
};

/// What is recorded beside a decision.
#[derive(Debug, Clone)]
pub(super) struct Cause<'a> {
    pub(super) event: Event,
    pub(super) actor: &'a str,
    pub(super) note: Option<&'a str>,
    pub(super) copy: Option<CopyId>,
    pub(super) at: Timestamp,
}

impl Cause<'_> {
    /// Something that the daemon saw happen.
    pub(super) fn daemon(event: Event, at: Timestamp) -> Self {
        Self { event, actor: "daemon", note: None, copy: None, at }
    }

    fn record(&self) -> Record<'_> {
        Record { event: words(&self.event), actor: self.actor, note: self.note, copy: self.copy, at: self.at }
    }
}

/// What a row of a decision says beside the decision.
#[derive(Debug, Clone)]
pub(super) struct Record<'a> {
    /// What happened, in words.
    pub(super) event: String,
    pub(super) actor: &'a str,
    pub(super) note: Option<&'a str>,
    pub(super) copy: Option<CopyId>,
    pub(super) at: Timestamp,
}

/// The event in words: `order shipped`, `due`, `attempt refused`, `desk cancel`.
fn words(event: &Event) -> String {
    match event {
        Event::Order(news) => format!("order {}", news.kind),
        Event::NotAdmitted(_) => "policy".to_owned(),
        Event::Due(_) => "due".to_owned(),
        Event::Customer(news) => format!("customer {}", news.as_str()),
        Event::Restored(_) => "restored".to_owned(),
        Event::Attempt(attempt) => match attempt {
            Attempt::Accepted => "attempt accepted",
            Attempt::Deferred { .. } => "attempt deferred",
            Attempt::RelayDown { .. } => "attempt relay down",
            Attempt::Refused => "attempt refused",
            Attempt::AnswerLost { .. } => "attempt answer lost",
            Attempt::Interrupted => "attempt interrupted",
            Attempt::Unsendable => "attempt unsendable",
        }
        .to_owned(),
        Event::Desk(order) => match order {
            DeskOrder::Cancel => "desk cancel",
            DeskOrder::Reschedule(_) => "desk reschedule",
            DeskOrder::SendNow => "desk send now",
        }
        .to_owned(),
    }
}

/// The invitations of these numbers that there are, which nobody else moves before this transaction ends.
pub(super) async fn invitations(conn: &mut Connection, ids: &[InvitationId]) -> Result<Vec<Invitation>, Fault> {
    let rows: Vec<InvitationRow> = conn.rows(sql::INVITATIONS_TO_MOVE, [to_json(&ids)?.into()]).await?;
    records(rows)
}

/// The invitation of this number as it stands; it may move at any time.
pub(super) async fn look_at(conn: &mut Connection, id: InvitationId) -> Result<Option<Invitation>, Fault> {
    let row: Option<InvitationRow> = conn.row(look::INVITATION, [id.0.into()]).await?;
    row.map(Invitation::try_from).transpose()
}

/// All invitations to these orders, whatever their address, oldest first.
pub(super) async fn of_orders(conn: &mut Connection, orders: &[(&str, &str)]) -> Result<Vec<Invitation>, Fault> {
    let rows: Vec<InvitationRow> = conn.rows(sql::OF_ORDERS, [to_json(&orders)?.into()]).await?;
    records(rows)
}

/// Decisions of one transaction on their way into the tables.
#[derive(Default)]
pub(super) struct Book {
    /// Invitations that begin. Their numbers are negative until they are written.
    opened: Vec<Invitation>,
    moved: BTreeMap<InvitationId, Json>,
    learned: BTreeMap<InvitationId, Json>,
    decided: Vec<(InvitationId, Json)>,
    figures: Figures,
}

/// Which number an invitation of a [`Book`] got.
pub(super) struct Numbers(HashMap<InvitationId, InvitationId>);

impl Numbers {
    /// The number under which it is kept.
    pub(super) fn of(&self, id: InvitationId) -> InvitationId {
        self.0.get(&id).copied().unwrap_or(id)
    }
}

impl Book {
    /// Tells an invitation what happened, moves it, and notes why; a decision that changes nothing is noted too.
    pub(super) fn tell(&mut self, invitation: &mut Invitation, cause: &Cause<'_>, policies: &Policies) -> Decision {
        let before = invitation.progress.clone();
        let decision = decide(&before, &cause.event, policies.of(&invitation.shop, &invitation.order), cause.at);
        if decision.progress != before {
            invitation.progress = decision.progress.clone();
            invitation.updated_at = cause.at;
            self.moved.insert(invitation.id, moved(invitation));
        }
        self.note(invitation, Some(&before), &decision, &cause.record());
        decision
    }

    /// Counts an invitation that a shop's copy began, for the bound of its day.
    pub(super) fn let_in(&mut self, shop: &ShopId, at: Timestamp) {
        self.figures.let_in(shop, at);
    }

    /// Adds what a copy tells of the customer and the order.
    pub(super) fn learn(
        &mut self,
        invitation: &mut Invitation,
        order: &OrderEvent,
        at: Timestamp,
    ) -> Result<(), Fault> {
        let before = invitation.clone();
        invitation.learn(order);
        if *invitation != before {
            invitation.updated_at = at;
            let name = invitation.customer.name.as_ref().map(|name| name.as_str());
            self.learned.insert(invitation.id, json!([invitation.id, name, to_json(&invitation.order)?, at]));
        }
        Ok(())
    }

    /// Begins an invitation as decided. Its number is a promise until [`Self::write`] has it.
    pub(super) fn open(
        &mut self,
        shop: &ShopId,
        order: &OrderEvent,
        decision: &Decision,
        cause: &Cause<'_>,
    ) -> Invitation {
        let mut details = crate::domain::OrderDetails::default();
        details.learn(order);
        let invitation = Invitation {
            id: InvitationId(0),
            shop: shop.clone(),
            reference: order.reference.clone(),
            customer: Customer { email: order.customer.email.clone(), name: order.customer.name.clone() },
            order: details,
            progress: decision.progress.clone(),
            round: 0,
            follows: None,
            link_series: 0,
            created_at: cause.at,
            updated_at: cause.at,
        };
        self.begin(invitation, decision, &cause.record())
    }

    /// Begins an invitation, whatever its number, as decided. Its number is a promise until [`Self::write`] has it.
    pub(super) fn begin(&mut self, mut invitation: Invitation, decision: &Decision, record: &Record<'_>) -> Invitation {
        invitation.id = InvitationId(-1 - i64::try_from(self.opened.len()).unwrap_or(i64::MAX - 1));
        self.figures.begun(&invitation.shop, record.at);
        self.note(&invitation, None, decision, record);
        self.opened.push(invitation.clone());
        invitation
    }

    /// Notes how an invitation that begins in this book stands by now.
    pub(super) fn reopen(&mut self, invitation: &Invitation) {
        let place = usize::try_from(-1 - invitation.id.0).ok();
        if let Some(opened) = place.and_then(|place| self.opened.get_mut(place)) {
            opened.clone_from(invitation);
        }
    }

    /// Notes what was done about an invitation that moves it nowhere.
    pub(super) fn record(&mut self, invitation: &Invitation, rule: Rule, record: &Record<'_>) {
        let standing = &invitation.progress;
        let decision = Decision { progress: standing.clone(), rule, inputs: Inputs::NONE };
        self.note(invitation, Some(standing), &decision, record);
    }

    fn note(&mut self, invitation: &Invitation, before: Option<&Progress>, decision: &Decision, record: &Record<'_>) {
        let (after, shop) = (&decision.progress, &invitation.shop);
        let from = before.map(|before| before.state);
        self.figures.decided(shop, decision.rule, record.at);
        self.figures.stands(shop, from, Some(after.state));
        self.figures.became(shop, invitation.created_at, before, after, decision.rule, record.at);
        // Numbers and names only, so this cannot fail; and a decision without them is better than none.
        let inputs = (!decision.inputs.is_empty()).then(|| to_json(&decision.inputs).ok()).flatten();
        let row = json!([
            record.at,
            record.event,
            from.map(State::as_str),
            after.state.as_str(),
            after.due_at,
            decision.rule.as_str(),
            record.actor,
            record.note,
            record.copy,
            inputs,
        ]);
        self.decided.push((invitation.id, row));
    }

    /// Writes everything, and says which numbers the invitations that began have got.
    pub(super) async fn write(mut self, conn: &mut Connection) -> Result<Numbers, Fault> {
        let numbers = Numbers(self.write_opened(conn).await?);
        let is_old = |id: &InvitationId| id.0 > 0;
        self.moved.retain(|id, _| is_old(id));
        self.learned.retain(|id, _| is_old(id));
        for (statement, rows) in [(sql::MOVE, self.moved), (sql::LEARN, self.learned)] {
            if !rows.is_empty() {
                let rows = to_json(&rows.into_values().collect::<Vec<_>>())?;
                conn.execute(statement, [rows.into()]).await?;
            }
        }
        if !self.decided.is_empty() {
            let mut rows = Vec::with_capacity(self.decided.len());
            for (id, mut row) in self.decided {
                if let Some(columns) = row.as_array_mut() {
                    columns.insert(0, numbers.of(id).0.into());
                }
                rows.push(row);
            }
            conn.execute(sql::DECIDED, [to_json(&rows)?.into()]).await?;
        }
        conn.figures.append(self.figures);
        Ok(numbers)
    }

    async fn write_opened(&self, conn: &mut Connection) -> Result<HashMap<InvitationId, InvitationId>, Fault> {
        if self.opened.is_empty() {
            return Ok(HashMap::new());
        }
        let mut rows = Vec::with_capacity(self.opened.len());
        let mut numbers = HashMap::with_capacity(self.opened.len());
        for invitation in &self.opened {
            rows.push(opened(invitation)?);
        }
        let written: Vec<OpenedRow> = conn.rows(sql::OPEN, [to_json(&rows)?.into()]).await?;
        // The rows come back in any order, but the keys and the round name one only.
        let written = written
            .into_iter()
            .map(|row| ((row.shop, row.reference_key, row.email_key, row.round), row.id))
            .collect::<HashMap<_, _>>();
        for invitation in &self.opened {
            let key = (
                invitation.shop.as_str().to_owned(),
                invitation.reference.key(),
                invitation.customer.email.key().as_str().to_owned(),
                i64::from(invitation.round),
            );
            let id =
                written.get(&key).ok_or_else(|| Fault::Other("an invitation that was written is not there".into()))?;
            numbers.insert(invitation.id, InvitationId(*id));
        }
        Ok(numbers)
    }
}

fn moved(invitation: &Invitation) -> Json {
    let progress = &invitation.progress;
    json!([
        invitation.id,
        progress.state.as_str(),
        progress.due_at,
        progress.expires_at,
        progress.letters_sent,
        progress.attempts,
        invitation.updated_at,
        progress.planned.as_str(),
        progress.cancelled_at,
        progress.expected_by,
        progress.put_off.number(),
    ])
}

fn opened(invitation: &Invitation) -> Result<Json, Fault> {
    let progress = &invitation.progress;
    Ok(json!([
        invitation.shop,
        invitation.reference.as_str(),
        invitation.reference.key(),
        invitation.customer.email.as_str(),
        invitation.customer.email.key().as_str(),
        invitation.customer.name.as_ref().map(|name| name.as_str()),
        to_json(&invitation.order)?,
        progress.state.as_str(),
        progress.due_at,
        progress.expires_at,
        progress.letters_sent,
        progress.attempts,
        invitation.created_at,
        invitation.updated_at,
        invitation.round,
        invitation.follows,
        progress.planned.as_str(),
        progress.cancelled_at,
        progress.expected_by,
    ]))
}

/// A value of ours as JSON.
pub(super) fn to_json(value: &impl serde::Serialize) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|why| Fault::Other(format!("a value cannot be written as JSON: {why}")))
}
