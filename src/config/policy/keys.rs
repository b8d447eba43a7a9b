//! The single keys of a table of rules.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::units::{duration, long_duration};
use crate::config::values::{has, hourly, number, span, span_as, word};
use crate::document::{Entry, Table};
use crate::domain::{Cap, CapScope, Consent, DAY, Fallback, InDoubt, Policy, Trigger, clean};

use super::layer::{LONGEST, Layer};
use super::window;

/// The keys that may stand in `[[shop]]` itself.
const DIRECT: &[&str] = &["trigger", "delay", "reminder", "wait_for_trigger", "end_of_life", "in_doubt"];

/// Those that may not, though somebody might think so.
const INDIRECT: &[&str] = &[
    "preset",
    "otherwise",
    "reminders",
    "letters_per_order",
    "letters_per_person",
    "apart",
    "count",
    "same_product",
    "same_person",
    "max_age",
    "sample",
    "consent",
    "consent_words",
    "refuse",
    "window",
    "rate",
    "not_arrived",
    "ask_later",
];

const TRIGGERS: [(&str, Trigger); 3] =
    [("order", Trigger::Order), ("shipment", Trigger::Shipment), ("delivery", Trigger::Delivery)];

/// The last words of a remedy for what can be switched off.
const OR_NONE: &str = ", or false for none";

/// Every key of `[policy]`.
pub(super) fn read<'d>(layer: &mut Layer<'d>, table: &Table<'d>) {
    read_preset(layer, table);
    read_shared(layer, table);
    read_others(layer, table);
}

/// The preset, before which nothing else may be read: the other keys change it.
pub(super) fn read_preset<'d>(layer: &mut Layer<'d>, table: &Table<'d>) {
    let presets = [("afs", &Policy::AFS), ("yotpo", &Policy::YOTPO)];
    if let Some(preset) = layer.value(table, "preset", |table, key| word(table, key, &presets)) {
        layer.begin_with(preset.clone());
    }
}

/// The keys that may stand in `[[shop]]` or in `[shop.policy]`, but not in both.
pub(super) fn read_direct<'d>(layer: &mut Layer<'d>, shop: &Table<'d>, table: Option<&Table<'d>>) {
    for key in DIRECT {
        if has(shop, key)
            && let Some(again) = table.filter(|table| has(table, key)).and_then(|table| table.any(key))
        {
            again.problem("stands in [[shop]] itself, too", "keep one of them");
        }
    }
    for key in INDIRECT {
        if has(shop, key)
            && let Some(entry) = shop.any(key)
        {
            entry.problem("is no key of [[shop]] itself", "write it under [shop.policy]");
        }
    }
    read_shared(layer, shop);
    if let Some(table) = table {
        read_shared(layer, table);
    }
}

fn read_shared<'d>(layer: &mut Layer<'d>, table: &Table<'d>) {
    layer.take(table, "trigger", |table, key| word(table, key, &TRIGGERS), |policy, trigger| policy.trigger = trigger);
    layer.take(table, "delay", delay, |policy, delay| policy.delay = delay);
    layer.take(table, "reminder", reminder, |policy, reminder| policy.reminder = reminder);
    layer.take(table, "wait_for_trigger", up_to_a_year, |policy, wait| policy.wait_for_trigger = wait);
    layer.take(table, "end_of_life", up_to_a_year, |policy, end| policy.end_of_life = end);
    layer.take(table, "in_doubt", in_doubt, |policy, in_doubt| policy.in_doubt = in_doubt);
}

/// The keys that stand in a table of rules only.
pub(super) fn read_others<'d>(layer: &mut Layer<'d>, table: &Table<'d>) {
    read_orders_own(layer, table);
    layer.take(table, "rate", rate, |policy, rate| policy.rate = rate);
    if let Some(words) = layer.value(table, "consent_words", consent_words) {
        layer.rules.consent_words = words;
    }
}

/// The keys that may differ between the orders of a shop: all but those that are read before it is known which order it is.
pub(super) fn read_for_orders<'d>(layer: &mut Layer<'d>, table: &Table<'d>) {
    read_preset(layer, table);
    read_shared(layer, table);
    read_orders_own(layer, table);
    for key in ["rate", "consent_words"] {
        if has(table, key)
            && let Some(entry) = table.any(key)
        {
            entry.problem("is the shop's, whatever the order", "write it under [shop.policy]");
        }
    }
}

fn read_orders_own<'d>(layer: &mut Layer<'d>, table: &Table<'d>) {
    layer.take(table, "otherwise", otherwise, |policy, fallback| policy.otherwise = fallback);
    layer.take(table, "reminders", |t, key| number(t, key, 1..=3), |policy, number| policy.reminders = number);
    layer.take(table, "letters_per_order", |t, key| number(t, key, 1..=4), |policy, n| policy.letters_per_order = n);
    layer.take(table, "letters_per_person", cap, |policy, cap| policy.person_cap = cap);
    layer.take(table, "apart", apart, |policy, apart| policy.person_apart = apart);
    layer.take(table, "count", count, |policy, scope| policy.cap_scope = scope);
    layer.take(table, "same_product", long_span, |policy, span| policy.same_product = span);
    layer.take(table, "same_person", same_person, |policy, span| policy.same_person = span);
    layer.take(table, "max_age", long_span, |policy, age| policy.max_age = age);
    layer.take(table, "consent", consent, |policy, consent| policy.consent = consent);
    layer.take(table, "not_arrived", put_off, |policy, wait| policy.not_arrived = wait);
    layer.take(table, "ask_later", put_off, |policy, wait| policy.ask_later = wait);
    window::read(layer, table);
}

