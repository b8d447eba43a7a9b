//! Sending what is due. The order of steps is what keeps the promise "nothing lost, nothing doubled":
//!
//! claim (durable) → compose → connect, MAIL, RCPT, DATA → mark as on the wire (durable) → final dot → answer → settle (durable).
//!
//! A crash before the mark sends the letter later; one after it leaves the letter in doubt; and while the store cannot be
//! written nothing can be marked, so nothing is sent.

use std::sync::Arc;
use std::time::Duration;

use super::house::{House, Setup};
use super::letters::compose;
use super::relays::{Readiness, RelayLine};
use crate::config::Shop;
use crate::domain::{Attempt, Timestamp, retry_after};
use crate::send::Outcome;
use crate::store::{ClaimedLetter, StoreError};

/// How long a claim is good for: longer than all of a relay's timeouts together.
const LEASE: Duration = Duration::from_secs(30 * 60);

/// The longest pause between two tries of writing down how an attempt ended.
const SETTLE_PAUSE: Duration = Duration::from_secs(10);

/// Why a letter did not reach the final dot.
enum NotMarked {
    /// The invitation was stopped in the meantime, or the claim is not ours any more.
    Stopped,
    /// The store could not write it down.
    Store(StoreError),
}

/// Claims up to `limit` letters that are due. Letters for relays that rest stay in line.
///
/// # Errors
/// When the store cannot be written; nothing is sent then.
pub async fn claim(house: &House, limit: usize) -> Result<Vec<ClaimedLetter>, StoreError> {
    let setup = house.setup();
    let now = house.clock.now();
    let limit = match best_readiness(&setup, now) {
        Readiness::Open => limit,
        Readiness::Probe => 1,
        Readiness::RestsUntil(_) => return Ok(Vec::new()),
    };
    if setup.config.hold_all {
        return Ok(Vec::new());
    }
    house.store.claim_due(limit, &house.owner, now.plus(LEASE), Arc::clone(&setup.policies), now).await
}

/// When there may be something to claim: the earliest due time, not before a relay is ready again.
///
/// # Errors
/// When the store cannot be read.
pub async fn next_claim(house: &House) -> Result<Option<Timestamp>, StoreError> {
    let setup = house.setup();
    if setup.config.hold_all {
        return Ok(None);
    }
    let due = house.store.next_due().await?;
    Ok(match best_readiness(&setup, house.clock.now()) {
        Readiness::RestsUntil(until) => due.map(|due| due.max(until)),
        Readiness::Open | Readiness::Probe => due,
    })
}

/// How many letters all relays together can take at one time.
pub fn slots(house: &House) -> usize {
    house.setup().config.relays.iter().map(|relay| relay.connections).sum::<usize>().max(1)
}

/// Sends one claimed letter and settles it.
pub async fn send(house: &House, letter: ClaimedLetter) {
    let setup = house.setup();
    match attempt(house, &setup, &letter).await {
        Some((attempt, reply)) => settle(house, &setup, &letter, attempt, &reply).await,
        None => tracing::info!(letter = %letter.id, "a letter was stopped before it was on the wire"),
    }
}

/// Clears up after a daemon that died, and after attempts whose end could not be written down.
///
/// # Errors
/// When the store cannot be written.
pub async fn recover(house: &House) -> Result<(), StoreError> {
    let now = house.clock.now();
    let recovered = house.store.recover(&house.owner, Arc::clone(&house.setup().policies), now).await?;
    if recovered.requeued + recovered.in_doubt > 0 {
        tracing::warn!(
            requeued = recovered.requeued,
            in_doubt = recovered.in_doubt,
            "cleared up after a daemon that stopped while sending; list those in doubt with: invited queue list --state in_doubt"
        );
        house.queue_moved.notify_one();
    }
    Ok(())
}

