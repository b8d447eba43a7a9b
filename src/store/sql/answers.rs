//! Answers to letters: what came back is kept beside its letter, and what it says about the customer moves the invitation and fills
//! the suppression list, all in one transaction.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;

use super::connection::Connection;
use super::fault::Fault;
use super::held::StandingRow;
use super::moves::{self, Book, Cause, to_json};
use super::rows::{InvitationRow, records};
use super::statements::{self, Statement, piece, statements, text};
use super::suppression;
use super::writer::Work;
use super::{figures, person_statements};
use crate::domain::{
    AddressKey, AnswerKind, CopyId, CustomerNews, DAY, Decision, EmailAddress, Event, Invitation, InvitationId,
    LetterId, ListKey, ListReason, Outcome, Policies, Reading, ShopId, SuppressionEntry, Timestamp,
};
use crate::store::{AnswerFiled, AnswerRecord, AnsweredLetter, FiledAnswer};

/// Letters that came back to one person, without anybody saying that the address is dead, until it counts as one that takes no
/// letters for now.
const COME_BACK_AT_MOST: i64 = 3;
/// Within which time they count.
const COME_BACK_WITHIN: Duration = DAY.saturating_mul(30);

statements! {
    ANSWERED_LETTERS = {
        "SELECT letter.id, letter.invitation_id, letter.message_id, invitation.email FROM letter \
        JOIN invitation ON invitation.id = letter.invitation_id WHERE letter.id" (of "$1") " ORDER BY letter.id"
    };
    ANSWER = {
        "INSERT INTO answer (letter_id, copy_id, kind, status, note, at) VALUES ($1, $2, $3, $4, $5, $6)"
    };
    /// Letters to a person that came back since `$2` and whose address nobody calls dead.
    CAME_BACK = {
        "SELECT COUNT(DISTINCT answer.letter_id) FROM letter JOIN answer ON answer.letter_id = letter.id \
        WHERE letter.email_key = $1 AND answer.kind IN ('soft_bounce', 'unclear_bounce') AND answer.at >= $2"
    };
    ANSWERS_OF = {
        "SELECT answer.id, answer.letter_id, answer.copy_id, answer.kind, answer.status, answer.note, answer.at \
        FROM letter JOIN answer ON answer.letter_id = letter.id WHERE letter.invitation_id" (of "$1")
        " ORDER BY answer.id DESC LIMIT $2"
    };
}

#[derive(sqlx::FromRow)]
pub(super) struct AnswerRow {
    id: i64,
    letter_id: i64,
    copy_id: Option<i64>,
    kind: String,
    status: Option<String>,
    note: Option<String>,
    at: i64,
}

impl TryFrom<AnswerRow> for AnswerRecord {
    type Error = Fault;

    fn try_from(row: AnswerRow) -> Result<Self, Fault> {
        Ok(Self {
            letter: LetterId(row.letter_id),
            copy: row.copy_id.map(CopyId),
            kind: AnswerKind::parse(&row.kind).ok_or_else(|| Fault::row("answer", row.id, &row.kind))?,
            status: row.status,
            reason: row.note,
            at: Timestamp(row.at),
        })
    }
}

/// A letter's number, its invitation's, its Message-ID, its address.
type LetterLine = (i64, i64, Option<String>, String);

async fn lines(conn: &mut Connection, letters: &[LetterId]) -> Result<Vec<LetterLine>, Fault> {
    let ids = letters.iter().map(|letter| letter.0).collect::<Vec<_>>();
    conn.rows(ANSWERED_LETTERS, [to_json(&ids)?.into()]).await
}

/// These letters, as far as they are still there.
pub(super) async fn letters(conn: &mut Connection, letters: &[LetterId]) -> Result<Vec<AnsweredLetter>, Fault> {
    let letters = lines(conn, letters).await?.into_iter().map(|(id, _, message_id, email)| {
        let customer = EmailAddress::parse(&email).map_err(|why| Fault::row("letter", id, why))?;
        Ok(AnsweredLetter { letter: LetterId(id), customer, message_id })
    });
    letters.collect()
}

