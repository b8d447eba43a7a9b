//! The parts of a template once it is loaded: everything checked and compiled.

use dom_query::Matcher;

use super::pattern::Pattern;
use crate::domain::EventKind;
use crate::read::body::Body;
use crate::read::customer::Ours;
use crate::read::message::Message;
use crate::read::phrases::{Phrases, Searched};
use crate::read::words::Labels;

/// One template.
pub(in crate::read) struct Template {
    pub(in crate::read) name: String,
    /// The platform's name as people write it.
    pub(in crate::read) title: String,
    /// What it was held against, as its author says.
    pub(in crate::read) checked: Vec<Checked>,
    pub(in crate::read) origin: Origin,
    /// Which mails are this platform's; one is enough. The generic template has none.
    pub(in crate::read) matches: Vec<Condition>,
    /// Mails that are not looked at further.
    pub(in crate::read) ignore: Vec<Refusal>,
    /// Mails that a person must look at.
    pub(in crate::read) hold: Vec<Refusal>,
    /// The kinds of mail that tell of an event, tried in their order.
    pub(in crate::read) mails: Vec<Mail>,
    /// Where the fields stand in every kind of mail.
    pub(in crate::read) fields: Fields,
    /// Whether a schema.org status tells what this mail tells of.
    pub(in crate::read) believe_schema_status: bool,
}

/// Versions and languages of a platform whose mails a template was held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The versions, in words.
    pub versions: String,
    /// The languages, as tags.
    pub languages: Vec<String>,
}

/// Where a template comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It ships with the program.
    Shipped,
    /// It is this file of the shop's own.
    File(String),
    /// It is this file of the shop's own, and one of the same name that ships is not used.
    Overrides(String),
}

/// Everything that a condition can look at.
pub(in crate::read) struct Sight<'m> {
    pub(in crate::read) message: &'m Message,
    pub(in crate::read) body: &'m Body,
    pub(in crate::read) ours: &'m Ours<'m>,
    /// The subject, folded.
    pub(in crate::read) subject: Searched<'m>,
    /// The texts of the body, folded.
    pub(in crate::read) text: Searched<'m>,
    /// Author, name and address, folded.
    pub(in crate::read) from: Searched<'m>,
    /// Addressees, names and addresses, folded.
    pub(in crate::read) to: Searched<'m>,
    /// For each piece of HTML that templates look for whether it was found.
    pub(in crate::read) markup: Vec<bool>,
}

/// A test of a mail. Every part that is given must hold.
#[derive(Default)]
pub(in crate::read) struct Condition {
    pub(in crate::read) headers: Vec<HeaderTest>,
    pub(in crate::read) from: Option<Phrases>,
    pub(in crate::read) to: Option<Phrases>,
    pub(in crate::read) subject: Option<Phrases>,
    pub(in crate::read) subject_pattern: Option<Pattern>,
    pub(in crate::read) text: Option<Phrases>,
    pub(in crate::read) text_pattern: Option<Pattern>,
    /// Places in [`super::Templates::markup`].
    pub(in crate::read) html: Option<Vec<usize>>,
    pub(in crate::read) css: Vec<Matcher>,
    pub(in crate::read) to_us: Option<bool>,
    /// None of these may hold.
    pub(in crate::read) unless: Vec<Condition>,
}

/// A header field that must be there, with some text in it.
pub(in crate::read) struct HeaderTest {
    /// Lower case.
    pub(in crate::read) name: String,
    /// Folded; empty when any value does.
    pub(in crate::read) text: String,
}

/// A rule that sets a mail aside.
pub(in crate::read) struct Refusal {
    pub(in crate::read) name: String,
    pub(in crate::read) why: String,
    pub(in crate::read) when: Vec<Condition>,
    pub(in crate::read) counts: Counts,
}

/// When a rule that sets a mail aside counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::read) enum Counts {
    /// Whatever else the mail says.
    Always,
    /// When neither a kind of mail of a template nor data say that the mail tells of an order.
    UnlessRecognised,
    /// When, besides, no words say what happened to an order: the subject may speak of one.
    UnlessTold,
}

/// A kind of mail.
pub(in crate::read) struct Mail {
    pub(in crate::read) name: String,
    pub(in crate::read) event: EventKind,
    pub(in crate::read) when: Vec<Condition>,
    pub(in crate::read) fields: Fields,
}

/// Extraction rules; the first that yields something is taken.
#[derive(Default)]
pub(in crate::read) struct Fields {
    pub(in crate::read) rules: Vec<FieldRule>,
    pub(in crate::read) products: Vec<ProductRule>,
}

/// What a rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::read) enum Target {
    CustomerName,
    CustomerEmail,
    Reference,
    OrderDate,
    ExpectedDelivery,
    /// What the mail calls the customer in its first line; helps to find the name in an address.
    Greeting,
}

impl Target {
    pub(in crate::read) const ALL: [(Self, &'static str); 6] = [
        (Self::CustomerName, "customer_name"),
        (Self::CustomerEmail, "customer_email"),
        (Self::Reference, "reference"),
        (Self::OrderDate, "order_date"),
        (Self::ExpectedDelivery, "expected_delivery"),
        (Self::Greeting, "greeting"),
    ];
}

/// Where one field stands.
pub(in crate::read) struct FieldRule {
    pub(in crate::read) target: Target,
    /// The rule's name in findings.
    pub(in crate::read) id: String,
    pub(in crate::read) source: Source,
    /// Cuts the value out of what the source gave.
    pub(in crate::read) pattern: Option<Pattern>,
}

/// Where a rule looks.
pub(in crate::read) enum Source {
    Header(String),
    Subject(Pattern),
    Text(Pattern),
    Label { labels: Labels, place: Place },
    Css { matcher: Matcher, attribute: Option<String> },
}

/// Where a value stands, seen from its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::read) enum Place {
    /// The first that is there: after, right, below.
    Any,
    /// In the same line or cell.
    After,
    /// In the next cell of the row that is not empty.
    Right,
    /// In the cell below, or in the next line.
    Below,
    /// The label is the heading of a postal address; the value is the line that is the person.
    Address,
}

/// How products are read.
pub(in crate::read) struct ProductRule {
    pub(in crate::read) id: String,
    pub(in crate::read) kind: ProductSource,
    /// Takes a name cell apart: groups `name`, `quantity`, `price`, `sku`.
    pub(in crate::read) pattern: Option<Pattern>,
}

/// Where products stand.
pub(in crate::read) enum ProductSource {
    /// A table whose head row holds these labels.
    Columns { name: Labels, sku: Labels, quantity: Labels, price: Labels },
    /// Elements, one a product, with elements inside for its parts.
    Rows { rows: Matcher, name: Matcher, parts: Vec<(Part, Matcher, Option<String>)> },
    /// Lines of text that match, with groups `name`, `quantity`, `price`, `sku`.
    Line(Pattern),
}

/// A part of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::read) enum Part {
    Sku,
    Quantity,
    Price,
    Url,
    Image,
}
