//! Schedules that a person can check with a calendar: what comes in, and what is decided and sent, line by line.

use std::collections::BTreeMap;

use invited::domain::{AddressClassSet, Cap, CapScope, DAY, Fallback, Policy, SendWindow, Trigger};

use super::script::Script;

/// Seven days after the order, a reminder seven days later, at any hour, and no rule about how often.
fn plain() -> Policy {
    Policy {
        person_cap: None,
        person_apart: None,
        same_product: None,
        refused: AddressClassSet::NONE,
        window: SendWindow::default(),
        ..Policy::AFS
    }
}

pub(crate) fn once() -> Policy {
    Policy { reminder: None, ..plain() }
}

/// Fourteen days after the shipment, one letter.
fn shipment() -> Policy {
    Policy { trigger: Trigger::Shipment, delay: DAY * 14, ..once() }
}

/// Seven days after the delivery, or fourteen after the shipment when no delivery is told of.
fn delivery() -> Policy {
    let otherwise = Some(Fallback { trigger: Trigger::Shipment, delay: DAY * 14 });
    Policy { trigger: Trigger::Delivery, otherwise, delay: DAY * 7, ..once() }
}

#[test]
fn the_order_starts_the_delay_and_reminders_follow() {
    Script::of(plain()).check(
        "
        0 09:00 A placed -> queued, next 7 09:00 (trigger-starts-delay)
        1 15:00 A shipped -> queued, next 7 09:00 (repeat-changes-nothing)
        3 11:00 A delivered -> queued, next 7 09:00 (repeat-changes-nothing)
        7 09:00 A letter 1 -> sent, next 14 09:00 (letter-accepted)
        14 09:00 A letter 2 -> done (last-letter-accepted)
        ",
    );
    Script::of(once()).check(
        "
        0 09:00 A placed -> queued, next 7 09:00 (trigger-starts-delay)
        7 09:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
    Script::of(Policy { reminders: 3, letters_per_order: 4, ..plain() }).check(
        "
        0 09:00 A placed -> queued, next 7 09:00 (trigger-starts-delay)
        7 09:00 A letter 1 -> sent, next 14 09:00 (letter-accepted)
        14 09:00 A letter 2 -> sent, next 21 09:00 (letter-accepted)
        21 09:00 A letter 3 -> sent, next 28 09:00 (letter-accepted)
        28 09:00 A letter 4 -> done (last-letter-accepted)
        ",
    );
    Script::of(Policy { reminders: 3, letters_per_order: 3, ..plain() }).check(
        "
        0 09:00 A placed -> queued, next 7 09:00 (trigger-starts-delay)
        7 09:00 A letter 1 -> sent, next 14 09:00 (letter-accepted)
        14 09:00 A letter 2 -> sent, next 21 09:00 (letter-accepted)
        21 09:00 A letter 3 -> done (last-letter-accepted)
        ",
    );
}

#[test]
fn the_shipment_starts_the_delay_and_its_last_parcel_counts() {
    Script::of(shipment()).check(
        "
        0 09:00 A placed -> waiting, next 60 09:00 (order-opens)
        2 10:00 A shipped_in_part -> queued, next 16 10:00 (trigger-starts-delay)
        4 10:00 A shipped -> queued, next 18 10:00 (shipment-restarts-delay)
        4 12:00 A shipped_in_part told=2,10:00 -> queued, next 18 10:00 (repeat-changes-nothing)
        6 12:00 A delivered -> queued, next 18 10:00 (repeat-changes-nothing)
        18 10:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
}

#[test]
fn a_trigger_that_never_comes_is_given_up_and_a_fallback_stands_in_for_it() {
    Script::of(shipment()).check(
        "
        0 09:00 A placed -> waiting, next 60 09:00 (order-opens)
        60 09:00 A due -> dropped (trigger-never-came)
        61 10:00 A shipped -> dropped (final-stays-final)
        ",
    );
    Script::of(delivery()).check(
        "
        0 09:00 A placed -> waiting, next 60 09:00 (order-opens)
        2 10:00 A shipped -> queued, next 16 10:00 (fallback-starts-delay)
        16 10:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
    // The delivery comes after all: seven days after it are earlier than fourteen after the shipment.
    Script::of(delivery()).check(
        "
        0 09:00 A placed -> waiting, next 60 09:00 (order-opens)
        2 10:00 A shipped -> queued, next 16 10:00 (fallback-starts-delay)
        4 16:00 A delivered -> queued, next 11 16:00 (trigger-starts-delay)
        11 16:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
    // A notice of delay moves what the fallback has planned by the fallback's own days, and a further parcel begins them anew.
    Script::of(delivery()).check(
        "
        0 09:00 A shipped_in_part -> queued, next 14 09:00 (fallback-starts-delay)
        3 09:00 A shipped -> queued, next 17 09:00 (shipment-restarts-delay)
        5 09:00 A delayed expected=12,00:00 -> queued, next 26 00:00 (delay-postpones)
        26 00:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
}

#[test]
fn the_delay_counts_from_the_later_of_the_trigger_and_the_expected_delivery() {
    Script::of(once()).check(
        "
        0 09:00 A placed expected=5,00:00 -> queued, next 12 00:00 (trigger-starts-delay)
        12 00:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
    // The order mail names the day, the shipment mail is the trigger and names none.
    Script::of(shipment()).check(
        "
        0 09:00 A placed expected=9,00:00 -> waiting, next 69 00:00 (order-opens)
        2 10:00 A shipped -> queued, next 23 00:00 (trigger-starts-delay)
        23 00:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
    // Expected earlier than the parcel left: the shipment counts.
    Script::of(shipment()).check(
        "
        0 09:00 A placed expected=3,00:00 -> waiting, next 63 00:00 (order-opens)
        6 10:00 A shipped -> queued, next 20 10:00 (trigger-starts-delay)
        20 10:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
    // What has arrived is not expected any more.
    Script::of(delivery()).check(
        "
        0 09:00 A placed expected=20,00:00 -> waiting, next 80 00:00 (order-opens)
        4 10:00 A delivered -> queued, next 11 10:00 (trigger-starts-delay)
        11 10:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
}

#[test]
fn a_delay_moves_the_letter_later_and_a_correction_never_brings_it_forward() {
    Script::of(plain()).check(
        "
        0 09:00 A placed expected=3,00:00 -> queued, next 10 00:00 (trigger-starts-delay)
        2 09:00 A delayed expected=8,00:00 -> queued, next 15 00:00 (delay-postpones)
        2 10:00 A delayed expected=8,00:00 -> queued, next 15 00:00 (repeat-changes-nothing)
        4 09:00 A placed expected=5,00:00 -> queued, next 15 00:00 (repeat-changes-nothing)
        9 09:00 A delayed -> queued, next 16 09:00 (delay-postpones)
        16 09:00 A letter 1 -> sent, next 23 09:00 (letter-accepted)
        17 09:00 A delayed expected=20,00:00 -> sent, next 27 00:00 (delay-postpones)
        27 00:00 A letter 2 -> done (last-letter-accepted)
        ",
    );
}

#[test]
fn mails_count_from_when_they_were_written_and_come_in_any_order() {
    Script::of(once()).check(
        "
        2 09:00 A placed told=0,09:00 -> queued, next 7 09:00 (trigger-starts-delay)
        7 09:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
    // Nothing goes before its mail was read.
    Script::of(once()).check(
        "
        9 12:00 A placed told=0,09:00 -> queued, next 9 12:00 (trigger-starts-delay)
        9 12:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
    Script::of(delivery()).check(
        "
        4 09:00 A delivered -> queued, next 11 09:00 (trigger-starts-delay)
        4 10:00 A shipped told=2,09:00 -> queued, next 11 09:00 (repeat-changes-nothing)
        4 11:00 A placed told=0,09:00 expected=9,00:00 -> queued, next 16 00:00 (delay-postpones)
        16 00:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
}

#[test]
fn a_cancellation_ends_it_before_the_order_and_after_it() {
    Script::of(plain()).check(
        "
        0 09:00 A placed -> queued, next 7 09:00 (trigger-starts-delay)
        3 09:00 A cancelled -> cancelled (order-cancelled)
        3 09:00 A shipped told=2,09:00 -> cancelled (final-stays-final)
        ",
    );
    Script::of(plain()).check(
        "
        0 09:00 A cancelled -> cancelled (cancelled-before-order)
        0 09:10 A placed told=0,08:00 -> cancelled (final-stays-final)
        ",
    );
    Script::of(plain()).check(
        "
        0 09:00 A placed -> queued, next 7 09:00 (trigger-starts-delay)
        7 09:00 A letter 1 -> sent, next 14 09:00 (letter-accepted)
        9 09:00 A refunded -> cancelled (order-cancelled)
        ",
    );
    // A part of the money went back; the rest of the order stands.
    Script::of(once()).check(
        "
        0 09:00 A placed -> queued, next 7 09:00 (trigger-starts-delay)
        3 09:00 A refunded_in_part -> queued, next 7 09:00 (repeat-changes-nothing)
        7 09:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
}

#[test]
fn an_order_that_goes_on_after_its_cancellation_waits_for_a_person() {
    Script::of(once()).check(
        "
        0 09:00 A placed -> queued, next 7 09:00 (trigger-starts-delay)
        1 09:00 A cancelled -> cancelled (order-cancelled)
        1 09:30 A paid -> cancelled (final-stays-final)
        3 09:00 A shipped -> held (reopened-after-cancel)
        4 09:00 A delivered -> held (repeat-changes-nothing)
        5 09:00 A desk reschedule to=8,12:00 -> queued, next 8 12:00 (desk-reschedules)
        8 12:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
    // Cancelled by a person it stays so, whatever the shop's mails tell.
    Script::of(once()).check(
        "
        0 09:00 A placed -> queued, next 7 09:00 (trigger-starts-delay)
        1 09:00 A cancelled -> cancelled (order-cancelled)
        3 09:00 A shipped -> held (reopened-after-cancel)
        4 09:00 A desk cancel -> cancelled (desk-cancels)
        5 09:00 A delivered -> cancelled (final-stays-final)
        ",
    );
    // And so it does when the customer unsubscribed in between.
    Script::of(once()).check(
        "
        0 09:00 A placed -> queued, next 7 09:00 (trigger-starts-delay)
        1 09:00 A cancelled -> cancelled (order-cancelled)
        2 09:00 A customer unsubscribed -> cancelled (unsubscribed)
        3 09:00 A shipped -> cancelled (final-stays-final)
        ",
    );
}

#[test]
fn the_shops_own_time_is_the_time_and_a_persons_stays_what_mails_tell() {
    Script::of(once()).check(
        "
        0 09:00 A placed wish=3,18:00 -> queued, next 3 18:00 (shop-chose-the-time)
        1 09:00 A shipped expected=9,00:00 -> queued, next 3 18:00 (repeat-changes-nothing)
        3 18:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
    // A time of the year 1970 is an empty field.
    Script::of(once()).check(
        "
        0 09:00 A placed wish=-20760,00:00 -> queued, next 7 09:00 (trigger-starts-delay)
        7 09:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
    Script::of(once()).check(
        "
        0 09:00 A placed -> queued, next 7 09:00 (trigger-starts-delay)
        1 09:00 A desk reschedule to=5,12:00 -> queued, next 5 12:00 (desk-reschedules)
        2 09:00 A delayed expected=30,00:00 -> queued, next 5 12:00 (repeat-changes-nothing)
        3 09:00 A desk reschedule to=1,12:00 -> queued, next 5 12:00 (in-the-past)
        3 09:00 A desk reschedule to=94,12:00 -> queued, next 5 12:00 (too-far-ahead)
        5 12:00 A letter 1 -> done (last-letter-accepted)
        ",
    );
}

#[test]
fn a_review_ends_it_and_so_does_the_customers_will() {
    for (word, state) in [("reviewed", "done"), ("unsubscribed", "cancelled"), ("complained", "cancelled")] {
        Script::of(plain()).check(&format!(
            "
            0 09:00 A placed -> queued, next 7 09:00 (trigger-starts-delay)
            7 09:00 A letter 1 -> sent, next 14 09:00 (letter-accepted)
            8 09:00 A customer {word} -> {state} ({word})
            "
        ));
    }
    Script { suppressed: Some(("anna", "5 00:00")), ..Script::of(plain()) }.check(
        "
        0 09:00 A placed -> queued, next 7 09:00 (trigger-starts-delay)
        2 09:00 A desk send-now -> queued, next 2 09:00 (desk-sends-now)
        2 09:00 A letter 1 -> sent, next 9 09:00 (letter-accepted)
        9 09:00 A due -> cancelled (suppressed)
        ",
    );
}

#[test]
fn two_orders_of_one_person_are_five_days_apart() {
    let policy = Policy { person_apart: Some(DAY * 5), ..once() };
    let orders: &[&str] = &["A anna nord lamp", "B anna nord rug", "C bo nord rug"];
    Script { orders, ..Script::of(policy.clone()) }.check(
        "
        0 09:00 A placed -> queued, next 7 09:00 (trigger-starts-delay)
        1 09:00 B placed -> queued, next 8 09:00 (trigger-starts-delay)
        1 09:00 C placed -> queued, next 8 09:00 (trigger-starts-delay)
        7 09:00 A letter 1 -> done (last-letter-accepted)
        8 09:00 B due -> queued, next 12 09:00 (person-apart)
        8 09:00 C letter 1 -> done (last-letter-accepted)
        12 09:00 B letter 1 -> done (last-letter-accepted)
        ",
    );
    // A person may say that it goes at once.
    Script { orders, ..Script::of(policy) }.check(
        "
        0 09:00 A placed -> queued, next 7 09:00 (trigger-starts-delay)
        1 09:00 B placed -> queued, next 8 09:00 (trigger-starts-delay)
        7 09:00 A letter 1 -> done (last-letter-accepted)
        7 10:00 B desk send-now -> queued, next 7 10:00 (desk-sends-now)
        7 10:00 B letter 1 -> done (last-letter-accepted)
        ",
    );
}

#[test]
fn so_many_letters_in_thirty_days_and_no_more() {
    let cap = |cap_scope| Policy { person_cap: Some(Cap { letters: 2, within: DAY * 30 }), cap_scope, ..once() };
    let script = |scope| Script {
        policies: BTreeMap::from([("nord", cap(scope)), ("syd", cap(scope))]),
        orders: &["A anna nord lamp", "B anna nord rug", "C anna syd tray"],
        ..Script::of(once())
    };
    script(CapScope::AllShops).check(
        "
        0 09:00 A placed -> queued, next 7 09:00 (trigger-starts-delay)
        1 09:00 B placed -> queued, next 8 09:00 (trigger-starts-delay)
        2 09:00 C placed -> queued, next 9 09:00 (trigger-starts-delay)
        7 09:00 A letter 1 -> done (last-letter-accepted)
        8 09:00 B letter 1 -> done (last-letter-accepted)
        9 09:00 C due -> queued, next 37 09:00 (person-cap)
        37 09:00 C letter 1 -> done (last-letter-accepted)
        ",
    );
    script(CapScope::Shop).check(
        "
        0 09:00 A placed -> queued, next 7 09:00 (trigger-starts-delay)
        1 09:00 B placed -> queued, next 8 09:00 (trigger-starts-delay)
        2 09:00 C placed -> queued, next 9 09:00 (trigger-starts-delay)
        7 09:00 A letter 1 -> done (last-letter-accepted)
        8 09:00 B letter 1 -> done (last-letter-accepted)
        9 09:00 C letter 1 -> done (last-letter-accepted)
        ",
    );
}

#[test]
fn a_customer_who_orders_every_day_gets_a_letter_every_fifth_day_and_five_in_thirty() {
    let policy = Policy { person_cap: Policy::AFS.person_cap, person_apart: Policy::AFS.person_apart, ..once() };
    let orders: &[&str] =
        &["A anna nord a", "B anna nord b", "C anna nord c", "D anna nord d", "E anna nord e", "F anna nord f"];
    Script { orders, ..Script::of(policy) }.check(
        "
        0 09:00 A placed -> queued, next 7 09:00 (trigger-starts-delay)
        1 09:00 B placed -> queued, next 8 09:00 (trigger-starts-delay)
        2 09:00 C placed -> queued, next 9 09:00 (trigger-starts-delay)
        3 09:00 D placed -> queued, next 10 09:00 (trigger-starts-delay)
        4 09:00 E placed -> queued, next 11 09:00 (trigger-starts-delay)
        5 09:00 F placed -> queued, next 12 09:00 (trigger-starts-delay)
        7 09:00 A letter 1 -> done (last-letter-accepted)
        8 09:00 B due -> queued, next 12 09:00 (person-apart)
        9 09:00 C due -> queued, next 12 09:00 (person-apart)
        10 09:00 D due -> queued, next 12 09:00 (person-apart)
        11 09:00 E due -> queued, next 12 09:00 (person-apart)
        12 09:00 B letter 1 -> done (last-letter-accepted)
        12 09:00 C due -> queued, next 17 09:00 (person-apart)
        12 09:00 D due -> queued, next 17 09:00 (person-apart)
        12 09:00 E due -> queued, next 17 09:00 (person-apart)
        12 09:00 F due -> queued, next 17 09:00 (person-apart)
        17 09:00 C letter 1 -> done (last-letter-accepted)
        17 09:00 D due -> queued, next 22 09:00 (person-apart)
        17 09:00 E due -> queued, next 22 09:00 (person-apart)
        17 09:00 F due -> queued, next 22 09:00 (person-apart)
        22 09:00 D letter 1 -> done (last-letter-accepted)
        22 09:00 E due -> queued, next 27 09:00 (person-apart)
        22 09:00 F due -> queued, next 27 09:00 (person-apart)
        27 09:00 E letter 1 -> done (last-letter-accepted)
        27 09:00 F due -> queued, next 37 09:00 (person-cap)
        37 09:00 F letter 1 -> done (last-letter-accepted)
        ",
    );
}

#[test]
fn the_same_product_and_the_same_person_are_asked_about_once_in_a_year() {
    let orders: &[&str] = &["A anna nord lamp", "B anna nord lamp", "C anna nord rug"];
    // The end of B's life, 30 days after it was due, comes before the year is over: it is dropped at once.
    Script { orders, ..Script::of(Policy { same_product: Some(DAY * 365), ..once() }) }.check(
        "
        0 09:00 A placed -> queued, next 7 09:00 (trigger-starts-delay)
        7 09:00 A letter 1 -> done (last-letter-accepted)
        100 09:00 B placed -> queued, next 107 09:00 (trigger-starts-delay)
        101 09:00 C placed -> queued, next 108 09:00 (trigger-starts-delay)
        107 09:00 B due -> dropped (same-product)
        108 09:00 C letter 1 -> done (last-letter-accepted)
        ",
    );
    // Seven days are missing to the year: it waits for them.
    Script { orders, ..Script::of(Policy { same_product: Some(DAY * 365), ..once() }) }.check(
        "
        0 09:00 A placed -> queued, next 7 09:00 (trigger-starts-delay)
        7 09:00 A letter 1 -> done (last-letter-accepted)
        358 09:00 B placed -> queued, next 365 09:00 (trigger-starts-delay)
        365 09:00 B due -> queued, next 372 09:00 (same-product)
        372 09:00 B letter 1 -> done (last-letter-accepted)
        ",
    );
    Script { orders, ..Script::of(Policy { same_person: Some(DAY * 365), ..once() }) }.check(
        "
        0 09:00 A placed -> queued, next 7 09:00 (trigger-starts-delay)
        7 09:00 A letter 1 -> done (last-letter-accepted)
        101 09:00 C placed -> queued, next 108 09:00 (trigger-starts-delay)
        108 09:00 C due -> dropped (same-person)
        ",
    );
}

#[test]
fn an_order_that_is_too_old_gets_no_letter() {
    Script::of(Policy { max_age: Some(DAY * 20), delay: DAY * 14, ..once() }).check(
        "
        0 09:00 A placed -> queued, next 14 09:00 (trigger-starts-delay)
        10 09:00 A delayed -> queued, next 24 09:00 (delay-postpones)
        24 09:00 A due -> dropped (too-old)
        ",
    );
    Script::of(Policy { max_age: Some(DAY * 20), ..shipment() }).check(
        "
        0 09:00 A placed -> waiting, next 60 09:00 (order-opens)
        30 09:00 A shipped -> queued, next 44 09:00 (trigger-starts-delay)
        30 09:00 A rules -> dropped (too-old)
        ",
    );
}
