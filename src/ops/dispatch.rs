//! Sending what is due. The order of steps is what keeps the promise "nothing lost, nothing doubled":
//!
//! claim (durable) → compose → connect, MAIL, RCPT, DATA → mark as on the wire (durable) → final dot → answer → settle (durable).
//!
//! A crash before the mark sends the letter later; one after it leaves the letter in doubt; and while the store cannot be
//! written nothing can be marked, so nothing is sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::house::{House, Setup};
use super::letters::{compose, return_path};
use super::relays::{Readiness, RelayLine};
use crate::config;
use crate::domain::{Attempt, ShopId, Timestamp, retry_after};
use crate::send::{Outcome, Phase, Trouble};
use crate::store::{Claim, ClaimAsk, ClaimedLetter, RelayShare, StoreError};

/// How long a daemon counts as alive after each sign of life. Other daemons on the same database take its work over then.
pub const LEASE: Duration = Duration::from_secs(60);

/// Invitations of shops without a relay that are dealt with in one go: their letters only need to be recorded as unsendable.
const WITHOUT_RELAY_AT_MOST: usize = 64;

/// The longest pause between two tries of writing down how an attempt ended.
const SETTLE_PAUSE: Duration = Duration::from_secs(10);

/// How long a letter that met a relay which needs a person stays out of line at most.
const IN_LINE_WITHIN: Duration = Duration::from_secs(60);

/// Why a letter did not reach the final dot.
enum NotMarked {
    /// The invitation was stopped in the meantime, or the claim is not ours any more.
    Stopped,
    /// The store could not write it down.
    Store(StoreError),
}

/// What a look at the queue led to.
#[derive(Debug, Default)]
pub struct Look {
    /// Letters that are to be sent now.
    pub letters: Vec<ClaimedLetter>,
    /// Whether another look may find more at once.
    pub may_find_more: bool,
    /// Whether something is due whose relay's connections are all in other daemons' use.
    pub waits_for_others: bool,
    /// When something is due next, a relay's rest is over, or a shop's rate allows another letter.
    pub next: Option<Timestamp>,
}

/// What is due for one relay, or for shops that have none any more.
struct Line<'s> {
    shops: Vec<ShopId>,
    relay: Option<(&'s RelayLine, RelayShare)>,
    /// One letter is to find out whether the relay is back.
    is_probe: bool,
}

/// Claims letters that are due, for each relay as many as it has connections free. Letters for relays that rest stay in line.
///
/// # Errors
/// When the store cannot be used; nothing is sent then.
pub async fn look(house: &House) -> Result<Look, StoreError> {
    let setup = house.setup();
    let mut found = Look::default();
    if setup.config.hold_all {
        return Ok(found);
    }
    give_back_unknown_claims(house, &setup).await?;
    let due = house.store.next_due().await?;
    let now = house.clock.now();
    for line in lines(&setup, due, now, &mut found) {
        let name = line.relay.as_ref().map(|(_, share)| share.name.as_str());
        let limit = match &line.relay {
            None => WITHOUT_RELAY_AT_MOST,
            Some(_) if line.is_probe => 1_usize.saturating_sub(in_hand_for(house, name)),
            // Whether this daemon is alone is known where letters are claimed.
            Some((_, share)) => share.in_hand_at_most(true).saturating_sub(in_hand_for(house, name)),
        };
        if limit > 0
            && let Err(error) = claim(house, &setup, line, limit, &mut found).await
        {
            // What was claimed for another relay by then must be sent; the next look meets the store's trouble again.
            return if found.letters.is_empty() { Err(error) } else { Ok(found) };
        }
    }
    Ok(found)
}

impl Look {
    fn is_next(&mut self, at: Timestamp) {
        self.next = Some(self.next.map_or(at, |next| next.min(at)));
    }
}

