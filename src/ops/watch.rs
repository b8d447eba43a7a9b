//! Watching over the shops: is a shop's share of held copies as usual, do copies still come, and do customers call its letters junk? What is not as usual is said once,
//! by the daemon that saw it first, and once more when it is over.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::house::House;
use super::stats::day_of;
use super::status::where_to_look;
use crate::domain::{
    AlarmKind, Complaints, DAY, Doubt, Facts, HOUR, Hour, ShopId, Timestamp, Verdict, held_alarm, silent_alarm,
};
use crate::store::{Alarm, ShopSum, StoreError, WatchFigures};

/// How long the counts of an hour are kept: a month to compare with, and what may lie between that and now.
pub const HOURS_KEPT: Duration = DAY.saturating_mul(90);

/// How far before the last copy, or before an alarm, counts are of use.
const PAST: Duration = DAY.saturating_mul(38);

/// How long after the start silence means nothing: what could not be handed in while the service was off comes when the senders try
/// again, which takes Postfix up to 4,000 seconds.
const SENDERS_COME_BACK: Duration = Duration::from_secs(2 * 3_600);

/// What the watch remembers between two looks, so that a shop of which nothing came is not judged anew every minute.
#[derive(Debug, Default)]
pub struct Watch {
    began: Option<Timestamp>,
    judged: HashMap<ShopId, (ShopSum, Timestamp)>,
    /// The shops of which this daemon saw that a relay of theirs needs a person.
    relays: HashSet<ShopId>,
    looked: bool,
}

/// Looks at all shops, raises and ends alarms, and gives the figures as they are then.
///
/// # Errors
/// When the store cannot be read or written; what was not said is said at the next look.
pub async fn look(house: &House, watch: &mut Watch) -> Result<WatchFigures, StoreError> {
    let (setup, now) = (house.setup(), house.clock.now());
    let began = *watch.began.get_or_insert(now);
    let mut figures = house.store.watch_figures().await?;
    // A shop that was taken out of the configuration is nobody's worry any more.
    let gone = figures.alarms.iter().filter(|alarm| setup.config.shop(&alarm.shop).is_none()).cloned();
    for alarm in gone.collect::<Vec<_>>() {
        end(house, &alarm).await?;
        figures.alarms.retain(|one| *one != alarm);
    }
    let sums = figures.sums.iter().filter(|sum| setup.config.shop(&sum.shop).is_some() && watch.is_due(sum, now));
    for sum in sums.cloned().collect::<Vec<_>>() {
        let is_silence_heard = now.since(began) >= SENDERS_COME_BACK;
        judge(house, &mut figures, &sum, is_silence_heard, now).await?;
        watch.judged.insert(sum.shop.clone(), (sum, now));
    }
    judge_doubts(house, &mut figures, now).await?;
    relays(house, watch, &mut figures).await?;
    complaints(house, &mut figures, now).await?;
    Ok(figures)
}

/// How long copies that are held for their sender's sake, or since too many came, keep an alarm up. Who left them lying for a week has decided so.
const DOUBT_ALARMS: Duration = DAY.saturating_mul(7);

/// Raises the alarms of copies that are held for their sender's sake, and ends those of which none is held any more.
async fn judge_doubts(house: &House, figures: &mut WatchFigures, now: Timestamp) -> Result<(), StoreError> {
    let setup = house.setup();
    let shops = setup.config.shops.iter().map(|shop| &shop.id);
    let asked = shops.flat_map(|shop| Doubt::ALL.map(|doubt| (shop.clone(), doubt))).collect::<Vec<_>>();
    let since = Timestamp(now.0.saturating_sub(i64::try_from(DOUBT_ALARMS.as_millis()).unwrap_or(i64::MAX)));
    let found = house.store.in_doubt(&asked, since).await?;
    let mut wanted = found.iter().filter_map(|(shop, doubt)| Some((shop, AlarmKind::of_doubt(*doubt)?)));
    let mut standing = Vec::new();
    for (shop, (kind, note)) in wanted.by_ref() {
        standing.push((shop.clone(), kind));
        if !figures.alarms.iter().any(|alarm| alarm.shop == *shop && alarm.kind == kind) {
            figures.alarms.push(raise(house, shop, kind, note, now).await?);
        }
    }
    let is_over = |alarm: &&Alarm| {
        AlarmKind::OF_SENDERS.contains(&alarm.kind) && !standing.contains(&(alarm.shop.clone(), alarm.kind))
    };
    for alarm in figures.alarms.iter().filter(is_over).cloned().collect::<Vec<_>>() {
        end(house, &alarm).await?;
        figures.alarms.retain(|one| *one != alarm);
    }
    Ok(())
}

