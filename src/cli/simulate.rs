//! `invited simulate`: what other rules would have made of the orders of the last time.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::output::{count, local, one_line};
use super::when::{Meant, point};
use super::{ConfigArg, Desk, Failure, JsonArg, Output};
use crate::app::load_config;
use crate::domain::{Fate, Rule, ShopId, Zone};
use crate::ops::simulate::{Comparison, Difference, Sum, compare, with_those_of};

/// Shows what would have been sent, deferred and dropped by other rules. Nothing is changed.
///
/// The orders that began since then are played twice to their end, as if every letter were taken at once: by the rules as they are,
/// and by those of FILE. The rate, pauses and the relay are not played. Shops that FILE does not name keep their rules.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  What a configuration that is being tried out would have changed in the last month:
    invited simulate --policy /tmp/trial.toml
  Of one shop since its sale, with each order that fares differently:
    invited simulate --policy /tmp/trial.toml --since 2026-11-27 --shop nord --list")]
pub(super) struct Simulate {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// A configuration with the rules to try
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// Only orders that began since then: a date, a time, or a span back from now
    #[arg(long, value_name = "TIME", default_value = "30d")]
    since: String,
    /// Only of this shop
    #[arg(long)]
    shop: Option<String>,
    /// Also lists the orders that fare differently
    #[arg(long)]
    list: bool,
}

impl Simulate {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let other = load_config(&self.policy).map_err(Failure::Config)?;
        let desk = Desk::open(&self.config).await?;
        let shop = self.shop.as_deref().map(|text| desk.shop(text)).transpose()?;
        let (zone, now) = (desk.zone_of_all(shop.iter()), desk.clock.now());
        let since = point("--since", &self.since, Meant::Since, &zone, now)?;
        let present = desk.policies()?;
        let (rules, unchanged) = with_those_of(&desk.config, &other);
        let rules = rules.with_list_key(*present.list_key());
        let comparison = compare(&desk.store, since, shop.as_ref(), present, &rules, now).await?;
        if self.json.json {
            return self.print_json(&comparison);
        }
        let mut out = Output::paged();
        out.line(format!(
            "{} since {}, played to their end; nothing is changed.",
            count(usize::try_from(comparison.invitations).unwrap_or(usize::MAX), "invitation"),
            local(since, &zone)
        ))?;
        let kept = unchanged.iter().filter(|kept| shop.as_ref().is_none_or(|shop| shop == *kept));
        let kept = kept.map(ShopId::as_str).collect::<Vec<_>>().join(", ");
        if !kept.is_empty() {
            out.line(format!("{} has no rules for: {kept}. They keep those that they have.", self.policy.display()))?;
        }
        out.line("")?;
        out.table(&["", "PRESENT", "TRIED", "CHANGE"], rows(&comparison.present, &comparison.other))?;
        out.line("")?;
        out.line(format!("{} differently.", fares(comparison.differences.len())))?;
        if self.list && !comparison.differences.is_empty() {
            let rows = comparison.differences.iter().map(|difference| row(difference, &desk.zone_of(&difference.shop)));
            out.table(&["ID", "SHOP", "ORDER", "PRESENT", "TRIED"], rows.collect())?;
        }
        Ok(())
    }

    fn print_json(&self, comparison: &Comparison) -> Result<(), Failure> {
        let mut out = Output::new();
        out.json(&json!({
            "invitations": comparison.invitations,
            "present": sum(&comparison.present),
            "tried": sum(&comparison.other),
            "differences": comparison.differences.len(),
        }))?;
        for difference in comparison.differences.iter().filter(|_| self.list) {
            out.json(&json!({
                "id": difference.present.invitation,
                "shop": difference.shop,
                "reference": difference.reference.as_str(),
                "present": fate(&difference.present),
                "tried": fate(&difference.other),
            }))?;
        }
        Ok(())
    }
}

fn fares(number: usize) -> String {
    if number == 1 { "1 order fares".to_owned() } else { format!("{} fare", count(number, "order")) }
}

fn sum(sum: &Sum) -> Value {
    let by_rule = |rules: &std::collections::BTreeMap<Rule, u64>| {
        rules.iter().map(|(rule, number)| (rule.as_str().to_owned(), json!(number))).collect::<serde_json::Map<_, _>>()
    };
    json!({
        "invited": sum.invited,
        "reminders": sum.reminders,
        "deferred": by_rule(&sum.deferred),
        "dropped": by_rule(&sum.dropped),
        "other": sum.other,
    })
}

fn fate(fate: &Fate) -> Value {
    let letters = fate.letters.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({ "letters": letters, "state": fate.state.as_str(), "rule": fate.rule.as_str() })
}

/// The table by rule: only what happens by one of the two sets of rules.
fn rows(present: &Sum, other: &Sum) -> Vec<Vec<String>> {
    let line = |what: String, present: u64, other: u64| {
        let change = match i128::from(other) - i128::from(present) {
            0 => String::new(),
            change => format!("{change:+}"),
        };
        vec![what, present.to_string(), other.to_string(), change]
    };
    let mut rows = vec![
        line("invited (a first letter goes)".to_owned(), present.invited, other.invited),
        line("reminders".to_owned(), present.reminders, other.reminders),
    ];
    for (word, present, other) in
        [("deferred", &present.deferred, &other.deferred), ("dropped", &present.dropped, &other.dropped)]
    {
        let rules = present.keys().chain(other.keys()).collect::<BTreeSet<_>>();
        let number = |of: &std::collections::BTreeMap<Rule, u64>, rule| of.get(rule).copied().unwrap_or(0);
        rows.extend(
            rules.into_iter().map(|rule| line(format!("{word}: {rule}"), number(present, rule), number(other, rule))),
        );
    }
    let states = present.other.keys().chain(other.other.keys()).collect::<BTreeSet<_>>();
    let number = |of: &Sum, state| of.other.get(state).copied().unwrap_or(0);
    rows.extend(
        states
            .into_iter()
            .map(|state| line(format!("no letter: {state}"), number(present, state), number(other, state))),
    );
    rows
}

fn row(difference: &Difference, zone: &Zone) -> Vec<String> {
    let tell = |fate: &Fate| match fate.letters.first() {
        Some(first) => format!("{}, the first {}", count(fate.letters.len(), "letter"), local(*first, zone)),
        None => format!("{} ({})", fate.state, fate.rule),
    };
    vec![
        difference.present.invitation.to_string(),
        difference.shop.to_string(),
        one_line(difference.reference.as_str()).into_owned(),
        tell(&difference.present),
        tell(&difference.other),
    ]
}