/// What is due now, by the relay that its letters go to: the first of the shop's that does not rest. One whose rest is over gets a
/// letter to try, before the letters are counted that go to those behind it. What is due later, or waits for relays that rest, is
/// noted in what was `found`.
fn lines<'s>(setup: &'s Setup, due: Vec<(ShopId, Timestamp)>, now: Timestamp, found: &mut Look) -> Vec<Line<'s>> {
    let mut lines = BTreeMap::<(bool, Option<&'s str>), Line<'s>>::new();
    for (shop, first_due) in due {
        if first_due > now {
            found.is_next(first_due);
            continue;
        }
        let relays = relays_of(setup, &shop);
        let mut rests_until = None;
        let mut goes = relays.is_empty();
        if goes {
            let none = || Line { shops: Vec::new(), relay: None, is_probe: false };
            lines.entry((true, None)).or_insert_with(none).shops.push(shop.clone());
        }
        for (settings, line) in &relays {
            let is_probe = match line.readiness(now) {
                Readiness::Open => false,
                Readiness::Probe => true,
                Readiness::RestsUntil(until) => {
                    rests_until = Some(rests_until.map_or(until, |first: Timestamp| first.min(until)));
                    continue;
                }
            };
            goes = true;
            let entry = lines.entry((!is_probe, Some(&settings.name))).or_insert_with(|| Line {
                shops: Vec::new(),
                relay: Some((line, share(settings))),
                is_probe,
            });
            entry.shops.push(shop.clone());
            if let Some((_, share)) = &mut entry.relay {
                let others = relays.iter().map(|(other, _)| &other.name).filter(|other| **other != settings.name);
                share.others.extend(others.cloned());
            }
            if !is_probe {
                break;
            }
        }
        if let Some(until) = rests_until.filter(|_| !goes) {
            found.is_next(until);
        }
    }
    lines.into_values().collect()
}

/// The relays of a shop, in the order in which it would have them.
fn relays_of<'s>(setup: &'s Setup, shop: &ShopId) -> Vec<(&'s config::Relay, &'s RelayLine)> {
    let names = setup.config.shop(shop).map(|shop| shop.relays.as_slice()).unwrap_or_default();
    let relays = names.iter().filter_map(|name| {
        let settings = setup.config.relays.iter().find(|relay| relay.name == *name)?;
        Some((settings, &**setup.relays.get(name)?))
    });
    relays.collect()
}

fn share(relay: &config::Relay) -> RelayShare {
    RelayShare {
        rate: relay.rate,
        per_domain: relay.per_domain,
        domains: relay.domains.clone(),
        ..RelayShare::new(relay.name.as_str(), relay.connections.max(1))
    }
}

/// When a letter is due again whose relay could not be used: as soon as one of its shop's relays may take it. Where one needs a person, it
/// is back in line sooner, like all others: then a relay that was mended gets it with the reload, and it is seen that letters wait.
fn back_in_line(setup: &Setup, shop: &ShopId, until: Timestamp, now: Timestamp) -> Timestamp {
    let relays = relays_of(setup, shop);
    let chances = relays.iter().map(|(_, line)| match line.readiness(now) {
        Readiness::Open | Readiness::Probe => now,
        Readiness::RestsUntil(until) => until,
    });
    let chance = chances.min().unwrap_or(until);
    let needs_person = relays.iter().any(|(_, line)| line.alarm().is_some());
    if needs_person { chance.min(now.plus(IN_LINE_WITHIN)) } else { chance }
}

fn in_hand_for(house: &House, relay: Option<&str>) -> usize {
    house.in_hand().values().filter(|at| at.as_deref() == relay).count()
}

async fn claim(house: &House, setup: &Setup, line: Line<'_>, limit: usize, found: &mut Look) -> Result<(), StoreError> {
    let relay = line.relay.map(|(_, share)| share);
    let name = relay.as_ref().map(|relay| relay.name.clone());
    let ask = ClaimAsk { owner: house.owner.clone(), relay, shops: line.shops, limit };
    let claimed = house.store.claim_due(ask, Arc::clone(&setup.policies), house.clock.now()).await;
    // A claim may be durable though its answer was lost.
    let claimed = claimed.inspect_err(|_| house.claims_unknown.store(true, Ordering::Relaxed))?;
    let ids = claimed.letters.iter().map(|letter| (letter.claim.clone(), name.clone()));
    house.in_hand().extend(ids);
    found.letters.extend(claimed.letters);
    found.may_find_more |= claimed.dealt_with > 0;
    match claimed.next {
        Some(next) => found.is_next(next),
        None => found.waits_for_others |= claimed.dealt_with == 0,
    }
    Ok(())
}

