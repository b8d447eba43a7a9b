//! The learnt rules as the file that a person reads, mends and keeps.

use super::kind::Kind;
use super::products::Products;
use super::rule::{Rule, checked, quoted};
use crate::domain::EventKind;

/// Everything that goes into the file.
pub(super) struct Parts<'p> {
    pub(super) name: &'p str,
    pub(super) title: &'p str,
    /// The key of phrases and labels.
    pub(super) language: &'p str,
    pub(super) event: EventKind,
    pub(super) kind: &'p Kind,
    /// How many samples there were.
    pub(super) samples: usize,
    pub(super) references: &'p [Rule],
    pub(super) emails: &'p [Rule],
    pub(super) names: &'p [Rule],
    pub(super) dates: &'p [Rule],
    pub(super) products: Option<&'p Products>,
}

/// What the rules of a mail stand under.
const PREFIX: &str = "mail.";

/// The file.
pub(super) fn write(parts: &Parts<'_>) -> String {
    let mut out = head(parts);
    let mut labels = String::new();
    let mut rules = String::new();
    let fields = [
        ("reference", parts.references),
        ("customer_email", parts.emails),
        ("customer_name", parts.names),
        ("order_date", parts.dates),
    ];
    for (key, list) in fields {
        for (number, rule) in list.iter().enumerate() {
            let name = if number == 0 { format!("{key}_label") } else { format!("{key}_label_{}", number + 1) };
            labels.push_str(&rule.labels_toml(&name, parts.language).unwrap_or_default());
            rules.push_str(&format!(
                "\n# Looks for {}. {}\n{}",
                rule.words,
                seen(&rule.samples, parts.samples),
                rule.toml(PREFIX, key, &name)
            ));
        }
        match key {
            "customer_email" if list.is_empty() => rules.push_str("\n# The customer's address is the one in To.\n"),
            "customer_name" if list.is_empty() => {
                rules.push_str(
                    "\n# There is no rule for the name: it is read as in mails of shops that are not known.\n",
                );
            }
            _ => {}
        }
    }
    if let Some(products) = parts.products {
        labels.push_str(&products.labels);
        let all = (1..=parts.samples).collect::<Vec<_>>();
        rules.push_str(&format!(
            "\n# The products are {}. {}\n{}",
            products.words,
            seen(&all, parts.samples),
            products.rule
        ));
    }
    if !labels.is_empty() {
        out.push_str(&format!("\n# --- What the labels beside the values are called\n\n{labels}"));
    }
    out.push_str(&mail(parts));
    out.push_str(&rules);
    out
}

fn head(parts: &Parts<'_>) -> String {
    let (kind, event) = (parts.kind, parts.event);
    let language = checked(parts.language);
    let mut out = format!(
        "# Learnt from {} of a shop: what its mails look like that tell that an order was {event}.\n\
         # Its other mails are read as if this file were not there. docs/adding-a-parser.md explains the language.\n\n\
         name = {}\ntitle = {}\n{}\n\
         # --- Which mails are meant: the author's address, {}and the words of this kind of mail\n\n[[match]]\nfrom = {}\n",
        samples(parts.samples),
        quoted(parts.name),
        quoted(parts.title),
        if language.is_empty() { language } else { format!("\n{language}") },
        if kind.html.is_empty() { "" } else { "one of these pieces of the page " },
        quoted(&kind.from),
    );
    if !kind.html.is_empty() {
        let pieces = kind.html.iter().map(|piece| quoted(piece)).collect::<Vec<_>>().join(", ");
        out.push_str(&format!("html = [{pieces}]\n"));
    }
    out.push_str(&phrases("match", parts));
    out
}

fn mail(parts: &Parts<'_>) -> String {
    let kind = parts.kind;
    let by = match (&kind.subject, &kind.text) {
        (Some(_), Some(_)) => "by words of the subject and a sentence of the first lines",
        (Some(_), None) => "by words of the subject",
        _ => "by a sentence of the first lines",
    };
    let mut out = format!(
        "\n# --- The kind of mail, {by}; * stands for what differs. {}\n\n[[mail]]\nname = {}\nevent = {}\n[[mail.when]]\n",
        seen(&(1..=parts.samples).collect::<Vec<_>>(), parts.samples),
        quoted(name_of(parts.event)),
        quoted(parts.event.as_str()),
    );
    if !kind.not.is_empty() {
        let lists = kind.not.iter().map(|list| format!("{{ subject = {{ lexicon = {} }} }}", quoted(list)));
        out.push_str(&format!(
            "# Not where the subject tells of something else too.\nunless = [{}]\n",
            lists.collect::<Vec<_>>().join(", ")
        ));
    }
    out.push_str(&phrases("mail.when", parts));
    out
}

/// The phrases of subject and text, in their language.
fn phrases(path: &str, parts: &Parts<'_>) -> String {
    let mut out = String::new();
    for (key, phrase) in [("subject", &parts.kind.subject), ("text", &parts.kind.text)] {
        if let Some(phrase) = phrase {
            out.push_str(&format!("[{path}.{key}]\n{} = [{}]\n", parts.language, quoted(phrase)));
        }
    }
    out
}

/// What a kind of mail is called.
fn name_of(event: EventKind) -> &'static str {
    match event {
        EventKind::Placed => "order",
        EventKind::Paid => "payment",
        EventKind::Shipped => "shipment",
        EventKind::ShippedInPart => "partial shipment",
        EventKind::Delivered => "delivery",
        EventKind::Delayed => "delay",
        EventKind::Cancelled => "cancellation",
        EventKind::Refunded => "refund",
        EventKind::RefundedInPart => "partial refund",
    }
}

fn samples(number: usize) -> String {
    if number == 1 { "one sample".to_owned() } else { format!("{number} samples") }
}

/// In which samples something was seen.
fn seen(numbers: &[usize], all: usize) -> String {
    let list = numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match (numbers.len(), all) {
        (_, 1) => "Seen in the sample.".to_owned(),
        (some, all) if some == all => format!("Seen in all {all} samples."),
        (1, _) => format!("Seen in sample {list}."),
        _ => format!("Seen in samples {list}."),
    }
}
