//! What a policy means that is written without mistakes; the mistakes are in `tests/fixtures/bad-config`.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use jiff::civil::Weekday;

use crate::config::{Config, parse, read};
use crate::document::{Document, Problems};
use crate::domain::{
    AddressClass, AddressClassSet, Cap, CapScope, Consent, DAY, Fallback, Holidays, Hours, InDoubt, OrderDetails,
    Policy, Rule, SendWindow, Share, Trigger, Weekdays,
};

const MINIMAL: &str = include_str!("../../../config/minimal.toml");

fn text(policy: &str, shop: &str) -> String {
    let (head, tables) = MINIMAL.split_once("[[relay]]").unwrap();
    format!("{head}[policy]\n{policy}\n[[relay]]{tables}{shop}\n")
}

fn problems(policy: &str, shop: &str) -> Vec<String> {
    let parsed = parse(&Document::new("x.toml", text(policy, shop)), Path::new(""));
    parsed.err().unwrap_or_default().iter().map(|problem| format!("{}: {}", problem.key, problem.what)).collect()
}

fn parsed(policy: &str, shop: &str) -> Config {
    let parsed = parse(&Document::new("x.toml", text(policy, shop)), Path::new(""));
    parsed.unwrap_or_else(|problems| panic!("{policy}\n{shop}\n{problems:#?}"))
}

fn base(policy: &str, shop: &str) -> Policy {
    parsed(policy, shop).shops[0].rules.base.clone()
}

fn window(hours: &str, days: impl IntoIterator<Item = Weekday>, holidays: &[&str]) -> SendWindow {
    let hours = (!hours.is_empty()).then(|| Hours::parse(hours).unwrap());
    SendWindow::new(hours, days.into_iter().collect(), Holidays::of(holidays).unwrap())
}

#[test]
fn each_key_changes_what_it_is_named_for() {
    let afs = || Policy::AFS;
    let week = || Weekdays::ALL.iter();
    let cases = [
        ("preset = \"afs\"", afs()),
        ("preset = \"yotpo\"", Policy::YOTPO),
        ("trigger = \"delivery\"", Policy { trigger: Trigger::Delivery, ..afs() }),
        (
            "trigger = \"delivery\"\notherwise = \"2 weeks after shipment\"",
            Policy {
                trigger: Trigger::Delivery,
                otherwise: Some(Fallback { trigger: Trigger::Shipment, delay: DAY * 14 }),
                ..afs()
            },
        ),
        ("trigger = \"shipment\"\notherwise = false", Policy { trigger: Trigger::Shipment, ..afs() }),
        ("delay = \"90 days\"", Policy { delay: DAY * 90, ..afs() }),
        ("delay = \"0 h\"", Policy { delay: Duration::ZERO, ..afs() }),
        ("reminder = \"5 days\"", Policy { reminder: Some(DAY * 5), ..afs() }),
        ("reminder = false", Policy { reminder: None, ..afs() }),
        ("reminders = 2", Policy { reminders: 2, ..afs() }),
        ("reminders = 3\nletters_per_order = 4", Policy { reminders: 3, letters_per_order: 4, ..afs() }),
        (
            "letters_per_person = { at_most = 2, within = \"1 week\" }",
            Policy { person_cap: Some(Cap { letters: 2, within: DAY * 7 }), ..afs() },
        ),
        ("letters_per_person = false", Policy { person_cap: None, ..afs() }),
        ("apart = \"10 days\"", Policy { person_apart: Some(DAY * 10), ..afs() }),
        ("apart = false", Policy { person_apart: None, ..afs() }),
        ("count = \"shop\"", Policy { cap_scope: CapScope::Shop, ..afs() }),
        ("same_product = \"12 months\"", afs()),
        ("same_product = \"30 days\"", Policy { same_product: Some(DAY * 30), ..afs() }),
        ("same_product = false", Policy { same_product: None, ..afs() }),
        ("same_person = \"every purchase\"", afs()),
        ("same_person = \"once a year\"", Policy { same_person: Some(DAY * 365), ..afs() }),
        ("same_person = \"90 days\"", Policy { same_person: Some(DAY * 90), ..afs() }),
        ("max_age = \"8 days\"", Policy { max_age: Some(DAY * 8), ..afs() }),
        ("sample = \"12.5 %\"", Policy { sample: Share::of_thousandths(125).unwrap(), ..afs() }),
        ("consent = \"required\"", Policy { consent: Consent::Required, ..afs() }),
        ("refuse = []", Policy { refused: AddressClassSet::NONE, ..afs() }),
        ("refuse = false", Policy { refused: AddressClassSet::NONE, ..afs() }),
        (
            "refuse = [\"masked\", \"own\"]",
            Policy { refused: [AddressClass::Masked, AddressClass::Own].into_iter().collect(), ..afs() },
        ),
        ("window = false", Policy { window: SendWindow::default(), ..afs() }),
        ("window = { hours = \"22:00-06:00\" }", Policy { window: window("22:00-06:00", week(), &[]), ..afs() }),
        (
            "window = { weekdays = \"Mon-Sat\", holidays = [\"customer\", \"DK\", \"12-24\"] }",
            Policy { window: window("", week().take(6), &["customer", "DK", "12-24"]), ..afs() },
        ),
        (
            "window = { weekdays = [\"Sat-mon\", \"Wednesday\"] }",
            Policy {
                window: window("", [Weekday::Saturday, Weekday::Sunday, Weekday::Monday, Weekday::Wednesday], &[]),
                ..afs()
            },
        ),
        ("rate = \"300 per hour\"", Policy { rate: Some(300), ..afs() }),
        ("rate = false", afs()),
        ("wait_for_trigger = \"365 days\"", Policy { wait_for_trigger: DAY * 365, ..afs() }),
        ("end_of_life = \"60 days\"", Policy { end_of_life: DAY * 60, ..afs() }),
        ("in_doubt = \"resend\"", Policy { in_doubt: InDoubt::Resend, ..afs() }),
        ("not_arrived = \"12 days\"", Policy { not_arrived: DAY * 12, ..afs() }),
        ("ask_later = \"3 days\"", Policy { ask_later: DAY * 3, ..afs() }),
    ];
    for (written, expected) in cases {
        assert_eq!(base(written, ""), expected, "{written}");
        assert_eq!(base("", &format!("[shop.policy]\n{written}")), expected, "in the shop: {written}");
    }
}