/// After a claim that failed without an answer: what was claimed all the same goes back in line before anything else is claimed.
async fn give_back_unknown_claims(house: &House, setup: &Setup) -> Result<(), StoreError> {
    if !house.claims_unknown.load(Ordering::Relaxed) {
        return Ok(());
    }
    let in_hand = house.in_hand().keys().cloned().collect();
    let policies = Arc::clone(&setup.policies);
    let released = house.store.release(&house.owner, in_hand, policies, house.clock.now()).await?;
    house.claims_unknown.store(false, Ordering::Relaxed);
    if released.requeued > 0 {
        tracing::warn!(
            letters = released.requeued,
            "letters were claimed while the answer was lost; they are back in line"
        );
    }
    Ok(())
}

/// Sends one claimed letter and settles it.
pub async fn send(house: &House, letter: ClaimedLetter) {
    let setup = house.setup();
    let mut hand = Hand { house, claim: letter.claim.clone(), is_empty: false };
    let began = Instant::now();
    match attempt(house, &setup, &letter).await {
        Some((attempt, reply)) => {
            house.meter.attempted(&attempt, began.elapsed());
            settle(house, &setup, &letter, attempt, &reply).await;
        }
        None => tracing::info!(letter = %letter.claim.letter, "a letter was stopped before it was on the wire"),
    }
    hand.is_empty = true;
}

/// Holds a letter until it is dealt with. A sending that broke down leaves a claim of which nobody knows any more, which is given
/// back like any other.
struct Hand<'h> {
    house: &'h House,
    claim: Claim,
    is_empty: bool,
}

impl Drop for Hand<'_> {
    fn drop(&mut self) {
        self.house.in_hand().remove(&self.claim);
        if !self.is_empty {
            self.house.claims_unknown.store(true, Ordering::Relaxed);
        }
    }
}

/// Ends the connections to all relays, each after the letter that is on it.
pub async fn hang_up(house: &House) {
    for line in house.setup().relays.values() {
        line.relay.close().await;
    }
}

/// Shows that this daemon lives.
///
/// # Errors
/// When the store cannot be written, or was brought to a schema that this program cannot work with.
pub async fn beat(house: &House) -> Result<(), StoreError> {
    let now = house.clock.now();
    house.store.beat(&house.owner, now.plus(house.lease), now).await
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
            "cleared up after a daemon that died while sending; list those in doubt with: invited queue list --state in_doubt"
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
    let claimed_for = house.in_hand().get(&letter.claim).cloned().flatten();
    let Some(name) = claimed_for else {
        return Some((Attempt::Unsendable, format!("the shop {} has no relay that is configured", shop.id)));
    };
    let Some(line) = setup.relays.get(&name).filter(|_| shop.relays.contains(&name)) else {
        return Some((Attempt::Interrupted, format!("the relay {name} is no longer the shop's")));
    };
    let composed = match compose(setup, shop, letter, house.clock.now()) {
        Ok(composed) => composed,
        Err(error) => return Some((Attempt::Unsendable, error)),
    };
    let Some(slot) = line.relay.reserve().await else {
        return Some((Attempt::Interrupted, format!("the relay {name} takes no more letters")));
    };
    if let Err(until) = line.admit(house.clock.now()) {
        let retry_at = back_in_line(setup, &shop.id, until, house.clock.now());
        return Some((Attempt::RelayDown { retry_at }, format!("{name} rests after a failure")));
    }
    let mark = || async {
        match house.store.mark_on_the_wire(&letter.claim, &composed.message_id, house.clock.now()).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(NotMarked::Stopped),
            Err(error) => Err(NotMarked::Store(error)),
        }
    };
    let to = &letter.invitation.customer.email;
    let from = return_path(setup, shop, &name, letter.claim.letter);
    let outcome = slot.send(Some(&from), to, &composed.message, mark).await;
    line.count(&outcome);
    judge(house, setup, line, letter, outcome)
}

