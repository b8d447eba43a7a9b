//! What the customer does, and what is known of them.

use super::{Planned, Progress, State, back_in_line, end};
use crate::domain::inputs::Inputs;
use crate::domain::policy::Policy;
use crate::domain::rule::Rule;
use crate::domain::time::Timestamp;

/// What the customer did, or what is known of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CustomerNews {
    /// A review of the order exists.
    Reviewed,
    /// They want no more letters.
    Unsubscribed,
    /// They called a letter junk.
    Complained,
    /// Their address does not exist.
    Bounced,
    /// The address, or its domain, was put on the suppression list.
    Suppressed,
    /// Everything that is stored about them is to go.
    Erased,
    /// Their order has not arrived yet.
    NotArrived,
    /// They want to be asked later.
    AskLater,
}

impl CustomerNews {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Reviewed,
        Self::Unsubscribed,
        Self::Complained,
        Self::Bounced,
        Self::Suppressed,
        Self::Erased,
        Self::NotArrived,
        Self::AskLater,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reviewed => "reviewed",
            Self::Unsubscribed => "unsubscribed",
            Self::Complained => "complained",
            Self::Bounced => "bounced",
            Self::Suppressed => "suppressed",
            Self::Erased => "erased",
            Self::NotArrived => "not_arrived",
            Self::AskLater => "ask_later",
        }
    }

    const fn rule(self) -> Rule {
        match self {
            Self::Reviewed => Rule::Reviewed,
            Self::Unsubscribed => Rule::Unsubscribed,
            Self::Complained => Rule::Complained,
            Self::Bounced => Rule::Bounced,
            Self::Suppressed => Rule::Suppressed,
            Self::Erased => Rule::Erased,
            Self::NotArrived => Rule::NotArrived,
            Self::AskLater => Rule::AskedLater,
        }
    }
}

/// What a customer has asked to wait for, each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct PutOffs {
    /// They said that the order had not arrived.
    pub not_arrived: bool,
    /// They asked to be asked later.
    pub ask_later: bool,
}

impl PutOffs {
    /// How many there are.
    pub fn count(self) -> u32 {
        u32::from(self.not_arrived) + u32::from(self.ask_later)
    }

    /// As one number for the database: 1 for the first, 2 for the second, 3 for both.
    pub fn number(self) -> i64 {
        i64::from(self.not_arrived) + 2 * i64::from(self.ask_later)
    }

    /// Those of this number.
    pub const fn from_number(number: i64) -> Option<Self> {
        match number {
            0..=3 => Some(Self { not_arrived: number & 1 != 0, ask_later: number & 2 != 0 }),
            _ => None,
        }
    }
}

/// A customer's word counts after the end too: nobody invites them to this order again.
pub(super) fn on_customer(
    progress: &mut Progress,
    news: CustomerNews,
    policy: &Policy,
    now: Timestamp,
) -> (Rule, Inputs) {
    let had_ended = progress.state.has_ended();
    match news {
        CustomerNews::NotArrived | CustomerNews::AskLater => return put_off(progress, news, policy, now),
        CustomerNews::Suppressed if had_ended => return (Rule::FinalStaysFinal, Inputs::NONE),
        CustomerNews::Suppressed => {
            end(progress, State::Cancelled);
            progress.planned = Planned::Stopped;
        }
        CustomerNews::Bounced if !had_ended => end(progress, State::Failed),
        CustomerNews::Bounced => {}
        CustomerNews::Reviewed | CustomerNews::Unsubscribed | CustomerNews::Complained | CustomerNews::Erased => {
            if progress.planned == Planned::Declined {
                return (Rule::FinalStaysFinal, Inputs::NONE);
            }
            progress.planned = Planned::Declined;
            if !had_ended {
                end(progress, if news == CustomerNews::Reviewed { State::Done } else { State::Cancelled });
            }
        }
    }
    (news.rule(), Inputs::NONE)
}

