//! Reading what was taken in: copies out of the spool, through the reader, into decisions on invitations. A template that was
//! fixed takes the same way again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::answers;
use super::house::{House, Setup};
use super::probe;
use super::{trust, watch};
use crate::config::Config;
use crate::domain::{CopyId, Doubt, Field, OrderNews, Outcome, Reading, ShopId, Timestamp, Zone};
use crate::read::{Context, Reader};
use crate::store::{Credence, Filed, FiledAnswer, FiledReading, StoreError, StoredCopy, UnreadCopy};

/// A copy that brought the daemon down this often is set aside.
const ATTEMPTS_AT_MOST: u32 = 3;

/// By how much reading stands back, as in nice(1): beside a busy door it gets about a tenth of a core, on an idle machine all.
const STANDS_BACK: i32 = 10;

/// Copies read in one go: enough to share a commit, few enough that a crash touches few.
pub const BATCH: usize = 64;

/// Copies that were read together, to be filed.
#[derive(Debug, Default)]
pub struct Batch {
    /// How many copies were handed out.
    pub copies: usize,
    /// How long the oldest of them had waited.
    pub waited: Duration,
    readings: Arc<[FiledReading]>,
    answers: Arc<[FiledAnswer]>,
}

/// Reads the oldest unread copies, at most [`BATCH`] of them.
///
/// # Errors
/// When the store cannot be read or written; the copies stay where they are.
pub async fn read_some(house: &House) -> Result<Batch, StoreError> {
    let now = house.clock.now();
    let copies = house.store.claim_copies(BATCH, ATTEMPTS_AT_MOST, &house.owner, now).await?;
    let Some(oldest) = copies.iter().map(|copy| copy.received_at).min() else {
        return Ok(Batch::default());
    };
    let waited = Duration::from_millis(now.0.saturating_sub(oldest.0).try_into().unwrap_or(0));
    let count = copies.len();
    let (answers, copies) = copies.into_iter().partition(|copy| copy.answers.is_some());
    let answers = answers::read(house, answers).await?.into();
    let setup = house.setup();
    let read = read_all(&setup, copies).await;
    Ok(Batch { copies: count, waited, readings: believe_all(&setup, read, now, LOOKED_FOR).await.into(), answers })
}

/// Files what was read. May be called again with the same batch: what is filed already stays as it is.
///
/// # Errors
/// When the store cannot be written; the copies stay unread.
pub async fn file(house: &House, batch: &Batch) -> Result<(), StoreError> {
    answers::file(house, &batch.answers).await?;
    let policies = Arc::clone(&house.setup().policies);
    let filed = house.store.file_readings(Arc::clone(&batch.readings), policies, house.clock.now()).await?;
    tell(house, &batch.readings, &filed).await;
    batch.readings.iter().for_each(|filed| house.meter.read(filed.reading.outcome));
    Ok(())
}

/// Held copies that are looked at again in one go: each is in memory with its mail.
const LOOKED_AT_AGAIN: usize = 16;

/// Looks again at copies that the DNS left open, some of those whose time has come. How many were filed anew.
///
/// # Errors
/// When the store cannot be read or written; the copies stay held, and are looked at again.
pub async fn look_again(house: &House) -> Result<usize, StoreError> {
    let now = house.clock.now();
    let ids = house.store.copies_again(now, LOOKED_AT_AGAIN).await?;
    let setup = house.setup();
    let (mut copies, mut readings) = (Vec::new(), Vec::new());
    for id in ids {
        let Some((copy, message)) = house.store.copy(id).await? else { continue };
        match message {
            Some(message) => copies.push(as_unread(&copy, message)),
            None => readings.extend(without_mail(&setup.config, copy)),
        }
    }
    let read = read_all(&setup, copies).await;
    readings.extend(believe_all(&setup, read, now, LOOKED_AGAIN_FOR).await);
    if readings.is_empty() {
        return Ok(0);
    }
    let readings = Arc::<[FiledReading]>::from(readings);
    let filed = house.store.file_again(Arc::clone(&readings), Arc::clone(&setup.policies), now).await?;
    tell(house, &readings, &filed).await;
    Ok(filed.iter().filter(|filed| filed.is_done).count())
}

/// A kept copy as the reader is given it.
pub(super) fn as_unread(copy: &StoredCopy, message: Vec<u8>) -> UnreadCopy {
    UnreadCopy {
        id: copy.id,
        shop: copy.shop.clone(),
        mail_from: copy.mail_from.clone(),
        handed: copy.handed.clone(),
        answers: None,
        message,
        attempts: copy.attempts,
        received_at: copy.received_at,
    }
}

