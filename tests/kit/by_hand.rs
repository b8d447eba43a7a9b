//! What a person at the desk does with one invitation.

use std::sync::Arc;

use invited::domain::{Decision, DeskOrder, InvitationId, Policies, Timestamp};
use invited::store::{Actor, DeskAsk, DeskOutcome, Seen, Store, Subject};

/// Has an order carried out, however the invitation stands: who finds it changed looks again. `None` when there is no such
/// invitation.
pub(crate) async fn order(
    store: &(impl Store + ?Sized),
    id: InvitationId,
    order: DeskOrder,
    actor: &Actor,
    policies: &Arc<Policies>,
    now: Timestamp,
) -> Option<Decision> {
    loop {
        let story = store.story(&Subject::Invitation(id)).await.unwrap();
        let asks = vec![DeskAsk { seen: Seen::from(story.invitations.first()?), order }];
        let mut outcomes = store.desk_all(asks, actor, Arc::clone(policies), now).await.unwrap();
        match outcomes.pop()? {
            DeskOutcome::Decided(decision) => return Some(decision),
            DeskOutcome::Changed => {}
            DeskOutcome::Missing => return None,
        }
    }
}