/// Raises the alarm of a copy that was just held, once a minute at most: whether it stands is looked at every minute anyway.
pub(super) async fn doubted(house: &House, shop: &ShopId, doubt: Doubt) {
    let Some((kind, note)) = AlarmKind::of_doubt(doubt) else { return };
    let now = house.clock.now();
    if !house.may_raise(shop, kind, now) {
        return;
    }
    if let Err(error) = raise(house, shop, kind, note, now).await {
        tracing::debug!(%error, "an alarm waits for the next look at the shops");
    }
}

async fn raise(house: &House, shop: &ShopId, kind: AlarmKind, note: &str, now: Timestamp) -> Result<Alarm, StoreError> {
    let alarm = Alarm { shop: shop.clone(), kind, since: now, note: note.to_owned() };
    if house.store.raise_alarm(&alarm).await? {
        let (shop, alarm, see) = (shop.as_str(), kind.as_str(), where_to_look(kind));
        tracing::warn!(shop, alarm, "{note}; see: {see}");
    }
    Ok(alarm)
}

/// Raises an alarm for each shop one of whose relays needs a person, and ends it when none does any more. What a daemon before this
/// one raised ends with the first look; another daemon that sees the same raises it again.
async fn relays(house: &House, watch: &mut Watch, figures: &mut WatchFigures) -> Result<(), StoreError> {
    let setup = house.setup();
    for shop in &setup.config.shops {
        let lines = shop.relays.iter().filter_map(|name| Some((name, setup.relays.get(name)?.alarm()?)));
        let refuses = lines.min_by_key(|(_, (since, _))| *since);
        let known = figures.alarms.iter().find(|one| one.shop == shop.id && one.kind == AlarmKind::Relay).cloned();
        match (refuses, known) {
            (Some((relay, (since, trouble))), known) => {
                watch.relays.insert(shop.id.clone());
                if known.is_none() {
                    let note = format!("the relay {relay} needs a person: {trouble}");
                    let alarm = Alarm { shop: shop.id.clone(), kind: AlarmKind::Relay, since, note };
                    house.store.raise_alarm(&alarm).await?;
                    figures.alarms.push(alarm);
                }
            }
            (None, Some(alarm)) if watch.relays.contains(&shop.id) || !watch.looked => {
                end(house, &alarm).await?;
                figures.alarms.retain(|one| *one != alarm);
                watch.relays.remove(&shop.id);
            }
            _ => {}
        }
    }
    watch.looked = true;
    Ok(())
}

/// Raises an alarm for each shop of which so many letters are called junk that receivers turn mail away, and ends it when nobody has
/// done so for a week, or for few of many letters.
async fn complaints(house: &House, figures: &mut WatchFigures, now: Timestamp) -> Result<(), StoreError> {
    let found = house.store.complaints(day_of(now)).await?;
    let setup = house.setup();
    for shop in setup.config.shops.iter().map(|shop| &shop.id) {
        let seen = found.iter().find(|one| one.shop == *shop).map_or(Complaints::default(), |one| one.seen);
        let known = figures.alarms.iter().position(|one| one.shop == *shop && one.kind == AlarmKind::Complaint);
        let note = seen.concern(known.is_some()).map(|concern| seen.note(concern));
        match (note, known) {
            (Some(note), None) => {
                figures.alarms.push(raise(house, shop, AlarmKind::Complaint, &note, now).await?);
            }
            (note, Some(place)) if note.as_ref() != figures.alarms.get(place).map(|alarm| &alarm.note) => {
                let old = figures.alarms.remove(place);
                match note {
                    None => end(house, &old).await?,
                    Some(note) => {
                        let new = Alarm { note, ..old.clone() };
                        // It is the same alarm with other numbers: each complaint has its own line in the log.
                        house.store.clear_alarm(&old).await?;
                        house.store.raise_alarm(&new).await?;
                        figures.alarms.push(new);
                    }
                }
            }
            _ => {}
        }
    }
    Ok(())
}