#[test]
fn a_shop_changes_single_rules_and_keeps_the_others() {
    let top = "delay = \"10 days\"\nconsent = \"required\"\nconsent_words = [\"Yes, ask me\"]\nsame_product = false";
    let config = parsed(top, "[shop.policy]\ndelay = \"3 days\"");
    let expected = Policy { delay: DAY * 3, consent: Consent::Required, same_product: None, ..Policy::AFS };
    assert_eq!(config.shops[0].rules.base, expected);
    assert_eq!(config.shops[0].consent_words, ["Yes, ask me"]);
    assert_eq!(parsed(top, "[shop.policy]\nconsent_words = []").shops[0].consent_words, Vec::<String>::new());
}

#[test]
fn a_preset_sets_the_pace_and_leaves_who_is_asked_as_it_was() {
    let top = "delay = \"3 days\"\nreminder = false\napart = \"9 days\"\nconsent = \"required\"\nrate = \"7 per hour\"\n\
               window = { weekdays = \"Sun\" }\nrefuse = []\nsample = \"10 %\"\nmax_age = \"99 days\"\ncount = \"shop\"\n\
               wait_for_trigger = \"9 days\"\nend_of_life = \"9 days\"\nin_doubt = \"resend\"\n\
               not_arrived = \"9 days\"\nask_later = \"9 days\"";
    let expected = Policy {
        consent: Consent::Required,
        rate: Some(7),
        window: window("", [Weekday::Sunday], &[]),
        refused: AddressClassSet::NONE,
        sample: Share::of_thousandths(100).unwrap(),
        max_age: Some(DAY * 99),
        cap_scope: CapScope::Shop,
        wait_for_trigger: DAY * 9,
        end_of_life: DAY * 9,
        in_doubt: InDoubt::Resend,
        not_arrived: DAY * 9,
        ask_later: DAY * 9,
        ..Policy::YOTPO
    };
    assert_eq!(base(top, "[shop.policy]\npreset = \"yotpo\""), expected);
    let pace = "[shop.policy]\ndelay = \"2 days\"\npreset = \"yotpo\"";
    assert_eq!(base(top, pace), Policy { delay: DAY * 2, ..expected }, "whatever the order in the file");
}

#[test]
fn six_keys_mean_the_same_in_the_shop_itself() {
    for key in [
        "trigger = \"delivery\"",
        "delay = \"3 days\"",
        "reminder = false",
        "wait_for_trigger = \"9 days\"",
        "end_of_life = \"20 days\"",
        "in_doubt = \"resend\"",
    ] {
        let rules = base("consent = \"required\"", key);
        assert_eq!(rules, base("consent = \"required\"", &format!("[shop.policy]\n{key}")));
        assert_ne!(rules, base("consent = \"required\"", ""), "{key}");
    }
    let beside = base("", "delay = \"3 days\"\n[shop.policy]\npreset = \"yotpo\"\nreminders = 2");
    assert_eq!(beside, Policy { delay: DAY * 3, reminders: 2, ..Policy::YOTPO });
}

