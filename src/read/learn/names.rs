//! Where the customer's name stands: in an address under its heading, at a label, in the greeting.

use super::anchors::{flexible, places};
use super::rule::{Ground, Look, Rule};
use super::view::View;
use crate::read::lexicon::Lexicon;
use crate::read::words::fold;

/// Lines at the start of a body among which the greeting is.
const GREETING: usize = 20;
/// Lines above a name among which the heading of its address is.
const ADDRESS: usize = 4;
/// Words of the line below a name that a pattern has.
const NEXT: usize = 5;
/// A name, as a greeting or a line has it.
const NAME: &str = r"(?P<value>[^\n,!:：、。！]{1,60}?)";
/// The words of all languages that stand before a name, and what may follow it.
const SALUTED: &str = r"(?m)^{salutation}\s+(?P<value>[^\n,!:：、。！]{1,60}?)\s*[,!:.]?$";

/// The same with forms of address between them.
const TITLED: &str = r"(?m)^{salutation}\s+(?:{titles}\s+){1,2}(?P<value>[^\n,!:：、。！]{1,60}?)\s*[,!:.]?$";

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
                    let next = text.lines.get(number + 1).map(String::as_str);
                    rules.extend(next.and_then(|next| above_words(view, before, after, next)).map(|pattern| {
                        Rule::new(
                            Look::Text(pattern),
                            None,
                            2,
                            "the name in a line of its own, before the first sentence",
                        )
                    }));
                }
                labelled(view, before, after, lexicon, &mut rules);
                let above = text.lines.get(number.saturating_sub(ADDRESS)..number).unwrap_or_default();
                rules.extend(titled(above, before, after, lexicon));
                if before.trim().is_empty() && after.trim().is_empty() {
                    rules.extend(greeting.as_deref().and_then(|greeting| address(above, greeting, lexicon)));
                    let heads = above.last().into_iter();
                    rules.extend(heads.filter_map(|head| beside(view, head, "below", lexicon)));
                }
            }
        }
        for cell in text.cells.iter().filter(|cell| text.cell(cell) == name) {
            let left = text
                .cells
                .iter()
                .filter(|one| one.row == cell.row && one.column < cell.column && !one.lines.is_empty());
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
    // An honorific that follows the name.
    let suffix = (1..=3).contains(&after.trim().chars().count())
        && after.trim().chars().all(|c| c >= '\u{2E80}' && c.is_alphabetic());
    let greets = before.trim().contains(' ') || after.ends_with([',', '!', '，', '！']);
    if is_titled(before, lexicon) {
        return greets.then(|| {
            Rule::new(Look::Text(TITLED.to_owned()), None, 1, "the name in the first lines, after a salutation")
        });
    }
    let worded = greets && letters(before) >= 3;
    if !(worded || suffix) || letters(after) > 20 || !view.is_plain(before) {
        return None;
    }
    let pattern = format!("(?m)^{}{NAME}{}$", flexible(before), flexible(after));
    let shown = if letters(before) > 0 { before.trim() } else { after.trim() };
    Some(Rule::new(Look::Text(pattern), None, 2, format!("the name in the line with {shown:?}")))
}

/// Whether a text ends with a form of address.
fn is_titled(before: &str, lexicon: &Lexicon) -> bool {
    let last = before.split_whitespace().next_back();
    last.is_some_and(|last| lexicon.labels("titles").iter().any(|title| title.is(last)))
}

/// In an address under its heading, after a form of address: the company above it has none.
fn titled(above: &[String], before: &str, after: &str, lexicon: &Lexicon) -> Option<Rule> {
    let head = heading(above, "billing_address", lexicon)?;
    if !is_titled(before, lexicon) || before.trim().contains(' ') || !after.trim().is_empty() {
        return None;
    }
    let pattern = format!(r"(?m)^{}\s*[:：]?\n(?:[^\n]{{1,100}}\n){{0,2}}?{}{NAME}$", flexible(head), flexible(before));
    let words = format!("the name after {:?} in the address under {head:?}", before.trim());
    Some(Rule::new(Look::Text(pattern), None, 1, words))
}