/// A copy whose bytes were deleted while it waited for the DNS stays held, and nobody looks again.
fn without_mail(config: &Config, copy: StoredCopy) -> Option<FiledReading> {
    let why = "its sender could not be checked as long as its mail was kept";
    let reading = Reading { reason: Some(Doubt::Untrusted.reason(why)), ..copy.reading? };
    let credence = Credence { doubt: Some((Doubt::Untrusted, None)), ..Credence::default() };
    Some(filing(config, copy.id, copy.shop, reading, copy.received_at, credence))
}

/// Says what came of copies, in the log and by an alarm.
async fn tell(house: &House, readings: &[FiledReading], filed: &[Filed]) {
    let mut doubted = BTreeSet::new();
    for filed in filed.iter().filter(|filed| filed.is_done) {
        for (invitation, decision) in &filed.moved {
            tracing::info!(copy = %filed.copy, %invitation, rule = %decision.rule, state = %decision.progress.state, "an order event was filed");
        }
        let Some(reading) = readings.iter().find(|reading| reading.copy == filed.copy) else { continue };
        if let Some(sender) = &filed.first_seen {
            tracing::warn!(
                shop = %reading.shop,
                sender,
                "order mails of a new sender are held until somebody says whether it is the shop; see: invited senders list"
            );
        }
        let doubt = filed.instead.as_ref().map_or(reading.credence.doubt.map(|(doubt, _)| doubt), |(_, doubt)| *doubt);
        if let Some(doubt) = doubt {
            tracing::info!(copy = %filed.copy, shop = %reading.shop, doubt = doubt.as_str(), "an order mail that was read well is held");
            doubted.insert((reading.shop.clone(), doubt));
        }
    }
    house.queue_moved.notify_one();
    for (shop, doubt) in doubted {
        watch::doubted(house, &shop, doubt).await;
    }
}

/// How long a batch waits for what proves its senders: a question that is asked twice without an answer takes four seconds. Copies are
/// better held and looked at again than left unread together with those that need no DNS.
const LOOKED_FOR: Duration = Duration::from_secs(5);

/// The same of copies that are looked at again, where nobody waits for them.
const LOOKED_AGAIN_FOR: Duration = Duration::from_secs(15);

/// What was found about the senders of copies that are no mere newsletters, laid on their readings.
async fn believe_all(
    setup: &Arc<Setup>,
    read: Vec<(UnreadCopy, Reading)>,
    now: Timestamp,
    at_most: Duration,
) -> Vec<FiledReading> {
    let mut looking = JoinSet::new();
    for (copy, reading) in read {
        let setup = Arc::clone(setup);
        looking.spawn(async move {
            let UnreadCopy { id, received_at, .. } = copy;
            let shop = copy.shop.clone();
            // An answer to a letter tells of no order.
            if reading.outcome == Outcome::Ignored || copy.answers.is_some() {
                return filing(&setup.config, id, shop, reading, received_at, Credence::default());
            }
            let looking = trust::look(&setup.prover, &setup.config, &copy);
            let evidence = tokio::time::timeout(at_most, looking).await.ok().flatten();
            let (reading, credence) = trust::lay(&setup.config, &shop, evidence, received_at, now, reading);
            filing(&setup.config, id, shop, reading, received_at, credence)
        });
    }
    let mut readings = Vec::with_capacity(looking.len());
    while let Some(believed) = looking.join_next().await {
        // One that was lost to a panic stays unread, which counts as an attempt.
        readings.extend(believed.ok());
    }
    readings.sort_by_key(|reading| reading.copy);
    readings
}

/// Reading is work for the processor, so it leaves the threads that serve connections alone; two at a time, as there may be no
/// more cores than that.
async fn read_all(setup: &Arc<Setup>, copies: Vec<UnreadCopy>) -> Vec<(UnreadCopy, Reading)> {
    let half = copies.len().div_ceil(2).max(1);
    let mut copies = copies.into_iter();
    let mut shares = Vec::new();
    loop {
        let share = copies.by_ref().take(half).collect::<Vec<_>>();
        if share.is_empty() {
            break;
        }
        shares.push(begin_share(Arc::clone(setup), share));
    }
    let mut readings = Vec::new();
    for share in shares {
        // The reader catches its own panics; a share that was lost all the same stays unread and counts as an attempt.
        readings.extend(share.await.unwrap_or_default());
    }
    readings
}

/// Begins to read in a thread that stands back behind the door's: a sender waits for its 250, while nobody waits for a reading.
/// It still gets its part of a busy machine, so it never stands still.
fn begin_share(setup: Arc<Setup>, share: Vec<UnreadCopy>) -> oneshot::Receiver<Vec<(UnreadCopy, Reading)>> {
    let (done, readings) = oneshot::channel();
    let read = move || {
        // Linux counts niceness by thread. Where it is forbidden, reading is as urgent as the rest.
        let _ = rustix::process::nice(STANDS_BACK);
        let _ = done.send(share.into_iter().map(|copy| read_one(&setup, copy)).collect());
    };
    if let Err(error) = std::thread::Builder::new().name("reader".to_owned()).spawn(read) {
        tracing::error!(%error, "no thread could be started; copies wait to be read");
    }
    readings
}

