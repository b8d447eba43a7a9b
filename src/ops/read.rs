//! Reading what was taken in: copies out of the spool, through the reader, into decisions on invitations. A template that was
//! fixed takes the same way again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::house::{House, Setup};
use crate::config::Config;
use crate::domain::{CopyId, Field, OrderNews, Outcome, Reading, ShopId, Timestamp, Zone};
use crate::read::{Context, Reader};
use crate::store::{Credence, FiledReading, StoreError, UnreadCopy};

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
    Ok(Batch { copies: copies.len(), waited, readings: read_all(&house.setup(), copies).await.into() })
}

/// Files what was read. May be called again with the same batch: what is filed already stays as it is.
///
/// # Errors
/// When the store cannot be written; the copies stay unread.
pub async fn file(house: &House, batch: &Batch) -> Result<(), StoreError> {
    let policies = Arc::clone(&house.setup().policies);
    let filed = house.store.file_readings(Arc::clone(&batch.readings), policies, house.clock.now()).await?;
    for filed in &filed {
        for (invitation, decision) in &filed.moved {
            tracing::info!(copy = %filed.copy, %invitation, rule = %decision.rule, state = %decision.progress.state, "an order event was filed");
        }
    }
    house.queue_moved.notify_one();
    Ok(())
}

/// Reading is work for the processor, so it leaves the threads that serve connections alone; two at a time, as there may be no
/// more cores than that.
async fn read_all(setup: &Arc<Setup>, copies: Vec<UnreadCopy>) -> Vec<FiledReading> {
    let half = copies.len().div_ceil(2);
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
fn begin_share(setup: Arc<Setup>, share: Vec<UnreadCopy>) -> oneshot::Receiver<Vec<FiledReading>> {
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

fn read_one(setup: &Setup, copy: UnreadCopy) -> FiledReading {
    let reading = read_for(&setup.config, &setup.reader, &copy.shop, &copy.message);
    tracing::info!(
        copy = %copy.id,
        shop = %copy.shop,
        outcome = reading.outcome.as_str(),
        event = reading.event.map(|event| event.as_str()),
        template = reading.template.as_deref(),
        "a copy was read"
    );
    filing(&setup.config, copy.id, copy.shop, reading, copy.received_at)
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
) -> FiledReading {
    let zone = config.shop(&shop).map_or(Zone::UTC, |shop| shop.zone.clone());
    let news = reading.order_event().map(|event| OrderNews {
        kind: event.kind,
        told_at: written_at(&reading, received_at),
        preferred: reading.preferred_send_time.map(Timestamp::from),
        expected_by: event.expected_delivery.and_then(|day| end_of(day, &zone)),
    });
    FiledReading { copy, shop, reading, news, credence: Credence::default() }
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
