//! What the customer does, and what is known of them.

use super::{Planned, Progress, State, end};
use crate::domain::rule::Rule;

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
}

impl CustomerNews {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Reviewed, Self::Unsubscribed, Self::Complained, Self::Bounced, Self::Suppressed, Self::Erased];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reviewed => "reviewed",
            Self::Unsubscribed => "unsubscribed",
            Self::Complained => "complained",
            Self::Bounced => "bounced",
            Self::Suppressed => "suppressed",
            Self::Erased => "erased",
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
        }
    }
}

/// A customer's word counts after the end too: nobody invites them to this order again.
pub(super) fn on_customer(progress: &mut Progress, news: CustomerNews) -> Rule {
    let had_ended = progress.state.has_ended();
    match news {
        CustomerNews::Suppressed if had_ended => return Rule::FinalStaysFinal,
        CustomerNews::Suppressed => {
            end(progress, State::Cancelled);
            progress.planned = Planned::Stopped;
        }
        CustomerNews::Bounced if !had_ended => end(progress, State::Failed),
        CustomerNews::Bounced => {}
        CustomerNews::Reviewed | CustomerNews::Unsubscribed | CustomerNews::Complained | CustomerNews::Erased => {
            if progress.planned == Planned::Declined {
                return Rule::FinalStaysFinal;
            }
            progress.planned = Planned::Declined;
            if !had_ended {
                end(progress, if news == CustomerNews::Reviewed { State::Done } else { State::Cancelled });
            }
        }
    }
    news.rule()
}
