//! Held copies in a person's hands: completed and released, or read again after a template was put right. Both file a reading in
//! the way that the daemon's reader does, so that what a person decides is decided by the same rules.

use std::sync::Arc;

use super::read::{filing, read_for};
use super::trust;
use crate::config::Config;
use crate::domain::{
    CopyId, Decision, EmailAddress, EventKind, Field, Finding, InvitationId, Layer, OrderReference, Outcome,
    PersonName, Policies, Reading, ShopId, Timestamp,
};
use crate::proof::Prover;
use crate::read::Reader;
use crate::store::{CopyState, Credence, DeskAct, DeskFiling, FiledReading, PROBE, Store, StoreError, StoredCopy};

/// Copies that are read again and filed together: few, since each may be as large as a mail can be.
pub const REPLAY_BATCH: usize = 16;

/// What a person knows better than the reader.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Corrections {
    /// What happened to the order.
    pub event: Option<EventKind>,
    /// The order reference.
    pub reference: Option<OrderReference>,
    /// The customer's address.
    pub email: Option<EmailAddress>,
    /// The customer's name.
    pub name: Option<PersonName>,
}

/// Why a copy cannot be released.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReleased {
    /// There is none of this number.
    #[error("there is no such copy")]
    Missing,
    /// It does not wait for a person.
    #[error("it is not held: {0}")]
    NotHeld(String),
    /// What was read from it cannot be understood by this program.
    #[error("what was read from it is no longer kept; have it read again: invited held replay")]
    Unreadable,
    /// Something is still missing.
    #[error("it does not say {}; add {}", .0.iter().map(|gap| gap.what()).collect::<Vec<_>>().join(", nor "),
        .0.iter().map(|gap| gap.flag()).collect::<Vec<_>>().join(" and "))]
    Incomplete(Vec<Gap>),
    /// The address belongs to the shop or to us.
    #[error("{0} is an address of the shop or of this service, and no customer's")]
    Ours(EmailAddress),
}

/// What a reading may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// What happened.
    Event,
    /// Which order.
    Reference,
    /// Who bought.
    Email,
}

impl Gap {
    const fn what(self) -> &'static str {
        match self {
            Self::Event => "what happened to the order",
            Self::Reference => "which order it is about",
            Self::Email => "who the customer is",
        }
    }

    /// The flag that fills it.
    pub const fn flag(self) -> &'static str {
        match self {
            Self::Event => "--event KIND",
            Self::Reference => "--reference REF",
            Self::Email => "--email ADDRESS",
        }
    }
}

/// What a reading still needs to tell of an order.
pub fn gaps(reading: &Reading) -> Vec<Gap> {
    [
        (reading.event.is_none(), Gap::Event),
        (reading.reference.is_none(), Gap::Reference),
        (reading.customer_email.is_none(), Gap::Email),
    ]
    .into_iter()
    .filter_map(|(is_missing, gap)| is_missing.then_some(gap))
    .collect()
}

/// A held copy's reading with a person's corrections, as an event. Each correction goes in front of what was found for its field.
///
/// # Errors
/// When something is missing all the same, or the address cannot be a customer's.
pub fn complete(
    mut reading: Reading,
    corrections: &Corrections,
    actor: &str,
    config: &Config,
    copy: &StoredCopy,
) -> Result<Reading, NotReleased> {
    let mut noted = Vec::new();
    let mut note = |field: Field, value: String| {
        noted.push(Finding { field, value, layer: Layer::Desk, rule: format!("release by {actor}") });
    };
    if let Some(event) = corrections.event {
        note(Field::Event, event.to_string());
        reading.event = Some(event);
    }
    if let Some(name) = &corrections.name {
        note(Field::CustomerName, name.to_string());
        reading.customer_name = Some(name.clone());
    }
    if let Some(email) = &corrections.email {
        // A name that belongs to another address must not greet this one.
        if corrections.name.is_none() && reading.customer_email.as_ref().is_some_and(|read| read.key() != email.key()) {
            reading.customer_name = None;
        }
        note(Field::CustomerEmail, email.to_string());
        reading.customer_email = Some(email.clone());
    }
    if let Some(reference) = &corrections.reference {
        note(Field::Reference, reference.to_string());
        reading.reference = Some(reference.clone());
    }
    let gaps = gaps(&reading);
    if !gaps.is_empty() {
        return Err(NotReleased::Incomplete(gaps));
    }
    if let Some(email) = reading.customer_email.as_ref().filter(|email| is_ours(email, config, copy)) {
        return Err(NotReleased::Ours(email.clone()));
    }
    noted.append(&mut reading.findings);
    noted.sort_by_key(|finding| finding.field);
    Ok(Reading { outcome: Outcome::Event, reason: None, findings: noted, ..reading })
}

