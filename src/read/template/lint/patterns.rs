//! Patterns that cannot match, mean something else than their author thought, or read more than they should. What a pattern means
//! is asked of the parser that `regex` itself uses.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// More characters than this, line ends among them, are nearly any.
const NEARLY_ANY: usize = 10_000;

/// What is doubtful about a pattern, each with its remedy. `lines`: it is looked for in a text of many lines. `groups`: the names
/// that its groups may have; with none they do not matter. `needs_name`: it finds nothing without a group `name`.
pub(super) fn doubts(pattern: &str, lines: bool, groups: &[&str], needs_name: bool) -> Vec<(String, String)> {
    let Ok(hir) = ParserBuilder::new().nest_limit(50).build().parse(pattern) else { return Vec::new() };
    let mut doubts = Vec::new();
    let mut add = |what: String, remedy: &str| doubts.push((what, remedy.to_owned()));
    if let Some(why) = dead(&hir, 0, 0) {
        add(format!("cannot match: {why}"), "mend or leave out that part; (?m) makes ^ and $ the ends of lines");
    } else if lines && is_anchored(&hir) && !pattern.contains("\\A") && !pattern.contains("\\z") {
        add(
            "^ or $ is an end of the whole text here, not of a line".to_owned(),
            "begin with (?m) for lines, or write \\A and \\z if the text is meant",
        );
    }
    if let Some(why) = costly(&hir) {
        add(why.to_owned(), "bound it, such as {0,200}");
    }
    let mut names = Vec::new();
    captures(&hir, &mut names);
    if !groups.is_empty() {
        for name in names.iter().filter(|name| !groups.contains(&name.as_str())) {
            add(format!("the group {name:?} is not looked at"), &format!("the groups are {}", groups.join(", ")));
        }
    }
    let has = |name: &str| names.iter().any(|known| known == name);
    if groups.contains(&"first") && has("first") != has("last") {
        add("the groups first and last count only together".to_owned(), "name both, or use the group value");
    }
    if needs_name && !has("name") {
        add("cannot find anything: it has no group name".to_owned(), "write (?P<name>…) around the product's name");
    }
    doubts
}

/// Why a pattern, or one of its alternatives, cannot match when at least so many bytes go before and after it.
fn dead(hir: &Hir, before: usize, after: usize) -> Option<&'static str> {
    match hir.kind() {
        HirKind::Class(class) if class.maximum_len().is_none() => Some("a class holds no character"),
        HirKind::Look(Look::Start) if before > 0 => Some("something goes before ^"),
        HirKind::Look(Look::End) if after > 0 => Some("something comes after $"),
        HirKind::Capture(capture) => dead(&capture.sub, before, after),
        HirKind::Repetition(repetition) => dead(&repetition.sub, before, after),
        HirKind::Alternation(all) => all.iter().find_map(|one| dead(one, before, after)),
        HirKind::Concat(all) => all.iter().enumerate().find_map(|(index, one)| {
            let (left, right) = (&all[..index], &all[index + 1..]);
            match one.kind() {
                HirKind::Look(Look::StartLF) if left.last().is_some_and(|hir| !may_be_line_end(hir)) => {
                    Some("^ begins a line, and what goes before it on the same line must be there")
                }
                HirKind::Look(Look::EndLF) if right.first().is_some_and(|hir| !may_be_line_end(hir)) => {
                    Some("$ ends a line, and what comes after it on the same line must be there")
                }
                _ => dead(one, before + length(left), after + length(right)),
            }
        }),
        _ => None,
    }
}

/// The fewest bytes that these match together.
fn length(all: &[Hir]) -> usize {
    all.iter().map(|hir| hir.properties().minimum_len().unwrap_or(0)).sum()
}

/// Whether something may match nothing, or have a line end in it.
fn may_be_line_end(hir: &Hir) -> bool {
    if hir.properties().minimum_len().unwrap_or(0) == 0 {
        return true;
    }
    match hir.kind() {
        HirKind::Literal(literal) => literal.0.contains(&b'\n'),
        HirKind::Class(class) => has_line_end(class),
        HirKind::Capture(capture) => may_be_line_end(&capture.sub),
        HirKind::Repetition(repetition) => may_be_line_end(&repetition.sub),
        HirKind::Alternation(all) | HirKind::Concat(all) => all.iter().any(may_be_line_end),
        HirKind::Empty | HirKind::Look(_) => true,
    }
}

fn has_line_end(class: &Class) -> bool {
    match class {
        Class::Unicode(class) => class.iter().any(|range| range.start() <= '\n' && '\n' <= range.end()),
        Class::Bytes(class) => class.iter().any(|range| range.start() <= b'\n' && b'\n' <= range.end()),
    }
}

/// Whether a pattern has an anchor of the whole text.
fn is_anchored(hir: &Hir) -> bool {
    let looks = hir.properties().look_set();
    looks.contains(Look::Start) || looks.contains(Look::End)
}

/// Why a pattern reads more than it should. One search takes time linear in the text, but with these parts it always goes to its
/// end, and which of many ways of matching is taken nobody can tell.
fn costly(hir: &Hir) -> Option<&'static str> {
    let wide = wide(hir);
    if nested(hir, false) {
        Some("a repetition without end stands in another one")
    } else if wide > 1 {
        Some("two repetitions without end go over line ends")
    } else if wide == 1 && begins_wide(hir) {
        Some("begins with anything without end, so that it always reads the whole text")
    } else {
        None
    }
}