/// How the attempt ended, and in whose words; `None` when the invitation was stopped on the way, which is on record already.
async fn attempt(house: &House, setup: &Setup, letter: &ClaimedLetter) -> Option<(Attempt, String)> {
    let Some(shop) = setup.config.shop(&letter.invitation.shop) else {
        return Some((Attempt::Unsendable, format!("the shop {} is no longer configured", letter.invitation.shop)));
    };
    let Some(line) = setup.relays.get(&shop.relay) else {
        return Some((Attempt::Unsendable, format!("the relay {} is no longer configured", shop.relay)));
    };
    let composed = match compose(setup, shop, letter, house.clock.now()) {
        Ok(composed) => composed,
        Err(error) => return Some((Attempt::Unsendable, error)),
    };
    if let Err(until) = line.admit(house.clock.now()) {
        return Some((
            Attempt::RelayDown { retry_at: until },
            format!("the relay {} rests after a failure", shop.relay),
        ));
    }
    let mark = || async {
        match house.store.mark_on_the_wire(letter.id, &house.owner, &composed.message_id, house.clock.now()).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(NotMarked::Stopped),
            Err(error) => Err(NotMarked::Store(error)),
        }
    };
    let to = &letter.invitation.customer.email;
    let outcome = line.relay.send(Some(&shop.from), to, &composed.message, mark).await;
    judge(house, shop, line, letter, outcome)
}

/// What an outcome means for the letter and for its relay.
fn judge(
    house: &House,
    shop: &Shop,
    line: &RelayLine,
    letter: &ClaimedLetter,
    outcome: Outcome<NotMarked>,
) -> Option<(Attempt, String)> {
    let now = house.clock.now();
    let seed = letter.id.0.unsigned_abs();
    let retry_at = now.plus(retry_after(letter.invitation.progress.attempts, seed));
    Some(match outcome {
        Outcome::Accepted { reply } => {
            line.works();
            (Attempt::Accepted, reply.to_string())
        }
        Outcome::TryLater { phase, reply } => {
            line.works();
            (Attempt::Deferred { retry_at }, format!("{phase}: {reply}"))
        }
        Outcome::Refused { phase, reply } => {
            line.works();
            (Attempt::Refused, format!("{phase}: {reply}"))
        }
        Outcome::Unavailable(trouble) => {
            let until = line.fails(now);
            if trouble.alarm {
                tracing::error!(relay = shop.relay, %trouble, %until, "the relay needs a person: waiting will not mend this");
            } else {
                tracing::warn!(relay = shop.relay, %trouble, %until, "the relay cannot be used; its letters wait");
            }
            (Attempt::RelayDown { retry_at: until }, trouble.to_string())
        }
        Outcome::InDoubt { reason } => {
            tracing::warn!(letter = %letter.id, invitation = %letter.invitation.id, reason, "a letter is in doubt");
            (Attempt::AnswerLost { retry_at }, reason)
        }
        Outcome::NotRecorded(NotMarked::Stopped) => {
            line.works();
            return None;
        }
        Outcome::NotRecorded(NotMarked::Store(error)) => {
            line.works();
            (Attempt::Interrupted, format!("the store could not be written, so nothing was sent: {error}"))
        }
    })
}

/// Writes down how an attempt ended, again and again while the store fails: what the relay said is known only here. A daemon that
/// is stopped before it succeeds leaves a letter that was on the wire in doubt.
async fn settle(house: &House, setup: &Setup, letter: &ClaimedLetter, attempt: Attempt, reply: &str) {
    let to = setup.log_id(&letter.invitation.customer.email);
    for tries in 1_u32.. {
        let policies = Arc::clone(&setup.policies);
        match house.store.settle(letter.id, attempt, reply, policies, house.clock.now()).await {
            Ok(settled) => {
                tracing::info!(
                    letter = %letter.id,
                    invitation = %letter.invitation.id,
                    shop = %letter.invitation.shop,
                    to,
                    kind = letter.kind.as_str(),
                    rule = %settled.decision.rule,
                    state = %settled.decision.progress.state,
                    "a letter's attempt ended"
                );
                house.queue_moved.notify_one();
                return;
            }
            Err(error) => {
                tracing::error!(letter = %letter.id, tries, %error, "the end of a letter's attempt could not be written down");
                tokio::time::sleep((Duration::from_millis(250) * tries).min(SETTLE_PAUSE)).await;
            }
        }
    }
}

/// Whether anything can be sent at all: the readiest relay decides.
fn best_readiness(setup: &Setup, now: Timestamp) -> Readiness {
    let mut best = None;
    for line in setup.relays.values() {
        best = Some(match (best, line.readiness(now)) {
            (_, Readiness::Open) | (Some(Readiness::Open), _) => Readiness::Open,
            (_, Readiness::Probe) | (Some(Readiness::Probe), _) => Readiness::Probe,
            (Some(Readiness::RestsUntil(one)), Readiness::RestsUntil(two)) => Readiness::RestsUntil(one.min(two)),
            (None, rests) => rests,
        });
    }
    best.unwrap_or(Readiness::Open)
}
