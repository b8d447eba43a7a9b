//! How a shop accounts for all its invitations: what became of every one, whom people stopped and why, and what looks like picking one's
//! reviewers. The numbers of what became of invitations add up to those that began, because each invitation is in exactly one of them.

use std::collections::BTreeMap;

use crate::domain::{Outturn, Rule, ShopId};
use crate::store::{Figure, ShopSum, Stopped};

/// The share of invitations above which something is said.
const NOTABLE: f64 = 0.02;

/// The name of the counter of invitations that did not stay dropped.
const UNDONE: &str = "undone";

/// A shop's account of the invitations that began in a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// Whose.
    pub shop: ShopId,
    /// Invitations that began.
    pub begun: u64,
    /// What became of them; each of them counts once.
    pub parts: Vec<(Part, u64)>,
    /// The rules that dropped invitations, the most frequent first.
    pub rules: Vec<(Rule, u64)>,
    /// Invitations that a rule dropped and that did not stay so: the order was cancelled, or a letter that was under way went out.
    pub dropped_undone: u64,
    /// What people cancelled, by person and reason.
    pub by_hand: Vec<Hand>,
    /// Invitations that people began after another one had ended.
    pub reinvited: u64,
    /// Invitations that people or imported files asked for.
    pub invited_by_hand: u64,
    /// Held copies that people discarded, of those that tell of orders or may: discarded, all. As long as counts are kept.
    pub discarded: (u64, u64),
}

/// What became of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A relay took a letter.
    Invited,
    /// Nothing yet.
    UnderWay,
    /// The shop's mails cancelled the order.
    OrderCancelled,
    /// The shop's rules dropped it.
    Dropped,
    /// A person cancelled it.
    ByHand,
    /// The list of those who are not written to stopped it.
    Suppressed,
    /// The customer reviewed, unsubscribed or complained.
    Declined,
    /// The relay refused it.
    Failed,
    /// Nobody knows.
    InDoubt,
    /// It waits for a person.
    Held,
    /// The customer is erased.
    Erased,
    /// It began, and the counters do not tell what became of it.
    Unaccounted,
}

impl Part {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 12] = [
        Self::Invited,
        Self::UnderWay,
        Self::OrderCancelled,
        Self::Dropped,
        Self::ByHand,
        Self::Suppressed,
        Self::Declined,
        Self::Failed,
        Self::InDoubt,
        Self::Held,
        Self::Erased,
        Self::Unaccounted,
    ];

    /// Its name in JSON; a contract.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "got_a_letter",
            Self::UnderWay => "under_way",
            Self::OrderCancelled => "order_cancelled",
            Self::Dropped => "dropped_by_rule",
            Self::ByHand => "cancelled_by_hand",
            Self::Suppressed => "suppressed",
            Self::Declined => "declined",
            Self::Failed => "failed",
            Self::InDoubt => "in_doubt",
            Self::Held => "held",
            Self::Erased => "erased",
            Self::Unaccounted => "unaccounted",
        }
    }

    /// What it is, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Invited => "got a letter",
            Self::UnderWay => "wait for their letter",
            Self::OrderCancelled => "no letter: the shop's mail cancelled the order",
            Self::Dropped => "no letter: dropped by a rule",
            Self::ByHand => "no letter: cancelled by hand",
            Self::Suppressed => "no letter: the address is not to be written to",
            Self::Declined => "no letter: reviewed, unsubscribed or complained before",
            Self::Failed => "no letter: the relay refused it, or it came back",
            Self::InDoubt => "nobody knows whether the letter went",
            Self::Held => "no letter yet: held until a person looks",
            Self::Erased => "erased at the customer's wish, with what became of them",
            Self::Unaccounted => "not accounted for: the counters do not add up",
        }
    }
}

/// What one person cancelled for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hand {
    /// Who.
    pub actor: String,
    /// Why, as it was written down.
    pub reason: Option<String>,
    /// Invitations.
    pub invitations: u64,
    /// Those of them that have got no letter.
    pub without_letter: u64,
}

