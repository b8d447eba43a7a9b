//! `invited held`: the copies that a person should look at, and what people do with them.

mod discard;
mod filter;
mod list;
mod marked;
mod release;
mod replay;
mod show;

use clap::Subcommand;

use super::who::Who;
use super::{ConfigArg, Desk, Failure, JsonArg, Output};
use crate::domain::{Decision, Doubt, InvitationId, Timestamp, Zone};
use crate::store::StoredCopy;

/// Deals with copies that a person should look at.
#[derive(Debug, Subcommand)]
pub(super) enum Held {
    /// Lists held copies, newest first
    List(list::List),
    /// Shows a copy: why it is held, and its mail with what was read from it marked
    Show(show::Show),
    /// Completes held copies, so that they tell of their orders
    Release(release::Release),
    /// Says that nothing is to come of held copies, for good
    Discard(discard::Discard),
    /// Reads copies again with the present templates: first says what would change, and does it with --yes
    Replay(replay::Replay),
}

impl Held {
    pub(super) async fn run(self) -> Result<(), Failure> {
        match self {
            Self::List(list) => list.run().await,
            Self::Show(show) => show.run().await,
            Self::Release(release) => release.run().await,
            Self::Discard(discard) => discard.run().await,
            Self::Replay(replay) => replay.run().await,
        }
    }
}

/// A copy as `--json` prints it; the names are a contract.
fn json(copy: &StoredCopy) -> serde_json::Value {
    serde_json::json!({
        "id": copy.id,
        "shop": copy.shop,
        "received_at": copy.received_at.to_string(),
        "mail_from": copy.mail_from,
        "client": copy.handed.client,
        "size": copy.size,
        "state": copy.state.as_str(),
        "attempts": copy.attempts,
        "invitation": copy.invitation,
        "reason": copy.reading.as_ref().and_then(|one| one.reason.as_deref()),
        "reading": copy.reading,
        "way": copy.handed.way.as_str(),
        "sender": copy.sender,
        "doubt": copy.doubt.map(Doubt::as_str),
        "proof": proof(copy),
        "desk": copy.desk.as_ref().map(|mark| serde_json::json!({
            "act": mark.act.as_str(),
            "actor": mark.actor.name,
            "reason": mark.actor.reason,
            "at": mark.at.to_string(),
        })),
    })
}

/// What was found about its sender, as it is kept.
fn proof(copy: &StoredCopy) -> Option<serde_json::Value> {
    serde_json::from_str(copy.proof.as_deref()?).ok()
}

/// What a copy did to the invitations of its order, in words.
fn decisions(moved: &[(InvitationId, Decision)], is_dry: bool, when: &dyn Fn(Timestamp) -> String) -> String {
    let told = moved.iter().map(|(id, decision)| {
        let which = if is_dry { String::new() } else { format!("invitation {id} ") };
        let due = decision.progress.due_at.map(|due| format!(", due {}", when(due))).unwrap_or_default();
        format!("{which}{}{due}: {}", decision.progress.state, decision.rule.sentence())
    });
    told.collect::<Vec<_>>().join("; ")
}

/// Instants in a zone, for people.
fn local_in(zone: &Zone) -> impl Fn(Timestamp) -> String + use<> {
    let zone = zone.clone();
    move |at| super::output::local(at, &zone)
}
