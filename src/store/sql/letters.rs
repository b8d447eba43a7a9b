//! Letters on their way: claimed, on the wire, settled, and cleared up after a daemon that died.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use super::connection::Connection;
use super::fault::Fault;
use super::moves::{Book, Cause, to_json};
use super::pace::Pace;
use super::people::People;
use super::room::{LOOK_AHEAD, Picked, Room};
use super::rows::{ClaimedRow, InvitationRow, LetterInHandRow, count};
use super::statements as sql;
use super::turns::{self, Turn};
use super::writer::{Joint, Work};
use crate::domain::{
    Attempt, Decision, Event, Ground, Inputs, Invitation, InvitationId, LetterId, Policies, Rule, Ruling, State,
    Timestamp, clean,
};
use crate::store::{Claim, ClaimAsk, Claimed, ClaimedLetter, LetterPhase, Recovered, Settled};

/// A relay's words are kept up to this many characters.
const REPLY_CHARS: usize = 500;

/// When a letter in doubt is sent again, for a shop that wants it so: as long as the first step of any retry.
const IN_DOUBT_RETRY: Duration = Duration::from_secs(6 * 60);

/// Letters of dead daemons that are cleared up in one transaction.
const ORPHANS_AT_MOST: usize = 1000;

/// Claims what is due.
pub(super) struct ClaimDue {
    pub(super) ask: ClaimAsk,
    pub(super) policies: Arc<Policies>,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for ClaimDue {
    type Answer = Claimed;

    async fn run(&self, conn: &mut Connection) -> Result<Self::Answer, Fault> {
        let limit = self.free(conn).await?;
        if limit == 0 {
            return Ok(Claimed::default());
        }
        let (pace, room) = match &self.ask.relay {
            Some(relay) => (
                Pace::of(conn, &self.ask.shops, &self.policies, self.now).await?,
                Room::of(conn, relay, self.now).await?,
            ),
            None => (Pace::free(&self.ask.shops), Room::default()),
        };
        let picked = self.pick(conn, &pace, room, limit).await?;
        let dealt_with = picked.due.len() + picked.later.len();
        let mut people = People::of(conn, &picked.due, &self.policies, self.now).await?;
        let mut book = Book::default();
        let mut claimed = Vec::with_capacity(picked.due.len());
        for mut invitation in picked.due {
            let ruling = people.weigh(&invitation, &self.policies, self.now);
            book.tell(&mut invitation, &Cause::daemon(Event::Due(ruling), self.now), &self.policies);
            if invitation.progress.state == State::Sending {
                people.remember(&invitation, self.now);
                claimed.push(invitation);
            }
        }
        for (mut invitation, until) in picked.later {
            let ruling = Ruling::Wait { until, ground: Ground::of(Rule::DomainBusy) };
            book.tell(&mut invitation, &Cause::daemon(Event::Due(ruling), self.now), &self.policies);
        }
        book.write(conn).await?;
        let next = [pace.next(), picked.next].into_iter().flatten().min();
        Ok(Claimed { letters: self.claim(claimed, conn).await?, dealt_with, next })
    }
}

impl ClaimDue {
    /// What is due and may go: of the first ones if all of these may, else of many more, so that letters that must wait stand in
    /// nobody's way.
    async fn pick(&self, conn: &mut Connection, pace: &Pace, room: Room, limit: usize) -> Result<Picked, Fault> {
        let limit = limit.min(room.left());
        if limit == 0 {
            return Ok(Picked { next: room.next(), ..Picked::default() });
        }
        let others = self.ask.relay.as_ref().filter(|relay| !relay.others.is_empty());
        if !room.has_domains() && others.is_none() {
            let due = self.due(conn, pace.open(limit)?, limit).await?;
            return Ok(Picked { due, next: room.next(), ..Picked::default() });
        }
        let first = self.due(conn, pace.open(limit)?, limit).await?;
        let elsewhere = self.elsewhere(conn, &first).await?;
        let picked = Picked::from(first, pace.clone(), room.clone(), &elsewhere, limit, self.now);
        if picked.passed_over == 0 {
            return Ok(picked);
        }
        let ahead = LOOK_AHEAD.max(limit);
        let more = self.due(conn, pace.wide(ahead)?, ahead).await?;
        let elsewhere = self.elsewhere(conn, &more).await?;
        let is_all = more.len() < ahead;
        let picked = Picked::from(more, pace.clone(), room, &elsewhere, limit, self.now);
        Ok(if is_all || picked.due.len() == limit { picked } else { picked.put_off(self.now) })
    }

