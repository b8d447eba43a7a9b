//! Where the customer's name stands: in an address under its heading, at a label, in the greeting.

use super::anchors::{flexible, places};
use super::rule::{Ground, Look, Rule, WEAK};
use super::view::View;
use crate::read::lexicon::Lexicon;
use crate::read::template::Trial;
use crate::read::words::fold;

/// Lines at the start of a body among which the greeting is.
const GREETING: usize = 20;
/// Lines above a name among which the heading of its address is.
const ADDRESS: usize = 4;
/// A name, as a greeting or a line has it.
const NAME: &str = r"(?P<value>[^\n,!:、。！]{1,60}?)";
/// The words of all languages that stand before a name, and what may follow it.
const SALUTED: &str = r"(?m)^{salutation}\s+(?P<value>[^\n,!:、。！]{1,60}?)\s*[,!:.]?$";

/// Everything that may tell where the name stands in a sample.
pub(super) fn anchors(view: &View, ground: &Ground<'_>) -> Vec<Rule> {
    let Some(name) = view.name.as_ref().map(|name| name.as_str()) else { return Vec::new() };
    let lexicon = ground.lexicon;
    let greeting = greeting(view, name, ground);
    let mut rules = Vec::new();
    for text in &view.body.texts {
        for (number, line) in text.lines.iter().enumerate() {
            for at in places(line, name).into_iter().take(1) {
                let (before, after) = (&line[..at], &line[at + name.len()..]);
                if number < GREETING && view.is_plain(before) && view.is_plain(after) {
                    rules.extend(line_rule(view, before, after, lexicon));
                }
                labelled(view, before, after, lexicon, &mut rules);
                if before.trim().is_empty() && after.trim().is_empty() {
                    let above = text.lines.get(number.saturating_sub(ADDRESS)..number).unwrap_or_default();
                    rules.extend(address(above, greeting.as_deref(), lexicon));
                    let heads = above.last().into_iter();
                    rules.extend(heads.filter_map(|head| beside(view, head, "below", lexicon)));
                }
            }
        }
        for cell in text.cells.iter().filter(|cell| text.cell(cell) == name) {
            let left = text.cells.iter().filter(|one| one.row == cell.row && one.column < cell.column && !one.lines.is_empty());
            let left = left.max_by_key(|one| one.column);
            rules.extend(left.and_then(|left| beside(view, &text.cell(left), "right", lexicon)));
        }
    }
    rules
}

/// In a line of its own words: `Hello Ylva Holm,`, `山田 太郎 様`.
fn line_rule(view: &View, before: &str, after: &str, lexicon: &Lexicon) -> Option<Rule> {
    let salutation = before.trim();
    let saluted = lexicon.labels("salutation").iter().any(|label| label.is(salutation));
    if saluted && after.chars().all(|c| ",!:. ".contains(c)) {
        let words = "the name in the first lines, after a salutation".to_owned();
        return Some(Rule::new(Look::Text(SALUTED.to_owned()), None, 1, words));
    }
    let letters = |text: &str| text.chars().filter(|c| c.is_alphabetic()).count();
    let after = after.trim_end();
    let suffix = lexicon.labels("salutation_after").iter().any(|label| after.trim().starts_with(&label.text));
    if (letters(before) < 3 && !suffix) || letters(after) > 20 || !view.is_plain(before) {
        return None;
    }
    let pattern = format!("(?m)^{}{NAME}{}$", flexible(before), flexible(after));
    let shown = if letters(before) > 0 { before.trim() } else { after.trim() };
    Some(Rule::new(Look::Text(pattern), None, 2, format!("the name in the line with {shown:?}")))
}

