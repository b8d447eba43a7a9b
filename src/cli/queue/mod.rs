//! `invited queue`: the invitations, and what support staff do with them. One file a verb; `filter` says which invitations are
//! meant, `change` has what all that change something share.

mod cancel;
mod change;
mod export;
mod filter;
mod list;
mod pause;
mod reinvite;
mod reschedule;
mod reviewed;
mod row;
mod send_now;
mod show;
mod told;

use clap::Subcommand;

pub(super) use change::named;

use super::output::{count, local};
use super::when::{Meant, point};
use super::who::Who;
use super::{ConfigArg, Desk, Failure, JsonArg, Output};

/// Looks into the queue of invitations and changes it.
#[derive(Debug, Subcommand)]
pub(super) enum Queue {
    /// Lists invitations, newest first
    List(list::List),
    /// Shows invitations with everything that is known of their orders
    Show(show::Show),
    /// Stops invitations for good
    Cancel(cancel::Cancel),
    /// Moves the next letter to another time, at most 90 days ahead
    Reschedule(reschedule::Reschedule),
    /// Sends the next letter at once
    SendNow(send_now::SendNow),
    /// Begins new invitations after some that have ended
    Reinvite(reinvite::Reinvite),
    /// Says that an order was reviewed elsewhere, so that nobody is reminded
    Reviewed(reviewed::Reviewed),
    /// Lets all letters of a shop rest, or of all shops
    Pause(pause::Pause),
    /// Lets letters go again that rest
    Resume(pause::Resume),
    /// Writes invitations to a file, for a spreadsheet or a program
    Export(export::Export),
    /// A live screen: the queue, what is due next, rates, relays and held copies
    Watch(super::watch::Show),
    /// Invitations, letters, bounces and reviews over time, as charts and in a table
    Stats(super::stats::Show),
}

impl Queue {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run().await,
            Self::Show(show) => show.run().await,
            Self::Cancel(cancel) => cancel.run().await,
            Self::Reschedule(reschedule) => reschedule.run().await,
            Self::SendNow(send) => send.run().await,
            Self::Reinvite(reinvite) => reinvite.run().await,
            Self::Reviewed(reviewed) => reviewed.run().await,
            Self::Pause(pause) => pause.run().await,
            Self::Resume(resume) => resume.run().await,
            Self::Export(export) => export.run().await,
            Self::Watch(show) => show.run().await,
            Self::Stats(show) => show.run().await,
        }
    }
}
