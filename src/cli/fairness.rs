//! `invited fairness`: what a shop shows to prove that it does not pick its reviewers.

use clap::Args;

use super::output::one_line;
use super::stats::days_since;
use super::suppress::shop;
use super::{ConfigArg, Desk, Failure, JsonArg, Output};
use crate::domain::ShopId;
use crate::ops::fairness::{Account, NOT_SHOWN, Part, percent};
use crate::ops::stats::{begin_of, date_of};
use crate::store::Store;

/// Which account is given.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  The last year of every shop:
    invited fairness
  One shop since a day, as a document to hand out:
    invited fairness --shop myshop --since 2026-01-01 --markdown
  For a program:
    invited fairness --since 90d --json")]
pub(super) struct Fairness {
    #[command(flatten)]
    config: ConfigArg,
    #[command(flatten)]
    json: JsonArg,
    /// Only of this shop
    #[arg(long, value_name = "ID")]
    shop: Option<String>,
    /// Of the invitations that began from then on: a date, or a span back from now. Days are counted in UTC
    #[arg(long, value_name = "TIME", default_value = "365d")]
    since: String,
    /// As Markdown
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

/// The first and the last day that is told of.
type Days = (i64, i64);

impl Fairness {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let desk = Desk::open(&self.config).await?;
        let shop = shop(&desk, self.shop.as_deref())?;
        let days = days_since(&desk, &self.since)?;
        let accounts = accounts(&desk, shop.as_ref(), days).await?;
        let mut out = Output::paged();
        if self.json.json {
            for account in &accounts {
                out.json(&json(account, days))?;
            }
            return Ok(());
        }
        if accounts.is_empty() {
            out.line(format!("No invitation has begun since {}.", date_of(days.0)))?;
        }
        for account in &accounts {
            match self.markdown {
                true => markdown(account, days, &mut out)?,
                false => plain(account, days, &mut out)?,
            }
        }
        Ok(())
    }
}

/// The accounts of every shop with an invitation that began on these days.
async fn accounts(desk: &Desk, shop: Option<&ShopId>, days: Days) -> Result<Vec<Account>, Failure> {
    let figures = desk.store.figures(days.0, shop).await?;
    let sums = desk.store.watch_figures().await?.sums;
    let mut shops =
        figures.iter().filter(|figure| figure.name == "begun").map(|figure| figure.shop.clone()).collect::<Vec<_>>();
    shops.sort();
    shops.dedup();
    let mut accounts = Vec::with_capacity(shops.len());
    for shop in shops {
        let stopped = desk.store.stopped_by_people(begin_of(days.0), Some(&shop)).await?;
        let sum = sums.iter().find(|sum| sum.shop == shop);
        accounts.push(Account::of(&shop, &figures, days.0, &stopped, sum));
    }
    Ok(accounts)
}

