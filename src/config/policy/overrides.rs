//! `[[shop.policy_for]]`: other rules for some of a shop's orders.

use crate::config::values::problem_at;
use crate::document::{Entry, Table};
use crate::domain::{Places, Policy, When};

use super::keys;
use super::layer::{Layer, Rules};

const REMEDY: &str = "write for which orders: when = { country = \"DE\" }, or by template or tag";

/// All overrides in their order, of which the first that holds for an order counts.
pub(super) fn read_all(shop: &Table<'_>, rules: &Rules) -> Vec<(When, Policy)> {
    let mut number = 0;
    let mut before = Vec::new();
    let read = shop.tables("policy_for", |table| {
        number += 1;
        read(table, rules, number - 1, &mut before)
    });
    read.unwrap_or_default().into_iter().flatten().collect()
}

/// One override: the same policy for every order that one of its conditions means.
fn read(
    table: &Table<'_>,
    rules: &Rules,
    number: usize,
    before: &mut Vec<(usize, When)>,
) -> Option<Vec<(When, Policy)>> {
    table.required("when", REMEDY);
    let place = table.any("when").map(|entry| entry.place());
    let whens = table.any("when").filter(|entry| entry.is_table(REMEDY)).and_then(|_| table.table("when", conditions));
    if let (Some(whens), Some(place)) = (&whens, place) {
        let covering =
            |when: &When| before.iter().find(|(_, earlier)| earlier.includes(when)).map(|(number, _)| *number);
        if let Some(covering) = whens.iter().map(covering).collect::<Option<Vec<_>>>()
            && let Some(first) = covering.first()
        {
            place.problem(
                format!("never counts: policy_for[{first}] stands before it and holds for all these orders"),
                "put it before that one, or take it out",
            );
        }
        before.extend(whens.iter().map(|when| (number, when.clone())));
    }
    let mut layer = Layer::over(rules);
    keys::read_for_orders(&mut layer, table);
    if !table.keys().any(|key| key != "when") {
        table.problem("changes nothing", "write the keys that differ for these orders, or take it out");
    }
    let policy = layer.finish().policy();
    Some(whens?.into_iter().map(|when| (when, policy.clone())).collect())
}

/// Every combination of the templates, tags and countries that are named.
fn conditions(table: &Table<'_>) -> Option<Vec<When>> {
    let templates =
        one_of(table, "template", "write its name, as \"invited template list\" shows it", |text| match text {
            "" => Err("is empty".to_owned()),
            name => Ok(name.to_owned()),
        });
    let tags = one_of(table, "tag", "write a tag as the orders have it", |text| match text.trim() {
        "" => Err("is empty".to_owned()),
        tag => Ok(tag.to_owned()),
    });
    let countries = one_of(table, "country", "write its two letters of ISO 3166-1, such as \"DE\"", country);
    if table.keys().next().is_none() {
        table.problem("is empty and holds for every order", REMEDY);
        return None;
    }
    let mut whens = Vec::new();
    for template in templates.as_ref()? {
        for tag in tags.as_ref()? {
            for country in countries.as_ref()? {
                whens.push(When { template: template.clone(), tag: tag.clone(), country: country.clone() });
            }
        }
    }
    Some(whens)
}

/// The texts of a condition, or one that asks for nothing where it is not written; `None` when one of them is wrong.
fn one_of(
    table: &Table<'_>,
    key: &'static str,
    remedy: &str,
    read: impl Fn(&str) -> Result<String, String>,
) -> Option<Vec<Option<String>>> {
    if table.any(key).is_none() {
        return Some(vec![None]);
    }
    let entries = table.strings(key)?;
    if entries.is_empty() {
        problem_at(table, key, "is empty and would hold for no order", "name at least one, or leave it out");
        return None;
    }
    let value = |entry: Entry<'_, &str>| entry.check(remedy, |text| read(text)).map(Some);
    entries.into_iter().map(value).collect::<Vec<_>>().into_iter().collect()
}

fn country(text: &str) -> Result<String, String> {
    Places::shipped().code(text).map(str::to_owned).ok_or_else(|| format!("{text:?} is no country"))
}