/// After a label in the same line: `Customer: Ylva Holm`.
fn labelled(view: &View, before: &str, after: &str, lexicon: &Lexicon, rules: &mut Vec<Rule>) {
    let label = before.trim().trim_end_matches([':', '：', ' ']);
    if label.len() == before.trim().len() || !after.trim().is_empty() || !fits(view, label) {
        return;
    }
    let known = is_name_label(label, lexicon);
    let look = Look::Label { label: label.to_owned(), place: "after" };
    let rank = if known { 1 } else { 3 };
    rules.push(Rule::new(look, None, rank, format!("the name in the same line after {label:?}")));
}

/// In a cell or line of its own, at a label that is known to stand at names.
fn beside(view: &View, label: &str, place: &'static str, lexicon: &Lexicon) -> Option<Rule> {
    let label = label.trim().trim_end_matches([':', '：', ' ']);
    if !fits(view, label) || !is_name_label(label, lexicon) {
        return None;
    }
    let look = Look::Label { label: label.to_owned(), place };
    let direction = if place == "right" { "in the cell to the right of" } else { "below" };
    Some(Rule::new(look, None, 1, format!("the name {direction} {label:?}")))
}

fn is_name_label(label: &str, lexicon: &Lexicon) -> bool {
    lexicon.labels("customer_name").iter().any(|known| known.is(label))
}

fn fits(view: &View, label: &str) -> bool {
    (1..=5).contains(&label.split_whitespace().count()) && label.chars().any(char::is_alphabetic) && view.is_plain(label)
}

/// Under the heading of an address; with a greeting, which tells which of its lines is the person.
fn address(above: &[String], greeting: Option<&str>, lexicon: &Lexicon) -> Option<Rule> {
    let heading = |list: &str| {
        above.iter().rev().find(|line| lexicon.labels(list).iter().any(|label| label.is(line.trim_end_matches([':', ' ']))))
    };
    let (head, billed) = match (heading("billing_address"), heading("shipping_address")) {
        (Some(head), _) => (head, true),
        (None, Some(head)) => (head, false),
        (None, None) => return None,
    };
    let head = head.trim().trim_end_matches([':', '：', ' ']);
    let look = Look::Label { label: head.to_owned(), place: "address" };
    // Without a greeting the first line is taken, which may be a company; and a parcel may go to somebody else.
    let rank = match (greeting.is_some(), billed) {
        (true, true) => 0,
        (true, false) => 1,
        (false, true) => 3,
        (false, false) => WEAK,
    };
    let mut rule = Rule::new(look, None, rank, format!("the line of the address under {head:?} that is the person"));
    rule.greeting = greeting.map(str::to_owned);
    Some(rule)
}

/// A pattern for what the first lines call the customer: the name, or one of its words.
fn greeting(view: &View, name: &str, ground: &Ground<'_>) -> Option<String> {
    let words = name.split(' ').filter(|word| word.chars().count() > 1);
    let calls = std::iter::once(name).chain(words).collect::<Vec<_>>();
    let mut patterns = vec![SALUTED.to_owned()];
    for line in view.body.texts.iter().flat_map(|text| text.lines.iter().take(GREETING)) {
        for call in &calls {
            let Some(at) = places(line, call).first().copied() else { continue };
            let (before, after) = (&line[..at], &line[at + call.len()..]);
            let letters = before.chars().filter(|c| c.is_alphabetic()).count();
            if letters >= 2 && after.chars().all(|c| ",!:. ".contains(c)) && view.is_plain(before) && before.contains(' ') {
                patterns.push(format!("(?m)^{}{NAME}{}$", flexible(before), flexible(after)));
            }
        }
    }
    let fits = |pattern: &&String| {
        let trial = Trial::of(&format!("[[greeting]]\ntext = '{pattern}'\n"), ground.lexicon);
        let sight = ground.sights.get(view.number - 1);
        let found = trial.zip(sight).and_then(|(trial, sight)| trial.greeting(sight));
        found.is_some_and(|found| calls.iter().any(|call| fold(call) == fold(&found)))
    };
    patterns.iter().find(fits).cloned()
}
