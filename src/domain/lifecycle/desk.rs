//! What support staff can ask for.

use std::time::Duration;

use super::order::may_reopen;
use super::{DAY, Planned, Progress, State, back_in_line, end};
use crate::domain::inputs::Inputs;
use crate::domain::policy::Policy;
use crate::domain::rule::Rule;
use crate::domain::time::Timestamp;

/// How far ahead support may move a letter.
const RESCHEDULE_AT_MOST: Duration = DAY.saturating_mul(90);

/// What support can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeskOrder {
    /// Send no more letters.
    Cancel,
    /// Send the next letter at this time.
    Reschedule(Timestamp),
    /// Send the next letter at once.
    SendNow,
}

impl DeskOrder {
    pub(super) fn inputs(self) -> Inputs {
        match self {
            Self::Reschedule(at) => Inputs::NONE.with("to", at),
            Self::Cancel | Self::SendNow => Inputs::NONE,
        }
    }
}

pub(super) fn on_desk(progress: &mut Progress, order: DeskOrder, policy: &Policy, now: Timestamp) -> Rule {
    let (at, planned) = match (order, progress.state) {
        // The shop's mails have stopped it and could bring it back; a person's word is final.
        (DeskOrder::Cancel, State::Cancelled) if may_reopen(progress) => {
            progress.planned = Planned::Stopped;
            return Rule::DeskCancels;
        }
        (_, State::Done | State::Cancelled | State::Dropped) => return Rule::AlreadyEnded,
        (DeskOrder::Cancel, _) => {
            end(progress, State::Cancelled);
            progress.planned = Planned::Stopped;
            return Rule::DeskCancels;
        }
        (_, State::Sending) => return Rule::LetterIsOnItsWay,
        (DeskOrder::Reschedule(at), _) if at > now.plus(RESCHEDULE_AT_MOST) => return Rule::TooFarAhead,
        (DeskOrder::Reschedule(at), _) if at < now => return Rule::InThePast,
        (DeskOrder::Reschedule(at), _) => (at, Planned::Person),
        (DeskOrder::SendNow, _) => (now, Planned::AtOnce),
    };
    // Whoever asks for the letter of an order that goes on after its cancellation has judged that it does.
    progress.cancelled_at = None;
    progress.attempts = 0;
    back_in_line(progress, at);
    progress.planned = planned;
    progress.expires_at = Some(at.plus(policy.end_of_life));
    if planned == Planned::AtOnce { Rule::DeskSendsNow } else { Rule::DeskReschedules }
}