/// The next letter comes later, or one more comes when the last is out. Each can be asked for once, so that nobody is asked for ever.
fn put_off(progress: &mut Progress, news: CustomerNews, policy: &Policy, now: Timestamp) -> (Rule, Inputs) {
    let had = progress.put_off;
    let (put_off, wait) = match news {
        CustomerNews::NotArrived => (PutOffs { not_arrived: true, ..had }, policy.not_arrived),
        _ => (PutOffs { ask_later: true, ..had }, policy.ask_later),
    };
    let until = now.plus(wait);
    let due = match (progress.state, progress.due_at) {
        _ if put_off == had => return (Rule::AskedBefore, Inputs::NONE),
        (State::Sending, _) => return (Rule::LetterIsOnItsWay, Inputs::NONE),
        (State::Queued | State::Sent, Some(due)) => due.max(until),
        (State::Done, _)
            if progress.letters_sent == 0 || progress.cancelled_at.is_some() || progress.planned.is_for_good() =>
        {
            return (Rule::AlreadyEnded, Inputs::NONE);
        }
        (State::Done, _) if progress.letters_sent >= policy.letters_per_order => return (Rule::OrderCap, Inputs::NONE),
        (State::Done, _) => until,
        (State::Cancelled | State::Dropped, _) => return (Rule::AlreadyEnded, Inputs::NONE),
        _ => return (Rule::NothingDue, Inputs::NONE),
    };
    progress.put_off = put_off;
    // Not even the shop's mails make it earlier; and what goes at once goes past the shop's rules, of which there is no need any more.
    progress.planned = Planned::Person;
    if progress.due_at != Some(due) {
        back_in_line(progress, due);
        progress.attempts = 0;
        progress.expires_at = Some(due.plus(policy.end_of_life));
    }
    (news.rule(), Inputs::NONE.with("until", due))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DAY, Event, decide};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn told(progress: &Progress, news: CustomerNews, policy: &Policy, now: Timestamp) -> (Progress, Rule) {
        let decision = decide(progress, &Event::Customer(news), policy, now);
        (decision.progress, decision.rule)
    }

    #[test]
    fn a_reminder_is_put_off_once_for_each_reason_and_only_ever_later() {
        let policy = Policy { not_arrived: DAY * 10, ask_later: DAY * 3, ..Policy::AFS };
        let sent = Progress {
            due_at: Some(NOW.plus(DAY * 5)),
            expires_at: Some(NOW.plus(DAY * 35)),
            letters_sent: 1,
            ..Progress::new(State::Sent)
        };
        let (put_off, rule) = told(&sent, CustomerNews::NotArrived, &policy, NOW);
        assert_eq!((put_off.due_at, put_off.expires_at), (Some(NOW.plus(DAY * 10)), Some(NOW.plus(DAY * 40))));
        assert_eq!((put_off.state, rule), (State::Sent, Rule::NotArrived));
        assert_eq!(told(&put_off, CustomerNews::NotArrived, &policy, NOW), (put_off.clone(), Rule::AskedBefore));
        let (both, rule) = told(&put_off, CustomerNews::AskLater, &policy, NOW);
        assert_eq!((both.due_at, rule), (Some(NOW.plus(DAY * 10)), Rule::AskedLater), "never earlier");
        assert_eq!(told(&both, CustomerNews::AskLater, &policy, NOW).1, Rule::AskedBefore);
    }

    #[test]
    fn after_the_last_letter_one_more_comes_within_the_cap() {
        let done = Progress { letters_sent: 2, ..Progress::new(State::Done) };
        let (again, rule) = told(&done, CustomerNews::AskLater, &Policy::AFS, NOW);
        assert_eq!((again.state, again.due_at, rule), (State::Sent, Some(NOW.plus(DAY * 7)), Rule::AskedLater));
        let full = Progress { letters_sent: 3, ..done.clone() };
        assert_eq!(told(&full, CustomerNews::AskLater, &Policy::AFS, NOW), (full.clone(), Rule::OrderCap));
        for planned in [Planned::Declined, Planned::Stopped] {
            let over = Progress { planned, ..done.clone() };
            assert_eq!(told(&over, CustomerNews::AskLater, &Policy::AFS, NOW), (over.clone(), Rule::AlreadyEnded));
        }
        let cancelled = Progress { cancelled_at: Some(NOW), ..done };
        assert_eq!(told(&cancelled, CustomerNews::NotArrived, &Policy::AFS, NOW).1, Rule::AlreadyEnded);
    }

    #[test]
    fn put_offs_are_kept_as_a_number() {
        for number in 0..4 {
            assert_eq!(PutOffs::from_number(number).map(PutOffs::number), Some(number));
        }
        assert_eq!(PutOffs::from_number(4), None);
    }
}