/// Whether an address is at one of the shop's own domains, or at ours.
fn is_ours(email: &EmailAddress, config: &Config, copy: &StoredCopy) -> bool {
    let domain = email.domain();
    let is_in = |ours: &str| {
        domain.eq_ignore_ascii_case(ours)
            || domain.len() > ours.len()
                && domain.is_char_boundary(domain.len() - ours.len())
                && domain[domain.len() - ours.len()..].eq_ignore_ascii_case(ours)
                && domain[..domain.len() - ours.len()].ends_with('.')
    };
    is_in(&config.ingest_domain)
        || config.shop(&copy.shop).is_some_and(|shop| shop.domains.iter().any(|domain| is_in(domain)))
}

/// What came of a copy that was released.
#[derive(Debug, Clone, PartialEq)]
pub struct Released {
    /// The shop it was for.
    pub shop: ShopId,
    /// What was filed.
    pub reading: Reading,
    /// The invitations that it moved.
    pub moved: Vec<(InvitationId, Decision)>,
}

/// Where a copy stands, in words that say why nothing more can be done with it.
pub fn standing(copy: &StoredCopy, when: &dyn Fn(Timestamp) -> String) -> String {
    let by =
        copy.desk.as_ref().map(|mark| format!("{} by {} at {}", mark.act.as_str(), mark.actor.name, when(mark.at)));
    match (copy.state, by) {
        (CopyState::Unread, _) => "it has not been read yet".to_owned(),
        (CopyState::Held, _) => "it is held".to_owned(),
        (CopyState::Discarded, Some(by)) => format!("it was {by}"),
        (CopyState::Event, Some(by)) => format!("it was {by} and told of its order then"),
        (CopyState::Event, None) => "it told of its order already".to_owned(),
        (state, _) => {
            let why =
                copy.reading.as_ref().and_then(|reading| reading.reason.as_deref()).unwrap_or("no reason is known");
            format!("it was {} ({why})", state.as_str())
        }
    }
}

/// Releases a held copy: completes its reading and files it. The inner error is the copy's, the outer one the store's.
///
/// # Errors
/// When the store cannot be read or written.
pub async fn release(
    store: &dyn Store,
    config: &Config,
    id: CopyId,
    corrections: &Corrections,
    filing_by: &DeskFiling,
    now: Timestamp,
) -> Result<Result<Released, NotReleased>, StoreError> {
    let when = |at: Timestamp| at.to_string();
    let Some((copy, _)) = store.copy(id).await? else { return Ok(Err(NotReleased::Missing)) };
    if copy.state != CopyState::Held {
        return Ok(Err(NotReleased::NotHeld(standing(&copy, &when))));
    }
    let Some(reading) = copy.reading.clone() else { return Ok(Err(NotReleased::Unreadable)) };
    let reading = match complete(reading, corrections, &filing_by.actor.name, config, &copy) {
        Ok(reading) => reading,
        Err(why) => return Ok(Err(why)),
    };
    // Whoever releases a copy vouches for it.
    let vouched = Credence::default();
    let readings = Arc::new([filing(config, id, copy.shop.clone(), reading.clone(), copy.received_at, vouched)]);
    let filing_by = DeskFiling { act: DeskAct::Released, also_ignored: false, ..filing_by.clone() };
    let filed = store.file_for_desk(readings, &filing_by, policies(config), now).await?;
    match filed.into_iter().next() {
        Some(filed) if filed.is_done => Ok(Ok(Released { shop: copy.shop, reading, moved: filed.moved })),
        // Somebody else was faster.
        Some(_) => {
            let (copy, _) = store.copy(id).await?.ok_or_else(|| StoreError::Failed(format!("copy {id} is gone")))?;
            Ok(Err(NotReleased::NotHeld(standing(&copy, &when))))
        }
        None => Err(StoreError::Failed(format!("what was read from copy {id} cannot be written down"))),
    }
}