fn read_one(setup: &Setup, copy: UnreadCopy) -> (UnreadCopy, Reading) {
    let probe = probe::reading(&setup.keys.probes, &copy.shop, &copy.message, copy.received_at);
    let reading = probe.unwrap_or_else(|| read_for(&setup.config, &setup.reader, &copy.shop, &copy.message));
    tracing::info!(
        copy = %copy.id,
        shop = %copy.shop,
        outcome = reading.outcome.as_str(),
        event = reading.event.map(|event| event.as_str()),
        template = reading.template.as_deref(),
        "a copy was read"
    );
    (copy, reading)
}

/// How long a mail may have been under way (RFC 5321 4.5.4.1: a client gives up after 4 to 5 days). One that says it was written
/// earlier comes from a machine whose clock is wrong.
const UNDER_WAY_AT_MOST: Duration = Duration::from_secs(5 * 86_400);

/// A reading of a shop's copy as it is filed, with what it says about the order's schedule in the shop's zone. A mail was written
/// when it says so, but never after it came in.
pub(super) fn filing(
    config: &Config,
    copy: CopyId,
    shop: ShopId,
    reading: Reading,
    received_at: Timestamp,
    credence: Credence,
) -> FiledReading {
    let zone = config.shop(&shop).map_or(Zone::UTC, |shop| shop.zone.clone());
    let news = reading.order_event().map(|event| OrderNews {
        kind: event.kind,
        told_at: written_at(&reading, received_at),
        preferred: reading.preferred_send_time.map(Timestamp::from),
        expected_by: event.expected_delivery.and_then(|day| end_of(day, &zone)),
    });
    FiledReading { copy, shop, reading, news, credence }
}

fn written_at(reading: &Reading, received_at: Timestamp) -> Timestamp {
    let says = reading.sent_at.filter(|sent| received_at.since(*sent) <= UNDER_WAY_AT_MOST);
    says.map_or(received_at, |sent| sent.min(received_at))
}

/// Reads a shop's mail by the shop's rules.
pub(super) fn read_for(config: &Config, reader: &Reader, shop: &ShopId, message: &[u8]) -> Reading {
    match config.shop(shop) {
        Some(shop) => {
            let own = [config.ingest_domain.clone(), shop.from.domain().to_owned()];
            let context = Context {
                shop_domains: &shop.domains,
                own_domains: &own,
                locale: Some(shop.locale.as_str()),
                consent_words: &shop.consent_words,
            };
            reader.read(message, &context)
        }
        None => Reading::without_findings(
            Outcome::Held,
            format!("the shop {shop} is no longer configured, so nobody knows its rules"),
        ),
    }
}

/// The first instant after a calendar day.
fn end_of(day: jiff::civil::Date, zone: &Zone) -> Option<Timestamp> {
    day.tomorrow().ok()?.to_zoned(zone.to_jiff()).ok().map(|midnight| midnight.timestamp().into())
}

/// Reads one mail that is not in the store, for `invited template explain`.
pub fn explain_mail(reader: &crate::read::Reader, mail: &[u8], shop_domains: &[String]) -> Reading {
    reader.read(mail, &Context { shop_domains, ..Context::default() })
}

/// The rule that gave a field its value, for tables.
pub fn rule_of(reading: &Reading, field: Field) -> Option<String> {
    let finding = reading.findings.iter().find(|finding| finding.field == field)?;
    Some(format!("{} {}", finding.layer.as_str(), finding.rule))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::parse;
    use crate::document::Document;
    use crate::read::Templates;

    #[test]
    fn a_shops_own_words_for_consent_reach_the_reader() {
        let mail = b"From: Nordljus <order@nordljus.example>\r\nTo: Anna Berg <anna@example.org>\r\n\
                     Subject: Thank you for your order 10001\r\n\r\nYou may hear from us. Order number: 10001\r\n";
        let read = |policy: &str| {
            let text = format!("{}{policy}", include_str!("../../config/minimal.toml"));
            let config = parse(&Document::new("x.toml", text), Path::new("")).unwrap();
            let reader = Reader::new(Templates::embedded());
            read_for(&config, &reader, &config.shops[0].id, mail).order_event().and_then(|event| event.consent)
        };
        assert_eq!(read("[shop.policy]\nconsent_words = \"You may hear from us\"\n"), Some(true));
        assert_eq!(read(""), None);
    }
}
