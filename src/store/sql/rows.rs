//! Rows as an engine gives them, and how they become records. A row that makes no sense is an error with its number, never a guess.

use std::fmt::Debug;

use sqlx::FromRow;

use super::fault::Fault;
use crate::domain::{
    CopyId, Customer, Doubt, EmailAddress, Handed, Invitation, InvitationId, LetterId, LetterKind, OrderReference,
    PersonName, Planned, Progress, PutOffs, Rule, ShopId, State, Timestamp, Way,
};
use crate::store::{Actor, CopyState, DecisionRecord, DeskAct, DeskMark, LetterPhase, LetterRecord, StoredCopy};

#[derive(FromRow)]
pub(super) struct InvitationRow {
    pub(super) id: i64,
    shop: String,
    reference: String,
    email: String,
    name: Option<String>,
    details: String,
    state: String,
    due_at: Option<i64>,
    expires_at: Option<i64>,
    letters_sent: i64,
    attempts: i64,
    created_at: i64,
    updated_at: i64,
    round: i64,
    follows: Option<i64>,
    planned: String,
    cancelled_at: Option<i64>,
    expected_by: Option<i64>,
    put_off: i64,
    link_series: i64,
}

impl TryFrom<InvitationRow> for Invitation {
    type Error = Fault;

    fn try_from(row: InvitationRow) -> Result<Self, Fault> {
        let fault = |why: &dyn Debug| Fault::row("invitation", row.id, format_args!("{why:?}"));
        Ok(Self {
            id: InvitationId(row.id),
            shop: ShopId::parse(&row.shop).map_err(|why| fault(&why))?,
            reference: OrderReference::parse(&row.reference).ok_or_else(|| fault(&"reference"))?,
            customer: Customer {
                email: EmailAddress::parse(&row.email).map_err(|why| fault(&why))?,
                name: row.name.as_deref().and_then(PersonName::parse),
            },
            order: serde_json::from_str(&row.details).map_err(|_| fault(&"details"))?,
            progress: Progress {
                state: State::parse(&row.state).ok_or_else(|| fault(&row.state))?,
                due_at: row.due_at.map(Timestamp),
                expires_at: row.expires_at.map(Timestamp),
                letters_sent: count(row.letters_sent),
                attempts: count(row.attempts),
                planned: Planned::parse(&row.planned).ok_or_else(|| fault(&row.planned))?,
                expected_by: row.expected_by.map(Timestamp),
                cancelled_at: row.cancelled_at.map(Timestamp),
                put_off: PutOffs::from_number(row.put_off).ok_or_else(|| fault(&row.put_off))?,
            },
            round: count(row.round),
            follows: row.follows.map(InvitationId),
            link_series: u8::try_from(row.link_series).map_err(|why| fault(&why))?,
            created_at: Timestamp(row.created_at),
            updated_at: Timestamp(row.updated_at),
        })
    }
}

/// A letter that is being settled, and its invitation.
#[derive(FromRow)]
pub(super) struct LetterInHandRow {
    pub(super) letter_id: i64,
    pub(super) letter_phase: String,
    pub(super) letter_owner: Option<String>,
    pub(super) letter_attempts: i64,
    #[sqlx(flatten)]
    pub(super) invitation: InvitationRow,
}

impl LetterInHandRow {
    pub(super) fn phase(&self) -> Result<LetterPhase, Fault> {
        phase(self.letter_id, &self.letter_phase)
    }
}

fn phase(letter: i64, word: &str) -> Result<LetterPhase, Fault> {
    LetterPhase::parse(word).ok_or_else(|| Fault::row("letter", letter, word))
}

#[derive(FromRow)]
pub(super) struct CopyRow {
    id: i64,
    shop: String,
    received_at: i64,
    mail_from: String,
    client: Option<String>,
    hello: String,
    tls: i64,
    way: String,
    login: Option<String>,
    certificate: Option<String>,
    size: i64,
    state: String,
    attempts: i64,
    reading: Option<String>,
    invitation_id: Option<i64>,
    desk_act: Option<String>,
    desk_actor: Option<String>,
    desk_reason: Option<String>,
    desk_at: Option<i64>,
    proof: Option<String>,
    sender: Option<String>,
    doubt: Option<String>,
}

/// Where a copy stands. One that was discarded is written down as ignored, with the act beside it.
pub(super) fn copy_state(id: i64, state: &str, act: Option<&str>) -> Result<CopyState, Fault> {
    match CopyState::parse(state).ok_or_else(|| Fault::row("copy", id, state))? {
        CopyState::Ignored if act == Some(DeskAct::Discarded.as_str()) => Ok(CopyState::Discarded),
        state => Ok(state),
    }
}

impl TryFrom<CopyRow> for StoredCopy {
    type Error = Fault;