fn policies(config: &Config) -> Arc<Policies> {
    Arc::new(config.policies())
}

/// What reading a copy again comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// The copy, as it was before.
    pub copy: StoredCopy,
    /// What came of it.
    pub change: Change,
}

/// How a copy changes by being read again.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It is read as before, or held for another reason: it stays where it is.
    Stays(Reading),
    /// It is an event or ignored now.
    Becomes(Reading, Vec<(InvitationId, Decision)>),
    /// It told of its order already, or a person dealt with it: it is left alone.
    LeftAlone,
    /// Its bytes are no longer kept.
    Purged,
}

/// Reads copies again and files what changed, or only says what would change when the filing is dry. At most [`REPLAY_BATCH`]
/// copies at a time are in memory if the caller gives no more. Run again, it goes on with what is left.
///
/// # Errors
/// When the store cannot be read or written; what was filed stays filed.
pub async fn replay(
    store: &dyn Store,
    config: &Config,
    reader: &Reader,
    prover: &Prover,
    ids: &[CopyId],
    filing_by: &DeskFiling,
    now: Timestamp,
) -> Result<Vec<Replayed>, StoreError> {
    let filing_by = &DeskFiling { act: DeskAct::Replayed, ..filing_by.clone() };
    let mut replayed = Vec::with_capacity(ids.len());
    let mut readings = Vec::new();
    for id in ids {
        let Some((copy, message)) = store.copy(*id).await? else { continue };
        let is_probe = copy.reading.as_ref().is_some_and(|reading| reading.reason.as_deref() == Some(PROBE));
        let may_change = match copy.state {
            _ if is_probe => false,
            CopyState::Held => true,
            CopyState::Ignored => filing_by.also_ignored,
            CopyState::Unread | CopyState::Event | CopyState::Discarded => false,
        };
        let change = match (may_change, message) {
            (false, _) => Change::LeftAlone,
            (true, None) => Change::Purged,
            (true, Some(message)) => {
                let reading = read_for(config, reader, &copy.shop, &message);
                let evidence = trust::look_at_kept(prover, config, &copy, &message).await;
                let (reading, credence) = trust::lay(config, &copy.shop, evidence, copy.received_at, now, reading);
                if copy.reading.as_ref() != Some(&reading) {
                    readings.push(filing(config, *id, copy.shop.clone(), reading.clone(), copy.received_at, credence));
                }
                Change::Stays(reading)
            }
        };
        replayed.push(Replayed { copy, change });
    }
    file_again(store, config, readings, &mut replayed, filing_by, now).await?;
    Ok(replayed)
}

async fn file_again(
    store: &dyn Store,
    config: &Config,
    readings: Vec<FiledReading>,
    replayed: &mut [Replayed],
    filing_by: &DeskFiling,
    now: Timestamp,
) -> Result<(), StoreError> {
    if readings.is_empty() {
        return Ok(());
    }
    let submitted = readings.iter().map(|reading| reading.copy).collect::<Vec<_>>();
    let mut filed = store.file_for_desk(readings.into(), filing_by, policies(config), now).await?;
    if let Some(id) = submitted.iter().find(|id| !filed.iter().any(|filed| filed.copy == **id)) {
        return Err(StoreError::Failed(format!("what was read from copy {id} cannot be written down")));
    }
    for one in replayed {
        let Some(at) = filed.iter().position(|filed| filed.copy == one.copy.id) else { continue };
        let filed = filed.swap_remove(at);
        let Change::Stays(reading) = &mut one.change else { continue };
        if let Some((instead, _)) = filed.instead {
            *reading = instead;
        }
        if !filed.is_done {
            one.change = Change::LeftAlone;
        } else if reading.outcome.as_str() != one.copy.state.as_str() {
            one.change = Change::Becomes(reading.clone(), filed.moved);
        }
    }
    Ok(())
}