    async fn due(&self, conn: &mut Connection, open: String, limit: usize) -> Result<Vec<Invitation>, Fault> {
        let rows: Vec<InvitationRow> = conn.rows(sql::DUE, [open.into(), self.now.into(), limit.into()]).await?;
        let mut due = Vec::with_capacity(rows.len());
        for row in rows {
            match Invitation::try_from(row) {
                Ok(invitation) => due.push(invitation),
                // One row that makes no sense must not keep all other letters back.
                Err(fault) => tracing::error!(?fault, "an invitation that is due cannot be read and is passed over"),
            }
        }
        Ok(due)
    }

    /// The invitations whose letter another of their shop's relays may have taken.
    async fn elsewhere(&self, conn: &mut Connection, due: &[Invitation]) -> Result<HashSet<InvitationId>, Fault> {
        let Some(relay) = self.ask.relay.as_ref().filter(|relay| !relay.others.is_empty()) else {
            return Ok(HashSet::new());
        };
        let ids = to_json(&due.iter().map(|invitation| invitation.id).collect::<Vec<_>>())?;
        let doubts: Vec<(i64, i64, String)> = conn.rows(sql::DOUBTED, [ids.into(), relay.name.as_str().into()]).await?;
        let theirs = doubts.into_iter().filter(|(_, _, other)| relay.others.contains(other));
        let theirs = theirs.map(|(id, ordinal, _)| (InvitationId(id), count(ordinal))).collect::<HashSet<_>>();
        let is_theirs = |one: &&Invitation| theirs.contains(&(one.id, one.progress.letters_sent + 1));
        Ok(due.iter().filter(is_theirs).map(|one| one.id).collect())
    }

    /// How many letters may be claimed: a relay's connections are shared by all daemons. Who is alone may have as many again ahead;
    /// a second daemon shows that it lives before it claims anything, so it is seen here.
    async fn free(&self, conn: &mut Connection) -> Result<usize, Fault> {
        let Some(relay) = &self.ask.relay else {
            return Ok(self.ask.limit);
        };
        turns::take(conn, std::iter::once(Turn::Relay(&relay.name))).await?;
        let owner = self.ask.owner.as_str();
        let seen: Option<(i64, i64)> =
            conn.row(sql::IN_HAND_AT, [relay.name.as_str().into(), owner.into(), self.now.into()]).await?;
        let (in_hand, others) = seen.unwrap_or((0, 0));
        let free = relay.in_hand_at_most(others == 0).saturating_sub(usize::try_from(in_hand).unwrap_or(0));
        Ok(free.min(self.ask.limit))
    }

