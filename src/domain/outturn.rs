//! What has become of an invitation so far, in the words in which a shop accounts for all of them: every invitation is in exactly one
//! of these, and in which one follows from how it stands alone.

use super::lifecycle::{Planned, Progress, State};

/// What has become of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outturn {
    /// A relay took a letter, whatever came after.
    Invited,
    /// No letter has gone yet; one may.
    UnderWay,
    /// A person should look before a letter goes.
    Held,
    /// A relay refused the letter for good, or the address takes no mail.
    Failed,
    /// Nobody knows whether a relay took the letter.
    InDoubt,
    /// The shop's mails cancelled the order before a letter went.
    OrderCancelled,
    /// A person, or the list of those who are not written to, stopped it before a letter went.
    Stopped,
    /// The customer reviewed, unsubscribed or complained before a letter went.
    Declined,
    /// The shop's rules let no letter go.
    Dropped,
    /// Everything that was stored about the customer is gone, what had become of the invitation too.
    Erased,
}

impl Outturn {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Invited,
        Self::UnderWay,
        Self::Held,
        Self::Failed,
        Self::InDoubt,
        Self::OrderCancelled,
        Self::Stopped,
        Self::Declined,
        Self::Dropped,
        Self::Erased,
    ];

    /// What has become of an invitation that stands so. Nothing here tells of one that is erased.
    pub const fn of(progress: &Progress) -> Self {
        Self::from_parts(progress.state, progress.planned, progress.letters_sent > 0)
    }

    /// The same of what it follows from.
    pub const fn from_parts(state: State, planned: Planned, has_letter: bool) -> Self {
        if has_letter {
            return Self::Invited;
        }
        match (state, planned) {
            (State::Waiting | State::Queued | State::Sending | State::Sent, _) => Self::UnderWay,
            (State::Held, _) => Self::Held,
            (State::Failed, _) => Self::Failed,
            (State::InDoubt, _) => Self::InDoubt,
            (State::Cancelled, Planned::Stopped) => Self::Stopped,
            // A review ends an invitation as done.
            (State::Cancelled | State::Done, Planned::Declined) => Self::Declined,
            (State::Cancelled, _) => Self::OrderCancelled,
            // Older versions wrote down as done what was given up before a letter went.
            (State::Dropped | State::Done, _) => Self::Dropped,
        }
    }

    /// The word for it in the database and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::UnderWay => "under_way",
            Self::Held => "held",
            Self::Failed => "failed",
            Self::InDoubt => "in_doubt",
            Self::OrderCancelled => "order_cancelled",
            Self::Stopped => "stopped",
            Self::Declined => "declined",
            Self::Dropped => "dropped",
            Self::Erased => "erased",
        }
    }

    /// The one of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outturn| outturn.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Policy, Timestamp, open_by_hand};

    #[test]
    fn every_invitation_is_in_one_of_them_by_how_it_stands() {
        use Planned::{Declined, Stopped, Trigger};
        for (state, planned, letters, outturn) in [
            (State::Waiting, Trigger, 0, Outturn::UnderWay),
            (State::Sending, Trigger, 0, Outturn::UnderWay),
            (State::Sending, Trigger, 1, Outturn::Invited),
            (State::Cancelled, Trigger, 0, Outturn::OrderCancelled),
            (State::Cancelled, Stopped, 0, Outturn::Stopped),
            (State::Cancelled, Declined, 0, Outturn::Declined),
            (State::Cancelled, Stopped, 1, Outturn::Invited),
            (State::Done, Declined, 0, Outturn::Declined),
            (State::Done, Trigger, 0, Outturn::Dropped),
            (State::Done, Trigger, 2, Outturn::Invited),
            (State::Dropped, Declined, 0, Outturn::Dropped),
            (State::Held, Trigger, 0, Outturn::Held),
            (State::Failed, Trigger, 0, Outturn::Failed),
            (State::InDoubt, Trigger, 0, Outturn::InDoubt),
        ] {
            let mut progress = open_by_hand(Timestamp(0), &Policy::default()).progress;
            (progress.state, progress.planned, progress.letters_sent) = (state, planned, letters);
            assert_eq!(Outturn::of(&progress), outturn, "{state} {planned:?} {letters}");
        }
        for outturn in Outturn::ALL {
            assert_eq!(Outturn::parse(outturn.as_str()), Some(outturn));
        }
    }
}
