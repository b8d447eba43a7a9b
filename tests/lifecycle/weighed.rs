//! The second table: what the shop's rules say to a letter that is due, one case for each rule.

use std::fmt::Write as _;

use invited::domain::{
    AddressClassSet, Cap, Case, Consent, Customer, DAY, EmailAddress, Ground, Holidays, Hours, Invitation,
    InvitationId, OrderDetails, OrderReference, PastLetter, Planned, Policy, Product, Progress, PutOffs, Rule, Ruling,
    SendWindow, Share, ShopId, ShopRules, State, Suppressed, Timestamp, Weekdays, admit, is_in_sample, weigh,
};

use super::NOW;

/// What stands in the way of a letter, told as a change to a case in which nothing does.
struct Hurdle {
    what: &'static str,
    policy: Policy,
    change: fn(&mut Scene),
}

struct Scene {
    invitation: Invitation,
    past: Vec<PastLetter>,
    suppressed: Option<Suppressed>,
}

/// One row for each rule that can stand in the way.
pub(crate) fn table() -> String {
    let mut table =
        String::from("| rule | what stands in the way | decided from | what happens | asked when the delay begins |\n");
    table.push_str("|---|---|---|---|---|\n");
    for (hurdle, ruling, early) in weighed() {
        let (what, ground) = match ruling {
            Ruling::Go => panic!("nothing is in the way: {}", hurdle.what),
            Ruling::Wait { ground, .. } => ("deferred to the first moment allowed", ground),
            Ruling::Drop(ground) => ("dropped", ground),
            Ruling::Stop(ground) => ("cancelled", ground),
        };
        let inputs = ground.inputs.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let early = if early { "yes" } else { "no" };
        writeln!(table, "| `{}` | {} | {inputs} | {what} | {early} |", ground.rule, hurdle.what).unwrap();
    }
    table
}

/// The rules of the cases.
pub(crate) fn met() -> Vec<Rule> {
    let ground = |ruling| match ruling {
        Ruling::Go => None,
        Ruling::Wait { ground, .. } | Ruling::Drop(ground) | Ruling::Stop(ground) => Some(ground),
    };
    weighed().into_iter().filter_map(|(_, ruling, _)| ground(ruling)).map(|ground: Ground| ground.rule).collect()
}

fn weighed() -> Vec<(Hurdle, Ruling, bool)> {
    let weighed = hurdles().into_iter().map(|hurdle| {
        let mut scene = scene();
        let rules = ShopRules { base: hurdle.policy.clone(), ..ShopRules::default() };
        let (ruling, _) = ask(&scene, &rules);
        assert!(matches!(ruling, Ruling::Go) || hurdle.policy.window != free().window, "{}", hurdle.what);
        (hurdle.change)(&mut scene);
        let (ruling, early) = ask(&scene, &rules);
        (hurdle, ruling, early)
    });
    weighed.collect()
}

fn ask(scene: &Scene, rules: &ShopRules) -> (Ruling, bool) {
    let case = Case { invitation: &scene.invitation, past: &scene.past, suppressed: scene.suppressed.as_ref() };
    (weigh(&case, rules, NOW), admit(&scene.invitation, rules, NOW).is_some())
}

/// A policy that lets every letter go.
fn free() -> Policy {
    Policy {
        person_cap: None,
        person_apart: None,
        same_product: None,
        refused: AddressClassSet::NONE,
        window: SendWindow::default(),
        ..Policy::AFS
    }
}

fn scene() -> Scene {
    let progress = Progress {
        state: State::Queued,
        due_at: Some(NOW),
        expires_at: Some(NOW.plus(DAY * 30)),
        letters_sent: 0,
        attempts: 0,
        planned: Planned::Trigger,
        expected_by: None,
        cancelled_at: None,
        put_off: PutOffs::default(),
    };
    let product = Product { name: "Lamp".to_owned(), sku: Some("L-1".to_owned()), ..Product::default() };
    let invitation = Invitation {
        id: InvitationId(1),
        shop: shop(),
        reference: OrderReference::parse("A-1").unwrap(),
        customer: Customer { email: EmailAddress::parse("anna@customer.example").unwrap(), name: None },
        order: OrderDetails { products: vec![product], consent: Some(true), ..OrderDetails::default() },
        progress,
        round: 0,
        follows: None,
        link_series: 0,
        created_at: days_ago(7),
        updated_at: NOW,
    };
    Scene { invitation, past: Vec::new(), suppressed: None }
}

fn shop() -> ShopId {
    ShopId::parse("nord").unwrap()
}

fn days_ago(days: i64) -> Timestamp {
    Timestamp(NOW.0 - 86_400_000 * days)
}

/// A first letter about the same lamp, so many days ago.
fn letter(days: i64) -> PastLetter {
    PastLetter { shop: shop(), is_first: true, at: days_ago(days), products: vec!["sku:l-1".to_owned()] }
}

fn hurdles() -> Vec<Hurdle> {
    let night = Hours::parse("03:00-04:00").unwrap();
    let hurdle = |what, policy, change| Hurdle { what, policy, change };
    vec![
        hurdle("the address, or its domain, is on the list, for this shop or for all", free(), |scene| {
            let reason = "asked".to_owned();
            scene.suppressed = Some(Suppressed { kind: "address", is_global: true, reason, since: NOW });
        }),
        hurdle(
            "as many letters to this order are out as `letters_per_order` and the reminders allow",
            free(),
            |scene| {
                scene.invitation.progress.letters_sent = 2;
                scene.invitation.progress.state = State::Sent;
            },
        ),
        hurdle(
            "consent is required, and no mail of the order says that it was given (first letters only)",
            Policy { consent: Consent::Required, ..free() },
            |scene| scene.invitation.order.consent = None,
        ),
        hurdle(
            "the order is not in the share that is drawn by a hash of shop and reference (first letters only)",
            Policy { sample: Share::of_thousandths(500).unwrap(), ..free() },
            |scene| {
                let share = Share::of_thousandths(500).unwrap();
                let mut others = (2..).map(|number| OrderReference::parse(&format!("A-{number}")).unwrap());
                scene.invitation.reference = others.find(|other| !is_in_sample(&shop(), other, share)).unwrap();
            },
        ),
        hurdle(
            "the address is of a kind that the shop does not write to (first letters only)",
            Policy { refused: AddressClassSet::ALL, ..free() },
            |scene| scene.invitation.customer.email = EmailAddress::parse("info@customer.example").unwrap(),
        ),
        hurdle(
            "the order is older than `max_age` (first letters only)",
            Policy { max_age: Some(DAY * 30), ..free() },
            |scene| scene.invitation.created_at = days_ago(31),
        ),
        hurdle(
            "the person got as many letters within the time as one person may get",
            Policy { person_cap: Some(Cap { letters: 1, within: DAY * 30 }), ..free() },
            |scene| scene.past.push(letter(9)),
        ),
        hurdle(
            "the person's last letter is too short a time ago",
            Policy { person_apart: Some(DAY * 5), ..free() },
            |scene| scene.past.push(letter(3)),
        ),
        hurdle(
            "the shop invited the person lately (first letters only)",
            Policy { same_person: Some(DAY * 365), ..free() },
            |scene| scene.past.push(letter(300)),
        ),
        hurdle(
            "the person was asked about everything in the order lately (first letters only)",
            Policy { same_product: Some(DAY * 365), ..free() },
            |scene| scene.past.push(letter(300)),
        ),
        hurdle(
            "the window is closed where the customer is",
            Policy { window: SendWindow::new(Some(night), Weekdays::ALL, Holidays::NONE), ..free() },
            |_| {},
        ),
    ]
}
