//! What was read from a mail, marked in its text: in colour on a terminal, in brackets elsewhere.

use aho_corasick::{AhoCorasick, MatchKind};

use crate::domain::{Field, Reading};

/// Values that are marked, at most: a mail with more candidates is beyond a person's eye too.
const MARKS: usize = 100;

/// Marks values in lines of text.
pub(super) struct Marker {
    finder: Option<AhoCorasick>,
    labels: Vec<Label>,
    has_colours: bool,
}

/// What a value is.
struct Label {
    field: Field,
    /// Whether it was taken, or only found.
    is_taken: bool,
}

impl Marker {
    /// For what was read. A field that nothing was taken for has candidates only.
    pub(super) fn new(reading: &Reading, has_colours: bool) -> Self {
        let mut values: Vec<String> = Vec::new();
        let mut labels = Vec::new();
        for finding in &reading.findings {
            // What is said about the mail, and values that stand otherwise in it.
            let elsewhere = [
                Field::Event,
                Field::Locale,
                Field::Country,
                Field::PreferredSendTime,
                Field::Tags,
                Field::Consent,
                Field::Remark,
            ];
            if elsewhere.contains(&finding.field) {
                continue;
            }
            let parts = if finding.field == Field::Products {
                finding.value.split("; ").collect()
            } else {
                vec![finding.value.as_str()]
            };
            for value in parts {
                let is_new = !values.iter().any(|known| known.eq_ignore_ascii_case(value));
                if is_new && value.chars().count() > 1 && values.len() < MARKS {
                    values.push(value.to_owned());
                    labels.push(Label { field: finding.field, is_taken: is_taken(reading, finding.field, value) });
                }
            }
        }
        let finder =
            AhoCorasick::builder().ascii_case_insensitive(true).match_kind(MatchKind::LeftmostLongest).build(&values);
        Self { finder: finder.ok().filter(|_| !values.is_empty()), labels, has_colours }
    }

    /// The line with its marks.
    pub(super) fn mark(&self, line: &str) -> String {
        let Some(finder) = &self.finder else { return line.to_owned() };
        let mut marked = String::with_capacity(line.len());
        let mut end = 0;
        for found in finder.find_iter(line) {
            let Some(label) = self.labels.get(found.pattern().as_usize()) else { continue };
            if !is_whole(line, found.start(), found.end()) {
                continue;
            }
            marked.push_str(&line[end..found.start()]);
            self.push(&mut marked, &line[found.start()..found.end()], label);
            end = found.end();
        }
        marked.push_str(&line[end..]);
        marked
    }

    fn push(&self, marked: &mut String, value: &str, label: &Label) {
        let (field, sure) = (label.field, if label.is_taken { ":" } else { "?" });
        if self.has_colours {
            let colour = if label.is_taken { "1;32" } else { "1;33" };
            let doubt = if label.is_taken { "" } else { "?" };
            *marked += &format!("\x1b[{colour}m{value}\x1b[0m\x1b[2m[{field}{doubt}]\x1b[0m");
        } else {
            *marked += &format!("[{field}{sure} {value}]");
        }
    }
}

/// Whether a value is the one that counts.
fn is_taken(reading: &Reading, field: Field, value: &str) -> bool {
    match field {
        Field::Reference => reading.reference.as_ref().is_some_and(|taken| taken.as_str() == value),
        Field::CustomerEmail => reading.customer_email.as_ref().is_some_and(|taken| taken.as_str() == value),
        Field::CustomerName => reading.customer_name.as_ref().is_some_and(|taken| taken.as_str() == value),
        Field::OrderDate => reading.order_date.as_ref().is_some_and(|taken| taken.as_str() == value),
        Field::Products => reading.products.iter().any(|product| product.name == value),
        _ => true,
    }
}

/// Whether what was found stands alone, and is no part of a longer number or word.
fn is_whole(line: &str, start: usize, end: usize) -> bool {
    let inside = &line[start..end];
    let joins = |one: Option<char>, other: Option<char>| {
        one.is_some_and(char::is_alphanumeric) && other.is_some_and(char::is_alphanumeric)
    };
    !joins(line[..start].chars().next_back(), inside.chars().next())
        && !joins(inside.chars().next_back(), line[end..].chars().next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Finding, Layer, OrderReference, Outcome};

    fn reading(found: &[(Field, &str)], reference: Option<&str>) -> Reading {
        let finding = |(field, value): &(Field, &str)| Finding {
            field: *field,
            value: (*value).to_owned(),
            layer: Layer::Template,
            rule: "x".to_owned(),
        };
        Reading {
            findings: found.iter().map(finding).collect(),
            reference: reference.and_then(OrderReference::parse),
            ..Reading::without_findings(Outcome::Held, "unclear")
        }
    }

    #[test]
    fn values_are_marked_where_they_stand_alone() {
        let found = [(Field::Reference, "1001"), (Field::Reference, "77"), (Field::CustomerName, "Anna Ek")];
        let marker = Marker::new(&reading(&found, Some("1001")), false);
        for (line, marked) in [
            ("Order #1001, invoice 77", "Order #[reference: 1001], invoice [reference? 77]"),
            ("10010 or 91001 or 1001b", "10010 or 91001 or 1001b"),
            ("anna ek and Anna Ekman", "[customer_name? anna ek] and Anna Ekman"),
            ("\u{e5}1001 \u{2014} \u{201e}1001\u{201c}", "\u{e5}1001 \u{2014} \u{201e}[reference: 1001]\u{201c}"),
            ("", ""),
        ] {
            assert_eq!(marker.mark(line), marked);
        }
    }

    #[test]
    fn what_is_no_text_of_the_mail_is_not_marked_and_products_are_marked_one_by_one() {
        let found = [(Field::Event, "order"), (Field::Locale, "en"), (Field::Products, "Blue Jug; Red Jug")];
        let marker = Marker::new(&reading(&found, None), false);
        assert_eq!(marker.mark("order en: Red Jug"), "order en: [products? Red Jug]");
        assert_eq!(Marker::new(&reading(&[], None), false).mark("order 1"), "order 1");
    }

    #[test]
    fn on_a_terminal_a_value_is_coloured_by_whether_it_was_taken() {
        let found = [(Field::Reference, "1001"), (Field::Reference, "77")];
        let marker = Marker::new(&reading(&found, Some("1001")), true);
        assert_eq!(
            marker.mark("1001 77"),
            "\x1b[1;32m1001\x1b[0m\x1b[2m[reference]\x1b[0m \x1b[1;33m77\x1b[0m\x1b[2m[reference?]\x1b[0m"
        );
    }
}
