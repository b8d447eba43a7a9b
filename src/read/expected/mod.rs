//! What a mail ought to be read as. A test set is mails with the expected result beside each; here is the one form in which
//! all that read such sets (tests of this project, `invited template test`, `invited template score`) have it.

mod forms;
mod judge;
mod tally;

use std::fmt;

pub use self::judge::{Judgement, Misuse, Verdict};
pub use self::tally::{Difference, Figure, Tally};
use crate::document::{Document, Problem};
use crate::domain::{EventKind, Outcome};

/// What one mail ought to be read as. For each value: `None` is not compared, `Some(None)` says that nothing may be found.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    /// What is to become of the mail.
    pub fate: Fate,
    /// The event that a mail tells of which is not used.
    pub told: Option<Option<EventKind>>,
    /// The order reference.
    pub reference: Option<Option<Wish>>,
    /// The customer's address.
    pub email: Option<Option<Wish>>,
    /// The customer's name.
    pub name: Option<Option<Wish>>,
    /// The day of the order.
    pub order_date: Option<Option<Wish>>,
    /// The language of the mail.
    pub locale: Option<Option<Wish>>,
    /// The products, in the order of the mail.
    pub products: Option<Vec<ExpectedProduct>>,
    /// Words that the reason for setting the mail aside has.
    pub reason_contains: Option<String>,
    /// The shop's own domain, when the mail needs one.
    pub shop_domain: Option<String>,
    /// The values are known, but the mail need not be read: a value is compared only where it would be used.
    pub need_not_be_read: bool,
}

/// What is to become of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is used, as one of these events; as any when there are none.
    Event(Vec<EventKind>),
    /// It is set aside, or used as one of these, which neither begin nor end an invitation.
    Other(Vec<EventKind>),
    /// It is set aside; with this outcome where one is given.
    SetAside(Option<Outcome>),
}

/// A text that is wanted.
#[derive(Clone, PartialEq, Eq)]
pub struct Wish {
    /// The text.
    pub text: String,
    /// Whether more may follow, and letter case does not count.
    pub is_beginning: bool,
}

/// Expected values are a customer's as much as read ones are.
impl fmt::Debug for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wish(…)")
    }
}

impl Wish {
    /// Exactly this.
    pub fn exactly(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_beginning: false }
    }

    /// This, with whatever follows, in any letter case.
    pub fn beginning(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_beginning: true }
    }

    /// Whether a text is what is wanted.
    pub fn is(&self, got: &str) -> bool {
        if self.is_beginning { got.to_lowercase().starts_with(&self.text.to_lowercase()) } else { got == self.text }
    }
}

/// One line of an order that is wanted. What is `None` is not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedProduct {
    /// Its name.
    pub name: Wish,
    /// How many.
    pub quantity: Option<u32>,
    /// The article number.
    pub sku: Option<String>,
    /// Its page.
    pub url: Option<String>,
    /// The price as the mail shows it.
    pub price: Option<String>,
}

impl ExpectedProduct {
    /// Whether more than name and quantity is wanted.
    fn is_detailed(&self) -> bool {
        self.sku.is_some() || self.url.is_some() || self.price.is_some()
    }
}

/// One thing on which readings are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    /// What the mail tells of, and that it is used.
    Event,
    /// The order reference.
    Reference,
    /// The customer's address.
    Email,
    /// The customer's name.
    Name,
    /// The products: which and how many.
    Products,
    /// The products with article number, page and price.
    ProductsInFull,
    /// The day of the order.
    Date,
    /// The language.
    Locale,
    /// That a mail which must invite nobody is set aside.
    SetAside,
    /// Why it is set aside.
    Reason,
}

impl Point {
    /// All of them, in the order of tables.
    pub const ALL: [Self; 10] = [
        Self::Event,
        Self::Reference,
        Self::Email,
        Self::Name,
        Self::Products,
        Self::ProductsInFull,
        Self::Date,
        Self::Locale,
        Self::SetAside,
        Self::Reason,
    ];

    /// The word for it in tables and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Reference => "reference",
            Self::Email => "email",
            Self::Name => "name",
            Self::Products => "products",
            Self::ProductsInFull => "products_in_full",
            Self::Date => "date",
            Self::Locale => "locale",
            Self::SetAside => "set_aside",
            Self::Reason => "reason",
        }
    }
}

impl Expected {
    /// Reads an expected result: in our own form (it has `outcome`), or in that of a corpus (it has `kind`, `expect` or `type`).
    /// `docs/adding-a-parser.md` tells of both.
    ///
    /// # Errors
    /// What is wrong with the file, with its line.
    pub fn parse(document: &Document) -> Result<Self, Problem> {
        forms::parse(document)
    }
}