/// Files answers.
pub(super) struct FileAnswers {
    pub(super) answers: Arc<[FiledAnswer]>,
    pub(super) policies: Arc<Policies>,
    pub(super) now: Timestamp,
}

#[async_trait]
impl Work for FileAnswers {
    type Answer = Vec<AnswerFiled>;

    async fn run(&self, conn: &mut Connection) -> Result<Self::Answer, Fault> {
        let copies = to_json(&self.answers.iter().map(|answer| answer.copy).collect::<Vec<_>>())?;
        let unread: Vec<StandingRow> = conn.rows(statements::STILL_UNREAD, [copies.into()]).await?;
        let mut unread =
            unread.into_iter().map(|row| (CopyId(row.id), Timestamp(row.received_at))).collect::<HashMap<_, _>>();
        let of_letters = self.answers.iter().map(|answer| answer.letter).collect::<Vec<_>>();
        let of_letters = lines(conn, &of_letters).await?.into_iter();
        let of_letters = of_letters.map(|(id, invitation, ..)| (LetterId(id), InvitationId(invitation)));
        let invitations = of_letters.collect::<HashMap<_, _>>();
        let mut filed = Vec::with_capacity(self.answers.len());
        for answer in &*self.answers {
            let mut done =
                AnswerFiled { copy: answer.copy, is_done: false, decided: None, is_listed: false, stopped: Vec::new() };
            if let Some(received_at) = unread.remove(&answer.copy) {
                done.is_done = true;
                let invitation = match invitations.get(&answer.letter) {
                    Some(id) => moves::invitations(conn, &[*id]).await?.pop(),
                    None => None,
                };
                match invitation {
                    Some(invitation) => self.file(answer, received_at, invitation, &mut done, conn).await?,
                    // The person was erased since: nothing of what came back is kept but that it came.
                    None => self.set_aside(answer, "the letter that it answers is gone", None, conn).await?,
                }
            }
            filed.push(done);
        }
        Ok(filed)
    }
}

impl FileAnswers {
    async fn file(
        &self,
        answer: &FiledAnswer,
        received_at: Timestamp,
        mut invitation: Invitation,
        done: &mut AnswerFiled,
        conn: &mut Connection,
    ) -> Result<(), Fault> {
        let said = answer.status.map(|status| status.to_string());
        let values = [
            answer.letter.0.into(),
            answer.copy.0.into(),
            answer.kind.as_str().into(),
            said.as_deref().into(),
            answer.reason.as_deref().into(),
            received_at.into(),
        ];
        conn.execute(ANSWER, values).await?;
        let mut counted = figures::Figures::default();
        counted.answered(&invitation.shop, answer.kind, self.now);
        conn.figures.append(counted);
        let key = invitation.customer.email.key();
        let why = format!("an answer to letter {}: {}", answer.letter, answer.kind.sentence());
        self.set_aside(answer, &why, Some(&invitation), conn).await?;
        let (news, listed) = match answer.kind {
            AnswerKind::HardBounce => (CustomerNews::Bounced, Some(ListReason::Bounced)),
            AnswerKind::Complaint => (CustomerNews::Complained, Some(ListReason::Complained)),
            AnswerKind::Unsubscribed => (CustomerNews::Unsubscribed, Some(ListReason::Unsubscribed)),
            AnswerKind::SoftBounce | AnswerKind::UnclearBounce if self.takes_none(&key, conn).await? => {
                (CustomerNews::Bounced, None)
            }
            _ => return Ok(()),
        };
        let words = [Some(format!("letter {}", answer.letter)), said, answer.reason.clone()];
        let note = words.into_iter().flatten().collect::<Vec<_>>().join(" ");
        done.decided = Some((invitation.id, self.tell(&mut invitation, news, &note, answer.copy, conn).await?));
        if let Some(reason) = listed {
            // Who unsubscribes means the shop that wrote; a dead address is dead for all, and who calls a letter junk means the
            // sender, which is one for all.
            let shop = (reason == ListReason::Unsubscribed).then_some(&invitation.shop);
            done.is_listed = self.list(&key, shop, reason, &note, conn).await?;
            done.stopped = self.stop_others(&key, shop, invitation.id, &note, conn).await?;
        }
        Ok(())
    }