/// What an outcome means for the letter and for its relay.
fn judge(
    house: &House,
    setup: &Setup,
    line: &RelayLine,
    letter: &ClaimedLetter,
    outcome: Outcome<NotMarked>,
) -> Option<(Attempt, String)> {
    let now = house.clock.now();
    let relay = line.relay.name();
    let works = || {
        if let Some(since) = line.works() {
            tracing::info!(relay, %since, "the relay works again");
        }
    };
    let seed = letter.claim.letter.0.unsigned_abs();
    let retry_at = now.plus(retry_after(letter.invitation.progress.attempts, seed));
    Some(match outcome {
        Outcome::Accepted { reply } => {
            works();
            (Attempt::Accepted, format!("{relay} said {reply}"))
        }
        Outcome::TryLater { phase, reply } => {
            works();
            (Attempt::Deferred { retry_at }, format!("{relay} said {reply} (at {phase})"))
        }
        Outcome::Refused { phase, reply } => {
            // Our own refusal says nothing of the relay, and the relay said nothing.
            if phase == Phase::Check {
                (Attempt::Refused, format!("not handed to {relay}: {reply}"))
            } else {
                works();
                (Attempt::Refused, format!("{relay} said {reply} (at {phase})"))
            }
        }
        Outcome::Unavailable(trouble) => {
            let until = line.fails(&trouble, now);
            if trouble.alarm {
                tracing::error!(relay, %trouble, %until, "the relay needs a person: waiting will not mend this; no letters go to it");
            } else {
                tracing::warn!(relay, %trouble, %until, "the relay cannot be used; no letters go to it until then");
            }
            let retry_at = back_in_line(setup, &letter.invitation.shop, until, now);
            (Attempt::RelayDown { retry_at }, out_of_use(relay, &trouble))
        }
        Outcome::InDoubt { reason } => {
            tracing::warn!(letter = %letter.claim.letter, invitation = %letter.invitation.id, reason, "a letter is in doubt");
            (Attempt::AnswerLost { retry_at }, format!("no answer of {relay} to the letter: {reason}"))
        }
        Outcome::NotRecorded(NotMarked::Stopped) => {
            works();
            return None;
        }
        Outcome::NotRecorded(NotMarked::Store(error)) => {
            works();
            (Attempt::Interrupted, format!("the store could not be written, so nothing was sent: {error}"))
        }
    })
}

/// Why a relay could not be used, for the support desk: only where it was reached did it say anything.
fn out_of_use(relay: &str, trouble: &Trouble) -> String {
    let Trouble { phase, reason, .. } = trouble;
    match phase {
        Phase::Connect => format!("could not connect to {relay}: {reason}"),
        Phase::Tls => format!("no TLS with {relay}: {reason}"),
        _ => format!("{relay} at {phase}: {reason}"),
    }
}

/// Writes down how an attempt ended, again and again while the store fails: what the relay said is known only here. A daemon that
/// is stopped before it succeeds leaves a letter that was on the wire in doubt.
async fn settle(house: &House, setup: &Setup, letter: &ClaimedLetter, attempt: Attempt, reply: &str) {
    let to = setup.log_id(&letter.invitation.customer.email);
    for tries in 1_u32.. {
        let policies = Arc::clone(&setup.policies);
        match house.store.settle(&letter.claim, attempt, reply, policies, house.clock.now()).await {
            Ok(Some(settled)) => {
                tracing::info!(
                    letter = %letter.claim.letter,
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
            Ok(None) => {
                tracing::info!(letter = %letter.claim.letter, "a letter's attempt ended, but its person was erased meanwhile");
                return;
            }
            Err(error) => {
                if tries.is_power_of_two() {
                    tracing::error!(letter = %letter.claim.letter, tries, %error, "the end of a letter's attempt could not be written down");
                }
                tokio::time::sleep((Duration::from_millis(250) * tries).min(SETTLE_PAUSE)).await;
            }
        }
    }
}