/// The heading of an address in the lines above one of its lines.
fn heading<'l>(above: &'l [String], list: &str, lexicon: &Lexicon) -> Option<&'l str> {
    let plain = |line: &'l String| line.trim().trim_end_matches([':', '：', ' ']);
    above.iter().rev().map(plain).find(|line| lexicon.labels(list).iter().any(|label| label.is(line)))
}

/// A pattern for a name in a line of its own, by the words of the next line.
fn above_words(view: &View, before: &str, after: &str, next: &str) -> Option<String> {
    let alone = before.trim().is_empty() && after.chars().all(|c| ",!:.， ".contains(c));
    let cut = next.char_indices().filter(|(_, c)| c.is_whitespace()).nth(NEXT).map_or(next.len(), |(at, _)| at);
    let words = next.get(..cut).unwrap_or_default();
    let telling = words.chars().filter(|c| c.is_alphabetic()).count() >= 8 && view.is_plain(words);
    (alone && telling).then(|| format!("(?m)^{NAME}{}\\n{}", flexible(after.trim_end()), flexible(words)))
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
    (1..=5).contains(&label.split_whitespace().count())
        && label.chars().any(char::is_alphabetic)
        && view.is_plain(label)
}

/// Under the heading of an address, with a greeting, which tells which of its lines is the person: the first may be a company.
fn address(above: &[String], greeting: &str, lexicon: &Lexicon) -> Option<Rule> {
    let (head, billed) = match heading(above, "billing_address", lexicon) {
        Some(head) => (head, true),
        None => (heading(above, "shipping_address", lexicon)?, false),
    };
    let look = Look::Label { label: head.to_owned(), place: "address" };
    let mut rule = Rule::new(
        look,
        None,
        u8::from(!billed),
        format!("the line of the address under {head:?} that is the person, which is the one that the greeting names"),
    );
    rule.greetings.push(greeting.to_owned());
    // Another customer may have another form of address.
    rule.greetings.extend([TITLED, SALUTED].into_iter().filter(|other| *other != greeting).map(str::to_owned));
    Some(rule)
}

/// A pattern for what the first lines call the customer: the name, or one of its words.
fn greeting(view: &View, name: &str, ground: &Ground<'_>) -> Option<String> {
    let words = name.split(' ').filter(|word| word.chars().count() > 1);
    let calls = std::iter::once(name).chain(words).collect::<Vec<_>>();
    let mut patterns = vec![TITLED.to_owned(), SALUTED.to_owned()];
    let lines = view.body.texts.iter().flat_map(|text| {
        let next = text.lines.iter().skip(1).map(String::as_str).chain([""]);
        text.lines.iter().zip(next).take(GREETING)
    });
    for (line, next) in lines {
        for call in &calls {
            let Some(at) = places(line, call).first().copied() else { continue };
            let (before, after) = (&line[..at], &line[at + call.len()..]);
            patterns.extend(above_words(view, before, after, next));
            let letters = before.chars().filter(|c| c.is_alphabetic()).count();
            if letters >= 2
                && after.chars().all(|c| ",!:. ".contains(c))
                && view.is_plain(before)
                && before.contains(' ')
            {
                patterns.push(format!("(?m)^{}{NAME}{}$", flexible(before), flexible(after)));
            }
        }
    }
    let fits = |pattern: &&String| {
        let trial = ground.trial(&format!("[[greeting]]\ntext = '{pattern}'\n"));
        let sight = ground.sights.get(view.number - 1);
        let found = trial.zip(sight).and_then(|(trial, sight)| trial.greeting(sight));
        found.is_some_and(|found| calls.iter().any(|call| fold(call) == fold(&found)))
    };
    patterns.iter().find(fits).cloned()
}