    /// Whether as many letters came back from the person lately as an address gets.
    async fn takes_none(&self, key: &AddressKey, conn: &mut Connection) -> Result<bool, Fault> {
        let since = Timestamp(self.now.0.saturating_sub(i64::try_from(COME_BACK_WITHIN.as_millis()).unwrap_or(0)));
        let letters = conn.number(CAME_BACK, [key.as_str().into(), since.into()]).await?;
        Ok(letters.unwrap_or(0) >= COME_BACK_AT_MOST)
    }

    async fn tell(
        &self,
        invitation: &mut Invitation,
        news: CustomerNews,
        note: &str,
        copy: CopyId,
        conn: &mut Connection,
    ) -> Result<Decision, Fault> {
        let mut book = Book::default();
        let event = Event::Customer(news);
        let cause = Cause { note: Some(note), copy: Some(copy), ..Cause::daemon(event, self.now) };
        let decision = book.tell(invitation, &cause, &self.policies);
        book.write(conn).await?;
        Ok(decision)
    }

    /// Puts the address on the list, of this shop or of all. Whether it was not there.
    async fn list(
        &self,
        key: &AddressKey,
        shop: Option<&ShopId>,
        reason: ListReason,
        note: &str,
        conn: &mut Connection,
    ) -> Result<bool, Fault> {
        let plain = ListKey::of(key);
        let twin = plain.hashed(self.policies.list_key());
        let there = suppression::with_keys(conn, &[&plain, &twin]).await?;
        if there.iter().any(|one| one.entry.shop.is_none() || one.entry.shop.as_ref() == shop) {
            return Ok(false);
        }
        let entry = SuppressionEntry {
            key: plain,
            shop: shop.cloned(),
            reason,
            note: Some(note.to_owned()),
            actor: if reason == ListReason::Unsubscribed { "customer" } else { "daemon" }.to_owned(),
            at: self.now,
        };
        suppression::write(conn, &[&entry]).await?;
        Ok(true)
    }

    /// Ends what is open of the person beside the letter's own invitation, at this shop or at all.
    async fn stop_others(
        &self,
        key: &AddressKey,
        shop: Option<&ShopId>,
        told: InvitationId,
        note: &str,
        conn: &mut Connection,
    ) -> Result<Vec<InvitationId>, Fault> {
        let keys = to_json(&[key.as_str()])?;
        let rows: Vec<InvitationRow> = conn.rows(person_statements::OPEN_OF_PERSONS, [keys.into()]).await?;
        let mut book = Book::default();
        let mut stopped = Vec::new();
        for mut invitation in records::<_, Invitation>(rows)? {
            if invitation.id != told && shop.is_none_or(|shop| invitation.shop == *shop) {
                let event = Event::Customer(CustomerNews::Suppressed);
                let cause = Cause { note: Some(note), ..Cause::daemon(event, self.now) };
                book.tell(&mut invitation, &cause, &self.policies);
                stopped.push(invitation.id);
            }
        }
        book.write(conn).await?;
        Ok(stopped)
    }

    /// Files the mail itself. It is not counted among the shop's copies: their number tells whether the shop still sends any.
    async fn set_aside(
        &self,
        answer: &FiledAnswer,
        why: &str,
        invitation: Option<&Invitation>,
        conn: &mut Connection,
    ) -> Result<(), Fault> {
        let reading = to_json(&Reading::without_findings(Outcome::Ignored, why))?;
        let key = invitation.map(|invitation| invitation.customer.email.key().as_str().to_owned());
        let row = json!([[
            answer.copy,
            Outcome::Ignored.as_str(),
            reading,
            key,
            null,
            null,
            null,
            null,
            null,
            null,
            null,
            invitation.map(|invitation| invitation.id),
        ]]);
        conn.execute(statements::FILE_COPIES, [row.to_string().into(), self.now.into()]).await?;
        Ok(())
    }
}

/// What came back to the letters of these invitations, the newest first.
pub(super) async fn of_invitations(conn: &mut Connection, ids: &str, limit: usize) -> Result<Vec<AnswerRow>, Fault> {
    conn.rows(ANSWERS_OF, [ids.into(), limit.into()]).await
}