fn delay(table: &Table<'_>, key: &'static str) -> Option<Duration> {
    span(table, key, Duration::ZERO..=DAY * 90)
}

fn up_to_a_year(table: &Table<'_>, key: &'static str) -> Option<Duration> {
    span(table, key, DAY..=DAY * 365)
}

fn put_off(table: &Table<'_>, key: &'static str) -> Option<Duration> {
    span(table, key, DAY..=DAY * 90)
}

fn in_doubt(table: &Table<'_>, key: &'static str) -> Option<InDoubt> {
    word(table, key, &[("hold", InDoubt::Hold), ("resend", InDoubt::Resend)])
}

fn reminder(table: &Table<'_>, key: &'static str) -> Option<Option<Duration>> {
    span_or_none(table, key, DAY * 5..=DAY * 90)
}

fn apart(table: &Table<'_>, key: &'static str) -> Option<Option<Duration>> {
    span_or_none(table, key, DAY..=DAY * 90)
}

fn count(table: &Table<'_>, key: &'static str) -> Option<CapScope> {
    word(table, key, &[("all shops", CapScope::AllShops), ("shop", CapScope::Shop)])
}

fn span_or_none(table: &Table<'_>, key: &'static str, bounds: RangeInclusive<Duration>) -> Option<Option<Duration>> {
    or_none(table, key, |table, key| span_as(table, key, bounds, duration, OR_NONE))
}

fn long_span(table: &Table<'_>, key: &'static str) -> Option<Option<Duration>> {
    or_none(table, key, |table, key| span_as(table, key, DAY..=LONGEST, long_duration, OR_NONE))
}

/// What `false` switches off.
pub(super) fn or_none<'d, T>(
    table: &Table<'d>,
    key: &'static str,
    read: impl FnOnce(&Table<'d>, &'static str) -> Option<T>,
) -> Option<Option<T>> {
    match table.any(key)?.value.as_bool() {
        Some(false) => Some(None),
        _ => read(table, key).map(Some),
    }
}

/// `14 days after shipment`.
fn otherwise(table: &Table<'_>, key: &'static str) -> Option<Option<Fallback>> {
    const REMEDY: &str =
        "write a span of up to 90 days and an earlier mail, such as \"14 days after shipment\", or false for none";
    or_none(table, key, |table, key| {
        table.any(key)?.text(REMEDY)?.check(REMEDY, |text| {
            let (span, event) = text.split_once(" after ").ok_or_else(|| format!("{text:?} says not after what"))?;
            let delay = duration(span)?;
            let trigger = TRIGGERS.iter().find(|(word, _)| *word == event.trim());
            match trigger {
                Some((_, trigger)) if delay <= DAY * 90 => Ok(Fallback { trigger: *trigger, delay }),
                Some(_) => Err(format!("{:?} is out of range", span.trim())),
                None => Err(format!("{:?} is no mail that starts a delay", event.trim())),
            }
        })
    })
}

/// `{ at_most = 5, within = "30 days" }`.
fn cap(table: &Table<'_>, key: &'static str) -> Option<Option<Cap>> {
    const REMEDY: &str = "write { at_most = 5, within = \"30 days\" }, or false for no limit";
    or_none(table, key, |table, key| {
        if !table.any(key)?.is_table(REMEDY) {
            return None;
        }
        table.table(key, |inner| {
            inner.required("at_most", REMEDY);
            inner.required("within", REMEDY);
            let letters = number(inner, "at_most", 1..=100);
            let within = up_to_a_year(inner, "within");
            Some(Cap { letters: letters?, within: within? })
        })
    })
}

/// `every purchase`, or how long not again.
fn same_person(table: &Table<'_>, key: &'static str) -> Option<Option<Duration>> {
    const REMEDY: &str = "write \"every purchase\", \"once a year\", or how long nobody is invited again, from \"1 day\" to \"3650 days\"";
    table.any(key)?.text(REMEDY)?.check(REMEDY, |text| match *text {
        "every purchase" => Ok(None),
        "once a year" => Ok(Some(DAY * 365)),
        span => match long_duration(span)? {
            span if (DAY..=LONGEST).contains(&span) => Ok(Some(span)),
            _ => Err(format!("{span:?} is out of range")),
        },
    })
}

fn consent(table: &Table<'_>, key: &'static str) -> Option<Consent> {
    const REMEDY: &str = "write \"required\", or false where nobody has to agree";
    let required = or_none(table, key, |table, key| {
        table.any(key)?.text(REMEDY)?.check(REMEDY, |text| match *text {
            "required" => Ok(()),
            other => Err(format!("{other:?} is not known")),
        })
    })?;
    Some(required.map_or(Consent::NotNeeded, |()| Consent::Required))
}

/// What a shop's mails say when the customer agreed, in their own words.
fn consent_words(table: &Table<'_>, key: &'static str) -> Option<Vec<String>> {
    let phrase = |entry: Entry<'_, &str>| {
        entry.check("write the words as they stand in the mail, in one line", |text| match clean(text, 1_000) {
            words if words.is_empty() => Err("is empty"),
            words if words.chars().count() > 200 => Err("is longer than 200 characters"),
            words => Ok(words),
        })
    };
    table.strings(key)?.into_iter().map(phrase).collect::<Vec<_>>().into_iter().collect()
}

/// `300 per hour`.
fn rate(table: &Table<'_>, key: &'static str) -> Option<Option<u32>> {
    or_none(table, key, |table, key| hourly(table, key, ", or false for as many as there are"))
}