    fn try_from(row: CopyRow) -> Result<Self, Fault> {
        let state = copy_state(row.id, &row.state, row.desk_act.as_deref())?;
        let act = row.desk_act.as_deref().map(|act| DeskAct::parse(act).ok_or_else(|| Fault::row("copy", row.id, act)));
        let desk = act.transpose()?.map(|act| DeskMark {
            act,
            actor: Actor { name: row.desk_actor.unwrap_or_default(), reason: row.desk_reason },
            at: Timestamp(row.desk_at.unwrap_or_default()),
        });
        Ok(Self {
            id: CopyId(row.id),
            shop: ShopId::parse(&row.shop).map_err(|why| Fault::row("copy", row.id, why))?,
            received_at: Timestamp(row.received_at),
            mail_from: row.mail_from,
            handed: Handed {
                way: Way::parse(&row.way).ok_or_else(|| Fault::row("copy", row.id, &row.way))?,
                client: row.client.and_then(|client| client.parse().ok()),
                hello: row.hello,
                tls: row.tls != 0,
                user: row.login,
                certificate: row.certificate,
            },
            size: u64::try_from(row.size).unwrap_or(0),
            state,
            attempts: count(row.attempts),
            // A reading that an older version wrote and this one does not understand must not hide the copy.
            reading: row.reading.and_then(|reading| serde_json::from_str(&reading).ok()),
            invitation: row.invitation_id.map(InvitationId),
            desk,
            proof: row.proof,
            sender: row.sender,
            doubt: row.doubt.as_deref().and_then(Doubt::parse),
        })
    }
}

#[derive(FromRow)]
pub(super) struct DecisionRow {
    invitation_id: i64,
    at: i64,
    event: String,
    from_state: Option<String>,
    to_state: String,
    due_at: Option<i64>,
    rule: String,
    actor: String,
    note: Option<String>,
    copy_id: Option<i64>,
    inputs: Option<String>,
}

impl TryFrom<DecisionRow> for DecisionRecord {
    type Error = Fault;

    fn try_from(row: DecisionRow) -> Result<Self, Fault> {
        let state = |word: &str| {
            State::parse(word).ok_or_else(|| Fault::row("decision on invitation", row.invitation_id, word))
        };
        Ok(Self {
            invitation: InvitationId(row.invitation_id),
            at: Timestamp(row.at),
            event: row.event,
            from: row.from_state.as_deref().map(state).transpose()?,
            to: state(&row.to_state)?,
            due_at: row.due_at.map(Timestamp),
            rule: Rule::parse(&row.rule)
                .ok_or_else(|| Fault::row("decision on invitation", row.invitation_id, &row.rule))?,
            actor: row.actor,
            note: row.note,
            copy: row.copy_id.map(CopyId),
            // What an older version wrote has none.
            inputs: row.inputs.and_then(|inputs| serde_json::from_str(&inputs).ok()).unwrap_or_default(),
        })
    }
}

#[derive(FromRow)]
pub(super) struct LetterRow {
    id: i64,
    invitation_id: i64,
    kind: String,
    phase: String,
    attempts: i64,
    relay: Option<String>,
    message_id: Option<String>,
    claimed_at: i64,
    on_the_wire_at: Option<i64>,
    settled_at: Option<i64>,
    reply: Option<String>,
}

impl TryFrom<LetterRow> for LetterRecord {
    type Error = Fault;

    fn try_from(row: LetterRow) -> Result<Self, Fault> {
        let kind = [LetterKind::Invitation, LetterKind::Reminder]
            .into_iter()
            .find(|kind| kind.as_str() == row.kind)
            .ok_or_else(|| Fault::row("letter", row.id, &row.kind))?;
        Ok(Self {
            id: LetterId(row.id),
            invitation: InvitationId(row.invitation_id),
            kind,
            phase: phase(row.id, &row.phase)?,
            attempts: count(row.attempts),
            relay: row.relay,
            message_id: row.message_id,
            claimed_at: Timestamp(row.claimed_at),
            on_the_wire_at: row.on_the_wire_at.map(Timestamp),
            settled_at: row.settled_at.map(Timestamp),
            reply: row.reply,
        })
    }
}

/// An invitation that was just written.
#[derive(FromRow)]
pub(super) struct OpenedRow {
    pub(super) id: i64,
    pub(super) shop: String,
    pub(super) reference_key: String,
    pub(super) email_key: String,
    pub(super) round: i64,
}

/// A letter that was just claimed.
#[derive(FromRow)]
pub(super) struct ClaimedRow {
    pub(super) id: i64,
    pub(super) invitation_id: i64,
    pub(super) attempts: i64,
    pub(super) message_id: Option<String>,
}

/// A count, which is never negative in a table of ours.
pub(super) fn count(number: i64) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

/// All rows as records.
pub(super) fn records<R, T: TryFrom<R, Error = Fault>>(rows: Vec<R>) -> Result<Vec<T>, Fault> {
    rows.into_iter().map(T::try_from).collect()
}
