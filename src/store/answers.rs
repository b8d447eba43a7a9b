//! What goes into the store and comes out of it about answers to letters.

use crate::domain::{
    AnswerKind, CopyId, Decision, EmailAddress, InvitationId, LetterId, MailStatus, ShopId, Timestamp,
};

/// A letter as its answers are matched with it. Never changed once the letter is on the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct AnsweredLetter {
    /// Which.
    pub letter: LetterId,
    /// To whom it went.
    pub customer: EmailAddress,
    /// Its Message-ID, without angle brackets.
    pub message_id: Option<String>,
}

/// Without the address: a debug print must not put a person into a log.
impl std::fmt::Debug for AnsweredLetter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AnsweredLetter({})", self.letter)
    }
}

/// What an answer says, on its way into the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FiledAnswer {
    /// The mail.
    pub copy: CopyId,
    /// The shop whose letter it answers.
    pub shop: ShopId,
    /// The letter.
    pub letter: LetterId,
    /// What it is to that letter.
    pub kind: AnswerKind,
    /// The status code of a bounce.
    pub status: Option<MailStatus>,
    /// The name of a bounce's reason; words of ours, never the mail's.
    pub reason: Option<String>,
}

/// What filing an answer did.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerFiled {
    /// The mail.
    pub copy: CopyId,
    /// Whether it was filed now. `false`: it was filed already, and nothing was done.
    pub is_done: bool,
    /// The letter's invitation with the decision on it, where the answer says something about the customer.
    pub decided: Option<(InvitationId, Decision)>,
    /// Whether the address was put on the suppression list now.
    pub is_listed: bool,
    /// Other invitations of the same person that ended with it.
    pub stopped: Vec<InvitationId>,
}

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerRecord {
    /// The letter.
    pub letter: LetterId,
    /// The mail; it may be gone.
    pub copy: Option<CopyId>,
    /// What it is to the letter.
    pub kind: AnswerKind,
    /// The status code of a bounce.
    pub status: Option<String>,
    /// The name of a bounce's reason.
    pub reason: Option<String>,
    /// When it came in.
    pub at: Timestamp,
}
