//! What becomes of a letter whose time has come.

use super::{Ground, Planned, Progress, Ruling, State, end};
use crate::domain::inputs::Inputs;
use crate::domain::rule::Rule;
use crate::domain::time::Timestamp;

pub(super) fn on_not_admitted(progress: &mut Progress, ground: &Ground) -> Rule {
    match progress.state {
        State::Queued if progress.letters_sent == 0 && progress.planned != Planned::AtOnce => {
            end(progress, State::Dropped);
            ground.rule
        }
        _ => Rule::NothingDue,
    }
}

pub(super) fn on_due(progress: &mut Progress, ruling: &Ruling, now: Timestamp) -> (Rule, Inputs) {
    let nothing = (Rule::NothingDue, Inputs::NONE);
    match progress.state {
        State::Waiting | State::Queued | State::Sent if progress.due_at.is_none_or(|due| due > now) => nothing,
        State::Waiting => {
            end(progress, State::Dropped);
            (Rule::TriggerNeverCame, Inputs::NONE)
        }
        State::Queued | State::Sent if progress.expires_at.is_some_and(|end| end < now) => {
            let inputs = Inputs::NONE.with_some("end_of_life", progress.expires_at);
            end_unsent(progress);
            (Rule::EndOfLife, inputs)
        }
        State::Queued | State::Sent => on_ruling(progress, ruling),
        State::Sending
        | State::Done
        | State::Cancelled
        | State::Dropped
        | State::Held
        | State::Failed
        | State::InDoubt => nothing,
    }
}

/// What the shop's rules say to a letter whose time has come.
fn on_ruling(progress: &mut Progress, ruling: &Ruling) -> (Rule, Inputs) {
    match ruling {
        Ruling::Go => {
            progress.state = State::Sending;
            progress.due_at = None;
            progress.attempts += 1;
            (Rule::DueLetterClaimed, Inputs::NONE)
        }
        Ruling::Wait { until, ground } => {
            let inputs = ground.inputs.clone().with("until", until);
            match progress.expires_at.filter(|end| end < until) {
                // What may go only after the end of its life never goes.
                Some(end_of_life) => {
                    end_unsent(progress);
                    (ground.rule, inputs.with("end_of_life", end_of_life))
                }
                None => {
                    progress.due_at = Some(*until);
                    (ground.rule, inputs)
                }
            }
        }
        Ruling::Drop(ground) => {
            end_unsent(progress);
            (ground.rule, ground.inputs.clone())
        }
        Ruling::Stop(ground) => {
            end(progress, State::Cancelled);
            progress.planned = Planned::Stopped;
            (ground.rule, ground.inputs.clone())
        }
    }
}

/// The end of a letter that was never sent: the shop's rules drop the invitation, or it is done with the letters that are out.
fn end_unsent(progress: &mut Progress) {
    end(progress, if progress.letters_sent == 0 { State::Dropped } else { State::Done });
}