    async fn claim(&self, invitations: Vec<Invitation>, conn: &mut Connection) -> Result<Vec<ClaimedLetter>, Fault> {
        if invitations.is_empty() {
            return Ok(Vec::new());
        }
        let rows = invitations.iter().map(|invitation| {
            json!([
                invitation.id,
                invitation.progress.letters_sent + 1,
                invitation.next_letter().as_str(),
                invitation.shop,
                invitation.customer.email.key().as_str(),
            ])
        });
        let rows = to_json(&rows.collect::<Vec<_>>())?;
        let owner = self.ask.owner.as_str();
        let relay = self.ask.relay.as_ref().map(|relay| relay.name.as_str());
        let claims: Vec<ClaimedRow> =
            conn.rows(sql::CLAIM_LETTERS, [rows.into(), owner.into(), relay.into(), self.now.into()]).await?;
        let mut claims = claims.into_iter().map(|row| (row.invitation_id, row)).collect::<HashMap<_, _>>();
        let letters = invitations.into_iter().filter_map(|invitation| {
            let row = claims.remove(&invitation.id.0)?;
            let claim = Claim { letter: LetterId(row.id), owner: owner.to_owned(), attempt: count(row.attempts) };
            Some(ClaimedLetter { claim, kind: invitation.next_letter(), message_id: row.message_id, invitation })
        });
        Ok(letters.collect())
    }
}

/// Records that the final dot is next.
pub(super) struct Mark {
    pub(super) claim: Claim,
    pub(super) message_id: String,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Joint for Mark {
    type Answer = bool;

    async fn run(jobs: &[&Self], conn: &mut Connection) -> Result<Vec<bool>, Fault> {
        let rows = jobs
            .iter()
            .map(|job| json!([job.claim.letter, job.claim.owner, job.claim.attempt, job.message_id, job.now]));
        let rows = to_json(&rows.collect::<Vec<_>>())?;
        let marked: Vec<(i64, i64)> = conn.rows(sql::MARK, [rows.as_str().into()]).await?;
        // By the attempt too: an owner's older claim on the same letter may stand in the same batch.
        let marked = marked.into_iter().map(|(id, attempt)| (LetterId(id), count(attempt))).collect::<HashSet<_>>();
        if marked.len() < jobs.len() {
            conn.execute(sql::ABANDON, [rows.into()]).await?;
        }
        Ok(jobs.iter().map(|job| marked.contains(&(job.claim.letter, job.claim.attempt))).collect())
    }
}

/// Records how an attempt ended.
pub(super) struct Settle {
    pub(super) claim: Claim,
    pub(super) attempt: Attempt,
    pub(super) reply: String,
    pub(super) policies: Arc<Policies>,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Joint for Settle {
    type Answer = Option<Settled>;

    async fn run(jobs: &[&Self], conn: &mut Connection) -> Result<Vec<Option<Settled>>, Fault> {
        let ids = to_json(&jobs.iter().map(|job| job.claim.letter).collect::<Vec<_>>())?;
        let mut desk = Settling::new(conn.rows(sql::LETTERS, [ids.into()]).await?)?;
        let mut answers = Vec::with_capacity(jobs.len());
        for job in jobs {
            let reply = clean(&job.reply, REPLY_CHARS);
            let end = End {
                attempt: job.attempt,
                reply: Some(reply.as_str()).filter(|reply| !reply.is_empty()),
                policies: &job.policies,
                at: job.now,
            };
            // Everything about the person may have been erased meanwhile.
            let is_there = desk.letters.contains_key(&job.claim.letter);
            answers.push(is_there.then(|| desk.settle(job.claim.letter, Some(&job.claim), end)).transpose()?);
        }
        desk.write(conn).await?;
        Ok(answers)
    }
}

/// Whether a letter in this phase can still end like this. An outcome that is told twice must not count twice; one that comes
/// late, or from somebody whose claim is over, counts only when the letter went out after all.
fn is_open_to(phase: LetterPhase, is_theirs: bool, attempt: Attempt) -> bool {
    match phase {
        LetterPhase::Claimed | LetterPhase::OnTheWire => is_theirs || attempt == Attempt::Accepted,
        LetterPhase::Accepted => false,
        LetterPhase::Deferred | LetterPhase::Refused | LetterPhase::InDoubt | LetterPhase::Abandoned => {
            attempt == Attempt::Accepted
        }
    }
}

/// A letter as it stands while it is settled.
struct InHand {
    phase: LetterPhase,
    owner: Option<String>,
    attempt: u32,
    invitation: InvitationId,
}

/// How an attempt ended, and by whose rules and clock.
#[derive(Clone, Copy)]
struct End<'e> {
    attempt: Attempt,
    reply: Option<&'e str>,
    policies: &'e Policies,
    at: Timestamp,
}

/// Letters that are settled in one transaction.
struct Settling {
    letters: HashMap<LetterId, InHand>,
    invitations: HashMap<InvitationId, Invitation>,
    /// One row for each letter: of two for one, the engine would take either.
    settled: BTreeMap<LetterId, Json>,
    book: Book,
}

impl Settling {
    fn new(rows: Vec<LetterInHandRow>) -> Result<Self, Fault> {
        let (mut letters, mut invitations) = (HashMap::new(), HashMap::new());
        for row in rows {
            let (id, phase) = (LetterId(row.letter_id), row.phase()?);
            let invitation = Invitation::try_from(row.invitation)?;
            let letter = InHand {
                phase,
                owner: row.letter_owner,
                attempt: count(row.letter_attempts),
                invitation: invitation.id,
            };
            letters.insert(id, letter);
            invitations.insert(invitation.id, invitation);
        }
        Ok(Self { letters, invitations, settled: BTreeMap::new(), book: Book::default() })
    }

    /// Settles one letter. Without a claim whoever asks is entitled to.
    fn settle(&mut self, id: LetterId, claim: Option<&Claim>, end: End<'_>) -> Result<Settled, Fault> {
        let missing = || Fault::Other(format!("there is no letter {id}"));
        let letter = self.letters.get_mut(&id).ok_or_else(missing)?;
        let invitation = self.invitations.get_mut(&letter.invitation).ok_or_else(missing)?;
        let is_theirs =
            claim.is_none_or(|claim| letter.owner.as_ref() == Some(&claim.owner) && letter.attempt == claim.attempt);
        if !is_open_to(letter.phase, is_theirs, end.attempt) {
            let decision = Decision {
                progress: invitation.progress.clone(),
                rule: Rule::OutcomeWithoutSending,
                inputs: Inputs::NONE,
            };
            return Ok(Settled { invitation: invitation.id, decision });
        }
        let cause = Cause { note: end.reply, ..Cause::daemon(Event::Attempt(end.attempt), end.at) };
        let decision = self.book.tell(invitation, &cause, end.policies);
        letter.phase = phase_after(end.attempt, &decision);
        letter.owner = None;
        let doubt = matches!(end.attempt, Attempt::AnswerLost { .. }).then_some("doubt");
        self.settled.insert(id, json!([id, letter.phase.as_str(), end.at, end.reply, doubt]));
        Ok(Settled { invitation: invitation.id, decision })
    }

