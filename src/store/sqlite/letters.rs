//! Letters on their way: claimed, on the wire, settled, and cleared up after a daemon that died.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::SqliteConnection;

use super::fault::Fault;
use super::moves::{self, Cause};
use super::rows::{InvitationRow, LetterInHandRow};
use super::sql;
use super::writer::Work;
use crate::domain::{
    Attempt, Decision, DeskOrder, Event, Invitation, InvitationId, LetterId, Policies, Rule, State, Timestamp, clean,
    decide,
};
use crate::store::{Actor, ClaimedLetter, LetterPhase, Recovered, Settled};

/// A relay's words are kept up to this many characters.
const REPLY_CHARS: usize = 500;

/// When a letter in doubt is sent again, for a shop that wants it so: as long as the first step of any retry.
const IN_DOUBT_RETRY: Duration = Duration::from_secs(6 * 60);

/// Claims what is due.
pub(super) struct ClaimDue {
    pub(super) limit: usize,
    pub(super) owner: String,
    pub(super) lease_until: Timestamp,
    pub(super) policies: Arc<Policies>,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for ClaimDue {
    type Answer = Vec<ClaimedLetter>;

    async fn run(&mut self, tx: &mut SqliteConnection) -> Result<Self::Answer, Fault> {
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        let due: Vec<InvitationRow> = sqlx::query_as(sql::DUE).bind(self.now.0).bind(limit).fetch_all(&mut *tx).await?;
        let mut claimed = Vec::with_capacity(due.len());
        let cause = Cause::daemon(Event::Due, self.now);
        for row in due {
            let mut invitation = match Invitation::try_from(row) {
                Ok(invitation) => invitation,
                Err(fault) => {
                    // One row that makes no sense must not keep all other letters back.
                    tracing::error!(?fault, "an invitation that is due cannot be read and is passed over");
                    continue;
                }
            };
            let decision = decide(&invitation.progress, &cause.event, &self.policies.of(&invitation.shop), self.now);
            moves::apply(tx, invitation.id, &invitation.progress, &decision, &cause).await?;
            invitation.progress = decision.progress;
            invitation.updated_at = self.now;
            if invitation.progress.state == State::Sending {
                claimed.push(self.claim(tx, invitation).await?);
            }
        }
        Ok(claimed)
    }
}

impl ClaimDue {
    async fn claim(&self, tx: &mut SqliteConnection, invitation: Invitation) -> Result<ClaimedLetter, Fault> {
        let kind = invitation.next_letter();
        let (id, message_id): (i64, Option<String>) = sqlx::query_as(sql::CLAIM_LETTER)
            .bind(invitation.id.0)
            .bind(invitation.progress.letters_sent + 1)
            .bind(kind.as_str())
            .bind(&self.owner)
            .bind(self.lease_until.0)
            .bind(self.now.0)
            .fetch_one(tx)
            .await?;
        Ok(ClaimedLetter { id: LetterId(id), kind, message_id, invitation })
    }
}

/// Records that the final dot is next.
pub(super) struct MarkOnTheWire {
    pub(super) letter: LetterId,
    pub(super) owner: String,
    pub(super) message_id: String,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for MarkOnTheWire {
    type Answer = bool;

    async fn run(&mut self, tx: &mut SqliteConnection) -> Result<bool, Fault> {
        let marked = sqlx::query(sql::ON_THE_WIRE)
            .bind(self.letter.0)
            .bind(&self.owner)
            .bind(&self.message_id)
            .bind(self.now.0)
            .execute(&mut *tx)
            .await?
            .rows_affected();
        if marked == 0 {
            sqlx::query(sql::ABANDON_CLAIM).bind(self.letter.0).bind(&self.owner).bind(self.now.0).execute(tx).await?;
        }
        Ok(marked > 0)
    }
}

/// Records how an attempt ended.
pub(super) struct Settle {
    pub(super) letter: LetterId,
    pub(super) attempt: Attempt,
    pub(super) reply: String,
    pub(super) policies: Arc<Policies>,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for Settle {
    type Answer = Settled;

    async fn run(&mut self, tx: &mut SqliteConnection) -> Result<Settled, Fault> {
        let row: Option<LetterInHandRow> =
            sqlx::query_as(sql::LETTER_WITH_INVITATION).bind(self.letter.0).fetch_optional(&mut *tx).await?;
        let row = row.ok_or_else(|| Fault::Other(format!("there is no letter {}", self.letter)))?;
        let reply = clean(&self.reply, REPLY_CHARS);
        let reply = Some(reply.as_str()).filter(|reply| !reply.is_empty());
        settle(tx, row, self.attempt, reply, &self.policies, self.now).await
    }
}

/// Whether a letter in this phase can still end like this. An outcome that is told twice must not count twice; one that comes
/// late counts only when the letter went out after all.
fn is_open_to(phase: LetterPhase, attempt: Attempt) -> bool {
    match phase {
        LetterPhase::Claimed | LetterPhase::OnTheWire => true,
        LetterPhase::Accepted => false,
        LetterPhase::Deferred | LetterPhase::Refused | LetterPhase::InDoubt | LetterPhase::Abandoned => {
            attempt == Attempt::Accepted
        }
    }
}

async fn settle(
    tx: &mut SqliteConnection,
    row: LetterInHandRow,
    attempt: Attempt,
    reply: Option<&str>,
    policies: &Policies,
    now: Timestamp,
) -> Result<Settled, Fault> {
    let (letter, phase) = (row.letter_id, row.phase()?);
    let invitation = Invitation::try_from(row.invitation)?;
    if !is_open_to(phase, attempt) {
        let decision = Decision { progress: invitation.progress, rule: Rule::OutcomeWithoutSending };
        return Ok(Settled { invitation: invitation.id, decision });
    }
    let cause = Cause { note: reply, ..Cause::daemon(Event::Attempt(attempt), now) };
    let decision = decide(&invitation.progress, &cause.event, &policies.of(&invitation.shop), now);
    sqlx::query(sql::SETTLE_LETTER)
        .bind(letter)
        .bind(phase_after(attempt, &decision).as_str())
        .bind(now.0)
        .bind(reply)
        .execute(&mut *tx)
        .await?;
    moves::apply(tx, invitation.id, &invitation.progress, &decision, &cause).await?;
    Ok(Settled { invitation: invitation.id, decision })
}

fn phase_after(attempt: Attempt, decision: &Decision) -> LetterPhase {
    let goes_on = decision.progress.due_at.is_some();
    match attempt {
        Attempt::Accepted => LetterPhase::Accepted,
        Attempt::Refused => LetterPhase::Refused,
        Attempt::AnswerLost { .. } if !goes_on => LetterPhase::InDoubt,
        Attempt::Unsendable => LetterPhase::Abandoned,
        _ if goes_on => LetterPhase::Deferred,
        _ => LetterPhase::Abandoned,
    }
}

/// Clears up after others.
pub(super) struct Recover {
    pub(super) owner: String,
    /// Whether the lock says that no other daemon can be alive.
    pub(super) is_alone: bool,
    pub(super) policies: Arc<Policies>,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for Recover {
    type Answer = Recovered;

    async fn run(&mut self, tx: &mut SqliteConnection) -> Result<Recovered, Fault> {
        let over_before = if self.is_alone { i64::MAX } else { self.now.0 };
        let left: Vec<LetterInHandRow> =
            sqlx::query_as(sql::ABANDONED).bind(&self.owner).bind(over_before).fetch_all(&mut *tx).await?;
        let mut recovered = Recovered::default();
        for row in left {
            let was_on_the_wire = row.phase()? == LetterPhase::OnTheWire;
            let attempt = if was_on_the_wire {
                Attempt::AnswerLost { retry_at: self.now.plus(IN_DOUBT_RETRY) }
            } else {
                Attempt::Interrupted
            };
            let settled = settle(tx, row, attempt, None, &self.policies, self.now).await?;
            if was_on_the_wire {
                recovered.in_doubt += 1;
            } else if settled.decision.progress.due_at.is_some() {
                recovered.requeued += 1;
            }
        }
        Ok(recovered)
    }
}

/// Carries out a person's order.
pub(super) struct Desk {
    pub(super) invitation: InvitationId,
    pub(super) order: DeskOrder,
    pub(super) actor: Actor,
    pub(super) policies: Arc<Policies>,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for Desk {
    type Answer = Option<Decision>;

    async fn run(&mut self, tx: &mut SqliteConnection) -> Result<Self::Answer, Fault> {
        let Some(invitation) = moves::invitation(tx, self.invitation).await? else {
            return Ok(None);
        };
        let cause = Cause {
            actor: &self.actor.name,
            note: self.actor.reason.as_deref(),
            ..Cause::daemon(Event::Desk(self.order), self.now)
        };
        let decision = decide(&invitation.progress, &cause.event, &self.policies.of(&invitation.shop), self.now);
        moves::apply(tx, invitation.id, &invitation.progress, &decision, &cause).await?;
        Ok(Some(decision))
    }
}