impl Account {
    /// Of the counters from a day on, of one shop, and of what people stopped of its invitations since that day. `sum` is of its copies.
    pub fn of(shop: &ShopId, figures: &[Figure], first_day: i64, stopped: &[Stopped], sum: Option<&ShopSum>) -> Self {
        let mut became: BTreeMap<Outturn, u64> = BTreeMap::new();
        let (mut rules, mut dropped_undone): (BTreeMap<Rule, u64>, u64) = (BTreeMap::new(), 0);
        let (mut begun, mut reinvited, mut invited_by_hand) = (0, 0, 0);
        for figure in figures.iter().filter(|figure| figure.shop == *shop && figure.day >= first_day.max(1)) {
            let name = figure.name.as_str();
            if let Some(outturn) = name.strip_prefix("became ").and_then(Outturn::parse) {
                *became.entry(outturn).or_default() += figure.n;
            } else if let Some(rule) = name.strip_prefix("dropped ") {
                match Rule::parse(rule) {
                    Some(rule) => *rules.entry(rule).or_default() += figure.n,
                    None if rule == UNDONE => dropped_undone += figure.n,
                    // A rule that a newer program knows is that program's business.
                    None => {}
                }
            } else if name == "begun" {
                begun += figure.n;
            } else if name == Rule::DeskReinvites.as_str() {
                reinvited += figure.n;
            } else if name == Rule::InvitedByHand.as_str() {
                invited_by_hand += figure.n;
            }
        }
        let mut rules = rules.into_iter().collect::<Vec<_>>();
        rules.sort_by_key(|(rule, n)| (std::cmp::Reverse(*n), *rule));
        let discarded = sum.map_or((0, 0), |sum| (sum.discarded, sum.event + sum.held + sum.discarded));
        let parts = parts(begun, &became, stopped);
        let by_hand = by_hand(stopped);
        Self { shop: shop.clone(), begun, parts, rules, dropped_undone, by_hand, reinvited, invited_by_hand, discarded }
    }

    /// How many became this.
    pub fn part(&self, part: Part) -> u64 {
        self.parts.iter().find(|(one, _)| *one == part).map_or(0, |(_, n)| *n)
    }

    /// A number's share of the invitations that began, in 1; 0 when none did.
    #[expect(clippy::cast_precision_loss, reason = "a share is shown with one digit after its point")]
    pub fn share(&self, n: u64) -> f64 {
        if self.begun == 0 { 0.0 } else { n as f64 / self.begun as f64 }
    }

    /// Invitations that people cancelled before a letter went, whatever became of them later.
    pub fn picked(&self) -> u64 {
        self.by_hand.iter().map(|hand| hand.without_letter).sum()
    }

    /// What looks like picking, in sentences; nothing when nothing does.
    pub fn flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        let mut flag = |n: u64, what: &str| {
            if self.share(n) > NOTABLE {
                flags.push(format!("{} of all invitations ({n}) {what}", percent(self.share(n))));
            }
        };
        flag(self.picked(), "were cancelled by hand before a letter went; up to 2 % is usual");
        flag(
            self.part(Part::Suppressed),
            "were stopped because the address is not to be written to; who puts addresses on that list, and why, \
             says: invited suppress list",
        );
        flag(self.part(Part::Held), "are held and wait for a person; not deciding keeps customers out as well");
        flag(self.reinvited, "were begun by hand after another one of the same order had ended");
        flag(self.part(Part::Erased), "are erased, so that nobody can tell any more what became of them");
        let silent = self.by_hand.iter().filter(|hand| hand.reason.is_none()).map(|hand| hand.invitations).sum::<u64>();
        if silent > 0 {
            flags.push(format!("{silent} cancelled by hand without a reason"));
        }
        let (discarded, copies) = self.discarded;
        if share_of(discarded, copies) > NOTABLE {
            flags.push(format!(
                "{} of the copies that tell of orders or were held ({discarded} of {copies}, of all time) were discarded by hand, so \
                 that no invitation began",
                percent(share_of(discarded, copies))
            ));
        }
        if self.part(Part::Unaccounted) > 0 {
            flags.push(format!("the counters do not tell what became of {}", self.part(Part::Unaccounted)));
        }
        flags
    }
}

