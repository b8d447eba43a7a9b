//! What must hold between the keys of a table of rules: no rule may make another one void without a word.

use std::time::Duration;

use crate::config::units::written;
use crate::domain::{DAY, Place, SendWindow, Trigger, Zone};

use super::layer::Layer;
use super::window::SOME_DAY;

/// A fallback counts from something that comes before the trigger.
pub(super) fn otherwise(layer: &Layer<'_>) {
    let policy = layer.policy();
    if layer.blamed(&["trigger", "otherwise"]).is_none() {
        return;
    }
    // A fallback from the table above goes with its trigger and is no mistake.
    let (Some(place), Some(fallback)) = (layer.blamed(&["otherwise"]), policy.otherwise) else { return };
    if policy.trigger == Trigger::Order {
        place.problem(
            "has no effect with trigger = \"order\", before which no mail comes",
            "leave it out, or write trigger = \"shipment\" or \"delivery\"",
        );
    } else if fallback.trigger >= policy.trigger {
        let (trigger, from) = (policy.trigger.as_str(), fallback.trigger.as_str());
        place.problem(
            format!("counts from the {from}, which comes no earlier than the trigger, the {trigger}"),
            match policy.trigger {
                Trigger::Delivery => "count from the \"order\" or the \"shipment\"",
                Trigger::Shipment | Trigger::Order => "count from the \"order\"",
            },
        );
    }
}

/// The rest.
pub(super) fn check(layer: &Layer<'_>) {
    reminders(layer);
    age(layer);
    life(layer);
}

fn reminders(layer: &Layer<'_>) {
    let policy = layer.policy();
    if policy.reminder.is_none() {
        if layer.blamed(&["reminder", "reminders"]).is_some()
            && let Some(place) = layer.blamed(&["reminders"]).filter(|_| layer.rules.wrote("reminders"))
        {
            place.problem(
                "has no effect with reminder = false",
                "leave it out, or write when they go: reminder = \"7 days\"",
            );
        }
        return;
    }
    let letters = policy.letters_per_order;
    if policy.reminders < letters {
        return;
    }
    if let Some(place) = layer.blamed(&["letters_per_order", "reminders", "reminder"]) {
        let reminders = policy.reminders;
        place.problem(
            format!(
                "letters_per_order = {letters} has no room for the invitation and {reminders} reminder{}",
                if reminders == 1 { "" } else { "s" }
            ),
            match letters {
                0 | 1 => format!("write letters_per_order = {}, or reminder = false", reminders + 1),
                _ => format!("write letters_per_order = {}, or reminders = {}", reminders + 1, letters - 1),
            },
        );
    }
}

fn age(layer: &Layer<'_>) {
    let policy = layer.policy();
    let Some(age) = policy.max_age else { return };
    let too_old = "so that every order would be too old by then";
    if age <= policy.delay
        && let Some(place) = layer.blamed(&["max_age", "delay"])
    {
        place.problem(
            format!("max_age = {} is not longer than the delay of {}, {too_old}", written(age), written(policy.delay)),
            "make max_age longer, or the delay shorter",
        );
    }
    if let Some(fallback) = policy.otherwise.filter(|fallback| age <= fallback.delay)
        && let Some(place) = layer.blamed(&["max_age", "otherwise"])
    {
        place.problem(
            format!(
                "max_age = {} is not longer than the {} after {} of otherwise, {too_old}",
                written(age),
                written(fallback.delay),
                fallback.trigger.as_str()
            ),
            "make max_age longer, or the span of otherwise shorter",
        );
    }
}

fn life(layer: &Layer<'_>) {
    let policy = layer.policy();
    // Where nobody wrote how far apart letters are, a short life shortens that, too.
    if let Some(apart) = policy.person_apart.filter(|apart| *apart > policy.end_of_life && layer.rules.wrote("apart"))
        && let Some(place) = layer.blamed(&["end_of_life", "apart"])
    {
        place.problem(
            format!(
                "end_of_life = {} is shorter than apart = {}, so that letters would be put off only to be dropped",
                written(policy.end_of_life),
                written(apart)
            ),
            "make end_of_life longer, or apart shorter",
        );
    }
    if let Some(place) = layer.blamed(&["window", "end_of_life"]) {
        let closed = longest_closed(&policy.window);
        if closed > policy.end_of_life {
            place.problem(
                format!(
                    "the window is closed for up to {}, longer than end_of_life = {}, so that letters would be put off only to \
                     be dropped",
                    written(closed),
                    written(policy.end_of_life)
                ),
                "make end_of_life longer, or let the window open more often",
            );
        }
    }
}

/// How long the window is closed at the longest, within a year and a month; nothing when it never opens, which is a mistake of its
/// own. The holidays of the customer's country come on top: they are days, and no rule of the shop's.
fn longest_closed(window: &SendWindow) -> Duration {
    let utc = Place::in_zone(&Zone::UTC);
    let (mut longest, mut at) = (Duration::ZERO, SOME_DAY);
    while let Some(open) = window.next_open(at, &utc) {
        longest = longest.max(open.since(at));
        at = window.closes_after(open, &utc);
        if at >= SOME_DAY.plus(DAY * 395) || at <= open {
            break;
        }
    }
    longest
}