/// A table of the account, in words.
struct Section {
    title: String,
    heading: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

/// Everything that is told in tables; those that would be empty are left out.
fn sections(account: &Account) -> Vec<Section> {
    let share = |n: u64| percent(account.share(n));
    let told = |part: &Part| account.part(*part) > 0 || matches!(part, Part::Invited | Part::Dropped | Part::ByHand);
    let mut parts = Part::ALL
        .iter()
        .filter(|part| told(part))
        .map(|part| {
            let n = account.part(*part);
            vec![part.words().to_owned(), n.to_string(), share(n)]
        })
        .collect::<Vec<_>>();
    parts.push(vec!["all invitations that began".to_owned(), account.begun.to_string(), share(account.begun)]);
    let mut rules = account
        .rules
        .iter()
        .map(|(rule, n)| vec![rule.to_string(), rule.sentence().to_owned(), n.to_string(), share(*n)])
        .collect::<Vec<_>>();
    if account.dropped_undone > 0 {
        let what = "dropped first, but the order was cancelled later, or a letter went all the same";
        rules.push(vec!["(undone)".to_owned(), what.to_owned(), format!("-{}", account.dropped_undone), String::new()]);
    }
    let hands = account.by_hand.iter().map(|hand| {
        let reason = hand.reason.as_deref().unwrap_or("(no reason given)");
        vec![
            hand.actor.clone(),
            reason.to_owned(),
            hand.invitations.to_string(),
            hand.without_letter.to_string(),
            share(hand.invitations),
        ]
    });
    let begun_by_hand = [
        ("begun anew after one of the same order had ended", account.reinvited),
        ("asked for by hand or by an imported file", account.invited_by_hand),
    ];
    let begun_by_hand = begun_by_hand.into_iter().filter(|(_, n)| *n > 0);
    let all = [
        Section {
            title: "What became of them".to_owned(),
            heading: vec!["INVITATIONS THAT", "HOW MANY", "SHARE"],
            rows: parts,
        },
        Section {
            title: "Dropped by a rule that asks nothing about the customer's mood".to_owned(),
            heading: vec!["RULE", "WHAT IT SAYS", "HOW MANY", "SHARE"],
            rows: rules,
        },
        Section {
            title: "Cancelled by hand, by person and reason, also after a letter".to_owned(),
            heading: vec!["WHO", "REASON", "HOW MANY", "WITHOUT LETTER", "SHARE"],
            rows: hands.collect(),
        },
        Section {
            title: "Begun by hand".to_owned(),
            heading: vec!["INVITATIONS", "HOW MANY", "SHARE"],
            rows: begun_by_hand.map(|(what, n)| vec![what.to_owned(), n.to_string(), share(n)]).collect(),
        },
    ];
    all.into_iter().filter(|section| !section.rows.is_empty()).collect()
}

fn title(account: &Account, (first, last): Days) -> String {
    format!(
        "Fairness of {}: the {} that began from {} to {} (days in UTC)",
        account.shop,
        super::output::count(usize::try_from(account.begun).unwrap_or(usize::MAX), "invitation"),
        date_of(first),
        date_of(last)
    )
}

/// What looks like picking; a sentence of its own when nothing does.
fn flags(account: &Account) -> Vec<String> {
    let flags = account.flags();
    if flags.is_empty() { vec!["nothing that looks like picking".to_owned()] } else { flags }
}

fn plain(account: &Account, days: Days, out: &mut Output) -> Result<(), Failure> {
    out.line(title(account, days))?;
    for section in sections(account) {
        out.line(format!("\n{}", section.title))?;
        out.table(&section.heading, section.rows)?;
    }
    out.line("\nWhat to look at")?;
    for flag in flags(account) {
        out.line(format!("  - {flag}"))?;
    }
    out.line("\nWhat this does not show")?;
    for what in NOT_SHOWN {
        out.line(format!("  - {what}"))?;
    }
    out.line("")?;
    Ok(())
}

fn markdown(account: &Account, days: Days, out: &mut Output) -> Result<(), Failure> {
    out.line(format!("# {}", title(account, days)))?;
    for section in sections(account) {
        out.line(format!("\n## {}\n", section.title))?;
        let row = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
        let heading = section.heading.iter().map(|cell| lower(cell)).collect();
        out.line(row(heading))?;
        let is_number = |column: &str| matches!(column, "HOW MANY" | "WITHOUT LETTER" | "SHARE");
        let rule = section.heading.iter().map(|column| if is_number(column) { "--:" } else { "---" }.to_owned());
        out.line(row(rule.collect()))?;
        for cells in section.rows {
            out.line(row(cells.iter().map(|cell| escaped(cell)).collect()))?;
        }
    }
    out.line("\n## What to look at\n")?;
    for flag in flags(account) {
        out.line(format!("- {}", escaped(&flag)))?;
    }
    out.line("\n## What this does not show\n")?;
    for what in NOT_SHOWN {
        out.line(format!("- {what}"))?;
    }
    out.line("")?;
    Ok(())
}

fn lower(heading: &str) -> String {
    let mut letters = heading.to_lowercase().chars().collect::<Vec<_>>();
    if let Some(first) = letters.first_mut() {
        first.make_ascii_uppercase();
    }
    letters.into_iter().collect()
}

/// A cell whose text means nothing to Markdown or to HTML, whoever wrote it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in one_line(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '!' | '#' | '~' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// The names are a contract.
fn json(account: &Account, (first, last): Days) -> serde_json::Value {
    let parts = account.parts.iter().map(|(part, n)| (part.as_str().to_owned(), (*n).into()));
    let rules = account.rules.iter().map(|(rule, n)| (rule.as_str().to_owned(), (*n).into()));
    let hands = account.by_hand.iter().map(|hand| {
        serde_json::json!({
            "actor": hand.actor,
            "reason": hand.reason,
            "invitations": hand.invitations,
            "without_letter": hand.without_letter,
        })
    });
    serde_json::json!({
        "shop": account.shop,
        "from": date_of(first).to_string(),
        "to": date_of(last).to_string(),
        "begun": account.begun,
        "became": parts.collect::<serde_json::Map<_, _>>(),
        "dropped_by": rules.collect::<serde_json::Map<_, _>>(),
        "dropped_undone": account.dropped_undone,
        "by_hand": hands.collect::<Vec<_>>(),
        "reinvited": account.reinvited,
        "invited_by_hand": account.invited_by_hand,
        "copies_discarded": account.discarded.0,
        "flags": account.flags(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_wrote_means_nothing_in_a_document() {
        assert_eq!(escaped("a|b <img src=x> [l](u) \x1b"), "a\\|b &lt;img src=x> \\[l\\](u) \\\\u{1b}");
    }
}