    async fn write(self, conn: &mut Connection) -> Result<(), Fault> {
        if !self.settled.is_empty() {
            let rows = to_json(&self.settled.into_values().collect::<Vec<_>>())?;
            conn.execute(sql::SETTLE, [rows.into()]).await?;
        }
        self.book.write(conn).await?;
        Ok(())
    }
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

/// Takes letters out of hands that let go of them: those that were not on the wire go back in line, the others are in doubt.
async fn take_back(
    left: Vec<LetterInHandRow>,
    policies: &Policies,
    now: Timestamp,
    conn: &mut Connection,
) -> Result<Recovered, Fault> {
    let ids = left.iter().map(|row| Ok((LetterId(row.letter_id), row.phase()?))).collect::<Result<Vec<_>, Fault>>()?;
    let mut desk = Settling::new(left)?;
    let mut recovered = Recovered::default();
    for (id, phase) in ids {
        let was_on_the_wire = phase == LetterPhase::OnTheWire;
        let attempt = if was_on_the_wire {
            Attempt::AnswerLost { retry_at: now.plus(IN_DOUBT_RETRY) }
        } else {
            Attempt::Interrupted
        };
        let settled = desk.settle(id, None, End { attempt, reply: None, policies, at: now })?;
        if was_on_the_wire {
            recovered.in_doubt += 1;
        } else if settled.decision.progress.due_at.is_some() {
            recovered.requeued += 1;
        }
    }
    desk.write(conn).await?;
    Ok(recovered)
}

/// Shows that a daemon lives.
pub(super) struct Beat {
    pub(super) owner: String,
    pub(super) lease_until: Timestamp,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for Beat {
    type Answer = Beaten;

    async fn run(&self, conn: &mut Connection) -> Result<Beaten, Fault> {
        conn.execute(sql::BEAT, [self.owner.as_str().into(), self.now.into(), self.lease_until.into()]).await?;
        let floor: Option<(String,)> = conn.row(sql::PROPERTY, ["compatible_from".into()]).await?;
        let server_time = if conn.is_shared() { conn.number(sql::SERVER_TIME, []).await? } else { None };
        Ok(Beaten {
            floor: floor.and_then(|(floor,)| floor.parse().ok()).unwrap_or(0),
            clocks_apart: server_time.map_or(Duration::ZERO, |time| Duration::from_millis(time.abs_diff(self.now.0))),
        })
    }
}

/// What a daemon learns when it shows that it lives.
pub(super) struct Beaten {
    /// The oldest schema whose programs may still work with this database.
    pub(super) floor: i64,
    /// How far the server's clock and ours are apart, the way there included.
    pub(super) clocks_apart: Duration,
}

/// Takes a daemon's name off the list of those that live.
pub(super) struct Leave {
    pub(super) owner: String,
}

#[async_trait]
impl Work for Leave {
    type Answer = ();

    async fn run(&self, conn: &mut Connection) -> Result<(), Fault> {
        conn.execute(sql::LEAVE, [self.owner.as_str().into()]).await?;
        conn.execute(sql::FORGET_REPORT, [self.owner.as_str().into()]).await?;
        Ok(())
    }
}

/// Clears up after others.
pub(super) struct Recover {
    /// Who asks: its own claims are its own business.
    pub(super) owner: String,
    /// Whether the lock says that no other daemon can be alive.
    pub(super) is_alone: bool,
    pub(super) policies: Arc<Policies>,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for Recover {
    type Answer = Recovered;

    async fn run(&self, conn: &mut Connection) -> Result<Recovered, Fault> {
        let owner = self.owner.as_str();
        if self.is_alone {
            conn.execute(sql::FORGET_OTHER_DAEMONS, [owner.into()]).await?;
        }
        let left = conn.rows(sql::ORPHANS, [self.now.into(), owner.into(), ORPHANS_AT_MOST.into()]).await?;
        let recovered = take_back(left, &self.policies, self.now, conn).await?;
        conn.execute(sql::FREE_COPIES, [self.now.into(), owner.into()]).await?;
        conn.execute(sql::FORGET_DAEMONS, [self.now.into(), owner.into()]).await?;
        Ok(recovered)
    }
}

/// Gives back what an owner was given without learning of it.
pub(super) struct Release {
    pub(super) owner: String,
    pub(super) in_hand: Vec<Claim>,
    pub(super) policies: Arc<Policies>,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for Release {
    type Answer = Recovered;

    async fn run(&self, conn: &mut Connection) -> Result<Recovered, Fault> {
        let mut unknown: Vec<LetterInHandRow> = conn.rows(sql::CLAIMS_OF, [self.owner.as_str().into()]).await?;
        unknown.retain(|row| {
            let is_it = |claim: &Claim| (claim.letter.0, claim.attempt) == (row.letter_id, count(row.letter_attempts));
            !self.in_hand.iter().any(is_it)
        });
        take_back(unknown, &self.policies, self.now, conn).await
    }
}