#[test]
fn other_rules_hold_for_the_orders_that_they_are_for() {
    let config = parsed(
        "same_product = false",
        "delay = \"3 days\"\n\
         [[shop.policy_for]]\nwhen = { tag = [\"b2b\", \"wholesale\"], country = [\"DE\", \"uk\"] }\ndelay = \"21 days\"\n\
         [[shop.policy_for]]\nwhen = { template = \"shopify\" }\npreset = \"yotpo\"\nreminder = false\n",
    );
    let policies = config.policies();
    let of = |template: &str, tag: &str, country: &str| {
        let order = OrderDetails {
            template: Some(template.to_owned()),
            tags: vec![tag.to_owned()],
            country: Some(country.to_owned()),
            ..OrderDetails::default()
        };
        policies.of(&config.shops[0].id, &order).clone()
    };
    let usual = Policy { delay: DAY * 3, same_product: None, ..Policy::AFS };
    let slow = Policy { delay: DAY * 21, ..usual.clone() };
    let shopify = Policy { reminder: None, ..Policy::YOTPO };
    for (order, expected) in [
        (("magento", "b2c", "DE"), &usual),
        (("magento", "B2B", "DE"), &slow),
        (("shopify", "wholesale", "GB"), &slow),
        (("shopify", "wholesale", "AT"), &shopify),
        (("shopify", "-", "DE"), &shopify),
    ] {
        assert_eq!(&of(order.0, order.1, order.2), expected, "{order:?}");
    }
    let rules = &config.shops[0].rules;
    assert_eq!(rules.others.len(), 5);
    assert_eq!(
        (rules.zone.name(), rules.own_domains.as_slice()),
        ("UTC", ["nordljus.example", "invited.nordljus.example"].map(str::to_owned).as_slice())
    );
}

#[test]
fn a_fallback_goes_with_a_trigger_that_it_no_longer_precedes() {
    let top = "trigger = \"delivery\"\notherwise = \"14 days after shipment\"";
    let fallback = |shop: &str| base(top, shop).otherwise.map(|fallback| fallback.trigger);
    assert_eq!(fallback(""), Some(Trigger::Shipment));
    assert_eq!(fallback("[shop.policy]\ntrigger = \"delivery\""), Some(Trigger::Shipment));
    assert_eq!(fallback("[shop.policy]\ntrigger = \"shipment\""), None);
    assert_eq!(fallback("trigger = \"order\""), None);
    assert_eq!(fallback("[shop.policy]\notherwise = false"), None);
}

#[test]
fn letters_are_not_kept_further_apart_than_they_live_unless_somebody_wrote_so() {
    let apart = |top: &str, shop: &str| base(top, shop).person_apart;
    assert_eq!(apart("", "end_of_life = \"2 days\""), Some(DAY * 2));
    assert_eq!(apart("end_of_life = \"2 days\"", ""), Some(DAY * 2));
    assert_eq!(apart("end_of_life = \"2 days\"", "end_of_life = \"20 days\""), Some(DAY * 5));
    assert_eq!(apart("end_of_life = \"2 days\"", "[shop.policy]\npreset = \"yotpo\""), Some(DAY * 2));
    assert_eq!(apart("apart = \"2 days\"", "end_of_life = \"2 days\""), Some(DAY * 2));
    assert_eq!(
        problems("apart = \"3 days\"", "end_of_life = \"2 days\""),
        [
            "shop[0].end_of_life: end_of_life = 2 days is shorter than apart = 3 days, so that letters would be put off only to \
          be dropped"
        ]
    );
}

#[test]
fn a_mistake_gives_no_second_message_for_what_hangs_on_it() {
    let unread = "delay: \"20\" has no unit";
    assert_eq!(problems("delay = \"20\"\nmax_age = \"5 days\"", ""), [format!("policy.{unread}")]);
    assert_eq!(problems("delay = \"20\"", "[shop.policy]\nmax_age = \"5 days\""), [format!("policy.{unread}")]);
    assert_eq!(problems("max_age = \"5 days\"\ndelay = \"1 day\"", "delay = \"20\""), [format!("shop[0].{unread}")]);
    // What is written anew is judged again, and a mistake above is not repeated below.
    assert_eq!(problems("max_age = \"5 days\"", "[shop.policy]\ntrigger = \"shipment\"").len(), 1);
    assert_eq!(problems("delay = \"20\"", "[shop.policy]\ndelay = \"9 days\"\nmax_age = \"5 days\"").len(), 2);
}