impl Watch {
    /// Whether something came since a shop was last judged, or an hour went by, in which silence grows.
    fn is_due(&self, sum: &ShopSum, now: Timestamp) -> bool {
        self.judged.get(&sum.shop).is_none_or(|(seen, at)| seen != sum || now.since(*at) >= HOUR || now < *at)
    }
}

async fn judge(
    house: &House,
    figures: &mut WatchFigures,
    sum: &ShopSum,
    is_silence_heard: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    let raised = |kind| figures.alarms.iter().find(|alarm| alarm.shop == sum.shop && alarm.kind == kind).cloned();
    let alarms = AlarmKind::COUNTED.map(|kind| (kind, raised(kind)));
    let since = alarms.iter().filter_map(|(_, alarm)| alarm.as_ref().map(|alarm| alarm.since));
    let earliest = since.chain([now, sum.last_copy_at]).min().unwrap_or(now);
    let from = Timestamp(earliest.0.saturating_sub(i64::try_from(PAST.as_millis()).unwrap_or(i64::MAX)));
    let hours = house.store.watch_hours(std::slice::from_ref(&sum.shop), from).await?;
    let hours = hours.into_iter().map(|(_, hour)| hour).collect::<Vec<Hour>>();
    let is_waiting = figures.unread.iter().any(|(shop, _)| *shop == sum.shop);
    for (kind, alarm) in alarms {
        let since = alarm.as_ref().map(|alarm| alarm.since);
        let verdict = match kind {
            AlarmKind::Held => held_alarm(&hours, since, now),
            // What came and is not read yet is no silence.
            AlarmKind::Silent if is_waiting || !is_silence_heard && alarm.is_none() => Verdict::Unclear,
            AlarmKind::Silent => silent_alarm(&hours, sum.last_copy_at, since, now),
            AlarmKind::Sender | AlarmKind::Volume | AlarmKind::Relay | AlarmKind::Complaint => Verdict::Unclear,
        };
        match (verdict, alarm) {
            (Verdict::Unusual(facts), None) => {
                let alarm = Alarm { shop: sum.shop.clone(), kind, since: now, note: facts.to_string() };
                if house.store.raise_alarm(&alarm).await? {
                    say(&alarm, facts);
                }
                figures.alarms.push(alarm);
            }
            (Verdict::Usual, Some(alarm)) => {
                end(house, &alarm).await?;
                figures.alarms.retain(|one| *one != alarm);
            }
            _ => {}
        }
    }
    Ok(())
}

fn say(alarm: &Alarm, facts: Facts) {
    let shop = alarm.shop.as_str();
    match facts {
        Facts::Held { held, orders, past_held, past_orders } => tracing::warn!(
            shop,
            alarm = alarm.kind.as_str(),
            held,
            orders,
            past_held,
            past_orders,
            "far more copies of a shop are held than usual; has its mail layout changed? See: invited held list --count"
        ),
        Facts::Silent { hours, usual_hours } => tracing::warn!(
            shop,
            alarm = alarm.kind.as_str(),
            hours,
            usual_hours,
            "no copies of a shop come any more; does it still send them to its BCC address?"
        ),
    }
}

async fn end(house: &House, alarm: &Alarm) -> Result<(), StoreError> {
    if house.store.clear_alarm(alarm).await? {
        let (shop, kind) = (alarm.shop.as_str(), alarm.kind.as_str());
        match alarm.kind {
            AlarmKind::Relay => {
                tracing::info!(shop, alarm = kind, since = %alarm.since, "over: a shop's relays need nobody")
            }
            AlarmKind::Complaint => {
                tracing::info!(shop, alarm = kind, since = %alarm.since, "over: few or none of a shop's letters are called junk")
            }
            _ => {
                tracing::info!(shop, alarm = kind, since = %alarm.since, "over: the copies of a shop are as usual again")
            }
        }
    }
    Ok(())
}