/// Whether a repetition without end stands directly in another one.
fn nested(hir: &Hir, inside: bool) -> bool {
    match hir.kind() {
        HirKind::Repetition(repetition) => {
            let endless = repetition.max.is_none();
            (inside && endless) || nested(&repetition.sub, endless)
        }
        HirKind::Capture(capture) => nested(&capture.sub, inside),
        HirKind::Alternation(all) => all.iter().any(|one| nested(one, inside)),
        // What stands beside it keeps the turns apart, unless it may be nothing.
        HirKind::Concat(all) => all.iter().enumerate().any(|(index, one)| {
            let alone =
                all.iter().enumerate().all(|(other, hir)| other == index || length(std::slice::from_ref(hir)) == 0);
            nested(one, inside && alone)
        }),
        _ => false,
    }
}

/// How many repetitions without end match nearly anything, line ends too, on the way through a pattern.
fn wide(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Repetition(repetition) if repetition.max.is_none() && is_nearly_any(&repetition.sub) => 1,
        HirKind::Repetition(repetition) => wide(&repetition.sub),
        HirKind::Capture(capture) => wide(&capture.sub),
        HirKind::Alternation(all) => all.iter().map(wide).max().unwrap_or(0),
        HirKind::Concat(all) => all.iter().map(wide).sum(),
        _ => 0,
    }
}

fn begins_wide(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Repetition(_) => wide(hir) > 0,
        HirKind::Capture(capture) => begins_wide(&capture.sub),
        HirKind::Concat(all) => all.iter().find(|hir| !matches!(hir.kind(), HirKind::Look(_))).is_some_and(begins_wide),
        _ => false,
    }
}

fn is_nearly_any(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Class(class @ Class::Unicode(set)) => {
            let size = set.iter().map(|range| range.len()).sum::<usize>();
            size > NEARLY_ANY && has_line_end(class)
        }
        HirKind::Capture(capture) => is_nearly_any(&capture.sub),
        _ => false,
    }
}

fn captures(hir: &Hir, names: &mut Vec<String>) {
    match hir.kind() {
        HirKind::Capture(capture) => {
            names.extend(capture.name.as_deref().map(str::to_owned));
            captures(&capture.sub, names);
        }
        HirKind::Repetition(repetition) => captures(&repetition.sub, names),
        HirKind::Alternation(all) | HirKind::Concat(all) => all.iter().for_each(|one| captures(one, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pattern: &str, lines: bool) -> String {
        let doubts = doubts(pattern, lines, &["value", "first", "last"], false);
        doubts.into_iter().map(|(what, _)| what).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn patterns_that_cannot_match_are_known() {
        for (pattern, words) in [
            ("a^b", "cannot match: something goes before ^"),
            ("a$b", "cannot match: something comes after $"),
            (r"^a$\n^b$", "cannot match: something comes after $"),
            (r"(?:x|a$)b", "cannot match: something comes after $"),
            (r"(?m)a^b", "cannot match: ^ begins a line"),
            (r"(?m)a$ b", "cannot match: $ ends a line"),
            (r"[a&&b]c", "cannot match: a class holds no character"),
            (r"(?m)^a$\n^b$", ""),
            (r"(?m)a\s*^b", ""),
            (r"(?m)^a$[^x]b", ""),
            ("a?^b", ""),
            ("^a$", ""),
        ] {
            assert!(told(pattern, false).starts_with(words), "{pattern}: {}", told(pattern, false));
            assert_eq!(told(pattern, false).is_empty(), words.is_empty(), "{pattern}: {}", told(pattern, false));
        }
    }

    #[test]
    fn the_ends_of_a_whole_text_are_seldom_meant() {
        assert!(told(r"^Order (\d+)$", true).contains("not of a line"));
        for pattern in [r"(?m)^Order (\d+)$", r"\AOrder (\d+)", r"Order (\d+)"] {
            assert_eq!(told(pattern, true), "", "{pattern}");
        }
    }

    #[test]
    fn patterns_that_read_too_much_are_known() {
        for (pattern, words) in [
            (r"(?:a+)+b", "stands in another one"),
            (r"(?:a*b?)*c", "stands in another one"),
            (r"(?s)order.*number.*(\d+)", "two repetitions"),
            (r"order[^<]*<[^>]*>(\d+)", "two repetitions"),
            (r"(?s).*order (\d+)", "begins with anything"),
            (r"(?s)^.*order (\d+)", "begins with anything"),
            (r"(?s)order.*(\d+)", ""),
            (r"order .* number .* (\d+)", ""),
            (r"(?:\s+\S+)*x", ""),
            (r"(?s)order.{0,200}number.{0,200}(\d+)", ""),
        ] {
            assert!(told(pattern, false).contains(words), "{pattern}: {}", told(pattern, false));
            assert_eq!(told(pattern, false).is_empty(), words.is_empty(), "{pattern}: {}", told(pattern, false));
        }
    }

    #[test]
    fn groups_that_nobody_looks_at_are_known() {
        assert!(told(r"(?P<vaule>\d+)", false).contains("the group \"vaule\" is not looked at"));
        assert!(told(r"(?P<first>\w+) (\w+)", false).contains("only together"));
        assert_eq!(told(r"(?P<first>\w+), (?P<last>\w+)", false), "");
        assert!(doubts(r"(\w+) x \d+", false, &["name"], true)[0].0.contains("no group name"));
        assert!(doubts(r"(?P<x>\w+)", false, &[], false).is_empty());
    }
}