#[test]
fn a_window_that_holidays_close_for_ever_is_refused() {
    let days = |months: std::ops::RangeInclusive<u8>| {
        let days = months.flat_map(|month| (1..=31).map(move |day| format!("\"{month:02}-{day:02}\"")));
        let exist = |day: &String| Holidays::of([day.trim_matches('"')]).is_ok();
        days.filter(exist).collect::<Vec<_>>().join(", ")
    };
    let written = |months| format!("window = {{ hours = \"09:00-20:00\", holidays = [{}] }}", days(months));
    assert_eq!(problems(&written(1..=12), ""), ["policy.window: is never open"]);
    assert_eq!(
        problems(&written(2..=12), ""),
        [
            "policy.window: the window is closed for up to 8029 hours, longer than end_of_life = 30 days, so that letters would be \
          put off only to be dropped"
        ]
    );
    assert_eq!(problems(&written(2..=2), ""), Vec::<String>::new());
}

/// Keys of the tables of rules, as the loader asks for them.
fn asked(table: &str) -> BTreeSet<String> {
    let problems = Problems::default();
    let one = "letters_per_person = { at_most = 1, within = \"1 day\" }\nwindow = { hours = \"09:00-20:00\" }\n";
    let shop = format!("[shop.policy]\n{one}[[shop.policy_for]]\nwhen = {{ tag = \"b2b\" }}\n{one}");
    read::read(&Document::new("x.toml", text(one, &shop)), Path::new(""), &problems);
    problems.asked().iter().filter_map(|path| path.strip_prefix(table)).map(str::to_owned).collect()
}

#[test]
fn every_table_of_rules_has_the_same_keys() {
    let keys = asked("policy.");
    assert!(keys.len() > 20 && keys.contains("window.hours"), "{keys:?}");
    assert_eq!(asked("shop[0].policy."), keys);
    let mut of_orders = asked("shop[0].policy_for[0].");
    of_orders.retain(|key| !key.starts_with("when"));
    let differ = keys.difference(&of_orders).collect::<Vec<_>>();
    assert_eq!(differ, ["consent_words", "rate"]);
    assert!(of_orders.is_subset(&keys));
}

/// The table in the document names every key, with the values that the presets have, and the rule that a decision is stored with.
#[test]
fn the_document_tells_the_keys_the_presets_and_the_rules_as_they_are() {
    let document = include_str!("../../../docs/policy.md");
    let (_, table) = document.split_once("<!-- keys: begin -->").unwrap();
    let (table, _) = table.split_once("<!-- keys: end -->").unwrap();
    let mut told = BTreeSet::new();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells = row.split('|').map(|cell| cell.trim().trim_matches('`')).collect::<Vec<_>>();
        let [_, key, _, afs, yotpo, _, _, rule, ..] = cells.as_slice() else { panic!("{row}") };
        assert!(told.insert((*key).to_owned()), "{key} stands twice");
        for (preset, value, expected) in [("afs", afs, Policy::AFS), ("yotpo", yotpo, Policy::YOTPO)] {
            let written = match *key {
                "preset" => format!("preset = {value}"),
                "consent_words" => format!("{key} = {value}"),
                _ => format!("preset = \"{preset}\"\n{key} = {value}"),
            };
            assert_eq!(base(&written, ""), if *key == "consent_words" { Policy::AFS } else { expected }, "{written}");
        }
        if !rule.is_empty() {
            assert!(rule.split("`, `").all(|rule| Rule::parse(rule).is_some()), "{key}: {rule}");
        }
    }
    let mut keys = asked("policy.");
    keys.retain(|key| !key.contains('.'));
    assert_eq!(told, keys);
}

#[test]
fn every_example_of_the_document_is_read() {
    let document = include_str!("../../../docs/policy.md");
    let examples = document.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect::<Vec<_>>();
    for example in &examples {
        let (policy, shop) = match example.split_once("[[shop]]\n") {
            Some((policy, shop)) => (policy, shop),
            None if example.starts_with("[shop") || example.starts_with("[[shop") => ("", *example),
            None => (*example, ""),
        };
        parsed(policy.trim_start().trim_start_matches("[policy]"), shop);
    }
    assert!(examples.len() >= 4, "the document has lost its examples");
}