/// What cannot be seen from here, whatever the numbers say.
pub const NOT_SHOWN: [&str; 4] = [
    "orders of which the shop sent no copy: they never came here (invited reconcile compares with a list of orders)",
    "whether customers who were cancelled by hand were unhappy: nothing is known of them but what stands above",
    "what customers would have written, and which reviews were taken down elsewhere",
    "what was changed in the policy meanwhile: a rule counts as impartial because it asks nothing about the customer's mood",
];

/// A share in percent with one digit after its point; above 0 never 0.
pub fn percent(share: f64) -> String {
    match share * 100.0 {
        tiny if tiny > 0.0 && tiny < 0.1 => "< 0.1 %".to_owned(),
        share => format!("{share:.1} %"),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share is shown with one digit after its point")]
fn share_of(n: u64, all: u64) -> f64 {
    if all == 0 { 0.0 } else { n as f64 / all as f64 }
}

/// Every invitation once.
fn parts(begun: u64, became: &BTreeMap<Outturn, u64>, stopped: &[Stopped]) -> Vec<(Part, u64)> {
    let get = |outturn| became.get(&outturn).copied().unwrap_or(0);
    let by_hand = stopped.iter().filter(|one| one.outturn == Outturn::Stopped).map(|one| one.invitations).sum::<u64>();
    // What a person does between the two looks at the database is in one of them only.
    let by_hand = by_hand.min(get(Outturn::Stopped));
    let number = |part| match part {
        Part::Invited => get(Outturn::Invited),
        Part::UnderWay => get(Outturn::UnderWay),
        Part::OrderCancelled => get(Outturn::OrderCancelled),
        Part::Dropped => get(Outturn::Dropped),
        Part::ByHand => by_hand,
        Part::Suppressed => get(Outturn::Stopped) - by_hand,
        Part::Declined => get(Outturn::Declined),
        Part::Failed => get(Outturn::Failed),
        Part::InDoubt => get(Outturn::InDoubt),
        Part::Held => get(Outturn::Held),
        Part::Erased => get(Outturn::Erased),
        Part::Unaccounted => begun.saturating_sub(became.values().sum()),
    };
    Part::ALL.into_iter().map(|part| (part, number(part))).collect()
}

fn by_hand(stopped: &[Stopped]) -> Vec<Hand> {
    let mut hands: BTreeMap<(&str, Option<&str>), (u64, u64)> = BTreeMap::new();
    for one in stopped {
        let (all, without) = hands.entry((&one.actor, one.reason.as_deref())).or_default();
        *all += one.invitations;
        if one.outturn != Outturn::Invited {
            *without += one.invitations;
        }
    }
    let mut hands = hands
        .into_iter()
        .map(|((actor, reason), (invitations, without_letter))| Hand {
            actor: actor.to_owned(),
            reason: reason.map(str::to_owned),
            invitations,
            without_letter,
        })
        .collect::<Vec<_>>();
    hands.sort_by_key(|hand| std::cmp::Reverse(hand.invitations));
    hands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shop() -> ShopId {
        ShopId::parse("nord").unwrap()
    }

    fn figure(day: i64, name: &str, n: u64) -> Figure {
        Figure { shop: shop(), day, name: name.to_owned(), n }
    }

    fn stopped(actor: &str, reason: Option<&str>, outturn: Outturn, invitations: u64) -> Stopped {
        Stopped { actor: actor.to_owned(), reason: reason.map(str::to_owned), outturn, invitations }
    }

    fn account(figures: &[Figure], stopped: &[Stopped]) -> Account {
        Account::of(&shop(), figures, 100, stopped, None)
    }

    #[test]
    fn each_invitation_counts_once_and_all_of_them_are_the_whole() {
        let figures = [
            figure(100, "begun", 90),
            figure(101, "begun", 10),
            figure(100, "became invited", 60),
            figure(101, "became invited", 9),
            figure(100, "became under_way", 10),
            figure(100, "became stopped", 8),
            figure(100, "became dropped", 7),
            figure(100, "became declined", 3),
            figure(101, "became erased", 1),
            figure(100, "became held", 2),
            figure(100, "dropped not-in-sample", 6),
            figure(100, "dropped too-old", 2),
            figure(100, "dropped undone", 1),
            figure(101, "desk-reinvites", 4),
            figure(99, "begun", 1000),
            figure(99, "became dropped", 1000),
            figure(0, "state queued", 70),
            Figure { shop: ShopId::parse("syd").unwrap(), ..figure(100, "begun", 500) },
        ];
        let hands = [
            stopped("kim", Some("asked"), Outturn::Stopped, 4),
            stopped("kim", Some("asked"), Outturn::Invited, 2),
            stopped("kim", Some("asked"), Outturn::Declined, 1),
            stopped("bo", None, Outturn::Stopped, 1),
        ];
        let account = account(&figures, &hands);
        assert_eq!(account.begun, 100);
        assert_eq!(account.parts.iter().map(|(_, n)| n).sum::<u64>(), 100);
        let numbers = Part::ALL.map(|part| account.part(part));
        assert_eq!(numbers, [69, 10, 0, 7, 5, 3, 3, 0, 0, 2, 1, 0]);
        assert_eq!(account.rules, [(Rule::NotInSample, 6), (Rule::TooOld, 2)]);
        assert_eq!((account.dropped_undone, account.reinvited), (1, 4));
        let kim = Hand { actor: "kim".into(), reason: Some("asked".into()), invitations: 7, without_letter: 5 };
        assert_eq!(account.by_hand.first(), Some(&kim));
        assert_eq!(account.picked(), 6);
    }

    #[test]
    fn what_looks_like_picking_is_said_and_nothing_else_is() {
        let figures = |by_hand: u64| {
            [
                figure(100, "begun", 100),
                figure(100, "became invited", 100 - by_hand),
                figure(100, "became stopped", by_hand),
            ]
        };
        let flags = |by_hand: u64, reason: Option<&str>| {
            account(&figures(by_hand), &[stopped("kim", reason, Outturn::Stopped, by_hand)]).flags()
        };
        assert_eq!(flags(2, Some("asked")), Vec::<String>::new());
        let said = flags(3, Some("asked"));
        assert!(
            said.len() == 1 && said[0].starts_with("3.0 % of all invitations (3) were cancelled by hand"),
            "{said:?}"
        );
        assert_eq!(flags(1, None), ["1 cancelled by hand without a reason"]);
        let listed = account(&figures(3), &[]).flags();
        assert!(listed.len() == 1 && listed[0].contains("invited suppress list"), "{listed:?}");
        let lost = account(&[figure(100, "begun", 5), figure(100, "became invited", 4)], &[]);
        assert_eq!(lost.part(Part::Unaccounted), 1);
        assert_eq!(lost.flags(), ["the counters do not tell what became of 1"]);
        let sum = ShopSum {
            shop: shop(),
            event: 90,
            ignored: 500,
            held: 5,
            discarded: 5,
            last_copy_at: crate::domain::Timestamp(0),
        };
        let discarding = Account::of(&shop(), &figures(0), 100, &[], Some(&sum)).flags();
        assert!(discarding.len() == 1 && discarding[0].starts_with("5.0 % of the copies"), "{discarding:?}");
        assert_eq!(account(&[], &[]).flags(), Vec::<String>::new());
    }

    #[test]
    fn a_share_that_is_there_is_never_nothing() {
        for (share, words) in
            [(0.0, "0.0 %"), (0.000_1, "< 0.1 %"), (0.001, "0.1 %"), (0.5, "50.0 %"), (1.0, "100.0 %")]
        {
            assert_eq!(percent(share), words);
        }
    }
}
